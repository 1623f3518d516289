//! The stories in which the real binary is killed, robbed of its disk or its power, raced, and taken over.

use crate::command::{FEATURES, cargo, run as run_command};
use crate::venv;

use std::path::Path;

/// Modules of the end-to-end tests that keep the machine busy by themselves.
pub(crate) const STORIES: [&str; 3] = [KILLS, RACES, TAKEOVERS];
/// Killed, failing and powerless at each system call.
pub(crate) const KILLS: &str = "kill::";
/// Two processes at once.
pub(crate) const RACES: &str = "races::";
/// Two servers, one of them killed.
pub(crate) const TAKEOVERS: &str = "takeover::";

/// Whether the harness can follow system calls here. Where it could and may not, its tests fail.
pub(crate) const CAN_TRACE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// Tests at once. Their runs mostly wait, and share a limit of their own (`side_by_side` in the end-to-end tests).
const TESTS_AT_ONCE: &str = "6";

/// Runs these stories and prints how many points each had; with `deep` those, too, that take an hour.
pub(crate) fn run(stories: &[&str], deep: bool) -> Result<(), String> {
    let venv = venv::ensure()?;
    let mut tests = cargo(&["test", "--workspace", "--test", "e2e", FEATURES, "--locked", "--"]);
    tests.args(stories).args(["--test-threads", TESTS_AT_ONCE, "--nocapture"]);
    if deep {
        tests.arg("--include-ignored");
    }
    // In memory where there is such a folder: thousands of homes are made and removed, and every run syncs.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tests.env("TMPDIR", memory);
    }
    run_command(tests.env(venv::VARIABLE, venv))
}
