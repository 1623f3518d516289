//! The readers against the originals: the parser of the AWS SDK for Rust (crate `aws-runtime`) and botocore, which the
//! AWS CLI reads with; over AWS's published cases, files made by hand, and files made at random and mangled.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use akia_core::ProfileName;
use akia_core::profile::{EditError, File, FileKind, Profiles, Reader, SeenAs, SeenBy, Trouble};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_types::os_shim_internal::{Env, Fs};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const NEW_KEY: [(&str, &str); 2] = [
    ("aws_access_key_id", "AKIAI44QH8DHBEXAMPLE"),
    ("aws_secret_access_key", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"),
];

/// What an original sees in a file: profiles with their settings, nested blocks as `key=value` lines.
type Seen = BTreeMap<String, BTreeMap<String, String>>;

// --- The SDK for Rust -------------------------------------------------------------------------------------------------

/// The SDK's reading of both files, or the line that it stops at.
fn sdk(credentials: &[u8], config: &[u8]) -> Result<EnvConfigSections, String> {
    let environment =
        Env::from_slice(&[("AWS_SHARED_CREDENTIALS_FILE", "/credentials"), ("AWS_CONFIG_FILE", "/config")]);
    let files = [("/credentials".to_owned(), credentials.to_vec()), ("/config".to_owned(), config.to_vec())];
    let file_system = Fs::from_map(HashMap::from(files));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let places = EnvConfigFiles::default();
    let loading = aws_runtime::env_config::source::load(&environment, &file_system, &places);
    let source = runtime.block_on(loading).unwrap();
    EnvConfigSections::parse(source).map_err(|error| error.to_string())
}

fn sdk_one(kind: FileKind, bytes: &[u8]) -> Result<EnvConfigSections, String> {
    match kind {
        FileKind::Credentials => sdk(bytes, b""),
        FileKind::Config => sdk(b"", bytes),
    }
}

/// The SDK does not list the keys of a profile, so all that could be one are asked for.
fn possible_keys(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let split = |line| [str::split_once(line, '='), str::split_once(line, ['=', ':'])];
    let keys = text.split(['\n', '\r']).flat_map(split).flatten().map(|(key, _)| key);
    let keys = keys.flat_map(|key| [key, key.trim(), key.trim_matches([' ', '\t'])]).map(str::to_ascii_lowercase);
    keys.chain(["aws_access_key_id", "aws_secret_access_key", "region"].map(str::to_owned)).collect()
}

fn sdk_settings(sections: &EnvConfigSections, profile: &str, keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    let profile = sections.get_profile(profile).unwrap();
    keys.iter().filter_map(|key| Some((key.clone(), profile.get(key)?.to_owned()))).collect()
}

/// Our reading as the SDK against the SDK's own.
fn check_against_sdk(file: &File) -> Result<(), TestCaseError> {
    let original = sdk_one(file.kind(), file.bytes());
    let first = file.problems().iter().find(|problem| problem.readers.contains(&Reader::Sdk));
    let not_utf8 = std::str::from_utf8(file.bytes()).is_err();
    match (original, first) {
        // The SDK takes such a file for an empty one; to akia it is a problem.
        (Ok(sections), Some(_)) if not_utf8 => prop_assert!(sections.is_empty()),
        (Err(error), Some(problem)) => {
            prop_assert!(error.contains(&format!("on line {}:", problem.line)), "{error} is not {problem}");
        }
        (Err(error), None) => prop_assert!(false, "the SDK refuses what we read: {error}"),
        (Ok(_), Some(problem)) => prop_assert!(false, "the SDK reads what we refuse: {problem}"),
        (Ok(sections), None) => {
            let theirs: BTreeSet<&str> = sections.profiles().collect();
            prop_assert_eq!(&theirs, &file.names_seen_by(Reader::Sdk).collect());
            let keys = possible_keys(file.bytes());
            for profile in theirs.into_iter().filter(|profile| is_certain(file, profile)) {
                let ours = file.settings_seen_by(Reader::Sdk, profile).unwrap();
                let ours: BTreeMap<String, String> = ours.into_iter().map(|(k, v)| (k, v.to_owned())).collect();
                prop_assert_eq!(sdk_settings(&sections, profile, &keys), ours, "profile {:?}", profile);
            }
        }
    }
    Ok(())
}

/// Sections of one profile whose headers are spelled differently are merged by the SDK in the order of a hash map.
fn is_certain(file: &File, profile: &str) -> bool {
    let headers: BTreeSet<&str> = file
        .sections()
        .filter(|section| section.sdk == Some(&SeenAs::Profile(profile.to_owned())))
        .map(|section| section.header)
        .collect();
    headers.len() < 2 || (profile == "default" && headers.len() == 2 && headers.contains("default"))
}

/// A lone carriage return ends a line for the CLI alone, and it alone passes over other white space than blanks and tabs
/// in front of a line: what is one line to one reader is a section to the other, and a new line may find no place. So does a colon in
/// front of the first `=`, which parts name and value for the CLI alone.
fn lines_differ(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let parts_at_colon = |line: &str| line.find([':', '=']).is_some_and(|at| line[at..].starts_with(':'));
    if text.split('\n').any(parts_at_colon) {
        return true;
    }
    let odd = |line: &str| line.chars().find(|c| !" \t".contains(*c)).is_some_and(|c| c.is_whitespace() || c < ' ');
    text.contains('\r') || text.split('\n').any(odd)
}

/// What must hold for every file: against the SDK, and before and after an edit.
fn check_file(file: &File, bytes: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!(file.bytes(), bytes);
    check_against_sdk(file)?;
    let keys = possible_keys(bytes);
    for profile in file.profiles() {
        let agreed = file.disagreement(&profile).is_none();
        if agreed && file.seen_by(&profile) == Some(SeenBy::Both) {
            let sections = sdk_one(file.kind(), bytes).unwrap();
            for (key, value) in sdk_settings(&sections, profile.as_str(), &keys) {
                let ours = file.value(&profile, &key).unwrap().unwrap_or_default();
                let without_blank_lines =
                    |value: &str| value.lines().filter(|line| !line.is_empty()).collect::<String>();
                if value.starts_with('\n') {
                    prop_assert_eq!(without_blank_lines(ours), without_blank_lines(&value));
                } else {
                    prop_assert_eq!(ours, value.as_str());
                }
            }
        }
        match file.set(&profile, &NEW_KEY) {
            Ok(edited) => {
                prop_assert!(agreed, "a profile in dispute was edited");
                check_edit(file, &edited, &profile)?;
            }
            Err(EditError::MultiLine { .. }) => prop_assert!(agreed),
            Err(EditError::NotReadBack { .. }) => prop_assert!(lines_differ(bytes), "{profile} was not read back"),
            Err(error) => prop_assert!(!agreed, "{error} in an agreed profile"),
        }
    }
    Ok(())
}

/// The SDK's reading of the edited file differs in the edited values only, and the bytes in nothing else.
fn check_edit(before: &File, after: &File, profile: &ProfileName) -> Result<(), TestCaseError> {
    let values = NEW_KEY.map(|(_, value)| value);
    prop_assert_eq!(NEW_KEY.map(|(key, _)| after.value(profile, key).unwrap().unwrap()), values);
    let (old, new) = (sdk_one(before.kind(), before.bytes()).unwrap(), sdk_one(after.kind(), after.bytes()).unwrap());
    let keys: BTreeSet<String> = &possible_keys(before.bytes()) | &possible_keys(after.bytes());
    let names: BTreeSet<&str> = old.profiles().collect();
    prop_assert_eq!(&names, &new.profiles().collect());
    for name in names.into_iter().filter(|name| is_certain(before, name)) {
        let mut expected = sdk_settings(&old, name, &keys);
        if name == profile.as_str() {
            expected.extend(NEW_KEY.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        prop_assert_eq!(expected, sdk_settings(&new, name, &keys), "profile {:?}", name);
    }
    // All lines that do not hold the new values stand in both files, in the same order, byte for byte.
    let lines = |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (old, new) = (lines(before.bytes()), lines(after.bytes()));
    let holds_new =
        |line: &[u8]| values.iter().any(|value| line.windows(value.len()).any(|part| part == value.as_bytes()));
    let mut rest = old.iter();
    let with_break = |line: &[u8]| line.strip_suffix(b"\r").map(<[u8]>::to_vec);
    for line in new.iter().filter(|line| !holds_new(line)) {
        let found = rest.any(|old| old == line || with_break(line).as_ref() == Some(old));
        prop_assert!(found, "a line is changed or new: {:?}", String::from_utf8_lossy(line));
    }
    Ok(())
}

// --- Files made at random ---------------------------------------------------------------------------------------------

/// Bytes that show as text where a case fails.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&show(&self.0))
    }
}

/// One of some texts.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn names() -> impl Strategy<Value = String> {
    one_of(&[
        "default",
        "dev",
        "prod",
        "a b",
        "ünï",
        "\"q\"",
        "dev-long-term",
        "x",
        "DEFAULT",
        "profile",
        "s3",
        "it's",
        "",
        "sso-session",
        "a#b",
        "ends ",
        "\u{a0}",
        "a.b/c%d@e:f+g",
    ])
}

fn header() -> impl Strategy<Value = String> {
    let shape = one_of(&[
        "[N]",
        "[N]",
        "[N]",
        "[profile N]",
        "[profile N]",
        "[profile N]",
        "[ N ]",
        "[profile  N]",
        "[profile\tN]",
        "[profile 'N']",
        "[profile \"N\"]",
        "[N] # comment",
        "[N]; comment",
        "[N] x",
        "[N",
        "[]",
        "[N]]",
        "  [N]",
        "[sso-session N]",
        "[services N]",
        "[profileN]",
        "[profilex N]",
        "[profile N M]",
        "[profile 'N]",
        "[[N]",
        "[N] = 1",
        "[services\u{a0}N]",
    ]);
    (shape, names()).prop_map(|(shape, name)| shape.replace('N', &name))
}

fn key() -> impl Strategy<Value = String> {
    one_of(&[
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "region",
        "output",
        "s3",
        "A_Key",
        "in valid",
        "ünï",
        "k:v",
        "x",
        "y",
        "z",
        "w",
        "a#b",
        "",
        "credential_process",
    ])
}

fn value() -> impl Strategy<Value = String> {
    one_of(&[
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "eu-west-1",
        "json",
        "",
        "",
        "v # comment",
        "v#no-comment",
        "v ; comment",
        "v\t#c",
        "a=b",
        "a = b",
        "ünï",
        "\0",
        "\u{a0}v",
        "v\u{2028}w",
        "[x]",
        "# c",
        "\"q\"",
        "%(x)s",
        "v\u{b}",
        "\u{1c}v",
        "v\u{85}#c",
    ])
}

fn property() -> impl Strategy<Value = String> {
    let between = one_of(&["=", " = ", " = ", "\t=\t", "     = ", " =", ": ", " "]);
    (key(), between, value()).prop_map(|(key, between, value)| format!("{key}{between}{value}"))
}

fn continuation() -> impl Strategy<Value = String> {
    let indent = one_of(&[" ", "  ", "    ", "\t", "\t ", "\u{b}", "\u{a0}", "\u{3000} "]);
    let rest = prop_oneof![
        4 => property(),
        2 => value(),
        1 => header(),
        1 => one_of(&["# c", ";c", "aws_access_key_id = nested", "max = 5 # c"]),
    ];
    (indent, rest).prop_map(|(indent, rest)| indent + &rest)
}

fn blank() -> impl Strategy<Value = String> {
    one_of(&["", "", " ", "\t \t", "# comment", "; comment", "  # indented", "\u{a0}", "\u{c}", "#"])
}

fn line_end() -> impl Strategy<Value = String> {
    prop_oneof![40 => Just("\n"), 4 => Just("\r\n"), 1 => Just("\r"), 1 => Just("")].prop_map(str::to_owned)
}

/// Anything goes: most of these files are malformed.
fn wild() -> impl Strategy<Value = Bytes> {
    let line = prop_oneof![3 => header(), 6 => property(), 2 => continuation(), 2 => blank()];
    let mark = prop_oneof![30 => Just(""), 1 => Just("\u{feff}")];
    (mark, prop::collection::vec((line, line_end()), 0..14), any::<u16>(), any::<u8>()).prop_map(
        |(mark, lines, at, byte)| {
            let text: String = lines.into_iter().map(|(line, end)| line + &end).collect();
            let mut bytes = [mark.as_bytes(), text.as_bytes()].concat();
            // A byte somewhere becomes another one, in one file of eight.
            if byte % 8 == 0 && !bytes.is_empty() {
                let length = bytes.len();
                bytes[usize::from(at) % length] = byte;
            }
            Bytes(bytes)
        },
    )
}

/// Files that mostly make sense: sections and keys that do not repeat, so that what lies deeper is reached.
fn tame(kind: FileKind) -> impl Strategy<Value = Bytes> {
    let sections = prop::sample::subsequence(
        &["default", "dev", "prod", "a b", "ünï", "it's", "dev-long-term", "a.b@c", "DEFAULT", "\"q\""][..],
        0..6,
    );
    let keys = prop::sample::subsequence(
        &["aws_access_key_id", "aws_secret_access_key", "region", "s3", "output", "In valid", "ünï", "x"][..],
        0..6,
    );
    let value = prop_oneof![
        12 => one_of(&["AKIAIOSFODNN7EXAMPLE", "eu-west-1", "a=b", "v#w", "ünï", "json"]),
        1 => value(),
    ];
    let below = prop_oneof![
        8 => Just(String::new()),
        2 => one_of(&["\n  max = 5", "\n  a = b\n\n  aws_access_key_id = c", "\n\tmore=1", "\n    # c", "\n\n\n"]),
        1 => continuation().prop_map(|line| format!("\n{line}")),
    ];
    let between = one_of(&["=", " = ", "     = "]);
    let entry = (between, value, below, prop::option::weighted(0.1, blank()));
    let body = (keys, prop::collection::vec(entry, 6), any::<bool>());
    (sections, prop::collection::vec(body, 6), prop::bool::weighted(0.15), any::<bool>()).prop_map(
        move |(sections, bodies, returns, last_break)| {
            let mut text = String::new();
            for (section, (keys, entries, prefixed)) in sections.into_iter().zip(bodies) {
                text += &match (kind, section) {
                    (FileKind::Config, "default") if !prefixed => "[default]\n".to_owned(),
                    (FileKind::Config, "a b") => "[profile 'a b']\n".to_owned(),
                    (FileKind::Config, "it's") => "[profile \"it's\"]\n".to_owned(),
                    (FileKind::Config, _) => format!("[profile {section}]\n"),
                    (FileKind::Credentials, _) => format!("[{section}]\n"),
                };
                for (key, (between, value, below, blank)) in keys.into_iter().zip(entries) {
                    // A nested block has nothing behind its key.
                    let value = if below.trim().contains('=') && value.len() > 2 { String::new() } else { value };
                    text += &format!("{key}{between}{value}{below}\n");
                    text += &blank.map(|blank| blank + "\n").unwrap_or_default();
                }
            }
            let text = if last_break { text.as_str() } else { text.trim_end_matches('\n') };
            Bytes(if returns { text.replace('\n', "\r\n").into_bytes() } else { text.as_bytes().to_vec() })
        },
    )
}

fn kind() -> impl Strategy<Value = FileKind> {
    prop_oneof![Just(FileKind::Credentials), Just(FileKind::Config)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wild_files_are_read_and_edited_as_the_sdk_reads_them(kind in kind(), bytes in wild()) {
        check_file(&File::parse(kind, bytes.0.clone()), &bytes.0)?;
    }

    #[test]
    fn tame_files_are_read_and_edited_as_the_sdk_reads_them(
        (kind, bytes) in kind().prop_flat_map(|kind| (Just(kind), tame(kind)))
    ) {
        check_file(&File::parse(kind, bytes.0.clone()), &bytes.0)?;
    }

    #[test]
    fn any_bytes_are_kept(kind in kind(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let file = File::parse(kind, bytes.clone());
        prop_assert_eq!(file.bytes(), &bytes);
        check_against_sdk(&file)?;
    }

    #[test]
    fn both_files_merge_as_in_the_sdk(credentials in tame(FileKind::Credentials), config in tame(FileKind::Config)) {
        let files = [
            File::parse(FileKind::Credentials, credentials.0.clone()),
            File::parse(FileKind::Config, config.0.clone()),
        ];
        let profiles = Profiles::merge(Some(&files[0]), Some(&files[1]));
        match sdk(&credentials.0, &config.0) {
            Err(_) => prop_assert!(profiles.iter().all(|profile| matches!(profile.trouble, Some(Trouble::Problem(_))))),
            Ok(sections) => {
                for profile in profiles.iter().filter(|profile| profile.trouble.is_none()) {
                    if profile.seen_by == SeenBy::CliOnly {
                        prop_assert!(sections.get_profile(profile.name.as_str()).is_none());
                        continue;
                    }
                    let original = sections.get_profile(profile.name.as_str()).unwrap();
                    for (key, value) in profile.values.iter().filter(|(key, _)| key.is_ascii() && !key.contains(' ')) {
                        prop_assert_eq!(original.get(key), Some(value), "{} of {}", key, profile.name);
                    }
                    for key in &profile.keys {
                        let held_by = if key.file == FileKind::Config { &files[1] } else { &files[0] };
                        prop_assert_eq!(held_by.value(&profile.name, "aws_access_key_id").unwrap(), Some(key.id.as_str()));
                    }
                }
            }
        }
    }
}

// --- AWS's published cases --------------------------------------------------------------------------------------------

#[test]
#[expect(clippy::disallowed_methods, reason = "the cases lie in the sources of the SDK, outside this crate")]
fn the_published_cases_of_the_sdk_are_read_as_published() {
    // Without the filter cargo wants the crates of every platform, which a fresh machine has no reason to hold.
    let arguments = ["metadata", "--format-version", "1", "--offline", "--filter-platform", &host()];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let manifest = packages.iter().find(|package| package["name"] == "aws-runtime").unwrap()["manifest_path"].as_str();
    let path = PathBuf::from(manifest.unwrap()).with_file_name("test-data").join("profile-parser-tests.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Value = serde_json::from_str(&text).unwrap();
    let cases = cases["tests"].as_array().unwrap();
    assert!(cases.len() >= 65, "AWS published 65 cases; found {}", cases.len());
    for case in cases {
        let case_name = case["name"].as_str().unwrap();
        let file = |kind, field| File::parse(kind, case["input"][field].as_str().unwrap_or_default());
        let files = [file(FileKind::Config, "configFile"), file(FileKind::Credentials, "credentialsFile")];
        let refused = files.iter().flat_map(File::problems).any(|problem| problem.readers.contains(&Reader::Sdk));
        assert_eq!(refused, case["output"].get("errorContaining").is_some(), "{case_name}");
        if refused {
            continue;
        }
        let mut seen = Seen::new();
        for file in &files {
            for name in file.names_seen_by(Reader::Sdk) {
                let settings = file.settings_seen_by(Reader::Sdk, name).unwrap();
                let settings = settings.into_iter().map(|(key, value)| (key, value.to_owned()));
                seen.entry(name.to_owned()).or_default().extend(settings);
            }
        }
        let expected: Seen = serde_json::from_value(case["output"]["config"]["profiles"].clone()).unwrap();
        assert_eq!(seen, expected, "{case_name}");
    }
}

/// The platform that this machine builds for, as cargo names it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

// --- botocore ---------------------------------------------------------------------------------------------------------

/// Asks botocore about many files at once.
#[expect(clippy::disallowed_methods, reason = "the test finds the venv as the test harness says")]
fn botocore(cases: &[Value]) -> Vec<Value> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = std::env::var_os("AKIA_TEST_VENV").map_or_else(|| workspace.join("target/venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "{} is missing: run cargo xtask venv", python.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/profile_botocore.py");
    let mut child = Command::new(python)
        .arg(script)
        .env_clear()
        .envs([("PYTHONUTF8", "1"), ("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nonexistent")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = serde_json::to_vec(cases).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "profile_botocore.py failed; if botocore is missing, run cargo xtask venv");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let sextet = bits >> (18 - 6 * index) & 63;
            text.push(if index <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

/// A setting as botocore gives it out: nested blocks are split.
fn as_botocore(value: &str) -> Value {
    if !value.starts_with('\n') {
        return json!(value);
    }
    let separators = ['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}'];
    let strip =
        |text: &str| text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)).to_owned();
    let pairs = value.split(separators).filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (strip(key), json!(strip(value)))).collect::<serde_json::Map<_, _>>().into()
}

fn show(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

fn check_against_botocore(file: &File, answer: &Value) {
    let shown = show(file.bytes());
    let refused = file.problems().iter().find(|problem| problem.readers.contains(&Reader::Cli));
    match (answer.get("error"), refused) {
        (Some(_), Some(_)) => return,
        (Some(error), None) => panic!("botocore refuses what we read ({error}): {shown}"),
        (None, Some(problem)) => panic!("botocore reads what we refuse ({problem}): {shown}"),
        (None, None) => {}
    }
    let ours: serde_json::Map<String, Value> = file
        .names_seen_by(Reader::Cli)
        .map(|name| {
            let settings = file.settings_seen_by(Reader::Cli, name).unwrap();
            let settings: serde_json::Map<_, _> = settings.into_iter().map(|(k, v)| (k, as_botocore(v))).collect();
            (name.to_owned(), settings.into())
        })
        .collect();
    assert_eq!(Value::from(ours), answer["profiles"], "{shown}");
    let named = |wanted: fn(&SeenAs) -> Option<&String>| -> BTreeSet<String> {
        file.sections().filter_map(|section| wanted(section.cli?).cloned()).collect()
    };
    let theirs = |field: &str| serde_json::from_value::<BTreeSet<String>>(answer[field].clone()).unwrap();
    assert_eq!(
        named(|s| if let SeenAs::SsoSession(n) = s { Some(n) } else { None }),
        theirs("sso_sessions"),
        "{shown}"
    );
    assert_eq!(named(|s| if let SeenAs::Services(n) = s { Some(n) } else { None }), theirs("services"), "{shown}");
}

#[test]
fn files_are_read_and_edited_as_botocore_reads_them() {
    let mut runner = TestRunner::deterministic();
    let mut draw = |strategy: BoxedStrategy<Bytes>| strategy.new_tree(&mut runner).unwrap().current().0;
    let mut files: Vec<File> = Vec::new();
    for text in BY_HAND {
        files.extend([FileKind::Credentials, FileKind::Config].map(|kind| File::parse(kind, *text)));
    }
    for _ in 0..600 {
        for kind in [FileKind::Credentials, FileKind::Config] {
            files.push(File::parse(kind, draw(wild().boxed())));
            files.push(File::parse(kind, draw(tame(kind).boxed())));
        }
    }
    // Each file that lets itself be edited goes in once more, edited, with the place of what it was.
    let mut edited: Vec<(usize, ProfileName)> = Vec::new();
    for index in 0..files.len() {
        for profile in files[index].profiles() {
            if let Ok(file) = files[index].set(&profile, &NEW_KEY) {
                files.push(file);
                edited.push((index, profile));
            }
        }
    }
    assert!(edited.len() > 500, "only {} of the files could be edited", edited.len());
    let case = |file: &File| {
        let kind = if file.kind() == FileKind::Config { "config" } else { "credentials" };
        json!({ "kind": kind, "bytes": base64(file.bytes()) })
    };
    let answers = botocore(&files.iter().map(case).collect::<Vec<_>>());
    let readable = answers.iter().filter(|answer| answer.get("error").is_none()).count();
    assert!(readable > answers.len() / 3, "only {readable} of {} files say anything", answers.len());
    for (file, answer) in files.iter().zip(&answers) {
        check_against_botocore(file, answer);
    }
    let first_edited = files.len() - edited.len();
    for (offset, (index, profile)) in edited.iter().enumerate() {
        let mut expected = answers[*index].clone();
        if files[*index].seen_by(profile) != Some(SeenBy::SdkOnly) {
            for (key, value) in NEW_KEY {
                expected["profiles"][profile.as_str()][key] = json!(value);
            }
            assert_eq!(answers[first_edited + offset], expected, "{}", show(files[*index].bytes()));
        }
    }
}

/// Files with one trap each.
const BY_HAND: &[&str] = &[
    "",
    "\n",
    "[default]",
    "[default]\r\na = 1\r\nb = 2\r\n",
    "[default]\ra = 1\rb = 2\r",
    "[default]\na = 1 # c\nb = 2 ; c\nc = 3#c\n",
    "[default]\na = 1\n\n\n  2\n # c\n  3\n",
    "[default]\ns3 =\n  a = b\n    c = d\n\n  e = f\n# c\n  g = h\n",
    "[default]\ns3 =\n\n  a = b\n",
    "[default]\ns3 =\n  a\n",
    "[default]\ns3 =\n  # c\n",
    "[default]\na : 1\nb:2\nc = d : e\nd : e = f\n",
    "[DEFAULT]\na = 1\n[x]\nb = 2\n[profile x]\nb = 2\n[default]\n",
    "[DEFAULT]\na = 1\n[DEFAULT]\nb = 1\n[x]\n",
    "[DEFAULT]\na = 1\n[DEFAULT]\na = 1\n[x]\n",
    "[default]\na = 1\n[profile default]\na = 2\n",
    "[profile default]\na = 1\n[default]\na = 2\n",
    "[profile x]\na = 1\n[profile 'x']\na = 2\n[profilex x]\na = 3\n",
    "[profile x]\na = 1\n[profile  x]\na = 2\n",
    "[profile a b]\n[profile 'a b']\n[profile \"c \\\" d\"]\n[profile e\\ f]\n[profile 'g]\n[profile ]\n[profile '']\n",
    "[ default ]\n[ profile x ]\n[x ]\n",
    "[a]b]\n[c] # ]\n[d]]\n",
    "[]\n",
    "  [x]\n  a = 1\n  b = 2\n",
    "[x]\n  a = 1\nb = 2\n",
    "[x]\n\u{a0}a = 1\nb = 2\u{a0}\n\u{2028}c = 3\n",
    "[x]\nA = 1\nÄ = 2\nİ = 3\n",
    "[x]\nA = 1\na = 2\n",
    "[x]\n[x]\n",
    "[x]\n= 1\n",
    "[x]\nwhat\n",
    "x = 1\n[x]\n",
    "\u{feff}[x]\n",
    "[x]\na = \0\n\0 = b\n",
    "[sso-session s]\nsso_region = x\n[services v]\niam =\n  endpoint_url = http://x\n[sso-sessions t]\n",
];

#[test]
fn merged_profiles_are_those_of_botocore() {
    let key = |id: &str| {
        format!("aws_access_key_id = {id}\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n")
    };
    let (one, two) = ("AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE");
    let credentials = [
        format!("[default]\n{}region = eu-west-1\n", key(one)),
        format!("[both]\n{}", key(one)),
        format!("[token]\n{}aws_session_token = t\n", key("ASIAIOSFODNN7EXAMPLE")),
        format!("[old]\n{}aws_security_token = t\n", key(one)),
        format!("[role]\n{}", key(one)),
        "[half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n".to_owned(),
        "[other-half]\naws_secret_access_key = x\n".to_owned(),
        format!("[a b]\n{}", key(two)),
        format!("[split]\naws_access_key_id = {one}\n"),
    ];
    let config = [
        "[default]\nregion = us-east-1\noutput = json\n".to_owned(),
        format!("[profile both]\n{}", key(two)),
        format!("[profile in-config]\n{}", key(two)),
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = role\n".to_owned(),
        "[profile settings]\nregion = eu-west-1\n".to_owned(),
        "[profile split]\naws_secret_access_key = x\n".to_owned(),
    ];
    let (credentials, config) = (credentials.concat(), config.concat());
    let files =
        [File::parse(FileKind::Credentials, credentials.as_str()), File::parse(FileKind::Config, config.as_str())];
    let profiles = Profiles::merge(Some(&files[0]), Some(&files[1]));
    let cases: Vec<Value> = profiles
        .iter()
        .map(|profile| {
            let (credentials, config) = (base64(credentials.as_bytes()), base64(config.as_bytes()));
            json!({ "credentials": credentials, "config": config, "profile": profile.name.as_str() })
        })
        .collect();
    for (profile, answer) in profiles.iter().zip(botocore(&cases)) {
        use akia_core::profile::ProfileKind::{Empty, IncompleteKey, Role, StaticKey, Temporary};
        let method = |file: &FileKind| match file {
            FileKind::Credentials => "shared-credentials-file",
            FileKind::Config => "config-file",
        };
        let name = &profile.name;
        for (key, value) in profile.values.iter() {
            assert_eq!(answer["settings"][key], value, "{key} of {name}");
        }
        match &profile.kind {
            StaticKey { id, file } => {
                assert_eq!(
                    (answer["id"].as_str(), answer["method"].as_str()),
                    (Some(id.as_str()), Some(method(file))),
                    "{name}"
                );
                assert!(answer["token"].is_null(), "{name}");
            }
            Temporary { id, file, .. } => {
                assert_eq!(
                    (answer["id"].as_str(), answer["method"].as_str()),
                    (Some(id.as_str()), Some(method(file))),
                    "{name}"
                );
                assert_eq!(answer["token"], "t", "{name}");
            }
            Role { .. } => assert_eq!(answer["method"], "assume-role", "{name}"),
            IncompleteKey { .. } if name.as_str() == "other-half" => assert!(answer.get("method").is_none(), "{name}"),
            IncompleteKey { .. } => assert_eq!(answer["refused"], "PartialCredentialsError", "{name}"),
            Empty => assert!(answer.get("method").is_none(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(profiles.len(), 11);
}
