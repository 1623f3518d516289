//! `akia history`: what the journal knows.

use std::collections::HashMap;

use akia_core::checkpoint::BucketPlace;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Rest, Rotation};
use akia_core::{AccessKeyId, RotationId};
use akia_io::checkpoint::Found;
use akia_io::store::{Entry, Hash, Head, SharedStore, StoreError, Threads};
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use serde_json::json;

use crate::args::{ConfigArgs, span};
use crate::audit::words::counted;
use crate::context::{Context, Selection};
use crate::drive;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};
use crate::rotations::Known;
use crate::sealing::{self, Wish};
use crate::signing::{self, Mfa};
use crate::workbench;

/// Show what akia did: rotations, their steps, and whether the journal was tampered with
///
/// Plain `akia history` lists the rotations, the latest first. The journal holds no secret in the clear.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia history", "all rotations"),
    ("akia history list -p work --since 90d", "those of profile `work` in the last 90 days"),
    ("akia history show r-0123456789abcdef", "each step of one rotation"),
    ("akia history verify", "check the chain of hashes"),
    ("akia history seal s3://example-log/akia --retain 400d", "a signed checkpoint that nobody can replace"),
    ("akia history verify --sealed s3://example-log/akia", "against every checkpoint"),
]))]
pub struct HistoryArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: Option<HistoryVerb>,
}

/// What to show.
#[derive(Debug, Subcommand)]
pub enum HistoryVerb {
    /// List rotations, the latest first
    #[command(after_long_help = super::examples(&[("akia history list --since 90d --output json", "for a script")]))]
    List(ListArgs),
    /// Show each step of one rotation
    #[command(after_long_help = super::examples(&[("akia history show r-0123456789abcdef", "one rotation")]))]
    Show(ShowArgs),
    /// Check that no record of the journal was changed, removed or inserted
    #[command(after_long_help = super::examples(&[("akia history verify --expect 3f1b…", "against a hash that you noted earlier")]))]
    Verify(VerifyArgs),
    /// Write a signed checkpoint of the journal into a bucket with Object Lock
    ///
    /// A checkpoint says how many records the journal has and the hash that stands for all of them, signed with a key of the
    /// state folder. Under Object Lock nobody can replace or delete it, so that `akia history verify --sealed` finds out a journal
    /// that was rewritten later. With seal in the journal table of akia.toml, `akia enforce apply` does it after each run.
    #[command(after_long_help = super::examples(&[
        ("akia history seal s3://example-log/akia", "for as long as the bucket keeps objects by itself"),
        ("akia history seal", "where akia.toml says"),
    ]))]
    Seal(SealArgs),
}

/// Which rotations.
#[derive(Debug, Args, Default)]
pub struct ListArgs {
    /// Only those of the last, for example 90d
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub since: Option<SignedDuration>,
}

/// Which rotation.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Rotation to show
    #[arg(value_name = "ROTATION-ID")]
    pub rotation: RotationId,
}

/// What to check against.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Hash that the journal had at an earlier time and must still contain
    #[arg(long, value_name = "HASH")]
    pub expect: Option<String>,

    /// Bucket whose checkpoints the journal must still contain: s3://BUCKET/PREFIX, or without a value that of akia.toml
    #[arg(long, value_name = "PLACE", num_args = 0..=1)]
    pub sealed: Option<Option<BucketPlace>>,

    /// Name of the key that has signed the checkpoints, where it is not the one of this machine's state folder
    #[arg(long, value_name = "KEY", requires = "sealed", value_parser = key_name)]
    pub signer: Option<String>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where to.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// Bucket with Object Lock, and what the keys of objects begin with: s3://BUCKET/PREFIX (default: seal in akia.toml)
    #[arg(value_name = "PLACE")]
    pub place: Option<BucketPlace>,

    /// How long the checkpoint is locked, for example 400d (default: retain in akia.toml, else what the bucket does)
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub retain: Option<SignedDuration>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn key_name(text: &str) -> Result<String, String> {
    let is_name = text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if is_name { Ok(text.to_owned()) } else { Err("the name of a signing key has 64 hexadecimal digits".to_owned()) }
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read, or was tampered with.
pub(crate) async fn run(context: &Context, args: HistoryArgs) -> Result<Exit, CommandError> {
    let journal = workbench::journal(context).await?;
    match args.act.unwrap_or_else(|| HistoryVerb::List(ListArgs::default())) {
        HistoryVerb::List(args) => list(context, journal, &args).await,
        HistoryVerb::Show(args) => show(context, journal, &args.rotation).await,
        HistoryVerb::Verify(args) => verify(context, journal, &args).await,
        HistoryVerb::Seal(args) => seal(context, journal, &args).await,
    }
}

async fn list(context: &Context, journal: Option<SharedStore>, args: &ListArgs) -> Result<Exit, CommandError> {
    let now = context.started_at;
    let wanted = match context.selection(false)? {
        Selection::Named(names) => names,
        Selection::All | Selection::One(_) => Vec::new(),
    };
    let mut report = Report::new(
        "history",
        "rotations",
        vec![
            Column::whole("rotation", "ROTATION"),
            Column::whole("planned_at", "AGE"),
            Column::new("user", "USER"),
            Column::new("profiles", "PROFILES"),
            Column::whole("displaced_key", "OLD KEY"),
            Column::whole("new_key", "NEW KEY"),
            Column::new("state", "STATE"),
        ],
    );
    let none = "nothing was rotated on this machine yet";
    let Some(journal) = journal else {
        context.say(none);
        context.print(&report)?;
        return Ok(Exit::Done);
    };
    let known = Known::of_store(&*journal).await?;
    if known.rotations().next().is_none() {
        context.say(none);
    }
    let made = made_keys(&journal.entries(Threads::Rotations).await.map_err(unreadable)?);
    for rotation in known.rotations().rev() {
        let plan = rotation.plan();
        let is_old = args.since.is_some_and(|since| now.duration_since(plan.planned_at) > since);
        let is_other = !wanted.is_empty()
            && plan.places.iter().all(|place| place.profile().is_none_or(|name| !wanted.contains(name)));
        if is_old || is_other {
            continue;
        }
        let rest: Result<Rest, akia_io::rotate::DriveError> = Ok(rotation.rest(now));
        let mut row = Row::from(vec![
            Cell::text(&plan.id),
            Cell::age(plan.planned_at, now),
            Cell::text(plan.identity.user_name()),
            Cell::list(drive::profiles_of(plan)),
            Cell::text(&plan.displaced),
            Cell::maybe(made.get(&plan.id)),
            Cell::text(rotation_state(rotation, now)),
        ]);
        row.details.insert("account".into(), json!(plan.identity.account()));
        row.details.insert("rest".into(), json!(drive::rest_code(&rest)));
        report.push(row);
    }
    context.print(&report)?;
    for broken in known.broken() {
        context.say(&format!("note: {broken}; {}", broken.hint()));
    }
    Ok(if known.broken().next().is_some() { Exit::Partly } else { Exit::Done })
}

async fn show(context: &Context, journal: Option<SharedStore>, id: &RotationId) -> Result<Exit, CommandError> {
    let missing = || CommandError::failed(format_args!("the journal has no rotation {id}")).next("akia history");
    let journal = journal.ok_or_else(missing)?;
    let records = journal.records(id).await.map_err(unreadable)?;
    if records.is_empty() {
        return Err(missing());
    }
    let rotation = replay(id, &records)?;
    let mut report = Report::new(
        "history-show",
        "records",
        vec![
            Column::whole("seq", "NO"),
            Column::whole("at", "TIME"),
            Column::new("event", "EVENT"),
            Column::new("detail", "DETAIL"),
        ],
    );
    report.fact("rotation", id.as_str());
    report.fact("plan", json!(rotation.plan()));
    report.fact("state", rotation_state(&rotation, context.started_at));
    for (seq, record) in &records {
        let body = serde_json::to_value(&record.event).unwrap_or_default();
        let mut row = Row::from(vec![
            Cell::count(*seq),
            Cell::time(record.at),
            Cell::text(body.get("event").and_then(|event| event.as_str()).unwrap_or("unknown")),
            Cell::text(detail(&record.event)),
        ]);
        row.details.insert("record".into(), body);
        report.push(row);
    }
    context.say(&format!("{id}: {}", rotation_state(&rotation, context.started_at)));
    context.print(&report)?;
    Ok(Exit::Done)
}

async fn verify(context: &Context, journal: Option<SharedStore>, args: &VerifyArgs) -> Result<Exit, CommandError> {
    let noted = args.expect.as_deref();
    let noted: Option<Hash> = noted
        .map(|text| text.parse().map_err(|error| CommandError::usage(format_args!("--expect {text:?}: {error}"))))
        .transpose()?;
    let place = match &args.sealed {
        None => None,
        Some(Some(place)) => Some(place.clone()),
        Some(None) => Some(args.config.load(context)?.settings.journal.seal.ok_or_else(nowhere)?),
    };
    let found = match &place {
        Some(place) => sealing::read(context, place, args.signer.as_deref()).await?,
        None => Found::default(),
    };
    let sealed = found.hashes();
    let sealed = sealed.map_err(|hash| CommandError::failed(format_args!("a checkpoint has the hash {hash:?}")))?;
    let head = match journal {
        Some(journal) => journal.verify(noted.into_iter().chain(sealed).collect()).await.map_err(unreadable)?,
        None if noted.is_some() || place.is_some() => {
            return Err(CommandError::failed("there is no journal, but a hash is expected of it"));
        }
        None => Head::EMPTY,
    };
    let mut report = Report::new(
        "history-verify",
        "heads",
        vec![Column::whole("records", "RECORDS"), Column::whole("hash", "HASH")],
    );
    report.push(vec![Cell::count(head.seq), Cell::text(head.hash)]);
    match found.checkpoints.last() {
        Some(last) => {
            report.fact("checkpoints", found.checkpoints.len());
            report.fact("sealed_records", last.records);
            context.say(&format!(
                "the journal is whole, and contains what {} say; records since the last, of {}: {}",
                counted(found.checkpoints.len(), "checkpoint"),
                last.at,
                head.seq.saturating_sub(last.records)
            ));
        }
        None => context
            .say("the journal is whole; note the hash, and give it to --expect later to find a rewritten journal"),
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

fn nowhere() -> CommandError {
    CommandError::usage("no place for checkpoints is named, and akia.toml has no seal under [journal]")
        .next("akia history seal s3://BUCKET/PREFIX")
}

async fn seal(context: &Context, journal: Option<SharedStore>, args: &SealArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings.journal;
    let wish = match &args.place {
        Some(place) => Wish { place: place.clone(), retain: None },
        None => Wish::of(&settings).ok_or_else(nowhere)?,
    };
    let wish = Wish { retain: args.retain.or(settings.retain), ..wish };
    let (Some(journal), Some(home)) = (journal, workbench::existing_home(context)?) else {
        return Err(CommandError::failed("there is no journal on this machine: there is nothing to seal"));
    };
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
    let (head, sealed) = sealing::seal(context, &*journal, &home, &signed.caller, &identity.arn, &wish).await?;
    let mut report = Report::new(
        "history-seal",
        "checkpoints",
        vec![
            Column::whole("records", "RECORDS"),
            Column::whole("hash", "HASH"),
            Column::new("object", "OBJECT"),
            Column::whole("locked_until", "LOCKED UNTIL"),
            Column::whole("signer", "SIGNED BY"),
        ],
    );
    report.push(vec![
        Cell::count(head.seq),
        Cell::text(head.hash),
        Cell::text(sealing::object(&wish.place, &sealed)),
        Cell::time(sealed.retention.until),
        Cell::text(&sealed.signer),
    ]);
    context.print_done(&report)?;
    Ok(Exit::Done)
}

fn replay(id: &RotationId, records: &[(u64, Record)]) -> Result<Rotation, CommandError> {
    Rotation::replay(records.iter().map(|(_, record)| record))
        .map_err(|illegal| CommandError::failed(format_args!("rotation {id}: {illegal}")).next("akia history verify"))
}

/// The key that each rotation made last, also when the rotation is over.
fn made_keys(entries: &[Entry]) -> HashMap<RotationId, AccessKeyId> {
    let made = |entry: &Entry| match entry.parse::<Record>().ok()?.event {
        Event::KeyCreated { key } => Some((entry.thread.rotation()?.clone(), key)),
        _ => None,
    };
    entries.iter().filter_map(made).collect()
}

fn rotation_state(rotation: &Rotation, now: jiff::Timestamp) -> String {
    if rotation.is_out_of_grace(now) {
        return "done: the grace is over, akia retire deletes the inactive key".to_owned();
    }
    drive::rest_words(rotation, &rotation.rest(now))
}

/// The part of an event that is not its name.
fn detail(event: &Event) -> String {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Event::Planned { plan } = event {
        return format!("{} of {} in {} place(s)", plan.displaced, plan.identity.arn, plan.places.len());
    }
    let Some(object) = value.as_object_mut() else { return String::new() };
    object.remove("event");
    let parts: Vec<String> = object
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        })
        .collect();
    parts.join(", ")
}

fn unreadable(error: StoreError) -> CommandError {
    CommandError::failed(&error).next(error.hint())
}
