//! The credential report: a CSV of all users of an account, made when asked for and kept for four hours
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>).

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::Failure;
use crate::mint::Mint;
use crate::propagation::Propagation;
use crate::state::{Account, Key, Principal, report_date};

/// How long a report is served and not made anew.
const KEPT: Duration = Duration::from_secs(4 * 3600);

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
cert_1_last_rotated,cert_2_active,cert_2_last_rotated,additional_credentials_info";

/// A report that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    ready_at: Timestamp,
    /// `None` until somebody looks after it is ready.
    csv: Option<String>,
}

/// How far `GenerateCredentialReport` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Started,
    Underway,
    Complete,
}

impl Report {
    /// Asks for a report: begins one unless a fresh one is there or on its way.
    pub(crate) fn generate(
        account: &mut Account,
        takes: Duration,
        shuffled: bool,
        now: Timestamp,
        spread: &Propagation,
        mint: &mut Mint,
    ) -> Progress {
        let fresh = account.report.as_ref().filter(|report| now < report.ready_at + KEPT);
        match fresh {
            None => {
                account.report = Some(Self { ready_at: now + takes, csv: None });
                Progress::Started
            }
            Some(report) if now < report.ready_at => Progress::Underway,
            Some(report) => {
                if report.csv.is_none() {
                    let csv = rows(account, shuffled, now, spread, mint);
                    account.report = Some(Self { ready_at: now, csv: Some(csv) });
                }
                Progress::Complete
            }
        }
    }

    /// Reads the report and when it was made.
    pub(crate) fn read(
        account: &mut Account,
        shuffled: bool,
        now: Timestamp,
        spread: &Propagation,
        mint: &mut Mint,
    ) -> Result<(String, Timestamp), Failure> {
        let refusal = |status, code: &str, message: &str| Err(Failure::new(status, code, message));
        let Some(report) = account.report.clone() else {
            return refusal(410, "ReportNotPresent", "No report exists. Please generate one.");
        };
        if now < report.ready_at {
            return refusal(404, "ReportInProgress", "The report is still being generated.");
        }
        if now >= report.ready_at + KEPT {
            return refusal(410, "ReportExpired", "The report has expired. Please generate a new one.");
        }
        let csv = report.csv.unwrap_or_else(|| rows(account, shuffled, now, spread, mint));
        account.report = Some(Self { ready_at: report.ready_at, csv: Some(csv.clone()) });
        Ok((csv, report.ready_at))
    }
}

fn rows(account: &Account, shuffled: bool, now: Timestamp, spread: &Propagation, mint: &mut Mint) -> String {
    let mut rows = vec![COLUMNS.to_owned()];
    let root = Subject {
        name: "<root_account>",
        arn: account.arn("root"),
        created_at: account.created_at,
        principal: &account.root,
        has_mfa: account.devices_of(None).next().is_some(),
        is_root: true,
    };
    rows.push(root.row(false, now, spread));
    for user in account.users.values() {
        let subject = Subject {
            name: &user.name,
            arn: user.arn(account),
            created_at: user.created_at,
            principal: &user.principal,
            has_mfa: account.devices_of(Some(&user.name)).next().is_some(),
            is_root: false,
        };
        rows.push(subject.row(shuffled && mint.chance(0.5), now, spread));
    }
    rows.join("\n")
}

struct Subject<'a> {
    name: &'a str,
    arn: String,
    created_at: Timestamp,
    principal: &'a Principal,
    has_mfa: bool,
    is_root: bool,
}

impl Subject<'_> {
    fn row(&self, swapped: bool, now: Timestamp, spread: &Propagation) -> String {
        let login = self.principal.login.as_ref();
        let (enabled, changed, next) = match (self.is_root, login) {
            (true, _) => ("not_supported", "not_supported".to_owned(), "not_supported"),
            (false, Some(login)) => ("true", report_date(login.created_at), "N/A"),
            (false, None) => ("false", "N/A".to_owned(), "N/A"),
        };
        let last_login = match login {
            None => "N/A".to_owned(),
            Some(login) => login.last_used.map_or_else(|| "no_information".to_owned(), report_date),
        };
        let mut cells = vec![
            self.name.to_owned(),
            self.arn.clone(),
            report_date(self.created_at),
            enabled.to_owned(),
            last_login,
            changed,
            next.to_owned(),
            self.has_mfa.to_string(),
        ];
        let mut slots = [self.principal.keys.first(), self.principal.keys.get(1)];
        if swapped {
            slots.reverse();
        }
        for slot in slots {
            cells.extend(key_cells(slot, now, spread));
        }
        cells.extend(["false", "N/A", "false", "N/A"].map(str::to_owned));
        let more = self.principal.keys.len().saturating_sub(2);
        cells.push(if more > 0 { format!("Additional access keys: {more}") } else { "N/A".to_owned() });
        cells.join(",")
    }
}

fn key_cells(key: Option<&Key>, now: Timestamp, spread: &Propagation) -> [String; 5] {
    let missing = || "N/A".to_owned();
    let Some(key) = key else { return ["false".to_owned(), missing(), missing(), missing(), missing()] };
    let used = key.last_used(now, spread);
    [
        key.active.to_string(),
        report_date(key.rotated_at),
        used.map_or_else(missing, |used| report_date(used.at)),
        used.map_or_else(missing, |used| used.region.clone()),
        used.map_or_else(missing, |used| used.service.clone()),
    ]
}
