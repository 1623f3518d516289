//! What logs cover: an answer about a key is as good as they are.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// What was loaded of an account's region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The account; none where the path of the logs does not tell.
    pub account: Option<String>,
    /// The region, likewise.
    pub region: Option<String>,
    /// Days with logs, in order.
    pub days: Vec<Date>,
    /// Those of them, or a part of them, that are known from CloudTrail's event history: it has management events alone.
    pub history_days: Vec<Date>,
    /// How many logs.
    pub logs: u64,
    /// The last call of a user that was seen.
    pub last_call: Option<Timestamp>,
    /// Logs of which nothing could be taken.
    pub unread: u64,
}

impl Covered {
    /// Days without logs between the first day and the last. A region in which nothing happens writes none.
    #[must_use]
    pub fn missing(&self) -> Vec<Date> {
        gaps(&self.days)
    }
}

/// Days that are missing in a list of days.
fn gaps(days: &[Date]) -> Vec<Date> {
    let mut missing = Vec::new();
    for pair in days.windows(2) {
        let mut day = pair[0].tomorrow();
        while let Ok(between) = day
            && between < pair[1]
        {
            missing.push(between);
            day = between.tomorrow();
        }
    }
    missing
}

/// What is covered of an account, all its regions together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OfAccount {
    /// Regions with logs.
    pub regions: Vec<String>,
    /// The first day with logs.
    pub first: Option<Date>,
    /// The last day.
    pub last: Option<Date>,
    /// Days between them on which no region has a log. An account writes some every day, so they were not loaded, or the trail stood
    /// still.
    pub missing: Vec<Date>,
    /// Days of which a region is known from CloudTrail's event history.
    pub history_days: Vec<Date>,
    /// Logs of which nothing could be taken.
    pub unread: u64,
}

impl OfAccount {
    /// Of everything that was loaded. Logs of an unknown account count for every account: a folder of loose files is about one.
    #[must_use]
    pub fn of(account: &str, covered: &[Covered]) -> Self {
        let of_it = || covered.iter().filter(|region| region.account.as_deref().is_none_or(|known| known == account));
        let in_order = |mut days: Vec<Date>| {
            days.sort_unstable();
            days.dedup();
            days
        };
        let days = in_order(of_it().flat_map(|region| region.days.iter().copied()).collect());
        let mut regions: Vec<String> = of_it().filter_map(|region| region.region.clone()).collect();
        regions.sort_unstable();
        regions.dedup();
        Self {
            regions,
            first: days.first().copied(),
            last: days.last().copied(),
            missing: gaps(&days),
            history_days: in_order(of_it().flat_map(|region| region.history_days.iter().copied()).collect()),
            unread: of_it().map(|region| region.unread).sum(),
        }
    }
}
