//! One state of the whole: IAM, machines with their places, and the clients that rotate.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use akia_core::LastUsed;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Effect, Rotation};
use jiff::SignedDuration;

use crate::promise::Promise;
use crate::world::{Aws, HORIZON, KeyNumber, NOW, Tick, moment};

/// A key in no list of this user: a person has put it into a place.
pub(crate) const FOREIGN: KeyNumber = KeyNumber(30);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) aws: Aws,
    pub(crate) machines: Vec<Machine>,
    pub(crate) clients: Vec<Client>,
    /// Faults that may still strike.
    pub(crate) faults: u8,
    /// Deeds that people outside may still do.
    pub(crate) outside: u8,
    /// The first promise that was broken by an act, and how.
    pub(crate) breach: Option<(Promise, &'static str)>,
}

/// A machine: the places that one set of rotations looks after.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Machine {
    pub(crate) places: Vec<Held>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Held {
    pub(crate) key: KeyNumber,
    /// Whether somebody outside wrote it.
    pub(crate) outsider: bool,
}

/// One rotation on one machine, with its journal and staged secrets, and the process that drives it, if any.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Client {
    pub(crate) machine: usize,
    pub(crate) rotation: Option<Rotation>,
    pub(crate) run: Run,
    pub(crate) displaced_staged: bool,
    pub(crate) new_staged: Staged,
    pub(crate) journal: Journal,
    pub(crate) truth: Truth,
    /// For one sabotage: what a journal knows that writes intents down when it has the time.
    pub(crate) durable: Option<Box<Rotation>>,
}

/// What is true of a rotation whether its journal knows or not.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Truth {
    /// The user that it was planned for.
    pub(crate) user: u8,
    /// Create requests that were sent and that nobody has found the outcome of.
    pub(crate) open_creates: u8,
    /// Whether the displaced key may not sign any more.
    pub(crate) promoted: bool,
    /// Whether the deletion may come before the end of the grace.
    pub(crate) grace_waived: bool,
    /// Keys that a person named to be deleted.
    pub(crate) named: Vec<KeyNumber>,
    /// Keys that a person was told of, and left alone.
    pub(crate) told: Vec<KeyNumber>,
}

/// The staged secret of the new key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Staged {
    None,
    Whole,
    /// It was written, and cannot be read back.
    Rotten,
    /// For one sabotage: it is in memory only.
    Memory,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Run {
    /// No process works on the rotation.
    Stopped,
    /// A process does. `round` is what is left of the effects that it asked for, `intended` whether the intent of the
    /// first of them is written down.
    Running { round: Vec<Effect>, intended: bool },
}

impl Run {
    pub(crate) fn started() -> Self {
        Self::Running { round: Vec::new(), intended: false }
    }
}

/// Every record since the plan, for recovery. Not part of a state's identity: two journals that lead to the same
/// rotation are the same to everything that follows.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    last: Option<Arc<Line>>,
    elapsed: i64,
}

struct Line {
    record: Record,
    before: Option<Arc<Line>>,
}

impl PartialEq for Journal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Journal {}

impl Hash for Journal {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} records", self.events().len())
    }
}

impl Journal {
    pub(crate) fn append(&mut self, mut event: Event) {
        let elapsed = SignedDuration::from_secs(self.elapsed);
        if let Event::Observed { last_used: LastUsed::At { at, .. } } = &mut event {
            *at += elapsed;
        }
        let record = Record { at: *NOW + elapsed, event };
        self.last = Some(Arc::new(Line { record, before: self.last.take() }));
    }

    /// Loses the last record.
    pub(crate) fn lose(&mut self) {
        self.last = self.last.take().and_then(|line| line.before.clone());
    }

    /// All events, oldest first.
    pub(crate) fn events(&self) -> Vec<&Record> {
        let mut records = Vec::new();
        let mut line = self.last.as_ref();
        while let Some(found) = line {
            records.push(&found.record);
            line = found.before.as_ref();
        }
        records.reverse();
        records
    }

    /// Recovery, as a new process does it: the rotation out of its records.
    pub(crate) fn replay(&self) -> Option<Rotation> {
        let rotation = Rotation::replay(self.events()).ok()?;
        Some(rotation.moved_back(SignedDuration::from_secs(self.elapsed), moment(-HORIZON)))
    }
}

impl State {
    /// Time passes for everything.
    pub(crate) fn tick(&mut self, by: Tick) {
        let back = SignedDuration::from_secs(i64::from(by));
        self.aws.tick(by);
        for client in &mut self.clients {
            client.journal.elapsed += i64::from(by);
            client.rotation = client.rotation.take().map(|rotation| rotation.moved_back(back, moment(-HORIZON)));
            client.durable =
                client.durable.take().map(|rotation| Box::new((*rotation).moved_back(back, moment(-HORIZON))));
        }
    }

    pub(crate) fn broke(&mut self, promise: Promise, how: &'static str) {
        self.breach.get_or_insert((promise, how));
    }

    /// Appends a record and applies it, as the driver does: an outcome that does not fit is not written.
    pub(crate) fn record(&mut self, client: usize, event: Event) {
        let record = Record { at: *NOW, event };
        let client = &mut self.clients[client];
        let Some(rotation) = &mut client.rotation else { return };
        match rotation.apply(&record) {
            Ok(()) => client.journal.append(record.event),
            Err(_) => self.broke(Promise::Writable, "an effect was performed whose outcome does not fit the journal"),
        }
    }

    /// Whether another process on the same machine holds the lock on the user.
    pub(crate) fn is_locked_for(&self, client: usize) -> bool {
        let machine = self.clients[client].machine;
        self.clients
            .iter()
            .enumerate()
            .any(|(index, other)| index != client && other.machine == machine && other.run != Run::Stopped)
    }

    pub(crate) fn is_anybody_running(&self) -> bool {
        self.clients.iter().any(|client| client.run != Run::Stopped)
    }
}
