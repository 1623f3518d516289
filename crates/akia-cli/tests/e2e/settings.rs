//! `akia.toml`, as the audit of a saved report reads it.

use serde_json::Value;

use crate::support::{Backend, Home, REPORT_COLUMNS, REPORT_ROOT};

/// Two users of one account: a person's key of 120 days, and a service's of 200.
fn report() -> String {
    let users = "ann,arn:aws:iam::123456789012:user/people/ann,2020-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,true,\
        2026-07-27T00:00:00+00:00,2026-11-23T00:00:00+00:00,eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n\
        build,arn:aws:iam::123456789012:user/machines/build,2020-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,true,\
        2026-05-08T00:00:00+00:00,2026-11-23T00:00:00+00:00,us-east-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n";
    [REPORT_COLUMNS, REPORT_ROOT, users].concat()
}

fn home() -> Home {
    Home::new(&Backend::Sandbox.open()).file("report.csv", report()).with("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
}

fn audit(home: &Home, more: &[&str]) -> crate::support::Ran {
    let path = home.path("report.csv").display().to_string();
    let base = ["audit", "--from-report", &path, "--as-of", "2026-11-24", "--output", "json"];
    home.akia(&[&base[..], more].concat())
}

/// Rule, user and severity of each finding.
fn found(audit: &Value) -> Vec<(String, String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = audit["findings"].as_array().unwrap();
    findings.iter().map(|one| (text(one, "rule"), text(one, "user"), text(one, "severity"))).collect()
}

fn ages(home: &Home, more: &[&str]) -> Vec<String> {
    let findings = found(&audit(home, more).exited(0).json());
    let mut users: Vec<String> =
        findings.into_iter().filter(|(rule, ..)| rule == "key-age").map(|(_, user, _)| user).collect();
    users.sort();
    users
}

#[test]
fn settings_are_those_of_the_persons_own_folder_or_named_and_never_those_of_the_working_directory() {
    let lax = "[audit]\nmax-age = \"1000d\"\n";
    let home = home().file("akia.toml", lax);
    assert_eq!(ages(&home, &[]), ["ann", "build"], "an akia.toml in a stranger's repository weakens nothing");
    let ran = audit(&home, &[]);
    assert!(ran.stderr.contains("not read: akia.toml in this folder"), "{}", ran.stderr);

    assert_eq!(ages(&home, &["--config", "akia.toml"]), [""; 0]);
    let ran = audit(&home, &["--config", "akia.toml"]);
    assert!(ran.stderr.contains("settings of akia.toml:\n  max-age = 1000d\n"), "{}", ran.stderr);
    assert_eq!(ran.json()["settings"]["differences"]["max-age"], "1000d");

    let home = home.file(".config/akia/akia.toml", "[audit]\nmax-age = \"150d\"\n");
    assert_eq!(ages(&home, &[]), ["build"]);
    assert_eq!(ages(&home, &["--config", "/dev/null"]), ["ann", "build"]);
    let home = home.with("AKIA_CONFIG", "akia.toml");
    assert_eq!(ages(&home, &[]), [""; 0]);
    let ran = audit(&home.with("AKIA_CONFIG", "gone.toml"), &[]).exited(2);
    assert!(ran.stderr.contains("gone.toml are not there; AKIA_CONFIG names them"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn rules_limits_and_overrides_hold_and_flags_beat_them() {
    let home = home().file(
        "team.toml",
        "[audit]\nregions = [\"eu-*\"]\n[audit.service-users]\npaths = [\"/machines/*\"]\n[audit.rules]\nkey-age = \"low\"\n\
         two-active-keys = \"off\"\n[[audit.override]]\npaths = [\"/machines/*\"]\nmax-age = \"365d\"\n\
         [[audit.override]]\naccounts = [\"123456789012\"]\nrules = { user-name = \"off\", key-unused = \"off\" }\n",
    );
    let findings = found(&audit(&home, &["--config", "team.toml"]).exited(0).json());
    let has = |rule: &str, user: &str, severity: &str| {
        findings.contains(&(rule.to_owned(), user.to_owned(), severity.to_owned()))
    };
    assert!(has("key-age", "ann", "low") && has("key-odd-use", "build", "high"), "{findings:?}");
    assert!(!findings.iter().any(|(rule, user, _)| rule == "key-age" && user == "build"), "{findings:?}");

    assert_eq!(ages(&home, &["--config", "team.toml", "--max-age", "150d"]), ["build"], "a flag beats the override");
    assert_eq!(ages(&home, &["--config", "team.toml", "--without-rule", "key-age"]), [""; 0]);
    let only = audit(&home, &["--config", "team.toml", "--rule", "key-unused", "--unused", "1h"]).exited(0).json();
    let rules: Vec<String> = found(&only).into_iter().map(|(rule, ..)| rule).collect();
    assert_eq!(rules, ["key-unused", "key-unused"], "what is asked for by name is looked at");
}

#[test]
fn a_mistake_in_the_settings_is_named_with_file_and_line_before_anything_is_read() {
    let home = home().file("team.toml", "[audit]\nmax_age = \"1d\"\n");
    let ran = audit(&home, &["--config", "team.toml", "--from-report", "/nonexistent"]).exited(2);
    let words =
        "the settings team.toml, line 2, max_age in [audit]: unknown field `max_age`, expected one of `max-age`";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: "), "{}", ran.stderr);
}

#[test]
fn an_override_by_unit_that_cannot_hold_is_told() {
    let home = home().file("team.toml", "[[audit.override]]\nunits = [\"Prod\"]\nmax-age = \"1d\"\n");
    let ran = audit(&home, &["--config", "team.toml"]).exited(0);
    assert!(ran.stderr.contains("1 override by unit holds nowhere: the organisation was not read"), "{}", ran.stderr);
}
