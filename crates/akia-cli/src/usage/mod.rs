//! `akia usage`: what is asked of the facts and of logs.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod load;
mod open;
pub(crate) mod quiet;
pub(crate) mod sql;
pub(crate) mod status;
