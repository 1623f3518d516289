//! Keys are planted in things made by the tools that people use, and every one is found.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod container;
mod damage;
mod folder;
mod image;
mod limits;
mod machine;
mod packed;
mod sqlite;
mod stream;
mod support;
mod xfs;
