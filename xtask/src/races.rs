//! The stories in which the real binary is killed, robbed of its disk or its power, and raced.

use crate::command::{cargo, run as run_command};
use crate::venv;

/// Modules of the end-to-end tests that keep the machine busy by themselves.
pub(crate) const STORIES: [&str; 2] = ["kill::", "races::"];

/// Whether the harness can follow system calls here.
pub(crate) const CAN_TRACE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// Runs them one after another; with `deep` those, too, that take an hour.
pub(crate) fn run(deep: bool) -> Result<(), String> {
    let venv = venv::ensure()?;
    let mut stories = cargo(&["test", "--package", "akia-cli", "--test", "e2e", "--locked", "--"]);
    stories.args(STORIES).args(["--test-threads", "1", "--nocapture"]);
    if deep {
        stories.arg("--include-ignored");
    }
    run_command(stories.env(venv::VARIABLE, venv))
}
