//! How well shared keys and machines are told from the calls, measured where it is known who stands behind each key.
//!
//! Weights and limits were tuned on the seeds from 0 to 9; what is reported, and held here, are others. `docs/usage-shared.md` has the
//! table: `AKIA_TABLE=20 cargo test -p akia-corpus --release --test usage -- --nocapture`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and the table that it measures")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use akia_core::usage::{Atlas, AwsRanges, MachineUse, Networks, NoAtlas, Sharing, View, machines, shared};
use akia_corpus::trail::{CASES, Scale, Trail, Truth, WorldAtlas, ip_ranges};

/// What became of the keys of one case.
#[derive(Default, Clone, Copy)]
struct Tally {
    keys: u32,
    shared: u32,
    on_machine: u32,
}

type Table = BTreeMap<&'static str, Tally>;

fn measure<const N: usize>(seeds: impl Iterator<Item = u64>, atlases: [&dyn Atlas; N]) -> [Table; N] {
    let mut tables = [const { Table::new() }; N];
    let networks = Networks { own: Vec::new(), aws: AwsRanges::parse(&ip_ranges()).unwrap() };
    for seed in seeds {
        // Some 50 calls a key and day.
        let trail = Trail::new(Scale { events: 380_000, files: 1, keys: 100, days: 30, seed });
        let facts = trail.facts();
        let is_service = |user: &str| user.contains(":user/svc-");
        for (atlas, table) in atlases.into_iter().zip(&mut tables) {
            let view = View { networks: &networks, atlas, is_service: &is_service };
            judge(seed, &trail, &shared(&facts, &view), &machines(&facts, &view), table);
        }
    }
    tables
}

fn judge(seed: u64, trail: &Trail, sharing: &[Sharing], on: &[MachineUse], table: &mut Table) {
    for actor in trail.actors() {
        let tally = table.entry(actor.case.name).or_default();
        tally.keys += 1;
        let of = sharing.iter().find(|one| one.key == actor.key);
        let is_shared = of.is_some_and(Sharing::is_shared);
        let is_on_machine = on.iter().any(|one| one.key == actor.key && one.is_on_machine());
        tally.shared += u32::from(is_shared);
        tally.on_machine += u32::from(is_on_machine);
        let is_wrong = is_shared != matches!(actor.case.truth, Truth::Shared(_));
        // `AKIA_WRONG=CASE` tells why.
        if is_wrong && std::env::var("AKIA_WRONG").is_ok_and(|case| case == actor.case.name) {
            println!("seed {seed}, {}: {}", actor.key, of.map_or(0, |one| one.score));
            for evidence in of.into_iter().flat_map(|one| &one.evidence) {
                println!("  {} {}", evidence.weight, evidence.what);
            }
        }
    }
}

/// Precision and recall, of shared keys and of keys on machines.
fn quality(table: &Table) -> [f64; 4] {
    let (mut right, mut said, mut true_ones) = ([0; 2], [0; 2], [0; 2]);
    for case in &CASES {
        let Tally { keys, shared, on_machine } = table.get(case.name).copied().unwrap_or_default();
        let is_person = case.truth != Truth::Service;
        for (nth, (found, is_true)) in
            [(shared, matches!(case.truth, Truth::Shared(_))), (on_machine, case.on_machine && is_person)]
                .into_iter()
                .enumerate()
        {
            said[nth] += found;
            if is_true {
                right[nth] += found;
                true_ones[nth] += keys;
            }
        }
    }
    let part = |of: u32, all: u32| f64::from(of) / f64::from(all.max(1));
    [part(right[0], said[0]), part(right[0], true_ones[0]), part(right[1], said[1]), part(right[1], true_ones[1])]
}

fn print(name: &str, table: &Table) {
    let mut text = String::new();
    for case in &CASES {
        let Tally { keys, shared, on_machine } = table.get(case.name).copied().unwrap_or_default();
        let (truth, machine) = match case.truth {
            Truth::Person => ("a person", ""),
            Truth::Service => ("a service", ""),
            Truth::Shared(_) => ("shared", if case.on_machine { ", on a machine" } else { "" }),
            Truth::OnMachine(_) => ("a person", ", on a machine"),
        };
        let hard = if case.is_hard { "yes" } else { "" };
        let _ = writeln!(text, "| `{}` | {truth}{machine} | {hard} | {keys} | {shared} | {on_machine} |", case.name);
    }
    let [a, b, c, d] = quality(table);
    println!("{name}\n{text}shared: precision {a:.3}, recall {b:.3}; machines: precision {c:.3}, recall {d:.3}");
}

#[test]
fn shared_keys_and_machines_are_told_with_and_without_an_atlas() {
    let number = |name: &str| std::env::var(name).ok().and_then(|seeds| seeds.parse::<u64>().ok());
    let (tuning, table) = (number("AKIA_TUNE"), number("AKIA_TABLE"));
    let seeds = match (tuning, table) {
        (Some(seeds), _) => 0..seeds,
        (_, seeds) => 1_000..1_000 + seeds.unwrap_or(2),
    };
    let measured = measure(seeds, [&WorldAtlas, &NoAtlas]);
    let floors = [("with an atlas", [0.9, 0.75, 0.9, 0.9]), ("without an atlas", [0.9, 0.6, 0.9, 0.9])];
    for ((name, floors), measured) in floors.into_iter().zip(&measured) {
        if tuning.or(table).is_some() {
            print(name, measured);
        }
        let quality = quality(measured);
        let is_enough = quality.iter().zip(floors).all(|(quality, floor)| *quality >= floor);
        assert!(is_enough, "{name}: {quality:?} is below {floors:?}");
    }
}
