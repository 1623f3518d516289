//! A file system: a disk of which the input is every part, with a superblock that is taken for one of ext4.
#![no_main]

use akia_fuzz::scan::{Again, judge, scan};
use akia_scan::image::scan_disk;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.is_empty() {
        return;
    }
    let scan = scan();
    scan_disk(&scan, "it", &Again { bytes, fixed: &[(1080, &[0x53, 0xef])] });
    judge(scan);
});
