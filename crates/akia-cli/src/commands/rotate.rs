//! `akia rotate`: new keys for profiles, and for services.

mod services;

use std::sync::Arc;

use akia_core::journal::Event;
use akia_core::rotation::{Pace, Place, Probe, Rest, Retirement, Rotation, Signer};
use akia_core::{AccessKeyId, LastUsed, ProfileName, RotationId, ServiceName, UserName};
use akia_io::rotate::{DriveError, Driver, Options, Prepared, PreparedRotation, Refused, Selection, Subject};
use clap::{Args, ValueEnum};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Consent;
use crate::args::{ConfigArgs, span};
use crate::context::{Context, Selection as Asked};
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone, age};
use crate::rotations::{self, Locks};
use crate::workbench::Workbench;
use crate::{aws_cli, prompt};

/// How long an old key is kept for an undo where nothing is said.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Give profiles or services a new key: create, prove, store everywhere, retire the old one
///
/// The new key is stored durably before anything else happens, proven until AWS knows it for good, written to every
/// profile that held the old one, read back, and only then the old key is deactivated. It is deleted after the grace
/// period, by `akia retire` or the next run; until then `akia undo` brings it back. Profiles that share a key are
/// rotated together, profiles of different users at the same time.
///
/// The key of a service goes to every place that `akia.toml` declares for it. The old key stays active and is watched until nobody has
/// used it for a while; the next run, or `akia resume`, then deactivates it, and one after the grace period deletes it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia rotate", "the default profile, or AWS_PROFILE"),
    ("akia rotate -p work -p private", "two profiles"),
    ("akia rotate --all-profiles --older-than 90d --yes", "every key older than 90 days, unasked"),
    ("akia rotate --all-profiles --dry-run", "only the plan"),
    ("akia rotate -p work --retire delete", "delete the old key at once, without a way back"),
    ("akia rotate -p work --mfa-code 123456", "with the code of your MFA device"),
    ("akia rotate --service billing --dry-run", "the key of a service of akia.toml: which places it would go to"),
    ("akia rotate --all-services --yes", "every service whose key is due, and what earlier runs have begun: run it each night"),
]))]
pub struct RotateArgs {
    /// Rotate every profile that holds a key
    #[arg(short, long, conflicts_with_all = ["profiles", "user", "services", "all_services"])]
    pub all_profiles: bool,

    /// Rotate the key of this service of akia.toml (repeatable)
    #[arg(long = "service", value_name = "NAME", conflicts_with_all = ["user", "all_services"])]
    pub services: Vec<ServiceName>,

    /// Rotate every service of akia.toml: those whose key is due by their max-age, and those without one
    #[arg(long, conflicts_with = "user")]
    pub all_services: bool,

    /// Rotate only keys older than this, for example 90d, 12w
    #[arg(long, value_name = "AGE", value_parser = span::parse)]
    pub older_than: Option<SignedDuration>,

    /// Rotate the key of this IAM user, signed by the profile
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,

    /// How long the deactivated old key is kept for an undo [default: 7d, or what akia.toml says of the service]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub grace: Option<SignedDuration>,

    /// How long the old key of a service is watched before it is deactivated [default: what akia.toml says, or 24h]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub quiet_for: Option<SignedDuration>,

    /// What becomes of the old key [default: deactivate, or what akia.toml says of the service]
    #[arg(long, value_name = "HOW", value_enum)]
    pub retire: Option<Retire>,

    /// Deactivate the old key even where AWS does not tell whether it is still used
    #[arg(long)]
    pub without_evidence: bool,

    /// Consent to delete this other key of the user, to make room for the new one
    ///
    /// AWS allows two keys a user. akia never picks one to delete by itself.
    #[arg(long, value_name = "KEY-ID")]
    pub delete_key: Option<AccessKeyId>,

    /// The key that is replaced, where no place of the service gives it back and its user has two
    #[arg(long, value_name = "KEY-ID", requires = "services")]
    pub key: Option<AccessKeyId>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// What becomes of the displaced key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Retire {
    /// Deactivated now, deleted after the grace period.
    Deactivate,
    /// Deactivated and deleted now.
    Delete,
    /// Left active.
    Keep,
}

impl From<Retire> for Retirement {
    fn from(retire: Retire) -> Self {
        match retire {
            Retire::Deactivate => Self::Deactivate,
            Retire::Delete => Self::Delete,
            Retire::Keep => Self::Keep,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When nothing could begin.
pub(crate) async fn run(context: &Context, args: RotateArgs) -> Result<Exit, CommandError> {
    let bench = Workbench::open(context).await?;
    let draw = crate::workbench::draw()?;
    let (prepared, carried, settings) = if args.all_services || !args.services.is_empty() {
        let (prepared, carried, settings) = services::prepare(context, &args, &bench, &draw).await?;
        (prepared, carried, Some(settings))
    } else {
        let selection = selection(context, &args)?;
        let options = Options { older_than: args.older_than, ..options(context, &args)? };
        (bench.driver.prepare(&bench.files, &selection, &options, &draw).await, Vec::new(), None)
    };
    for rotation in &carried {
        context.say(&format!("resume  {}", rotations::describe(rotation, context.started_at)));
    }
    print_plan(context, &prepared);
    if args.consent.dry_run {
        print_plan_as_data(context, &prepared)?;
        return Ok(drive::overall(&refusal_codes(&prepared, prepared.rotations.is_empty())));
    }
    if prepared.rotations.is_empty() && carried.is_empty() {
        return nothing_to_do(context, &prepared);
    }
    prompt::confirm(context, args.consent.yes, &question(&prepared, carried.len()))?;
    let refused = refusal_codes(&prepared, true);
    let facts = left_out(&prepared);
    let (mut begun, mut failed, locks) = begin(&bench.driver, prepared.rotations).await;
    let mut earlier_locks = Locks::default();
    for earlier in carried {
        match services::take_up(&bench, &mut earlier_locks, &earlier).await {
            Ok(rotation) => begun.push(rotation),
            Err(error) => failed.push(NotBegun { what: error.what, exit: Exit::Failed }),
        }
    }
    let ended = drive::drive(context, &bench.driver, begun).await;
    drop(locks);
    drop(earlier_locks);
    for NotBegun { what, .. } in &failed {
        context.say(&format!("error: {what}"));
    }
    let codes: Vec<Exit> = refused.into_iter().chain(failed.iter().map(|one| one.exit)).collect();
    let exit = drive::report_with(context, "rotate", &ended, &codes, facts)?;
    if let Some(settings) = &settings {
        services::tell_owners(context, settings, &ended).await?;
    }
    if ended.iter().any(|one| matches!(one.outcome, Ok(Rest::InGrace { .. }))) {
        context.say("take it back: akia undo    when the grace is over: akia retire");
    }
    Ok(exit)
}

/// How to rotate, as the command line says.
fn options(context: &Context, args: &RotateArgs) -> Result<Options, CommandError> {
    Ok(Options {
        retirement: args.retire.unwrap_or(Retire::Deactivate).into(),
        grace: args.grace.unwrap_or(GRACE),
        older_than: None,
        make_room: args.delete_key.iter().cloned().collect(),
        region: context.aws_options()?.region,
        without_evidence: args.without_evidence,
        pace: Pace::default(),
    })
}

fn selection(context: &Context, args: &RotateArgs) -> Result<Selection, CommandError> {
    if let Some(user) = &args.user {
        return Ok(Selection::User { user: user.clone(), signer: context.profile()?.name().clone() });
    }
    Ok(match context.selection(args.all_profiles)? {
        Asked::All => Selection::All,
        Asked::Named(names) => Selection::Profiles(names),
        Asked::One(choice) => {
            refuse_environment_key(context, choice.name())?;
            Selection::Profiles(vec![choice.name().clone()])
        }
    })
}

/// A key of the environment beats every profile that nobody named, in all AWS tools: which one is meant?
fn refuse_environment_key(context: &Context, profile: &ProfileName) -> Result<(), CommandError> {
    let Some(key) = context.environment_key()? else { return Ok(()) };
    let what = format!("AWS_ACCESS_KEY_ID is set ({key}) and beats profile \"{profile}\"; which key is meant?");
    Err(CommandError::usage(what)
        .now("nothing was changed")
        .next(format!("akia rotate -p {} (the key of the profile)", akia_core::cheatsheet::quote(profile.as_str())))
        .next("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY (akia cannot rotate a key of the environment)"))
}

/// A rotation that was planned and could not begin. Nothing was created for it.
struct NotBegun {
    what: String,
    exit: Exit,
}

impl From<DriveError> for NotBegun {
    fn from(error: DriveError) -> Self {
        Self { what: error.to_string(), exit: Exit::Failed }
    }
}

/// Writes all plans down, retires what has to go first, and keeps the locks.
async fn begin(
    driver: &Driver,
    prepared: Vec<PreparedRotation>,
) -> (Vec<Rotation>, Vec<NotBegun>, Vec<Arc<akia_io::state::Lock>>) {
    let begun = join_all(prepared.into_iter().map(|one| async move {
        if let Some(earlier) = &one.retire_first {
            retire_first(driver, earlier).await?;
        }
        let rotation = driver.begin(one.plan, one.displaced_secret.as_ref(), &Quiet).await?;
        Ok((rotation, one.lock))
    }))
    .await;
    let (mut rotations, mut failed, mut locks) = (Vec::new(), Vec::new(), Vec::new());
    for one in begun {
        match one {
            Ok((rotation, lock)) => {
                rotations.push(rotation);
                locks.push(lock);
            }
            Err(error) => failed.push(error),
        }
    }
    (rotations, failed, locks)
}

/// Deletes the key that an earlier rotation left for this. Where that does not work out there is no room for a new key.
async fn retire_first(driver: &Driver, earlier: &RotationId) -> Result<(), NotBegun> {
    let (_switch, stop) = akia_io::rotate::Stop::new();
    let mut rotation = driver.load(earlier).await?;
    driver.record(&mut rotation, Event::Resumed, None, &Quiet).await?;
    let rest = driver.run(&mut rotation, &stop, &Quiet).await?;
    let exit = match &rest {
        Rest::Retired | Rest::UndoneAndClean => return Ok(()),
        Rest::Undecided { .. } => Exit::Decision,
        Rest::Busy
        | Rest::Kept
        | Rest::Watching { .. }
        | Rest::InGrace { .. }
        | Rest::Undone { .. }
        | Rest::Aborted { .. }
        | Rest::Interrupted { .. } => Exit::Failed,
    };
    let words = drive::rest_words(&rotation, &rest);
    let next = format!("next: akia resume {earlier}");
    Err(NotBegun { what: format!("no new key, for rotation {earlier} still stands in the way: {words}; {next}"), exit })
}

fn print_plan(context: &Context, prepared: &Prepared) {
    let now = context.started_at;
    for skipped in &prepared.skipped {
        context.say(&format!("skip    {}: {}", skipped.subject, skipped.reason));
    }
    for refused in &prepared.refused {
        let (whose, why) = (refused.subject.to_string(), refused.refusal.to_string());
        let whose = if why.starts_with(&whose) { String::new() } else { format!("{whose}: ") };
        context.say(&format!("refuse  {whose}{why}"));
        for (index, next) in refused.refusal.next_steps().iter().enumerate() {
            context.say(&format!("        {} {next}", if index == 0 { "next:" } else { "  or:" }));
        }
    }
    if let Some(seconds) = prepared.clock_skew_seconds {
        let (off, way) = (seconds.unsigned_abs(), if seconds > 0 { "behind" } else { "ahead of" });
        context.say(&format!("note    this machine's clock is {off} s {way} AWS: set it, or late uses may be missed"));
    }
    for one in &prepared.rotations {
        for line in plan_lines(one, now) {
            context.say(&line);
        }
        if context.globals.show_aws_cli {
            aws_cli::print(context, &aws_cli::rotation(&one.plan));
        }
    }
}

fn plan_lines(one: &PreparedRotation, now: Timestamp) -> Vec<String> {
    let plan = &one.plan;
    let created = ago(plan.displaced_created_at, now);
    let mut lines = vec![
        format!("rotate  {} ({})  key {}", plan.identity.user_name(), plan.identity.account(), plan.displaced),
        format!("        created {created}, {}", last_used_words(&one.last_used, now)),
    ];
    if let Some(earlier) = &one.retire_first {
        lines.push(format!("        first delete the key that rotation {earlier} displaced; its grace is over"));
    }
    if let Some(key) = &plan.make_room {
        lines.push(format!("        delete {key} to make room, as you said; this cannot be undone"));
    }
    if let Signer::Admin { profile } = &plan.signer {
        lines.push(format!("        signed by profile \"{profile}\""));
    }
    if let Some(probe) = &plan.probe {
        lines.push(format!("        try it out: {}", probe_words(probe)));
    }
    if plan.displaced_secret_unknown {
        lines.push("        no place gives the old secret back: once delivered, there is no undo".to_owned());
    }
    for (index, place) in plan.places.iter().enumerate() {
        let along =
            if place.profile().is_some_and(|profile| one.along.contains(profile)) { " (shares the key)" } else { "" };
        let empty = if plan.vacant.contains(&index) { " (holds none yet)" } else { "" };
        lines.push(format!("        new key to {place}{along}{empty}"));
        if let Place::Declared(declared) = place
            && let Some(torn) = declared.torn()
        {
            lines.push(format!("        note: {torn}"));
        }
    }
    if !plan.watch.is_zero() && plan.retirement != Retirement::Keep {
        lines.push(format!(
            "        watch {} for {}, and find out who still uses it",
            plan.displaced,
            age::exact(plan.watch)
        ));
    }
    lines.push(match plan.retirement {
        Retirement::Deactivate => {
            format!("        then deactivate {}, and delete it after {}", plan.displaced, age::exact(plan.grace))
        }
        Retirement::Delete => format!("        then delete {} at once; there is no undo after that", plan.displaced),
        Retirement::Keep => format!("        {} stays active", plan.displaced),
    });
    for warning in &one.warnings {
        lines.push(format!("        note: {warning}"));
    }
    lines
}

fn probe_words(probe: &Probe) -> String {
    match probe {
        Probe::Command(command) => {
            command.iter().map(|word| akia_core::cheatsheet::quote(word)).collect::<Vec<_>>().join(" ")
        }
        Probe::Get(get) => format!("GET {}", get.get),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    match age::between(at, now).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

fn last_used_words(last_used: &LastUsed, now: Timestamp) -> String {
    match last_used {
        LastUsed::Never => "never used".to_owned(),
        LastUsed::At { at, service, .. } => format!("last used {} ({service})", ago(*at, now)),
        LastUsed::Unknown { .. } => "last use unknown".to_owned(),
    }
}

fn print_plan_as_data(context: &Context, prepared: &Prepared) -> Result<(), CommandError> {
    let columns = vec![
        Column::new("profiles", "PROFILES"),
        Column::new("user", "USER"),
        Column::whole("displaced_key", "KEY"),
        Column::whole("created_at", "AGE"),
        Column::new("action", "ACTION"),
        Column::new("reason", "REASON"),
    ];
    let mut report = Report::new("rotate-plan", "profiles", columns);
    for one in &prepared.rotations {
        let plan = &one.plan;
        let mut row = Row::from(vec![
            Cell::list(drive::profiles_of(plan)),
            Cell::text(plan.identity.user_name()),
            Cell::text(&plan.displaced),
            Cell::age(plan.displaced_created_at, context.started_at),
            Cell::text("rotate").tone(Tone::Good),
            Cell::empty(),
        ]);
        row.details.insert("account".into(), json!(plan.identity.account()));
        row.details.insert("places".into(), json!(plan.places));
        row.details.insert("retirement".into(), json!(plan.retirement));
        row.details.insert("grace_seconds".into(), json!(plan.grace.as_secs()));
        report.push(row);
    }
    for refused in &prepared.refused {
        let cells = vec![
            Cell::list(profiles_in(&refused.subject)),
            Cell::empty(),
            Cell::empty(),
            Cell::empty(),
            Cell::text("refuse").tone(Tone::Bad),
            Cell::text(&refused.refusal),
        ];
        report.push(cells);
    }
    for skipped in &prepared.skipped {
        let cells = vec![
            Cell::list(profiles_in(&skipped.subject)),
            Cell::empty(),
            Cell::empty(),
            Cell::empty(),
            Cell::text("skip").tone(Tone::Quiet),
            Cell::text(&skipped.reason),
        ];
        report.push(cells);
    }
    context.print(&report)
}

/// A code for each refusal; `Done` where something else can go ahead, unless how that went is told apart.
fn refusal_codes(prepared: &Prepared, none_left: bool) -> Vec<Exit> {
    let mut codes: Vec<Exit> = prepared.refused.iter().map(refusal_code).collect();
    if !none_left {
        codes.push(Exit::Done);
    }
    codes
}

fn refusal_code(refused: &Refused) -> Exit {
    if refused.refusal.needs_decision() { Exit::Decision } else { Exit::Failed }
}

fn nothing_to_do(context: &Context, prepared: &Prepared) -> Result<Exit, CommandError> {
    let codes = refusal_codes(prepared, true);
    if codes.is_empty() {
        context.say("nothing to rotate");
    } else {
        context.say("nothing was changed");
    }
    drive::report_with(context, "rotate", &[], &codes, left_out(prepared))
}

/// What is not rotated, and why, for programs; people have read it in the plan.
fn left_out(prepared: &Prepared) -> Vec<(&'static str, serde_json::Value)> {
    let refused: Vec<_> = prepared
        .refused
        .iter()
        .map(|one| {
            json!({
                "profiles": profiles_of(&one.subject),
                "service": service_of(&one.subject),
                "reason": one.refusal.to_string(),
                "next": one.refusal.next_steps(),
                "needs_decision": one.refusal.needs_decision(),
            })
        })
        .collect();
    let skipped: Vec<_> =
        prepared.skipped.iter().map(|one| {
        json!({ "profile": profiles_of(&one.subject).first(), "service": service_of(&one.subject), "reason": one.reason })
    }).collect();
    vec![("refused", json!(refused)), ("skipped", json!(skipped))]
}

fn question(prepared: &Prepared, carried: usize) -> String {
    match (prepared.rotations.len(), carried) {
        (0, 1) => "Go on with this rotation?".to_owned(),
        (0, count) => format!("Go on with these {count} rotations?"),
        (1, 0) => "Rotate this key?".to_owned(),
        (count, 0) => format!("Rotate these {count} keys?"),
        (new, carried) => format!("Rotate {new} and go on with {carried}?"),
    }
}

fn profiles_of(subject: &Subject) -> &[ProfileName] {
    match subject {
        Subject::Profiles(names) => names,
        Subject::Service(_) => &[],
    }
}

fn service_of(subject: &Subject) -> Option<&ServiceName> {
    match subject {
        Subject::Profiles(_) => None,
        Subject::Service(name) => Some(name),
    }
}

/// Whose key it is, for a column.
fn profiles_in(subject: &Subject) -> Vec<String> {
    match subject {
        Subject::Profiles(names) => names.iter().map(ToString::to_string).collect(),
        Subject::Service(name) => vec![format!("service {name}")],
    }
}
