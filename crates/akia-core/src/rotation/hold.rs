//! How a rotation stands to a key that somebody wants to change by hand.

use jiff::Timestamp;

use super::{Decision, Rest, Rotation};
use crate::ids::AccessKeyId;

/// Why a change by hand would come in a rotation's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The rotation is not finished, and the key is one that it works on.
    Working,
    /// The rotation has deactivated the key, and keeps it so that it can be brought back.
    Grace {
        /// Until when; in the past where only `akia retire` is missing.
        until: Timestamp,
        /// Whether it is the new key of a rotation that was taken back. Then nothing brings it back.
        undone: bool,
    },
}

impl Rotation {
    /// Whether something is left to do, to wait for or to decide before another rotation of the user may begin. A key
    /// that merely waits out its grace does not count.
    #[must_use]
    pub fn is_unfinished(&self, now: Timestamp) -> bool {
        if self.is_over() {
            return false;
        }
        match self.rest(now) {
            Rest::Busy => !self.is_out_of_grace(now),
            Rest::Undecided { .. } | Rest::Interrupted { .. } | Rest::Watching { .. } => true,
            Rest::Retired
            | Rest::Kept
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. } => false,
        }
    }

    /// Whether `akia resume` finds something to do or to ask here. That is more than [`Rotation::is_left_over`]: a rotation
    /// whose process died right at its end is over, stands in nobody's way, and still has its staged secrets.
    #[must_use]
    pub fn is_to_be_resumed(&self, now: Timestamp) -> bool {
        match self.rest(now) {
            Rest::Retired | Rest::UndoneAndClean | Rest::Aborted { .. } => !self.is_over(),
            Rest::Busy
            | Rest::Undecided { .. }
            | Rest::Interrupted { .. }
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undone { .. } => self.is_left_over(now),
        }
    }

    /// Whether a run that has just ended left something to do or to decide. Waiting out a grace is neither, nor waiting for
    /// `akia retire` after it; but a key that was to be deleted without a grace should be gone.
    #[must_use]
    pub fn is_left_over(&self, now: Timestamp) -> bool {
        match self.rest(now) {
            Rest::Undecided { .. } | Rest::Interrupted { .. } => true,
            Rest::Busy | Rest::Undone { .. } if self.is_out_of_grace(now) => self.is_without_grace(),
            Rest::Busy => true,
            Rest::Retired
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. } => false,
        }
    }

    /// Whether the rotation lays a hand on the key.
    #[must_use]
    pub fn hold_on(&self, key: &AccessKeyId, now: Timestamp) -> Option<Hold> {
        if self.is_over() {
            return None;
        }
        if let (Some(in_grace), Some(until)) = (self.key_in_grace(), self.grace_ends())
            && in_grace == key
        {
            return Some(Hold::Grace { until, undone: self.plan().displaced != *key });
        }
        (self.is_unfinished(now) && self.works_on(key, now)).then_some(Hold::Working)
    }

    fn works_on(&self, key: &AccessKeyId, now: Timestamp) -> bool {
        let is_suspect = match self.rest(now) {
            Rest::Undecided { decision: Decision::Orphans { keys } } => keys.contains(key),
            Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated }
            | Rest::Busy
            | Rest::Retired
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. }
            | Rest::Interrupted { .. } => false,
        };
        is_suspect
            || self.plan().displaced == *key
            || self.plan().make_room.as_ref() == Some(key)
            || self.new_key() == Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Story, new_key, old_key, other_key, plan};
    use super::*;
    use crate::journal::{Event, Intent};
    use crate::rotation::{Plan, Retirement};

    /// Whether another rotation has to wait, whether `akia resume` has something to do, whether a run has left something.
    fn answers(story: &Story) -> [bool; 3] {
        let (rotation, now) = (&story.rotation, story.now);
        [rotation.is_unfinished(now), rotation.is_to_be_resumed(now), rotation.is_left_over(now)]
    }

    fn at_once() -> Plan {
        Plan { retirement: Retirement::Delete, ..plan() }
    }

    #[test]
    fn a_rotation_under_way_is_unfinished_and_to_be_resumed() {
        for story in [
            Story::planned(),
            Story::planned().created(),
            Story::planned().delivering(),
            Story::planned().quiet(),
            Story::planned().suspected(),
            Story::planned().delivering().interrupted(),
            Story::planned().deactivated().then([Event::UndoRequested]),
        ] {
            assert_eq!(answers(&story), [true, true, true], "{}", story.rotation.stage_name());
        }
    }

    #[test]
    fn a_key_in_its_grace_leaves_nothing_to_do_and_after_it_only_for_retire() {
        for story in [Story::planned().deactivated(), Story::planned().undone()] {
            assert_eq!(answers(&story), [false, false, false], "{}", story.rotation.stage_name());
            assert_eq!(answers(&story.wait(7 * 86_400)), [false, false, false]);
        }
    }

    #[test]
    fn a_key_that_was_to_be_deleted_at_once_and_still_exists_is_left_over() {
        let interrupted = Story::of(at_once()).deactivated();
        assert_eq!(answers(&interrupted), [false, true, true]);
        let waived = Story::planned().undone().then([Event::GraceWaived]);
        assert_eq!(answers(&waived), [false, true, true]);
    }

    #[test]
    fn an_end_without_its_wiping_is_to_be_resumed_and_in_nobodys_way() {
        let retired = Story::planned().retired();
        assert_eq!(answers(&retired), [false, true, false]);
        let wiped = retired.then([Event::SecretsWiped]);
        assert!(wiped.rotation.is_over());
        assert_eq!(answers(&wiped), [false, false, false]);
    }

    #[test]
    fn a_rotation_that_keeps_the_old_key_is_done() {
        let kept = Story::of(Plan { retirement: Retirement::Keep, ..plan() }).promoted();
        assert_eq!(kept.rest(), Rest::Kept);
        assert_eq!(answers(&kept), [false, false, false]);
    }

    #[test]
    fn a_rotation_under_way_holds_its_keys_and_no_other() {
        let story = Story::planned().delivering();
        let hold = |key: &AccessKeyId| story.rotation.hold_on(key, story.now);
        assert_eq!(hold(&old_key()), Some(Hold::Working));
        assert_eq!(hold(&new_key()), Some(Hold::Working));
        assert_eq!(hold(&other_key()), None);
        let suspected = Story::planned().suspected();
        assert_eq!(suspected.rotation.hold_on(&other_key(), suspected.now), Some(Hold::Working));
        assert_eq!(suspected.rotation.hold_on(&new_key(), suspected.now), None);
    }

    #[test]
    fn a_key_that_has_to_make_room_is_held() {
        let mut crowded = plan();
        crowded.before.insert(other_key());
        crowded.make_room = Some(other_key());
        let story = Story::of(crowded);
        assert_eq!(story.rotation.hold_on(&other_key(), story.now), Some(Hold::Working));
    }

    #[test]
    fn a_key_in_its_grace_is_held_for_its_undo_and_the_other_is_free() {
        let story = Story::planned().deactivated();
        let until = story.now + story.rotation.plan().grace;
        let hold = |story: &Story, key: &AccessKeyId| story.rotation.hold_on(key, story.now);
        assert_eq!(hold(&story, &old_key()), Some(Hold::Grace { until, undone: false }));
        assert_eq!(hold(&story, &new_key()), None);
        let late = story.wait(30 * 86_400);
        assert_eq!(hold(&late, &old_key()), Some(Hold::Grace { until, undone: false }), "only retire is missing");
        let undone = Story::planned().undone();
        let until = undone.now + undone.rotation.plan().grace;
        assert_eq!(hold(&undone, &new_key()), Some(Hold::Grace { until, undone: true }));
        assert_eq!(hold(&undone, &old_key()), None);
    }

    #[test]
    fn what_is_over_holds_nothing() {
        let over = Story::planned().retired().then([Event::SecretsWiped]);
        assert_eq!(over.rotation.hold_on(&old_key(), over.now), None);
        let undone = Story::planned().undone().wait(7 * 86_400).intend(Intent::DeleteNew).then([Event::NewDeleted]);
        assert_eq!(undone.rotation.hold_on(&new_key(), undone.now), None);
    }
}
