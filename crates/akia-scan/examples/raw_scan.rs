//! Scans a path as a folder, an image or a pipe, and says how long it took: `raw_scan folder|image|container PATH [THREADS]`.
#![expect(clippy::print_stdout, reason = "an example speaks to who runs it")]

use std::path::Path;
use std::time::Instant;

use akia_core::leak::{Detector, Options};
use akia_scan::{Ledger, Limits, Scan, container, folder, image, stream};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, source, path, rest @ ..] = arguments.as_slice() else {
        println!("usage: raw_scan folder|image|container|stream PATH [THREADS]");
        return;
    };
    let threads = rest.first().and_then(|threads| threads.parse().ok()).unwrap_or(1);
    let limits = Limits { threads, ..Limits::default() };
    let scan = Scan { detector: Detector::new(Options::default()), limits, ledger: Ledger::default() };
    let begun = Instant::now();
    let path = Path::new(path);
    match source.as_str() {
        "image" => image::scan(&scan, path),
        "container" => container::scan(&scan, path),
        "stream" => stream::scan(&scan, "-", std::io::stdin().lock()),
        _ => _ = folder::scan(&scan, path),
    }
    let seconds = begun.elapsed().as_secs_f64();
    let report = scan.ledger.into_report(vec![path.display().to_string()]);
    let gigabytes = report.coverage.bytes as f64 / 1e9;
    println!(
        "{} keys, {} objects, {gigabytes:.3} GB in {seconds:.3} s: {:.2} GB/s, {} skipped; memory at most {}",
        report.leaks.len(),
        report.coverage.objects,
        gigabytes / seconds,
        report.coverage.skipped.len(),
        memory().unwrap_or_default(),
    );
}

/// The most memory that was resident, as Linux says.
fn memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|value| value.trim().to_owned())
}
