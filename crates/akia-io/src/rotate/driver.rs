//! The loop: next, append the intent, perform, append the outcome, apply.
//!
//! A new process takes a rotation up by replaying its records; there is no other way in. Nothing is held in memory
//! that the journal does not know, but for the secret of a new key between AWS's answer and the transaction that
//! stages it.

use std::sync::Arc;
use std::time::Duration;

use akia_core::RotationId;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Effect, Illegal, Plan, Rest, Rotation};
use akia_core::secret::SecretAccessKey;
use tokio::sync::watch;

use super::history::{self, Broken};
use super::signing::Signers;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::place::Places;
use crate::seal::{SealError, Sealer};
use crate::seen::SeenUses;
use crate::store::{Stage, Store, StoreError};

/// Effects that one run of one rotation performs at most. Far above any real run; a bound on a bug.
const EFFECT_LIMIT: usize = 2_000;

/// Everything that a rotation touches.
#[derive(Clone)]
pub struct Driver {
    /// Calls to AWS.
    pub aws: Aws,
    /// The journal and the staged secrets.
    pub store: Arc<dyn Store>,
    /// Seals what is staged.
    pub sealer: Arc<Sealer>,
    /// Where keys are delivered.
    pub places: Arc<Places>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who signs.
    pub signers: Arc<Signers>,
    /// Who may have seen the displaced key in use, beside AWS.
    pub seen: Option<Arc<dyn SeenUses>>,
}

/// Told of everything that is written down, and of waits.
pub trait Watch: Send + Sync {
    /// A record was appended and applied.
    fn recorded(&self, rotation: &Rotation, record: &Record);

    /// The rotation waits.
    fn waiting(&self, rotation: &Rotation, until: jiff::Timestamp);
}

/// Lets a person stop a run between two effects.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The switch and what it switches.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was pulled.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is pulled.
    pub async fn pulled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pulled| *pulled).await.is_err() {
            // The switch is gone, so nobody can pull it.
            std::future::pending::<()>().await;
        }
    }
}

/// Why a run could not go on. The rotation itself is safe: its records say where it stands.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal could not be written or read.
    #[error("rotation {rotation}: {error}")]
    Journal {
        /// The rotation.
        rotation: RotationId,
        /// The journal's error.
        error: StoreError,
    },
    /// The displaced secret could not be sealed, so nothing was begun.
    #[error("rotation {rotation}: {error}")]
    Seal {
        /// The rotation.
        rotation: RotationId,
        /// Why not.
        error: SealError,
    },
    /// The journal says what cannot be.
    #[error("rotation {rotation}: {illegal}")]
    Illegal {
        /// The rotation.
        rotation: RotationId,
        /// What does not fit.
        illegal: Illegal,
    },
    /// A key was created and its secret could not be written down, so the key was deleted again, or not.
    #[error("rotation {rotation}: key {key} was created, but its secret could not be kept ({error}); {now}")]
    NotStaged {
        /// The rotation.
        rotation: RotationId,
        /// The new key.
        key: akia_core::AccessKeyId,
        /// Why it could not be kept.
        error: String,
        /// What became of the key.
        now: String,
    },
    /// A bound that no rotation should reach.
    #[error("rotation {rotation} did not come to rest within {EFFECT_LIMIT} effects")]
    Endless {
        /// The rotation.
        rotation: RotationId,
    },
}

impl Driver {
    /// Writes the plan down, with the displaced secret staged in the same transaction, so that undo can bring it back, where it
    /// is known.
    pub async fn begin(
        &self,
        plan: Plan,
        displaced: Option<&SecretAccessKey>,
        watch: &dyn Watch,
    ) -> Result<Rotation, DriveError> {
        let record = Record { at: self.clock.now(), event: Event::Planned { plan: Box::new(plan.clone()) } };
        let rotation =
            Rotation::begin(&record).map_err(|illegal| DriveError::Illegal { rotation: plan.id.clone(), illegal })?;
        let staged = displaced.map(|secret| self.seal(&plan.id, &plan.displaced, secret)).transpose();
        let staged = staged.map_err(|error| DriveError::Seal { rotation: plan.id.clone(), error })?;
        self.append(&plan.id, &record, staged).await?;
        watch.recorded(&rotation, &record);
        Ok(rotation)
    }

    /// Reads a rotation back from the journal.
    pub async fn load(&self, id: &RotationId) -> Result<Rotation, DriveError> {
        let records = self.store.records(id).await.map_err(|error| self.journal(id, error))?;
        Rotation::replay(records.iter().map(|(_, record)| record))
            .map_err(|illegal| DriveError::Illegal { rotation: id.clone(), illegal })
    }

    /// Every rotation of the journal in one read, oldest first; `Err` for one whose records make no sense.
    pub async fn load_all(&self) -> Result<Vec<Result<Rotation, Broken>>, StoreError> {
        history::load_all(&*self.store).await
    }

    /// Drives the rotation until it rests or the person stops the run.
    pub async fn run(&self, rotation: &mut Rotation, stop: &Stop, watch: &dyn Watch) -> Result<Rest, DriveError> {
        for _ in 0..EFFECT_LIMIT {
            let effects = rotation.next(self.clock.now());
            if effects.is_empty() {
                return Ok(rotation.rest(self.clock.now()));
            }
            for effect in effects {
                if stop.is_pulled() {
                    return Ok(rotation.rest(self.clock.now()));
                }
                if let Effect::Wait { until } = effect {
                    watch.waiting(rotation, until);
                    self.wait(until, stop).await;
                    continue;
                }
                if let Some(intent) = effect.intent() {
                    self.record(rotation, Event::Intended { intent }, None, watch).await?;
                }
                self.perform(rotation, &effect, watch).await?;
            }
        }
        Err(DriveError::Endless { rotation: rotation.plan().id.clone() })
    }

    /// Appends an event, durably, and applies it. An event that does not fit is not written.
    pub async fn record(
        &self,
        rotation: &mut Rotation,
        event: Event,
        staged: Option<Stage>,
        watch: &dyn Watch,
    ) -> Result<(), DriveError> {
        let record = Record { at: self.clock.now(), event };
        let mut next = rotation.clone();
        let id = next.plan().id.clone();
        next.apply(&record).map_err(|illegal| DriveError::Illegal { rotation: id.clone(), illegal })?;
        self.append(&id, &record, staged).await?;
        *rotation = next;
        watch.recorded(rotation, &record);
        Ok(())
    }

    async fn append(&self, id: &RotationId, record: &Record, staged: Option<Stage>) -> Result<(), DriveError> {
        let appended = self.store.append(&id.clone().into(), record, staged, &*self.clock).await;
        appended.map_err(|error| self.journal(id, error))
    }

    async fn wait(&self, until: jiff::Timestamp, stop: &Stop) {
        let wait = until.duration_since(self.clock.now());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        tokio::select! {
            () = self.clock.sleep(wait) => {}
            () = stop.pulled() => {}
        }
    }

    pub(super) fn journal(&self, id: &RotationId, error: StoreError) -> DriveError {
        DriveError::Journal { rotation: id.clone(), error }
    }
}
