//! Policies hang on a service user itself, not on its group.

use super::{Check, Remedy, Rule, Scene, Verdict, of_service};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "service-user-direct-policies",
    title: "a service user has policies of its own",
    severity: Severity::Low,
    why: "Rights on the user itself are missed when the group is reviewed.",
    fix: "Move the policies to the group of the service.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    of_service(user, scene, |details| {
        let attached = details.attached.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn));
        let names: Vec<&str> = details.inline.iter().map(String::as_str).chain(attached).collect();
        Verdict::broken_if(!names.is_empty(), || names.join(", "))
    })
}
