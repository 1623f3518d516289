//! Each decoder of the detector, entered anywhere: the first bytes say which and where.
#![no_main]

use akia_core::leak::{Encoding, undone};

const ALL: [Encoding; 8] = [
    Encoding::Base64,
    Encoding::Percent,
    Encoding::Escaped,
    Encoding::Utf16,
    Encoding::Hex,
    Encoding::QuotedPrintable,
    Encoding::Xml,
    Encoding::Gzip,
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [which, high, low, text @ ..] = bytes else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low]));
    let encoding = ALL[usize::from(*which) % ALL.len()];
    if let Some(decoded) = undone(text, at, encoding) {
        let most = if encoding == Encoding::Gzip { 4096 } else { text.len() };
        assert!(decoded.len() <= most, "nothing but deflated bytes grows: {} from {}", decoded.len(), text.len());
    }
});
