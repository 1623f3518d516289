//! Findings: one rule broken by one key or user, as it is shown, compared and handed on.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::ids::{AccessKeyId, AccountId, UserArn};
use crate::rule::{self, Remedy};

/// How much a broken rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Should be tidied up.
    Low,
    /// Should be mended soon.
    Medium,
    /// A way in that is likely to be used.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// All, the gravest first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A word that is no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a severity (critical, high, medium, low, info)")]
pub struct UnknownSeverity(String);

impl FromStr for Severity {
    type Err = UnknownSeverity;
    fn from_str(text: &str) -> Result<Self, UnknownSeverity> {
        let found = Self::ALL.into_iter().find(|severity| severity.as_str() == text);
        found.ok_or_else(|| UnknownSeverity(text.chars().take(40).collect()))
    }
}

/// Whose the broken rule is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Subject {
    /// The root user of the account.
    Root,
    /// An IAM user.
    User {
        /// Its ARN. All findings of a user share it: an organisation has a hundred thousand.
        #[serde(with = "shared")]
        arn: Arc<UserArn>,
    },
}

/// A shared ARN is written as the ARN.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ids::UserArn;

    pub(super) fn serialize<S: Serializer>(arn: &Arc<UserArn>, serializer: S) -> Result<S::Ok, S::Error> {
        arn.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<UserArn>, D::Error> {
        UserArn::deserialize(deserializer).map(Arc::new)
    }
}

impl Subject {
    /// The name that a person knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::User { arn } => arn.name.as_str(),
        }
    }
}

/// Who answers for a key, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// A name or an address, as somebody has written it down.
    pub name: String,
    /// Where it stands.
    pub source: OwnerSource,
}

/// Where an owner is written down, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerSource {
    /// The description that the console keeps of a key: a tag of the user named by the key's id.
    KeyTag,
    /// A tag of the user.
    UserTag,
    /// A tag of the account.
    AccountTag,
    /// The account's address in the organisation.
    AccountContact,
    /// `akia.toml`, for a service.
    Settings,
}

/// One rule broken by one key or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// How much it matters here.
    pub severity: Severity,
    /// The account.
    pub account: AccountId,
    /// Its name, where one is known.
    pub account_name: Option<String>,
    /// Whose it is.
    pub subject: Subject,
    /// The key, where the rule is about one and its id is known.
    pub key: Option<AccessKeyId>,
    /// When the key was made, which tells it apart where its id is not known.
    pub key_created_at: Option<Timestamp>,
    /// The evidence, in words.
    pub detail: String,
    /// Who answers for it.
    pub owner: Option<Owner>,
}

impl Finding {
    /// The order of an audit: the gravest first, then by account, user, key and rule.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let by = |finding: &Self| Reverse(finding.severity);
        by(self)
            .cmp(&by(other))
            .then_with(|| self.account.cmp(&other.account))
            .then_with(|| self.subject.cmp(&other.subject))
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| self.rule.cmp(&other.rule))
            .then_with(|| self.key_created_at.cmp(&other.key_created_at))
    }

    /// What makes it the same finding in another audit: rule, account, user, and key. Not its age or wording. 16
    /// hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let key = match (&self.key, self.key_created_at) {
            (Some(key), _) => key.to_string(),
            (None, Some(created)) => created.as_second().to_string(),
            (None, None) => String::new(),
        };
        let text = [&self.rule, self.account.as_str(), self.subject.name(), &key].join("\n");
        digest::short(&text)
    }

    /// The command that mends it, word by word, where one does.
    #[must_use]
    pub fn command(&self) -> Option<Vec<&str>> {
        let Subject::User { arn } = &self.subject else { return None };
        let user = ["--user", arn.name.as_str()];
        let words: &[&str] = match (&rule::find(&self.rule)?.remedy, &self.key) {
            (Remedy::Rotate, _) => &["akia", "rotate"],
            (Remedy::Deactivate, Some(key)) => &["akia", "key", "deactivate", key.as_str()],
            (Remedy::Delete, Some(key)) => &["akia", "key", "delete", key.as_str()],
            (Remedy::Deactivate | Remedy::Delete, None) => &["akia", "key", "list"],
            (Remedy::ByHand, _) => return None,
        };
        Some([words, &user].concat())
    }

    /// The key that it is about.
    #[must_use]
    pub fn key_identity(&self) -> KeyIdentity<'_> {
        let user = match &self.subject {
            Subject::Root => None,
            Subject::User { arn } => Some(arn.name.as_str()),
        };
        key_identity(&self.account, user, self.key.as_ref(), self.key_created_at)
    }
}

/// What makes two mentions of a key the same: account, user (`None`: root), and its id, or where that is not known, when it
/// was made.
pub type KeyIdentity<'a> = (&'a AccountId, Option<&'a str>, Option<&'a AccessKeyId>, Option<Timestamp>);

/// The identity of a key with these facts.
#[must_use]
pub fn key_identity<'a>(
    account: &'a AccountId,
    user: Option<&'a str>,
    key: Option<&'a AccessKeyId>,
    created: Option<Timestamp>,
) -> KeyIdentity<'a> {
    (account, user, key, created.filter(|_| key.is_none()))
}
