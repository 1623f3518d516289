//! Declared places: what each kind writes, reads back, refuses and survives.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod env_file;
mod file;
mod support;
