//! Where the stores of akia are: in files of the state folder, or all together on one PostgreSQL server.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::url::DatabaseUrl;
use super::{SqlStore, Store as _};
use crate::state::{Lock, LockError, StateFolder};

/// Where the stores are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// On this machine: a SQLite file for each.
    Folder(StateFolder),
    /// On a server that several machines share.
    Server(DatabaseUrl),
}

impl From<&StateFolder> for Home {
    fn from(folder: &StateFolder) -> Self {
        Self::Folder(folder.clone())
    }
}

impl From<&Home> for Home {
    fn from(home: &Home) -> Self {
        home.clone()
    }
}

impl Home {
    /// Takes the lock of that name, which excludes whoever else has this home, or says who holds it. For whoever has no journal
    /// open: with a journal, [`super::Store::lock`] ties the lock to what is appended.
    pub async fn lock(&self, name: &str) -> Result<Lock, LockError> {
        match self {
            Self::Folder(folder) => folder.lock(name),
            Self::Server(_) => {
                let store = SqlStore::open(self).await;
                let store =
                    store.map_err(|error| LockError::Store { name: name.to_owned(), error: Arc::new(error) })?;
                // The lock keeps the connection.
                store.lock(name).await
            }
        }
    }

    /// The database of a store, of which `file` is the name in the state folder.
    pub(crate) fn at(&self, file: &str) -> DatabaseAt {
        match self {
            Self::Folder(folder) => DatabaseAt::File(folder.path().join(file)),
            Self::Server(url) => DatabaseAt::Server(url.clone()),
        }
    }
}

/// A database, as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAt {
    /// A file of SQLite's.
    File(PathBuf),
    /// A PostgreSQL server.
    Server(DatabaseUrl),
}

impl fmt::Display for DatabaseAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Server(url) => url.fmt(formatter),
        }
    }
}
