//! `on-exposure = "quarantine"`: the hands of a user whose key AWS calls exposed are tied at once.

use std::sync::Arc;

use akia_core::enforce::EnforcePolicy;
use akia_core::quarantine::{Ended, Quarantine, QuarantineOpening, QuarantineStage};
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::{Quarantiner, load_quarantines};

use super::containing::{Containing, Exposed, reason};
use crate::workbench;

impl Containing<'_> {
    /// Puts the user of a key into quarantine. Words for what was done, or why nothing.
    ///
    /// # Errors
    /// When it is not whole.
    pub(super) async fn tie(&self, exposed: Exposed<'_>, policy: &EnforcePolicy, not: &str) -> Result<String, String> {
        let (key, user) = (exposed.key, &exposed.key.user.user);
        let name = user.arn.name.clone();
        let opening = QuarantineOpening {
            id: self.draw.quarantine(),
            account: key.exposure.account.clone(),
            user: user.arn.clone(),
            user_id: user.id.clone(),
            key: key.exposure.key.clone(),
            reason: reason(key),
            by: self.gate.caller_arn().to_owned(),
        };
        let all = load_quarantines(&*self.store).await.map_err(|error| error.to_string())?;
        let is_of_user = |of: &QuarantineOpening| (&of.account, &of.user_id) == (&opening.account, &opening.user_id);
        let is_released = |one: &Quarantine| matches!(one.stage(), QuarantineStage::Over { why: Ended::Released, .. });
        let is_same = |one: &Quarantine| is_of_user(one.opening()) && one.opening().reason == opening.reason;
        if all.iter().any(|one| is_released(one) && is_same(one)) {
            // AWS tells of one finding several times.
            return Ok(format!("{name} was taken out of quarantine by a person, and stays so for this finding"));
        }
        let earlier = all.iter().find(|one| !one.is_over() && is_of_user(one.opening())).cloned();
        let quarantiner = Quarantiner { store: Arc::clone(&self.store), clock: workbench::clock(), gate: self.gate };
        let mut one = match earlier {
            Some(earlier) if earlier.is_in_place() => return Ok(format!("{name} is in quarantine already")),
            Some(earlier) if earlier.stage() == QuarantineStage::Eased => {
                return Ok(format!("a person contains {}, a key of {name}", earlier.opening().key));
            }
            Some(earlier) if earlier.stage() != QuarantineStage::Holding => {
                return Ok(format!("{name} is just being taken out of quarantine by a person"));
            }
            Some(earlier) => earlier,
            None => {
                let caps = policy.caps;
                let now = SystemClock.now();
                let recent = all.iter().filter(|one| now.duration_since(one.opened_at()) < caps.per).count();
                if recent >= usize::try_from(caps.keys).unwrap_or(usize::MAX) {
                    let span = akia_core::span::exact(caps.per);
                    return Ok(format!("{not}: {recent} users within {span} are enough (caps.keys)"));
                }
                quarantiner.open(opening).await.map_err(|error| error.to_string())?
            }
        };
        quarantiner.carry_out(&mut one).await.map_err(|error| error.to_string())?;
        if one.is_in_place() {
            Ok(format!("{name} is in quarantine: akia enforce release {} --reason …", one.opening().key))
        } else {
            Err(format!("the quarantine of {name} is not whole: {}", one.held().unwrap_or("not all of it is seen yet")))
        }
    }
}
