//! `akia usage load --live`: the event history of the sandbox, looked up by the real binary after the real AWS CLI has called.
#![cfg(feature = "usage")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use akia_sandbox::{Fault, FaultKind, Sandbox};
use serde_json::{Value, json};

use crate::support::{Cloud, Home, Key};

const HOUR: Duration = Duration::from_secs(3_600);

/// An account whose answers have few events each, so that there are pages.
fn stage() -> (Cloud, Home, Key) {
    let cloud = Cloud::of(Sandbox::builder().page_size(3).build());
    let ann = cloud.user("ann").key;
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    (cloud, home, ann)
}

/// Calls of ann, some time ago.
fn calls(cloud: &Cloud, ann: &Key, count: usize, ago: Duration) {
    for _ in 0..count {
        cloud.aws_as(ann, &["iam", "list-access-keys", "--user-name", "ann"]).done();
    }
    cloud.sandbox().age_log(ago);
}

fn load(home: &Home, more: &[&str]) -> Value {
    home.akia(&[&["usage", "load", "--live", "--output", "json"][..], more].concat()).done().json()
}

/// How many calls of a key the facts have.
fn counted(home: &Home, key: &str) -> u64 {
    let question = format!("SELECT sum(calls) AS calls FROM facts WHERE key = '{key}'");
    let told = home.akia(&["usage", "sql", &question, "--output", "json"]).done().json();
    told["rows"][0]["calls"].as_u64().unwrap_or_default()
}

/// Every log of the event history that is kept.
fn kept(home: &Home) -> Vec<PathBuf> {
    fn beneath(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { beneath(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    beneath(&home.path("state/usage/event-history"), &mut found);
    found.sort();
    found
}

#[test]
fn the_event_history_is_looked_up_once_and_asked_like_any_log() {
    let (cloud, home, ann) = stage();
    calls(&cloud, &ann, 7, 40 * HOUR);
    let first = load(&home, &["--since", "10d", "--until", "2h"]);
    assert_eq!((&first["problems"], counted(&home, &ann.id)), (&json!([]), 7), "{first}");
    let logs = kept(&home);
    assert!(logs.len() > 10 && logs.iter().all(|log| log.to_str().unwrap().contains("/CloudTrail/us-east-1/")));

    // A later run asks for what has happened since, but for the last minutes, and the facts have nothing twice.
    calls(&cloud, &ann, 4, HOUR);
    calls(&cloud, &ann, 2, Duration::ZERO);
    let second = load(&home, &["--since", "10d"]);
    assert_eq!((&second["problems"], &second["known"]), (&json!([]), &json!(logs.len())), "{second}");
    assert_eq!(counted(&home, &ann.id), 11);
    let asked = cloud.sandbox().log().iter().filter(|call| call.action == "LookupEvents").count();

    // Facts elsewhere are loaded from what was looked up, without a call.
    let facts = home.path("facts");
    let other = load(&home, &["--since", "10d", "--facts", facts.to_str().unwrap()]);
    assert_eq!(other["kept"], first["kept"].as_u64().unwrap() + second["kept"].as_u64().unwrap());
    let asked_now = cloud.sandbox().log().iter().filter(|call| call.action == "LookupEvents").count();
    assert!(asked_now <= asked + 1, "only for the moment since: {asked_now}");

    let status = home.akia(&["usage", "status", "--output", "json"]).done();
    assert!(status.stderr.contains("management events alone"), "{}", status.stderr);
    let region = &status.json()["regions"][0];
    assert_eq!((&region["account"], &region["region"]), (&json!(cloud.account), &json!("us-east-1")), "{region}");
    assert!(region["history_days"].as_u64().unwrap() >= 10, "{region}");
    let quiet = home.akia(&["usage", "quiet", &ann.id, "--since", "3d"]).exited(4);
    assert!(quiet.stderr.contains("no data event is in the logs"), "{}", quiet.stderr);
}

#[test]
fn a_window_that_an_error_cuts_is_not_kept_and_the_next_run_goes_on() {
    let (cloud, home, ann) = stage();
    calls(&cloud, &ann, 10, 30 * HOUR);
    // The third page of all; nothing was kept before.
    cloud.sandbox().inject(Fault::on("LookupEvents", FaultKind::AccessDenied).nth(3));
    let refused = home.akia(&["usage", "load", "--live", "--since", "3d"]).exited(1);
    assert!(refused.stderr.contains("cannot be looked up") && refused.stderr.contains("akia policy usage"));
    assert!(refused.stderr.contains("nothing was loaded"), "{}", refused.stderr);
    assert_eq!(kept(&home), [] as [PathBuf; 0]);

    // One region ends, the other does not: what is complete counts, the rest is told and gone on with.
    let regions = ["--since", "3d", "--log-region", "us-east-1", "--log-region", "eu-west-1"];
    cloud.aws_as(&ann, &["sts", "get-caller-identity", "--region", "eu-west-1"]).done();
    cloud.sandbox().age_log(5 * HOUR);
    cloud.sandbox().inject(Fault::on("LookupEvents", FaultKind::AccessDenied).nth(2));
    let half = home.akia(&[&["usage", "load", "--live", "--output", "json"][..], &regions].concat()).exited(3);
    let problems = half.json()["problems"].as_array().unwrap().clone();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0]["file"].as_str().unwrap().starts_with("event history of "), "{problems:?}");
    assert!(half.stderr.contains("run the same command again"), "{}", half.stderr);
    let whole = load(&home, &regions);
    assert_eq!((&whole["problems"], counted(&home, &ann.id)), (&json!([]), 11), "{whole}");
    assert_eq!(load(&home, &regions)["looked_up"], 0);
}

#[test]
fn a_killed_run_loses_nothing_and_counts_nothing_twice() {
    let (cloud, home, ann) = stage();
    calls(&cloud, &ann, 10, 30 * HOUR);
    for page in [2, 4] {
        cloud.sandbox().inject(Fault::on("LookupEvents", FaultKind::Slow(Duration::from_secs(20))).nth(page));
        let mut child = home.command(&["usage", "load", "--live", "--since", "3d"]).spawn().unwrap();
        let struck = || !cloud.sandbox().struck().is_empty();
        (0..600).take_while(|_| !struck()).for_each(|_| std::thread::sleep(Duration::from_millis(50)));
        assert!(struck());
        child.kill().unwrap();
        child.wait().unwrap();
        cloud.sandbox().clear_faults();
    }
    assert_eq!(load(&home, &["--since", "3d"])["problems"], json!([]));
    assert_eq!(counted(&home, &ann.id), 10);
}

#[test]
fn what_a_trail_has_told_is_left_to_it_and_a_trail_may_not_follow() {
    let (cloud, home, ann) = stage();
    calls(&cloud, &ann, 6, 30 * HOUR);
    // The trail has the first four of them: the log says when each was.
    let log: Vec<_> = cloud.sandbox().log().into_iter().filter(|call| call.action == "ListAccessKeys").collect();
    std::thread::sleep(Duration::from_secs(1));
    calls(&cloud, &ann, 3, HOUR);
    let times: Vec<String> = log.iter().map(|call| (call.at - HOUR).to_string()).collect();
    let trail = tempfile::tempdir().unwrap();
    let write = |day: &str, times: &[String]| {
        let folder =
            trail.path().join(format!("AWSLogs/{}/CloudTrail/us-east-1/{}", cloud.account, day.replace('-', "/")));
        std::fs::create_dir_all(&folder).unwrap();
        let event = |time: &String| {
            json!({
                "eventTime": time, "eventSource": "iam.amazonaws.com", "eventName": "ListAccessKeys", "awsRegion": "us-east-1",
                "userIdentity": { "type": "IAMUser", "arn": cloud.user_arn("ann"), "accountId": cloud.account, "accessKeyId": ann.id },
            })
        };
        let records: Vec<Value> = times.iter().map(event).collect();
        let name =
            format!("{}_CloudTrail_us-east-1_{}T0000Z_{}.json", cloud.account, day.replace('-', ""), times.len());
        std::fs::write(folder.join(name), json!({ "Records": records }).to_string()).unwrap();
    };
    let day = times[0][..10].to_owned();
    write(&day, &times);
    let place = trail.path().to_str().unwrap();
    home.akia(&["usage", "load", place]).done();
    assert_eq!(counted(&home, &ann.id), 6);

    let live = home.akia(&["usage", "load", "--live", "--since", "5d"]).done();
    assert!(live.stderr.contains("what a trail has told was left out"), "{}", live.stderr);
    assert_eq!(counted(&home, &ann.id), 9, "six of the trail, three of the event history");

    // The trail once more: what it has more of that day would count twice.
    write(&day, &[&times[..], &times[..1]].concat());
    let refused = home.akia(&["usage", "load", place]).exited(1);
    for part in ["would count twice", "nothing was loaded", "--live --facts"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(counted(&home, &ann.id), 9);
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_reason() {
    let (_cloud, home, _ann) = stage();
    let refused = |words: &[&str], code, part: &str| {
        let ran = home.akia(&[&["usage", "load"][..], words].concat()).exited(code);
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    };
    refused(&[], 2, "PLACE");
    refused(&["--live", "./logs"], 2, "cannot be used with");
    refused(&["--live", "--since", "2999-01-01"], 2, "the last 15 minutes");
    refused(&["--live", "--account", "999999999999"], 2, "the caller's account");
    let early = home.akia(&["usage", "status"]).exited(1);
    assert!(early.stderr.contains("akia usage load --live"), "{}", early.stderr);
}
