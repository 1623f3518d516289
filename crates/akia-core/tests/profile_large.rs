//! Large and hostile files are read in time that grows with their length, not with its square.
#![expect(clippy::disallowed_methods, reason = "the test measures time")]

use std::time::{Duration, Instant};

use akia_core::ProfileName;
use akia_core::profile::{EditError, Fault, File, FileKind, Profiles};

/// A text of a length, of lines that are numbered.
fn numbered(length: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= length {
            break;
        }
        text += &line(number);
    }
    text
}

/// Parses, merges and edits; the shorter time of two.
fn time(text: &str, kind: FileKind) -> Duration {
    let once = || {
        let start = Instant::now();
        let file = File::parse(kind, text);
        assert!(file.bytes() == text.as_bytes());
        let profiles = Profiles::merge(Some(&file), Some(&file));
        let profile = profiles.iter().last().map_or_else(ProfileName::default_name, |profile| profile.name.clone());
        let outcome = file.set(&profile, &[("region", "eu-west-1")]);
        let expected = [outcome.is_ok(), matches!(outcome, Err(EditError::Malformed(_) | EditError::Disagreement(_)))];
        assert!(expected.contains(&true), "{outcome:?}");
        start.elapsed()
    };
    once().min(once())
}

#[test]
fn time_grows_with_length() {
    type Shape = (&'static str, fn(usize) -> String);
    let shapes: &[Shape] = &[
        ("sections", |length| numbered(length, |n| format!("[profile p{n}]\nregion = eu-west-1\n"))),
        ("keys", |length| format!("[default]\n{}", numbered(length, |n| format!("key{n} = {n}\n")))),
        ("inherited keys and heirs", |length| {
            let inherited = numbered(length / 2, |n| format!("key {n} = {n}\n"));
            format!("[DEFAULT]\n{inherited}{}", numbered(length / 2, |n| format!("[p{n}]\n")))
        }),
        ("sessions and their profiles", |length| {
            numbered(length, |n| {
                format!("[sso-session s{n}]\n[profile p{n}]\nsso_session = s{n}\nsso_account_id = 1\n")
            })
        }),
        ("continuations", |length| format!("[default]\nkey = 1\n{}", " line\n".repeat(length / 6))),
        ("a block", |length| format!("[default]\nkey =\n{}", " a=b\n\n".repeat(length / 6))),
        ("blank lines", |length| format!("[default]\nkey = 1\n{}  end\n", "\n".repeat(length))),
        ("faults", |length| "what\n".repeat(length / 5)),
        ("second sections", |length| "[a]\n".repeat(length / 4)),
        ("second keys", |length| format!("[a]\n{}", "k=v\n".repeat(length / 4))),
        ("merged sections", |length| numbered(length, |n| format!("[a{}]\nk=v\n", " ".repeat(n % 50)))),
        ("carriage returns", |length| "\r".repeat(length)),
        ("one value", |length| format!("[default]\nkey = {}\n", "a #".repeat(length / 3))),
        ("one header", |length| format!("[profile {}]\n", "'\\".repeat(length / 2))),
        ("brackets", |length| "[]".repeat(length / 2)),
        ("an indent", |length| format!("[default]\nkey = 1\n{}x\n", " ".repeat(length))),
    ];
    for (what, text) in shapes {
        for kind in [FileKind::Credentials, FileKind::Config] {
            // Eight times the length: eight times the time, or 64 times if it grew with the square. A busy machine makes any
            // one measurement wrong, and five only where it is the parser that is slow.
            let grows = || {
                let (short, long) = (time(&text(8_000), kind), time(&text(64_000), kind));
                (long >= short * 24 + Duration::from_millis(100)).then_some((short, long))
            };
            let slow: Vec<_> = (0..5).map_while(|_| grows()).collect();
            assert!(slow.len() < 5, "{what}: each time, and that for eight times the length: {slow:?}");
        }
    }
}

#[test]
fn ten_megabytes_are_read_and_edited() {
    let text = numbered(10 * 1024 * 1024, |n| {
        format!(
            "# profile {n}\n[profile-{n}]\naws_access_key_id     = AKIAIOSFODNN7EXAMPLE\n\
             aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\ndescription           = {}\n\n",
            "x".repeat(2000)
        )
    });
    let file = File::parse(FileKind::Credentials, text.as_str());
    assert!(file.bytes() == text.as_bytes());
    let profile = "profile-4000".parse().unwrap();
    let edited = file.set(&profile, &[("aws_access_key_id", "AKIAI44QH8DHBEXAMPLE")]).unwrap();
    let differing = file.bytes().iter().zip(edited.bytes()).filter(|(old, new)| old != new).count();
    assert_eq!(file.bytes().len(), edited.bytes().len());
    assert!((1..=20).contains(&differing));
    let line = File::parse(FileKind::Config, vec![b'['; 10 * 1024 * 1024]);
    assert_eq!(line.bytes().len(), 10 * 1024 * 1024);
}

#[test]
fn faults_are_listed_up_to_a_limit() {
    let file = File::parse(FileKind::Credentials, "what\n".repeat(1000));
    assert_eq!(file.problems().len(), 100, "enough to repair by, not more");
}

#[test]
fn a_file_beyond_the_limit_is_kept_and_refused() {
    let bytes = vec![b'\n'; File::MAX_LENGTH + 1];
    let file = File::parse(FileKind::Config, bytes.clone());
    assert!(file.bytes() == bytes);
    assert_eq!(file.problems()[0].fault, Fault::TooLarge);
    assert!(file.set(&ProfileName::default_name(), &[("region", "x")]).is_err());
}
