//! A path or a tag says that the user is a service's, and its name does not.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "service-user-name",
    title: "a service user's name does not say that it is one",
    severity: Severity::Low,
    why: "Logs and policies show the name, and not the path or the tags: whoever reads them takes it for a person.",
    fix: "Make the service's user anew under a right name (akia service create), and move over.",
    is_on: false,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    let limits = scene.limits;
    let is_other = limits.is_service(user) && !limits.names_service(user.name().as_str());
    Verdict::broken_if(is_other && !limits.service_names.is_empty(), || {
        format!("its path or a tag says so; the name fits none of {}", limits.service_names.join(", "))
    })
}
