//! The credential report shows an old key as a young one.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::{Key, Known, User};
use crate::finding::Severity;
use crate::key::KeyStatus;

pub(super) const RULE: Rule = Rule {
    id: "key-reactivated",
    title: "the key was activated again",
    severity: Severity::Info,
    why: "The credential report counts from the last activation, so that tools which trust it take an old key for a new one.",
    fix: "Rotate it if it is in use; its true age is that of its creation.",
    is_on: true,
    remedy: Remedy::Rotate,
    check: Check::Key(check),
};

fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    let (Some(again), Known::Told(created), KeyStatus::Active) = (key.reactivated_at, &key.created_at, key.status)
    else {
        return Verdict::Fine;
    };
    let (age, since) = (scene.since(*created), scene.since(again));
    Verdict::broken_if(age > scene.limits.max_age && since <= scene.limits.max_age, || {
        format!(
            "made {} ago, and activated again {} ago: the report takes it for new",
            days_words(age),
            days_words(since)
        )
    })
}
