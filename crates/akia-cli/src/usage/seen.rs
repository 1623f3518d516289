//! The facts of the state folder as evidence for other commands: that a key was used, and by whom.

use std::path::{Path, PathBuf};

use akia_core::AccessKeyId;
use akia_core::usage::{Fact, SeenUse};
use akia_io::seen::SeenUses;
use akia_usage::{About, Desk, S3};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::OnceCell;

/// The facts that were loaded into the state folder; opened when they are asked.
pub(crate) struct LoadedFacts {
    folder: PathBuf,
    desk: OnceCell<Desk>,
}

impl LoadedFacts {
    /// Where some were loaded; nothing is made.
    pub(crate) fn of(state: &Path) -> Option<Self> {
        let folder = state.join("usage");
        folder.join("manifest").is_dir().then(|| Self { folder, desk: OnceCell::new() })
    }

    /// All that is known of a key.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub(crate) async fn facts(&self, key: &AccessKeyId, since: Option<Timestamp>) -> Result<Vec<Fact>, String> {
        let desk = self.desk.get_or_try_init(|| self.open()).await?;
        let about = About { key: Some(key.to_string()), since, ..About::default() };
        desk.facts(&about).await.map_err(|error| error.to_string())
    }

    async fn open(&self) -> Result<Desk, String> {
        let folder = self.folder.to_str().ok_or_else(|| format!("{} is not UTF-8", self.folder.display()))?;
        Desk::open(folder, S3::unreached(), 1).await.map_err(|error| error.to_string())
    }
}

impl SeenUses for LoadedFacts {
    fn since<'a>(&'a self, key: &'a AccessKeyId, since: Timestamp) -> BoxFuture<'a, Result<Option<SeenUse>, String>> {
        Box::pin(async move { Ok(SeenUse::of(&self.facts(key, Some(since)).await?, since)) })
    }
}
