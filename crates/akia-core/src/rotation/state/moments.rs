//! Time as the model check needs it: only differences matter.

use jiff::{SignedDuration, Timestamp};

use super::{Rotation, Stage, Streak, after};
use crate::key::LastUsed;

impl Rotation {
    /// Moves every moment of this rotation `by` into the past, but none before `floor`.
    ///
    /// Everything here is decided by comparing a moment, plus a constant, with now. So a rotation that is moved
    /// together with its world behaves as before, as long as `floor` lies further back than the longest of those
    /// constants. The model check lives by it: its states would never repeat if their clocks went on and on.
    #[doc(hidden)]
    #[must_use]
    pub fn moved_back(mut self, by: SignedDuration, floor: Timestamp) -> Self {
        let back = |at: &mut Timestamp| *at = after(*at, -by).max(floor);
        let back_streak = |streak: &mut Streak| {
            if let Some(last) = &mut streak.last {
                back(last);
            }
        };
        if let Some(trouble) = &mut self.trouble {
            back(&mut trouble.at);
        }
        if let Some(at) = &mut self.retiring.unanswered_at {
            back(at);
        }
        match &mut self.stage {
            Stage::Planned { not_before, .. } => {
                if let Some(at) = not_before {
                    back(at);
                }
            }
            Stage::CreateIntended { since, .. } | Stage::CreateUnknown { since, .. } | Stage::Created { since, .. } => {
                back(since);
            }
            Stage::OrphanSuspected { since, next_look, .. } => {
                back(since);
                back(next_look);
            }
            Stage::Proving { since, streak, .. } => {
                back(since);
                back_streak(streak);
            }
            Stage::UseSuspected { at, next_look, last_used, .. } => {
                back(at);
                back(next_look);
                if let LastUsed::At { at, .. } = last_used {
                    back(at);
                }
            }
            Stage::Promoted { at, .. }
            | Stage::Quiet { at, .. }
            | Stage::Deactivated { at, .. }
            | Stage::Reactivated { at, .. }
            | Stage::Undone { at, .. } => back(at),
            Stage::Undoing { streak, .. } | Stage::Probing { tries: streak, .. } => back_streak(streak),
            Stage::Crowded
            | Stage::OrphanAttributed { .. }
            | Stage::Proven { .. }
            | Stage::Delivering { .. }
            | Stage::Kept { .. }
            | Stage::Retired
            | Stage::Discarding { .. }
            | Stage::Aborted { .. }
            | Stage::Restoring { .. }
            | Stage::UndoneAndClean => {}
        }
        self
    }
}
