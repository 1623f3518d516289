//! What is counted of keys, so that the estate's page adds up accounts and reads no keys.

use akia_core::finding::Severity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Row;

/// The age groups: a key is in the first whose days it does not exceed, and in the last where it exceeds all or its age is not known.
pub const AGES: [(&str, i64); 6] =
    [("30 days", 30), ("60 days", 60), ("90 days", 90), ("180 days", 180), ("1 year", 365), ("older", i64::MAX)];

/// The groups of last use, in the same way. Never used keys and those of which AWS does not say have groups of their own after these.
pub const IDLE: [(&str, i64); 6] =
    [("a day", 1), ("a week", 7), ("30 days", 30), ("90 days", 90), ("1 year", 365), ("longer", i64::MAX)];

/// Counts of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Active keys.
    pub active: u64,
    /// Inactive keys.
    pub inactive: u64,
    /// Active keys by age, as [`AGES`] has it.
    pub ages: [u64; AGES.len()],
    /// Active keys by age and by last use: [`IDLE`], never used, not known.
    pub uses: [[u64; IDLE.len() + 2]; AGES.len()],
    /// All keys by the gravest rule that they break: none, then from [`Severity::Info`] up.
    pub severities: [u64; Severity::ALL.len() + 1],
    /// The oldest active key, in days.
    pub oldest_days: i64,
    /// Active keys without an owner.
    pub ownerless: u64,
}

impl Figures {
    /// Counts one more key.
    pub fn count(&mut self, key: &Row, now: i64) {
        add(&mut self.severities, key.worst().map_or(0, |worst| worst as usize + 1));
        if !key.is_active {
            self.inactive += 1;
            return;
        }
        self.active += 1;
        self.ownerless += u64::from(key.owner.is_none());
        let age_days = key.age_days(now);
        self.oldest_days = self.oldest_days.max(age_days.unwrap_or(0));
        let age = group(&AGES, age_days.unwrap_or(i64::MAX));
        add(&mut self.ages, age);
        let idle = match (key.last_used.as_str(), key.last_used_at) {
            ("never", _) => IDLE.len(),
            ("used", Some(_)) => group(&IDLE, key.idle_days(now).unwrap_or(i64::MAX)),
            _ => IDLE.len() + 1,
        };
        if let Some(uses) = self.uses.get_mut(age) {
            add(uses, idle);
        }
    }

    /// Adds those of another account.
    pub fn add(&mut self, other: &Self) {
        self.active += other.active;
        self.inactive += other.inactive;
        self.ownerless += other.ownerless;
        self.oldest_days = self.oldest_days.max(other.oldest_days);
        sum(&mut self.ages, &other.ages);
        sum(&mut self.severities, &other.severities);
        for (ours, theirs) in self.uses.iter_mut().zip(&other.uses) {
            sum(ours, theirs);
        }
    }

    /// Active keys that were not used for more than 90 days, or never and are older than that.
    #[must_use]
    pub fn unused(&self) -> u64 {
        let used: u64 = self.uses.iter().flat_map(|uses| uses.get(4..IDLE.len())).flatten().sum();
        used + self.uses.iter().skip(3).filter_map(|uses| uses.get(IDLE.len())).sum::<u64>()
    }

    /// Active keys older than 90 days.
    #[must_use]
    pub fn old(&self) -> u64 {
        self.ages.iter().skip(3).sum()
    }
}

fn group(groups: &[(&str, i64)], days: i64) -> usize {
    groups.iter().position(|(_, most)| days <= *most).unwrap_or(groups.len() - 1)
}

fn add(counts: &mut [u64], position: usize) {
    if let Some(count) = counts.get_mut(position) {
        *count += 1;
    }
}

fn sum(ours: &mut [u64], theirs: &[u64]) {
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        *ours += theirs;
    }
}
