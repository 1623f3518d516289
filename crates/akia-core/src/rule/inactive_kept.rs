//! A key that was deactivated, and forgotten.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::{Key, Known, User};
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};

pub(super) const RULE: Rule = Rule {
    id: "inactive-key-kept",
    title: "an inactive key was never deleted",
    severity: Severity::Low,
    why: "One call activates it again, and its old copies with it; it also takes the room of a new key.",
    fix: "Delete it.",
    is_on: true,
    remedy: Remedy::Delete,
    check: Check::Key(check),
};

/// AWS does not say when a key was deactivated. It was active when it was last used, activated or made.
fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    if key.status == KeyStatus::Active {
        return Verdict::Fine;
    }
    let used = match &key.last_used {
        LastUsed::At { at, .. } => Some(*at),
        LastUsed::Never => None,
        LastUsed::Unknown { reason } => return Verdict::Unknown { reason: reason.clone() },
    };
    let created = match &key.created_at {
        Known::Told(created) => *created,
        Known::Unknown { reason } => return Verdict::Unknown { reason: reason.clone() },
    };
    let last_active = used.into_iter().chain(key.reactivated_at).fold(created, jiff::Timestamp::max);
    let idle = scene.since(last_active);
    Verdict::broken_if(idle > scene.limits.inactive_kept, || format!("inactive, and not used for {}", days_words(idle)))
}
