//! Where questions are asked: the facts that are kept, and logs as they lie.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use akia_core::usage::{Covered, Fact};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use jiff::Timestamp;
use url::Url;

#[cfg(feature = "cluster")]
use crate::cluster::{self, Address, ClusterError};
use crate::column::Table;
use crate::engine::{Stores, session};
use crate::facts::{self, FactsError, FactsHome, Load, Loaded, Problem, Taken};
use crate::receipt::Receipt;
use crate::s3::S3;
use crate::scan::{Only, Receipts, UNREAD};
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
    /// A cluster.
    #[cfg(feature = "cluster")]
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A folder for facts.
    #[error("the folder {path}: {why}")]
    Folder {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
}

impl From<DataFusionError> for UsageError {
    fn from(error: DataFusionError) -> Self {
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
        Self::open_with(facts, s3, context).await
    }

    /// The same, with a cluster that reads logs.
    ///
    /// # Errors
    ///
    /// When there is no such cluster, too.
    #[cfg(feature = "cluster")]
    pub async fn open_on(facts: &str, s3: S3, cluster: &Address) -> Result<Self, UsageError> {
        let s3 = Arc::new(s3);
        cluster::executors(cluster).await?;
        let context = cluster::session(Arc::clone(&s3) as Arc<dyn Stores>, cluster)?;
        Self::open_with(facts, s3, context).await
    }

    async fn open_with(facts: &str, s3: Arc<S3>, context: SessionContext) -> Result<Self, UsageError> {
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
        let (_, manifest) = self.home.manifest().await?;
        facts::register(&self.context, &self.home, &manifest).await?;
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

    /// What the facts hold from which kind of logs.
    ///
    /// # Errors
    ///
    /// When the question fails.
    pub async fn taken(&self) -> Result<Taken, UsageError> {
        Ok(facts::taken(&self.context).await?)
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
        let ask = async || self.context.sql_with_options(question, options).await?.collect().await;
        match ask().await {
            // Another machine's receipts do not come back with rows.
            Err(error) if error.to_string().contains(UNREAD) && self.set_unread_apart().await? => Ok(ask().await?),
            answer => Ok(answer?),
        }
    }

    /// Reads all logs that are attached for what cannot be read of them, and takes that out of the tables. False where there is none.
    async fn set_unread_apart(&self) -> Result<bool, UsageError> {
        let rows = self.context.sql("SELECT note FROM calls WHERE note IS NOT NULL").await?.collect().await?;
        let notes = rows.iter().flat_map(|rows| rows.column(0).as_string_view().iter().flatten());
        let all: Vec<Receipt> = notes.map(Receipt::from_note).collect::<Result<_, _>>()?;
        let unread: Vec<Receipt> = all.into_iter().filter(|receipt| receipt.problem.is_some()).collect();
        let names: HashSet<&str> = unread.iter().map(|receipt| receipt.file.as_str()).collect();
        for name in ["events", "calls"] {
            let table = self.context.table_provider(name).await?;
            let Some(mut logs) = table.downcast_ref::<LogTable>().cloned() else { return Ok(false) };
            let files = logs.files.iter().filter(|file| !names.contains(file.url.as_str())).cloned();
            logs.files = Arc::new(files.collect());
            if let Some(receipts) = logs.receipts.as_ref().filter(|_| name == "events") {
                receipts.lock().unwrap_or_else(PoisonError::into_inner).extend(unread.iter().cloned());
            }
            self.context.deregister_table(name)?;
            self.context.register_table(name, Arc::new(logs))?;
        }
        Ok(!names.is_empty())
    }
}

/// The logs that could not be read.
#[must_use]
pub fn problems(receipts: &Receipts) -> Vec<Problem> {
    let receipts = receipts.lock().unwrap_or_else(PoisonError::into_inner);
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
