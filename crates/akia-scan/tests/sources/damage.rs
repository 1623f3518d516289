//! Damaged and hostile files of every form: no panic, no hang, and what was not seen is told.

use std::fs;
use std::time::{Duration, Instant};

use akia_core::leak::Why;
use akia_scan::Limits;

use crate::support::{Key, key, python, report_of, report_with, run, told};

/// One file of each form, with a key in it.
fn samples(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("d")).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for file in 0..4 {
        // Noise that packs badly, so that most of a packed file is content.
        let noise: String = (0..60_000).map(|_| random.alphanumeric()).collect();
        fs::write(at.join(format!("d/{file}")), format!("{noise}\n{}", key.text())).unwrap();
    }
    python(
        at,
        &format!(
            "import sqlite3\nc = sqlite3.connect('db'); c.execute('create table t (x, y)')
c.executemany('insert into t values (?, ?)', [('y' * 900, n) for n in range(50)])
c.execute('insert into t values (?, 1)', ('z' * 9000 + '''{}''',)); c.commit()
c.execute('pragma journal_mode=wal'); c.execute('insert into t values (?, 1)', ('''{}''',)); c.commit()
import shutil, os; shutil.copy('db-wal', 'wal')",
            key.text(),
            key.text()
        ),
    );
    run(at, "tar", &["-cf", "tar", "d"]);
    run(at, "zip", &["-qr", "zip", "d"]);
    run(at, "ar", &["rc", "ar", "d/0", "d/1"]);
    vec![
        ("gzip", run(at, "gzip", &["-c", "tar"])),
        ("bzip2", run(at, "bzip2", &["-c", "tar"])),
        ("xz", run(at, "xz", &["-c", "tar"])),
        ("lzma", run(at, "lzma", &["-c", "tar"])),
        ("zstd", run(at, "zstd", &["-qc", "tar"])),
        ("tar", fs::read(at.join("tar")).unwrap()),
        ("zip", fs::read(at.join("zip.zip")).unwrap()),
        ("ar", fs::read(at.join("ar")).unwrap()),
        ("sqlite", fs::read(at.join("db")).unwrap()),
        ("log", fs::read(at.join("wal")).unwrap()),
    ]
}

#[test]
fn flipped_bytes_panic_nowhere() {
    let key = key(50);
    let mut random = fastrand::Rng::with_seed(50);
    for (form, bytes) in samples(&key) {
        let report = report_of(&bytes);
        assert!(report.coverage.is_complete(), "{form} is whole: {:?}", report.coverage.skipped);
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..random.usize(1..6) {
                // The first bytes decide most.
                let at = if random.bool() { random.usize(..bytes.len().min(600)) } else { random.usize(..bytes.len()) };
                bytes[at] = random.u8(..);
            }
            let begun = Instant::now();
            report_with(&bytes, Limits { unpacked_total_bytes: 32 << 20, ..Limits::default() });
            assert!(begun.elapsed() < Duration::from_secs(10), "{form}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn what_is_cut_off_is_told() {
    let key = key(51);
    for (form, bytes) in samples(&key) {
        if matches!(form, "sqlite" | "log") {
            continue;
        }
        for tenths in [3, 5, 8] {
            let report = report_of(&bytes[..bytes.len() * tenths / 10]);
            told(&report, Why::Corrupt, "f");
        }
    }
}

#[test]
fn what_comes_before_a_fault_is_found() {
    let key = key(52);
    for (form, bytes) in samples(&key) {
        if matches!(form, "bzip2" | "sqlite" | "log") {
            // One block, or no order.
            continue;
        }
        let mut broken = bytes.clone();
        let at = bytes.len() * 8 / 10;
        broken[at..at + 40].fill(0xff);
        let report = report_of(&broken);
        crate::support::paths(&report, &key);
    }
}

#[test]
fn a_wrong_checksum_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("k"), "a text that is stored as it is").unwrap();
    run(folder.path(), "zip", &["-q0", "k.zip", "k"]);
    let mut bytes = fs::read(folder.path().join("k.zip")).unwrap();
    assert!(report_of(&bytes).coverage.is_complete());
    let at = bytes.windows(6).position(|window| window == b"stored").unwrap();
    bytes[at] ^= 1;
    assert!(told(&report_of(&bytes), Why::Corrupt, "f!k").contains("checksum"));
}

#[test]
fn a_broken_header_in_a_tar_ends_nothing() {
    let key = key(53);
    let (_, bytes) = samples(&key).into_iter().find(|(form, _)| *form == "tar").unwrap();
    let mut broken = bytes.clone();
    // The header of the folder, and that of the first file.
    broken[512 + 10] = 0xff;
    let report = report_of(&broken);
    told(&report, Why::Corrupt, "f");
    assert!(crate::support::paths(&report, &key).len() >= 3);
}

#[test]
fn a_quine_ends_at_the_depth() {
    // Two files that are each other's content cannot be built here, a chain as deep as the limit can: each level is told of once.
    let mut bytes = b"x".to_vec();
    for _ in 0..100 {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    let report = report_of(&bytes);
    told(&report, Why::TooDeep, "f");
    assert_eq!(report.coverage.skipped.len(), 1);
}

#[test]
fn a_name_of_gigabytes_takes_no_memory() {
    use std::io::Write;
    // A long name of 3 GB of zeros, as GNU tar would write it.
    let mut header = [0u8; 512];
    header[..13].copy_from_slice(b"././@LongLink");
    header[124..135].copy_from_slice(format!("{:011o}", 3u64 << 30).as_bytes());
    header[156] = b'L';
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&header).unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let report = report_of(&encoder.finish().unwrap());
    told(&report, Why::TooLarge, "f");
}
