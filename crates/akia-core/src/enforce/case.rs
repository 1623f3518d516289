//! The state machine of one key's way out: seen, notified, reminded, deactivated, soaked, deleted.

mod moments;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::record::{Act, CaseEvent, CaseRecord, Closed, Facts, Hindrance, KeyFacts, Opening, Told, Waits};
use super::review::Review;
use crate::estate::Known;
use crate::key::{KeyStatus, LastUsed};

/// How old a look may be when a key is changed on its account.
const FRESH_FOR_CHANGE: SignedDuration = SignedDuration::from_secs(60);
/// How old a look may be when an owner is told: a notice is put together from looks at all keys of an owner.
const FRESH_FOR_NOTICE: SignedDuration = SignedDuration::from_mins(10);
/// How long a change whose answer was lost may still be carried out, and AWS may still show what was before a change. IAM
/// was seen to lag by 4 s.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(60);
/// Between the two looks that must agree before a key is deleted, which nothing brings back.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(15);
/// How far AWS's clock may be from ours, and a use from its record: a use so long after a deactivation was one of a key that
/// somebody had activated.
const CLOCKS: SignedDuration = SignedDuration::from_mins(6);
/// How often an inactive key is looked at during its soak.
const WATCH: SignedDuration = SignedDuration::from_hours(12);

/// The case of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    opening: Arc<Opening>,
    stage: Stage,
    /// The longest waits that the policy has asked for since the case was opened.
    waits: Waits,
    /// When the owner was first told.
    told_at: Option<Timestamp>,
    /// From when the soak counts: the deactivation, the notice of it, or what has put it off since.
    soaks_from: Option<Timestamp>,
    open: Option<Open>,
    look: Option<Look>,
    held: Option<Hindrance>,
    /// When akia has deactivated and deleted the key.
    changes: Vec<Timestamp>,
    /// When akia has deactivated the key.
    deactivated_at: Option<Timestamp>,
    /// The rules that the key was last seen to break.
    broken: BTreeSet<String>,
    /// Its status, as it was last seen.
    status: KeyStatus,
    /// The policy that a look has last asked, and since when it is that one.
    policy: Option<(String, Timestamp)>,
    updated_at: Timestamp,
    records: u64,
}

/// How far a case is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nobody was told yet.
    Seen,
    /// The owner was told.
    Notified {
        /// When.
        at: Timestamp,
        /// When the key will be deactivated, at the earliest.
        deadline: Timestamp,
    },
    /// The owner was reminded.
    Reminded {
        /// When.
        at: Timestamp,
        /// When the key will be deactivated, at the earliest.
        deadline: Timestamp,
    },
    /// The key is inactive.
    Deactivated {
        /// Since when, as far as is known.
        at: Timestamp,
        /// Whether the owner knows.
        is_told: bool,
        /// When the soak is over; `None`: never.
        until: Option<Timestamp>,
    },
    /// The key was inactive for the whole soak.
    Soaked {
        /// Since when it is inactive.
        since: Timestamp,
        /// When that was seen.
        at: Timestamp,
    },
    /// It is over.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        why: Closed,
    },
}

impl Stage {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Notified { .. } => "notified",
            Self::Reminded { .. } => "reminded",
            Self::Deactivated { .. } => "deactivated",
            Self::Soaked { .. } => "soaked",
            Self::Closed { why, .. } => why.as_str(),
        }
    }
}

/// A change that was intended, and of which no outcome is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Open {
    act: Act,
    by: String,
    reason: Option<String>,
    /// The first look since. What was under way when a process died may have been sent long after its intent, and the
    /// next process may have another clock: a quarantine counts from here.
    first_look: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    at: Timestamp,
    /// It is the key of the case, and it is there.
    is_same: bool,
    /// Nothing stands against the next act.
    is_clear: bool,
}

/// What may be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask AWS and the policy about the key.
    Look,
    /// Do it.
    Do(Act, Clear),
    /// Nothing before then.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// Nothing in this run: the case is over, or held.
    Rest,
}

/// That a look at the key, moments ago, had nothing against the act. Only [`Case::next`] and [`Case::reactivation`] mint it.
#[derive(Debug, PartialEq, Eq)]
pub struct Clear(());

/// A record that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not fit a case that is {stage}")]
pub struct Illegal {
    what: &'static str,
    stage: &'static str,
}

impl Case {
    /// Begins with the record that opens it.
    ///
    /// # Errors
    /// Any other record.
    pub fn begin(record: &CaseRecord) -> Result<Self, Illegal> {
        let CaseEvent::Opened { opening } = &record.event else {
            return Err(Illegal { what: "a record before the opening", stage: "not opened" });
        };
        Ok(Self {
            waits: opening.waits,
            policy: None,
            broken: opening.evidence.broken.iter().map(|(rule, _)| rule.clone()).collect(),
            status: opening.evidence.status,
            opening: Arc::new((**opening).clone()),
            changes: Vec::new(),
            deactivated_at: None,
            stage: Stage::Seen,
            told_at: None,
            soaks_from: None,
            open: None,
            look: None,
            held: None,
            updated_at: record.at,
            records: 1,
        })
    }

    /// A case is its records.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a CaseRecord>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let first = records.next().ok_or(Illegal { what: "no record at all", stage: "not opened" })?;
        let mut case = Self::begin(first)?;
        records.try_for_each(|record| case.apply(record))?;
        Ok(case)
    }

    /// What it stands on.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// How far it is.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Why it stays there, where something stands against going on.
    #[must_use]
    pub fn held(&self) -> Option<&Hindrance> {
        self.held.as_ref()
    }

    /// A change whose outcome is not known.
    #[must_use]
    pub fn open_act(&self) -> Option<Act> {
        self.open.as_ref().map(|open| open.act)
    }

    /// How many records it has: a plan that was made on fewer is out of date.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// When akia has deactivated and deleted the key.
    #[must_use]
    pub fn changes(&self) -> &[Timestamp] {
        &self.changes
    }

    /// When akia has deactivated the key, where it has.
    #[must_use]
    pub fn deactivated_at(&self) -> Option<Timestamp> {
        self.deactivated_at
    }

    /// The policy that was last asked about the key, and since when it is that one; of a case that was never looked at, the
    /// policy of the plan that has opened it.
    #[must_use]
    pub fn policy(&self) -> (&str, Timestamp) {
        self.reviewed().unwrap_or((&self.opening.policy, self.updated_at))
    }

    /// The policy that a look has last asked about the key, and since when it is that one; `None` where none has yet.
    #[must_use]
    pub fn reviewed(&self) -> Option<(&str, Timestamp)> {
        self.policy.as_ref().map(|(digest, since)| (digest.as_str(), *since))
    }

    /// How long each stage lasts at least.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// When it was last written on.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed { .. })
    }

    /// Since when akia keeps the key inactive, where it does.
    #[must_use]
    pub fn inactive_since(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Deactivated { at, .. } => Some(at),
            Stage::Soaked { since, .. } => Some(since),
            Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } | Stage::Closed { .. } => None,
        }
    }

    /// What the next act is, and when it is due; `None` where there is none.
    #[must_use]
    pub fn due(&self) -> Option<(Act, Timestamp)> {
        match &self.stage {
            Stage::Seen => Some((Act::Announce, self.updated_at)),
            Stage::Notified { at, .. } => Some((Act::Remind, later(*at, self.waits.remind_after))),
            Stage::Reminded { deadline, .. } => Some((Act::Deactivate, *deadline)),
            Stage::Deactivated { at, is_told: false, .. } => Some((Act::TellDeactivated, *at)),
            Stage::Deactivated { is_told: true, until, .. } => until.map(|until| (Act::Delete, until)),
            Stage::Soaked { at, .. } => {
                // The policy may have been changed since.
                self.waits.delete_after.map(|_| (Act::Delete, later(*at, SECOND_LOOK)))
            }
            Stage::Closed { .. } => None,
        }
    }

    /// When the key will be deactivated or, once it is, deleted, as it is told in a notice that is sent at `now`.
    #[must_use]
    pub fn deadline_told(&self, told: Told, now: Timestamp) -> Option<Timestamp> {
        match told {
            Told::Announced => Some(later(now, self.waits.deactivate_after)),
            Told::Reminded => match &self.stage {
                Stage::Notified { deadline, .. } => Some(self.deadline_after_reminder(*deadline, now)),
                Stage::Seen
                | Stage::Reminded { .. }
                | Stage::Deactivated { .. }
                | Stage::Soaked { .. }
                | Stage::Closed { .. } => None,
            },
            Told::Deactivated => match &self.stage {
                Stage::Deactivated { until, .. } => self.soak_after_notice(*until, now),
                Stage::Seen
                | Stage::Notified { .. }
                | Stage::Reminded { .. }
                | Stage::Soaked { .. }
                | Stage::Closed { .. } => None,
            },
        }
    }

    /// Whether an inactive key was not looked at for a while.
    #[must_use]
    pub fn is_watch_due(&self, now: Timestamp) -> bool {
        self.inactive_since().is_some() && self.look.is_none_or(|look| now.duration_since(look.at) >= WATCH)
    }

    /// What may be done at `now`. After [`Next::Rest`] there is nothing more in this run.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        if self.is_closed() {
            return Next::Rest;
        }
        if let Some(open) = &self.open
            && open.act.told().is_none()
        {
            return match open.first_look.map(|look| later(look, QUARANTINE)) {
                Some(settled) if now < settled => Next::Wait { until: settled },
                Some(_) | None => Next::Look,
            };
        }
        let Some((act, due)) = self.due() else { return Next::Rest };
        if now < due {
            return Next::Wait { until: due };
        }
        match self.look {
            Some(look) if self.covers(act, look, now) => {
                if look.is_clear {
                    Next::Do(act, Clear(()))
                } else {
                    Next::Rest
                }
            }
            Some(_) | None => Next::Look,
        }
    }

    /// Leave to activate the key again, where a look moments ago has shown the case's own key.
    #[must_use]
    pub fn reactivation(&self, now: Timestamp) -> Option<Clear> {
        self.may_reactivate(now).then_some(Clear(()))
    }

    fn may_reactivate(&self, now: Timestamp) -> bool {
        let is_fresh = self.look.is_some_and(|look| look.is_same && self.covers(Act::Reactivate, look, now));
        self.inactive_since().is_some() && self.open.is_none() && is_fresh
    }

    /// Whether the look that an intended change stands on still covers it. A machine may sleep between the intent and the
    /// request.
    #[must_use]
    pub fn may_send(&self, now: Timestamp) -> bool {
        let act = self.open_act().filter(|act| act.told().is_none());
        act.zip(self.look).is_some_and(|(act, look)| self.covers(act, look, now))
    }

    /// Whether a look is recent enough for an act.
    fn covers(&self, act: Act, look: Look, now: Timestamp) -> bool {
        let fresh = if act.told().is_some() { FRESH_FOR_NOTICE } else { FRESH_FOR_CHANGE };
        let is_fresh = now.duration_since(look.at) <= fresh && look.at <= now;
        // What was clear before the deadline need not be clear after, and a deletion takes a second look.
        let is_after_due = match act {
            Act::Deactivate | Act::Delete => self.due().is_some_and(|(_, due)| look.at >= due),
            Act::Announce | Act::Remind | Act::TellDeactivated | Act::Reactivate => true,
        };
        is_fresh && is_after_due
    }

    /// Takes the next record. The only way that a case changes, live and in recovery.
    ///
    /// # Errors
    /// A record that does not fit; the case is as it was.
    pub fn apply(&mut self, record: &CaseRecord) -> Result<(), Illegal> {
        let mut next = self.clone();
        next.take(record)?;
        next.records += 1;
        next.updated_at = record.at;
        *self = next;
        Ok(())
    }

    fn take(&mut self, record: &CaseRecord) -> Result<(), Illegal> {
        let at = record.at;
        if self.is_closed() {
            return Err(self.illegal("a record after the end"));
        }
        match &record.event {
            CaseEvent::Opened { .. } => Err(self.illegal("a second opening")),
            CaseEvent::Looked { facts, review } => {
                self.looked(at, facts, review);
                Ok(())
            }
            CaseEvent::Intended { act, by, reason } => {
                let is_allowed = match act {
                    Act::Reactivate => reason.is_some() && self.may_reactivate(at),
                    Act::Announce | Act::Remind | Act::Deactivate | Act::TellDeactivated | Act::Delete => {
                        matches!(self.next(at), Next::Do(next, Clear(())) if next == *act)
                    }
                };
                if !is_allowed {
                    return Err(self.illegal("an intent without leave"));
                }
                self.open = Some(Open { act: *act, by: by.clone(), reason: reason.clone(), first_look: None });
                Ok(())
            }
            CaseEvent::NoticeDelivered { told, deadline, proofs, .. } => {
                self.outcome(|act| act.told() == Some(*told))?;
                if proofs.is_empty() {
                    return Err(self.illegal("a delivery without proof"));
                }
                self.delivered(*told, at, *deadline);
                Ok(())
            }
            CaseEvent::NoticeFailed { told, error } => {
                self.outcome(|act| act.told() == Some(*told))?;
                self.fail(Hindrance::NoticeFailed { error: error.clone() });
                Ok(())
            }
            CaseEvent::KeyDeactivated { .. } => {
                self.outcome(|act| act == Act::Deactivate)?;
                self.shut(at);
                Ok(())
            }
            CaseEvent::KeyDeleted { .. } => {
                self.outcome(|act| act == Act::Delete)?;
                self.changes.push(at);
                self.close(at, Closed::Deleted);
                Ok(())
            }
            CaseEvent::KeyActivated { .. } => {
                let open = self.outcome(|act| act == Act::Reactivate)?;
                self.close(at, reactivated(open));
                Ok(())
            }
            CaseEvent::Refused { act, error } => {
                self.outcome(|open| open == *act && act.told().is_none())?;
                if *act == Act::Reactivate {
                    self.soak_anew(at);
                }
                self.fail(Hindrance::Refused { act: *act, error: error.clone() });
                Ok(())
            }
            CaseEvent::Unanswered { act, .. } => {
                let open = self.outcome(|open| open == *act && act.told().is_none())?;
                self.open = Some(Open { first_look: None, ..open });
                Ok(())
            }
        }
    }

    /// What was intended, now that its outcome is known.
    fn outcome(&mut self, fits: impl Fn(Act) -> bool) -> Result<Open, Illegal> {
        match self.open.take() {
            Some(open) if fits(open.act) => Ok(open),
            open => {
                self.open = open;
                Err(self.illegal("an outcome of what was not intended"))
            }
        }
    }

    fn looked(&mut self, at: Timestamp, facts: &Facts, review: &Known<Review>) {
        self.held = None;
        self.look = Some(Look { at, is_same: false, is_clear: false });
        // A notice that was intended and has no outcome is intended anew: the outbox knows whether it went out.
        self.open = self.open.take().filter(|open| open.act.told().is_none());
        let Some(key) = self.same_key(at, facts) else { return };
        self.look = Some(Look { at, is_same: true, is_clear: false });
        if !self.settled(at, key) {
            return;
        }
        // What AWS says of the key counts whether the policy can be read or not.
        let before = std::mem::replace(&mut self.status, key.status);
        match self.stage {
            Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } => {
                if (before, key.status) == (KeyStatus::Inactive, KeyStatus::Active) {
                    return self.close(at, Closed::ReactivatedByOther);
                }
            }
            Stage::Deactivated { at: since, .. } | Stage::Soaked { since, .. } => {
                if before == KeyStatus::Active {
                    return self.close(at, Closed::ReactivatedByOther);
                }
                if self.came_back(at, since, key, facts) {
                    return;
                }
            }
            Stage::Closed { .. } => {}
        }
        let review = match review {
            Known::Told(review) => review,
            Known::Unknown { reason } => return self.hold_unknown("the policy", reason),
        };
        self.waits = longest(self.waits, review.waits);
        self.lengthen();
        if self.reviewed().is_none_or(|(digest, _)| digest != review.policy) {
            self.policy = Some((review.policy.clone(), at));
        }
        if let Some(broken) = review.broken.told().filter(|broken| !broken.is_empty()) {
            self.broken = broken.iter().map(|(rule, _)| rule.clone()).collect();
        }
        match self.stage {
            Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } => {
                self.looked_at_active(at, key, &facts.last_used, review);
            }
            Stage::Deactivated { .. } | Stage::Soaked { .. } => self.looked_at_inactive(at, &facts.last_used, review),
            Stage::Closed { .. } => {}
        }
    }

    /// The key, where it is certainly the one of the case.
    fn same_key(&mut self, at: Timestamp, facts: &Facts) -> Option<KeyFacts> {
        match &facts.user_id {
            Known::Unknown { reason } => {
                self.hold_unknown("the user", reason);
                return None;
            }
            Known::Told(Some(id)) if *id != self.opening.subject.user_id => {
                self.close(at, Closed::Replaced);
                return None;
            }
            Known::Told(None) if facts.key.told().is_some_and(Option::is_some) => {
                self.hold_unknown("the user", "AWS lists its key, and says that there is no such user");
                return None;
            }
            // Without the user there is no key: the list says so, too, or is not known.
            Known::Told(Some(_) | None) => {}
        }
        match &facts.key {
            Known::Unknown { reason } => {
                self.hold_unknown("the keys of the user", reason);
                None
            }
            Known::Told(None) => {
                let is_ours = self.open_act() == Some(Act::Delete);
                self.changes.extend(is_ours.then_some(at));
                self.close(at, if is_ours { Closed::Deleted } else { Closed::Gone });
                None
            }
            Known::Told(Some(key)) if key.created_at != self.opening.subject.key_created_at => {
                self.close(at, Closed::Replaced);
                None
            }
            Known::Told(Some(key)) => Some(*key),
        }
    }

    /// Finds out what became of a change whose answer is not known. Says whether there is none any more, and the stage is
    /// what it was.
    fn settled(&mut self, at: Timestamp, key: KeyFacts) -> bool {
        let Some(open) = self.open.take() else { return true };
        let is_before = self.inactive_since().is_some_and(|since| at < later(since, CLOCKS));
        if (open.act, key.status) == (Act::Reactivate, KeyStatus::Active) && !is_before {
            // Whatever somebody does to it from here on, it was activated.
            self.close(at, reactivated(open));
            return false;
        }
        let first_look = open.first_look.unwrap_or(at);
        if open.first_look.is_none() || at < later(first_look, QUARANTINE) {
            let open_act = open.act;
            self.open = Some(Open { first_look: Some(first_look.min(at)), ..open });
            self.held = Some(Hindrance::TooSoon);
            let is_telling = match open_act {
                // Should it be active later on, somebody has activated it.
                Act::Deactivate => key.status == KeyStatus::Inactive,
                // Should it be inactive later on, somebody has deactivated it.
                Act::Delete => key.status == KeyStatus::Active && !is_before,
                Act::Reactivate | Act::Announce | Act::Remind | Act::TellDeactivated => false,
            };
            if is_telling {
                self.status = key.status;
            }
            return false;
        }
        match (open.act, key.status) {
            (Act::Deactivate, KeyStatus::Inactive) => {
                self.shut(at);
                false
            }
            (Act::Reactivate, KeyStatus::Active) => {
                self.close(at, reactivated(open));
                false
            }
            // It did nothing. A key that a person wants back is not deleted because AWS did not answer.
            (Act::Reactivate, KeyStatus::Inactive) => {
                self.soak_anew(at);
                true
            }
            (Act::Deactivate, KeyStatus::Active)
            | (Act::Delete | Act::Announce | Act::Remind | Act::TellDeactivated, _) => true,
        }
    }

    fn looked_at_active(&mut self, at: Timestamp, key: KeyFacts, last_used: &LastUsed, review: &Review) {
        if let Some(reason) = &review.stopped {
            self.held = Some(Hindrance::Stopped { reason: reason.clone() });
            return;
        }
        if let Some(reason) = &review.exempt {
            return self.close(at, Closed::Exempt { reason: reason.clone() });
        }
        if review.is_protected {
            return self.close(at, Closed::Protected);
        }
        match &review.broken {
            Known::Unknown { reason } => return self.hold_unknown("the rules", reason),
            Known::Told(broken) if broken.is_empty() => return self.close(at, Closed::Resolved),
            Known::Told(_) => {}
        }
        if let Stage::Reminded { deadline, .. } = self.stage
            && at >= deadline
        {
            if key.status == KeyStatus::Inactive {
                // It was inactive when it was found, or somebody else was quicker.
                return self.deactivated(at);
            }
            if let Some(reason) = &review.frozen {
                self.held = Some(Hindrance::Frozen { reason: reason.clone() });
                return;
            }
            if let LastUsed::Unknown { reason } = last_used {
                return self.hold_unknown("the last use", reason);
            }
            if review.is_in_use {
                self.held = Some(Hindrance::InUse { last_used: last_used.clone() });
                return;
            }
        }
        self.look = Some(Look { at, is_same: true, is_clear: true });
    }

    /// Whether a key that akia keeps inactive was active meanwhile.
    fn came_back(&mut self, at: Timestamp, since: Timestamp, key: KeyFacts, facts: &Facts) -> bool {
        // Whose clock says when it was deactivated is not known: what may be from before is none from after.
        let is_after = |moment: Timestamp| moment > later(since, CLOCKS);
        if key.status == KeyStatus::Active {
            if at < later(since, CLOCKS) {
                self.status = KeyStatus::Inactive;
                self.held = Some(Hindrance::TooSoon);
            } else {
                self.close(at, Closed::ReactivatedByOther);
            }
            return true;
        }
        if matches!(facts.last_used, LastUsed::At { at: used, .. } if is_after(used)) {
            self.close(at, Closed::ReactivatedByOther);
            return true;
        }
        let is_again = facts.reactivated_at.is_some_and(is_after);
        if is_again {
            // Activated and deactivated again: the soak begins anew.
            self.deactivated(at);
        }
        is_again
    }

    fn looked_at_inactive(&mut self, at: Timestamp, last_used: &LastUsed, review: &Review) {
        if let LastUsed::Unknown { reason } = last_used {
            return self.hold_unknown("the last use", reason);
        }
        if let Some(reason) = &review.stopped {
            self.held = Some(Hindrance::Stopped { reason: reason.clone() });
            return;
        }
        if let Known::Unknown { reason } = &review.broken {
            return self.hold_unknown("the rules", reason);
        }
        let hindrance = if let Some(reason) = &review.exempt {
            Some(Hindrance::Exempt { reason: reason.clone() })
        } else if review.is_protected {
            Some(Hindrance::Protected)
        } else {
            None
        };
        if hindrance.is_some() {
            // What was spared soaks anew when it is spared no more.
            self.soak_anew(at);
            self.held = hindrance;
            return;
        }
        if self.broken.is_disjoint(&review.rules) {
            // An inactive key breaks few rules. What it was deactivated for must still be one that leads to action.
            return self.close(at, Closed::Resolved);
        }
        if let Stage::Deactivated { at: since, is_told: true, until: Some(until) } = self.stage
            && at >= until
        {
            self.stage = Stage::Soaked { since, at };
        }
        if let (Stage::Soaked { .. }, Some(reason)) = (&self.stage, &review.frozen) {
            self.held = Some(Hindrance::Frozen { reason: reason.clone() });
            return;
        }
        self.look = Some(Look { at, is_same: true, is_clear: true });
    }

    fn delivered(&mut self, told: Told, at: Timestamp, promised: Option<Timestamp>) {
        let promised = |deadline: Timestamp| promised.map_or(deadline, |promised| promised.max(deadline));
        match (told, &mut self.stage) {
            (Told::Announced, Stage::Seen) => {
                self.told_at = Some(at);
                self.stage = Stage::Notified { at, deadline: promised(later(at, self.waits.deactivate_after)) };
            }
            (Told::Reminded, Stage::Notified { deadline, .. }) => {
                let deadline = *deadline;
                self.stage = Stage::Reminded { at, deadline: promised(self.deadline_after_reminder(deadline, at)) };
            }
            (Told::Deactivated, Stage::Deactivated { at: since, until, .. }) => {
                let (since, until) = (*since, *until);
                let until = self.soak_after_notice(until, at).map(promised);
                self.stage = Stage::Deactivated { at: since, is_told: true, until };
                self.soaks_from = self.soaks_from.max(Some(at));
            }
            (Told::Announced | Told::Reminded | Told::Deactivated, _) => {}
        }
    }

    /// A late reminder moves the deadline: between the two lies what was meant to.
    fn deadline_after_reminder(&self, deadline: Timestamp, reminded: Timestamp) -> Timestamp {
        deadline.max(later(reminded, self.waits.after_reminder()))
    }

    /// A late notice lengthens the soak: whoever learns late has as long to say so.
    fn soak_after_notice(&self, until: Option<Timestamp>, told: Timestamp) -> Option<Timestamp> {
        until.zip(self.soaked_at(told)).map(|(until, anew)| until.max(anew))
    }

    /// A policy that was made milder lengthens what was promised. One that was made stricter changes nothing.
    fn lengthen(&mut self) {
        let waits = self.waits;
        let soaked = self.soaks_from.and_then(|from| self.soaked_at(from));
        match &mut self.stage {
            Stage::Notified { at, deadline } => *deadline = (*deadline).max(later(*at, waits.deactivate_after)),
            Stage::Reminded { at, deadline } => {
                let from_notice = later(self.told_at.unwrap_or(*at), waits.deactivate_after);
                *deadline = (*deadline).max(later(*at, waits.after_reminder())).max(from_notice);
            }
            Stage::Deactivated { until, .. } => *until = until.zip(soaked).map(|(told, asked)| told.max(asked)),
            Stage::Soaked { since, at } => {
                if soaked.is_none_or(|asked| asked > *at) {
                    self.stage = Stage::Deactivated { at: *since, is_told: true, until: soaked };
                }
            }
            Stage::Seen | Stage::Closed { .. } => {}
        }
    }

    /// The soak begins anew, and never ends before what was told.
    fn soak_anew(&mut self, from: Timestamp) {
        let (since, is_told, told) = match self.stage {
            Stage::Deactivated { at, is_told, until } => (at, is_told, until),
            Stage::Soaked { since, at } => (since, true, Some(at)),
            Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } | Stage::Closed { .. } => return,
        };
        let until = told.zip(self.soaked_at(from)).map(|(told, anew)| told.max(anew));
        self.soaks_from = self.soaks_from.max(Some(from));
        self.stage = Stage::Deactivated { at: since, is_told, until };
    }

    /// akia has deactivated the key.
    fn shut(&mut self, at: Timestamp) {
        self.changes.push(at);
        self.deactivated_at = Some(at);
        self.deactivated(at);
    }

    fn deactivated(&mut self, at: Timestamp) {
        self.status = KeyStatus::Inactive;
        self.soaks_from = Some(at);
        self.stage = Stage::Deactivated { at, is_told: false, until: self.soaked_at(at) };
        self.look = None;
    }

    fn soaked_at(&self, from: Timestamp) -> Option<Timestamp> {
        self.waits.delete_after.map(|wait| later(from, wait))
    }

    fn close(&mut self, at: Timestamp, why: Closed) {
        self.stage = Stage::Closed { at, why };
        self.open = None;
    }

    /// What was tried did not come about. Another run looks, and tries again.
    fn fail(&mut self, hindrance: Hindrance) {
        self.held = Some(hindrance);
        self.look = self.look.map(|look| Look { is_clear: false, ..look });
    }

    fn hold_unknown(&mut self, what: &str, reason: &str) {
        self.held = Some(Hindrance::NotKnown { what: format!("{what}: {reason}") });
    }

    fn illegal(&self, what: &'static str) -> Illegal {
        Illegal { what, stage: self.stage.as_str() }
    }
}

fn reactivated(open: Open) -> Closed {
    Closed::Reactivated { by: open.by, reason: open.reason.unwrap_or_default() }
}

fn longest(ours: Waits, asked: Waits) -> Waits {
    // The time between reminder and deactivation is one of its own: it must not shrink where only the reminder moves.
    let remind_after = ours.remind_after.max(asked.remind_after);
    let after_reminder = ours.after_reminder().max(asked.after_reminder());
    let deactivate_after = ours.deactivate_after.max(asked.deactivate_after);
    Waits {
        remind_after,
        deactivate_after: deactivate_after.max(remind_after.saturating_add(after_reminder)),
        delete_after: ours.delete_after.zip(asked.delete_after).map(|(ours, asked)| ours.max(asked)),
    }
}

/// Saturating: the end of time is never reached.
pub(super) fn later(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
