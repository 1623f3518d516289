//! What the policy says of a key as it is now: the rules judge it anew, by what AWS has just said.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::{EnforcePolicy, InUse, Terms};
use super::record::{CaseSubject, Evidence, Facts, Waits};
use crate::estate::{Account, Estate, Known, Root, User};
use crate::key::{KeyStatus, LastUsed};
use crate::rule::{AuditSettings, judge};
use crate::usage::SeenUse;

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Digest of the policy.
    pub policy: String,
    /// The rules that lead to action for this user.
    pub rules: BTreeSet<String>,
    /// Those of them that the key breaks, each with its words. Not known, too, where it takes tags to tell what holds for the
    /// user, and they could not be read.
    pub broken: Known<Vec<(String, String)>>,
    /// The words of the exemption that holds.
    pub exempt: Option<String>,
    /// Nothing is done to this user.
    pub is_protected: bool,
    /// No key is changed now, and why.
    pub frozen: Option<String>,
    /// Enforcement is switched off, and why.
    pub stopped: Option<String>,
    /// The key is in use, and the policy leaves such alone.
    pub is_in_use: bool,
    /// How long each stage lasts.
    pub waits: Waits,
}

/// Judges one key. `user` is as AWS tells it now, with the key among its keys; `stopped` is why enforcement is switched off
/// outside of the policy.
#[must_use]
pub fn review(
    account: &Account,
    user: &User,
    subject: &CaseSubject,
    audit: &AuditSettings,
    policy: &EnforcePolicy,
    stopped: Option<&str>,
    now: Timestamp,
) -> Review {
    let terms = policy.terms_of(account, user);
    let key = user.keys.iter().find(|key| key.id.as_ref() == Some(&subject.key));
    let is_in_use = key.is_some_and(|key| match &key.last_used {
        LastUsed::At { at, .. } => terms.spare(*at, now),
        LastUsed::Never | LastUsed::Unknown { .. } => false,
    });
    let exemption = policy.exemption(&subject.account, user.name(), &subject.key, now);
    let switched_off = (!policy.is_enabled).then_some("enabled is false in akia.toml");
    Review {
        policy: policy.digest(),
        broken: match unknown_scope(user, policy) {
            Some(reason) => Known::Unknown { reason },
            None => broken(account, user, subject, audit, &terms.rules, now),
        },
        rules: terms.rules,
        exempt: exemption.map(|exemption| exemption.words()),
        is_protected: policy.is_protected(account, user),
        frozen: policy.frozen(now).map(str::to_owned),
        stopped: stopped.or(switched_off).map(str::to_owned),
        is_in_use,
        waits: terms.waits,
    }
}

/// Why it is not known what the policy says of a user.
fn unknown_scope(user: &User, policy: &EnforcePolicy) -> Option<String> {
    let reason = user.details.reason()?;
    policy.asks_for_tags().then(|| format!("the policy asks for tags: {reason}"))
}

/// The rules that lead to action and that the key breaks. Not known where none is broken, as far as is known, and one could
/// not tell.
fn broken(
    account: &Account,
    user: &User,
    subject: &CaseSubject,
    audit: &AuditSettings,
    rules: &BTreeSet<String>,
    now: Timestamp,
) -> Known<Vec<(String, String)>> {
    // An account of this one key: the rules are the same that an audit asks, and what another key hides is no matter.
    let keys = user.keys.iter().filter(|key| key.id.as_ref() == Some(&subject.key)).cloned().collect();
    let estate = Estate {
        account: account.clone(),
        as_of: now,
        root: Known::Told(Root { keys: Vec::new(), password_used_at: None, mfa_active: true }),
        users: vec![User { keys, ..user.clone() }],
        gaps: BTreeSet::new(),
    };
    let judgement = judge(&estate, audit, now);
    let broken: Vec<(String, String)> = judgement
        .findings
        .into_iter()
        .filter(|finding| finding.key.as_ref() == Some(&subject.key) && rules.contains(&finding.rule))
        .map(|finding| (finding.rule, finding.detail))
        .collect();
    let unknown = judgement.unknown.into_iter().find(|((rule, _), _)| rules.contains(*rule));
    match unknown {
        Some(((rule, reason), _)) if broken.is_empty() => Known::Unknown { reason: format!("{rule}: {reason}") },
        Some(_) | None => Known::Told(broken),
    }
}

impl Review {
    /// Takes in that logs have shown the key in use. It can only be spared by that: what logs do not show is no evidence.
    pub fn take_seen(&mut self, seen: &SeenUse, terms: &Terms, now: Timestamp) {
        self.is_in_use |= terms.spare(seen.at, now);
    }
}

impl Terms {
    /// Whether a key that was used then is left alone.
    fn spare(&self, used_at: Timestamp, now: Timestamp) -> bool {
        self.in_use == InUse::Hold && now.duration_since(used_at) < self.quiet
    }
}

impl Evidence {
    /// What a look has shown.
    #[must_use]
    pub fn of(facts: &Facts, review: &Review, at: Timestamp) -> Self {
        let status = facts.key.told().copied().flatten().map_or(KeyStatus::Inactive, |key| key.status);
        let broken = review.broken.told().cloned().unwrap_or_default();
        Self { as_of: at, status, last_used: facts.last_used.clone(), reactivated_at: facts.reactivated_at, broken }
    }
}
