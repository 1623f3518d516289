//! Where questions are asked: the facts that are kept, and logs as they lie.

use std::path::Path;
use std::sync::Arc;

use akia_core::usage::{Covered, Fact};
use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use url::Url;

use crate::column::Table;
use crate::engine::{Stores, session};
use crate::facts::{self, FactsError, FactsHome, Load, Loaded, Problem};
use crate::s3::S3;
use crate::scan::{Only, Receipts};
use crate::source::{ListError, Listing, Narrowing, list, place};
use crate::table::{LogTable, Parts};

/// Why something cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The facts.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A place of logs.
    #[error(transparent)]
    List(#[from] ListError),
    /// A bucket.
    #[error("the bucket {bucket}: {why}")]
    Bucket {
        /// Which.
        bucket: String,
        /// Why not.
        why: String,
    },
    /// A folder for facts.
    #[error("the folder {path}: {why}")]
    Folder {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
}

impl From<datafusion::error::DataFusionError> for UsageError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Facts(error.into())
    }
}

/// Facts of which keys.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Of this key.
    pub key: Option<String>,
    /// Of users with this ARN, or this name.
    pub user: Option<String>,
    /// Hours from this moment on.
    pub since: Option<Timestamp>,
    /// Hours before this moment.
    pub until: Option<Timestamp>,
}

/// Facts and logs, opened for questions.
pub struct Desk {
    context: SessionContext,
    home: FactsHome,
    s3: Arc<S3>,
    is_empty: bool,
}

impl Desk {
    /// Opens facts: in a folder of this machine, which is made where there is none, or `s3://bucket/prefix`.
    ///
    /// # Errors
    ///
    /// When the folder or bucket cannot be used, or what is in it is of another akia.
    pub async fn open(facts: &str, s3: S3, partitions: usize) -> Result<Self, UsageError> {
        let s3 = Arc::new(s3);
        let context = session(Arc::clone(&s3) as Arc<dyn Stores>, partitions)?;
        let url = if facts.starts_with("s3://") {
            place(&format!("{}/", facts.trim_end_matches('/')))?
        } else {
            let folder = |why: std::io::Error| UsageError::Folder { path: facts.to_owned(), why: why.to_string() };
            std::fs::create_dir_all(facts).map_err(folder)?;
            let path = Path::new(facts).canonicalize().map_err(folder)?;
            Url::from_directory_path(path).map_err(|()| ListError::NoPlace(facts.to_owned()))?
        };
        prepare(&s3, &url).await?;
        let store = context.runtime_env().object_store_registry.get_store(&url)?;
        let home = FactsHome::new(store, url)?;
        let (_, manifest) = home.manifest().await?;
        facts::register(&context, &home, &manifest).await?;
        Ok(Self { context, home, s3, is_empty: manifest.logs.is_empty() })
    }

    /// Whether nothing was loaded yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Where the facts are.
    #[must_use]
    pub fn home(&self) -> &Url {
        &self.home.url
    }

    /// Lists the logs of a place.
    ///
    /// # Errors
    ///
    /// When it cannot be listed.
    pub async fn list(&self, named: &str, narrowing: &Narrowing) -> Result<Listing, UsageError> {
        let url = place(named)?;
        prepare(&self.s3, &url).await?;
        let store = self.context.runtime_env().object_store_registry.get_store(&url)?;
        Ok(list(&store, &url, narrowing).await?)
    }

    /// Reads logs into facts.
    ///
    /// # Errors
    ///
    /// When facts cannot be written. What was made to count before stays.
    pub async fn load(
        &mut self,
        load: &Load,
        now: Timestamp,
        progress: &mut dyn FnMut(&Loaded),
    ) -> Result<Loaded, UsageError> {
        let loaded = facts::load(&self.context, &self.home, load, now, progress).await?;
        facts::merge(&self.context, &self.home, now).await?;
        self.is_empty = false;
        Ok(loaded)
    }

    /// The facts about keys.
    ///
    /// # Errors
    ///
    /// When the question fails.
    pub async fn facts(&self, about: &About) -> Result<Vec<Fact>, UsageError> {
        Ok(facts::facts(&self.context, about).await?)
    }

    /// What the logs cover.
    ///
    /// # Errors
    ///
    /// When the question fails.
    pub async fn covered(&self) -> Result<Vec<Covered>, UsageError> {
        Ok(facts::covered(&self.context).await?)
    }

    /// Whether the facts of an account hold any data event: a call upon an object, an item or a function, which a trail logs only where it is
    /// told to.
    ///
    /// # Errors
    ///
    /// When the question fails.
    pub async fn has_data_events(&self, account: &str) -> Result<bool, UsageError> {
        Ok(facts::has_data_events(&self.context, account).await?)
    }

    /// All keys with facts.
    ///
    /// # Errors
    ///
    /// When the question fails.
    pub async fn keys(&self) -> Result<Vec<String>, UsageError> {
        Ok(facts::keys(&self.context).await?)
    }

    /// Makes the tables `events` and `calls` of logs. Receipts of files come back through what is returned.
    ///
    /// # Errors
    ///
    /// When the tables cannot be made.
    pub fn attach(&self, listing: Listing, largest_file: usize) -> Result<Receipts, UsageError> {
        let receipts = Receipts::default();
        let files = Arc::new(listing.files);
        for (name, table) in [("events", Table::Events), ("calls", Table::Calls)] {
            let table = LogTable {
                table,
                files: Arc::clone(&files),
                only: Only::default(),
                largest_file,
                receipts: Some(Arc::clone(&receipts)),
                parts: Parts::default(),
            };
            self.context.register_table(name, Arc::new(table))?;
        }
        Ok(receipts)
    }

    /// Asks in SQL. It only ever reads.
    ///
    /// # Errors
    ///
    /// When the question makes no sense, or fails.
    pub async fn sql(&self, question: &str) -> Result<Vec<RecordBatch>, UsageError> {
        let options = datafusion::execution::context::SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        Ok(self.context.sql_with_options(question, options).await?.collect().await?)
    }
}

/// The logs that could not be read.
#[must_use]
pub fn problems(receipts: &Receipts) -> Vec<Problem> {
    let receipts = receipts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    receipts
        .iter()
        .filter_map(|receipt| Some(Problem { file: receipt.file.clone(), why: receipt.problem.clone()? }))
        .collect()
}

async fn prepare(s3: &S3, url: &Url) -> Result<(), UsageError> {
    match (url.scheme(), url.host_str()) {
        ("s3", Some(bucket)) => {
            s3.prepare(bucket).await.map_err(|why| UsageError::Bucket { bucket: bucket.to_owned(), why })
        }
        _ => Ok(()),
    }
}
