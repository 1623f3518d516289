//! An active key is older than the limit. Its age counts from its creation, whatever happened to it since.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::{Key, User};
use crate::finding::Severity;
use crate::key::KeyStatus;

pub(super) const RULE: Rule = Rule {
    id: "key-age",
    title: "the key is too old",
    severity: Severity::Medium,
    why: "Every copy that was ever made of a key works until it is replaced: in backups, logs, old laptops.",
    fix: "Rotate it.",
    is_on: true,
    remedy: Remedy::Rotate,
    check: Check::Key(check),
};

/// A key this many times over the limit is a graver matter.
const FORGOTTEN: i32 = 4;

fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    if key.status == KeyStatus::Inactive {
        return Verdict::Fine;
    }
    Verdict::given(&key.created_at, |created| {
        // To the second: 90 days and 23 hours are more than 90 days.
        let (age, limit) = (scene.since(*created), scene.limits.max_age);
        if age <= limit {
            return Verdict::Fine;
        }
        let severity = (age > limit.saturating_mul(FORGOTTEN)).then_some(Severity::High);
        Verdict::Broken {
            detail: format!("made {} ago, the limit is {}", days_words(age), days_words(limit)),
            severity,
        }
    })
}
