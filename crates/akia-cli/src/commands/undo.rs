//! `akia undo`: take a rotation back.

use akia_core::RotationId;
use clap::Args;

use super::Consent;

/// Take a rotation back: the old key works again, everywhere
///
/// Activates the old key, puts it back into every place that held it, reads it back, and deactivates the new key.
/// Possible until the old key is deleted.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia undo", "the latest rotation"),
    ("akia undo -p work", "the latest rotation of profile `work`"),
    ("akia undo r-0123456789abcdef", "this rotation"),
]))]
pub struct UndoArgs {
    /// Rotation to take back [default: the latest]
    #[arg(value_name = "ROTATION-ID", conflicts_with = "profiles")]
    pub rotation: Option<RotationId>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}
