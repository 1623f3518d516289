//! Damaged and hostile repositories: nothing panics or hangs, and what cannot be looked at is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use akia_core::leak::{ScanReport, Why};
use akia_scan::Limits;
use akia_scan::git::{GitError, Options, Repository};

use super::repo::{Repo, file_with, id, places, scan, scan_with};

fn history(repo: &Repo, key: &str) {
    let text: String = (0..60).map(|line| format!("line {line} of a file\n")).collect();
    for version in 0..12 {
        let key = if version == 5 { file_with(key) } else { String::new() };
        repo.write("d/long", &format!("{text}{key}version {version}\n{text}"));
        repo.commit("next");
    }
    repo.git(&["tag", "-a", "-m", "x", "v1"]);
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn object_files(repo: &Repo) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&repo.git_file("objects"), &mut found);
    found.sort();
    found
}

/// Damages one file at a time: either the key is found all the same, or it is told that not everything was looked at.
fn damage(repo: &Repo, key: &str, rounds: u64) {
    let files = object_files(repo);
    let mut found = 0;
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let path = &files[random.usize(0..files.len())];
        let whole = fs::read(path).unwrap();
        let mut damaged = whole.clone();
        match random.u8(0..4) {
            0 => damaged.truncate(random.usize(0..whole.len())),
            1 => damaged.extend((0..random.usize(1..40)).map(|_| random.u8(..))),
            2 => {
                let at = random.usize(0..whole.len());
                damaged[at] = random.u8(..);
            }
            _ => {
                for _ in 0..random.usize(1..5) {
                    let at = random.usize(0..whole.len());
                    damaged[at] ^= 1 << random.u8(0..8);
                }
            }
        }
        fs::remove_file(path).unwrap();
        fs::write(path, &damaged).unwrap();
        let report = scan(&repo.path);
        let there = !places(&report, key).is_empty();
        found += u64::from(there);
        assert!(
            there || !report.coverage.is_complete(),
            "seed {seed}: {} was damaged, and nothing is told",
            path.display()
        );
        fs::write(path, &whole).unwrap();
    }
    assert!(found > rounds / 10 && found < rounds, "found in {found} of {rounds}");
    assert!(scan(&repo.path).coverage.is_complete());
}

fn rounds(usual: u64) -> u64 {
    std::env::var("AKIA_DAMAGE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

#[test]
fn damaged_packs_and_indexes() {
    for version in ["pack.indexVersion=2", "pack.indexVersion=1"] {
        let repo = Repo::new();
        history(&repo, &id(401));
        repo.git(&["-c", version, "-c", "pack.writeReverseIndex=false", "repack", "-q", "-adf"]);
        damage(&repo, &id(401), rounds(300));
    }
}

#[test]
fn damaged_loose_objects() {
    let repo = Repo::new();
    // One version, so that the damage hits the key often.
    repo.commit_key("f", &id(402));
    damage(&repo, &id(402), rounds(300));
}

#[test]
fn damaged_indexes_of_the_working_tree() {
    let repo = Repo::new();
    repo.write("a/f", &file_with(&id(403)));
    repo.write("b", "x");
    repo.commit("first");
    let path = repo.git_file("index");
    let whole = fs::read(&path).unwrap();
    for seed in 0..rounds(300) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut damaged = whole.clone();
        let at = random.usize(0..whole.len());
        damaged[at] ^= 1 << random.u8(0..8);
        // With a checksum of zeros it is not checked.
        let sum = whole.len() - 20;
        damaged[sum..].fill(0);
        damaged.truncate(if random.bool() { whole.len() } else { random.usize(0..whole.len()) });
        fs::write(&path, damaged).unwrap();
        let _ = scan(&repo.path);
        let scan = akia_scan::Scan {
            detector: akia_core::leak::Detector::new(akia_core::leak::Options::default()),
            limits: Limits::default(),
            ledger: akia_scan::Ledger::default(),
        };
        let _ = Repository::open(&repo.path).unwrap().scan_staged(&scan, None);
    }
}

/// A pack of these objects: type, claimed size, what stands between head and stream, and what is deflated.
fn pack(objects: &[(u8, u64, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"PACK\0\0\0\x02".to_vec();
    bytes.extend(u32::try_from(objects.len()).unwrap().to_be_bytes());
    for (kind, size, between, text) in objects {
        let mut rest = size >> 4;
        bytes.push(kind << 4 | u8::try_from(size & 15).unwrap() | if rest > 0 { 128 } else { 0 });
        while rest > 0 {
            bytes.push(u8::try_from(rest & 127).unwrap() | if rest > 127 { 128 } else { 0 });
            rest >>= 7;
        }
        bytes.extend(between);
        bytes.extend(miniz_oxide::deflate::compress_to_vec_zlib(text, 6));
    }
    bytes.extend([0; 20]);
    bytes
}

fn with_pack(objects: &[(u8, u64, Vec<u8>, Vec<u8>)]) -> ScanReport {
    let repo = Repo::new();
    repo.commit("first");
    fs::create_dir_all(repo.git_file("objects/pack")).unwrap();
    fs::write(repo.git_file("objects/pack/pack-2222222222222222222222222222222222222222.pack"), pack(objects)).unwrap();
    let start = Instant::now();
    let report = scan(&repo.path);
    assert!(start.elapsed() < Duration::from_secs(20));
    report
}

fn size(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        bytes.push(u8::try_from(value & 127).unwrap() | if value > 127 { 128 } else { 0 });
        value >>= 7;
        if value == 0 {
            return bytes;
        }
    }
}

#[test]
fn a_delta_against_itself_or_in_a_circle() {
    let delta = [size(4), size(4), vec![0x90, 4]].concat();
    let named = |name: u8| vec![name; 20];
    for objects in [
        vec![(7, delta.len() as u64, named(1), delta.clone())],
        vec![(6, delta.len() as u64, vec![0], delta.clone())],
        vec![(7, delta.len() as u64, named(1), delta.clone()), (7, delta.len() as u64, named(2), delta.clone())],
    ] {
        assert!(!with_pack(&objects).coverage.is_complete());
    }
}

/// An index that lies: its names make two deltas each other's base.
#[test]
fn a_circle_by_an_index_that_lies() {
    use sha1::Digest as _;

    let repo = Repo::new();
    repo.commit("first");
    let delta = [size(4), size(4), vec![0x90, 4]].concat();
    let bytes = pack(&[
        (7, delta.len() as u64, vec![2; 20], delta.clone()),
        (7, delta.len() as u64, vec![1; 20], delta.clone()),
    ]);
    let second = 12 + (bytes.len() - 32) / 2;
    // The first version of the format, which has no checksums of objects to give it away.
    let mut index = Vec::new();
    for first in 0..256_u32 {
        index.extend((u32::from(first >= 1) + u32::from(first >= 2)).to_be_bytes());
    }
    for (name, offset) in [(1, 12), (2, u32::try_from(second).unwrap())] {
        index.extend(offset.to_be_bytes());
        index.extend([name; 20]);
    }
    index.extend([0; 20]);
    let sum = sha1::Sha1::digest(&index);
    index.extend(sum);
    fs::create_dir_all(repo.git_file("objects/pack")).unwrap();
    let path = repo.git_file("objects/pack/pack-3333333333333333333333333333333333333333.pack");
    fs::write(&path, bytes).unwrap();
    fs::write(path.with_extension("idx"), index).unwrap();
    let skipped = scan(&repo.path).coverage.skipped;
    for name in ["0101010101", "0202020202"] {
        assert!(skipped.iter().any(|skipped| skipped.what.contains(name)), "{skipped:?}");
    }
}

#[test]
fn claims_of_gigabytes_allocate_nothing() {
    let report = with_pack(&[(3, 4 << 30, Vec::new(), b"small".to_vec())]);
    assert!(!report.coverage.is_complete());
    // A delta that claims four gigabytes, and one that makes a gigabyte out of a megabyte.
    let base = vec![b'x'; 1 << 20];
    let copies = |count: usize| [0xf0, 0xff, 0xff, 0x0f].repeat(count);
    let claims = [size(1 << 20), size(4 << 30), copies(1)].concat();
    let bomb = [size(1 << 20), size(1024 * 0x0f_ffff), copies(1024)].concat();
    for delta in [claims, bomb] {
        let base = (3, base.len() as u64, Vec::new(), base.clone());
        let distance = pack(std::slice::from_ref(&base)).len() as u64 - 32;
        let distance = vec![u8::try_from((distance >> 7) - 1).unwrap() | 128, u8::try_from(distance & 127).unwrap()];
        let report = with_pack(&[base, (6, delta.len() as u64, distance, delta)]);
        assert!(report.coverage.skipped.iter().any(|skipped| skipped.why == Why::TooLarge), "{:?}", report.coverage);
    }
}

/// Each folder stands twice in the next: a thousand million paths lead to one file.
#[test]
fn a_bomb_of_trees() {
    let repo = Repo::new();
    let blob = repo.object("blob", file_with(&id(404)).as_bytes());
    let mut tree = repo.git_with(&["mktree"], &[], format!("100644 blob {blob}\tf\n").as_bytes());
    for _ in 0..30 {
        tree = repo.git_with(&["mktree"], &[], format!("040000 tree {tree}\ta\n040000 tree {tree}\tb\n").as_bytes());
    }
    let commit = repo.git(&["commit-tree", "-m", "bomb", &tree]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let start = Instant::now();
    let report = scan(&repo.path);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(!places(&report, &id(404)).is_empty());
    assert!(report.coverage.skipped.iter().any(|skipped| skipped.why == Why::TooLarge), "{:?}", report.coverage);
}

#[cfg(unix)]
#[test]
fn pipes_links_and_folders_where_files_should_be() {
    let repo = Repo::new();
    repo.commit_key("f", &id(405));
    let pipe =
        |path: &str| assert!(std::process::Command::new("mkfifo").arg(repo.git_file(path)).status().unwrap().success());
    pipe("hooks/pipe");
    pipe("refs/heads/pipe");
    pipe("logs/pipe");
    pipe("packed-refs");
    fs::create_dir_all(repo.git_file("objects/pack")).unwrap();
    pipe("objects/pack/pack-4444444444444444444444444444444444444444.pack");
    pipe("objects/info/alternates");
    std::os::unix::fs::symlink("/dev/zero", repo.git_file("hooks/zero")).unwrap();
    std::os::unix::fs::symlink("..", repo.git_file("hooks/up")).unwrap();
    fs::create_dir(repo.git_file("objects/ab")).unwrap_or_default();
    std::os::unix::fs::symlink("/dev/zero", repo.git_file("objects/ab").join("0".repeat(38))).unwrap();
    let report = scan(&repo.path);
    assert_eq!(places(&report, &id(405)).len(), 1);
    for name in [
        "hooks/pipe",
        "refs/heads/pipe",
        "logs/pipe",
        "packed-refs",
        "44444.pack",
        "info/alternates",
        "hooks/zero",
        "hooks/up",
        "ab00000",
    ] {
        assert!(
            report.coverage.skipped.iter().any(|skipped| skipped.what.contains(name)),
            "{name}: {:?}",
            report.coverage
        );
    }
}

#[test]
fn settings_that_lie() {
    let repo = Repo::new();
    repo.commit_key("f", &id(406));
    let settings = fs::read_to_string(repo.git_file("config")).unwrap();
    fs::write(repo.git_file("config"), format!("{settings}[extensions]\n\tobjectFormat = md5\n")).unwrap();
    assert!(matches!(Repository::open(&repo.path), Err(GitError::UnknownFormat { .. })));
    // Another format than the objects have: nothing is found, and that is told.
    fs::write(
        repo.git_file("config"),
        format!("{settings}[extensions]\n\tobjectFormat = sha256\n[include]\n\tpath = /dev/zero\n"),
    )
    .unwrap();
    assert!(!scan(&repo.path).coverage.is_complete());
    fs::write(repo.git_file("config"), [0xff; 1000]).unwrap();
    assert_eq!(places(&scan(&repo.path), &id(406)).len(), 1);
}

#[test]
fn what_is_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(Repository::open(path), Err(GitError::NotARepository { .. })));
    fs::write(path.join(".git"), "gitdir: nowhere\n").unwrap();
    assert!(matches!(Repository::open(path), Err(GitError::NotARepository { .. })));
    // A `.git` file that leads to itself.
    fs::write(path.join(".git"), "gitdir: .git\n").unwrap();
    assert!(Repository::open(path).is_err());
    fs::write(path.join("x.bundle"), "# v2 git bundle\nnothing").unwrap();
    assert!(matches!(Repository::open(&path.join("x.bundle")), Err(GitError::Broken { .. })));
}

#[test]
fn a_repository_without_anything() {
    let repo = Repo::new();
    let report = scan_with(&repo.path, &Options::default(), Limits::default());
    assert!(report.coverage.is_complete(), "{:?}", report.coverage);
}
