//! Windows of CloudTrail's event history that were looked up: which of them are still to be asked for, and under which names they are kept.
//!
//! The event history is what `LookupEvents` tells: management events of 90 days, of one account and region. What was looked up is kept
//! as log files in CloudTrail's own layout, so that it is loaded like any other log. A window is within one day of UTC, for a log's
//! folder says its day, and no two windows of an account and region have a moment in common, for a call would be counted twice.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::quiet::DELAY;
use crate::ids::{AccountId, Region};

/// How far the event history goes back.
///
/// Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>.
pub const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How the names of such logs end.
pub const HISTORY_LOG: &str = "_EventHistory.json.gz";

/// From a moment, up to and without another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// From.
    pub from: Timestamp,
    /// Up to.
    pub until: Timestamp,
}

impl Span {
    /// What the event history can tell for sure: whole days from the first that is wanted, up to what may not have been delivered yet.
    /// None where that is nothing.
    #[must_use]
    pub fn of_history(since: Timestamp, until: Timestamp, now: Timestamp) -> Option<Self> {
        let oldest = day_of(now.checked_sub(HISTORY).ok()?).tomorrow().ok()?;
        let from = start_of(day_of(since).max(oldest))?;
        let until = whole_second(until.min(now.checked_sub(DELAY).ok()?));
        (from < until).then_some(Self { from, until })
    }

    /// Whether they have a moment in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }

    /// What is left of it beside some others, in order.
    #[must_use]
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut others = others.to_vec();
        others.sort_unstable();
        let (mut left, mut from) = (Vec::new(), self.from);
        for other in others {
            if other.from > from {
                left.push(Self { from, until: other.from.min(self.until) });
            }
            from = from.max(other.until);
            if from >= self.until {
                break;
            }
        }
        left.push(Self { from, until: self.until });
        left.retain(|span| span.from < span.until);
        left
    }

    /// Its parts, each within one day of UTC.
    #[must_use]
    pub fn by_day(self) -> Vec<Self> {
        let (mut parts, mut from) = (Vec::new(), self.from);
        while from < self.until {
            let midnight = day_of(from).tomorrow().ok().and_then(start_of).unwrap_or(self.until);
            let until = midnight.min(self.until);
            parts.push(Self { from, until });
            from = until;
        }
        parts
    }
}

/// A window that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryWindow {
    /// The account.
    pub account: AccountId,
    /// The region that was asked.
    pub region: Region,
    /// When; within one day.
    pub span: Span,
}

impl HistoryWindow {
    /// The day.
    #[must_use]
    pub fn day(&self) -> Date {
        day_of(self.span.from)
    }

    /// Whether nothing of its day is among what is left to be looked up: only then does the day count as known.
    #[must_use]
    pub fn is_of_complete_day(&self, left: &[Span]) -> bool {
        left.iter().flat_map(|span| span.by_day()).all(|span| day_of(span.from) != self.day())
    }

    /// Its folder, as a trail names it.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("AWSLogs/{}/CloudTrail/{}/{}", self.account, self.region, self.day().strftime("%Y/%m/%d"))
    }

    /// Its name, which says all of it.
    #[must_use]
    pub fn name(&self) -> String {
        let time = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let (from, until) = (time(self.span.from), time(self.span.until));
        format!("{}_CloudTrail_{}_{from}-{until}{HISTORY_LOG}", self.account, self.region)
    }

    /// Reads a name, of a path or URL as well. None for any other log.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?.strip_suffix(HISTORY_LOG)?;
        let (account, rest) = name.split_once("_CloudTrail_")?;
        let (region, span) = rest.rsplit_once('_')?;
        let (from, until) = span.split_once('-')?;
        let time = |text: &str| {
            let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
            Offset::UTC.to_timestamp(time).ok()
        };
        let span = Span { from: time(from)?, until: time(until)? };
        Some(Self { account: account.parse().ok()?, region: region.parse().ok()?, span })
    }
}

/// What the facts hold of one day from logs of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailDay {
    /// The account; none where the path of the logs does not tell.
    pub account: Option<String>,
    /// The region, likewise.
    pub region: Option<String>,
    /// The day, likewise.
    pub day: Option<Date>,
    /// From the first call of a user that was kept to the last; none where there was no such call.
    pub kept: Option<Span>,
}

/// The time of which a trail's logs have the calls of a region. Days in a row are one time: their logs are of one trail, and what stands
/// between their calls is known as well.
#[must_use]
pub fn covered_by_trail(account: &AccountId, region: &Region, days: &[TrailDay]) -> Vec<Span> {
    let is = |told: Option<&str>, wanted: &str| told.is_none_or(|told| told == wanted);
    let mut days: Vec<&TrailDay> = days
        .iter()
        .filter(|day| is(day.account.as_deref(), account.as_str()) && is(day.region.as_deref(), region.as_str()))
        .collect();
    days.sort_by_key(|day| day.day);
    let mut spans: Vec<Span> = Vec::new();
    let mut before: Option<Date> = None;
    for day in days {
        let goes_on = before.is_some_and(|before| before.tomorrow().ok() >= day.day);
        before = day.day;
        let Some(kept) = day.kept else { continue };
        match spans.last_mut().filter(|_| goes_on) {
            Some(span) => *span = Span { from: span.from.min(kept.from), until: span.until.max(kept.until) },
            None => spans.push(kept),
        }
    }
    spans
}

fn day_of(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

fn start_of(day: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok()
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Of hours of 2026-11-10, or of later days.
    fn hours(from: i64, until: i64) -> Span {
        let start = at("2026-11-10T00:00:00Z");
        Span { from: start + SignedDuration::from_hours(from), until: start + SignedDuration::from_hours(until) }
    }

    #[test]
    fn whole_days_are_asked_for_up_to_what_may_not_have_been_delivered() {
        let now = at("2026-11-30T12:00:00.5Z");
        let asked = |since: &str, until: &str| Span::of_history(at(since), at(until), now);
        let span = |from: &str, until: &str| Some(Span { from: at(from), until: at(until) });
        let later = "2027-01-01T00:00:00Z";
        assert_eq!(asked("2026-11-20T09:30:00Z", later), span("2026-11-20T00:00:00Z", "2026-11-30T11:45:00Z"));
        // The day that is 90 days ago has begun before what AWS keeps.
        assert_eq!(asked("2020-01-01T00:00:00Z", later), span("2026-09-02T00:00:00Z", "2026-11-30T11:45:00Z"));
        assert_eq!(asked("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"), Some(hours(240, 264)));
        assert_eq!(asked("2026-12-01T00:00:00Z", later), None);
        assert_eq!(asked("2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z"), None);
    }

    #[test]
    fn what_is_left_beside_others_has_no_moment_in_common_with_them() {
        assert_eq!(hours(0, 24).without(&[]), [hours(0, 24)]);
        assert_eq!(hours(0, 24).without(&[hours(10, 12), hours(4, 6), hours(5, 11)]), [hours(0, 4), hours(12, 24)]);
        assert_eq!(hours(0, 24).without(&[hours(-5, 3), hours(20, 30), hours(40, 50)]), [hours(3, 20)]);
        assert_eq!(hours(0, 24).without(&[hours(-5, 50)]), []);
        assert_eq!(hours(0, 24).without(&[hours(0, 12), hours(12, 24)]), []);
        assert!(
            hours(0, 3).meets(&hours(2, 5)) && !hours(0, 3).meets(&hours(3, 5)) && !hours(3, 5).meets(&hours(0, 3))
        );
        assert_eq!(hours(20, 50).by_day(), [hours(20, 24), hours(24, 48), hours(48, 50)]);
        assert_eq!(hours(0, 24).by_day(), [hours(0, 24)]);
    }

    #[test]
    fn a_window_is_told_by_its_name_and_no_other_log_is_one() {
        let window = HistoryWindow {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            span: hours(9, 24),
        };
        assert_eq!(window.folder(), "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/10");
        let name = "111122223333_CloudTrail_us-east-1_20261110T090000Z-20261111T000000Z_EventHistory.json.gz";
        assert_eq!(window.name(), name);
        assert_eq!(HistoryWindow::parse(&format!("file:///a/{name}")), Some(window));
        for other in [
            "111122223333_CloudTrail_us-east-1_20261110T0900Z_a1b2c3d4e5f6a7b8.json.gz",
            "111122223333_CloudTrail_us-east-1_20261110T090000Z_EventHistory.json.gz",
            "1_CloudTrail_us-east-1_20261110T090000Z-20261111T000000Z_EventHistory.json.gz",
            "events.json",
        ] {
            assert_eq!(HistoryWindow::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_day_of_which_something_is_left_is_not_complete() {
        let window = |span| HistoryWindow {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            span,
        };
        let noon = window(hours(12, 24));
        assert!(noon.is_of_complete_day(&[]));
        assert!(noon.is_of_complete_day(&[hours(-30, 0), hours(24, 40)]));
        assert!(!noon.is_of_complete_day(&[hours(0, 12)]));
        assert!(!noon.is_of_complete_day(&[hours(-30, 1)]), "it begins days before");
    }

    #[test]
    fn a_trail_covers_what_lies_between_the_calls_of_days_in_a_row() {
        let (account, region) = ("111122223333".parse().unwrap(), "us-east-1".parse().unwrap());
        let day = |region: Option<&str>, day: &str, kept| TrailDay {
            account: region.map(|_| "111122223333".to_owned()),
            region: region.map(str::to_owned),
            day: (!day.is_empty()).then(|| day.parse().unwrap()),
            kept,
        };
        let here = Some("us-east-1");
        let days = [
            day(here, "2026-11-12", Some(hours(50, 60))),
            day(here, "2026-11-10", Some(hours(1, 3))),
            day(here, "2026-11-11", None),
            day(here, "2026-11-14", Some(hours(97, 98))),
            day(Some("eu-west-1"), "2026-11-13", Some(hours(73, 74))),
        ];
        assert_eq!(covered_by_trail(&account, &region, &days), [hours(1, 60), hours(97, 98)]);
        // Loose files may be of any account and region.
        let loose = [day(None, "", Some(hours(5, 7))), day(None, "", Some(hours(1, 2)))];
        assert_eq!(covered_by_trail(&account, &region, &loose), [hours(5, 7), hours(1, 2)]);
        let other = "444455556666".parse().unwrap();
        assert_eq!(covered_by_trail(&other, &region, &days), []);
    }
}
