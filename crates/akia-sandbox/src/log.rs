//! What happened: every call that reached the sandbox, for assertions and for CloudTrail.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// A call as the sandbox saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// When it was carried out or refused, by the sandbox's clock.
    pub at: Timestamp,
    /// `iam`, `sts` or `cloudtrail`; empty where nobody could tell.
    pub service: String,
    /// The action's name, as in `CreateAccessKey`.
    pub action: String,
    /// Whether it only reads.
    pub read_only: bool,
    /// The key that it was signed with.
    pub access_key_id: Option<String>,
    /// The account that it was made in.
    pub account: Option<String>,
    /// The caller's user name, where it is a user.
    pub user_name: Option<String>,
    /// The caller's ARN.
    pub principal_arn: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `X-Amz-User-Agent` header.
    pub sdk_user_agent: Option<String>,
    /// The caller's address.
    pub source_ip: String,
    /// The region of the signature.
    pub region: String,
    /// Its parameters, without one-time codes.
    pub parameters: BTreeMap<String, String>,
    /// What it touched: CloudTrail's resource type and name.
    pub resources: Vec<(String, String)>,
    /// What became of it.
    pub outcome: Outcome,
    /// `x-amzn-RequestId`.
    pub request_id: String,
    /// CloudTrail's id of the event.
    pub event_id: String,
    /// CloudTrail's `responseElements`, without secrets.
    pub response: Option<Value>,
    pub(crate) identity: Value,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out and answered.
    Done,
    /// Refused and answered.
    Refused {
        /// HTTP status.
        status: u16,
        /// Error code.
        code: String,
    },
    /// Never carried out, and the caller was not told so.
    LostBeforeCommit,
    /// Carried out, and the caller was not told so.
    LostAfterCommit,
    /// To be carried out at this time; the caller was not told so.
    Delayed {
        /// When.
        until: Timestamp,
    },
}

impl Call {
    /// Whether it took effect.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(self.outcome, Outcome::Done | Outcome::LostAfterCommit)
    }

    /// Whether CloudTrail shows it: what was carried out, and what the policies refused, after the delivery delay.
    pub(crate) fn is_in_trail(&self, now: Timestamp, delay: Duration) -> bool {
        let recorded = match &self.outcome {
            Outcome::Done | Outcome::LostAfterCommit => true,
            Outcome::Refused { code, .. } => self.principal_arn.is_some() && code != "Throttling",
            Outcome::LostBeforeCommit | Outcome::Delayed { .. } => false,
        };
        recorded && self.at + delay <= now
    }
}
