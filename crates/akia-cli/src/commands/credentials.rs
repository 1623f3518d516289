//! `akia credentials`: the `credential_process` of profiles whose secret is in the keychain.

use clap::Args;

/// Print the key of a profile from the keychain, for the AWS tools
///
/// `akia setup --store keychain` writes this command into the profile as its `credential_process`; the AWS CLI and the
/// SDKs call it. The output is the JSON of AWS's documentation and holds the secret: it is refused on a terminal.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("credential_process = akia credentials --profile work", "a line of the AWS config file"),
]))]
pub struct CredentialsArgs {}
