//! The root user signed in, or its key signed, not long ago.

use super::{Check, Remedy, Rule, Scene, Verdict, ago_words};
use crate::estate::Root;
use crate::finding::Severity;
use crate::key::LastUsed;

pub(super) const RULE: Rule = Rule {
    id: "root-used",
    title: "the root user was used",
    severity: Severity::High,
    why: "The root user is for the few tasks that nothing else can do; daily use hides an intruder.",
    fix: "Find out who signed in and why; use a role for the work, and keep the root password and MFA locked away.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::Root(check),
};

/// The later of password and keys counts: a password that was last used a year ago hides no key that was used today.
fn check(root: &Root, scene: &Scene<'_>) -> Verdict {
    let password = root.password_used_at.map(|at| (at, "its password"));
    let keys = root.keys.iter().filter_map(|key| match &key.last_used {
        LastUsed::At { at, .. } => Some((*at, "an access key of its")),
        LastUsed::Never | LastUsed::Unknown { .. } => None,
    });
    let latest = keys.chain(password).max();
    let Some((at, what)) = latest else {
        let unknown = root.keys.iter().find_map(|key| match &key.last_used {
            LastUsed::Unknown { reason } => Some(reason.clone()),
            LastUsed::Never | LastUsed::At { .. } => None,
        });
        return unknown.map_or(Verdict::Fine, |reason| Verdict::Unknown { reason });
    };
    let since = scene.since(at);
    Verdict::broken_if(since <= scene.limits.root_quiet, || format!("{what} was used {}", ago_words(since)))
}
