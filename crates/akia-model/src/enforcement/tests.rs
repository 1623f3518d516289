//! Each sabotage has a world in which the checker must catch it, and the protocol as it ships holds there.

use super::sabotage::Sabotage;
use super::settings::worlds;
use super::traps::{broken, caught, trap};
use crate::settings::Cut;

#[test]
fn every_sabotage_is_caught_by_the_promise_that_it_breaks() {
    let missed: Vec<Sabotage> = Sabotage::ALL.into_iter().filter(|sabotage| caught(*sabotage).is_none()).collect();
    assert!(missed.is_empty(), "not caught as expected: {missed:?}");
}

#[test]
fn every_trap_holds_without_its_sabotage() {
    for sabotage in Sabotage::ALL {
        let (mut setting, _) = trap(sabotage);
        setting.sabotage = None;
        // The large ones are part of every full check.
        if setting.outside < 2 {
            let found = broken(setting);
            assert!(found.is_empty(), "{sabotage:?}: {}", found[0].1);
        }
    }
}

#[test]
fn a_counterexample_reads_as_a_story() {
    let story = caught(Sabotage::OneLook).expect("it is caught");
    for part in
        ["BROKEN in the world \"trap\"", "no deletion on one look", "a run to delete", "so: it was deleted on one look"]
    {
        assert!(story.contains(part), "no {part} in {story}");
    }
}

#[test]
fn every_world_but_that_of_two_machines_is_explored_to_its_end() {
    let cut = worlds(false).into_iter().filter(|world| !matches!(world.cut, Cut::Nowhere));
    assert_eq!(cut.map(|world| world.name).collect::<Vec<_>>(), ["enforcement on two machines"]);
}
