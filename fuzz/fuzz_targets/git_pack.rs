//! A repository of one pack. The input says which objects it has, as they stand before they are deflated, so that the fuzzer need
//! not learn to deflate; or it is the pack itself.
//!
//! An object is a byte of type and flags, two bytes that say how far back its base is, a length, and that many bytes.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use akia_core::leak::{Detector, Options as Detection};
use akia_scan::git::{Options, Repository};
use akia_scan::{Ledger, Limits, Scan};
use sha1::Digest as _;

/// One repository for all inputs, in memory where there is such a file system.
static REPOSITORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(parent).expect("a folder can be made").keep();
    std::fs::create_dir_all(folder.join("objects/pack")).expect("a folder can be made");
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").expect("a file can be written");
    folder
});

/// A megabyte is enough for every path through the code.
const MOST: u64 = 1 << 20;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let pack = REPOSITORY.join("objects/pack/pack-0000000000000000000000000000000000000000.pack");
    let index = pack.with_extension("idx");
    let (packed, offsets, blobs) = if mode & 1 == 0 { made(rest) } else { (rest.to_vec(), Vec::new(), Vec::new()) };
    std::fs::write(&pack, packed).expect("a file can be written");
    // With an index that may lie about names, or without one.
    if mode & 2 == 0 {
        let _ = std::fs::remove_file(&index);
    } else {
        std::fs::write(&index, index_of(&offsets, *mode)).expect("a file can be written");
    }
    let limits = Limits { unpacked_bytes: MOST, threads: 1, ..Limits::default() };
    let detector = Detector::new(Detection::default());
    let scan = Scan { detector: detector.clone(), limits, ledger: Ledger::default() };
    let repository = Repository::open(&REPOSITORY).expect("the repository is one");
    repository.scan(&scan, &Options::default()).expect("what is wrong with a pack is told and no error");
    let report = scan.ledger.into_report(Vec::new());
    // Where nothing is told to be left out, every key that was put into a blob is found.
    if report.coverage.is_complete() {
        for found in blobs.iter().flat_map(|blob| detector.detect(blob)) {
            assert!(report.leaks.iter().any(|leak| leak.access_key_id == found.id), "a key is neither found nor told");
        }
    }
});

/// A pack of the objects that the input describes, where they begin, and what the whole blobs among them hold.
fn made(mut rest: &[u8]) -> (Vec<u8>, Vec<u32>, Vec<&[u8]>) {
    let (mut pack, mut offsets, mut blobs) = (b"PACK\0\0\0\x02\0\0\0\0".to_vec(), Vec::new(), Vec::new());
    while let [kind, back, more, length, tail @ ..] = rest {
        let (text, tail) = tail.split_at(tail.len().min(usize::from(*length) * 4));
        rest = tail;
        let offset = pack.len();
        offsets.push(u32::try_from(offset).unwrap_or(0));
        // The claimed size is right unless a flag says otherwise.
        let size = if kind & 128 == 0 { text.len() } else { usize::from(*more) << 12 };
        let mut left = size >> 4;
        pack.push(kind << 4 & 0x70 | u8::try_from(size & 15).unwrap_or(0) | if left > 0 { 128 } else { 0 });
        while left > 0 {
            pack.push(u8::try_from(left & 127).unwrap_or(0) | if left > 127 { 128 } else { 0 });
            left >>= 7;
        }
        match kind & 7 {
            3 => blobs.push(text),
            6 => {
                // The object that stands so many places before this one.
                let base = offsets.len().checked_sub(2 + usize::from(*back)).and_then(|base| offsets.get(base));
                let distance = base.map_or(usize::from(*more), |base| offset - *base as usize);
                if distance > 127 {
                    pack.push(u8::try_from((distance >> 7) - 1 & 127).unwrap_or(0) | 128);
                }
                pack.push(u8::try_from(distance & 127).unwrap_or(0));
            }
            7 => pack.extend([*back; 20]),
            _ => {}
        }
        pack.extend(miniz_oxide::deflate::compress_to_vec_zlib(text, 1));
    }
    let count = u32::try_from(offsets.len()).unwrap_or(0).to_be_bytes();
    pack.splice(8..12, count);
    pack.extend([0; 20]);
    (pack, offsets, blobs)
}

/// An index whose checksum is right and whose names are the numbers of objects, so that deltas by name find each other.
fn index_of(offsets: &[u32], mode: u8) -> Vec<u8> {
    let names: Vec<u8> = (0..offsets.len()).map(|number| u8::try_from(number).unwrap_or(u8::MAX)).collect();
    let second = mode & 4 == 0;
    let mut index = if second { b"\xfftOc\0\0\0\x02".to_vec() } else { Vec::new() };
    for first in 0..=255 {
        let count = u32::try_from(names.iter().filter(|name| **name <= first).count()).unwrap_or(0);
        index.extend(count.to_be_bytes());
    }
    if second {
        names.iter().for_each(|name| index.extend([*name; 20]));
        index.extend(vec![mode; 4 * names.len()]);
        offsets.iter().for_each(|offset| index.extend(offset.to_be_bytes()));
    } else {
        for (offset, name) in offsets.iter().zip(&names) {
            index.extend(offset.to_be_bytes());
            index.extend([*name; 20]);
        }
    }
    index.extend([0; 20]);
    let sum = sha1::Sha1::digest(&index);
    index.extend(sum);
    index
}
