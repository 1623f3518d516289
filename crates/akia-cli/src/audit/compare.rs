//! `akia audit diff`: what is new, and what is gone, between two audits: files, or audits that were kept.
//!
//! Invariant: a finding is gone only where the later audit could tell. Where its account was not read, or its rule could not
//! tell, it is "unknown".

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use akia_core::finding::Finding;
use akia_io::store::snapshots::Entry;
use serde_json::{Value, json};

use super::{history, past};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Tone};

/// Longest file of an earlier audit that is read, in bytes.
const MAX_AUDIT_BYTES: u64 = 512 << 20;

/// One of the two audits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// So many before the last one of the same accounts; 0 is the last.
    Last(usize),
    /// The one of this number.
    Number(i64),
    /// A file of `--output json`.
    File(PathBuf),
}

impl FromStr for Which {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let back = match text.strip_prefix("last") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('-').and_then(|number| number.parse().ok()),
            None => None,
        };
        Ok(match (back, text.parse::<i64>()) {
            (Some(back), _) => Self::Last(back),
            (None, Ok(number)) if number > 0 => Self::Number(number),
            (None, _) => Self::File(PathBuf::from(text)),
        })
    }
}

/// An audit as it is compared: findings by fingerprint, and what it could not tell.
#[derive(Default)]
struct Side {
    findings: BTreeMap<String, Value>,
    /// The accounts that it read; `None` where it does not tell.
    read: Option<BTreeSet<String>>,
    unread: BTreeSet<String>,
    unknown: BTreeSet<String>,
}

impl Side {
    fn could_tell(&self, finding: &Value) -> bool {
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        let was_read = self.read.as_ref().is_none_or(|read| read.contains(text("account")));
        was_read && !self.unread.contains(text("account")) && !self.unknown.contains(text("rule"))
    }
}

/// Runs the command.
///
/// # Errors
/// When one of the two is not there or cannot be read.
pub(crate) async fn run(context: &Context, earlier: &Which, later: &Which) -> Result<Exit, CommandError> {
    let (before, after) = (side(context, earlier).await?, side(context, later).await?);
    let columns = vec![
        Column::whole("change", "CHANGE"),
        Column::whole("severity", "SEVERITY"),
        Column::whole("rule", "RULE"),
        Column::whole("account", "ACCOUNT"),
        Column::new("user", "USER"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("detail", "DETAIL"),
    ];
    let mut report = Report::new("audit-diff", "changes", columns);
    let mut add = |change: &str, tone: Tone, finding: &Value| {
        let cell = |name: &str| Cell::maybe(finding[name].as_str());
        let mut cells = vec![Cell::text(change).tone(tone)];
        cells.extend(["severity", "rule", "account", "user", "access_key", "detail"].map(cell));
        report.push(cells);
    };
    let only_in = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>| {
        let only = one.iter().filter(|(fingerprint, _)| !other.contains_key(*fingerprint));
        only.map(|(_, finding)| finding.clone()).collect::<Vec<Value>>()
    };
    let new = only_in(&after.findings, &before.findings);
    let (gone, unknown): (Vec<Value>, Vec<Value>) =
        only_in(&before.findings, &after.findings).into_iter().partition(|finding| after.could_tell(finding));
    new.iter().for_each(|finding| add("new", Tone::Bad, finding));
    gone.iter().for_each(|finding| add("gone", Tone::Good, finding));
    unknown.iter().for_each(|finding| add("unknown", Tone::Warning, finding));
    let same = after.findings.len() - new.len();
    report.fact("new", new.len());
    report.fact("gone", gone.len());
    report.fact("unknown", unknown.len());
    report.fact("same", same);
    context.print(&report)?;
    context.say(&format!("{} new, {} gone, {same} as before", new.len(), gone.len()));
    if !unknown.is_empty() {
        let count = unknown.len();
        context.say(&format!(
            "{count} not known now: the later audit did not read the account, or the rule could not tell"
        ));
    }
    Ok(Exit::Done)
}

/// The fingerprints of the findings of a saved audit.
///
/// # Errors
/// When the file is not one.
pub(crate) fn fingerprints(path: &Path) -> Result<BTreeSet<String>, CommandError> {
    Ok(of_file(path)?.findings.into_keys().collect())
}

async fn side(context: &Context, which: &Which) -> Result<Side, CommandError> {
    match which {
        Which::File(path) => of_file(path),
        Which::Number(number) => {
            let entries = history::entries(context).await?;
            let entry = entries.into_iter().find(|entry| entry.id == *number);
            of_entry(context, entry, &format!("audit {number}")).await
        }
        Which::Last(back) => {
            let entries = history::entries(context).await?;
            let last = entries.last().cloned();
            let mut same = entries
                .into_iter()
                .rev()
                .filter(|entry| last.as_ref().is_some_and(|last| history::is_comparable(&last.about, &entry.about)));
            let what = if *back == 0 { "the last audit".to_owned() } else { format!("the audit last-{back}") };
            of_entry(context, same.nth(*back), &what).await
        }
    }
}

async fn of_entry(context: &Context, entry: Option<Entry>, what: &str) -> Result<Side, CommandError> {
    let gone = |why: &str| {
        CommandError::failed(format_args!("{what} {why}"))
            .next("akia audit history (the audits that were kept)")
            .next("akia audit diff EARLIER.json LATER.json (two files of --output json)")
    };
    let entry = entry.ok_or_else(|| gone("was not kept"))?;
    if !entry.has_details {
        return Err(gone("is kept as counts only; its findings have outlived [audit.snapshots] details"));
    }
    let snapshots = past::existing(context).await.map_err(CommandError::failed)?.ok_or_else(|| gone("was not kept"))?;
    let details = snapshots.details(entry.id).await.map_err(CommandError::failed)?;
    Ok(Side {
        findings: details.findings.iter().map(|finding| (finding.fingerprint(), value(finding))).collect(),
        read: Some(details.read.iter().map(ToString::to_string).collect()),
        unread: BTreeSet::new(),
        unknown: details.unknown,
    })
}

/// A finding as `--output json` has it.
fn value(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity, "rule": finding.rule, "account": finding.account,
        "user": finding.subject.name(), "access_key": finding.key, "detail": finding.detail,
    })
}

fn of_file(path: &Path) -> Result<Side, CommandError> {
    let bad = |reason: String| {
        CommandError::failed(format_args!("{} is not an audit: {reason}", path.display()))
            .next("akia audit --output json > audit.json (to save one)")
    };
    let bytes = super::contents(path, MAX_AUDIT_BYTES)?;
    let audit: Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if audit["schema"] != "akia.audit/1" {
        return Err(bad("its \"schema\" is not \"akia.audit/1\"".to_owned()));
    }
    let findings = audit["findings"].as_array().ok_or_else(|| bad("it has no \"findings\"".to_owned()))?;
    let findings = findings.iter().map(|finding| {
        let fingerprint = finding["fingerprint"].as_str();
        let fingerprint = fingerprint.ok_or_else(|| bad("a finding has no fingerprint".to_owned()))?;
        Ok((fingerprint.to_owned(), finding.clone()))
    });
    let all = |list: &Value, member: &dyn Fn(&Value) -> Option<String>| {
        list.as_array().into_iter().flatten().filter_map(member).collect::<BTreeSet<String>>()
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Side {
        findings: findings.collect::<Result<_, CommandError>>()?,
        read: audit["account_ids"].is_array().then(|| all(&audit["account_ids"], &text)),
        unread: all(&audit["unread"], &|one| text(&one["account"]["id"])),
        unknown: all(&audit["unknown"], &|one| text(&one["rule"])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_are_named_by_number_by_place_and_by_file() {
        let which = |text: &str| text.parse::<Which>().unwrap();
        assert_eq!((which("last"), which("last-2"), which("12")), (Which::Last(0), Which::Last(2), Which::Number(12)));
        for file in ["today.json", "./12", "lasting", "last-", "last-x", "0", "-1"] {
            assert_eq!(which(file), Which::File(file.into()));
        }
    }
}
