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

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Story, new_key, old_key, other_key, plan};
    use super::*;
    use crate::journal::Intent;
    use crate::rotation::{PlaceState, Retirement};

    fn listed(story: &Story, keys: &[(AccessKeyId, KeyStatus)]) -> Vec<AccessKey> {
        let key = |(id, status): &(AccessKeyId, KeyStatus)| AccessKey {
            id: id.clone(),
            status: *status,
            created_at: story.now,
        };
        keys.iter().map(key).collect()
    }

    fn used(story: &Story, seconds_from_now: i64) -> LastUsed {
        let at = story.now + SignedDuration::from_secs(seconds_from_now);
        LastUsed::At { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() }
    }

    #[test]
    fn only_keys_that_are_new_since_the_plan_are_suspects_and_rivals() {
        let story = Story::planned().created();
        let plan = story.rotation.plan();
        let list = |keys: &[AccessKeyId]| {
            let keys: Vec<_> = keys.iter().map(|key| (key.clone(), KeyStatus::Active)).collect();
            listed(&story, &keys)
        };
        assert_eq!(keys_since(plan, &list(&[old_key(), other_key()])), BTreeSet::from([other_key()]));
        assert_eq!(rivals(plan, &new_key(), &list(&[old_key(), new_key()])), Event::RivalsAbsent);
        let keys = BTreeSet::from([other_key()]);
        assert_eq!(rivals(plan, &new_key(), &list(&[new_key(), other_key()])), Event::RivalFound { keys });
    }

    #[test]
    fn a_full_quota_is_a_refusal_only_where_no_earlier_request_may_have_filled_it() {
        let error = || "the words".to_owned();
        let first = Story::planned().intend(Intent::Create);
        let second = first
            .clone()
            .then([Event::CreateUnanswered { error: error() }, Event::OrphanAbsent])
            .intend(Intent::Create);
        let refused = |transient| Event::CreateRefused { error: error(), transient };
        let of = |story: &Story, failure| create_failed(&story.rotation, failure, error());
        assert_eq!(of(&first, CreateFailure::QuotaFull), refused(false));
        assert_eq!(of(&second, CreateFailure::QuotaFull), Event::CreateUnanswered { error: error() });
        assert_eq!(of(&second, CreateFailure::Refused), refused(false));
        assert_eq!(of(&first, CreateFailure::NotNow), refused(true));
        assert_eq!(of(&first, CreateFailure::Unknown), Event::CreateUnanswered { error: error() });
    }

    #[test]
    fn what_was_found_after_a_lost_answer_is_ours_nobodys_or_suspect() {
        let keys = BTreeSet::from([other_key()]);
        assert_eq!(investigated(BTreeSet::new(), None), Event::OrphanAbsent);
        assert_eq!(investigated(keys.clone(), None), Event::OrphanSuspected { keys: keys.clone() });
        let evidence = Attribution::CloudTrail;
        assert_eq!(investigated(keys, Some(other_key())), Event::OrphanAttributed { key: other_key(), evidence });
    }

    #[test]
    fn a_key_makes_room_when_it_is_inactive_or_was_never_used() {
        let story = Story::planned();
        assert!(is_idle(KeyStatus::Inactive, &used(&story, 0)));
        assert!(is_idle(KeyStatus::Active, &LastUsed::Never));
        assert!(!is_idle(KeyStatus::Active, &used(&story, 0)));
        assert!(!is_idle(KeyStatus::Active, &LastUsed::Unknown { reason: "access denied".to_owned() }));
    }

    #[test]
    fn a_place_that_does_not_hold_the_new_key_stands_in_the_way_of_shutting_the_old_one() {
        let story = Story::planned().quiet();
        assert_eq!(story.rotation.places(), [PlaceState::Delivered]);
        let of = |held: Option<AccessKeyId>| overwritten(&story.rotation, 0, held.as_ref(), &old_key());
        assert_eq!(of(Some(new_key())), None);
        assert_eq!(of(Some(old_key())), Some(Event::PlaceOverwritten { place: 0 }));
        assert_eq!(of(None), Some(Event::PlaceOverwritten { place: 0 }));
    }

    #[test]
    fn a_key_that_is_to_stay_has_to_be_listed_as_active() {
        let story = Story::planned();
        let list = listed(&story, &[(new_key(), KeyStatus::Active), (old_key(), KeyStatus::Inactive)]);
        assert!(is_active(&list, &new_key()));
        assert!(!is_active(&list, &old_key()));
        assert!(!is_active(&list, &other_key()));
    }

    #[test]
    fn a_displaced_key_is_deleted_only_while_it_is_inactive_and_was_not_used_since() {
        let story = Story::planned().deactivated();
        let of = |story: &Story, status: Option<KeyStatus>, last_used: &LastUsed| {
            let keys: Vec<_> = status.into_iter().map(|status| (old_key(), status)).collect();
            displaced_before_deletion(&story.rotation, &listed(story, &keys), last_used)
        };
        let (inactive, due) = (Some(KeyStatus::Inactive), Deletion::Due(Event::DisplacedDeleted));
        let found_active = Deletion::Moot(Event::DisplacedFoundActive);
        assert_eq!(of(&story, None, &LastUsed::Never), Deletion::Moot(Event::DisplacedGone));
        assert_eq!(of(&story, Some(KeyStatus::Active), &LastUsed::Never), found_active);
        assert_eq!(of(&story, inactive, &LastUsed::Never), due);
        // A deactivated key works for some seconds more, and clocks differ: five minutes are no evidence.
        assert_eq!(of(&story, inactive, &used(&story, 300)), due);
        assert_eq!(of(&story, inactive, &used(&story, 301)), found_active);
        // In a short grace, an eighth of it.
        let short = Story::of(Plan { grace: SignedDuration::from_mins(8), ..plan() }).deactivated();
        assert_eq!(of(&short, inactive, &used(&short, 60)), due);
        assert_eq!(of(&short, inactive, &used(&short, 61)), found_active);
        // Without a grace there is none to have been used in.
        let at_once = Story::of(Plan { retirement: Retirement::Delete, ..plan() }).deactivated();
        assert_eq!(of(&at_once, inactive, &used(&at_once, 3_600)), due);
    }
}
