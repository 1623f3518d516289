//! The loop: next, append the intent, perform, append the outcome, apply. Quarantines and rotations are carried out by their own
//! drivers, in their own threads of the journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use akia_core::contain::{
    Act, Containment, ContainmentEvent, ContainmentOpening, ContainmentRecord, Illegal, KeyLook, LATE, Next, Strategy,
};
use akia_core::enforce::{Act as KeyAct, CaseSubject};
use akia_core::estate::Known;
use akia_core::ids::{AccessKeyId, ContainmentId, ProfileName, QuarantineId, RotationId};
use akia_core::journal::Event;
use akia_core::key::KeyStatus;
use akia_core::quarantine::{Quarantine, QuarantineOpening, QuarantineStage};
use akia_core::rotation::{Decision, Identity, Pace, Rest, Retirement, Rotation};
use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::audit::without_key;
use crate::aws::{Answered, AwsError};
use crate::clock::Clock;
use crate::enforce::{Gate, PolicyNow, PolicySource, QuarantineError, Quarantiner, load_quarantines};
use crate::profiles::AwsFiles;
use crate::rotate::{Draw, DriveError, Driver, Options, PreparedRotation, Refusal, Selection, Stop, Watch, lock_user};
use crate::store::{Entry, SharedStore, Store, StoreError, Threads};

/// Looks and acts in one run, at most; a bound on a bug.
const EFFECT_LIMIT: usize = 60;
/// Between two looks at a key whose change AWS does not show yet.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the displaced key is kept inactive for an undo.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Told of everything that is written down.
pub trait Teller: Send + Sync {
    /// A record was appended and applied.
    fn recorded(&self, one: &Containment, record: &ContainmentRecord);
}

/// What a rotation for a containment takes.
pub struct Rotating<'a> {
    /// Carries rotations out.
    pub driver: &'a Driver,
    /// Both AWS files.
    pub files: &'a AwsFiles,
    /// Where ids come from.
    pub draw: &'a Draw,
    /// The profile that signs.
    pub signer: ProfileName,
    /// A key that may be deleted to make room.
    pub make_room: Vec<AccessKeyId>,
    /// The region of the command line.
    pub region: Option<akia_core::Region>,
    /// Told of the rotation.
    pub watch: &'a dyn Watch,
    /// What the plan has prepared already.
    pub prepared: Mutex<Option<PreparedRotation>>,
}

impl Rotating<'_> {
    /// Prepares the rotation of one key of a user.
    ///
    /// # Errors
    /// Why it cannot be rotated.
    pub async fn prepare(&self, opening: &ContainmentOpening) -> Result<PreparedRotation, Box<Refusal>> {
        let selection = Selection::User { user: opening.user.name.clone(), signer: self.signer.clone() };
        let options = Options {
            retirement: Retirement::Deactivate,
            grace: GRACE,
            older_than: None,
            make_room: self.make_room.clone(),
            region: self.region.clone(),
            // Whoever has found the key uses it: that is no reason to leave it active.
            without_evidence: true,
            pace: Pace::default(),
        };
        let prepared = self.driver.prepare(self.files, &selection, &options, self.draw).await;
        let of_key = prepared.rotations.into_iter().find(|one| one.plan.displaced == opening.key);
        let refused = prepared.refused.into_iter().next().map(|one| Box::new(one.refusal));
        of_key.ok_or_else(|| {
            refused.unwrap_or_else(|| Box::new(Refusal::NoPlace { user: opening.user.name.to_string() }))
        })
    }
}

/// Everything that a containment touches.
pub struct Container<'a> {
    /// The journal.
    pub store: SharedStore,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The way into the account.
    pub gate: &'a Gate,
    /// Rotates, where that can be done from here.
    pub rotating: Option<Rotating<'a>>,
    /// A person may stop the run between two acts.
    pub stop: Stop,
    /// Where no person has asked for it, the policy and the kill switch: they are read again before each act, and may end the run.
    pub policy: Option<&'a dyn PolicySource>,
    /// Told of what happens.
    pub teller: &'a dyn Teller,
}

/// Why a containment could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ContainError {
    /// The journal could not be written or read.
    #[error("{0}")]
    Journal(#[from] StoreError),
    /// The journal says what cannot be.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A quarantine could not go on.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// A rotation could not go on.
    #[error(transparent)]
    Rotation(#[from] DriveError),
}

/// A containment whose records make no sense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("containment {id}: {reason}")]
pub struct Broken {
    /// Which.
    pub id: ContainmentId,
    /// What does not fit.
    pub reason: String,
}

/// Every containment of a journal with its records, the oldest first.
///
/// # Errors
/// When the journal, or one of them, cannot be read.
pub async fn load_containments(store: &dyn Store) -> Result<Vec<(Containment, Vec<ContainmentRecord>)>, ContainError> {
    let mut order: Vec<ContainmentId> = Vec::new();
    let mut entries: HashMap<ContainmentId, Vec<Entry>> = HashMap::new();
    for entry in store.entries(Threads::Containments).await? {
        let Some(id) = entry.thread.containment().cloned() else { continue };
        let of_one = entries.entry(id.clone()).or_default();
        if of_one.is_empty() {
            order.push(id);
        }
        of_one.push(entry);
    }
    let loaded = order.into_iter().map(|id| {
        let records: Result<Vec<ContainmentRecord>, StoreError> =
            entries.remove(&id).unwrap_or_default().iter().map(Entry::parse).collect();
        let records = records.map_err(|error| Broken { id: id.clone(), reason: error.to_string() })?;
        let one = Containment::replay(&records).map_err(|illegal| Broken { id, reason: illegal.to_string() })?;
        Ok((one, records))
    });
    loaded.collect()
}

/// Whether a containment has begun that quarantine, for whichever key of the user. Another one is somebody's own, and stays.
#[must_use]
pub fn is_of_containments(all: &[(Containment, Vec<ContainmentRecord>)], quarantine: &QuarantineId) -> bool {
    all.iter().any(|(one, _)| one.opening().owns_quarantine && one.opening().quarantine == *quarantine)
}

/// How an act ended.
enum Ending {
    Done(Option<String>),
    HandedOver(ContainmentId),
    Refused(String),
    Unanswered(String),
}

impl Container<'_> {
    /// Begins a containment; nothing is changed yet.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn open(&self, opening: ContainmentOpening) -> Result<Containment, ContainError> {
        let id = opening.id.clone();
        let event = ContainmentEvent::Opened { opening: Box::new(opening) };
        let record = ContainmentRecord { at: self.clock.now(), event };
        let one = Containment::begin(&record).map_err(|illegal| broken(&id, illegal))?;
        self.store.append(&id.into(), &record, None, &*self.clock).await?;
        self.teller.recorded(&one, &record);
        Ok(one)
    }

    /// A person wants it done in another way.
    ///
    /// # Errors
    /// When the journal fails, or it cannot be.
    pub async fn redirect(&self, one: &mut Containment, strategy: Strategy, reason: &str) -> Result<(), ContainError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, ContainmentEvent::Redirected { strategy, reason: reason.to_owned(), by }).await
    }

    /// A new run takes it up.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn take_up(&self, one: &mut Containment) -> Result<(), ContainError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, ContainmentEvent::Resumed { by }).await
    }

    /// A person wants it taken back.
    ///
    /// # Errors
    /// When the journal fails, or it cannot be.
    pub async fn ask_undo(&self, one: &mut Containment, reason: &str) -> Result<(), ContainError> {
        let by = self.gate.caller_arn().to_owned();
        self.record(one, ContainmentEvent::UndoAsked { reason: reason.to_owned(), by }).await
    }

    /// Notes what became of a try with the secret of a profile here.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn note_tried(&self, one: &mut Containment, refused: Known<bool>) -> Result<(), ContainError> {
        self.record(one, ContainmentEvent::Tried { refused }).await
    }

    /// Does what is to be done, until it rests, does not go on, or a person stops it.
    ///
    /// # Errors
    /// When the journal fails. Where it stands is in its records.
    pub async fn carry_out(&self, one: &mut Containment) -> Result<(), ContainError> {
        for _ in 0..EFFECT_LIMIT {
            if self.stop.is_pulled() {
                return Ok(());
            }
            match one.next(self.clock.now()) {
                Next::Rest => return Ok(()),
                Next::Wait { until } => self.wait(until).await,
                Next::Look => {
                    let look = self.look(one.opening()).await;
                    let is_active = look.key == Known::Told(Some(KeyStatus::Active));
                    if is_active && one.done_at(Act::Deactivate).is_some() {
                        // The list lags behind the change: a moment, and it is asked again by the next turn.
                        self.clock.sleep(PAUSE).await;
                    }
                    self.record(one, ContainmentEvent::Looked { look }).await?;
                }
                Next::Take(_) if self.switched_off().is_some() => return Ok(()),
                Next::Take(Act::Rotate) => self.rotate(one).await?,
                Next::Take(act) => self.take(one, act).await?,
            }
        }
        Ok(())
    }

    /// Why nothing is done now, where the policy says so. For what a person asks for it never does.
    #[must_use]
    pub fn switched_off(&self) -> Option<String> {
        match self.policy?.read() {
            Err(reason) => Some(format!("the policy cannot be read: {reason}")),
            Ok(PolicyNow { stopped: Some(reason), .. }) => Some(format!("enforcement is off ({reason})")),
            Ok(now) => (!now.policy.is_enabled).then(|| "enabled is false".to_owned()),
        }
    }

    async fn take(&self, one: &mut Containment, act: Act) -> Result<(), ContainError> {
        let by = self.gate.caller_arn().to_owned();
        let ending = match act {
            Act::Deactivate | Act::Delete | Act::Activate => {
                let opening = one.opening().clone();
                let identity = Identity { arn: opening.user.clone(), user_id: opening.user_id.clone() };
                let locked = lock_user(&*self.store, &identity).await;
                let opened = self.gate.actor(key_act(act), &subject(&opening, one.opened_at())).await;
                let by = opened.as_ref().map_or(by, |(_, by)| by.clone());
                self.record(one, ContainmentEvent::Intended { act, by }).await?;
                match (locked, opened) {
                    (Err(error), _) => Ending::Refused(format!("another akia works on the user: {error}")),
                    (Ok(_), Err(error)) => Ending::Refused(without_key(&error.to_string())),
                    (Ok(_lock), Ok((actor, _))) => {
                        let (user, key) = (&opening.user.name, &opening.key);
                        ending(match act {
                            Act::Delete => actor.delete_access_key_answered(user, key).await,
                            Act::Activate => actor.update_access_key_answered(user, key, KeyStatus::Active).await,
                            _ => actor.update_access_key_answered(user, key, KeyStatus::Inactive).await,
                        })
                    }
                }
            }
            Act::Tie | Act::DenySessions | Act::Ease | Act::Release => {
                self.record(one, ContainmentEvent::Intended { act, by }).await?;
                self.quarantine(one, act).await?
            }
            Act::Restore | Act::Rotate => {
                self.record(one, ContainmentEvent::Intended { act, by }).await?;
                self.restore(one).await?
            }
        };
        self.end(one, act, ending).await
    }

    async fn end(&self, one: &mut Containment, act: Act, ending: Ending) -> Result<(), ContainError> {
        let event = match ending {
            Ending::Done(request_id) => ContainmentEvent::Done { act, request_id },
            Ending::HandedOver(to) => ContainmentEvent::HandedOver { act, to },
            Ending::Refused(error) => ContainmentEvent::Refused { act, error },
            Ending::Unanswered(error) => ContainmentEvent::Unanswered { act, error },
        };
        self.record(one, event).await
    }

    /// Ties the user's hands, denies sessions, or takes either back.
    async fn quarantine(&self, one: &Containment, act: Act) -> Result<Ending, ContainError> {
        let opening = one.opening();
        let quarantiner =
            Quarantiner { store: Arc::clone(&self.store), clock: Arc::clone(&self.clock), gate: self.gate };
        let all = load_quarantines(&*self.store).await?;
        let own = all.iter().find(|one| one.opening().id == opening.quarantine);
        let of_user = |one: &&Quarantine| {
            let of = one.opening();
            !one.is_over() && (&of.account, &of.user_id) == (&opening.account, &opening.user_id)
        };
        let live = own.filter(|own| !own.is_over()).or_else(|| all.iter().find(of_user)).cloned();
        let containments = load_containments(&*self.store).await?;
        let is_own = live.as_ref().is_some_and(|live| is_of_containments(&containments, &live.opening().id));
        let others = || {
            let of_user = |other: &&Containment| {
                let of = other.opening();
                of.id != opening.id && (&of.account, &of.user_id) == (&opening.account, &opening.user_id)
            };
            containments.iter().map(|(other, _)| other).filter(of_user)
        };
        let tied = others().find(|other| other.needs_tie()).map(|other| other.opening().id.clone());
        let denied = others().find(|other| other.needs_denial()).map(|other| other.opening().id.clone());
        let reason = format!("containment {}", opening.id);
        // What another containment of the user needs stays, for whichever key it was put on; the last one takes it off.
        let left_to = match act {
            Act::Ease => tied.clone(),
            Act::Release => tied.clone().or(denied),
            _ => None,
        };
        if let (Some(live), Some(to)) = (live.as_ref().filter(|_| is_own), left_to) {
            if tied.is_none() && live.stage() == QuarantineStage::Holding {
                let mut live = live.clone();
                quarantiner.ease(&mut live, &reason).await?;
                quarantiner.carry_out(&mut live).await?;
                if !live.is_in_place() && !live.is_over() {
                    let held = live.held().unwrap_or("AWS does not show all of it yet").to_owned();
                    return Ok(Ending::Refused(held));
                }
            }
            return Ok(Ending::HandedOver(to));
        }
        let mut quarantine = match (live, act) {
            (None, Act::Ease | Act::Release) => return Ok(Ending::Done(None)),
            // Somebody else's: it stays as it is.
            (Some(_), Act::Ease | Act::Release) if !is_own => return Ok(Ending::Done(None)),
            (None, _) if own.is_some() => {
                return Ok(Ending::Refused(format!(
                    "quarantine {} was released by hand; akia enforce quarantine {} --reason … ties the user again",
                    opening.quarantine, opening.key
                )));
            }
            (None, _) => {
                let mut fresh = quarantiner.open(quarantine_of(opening, self.gate.caller_arn())).await?;
                if act == Act::DenySessions {
                    quarantiner.ease(&mut fresh, &reason).await?;
                }
                fresh
            }
            (Some(mut live), Act::Ease) => {
                if live.stage() == QuarantineStage::Holding {
                    quarantiner.ease(&mut live, &reason).await?;
                }
                live
            }
            (Some(mut live), Act::Release) => {
                if let Some(until) = live.lost_at().and_then(|at| at.checked_add(LATE).ok()) {
                    self.wait(until).await;
                }
                if live.stage() != QuarantineStage::Releasing {
                    quarantiner.ask_release(&mut live, &reason).await?;
                }
                live
            }
            (Some(live), _) if live.stage() == QuarantineStage::Releasing => {
                return Ok(Ending::Refused(format!(
                    "quarantine {} of the user is being taken back: akia enforce release {} --reason … finishes that",
                    live.opening().id,
                    live.opening().key
                )));
            }
            // The containment of another key of the user has left it so: without AWS's policy nobody's hands are tied.
            (Some(mut live), Act::Tie) if live.stage() == QuarantineStage::Eased => {
                quarantiner.tighten(&mut live, &reason).await?;
                live
            }
            (Some(mut live), _) => {
                quarantiner.renew(&mut live, &reason).await?;
                live
            }
        };
        quarantiner.carry_out(&mut quarantine).await?;
        let is_there = match act {
            Act::Release => quarantine.is_over(),
            Act::Tie => {
                quarantine.is_over() || quarantine.is_in_place() && quarantine.stage() == QuarantineStage::Holding
            }
            _ => quarantine.is_in_place() || quarantine.is_over(),
        };
        if is_there {
            return Ok(Ending::Done(None));
        }
        let held = quarantine.held().unwrap_or("AWS does not show all of it yet").to_owned();
        Ok(Ending::Refused(held))
    }

    /// Replaces the key by a rotation: the one that was begun for it, or a new one.
    async fn rotate(&self, one: &mut Containment) -> Result<(), ContainError> {
        let by = self.gate.caller_arn().to_owned();
        let Some(rotating) = &self.rotating else {
            self.record(one, ContainmentEvent::Intended { act: Act::Rotate, by }).await?;
            let why = "it takes a profile that signs: --profile ADMIN".to_owned();
            return self.end(one, Act::Rotate, Ending::Refused(why)).await;
        };
        let earlier = match one.rotation() {
            Some(id) => self.rotation(rotating.driver, id).await?,
            None => None,
        };
        let is_given_up = |one: &Rotation| {
            matches!(one.rest(self.clock.now()), Rest::Aborted { .. } | Rest::Undone { .. } | Rest::UndoneAndClean)
        };
        if let Some(mut rotation) = earlier.filter(|earlier| !is_given_up(earlier)) {
            self.record(one, ContainmentEvent::Intended { act: Act::Rotate, by }).await?;
            let identity = &rotation.plan().identity;
            let _lock = match lock_user(&*self.store, identity).await {
                Ok(lock) => lock,
                Err(error) => {
                    let why = format!("another akia works on the user: {error}");
                    return self.end(one, Act::Rotate, Ending::Refused(why)).await;
                }
            };
            rotation = rotating.driver.load(&rotation.plan().id).await?;
            if rotation.is_unfinished(self.clock.now()) {
                rotating.driver.record(&mut rotation, Event::Resumed, None, rotating.watch).await?;
            }
            let ending = self.drive(rotating, &mut rotation).await?;
            return self.end(one, Act::Rotate, ending).await;
        }
        let prepared = rotating.prepared.lock().await.take();
        let prepared = match prepared {
            Some(prepared) => Ok(prepared),
            None => rotating.prepare(one.opening()).await,
        };
        match prepared {
            Err(refusal) => {
                self.record(one, ContainmentEvent::Intended { act: Act::Rotate, by }).await?;
                self.end(one, Act::Rotate, Ending::Refused(without_key(&refusal.to_string()))).await
            }
            Ok(prepared) => {
                let PreparedRotation { plan, displaced_secret, lock, .. } = prepared;
                self.record(one, ContainmentEvent::Linked { rotation: plan.id.clone() }).await?;
                self.record(one, ContainmentEvent::Intended { act: Act::Rotate, by }).await?;
                let mut rotation = rotating.driver.begin(plan, displaced_secret.as_ref(), rotating.watch).await?;
                let ending = self.drive(rotating, &mut rotation).await?;
                drop(lock);
                self.end(one, Act::Rotate, ending).await
            }
        }
    }

    /// Drives a rotation until it rests.
    async fn drive(&self, rotating: &Rotating<'_>, rotation: &mut Rotation) -> Result<Ending, ContainError> {
        let id = rotation.plan().id.clone();
        loop {
            let rest = rotating.driver.run(rotation, &self.stop, rotating.watch).await?;
            let why = match rest {
                Rest::InGrace { .. } | Rest::Retired | Rest::Kept => return Ok(Ending::Done(None)),
                // A leaked key that is still used is the case here, and no reason to leave it active.
                Rest::Watching { .. }
                | Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } => {
                    rotating.driver.record(rotation, Event::EvidenceWaived, None, rotating.watch).await?;
                    continue;
                }
                Rest::Undecided { decision: Decision::Orphans { .. } } => {
                    format!("rotation {id} needs a person: akia resume {id}")
                }
                Rest::Aborted { .. } => format!("rotation {id} was given up: akia history show {id}"),
                Rest::Undone { .. } | Rest::UndoneAndClean => format!("rotation {id} was taken back"),
                Rest::Busy => format!("rotation {id} was interrupted"),
                Rest::Interrupted { error } => format!("rotation {id} was interrupted: {}", without_key(&error)),
            };
            return Ok(Ending::Refused(why));
        }
    }

    /// Takes the rotation back.
    async fn restore(&self, one: &Containment) -> Result<Ending, ContainError> {
        let Some(id) = one.rotation() else { return Ok(Ending::Done(None)) };
        let Some(rotating) = &self.rotating else {
            return Ok(Ending::Refused(format!("it takes a profile that signs; or: akia undo {id}")));
        };
        let Some(rotation) = self.rotation(rotating.driver, id).await? else {
            return Ok(Ending::Done(None));
        };
        let _lock = match lock_user(&*self.store, &rotation.plan().identity).await {
            Ok(lock) => lock,
            Err(error) => return Ok(Ending::Refused(format!("another akia works on the user: {error}"))),
        };
        let mut rotation = rotating.driver.load(id).await?;
        match rotation.rest(self.clock.now()) {
            Rest::Aborted { .. } | Rest::Undone { .. } | Rest::UndoneAndClean => return Ok(Ending::Done(None)),
            Rest::Retired => {
                return Ok(Ending::Refused("the old key is deleted: it cannot be brought back".to_owned()));
            }
            Rest::Busy
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undecided { .. }
            | Rest::Interrupted { .. } => {}
        }
        let event = if rotation.is_being_undone() { Event::Resumed } else { Event::UndoRequested };
        rotating.driver.record(&mut rotation, event, None, rotating.watch).await?;
        Ok(match rotating.driver.run(&mut rotation, &self.stop, rotating.watch).await? {
            Rest::Undone { .. } | Rest::UndoneAndClean | Rest::Aborted { .. } => Ending::Done(None),
            Rest::Busy
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::Retired
            | Rest::InGrace { .. }
            | Rest::Undecided { .. }
            | Rest::Interrupted { .. } => Ending::Refused(format!("rotation {id} is not taken back: akia undo {id}")),
        })
    }

    /// The rotation, where it was begun.
    async fn rotation(&self, driver: &Driver, id: &RotationId) -> Result<Option<Rotation>, ContainError> {
        let records = self.store.records(id).await?;
        if records.is_empty() { Ok(None) } else { Ok(Some(driver.load(id).await?)) }
    }

    async fn look(&self, opening: &ContainmentOpening) -> KeyLook {
        let unknown = |error: &AwsError| without_key(&error.to_string());
        let reader = match self.gate.reader(&opening.account).await {
            Ok(reader) => reader,
            Err(error) => {
                let reason = unknown(&error);
                return KeyLook { user_id: Known::Unknown { reason: reason.clone() }, key: Known::Unknown { reason } };
            }
        };
        let name = &opening.user.name;
        let (user, keys) = join(reader.user(Some(name)), reader.access_keys(Some(name))).await;
        KeyLook {
            user_id: match user {
                Ok(user) => Known::Told(Some(user.id)),
                Err(AwsError::NoSuchEntity { .. }) => Known::Told(None),
                Err(error) => Known::Unknown { reason: unknown(&error) },
            },
            key: match keys {
                Ok(keys) => Known::Told(keys.iter().find(|key| key.id == opening.key).map(|key| key.status)),
                Err(AwsError::NoSuchEntity { .. }) => Known::Told(None),
                Err(error) => Known::Unknown { reason: unknown(&error) },
            },
        }
    }

    async fn wait(&self, until: Timestamp) {
        let wait = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or(Duration::ZERO);
        tokio::select! {
            () = self.clock.sleep(wait) => {}
            () = self.stop.pulled() => {}
        }
    }

    /// Appends an event, durably, and applies it. An event that does not fit is not written.
    async fn record(&self, one: &mut Containment, event: ContainmentEvent) -> Result<(), ContainError> {
        let record = ContainmentRecord { at: self.clock.now(), event };
        let id = one.opening().id.clone();
        let mut next = one.clone();
        next.apply(&record).map_err(|illegal| broken(&id, illegal))?;
        self.store.append(&id.into(), &record, None, &*self.clock).await?;
        *one = next;
        self.teller.recorded(one, &record);
        Ok(())
    }
}

fn broken(id: &ContainmentId, illegal: Illegal) -> Broken {
    Broken { id: id.clone(), reason: illegal.to_string() }
}

fn ending(answer: Result<Answered, AwsError>) -> Ending {
    match answer {
        // Where the key is gone meanwhile, the next look says so.
        Ok(answered) => Ending::Done(answered.request_id),
        Err(error) if error.outcome_is_known() => Ending::Refused(without_key(&error.to_string())),
        Err(error) => Ending::Unanswered(without_key(&error.to_string())),
    }
}

fn key_act(act: Act) -> KeyAct {
    match act {
        Act::Delete => KeyAct::Delete,
        Act::Activate => KeyAct::Reactivate,
        Act::Deactivate | Act::Tie | Act::Rotate | Act::DenySessions | Act::Ease | Act::Release | Act::Restore => {
            KeyAct::Deactivate
        }
    }
}

/// As the gate asks for it; it does not look at the date.
fn subject(opening: &ContainmentOpening, at: Timestamp) -> CaseSubject {
    CaseSubject {
        account: opening.account.clone(),
        user: opening.user.clone(),
        user_id: opening.user_id.clone(),
        key: opening.key.clone(),
        key_created_at: at,
    }
}

fn quarantine_of(opening: &ContainmentOpening, by: &str) -> QuarantineOpening {
    QuarantineOpening {
        id: opening.quarantine.clone(),
        account: opening.account.clone(),
        user: opening.user.clone(),
        user_id: opening.user_id.clone(),
        key: opening.key.clone(),
        reason: format!("containment {}: {}", opening.id, opening.reason),
        by: by.to_owned(),
    }
}
