//! The server's own tables, in a SQLite file or in PostgreSQL.
//!
//! They hold what pages ask for (a view of audits and journal, which can be made again from those), and what the server itself
//! decides: runs, logins, approvals. Statements are written once for both databases: `$1` placeholders, whole numbers and texts.

use std::path::Path;
use std::time::Duration;

use akia_io::store::DatabaseUrl;
use futures_util::StreamExt as _;
use sqlx::ConnectOptions as _;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, Row as _, Transaction};
use tokio::sync::mpsc;

/// Longest wait for a connection, or for a writer of SQLite.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections to a PostgreSQL.
const CONNECTIONS: u32 = 8;
/// Connections that read a file at once. More would wait for the processor, and each has a cache of its own.
const READERS: u32 = 3;
/// Rows that are read before they are asked for.
const AHEAD: usize = 256;

/// What each session of PostgreSQL is told: the schema of the journal, and that a server which is gone holds nothing for long.
const POSTGRES: [&str; 5] = [
    "SET client_min_messages TO warning",
    "SET search_path TO akia",
    "SET tcp_keepalives_idle TO 5",
    "SET tcp_keepalives_interval TO 5",
    "SET idle_in_transaction_session_timeout TO '20s'",
];

/// The steps that brought the tables to what they are, oldest first. A step that has been released is never changed; each only
/// adds, so that the version before goes on working beside it.
const STEPS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Which database it is, where one has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// The server's tables.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    kind: Kind,
}

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database said no.
    #[error("the server's database cannot be used: cannot {doing}: {source}")]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// The answer; it holds no password.
        source: sqlx::Error,
    },
    /// A newer akia has made them.
    #[error("the server's tables are of version {found}, and this akia knows {known}")]
    Newer {
        /// The version there.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// Something there is not what akia writes.
    #[error("the server's database holds {what}, which akia does not write")]
    Strange {
        /// What.
        what: String,
    },
}

impl Database {
    /// Opens the tables in a file, made where there is none.
    ///
    /// # Errors
    /// When it cannot be opened or brought up to date.
    pub async fn sqlite(path: &Path) -> Result<Self, DatabaseError> {
        let mut url = url_of(path);
        url.push_str("?mode=rwc");
        sqlx::any::install_default_drivers();
        let options = url.parse::<AnyConnectOptions>().map_err(refused("open it"))?.disable_statement_logging();
        Self::open(options, Kind::Sqlite).await
    }

    /// Opens the tables of a PostgreSQL, beside those of the journal.
    ///
    /// # Errors
    /// When it cannot be reached or brought up to date.
    pub async fn postgres(url: &DatabaseUrl) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        Self::open(url.connect_options().map_err(refused("reach it"))?, Kind::Postgres).await
    }

    async fn open(options: AnyConnectOptions, kind: Kind) -> Result<Self, DatabaseError> {
        let most = match kind {
            Kind::Sqlite => READERS,
            Kind::Postgres => CONNECTIONS,
        };
        let pool = AnyPoolOptions::new().max_connections(most).acquire_timeout(PATIENCE).after_connect(
            move |connection, _| {
                Box::pin(async move {
                    let settings: &[&str] = match kind {
                        Kind::Sqlite => &[
                            "PRAGMA journal_mode = WAL",
                            "PRAGMA busy_timeout = 10000",
                            // 64 MB: without it, each look through all keys reads the file anew.
                            "PRAGMA cache_size = -65536",
                        ],
                        Kind::Postgres => &POSTGRES,
                    };
                    for setting in settings {
                        sqlx::query(*setting).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            },
        );
        let pool = pool.connect_with(options).await.map_err(refused("open it"))?;
        let database = Self { pool, kind };
        database.bring_up_to_date().await?;
        Ok(database)
    }

    /// Which database it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    async fn bring_up_to_date(&self) -> Result<(), DatabaseError> {
        let mut change = self.change().await?;
        if self.kind == Kind::Postgres {
            run(&mut change, "make its schema", Sql::new("CREATE SCHEMA IF NOT EXISTS akia")).await?;
            // Replicas that start together wait for each other here.
            run(&mut change, "lock the migration", Sql::new("SELECT pg_advisory_xact_lock(4702111234474983745)"))
                .await?;
        }
        let table = "CREATE TABLE IF NOT EXISTS serve_version (version BIGINT NOT NULL)";
        run(&mut change, "make its tables", Sql::new(table)).await?;
        let found = rows(&mut change, "read its version", Sql::new("SELECT version FROM serve_version")).await?;
        let found: i64 = found.first().map(|row| number(row, "version")).transpose()?.unwrap_or(0);
        let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(DatabaseError::Newer { found, known });
        }
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            for statement in step.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                run(&mut change, "make its tables", Sql::new(statement)).await?;
            }
        }
        if found < known {
            run(&mut change, "note its version", Sql::new("DELETE FROM serve_version")).await?;
            let noted = Sql::new("INSERT INTO serve_version (version) VALUES (").value(known).text(")");
            run(&mut change, "note its version", noted).await?;
        }
        change.commit().await.map_err(refused("make its tables"))
    }

    /// Begins a change of several statements; what is not committed has not happened.
    pub(crate) async fn change(&self) -> Result<Transaction<'static, Any>, DatabaseError> {
        self.pool.begin().await.map_err(refused("begin a change"))
    }

    /// The same where servers that share the database must not do it side by side: one waits for the other.
    pub(crate) async fn change_alone(&self) -> Result<Transaction<'static, Any>, DatabaseError> {
        let mut change = self.change().await?;
        if self.kind == Kind::Postgres {
            run(&mut change, "wait for another server", Sql::new("SELECT pg_advisory_xact_lock(4702111234474983746)"))
                .await?;
        }
        Ok(change)
    }

    /// The rows of one question.
    pub(crate) async fn rows(&self, doing: &'static str, sql: Sql) -> Result<Vec<AnyRow>, DatabaseError> {
        sql.query().fetch_all(&self.pool).await.map_err(refused(doing))
    }

    /// The rows of one question as they come. It holds a connection for as long, and ends with whoever does not go on taking them.
    pub(crate) fn stream(&self, doing: &'static str, sql: Sql) -> Rows {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let mut rows = sql.query().fetch(&pool);
            loop {
                let row = rows.next().await.transpose().map_err(refused(doing));
                let is_last = !matches!(row, Ok(Some(_)));
                let is_taken = tokio::time::timeout(PATIENCE, sender.send(row)).await;
                if is_last || !matches!(is_taken, Ok(Ok(()))) {
                    return;
                }
            }
        });
        Rows(receiver)
    }

    /// Carries out one statement; how many rows it was about.
    pub(crate) async fn run(&self, doing: &'static str, sql: Sql) -> Result<u64, DatabaseError> {
        sql.query().execute(&self.pool).await.map(|done| done.rows_affected()).map_err(refused(doing))
    }
}

/// Rows as they come.
pub(crate) struct Rows(mpsc::Receiver<Result<Option<AnyRow>, DatabaseError>>);

impl Rows {
    /// The next one; `None` behind the last. What broke off is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<AnyRow>, DatabaseError> {
        self.0.recv().await.unwrap_or_else(|| {
            let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "the rows were not taken in time");
            Err(DatabaseError::Refused { doing: "hand over all rows", source: source.into() })
        })
    }
}

/// Carries out one statement of a change.
pub(crate) async fn run(
    change: &mut Transaction<'static, Any>,
    doing: &'static str,
    sql: Sql,
) -> Result<u64, DatabaseError> {
    sql.query().execute(&mut **change).await.map(|done| done.rows_affected()).map_err(refused(doing))
}

/// The rows of a question within a change.
pub(crate) async fn rows(
    change: &mut Transaction<'static, Any>,
    doing: &'static str,
    sql: Sql,
) -> Result<Vec<AnyRow>, DatabaseError> {
    sql.query().fetch_all(&mut **change).await.map_err(refused(doing))
}

pub(crate) fn refused(doing: &'static str) -> impl FnOnce(sqlx::Error) -> DatabaseError {
    move |source| DatabaseError::Refused { doing, source }
}

/// A text of a row.
pub(crate) fn text(row: &AnyRow, column: &str) -> Result<String, DatabaseError> {
    row.try_get(column).map_err(refused("read a row"))
}

/// A text of a row that may be absent.
pub(crate) fn maybe_text(row: &AnyRow, column: &str) -> Result<Option<String>, DatabaseError> {
    row.try_get(column).map_err(refused("read a row"))
}

/// A number of a row.
pub(crate) fn number(row: &AnyRow, column: &str) -> Result<i64, DatabaseError> {
    row.try_get(column).map_err(refused("read a row"))
}

/// A number of a row that may be absent.
pub(crate) fn maybe_number(row: &AnyRow, column: &str) -> Result<Option<i64>, DatabaseError> {
    row.try_get(column).map_err(refused("read a row"))
}

/// A statement and its values. Values never become part of the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    MaybeText(Option<String>),
    Number(i64),
    MaybeNumber(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(storable(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(storable(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::MaybeText(text.map(storable))
    }
}

/// NUL is no text to PostgreSQL, and in no text that we keep.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::MaybeNumber(number)
    }
}

impl Sql {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// More of the statement. Only what stands in our code: user text is a [`Sql::value`].
    #[must_use]
    pub(crate) fn text(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// A value.
    #[must_use]
    pub(crate) fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// A row of values in parentheses.
    #[must_use]
    pub(crate) fn row(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        for (position, value) in values.into_iter().enumerate() {
            self = self.text(if position == 0 { "(" } else { ", " }).value(value);
        }
        self.text(")")
    }

    fn query(&self) -> Query<'_, Any, AnyArguments> {
        // The text is made of literals of our code and of placeholders; see `text` and `value`.
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.text.clone()));
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind(text.clone()),
                Value::MaybeText(text) => query.bind(text.clone()),
                Value::Number(number) => query.bind(*number),
                Value::MaybeNumber(number) => query.bind(*number),
            };
        }
        query
    }
}

fn url_of(path: &Path) -> String {
    let mut url = String::from("sqlite:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::postgres;

    /// Tables in a file of a folder of their own.
    pub(crate) async fn scratch() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(&folder.path().join("a file %41.db")).await.unwrap();
        (folder, database)
    }

    /// New tables of each kind.
    pub(crate) async fn both() -> [(tempfile::TempDir, Database); 2] {
        let url = postgres::server().database().parse().unwrap();
        [scratch().await, (tempfile::tempdir().unwrap(), Database::postgres(&url).await.unwrap())]
    }

    #[tokio::test]
    async fn tables_are_made_once_and_those_of_a_newer_akia_are_left_alone() {
        let (folder, database) = scratch().await;
        assert!(folder.path().join("a file %41.db").exists());
        let path = folder.path().join("a file %41.db");
        Database::sqlite(&path).await.unwrap();
        database.run("test", Sql::new("UPDATE serve_version SET version = 99")).await.unwrap();
        let error = Database::sqlite(&path).await.unwrap_err();
        assert_eq!(error.to_string(), "the server's tables are of version 99, and this akia knows 2");
    }

    #[tokio::test]
    async fn absent_values_come_back_absent_and_nul_is_no_text() {
        let (_folder, database) = scratch().await;
        let sql = Sql::new("INSERT INTO serve_note (name, text, number) VALUES ").row([
            Value::from("a"),
            Value::MaybeText(None),
            Value::MaybeNumber(None),
        ]);
        assert_eq!(database.run("test", sql).await.unwrap(), 1);
        let rows = database.rows("test", Sql::new("SELECT * FROM serve_note")).await.unwrap();
        assert_eq!(maybe_text(&rows[0], "text").unwrap(), None);
        assert_eq!(maybe_number(&rows[0], "number").unwrap(), None);
    }
}
