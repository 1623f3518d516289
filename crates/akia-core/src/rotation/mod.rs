//! The rotation of one displaced key: a pure state machine.
//!
//! [`Rotation::apply`] is the only way that state changes, live and in recovery; [`Rotation::next`] says what to do.
//! The driver's loop is: next, append the intent, perform, append the outcome, apply.
//!
//! Safety rests on the types: what could lock somebody out takes a token ([`Proven`], [`InEveryPlace`], [`GraceOver`],
//! [`Ours`]) that only `apply` mints, from an outcome that is in the journal.

mod effect;
mod place;
mod plan;
mod state;
pub mod verdict;

pub use effect::{Effect, GraceOver, InEveryPlace, Ours, Proven};
pub use place::Place;
pub use plan::{Identity, Pace, Plan, Retirement, Signer};
pub use state::{AbortReason, Decision, Illegal, PlaceState, Rest, Rotation, SigningKey};
