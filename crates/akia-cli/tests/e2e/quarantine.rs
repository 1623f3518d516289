//! `akia enforce quarantine` and `release`: the user's hands are tied, and untied, on the sandbox and on moto.

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, Ran};

const DENIAL: &str = "AWSCompromisedKeyQuarantineV3";

fn home(cloud: &Cloud) -> Home {
    Home::new(cloud)
        .profile("default", &cloud.admin)
        .file("akia.toml", "[enforce.protected]\nusers = [\"break-glass\"]\n")
}

fn enforce(home: &Home, verb: &str, key: &Key, more: &[&str]) -> Ran {
    let config = home.path("akia.toml");
    let fixed =
        ["enforce", verb, &key.id, "--reason", "leak-42", "--config", config.to_str().unwrap(), "--output", "json"];
    let consent = if more.contains(&"--dry-run") { "--verbose" } else { "--yes" };
    home.akia(&[&fixed[..], &[consent], more].concat())
}

fn a_user_is_tied_and_untied(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/people/");
    let key = cloud.key("ann");
    let home = home(cloud);
    enforce(&home, "quarantine", &key, &["--dry-run"]).done();
    assert_eq!((cloud.attached("ann").len(), cloud.inline("ann").len()), (0, 0), "a dry run");

    let ran = enforce(&home, "quarantine", &key, &[]).done();
    let row = &ran.json()["quarantines"][0];
    assert_eq!((&row["done"], &row["state"]), (&json!(["attach", "deny-sessions"]), &json!("in place")), "{row}");
    assert!(ran.stderr.contains("sessions of roles that the user has assumed live on"), "{}", ran.stderr);
    assert_eq!(cloud.attached("ann"), [DENIAL]);
    assert_eq!(cloud.inline("ann"), ["AkiaDenyEarlierSessions"]);
    let status = home.akia(&["enforce", "status", "--output", "json"]).done().json();
    assert_eq!(status["quarantines"][0]["key"], key.id, "{status}");

    // Again: nothing is attached twice, and sessions made since are denied.
    let params = json!({ "UserName": "ann", "PolicyName": "AkiaDenyEarlierSessions" });
    let before = cloud.call("iam", "get_user_policy", params.clone())["PolicyDocument"].clone();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let ran = enforce(&home, "quarantine", &key, &[]).done();
    assert_eq!(ran.json()["quarantines"][0]["done"], json!(["deny-sessions"]), "{}", ran.stdout);
    assert_ne!(cloud.call("iam", "get_user_policy", params)["PolicyDocument"], before);

    let ran = enforce(&home, "release", &key, &[]).done();
    let row = &ran.json()["quarantines"][0];
    assert_eq!((&row["done"], &row["state"]), (&json!(["allow-sessions", "detach"]), &json!("released")), "{row}");
    assert_eq!((cloud.attached("ann").len(), cloud.inline("ann").len()), (0, 0));
    let ran = enforce(&home, "release", &key, &[]).exited(1);
    assert!(ran.stderr.contains("akia holds no quarantine for key"), "{}", ran.stderr);
    home.akia(&["history", "verify"]).done();
    let history = home.akia(&["enforce", "history", &key.id, "--output", "json"]).done().json();
    let events = history["records"].as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap());
    let done: Vec<&str> = events.filter(|event| !matches!(*event, "looked" | "intended")).collect();
    assert_eq!(done, ["opened", "done", "done", "renewed", "done", "release-asked", "done", "done"], "{history}");
}

#[test]
fn a_user_is_tied_and_untied_on_the_sandbox() {
    a_user_is_tied_and_untied(&Backend::Sandbox.open());
}

#[test]
fn a_user_is_tied_and_untied_on_moto() {
    a_user_is_tied_and_untied(&Backend::Moto.open());
}

#[test]
fn sessions_of_before_are_denied_and_the_key_is_not() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let serial = cloud.mfa_device("ann");
    // IAM takes sessions with MFA only.
    let session = || {
        let code = cloud.mfa_code(&serial);
        let asked = ["sts", "get-session-token", "--serial-number", &serial, "--token-code", &code];
        Key::from_answer(&cloud.aws_as(&ann.key, &asked).done().json()["Credentials"])
    };
    let earlier = session();
    let lists = |key: &Key| cloud.aws_as(key, &["iam", "list-access-keys"]);
    lists(&earlier).done();
    enforce(&home(&cloud), "quarantine", &ann.key, &[]).done();
    assert_eq!(lists(&earlier).refusal(), "AccessDenied");
    lists(&ann.key).done();
    std::thread::sleep(std::time::Duration::from_millis(6_100));
    lists(&session()).done();
}

#[test]
fn what_aws_has_attached_by_itself_stays() {
    let cloud = Backend::Moto.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2";
    cloud.call("iam", "attach_user_policy", json!({ "UserName": "ann", "PolicyArn": arn }));
    let home = home(&cloud);
    let ran = enforce(&home, "quarantine", &key, &[]).done();
    assert_eq!(ran.json()["quarantines"][0]["done"], json!(["deny-sessions"]), "{}", ran.stdout);
    let ran = enforce(&home, "release", &key, &[]).done();
    assert!(ran.stderr.contains("AWS's deny policy was there before, and stays"), "{}", ran.stderr);
    assert_eq!(cloud.attached("ann"), ["AWSCompromisedKeyQuarantineV2"]);
}

#[test]
fn who_is_protected_and_what_is_switched_off_is_left_alone() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("break-glass", "/");
    let key = cloud.key("break-glass");
    let home = home(&cloud);
    let ran = enforce(&home, "quarantine", &key, &[]).exited(6);
    assert!(
        ran.stderr.contains("is protected by the policy") && ran.stderr.contains("--protected-too"),
        "{}",
        ran.stderr
    );
    home.akia(&["enforce", "stop", "--reason", "incident"]).done();
    let ran = enforce(&home, "quarantine", &key, &["--protected-too"]).exited(6);
    assert!(ran.stderr.contains("enforcement is off on this machine"), "{}", ran.stderr);
    assert!(cloud.attached("break-glass").is_empty());
    home.akia(&["enforce", "start"]).done();
    enforce(&home, "quarantine", &key, &["--protected-too"]).done();
    home.akia(&["enforce", "stop", "--reason", "incident"]).done();
    enforce(&home, "release", &key, &[]).done();
    assert!(cloud.attached("break-glass").is_empty(), "taking back is never switched off");
}

#[test]
fn whoever_lacks_a_right_is_told_and_goes_on_later() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let guard = cloud.user("guard");
    let allow = |actions: &[&str]| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] });
    let some = ["iam:Get*", "iam:List*", "iam:AttachUserPolicy", "sts:GetAccessKeyInfo"];
    cloud.policy("guard", "some", &allow(&some));
    let home = Home::new(&cloud).profile("default", &guard.key).file("akia.toml", "");
    let ran = enforce(&home, "quarantine", &key, &[]).exited(3);
    assert!(
        ran.stderr.contains("not done: deny-sessions:") && ran.stderr.contains("iam:PutUserPolicy"),
        "{}",
        ran.stderr
    );
    assert_eq!(cloud.attached("ann"), [DENIAL], "the first measure holds");
    cloud.policy("guard", "more", &allow(&["iam:PutUserPolicy"]));
    let ran = enforce(&home, "quarantine", &key, &[]).done();
    assert_eq!(ran.json()["quarantines"][0]["attached_by_akia"], true, "{}", ran.stdout);
}

#[test]
fn a_role_ties_the_hands_of_one_user_and_can_do_nothing_else() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let rights = cloud.aws(&["sts", "get-caller-identity"]).done().json();
    assert_eq!(rights["Account"], cloud.account.as_str());
    let printed = Home::new(&cloud).akia(&["policy", "enforce"]).done().stdout;
    let mut policy: Value = serde_json::from_str(&printed).unwrap();
    let keep = |one: &Value| matches!(one["Sid"].as_str(), Some("DenySessions" | "AttachDenial"));
    policy["Statement"].as_array_mut().unwrap().retain(keep);
    cloud.role("AkiaQuarantiner", &format!("arn:aws:iam::{}:root", cloud.account), &policy);
    let settings = "[enforce.roles]\nquarantiner = \"AkiaQuarantiner\"\n";
    let home = Home::new(&cloud).profile("default", &cloud.admin).file("akia.toml", settings);
    let ran = enforce(&home, "quarantine", &key, &[]).done();
    assert_eq!(ran.json()["quarantines"][0]["state"], "in place", "{}", ran.stdout);
    enforce(&home, "release", &key, &[]).done();
    assert_eq!((cloud.attached("ann").len(), cloud.inline("ann").len()), (0, 0));
}
