//! The journal: durable, chained, append-only, shared between processes; in a SQLite file and on a PostgreSQL server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use akia_core::{AccessKeyId, RotationId, SecretAccessKey};
use akia_io::keychain::{Keychain, NoKeychain};
use akia_io::seal::{SealError, Sealer, SealingKeyAt};
use akia_io::state::{Lock, LockError, StateFolder};
use akia_io::store::{Hash, Head, SharedStore, SqlStore, Stage, StoreError, Threads};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

#[path = "../support/ground.rs"]
mod ground;
#[path = "../support/postgres.rs"]
mod postgres;
mod server;
mod transfer;

use ground::{Ground, on_both};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn key() -> AccessKeyId {
    "AKIAIOSFODNN7EXAMPLE".parse().unwrap()
}

fn secret() -> SecretAccessKey {
    SecretAccessKey::parse(SECRET.into()).ok().unwrap()
}

fn rotation(bits: u64) -> RotationId {
    RotationId::from_bits(bits)
}

fn no_keychain() -> Result<Keychain, NoKeychain> {
    Err(NoKeychain { reason: "there is none in this test".into(), hint: String::new() })
}

struct Fixture {
    folder: StateFolder,
    _temporary: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self { folder: StateFolder::open(&temporary.path().join("state")).unwrap(), _temporary: temporary }
    }

    async fn open(&self) -> SharedStore {
        Arc::new(SqlStore::open(&self.folder).await.unwrap())
    }
}

/// A lock that is free within a second.
async fn soon(store: &SharedStore, name: &str) -> Lock {
    let started = Instant::now();
    loop {
        match store.lock(name).await {
            Ok(lock) => return lock,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(1), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn open(ground: &Ground) -> SharedStore {
    Arc::new(SqlStore::open(&ground.home).await.unwrap())
}

on_both! {
async fn what_was_appended_is_there_after_reopening(ground: Ground) {
    let state = StateFolder::open(&ground.notes.join("seal")).unwrap();
    let sealer = Sealer::open(&state, no_keychain).unwrap();
    let store = open(&ground).await;
    let stage = Stage { key: key(), sealed: sealer.seal(&secret(), &rotation(1), &key()).unwrap() };
    let first = store.append_json(rotation(1).into(), r#"{"n":1}"#.into(), Some(stage.clone())).await.unwrap();
    let second = store.append_json(rotation(2).into(), r#"{"n":2}"#.into(), None).await.unwrap();
    assert_eq!((first.seq, second.seq), (1, 2));
    store.close().await;
    assert!(matches!(store.rotations().await, Err(StoreError::Database { .. })), "it was closed");

    let store: SharedStore = Arc::new(SqlStore::open_existing(&ground.home).await.unwrap().unwrap());
    let entries = store.entries(Threads::All).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.body.as_str()).collect::<Vec<_>>(), [r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(store.entries(Threads::One(rotation(2).into())).await.unwrap(), entries[1..]);
    assert_eq!(store.entries(Threads::Since(1)).await.unwrap(), entries[1..]);
    assert_eq!(store.entries(Threads::Since(2)).await.unwrap(), []);
    assert_eq!(store.verify(vec![first.hash]).await.unwrap().hash, second.hash);
    let summaries = store.rotations().await.unwrap();
    assert_eq!(summaries.iter().map(|summary| (summary.records, summary.staged)).collect::<Vec<_>>(), [(1, 1), (1, 0)]);

    let sealed = store.staged(&rotation(1), &key()).await.unwrap().unwrap();
    assert_eq!(sealed, stage.sealed);
    let sealer = Sealer::open(&state, no_keychain).unwrap();
    assert_eq!(sealer.key_at(), SealingKeyAt::File);
    assert!(sealer.open_sealed(&sealed, &rotation(1), &key()).ok().unwrap().matches(&secret()));
    assert!(matches!(sealer.open_sealed(&sealed, &rotation(2), &key()), Err(SealError::DoesNotOpen { .. })));
    assert_eq!(store.unstage(&rotation(1), Some(&key())).await.unwrap(), 1);
    assert_eq!(store.staged(&rotation(1), &key()).await.unwrap(), None);
}

async fn concurrent_appends_share_transactions_and_keep_the_chain(ground: Ground) {
    let store = open(&ground).await;
    let tasks: Vec<_> = (0..200_u64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.append_json(rotation(n).into(), format!("{{\"n\":{n}}}"), None).await.unwrap().seq
            })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(store.verify(Vec::new()).await.unwrap().seq, 200);
}

}

#[tokio::test]
async fn opening_a_journal_in_a_file_is_quick() {
    let (fixture, _) = Fixture::with_records().await;
    // Opening is what every command pays for: the best of ten must be quick.
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let started = Instant::now();
        let store = SqlStore::open_existing(&fixture.folder).await.unwrap().unwrap();
        best = best.min(started.elapsed());
        drop(store);
    }
    assert!(best < Duration::from_millis(10), "{best:?}");
}

#[tokio::test]
async fn opening_for_reading_creates_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("state");
    assert_eq!(StateFolder::existing(&path).unwrap(), None);
    assert!(!path.exists());
    let folder = StateFolder::open(&path).unwrap();
    assert!(SqlStore::open_existing(&folder).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    let empty: SharedStore = Arc::new(SqlStore::open(&folder).await.unwrap());
    assert_eq!(empty.verify(Vec::new()).await.unwrap().hash, Hash::GENESIS);
}

impl Fixture {
    /// Five records in three rotations.
    async fn with_records() -> (Self, Head) {
        let fixture = Self::new();
        let store = fixture.open().await;
        for n in 0..5_u64 {
            store.append_json(rotation(n % 3).into(), format!("{{\"n\":{n}}}"), None).await.unwrap();
        }
        let head = store.verify(Vec::new()).await.unwrap();
        store.close().await;
        (fixture, head)
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// What somebody with the SQLite shell could do.
    async fn tamper(&self, statements: &'static str) -> Result<(), sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(self.database());
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let result = sqlx::raw_sql(statements).execute(&mut connection).await.map(|_| ());
        connection.close().await?;
        result
    }
}

#[tokio::test]
async fn the_database_refuses_to_change_records() {
    let (fixture, head) = Fixture::with_records().await;
    for (statement, reason) in [
        ("UPDATE records SET body = '{}' WHERE seq = 2", "records are never changed"),
        ("UPDATE OR REPLACE records SET seq = 9 WHERE seq = 2", "records are never changed"),
        ("DELETE FROM records WHERE seq = 5", "records are never deleted"),
        ("DELETE FROM records", "records are never deleted"),
        (
            "INSERT OR REPLACE INTO records SELECT 2, rotation, '{}', hash FROM records WHERE seq = 2",
            "records are never replaced",
        ),
    ] {
        let error = fixture.tamper(statement).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{statement}: {error}");
    }
    assert_eq!(fixture.open().await.verify(vec![head.hash]).await.unwrap(), head);
}

#[tokio::test]
async fn tampering_with_the_triggers_out_of_the_way_shows() {
    const DROP: &str = "DROP TRIGGER records_are_never_changed; DROP TRIGGER records_are_never_deleted; \
                        DROP TRIGGER records_are_never_replaced;";
    // The triggers are put back afterwards, as a careful hand would.
    const RESTORE: &str = "
        CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON records
            BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
        CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records
            BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
        CREATE TRIGGER records_are_never_replaced BEFORE INSERT ON records
            WHEN EXISTS (SELECT 1 FROM records WHERE seq >= NEW.seq)
            BEGIN SELECT RAISE(ABORT, 'records are never replaced'); END;";
    for (statement, seq, what) in [
        ("UPDATE records SET body = '{\"n\":7}' WHERE seq = 2", 2, "record 2 does not have the hash"),
        ("UPDATE records SET rotation = 'r-0000000000000009' WHERE seq = 4", 4, "record 4 does not have the hash"),
        ("UPDATE records SET rotation = 'nonsense' WHERE seq = 4", 4, "id of record 4 is malformed"),
        ("UPDATE records SET hash = zeroblob(32) WHERE seq = 1", 1, "record 1 does not have the hash"),
        ("DELETE FROM records WHERE seq = 3", 3, "record 3 is missing; record 4 follows"),
        ("DELETE FROM records WHERE seq >= 4", 4, "records 4 to 5 are missing at the end"),
        ("DELETE FROM records", 1, "records 1 to 5 are missing at the end"),
        (
            "DELETE FROM records WHERE seq = 3; UPDATE records SET seq = seq - 1 WHERE seq > 3",
            3,
            "record 3 does not have",
        ),
        (
            "UPDATE records SET seq = 99 WHERE seq = 2; UPDATE records SET seq = 2 WHERE seq = 3; UPDATE records SET seq = 3 WHERE seq = 99",
            2,
            "record 2 does not have the hash",
        ),
    ] {
        let (fixture, _) = Fixture::with_records().await;
        fixture.tamper(DROP).await.unwrap();
        fixture.tamper(statement).await.unwrap();
        fixture.tamper(RESTORE).await.unwrap();
        let store = fixture.open().await;
        match store.verify(Vec::new()).await {
            Err(StoreError::Tampered(tampered)) => {
                assert_eq!(tampered.seq, seq, "{statement}: {tampered}");
                assert!(tampered.what.contains(what), "{statement}: {tampered}");
            }
            other => panic!("{statement}: {other:?}"),
        }
    }
    let (fixture, _) = Fixture::with_records().await;
    fixture.tamper("DROP TRIGGER records_are_never_deleted").await.unwrap();
    assert!(matches!(fixture.open().await.verify(Vec::new()).await, Err(StoreError::Tampered(_))));
}

#[tokio::test]
async fn a_cut_tail_is_never_papered_over_by_new_records() {
    let (fixture, _) = Fixture::with_records().await;
    fixture.tamper("DROP TRIGGER records_are_never_deleted; DELETE FROM records WHERE seq >= 4").await.unwrap();
    let store = fixture.open().await;
    match store.append_json(rotation(1).into(), "{}".into(), None).await {
        Err(StoreError::Tampered(tampered)) => assert_eq!(tampered.seq, 4),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_sqlite_counts_can_be_cut_too_and_only_a_noted_hash_tells() {
    let (fixture, head) = Fixture::with_records().await;
    fixture
        .tamper(
            "DROP TRIGGER records_are_never_deleted; DELETE FROM records WHERE seq >= 4;
             UPDATE sqlite_sequence SET seq = 3;
             CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records
                 BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;",
        )
        .await
        .unwrap();
    let store = fixture.open().await;
    // The documented limit: whoever can write the file can write a shorter, whole chain.
    assert_eq!(store.verify(Vec::new()).await.unwrap().seq, 3);
    assert!(matches!(store.verify(vec![head.hash]).await, Err(StoreError::Tampered(_))));
}

#[tokio::test]
async fn a_newer_a_foreign_and_a_damaged_database_are_named() {
    let (fixture, _) = Fixture::with_records().await;
    fixture.tamper("UPDATE meta SET value = '2' WHERE name = 'schema'").await.unwrap();
    for result in [SqlStore::open(&fixture.folder).await.err(), SqlStore::open_existing(&fixture.folder).await.err()] {
        assert!(matches!(result, Some(StoreError::Newer { found: 2, known: 1, .. })), "{result:?}");
    }
    let foreign = Fixture::new();
    fs::write(foreign.database(), "").unwrap();
    assert!(SqlStore::open_existing(&foreign.folder).await.unwrap().is_none());
    foreign.tamper("CREATE TABLE other (x)").await.unwrap();
    assert!(matches!(SqlStore::open(&foreign.folder).await, Err(StoreError::Damaged { .. })));
    let damaged = Fixture::new();
    fs::write(damaged.database(), "this is not a database, whatever its name says".repeat(100)).unwrap();
    assert!(matches!(SqlStore::open(&damaged.folder).await, Err(StoreError::Damaged { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_0600_and_one_that_others_could_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (fixture, _) = Fixture::with_records().await;
    Sealer::open(&fixture.folder, no_keychain).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for name in ["journal.db", "seal.key", "locks/seal.lock"] {
        assert_eq!(mode(&fixture.folder.path().join(name)), 0o600, "{name}");
    }
    let set = |path: &Path, bits| fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    set(&fixture.database(), 0o644);
    fixture.open().await;
    assert_eq!(mode(&fixture.database()), 0o600);
    set(&fixture.database(), 0o660);
    assert!(matches!(SqlStore::open(&fixture.folder).await, Err(StoreError::State(_))));
    let key_file = fixture.folder.path().join("seal.key");
    set(&key_file, 0o640);
    assert!(matches!(Sealer::open(&fixture.folder, no_keychain), Err(SealError::Readable { mode: 0o640, .. })));
    set(&key_file, 0o600);
    fs::write(&key_file, "short").unwrap();
    assert!(matches!(Sealer::open(&fixture.folder, no_keychain), Err(SealError::Damaged { .. })));
}

#[tokio::test]
async fn a_staged_secret_stands_nowhere_in_plain_text_and_a_wiped_one_nowhere_at_all() {
    let fixture = Fixture::new();
    let sealer = Sealer::open(&fixture.folder, no_keychain).unwrap();
    let store = fixture.open().await;
    let sealed = sealer.seal(&secret(), &rotation(1), &key()).unwrap();
    let again = sealer.seal(&secret(), &rotation(1), &key()).unwrap();
    assert_ne!(sealed, again, "a nonce was used twice");
    store
        .append_json(rotation(1).into(), "{}".into(), Some(Stage { key: key(), sealed: sealed.clone() }))
        .await
        .unwrap();
    let everything = || {
        let mut bytes = Vec::new();
        let mut folders = vec![fixture.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { bytes.extend(fs::read(path).unwrap()) }
            }
        }
        bytes
    };
    let holds = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(holds(&everything(), &sealed.as_bytes()[..40]), "this search must be able to find something");
    assert!(!holds(&everything(), SECRET.as_bytes()));
    assert!(!holds(&everything(), &SECRET.as_bytes()[..20]));
    assert_eq!(store.unstage(&rotation(1), None).await.unwrap(), 1);
    store.close().await;
    assert!(!holds(&everything(), &sealed.as_bytes()[..16]), "secure_delete has not wiped it");
}

#[test]
fn sealed_secrets_open_only_as_they_were_sealed() {
    let fixture = Fixture::new();
    let sealer = Sealer::open(&fixture.folder, no_keychain).unwrap();
    let sealed = sealer.seal(&secret(), &rotation(1), &key()).unwrap();
    let bytes = sealed.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = akia_io::seal::Sealed::from_bytes(changed);
        assert!(sealer.open_sealed(&changed, &rotation(1), &key()).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        let cut = akia_io::seal::Sealed::from_bytes(bytes[..length].to_vec());
        assert!(sealer.open_sealed(&cut, &rotation(1), &key()).is_err(), "{length} bytes");
    }
    let other: AccessKeyId = "AKIAI44QH8DHBEXAMPLE".parse().unwrap();
    assert!(sealer.open_sealed(&sealed, &rotation(1), &other).is_err());
    let stranger = Sealer::open(&Fixture::new().folder, no_keychain).unwrap();
    assert!(stranger.open_sealed(&sealed, &rotation(1), &key()).is_err());
    assert!(!format!("{sealed:?}").contains("wJalr"));
}

#[test]
fn a_folder_stays_with_the_keychain_it_began_with() {
    let fixture = Fixture::new();
    let keychain = Keychain::with_store(keyring_core::mock::Store::new().unwrap());
    let sealer = Sealer::open(&fixture.folder, || Ok(keychain.clone())).unwrap();
    assert_eq!(sealer.key_at(), SealingKeyAt::Keychain);
    assert!(!fixture.folder.path().join("seal.key").exists());
    let sealed = sealer.seal(&secret(), &rotation(1), &key()).unwrap();
    let again = Sealer::open(&fixture.folder, || Ok(keychain.clone())).unwrap();
    assert!(again.open_sealed(&sealed, &rotation(1), &key()).ok().unwrap().matches(&secret()));
    match Sealer::open(&fixture.folder, no_keychain).err().unwrap() {
        error @ SealError::KeychainMissing { .. } => assert_eq!(
            error.to_string(),
            format!(
                "secrets staged in {} are sealed with a key in the OS keychain, which does not answer: there is none in this test",
                fixture.folder.path().display()
            )
        ),
        other => panic!("{other}"),
    }
    let empty = Keychain::with_store(keyring_core::mock::Store::new().unwrap());
    let error = Sealer::open(&fixture.folder, || Ok(empty.clone())).err().unwrap();
    assert!(error.to_string().contains("is gone from the OS keychain"), "{error}");
    // And one that began with a file does not ask for the keychain.
    let with_file = Fixture::new();
    Sealer::open(&with_file.folder, no_keychain).unwrap();
    let again = Sealer::open(&with_file.folder, || panic!("the keychain was asked")).unwrap();
    assert_eq!(again.key_at(), SealingKeyAt::File);
}

/// Tells a child process that it is one, and which state folder is meant.
const FOLDER: &str = "AKIA_TEST_FOLDER";

fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(FOLDER, folder).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

on_both! {
/// Three processes at once; on a server 1,000 records, which in a file, with three syncs each, would take half a minute.
async fn two_processes_append_without_losing_or_mixing_records(ground: Ground) {
    let each = if ground.is_on_server() { 334 } else { 60 };
    if ground.is_child {
        let store = open(&ground).await;
        let own = rotation(u64::from(std::process::id()));
        for n in 0..each {
            store.append_json(own.clone().into(), n.to_string(), None).await.unwrap();
        }
        store.close().await;
        return;
    }
    let children: Vec<_> = (0..3)
        .map(|_| ground.child("two_processes_append_without_losing_or_mixing_records").spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = open(&ground).await;
    assert_eq!(store.verify(Vec::new()).await.unwrap().seq, 3 * each);
    let summaries = store.rotations().await.unwrap();
    assert_eq!(summaries.len(), 3);
    for summary in summaries {
        let bodies: Vec<u64> = store
            .entries(Threads::One(summary.rotation.clone().into()))
            .await
            .unwrap()
            .iter()
            .map(|entry| entry.parse().unwrap())
            .collect();
        assert_eq!(bodies, (0..each).collect::<Vec<_>>());
    }
}

async fn a_kill_at_any_moment_keeps_what_was_acknowledged_and_the_secret_with_its_record(ground: Ground) {
    let notes = StateFolder::open(&ground.notes.join("seal")).unwrap();
    if ground.is_child {
        let sealer = Sealer::open(&notes, no_keychain).unwrap();
        let store = open(&ground).await;
        let acknowledged = notes.path().join("acknowledged");
        loop {
            let own = rotation(getrandom::u64().unwrap());
            let stage = Stage { key: key(), sealed: sealer.seal(&secret(), &own, &key()).unwrap() };
            let appended = store.append_json(own.clone().into(), "{}".into(), Some(stage)).await.unwrap();
            fs::write(&acknowledged, format!("{} {}", appended.seq, appended.hash)).unwrap();
        }
    }
    let this = "a_kill_at_any_moment_keeps_what_was_acknowledged_and_the_secret_with_its_record";
    let acknowledged = notes.path().join("acknowledged");
    let mut before = 0;
    for round in 0..25_u64 {
        let _ = fs::remove_file(&acknowledged);
        let mut child = ground.child(this).spawn().unwrap();
        let started = Instant::now();
        while !acknowledged.exists() {
            assert!(started.elapsed() < Duration::from_secs(20), "it appends nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 1_313));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(&ground).await;
        let text = fs::read_to_string(&acknowledged).unwrap_or_default();
        // The note itself may have been cut by the kill; the journal may not.
        let expect = text.split_once(' ').and_then(|(_, hash)| hash.parse::<Hash>().ok());
        let head = store.verify(expect.into_iter().collect()).await.unwrap();
        let sealer = Sealer::open(&notes, no_keychain).unwrap();
        for summary in store.rotations().await.unwrap() {
            let sealed = store.staged(&summary.rotation, &key()).await.unwrap().unwrap();
            sealer.open_sealed(&sealed, &summary.rotation, &key()).ok().unwrap();
        }
        assert!(head.seq > before);
        before = head.seq;
        store.close().await;
    }
}

/// A lock of the store is free within a second after its holder was killed, and its holder is named.
async fn a_lock_of_the_journal_outlives_no_process(ground: Ground) {
    if ground.is_child {
        let store = open(&ground).await;
        let _lock = store.lock("user alice").await.unwrap();
        fs::write(ground.notes.join("locked"), "").unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        return;
    }
    let mut child = ground.child("a_lock_of_the_journal_outlives_no_process").spawn().unwrap();
    let started = Instant::now();
    while !ground.notes.join("locked").exists() {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    let store = open(&ground).await;
    let error = store.lock("user alice").await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("user alice is locked by process {}", child.id())), "{error}");
    assert!(error.contains(", since 2"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    soon(&store, "user alice").await;
}

/// Neither a second store of this process nor the same one gets a lock that is held; when it is dropped, both do.
async fn a_lock_of_the_journal_is_held_once_and_free_when_dropped(ground: Ground) {
    let (one, other) = (open(&ground).await, open(&ground).await);
    let lock = one.lock("user alice").await.unwrap();
    for store in [&one, &other] {
        match store.lock("user alice").await {
            Err(LockError::Held { holder, name }) => {
                assert_eq!((name.as_str(), holder.pid), ("user alice", Some(std::process::id())));
                assert!(holder.since.is_some());
            }
            other => panic!("{other:?}"),
        }
        drop(soon(store, "user bob").await);
    }
    drop(lock);
    let lock = soon(&other, "user alice").await;
    // A lock outlives the handle that it was taken through.
    drop(other);
    assert!(matches!(one.lock("user alice").await, Err(LockError::Held { .. })));
    drop(lock);
}
}

#[test]
fn a_lock_outlives_no_process() {
    let name = "a_lock_outlives_no_process";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = StateFolder::open(Path::new(&folder)).unwrap();
        let _lock = folder.lock("user alice").unwrap();
        fs::write(folder.path().join("locked"), "").unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let fixture = Fixture::new();
    let mut child = child(name, fixture.folder.path()).spawn().unwrap();
    let started = Instant::now();
    while !fixture.folder.path().join("locked").exists() {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    let error = fixture.folder.lock("user alice").err().unwrap();
    assert!(
        error.to_string().starts_with(&format!("user alice is locked by process {}, since 2", child.id())),
        "{error}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    fixture.folder.lock("user alice").unwrap();
}
