//! Facts for tests.

use super::{Fact, Resources};

/// A call of the user `ci` in `eu-west-1`.
pub(super) fn fact(service: &str, name: &str, resources: &str) -> Fact {
    Fact {
        key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        account: "123456789012".to_owned(),
        user: "arn:aws:iam::123456789012:user/service/ci".to_owned(),
        hour: "2026-11-03T10:00:00Z".parse().unwrap(),
        service: service.to_owned(),
        name: name.to_owned(),
        region: "eu-west-1".to_owned(),
        ip: "203.0.113.7".to_owned(),
        agent: "Boto3/1.43.106".to_owned(),
        error: String::new(),
        resources: Resources(resources.to_owned()),
        calls: 3,
        first: "2026-11-03T10:04:00Z".parse().unwrap(),
        last: "2026-11-03T10:31:00Z".parse().unwrap(),
    }
}
