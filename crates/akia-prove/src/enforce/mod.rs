//! Campaigns of enforcement under one seed each: weeks of audits, plans and runs over a small estate, with every fault of the
//! fault suite, and a judge that knows the truth.

mod campaign;
mod judge;
mod sabotage;
mod world;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use self::campaign::Outcome;
pub(crate) use self::sabotage::Sabotage;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) runs: u64,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) is_story: bool,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) fail_limit: usize,
}

#[derive(Default)]
struct Sum {
    runs: u64,
    cases: u64,
    deactivated: u64,
    deleted: u64,
    faults: u64,
    crashes: u64,
    failed: BTreeMap<u64, Vec<String>>,
}

/// Runs campaigns, and prints what came of them.
pub(crate) fn run(asked: Asked) -> ExitCode {
    if asked.is_story {
        let outcome = campaign::run(asked.seed, asked.sabotage, true);
        tell(asked.seed, &outcome);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (next, end) = (AtomicU64::new(asked.seed), asked.seed.saturating_add(asked.runs));
    let sum = Mutex::new(Sum::default());
    let started = Instant::now();
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..asked.threads {
            let (next, sum) = (&next, &sum);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_enough = {
                        let sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        sum.failed.len() >= asked.fail_limit
                    };
                    if seed >= end || is_enough {
                        break;
                    }
                    let run = AssertUnwindSafe(|| campaign::run(seed, asked.sabotage, false));
                    let outcome = std::panic::catch_unwind(run).unwrap_or_else(|panic| Outcome {
                        violations: vec![format!("panic: {}", crate::words_of(&*panic))],
                        ..Outcome::default()
                    });
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(seed, outcome, started);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.print(started.elapsed().as_secs_f64());
    let Some(seed) = sum.failed.keys().next() else { return ExitCode::SUCCESS };
    if let Ok(outcome) = std::panic::catch_unwind(|| campaign::run(*seed, asked.sabotage, true)) {
        tell(*seed, &outcome);
    }
    ExitCode::FAILURE
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome, started: Instant) {
        self.runs += 1;
        self.cases += outcome.cases;
        self.deactivated += outcome.deactivated;
        self.deleted += outcome.deleted;
        self.faults += outcome.faults;
        self.crashes += outcome.crashes;
        if let Some(first) = outcome.violations.first() {
            println!("  seed {seed} FAILED: {first}");
            self.failed.insert(seed, outcome.violations);
        }
        if self.runs.is_multiple_of(50_000) {
            println!("  {} campaigns, {} cases, {:.0} s", self.runs, self.cases, started.elapsed().as_secs_f64());
        }
    }

    fn print(&self, seconds: f64) {
        println!(
            "{} campaigns, {} cases, {} keys deactivated, {} deleted, {} faults, {} of them killed a run; {seconds:.1} s",
            self.runs, self.cases, self.deactivated, self.deleted, self.faults, self.crashes
        );
        if !self.failed.is_empty() {
            return println!("{} campaigns FAILED", self.failed.len());
        }
        #[expect(clippy::cast_precision_loss, reason = "for a bound, fifteen digits are enough")]
        let bound = 1.0 - 0.05_f64.powf(1.0 / self.runs.max(1) as f64);
        println!(
            "no act on a wrong key, no stage too early, none lost: with 95 % confidence fewer than {bound:.2e} of such \
             campaigns have one"
        );
    }
}

fn tell(seed: u64, outcome: &Outcome) {
    println!("the story of seed {seed}:");
    for line in &outcome.story {
        println!("{line}");
    }
    println!("trace {:016x}; {} violations", outcome.trace, outcome.violations.len());
    println!("replay: cargo xtask prove --enforce --seed {seed} --story");
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn the_same_seed_has_the_same_trace_and_another_has_another() {
        let mut traces = std::collections::BTreeSet::new();
        for seed in 1..=200 {
            let (first, second) = (campaign::run(seed, None, true), campaign::run(seed, None, true));
            assert_eq!((first.trace, &first.story), (second.trace, &second.story), "seed {seed}");
            assert_eq!(first.violations, Vec::<String>::new(), "seed {seed}");
            traces.insert(first.trace);
        }
        assert!(traces.len() > 190, "{}", traces.len());
    }

    /// What is broken on purpose is found within some thousand campaigns.
    #[test]
    fn every_sabotage_is_found() {
        for sabotage in Sabotage::value_variants() {
            let found = (1..=3_000).find(|seed| !campaign::run(*seed, Some(*sabotage), false).violations.is_empty());
            assert!(found.is_some(), "{sabotage:?} was not found");
        }
    }
}
