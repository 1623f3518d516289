//! The hash chain of the journal.
//!
//! hash(n) = SHA-256( hash(n − 1) ‖ n as 8 bytes, big-endian ‖ id ‖ body ), with 32 zero bytes before the first.
//! The id of a rotation or case is always 18 bytes, so the parts cannot be shifted against each other.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use akia_core::ThreadId;
use sha2::{Digest, Sha256};

use super::Entry;

/// The hash of a record and, through the chain, of all before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first record.
    pub const GENESIS: Self = Self([0; 32]);

    /// Takes 32 bytes from the store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes for the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of the record that follows this one.
    #[must_use]
    pub fn next(&self, seq: u64, thread: &ThreadId, body: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(seq.to_be_bytes());
        digest.update(thread.as_str().as_bytes());
        digest.update(body.as_bytes());
        Self(digest.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

/// A text that is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash of the journal has 64 hexadecimal digits")]
pub struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;
    fn from_str(text: &str) -> Result<Self, BadHash> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| BadHash)?;
        bytes.try_into().map(Self).map_err(|_| BadHash)
    }
}

/// The end of an intact chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the last record; 0 when there is none.
    pub seq: u64,
    /// Its hash; [`Hash::GENESIS`] when there is none.
    pub hash: Hash,
}

impl Head {
    /// The head of an empty journal.
    pub const EMPTY: Self = Self { seq: 0, hash: Hash::GENESIS };
}

/// How the journal is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal was tampered with: {what}")]
pub struct Tampered {
    /// Number of the first record in question.
    pub seq: u64,
    /// What does not fit, in words.
    pub what: String,
}

/// Walks the chain, record by record.
#[derive(Debug, Clone)]
pub struct Walk {
    head: Head,
    expect: HashSet<Hash>,
}

impl Walk {
    /// Begins before the first record. Each of `expect` must turn up on the way.
    #[must_use]
    pub fn new(expect: impl IntoIterator<Item = Hash>) -> Self {
        let expect = expect.into_iter().filter(|hash| *hash != Hash::GENESIS).collect();
        Self { head: Head::EMPTY, expect }
    }

    /// Takes the next record.
    pub fn step(&mut self, entry: &Entry) -> Result<(), Tampered> {
        let seq = self.head.seq + 1;
        if entry.seq != seq {
            return Err(Tampered {
                seq,
                what: format!("record {seq} is missing; record {} follows instead", entry.seq),
            });
        }
        let hash = self.head.hash.next(seq, &entry.thread, &entry.body);
        if hash != entry.hash {
            return Err(Tampered {
                seq,
                what: format!("record {seq} does not have the hash that it was written with"),
            });
        }
        self.head = Head { seq, hash };
        self.expect.remove(&hash);
        Ok(())
    }

    /// Ends behind the last record. `written` is how many records were ever written, as far as the store knows.
    pub fn end(self, written: Option<u64>) -> Result<Head, Tampered> {
        let seq = self.head.seq + 1;
        if let Some(written) = written
            && written != self.head.seq
        {
            let what = if written > self.head.seq {
                format!("records {seq} to {written} are missing at the end")
            } else {
                format!("the store has counted {written} records and holds {}", self.head.seq)
            };
            return Err(Tampered { seq: seq.min(written + 1), what });
        }
        match self.expect.into_iter().min() {
            Some(hash) => Err(Tampered {
                seq,
                what: format!("no record has the expected hash {hash}: records were removed, or all were rewritten"),
            }),
            None => Ok(self.head),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn build(bodies: &[(u64, String)]) -> Vec<Entry> {
        let mut head = Head::EMPTY;
        bodies
            .iter()
            .map(|(bits, body)| {
                let thread = ThreadId::from(akia_core::RotationId::from_bits(*bits));
                let seq = head.seq + 1;
                let hash = head.hash.next(seq, &thread, body);
                head = Head { seq, hash };
                Entry { seq, thread, body: body.clone(), hash }
            })
            .collect()
    }

    fn verify(entries: &[Entry], expect: Option<Hash>, written: Option<u64>) -> Result<Head, Tampered> {
        let mut walk = Walk::new(expect);
        entries.iter().try_for_each(|entry| walk.step(entry))?;
        walk.end(written)
    }

    fn journals() -> impl Strategy<Value = Vec<Entry>> {
        proptest::collection::vec((0_u64..4, "[ -~]{0,20}"), 1..12).prop_map(|bodies| build(&bodies))
    }

    proptest! {
        #[test]
        fn an_untouched_chain_verifies(entries in journals(), pick in any::<prop::sample::Index>()) {
            let head = verify(&entries, None, Some(entries.len() as u64)).unwrap();
            prop_assert_eq!(head.seq, entries.len() as u64);
            prop_assert_eq!(head.hash, entries.last().unwrap().hash);
            // Any hash that was ever the head is still in the chain.
            prop_assert!(verify(&entries, Some(pick.get(&entries).hash), None).is_ok());
            prop_assert!(verify(&entries, Some(Hash::GENESIS), None).is_ok());
        }

        #[test]
        fn a_changed_body_shows_at_its_record(mut entries in journals(), pick in any::<prop::sample::Index>(), other in "[ -~]{0,20}") {
            let index = pick.index(entries.len());
            prop_assume!(entries[index].body != other);
            entries[index].body = other;
            prop_assert_eq!(verify(&entries, None, None).unwrap_err().seq, index as u64 + 1);
        }

        #[test]
        fn a_changed_rotation_shows_at_its_record(mut entries in journals(), pick in any::<prop::sample::Index>()) {
            let index = pick.index(entries.len());
            entries[index].thread = akia_core::RotationId::from_bits(99).into();
            prop_assert_eq!(verify(&entries, None, None).unwrap_err().seq, index as u64 + 1);
        }

        #[test]
        fn a_changed_hash_shows_at_its_record(mut entries in journals(), pick in any::<prop::sample::Index>(), bit in 0_usize..256) {
            let index = pick.index(entries.len());
            let mut hash = *entries[index].hash.as_bytes();
            hash[bit / 8] ^= 1 << (bit % 8);
            entries[index].hash = Hash::from_bytes(hash);
            prop_assert_eq!(verify(&entries, None, None).unwrap_err().seq, index as u64 + 1);
        }

        #[test]
        fn a_dropped_record_shows(mut entries in journals(), pick in any::<prop::sample::Index>()) {
            let written = entries.len() as u64;
            let index = pick.index(entries.len());
            entries.remove(index);
            prop_assert_eq!(verify(&entries, None, Some(written)).unwrap_err().seq, index as u64 + 1);
        }

        #[test]
        fn a_dropped_and_renumbered_record_shows(mut entries in journals(), pick in any::<prop::sample::Index>()) {
            prop_assume!(entries.len() > 1);
            let index = pick.index(entries.len() - 1);
            entries.remove(index);
            for (number, entry) in entries.iter_mut().enumerate() {
                entry.seq = number as u64 + 1;
            }
            prop_assert_eq!(verify(&entries, None, None).unwrap_err().seq, index as u64 + 1);
        }

        #[test]
        fn exchanged_records_show(mut entries in journals(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let (a, b) = (a.index(entries.len()), b.index(entries.len()));
            prop_assume!(a != b && (&entries[a].thread, &entries[a].body) != (&entries[b].thread, &entries[b].body));
            let moved = (entries[a].thread.clone(), entries[a].body.clone());
            (entries[a].thread, entries[a].body) = (entries[b].thread.clone(), entries[b].body.clone());
            (entries[b].thread, entries[b].body) = moved;
            prop_assert_eq!(verify(&entries, None, None).unwrap_err().seq, a.min(b) as u64 + 1);
        }

        #[test]
        fn a_rewritten_chain_shows_only_against_a_noted_hash(entries in journals(), other in "[ -~]{1,20}") {
            let mut bodies: Vec<_> = entries
                .iter()
                .map(|entry| (u64::from_str_radix(&entry.thread.as_str()[2..], 16).unwrap(), entry.body.clone()))
                .collect();
            prop_assume!(bodies[0].1 != other);
            bodies[0].1 = other;
            let rewritten = build(&bodies);
            // This is the documented limit of a chain without a witness.
            prop_assert!(verify(&rewritten, None, Some(entries.len() as u64)).is_ok());
            for entry in &entries {
                prop_assert!(verify(&rewritten, Some(entry.hash), None).is_err());
            }
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        // Computed apart, with Python's hashlib: 32 zero bytes, 1 as 8 bytes, the id, the body.
        let hash = Hash::GENESIS.next(1, &akia_core::RotationId::from_bits(0xab).into(), "{}");
        assert_eq!(hash.to_string(), "9c6d8842cc0e374d79732ea117fd2cfc4d9c7fbb7f491d0e2ecc26c92076b9a5");
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        assert!("xyz".parse::<Hash>().is_err());
    }
}
