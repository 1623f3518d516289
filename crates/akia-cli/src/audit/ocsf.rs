//! OCSF 1.3.0 compliance findings (class 2003) with the cloud profile, as a JSON array.
//!
//! Source: <https://schema.ocsf.io/1.3.0/classes/compliance_finding>. What could not be told and accounts that were not
//! read are findings with the status Warning: "the compliance check did not yield a result due to missing information".

use akia_core::audit::Audit;
use akia_core::estate::Account;
use akia_core::finding::{Finding, Severity, Subject};
use akia_core::ids::Partition;
use akia_core::rule;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words;

pub(super) fn render(audit: &Audit) -> String {
    let partitions = words::partitions(audit);
    let findings = audit.findings.iter().map(|finding| {
        let partition = partitions.get(&finding.account).copied().unwrap_or(Partition::Aws);
        failed(finding, partition, audit.at)
    });
    let unread = audit.unread.iter().map(|unread| not_read(&unread.account, &unread.reason, audit.at));
    let partly = words::partly_read(audit).map(|(account, gaps)| not_read(account, &gaps, audit.at));
    let unknown = audit.unknown.iter().map(|unknown| {
        let detail = format!("could not tell, {}: {}", words::counted(unknown.count, "time"), unknown.reason);
        event(&Event {
            at: audit.at,
            uid: format!("akia-unknown-{}", unknown.rule),
            rule: &unknown.rule,
            title: words::title(&unknown.rule),
            detail: &detail,
            severity: Severity::Info,
            outcome: Outcome::Warning,
        })
    });
    words::json_lines(findings.chain(unread).chain(partly).chain(unknown))
}

/// A check that did not pass, or gave no result.
#[derive(Clone, Copy)]
enum Outcome {
    Fail,
    Warning,
}

struct Event<'a> {
    at: Timestamp,
    uid: String,
    rule: &'a str,
    title: &'a str,
    detail: &'a str,
    severity: Severity,
    outcome: Outcome,
}

fn event(event: &Event<'_>) -> Value {
    let (severity_id, severity) = match event.severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let (status_id, status) = match event.outcome {
        Outcome::Warning => (2, "Warning"),
        Outcome::Fail => (3, "Fail"),
    };
    let controls = rule::find(event.rule).map_or(&[][..], |rule| rule.controls());
    let mut standards: Vec<String> = Vec::new();
    for control in controls {
        let standard = [control.framework.name(), control.version].join(" ").trim_end().to_owned();
        if !standards.contains(&standard) {
            standards.push(standard);
        }
    }
    // The schema wants at least one: rules that no framework asks for are akia's own.
    if standards.is_empty() {
        standards.push("akia audit rules".to_owned());
    }
    let milliseconds = event.at.as_millisecond();
    json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200_301,
        "type_name": "Compliance Finding: Create",
        "time": milliseconds,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "message": event.detail,
        "metadata": {
            "version": "1.3.0",
            "profiles": ["cloud"],
            "product": { "name": "akia", "vendor_name": "akia", "version": words::VERSION },
        },
        "finding_info": {
            "uid": event.uid,
            "title": event.title,
            "desc": event.detail,
            "types": ["Access keys"],
            "analytic": { "type_id": 1, "type": "Rule", "uid": event.rule, "name": event.title },
            "created_time": milliseconds,
        },
        "compliance": {
            "control": event.rule,
            "standards": standards,
            "requirements": controls.iter().map(words::control).collect::<Vec<_>>(),
            "status_id": status_id,
            "status": status,
            "status_detail": event.detail,
        },
        "remediation": { "desc": words::fix(event.rule) },
        "cloud": { "provider": "AWS" },
    })
}

fn failed(finding: &Finding, partition: Partition, at: Timestamp) -> Value {
    let mut value = event(&Event {
        at,
        uid: finding.fingerprint(),
        rule: &finding.rule,
        title: words::title(&finding.rule),
        detail: &finding.detail,
        severity: finding.severity,
        outcome: Outcome::Fail,
    });
    value["cloud"] = cloud(finding.account.as_str(), finding.account_name.as_deref());
    if let Some(command) = words::command(finding) {
        value["remediation"]["desc"] = format!("{} {command}", words::fix(&finding.rule)).into();
    }
    let region = partition.iam_region();
    let owner = finding.owner.as_ref().map(|owner| json!({ "name": owner.name }));
    let place = |mut resource: Value| {
        resource["cloud_partition"] = partition.as_str().into();
        resource["region"] = region.as_str().into();
        if let Some(owner) = &owner {
            resource["owner"] = owner.clone();
        }
        resource
    };
    let kind = match finding.subject {
        Subject::Root => "AWS::IAM::RootUser",
        Subject::User { .. } => "AWS::IAM::User",
    };
    let arn = words::arn(finding, partition);
    let mut resources = vec![place(json!({ "type": kind, "uid": arn, "name": finding.subject.name() }))];
    if let Some(key) = &finding.key {
        let mut resource = place(json!({ "type": "AWS::IAM::AccessKey", "uid": key.as_str(), "name": key.as_str() }));
        if let Some(created) = finding.key_created_at {
            resource["data"] = json!({ "created_at": created.to_string(), "user": finding.subject.name() });
        }
        resources.push(resource);
    }
    value["resources"] = resources.into();
    value
}

fn not_read(account: &Account, reason: &str, at: Timestamp) -> Value {
    let mut value = event(&Event {
        at,
        uid: format!("akia-not-read-{}", account.id),
        rule: "not-read",
        title: "the account was not read in full",
        detail: reason,
        severity: Severity::Info,
        outcome: Outcome::Warning,
    });
    value["cloud"] = cloud(account.id.as_str(), account.name.as_deref());
    value["remediation"]["desc"] = "Give akia the rights that are missing, and audit again.".into();
    value["resources"] = json!([{ "type": "AWS::Account", "uid": account.id.as_str() }]);
    value
}

fn cloud(account: &str, name: Option<&str>) -> Value {
    let mut cloud = json!({ "provider": "AWS", "account": { "uid": account, "type_id": 10, "type": "AWS Account" } });
    if let Some(name) = name {
        cloud["account"]["name"] = name.into();
    }
    cloud
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, words};
    use serde_json::Value;

    #[test]
    fn ocsf_has_what_the_class_requires() {
        let audit = fixture::small();
        let text = super::render(&audit);
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(events.len(), audit.findings.len() + audit.unread.len() + audit.unknown.len() + 1);
        for event in &events {
            for required in ["activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid"] {
                assert!(event[required].is_number(), "{required}: {event}");
            }
            let type_uid = event["class_uid"].as_u64().unwrap() * 100 + event["activity_id"].as_u64().unwrap();
            assert_eq!(event["type_uid"], type_uid);
            assert!(
                event["metadata"]["version"].is_string() && event["metadata"]["product"]["vendor_name"].is_string()
            );
            assert!(event["finding_info"]["uid"].is_string() && event["cloud"]["provider"].is_string());
            assert!(!event["compliance"]["standards"].as_array().unwrap().is_empty());
            assert!(!event["remediation"]["desc"].as_str().unwrap().is_empty());
        }
        for (event, finding) in events.iter().zip(&audit.findings) {
            assert_eq!(event["finding_info"]["uid"], finding.fingerprint());
            assert_eq!(event["compliance"]["status"], "Fail");
        }
        insta::assert_snapshot!(words::pretty(&text));
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        assert_eq!(super::render(&fixture::clean()), "[]\n");
    }
}
