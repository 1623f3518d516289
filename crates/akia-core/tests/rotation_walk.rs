//! Walks the production state machine through random worlds: lost answers, failures, crashes and undo at any step.
//!
//! The world is a set of keys and places. After every step the safety lines of the design are checked; once faults
//! stop, the rotation has to come to rest within a bounded number of effects, with no key left unreported.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use akia_core::journal::{Attribution, Event, Intent, Record};
use akia_core::profile::FileKind;
use akia_core::rotation::verdict::{self, Deletion};
use akia_core::rotation::{
    AbortReason, Decision, Effect, Identity, Pace, Place, Plan, Probe, Rest, Retirement, Rotation, Signer, SigningKey,
};
use akia_core::{AccessKey, AccessKeyId, KeyStatus, LastUsed, RotationId};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const PLACES: usize = 2;
/// Effects after which a drain without faults must have come to rest.
const DRAIN_LIMIT: usize = 200;

#[test]
fn a_rotation_without_faults_ends_in_grace_and_then_retired() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.drain();
    assert!(matches!(walk.rest(), Rest::InGrace { .. }), "{:?}", walk.rest());
    walk.now = walk.now.checked_add(SignedDuration::from_hours(24 * 8)).unwrap();
    walk.drain();
    assert_eq!(walk.rest(), Rest::Retired);
    assert!(walk.rotation.is_over());
    assert_eq!(walk.keys.len(), 1);
}

#[test]
fn the_displaced_key_is_kept_when_asked() {
    let mut walk = Walk::new(Vec::new(), Retirement::Keep);
    walk.drain();
    assert_eq!(walk.rest(), Rest::Kept);
    assert_eq!(walk.keys[&walk.displaced()], KeyStatus::Active);
}

#[test]
fn undo_after_deactivation_brings_the_displaced_key_back_everywhere() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.drain();
    walk.record(Event::UndoRequested);
    walk.drain();
    assert!(matches!(walk.rest(), Rest::Undone { .. }), "{:?}", walk.rest());
    let displaced = walk.displaced();
    assert!(walk.places.iter().all(|key| *key == displaced));
    assert_eq!(walk.keys[&displaced], KeyStatus::Active);
}

#[test]
fn undo_is_refused_once_the_displaced_key_is_deleted() {
    let mut walk = Walk::new(Vec::new(), Retirement::Delete);
    walk.drain();
    assert_eq!(walk.rest(), Rest::Retired);
    let before = walk.rotation.clone();
    let record = Record { at: walk.now, event: Event::UndoRequested };
    let error = walk.rotation.apply(&record).unwrap_err();
    assert_eq!(error.to_string(), "the journal says \"UndoRequested\" of a rotation that is done");
    assert_eq!(walk.rotation, before);
}

#[test]
fn a_key_that_is_still_used_is_not_deactivated_until_a_person_says_so() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.still_used = true;
    walk.drain();
    assert!(matches!(walk.rest(), Rest::Undecided { decision: Decision::StillUsed { .. } }));
    assert_eq!(walk.keys[&walk.displaced()], KeyStatus::Active);
    walk.record(Event::EvidenceWaived);
    walk.drain();
    assert!(matches!(walk.rest(), Rest::InGrace { .. }));
}

#[test]
fn an_outsider_who_reactivates_the_displaced_key_stops_its_deletion() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.drain();
    let displaced = walk.displaced();
    walk.keys.insert(displaced.clone(), KeyStatus::Active);
    walk.now = walk.now.checked_add(SignedDuration::from_hours(24 * 8)).unwrap();
    walk.drain();
    assert_eq!(walk.rest(), Rest::Undecided { decision: Decision::Reactivated });
    assert_eq!(walk.keys[&displaced], KeyStatus::Active);
}

#[test]
fn room_is_made_only_with_the_key_that_a_person_named() {
    let other: AccessKeyId = "AKIAOTHER00000000000".parse().unwrap();
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.keys.insert(other.clone(), KeyStatus::Inactive);
    let mut plan = walk.rotation.plan().clone();
    plan.make_room = Some(other.clone());
    let unlisted = Record { at: walk.now, event: Event::Planned { plan: Box::new(plan.clone()) } };
    assert!(Rotation::begin(&unlisted).is_err(), "a key that was not there cannot be named");
    plan.before.insert(other.clone());
    let first = Record { at: walk.now, event: Event::Planned { plan: Box::new(plan) } };
    walk.rotation = Rotation::begin(&first).unwrap();
    walk.records = vec![first];
    walk.drain();
    assert!(matches!(walk.rest(), Rest::InGrace { .. }), "{:?}", walk.rest());
    assert!(!walk.keys.contains_key(&other));
}

#[test]
fn a_rival_key_makes_us_delete_ours_and_stop() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.rival = Some("AKIARIVAL0000000000".parse().unwrap());
    walk.drain();
    assert!(matches!(walk.rest(), Rest::Aborted { why: AbortReason::Rival { .. } }));
    assert_eq!(walk.keys.keys().cloned().collect::<Vec<_>>(), [walk.displaced()]);
}

#[test]
fn a_create_that_was_sent_long_after_its_intent_is_quarantined_from_the_next_run_on() {
    // Found by the model check: the machine sleeps between intent and request, and the process dies with the request
    // under way. The quarantine counted from the intent and was over at once.
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.record(Event::Intended { intent: Intent::Create });
    walk.now = walk.now.checked_add(SignedDuration::from_hours(1)).unwrap();
    walk.record(Event::Resumed);
    let until = walk.now.checked_add(SignedDuration::from_secs(60)).unwrap();
    assert_eq!(walk.rotation.next(walk.now), [Effect::Wait { until }]);
}

#[test]
fn an_undo_waits_for_a_deactivation_whose_answer_was_lost() {
    // Found by the model check: the late request deactivated the displaced key after it was back in every place.
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.until(|effect| matches!(effect, Effect::DeactivateDisplaced { .. }));
    walk.record(Event::Intended { intent: Intent::DeactivateDisplaced });
    walk.record(Event::Failed { error: "time-out".to_owned() });
    let until = walk.now.checked_add(SignedDuration::from_secs(60)).unwrap();
    walk.record(Event::UndoRequested);
    assert_eq!(walk.rotation.next(walk.now), [Effect::Wait { until }]);
    assert_eq!(walk.rotation.next(until), [Effect::ActivateDisplaced]);
}

#[test]
fn an_undo_whose_proofs_fail_to_the_limit_activates_the_key_again() {
    // Found by the model check: an undo that took the displaced key for active proved an inactive one for ever.
    let mut walk = Walk::new(Vec::new(), Retirement::Keep);
    walk.drain();
    walk.record(Event::UndoRequested);
    // The rotation had rested: anybody may have deactivated the displaced key since.
    assert_eq!(walk.rotation.next(walk.now), [Effect::ActivateDisplaced]);
    walk.record(Event::Intended { intent: Intent::ActivateDisplaced });
    walk.record(Event::DisplacedActivated);
    for _ in 0..walk.rotation.plan().pace.proof_limit {
        walk.record(Event::ProofFailed { error: "not accepted".to_owned() });
    }
    assert!(matches!(walk.rest(), Rest::Interrupted { .. }));
    walk.record(Event::Resumed);
    assert_eq!(walk.rotation.next(walk.now), [Effect::ActivateDisplaced]);
}

#[test]
fn an_undo_is_possible_until_the_displaced_key_is_gone_even_when_its_deletion_has_begun() {
    let mut walk = Walk::new(Vec::new(), Retirement::Delete);
    walk.until(|effect| matches!(effect, Effect::DeleteDisplaced { .. }));
    walk.record(Event::Intended { intent: Intent::DeleteDisplaced });
    walk.record(Event::Failed { error: "access denied".to_owned() });
    walk.record(Event::UndoRequested);
    walk.drain();
    assert!(matches!(walk.rest(), Rest::Undone { .. }), "{:?}", walk.rest());
}

#[test]
fn the_deletion_after_an_undo_is_signed_with_what_the_places_hold() {
    // Found by the model check: a later rotation had retired the staged displaced key, and nothing could sign any more.
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.drain();
    walk.record(Event::UndoRequested);
    walk.drain();
    assert_eq!(walk.rotation.signing_key(), SigningKey::Restored);
    walk.record(Event::GraceWaived);
    assert_eq!(walk.rest(), Rest::Busy, "a grace that was waived is over");
}

#[test]
fn a_displaced_key_that_was_used_during_its_grace_is_not_deleted() {
    let mut walk = Walk::new(Vec::new(), Retirement::Deactivate);
    walk.drain();
    let displaced = walk.displaced();
    let listed = [AccessKey { id: displaced, status: KeyStatus::Inactive, created_at: walk.now }];
    let used = |hours| LastUsed::At {
        at: walk.now.checked_add(SignedDuration::from_hours(hours)).unwrap(),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let verdict = |last_used: &LastUsed| verdict::displaced_before_deletion(&walk.rotation, &listed, last_used);
    assert_eq!(verdict(&used(24)), Deletion::Moot(Event::DisplacedFoundActive));
    assert_eq!(verdict(&used(-24)), Deletion::Due(Event::DisplacedDeleted));
    assert_eq!(verdict(&LastUsed::Never), Deletion::Due(Event::DisplacedDeleted));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_walk_locks_anybody_out(choices in proptest::collection::vec(any::<u8>(), 0..120), mode in 0..3_u8) {
        let retirement = [Retirement::Deactivate, Retirement::Delete, Retirement::Keep][usize::from(mode)];
        let mut walk = Walk::new(choices, retirement);
        walk.run_with_faults();
        walk.drain();
        walk.check_rest();
    }
}

/// A world and a rotation in it.
struct Walk {
    rotation: Rotation,
    records: Vec<Record>,
    now: Timestamp,
    choices: Vec<u8>,
    keys: BTreeMap<AccessKeyId, KeyStatus>,
    staged: BTreeSet<AccessKeyId>,
    places: Vec<AccessKeyId>,
    created: u32,
    still_used: bool,
    rival: Option<AccessKeyId>,
    unresolved_creates: u32,
}

impl Walk {
    fn new(choices: Vec<u8>, retirement: Retirement) -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut plan = plan(retirement, now);
        // Half of the random walks are of a service.
        if choices.last().is_some_and(|choice| choice % 2 == 1) {
            plan.probe = Some(Probe::Command(vec!["true".to_owned()]));
            plan.watch = SignedDuration::from_hours(24);
        }
        let displaced = plan.displaced.clone();
        let first = Record { at: now, event: Event::Planned { plan: Box::new(plan) } };
        Self {
            rotation: Rotation::begin(&first).unwrap(),
            records: vec![first],
            now,
            choices,
            keys: BTreeMap::from([(displaced.clone(), KeyStatus::Active)]),
            staged: BTreeSet::new(),
            places: vec![displaced; PLACES],
            created: 0,
            still_used: false,
            rival: None,
            unresolved_creates: 0,
        }
    }

    fn displaced(&self) -> AccessKeyId {
        self.rotation.plan().displaced.clone()
    }

    fn rest(&self) -> Rest {
        self.rotation.rest(self.now)
    }

    /// The next choice of the fuzzer; 0, which means that all goes well, when there are none left.
    fn choose(&mut self, among: u8) -> u8 {
        self.choices.pop().map_or(0, |choice| choice % among)
    }

    fn record(&mut self, event: Event) {
        let record = Record { at: self.now, event };
        self.rotation.apply(&record).unwrap_or_else(|illegal| panic!("{illegal}: {:?}", record.event));
        self.records.push(record);
    }

    /// Loses everything that is not in the journal.
    fn crash(&mut self) {
        let live = self.rotation.clone();
        self.rotation = Rotation::replay(&self.records).unwrap();
        assert_eq!(self.rotation, live, "replay and live state must agree");
        self.record(Event::Resumed);
    }

    fn run_with_faults(&mut self) {
        while !self.choices.is_empty() {
            self.now = self.now.checked_add(SignedDuration::from_millis(700)).unwrap();
            if self.choose(23) == 22 {
                let request = Record { at: self.now, event: Event::UndoRequested };
                if self.rotation.apply(&request).is_ok() {
                    self.records.push(request);
                }
            }
            let effects = self.rotation.next(self.now);
            if effects.is_empty() {
                match self.choose(3) {
                    0 => self.now = self.now.checked_add(SignedDuration::from_hours(24 * 4)).unwrap(),
                    1 => self.crash(),
                    _ => self.decide(),
                }
            }
            for effect in effects {
                self.step(&effect);
                self.check_safety();
            }
        }
    }

    fn drain(&mut self) {
        self.choices.clear();
        self.record(Event::Resumed);
        for _ in 0..DRAIN_LIMIT {
            self.now = self.now.checked_add(SignedDuration::from_millis(1_100)).unwrap();
            let effects = self.rotation.next(self.now);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                if let Effect::Wait { until } = effect {
                    self.now = self.now.max(until);
                } else {
                    self.step(&effect);
                    self.check_safety();
                }
            }
        }
        panic!("no rest after {DRAIN_LIMIT} rounds: {:?}", self.rotation);
    }

    /// Goes on without faults until this effect is next.
    fn until(&mut self, wanted: impl Fn(&Effect) -> bool) {
        for _ in 0..DRAIN_LIMIT {
            match self.rotation.next(self.now).into_iter().next() {
                Some(effect) if wanted(&effect) => return,
                Some(effect) => self.step(&effect),
                None => break,
            }
        }
        panic!("never came to it: {:?}", self.rotation);
    }

    /// A person answers what is asked.
    fn decide(&mut self) {
        match self.rest() {
            Rest::Undecided { decision: Decision::Orphans { keys } } => {
                if self.choose(2) == 0 {
                    let key = keys.first().unwrap().clone();
                    self.record(Event::OrphanAttributed { key, evidence: Attribution::Person });
                } else {
                    self.record(Event::OrphanDisowned);
                }
            }
            Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } => {
                self.record(Event::EvidenceWaived);
            }
            Rest::Watching { until } => self.now = self.now.max(until),
            Rest::InGrace { .. } => self.record(Event::GraceWaived),
            Rest::Interrupted { .. } => self.record(Event::Resumed),
            _ => {}
        }
    }

    /// Performs one effect, with whatever fault the fuzzer chose.
    fn step(&mut self, effect: &Effect) {
        if let Some(intent) = effect.intent() {
            self.record(Event::Intended { intent });
            if self.choose(9) == 8 {
                return self.crash();
            }
        }
        let fails = self.choose(5) == 4;
        let crashes = self.choose(9) == 8;
        let error = || "lost".to_owned();
        let event = match effect {
            Effect::Wait { until } => {
                self.now = self.now.max(*until);
                return;
            }
            Effect::Create => return self.create(crashes),
            Effect::InvestigateCreate => self.investigate(),
            _ if fails => match effect {
                Effect::Deliver { place, .. } => Event::DeliveryFailed { place: *place, error: error() },
                Effect::Restore { place, .. } => Event::RestoreFailed { place: *place, error: error() },
                Effect::Prove { .. } => Event::ProofFailed { error: error() },
                Effect::ReadBackSecret { .. } => Event::SecretLost { error: error() },
                Effect::Probe { .. } => Event::ProbeFailed { error: error() },
                _ => Event::Failed { error: error() },
            },
            Effect::MakeRoom { key } => {
                assert!(!self.places.contains(key), "made room with a key in use");
                self.keys.remove(key);
                Event::RoomMade
            }
            Effect::DeleteOrphan { ours } => {
                assert!(*ours.key() != self.displaced(), "the displaced key is never an orphan");
                self.keys.remove(ours.key());
                Event::OrphanDeleted
            }
            Effect::ReadBackSecret { key } => {
                assert!(self.staged.contains(key), "a created key without a staged secret");
                Event::SecretReadBack
            }
            Effect::Prove { key } => {
                if self.keys.get(key) == Some(&KeyStatus::Active) {
                    Event::ProofPassed
                } else {
                    Event::ProofFailed { error: error() }
                }
            }
            Effect::CheckRivals { key } => {
                let (before, displaced) = (self.rotation.plan().before.clone(), self.displaced());
                let rivals: BTreeSet<_> = self
                    .keys
                    .keys()
                    .chain(self.rival.as_ref())
                    .filter(|&k| k != key && *k != displaced && !before.contains(k))
                    .cloned()
                    .collect();
                if rivals.is_empty() { Event::RivalsAbsent } else { Event::RivalFound { keys: rivals } }
            }
            Effect::Probe { key } => {
                assert_eq!(self.keys.get(key), Some(&KeyStatus::Active), "tried out a key that is not active");
                Event::ProbePassed
            }
            Effect::Deliver { place, proven } => {
                assert_eq!(self.keys.get(proven.key()), Some(&KeyStatus::Active), "delivered a key that is not active");
                self.places[*place] = proven.key().clone();
                Event::Delivered { place: *place, mark: None }
            }
            Effect::Promote { .. } => Event::Promoted,
            Effect::Observe => Event::Observed { last_used: self.last_used() },
            Effect::DeactivateDisplaced { proven, delivered } => {
                let displaced = self.displaced();
                // A program that had read the file before the delivery writes it after. Once the displaced key is
                // inactive, that would be an outsider's lock-out, which a later round mends.
                if self.choose(11) == 10 && self.keys[&displaced] == KeyStatus::Active {
                    self.places[0] = displaced.clone();
                }
                assert_eq!(proven.key(), delivered.key());
                match self.places.iter().position(|key| key != delivered.key()) {
                    Some(place) => Event::PlaceOverwritten { place },
                    None => {
                        self.keys.insert(displaced, KeyStatus::Inactive);
                        Event::DisplacedDeactivated
                    }
                }
            }
            Effect::DeleteDisplaced { permit } => match self.keys.get(permit.key()) {
                Some(KeyStatus::Active) => Event::DisplacedFoundActive,
                Some(KeyStatus::Inactive) => {
                    self.keys.remove(permit.key());
                    Event::DisplacedDeleted
                }
                None => Event::DisplacedGone,
            },
            Effect::ActivateDisplaced => {
                let displaced = self.displaced();
                self.keys.insert(displaced, KeyStatus::Active);
                Event::DisplacedActivated
            }
            Effect::Restore { place, proven } => {
                assert_eq!(*proven.key(), self.displaced());
                self.places[*place] = proven.key().clone();
                Event::Restored { place: *place, mark: None }
            }
            Effect::DeactivateNew { restored, .. } => {
                assert!(self.places.iter().all(|key| key == restored.key()));
                let new = self.rotation.new_key().unwrap().clone();
                self.keys.insert(new, KeyStatus::Inactive);
                Event::NewDeactivated
            }
            Effect::DeleteNew { ours } => {
                assert!(!self.places.contains(ours.key()), "deleted a key that a place refers to");
                self.keys.remove(ours.key());
                Event::NewDeleted
            }
            Effect::WipeSecrets => {
                self.staged.clear();
                Event::SecretsWiped
            }
        };
        if crashes {
            return self.crash();
        }
        // An earlier effect of the same round may have made this outcome meaningless; the driver drops it then, too.
        self.record(event);
    }

    /// The one effect whose answer can be lost with the key made.
    fn create(&mut self, crashes: bool) {
        assert_eq!(self.unresolved_creates, 0, "a second create before the first was resolved");
        self.created += 1;
        let key: AccessKeyId = format!("AKIANEW{:013}", self.created).parse().unwrap();
        match self.choose(6) {
            0..=2 if crashes => {
                self.keys.insert(key, KeyStatus::Active);
                self.unresolved_creates = 1;
                self.crash();
            }
            0..=2 => {
                self.keys.insert(key.clone(), KeyStatus::Active);
                self.staged.insert(key.clone());
                self.record(Event::KeyCreated { key });
            }
            3 => {
                let transient = self.choose(2) == 1;
                self.record(Event::CreateRefused { error: "AccessDenied".to_owned(), transient });
            }
            4 => {
                self.unresolved_creates = 1;
                self.record(Event::CreateUnanswered { error: "time-out".to_owned() });
            }
            _ => {
                self.keys.insert(key, KeyStatus::Active);
                self.unresolved_creates = 1;
                self.record(Event::CreateUnanswered { error: "time-out".to_owned() });
            }
        }
    }

    fn investigate(&mut self) -> Event {
        self.unresolved_creates = 0;
        let before = self.rotation.plan().before.clone();
        let keys: BTreeSet<_> = self.keys.keys().filter(|key| !before.contains(*key)).cloned().collect();
        let Some(first) = keys.first() else { return Event::OrphanAbsent };
        if self.choose(2) == 1 {
            Event::OrphanAttributed { key: first.clone(), evidence: Attribution::CloudTrail }
        } else {
            Event::OrphanSuspected { keys }
        }
    }

    fn last_used(&mut self) -> LastUsed {
        let at = if self.still_used { self.now } else { "2025-12-01T00:00:00Z".parse().unwrap() };
        match self.choose(7) {
            5 => LastUsed::Unknown { reason: "AccessDenied".to_owned() },
            6 => LastUsed::Never,
            _ => LastUsed::At { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() },
        }
    }

    /// The safety lines of the design that hold after every step.
    fn check_safety(&self) {
        for (index, key) in self.places.iter().enumerate() {
            let status = self.keys.get(key);
            assert_eq!(status, Some(&KeyStatus::Active), "place {index} refers to {key}: {:?}", self.rotation);
        }
    }

    /// What must be true once a drained rotation rests.
    fn check_rest(&self) {
        let rest = self.rest();
        assert_ne!(rest, Rest::Busy, "{:?}", self.rotation);
        let known: BTreeSet<_> =
            [Some(self.displaced()), self.rotation.new_key().cloned()].into_iter().flatten().collect();
        let place: BTreeSet<_> = self.places.iter().cloned().collect();
        for key in self.keys.keys().filter(|key| !known.contains(*key) && !place.contains(*key)) {
            let reported = match &rest {
                Rest::Undecided { decision: Decision::Orphans { keys } } => keys.contains(key),
                Rest::Aborted { why: AbortReason::Rival { keys } } => keys.contains(key),
                // A person said that it is none of ours.
                Rest::Aborted { why: AbortReason::NoRoom } => true,
                _ => false,
            };
            assert!(reported, "{key} is nobody's and unreported: {rest:?}");
        }
        if let Rest::Aborted { .. } | Rest::Undone { .. } | Rest::UndoneAndClean = rest {
            assert!(self.places.iter().all(|key| *key == self.displaced()));
        }
    }
}

fn plan(retirement: Retirement, now: Timestamp) -> Plan {
    let displaced: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    Plan {
        id: RotationId::from_bits(7),
        run: RotationId::from_bits(7),
        planned_at: now,
        identity: Identity {
            arn: "arn:aws:iam::123456789012:user/alice".parse().unwrap(),
            user_id: "AIDAEXAMPLEEXAMPLE00".parse().unwrap(),
        },
        displaced: displaced.clone(),
        displaced_created_at: now.checked_sub(SignedDuration::from_hours(24 * 400)).unwrap(),
        before: BTreeSet::from([displaced]),
        make_room: None,
        places: (0..PLACES)
            .map(|n| Place::Profile {
                path: "/home/alice/.aws/credentials".to_owned(),
                file: FileKind::Credentials,
                profile: format!("p{n}").parse().unwrap(),
            })
            .collect(),
        signer: Signer::Own { profile: "p0".parse().unwrap(), mfa_serial: None },
        endpoint_url: None,
        region: "us-east-1".parse().unwrap(),
        retirement,
        grace: SignedDuration::from_hours(24 * 7),
        without_evidence: false,
        service: None,
        vacant: BTreeSet::new(),
        displaced_secret_unknown: false,
        probe: None,
        watch: SignedDuration::ZERO,
        nonce: "n0".to_owned(),
        pace: Pace { proofs: 2, proof_limit: 30, ..Pace::default() },
    }
}
