//! The real binary, with the verbs that ask nobody: exit codes, streams, and what an unusable environment is answered.

use std::process::{Command, Output};

/// akia with nothing in its environment.
fn akia(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_akia"));
    command.args(words).env_clear().envs(variables.iter().copied());
    command.output().unwrap_or_else(|error| panic!("akia starts: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = akia(&["--version"], &[]);
    assert_eq!((code(&version), text(&version.stdout)), (0, format!("akia {}\n", env!("CARGO_PKG_VERSION"))));
    let help = akia(&["rotate", "--help"], &[]);
    assert_eq!(code(&help), 0);
    assert!(text(&help.stdout).contains("EXAMPLES") && help.stderr.is_empty());
}

#[test]
fn no_command_prints_the_help_and_is_a_usage_error() {
    let output = akia(&[], &[]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("First steps:") && output.stdout.is_empty());
}

#[test]
fn usage_errors_end_with_2_and_keep_stdout_empty() {
    let output = akia(&["rotate", "--grace", "7"], &[]);
    assert_eq!(code(&output), 2);
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).starts_with("error: invalid value '7' for '--grace <TIME>'"));
}

#[test]
fn an_unusable_environment_is_a_usage_error() {
    for (variable, value, message) in [
        ("AWS_REGION", "eu west", "error: the environment variable AWS_REGION: \"eu west\" is not a region"),
        ("AWS_ENDPOINT_URL", "http://evil.example", "error: the environment variable AWS_ENDPOINT_URL: plain http"),
    ] {
        let output = akia(&["policy", "create-own-keys"], &[(variable, value)]);
        assert_eq!(code(&output), 2, "{variable}");
        assert!(text(&output.stderr).starts_with(message), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn policies_are_json_on_stdout_and_follow_the_region() {
    for (words, variables, arn) in [
        (&["policy", "create-own-keys"][..], &[][..], "arn:aws:iam::"),
        (&["policy", "manage-own-keys", "-r", "cn-north-1"], &[], "arn:aws-cn:iam::"),
        (&["policy", "rotate-own-keys"], &[("AWS_REGION", "us-gov-west-1")], "arn:aws-us-gov:iam::"),
        (&["policy", "status", "--partition", "aws"], &[("AWS_REGION", "us-gov-west-1")], "arn:aws:iam::"),
    ] {
        let output = akia(words, variables);
        assert_eq!(code(&output), 0, "{words:?}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        assert!(text(&output.stdout).contains(arn), "{words:?}");
        assert!(text(&output.stderr).starts_with("note: "), "{words:?}");
    }
    let csv = akia(&["policy", "create-own-keys", "--output", "csv"], &[]);
    assert_eq!(
        (code(&csv), text(&csv.stderr).lines().next()),
        (2, Some("error: an IAM policy is JSON and has no CSV form"))
    );
}

#[test]
fn completion_scripts_name_every_verb() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = akia(&["completions", shell], &[]);
        assert_eq!(code(&output), 0, "{shell}");
        for verb in akia_cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(text(&output.stdout).contains(verb.get_name()), "{shell} {verb}");
        }
    }
}

#[test]
fn the_bash_script_completes_a_verb_and_a_flag() {
    let script = text(&akia(&["completions", "bash"], &[]).stdout);
    let complete = |words: &str, count: usize| {
        let lines = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={count}; _akia akia \"${{COMP_WORDS[{count}]}}\" x; echo \"${{COMPREPLY[@]}}\""
        );
        // From a file: the script is longer than an argument may be.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let output = Command::new("bash").arg(file.path()).output().unwrap();
        text(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete("akia rot", 1), "rotate");
    assert_eq!(complete("akia rotate --old", 2), "--older-than");
}

#[test]
fn the_manual_is_written_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("man1");
    let output = akia(&["man", target.to_str().unwrap()], &[]);
    assert_eq!(code(&output), 0);
    let page = std::fs::read_to_string(target.join("akia-rotate.1")).unwrap();
    assert!(page.contains("older\\-than") && page.contains("EXAMPLES"));
    assert!(text(&akia(&["man"], &[]).stdout).contains(".TH akia 1"));
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let output = akia(&["man", blocked.to_str().unwrap()], &[]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("/file/akia.1 cannot be written"), "{}", text(&output.stderr));
}

#[test]
fn a_cheatsheet_is_filled_in_from_the_profile() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(
        home.path().join(".aws/credentials"),
        "[my work]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    )
    .unwrap();
    let variables = [("HOME", home.path().to_str().unwrap())];
    let output = akia(&["cheatsheet", "deactivate", "-p", "my work", "-r", "eu-west-1"], &variables);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("# Deactivate a key\n"), "{shown}");
    for part in ["--profile 'my work'", "--region eu-west-1", "--access-key-id AKIAIOSFODNN7EXAMPLE"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("wJalr") && output.stderr.is_empty());
}

#[test]
fn topics_are_listed_and_sheets_have_a_json_form() {
    let list = akia(&["cheatsheet"], &[("HOME", "/nonexistent")]);
    for topic in akia_core::cheatsheet::Topic::ALL {
        assert!(text(&list.stdout).contains(topic.as_str()));
        let words = ["cheatsheet", topic.as_str(), "--output", "json"];
        let output = akia(&words, &[("HOME", "/nonexistent")]);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&value["schema"], &value["topic"]), (&"akia.cheatsheet/1".into(), &topic.as_str().into()));
        assert!(value["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{topic:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_leaves_a_cheatsheet_with_examples() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".aws/credentials")).unwrap();
    let output = akia(&["cheatsheet", "deactivate"], &[("HOME", home.path().to_str().unwrap())]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stderr).starts_with("note: examples are filled in, because "), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("aws iam update-access-key"));
}
