//! Logs as they lie, and the facts that are made of them: through the crate's own border, on real files.

#![expect(clippy::unwrap_used, reason = "tests")]

mod duckdb;
mod exports;
mod facts;
mod history;
mod hostile;
mod lake;
mod security_lake;
mod support;
