//! Events of EventBridge about access keys: what they say, read strictly.
//!
//! Two kinds arrive: calls of IAM that CloudTrail has seen (`aws.iam`, "AWS API Call via CloudTrail"; only in the home region of
//! IAM), and findings of AWS Health about keys that others may know (`aws.health`, service `RISK`).
//!
//! Invariant: an event is a hint. Whoever can write to the queue can write one, so nothing here becomes a fact of the inventory,
//! and no key is touched for it, before AWS was asked.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>,
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>,
//! <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>.

mod parse;
mod template;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccessKeyId, AccountId, UserName};
use crate::key::KeyStatus;

pub use parse::{Unreadable, parse};
pub use template::{Forwarding, TemplateForm, template};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id, which a second delivery has, too.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// In which account.
    pub account: AccountId,
    /// What it says.
    pub what: What,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A key was made.
    KeyCreated {
        /// Its user.
        user: UserName,
        /// The key.
        key: AccessKeyId,
    },
    /// A key was activated or deactivated.
    KeyUpdated {
        /// Its user.
        user: UserName,
        /// The key.
        key: AccessKeyId,
        /// What it is now.
        status: KeyStatus,
    },
    /// A key was deleted.
    KeyDeleted {
        /// Its user.
        user: UserName,
        /// The key.
        key: AccessKeyId,
    },
    /// A user got another name or path.
    UserRenamed {
        /// The name before.
        from: UserName,
        /// The name now.
        to: UserName,
    },
    /// A user was deleted.
    UserDeleted {
        /// Its name.
        user: UserName,
    },
    /// AWS has found keys where others can read them, or thinks so.
    Exposed {
        /// What kind of finding, in AWS's words.
        code: String,
        /// The finding; AWS tells of one several times.
        finding: String,
        /// The keys.
        keys: Vec<AccessKeyId>,
        /// Whose they are, where AWS says so.
        user: Option<UserName>,
    },
    /// Nothing that concerns a key.
    Nothing {
        /// Why not.
        why: String,
    },
}

impl What {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::KeyCreated { .. } => "key-created",
            Self::KeyUpdated { status: KeyStatus::Active, .. } => "key-activated",
            Self::KeyUpdated { status: KeyStatus::Inactive, .. } => "key-deactivated",
            Self::KeyDeleted { .. } => "key-deleted",
            Self::UserRenamed { .. } => "user-renamed",
            Self::UserDeleted { .. } => "user-deleted",
            Self::Exposed { .. } => "key-exposed",
            Self::Nothing { .. } => "nothing",
        }
    }

    /// The users that must be looked at.
    #[must_use]
    pub fn users(&self) -> Vec<&UserName> {
        match self {
            Self::KeyCreated { user, .. }
            | Self::KeyUpdated { user, .. }
            | Self::KeyDeleted { user, .. }
            | Self::UserDeleted { user } => vec![user],
            // The new name first: a look at it tells that the old one is the same user.
            Self::UserRenamed { from, to } if from == to => vec![to],
            Self::UserRenamed { from, to } => vec![to, from],
            Self::Exposed { user, .. } => user.iter().collect(),
            Self::Nothing { .. } => Vec::new(),
        }
    }

    /// The keys that it names.
    #[must_use]
    pub fn keys(&self) -> Vec<&AccessKeyId> {
        match self {
            Self::KeyCreated { key, .. } | Self::KeyUpdated { key, .. } | Self::KeyDeleted { key, .. } => vec![key],
            Self::Exposed { keys, .. } => keys.iter().collect(),
            Self::UserRenamed { .. } | Self::UserDeleted { .. } | Self::Nothing { .. } => Vec::new(),
        }
    }
}
