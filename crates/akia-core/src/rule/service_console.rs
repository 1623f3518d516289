//! A service user has a password.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Console, User};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "service-user-console",
    title: "a service user can sign in to the console",
    severity: Severity::Medium,
    why: "Nobody is there to notice when somebody signs in as a service.",
    fix: "Delete its password: aws iam delete-login-profile.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, scene: &Scene<'_>) -> Verdict {
    let Console::With { .. } = user.console else { return Verdict::Fine };
    Verdict::broken_if(scene.limits.is_service(user), || "it has a console password".to_owned())
}
