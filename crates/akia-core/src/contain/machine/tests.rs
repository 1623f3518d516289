use proptest::prelude::{Just, ProptestConfig, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Drawn;

use super::*;

const USER: &str = "AIDACKCEVSQ6C2EXAMPLE";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn opening(strategy: Strategy, key: &str) -> ContainmentOpening {
    ContainmentOpening {
        id: ContainmentId::from_bits(1),
        account: "111122223333".parse().unwrap(),
        user: "arn:aws:iam::111122223333:user/ann".parse().unwrap(),
        user_id: USER.parse().unwrap(),
        key: key.parse().unwrap(),
        strategy,
        quarantine: QuarantineId::from_bits(2),
        owns_quarantine: true,
        reason: "found in a public repository".to_owned(),
        by: "arn:aws:iam::111122223333:user/ben".to_owned(),
        leaked_at: None,
    }
}

fn opened_for(strategy: Strategy, key: &str) -> Vec<ContainmentRecord> {
    let event = ContainmentEvent::Opened { opening: Box::new(opening(strategy, key)) };
    vec![ContainmentRecord { at: at(0), event }]
}

fn opened(strategy: Strategy) -> Containment {
    Containment::replay(&opened_for(strategy, "AKIAIOSFODNN7EXAMPLE")).unwrap()
}

fn look(status: Option<KeyStatus>) -> ContainmentEvent {
    let look = KeyLook { user_id: Known::Told(Some(USER.parse().unwrap())), key: Known::Told(status) };
    ContainmentEvent::Looked { look }
}

fn after(mut one: Containment, events: impl IntoIterator<Item = ContainmentEvent>) -> Containment {
    for event in events {
        one.apply(&ContainmentRecord { at: at(1), event }).unwrap();
    }
    one
}

fn intended(act: Act) -> ContainmentEvent {
    ContainmentEvent::Intended { act, by: String::new() }
}

fn took(act: Act) -> [ContainmentEvent; 2] {
    [intended(act), ContainmentEvent::Done { act, request_id: None }]
}

fn undo() -> ContainmentEvent {
    ContainmentEvent::UndoAsked { reason: String::new(), by: String::new() }
}

const ACTIVE: Option<KeyStatus> = Some(KeyStatus::Active);
const INACTIVE: Option<KeyStatus> = Some(KeyStatus::Inactive);

#[test]
fn a_key_is_shut_first_then_sessions_then_it_is_looked_at() {
    let one = opened(Strategy::Deactivate);
    assert_eq!(one.next(at(1)), Next::Look);
    let one = after(one, [look(ACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::Deactivate));
    assert_eq!(one.next(at(62)), Next::Look, "it is old");
    assert_eq!(one.next(at(0)), Next::Look, "a clock went back");
    let one = after(after(one, took(Act::Deactivate)), [look(INACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::DenySessions));
    let one = after(one, took(Act::DenySessions));
    assert_eq!(one.next(at(1)), Next::Look, "what was seen before proves nothing");
    let one = after(one, [look(INACTIVE)]);
    let until = at(1).checked_add(SESSIONS_LIVE).unwrap();
    assert_eq!((one.stage(), one.next(at(1))), (ContainmentStage::Contained { until }, Next::Rest));
    assert!(!one.is_due(at(1)) && one.is_due(until));
    assert_eq!(one.next(until), Next::Take(Act::Release));
}

#[test]
fn a_rotation_comes_behind_tied_hands_and_sessions_since_are_denied() {
    let one = after(opened(Strategy::Rotate), took(Act::Tie));
    assert_eq!(one.next(at(1)), Next::Take(Act::Rotate));
    let linked = ContainmentEvent::Linked { rotation: RotationId::from_bits(3) };
    let one = after(after(after(one, [linked]), took(Act::Rotate)), [look(INACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::DenySessions));
    let one = after(after(one, took(Act::DenySessions)), [look(INACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::Ease));
    let one = after(one, took(Act::Ease));
    assert!(matches!(one.stage(), ContainmentStage::Contained { .. }));
    let one = after(one, [undo()]);
    assert_eq!(one.next(at(1)), Next::Take(Act::Restore));
    let one = after(after(one, took(Act::Restore)), took(Act::Release));
    assert_eq!(one.stage(), ContainmentStage::Over { at: at(1), how: Ended::Undone });
}

/// Activated by a person after a false alarm: a run that nobody has asked about this key is no reason for a lock-out.
#[test]
fn a_key_that_was_activated_after_it_was_seen_shut_is_left_to_a_person() {
    for strategy in [Strategy::Deactivate, Strategy::Rotate, Strategy::Delete] {
        let mut one = opened(strategy);
        if strategy == Strategy::Rotate {
            let linked = ContainmentEvent::Linked { rotation: RotationId::from_bits(3) };
            one = after(after(after(one, took(Act::Tie)), [linked]), took(Act::Rotate));
        }
        let one = after(after(one, [look(INACTIVE)]), took(Act::DenySessions));
        let resumed = || ContainmentEvent::Resumed { by: String::new() };
        let one = after(one, [look(INACTIVE), resumed(), look(ACTIVE)]);
        assert_eq!((one.stage(), one.next(at(1))), (ContainmentStage::Containing, Next::Rest), "{strategy}");
        let held = one.held().unwrap();
        assert!(held.contains("akia contain AKIAIOSFODNN7EXAMPLE") && held.contains("akia undo k-"), "{held}");
        let one = after(one, [resumed(), look(ACTIVE)]);
        assert_eq!(one.next(at(1)), Next::Rest, "{strategy}: however often");
        assert_eq!(after(one.clone(), [undo(), look(ACTIVE)]).held(), None, "{strategy}");
        let again = ContainmentEvent::Redirected { strategy, reason: String::new(), by: String::new() };
        let one = after(one, [again, look(ACTIVE)]);
        assert_eq!(one.next(at(1)), Next::Take(Act::Deactivate), "{strategy}");
        let one = after(one, took(Act::Deactivate));
        assert_eq!(one.next(at(1)), Next::Look);
        assert_eq!(after(one, [look(INACTIVE)]).next(at(1)), Next::Take(Act::DenySessions), "sessions since, too");
    }
}

#[test]
fn a_key_is_deleted_last_and_then_nothing_is_taken_back() {
    let one = after(after(opened(Strategy::Delete), [look(INACTIVE)]), took(Act::DenySessions));
    let mut early = one.clone();
    let wild = ContainmentRecord { at: at(1), event: intended(Act::Delete) };
    assert!(early.apply(&wild).is_err(), "before it was seen shut");
    let one = after(one, [look(INACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::Delete));
    let begun = after(one.clone(), [intended(Act::Delete)]);
    assert!(begun.clone().apply(&ContainmentRecord { at: at(1), event: undo() }).is_err());
    let refused = ContainmentEvent::Refused { act: Act::Delete, error: "denied".to_owned() };
    let refused = after(begun, [refused]);
    assert_eq!((refused.held(), refused.next(at(1))), (Some("delete: denied"), Next::Rest));
    assert!(refused.clone().apply(&ContainmentRecord { at: at(1), event: undo() }).is_ok(), "it is still there");
    let one = after(after(one, took(Act::Delete)), [look(None)]);
    assert!(one.is_gone() && matches!(one.stage(), ContainmentStage::Contained { .. }));
}

#[test]
fn tied_hands_are_all_that_a_quarantine_wants_until_a_person_wants_more() {
    let one = after(opened(Strategy::Quarantine), took(Act::Tie));
    assert_eq!((one.stage(), one.next(at(1))), (ContainmentStage::Tied, Next::Rest));
    let more = |strategy| ContainmentEvent::Redirected { strategy, reason: String::new(), by: String::new() };
    let shut = after(one.clone(), [more(Strategy::Deactivate), look(INACTIVE)]);
    let mut shut = after(after(shut, took(Act::DenySessions)), [look(INACTIVE)]);
    assert_eq!(shut.next(at(1)), Next::Take(Act::Ease));
    assert!(shut.apply(&ContainmentRecord { at: at(1), event: more(Strategy::Delete) }).is_ok());
    let mut late = after(opened(Strategy::Deactivate), [look(ACTIVE), intended(Act::Deactivate)]);
    let back = ContainmentRecord { at: at(1), event: more(Strategy::Rotate) };
    assert_eq!(late.apply(&back), Err(Illegal { what: "the key is shut" }));
}

#[test]
fn a_key_that_was_shut_after_its_rotation_failed_is_activated_by_an_undo() {
    let one = after(opened(Strategy::Rotate), took(Act::Tie));
    let linked = ContainmentEvent::Linked { rotation: RotationId::from_bits(3) };
    let refused = ContainmentEvent::Refused { act: Act::Rotate, error: "two keys".to_owned() };
    let deactivate = Strategy::Deactivate;
    let more = ContainmentEvent::Redirected { strategy: deactivate, reason: String::new(), by: String::new() };
    let one = after(one, [linked, intended(Act::Rotate), refused, more, look(ACTIVE)]);
    let one = after(after(one, took(Act::Deactivate)), [undo()]);
    let one = after(after(one, took(Act::Restore)), [look(INACTIVE)]);
    assert_eq!(one.next(at(1)), Next::Take(Act::Activate));
}

#[test]
fn an_undo_waits_for_a_deactivation_that_may_come_late() {
    let lost = ContainmentEvent::Unanswered { act: Act::Deactivate, error: "no answer".to_owned() };
    let one = after(opened(Strategy::Deactivate), [look(ACTIVE), intended(Act::Deactivate), lost, undo()]);
    assert_eq!(one.next(at(2)), Next::Wait { until: at(61) });
    assert_eq!(one.next(at(61)), Next::Look);
    let mut one = one;
    one.apply(&ContainmentRecord { at: at(62), event: look(INACTIVE) }).unwrap();
    assert_eq!(one.next(at(62)), Next::Take(Act::Activate));
}

#[test]
fn another_user_under_the_same_name_is_left_alone() {
    let with = |user_id, key| ContainmentEvent::Looked { look: KeyLook { user_id, key } };
    let other = Known::Told(Some("AIDAI44QH8DHBEXAMPLE".parse().unwrap()));
    let one = after(opened(Strategy::Deactivate), [with(other, Known::Told(ACTIVE))]);
    assert_eq!(one.stage(), ContainmentStage::Over { at: at(1), how: Ended::UserReplaced });
    let gone = after(opened(Strategy::Deactivate), [with(Known::Told(None), Known::Told(None))]);
    assert_eq!(gone.stage(), ContainmentStage::Over { at: at(1), how: Ended::UserGone });
    let unknown = Known::Unknown { reason: "throttled".to_owned() };
    let held = after(opened(Strategy::Deactivate), [with(Known::Told(None), unknown)]);
    assert_eq!(held.next(at(1)), Next::Rest);
    assert_eq!(held.held(), Some("the key could not be looked at: throttled"));
}

#[test]
fn sessions_are_all_that_temporary_credentials_leave_to_do() {
    let one = Containment::replay(&opened_for(Strategy::Deactivate, "ASIAIOSFODNN7EXAMPLE")).unwrap();
    assert_eq!(one.next(at(1)), Next::Take(Act::DenySessions));
    let one = after(one, took(Act::DenySessions));
    assert!(matches!(one.stage(), ContainmentStage::Contained { .. }));
    let one = after(after(one, [undo()]), took(Act::Release));
    assert_eq!(one.stage(), ContainmentStage::Over { at: at(1), how: Ended::Undone });
}

/// AWS, as far as a containment touches it.
#[derive(Debug)]
struct World {
    now: i64,
    key: Option<KeyStatus>,
    shut_at: Option<i64>,
    is_tied: bool,
    denied_at: Option<i64>,
    /// A deactivation that commits at that second.
    late: Option<i64>,
}

/// What becomes of one step.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    Refused,
    LostBefore,
    LostAfter,
    LostAndLate,
    KilledBeforeIntent,
    KilledBefore,
    KilledAfter,
    Activated,
}

impl World {
    fn set(&mut self, status: KeyStatus) {
        if self.key.is_some() {
            self.key = Some(status);
            self.shut_at = (status == KeyStatus::Inactive).then_some(self.now);
        }
    }

    fn commit(&mut self, act: Act) {
        match act {
            Act::Tie => (self.is_tied, self.denied_at) = (true, Some(self.now)),
            Act::Rotate | Act::Deactivate => self.set(KeyStatus::Inactive),
            Act::DenySessions => self.denied_at = Some(self.now),
            Act::Ease => self.is_tied = false,
            Act::Delete => {
                assert_eq!(self.key, Some(KeyStatus::Inactive), "an active key is never deleted");
                self.key = None;
            }
            Act::Release => (self.is_tied, self.denied_at) = (false, None),
            Act::Activate | Act::Restore => self.set(KeyStatus::Active),
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        if self.late.is_some_and(|late| late <= self.now) {
            self.late = None;
            self.set(KeyStatus::Inactive);
        }
    }
}

/// A run over a journal: what a process that may die at each step does.
struct Run {
    world: World,
    records: Vec<ContainmentRecord>,
}

impl Run {
    fn new(strategy: Strategy) -> Self {
        let world = World { now: 1, key: ACTIVE, shut_at: None, is_tied: false, denied_at: None, late: None };
        Self { world, records: opened_for(strategy, "AKIAIOSFODNN7EXAMPLE") }
    }

    fn state(&self) -> Containment {
        Containment::replay(&self.records).unwrap()
    }

    fn append(&mut self, event: ContainmentEvent) {
        let record = ContainmentRecord { at: at(self.world.now), event };
        self.state().apply(&record).unwrap_or_else(|error| panic!("{error}: {record:?} after {:#?}", self.records));
        self.records.push(record);
    }

    fn resume(&mut self) {
        if !self.state().is_over() {
            self.append(ContainmentEvent::Resumed { by: String::new() });
        }
    }

    /// One step. Says whether there was one.
    fn step(&mut self, fate: Fate) -> bool {
        self.world.pass(1);
        let one = self.state();
        let act = match one.next(at(self.world.now)) {
            Next::Rest => return false,
            Next::Wait { until } => {
                let wait = until.as_second() - at(self.world.now).as_second();
                self.world.pass(wait);
                return true;
            }
            Next::Look => {
                if matches!(fate, Fate::Activated) {
                    self.world.set(KeyStatus::Active);
                }
                self.append(look(self.world.key));
                return true;
            }
            Next::Take(act) => act,
        };
        if matches!(fate, Fate::KilledBeforeIntent) {
            self.resume();
            return true;
        }
        if act == Act::Rotate {
            self.append(ContainmentEvent::Linked { rotation: RotationId::from_bits(3) });
        }
        self.append(intended(act));
        let error = String::new;
        match fate {
            Fate::Done | Fate::Activated => {
                self.world.commit(act);
                self.append(ContainmentEvent::Done { act, request_id: None });
            }
            Fate::Refused => self.append(ContainmentEvent::Refused { act, error: error() }),
            Fate::LostBefore => self.append(ContainmentEvent::Unanswered { act, error: error() }),
            Fate::LostAfter => {
                self.world.commit(act);
                self.append(ContainmentEvent::Unanswered { act, error: error() });
            }
            Fate::LostAndLate => {
                if act == Act::Deactivate {
                    self.world.late = Some(self.world.now + 30);
                }
                self.append(ContainmentEvent::Unanswered { act, error: error() });
            }
            Fate::KilledBefore | Fate::KilledBeforeIntent => self.resume(),
            Fate::KilledAfter => {
                self.world.commit(act);
                self.resume();
            }
        }
        true
    }

    /// Faults have stopped: a bounded number of steps ends it. Where a person has to decide, it is shut again.
    fn settle(&mut self) {
        self.resume();
        while self.step(Fate::Done) {
            assert!(self.records.len() < 1_000, "no end: {:#?}", self.records);
        }
        let one = self.state();
        if one.held().is_some() && one.was_verified() && self.world.key == ACTIVE {
            let strategy = one.strategy();
            self.append(ContainmentEvent::Redirected { strategy, reason: String::new(), by: String::new() });
        }
        for _ in 0..40 {
            if !self.step(Fate::Done) {
                return;
            }
        }
        panic!("no end: {:#?}", self.records);
    }
}

fn fates() -> impl Drawn<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Done),
        1 => Just(Fate::Refused),
        1 => Just(Fate::LostBefore),
        1 => Just(Fate::LostAfter),
        1 => Just(Fate::LostAndLate),
        1 => Just(Fate::KilledBeforeIntent),
        1 => Just(Fate::KilledBefore),
        1 => Just(Fate::KilledAfter),
        1 => Just(Fate::Activated),
    ];
    prop::collection::vec(fate, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever goes wrong at whichever step: in the end the key is shut, and what was opened with it before is denied; or,
    /// taken back, all is as it was.
    #[test]
    fn each_story_ends_with_a_shut_key_or_with_everything_as_before(
        strategy in prop::sample::select(Strategy::ALL.to_vec()),
        fates in fates(),
        undone_at in prop::option::of(0usize..24),
        redirected in prop::option::of((0usize..24, prop::sample::select(Strategy::ALL.to_vec()))),
    ) {
        let mut run = Run::new(strategy);
        for (index, fate) in fates.into_iter().enumerate() {
            if let Some((at_index, strategy)) = redirected.filter(|(at_index, _)| *at_index == index) {
                let event = ContainmentEvent::Redirected { strategy, reason: String::new(), by: at_index.to_string() };
                let asked = ContainmentRecord { at: at(run.world.now), event };
                if run.state().apply(&asked).is_ok() {
                    run.records.push(asked);
                }
            }
            if undone_at == Some(index) {
                let asked = ContainmentRecord { at: at(run.world.now), event: undo() };
                if run.state().apply(&asked).is_ok() {
                    run.records.push(asked);
                }
            }
            if !run.step(fate) {
                run.resume();
            }
        }
        run.settle();
        let one = run.state();
        let (world, strategy) = (&run.world, one.strategy());
        match one.stage() {
            ContainmentStage::Over { how: Ended::Undone, .. } => {
                prop_assert_eq!((world.is_tied, world.denied_at), (false, None), "{:#?}", run.records);
                prop_assert!(world.late.is_none());
                prop_assert_eq!(world.key, ACTIVE, "{:#?}", run.records);
            }
            ContainmentStage::Contained { .. } => {
                // It may have been deleted before a person wanted it done otherwise.
                let is_deleted = strategy == Strategy::Delete || one.is_gone() && one.has_begun(Act::Delete);
                prop_assert_eq!(world.key, if is_deleted { None } else { INACTIVE }, "{:#?}", run.records);
                prop_assert!(!world.is_tied);
                prop_assert!(world.denied_at >= world.shut_at && world.denied_at.is_some(), "{:#?}", run.records);
            }
            ContainmentStage::Tied => {
                prop_assert_eq!(strategy, Strategy::Quarantine);
                prop_assert!(world.is_tied && world.denied_at.is_some());
            }
            other => prop_assert!(false, "{:?} after {:#?}", other, run.records),
        }
    }
}
