//! Everything that is known of one leaked key: what the report tells.

use akia_core::contain::{
    Containment, ContainmentEvent, ContainmentRecord, ContainmentStage, Ended, Footprint, Reach, Strategy,
};
use akia_core::estate::Known;
use akia_core::leak::Leak;
use akia_core::usage::Blast;
use akia_core::{AccessKeyId, AccountId, KeyStatus, LastUsed, UserArn};
use jiff::Timestamp;
use serde::Serialize;

use super::cleanup::CleanStep;
use crate::exit::Exit;

/// One leaked key.
pub(super) struct Case {
    pub(super) key: AccessKeyId,
    pub(super) account: AccountId,
    pub(super) user: Option<UserArn>,
    /// How it is known whose key it is.
    pub(super) known_by: String,
    pub(super) status: Option<KeyStatus>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) last_used: Option<LastUsed>,
    /// Profiles of this machine that hold it.
    pub(super) holders: Vec<String>,
    pub(super) leaks: Vec<Leak>,
    pub(super) leaked_at: Option<Timestamp>,
    pub(super) reach: Known<Reach>,
    pub(super) footprint: Footprint,
    /// What loaded logs have of it, where they have something.
    pub(super) logs: Option<Known<Blast>>,
    pub(super) cleanup: Vec<CleanStep>,
    /// What is planned, where nothing was done yet.
    pub(super) strategy: Option<Strategy>,
    pub(super) containment: Option<Containment>,
    pub(super) records: Vec<ContainmentRecord>,
    pub(super) new_key: Option<AccessKeyId>,
    /// Where it stands without a containment.
    pub(super) standing: Standing,
    /// What a person does next.
    pub(super) next: Vec<String>,
    /// What a person has to know.
    pub(super) notes: Vec<String>,
}

/// Where a key stands that no containment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is on no list any more.
    Gone,
    /// It would be contained.
    Planned,
    /// It was to be contained, and the run stopped before it was begun.
    Stopped,
    /// Nothing of it can be contained by akia: a person reads what to do.
    ByHand,
    /// A containment says.
    InJournal,
}

/// One moment of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) what: String,
    /// Who says so.
    pub(super) source: &'static str,
}

impl Case {
    /// A case of which nothing but this is known.
    pub(super) fn new(key: AccessKeyId, account: AccountId, leaks: Vec<Leak>, leaked_at: Option<Timestamp>) -> Self {
        Self {
            key,
            account,
            user: None,
            known_by: String::new(),
            status: None,
            created_at: None,
            last_used: None,
            holders: Vec::new(),
            leaks,
            leaked_at,
            reach: Known::Unknown { reason: "it was not asked".to_owned() },
            footprint: Footprint::default(),
            logs: None,
            cleanup: Vec::new(),
            strategy: None,
            containment: None,
            records: Vec::new(),
            new_key: None,
            standing: Standing::Planned,
            next: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What a person does next, and where the whole of what is known is.
    pub(super) fn commands(&self) -> Vec<String> {
        self.next.iter().cloned().chain(super::logs::next(self)).collect()
    }

    /// The word of the state for programs.
    pub(super) fn state(&self) -> &'static str {
        match (&self.containment, self.standing) {
            (Some(one), _) => match one.stage() {
                ContainmentStage::Containing => "open",
                ContainmentStage::Tied => "quarantined",
                ContainmentStage::Contained { .. } => "contained",
                ContainmentStage::Undoing => "undoing",
                ContainmentStage::Over { how: Ended::Closed, .. } => "closed",
                ContainmentStage::Over { how: Ended::Undone, .. } => "undone",
                ContainmentStage::Over { how: Ended::UserGone | Ended::UserReplaced, .. } => "user-gone",
            },
            (None, Standing::Gone) => "gone",
            (None, Standing::Planned | Standing::Stopped | Standing::InJournal) => "planned",
            (None, Standing::ByHand) => "by-hand",
        }
    }

    /// Where it stands, in words.
    pub(super) fn words(&self) -> String {
        let Some(one) = &self.containment else {
            return match self.standing {
                Standing::Gone => "closed already: on no list of the account".to_owned(),
                Standing::Planned | Standing::InJournal => {
                    format!("would be contained: {}", self.strategy.map_or("-", Strategy::as_str))
                }
                Standing::Stopped => {
                    "not begun: the run stopped before it; the same command again contains it".to_owned()
                }
                Standing::ByHand => "a person has to act".to_owned(),
            };
        };
        one.words()
    }

    /// The code that the process ends with for it.
    pub(super) fn exit(&self) -> Exit {
        match (&self.containment, self.standing) {
            (Some(one), _) => match one.stage() {
                ContainmentStage::Containing | ContainmentStage::Undoing if one.held().is_none() => Exit::Interrupted,
                ContainmentStage::Containing | ContainmentStage::Undoing => Exit::Partly,
                ContainmentStage::Tied | ContainmentStage::Contained { .. } | ContainmentStage::Over { .. } => {
                    Exit::Done
                }
            },
            (None, Standing::Stopped) => Exit::Interrupted,
            (None, Standing::ByHand) => Exit::Decision,
            (None, Standing::Gone | Standing::Planned | Standing::InJournal) => Exit::Done,
        }
    }

    /// Everything with a time, the earliest first.
    pub(super) fn timeline(&self) -> Vec<Moment> {
        let mut moments = Vec::new();
        let mut add = |at: Option<Timestamp>, what: &str, source: &'static str| {
            moments.extend(at.map(|at| Moment { at, what: what.to_owned(), source }));
        };
        add(self.created_at, "key created", "IAM");
        add(self.leaked_at, "leaked", if self.leaks.is_empty() { "you" } else { "scan" });
        add(self.footprint.first, "first call that CloudTrail has", "CloudTrail");
        add(self.footprint.last, "last call that CloudTrail has", "CloudTrail");
        if let Some(Known::Told(blast)) = &self.logs {
            add(blast.first, "first call that the loaded logs have", "loaded logs");
            add(blast.last, "last call that the loaded logs have", "loaded logs");
        }
        if let Some(LastUsed::At { at, service, region }) = &self.last_used {
            add(Some(*at), &format!("last used ({service}, {region})"), "IAM");
        }
        for remnant in &self.footprint.remnants {
            add(Some(remnant.at), &format!("{} ({}, from {})", remnant.what, remnant.call, remnant.ip), "CloudTrail");
        }
        let mut verified = None;
        for record in &self.records {
            let what = match &record.event {
                ContainmentEvent::Opened { opening } => format!("containment {} begun by {}", opening.id, opening.by),
                ContainmentEvent::Redirected { strategy, by, .. } => {
                    format!("to be contained by {strategy}, says {by}")
                }
                ContainmentEvent::Done { act, .. } => act.past().to_owned(),
                ContainmentEvent::HandedOver { act, to } => format!("{act} left to containment {to} of the same user"),
                ContainmentEvent::Refused { act, error } => format!("{act} was not done: {error}"),
                ContainmentEvent::Unanswered { act, error } => format!("{act}: no answer: {error}"),
                ContainmentEvent::Tried { .. } => record.event.words(),
                ContainmentEvent::UndoAsked { by, reason } => format!("to be taken back, says {by}: {reason}"),
                ContainmentEvent::Looked { look } => {
                    let shut = match &look.key {
                        Known::Told(None) => "verified: the key is on no list of the user",
                        Known::Told(Some(KeyStatus::Inactive)) => "verified: AWS lists the key as inactive",
                        Known::Told(Some(KeyStatus::Active)) | Known::Unknown { .. } => continue,
                    };
                    verified = Some((record.at, shut));
                    continue;
                }
                ContainmentEvent::Resumed { .. }
                | ContainmentEvent::Linked { .. }
                | ContainmentEvent::Intended { .. } => continue,
            };
            add(Some(record.at), &what, "akia");
        }
        if let Some((at, shut)) =
            verified.filter(|_| self.containment.as_ref().is_some_and(|one| one.verified_at().is_some()))
        {
            add(Some(at), shut, "IAM");
        }
        moments.sort_by_key(|moment| moment.at);
        moments
    }
}

/// A moment for people.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
