//! The simulation of the whole: the real driver, the real store, real files and the sandbox, in one process, with clock
//! and faults under one seed.
//!
//! A run is the life of one user's key: one or more rotations of it, with everything that happens to them. Every seed
//! replays to the same trace. `cargo xtask prove` builds this optimised and runs it.

#![expect(clippy::unwrap_used, reason = "a broken harness is a failed proof")]
#![expect(clippy::print_stdout, reason = "a developer's tool talks to its terminal")]

mod director;
mod enforce;
mod folder;
mod judge;
mod outsider;
mod plot;
mod run;
mod sabotage;
mod worker;
mod world;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;

use crate::director::Tally;
use crate::run::Outcome;
use crate::sabotage::Sabotage;
use crate::worker::Worker;

/// Simulates rotations with everything that can go wrong.
#[derive(Debug, Parser)]
#[command(name = "akia-prove")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 2_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads [default: two for each processor, since each waits for its files now and then].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the whole story of the first seed, and run no other.
    #[arg(long)]
    story: bool,
    /// Break something on purpose, to see it found.
    #[arg(long)]
    sabotage: Option<Sabotage>,
    /// Simulate campaigns of enforcement instead of rotations.
    #[arg(long)]
    enforce: bool,
    /// Break enforcement on purpose, to see it found.
    #[arg(long, requires = "enforce")]
    enforce_sabotage: Option<enforce::Sabotage>,
    /// Failed seeds after which to stop.
    #[arg(long, default_value_t = 5)]
    fail_limit: usize,
}

/// What came of all runs.
#[derive(Default)]
struct Sum {
    runs: u64,
    rotations: u64,
    crashes: u64,
    faults: Tally,
    rests: Tally,
    refusals: Tally,
    failed: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.runs += 1;
        self.rotations += outcome.rotations;
        self.crashes += outcome.crashes;
        for (into, from) in [
            (&mut self.faults, outcome.faults),
            (&mut self.rests, outcome.rests),
            (&mut self.refusals, outcome.refusals),
        ] {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        if !outcome.violations.is_empty() {
            self.failed.insert(seed, outcome.violations);
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    if arguments.enforce {
        return enforce::run(enforce::Asked {
            runs: arguments.runs,
            seed: arguments.seed,
            threads: arguments.threads.unwrap_or(processors),
            is_story: arguments.story,
            sabotage: arguments.enforce_sabotage,
            fail_limit: arguments.fail_limit,
        });
    }
    if arguments.story {
        let outcome = Worker::new(arguments.sabotage).unwrap().run(arguments.seed, true);
        print_story(arguments.seed, &outcome);
        return if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let threads = arguments.threads.unwrap_or(2 * processors);
    let next = AtomicU64::new(arguments.seed);
    let end = arguments.seed.saturating_add(arguments.runs);
    let sum = Mutex::new(Sum::default());
    let started = Instant::now();
    // A panic of akia's is a finding: told with its seed, not by a dead thread.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for number in 0..threads {
            let (next, sum, arguments) = (&next, &sum, &arguments);
            scope.spawn(move || {
                worker::stay_on_one_processor(number);
                let mut worker = Worker::new(arguments.sabotage).unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = {
                        let sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        sum.failed.len() >= arguments.fail_limit
                    };
                    if seed >= end || enough {
                        break;
                    }
                    let outcome = match std::panic::catch_unwind(AssertUnwindSafe(|| worker.run(seed, false))) {
                        Ok(outcome) => outcome,
                        Err(panic) => {
                            worker = Worker::new(arguments.sabotage).unwrap();
                            Outcome { violations: vec![format!("panic: {}", words_of(&*panic))], ..Outcome::default() }
                        }
                    };
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(first) = outcome.violations.first() {
                        println!("  seed {seed} FAILED: {first}");
                    }
                    sum.add(seed, outcome);
                    if sum.runs.is_multiple_of(5_000) {
                        let seconds = started.elapsed().as_secs_f64();
                        println!("  {} runs, {} rotations, {seconds:.0} s", sum.runs, sum.rotations);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    print_sum(&sum, started.elapsed().as_secs_f64());
    if sum.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (seed, violations) in &sum.failed {
        println!("\nseed {seed} FAILED:");
        for violation in violations {
            println!("  {violation}");
        }
        println!("  replay: cargo xtask prove --seed {seed} --story");
    }
    if let Some(seed) = sum.failed.keys().next() {
        let again = std::panic::catch_unwind(|| Worker::new(arguments.sabotage).unwrap().run(*seed, true));
        if let Ok(outcome) = again {
            println!();
            print_story(*seed, &outcome);
        }
    }
    ExitCode::FAILURE
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().cloned();
    words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn print_story(seed: u64, outcome: &Outcome) {
    println!("the story of seed {seed}:");
    for line in &outcome.story {
        println!("{line}");
    }
    println!("trace {}; {} violations", outcome.trace, outcome.violations.len());
}

fn print_sum(sum: &Sum, seconds: f64) {
    let print = |title: &str, tally: &Tally| {
        println!("{title}:");
        for (name, count) in tally {
            println!("  {count:>10}  {name}");
        }
    };
    print("faults that struck", &sum.faults);
    print("how rotations rest", &sum.rests);
    print("what a command said instead of resting", &sum.refusals);
    #[expect(clippy::cast_precision_loss, reason = "for a rate and a bound, fifteen digits are enough")]
    let (runs, rotations) = (sum.runs as f64, sum.rotations as f64);
    println!(
        "{} runs, {} rotations, {} crashes, {} faults in {seconds:.1} s ({:.0} rotations/s)",
        sum.runs,
        sum.rotations,
        sum.crashes,
        sum.faults.values().sum::<u64>(),
        rotations / seconds
    );
    if sum.failed.is_empty() {
        println!(
            "no run failed: with 95 % confidence fewer than {:.2e} of such rotations lose a key \
             ({:.2e} of the runs)",
            1.0 - 0.05_f64.powf(1.0 / rotations.max(1.0)),
            1.0 - 0.05_f64.powf(1.0 / runs.max(1.0)),
        );
    } else {
        println!("{} runs FAILED", sum.failed.len());
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_same_seed_has_the_same_trace_and_another_has_another() {
        let (one, two) = (Worker::new(None).unwrap(), Worker::new(None).unwrap());
        let mut traces = std::collections::BTreeSet::new();
        for seed in 1..=24 {
            let first = one.run(seed, true);
            let second = two.run(seed, true);
            assert_eq!(first.story, second.story, "seed {seed}");
            assert_eq!(first.trace, second.trace, "seed {seed}");
            assert!(first.violations.is_empty(), "seed {seed}: {:?}", first.violations);
            traces.insert(first.trace);
        }
        assert_eq!(traces.len(), 24);
    }

    /// Found when the simulation began rotations after one another: where the key of an earlier rotation could not be deleted,
    /// the next one began all the same, and an undo of the earlier one shut the key that the next one signed with. The
    /// command line never did so; the simulation does as it does now.
    #[test]
    fn a_rotation_does_not_begin_while_an_earlier_one_stands_in_its_way() {
        let outcome = Worker::new(None).unwrap().run(3_786, true);
        assert!(outcome.refusals.contains_key("InTheWay"), "the seed does not tell that story any more");
        assert_eq!(outcome.violations, Vec::<String>::new());
    }

    /// What is broken on purpose is found within some hundred runs.
    #[test]
    fn every_sabotage_is_found() {
        for sabotage in Sabotage::value_variants() {
            let worker = Worker::new(Some(*sabotage)).unwrap();
            let found = (1..=400).find_map(|seed| worker.run(seed, false).violations.into_iter().next());
            assert!(found.is_some(), "{sabotage:?} was not found");
        }
    }
}
