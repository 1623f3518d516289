//! `akia setup`: put a key into a profile and prove it.
//!
//! Invariant: a key that exists is checked with AWS before anything is written. A key that akia makes is written at
//! once, because its secret exists nowhere else, and checked then; where it cannot be written it is deleted again.

use std::path::PathBuf;
use std::time::SystemTime;

use akia_core::cheatsheet::{Connection, Operation, Setting, quote};
use akia_core::key::{AccessKey, KeyStatus};
use akia_core::rotation::Identity;
use akia_core::{AccessKeyId, Partition, ProfileName, Region, UserName};
use akia_io::aws::{AwsError, IdentityKind};
use akia_io::place::KeyPair;
use akia_io::profiles::AwsFiles;
use akia_io::state::Lock;
use clap::{Args, ValueEnum};

use super::Consent;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};
use crate::setup::proof::{self, Owner};
use crate::setup::source::{self, Age, FromCsv};
use crate::setup::spot::{Held, Spot, Wish};
use crate::signing::{self, Mfa, Signed, Whose};
use crate::{aws_cli, prompt, workbench};

/// Put a key into a profile: typed, from the console's CSV file, copied, or newly created
///
/// The key is checked with AWS before anything is written. Then the secret goes to the credentials file (or to the
/// keychain of this machine) and the region and output format to the config file, both readable by you alone. A root
/// key is refused, and so are temporary credentials. Without --from-csv, --from-profile and --create, akia asks for the
/// key without showing the secret; where standard input is no terminal, it reads two lines: id, secret. --region is
/// written to the profile; with --create, --profile names who signs.
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
        let spot = Spot::find(context, &files, &target, args.store)?;
        return create(context, &args, &files, spot).await;
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
    let known = csv.as_ref().map(|csv| &csv.pair).or(copied.as_ref());
    may_replace(context, &args, &files, &spot, known).await?;
    let pair = match known {
        Some(pair) => pair.duplicate(),
        None => source::typed(context)?,
    };
    put(context, &args, &files, &spot, pair, csv.as_ref()).await
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

/// Refuses to write over a key that nobody said to replace.
async fn may_replace(
    context: &Context,
    args: &SetupArgs,
    files: &AwsFiles,
    spot: &Spot,
    new: Option<&KeyPair>,
) -> Result<(), CommandError> {
    let profile = &spot.profile;
    if args.replace || new.is_some_and(|new| spot.held_key() == Some(&new.id)) {
        return Ok(());
    }
    let what = match &spot.held {
        Held::Nothing => match &spot.keychain_leftover {
            Some(id) => format!("the keychain holds {id} for profile \"{profile}\" already"),
            None => return Ok(()),
        },
        Held::Remains { what, .. } => format!("profile \"{profile}\" {what}"),
        Held::InKeychain { id: None } => return Ok(()),
        Held::InFile { .. } | Held::InKeychain { id: Some(_) } => {
            let whose = held_owner(context, files, spot).await;
            let id = spot.held_key().map(ToString::to_string).unwrap_or_default();
            format!("profile \"{profile}\" holds the key {id} already ({whose})")
        }
    };
    let name = quote(profile.as_str());
    let told = CommandError::decision(what).now("nothing was changed");
    Err(if spot.held_key().is_some() {
        told.next(format!("akia rotate -p {name} (a new key for the same user, safely)"))
            .next("add --replace to write over it; the key itself stays in AWS and is not deleted")
            .next("or name another profile: akia setup NAME")
    } else {
        told.next("add --replace to write over it")
    })
}

/// Whose key the profile holds, in words. An answer that cannot be had is said to be unknown.
async fn held_owner(context: &Context, files: &AwsFiles, spot: &Spot) -> String {
    let pair = match &spot.held {
        Held::InFile { id, file } => {
            files.secret(&spot.profile, *file).ok().map(|secret| KeyPair { id: id.clone(), secret })
        }
        Held::InKeychain { .. } => source::keychain_pair(context, &spot.profile).ok().flatten(),
        Held::Nothing | Held::Remains { .. } => None,
    };
    let (Some(pair), Ok(aws)) = (pair, workbench::aws(context)) else { return "whose is unknown".to_owned() };
    let region = context.globals.region.as_ref();
    let target = files.target(&spot.profile, region).unwrap_or_default();
    match proof::identity(context, &aws, &pair, &target, Age::Any).await {
        Ok(identity) => match identity.kind() {
            IdentityKind::User(arn) => format!("user {}, account {}", arn.name, arn.account),
            IdentityKind::Root { account } => format!("the root user of account {account}"),
            IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other => identity.arn,
        },
        Err(AwsError::InvalidClientTokenId { .. }) => match pair.id.account() {
            Some(account) => format!("of account {account}; AWS does not accept it any more"),
            None => "AWS does not accept it any more".to_owned(),
        },
        Err(_) => match pair.id.account() {
            Some(account) => format!("of account {account}"),
            None => "whose is unknown".to_owned(),
        },
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
    let plan = Plan { owner: &owner, key: Some(&pair.id), wish: &wish, spot, notes, signer: None };
    print_plan(context, args, files, &plan, csv).await;
    if args.consent.dry_run {
        return report(context, &plan, "would be written");
    }
    prompt::confirm(context, args.consent.yes, "Write this key?")?;
    spot.write(context, &state, files, &wish, &places, &pair).await?;
    if let Some(csv) = csv {
        after_csv(context, args, csv)?;
    }
    let exit = report(context, &plan, "written")?;
    say_next(context, &plan);
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

/// Makes a key and writes it.
async fn create(context: &Context, args: &SetupArgs, files: &AwsFiles, spot: Spot) -> Result<Exit, CommandError> {
    may_replace(context, args, files, &spot, None).await?;
    let signed = signing::sign(context, files, Mfa::IfPossible).await?;
    let whose = signing::whose(&signed, args.user.as_ref()).await?;
    let owner = Owner { user: whose.user.clone(), account: whose.account.clone() };
    let state = workbench::state_folder(context)?;
    let before = signed.caller.access_keys(Some(&owner.user)).await;
    let before = before.map_err(|error| signing::refused(&format!("the keys of {owner} cannot be listed"), &error))?;
    if before.len() >= 2 {
        return Err(no_room(&whose, &before));
    }
    let wish = wish(context, args, &spot, whose.caller.partition(), false)?;
    let places = workbench::places(context, &state);
    let notes = spot.rehearse(files, &wish, &places).await?;
    let plan = Plan { owner: &owner, key: None, wish: &wish, spot: &spot, notes, signer: Some(&signed) };
    print_plan(context, args, files, &plan, None).await;
    if args.consent.dry_run {
        return report(context, &plan, "would be created");
    }
    prompt::confirm(context, args.consent.yes, "Create this key?")?;
    let _lock = lock(&state, &signed, &whose).await?;
    // Marks the request in CloudTrail; the moment is unique enough for one user.
    let nonce = format!("setup-{:x}", context.started_at.as_nanosecond());
    let new = match signed.caller.create_access_key(&owner.user, &nonce).await {
        Ok(new) => new,
        Err(error) if error.outcome_is_known() => return Err(create_refused(&owner, &whose, &error)),
        Err(error) => return Err(create_unanswered(&signed, &owner, &whose, &before, &error).await),
    };
    let pair = KeyPair { id: new.id, secret: new.secret };
    context.say(&format!("created {}", pair.id));
    if let Err(error) = spot.write(context, &state, files, &wish, &places, &pair).await {
        return Err(take_back(&signed, &owner, &whose, &pair.id, error).await);
    }
    let plan = Plan { key: Some(&pair.id), ..plan };
    let aws = workbench::aws(context)?;
    let exit = match proof::identity(context, &aws, &pair, signed.caller.target(), Age::New).await {
        Ok(_) => report(context, &plan, "created")?,
        Err(error) => {
            report(context, &plan, "created")?;
            return Err(CommandError::new(Exit::Partly, format_args!("the new key is not known to AWS yet: {error}"))
                .now(format!("profile \"{}\" holds {}, which AWS has created", spot.profile, pair.id))
                .next("wait a minute, then: akia status"));
        }
    };
    say_next(context, &plan);
    Ok(exit)
}

/// Keeps rotations of the same user apart from this: they give up when a key that is not theirs appears. Whoever may
/// not read the user goes without.
async fn lock(
    state: &akia_io::state::StateFolder,
    signed: &Signed,
    whose: &Whose,
) -> Result<Option<Lock>, CommandError> {
    let Ok(user) = signed.caller.user(Some(&whose.user)).await else { return Ok(None) };
    let identity = Identity { arn: user.arn, user_id: user.id };
    akia_io::rotate::lock_user(state, &identity).map(Some).map_err(|error| {
        CommandError::failed(format_args!("another akia works on user {}: {error}", whose.user))
            .next("let it finish, then run the same command again")
    })
}

fn no_room(whose: &Whose, keys: &[AccessKey]) -> CommandError {
    let (user, flag) = (&whose.user, whose.flag());
    let listed: Vec<String> =
        keys.iter().map(|key| format!("{} ({})", key.id, key.status.as_str().to_lowercase())).collect();
    let told = CommandError::decision(format_args!(
        "user {user} has {} keys already, and AWS allows two: {}",
        keys.len(),
        listed.join(", ")
    ))
    .now("nothing was changed")
    .next(format!("akia key list{flag} (which one is not used)"));
    match keys.iter().find(|key| key.status == KeyStatus::Inactive) {
        Some(key) => told.next(format!("akia key delete {}{flag}", key.id)),
        None => told.next("akia rotate -p PROFILE (a new key in place of one of them)"),
    }
}

fn create_refused(owner: &Owner, whose: &Whose, error: &AwsError) -> CommandError {
    let told = CommandError::failed(format_args!("no key was created for {owner}: {error}"));
    match error {
        AwsError::AccessDenied { .. } => {
            let policy = if whose.own { "create-own-keys" } else { "rotate-others-keys" };
            told.next(format!("akia policy {policy} (the policy to ask your administrator for)"))
        }
        AwsError::LimitExceeded { .. } => told.next(format!("akia key list{}", whose.flag())),
        _ => told.next("akia policy check"),
    }
}

/// The answer is lost: says what is true, as far as can be known, and never tries again by itself.
async fn create_unanswered(
    signed: &Signed,
    owner: &Owner,
    whose: &Whose,
    before: &[AccessKey],
    error: &AwsError,
) -> CommandError {
    let flag = whose.flag();
    let told = CommandError::decision(format_args!(
        "it is not known whether AWS has created a key for {owner}: the answer is lost ({error})"
    ));
    let now = signed.caller.access_keys(Some(&owner.user)).await.unwrap_or_default();
    let new = now.iter().find(|key| before.iter().all(|old| old.id != key.id));
    match new {
        Some(key) => told
            .now(format!(
                "nothing was written; AWS lists {}, which was not there before: most likely it is this one, active, \
                 and nobody has its secret",
                key.id
            ))
            .next(format!(
                "akia key deactivate {}{flag}, then akia key delete {}{flag} (if nobody else made it)",
                key.id, key.id
            ))
            .next("then run the same command again"),
        None => told
            .now("nothing was written; AWS lists no new key so far, but one may still appear within a minute")
            .next(format!("akia key list{flag} (in a minute: a new key that nobody knows is this one)"))
            .next("if there is none, run the same command again"),
    }
}

/// The secret could not be kept, so the key is of no use to anybody.
async fn take_back(
    signed: &Signed,
    owner: &Owner,
    whose: &Whose,
    key: &AccessKeyId,
    error: CommandError,
) -> CommandError {
    match signed.caller.delete_access_key(&owner.user, key).await {
        Ok(_) => {
            let now = format!("the new key {key} was deleted again");
            let now =
                if error.exit == Exit::Partly { format!("{now}; {}", error.now.unwrap_or_default()) } else { now };
            CommandError { now: Some(now), ..error }
        }
        Err(delete) => {
            let flag = whose.flag();
            CommandError::new(Exit::Partly, &error.what)
                .now(format!(
                    "the key {key} exists, is active, and its secret may be lost; it could not be deleted ({delete})"
                ))
                .next(format!("akia key deactivate {key}{flag}"))
                .next(format!("akia key delete {key}{flag}"))
        }
    }
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

/// What will be done, to be shown.
struct Plan<'a> {
    owner: &'a Owner,
    key: Option<&'a AccessKeyId>,
    wish: &'a Wish,
    spot: &'a Spot,
    notes: Vec<String>,
    signer: Option<&'a Signed>,
}

async fn print_plan(context: &Context, args: &SetupArgs, files: &AwsFiles, plan: &Plan<'_>, csv: Option<&FromCsv>) {
    let Plan { owner, key, wish, spot, notes, signer } = plan;
    match (key, signer) {
        (Some(key), _) => context.say(&format!("setup   key {key} of {owner}; AWS accepts it")),
        (None, Some(Signed { key: by, profile: Some(profile), .. })) => {
            context.say(&format!("create  a key for {owner}, signed by {by} of profile \"{profile}\""));
        }
        (None, Some(Signed { key: by, profile: None, .. })) => {
            context.say(&format!("create  a key for {owner}, signed by {by} of the environment"));
        }
        (None, None) => {}
    }
    for line in spot.lines(files, wish) {
        context.say(&format!("        {line}"));
    }
    let same = key.is_some() && spot.held_key() == *key;
    match &spot.held {
        Held::InFile { .. } | Held::InKeychain { id: Some(_) } if same => {
            context.say("        the profile holds this key already");
        }
        Held::InFile { .. } | Held::InKeychain { id: Some(_) } => {
            let old = spot.held_key().map(ToString::to_string).unwrap_or_default();
            let whose = held_owner(context, files, spot).await;
            context.say(&format!("        in place of {old} ({whose}); that key stays in AWS and is not deleted,"));
            context.say("        but its secret is gone from this profile for good");
            if whose != owner.to_string() {
                context.say("        warning: the profile changes hands: another user or account than before");
            }
        }
        Held::Remains { what, .. } => context.say(&format!("        in place of what is there: the profile {what}")),
        Held::InKeychain { id: None } | Held::Nothing => {}
    }
    if let Some(id) = spot.keychain_leftover.as_ref().filter(|id| spot.held_key() != Some(*id) && Some(*id) != *key) {
        context.say(&format!("        in place of {id} in the keychain"));
    }
    if let Some(name) = &args.from_profile {
        context.say(&format!(
            "        note: profiles \"{name}\" and \"{}\" then share one key, which is second best: whoever loses it \
             loses both, and use of the one cannot be told from the other; akia rotate rotates them together",
            spot.profile
        ));
    }
    if let Some(csv) = csv {
        if csv.user.as_ref().is_some_and(|user| !user.as_str().eq_ignore_ascii_case(owner.user.as_str())) {
            context.say("        warning: the file names another user than AWS does");
        }
        if args.delete_csv {
            let password = if csv.password { " (a console password may stand in it, too)" } else { "" };
            context.say(&format!("        then delete {}{password}", csv.path.display()));
        }
    }
    if wish.region.is_none() && spot.region.is_none() {
        context.say("        note: the profile has no region; add --region to give it one");
    }
    for note in notes {
        context.say(&format!("        note: {note}"));
    }
    if context.globals.show_aws_cli {
        aws_cli::print(context, &steps(context, args, plan));
    }
}

/// The same by hand.
fn steps(context: &Context, args: &SetupArgs, plan: &Plan<'_>) -> Vec<akia_core::cheatsheet::Step> {
    let endpoint_url = context.globals.endpoint_url.as_ref().map(|endpoint| endpoint.url().to_string());
    let with = |profile: Option<ProfileName>| Connection { profile, region: None, endpoint_url: endpoint_url.clone() };
    let into = Connection { profile: Some(plan.spot.profile.clone()), ..Connection::default() };
    let mut steps = Vec::new();
    if let Some(signed) = plan.signer {
        let user = args.user.clone();
        steps.push(aws_cli::step(&Operation::CreateAccessKey { user }, &with(signed.profile.clone())));
    }
    steps.push(aws_cli::step(&Operation::ConfigureKey, &into));
    if let Some(region) = &plan.wish.region {
        let set = Operation::ConfigureSet { setting: Setting::Region, value: region.to_string() };
        steps.push(aws_cli::step(&set, &into));
    }
    if let Some(output) = plan.wish.output {
        let set = Operation::ConfigureSet { setting: Setting::Output, value: output.as_str().to_owned() };
        steps.push(aws_cli::step(&set, &into));
    }
    steps.push(aws_cli::step(&Operation::CallerIdentity, &with(into.profile.clone())));
    steps
}

fn report(context: &Context, plan: &Plan<'_>, done: &str) -> Result<Exit, CommandError> {
    let columns = vec![
        Column::new("profile", "PROFILE"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("user", "USER"),
        Column::whole("account", "ACCOUNT"),
        Column::new("store", "SECRET IN"),
        Column::new("region", "REGION"),
        Column::new("state", "STATE"),
    ];
    let region = plan.wish.region.as_ref().or(plan.spot.region.as_ref());
    let store = match plan.wish.store {
        SecretStore::File => "file",
        SecretStore::Keychain => "keychain",
    };
    let mut report = Report::new("setup", "profiles", columns);
    let mut row = Row::from(vec![
        Cell::text(&plan.spot.profile),
        Cell::maybe(plan.key),
        Cell::text(&plan.owner.user),
        Cell::text(&plan.owner.account),
        Cell::text(store),
        Cell::maybe(region),
        Cell::text(done),
    ]);
    let replaced = plan.spot.held_key().filter(|old| Some(*old) != plan.key);
    row.details.insert("replaced_key".into(), serde_json::json!(replaced));
    report.push(row);
    context.print(&report)?;
    Ok(Exit::Done)
}

fn say_next(context: &Context, plan: &Plan<'_>) {
    let profile = &plan.spot.profile;
    if *profile != ProfileName::default_name() {
        context.say(&format!("use it: aws sts get-caller-identity --profile {}", quote(profile.as_str())));
    }
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
