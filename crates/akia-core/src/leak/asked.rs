//! What AWS says of a leaked key, where somebody asked it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, UserName};
use crate::key::KeyStatus;

/// Whether a key works, tried with its secret and `sts:GetCallerIdentity`: a call that every key may make and that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Verified {
    /// It does.
    Works {
        /// Whose it is.
        arn: String,
    },
    /// AWS does not know it, or its secret is another one.
    Refused {
        /// In AWS's words.
        reason: String,
    },
    /// It was not tried, or AWS gave no answer.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// Whose key it is, from your own estate; its secret was not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// The user; none where the account is not yours to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// Whether it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<KeyStatus>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// What could not be told, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
