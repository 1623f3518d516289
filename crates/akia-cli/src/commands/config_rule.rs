//! `akia config-rule`: AWS Config's managed rule on the age of access keys.

use akia_core::config_rule::{RuleName, TopicArn};
use akia_core::ids::AccountId;
use clap::{Args, Subcommand};

use super::Consent;
use crate::args::ConfigArgs;
use crate::config_rule::{disabling, enabling, status};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// The name unless another is given.
pub(crate) const NAME: &str = "akia-access-keys-rotated";

/// Have AWS Config watch the age of access keys, and compare its verdicts with akia's
///
/// Sets up the managed rule access-keys-rotated in the region of the command, and an EventBridge rule that tells an SNS topic of
/// each user who becomes noncompliant. What akia makes bears the tag akia:managed; nothing else is changed or removed.
/// docs/config-rule.md tells what Config needs and why its verdicts may differ. AWS charges each evaluation.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia config-rule enable --max-age 90 --dry-run", "what would be made, and what is missing"),
    ("akia config-rule enable --sns arn:aws:sns:eu-west-1:123456789012:alerts --region eu-west-1", "and tell a topic"),
    ("akia config-rule status", "each user's verdict of Config beside akia's"),
    ("akia config-rule disable", "remove what enable made"),
]))]
pub struct ConfigRuleArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: ConfigRuleVerb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ConfigRuleVerb {
    /// Make the rule, and what tells a topic of its findings; what is there as wanted stays
    ///
    /// Says first what it will do. Refuses before it begins where Config has no recorder, where a rule of the name is somebody
    /// else's, and where the topic's policy does not let EventBridge publish.
    #[command(after_long_help = super::examples(&[
        ("akia config-rule enable --max-age 90 --yes", "the rule alone"),
        ("akia config-rule enable --sns arn:aws:sns:us-east-1:123456789012:alerts --grant", "and open the topic to EventBridge"),
        ("akia config-rule enable --org", "every account of the organisation, from its management account"),
        ("akia config-rule enable --template cloudformation > rule.json", "the same as a template"),
    ]))]
    Enable(EnableArgs),
    /// Show what Config says of each user beside what akia says, and why they differ
    ///
    /// Reads the verdicts of Config and the account itself, as akia audit does; changes nothing. Without --all, users on whom both
    /// agree that all is well are counted only.
    #[command(after_long_help = super::examples(&[
        ("akia config-rule status --all --output csv", "every user"),
        ("akia config-rule status --name access-keys-rotated", "a rule that somebody else has made"),
        ("akia config-rule status --org", "what became of the rule in each account"),
    ]))]
    Status(StatusArgs),
    /// Remove what enable made, and nothing else
    #[command(after_long_help = super::examples(&[
        ("akia config-rule disable --dry-run", "what would go, and what stays"),
        ("akia config-rule disable --yes", "unasked"),
    ]))]
    Disable(DisableArgs),
}

/// What to set up.
#[derive(Debug, Args)]
pub struct EnableArgs {
    /// Days that an active key may have
    #[arg(long, value_name = "DAYS", default_value = "90", value_parser = days)]
    pub max_age: u32,

    /// Topic that is told of each user who becomes noncompliant; it must be in the same region
    #[arg(long, value_name = "ARN")]
    pub sns: Option<TopicArn>,

    /// Let EventBridge publish to the topic: adds one statement to its policy and leaves the rest
    #[arg(long, requires = "sns")]
    pub grant: bool,

    /// The rule for every account of the organisation; from its management account or Config's delegated administrator
    #[arg(long)]
    pub org: bool,

    /// Leave this account out (repeatable, or separated by commas)
    #[arg(long = "exclude-account", value_name = "ID", value_delimiter = ',', requires = "org")]
    pub excluded: Vec<AccountId>,

    /// Name of the rules
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: RuleName,

    /// Print a template instead of making anything
    #[arg(long, value_name = "FORM", conflicts_with_all = ["grant", "yes", "dry_run"])]
    pub template: Option<Template>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Form of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A CloudFormation template (JSON)
    Cloudformation,
    /// A Terraform file (.tf.json)
    Terraform,
}

/// What to show.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Users on whom both agree that all is well, too
    #[arg(long, conflicts_with = "org")]
    pub all: bool,

    /// What became of the organisation's rule in each account
    #[arg(long)]
    pub org: bool,

    /// Name of the rule
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: RuleName,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct DisableArgs {
    /// The organisation's rule
    #[arg(long)]
    pub org: bool,

    /// Name of the rules
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: RuleName,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When something stands in the way, or AWS refuses.
pub(crate) async fn run(context: &Context, args: ConfigRuleArgs) -> Result<Exit, CommandError> {
    match args.act {
        ConfigRuleVerb::Enable(args) => enabling::run(context, &args).await,
        ConfigRuleVerb::Status(args) => status::run(context, &args).await,
        ConfigRuleVerb::Disable(args) => disabling::run(context, &args).await,
    }
}

/// `90` or `90d`.
fn days(text: &str) -> Result<u32, &'static str> {
    const MOST: u32 = 3_650;
    let number = text.strip_suffix('d').unwrap_or(text);
    let days: u32 = number.parse().map_err(|_| "write a number of days, for example 90")?;
    if (1..=MOST).contains(&days) { Ok(days) } else { Err("write 1 to 3650 days") }
}
