//! The model check of the rotation protocol.
//!
//! The production state machine of `akia-core`, not a copy of it, is explored exhaustively in a model of IAM with lag,
//! lost answers, late commits, a racy quota, crashes, people and other machines. `cargo xtask prove` runs it.
#![expect(clippy::print_stdout, reason = "a developer's tool talks to its terminal")]

mod model;
mod perform;
mod promise;
mod sabotage;
mod settings;
mod state;
mod story;
#[cfg(test)]
mod tests;
mod traps;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use akia_core::rotation::Retirement;
use clap::Parser;
use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};

use crate::model::Rotations;
use crate::sabotage::Sabotage;
use crate::settings::{Cut, Setting};

/// Explore every state of the rotation protocol within bounds.
#[derive(Parser)]
struct Arguments {
    /// Explore the large worlds too: more than ten million states.
    #[arg(long)]
    deep: bool,
    /// Explore only worlds whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Instead, weaken the protocol on purpose, once in every way, and tell how each is caught.
    #[arg(long)]
    sabotaged: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.sabotaged {
        return sabotaged();
    }
    let began = Instant::now();
    let (mut total, mut broken) = (0, 0);
    let mut cut_off = Vec::new();
    for setting in worlds(arguments.deep).into_iter().filter(|world| world.name.contains(&arguments.only)) {
        let started = Instant::now();
        let (name, cut) = (setting.name, setting.cut);
        let mut search = Rotations::new(setting)
            .checker()
            .threads(std::thread::available_parallelism().map_or(1, Into::into))
            .finish_when(HasDiscoveries::AnyFailures);
        search = match cut {
            Cut::Nowhere => search,
            Cut::Depth(depth) => search.target_max_depth(depth),
            Cut::Steps(steps) => search.target_state_count(steps),
        };
        let checker = search.spawn_bfs().join();
        let states = checker.unique_state_count();
        total += states;
        let is_cut = match cut {
            Cut::Nowhere => false,
            Cut::Depth(depth) => checker.max_depth() >= depth,
            Cut::Steps(steps) => checker.state_count() >= steps,
        };
        println!(
            "{states:>10} states, depth {:>3}{}, {:>6.1} s  {name}",
            checker.max_depth(),
            if is_cut { " (cut off)" } else { "" },
            started.elapsed().as_secs_f64()
        );
        if is_cut {
            cut_off.push(name);
        }
        for (property, path) in checker.discoveries() {
            if matches!(checker.discovery_classification(property), DiscoveryClassification::Counterexample) {
                broken += 1;
                println!("{}", story::tell(checker.model(), property, path));
            }
        }
    }
    match cut_off.as_slice() {
        [] => println!("every world was explored to its end"),
        names => println!("cut off, and every other world explored to its end: {}", names.join("; ")),
    }
    println!("{total:>10} unique states in {:.1} s, {broken} promises broken", began.elapsed().as_secs_f64());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every weakened protocol, with the story of how it breaks.
fn sabotaged() -> ExitCode {
    let mut missed = 0;
    for sabotage in Sabotage::ALL {
        let (setting, expected) = traps::trap(sabotage);
        match traps::broken(setting).into_iter().find(|(promise, _)| *promise == expected) {
            Some((_, story)) => println!("{sabotage:?}:{story}"),
            None => {
                missed += 1;
                println!("{sabotage:?}: NOT CAUGHT by \"{}\"", expected.name());
            }
        }
    }
    println!("{} ways to weaken the protocol, {missed} not caught", Sabotage::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Steps after which `--deep` leaves a world that it would not come to the end of in a night.
const DEEP_STEPS: usize = 10_000_000;

/// The worlds of one run. Each is explored to its end, but for those that say where they are cut.
fn worlds(deep: bool) -> Vec<Setting> {
    let more = u8::from(deep);
    let cut = |shallow: Cut| if deep { Cut::Steps(DEEP_STEPS) } else { shallow };
    vec![
        Setting::new("one client", &[0], 3 + more, 0),
        Setting::new("one client, two places", &[0], 2 + more, 0).places(2),
        Setting::new("one client and an outsider", &[0], 1 + more, 1),
        Setting::new("one client and two deeds of outsiders", &[0], 0, 2),
        Setting::new("signed by an admin", &[0], 1 + more, 1).admin(),
        Setting::new("deleting at once", &[0], 1 + more, 1).retirement(Retirement::Delete),
        Setting::new("keeping the old key", &[0], 1 + more, 1).retirement(Retirement::Keep),
        Setting::new("with room to make", &[0], 1 + more, 1).crowded(),
        Setting::new("beside a key of somebody else", &[0], 1 + more, 1).bystander(),
        Setting::new("two rotations on one machine, one after another", &[0, 0], more, 1)
            .one_after_another()
            .cut(cut(Cut::Nowhere)),
        Setting::new("two machines", &[0, 1], 0, 0),
        Setting::new("two machines and an outsider", &[0, 1], 0, 1).cut(cut(Cut::Depth(22))),
        Setting::new("three machines", &[0, 1, 2], 0, 0).cut(cut(Cut::Depth(20))),
    ]
}
