//! `akia audit --security-hub`, on moto, which takes findings; read back with the AWS CLI.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

/// An account with more findings than Security Hub takes at once: each user has two active keys.
fn crowded(users: usize) -> Cloud {
    let cloud = Backend::Moto.open();
    for number in 0..users {
        let name = format!("user-{number:03}");
        cloud.user_without_rights(&name, "/");
        cloud.key(&name);
        cloud.key(&name);
    }
    cloud
}

fn audit(home: &Home) -> Ran {
    home.akia(&["audit", "--no-snapshot", "--security-hub", "--region", "eu-west-1", "--output", "json"])
}

fn in_hub(cloud: &Cloud, region: &str) -> Vec<Value> {
    let ran = cloud.aws(&["securityhub", "get-findings", "--region", region, "--max-items", "1000"]).done();
    ran.json()["Findings"].as_array().unwrap().clone()
}

#[test]
fn findings_are_imported_into_the_hub_of_the_region_and_again_without_doubling() {
    let cloud = crowded(110);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    // moto's report has no row of the root user: the audit is not whole.
    let ran = audit(&home).exited(3);
    let audit_of = ran.json();
    let found = audit_of["findings"].as_array().unwrap().len();
    assert!(found > 100, "{found}");
    let imported = audit_of["security_hub"]["imported"].as_u64().unwrap();
    assert!(
        ran.stderr.contains(&format!("in eu-west-1: {imported} of {imported} findings imported")),
        "{}",
        ran.stderr
    );
    let hub = in_hub(&cloud, "eu-west-1");
    assert_eq!(u64::try_from(hub.len()).unwrap(), imported);
    let ids: BTreeSet<&str> = hub.iter().map(|finding| finding["Id"].as_str().unwrap()).collect();
    for finding in audit_of["findings"].as_array().unwrap() {
        let id = format!("akia/{}/{}", cloud.account, finding["fingerprint"].as_str().unwrap());
        assert!(ids.contains(id.as_str()), "{id}");
    }
    let product = format!("arn:aws:securityhub:eu-west-1:{0}:product/{0}/default", cloud.account);
    assert!(hub.iter().all(|finding| finding["ProductArn"] == product.as_str()), "{}", hub[0]);
    audit(&home).exited(3);
    assert_eq!(in_hub(&cloud, "eu-west-1").len(), hub.len(), "a finding replaces itself");
}

#[test]
fn a_hub_that_takes_nothing_is_told_and_the_audit_is_printed_all_the_same() {
    let cloud = crowded(1);
    let auditor = cloud.user("auditor");
    let allowed =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }] });
    cloud.policy("auditor", "iam-only", &allowed);
    let home = Home::new(&cloud).profile("default", &auditor.key);
    let ran = audit(&home).exited(3);
    assert!(
        ran.stderr.contains("not imported: ") && ran.stderr.contains("securityhub:BatchImportFindings"),
        "{}",
        ran.stderr
    );
    let printed = ran.json();
    assert_eq!(printed["security_hub"]["imported"], 0);
    assert_eq!(printed["security_hub"]["failed"][0]["region"], "eu-west-1");
    assert!(!printed["findings"].as_array().unwrap().is_empty());
}

#[test]
fn a_saved_report_is_not_imported() {
    let home = Home::new(&Backend::Sandbox.open());
    let ran = home.akia(&["audit", "--from-report", "x.csv", "--security-hub"]).exited(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}
