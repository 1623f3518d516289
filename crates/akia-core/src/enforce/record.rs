//! The vocabulary of a case: what is written down before and after everything that is done about one key.
//!
//! The records stand in the journal beside those of rotations, chained by hash with them. Each says by whom, under which
//! policy and on what evidence. None holds a secret.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::review::Review;
use crate::estate::Known;
use crate::finding::Owner;
use crate::ids::{AccessKeyId, AccountId, CaseId, UserArn, UserId};
use crate::key::{KeyStatus, LastUsed};

/// One line of the journal about a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// The clock of the machine that wrote it.
    pub at: Timestamp,
    /// What was intended, or what came of it.
    pub event: CaseEvent,
}

/// Which key a case is about. A key is the same only where all of this is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseSubject {
    /// The account.
    pub account: AccountId,
    /// The user, by name and path.
    pub user: UserArn,
    /// The user's immutable id: a user who is made anew under the same name is another one.
    pub user_id: UserId,
    /// The key.
    pub key: AccessKeyId,
    /// When it was made.
    pub key_created_at: Timestamp,
}

/// What was known of the key when the case was opened, or planned on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When AWS said so.
    pub as_of: Timestamp,
    /// Active or inactive.
    pub status: KeyStatus,
    /// Its last use.
    pub last_used: LastUsed,
    /// When somebody has last activated it again, as far as a credential report tells.
    pub reactivated_at: Option<Timestamp>,
    /// The rules that it broke, by id, each with its words.
    pub broken: Vec<(String, String)>,
}

/// How long each stage lasts at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waits {
    /// From the first notice to the reminder.
    pub remind_after: SignedDuration,
    /// From the first notice to the deactivation.
    pub deactivate_after: SignedDuration,
    /// From the deactivation to the deletion; `None`: the key is never deleted.
    pub delete_after: Option<SignedDuration>,
}

impl Waits {
    /// From the reminder to the deactivation.
    #[must_use]
    pub fn after_reminder(&self) -> SignedDuration {
        self.deactivate_after.saturating_sub(self.remind_after)
    }
}

/// How a case begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its name.
    pub case: CaseId,
    /// The key.
    pub subject: CaseSubject,
    /// The account's name, where one is known.
    pub account_name: Option<String>,
    /// Who answers for the key.
    pub owner: Option<Owner>,
    /// What was known.
    pub evidence: Evidence,
    /// How long each stage lasts at least, as the policy said then.
    pub waits: Waits,
    /// Digest of the policy.
    pub policy: String,
    /// Who opened it: the ARN of whoever ran akia.
    pub by: String,
}

/// What akia does about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The owner is told for the first time.
    Announce,
    /// The owner is reminded.
    Remind,
    /// `UpdateAccessKey` to inactive.
    Deactivate,
    /// The owner is told that the key is inactive, and when it will be deleted.
    TellDeactivated,
    /// `DeleteAccessKey`.
    Delete,
    /// `UpdateAccessKey` to active, because a person asked for it.
    Reactivate,
}

impl Act {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Remind => "remind",
            Self::Deactivate => "deactivate",
            Self::TellDeactivated => "tell-deactivated",
            Self::Delete => "delete",
            Self::Reactivate => "reactivate",
        }
    }

    /// The notice that it is, where it is one.
    #[must_use]
    pub fn told(self) -> Option<Told> {
        match self {
            Self::Announce => Some(Told::Announced),
            Self::Remind => Some(Told::Reminded),
            Self::TellDeactivated => Some(Told::Deactivated),
            Self::Deactivate | Self::Delete | Self::Reactivate => None,
        }
    }
}

/// What an owner was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// That the key breaks a rule, and what will happen when.
    Announced,
    /// The same again.
    Reminded,
    /// That the key is inactive now.
    Deactivated,
}

/// That a notice was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The channel's name.
    pub channel: String,
    /// What the channel answered: a message id, a status.
    pub receipt: String,
    /// When.
    pub at: Timestamp,
}

/// What AWS says of the key now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The user's id; `Told(None)` where there is no such user.
    pub user_id: Known<Option<UserId>>,
    /// The key; `Told(None)` where the user holds no such key.
    pub key: Known<Option<KeyFacts>>,
    /// Its last use.
    pub last_used: LastUsed,
    /// When somebody has last activated it again, as far as the credential report tells that the plan stands on: AWS says it
    /// nowhere else.
    pub reactivated_at: Option<Timestamp>,
}

/// What `ListAccessKeys` says of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Active or inactive.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a case stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Hindrance {
    /// Something could not be read.
    NotKnown {
        /// What, and why not.
        what: String,
    },
    /// The key is in use, and the policy does not deactivate keys in use.
    InUse {
        /// Its last use.
        last_used: LastUsed,
    },
    /// Nothing is changed at this time.
    Frozen {
        /// The words of the settings.
        reason: String,
    },
    /// Enforcement is switched off.
    Stopped {
        /// The words of whoever did it.
        reason: String,
    },
    /// An exemption holds, and the key is inactive already: it is not deleted.
    Exempt {
        /// The ticket, or the reason.
        reason: String,
    },
    /// The user is protected, and the key is inactive already: it is not deleted.
    Protected,
    /// A notice could not be delivered.
    NoticeFailed {
        /// What was seen of the failure.
        error: String,
    },
    /// AWS refused a change.
    Refused {
        /// What was intended.
        act: Act,
        /// What was seen of the failure.
        error: String,
    },
    /// AWS still shows what was before a change of ours.
    TooSoon,
}

impl std::fmt::Display for Hindrance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotKnown { what } => write!(formatter, "not known: {what}"),
            Self::InUse { last_used: LastUsed::At { at, service, region } } => {
                let at = at.strftime("%Y-%m-%d %H:%M UTC");
                write!(formatter, "the key is in use: {service} in {region} at {at} (in-use = \"hold\")")
            }
            Self::InUse { .. } => formatter.write_str("the key is in use (in-use = \"hold\")"),
            Self::Frozen { reason } => write!(formatter, "nothing is changed now: {reason}"),
            Self::Stopped { reason } => write!(formatter, "enforcement is switched off: {reason}"),
            Self::Exempt { reason } => write!(formatter, "exempt: {reason}"),
            Self::Protected => formatter.write_str("the user is protected"),
            Self::NoticeFailed { error } => write!(formatter, "the notice was not delivered: {error}"),
            Self::Refused { act, error } => write!(formatter, "AWS did not {}: {error}", act.as_str()),
            Self::TooSoon => formatter.write_str("AWS may still show what was before the last change"),
        }
    }
}

/// Why a case is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Closed {
    /// The key breaks no rule any more.
    Resolved,
    /// akia has deleted the key.
    Deleted,
    /// The key does not exist any more, and it was not akia that deleted it.
    Gone,
    /// There is another user or key under the same name.
    Replaced,
    /// An exemption holds.
    Exempt {
        /// The ticket, or the reason.
        reason: String,
    },
    /// The user is protected.
    Protected,
    /// akia has activated the key again, because a person asked for it.
    Reactivated {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody else has activated the key again, or it was used while it should have been inactive.
    ReactivatedByOther,
}

impl Closed {
    /// Its word for people and programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
            Self::Exempt { .. } => "exempt",
            Self::Protected => "protected",
            Self::Reactivated { .. } => "reactivated",
            Self::ReactivatedByOther => "reactivated-by-other",
        }
    }
}

/// What the journal can say of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum CaseEvent {
    /// The case was opened.
    Opened {
        /// Everything that it stands on.
        opening: Box<Opening>,
    },
    /// AWS was asked about the key, and the policy about what AWS said.
    Looked {
        /// What AWS said.
        facts: Box<Facts>,
        /// What the policy says of it, where it can be read.
        review: Box<Known<Review>>,
    },
    /// Something is about to be done.
    Intended {
        /// What.
        act: Act,
        /// By whom: the ARN of the session that will do it.
        by: String,
        /// Why, where a person asked for it.
        reason: Option<String>,
    },
    /// A notice was delivered on every channel that it was meant for.
    NoticeDelivered {
        /// What was told.
        told: Told,
        /// The notice's name.
        notice: String,
        /// The deadline that was told, where one was.
        deadline: Option<Timestamp>,
        /// That it was delivered.
        proofs: Vec<Proof>,
    },
    /// A notice was not delivered.
    NoticeFailed {
        /// What was to be told.
        told: Told,
        /// What was seen of the failure.
        error: String,
    },
    /// AWS has deactivated the key.
    KeyDeactivated {
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
    /// AWS has deleted the key.
    KeyDeleted {
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
    /// AWS has activated the key, because a person asked for it.
    KeyActivated {
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
    /// A change was certainly not carried out.
    Refused {
        /// Which.
        act: Act,
        /// What was seen of the failure.
        error: String,
    },
    /// The answer to a change was lost: it may have been carried out, or may be soon.
    Unanswered {
        /// Which.
        act: Act,
        /// What was seen of the failure.
        error: String,
    },
}

impl CaseEvent {
    /// It in a few words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let request = |id: &Option<String>| id.as_ref().map_or_else(String::new, |id| format!("request {id}"));
        match self {
            Self::Opened { opening } => {
                let rules: Vec<&str> = opening.evidence.broken.iter().map(|(rule, _)| rule.as_str()).collect();
                format!(
                    "{} for {} under policy {}, by {}",
                    opening.subject.user,
                    rules.join(", "),
                    opening.policy,
                    opening.by
                )
            }
            Self::Looked { facts, review } => {
                let key = match &facts.key {
                    Known::Told(Some(key)) => key.status.as_str().to_owned(),
                    Known::Told(None) => "gone".to_owned(),
                    Known::Unknown { reason } => format!("not known: {reason}"),
                };
                let breaks = match &**review {
                    Known::Told(review) => match &review.broken {
                        Known::Told(broken) if broken.is_empty() => "breaks no rule".to_owned(),
                        Known::Told(broken) => {
                            let rules: Vec<&str> = broken.iter().map(|(rule, _)| rule.as_str()).collect();
                            format!("breaks {}", rules.join(", "))
                        }
                        Known::Unknown { reason } => format!("rules not known: {reason}"),
                    },
                    Known::Unknown { reason } => format!("policy not known: {reason}"),
                };
                format!("{key}; {breaks}")
            }
            Self::Intended { act, by, reason } => {
                let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                format!("{} by {by}{reason}", act.as_str())
            }
            Self::NoticeDelivered { notice, deadline, proofs, .. } => {
                let channels: Vec<String> =
                    proofs.iter().map(|proof| format!("{} ({})", proof.channel, proof.receipt)).collect();
                let deadline = deadline.map_or_else(String::new, |at| format!(", deadline {at}"));
                format!("{notice} through {}{deadline}", channels.join(", "))
            }
            Self::NoticeFailed { error, .. } => error.clone(),
            Self::KeyDeactivated { request_id }
            | Self::KeyDeleted { request_id }
            | Self::KeyActivated { request_id } => request(request_id),
            Self::Refused { act, error } | Self::Unanswered { act, error } => {
                format!("{}: {error}", act.as_str())
            }
        }
    }
}
