//! `akia service`: users for machines, kept apart from those of people, and the way off their keys.

use std::path::PathBuf;

use akia_core::finding::Severity;
use akia_core::service::exit::Way;
use akia_core::service::{BoundaryArn, Cidr, IamPath, Risk, ServiceName, TagValue, TemplateWord, VpcId};
use akia_core::{Region, UserName};
use clap::{Args, Subcommand, ValueEnum};

use super::Consent;
use super::usage::FactsArgs;
use crate::args::ConfigArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::service::deliver_to::DeliverTo;
use crate::service::{checking, creating, leaving, listing, templates};

/// Create, list and check service users, and find the way off their keys
///
/// A machine's key belongs to a user of its own: service-NAME, in a group of the same name that has the rights, with tags that say
/// whose it is and no console password. docs/service.md tells of all of it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia service create backup --policy backup.json --owner ops --deliver-to profile:backup", "user, group, policy and key"),
    ("akia service list", "who is there, whose it is, and how old its keys are"),
    ("akia service check", "what is wrong with service users, and with people's keys in machines"),
    ("akia service exit backup", "what would replace its key, and how"),
]))]
pub struct ServiceArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: ServiceVerb,
}

/// What to do with service users.
#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// Make a service user whole: group, least policy, user, tags, and a key that goes straight to its place
    ///
    /// Looks at what is there, prints what lacks, asks, and makes that. Run again, it finds everything and changes nothing. What stands
    /// there and differs (policy, tags, boundary) is shown as a difference, and changed only with --replace. If a call fails, what this
    /// run has made is taken back, the last first.
    ///
    /// The key is made last, once, and written to every place of --deliver-to; nobody sees its secret. If no place takes it, it is deleted
    /// again with everything else. If some do, it stays, and the same command run again brings it to the rest.
    #[command(after_long_help = super::examples(&[
        ("akia service create backup --policy backup.json --owner ops --deliver-to profile:backup", "with a policy of your own"),
        ("akia service create mail --template ses-send=example.com --owner ops --deliver-to keychain:mail", "with one of akia's"),
        ("akia service create backup --from-usage AKIAIOSFODNN7EXAMPLE --owner ops --no-key", "with what a key has called, and no more"),
        ("akia service create probe --template s3-read=data --owner ops --source-ip 203.0.113.7 --no-key", "only from an address, and no key yet"),
        ("akia service create backup --policy backup.json --owner ops --no-key --dry-run", "what lacks, and what differs"),
        ("akia service templates", "the policies that akia knows"),
    ]))]
    Create(Box<CreateArgs>),
    /// List service users with owner, keys, group and console
    ///
    /// Which users are a service's is said by their names (service-*, svc-*), paths (/service/*) or tags: [audit.service-users] in
    /// akia.toml. The whole account is read, in few calls.
    #[command(after_long_help = super::examples(&[
        ("akia service list --output csv > services.csv", "for a spreadsheet"),
    ]))]
    List(ListArgs),
    /// Say what is wrong with service users, by the rules of `akia audit` that are about them
    ///
    /// A console password, no group, policies of the user's own, missing tags, two active keys, a name that does not fit; and of people:
    /// no MFA, and keys that do what programs do. With NAME, only those users. `akia audit explain RULE` tells of a rule.
    ///
    /// The exit code is 4 with findings at or above --fail-on, and 3 when some rule could not tell.
    #[command(after_long_help = super::examples(&[
        ("akia service check", "the whole account"),
        ("akia service check backup --fail-on low", "one service, for a pipeline"),
    ]))]
    Check(CheckArgs),
    /// Say what would replace the key of a service, with trust policy and steps
    ///
    /// Judged by where the key is used (addresses and user agents of CloudTrail's last 90 days), and by where it is delivered: profiles of
    /// this machine that hold it, and what --delivered-to says. The best way is shown with its steps; --way shows another. Nothing is
    /// changed.
    #[command(after_long_help = super::examples(&[
        ("akia service exit backup", "the ways, and the steps of the best"),
        ("akia service exit backup --delivered-to github-actions", "the key is a secret of GitHub Actions"),
        ("akia service exit backup --way irsa --write exit.md", "the steps of another way, into a ticket"),
    ]))]
    Exit(ExitArgs),
    /// List the least policies that akia knows
    #[command(after_long_help = super::examples(&[("akia service templates", "for --template")]))]
    Templates,
}

/// A service user to be.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name of the service; user and group are service-NAME, or NAME behind name-prefix in the services table of akia.toml
    #[arg(value_name = "NAME")]
    pub name: ServiceName,

    /// File with the policy of the group, as JSON
    ///
    /// Read strictly: no NotAction, NotResource or Principal, no element that akia does not know. Every action (*) and changes of IAM are
    /// refused without --despite; wildcards are warned of.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["templates", "from_usage"],
        conflicts_with_all = ["templates", "from_usage"]
    )]
    pub policy: Option<PathBuf>,

    /// Policy that akia knows, with what it is about; repeatable. `akia service templates` lists them
    #[arg(long = "template", value_name = "NAME=WHAT")]
    pub templates: Vec<TemplateWord>,

    /// Draw the least policy from what this user or key has called, as `akia usage policy` does
    ///
    /// Out of the facts of `akia usage load`, which must cover the days of --days. What is left out of the policy, and what no log tells, stands in
    /// the plan. A program that has a person's key, or one that may do everything, gets a user of its own in this way.
    #[arg(long, value_name = "USER|KEY-ID", conflicts_with = "templates")]
    pub from_usage: Option<String>,

    /// With --from-usage: out of the calls of so many days [default: 90]
    #[arg(long, value_name = "DAYS", conflicts_with_all = ["policy", "templates"], value_parser = clap::value_parser!(u16).range(1..=3_650))]
    pub days: Option<u16>,

    /// Where the facts are.
    #[command(flatten)]
    pub facts: FactsArgs,

    /// Who answers for the service: a team, or an address; becomes the tag `owner`
    #[arg(long, value_name = "WHO")]
    pub owner: TagValue,

    /// What the service is for; becomes the tag `purpose`
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<TagValue>,

    /// Where the new key goes: profile:NAME, keychain:NAME, or KIND:SPOT of a place that akia.toml declares (repeatable) [default: every
    /// place that akia.toml declares for the service]
    #[arg(long, value_name = "PLACE", conflicts_with = "no_key")]
    pub deliver_to: Vec<DeliverTo>,

    /// Make no key
    #[arg(long)]
    pub no_key: bool,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Managed policy that bounds what the user can ever do
    #[arg(long, value_name = "ARN")]
    pub permissions_boundary: Option<BoundaryArn>,

    /// IAM path of user and group [default: path in the services table of akia.toml, else /service/]
    #[arg(long, value_name = "PATH")]
    pub path: Option<IamPath>,

    /// Allow only requests from these public addresses (repeatable)
    ///
    /// The condition goes into every Allow of the policy. Requests through a VPC endpoint have no such address: name the VPC as well.
    #[arg(long, value_name = "CIDR")]
    pub source_ip: Vec<Cidr>,

    /// Allow only requests from this VPC, through its endpoints (repeatable)
    #[arg(long, value_name = "VPC")]
    pub source_vpc: Vec<VpcId>,

    /// With --source-ip or --source-vpc: also allow what AWS services call on with the user's rights
    ///
    /// Needed where a service that the user calls goes on to another one, and is refused there. AWS says that such calls carry
    /// the address of the user, so try without it first.
    #[arg(long)]
    pub via_services: bool,

    /// Change what is there and differs: policy, tags, boundary
    #[arg(long)]
    pub replace: bool,

    /// Take a policy that gives this; repeatable, or separated by commas
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub despite: Vec<PolicyRisk>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// What a policy may give beyond the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyRisk {
    /// Every action
    Everything,
    /// Changes of IAM
    IamWrites,
}

impl PolicyRisk {
    /// The risk that it stands for.
    #[must_use]
    pub fn risk(self) -> Risk {
        match self {
            Self::Everything => Risk::Everything,
            Self::IamWrites => Risk::IamWrites,
        }
    }
}

/// What to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Whom to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Services or users to check [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<UserName>,

    /// Exit with 4 when a finding is at least this grave: critical, high, medium, low or info
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Whose key is to be replaced.
#[derive(Debug, Args)]
pub struct ExitArgs {
    /// Service, or user
    #[arg(value_name = "NAME")]
    pub name: UserName,

    /// Kind of a place that holds the key: profile, env-file, kubernetes, github-actions … (repeatable)
    #[arg(long, value_name = "KIND")]
    pub delivered_to: Vec<String>,

    /// Show the steps of this way instead of the best
    #[arg(long, value_name = "WAY")]
    pub way: Option<Way>,

    /// Region whose CloudTrail is asked, too (repeatable) [default: that of the profile, and the one of IAM]
    #[arg(long = "trail-region", value_name = "REGION")]
    pub trail_regions: Vec<Region>,

    /// Write ways, trust policy and steps to this file, too (.md)
    #[arg(long, value_name = "FILE", value_parser = leaving::report_file)]
    pub write: Option<PathBuf>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// Whatever kept it from doing what was asked.
pub(crate) async fn run(context: &Context, args: ServiceArgs) -> Result<Exit, CommandError> {
    match args.act {
        ServiceVerb::Create(args) => creating::run(context, &args).await,
        ServiceVerb::List(args) => listing::run(context, &args).await,
        ServiceVerb::Check(args) => checking::run(context, &args).await,
        ServiceVerb::Exit(args) => leaving::run(context, &args).await,
        ServiceVerb::Templates => templates::run(context),
    }
}
