//! The worlds that are explored.

use super::sabotage::Sabotage;
use super::state::State;
use super::world::{Aws, Cause, Identity, Key, Level, Moment, Standing, Status};
use crate::settings::Cut;

/// Longer than every wait and every constant of the protocol in these worlds: nothing looks further back.
pub(crate) const HORIZON: Moment = 5_000;

/// The rule that the key breaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Rule {
    /// An active key that nobody uses.
    Unused,
    /// An old key, used or not.
    Age,
    /// A key that is inactive already.
    Kept,
}

impl Rule {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Unused => "key-unused",
            Self::Age => "key-age",
            Self::Kept => "inactive-key-kept",
        }
    }
}

/// One world to explore.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    /// Machines, each with a journal of its own.
    pub(crate) clients: usize,
    pub(crate) faults: u8,
    /// Deeds of people, and changes of the policy.
    pub(crate) outside: u8,
    pub(crate) cut: Cut,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Setting {
    pub(crate) fn new(name: &'static str, rule: Rule, faults: u8, outside: u8) -> Self {
        Self { name, rule, clients: 1, faults, outside, cut: Cut::Nowhere, sabotage: None }
    }

    pub(crate) fn machines(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    pub(crate) fn cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    pub(crate) fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(crate) fn start(&self) -> State {
        let status = if self.rule == Rule::Kept { Status::Inactive } else { Status::Active };
        let key = Key {
            status,
            was: status,
            changed: -HORIZON,
            cause: Cause::Before,
            identity: Identity::Same,
            used: None,
            activated: None,
            activators: [None; 3],
        };
        State::new(
            Aws { key, level: Level::Base, standing: Standing::Plain, late: Vec::new() },
            self.clients,
            self.faults,
            self.outside,
        )
    }
}

/// The worlds of one run.
pub(crate) fn worlds(deep: bool) -> Vec<Setting> {
    let more = u8::from(deep);
    let cut = |shallow: Cut| if deep { Cut::Steps(10_000_000) } else { shallow };
    vec![
        Setting::new("an unused key and faults", Rule::Unused, 4 + more, 0),
        Setting::new("an unused key, a fault and two deeds", Rule::Unused, 1 + more, 2),
        Setting::new("an old key and deeds", Rule::Age, 0, 2 + more),
        Setting::new("an old key, two faults and a deed", Rule::Age, 2 + more, 1),
        Setting::new("an inactive key that was kept", Rule::Kept, 1 + more, 1 + more),
        Setting::new("enforcement on two machines", Rule::Age, 0, 1).machines(2).cut(cut(Cut::Depth(26))),
    ]
}
