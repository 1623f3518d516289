//! Keys in every place of git, in repositories that the real git makes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod corpus;
mod hostile;
mod objects;
mod places;
mod repo;
mod since;
mod staged;
