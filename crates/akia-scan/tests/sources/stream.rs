//! What comes through a pipe.

use std::io::Read;

use akia_core::leak::{ScanReport, Why};
use akia_scan::{Limits, stream};

use crate::support::{complete, key, paths, scan_with, told};

fn report(reader: impl Read) -> ScanReport {
    let scan = scan_with(Limits::default());
    stream::scan(&scan, "-", reader);
    scan.ledger.into_report(vec!["-".to_owned()])
}

/// Gives odd pieces, as pipes do.
struct Pieces<R>(R, usize);

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 = (self.1 * 7 + 3) % 9973 + 1;
        let count = self.1.min(out.len());
        self.0.read(&mut out[..count])
    }
}

#[test]
fn lines_are_right_far_into_a_stream() {
    // Keys at many distances, so that some stand across the ends of windows.
    let mut text = Vec::new();
    let mut expected = Vec::new();
    let mut line = 1;
    for number in 0..300 {
        for n in 0..500 + number {
            text.extend(format!("{n} some line of a log without a key in it\n").bytes());
            line += 1;
        }
        let key = key(6000 + number);
        expected.push((key.clone(), line + 1));
        text.extend(key.text().bytes());
        line += 3;
    }
    assert!(text.len() > 7 << 20);
    let report = report(Pieces(text.as_slice(), 0));
    complete(&report);
    assert_eq!(report.leaks.len(), expected.len());
    for (key, line) in expected {
        paths(&report, &key);
        let leak = report.leaks.iter().find(|leak| leak.access_key_id.as_ref().unwrap().as_str() == key.id).unwrap();
        let lines: Vec<_> = leak.places.iter().map(|found| found.place.line).collect();
        assert_eq!(lines, [Some(line)]);
    }
}

#[test]
fn a_pair_across_the_end_of_a_window_is_one() {
    let key = key(60);
    let text = key.text();
    // The first window ends at 1 MiB: the pair begins at every distance before it.
    for before in (0..text.len() + 8).step_by(3) {
        let mut bytes = vec![b'.'; (1 << 20) - before];
        bytes.push(b'\n');
        bytes.extend(text.bytes());
        bytes.extend(vec![b'.'; 100_000]);
        let report = report(bytes.as_slice());
        paths(&report, &key);
        assert_eq!(report.leaks.len(), 1, "{before}: no half of it is told as well");
        assert_eq!(report.leaks[0].places.len(), 1);
    }
}

#[test]
fn an_archive_through_a_pipe() {
    let key = key(61);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), key.text()).unwrap();
    crate::support::run(folder.path(), "zip", &["-q", "k.zip", "k"]);
    let bytes = crate::support::run(folder.path(), "tar", &["-czf", "-", "k.zip"]);
    let report = report(Pieces(bytes.as_slice(), 5));
    assert_eq!(paths(&report, &key), ["!k.zip!k"]);
    complete(&report);
}

#[test]
fn a_pipe_that_breaks_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let key = key(62);
    let report = report(key.text().as_bytes().chain(Broken));
    paths(&report, &key);
    told(&report, Why::Unreadable, "-");
}
