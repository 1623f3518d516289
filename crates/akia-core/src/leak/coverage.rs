//! What a scan looked at, and what it did not: a scan never fails open.

use serde::{Deserialize, Serialize};

/// Why something was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is named, and is not there: an object of a shallow or partial clone, an alternate, a layer.
    Missing,
    /// It cannot be opened or read.
    Unreadable,
    /// It is not what it claims to be.
    Corrupt,
    /// It is larger than a limit.
    TooLarge,
    /// It is nested deeper than a limit.
    TooDeep,
    /// The time was over.
    TimedOut,
    /// It changed while it was read.
    Changed,
    /// It is encrypted.
    Encrypted,
    /// Its form is not one that akia reads.
    Unsupported,
    /// AWS refused to show it.
    Denied,
}

/// Something that was not looked at, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    /// What: a path, an object, a block, in the words of [`super::Place`].
    pub what: String,
    /// Why.
    pub why: Why,
    /// What was seen, and the flag that raises the limit where there is one.
    pub detail: String,
}

/// The receipt of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Things looked at: objects of git, files, members of archives, blocks.
    pub objects: u64,
    /// Bytes looked at, unpacked.
    pub bytes: u64,
    /// What was not looked at.
    pub skipped: Vec<Skipped>,
}

impl Coverage {
    /// Whether everything was looked at.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.skipped.is_empty()
    }

    /// Counts something that was looked at.
    pub fn looked_at(&mut self, objects: u64, bytes: u64) {
        self.objects = self.objects.saturating_add(objects);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Notes something that was not.
    pub fn skip(&mut self, what: impl Into<String>, why: Why, detail: impl Into<String>) {
        self.skipped.push(Skipped { what: what.into(), why, detail: detail.into() });
    }

    /// Takes over what another part of the scan says.
    pub fn add(&mut self, other: Self) {
        self.looked_at(other.objects, other.bytes);
        self.skipped.extend(other.skipped);
    }
}
