//! What form a piece of bytes has, by its first bytes. Names and endings are not asked: they lie.

use crate::numbers::{le32, le64};
use crate::tar;

/// A form that is more than plain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Gzip,
    Zstd,
    Xz,
    Lzma,
    Bzip2,
    Tar,
    Zip,
    Ar,
    Sqlite,
    SqliteLog,
    /// A form that akia does not open, by its name.
    Unsupported(&'static str),
}

/// Forms that are told and not opened. What is not compressed in them is found all the same: their bytes are scanned.
const UNSUPPORTED: [(&[u8], &str); 11] = [
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\0\0\0\0", "cab"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress (.Z)"),
    (b"LZIP", "lzip"),
    (b"\x89LZO\0", "lzop"),
    (b"hsqs", "squashfs"),
    (b"# v2 git bundle\n", "a git bundle within something; akia scan FILE looks at its history"),
    (b"# v3 git bundle\n", "a git bundle within something; akia scan FILE looks at its history"),
    (b"PACK\0\0\0", "a pack of git without its repository"),
];

impl Form {
    /// How many of the first bytes decide.
    pub(crate) const HEAD: usize = 512;

    /// The form of what begins with `head`, which holds [`Form::HEAD`] bytes or is the whole.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Bzip2,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, b'P', b'K', ..] => Self::Zip,
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Self::Ar,
            [0x37, 0x7f, 0x06, 0x82 | 0x83, 0, 0x2d, 0xe2, 0x18, ..] => Self::SqliteLog,
            _ if head.starts_with(b"SQLite format 3\0") => Self::Sqlite,
            _ if is_lzma(head) => Self::Lzma,
            _ if tar::is_header(head) => Self::Tar,
            _ => UNSUPPORTED
                .iter()
                .find(|(magic, _)| head.starts_with(magic))
                .map_or(Self::Plain, |(_, name)| Self::Unsupported(name)),
        }
    }

    /// Whether it is one compressed thing.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd | Self::Xz | Self::Lzma | Self::Bzip2)
    }

    /// The form of bytes that are all here. A program with an archive behind it (a zipapp, a self-extracting archive) is known
    /// by its end.
    pub(crate) fn of_whole(head: &[u8], tail: &[u8]) -> Self {
        match Self::of(head) {
            Self::Plain if ends_as_zip(tail) => Self::Zip,
            form => form,
        }
    }
}

/// Whether bytes have a form that [`crate::Scan::bytes`] opens, or tells that it cannot. The first 512 of them decide.
#[must_use]
pub fn is_container(bytes: &[u8]) -> bool {
    Form::of(bytes) != Form::Plain
}

/// How many of the last bytes [`ends_as_zip`] looks at.
pub(crate) const TAIL: usize = 22;

/// Whether the last bytes are the end of a zip archive without a comment.
fn ends_as_zip(tail: &[u8]) -> bool {
    tail.len().checked_sub(TAIL).and_then(|at| tail.get(at..)).is_some_and(|end| end.starts_with(b"PK\x05\x06"))
}

/// A `.lzma` file has no magic. Its header is strange enough: properties, the size of a dictionary, a size or none.
fn is_lzma(head: &[u8]) -> bool {
    let (Some(dictionary), Some(size)) = (le32(head, 1), le64(head, 5)) else { return false };
    head.first() == Some(&0x5d)
        && (4096..=1 << 30).contains(&dictionary)
        && (dictionary.is_power_of_two() || (dictionary / 3).is_power_of_two())
        && (size == u64::MAX || size < 1 << 38)
        && head.get(13) == Some(&0)
}

/// Whether a part of a text has lines to count. What holds a NUL byte has none, unless it says that it is UTF-16.
pub(crate) fn has_lines(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || memchr::memchr(0, head).is_none()
}
