//! The rotations of the journal, for a preflight that asks about many users.
//!
//! Each user's past is looked at under the lock on that user, so it has to be as it stands then. What has not grown
//! since it was last read is not read again: otherwise fifty profiles would replay the whole journal fifty times.

use std::collections::BTreeMap;
use std::sync::Arc;

use akia_core::RotationId;
use akia_core::rotation::Rotation;
use tokio::sync::Mutex;

use super::driver::Driver;
use crate::store::StoreError;

/// What was read of the journal in one preflight.
#[derive(Default)]
pub(super) struct Past(Mutex<BTreeMap<RotationId, Read>>);

struct Read {
    /// The number of its last record at that time. Records are only ever appended, so a rotation with the same last
    /// record is the same rotation.
    last_seq: u64,
    /// `None` where its records make no sense to this akia.
    rotation: Option<Arc<Rotation>>,
}

impl Past {
    /// All rotations as they stand now, oldest first, without those that cannot be read.
    pub(super) async fn rotations(&self, driver: &Driver) -> Result<Vec<Arc<Rotation>>, StoreError> {
        // Held while the journal is read, so that those who ask at the same time wait for one reader.
        let mut known = self.0.lock().await;
        let mut rotations = Vec::new();
        for summary in driver.store.rotations().await? {
            let fresh = known.get(&summary.rotation).is_some_and(|read| read.last_seq == summary.last_seq);
            if !fresh {
                let rotation = driver.load(&summary.rotation).await.ok().map(Arc::new);
                known.insert(summary.rotation.clone(), Read { last_seq: summary.last_seq, rotation });
            }
            rotations.extend(known.get(&summary.rotation).and_then(|read| read.rotation.clone()));
        }
        Ok(rotations)
    }
}
