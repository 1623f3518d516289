//! Audits that are kept: the history, what is compared, and what AWS is not asked again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use akia_sandbox::{Fault, FaultKind, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home};

fn ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(days * 24)
}

/// 20 users with a key of ten days each.
fn quiet() -> Cloud {
    let sandbox = Sandbox::builder().seed(5).build();
    for number in 0..20 {
        sandbox.add_user(&format!("user-{number:02}"), "/").unwrap().add_access_key(ago(10)).unwrap();
    }
    Cloud::of(sandbox)
}

fn audit(home: &Home, more: &[&str]) -> Value {
    home.akia(&[&["audit", "--output", "json"], more].concat()).exited(0).json()
}

fn history(home: &Home) -> Vec<Value> {
    home.akia(&["audit", "history", "--output", "json"]).done().json()["audits"].as_array().unwrap().clone()
}

/// How often `ListAccessKeys` was called since the last time, and the number of all calls.
fn listed(cloud: &Cloud) -> (usize, usize) {
    let log = cloud.sandbox().log();
    cloud.sandbox().clear_log();
    (log.iter().filter(|call| call.action == "ListAccessKeys").count(), log.len())
}

/// Findings without what is counted to the moment of the audit.
fn found(audit: &Value) -> Vec<String> {
    let findings = audit["findings"].as_array().unwrap().iter();
    let mut found: Vec<String> =
        findings.map(|one| format!("{} {} {}", one["rule"], one["user"], one["access_key"])).collect();
    found.sort();
    found
}

#[test]
fn audits_are_kept_listed_and_compared() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    assert!(history(&home).is_empty());
    let ran = home.akia(&["audit", "diff"]).exited(1);
    assert!(ran.stderr.contains("the audit last-1 was not kept") && ran.stderr.contains("next: "), "{}", ran.stderr);

    let first = audit(&home, &[]);
    assert_eq!(first["kept_as"], 1);
    let user = cloud.sandbox().account().user("user-03").unwrap();
    let old = user.add_access_key(ago(400)).unwrap();
    cloud.sandbox().expire_reports();
    let ran = home.akia(&["audit"]).exited(0);
    assert!(ran.stderr.contains("kept as audit 2, ") && ran.stderr.contains(" new and 0 gone"), "{}", ran.stderr);

    let diff = home.akia(&["audit", "diff", "--output", "json"]).done().json();
    let rules: Vec<&str> =
        diff["changes"].as_array().unwrap().iter().map(|change| change["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"key-age") && rules.contains(&"two-active-keys"), "{diff}");
    assert_eq!((&diff["gone"], &diff["unknown"]), (&json!(0), &json!(0)));
    assert_eq!(diff["new"], history(&home)[1]["new"], "the history counts what the diff shows");

    user.delete_access_key(&old.id).unwrap();
    cloud.sandbox().expire_reports();
    let third = audit(&home, &[]);
    let diff = home.akia(&["audit", "diff", "2", "last", "--output", "json"]).done().json();
    assert_eq!((&diff["new"], &diff["gone"]), (&json!(0), &json!(rules.len())));
    assert_eq!(found(&first), found(&third));
    let diff = home.akia(&["audit", "diff", "last-2", "last", "--output", "json"]).done().json();
    assert_eq!((&diff["new"], &diff["gone"]), (&json!(0), &json!(0)));
    // A file and an audit that was kept are the same to it.
    fs::write(home.path("third.json"), third.to_string()).unwrap();
    let diff = home.akia(&["audit", "diff", "2", "third.json", "--output", "json"]).done().json();
    assert_eq!((&diff["new"], &diff["gone"]), (&json!(0), &json!(rules.len())));
    let table = home.akia(&["audit", "history"]).done();
    assert!(table.stdout.contains("1 of 1") && table.stdout.contains("OF"), "{}", table.stdout);
}

#[test]
fn what_is_no_whole_look_is_not_kept_and_no_snapshot_leaves_nothing() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let before = home.everything();
    for more in [&["--no-snapshot"][..], &["--rule", "key-age"], &["--as-of", "2026-01-01"]] {
        assert_eq!(audit(&home, more)["kept_as"], Value::Null, "{more:?}");
        assert_eq!(home.everything(), before, "{more:?}");
    }
}

#[test]
fn an_audit_that_cannot_be_kept_is_an_audit_all_the_same() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin).file("state/audits.db", "not a database");
    let modes = fs::Permissions::from_mode(0o777);
    let ran = home.akia(&["audit"]).exited(0);
    assert!(ran.stderr.contains("earlier audits are neither used nor is this one kept"), "{}", ran.stderr);
    fs::set_permissions(home.path("state"), modes).unwrap();
    let ran = home.akia(&["audit"]).exited(0);
    assert!(ran.stderr.contains("others can write to"), "{}", ran.stderr);
}

#[test]
fn what_is_kept_is_ours_alone_and_holds_no_secret() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    audit(&home, &[]);
    let mode = |name: &str| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/audits.db")), (0o700, 0o600));
    assert!(!home.path("state/journal.db").exists(), "an audit does not touch the journal");
    let bytes = fs::read(home.path("state/audits.db")).unwrap();
    let secret = cloud.admin.secret.as_bytes();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn where_nothing_has_changed_a_second_audit_lists_no_keys_and_finds_the_same() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    cloud.sandbox().clear_log();
    let first = audit(&home, &[]);
    assert_eq!(listed(&cloud).0, 21);
    // A report that was there before the audit may be four hours old, and could hide what came after it.
    audit(&home, &[]);
    assert_eq!(listed(&cloud).0, 21, "an old report proves nothing");
    cloud.sandbox().expire_reports();
    let ran = home.akia(&["audit", "--output", "json"]).exited(0);
    assert_eq!(found(&ran.json()), found(&first));
    assert!(ran.stderr.contains("keys of 20 users unchanged by the report"), "{}", ran.stderr);
    // The administrator's key was made just now; the rest is what an account costs.
    let (keys, all) = listed(&cloud);
    assert!((keys, all) <= (1, 10), "{keys} of {all} calls");
    cloud.sandbox().expire_reports();
    assert_eq!(found(&audit(&home, &["--full"])), found(&first));
    assert_eq!(listed(&cloud).0, 21, "--full asks about everybody");
    cloud.sandbox().expire_reports();
    audit(&home, &["--no-snapshot"]);
    assert_eq!(listed(&cloud).0, 21, "--no-snapshot takes nothing from earlier audits");
}

/// Each change, made between two audits, is in the second: the same as in one that asks about everybody.
#[test]
fn no_change_is_hidden_by_an_earlier_audit() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    audit(&home, &[]);
    let account = cloud.sandbox().account().clone();
    let user = |number: usize| account.user(&format!("user-{number:02}")).unwrap();
    let key = |number: usize| {
        let name = format!("user-{number:02}");
        cloud.keys(&name)[0].id.clone()
    };
    user(0).set_key_active(&key(0), false).unwrap();
    let replaced = key(1);
    user(1).delete_access_key(&replaced).unwrap();
    let new = user(1).add_access_key(ago(100)).unwrap();
    user(2).add_access_key(ago(300)).unwrap();
    user(3).delete_access_key(&key(3)).unwrap();
    let opened = key(4);
    user(4).set_key_active(&opened, false).unwrap();
    user(4).set_key_active(&opened, true).unwrap();
    cloud.call("iam", "delete_access_key", json!({ "UserName": "user-05", "AccessKeyId": key(5) }));
    cloud.call("iam", "delete_user", json!({ "UserName": "user-05" }));
    cloud.user_without_rights("user-05", "/");
    account.user("user-05").unwrap().add_access_key(ago(10)).unwrap();
    cloud.sandbox().expire_reports();
    cloud.sandbox().clear_log();
    let steady = audit(&home, &[]);
    let (keys, _) = listed(&cloud);
    cloud.sandbox().expire_reports();
    let whole = audit(&home, &["--full"]);
    assert_eq!(found(&steady), found(&whole));
    assert!(found(&steady).iter().any(|one| one.contains(&new.id)), "the new key is there with its id");
    assert!(!steady.to_string().contains(&replaced));
    // Five users who still hold a key and were changed, and the administrator.
    assert_eq!(keys, 6);
}

#[test]
fn what_could_not_be_read_is_neither_gone_nor_new() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    audit(&home, &[]);
    cloud.sandbox().expire_reports();
    cloud.sandbox().inject(Fault::on("GetAccountAuthorizationDetails", FaultKind::AccessDenied).always());
    home.akia(&["audit"]).exited(3);
    let diff = home.akia(&["audit", "diff", "--output", "json"]).done();
    let counts = diff.json();
    assert_eq!(counts["gone"], 0, "{}", diff.stdout);
    assert!(counts["unknown"].as_u64().unwrap() > 0, "the administrator's key: {}", diff.stdout);
    assert!(diff.stderr.contains("not known now"), "{}", diff.stderr);
    let entries = history(&home);
    assert_eq!((&entries[1]["gone"], &entries[1]["is_whole"]), (&json!(0), &json!(false)));
}

#[test]
fn audits_of_an_emulator_and_of_another_are_not_compared() {
    let (one, two) = (quiet(), quiet());
    let home = Home::new(&one).profile("default", &one.admin);
    audit(&home, &[]);
    let home = home.profile("two", &two.admin).with("AWS_ENDPOINT_URL", &two.endpoint);
    two.sandbox().clear_log();
    audit(&home, &["-p", "two"]);
    assert_eq!(listed(&two).0, 21, "the same account number, and another world");
    let entries = history(&home);
    assert_eq!((&entries[0]["new"], &entries[1]["new"]), (&Value::Null, &Value::Null));
    assert_eq!(entries[1]["source"], two.endpoint.as_str());
}

#[test]
fn the_page_shows_the_trend_of_the_same_accounts() {
    let cloud = quiet();
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let page = home.path("a.html").display().to_string();
    audit(&home, &["--write", &page]);
    assert!(!home.read("a.html").contains("id=\"trend\""), "one audit is no trend");
    cloud.sandbox().account().user("user-03").unwrap().add_access_key(ago(400)).unwrap();
    cloud.sandbox().expire_reports();
    audit(&home, &["--write", &page]);
    let html = home.read("a.html");
    assert!(html.contains("id=\"trend\"") && html.contains("2 audits of the same accounts"), "{html}");
}

#[test]
fn a_database_of_a_newer_akia_is_left_alone() {
    let home = Home::new(&Backend::Sandbox.open());
    let cloud = quiet();
    let home = home.with("AWS_ENDPOINT_URL", &cloud.endpoint).profile("default", &cloud.admin);
    audit(&home, &[]);
    // Bytes 60 to 63 of a SQLite file are the user version.
    let path = home.path("state/audits.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&[0, 0, 0, 99]);
    fs::write(&path, &bytes).unwrap();
    let ran = home.akia(&["audit", "history"]).exited(1);
    assert!(ran.stderr.contains("have version 99; this akia knows versions up to 3"), "{}", ran.stderr);
    home.akia(&["audit"]).exited(0);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
