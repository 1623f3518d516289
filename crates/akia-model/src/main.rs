//! The model check of the rotation protocol and of enforcement.
//!
//! The production state machines of `akia-core`, not copies of them, are explored exhaustively in models of IAM with lag,
//! lost answers, late commits, a racy quota, crashes, people and other machines. `cargo xtask prove` runs it.
#![expect(clippy::print_stdout, reason = "a developer's tool talks to its terminal")]

mod enforcement;
mod explore;
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

use crate::explore::{Sum, explore};
use crate::model::Rotations;
use crate::sabotage::Sabotage;
use crate::settings::{Cut, Setting};

/// Explore every state of the rotation protocol and of enforcement within bounds.
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
    let mut sum = Sum::default();
    for setting in worlds(arguments.deep).into_iter().filter(|world| world.name.contains(&arguments.only)) {
        explore(Rotations::new(setting), &mut sum);
    }
    enforcement::explore_all(arguments.deep, &arguments.only, &mut sum);
    let Sum { states, broken, cut_off } = sum;
    match cut_off.as_slice() {
        [] => println!("every world was explored to its end"),
        names => println!("cut off, and every other world explored to its end: {}", names.join("; ")),
    }
    println!("{states:>10} unique states in {:.1} s, {broken} promises broken", began.elapsed().as_secs_f64());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every weakened protocol, with the story of how it breaks.
fn sabotaged() -> ExitCode {
    let rotations = Sabotage::ALL.map(|sabotage| {
        let (setting, expected) = traps::trap(sabotage);
        let found = traps::broken(setting).into_iter().find(|(promise, _)| *promise == expected);
        tell(&format!("{sabotage:?}"), expected.name(), found.map(|(_, story)| story))
    });
    let ways = [rotations.to_vec(), enforcement::sabotaged()].concat();
    let missed = ways.iter().filter(|caught| !**caught).count();
    println!("{} ways to weaken the protocols, {missed} not caught", ways.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells how a sabotage was caught. Says whether it was.
fn tell(sabotage: &str, expected: &str, story: Option<String>) -> bool {
    match &story {
        Some(story) => println!("{sabotage}:{story}"),
        None => println!("{sabotage}: NOT CAUGHT by \"{expected}\""),
    }
    story.is_some()
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
        Setting::new("a service with three places", &[0], 1 + more, 1).places(3).service(),
        Setting::new("a service with three places, one failing for ever", &[0], 1 + more, 1)
            .places(3)
            .service()
            .shut(2),
        Setting::new("three places, the first failing for ever", &[0], 1 + more, 1).places(3).shut(0),
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
