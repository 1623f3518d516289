//! CloudTrail's logs of an organisation that does not exist, from a seed: who uses which key is known.
//!
//! Each key has a [`Case`]: a person at home and in the office, a fleet, two people who share a key, a key that was put on a machine.
//! The same calls can be had as files, laid out and written as CloudTrail does ([`Trail::write`]), and as what akia keeps of them
//! ([`Trail::facts`]). Calls are made day by day, so that the logs may be larger than memory.

mod actor;
mod atlas;
mod case;
mod event;
mod fact;
mod file;
mod machine;
mod operation;
mod world;

use std::net::IpAddr;

pub use actor::Actor;
pub use atlas::WorldAtlas;
pub use case::{CASES, Case, Truth};
pub use file::Written;
pub use world::{City, STRETCHES, Stretch, ip_ranges, stretch_of};

use crate::Dice;
use actor::{AWS_SERVICES, Other, cast, roles};
use case::Day;
use operation::Repertoire;

/// How large logs are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Events in all.
    pub events: u64,
    /// Files.
    pub files: u64,
    /// Keys of users.
    pub keys: usize,
    /// Days.
    pub days: u64,
    /// What is left to chance.
    pub seed: u64,
}

/// The first second of the logs: a Thursday, 2026-10-01.
const BEGIN: i64 = 1_790_812_800;
/// Regions; global services are the first one's.
const REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "eu-west-1"];
/// How many of all calls are those of users: the rest are roles and services, as in most organisations.
const OF_USERS: f64 = 0.4;
const DAY: i64 = 86_400;

/// The logs: who calls, and how often.
pub struct Trail {
    scale: Scale,
    accounts: Vec<u64>,
    actors: Vec<Actor>,
    /// By account.
    roles: Vec<Vec<Other>>,
    volume: f64,
}

/// One call, before it is written.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// Seconds since 1970.
    at: i64,
    /// Actors first; then roles and services of each account.
    who: u32,
    machine: u16,
    program: u16,
    repertoire: Repertoire,
    operation: u8,
    is_refused: bool,
    address: IpAddr,
    seed: u64,
}

impl Trail {
    /// Makes up who there is.
    #[must_use]
    pub fn new(scale: Scale) -> Self {
        let mut dice = Dice::new(scale.seed, "accounts");
        let accounts: Vec<u64> =
            (0..1 + scale.keys / 150).map(|_| 100_000_000_000 + dice.below(800_000_000_000) as u64).collect();
        let roles = accounts.iter().map(|_| roles(&mut dice)).collect();
        let actors = cast(&scale, &accounts, REGIONS.len());
        let mut trail = Self { scale, accounts, actors, roles, volume: 1.0 };
        let natural: f64 = trail
            .days()
            .map(|day| trail.actors.iter().flat_map(|actor| actor.sittings(&day)).map(|one| one.calls).sum::<f64>())
            .sum();
        trail.volume = scale.events as f64 * OF_USERS / natural.max(1.0);
        trail
    }

    /// The keys, with who stands behind each.
    #[must_use]
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    fn days(&self) -> impl Iterator<Item = Day> + use<> {
        let of = self.scale.days;
        // Days since 1970, which began on a Thursday.
        let weekday = |number: u64| ((BEGIN / DAY) as u64 + number + 3) % 7;
        (0..of).map(move |number| Day { number, of, start: BEGIN + number as i64 * DAY, weekday: weekday(number) })
    }

    /// The calls of users on a day, in the order of time. Those that reach beyond the logs are left out.
    fn calls_of(&self, day: &Day) -> Vec<Call> {
        let mut calls = Vec::new();
        for (number, actor) in self.actors.iter().enumerate() {
            actor.calls(number as u32, day, self.volume, &mut calls);
        }
        let end = BEGIN + self.scale.days as i64 * DAY;
        calls.retain(|call| (BEGIN..end).contains(&call.at));
        calls.sort_unstable_by_key(|call| (call.at, call.who, call.seed));
        calls
    }

    /// A call of a role or a service of an account.
    fn other(&self, account: usize, from: i64, until: i64, dice: &mut Dice) -> Call {
        let roles = self.roles[account].len();
        let nth = if dice.below(4) > 0 { dice.below(roles) } else { roles + dice.below(AWS_SERVICES.len()) };
        let (repertoire, network) = match self.roles[account].get(nth) {
            Some(role) => (Repertoire::Program, role.network),
            None => (Repertoire::Service, self.roles[account][0].network),
        };
        Call {
            at: from + dice.below((until - from).max(1) as usize) as i64,
            who: (self.actors.len() + account + nth * self.accounts.len()) as u32,
            machine: 0,
            program: 0,
            repertoire,
            operation: dice.below(repertoire.operations().len()) as u8,
            is_refused: dice.below(200) == 0,
            address: network.address(0, 0, dice.number()),
            seed: dice.number(),
        }
    }
}
