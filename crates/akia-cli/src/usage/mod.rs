//! `akia usage`: what is asked of the facts and of logs.

pub(crate) mod blast;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod key;
mod known;
mod live;
pub(crate) mod load;
mod open;
mod page;
pub(crate) mod policy;
pub(crate) mod quiet;
pub(crate) mod seen;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod who;
