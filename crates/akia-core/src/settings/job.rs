//! `[job.NAME]`: what `akia serve` runs, and when.
//!
//! A job is a command line of akia, as somebody would type it. Only commands whose second run finds nothing left to do may be
//! scheduled: a server that dies in the middle of one has another begin it again.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::SettingsError;
use super::table::{Span, fault};

/// What may be scheduled: the beginning of a command line.
pub const SCHEDULABLE: [&[&str]; 9] = [
    &["audit"],
    &["enforce", "plan"],
    &["enforce", "apply"],
    &["rotate", "--all-services"],
    &["retire"],
    &["resume"],
    &["notify"],
    &["history", "seal"],
    &["events"],
];
/// How late a job may begin, where nothing else is said.
const CATCH_UP: SignedDuration = SignedDuration::from_hours(1);
/// How long it may take, where nothing else is said.
const TIMEOUT: SignedDuration = SignedDuration::from_hours(6);
/// Longest name.
const LONGEST_NAME: usize = 64;
/// Most tries after the first.
const MOST_RETRIES: u32 = 10;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSettings {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// The arguments of akia.
    pub run: Vec<String>,
    /// When: minute, hour, day of the month, month, day of the week, as cron writes it.
    pub at: String,
    /// The zone whose clock that means, as in `Europe/Berlin`.
    pub time_zone: String,
    /// It begins later than that by up to this much, by another time each run and the same on every replica.
    pub jitter: SignedDuration,
    /// How late it may begin, where no server was there at its hour; later it is missed.
    pub catch_up: SignedDuration,
    /// Tries after the first, where it fails.
    pub retries: u32,
    /// How long it may take; then it is asked to end, and ended.
    pub timeout: SignedDuration,
}

/// A job.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct JobTable {
    /// The arguments of akia: audit, enforce plan, enforce apply, rotate --all-services, retire, resume, notify, history seal, events.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    run: Spanned<Vec<String>>,
    /// When, as cron writes it: minute, hour, day of the month, month, day of the week.
    #[cfg_attr(test, schemars(with = "String"))]
    at: Spanned<String>,
    /// The zone whose clock that means, for example Europe/Berlin; UTC.
    time_zone: Option<String>,
    /// It begins later by up to this much; 0s.
    jitter: Option<Span>,
    /// How late it may begin, where no server was there at its hour; 1h.
    catch_up: Option<Span>,
    /// Tries after the first, where it fails; 0.
    #[cfg_attr(test, schemars(with = "Option<u32>"))]
    retries: Option<Spanned<u32>>,
    /// How long it may take; 6h.
    timeout: Option<Span>,
}

pub(super) fn jobs(text: &str, tables: BTreeMap<Spanned<String>, JobTable>) -> Result<Vec<JobSettings>, SettingsError> {
    tables.into_iter().map(|(name, table)| job(text, &name, table)).collect()
}

fn job(text: &str, name: &Spanned<String>, table: JobTable) -> Result<JobSettings, SettingsError> {
    let is_name = |name: &str| {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_letter)
    };
    if !is_name(name.get_ref()) {
        let what = "it is not the name of a job: small letters, digits and hyphens, at most 64";
        return Err(fault(text, Some(name.span()), what));
    }
    let run = table.run.get_ref();
    if !SCHEDULABLE.iter().any(|begin| run.iter().map(String::as_str).take(begin.len()).eq(begin.iter().copied())) {
        let known = SCHEDULABLE.map(|begin| begin.join(" ")).join(", ");
        let what = format!("a job runs one of these: {known}; write its words as a list, as in [\"audit\", \"--org\"]");
        return Err(fault(text, Some(table.run.span()), &what));
    }
    if table.at.get_ref().split_whitespace().count() != 5 {
        let what = "write five fields as cron does: minute, hour, day of the month, month, day of the week";
        return Err(fault(text, Some(table.at.span()), what));
    }
    let retries = table.retries.as_ref().map_or(0, |retries| *retries.get_ref());
    if retries > MOST_RETRIES {
        return Err(fault(text, table.retries.map(|retries| retries.span()), "it tries again 10 times at most"));
    }
    Ok(JobSettings {
        name: name.get_ref().clone(),
        run: table.run.into_inner(),
        at: table.at.into_inner(),
        time_zone: table.time_zone.unwrap_or_else(|| "UTC".to_owned()),
        jitter: table.jitter.map_or(SignedDuration::ZERO, |span| span.0),
        catch_up: table.catch_up.map_or(CATCH_UP, |span| span.0),
        retries,
        timeout: table.timeout.map_or(TIMEOUT, |span| span.0),
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    const JOB: &str = "[job.audit]\nrun = [\"audit\", \"--org\"]\nat = \"0 6 * * MON-FRI\"\n";

    #[test]
    fn a_job_says_what_and_when_and_the_rest_is_as_usual() {
        let settings = Settings::parse(&format!("{JOB}time-zone = \"Europe/Berlin\"\njitter = \"10m\"\n")).unwrap();
        let [job] = settings.jobs.as_slice() else { panic!("{:?}", settings.jobs) };
        assert_eq!((job.name.as_str(), job.time_zone.as_str(), job.retries), ("audit", "Europe/Berlin", 0));
        assert_eq!((job.jitter.as_mins(), job.catch_up.as_mins(), job.timeout.as_hours()), (10, 60, 6));
    }

    #[test]
    fn what_would_not_run_or_would_do_a_thing_twice_is_refused_with_its_line() {
        for (from, to, line, words) in [
            ("[job.audit]", "[job.Audit]", 1, "not the name of a job"),
            ("\"audit\", \"--org\"", "\"rotate\", \"--service\", \"shop\"", 2, "a job runs one of these"),
            ("\"audit\", \"--org\"", "", 2, "a job runs one of these"),
            ("0 6 * * MON-FRI", "0 6 * *", 3, "five fields"),
            ("at = ", "retries = 11\nat = ", 3, "10 times at most"),
        ] {
            let text = JOB.replace(from, to);
            assert_ne!(text, JOB);
            let error = Settings::parse(&text).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.what.contains(words), "{error}");
        }
    }
}
