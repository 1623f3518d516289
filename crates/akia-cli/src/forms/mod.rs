//! What the forms for other tools and for people have in common: markup, the page, SARIF, JSON Lines.

pub(crate) mod jsonl;
pub(crate) mod markdown;
pub(crate) mod page;
pub(crate) mod sarif;
pub(crate) mod table;
pub(crate) mod xml;
