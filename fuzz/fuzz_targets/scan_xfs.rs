//! A file system of xfs: a disk of which the input is every part, with a head whose sizes fit and a root folder.
#![no_main]

use akia_fuzz::scan::{Again, judge, scan};
use akia_scan::image::scan_disk;

/// Of the superblock: 4096 bytes a block, one group of 64 blocks, the root's inode the first of block 1; version 5, sectors of 512 bytes, inodes of 512,
/// and the logarithms of these. The last bit of the input says whether it is version 4.
const FIXED: [(u64, &[u8]); 9] = [
    (0, b"XFSB\0\0\x10\0\0\0\0\0\0\0\0\x40"),
    (56, &[0, 0, 0, 0, 0, 0, 0, 8]),
    (84, &[0, 0, 0, 64, 0, 0, 0, 1]),
    (100, &[0xb4, 0xb5, 2, 0, 2, 0]),
    (123, &[3, 6]),
    (192, &[0]),
    (216, &[0, 0, 0, 3]),
    (4096, b"IN\x41\xed\x03"),
    (4096 + 82, &[0]),
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(last) = bytes.last() else { return };
    let old = [(100, &[0xb4, 0xb4, 2, 0, 2, 0][..]), (4096, b"IN\x41\xed\x02")];
    let is_old = last & 1 == 1;
    let fixed: Vec<(u64, &[u8])> = if is_old { old.into_iter().chain(FIXED).collect() } else { FIXED.to_vec() };
    let scan = scan();
    scan_disk(&scan, "it", &Again { bytes, fixed: &fixed });
    judge(scan);
});
