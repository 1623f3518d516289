//! The signs of a person on a service user's key, or those of a service on a person's.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Console, Key, User};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "person-and-service-mixed",
    title: "a person's user serves a machine, or the other way round",
    severity: Severity::Medium,
    why: "A person's key in a machine breaks it when the person leaves; a service user that a person uses hides who did what.",
    fix: "Make a user for the service (name, group, tags), move the machine to its key, and keep the person's user for the person.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::Key(check),
};

/// The description that the console keeps of a key says what it is for: it stands in the user's tag named by the key's id.
fn check(key: &Key, user: &User, scene: &Scene<'_>) -> Verdict {
    let limits = scene.limits;
    if limits.is_service(user) {
        return Verdict::broken_if(
            user.mfa_active || matches!(user.console, Console::With { used_at: Some(_) }),
            || "a service user has the MFA device or the sign-ins of a person".to_owned(),
        );
    }
    Verdict::given(&user.details, |details| {
        let description = key.id.as_ref().and_then(|id| details.tags.get(id.as_str()));
        match description {
            Some(description) if limits.names_service(description) => {
                Verdict::broken(format!("the key of a person says that it is for {description}"))
            }
            Some(_) | None => Verdict::Fine,
        }
    })
}
