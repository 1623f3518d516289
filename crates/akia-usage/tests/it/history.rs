//! The event history is loaded like a trail's logs, and no call is counted from both.

use std::fs;
use std::path::Path;

use akia_core::usage::{HistoryWindow, OfAccount, Span};
use akia_usage::facts::{FactsError, Load, Loaded};
use akia_usage::{Desk, UsageError, history};
use jiff::Timestamp;

use crate::support::{LARGEST, desk, event, gzip, listing, load, number, records};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const ACCOUNT: &str = "111122223333";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(region: &str, from: &str, until: &str) -> HistoryWindow {
    let span = Span { from: at(from), until: at(until) };
    HistoryWindow { account: ACCOUNT.parse().unwrap(), region: region.parse().unwrap(), span }
}

fn keep(folder: &Path, window: &HistoryWindow, times: &[&str]) {
    let records: Vec<String> = times.iter().map(|time| event(KEY, "ListBuckets", time).to_string()).collect();
    history::keep(folder, window, records.iter().map(String::as_str)).unwrap();
}

/// A trail's log of a day.
fn trail(folder: &Path, region: &str, day: &str, times: &[&str]) {
    let of_day = folder.join(format!("AWSLogs/{ACCOUNT}/CloudTrail/{region}/{day}"));
    fs::create_dir_all(&of_day).unwrap();
    let events: Vec<_> = times.iter().map(|time| event(KEY, "ListBuckets", time)).collect();
    let name = format!("{ACCOUNT}_CloudTrail_{region}_{}T0000Z_{}.json.gz", day.replace('/', ""), times.len());
    fs::write(of_day.join(name), gzip(&records(&events))).unwrap();
}

async fn refused(desk: &mut Desk, logs: &Path) -> String {
    let load = Load { files: listing(desk, logs).await.files, largest_file: LARGEST, portion: 1 << 20 };
    let refused = desk.load(&load, Timestamp::now(), &mut |_: &Loaded| ()).await.unwrap_err();
    assert!(matches!(refused, UsageError::Facts(FactsError::Twice { .. })), "{refused}");
    refused.to_string()
}

async fn calls(desk: &Desk) -> i64 {
    number(desk, "SELECT sum(calls) AS calls FROM facts").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_history_is_loaded_once_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("history");
    fs::create_dir(&logs).unwrap();
    let first = window("us-east-1", "2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z");
    keep(&logs, &first, &["2026-11-10T08:00:00Z", "2026-11-10T09:00:00Z"]);
    // Nothing happened, and that is known.
    keep(&logs, &window("us-east-1", "2026-11-11T00:00:00Z", "2026-11-11T10:00:00Z"), &[]);
    assert!(history::keep(&logs, &first, ["{}"]).is_err(), "no window is written over");

    let mut facts = desk(&folder.path().join("facts")).await;
    let loaded = load(&mut facts, &logs, 1).await;
    assert_eq!((loaded.files, loaded.calls, loaded.problems.len()), (2, 2, 0));
    // What is no event comes through as text, and is counted.
    keep(&logs, &window("us-east-1", "2026-11-11T10:00:00Z", "2026-11-12T00:00:00Z"), &["2026-11-11T12:00:00Z"]);
    let odd = window("us-east-1", "2026-11-12T00:00:00Z", "2026-11-12T01:00:00Z");
    history::keep(&logs, &odd, [r#""{broken""#]).unwrap();
    let later = load(&mut facts, &logs, 1).await;
    assert_eq!((later.files, later.known, later.calls, later.others, later.problems.len()), (2, 2, 1, 1, 0));
    assert_eq!(calls(&facts).await, 3);

    let covered = facts.covered().await.unwrap();
    assert_eq!((covered.len(), covered[0].logs, covered[0].days.len()), (1, 4, 3));
    assert_eq!(covered[0].history_days, covered[0].days);
    assert_eq!(OfAccount::of(ACCOUNT, &covered).history_days.len(), 3);
    let taken = facts.taken().await.unwrap();
    assert_eq!((taken.windows.len(), taken.trail.len()), (4, 0));
    assert!(!taken.has(&first), "a window is not in its own way");
    assert!(taken.has(&window("us-east-1", "2026-11-10T23:00:00Z", "2026-11-10T23:00:01Z")));
    assert!(!taken.has(&window("eu-west-1", "2026-11-10T23:00:00Z", "2026-11-10T23:00:01Z")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_is_refused_where_the_event_history_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (history, logs) = (folder.path().join("history"), folder.path().join("logs"));
    for made in [&history, &logs] {
        fs::create_dir(made).unwrap();
    }
    keep(&history, &window("us-east-1", "2026-11-10T00:00:00Z", "2026-11-10T12:00:00Z"), &["2026-11-10T08:00:00Z"]);
    let mut facts = desk(&folder.path().join("facts")).await;
    load(&mut facts, &history, 1).await;

    // Another day and another region are no matter; neither is what says neither, but who knows?
    trail(&logs, "us-east-1", "2026/11/11", &["2026-11-11T08:00:00Z"]);
    trail(&logs, "eu-west-1", "2026/11/10", &["2026-11-10T08:00:00Z"]);
    load(&mut facts, &logs, 1).await;
    assert_eq!(calls(&facts).await, 3);
    trail(&logs, "us-east-1", "2026/11/10", &["2026-11-10T08:00:00Z", "2026-11-10T20:00:00Z"]);
    let told = refused(&mut facts, &logs).await;
    assert!(told.contains("1 of these logs") && told.contains("CloudTrail's event history"), "{told}");
    let loose = folder.path().join("loose");
    fs::create_dir(&loose).unwrap();
    fs::write(loose.join("events.json"), records(&[event(KEY, "ListBuckets", "2026-11-10T08:00:00Z")])).unwrap();
    refused(&mut facts, &loose).await;
    assert_eq!(calls(&facts).await, 3, "nothing of it counts");
    // Both at once, into facts of their own.
    let mut other = desk(&folder.path().join("other")).await;
    refused(&mut other, folder.path()).await;
    assert!(other.covered().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_history_is_refused_where_a_trail_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (history, logs) = (folder.path().join("history"), folder.path().join("logs"));
    for made in [&history, &logs] {
        fs::create_dir(made).unwrap();
    }
    trail(&logs, "us-east-1", "2026/11/10", &["2026-11-09T23:58:00Z", "2026-11-10T08:00:00Z"]);
    trail(&logs, "us-east-1", "2026/11/11", &["2026-11-11T09:00:00Z"]);
    let mut facts = desk(&folder.path().join("facts")).await;
    load(&mut facts, &logs, 1).await;

    // Up to the first call that the trail has, and from the last one on.
    keep(&history, &window("us-east-1", "2026-11-09T00:00:00Z", "2026-11-09T23:58:00Z"), &["2026-11-09T23:00:00Z"]);
    keep(&history, &window("us-east-1", "2026-11-11T09:00:01Z", "2026-11-12T00:00:00Z"), &["2026-11-11T10:00:00Z"]);
    load(&mut facts, &history, 1).await;
    assert_eq!(calls(&facts).await, 5);
    // Between two days of the trail.
    keep(&history, &window("us-east-1", "2026-11-10T23:00:00Z", "2026-11-11T00:00:00Z"), &[]);
    let told = refused(&mut facts, &history).await;
    assert!(told.contains("from a trail"), "{told}");
    assert_eq!(facts.covered().await.unwrap()[0].history_days.len(), 2);
}
