//! `akia resume`: finish interrupted rotations.

use akia_core::{AccessKeyId, RotationId};
use clap::Args;

use super::Consent;

/// Finish rotations that were interrupted
///
/// Continues where the journal says that the rotation stopped. Without an id, every unfinished rotation is finished.
/// Where AWS may or may not have created a key, akia finds out; if it cannot tell whose key it is, it asks you to
/// choose with --delete-orphan or --keep-orphan.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia resume", "finish everything that is unfinished"),
    ("akia resume r-0123456789abcdef", "finish this rotation"),
    ("akia resume r-0123456789abcdef --delete-orphan AKIAIOSFODNN7EXAMPLE", "this key came of the lost answer: delete it"),
]))]
pub struct ResumeArgs {
    /// Rotation to finish [default: all that are unfinished]
    #[arg(value_name = "ROTATION-ID")]
    pub rotation: Option<RotationId>,

    /// Consent to delete this key, which the interrupted rotation may have created
    #[arg(long, value_name = "KEY-ID", conflicts_with = "keep_orphan")]
    pub delete_orphan: Option<AccessKeyId>,

    /// This key is somebody else's: leave it and go on
    #[arg(long, value_name = "KEY-ID")]
    pub keep_orphan: Option<AccessKeyId>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}
