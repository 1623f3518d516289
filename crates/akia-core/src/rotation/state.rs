//! State, transitions and next effects of a rotation.

mod moments;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::effect::{Effect, GraceOver, InEveryPlace, Ours, Proven};
use super::plan::{Plan, Retirement};
use crate::ids::AccessKeyId;
use crate::journal::{Event, Intent, Record};
use crate::key::LastUsed;

/// How often a create request is tried before the rotation is given up.
const CREATE_LIMIT: u32 = 3;

/// How long after a look at suspected orphans another look is worth it: CloudTrail delivers within minutes.
const LOOK_GAP: SignedDuration = SignedDuration::from_secs(30);

/// One rotation, as its records say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Fixed, and shared: the driver copies the rotation for every record.
    plan: Arc<Plan>,
    stage: Stage,
    places: Vec<PlaceState>,
    /// What each place itself said of our last write to it; see [`Event::Delivered`].
    marks: Vec<Option<String>>,
    trouble: Option<Trouble>,
    retiring: Retiring,
    secrets: Secrets,
}

/// Requests to deactivate or delete the displaced key.
///
/// One without an answer may still take effect, up to [`super::Pace::quarantine`] after its sender has died or given
/// up. An undo that did not wait for it would prove the displaced key, put it back everywhere, and lose it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Retiring {
    /// Whether one was ever about to be sent, so that the displaced key may be inactive.
    begun: bool,
    /// Whether the last one was about to be sent and has no outcome in the journal.
    open: bool,
    /// When the last one without an answer was given up.
    unanswered_at: Option<Timestamp>,
}

/// Whether the state folder holds sealed secrets of this rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Secrets {
    Staged,
    Wiped,
}

/// A failure that left the state as it was, and how often in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Trouble {
    error: String,
    count: u32,
    at: Timestamp,
}

/// What is known of one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PlaceState {
    /// It holds the displaced key; nothing was written yet.
    Displaced,
    /// A write was begun and its outcome is not in the journal: it holds one key or the other, never a mix.
    Writing,
    /// It was read back with the new key.
    Delivered,
    /// A person said to leave what was put there meanwhile: neither of the rotation's keys.
    Left,
}

/// Where the rotation stands. States are nouns or past facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    Crowded,
    Planned {
        attempt: u32,
        not_before: Option<Timestamp>,
    },
    CreateIntended {
        attempt: u32,
        since: Timestamp,
    },
    CreateUnknown {
        attempt: u32,
        since: Timestamp,
    },
    OrphanSuspected {
        attempt: u32,
        since: Timestamp,
        keys: BTreeSet<AccessKeyId>,
        next_look: Timestamp,
    },
    OrphanAttributed {
        attempt: u32,
        ours: Ours,
    },
    Created {
        new: Ours,
        since: Timestamp,
    },
    Proving {
        new: Ours,
        since: Timestamp,
        streak: Streak,
    },
    Proven {
        new: Ours,
        proven: Proven,
    },
    Probing {
        new: Ours,
        proven: Proven,
        tries: Streak,
    },
    Delivering {
        new: Ours,
        proven: Proven,
    },
    Promoted {
        new: Ours,
        proven: Proven,
        delivered: InEveryPlace,
        at: Timestamp,
    },
    UseSuspected {
        new: Ours,
        proven: Proven,
        delivered: InEveryPlace,
        at: Timestamp,
        last_used: LastUsed,
        next_look: Timestamp,
    },
    Quiet {
        new: Ours,
        proven: Proven,
        delivered: InEveryPlace,
        at: Timestamp,
    },
    Kept {
        new: Ours,
        proven: Proven,
    },
    Deactivated {
        new: Ours,
        proven: Proven,
        delivered: InEveryPlace,
        at: Timestamp,
        grace: SignedDuration,
        begun: bool,
    },
    Reactivated {
        new: Ours,
        proven: Proven,
        delivered: InEveryPlace,
        at: Timestamp,
    },
    Retired,
    Discarding {
        new: Ours,
        why: AbortReason,
    },
    Aborted {
        why: AbortReason,
    },
    Undoing {
        new: Ours,
        new_proven: Proven,
        activation: Activation,
        streak: Streak,
    },
    Restoring {
        new: Ours,
        proven: Proven,
        new_proven: Proven,
    },
    Undone {
        new: Ours,
        at: Timestamp,
        grace: SignedDuration,
        begun: bool,
    },
    UndoneAndClean,
}

/// Whether the displaced key has to be activated before an undo goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Activation {
    Needed,
    Held,
}

/// Proofs in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Streak {
    passed: u32,
    failed: u32,
    last: Option<Timestamp>,
}

/// Why a rotation was given up with nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AbortReason {
    /// AWS refused to create a key.
    CreateRefused {
        /// Its words.
        error: String,
    },
    /// Create requests stayed without an answer, and none of them made a key.
    CreateUnanswered,
    /// Keys that a lost answer may have made are not ours, and fill the quota.
    NoRoom,
    /// The secret could not be kept durably.
    SecretLost {
        /// What was seen of the failure.
        error: String,
    },
    /// The new key never authenticated often enough in a row.
    NeverProven {
        /// The last failure.
        error: String,
    },
    /// What the owner said must work with the new key does not.
    ProbeFailed {
        /// The last failure.
        error: String,
    },
    /// Another machine was rotating the same user.
    Rival {
        /// The key that it made.
        keys: BTreeSet<AccessKeyId>,
    },
    /// A person took it back before anything was delivered.
    Undone,
}

/// What a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A lost answer may have made one of these keys. Nobody holds their secrets.
    Orphans {
        /// The suspects.
        keys: BTreeSet<AccessKeyId>,
    },
    /// The displaced key was used after promotion, or its use is unknown.
    StillUsed {
        /// What AWS says.
        last_used: LastUsed,
    },
    /// Somebody activated the displaced key during its grace.
    Reactivated,
}

/// How a rotation rests when there is nothing to do now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Not at rest: there is something to do or to wait for.
    Busy,
    /// The displaced key is deleted.
    Retired,
    /// The displaced key stays active, as asked.
    Kept,
    /// Delivered; the displaced key stays active while it is watched for whoever still uses it.
    Watching {
        /// When it is looked at.
        until: Timestamp,
    },
    /// The displaced key is inactive until its grace ends.
    InGrace {
        /// When it may be deleted.
        until: Timestamp,
    },
    /// Taken back; the new key is inactive until its grace ends.
    Undone {
        /// When the new key may be deleted.
        until: Timestamp,
    },
    /// Taken back, and the new key is deleted.
    UndoneAndClean,
    /// Given up; the displaced key is as it was.
    Aborted {
        /// Why.
        why: AbortReason,
    },
    /// A person has to decide.
    Undecided {
        /// What.
        decision: Decision,
    },
    /// An effect failed too often in this run. `resume` goes on.
    Interrupted {
        /// The last failure.
        error: String,
    },
}

/// Which key signs the changes of a rotation that the user makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningKey {
    /// The key that is replaced.
    Displaced,
    /// The key that replaces it: whatever the places hold now, but for the displaced one.
    New,
    /// The displaced key, back in its places: whatever they hold now, but for the key that was taken back.
    Restored,
}

/// A record that the rotation cannot have written: a bug, or a journal that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal says {event} of a rotation that is {stage}")]
pub struct Illegal {
    /// The event, in short.
    pub event: String,
    /// The stage, in short.
    pub stage: String,
}

impl Rotation {
    /// Starts from the first record, which holds the plan.
    pub fn begin(record: &Record) -> Result<Self, Illegal> {
        match &record.event {
            Event::Planned { plan } => Ok(Self {
                places: vec![PlaceState::Displaced; plan.places.len()],
                marks: vec![None; plan.places.len()],
                plan: Arc::new((**plan).clone()),
                stage: match &plan.make_room {
                    Some(key) if *key == plan.displaced || !plan.before.contains(key) => {
                        return Err(Illegal { event: name_of(&record.event), stage: "not planned".to_owned() });
                    }
                    Some(_) => Stage::Crowded,
                    None => Stage::Planned { attempt: 1, not_before: None },
                },
                trouble: None,
                retiring: Retiring::default(),
                secrets: Secrets::Staged,
            }),
            other => Err(Illegal { event: name_of(other), stage: "not planned".to_owned() }),
        }
    }

    /// Rebuilds the rotation from its records: recovery is the ordinary start.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let first = records.next().ok_or_else(|| Illegal { event: "nothing".into(), stage: "not planned".into() })?;
        let mut rotation = Self::begin(first)?;
        for record in records {
            rotation.apply(record)?;
        }
        Ok(rotation)
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The new key, once AWS has answered with one, and as long as it exists.
    #[must_use]
    pub fn new_key(&self) -> Option<&AccessKeyId> {
        self.new_ours().map(Ours::key)
    }

    /// What is known of each place, in the order of the plan.
    #[must_use]
    pub fn places(&self) -> &[PlaceState] {
        &self.places
    }

    /// What the place said of our last write to it, where it cannot be read.
    #[must_use]
    pub fn mark(&self, place: usize) -> Option<&str> {
        self.marks.get(place).and_then(Option::as_deref)
    }

    /// The key in a place that gives no secrets back: the one that was written last, as long as the place says the same of its last
    /// write as it did then.
    #[must_use]
    pub fn sealed_key(
        &self,
        place: usize,
        doomed: &AccessKeyId,
        id: Option<AccessKeyId>,
        mark: Option<&str>,
    ) -> Option<AccessKeyId> {
        if mark != self.mark(place) {
            return id.filter(|id| id == doomed);
        }
        let written = if *doomed == self.plan.displaced { self.new_key() } else { Some(&self.plan.displaced) };
        id.or_else(|| written.cloned())
    }

    /// Places that are still to be written, forward or in an undo, by index.
    #[must_use]
    pub fn open_places(&self) -> Vec<usize> {
        let wanted = match &self.stage {
            Stage::Delivering { .. } => PlaceState::Delivered,
            Stage::Restoring { .. } => PlaceState::Displaced,
            Stage::Crowded
            | Stage::Planned { .. }
            | Stage::CreateIntended { .. }
            | Stage::CreateUnknown { .. }
            | Stage::OrphanSuspected { .. }
            | Stage::OrphanAttributed { .. }
            | Stage::Created { .. }
            | Stage::Proving { .. }
            | Stage::Proven { .. }
            | Stage::Probing { .. }
            | Stage::Promoted { .. }
            | Stage::UseSuspected { .. }
            | Stage::Quiet { .. }
            | Stage::Kept { .. }
            | Stage::Deactivated { .. }
            | Stage::Reactivated { .. }
            | Stage::Retired
            | Stage::Discarding { .. }
            | Stage::Aborted { .. }
            | Stage::Undoing { .. }
            | Stage::Undone { .. }
            | Stage::UndoneAndClean => return Vec::new(),
        };
        let is_open = |state: &PlaceState| *state != wanted && *state != PlaceState::Left;
        (0..self.places.len()).filter(|&place| is_open(&self.places[place])).collect()
    }

    /// Whether a place that holds `held` allows that `doomed`, the displaced key or in an undo the new one, is
    /// deactivated. To be asked right before the act: somebody may have written there since the delivery.
    #[must_use]
    pub fn may_lose(&self, place: usize, held: Option<&AccessKeyId>, doomed: &AccessKeyId) -> bool {
        let successor = if *doomed == self.plan.displaced { self.new_key() } else { Some(&self.plan.displaced) };
        match self.places.get(place) {
            Some(PlaceState::Left) => held != Some(doomed),
            Some(PlaceState::Displaced | PlaceState::Writing | PlaceState::Delivered) => held == successor,
            None => true,
        }
    }

    /// Since when every place holds the new key, as long as the displaced one is judged by its use.
    #[must_use]
    pub fn promoted_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Promoted { at, .. } | Stage::UseSuspected { at, .. } | Stage::Quiet { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Which key signs now. From promotion on the displaced key signs nothing, but for an undo that has proven it.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        match &self.stage {
            Stage::Promoted { .. }
            | Stage::UseSuspected { .. }
            | Stage::Quiet { .. }
            | Stage::Kept { .. }
            | Stage::Deactivated { .. }
            | Stage::Reactivated { .. }
            | Stage::Retired
            | Stage::Undoing { .. } => SigningKey::New,
            Stage::Crowded
            | Stage::Planned { .. }
            | Stage::CreateIntended { .. }
            | Stage::CreateUnknown { .. }
            | Stage::OrphanSuspected { .. }
            | Stage::OrphanAttributed { .. }
            | Stage::Created { .. }
            | Stage::Proving { .. }
            | Stage::Proven { .. }
            | Stage::Probing { .. }
            | Stage::Delivering { .. }
            | Stage::Discarding { .. }
            | Stage::Aborted { .. }
            | Stage::Restoring { .. } => SigningKey::Displaced,
            // Its deletion may come weeks later, when another rotation has retired the key that was put back.
            Stage::Undone { .. } | Stage::UndoneAndClean => SigningKey::Restored,
        }
    }

    /// Whether an earlier create request of this rotation stayed without an answer or was throttled: a key that
    /// appears late may then be ours.
    #[must_use]
    pub fn has_created_before(&self) -> bool {
        match &self.stage {
            Stage::Planned { attempt, .. } | Stage::CreateIntended { attempt, .. } => *attempt > 1,
            _ => false,
        }
    }

    /// Whether the rotation is on its way back.
    #[must_use]
    pub fn is_being_undone(&self) -> bool {
        matches!(self.stage, Stage::Undoing { .. } | Stage::Restoring { .. })
            || matches!(self.stage, Stage::Discarding { why: AbortReason::Undone, .. })
    }

    /// The key that was deactivated by this rotation and waits for its deletion.
    #[must_use]
    pub fn key_in_grace(&self) -> Option<&AccessKeyId> {
        match &self.stage {
            Stage::Deactivated { .. } => Some(&self.plan.displaced),
            Stage::Undone { new, .. } => Some(new.key()),
            _ => None,
        }
    }

    /// When the key that was deactivated may be deleted.
    pub(super) fn grace_ends(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Deactivated { at, grace, .. } | Stage::Undone { at, grace, .. } => Some(after(*at, *grace)),
            _ => None,
        }
    }

    /// Since when the displaced key is inactive, where its grace has to be waited out.
    #[must_use]
    pub fn displaced_inactive_since(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Deactivated { at, grace, .. } if !grace.is_zero() => Some(*at),
            _ => None,
        }
    }

    /// Whether a key that was deactivated has outlived its grace: `akia retire` may delete it.
    #[must_use]
    pub fn is_out_of_grace(&self, now: Timestamp) -> bool {
        self.grace_ends().is_some_and(|until| now >= until)
    }

    /// Whether the key that was deactivated waits for nothing: it was to be deleted at once, or a person has waived its
    /// grace. Where it still exists, a run was interrupted.
    #[must_use]
    pub fn is_without_grace(&self) -> bool {
        match &self.stage {
            Stage::Deactivated { grace, .. } | Stage::Undone { grace, .. } => grace.is_zero(),
            _ => false,
        }
    }

    /// Whether nothing will ever happen to this rotation again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Retired | Stage::Aborted { .. } | Stage::UndoneAndClean)
            && self.secrets == Secrets::Wiped
    }

    /// What to do now. Empty when the rotation rests; [`Rotation::rest`] says how.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Vec<Effect> {
        if let Some(trouble) = &self.trouble {
            if trouble.count >= self.plan.pace.retry_limit {
                return Vec::new();
            }
            let until = after(trouble.at, backoff(self.plan.pace.retry_gap, trouble.count));
            if now < until {
                return vec![Effect::Wait { until }];
            }
        }
        self.next_of_stage(now)
    }

    fn next_of_stage(&self, now: Timestamp) -> Vec<Effect> {
        let wait_or = |until: Timestamp, effect: Effect| if now < until { Effect::Wait { until } } else { effect };
        let pace = &self.plan.pace;
        match &self.stage {
            Stage::Crowded => self.plan.make_room.iter().map(|key| Effect::MakeRoom { key: key.clone() }).collect(),
            Stage::Planned { not_before, .. } => vec![match not_before {
                Some(until) => wait_or(*until, Effect::Create),
                None => Effect::Create,
            }],
            Stage::CreateIntended { since, .. } | Stage::CreateUnknown { since, .. } => {
                vec![wait_or(after(*since, pace.quarantine), Effect::InvestigateCreate)]
            }
            Stage::OrphanSuspected { next_look, .. } if now >= *next_look => vec![Effect::InvestigateCreate],
            Stage::OrphanSuspected { .. } => Vec::new(),
            Stage::OrphanAttributed { ours, .. } => vec![Effect::DeleteOrphan { ours: ours.clone() }],
            Stage::Created { new, .. } => vec![Effect::ReadBackSecret { key: new.key().clone() }],
            Stage::Proving { new, since, streak } => {
                let until = streak.last.map_or(after(*since, pace.settle), |last| after(last, pace.proof_gap));
                vec![wait_or(until, Effect::Prove { key: new.key().clone() })]
            }
            Stage::Proven { new, .. } => vec![Effect::CheckRivals { key: new.key().clone() }],
            Stage::Probing { new, tries, .. } => {
                let probe = Effect::Probe { key: new.key().clone() };
                vec![match tries.last {
                    Some(last) => wait_or(after(last, backoff(pace.retry_gap, tries.failed)), probe),
                    None => probe,
                }]
            }
            Stage::Delivering { proven, .. } => {
                let deliver = |place| Effect::Deliver { place, proven: proven.clone() };
                let open: Vec<Effect> = self.open_places().into_iter().map(deliver).collect();
                if open.is_empty() { vec![Effect::Promote { delivered: InEveryPlace::mint(proven) }] } else { open }
            }
            Stage::Promoted { at, .. } if now < after(*at, self.plan.watch) => Vec::new(),
            Stage::Promoted { .. } => vec![Effect::Observe],
            Stage::UseSuspected { next_look, .. } if now >= *next_look => vec![Effect::Observe],
            Stage::UseSuspected { .. } => Vec::new(),
            Stage::Quiet { proven, delivered, .. } => {
                vec![Effect::DeactivateDisplaced { proven: proven.clone(), delivered: delivered.clone() }]
            }
            Stage::Deactivated { at, grace, .. } if now >= after(*at, *grace) => {
                vec![Effect::DeleteDisplaced { permit: GraceOver::mint(self.plan.displaced.clone()) }]
            }
            Stage::Kept { .. } | Stage::Deactivated { .. } | Stage::Reactivated { .. } => Vec::new(),
            Stage::Discarding { new, .. } => vec![Effect::DeleteNew { ours: new.clone() }],
            Stage::Undoing { activation: Activation::Needed, .. } => vec![match self.retiring.unanswered_at {
                Some(since) => wait_or(after(since, pace.quarantine), Effect::ActivateDisplaced),
                None => Effect::ActivateDisplaced,
            }],
            Stage::Undoing { activation: Activation::Held, streak, .. } => {
                let prove = Effect::Prove { key: self.plan.displaced.clone() };
                vec![streak.last.map_or(prove.clone(), |last| wait_or(after(last, pace.proof_gap), prove))]
            }
            Stage::Restoring { proven, .. } => {
                let restore = |place| Effect::Restore { place, proven: proven.clone() };
                let open: Vec<Effect> = self.open_places().into_iter().map(restore).collect();
                if open.is_empty() {
                    vec![Effect::DeactivateNew { proven: proven.clone(), restored: InEveryPlace::mint(proven) }]
                } else {
                    open
                }
            }
            Stage::Undone { new, at, grace, .. } if now >= after(*at, *grace) => {
                vec![Effect::DeleteNew { ours: new.clone() }]
            }
            Stage::Undone { .. } => Vec::new(),
            Stage::Retired | Stage::Aborted { .. } | Stage::UndoneAndClean => match self.secrets {
                Secrets::Staged => vec![Effect::WipeSecrets],
                Secrets::Wiped => Vec::new(),
            },
        }
    }

    /// How the rotation rests, if it does.
    #[must_use]
    pub fn rest(&self, now: Timestamp) -> Rest {
        if let Some(trouble) = &self.trouble
            && trouble.count >= self.plan.pace.retry_limit
        {
            return Rest::Interrupted { error: trouble.error.clone() };
        }
        match &self.stage {
            Stage::Retired => Rest::Retired,
            Stage::Kept { .. } => Rest::Kept,
            Stage::Promoted { at, .. } if now < after(*at, self.plan.watch) => {
                Rest::Watching { until: after(*at, self.plan.watch) }
            }
            Stage::UndoneAndClean => Rest::UndoneAndClean,
            Stage::Aborted { why } => Rest::Aborted { why: why.clone() },
            Stage::Deactivated { at, grace, .. } if now < after(*at, *grace) => {
                Rest::InGrace { until: after(*at, *grace) }
            }
            Stage::Undone { at, grace, .. } if now < after(*at, *grace) => Rest::Undone { until: after(*at, *grace) },
            Stage::OrphanSuspected { keys, .. } => {
                Rest::Undecided { decision: Decision::Orphans { keys: keys.clone() } }
            }
            Stage::UseSuspected { last_used, .. } => {
                Rest::Undecided { decision: Decision::StillUsed { last_used: last_used.clone() } }
            }
            Stage::Reactivated { .. } => Rest::Undecided { decision: Decision::Reactivated },
            Stage::Crowded
            | Stage::Planned { .. }
            | Stage::CreateIntended { .. }
            | Stage::CreateUnknown { .. }
            | Stage::OrphanAttributed { .. }
            | Stage::Created { .. }
            | Stage::Proving { .. }
            | Stage::Proven { .. }
            | Stage::Probing { .. }
            | Stage::Delivering { .. }
            | Stage::Promoted { .. }
            | Stage::Quiet { .. }
            | Stage::Deactivated { .. }
            | Stage::Discarding { .. }
            | Stage::Undoing { .. }
            | Stage::Restoring { .. }
            | Stage::Undone { .. } => Rest::Busy,
        }
    }

    /// Takes one record in. The only way that state changes, live and in recovery.
    pub fn apply(&mut self, record: &Record) -> Result<(), Illegal> {
        let at = record.at;
        match &record.event {
            Event::Failed { error } => {
                self.retiring.give_up(at);
                self.count_failure(error, at);
                return Ok(());
            }
            Event::Resumed => {
                self.resume(at);
                return Ok(());
            }
            Event::SecretsWiped => return self.wipe(&record.event),
            Event::UndoRequested => {
                self.request_undo(at)?;
                self.trouble = None;
                return Ok(());
            }
            Event::DeliveryFailed { place, error } | Event::RestoreFailed { place, error } => {
                self.place_mut(*place, &record.event)?;
                self.count_failure(error, at);
                return Ok(());
            }
            _ => {}
        }
        let stage = self.transition(&record.event, at).ok_or_else(|| self.illegal(&record.event))?;
        self.stage = stage;
        self.retiring.take_in(&record.event);
        // An intent or a failed proof is no progress; everything else that was taken in ends the trouble before it.
        if !matches!(
            record.event,
            Event::Intended { .. }
                | Event::ProofFailed { .. }
                | Event::ProbeFailed { .. }
                | Event::CreateRefused { .. }
        ) {
            self.trouble = None;
        }
        Ok(())
    }

    /// The stage behind an event, or `None` where the event cannot follow.
    fn transition(&mut self, event: &Event, at: Timestamp) -> Option<Stage> {
        if let Event::Intended { intent } = event {
            return self.transition_to_intent(*intent, at);
        }
        let pace = &self.plan.pace;
        Some(match (self.stage.clone(), event) {
            // Create.
            (Stage::Crowded, Event::RoomMade) => Stage::Planned { attempt: 1, not_before: None },
            (Stage::CreateIntended { .. }, Event::KeyCreated { key }) if !self.plan.before.contains(key) => {
                Stage::Created { new: Ours::mint(key.clone()), since: at }
            }
            (Stage::CreateIntended { attempt, .. }, Event::CreateRefused { error, transient }) => {
                if *transient && attempt < pace.retry_limit {
                    let until = after(at, backoff(pace.retry_gap, attempt));
                    Stage::Planned { attempt: attempt + 1, not_before: Some(until) }
                } else {
                    Stage::Aborted { why: AbortReason::CreateRefused { error: error.clone() } }
                }
            }
            (Stage::CreateIntended { attempt, since }, Event::CreateUnanswered { .. }) => {
                Stage::CreateUnknown { attempt, since: since.max(at) }
            }
            (
                Stage::CreateIntended { attempt, .. }
                | Stage::CreateUnknown { attempt, .. }
                | Stage::OrphanSuspected { attempt, .. },
                Event::OrphanAbsent,
            ) => create_again(attempt),
            (
                Stage::CreateIntended { attempt, since }
                | Stage::CreateUnknown { attempt, since }
                | Stage::OrphanSuspected { attempt, since, .. },
                Event::OrphanSuspected { keys },
            ) if !keys.is_empty() && keys.is_disjoint(&self.plan.before) => {
                Stage::OrphanSuspected { attempt, since, keys: keys.clone(), next_look: after(at, LOOK_GAP) }
            }
            (
                Stage::CreateIntended { attempt, .. } | Stage::CreateUnknown { attempt, .. },
                Event::OrphanAttributed { key, evidence: crate::journal::Attribution::CloudTrail },
            ) if !self.plan.before.contains(key) => Stage::OrphanAttributed { attempt, ours: Ours::mint(key.clone()) },
            (Stage::OrphanSuspected { attempt, keys, .. }, Event::OrphanAttributed { key, .. })
                if keys.contains(key) =>
            {
                Stage::OrphanAttributed { attempt, ours: Ours::mint(key.clone()) }
            }
            (Stage::OrphanSuspected { .. }, Event::OrphanDisowned) => Stage::Aborted { why: AbortReason::NoRoom },
            (Stage::OrphanAttributed { attempt, .. }, Event::OrphanDeleted) => create_again(attempt),

            // Stage and prove.
            (Stage::Created { new, since }, Event::SecretReadBack) => {
                Stage::Proving { new, since, streak: Streak::default() }
            }
            (Stage::Created { new, .. }, Event::SecretLost { error }) => {
                Stage::Discarding { new, why: AbortReason::SecretLost { error: error.clone() } }
            }
            (Stage::Proving { new, since, streak }, Event::ProofPassed) => {
                let streak = streak.passed_at(at);
                if streak.passed >= pace.proofs {
                    let proven = Proven::mint(new.key().clone());
                    Stage::Proven { new, proven }
                } else {
                    Stage::Proving { new, since, streak }
                }
            }
            (Stage::Proving { new, since, streak }, Event::ProofFailed { error }) => {
                let streak = streak.failed_at(at);
                if streak.failed >= pace.proof_limit {
                    Stage::Discarding { new, why: AbortReason::NeverProven { error: error.clone() } }
                } else {
                    Stage::Proving { new, since, streak }
                }
            }
            (Stage::Proven { new, proven }, Event::RivalsAbsent) => match self.plan.probe {
                Some(_) => Stage::Probing { new, proven, tries: Streak::default() },
                None => Stage::Delivering { new, proven },
            },
            (Stage::Probing { new, proven, .. }, Event::ProbePassed) => Stage::Delivering { new, proven },
            (Stage::Probing { new, proven, tries }, Event::ProbeFailed { error }) => {
                let tries = tries.failed_at(at);
                if tries.failed >= pace.retry_limit {
                    Stage::Discarding { new, why: AbortReason::ProbeFailed { error: error.clone() } }
                } else {
                    Stage::Probing { new, proven, tries }
                }
            }
            (Stage::Proven { new, .. }, Event::RivalFound { keys }) => {
                Stage::Discarding { new, why: AbortReason::Rival { keys: keys.clone() } }
            }

            // Deliver and promote.
            (Stage::Delivering { new, proven }, Event::Delivered { place, mark }) => {
                *self.places.get_mut(*place)? = PlaceState::Delivered;
                self.marks[*place].clone_from(mark);
                Stage::Delivering { new, proven }
            }
            (Stage::Delivering { new, proven }, Event::Promoted) if self.is_everywhere(&PlaceState::Delivered) => {
                let delivered = InEveryPlace::mint(&proven);
                match self.plan.retirement {
                    Retirement::Keep => Stage::Kept { new, proven },
                    Retirement::Deactivate | Retirement::Delete => Stage::Promoted { new, proven, delivered, at },
                }
            }

            // At least one place has to hold the new key; where none is left, the way out is an undo.
            (stage @ Stage::Delivering { .. }, Event::PlaceLeft { place }) if self.is_left_beside(*place) => {
                *self.places.get_mut(*place)? = PlaceState::Left;
                stage
            }
            (stage @ Stage::Restoring { .. }, Event::PlaceLeft { place }) => {
                *self.places.get_mut(*place)? = PlaceState::Left;
                stage
            }

            // Observe and retire.
            (
                Stage::Promoted { new, proven, delivered, at: promoted_at }
                | Stage::UseSuspected { new, proven, delivered, at: promoted_at, .. },
                Event::Observed { last_used },
            ) => {
                let quiet = match last_used {
                    LastUsed::Never => true,
                    LastUsed::At { at: used_at, .. } => *used_at <= promoted_at || after(*used_at, pace.quiet) <= at,
                    LastUsed::Unknown { .. } => self.plan.without_evidence,
                };
                if quiet {
                    Stage::Quiet { new, proven, delivered, at: promoted_at }
                } else {
                    let last_used = last_used.clone();
                    Stage::UseSuspected {
                        new,
                        proven,
                        delivered,
                        at: promoted_at,
                        last_used,
                        next_look: after(at, LOOK_GAP),
                    }
                }
            }
            (
                Stage::Promoted { new, proven, delivered, at: promoted_at }
                | Stage::UseSuspected { new, proven, delivered, at: promoted_at, .. }
                | Stage::Reactivated { new, proven, delivered, at: promoted_at },
                Event::EvidenceWaived,
            ) => Stage::Quiet { new, proven, delivered, at: promoted_at },
            (Stage::Quiet { new, proven, delivered, .. }, Event::DisplacedDeactivated) => {
                let grace = match self.plan.retirement {
                    Retirement::Delete => SignedDuration::ZERO,
                    Retirement::Deactivate | Retirement::Keep => self.plan.grace,
                };
                Stage::Deactivated { new, proven, delivered, at, grace, begun: false }
            }
            (Stage::Quiet { new, proven, .. }, Event::PlaceOverwritten { place }) => {
                *self.places.get_mut(*place)? = PlaceState::Writing;
                Stage::Delivering { new, proven }
            }
            (Stage::Deactivated { new, proven, delivered, at: since, .. }, Event::GraceWaived) => {
                Stage::Deactivated { new, proven, delivered, at: since, grace: SignedDuration::ZERO, begun: false }
            }
            (Stage::Undone { new, at: since, begun, .. }, Event::GraceWaived) => {
                Stage::Undone { new, at: since, grace: SignedDuration::ZERO, begun }
            }
            (Stage::Deactivated { new, proven, delivered, at: since, .. }, Event::DisplacedFoundActive) => {
                Stage::Reactivated { new, proven, delivered, at: since }
            }
            (Stage::Deactivated { begun: true, .. }, Event::DisplacedDeleted) => Stage::Retired,
            (
                Stage::Promoted { .. }
                | Stage::UseSuspected { .. }
                | Stage::Quiet { .. }
                | Stage::Kept { .. }
                | Stage::Deactivated { .. }
                | Stage::Reactivated { .. },
                Event::DisplacedGone,
            ) => Stage::Retired,

            // Discard.
            (Stage::Discarding { why, .. }, Event::NewDeleted) => Stage::Aborted { why },

            // Undo.
            (Stage::Undoing { new, new_proven, .. }, Event::DisplacedActivated) => {
                Stage::Undoing { new, new_proven, activation: Activation::Held, streak: Streak::default() }
            }
            (Stage::Undoing { new, new_proven, activation: Activation::Held, streak }, Event::ProofPassed) => {
                let streak = streak.passed_at(at);
                if streak.passed >= pace.proofs {
                    Stage::Restoring { new, proven: Proven::mint(self.plan.displaced.clone()), new_proven }
                } else {
                    Stage::Undoing { new, new_proven, activation: Activation::Held, streak }
                }
            }
            (
                Stage::Undoing { new, new_proven, activation: Activation::Held, streak },
                Event::ProofFailed { error },
            ) => {
                let streak = streak.failed_at(at);
                let mut activation = Activation::Held;
                if streak.failed >= pace.proof_limit {
                    let limit = pace.retry_limit;
                    self.trouble = Some(Trouble { error: error.clone(), count: limit, at });
                    // Whatever was believed of the key, it is not so: the next run activates it.
                    activation = Activation::Needed;
                }
                Stage::Undoing { new, new_proven, activation, streak }
            }
            // There is nothing to go back to: go forward again. Delivery is idempotent, and so is promotion.
            (Stage::Undoing { new, new_proven, .. }, Event::DisplacedGone) => {
                Stage::Delivering { new, proven: new_proven }
            }
            (Stage::Restoring { new, proven, new_proven }, Event::Restored { place, mark }) => {
                *self.places.get_mut(*place)? = PlaceState::Displaced;
                self.marks[*place].clone_from(mark);
                Stage::Restoring { new, proven, new_proven }
            }
            (stage @ Stage::Restoring { .. }, Event::PlaceOverwritten { place }) => {
                *self.places.get_mut(*place)? = PlaceState::Writing;
                stage
            }
            (Stage::Restoring { new, .. }, Event::NewDeactivated) if self.is_everywhere(&PlaceState::Displaced) => {
                Stage::Undone { new, at, grace: self.plan.grace, begun: false }
            }
            (Stage::Undone { begun: true, .. }, Event::NewDeleted) => Stage::UndoneAndClean,
            (Stage::Restoring { .. }, Event::NewDeleted) if self.is_everywhere(&PlaceState::Displaced) => {
                Stage::UndoneAndClean
            }
            _ => return None,
        })
    }

    /// An intent changes the state only where its loss would leave something unknown.
    fn transition_to_intent(&mut self, intent: Intent, at: Timestamp) -> Option<Stage> {
        Some(match (self.stage.clone(), intent) {
            (stage @ Stage::Crowded, Intent::MakeRoom) => stage,
            (Stage::Planned { attempt, .. }, Intent::Create) => Stage::CreateIntended { attempt, since: at },
            (stage @ Stage::OrphanAttributed { .. }, Intent::DeleteOrphan)
            | (stage @ Stage::Quiet { .. }, Intent::DeactivateDisplaced)
            | (stage @ Stage::Discarding { .. }, Intent::DeleteNew)
            | (stage @ Stage::Undoing { .. }, Intent::ActivateDisplaced) => stage,
            (stage @ Stage::Restoring { .. }, Intent::DeactivateNew) if self.is_everywhere(&PlaceState::Displaced) => {
                stage
            }
            (stage @ Stage::Delivering { .. }, Intent::Deliver(place))
            | (stage @ Stage::Restoring { .. }, Intent::Restore(place)) => {
                *self.places.get_mut(place)? = PlaceState::Writing;
                stage
            }
            (Stage::Deactivated { new, proven, delivered, at, grace, .. }, Intent::DeleteDisplaced) => {
                Stage::Deactivated { new, proven, delivered, at, grace, begun: true }
            }
            (Stage::Undone { new, at, grace, .. }, Intent::DeleteNew) => Stage::Undone { new, at, grace, begun: true },
            _ => return None,
        })
    }

    /// Takes the rotation back from wherever it stands, or says why that cannot be.
    fn request_undo(&mut self, at: Timestamp) -> Result<(), Illegal> {
        // Where the rotation has rested with the displaced key active, anybody may have deactivated it since.
        let has_rested =
            matches!(self.stage, Stage::UseSuspected { .. } | Stage::Kept { .. } | Stage::Reactivated { .. });
        let activation = if self.retiring.begun || has_rested { Activation::Needed } else { Activation::Held };
        let undoing = |new: Ours, new_proven: Proven, activation: Activation| Stage::Undoing {
            new,
            new_proven,
            activation,
            streak: Streak::default(),
        };
        if self.plan.displaced_secret_unknown && !self.is_undelivered() {
            return Err(self.illegal(&Event::UndoRequested));
        }
        self.stage = match self.stage.clone() {
            Stage::Crowded | Stage::Planned { .. } => Stage::Aborted { why: AbortReason::Undone },
            Stage::Created { new, .. }
            | Stage::Proving { new, .. }
            | Stage::Proven { new, .. }
            | Stage::Probing { new, .. } => Stage::Discarding { new, why: AbortReason::Undone },
            Stage::Delivering { new, proven }
            | Stage::Promoted { new, proven, .. }
            | Stage::UseSuspected { new, proven, .. }
            | Stage::Kept { new, proven }
            | Stage::Quiet { new, proven, .. }
            | Stage::Deactivated { new, proven, .. }
            | Stage::Reactivated { new, proven, .. } => undoing(new, proven, activation),
            Stage::CreateIntended { .. }
            | Stage::CreateUnknown { .. }
            | Stage::OrphanSuspected { .. }
            | Stage::OrphanAttributed { .. }
            | Stage::Retired
            | Stage::Discarding { .. }
            | Stage::Aborted { .. }
            | Stage::Undoing { .. }
            | Stage::Restoring { .. }
            | Stage::Undone { .. }
            | Stage::UndoneAndClean => return Err(self.illegal(&Event::UndoRequested)),
        };
        self.retiring.give_up(at);
        Ok(())
    }

    /// Whether no place was written yet: an undo then puts nothing back.
    fn is_undelivered(&self) -> bool {
        matches!(
            self.stage,
            Stage::Crowded
                | Stage::Planned { .. }
                | Stage::Created { .. }
                | Stage::Proving { .. }
                | Stage::Proven { .. }
                | Stage::Probing { .. }
        )
    }

    /// A new run begins, and with it the last one has ended: what that may have sent was sent before now.
    fn resume(&mut self, at: Timestamp) {
        self.trouble = None;
        self.retiring.give_up(at);
        match &mut self.stage {
            // The intent may be much older than the request: a machine may sleep between the two.
            Stage::CreateIntended { since, .. } => *since = at.max(*since),
            Stage::Proving { streak, .. } | Stage::Undoing { streak, .. } | Stage::Probing { tries: streak, .. } => {
                *streak = Streak::default();
            }
            _ => {}
        }
    }

    fn wipe(&mut self, event: &Event) -> Result<(), Illegal> {
        match self.stage {
            Stage::Retired | Stage::Aborted { .. } | Stage::UndoneAndClean => {
                self.secrets = Secrets::Wiped;
                Ok(())
            }
            _ => Err(self.illegal(event)),
        }
    }

    fn count_failure(&mut self, error: &str, at: Timestamp) {
        let count = self.trouble.as_ref().map_or(0, |trouble| trouble.count) + 1;
        self.trouble = Some(Trouble { error: error.to_owned(), count, at });
    }

    fn place_mut(&mut self, place: usize, event: &Event) -> Result<&mut PlaceState, Illegal> {
        let illegal = self.illegal(event);
        self.places.get_mut(place).ok_or(illegal)
    }

    /// Whether every place that the rotation still answers for is in this state.
    fn is_everywhere(&self, state: &PlaceState) -> bool {
        self.places.iter().all(|place| place == state || *place == PlaceState::Left)
    }

    /// Whether the rotation answers for another place than this one.
    fn is_left_beside(&self, place: usize) -> bool {
        let mut others = self.places.iter().enumerate().filter(|(index, _)| *index != place);
        others.any(|(_, state)| *state != PlaceState::Left)
    }

    fn new_ours(&self) -> Option<&Ours> {
        match &self.stage {
            Stage::Created { new, .. }
            | Stage::Proving { new, .. }
            | Stage::Proven { new, .. }
            | Stage::Probing { new, .. }
            | Stage::Delivering { new, .. }
            | Stage::Promoted { new, .. }
            | Stage::UseSuspected { new, .. }
            | Stage::Quiet { new, .. }
            | Stage::Kept { new, .. }
            | Stage::Deactivated { new, .. }
            | Stage::Reactivated { new, .. }
            | Stage::Discarding { new, .. }
            | Stage::Undoing { new, .. }
            | Stage::Restoring { new, .. }
            | Stage::Undone { new, .. } => Some(new),
            Stage::Crowded
            | Stage::Planned { .. }
            | Stage::CreateIntended { .. }
            | Stage::CreateUnknown { .. }
            | Stage::OrphanSuspected { .. }
            | Stage::OrphanAttributed { .. }
            | Stage::Retired
            | Stage::Aborted { .. }
            | Stage::UndoneAndClean => None,
        }
    }

    /// The stage in words, for the person and for errors.
    #[must_use]
    pub fn stage_name(&self) -> &'static str {
        match &self.stage {
            Stage::Crowded => "making room",
            Stage::Planned { .. } => "planned",
            Stage::CreateIntended { .. } => "waiting for the answer to a create request",
            Stage::CreateUnknown { .. } => "unsure whether a key was created",
            Stage::OrphanSuspected { .. } => "unsure whose new key it found",
            Stage::OrphanAttributed { .. } => "deleting an orphaned key of its own",
            Stage::Created { .. } => "created",
            Stage::Proving { .. } => "proving the new key",
            Stage::Proven { .. } => "proven",
            Stage::Probing { .. } => "trying the new key out",
            Stage::Delivering { .. } => "delivering",
            Stage::Promoted { .. } => "promoted",
            Stage::UseSuspected { .. } => "waiting for the displaced key to go quiet",
            Stage::Quiet { .. } => "about to deactivate the displaced key",
            Stage::Kept { .. } => "done, displaced key kept",
            Stage::Deactivated { begun: false, .. } => "in grace",
            Stage::Deactivated { begun: true, .. } => "deleting the displaced key",
            Stage::Reactivated { .. } => "stopped: the displaced key was activated by somebody",
            Stage::Retired => "done",
            Stage::Discarding { .. } => "deleting the new key",
            Stage::Aborted { .. } => "given up",
            Stage::Undoing { .. } => "being undone",
            Stage::Restoring { .. } => "being undone: restoring places",
            Stage::Undone { .. } => "undone, new key in grace",
            Stage::UndoneAndClean => "undone",
        }
    }

    fn illegal(&self, event: &Event) -> Illegal {
        Illegal { event: name_of(event), stage: self.stage_name().to_owned() }
    }
}

impl Retiring {
    /// Whoever sent the open request does not wait for its answer any more.
    fn give_up(&mut self, at: Timestamp) {
        if self.open {
            self.open = false;
            self.unanswered_at = Some(at);
        }
    }

    fn take_in(&mut self, event: &Event) {
        match event {
            Event::Intended { intent: Intent::DeactivateDisplaced | Intent::DeleteDisplaced } => {
                self.begun = true;
                self.open = true;
            }
            Event::DisplacedDeactivated
            | Event::DisplacedFoundActive
            | Event::DisplacedGone
            | Event::PlaceOverwritten { .. } => self.open = false,
            _ => {}
        }
    }
}

impl Streak {
    fn passed_at(self, at: Timestamp) -> Self {
        Self { passed: self.passed + 1, last: Some(at), ..self }
    }

    /// One failure breaks the row: IAM is not monotonic.
    fn failed_at(self, at: Timestamp) -> Self {
        Self { passed: 0, failed: self.failed + 1, last: Some(at) }
    }
}

fn create_again(attempt: u32) -> Stage {
    if attempt >= CREATE_LIMIT {
        Stage::Aborted { why: AbortReason::CreateUnanswered }
    } else {
        Stage::Planned { attempt: attempt + 1, not_before: None }
    }
}

fn backoff(gap: SignedDuration, count: u32) -> SignedDuration {
    let factor = 1_i32 << count.saturating_sub(1).min(6);
    gap.checked_mul(factor).unwrap_or(SignedDuration::from_secs(60))
}

/// A moment later, held at the end of time instead of failing there.
fn after(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The event's name in the journal.
fn name_of(event: &Event) -> String {
    let text = format!("{event:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    format!("\"{}\"", &text[..end])
}
