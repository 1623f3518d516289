//! Why a step did not end well. Secrets Manager calls a failed step again; what a person has to do stands in the message.

use akia_core::AccessKeyId;
use akia_core::secret_rotation::Blocked;

use crate::aws::AwsError;
use crate::place::KeyPair;

/// Why a step failed. None holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The event is none.
    #[error("the event makes no sense: {reason}")]
    Event {
        /// Why.
        reason: String,
    },
    /// The secret is not as a rotation needs it.
    #[error("secret {secret}: {reason}")]
    Secret {
        /// Its name or ARN.
        secret: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key is in the way.
    #[error("secret {secret}: {blocked}")]
    Blocked {
        /// Its name or ARN.
        secret: String,
        /// Why.
        blocked: Blocked,
    },
    /// An earlier request to create a key was not answered, and it cannot be told yet what it did.
    #[error("secret {secret}: {reason}")]
    Lost {
        /// Its name or ARN.
        secret: String,
        /// What is known.
        reason: String,
    },
    /// The new key does not work, or not yet.
    #[error("the new key {key} does not work: {reason}")]
    Unproven {
        /// The key.
        key: AccessKeyId,
        /// What AWS says.
        reason: String,
    },
    /// A call failed.
    #[error("{message}")]
    Aws {
        /// What AWS says, without the secret of the key in hand.
        message: String,
    },
    /// The function would be ended before it is done.
    #[error("the function has no time left: give it a timeout of five minutes or more")]
    OutOfTime,
}

impl StepError {
    /// What Lambda calls the error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Event { .. } => "Akia.BadEvent",
            Self::Secret { .. } => "Akia.SecretNotReady",
            Self::Blocked { .. } => "Akia.KeyInTheWay",
            Self::Lost { .. } => "Akia.CreateUnresolved",
            Self::Unproven { .. } => "Akia.KeyUnproven",
            Self::Aws { .. } => "Akia.CallFailed",
            Self::OutOfTime => "Akia.OutOfTime",
        }
    }

    /// A failed call with a key in hand, which whoever answers may repeat.
    pub(super) fn with(pair: &KeyPair, error: &AwsError) -> Self {
        Self::Aws { message: crate::place::written::redact(pair, &error.to_string()) }
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        Self::Aws { message: error.to_string() }
    }
}
