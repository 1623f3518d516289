//! What AWS tells about an access key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccessKeyId;

/// Whether AWS lets a key in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyStatus {
    /// The key can sign requests.
    Active,
    /// The key is refused, and can be activated again.
    Inactive,
}

impl KeyStatus {
    /// AWS's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// One row of `ListAccessKeys`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Active or inactive.
    pub status: KeyStatus,
    /// `CreateDate`: the age of a key counts from here.
    pub created_at: Timestamp,
}

/// What `GetAccessKeyLastUsed` says. AWS tracks use since 2015-04-22 and may lag by minutes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LastUsed {
    /// AWS has no record of a use.
    Never,
    /// The latest use that AWS has recorded.
    At {
        /// When, to the minute.
        at: Timestamp,
        /// The service's namespace, for example `s3`.
        service: String,
        /// The region, for example `eu-west-1`, or `aws-global`.
        region: String,
    },
    /// It could not be read. Unknown is never taken for unused.
    Unknown {
        /// Why it could not be read.
        reason: String,
    },
}
