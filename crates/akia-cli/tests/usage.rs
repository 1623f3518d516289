//! How the command line is read: the script's own lines, odd values, and malformed lines with the exact message.

use std::ffi::OsString;

use akia_cli::args::{Invocation, ParseOutcome, parse};
use akia_cli::commands::Verb;

fn outcome(words: &[&str]) -> ParseOutcome {
    let words: Vec<OsString> = std::iter::once("akia").chain(words.iter().copied()).map(OsString::from).collect();
    parse(&words)
}

fn invocation(words: &[&str]) -> Invocation {
    match outcome(words) {
        ParseOutcome::Run(invocation) => *invocation,
        ParseOutcome::Print(text) | ParseOutcome::Refuse(text) => panic!("{words:?}: {text}"),
    }
}

fn refusal(words: &[&str]) -> String {
    match outcome(words) {
        ParseOutcome::Refuse(text) => text,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn profiles(words: &[&str]) -> Vec<String> {
    invocation(words).globals.profiles.into_iter().map(String::from).collect()
}

#[test]
fn the_model_of_the_command_line_is_sound() {
    akia_cli::command().debug_assert();
}

#[test]
fn rotate_takes_the_flags_of_the_script() {
    let none: [&str; 0] = [];
    assert_eq!(profiles(&["rotate"]), none);
    assert_eq!(profiles(&["rotate", "-p", "a"]), ["a"]);
    assert_eq!(profiles(&["rotate", "-p", "a", "-p", "b"]), ["a", "b"]);
    assert_eq!(profiles(&["rotate", "-pa", "--profile", "b", "--profile=c"]), ["a", "b", "c"]);
    for flag in ["-a", "--all-profiles"] {
        let Verb::Rotate(args) = invocation(&["rotate", flag]).verb else { panic!("rotate") };
        assert!(args.all_profiles);
    }
    for words in [["rotate", "-r", "eu-west-1"], ["rotate", "--region", "eu-west-1"]] {
        assert_eq!(invocation(&words).globals.region.unwrap().as_str(), "eu-west-1");
    }
    let both = invocation(&["rotate", "-a", "-r", "cn-north-1"]);
    assert!(matches!(both.verb, Verb::Rotate(args) if args.all_profiles));
    assert_eq!(both.globals.region.unwrap().as_str(), "cn-north-1");
}

#[test]
fn global_flags_stand_before_or_after_the_command_and_none_is_lost() {
    assert_eq!(profiles(&["-p", "a", "rotate", "-p", "b"]), ["a", "b"]);
    assert_eq!(profiles(&["-p", "a", "key", "-p", "b", "list", "-p", "c"]), ["a", "b", "c"]);
    assert_eq!(invocation(&["-v", "status", "-vv"]).globals.verbose, 3);
    assert!(invocation(&["--show-aws-cli", "status"]).globals.show_aws_cli);
}

#[test]
fn odd_profile_names_are_taken_as_they_are() {
    for name in ["my profile", "ü \"quoted\" 'name'", "日本", "a=b", "*", "$HOME", "a/b\\c", "--profile", "-"] {
        assert_eq!(profiles(&["rotate", &format!("--profile={name}")]), [name]);
    }
    assert_eq!(profiles(&["rotate", "-p=-dash"]), ["-dash"]);
    assert_eq!(profiles(&["rotate", "-p", "my profile"]), ["my profile"]);
}

#[test]
fn durations_become_spans() {
    let Verb::Rotate(args) = invocation(&["rotate", "--older-than", "2w", "--grace", "36h"]).verb else { panic!() };
    assert_eq!(args.older_than.map(|span| span.as_hours()), Some(336));
    assert_eq!(args.grace.map(|grace| grace.as_hours()), Some(36));
    let Verb::Rotate(args) = invocation(&["rotate"]).verb else { panic!() };
    assert_eq!((args.older_than, args.grace), (None, None));
}

/// Each malformed line and the first line of what it is answered.
const MALFORMED: &[(&[&str], &str)] = &[
    (&["rotat"], "error: unrecognized subcommand 'rotat'"),
    (&["rotate", "--profil", "x"], "error: unexpected argument '--profil' found"),
    (&["rotate", "x"], "error: unexpected argument 'x' found"),
    (&["rotate", "-p"], "error: a value is required for '--profile <NAME>' but none was supplied"),
    (
        &["rotate", "-p", ""],
        "error: invalid value '' for '--profile <NAME>': \"\" is not a profile name (not empty, no line break, no ']', no space at either end)",
    ),
    (
        &["rotate", "-p", "a\u{1b}[2J\nb"],
        "error: invalid value 'a\\u{1b}[2J\\nb' for '--profile <NAME>': \"a\\u{1b}[2J\\nb\" is not a profile name (not empty, no line break, no ']', no space at either end)",
    ),
    (&["rotate", "-a", "-p", "x"], "error: the argument '--all-profiles' cannot be used with '--profile <NAME>'"),
    (&["rotate", "-a", "--user", "bob"], "error: the argument '--all-profiles' cannot be used with '--user <NAME>'"),
    (&["rotate", "--dry-run", "--yes"], "error: the argument '--dry-run' cannot be used with '--yes'"),
    (
        &["rotate", "--older-than", "90"],
        "error: invalid value '90' for '--older-than <AGE>': 90 of what? Write 90d for days, 90h for hours, 90m for minutes or 90w for weeks",
    ),
    (
        &["rotate", "--older-than", "3mo"],
        "error: invalid value '3mo' for '--older-than <AGE>': \"mo\" is not a unit; the units are w (weeks), d (days), h (hours), m (minutes) and s (seconds)",
    ),
    (
        &["rotate", "--grace=-5d"],
        "error: invalid value '-5d' for '--grace <TIME>': a span of time has no sign; write for example 90d",
    ),
    (&["rotate", "--retire", "destroy"], "error: invalid value 'destroy' for '--retire <HOW>'"),
    (
        &["rotate", "--user", "no such name"],
        "error: invalid value 'no such name' for '--user <NAME>': \"no such name\" is not an IAM user name (1 to 64 letters, digits and +=,.@_-)",
    ),
    (
        &["rotate", "--delete-key", "oldest"],
        "error: invalid value 'oldest' for '--delete-key <KEY-ID>': \"oldest\" is not an access key id (16 to 128 letters and digits, AKIA… for a long-term key)",
    ),
    (
        &["rotate", "--mfa-code", "12345"],
        "error: invalid value '12345' for '--mfa-code <CODE>': an MFA code is six digits",
    ),
    (
        &["rotate", "-r", "eu west 1"],
        "error: invalid value 'eu west 1' for '--region <REGION>': \"eu west 1\" is not a region (letters, digits and hyphens, for example eu-west-1)",
    ),
    (
        &["-r", "eu-west-1", "rotate", "-r", "eu-west-2"],
        "error: the argument '--region <REGION>' cannot be used multiple times",
    ),
    (
        &["status", "--endpoint-url", "localhost:4566"],
        "error: invalid value 'localhost:4566' for '--endpoint-url <URL>': it must start with http:// or https://",
    ),
    (
        &["status", "--endpoint-url", "http://iam.example.com"],
        "error: invalid value 'http://iam.example.com' for '--endpoint-url <URL>': plain http is taken for this machine only (localhost, 127.0.0.1, [::1]); use https://",
    ),
    (&["status", "--output", "yaml"], "error: invalid value 'yaml' for '--output <FORMAT>'"),
    (&["setup", "--delete-csv"], "error: the following required arguments were not provided:"),
    (
        &["setup", "--create", "--from-csv", "x"],
        "error: the argument '--create' cannot be used with '--from-csv <FILE>'",
    ),
    (&["setup", "--user", "bob"], "error: the following required arguments were not provided:"),
    (&["setup", "--store", "cloud"], "error: invalid value 'cloud' for '--store <STORE>'"),
    (
        &["setup", "work", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
        "error: unexpected argument '(40 characters that look like a secret)' found",
    ),
    (
        &["setup", "--secret-access-key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
        "error: unexpected argument '--secret-access-key' found",
    ),
    (
        &["undo", "latest"],
        "error: invalid value 'latest' for '[ROTATION-ID|CONTAINMENT-ID]': \"latest\" is not a rotation id (r- and 16 hexadecimal digits)",
    ),
    (&["contain", "--profile", "admin"], "error: the following required arguments were not provided:"),
    (
        &["contain", "AKIAIOSFODNN7EXAMPLE", "--strategy", "shred"],
        "error: invalid value 'shred' for '--strategy <HOW>': there are rotate, deactivate, delete, quarantine",
    ),
    (
        &["contain", "AKIAIOSFODNN7EXAMPLE", "--report", "x.pdf"],
        "error: invalid value 'x.pdf' for '--report <FILE>': its name ends in .html, .md or .json",
    ),
    (&["retire", "--now"], "error: the following required arguments were not provided:"),
    (
        &["resume", "--delete-orphan", "AKIAIOSFODNN7EXAMPLE", "--keep-orphan", "AKIAIOSFODNN7EXAMPLE"],
        "error: the argument '--delete-orphan <KEY-ID>' cannot be used with '--keep-orphan <KEY-ID>'",
    ),
    (&["key", "delete"], "error: the following required arguments were not provided:"),
    (
        &["policy", "manage-own-keys", "--partition", "aws-moon"],
        "error: invalid value 'aws-moon' for '--partition <PARTITION>': \"aws-moon\" is not a partition (aws, aws-cn or aws-us-gov)",
    ),
    (&["sandbox", "--port", "0"], "error: invalid value '0' for '--port <PORT>': 0 is not in 1..=65535"),
    (&["completions", "tcsh"], "error: invalid value 'tcsh' for '<SHELL>'"),
];

#[test]
fn malformed_lines_are_refused_with_the_reason() {
    for (words, message) in MALFORMED {
        let text = refusal(words);
        assert_eq!(text.lines().next().unwrap(), *message, "{words:?}");
        assert!(!text.contains("wJalr"), "{words:?} repeats the secret");
    }
}

#[test]
fn a_typo_gets_a_suggestion() {
    assert!(refusal(&["rotat"]).contains("'rotate'"));
    assert!(refusal(&["rotate", "--profil", "x"]).contains("a similar argument exists: '--profile'"));
    assert!(refusal(&["rotate", "--retire", "delte"]).contains("a similar value exists: 'delete'"));
}

#[test]
fn a_secret_on_the_command_line_is_not_repeated_and_said_to_be_wrong() {
    let text = refusal(&["setup", "work", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]);
    assert!(text.ends_with("`akia setup` asks for it without showing it.\n"), "{text}");
}
