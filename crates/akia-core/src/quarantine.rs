//! Quarantine of a user whose key is not the owner's alone any more: AWS's own deny policy is attached, and sessions that were
//! made before now are denied. Both are taken back again when a person says so.
//!
//! A quarantine is its records, as a case is. It is about a user and not a key: policies are a user's. Each measure may be
//! repeated, so that an answer that was lost is asked for again.
//!
//! Invariants:
//! - Nothing is changed at a user who is another one than when the quarantine began.
//! - What somebody else has attached is not taken off: only what was not there before akia's own intent.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::estate::Known;
use crate::ids::{AccessKeyId, AccountId, Partition, QuarantineId, UserArn, UserId};

/// AWS's policy for users whose keys were exposed; the latest of three versions.
///
/// Source: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html>.
const POLICY: &str = "AWSCompromisedKeyQuarantineV3";
/// The name of the inline policy that denies earlier sessions.
pub const SESSIONS_POLICY: &str = "AkiaDenyEarlierSessions";
/// Nothing older changes a user.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// Times of issue are whole seconds, and clocks differ: sessions of the next seconds are denied with those of before.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// The ARN of AWS's policy.
#[must_use]
pub fn quarantine_policy(partition: Partition) -> String {
    format!("arn:{partition}:iam::aws:policy/{POLICY}")
}

/// The inline policy: everything is denied to sessions that were issued before `now`, or up to five seconds after it. A long-term key has no time of issue, and is
/// not met by it.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>.
#[must_use]
pub fn sessions_policy(now: Timestamp) -> Value {
    let before = now.checked_add(MARGIN).unwrap_or(Timestamp::MAX);
    let before = before.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "DenyEarlierSessions",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": { "DateLessThan": { "aws:TokenIssueTime": before } },
        }],
    })
}

/// One line of the journal about a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRecord {
    /// The clock of the machine that wrote it.
    pub at: Timestamp,
    /// What was intended, or what came of it.
    pub event: QuarantineEvent,
}

/// How a quarantine begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineOpening {
    /// Its name.
    pub id: QuarantineId,
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserArn,
    /// The user's immutable id.
    pub user_id: UserId,
    /// The key that it is for.
    pub key: AccessKeyId,
    /// Why.
    pub reason: String,
    /// Who asked for it: an ARN.
    pub by: String,
}

/// What happens in a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum QuarantineEvent {
    /// It begins.
    Opened {
        /// How.
        opening: Box<QuarantineOpening>,
    },
    /// A person wants earlier sessions denied once more: also those made since.
    Renewed {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// AWS's policy is not wanted, or no longer; earlier sessions stay denied. So it is where the key itself is shut: other keys of
    /// the user may work on.
    Eased {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// AWS's policy is wanted again, after it was taken off: another key of the user has leaked. Sessions made since are denied, too.
    Tightened {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A person wants it to end.
    ReleaseAsked {
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// What AWS says of the user.
    Looked {
        /// That.
        facts: UserFacts,
    },
    /// A measure is about to be taken.
    Intended {
        /// Which.
        measure: Measure,
        /// By whom.
        by: String,
    },
    /// AWS did it.
    Done {
        /// What.
        measure: Measure,
        /// AWS's name for the request.
        request_id: Option<String>,
    },
    /// AWS did not do it.
    Refused {
        /// What.
        measure: Measure,
        /// Why.
        error: String,
    },
    /// Whether AWS did it is not known.
    Unanswered {
        /// What.
        measure: Measure,
        /// Why.
        error: String,
    },
}

impl QuarantineEvent {
    /// It in a few words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Opened { opening } => format!("{}: {}, by {}", opening.user, opening.reason, opening.by),
            Self::Renewed { reason, by } => format!("sessions opened since, too: {reason}, by {by}"),
            Self::Eased { reason, by } => format!("only earlier sessions: {reason}, by {by}"),
            Self::Tightened { reason, by } => format!("AWS's policy, too: {reason}, by {by}"),
            Self::ReleaseAsked { reason, by } => format!("{reason}, by {by}"),
            Self::Looked { facts } => {
                let said = |known: &Known<bool>| match known {
                    Known::Told(true) => "yes".to_owned(),
                    Known::Told(false) => "no".to_owned(),
                    Known::Unknown { reason } => format!("not known ({reason})"),
                };
                let user = match &facts.user_id {
                    Known::Told(Some(id)) => id.to_string(),
                    Known::Told(None) => "gone".to_owned(),
                    Known::Unknown { reason } => format!("not known ({reason})"),
                };
                let (attached, denied) = (said(&facts.is_attached), said(&facts.denies_sessions));
                format!("user {user}, policy attached: {attached}, sessions denied: {denied}")
            }
            Self::Intended { measure, by } => format!("{measure} by {by}"),
            Self::Done { measure, request_id } => match request_id {
                Some(id) => format!("{measure}, request {id}"),
                None => measure.to_string(),
            },
            Self::Refused { measure, error } | Self::Unanswered { measure, error } => format!("{measure}: {error}"),
        }
    }
}

/// What AWS says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFacts {
    /// The id, where there is such a user.
    pub user_id: Known<Option<UserId>>,
    /// Whether AWS's policy is attached, in any of its versions.
    pub is_attached: Known<bool>,
    /// Whether the inline policy is there.
    pub denies_sessions: Known<bool>,
}

/// What is done to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// `AttachUserPolicy` of AWS's deny policy.
    Attach,
    /// `PutUserPolicy` of the policy that denies earlier sessions.
    DenySessions,
    /// `DeleteUserPolicy` of it.
    AllowSessions,
    /// `DetachUserPolicy` of AWS's deny policy.
    Detach,
}

impl Measure {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::DenySessions => "deny-sessions",
            Self::AllowSessions => "allow-sessions",
            Self::Detach => "detach",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Where a quarantine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineStage {
    /// It is to hold.
    Holding,
    /// Only earlier sessions are to be denied.
    Eased,
    /// It is to end.
    Releasing,
    /// It is over.
    Over {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: Ended,
    },
}

/// Why a quarantine is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A person has ended it.
    Released,
    /// The user is gone.
    UserGone,
    /// The user is another one under the same name.
    UserReplaced,
}

impl Ended {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::UserGone => "the user is gone",
            Self::UserReplaced => "the user is another one under the same name",
        }
    }
}

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Look at the user.
    Look,
    /// Take this measure.
    Take(Measure),
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

/// One quarantine, as its records tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    opening: QuarantineOpening,
    opened_at: Timestamp,
    stage: QuarantineStage,
    /// What the last look has shown, and when; none since something was changed.
    look: Option<(Timestamp, UserFacts)>,
    /// Earlier sessions are to be denied, and were not yet.
    owes_denial: bool,
    /// AWS's policy was not there before an intent of ours to attach it.
    is_ours: bool,
    /// A measure under way.
    open: Option<Measure>,
    /// Why the last measure or look did not do.
    held: Option<String>,
    /// It is not known what became of the last measure.
    is_lost: bool,
    /// When that was noticed of any measure, last.
    lost_at: Option<Timestamp>,
}

impl Quarantine {
    /// Begins with the first record.
    ///
    /// # Errors
    /// When it is another one.
    pub fn begin(record: &QuarantineRecord) -> Result<Self, Illegal> {
        let QuarantineEvent::Opened { opening } = &record.event else {
            return Err(Illegal { what: "the first record does not open a quarantine" });
        };
        Ok(Self {
            opening: (**opening).clone(),
            opened_at: record.at,
            stage: QuarantineStage::Holding,
            look: None,
            owes_denial: true,
            is_ours: false,
            open: None,
            held: None,
            is_lost: false,
            lost_at: None,
        })
    }

    /// All its records in order.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a QuarantineRecord>) -> Result<Self, Illegal> {
        let mut records = records.into_iter();
        let first = records.next().ok_or(Illegal { what: "there is no record" })?;
        records.try_fold(Self::begin(first)?, |mut one, record| one.apply(record).map(|()| one))
    }

    /// How it began.
    #[must_use]
    pub fn opening(&self) -> &QuarantineOpening {
        &self.opening
    }

    /// When it began.
    #[must_use]
    pub fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> QuarantineStage {
        self.stage
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, QuarantineStage::Over { .. })
    }

    /// Whether all of it is in place.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let is_attached = self.look.as_ref().and_then(|(_, facts)| facts.is_attached.told().copied());
        let is_seen = match self.stage {
            QuarantineStage::Holding => is_attached == Some(true),
            QuarantineStage::Eased => is_attached.is_some_and(|is_attached| !(is_attached && self.is_ours)),
            QuarantineStage::Releasing | QuarantineStage::Over { .. } => false,
        };
        is_seen && !self.owes_denial && self.open.is_none()
    }

    /// Whether akia has attached AWS's policy.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Why it does not go on.
    #[must_use]
    pub fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    /// Whether it is not known what became of the last measure.
    #[must_use]
    pub fn is_answer_lost(&self) -> bool {
        self.is_lost
    }

    /// When a measure without an answer was noticed last: for some time it may still come to pass, also after what takes it back.
    #[must_use]
    pub fn lost_at(&self) -> Option<Timestamp> {
        self.lost_at
    }

    /// What may be done now.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        if self.is_over() || self.held.is_some() {
            return Next::Rest;
        }
        let Some((at, facts)) = &self.look else { return Next::Look };
        let (Known::Told(is_attached), Known::Told(denies)) = (&facts.is_attached, &facts.denies_sessions) else {
            return Next::Rest;
        };
        let wanted = match self.stage {
            QuarantineStage::Holding if !is_attached => Some(Measure::Attach),
            QuarantineStage::Holding | QuarantineStage::Eased if self.owes_denial => Some(Measure::DenySessions),
            QuarantineStage::Eased if *is_attached && self.is_ours => Some(Measure::Detach),
            QuarantineStage::Releasing if *denies => Some(Measure::AllowSessions),
            QuarantineStage::Releasing if *is_attached && self.is_ours => Some(Measure::Detach),
            QuarantineStage::Holding
            | QuarantineStage::Eased
            | QuarantineStage::Releasing
            | QuarantineStage::Over { .. } => None,
        };
        let is_fresh = now >= *at && now.duration_since(*at) < FRESH;
        match wanted {
            Some(_) if !is_fresh => Next::Look,
            Some(measure) => Next::Take(measure),
            None => Next::Rest,
        }
    }

    /// Another run may try again what did not do.
    pub fn try_again(&mut self) {
        self.is_lost = false;
        self.held = None;
        self.look = None;
    }

    /// Goes on by one record.
    ///
    /// # Errors
    /// When it cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &QuarantineRecord) -> Result<(), Illegal> {
        if self.is_over() {
            return Err(Illegal { what: "a record after the end" });
        }
        match &record.event {
            QuarantineEvent::Opened { .. } => return Err(Illegal { what: "it is opened twice" }),
            QuarantineEvent::Renewed { .. }
                if matches!(self.stage, QuarantineStage::Holding | QuarantineStage::Eased) =>
            {
                self.owes_denial = true;
                self.try_again();
            }
            QuarantineEvent::Renewed { .. } => return Err(Illegal { what: "what ends cannot be renewed" }),
            QuarantineEvent::Eased { .. } if self.stage == QuarantineStage::Releasing => {
                return Err(Illegal { what: "what ends cannot be eased" });
            }
            QuarantineEvent::Eased { .. } => {
                self.stage = QuarantineStage::Eased;
                self.try_again();
            }
            QuarantineEvent::Tightened { .. } if self.stage == QuarantineStage::Eased => {
                self.stage = QuarantineStage::Holding;
                self.owes_denial = true;
                self.try_again();
            }
            QuarantineEvent::Tightened { .. } => return Err(Illegal { what: "only what is eased can be tightened" }),
            QuarantineEvent::ReleaseAsked { .. } => {
                self.stage = QuarantineStage::Releasing;
                self.try_again();
            }
            QuarantineEvent::Looked { facts } => self.looked(record.at, facts),
            QuarantineEvent::Intended { measure, .. } => {
                // Whatever was under way is done once more, or not at all: each may be repeated.
                self.abandon(record.at);
                self.open = Some(*measure);
                // It was not there when it was last looked at: what is there from now on may be ours.
                self.is_ours |= *measure == Measure::Attach;
            }
            QuarantineEvent::Done { measure, .. } => {
                self.outcome(*measure)?;
                self.owes_denial &= *measure != Measure::DenySessions;
            }
            QuarantineEvent::Refused { measure, error } => {
                self.outcome(*measure)?;
                self.is_ours &= *measure != Measure::Attach;
                self.held = Some(format!("{measure}: {error}"));
            }
            QuarantineEvent::Unanswered { measure, error } => {
                self.outcome(*measure)?;
                self.is_lost = true;
                self.lost_at = Some(record.at);
                self.held = Some(format!("{measure}: {error}"));
            }
        }
        Ok(())
    }

    /// Nobody will learn what became of the measure under way.
    fn abandon(&mut self, at: Timestamp) {
        if self.open.take().is_some() {
            self.lost_at = Some(at);
        }
    }

    fn outcome(&mut self, measure: Measure) -> Result<(), Illegal> {
        if self.open != Some(measure) {
            return Err(Illegal { what: "an outcome of what was not intended" });
        }
        self.open = None;
        self.look = None;
        Ok(())
    }

    fn looked(&mut self, at: Timestamp, facts: &UserFacts) {
        self.held = None;
        self.is_lost = false;
        self.abandon(at);
        self.look = Some((at, facts.clone()));
        let unknown = |what: &str, reason: &str| Some(format!("not known: {what}: {reason}"));
        match &facts.user_id {
            Known::Unknown { reason } => self.held = unknown("the user", reason),
            Known::Told(None) => self.stage = QuarantineStage::Over { at, why: Ended::UserGone },
            Known::Told(Some(id)) if *id != self.opening.user_id => {
                self.stage = QuarantineStage::Over { at, why: Ended::UserReplaced };
            }
            Known::Told(Some(_)) => match (&facts.is_attached, &facts.denies_sessions) {
                (Known::Unknown { reason }, _) | (_, Known::Unknown { reason }) => {
                    self.held = unknown("the user's policies", reason);
                }
                (Known::Told(is_attached), Known::Told(denies)) => {
                    let is_on = *denies || *is_attached && self.is_ours;
                    if self.stage == QuarantineStage::Releasing && !is_on {
                        self.stage = QuarantineStage::Over { at, why: Ended::Released };
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "AIDACKCEVSQ6C2EXAMPLE";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn facts(attached: bool, denies: bool) -> QuarantineEvent {
        let facts = UserFacts {
            user_id: Known::Told(Some(USER.parse().unwrap())),
            is_attached: Known::Told(attached),
            denies_sessions: Known::Told(denies),
        };
        QuarantineEvent::Looked { facts }
    }

    fn opened() -> Quarantine {
        let opening = QuarantineOpening {
            id: QuarantineId::from_bits(1),
            account: "111122223333".parse().unwrap(),
            user: "arn:aws:iam::111122223333:user/ann".parse().unwrap(),
            user_id: USER.parse().unwrap(),
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            reason: "found in a public repository".to_owned(),
            by: "arn:aws:iam::111122223333:user/ben".to_owned(),
        };
        let event = QuarantineEvent::Opened { opening: Box::new(opening) };
        Quarantine::begin(&QuarantineRecord { at: at(0), event }).unwrap()
    }

    fn after(mut one: Quarantine, events: impl IntoIterator<Item = QuarantineEvent>) -> Quarantine {
        for event in events {
            one.apply(&QuarantineRecord { at: at(1), event }).unwrap();
        }
        one
    }

    fn taken(measure: Measure) -> [QuarantineEvent; 2] {
        let by = String::new();
        [QuarantineEvent::Intended { measure, by }, QuarantineEvent::Done { measure, request_id: None }]
    }

    fn unanswered(measure: Measure) -> [QuarantineEvent; 2] {
        let (by, error) = (String::new(), String::new());
        [QuarantineEvent::Intended { measure, by }, QuarantineEvent::Unanswered { measure, error }]
    }

    fn release() -> QuarantineEvent {
        QuarantineEvent::ReleaseAsked { reason: String::new(), by: String::new() }
    }

    #[test]
    fn both_measures_are_taken_each_after_a_look_and_taken_back_in_reverse() {
        let one = opened();
        assert_eq!(one.next(at(1)), Next::Look);
        let one = after(one, [facts(false, false)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::Attach));
        assert_eq!(one.next(at(62)), Next::Look, "it is old");
        assert_eq!(one.next(at(0)), Next::Look, "a clock went back");
        let one = after(one, taken(Measure::Attach));
        assert_eq!(one.next(at(1)), Next::Look);
        let one = after(one, [facts(true, false)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions));
        let one = after(after(one, taken(Measure::DenySessions)), [facts(true, true)]);
        assert!(one.is_in_place() && one.next(at(1)) == Next::Rest);
        let one = after(one, [release(), facts(true, true)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::AllowSessions));
        let one = after(after(one, taken(Measure::AllowSessions)), [facts(true, false)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::Detach));
        let one = after(after(one, taken(Measure::Detach)), [facts(false, false)]);
        assert_eq!(one.stage(), QuarantineStage::Over { at: at(1), why: Ended::Released });
    }

    #[test]
    fn an_eased_one_denies_earlier_sessions_and_nothing_else() {
        let eased = || QuarantineEvent::Eased { reason: String::new(), by: String::new() };
        let one = after(opened(), [eased(), facts(false, false)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions));
        let one = after(after(one, taken(Measure::DenySessions)), [facts(false, true)]);
        assert!(one.is_in_place() && one.next(at(1)) == Next::Rest);

        // What held whole before loses AWS's policy, where that is ours.
        let held = after(after(opened(), [facts(false, false)]), taken(Measure::Attach));
        let held = after(after(held, [facts(true, false)]), taken(Measure::DenySessions));
        let one = after(held, [eased(), facts(true, true)]);
        assert!(!one.is_in_place());
        assert_eq!(one.next(at(1)), Next::Take(Measure::Detach));
        let one = after(after(one, taken(Measure::Detach)), [facts(false, true)]);
        assert!(one.is_in_place());
        let mut one = after(one, [release(), facts(false, true)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::AllowSessions));
        assert!(one.apply(&QuarantineRecord { at: at(1), event: eased() }).is_err());
    }

    #[test]
    fn an_eased_one_that_is_tightened_is_in_place_only_with_awss_policy() {
        let eased = || QuarantineEvent::Eased { reason: String::new(), by: String::new() };
        let tightened = || QuarantineEvent::Tightened { reason: String::new(), by: String::new() };
        let one = after(after(opened(), [eased(), facts(false, false)]), taken(Measure::DenySessions));
        let one = after(after(one, [facts(false, true), tightened(), facts(false, true)]), []);
        assert!(!one.is_in_place());
        assert_eq!(one.next(at(1)), Next::Take(Measure::Attach));
        let one = after(after(one, taken(Measure::Attach)), [facts(true, true)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions), "sessions since, too");
        let mut one = after(after(one, taken(Measure::DenySessions)), [facts(true, true)]);
        assert!(one.is_in_place());
        assert!(one.apply(&QuarantineRecord { at: at(1), event: tightened() }).is_err());
        assert_eq!(after(one, [eased(), facts(true, true)]).next(at(1)), Next::Take(Measure::Detach));
    }

    #[test]
    fn what_aws_has_attached_by_itself_stays() {
        let one = after(opened(), [facts(true, false)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions));
        let one = after(after(one, taken(Measure::DenySessions)), [release(), facts(true, true)]);
        let one = after(after(one, taken(Measure::AllowSessions)), [facts(true, false)]);
        assert_eq!(one.stage(), QuarantineStage::Over { at: at(1), why: Ended::Released });
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_and_what_may_be_ours_is_taken_off() {
        let one = after(after(opened(), [facts(false, false)]), unanswered(Measure::Attach));
        assert!(one.is_answer_lost() && one.next(at(1)) == Next::Rest, "whoever drives it decides when to try again");
        assert_eq!(one.lost_at(), Some(at(1)));
        let mut one = one;
        one.try_again();
        let one = after(one, [facts(true, false)]);
        assert!(one.is_ours());
        let one = after(one, unanswered(Measure::DenySessions));
        let mut one = one;
        one.try_again();
        let one = after(one, [facts(true, true)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions), "what is there may be of before");
    }

    #[test]
    fn what_was_refused_is_not_ours() {
        let by = String::new();
        let refused = [
            facts(false, false),
            QuarantineEvent::Intended { measure: Measure::Attach, by },
            QuarantineEvent::Refused { measure: Measure::Attach, error: "denied".to_owned() },
        ];
        let one = after(opened(), refused);
        assert_eq!((one.is_ours(), one.held()), (false, Some("attach: denied")));
    }

    #[test]
    fn another_user_under_the_same_name_is_left_alone() {
        let with = |user_id| QuarantineEvent::Looked {
            facts: UserFacts { user_id, is_attached: Known::Told(false), denies_sessions: Known::Told(false) },
        };
        let other = after(opened(), [with(Known::Told(Some("AIDAI44QH8DHBEXAMPLE".parse().unwrap())))]);
        assert_eq!(other.stage(), QuarantineStage::Over { at: at(1), why: Ended::UserReplaced });
        let gone = after(opened(), [with(Known::Told(None))]);
        assert_eq!(gone.stage(), QuarantineStage::Over { at: at(1), why: Ended::UserGone });
        let unknown = after(opened(), [with(Known::Unknown { reason: "a test".to_owned() })]);
        assert_eq!((unknown.next(at(1)), unknown.held()), (Next::Rest, Some("not known: the user: a test")));
    }

    #[test]
    fn a_renewed_one_denies_sessions_once_more() {
        let one = after(after(opened(), [facts(true, false)]), taken(Measure::DenySessions));
        let renewed = QuarantineEvent::Renewed { reason: String::new(), by: String::new() };
        let one = after(after(one, [facts(true, true)]), [renewed.clone(), facts(true, true)]);
        assert_eq!(one.next(at(1)), Next::Take(Measure::DenySessions));
        let mut releasing = after(one, [release()]);
        assert!(releasing.apply(&QuarantineRecord { at: at(1), event: renewed }).is_err());
    }

    #[test]
    fn sessions_of_before_are_denied_and_of_some_seconds_more() {
        let policy = sessions_policy("2026-11-29T12:00:00.9Z".parse().unwrap());
        let before = &policy["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"];
        assert_eq!(before, "2026-11-29T12:00:05Z");
        assert_eq!(quarantine_policy(Partition::AwsCn), "arn:aws-cn:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    }
}
