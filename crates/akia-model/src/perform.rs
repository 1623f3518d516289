//! What `akia_io::rotate::perform` does for each effect, against the world of the model.
//!
//! It has to mirror the driver line by line: who signs, what is read before an act, which failure becomes which event.
//! What the driver decides from answers it asks of `akia_core::rotation::verdict`, and so does this.

use akia_core::journal::Event;
use akia_core::rotation::verdict::{self, CreateFailure, Deletion};
use akia_core::rotation::{Effect, Rotation, SigningKey};
use akia_core::{AccessKeyId, KeyStatus, LastUsed};

use crate::promise::{Promise, may_delete};
use crate::sabotage::Sabotage;
use crate::settings::{QUARANTINE, Setting};
use crate::state::{Held, Run, Staged, State};
use crate::world::{Cause, Key, KeyNumber, LUCK_LIMIT, Late, Maker, Request, Status};

/// How an effect goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Fine,
    /// A key is made that takes its time to work everywhere.
    Slow,
    /// A key is made although the user has as many as it may: two requests came at once.
    Race,
    /// The list leaves out what is new.
    ListedLate,
    /// CloudTrail does not tell who made the key.
    TrailSilent,
    /// The key is not yet known where the request arrives.
    Unsettled,
    /// AWS asks to slow down; nothing is done.
    Throttled,
    /// The answer is lost, and nothing was done.
    LostBefore,
    /// It is done, and the answer is lost.
    LostAfter,
    /// The answer is lost, and it will be done later.
    LostLate,
    /// It is done, and the process dies before the outcome is written down.
    CrashAfter,
    /// The process dies with the request under way.
    CrashLate,
    /// What is staged cannot be read back.
    Rot,
    /// The answer cannot be staged; the key is deleted again.
    NotStaged,
    /// The answer cannot be staged, and the key cannot be deleted again.
    NotStagedNorDeleted,
    /// The last use cannot be read.
    UseUnknown,
}

impl Outcome {
    /// Whether it takes a fault; the others are how IAM is on a good day.
    pub(crate) fn is_fault(self) -> bool {
        match self {
            Self::Fine | Self::Slow | Self::Race | Self::ListedLate | Self::TrailSilent | Self::Unsettled => false,
            Self::Throttled
            | Self::LostBefore
            | Self::LostAfter
            | Self::LostLate
            | Self::CrashAfter
            | Self::CrashLate
            | Self::Rot
            | Self::NotStaged
            | Self::NotStagedNorDeleted
            | Self::UseUnknown => true,
        }
    }

    fn is_crash(self) -> bool {
        matches!(self, Self::CrashAfter | Self::CrashLate | Self::NotStaged | Self::NotStagedNorDeleted)
    }
}

/// How an effect may go in a state. The first is what happens when nothing is amiss.
pub(crate) fn outcomes(state: &State, client: usize, effect: &Effect) -> Vec<Outcome> {
    use Outcome as O;
    let young = state.aws.has_young_keys();
    let mut all = vec![O::Fine];
    match effect {
        Effect::Create => {
            if state.aws.has_room(false) {
                all.push(O::Slow);
            } else if state.aws.has_room(true) {
                all.push(O::Race);
            }
            if state.aws.has_room(true) {
                all.extend([O::LostAfter, O::LostLate, O::CrashAfter, O::CrashLate]);
                all.extend([O::Rot, O::NotStaged, O::NotStagedNorDeleted]);
            }
            all.extend([O::Throttled, O::LostBefore]);
        }
        Effect::InvestigateCreate => {
            if state.clients[client].truth.open_creates > 0 {
                all.push(O::TrailSilent);
            }
            if young {
                all.push(O::ListedLate);
            }
            all.push(O::Throttled);
        }
        Effect::CheckRivals { .. } => {
            if young {
                all.push(O::ListedLate);
            }
            all.push(O::Throttled);
        }
        Effect::Prove { key } => {
            let number = KeyNumber::of(key);
            if state.aws.is_active(number)
                && let Some(key) = state.aws.key(number)
                && !key.is_settled()
            {
                all = if key.luck[client] < LUCK_LIMIT { vec![O::Unsettled, O::Fine] } else { vec![O::Unsettled] };
            }
            all.push(O::Throttled);
        }
        Effect::Probe { .. } => all.push(O::Throttled),
        Effect::Observe => all.extend([O::Throttled, O::UseUnknown]),
        Effect::Deliver { .. } | Effect::Restore { .. } => all.extend([O::LostBefore, O::LostAfter, O::CrashAfter]),
        Effect::MakeRoom { .. }
        | Effect::DeleteOrphan { .. }
        | Effect::DeactivateDisplaced { .. }
        | Effect::DeleteDisplaced { .. }
        | Effect::ActivateDisplaced
        | Effect::DeactivateNew { .. }
        | Effect::DeleteNew { .. } => {
            all.extend([O::LostBefore, O::LostAfter, O::LostLate, O::CrashAfter, O::CrashLate]);
        }
        Effect::WipeSecrets => all.push(O::CrashAfter),
        Effect::Wait { .. } | Effect::ReadBackSecret { .. } | Effect::Promote { .. } => {}
    }
    if state.faults == 0 {
        all.retain(|outcome| !outcome.is_fault());
    }
    all
}

/// Performs the effect and writes its outcome down; a crash stops the process instead.
pub(crate) fn perform(state: &mut State, setting: &Setting, client: usize, effect: &Effect, outcome: Outcome) {
    if outcome.is_fault() {
        state.faults = state.faults.saturating_sub(1);
    }
    let mut act = Act { state, sabotage: setting.sabotage, admin: setting.admin, shut: setting.shut, client, outcome };
    let event = act.effect(effect);
    if outcome.is_crash() {
        crash(state, client);
    } else if state.breach.is_none() {
        state.record(client, event);
    }
}

/// The process dies; what it had not written down is lost.
pub(crate) fn crash(state: &mut State, client: usize) {
    let client = &mut state.clients[client];
    client.run = Run::Stopped;
    if client.new_staged == Staged::Memory {
        client.new_staged = Staged::None;
    }
    if let Some(durable) = client.durable.take() {
        client.rotation = Some(*durable);
        client.journal.lose();
    }
}

struct Act<'a> {
    state: &'a mut State,
    sabotage: Option<Sabotage>,
    admin: bool,
    shut: Option<usize>,
    client: usize,
    outcome: Outcome,
}

type Refused = &'static str;

const LOST: &str = "the answer was lost";

impl Act<'_> {
    fn effect(&mut self, effect: &Effect) -> Event {
        match effect {
            Effect::Wait { .. } | Effect::Promote { .. } => {
                self.state.clients[self.client].truth.promoted = true;
                Event::Promoted
            }
            Effect::Create => self.create(),
            Effect::InvestigateCreate => self.investigate().unwrap_or_else(failed),
            Effect::DeleteOrphan { ours } => {
                let event = self.delete(ours.key(), Event::OrphanDeleted).unwrap_or_else(failed);
                if event == Event::OrphanDeleted {
                    self.resolve_creates();
                }
                event
            }
            Effect::ReadBackSecret { .. } => self.read_back(),
            Effect::Prove { key } => self.prove(key),
            Effect::CheckRivals { key } => self.check_rivals(key).unwrap_or_else(failed),
            Effect::Probe { .. } if self.outcome == Outcome::Throttled => {
                Event::ProbeFailed { error: "refused".to_owned() }
            }
            Effect::Probe { .. } => Event::ProbePassed,
            Effect::MakeRoom { key } => self.make_room(key).unwrap_or_else(failed),
            Effect::Deliver { place, .. } => self.deliver(*place),
            Effect::Observe => self.observe().unwrap_or_else(failed),
            Effect::DeactivateDisplaced { .. } => self.deactivate_displaced().unwrap_or_else(failed),
            Effect::DeleteDisplaced { .. } => self.delete_displaced().unwrap_or_else(failed),
            Effect::ActivateDisplaced => self.activate_displaced().unwrap_or_else(failed),
            Effect::Restore { place, .. } => self.restore(*place),
            Effect::DeactivateNew { .. } => self.deactivate_new().unwrap_or_else(failed),
            Effect::DeleteNew { ours } => self.delete(ours.key(), Event::NewDeleted).unwrap_or_else(failed),
            Effect::WipeSecrets => {
                self.wipe();
                Event::SecretsWiped
            }
        }
    }

    fn create(&mut self) -> Event {
        if let Err(error) = self.sign() {
            // Nothing was sent, or the signature was refused.
            return Event::CreateRefused { error: error.to_owned(), transient: false };
        }
        let rotation = self.rotation();
        let truth = &self.state.clients[self.client].truth;
        if truth.open_creates > 0 {
            self.state.broke(Promise::OneCreateAtATime, "a create was sent before the last one was resolved");
        } else if rotation.stage_name() != "waiting for the answer to a create request" {
            self.state.broke(Promise::OneCreateAtATime, "a create was sent without an intent");
        } else if truth.user != self.state.aws.user {
            self.state.broke(Promise::SameIdentity, "a key was made for another user of the same name");
        }
        if self.sabotage == Some(Sabotage::DeleteOldest) && !self.state.aws.has_room(false) {
            let oldest = self.state.aws.numbers().next().unwrap_or(KeyNumber(0));
            self.change(oldest, Status::Deleted, Cause::Changed { client: self.client_number() });
        }
        if !self.state.aws.has_room(false) && matches!(self.outcome, Outcome::Fine | Outcome::Slow) {
            return verdict::create_failed(&rotation, CreateFailure::QuotaFull, "full".to_owned());
        }
        let maker = Maker::Client(self.client_number());
        let lost = |rotation: &Rotation, sabotage: Option<Sabotage>| {
            let failure = if sabotage == Some(Sabotage::BlindSecondCreate) {
                CreateFailure::NotNow
            } else {
                CreateFailure::Unknown
            };
            verdict::create_failed(rotation, failure, LOST.to_owned())
        };
        match self.outcome {
            Outcome::Throttled => verdict::create_failed(&rotation, CreateFailure::NotNow, "slow down".to_owned()),
            Outcome::LostBefore => {
                self.state.clients[self.client].truth.open_creates = 1;
                lost(&rotation, self.sabotage)
            }
            Outcome::LostAfter | Outcome::CrashAfter => {
                self.state.clients[self.client].truth.open_creates = 1;
                self.state.aws.make(maker, true);
                if self.sabotage == Some(Sabotage::RetryOnCreate) {
                    let key = self.state.aws.make(maker, true);
                    return self.created(key, Staged::Whole);
                }
                lost(&rotation, self.sabotage)
            }
            Outcome::LostLate | Outcome::CrashLate => {
                self.state.clients[self.client].truth.open_creates = 1;
                let what = Request::Create { user: self.state.aws.user };
                self.send_late(what);
                lost(&rotation, self.sabotage)
            }
            Outcome::NotStaged | Outcome::NotStagedNorDeleted => {
                let key = self.state.aws.make(maker, true);
                self.state.clients[self.client].truth.told.push(key);
                if self.outcome == Outcome::NotStaged {
                    self.change(key, Status::Deleted, Cause::Changed { client: self.client_number() });
                }
                Event::KeyCreated { key: key.id() }
            }
            Outcome::Fine
            | Outcome::Slow
            | Outcome::Race
            | Outcome::Rot
            | Outcome::ListedLate
            | Outcome::TrailSilent
            | Outcome::Unsettled
            | Outcome::UseUnknown => {
                let key = self.state.aws.make(maker, !matches!(self.outcome, Outcome::Fine | Outcome::Race));
                self.created(key, if self.outcome == Outcome::Rot { Staged::Rotten } else { Staged::Whole })
            }
        }
    }

    fn created(&mut self, key: KeyNumber, staged: Staged) -> Event {
        let client = &mut self.state.clients[self.client];
        client.new_staged = if self.sabotage == Some(Sabotage::StageAfterDeliver) { Staged::Memory } else { staged };
        Event::KeyCreated { key: key.id() }
    }

    fn investigate(&mut self) -> Result<Event, Refused> {
        self.sign()?;
        self.answered()?;
        let rotation = self.rotation();
        let listed = self.state.aws.list(self.outcome == Outcome::ListedLate);
        let suspects = verdict::keys_since(rotation.plan(), &listed);
        let is_ours = |id: &&AccessKeyId| {
            self.state.aws.key(KeyNumber::of(id)).is_some_and(|key| key.maker == Maker::Client(self.client_number()))
        };
        let mut ours = match self.outcome {
            Outcome::TrailSilent => None,
            _ => suspects.iter().find(is_ours).cloned(),
        };
        if self.sabotage == Some(Sabotage::SetDifferenceOrphan) {
            ours = suspects.iter().next().cloned();
        }
        let event = verdict::investigated(suspects, ours);
        if event == Event::OrphanAbsent {
            self.resolve_creates();
        }
        Ok(event)
    }

    /// The journal takes the open create requests for resolved: they had better be.
    fn resolve_creates(&mut self) {
        let client = self.client_number();
        let is_late = |late: &Late| late.client == client && matches!(late.what, Request::Create { .. });
        if self.state.aws.late.iter().any(is_late) {
            self.state.broke(Promise::OneCreateAtATime, "a create was called resolved with the request under way");
        }
        self.state.clients[self.client].truth.open_creates = 0;
    }

    fn read_back(&mut self) -> Event {
        let staged = self.state.clients[self.client].new_staged;
        if self.sabotage == Some(Sabotage::NoSecretReadBack) || matches!(staged, Staged::Whole | Staged::Memory) {
            Event::SecretReadBack
        } else {
            Event::SecretLost { error: "it cannot be read".to_owned() }
        }
    }

    fn prove(&mut self, id: &AccessKeyId) -> Event {
        let number = KeyNumber::of(id);
        let is_displaced = self.displaced() == number;
        if !self.is_staged(is_displaced) {
            return failed("the staged secret cannot be read");
        }
        if self.outcome == Outcome::Throttled {
            return failed("slow down");
        }
        if is_displaced && self.sabotage == Some(Sabotage::UndoUnproven) {
            return Event::ProofPassed;
        }
        if !self.state.aws.is_active(number) {
            if is_displaced && self.is_gone(number) {
                return Event::DisplacedGone;
            }
            return Event::ProofFailed { error: "the key is not accepted".to_owned() };
        }
        let Some(key) = self.state.aws.key_mut(number) else { return failed("no key") };
        if self.outcome == Outcome::Unsettled {
            key.luck[self.client] = 0;
            return Event::ProofFailed { error: "the key is not accepted".to_owned() };
        }
        if !key.is_settled() {
            key.luck[self.client] += 1;
        }
        Event::ProofPassed
    }

    fn check_rivals(&mut self, new: &AccessKeyId) -> Result<Event, Refused> {
        let plan = self.rotation().plan().clone();
        if self.admin {
            self.sign()?;
        } else if !self.is_staged(false) || !self.state.aws.is_active(KeyNumber::of(new)) {
            return Err("the new key is not accepted");
        }
        self.answered()?;
        if self.sabotage == Some(Sabotage::NoRivalsCheck) {
            return Ok(Event::RivalsAbsent);
        }
        let listed = self.state.aws.list(self.outcome == Outcome::ListedLate);
        Ok(verdict::rivals(&plan, new, &listed))
    }

    fn make_room(&mut self, id: &AccessKeyId) -> Result<Event, Refused> {
        self.sign()?;
        let number = KeyNumber::of(id);
        if self.state.aws.has(number)
            && let Some(key) = self.state.aws.key(number)
        {
            let status = if key.status == Status::Active { KeyStatus::Active } else { KeyStatus::Inactive };
            if !verdict::is_idle(status, &self.state.aws.last_used(number)) {
                return Err("the key is in use");
            }
            self.send_delete(number, Cause::Changed { client: self.client_number() })?;
        }
        Ok(Event::RoomMade)
    }

    fn deliver(&mut self, place: usize) -> Event {
        let number = self.new_key();
        if self.state.aws.key(number).is_some_and(|key| !key.touched && !key.is_settled()) {
            self.state.broke(Promise::RetiredOnlyWhenReplaced, "a key was delivered that does not work everywhere yet");
        }
        if self.sabotage == Some(Sabotage::DeactivateBeforeDeliver) {
            self.change(self.displaced(), Status::Inactive, Cause::Retired { client: self.client_number() });
        }
        let expected = [self.displaced(), number];
        match self.put(place, number, &expected, false) {
            Ok(()) => {
                let client = &mut self.state.clients[self.client];
                if client.new_staged == Staged::Memory {
                    client.new_staged = Staged::Whole;
                }
                Event::Delivered { place, mark: None }
            }
            Err(error) => Event::DeliveryFailed { place, error: error.to_owned() },
        }
    }

    fn restore(&mut self, place: usize) -> Event {
        let displaced = self.displaced();
        let expected = [displaced, self.new_key()];
        match self.put(place, displaced, &expected, true) {
            Ok(()) => Event::Restored { place, mark: None },
            Err(error) => Event::RestoreFailed { place, error: error.to_owned() },
        }
    }

    fn put(&mut self, place: usize, key: KeyNumber, expected: &[KeyNumber], is_displaced: bool) -> Result<(), Refused> {
        if !self.is_staged(is_displaced) {
            return Err("the staged secret cannot be read");
        }
        let machine = self.state.clients[self.client].machine;
        let held = self.state.machines[machine].places.get_mut(place).ok_or("no such place")?;
        if !expected.contains(&held.key) {
            return Err("the place holds another key");
        }
        if self.shut == Some(place) && self.sabotage != Some(Sabotage::FailedIsDelivered) {
            return Err("the place is shut");
        }
        if self.outcome != Outcome::LostBefore && self.shut != Some(place) {
            *held = Held { key, outsider: false };
        }
        if self.outcome == Outcome::LostBefore || self.outcome == Outcome::LostAfter {
            return Err("the place could not be read back");
        }
        Ok(())
    }

    fn observe(&mut self) -> Result<Event, Refused> {
        self.sign()?;
        self.answered()?;
        let displaced = self.displaced();
        if !self.state.aws.has(displaced) {
            return Ok(Event::DisplacedGone);
        }
        let last_used = match self.outcome {
            Outcome::UseUnknown => LastUsed::Unknown { reason: "denied".to_owned() },
            _ => self.state.aws.last_used(displaced),
        };
        Ok(Event::Observed { last_used })
    }

    fn deactivate_displaced(&mut self) -> Result<Event, Refused> {
        let machine = self.state.clients[self.client].machine;
        let (new, displaced) = (self.new_key(), self.displaced());
        if let Some(event) = self.overwritten(displaced) {
            return Ok(event);
        }
        self.sign()?;
        self.check_successor(new)?;
        let is_everywhere = self.state.machines[machine].places.iter().all(|held| held.key == new);
        let works = self.state.aws.key(new).is_some_and(|key| self.is_seen_to_work(key));
        if !is_everywhere || !works {
            self.state.broke(
                Promise::RetiredOnlyWhenReplaced,
                "the displaced key was deactivated without a working one in every place",
            );
        }
        if self.sabotage == Some(Sabotage::BeforeSetForDisplaced) {
            for id in &self.rotation().plan().before.clone() {
                self.change(KeyNumber::of(id), Status::Inactive, Cause::Retired { client: self.client_number() });
            }
        }
        if self.sabotage == Some(Sabotage::WipeEarly) {
            self.wipe();
        }
        if self.send_status(displaced, Status::Inactive, Cause::Retired { client: self.client_number() })? {
            Ok(Event::DisplacedDeactivated)
        } else {
            Ok(Event::DisplacedGone)
        }
    }

    fn delete_displaced(&mut self) -> Result<Event, Refused> {
        self.sign()?;
        if self.sabotage == Some(Sabotage::DeleteUnread) {
            self.send_delete(self.displaced(), Cause::Retired { client: self.client_number() })?;
            return Ok(Event::DisplacedDeleted);
        }
        let last_used = self.state.aws.last_used(self.displaced());
        match verdict::displaced_before_deletion(&self.rotation(), &self.state.aws.list(false), &last_used) {
            Deletion::Moot(event) => Ok(event),
            Deletion::Due(event) => {
                self.send_delete(self.displaced(), Cause::Retired { client: self.client_number() })?;
                Ok(event)
            }
        }
    }

    fn activate_displaced(&mut self) -> Result<Event, Refused> {
        self.sign()?;
        if self.sabotage == Some(Sabotage::DeactivateNewFirst) {
            self.change(self.new_key(), Status::Inactive, Cause::Changed { client: self.client_number() });
        }
        let displaced = self.displaced();
        if self.send_status(displaced, Status::Active, Cause::Changed { client: self.client_number() })? {
            Ok(Event::DisplacedActivated)
        } else {
            Ok(Event::DisplacedGone)
        }
    }

    fn overwritten(&self, doomed: KeyNumber) -> Option<Event> {
        if matches!(self.sabotage, Some(Sabotage::NoPlaceReadBack | Sabotage::FailedIsDelivered)) {
            return None;
        }
        let (rotation, machine) = (self.rotation(), self.state.clients[self.client].machine);
        let places = self.state.machines[machine].places.iter().enumerate();
        let mut found = places
            .filter_map(|(place, held)| verdict::overwritten(&rotation, place, Some(&held.key.id()), &doomed.id()));
        found.next()
    }

    fn deactivate_new(&mut self) -> Result<Event, Refused> {
        let (new, displaced) = (self.new_key(), self.displaced());
        if let Some(event) = self.overwritten(new) {
            return Ok(event);
        }
        self.sign()?;
        self.check_successor(displaced)?;
        let machine = self.state.clients[self.client].machine;
        let is_back = self.state.machines[machine].places.iter().all(|held| held.key == displaced || held.outsider);
        let works = self.state.aws.key(displaced).is_some_and(|key| self.is_seen_to_work(key));
        if !is_back || !works {
            self.state.broke(
                Promise::RetiredOnlyWhenReplaced,
                "an undo deactivated the new key without a working displaced one in every place",
            );
        }
        if self.send_status(new, Status::Inactive, Cause::Changed { client: self.client_number() })? {
            Ok(Event::NewDeactivated)
        } else {
            Ok(Event::NewDeleted)
        }
    }

    fn check_successor(&self, key: KeyNumber) -> Result<(), Refused> {
        let looks = self.admin && self.sabotage != Some(Sabotage::NoSuccessorCheck);
        if looks && !verdict::is_active(&self.state.aws.list(false), &key.id()) {
            return Err("the key that stays is not active");
        }
        Ok(())
    }

    fn delete(&mut self, key: &AccessKeyId, done: Event) -> Result<Event, Refused> {
        self.sign()?;
        self.send_delete(KeyNumber::of(key), Cause::Changed { client: self.client_number() })?;
        Ok(done)
    }

    /// Who signs, as `Driver::signer` finds it, and whether AWS lets the signature in.
    fn sign(&mut self) -> Result<(), Refused> {
        let client = &self.state.clients[self.client];
        if self.admin {
            return if client.truth.user == self.state.aws.user || self.sabotage == Some(Sabotage::NoIdentityCheck) {
                Ok(())
            } else {
                Err("the user was made anew")
            };
        }
        let displaced = self.displaced();
        let rotation = self.rotation();
        let new = rotation.new_key().map(KeyNumber::of);
        let places = &self.state.machines[client.machine].places;
        let kept =
            |taken_out: Option<KeyNumber>| places.iter().map(|held| held.key).find(|key| Some(*key) != taken_out);
        let key = match rotation.signing_key() {
            SigningKey::Displaced => self.is_staged(true).then_some(displaced),
            SigningKey::New if self.sabotage == Some(Sabotage::SignWithOld) => Some(displaced),
            SigningKey::New => kept(Some(displaced)).or(new.filter(|_| self.is_staged(false))),
            SigningKey::Restored => kept(new).or(self.is_staged(true).then_some(displaced)),
        };
        let Some(key) = key else { return Err("no secret to sign with") };
        // An undo signs with the displaced key once it has proven it, and puts an end to its displacement.
        if key == displaced && client.truth.promoted && rotation.signing_key() == SigningKey::New {
            self.state.broke(Promise::OldKeyUnused, "a change was signed with the displaced key after promotion");
        }
        if self.state.aws.is_active(key) { Ok(()) } else { Err("the signing key is not accepted") }
    }

    fn answered(&self) -> Result<(), Refused> {
        if self.outcome == Outcome::Throttled { Err("slow down") } else { Ok(()) }
    }

    /// `UpdateAccessKey`; false where the key is gone for sure.
    fn send_status(&mut self, key: KeyNumber, status: Status, cause: Cause) -> Result<bool, Refused> {
        if !self.state.aws.has(key) {
            return self.answer(false);
        }
        self.change_as_it_goes(key, status, cause)?;
        self.answer(true)
    }

    /// `DeleteAccessKey`; a key that is gone already is fine.
    fn send_delete(&mut self, key: KeyNumber, cause: Cause) -> Result<(), Refused> {
        if self.state.aws.has(key) {
            self.change_as_it_goes(key, Status::Deleted, cause)?;
        }
        self.answer(())
    }

    fn change_as_it_goes(&mut self, key: KeyNumber, status: Status, cause: Cause) -> Result<(), Refused> {
        match self.outcome {
            Outcome::LostBefore => Err(LOST),
            Outcome::LostLate | Outcome::CrashLate => {
                self.check_change(key, status);
                self.send_late(Request::Set { key, status, cause });
                Err(LOST)
            }
            _ => {
                self.change(key, status, cause);
                Ok(())
            }
        }
    }

    fn answer<T>(&self, answer: T) -> Result<T, Refused> {
        match self.outcome {
            Outcome::LostBefore | Outcome::LostAfter | Outcome::LostLate => Err(LOST),
            _ => Ok(answer),
        }
    }

    fn change(&mut self, key: KeyNumber, status: Status, cause: Cause) {
        self.check_change(key, status);
        let is_named = self.state.clients[self.client].truth.named.contains(&key);
        self.state.aws.set(key, status, if is_named { Cause::Outsider } else { cause });
    }

    fn check_change(&mut self, number: KeyNumber, status: Status) {
        let client = &self.state.clients[self.client];
        let Some(key) = self.state.aws.key(number) else { return };
        let is_displaced = self.displaced() == number;
        let is_ours = key.maker == Maker::Client(self.client_number());
        if key.user != client.truth.user {
            self.state.broke(Promise::SameIdentity, "a key of another user of the same name was changed");
        } else if status == Status::Deleted && !may_delete(self.client, client, number, key) {
            self.state.broke(Promise::DeletedOnlyWhatMay, "a key was deleted that may not be");
        } else if !is_displaced && !is_ours && !client.truth.named.contains(&number) {
            self.state.broke(Promise::DeletedOnlyWhatMay, "a key was changed that is neither displaced nor ours");
        }
    }

    fn send_late(&mut self, what: Request) {
        let client = self.client_number();
        self.state.aws.late.push(Late { what, client, by: QUARANTINE - 1 });
    }

    /// Whether AWS lists the user's keys without this one. An error means no.
    fn is_gone(&mut self, key: KeyNumber) -> bool {
        self.sign().is_ok() && !self.state.aws.has(key)
    }

    fn wipe(&mut self) {
        let client = &mut self.state.clients[self.client];
        client.displaced_staged = false;
        client.new_staged = Staged::None;
    }

    fn is_staged(&self, displaced: bool) -> bool {
        let client = &self.state.clients[self.client];
        if displaced { client.displaced_staged } else { matches!(client.new_staged, Staged::Whole | Staged::Memory) }
    }

    fn rotation(&self) -> Rotation {
        #[expect(clippy::expect_used, reason = "only a planned rotation has effects")]
        self.state.clients[self.client].rotation.clone().expect("a rotation")
    }

    fn displaced(&self) -> KeyNumber {
        KeyNumber::of(&self.rotation().plan().displaced)
    }

    fn new_key(&self) -> KeyNumber {
        self.rotation().new_key().map_or(KeyNumber(31), KeyNumber::of)
    }

    /// Whether all that can be seen of a key says that it works. A key that somebody outside switches on and off may lag
    /// behind the proofs.
    fn is_seen_to_work(&self, key: &Key) -> bool {
        let is_disturbed = key.touched || self.is_by_another(key);
        key.status == Status::Active && (key.is_settled() || is_disturbed)
    }

    /// Another machine that switches the same key on and off restarts its lag behind our proofs.
    fn is_by_another(&self, key: &Key) -> bool {
        match key.cause {
            Cause::Retired { client } | Cause::Changed { client } => client != self.client_number(),
            Cause::Made | Cause::Outsider => false,
        }
    }

    fn client_number(&self) -> u8 {
        u8::try_from(self.client).unwrap_or(u8::MAX)
    }
}

fn failed(error: Refused) -> Event {
    Event::Failed { error: error.to_owned() }
}
