//! CSV: a line for each place of each key, also of those that do not count.

use akia_core::leak::{Leak, LeakPlace, ScanReport};
use serde_json::Value;

use super::words;
use crate::output::{Canvas, Cell, Column, Format, Report, render as print};

pub(super) fn render(report: &ScanReport) -> String {
    let mut table = Report::new(
        "scan",
        "places",
        [
            "access_key_id",
            "account",
            "kind",
            "class",
            "confidence",
            "secret",
            "source",
            "path",
            "part",
            "line",
            "offset",
            "object",
            "commit",
            "author",
            "first_seen",
            "last_commit",
            "last_seen",
            "reach",
            "hidden",
            "known",
            "fingerprint",
        ]
        .into_iter()
        .map(|key| Column::whole(key, key))
        .collect(),
    );
    for leak in &report.leaks {
        for place in &leak.places {
            table.push(cells(leak, place));
        }
    }
    print(&table, Format::Csv, Canvas::default())
}

fn cells(leak: &Leak, one: &LeakPlace) -> Vec<Cell> {
    let (place, git) = (&one.place, one.place.git.as_ref());
    let number = |number: Option<u64>| number.map_or_else(Cell::empty, Cell::count);
    let time = |at: Option<jiff::Timestamp>| at.map_or_else(Cell::empty, Cell::time);
    vec![
        Cell::maybe(leak.access_key_id.as_ref()),
        Cell::maybe(leak.account.as_ref()),
        word(&leak.kind),
        word(&leak.class),
        word(&leak.confidence),
        Cell::maybe(leak.secret.as_ref()),
        Cell::text(&place.source),
        Cell::text(&place.path),
        word(&place.part),
        number(place.line),
        number(place.offset),
        Cell::maybe(git.and_then(|git| git.object.as_ref())),
        Cell::maybe(git.and_then(|git| git.commit.as_ref())),
        Cell::maybe(git.and_then(|git| git.author.as_ref())),
        time(git.and_then(|git| git.first_seen)),
        Cell::maybe(git.and_then(|git| git.last_commit.as_ref())),
        time(git.and_then(|git| git.last_seen)),
        git.map_or_else(Cell::empty, |git| Cell::text(words::reach(git.reach))),
        one.hidden.map_or_else(Cell::empty, |hidden| word(&hidden)),
        Cell::text(if leak.known { "yes" } else { "no" }),
        Cell::text(&leak.fingerprint),
    ]
}

/// The word that the JSON form has.
fn word(value: &impl serde::Serialize) -> Cell {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Cell::text(word),
        Ok(_) | Err(_) => Cell::empty(),
    }
}
