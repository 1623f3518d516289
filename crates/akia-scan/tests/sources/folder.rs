//! Folders as they are: links, pipes, repositories, and files that nobody may read.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use akia_core::leak::{Part, ScanReport, Why};
use akia_scan::{Limits, folder};

use crate::support::{complete, id_places, key, paths, run, scan_with, told};

fn report(path: &Path, limits: Limits) -> (ScanReport, Vec<String>) {
    let scan = scan_with(limits);
    let found = folder::scan(&scan, path);
    let below = |at: &std::path::PathBuf| at.strip_prefix(path).unwrap().to_string_lossy().into_owned();
    (scan.ledger.into_report(Vec::new()), found.repositories.iter().map(below).collect())
}

fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn every_file_hidden_and_ignored_ones_too() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", ".hidden/.env", "node_modules/x/y/z.js", "deep/a/b/c/d/e/f/g/h/i/j/k", "with space/ünï"];
    for (number, file) in files.iter().enumerate() {
        write(folder.path(), file, &key(7000 + number as u64).text());
    }
    write(folder.path(), ".gitignore", "node_modules\n.env\n");
    for n in 0..1000 {
        write(folder.path(), &format!("many/{n}"), "x");
    }
    for threads in [1, 4] {
        let (report, repositories) = report(folder.path(), Limits { threads, ..Limits::default() });
        for (number, file) in files.iter().enumerate() {
            assert_eq!(paths(&report, &key(7000 + number as u64)), [*file]);
        }
        complete(&report);
        assert_eq!(report.coverage.objects, 1006);
        assert!(repositories.is_empty());
    }
}

#[test]
fn one_file_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(70);
    write(folder.path(), "k", &key.text());
    let scan = scan_with(Limits::default());
    folder::scan(&scan, &folder.path().join("k"));
    let report = scan.ledger.into_report(Vec::new());
    assert_eq!(paths(&report, &key), [""]);

    let scan = scan_with(Limits::default());
    folder::scan(&scan, &folder.path().join("none"));
    told(&scan.ledger.into_report(Vec::new()), Why::Missing, "none");
}

#[cfg(unix)]
#[test]
fn a_device_that_a_person_names_is_told() {
    let scan = scan_with(Limits::default());
    folder::scan(&scan, Path::new("/dev/zero"));
    told(&scan.ledger.into_report(Vec::new()), Why::Unsupported, "/dev/zero");
}

#[test]
fn repositories_are_left_to_who_asked() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "git", &["init", "-q", "one"]);
    run(folder.path(), "git", &["init", "-q", "--bare", "deep.git"]);
    let key = key(71);
    write(folder.path(), "one/.git/k", &key.text());
    write(folder.path(), "one/k", &key.text());
    let (report, repositories) = report(folder.path(), Limits::default());
    assert_eq!(paths(&report, &key), ["one/k"]);
    assert_eq!(repositories, ["deep.git", "one/.git"]);
}

#[test]
fn names_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (file, directory) = (key(72), key(73));
    write(folder.path(), &format!("{}/{}.csv", directory.id, file.id), "x");
    let (report, _) = report(folder.path(), Limits::default());
    assert_eq!(id_places(&report, &directory), [(directory.id.clone(), Part::Name)]);
    assert_eq!(id_places(&report, &file), [(format!("{}/{}.csv", directory.id, file.id), Part::Name)]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_special_files_not_opened() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (key, target) = (key(74), key(75));
    write(outside.path(), "k", &key.text());
    symlink(outside.path().join("k"), folder.path().join("file")).unwrap();
    symlink(outside.path(), folder.path().join("folder")).unwrap();
    symlink(".", folder.path().join("loop")).unwrap();
    symlink(format!("/{}", target.id), folder.path().join("dangling")).unwrap();
    run(folder.path(), "mkfifo", &["pipe"]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let begun = Instant::now();
    let (report, _) = report(folder.path(), Limits::default());
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(report.leaks.len(), 1);
    assert_eq!(id_places(&report, &target), [("dangling".to_owned(), Part::Name)]);
    complete(&report);
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_read_is_told() {
    // Root may read anything, but not this file's content: the kernel answers EIO for an unmapped page.
    let scan = scan_with(Limits::default());
    folder::scan(&scan, Path::new("/proc/self/mem"));
    told(&scan.ledger.into_report(Vec::new()), Why::Unreadable, "/proc/self/mem");

    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "closed/k", "x");
    write(folder.path(), "k", "x");
    fs::set_permissions(folder.path().join("k"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(folder.path().join("k")).is_err() {
        let (report, _) = report(folder.path(), Limits::default());
        told(&report, Why::Unreadable, "/k");
        told(&report, Why::Unreadable, "/closed");
    }
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_of_the_kernel_without_an_end_is_bounded() {
    // Eight bytes for each page that a process could have: 256 GiB, in a file that says that it is empty.
    let begun = Instant::now();
    let scan = scan_with(Limits::default());
    folder::scan(&scan, Path::new("/proc/self/pagemap"));
    let report = scan.ledger.into_report(Vec::new());
    assert!(told(&report, Why::Changed, "pagemap").contains("no end"));
    assert!(report.coverage.bytes < 100 << 20);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, vec![b'x'; 64 << 20]).unwrap();
    let over = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !over.load(Ordering::Relaxed) {
                file.write_all(b"more\n").unwrap();
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        let (report, _) = report(folder.path(), Limits::default());
        over.store(true, Ordering::Relaxed);
        report
    });
    told(&report, Why::Changed, "log");
}

#[test]
fn a_large_file_goes_through_windows() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(76);
    let mut bytes = vec![b'\n'; 40 << 20];
    bytes.extend(key.text().bytes());
    fs::write(folder.path().join("large"), bytes).unwrap();
    let (report, _) = report(folder.path(), Limits::default());
    assert_eq!(paths(&report, &key), ["large"]);
    assert_eq!(report.leaks[0].places[0].place.line, Some((40 << 20) + 2));
    assert_eq!(
        report.coverage.bytes,
        (40 << 20) + key.text().len() as u64,
        "no byte is counted twice, and none left out"
    );
    complete(&report);
}

#[test]
fn the_deadline_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..100 {
        write(folder.path(), &format!("{n}"), "x");
    }
    let (report, _) = report(folder.path(), Limits { deadline: Some(Instant::now()), ..Limits::default() });
    let detail = told(&report, Why::TimedOut, "");
    assert!(detail.contains("--timeout"));
    assert_eq!(report.coverage.objects, 0);
}
