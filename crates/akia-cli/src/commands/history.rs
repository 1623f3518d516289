//! `akia history`: what the journal knows.

use std::collections::HashMap;

use akia_core::journal::{Event, Record};
use akia_core::rotation::{Rest, Rotation};
use akia_core::{AccessKeyId, RotationId};
use akia_io::store::{Entry, Hash, Head, SharedStore, StoreError, Threads};
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use serde_json::json;

use crate::args::span;
use crate::context::{Context, Selection};
use crate::drive;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};
use crate::rotations::Known;
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
        HistoryVerb::Verify(args) => verify(context, journal, args.expect.as_deref()).await,
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
    let Some(journal) = journal else {
        context.say("nothing was rotated on this machine yet");
        context.print(&report)?;
        return Ok(Exit::Done);
    };
    let known = Known::of_store(&*journal).await?;
    let made = made_keys(&journal.entries(Threads::Rotations).await.map_err(unreadable)?);
    for rotation in known.rotations().rev() {
        let plan = rotation.plan();
        let is_old = args.since.is_some_and(|since| now.duration_since(plan.planned_at) > since);
        let is_other = !wanted.is_empty() && plan.places.iter().all(|place| !wanted.contains(place.profile()));
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
            Cell::number(i64::try_from(*seq).unwrap_or(i64::MAX)),
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

async fn verify(context: &Context, journal: Option<SharedStore>, expect: Option<&str>) -> Result<Exit, CommandError> {
    let expect: Option<Hash> = expect
        .map(|text| text.parse().map_err(|error| CommandError::usage(format_args!("--expect {text:?}: {error}"))))
        .transpose()?;
    let head = match journal {
        Some(journal) => journal.verify(expect).await.map_err(unreadable)?,
        None if expect.is_some() => {
            return Err(CommandError::failed("there is no journal, but a hash is expected of it"));
        }
        None => Head::EMPTY,
    };
    let mut report = Report::new(
        "history-verify",
        "heads",
        vec![Column::whole("records", "RECORDS"), Column::whole("hash", "HASH")],
    );
    report.push(vec![Cell::number(i64::try_from(head.seq).unwrap_or(i64::MAX)), Cell::text(head.hash)]);
    context.say("the journal is whole; note the hash, and give it to --expect later to find a rewritten journal");
    context.print(&report)?;
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
