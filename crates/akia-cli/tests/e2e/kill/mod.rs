//! The real binary, killed for real, and robbed of its disk, at each system call that writes, renames, syncs, sends or
//! receives; then `akia resume` or the same command again, and the lines that must hold, judged with the AWS CLI and by
//! reading the files.
//!
//! A test here is a story (rotate, resume, undo, retire, setup). It is run once to count its points, then once for each
//! point. Runs wait more than they work (a key settles for seconds), so many go side by side.
//!
//! `cargo xtask test --only kills` runs these by themselves, some stories at once.

mod disk;
mod enforcement;
mod overwrite;
mod power;
mod process;
mod services;
mod story;
mod tracer;

use nix::errno::Errno;
use story::{Story, Verb};

const VERBS: [Verb; 5] = [Verb::Rotate, Verb::Resume, Verb::Undo, Verb::Retire, Verb::Setup];
const ERRORS: [Errno; 4] = [Errno::ENOSPC, Errno::EIO, Errno::EROFS, Errno::EINTR];

#[test]
fn rotate_killed_at_each_call() {
    Story::killed(Verb::Rotate).at_each_point();
}

/// Twice in a row: the rotation was killed between its two deliveries.
#[test]
fn resume_killed_at_each_call() {
    Story::killed(Verb::Resume).at_each_point();
}

#[test]
fn undo_killed_at_each_call() {
    Story::killed(Verb::Undo).at_each_point();
}

#[test]
fn retire_killed_at_each_call() {
    Story::killed(Verb::Retire).at_each_point();
}

#[test]
fn setup_killed_at_each_call() {
    Story::killed(Verb::Setup).at_each_point();
}

/// A sample of `each_call_fails` for the other stories: every sixteenth point, the errors in turn, each story from another
/// point on.
#[test]
fn some_calls_fail() {
    for (index, verb) in [Verb::Resume, Verb::Undo, Verb::Retire].into_iter().enumerate() {
        Story::failing(verb, &ERRORS).every(16, 3 * index).at_each_point();
    }
}

/// Every story with every error.
#[test]
#[ignore = "an hour on two processors: cargo xtask prove --deep"]
fn each_call_fails() {
    for error in ERRORS {
        for verb in VERBS {
            Story::failing(verb, &[error]).at_each_point();
        }
    }
}

/// The longest story with an error at each of its points, the errors in turn.
#[test]
fn rotate_with_each_call_failing() {
    Story::failing(Verb::Rotate, &ERRORS).at_each_point();
}

#[test]
fn setup_with_each_call_failing() {
    for error in ERRORS {
        Story::failing(Verb::Setup, &[error]).at_each_point();
    }
}
