//! What several formats say alike.

use std::collections::BTreeMap;

use akia_core::audit::Audit;
use akia_core::cheatsheet::quote;
use akia_core::estate::{Account, Estate};
use akia_core::finding::{Finding, OwnerSource, Subject};
use akia_core::ids::{AccountId, Partition};
use akia_core::rule::{self, Control, RULES};
use serde_json::Value;

use crate::output::escape::json_text;

/// The version of akia that a format names as its maker.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The title of a rule; its id where an audit was made by an akia with other rules.
pub(crate) fn title(rule: &str) -> &str {
    rule::find(rule).map_or(rule, |rule| rule.title)
}

/// What to do about a broken rule.
pub(super) fn fix(rule: &str) -> &'static str {
    rule::find(rule).map_or("", |rule| rule.fix)
}

/// Where a rule stands in the list.
pub(super) fn index(rule: &str) -> Option<usize> {
    RULES.iter().position(|one| one.id == rule)
}

/// A control as people write it: "CIS AWS Foundations 5.0.0 1.13".
pub(super) fn control(control: &Control) -> String {
    let words = [control.framework.name(), control.version, control.id];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The command that mends a finding, to be pasted into a shell.
pub(crate) fn command(finding: &Finding) -> Option<String> {
    let words = finding.command()?;
    Some(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "))
}

/// Where an owner is written down.
pub(super) fn source(source: OwnerSource) -> &'static str {
    match source {
        OwnerSource::KeyTag => "description of the key",
        OwnerSource::UserTag => "tag of the user",
        OwnerSource::AccountTag => "tag of the account",
        OwnerSource::AccountContact => "address of the account",
        OwnerSource::Settings => "akia.toml",
    }
}

/// The ARN of a finding's user, or of the root user.
pub(super) fn arn(finding: &Finding, partition: Partition) -> String {
    match &finding.subject {
        Subject::Root => format!("arn:{partition}:iam::{}:root", finding.account),
        Subject::User { arn } => arn.to_string(),
    }
}

/// The partition of each account that was read.
pub(super) fn partitions(audit: &Audit) -> BTreeMap<&AccountId, Partition> {
    audit.estates.iter().map(|estate| (&estate.account.id, partition_of(estate))).collect()
}

/// The partition of an account that was read. One without users does not tell, and counts as a commercial one.
pub(super) fn partition_of(estate: &Estate) -> Partition {
    estate.users.first().map_or(Partition::Aws, |user| user.arn.partition)
}

/// What every account that was read says of its gaps.
pub(super) fn gaps(audit: &Audit) -> impl Iterator<Item = (&Account, &str)> {
    audit.estates.iter().flat_map(|estate| estate.gaps.iter().map(|gap| (&estate.account, gap.as_str())))
}

/// The accounts that were read with gaps, and all gaps of each in one sentence.
pub(super) fn partly_read(audit: &Audit) -> impl Iterator<Item = (&Account, String)> {
    let of_estate = |estate: &Estate| estate.gaps.iter().cloned().collect::<Vec<_>>().join("; ");
    let partly = audit.estates.iter().filter(|estate| !estate.gaps.is_empty());
    partly.map(move |estate| (&estate.account, of_estate(estate)))
}

/// A number with its thousands apart: `1,994`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 key", "1,994 keys".
pub(crate) fn counted(number: impl TryInto<usize>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(usize::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// JSON on one line, for files that may also be printed on a terminal.
pub(super) fn json(value: &Value) -> String {
    // This cannot fail: the keys are strings, and the writer is memory.
    json_text(&serde_json::to_string(value).unwrap_or_default())
}

/// "account 111122223333", "8 accounts (…, … and 3 more)".
pub(crate) fn these(accounts: &[&AccountId]) -> String {
    const SHOWN: usize = 5;
    if let [one] = accounts {
        return format!("account {one}");
    }
    let shown: Vec<&str> = accounts.iter().take(SHOWN).map(|account| account.as_str()).collect();
    let more = accounts.len() - shown.len();
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    format!("{} ({}{more})", counted(accounts.len(), "account"), shown.join(", "))
}

/// A JSON array with an element a line: small, and still kind to `grep` and `diff`.
pub(super) fn json_lines(values: impl Iterator<Item = Value>) -> String {
    let lines: Vec<String> = values.map(|value| json(&value)).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}

/// The same JSON as people read it, without the version: for snapshots.
#[cfg(test)]
pub(super) fn pretty(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    serde_json::to_string_pretty(&value).unwrap().replace(VERSION, "[version]")
}

/// At most so many characters, with an ellipsis where some are left out.
pub(super) fn at_most(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_thousands() {
        for (number, text) in [(0, "0 keys"), (1, "1 key"), (999, "999 keys"), (1_994, "1,994 keys")] {
            assert_eq!(counted(number, "key"), text);
        }
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(at_most("äöü", 3), "äöü");
        assert_eq!(at_most("äöüß", 3), "äö…");
    }
}
