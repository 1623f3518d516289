//! A service user has no group.

use super::{Check, Remedy, Rule, Scene, Verdict, of_service};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "service-user-without-group",
    title: "a service user is in no group",
    severity: Severity::Low,
    why: "Rights that hang on a group can be seen, compared and moved to the next user.",
    fix: "Make a group for the service, attach its policies there, and add the user.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    of_service(user, scene, |details| Verdict::broken_if(details.groups.is_empty(), || "it is in no group".to_owned()))
}
