//! When a job is due.

use akia_core::settings::JobSettings;
use croner::Cron;
use jiff_02::tz::TimeZone;
use jiff_02::{Timestamp, Zoned};
use sha2::{Digest as _, Sha256};

/// A job with its hours.
#[derive(Debug, Clone)]
pub struct Job {
    /// What the settings say.
    pub settings: JobSettings,
    cron: Cron,
    zone: TimeZone,
}

/// Why a job can never be due.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No pattern.
    #[error("at = {at:?} of job {job} is no pattern of cron: {reason}")]
    Pattern {
        /// The job.
        job: String,
        /// What is written.
        at: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No time zone.
    #[error("time-zone = {zone:?} of job {job} is not known: write one as in Europe/Berlin")]
    Zone {
        /// The job.
        job: String,
        /// What is written.
        zone: String,
    },
}

impl Job {
    /// A job of the settings.
    ///
    /// # Errors
    /// When its pattern or its zone means nothing.
    pub fn new(settings: JobSettings) -> Result<Self, JobError> {
        let cron: Result<Cron, _> = settings.at.parse();
        let cron = cron.map_err(|error| JobError::Pattern {
            job: settings.name.clone(),
            at: settings.at.clone(),
            reason: error.to_string(),
        })?;
        let zone = TimeZone::get(&settings.time_zone)
            .map_err(|_| JobError::Zone { job: settings.name.clone(), zone: settings.time_zone.clone() })?;
        Ok(Self { settings, cron, zone })
    }

    /// The last hour at or before a moment, in seconds since 1970.
    #[must_use]
    pub fn last_due(&self, now: i64) -> Option<i64> {
        let found = self.cron.find_previous_occurrence(&self.zoned(now)?, true);
        found.ok().map(|found| found.timestamp().as_second())
    }

    /// The next hour after a moment, in seconds since 1970.
    #[must_use]
    pub fn next_due(&self, now: i64) -> Option<i64> {
        let found = self.cron.find_next_occurrence(&self.zoned(now)?, false);
        found.ok().map(|found| found.timestamp().as_second())
    }

    /// How much later than its hour it begins: by chance as it seems, and the same on every server.
    #[must_use]
    pub fn jitter(&self, due: i64) -> i64 {
        let most = self.settings.jitter.as_secs();
        let digest = Sha256::digest(format!("{} {due}", self.settings.name));
        let number = digest.iter().take(6).fold(0, |number, byte| number << 8 | i64::from(*byte));
        if most > 0 { number % (most + 1) } else { 0 }
    }

    /// What its hours are made of. When that changes, hours that are past do not count.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!("{} {}", self.settings.at, self.settings.time_zone)
    }

    /// Its hours in words.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} ({})", self.cron.describe(), self.settings.time_zone)
    }

    fn zoned(&self, second: i64) -> Option<Zoned> {
        Some(Timestamp::from_second(second).ok()?.to_zoned(self.zone.clone()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use akia_core::settings::Settings;

    use super::*;

    pub(crate) fn job(more: &str) -> Job {
        let text = format!("[job.audit]\nrun = [\"audit\"]\n{more}");
        Job::new(Settings::parse(&text).unwrap().jobs.remove(0)).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn hours_are_those_of_the_zone_also_when_its_clock_changes() {
        let job = job("at = \"30 2 * * *\"\ntime-zone = \"Europe/Berlin\"");
        // Winter and summer.
        assert_eq!(job.last_due(at("2026-11-24T12:00:00Z")), Some(at("2026-11-24T01:30:00Z")));
        assert_eq!(job.next_due(at("2026-07-01T00:30:00Z")), Some(at("2026-07-02T00:30:00Z")), "not the hour itself");
        assert_eq!(job.last_due(at("2026-07-01T00:30:00Z")), Some(at("2026-07-01T00:30:00Z")));
        // The night in which half past two comes twice has one run.
        let first = job.next_due(at("2026-10-24T12:00:00Z")).unwrap();
        let second = job.next_due(first).unwrap();
        assert!(second - first > 20 * 3600, "{first} {second}");
        // The night without half past two has one all the same.
        let night = job.next_due(at("2026-03-28T12:00:00Z")).unwrap();
        assert!((at("2026-03-29T00:30:00Z")..=at("2026-03-29T01:30:00Z")).contains(&night), "{night}");
    }

    #[test]
    fn jitter_stays_within_its_limit_and_differs_between_runs() {
        let job = job("at = \"0 * * * *\"\njitter = \"10m\"");
        let all: std::collections::BTreeSet<i64> = (0..200).map(|hour| job.jitter(hour * 3600)).collect();
        assert!(all.iter().all(|jitter| (0..=600).contains(jitter)) && all.len() > 100, "{all:?}");
        assert_eq!(job.jitter(3600), job.jitter(3600));
    }

    #[test]
    fn what_means_nothing_is_named() {
        let settings =
            |more: &str| Settings::parse(&format!("[job.a]\nrun = [\"audit\"]\n{more}")).unwrap().jobs.remove(0);
        let error = Job::new(settings("at = \"61 * * * *\"")).unwrap_err().to_string();
        assert!(error.starts_with("at = \"61 * * * *\" of job a is no pattern of cron: "), "{error}");
        let error = Job::new(settings("at = \"1 * * * *\"\ntime-zone = \"Berlin\"")).unwrap_err().to_string();
        assert_eq!(error, "time-zone = \"Berlin\" of job a is not known: write one as in Europe/Berlin");
    }
}
