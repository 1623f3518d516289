//! The model that stateright explores: from each state, everything that may happen next.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::journal::{Attribution, Event};
use akia_core::rotation::{Decision, Effect, Rest, Rotation};
use stateright::{Model, Path, Property};

use crate::explore::Explored;
use crate::perform::{Outcome, crash, outcomes, perform};
use crate::promise::{Promise, holds, unreported_orphan};
use crate::sabotage::Sabotage;
use crate::settings::{Cut, GRACE, LOOK, QUARANTINE, Setting, WATCH};
use crate::state::{FOREIGN, Held, Run, State};
use crate::story;
use crate::world::{Cause, KeyNumber, Maker, NOW, Status, Tick, until};

/// Steps within which a state must come to rest once faults stop.
const DRAIN_LIMIT: u16 = 120;

/// Something that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// A later rotation is planned on a machine that is free.
    Plan { client: usize },
    /// The driver writes the intent of the next effect down.
    Intend { client: usize },
    /// The driver performs the next effect.
    Perform { client: usize, effect: Effect, outcome: Outcome },
    /// The driver waits.
    Wait { client: usize, seconds: Tick },
    /// The process stops or dies between two records.
    Stop { client: usize },
    /// The machine sleeps with the process in the middle of something.
    Stall,
    /// A person starts akia again.
    Ask { client: usize, request: Ask },
    /// A late request takes effect.
    Commit { late: usize },
    /// Time passes with no process running.
    Later { seconds: Tick },
    /// Somebody outside does something.
    Outside { deed: Deed },
}

/// What a person asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    Resume,
    Undo,
    Retire,
    Waive,
    DeleteOrphan(KeyNumber),
    KeepOrphan,
}

/// What somebody outside does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Activate(KeyNumber),
    Deactivate(KeyNumber),
    Delete(KeyNumber),
    Use(KeyNumber),
    Create,
    RecreateUser,
    /// A program that had read a file before a delivery writes it after.
    Overwrite {
        machine: usize,
        place: usize,
    },
    PutForeign {
        machine: usize,
        place: usize,
    },
}

/// A world and what may be remembered of it across states.
pub(crate) struct Rotations {
    pub(crate) setting: Setting,
    /// Whether recovery is checked by replaying the whole journal at every start of a process.
    pub(crate) replay: bool,
    drained: Arc<Vec<Mutex<HashMap<u64, u16>>>>,
}

/// What a process does next.
enum Head {
    Rest,
    Wait(Tick),
    Effect(Effect),
}

impl Rotations {
    pub(crate) fn new(setting: Setting) -> Self {
        let drained = (0..64).map(|_| Mutex::new(HashMap::new())).collect();
        Self { setting, replay: true, drained: Arc::new(drained) }
    }

    fn head(state: &State, client: usize) -> Head {
        let client = &state.clients[client];
        let (Run::Running { round, .. }, Some(rotation)) = (&client.run, &client.rotation) else { return Head::Rest };
        let first = match round.first() {
            Some(effect) => Some(effect.clone()),
            None => rotation.next(*NOW).into_iter().next(),
        };
        match first {
            None => Head::Rest,
            Some(Effect::Wait { until: then }) => Head::Wait(until(then)),
            Some(effect) => Head::Effect(effect),
        }
    }

    /// Takes the effects that the core asks for into the round, unless it goes on with the last ones.
    fn load(state: &mut State, client: usize) {
        let client = &mut state.clients[client];
        if let (Run::Running { round, .. }, Some(rotation)) = (&mut client.run, &client.rotation)
            && round.is_empty()
        {
            *round = rotation.next(*NOW);
        }
    }

    /// A process with nothing left to do ends.
    fn settle(state: &mut State, client: usize) {
        let client = &mut state.clients[client];
        if let (Run::Running { round, .. }, Some(rotation)) = (&client.run, &client.rotation)
            && round.is_empty()
            && rotation.next(*NOW).is_empty()
        {
            client.run = Run::Stopped;
        }
    }

    fn intend(&self, state: &mut State, client: usize) {
        Self::load(state, client);
        let Run::Running { round, .. } = &state.clients[client].run else { return };
        let Some(intent) = round.first().and_then(Effect::intent) else { return };
        if self.setting.sabotage == Some(Sabotage::NonDurableIntent) {
            state.clients[client].durable = state.clients[client].rotation.clone().map(Box::new);
        }
        state.record(client, Event::Intended { intent });
        if let Run::Running { intended, .. } = &mut state.clients[client].run {
            *intended = true;
        }
    }

    fn act(&self, state: &mut State, client: usize, effect: &Effect, outcome: Outcome) {
        Self::load(state, client);
        perform(state, &self.setting, client, effect, outcome);
        if let Run::Running { round, intended } = &mut state.clients[client].run {
            round.remove(0);
            *intended = false;
            state.clients[client].durable = None;
        }
        Self::settle(state, client);
    }

    fn can_wait(state: &State, seconds: Tick) -> bool {
        state.aws.late.iter().all(|late| late.by >= seconds)
    }

    fn asks(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let client = &state.clients[index];
        let Some(rotation) = &client.rotation else { return };
        if client.run != Run::Stopped || state.is_locked_for(index) || rotation.is_over() {
            return;
        }
        let mut ask = |request| actions.push(Action::Ask { client: index, request });
        let is_due = rotation.is_out_of_grace(*NOW);
        match rotation.rest(*NOW) {
            Rest::Busy if is_due => ask(Ask::Retire),
            Rest::Busy | Rest::Interrupted { .. } => ask(Ask::Resume),
            Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean => ask(Ask::Resume),
            Rest::InGrace { .. } | Rest::Undone { .. } => ask(Ask::Retire),
            Rest::Kept | Rest::Watching { .. } => {}
            Rest::Undecided { decision } => {
                if !rotation.next(*NOW).is_empty() {
                    ask(Ask::Resume);
                }
                match decision {
                    Decision::Orphans { keys } => {
                        for key in &keys {
                            ask(Ask::DeleteOrphan(KeyNumber::of(key)));
                        }
                        ask(Ask::KeepOrphan);
                    }
                    Decision::StillUsed { .. } | Decision::Reactivated => ask(Ask::Waive),
                }
            }
        }
        let request = akia_core::journal::Record { at: *NOW, event: Event::UndoRequested };
        if rotation.clone().apply(&request).is_ok() {
            ask(Ask::Undo);
        }
    }

    fn asked(&self, state: &mut State, index: usize, request: Ask) {
        self.recover(state, index);
        let waive = |state: &State| {
            state.clients[index].rotation.as_ref().is_some_and(|rotation| !rotation.is_out_of_grace(*NOW))
        };
        state.clients[index].run = Run::started();
        match request {
            Ask::Undo => {
                state.record(index, Event::UndoRequested);
            }
            Ask::Resume => state.record(index, Event::Resumed),
            Ask::Retire => {
                state.record(index, Event::Resumed);
                if waive(state) {
                    state.clients[index].truth.grace_waived = true;
                    state.record(index, Event::GraceWaived);
                }
            }
            Ask::Waive => {
                state.record(index, Event::Resumed);
                state.record(index, Event::EvidenceWaived);
            }
            Ask::DeleteOrphan(key) => {
                Self::tell(state, index);
                state.clients[index].truth.named.push(key);
                state.record(index, Event::Resumed);
                state.record(index, Event::OrphanAttributed { key: key.id(), evidence: Attribution::Person });
            }
            Ask::KeepOrphan => {
                Self::tell(state, index);
                state.clients[index].truth.open_creates = 0;
                state.record(index, Event::Resumed);
                state.record(index, Event::OrphanDisowned);
            }
        }
        Self::settle(state, index);
    }

    /// A person who decides has seen all suspects.
    fn tell(state: &mut State, index: usize) {
        let client = &mut state.clients[index];
        if let Some(Rest::Undecided { decision: Decision::Orphans { keys } }) =
            client.rotation.as_ref().map(|rotation| rotation.rest(*NOW))
        {
            client.truth.told.extend(keys.iter().map(KeyNumber::of));
            client.truth.told.sort();
            client.truth.told.dedup();
        }
    }

    /// A new process reads the journal: what it finds must be what the old one knew.
    fn recover(&self, state: &mut State, index: usize) {
        if self.replay && state.clients[index].journal.replay() != state.clients[index].rotation {
            state.broke(Promise::Writable, "the journal, replayed, says something else than the process knew");
        }
    }

    fn deeds(state: &State, actions: &mut Vec<Action>) {
        let mut deed = |deed| actions.push(Action::Outside { deed });
        for number in state.aws.numbers() {
            match state.aws.key(number).map(|key| key.status) {
                Some(Status::Active) => {
                    deed(Deed::Deactivate(number));
                    if state.aws.key(number).is_some_and(|key| key.used != Some(0)) {
                        deed(Deed::Use(number));
                    }
                }
                Some(Status::Inactive) => deed(Deed::Activate(number)),
                Some(Status::Deleted) | None => {}
            }
            deed(Deed::Delete(number));
        }
        if state.aws.has_room(true) {
            deed(Deed::Create);
        }
        if state.aws.user == 0 {
            deed(Deed::RecreateUser);
        }
        for (machine, kept) in state.machines.iter().enumerate() {
            for (place, held) in kept.places.iter().enumerate() {
                if held.key != KeyNumber(0) {
                    deed(Deed::Overwrite { machine, place });
                }
                if held.key != FOREIGN {
                    deed(Deed::PutForeign { machine, place });
                }
            }
        }
    }

    fn outside(state: &mut State, deed: Deed) {
        state.outside -= 1;
        match deed {
            Deed::Activate(key) => state.aws.set(key, Status::Active, Cause::Outsider),
            Deed::Deactivate(key) => state.aws.set(key, Status::Inactive, Cause::Outsider),
            Deed::Delete(key) => state.aws.set(key, Status::Deleted, Cause::Outsider),
            Deed::Use(key) => {
                if let Some(key) = state.aws.key_mut(key) {
                    key.used = Some(0);
                }
            }
            Deed::Create => {
                state.aws.make(Maker::Outsider, false);
            }
            Deed::RecreateUser => state.aws.recreate_user(),
            Deed::Overwrite { machine, place } => {
                state.machines[machine].places[place] = Held { key: KeyNumber(0), outsider: true };
            }
            Deed::PutForeign { machine, place } => {
                state.machines[machine].places[place] = Held { key: FOREIGN, outsider: true };
            }
        }
    }

    /// The key that a later rotation of a machine would displace, if its preflight would let it begin.
    fn plannable(state: &State, index: usize) -> Option<KeyNumber> {
        let client = &state.clients[index];
        if client.rotation.is_some() || state.is_locked_for(index) {
            return None;
        }
        let is_rested = |rotation: &Rotation| {
            rotation.is_over()
                || match rotation.rest(*NOW) {
                    Rest::Busy => rotation.is_out_of_grace(*NOW),
                    Rest::Undecided { .. } | Rest::Interrupted { .. } | Rest::Watching { .. } => false,
                    Rest::Retired
                    | Rest::Kept
                    | Rest::InGrace { .. }
                    | Rest::Undone { .. }
                    | Rest::UndoneAndClean
                    | Rest::Aborted { .. } => true,
                }
        };
        let same = |other: &&crate::state::Client| other.machine == client.machine;
        if !state.clients.iter().filter(same).filter_map(|other| other.rotation.as_ref()).all(is_rested) {
            return None;
        }
        let places = &state.machines[client.machine].places;
        let key = places.first()?.key;
        let is_alone = state.aws.numbers().all(|number| number == key);
        (places.iter().all(|held| held.key == key) && state.aws.is_active(key) && is_alone).then_some(key)
    }

    /// Lets the state come to rest without faults, and checks what must be true then.
    fn drain(&self, state: &State) -> Result<(), Promise> {
        let mut walk: Vec<u64> = Vec::new();
        let mut state = state.clone();
        (state.faults, state.outside) = (0, 0);
        let mut rest = 0;
        loop {
            let print = BuildHasherDefault::<DefaultHasher>::default().hash_one(&state);
            if let Some(known) = self.shard(print).get(&print) {
                rest = *known;
                break;
            }
            walk.push(print);
            if walk.len() > usize::from(DRAIN_LIMIT) {
                return Err(Promise::ComesToRest);
            }
            if !self.drain_step(&mut state) {
                break;
            }
            if let Some((promise, _)) = state.breach {
                return Err(promise);
            }
        }
        if rest == 0 {
            Self::check_rest(&state)?;
        }
        for print in walk.into_iter().rev() {
            rest += 1;
            if rest > DRAIN_LIMIT {
                return Err(Promise::ComesToRest);
            }
            self.shard(print).insert(print, rest);
        }
        Ok(())
    }

    /// The states of a drain, for the story of one that does not end well.
    pub(crate) fn drained(&self, state: &State) -> Vec<State> {
        let mut state = state.clone();
        (state.faults, state.outside) = (0, 0);
        let mut states = Vec::new();
        while states.len() < usize::from(DRAIN_LIMIT) && state.breach.is_none() && self.drain_step(&mut state) {
            states.push(state.clone());
        }
        states
    }

    fn shard(&self, print: u64) -> std::sync::MutexGuard<'_, HashMap<u64, u16>> {
        let shard = usize::try_from(print % 64).unwrap_or(0);
        self.drained[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step of a world without faults; false when nothing is left to do.
    fn drain_step(&self, state: &mut State) -> bool {
        if let Some(late) = state.aws.late.pop() {
            state.aws.commit(late);
            return true;
        }
        for index in 0..state.clients.len() {
            match Self::head(state, index) {
                Head::Rest => {}
                Head::Wait(seconds) => {
                    state.tick(seconds);
                    return true;
                }
                Head::Effect(effect) => {
                    let intended = matches!(state.clients[index].run, Run::Running { intended: true, .. });
                    if effect.intent().is_some() && !intended {
                        self.intend(state, index);
                    }
                    let outcome = outcomes(state, index, &effect).into_iter().next().unwrap_or(Outcome::Fine);
                    self.act(state, index, &effect, outcome);
                    return true;
                }
            }
        }
        for index in 0..state.clients.len() {
            let client = &state.clients[index];
            let Some(rotation) = &client.rotation else { continue };
            let is_unfinished = match rotation.rest(*NOW) {
                Rest::Busy => !rotation.is_out_of_grace(*NOW),
                Rest::Interrupted { .. } => self.setting.shut.is_none() && !Self::is_hindered(state, index),
                Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean => !rotation.is_over(),
                Rest::Kept
                | Rest::Watching { .. }
                | Rest::InGrace { .. }
                | Rest::Undone { .. }
                | Rest::Undecided { .. } => false,
            };
            if client.run == Run::Stopped && is_unfinished {
                self.asked(state, index, Ask::Resume);
                return true;
            }
        }
        false
    }

    /// Whether somebody outside stands in the way of a rotation, so that it can only report that.
    fn is_hindered(state: &State, index: usize) -> bool {
        let client = &state.clients[index];
        client.truth.user != state.aws.user
            || state.machines[client.machine].places.iter().any(|held| held.outsider)
            || state.aws.keys.iter().any(|key| key.touched && key.maker != Maker::Outsider)
            || state.aws.keys.iter().any(|key| match key.cause {
                Cause::Retired { client: other } => state.clients[usize::from(other)].machine != client.machine,
                Cause::Made | Cause::Changed { .. } | Cause::Outsider => false,
            })
    }

    fn check_rest(state: &State) -> Result<(), Promise> {
        let broken = Promise::ALL.iter().find(|promise| !holds(state, **promise));
        if let Some(promise) = broken {
            return Err(*promise);
        }
        if unreported_orphan(state).is_some() {
            return Err(Promise::NoOrphanUnreported);
        }
        Ok(())
    }

    fn drains_to(&self, state: &State, promise: Promise) -> bool {
        state.breach.is_some() || self.drain(state) != Err(promise)
    }
}

impl Explored for Rotations {
    fn name(&self) -> &'static str {
        self.setting.name
    }

    fn cut(&self) -> Cut {
        self.setting.cut
    }

    fn story(&self, property: &str, path: Path<State, Action>) -> String {
        story::tell(self, property, path)
    }
}

impl Model for Rotations {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.setting.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.breach.is_some() {
            return;
        }
        for index in 0..state.clients.len() {
            let running = state.clients[index].run != Run::Stopped;
            match Self::head(state, index) {
                Head::Rest => {}
                Head::Wait(seconds) => {
                    if Self::can_wait(state, seconds) {
                        actions.push(Action::Wait { client: index, seconds });
                    }
                }
                Head::Effect(effect) => {
                    let intended = matches!(state.clients[index].run, Run::Running { intended: true, .. });
                    if effect.intent().is_some() && !intended {
                        actions.push(Action::Intend { client: index });
                    } else {
                        for outcome in outcomes(state, index, &effect) {
                            actions.push(Action::Perform { client: index, effect: effect.clone(), outcome });
                        }
                        if intended && state.faults > 0 && Self::can_wait(state, QUARANTINE) {
                            actions.push(Action::Stall);
                        }
                    }
                }
            }
            if running && state.faults > 0 {
                actions.push(Action::Stop { client: index });
            }
            self.asks(state, index, actions);
            if Self::plannable(state, index).is_some() {
                actions.push(Action::Plan { client: index });
            }
        }
        for late in 0..state.aws.late.len() {
            actions.push(Action::Commit { late });
        }
        if !state.is_anybody_running() {
            let rests = |wanted: fn(&Rest) -> bool| {
                state
                    .clients
                    .iter()
                    .filter_map(|client| client.rotation.as_ref())
                    .any(|rotation| wanted(&rotation.rest(*NOW)) && rotation.next(*NOW).is_empty())
            };
            if rests(|rest| matches!(rest, Rest::InGrace { .. } | Rest::Undone { .. })) && Self::can_wait(state, GRACE)
            {
                actions.push(Action::Later { seconds: GRACE });
            }
            if rests(|rest| matches!(rest, Rest::Watching { .. })) && Self::can_wait(state, WATCH) {
                actions.push(Action::Later { seconds: WATCH });
            }
            if rests(|rest| matches!(rest, Rest::Undecided { .. })) && Self::can_wait(state, LOOK) {
                actions.push(Action::Later { seconds: LOOK });
            }
        }
        if state.outside > 0 {
            Self::deeds(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Plan { client } => {
                let displaced = Self::plannable(&state, client)?;
                self.setting.plan(&mut state, client, displaced);
            }
            Action::Intend { client } => self.intend(&mut state, client),
            Action::Perform { client, effect, outcome } => self.act(&mut state, client, &effect, outcome),
            Action::Wait { seconds, .. } | Action::Later { seconds } => state.tick(seconds),
            Action::Stop { client } => {
                state.faults -= 1;
                crash(&mut state, client);
            }
            Action::Stall => {
                state.faults -= 1;
                state.tick(QUARANTINE);
            }
            Action::Ask { client, request } => self.asked(&mut state, client, request),
            Action::Commit { late } => {
                let late = state.aws.late.remove(late);
                state.aws.commit(late);
            }
            Action::Outside { deed } => Self::outside(&mut state, deed),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($promise:ident)*) => {
                vec![$(Property::always(Promise::$promise.name(), |model: &Self, state: &State| {
                    holds(state, Promise::$promise) && model.drains_to(state, Promise::$promise)
                })),*]
            };
        }
        let mut properties = always![
            ActiveKeyHeld PlacesWork RetiredOnlyWhenReplaced DeletedOnlyWhatMay OneCreateAtATime SameIdentity NoRivals
            NoOrphanUnreported ComesToRest SecretsKept OldKeyUnused Writable
        ];
        properties.push(Property::sometimes("a rotation is retired", |_, state: &State| {
            let is_retired = |rotation: &Rotation| rotation.rest(*NOW) == Rest::Retired;
            state.clients.iter().filter_map(|client| client.rotation.as_ref()).any(is_retired)
        }));
        properties.push(Property::sometimes("a rotation is undone", |_, state: &State| {
            let is_undone = |rotation: &Rotation| matches!(rotation.rest(*NOW), Rest::Undone { .. });
            state.clients.iter().filter_map(|client| client.rotation.as_ref()).any(is_undone)
        }));
        properties
    }
}
