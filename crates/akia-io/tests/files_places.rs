//! Places: a whole pair in, a whole pair out, and nobody else's key overwritten.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use akia_core::profile::{File, FileKind};
use akia_core::rotation::Place;
use akia_core::{AccessKeyId, ProfileName, SecretAccessKey};
use akia_io::files::FileError;
use akia_io::keychain::{Keychain, NoKeychain};
use akia_io::place::{Expected, KeyPair, PlaceError, Places, account_of};
use akia_io::state::StateFolder;

/// Key number `n`, of the documentation's form.
fn id(n: usize) -> AccessKeyId {
    format!("AKIAIOSFODNN{n:03}EXAMP").parse().unwrap()
}

fn pair(n: usize) -> KeyPair {
    let secret = format!("wJalrXUtnFEMI/K7MDENG/bPxRfiCY{n:03}AMPLEKEY");
    KeyPair { id: id(n), secret: SecretAccessKey::parse(secret).ok().unwrap() }
}

fn section(profile: &str, n: usize) -> String {
    format!(
        "[{profile}]\n# kept\naws_access_key_id     = {}\naws_secret_access_key = {}\nregion = eu-west-1\n\n",
        id(n),
        pair(n).secret.expose()
    )
}

struct Fixture {
    temporary: tempfile::TempDir,
    places: Arc<Places>,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&temporary.path().join("state")).unwrap();
        let keychain = Keychain::with_store(keyring_core::mock::Store::new().unwrap());
        let places = Arc::new(Places::new(state, move || Ok(keychain.clone())));
        fs::create_dir(temporary.path().join("aws")).unwrap();
        let fixture = Self { temporary, places };
        fs::write(fixture.path(), text).unwrap();
        fixture
    }

    fn path(&self) -> PathBuf {
        self.temporary.path().join("aws/credentials")
    }

    fn profile(&self, name: &str) -> Place {
        let path = self.path().to_str().unwrap().to_owned();
        Place::Profile { path, file: FileKind::Credentials, profile: name.parse().unwrap() }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn keychain_place() -> Place {
    Place::Keychain { profile: "work".parse().unwrap() }
}

#[tokio::test]
async fn only_the_values_change_and_the_pair_reads_back() {
    let before = section("default", 1) + &section("work", 2);
    let fixture = Fixture::new(&before);
    let place = fixture.profile("work");
    fixture.places.preflight(&place).await.unwrap();
    assert_eq!(fixture.text(), before);
    assert!(fixture.places.read(&place).await.unwrap().pair().unwrap().matches(&pair(2)));
    fixture.places.deliver(&place, &pair(3), Expected::keys(&[id(2)])).await.unwrap();
    assert_eq!(fixture.text(), section("default", 1) + &section("work", 3));
    assert!(fixture.places.holds(&place, &pair(3)).await.unwrap());
    // Again, as after a crash: nothing to do. And back, as undo does.
    fixture.places.deliver(&place, &pair(3), Expected::keys(&[id(2)])).await.unwrap();
    fixture.places.deliver(&place, &pair(2), Expected::keys(&[id(3)])).await.unwrap();
    assert_eq!(fixture.text(), before);
}

#[tokio::test]
async fn a_key_that_nobody_expects_is_left_alone() {
    let before = section("work", 7);
    let fixture = Fixture::new(&before);
    let place = fixture.profile("work");
    for expected in [vec![], vec![id(1), id(2)]] {
        match fixture.places.deliver(&place, &pair(3), Expected::keys(&expected)).await {
            Err(error @ PlaceError::Foreign { .. }) => {
                assert!(error.to_string().contains(id(7).as_str()) && !error.to_string().contains("wJalr"), "{error}");
            }
            other => panic!("{:?}", other.err()),
        }
    }
    assert!(matches!(
        fixture.places.deliver(&fixture.profile("gone"), &pair(3), Expected::keys(&[id(1)])).await,
        Err(PlaceError::Emptied { .. })
    ));
    assert_eq!(fixture.text(), before);
    // With nothing expected and nothing there, it is a set-up.
    fixture.places.deliver(&fixture.profile("fresh"), &pair(3), Expected::keys(&[])).await.unwrap();
    assert!(fixture.places.holds(&fixture.profile("fresh"), &pair(3)).await.unwrap());
    assert!(fixture.text().starts_with(&before));
}

#[tokio::test]
async fn what_is_no_whole_long_term_key_is_refused() {
    let id_only = "[p]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n";
    let secret_only = "[p]\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    let malformed = "[p]\naws_access_key_id = nonsense\naws_secret_access_key = x\n";
    let temporary = section("p", 1).trim_end().to_owned() + "\naws_session_token = FwoGZXIvYXdzEXAMPLE\n";
    let twice = section("p", 1) + &section("p", 2);
    for text in [id_only, secret_only, malformed, &temporary, &twice, "no section = here\n[p]\n"] {
        let fixture = Fixture::new(text);
        let place = fixture.profile("p");
        assert!(fixture.places.preflight(&place).await.is_err(), "{text}");
        let error = fixture.places.deliver(&place, &pair(3), Expected::keys(&[])).await.unwrap_err();
        for secret in ["wJalr", "FwoGZ"] {
            assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        }
        assert_eq!(fixture.text(), text);
    }
    let fixture = Fixture::new(&temporary);
    assert!(matches!(fixture.places.read(&fixture.profile("p")).await, Err(PlaceError::Temporary { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_profiles_of_one_file_are_delivered_at_once() {
    let all = |first: usize| (0..20).map(|n| section(&format!("p{n}"), first + n)).collect::<String>();
    let fixture = Fixture::new(&all(100));
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (places, place) = (Arc::clone(&fixture.places), fixture.profile(&format!("p{n}")));
            tokio::spawn(async move {
                places.deliver(&place, &pair(200 + n), Expected::keys(&[id(100 + n)])).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(fixture.text(), all(200));
}

/// `aws configure set` reads the file, and writes it anew in place: open with truncation, one write.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_get_through_while_another_program_writes_in_a_loop() {
    let fixture = Fixture::new(&(section("work", 0) + "[other]\ncounter = 0\n"));
    let (path, stop) = (fixture.path(), Arc::new(AtomicBool::new(false)));
    let other: ProfileName = "other".parse().unwrap();
    let writer = std::thread::spawn({
        let (stop, other) = (Arc::clone(&stop), other.clone());
        move || {
            let mut count = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let file = File::parse(FileKind::Credentials, fs::read(&path).unwrap());
                count += 1;
                fs::write(&path, file.set(&other, &[("counter", &count.to_string())]).unwrap().bytes()).unwrap();
                // A program has to pause at some time, or nobody else gets a turn.
                std::thread::sleep(std::time::Duration::from_millis(15));
            }
            count
        }
    });
    let place = fixture.profile("work");
    let mut delivered = 0;
    for n in 0..30 {
        // Spread over several writes of the other program, however quick this machine is.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        // The other program may put an older copy of the whole file back: then an earlier key is what stands there.
        let expected: Vec<_> = (0..=n).map(id).collect();
        match fixture.places.deliver(&place, &pair(n + 1), Expected::keys(&expected)).await {
            Ok(_) => delivered += 1,
            // A writer that is put to sleep between emptying the file and writing it looks like one that removed the key.
            // The driver tries again, as it does after the others.
            Err(
                PlaceError::File(FileError::Changed { .. } | FileError::ReadBack { .. })
                | PlaceError::ReadBack { .. }
                | PlaceError::Emptied { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 5);
    assert!(delivered > 10, "only {delivered} of 30");
    let last = fixture.places.read(&place).await.unwrap().pair().unwrap();
    assert!((0..=30).any(|n| pair(n).matches(&last)), "the halves of two pairs were mixed");
    let file = File::parse(FileKind::Credentials, fs::read(fixture.path()).unwrap());
    assert!(file.value(&other, "counter").unwrap().is_some());
}

#[tokio::test]
async fn the_keychain_holds_whole_pairs() {
    let fixture = Fixture::new("");
    let place = keychain_place();
    fixture.places.preflight(&place).await.unwrap();
    assert!(fixture.places.read(&place).await.unwrap().pair().is_none());
    fixture.places.deliver(&place, &pair(1), Expected::keys(&[])).await.unwrap();
    fixture.places.preflight(&place).await.unwrap();
    assert!(matches!(
        fixture.places.deliver(&place, &pair(2), Expected::keys(&[id(9)])).await,
        Err(PlaceError::Foreign { .. })
    ));
    fixture.places.deliver(&place, &pair(2), Expected::keys(&[id(1)])).await.unwrap();
    assert!(fixture.places.holds(&place, &pair(2)).await.unwrap());
    assert!(!fixture.places.holds(&place, &pair(1)).await.unwrap());
}

#[tokio::test]
async fn a_keychain_entry_that_is_not_ours_is_refused_without_repeating_it() {
    let temporary = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&temporary.path().join("state")).unwrap();
    let keychain = Keychain::with_store(keyring_core::mock::Store::new().unwrap());
    keychain.put(&account_of(&"work".parse().unwrap()), b"{\"SecretAccessKey\":\"wJalr").unwrap();
    let places = Places::new(state, move || Ok(keychain.clone()));
    for error in [
        places.preflight(&keychain_place()).await.err().unwrap(),
        places.read(&keychain_place()).await.err().unwrap(),
        places.deliver(&keychain_place(), &pair(1), Expected::keys(&[])).await.err().unwrap(),
    ] {
        assert!(
            matches!(error, PlaceError::Unreadable { .. }) && !format!("{error} {error:?}").contains("wJalr"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn without_a_keychain_the_error_says_so() {
    let temporary = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&temporary.path().join("state")).unwrap();
    let none = NoKeychain { reason: "AKIA_KEYCHAIN is off".into(), hint: "unset it".into() };
    let places = Places::new(state, move || Err(none.clone()));
    let error = places.preflight(&keychain_place()).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint().as_str()),
        ("no OS keychain: AKIA_KEYCHAIN is off", "unset it")
    );
}
