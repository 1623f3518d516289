//! The pages as a browser and as a program see them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set its stage has failed")]

mod driver;
mod pages;
mod requests;
mod server;
mod time;
