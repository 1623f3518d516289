//! `akia usage`: who uses which key, from where, for what.

use akia_core::AccessKeyId;
use clap::{Args, Subcommand};

use crate::args::bytes::{self, Bytes};
use crate::args::when::When;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;

/// Tell who uses which key, from where and for what, out of CloudTrail's logs
///
/// `load` reads logs once and keeps what they say of the keys of users, counted by hour: facts of some megabytes that every other
/// question is answered from in milliseconds, so that logs need not be kept or read again. docs/usage.md has the details.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia usage load s3://example-trail/AWSLogs/ --since 90d", "the last 90 days of a trail, as far as they are not loaded yet"),
    ("akia usage quiet AKIAIOSFODNN7EXAMPLE --since 2026-11-01", "is it out of use, and how sure is that?"),
    ("akia usage sql \"SELECT * FROM keys ORDER BY calls DESC LIMIT 10\"", "the busiest keys"),
]))]
pub struct UsageArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: UsageVerb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum UsageVerb {
    /// Read logs that were not read before
    ///
    /// Each PLACE is a folder, a file, or s3://BUCKET/PREFIX with what a trail writes, of one account or of an organisation: gzip or plain,
    /// objects with `Records` or an event a line. What cannot be read is named, counts for nothing, and is tried again by the next load.
    /// Run again after a kill, it goes on where it was.
    #[command(after_long_help = super::examples(&[
        ("akia usage load s3://example-trail/AWSLogs/", "a whole trail"),
        ("akia usage load ./logs --account 111122223333 --log-region eu-central-1", "a part of it"),
        ("akia usage load --live --since 30d", "without a trail: CloudTrail's event history"),
        ("akia usage load ./logs --facts s3://example-facts/akia", "keep the facts in a bucket, for a team"),
        ("akia usage load s3://example-trail/AWSLogs/ --cluster 10.0.0.7:50050", "terabytes, read by many machines"),
    ]))]
    Load(LoadArgs),
    /// Show what is loaded: accounts, regions, days, and what is missing
    #[command(after_long_help = super::examples(&[("akia usage status --output json", "for a monitor")]))]
    Status(FactsArgs),
    /// Show what a key does: for what, where, from where, with what, and when
    ///
    /// Addresses are grouped by network, user agents by program and machine. --html makes a page of it.
    #[command(after_long_help = super::examples(&[
        ("akia usage key AKIAIOSFODNN7EXAMPLE", "all that is known"),
        ("akia usage key AKIAIOSFODNN7EXAMPLE --since 30d --html key.html", "a page for a meeting"),
    ]))]
    Key(KeyArgs),
    /// Tell whether a key is out of use, and how sure that is
    ///
    /// Exit code 0: quiet, and nothing is in doubt. 4: it is in use. 6: no call was seen, but the logs do not cover everything.
    #[command(after_long_help = super::examples(&[
        ("akia usage quiet AKIAIOSFODNN7EXAMPLE --since 30d", "the last 30 days"),
        ("akia usage quiet AKIAIOSFODNN7EXAMPLE --since 2026-11-01T18:00:00Z", "since it was replaced"),
    ]))]
    Quiet(QuietArgs),
    /// List the keys that several people, or a person and a machine, seem to use
    ///
    /// Each with a score, and every point of it in the evidence. docs/usage-shared.md says what each piece of evidence weighs and why, and how
    /// often it is wrong. Exit code 4: there are some.
    #[command(after_long_help = super::examples(&[
        ("akia usage shared", "all keys"),
        ("akia usage shared --own-network 203.0.113.0/24 --ip-ranges ip-ranges.json", "with what is known of networks"),
        ("akia usage shared AKIAIOSFODNN7EXAMPLE --all", "whatever speaks for it, of one key"),
    ]))]
    Shared(WhoArgs),
    /// List the keys of people that EC2 instances, containers, functions or pipelines seem to use
    ///
    /// Keys of service users are left out: machines are what they are for. Exit code 4: there are some.
    #[command(after_long_help = super::examples(&[
        ("akia usage machines --since 30d", "of the last 30 days"),
        ("akia usage machines --ip-ranges ip-ranges.json --output json", "with AWS's address ranges, for a script"),
    ]))]
    Machines(WhoArgs),
    /// Show what a leaked key did that matters: sessions, rights, secrets, changes
    ///
    /// What AWS refused stands apart, and so do calls of which it is not known what they do. `akia contain` shuts the key and looks after
    /// what outlives it; its own look at CloudTrail goes back 90 days and knows management events alone, this one what was loaded.
    #[command(after_long_help = super::examples(&[
        ("akia usage blast AKIAIOSFODNN7EXAMPLE --since 2026-11-20", "since it was seen in a repository"),
    ]))]
    Blast(BlastArgs),
    /// Draw the least policy from what was really called
    ///
    /// The policy goes to stdout, and what is left out of it, or cannot be told, to stderr. Nothing is changed. docs/usage-policy.md says how a call
    /// becomes an action, and what no log tells.
    #[command(after_long_help = super::examples(&[
        ("akia usage policy ada > ada.json", "of a user, out of the last 90 days"),
        ("akia usage policy AKIAIOSFODNN7EXAMPLE --days 30 --regions", "of one key, and only where it was used"),
        ("akia usage policy ada --compare", "and what is attached to ada and was never used"),
    ]))]
    Policy(PolicyArgs),
    /// Ask in SQL
    ///
    /// Tables: `facts` (equal calls of an hour, counted), `keys` (a row for each key), `logs` (a row for each log that was loaded), and with --logs
    /// `events` (a row for each event of those logs, read as they lie). docs/usage-sql.md has the columns.
    #[command(after_long_help = super::examples(&[
        ("akia usage sql \"SELECT service, sum(calls) FROM facts GROUP BY service\"", "what is called"),
        ("akia usage sql --logs ./logs \"SELECT time, name, ip FROM events LIMIT 20\"", "logs as they lie"),
    ]))]
    Sql(SqlArgs),
}

/// Where the facts are.
#[derive(Debug, Clone, Args)]
pub struct FactsArgs {
    /// Folder or s3://BUCKET/PREFIX of the facts (default: in the state folder)
    #[arg(long, value_name = "PLACE")]
    pub facts: Option<String>,
}

/// Which logs.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Where the logs are: a folder, a file, or s3://BUCKET/PREFIX
    #[arg(value_name = "PLACE", required_unless_present = "live")]
    pub places: Vec<String>,

    /// Where there is no trail: look up CloudTrail's event history of the caller's account, which has the management events of 90 days
    ///
    /// In the region of the profile and the one that IAM writes into, or in those of --log-region. AWS answers two requests a second
    /// in each region, with fifty events each.
    #[arg(long, conflicts_with_all = ["places", "cluster"])]
    pub live: bool,

    /// Which of them.
    #[command(flatten)]
    pub which: WhichLogs,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,

    /// Who reads them.
    #[command(flatten)]
    pub on: OnCluster,
}

/// Which logs of a place.
#[derive(Debug, Args)]
pub struct WhichLogs {
    /// Only logs from this day on: 2026-11-01, or 90d ago
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Only logs before this day
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,

    /// Only logs of this account; may be given several times
    #[arg(long = "account", value_name = "ACCOUNT-ID")]
    pub accounts: Vec<akia_core::AccountId>,

    /// Only logs of this region; may be given several times. --region is where AWS is asked
    #[arg(long = "log-region", value_name = "REGION")]
    pub regions: Vec<akia_core::Region>,

    /// The most that one log may inflate to; a larger one is named and left out
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = bytes::parse)]
    pub largest_log: Bytes,
}

/// Who reads logs.
#[derive(Debug, Clone, Args)]
pub struct OnCluster {
    /// Have the logs read by a cluster: the address of its scheduler. docs/usage-cluster.md says how to run one
    #[arg(long, value_name = "HOST:PORT")]
    pub cluster: Option<String>,
}

/// Which key.
#[derive(Debug, Args)]
pub struct QuietArgs {
    /// The key
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Since when: 2026-11-01, 2026-11-01T18:00:00Z, or 30d ago
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub since: When,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// What is known of networks, from files of this machine.
#[derive(Debug, Args)]
pub struct KnownArgs {
    /// A network of your own, such as 203.0.113.0/24: an office or a VPN; may be given several times. own-networks in the usage table of akia.toml
    /// are, too
    #[arg(long = "own-network", value_name = "CIDR")]
    pub own_networks: Vec<akia_core::usage::Cidr>,

    /// AWS's address ranges: the file ip-ranges.json, which is never fetched by itself
    #[arg(long, value_name = "FILE")]
    pub ip_ranges: Option<std::path::PathBuf>,

    /// Where addresses are: an MMDB file of cities, countries or networks; may be given several times
    #[arg(long, value_name = "FILE")]
    pub mmdb: Vec<std::path::PathBuf>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: crate::args::ConfigArgs,
}

/// Which key, and when.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The key
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Only calls since then: 2026-11-01, or 90d ago
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Only calls before then
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,

    /// Write a page for a meeting
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,

    /// What is known of networks.
    #[command(flatten)]
    pub known: KnownArgs,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// Whose calls, and what is known of networks.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Only this key
    #[arg(value_name = "KEY-ID")]
    pub key: Option<AccessKeyId>,

    /// Out of the calls since then: 2026-11-01, or 90d ago
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub since: When,

    /// Also what does not suffice to say so
    #[arg(long)]
    pub all: bool,

    /// What is known of networks.
    #[command(flatten)]
    pub known: KnownArgs,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// Which key, and since when.
#[derive(Debug, Args)]
pub struct BlastArgs {
    /// The key
    #[arg(value_name = "KEY-ID")]
    pub key: AccessKeyId,

    /// Only calls since then: 2026-11-01, or 30d ago
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// Whose policy.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The user, by name or ARN, or a key
    #[arg(value_name = "USER|KEY-ID")]
    pub whose: String,

    /// Out of the calls of so many days
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3_650))]
    pub days: u16,

    /// Add what AWS has refused, too
    #[arg(long)]
    pub include_refused: bool,

    /// Allow regions that were used alone
    #[arg(long)]
    pub regions: bool,

    /// Hold it against what is attached to the user now, which AWS is asked for
    #[arg(long)]
    pub compare: bool,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// What to ask.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The question
    #[arg(value_name = "SQL")]
    pub question: String,

    /// Logs to read as the table `events`: a folder, a file, or s3://BUCKET/PREFIX; may be given several times
    #[arg(long = "logs", value_name = "PLACE")]
    pub places: Vec<String>,

    /// Which of them.
    #[command(flatten)]
    pub which: WhichLogs,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,

    /// Who reads them.
    #[command(flatten)]
    pub on: OnCluster,
}

/// Runs the command.
///
/// # Errors
/// When logs or facts cannot be read, or this akia was built without it.
#[cfg(feature = "usage")]
pub(crate) async fn run(context: &Context, args: UsageArgs) -> Result<Exit, CommandError> {
    use crate::usage;
    match args.act {
        UsageVerb::Load(args) => usage::load::run(context, args).await,
        UsageVerb::Status(args) => usage::status::run(context, args).await,
        UsageVerb::Key(args) => usage::key::run(context, args).await,
        UsageVerb::Quiet(args) => usage::quiet::run(context, args).await,
        UsageVerb::Shared(args) => usage::who::shared_keys(context, args).await,
        UsageVerb::Machines(args) => usage::who::keys_on_machines(context, args).await,
        UsageVerb::Blast(args) => usage::blast::run(context, args).await,
        UsageVerb::Policy(args) => usage::policy::run(context, args).await,
        UsageVerb::Sql(args) => usage::sql::run(context, args).await,
    }
}

/// What an akia says that was built without DataFusion.
#[cfg(not(feature = "usage"))]
pub(crate) async fn run(_: &Context, _: UsageArgs) -> Result<Exit, CommandError> {
    Err(not_built())
}

#[cfg(not(feature = "usage"))]
pub(crate) fn not_built() -> CommandError {
    CommandError::failed("this akia was built without `akia usage`")
        .now("nothing was changed")
        .next("cargo install --path crates/akia-cli --features usage")
}
