//! What somebody else has seen of a key's use, beside what AWS says: logs that were loaded.

use akia_core::AccessKeyId;
use akia_core::usage::SeenUse;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// Whoever may have seen a key in use. That nobody has is no evidence.
pub trait SeenUses: Send + Sync {
    /// The uses of a key since a moment, if any were seen.
    fn since<'a>(&'a self, key: &'a AccessKeyId, since: Timestamp) -> BoxFuture<'a, Result<Option<SeenUse>, String>>;
}
