//! `akia setup`: put a key into a profile and prove it.
//!
//! Invariant: a key that exists is checked with AWS before anything is written. A key that akia makes is written at
//! once, because its secret exists nowhere else, and checked then; where it cannot be written it is deleted again.

use std::path::PathBuf;
use std::time::SystemTime;

use akia_core::{Partition, ProfileName, Region, UserName};
use akia_io::place::KeyPair;
use akia_io::profiles::AwsFiles;
use clap::{Args, ValueEnum};

use super::Consent;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::setup::Asker;
use crate::setup::create::{self, NewKey};
use crate::setup::plan::Plan;
use crate::setup::proof;
use crate::setup::replace::may_replace;
use crate::setup::source::{self, Age, FromCsv};
use crate::setup::spot::{Spot, Wish};
use crate::{endpoints, prompt, workbench};

/// Put a key into a profile: typed, from the console's CSV file, copied, or newly created
///
/// The key is checked with AWS before anything is written. Then the secret goes to the credentials file (or to the
/// keychain of this machine) and the region and output format to the config file, both readable by you alone. A root
/// key is refused, and so are temporary credentials. Without --from-csv, --from-profile and --create, akia asks for the
/// key without showing the secret; where standard input is no terminal, it reads two lines: id, secret. --region is
/// written to the profile; with --create, --profile names who signs.
///
/// With --create, AWS tells the new secret once. akia deletes the key again if it cannot be written, and ends only after
/// that if it is told to. If it is killed outright (kill -9, a power cut) in between, a key is left whose secret nobody
/// has: `akia key list` shows it as never used and in no profile. Delete it, and run the command again.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia setup", "ask for the key of the default profile"),
    ("akia setup work --region eu-west-1", "ask for the key of profile `work`"),
    ("pass aws/work | akia setup work --yes", "take id and secret, a line each, from another program"),
    ("akia setup work --from-csv alice_accessKeys.csv --delete-csv", "take it from the console's file"),
    ("akia setup work --create --profile admin --user alice", "create a key for alice, signed by `admin`"),
    ("akia setup build --from-profile work", "give `build` the key of `work`"),
    ("akia setup work --store keychain", "keep the secret out of the files"),
]))]
pub struct SetupArgs {
    /// Profile to write [default: AWS_PROFILE, else default]
    #[arg(value_name = "PROFILE")]
    pub target: Option<ProfileName>,

    /// Take the key from a CSV file of the AWS console
    #[arg(long, value_name = "FILE", conflicts_with_all = ["create", "from_profile"])]
    pub from_csv: Option<PathBuf>,

    /// Delete the CSV file once the key is stored and read back
    #[arg(long, requires = "from_csv")]
    pub delete_csv: bool,

    /// Take the key of this user, where the CSV file has several
    #[arg(long, value_name = "NAME", requires = "from_csv")]
    pub csv_user: Option<UserName>,

    /// Copy the key of another profile
    ///
    /// Second best: both profiles then share one key. `akia rotate` rotates them together.
    #[arg(long, value_name = "NAME", conflicts_with = "create")]
    pub from_profile: Option<ProfileName>,

    /// Create a new key, for yourself or for --user
    #[arg(long)]
    pub create: bool,

    /// IAM user that the new key is for [default: yourself]
    #[arg(long, value_name = "NAME", requires = "create")]
    pub user: Option<UserName>,

    /// Output format that the AWS CLI shall use with this profile
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub default_output: Option<AwsOutput>,

    /// Where the secret is kept
    #[arg(long, value_name = "STORE", value_enum, default_value_t = SecretStore::File)]
    pub store: SecretStore,

    /// Replace the key that the profile holds now; that key itself is not deleted
    #[arg(long)]
    pub replace: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// Runs the command.
///
/// # Errors
/// When the key is not to be had, is refused, or cannot be written.
pub(crate) async fn run(context: &Context, args: SetupArgs) -> Result<Exit, CommandError> {
    let files = context.aws_files()?;
    let target = target(context, &args)?;
    if args.create {
        let ask = NewKey {
            asker: asker(&args),
            into: &target,
            user: args.user.as_ref(),
            store: args.store,
            region: context.globals.region.clone(),
            output: args.default_output,
            consent: args.consent,
        };
        return create::create(context, &ask, &files).await;
    }
    let csv = match &args.from_csv {
        Some(path) => Some(source::csv(path, args.csv_user.as_ref(), SystemTime::now())?),
        None => None,
    };
    if let Some(csv) = csv.as_ref().filter(|csv| args.delete_csv && csv.others > 0) {
        return Err(CommandError::failed(format_args!(
            "{} holds {}: --delete-csv would lose {}",
            csv.path.display(),
            if csv.others == 1 { "one more key".to_owned() } else { format!("{} more keys", csv.others) },
            if csv.others == 1 { "it" } else { "them" }
        ))
        .next("set up all of them first, without --delete-csv, then delete the file"));
    }
    let copied = match &args.from_profile {
        Some(name) if *name == target => {
            return Err(CommandError::usage(format_args!("profile \"{target}\" cannot be copied onto itself")));
        }
        Some(name) => Some(source::profile(context, &files, name)?),
        None => None,
    };
    let spot = Spot::find(context, &files, &target, args.store)?;
    // Before a secret is asked for: what an endpoint says of it would decide on writing it.
    let calls_to =
        files.target(&target, context.globals.region.as_ref()).map_err(|error| CommandError::failed(&error))?;
    endpoints::check(&workbench::aws(context)?, &calls_to)?;
    // Nobody has to type what is piped: it is read first, so that the same key again may mend its own secret.
    let piped = match (&csv, &copied) {
        (None, None) if !context.terminal.stdin => Some(source::typed(context)?),
        _ => None,
    };
    let known = csv.as_ref().map(|csv| &csv.pair).or(copied.as_ref()).or(piped.as_ref());
    may_replace(context, asker(&args), &files, &spot, known).await?;
    let pair = match known {
        Some(pair) => pair.duplicate(),
        None => source::typed(context)?,
    };
    put(context, &args, &files, &spot, pair, csv.as_ref()).await
}

fn asker(args: &SetupArgs) -> Asker {
    Asker::Setup { replace: args.replace }
}

/// The profile to write. `-p` names it, too, where nothing has to be signed.
fn target(context: &Context, args: &SetupArgs) -> Result<ProfileName, CommandError> {
    match &args.target {
        Some(target) => {
            let flag = &context.globals.profiles;
            if !args.create && flag.iter().any(|name| name != target) {
                return Err(CommandError::usage(
                    "PROFILE and --profile name different profiles; --profile says who signs, and only with --create",
                ));
            }
            Ok(target.clone())
        }
        None if args.create => context.unflagged_profile(),
        None => Ok(context.profile()?.name().clone()),
    }
}

/// Checks a key that exists, and writes it.
async fn put(
    context: &Context,
    args: &SetupArgs,
    files: &AwsFiles,
    spot: &Spot,
    pair: KeyPair,
    csv: Option<&FromCsv>,
) -> Result<Exit, CommandError> {
    let age = csv.map_or(Age::Any, |csv| csv.age);
    let aws = workbench::aws(context)?;
    let calls_to =
        files.target(&spot.profile, context.globals.region.as_ref()).map_err(|error| CommandError::failed(&error))?;
    let identity = proof::identity(context, &aws, &pair, &calls_to, age).await;
    let identity = identity.map_err(|error| proof::refused(&pair, &error, age))?;
    let owner = proof::owner(&pair, &identity)?;
    if let (Some(csv), Some(named)) = (csv, &args.csv_user)
        && csv.user.is_none()
        && !named.as_str().eq_ignore_ascii_case(owner.user.as_str())
    {
        return Err(CommandError::failed(format_args!("the key in the file is that of {owner}, not of user {named}")));
    }
    let wish = wish(context, args, spot, identity.partition(), csv.is_none() && args.from_profile.is_none())?;
    let state = workbench::state_folder(context)?;
    let places = workbench::places(context, &state);
    let notes = spot.rehearse(files, &wish, &places).await?;
    let plan = Plan {
        asker: asker(args),
        owner: &owner,
        key: Some(&pair.id),
        wish: &wish,
        spot,
        notes,
        signer: None,
        copied_from: args.from_profile.as_ref(),
        csv: csv.map(|csv| (csv, args.delete_csv)),
    };
    plan.print(context, files).await;
    if args.consent.dry_run {
        return plan.report_dry(context, "would be written");
    }
    prompt::confirm(context, args.consent.yes, "Write this key?")?;
    spot.write(context, &state, files, &wish, &places, &pair).await?;
    if let Some(csv) = csv {
        after_csv(context, args, csv)?;
    }
    let exit = plan.report(context, "written")?;
    plan.say_next(context);
    Ok(exit)
}

/// The file has served its purpose and holds the secret.
fn after_csv(context: &Context, args: &SetupArgs, csv: &FromCsv) -> Result<(), CommandError> {
    let path = csv.path.display();
    if !args.delete_csv {
        context.say(&format!("{path} holds the secret and is not needed any more: delete it"));
        return Ok(());
    }
    std::fs::remove_file(&csv.path).map_err(|error| {
        CommandError::new(Exit::Partly, format_args!("{path} cannot be deleted: {error}"))
            .now("the key is written and read back; the file still holds the secret")
            .next("delete the file by hand")
    })?;
    context.say(&format!("deleted {path}"));
    Ok(())
}

/// What is to be written. Where a person types, and no region is known, the region is asked for.
fn wish(
    context: &Context,
    args: &SetupArgs,
    spot: &Spot,
    partition: Option<Partition>,
    typed: bool,
) -> Result<Wish, CommandError> {
    let mut region = context.globals.region.clone();
    if region.is_none() && spot.region.is_none() && typed && context.terminal.can_ask() && !args.consent.yes {
        let usual = context.aws_options()?.region.unwrap_or_else(|| partition.unwrap_or(Partition::Aws).iam_region());
        region = Some(ask_region(context, &usual)?);
    }
    Ok(Wish { store: args.store, region, output: args.default_output })
}

fn ask_region(context: &Context, usual: &Region) -> Result<Region, CommandError> {
    for _ in 0..3 {
        let answer = prompt::ask(context, &format!("Region for this profile [{usual}]: "))?;
        if answer.is_empty() {
            return Ok(usual.clone());
        }
        match answer.parse() {
            Ok(region) => return Ok(region),
            Err(error) => context.say(&format!("{error}; once more")),
        }
    }
    Err(CommandError::failed("no region was named").next("add --region, for example --region eu-west-1"))
}

/// Where `setup` keeps the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SecretStore {
    /// In the credentials file.
    File,
    /// In the keychain of this machine; the profile gets a `credential_process`.
    Keychain,
}

/// The values of `output` in the AWS config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AwsOutput {
    /// JSON, the AWS CLI's default.
    Json,
    /// Tab-separated.
    Text,
    /// For people.
    Table,
    /// YAML.
    Yaml,
    /// YAML, streamed.
    YamlStream,
    /// Nothing; AWS CLI 2.
    Off,
}

impl AwsOutput {
    /// The value as it stands in the config file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Table => "table",
            Self::Yaml => "yaml",
            Self::YamlStream => "yaml-stream",
            Self::Off => "off",
        }
    }
}
