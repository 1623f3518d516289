//! One state of the whole: the key, and the machines that have a case of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use akia_core::enforce::{Act, Case, CaseEvent, CaseRecord, StepKind};
use jiff::SignedDuration;

use super::constants::moment;
use super::promise::Promise;
use super::settings::HORIZON;
use super::world::{Aws, Key, Late, Moment, STALE, Seen, Standing};

/// The longest that a look covers anything: that of a notice.
const LOOKS_LAST: Moment = 600;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) now: Moment,
    pub(crate) aws: Aws,
    pub(crate) clients: Vec<Client>,
    /// Faults that may still strike.
    pub(crate) faults: u8,
    /// Deeds that people may still do.
    pub(crate) outside: u8,
    /// The first promise that was broken by an act, and how.
    pub(crate) breach: Option<(Promise, &'static str)>,
}

/// One machine: its journal, the case that it tells, and the process that drives it, if any.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Client {
    pub(crate) case: Option<Case>,
    pub(crate) run: Run,
    pub(crate) journal: Journal,
    pub(crate) truth: Truth,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Run {
    #[default]
    Stopped,
    Running {
        errand: Errand,
        has_looked: bool,
        /// The act whose intent is written down, and that is not yet performed.
        intended: Option<Act>,
        /// Whether the plan stands on a credential report that tells when the key was activated again.
        has_report: bool,
        /// For one sabotage: what the policy said when the run began.
        planned_under: Standing,
    },
}

/// What a process was started for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Errand {
    Step(StepKind),
    /// A person wants the key back.
    Back,
}

/// What is true of a case whether its journal knows or not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Truth {
    /// What AWS and the policy have truly shown last.
    pub(crate) seen: Option<Seen>,
    /// When the owner was last told of the case, reminded, and told that the key is inactive.
    pub(crate) announced: Option<Moment>,
    pub(crate) reminded: Option<Moment>,
    pub(crate) told_off: Option<Moment>,
    /// The latest moments that were promised for the deactivation and the deletion.
    pub(crate) promised_off: Option<Moment>,
    pub(crate) promised_gone: Option<Moment>,
    /// Since when the key is inactive, as far as AWS has told.
    pub(crate) shut: Option<Moment>,
    /// When it was first seen that the soak is over.
    pub(crate) soaked: Option<Moment>,
    /// A look has shown that a deactivation was carried out.
    pub(crate) is_seen_off: bool,
    /// A look has shown that the key was on again, or used, while it should have been inactive.
    pub(crate) is_back: bool,
    /// A person has asked for the key.
    pub(crate) wanted_back: Option<Moment>,
    /// AWS has activated it for that person.
    pub(crate) is_reactivated: bool,
}

/// The records. Not part of a state's identity: two journals that lead to the same case are the same to all that follows.
#[derive(Clone, Default)]
pub(crate) struct Journal(Option<Arc<Line>>);

struct Line {
    record: CaseRecord,
    before: Option<Arc<Line>>,
}

impl PartialEq for Journal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Journal {}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} records", self.records().len())
    }
}

impl Journal {
    fn append(&mut self, record: CaseRecord) {
        self.0 = Some(Arc::new(Line { record, before: self.0.take() }));
    }

    /// Loses the last record.
    pub(crate) fn lose(&mut self) {
        self.0 = self.0.take().and_then(|line| line.before.clone());
    }

    /// All records, oldest first.
    pub(crate) fn records(&self) -> Vec<&CaseRecord> {
        let mut records = Vec::new();
        let mut line = self.0.as_ref();
        while let Some(found) = line {
            records.push(&found.record);
            line = found.before.as_ref();
        }
        records.reverse();
        records
    }
}

impl State {
    pub(crate) fn new(aws: Aws, clients: usize, faults: u8, outside: u8) -> Self {
        Self { now: 0, aws, clients: vec![Client::default(); clients], faults, outside, breach: None }
    }

    pub(crate) fn broke(&mut self, promise: Promise, how: &'static str) {
        self.breach.get_or_insert((promise, how));
    }

    /// Appends a record and applies it, as the driver does: what does not fit is not written.
    pub(crate) fn record(&mut self, client: usize, event: CaseEvent) {
        self.record_at(client, self.now, event);
    }

    pub(crate) fn record_at(&mut self, client: usize, at: Moment, event: CaseEvent) {
        let record = CaseRecord { at: moment(at), event };
        let of = &mut self.clients[client];
        let applied = match &mut of.case {
            Some(case) => case.apply(&record).is_ok(),
            None => {
                of.case = Case::begin(&record).ok();
                of.case.is_some()
            }
        };
        if applied {
            of.journal.append(record);
        } else {
            self.broke(Promise::Writable, "what was done cannot be written down");
        }
    }

    pub(crate) fn is_anybody_running(&self) -> bool {
        self.clients.iter().any(|client| client.run != Run::Stopped)
    }
}

/// Only differences of time matter, and none beyond the horizon: states that differ in nothing else are one.
impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let back = |at: Moment| (at - self.now).max(-HORIZON);
        let Self { now: _, aws, clients, faults, outside, breach } = self;
        let Key { status, was, changed, cause, identity, used, activated, activators } = aws.key;
        // What a key was before its last change shows for a moment only.
        let shows = Some((was, self.now - changed)).filter(|(_, ago)| *ago < STALE);
        (status, shows, cause, identity).hash(state);
        (used.map(back), activated.map(back), activators, aws.level, aws.standing).hash(state);
        for Late { to, client, by } in &aws.late {
            (to, client, back(*by)).hash(state);
        }
        for Client { case, run, journal: _, truth } in clients {
            let now = moment(self.now);
            let passed = SignedDuration::from_secs(self.now);
            let moved = case.clone().map(|case| case.forgetting(now).moved_back(passed, moment(-HORIZON)));
            (&moved, run).hash(state);
            if moved.is_some_and(|case| case.is_closed()) {
                continue;
            }
            // Every run looks first.
            let seen = truth.seen.filter(|seen| self.now - seen.at <= LOOKS_LAST).map(|seen| Seen {
                at: back(seen.at),
                used: seen.used.map(back),
                activated: seen.activated.map(back),
                ..seen
            });
            seen.hash(state);
            let Truth { announced, reminded, told_off, promised_off, promised_gone, shut, soaked, .. } = truth;
            if told_off.is_none() {
                // Once its owner knows that it is inactive, what came before is no matter any more.
                [announced, reminded, promised_off].map(|at| at.map(back)).hash(state);
            }
            [told_off, promised_gone, shut, soaked, &truth.wanted_back].map(|at| at.map(back)).hash(state);
            (truth.is_seen_off, truth.is_back, truth.is_reactivated).hash(state);
        }
        (clients.len(), faults, outside, breach).hash(state);
    }
}
