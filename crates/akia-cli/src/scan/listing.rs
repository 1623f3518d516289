//! The table of a scan: a row for each leaked key.

use akia_core::leak::{Kind, Leak, Place, ScanReport, Verified};
use jiff::Timestamp;

use super::words;
use crate::output::{Cell, Column, Report, Row, Tone};

/// Places of a key that a table names; the rest is counted.
const SHOWN: usize = 3;

/// The keys that count, a row each; with `all` also those of documentation, canary tokens, and known and hidden ones.
pub(crate) fn listing(report: &ScanReport, all: bool, now: Timestamp) -> Report {
    let mut table = Report::new(
        "scan",
        "leaks",
        vec![
            Column::whole("access_key_id", "KEY"),
            Column::whole("account", "ACCOUNT"),
            Column::new("secret", "SECRET"),
            Column::new("places", "WHERE"),
            Column::new("holder", "WHOSE"),
            Column::new("works", "WORKS"),
            Column::new("reach", "STILL THERE"),
            Column::whole("first_seen", "SINCE"),
            Column::new("author", "AUTHOR"),
        ],
    );
    for leak in report.leaks.iter().filter(|leak| all || leak.counts()) {
        table.push(row(leak, now));
    }
    if report.leaks.iter().all(|leak| leak.holder.is_none()) {
        table.drop_column("holder");
    }
    if report.leaks.iter().all(|leak| leak.verified.is_none()) {
        table.drop_column("works");
    }
    table
}

fn row(leak: &Leak, now: Timestamp) -> Row {
    let first = first(leak);
    let git = first.and_then(|place| place.git.as_ref());
    let secret = match (&leak.secret, leak.session_token, leak.kind) {
        (None, ..) => Cell::text("not found"),
        (Some(_), false, Kind::BedrockApiKey) => Cell::text("it is one"),
        (Some(shown), false, _) => Cell::text(shown).tone(Tone::Bad),
        (Some(shown), true, _) => Cell::text(format!("{shown}, session token")).tone(Tone::Bad),
    };
    let current = if leak.is_current() { Cell::text("yes").tone(Tone::Bad) } else { Cell::text("only in the history") };
    Row::from(vec![
        Cell::text(words::name(leak)),
        Cell::maybe(leak.account.as_ref()),
        secret,
        Cell::list(places(leak)),
        leak.holder.as_ref().map_or_else(Cell::empty, |holder| Cell::text(super::resolve::words(holder))),
        works(leak),
        current,
        git.and_then(|git| git.first_seen).map_or_else(Cell::empty, |at| Cell::age(at, now)),
        Cell::maybe(git.and_then(|git| git.author.as_ref())),
    ])
}

fn works(leak: &Leak) -> Cell {
    match &leak.verified {
        None => Cell::empty(),
        Some(Verified::Works { arn }) => Cell::text(format!("yes: {arn}")).tone(Tone::Bad),
        Some(Verified::Refused { .. }) => Cell::text("no"),
        Some(Verified::Unknown { reason }) => Cell::text(format!("not known: {reason}")),
    }
}

/// The place that was there first.
pub(super) fn first(leak: &Leak) -> Option<&Place> {
    let dated = leak.places.iter().map(|one| &one.place);
    dated.min_by_key(|place| place.git.as_ref().and_then(|git| git.first_seen).unwrap_or(Timestamp::MAX))
}

fn places(leak: &Leak) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for one in &leak.places {
        let name = words::place(&one.place);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > SHOWN + 1 {
        let more = names.len() - SHOWN;
        names.truncate(SHOWN);
        names.push(format!("and {more} more"));
    }
    names
}
