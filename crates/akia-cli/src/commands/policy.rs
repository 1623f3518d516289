//! `akia policy`: the IAM policies that jobs need, and what you lack.

use akia_core::Partition;
use clap::{Args, Subcommand};

/// Print the IAM policy that a job needs, or check what you may do
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia policy create-own-keys", "users may create their own keys"),
    ("akia policy manage-own-keys --require-mfa", "users may do everything with their own keys, with MFA"),
    ("akia policy check", "which commands you may use"),
]))]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: PolicyVerb,
}

/// Which policy, or the check.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Print the policy that lets users create and rotate their own keys
    #[command(after_long_help = super::examples(&[
        ("akia policy create-own-keys > policy.json", "then: aws iam create-policy --policy-document file://policy.json …"),
    ]))]
    CreateOwnKeys(DocumentArgs),
    /// Print the policy that lets users manage their own keys
    #[command(after_long_help = super::examples(&[
        ("akia policy manage-own-keys --require-mfa", "only with MFA"),
        ("akia policy manage-own-keys --path-aware", "also for users below a path"),
    ]))]
    ManageOwnKeys(DocumentArgs),
    /// Say which rights you have for which command
    ///
    /// Asks AWS with iam:SimulatePrincipalPolicy where you may, and tells it from the answers to harmless calls
    /// elsewhere. Nothing is changed.
    #[command(after_long_help = super::examples(&[
        ("akia policy check", "every command"),
        ("akia policy check rotate undo -p work", "two commands, for profile `work`"),
    ]))]
    Check(CheckArgs),
}

/// Form of the policy.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// Grant the rights only to sessions with MFA
    #[arg(long)]
    pub require_mfa: bool,

    /// Match users below an IAM path too
    #[arg(long)]
    pub path_aware: bool,

    /// Partition for the ARNs: aws, aws-cn or aws-us-gov [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION")]
    pub partition: Option<Partition>,
}

/// Which commands to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Commands to check, for example rotate [default: all]
    #[arg(value_name = "COMMAND")]
    pub commands: Vec<String>,
}
