//! No secret leaves the credentials file: planted secrets are looked for in everything that a run prints and leaves.

use akia_sandbox::{Fault, FaultKind};

use crate::hand::keys_of;
use crate::support::{Backend, Home, Key, Ran};

/// Stands for whatever AWS's answer may hold: no part of a raw answer is shown.
const BODY: &str = "canaryInTheAnswerOfAws0123456789";

#[test]
fn nothing_printed_and_nothing_left_holds_a_secret() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob, cat) = (cloud.user("ann"), cloud.user("bob"), cloud.user("cat"));
    let serial = cloud.mfa_device("ann");
    let session = Key::from_answer(&cloud.aws_as(&ann.key, &["sts", "get-session-token"]).done().json());
    let eve = cloud.user("eve");
    let home = Home::new(&cloud)
        .profile("ann", &ann.key)
        .profile("bob", &bob.key)
        .profile("typo", &bob.key.mistyped())
        .profile("session", &session)
        .profile("cat", &cat.key)
        .file(".aws/config", format!("[profile ann]\nmfa_serial = {serial}\n"))
        .file("accessKeys.csv", format!("Access key ID,Secret access key\r\n{},{}\r\n", eve.key.id, eve.key.secret))
        .with("RUST_LOG", "trace")
        .with("AKIA_LOG", "trace")
        .with("LOG_SENSITIVE_BODIES", "true")
        .with("RUST_BACKTRACE", "full");
    let mut said: Vec<Ran> = Vec::new();
    let mut secrets =
        vec![ann.key.clone(), bob.key.clone(), bob.key.mistyped(), cat.key.clone(), session, eve.key.clone()];
    let code = cloud.mfa_code(&serial);
    let garbage = || FaultKind::Garbage(format!("<html>{BODY}</html>").into_bytes());

    for output in ["table", "json", "csv"] {
        said.push(home.akia(&["status", "-vv", "--output", output]));
        said.push(home.akia(&["rotate", "-a", "--dry-run", "-vv", "--show-aws-cli", "--output", output]));
    }
    said.push(home.akia(&["rotate", "-p", "ann", "--yes", "-vv", "--mfa-code", "123456"]).exited(1));
    cloud.sandbox().inject(Fault::on("GetCallerIdentity", garbage()));
    said.push(home.akia(&["rotate", "-p", "bob", "--yes", "-vv"]).exited(1));
    cloud.sandbox().inject(Fault::on("ListAccessKeys", garbage()));
    said.push(home.akia(&["rotate", "-p", "bob", "--yes", "-vv"]).exited(1));
    // The typing error of one section must not keep the others from their turn, nor its secret be shown.
    said.push(home.akia(&["rotate", "-a", "--yes", "-vv", "--mfa-code", &code, "--output", "json", "--show-aws-cli"]));
    secrets.extend([keys_of(&home, "ann"), keys_of(&home, "cat")]);
    for (profile, old) in [("ann", &ann), ("cat", &cat)] {
        assert_ne!(keys_of(&home, profile).id, old.key.id, "something was rotated: {:?}", said.last());
    }
    said.push(home.akia(&["history", "-vv", "--output", "json"]).done());
    let id = said.last().unwrap().json()["rotations"][0]["rotation"].as_str().unwrap().to_owned();
    said.push(home.akia(&["history", "show", &id, "-vv", "--output", "json"]).done());
    let left_in_grace = home.everything();
    said.push(home.akia(&["undo", "-p", "cat", "--yes", "-vv", "--show-aws-cli"]).done());
    let code_of_retire = cloud.mfa_code(&serial);
    said.push(home.akia(&["retire", &id, "--now", "--yes", "-vv", "--show-aws-cli", "--mfa-code", &code_of_retire]));
    said.push(home.akia(&["resume", "-vv"]));
    said.push(home.akia(&["setup", "eve", "--from-csv", "accessKeys.csv", "--yes", "-vv", "--region", "eu-west-1"]));
    assert_eq!(keys_of(&home, "eve").id, eve.key.id, "{:?}", said.last());
    said.push(home.akia(&["credentials", "eve", "-vv"]));
    said.push(home.akia(&["setup", "x", "--from-csv", "accessKeys.csv", "--yes", &eve.key.secret]).exited(2));
    // A secret where an id belongs, with and without the characters that only a secret has.
    let plain = Key { secret: "aB3d".repeat(10), ..eve.key.clone() };
    for key in [&eve.key, &plain] {
        said.push(home.akia(&["rotate", "-p", "eve", "--delete-key", &key.secret]).exited(2));
        said.push(home.akia(&["resume", "--keep-orphan", &key.secret]).exited(2));
    }
    secrets.push(plain);

    for ran in &said {
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let what = ran.what.split(' ').take(3).collect::<Vec<_>>().join(" ");
            assert_clean(&format!("{stream} of `{what} …`"), text.as_bytes(), &secrets);
            assert!(!text.contains(BODY), "`{what} …` shows a raw answer:\n{text}");
            for code in [&code, &code_of_retire] {
                assert!(!has_word(text.as_bytes(), code), "`{what} …` shows an MFA code:\n{text}");
            }
        }
    }
    let meant = [".aws/credentials", "accessKeys.csv"].map(|name| home.path(name));
    for (path, bytes) in left_in_grace.into_iter().chain(home.everything()) {
        if !meant.contains(&path) {
            assert_clean(&path.display().to_string(), &bytes, &secrets);
            assert!(!has_word(&bytes, &code), "an MFA code is left in {}", path.display());
        }
    }
    assert!(home.path("state/journal.db").exists(), "there is something to look through");
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0, "no temporary file is left");
}

/// Panics, without showing it, where a secret stands as it is, in base64 or in hexadecimal digits.
#[track_caller]
pub(crate) fn assert_clean(what: &str, bytes: &[u8], secrets: &[Key]) {
    for key in secrets {
        for secret in [Some(&key.secret), key.token.as_ref()].into_iter().flatten() {
            for (form, text) in forms(secret) {
                assert!(!has(bytes, &text), "the secret of {} stands in {what} ({form})", key.id);
            }
        }
    }
}

fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = secret
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let mut forms = vec![
        ("as it is", secret.as_bytes().to_vec()),
        // Half of it is too much, too.
        ("its first half", secret.as_bytes()[..20].to_vec()),
        ("in hexadecimal digits", hex.to_uppercase().into_bytes()),
        ("in hexadecimal digits", hex.into_bytes()),
        ("percent-encoded", escaped.into_bytes()),
        ("as a list of bytes", format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).as_bytes().to_vec()),
    ];
    // Base64 of a text looks different at each of three offsets; the outermost digits depend on the neighbours.
    for offset in 0..3 {
        let shifted = [vec![0; offset], secret.as_bytes().to_vec()].concat();
        let digits = base64(&shifted);
        let inner = digits[4..digits.len() - 5].to_owned();
        forms.push(("in base64", inner.replace('+', "-").replace('/', "_").into_bytes()));
        forms.push(("in base64", inner.into_bytes()));
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap();
            text.push(char::from(DIGITS[digit]));
        }
    }
    text
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Whether a run of digits stands by itself, not inside of a number or a hash.
fn has_word(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).enumerate().any(|(at, window)| {
        let alone = |index: Option<usize>| {
            index.and_then(|index| bytes.get(index)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
        };
        window == word.as_bytes() && alone(at.checked_sub(1)) && alone(Some(at + word.len()))
    })
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    assert_eq!(base64(b"Man"), "TWFu");
    assert_eq!(base64(b"Ma"), "TWE");
    let key = Key { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: secret.to_owned(), token: None };
    for text in [
        secret.to_owned(),
        format!("x{}", base64(format!("id:{secret}.").as_bytes())),
        base64(format!("a{secret}bc").as_bytes()),
        base64(secret.as_bytes()),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        let found = std::panic::catch_unwind(|| assert_clean("text", text.as_bytes(), std::slice::from_ref(&key)));
        assert!(found.is_err(), "{text}");
    }
    assert_clean("text", b"AKIAIOSFODNN7EXAMPLE", std::slice::from_ref(&key));
    assert!(has_word(b"code 123456.", "123456") && !has_word(b"a123456", "123456") && !has_word(b"1234567", "123456"));
}
