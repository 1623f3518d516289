//! gitleaks' JSON report, for tools that read that. `Secret` and `Match` are the key id, as with gitleaks' own rule; the secret itself is
//! in no form of akia.
//!
//! Source: `report/finding.go` of gitleaks 8, and its `aws-access-token` rule.

use akia_core::leak::{Kind, Leak, Place, ScanReport, gitleaks_rule};
use serde_json::{Value, json};

use super::words;

pub(super) fn render(report: &ScanReport) -> String {
    let mut findings = Vec::new();
    for leak in words::counting(&report.leaks) {
        findings.extend(leak.shown_places().map(|place| finding(leak, place)));
    }
    words::json(&Value::Array(findings))
}

fn finding(leak: &Leak, place: &Place) -> Value {
    let git = place.git.as_ref();
    let commit = git.and_then(|git| git.commit.as_deref()).unwrap_or_default();
    let (author, mail) = git.and_then(|git| git.author.as_deref()).map_or(("", ""), split);
    let line = place.line.unwrap_or_default();
    let rule = gitleaks_rule(leak.kind);
    let file = place.file();
    let tail = format!("{file}:{rule}:{line}");
    let shown = leak.access_key_id.as_ref().map_or("REDACTED", |id| id.as_str());
    json!({
        "RuleID": rule,
        "Description": match leak.kind {
            Kind::BedrockApiKey => "Amazon Bedrock API key",
            Kind::LongTerm | Kind::Temporary | Kind::Bearer | Kind::ContextSpecific | Kind::SecretOnly => "AWS access key",
        },
        "StartLine": line,
        "EndLine": line,
        "StartColumn": 0,
        "EndColumn": 0,
        "Match": shown,
        "Secret": shown,
        "File": file,
        "SymlinkFile": "",
        "Commit": commit,
        "Entropy": 0,
        "Author": author,
        "Email": mail,
        "Date": git.and_then(|git| git.first_seen).map(|at| at.to_string()).unwrap_or_default(),
        "Message": "",
        "Tags": [],
        "Fingerprint": if commit.is_empty() { tail } else { format!("{commit}:{tail}") },
    })
}

/// The name and the mail of `Name <mail>`.
fn split(author: &str) -> (&str, &str) {
    match author.rsplit_once(" <") {
        Some((name, mail)) => (name, mail.trim_end_matches('>')),
        None => (author, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;

    #[test]
    fn gitleaks() {
        insta::assert_snapshot!(fixture::masked(&super::render(&fixture::report())));
    }

    #[test]
    fn what_akia_writes_akia_reads_as_a_baseline() {
        let mut report = fixture::report();
        let mut ignores = akia_core::leak::Ignores::default();
        ignores.add_baseline(&super::render(&report)).unwrap();
        assert!(super::words::counting(&report.leaks).count() > 0);
        ignores.apply(&mut report);
        let left: Vec<_> = super::words::counting(&report.leaks)
            .filter(|leak| leak.shown_places().any(|place| place.line.is_some()))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
