//! Who still uses a key that was replaced: what CloudTrail has of it since the new one is in every place.

use akia_core::LastUsed;
use akia_core::contain::Footprint;
use akia_core::ids::Region;
use akia_core::rotation::{Decision, Rest, Rotation};

use super::driver::Driver;
use super::signing::SignerError;
use crate::contain::footprint;

/// Pages of fifty events that are read of one region, at most: enough to name who it is.
const MOST_PAGES: usize = 4;

impl Driver {
    /// Who has used the displaced key since it was replaced, where the rotation waits for a person because of that.
    ///
    /// CloudTrail is late by up to 15 minutes, and tells only of calls that it logs as management events: what it does not name may
    /// be there all the same.
    pub async fn still_used_by(&self, rotation: &Rotation) -> Option<Result<Footprint, SignerError>> {
        let Rest::Undecided { decision: Decision::StillUsed { last_used: LastUsed::At { region, .. } } } =
            rotation.rest(self.clock.now())
        else {
            return None;
        };
        let since = rotation.promoted_at()?;
        let plan = rotation.plan();
        let mut regions = vec![plan.identity.partition().iam_region(), plan.region.clone()];
        regions.extend(region.parse::<Region>().ok());
        regions.sort();
        regions.dedup();
        let caller = match self.signer(rotation).await {
            Ok(caller) => caller,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(footprint(&caller, &regions, &plan.displaced, since, MOST_PAGES).await.0))
    }
}
