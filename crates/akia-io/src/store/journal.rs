//! The journal in either database: a SQLite file in the state folder, or tables on a PostgreSQL server.
//!
//! A commit syncs the disk, on SQLite three times, so appends that wait at the same time share one transaction: fifty concurrent
//! rotations pay for one.

use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use akia_core::{AccessKeyId, RotationId, ThreadId};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use sqlx::{Connection, Row};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, oneshot};

use super::chain::Walk;
use super::connection::{begin_writing, database_error};
use super::home::{DatabaseAt, Home};
use super::session_lock::{self, Release, SessionLock, SessionLocks, Taken};
use super::{Appended, Entry, Hash, Head, Stage, Store, StoreError, Summary, Tampered, Threads, postgres, sqlite};
use crate::seal::Sealed;
use crate::state::{Lock, LockError};

/// The database in the state folder.
pub(super) const FILE_NAME: &str = "journal.db";

/// How long a server may take for a statement or a commit. Whoever waits longer has lost it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(40);

/// The journal. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore {
    inner: Arc<Inner>,
}

struct Inner {
    home: Home,
    at: DatabaseAt,
    /// One connection, one session of the server's or thread of SQLite's; `None` after [`Store::close`].
    connection: AsyncMutex<Option<AnyConnection>>,
    /// Why the connection is gone for good. It is never made anew: with it went the locks.
    lost: Arc<OnceLock<String>>,
    locks: Mutex<SessionLocks>,
    /// Appends that wait for the next transaction.
    pending: Mutex<Vec<Pending>>,
}

struct Pending {
    thread: ThreadId,
    body: String,
    stage: Option<Stage>,
    answer: oneshot::Sender<Result<Appended, StoreError>>,
}

impl SqlStore {
    /// Opens the journal, creating it where it is missing: in the state folder with mode 0600.
    pub async fn open(home: impl Into<Home>) -> Result<Self, StoreError> {
        let home = home.into();
        let connection = match &home {
            Home::Folder(folder) => sqlite::open_journal(folder, &folder.path().join(FILE_NAME)).await?,
            Home::Server(url) => postgres::open(url).await?,
        };
        Ok(Self::with(home, connection))
    }

    /// Opens the journal if there is one, and creates nothing.
    pub async fn open_existing(home: impl Into<Home>) -> Result<Option<Self>, StoreError> {
        let home = home.into();
        let connection = match &home {
            Home::Folder(folder) => sqlite::open_existing_journal(&folder.path().join(FILE_NAME)).await?,
            Home::Server(url) => postgres::open_existing(url).await?,
        };
        Ok(connection.map(|connection| Self::with(home, connection)))
    }

    /// Makes sure that all machines with this journal have one sealing key, of which this is the name: what one has staged, another
    /// must open. The first one counts, until nothing is staged any more. In a state folder there is no other machine.
    pub async fn agree_on_sealing_key(&self, name: &str) -> Result<(), StoreError> {
        let inner = &self.inner;
        if let Home::Folder(_) = inner.home {
            return Ok(());
        }
        let fails = || inner.fails("read");
        let mut guard = inner.connection.lock().await;
        let mut transaction = begin_writing(inner.open(&mut guard)?, &inner.at, "meta").await.map_err(fails())?;
        let row = sqlx::query("SELECT (SELECT value FROM meta WHERE name = 'sealing_key') AS key, (SELECT count(*) FROM staged) AS staged")
            .fetch_one(&mut *transaction)
            .await
            .map_err(fails())?;
        let known: Option<String> = row.try_get("key").map_err(fails())?;
        let staged: i64 = row.try_get("staged").map_err(fails())?;
        match known {
            Some(theirs) if theirs == name => return Ok(()),
            Some(theirs) if staged > 0 => {
                return Err(StoreError::SealingKey { at: inner.at.clone(), theirs, ours: name.to_owned() });
            }
            Some(_) | None => {}
        }
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('sealing_key', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .execute(&mut *transaction)
        .await
        .map_err(fails())?;
        transaction.commit().await.map_err(fails())
    }

    fn with(home: Home, connection: AnyConnection) -> Self {
        Self {
            inner: Arc::new(Inner {
                at: home.at(FILE_NAME),
                home,
                connection: AsyncMutex::new(Some(connection)),
                lost: Arc::default(),
                locks: Mutex::default(),
                pending: Mutex::default(),
            }),
        }
    }
}

impl Store for SqlStore {
    fn append_json(
        &self,
        thread: ThreadId,
        body: String,
        stage: Option<Stage>,
    ) -> BoxFuture<'_, Result<Appended, StoreError>> {
        async move {
            let (answer, receiver) = oneshot::channel();
            let pending = Pending { thread, body, stage, answer };
            self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner).push(pending);
            // A task of its own: a caller that is cancelled must not tear the transaction that others share.
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move { inner.flush().await });
            receiver.await.unwrap_or_else(|_| {
                Err(StoreError::Database {
                    doing: "append to",
                    at: self.inner.at.clone(),
                    reason: "the process is ending".into(),
                })
            })
        }
        .boxed()
    }

    fn staged<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: &'a AccessKeyId,
    ) -> BoxFuture<'a, Result<Option<Sealed>, StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            let row = sqlx::query("SELECT sealed FROM staged WHERE rotation = $1 AND key = $2")
                .bind(rotation.as_str())
                .bind(key.as_str())
                .fetch_optional(self.inner.open(&mut guard)?)
                .await
                .map_err(self.inner.fails("read"))?;
            row.map(|row| row.try_get("sealed").map(Sealed::from_bytes).map_err(self.inner.fails("read"))).transpose()
        }
        .boxed()
    }

    fn stage<'a>(&'a self, rotation: &'a RotationId, stage: Stage) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            put_staged(self.inner.open(&mut guard)?, rotation.as_str(), &stage)
                .await
                .map_err(self.inner.fails("write to"))
        }
        .boxed()
    }

    fn unstage<'a>(
        &'a self,
        rotation: &'a RotationId,
        key: Option<&'a AccessKeyId>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            let done = sqlx::query("DELETE FROM staged WHERE rotation = $1 AND ($2 IS NULL OR key = $2)")
                .bind(rotation.as_str())
                .bind(key.map(AccessKeyId::as_str))
                .execute(self.inner.open(&mut guard)?)
                .await
                .map_err(self.inner.fails("wipe secrets from"))?;
            Ok(done.rows_affected())
        }
        .boxed()
    }

    fn rotations(&self) -> BoxFuture<'_, Result<Vec<Summary>, StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            let rows = sqlx::query(
                "SELECT rotation, min(seq) AS first, max(seq) AS last, count(*) AS records,
                    (SELECT count(*) FROM staged WHERE staged.rotation = records.rotation) AS staged
                 FROM records WHERE rotation LIKE 'r-%' GROUP BY rotation ORDER BY first",
            )
            .fetch_all(self.inner.open(&mut guard)?)
            .await
            .map_err(self.inner.fails("read"))?;
            rows.iter()
                .map(|row| {
                    let number = |name| row.try_get(name).map(unsigned).map_err(self.inner.fails("read"));
                    let first_seq = number("first")?;
                    Ok(Summary {
                        rotation: id_of(row, first_seq).map_err(|error| error.into_store(&self.inner))?,
                        first_seq,
                        last_seq: number("last")?,
                        records: number("records")?,
                        staged: number("staged")?,
                    })
                })
                .collect()
        }
        .boxed()
    }

    fn entries(&self, of: Threads) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            // All ids of a kind begin with the same two characters.
            let (from, to) = match &of {
                Threads::All | Threads::Since(_) => ("", "~"),
                Threads::Rotations => ("r-", "r."),
                Threads::Cases => ("c-", "c."),
                Threads::Quarantines => ("q-", "q."),
                Threads::Containments => ("k-", "k."),
                Threads::One(thread) => (thread.as_str(), thread.as_str()),
            };
            let after = if let Threads::Since(seq) = of { i64::try_from(seq).unwrap_or(i64::MAX) } else { 0 };
            let rows = sqlx::query(
                "SELECT seq, rotation, body, hash FROM records WHERE rotation BETWEEN $1 AND $2 AND seq > $3 ORDER BY seq",
            )
            .bind(from)
            .bind(to)
            .bind(after)
            .fetch_all(self.inner.open(&mut guard)?)
            .await
            .map_err(self.inner.fails("read"))?;
            rows.iter().map(|row| entry_of(row).map_err(|error| error.into_store(&self.inner))).collect()
        }
        .boxed()
    }

    fn verify(&self, expect: Vec<Hash>) -> BoxFuture<'_, Result<Head, StoreError>> {
        async move {
            let mut guard = self.inner.connection.lock().await;
            let connection = self.inner.open(&mut guard)?;
            let fails = || self.inner.fails("read");
            // One transaction, so that a record appended meanwhile is either seen in full or not at all.
            let begin = match self.inner.at {
                DatabaseAt::File(_) => "BEGIN",
                DatabaseAt::Server(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            };
            let mut transaction = connection.begin_with(begin).await.map_err(fails())?;
            self.inner.check(&mut transaction).await?;
            let written = self.inner.written(&mut transaction).await.map_err(fails())?;
            let mut walk = Walk::new(expect);
            {
                let mut rows =
                    sqlx::query("SELECT seq, rotation, body, hash FROM records ORDER BY seq").fetch(&mut *transaction);
                while let Some(row) = rows.try_next().await.map_err(fails())? {
                    walk.step(&entry_of(&row).map_err(|error| error.into_store(&self.inner))?)?;
                }
            }
            let head = walk.end(Some(written))?;
            transaction.rollback().await.map_err(fails())?;
            Ok(head)
        }
        .boxed()
    }

    fn lock<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Lock, LockError>> {
        async move {
            if let Home::Folder(folder) = &self.inner.home {
                return folder.lock(name);
            }
            let fails = |error| LockError::Store { name: name.to_owned(), error: Arc::new(error) };
            let mut guard = self.inner.connection.lock().await;
            let connection = self.inner.open(&mut guard).map_err(fails)?;
            let taking = session_lock::take(connection, &self.inner.locks, name);
            let taken = match tokio::time::timeout(ANSWER_PATIENCE, taking).await {
                Ok(taken) => taken.map_err(|error| fails(self.inner.fails("lock")(error)))?,
                Err(_) => return Err(fails(self.inner.gave_up(&mut guard))),
            };
            match taken {
                Taken::Ours => Ok(Lock::held_by(SessionLock::new(name.to_owned(), Arc::clone(&self.inner)))),
                Taken::Held(holder) => Err(LockError::Held { name: name.to_owned(), holder }),
            }
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            let connection = self.inner.connection.lock().await.take();
            if let Some(connection) = connection
                && let Err(error) = connection.close().await
            {
                tracing::debug!(%error, "the journal did not close in order");
            }
        }
        .boxed()
    }
}

impl Inner {
    fn open<'a>(
        &self,
        guard: &'a mut MutexGuard<'_, Option<AnyConnection>>,
    ) -> Result<&'a mut AnyConnection, StoreError> {
        if let Some(reason) = self.lost.get() {
            // What is left of it must hold no lock any more.
            **guard = None;
            return Err(StoreError::Lost { at: self.at.clone(), reason: reason.clone() });
        }
        guard.as_mut().ok_or_else(|| StoreError::Database {
            doing: "use",
            at: self.at.clone(),
            reason: "it was closed".into(),
        })
    }

    /// What an error means. One that says that the connection is gone ends the store.
    fn fails(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        let (at, lost) = (self.at.clone(), Arc::clone(&self.lost));
        move |error| {
            let error = database_error(doing, &at, &error);
            if let StoreError::Lost { reason, .. } = &error {
                let _ = lost.set(reason.clone());
            }
            error
        }
    }

    /// The server does not answer: the connection is given up, and the locks with it as soon as the server notices.
    fn gave_up(&self, guard: &mut MutexGuard<'_, Option<AnyConnection>>) -> StoreError {
        **guard = None;
        let reason = format!("no answer within {} s", ANSWER_PATIENCE.as_secs());
        StoreError::Lost { at: self.at.clone(), reason: self.lost.get_or_init(|| reason).clone() }
    }

    /// Whether the database itself is whole, and what keeps records as they are is there.
    async fn check(&self, transaction: &mut AnyConnection) -> Result<(), StoreError> {
        let triggers: Vec<String> = match &self.at {
            DatabaseAt::File(_) => {
                let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(self.fails("read"))?;
                if check != "ok" {
                    return Err(StoreError::Damaged { at: self.at.clone(), reason: check });
                }
                sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'records'")
                    .fetch_all(transaction)
                    .await
            }
            DatabaseAt::Server(_) => {
                sqlx::query_scalar(
                    "SELECT tgname::TEXT FROM pg_trigger WHERE tgrelid = 'records'::regclass AND tgenabled <> 'D'",
                )
                .fetch_all(transaction)
                .await
            }
        }
        .map_err(self.fails("read"))?;
        let needed = match &self.at {
            DatabaseAt::File(_) => sqlite::TRIGGERS.as_slice(),
            DatabaseAt::Server(_) => postgres::TRIGGERS.as_slice(),
        };
        match needed.iter().find(|name| !triggers.iter().any(|found| found == *name)) {
            Some(missing) => Err(Tampered { seq: 1, what: format!("the trigger {missing} was removed") }.into()),
            None => Ok(()),
        }
    }

    /// How many records were ever written, by a count that deleting rows does not lower: SQLite's own, or that of the head's row,
    /// which every append to a server locks first.
    async fn written(&self, connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
        let statement = match &self.at {
            DatabaseAt::File(_) => "SELECT seq FROM sqlite_sequence WHERE name = 'records'",
            DatabaseAt::Server(_) => "SELECT written FROM head",
        };
        let count: Option<i64> = sqlx::query_scalar(statement).fetch_optional(connection).await?;
        Ok(count.map_or(0, unsigned))
    }

    /// The last record, and how many were ever written, with the right to extend them.
    async fn last(&self, transaction: &mut AnyConnection) -> Result<(u64, Head), StoreError> {
        let fails = || self.fails("append to");
        let row = match &self.at {
            // Both in one statement: each is a way to SQLite's thread and back.
            DatabaseAt::File(_) => {
                sqlx::query(
                    "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'records') AS written, seq, hash
                     FROM (SELECT 1) LEFT JOIN (SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1)",
                )
                .fetch_one(transaction)
                .await
            }
            // One after the other: the second statement begins when the row is ours, and sees what the last holder wrote.
            DatabaseAt::Server(_) => {
                sqlx::query("SELECT written FROM head FOR UPDATE")
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(fails())?;
                sqlx::query(
                    "SELECT written, seq, hash FROM head
                     LEFT JOIN (SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1) AS last ON TRUE",
                )
                .fetch_one(transaction)
                .await
            }
        }
        .map_err(fails())?;
        let written = row.try_get::<Option<i64>, _>("written").map_err(fails())?.map_or(0, unsigned);
        if row.try_get::<Option<i64>, _>("seq").map_err(fails())?.is_none() {
            return Ok((written, Head::EMPTY));
        }
        let (seq, hash) = link_of(&row).map_err(|error| error.into_store(self))?;
        Ok((written, Head { seq, hash }))
    }

    /// Commits everything that waits, in the order in which it came, and answers each.
    async fn flush(&self) {
        let mut guard = self.connection.lock().await;
        let batch = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let result = match self.open(&mut guard) {
            Ok(connection) => {
                let committing = self.commit(connection, &batch);
                match &self.at {
                    DatabaseAt::File(_) => committing.await,
                    DatabaseAt::Server(_) => match tokio::time::timeout(ANSWER_PATIENCE, committing).await {
                        Ok(result) => result,
                        Err(_) => Err(self.gave_up(&mut guard)),
                    },
                }
            }
            Err(error) => Err(error),
        };
        // A caller that has gone away gets no answer; its record stands all the same.
        match result {
            Ok(appended) => {
                for (pending, appended) in batch.into_iter().zip(appended) {
                    let _ = pending.answer.send(Ok(appended));
                }
            }
            Err(error) => {
                for pending in batch {
                    let _ = pending.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn commit(&self, connection: &mut AnyConnection, batch: &[Pending]) -> Result<Vec<Appended>, StoreError> {
        let fails = || self.fails("append to");
        // The lock comes first: the head that is read is the head that is extended.
        let mut transaction = match &self.at {
            DatabaseAt::File(_) => begin_writing(connection, &self.at, "records").await,
            // The row of the head is locked below; readers and those who stage nothing new need not wait for it.
            DatabaseAt::Server(_) => connection.begin().await,
        }
        .map_err(fails())?;
        let (written, mut head) = self.last(&mut transaction).await?;
        // Appending to a shortened journal would hide that it was shortened.
        if written != head.seq {
            let seq = head.seq + 1;
            let what = format!("{written} records were written and the last one there is {}", head.seq);
            return Err(Tampered { seq, what }.into());
        }
        let mut appended = Vec::with_capacity(batch.len());
        for pending in batch {
            let seq = head.seq + 1;
            let hash = head.hash.next(seq, &pending.thread, &pending.body);
            sqlx::query("INSERT INTO records (seq, rotation, body, hash) VALUES ($1, $2, $3, $4)")
                .bind(signed(seq))
                .bind(pending.thread.as_str())
                .bind(&pending.body)
                .bind(hash.as_bytes().as_slice())
                .execute(&mut *transaction)
                .await
                .map_err(fails())?;
            if let Some(stage) = &pending.stage {
                put_staged(&mut transaction, pending.thread.as_str(), stage).await.map_err(fails())?;
            }
            head = Head { seq, hash };
            appended.push(Appended { seq, hash });
        }
        if let DatabaseAt::Server(_) = self.at {
            sqlx::query("UPDATE head SET written = $1")
                .bind(signed(head.seq))
                .execute(&mut *transaction)
                .await
                .map_err(fails())?;
        }
        transaction.commit().await.map_err(fails())?;
        Ok(appended)
    }
}

impl Release for Inner {
    fn locks(&self) -> &Mutex<SessionLocks> {
        &self.locks
    }

    async fn release(self: Arc<Self>) {
        let mut guard = self.connection.lock().await;
        let Ok(connection) = self.open(&mut guard) else { return };
        let releasing = session_lock::release(connection, &self.locks);
        match tokio::time::timeout(ANSWER_PATIENCE, releasing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = self.fails("unlock")(error);
                tracing::debug!(%error, "a lock was not let go of; it ends with the session");
            }
            Err(_) => {
                self.gave_up(&mut guard);
            }
        }
    }
}

/// A row that does not have its form: either the database failed, or somebody wrote into it.
enum BadRow {
    Database(sqlx::Error),
    Tampered(Tampered),
}

impl BadRow {
    fn into_store(self, inner: &Inner) -> StoreError {
        match self {
            Self::Database(error) => inner.fails("read")(error),
            Self::Tampered(tampered) => tampered.into(),
        }
    }
}

fn entry_of(row: &AnyRow) -> Result<Entry, BadRow> {
    let (seq, hash) = link_of(row)?;
    Ok(Entry { seq, thread: id_of(row, seq)?, body: row.try_get("body").map_err(BadRow::Database)?, hash })
}

/// The number and the hash of a record.
fn link_of(row: &AnyRow) -> Result<(u64, Hash), BadRow> {
    let seq = unsigned(row.try_get("seq").map_err(BadRow::Database)?);
    let hash: Vec<u8> = row.try_get("hash").map_err(BadRow::Database)?;
    let hash = hash
        .try_into()
        .map_err(|_| BadRow::Tampered(Tampered { seq, what: format!("the hash of record {seq} is malformed") }))?;
    Ok((seq, Hash::from_bytes(hash)))
}

/// The rotation or case of a record; the column is older than cases.
fn id_of<T: FromStr>(row: &AnyRow, seq: u64) -> Result<T, BadRow> {
    let text: String = row.try_get("rotation").map_err(BadRow::Database)?;
    text.parse().map_err(|_| BadRow::Tampered(Tampered { seq, what: format!("the id of record {seq} is malformed") }))
}

/// Both databases count in signed numbers; a negative one is nothing that we wrote, and 0 never stands for a record.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn put_staged(connection: &mut AnyConnection, rotation: &str, stage: &Stage) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO staged (rotation, key, sealed) VALUES ($1, $2, $3)
         ON CONFLICT (rotation, key) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(rotation)
    .bind(stage.key.as_str())
    .bind(stage.sealed.as_bytes())
    .execute(connection)
    .await?;
    Ok(())
}
