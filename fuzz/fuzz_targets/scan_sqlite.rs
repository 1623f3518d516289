//! A database of SQLite, or its log: pages of any kind behind a header that is right.
#![no_main]

use akia_fuzz::scan::{judge, place, scan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let magic: &[u8] = if kind % 4 == 0 { b"\x37\x7f\x06\x82\0\x2d\xe2\x18" } else { b"SQLite format 3\0" };
    let mut file = magic.to_vec();
    file.extend(rest);
    let scan = scan();
    scan.bytes(&place(), &file);
    judge(scan);
});
