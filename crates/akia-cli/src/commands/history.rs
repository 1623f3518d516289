//! `akia history`: what the journal knows.

use akia_core::RotationId;
use clap::{Args, Subcommand};
use jiff::SignedDuration;

use crate::args::span;

/// Show what akia did: rotations, their steps, and whether the journal was tampered with
///
/// Plain `akia history` lists the rotations, the latest first. The journal holds no secret in the clear.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia history", "all rotations"),
    ("akia history list -p work --since 90d", "those of profile `work` in the last 90 days"),
    ("akia history show r-0123456789abcdef", "each step of one rotation"),
    ("akia history verify", "check the chain of hashes"),
]))]
pub struct HistoryArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: Option<HistoryVerb>,
}

/// What to show.
#[derive(Debug, Subcommand)]
pub enum HistoryVerb {
    /// List rotations, the latest first
    #[command(after_long_help = super::examples(&[("akia history list --since 90d --output json", "for a script")]))]
    List(ListArgs),
    /// Show each step of one rotation
    #[command(after_long_help = super::examples(&[("akia history show r-0123456789abcdef", "one rotation")]))]
    Show(ShowArgs),
    /// Check that no record of the journal was changed, removed or inserted
    #[command(after_long_help = super::examples(&[("akia history verify --expect 3f1b…", "against a hash that you noted earlier")]))]
    Verify(VerifyArgs),
}

/// Which rotations.
#[derive(Debug, Args, Default)]
pub struct ListArgs {
    /// Only those of the last, for example 90d
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub since: Option<SignedDuration>,
}

/// Which rotation.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Rotation to show
    #[arg(value_name = "ROTATION-ID")]
    pub rotation: RotationId,
}

/// What to check against.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Hash that the journal had at an earlier time and must still contain
    #[arg(long, value_name = "HASH")]
    pub expect: Option<String>,
}
