//! `akia status`: the real binary over real HTTP.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use akia_sandbox::{LastUsed, Propagation, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key};

on_every_backend!(each_profile_says_whose_key_it_holds);

fn each_profile_says_whose_key_it_holds(cloud: &Cloud) {
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let second = cloud.key("bob");
    let home = Home::new(cloud)
        .profile("default", &ann.key)
        .profile("also ann", &ann.key)
        .profile("bob", &bob.key)
        .profile("typo", &bob.key.mistyped())
        .file(
            ".aws/config",
            "[profile admin]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = bob\n",
        );
    let before = home.everything();
    let ran = home.akia(&["status", "-p", "default", "-p", "also ann", "-p", "bob", "-p", "admin", "--output", "json"]);
    let ran = ran.done();
    assert_eq!(ran.stderr, "");
    let rows = ran.json();
    assert_eq!(rows["schema"], "akia.status/1");
    assert_eq!(rows["offline"], false);
    for (name, user) in [("default", "ann"), ("also ann", "ann"), ("bob", "bob")] {
        let row = row(&rows, name);
        assert_eq!((&row["user"], &row["account"]), (&json!(user), &json!(cloud.account)), "{name}");
        assert_eq!((&row["source"], &row["age_days"], &row["status"]), (&json!("aws"), &json!(0), &json!("Active")));
    }
    assert_eq!(row(&rows, "bob")["other_keys"][0]["id"], second.id);
    assert_eq!(codes(row(&rows, "bob")), ["two-keys", "shared"]);
    assert_eq!(codes(row(&rows, "default")), ["shared"]);
    let admin = row(&rows, "admin");
    assert_eq!(
        (&admin["kind"], &admin["source_profile"], &admin["source"]),
        (&json!("role"), &json!("bob"), &json!("profile"))
    );
    assert_eq!(home.everything(), before, "nothing may be left behind");

    // A wrong secret concerns its own row; the profile with the right one tells whose key it is.
    let ran = home.akia(&["status", "--output", "json"]).exited(3);
    let typo = row(&ran.json(), "typo").clone();
    // moto answers STS in the form of EC2's errors, whose code the SDK does not find.
    let code = if cloud.backend == Backend::Moto { "failed" } else { "wrong-secret" };
    assert_eq!((&typo["error"]["code"], &typo["user"]), (&json!(code), &json!("bob")), "{typo}");
    assert_eq!(row(&ran.json(), "bob")["error"], Value::Null);
    assert!(ran.stderr.starts_with("profile \"typo\": "), "{}", ran.stderr);
    for ran in [ran, home.akia(&["status", "-vv"])] {
        for key in [&ann.key, &bob.key, &bob.key.mistyped(), &second] {
            assert!(!ran.stdout.contains(&key.secret) && !ran.stderr.contains(&key.secret), "a secret was shown");
        }
    }
}

#[test]
fn age_use_and_root_are_judged_by_what_aws_says() {
    let (cloud, now) = slow_to_tell();
    let old = user(&cloud, "ann", now, 400);
    let idle = user(&cloud, "ida", now, 120);
    let fresh = user(&cloud, "fay", now, 10);
    let asleep = user(&cloud, "ian", now, 50);
    let account = cloud.sandbox().account();
    account.user("ian").unwrap().set_key_active(&asleep.id, false).unwrap();
    let root = account.add_root_key(now).unwrap();
    let root = Key { id: root.id, secret: root.secret, token: None };
    let use_of = |key: &Key, days: i64| {
        let last = LastUsed { at: ago(now, days), service: "s3".to_owned(), region: "eu-west-1".to_owned() };
        cloud.sandbox().set_last_used(&key.id, Some(last)).unwrap();
    };
    use_of(&old, 3);
    use_of(&fresh, 1);
    let home = Home::new(&cloud)
        .profile("old", &old)
        .profile("idle", &idle)
        .profile("fresh", &fresh)
        .profile("asleep", &asleep)
        .profile("root", &root);
    let ran = home.akia(&["status", "--output", "json"]).exited(3);
    let rows = ran.json();
    let found: Vec<_> =
        ["old", "idle", "fresh", "root"].map(|name| (name, codes(row(&rows, name)))).into_iter().collect();
    let list = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            ("old", list(&["rotate"])),
            ("idle", list(&["rotate", "never-used"])),
            ("fresh", list(&[])),
            ("root", list(&["root-key"])),
        ]
    );
    assert_eq!(row(&rows, "old")["last_used"]["service"], "s3");
    assert_eq!(row(&rows, "asleep")["error"]["code"], "key-refused");

    let table = home.akia(&["status", "-p", "old", "-p", "fresh", "--max-age", "10d"]).done();
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
        "PROFILE KIND ACCOUNT USER ACCESS KEY AGE LAST USED DUE"
    );
    assert!(lines[1].contains("  400d  3d s3") && lines[1].ends_with("rotate"), "{}", table.stdout);
    assert!(lines[2].contains("  10d   1d s3") && lines[2].ends_with("rotate"), "{}", table.stdout);
    assert_eq!(table.stderr, "next: akia rotate -p old -p fresh\n");
}

#[test]
fn a_key_is_asked_about_once_however_many_profiles_hold_it() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = (0..20).fold(Home::new(&cloud), |home, index| home.profile(&format!("p{index}"), &ann.key));
    cloud.sandbox().clear_log();
    home.akia(&["status"]).done();
    let mut calls: Vec<String> = cloud.sandbox().log().into_iter().map(|call| call.action).collect();
    calls.sort();
    assert_eq!(calls, ["GetAccessKeyLastUsed", "GetCallerIdentity", "ListAccessKeys"]);
    let shown = home.akia(&["status", "--show-aws-cli", "--offline"]).done().stderr;
    for (command, times) in [("sts get-caller-identity", 1), ("iam list-access-keys", 1), ("--profile p0", 3)] {
        assert_eq!(shown.matches(command).count(), times, "{command} in {shown}");
    }
}

#[test]
fn mfa_is_never_asked_for_and_used_when_a_code_is_given() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let with_mfa = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    cloud.policy("ann", "own-keys", &cloud.backend.own_keys_policy(&with_mfa));
    let key = cloud.key("ann");
    let serial = cloud.mfa_device("ann");
    let home =
        Home::new(&cloud).profile("ann", &key).file(".aws/config", format!("[profile ann]\nmfa_serial = {serial}\n"));
    let refused = home.akia(&["status", "--output", "json"]).exited(3);
    let ann = refused.json();
    assert_eq!(row(&ann, "ann")["error"]["code"], "mfa-needed");
    assert_eq!(row(&ann, "ann")["user"], "ann", "who it is needs no right");
    assert!(refused.stderr.contains("it needs an MFA code: add --mfa-code"), "{}", refused.stderr);
    let code = cloud.mfa_code(&serial);
    let told = home.akia(&["status", "--output", "json", "--mfa-code", &code]).done().json();
    assert_eq!(row(&told, "ann")["age_days"], 0);
    let wrong = home.akia(&["status", "--output", "json", "--mfa-code", "000000"]).exited(3).json();
    assert_eq!(row(&wrong, "ann")["error"]["code"], "mfa-failed");
}

#[test]
fn without_network_the_files_are_told_within_seconds() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    // It accepts, and never answers: a captive portal, or a firewall that swallows.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = deaf.local_addr().unwrap().to_string();
    let home = Home::new(&cloud)
        .profile("ann", &ann.key)
        .profile("bob", &bob.key)
        .with("AWS_ENDPOINT_URL", &format!("http://{host}"));
    let begun = Instant::now();
    let ran = home.akia(&["status", "--output", "json"]).done();
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    let rows = ran.json();
    assert_eq!((&rows["offline"], &rows["unreached"]), (&json!(true), &json!([host])));
    assert_eq!(row(&rows, "ann")["account"], cloud.account);
    assert_eq!(row(&rows, "ann")["source"], "key-id");
    let line =
        format!("AWS could not be reached ({host}): account ids are decoded from the key ids, ages are unknown\n");
    assert_eq!(ran.stderr, line);
    drop(deaf);
    // Nobody listens there any more: refused, which is known at once.
    assert_eq!(home.akia(&["status", "--output", "csv"]).done().stderr, line);
}

#[test]
fn the_journal_says_what_a_rotation_leaves_to_do() {
    let (cloud, now) = slow_to_tell();
    let ann = user(&cloud, "ann", now, 400);
    let home = Home::new(&cloud).profile("default", &ann);
    home.akia(&["rotate", "--yes", "--grace", "7d"]).done();
    let rows = home.akia(&["status", "--output", "json"]).done().json();
    let new = row(&rows, "default");
    assert_eq!((codes(new), &new["other_keys"][0]["id"]), (vec!["in-grace".to_owned()], &json!(ann.id)));
    assert_eq!(new["due"][0]["command"][1], "undo");
    // Without AWS, too.
    let offline = home.akia(&["status", "--offline", "--output", "json"]).done().json();
    assert_eq!(codes(row(&offline, "default")), ["in-grace"]);
    // Files that hold none of its keys do not hide a rotation.
    let elsewhere = home.file(".aws/credentials", "").with("AWS_REGION", "eu-west-1");
    let ran = elsewhere.akia(&["status", "--output", "json"]).done();
    assert_eq!(ran.json()["other_rotations"][0]["code"], "in-grace");
    assert!(ran.stderr.starts_with("note: rotation r-") && ran.stderr.contains(&ann.id), "{}", ran.stderr);
}

#[test]
fn offline_asks_nobody() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("ann", &ann.key);
    cloud.sandbox().clear_log();
    let ran = home.akia(&["status", "--offline", "--output", "json"]).done();
    assert_eq!(cloud.sandbox().log().len(), 0);
    assert_eq!(row(&ran.json(), "ann")["source"], "key-id");
    assert!(ran.stderr.starts_with("offline: AWS was not asked"), "{}", ran.stderr);
}

#[test]
fn bad_input_is_named_and_nothing_is_made() {
    let cloud = Backend::Sandbox.open();
    let empty = Home::new(&cloud);
    let ran = empty.akia(&["status"]).done();
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("no profile yet, neither in ") && ran.stderr.contains("next: akia setup"));
    assert_eq!(empty.akia(&["status", "--output", "json"]).done().json()["profiles"], json!([]));
    assert_eq!(empty.everything(), []);

    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("work", &ann.key).file(".aws/config", "[profile broken\nregion = x\n");
    let ran = home.akia(&["status", "-p", "wrok"]).exited(1);
    assert!(ran.stderr.starts_with("error: there is no profile \"wrok\" in "), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: akia status -p work"), "{}", ran.stderr);
    let ran = home.akia(&["status", "--offline"]).done();
    assert!(ran.stdout.contains("config line 1"), "{}", ran.stdout);
    assert!(ran.stderr.contains("problem: ") && ran.stderr.contains("the section header does not end with ']'"));
    assert!(!home.path("state").exists());
    let twice = home.file(".aws/config", "[profile work]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n");
    let ran = twice.akia(&["status", "--offline"]).done();
    assert!(ran.stdout.contains("config line 3") && ran.stderr.contains("(first on line 1)"), "{}", ran.stderr);

    let home =
        Home::new(&cloud).profile("work", &ann.key).with("AWS_CONFIG_FILE", twice.path(".aws").to_str().unwrap());
    let ran = home.akia(&["status"]).exited(1);
    assert!(ran.stderr.contains(".aws is not a regular file"), "{}", ran.stderr);
}

/// A sandbox that tells a use only later, as AWS does: asking is a use, too.
fn slow_to_tell() -> (Cloud, Timestamp) {
    let later = Propagation { last_used: Duration::from_secs(3600), ..Propagation::instant() };
    let sandbox = Sandbox::builder().propagation(later).build();
    let now = sandbox.now();
    (Cloud::of(sandbox), now)
}

/// A user with a key of this age who may look after her own keys.
fn user(cloud: &Cloud, name: &str, now: Timestamp, age_days: i64) -> Key {
    let user = cloud.sandbox().add_user(name, "/").unwrap();
    user.put_policy("own-keys", &cloud.backend.own_keys_policy(&json!({})).to_string()).unwrap();
    let key = user.add_access_key(ago(now, age_days)).unwrap();
    Key { id: key.id, secret: key.secret, token: None }
}

fn ago(now: Timestamp, days: i64) -> Timestamp {
    now - SignedDuration::from_hours(24 * days)
}

#[track_caller]
fn row<'a>(report: &'a Value, profile: &str) -> &'a Value {
    let rows = report["profiles"].as_array().unwrap();
    rows.iter().find(|row| row["profile"] == profile).unwrap_or_else(|| panic!("no row for {profile}: {report}"))
}

fn codes(row: &Value) -> Vec<String> {
    let due = row["due"].as_array().unwrap();
    due.iter().map(|due| due["code"].as_str().unwrap().to_owned()).collect()
}
