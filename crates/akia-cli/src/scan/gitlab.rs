//! GitLab's secret detection report, version 15.2.1, as `artifacts:reports:secret_detection` takes it.
//!
//! Source: `secret-detection-report-format.json` of GitLab's security-report-schemas. A vulnerability is a key at a place; a place that
//! is in no commit names the commit `0000000`, as GitLab's own analyzer does.

use akia_core::leak::{Leak, Place, ScanReport};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words;
use crate::audit::words::VERSION;
use crate::output::escape::visible;

pub(super) fn render(report: &ScanReport, at: Timestamp) -> String {
    let maker = json!({ "id": "akia", "name": "akia", "vendor": { "name": "akia" }, "version": VERSION });
    // Without a zone: the schema takes no other form.
    let time = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut vulnerabilities = Vec::new();
    for leak in words::counting(&report.leaks) {
        vulnerabilities.extend(leak.shown_places().map(|place| vulnerability(leak, place)));
    }
    let notes = report.coverage.skipped.iter();
    let notes = notes.map(|one| json!({ "level": "warn", "value": visible(&words::skipped(one)) }));
    words::json(&json!({
        "version": "15.2.1",
        "scan": {
            "type": "secret_detection",
            "status": if report.coverage.is_complete() { "success" } else { "failure" },
            "start_time": time,
            "end_time": time,
            "analyzer": maker,
            "scanner": maker,
            "messages": notes.collect::<Vec<_>>(),
        },
        "vulnerabilities": vulnerabilities,
    }))
}

fn vulnerability(leak: &Leak, place: &Place) -> Value {
    let git = place.git.as_ref();
    let where_it_is = words::place(place);
    let mut commit = json!({ "sha": git.and_then(|git| git.commit.as_deref()).unwrap_or("0000000") });
    if let Some(author) = git.and_then(|git| git.author.as_ref()) {
        commit["author"] = visible(author).into();
    }
    if let Some(first_seen) = git.and_then(|git| git.first_seen) {
        commit["date"] = first_seen.to_string().into();
    }
    let mut location = json!({ "file": visible(&place.file()), "commit": commit });
    if let Some(line) = place.line {
        location["start_line"] = line.into();
    }
    let rule = words::rule(leak.kind);
    json!({
        "id": akia_core::digest::full(format!("{} {where_it_is}", leak.fingerprint).as_bytes()),
        "category": "secret_detection",
        "name": format!("Leaked {}", words::kind(leak.kind)),
        "description": visible(&format!("{}, in {where_it_is}", words::sentence(leak))),
        "severity": "Critical",
        "solution": words::remedy(leak),
        "location": location,
        "identifiers": [{ "type": "akia_rule", "name": rule, "value": rule }],
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;

    #[test]
    fn gitlab() {
        let text = super::render(&fixture::report(), "2026-11-30T12:00:00Z".parse().unwrap());
        insta::assert_snapshot!(fixture::masked(&text));
    }
}
