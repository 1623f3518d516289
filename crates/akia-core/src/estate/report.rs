//! Reads the credential report: what IAM knows of every user of an account at one moment, as CSV
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>).
//!
//! Columns are found by their names, so that columns which AWS adds change nothing. The words that stand for a missing
//! value (`N/A`, `no_information`, `not_supported`) are told apart: none of them is a date, and only some mean "never".
//!
//! Invariant: a row that cannot be read is an error that names its line; it is never left out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::{AccountId, IdError, UserArn};

/// Longest report that is read, in bytes: 5,000 users, the most that an account holds, need two megabytes.
pub const MAX_BYTES: usize = 64 << 20;
/// How AWS writes the row of the account's root user.
const ROOT: &str = "<root_account>";

/// A whole report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialReport {
    /// The account, as the ARNs say.
    pub account: AccountId,
    /// The root user, where the report has it (emulators leave it out).
    pub root: Option<Row>,
    /// The users, in the report's order.
    pub users: Vec<(UserArn, Row)>,
}

/// What the report says of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `user_creation_time`.
    pub created_at: Option<Timestamp>,
    /// The console password.
    pub password: Password,
    /// `mfa_active`.
    pub mfa_active: bool,
    /// The access keys. Which key stands in which slot may change from report to report.
    pub slots: Vec<Slot>,
    /// How many access keys there are beyond the two that the report has columns for.
    pub additional_keys: u32,
}

/// A console password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// There is none.
    None,
    /// There is one.
    Set {
        /// When it was last used.
        last_used: Moment,
        /// When it was last changed.
        changed: Moment,
    },
    /// The root user's: it always has one, and the report tells of its use only.
    Root {
        /// When it was last used.
        last_used: Moment,
    },
}

/// One access key, without its id, which the report does not tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// 1 or 2.
    pub number: u8,
    /// `access_key_N_active`.
    pub active: bool,
    /// `access_key_N_last_rotated`: when the key was made, or last activated.
    pub rotated_at: Option<Timestamp>,
    /// `access_key_N_last_used_date`.
    pub last_used: Moment,
    /// `access_key_N_last_used_region`.
    pub region: Option<String>,
    /// `access_key_N_last_used_service`.
    pub service: Option<String>,
}

/// A date of the report, or the word that stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A date.
    At(Timestamp),
    /// `N/A`, or nothing: it does not apply, or it has never happened.
    NotApplicable,
    /// `no_information`: AWS has no record, because it has never happened, or not since AWS keeps records.
    NoInformation,
    /// `not_supported`: the report does not tell it of this user.
    NotSupported,
}

impl Moment {
    /// The date, where there is one.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::NotApplicable | Self::NoInformation | Self::NotSupported => None,
        }
    }
}

/// Why a text is not a credential report. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No bytes, or only white space.
    #[error("the report is empty")]
    Empty,
    /// Longer than [`MAX_BYTES`].
    #[error("the report has {bytes} bytes; one of an account with 5,000 users is far below {MAX_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the report is not UTF-8 text")]
    NotText,
    /// Not base64, where the answer of the AWS CLI was given as it came.
    #[error("the report's Content is not base64")]
    NotBase64,
    /// A column that every report has is missing.
    #[error("the report has no column \"{column}\"")]
    NoColumn {
        /// Its name.
        column: &'static str,
    },
    /// A row that is cut short, or has more fields than there are columns.
    #[error("line {line} has {found} fields, and the header {expected}")]
    Ragged {
        /// The line.
        line: u64,
        /// Its fields.
        found: usize,
        /// The header's.
        expected: usize,
    },
    /// A quote that does not end.
    #[error("line {line}: {reason}")]
    Malformed {
        /// The line.
        line: u64,
        /// What the CSV reader says.
        reason: String,
    },
    /// A field that does not hold what its column is for.
    #[error("line {line}, column \"{column}\": {found:?} is not {expected}")]
    BadField {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
        /// What stands there, cut to 40 characters.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// An ARN that is not one of a user.
    #[error("line {line}, column \"arn\": {source}")]
    BadArn {
        /// The line.
        line: u64,
        /// Why not.
        source: IdError,
    },
    /// Rows of two accounts.
    #[error("line {line} is of account {found}, and the first of {first}: one report is of one account")]
    TwoAccounts {
        /// The line.
        line: u64,
        /// Its account.
        found: AccountId,
        /// That of the first row.
        first: AccountId,
    },
    /// A header and nothing below.
    #[error("the report has no row, not even the root user's")]
    NoRows,
}

impl CredentialReport {
    /// Reads a report as `GetCredentialReport` gives it, decoded.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MAX_BYTES {
            return Err(ReportError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ReportError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(ReportError::Empty);
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let columns = Columns::of(reader.headers().map_err(|error| malformed(&error))?)?;
        let (mut root, mut users) = (None, Vec::new());
        let mut account: Option<AccountId> = None;
        for record in reader.records() {
            let record = record.map_err(|error| malformed(&error))?;
            let fields = Fields::new(&columns, &record)?;
            let owner = fields.owner()?;
            let found = owner.account().clone();
            match &account {
                Some(first) if *first != found => {
                    return Err(ReportError::TwoAccounts { line: fields.line, found, first: first.clone() });
                }
                Some(_) => {}
                None => account = Some(found),
            }
            match owner {
                Owner::Root(_) => root = Some(fields.row(true)?),
                Owner::User(arn) => users.push((arn, fields.row(false)?)),
            }
        }
        Ok(Self { account: account.ok_or(ReportError::NoRows)?, root, users })
    }
}

/// Whose row it is.
enum Owner {
    Root(AccountId),
    User(UserArn),
}

impl Owner {
    fn account(&self) -> &AccountId {
        match self {
            Self::Root(account) => account,
            Self::User(arn) => &arn.account,
        }
    }
}

/// Where each column stands.
struct Columns {
    places: BTreeMap<String, usize>,
    count: usize,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, ReportError> {
        let places: BTreeMap<String, usize> =
            header.iter().enumerate().map(|(place, name)| (name.trim().to_ascii_lowercase(), place)).collect();
        let columns = Self { places, count: header.len() };
        for column in ["user", "arn", "user_creation_time", "password_enabled", "mfa_active", "access_key_1_active"] {
            columns.place(column)?;
        }
        Ok(columns)
    }

    fn place(&self, column: &'static str) -> Result<usize, ReportError> {
        self.places.get(column).copied().ok_or(ReportError::NoColumn { column })
    }
}

/// The fields of one row, by column.
struct Fields<'a> {
    columns: &'a Columns,
    fields: Vec<String>,
    line: u64,
}

impl<'a> Fields<'a> {
    fn new(columns: &'a Columns, record: &csv::StringRecord) -> Result<Self, ReportError> {
        let line = record.position().map_or(0, csv::Position::line);
        let ragged = || ReportError::Ragged { line, found: record.len(), expected: columns.count };
        let mut fields: Vec<String> = record.iter().map(str::to_owned).collect();
        if fields.len() > columns.count {
            fields = rejoined(columns, fields).ok_or_else(ragged)?;
        }
        if fields.len() != columns.count {
            return Err(ragged());
        }
        Ok(Self { columns, fields, line })
    }

    fn text(&self, column: &'static str) -> Result<&str, ReportError> {
        Ok(self.fields[self.columns.place(column)?].trim())
    }

    fn owner(&self) -> Result<Owner, ReportError> {
        let arn = self.text("arn")?;
        if self.text("user")? == ROOT {
            let account = arn.split(':').nth(4).unwrap_or_default();
            let account = account.parse().map_err(|_| self.bad("arn", arn, "the ARN of a root user"))?;
            return Ok(Owner::Root(account));
        }
        arn.parse().map(Owner::User).map_err(|source| ReportError::BadArn { line: self.line, source })
    }

    fn row(&self, is_root: bool) -> Result<Row, ReportError> {
        let last_used = self.moment_or("password_last_used", Moment::NotApplicable)?;
        let changed = self.moment_or("password_last_changed", Moment::NotApplicable)?;
        let password = if is_root {
            Password::Root { last_used }
        } else if self.flag("password_enabled")? {
            Password::Set { last_used, changed }
        } else {
            Password::None
        };
        let mut slots = Vec::new();
        for (number, columns) in [(1, &SLOT_1), (2, &SLOT_2)] {
            slots.extend(self.slot(number, columns)?);
        }
        Ok(Row {
            created_at: self.moment("user_creation_time")?.at(),
            password,
            mfa_active: self.flag("mfa_active")?,
            slots,
            additional_keys: self.additional()?,
        })
    }

    /// A slot without a key says `false` and nothing else. An inactive key has its dates.
    fn slot(&self, number: u8, columns: &SlotColumns) -> Result<Option<Slot>, ReportError> {
        if !self.columns.places.contains_key(columns.active) {
            return Ok(None);
        }
        let slot = Slot {
            number,
            active: self.flag(columns.active)?,
            rotated_at: self.moment(columns.rotated)?.at(),
            last_used: self.moment_or(columns.used, Moment::NotSupported)?,
            region: self.word(columns.region)?,
            service: self.word(columns.service)?,
        };
        let is_empty = !slot.active && slot.rotated_at.is_none() && slot.last_used.at().is_none();
        Ok((!is_empty).then_some(slot))
    }

    /// `additional_credentials_info`, in words: "Additional access keys: 1".
    fn additional(&self) -> Result<u32, ReportError> {
        let column = "additional_credentials_info";
        if !self.columns.places.contains_key(column) {
            return Ok(0);
        }
        let text = self.text(column)?.to_ascii_lowercase();
        let Some((_, behind)) = text.split_once("access key") else { return Ok(0) };
        let digits: String =
            behind.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        Ok(digits.parse().unwrap_or(1))
    }

    fn flag(&self, column: &'static str) -> Result<bool, ReportError> {
        let text = self.text(column)?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" | "n/a" | "not_supported" | "" => Ok(false),
            _ => Err(self.bad(column, text, "true or false")),
        }
    }

    fn moment(&self, column: &'static str) -> Result<Moment, ReportError> {
        let text = self.text(column)?;
        match text.to_ascii_lowercase().as_str() {
            "n/a" | "" => Ok(Moment::NotApplicable),
            "no_information" => Ok(Moment::NoInformation),
            "not_supported" => Ok(Moment::NotSupported),
            _ => text.parse().map(Moment::At).map_err(|_| self.bad(column, text, "a date (ISO 8601)")),
        }
    }

    /// Reports of the first years lack the columns of the last use.
    fn moment_or(&self, column: &'static str, missing: Moment) -> Result<Moment, ReportError> {
        if self.columns.places.contains_key(column) { self.moment(column) } else { Ok(missing) }
    }

    fn word(&self, column: &'static str) -> Result<Option<String>, ReportError> {
        if !self.columns.places.contains_key(column) {
            return Ok(None);
        }
        let text = self.text(column)?;
        let is_missing = ["", "n/a", "no_information", "not_supported"].contains(&text.to_ascii_lowercase().as_str());
        Ok((!is_missing).then(|| text.to_owned()))
    }

    fn bad(&self, column: &'static str, found: &str, expected: &'static str) -> ReportError {
        ReportError::BadField { line: self.line, column, found: found.chars().take(40).collect(), expected }
    }
}

struct SlotColumns {
    active: &'static str,
    rotated: &'static str,
    used: &'static str,
    region: &'static str,
    service: &'static str,
}

const SLOT_1: SlotColumns = SlotColumns {
    active: "access_key_1_active",
    rotated: "access_key_1_last_rotated",
    used: "access_key_1_last_used_date",
    region: "access_key_1_last_used_region",
    service: "access_key_1_last_used_service",
};
const SLOT_2: SlotColumns = SlotColumns {
    active: "access_key_2_active",
    rotated: "access_key_2_last_rotated",
    used: "access_key_2_last_used_date",
    region: "access_key_2_last_used_region",
    service: "access_key_2_last_used_service",
};

/// A user name may hold commas, and stands in two columns, `user` and `arn`. Where it was written without quotes, the
/// row has two fields too many for each comma, and can be put together again in one way only.
fn rejoined(columns: &Columns, fields: Vec<String>) -> Option<Vec<String>> {
    let (user, arn) = (*columns.places.get("user")?, *columns.places.get("arn")?);
    let surplus = fields.len() - columns.count;
    if user != 0 || arn != 1 || !surplus.is_multiple_of(2) {
        return None;
    }
    let width = surplus / 2 + 1;
    let (name, rest) = fields.split_at(width);
    let (arn, rest) = rest.split_at(width);
    let (name, arn) = (name.join(","), arn.join(","));
    let fits = arn.starts_with("arn:") && arn.ends_with(&format!("/{name}"));
    fits.then(|| [name, arn].into_iter().chain(rest.iter().cloned()).collect())
}

fn malformed(error: &csv::Error) -> ReportError {
    let line = error.position().map_or(0, csv::Position::line);
    ReportError::Malformed { line, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
        password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
        access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
        access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
        cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const ROOT_ROW: &str = "<root_account>,arn:aws:iam::123456789012:root,2015-01-01T00:00:00+00:00,not_supported,\
        2025-01-01T00:00:00+00:00,not_supported,not_supported,true,true,2020-01-01T00:00:00+00:00,\
        2026-11-24T11:00:00+00:00,us-east-1,iam,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";

    fn user(name: &str, rest: &str) -> String {
        format!("{name},arn:aws:iam::123456789012:user/{name},2020-01-01T00:00:00+00:00,{rest}")
    }

    fn parse(rows: &[&str]) -> Result<CredentialReport, ReportError> {
        CredentialReport::parse([&[HEADER], rows].concat().join("\n").as_bytes())
    }

    const NO_KEYS: &str = "false,N/A,N/A,N/A,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";

    #[test]
    fn the_root_user_keeps_its_key_and_the_last_use_of_both() {
        let report = parse(&[ROOT_ROW]).unwrap();
        let root = report.root.unwrap();
        assert_eq!(root.password, Password::Root { last_used: Moment::At("2025-01-01T00:00:00Z".parse().unwrap()) });
        assert_eq!(root.slots.len(), 1);
        assert_eq!(root.slots[0].last_used.at(), Some("2026-11-24T11:00:00Z".parse().unwrap()));
        assert_eq!(report.account.as_str(), "123456789012");
    }

    #[test]
    fn a_comma_in_a_user_name_is_read_with_and_without_quotes() {
        let quoted =
            format!("\"a,b,c\",\"arn:aws:iam::123456789012:user/x/a,b,c\",2020-01-01T00:00:00+00:00,{NO_KEYS}");
        let bare = format!("a,b,c,arn:aws:iam::123456789012:user/x/a,b,c,2020-01-01T00:00:00+00:00,{NO_KEYS}");
        for row in [quoted, bare] {
            let report = parse(&[&row]).unwrap();
            assert_eq!(report.users[0].0.name.as_str(), "a,b,c");
            assert_eq!(report.users[0].1.slots, []);
        }
    }

    #[test]
    fn an_inactive_first_slot_does_not_hide_the_second() {
        let row = user(
            "ann",
            "true,no_information,2020-01-01T00:00:00+00:00,N/A,true,false,2020-01-01T00:00:00+00:00,N/A,N/A,N/A,\
             true,2021-01-01T00:00:00+00:00,N/A,N/A,N/A,false,N/A,false,N/A",
        );
        let report = parse(&[ROOT_ROW, &row]).unwrap();
        let slots = &report.users[0].1.slots;
        assert_eq!(slots.iter().map(|slot| (slot.number, slot.active)).collect::<Vec<_>>(), [(1, false), (2, true)]);
        assert_eq!(slots[1].last_used, Moment::NotApplicable);
        let Password::Set { last_used, .. } = report.users[0].1.password else { panic!("has a password") };
        assert_eq!(last_used, Moment::NoInformation);
    }

    #[test]
    fn columns_are_found_by_name_and_new_ones_are_passed_over() {
        let text = "arn,new,user,mfa_active,password_enabled,user_creation_time,access_key_1_active,\
                    access_key_1_last_rotated,additional_credentials_info\n\
                    arn:aws:iam::123456789012:user/ann,x,ann,TRUE,false,2020-01-01T00:00:00Z,true,\
                    2020-01-01T00:00:00Z,Additional access keys: 3\n";
        let report = CredentialReport::parse(text.as_bytes()).unwrap();
        let row = &report.users[0].1;
        assert!(row.mfa_active);
        assert_eq!((row.slots.len(), row.additional_keys), (1, 3));
        assert_eq!(row.slots[0].last_used, Moment::NotSupported, "not told is not never");
    }

    #[test]
    fn a_bom_and_crlf_do_no_harm() {
        let text = format!("\u{feff}{HEADER}\r\n{ROOT_ROW}\r\n");
        assert!(CredentialReport::parse(text.as_bytes()).unwrap().root.is_some());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let bad_date = user("ann", &NO_KEYS.replacen("N/A", "yesterday", 1));
        let other = "bob,arn:aws:iam::210987654321:user/bob,2020-01-01T00:00:00+00:00,".to_owned() + NO_KEYS;
        let cases: [(&str, &str); 9] = [
            ("", "the report is empty"),
            (" \n", "the report is empty"),
            ("user,arn\n", "the report has no column \"user_creation_time\""),
            (&format!("{HEADER}\n"), "the report has no row, not even the root user's"),
            (&format!("{HEADER}\na,b\n"), "line 2 has 2 fields, and the header 22"),
            (
                &format!("{HEADER}\n{ROOT_ROW}\n{bad_date}\n"),
                "line 3, column \"password_last_used\": \"yesterday\" is not a date (ISO 8601)",
            ),
            (
                &format!("{HEADER}\n{ROOT_ROW}\n{other}\n"),
                "line 3 is of account 210987654321, and the first of 123456789012: one report is of one account",
            ),
            (
                &format!("{HEADER}\n{ROOT_ROW}\n{}\n", user("ann", &NO_KEYS.replacen("false", "maybe", 1))),
                "line 3, column \"password_enabled\": \"maybe\" is not true or false",
            ),
            (
                &format!("{HEADER}\nann,nonsense,2020-01-01T00:00:00+00:00,{NO_KEYS}\n"),
                "line 2, column \"arn\": \"nonsense\" is not ",
            ),
        ];
        for (text, words) in cases {
            let error = CredentialReport::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        assert_eq!(CredentialReport::parse(&[0xff, 0xfe]).unwrap_err(), ReportError::NotText);
    }
}
