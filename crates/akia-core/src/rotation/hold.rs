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
            Rest::Undecided { .. } | Rest::Interrupted { .. } => true,
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
