//! The policies that `akia policy` prints.
//!
//! `create-own-keys` and `manage-own-keys` are the two policies of AWS's page "Permissions required to manage access keys" (IAM User
//! Guide, access-keys_required-permissions), with one difference, which [`JobPolicy::notes`] states: `iam:TagUser` is narrowed.
//! The others follow from [`required_actions`], so that a policy and the command that needs it cannot drift apart.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::action::{Command, ResourceForm, required_actions};
use super::document::{Condition, Effect, OneOrMany, PolicyDocument, Statement};
use crate::ids::Partition;

/// The actions that change access keys: the ones that a rule about MFA is about.
pub(super) const KEY_CHANGES: [&str; 3] = ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"];

/// A job that a policy can be printed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobPolicy {
    /// AWS's "create access keys for your own IAM user".
    CreateOwnKeys,
    /// AWS's "update access keys for your own IAM user": create, delete, list, activate, deactivate, last used.
    ManageOwnKeys,
    /// Everything that `akia rotate` uses on the caller's own keys, and nothing else.
    RotateOwnKeys,
    /// Everything that `akia rotate --user` uses, on any user of the account: for administrators.
    RotateOthersKeys,
    /// What `akia status` reads.
    Status,
    /// What `akia undo` uses.
    Undo,
    /// What `akia retire` uses.
    Retire,
    /// What `akia audit` reads of the whole account.
    Audit,
}

/// How a policy is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyOptions {
    /// The partition of the ARNs.
    pub partition: Partition,
    /// Deny every change of a key without MFA.
    pub require_mfa: bool,
    /// Also match users that have an IAM path.
    pub path_aware: bool,
    /// Of an audit: also hand its findings to Security Hub.
    pub security_hub: bool,
}

impl Default for PolicyOptions {
    fn default() -> Self {
        Self { partition: Partition::Aws, require_mfa: false, path_aware: false, security_hub: false }
    }
}

/// The name is none of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no policy named {name:?}; there are create-own-keys, manage-own-keys, rotate-own-keys, rotate-others-keys, status, undo, retire and audit"
)]
pub struct UnknownJob {
    /// What was given, cut to 40 characters.
    pub name: String,
}

impl FromStr for JobPolicy {
    type Err = UnknownJob;
    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL
            .into_iter()
            .find(|job| job.as_str() == name)
            .ok_or_else(|| UnknownJob { name: name.chars().take(40).collect() })
    }
}

impl JobPolicy {
    /// Every job, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::CreateOwnKeys,
        Self::ManageOwnKeys,
        Self::RotateOwnKeys,
        Self::RotateOthersKeys,
        Self::Status,
        Self::Undo,
        Self::Retire,
        Self::Audit,
    ];

    /// The name as it is typed behind `akia policy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateOwnKeys => "create-own-keys",
            Self::ManageOwnKeys => "manage-own-keys",
            Self::RotateOwnKeys => "rotate-own-keys",
            Self::RotateOthersKeys => "rotate-others-keys",
            Self::Status => "status",
            Self::Undo => "undo",
            Self::Retire => "retire",
            Self::Audit => "audit",
        }
    }

    /// The policy.
    #[must_use]
    pub fn document(self, options: &PolicyOptions) -> PolicyDocument {
        let own = own_user(options);
        let mut statements = match self {
            Self::CreateOwnKeys => vec![
                Statement::allow(
                    "CreateOwnAccessKeys",
                    ["iam:CreateAccessKey", "iam:GetUser", "iam:ListAccessKeys"],
                    own.clone(),
                ),
                describe_own_keys(own),
            ],
            Self::ManageOwnKeys => vec![
                Statement::allow(
                    "ManageOwnAccessKeys",
                    [
                        "iam:CreateAccessKey",
                        "iam:DeleteAccessKey",
                        "iam:GetAccessKeyLastUsed",
                        "iam:GetUser",
                        "iam:ListAccessKeys",
                        "iam:UpdateAccessKey",
                    ],
                    own.clone(),
                ),
                describe_own_keys(own),
            ],
            Self::RotateOwnKeys => of_command(Command::Rotate, "RotateOwnAccessKeys", own),
            Self::RotateOthersKeys => {
                let every = [format!("arn:{}:iam::*:user/*", options.partition)].into_iter().collect();
                of_command(Command::RotateOthers, "RotateAccessKeys", every)
            }
            Self::Status => of_command(Command::Status, "ReadOwnAccessKeys", own),
            Self::Undo => of_command(Command::Undo, "UndoOwnRotation", own),
            Self::Retire => of_command(Command::Retire, "RetireOwnAccessKeys", own),
            Self::Audit => {
                let every = [format!("arn:{}:iam::*:user/*", options.partition)].into_iter().collect();
                let mut statements = of_command(Command::Audit, "AuditAccessKeys", every);
                if options.security_hub {
                    // Findings of our own making are those of the account's default product; AWS takes them from that account only.
                    let product = format!("arn:{}:securityhub:*:*:product/*/default", options.partition);
                    statements.push(Statement::allow("ImportFindings", ["securityhub:BatchImportFindings"], product));
                }
                statements
            }
        };
        if options.require_mfa
            && let Some(deny) = deny_without_mfa(&statements)
        {
            statements.push(deny);
        }
        PolicyDocument::new(statements)
    }

    /// What a reader must know before attaching the policy, a sentence or two each.
    #[must_use]
    pub fn notes(self, options: &PolicyOptions) -> Vec<&'static str> {
        let mut notes = Vec::new();
        match self {
            Self::CreateOwnKeys | Self::ManageOwnKeys => notes.push(
                "iam:TagUser serves the console, which keeps the description of a key as a tag named after the key id. AWS's own example \
                 allows every tag, which lets users change tags that grant access (ABAC); here only tags that begin with AKIA are allowed.",
            ),
            Self::RotateOthersKeys => notes.push(
                "This is the power to act as any user of the account: whoever may create keys for a user holds all its rights. \
                 Give it to few, and with MFA.",
            ),
            Self::Audit if options.security_hub => {
                notes.push("It reads the whole account, and changes nothing but the findings in Security Hub.");
            }
            Self::Audit => notes.push("It reads the whole account, and changes nothing."),
            Self::RotateOwnKeys | Self::Status | Self::Undo | Self::Retire => {}
        }
        let own = !matches!(self, Self::RotateOthersKeys | Self::Audit);
        if own && !options.path_aware {
            notes.push(
                "user/${aws:username} does not match users with an IAM path, such as user/team/alice: for them use --path-aware.",
            );
        }
        if own && options.path_aware {
            notes.push(
                "user/*/${aws:username} is safe because user names are unique in an account whatever their path. \
                 Keep the slash: user/*${aws:username} would let bob act on alice-bob.",
            );
        }
        if own {
            notes.push(
                "${aws:username} exists for IAM users only: the policy grants nothing to roles and federated users.",
            );
        }
        if self.document(options).statement.iter().any(|statement| statement.effect == Effect::Deny) {
            notes.push(
                "With MFA required, a plain access key can no longer change keys: requests signed with a long-term key carry no \
                 aws:MultiFactorAuthPresent, and BoolIfExists counts that as no MFA. Set mfa_serial in the profile, or get a session with \
                 aws sts get-session-token. Unattended rotation and users without an MFA device stop working.",
            );
            notes.push("The Deny holds against every other policy of the user, and for keys of other users too.");
        }
        notes
    }
}

/// The caller's own user. Two forms, because a wildcard between two slashes does not match a path of one slash.
fn own_user(options: &PolicyOptions) -> OneOrMany {
    let partition = options.partition;
    let plain = format!("arn:{partition}:iam::*:user/${{aws:username}}");
    let with_path = format!("arn:{partition}:iam::*:user/*/${{aws:username}}");
    if options.path_aware { [plain, with_path].into_iter().collect() } else { [plain].into_iter().collect() }
}

/// Tags on oneself can grant access, so only the tags that the console uses for key descriptions are allowed. `ForAllValues` is true
/// of no tag at all, hence the `Null` guard (IAM User Guide, "Multivalued context keys").
fn describe_own_keys(own: OneOrMany) -> Statement {
    let condition: Condition = BTreeMap::from([
        ("ForAllValues:StringLike".to_owned(), BTreeMap::from([("aws:TagKeys".to_owned(), "AKIA*".into())])),
        ("Null".to_owned(), BTreeMap::from([("aws:TagKeys".to_owned(), "false".into())])),
    ]);
    Statement { condition: Some(condition), ..Statement::allow("DescribeOwnAccessKeys", ["iam:TagUser"], own) }
}

/// The rights of a command in one statement per resource form, actions sorted.
fn of_command(command: Command, sid: &str, user: OneOrMany) -> Vec<Statement> {
    let names = |form: ResourceForm| {
        let actions = required_actions(command).iter().filter(|action| action.resource == form);
        let mut names: Vec<&str> = actions.map(|action| action.name).collect();
        names.sort_unstable();
        names
    };
    let mut statements = vec![Statement::allow(sid, names(ResourceForm::User), user)];
    let without_resource = names(ResourceForm::Any);
    if !without_resource.is_empty() {
        let sid = if command == Command::Audit { "ReadAccount" } else { "ReadTrail" };
        statements.push(Statement::allow(sid, without_resource, "*"));
    }
    statements
}

/// Denies the key changes among the allowed actions when there was no MFA.
///
/// A Deny and not a condition on the Allow: any other policy of the user that allows the action would make that condition void.
/// `BoolIfExists` and not `Bool`: requests signed with a long-term key do not carry `aws:MultiFactorAuthPresent` at all, and `Bool`
/// would let exactly those through (IAM User Guide, "AWS global condition context keys"). On every resource, so that no path escapes.
fn deny_without_mfa(allowed: &[Statement]) -> Option<Statement> {
    let is_allowed = |name: &str| allowed.iter().any(|s| s.action.as_slice().iter().any(|action| action == name));
    let changes: Vec<&str> = KEY_CHANGES.into_iter().filter(|name| is_allowed(name)).collect();
    let condition = BTreeMap::from([(
        "BoolIfExists".to_owned(),
        BTreeMap::from([("aws:MultiFactorAuthPresent".to_owned(), "false".into())]),
    )]);
    (!changes.is_empty()).then(|| Statement {
        effect: Effect::Deny,
        condition: Some(condition),
        ..Statement::allow("DenyKeyChangesWithoutMFA", changes, "*")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_policies_of_the_article() {
        let options = PolicyOptions::default();
        insta::assert_snapshot!("create-own-keys", JobPolicy::CreateOwnKeys.document(&options).to_pretty_json());
        insta::assert_snapshot!("manage-own-keys", JobPolicy::ManageOwnKeys.document(&options).to_pretty_json());
    }

    #[test]
    fn with_mfa_and_paths_in_another_partition() {
        let options =
            PolicyOptions { partition: Partition::AwsUsGov, require_mfa: true, path_aware: true, security_hub: false };
        insta::assert_snapshot!(
            "manage-own-keys-mfa-paths-gov",
            JobPolicy::ManageOwnKeys.document(&options).to_pretty_json()
        );
    }

    #[test]
    fn the_policies_of_the_commands() {
        let options = PolicyOptions::default();
        let jobs = [
            JobPolicy::RotateOwnKeys,
            JobPolicy::RotateOthersKeys,
            JobPolicy::Status,
            JobPolicy::Undo,
            JobPolicy::Retire,
            JobPolicy::Audit,
        ];
        let all: Vec<String> =
            jobs.iter().map(|job| format!("{}\n{}", job.as_str(), job.document(&options).to_pretty_json())).collect();
        insta::assert_snapshot!("commands", all.join("\n"));
    }

    #[test]
    fn what_a_reader_must_know() {
        let plain = PolicyOptions::default();
        let strict = PolicyOptions { require_mfa: true, path_aware: true, ..plain };
        let mut text = String::new();
        for job in JobPolicy::ALL {
            for (title, options) in [("plain", &plain), ("mfa, paths", &strict)] {
                text += &format!("{} ({title})\n  {}\n", job.as_str(), job.notes(options).join("\n  "));
            }
        }
        insta::assert_snapshot!("notes", text);
    }

    #[test]
    fn status_changes_nothing_and_so_has_no_deny() {
        let options = PolicyOptions { require_mfa: true, ..PolicyOptions::default() };
        let document = JobPolicy::Status.document(&options);
        assert!(document.statement.iter().all(|statement| statement.effect == Effect::Allow));
    }

    #[test]
    fn names_read_back_and_unknown_ones_are_refused() {
        for job in JobPolicy::ALL {
            assert_eq!(job.as_str().parse(), Ok(job));
        }
        assert_eq!(
            "everything".parse::<JobPolicy>().unwrap_err().to_string(),
            "there is no policy named \"everything\"; there are create-own-keys, manage-own-keys, rotate-own-keys, \
             rotate-others-keys, status, undo, retire and audit"
        );
    }
}
