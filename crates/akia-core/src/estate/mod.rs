//! What is known of the access keys of an account, put together from AWS's answers, for rules to look at.
//!
//! Three sources, none of which tells all: the credential report (every user, but no key ids, and up to four hours old),
//! `ListAccessKeys` (ids and true creation dates, a call for each user who holds keys) and `GetAccountAuthorizationDetails`
//! (tags, groups and policies of all users in one pass).
//!
//! Invariant: what AWS did not say is [`Known::Unknown`] with the reason, and never taken for "no" or "never".

mod amend;
mod assemble;
mod grants;
pub mod report;
mod steady;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccessKeyId, AccountId, UserArn, UserId, UserName};
use crate::key::{KeyStatus, LastUsed};

pub use amend::{Amended, EventRef, KeyExposure, UserFound, UserLook, amend};
pub use assemble::{Sources, assemble};
pub use steady::{Earlier, Freshness};

/// A fact, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// AWS said so.
    Told(T),
    /// It could not be read.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl<T> Known<T> {
    /// The fact, where it is known.
    pub fn told(&self) -> Option<&T> {
        match self {
            Self::Told(fact) => Some(fact),
            Self::Unknown { .. } => None,
        }
    }

    /// Why it is not known.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Told(_) => None,
            Self::Unknown { reason } => Some(reason),
        }
    }
}

/// One account and its keys at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    /// The account.
    pub account: Account,
    /// When AWS made the credential report that this stands on.
    pub as_of: Timestamp,
    /// The root user.
    pub root: Known<Root>,
    /// Every user, by name.
    pub users: Vec<User>,
    /// What could not be read, in words; each makes the audit less than whole.
    pub gaps: BTreeSet<String>,
}

/// An account, and what the organisation says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name in the organisation, or its alias.
    pub name: Option<String>,
    /// The organisational units above it, from the root down, by name.
    pub units: Vec<String>,
    /// Its tags in the organisation.
    pub tags: BTreeMap<String, String>,
    /// Its address in the organisation: whom to ask when nobody nearer is known.
    pub contact: Option<String>,
}

impl Account {
    /// An account of which only the number is known.
    #[must_use]
    pub fn bare(id: AccountId) -> Self {
        Self { id, name: None, units: Vec::new(), tags: BTreeMap::new(), contact: None }
    }
}

/// The root user of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its access keys; there should be none. Their ids can be listed by the root user only.
    pub keys: Vec<Key>,
    /// When its password was last used.
    pub password_used_at: Option<Timestamp>,
    /// Whether it has MFA.
    pub mfa_active: bool,
}

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whose name, path and account it is.
    pub arn: UserArn,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its console password.
    pub console: Console,
    /// Whether it has MFA.
    pub mfa_active: bool,
    /// Its keys, active ones first, then by age, the oldest first.
    pub keys: Vec<Key>,
    /// Tags, groups and policies.
    pub details: Known<Details>,
    /// Service-specific credentials (CodeCommit, Keyspaces, Bedrock).
    pub service_credentials: Known<Vec<ServiceCredential>>,
}

impl User {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &UserName {
        &self.arn.name
    }

    /// Its active keys.
    pub fn active_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| key.status == KeyStatus::Active)
    }
}

/// The console password of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Console {
    /// It cannot sign in.
    Without,
    /// It can.
    With {
        /// When it last did; `None` when it never has, or not since AWS keeps records.
        used_at: Option<Timestamp>,
    },
}

/// One access key as an audit knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id; the credential report alone does not tell it.
    pub id: Option<AccessKeyId>,
    /// Active or inactive.
    pub status: KeyStatus,
    /// When it was made. From the report alone this is when it was made or last activated: no earlier than that.
    pub created_at: Known<Timestamp>,
    /// When it was last activated, where that is later than its creation.
    pub reactivated_at: Option<Timestamp>,
    /// Its last use.
    pub last_used: LastUsed,
}

/// What `GetAccountAuthorizationDetails` tells of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Details {
    /// Its user id, which no other user ever has, whatever the name.
    #[serde(default)]
    pub id: Option<UserId>,
    /// Its tags. The console keeps the description of a key as the tag named by the key's id.
    pub tags: BTreeMap<String, String>,
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// Managed policies that are attached to the user itself, by ARN.
    pub attached: BTreeSet<String>,
    /// Inline policies of the user itself, by name.
    pub inline: BTreeSet<String>,
    /// Everything that its policies, and those of its groups, say.
    pub grants: Grants,
    /// Its keys that AWS says others may know: what AWS calls it, and when. No answer of IAM has it; an event told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed: BTreeMap<AccessKeyId, String>,
}

/// What the policies of a user amount to, as far as rules ask. Conditions are not weighed: a statement with one counts for
/// nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Some statement allows every action on every resource.
    pub everything: bool,
    /// Some statement denies `iam:CreateAccessKey` on every resource, or on the user itself.
    pub denies_create_key: bool,
    /// AWS's quarantine for exposed keys is attached (`AWSCompromisedKeyQuarantine…`).
    pub quarantined: bool,
}

/// A credential for one service, beside access keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCredential {
    /// Its id (`ACCA…`).
    pub id: String,
    /// The service, for example `bedrock.amazonaws.com`.
    pub service: String,
    /// Active or inactive.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself; only Bedrock's can.
    pub expires_at: Option<Timestamp>,
}
