//! What all stores need of their database, whichever of the two it is: opening it, a transaction that writes, and its errors.
//!
//! Statements are written once, for both: `$1` stands for values, numbers are 64 bits wide, and truth is 0 or 1.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::{Any, Connection, Transaction};

use super::home::{DatabaseAt, Home};
use super::{StoreError, postgres, sqlite};

/// How long a transaction waits for another process. Each takes milliseconds.
pub(super) const BUSY_PATIENCE: Duration = Duration::from_secs(20);

/// A database that holds things beside the journal: on SQLite a file of its own with its own version, on PostgreSQL some tables.
pub(crate) struct Beside {
    /// The file in the state folder.
    pub(crate) file: &'static str,
    /// Each step takes the file from one version to the next. Steps are only ever added.
    pub(crate) steps: &'static [&'static str],
    /// Bytes of a page of the file, where SQLite's own choice does not fit. Counts only before there is anything in it.
    pub(crate) page_size: Option<&'static str>,
}

/// An opened database.
pub(crate) enum Opened {
    /// Ready for use.
    Ready(DatabaseAt, AnyConnection),
    /// A newer akia made the file.
    Newer { at: DatabaseAt, found: i64, known: i64 },
}

impl Beside {
    /// Opens it, making it where there is none.
    pub(crate) async fn open(&self, home: &Home) -> Result<Opened, StoreError> {
        if let Home::Folder(folder) = home {
            let path = folder.path().join(self.file);
            if sqlite::check_file(&path)?.is_none() {
                sqlite::create_file(folder.path(), &path)?;
            }
        }
        self.connect(home).await
    }

    /// Opens it if there is one, and makes none.
    pub(crate) async fn open_existing(&self, home: &Home) -> Result<Option<Opened>, StoreError> {
        match home {
            Home::Folder(folder) => {
                let is_empty = |metadata: std::fs::Metadata| metadata.len() == 0;
                if sqlite::check_file(&folder.path().join(self.file))?.is_none_or(is_empty) {
                    return Ok(None);
                }
                self.connect(home).await.map(Some)
            }
            Home::Server(url) => {
                let connection = postgres::open_existing(url).await?;
                Ok(connection.map(|connection| Opened::Ready(home.at(self.file), connection)))
            }
        }
    }

    async fn connect(&self, home: &Home) -> Result<Opened, StoreError> {
        let at = home.at(self.file);
        match home {
            Home::Folder(folder) => {
                let mut connection = sqlite::connect(&folder.path().join(self.file)).await?;
                if let Some(pragma) = self.page_size {
                    let set = sqlx::raw_sql(pragma).execute(&mut connection).await;
                    set.map_err(|error| database_error("set up", &at, &error))?;
                }
                match sqlite::bring_up_to_date(&mut connection, &at, self.steps).await? {
                    sqlite::Version::Ours => Ok(Opened::Ready(at, connection)),
                    sqlite::Version::Newer { found, known } => Ok(Opened::Newer { at, found, known }),
                }
            }
            Home::Server(url) => Ok(Opened::Ready(at, postgres::open(url).await?)),
        }
    }
}

/// Begins a transaction that writes to a table: no other that writes there begins until this one is over, and what is read in it
/// holds until then. SQLite locks the whole file for that.
pub(crate) async fn begin_writing<'a>(
    connection: &'a mut AnyConnection,
    at: &DatabaseAt,
    table: &'static str,
) -> Result<Transaction<'a, Any>, sqlx::Error> {
    match at {
        DatabaseAt::File(_) => connection.begin_with("BEGIN IMMEDIATE").await,
        DatabaseAt::Server(_) => {
            let mut transaction = connection.begin().await?;
            let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
            sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut *transaction).await?;
            Ok(transaction)
        }
    }
}

/// What the words of the database mean.
pub(crate) fn database_error(doing: &'static str, at: &DatabaseAt, error: &sqlx::Error) -> StoreError {
    match at {
        DatabaseAt::File(_) => sqlite::error(doing, at, error),
        DatabaseAt::Server(_) => postgres::error(doing, at, error),
    }
}
