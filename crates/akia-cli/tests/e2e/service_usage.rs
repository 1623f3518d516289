//! `akia service create --from-usage`: a service user with what somebody has called, and no more.
#![cfg(feature = "usage")]

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A trail of some days up to now, but for the days that are named by how long ago they are. Each day ada reads an object and is refused to
/// delete one, and eve asks who she is.
fn trail(folder: &Path, days: i64, without: &[i64]) -> String {
    let call = |user: &str, name: &str, at: Timestamp, more: Value| {
        let mut event = json!({
            "eventVersion": "1.09", "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "eventSource": "s3.amazonaws.com",
            "eventName": name, "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.15.0",
            "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/{user}"), "accountId": "111122223333",
                "accessKeyId": if user == "ada" { KEY } else { "AKIAI44QH8DHBEXAMPLE" }, "userName": user },
            "requestParameters": { "bucketName": "example", "key": "a/b" }
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for ago in (0..days).filter(|ago| !without.contains(ago)) {
        // Facts are of whole hours: two of them keep a call away from the bounds of the days that are asked for.
        let at = Timestamp::now() - SignedDuration::from_hours(24 * ago + 2);
        let records = [
            call("ada", "GetObject", at, json!({})),
            call("ada", "DeleteObject", at, json!({ "errorCode": "AccessDenied" })),
            call("eve", "GetCallerIdentity", at, json!({ "eventSource": "sts.amazonaws.com" })),
        ];
        let day = folder.join(format!("AWSLogs/111122223333/CloudTrail/eu-central-1/{}", at.strftime("%Y/%m/%d")));
        fs::create_dir_all(&day).unwrap();
        let name = format!("111122223333_CloudTrail_eu-central-1_{}T0005Z_a.json", at.strftime("%Y%m%d"));
        fs::write(day.join(name), json!({ "Records": records }).to_string()).unwrap();
    }
    folder.join("AWSLogs").to_str().unwrap().to_owned()
}

fn create(home: &Home, more: &[&str]) -> Ran {
    let base =
        ["service", "create", "nightly", "--owner", "team-a", "--profile", "admin", "--no-key", "--output", "json"];
    home.akia(&[&base[..], more].concat())
}

fn stage() -> (Cloud, Home, tempfile::TempDir) {
    let cloud = Backend::Sandbox.open();
    let home = Home::new(&cloud).profile("admin", &cloud.admin);
    (cloud, home, tempfile::tempdir().unwrap())
}

#[track_caller]
fn assert_nothing(cloud: &Cloud) {
    let ran = cloud.aws(&["iam", "get-group", "--group-name", "service-nightly"]);
    assert_eq!(ran.refusal(), "NoSuchEntity");
}

#[test]
fn a_service_user_gets_what_was_called_and_no_more() {
    let (cloud, home, folder) = stage();
    home.akia(&["usage", "load", &trail(folder.path(), 6, &[])]).done();
    let plan = create(&home, &["--from-usage", KEY, "--days", "4", "--dry-run"]).done();
    assert_nothing(&cloud);
    for line in [
        "note: the policy is drawn from what arn:aws:iam::111122223333:user/ada has called",
        "note: left out: s3:DeleteObject, 4 calls refused (AccessDenied)",
        "note: not in these logs, and so not in the policy",
        "\"s3:GetObject\"",
    ] {
        assert!(plan.stderr.contains(line), "{line} in {}", plan.stderr);
    }
    let made = create(&home, &["--from-usage", "ada", "--days", "4", "--yes"]).done().json()["services"][0].clone();
    assert!(made["from_usage"].to_string().contains("left out: s3:DeleteObject"), "{made}");
    let policy =
        cloud.aws(&["iam", "get-group-policy", "--group-name", "service-nightly", "--policy-name", "service-policy"]);
    let policy = policy.done().json()["PolicyDocument"].clone();
    assert_eq!(policy, made["policy"]);
    // The same as `usage policy` draws, and nothing of what was refused.
    let drawn = home.akia(&["usage", "policy", "ada", "--days", "4"]).done();
    assert_eq!(serde_json::from_str::<Value>(&drawn.stdout).unwrap(), policy);
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1, "{policy}");
    assert!(
        policy.to_string().contains("arn:aws:s3:::example/*") && !policy.to_string().contains("Delete"),
        "{policy}"
    );
}

#[test]
fn no_policy_is_drawn_from_half_of_the_calls() {
    let (cloud, home, folder) = stage();
    let early = create(&home, &["--from-usage", "ada", "--yes"]).exited(1);
    assert!(
        early.stderr.contains("no logs were loaded") && early.stderr.contains("nothing was changed"),
        "{}",
        early.stderr
    );
    home.akia(&["usage", "load", &trail(folder.path(), 9, &[4])]).done();
    let late = create(&home, &["--from-usage", "ada", "--yes"]).exited(6);
    assert!(
        late.stderr.contains("do not cover the calls of ada of the last 90 days: logs begin on"),
        "{}",
        late.stderr
    );
    let gap = create(&home, &["--from-usage", "ada", "--days", "6", "--yes"]).exited(6);
    assert!(gap.stderr.contains("of the last 6 days: there is no log of"), "{}", gap.stderr);
    assert!(gap.stderr.contains("akia usage policy ada > policy.json"), "{}", gap.stderr);
    let nobody = create(&home, &["--from-usage", "bob", "--days", "2", "--yes"]).exited(1);
    assert!(nobody.stderr.contains("no call of bob is in"), "{}", nobody.stderr);
    let free = create(&home, &["--from-usage", "eve", "--days", "2", "--yes"]).exited(1);
    assert!(free.stderr.contains("no call of eve needs a policy"), "{}", free.stderr);
    create(&home, &["--from-usage", "ada", "--template", "s3-read=example", "--yes"]).exited(2);
    create(&home, &["--template", "s3-read=example", "--days", "2", "--yes"]).exited(2);
    assert_nothing(&cloud);
    create(&home, &["--from-usage", "ada", "--days", "3", "--dry-run"]).done();
}
