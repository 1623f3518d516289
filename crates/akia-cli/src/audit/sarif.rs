//! SARIF 2.1.0, in the subset that GitHub's code scanning reads.
//!
//! Source: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html> and GitHub's "SARIF support for code
//! scanning": a result needs a physical location and `partialFingerprints.primaryLocationLineHash`, severities come
//! from the rule's `security-severity`, a rule has at most 20 tags, and a file with more than 25,000 results is
//! refused.

use akia_core::audit::Audit;
use akia_core::finding::{Finding, Severity, Subject};
use akia_core::ids::Partition;
use akia_core::rule::{RULES, Rule};
use serde_json::{Value, json};

use super::words;
use crate::forms::sarif::{MOST_RESULTS, plain, url_path};
use crate::output::capital;

pub(super) fn render(audit: &Audit) -> String {
    let partitions = words::partitions(audit);
    let shown = audit.findings.iter().take(MOST_RESULTS);
    let results: Vec<Value> = shown
        .map(|finding| result(finding, partitions.get(&finding.account).copied().unwrap_or(Partition::Aws)))
        .collect();
    let (read, all) = audit.coverage();
    let (users, keys) = audit.size();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "akia",
                "semanticVersion": words::VERSION,
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            }},
            "automationDetails": { "id": "akia-audit/" },
            "invocations": [{
                "executionSuccessful": audit.is_whole(),
                "endTimeUtc": audit.at.to_string(),
                "toolExecutionNotifications": notifications(audit),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": { "accountsRead": read, "accounts": all, "users": users, "activeKeys": keys },
        }],
    });
    format!("{}\n", words::json(&log))
}

fn rule(rule: &Rule) -> Value {
    let controls = rule.controls().iter().map(words::control);
    let tags: Vec<String> = std::iter::once("security".to_owned()).chain(controls).collect();
    json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": capital(rule.title) },
        "fullDescription": { "text": rule.why },
        "help": { "text": rule.fix, "markdown": rule.fix },
        "defaultConfiguration": { "level": level(rule.severity), "enabled": rule.is_on },
        "properties": { "security-severity": score(rule.severity), "precision": "very-high", "tags": tags },
    })
}

fn result(finding: &Finding, partition: Partition) -> Value {
    let fingerprint = finding.fingerprint();
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(finding) },
                "region": { "startLine": 1 },
            },
            "logicalLocations": logical(finding, partition),
        }],
        "partialFingerprints": {
            "akia/v1": fingerprint,
            "primaryLocationLineHash": format!("{fingerprint}:1"),
        },
        "properties": {
            "severity": finding.severity.as_str(),
            "owner": finding.owner.as_ref().map(|owner| &owner.name),
            "command": words::command(finding),
        },
    });
    if let Some(index) = words::index(&finding.rule) {
        result["ruleIndex"] = index.into();
    }
    result
}

/// What stands in the alert. Names are shown by their locations; only the evidence is text that is not ours.
fn message(finding: &Finding) -> String {
    let of = match (&finding.subject, &finding.key) {
        (Subject::Root, _) => "root user".to_owned(),
        (Subject::User { arn }, None) => format!("user {}", arn.name),
        (Subject::User { arn }, Some(key)) => format!("key {key} of user {}", arn.name),
    };
    let title = words::title(&finding.rule);
    plain(&format!("Account {}, {of}: {title}: {}", finding.account, finding.detail))
}

/// A path, as GitHub wants one, that is the same in every audit. Nothing is there.
fn uri(finding: &Finding) -> String {
    match &finding.subject {
        Subject::Root => format!("aws/{}/root", finding.account),
        Subject::User { arn } => format!("aws/{}/user/{}", finding.account, url_path(arn.name.as_str(), b"")),
    }
}

fn logical(finding: &Finding, partition: Partition) -> Value {
    let arn = words::arn(finding, partition);
    let account = finding.account.as_str();
    let mut locations = vec![
        json!({ "name": finding.account_name.as_deref().unwrap_or(account), "fullyQualifiedName": account,
            "kind": "account" }),
        json!({ "name": finding.subject.name(), "fullyQualifiedName": arn, "kind": "user" }),
    ];
    if let Some(key) = &finding.key {
        locations
            .push(json!({ "name": key.as_str(), "fullyQualifiedName": format!("{arn}/{key}"), "kind": "access-key" }));
    }
    locations.into()
}

/// What makes the audit less than whole.
fn notifications(audit: &Audit) -> Vec<Value> {
    let note = |level: &str, text: String| json!({ "level": level, "message": { "text": plain(&text) } });
    let unread = audit
        .unread
        .iter()
        .map(|unread| note("error", format!("account {} was not read: {}", unread.account.id, unread.reason)));
    let gaps = words::gaps(audit).map(|(account, gap)| note("warning", format!("account {}: {gap}", account.id)));
    let unknown = audit.unknown.iter().map(|unknown| {
        let mut note = note("warning", format!("could not tell, {} times: {}", unknown.count, unknown.reason));
        note["associatedRule"] = json!({ "id": unknown.rule });
        note
    });
    let left_out = audit.findings.len().saturating_sub(MOST_RESULTS);
    let left_out = (left_out > 0).then(|| {
        note(
            "warning",
            format!(
                "left out, because GitHub takes 25,000: {}; the other formats have all",
                words::counted(left_out, "finding")
            ),
        )
    });
    unread.chain(gaps).chain(unknown).chain(left_out).collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The middle of GitHub's range for each word: critical above 9, high from 7, medium from 4, low above 0.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.1",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, words};
    use serde_json::Value;

    #[test]
    fn sarif_has_what_code_scanning_asks_for() {
        let audit = fixture::small();
        let text = super::render(&audit);
        let log: Value = serde_json::from_str(&text).unwrap();
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for rule in rules {
            assert!(rule["properties"]["tags"].as_array().unwrap().len() <= 20, "{rule}");
            assert!(rule["properties"]["security-severity"].as_str().unwrap().parse::<f64>().is_ok());
            assert!(rule["shortDescription"]["text"].is_string() && rule["help"]["text"].is_string());
        }
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), audit.findings.len());
        for (result, finding) in results.iter().zip(&audit.findings) {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            assert!(uri.starts_with("aws/") && url::Url::parse("file:///x/").unwrap().join(uri).is_ok(), "{uri}");
            let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
            assert_eq!(hash, format!("{}:1", finding.fingerprint()));
        }
        assert_eq!(run["invocations"][0]["executionSuccessful"], false);
        assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "a terminal would obey");
        insta::assert_snapshot!(words::pretty(&text));
    }

    #[test]
    fn a_whole_audit_is_a_success() {
        let log: Value = serde_json::from_str(&super::render(&fixture::clean())).unwrap();
        assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], true);
        assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
    }

    #[test]
    fn more_findings_than_github_takes_are_left_out_and_that_is_said() {
        let mut audit = fixture::small();
        let one = audit.findings[0].clone();
        audit.findings = vec![one; super::MOST_RESULTS + 1];
        let log: Value = serde_json::from_str(&super::render(&audit)).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["results"].as_array().unwrap().len(), super::MOST_RESULTS);
        let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
        let last = notes.last().unwrap()["message"]["text"].as_str().unwrap();
        assert_eq!(last, "left out, because GitHub takes 25,000: 1 finding; the other formats have all");
    }
}
