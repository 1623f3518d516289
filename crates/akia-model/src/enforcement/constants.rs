//! The key of every world, and its clock.

use std::sync::LazyLock;

use akia_core::enforce::CaseSubject;
use jiff::{SignedDuration, Timestamp};

use super::world::Moment;

const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The key that it is all about. Its user has a comma in the name, as IAM allows.
#[expect(clippy::expect_used, reason = "constants that parse")]
pub(crate) static SUBJECT: LazyLock<CaseSubject> = LazyLock::new(|| CaseSubject {
    account: "123456789012".parse().expect("an account"),
    user: "arn:aws:iam::123456789012:user/ops/alice,batch".parse().expect("an arn"),
    user_id: "AIDAEXAMPLEEXAMPLE00".parse().expect("a user id"),
    key: "AKIAIOSFODNN7EXAMPLE".parse().expect("a key id"),
    key_created_at: Timestamp::constant(1_700_000_000, 0),
});

/// The moment that so many seconds from the start are.
pub(crate) fn moment(seconds: Moment) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

/// Seconds from the start, rounded up.
pub(crate) fn seconds(at: Timestamp) -> Moment {
    let millis = at.duration_since(START).as_millis();
    Moment::try_from(millis.div_euclid(1_000) + i128::from(millis.rem_euclid(1_000) != 0)).unwrap_or(Moment::MAX)
}
