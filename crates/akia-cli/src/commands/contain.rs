//! `akia contain`: from the id of a leaked key to a closed case.

use std::path::PathBuf;

use akia_core::contain::Strategy;
use akia_core::moment;
use akia_core::{AccessKeyId, Region, UserName};
use clap::Args;
use jiff::Timestamp;

use super::Consent;
use crate::args::ConfigArgs;
use crate::contain;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// Shut a leaked key, with what it could do, what it did, and a report
///
/// Finds out whose key it is, what its user may do and could make of that, and what CloudTrail has of it; then prints a plan, and
/// carries it out: the key is replaced where profiles of this machine hold it, else deactivated at once; sessions that were
/// opened with it are denied; it is looked at until AWS shows it shut. Every step stands in the journal first: `akia resume`
/// finishes what was interrupted, and until the key is deleted `akia undo` takes all of it back.
///
/// Run it as an administrator, never with the leaked key. Nothing that an intruder may have left behind is removed: the report names it,
/// with the commands. docs/contain.md tells of all of it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia contain AKIAIOSFODNN7EXAMPLE --profile admin", "see the plan, and say yes"),
    ("akia contain AKIAIOSFODNN7EXAMPLE --profile admin --dry-run", "only the plan, what it could do and what it did"),
    ("akia contain AKIAIOSFODNN7EXAMPLE --profile admin --yes --report incident-42.html", "at once, with a page for the file"),
    ("akia contain AKIAIOSFODNN7EXAMPLE --profile admin --strategy quarantine", "the user cannot be cut off: tie its hands"),
    ("akia contain --from-scan findings.json --profile admin", "every real key of an `akia scan --output json`"),
    ("akia contain AKIAIOSFODNN7EXAMPLE --repo . --profile admin", "with the commands that clean that repository"),
]))]
pub struct ContainArgs {
    /// Leaked keys
    #[arg(value_name = "KEY-ID", required_unless_present = "from_scan")]
    pub keys: Vec<AccessKeyId>,

    /// Contain every real key of this report of `akia scan --output json`; - reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub from_scan: Option<PathBuf>,

    /// How: rotate, deactivate, delete or quarantine [default: rotate where profiles here hold the key, else deactivate]
    ///
    /// rotate puts a new key into every profile that holds this one, then shuts it. deactivate shuts it at once. delete shuts and deletes
    /// it, which cannot be undone. quarantine attaches AWS's deny policy to the user and leaves the key active.
    #[arg(long, value_name = "HOW")]
    pub strategy: Option<Strategy>,

    /// The user whose key it is, where AWS does not say
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,

    /// Repository that the key stands in, for the commands that clean it (repeatable)
    #[arg(long = "repo", value_name = "PATH|URL")]
    pub repositories: Vec<String>,

    /// When the key leaked, where that is known: a date or a moment, such as 2026-11-29T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub since: Option<Timestamp>,

    /// Region whose CloudTrail is asked, too (repeatable) [default: that of the profile, and the one of IAM]
    #[arg(long = "trail-region", value_name = "REGION")]
    pub trail_regions: Vec<Region>,

    /// Why; it is noted in the journal
    #[arg(long, value_name = "TEXT", default_value = "the key has leaked")]
    pub reason: String,

    /// Consent to delete this other key of the user, to make room for the new one of --strategy rotate
    #[arg(long, value_name = "KEY-ID")]
    pub delete_key: Option<AccessKeyId>,

    /// Write the report to this file (.html, .md or .json; repeatable)
    #[arg(long = "report", value_name = "FILE", value_parser = contain::report_file)]
    pub reports: Vec<PathBuf>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When a key cannot be told, belongs elsewhere, or could not be shut.
pub(crate) async fn run(context: &Context, args: ContainArgs) -> Result<Exit, CommandError> {
    contain::run(context, &args).await
}
