//! A user has both ways in.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Console, User};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "console-and-key",
    title: "the user has a console password and a key",
    severity: Severity::Info,
    why: "People seldom need both: `aws login` and Identity Center give a terminal short-lived credentials.",
    fix: "Ask whether the key is still needed.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    let Console::With { .. } = user.console else { return Verdict::Fine };
    let keys = user.active_keys().count();
    Verdict::broken_if(keys > 0, || format!("has a console password and active keys: {keys}"))
}
