//! `akia events list` and `akia events status`.

use akia_io::store::events::EventState;
use akia_io::store::snapshots::Snapshots;
use serde_json::json;

use super::{subject, unusable};
use crate::commands::events::{ListArgs, StatusArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::signing::{self, Mfa};
use crate::workbench;

async fn store(context: &Context) -> Result<Option<Snapshots>, CommandError> {
    let Some(home) = workbench::existing_home(context)? else { return Ok(None) };
    Snapshots::open_existing(home).await.map_err(|error| unusable(&error))
}

fn tone(state: EventState) -> Tone {
    match state {
        EventState::Applied => Tone::Good,
        EventState::Unconfirmed | EventState::Unreadable => Tone::Warning,
        EventState::Ignored => Tone::Quiet,
    }
}

pub(crate) async fn list(context: &Context, args: &ListArgs) -> Result<Exit, CommandError> {
    let rows = match store(context).await? {
        Some(store) => store.events(args.state, args.most).await.map_err(|error| unusable(&error))?,
        None => Vec::new(),
    };
    let mut report = Report::new(
        "events",
        "events",
        vec![
            Column::whole("at", "WHEN"),
            Column::whole("account", "ACCOUNT"),
            Column::whole("what", "WHAT"),
            Column::new("user", "USER"),
            Column::whole("keys", "KEYS"),
            Column::whole("state", "STATE"),
            Column::new("detail", "WHAT AWS SAYS"),
        ],
    );
    for row in &rows {
        let (user, keys) = subject(row);
        let mut cells = Row::from(vec![
            Cell::time(row.at),
            Cell::maybe(row.event.as_ref().map(|event| &event.account)),
            Cell::maybe(row.event.as_ref().map(|event| event.what.as_str())),
            Cell::maybe(user),
            Cell::list(keys),
            Cell::text(row.state.as_str()).tone(tone(row.state)),
            Cell::text(&row.detail),
        ]);
        cells.details.insert("id".into(), json!(row.id));
        cells.details.insert("received_at".into(), json!(row.received_at));
        cells.details.insert("source".into(), json!(row.source));
        cells.details.insert("looks".into(), json!(row.looks));
        cells.details.insert("exposures".into(), json!(row.exposures));
        report.push(cells);
    }
    context.print(&report)?;
    if rows.is_empty() {
        context.say("no event is kept: akia events watch --queue URL takes them");
    }
    Ok(Exit::Done)
}

pub(crate) async fn status(context: &Context, args: &StatusArgs) -> Result<Exit, CommandError> {
    let store = store(context).await?;
    let counts = match &store {
        Some(store) => store.event_counts().await.map_err(|error| unusable(&error))?,
        None => Vec::new(),
    };
    let latest = match &store {
        Some(store) => store.events(None, 1).await.map_err(|error| unusable(&error))?.into_iter().next(),
        None => None,
    };
    let columns = vec![Column::whole("state", "STATE"), Column::whole("events", "EVENTS")];
    let mut report = Report::new("events-status", "states", columns);
    report.fact("latest_received_at", json!(latest.as_ref().map(|row| row.received_at)));
    let mut waiting = 0;
    for (state, count) in counts {
        if matches!(state, EventState::Unconfirmed | EventState::Unreadable) {
            waiting += count;
        }
        let tone = if count == 0 { Tone::Quiet } else { tone(state) };
        report.push(vec![Cell::text(state.as_str()).tone(tone), Cell::count(count)]);
    }
    let depth = match &args.queue {
        Some(queue) => {
            let files = context.aws_files()?;
            let caller = signing::sign(context, &files, Mfa::IfGiven).await?.caller;
            let region = queue.region().unwrap_or_else(|| caller.region());
            let depth = caller.queue_depth(&region, queue).await;
            Some(depth.map_err(|error| signing::refused("the queue cannot be looked at", &error))?)
        }
        None => None,
    };
    if let Some(depth) = &depth {
        report.fact("waiting", depth.waiting);
        report.fact("in_flight", depth.in_flight);
        report.fact("has_dead_letters", depth.has_dead_letters);
    }
    context.print(&report)?;
    if let Some(row) = &latest {
        context.say(&format!("the latest came at {}", super::seconds(row.received_at)));
    }
    if let Some(depth) = depth {
        context
            .say(&format!("the queue holds {} messages, and {} are being worked on", depth.waiting, depth.in_flight));
        if !depth.has_dead_letters {
            context.say(
                "note: the queue has no dead-letter queue: a message that akia can never settle comes again until it expires \
                 (akia events template has one)",
            );
        }
    }
    if waiting > 0 {
        context.say("next: akia events list --state unconfirmed, akia events list --state unreadable");
    }
    Ok(Exit::Done)
}
