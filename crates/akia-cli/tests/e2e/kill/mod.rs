//! The real binary, killed for real, and robbed of its disk, at each system call that writes, renames, syncs, sends or
//! receives; then `akia resume` or the same command again, and the lines that must hold, judged with the AWS CLI and by
//! reading the files.
//!
//! A test here is a story (rotate, resume, undo, retire, setup). It is run once to count its points, then once for each
//! point. Runs wait more than they work (a key settles for seconds), so many go side by side.
//!
//! `cargo xtask test` runs these by themselves, one story after another: `-- kill:: --test-threads 1`.

mod story;
mod tracer;

use nix::errno::Errno;
use story::{Story, Verb};
use tracer::Strike;

#[test]
fn rotate_killed_at_each_call() {
    Story::new(Verb::Rotate, Strike::Kill).at_each_point();
}

/// Twice in a row: the rotation was killed between its two deliveries.
#[test]
fn resume_killed_at_each_call() {
    Story::new(Verb::Resume, Strike::Kill).at_each_point();
}

#[test]
fn undo_killed_at_each_call() {
    Story::new(Verb::Undo, Strike::Kill).at_each_point();
}

#[test]
fn retire_killed_at_each_call() {
    Story::new(Verb::Retire, Strike::Kill).at_each_point();
}

#[test]
fn setup_killed_at_each_call() {
    Story::new(Verb::Setup, Strike::Kill).at_each_point();
}

/// Every story with every error would take an hour; `cargo xtask prove --deep` asks for it.
#[test]
#[ignore = "an hour on two cores: cargo xtask prove --deep"]
fn each_call_fails() {
    for error in [Errno::ENOSPC, Errno::EIO, Errno::EROFS, Errno::EINTR] {
        for verb in [Verb::Rotate, Verb::Resume, Verb::Undo, Verb::Retire, Verb::Setup] {
            Story::new(verb, Strike::Fail(error)).at_each_point();
        }
    }
}
