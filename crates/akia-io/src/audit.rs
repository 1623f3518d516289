//! Reads an account for an audit, with as few calls as AWS allows: the credential report, `ListAccessKeys` of the users who
//! hold keys, and tags, groups and policies of all users in one pass. Nothing is asked of each user beside its keys, and not
//! even these where an earlier audit has listed them and the report proves that they are unchanged
//! ([`Earlier::still_holds`]).
//!
//! What cannot be read is said in what is returned; only without the report there is nothing to say.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::estate::report::{CredentialReport, ReportError};
use akia_core::estate::{Account, Details, Earlier, Estate, Freshness, Known, Sources, assemble};
use akia_core::{AccessKey, AccessKeyId, LastUsed, UserName};
use futures_util::StreamExt as _;
use futures_util::future::join3;
use jiff::{SignedDuration, Timestamp};

use crate::aws::{AwsError, Caller, ReportRequest};

/// Users who are asked about at the same time. Fewer requests are under way: each host has its turns.
const CONCURRENT: usize = 32;
/// How far AWS's clock may be from ours: with more it takes no signature of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why an account could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// AWS does not give the credential report.
    #[error("the credential report cannot be had: {0}")]
    Aws(#[from] AwsError),
    /// What AWS gave is not one.
    #[error("the credential report cannot be read: {0}")]
    Report(#[from] ReportError),
}

/// Told how far a reading is.
pub trait Progress: Send + Sync {
    /// The keys of so many of all users who hold keys have been listed.
    fn listed(&self, users: usize, of: usize);
}

/// Nobody listens.
pub struct Unwatched;

impl Progress for Unwatched {
    fn listed(&self, _: usize, _: usize) {}
}

/// An account that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The account.
    pub estate: Estate,
    /// When the keys of each user were listed, for the next audit.
    pub listed: BTreeMap<UserName, Timestamp>,
    /// How many users were not asked about, because the report shows their keys unchanged.
    pub reused: usize,
}

/// Reads the account that the caller belongs to. Users whose keys are proven to be as `earlier` has them are not asked about.
///
/// # Errors
/// Without the credential report.
pub async fn read_account_since(
    caller: &Caller,
    account: Account,
    earlier: Option<&Earlier>,
    progress: &dyn Progress,
) -> Result<Reading, ReadError> {
    // Asked for first: AWS makes the report while the rest is read.
    let requested = request_report(caller).await;
    read_requested(caller, account, &requested, earlier, progress).await
}

/// A credential report that was asked for.
pub(crate) struct Requested {
    at: Timestamp,
    /// What AWS said; nothing where it refused.
    answer: Option<ReportRequest>,
}

/// Has AWS make a credential report, and does not wait for it.
pub(crate) async fn request_report(caller: &Caller) -> Requested {
    let at = now(caller);
    let answer = caller.generate_credential_report().await;
    // Whoever may not have one made may still read one that is there.
    if let Err(error) = &answer {
        tracing::info!(%error, "no new credential report can be asked for");
    }
    Requested { at, answer: answer.ok() }
}

/// Reads the account that the caller belongs to, whose report has been asked for.
pub(crate) async fn read_requested(
    caller: &Caller,
    mut account: Account,
    requested: &Requested,
    earlier: Option<&Earlier>,
    progress: &dyn Progress,
) -> Result<Reading, ReadError> {
    let alias = async {
        // An alias is for people; the organisation's name for the account serves as well.
        if account.name.is_some() { Ok(None) } else { caller.account_alias().await }
    };
    let (details, service_credentials, alias) = join3(caller.user_details(), caller.service_credentials(), alias).await;
    let raw = caller.credential_report().await?;
    let report = CredentialReport::parse(&raw.csv)?;
    // An alias is for people; without it the number serves.
    account.name = account.name.or(alias.unwrap_or_default());
    let details = known(details);
    let freshness = match requested.answer {
        Some(ReportRequest::Started) if raw.made_at >= requested.at - SKEW => Freshness::MadeNow,
        Some(ReportRequest::Started | ReportRequest::InProgress | ReportRequest::Complete) | None => Freshness::Kept,
    };
    let (mut keys, mut listed) = match (earlier, freshness) {
        (Some(earlier), Freshness::MadeNow) => unchanged(earlier, &report, &details, requested.at),
        (Some(_) | None, Freshness::MadeNow | Freshness::Kept) => Default::default(),
    };
    let reused = keys.len();
    for (user, (answer, at)) in list(caller, &report, &keys, progress).await {
        // What was not told holds for no later audit.
        if answer.told().is_some() {
            listed.insert(user.clone(), at);
        }
        keys.insert(user, answer);
    }
    let sources = Sources {
        account,
        report: &report,
        report_at: raw.made_at,
        keys: &keys,
        last_used: &BTreeMap::new(),
        details: &details,
        service_credentials: &known(service_credentials),
    };
    let (mut estate, to_ask) = assemble(&sources);
    if !to_ask.is_empty() {
        let last_used = last_used(caller, to_ask).await;
        estate = assemble(&Sources { last_used: &last_used, ..sources }).0;
    }
    Ok(Reading { estate, listed, reused })
}

fn now(caller: &Caller) -> Timestamp {
    Timestamp::try_from(caller.aws().time().now()).unwrap_or_default()
}

/// Keys of each user, and when each user was listed.
type Listings = (BTreeMap<UserName, Known<Vec<AccessKey>>>, BTreeMap<UserName, Timestamp>);

fn unchanged(
    earlier: &Earlier,
    report: &CredentialReport,
    details: &Known<BTreeMap<UserName, Details>>,
    now: Timestamp,
) -> Listings {
    let (mut keys, mut listed) = Listings::default();
    let Some(details) = details.told() else { return (keys, listed) };
    for (arn, row) in report.users.iter().filter(|(_, row)| !row.slots.is_empty()) {
        let id = details.get(&arn.name).and_then(|details| details.id.as_ref());
        if let Some((held, at)) = earlier.still_holds(arn, row, id, now) {
            keys.insert(arn.name.clone(), Known::Told(held));
            listed.insert(arn.name.clone(), at);
        }
    }
    (keys, listed)
}

/// Reads a saved credential report, without asking AWS anything. `at` is when it was made, as far as is known.
///
/// # Errors
/// When the text is not a report.
pub fn read_report(csv: &[u8], at: Timestamp) -> Result<Estate, ReportError> {
    let report = CredentialReport::parse(csv)?;
    let reason = || "a saved report does not tell it".to_owned();
    let sources = Sources {
        account: Account::bare(report.account.clone()),
        report: &report,
        report_at: at,
        keys: &BTreeMap::new(),
        last_used: &BTreeMap::new(),
        details: &Known::Unknown { reason: reason() },
        service_credentials: &Known::Unknown { reason: reason() },
    };
    Ok(assemble(&sources).0)
}

/// Lists the keys of the users who hold some, but those that are known.
async fn list(
    caller: &Caller,
    report: &CredentialReport,
    held: &BTreeMap<UserName, Known<Vec<AccessKey>>>,
    progress: &dyn Progress,
) -> Vec<(UserName, (Known<Vec<AccessKey>>, Timestamp))> {
    let holders = report.users.iter().filter(|(_, row)| !row.slots.is_empty()).map(|(arn, _)| &arn.name);
    let holders: Vec<&UserName> = holders.filter(|user| !held.contains_key(*user)).collect();
    let count = holders.len();
    let asked = holders.into_iter().map(|user| async move {
        let at = now(caller);
        (user.clone(), (known(caller.access_keys(Some(user)).await), at))
    });
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(CONCURRENT);
    let mut listed = Vec::with_capacity(count);
    while let Some(answer) = answers.next().await {
        listed.push(answer);
        progress.listed(listed.len(), count);
    }
    listed
}

async fn last_used(caller: &Caller, keys: BTreeSet<AccessKeyId>) -> BTreeMap<AccessKeyId, LastUsed> {
    let asked = keys.into_iter().map(|key| async move {
        let answer = caller.access_key_last_used(&key).await;
        let last_used =
            answer.map_or_else(|error| LastUsed::Unknown { reason: without_key(&error.to_string()) }, |(used, _)| used);
        (key, last_used)
    });
    futures_util::stream::iter(asked).buffer_unordered(CONCURRENT).collect().await
}

fn known<T>(answer: Result<T, AwsError>) -> Known<T> {
    answer.map_or_else(|error| Known::Unknown { reason: without_key(&error.to_string()) }, Known::Told)
}

/// An error without the key that signed: each session of an organisation has its own, and the same cause should have the
/// same words.
#[must_use]
pub fn without_key(text: &str) -> String {
    let Some((before, after)) = text.split_once(" with key ") else { return text.to_owned() };
    let end = after.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(after.len());
    [before, &after[end..]].concat()
}
