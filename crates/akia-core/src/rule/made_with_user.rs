//! A person with a console password got a key in the same minute, and never used it.

use super::{Check, Remedy, Rule, Scene, Verdict};
use crate::estate::{Console, Key, Known, User};
use crate::finding::Severity;
use crate::key::{KeyStatus, LastUsed};
use jiff::SignedDuration;

pub(super) const RULE: Rule = Rule {
    id: "key-made-with-user",
    title: "a key was made with the user and never used",
    severity: Severity::Medium,
    why: "Keys made by habit, for a person who works in the console, lie about unused.",
    fix: "Delete it; its owner can make one when it is needed.",
    is_on: true,
    remedy: Remedy::Delete,
    check: Check::Key(check),
};

/// What the console's form for new users takes at most.
const SAME_FORM: SignedDuration = SignedDuration::from_mins(10);

fn check(key: &Key, user: &User, _: &Scene<'_>) -> Verdict {
    let (Console::With { .. }, KeyStatus::Active) = (user.console, key.status) else { return Verdict::Fine };
    match &key.last_used {
        LastUsed::At { .. } => return Verdict::Fine,
        LastUsed::Unknown { reason } => return Verdict::Unknown { reason: reason.clone() },
        LastUsed::Never => {}
    }
    match (user.created_at, &key.created_at) {
        (Some(user), Known::Told(key)) => Verdict::broken_if(key.duration_since(user).abs() <= SAME_FORM, || {
            "made together with the user, who signs in with a password, and never used".to_owned()
        }),
        (_, Known::Unknown { reason }) => Verdict::Unknown { reason: reason.clone() },
        (None, Known::Told(_)) => Verdict::Unknown { reason: "when the user was made is not known".to_owned() },
    }
}
