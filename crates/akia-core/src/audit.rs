//! An audit: accounts, what the rules found in them, and what could not be told.
//!
//! Invariant: what was not looked at is said. An account that could not be read is part of the audit as a failure, and a
//! rule that could not tell is counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::estate::{Account, Estate};
use crate::finding::{Finding, Severity, Subject};
use crate::ids::AccountId;
use crate::rule::{self, AuditSettings, RuleLevel, judge};

/// A whole audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The moment that ages are counted to.
    pub at: Timestamp,
    /// The accounts that were read, by number.
    pub estates: Vec<Estate>,
    /// The accounts that could not be read, and why.
    pub unread: Vec<Unread>,
    /// Broken rules, the gravest first.
    pub findings: Vec<Finding>,
    /// What rules could not tell.
    pub unknown: Vec<Unknown>,
    /// The rules that could not tell everything, by account; only accounts with such rules.
    pub untold: BTreeMap<AccountId, BTreeSet<String>>,
}

/// An account that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The account.
    pub account: Account,
    /// Why not.
    pub reason: String,
}

/// What a rule could not tell, and of how many users or keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unknown {
    /// The rule.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Of how many.
    pub count: usize,
}

/// Why a finding of an earlier audit is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The rule was looked at again, and is not broken any more.
    Mended,
    /// The rule is not looked at any more.
    NotLookedAt,
}

impl Audit {
    /// Judges accounts by the rules.
    #[must_use]
    pub fn of(mut estates: Vec<Estate>, unread: Vec<Unread>, settings: &AuditSettings, at: Timestamp) -> Self {
        estates.sort_by(|a, b| a.account.id.cmp(&b.account.id));
        let mut findings = Vec::new();
        let mut unknown: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut untold: BTreeMap<AccountId, BTreeSet<String>> = BTreeMap::new();
        for estate in &estates {
            let judgement = judge(estate, settings, at);
            findings.extend(judgement.findings);
            for ((rule, reason), count) in judgement.unknown {
                untold.entry(estate.account.id.clone()).or_default().insert(rule.to_owned());
                *unknown.entry((rule.to_owned(), reason)).or_default() += count;
            }
        }
        // In place: a stable sort would take half as much memory again for a moment.
        findings.sort_unstable_by(Finding::order);
        let unknown = unknown.into_iter().map(|((rule, reason), count)| Unknown { rule, reason, count }).collect();
        Self { at, estates, unread, findings, unknown, untold }
    }

    /// Whether everything was read and every rule could tell.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.unknown.is_empty() && self.estates.iter().all(|estate| estate.gaps.is_empty())
    }

    /// Those findings of an earlier look at an account that are no more, and why. What is unknown is not mended: there are none
    /// of an account that was not read or whose users' tags and policies were not, none of a rule that could not tell everything
    /// there, and none about a key of a user whose keys could not be listed.
    #[must_use]
    pub fn gone<'a>(
        &self,
        account: &AccountId,
        before: &'a [Finding],
        settings: &AuditSettings,
    ) -> Vec<(&'a Finding, Gone)> {
        let found = self.estates.binary_search_by(|estate| estate.account.id.cmp(account));
        let Ok(estate) = found.map(|at| &self.estates[at]) else { return Vec::new() };
        if before.is_empty() {
            return Vec::new();
        }
        // Without tags it is not even known whose rules hold for a user.
        if estate.users.iter().any(|user| user.details.told().is_none()) {
            return Vec::new();
        }
        let now: BTreeSet<String> =
            self.findings.iter().filter(|finding| finding.account == *account).map(Finding::fingerprint).collect();
        let untold = self.untold.get(account);
        let user_of = |finding: &Finding| match &finding.subject {
            Subject::Root => None,
            Subject::User { arn } => estate.users.iter().find(|user| user.arn.name == arn.name),
        };
        let is_gone = |finding: &&Finding| {
            // A key without its id is another one to a fingerprint.
            let is_comparable = finding.key.is_none()
                || user_of(finding).is_none_or(|user| user.keys.iter().all(|key| key.id.is_some()));
            finding.account == *account
                && is_comparable
                && !now.contains(&finding.fingerprint())
                && !untold.is_some_and(|rules| rules.contains(&finding.rule))
        };
        let why = |finding: &Finding| {
            let level = rule::find(&finding.rule).map(|rule| settings.limits_of(estate, user_of(finding)).level(rule));
            match level {
                Some(RuleLevel::Default | RuleLevel::At(_)) => Gone::Mended,
                Some(RuleLevel::Off) | None => Gone::NotLookedAt,
            }
        };
        before.iter().filter(is_gone).map(|finding| (finding, why(finding))).collect()
    }

    /// How many accounts were read, and of how many.
    #[must_use]
    pub fn coverage(&self) -> (usize, usize) {
        (self.estates.len(), self.estates.len() + self.unread.len())
    }

    /// How many findings there are of each severity, the gravest first; also of those without any.
    #[must_use]
    pub fn counts(&self) -> Vec<(Severity, usize)> {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        Severity::ALL.into_iter().map(|severity| (severity, count(severity))).collect()
    }

    /// How many users there are, and how many active keys they hold.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let users = self.estates.iter().flat_map(|estate| &estate.users);
        users.fold((0, 0), |(users, keys), user| (users + 1, keys + user.active_keys().count()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::estate::{Console, Details, Key, Known, Root, User};
    use crate::key::{KeyStatus, LastUsed};

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    /// An account whose one user has a key of this age.
    fn estate(key_days: i64) -> Estate {
        let key = Key {
            id: Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
            status: KeyStatus::Active,
            created_at: Known::Told(now() - SignedDuration::from_hours(24 * key_days)),
            reactivated_at: None,
            last_used: LastUsed::At { at: now(), service: "s3".to_owned(), region: "eu-west-1".to_owned() },
        };
        let user = User {
            arn: "arn:aws:iam::111122223333:user/ann".parse().unwrap(),
            created_at: None,
            console: Console::Without,
            mfa_active: false,
            keys: vec![key],
            details: Known::Told(Details::default()),
            service_credentials: Known::Told(Vec::new()),
        };
        Estate {
            account: Account::bare("111122223333".parse().unwrap()),
            as_of: now(),
            root: Known::Told(Root { keys: Vec::new(), password_used_at: None, mfa_active: true }),
            users: vec![user],
            gaps: BTreeSet::new(),
        }
    }

    fn judged(estate: Estate, settings: &AuditSettings) -> Audit {
        Audit::of(vec![estate], Vec::new(), settings, now())
    }

    /// What a later look at the account says of a key that was too old.
    fn gone(later: Estate, settings: &AuditSettings) -> Vec<Gone> {
        let base = AuditSettings::default();
        let account = later.account.id.clone();
        let before = judged(estate(100), &base).findings;
        assert_eq!(before.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["key-age"]);
        judged(later, settings).gone(&account, &before, settings).into_iter().map(|(_, why)| why).collect()
    }

    #[test]
    fn what_is_not_broken_any_more_is_mended_and_what_is_unknown_is_not() {
        let base = AuditSettings::default();
        assert_eq!(gone(estate(10), &base), [Gone::Mended]);
        assert_eq!(gone(estate(100), &base), [], "still there");
        let without_user = Estate { users: Vec::new(), ..estate(10) };
        assert_eq!(gone(without_user, &base), [Gone::Mended], "the user was deleted");
        let mut without_tags = estate(10);
        without_tags.users[0].details = Known::Unknown { reason: "a test".to_owned() };
        assert_eq!(gone(without_tags, &base), [], "another rule may hold for the user");
        let mut without_id = estate(100);
        without_id.users[0].keys[0].id = None;
        assert_eq!(gone(without_id, &base), [], "it is there, and looks like another");
        let mut untold = estate(10);
        untold.users[0].keys[0].created_at = Known::Unknown { reason: "a test".to_owned() };
        assert_eq!(gone(untold, &base), [], "the rule could not tell");
        let elsewhere = Estate { account: Account::bare("444455556666".parse().unwrap()), ..estate(10) };
        assert_eq!(gone(elsewhere, &base), [], "of another account");
        let before = judged(estate(100), &base).findings;
        let unread = Audit::of(Vec::new(), Vec::new(), &base, now());
        assert!(unread.gone(&"111122223333".parse().unwrap(), &before, &base).is_empty(), "not read");
    }

    #[test]
    fn what_is_not_looked_at_any_more_is_not_mended() {
        let mut off = AuditSettings::default();
        off.base.rules.insert("key-age".to_owned(), RuleLevel::Off);
        assert_eq!(gone(estate(100), &off), [Gone::NotLookedAt]);
    }
}
