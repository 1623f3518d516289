//! What one record says.

use serde::{Deserialize, Serialize};

/// What one record says. Moments are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The number of the record.
    pub seq: u64,
    /// When it was written.
    pub at: i64,
    /// Of which thread it is.
    pub thread: String,
    /// The key that it is about.
    pub key_id: String,
    /// What it is in the life of that key, where it is something in it.
    pub moment: Option<Moment>,
    /// How much it matters.
    pub weight: Weight,
    /// In words.
    pub words: String,
}

/// How much a record matters to whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something was done, or seen.
    Done,
    /// Something is about to be done, or waits.
    Waiting,
    /// Something was refused, or failed.
    Refused,
    /// A person has to decide.
    Person,
}

impl Weight {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Waiting, Self::Refused, Self::Person];

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Person => "needs a person",
        }
    }
}

/// Something in the life of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// AWS made it.
    Created,
    /// It authenticated several times in a row.
    Proven,
    /// It was written to a place.
    Delivered,
    /// Every place holds its successor.
    Replaced,
    /// It was used last.
    Used,
    /// Its owner was told.
    Notified,
    /// An exemption began to hold.
    Exempted,
    /// It was said to be known to others.
    Leaked,
    /// Its user was put into quarantine.
    Quarantined,
    /// It was made inactive.
    Deactivated,
    /// It was made active again.
    Activated,
    /// It is gone.
    Deleted,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Proven,
        Self::Delivered,
        Self::Replaced,
        Self::Used,
        Self::Notified,
        Self::Exempted,
        Self::Leaked,
        Self::Quarantined,
        Self::Deactivated,
        Self::Activated,
        Self::Deleted,
    ];

    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Proven => "proven",
            Self::Delivered => "delivered",
            Self::Replaced => "replaced",
            Self::Used => "used",
            Self::Notified => "notified",
            Self::Exempted => "exempted",
            Self::Leaked => "leaked",
            Self::Quarantined => "quarantined",
            Self::Deactivated => "deactivated",
            Self::Activated => "activated",
            Self::Deleted => "deleted",
        }
    }
}
