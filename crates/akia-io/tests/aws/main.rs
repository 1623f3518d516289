//! `akia_io::aws` against a wire that breaks in every way we can think of, and against the sandbox.
//!
//! One binary for all of it: the IAM SDK is heavy to link.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod accounts;
mod contain;
mod fake;
mod gigabyte;
mod history;
#[path = "../support/log.rs"]
mod log;
mod logs;
mod sandbox;
mod scripted;
mod snapshots;
mod wallet;
mod watchers;
mod wire;

use akia_core::secret::SecretAccessKey;
use akia_io::aws::Credentials;

/// The secret of AWS's documentation; no error may ever hold it.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The key id of AWS's documentation.
pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

pub(crate) fn secret(text: &str) -> SecretAccessKey {
    SecretAccessKey::parse(text.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn credentials() -> Credentials {
    Credentials::for_key(KEY.parse().unwrap(), secret(SECRET))
}
