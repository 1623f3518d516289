//! The head of an object in a pack: how it is stored, and its size.

use super::super::oid::{Format, Kind, ObjectId};

/// How an object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Whole.
    Whole(Kind),
    /// As a delta against the object that begins so many bytes earlier.
    Offset(u64),
    /// As a delta against a named object.
    Reference(ObjectId),
}

/// The head of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) stored: Stored,
    /// The claimed size of what is inflated: the object, or the delta.
    pub(crate) size: u64,
    /// The length of the head itself.
    pub(crate) head: usize,
}

impl Entry {
    /// The longest head: ten bytes of size and a name.
    pub(crate) const LONGEST: usize = 48;

    /// Reads a head.
    pub(crate) fn parse(bytes: &[u8], format: Format) -> Option<Self> {
        let first = *bytes.first()?;
        let mut size = u64::from(first & 15);
        let (mut more, mut shift, mut head) = (first & 128 != 0, 4, 1);
        while more {
            let byte = *bytes.get(head)?;
            // Ten bytes hold 67 bits; a size of more than 63 is not one.
            if shift > 60 {
                return None;
            }
            size |= u64::from(byte & 127) << shift;
            more = byte & 128 != 0;
            shift += 7;
            head += 1;
        }
        let stored = match first >> 4 & 7 {
            1 => Stored::Whole(Kind::Commit),
            2 => Stored::Whole(Kind::Tree),
            3 => Stored::Whole(Kind::Blob),
            4 => Stored::Whole(Kind::Tag),
            6 => {
                let mut byte = *bytes.get(head)?;
                head += 1;
                let mut distance = u64::from(byte & 127);
                while byte & 128 != 0 {
                    byte = *bytes.get(head)?;
                    head += 1;
                    distance = distance.checked_add(1).filter(|so_far| *so_far < 1 << 56)? << 7 | u64::from(byte & 127);
                }
                Stored::Offset(distance)
            }
            7 => {
                let name = bytes.get(head..head + format.width())?;
                head += format.width();
                Stored::Reference(ObjectId::new(name))
            }
            _ => return None,
        };
        Some(Self { stored, size, head })
    }
}
