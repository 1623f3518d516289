//! The parts of `akia setup`: where a key comes from ([`source`]), whether AWS knows it ([`proof`]), and the profile
//! that it is written to ([`spot`]).

pub mod proof;
pub mod source;
pub mod spot;
