//! `akia status`: what every profile holds and what is due.

use clap::Args;
use jiff::SignedDuration;

use crate::args::span;

/// Show every profile: kind, account, user, key, age, last use, and what is due
///
/// Reads both AWS files and asks AWS about each key, all at once. Without network, or with --offline, account ids are
/// decoded from the key ids and ages are unknown. With --profile, only the named profiles are shown.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia status", "all profiles"),
    ("akia status -p work -p private", "two of them"),
    ("akia status --max-age 30d --output json", "for a script, with a stricter limit"),
    ("akia status --offline", "without asking AWS"),
]))]
pub struct StatusArgs {
    /// Age from which a key is due, for example 90d, 12w
    #[arg(long, value_name = "AGE", value_parser = span::parse, default_value = "90d")]
    pub max_age: SignedDuration,

    /// Do not ask AWS; tell what the files tell
    #[arg(long)]
    pub offline: bool,
}
