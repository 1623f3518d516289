//! A moment: a date, a time with its zone, or so long ago.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::span;

/// A moment as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long ago.
    Ago(SignedDuration),
    /// Then.
    At(Timestamp),
}

impl When {
    /// The moment.
    #[must_use]
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            // To the second: nobody means a fraction of one.
            Self::Ago(span) => Timestamp::from_second((now - span).as_second()).unwrap_or(now),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (akia_core::moment::parse(text), span::parse(text)) {
            (Ok(moment), _) => Ok(Self::At(moment)),
            (Err(_), Ok(span)) => Ok(Self::Ago(span)),
            (Err(_), Err(_)) => {
                Err("write a date (2026-12-24), a time (2026-12-24T18:00:00Z), or how long ago (90d)".to_owned())
            }
        }
    }
}
