//! The rotation function of Secrets Manager: the four steps of its contract, and a fifth that retires displaced keys.
//!
//! Invariant: there is no state but the versions of the secret and IAM; each step may be called again at any moment, after a crash at any
//! moment, and then does what is left to do. No key is created before an intent to create it stands in the secret, none while it is
//! open what became of an earlier intent.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>.

mod error;
mod event;
mod lost;
mod runtime;
mod steps;

use std::sync::Arc;

use akia_core::place::{KeyNames, SecretValue};
use jiff::SignedDuration;

use crate::aws::{Aws, Credentials};
use crate::clock::Clock;

pub use error::StepError;
pub use event::{RotationEvent, Step};
pub use runtime::{RuntimeApi, RuntimeError};

/// Carries steps out.
pub struct Rotator {
    /// The way to AWS.
    pub aws: Aws,
    /// Whoever the function runs as: its role.
    pub credentials: Credentials,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where in the secret the key stands.
    pub names: KeyNames,
    /// Where in the secret the name of the user stands, if it does.
    pub user_name: String,
    /// How long nobody may have used a displaced key before it is deactivated.
    pub quiet_for: SignedDuration,
}

impl Rotator {
    fn value(&self) -> SecretValue {
        SecretValue::Json(self.names.clone())
    }
}
