//! `akia serve`: the schedule, the pages and the API of a team's akia.
//!
//! The server decides nothing about keys. It shows what audits and the journal say, and runs akia's own commands at their hours,
//! each as a process of its own, as a person would.

pub mod access;
mod api;
pub mod database;
pub mod demo;
pub mod estate;
pub mod granted;
mod guard;
mod metrics;
mod page;
#[cfg(test)]
#[expect(dead_code, reason = "helpers of tests, of which those of akia-io use more")]
#[path = "../../akia-io/tests/support/postgres.rs"]
mod postgres;
pub mod record;
pub mod schedule;
pub mod sight;
pub mod start;
pub mod switch;
pub mod tls;
pub mod web;

pub use database::{Database, DatabaseError};
