//! An active key was used, but not for long.

use super::{Check, Remedy, Rule, Scene, Verdict, days_words};
use crate::estate::{Key, User};
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};

pub(super) const RULE: Rule = Rule {
    id: "key-unused",
    title: "the key is not used any more",
    severity: Severity::High,
    why: "Nobody misses a key that nobody uses, and nobody notices when somebody else begins to.",
    fix: "Ask its owner; deactivate it, and delete it when nobody has complained for a while.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::Key(check),
};

fn check(key: &Key, _: &User, scene: &Scene<'_>) -> Verdict {
    if key.status == KeyStatus::Inactive {
        return Verdict::Fine;
    }
    match &key.last_used {
        LastUsed::At { at, service, .. } => {
            let idle = scene.since(*at);
            Verdict::broken_if(idle > scene.limits.unused, || {
                format!(
                    "last used {} ago ({service}), the limit is {}",
                    days_words(idle),
                    days_words(scene.limits.unused)
                )
            })
        }
        // Another rule's.
        LastUsed::Never => Verdict::Fine,
        LastUsed::Unknown { reason } => Verdict::Unknown { reason: reason.clone() },
    }
}
