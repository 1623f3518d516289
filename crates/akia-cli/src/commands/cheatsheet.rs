//! `akia cheatsheet`: the AWS CLI commands of each job.

use clap::Args;

/// Show the AWS CLI commands for each job, with your own names filled in
///
/// Without a topic, the topics are listed.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia cheatsheet", "the topics"),
    ("akia cheatsheet rotate -p work", "how to rotate by hand, for profile `work`"),
]))]
pub struct CheatsheetArgs {
    /// Topic to show [default: list the topics]
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
}
