//! What a key did that matters once it has leaked: what it changed, whom it gave rights, which secrets it read, which roles it opened.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::actions::AccessLevel;
use super::fact::Fact;
use super::meaning::{Meaning, meaning};

/// Calls that give secrets or credentials to whoever makes them.
const SECRETS: [(&str, &[&str]); 7] = [
    ("secretsmanager", &["GetSecretValue", "BatchGetSecretValue"]),
    ("ssm", &["GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"]),
    ("kms", &["Decrypt", "GenerateDataKey", "ReEncrypt"]),
    ("iam", &["CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile", "CreateServiceSpecificCredential"]),
    ("ec2", &["GetPasswordData"]),
    ("ecr", &["GetAuthorizationToken"]),
    ("lambda", &["GetFunction", "GetFunctionConfiguration"]),
];
/// Calls that open a session, in which more may have been done: those calls are under keys of their own.
const SESSIONS: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "GetSessionToken",
    "GetFederationToken",
    "AssumeRoot",
];

/// What a key did, by what it means. Refused calls are in `refused` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Blast {
    /// The first call.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// Sessions that it opened.
    pub sessions: Vec<Did>,
    /// Who may do what: policies, users, keys, trust.
    pub permissions: Vec<Did>,
    /// Secrets, credentials and plain texts that it got.
    pub secrets: Vec<Did>,
    /// What it made, changed or deleted.
    pub changes: Vec<Did>,
    /// What it read and listed: calls, by service.
    pub reads: BTreeMap<String, u64>,
    /// Calls of which it is not known what they do.
    pub unknown: Vec<Did>,
    /// What AWS refused.
    pub refused: Vec<Did>,
}

/// Calls of one name upon the same things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Did {
    /// As in `iam:CreateUser`.
    pub call: String,
    /// What it was done to; none where the logs do not tell.
    pub resources: Vec<String>,
    /// How often.
    pub calls: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// From where.
    pub ips: Vec<String>,
}

impl Blast {
    /// Of the facts of a key.
    #[must_use]
    pub fn of(facts: &[Fact]) -> Self {
        let mut blast = Self::default();
        for fact in facts {
            blast.first = blast.first.into_iter().chain([fact.first]).min();
            blast.last = blast.last.into_iter().chain([fact.last]).max();
            let list = if !fact.error.is_empty() {
                &mut blast.refused
            } else if fact.service == "sts" && SESSIONS.contains(&fact.name.as_str()) {
                &mut blast.sessions
            } else if SECRETS
                .iter()
                .any(|(service, names)| fact.service == *service && names.contains(&fact.name.as_str()))
            {
                &mut blast.secrets
            } else {
                match level(fact) {
                    Some(AccessLevel::Permissions) => &mut blast.permissions,
                    Some(AccessLevel::Write | AccessLevel::Tagging) => &mut blast.changes,
                    Some(AccessLevel::Read | AccessLevel::List) => {
                        *blast.reads.entry(fact.service.clone()).or_default() += fact.calls;
                        continue;
                    }
                    None => &mut blast.unknown,
                }
            };
            add(list, fact);
        }
        for list in [
            &mut blast.sessions,
            &mut blast.permissions,
            &mut blast.secrets,
            &mut blast.changes,
            &mut blast.unknown,
            &mut blast.refused,
        ] {
            list.sort_by(|one, other| (one.first, &one.call).cmp(&(other.first, &other.call)));
        }
        blast
    }

    /// What it did beside reading, each kind with its name, the gravest first.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &[Did]); 6] {
        [
            ("session", &self.sessions),
            ("permissions", &self.permissions),
            ("secret", &self.secrets),
            ("change", &self.changes),
            ("unknown", &self.unknown),
            ("refused", &self.refused),
        ]
    }

    /// Whether anything may outlive the key.
    #[must_use]
    pub fn left_something(&self) -> bool {
        ![&self.sessions, &self.permissions, &self.secrets, &self.changes].iter().all(|list| list.is_empty())
    }
}

/// The gravest of what a call does. A call that AWS asks no permission for changes nothing.
fn level(fact: &Fact) -> Option<AccessLevel> {
    match meaning(&fact.service, &fact.name) {
        Meaning::Needs(actions) | Meaning::NeedsSome(actions, _) => {
            actions.iter().map(|action| action.level).max_by_key(|level| gravity(*level))
        }
        Meaning::Free(_) => Some(AccessLevel::List),
        Meaning::Unknown => None,
    }
}

fn gravity(level: AccessLevel) -> u8 {
    match level {
        AccessLevel::List => 0,
        AccessLevel::Read => 1,
        AccessLevel::Tagging => 2,
        AccessLevel::Write => 3,
        AccessLevel::Permissions => 4,
    }
}

fn add(list: &mut Vec<Did>, fact: &Fact) {
    let call = format!("{}:{}", fact.service, fact.name);
    let resources: Vec<String> = fact.resources.arns().map(str::to_owned).collect();
    match list.iter_mut().find(|did| did.call == call && did.resources == resources) {
        Some(did) => {
            did.calls += fact.calls;
            did.first = did.first.min(fact.first);
            did.last = did.last.max(fact.last);
            if !did.ips.contains(&fact.ip) {
                did.ips.push(fact.ip.clone());
            }
        }
        None => list.push(Did {
            call,
            resources,
            calls: fact.calls,
            first: fact.first,
            last: fact.last,
            ips: vec![fact.ip.clone()],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::called;
    use super::*;

    #[test]
    fn calls_stand_where_they_matter() {
        let role = "arn:aws:iam::123456789012:role/admin";
        let mut refused = called("iam", "DeleteUser", "");
        refused.error = "AccessDenied".to_owned();
        let facts = [
            called("sts", "AssumeRole", role),
            called("sts", "AssumeRole", role),
            called("sts", "GetCallerIdentity", ""),
            called("iam", "AttachUserPolicy", "arn:aws:iam::123456789012:user/eve"),
            called("iam", "CreateAccessKey", "arn:aws:iam::123456789012:user/eve"),
            called("secretsmanager", "GetSecretValue", ""),
            called("ec2", "RunInstances", ""),
            called("s3", "ListBuckets", ""),
            called("strange", "Whatever", ""),
            refused,
        ];
        let blast = Blast::of(&facts);
        let calls = |list: &[Did]| list.iter().map(|did| format!("{} {}", did.call, did.calls)).collect::<Vec<_>>();
        assert_eq!(calls(&blast.sessions), ["sts:AssumeRole 6"]);
        assert_eq!(blast.sessions[0].resources, [role]);
        assert_eq!(calls(&blast.permissions), ["iam:AttachUserPolicy 3"]);
        assert_eq!(calls(&blast.secrets), ["iam:CreateAccessKey 3", "secretsmanager:GetSecretValue 3"]);
        assert_eq!(calls(&blast.changes), ["ec2:RunInstances 3"]);
        assert_eq!(blast.reads.get("s3"), Some(&3));
        assert_eq!(calls(&blast.unknown), ["strange:Whatever 3"]);
        assert_eq!(calls(&blast.refused), ["iam:DeleteUser 3"]);
        assert!(blast.left_something());
        assert!(!Blast::of(&[called("s3", "ListBuckets", "")]).left_something());
    }
}
