//! No policy denies the making of keys, though the settings want one.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "create-key-not-denied",
    title: "nothing keeps the user from making keys",
    severity: Severity::Low,
    why: "Where keys are handed out by one team, others should not be able to make their own.",
    fix: "Attach a policy that denies iam:CreateAccessKey.",
    is_on: false,
    remedy: Remedy::ByHand,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    Verdict::given(&user.details, |details| {
        Verdict::broken_if(!details.grants.denies_create_key, || {
            "no policy of the user or of its groups denies iam:CreateAccessKey".to_owned()
        })
    })
}
