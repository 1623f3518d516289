//! The model check of enforcement: the production [`Case`] of one key, through every order of runs, faults, deeds of people
//! and changes of the policy.
//!
//! [`Case`]: akia_core::enforce::Case

mod constants;
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

use crate::explore::{Sum, explore};

/// Explores every world whose name contains `only`.
pub(crate) fn explore_all(deep: bool, only: &str, sum: &mut Sum) {
    for setting in settings::worlds(deep).into_iter().filter(|world| world.name.contains(only)) {
        explore(model::Cases::new(setting), sum);
    }
}

/// Every weakened protocol, with the story of how it breaks. Says of each whether it was caught.
pub(crate) fn sabotaged() -> Vec<bool> {
    let caught = sabotage::Sabotage::ALL.map(|sabotage| {
        let (_, expected) = traps::trap(sabotage);
        crate::tell(&format!("{sabotage:?}"), expected.name(), traps::caught(sabotage))
    });
    caught.to_vec()
}
