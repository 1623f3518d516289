//! Logs as they lie, and the facts that are made of them: through the crate's own border, on real files.

mod duckdb;
mod facts;
mod hostile;
mod support;
