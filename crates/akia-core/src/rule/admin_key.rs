//! The holder of an active key is an administrator.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "admin-key",
    title: "an access key may do everything",
    severity: Severity::High,
    why: "A leaked key of an administrator is a lost account.",
    fix: "Give the user the actions that it needs, or replace the key by a role.",
    is_on: true,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    if user.active_keys().next().is_none() {
        return Verdict::Fine;
    }
    Verdict::given(&user.details, |details| {
        Verdict::broken_if(details.grants.everything, || {
            "a policy of the user or of a group allows every action on every resource".to_owned()
        })
    })
}
