//! What `akia events` is made of.

mod answering;
mod containing;
pub(crate) mod listing;
mod shutting;
pub(crate) mod template;
mod tying;
pub(crate) mod watching;

use akia_core::estate::Amended;
use akia_io::store::events::EventRow;
use akia_io::store::snapshots::SnapshotError;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::CommandError;

/// Lines that are shown of what events have changed.
const MOST_LINES: usize = 10;

/// The store cannot be used.
fn unusable(error: &SnapshotError) -> CommandError {
    CommandError::failed(format_args!("the events cannot be read or kept: {error}"))
        .next("see what is wrong with audits.db in the state folder; messages that are not kept stay on the queue")
}

/// Says what of a kept audit is other since, and how that is known.
pub(crate) fn tell_amended(context: &Context, amended: &[Amended]) {
    for one in amended.iter().take(MOST_LINES) {
        let key = one.key.as_ref().map_or_else(String::new, |key| format!("{key} of "));
        context.say(&format!(
            "since the audit: {key}{} in {}: {} (event of {}, AWS asked at {})",
            one.user.name,
            one.account,
            one.change,
            seconds(one.event.at),
            seconds(one.looked_at)
        ));
    }
    if amended.len() > MOST_LINES {
        context.say(&format!("… and {} more: akia events list", amended.len() - MOST_LINES));
    }
}

/// A moment to the second.
fn seconds(at: Timestamp) -> Timestamp {
    at.round(jiff::Unit::Second).unwrap_or(at)
}

/// What an event is about, in words.
fn subject(row: &EventRow) -> (Option<String>, Vec<String>) {
    let Some(event) = &row.event else { return (None, Vec::new()) };
    let users: Vec<String> = row.looks.iter().map(|look| look.user.to_string()).collect();
    let users = if users.is_empty() { event.what.users().iter().map(ToString::to_string).collect() } else { users };
    let keys = event.what.keys().iter().map(ToString::to_string).collect();
    ((!users.is_empty()).then(|| users.join(", ")), keys)
}
