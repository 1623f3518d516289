//! No secret access key reaches an answer of the server, by types: what holds one cannot be turned into text here.

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// The server names neither the type nor what opens it, nor what holds pairs of keys; so it can hand on nothing of them.
#[test]
fn the_server_names_nothing_that_holds_a_secret_access_key() {
    let forbidden = [
        "SecretAccessKey",
        "KeyPair",
        ".expose()",
        ".reveal()",
        "akia_core::secret",
        "akia_io::seal",
        "akia_io::keychain",
        "akia_io::place::",
    ];
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 15, "{sources:?}");
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in forbidden {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// And the type itself has no way to become text: a trait for which this function is ambiguous is one that it implements.
#[test]
fn a_secret_access_key_is_neither_shown_nor_written() {
    trait Without<A> {
        fn holds() {}
    }
    impl<T: ?Sized> Without<()> for T {}
    struct Shown;
    impl<T: ?Sized + std::fmt::Display> Without<Shown> for T {}
    struct Written;
    impl<T: ?Sized + serde::Serialize> Without<Written> for T {}
    // Does not compile once the type is Display or Serialize.
    <akia_core::secret::SecretAccessKey as Without<_>>::holds();
}
