//! Names and answers from outside come out harmless, in every form and for every verb that prints them.

use akia_sandbox::{Fault, FaultKind};

use crate::support::{Backend, Cloud, Home, Ran};

/// A cell that a spreadsheet would run.
const FORMULA: &str = "=cmd|' /C calc'!A0";
/// Shows the rest from right to left, and hides a character. Names with control characters are none to akia.
const ESCAPES: &str = "x\u{202e}gpj.exe\u{200b}\u{2066}y";
/// Words of AWS that set the title of a terminal, clear it, and fake a line. XML cannot hold ESC: U+009D and U+009B are
/// the same in one character.
const MESSAGE: &str = "\u{9d}0;owned\u{9c}\u{9b}2J\u{202e}gpj.exe\nerror: fake\r=cmd|' /C calc'!A0";

/// What no output may hold: controls but line breaks, direction controls, invisible characters.
fn is_active(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[track_caller]
fn assert_harmless(ran: &Ran, format: &str) {
    for text in [&ran.stdout, &ran.stderr] {
        let active: Vec<char> = text.chars().filter(|c| is_active(*c)).collect();
        assert!(active.is_empty(), "`{}` prints {active:?}\n{}\n{}", ran.what, ran.stdout, ran.stderr);
    }
    assert!(!ran.stderr.lines().any(|line| line.starts_with("error: fake")), "a faked line:\n{}", ran.stderr);
    match format {
        "csv" => {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(ran.stdout.as_bytes());
            for field in
                reader.records().flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            {
                let formula = field.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(!formula || field.parse::<i64>().is_ok(), "`{}`: {field:?}", ran.what);
            }
        }
        "json" if !ran.stdout.is_empty() => assert!(ran.stdout.is_ascii() && ran.json().is_object(), "{ran:?}"),
        _ => {}
    }
}

/// A user whose name is a formula, in two profiles whose names bite.
fn stage() -> (Cloud, Home) {
    let cloud = Backend::Sandbox.open();
    let user = cloud.user("=1+1");
    let home = Home::new(&cloud).profile(FORMULA, &user.key).profile(ESCAPES, &user.key);
    let home = home.profile("\u{1b}[31m\u{7}", &user.key);
    (cloud, home)
}

#[test]
fn names_come_out_harmless_from_every_verb() {
    let (_cloud, home) = stage();
    let mut shown = String::new();
    for format in ["table", "csv", "json"] {
        let mut see = |arguments: &[&str]| {
            let ran = home.akia(&[arguments, &["--output", format]].concat());
            assert_harmless(&ran, format);
            shown += &ran.stdout;
            shown += &ran.stderr;
            ran
        };
        see(&["status"]);
        see(&["status", "--offline"]);
        see(&["key", "list", "-p", FORMULA]);
        see(&["key", "last-used", "-p", ESCAPES]);
        see(&["policy", "check", "-p", ESCAPES]);
        see(&["setup", ESCAPES, "--from-profile", FORMULA, "--yes"]);
        see(&["setup", "new", "--from-profile", ESCAPES, "--dry-run"]);
        see(&["key", "create", "--into", ESCAPES, "-p", ESCAPES, "--yes"]);
        see(&["rotate", "-a", "--dry-run", "--show-aws-cli", "-vv"]).done();
        see(&["rotate", "-p", FORMULA, "--yes", "--retire", "delete"]).done();
        see(&["history"]);
        // A name that nothing has: it comes back in errors only.
        for arguments in
            [&["rotate", "-p", "no\u{202e}\u{7}"][..], &["setup", "a\u{1b}\u{202e}", "--from-csv", "b\u{202e}\u{1b}"]]
        {
            see(arguments);
        }
    }
    let run = home.akia(&["rotate", "-p", FORMULA, "--yes", "--output", "json"]).done().json();
    let rotation = run["rotations"][0]["rotation"].as_str().unwrap();
    for format in ["table", "csv", "json"] {
        for arguments in [
            &["history", "show", rotation][..],
            &["retire", rotation, "--now"],
            &["resume", rotation, "--leave", ESCAPES],
            &["undo", rotation, "--dry-run", "--show-aws-cli"],
        ] {
            assert_harmless(&home.akia(&[arguments, &["--output", format]].concat()), format);
        }
    }
    assert_harmless(&home.akia(&["undo", "--yes", "--output", "csv"]).done(), "csv");
    assert!(shown.contains("\\u{202e}") && shown.contains("\\u202e"), "the names were shown, spelled out:\n{shown}");
    assert!(shown.contains("'=1+1") && shown.contains("'=cmd|"), "and as text for spreadsheets:\n{shown}");
}

#[test]
fn words_of_aws_come_out_harmless_from_every_verb() {
    let (cloud, home) = stage();
    for action in
        ["GetCallerIdentity", "ListAccessKeys", "GetAccessKeyLastUsed", "CreateAccessKey", "SimulatePrincipalPolicy"]
    {
        for code in ["AccessDenied", "Odd\u{202e}\u{9b}2J"] {
            let kind = FaultKind::Refuse { status: 400, code: code.to_owned(), message: MESSAGE.to_owned() };
            cloud.sandbox().inject(Fault::on(action, kind).always());
            for (format, arguments) in [
                ("table", &["status"][..]),
                ("csv", &["status"]),
                ("json", &["status"]),
                ("csv", &["key", "list", "-p", FORMULA]),
                ("csv", &["key", "last-used", "-p", FORMULA]),
                ("table", &["policy", "check", "-p", FORMULA]),
                ("csv", &["rotate", "-p", FORMULA, "--dry-run", "-vv"]),
                ("csv", &["setup", "new", "--from-profile", FORMULA, "--yes", "--dry-run"]),
            ] {
                let ran = home.akia(&[arguments, &["--output", format]].concat());
                assert_harmless(&ran, format);
            }
            cloud.sandbox().clear_faults();
        }
    }
    // Into the journal, and out of it again.
    let kind = FaultKind::Refuse { status: 409, code: "LimitExceeded".to_owned(), message: MESSAGE.to_owned() };
    cloud.sandbox().inject(Fault::on("CreateAccessKey", kind).always());
    let ran = home.akia(&["rotate", "-p", FORMULA, "--yes", "--output", "csv"]);
    assert_harmless(&ran, "csv");
    assert!(ran.stderr.contains("gpj.exe"), "{ran:?}");
    let rotation = home.akia(&["history", "--output", "json"]).done().json()["rotations"][0]["rotation"].clone();
    for format in ["table", "csv", "json"] {
        let ran = home.akia(&["history", "show", rotation.as_str().unwrap(), "--output", format]).done();
        assert_harmless(&ran, format);
        assert!(ran.stdout.contains("gpj.exe"), "{ran:?}");
    }
}
