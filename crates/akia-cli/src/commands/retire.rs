//! `akia retire`: delete what has outlived its grace period.

use akia_core::RotationId;
use clap::Args;

use super::Consent;

/// Delete old keys whose grace period is over
///
/// Each key is read again right before it is deleted; one that was activated or used in the meantime is left alone and
/// reported. A deleted key cannot be brought back.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia retire --dry-run", "what would be deleted"),
    ("akia retire --yes", "delete it, unasked"),
    ("akia retire r-0123456789abcdef --now", "do not wait for the end of the grace period"),
]))]
pub struct RetireArgs {
    /// Rotations whose old key is to be deleted [default: all whose grace period is over]
    #[arg(value_name = "ROTATION-ID")]
    pub rotations: Vec<RotationId>,

    /// Do not wait for the end of the grace period
    #[arg(long, requires = "rotations")]
    pub now: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}
