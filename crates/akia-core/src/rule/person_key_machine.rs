//! The key of a person does what programs do.

use super::{Check, Remedy, Rule, Scene, Verdict, ago_words};
use crate::estate::{Key, User};
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};

pub(super) const RULE: Rule = Rule {
    id: "person-key-used-by-machine",
    title: "a person's key is used for what programs do",
    severity: Severity::Low,
    why: "A machine that works with a person's key stops when the person leaves, and has all rights of the person.",
    fix: "Ask its owner; make a user for the service (akia service create), and move the machine to its key.",
    is_on: false,
    remedy: Remedy::ByHand,
    check: Check::Key(check),
};

/// Services that programs call all day and people hardly by hand, as `GetAccessKeyLastUsed` names them.
const OF_MACHINES: [&str; 9] = ["email", "firehose", "kinesis", "logs", "monitoring", "ses", "sns", "sqs", "xray"];

fn check(key: &Key, user: &User, scene: &Scene<'_>) -> Verdict {
    if key.status == KeyStatus::Inactive || scene.limits.is_service(user) {
        return Verdict::Fine;
    }
    match &key.last_used {
        LastUsed::Never => Verdict::Fine,
        LastUsed::Unknown { reason } => Verdict::Unknown { reason: reason.clone() },
        LastUsed::At { at, service, .. } => Verdict::broken_if(
            OF_MACHINES.contains(&service.as_str()) && scene.since(*at) <= scene.limits.unused,
            || format!("last used for {service}, {}", ago_words(scene.since(*at))),
        ),
    }
}
