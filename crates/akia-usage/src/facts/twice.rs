//! What must not be counted twice: a trail's logs and CloudTrail's event history tell of the same calls.

use akia_core::ids::{AccountId, Region};
use akia_core::usage::{HISTORY_LOG, HistoryWindow, Span, TrailDay, covered_by_trail};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::TimestampSecondType;
use datafusion::prelude::SessionContext;
use jiff::{SignedDuration, Timestamp};

use super::home::FactsError;
use crate::scan::LogFile;
use crate::source::{ToldByPath, told_by_path};

/// What the facts hold, and of which kind of logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Windows of the event history.
    pub windows: Vec<HistoryWindow>,
    /// Days of trails.
    pub trail: Vec<TrailDay>,
}

impl Taken {
    /// Whether the calls of a window are in the facts, by another window or by a trail.
    #[must_use]
    pub fn has(&self, window: &HistoryWindow) -> bool {
        let by_other = self
            .windows_of(&window.account, &window.region)
            .any(|other| other != window && other.span.meets(&window.span));
        by_other || self.by_trail(&window.account, &window.region).iter().any(|span| span.meets(&window.span))
    }

    /// The time of which the facts have the calls of a region.
    #[must_use]
    pub fn of(&self, account: &AccountId, region: &Region) -> Vec<Span> {
        let mut spans = self.by_trail(account, region);
        spans.extend(self.windows_of(account, region).map(|window| window.span));
        spans
    }

    fn windows_of(&self, account: &AccountId, region: &Region) -> impl Iterator<Item = &HistoryWindow> {
        self.windows.iter().filter(move |window| window.account == *account && window.region == *region)
    }

    /// The part of it that is from logs of a trail.
    #[must_use]
    pub fn by_trail(&self, account: &AccountId, region: &Region) -> Vec<Span> {
        covered_by_trail(account, region, &self.trail)
    }
}

/// Whether a row of `logs` is about a log of the event history, in SQL.
pub(super) fn is_of_history() -> String {
    format!("file LIKE '%{}'", HISTORY_LOG.replace('_', "\\_"))
}

/// Reads what the facts hold.
pub(crate) async fn taken(context: &SessionContext) -> Result<Taken, FactsError> {
    // Files that no path tells the day of are told apart: what lies between two of them is not known.
    let question = format!(
        "SELECT CASE WHEN {is_history} THEN file END AS history, account, region, day, min(first) AS first, max(last) AS last \
         FROM logs WHERE problem IS NULL \
         GROUP BY history, account, region, day, CASE WHEN day IS NULL THEN file END",
        is_history = is_of_history(),
    );
    let mut taken = Taken::default();
    for batch in &context.sql(&question).await?.collect().await? {
        let texts = [0, 1, 2, 3].map(|at| batch.column(at).as_string_view());
        let times = [4, 5].map(|at| batch.column(at).as_primitive::<TimestampSecondType>());
        for row in 0..batch.num_rows() {
            let text = |at: usize| (!texts[at].is_null(row)).then(|| texts[at].value(row));
            let time = |at: usize| {
                let second = (!times[at].is_null(row)).then(|| times[at].value(row))?;
                Timestamp::from_second(second).ok()
            };
            if let Some(window) = text(0).and_then(HistoryWindow::parse) {
                taken.windows.push(window);
                continue;
            }
            let kept = time(0).zip(time(1));
            taken.trail.push(TrailDay {
                account: text(1).map(str::to_owned),
                region: text(2).map(str::to_owned),
                day: text(3).and_then(|day| day.parse().ok()),
                kept: kept.map(|(from, last)| Span { from, until: last + SignedDuration::from_secs(1) }),
            });
        }
    }
    Ok(taken)
}

/// Refuses logs of which the calls are in the facts from the other source, or would be after this load.
pub(super) fn refuse(fresh: &[&LogFile], mut taken: Taken) -> Result<(), FactsError> {
    taken.windows.extend(fresh.iter().filter_map(|file| HistoryWindow::parse(file.url.as_str())));
    let doubles: Vec<&str> = fresh.iter().map(|file| file.url.as_str()).filter(|url| is_taken(url, &taken)).collect();
    match doubles.first() {
        None => Ok(()),
        Some(first) => Err(FactsError::Twice {
            logs: doubles.len(),
            first: (*first).to_owned(),
            is_history: HistoryWindow::parse(first).is_some(),
        }),
    }
}

/// Whether facts have the calls of a log from the other source.
pub(super) fn is_taken(url: &str, taken: &Taken) -> bool {
    match HistoryWindow::parse(url) {
        Some(window) => taken.has(&window),
        None if taken.windows.is_empty() => false,
        None => {
            let told = told_by_path(url);
            taken.windows.iter().any(|window| may_be_of(&told, window))
        }
    }
}

/// Whether a trail's log may hold the calls of a window, as far as its path tells.
fn may_be_of(told: &ToldByPath, window: &HistoryWindow) -> bool {
    told.account.as_deref().is_none_or(|account| account == window.account.as_str())
        && told.region.as_deref().is_none_or(|region| region == window.region.as_str())
        && told.day.is_none_or(|day| day == window.day())
}
