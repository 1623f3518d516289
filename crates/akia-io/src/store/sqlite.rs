//! The store of one machine: a SQLite database in the state folder.
//!
//! Durability: rollback journal in DELETE mode with `synchronous=EXTRA`. SQLite then syncs the database, removes the
//! rollback journal and syncs the folder before a commit returns; with FULL, a power cut could bring the removed
//! rollback journal back and undo a commit that we have already acted on. Write-ahead logging would keep old pages,
//! with wiped secrets in them, until a checkpoint, and does not work on network file systems.
//!
//! That is three syncs a commit, so appends that wait at the same time share one transaction: fifty concurrent
//! rotations pay for one.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use akia_core::{AccessKeyId, RotationId, ThreadId};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, oneshot};

use super::chain::Walk;
use super::{Appended, Entry, Hash, Head, Stage, Store, StoreError, Summary, Tampered, Threads};
use crate::files::platform;
use crate::seal::Sealed;
use crate::state::{Lock, LockError, StateError, StateFolder, refuse_unsafe};

/// The database in the state folder.
pub const FILE_NAME: &str = "journal.db";
/// The schema that this akia writes.
const SCHEMA_VERSION: i64 = 1;
/// How long a transaction waits for another process. Each takes milliseconds.
const BUSY_PATIENCE: Duration = Duration::from_secs(20);

const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    rotation TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX records_by_rotation ON records (rotation, seq);
CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER records_are_never_replaced BEFORE INSERT ON records
    WHEN EXISTS (SELECT 1 FROM records WHERE seq >= NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'records are never replaced'); END;
CREATE TABLE staged (
    rotation TEXT NOT NULL,
    key TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (rotation, key)
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('schema', '1');
";
const TRIGGERS: [&str; 3] = ["records_are_never_changed", "records_are_never_deleted", "records_are_never_replaced"];

/// The journal of this machine. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    folder: StateFolder,
    path: PathBuf,
    /// One connection, one thread of SQLite's; `None` after [`Store::close`].
    connection: AsyncMutex<Option<SqliteConnection>>,
    /// Appends that wait for the next transaction.
    pending: Mutex<Vec<Pending>>,
}

struct Pending {
    thread: ThreadId,
    body: String,
    stage: Option<Stage>,
    answer: oneshot::Sender<Result<Appended, StoreError>>,
}

impl SqliteStore {
    /// Opens the journal of a state folder, creating it with mode 0600 when it is missing.
    pub async fn open(folder: &StateFolder) -> Result<Self, StoreError> {
        let path = folder.path().join(FILE_NAME);
        if check_file(&path)?.is_none() {
            create_file(folder.path(), &path)?;
        }
        let mut connection = connect(&path).await?;
        if schema_version(&mut connection, &path).await? == 0 {
            create_schema(&mut connection, &path).await?;
        }
        Ok(Self::with(folder, path, connection))
    }

    /// Opens the journal if there is one, and creates nothing.
    pub async fn open_existing(folder: &StateFolder) -> Result<Option<Self>, StoreError> {
        let path = folder.path().join(FILE_NAME);
        // An empty file is what a process left that died before its first transaction.
        if check_file(&path)?.is_none_or(|metadata| metadata.len() == 0) {
            return Ok(None);
        }
        let mut connection = connect(&path).await?;
        if schema_version(&mut connection, &path).await? == 0 {
            return Ok(None);
        }
        Ok(Some(Self::with(folder, path, connection)))
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The state folder that it lives in.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.inner.folder
    }

    fn with(folder: &StateFolder, path: PathBuf, connection: SqliteConnection) -> Self {
        Self {
            inner: Arc::new(Inner {
                folder: folder.clone(),
                path,
                connection: AsyncMutex::new(Some(connection)),
                pending: Mutex::default(),
            }),
        }
    }
}

impl Store for SqliteStore {
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
                    path: self.inner.path.clone(),
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
            let row = sqlx::query("SELECT sealed FROM staged WHERE rotation = ? AND key = ?")
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
            let done = sqlx::query("DELETE FROM staged WHERE rotation = ?1 AND (?2 IS NULL OR key = ?2)")
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
                "SELECT seq, rotation, body, hash FROM records WHERE rotation BETWEEN ? AND ? AND seq > ? ORDER BY seq",
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
            let mut transaction = connection.begin().await.map_err(fails())?;
            let check: String =
                sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *transaction).await.map_err(fails())?;
            if check != "ok" {
                return Err(StoreError::Damaged { path: self.inner.path.clone(), reason: check });
            }
            let triggers: Vec<String> =
                sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'records'")
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(fails())?;
            if let Some(missing) = TRIGGERS.iter().find(|name| !triggers.iter().any(|found| found == *name)) {
                return Err(Tampered { seq: 1, what: format!("the trigger {missing} was removed") }.into());
            }
            let written = written(&mut transaction).await.map_err(fails())?;
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

    fn lock(&self, name: &str) -> Result<Lock, LockError> {
        self.inner.folder.lock(name)
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
        guard: &'a mut MutexGuard<'_, Option<SqliteConnection>>,
    ) -> Result<&'a mut SqliteConnection, StoreError> {
        guard.as_mut().ok_or_else(|| StoreError::Database {
            doing: "use",
            path: self.path.clone(),
            reason: "it was closed".into(),
        })
    }

    fn fails(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
        let path = self.path.clone();
        move |error| database_error(doing, &path, &error)
    }

    /// Commits everything that waits, in the order in which it came, and answers each.
    async fn flush(&self) {
        let mut guard = self.connection.lock().await;
        let batch = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() {
            return;
        }
        let result = match self.open(&mut guard) {
            Ok(connection) => self.commit(connection, &batch).await,
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

    async fn commit(&self, connection: &mut SqliteConnection, batch: &[Pending]) -> Result<Vec<Appended>, StoreError> {
        let fails = || self.fails("append to");
        // IMMEDIATE takes the write lock first: the head that is read is the head that is extended.
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fails())?;
        // Both in one statement: each is a way to SQLite's thread and back.
        let last = sqlx::query(
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'records') AS written, seq, hash
             FROM (SELECT 1) LEFT JOIN (SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1)",
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(fails())?;
        let written = last.try_get::<Option<i64>, _>("written").map_err(fails())?.map_or(0, unsigned);
        let mut head = Head::EMPTY;
        if last.try_get::<Option<i64>, _>("seq").map_err(fails())?.is_some() {
            let (seq, hash) = link_of(&last).map_err(|error| error.into_store(self))?;
            head = Head { seq, hash };
        }
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
            sqlx::query("INSERT INTO records (seq, rotation, body, hash) VALUES (?, ?, ?, ?)")
                .bind(i64::try_from(seq).unwrap_or(i64::MAX))
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
        transaction.commit().await.map_err(fails())?;
        Ok(appended)
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
            Self::Database(error) => database_error("read", &inner.path, &error),
            Self::Tampered(tampered) => tampered.into(),
        }
    }
}

fn entry_of(row: &SqliteRow) -> Result<Entry, BadRow> {
    let (seq, hash) = link_of(row)?;
    Ok(Entry { seq, thread: id_of(row, seq)?, body: row.try_get("body").map_err(BadRow::Database)?, hash })
}

/// The number and the hash of a record.
fn link_of(row: &SqliteRow) -> Result<(u64, Hash), BadRow> {
    let seq = unsigned(row.try_get("seq").map_err(BadRow::Database)?);
    let hash: Vec<u8> = row.try_get("hash").map_err(BadRow::Database)?;
    let hash = hash
        .try_into()
        .map_err(|_| BadRow::Tampered(Tampered { seq, what: format!("the hash of record {seq} is malformed") }))?;
    Ok((seq, Hash::from_bytes(hash)))
}

/// The rotation or case of a record; the column is older than cases.
fn id_of<T: FromStr>(row: &SqliteRow, seq: u64) -> Result<T, BadRow> {
    let text: String = row.try_get("rotation").map_err(BadRow::Database)?;
    text.parse().map_err(|_| BadRow::Tampered(Tampered { seq, what: format!("the id of record {seq} is malformed") }))
}

/// SQLite counts in signed numbers; a negative one is nothing that we wrote, and 0 never stands for a record.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// How many records were ever written, by SQLite's own count, which deleting rows does not lower.
async fn written(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let count: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetch_optional(connection).await?;
    Ok(count.map_or(0, unsigned))
}

async fn put_staged(connection: &mut SqliteConnection, rotation: &str, stage: &Stage) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO staged (rotation, key, sealed) VALUES (?, ?, ?)
         ON CONFLICT (rotation, key) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(rotation)
    .bind(stage.key.as_str())
    .bind(stage.sealed.as_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

/// The database file, refused unless it is a plain file of ours; tightened when others could read it.
pub(crate) fn check_file(path: &Path) -> Result<Option<fs::Metadata>, StoreError> {
    let io = |doing, source| StoreError::from(StateError::Io { doing, path: path.to_owned(), source });
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("look at", error)),
    };
    if !metadata.is_file() {
        return Err(StoreError::Damaged { path: path.to_owned(), reason: "it is not a regular file".into() });
    }
    refuse_unsafe(path, &metadata)?;
    if platform::mode(&metadata).is_some_and(|mode| mode & 0o077 != 0) {
        let file = OpenOptions::new().read(true).open(path).map_err(|error| io("open", error))?;
        platform::set_mode(&file, 0o600).map_err(|error| io("set the mode of", error))?;
    }
    Ok(Some(metadata))
}

/// Creates the file before SQLite would, which asks the umask for its mode.
pub(crate) fn create_file(folder: &Path, path: &Path) -> Result<(), StoreError> {
    let io = |source| StoreError::from(StateError::Io { doing: "create", path: path.to_owned(), source });
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    platform::private(&mut options);
    match options.open(path) {
        Ok(file) => platform::set_mode(&file, 0o600).map_err(io)?,
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    platform::sync_folder(folder).map_err(io)
}

pub(crate) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_PATIENCE)
        .journal_mode(SqliteJournalMode::Delete)
        .locking_mode(SqliteLockingMode::Normal)
        .synchronous(SqliteSynchronous::Extra)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
        .pragma("recursive_triggers", "ON")
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| database_error("open", path, &error))
}

/// Whether a database beside the journal is one that this akia knows.
pub(crate) enum Version {
    /// It is.
    Ours,
    /// A newer akia made it.
    Newer { found: i64, known: i64 },
}

/// Takes a database beside the journal to the latest version, step by step. Each step takes it from one version to the next.
pub(crate) async fn bring_up_to_date(
    connection: &mut SqliteConnection,
    path: &Path,
    steps: &[&'static str],
) -> Result<Version, StoreError> {
    let fails = |error: sqlx::Error| database_error("bring up to date", path, &error);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fails)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(fails)?;
    if found > known {
        return Ok(Version::Newer { found, known });
    }
    for (number, &step) in (1_i64..).zip(steps).filter(|(number, _)| *number > found) {
        sqlx::raw_sql(step).execute(&mut *transaction).await.map_err(fails)?;
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {number}")))
            .execute(&mut *transaction)
            .await
            .map_err(fails)?;
    }
    transaction.commit().await.map_err(fails)?;
    Ok(Version::Ours)
}

/// 0 for an empty database.
async fn schema_version(connection: &mut SqliteConnection, path: &Path) -> Result<i64, StoreError> {
    let fails = |error: sqlx::Error| database_error("read", path, &error);
    let damaged = |reason: &str| StoreError::Damaged { path: path.to_owned(), reason: reason.into() };
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(fails)?;
    if tables.is_empty() {
        return Ok(0);
    }
    if !tables.iter().any(|name| name == "meta") || !tables.iter().any(|name| name == "records") {
        return Err(damaged("it has tables, but not those of a journal"));
    }
    let version: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'schema'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(fails)?;
    let found: i64 = version
        .and_then(|text| text.parse().ok())
        .filter(|version| *version >= 1)
        .ok_or_else(|| damaged("it does not tell its schema version"))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    Ok(found)
}

async fn create_schema(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let fails = |error: sqlx::Error| database_error("create the tables of", path, &error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fails)?;
    // Two processes may have found the database empty.
    if schema_version(&mut transaction, path).await? == 0 {
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await.map_err(fails)?;
    }
    transaction.commit().await.map_err(fails)
}

pub(crate) fn database_error(doing: &'static str, path: &Path, error: &sqlx::Error) -> StoreError {
    let path = path.to_owned();
    let code: Option<i64> =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse().ok());
    // The low byte is SQLite's primary result code (https://sqlite.org/rescode.html).
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy { path, seconds: BUSY_PATIENCE.as_secs() },
        Some(13) => StoreError::NoSpace { path },
        Some(11 | 26) => StoreError::Damaged { path, reason: error.to_string() },
        _ => StoreError::Database { doing, path, reason: error.to_string() },
    }
}
