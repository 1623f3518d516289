//! The rotation of one displaced key: a pure state machine.
//!
//! [`Rotation::apply`] is the only way that state changes, live and in recovery; [`Rotation::next`] says what to do.
//! The driver's loop is: next, append the intent, perform, append the outcome, apply.
//!
//! Safety rests on the types: what could lock somebody out takes a token ([`Proven`], [`InEveryPlace`], [`GraceOver`],
//! [`Ours`]) that only `apply` mints, from an outcome that is in the journal. Nobody else can:
//!
//! ```compile_fail,E0624
//! use akia_core::rotation::Proven;
//! let key: akia_core::AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
//! let proven = Proven::mint(key); // private: a key is not proven by saying so
//! ```
//!
//! So to deactivate the displaced key before the new one is delivered does not type-check:
//!
//! ```compile_fail,E0063
//! use akia_core::rotation::{Effect, Proven};
//! fn too_early(proven: Proven) -> Effect {
//!     Effect::DeactivateDisplaced { proven } // the token `InEveryPlace` is missing
//! }
//! ```

mod effect;
#[cfg(test)]
mod fixtures;
mod hold;
mod plan;
mod state;
pub mod verdict;
pub mod words;

pub use crate::place::Place;
pub use effect::{Effect, GraceOver, InEveryPlace, Ours, Proven};
pub use hold::Hold;
pub use plan::{Identity, Pace, Plan, Probe, ProbeGet, Retirement, Signer};
pub use state::{AbortReason, Decision, Illegal, PlaceState, Rest, Rotation, SigningKey};
