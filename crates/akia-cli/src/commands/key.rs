//! `akia key`: single acts on the keys of any user you may act on.

use akia_core::{AccessKeyId, UserName};
use clap::{Args, Subcommand};

use super::Consent;

/// List, create, activate, deactivate or delete single keys
///
/// Acts on your own keys, or on those of --user. These are single acts without the protection of a rotation: to
/// replace a key that is in use, take `akia rotate`.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia key list", "your own keys"),
    ("akia key list --user alice", "alice's keys"),
    ("akia key last-used AKIAIOSFODNN7EXAMPLE", "when, where and for what it was used last"),
    ("akia key deactivate AKIAIOSFODNN7EXAMPLE --user alice", "shut a key, which can be taken back"),
]))]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: KeyVerb,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// List the keys of a user, with status, age and last use
    #[command(after_long_help = super::examples(&[("akia key list --user alice --output json", "alice's keys, for a script")]))]
    List(OfUser),
    /// Create a key and put it into a profile
    #[command(after_long_help = super::examples(&[("akia key create --into work", "a new key for yourself in profile `work`")]))]
    Create(CreateArgs),
    /// Make an inactive key work again
    #[command(after_long_help = super::examples(&[("akia key activate AKIAIOSFODNN7EXAMPLE", "your own key")]))]
    Activate(OneKey),
    /// Shut a key; it can be activated again
    #[command(after_long_help = super::examples(&[("akia key deactivate AKIAIOSFODNN7EXAMPLE --user alice", "alice's key")]))]
    Deactivate(OneKey),
    /// Delete an inactive key, for good
    #[command(after_long_help = super::examples(&[("akia key delete AKIAIOSFODNN7EXAMPLE", "your own key")]))]
    Delete(OneKey),
    /// Show when, where and for what keys were used last
    #[command(after_long_help = super::examples(&[("akia key last-used AKIAIOSFODNN7EXAMPLE", "one key")]))]
    LastUsed(LastUsedArgs),
}

/// Whose keys.
#[derive(Debug, Args)]
pub struct OfUser {
    /// IAM user [default: yourself]
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
}

/// A new key.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,

    /// Profile that the new key is written to; it must not hold a key yet
    #[arg(long, value_name = "PROFILE")]
    pub into: akia_core::ProfileName,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// One key to change.
#[derive(Debug, Args)]
pub struct OneKey {
    /// Key to act on
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Keys to ask about.
#[derive(Debug, Args)]
pub struct LastUsedArgs {
    /// Keys to ask about [default: all of the user]
    #[arg(value_name = "KEY-ID")]
    pub keys: Vec<AccessKeyId>,

    /// Whose keys.
    #[command(flatten)]
    pub of: OfUser,
}
