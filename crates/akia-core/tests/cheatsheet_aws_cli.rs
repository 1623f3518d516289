//! Every command that akia shows, judged by the real AWS CLI: it must parse, its parameters must be valid, its query must find something.
//!
//! The AWS CLI stands in a venv, `AKIA_TEST_VENV` or `target/venv`, which `cargo xtask venv` makes. One Python process judges all.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::disallowed_methods, reason = "a test may read where its venv is")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use akia_core::KeyStatus;
use akia_core::cheatsheet::aws_cli::{self, Setting};
use akia_core::cheatsheet::{CliVersion, Connection, Fill, Operation, Output, Step, Topic, quote, sheet};
use serde_json::{Value, json};

fn python() -> PathBuf {
    let venv = std::env::var_os("AKIA_TEST_VENV")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "there is no AWS CLI in {}: run cargo xtask venv", venv.display());
    python
}

/// `None` for an accepted command, else why it was refused.
fn judge(cases: &[Value]) -> Vec<Option<String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws_cli_judge.py");
    let mut child = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the judge itself failed");
    let verdicts: Vec<Option<String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts.len(), cases.len());
    verdicts
}

fn case(step: &Step) -> Value {
    json!({
        "argv": &step.command[1..],
        "cli": match step.cli { CliVersion::Any => "any", CliVersion::V2 => "v2" },
        "shell": matches!(step.output, Output::Shown).then(|| step.shell()),
    })
}

fn fills() -> [Fill; 4] {
    let named = Fill {
        profile: Some("it's \"my\" $HOME profile ü".parse().unwrap()),
        region: Some("cn-north-1".parse().unwrap()),
        endpoint_url: Some("http://127.0.0.1:1/".to_owned()),
        user: Some("-bob+ci=x,y@example.com".parse().unwrap()),
        key: Some("AKIAI44QH8DHBEXAMPLE".parse().unwrap()),
        account: Some("210987654321".parse().unwrap()),
        cutoff: Some("2026-08-25".parse().unwrap()),
        now: Some("2026-11-23T10:00:00Z".parse().unwrap()),
        ..Fill::default()
    };
    [
        Fill::default(),
        Fill { profile: Some("--profile".parse().unwrap()), ..named.clone() },
        Fill { region: Some("us-gov-west-1".parse().unwrap()), acts_on_others: true, ..named.clone() },
        named,
    ]
}

fn operations() -> Vec<Operation> {
    let key = || "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    let mut operations = vec![
        Operation::CallerIdentity,
        Operation::AccessKeyLastUsed { key: key() },
        Operation::AccessKeyInfo { key: key() },
        Operation::SessionToken { serial: "arn:aws:iam::123456789012:mfa/a".into(), duration_seconds: 900 },
        Operation::AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/admin".into(),
            session_name: "akia".into(),
            duration_seconds: None,
            external_id: None,
            serial: None,
        },
        Operation::AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/path/admin".into(),
            session_name: "akia".into(),
            duration_seconds: Some(3600),
            external_id: Some("-x 1".into()),
            serial: Some("arn:aws:iam::123456789012:mfa/a".into()),
        },
        Operation::SimulatePrincipalPolicy {
            principal: "arn:aws:iam::123456789012:user/alice".into(),
            actions: vec!["iam:CreateAccessKey".into(), "iam:ListAccessKeys".into()],
            resource: "*".into(),
        },
        Operation::LookupEvents { key: key() },
        Operation::ConfigureKey,
        Operation::ImportCsv { path: "a b.csv".into() },
        Operation::ConfigureSet { setting: Setting::Region, value: "eu-west-1".into() },
        Operation::ConfigureSet { setting: Setting::Output, value: "json".into() },
        Operation::ConfigureSet { setting: Setting::MfaSerial, value: "arn:aws:iam::123456789012:mfa/a".into() },
    ];
    for user in [None, Some("alice".parse().unwrap()), Some("--x".parse().unwrap())] {
        operations.extend([
            Operation::User { user: user.clone() },
            Operation::ListAccessKeys { user: user.clone() },
            Operation::CreateAccessKey { user: user.clone() },
            Operation::UpdateAccessKey { user: user.clone(), key: key(), status: KeyStatus::Active },
            Operation::UpdateAccessKey { user: user.clone(), key: key(), status: KeyStatus::Inactive },
            Operation::DeleteAccessKey { user: user.clone(), key: key() },
            Operation::ListMfaDevices { user },
        ]);
    }
    operations
}

/// What `akia service exit` prints, but for commands that read a file of the reader's, and those of version 2.
fn ways_off_keys() -> Vec<Step> {
    use akia_core::contain::{Grant, Policies};
    use akia_core::service::exit::{ExitSubject, TrustSubject, Way, steps};
    let grant = |source: &str, document: Option<Value>| Grant { source: source.to_owned(), document };
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [] });
    let subject = ExitSubject {
        user: "service-x".parse().unwrap(),
        keys: Vec::new(),
        policies: Some(Policies {
            grants: vec![
                grant("group service-x, inline policy service-policy", Some(policy)),
                grant("arn:aws:iam::aws:policy/ReadOnlyAccess", None),
            ],
            boundary: Some(grant("arn:aws:iam::123456789012:policy/b", None)),
        }),
        place: TrustSubject {
            partition: akia_core::Partition::Aws,
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".to_owned(),
        },
    };
    let is_offered = |step: &Step| {
        let words: Vec<&str> = step.command.iter().map(String::as_str).collect();
        let second = words.get(1).copied();
        !words.iter().any(|word| word.starts_with("file://"))
            && second != Some("login")
            && words.get(1..3) != Some(&["sso", "login"])
            && words.get(1..3) != Some(&["configure", "sso"])
    };
    let steps: Vec<Step> = Way::ALL.into_iter().flat_map(|way| steps(way, &subject)).filter(is_offered).collect();
    assert!(steps.len() > 40, "only {} commands", steps.len());
    steps
}

#[test]
fn the_aws_cli_accepts_every_command() {
    let mut steps: Vec<Step> = Vec::new();
    for fill in fills() {
        steps.extend(Topic::ALL.into_iter().flat_map(|topic| sheet(topic, &fill)));
        let connection = Connection {
            profile: fill.profile.clone(),
            region: fill.region.clone(),
            endpoint_url: fill.endpoint_url.clone(),
        };
        steps.extend(operations().iter().map(|operation| aws_cli::command(operation, &connection)));
    }
    steps.extend(ways_off_keys());
    steps.retain(|step| step.command.first().is_some_and(|word| word == "aws"));
    assert!(steps.len() > 300, "only {} commands", steps.len());
    let mut cases: Vec<Value> = steps.iter().map(case).collect();
    cases.sort_by_key(Value::to_string);
    cases.dedup();
    let refused: Vec<String> = judge(&cases)
        .into_iter()
        .zip(&cases)
        .filter_map(|(verdict, case)| verdict.map(|reason| format!("{}\n  {reason}", case["argv"])))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_judge_refuses_what_is_wrong() {
    let any = |argv: &[&str]| json!({ "argv": argv, "cli": "any", "shell": null });
    let cases = [
        any(&["iam", "list-access-keyz"]),
        any(&["iam", "update-access-key", "--access-key-id", "AKIAIOSFODNN7EXAMPLE"]),
        any(&["iam", "update-access-key", "--status", "Gone", "--access-key-id", "short"]),
        any(&["iam", "list-access-keys", "--user-nam", "alice", "surplus"]),
        any(&["iam", "list-access-keys", "--user-name", "--bob"]),
        any(&["iam", "list-access-keys", "--query", "AccessKeyMetadata[].Nothing"]),
        any(&["iam", "list-access-keys", "--query", "AccessKeyMetadata[?"]),
        any(&["iam", "create-user", "--user-name", "a", "--tags", "Kee=owner"]),
        any(&["configure", "import", "--csv", "file://x"]),
        json!({ "argv": ["configure", "list"], "cli": "v2", "shell": null }),
        json!({ "argv": ["iam", "get-user"], "cli": "any", "shell": "aws iam get-user --x" }),
    ];
    for (verdict, case) in judge(&cases).iter().zip(&cases) {
        assert!(verdict.is_some(), "accepted: {case}");
    }
}

#[test]
fn the_shell_reads_the_same_words_that_were_quoted() {
    let words = [
        "", "a b", "it's", "$HOME", "`id`", "\"x\"", "\\", "*", "~", "=x", "#x", "!x", "{a,b}", "ü", "-n", "a'b'c",
        "&&",
    ];
    reads_back("sh", &words);
    reads_back("bash", &words);
    reads_back("bash", &["a\tb", "\u{1b}[2J", "a\u{202e}b", "it's\u{7}\\", "\u{200b}1"]);
}

fn reads_back(shell: &str, words: &[&str]) {
    let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let output = Command::new(shell).args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        words.iter().map(|word| format!("{word}\n")).collect::<String>()
    );
}
