//! The name of a user fits none of the patterns that the settings ask for.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "user-name",
    title: "the user's name breaks the naming rule",
    severity: Severity::Low,
    why: "Names that follow a rule tell people from services at a glance.",
    fix: "Make a user with a right name and move over; renaming changes ARNs that policies may name.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    let names = &scene.limits.names;
    let fits = names.iter().any(|pattern| super::matches(pattern, user.name().as_str()));
    Verdict::broken_if(!names.is_empty() && !fits, || format!("it fits none of {}", names.join(", ")))
}
