//! Scans the history of a git repository once and prints what it took: a line of JSON for `cargo xtask bench scan`.
//!
//! `git_scan REPOSITORY [--inflate-only | --staged] [--since REV] [--threads N] [--keys]`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use akia_core::leak::{Detector, Options as Detection};
use akia_scan::git::{Options, Repository, inflate_only};
use akia_scan::{Ledger, Limits, Scan};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("name a repository")?);
    let (mut inflates, mut staged, mut keys, mut options, mut limits) =
        (false, false, false, Options::default(), Limits::default());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--inflate-only" => inflates = true,
            "--staged" => staged = true,
            "--keys" => keys = true,
            "--since" => options.since = arguments.next(),
            "--threads" => limits.threads = arguments.next().ok_or("how many threads?")?.parse()?,
            other => return Err(format!("{other} is no argument").into()),
        }
    }
    let scan = Scan { detector: Detector::new(Detection::default()), limits, ledger: Ledger::default() };
    let start = Instant::now();
    let repository = Repository::open(&path)?;
    let inflated = if inflates { inflate_only(&scan, &repository)? } else { 0 };
    if staged {
        repository.scan_staged(&scan, None)?;
    } else if !inflates {
        repository.scan(&scan, &options)?;
    }
    let wall = start.elapsed().as_secs_f64();
    let report = scan.ledger.into_report(vec![path.display().to_string()]);
    let places: usize = report.leaks.iter().map(|leak| leak.places.len()).sum();
    println!(
        "{{\"cpu_seconds\":{:.3},\"wall_seconds\":{wall:.3},\"peak_kib\":{},\"objects\":{},\"bytes\":{},\"inflated\":{inflated},\"keys\":{},\"places\":{places},\"skipped\":{}}}",
        cpu_seconds(),
        peak_kib(),
        report.coverage.objects,
        report.coverage.bytes,
        report.leaks.len(),
        report.coverage.skipped.len(),
    );
    if keys {
        println!("{}", report.leaks.iter().map(|leak| format!("{leak:#?}\n")).collect::<String>());
        println!("{:#?}", report.coverage);
    }
    Ok(())
}

/// User and system time of all threads so far, as Linux tells it in hundredths of a second; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|field| fields.get(*field)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The largest resident set so far, in KiB; 0 where there is no /proc.
fn peak_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
