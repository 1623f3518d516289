//! A name, a path or a tag says that the user is a service's, and the name is not as those of services should be.

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
    let (limits, name) = (scene.limits, user.name().as_str());
    if !limits.is_service(user) {
        return Verdict::Fine;
    }
    let is_named = limits.names_service(name);
    // Whoever has written a prefix down means it for all services; without one, any name that says so will do.
    if let Some(prefix) = &limits.service_prefix {
        return Verdict::broken_if(!prefix.begins(name), || {
            let why = if is_named {
                "its name is that of a service"
            } else {
                "its path or a tag says that it is a service's"
            };
            format!("{why}; the names of services begin with {prefix} here")
        });
    }
    Verdict::broken_if(!is_named && !limits.service_names.is_empty(), || {
        format!("its path or a tag says so; the name fits none of {}", limits.service_names.join(", "))
    })
}
