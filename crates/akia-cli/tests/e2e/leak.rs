//! A key that leaked into a repository, from the scan to the closed case.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home};

/// A home with a repository that had ann's key in a file, and a profile of an administrator.
fn leaked(cloud: &Cloud) -> (Home, String) {
    let key = cloud.user("ann").key;
    let home = Home::new(cloud).profile("admin", &cloud.admin);
    let file = format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
    let script = "git init -q -b main && printf '%s' \"$FILE\" > app.ini && git add . && git commit -q -m add \
                  && git rm -q app.ini && git commit -q -m 'take it out'";
    let repository = home.path("repo");
    std::fs::create_dir(&repository).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(&repository).env("FILE", file).env("HOME", &repository);
    for role in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example.com");
    }
    assert!(shell.status().unwrap().success());
    (home, key.id)
}

/// One command line, as somebody types it: what the scan finds is shut by what reads it.
fn one_command_closes_it(cloud: &Cloud) {
    let (home, id) = leaked(cloud);
    let program = env!("CARGO_BIN_EXE_akia");
    let line = format!(
        "'{program}' scan repo --output json | '{program}' contain --from-scan - --profile admin --yes --output json --report case.html"
    );
    let mut shell = home.command(&[]);
    let environment: Vec<_> =
        shell.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    shell = Command::new("sh");
    shell.args(["-c", &line]).env_clear().envs(environment).current_dir(home.path(""));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let case = &report["cases"][0];
    assert_eq!(
        (&case["access_key"], &case["user"], &case["state"]),
        (&json!(id), &json!("ann"), &json!("contained")),
        "{case}"
    );
    assert!(case["leaked_at"].is_string(), "the first commit that holds it: {case}");
    assert_eq!(cloud.keys("ann").into_iter().map(|key| key.active).collect::<Vec<_>>(), [false]);
    assert!(home.read("case.html").contains("app.ini"));
}

#[test]
fn from_scan_to_closed_in_one_command_on_the_sandbox() {
    one_command_closes_it(&Backend::Sandbox.open());
}

#[test]
fn from_scan_to_closed_in_one_command_on_moto() {
    one_command_closes_it(&Backend::Moto.open());
}

#[test]
fn a_scan_says_whose_a_key_is_and_whether_it_works() {
    let cloud = Backend::Sandbox.open();
    let (home, id) = leaked(&cloud);
    let scan = || {
        home.akia(&["scan", "repo", "--resolve", "--verify", "--profile", "admin", "--output", "json"]).exited(4).json()
    };
    let leak = scan()["leaks"][0].clone();
    assert_eq!(leak["access_key_id"], id);
    assert_eq!((&leak["holder"]["user"], &leak["holder"]["status"]), (&json!("ann"), &json!("Active")), "{leak}");
    assert_eq!(leak["verified"], json!({ "answer": "works", "arn": cloud.user_arn("ann") }));
    home.akia(&["contain", &id, "--profile", "admin", "--yes"]).done();
    let leak = scan()["leaks"][0].clone();
    assert_eq!(
        (&leak["holder"]["status"], &leak["verified"]["answer"]),
        (&json!("Inactive"), &json!("refused")),
        "{leak}"
    );
    let table = home.akia(&["scan", "repo", "--resolve", "--verify", "--profile", "admin"]).exited(4);
    assert!(table.stdout.contains("ann, inactive"), "{}", table.stdout);
    // Without the flags nobody is asked.
    assert!(home.akia(&["scan", "repo", "--output", "json"]).exited(4).json()["leaks"][0].get("holder").is_none());
}
