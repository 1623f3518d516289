//! The editor: what it changes, what it leaves alone, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use akia_core::ProfileName;
use akia_core::profile::{EditError, Fault, File, FileKind, Reader, SeenAs, SeenBy, secret_of};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const NEW_ID: &str = "AKIAI44QH8DHBEXAMPLE";
const NEW_SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
const NEW_KEY: [(&str, &str); 2] = [("aws_access_key_id", NEW_ID), ("aws_secret_access_key", NEW_SECRET)];

fn credentials(text: &str) -> File {
    File::parse(FileKind::Credentials, text)
}

fn config(text: &str) -> File {
    File::parse(FileKind::Config, text)
}

fn name(text: &str) -> ProfileName {
    text.parse().unwrap()
}

fn text(file: &File) -> &str {
    std::str::from_utf8(file.bytes()).unwrap()
}

/// Sets the new key in a profile and expects the old text with the old key replaced, and nothing else.
fn rotates(kind: FileKind, before: &str, profile: &str) {
    let after = before.replacen(ID, NEW_ID, 1).replacen(SECRET, NEW_SECRET, 1);
    let edited = File::parse(kind, before).set(&name(profile), &NEW_KEY).unwrap();
    assert_eq!(text(&edited), after);
    assert_eq!(secret_of(&edited, &name(profile)).ok().unwrap().expose(), NEW_SECRET);
}

#[test]
fn only_the_bytes_of_the_values_change() {
    let key = |before: &str, between: &str, after: &str| {
        format!("{before}aws_access_key_id{between}{ID}{after}aws_secret_access_key{between}{SECRET}")
    };
    for (before, between, after) in [
        ("[default]\n", " = ", "\n"),
        ("[default]\n", "=", "\n"),
        ("[default]\r\n", " =\t", "\r\n"),
        ("# mine\n\n[other]\nregion=x\n\n[default]\t# tab\n", "     = ", "\n# between\n\n"),
        ("[default]\nregion = eu-west-1\ns3 =\n  aws_access_key_id = nested\n  max = 5\n", " = ", " \t\n"),
        ("\n\n  \n[a b]\nx=y\n[default]\n\0odd = \u{1}\n", " = ", "\n; comment\n"),
    ] {
        for end in ["", "\n", "\r\n", " \n\n[z]\nlast = 1", "\n\t\n; end\n"] {
            rotates(FileKind::Credentials, &(key(before, between, after) + end), "default");
        }
    }
}

#[test]
fn odd_profile_names_rotate() {
    for profile in ["a b", "ünï cödé", "say \"hi\"", "it's", "back\\slash", "a/b.c%d@e:f+g", "日本", "profile x", "[x"]
    {
        let before = format!("[{profile}]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
        rotates(FileKind::Credentials, &before, profile);
    }
    for (header, profile) in [
        ("profile 'a b'", "a b"),
        ("profile \"a b\"", "a b"),
        ("profile a\\ b", "a b"),
        ("profile \"it's\"", "it's"),
        ("profile\tdev", "dev"),
        ("profile ünï", "ünï"),
        ("default", "default"),
        ("profile default", "default"),
        // The SDK alone sees these two.
        (" profile dev ", "dev"),
        (" default ", "default"),
    ] {
        let before = format!("[{header}]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
        rotates(FileKind::Config, &before, profile);
    }
}

#[test]
fn missing_keys_follow_the_style_of_their_section() {
    let set = |before: &str, values: &[(&str, &str)]| {
        text(&credentials(before).set(&name("default"), values).unwrap()).to_owned()
    };
    assert_eq!(set("[default]\na=1\n\n[b]\n", &[("region", "x")]), "[default]\na=1\nregion=x\n\n[b]\n");
    assert_eq!(set("[default]\n[b]\n", &[("region", "x")]), "[default]\nregion = x\n[b]\n");
    assert_eq!(set("[default]", &[("region", "x")]), "[default]\nregion = x");
    assert_eq!(set("[default]\r\na =1", &[("region", "x")]), "[default]\r\na =1\r\nregion =x");
    assert_eq!(
        set("[default]\noutput         = json\nmfa_serial     = y\n# end\n", &[("region", "x")]),
        "[default]\noutput         = json\nmfa_serial     = y\nregion         = x\n# end\n"
    );
    assert_eq!(
        set("[default]\na  = 1\nbc = 2\n", &[("region", "x")]),
        "[default]\na  = 1\nbc = 2\nregion = x\n",
        "a key that is wider than the column"
    );
    assert_eq!(
        set("[default]\ns3 =\n  a = b\n\n  c = d\n\nother = 1\n", &[("region", "x")]),
        "[default]\ns3 =\n  a = b\n\n  c = d\n\nother = 1\nregion = x\n"
    );
    assert_eq!(
        set("[default]\ns3 =\n  a = b\n  c = d\n\n", &[("region", "x")]),
        "[default]\ns3 =\n  a = b\n  c = d\nregion = x\n\n",
        "behind the block, not in it"
    );
    assert_eq!(set("[default]\nregion =\n", &[("region", "x")]), "[default]\nregion = x\n");
    assert_eq!(set("[default]\nregion=\n", &[("region", "x")]), "[default]\nregion=x\n");
    assert_eq!(set("[default]\nregion = \r\n", &[("region", "x")]), "[default]\nregion = x\r\n");
}

#[test]
fn missing_sections_are_appended() {
    let add = |kind, before: &str, profile: &str| {
        text(&File::parse(kind, before).set(&name(profile), &[("region", "x")]).unwrap()).to_owned()
    };
    let (credentials, config) = (FileKind::Credentials, FileKind::Config);
    assert_eq!(add(credentials, "", "dev"), "[dev]\nregion = x\n");
    assert_eq!(add(config, "", "default"), "[default]\nregion = x\n");
    assert_eq!(add(config, "[default]\na=1", "dev"), "[default]\na=1\n\n[profile dev]\nregion=x\n");
    assert_eq!(
        add(config, "[default]\r\na=1\r\n\r\n", "a b"),
        "[default]\r\na=1\r\n\r\n[profile 'a b']\r\nregion=x\r\n"
    );
    assert_eq!(add(config, "# only\n", "it's"), "# only\n\n[profile 'it'\"'\"'s']\nregion = x\n");
    assert_eq!(add(config, "[dev]\na = 1\n", "dev"), "[dev]\na = 1\n\n[profile dev]\nregion = x\n");
    assert_eq!(add(credentials, "[profile dev]\n", "dev"), "[profile dev]\n\n[dev]\nregion = x\n");
}

#[test]
fn a_name_that_a_reader_cannot_stand_is_not_written() {
    for profile in ["a#b", "a;b", "a # b"] {
        let error = credentials("").set(&name(profile), &NEW_KEY).unwrap_err();
        assert!(matches!(error, EditError::NotReadBack { .. }), "{profile}: {error}");
    }
    let error = credentials("[x]\n").set(&name("DEFAULT"), &NEW_KEY).unwrap_err();
    assert!(matches!(error, EditError::NotReadBack { .. } | EditError::Disagreement(_)), "{error}");
}

#[test]
fn removed_keys_take_their_lines_along() {
    let before = "[default]\n# one\na = 1\nb =\n  c = d\n\n  e = f\n# two\ng = h\n[z]\na = 1\n";
    let edited = credentials(before).remove(&name("default"), &["a", "b", "nothing"]).unwrap();
    assert_eq!(text(&edited), "[default]\n# one\n\n# two\ng = h\n[z]\na = 1\n");
    let file = credentials("[a]\nx = 1\ny = 2");
    assert_eq!(text(&file.remove(&name("a"), &["y"]).unwrap()), "[a]\nx = 1\n");
    assert_eq!(file.remove(&name("b"), &["y"]).unwrap(), file);
}

#[test]
fn set_and_remove_come_back_to_the_same_bytes() {
    for before in ["[a]\nx = 1\n", "[a]\nx = 1\n\n[b]\ny=2\n", "[a]\r\nx=1\r\n"] {
        let file = credentials(before);
        let set = file.set(&name("a"), &[("region", "r"), ("output", "json")]).unwrap();
        assert_eq!(set.remove(&name("a"), &["region", "output"]).unwrap(), file);
    }
}

#[test]
fn malformed_files_are_named_by_line_and_not_edited() {
    use Fault::{
        ByteOrderMark, DuplicateKey, DuplicateSection, HeaderNotClosed, NoEquals, NoKey, NotNested, NotUtf8,
        OutsideSection, StrayContinuation,
    };
    let both = [Reader::Sdk, Reader::Cli];
    let table: &[(&[u8], usize, Fault, &[Reader])] = &[
        (b"\xef\xbb\xbf[default]\na = 1\n", 1, ByteOrderMark, &both),
        (b"[default]\na = \xff\n", 2, NotUtf8, &both),
        (b"a = 1\n[default]\n", 1, OutsideSection, &both),
        (b"[default\na = 1\n", 1, HeaderNotClosed, &[Reader::Sdk]),
        (b"[default] x\na = 1\n", 1, HeaderNotClosed, &[Reader::Sdk]),
        (b"[a # b]\na = 1\n", 1, HeaderNotClosed, &[Reader::Sdk]),
        (b"[default]\n\nwhat\n", 3, NoEquals, &both),
        (b"[default]\na : 1\n", 2, NoEquals, &[Reader::Sdk]),
        (b"[default]\n= 1\n", 2, NoKey, &both),
        (b"[default]\n  a = 1\n", 2, StrayContinuation, &[Reader::Sdk]),
        (b"[default]\ns3 =\n  what\n", 2, NotNested, &[Reader::Cli]),
        (b"[default]\ns3 =\n  a = b\n  # comment\n", 4, NotNested, &[Reader::Sdk]),
        (b"[default]\na = 1\n[default]\n", 3, DuplicateSection { first: 1 }, &[Reader::Cli]),
        (b"[default]\na = 1\nA = 2\n", 3, DuplicateKey { first: 2 }, &[Reader::Cli]),
    ];
    for (bytes, line, fault, readers) in table {
        let file = File::parse(FileKind::Credentials, *bytes);
        assert_eq!(file.bytes(), *bytes);
        let problem = file.problems().iter().find(|problem| problem.fault == *fault);
        let problem = problem.unwrap_or_else(|| panic!("{fault:?} in {:?}", file.problems()));
        assert_eq!((problem.line, problem.readers.as_slice()), (*line, *readers), "{fault:?}");
        let error = file.set(&name("other"), &NEW_KEY).unwrap_err();
        assert!(matches!(error, EditError::Malformed(_)), "{error}");
        assert!(file.value(&name("default"), "region").is_err());
    }
    let message = File::parse(FileKind::Config, "[default]\nsecret-thing\n").problems()[0].to_string();
    assert_eq!(
        message,
        "config file, line 2: the line has no '='; the AWS SDK for Rust and the AWS CLI cannot read any profile because \
         of it"
    );
}

#[test]
fn a_file_of_nothing_but_faults_is_told_a_hundred_of_them() {
    assert_eq!(credentials(&"no key\n".repeat(300)).problems().len(), 100);
}

#[test]
fn contradictions_are_named_and_only_their_profile_is_refused() {
    let cases = [
        (
            "[bad]\nregion = eu-west-1 # home\n[good]\na = 1\n",
            "profile \"bad\" in the credentials file, line 2: the AWS SDK for Rust sees 9 characters in region, the AWS \
             CLI 16 characters (the CLI takes the comment behind a value for a part of it)",
        ),
        (
            "[good]\na = 1\n[bad]\nx = 1\n\n  2\n",
            "profile \"bad\" in the credentials file, line 4: the AWS SDK for Rust sees 3 characters on 2 lines in x, the \
             AWS CLI 4 characters on 3 lines",
        ),
        (
            "[bad]\n[ bad ]\na = 1\n[good]\n",
            "profile \"bad\" in the credentials file, line 1: the AWS SDK for Rust reads it from the section on line 1, \
             2, the AWS CLI from the one on line 1",
        ),
    ];
    for (before, message) in cases {
        let file = credentials(before);
        assert_eq!(file.problems(), []);
        assert_eq!(file.disagreement(&name("good")), None);
        assert_eq!(file.disagreement(&name("bad")).unwrap().to_string(), message);
        assert!(matches!(file.set(&name("bad"), &NEW_KEY), Err(EditError::Disagreement(_))));
        assert!(file.set(&name("good"), &NEW_KEY).is_ok());
    }
    let inherited = credentials("[DEFAULT]\nregion = x\n[a]\nb = 1\n[c]\nregion = x\n");
    assert!(inherited.disagreement(&name("a")).is_some(), "the CLI sees a region");
    assert!(inherited.disagreement(&name("c")).is_none());
    assert!(matches!(inherited.set(&name("DEFAULT"), &NEW_KEY), Err(EditError::Disagreement(_))));
    let quoted = config("[profile a]\nregion = x\n[profile 'a']\nregion = x\n");
    assert!(quoted.disagreement(&name("a")).is_some(), "the SDK sees the first section, the CLI the last");
    let comment = credentials("[bad]\nregion = eu-west-1 # home\n[good]\na = 1\n");
    assert!(comment.value(&name("bad"), "region").is_err(), "which of the two values is not told");
    let defaults = config("[profile default]\na = 1\n[default]\nb = 2\n");
    assert!(defaults.disagreement(&name("default")).is_some(), "the SDK takes the first, the CLI the last");
    let defaults = config("[default]\nb = 2\n[profile default]\na = 1\n");
    assert_eq!(defaults.disagreement(&name("default")), None);
    assert_eq!(defaults.value(&name("default"), "a"), Ok(Some("1")));
    assert_eq!(defaults.value(&name("default"), "b"), Ok(None));
}

#[test]
fn who_sees_a_profile_is_told() {
    let file = config("[profile 'a b']\n[ profile c ]\n[profile d]\n[e]\n[sso-session f]\n[profile g h]\n");
    let seen: Vec<_> = ["a b", "c", "d", "e", "f", "g"].map(|profile| file.seen_by(&name(profile))).into();
    let (cli, sdk, both) = (Some(SeenBy::CliOnly), Some(SeenBy::SdkOnly), Some(SeenBy::Both));
    assert_eq!(seen, [cli, sdk, both, None, None, None]);
    assert_eq!(file.sections().map(|section| section.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let others = config("[sso-session f]\n[services s]\n[plugins p]\n");
    let kinds = [SeenAs::SsoSession("f".into()), SeenAs::Services("s".into()), SeenAs::Other];
    for (section, kind) in others.sections().zip(&kinds) {
        assert_eq!((section.sdk, section.cli), (Some(kind), Some(kind)));
    }
}

#[test]
fn values_that_a_file_cannot_hold_are_refused_without_being_repeated() {
    let file = credentials("[a]\nx = 1\n");
    for (value, reason) in [
        ("", "is empty"),
        ("a\nb", "contains a line break or another control character"),
        ("a\tb", "contains a line break or another control character"),
        (" a", "has white space at an end"),
    ] {
        let error = file.set(&name("a"), &[("region", value)]).unwrap_err().to_string();
        assert_eq!(error, format!("the new value of region {reason}"));
    }
    // The SDK would take the rest for a comment.
    assert!(matches!(file.set(&name("a"), &[("region", "a #b")]), Err(EditError::NotReadBack { .. })));
    for key in ["", "a b", "a:b", "Region", "a=b", "[x", "#x", "ü"] {
        assert!(matches!(file.set(&name("a"), &[(key, "v")]), Err(EditError::Key { .. })), "{key}");
    }
    let twice = file.set(&name("a"), &[("region", "a"), ("region", "b")]).unwrap_err().to_string();
    assert_eq!(twice, "the new value of region is given twice");
    let more = credentials("[a]\nx = 1\n  2\n");
    assert!(matches!(more.set(&name("a"), &[("x", "3")]), Err(EditError::MultiLine { line: 2, .. })));
}

#[test]
fn keys_in_nested_blocks_are_neither_read_nor_edited() {
    let before = format!("[a]\ns3 =\n  aws_access_key_id = {ID}\n  aws_secret_access_key = {SECRET}\n");
    let file = credentials(&before);
    assert_eq!(file.value(&name("a"), "aws_access_key_id"), Ok(None));
    let edited = file.set(&name("a"), &NEW_KEY).unwrap();
    assert_eq!(text(&edited), format!("{before}aws_access_key_id = {NEW_ID}\naws_secret_access_key = {NEW_SECRET}\n"));
}

#[test]
fn debug_shows_no_content() {
    let file = credentials(&format!("[a]\naws_secret_access_key = {SECRET}\n"));
    assert_eq!(format!("{file:?}"), "File { kind: Credentials, bytes: 69, sections: 1, problems: 0 }");
}

#[test]
fn two_files_are_the_same_in_kind_and_bytes() {
    assert_eq!(credentials("[a]\n"), credentials("[a]\n"));
    assert_ne!(credentials("[a]\n"), credentials("[b]\n"));
    assert_ne!(credentials("[default]\n"), config("[default]\n"));
}
