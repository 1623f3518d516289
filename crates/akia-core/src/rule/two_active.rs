//! More than one active key for one user.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "two-active-keys",
    title: "the user has two active keys",
    severity: Severity::Low,
    why: "The second key is for the hours of a rotation; afterwards it is one more way in, and leaves no room to rotate.",
    fix: "Find out which one is in use, and deactivate the other.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    let active: Vec<String> = user
        .active_keys()
        .map(|key| key.id.as_ref().map_or_else(|| "(id not known)".to_owned(), ToString::to_string))
        .collect();
    Verdict::broken_if(active.len() > 1, || active.join(" and "))
}
