//! The state machine of one containment.
//!
//! A containment is its records, as a rotation, a case and a quarantine are. It composes those: the hands of the user are tied by
//! a quarantine, a key that serves somebody is replaced by a rotation, each in a thread of the journal of its own. What is left for
//! this machine is their order, the key itself, and the proof that it is dead.
//!
//! Invariants:
//! - A key is changed only on a look at it and at its user that is at most a minute old, and never at another user than the one
//!   that the containment was opened for.
//! - A key is deleted only where that was asked for by name, after it was seen inactive, and after sessions of before are denied.
//! - Whatever was done before the deletion can be taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::estate::Known;
use crate::ids::{AccessKeyId, AccountId, ContainmentId, QuarantineId, RotationId, UserArn, UserId};
use crate::key::KeyStatus;

/// How long sessions of an IAM user live at most: those of `GetSessionToken` and `GetFederationToken`.
///
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>.
pub const SESSIONS_LIVE: SignedDuration = SignedDuration::from_hours(36);
/// Nothing older changes a key.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// For so long what was asked for, and whose answer was lost, may still come to pass: what takes it back before that could be undone
/// by it.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);
/// Lost answers of one act after which a run stops.
const LOST_LIMIT: u32 = 3;

/// How a key is contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Replaced in every place that holds it, then shut.
    Rotate,
    /// Shut at once.
    Deactivate,
    /// Shut at once, and deleted.
    Delete,
    /// The user's hands are tied; the key stays active.
    Quarantine,
}

impl Strategy {
    /// Every one, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Rotate, Self::Deactivate, Self::Delete, Self::Quarantine];

    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
            Self::Quarantine => "quarantine",
        }
    }
}

impl FromStr for Strategy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("there are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One line of the journal about a containment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentRecord {
    /// The clock of the machine that wrote it.
    pub at: Timestamp,
    /// What was intended, or what came of it.
    pub event: ContainmentEvent,
}

/// How a containment begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentOpening {
    /// Its name.
    pub id: ContainmentId,
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserArn,
    /// The user's immutable id.
    pub user_id: UserId,
    /// The leaked key. For temporary credentials (`ASIA…`) there is no key to shut: sessions of the user are denied.
    pub key: AccessKeyId,
    /// How.
    pub strategy: Strategy,
    /// The quarantine that ties the user's hands, or denies earlier sessions.
    pub quarantine: QuarantineId,
    /// Whether that is this containment's own, and not one that somebody has opened before: that one stays.
    pub owns_quarantine: bool,
    /// Why.
    pub reason: String,
    /// Who asked for it: an ARN.
    pub by: String,
    /// When the key was seen first where it must not be, where a scan tells.
    pub leaked_at: Option<Timestamp>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The quarantine is put in place: AWS's deny policy, and no earlier sessions.
    Tie,
    /// A rotation puts a new key into every place that holds this one, and shuts this one.
    Rotate,
    /// `UpdateAccessKey` to inactive.
    Deactivate,
    /// Sessions that were opened before now are denied.
    DenySessions,
    /// AWS's deny policy is taken off again; earlier sessions stay denied.
    Ease,
    /// `DeleteAccessKey`.
    Delete,
    /// What is left of the quarantine is taken off.
    Release,
    /// `UpdateAccessKey` to active, for an undo.
    Activate,
    /// The rotation is taken back, for an undo.
    Restore,
}

impl Act {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tie => "tie",
            Self::Rotate => "rotate",
            Self::Deactivate => "deactivate",
            Self::DenySessions => "deny-sessions",
            Self::Ease => "ease",
            Self::Delete => "delete",
            Self::Release => "release",
            Self::Activate => "activate",
            Self::Restore => "restore",
        }
    }

    /// What is true once it is done.
    #[must_use]
    pub fn past(self) -> &'static str {
        match self {
            Self::Tie => "user in quarantine",
            Self::Rotate => "replaced and shut",
            Self::Deactivate => "deactivated",
            Self::DenySessions => "earlier sessions denied",
            Self::Ease => "AWS's deny policy taken off",
            Self::Delete => "deleted",
            Self::Release => "user released",
            Self::Activate => "activated again",
            Self::Restore => "rotation taken back",
        }
    }

    /// Whether it changes the key by a call of this machine's own, and not through another thread of the journal.
    fn is_on_key(self) -> bool {
        match self {
            Self::Deactivate | Self::Delete | Self::Activate => true,
            Self::Tie | Self::Rotate | Self::DenySessions | Self::Ease | Self::Release | Self::Restore => false,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What AWS says of the key now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLook {
    /// The id of the user, where there is one of that name.
    pub user_id: Known<Option<UserId>>,
    /// The key's state, where the user has it.
    pub key: Known<Option<KeyStatus>>,
}

/// What happens in a containment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ContainmentEvent {
    /// It begins.
    Opened {
        /// How.
        opening: Box<ContainmentOpening>,
    },
    /// A person wants it done in another way.
    Redirected {
        /// How.
        strategy: Strategy,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A new run has taken it up.
    Resumed {
        /// Who.
        by: String,
    },
    /// What AWS says of the key.
    Looked {
        /// That.
        look: KeyLook,
    },
    /// A rotation is about to be begun for it.
    Linked {
        /// Which.
        rotation: RotationId,
    },
    /// An act is about to be done.
    Intended {
        /// Which.
        act: Act,
        /// By whom.
        by: String,
    },
    /// It is done.
    Done {
        /// What.
        act: Act,
        /// AWS's name for the request, where it was one.
        request_id: Option<String>,
    },
    /// It is not done, and need not be: another containment of the user needs what it would take off, and takes it off in its end.
    HandedOver {
        /// What.
        act: Act,
        /// To which.
        to: ContainmentId,
    },
    /// It is not done.
    Refused {
        /// What.
        act: Act,
        /// Why.
        error: String,
    },
    /// Whether it is done is not known.
    Unanswered {
        /// What.
        act: Act,
        /// Why.
        error: String,
    },
    /// The key was tried with the secret that a profile of this machine holds, after it was shut.
    Tried {
        /// Whether AWS refused it; unknown where it could not be asked.
        refused: Known<bool>,
    },
    /// A person wants it taken back.
    UndoAsked {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
}

impl ContainmentEvent {
    /// It in a few words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Opened { opening } => {
                format!("{} by {}: {}, by {}", opening.key, opening.strategy, opening.reason, opening.by)
            }
            Self::Redirected { strategy, reason, by } => format!("by {strategy}: {reason}, by {by}"),
            Self::Resumed { by } => format!("by {by}"),
            Self::Looked { look } => match (&look.user_id, &look.key) {
                (Known::Unknown { reason }, _) | (_, Known::Unknown { reason }) => format!("not known: {reason}"),
                (Known::Told(None), _) => "the user is gone".to_owned(),
                (Known::Told(Some(id)), Known::Told(None)) => format!("the key is on no list of user {id}"),
                (Known::Told(Some(id)), Known::Told(Some(status))) => {
                    format!("{} at user {id}", status.as_str().to_lowercase())
                }
            },
            Self::Linked { rotation } => rotation.to_string(),
            Self::Intended { act, by } => format!("{act} by {by}"),
            Self::Done { act, request_id } => match request_id {
                Some(id) => format!("{act}, request {id}"),
                None => act.to_string(),
            },
            Self::HandedOver { act, to } => format!("{act}, left to {to}"),
            Self::Refused { act, error } | Self::Unanswered { act, error } => format!("{act}: {error}"),
            Self::Tried { refused } => match refused {
                Known::Told(true) => "AWS refused the key, tried with the secret of a profile here".to_owned(),
                Known::Told(false) => "AWS let the key in, tried with the secret of a profile here".to_owned(),
                Known::Unknown { reason } => format!("the key could not be tried: {reason}"),
            },
            Self::UndoAsked { reason, by } => format!("{reason}, by {by}"),
        }
    }
}

/// Where a containment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainmentStage {
    /// It is under way.
    Containing,
    /// The user's hands are tied, and the key is active: so it was asked for.
    Tied,
    /// The key is shut and seen to be; sessions of before are denied until then.
    Contained {
        /// No session of before lives longer.
        until: Timestamp,
    },
    /// It is being taken back.
    Undoing,
    /// It is over.
    Over {
        /// Since when.
        at: Timestamp,
        /// How.
        how: Ended,
    },
}

/// How a containment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The key is shut, and no session of before lives.
    Closed,
    /// A person has taken it back.
    Undone,
    /// The user is gone, and the key with it.
    UserGone,
    /// The user is another one under the same name.
    UserReplaced,
}

impl Ended {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Undone => "taken back",
            Self::UserGone => "the user is gone",
            Self::UserReplaced => "the user is another one under the same name",
        }
    }
}

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Look at the key.
    Look,
    /// Do this.
    Take(Act),
    /// Nothing until then.
    Wait {
        /// When to ask again.
        until: Timestamp,
    },
    /// Nothing.
    Rest,
}

/// A record that cannot follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Illegal {
    /// What does not fit.
    pub what: &'static str,
}

/// One containment, as its records tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containment {
    opening: ContainmentOpening,
    opened_at: Timestamp,
    strategy: Strategy,
    is_undoing: bool,
    ended: Option<(Timestamp, Ended)>,
    /// What the last look has shown, and when; none since the key was changed.
    look: Option<(Timestamp, KeyLook)>,
    /// An act under way, and whether none of its kind was begun before.
    open: Option<(Act, bool)>,
    /// Acts that may have had an effect: what an undo takes back.
    begun: BTreeSet<Act>,
    /// Acts whose effect holds, and since when.
    done: BTreeMap<Act, Timestamp>,
    /// When the key was seen shut after sessions of before were denied.
    verified_at: Option<Timestamp>,
    /// It was verified since a person asked for it last: who activates the key after that may mean it.
    was_verified: bool,
    /// The key was seen to be on no list any more.
    is_gone: bool,
    rotation: Option<RotationId>,
    /// Since when a deactivation without an answer may still commit.
    late: Option<Timestamp>,
    lost: u32,
    held: Option<String>,
}

impl Containment {
    /// Begins with the first record.
    ///
    /// # Errors
    /// When it is another one.
    pub fn begin(record: &ContainmentRecord) -> Result<Self, Illegal> {
        let ContainmentEvent::Opened { opening } = &record.event else {
            return Err(Illegal { what: "the first record does not open a containment" });
        };
        Ok(Self {
            opening: (**opening).clone(),
            opened_at: record.at,
            strategy: opening.strategy,
            is_undoing: false,
            ended: None,
            look: None,
            open: None,
            begun: BTreeSet::new(),
            done: BTreeMap::new(),
            verified_at: None,
            was_verified: false,
            is_gone: false,
            rotation: None,
            late: None,
            lost: 0,
            held: None,
        })
    }

    /// All its records in order.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a ContainmentRecord>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let first = records.next().ok_or(Illegal { what: "there is no record" })?;
        records.try_fold(Self::begin(first)?, |mut one, record| one.apply(record).map(|()| one))
    }

    /// How it began.
    #[must_use]
    pub fn opening(&self) -> &ContainmentOpening {
        &self.opening
    }

    /// When it began.
    #[must_use]
    pub fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// How the key is contained, as it was asked for last.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The rotation that was begun for it, where one was.
    #[must_use]
    pub fn rotation(&self) -> Option<&RotationId> {
        self.rotation.as_ref()
    }

    /// Why it does not go on.
    #[must_use]
    pub fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    /// When the key was seen shut, after sessions of before were denied.
    #[must_use]
    pub fn verified_at(&self) -> Option<Timestamp> {
        self.verified_at
    }

    /// Whether the key was seen shut since a person asked for it last.
    #[must_use]
    pub fn was_verified(&self) -> bool {
        self.was_verified
    }

    /// Whether the key was seen to be on no list any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Since when the effect of an act holds.
    #[must_use]
    pub fn done_at(&self, act: Act) -> Option<Timestamp> {
        self.done.get(&act).copied()
    }

    /// Whether an act may have had an effect.
    #[must_use]
    pub fn has_begun(&self, act: Act) -> bool {
        self.begun.contains(&act)
    }

    /// Whether it needs AWS's deny policy on the user.
    #[must_use]
    pub fn needs_tie(&self) -> bool {
        !self.is_over() && self.has_begun(Act::Tie) && !self.is_done(Act::Ease) && !self.is_done(Act::Release)
    }

    /// Whether it needs earlier sessions of the user denied.
    #[must_use]
    pub fn needs_denial(&self) -> bool {
        let has_begun = self.has_begun(Act::Tie) || self.has_begun(Act::DenySessions);
        !self.is_over() && has_begun && !self.is_done(Act::Release)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether a run has something to do.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.stage() {
            ContainmentStage::Containing | ContainmentStage::Undoing => true,
            ContainmentStage::Contained { until } => now >= until,
            ContainmentStage::Tied | ContainmentStage::Over { .. } => false,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> ContainmentStage {
        if let Some((at, how)) = self.ended {
            return ContainmentStage::Over { at, how };
        }
        if self.is_undoing {
            return ContainmentStage::Undoing;
        }
        if self.strategy == Strategy::Quarantine {
            return if self.is_done(Act::Tie) { ContainmentStage::Tied } else { ContainmentStage::Containing };
        }
        let is_shut = self.opening.key.is_temporary() || self.verified_at.is_some();
        let is_deleted = self.strategy != Strategy::Delete || self.is_gone || self.opening.key.is_temporary();
        // One that was not whole may have attached AWS's policy all the same.
        let is_eased = !self.has_begun(Act::Tie) || self.is_done(Act::Ease);
        match self.done.get(&Act::DenySessions) {
            Some(denied_at) if is_shut && is_deleted && is_eased => {
                ContainmentStage::Contained { until: denied_at.checked_add(SESSIONS_LIVE).unwrap_or(Timestamp::MAX) }
            }
            Some(_) | None => ContainmentStage::Containing,
        }
    }

    /// Where it stands, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let moment = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        match self.stage() {
            ContainmentStage::Containing => {
                format!("not contained yet: {}", self.held().unwrap_or("interrupted"))
            }
            ContainmentStage::Tied => "the user is in quarantine; the key is active".to_owned(),
            ContainmentStage::Contained { until } => {
                let shut = match (self.opening().key.is_temporary(), self.is_gone()) {
                    (true, _) => "sessions denied",
                    (false, true) => "deleted",
                    (false, false) if self.done_at(Act::Rotate).is_some() => "replaced and shut",
                    (false, false) => "shut",
                };
                format!("contained: {shut}; earlier sessions denied until {}", moment(until))
            }
            ContainmentStage::Undoing => {
                format!("not taken back yet: {}", self.held().unwrap_or("interrupted"))
            }
            ContainmentStage::Over { how, at } => format!("{} at {}", how.as_str(), moment(at)),
        }
    }

    /// What may be done now.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        if self.held.is_some() { Next::Rest } else { self.wanted(now) }
    }

    /// Goes on by one record.
    ///
    /// # Errors
    /// When it cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &ContainmentRecord) -> Result<(), Illegal> {
        if self.is_over() {
            return Err(Illegal { what: "a record after the end" });
        }
        let at = record.at;
        match &record.event {
            ContainmentEvent::Opened { .. } => return Err(Illegal { what: "it is opened twice" }),
            ContainmentEvent::Redirected { strategy, .. } => self.redirect(*strategy)?,
            ContainmentEvent::Resumed { .. } => {
                self.abandon(at);
                self.take_up();
            }
            ContainmentEvent::Looked { look } => self.looked(at, look),
            ContainmentEvent::Linked { rotation } => {
                if self.wanted(at) != Next::Take(Act::Rotate) {
                    return Err(Illegal { what: "a rotation that is not wanted" });
                }
                self.rotation = Some(rotation.clone());
            }
            ContainmentEvent::Intended { act, .. } => {
                if self.wanted(at) != Next::Take(*act) {
                    return Err(Illegal { what: "an act that is not wanted" });
                }
                self.abandon(at);
                self.open = Some((*act, self.begun.insert(*act)));
                if act.is_on_key() {
                    self.look = None;
                }
                if *act == Act::Tie {
                    self.done.remove(&Act::Ease);
                }
            }
            ContainmentEvent::Done { act, .. } | ContainmentEvent::HandedOver { act, .. } => {
                self.outcome(*act)?;
                self.achieved(*act, at);
            }
            ContainmentEvent::Refused { act, error } => {
                // An earlier one, whose answer was lost, may have been done all the same.
                let is_first = self.outcome(*act)?;
                if act.is_on_key() && is_first {
                    self.begun.remove(act);
                }
                self.held = Some(format!("{act}: {error}"));
            }
            ContainmentEvent::Unanswered { act, error } => {
                let is_first = self.outcome(*act)?;
                self.open = Some((*act, is_first));
                self.abandon(at);
                self.lost += 1;
                if self.lost >= LOST_LIMIT {
                    self.held = Some(format!("{act}: {error}"));
                }
            }
            ContainmentEvent::Tried { .. } => {}
            ContainmentEvent::UndoAsked { .. } => {
                if self.has_begun(Act::Delete) || self.is_gone && self.has_begun(Act::Deactivate) {
                    return Err(Illegal { what: "the key is deleted, or may be" });
                }
                self.is_undoing = true;
                self.abandon(at);
                self.take_up();
            }
        }
        if self.is_undoing && self.ended.is_none() && self.held.is_none() && self.undo(at) == Next::Rest {
            self.ended = Some((at, Ended::Undone));
        }
        Ok(())
    }

    fn wanted(&self, now: Timestamp) -> Next {
        if self.is_over() {
            Next::Rest
        } else if self.is_undoing {
            self.undo(now)
        } else {
            self.forward(now)
        }
    }

    fn forward(&self, now: Timestamp) -> Next {
        let has_key = !self.opening.key.is_temporary();
        match self.strategy {
            Strategy::Quarantine if self.is_done(Act::Tie) => return Next::Rest,
            Strategy::Quarantine => return Next::Take(Act::Tie),
            // While the key is replaced it has to work, for whoever it serves; so the user's hands are tied first.
            Strategy::Rotate if !self.is_done(Act::Rotate) => {
                return Next::Take(if self.is_done(Act::Tie) { Act::Rotate } else { Act::Tie });
            }
            Strategy::Rotate | Strategy::Deactivate | Strategy::Delete => {}
        }
        if has_key && self.verified_at.is_none() {
            match self.status() {
                None => return Next::Look,
                Some(Some(KeyStatus::Active)) if self.is_fresh(now) => return Next::Take(Act::Deactivate),
                Some(Some(KeyStatus::Active)) => return Next::Look,
                Some(Some(KeyStatus::Inactive) | None) => {}
            }
        }
        if !self.is_done(Act::DenySessions) {
            return Next::Take(Act::DenySessions);
        }
        if self.strategy == Strategy::Delete && has_key && !self.is_gone {
            return match self.status() {
                Some(Some(KeyStatus::Inactive)) if self.is_fresh(now) => Next::Take(Act::Delete),
                Some(_) | None => Next::Look,
            };
        }
        if self.has_begun(Act::Tie) && !self.is_done(Act::Ease) {
            return Next::Take(Act::Ease);
        }
        match self.stage() {
            ContainmentStage::Contained { until } if now >= until => Next::Take(Act::Release),
            ContainmentStage::Contained { .. }
            | ContainmentStage::Containing
            | ContainmentStage::Tied
            | ContainmentStage::Undoing
            | ContainmentStage::Over { .. } => Next::Rest,
        }
    }

    fn undo(&self, now: Timestamp) -> Next {
        let may_commit_until = self.late.map(|late| late.checked_add(LATE).unwrap_or(Timestamp::MAX));
        if let Some(until) = may_commit_until.filter(|until| now < *until) {
            return Next::Wait { until };
        }
        if self.rotation.is_some() && !self.is_done(Act::Restore) {
            return Next::Take(Act::Restore);
        }
        // Also where a rotation was given up, and the key shut by itself after that.
        if self.has_begun(Act::Deactivate) {
            match self.status() {
                Some(Some(KeyStatus::Inactive)) if self.is_fresh(now) => return Next::Take(Act::Activate),
                None | Some(Some(KeyStatus::Inactive)) => return Next::Look,
                Some(Some(KeyStatus::Active) | None) => {}
            }
        }
        let is_tied = self.has_begun(Act::Tie) || self.has_begun(Act::DenySessions);
        if is_tied && !self.is_done(Act::Release) { Next::Take(Act::Release) } else { Next::Rest }
    }

    fn is_done(&self, act: Act) -> bool {
        self.done.contains_key(&act)
    }

    /// The key's state at the last look, where that told it.
    fn status(&self) -> Option<Option<KeyStatus>> {
        self.look.as_ref().and_then(|(_, look)| look.key.told().copied())
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.look.as_ref().is_some_and(|(at, _)| now >= *at && now.duration_since(*at) < FRESH)
    }

    /// Whether no act of the kind was begun before.
    fn outcome(&mut self, act: Act) -> Result<bool, Illegal> {
        match self.open {
            Some((open, is_first)) if open == act => {
                self.open = None;
                Ok(is_first)
            }
            Some(_) | None => Err(Illegal { what: "an outcome of what was not intended" }),
        }
    }

    fn achieved(&mut self, act: Act, at: Timestamp) {
        self.done.insert(act, at);
        self.lost = 0;
        match act {
            // Sessions that were opened up to now are not denied yet.
            Act::Rotate | Act::Deactivate => {
                self.done.remove(&Act::DenySessions);
                self.verified_at = None;
            }
            // What was seen before that proves nothing of a key that was just shut.
            Act::DenySessions => self.look = None,
            Act::Release if !self.is_undoing => self.ended = Some((at, Ended::Closed)),
            Act::Tie | Act::Delete | Act::Ease | Act::Release | Act::Activate | Act::Restore => {}
        }
    }

    /// Nobody will learn what became of the act under way.
    fn abandon(&mut self, at: Timestamp) {
        if self.open.take().is_some_and(|(act, _)| act == Act::Deactivate) {
            self.late = Some(at);
        }
    }

    fn take_up(&mut self) {
        self.held = None;
        self.lost = 0;
        self.look = None;
        self.verified_at = None;
    }

    fn redirect(&mut self, strategy: Strategy) -> Result<(), Illegal> {
        let is_shut = self.has_begun(Act::Deactivate) || self.is_done(Act::Rotate) || self.is_done(Act::DenySessions);
        match strategy {
            _ if self.is_undoing => return Err(Illegal { what: "it is being taken back" }),
            // The same once more: somebody has activated the key since.
            _ if strategy == self.strategy => {}
            Strategy::Rotate | Strategy::Quarantine if is_shut => return Err(Illegal { what: "the key is shut" }),
            Strategy::Rotate | Strategy::Quarantine | Strategy::Deactivate | Strategy::Delete => {}
        }
        self.strategy = strategy;
        self.was_verified = false;
        self.take_up();
        Ok(())
    }

    fn looked(&mut self, at: Timestamp, look: &KeyLook) {
        self.held = None;
        self.look = Some((at, look.clone()));
        let user = self.opening.user_id.clone();
        match (&look.user_id, &look.key) {
            (Known::Unknown { reason }, _) | (_, Known::Unknown { reason }) => {
                self.held = Some(format!("the key could not be looked at: {reason}"));
            }
            (Known::Told(None), Known::Told(_)) => self.ended = Some((at, Ended::UserGone)),
            (Known::Told(Some(id)), Known::Told(_)) if *id != user => self.ended = Some((at, Ended::UserReplaced)),
            (Known::Told(Some(_)), Known::Told(status)) => {
                self.is_gone = status.is_none();
                if *status == Some(KeyStatus::Active) && self.strategy != Strategy::Quarantine && !self.is_undoing {
                    // It opens sessions, until it is shut (again).
                    self.done.remove(&Act::DenySessions);
                }
                let is_shut = *status != Some(KeyStatus::Active);
                self.verified_at = (is_shut && self.is_done(Act::DenySessions)).then_some(at);
                self.was_verified |= self.verified_at.is_some();
                if !is_shut && self.was_verified && self.strategy != Strategy::Quarantine && !self.is_undoing {
                    let (key, id) = (&self.opening.key, &self.opening.id);
                    self.held = Some(format!(
                        "{key} was shut, and somebody has activated it since: akia contain {key} shuts it again, akia undo {id} \
                         closes this case"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
