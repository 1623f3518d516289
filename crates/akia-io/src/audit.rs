//! Reads an account for an audit, with as few calls as AWS allows: the credential report, `ListAccessKeys` of the users who
//! hold keys, and tags, groups and policies of all users in one pass. Nothing is asked of each user beside its keys.
//!
//! What cannot be read is said in what is returned; only without the report there is nothing to say.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::estate::report::{CredentialReport, ReportError};
use akia_core::estate::{Account, Estate, Known, Sources, assemble};
use akia_core::{AccessKey, AccessKeyId, LastUsed, UserName};
use futures_util::StreamExt as _;
use futures_util::future::join3;
use jiff::Timestamp;

use crate::aws::{AwsError, Caller};

/// Users who are asked about at the same time. Fewer requests are under way: each host has its turns.
const CONCURRENT: usize = 32;

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

/// Reads the account that the caller belongs to.
///
/// # Errors
/// Without the credential report.
pub async fn read_account(caller: &Caller, account: Account, progress: &dyn Progress) -> Result<Estate, ReadError> {
    // Asked for first: AWS makes the report while the rest is read.
    ask_for_report(caller).await;
    read_asked(caller, account, progress).await
}

/// Has AWS make a credential report, and does not wait for it.
pub(crate) async fn ask_for_report(caller: &Caller) {
    // Whoever may not have one made may still read one that is there.
    if let Err(error) = caller.generate_credential_report().await {
        tracing::info!(%error, "no new credential report can be asked for");
    }
}

/// Reads the account that the caller belongs to, whose report has been asked for.
pub(crate) async fn read_asked(
    caller: &Caller,
    mut account: Account,
    progress: &dyn Progress,
) -> Result<Estate, ReadError> {
    let alias = async {
        // An alias is for people; the organisation's name for the account serves as well.
        if account.name.is_some() { Ok(None) } else { caller.account_alias().await }
    };
    let (details, service_credentials, alias) = join3(caller.user_details(), caller.service_credentials(), alias).await;
    let raw = caller.credential_report().await?;
    let report = CredentialReport::parse(&raw.csv)?;
    // An alias is for people; without it the number serves.
    account.name = account.name.or(alias.unwrap_or_default());
    let keys = keys(caller, &report, progress).await;
    let sources = Sources {
        account,
        report: &report,
        report_at: raw.made_at,
        keys: &keys,
        last_used: &BTreeMap::new(),
        details: &known(details),
        service_credentials: &known(service_credentials),
    };
    let (estate, to_ask) = assemble(&sources);
    if to_ask.is_empty() {
        return Ok(estate);
    }
    let last_used = last_used(caller, to_ask).await;
    Ok(assemble(&Sources { last_used: &last_used, ..sources }).0)
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

async fn keys(
    caller: &Caller,
    report: &CredentialReport,
    progress: &dyn Progress,
) -> BTreeMap<UserName, Known<Vec<AccessKey>>> {
    let holders: Vec<&UserName> =
        report.users.iter().filter(|(_, row)| !row.slots.is_empty()).map(|(arn, _)| &arn.name).collect();
    let count = holders.len();
    let asked =
        holders.into_iter().map(|user| async move { (user.clone(), known(caller.access_keys(Some(user)).await)) });
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(CONCURRENT);
    let mut keys = BTreeMap::new();
    while let Some((user, answer)) = answers.next().await {
        keys.insert(user, answer);
        progress.listed(keys.len(), count);
    }
    keys
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
pub(crate) fn without_key(text: &str) -> String {
    let Some((before, after)) = text.split_once(" with key ") else { return text.to_owned() };
    let end = after.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(after.len());
    [before, &after[end..]].concat()
}
