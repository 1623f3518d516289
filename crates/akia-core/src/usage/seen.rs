//! That a key was used, as logs show it: evidence beside AWS's own last use, which is never taken the place of.

use jiff::Timestamp;
use serde::Serialize;

use super::fact::Fact;
use super::quiet::{Use, uses};
use crate::key::LastUsed;

/// Lines of one kind that are told in words.
const MOST: usize = 5;

/// Uses of a key since a moment: at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenUse {
    /// When last.
    pub at: Timestamp,
    /// For which service then.
    pub service: String,
    /// In which region.
    pub region: String,
    /// How many calls.
    pub calls: u64,
    /// From where, with what, for what: most calls first.
    pub users: Vec<Use>,
}

impl SeenUse {
    /// What the facts of a key say of its use since a moment. None where they show none, which proves nothing.
    #[must_use]
    pub fn of(facts: &[Fact], since: Timestamp) -> Option<Self> {
        let later: Vec<&Fact> = facts.iter().filter(|fact| fact.last > since).collect();
        let last = later.iter().max_by_key(|fact| fact.last)?;
        Some(Self {
            at: last.last,
            service: last.service.clone(),
            region: last.region.clone(),
            calls: later.iter().map(|fact| fact.calls).sum(),
            users: uses(&later),
        })
    }

    /// The last use of a key: what AWS tells, or a later one that was seen. AWS's word that it was never used, or that nobody knows, does
    /// not stand against a use that was seen; what was not seen says nothing.
    #[must_use]
    pub fn beside(told: LastUsed, seen: Option<&Self>) -> LastUsed {
        match (&told, seen) {
            (LastUsed::At { at, .. }, Some(seen)) if *at >= seen.at => told,
            (_, None) => told,
            (LastUsed::At { .. } | LastUsed::Never | LastUsed::Unknown { .. }, Some(seen)) => {
                LastUsed::At { at: seen.at, service: seen.service.clone(), region: seen.region.clone() }
            }
        }
    }

    /// Who it is, in words: from where, with what, for which services.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let told = |of: fn(&Use) -> &str| {
            let mut names: Vec<&str> = Vec::new();
            for one in &self.users {
                let name = of(one);
                if !name.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
            }
            names.truncate(MOST);
            names.join(", ")
        };
        vec![
            format!("from {}", told(|one| &one.ip)),
            format!("with {}", told(|one| &one.agent)),
            format!("for {}", told(|one| &one.service)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::called;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn only_calls_behind_the_moment_are_a_use() {
        let mut later = called("s3", "GetObject", "");
        (later.first, later.last) = (at("2026-11-03T11:00:00Z"), at("2026-11-03T11:20:00Z"));
        let facts = [called("sts", "GetCallerIdentity", ""), later];
        assert_eq!(SeenUse::of(&facts, at("2026-11-03T11:20:00Z")), None);
        assert_eq!(SeenUse::of(&[], at("2026-11-03T00:00:00Z")), None);
        let seen = SeenUse::of(&facts, at("2026-11-03T10:31:00Z")).unwrap();
        assert_eq!((seen.service.as_str(), seen.calls, seen.at), ("s3", 3, at("2026-11-03T11:20:00Z")));
        let both = SeenUse::of(&facts, at("2026-11-03T10:00:00Z")).unwrap();
        assert_eq!((both.service.as_str(), both.calls, both.users.len()), ("s3", 6, 2));
        assert_eq!(both.words(), ["from 203.0.113.7", "with Boto3/1.43.106", "for s3, sts"]);
    }

    #[test]
    fn what_was_seen_adds_a_use_and_takes_none_away() {
        let seen = SeenUse::of(&[called("s3", "GetObject", "")], at("2026-11-03T10:00:00Z"));
        let used = |text: &str, service: &str| LastUsed::At {
            at: at(text),
            service: service.to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let by_seen = used("2026-11-03T10:31:00Z", "s3");
        let unknown = LastUsed::Unknown { reason: "refused".to_owned() };
        for (told, is) in [
            (LastUsed::Never, &by_seen),
            (unknown.clone(), &by_seen),
            (used("2026-11-03T10:30:00Z", "ec2"), &by_seen),
            (used("2026-11-03T10:32:00Z", "ec2"), &used("2026-11-03T10:32:00Z", "ec2")),
        ] {
            assert_eq!(SeenUse::beside(told, seen.as_ref()), *is);
        }
        for told in [LastUsed::Never, unknown, used("2026-11-03T10:30:00Z", "ec2")] {
            assert_eq!(SeenUse::beside(told.clone(), None), told);
        }
    }
}
