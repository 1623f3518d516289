//! Any file: archives, compressed streams and databases, one in another.
#![no_main]

use akia_fuzz::scan::{judge, place, scan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let by_bytes = scan();
    by_bytes.bytes(&place(), bytes);
    judge(by_bytes);

    let by_stream = scan();
    akia_scan::stream::scan(&by_stream, "-", bytes);
    judge(by_stream);
});
