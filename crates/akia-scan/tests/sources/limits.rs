//! Each limit cuts, and says so with the flag that raises it.

use std::io::Write;
use std::time::{Duration, Instant};

use akia_core::leak::Why;
use akia_scan::Limits;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{complete, key, paths, report_of, report_with, told};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn depth() {
    let key = key(40);
    let mut bytes = key.text().into_bytes();
    for _ in 0..5 {
        bytes = gzip(&bytes);
    }
    let report = report_with(&bytes, Limits { depth: 5, ..Limits::default() });
    assert_eq!(paths(&report, &key), ["f"]);
    complete(&report);
    let report = report_with(&bytes, Limits { depth: 4, ..Limits::default() });
    assert!(told(&report, Why::TooDeep, "f").contains("--max-depth"));
    assert!(report.leaks.is_empty());
}

#[test]
fn unpacked_total_of_a_bomb() {
    // 10 GB of zeros: a member of 16 MB, 640 times.
    let member = gzip(&vec![0; 16 << 20]);
    let bomb = member.repeat(640);
    let limits = Limits { unpacked_total_bytes: 64 << 20, ..Limits::default() };
    let begun = Instant::now();
    let report = report_with(&bomb, limits.clone());
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let detail = told(&report, Why::TooLarge, "f");
    assert!(detail.contains("--max-unpacked-total"), "{detail}");
    assert_eq!(report.coverage.skipped.len(), 1, "it is told once: {:?}", report.coverage.skipped);
    assert!(report.coverage.bytes < 200 << 20);

    // The same of a bomb in a bomb: what was unpacked counts at each depth.
    let report = report_with(&gzip(&bomb), limits);
    assert!(told(&report, Why::TooLarge, "f").contains("--max-unpacked-total"));
}

#[test]
fn what_a_file_may_unpack_to_is_not_a_limit_of_the_scan() {
    let key = key(41);
    let limits = Limits { unpacked_total_bytes: 1 << 20, ..Limits::default() };
    let scan = crate::support::scan_with(limits);
    scan.bytes(&crate::support::place(), &gzip(&vec![0; 2 << 20]));
    scan.bytes(&crate::support::place(), &gzip(key.text().as_bytes()));
    let report = scan.ledger.into_report(Vec::new());
    paths(&report, &key);
    told(&report, Why::TooLarge, "f");
}

#[test]
fn the_deadline() {
    let bytes = gzip(&vec![b'x'; 64 << 20]);
    let report = report_with(&bytes, Limits { deadline: Some(Instant::now()), ..Limits::default() });
    assert!(told(&report, Why::TimedOut, "f").contains("--timeout"));
    assert!(report.coverage.bytes < 8 << 20);
}

#[test]
fn the_deadline_within_any_form_is_told() {
    // Whatever a reader is at when the time is over: many members, and each takes a moment.
    let folder = tempfile::tempdir().unwrap();
    crate::support::python(
        folder.path(),
        "import zipfile, tarfile, io
with zipfile.ZipFile('zip', 'w') as z:
    for n in range(3000): z.writestr(str(n), 'x')
with tarfile.open('tar', 'w') as t:
    for n in range(3000): i = tarfile.TarInfo(str(n)); i.size = 1; t.addfile(i, io.BytesIO(b'x'))
with open('ar', 'wb') as f:
    f.write(b'!<arch>\\n')
    for n in range(3000): f.write(b'%-16d%-12d%-6d%-6d%-8s%-10d`\\nxx' % (n, 0, 0, 0, b'100644', 2))",
    );
    for form in ["zip", "tar", "ar"] {
        let bytes = std::fs::read(folder.path().join(form)).unwrap();
        assert!(report_of(&bytes).coverage.objects > 3000);
        for microseconds in [0, 100, 300, 1000] {
            let deadline = Some(Instant::now() + Duration::from_micros(microseconds));
            let report = report_with(&bytes, Limits { deadline, ..Limits::default() });
            if report.coverage.objects <= 3000 {
                told(&report, Why::TimedOut, "f");
            }
        }
    }
}

#[test]
fn memory_for_a_database_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(42);
    crate::support::python(
        folder.path(),
        &format!(
            "import sqlite3\nc = sqlite3.connect('db'); c.execute('create table t (x)')
c.executemany('insert into t values (?)', [('y' * 1000,)] * 3000)
c.execute('insert into t values (?)', ('''{}''',)); c.commit()",
            key.text()
        ),
    );
    let bytes = gzip(&std::fs::read(folder.path().join("db")).unwrap());
    complete(&report_of(&bytes));
    let report = report_with(&bytes, Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
    assert!(told(&report, Why::TooLarge, "f").contains("--max-unpacked"));
    assert_eq!(paths(&report, &key), ["f"], "its bytes are scanned all the same");
}

#[test]
fn memory_for_a_large_window() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zeros"), vec![0; 9 << 20]).unwrap();
    for (program, arguments) in
        [("zstd", &["-qc", "--long=27", "--ultra", "-22", "zeros"][..]), ("xz", &["-c", "-9", "zeros"][..])]
    {
        let bytes = crate::support::run(folder.path(), program, arguments);
        complete(&report_of(&bytes));
        let report = report_with(&bytes, Limits { unpacked_bytes: 4 << 20, ..Limits::default() });
        let detail = told(&report, Why::TooLarge, "f");
        assert!(detail.contains("--max-unpacked"), "{program}: {detail}");
    }
}
