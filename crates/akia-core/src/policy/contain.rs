//! The rights of `akia contain`, and the policy that gives them.

use super::action::{
    Action, CREATE, DELETE, GET_USER_REQUIRED, LAST_USED_OPTIONAL, LIST, LOOKUP_EVENTS, Need, Probe, ResourceForm,
    SIMULATE, UPDATE,
};
use super::document::{PolicyDocument, Statement};
use super::organization::Duty;
use crate::ids::Partition;

/// Finds out whose key it is, what it could do and did, shuts or replaces it, and denies sessions of before, at every user of the
/// account.
#[must_use]
pub fn contain_policy(partition: Partition) -> PolicyDocument {
    let quarantine = Duty::Quarantine.policy(partition).statement;
    let is_of_quarantine = |name: &str| quarantine.iter().any(|one| one.action.as_slice().iter().any(|it| it == name));
    let names = |wanted: &dyn Fn(&Action) -> bool| {
        let mut names: Vec<&str> = CONTAIN.iter().filter(|one| wanted(one)).map(|one| one.name).collect();
        names.sort_unstable();
        names
    };
    let is_look =
        |one: &Action| one.resource == ResourceForm::User && !one.changes_keys() && !is_of_quarantine(one.name);
    let users = format!("arn:{partition}:iam::*:user/*");
    let mut statements = vec![
        Statement::allow("LookAtUsers", names(&is_look), users.as_str()),
        Statement::allow("ShutAndReplaceKeys", names(&Action::changes_keys), users.as_str()),
        Statement::allow("ReadAccountAndTrail", names(&|one| one.resource == ResourceForm::Any), "*"),
    ];
    statements.extend(quarantine);
    PolicyDocument::new(statements)
}

const ATTACHED: Action = Action {
    name: "iam:ListAttachedUserPolicies",
    resource: ResourceForm::User,
    need: Need::Required,
    why: "reads whether AWS's deny policy is on the user, before and after every measure",
    probe: Probe::Call,
};

const DENY: Action =
    Action { name: "iam:PutUserPolicy", why: "denies the sessions of before", probe: Probe::Nothing, ..ATTACHED };

const DETAILS: Action = Action {
    name: "iam:GetAccountAuthorizationDetails",
    resource: ResourceForm::Any,
    need: Need::Optional,
    why: "tells what the user may do, and the roles that let it in; without it that is unknown",
    probe: Probe::Call,
};

pub(super) const CONTAIN: &[Action] = &[
    LIST,
    GET_USER_REQUIRED,
    Action { why: "deactivates the key, and activates it again on undo", ..UPDATE },
    ATTACHED,
    Action {
        name: "iam:ListUserPolicies",
        why: "reads whether the denial of sessions is on the user, before and after every measure",
        ..ATTACHED
    },
    DENY,
    Action { why: "tells whose key it is; without it a kept audit or the lists of all users do", ..LAST_USED_OPTIONAL },
    Action {
        name: "sts:GetAccessKeyInfo",
        why: "tells the account of a key of the first years; without it such a key may stay unknown",
        ..DETAILS
    },
    Action {
        name: "iam:DeleteUserPolicy",
        need: Need::Optional,
        why: "takes the denial of sessions off when it is of no more use, and on undo; without it it stays",
        ..DENY
    },
    Action {
        name: "iam:AttachUserPolicy",
        need: Need::Optional,
        why: "ties the user's hands, for the strategies rotate and quarantine",
        ..DENY
    },
    Action {
        name: "iam:DetachUserPolicy",
        need: Need::Optional,
        why: "unties them afterwards; without it AWS's deny policy stays",
        ..DENY
    },
    Action { need: Need::Optional, why: "makes the new key, for the strategy rotate", ..CREATE },
    Action {
        need: Need::Optional,
        why: "deletes the key, for the strategy delete, and a new key that came to nothing",
        ..DELETE
    },
    DETAILS,
    Action { why: "takes out of what the user may do what IAM says is denied", ..SIMULATE },
    Action { why: "tells what the key did; without it that is unknown", ..LOOKUP_EVENTS },
    Action {
        name: "iam:GetAccountSummary",
        why: "tells whether a key that no user has may be the root user's",
        ..DETAILS
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy() {
        insta::assert_snapshot!(contain_policy(Partition::Aws).to_pretty_json());
    }
}
