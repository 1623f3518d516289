//! The same plan on a cluster of Apache Ballista: a scheduler that plans, executors that read logs, and a session that asks them.
//!
//! What travels is the question, the names of logs and counted rows. Credentials never do: each node has its own.

mod address;
mod client;
mod codec;
mod executor;
mod guard;
mod scheduler;

pub use address::{Address, DEFAULT_PORT, NoAddress};
pub use client::{executors, session};
pub use executor::{Executor, run as executor};
pub use scheduler::{Scheduler, run as scheduler};

/// The largest message: a plan with the names of its logs, some millions of them.
const MESSAGE: u32 = 256 << 20;

/// Why a cluster cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nobody listens there.
    #[error("no scheduler answers at {at}: {why}")]
    NoScheduler {
        /// Where.
        at: Address,
        /// Why not.
        why: String,
    },
    /// A scheduler that is alone.
    #[error("the scheduler at {at} has no executors")]
    NoExecutors {
        /// Where.
        at: Address,
    },
    /// Something else listens there.
    #[error("what listens at {at} is no scheduler of Ballista: {why}")]
    NotOurs {
        /// Where.
        at: Address,
        /// What it said.
        why: String,
    },
    /// An address that cannot be listened at.
    #[error("cannot listen at {at}: {why}")]
    Listen {
        /// Which.
        at: std::net::SocketAddr,
        /// Why not.
        why: std::io::Error,
    },
    /// Ballista gave up.
    #[error("{0}")]
    Ballista(String),
}

impl From<ballista_core::error::BallistaError> for ClusterError {
    fn from(error: ballista_core::error::BallistaError) -> Self {
        Self::Ballista(error.to_string())
    }
}
