//! The model that stateright explores: from each state, everything that may happen next.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, PoisonError};

use akia_core::enforce::{Act, Case, CaseEvent, Evidence, Hindrance, Next, Opening, Stage, StepKind};
use akia_core::{CaseId, KeyStatus, LastUsed};
use stateright::{Model, Path, Property};

use super::constants::{SUBJECT, moment, seconds};
use super::perform::{self, Head, Outcome, head, look, outcomes, perform, sights};
use super::promise::{Promise, is_lost};
use super::settings::Setting;
use super::state::{Errand, Run, State};
use super::story;
use super::world::{Cause, Identity, Level, Moment, Sight, Standing, Status};
use crate::explore::Explored;
use crate::settings::Cut;

/// Runs within which a state must come to rest once faults stop.
const DRAIN_RUNS: usize = 40;
/// Steps of one of them.
const DRAIN_STEPS: usize = 60;
/// How long a machine sleeps: a look is no longer fresh then.
const NAP: Moment = 61;
/// After a change AWS may show what was before for less than this.
const SOON: Moment = 420;
/// A run that comes as late as this has missed every deadline.
const LONG: Moment = 2_700;

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// A plan opens the case.
    Open { client: usize },
    /// A plan is carried out, or a person wants the key back.
    Start { client: usize, errand: Errand, has_report: bool },
    /// The driver looks.
    Look { client: usize, sight: Sight },
    /// The driver waits.
    Wait { client: usize, seconds: Moment },
    /// The driver writes an intent down.
    Intend { client: usize, act: Act },
    /// The driver performs it.
    Perform { client: usize, act: Act, outcome: Outcome },
    /// The process dies between two records, or the store fails.
    Stop { client: usize },
    /// The machine sleeps in the middle of a run.
    Nap,
    /// A late request takes effect.
    Commit { late: usize },
    /// Time passes with no process running.
    Later { seconds: Moment },
    /// Somebody does something to the key, or changes the policy.
    Outside { deed: Deed },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    Set(Status),
    Use,
    Become(Identity),
    Ask(Level),
    Stand(Standing),
}

/// A world, and the states that are known to come to rest in it.
pub(crate) struct Cases {
    pub(crate) setting: Setting,
    drained: Arc<Vec<Mutex<HashSet<u64>>>>,
}

impl Cases {
    pub(crate) fn new(setting: Setting) -> Self {
        Self { setting, drained: Arc::new((0..64).map(|_| Mutex::default()).collect()) }
    }

    fn open(&self, state: &mut State, client: usize) {
        let level = state.aws.level;
        let status = if state.aws.key.status == Status::Active { KeyStatus::Active } else { KeyStatus::Inactive };
        let broken = vec![(self.setting.rule.id().to_owned(), "words".to_owned())];
        let as_of = moment(state.now);
        let evidence = Evidence { as_of, status, last_used: LastUsed::Never, reactivated_at: None, broken };
        let opening = Opening {
            case: CaseId::from_bits(client as u64 + 1),
            subject: SUBJECT.clone(),
            account_name: None,
            owner: None,
            evidence,
            waits: level.waits(),
            policy: format!("{level:?}"),
            by: "akia".to_owned(),
        };
        state.record(client, CaseEvent::Opened { opening: Box::new(opening) });
        Self::start(state, client, Errand::Step(StepKind::Announce), false);
    }

    fn start(state: &mut State, client: usize, errand: Errand, has_report: bool) {
        perform::recover(state, client);
        state.clients[client].run =
            Run::Running { errand, has_looked: false, intended: None, has_report, planned_under: state.aws.standing };
    }

    /// The step that a plan would ask for, were it due.
    fn kind(case: &Case) -> StepKind {
        match case.due().map(|(act, _)| act) {
            Some(Act::Announce) => StepKind::Announce,
            Some(Act::Remind) => StepKind::Remind,
            Some(Act::Deactivate) => StepKind::Deactivate,
            Some(Act::TellDeactivated) => StepKind::TellDeactivated,
            Some(Act::Delete) => StepKind::Delete,
            Some(Act::Reactivate) | None => StepKind::Check,
        }
    }

    fn starts(&self, state: &State, index: usize, actions: &mut Vec<Action>) {
        let client = &state.clients[index];
        let Some(case) = &client.case else {
            let is_found = state.aws.has() && state.aws.standing == Standing::Plain;
            if is_found && state.aws.key.identity == Identity::Same {
                actions.push(Action::Open { client: index });
            }
            return;
        };
        if client.run != Run::Stopped || case.is_closed() {
            return;
        }
        // A report tells of an activation; a plan may stand on one from before it.
        let reports: &[bool] = if state.aws.key.activated.is_some() { &[false, true] } else { &[false] };
        let now = moment(perform::clock(state, &self.setting, index));
        let is_due = case.open_act().is_some() || case.due().is_some_and(|(_, due)| due <= now);
        // A run that has nothing to do yet is a mere look, and where nobody does anything there is nothing to see.
        let kinds = [is_due.then(|| Self::kind(case)), (self.setting.outside > 0).then_some(StepKind::Check)];
        let kinds = kinds.into_iter().flatten();
        for kind in kinds {
            for has_report in reports {
                actions.push(Action::Start { client: index, errand: Errand::Step(kind), has_report: *has_report });
            }
        }
        if state.outside > 0 && case.inactive_since().is_some() {
            actions.push(Action::Start { client: index, errand: Errand::Back, has_report: false });
        }
    }

    fn can_pass(state: &State, seconds: Moment) -> bool {
        state.aws.late.iter().all(|late| late.by >= state.now + seconds)
    }

    fn deeds(state: &State, actions: &mut Vec<Action>) {
        let mut deed = |deed| actions.push(Action::Outside { deed });
        let key = state.aws.key;
        if state.aws.has() {
            match key.status {
                Status::Active => {
                    deed(Deed::Set(Status::Inactive));
                    if key.used != Some(state.now) {
                        deed(Deed::Use);
                    }
                }
                Status::Inactive => deed(Deed::Set(Status::Active)),
                Status::Deleted => {}
            }
            deed(Deed::Set(Status::Deleted));
        }
        if key.status != Status::Deleted && key.identity == Identity::Same {
            for identity in [Identity::OtherUser, Identity::OtherDate, Identity::Renamed] {
                deed(Deed::Become(identity));
            }
        }
        let levels = [Level::Strict, Level::Base, Level::Mild, Level::Never];
        for level in levels.into_iter().filter(|level| *level != state.aws.level) {
            deed(Deed::Ask(level));
        }
        let standings = [
            Standing::Plain,
            Standing::Exempt,
            Standing::Protected,
            Standing::Frozen,
            Standing::Stopped,
            Standing::Unruled,
        ];
        for standing in standings.into_iter().filter(|standing| *standing != state.aws.standing) {
            deed(Deed::Stand(standing));
        }
    }

    fn outside(state: &mut State, deed: Deed) {
        state.outside -= 1;
        let now = state.now;
        match deed {
            Deed::Set(status) => state.aws.set(status, Cause::Outsider, now),
            Deed::Use => state.aws.key.used = Some(now),
            Deed::Become(identity) => state.aws.key.identity = identity,
            Deed::Ask(level) => state.aws.level = level,
            Deed::Stand(standing) => state.aws.standing = standing,
        }
    }

    /// Lets a state come to rest without faults. An error where a case is lost.
    fn drain(&self, state: &State) -> Result<(), &'static str> {
        let mut state = state.clone();
        (state.faults, state.outside) = (0, 0);
        let mut prints = Vec::new();
        let mut rested = vec![false; state.clients.len()];
        for _ in 0..DRAIN_RUNS {
            if rested.iter().all(|rests| !rests) {
                let print = BuildHasherDefault::<DefaultHasher>::default().hash_one(&state);
                if self.shard(print).contains(&print) {
                    break;
                }
                prints.push(print);
            }
            if !self.drain_run(&mut state, &mut rested)? {
                if is_lost(&state) {
                    return Err("akia has shut the key, and its case ended as if it had not");
                }
                break;
            }
            if state.breach.is_some() {
                return Ok(());
            }
        }
        for print in prints {
            self.shard(print).insert(print);
        }
        Ok(())
    }

    /// One run of a world without faults. False when everything rests.
    fn drain_run(&self, state: &mut State, rested: &mut [bool]) -> Result<bool, &'static str> {
        while let Some(late) = state.aws.late.pop() {
            perform::commit(state, late.client, late.to);
        }
        for client in 0..state.clients.len() {
            let is_running = state.clients[client].run != Run::Stopped;
            let Some(case) = state.clients[client].case.clone() else { continue };
            if !is_running {
                if rested[client] || case.is_closed() {
                    continue;
                }
                if let Next::Wait { until } = case.next(moment(state.now)) {
                    state.now = state.now.max(seconds(until));
                } else if case.held() == Some(&Hindrance::TooSoon) {
                    state.now += SOON;
                }
                Self::start(state, client, Errand::Step(Self::kind(&case)), false);
            }
            let mut steps = 0;
            while self.step(state, client) {
                steps += 1;
                if steps > DRAIN_STEPS {
                    return Err("a run that does not end");
                }
            }
            if is_running {
                return Ok(true);
            }
            let Some(after) = state.clients[client].case.as_ref() else { continue };
            if after.stage() == case.stage() && after.open_act().is_none() && after.held() != Some(&Hindrance::TooSoon)
            {
                let has_no_more = after.due().is_none();
                let is_later = after.due().is_some_and(|(_, due)| due > moment(state.now));
                if !(has_no_more || is_later || after.held().is_some()) {
                    return Err("a case that is due, and neither goes on nor says why");
                }
                rested[client] = !is_later;
            } else {
                rested.fill(false);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// One step of a process as it goes when nothing is amiss. False where it has ended.
    fn step(&self, state: &mut State, client: usize) -> bool {
        match head(state, &self.setting, client) {
            Head::End => {
                state.clients[client].run = Run::Stopped;
                return false;
            }
            Head::Look => look(state, &self.setting, client, Sight::Fine),
            Head::Wait(wait) => state.now += wait,
            Head::Intend(act) => perform::intend(state, &self.setting, client, act),
            Head::Perform(act) => perform(state, &self.setting, client, act, Outcome::Fine),
        }
        state.breach.is_none()
    }

    fn shard(&self, print: u64) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        let shard = usize::try_from(print % 64).unwrap_or(0);
        self.drained[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a state fails to come to rest, where it does.
    pub(crate) fn loss(&self, state: &State) -> Option<&'static str> {
        if state.breach.is_some() { None } else { self.drain(state).err() }
    }
}

impl Explored for Cases {
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

impl Model for Cases {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.setting.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_over = |client: &super::state::Client| client.case.as_ref().is_some_and(Case::is_closed);
        if state.breach.is_some() || state.aws.late.is_empty() && state.clients.iter().all(is_over) {
            return;
        }
        for client in 0..state.clients.len() {
            match head(state, &self.setting, client) {
                Head::End => {}
                Head::Look => actions.extend(sights(state).into_iter().map(|sight| Action::Look { client, sight })),
                Head::Wait(seconds) => {
                    if Self::can_pass(state, seconds) {
                        actions.push(Action::Wait { client, seconds });
                    }
                }
                Head::Intend(act) => actions.push(Action::Intend { client, act }),
                Head::Perform(act) => {
                    actions.extend(outcomes(state, act).into_iter().map(|outcome| Action::Perform {
                        client,
                        act,
                        outcome,
                    }));
                }
            }
            // Any sooner it is as if the run had only looked, or had not begun.
            let is_intended = matches!(state.clients[client].run, Run::Running { intended: Some(_), .. });
            if state.faults > 0 && is_intended {
                actions.push(Action::Stop { client });
                if Self::can_pass(state, NAP) {
                    actions.push(Action::Nap);
                }
            }
            self.starts(state, client, actions);
        }
        actions.extend((0..state.aws.late.len()).map(|late| Action::Commit { late }));
        if !state.is_anybody_running() {
            let open =
                || state.clients.iter().filter_map(|client| client.case.as_ref()).filter(|case| !case.is_closed());
            let due = state.clients.iter().enumerate().filter_map(|(index, client)| {
                let now = perform::clock(state, &self.setting, index);
                match client.case.as_ref()?.next(moment(now)) {
                    Next::Wait { until } => Some(seconds(until) - now),
                    Next::Look | Next::Do(..) | Next::Rest => None,
                }
            });
            let mut waits: Vec<Moment> = due.min().into_iter().collect();
            // Right after a deactivation, AWS's clock and ours cannot be told apart; later on, they can.
            let is_new = |since: Moment| state.now - since < SOON;
            if open().any(|case| case.inactive_since().is_some_and(|since| is_new(seconds(since)))) {
                waits.push(SOON);
            }
            // Late, but not later than late.
            let is_late = |due: Moment| due <= state.now && state.now - due < LONG;
            if open().any(|case| case.due().is_some_and(|(_, due)| is_late(seconds(due)))) {
                waits.push(LONG);
            }
            waits.retain(|seconds| Self::can_pass(state, *seconds));
            actions.extend(waits.into_iter().map(|seconds| Action::Later { seconds }));
        }
        // Nothing reads the world before an intent, nor before a first look.
        let is_read_next = |client| match (head(state, &self.setting, client), state.clients[client].run) {
            (Head::Intend(_), _) => false,
            (_, Run::Running { has_looked, .. }) => has_looked,
            (_, Run::Stopped) => true,
        };
        if state.outside > 0 && (0..state.clients.len()).all(is_read_next) {
            Self::deeds(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Open { client } => self.open(&mut state, client),
            Action::Start { client, errand, has_report } => {
                if errand == Errand::Back {
                    state.outside -= 1;
                }
                Self::start(&mut state, client, errand, has_report);
                perform::settle(&mut state, &self.setting, client);
            }
            Action::Look { client, sight } => {
                if !matches!(sight, Sight::Fine | Sight::Stale) {
                    state.faults -= 1;
                }
                look(&mut state, &self.setting, client, sight);
            }
            Action::Wait { seconds, .. } => state.now += seconds,
            Action::Intend { client, act } => perform::intend(&mut state, &self.setting, client, act),
            Action::Perform { client, act, outcome } => perform(&mut state, &self.setting, client, act, outcome),
            Action::Stop { client } => {
                state.faults -= 1;
                perform::crash(&mut state, &self.setting, client);
            }
            Action::Nap => {
                state.faults -= 1;
                state.now += NAP;
                for client in 0..state.clients.len() {
                    perform::settle(&mut state, &self.setting, client);
                }
            }
            Action::Commit { late } => {
                let late = state.aws.late.remove(late);
                perform::commit(&mut state, late.client, late.to);
            }
            Action::Later { seconds } => state.now += seconds,
            Action::Outside { deed } => Self::outside(&mut state, deed),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($promise:ident)*) => {
                vec![$(Property::always(Promise::$promise.name(), |_: &Self, state: &State| {
                    state.breach.is_none_or(|(broken, _)| broken != Promise::$promise)
                })),*]
            };
        }
        let mut properties = always![
            ToldFirst SoakWhole TwoLooks RightKey FreshLook Spared NoStageSkipped TrueEnd WantedBack Replays Writable
        ];
        properties.push(Property::always(Promise::NoneLost.name(), |model: &Self, state: &State| {
            model.loss(state).is_none()
        }));
        properties.push(Property::sometimes("a key is deleted", |_, state: &State| {
            state.aws.key.status == Status::Deleted && state.aws.key.cause == Cause::Client(0)
        }));
        properties.push(Property::sometimes("a soak is waited for", |_, state: &State| {
            let is_soaking = |case: &Case| matches!(case.stage(), Stage::Deactivated { is_told: true, .. });
            state.clients.iter().filter_map(|client| client.case.as_ref()).any(is_soaking)
        }));
        properties
    }
}
