//! The rights that each command of akia needs, one list for `policy check`, for rotate's preflight and for the printed policies.
//!
//! `sts:GetCallerIdentity` and `sts:GetSessionToken` are missing on purpose: AWS asks no permission for them (STS API Reference;
//! a Deny can still forbid `GetSessionToken`, never `GetCallerIdentity`).

use super::contain::CONTAIN;
use super::scan::{SCAN_SNAPSHOT, SCAN_USER_DATA};
use crate::ids::{Partition, UserArn};

/// A command of akia, as far as its rights differ from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// `akia setup` with a key that exists already.
    Setup,
    /// `akia setup --create`.
    SetupCreate,
    /// `akia status`.
    Status,
    /// `akia rotate` of the caller's own key.
    Rotate,
    /// `akia rotate --user`: the key of somebody else.
    RotateOthers,
    /// `akia undo`.
    Undo,
    /// `akia retire`.
    Retire,
    /// `akia key list`.
    KeyList,
    /// `akia key create`.
    KeyCreate,
    /// `akia key activate`.
    KeyActivate,
    /// `akia key deactivate`.
    KeyDeactivate,
    /// `akia key delete`.
    KeyDelete,
    /// `akia key last-used`.
    KeyLastUsed,
    /// `akia policy check`.
    PolicyCheck,
    /// `akia audit`.
    Audit,
    /// `akia contain`.
    Contain,
    /// `akia scan --snapshot`.
    ScanSnapshot,
    /// `akia scan --user-data`.
    ScanUserData,
}

impl Command {
    /// Every command, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::Setup,
        Self::SetupCreate,
        Self::Status,
        Self::Rotate,
        Self::RotateOthers,
        Self::Undo,
        Self::Retire,
        Self::KeyList,
        Self::KeyCreate,
        Self::KeyActivate,
        Self::KeyDeactivate,
        Self::KeyDelete,
        Self::KeyLastUsed,
        Self::PolicyCheck,
        Self::Audit,
        Self::Contain,
        Self::ScanSnapshot,
        Self::ScanUserData,
    ];

    /// The command as it is typed behind `akia`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::SetupCreate => "setup --create",
            Self::Status => "status",
            Self::Rotate => "rotate",
            Self::RotateOthers => "rotate --user",
            Self::Undo => "undo",
            Self::Retire => "retire",
            Self::KeyList => "key list",
            Self::KeyCreate => "key create",
            Self::KeyActivate => "key activate",
            Self::KeyDeactivate => "key deactivate",
            Self::KeyDelete => "key delete",
            Self::KeyLastUsed => "key last-used",
            Self::PolicyCheck => "policy check",
            Self::Audit => "audit",
            Self::Contain => "contain",
            Self::ScanSnapshot => "scan --snapshot",
            Self::ScanUserData => "scan --user-data",
        }
    }
}

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// `service:Name`, as it stands in a policy.
    pub name: &'static str,
    /// What a policy may name as its resource.
    pub resource: ResourceForm,
    /// Whether the command can do without it.
    pub need: Need,
    /// What the command does with it, and what is missing without it.
    pub why: &'static str,
    /// How to find out without changing anything.
    pub probe: Probe,
}

impl Action {
    /// The resource to simulate the action on: the user's ARN, every snapshot, or `*` where the action has no resource.
    #[must_use]
    pub fn resource_for(&self, user: &UserArn) -> String {
        match self.resource {
            ResourceForm::User => user.to_string(),
            ResourceForm::Snapshot => every_snapshot(user.partition),
            ResourceForm::Any => "*".to_owned(),
        }
    }

    /// Whether the action changes access keys.
    #[must_use]
    pub fn changes_keys(&self) -> bool {
        super::job::KEY_CHANGES.contains(&self.name)
    }
}

/// What an action takes as its resource (Service Authorization Reference, column "Resource types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceForm {
    /// The ARN of a user.
    User,
    /// The ARN of a snapshot.
    Snapshot,
    /// No resource type: a statement must say `"Resource": "*"`.
    Any,
}

/// The ARN of every snapshot: those of another account bear no number of an account either.
#[must_use]
pub fn every_snapshot(partition: Partition) -> String {
    format!("arn:{partition}:ec2:*::snapshot/*")
}

/// Whether a command can do without a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// The command refuses to start without it, or ends with a part undone.
    Required,
    /// The command does less without it, and says so.
    Optional,
}

/// A call that tells allowed from denied and changes nothing, for callers who may not simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Probe {
    /// The action only reads: call it.
    Call,
    /// Call it with the id of a key that does not exist: `NoSuchEntity` means allowed, `AccessDenied` means denied.
    UnknownKey,
    /// Nothing harmless tells. (`CreateAccessKey` for a user with two keys answers `LimitExceeded`, but the quota is racy: never try it.)
    Nothing,
}

/// The rights of a command, required ones first.
#[must_use]
pub fn required_actions(command: Command) -> &'static [Action] {
    match command {
        Command::Setup => &[GET_USER_OPTIONAL],
        Command::SetupCreate => SETUP_CREATE,
        Command::Status => STATUS,
        Command::Rotate => ROTATE,
        Command::RotateOthers => ROTATE_OTHERS,
        Command::Undo => UNDO,
        Command::Retire => RETIRE,
        Command::KeyList => KEY_LIST,
        Command::KeyCreate => KEY_CREATE,
        Command::KeyActivate => KEY_ACTIVATE,
        Command::KeyDeactivate => KEY_DEACTIVATE,
        Command::KeyDelete => KEY_DELETE,
        Command::KeyLastUsed => KEY_LAST_USED,
        Command::PolicyCheck => POLICY_CHECK,
        Command::Audit => AUDIT,
        Command::Contain => CONTAIN,
        Command::ScanSnapshot => SCAN_SNAPSHOT,
        Command::ScanUserData => SCAN_USER_DATA,
    }
}

pub(super) const LIST: Action = Action {
    name: "iam:ListAccessKeys",
    resource: ResourceForm::User,
    need: Need::Required,
    why: "reads the user's keys, their state and age before and after every change",
    probe: Probe::Call,
};

pub(super) const CREATE: Action = Action {
    name: "iam:CreateAccessKey",
    resource: ResourceForm::User,
    need: Need::Required,
    why: "makes the new key",
    probe: Probe::Nothing,
};

pub(super) const UPDATE: Action = Action {
    name: "iam:UpdateAccessKey",
    resource: ResourceForm::User,
    need: Need::Required,
    why: "deactivates the displaced key, and activates it again on undo",
    probe: Probe::UnknownKey,
};

pub(super) const DELETE: Action = Action {
    name: "iam:DeleteAccessKey",
    resource: ResourceForm::User,
    need: Need::Required,
    why: "deletes a key that has outlived its grace period, or a new key that came to nothing",
    probe: Probe::UnknownKey,
};

pub(super) const LAST_USED_OPTIONAL: Action = Action {
    name: "iam:GetAccessKeyLastUsed",
    resource: ResourceForm::User,
    need: Need::Optional,
    why: "tells whether the displaced key is still in use; without it the last use is unknown, and unknown retires nothing unasked",
    probe: Probe::Call,
};

const GET_USER_OPTIONAL: Action = Action {
    name: "iam:GetUser",
    resource: ResourceForm::User,
    need: Need::Optional,
    why: "reads the user's path, tags and creation date; the ARN and the unique id come from STS anyway",
    probe: Probe::Call,
};

pub(super) const GET_USER_REQUIRED: Action = Action {
    need: Need::Required,
    why: "fixes the other user's unique id, so that a user who was deleted and made anew is not taken for the same one",
    ..GET_USER_OPTIONAL
};

pub(super) const LOOKUP_EVENTS: Action = Action {
    name: "cloudtrail:LookupEvents",
    resource: ResourceForm::Any,
    need: Need::Optional,
    why: "tells who made a key after a lost answer, and who still uses the displaced one; without it a person has to say",
    probe: Probe::Call,
};

pub(super) const SIMULATE: Action = Action {
    name: "iam:SimulatePrincipalPolicy",
    resource: ResourceForm::User,
    need: Need::Optional,
    why: "asks IAM for the verdict on each action; without it harmless calls are tried, and some rights stay unknown",
    probe: Probe::Call,
};

/// `SimulatePrincipalPolicy` in preflight: the same right, for another reason.
const SIMULATE_PREFLIGHT: Action =
    Action { why: "checks every other right before a key is made, instead of failing halfway", ..SIMULATE };

const GENERATE_REPORT: Action = Action {
    name: "iam:GenerateCredentialReport",
    resource: ResourceForm::Any,
    need: Need::Optional,
    why: "has AWS make a new credential report; without it only one that somebody else asked for can be read",
    probe: Probe::Call,
};

const AUDIT: &[Action] = &[
    Action {
        name: "iam:GetCredentialReport",
        need: Need::Required,
        why: "reads every user with the age and last use of its keys in one call",
        ..GENERATE_REPORT
    },
    Action {
        need: Need::Optional,
        why: "reads the ids and true ages of keys; without it keys have no ids, and one that was activated again passes for new",
        ..LIST
    },
    GENERATE_REPORT,
    Action {
        name: "iam:GetAccountAuthorizationDetails",
        why: "reads tags, groups and policies of all users in one pass; without it eight rules cannot tell",
        ..GENERATE_REPORT
    },
    Action {
        why: "reads the last use of keys that the report does not tell apart; without it their last use is unknown",
        ..LAST_USED_OPTIONAL
    },
    Action {
        // On every resource: asked for all users at once, no single user is the resource.
        name: "iam:ListServiceSpecificCredentials",
        why: "reads credentials for CodeCommit, Keyspaces and Bedrock; without it the rule about them cannot tell",
        ..GENERATE_REPORT
    },
    Action {
        name: "iam:ListAccountAliases",
        why: "reads the account's alias; without it the account is shown by its number",
        ..GENERATE_REPORT
    },
];

const SETUP_CREATE: &[Action] = &[LIST, CREATE, GET_USER_OPTIONAL];
const STATUS: &[Action] = &[
    Action {
        need: Need::Optional,
        why: "reads age and state of the user's keys; without it only the account is known",
        ..LIST
    },
    Action {
        why: "reads when each key was last used; without it the last use is shown as unknown",
        ..LAST_USED_OPTIONAL
    },
    GET_USER_OPTIONAL,
];
const ROTATE: &[Action] =
    &[LIST, CREATE, UPDATE, DELETE, LAST_USED_OPTIONAL, GET_USER_OPTIONAL, SIMULATE_PREFLIGHT, LOOKUP_EVENTS];
const ROTATE_OTHERS: &[Action] =
    &[LIST, CREATE, UPDATE, DELETE, GET_USER_REQUIRED, LAST_USED_OPTIONAL, SIMULATE_PREFLIGHT, LOOKUP_EVENTS];
const UNDO: &[Action] = &[
    LIST,
    UPDATE,
    Action {
        need: Need::Optional,
        why: "deletes a new key that no place holds yet; without it the key stays, and is named",
        ..DELETE
    },
];
const RETIRE: &[Action] = &[LIST, UPDATE, DELETE, LAST_USED_OPTIONAL, LOOKUP_EVENTS];
const KEY_LIST: &[Action] = &[
    LIST,
    Action {
        why: "reads when each key was last used; without it the last use is shown as unknown",
        ..LAST_USED_OPTIONAL
    },
];
const KEY_CREATE: &[Action] = &[LIST, CREATE];
const KEY_ACTIVATE: &[Action] = &[LIST, Action { why: "activates the key", ..UPDATE }];
const KEY_DEACTIVATE: &[Action] = &[
    LIST,
    Action { why: "deactivates the key", ..UPDATE },
    Action { why: "warns when the key was used lately", ..LAST_USED_OPTIONAL },
];
const KEY_DELETE: &[Action] = &[
    LIST,
    Action { why: "deletes the key", ..DELETE },
    Action { why: "warns when the key was used lately", ..LAST_USED_OPTIONAL },
];
const KEY_LAST_USED: &[Action] = &[Action {
    need: Need::Required,
    why: "reads when, where and for what the key was last used",
    ..LAST_USED_OPTIONAL
}];
const POLICY_CHECK: &[Action] = &[SIMULATE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_names_each_right_once_and_required_ones_first() {
        for command in Command::ALL {
            let actions = required_actions(command);
            assert!(!actions.is_empty(), "{}", command.as_str());
            assert!(actions.is_sorted_by_key(|action| action.need), "{}", command.as_str());
            let mut names: Vec<_> = actions.iter().map(|action| action.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), actions.len(), "{}", command.as_str());
            for action in actions.iter().filter(|action| action.changes_keys()) {
                assert_ne!(action.probe, Probe::Call, "{} would change something", action.name);
            }
        }
    }

    #[test]
    fn a_right_is_simulated_on_the_resource_that_it_supports() {
        let user: UserArn = "arn:aws-cn:iam::123456789012:user/team/alice".parse().unwrap();
        assert_eq!(LIST.resource_for(&user), "arn:aws-cn:iam::123456789012:user/team/alice");
        assert_eq!(LOOKUP_EVENTS.resource_for(&user), "*");
    }
}
