//! `cargo xtask prove`, the simulation: `akia-prove`, built optimised with every assertion in it.

use crate::command::{cargo, run};

/// Runs in CI, with more than 100,000 rotations.
pub(crate) const RUNS: u64 = 40_000;
/// Runs with `--deep`: hours.
const DEEP_RUNS: u64 = 10_000_000;

/// Campaigns of enforcement in CI: some two minutes of two processors.
const CAMPAIGNS: u64 = 100_000;

/// Simulates campaigns of enforcement from `seed` on; a `story` is told of the first one only.
pub(crate) fn campaigns(runs: Option<u64>, seed: u64, story: bool) -> Result<(), String> {
    start(runs.unwrap_or(CAMPAIGNS), seed, story, &["--enforce"])
}

/// Simulates rotations from `seed` on; a `story` is told of the first one only.
pub(crate) fn simulate(runs: Option<u64>, seed: u64, story: bool, deep: bool) -> Result<(), String> {
    let runs = runs.unwrap_or(if deep { DEEP_RUNS } else { RUNS });
    start(runs, seed, story, &[])
}

fn start(runs: u64, seed: u64, story: bool, more: &[&str]) -> Result<(), String> {
    let mut prove =
        cargo(&["run", "--quiet", "--profile", "prove", "--locked", "--package", "akia-prove", "--", "--runs"]);
    prove.args([runs.to_string(), "--seed".to_owned(), seed.to_string()]).args(more);
    if story {
        prove.arg("--story");
    }
    run(&mut prove)
}
