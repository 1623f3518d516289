//! Places with a state folder of their own, and foreign programs that read them.

use std::path::PathBuf;
use std::process::Command;

use akia_core::place::Place;
use akia_io::keychain::NoKeychain;
use akia_io::place::{Held, KeyPair, PlaceError, Places};
use akia_io::state::StateFolder;
use serde_json::Value;

/// A folder for a test, with places.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) places: Places,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let none = NoKeychain { reason: "not in tests".to_owned(), hint: String::new() };
        Self { folder, places: Places::new(state, move || Err(none.clone())) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The key that a place holds.
    pub(crate) async fn held(&self, place: &Place) -> Result<Option<KeyPair>, PlaceError> {
        match self.places.read(place).await? {
            Held::Nothing => Ok(None),
            Held::Pair(pair) => Ok(Some(pair)),
            Held::Sealed { .. } => panic!("sealed"),
        }
    }
}

/// A place, as `akia.toml` declares it.
pub(crate) fn declared(table: Value) -> Place {
    Place::Declared(serde_json::from_value(table).unwrap())
}

/// The words of an error, in which no secret of ours stands.
pub(crate) fn words(error: &PlaceError) -> String {
    let words = format!("{error} | {error:?} | {}", error.hint());
    assert!(!words.contains("wJalr"), "{words}");
    error.to_string()
}

/// The folder that `cargo xtask` puts foreign programs in.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("AKIA_TEST_VENV") {
        Some(venv) => PathBuf::from(venv).parent().unwrap().to_owned(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

/// The Python of the test environment, which has the foreign judges.
pub(crate) fn python() -> Command {
    let python = target().join("venv/bin/python");
    assert!(python.exists(), "{} is not there: run cargo xtask venv", python.display());
    Command::new(python)
}

/// What a program prints; it must succeed.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
