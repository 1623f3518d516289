//! `akia audit --org`: the accounts of an organisation, on the sandbox and on moto.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use akia_sandbox::{Account, AccountSpec, Fault, FaultKind, MemberSpec, RoleSpec, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, python};

const EXTERNAL_ID: &str = "example-id";

fn ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(days * 24)
}

/// The role that each account has, as `akia policy` prints it.
fn audit_policy() -> String {
    let home = tempfile::tempdir().unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_akia"))
        .args(["policy", "audit"])
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

/// An account with one user whose key is old, and the role; `trusted` are the actions that its trust policy allows.
fn member(sandbox: &Sandbox, id: &str, unit: Option<&str>, state: &str, trusted: &[&str]) -> Account {
    let account = empty_member(sandbox, id, unit, state, trusted);
    account.add_user("ann", "/").unwrap().add_access_key(ago(200)).unwrap();
    account.add_user("ben", "/").unwrap();
    account
}

/// The same without users.
fn empty_member(sandbox: &Sandbox, id: &str, unit: Option<&str>, state: &str, trusted: &[&str]) -> Account {
    let account = sandbox.add_account(AccountSpec::new(id)).unwrap();
    let (name, email) = (format!("team-{}", &id[..4]), format!("aws+{id}@example.com"));
    sandbox.add_member(&account, MemberSpec { name: &name, email: &email, state, unit }).unwrap();
    if !trusted.is_empty() {
        let hub = format!("arn:aws:iam::{}:root", sandbox.account().id());
        let statement = |action: &&str| {
            let mut one = json!({ "Effect": "Allow", "Principal": { "AWS": hub }, "Action": action });
            if *action == "sts:AssumeRole" {
                one["Condition"] = json!({ "StringEquals": { "sts:ExternalId": EXTERNAL_ID } });
            }
            one
        };
        let trust = json!({ "Version": "2012-10-17", "Statement": trusted.iter().map(statement).collect::<Vec<_>>() });
        let role = RoleSpec {
            name: "AkiaAudit",
            path: "/",
            trust_policy: &trust.to_string(),
            policy: Some(&audit_policy()),
            max_session: Duration::from_secs(3600),
        };
        account.add_role(role).unwrap();
    }
    account
}

/// What the StackSet's template and the Terraform file say, read by a YAML parser and a JSON parser.
#[test]
fn templates_hold_the_policies_that_akia_prints() {
    let cloud = Backend::Sandbox.open();
    let home = Home::new(&cloud);
    let role = ["policy", "audit", "--hub", "111122223333", "--external-id", EXTERNAL_ID, "--role-name", "a/AkiaAudit"];
    let template = |form: &str| home.akia(&[&role[..], &["--template", form]].concat()).exited(0).stdout;
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let file = home.path("role.yaml");
    fs::write(&file, template("stackset")).unwrap();
    let parsed =
        std::process::Command::new(python()).args(["-c", read]).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    let parsed: Value = serde_json::from_slice(&parsed.stdout).unwrap();
    let properties = &parsed["Resources"]["AkiaAudit"]["Properties"];
    let policy: Value = serde_json::from_str(&audit_policy()).unwrap();
    assert_eq!((&properties["RoleName"], &properties["Path"]), (&json!("AkiaAudit"), &json!("/a/")));
    assert_eq!(properties["Policies"][0]["PolicyDocument"], policy);
    let trust = &properties["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
    assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], EXTERNAL_ID);
    let terraform = template("terraform");
    let heredocs = terraform.split("<<-JSON\n").skip(1).map(|rest| rest.split_once("\n  JSON\n").unwrap().0);
    let heredocs: Vec<Value> = heredocs.map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(heredocs, [properties["AssumeRolePolicyDocument"].clone(), policy]);
}

#[test]
fn the_doctor_names_what_is_missing_and_the_command_that_mends_it() {
    let sandbox = organization();
    member(&sandbox, "200000000001", None, "ACTIVE", BOTH);
    for id in ["300000000001", "300000000002"] {
        member(&sandbox, id, None, "ACTIVE", &[]);
    }
    let weak = member(&sandbox, "400000000001", None, "ACTIVE", &[]);
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": "arn:aws:iam::100000000000:root" } }] });
    let policy = audit_policy().replace("\"iam:GetAccountAuthorizationDetails\",", "");
    let role = RoleSpec {
        name: "AkiaAudit",
        path: "/",
        trust_policy: &trust.to_string(),
        policy: Some(&policy),
        max_session: Duration::from_secs(3600),
    };
    weak.add_role(role).unwrap();
    // Two without a key, one of them without a user: what cannot be tried is no trouble, and is not passed over.
    let (empty, keyless) = ("500000000001", "500000000002");
    empty_member(&sandbox, empty, None, "ACTIVE", BOTH);
    empty_member(&sandbox, keyless, None, "ACTIVE", BOTH).add_user("ben", "/").unwrap();
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    home.akia(&["doctor"]).exited(0);
    let ran = home.akia(&["doctor", "--org", "--external-id", EXTERNAL_ID, "--output", "json"]).exited(4);
    let told = ran.json();
    assert_eq!((&told["accounts_looked_at"], &told["accounts_sound"]), (&json!(7), &json!(4)), "{told}");
    let troubles = told["troubles"].as_array().unwrap();
    let of = |right: &str| troubles.iter().find(|one| one["right"] == right).unwrap_or_else(|| panic!("{told}"));
    assert_eq!(troubles.len(), 4, "{told}");
    for (right, detail, accounts) in [
        ("iam:ListAccessKeys", "no user to ask about", json!([empty])),
        ("iam:GetAccessKeyLastUsed", "no key to ask about", json!([empty, keyless])),
    ] {
        let one = of(right);
        assert_eq!((&one["state"], &one["detail"], &one["accounts"]), (&json!("not tried"), &json!(detail), &accounts));
    }
    assert_eq!(of("sts:AssumeRole")["accounts"], json!(["300000000001", "300000000002"]));
    let mend = "akia policy audit --template stackset --hub 100000000000 --external-id example-id";
    assert_eq!(of("sts:AssumeRole")["command"], mend);
    assert_eq!(of("iam:GetAccountAuthorizationDetails")["accounts"], json!(["400000000001"]));
    home.akia(&mend.split(' ').skip(1).collect::<Vec<_>>()).exited(0);
}

/// A user with the hub's policy, and roles with the audit's, and nothing else.
#[test]
fn the_least_policies_are_enough() {
    let sandbox = organization();
    let workloads = sandbox.add_unit("workloads", None).unwrap();
    member(&sandbox, "200000000001", Some(&workloads), "ACTIVE", BOTH);
    let auditor = sandbox.add_user("auditor", "/").unwrap();
    let key = auditor.add_access_key(ago(1)).unwrap();
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &Key { id: key.id, secret: key.secret, token: None });
    let hub = home.akia(&["policy", "hub"]).exited(0).stdout;
    auditor.put_policy("hub", &hub).unwrap();
    let arguments = ["audit", "--org", "--external-id", EXTERNAL_ID, "--ou", "workloads", "--account-tags"];
    let ran = home.akia(&[&arguments[..], &["--output", "json"]].concat()).exited(0);
    assert_eq!(ran.json()["is_whole"], true);
    let calls = cloud.sandbox().log();
    let refused: Vec<&str> =
        calls.iter().filter(|call| !call.is_committed()).map(|call| call.action.as_str()).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

const BOTH: &[&str] = &["sts:AssumeRole", "sts:SetSourceIdentity"];

fn organization() -> Sandbox {
    let sandbox = Sandbox::builder().seed(5).account(AccountSpec::new("100000000000")).build();
    sandbox.found_organization("hub", "aws@example.com").unwrap();
    sandbox
}

fn accounts_of(audit: &Value) -> BTreeSet<String> {
    let findings = audit["findings"].as_array().unwrap().iter().filter(|one| one["rule"] == "key-age");
    findings.map(|one| one["account"].as_str().unwrap().to_owned()).collect()
}

fn set(accounts: &[&str]) -> BTreeSet<String> {
    accounts.iter().map(|account| (*account).to_owned()).collect()
}

#[test]
fn every_account_is_read_and_what_cannot_be_is_said_once() {
    let sandbox = organization();
    for id in ["200000000001", "200000000002"] {
        member(&sandbox, id, None, "ACTIVE", BOTH);
    }
    for id in ["300000000001", "300000000002", "300000000003", "300000000004", "300000000005", "300000000006"] {
        member(&sandbox, id, None, "ACTIVE", &[]);
    }
    member(&sandbox, "400000000001", None, "SUSPENDED", BOTH);
    sandbox.account().add_user("old", "/").unwrap().add_access_key(ago(100)).unwrap();
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    cloud.sandbox().clear_log();
    let ran = home.akia(&["audit", "--org", "--external-id", EXTERNAL_ID, "--output", "json"]).exited(3);
    let audit = ran.json();
    assert_eq!(audit["accounts"], json!({ "read": 3, "of": 9 }));
    assert_eq!(accounts_of(&audit), set(&["100000000000", "200000000001", "200000000002"]));
    assert_eq!(audit["skipped"], json!({ "400000000001": "suspended" }));
    assert_eq!(audit["unread"].as_array().unwrap().len(), 6, "{audit}");
    assert_eq!(audit["is_whole"], false);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("not read:")).collect();
    assert_eq!(lines.len(), 1, "one cause, one line: {ran:?}");
    for words in [
        "6 accounts (300000000001, ",
        " and 1 more): there is no role AkiaAudit, or it does not trust arn:aws:iam::100000000000:user/lab-admin",
    ] {
        assert!(lines[0].contains(words), "{words}: {}", lines[0]);
    }
    assert!(ran.stderr.contains("3 of 9 accounts read"), "{}", ran.stderr);
    assert!(ran.stderr.contains("skipped, for it is not in use (suspended): account 400000000001"), "{}", ran.stderr);

    // As few calls as there can be, and the run's name in all of them.
    let calls = cloud.sandbox().log();
    let of = |action: &str| calls.iter().filter(|call| call.action == action).collect::<Vec<_>>();
    assert_eq!(of("ListAccounts").len(), 1);
    assert_eq!(of("AssumeRole").len(), 8, "once for each account but the own and the suspended one");
    assert_eq!(of("GenerateCredentialReport").len(), 3);
    assert_eq!(of("ListAccessKeys").len(), 4, "users who hold keys, and no others");
    assert_eq!(of("ListAccountAliases").len(), 0, "the organisation knows the names");
    let session = &of("AssumeRole")[0].parameters["RoleSessionName"];
    assert!(session.starts_with("akia-audit-") && ran.stderr.contains(session), "{session}: {}", ran.stderr);
    for call in of("AssumeRole") {
        assert_eq!((&call.parameters["RoleSessionName"], &call.parameters["SourceIdentity"]), (session, session));
    }
    let last_report = calls.iter().rposition(|call| call.action == "GenerateCredentialReport").unwrap();
    let first_read = calls.iter().position(|call| call.action == "GetCredentialReport").unwrap();
    assert!(last_report < first_read, "reports are asked for everywhere before one is collected");
    assert!(!home.path("state/audit-runs").read_dir().unwrap().any(|_| true), "nothing is left to go on with");
}

#[test]
fn the_table_of_an_organisation_counts_by_rule_and_shows_the_worst() {
    let sandbox = organization();
    for number in 1..=25 {
        member(&sandbox, &format!("2000000{number:05}"), None, "ACTIVE", BOTH);
    }
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let audit =
        |more: &[&str]| home.akia(&[&["audit", "--org", "--external-id", EXTERNAL_ID], more].concat()).exited(0);
    let all = audit(&["--output", "json"]).json()["findings"].as_array().unwrap().clone();
    assert!(all.len() > 50, "{}", all.len());
    let ran = audit(&["--output", "table"]);
    let of_rule = |rule: &str| all.iter().filter(|one| one["rule"] == rule).count();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (counts, worst) = ran.stdout.split_once("\n\n").unwrap_or_else(|| panic!("{}", ran.stdout));
    let line = counts.lines().map(words).find(|line| line.get(1).is_some_and(|rule| rule == "key-age")).unwrap();
    assert_eq!(line[2..4], [of_rule("key-age").to_string(), "25".to_owned()], "{line:?}");
    let graves = ["critical ", "high ", "medium ", "low ", "info "];
    let shown: Vec<&str> = worst.lines().filter(|line| graves.iter().any(|grave| line.starts_with(grave))).collect();
    assert_eq!(shown.len(), 20, "{worst}");
    let gravest = all[0]["severity"].as_str().unwrap();
    assert!(shown[0].starts_with(gravest), "the worst come first: {worst}");
    let more = all.len() - 20;
    assert!(ran.stderr.contains(&format!("… and {more} more: --output json or csv has all")), "{}", ran.stderr);
    let csv = audit(&["--output", "csv"]).stdout;
    assert_eq!(csv.lines().count(), all.len() + 1, "every other form has all");
    // Few are shown one by one.
    let few = audit(&["--output", "table", "--rule", "key-age"]);
    assert_eq!(few.stdout.matches("key-age").count(), 25, "{}", few.stdout);
    assert!(!few.stderr.contains(" more: "), "{}", few.stderr);
}

#[test]
fn units_accounts_and_exclusions_choose() {
    let sandbox = organization();
    let workloads = sandbox.add_unit("workloads", None).unwrap();
    let production = sandbox.add_unit("production", Some(&workloads)).unwrap();
    let other = sandbox.add_unit("other", None).unwrap();
    let twin = sandbox.add_unit("production", Some(&other)).unwrap();
    member(&sandbox, "200000000001", Some(&workloads), "ACTIVE", BOTH);
    member(&sandbox, "200000000002", Some(&production), "ACTIVE", BOTH);
    member(&sandbox, "200000000003", Some(&other), "ACTIVE", BOTH);
    member(&sandbox, "200000000004", Some(&twin), "ACTIVE", BOTH);
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let read = |more: &[&str]| {
        let arguments = [&["audit", "--org", "--external-id", EXTERNAL_ID, "--output", "json"], more].concat();
        accounts_of(&home.akia(&arguments).exited(0).json())
    };
    assert_eq!(read(&["--ou", "workloads"]), set(&["200000000001", "200000000002"]), "with all below");
    assert_eq!(read(&["--ou", "workloads/production"]), set(&["200000000002"]));
    assert_eq!(read(&["--ou", &twin, "--ou", &production]), set(&["200000000002", "200000000004"]));
    assert_eq!(read(&["--accounts", "200000000001,200000000003"]), set(&["200000000001", "200000000003"]));
    assert_eq!(read(&["--ou", "other", "--exclude", "200000000003"]), set(&["200000000004"]));
    let refused = |more: &[&str]| home.akia(&[&["audit", "--org"], more].concat()).exited(1).stderr;
    let ambiguous = refused(&["--ou", "production"]);
    assert!(ambiguous.contains("several units are named \"production\""), "{ambiguous}");
    let missing = refused(&["--ou", "nowhere"]);
    assert!(missing.contains("there is no unit \"nowhere\"") && missing.contains("workloads/production"), "{missing}");
    let stranger = refused(&["--accounts", "999999999999"]);
    assert!(stranger.contains("not in the organisation") && stranger.contains("999999999999"), "{stranger}");
}

#[test]
fn a_role_that_refuses_the_source_identity_is_entered_without_and_the_rest_is_not_asked() {
    let sandbox = organization();
    for number in 1..=140 {
        member(&sandbox, &format!("2000000{number:05}"), None, "ACTIVE", &["sts:AssumeRole"]);
    }
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let ran = home.akia(&["audit", "--org", "--external-id", EXTERNAL_ID, "--output", "json"]).exited(0);
    assert_eq!(ran.json()["accounts"]["read"], 141);
    assert!(ran.stderr.contains("without a source identity"), "{}", ran.stderr);
    let calls = cloud.sandbox().log();
    let refused = calls.iter().filter(|call| call.action == "AssumeRole" && !call.is_committed()).count();
    assert_eq!(refused, 1, "more would raise an alarm");
}

#[test]
fn throttling_loses_no_account() {
    let sandbox = Sandbox::builder().seed(9).account(AccountSpec::new("100000000000")).throttled_share(0.2).build();
    sandbox.found_organization("hub", "aws@example.com").unwrap();
    for number in 1..=10 {
        member(&sandbox, &format!("2000000{number:05}"), None, "ACTIVE", BOTH);
    }
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let ran = home.akia(&["audit", "--org", "--external-id", EXTERNAL_ID, "--output", "json"]).exited(0);
    assert_eq!(ran.json()["accounts"]["read"], 11);
    assert!(ran.stderr.contains(" throttled"), "{}", ran.stderr);
}

#[test]
fn a_run_that_was_killed_goes_on_and_reads_only_what_was_under_way() {
    let sandbox = organization();
    for number in 1..=9 {
        member(&sandbox, &format!("2000000{number:05}"), None, "ACTIVE", BOTH);
    }
    // One account never gets done.
    sandbox.inject(Fault::on("GetAccountAuthorizationDetails", FaultKind::Slow(Duration::from_secs(600))));
    let cloud = Cloud::of(sandbox);
    let home = Home::new(&cloud).profile("default", &cloud.admin);
    let arguments = ["audit", "--org", "--external-id", EXTERNAL_ID, "--output", "json"];
    let mut child = home.command(&arguments).spawn().unwrap();
    let folder = home.path("state/audit-runs");
    let finished = || {
        let files = fs::read_dir(&folder).into_iter().flatten().map(|entry| fs::read_to_string(entry.unwrap().path()));
        files.map(|text| text.unwrap().lines().count()).sum::<usize>()
    };
    let started = Instant::now();
    // The header, and nine of ten accounts.
    while finished() < 10 {
        assert!(started.elapsed() < Duration::from_secs(120), "{} lines", finished());
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    cloud.sandbox().clear_faults();
    cloud.sandbox().clear_log();
    let ran = home.akia(&arguments).exited(0);
    assert!(ran.stderr.contains("9 accounts read already"), "{}", ran.stderr);
    let audit = ran.json();
    assert_eq!(audit["accounts"], json!({ "read": 10, "of": 10 }));
    assert_eq!(accounts_of(&audit).len(), 9, "all members, and not the hub");
    let calls = cloud.sandbox().log();
    let reports = calls.iter().filter(|call| call.action == "GetCredentialReport").count();
    assert_eq!(reports, 1, "of the account that was under way, and no other");
    assert!(!folder.read_dir().unwrap().any(|_| true), "and then there is nothing to go on with");
    let again = home.akia(&arguments).exited(0);
    assert!(!again.stderr.contains("read already"), "{}", again.stderr);
}

#[test]
fn a_small_organisation_on_moto_reads_as_boto3_reads_it() {
    let hub = Backend::Moto.open();
    hub.call("organizations", "create_organization", json!({ "FeatureSet": "ALL" }));
    let everything = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let mut members = BTreeSet::new();
    for number in 1..=3 {
        let asked = json!({ "Email": format!("aws+{number}@example.com"), "AccountName": format!("team-{number}") });
        let made = hub.call("organizations", "create_account", asked);
        let account = made["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned();
        let cloud = Backend::moto_account(&account);
        cloud.user("ann");
        cloud.key("ann");
        if number < 3 {
            cloud.role("AkiaAudit", &format!("arn:aws:iam::{}:root", hub.account), &everything);
            members.insert(account);
        }
    }
    let home = Home::new(&hub).profile("default", &hub.admin);
    let ran = home.akia(&["audit", "--org", "--rule", "two-active-keys", "--output", "json"]).exited(3);
    let audit = ran.json();
    // The third has no role; moto gives sessions of roles that there are not, which may do nothing then.
    assert_eq!(audit["accounts"]["of"], 4, "{ran:?}");
    let findings = audit["findings"].as_array().unwrap();
    let found: BTreeSet<String> = findings.iter().map(|one| one["account"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, members, "{ran:?}");
    for finding in findings {
        let account = finding["account"].as_str().unwrap();
        let detail = finding["detail"].as_str().unwrap();
        for key in Backend::moto_account(account).keys("ann") {
            assert!(detail.contains(&key.id), "{} is not in {detail}", key.id);
        }
    }
    // Read back with the AWS CLI: the same accounts.
    let listed = hub.aws(&["organizations", "list-accounts"]).done().json();
    assert_eq!(listed["Accounts"].as_array().unwrap().len(), 4);
}
