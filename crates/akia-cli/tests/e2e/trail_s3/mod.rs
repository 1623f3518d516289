//! Logs in a bucket on a bad day: `akia usage load` from S3 that refuses, breaks off, holds very many objects; and killed.
#![cfg(feature = "usage")]

mod proxy;

use std::time::{Duration, Instant};

use akia_corpus::trail::{Scale, Trail};
use serde_json::{Value, json};

use self::proxy::{Fault, Proxy};
use crate::support::{Backend, Cloud, Home, ask};

const FOLDER: &str = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11";

/// A bucket whose owner is at the keyboard, behind a proxy.
fn stage(has_faults: bool) -> (Cloud, Home, Proxy) {
    let cloud = Backend::Moto.open();
    let ann = cloud.user("ann");
    let all = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
    cloud.policy("ann", "s3", &json!({ "Version": "2012-10-17", "Statement": [all] }));
    let proxy = Proxy::before(&cloud.endpoint, has_faults);
    let home = Home::new(&cloud).profile("default", &ann.key).with("AWS_ENDPOINT_URL", &proxy.url);
    (cloud, home, proxy)
}

fn bucket(cloud: &Cloud) -> String {
    let name = format!("example-trail-{}", cloud.account);
    cloud.aws(&["s3api", "create-bucket", "--bucket", &name]).done();
    name
}

/// Puts objects into a bucket, a number of them at once; `{}` in the key is their number.
fn put(cloud: &Cloud, bucket: &str, key: &str, count: u64, text: &str) {
    let port: u64 = cloud.endpoint.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    let answer = ask(json!({
        "do": "moto-objects", "port": port, "account": cloud.account, "bucket": bucket, "key": key, "count": count, "text": text,
    }));
    assert_eq!(answer["count"], count);
}

/// A log of one call.
fn log(padding: usize) -> String {
    let event = json!({
        "eventVersion": "1.09", "eventTime": "2026-11-05T10:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
        "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "accountId": "111122223333",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE" },
        "requestParameters": { "bucketName": "example", "padding": "x".repeat(padding) }
    });
    json!({ "Records": [event] }).to_string()
}

fn calls(home: &Home) -> u64 {
    let told = home.akia(&["usage", "sql", "SELECT sum(calls) AS calls FROM facts", "--output", "json"]).done().json();
    told["rows"][0]["calls"].as_u64().unwrap()
}

fn number(json: &Value, name: &str) -> u64 {
    json[name].as_u64().unwrap_or_else(|| panic!("{name} in {json}"))
}

#[test]
fn what_s3_refuses_or_breaks_off_is_asked_for_again() {
    let (cloud, home, proxy) = stage(true);
    let bucket = bucket(&cloud);
    let folder = tempfile::tempdir().unwrap();
    Trail::new(Scale { events: 4_000, files: 80, keys: 24, days: 6, seed: 13 }).write(folder.path()).unwrap();
    let place = folder.path().join("AWSLogs").to_str().unwrap().to_owned();
    cloud.aws(&["s3", "sync", "--quiet", &place, &format!("s3://{bucket}/AWSLogs/")]).done();
    let from = format!("s3://{bucket}/AWSLogs/");
    let loaded = home.akia(&["usage", "load", &from, "--output", "json"]).done().json();
    assert_eq!((number(&loaded, "files"), number(&loaded, "calls")), (80, 4_000), "{loaded}");
    let faults = proxy.faults();
    for fault in [Fault::SlowDown, Fault::InternalError, Fault::Unanswered, Fault::CutOff] {
        assert!(faults.get(&fault).is_some_and(|count| *count >= 15), "{faults:?}");
    }
    let again = home.akia(&["usage", "load", &from, "--output", "json"]).done().json();
    assert_eq!((number(&again, "files"), number(&again, "known")), (0, 80));
    let own = Home::new(&cloud);
    own.akia(&["usage", "load", &place]).done();
    let question = "SELECT key, name, sum(calls) AS calls FROM facts GROUP BY key, name ORDER BY key, name";
    let ask = |home: &Home| home.akia(&["usage", "sql", question, "--output", "csv"]).done().stdout;
    assert_eq!(ask(&home), ask(&own));
}

#[test]
fn facts_in_a_bucket_are_written_once_however_often_their_writing_breaks_off() {
    let (cloud, home, proxy) = stage(true);
    let bucket = bucket(&cloud);
    put(&cloud, &bucket, &format!("{FOLDER}/05/a_CloudTrail_{{}}.json"), 30, &log(0));
    let facts = format!("s3://{bucket}/facts");
    let from = format!("s3://{bucket}/AWSLogs/");
    // S3 may have written what it did not answer to, so that is an error, and the same command goes on.
    let words = ["usage", "load", &from, "--facts", &facts, "--output", "json"];
    let mut runs = 1;
    while home.akia(&words).code != 0 {
        runs += 1;
        assert!(runs < 12, "{:?}", proxy.faults());
    }
    let question = "SELECT sum(calls) AS calls FROM facts";
    let ask = ["usage", "sql", question, "--facts", &facts, "--output", "json"];
    let told = (0..12).map(|_| home.akia(&ask)).find(|ran| ran.code == 0).unwrap().json();
    assert_eq!(told["rows"][0]["calls"], 30, "{told}");
}

#[test]
fn a_load_that_was_killed_goes_on_and_counts_each_log_once() {
    let (cloud, home, proxy) = stage(false);
    let bucket = bucket(&cloud);
    // 128 MB are made to count at a time: 36 of these.
    put(&cloud, &bucket, &format!("{FOLDER}/05/a_CloudTrail_{{:03}}.json"), 80, &log(3_700 << 10));
    let from = format!("s3://{bucket}/AWSLogs/");
    let mut killed = home.command(&["usage", "load", &from]).spawn().unwrap();
    let begun = Instant::now();
    while proxy.answered() < 55 {
        assert!(killed.try_wait().unwrap().is_none(), "it was over before it was killed: {}", proxy.answered());
        assert!(begun.elapsed() < Duration::from_secs(200), "{}", proxy.answered());
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let so_far = calls(&home);
    assert!(so_far > 0 && so_far < 55, "{so_far}");
    let rest = home.akia(&["usage", "load", &from, "--output", "json"]).done().json();
    assert_eq!((number(&rest, "known"), number(&rest, "files")), (so_far, 80 - so_far));
    assert_eq!(calls(&home), 80);
}

#[test]
fn the_folders_of_security_lake_are_chosen_from_in_a_bucket() {
    let (cloud, home, _proxy) = stage(false);
    let bucket = bucket(&cloud);
    // Which folder it lies in says which day and region it is of, whatever the file is.
    let key = |region: &str, day: &str| {
        format!("aws/S3_DATA/2.0/region={region}/accountId=111122223333/eventDay={day}/{{:032x}}.json")
    };
    for (region, day, count) in
        [("eu-central-1", "20261105", 3), ("eu-central-1", "20261120", 4), ("us-east-1", "20261120", 5)]
    {
        put(&cloud, &bucket, &key(region, day), count, &log(0));
    }
    put(
        &cloud,
        &bucket,
        "aws/VPC_FLOW/2.0/region=eu-central-1/accountId=111122223333/eventDay=20261120/{}.json",
        1,
        "{}",
    );
    let from = format!("s3://{bucket}/aws/");
    let load = |more: &[&str]| {
        let ran = home.akia(&[&["usage", "load", &from, "--output", "json"], more].concat()).done();
        assert!(ran.stderr.contains("1 folders without calls passed over"), "{}", ran.stderr);
        number(&ran.json(), "files")
    };
    assert_eq!(load(&["--since", "2026-11-15", "--log-region", "eu-central-1"]), 4);
    assert_eq!(load(&["--since", "2026-11-15"]), 5);
    assert_eq!(load(&[]), 3);
    let status = home.akia(&["usage", "status", "--output", "json"]).done().json();
    let regions: Vec<&str> =
        status["regions"].as_array().unwrap().iter().map(|one| one["region"].as_str().unwrap()).collect();
    assert_eq!(regions, ["eu-central-1", "us-east-1"], "{status}");
}

/// moto looks through the whole bucket for each thousand that it lists: the time is its own.
fn very_many(objects: u64) {
    let (cloud, home, proxy) = stage(true);
    let bucket = bucket(&cloud);
    put(&cloud, &bucket, &format!("{FOLDER}/05/a_CloudTrail_{{}}.json"), 20, &log(0));
    put(&cloud, &bucket, &format!("{FOLDER}/20/b_CloudTrail_{{}}.json"), objects - 20, &log(0));
    let from = format!("s3://{bucket}/AWSLogs/");
    let loaded = home.akia(&["usage", "load", &from, "--until", "2026-11-06", "--output", "json"]).done().json();
    assert_eq!((number(&loaded, "files"), number(&loaded, "kept")), (20, 20));
    assert!(proxy.answered() >= objects / 1_000 + 20, "{}", proxy.answered());
}

#[test]
fn twenty_thousand_objects_are_listed() {
    very_many(20_000);
}

#[test]
#[ignore = "a minute of moto"]
fn a_hundred_thousand_objects_are_listed() {
    very_many(100_000);
}
