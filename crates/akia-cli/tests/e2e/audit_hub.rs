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

/// Every audit of these is kept, unlike those of [`audit`].
fn kept(home: &Home, more: &[&str]) -> Ran {
    home.akia(&[&["audit", "--security-hub", "--region", "eu-west-1", "--output", "json"], more].concat())
}

/// What stands in the hub of findings about a rule: id, record state and compliance.
fn states(cloud: &Cloud, rule: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_rule = |finding: &Value| finding["ProductFields"]["akia/rule"] == rule;
    let found = in_hub(cloud, "eu-west-1").into_iter().filter(of_rule);
    found.map(|one| (text(&one["Id"]), text(&one["RecordState"]), text(&one["Compliance"]["Status"]))).collect()
}

#[test]
fn what_is_mended_is_archived_in_the_hub_and_comes_back_when_it_breaks_again() {
    let cloud = crowded(2);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let first = kept(&home, &[]).exited(3);
    let before = states(&cloud, "two-active-keys");
    assert!(before.len() == 2 && before.iter().all(|(_, state, _)| state == "ACTIVE"), "{before:?}");
    assert_eq!(first.json()["security_hub"]["archived"], 0);

    // It is mended, and an audit that imports nothing lies in between.
    let keys = cloud.keys("user-000");
    cloud.call(
        "iam",
        "update_access_key",
        json!({ "UserName": "user-000", "AccessKeyId": keys[0].id, "Status": "Inactive" }),
    );
    home.akia(&["audit", "--output", "json"]).exited(3);
    // By one rule only nothing is known of the others.
    let partial = kept(&home, &["--rule", "key-age"]).exited(3);
    assert!(partial.stderr.contains("what is mended was not archived"), "{}", partial.stderr);
    assert_eq!(states(&cloud, "two-active-keys"), before);

    let second = kept(&home, &[]).exited(3);
    assert_eq!(second.json()["security_hub"]["archived"], 1, "{second:?}");
    assert!(second.stderr.contains(", 1 of them archived as no more"), "{}", second.stderr);
    let after = states(&cloud, "two-active-keys");
    let archived: Vec<_> = after.iter().filter(|(_, state, _)| state == "ARCHIVED").collect();
    assert!(after.len() == 2 && archived.len() == 1, "{after:?}");
    assert_eq!(archived[0].2, "PASSED");
    assert!(before.iter().any(|(id, ..)| *id == archived[0].0), "the same finding");
    assert_eq!(kept(&home, &[]).exited(3).json()["security_hub"]["archived"], 0, "once");

    cloud.call(
        "iam",
        "update_access_key",
        json!({ "UserName": "user-000", "AccessKeyId": keys[0].id, "Status": "Active" }),
    );
    kept(&home, &[]).exited(3);
    assert_eq!(states(&cloud, "two-active-keys"), before);
}

#[test]
fn what_is_unknown_is_not_archived() {
    let cloud = crowded(1);
    let auditor = cloud.user("auditor");
    let rights = |action: &Value| {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["iam:*", "securityhub:*"], "Resource": "*" },
            { "Effect": "Deny", "Action": action, "Resource": "*" }] })
    };
    cloud.policy("auditor", "rights", &rights(&json!("iam:CreateUser")));
    let home = Home::new(&cloud).profile("default", &auditor.key);
    kept(&home, &[]).exited(3);
    let before = states(&cloud, "two-active-keys");
    assert_eq!(before.len(), 1, "{before:?}");
    let keys = cloud.keys("user-000");
    cloud.call(
        "iam",
        "update_access_key",
        json!({ "UserName": "user-000", "AccessKeyId": keys[0].id, "Status": "Inactive" }),
    );
    // Without tags and policies it is not known which rules hold for whom.
    cloud.policy("auditor", "rights", &rights(&json!("iam:GetAccountAuthorizationDetails")));
    kept(&home, &[]).exited(3);
    assert_eq!(states(&cloud, "two-active-keys"), before, "unknown is not mended");
    cloud.policy("auditor", "rights", &rights(&json!("iam:CreateUser")));
    kept(&home, &[]).exited(3);
    assert_eq!(states(&cloud, "two-active-keys")[0].1, "ARCHIVED");
}

#[test]
fn the_accounts_of_an_organisation_import_each_their_own() {
    let hub = Backend::Moto.open();
    hub.call("organizations", "create_organization", json!({ "FeatureSet": "ALL" }));
    let allowed = |denied: &str| {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": denied, "Resource": "*" }] })
    };
    let mut members = Vec::new();
    for number in 1..=4 {
        let asked = json!({ "Email": format!("aws+{number}@example.com"), "AccountName": format!("team-{number}") });
        let made = hub.call("organizations", "create_account", asked);
        let account = made["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned();
        let cloud = Backend::moto_account(&account);
        cloud.user("ann");
        cloud.key("ann");
        // The third may not import, and the fourth has no role.
        let denied = if number == 3 { "securityhub:BatchImportFindings" } else { "iam:CreateUser" };
        if number < 4 {
            cloud.role("AkiaAudit", &format!("arn:aws:iam::{}:root", hub.account), &allowed(denied));
        }
        members.push(cloud);
    }
    let home = Home::new(&hub).profile("default", &hub.admin);
    let ran = kept(&home, &["--org"]).exited(3);
    let audit = ran.json();
    let account_of = |finding: &Value| finding["AwsAccountId"].as_str().unwrap().to_owned();
    for (cloud, is_imported) in
        [(&hub, true), (&members[0], true), (&members[1], true), (&members[2], false), (&members[3], false)]
    {
        let found = in_hub(cloud, "eu-west-1");
        assert_eq!(!found.is_empty(), is_imported, "{}: {ran:?}", cloud.account);
        assert!(found.iter().all(|finding| account_of(finding) == cloud.account), "of its own account only");
        let product = format!("arn:aws:securityhub:eu-west-1:{0}:product/{0}/default", cloud.account);
        assert!(found.iter().all(|finding| finding["ProductArn"] == product.as_str()));
    }
    assert_eq!(audit["security_hub"]["accounts"], json!({ "whole": 3, "of": 4 }));
    let failed = audit["security_hub"]["failed"].as_array().unwrap();
    assert_eq!((failed.len(), &failed[0]["account"]), (1, &json!(members[2].account)), "{audit}");
    for words in [
        "Security Hub of 3 of 4 accounts in eu-west-1: ".to_owned(),
        format!("not imported: account {}: ", members[2].account),
        "akia policy audit --security-hub".to_owned(),
        "nothing is imported of 1 account: not read".to_owned(),
    ] {
        assert!(ran.stderr.contains(&words), "{words}: {}", ran.stderr);
    }
    // What is mended in a member is archived in its hub, and what was imported in part is not forgotten.
    let keys = members[0].keys("ann");
    members[0].call("iam", "delete_access_key", json!({ "UserName": "ann", "AccessKeyId": keys[0].id }));
    let again = kept(&home, &["--org"]).exited(3);
    let archived: Vec<_> =
        states(&members[0], "two-active-keys").into_iter().map(|(_, state, status)| (state, status)).collect();
    assert_eq!(archived, [("ARCHIVED".to_owned(), "PASSED".to_owned())], "{again:?}");
    assert_eq!(states(&members[1], "two-active-keys")[0].1, "ACTIVE");
}

#[test]
fn a_saved_report_is_not_imported() {
    let home = Home::new(&Backend::Sandbox.open());
    let ran = home.akia(&["audit", "--from-report", "x.csv", "--security-hub"]).exited(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}
