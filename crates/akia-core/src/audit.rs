//! An audit: accounts, what the rules found in them, and what could not be told.
//!
//! Invariant: what was not looked at is said. An account that could not be read is part of the audit as a failure, and a
//! rule that could not tell is counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::estate::{Account, Estate};
use crate::finding::{Finding, Severity};
use crate::rule::{AuditSettings, judge};

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

impl Audit {
    /// Judges accounts by the rules.
    #[must_use]
    pub fn of(mut estates: Vec<Estate>, unread: Vec<Unread>, settings: &AuditSettings, at: Timestamp) -> Self {
        estates.sort_by(|a, b| a.account.id.cmp(&b.account.id));
        let mut findings = Vec::new();
        let mut unknown: BTreeMap<(String, String), usize> = BTreeMap::new();
        for estate in &estates {
            let judgement = judge(estate, settings, at);
            findings.extend(judgement.findings);
            for ((rule, reason), count) in judgement.unknown {
                *unknown.entry((rule.to_owned(), reason)).or_default() += count;
            }
        }
        // Stable: within a severity the accounts keep their order.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let unknown = unknown.into_iter().map(|((rule, reason), count)| Unknown { rule, reason, count }).collect();
        Self { at, estates, unread, findings, unknown }
    }

    /// Whether everything was read and every rule could tell.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.unknown.is_empty() && self.estates.iter().all(|estate| estate.gaps.is_empty())
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
