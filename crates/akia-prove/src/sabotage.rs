//! Breakages on purpose. A judge that never finds anything proves nothing: a test runs each of these and expects a verdict.

use clap::ValueEnum;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// A create request whose answer is lost is sent again, as the SDK's default does.
    RetryCreate,
    /// The old key is deactivated before the new one is anywhere.
    DeactivateEarly,
    /// A file gets the new id and keeps the old secret.
    HalfPair,
    /// Staged secrets are not wiped.
    KeepSecrets,
    /// AWS's answer with the new key is not written down.
    ForgetAnswer,
}
