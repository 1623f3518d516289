//! The values of a row: <https://www.sqlite.org/fileformat.html#record_format>.

/// A text or blob of a row. Numbers hold no key.
pub(super) struct Value<'p> {
    pub(super) bytes: &'p [u8],
    pub(super) is_text: bool,
}

/// How a database writes its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

/// A number of one to nine bytes, and its length.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// The values of a row. What is no row is one value.
pub(super) fn values(payload: &[u8]) -> Vec<Value<'_>> {
    columns(payload).unwrap_or_else(|| vec![Value { bytes: payload, is_text: false }])
}

fn columns(payload: &[u8]) -> Option<Vec<Value<'_>>> {
    let (head, mut at) = varint(payload)?;
    let head = usize::try_from(head).ok().filter(|head| *head <= payload.len())?;
    let mut body = head;
    let mut values = Vec::new();
    while at < head {
        let (kind, length) = varint(payload.get(at..head)?)?;
        at += length;
        let size = usize::try_from(size(kind)?).ok()?;
        let rest = payload.get(body..)?;
        // Of a row whose overflow pages are gone, what is left counts.
        let bytes = rest.get(..size).unwrap_or(rest);
        body += bytes.len();
        if kind >= 12 && !bytes.is_empty() {
            values.push(Value { bytes, is_text: kind % 2 == 1 });
        }
    }
    Some(values)
}

/// The number in a column.
pub(super) fn number(payload: &[u8], column: usize) -> Option<u64> {
    let (head, mut at) = varint(payload)?;
    let mut body = usize::try_from(head).ok()?;
    for index in 0..=column {
        let (kind, length) = varint(payload.get(at..)?)?;
        at += length;
        let size = usize::try_from(size(kind)?).ok()?;
        if index == column {
            return match kind {
                1..=6 => Some(payload.get(body..body + size)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
                8 => Some(0),
                9 => Some(1),
                _ => None,
            };
        }
        body = body.checked_add(size)?;
    }
    None
}

/// How many bytes a value of that kind takes.
fn size(kind: u64) -> Option<u64> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => (kind - 12) / 2,
    })
}

/// All values as one text, a line each.
pub(super) fn text(values: &[Value<'_>], encoding: Encoding) -> Vec<u8> {
    let mut text = Vec::with_capacity(values.iter().map(|value| value.bytes.len() + 1).sum());
    for value in values {
        match (value.is_text, encoding) {
            (false, _) | (true, Encoding::Utf8) => text.extend_from_slice(value.bytes),
            (true, Encoding::Utf16Little) => narrow(value.bytes, u16::from_le_bytes, &mut text),
            (true, Encoding::Utf16Big) => narrow(value.bytes, u16::from_be_bytes, &mut text),
        }
        text.push(b'\n');
    }
    text
}

fn narrow(wide: &[u8], read: fn([u8; 2]) -> u16, out: &mut Vec<u8>) {
    let units = wide.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(read);
    for character in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(varint(&[0x7f]), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81]), None);
    }

    #[test]
    fn columns_are_held_apart() {
        // A text of 3, a null, a number of 2 bytes, a blob of 1.
        let payload = [5, 19, 0, 2, 14, b'a', b'b', b'c', 1, 2, b'z'];
        let values = values(&payload);
        assert_eq!(text(&values, Encoding::Utf8), b"abc\nz\n");
    }
}
