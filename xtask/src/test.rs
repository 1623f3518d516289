//! `cargo xtask test`: every check, in the order in which a mistake is cheapest to find.
//!
//! A step that cannot run is a failed step. A later step runs even when an earlier one failed, so that one run tells
//! everything; the closing lines list each step with its time, and the exit code is non-zero if any failed.

use crate::command::{FEATURES, capture, cargo, command};
use crate::{axe, kubernetes, packages, prove, prove_simulate, races, tools, venv};
use std::process::Command;
use std::time::{Duration, Instant};

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Outcome, String>,
}

/// What became of a step that did not fail.
enum Outcome {
    Passed,
    /// It asks for something that this machine cannot reach, and the code under test has no part in that.
    NotChecked(&'static str),
}

const STEPS: &[Step] = &[
    Step { name: "fmt", what: "the code is formatted", run: fmt },
    Step { name: "clippy", what: "no lint fires", run: clippy },
    Step {
        name: "venv",
        what: "emulators and the AWS CLI for the tests",
        run: || venv::ensure().map(|_| Outcome::Passed),
    },
    Step { name: "packages", what: "a Secret Service and a browser for the tests", run: distribution_packages },
    Step { name: "kubernetes", what: "an API server for the tests", run: api_server },
    Step { name: "tests", what: "every unit and integration test", run: tests },
    Step {
        name: "prove",
        what: "the model check of the rotation protocol and of enforcement",
        run: || prove::model(false).map(|()| Outcome::Passed),
    },
    Step { name: "kills", what: "the real binary killed, failing and powerless at each system call", run: kills },
    Step {
        name: "races",
        what: "two processes rotate one user at once",
        run: || races::run(&[races::RACES], false).map(|()| Outcome::Passed),
    },
    Step {
        name: "takeovers",
        what: "of two servers on one PostgreSQL one is killed in mid-run",
        run: || races::run(&[races::TAKEOVERS], false).map(|()| Outcome::Passed),
    },
    Step {
        name: "simulate",
        what: "rotations with every fault, simulated",
        run: || prove_simulate::simulate(None, 1, false, false).map(|()| Outcome::Passed),
    },
    Step {
        name: "campaigns",
        what: "campaigns of enforcement with every fault, simulated",
        run: || prove_simulate::campaigns(None, 1, false).map(|()| Outcome::Passed),
    },
    Step { name: "doctests", what: "the examples in the documentation", run: doctests },
    Step { name: "rustdoc", what: "the documentation builds without a warning", run: rustdoc },
    Step { name: "docs", what: "the generated pages of docs/ are up to date", run: docs },
    Step { name: "deny", what: "licences, banned and duplicate crates, sources", run: deny },
    Step { name: "advisories", what: "known vulnerabilities in dependencies", run: advisories },
];

/// Runs the steps named in `only`, or all of them.
pub(crate) fn run(only: &[String], list: bool) -> Result<(), String> {
    if list {
        for step in STEPS {
            println!("{:<12} {}", step.name, step.what);
        }
        return Ok(());
    }
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        return Err(format!("no step is called {unknown}; `cargo xtask test --list` names them"));
    }
    let chosen: Vec<&Step> =
        STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|n| n == step.name)).collect();
    let started = Instant::now();
    let mut results: Vec<(&Step, Duration, Result<Outcome, String>)> = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", index + 1, chosen.len(), step.name, step.what);
        let began = Instant::now();
        let result = (step.run)();
        let took = began.elapsed();
        match &result {
            Ok(Outcome::Passed) => println!("    {} ok in {:.1} s", step.name, took.as_secs_f64()),
            Ok(Outcome::NotChecked(why)) => println!("    {} NOT CHECKED: {why}", step.name),
            Err(reason) => println!("    {} FAILED in {:.1} s: {reason}", step.name, took.as_secs_f64()),
        }
        results.push((step, took, result));
    }
    println!("\n==> summary");
    for (step, took, result) in &results {
        let word = match result {
            Ok(Outcome::Passed) => "ok",
            Ok(Outcome::NotChecked(_)) => "NOT CHECKED",
            Err(_) => "FAILED",
        };
        println!("    {word:<11} {:<12} {:>7.1} s", step.name, took.as_secs_f64());
    }
    let failed = results.iter().filter(|(_, _, result)| result.is_err()).count();
    println!("    {:.1} s in all", started.elapsed().as_secs_f64());
    let unchecked = results.iter().filter(|(_, _, result)| matches!(result, Ok(Outcome::NotChecked(_)))).count();
    println!("steps: {} passed, {failed} failed, {unchecked} skipped", results.len() - failed - unchecked);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} steps failed", results.len())) }
}

fn passes(command: &mut Command) -> Result<Outcome, String> {
    crate::command::run(command).map(|()| Outcome::Passed)
}

fn fmt() -> Result<Outcome, String> {
    passes(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result<Outcome, String> {
    passes(&mut cargo(&["clippy", "--workspace", "--all-targets", FEATURES, "--locked", "--", "-D", "warnings"]))
}

fn distribution_packages() -> Result<Outcome, String> {
    if cfg!(target_os = "linux") {
        packages::ensure()?;
        axe::ensure().map(|_| Outcome::Passed)
    } else {
        Ok(Outcome::NotChecked("the tests of the keychain and the browser run on Linux"))
    }
}

fn api_server() -> Result<Outcome, String> {
    if cfg!(target_os = "linux") {
        kubernetes::ensure().map(|_| Outcome::Passed)
    } else {
        Ok(Outcome::NotChecked("the tests against an API server of Kubernetes run on Linux"))
    }
}

fn tests() -> Result<Outcome, String> {
    let venv = venv::ensure()?;
    let run = |mut tests: Command| {
        if cfg!(target_os = "linux") {
            tests.env(packages::VARIABLE, "1");
        }
        passes(tests.env(venv::VARIABLE, &venv))
    };
    // They have steps of their own.
    let skipped = races::STORIES.iter().flat_map(|stories| ["--skip", stories]);
    if !tools::has_nextest() {
        println!("    cargo-nextest is not on this machine: using cargo test, which has no time limit per test");
        let mut all = vec!["test", "--workspace", "--all-targets", FEATURES, "--locked", "--no-fail-fast", "--"];
        all.extend(skipped);
        return run(cargo(&all));
    }
    // nextest gives each test a process; the end-to-end tests share servers, and are twice as quick in one.
    let unit = run(cargo(&[
        "nextest",
        "run",
        "--workspace",
        FEATURES,
        "--locked",
        "--profile",
        "ci",
        "-E",
        "not binary(e2e)",
    ]));
    let mut end_to_end =
        vec!["test", "--workspace", "--test", "e2e", FEATURES, "--locked", "--", "--test-threads", "4"];
    end_to_end.extend(skipped);
    let end_to_end = run(cargo(&end_to_end));
    unit.and(end_to_end)
}

fn kills() -> Result<Outcome, String> {
    if !races::CAN_TRACE {
        return Ok(Outcome::NotChecked("system calls are traced on Linux on x86-64 only"));
    }
    races::run(&[races::KILLS], false).map(|()| Outcome::Passed)
}

fn doctests() -> Result<Outcome, String> {
    passes(&mut cargo(&["test", "--doc", "--workspace", FEATURES, "--locked"]))
}

fn rustdoc() -> Result<Outcome, String> {
    let mut doc = cargo(&["doc", "--workspace", FEATURES, "--no-deps", "--document-private-items", "--locked"]);
    passes(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn docs() -> Result<Outcome, String> {
    crate::docs::run(true).map(|()| Outcome::Passed)
}

fn deny() -> Result<Outcome, String> {
    let deny = tools::cargo_deny()?;
    passes(command(deny).args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
}

/// The advisory database is a git repository elsewhere: where it cannot be reached, the summary says so.
fn advisories() -> Result<Outcome, String> {
    let deny = tools::cargo_deny()?;
    let (ok, output) = capture(command(deny).args(["--locked", "check", "advisories"]))?;
    print!("{output}");
    if ok {
        Ok(Outcome::Passed)
    } else if output.contains("failed to fetch advisory database") {
        Ok(Outcome::NotChecked("the advisory database cannot be reached from this machine"))
    } else {
        Err("cargo deny check advisories found something, see above".to_owned())
    }
}
