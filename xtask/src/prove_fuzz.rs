//! `cargo xtask prove --fuzz`: each parser under libFuzzer for a while, from the corpus in `fuzz/corpus`.
//!
//! What a run finds new goes to `target/fuzz/corpus`, so that the next one starts from there and the repository stays
//! as it is. Nothing that is fuzzed is unsafe code, so no sanitizer is built in: it would find nothing and halve the pace.

use crate::command::{capture, cargo, command, run};
use crate::{folders, tools};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A target, and the feature of the fuzz package that it needs.
struct Target {
    name: &'static str,
    what: &'static str,
    feature: Option<&'static str>,
}

const TARGETS: &[Target] = &[
    Target { name: "credentials", what: "the credentials file, read and edited", feature: None },
    Target { name: "config", what: "the config file, and both together", feature: None },
    Target { name: "journal", what: "records of the journal, decoded and applied", feature: None },
    Target { name: "console_csv", what: "the console's CSV file", feature: None },
    Target { name: "credential_report", what: "the credential report, and the rules over it", feature: None },
    Target { name: "event", what: "messages of a queue of events", feature: None },
    Target { name: "leak_detect", what: "any bytes, searched for leaked keys", feature: None },
    Target { name: "leak_decode", what: "each decoder of the search for leaked keys", feature: None },
    Target { name: "scan_bytes", what: "archives, compressed files and databases, scanned", feature: None },
    Target { name: "scan_sqlite", what: "databases of SQLite, scanned", feature: None },
    Target { name: "scan_image", what: "disk images, scanned", feature: None },
    Target { name: "scan_ext4", what: "file systems of ext4, scanned", feature: None },
    Target { name: "scan_xfs", what: "file systems of xfs, scanned", feature: None },
    Target { name: "policy", what: "policy documents, akia's and the sandbox's", feature: Some("aws") },
    Target { name: "git_pack", what: "packs, indexes and what is in them", feature: None },
    Target { name: "aws_answer", what: "answers of AWS to every call", feature: Some("aws") },
];

/// Longest input that is tried, in bytes.
const LONGEST: u32 = 8192;
/// Seconds that one input may take, and MB that a target may take: beyond them is a crash.
const SLOWEST_SECONDS: u32 = 5;
const MEMORY_MB: u32 = 1024;

/// Fuzzes the targets named in `only`, or all of them, each for so many seconds.
pub(crate) fn fuzz(seconds: u32, only: &[String]) -> Result<(), String> {
    if let Some(unknown) = only.iter().find(|name| TARGETS.iter().all(|target| target.name != name.as_str())) {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no fuzz target is called {unknown}; there are {}", names.join(", ")));
    }
    let cargo_fuzz = tools::cargo_fuzz()?;
    let chosen = TARGETS.iter().filter(|target| only.is_empty() || only.iter().any(|name| name == target.name));
    let mut lines = Vec::new();
    let mut crashes = Vec::new();
    for target in chosen {
        println!("\n==> {}: {}", target.name, target.what);
        match one(&cargo_fuzz, target, seconds)? {
            Ended::Quiet(figures) => lines.push(format!("{:<17} {figures}", target.name)),
            Ended::Crashed(input) => {
                lines.push(format!("{:<17} CRASHED", target.name));
                crashes.push(format!("{} on {input}", target.name));
            }
        }
    }
    println!("\n==> summary");
    for line in &lines {
        println!("    {line}");
    }
    if crashes.is_empty() { Ok(()) } else { Err(format!("crashed: {}", crashes.join("; "))) }
}

/// How the run of one target ended.
enum Ended {
    Quiet(String),
    Crashed(String),
}

fn one(cargo_fuzz: &Path, target: &Target, seconds: u32) -> Result<Ended, String> {
    let made = |folder: std::path::PathBuf| {
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok::<_, String>(folder)
    };
    let found = made(folders::target().join("fuzz/corpus").join(target.name))?;
    let artifacts = made(folders::target().join("fuzz/artifacts").join(target.name))?;
    run(fuzzer(cargo_fuzz, "build", target).arg(target.name))?;
    let mut fuzz = fuzzer(cargo_fuzz, "run", target);
    // The first folder is written to.
    fuzz.arg(target.name).arg(&found).arg(folders::root().join("fuzz/corpus").join(target.name));
    fuzz.arg("--").arg(format!("-artifact_prefix={}/", artifacts.display()));
    for (option, value) in [
        ("max_total_time", seconds),
        ("max_len", LONGEST),
        ("timeout", SLOWEST_SECONDS),
        ("rss_limit_mb", MEMORY_MB),
        ("print_final_stats", 1),
    ] {
        fuzz.arg(format!("-{option}={value}"));
    }
    let (ok, output) = capture(&mut fuzz)?;
    if ok {
        return Ok(Ended::Quiet(figures(&output)));
    }
    let tail: Vec<&str> = output.lines().rev().take(40).collect();
    for line in tail.iter().rev() {
        println!("    {line}");
    }
    match input_of(&output) {
        Some(input) => Ok(Ended::Crashed(input.to_owned())),
        None => Err(format!("{} could not be run, see above", target.name)),
    }
}

/// `cargo fuzz` with what all its runs share. Coverage is a nightly feature of a compiler that is otherwise the same.
fn fuzzer(cargo_fuzz: &Path, verb: &str, target: &Target) -> Command {
    // The environment without what cargo has set for us, as for every child of ours that builds.
    let plain = cargo(&[]);
    let mut fuzz = command(cargo_fuzz);
    for (name, value) in plain.get_envs() {
        if value.is_none() {
            fuzz.env_remove(name);
        }
    }
    fuzz.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", folders::target().join("fuzz"));
    fuzz.args(["fuzz", verb, "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    if let Some(feature) = target.feature {
        fuzz.args(["--features", feature]);
    }
    fuzz
}

/// Executions, edges covered, and the size of the corpus, out of libFuzzer's last lines.
fn figures(output: &str) -> String {
    let executions = output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let memory = output.lines().find_map(|line| line.strip_prefix("stat::peak_rss_mb:"));
    let last = output.lines().rev().find(|line| line.contains(" cov: "));
    let word_after = |name: &str| {
        let mut words = last?.split_whitespace().skip_while(|word| *word != name);
        words.nth(1)
    };
    format!(
        "{:>11} executions, {:>6} edges covered, corpus of {}, at most {} MB",
        executions.map_or("?", str::trim),
        word_after("cov:").unwrap_or("?"),
        word_after("corp:").unwrap_or("?"),
        memory.map_or("?", str::trim)
    )
}

/// The input that libFuzzer has kept of a crash, a timeout or too much memory.
fn input_of(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_last_lines_of_libfuzzer() {
        let output = "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb\n\
            #99\tDONE   cov: 1234 ft: 5678 corp: 321/45Kb lim: 8192 exec/s: 33 rss: 60Mb\n\
            Done 99 runs in 3 second(s)\n\
            stat::number_of_executed_units: 99\n\
            stat::peak_rss_mb:              61\n";
        assert_eq!(figures(output), "         99 executions,   1234 edges covered, corpus of 321/45Kb, at most 61 MB");
        assert_eq!(input_of(output), None);
        let crash = "==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='x/'; Test unit written to x/crash-1\n";
        assert_eq!(input_of(crash), Some("x/crash-1"));
    }

    #[test]
    fn each_target_is_built_and_has_seeds() {
        let manifest = fs::read_to_string(folders::root().join("fuzz/Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for target in TARGETS {
            assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
            let seeds = fs::read_dir(folders::root().join("fuzz/corpus").join(target.name)).unwrap();
            assert!(seeds.count() >= 3, "{}", target.name);
        }
    }
}
