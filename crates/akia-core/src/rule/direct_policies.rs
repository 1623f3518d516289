//! Policies hang on a service user itself, not on its group.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Known, User};
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
    if !scene.limits.is_service(user) {
        return Verdict::Fine;
    }
    match &user.details {
        Known::Told(details) => {
            let attached = details.attached.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn));
            let names: Vec<&str> = details.inline.iter().map(String::as_str).chain(attached).collect();
            Verdict::broken_if(!names.is_empty(), || names.join(", "))
        }
        Known::Unknown { reason } => Verdict::Unknown { reason: reason.clone() },
    }
}
