//! All stores on one PostgreSQL server, for several machines: the tables of the schema `akia`.
//!
//! Durability: every session sets `synchronous_commit` to `on` at least, and a server that runs with `fsync = off` is refused. A
//! commit returns when it is in the server's write-ahead log on disk.
//!
//! Versions are `major.minor`. A minor step only adds (tables, columns with a default, indexes), so that the akia before it goes on
//! working beside it; a major one may change anything, and the akia before it refuses what it finds then.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::{ConnectOptions, Connection, Row};

use super::StoreError;
use super::connection::BUSY_PATIENCE;
use super::home::DatabaseAt;
use super::url::DatabaseUrl;

/// How long the server may take to answer the call for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// Whoever brings the schema up to date holds this lock, over all schemas of the database: "akia" in ASCII.
const MIGRATION_LOCK: i64 = 0x616b_6961;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
struct Step {
    version: Version,
    sql: &'static str,
}

/// The version of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: i64,
    minor: i64,
}

/// Steps are only ever added.
const STEPS: [Step; 1] = [Step { version: Version { major: 1, minor: 0 }, sql: include_str!("postgres.sql") }];

/// What keeps records as they are.
pub(super) const TRIGGERS: [&str; 4] = [
    "records_are_never_changed",
    "records_are_never_deleted",
    "records_are_never_replaced",
    "records_are_never_truncated",
];

/// What every session is told. A client that has died without a word is noticed within 5 + 3 × 5 s, and its locks are free; one that
/// hangs in a transaction loses its connection. The name of the schema is fixed, so that no search path of a role changes it.
const SESSION: &str = "
SET client_min_messages TO warning;
SET search_path TO akia;
SET default_transaction_isolation TO 'read committed';
SET lock_timeout TO '20s';
SET idle_in_transaction_session_timeout TO '20s';
SET tcp_keepalives_idle TO 5;
SET tcp_keepalives_interval TO 5;
SET tcp_keepalives_count TO 3;
SET tcp_user_timeout TO 20000;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply';
";

/// Opens the schema, making it or bringing it up to date where that is needed.
pub(super) async fn open(url: &DatabaseUrl) -> Result<AnyConnection, StoreError> {
    let at = DatabaseAt::Server(url.clone());
    let mut connection = connect(url, &at).await?;
    bring_up_to_date(&mut connection, &at, &STEPS).await?;
    Ok(connection)
}

/// Opens the schema if there is one, and makes none.
pub(super) async fn open_existing(url: &DatabaseUrl) -> Result<Option<AnyConnection>, StoreError> {
    let at = DatabaseAt::Server(url.clone());
    let mut connection = connect(url, &at).await?;
    let found = version(&mut connection).await.map_err(|error| self::error("read", &at, &error))?;
    if found.is_none() {
        return Ok(None);
    }
    bring_up_to_date(&mut connection, &at, &STEPS).await?;
    Ok(Some(connection))
}

async fn connect(url: &DatabaseUrl, at: &DatabaseAt) -> Result<AnyConnection, StoreError> {
    sqlx::any::install_default_drivers();
    let fails = |error: sqlx::Error| self::error("open", at, &error);
    let options = url.connect_options().map_err(fails)?;
    let connecting = tokio::time::timeout(CONNECT_PATIENCE, options.connect());
    let mut connection = connecting
        .await
        .map_err(|_| StoreError::Unreachable {
            at: at.clone(),
            reason: format!("no answer within {} s", CONNECT_PATIENCE.as_secs()),
        })?
        .map_err(|error| unreachable(at, &error))?;
    sqlx::raw_sql(SESSION).execute(&mut connection).await.map_err(fails)?;
    sqlx::query("SELECT set_config('application_name', $1, false)")
        .bind(format!("akia {}/{}", super::session_lock::host(), std::process::id()))
        .execute(&mut connection)
        .await
        .map_err(fails)?;
    let fsync: String =
        sqlx::query_scalar("SELECT current_setting('fsync')").fetch_one(&mut connection).await.map_err(fails)?;
    if fsync != "on" {
        return Err(StoreError::Damaged {
            at: at.clone(),
            reason: "the server runs with fsync = off, so a power cut could take back what akia has acted on".into(),
        });
    }
    Ok(connection)
}

/// The version of the schema; `None` where there is none.
async fn version(connection: &mut AnyConnection) -> Result<Option<Version>, sqlx::Error> {
    // Not `to_regclass`: it may answer from a cache that is older than what another session has just made.
    let there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'akia' AND tablename = 'schema_version'")
            .fetch_one(&mut *connection)
            .await?;
    if there == 0 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT major, minor FROM akia.schema_version ORDER BY major DESC, minor DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok(Version { major: row.try_get("major")?, minor: row.try_get("minor")? })).transpose()
}

/// Takes the schema to the last of the steps. One process at a time; a schema of the same major version and a later minor one is
/// used as it is.
async fn bring_up_to_date(connection: &mut AnyConnection, at: &DatabaseAt, steps: &[Step]) -> Result<(), StoreError> {
    let fails = |error: sqlx::Error| self::error("bring up to date", at, &error);
    let Some(ours) = steps.last().map(|step| step.version) else { return Ok(()) };
    let is_fine = |found: Option<Version>| match found {
        Some(found) if found.major > ours.major => {
            Err(StoreError::Newer { at: at.clone(), found: found.major, known: ours.major })
        }
        Some(found) => Ok(found >= ours),
        None => Ok(false),
    };
    if is_fine(version(connection).await.map_err(fails)?)? {
        return Ok(());
    }
    let mut transaction = connection.begin().await.map_err(fails)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(fails)?;
    // Another process may have done it while this one waited.
    let found = version(&mut transaction).await.map_err(fails)?;
    if is_fine(found)? {
        return Ok(());
    }
    if found.is_none() {
        // Whoever may not make schemas gets one made by somebody who may, and the right to make tables in it.
        let schemas: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'akia'")
            .fetch_one(&mut *transaction)
            .await
            .map_err(fails)?;
        if schemas == 0 {
            sqlx::raw_sql("CREATE SCHEMA akia").execute(&mut *transaction).await.map_err(fails)?;
        }
        sqlx::raw_sql(
            "CREATE TABLE akia.schema_version (major BIGINT NOT NULL, minor BIGINT NOT NULL, akia TEXT NOT NULL,
                applied_at TEXT NOT NULL DEFAULT now()::TEXT, PRIMARY KEY (major, minor))",
        )
        .execute(&mut *transaction)
        .await
        .map_err(fails)?;
    }
    for step in steps.iter().filter(|step| found.is_none_or(|found| step.version > found)) {
        sqlx::raw_sql(step.sql).execute(&mut *transaction).await.map_err(fails)?;
        sqlx::query("INSERT INTO akia.schema_version (major, minor, akia) VALUES ($1, $2, $3)")
            .bind(step.version.major)
            .bind(step.version.minor)
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(&mut *transaction)
            .await
            .map_err(fails)?;
    }
    transaction.commit().await.map_err(fails)
}

fn unreachable(at: &DatabaseAt, error: &sqlx::Error) -> StoreError {
    StoreError::Unreachable { at: at.clone(), reason: error.to_string() }
}

/// What the server's words mean (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(super) fn error(doing: &'static str, at: &DatabaseAt, error: &sqlx::Error) -> StoreError {
    let at = at.clone();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            StoreError::Lost { at, reason: error.to_string() }
        }
        // Shut down, cut off by an administrator, or for idling in a transaction.
        _ if code.starts_with("57P") || code.starts_with("08") || code == "25P03" => {
            StoreError::Lost { at, reason: error.to_string() }
        }
        _ if code == "55P03" => StoreError::Busy { at, seconds: BUSY_PATIENCE.as_secs() },
        _ if code == "53100" => StoreError::NoSpace { at },
        _ if code.starts_with("XX") => StoreError::Damaged { at, reason: error.to_string() },
        _ => StoreError::Database { doing, at, reason: error.to_string() },
    }
}
