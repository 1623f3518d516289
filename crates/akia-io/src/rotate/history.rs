//! Every rotation of a journal, in one read. One that cannot be read stands in nobody's way but its own user's.

use std::collections::HashMap;

use akia_core::RotationId;
use akia_core::journal::{Event, Record};
use akia_core::rotation::{Plan, Rotation};

use super::driver::DriveError;
use crate::store::{Entry, Store, StoreError, Threads};

/// A rotation whose records cannot be read, or make no sense: where it stands is not known.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Broken {
    /// The rotation.
    pub rotation: RotationId,
    /// Its plan, which tells whose keys are at stake, where the first record can be read.
    pub plan: Option<Box<Plan>>,
    /// What is wrong with it.
    pub error: Box<DriveError>,
}

impl Broken {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &*self.error {
            DriveError::Journal { error, .. } => error.hint(),
            DriveError::Illegal { .. }
            | DriveError::Seal { .. }
            | DriveError::NotStaged { .. }
            | DriveError::Endless { .. } => "akia history verify".to_owned(),
        }
    }
}

/// Every rotation, oldest first.
pub async fn load_all(store: &dyn Store) -> Result<Vec<Result<Rotation, Broken>>, StoreError> {
    let mut order: Vec<RotationId> = Vec::new();
    let mut entries: HashMap<RotationId, Vec<Entry>> = HashMap::new();
    for entry in store.entries(Threads::Rotations).await? {
        let Some(rotation) = entry.thread.rotation() else { continue };
        let of_rotation = entries.entry(rotation.clone()).or_default();
        if of_rotation.is_empty() {
            order.push(rotation.clone());
        }
        of_rotation.push(entry);
    }
    let loaded = order.into_iter().map(|id| {
        let entries = entries.remove(&id).unwrap_or_default();
        replay(&id, &entries).map_err(|error| Broken { rotation: id, plan: plan_of(&entries), error: Box::new(error) })
    });
    Ok(loaded.collect())
}

fn replay(id: &RotationId, entries: &[Entry]) -> Result<Rotation, DriveError> {
    let records: Result<Vec<Record>, StoreError> = entries.iter().map(Entry::parse).collect();
    let records = records.map_err(|error| DriveError::Journal { rotation: id.clone(), error })?;
    Rotation::replay(&records).map_err(|illegal| DriveError::Illegal { rotation: id.clone(), illegal })
}

fn plan_of(entries: &[Entry]) -> Option<Box<Plan>> {
    match entries.first()?.parse::<Record>().ok()?.event {
        Event::Planned { plan } => Some(plan),
        _ => None,
    }
}
