//! What a rotation sets out to do, fixed before it begins.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{AccessKeyId, AccountId, Partition, ProfileName, Region, RotationId, UserArn, UserId, UserName};
use crate::place::Place;
use crate::service::ServiceName;

/// Everything that another process needs to finish or take back the rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the rotation.
    pub id: RotationId,
    /// The run that planned it, shared by all rotations that were asked for together: the id of the first of them.
    pub run: RotationId,
    /// When the plan was made.
    pub planned_at: Timestamp,
    /// Whose key it is. Every change is refused on another identity.
    pub identity: Identity,
    /// The key that is replaced.
    pub displaced: AccessKeyId,
    /// When AWS created it.
    pub displaced_created_at: Timestamp,
    /// All keys of the user when the plan was made.
    pub before: BTreeSet<AccessKeyId>,
    /// Another key of the user that a person named to be deleted, so that there is room for a new one.
    pub make_room: Option<AccessKeyId>,
    /// Where the new key has to arrive. All are required.
    pub places: Vec<Place>,
    /// Who signs the changes.
    pub signer: Signer,
    /// The endpoint override that was in force, if any.
    pub endpoint_url: Option<String>,
    /// The region that was in force.
    pub region: Region,
    /// What becomes of the displaced key.
    pub retirement: Retirement,
    /// How long the displaced key stays inactive before it is deleted.
    pub grace: SignedDuration,
    /// Whether a last use that cannot be read counts as none.
    pub without_evidence: bool,
    /// Marks the create request in the user agent, so that CloudTrail can tell it is ours.
    pub nonce: String,
    /// The service that the key is of, where `akia.toml` declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Places that held no key when the plan was made, by index.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub vacant: BTreeSet<usize>,
    /// Whether nobody could read the displaced secret, for no place gives it back. Then it cannot be put back either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub displaced_secret_unknown: bool,
    /// What must work with the new key before it is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// How long after the delivery the displaced key is watched before it is judged. Consumers that nobody listed show themselves
    /// only with time.
    #[serde(default)]
    pub watch: SignedDuration,
    /// Waits and counts.
    pub pace: Pace,
}

/// What the owner of a key has said must work with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Probe {
    /// A program with its arguments, found as a shell would, without a shell; it gets the key in `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`, and passes with exit code 0.
    Command(Vec<String>),
    /// A request to AWS that reads; it passes with an answer of 2xx.
    Get(ProbeGet),
}

/// A GET request, signed with the new key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProbeGet {
    /// Its address.
    pub get: String,
    /// The service's name in signatures, as `s3`.
    pub service: String,
    /// The region in signatures; that of the rotation.
    pub region: Option<String>,
}

/// The user whose key is rotated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// ARN when the plan was made.
    pub arn: UserArn,
    /// Immutable id: a user deleted and made anew under the same name has another.
    pub user_id: UserId,
}

impl Identity {
    /// Name of the user.
    #[must_use]
    pub fn user_name(&self) -> &UserName {
        &self.arn.name
    }

    /// Account of the user.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.arn.account
    }

    /// Partition of the account.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.arn.partition
    }
}

/// Who signs the changes of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Signer {
    /// The user itself: with the displaced key until promotion, with the new key after.
    Own {
        /// Profile that the rotation was asked for.
        profile: ProfileName,
        /// MFA device whose code opens a session, where the profile names one.
        mfa_serial: Option<String>,
    },
    /// Somebody who may act on the user (`--user`).
    Admin {
        /// Profile that signs.
        profile: ProfileName,
    },
}

/// What becomes of the displaced key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retirement {
    /// Deactivated at once, deleted after the grace period.
    Deactivate,
    /// Deactivated and deleted at once.
    Delete,
    /// Left active.
    Keep,
}

/// Waits and counts of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pace {
    /// Wait between the create answer and the first proof.
    pub settle: SignedDuration,
    /// Wait between two proofs.
    pub proof_gap: SignedDuration,
    /// Successes in a row that make a proof.
    pub proofs: u32,
    /// Failed proofs after which the new key is given up.
    pub proof_limit: u32,
    /// Wait after a lost create answer until no delayed commit is expected.
    pub quarantine: SignedDuration,
    /// Wait before an effect that failed is tried again; it doubles with each failure.
    pub retry_gap: SignedDuration,
    /// Failures of one effect after which a run stops and leaves the rest to `resume`.
    pub retry_limit: u32,
    /// A displaced key that was used after promotion counts as quiet once it was not used for this long.
    pub quiet: SignedDuration,
}

impl Default for Pace {
    /// Chosen from the measured lags of IAM (design, AWS facts): 75 % of new keys fail at once, 13 % after 1 s,
    /// 2 % after 3 s, none after 10 s, and a success may be followed by failures for some seconds. So what counts is that
    /// the row of successes is longer than those seconds, 4.2 s; a first proof that comes too early costs one call.
    fn default() -> Self {
        Self {
            settle: SignedDuration::from_millis(100),
            proof_gap: SignedDuration::from_millis(1_050),
            proofs: 5,
            proof_limit: 90,
            quarantine: SignedDuration::from_secs(60),
            retry_gap: SignedDuration::from_millis(500),
            retry_limit: 4,
            quiet: SignedDuration::from_hours(24),
        }
    }
}
