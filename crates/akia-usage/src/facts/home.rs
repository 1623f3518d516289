//! Where facts are kept, and the manifest that counts.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use url::Url;

use super::manifest::{Manifest, SCHEMA};
use crate::engine::external;

/// Manifests that stay beside the one that counts, for questions that run while a load commits.
const KEPT: usize = 8;
/// Seconds after which a file that no manifest names is what a killed load has left: longer than any portion takes.
const ABANDONED: i64 = 24 * 3_600;

/// A folder of this machine, or a prefix of a bucket.
#[derive(Debug, Clone)]
pub struct FactsHome {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) url: Url,
    base: Path,
}

/// Why facts cannot be kept or asked.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The store refused.
    #[error("the facts in {place}: {source}")]
    Store {
        /// Where they are.
        place: Box<Url>,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// A manifest that this akia cannot read.
    #[error("{place}{name} is no manifest that this akia reads: {why}")]
    Manifest {
        /// Where it is.
        place: Box<Url>,
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Another load was quicker, and took the same logs.
    #[error("another load has taken {logs} of the same logs in the meantime; what this one read counts for nothing")]
    Overtaken {
        /// How many.
        logs: usize,
    },
    /// Logs tell of calls that are in the facts from the other source of the same calls.
    #[error(
        "{logs} of these logs, {first} the first, may hold calls that the facts have from {}: they would count twice",
        if *.is_history { "a trail, or from another look at the event history" } else { "CloudTrail's event history" }
    )]
    Twice {
        /// How many.
        logs: usize,
        /// The URL of the first of them.
        first: String,
        /// Whether it is one of the event history.
        is_history: bool,
    },
    /// The question failed.
    #[error(transparent)]
    Question(#[from] datafusion::error::DataFusionError),
    /// So did what it read.
    #[error(transparent)]
    Arrow(#[from] datafusion::arrow::error::ArrowError),
    /// A Parquet file failed.
    #[error("a file of facts: {0}")]
    Parquet(#[from] datafusion::parquet::errors::ParquetError),
}

impl FactsHome {
    /// Facts beneath a URL that ends with a slash.
    ///
    /// # Errors
    ///
    /// When the URL has no path of its store.
    pub fn new(store: Arc<dyn ObjectStore>, url: Url) -> Result<Self, FactsError> {
        let base = Path::from_url_path(url.path());
        let base =
            base.map_err(|error| FactsError::Store { place: Box::new(url.clone()), source: Box::new(error.into()) })?;
        Ok(Self { store, url, base })
    }

    pub(super) fn path(&self, name: &str) -> Path {
        Path::from_iter(self.base.parts().chain(Path::from(name).parts()))
    }

    /// The URL of a file.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}{name}", self.url)
    }

    pub(super) fn failed(&self, source: object_store::Error) -> FactsError {
        FactsError::Store { place: Box::new(self.url.clone()), source: Box::new(source) }
    }

    /// The manifest that counts, and its number; number 0, and empty, where nothing was loaded yet.
    ///
    /// # Errors
    ///
    /// When the store refuses, or the manifest is of another akia.
    pub async fn manifest(&self) -> Result<(u64, Manifest), FactsError> {
        match self.numbers().await?.last() {
            None => Ok((0, Manifest::default())),
            Some(&number) => Ok((number, self.manifest_of(number).await?)),
        }
    }

    async fn manifest_of(&self, number: u64) -> Result<Manifest, FactsError> {
        let name = manifest_name(number);
        let read = async { self.store.get(&self.path(&name)).await?.bytes().await };
        let bytes = read.await.map_err(|error| self.failed(error))?;
        let unread = |why| FactsError::Manifest { place: Box::new(self.url.clone()), name: name.clone(), why };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(unread(format!("its schema is {}, not {SCHEMA}", manifest.schema)));
        }
        Ok(manifest)
    }

    async fn numbers(&self) -> Result<Vec<u64>, FactsError> {
        let found: Result<Vec<_>, _> = self.store.list(Some(&self.path("manifest"))).try_collect().await;
        let mut numbers: Vec<u64> = found
            .map_err(|error| self.failed(error))?
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Writes the manifest with this number. False where another has been quicker.
    pub(super) async fn commit(&self, number: u64, manifest: &Manifest) -> Result<bool, FactsError> {
        let json = serde_json::to_vec_pretty(manifest).map_err(external)?;
        let path = self.path(&manifest_name(number));
        match self.store.put_opts(&path, PutPayload::from(json), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Deletes what is long over: manifests behind the last few, the files that they alone name, and what a killed load has left.
    pub(super) async fn sweep(&self, now: Timestamp) -> Result<(), FactsError> {
        let numbers = self.numbers().await?;
        let (over, kept) = numbers.split_at(numbers.len().saturating_sub(KEPT));
        let mut named = HashSet::new();
        for &number in kept {
            let manifest = self.manifest_of(number).await?;
            named.extend(manifest.facts.into_iter().chain(manifest.logs).map(|part| self.path(&part.file)));
        }
        let before = now.as_second() - ABANDONED;
        for kind in ["facts", "logs"] {
            let found: Result<Vec<_>, _> = self.store.list(Some(&self.path(kind))).try_collect().await;
            for meta in found.map_err(|error| self.failed(error))? {
                if meta.last_modified.timestamp() < before && !named.contains(&meta.location) {
                    self.delete(&meta.location).await?;
                }
            }
        }
        for &number in over {
            self.delete(&self.path(&manifest_name(number))).await?;
        }
        Ok(())
    }

    async fn delete(&self, path: &Path) -> Result<(), FactsError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }
}

fn manifest_name(number: u64) -> String {
    format!("manifest/{number:010}.json")
}
