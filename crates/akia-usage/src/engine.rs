//! DataFusion as akia sets it up: bounded memory, spilling to disk, stores by their URL.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use url::Url;

use crate::distinct::InTwoStages;
use crate::memory::Pool;

/// Memory of groups and sorts; what is over goes to disk.
const MEMORY: usize = 128 << 20;
/// Memory that is kept for what cannot go to disk: merges of what is there, and the smaller side of a join.
const OTHERS: usize = 64 << 20;
/// Rows of a batch.
pub(crate) const BATCH: usize = 1_024;

/// Where log files come from.
#[async_trait]
pub trait Stores: Send + Sync + std::fmt::Debug + 'static {
    /// Finds out what there is to know of an S3 bucket before it is read.
    ///
    /// # Errors
    ///
    /// When there is no such bucket, or it cannot be asked for.
    async fn prepare(&self, _bucket: &str) -> std::result::Result<(), String> {
        Ok(())
    }

    /// The store of an S3 bucket.
    ///
    /// # Errors
    ///
    /// When there can be none.
    fn bucket(&self, name: &str) -> std::result::Result<Arc<dyn ObjectStore>, String>;
}

/// A session for one question.
///
/// # Errors
///
/// When the folder for what is spilled cannot be made.
pub fn session(stores: Arc<dyn Stores>, partitions: usize) -> Result<SessionContext> {
    let registry = Registry { known: DefaultObjectStoreRegistry::new(), stores };
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(Pool::new(MEMORY, OTHERS)))
        .with_object_store_registry(Arc::new(registry))
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions.max(1))
        .with_information_schema(true)
        // Rows may have long texts: a merge holds several batches of each of its inputs, and must not need more than there is.
        .with_batch_size(BATCH);
    // A question about one key reads the key first, and the other columns only where it stands.
    config.options_mut().execution.parquet.pushdown_filters = true;
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(InTwoStages));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_analyzer_rules(rules);
    Ok(SessionContext::new_with_state(state.build()))
}

#[derive(Debug)]
struct Registry {
    known: DefaultObjectStoreRegistry,
    stores: Arc<dyn Stores>,
}

impl ObjectStoreRegistry for Registry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.known.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if let Ok(store) = self.known.get_store(url) {
            return Ok(store);
        }
        let bucket = url.host_str().filter(|_| url.scheme() == "s3");
        let bucket = bucket.ok_or_else(|| external(format!("{url} is neither a file of this machine nor in S3")))?;
        let store = self.stores.bucket(bucket).map_err(external)?;
        self.known.register_store(url, Arc::clone(&store));
        Ok(store)
    }
}

/// An error that is not DataFusion's own.
pub(crate) fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DataFusionError {
    DataFusionError::External(error.into())
}
