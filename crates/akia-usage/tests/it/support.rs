//! Logs and a desk to ask at.

use std::io::Write;
use std::path::{Path, PathBuf};

use akia_usage::facts::{Load, Loaded};
use akia_usage::{Desk, Listing, Narrowing, S3};
use serde_json::{Value, json};

pub(crate) const LARGEST: usize = 8 << 20;

pub(crate) async fn desk(facts: &Path) -> Desk {
    let s3 = S3::unreached();
    Desk::open(facts.to_str().unwrap(), s3, 2).await.unwrap()
}

pub(crate) async fn listing(desk: &Desk, logs: &Path) -> Listing {
    desk.list(logs.to_str().unwrap(), &Narrowing::default()).await.unwrap()
}

/// Loads a folder, `portion` bytes at a time.
pub(crate) async fn load(desk: &mut Desk, logs: &Path, portion: u64) -> Loaded {
    let files = listing(desk, logs).await.files;
    let load = Load { files, largest_file: LARGEST, portion };
    desk.load(&load, jiff::Timestamp::now(), &mut |_| ()).await.unwrap()
}

/// All files beneath a folder.
pub(crate) fn files_beneath(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// One answer of one number.
pub(crate) async fn number(desk: &Desk, sql: &str) -> i64 {
    let answer = akia_usage::answer::csv(&desk.sql(sql).await.unwrap()).unwrap();
    answer.lines().nth(1).unwrap().parse().unwrap()
}

pub(crate) fn event(key: &str, name: &str, time: &str) -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/ada",
            "accountId": "111122223333",
            "accessKeyId": key,
            "userName": "ada"
        },
        "eventTime": time,
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "[aws-cli/2.15.0]",
        "requestParameters": { "bucketName": "example", "key": "a/b" },
        "responseElements": null,
        "eventID": "00000000-0000-4000-a000-000000000000",
        "eventType": "AwsApiCall"
    })
}

pub(crate) fn records(events: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "Records": events })).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}
