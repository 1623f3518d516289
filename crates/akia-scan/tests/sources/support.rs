//! Keys that exist only while a test runs, the tools that pack them, and what a scan says.

use std::path::Path;
use std::process::{Command, Stdio};

use akia_core::leak::{Detector, Options, Part, Place, ScanReport, Why};
use akia_scan::{Ledger, Limits, Scan};

/// A key that stands in no file of this project.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The key of that number.
pub(crate) fn key(number: u64) -> Key {
    let mut random = fastrand::Rng::with_seed(number ^ 0x5eed);
    let mut pick = |alphabet: &[u8], count: usize| -> String {
        (0..count).map(|_| char::from(alphabet[random.usize(..alphabet.len())])).collect()
    };
    let id = format!("AKIA{}", pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let secret = pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+", 36);
    Key { id, secret: format!("{secret}aB3/") }
}

impl Key {
    /// As it stands in a credentials file.
    pub(crate) fn text(&self) -> String {
        format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", self.id, self.secret)
    }
}

/// A scan with limits.
pub(crate) fn scan_with(limits: Limits) -> Scan {
    Scan { detector: Detector::new(Options::default()), limits, ledger: Ledger::default() }
}

/// What a scan of bytes says.
pub(crate) fn report_of(bytes: &[u8]) -> ScanReport {
    report_with(bytes, Limits::default())
}

/// What a scan of bytes says, with limits.
pub(crate) fn report_with(bytes: &[u8], limits: Limits) -> ScanReport {
    let scan = scan_with(limits);
    scan.bytes(&place(), bytes);
    scan.ledger.into_report(vec!["it".to_owned()])
}

/// Where the bytes of tests stand.
pub(crate) fn place() -> Place {
    Place { line: None, ..Place::in_file("it", "f", 1) }
}

/// Asserts that a key is found, with its secret, and gives the paths where.
#[track_caller]
pub(crate) fn paths(report: &ScanReport, key: &Key) -> Vec<String> {
    let shown = format!("{}… (40 characters)", &key.secret[..4]);
    let found = report.leaks.iter().find(|leak| {
        leak.access_key_id.as_ref().is_some_and(|id| id.as_str() == key.id) && leak.secret.as_ref() == Some(&shown)
    });
    let found =
        found.unwrap_or_else(|| panic!("{} is not found: {:?} {:?}", key.id, report.leaks, report.coverage.skipped));
    found.places.iter().map(|found| found.place.path.clone()).collect()
}

/// Asserts that an id is found, and gives its paths and parts.
#[track_caller]
pub(crate) fn id_places(report: &ScanReport, key: &Key) -> Vec<(String, Part)> {
    let found: Vec<(String, Part)> = report
        .leaks
        .iter()
        .filter(|leak| leak.access_key_id.as_ref().is_some_and(|id| id.as_str() == key.id))
        .flat_map(|leak| leak.places.iter().map(|found| (found.place.path.clone(), found.place.part)))
        .collect();
    assert!(!found.is_empty(), "{} is not found: {:?} {:?}", key.id, report.leaks, report.coverage.skipped);
    found
}

/// Asserts that all was looked at.
#[track_caller]
pub(crate) fn complete(report: &ScanReport) {
    assert!(report.coverage.is_complete(), "{:?}", report.coverage.skipped);
}

/// Asserts that something is told as skipped, and gives its detail.
#[track_caller]
pub(crate) fn told(report: &ScanReport, why: Why, what: &str) -> String {
    let found = report.coverage.skipped.iter().find(|skipped| skipped.why == why && skipped.what.contains(what));
    found.unwrap_or_else(|| panic!("{why:?} {what}: {:?}", report.coverage.skipped)).detail.clone()
}

/// Runs a tool; it must be there.
#[track_caller]
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a program of Python in a folder.
#[track_caller]
pub(crate) fn python(folder: &Path, program: &str) {
    run(folder, "python3", &["-c", program]);
}
