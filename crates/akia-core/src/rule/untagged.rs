//! A service user lacks a tag that it must have.

use super::{Check, Remedy, Rule, Scene, Verdict, of_service};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "service-user-untagged",
    title: "a service user does not say whose it is",
    severity: Severity::Low,
    why: "When its key leaks, somebody has to know within minutes whom to call.",
    fix: "Tag it: aws iam tag-user.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    of_service(user, scene, |details| {
        let has = |wanted: &String| {
            details.tags.iter().any(|(tag, value)| tag.eq_ignore_ascii_case(wanted) && !value.trim().is_empty())
        };
        let missing: Vec<&str> =
            scene.limits.required_tags.iter().filter(|tag| !has(tag)).map(String::as_str).collect();
        Verdict::broken_if(!missing.is_empty(), || format!("missing: {}", missing.join(", ")))
    })
}
