//! What stands in the bytes of a blob. The one place where this module meets the detector with whole blobs.

use akia_core::leak::Found;

use crate::Scan;

/// A key within a blob.
pub(crate) struct Inside {
    pub(crate) found: Found,
    /// The member of an archive that holds it; empty where the blob itself does.
    pub(crate) member: String,
}

/// The keys in a blob.
pub(crate) fn look(scan: &Scan, bytes: &[u8]) -> Vec<Inside> {
    scan.detector.detect(bytes).into_iter().map(|found| Inside { found, member: String::new() }).collect()
}

/// Whether a blob looks like an archive, a compressed file or a database: its keys may not stand in its bytes as they are.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 9] = [
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"SQLite format 3\0",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
    ];
    let Some(first) = bytes.first() else { return false };
    matches!(first, b'P' | 0x1f | b'B' | 0xfd | 0x28 | b'S' | b'7' | b'R')
        && MAGIC.iter().any(|magic| bytes.starts_with(magic))
        || bytes.get(257..262).is_some_and(|magic| magic == b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_by_their_first_bytes() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for packed in [&b"PK\x03\x04.."[..], b"\x1f\x8b\x08", b"BZh9", b"SQLite format 3\0", &tar] {
            assert!(is_packed(packed), "{packed:?}");
        }
        for plain in [&b""[..], b"P", b"#!/bin/sh", b"Some text", &[0; 300]] {
            assert!(!is_packed(plain), "{plain:?}");
        }
    }
}
