//! A disk image: qcow2, vmdk, a descriptor, or raw with partitions.
#![no_main]

use std::io::Write;

use akia_fuzz::scan::{judge, scan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let magic: &[u8] = match kind % 4 {
        0 => b"QFI\xfb",
        1 => b"KDMV",
        2 => b"# Disk DescriptorFile\n",
        _ => b"",
    };
    // Alone in its folder: what it stands on is never there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(magic).unwrap();
    file.write_all(rest).unwrap();
    drop(file);
    let scan = scan();
    akia_scan::image::scan(&scan, &path);
    judge(scan);
});
