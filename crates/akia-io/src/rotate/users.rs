//! Who still uses a key that was replaced: what CloudTrail has of it since the new one is in every place.

use akia_core::LastUsed;
use akia_core::contain::Footprint;
use akia_core::ids::{AccessKeyId, Region};
use akia_core::rotation::{Decision, Rest, Rotation};
use akia_core::usage::SeenUse;
use jiff::Timestamp;

use super::driver::Driver;
use super::signing::SignerError;
use crate::contain::footprint;

/// Pages of fifty events that are read of one region, at most: enough to name who it is.
const MOST_PAGES: usize = 4;

impl Driver {
    /// What somebody beside AWS has seen of the displaced key since it was replaced, or since it was deactivated; or why nobody can look.
    pub async fn seen_in_use(&self, rotation: &Rotation) -> Option<Result<SeenUse, String>> {
        let since = rotation.promoted_at().or_else(|| rotation.displaced_inactive_since());
        self.seen_since(&rotation.plan().displaced, since).await
    }

    pub(super) async fn seen_since(
        &self,
        key: &AccessKeyId,
        since: Option<Timestamp>,
    ) -> Option<Result<SeenUse, String>> {
        let (seen, since) = self.seen.as_ref().zip(since)?;
        seen.since(key, since).await.transpose()
    }

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
