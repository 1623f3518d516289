//! `akia audit`: the real binary over real HTTP, and saved reports.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use akia_sandbox::{Fault, FaultKind, LastUsed, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, REPORT_COLUMNS, REPORT_ROOT};

on_every_backend!(two_active_keys_are_found_with_their_ids);

fn ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(days * 24)
}

fn used(days: i64) -> Option<LastUsed> {
    Some(LastUsed { at: ago(days), service: "s3".to_owned(), region: "eu-west-1".to_owned() })
}

/// Rules that are broken, each with its user.
fn broken(audit: &Value) -> BTreeSet<(String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = audit["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(finding, "rule"), text(finding, "user"))).collect()
}

fn two_active_keys_are_found_with_their_ids(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    // MiniStack's administrator has no key of AWS's form.
    let auditor = cloud.user("auditor");
    cloud.policy("auditor", "audit", &serde_json::from_str(ALLOW_ALL).unwrap());
    let home = Home::new(cloud).profile("default", &auditor.key);
    let before = home.everything();
    let ran = home.akia(&["audit", "--no-snapshot", "--output", "json"]);
    let audit = ran.json();
    let finding = audit["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "two-active-keys").unwrap();
    assert_eq!((&finding["user"], &finding["account"]), (&json!("ann"), &json!(cloud.account)));
    let detail = finding["detail"].as_str().unwrap();
    assert!(detail.contains(&ann.key.id) && detail.contains(&second.id), "{detail}");
    assert!(!broken(&audit).iter().any(|(rule, _)| rule == "key-age"), "they were made just now: {audit}");
    // The emulators leave out the root user, and MiniStack and moto do not know all actions: said, and never fine.
    match cloud.backend {
        Backend::Sandbox => assert_eq!((ran.code, &audit["is_whole"]), (0, &json!(true)), "{ran:?}"),
        Backend::Moto | Backend::MiniStack => assert_eq!((ran.code, &audit["is_whole"]), (3, &json!(false)), "{ran:?}"),
    }
    assert_eq!(home.everything(), before, "nothing is changed here");
    assert_eq!(cloud.keys("ann").iter().filter(|key| key.active).count(), 2, "nor in AWS");
}

/// One account with a case of nearly every rule, by its users.
fn troubled(sandbox: Sandbox) -> Cloud {
    let account = sandbox.account().clone();
    let root = account.add_root_key(ago(2_000)).unwrap();
    sandbox.set_last_used(&root.id, used(0)).unwrap();
    let old = sandbox.add_user("old", "/").unwrap();
    sandbox.set_last_used(&old.add_access_key(ago(91)).unwrap().id, used(1)).unwrap();
    let fresh = sandbox.add_user("fresh", "/").unwrap();
    sandbox.set_last_used(&fresh.add_access_key(ago(89)).unwrap().id, used(1)).unwrap();
    let idle = sandbox.add_user("idle", "/").unwrap();
    sandbox.set_last_used(&idle.add_access_key(ago(80)).unwrap().id, used(46)).unwrap();
    sandbox.add_user("never", "/").unwrap().add_access_key(ago(80)).unwrap();
    // An old key that was shut and opened again: the report takes it for new.
    let again = sandbox.add_user("again", "/").unwrap();
    let key = again.add_access_key(ago(400)).unwrap();
    again.set_key_active(&key.id, false).unwrap();
    again.set_key_active(&key.id, true).unwrap();
    sandbox.set_last_used(&key.id, used(1)).unwrap();
    // Two keys of one second, one of them used: only AWS's word on each tells which.
    let twins = sandbox.add_user("twins", "/").unwrap();
    let same = ago(60);
    let (_, second) = (twins.add_access_key(same).unwrap(), twins.add_access_key(same).unwrap());
    sandbox.set_last_used(&second.id, used(1)).unwrap();
    let exposed = sandbox.add_user("exposed,with,commas", "/").unwrap();
    sandbox.set_last_used(&exposed.add_access_key(ago(5)).unwrap().id, used(1)).unwrap();
    let quarantine = account.add_policy("AWSCompromisedKeyQuarantineV4", DENY).unwrap();
    exposed.attach_policy(&quarantine).unwrap();
    exposed.tag("owner", "eve@example.com").unwrap();
    let service = sandbox.add_user("service-backup", "/").unwrap();
    service.put_policy("own", ALLOW_ALL).unwrap();
    service.add_login_profile(ago(5), None).unwrap();
    sandbox.set_last_used(&service.add_access_key(ago(5)).unwrap().id, used(1)).unwrap();
    Cloud::of(sandbox)
}

const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}"#;

fn expected() -> BTreeSet<(String, String)> {
    [
        ("root-key", "root"),
        ("root-used", "root"),
        ("key-age", "old"),
        ("key-unused", "idle"),
        ("key-never-used", "never"),
        ("key-age", "again"),
        ("key-reactivated", "again"),
        ("two-active-keys", "twins"),
        ("key-never-used", "twins"),
        ("key-exposed", "exposed,with,commas"),
        ("admin-key", "service-backup"),
        ("console-without-mfa", "service-backup"),
        ("console-and-key", "service-backup"),
        ("service-user-console", "service-backup"),
        ("service-user-without-group", "service-backup"),
        ("service-user-direct-policies", "service-backup"),
        ("service-user-untagged", "service-backup"),
    ]
    .map(|(rule, user)| (rule.to_owned(), user.to_owned()))
    .into()
}

/// Without what the administrator of the tests breaks.
fn of_others(audit: &Value) -> BTreeSet<(String, String)> {
    broken(audit).into_iter().filter(|(_, user)| user != "lab-admin").collect()
}

#[test]
fn every_case_is_found_and_no_other_also_with_small_pages_and_slots_in_disorder() {
    for (page_size, shuffled) in [(1_000, false), (2, true)] {
        let sandbox = Sandbox::builder().seed(7).page_size(page_size).shuffled_report_slots(shuffled);
        let cloud = troubled(sandbox.build());
        let home = Home::new(&cloud).profile("default", &cloud.admin);
        let ran = home.akia(&["audit", "--output", "json"]).exited(0);
        let audit = ran.json();
        assert_eq!(of_others(&audit), expected(), "pages of {page_size}");
        assert_eq!(audit["is_whole"], true, "{audit}");
        let finding =
            |rule: &str| audit["findings"].as_array().unwrap().iter().find(|one| one["rule"] == rule).unwrap();
        assert_eq!(finding("key-exposed")["owner"], "eve@example.com");
        let key = finding("key-age")["access_key"].as_str().unwrap().to_owned();
        assert!(key.starts_with("AKIA"), "{key}");
        assert_eq!(finding("key-age")["command"].as_str().unwrap().split(' ').next(), Some("akia"));
    }
}

#[test]
fn few_calls_are_made_for_many_users() {
    let sandbox = Sandbox::builder().seed(1).build();
    for number in 0..60 {
        let user = sandbox.add_user(&format!("user-{number:03}"), "/").unwrap();
        if number < 40 {
            user.add_access_key(ago(10)).unwrap();
        }
    }
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    cloud.sandbox().clear_log();
    home.akia(&["audit"]).exited(0);
    let calls = cloud.sandbox().log();
    let count = |action: &str| calls.iter().filter(|call| call.action == action).count();
    // The 40 who hold keys, and the administrator.
    assert_eq!(count("ListAccessKeys"), 41);
    assert!(calls.len() <= 41 + 10, "{} calls", calls.len());
}

#[test]
fn a_report_that_is_made_expired_or_throttled_is_waited_for() {
    let cloud = troubled(Sandbox::builder().seed(3).report_takes(Duration::from_secs(3)).build());
    for action in
        ["GenerateCredentialReport", "GetCredentialReport", "ListAccessKeys", "GetAccountAuthorizationDetails"]
    {
        cloud.sandbox().inject(Fault::on(action, FaultKind::Throttle));
    }
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let audit = home.akia(&["audit", "--output", "json"]).exited(0).json();
    assert_eq!(of_others(&audit), expected());
}

#[test]
fn what_is_denied_is_said_and_the_exit_code_says_that_the_audit_is_not_whole() {
    let cloud = troubled(Sandbox::builder().seed(4).build());
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let denied = |action: &str| cloud.sandbox().inject(Fault::on(action, FaultKind::AccessDenied).always());
    denied("GetAccountAuthorizationDetails");
    let ran = home.akia(&["audit", "--output", "json"]).exited(3);
    let audit = ran.json();
    assert_eq!(audit["is_whole"], false);
    assert!(broken(&audit).contains(&("key-age".to_owned(), "old".to_owned())), "the rest is judged");
    let unknown: Vec<&str> =
        audit["unknown"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert!(unknown.contains(&"admin-key") && unknown.contains(&"key-exposed"), "{unknown:?}");
    assert!(ran.stderr.contains("could not tell in "), "{}", ran.stderr);

    // Without the report there is nothing to say.
    denied("GenerateCredentialReport");
    denied("GetCredentialReport");
    let ran = home.akia(&["audit"]).exited(1);
    assert!(
        ran.stderr.contains("the credential report cannot be had") && ran.stderr.contains("next: "),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
}

fn report() -> String {
    let users = "ann,arn:aws:iam::123456789012:user/ann,2020-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,true,\
        2026-08-01T00:00:00+00:00,2026-10-31T00:00:00+00:00,eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n";
    [REPORT_COLUMNS, REPORT_ROOT, users].concat()
}

#[test]
fn a_saved_report_is_judged_at_the_moment_that_is_named_and_without_aws() {
    let home =
        Home::new(&Backend::Sandbox.open()).file("report.csv", report()).with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let path = home.path("report.csv").display().to_string();
    let rules = |at: &str| {
        let ran = home.akia(&["audit", "--from-report", &path, "--as-of", at, "--output", "json"]).exited(0);
        broken(&ran.json()).into_iter().map(|(rule, _)| rule).collect::<Vec<_>>()
    };
    // Made on 1 August: 90 days are over when 30 October has gone by, to the second.
    assert_eq!(rules("2026-10-30"), [""; 0]);
    assert_eq!(rules("2026-10-30T00:00:01Z"), ["key-age"]);
    let table = home.akia(&["audit", "--from-report", &path, "--as-of", "2026-11-24"]).exited(0);
    assert!(table.stderr.contains("left out, for a report does not tell what they need: "), "{}", table.stderr);
    let ran = home.akia(&["audit", "--from-report", &path, "--from-report", &path]).exited(2);
    assert!(ran.stderr.contains("is a second report of account 123456789012"), "{}", ran.stderr);
}

#[test]
fn a_threshold_and_a_baseline_decide_the_exit_code_and_a_diff_tells_what_changed() {
    let home = Home::new(&Backend::Sandbox.open()).file("report.csv", report());
    let path = |name: &str| home.path(name).display().to_string();
    let audit = |more: &[&str]| {
        home.akia(&[&["audit", "--from-report", &path("report.csv"), "--as-of", "2026-11-24"], more].concat())
    };
    audit(&["--fail-on", "high"]).exited(0);
    let found = audit(&["--fail-on", "medium", "--output", "json"]).exited(4);
    fs::write(home.path("known.json"), &found.stdout).unwrap();
    let known = audit(&["--fail-on", "medium", "--baseline", &path("known.json")]).exited(0);
    assert!(known.stderr.contains("1 of them known from the baseline"), "{}", known.stderr);

    let calm = audit(&["--without-rule", "key-age", "--output", "json"]).exited(0);
    fs::write(home.path("calm.json"), &calm.stdout).unwrap();
    let diff = |earlier: &str, later: &str| {
        home.akia(&["audit", "diff", &path(earlier), &path(later), "--output", "json"]).done().json()
    };
    let worse = diff("calm.json", "known.json");
    assert_eq!(
        (&worse["new"], &worse["gone"], &worse["changes"][0]["rule"]),
        (&json!(1), &json!(0), &json!("key-age"))
    );
    assert_eq!(diff("known.json", "calm.json")["gone"], 1);
    let ran = home.akia(&["audit", "diff", &path("report.csv"), &path("known.json")]).exited(1);
    assert!(ran.stderr.contains("report.csv is not an audit: "), "{}", ran.stderr);
}

#[test]
fn two_profiles_of_one_account_are_one_audit_and_two_accounts_are_two() {
    let sandbox = Sandbox::builder().seed(9).build();
    let other = sandbox.add_account(akia_sandbox::AccountSpec::new("444455556666").alias("other")).unwrap();
    let bob = other.add_user("bob", "/").unwrap();
    bob.attach_policy("AdministratorAccess").unwrap();
    let key = bob.add_access_key(Timestamp::now()).unwrap();
    let cloud = Cloud::of(sandbox);
    let theirs = Key { id: key.id, secret: key.secret, token: None };
    let home = Home::new(&cloud).profile("a", &cloud.admin).profile("b", &cloud.admin).profile("c", &theirs);
    let ran = home.akia(&["audit", "-p", "a", "-p", "b", "-p", "c", "--output", "json"]).exited(0);
    assert_eq!(ran.json()["accounts"], json!({ "read": 2, "of": 2 }));
    assert!(ran.json()["findings"].as_array().unwrap().iter().any(|one| one["account_name"] == "other"));
}

#[test]
fn mistakes_are_named_before_aws_is_asked() {
    let home = Home::new(&Backend::Sandbox.open()).with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    for (arguments, words) in [
        (&["audit", "--write", "x.pdf"][..], "the name x.pdf says no form"),
        (&["audit", "--rule", "key-agee"], "did you mean key-age?"),
        (&["audit", "--as-of", "yesterday"], "it is no moment; write 2026-12-24"),
        (&["audit", "--as-of", "2026-11-01T12:00:00"], "it is no moment; write 2026-12-24"),
        (&["audit", "--fail-on", "grave"], "is not a severity"),
        (&["audit", "explain", "nothing-like-it"], "there is no such rule"),
    ] {
        let ran = home.akia(arguments).exited(2);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

/// 10,000 made-up reports, judged by akia and by a program that shares nothing with it.
#[test]
fn a_second_opinion_on_ten_thousand_reports_is_the_same() {
    const REPORTS: usize = 10_000;
    const AT_ONCE: usize = 500;
    let home = Home::new(&Backend::Sandbox.open()).with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let folder = home.path("reports");
    fs::create_dir(&folder).unwrap();
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/report_judge.py");
    let made = std::process::Command::new(crate::support::python())
        .args([judge, "20261124", &REPORTS.to_string(), folder.to_str().unwrap()])
        .status();
    assert!(made.unwrap().success());
    let expected: std::collections::BTreeMap<String, BTreeSet<(String, String)>> =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), REPORTS);
    let rules =
        ["key-age", "key-unused", "key-never-used", "root-key", "root-used", "two-active-keys", "console-without-mfa"];
    let mut compared = 0;
    for first in (0..REPORTS).step_by(AT_ONCE) {
        let paths = (first..first + AT_ONCE).map(|n| folder.join(format!("{n:05}.csv")).display().to_string());
        let mut arguments: Vec<String> =
            ["audit", "--as-of", "2026-11-24T12:00:00Z", "--output", "json"].map(str::to_owned).to_vec();
        arguments.extend(rules.iter().flat_map(|rule| ["--rule".to_owned(), (*rule).to_owned()]));
        arguments.extend(paths.flat_map(|path| ["--from-report".to_owned(), path]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let audit = home.akia(&arguments).exited(0).json();
        let mut found: std::collections::BTreeMap<&str, BTreeSet<(String, String)>> = std::collections::BTreeMap::new();
        for finding in audit["findings"].as_array().unwrap() {
            let text = |name: &str| finding[name].as_str().unwrap();
            found.entry(text("account")).or_default().insert((text("rule").to_owned(), text("user").to_owned()));
        }
        for number in first..first + AT_ONCE {
            let account = (100_000_000_000 + number).to_string();
            let ours = found.remove(account.as_str()).unwrap_or_default();
            assert_eq!(ours, expected[&account], "report {number:05}");
            compared += ours.len();
        }
    }
    assert!(compared > REPORTS, "{compared} findings were compared");
}

/// What DuckDB reads from a Parquet file: rows as JSON, times as milliseconds.
const DUCKDB: &str = r#"
import duckdb, json, sys
path = sys.argv[1]
base = duckdb.connect()
columns = base.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
is_time = lambda kind: kind == "TIMESTAMP WITH TIME ZONE"
picked = ", ".join(f'epoch_ms("{name}") AS "{name}"' if is_time(kind) else f'"{name}"' for name, kind, *_ in columns)
rows = base.execute(f"SELECT {picked} FROM read_parquet(?)", [path]).fetchall()
names = [name for name, *_ in columns]
print(json.dumps({
    "types": {name: kind for name, kind, *_ in columns},
    "rows": [dict(zip(names, row)) for row in rows],
}))
"#;

#[test]
fn duckdb_reads_the_inventory_as_the_json_has_it() {
    let cloud = troubled(Sandbox::builder().seed(7).build());
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let path = |name: &str| home.path(name).display().to_string();
    home.akia(&["audit", "--write", &path("keys.json"), "--write", &path("keys.parquet")]).exited(0);
    let ours: Value = serde_json::from_str(&home.read("keys.json")).unwrap();
    let read = std::process::Command::new(crate::support::python())
        .args(["-c", DUCKDB, &path("keys.parquet")])
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let theirs: Value = serde_json::from_slice(&read.stdout).unwrap();
    let (ours, rows) = (ours["keys"].as_array().unwrap(), theirs["rows"].as_array().unwrap());
    assert!(ours.len() > 10 && ours.len() == rows.len(), "{} and {}", ours.len(), rows.len());
    let types = theirs["types"].as_object().unwrap();
    for (ours, theirs) in ours.iter().zip(rows) {
        let names: BTreeSet<&String> = ours.as_object().unwrap().keys().collect();
        assert_eq!(names, theirs.as_object().unwrap().keys().collect());
        for name in names {
            let ours = match (types[name].as_str().unwrap(), ours[name].as_str()) {
                ("TIMESTAMP WITH TIME ZONE", Some(time)) => json!(time.parse::<Timestamp>().unwrap().as_millisecond()),
                _ => ours[name].clone(),
            };
            assert_eq!(theirs[name], ours, "{name}");
        }
    }
    let of_kind = |kind: &str| types.values().filter(|one| *one == kind).count();
    assert_eq!((of_kind("TIMESTAMP WITH TIME ZONE"), of_kind("BOOLEAN"), of_kind("VARCHAR[]")), (5, 5, 2), "{types:?}");
}

#[test]
fn each_form_is_written_to_the_file_whose_name_asks_for_it() {
    let home = Home::new(&Backend::Sandbox.open()).file("report.csv", report());
    let path = |name: &str| home.path(name).display().to_string();
    let forms = [
        ("a.html", "<!DOCTYPE html>"),
        ("a.md", "# "),
        ("a.sarif", "\"version\": \"2.1.0\""),
        ("a.jsonl", "akia.audit.finding/1"),
        ("a.xml", "<testsuites"),
        ("a.ocsf.json", "\"class_uid\": 2003"),
        ("a.asff.json", "\"SchemaVersion\": \"2018-10-08\""),
        ("a.keys.json", "\"schema\": \"akia.keys/1\""),
    ];
    let mut arguments = vec!["audit".to_owned(), "--as-of".to_owned(), "2026-11-24".to_owned()];
    arguments.extend(["--from-report".to_owned(), path("report.csv")]);
    arguments.extend(forms.iter().flat_map(|(name, _)| ["--write".to_owned(), path(name)]));
    arguments.extend(["--write".to_owned(), path("a.parquet")]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    home.akia(&arguments).exited(0);
    let parquet = fs::read(home.path("a.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    for (name, words) in forms {
        let text = home.read(name);
        let found = text.contains(words) || text.replace(' ', "").contains(&words.replace(' ', ""));
        assert!(found, "{name}: {}", text.chars().take(400).collect::<String>());
    }
    let ran = home.akia(&["audit", "--from-report", &path("report.csv"), "--write", "/nonexistent/a.html"]).exited(1);
    assert!(ran.stderr.contains("/nonexistent/a.html cannot be written"), "{}", ran.stderr);
}
