//! Each sabotage has a world in which the checker must catch it, and the protocol as it ships holds there.

use akia_core::rotation::Effect;

use crate::perform::{Outcome, outcomes};
use crate::sabotage::Sabotage;
use crate::settings::Setting;
use crate::traps::{broken, trap};
use crate::world::{KeyNumber, LUCK_LIMIT};

#[test]
fn every_sabotage_is_caught_by_the_promise_that_it_breaks() {
    let mut missed = Vec::new();
    for sabotage in Sabotage::ALL {
        let (setting, expected) = trap(sabotage);
        let found = broken(setting);
        for (promise, story) in &found {
            println!("{sabotage:?} breaks \"{}\": {} lines", promise.name(), story.lines().count());
        }
        if found.iter().all(|(promise, _)| *promise != expected) {
            missed.push((sabotage, expected, found.into_iter().map(|(promise, _)| promise).collect::<Vec<_>>()));
        }
    }
    assert!(missed.is_empty(), "not caught as expected: {missed:#?}");
}

#[test]
fn every_trap_holds_without_its_sabotage() {
    for sabotage in Sabotage::ALL {
        let (mut setting, _) = trap(sabotage);
        setting.sabotage = None;
        // The large ones are part of every full check.
        if setting.clients.len() == 1 && setting.outside == 0 {
            let found = broken(setting);
            assert!(found.is_empty(), "{sabotage:?}: {}", found[0].1);
        }
    }
}

#[test]
fn a_counterexample_reads_as_a_story() {
    let (setting, promise) = trap(Sabotage::DeactivateBeforeDeliver);
    let found = broken(setting);
    let (_, story) = found.iter().find(|(found, _)| *found == promise).expect("it is caught");
    for part in ["BROKEN in the world \"trap\"", "every place refers to an active key", "K0 inactive", "Deliver"] {
        assert!(story.contains(part), "no {part} in {story}");
    }
}

/// Found by `--deep`: two undos proved the displaced key at once, and a refusal of the one made the row of the other longer
/// than a key that is not yet known everywhere passes.
#[test]
fn a_row_of_proofs_is_one_rotations_own() {
    let mut state = Setting::new("rows", &[0, 1], 0, 0).start();
    let key = state.aws.key_mut(KeyNumber(0)).expect("the displaced key");
    (key.changed, key.luck[0]) = (0, LUCK_LIMIT);
    let prove = Effect::Prove { key: KeyNumber(0).id() };
    assert!(!outcomes(&state, 0, &prove).contains(&Outcome::Fine), "its row is as long as it gets");
    assert!(outcomes(&state, 1, &prove).contains(&Outcome::Fine));
}
