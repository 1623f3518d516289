//! What is kept of CloudTrail's logs: equal calls of one hour, counted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Equal calls of one hour: one row of the facts.
///
/// Kept are the calls of users and of the root user, whether a long-term key signed them or a session that the user opened
/// (`GetSessionToken`, `GetFederationToken`, the console). The sessions of roles are not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// The key that signed, as CloudTrail writes it: `AKIA…`, `ASIA…`, or nothing for a console session.
    pub key: String,
    /// The account of the user.
    pub account: String,
    /// The ARN of the user.
    pub user: String,
    /// Start of the hour, UTC.
    pub hour: Timestamp,
    /// The service, as in `iam` of `iam.amazonaws.com`.
    pub service: String,
    /// The call, as in `CreateUser`.
    pub name: String,
    /// The region that was called.
    pub region: String,
    /// Where it came from: an address, or the name of the AWS service that called for the user.
    pub ip: String,
    /// The user agent.
    pub agent: String,
    /// AWS's error code where the call was refused; empty where it was not.
    pub error: String,
    /// What was called upon.
    pub resources: Resources,
    /// How many calls.
    pub calls: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// The ARNs that a call was about, sorted, with a space between. Parts that differ with every call are `*`: the key of an S3 object,
/// the name of a log stream, the id of a run instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(pub String);

impl Resources {
    /// Each ARN.
    pub fn arns(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|arn| !arn.is_empty())
    }
}
