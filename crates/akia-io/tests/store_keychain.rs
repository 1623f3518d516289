//! The real thing: a Secret Service (gnome-keyring) on a D-Bus session of its own.
//!
//! Needs Debian's `gnome-keyring` and `dbus-daemon`. `cargo xtask test` installs them and sets
//! `AKIA_TEST_SECRET_SERVICE=1`; without that variable the test checks what a machine without them shows: a quick,
//! clear refusal.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::{Duration, Instant};

use akia_core::{AccessKeyId, RotationId, SecretAccessKey};
use akia_io::keychain::Keychain;
use akia_io::seal::{Sealer, SealingKeyAt};
use akia_io::state::StateFolder;

/// Set in the child process that runs inside the session.
const INSIDE: &str = "AKIA_TEST_INSIDE_SESSION";

#[test]
fn a_real_secret_service_keeps_entries_and_the_sealing_key() {
    let name = "a_real_secret_service_keeps_entries_and_the_sealing_key";
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if std::env::var_os("AKIA_TEST_SECRET_SERVICE").is_none() {
        return headless(name);
    }
    let home = tempfile::tempdir().unwrap();
    // The login keyring is made and unlocked with the password on stdin; secrets is all that is started.
    let script = "printf akia | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$0\" \"$@\"";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_RUNTIME_DIR", home.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn inside() {
    let keychain = Keychain::open(|_| None).unwrap();
    assert!(keychain.read("akia-test").unwrap().is_none());
    keychain.put("akia-test", b"one").unwrap();
    keychain.put("akia-test", &[0, 255, 10]).unwrap();
    assert_eq!(keychain.read("akia-test").unwrap().unwrap().as_slice(), [0, 255, 10]);
    // A second connection sees the same, as another process would.
    let again = Keychain::open(|_| None).unwrap();
    assert_eq!(again.read("akia-test").unwrap().unwrap().as_slice(), [0, 255, 10]);
    assert!(again.delete("akia-test").unwrap());
    assert!(!keychain.delete("akia-test").unwrap());

    let temporary = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&temporary.path().join("state")).unwrap();
    let rotation = RotationId::from_bits(1);
    let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    let secret = SecretAccessKey::parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()).ok().unwrap();
    let sealer = Sealer::open(&state, || Keychain::open(|_| None)).unwrap();
    assert_eq!(sealer.key_at(), SealingKeyAt::Keychain);
    let sealed = sealer.seal(&secret, &rotation, &key).unwrap();
    let sealer = Sealer::open(&state, || Keychain::open(|_| None)).unwrap();
    assert!(sealer.open_sealed(&sealed, &rotation, &key).ok().unwrap().matches(&secret));
}

/// No session bus at all, as on a server: an answer at once, and a file instead.
fn headless(name: &str) {
    const HEADLESS: &str = "AKIA_TEST_HEADLESS";
    if std::env::var_os(HEADLESS).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(HEADLESS, "1")
            .env("XDG_RUNTIME_DIR", "/nonexistent")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let started = Instant::now();
    let none = Keychain::open(|_| None).err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(none.to_string().starts_with("no OS keychain: ") && !none.hint.is_empty(), "{none}");
    let temporary = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&temporary.path().join("state")).unwrap();
    let sealer = Sealer::open(&state, || Keychain::open(|_| None)).unwrap();
    assert_eq!(sealer.key_at(), SealingKeyAt::File);
}
