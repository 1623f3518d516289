//! What enforcement has to fear of IAM and of people: one key, what the policy says of it, and requests under way.

use std::collections::BTreeSet;

use akia_core::enforce::{CaseSubject, Facts, KeyFacts, Review, Waits};
use akia_core::estate::Known;
use akia_core::{KeyStatus, LastUsed, UserId};
use jiff::SignedDuration;

use super::constants::{SUBJECT, moment};
use super::settings::Rule;

/// Seconds from the start of a world.
pub(crate) type Moment = i64;

/// Assumption about IAM: a change whose answer was lost takes effect within this.
pub(crate) const LATE: Moment = 44;
/// Assumption about IAM: a change shows everywhere within this. Together the two are within the protocol's quarantine.
pub(crate) const STALE: Moment = 15;
/// A key that was used within this is in use.
pub(crate) const QUIET: Moment = 900;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Status {
    Active,
    Inactive,
    Deleted,
}

/// What stands under the name and the id of the case's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Identity {
    Same,
    /// The user was deleted and made anew, with a key of the same id and second. AWS never does the latter: a protocol that
    /// went by names would not know.
    OtherUser,
    /// Another key of the same id. AWS has none.
    OtherDate,
    /// No user has the name any more.
    Renamed,
}

/// Who brought the key into the status that it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Cause {
    Before,
    Client(usize),
    Outsider,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) status: Status,
    /// What it was before its last change.
    pub(crate) was: Status,
    pub(crate) changed: Moment,
    pub(crate) cause: Cause,
    pub(crate) identity: Identity,
    pub(crate) used: Option<Moment>,
    /// When it was last activated again: the credential report tells it.
    pub(crate) activated: Option<Moment>,
    /// Who has ever activated it: the machines, and somebody outside.
    pub(crate) activators: [Option<Cause>; 3],
}

/// How long the stages last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Level {
    Strict,
    Base,
    Mild,
    /// As the base, and no key is deleted.
    Never,
}

impl Level {
    pub(crate) fn waits(self) -> Waits {
        let waits = |remind, deactivate, delete: Option<i64>| Waits {
            remind_after: SignedDuration::from_mins(remind),
            deactivate_after: SignedDuration::from_mins(deactivate),
            delete_after: delete.map(SignedDuration::from_mins),
        };
        match self {
            Self::Strict => waits(5, 10, Some(7)),
            Self::Base => waits(20, 40, Some(20)),
            Self::Mild => waits(40, 80, Some(40)),
            Self::Never => waits(20, 40, None),
        }
    }
}

/// What the policy says of the key's user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Standing {
    /// Nothing in particular.
    Plain,
    Exempt,
    Protected,
    Frozen,
    Stopped,
    /// No rule leads to action.
    Unruled,
}

/// A request that AWS carries out later than its sender thinks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Late {
    pub(crate) to: Status,
    pub(crate) client: usize,
    pub(crate) by: Moment,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Aws {
    pub(crate) key: Key,
    pub(crate) level: Level,
    pub(crate) standing: Standing,
    pub(crate) late: Vec<Late>,
}

impl Aws {
    /// Whether a request by name and id finds a key.
    pub(crate) fn has(&self) -> bool {
        self.key.status != Status::Deleted && self.key.identity != Identity::Renamed
    }

    pub(crate) fn set(&mut self, to: Status, cause: Cause, now: Moment) {
        if !self.has() || self.key.status == to {
            return;
        }
        let key = &mut self.key;
        (key.was, key.status, key.changed, key.cause) = (key.status, to, now, cause);
        if to == Status::Active {
            key.activated = Some(now);
            let place = match cause {
                Cause::Client(client) => client.min(1),
                Cause::Before | Cause::Outsider => 2,
            };
            key.activators[place] = Some(cause);
        }
    }
}

/// How a look goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sight {
    Fine,
    /// AWS shows the status from before the last change.
    Stale,
    NoUser,
    NoKeys,
    NoUse,
    NoPolicy,
}

/// What a look has shown, as it truly was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Moment,
    pub(crate) sight: Sight,
    pub(crate) identity: Identity,
    pub(crate) status: Status,
    pub(crate) used: Option<Moment>,
    /// As the plan's credential report tells it.
    pub(crate) activated: Option<Moment>,
    pub(crate) level: Level,
    pub(crate) standing: Standing,
}

impl Seen {
    pub(crate) fn now(aws: &Aws, sight: Sight, has_report: bool, now: Moment) -> Self {
        let key = aws.key;
        Self {
            at: now,
            sight,
            identity: key.identity,
            status: if sight == Sight::Stale { key.was } else { key.status },
            used: key.used,
            activated: key.activated.filter(|_| has_report),
            level: aws.level,
            standing: aws.standing,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        match self.sight {
            Sight::Fine | Sight::Stale => true,
            Sight::NoUser | Sight::NoKeys | Sight::NoUse | Sight::NoPolicy => false,
        }
    }

    /// Whether the key is there, under the case's name.
    pub(crate) fn is_there(&self) -> bool {
        self.status != Status::Deleted && self.identity != Identity::Renamed
    }

    pub(crate) fn is_broken(&self, rule: Rule) -> bool {
        let is_unruled = self.standing == Standing::Unruled;
        !is_unruled
            && match rule {
                Rule::Unused => self.status == Status::Active && self.used.is_none(),
                Rule::Age => self.status == Status::Active,
                Rule::Kept => self.status == Status::Inactive,
            }
    }

    /// Whether the rule asks for a last use that could not be read.
    fn is_verdict_unknown(&self, rule: Rule) -> bool {
        let asks_when = match rule {
            Rule::Unused => Status::Active,
            Rule::Kept => Status::Inactive,
            Rule::Age => return false,
        };
        self.sight == Sight::NoUse && self.status == asks_when
    }

    /// Whether the key was seen to break no rule.
    pub(crate) fn is_resolved(&self, rule: Rule) -> bool {
        let is_judged = match self.sight {
            Sight::Fine | Sight::Stale | Sight::NoUse => !self.is_verdict_unknown(rule),
            Sight::NoUser | Sight::NoKeys | Sight::NoPolicy => false,
        };
        is_judged && !self.is_broken(rule)
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.used.is_some_and(|used| self.at - used < QUIET)
    }

    /// What AWS says, as `akia_io::enforce::look` puts it together.
    pub(crate) fn facts(&self, subject: &CaseSubject) -> Facts {
        let user_id = match (self.sight, self.identity) {
            (Sight::NoUser, _) => unknown("throttled"),
            (_, Identity::Renamed) => Known::Told(None),
            (_, Identity::OtherUser) => Known::Told(Some(other_user())),
            (_, Identity::Same | Identity::OtherDate) => Known::Told(Some(subject.user_id.clone())),
        };
        let created_at = match self.identity {
            Identity::OtherDate => subject.key_created_at + SignedDuration::from_secs(1),
            Identity::Same | Identity::OtherUser | Identity::Renamed => subject.key_created_at,
        };
        let status = if self.status == Status::Active { KeyStatus::Active } else { KeyStatus::Inactive };
        let key = match self.sight {
            Sight::NoKeys => unknown("AccessDenied"),
            Sight::Fine | Sight::Stale | Sight::NoUser | Sight::NoUse | Sight::NoPolicy => {
                Known::Told(self.is_there().then_some(KeyFacts { status, created_at }))
            }
        };
        let last_used = match (self.sight, self.used) {
            (Sight::NoUse, _) => LastUsed::Unknown { reason: "AccessDenied".to_owned() },
            (_, None) => LastUsed::Never,
            (_, Some(at)) => LastUsed::At { at: moment(at), service: "s3".to_owned(), region: "eu-west-1".to_owned() },
        };
        Facts { user_id, key, last_used, reactivated_at: self.activated.map(moment) }
    }

    /// What the policy says, as `akia_core::enforce::review` would.
    pub(crate) fn review(&self, rule: Rule) -> Known<Review> {
        // Without the key nothing needs to be judged.
        if self.sight == Sight::NoPolicy || !self.is_there() {
            return Known::Unknown { reason: "akia.toml cannot be read".to_owned() };
        }
        let word = rule.id().to_owned();
        let words = || "words".to_owned();
        let is = |standing| self.standing == standing;
        Known::Told(Review {
            policy: format!("{:?}", self.level),
            rules: if is(Standing::Unruled) { BTreeSet::new() } else { [word.clone()].into() },
            broken: if self.is_verdict_unknown(rule) {
                Known::Unknown { reason: "the last use is not known".to_owned() }
            } else {
                Known::Told(self.is_broken(rule).then(|| (word, words())).into_iter().collect())
            },
            exempt: is(Standing::Exempt).then(words),
            is_protected: is(Standing::Protected),
            frozen: is(Standing::Frozen).then(words),
            stopped: is(Standing::Stopped).then(words),
            is_in_use: self.sight != Sight::NoUse && self.is_in_use(),
            waits: self.level.waits(),
        })
    }
}

fn unknown<T>(reason: &str) -> Known<T> {
    Known::Unknown { reason: reason.to_owned() }
}

fn other_user() -> UserId {
    let mut id = SUBJECT.user_id.as_str().to_owned();
    id.replace_range(id.len() - 2.., "99");
    #[expect(clippy::expect_used, reason = "a constant that parses")]
    id.parse().expect("a user id")
}
