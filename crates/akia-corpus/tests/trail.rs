//! The files of a trail: laid out as CloudTrail does, readable, and the same calls as the facts.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use akia_corpus::trail::{CASES, Scale, Trail, Written, stretch_of};
use serde_json::Value;

const SCALE: Scale = Scale { events: 6_000, files: 14, keys: 40, days: 6, seed: 3 };

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
    into.sort();
}

fn records(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    assert!(!text.contains('\n'), "one line");
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["Records"].take()).unwrap()
}

#[test]
fn files_are_laid_out_as_cloudtrail_does_and_hold_the_calls_of_the_facts() {
    let folder = folder("trail");
    let trail = Trail::new(SCALE);
    let written = trail.write(&folder).unwrap();
    assert_eq!((written.files, written.events), (SCALE.files, SCALE.events));
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    assert_eq!(paths.len() as u64, SCALE.files);
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    let (mut ids, mut types, mut bytes) = (BTreeSet::new(), BTreeSet::new(), 0);
    for path in &paths {
        let below: Vec<&str> = path.strip_prefix(&folder).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
        let ["AWSLogs", _, account, "CloudTrail", region, year, month, day, name] = below[..] else {
            panic!("{below:?}")
        };
        assert!(name.starts_with(&format!("{account}_CloudTrail_{region}_{year}{month}{day}T")), "{name}");
        for record in records(path) {
            bytes += record.to_string().len();
            let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            assert_eq!(text("/recipientAccountId"), account);
            assert_eq!(text("/awsRegion"), region);
            // Delivered after it was called, on that day or an earlier one.
            assert!(text("/eventTime").replace('-', "").get(..8).unwrap() <= &*[year, month, day].concat());
            assert!(ids.insert(text("/eventID")), "an id is there once");
            types.insert(text("/userIdentity/type"));
            if text("/userIdentity/type") == "IAMUser" {
                *calls.entry(text("/userIdentity/accessKeyId")).or_default() += 1;
                assert!(stretch_of(text("/sourceIPAddress").parse().unwrap()).is_some());
            }
        }
    }
    assert_eq!(types.iter().map(String::as_str).collect::<Vec<_>>(), ["AWSService", "AssumedRole", "IAMUser"]);
    assert!((1_000..1_600).contains(&(bytes / 6_000)), "some 1.3 kB each: {}", bytes / 6_000);
    let mut of_facts: BTreeMap<String, u64> = BTreeMap::new();
    for fact in trail.facts() {
        assert!(
            fact.hour <= fact.first
                && fact.first <= fact.last
                && (fact.last.as_second() - fact.hour.as_second()) < 3_600
        );
        *of_facts.entry(fact.key).or_default() += fact.calls;
    }
    assert_eq!(calls, of_facts);
}

#[test]
fn a_seed_gives_the_same_logs_and_another_one_others() {
    let write = |name: &str, seed: u64| -> (Written, Vec<Vec<u8>>) {
        let folder = folder(name);
        let written = Trail::new(Scale { events: 800, files: 3, seed, ..SCALE }).write(&folder).unwrap();
        let mut paths = Vec::new();
        files(&folder, &mut paths);
        (written, paths.iter().map(|path| std::fs::read(path).unwrap()).collect())
    };
    assert_eq!(write("one", 5), write("again", 5));
    assert_ne!(write("one", 5).1, write("other", 6).1);
}

#[test]
fn of_many_keys_every_case_is_there() {
    let trail = Trail::new(Scale { keys: 150, days: 1, ..SCALE });
    let there: BTreeSet<&str> = trail.actors().iter().map(|actor| actor.case.name).collect();
    let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
    assert_eq!((there.len(), names.len()), (CASES.len(), CASES.len()));
    let keys: BTreeSet<&str> = trail.actors().iter().map(|actor| actor.key.as_str()).collect();
    assert_eq!(keys.len(), 150);
}
