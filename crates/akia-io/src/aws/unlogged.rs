//! Nobody listens where a secret goes by.
//!
//! The SDK logs requests and answers with their bodies at its most talkative, and command lines as well. It knows which members of its
//! own clients are secrets; of a request that we sign ourselves it knows nothing. What carries a secret past it runs here.

use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tracing::subscriber::NoSubscriber;

/// The work, with no log to be written to.
pub(super) fn unlogged<W: Future>(work: W) -> WithDispatch<W> {
    work.with_subscriber(NoSubscriber::new())
}
