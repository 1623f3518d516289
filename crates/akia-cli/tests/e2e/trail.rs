//! `akia usage` as a person types it, on logs of CloudTrail in a folder and in moto's S3.
#![cfg(feature = "usage")]

use std::path::Path;

use akia_corpus::trail::{Scale, Trail};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home};

fn logs(folder: &Path) -> (String, Trail) {
    let trail = Trail::new(Scale { events: 6_000, files: 30, keys: 24, days: 6, seed: 21 });
    trail.write(folder).unwrap();
    (folder.join("AWSLogs").to_str().unwrap().to_owned(), trail)
}

fn home() -> (Cloud, Home) {
    let cloud = Backend::Moto.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    (cloud, home)
}

/// A home whose facts are those of a trail; the folder holds the logs.
fn loaded() -> (Cloud, Home, tempfile::TempDir, Trail) {
    let (cloud, home) = home();
    let folder = tempfile::tempdir().unwrap();
    let (place, trail) = logs(folder.path());
    home.akia(&["usage", "load", &place]).done();
    (cloud, home, folder, trail)
}

/// The number of a fact of a JSON report.
fn number(json: &Value, name: &str) -> u64 {
    json[name].as_u64().unwrap_or_else(|| panic!("{name} in {json}"))
}

#[test]
fn logs_of_a_folder_are_loaded_once_and_asked() {
    let (_cloud, home) = home();
    let folder = tempfile::tempdir().unwrap();
    let (place, trail) = logs(folder.path());

    let early = home.akia(&["usage", "status"]).exited(1);
    assert!(
        early.stderr.contains("no logs were loaded") && early.stderr.contains("akia usage load"),
        "{}",
        early.stderr
    );

    let first = home.akia(&["usage", "load", &place, "--output", "json"]).done().json();
    assert_eq!((number(&first, "files"), number(&first, "calls"), number(&first, "known")), (30, 6_000, 0));
    let again = home.akia(&["usage", "load", &place, "--output", "json"]).done().json();
    assert_eq!((number(&again, "files"), number(&again, "known")), (0, 30));

    let truth: u64 = trail.facts().iter().map(|fact| fact.calls).sum();
    let told = home.akia(&["usage", "sql", "SELECT sum(calls) AS calls FROM facts", "--output", "json"]).done().json();
    assert_eq!(told["schema"], "akia.usage-sql/1");
    assert_eq!(number(&told["rows"][0], "calls"), number(&first, "kept"));
    assert!(truth <= number(&first, "kept"), "console sessions are kept, too");

    let status = home.akia(&["usage", "status", "--output", "json"]).done().json();
    assert!(status["regions"].as_array().unwrap().len() >= 3, "{status}");

    // As they lie, and with a column that is not kept.
    let events =
        ["usage", "sql", "--logs", &place, "SELECT count(DISTINCT event_id) AS n FROM events", "--output", "csv"];
    assert_eq!(home.akia(&events).done().stdout, "n\n6000\n");
}

#[test]
fn a_key_is_in_use_or_quiet_and_doubts_are_told() {
    let (_cloud, home, _logs, trail) = loaded();
    let facts = trail.facts();
    let key = &facts.iter().find(|fact| fact.key.starts_with("AKIA")).unwrap().key;

    let used = home.akia(&["usage", "quiet", key, "--since", "2026-10-01", "--output", "json"]).exited(4).json();
    assert_eq!(used["verdict"], "in-use");
    let calls: u64 = facts.iter().filter(|fact| fact.key == *key).map(|fact| fact.calls).sum();
    let told: u64 = used["uses"].as_array().unwrap().iter().map(|one| number(one, "calls")).sum();
    assert_eq!(told, calls);

    // The logs end long before today, so nothing is sure.
    let quiet = home.akia(&["usage", "quiet", key, "--since", "2026-11-01"]).exited(6);
    assert!(quiet.stderr.contains("is quiet") && quiet.stderr.contains("logs end on"), "{}", quiet.stderr);
    assert!(quiet.stderr.contains("akia key last-used"), "{}", quiet.stderr);

    let never = home.akia(&["usage", "quiet", key, "--since", "2999-01-01"]).exited(2);
    assert!(never.stderr.contains("is not yet"), "{}", never.stderr);
}

#[test]
fn what_a_key_does_is_shown_in_a_terminal_and_on_a_page() {
    let (_cloud, home, folder, trail) = loaded();
    let facts = trail.facts();
    let key = &facts.iter().find(|fact| fact.key.starts_with("AKIA")).unwrap().key;
    let text = home.akia(&["usage", "key", key, "--output", "table"]).done().stdout;
    for part in [key, "FOR WHAT", "FROM", "WITH", "BY HOUR OF THE DAY, UTC", "  23  "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = home.akia(&["usage", "key", key, "--output", "json"]).done().json();
    let calls: u64 = facts.iter().filter(|fact| fact.key == *key).map(|fact| fact.calls).sum();
    assert_eq!(number(&json["use"], "calls"), calls);
    let page = folder.path().join("key.html");
    home.akia(&["usage", "key", key, "--html", page.to_str().unwrap()]).done();
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains(key) && html.contains("<svg") && html.ends_with("</html>\n"));
    let blast = home.akia(&["usage", "blast", key, "--output", "json"]).done().json();
    assert_eq!(blast["schema"], "akia.usage-blast/1");
    assert!(blast["did"]["reads"].is_object(), "{blast}");
}

#[test]
fn keys_that_several_use_and_keys_on_machines_are_listed() {
    let (_cloud, home) = home();
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::new(Scale { events: 60_000, files: 40, keys: 60, days: 20, seed: 4 });
    trail.write(folder.path()).unwrap();
    home.akia(&["usage", "load", folder.path().join("AWSLogs").to_str().unwrap()]).done();
    for verb in ["shared", "machines"] {
        let told = home.akia(&["usage", verb, "--since", "2026-10-01", "--output", "json"]).exited(4).json();
        let keys = told["keys"].as_array().unwrap();
        assert!(!keys.is_empty() && keys.len() < 60, "{verb}: {}", keys.len());
        let key = keys[0]["key"].as_str().unwrap();
        let one = home.akia(&["usage", verb, key, "--since", "2026-10-01", "--output", "json"]).exited(4).json();
        assert_eq!(one["keys"][0]["key"], key);
        let table = home.akia(&["usage", verb, "--since", "2026-10-01", "--output", "table"]).exited(4);
        assert!(table.stdout.contains(key), "{}", table.stdout);
    }
}

#[test]
fn a_policy_is_drawn_from_what_was_called_and_nobody_unknown_has_one() {
    let (_cloud, home, _logs, trail) = loaded();
    let facts = trail.facts();
    let fact = facts.iter().find(|fact| fact.service == "s3" && fact.error.is_empty()).unwrap();
    let policy = home.akia(&["usage", "policy", &fact.key, "--days", "3650"]).done();
    let document: Value = serde_json::from_str(&policy.stdout).unwrap();
    assert_eq!(document["Version"], "2012-10-17");
    assert!(document.to_string().contains("s3:"), "{document}");
    let nobody = home.akia(&["usage", "policy", "nobody-at-all"]).exited(1);
    assert!(nobody.stderr.contains("no call of nobody-at-all"), "{}", nobody.stderr);
}

#[test]
fn what_makes_no_sense_is_refused_and_told() {
    let (_cloud, home) = home();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.json.gz"), b"\x1f\x8b\x08").unwrap();
    let place = folder.path().to_str().unwrap();

    let broken = home.akia(&["usage", "load", place]).exited(3);
    assert!(broken.stdout.contains("broken.json.gz"), "{}", broken.stdout);
    let missing = home.akia(&["usage", "load", "/no/such/place"]).exited(1);
    assert!(missing.stderr.contains("/no/such/place is no folder"), "{}", missing.stderr);
    let sql = home.akia(&["usage", "sql", "SELEC 1"]).exited(1);
    assert!(sql.stderr.contains("SELEC"), "{}", sql.stderr);
    let drop = home.akia(&["usage", "sql", "DROP TABLE facts"]).exited(1);
    assert!(drop.stderr.contains("DDL not supported"), "{}", drop.stderr);
    let copy = home.akia(&["usage", "sql", "COPY (SELECT 1) TO '/tmp/akia-must-not-write.csv'"]).exited(1);
    assert!(copy.stderr.contains("DML not supported"), "{}", copy.stderr);
    assert!(!Path::new("/tmp/akia-must-not-write.csv").exists());
    let events = home.akia(&["usage", "sql", "SELECT * FROM events"]).exited(1);
    assert!(events.stderr.contains("--logs"), "{}", events.stderr);
}

#[test]
fn logs_and_facts_may_lie_in_buckets() {
    let (cloud, home) = home();
    let all = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
    cloud.policy("ann", "s3", &json!({ "Version": "2012-10-17", "Statement": [all] }));
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = logs(folder.path());
    for bucket in ["example-trail", "example-facts"] {
        cloud.aws(&["s3api", "create-bucket", "--bucket", bucket]).done();
    }
    cloud.aws(&["s3", "sync", "--quiet", &place, "s3://example-trail/AWSLogs/"]).done();
    let facts = ["--facts", "s3://example-facts/akia", "--output", "json"];
    let load = |more: &[&str]| {
        let words = [&["usage", "load", "s3://example-trail/AWSLogs/"], more, &facts].concat();
        home.akia(&words).done().json()
    };
    let part = load(&["--until", "2026-10-03"]);
    let whole = load(&[]);
    assert!(number(&part, "files") > 0 && number(&part, "files") < 30, "{part}");
    assert_eq!(number(&part, "files") + number(&whole, "files"), 30);
    assert_eq!(number(&whole, "known"), number(&part, "files"));
    // The same as from the folder.
    home.akia(&["usage", "load", &place]).done();
    let question = "SELECT key, sum(calls) AS calls FROM facts GROUP BY key ORDER BY key";
    let from_bucket = home.akia(&[&["usage", "sql", question][..], &facts].concat()).done().json();
    let from_folder = home.akia(&["usage", "sql", question, "--output", "json"]).done().json();
    assert_eq!(from_bucket["rows"], from_folder["rows"]);
    let nowhere = home.akia(&["usage", "load", "s3://example-no-such-bucket/AWSLogs/"]).exited(1);
    assert!(nowhere.stderr.contains("example-no-such-bucket"), "{}", nowhere.stderr);
}
