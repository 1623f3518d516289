//! The names of objects: SHA-1 or SHA-256 of what they hold.

use std::fmt;

use sha1::Digest as _;

/// Which hash a repository names its objects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

impl Format {
    /// The length of a name in bytes.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The hash of several pieces, one behind the other.
    pub(crate) fn hash(self, pieces: &[&[u8]]) -> ObjectId {
        match self {
            Self::Sha1 => {
                ObjectId::new(&pieces.iter().fold(sha1::Sha1::new(), |hash, piece| hash.chain_update(piece)).finalize())
            }
            Self::Sha256 => ObjectId::new(
                &pieces.iter().fold(sha2::Sha256::new(), |hash, piece| hash.chain_update(piece)).finalize(),
            ),
        }
    }
}

/// The name of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId {
    bytes: [u8; 32],
    width: u8,
}

impl ObjectId {
    /// From its bytes; what is beyond 32 of them is cut off.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut id = Self { bytes: [0; 32], width: 0 };
        for (to, from) in id.bytes.iter_mut().zip(bytes) {
            *to = *from;
            id.width += 1;
        }
        id
    }

    /// From its hexadecimal digits, all 40 or 64 of them.
    pub(crate) fn from_hex(digits: &[u8]) -> Option<Self> {
        if digits.len() != 40 && digits.len() != 64 {
            return None;
        }
        let mut id = Self { bytes: [0; 32], width: 0 };
        for (to, pair) in id.bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *to = digit(pair.first()?)? << 4 | digit(pair.get(1)?)?;
            id.width += 1;
        }
        Some(id)
    }

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.width)).unwrap_or_default()
    }

    /// Whether it stands for "nothing", as in the reflog of a new branch.
    pub(crate) fn is_null(&self) -> bool {
        self.as_bytes().iter().all(|byte| *byte == 0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Who, when, why, and of which tree.
    Commit,
    /// A folder.
    Tree,
    /// A file.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// Its name in git.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    /// From its name in git.
    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag].into_iter().find(|kind| kind.name().as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let id = Format::Sha1.hash(&[b"blob 0\0"]);
        assert_eq!(id.to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(ObjectId::from_hex(id.to_string().as_bytes()), Some(id));
        let id = Format::Sha256.hash(&[b"blob", b" 0\0"]);
        assert_eq!(id.to_string(), "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
        assert_eq!(ObjectId::from_hex(id.to_string().as_bytes()), Some(id));
        assert_eq!(ObjectId::from_hex(b"e69de2"), None);
        assert!(!id.is_null() && ObjectId::new(&[0; 20]).is_null());
    }
}
