//! `akia enforce status` and `akia enforce history`: what the journal knows of cases.

use std::collections::HashMap;
use std::str::FromStr;

use akia_core::ThreadId;
use akia_core::contain::{ContainmentEvent, ContainmentRecord};
use akia_core::enforce::{Case, CaseEvent, CaseRecord, Closed, Stage};
use akia_core::ids::{AccessKeyId, CaseId};
use akia_core::quarantine::{QuarantineEvent, QuarantineRecord};
use akia_io::store::{Entry, StoreError, Threads};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{all_cases, planning, quarantine};
use crate::commands::enforce::StatusArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::workbench;

/// A key or a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// A key: all its cases.
    Key(AccessKeyId),
    /// A case.
    Case(CaseId),
}

impl FromStr for Which {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let case = text.parse().map(Self::Case);
        case.or_else(|_| text.parse().map(Self::Key))
            .map_err(|_| "it is neither a key id nor a case id (c-…)".to_owned())
    }
}

/// Shows the cases.
pub(crate) async fn status(context: &Context, args: &StatusArgs) -> Result<Exit, CommandError> {
    let now = context.started_at;
    let journal = workbench::journal(context).await?;
    let mut cases = all_cases(context, journal.as_ref()).await?;
    cases.retain(|case| args.all || !case.is_closed());
    // What is due first comes first; what is over comes last, the latest first.
    cases.sort_by_key(|case| (case.is_closed(), case.due().map(|(_, due)| due), std::cmp::Reverse(case.updated_at())));
    let mut report = Report::new(
        "enforce-status",
        "cases",
        vec![
            Column::whole("account", "ACCOUNT"),
            Column::new("user", "USER"),
            Column::whole("key", "KEY"),
            Column::new("rules", "RULES"),
            Column::whole("stage", "STAGE"),
            Column::whole("next", "NEXT"),
            Column::whole("due", "FROM"),
            Column::new("owner", "OWNER"),
            Column::new("held", "HELD"),
        ],
    );
    for case in &cases {
        report.push(row(case, now));
    }
    if let Some(stopped) =
        workbench::existing_state_folder(context)?.and_then(|folder| akia_io::enforce::StopFile::of(&folder).thrown())
    {
        context.say(&format!("enforcement is off on this machine since {}: {}", stopped.at, stopped.reason));
    }
    report.fact("quarantines", quarantine::tell_open(context, journal.as_ref()).await?);
    if cases.is_empty() {
        context.say("no key has a case; akia enforce plan says what is due");
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

fn row(case: &Case, now: jiff::Timestamp) -> Row {
    let opening = case.opening();
    let subject = &opening.subject;
    let due = case.due();
    let rules = opening.evidence.broken.iter().map(|(rule, _)| rule.clone());
    let stage = Cell::text(case.stage().as_str()).tone(match case.stage() {
        Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } => Tone::Plain,
        Stage::Deactivated { .. } | Stage::Soaked { .. } => Tone::Warning,
        Stage::Closed { why: Closed::ReactivatedByOther | Closed::Replaced, .. } => Tone::Bad,
        Stage::Closed { .. } => Tone::Quiet,
    });
    let open = case.open_act().filter(|act| act.told().is_none());
    let held = open.map(|act| format!("whether it was {} is not known yet", planning::act_words(act)));
    let mut row = Row::from(vec![
        Cell::text(&subject.account),
        Cell::text(&subject.user.name),
        Cell::text(&subject.key),
        Cell::list(rules),
        stage,
        Cell::maybe(due.map(|(act, _)| act.as_str())),
        due.map_or_else(Cell::empty, |(_, due)| {
            let words = if due <= now { "due".to_owned() } else { due.strftime("%Y-%m-%d").to_string() };
            Cell::time(due).shown_as(words)
        }),
        Cell::maybe(opening.owner.as_ref().map(|owner| &owner.name)),
        Cell::maybe(held.or_else(|| case.held().map(ToString::to_string))),
    ]);
    row.details.insert("case".into(), json!(opening.case));
    row.details.insert("account_name".into(), json!(opening.account_name));
    row.details.insert("user_arn".into(), json!(subject.user));
    row.details.insert("opened_by".into(), json!(opening.by));
    row.details.insert("policy".into(), json!(case.policy().0));
    row.details.insert("updated_at".into(), json!(case.updated_at()));
    row
}

/// Shows what was done.
pub(crate) async fn history(context: &Context, which: Option<&Which>) -> Result<Exit, CommandError> {
    let journal = workbench::journal(context).await?;
    let mut report = Report::new(
        "enforce-history",
        "records",
        vec![
            Column::whole("seq", "NO"),
            Column::whole("at", "TIME"),
            Column::whole("case", "CASE"),
            Column::whole("key", "KEY"),
            Column::whole("event", "EVENT"),
            Column::new("detail", "DETAIL"),
        ],
    );
    let Some(journal) = journal else {
        context.say("nothing was enforced on this machine yet");
        context.print(&report)?;
        return Ok(Exit::Done);
    };
    let mut entries = journal.entries(Threads::Cases).await.map_err(unreadable)?;
    entries.extend(journal.entries(Threads::Quarantines).await.map_err(unreadable)?);
    entries.sort_by_key(|entry| entry.seq);
    let mut keys: HashMap<&ThreadId, AccessKeyId> = HashMap::new();
    let mut rows = Vec::new();
    for entry in &entries {
        let Some(Line { at, opened, is_change, body, detail }) = line(entry)? else { continue };
        keys.extend(opened.map(|key| (&entry.thread, key)));
        let Some(key) = keys.get(&entry.thread) else { continue };
        let is_meant = match which {
            None => is_change,
            Some(Which::Key(wanted)) => wanted == key,
            Some(Which::Case(wanted)) => entry.thread.case() == Some(wanted),
        };
        if !is_meant {
            continue;
        }
        let mut row = Row::from(vec![
            Cell::count(entry.seq),
            Cell::time(at),
            Cell::text(entry.thread.as_str()),
            Cell::text(key),
            Cell::text(body.get("event").and_then(|event| event.as_str()).unwrap_or("unknown")),
            Cell::text(detail),
        ]);
        row.details.insert("record".into(), body);
        row.details.insert("hash".into(), json!(entry.hash.to_string()));
        rows.push(row);
    }
    if rows.is_empty() {
        if let Some(which) = which {
            let name = match which {
                Which::Key(key) => key.to_string(),
                Which::Case(case) => case.to_string(),
            };
            return Err(CommandError::failed(format_args!(
                "the journal has no case, quarantine or containment of {name}"
            ))
            .next("akia enforce status --all"));
        }
        context.say("nothing was changed by enforcement yet");
    }
    if which.is_none() {
        rows.reverse();
    }
    rows.into_iter().for_each(|row| report.push(row));
    context.print(&report)?;
    Ok(Exit::Done)
}

/// One record, as it is shown.
struct Line {
    at: Timestamp,
    /// The key, where this record opens something about one.
    opened: Option<AccessKeyId>,
    is_change: bool,
    body: Value,
    detail: String,
}

fn line(entry: &Entry) -> Result<Option<Line>, CommandError> {
    match &entry.thread {
        ThreadId::Rotation(_) => Ok(None),
        ThreadId::Case(_) => {
            let CaseRecord { at, event } = entry.parse().map_err(unreadable)?;
            let opened = match &event {
                CaseEvent::Opened { opening } => Some(opening.subject.key.clone()),
                _ => None,
            };
            let body = serde_json::to_value(&event).unwrap_or_default();
            Ok(Some(Line { at, opened, is_change: is_change(&event), body, detail: event.words() }))
        }
        ThreadId::Quarantine(_) => {
            let QuarantineRecord { at, event } = entry.parse().map_err(unreadable)?;
            let opened = match &event {
                QuarantineEvent::Opened { opening } => Some(opening.key.clone()),
                _ => None,
            };
            let is_change = matches!(
                event,
                QuarantineEvent::Done { .. } | QuarantineEvent::Refused { .. } | QuarantineEvent::Unanswered { .. }
            );
            let body = serde_json::to_value(&event).unwrap_or_default();
            Ok(Some(Line { at, opened, is_change, body, detail: event.words() }))
        }
        ThreadId::Containment(_) => {
            let ContainmentRecord { at, event } = entry.parse().map_err(unreadable)?;
            let opened = match &event {
                ContainmentEvent::Opened { opening } => Some(opening.key.clone()),
                _ => None,
            };
            let is_change = matches!(
                event,
                ContainmentEvent::Done { .. } | ContainmentEvent::Refused { .. } | ContainmentEvent::Unanswered { .. }
            );
            let body = serde_json::to_value(&event).unwrap_or_default();
            Ok(Some(Line { at, opened, is_change, body, detail: event.words() }))
        }
    }
}

fn is_change(event: &CaseEvent) -> bool {
    match event {
        CaseEvent::KeyDeactivated { .. }
        | CaseEvent::KeyDeleted { .. }
        | CaseEvent::KeyActivated { .. }
        | CaseEvent::Refused { .. }
        | CaseEvent::Unanswered { .. } => true,
        CaseEvent::Opened { .. }
        | CaseEvent::Looked { .. }
        | CaseEvent::Intended { .. }
        | CaseEvent::NoticeDelivered { .. }
        | CaseEvent::NoticeFailed { .. } => false,
    }
}

fn unreadable(error: StoreError) -> CommandError {
    CommandError::failed(&error).next(error.hint())
}
