//! The root user has keys, active or not.

use super::{Check, Remedy, Rule, Scene, Verdict, ago_words};
use crate::estate::Root;
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};

pub(super) const RULE: Rule = Rule {
    id: "root-key",
    title: "the root user has an access key",
    severity: Severity::Critical,
    why: "No policy and no boundary holds for the root user: who has its key has the account.",
    fix: "Sign in as root, make sure that nothing uses the key, and delete it in the console under Security credentials.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::Root(check),
};

fn check(root: &Root, scene: &Scene<'_>) -> Verdict {
    let words = root.keys.iter().map(|key| {
        let status = match key.status {
            KeyStatus::Active => "an active key",
            KeyStatus::Inactive => "an inactive key",
        };
        match &key.last_used {
            LastUsed::Never => format!("{status}, never used"),
            LastUsed::At { at, .. } => format!("{status}, last used {}", ago_words(scene.since(*at))),
            LastUsed::Unknown { .. } => format!("{status}, last use unknown"),
        }
    });
    let words: Vec<String> = words.collect();
    Verdict::broken_if(!words.is_empty(), || format!("it has {}", words.join(" and ")))
}
