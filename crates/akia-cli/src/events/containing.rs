//! `on-exposure = "quarantine"`: the hands of a user whose key AWS calls exposed are tied at once.
//!
//! An event is a hint that others may have written, and IAM does not say that a key is exposed. So this is off unless the policy wants it, never
//! touches who is protected, holds to the caps and the kill switch, and can be taken back.

use std::sync::Arc;

use akia_core::enforce::EnforcePolicy;
use akia_core::quarantine::{Ended, Quarantine, QuarantineOpening, QuarantineStage};
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::{Gate, Quarantiner, StopFile, load_quarantines};
use akia_io::events::ExposedKey;
use akia_io::rotate::Draw;
use akia_io::state::StateFolder;
use akia_io::store::SharedStore;
use akia_io::store::sqlite::SqliteStore;

use crate::context::Context;
use crate::enforce::quarantine::is_protected;
use crate::error::CommandError;
use crate::workbench;

/// What containing a user takes.
pub(super) struct Containing<'a> {
    folder: StateFolder,
    store: SharedStore,
    gate: &'a Gate,
    policy: EnforcePolicy,
    draw: Draw,
}

impl<'a> Containing<'a> {
    /// Opens the journal.
    ///
    /// # Errors
    /// When it cannot be.
    pub(super) async fn open(context: &Context, policy: EnforcePolicy, gate: &'a Gate) -> Result<Self, CommandError> {
        let folder = workbench::state_folder(context)?;
        let store = SqliteStore::open(&folder).await;
        let store = store.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
        let draw = workbench::draw()?;
        Ok(Self { folder, store: Arc::new(store), gate, policy, draw })
    }

    /// Puts the user of a key into quarantine. Words for what was done, or why nothing.
    ///
    /// # Errors
    /// When it is not whole: the event comes again, and it is gone on with.
    pub(super) async fn contain(&self, key: &ExposedKey) -> Result<String, String> {
        let user = &key.user.user;
        let name = user.arn.name.clone();
        if let Some(stopped) = StopFile::of(&self.folder).thrown() {
            return Ok(format!("{name} is not put into quarantine: enforcement is off ({})", stopped.reason));
        }
        if !self.policy.is_enabled {
            return Ok(format!("{name} is not put into quarantine: enabled is false"));
        }
        let opening = QuarantineOpening {
            id: self.draw.quarantine(),
            account: key.exposure.account.clone(),
            user: user.arn.clone(),
            user_id: user.id.clone(),
            key: key.exposure.key.clone(),
            reason: format!("an event of AWS calls the key exposed: {}", key.finding),
            by: self.gate.caller_arn().to_owned(),
        };
        if is_protected(&self.policy, &opening, key.user.tags.clone()) {
            return Ok(format!("{name} is protected by the policy, and not put into quarantine"));
        }
        // A person may be at it.
        let _lock = self.folder.lock("enforce").map_err(|error| error.to_string())?;
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
                let caps = self.policy.caps;
                let now = SystemClock.now();
                let recent = all.iter().filter(|one| now.duration_since(one.opened_at()) < caps.per).count();
                if recent >= usize::try_from(caps.keys).unwrap_or(usize::MAX) {
                    let span = akia_core::span::exact(caps.per);
                    return Ok(format!(
                        "{name} is not put into quarantine: {recent} users within {span} are enough (caps.keys)"
                    ));
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
