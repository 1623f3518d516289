//! `akia rotate`: new keys for profiles.

use akia_core::{AccessKeyId, UserName};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use super::Consent;
use crate::args::span;

/// Give profiles a new key: create, prove, store everywhere, retire the old one
///
/// The new key is stored durably before anything else happens, proven until AWS knows it for good, written to every
/// profile that held the old one, read back, and only then the old key is deactivated. It is deleted after the grace
/// period, by `akia retire` or the next run; until then `akia undo` brings it back. Profiles that share a key are
/// rotated together, profiles of different users at the same time.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia rotate", "the default profile, or AWS_PROFILE"),
    ("akia rotate -p work -p private", "two profiles"),
    ("akia rotate --all-profiles --older-than 90d --yes", "every key older than 90 days, unasked"),
    ("akia rotate --all-profiles --dry-run", "only the plan"),
    ("akia rotate -p work --retire delete", "delete the old key at once, without a way back"),
    ("akia rotate -p work --mfa-code 123456", "with the code of your MFA device"),
]))]
pub struct RotateArgs {
    /// Rotate every profile that holds a key
    #[arg(short, long, conflicts_with_all = ["profiles", "user"])]
    pub all_profiles: bool,

    /// Rotate only keys older than this, for example 90d, 12w
    #[arg(long, value_name = "AGE", value_parser = span::parse)]
    pub older_than: Option<SignedDuration>,

    /// Rotate the key of this IAM user, signed by the profile
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,

    /// How long the deactivated old key is kept for an undo
    #[arg(long, value_name = "TIME", value_parser = span::parse, default_value = "7d")]
    pub grace: SignedDuration,

    /// What becomes of the old key
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Retire::Deactivate)]
    pub retire: Retire,

    /// Consent to delete this other key of the user, to make room for the new one
    ///
    /// AWS allows two keys a user. akia never picks one to delete by itself.
    #[arg(long, value_name = "KEY-ID")]
    pub delete_key: Option<AccessKeyId>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// What becomes of the displaced key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Retire {
    /// Deactivated now, deleted after the grace period.
    Deactivate,
    /// Deactivated and deleted now.
    Delete,
    /// Left active.
    Keep,
}
