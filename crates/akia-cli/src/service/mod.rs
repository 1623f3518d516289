//! The parts of `akia service`: where a key goes ([`deliver_to`], [`delivery`]), making a user ([`creating`]), reading the account
//! ([`listing`], [`checking`]), and the way off keys ([`leaving`]).

pub(crate) mod checking;
pub(crate) mod creating;
pub(crate) mod deliver_to;
mod delivery;
mod from_usage;
pub(crate) mod leaving;
pub(crate) mod listing;
mod reading;
mod showing;
pub(crate) mod templates;
