//! Facts are what the logs say, each log once, whatever happens to a load.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use akia_core::usage::{Fact, OfAccount};
use akia_corpus::trail::{Scale, Trail};
use akia_usage::{About, Narrowing};
use jiff::Timestamp;

use crate::support::{desk, event, files_beneath, load, number, records};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// Key, service, call, address and hour; how many, the first and the last.
type Counts = BTreeMap<(String, String, String, String, Timestamp), (u64, Timestamp, Timestamp)>;

/// Facts of all logs beneath a folder, counted the simplest way there is.
fn counted_by_hand(folder: &Path) -> Counts {
    let mut all = BTreeMap::new();
    for path in files_beneath(folder) {
        if path.extension().is_none_or(|end| end != "gz") {
            continue;
        }
        let gz = fs::File::open(path).unwrap();
        let log: serde_json::Value = serde_json::from_reader(flate2::read::GzDecoder::new(gz)).unwrap();
        for event in log["Records"].as_array().unwrap() {
            let text =
                |pointer: &str| event.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            let key = text("/userIdentity/accessKeyId");
            let is_of_user = ["IAMUser", "Root", "FederatedUser"].contains(&text("/userIdentity/type").as_str());
            if !is_of_user && !key.starts_with("AKIA") {
                continue;
            }
            let at: Timestamp = text("/eventTime").parse().unwrap();
            let hour = Timestamp::from_second(at.as_second() / 3_600 * 3_600).unwrap();
            let source = text("/eventSource");
            let service = source.strip_suffix(".amazonaws.com").unwrap_or(&source).to_owned();
            let row =
                all.entry((key, service, text("/eventName"), text("/sourceIPAddress"), hour)).or_insert((0, at, at));
            *row = (row.0 + 1, row.1.min(at), row.2.max(at));
        }
    }
    all
}

fn grouped(facts: &[Fact]) -> Counts {
    let mut all = BTreeMap::new();
    for fact in facts {
        let apart = (fact.key.clone(), fact.service.clone(), fact.name.clone(), fact.ip.clone(), fact.hour);
        let row = all.entry(apart).or_insert((0, fact.first, fact.last));
        *row = (row.0 + fact.calls, row.1.min(fact.first), row.2.max(fact.last));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_what_the_logs_say_however_they_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    Trail::new(Scale { events: 20_000, files: 60, keys: 40, days: 6, seed: 5 }).write(&logs).unwrap();
    let logs = logs.join("AWSLogs");
    let truth = counted_by_hand(&logs);
    assert!(truth.len() > 1_000);

    // A log at a time, so that there are many files of facts, which are merged.
    let mut piecemeal = desk(&folder.path().join("piecemeal")).await;
    let loaded = load(&mut piecemeal, &logs, 1).await;
    assert_eq!((loaded.files, loaded.known, loaded.calls), (60, 0, 20_000), "{:?}", loaded.problems);
    let facts = piecemeal.facts(&About::default()).await.unwrap();
    assert_eq!(grouped(&facts), truth);
    let parts = fs::read_dir(folder.path().join("piecemeal/facts")).unwrap().count();
    let live = number(&desk(&folder.path().join("piecemeal")).await, "SELECT sum(calls) FROM facts").await;
    assert_eq!(live.unsigned_abs(), truth.values().map(|(calls, ..)| calls).sum::<u64>());
    assert!(parts >= 60, "old files stay for questions that are under way");

    let mut at_once = desk(&folder.path().join("at-once")).await;
    load(&mut at_once, &logs, u64::MAX).await;
    assert_eq!(at_once.facts(&About::default()).await.unwrap(), facts, "the same, in the same order");

    // Read again, nothing changes.
    let again = load(&mut at_once, &logs, u64::MAX).await;
    assert_eq!((again.files, again.known, again.kept), (0, 60, 0));
    assert_eq!(desk(&folder.path().join("at-once")).await.facts(&About::default()).await.unwrap(), facts);

    // One key, by itself.
    let key = facts.iter().find(|fact| fact.key.starts_with("AKIA")).unwrap().key.clone();
    let of_key = at_once.facts(&About { key: Some(key.clone()), ..About::default() }).await.unwrap();
    assert_eq!(of_key, facts.iter().filter(|fact| fact.key == key).cloned().collect::<Vec<_>>());
    let name = of_key[0].user.rsplit('/').next().unwrap().to_owned();
    let of_user = at_once.facts(&About { user: Some(name), ..About::default() }).await.unwrap();
    assert!(of_user.iter().all(|fact| fact.user == of_key[0].user) && of_user.len() >= of_key.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_could_not_be_read_is_tried_again_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let whole = records(&[event(KEY, "GetObject", "2026-11-01T10:00:00Z")]);
    fs::write(logs.join("a.json"), &whole).unwrap();
    fs::write(logs.join("b.json"), &whole[..20]).unwrap();
    let mut desk = desk(&folder.path().join("facts")).await;
    let first = load(&mut desk, &logs, 1).await;
    assert_eq!((first.files, first.problems.len()), (1, 1));
    assert_eq!(desk.covered().await.unwrap()[0].unread, 1);
    fs::write(logs.join("b.json"), &whole).unwrap();
    let second = load(&mut desk, &logs, 1).await;
    assert_eq!((second.files, second.known, second.problems.len()), (1, 1, 0));
    let desk = crate::support::desk(&folder.path().join("facts")).await;
    assert_eq!(number(&desk, "SELECT sum(calls) FROM facts").await, 2);
    assert_eq!(desk.covered().await.unwrap()[0].unread, 0, "what was mended is unread no longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loads_at_once_count_each_log_once() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for at in 0..6 {
        let name = logs.join(format!("{at}.json"));
        fs::write(name, records(&[event(KEY, "GetObject", "2026-11-01T10:00:00Z")])).unwrap();
    }
    let facts = folder.path().join("facts");
    let (mut one, mut other) = (desk(&facts).await, desk(&facts).await);
    let files = crate::support::listing(&one, &logs).await.files;
    let wanted = akia_usage::facts::Load { files, largest_file: 1 << 20, portion: 1 };
    let (mut silent, mut silent_too) = (|_: &_| (), |_: &_| ());
    let (first, second) = tokio::join!(
        one.load(&wanted, Timestamp::now(), &mut silent),
        other.load(&wanted, Timestamp::now(), &mut silent_too)
    );
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    load(&mut one, &logs, 1).await;
    assert_eq!(number(&desk(&facts).await, "SELECT sum(calls) FROM facts").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_load_has_left_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("a.json");
    fs::write(&logs, records(&[event(KEY, "GetObject", "2026-11-01T10:00:00Z")])).unwrap();
    let facts = folder.path().join("facts");
    let mut desk = desk(&facts).await;
    load(&mut desk, &logs, 1).await;
    // A file of facts whose manifest was never written.
    let whole = fs::read_dir(facts.join("facts")).unwrap().next().unwrap().unwrap().path();
    fs::copy(&whole, facts.join("facts/0123.parquet")).unwrap();
    assert_eq!(number(&crate::support::desk(&facts).await, "SELECT sum(calls) FROM facts").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_folders_that_are_asked_for_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, time: &str| {
        let path = folder.path().join("AWSLogs").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, records(&[event(KEY, "GetObject", time)])).unwrap();
    };
    for day in 1..=5 {
        for (account, region) in
            [("111122223333", "eu-central-1"), ("111122223333", "us-east-1"), ("444455556666", "eu-central-1")]
        {
            let name = format!(
                "o-exampleorgid/{account}/CloudTrail/{region}/2026/11/{day:02}/{account}_CloudTrail_{region}_202611{day:02}T0005Z_a{day}.json"
            );
            write(&name, &format!("2026-11-{day:02}T00:01:00Z"));
        }
    }
    write("o-exampleorgid/111122223333/CloudTrail-Digest/eu-central-1/2026/11/01/a.json", "2026-11-01T00:00:00Z");
    let desk = desk(&folder.path().join("facts")).await;
    let place = folder.path().join("AWSLogs");
    let found = async |narrowing: Narrowing| {
        let listing = desk.list(place.to_str().unwrap(), &narrowing).await.unwrap();
        assert_eq!(listing.passed_over, u64::from(narrowing.accounts.is_empty()), "the digests");
        listing.files.len()
    };
    assert_eq!(found(Narrowing::default()).await, 15);
    assert_eq!(found(Narrowing { accounts: vec!["444455556666".to_owned()], ..Narrowing::default() }).await, 5);
    assert_eq!(found(Narrowing { regions: vec!["us-east-1".to_owned()], ..Narrowing::default() }).await, 5);
    let second = |day: &str| Some(format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap().as_second());
    assert_eq!(found(Narrowing { since: second("2026-11-04"), ..Narrowing::default() }).await, 6);
    // What happened on the second day may be in a log of the third.
    assert_eq!(found(Narrowing { until: second("2026-11-03"), ..Narrowing::default() }).await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_knows_the_days_without_logs() {
    let folder = tempfile::tempdir().unwrap();
    for day in [1, 2, 4] {
        let path = folder.path().join(format!("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/{day:02}"));
        fs::create_dir_all(&path).unwrap();
        let name = format!("111122223333_CloudTrail_eu-central-1_202611{day:02}T0005Z_a.json");
        fs::write(path.join(name), records(&[event(KEY, "GetObject", &format!("2026-11-{day:02}T00:01:00Z"))]))
            .unwrap();
    }
    let mut desk = desk(&folder.path().join("facts")).await;
    load(&mut desk, &folder.path().join("AWSLogs"), u64::MAX).await;
    let covered = crate::support::desk(&folder.path().join("facts")).await.covered().await.unwrap();
    assert_eq!(covered.len(), 1);
    let of_account = OfAccount::of("111122223333", &covered);
    assert_eq!(of_account.missing, ["2026-11-03".parse::<jiff::civil::Date>().unwrap()]);
    assert_eq!(of_account.regions, ["eu-central-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portion_may_be_larger_than_the_memory_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    // No two agents alike, and none short: 90 MB of texts for a sort that has a share of 160.
    for file in 0..30 {
        let one = |at: usize| {
            let mut event = event(KEY, "GetObject", "2026-11-01T10:00:00Z");
            event["userAgent"] = format!("{file}-{at}-{}", "agent ".repeat(500)).into();
            event
        };
        fs::write(logs.join(format!("{file}.json")), records(&(0..1_000).map(one).collect::<Vec<_>>())).unwrap();
    }
    let mut desk = desk(&folder.path().join("facts")).await;
    assert_eq!(load(&mut desk, &logs, u64::MAX).await.kept, 30_000);
    assert_eq!(number(&desk, "SELECT count(DISTINCT agent) FROM facts").await, 30_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_what_calls_were_about_is_answered_and_no_text_is_a_formula() {
    let folder = tempfile::tempdir().unwrap();
    let mut formula = event(KEY, "GetObject", "2026-11-01T10:00:00Z");
    formula["userAgent"] = "=HYPERLINK(1)".into();
    fs::write(folder.path().join("a.json"), records(&[formula])).unwrap();
    let desk = desk(&folder.path().join("facts")).await;
    desk.attach(crate::support::listing(&desk, folder.path()).await, 1 << 20).unwrap();
    let arns = "arn:aws:s3:::example arn:aws:s3:::example/*";
    for condition in [format!("resources = '{arns}'"), format!("resources IN ('{arns}', 'arn:aws:s3:::other')")] {
        assert_eq!(number(&desk, &format!("SELECT count(*) FROM events WHERE {condition}")).await, 1, "{condition}");
    }
    // Of the bucket in the request, when the request itself is asked for, too.
    let both = format!("SELECT count(*) FROM events WHERE resources = '{arns}' AND request LIKE '%bucketName%'");
    assert_eq!(number(&desk, &both).await, 1);
    let answer = desk.sql("SELECT agent, -1 AS number FROM events").await.unwrap();
    assert_eq!(akia_usage::answer::csv(&answer).unwrap(), "agent,number\n'=HYPERLINK(1),-1\n");
}
