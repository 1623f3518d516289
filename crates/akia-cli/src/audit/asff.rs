//! AWS Security Finding Format (SecuritySchema 2018-10-08), as a JSON array for `BatchImportFindings`, which takes 100
//! at once.
//!
//! Source: <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html> and the
//! limits in the API's model. The product is the account's own (`product/ACCOUNT/default`), in IAM's region of the
//! partition. What could not be told belongs to no resource and has no place here; an account that was not read is a
//! finding that is `NOT_AVAILABLE`.

use akia_core::audit::{Audit, Gone};
use akia_core::estate::Account;
use akia_core::finding::{Finding, Severity, Subject};
use akia_core::ids::{AccountId, Partition, Region};
use akia_core::rule;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::words::{self, at_most};
use crate::output::escape::visible;

pub(super) fn render(audit: &Audit) -> String {
    words::json_lines(findings(audit).into_iter())
}

/// Every finding, for the Security Hub of IAM's region.
fn findings(audit: &Audit) -> Vec<Value> {
    let partitions = words::partitions(audit);
    // An account that was not read is of the partition of the others.
    let most = partitions.values().next().copied().unwrap_or(Partition::Aws);
    let hub = |account: &AccountId| Hub::of_iam(partitions.get(account).copied().unwrap_or(most));
    let broken = audit.findings.iter().map(|finding| failed(finding, &hub(&finding.account), audit.at));
    let unread =
        audit.unread.iter().map(|unread| not_read(&unread.account, &unread.reason, &hub(&unread.account.id), audit.at));
    let partly = words::partly_read(audit).map(|(account, gaps)| not_read(account, &gaps, &hub(&account.id), audit.at));
    broken.chain(unread).chain(partly).collect()
}

/// Where a finding is to be imported.
pub(super) struct Hub {
    pub(super) partition: Partition,
    pub(super) region: Region,
}

impl Hub {
    /// That of the partition's region for IAM.
    pub(super) fn of_iam(partition: Partition) -> Self {
        Self { partition, region: partition.iam_region() }
    }
}

/// A finding that the hub has, and that is no more. AWS keeps who works on it (`Workflow`) out of a provider's hands
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
pub(super) fn archived(finding: &Finding, why: Gone, found_at: Timestamp, hub: &Hub, at: Timestamp) -> Value {
    let mut value = failed(finding, hub, at);
    value["CreatedAt"] = found_at.to_string().into();
    value["RecordState"] = "ARCHIVED".into();
    value["Compliance"]["Status"] = match why {
        Gone::Mended => "PASSED",
        Gone::NotLookedAt => "NOT_AVAILABLE",
    }
    .into();
    value
}

/// A broken rule.
pub(super) fn failed(finding: &Finding, hub: &Hub, at: Timestamp) -> Value {
    let account = finding.account.as_str();
    let mut value = common(account, hub, at);
    value["Id"] = format!("akia/{account}/{}", finding.fingerprint()).into();
    value["GeneratorId"] = format!("akia/{}", finding.rule).into();
    grade(&mut value, finding.severity);
    value["Title"] = at_most(words::title(&finding.rule), 256).into();
    value["Description"] = at_most(&visible(&finding.detail), 1024).into();
    let fix = match words::command(finding) {
        Some(command) => format!("{} {command}", words::fix(&finding.rule)),
        None => words::fix(&finding.rule).to_owned(),
    };
    // An empty text is refused.
    if !fix.is_empty() {
        value["Remediation"] = json!({ "Recommendation": { "Text": at_most(&fix, 512) } });
    }
    let controls = rule::find(&finding.rule).map_or(&[][..], |rule| rule.controls());
    value["Compliance"] = json!({ "Status": "FAILED" });
    if !controls.is_empty() {
        let related: Vec<String> =
            controls.iter().map(|control| at_most(&words::control(control), 64)).take(32).collect();
        value["Compliance"]["RelatedRequirements"] = related.into();
    }
    value["ProductFields"]["akia/rule"] = finding.rule.as_str().into();
    if let Some(owner) = &finding.owner {
        value["ProductFields"]["akia/owner"] = at_most(&visible(&owner.name), 1024).into();
    }
    if let Some(name) = &finding.account_name {
        value["AwsAccountName"] = at_most(&visible(name), 128).into();
    }
    value["Resources"] = resources(finding, hub.partition).into();
    value
}

fn resources(finding: &Finding, partition: Partition) -> Vec<Value> {
    let region = partition.iam_region();
    let place = |mut resource: Value| {
        resource["Partition"] = partition.as_str().into();
        resource["Region"] = region.as_str().into();
        resource
    };
    let (id, name) = (words::arn(finding, partition), finding.subject.name());
    let subject = match &finding.subject {
        Subject::Root => place(json!({ "Type": "AwsAccount", "Id": format!("AWS::::Account:{}", finding.account) })),
        Subject::User { arn } => place(json!({
            "Type": "AwsIamUser",
            "Id": id,
            "Details": { "AwsIamUser": { "UserName": name, "Path": arn.path } },
        })),
    };
    let key = finding.key.as_ref().map(|key| {
        let mut details = json!({
            "AccessKeyId": key.as_str(),
            "AccountId": finding.account.as_str(),
            "PrincipalName": name,
            "PrincipalType": "IAMUser",
        });
        if let Some(created) = finding.key_created_at {
            details["CreatedAt"] = created.to_string().into();
        }
        let id = format!("AWS::IAM::AccessKey:{key}");
        place(json!({ "Type": "AwsIamAccessKey", "Id": id, "Details": { "AwsIamAccessKey": details } }))
    });
    key.into_iter().chain([subject]).collect()
}

/// An account that was not read, or not in full.
pub(super) fn not_read(account: &Account, reason: &str, hub: &Hub, at: Timestamp) -> Value {
    let id = account.id.as_str();
    let mut value = common(id, hub, at);
    value["Id"] = format!("akia/{id}/not-read").into();
    value["GeneratorId"] = "akia/not-read".into();
    grade(&mut value, Severity::Info);
    value["Title"] = "the account was not read in full".into();
    value["Description"] = at_most(&visible(reason), 1024).into();
    value["Compliance"] = json!({ "Status": "NOT_AVAILABLE" });
    value["Resources"] = json!([{
        "Type": "AwsAccount",
        "Id": format!("AWS::::Account:{id}"),
        "Partition": hub.partition.as_str(),
    }]);
    value
}

fn common(account: &str, hub: &Hub, at: Timestamp) -> Value {
    let Hub { partition, region } = hub;
    json!({
        "SchemaVersion": "2018-10-08",
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductFields": { "akia/version": words::VERSION },
        "AwsAccountId": account,
        "Types": [TYPE],
        "CreatedAt": at.to_string(),
        "UpdatedAt": at.to_string(),
        "RecordState": "ACTIVE",
    })
}

const TYPE: &str = "Software and Configuration Checks/AWS Security Best Practices";

/// Says how grave it is, twice: what stands at the top is the customer's to change once the finding is there, and
/// `FindingProviderFields` are the provider's.
fn grade(value: &mut Value, severity: Severity) {
    let severity = json!({ "Label": label(severity), "Original": severity.as_str() });
    value["FindingProviderFields"] = json!({ "Severity": severity, "Types": [TYPE] });
    value["Severity"] = severity;
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, words};
    use akia_core::audit::Gone;
    use akia_core::ids::Partition;
    use serde_json::Value;

    #[test]
    fn asff_has_what_security_hub_requires() {
        let audit = fixture::small();
        let text = super::render(&audit);
        let findings: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(findings.len(), audit.findings.len() + audit.unread.len() + 1);
        for finding in &findings {
            for required in [
                "SchemaVersion",
                "Id",
                "ProductArn",
                "GeneratorId",
                "AwsAccountId",
                "CreatedAt",
                "UpdatedAt",
                "Title",
                "Description",
            ] {
                assert!(!finding[required].as_str().unwrap().is_empty(), "{required}: {finding}");
            }
            assert!(finding["Title"].as_str().unwrap().chars().count() <= 256);
            assert!(finding["Description"].as_str().unwrap().chars().count() <= 1024);
            assert!(finding["Types"][0].as_str().unwrap().starts_with("Software and Configuration Checks/"));
            for resource in finding["Resources"].as_array().unwrap() {
                assert!(resource["Type"].is_string() && resource["Id"].is_string(), "{resource}");
            }
        }
        insta::assert_snapshot!(words::pretty(&text));
    }

    #[test]
    fn what_is_mended_is_the_same_finding_archived_as_passed() {
        let audit = fixture::small();
        let found: Vec<Value> = serde_json::from_str(&super::render(&audit)).unwrap();
        let hub = super::Hub::of_iam(Partition::Aws);
        let later = audit.at + jiff::SignedDuration::from_hours(24);
        for (why, status) in [(Gone::Mended, "PASSED"), (Gone::NotLookedAt, "NOT_AVAILABLE")] {
            let archived = super::archived(&audit.findings[0], why, audit.at, &hub, later);
            assert_eq!(archived["Id"], found[0]["Id"]);
            assert_eq!(archived["ProductArn"], found[0]["ProductArn"]);
            assert_eq!(archived["CreatedAt"], found[0]["CreatedAt"]);
            assert_eq!(archived["UpdatedAt"], later.to_string());
            assert_eq!(archived["RecordState"], "ARCHIVED");
            assert_eq!(archived["Compliance"]["Status"], status);
            assert_eq!(archived["Workflow"], Value::Null, "that is the customer's");
        }
        assert_eq!((&found[0]["RecordState"], &found[0]["Compliance"]["Status"]), (&"ACTIVE".into(), &"FAILED".into()));
    }

    #[test]
    fn what_is_too_long_for_security_hub_is_cut() {
        let mut audit = fixture::small();
        audit.findings[0].detail = "ä".repeat(5_000);
        let findings: Vec<Value> = serde_json::from_str(&super::render(&audit)).unwrap();
        assert_eq!(findings[0]["Description"].as_str().unwrap().chars().count(), 1024);
    }
}
