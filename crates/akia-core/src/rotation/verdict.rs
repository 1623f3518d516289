//! What the answers of the world mean for a rotation: the pure half of performing an effect.
//!
//! The driver of `akia-io` and the world of the model check ask the same functions, so that what is checked is what runs.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::plan::Plan;
use super::state::Rotation;
use crate::ids::AccessKeyId;
use crate::journal::{Attribution, Event};
use crate::key::{AccessKey, KeyStatus, LastUsed};

/// How a create request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CreateFailure {
    /// Certainly nothing was made; the same request may pass later.
    NotNow,
    /// Certainly nothing was made.
    Refused,
    /// Certainly nothing was made: the user has as many keys as it may.
    QuotaFull,
    /// A key may have been made.
    Unknown,
}

/// What is to be done about a key that is about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// It is still what it was: delete it, and write this down.
    Due(Event),
    /// Delete nothing, and write this down.
    Moot(Event),
}

/// Keys that were not there when the plan was made: what a lost create request may have left behind.
#[must_use]
pub fn keys_since(plan: &Plan, listed: &[AccessKey]) -> BTreeSet<AccessKeyId> {
    listed.iter().map(|key| &key.id).filter(|id| !plan.before.contains(*id)).cloned().collect()
}

/// A create request failed.
#[must_use]
pub fn create_failed(rotation: &Rotation, failure: CreateFailure, error: String) -> Event {
    match failure {
        CreateFailure::Unknown => Event::CreateUnanswered { error },
        CreateFailure::NotNow => Event::CreateRefused { error, transient: true },
        // An earlier request of this rotation may have made a key after all, and a list may not show it yet: that is
        // waited out as for a lost answer.
        CreateFailure::QuotaFull if rotation.has_created_before() => Event::CreateUnanswered { error },
        CreateFailure::QuotaFull | CreateFailure::Refused => Event::CreateRefused { error, transient: false },
    }
}

/// The quarantine is over and these keys were found; `ours` is the one that CloudTrail shows our nonce for.
#[must_use]
pub fn investigated(suspects: BTreeSet<AccessKeyId>, ours: Option<AccessKeyId>) -> Event {
    match ours {
        Some(key) => Event::OrphanAttributed { key, evidence: Attribution::CloudTrail },
        None if suspects.is_empty() => Event::OrphanAbsent,
        None => Event::OrphanSuspected { keys: suspects },
    }
}

/// Whether another machine has made a key for the user meanwhile.
#[must_use]
pub fn rivals(plan: &Plan, new: &AccessKeyId, listed: &[AccessKey]) -> Event {
    let mut keys = keys_since(plan, listed);
    keys.remove(new);
    if keys.is_empty() { Event::RivalsAbsent } else { Event::RivalFound { keys } }
}

/// Whether the key that a person named to make room is still idle. The last use counts for an active key only.
#[must_use]
pub fn is_idle(status: KeyStatus, last_used: &LastUsed) -> bool {
    match status {
        KeyStatus::Inactive => true,
        KeyStatus::Active => *last_used == LastUsed::Never,
    }
}

/// Whether a place stands in the way of deactivating `doomed`, the displaced key or in an undo the new one. Asked right
/// before the act: somebody may have written there since the delivery.
#[must_use]
pub fn overwritten(
    rotation: &Rotation,
    place: usize,
    held: Option<&AccessKeyId>,
    doomed: &AccessKeyId,
) -> Option<Event> {
    if rotation.may_lose(place, held, doomed) { None } else { Some(Event::PlaceOverwritten { place }) }
}

/// Whether the list shows a key to be active. Asked of the key that is to stay, right before the other one is shut, where
/// an admin signs: whoever signs with the key itself would be refused, and an admin is not.
#[must_use]
pub fn is_active(listed: &[AccessKey], key: &AccessKeyId) -> bool {
    listed.iter().any(|listed| listed.id == *key && listed.status == KeyStatus::Active)
}

/// How long after its deactivation a use of the displaced key may still be one of before: a deactivated key works for
/// some seconds more, and this machine's clock is not AWS's.
const USE_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// The displaced key was listed and its last use read again, right before it is to be deleted.
///
/// A key that was used since it was deactivated had been activated by somebody, and counts as active although it may
/// be inactive again. Where its last use is not known, its status has to do.
#[must_use]
pub fn displaced_before_deletion(rotation: &Rotation, listed: &[AccessKey], last_used: &LastUsed) -> Deletion {
    let plan = rotation.plan();
    let was_used = match (last_used, rotation.displaced_inactive_since()) {
        (LastUsed::At { at, .. }, Some(since)) => at.duration_since(since) > USE_SLACK.min(plan.grace / 8),
        (LastUsed::At { .. } | LastUsed::Never | LastUsed::Unknown { .. }, _) => false,
    };
    match listed.iter().find(|key| key.id == plan.displaced).map(|key| key.status) {
        None => Deletion::Moot(Event::DisplacedGone),
        Some(KeyStatus::Active) => Deletion::Moot(Event::DisplacedFoundActive),
        Some(KeyStatus::Inactive) if was_used => Deletion::Moot(Event::DisplacedFoundActive),
        Some(KeyStatus::Inactive) => Deletion::Due(Event::DisplacedDeleted),
    }
}
