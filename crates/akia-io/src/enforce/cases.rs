//! Every case of a journal, in one read.

use std::collections::HashMap;

use akia_core::CaseId;
use akia_core::enforce::{Case, CaseRecord};

use crate::store::{Entry, Store, StoreError, Threads};

/// A case whose records cannot be read, or make no sense: where it stands is not known, and nothing is done about its key.
#[derive(Debug, thiserror::Error)]
#[error("case {case}: {error}")]
pub struct Broken {
    /// The case.
    pub case: CaseId,
    /// What is wrong with it.
    pub error: String,
}

/// Every case, the oldest first.
///
/// # Errors
/// When the journal cannot be read.
pub async fn load_all(store: &dyn Store) -> Result<Vec<Result<Case, Broken>>, StoreError> {
    let mut order: Vec<CaseId> = Vec::new();
    let mut entries: HashMap<CaseId, Vec<Entry>> = HashMap::new();
    for entry in store.entries(Threads::Cases).await? {
        let Some(case) = entry.thread.case() else { continue };
        let of_case = entries.entry(case.clone()).or_default();
        if of_case.is_empty() {
            order.push(case.clone());
        }
        of_case.push(entry);
    }
    let loaded = order.into_iter().map(|id| {
        let entries = entries.remove(&id).unwrap_or_default();
        replay(&entries).map_err(|error| Broken { case: id, error })
    });
    Ok(loaded.collect())
}

/// One case; `None` where the journal has none of that name.
pub(super) async fn load(store: &dyn Store, id: &CaseId) -> Result<Option<Result<Case, Broken>>, StoreError> {
    let entries = store.entries(Threads::One(id.clone().into())).await?;
    let broken = |error| Broken { case: id.clone(), error };
    Ok((!entries.is_empty()).then(|| replay(&entries).map_err(broken)))
}

fn replay(entries: &[Entry]) -> Result<Case, String> {
    let records: Result<Vec<CaseRecord>, StoreError> = entries.iter().map(Entry::parse).collect();
    let records = records.map_err(|error| error.to_string())?;
    Case::replay(&records).map_err(|illegal| illegal.to_string())
}
