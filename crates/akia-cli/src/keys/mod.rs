//! The parts of `akia key`: whose keys are meant ([`subject`]), who holds them on this machine ([`holders`]), what a
//! change puts at stake ([`stakes`]), the change itself ([`change`]), and what is shown ([`list`], [`last_used`]).
//!
//! Invariant: a key is read again right before it is changed, and nothing that was not named in the consent is lost.

pub mod change;
pub mod holders;
pub mod last_used;
pub mod list;
pub mod stakes;
pub mod stranger;
pub mod subject;
