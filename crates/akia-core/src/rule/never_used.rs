//! An active key was made longer ago than the limit for unused ones, and AWS knows of no use.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::{Key, Known, User};
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};

pub(super) const RULE: Rule = Rule {
    id: "key-never-used",
    title: "the key was never used",
    severity: Severity::High,
    why: "A key that was made and never used serves nobody but who finds it.",
    fix: "Ask its owner; delete it.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::Key(check),
};

fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    if key.status == KeyStatus::Inactive {
        return Verdict::Fine;
    }
    match (&key.last_used, &key.created_at) {
        (LastUsed::Never, Known::Told(created)) => {
            let age = scene.since(*created);
            Verdict::broken_if(age > scene.limits.unused, || {
                format!("made {} ago and never used, the limit is {}", days_words(age), days_words(scene.limits.unused))
            })
        }
        (LastUsed::At { .. }, _) => Verdict::Fine,
        (LastUsed::Unknown { reason }, _) | (LastUsed::Never, Known::Unknown { reason }) => {
            Verdict::Unknown { reason: reason.clone() }
        }
    }
}
