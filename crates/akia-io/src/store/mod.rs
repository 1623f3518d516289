//! The store: the journal of all rotations and cases, and the sealed secrets staged for the running rotations.
//!
//! Invariant: records are only ever appended. Each carries the hash of itself and the one before ([`chain`]), so that
//! a changed, dropped or moved record shows. When `Store::append` has returned, the record is durable, and so is the
//! secret that was staged with it.

pub mod chain;
pub(crate) mod connection;
pub mod events;
mod home;
mod journal;
mod postgres;
mod session_lock;
pub mod snapshots;
mod sqlite;
pub mod transfer;
mod url;

use std::sync::Arc;
use std::time::Duration;

use akia_core::journal::Record;
use akia_core::{AccessKeyId, RotationId, ThreadId};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use chain::{Hash, Head, Tampered};
pub use home::{DatabaseAt, Home};
pub use journal::SqlStore;
pub use url::{DatabaseUrl, DatabaseUrlError};

use crate::clock::Clock;
use crate::seal::Sealed;
use crate::state::{Lock, LockError, StateError};

/// How often a record is offered to a failing journal.
const APPEND_TRIES: u32 = 3;
/// Between these.
const APPEND_PAUSE: Duration = Duration::from_millis(200);

/// What a store does. Used as [`SharedStore`].
pub trait Store: Send + Sync {
    /// Appends one record (JSON text) to a rotation or case, and stages a sealed secret in the same transaction. Durable
    /// when it returns. Once begun it is carried out even if the future is dropped.
    fn append_json(
        &self,
        thread: ThreadId,
        body: String,
        stage: Option<Stage>,
    ) -> BoxFuture<'_, Result<Appended, StoreError>>;

    /// The sealed secret staged for a key of a rotation.
    fn staged<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<Option<Sealed>, StoreError>>;

    /// Keeps a sealed secret without a record, for example that of the displaced key. Durable when it returns.
    fn stage<'a>(&'a self, rotation: &'a RotationId, stage: Stage) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Wipes the staged secret of one key, or of all keys of a rotation. Says how many there were.
    fn unstage<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: Option<&'a AccessKeyId>,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// All rotations, oldest first.
    fn rotations(&self) -> BoxFuture<'_, Result<Vec<Summary>, StoreError>>;

    /// Records in order.
    fn entries(&self, of: Threads) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>>;

    /// Recomputes the chain. `expect` are hashes of the head that somebody noted elsewhere: each must still be in the chain,
    /// which is the only proof against a journal that was rewritten as a whole.
    fn verify(&self, expect: Vec<Hash>) -> BoxFuture<'_, Result<Head, StoreError>>;

    /// Takes a lock that nobody else with this store holds, or says who does. On a server, whoever has lost the connection has lost
    /// the lock, and can append nothing any more.
    fn lock<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Lock, LockError>>;

    /// Lets go of the database. Dropping the store does the same without waiting for it.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A store that several tasks use.
pub type SharedStore = Arc<dyn Store>;

impl dyn Store {
    /// Appends a record, and tries again where the journal fails.
    ///
    /// A failed append may have been carried out: the sync behind a commit fails, or the answer is lost. A record that stood
    /// there twice would make its rotation or case unreadable for good, so nothing is appended again before that is known.
    pub async fn append<T>(
        &self,
        thread: &ThreadId,
        record: &T,
        stage: Option<Stage>,
        clock: &dyn Clock,
    ) -> Result<(), StoreError>
    where
        T: Serialize + DeserializeOwned + PartialEq + Sync,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.append_once(thread, record, stage.clone(), tries > 1).await;
            match outcome {
                Ok(()) => return Ok(()),
                // Nothing can be asked any more; who resumes reads what became of it.
                Err(error @ StoreError::Lost { .. }) => return Err(error),
                Err(error) if tries >= APPEND_TRIES => return Err(error),
                Err(error) => {
                    tracing::warn!(id = thread.as_str(), %error, "the journal could not be written; trying again");
                    clock.sleep(APPEND_PAUSE).await;
                }
            }
        }
    }

    async fn append_once<T>(
        &self,
        thread: &ThreadId,
        record: &T,
        stage: Option<Stage>,
        is_repeated: bool,
    ) -> Result<(), StoreError>
    where
        T: Serialize + DeserializeOwned + PartialEq,
    {
        if is_repeated {
            let last = self.entries(Threads::One(thread.clone())).await?.pop();
            if last.is_some_and(|last| last.parse::<T>().is_ok_and(|last| last == *record)) {
                return Ok(());
            }
        }
        let body =
            serde_json::to_string(record).map_err(|error| StoreError::Unwritable { reason: error.to_string() })?;
        self.append_json(thread.clone(), body, stage).await.map(|_| ())
    }

    /// The records of one rotation in order, with their numbers.
    pub async fn records(&self, rotation: &RotationId) -> Result<Vec<(u64, Record)>, StoreError> {
        let entries = self.entries(Threads::One(rotation.clone().into())).await?;
        entries.iter().map(|entry| Ok((entry.seq, entry.parse()?))).collect()
    }
}

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Threads {
    /// All.
    All,
    /// Those of all rotations.
    Rotations,
    /// Those of all cases.
    Cases,
    /// Those of all quarantines.
    Quarantines,
    /// Those of all containments.
    Containments,
    /// Those of one rotation, case, quarantine or containment.
    One(ThreadId),
    /// Those of all, after the record with this number.
    Since(u64),
}

/// A secret to stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The access key whose secret it is.
    pub key: AccessKeyId,
    /// The secret, sealed for this rotation and key.
    pub sealed: Sealed,
}

/// What became of an appended record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number: 1 for the first record of the journal, without gaps.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// One record as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// What it is of.
    pub thread: ThreadId,
    /// Its JSON text.
    pub body: String,
    /// Its hash.
    pub hash: Hash,
}

impl Entry {
    /// The record, or whatever else reads its JSON.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body)
            .map_err(|error| StoreError::Unreadable { seq: self.seq, reason: error.to_string() })
    }
}

/// What the store knows of one rotation without reading its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The rotation.
    pub rotation: RotationId,
    /// Number of its first record.
    pub first_seq: u64,
    /// Number of its last record.
    pub last_seq: u64,
    /// How many records it has.
    pub records: u64,
    /// How many secrets are staged for it.
    pub staged: u64,
}

/// Why the store could not do it. Cloned for every caller whose records shared a transaction.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The state folder, or the file in it, is not safe.
    #[error(transparent)]
    State(Arc<StateError>),
    /// The database is of a newer akia.
    #[error("the journal {at} has schema version {found}; this akia knows versions up to {known}")]
    Newer {
        /// The database.
        at: DatabaseAt,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is not a journal of akia, or is damaged.
    #[error("{at} is not a journal of akia, or is damaged: {reason}")]
    Damaged {
        /// The database.
        at: DatabaseAt,
        /// What was found.
        reason: String,
    },
    /// Another process has held the database for too long.
    #[error("the journal {at} has been locked by another process for more than {seconds} s")]
    Busy {
        /// The database.
        at: DatabaseAt,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The disk is full.
    #[error("cannot write to the journal {at}: no space left")]
    NoSpace {
        /// The database.
        at: DatabaseAt,
    },
    /// The database failed.
    #[error("cannot {doing} the journal {at}: {reason}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// The database.
        at: DatabaseAt,
        /// Its words.
        reason: String,
    },
    /// There is no server, or it lets nobody in.
    #[error("the database {at} cannot be reached: {reason}")]
    Unreachable {
        /// The database.
        at: DatabaseAt,
        /// Its words, or the system's.
        reason: String,
    },
    /// The connection to the server is gone, and with it the locks that it held.
    #[error(
        "the connection to {at} was lost ({reason}): whether the last record was written is not known, others may hold the locks \
         now, and nothing more is changed"
    )]
    Lost {
        /// The database.
        at: DatabaseAt,
        /// The server's words, or the system's.
        reason: String,
    },
    /// The secrets on the server are sealed with another key than the one given.
    #[error("the secrets staged in {at} are sealed with key {theirs}, and the sealing key of this machine is {ours}")]
    SealingKey {
        /// The database.
        at: DatabaseAt,
        /// The name of the key there.
        theirs: String,
        /// The name of ours.
        ours: String,
    },
    /// The chain is broken.
    #[error(transparent)]
    Tampered(#[from] Tampered),
    /// A record cannot be read by this version of akia.
    #[error("record {seq} of the journal cannot be read: {reason}")]
    Unreadable {
        /// Its number.
        seq: u64,
        /// What was found.
        reason: String,
    },
    /// A record cannot be written as JSON.
    #[error("the record cannot be written: {reason}")]
    Unwritable {
        /// What was found.
        reason: String,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::State(error) => error.hint(),
            Self::Newer { at: DatabaseAt::File(_), .. } => {
                "install the newer akia again, or set AKIA_STATE_DIR to another folder".into()
            }
            Self::Newer { at: DatabaseAt::Server(_), .. } => {
                "install the newer akia, which has brought the database up to date".into()
            }
            Self::Damaged { at, .. } => {
                format!("keep a copy of {at} and restore it from a backup; no key is touched until then")
            }
            Self::Busy { .. } => "let the other akia finish, then run again".into(),
            Self::NoSpace { .. } => "make room, then run: akia resume".into(),
            Self::Tampered(_) => "keep a copy of the state folder and look into it: akia history verify".into(),
            Self::Unreachable { .. } => "mend that, or look at AKIA_DATABASE; then run: akia resume".into(),
            Self::Lost { .. } => "akia resume".into(),
            Self::SealingKey { .. } => {
                "name the file that the other machines have: AKIA_SEALING_KEY_FILE. A new key is taken when nothing is staged".into()
            }
            Self::Unreadable { .. } => "install the akia that wrote it".into(),
            Self::Database { .. } | Self::Unwritable { .. } => "mend that, then run: akia resume".into(),
        }
    }
}

impl From<StateError> for StoreError {
    fn from(error: StateError) -> Self {
        Self::State(Arc::new(error))
    }
}
