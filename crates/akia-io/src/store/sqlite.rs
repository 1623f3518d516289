//! SQLite files in the state folder: how they are opened, what protects them, and what their errors mean.
//!
//! Durability: rollback journal in DELETE mode with `synchronous=EXTRA`. SQLite then syncs the database, removes the
//! rollback journal and syncs the folder before a commit returns; with FULL, a power cut could bring the removed
//! rollback journal back and undo a commit that we have already acted on. Write-ahead logging would keep old pages,
//! with wiped secrets in them, until a checkpoint, and does not work on network file systems.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::AnyConnection;
use sqlx::any::AnyConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::StoreError;
use super::connection::BUSY_PATIENCE;
use super::home::DatabaseAt;
use crate::files::platform;
use crate::state::{StateError, StateFolder, refuse_unsafe};

/// The schema of the journal that this akia writes.
const SCHEMA_VERSION: i64 = 1;

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
/// What keeps records as they are.
pub(super) const TRIGGERS: [&str; 3] =
    ["records_are_never_changed", "records_are_never_deleted", "records_are_never_replaced"];

/// The database file, refused unless it is a plain file of ours; tightened when others could read it.
pub(super) fn check_file(path: &Path) -> Result<Option<fs::Metadata>, StoreError> {
    let io = |doing, source| StoreError::from(StateError::Io { doing, path: path.to_owned(), source });
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("look at", error)),
    };
    if !metadata.is_file() {
        return Err(StoreError::Damaged {
            at: DatabaseAt::File(path.to_owned()),
            reason: "it is not a regular file".into(),
        });
    }
    refuse_unsafe(path, &metadata)?;
    if platform::mode(&metadata).is_some_and(|mode| mode & 0o077 != 0) {
        let file = OpenOptions::new().read(true).open(path).map_err(|error| io("open", error))?;
        platform::set_mode(&file, 0o600).map_err(|error| io("set the mode of", error))?;
    }
    Ok(Some(metadata))
}

/// Creates the file before SQLite would, which asks the umask for its mode.
pub(super) fn create_file(folder: &Path, path: &Path) -> Result<(), StoreError> {
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

/// What every connection is told; see the top of this file.
const SESSION: &str = "
PRAGMA busy_timeout = 20000;
PRAGMA journal_mode = DELETE;
PRAGMA locking_mode = NORMAL;
PRAGMA synchronous = EXTRA;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA trusted_schema = OFF;
PRAGMA temp_store = MEMORY;
PRAGMA recursive_triggers = ON;
";

pub(super) async fn connect(path: &Path) -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    let at = DatabaseAt::File(path.to_owned());
    let fails = |error: sqlx::Error| self::error("open", &at, &error);
    let text = path.to_str().ok_or_else(|| StoreError::Damaged {
        at: at.clone(),
        reason: "SQLite opens no file whose name is not UTF-8".into(),
    })?;
    // `rw` makes no file. The name is encoded whole: it may hold any character.
    let url = format!("sqlite:{}?mode=rw", utf8_percent_encode(text, NON_ALPHANUMERIC));
    let options: AnyConnectOptions = url.parse().map_err(fails)?;
    let mut connection = options.disable_statement_logging().connect().await.map_err(fails)?;
    sqlx::raw_sql(SESSION).execute(&mut connection).await.map_err(fails)?;
    Ok(connection)
}

/// Opens the journal of a state folder, making it with mode 0600 where there is none.
pub(super) async fn open_journal(folder: &StateFolder, path: &Path) -> Result<AnyConnection, StoreError> {
    if check_file(path)?.is_none() {
        create_file(folder.path(), path)?;
    }
    let mut connection = connect(path).await?;
    if schema_version(&mut connection, path).await? == 0 {
        create_schema(&mut connection, path).await?;
    }
    Ok(connection)
}

/// Opens the journal if there is one, and creates nothing.
pub(super) async fn open_existing_journal(path: &Path) -> Result<Option<AnyConnection>, StoreError> {
    // An empty file is what a process left that died before its first transaction.
    if check_file(path)?.is_none_or(|metadata| metadata.len() == 0) {
        return Ok(None);
    }
    let mut connection = connect(path).await?;
    Ok((schema_version(&mut connection, path).await? != 0).then_some(connection))
}

/// Whether a database beside the journal is one that this akia knows.
pub(super) enum Version {
    /// It is.
    Ours,
    /// A newer akia made it.
    Newer { found: i64, known: i64 },
}

/// Takes a database beside the journal to the latest version, step by step. Each step takes it from one version to the next.
pub(super) async fn bring_up_to_date(
    connection: &mut AnyConnection,
    at: &DatabaseAt,
    steps: &[&'static str],
) -> Result<Version, StoreError> {
    let fails = |error: sqlx::Error| self::error("bring up to date", at, &error);
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
async fn schema_version(connection: &mut AnyConnection, path: &Path) -> Result<i64, StoreError> {
    let at = DatabaseAt::File(path.to_owned());
    let fails = |error: sqlx::Error| self::error("read", &at, &error);
    let damaged = |reason: &str| StoreError::Damaged { at: at.clone(), reason: reason.into() };
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
        return Err(StoreError::Newer { at, found, known: SCHEMA_VERSION });
    }
    Ok(found)
}

async fn create_schema(connection: &mut AnyConnection, path: &Path) -> Result<(), StoreError> {
    let at = DatabaseAt::File(path.to_owned());
    let fails = |error: sqlx::Error| self::error("create the tables of", &at, &error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fails)?;
    // Two processes may have found the database empty.
    if schema_version(&mut transaction, path).await? == 0 {
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await.map_err(fails)?;
    }
    transaction.commit().await.map_err(fails)
}

pub(super) fn error(doing: &'static str, at: &DatabaseAt, error: &sqlx::Error) -> StoreError {
    let at = at.clone();
    let code: Option<i64> =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse().ok());
    // The low byte is SQLite's primary result code (https://sqlite.org/rescode.html).
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => StoreError::Busy { at, seconds: BUSY_PATIENCE.as_secs() },
        Some(13) => StoreError::NoSpace { at },
        Some(11 | 26) => StoreError::Damaged { at, reason: error.to_string() },
        _ => StoreError::Database { doing, at, reason: error.to_string() },
    }
}
