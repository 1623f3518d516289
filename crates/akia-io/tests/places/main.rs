//! Places behind the APIs of services that run nowhere but at their vendors': against servers that check each request as the public
//! documentation states it, hold what it would hold there, and answer well or badly.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside test functions")]

mod circleci;
mod github;
mod gitlab;
#[expect(dead_code, reason = "the tests of notices use more of it")]
#[path = "../notify/server.rs"]
mod server;
mod support;
mod terraform;
