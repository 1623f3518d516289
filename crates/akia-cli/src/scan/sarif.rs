//! SARIF 2.1.0, in the subset that GitHub's code scanning reads: a result for each place of each key.

use akia_core::leak::{Class, Kind, Leak, Place, ScanReport};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words;
use crate::audit::words::{VERSION, counted};
use crate::forms::sarif::{MOST_RESULTS, plain, url_path};

pub(super) fn render(report: &ScanReport, at: Timestamp) -> String {
    let mut results = Vec::new();
    for leak in &report.leaks {
        // What does not count is told as suppressed, so that GitHub closes its alert.
        results.extend(leak.places.iter().map(|one| {
            let mut result = result(leak, &one.place);
            if leak.known || one.hidden.is_some() || leak.class != Class::Real {
                result["suppressions"] =
                    json!([{ "kind": "external", "justification": justification(leak, one.hidden.is_some()) }]);
            }
            result
        }));
    }
    let left_out = results.len().saturating_sub(MOST_RESULTS);
    results.truncate(MOST_RESULTS);
    let note = |text: &str| json!({ "level": "error", "message": { "text": plain(text) } });
    let mut notes: Vec<Value> = report.coverage.skipped.iter().map(|one| note(&words::skipped(one))).collect();
    if left_out > 0 {
        notes.push(note(&format!(
            "left out, because GitHub takes 25,000: {}; the other formats have all",
            counted(left_out, "place")
        )));
    }
    words::json(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "akia", "semanticVersion": VERSION, "rules": words::KINDS.map(rule) } },
            "automationDetails": { "id": "akia-scan/" },
            "invocations": [{
                "executionSuccessful": report.coverage.is_complete(),
                "endTimeUtc": at.to_string(),
                "toolExecutionNotifications": notes,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": { "objects": report.coverage.objects, "bytes": report.coverage.bytes },
        }],
    }))
}

fn rule(kind: Kind) -> Value {
    let title = format!("Leaked {}", words::kind(kind));
    json!({
        "id": words::rule(kind),
        "name": words::rule(kind),
        "shortDescription": { "text": title },
        "fullDescription": { "text": "Whoever reads this can act as its owner, and removing it from the file does not change that." },
        "help": {
            "text": "Shut the key with akia contain, then clean the history.",
            "markdown": "Shut the key with `akia contain`, then clean the history.",
        },
        "defaultConfiguration": { "level": "error" },
        "properties": { "security-severity": "9.5", "precision": "very-high", "tags": ["security", "external/cwe/cwe-798"] },
    })
}

fn result(leak: &Leak, place: &Place) -> Value {
    let git = place.git.as_ref();
    let message = format!("{}, in {}. Next: {}", words::sentence(leak), words::place(place), words::remedy(leak));
    json!({
        "ruleId": words::rule(leak.kind),
        "ruleIndex": words::KINDS.iter().position(|kind| *kind == leak.kind),
        "level": "error",
        "message": { "text": plain(&message) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": url_path(&place.file(), b"/!") },
                "region": { "startLine": place.line.unwrap_or(1).max(1) },
            },
        }],
        "partialFingerprints": {
            "akia/v1": leak.fingerprint,
            "primaryLocationLineHash": format!("{}:1", leak.fingerprint),
        },
        "properties": {
            "account": leak.account,
            "confidence": leak.confidence,
            "commit": git.and_then(|git| git.commit.as_ref()),
            "firstSeen": git.and_then(|git| git.first_seen),
            "reach": git.map(|git| git.reach),
        },
    })
}

fn justification(leak: &Leak, hidden: bool) -> &'static str {
    match (leak.class, leak.known, hidden) {
        (Class::Documentation, ..) => "a key of AWS's documentation",
        (Class::Canary, ..) => "a canary token",
        (Class::Real, true, _) => "in the baseline",
        (Class::Real, false, _) => "hidden by a comment or by gitleaks' files",
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;

    #[test]
    fn sarif() {
        let text = super::render(&fixture::report(), "2026-11-30T12:00:00Z".parse().unwrap());
        insta::assert_snapshot!(fixture::masked(&text));
    }
}
