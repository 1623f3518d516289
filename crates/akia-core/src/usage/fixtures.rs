//! Facts for tests.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Atlas, Fact, Networks, Place, Resources, View};

pub(super) const MAC: &str = "aws-cli/2.22.1 ua/2.1 os/macos#24.2.0 md/arch#arm64 lang/python#3.12 md/command#s3.ls";
pub(super) const LINUX: &str =
    "aws-cli/2.31.0 ua/2.1 os/linux#6.8.0-41-generic md/arch#x86_64 lang/python#3.12 md/command#s3.ls";
pub(super) const EC2: &str =
    "Boto3/1.35.0 md/Botocore#1.35.0 ua/2.0 os/linux#6.1.112-124.190.amzn2023.x86_64 md/arch#x86_64";

/// Calls of alice's key.
pub(super) fn fact(first: &str, ip: &str, agent: &str) -> Fact {
    fact_of("alice", first, ip, agent)
}

/// Two calls within a second: as `2026-11-02T08:15`.
pub(super) fn fact_of(user: &str, first: &str, ip: &str, agent: &str) -> Fact {
    let first: Timestamp = format!("{first}:00Z").parse().unwrap();
    Fact {
        key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        account: "123456789012".to_owned(),
        user: format!("arn:aws:iam::123456789012:user/{user}"),
        hour: Timestamp::from_second(first.as_second().div_euclid(3_600) * 3_600).unwrap(),
        service: "s3".to_owned(),
        name: "ListBuckets".to_owned(),
        region: "eu-central-1".to_owned(),
        ip: ip.to_owned(),
        agent: agent.to_owned(),
        error: String::new(),
        resources: Resources::default(),
        calls: 2,
        first,
        last: Timestamp::from_second(first.as_second() + 1).unwrap(),
    }
}

/// Berlin, but for 198.51.100.0/24, which is in New York.
pub(super) struct TwoCities;

impl Atlas for TwoCities {
    fn place(&self, address: IpAddr) -> Option<Place> {
        let (city, country, point) = if address.to_string().starts_with("198.51.100.") {
            ("New York", "US", (40.71, -74.01))
        } else {
            ("Berlin", "DE", (52.52, 13.40))
        };
        Some(Place { city: Some(city.into()), country: Some(country.into()), point: Some(point), ..Place::default() })
    }
}

/// Asks with these eyes; users whose names begin with `svc-` are services.
pub(super) fn with_view<T>(atlas: &dyn Atlas, ask: impl FnOnce(&View<'_>) -> T) -> T {
    let networks = Networks::default();
    let is_service = |user: &str| user.contains(":user/svc-");
    ask(&View { networks: &networks, atlas, is_service: &is_service })
}
