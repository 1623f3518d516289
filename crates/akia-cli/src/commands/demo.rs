//! `akia demo`: a rotation from start to end on the sandbox.

use clap::Args;

/// See a rotation from start to end on a made-up AWS, in seconds
///
/// Makes up AWS files in a temporary folder, shows their status, rotates every profile against the built-in sandbox,
/// shows the status again and the difference in the files: only the values changed. Nothing of yours is touched, and
/// no network is needed.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia demo", "see it"),
    ("akia demo --keep", "and look at the files afterwards"),
]))]
pub struct DemoArgs {
    /// Leave the folder behind and say where it is
    #[arg(long)]
    pub keep: bool,
}
