//! The distinct keys of a repository. A key that stands in thousands of blobs is held once.

use std::collections::HashMap;

use akia_core::leak::{Encoding, Fingerprint, Found, FoundSecret, Hidden, Part};

/// The keys found so far.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: HashMap<Fingerprint, u32>,
    found: Vec<Found>,
}

/// A key in an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// The number of the object.
    pub(crate) object: u32,
    /// The number of the key.
    pub(crate) key: u32,
    pub(crate) part: Part,
    /// The byte that it begins at.
    pub(crate) at: u64,
    pub(crate) line: Option<u64>,
    pub(crate) written: Written,
    /// The member of an archive; for the entry of a tree, its name.
    pub(crate) member: String,
}

/// How a key stands at one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Written {
    pub(crate) encodings: Vec<Encoding>,
    /// Whether a comment takes it out.
    pub(crate) hidden: Option<Hidden>,
}

impl Keys {
    /// The number of a key.
    pub(crate) fn note(&mut self, found: Found) -> u32 {
        let next = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(found.fingerprint()).or_insert(next);
        match self.found.get_mut(number as usize) {
            None => self.found.push(found),
            Some(known) => {
                known.confidence = known.confidence.max(found.confidence);
                known.session_token |= found.session_token;
            }
        }
        number
    }

    /// Takes over another's keys, and says which numbers they have here.
    pub(crate) fn add(&mut self, other: Self) -> Vec<u32> {
        other.found.into_iter().map(|found| self.note(found)).collect()
    }

    /// A key as it is told at one of its places.
    pub(crate) fn found(&self, number: u32, written: Written, line: Option<u64>) -> Option<Found> {
        let known = self.found.get(number as usize)?;
        Some(Found {
            kind: known.kind,
            class: known.class,
            id: known.id.clone(),
            secret: known.secret.as_ref().map(|known| FoundSecret {
                secret: known.secret.duplicate(),
                span: known.span.clone(),
                line: known.line,
            }),
            session_token: known.session_token,
            encodings: written.encodings,
            hidden: written.hidden,
            confidence: known.confidence,
            span: known.span.clone(),
            line: line.unwrap_or(known.line),
        })
    }

    /// The id of a key.
    #[cfg(test)]
    pub(crate) fn id(&self, number: u32) -> Option<String> {
        self.found.get(number as usize)?.id.as_ref().map(ToString::to_string)
    }
}
