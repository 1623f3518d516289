//! Time and identity as the model check needs them: only differences of time matter.

use std::hash::{Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::super::record::Hindrance;
use super::{Case, FRESH_FOR_NOTICE, Open, Stage, later};
use crate::key::LastUsed;

impl Case {
    /// Moves every moment that decides anything `by` into the past, but none before `floor`.
    ///
    /// Everything here is decided by comparing a moment, plus a constant or a wait, with now. So a case that is moved together
    /// with its world behaves as before, as long as `floor` lies further back than the longest of those. The model check lives
    /// by it: its states would never repeat if their clocks went on and on.
    #[doc(hidden)]
    #[must_use]
    pub fn moved_back(mut self, by: SignedDuration, floor: Timestamp) -> Self {
        let back = |at: &mut Timestamp| *at = later(*at, -by).max(floor);
        if let Some(Open { first_look: Some(at), .. }) = &mut self.open {
            back(at);
        }
        if let Some(look) = &mut self.look {
            back(&mut look.at);
        }
        if let Some(Hindrance::InUse { last_used: LastUsed::At { at, .. } }) = &mut self.held {
            back(at);
        }
        match &mut self.stage {
            Stage::Seen => {}
            Stage::Notified { at, deadline } | Stage::Reminded { at, deadline } => {
                back(at);
                back(deadline);
            }
            Stage::Deactivated { at, until, .. } => {
                back(at);
                if let Some(until) = until {
                    back(until);
                }
            }
            Stage::Soaked { since, at } => {
                back(since);
                back(at);
            }
            Stage::Closed { at, .. } => back(at),
        }
        self.told_at.iter_mut().chain(&mut self.soaks_from).for_each(back);
        back(&mut self.updated_at);
        self
    }

    /// Drops what cannot decide anything any more at `now`: to the model check, cases that differ in nothing else are one.
    #[doc(hidden)]
    #[must_use]
    pub fn forgetting(mut self, now: Timestamp) -> Self {
        self.look = self.look.filter(|look| now.duration_since(look.at) <= FRESH_FOR_NOTICE);
        match &mut self.stage {
            Stage::Notified { .. } | Stage::Reminded { .. } => {}
            Stage::Seen | Stage::Deactivated { .. } | Stage::Soaked { .. } => self.told_at = None,
            Stage::Closed { at, .. } => {
                *at = Timestamp::MIN;
                (self.told_at, self.soaks_from, self.look, self.held) = (None, None, None, None);
            }
        }
        self
    }
}

/// Cases that go on alike are one to the model check: how many records led here, and when what has been done was done, decides
/// nothing any more. Neither does the opening, which does not change.
impl Hash for Case {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { stage, told_at, soaks_from, waits, open, look, held, broken, status, .. } = self;
        (stage, told_at, soaks_from, waits, open, look, held, broken, status).hash(state);
    }
}
