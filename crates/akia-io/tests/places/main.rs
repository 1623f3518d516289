//! Places against the real services, run here, with a relay between that makes them fail.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are outside test functions")]

#[cfg(target_os = "linux")]
mod kubernetes;
mod relay;
#[expect(dead_code, reason = "the tests of channels use more of it")]
#[path = "../notify/server.rs"]
mod server;
mod vault;
