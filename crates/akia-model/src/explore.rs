//! The search: every state of a world, breadth first, and the shortest story of each promise that it breaks.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model, Path};

use crate::settings::Cut;

/// States after which a search for one sabotage is given up.
const LIMIT: usize = 3_000_000;

/// A world that can be explored.
pub(crate) trait Explored:
    Model<State: Clone + PartialEq + Hash + Debug + Send + Sync, Action: Clone + PartialEq + Debug + Send + Sync>
    + Send
    + Sync
    + 'static
{
    /// Its name.
    fn name(&self) -> &'static str;

    /// How much of it is explored.
    fn cut(&self) -> Cut;

    /// The path to a broken promise, in words.
    fn story(&self, property: &str, path: Path<Self::State, Self::Action>) -> String;
}

/// What came of all worlds.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) states: usize,
    pub(crate) broken: usize,
    pub(crate) cut_off: Vec<&'static str>,
}

/// Explores a world, and prints what came of it.
pub(crate) fn explore<M: Explored>(model: M, sum: &mut Sum) {
    let started = Instant::now();
    let (name, cut) = (model.name(), model.cut());
    let mut search = model
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
    sum.states += states;
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
        sum.cut_off.push(name);
    }
    for (property, path) in checker.discoveries() {
        if matches!(checker.discovery_classification(property), DiscoveryClassification::Counterexample) {
            sum.broken += 1;
            println!("{}", checker.model().story(property, path));
        }
    }
}

/// The promises that a world breaks, by name, each with its story: all until the first is found, or until `wanted` is.
pub(crate) fn broken<M: Explored>(model: M, wanted: Option<&'static str>) -> Vec<(&'static str, String)> {
    let until = wanted.map_or(HasDiscoveries::AnyFailures, |name| HasDiscoveries::AnyOf([name].into()));
    let checker = model.checker().finish_when(until).target_state_count(LIMIT).spawn_bfs().join();
    let is_broken = |name| matches!(checker.discovery_classification(name), DiscoveryClassification::Counterexample);
    let found = checker.discoveries().into_iter().filter(|(name, _)| is_broken(name));
    found.map(|(name, path)| (name, checker.model().story(name, path))).collect()
}
