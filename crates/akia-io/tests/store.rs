//! The SQLite store: durable, chained, append-only, shared between processes.

use std::sync::Arc;
use std::time::Instant;

use akia_core::{AccessKeyId, RotationId, SecretAccessKey};
use akia_io::keychain::{Keychain, NoKeychain};
use akia_io::seal::{SealError, Sealer, SealingKeyAt};
use akia_io::state::StateFolder;
use akia_io::store::sqlite::SqliteStore;
use akia_io::store::{Hash, SharedStore, Stage, StoreError};

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
        Arc::new(SqliteStore::open(&self.folder).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_there_after_reopening() {
    let fixture = Fixture::new();
    let sealer = Sealer::open(&fixture.folder, no_keychain).unwrap();
    let store = fixture.open().await;
    let stage = Stage { key: key(), sealed: sealer.seal(&secret(), &rotation(1), &key()).unwrap() };
    let first = store.append_json(&rotation(1), r#"{"n":1}"#.into(), Some(stage.clone())).await.unwrap();
    let second = store.append_json(&rotation(2), r#"{"n":2}"#.into(), None).await.unwrap();
    assert_eq!((first.seq, second.seq), (1, 2));
    store.close().await;
    assert!(matches!(store.rotations().await, Err(StoreError::Database { .. })), "it was closed");

    let store: SharedStore = Arc::new(SqliteStore::open_existing(&fixture.folder).await.unwrap().unwrap());
    let entries = store.entries(None).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.body.as_str()).collect::<Vec<_>>(), [r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(store.entries(Some(&rotation(2))).await.unwrap(), entries[1..]);
    assert_eq!(store.verify(Some(first.hash)).await.unwrap().hash, second.hash);
    let summaries = store.rotations().await.unwrap();
    assert_eq!(summaries.iter().map(|summary| (summary.records, summary.staged)).collect::<Vec<_>>(), [(1, 1), (1, 0)]);

    let sealed = store.staged(&rotation(1), &key()).await.unwrap().unwrap();
    assert_eq!(sealed, stage.sealed);
    let sealer = Sealer::open(&fixture.folder, no_keychain).unwrap();
    assert_eq!(sealer.key_at(), SealingKeyAt::File);
    assert!(sealer.open_sealed(&sealed, &rotation(1), &key()).ok().unwrap().matches(&secret()));
    assert!(matches!(sealer.open_sealed(&sealed, &rotation(2), &key()), Err(SealError::DoesNotOpen { .. })));
    assert_eq!(store.unstage(&rotation(1), Some(&key())).await.unwrap(), 1);
    assert_eq!(store.staged(&rotation(1), &key()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_share_transactions_and_keep_the_chain() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let started = Instant::now();
    let tasks: Vec<_> = (0..200_u64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(
                async move { store.append_json(&rotation(n), format!("{{\"n\":{n}}}"), None).await.unwrap().seq },
            )
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    eprintln!("200 concurrent appends: {:?}", started.elapsed());
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(store.verify(None).await.unwrap().seq, 200);
    let started = Instant::now();
    for n in 0..20 {
        store.append_json(&rotation(n), "{}".into(), None).await.unwrap();
    }
    eprintln!("20 appends in sequence: {:?}", started.elapsed());
    let started = Instant::now();
    SqliteStore::open(&fixture.folder).await.unwrap();
    eprintln!("open: {:?}", started.elapsed());
}

#[tokio::test]
async fn opening_for_reading_creates_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("state");
    assert_eq!(StateFolder::existing(&path).unwrap(), None);
    assert!(!path.exists());
    let folder = StateFolder::open(&path).unwrap();
    assert!(SqliteStore::open_existing(&folder).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    let empty: SharedStore = Arc::new(SqliteStore::open(&folder).await.unwrap());
    assert_eq!(empty.verify(None).await.unwrap().hash, Hash::GENESIS);
}
