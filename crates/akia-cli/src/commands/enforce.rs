//! `akia enforce`: from a finding to a retired key, in stages that can be reviewed and taken back.

use std::path::PathBuf;

use akia_core::ids::{AccessKeyId, AccountId};
use clap::{Args, Subcommand};

use super::Consent;
use crate::args::ConfigArgs;
use crate::context::Context;
use crate::enforce::cases::Which;
use crate::enforce::{applying, cases, lint, planning, quarantine, switch};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::organization::role_name;

/// Retire keys that break a rule: notices first, then deactivation, then deletion, each step reviewed
///
/// What leads to action, and what is left alone, stands in the `enforce` table of akia.toml. `akia audit` finds; `akia enforce plan` says
/// what is due and changes nothing; `akia enforce apply` does what the plan says and no more, and looks at each key again right
/// before. A key is deactivated only after its owner was told and reminded, and deleted only after it was inactive for the
/// whole soak.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia enforce lint", "check the policy"),
    ("akia enforce plan -o plan.json", "what is due, after an akia audit"),
    ("akia enforce apply plan.json", "do it, after a question"),
    ("akia enforce status", "the stage and deadline of each key"),
    ("akia enforce reactivate AKIAIOSFODNN7EXAMPLE --reason billing-job", "take a deactivation back"),
    ("akia enforce stop --reason incident-42", "nothing more happens from here"),
]))]
pub struct EnforceArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: EnforceVerb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum EnforceVerb {
    /// Check the policy, and say what in it is allowed and seldom meant
    #[command(after_long_help = super::examples(&[
        ("akia enforce lint --config akia.toml", "the policy of a repository, in CI"),
        ("akia enforce lint --strict", "exit code 4 where there is anything to say"),
    ]))]
    Lint(LintArgs),
    /// Say what is due, and why; nothing is changed
    ///
    /// Stands on the latest kept audit, which must not be older than evidence-age, and needs no access to AWS. The file holds for
    /// plan-age.
    #[command(after_long_help = super::examples(&[
        ("akia enforce plan -o plan.json", "a file to review and to apply"),
        ("akia enforce plan --only-account 123456789012", "one account"),
    ]))]
    Plan(PlanArgs),
    /// Carry out a plan: looks at each key again, tells owners, deactivates and deletes
    #[command(after_long_help = super::examples(&[
        ("akia enforce apply plan.json --dry-run", "what would be done"),
        ("akia enforce apply plan.json --yes", "do it, unasked"),
        ("akia enforce apply plan.json --approve AKIAIOSFODNN7EXAMPLE", "of all changes only this one; notices go out"),
    ]))]
    Apply(Box<ApplyArgs>),
    /// Show the stage and the deadline of each key
    #[command(after_long_help = super::examples(&[("akia enforce status --all --output csv", "with cases that are over")]))]
    Status(StatusArgs),
    /// Show what was done about keys, by whom, and on what evidence
    #[command(after_long_help = super::examples(&[
        ("akia enforce history", "every change of a key, the latest first"),
        ("akia enforce history AKIAIOSFODNN7EXAMPLE", "everything about one key"),
    ]))]
    History(HistoryArgs),
    /// Activate a key again that enforcement has deactivated
    #[command(after_long_help = super::examples(&[
        ("akia enforce reactivate AKIAIOSFODNN7EXAMPLE --reason billing-job", "with the reason noted"),
    ]))]
    Reactivate(ReactivateArgs),
    /// Tie the hands of a user whose key is exposed: AWS's deny policy, and no earlier sessions
    ///
    /// Attaches AWS's policy AWSCompromisedKeyQuarantineV3 to the user of the key, and denies everything to sessions that were opened
    /// with the user's keys before now (GetSessionToken, GetFederationToken). The keys stay active: services that use them may go on,
    /// as far as that policy lets them. Run again, it denies the sessions opened since, too. No policy in akia.toml is needed.
    #[command(after_long_help = super::examples(&[
        ("akia enforce quarantine AKIAIOSFODNN7EXAMPLE --reason leak-42", "of the user whose key it is"),
    ]))]
    Quarantine(QuarantineArgs),
    /// Take a quarantine back
    ///
    /// Only what akia has set: a deny policy that AWS or somebody else has attached before stays.
    #[command(after_long_help = super::examples(&[
        ("akia enforce release AKIAIOSFODNN7EXAMPLE --reason rotated", "after the key is gone"),
    ]))]
    Release(ReleaseArgs),
    /// Switch enforcement off on this machine, also for a run that is under way
    #[command(after_long_help = super::examples(&[("akia enforce stop --reason incident-42", "now")]))]
    Stop(StopArgs),
    /// Switch enforcement on again
    #[command(after_long_help = super::examples(&[("akia enforce start", "after akia enforce stop")]))]
    Start,
}

/// How to check.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// End with exit code 4 where there is anything to say
    #[arg(long)]
    pub strict: bool,
}

/// What to plan on.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Write the plan to this file
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Number of the kept audit that it stands on [default: the latest]
    #[arg(long, value_name = "NUMBER")]
    pub audit: Option<i64>,

    /// Only this account (repeatable, or separated by commas)
    #[arg(long = "only-account", value_name = "ID", value_delimiter = ',')]
    pub only_accounts: Vec<AccountId>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to carry out.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The file of akia enforce plan -o
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

    /// Only this account (repeatable, or separated by commas)
    #[arg(long = "only-account", value_name = "ID", value_delimiter = ',')]
    pub only_accounts: Vec<AccountId>,

    /// Change this key, and no other that is not named (repeatable); `all` for every one
    ///
    /// Needed where the policy says approval = "required". Notices need none.
    #[arg(long, value_name = "KEY-ID|all")]
    pub approve: Vec<String>,

    /// How accounts are entered, under which settings.
    #[command(flatten)]
    pub reach: ReachArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// How accounts are entered, under which settings.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// Name of the role that reads each account, with its path where it has one [default: roles.reader of the settings, else AkiaAudit]
    #[arg(long, value_name = "NAME", value_parser = role_name)]
    pub role_name: Option<String>,

    /// External id that the trust policies of the reading roles ask for [default: that of the settings]
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which cases.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Cases that are over, too
    #[arg(long)]
    pub all: bool,
}

/// Which case.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A key or a case; without one, every change of a key
    #[arg(value_name = "KEY-ID|CASE-ID")]
    pub which: Option<Which>,
}

/// Which key, and why.
#[derive(Debug, Args)]
pub struct ReactivateArgs {
    /// The key
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Why; it is noted in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,

    /// How accounts are entered, under which settings.
    #[command(flatten)]
    pub reach: ReachArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Whose hands are tied, and why.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// The key
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Why; it is noted in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,

    /// Also where the policy protects the user
    #[arg(long)]
    pub protected_too: bool,

    /// How accounts are entered, under which settings.
    #[command(flatten)]
    pub reach: ReachArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Whose hands are untied, and why.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The key that the quarantine is for
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Why; it is noted in the journal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,

    /// How accounts are entered, under which settings.
    #[command(flatten)]
    pub reach: ReachArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Why.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Why; whoever is stopped by it reads this
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
}

/// Runs the command.
///
/// # Errors
/// Without a policy, an audit or a plan that holds.
pub(crate) async fn run(context: &Context, args: EnforceArgs) -> Result<Exit, CommandError> {
    match args.act {
        EnforceVerb::Lint(args) => lint::run(context, &args).await,
        EnforceVerb::Plan(args) => planning::run(context, &args).await,
        EnforceVerb::Apply(args) => applying::run(context, &args).await,
        EnforceVerb::Status(args) => cases::status(context, &args).await,
        EnforceVerb::History(args) => cases::history(context, args.which.as_ref()).await,
        EnforceVerb::Reactivate(args) => applying::reactivate(context, &args).await,
        EnforceVerb::Quarantine(args) => quarantine::run(context, &args).await,
        EnforceVerb::Release(args) => quarantine::release(context, &args).await,
        EnforceVerb::Stop(args) => switch::stop(context, &args.reason),
        EnforceVerb::Start => switch::start(context),
    }
}

fn reason(text: &str) -> Result<String, String> {
    const LONGEST: usize = 500;
    let text = text.trim();
    if text.is_empty() {
        return Err("say why".to_owned());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters"));
    }
    Ok(text.to_owned())
}
