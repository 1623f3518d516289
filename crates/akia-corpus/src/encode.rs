//! Encodings, by libraries that akia's decoders do not use.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// Base64 on one line.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Base64 of the alphabet for URLs, without padding.
#[must_use]
pub fn base64_url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Base64 in lines of so many characters.
#[must_use]
pub fn base64_lines(bytes: &[u8], length: usize, end: &str) -> String {
    let all = BASE64.encode(bytes);
    let lines: Vec<&str> =
        (0..all.len()).step_by(length).filter_map(|at| all.get(at..all.len().min(at + length))).collect();
    lines.join(end) + end
}

/// Hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8], large: bool) -> String {
    if large { HEXUPPER.encode(bytes) } else { HEXLOWER.encode(bytes) }
}

/// Percent-encoding of all but letters and digits.
#[must_use]
pub fn percent(text: &str) -> String {
    percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string()
}

/// UTF-16, little end first or last.
#[must_use]
pub fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// A gzip member.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    member.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    member.extend([0; 4]); // No checksum: a reader of keys does not ask for it.
    member.extend((bytes.len() as u32).to_le_bytes());
    member
}

/// A JSON string, quotes included.
#[must_use]
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Quoted-printable, with the line ends of mail.
#[must_use]
pub fn quoted_printable(text: &str) -> Vec<u8> {
    quoted_printable::encode(text.replace('\n', "\r\n"))
}

/// XML text with its references.
#[must_use]
pub fn xml(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
