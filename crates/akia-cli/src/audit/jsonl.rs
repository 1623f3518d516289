//! JSON Lines: a finding a line, in the order of the audit, then the summary.

use std::collections::BTreeMap;

use akia_core::audit::{Audit, Unknown, Unread};
use akia_core::finding::{Finding, OwnerSource, Severity, Subject};
use akia_core::ids::Partition;
use jiff::Timestamp;
use serde::Serialize;

use super::words;
use crate::forms::jsonl::push;

pub(super) fn render(audit: &Audit) -> String {
    let partitions = words::partitions(audit);
    let mut text = String::new();
    for finding in &audit.findings {
        let partition = partitions.get(&finding.account).copied().unwrap_or(Partition::Aws);
        push(&mut text, &Line::of(finding, partition, audit.at));
    }
    push(&mut text, &Summary::of(audit));
    text
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    fingerprint: String,
    at: Timestamp,
    rule: &'a str,
    title: &'a str,
    severity: Severity,
    account: &'a str,
    account_name: Option<&'a str>,
    subject: &'static str,
    user: Option<&'a str>,
    arn: String,
    access_key: Option<&'a str>,
    created_at: Option<Timestamp>,
    detail: &'a str,
    owner: Option<&'a str>,
    owner_source: Option<OwnerSource>,
    fix: &'static str,
    command: Option<Vec<&'a str>>,
}

impl<'a> Line<'a> {
    fn of(finding: &'a Finding, partition: Partition, at: Timestamp) -> Self {
        let (subject, user) = match &finding.subject {
            Subject::Root => ("root", None),
            Subject::User { arn } => ("user", Some(arn.name.as_str())),
        };
        Self {
            schema: "akia.audit.finding/1",
            fingerprint: finding.fingerprint(),
            at,
            rule: &finding.rule,
            title: words::title(&finding.rule),
            severity: finding.severity,
            account: finding.account.as_str(),
            account_name: finding.account_name.as_deref(),
            subject,
            user,
            arn: words::arn(finding, partition),
            access_key: finding.key.as_ref().map(|key| key.as_str()),
            created_at: finding.key_created_at,
            detail: &finding.detail,
            owner: finding.owner.as_ref().map(|owner| owner.name.as_str()),
            owner_source: finding.owner.as_ref().map(|owner| owner.source),
            fix: words::fix(&finding.rule),
            command: finding.command(),
        }
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    at: Timestamp,
    whole: bool,
    accounts_read: usize,
    accounts: usize,
    users: usize,
    active_keys: usize,
    findings: BTreeMap<&'static str, usize>,
    unknown: &'a [Unknown],
    gaps: Vec<Gap<'a>>,
    unread: Vec<Gap<'a>>,
}

#[derive(Serialize)]
struct Gap<'a> {
    account: &'a str,
    account_name: Option<&'a str>,
    reason: &'a str,
}

impl<'a> Summary<'a> {
    fn of(audit: &'a Audit) -> Self {
        let (accounts_read, accounts) = audit.coverage();
        let (users, active_keys) = audit.size();
        let gap = |account: &'a akia_core::estate::Account, reason| Gap {
            account: account.id.as_str(),
            account_name: account.name.as_deref(),
            reason,
        };
        Self {
            schema: "akia.audit.summary/1",
            at: audit.at,
            whole: audit.is_whole(),
            accounts_read,
            accounts,
            users,
            active_keys,
            findings: audit.counts().into_iter().map(|(severity, count)| (severity.as_str(), count)).collect(),
            unknown: &audit.unknown,
            gaps: words::gaps(audit).map(|(account, reason)| gap(account, reason)).collect(),
            unread: audit.unread.iter().map(|Unread { account, reason }| gap(account, reason)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use serde_json::Value;

    #[test]
    fn each_line_is_a_finding_and_the_last_one_the_summary() {
        let audit = fixture::small();
        let text = super::render(&audit);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), audit.findings.len() + 1);
        for (line, finding) in lines.iter().zip(&audit.findings) {
            assert_eq!(line["schema"], "akia.audit.finding/1");
            assert_eq!(line["fingerprint"], finding.fingerprint());
            assert_eq!(line["owner"].as_str(), finding.owner.as_ref().map(|owner| owner.name.as_str()));
        }
        let summary = lines.last().unwrap();
        assert_eq!(summary["schema"], "akia.audit.summary/1");
        assert_eq!(summary["whole"], false);
        assert_eq!((&summary["accounts_read"], &summary["accounts"]), (&2.into(), &3.into()));
        assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "a terminal would obey");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_whole_audit_says_so() {
        let text = super::render(&fixture::clean());
        assert!(text.starts_with(r#"{"schema":"akia.audit.summary/1","#) && text.contains(r#""whole":true"#), "{text}");
    }
}
