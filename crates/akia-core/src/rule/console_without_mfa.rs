//! A user with an active key signs in to the console without a second factor.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Console, User};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "console-without-mfa",
    title: "a console user with a key has no MFA",
    severity: Severity::High,
    why: "A password without MFA is guessed or phished, and then makes itself more keys.",
    fix: "Register an MFA device for the user, and require it in a policy.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    let Console::With { .. } = user.console else { return Verdict::Fine };
    let keys = user.active_keys().count();
    Verdict::broken_if(!user.mfa_active && keys > 0, || {
        format!("signs in with a password alone, and has active keys: {keys}")
    })
}
