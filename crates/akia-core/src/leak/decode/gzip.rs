//! Gzip (RFC 1952) within another encoding: Helm's releases, user data of cloud-init.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::{Origin, View};

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const CHECKSUM: u8 = 2;

/// Unpacks a member, to at most `limit` bytes. The second value is whether the limit cut something off.
pub(in crate::leak) fn member(packed: &[u8], limit: usize) -> Option<(View, bool)> {
    let deflated = body(packed)?;
    let (bytes, cut) = match decompress_to_vec_with_limit(deflated, limit) {
        Ok(bytes) => (bytes, false),
        // What could be unpacked before the end was missing or wrong still holds keys.
        Err(error) => (error.output, error.status == TINFLStatus::HasMoreOutput),
    };
    (!bytes.is_empty()).then(|| (View { bytes, origin: Origin::Whole(0..packed.len()), undone: Vec::new() }, cut))
}

/// The deflated bytes behind the header.
fn body(packed: &[u8]) -> Option<&[u8]> {
    let flags = match packed {
        [0x1f, 0x8b, 8, flags, ..] => *flags,
        _ => return None,
    };
    let mut rest = packed.get(10..)?;
    if flags & EXTRA != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
        let head = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        [&head[..], fields, &miniz_oxide::deflate::compress_to_vec(text, 6), &[0; 8]].concat()
    }

    #[test]
    fn a_member_is_unpacked_whatever_its_header_holds() {
        for (flags, fields) in [(0, &b""[..]), (NAME, b"release\0"), (EXTRA | CHECKSUM, b"\x02\0xy\x11\x22")] {
            let (view, cut) = member(&packed(b"key", flags, fields), 100).unwrap();
            assert_eq!((view.bytes.as_slice(), cut), (&b"key"[..], false));
        }
        assert!(member(b"\x1f\x8b", 100).is_none());
        assert!(member(b"PK\x03\x04aaaaaaaaaaaa", 100).is_none());
    }

    #[test]
    fn a_bomb_is_cut_off_and_told() {
        let (view, cut) = member(&packed(&vec![0; 1 << 20], 0, b""), 1000).unwrap();
        assert!(view.bytes.len() <= 1000 && cut);
    }

    #[test]
    fn a_member_without_its_end_is_read_as_far_as_it_goes() {
        let whole = packed(&b"aws_access_key_id ".repeat(2000), 0, b"");
        let (view, cut) = member(&whole[..whole.len() - 20], 1 << 20).unwrap();
        assert!(view.bytes.starts_with(b"aws_access_key_id ") && !cut);
    }
}
