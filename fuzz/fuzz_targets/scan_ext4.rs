//! A file system: a disk of which the input is every part, with a superblock that is taken for one of ext4.
#![no_main]

use std::ops::Range;

use akia_fuzz::scan::{judge, scan};
use akia_scan::ReadAt;
use akia_scan::image::{Disk, scan_disk};

/// How long the disk is, whatever the input.
const LENGTH: u64 = 256 << 10;

/// The input, again and again.
struct Again<'b>(&'b [u8]);

impl ReadAt for Again<'_> {
    fn length(&self) -> u64 {
        LENGTH
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let count = out.len().min(LENGTH.saturating_sub(offset) as usize);
        for (index, byte) in out[..count].iter_mut().enumerate() {
            let at = offset as usize + index;
            *byte = match at {
                1080 => 0x53,
                1081 => 0xef,
                at => self.0[at % self.0.len()],
            };
        }
        Ok(count)
    }
}

impl Disk for Again<'_> {
    fn data(&self, from: u64) -> std::io::Result<Option<Range<u64>>> {
        Ok((from < LENGTH).then_some(from..LENGTH))
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.is_empty() {
        return;
    }
    let scan = scan();
    scan_disk(&scan, "it", &Again(bytes));
    judge(scan);
});
