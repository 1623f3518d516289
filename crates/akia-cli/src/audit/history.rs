//! `akia audit history`: the audits that were kept, the oldest first.

use akia_core::finding::Severity;
use akia_io::store::snapshots::{About, Entry};
use serde_json::json;

use super::past;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone};

/// Runs the command.
///
/// # Errors
/// When there are earlier audits that cannot be read.
pub(crate) async fn run(context: &Context) -> Result<Exit, CommandError> {
    let entries = entries(context).await?;
    let mut columns = vec![
        Column::whole("id", "AUDIT"),
        Column::whole("at", "WHEN"),
        Column::whole("accounts_read", "ACCOUNTS"),
        Column::whole("active_keys", "KEYS"),
    ];
    let titles = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO"];
    columns.extend(Severity::ALL.iter().zip(titles).map(|(severity, title)| Column::whole(severity.as_str(), title)));
    columns.extend([
        Column::whole("new", "NEW"),
        Column::whole("gone", "GONE"),
        Column::new("source", "OF"),
        Column::new("remarks", "REMARKS"),
    ]);
    let mut report = Report::new("audit-history", "audits", columns);
    let latest = entries.iter().rev().find(|entry| entry.has_details).map(|entry| entry.id);
    for (index, entry) in entries.iter().enumerate() {
        let before = entries.iter().take(index).rev().find(|before| is_comparable(&before.about, &entry.about));
        // What events have led to lies over the latest audit that has its accounts, and nothing else.
        let is_latest = Some(entry.id) == latest;
        let amended = if is_latest { amended(context, entry).await } else { 0 };
        report.push(row(entry, before, amended));
    }
    // Nearly always there is AWS and nothing else.
    if context.format() == Format::Table && entries.iter().all(|entry| entry.about.source == "aws") {
        report.drop_column("source");
    }
    context.print(&report)?;
    if entries.is_empty() {
        context.say("no audit was kept yet: akia audit");
    }
    Ok(Exit::Done)
}

/// The audits that were kept, the oldest first.
pub(super) async fn entries(context: &Context) -> Result<Vec<Entry>, CommandError> {
    let unreadable = |why: String| {
        CommandError::failed(why).next("move audits.db out of the state folder, to begin anew; no key depends on it")
    };
    match past::existing(context).await.map_err(unreadable)? {
        Some(snapshots) => snapshots.list().await.map_err(|error| unreadable(error.to_string())),
        None => Ok(Vec::new()),
    }
}

/// Whether two audits are of the same accounts.
pub(super) fn is_comparable(a: &About, b: &About) -> bool {
    a.source == b.source && a.scope == b.scope
}

/// How much of a kept audit is other by events since.
async fn amended(context: &Context, entry: &Entry) -> usize {
    match past::existing(context).await {
        Ok(Some(snapshots)) => snapshots.estates_now(entry, drop).await.map_or(0, |amended| amended.len()),
        Ok(None) | Err(_) => 0,
    }
}

fn row(entry: &Entry, before: Option<&Entry>, amended: usize) -> Row {
    let mut remarks = Vec::new();
    if !entry.is_whole {
        remarks.push("not whole");
    }
    if before.is_some_and(|before| before.about.settings != entry.about.settings) {
        remarks.push("other settings than before");
    }
    if !entry.has_details {
        remarks.push("counts only");
    }
    let words = format!("{amended} changes by events since");
    if amended > 0 {
        remarks.push(&words);
    }
    let accounts = format!("{} of {}", entry.accounts_read, entry.accounts);
    let mut cells = vec![
        Cell::number(entry.id),
        Cell::time(entry.at),
        Cell::count(entry.accounts_read).shown_as(accounts),
        Cell::count(entry.active_keys),
    ];
    cells.extend(entry.counts.iter().zip(Severity::ALL).map(|(count, severity)| {
        let is_grave = *count > 0 && severity >= Severity::High;
        Cell::count(*count).tone(if is_grave { Tone::Bad } else { Tone::Plain })
    }));
    let (new, gone) = entry.changes.unzip();
    cells.push(new.map_or_else(Cell::empty, Cell::count));
    cells.push(gone.map_or_else(Cell::empty, Cell::count));
    cells.push(Cell::text(&entry.about.source));
    cells.push(Cell::list(remarks));
    let mut row = Row::from(cells);
    row.details.insert("accounts".into(), json!(entry.accounts));
    row.details.insert("users".into(), json!(entry.users));
    row.details.insert("is_whole".into(), json!(entry.is_whole));
    row.details.insert("has_details".into(), json!(entry.has_details));
    row.details.insert("changed_by_events".into(), json!(amended));
    row.details.insert("scope".into(), json!(entry.about.scope));
    row.details.insert("settings".into(), json!(entry.about.settings));
    row
}
