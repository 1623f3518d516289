//! AWS found a key of the user in public and put the user into quarantine.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::User;
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    id: "key-exposed",
    title: "AWS has found the key in public",
    severity: Severity::Critical,
    why: "AWS tells of a key that it finds in public (AWS Health), and attaches its quarantine policy to the user. That stops some of what a thief would do, not all.",
    fix: "Replace the key, look through CloudTrail for what was done with it, delete it, then detach the quarantine policy.",
    is_on: true,
    remedy: Remedy::Deactivate,
    check: Check::User(check),
};

fn check(user: &User, _: &Scene<'_>) -> Verdict {
    Verdict::given(&user.details, |details| {
        Verdict::broken_if(details.grants.quarantined || !details.exposed.is_empty(), || {
            let keys = user.active_keys().count();
            let mut words: Vec<String> = details.exposed.iter().map(|(key, what)| format!("{key}: {what}")).collect();
            if details.grants.quarantined {
                words.push("AWSCompromisedKeyQuarantine is attached".to_owned());
            }
            format!("{}; active keys: {keys}", words.join("; "))
        })
    })
}
