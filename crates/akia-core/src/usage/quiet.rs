//! Whether a key is out of use, and how sure that is.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::coverage::OfAccount;
use super::fact::Fact;

/// CloudTrail delivers a log about five minutes after a call on average, and promises no time. What is younger than this is not known.
pub(super) const DELAY: SignedDuration = SignedDuration::from_mins(15);

/// Whether a key has been quiet since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quiet {
    /// Since when it was asked for.
    pub since: Timestamp,
    /// What the logs say.
    pub verdict: Verdict,
    /// Everything that keeps the answer from being sure. A key with calls is in use whatever is missing.
    pub doubts: Vec<Doubt>,
}

/// What the logs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// There are calls.
    InUse {
        /// How many.
        calls: u64,
        /// The last.
        last: Timestamp,
        /// From where, with what, for what: most calls first.
        users: Vec<Use>,
    },
    /// There are none.
    Quiet,
}

/// Calls of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The address.
    pub ip: String,
    /// The user agent.
    pub agent: String,
    /// The service that was called.
    pub service: String,
    /// How many.
    pub calls: u64,
    /// The last.
    pub last: Timestamp,
}

/// What keeps an answer from being sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "kebab-case")]
pub enum Doubt {
    /// No log of the account was loaded.
    NoLogs,
    /// Logs begin later than the question.
    BeginsLate {
        /// The first day with logs.
        first: String,
    },
    /// Logs end before now.
    EndsEarly {
        /// The last day with logs.
        last: String,
    },
    /// Days in between on which nothing was logged at all.
    MissingDays {
        /// Which.
        days: Vec<String>,
    },
    /// Logs that could not be read.
    UnreadLogs {
        /// How many.
        logs: u64,
    },
    /// No data event is in the logs of the account: whoever only reads objects of S3, say, leaves no trace in them.
    NoDataEvents,
    /// Days that are known from the event history: it has no data events, whatever the logs of other days have.
    EventHistory {
        /// How many.
        days: usize,
    },
}

impl Quiet {
    /// From the facts of a key, what is covered of its account, and whether the account's logs hold any data event.
    #[must_use]
    pub fn of(facts: &[Fact], since: Timestamp, now: Timestamp, covered: &OfAccount, has_data_events: bool) -> Self {
        let later: Vec<&Fact> = facts.iter().filter(|fact| fact.last >= since).collect();
        let verdict = match later.iter().map(|fact| fact.last).max() {
            Some(last) => {
                Verdict::InUse { calls: later.iter().map(|fact| fact.calls).sum(), last, users: uses(&later) }
            }
            None => Verdict::Quiet,
        };
        Self { since, verdict, doubts: covered.doubts(since, now, has_data_events) }
    }

    /// Whether it can be acted upon: no calls, and nothing in doubt.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.verdict == Verdict::Quiet && self.doubts.is_empty()
    }
}

pub(super) fn uses(facts: &[&Fact]) -> Vec<Use> {
    let mut uses: Vec<Use> = Vec::new();
    for fact in facts {
        let is_it = |one: &&mut Use| one.ip == fact.ip && one.agent == fact.agent && one.service == fact.service;
        match uses.iter_mut().find(is_it) {
            Some(one) => {
                one.calls += fact.calls;
                one.last = one.last.max(fact.last);
            }
            None => uses.push(Use {
                ip: fact.ip.clone(),
                agent: fact.agent.clone(),
                service: fact.service.clone(),
                calls: fact.calls,
                last: fact.last,
            }),
        }
    }
    uses.sort_by_key(|one| std::cmp::Reverse((one.calls, one.last)));
    uses
}

impl OfAccount {
    /// What logs do not tell of the time from `since` to `now`, and whether data events are among it.
    #[must_use]
    pub fn doubts(&self, since: Timestamp, now: Timestamp, has_data_events: bool) -> Vec<Doubt> {
        let (Some(first), Some(last)) = (self.first, self.last) else { return vec![Doubt::NoLogs] };
        let day = |moment: Timestamp| Offset::UTC.to_datetime(moment).date();
        let mut doubts = Vec::new();
        if first > day(since) {
            doubts.push(Doubt::BeginsLate { first: first.to_string() });
        }
        if last < day(now - DELAY) {
            doubts.push(Doubt::EndsEarly { last: last.to_string() });
        }
        let missing: Vec<String> =
            self.missing.iter().filter(|missing| **missing >= day(since)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            doubts.push(Doubt::MissingDays { days: missing });
        }
        if self.unread > 0 {
            doubts.push(Doubt::UnreadLogs { logs: self.unread });
        }
        let of_history = self.history_days.iter().filter(|of_history| **of_history >= day(since)).count();
        if !has_data_events {
            doubts.push(Doubt::NoDataEvents);
        } else if of_history > 0 {
            doubts.push(Doubt::EventHistory { days: of_history });
        }
        doubts
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoLogs => write!(to, "no log of its account was loaded"),
            Self::BeginsLate { first } => write!(to, "logs begin on {first} only"),
            Self::EndsEarly { last } => write!(to, "logs end on {last}"),
            Self::MissingDays { days } if days.len() == 1 => write!(to, "there is no log of {}", days[0]),
            Self::MissingDays { days } => {
                write!(to, "there are no logs of {} days, {} the first", days.len(), days.first().map_or("", |day| day))
            }
            Self::UnreadLogs { logs } => write!(to, "{logs} logs could not be read"),
            Self::EventHistory { days } => {
                write!(to, "{days} days are known from CloudTrail's event history, which has no data events")
            }
            Self::NoDataEvents => write!(
                to,
                "no data event is in the logs: calls upon objects of S3, items of DynamoDB, functions of Lambda and the like may not be logged"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Covered, Resources};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn call(last: &str) -> Fact {
        Fact {
            key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            account: "111122223333".to_owned(),
            user: "arn:aws:iam::111122223333:user/ada".to_owned(),
            hour: at(last),
            service: "s3".to_owned(),
            name: "GetObject".to_owned(),
            region: "eu-central-1".to_owned(),
            ip: "203.0.113.7".to_owned(),
            agent: "aws-cli/2.15".to_owned(),
            error: String::new(),
            resources: Resources::default(),
            calls: 3,
            first: at(last),
            last: at(last),
        }
    }

    fn covered(days: &[&str]) -> OfAccount {
        let days = days.iter().map(|day| day.parse().unwrap()).collect();
        let region = Covered {
            account: Some("111122223333".to_owned()),
            region: Some("eu-central-1".to_owned()),
            days,
            ..Covered::default()
        };
        OfAccount::of("111122223333", &[region])
    }

    const NOW: &str = "2026-11-03T12:00:00Z";

    #[test]
    fn a_key_without_calls_is_quiet_for_sure_where_every_day_is_covered() {
        let covered = covered(&["2026-11-01", "2026-11-02", "2026-11-03"]);
        let quiet = Quiet::of(&[call("2026-10-31T23:59:59Z")], at("2026-11-01T00:00:00Z"), at(NOW), &covered, true);
        assert!(quiet.is_sure(), "{quiet:?}");
        let used = Quiet::of(&[call("2026-11-01T00:00:00Z")], at("2026-11-01T00:00:00Z"), at(NOW), &covered, true);
        assert!(matches!(used.verdict, Verdict::InUse { calls: 3, .. }), "{used:?}");
    }

    #[test]
    fn whatever_is_missing_is_a_doubt() {
        let since = at("2026-11-01T00:00:00Z");
        let doubts = |days: &[&str], data| Quiet::of(&[], since, at(NOW), &covered(days), data).doubts;
        assert_eq!(doubts(&[], true), [Doubt::NoLogs]);
        assert_eq!(doubts(&["2026-11-02", "2026-11-03"], true), [Doubt::BeginsLate { first: "2026-11-02".to_owned() }]);
        assert_eq!(doubts(&["2026-11-01", "2026-11-02"], true), [Doubt::EndsEarly { last: "2026-11-02".to_owned() }]);
        let hole = Doubt::MissingDays { days: vec!["2026-11-02".to_owned()] };
        assert_eq!(doubts(&["2026-11-01", "2026-11-03"], true), [hole]);
        let all = ["2026-11-01", "2026-11-02", "2026-11-03"];
        assert_eq!(doubts(&all, false), [Doubt::NoDataEvents]);
        // The event history of a day before is no matter.
        let of_history = |day: &str, data| {
            let covered = OfAccount { history_days: vec![day.parse().unwrap()], ..covered(&all) };
            Quiet::of(&[], since, at(NOW), &covered, data).doubts
        };
        assert_eq!(of_history("2026-11-02", true), [Doubt::EventHistory { days: 1 }]);
        assert_eq!(of_history("2026-11-02", false), [Doubt::NoDataEvents]);
        assert_eq!(of_history("2026-10-31", true), []);
    }
}
