//! Disk images that `mkfs.ext4` and `qemu-img` made.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use akia_core::leak::{Part, ScanReport, Why};
use akia_scan::{Limits, image};

use crate::support::{Key, complete, id_places, key, paths, run, scan_with, told};

fn report_with(path: &Path, limits: Limits) -> ScanReport {
    let scan = scan_with(limits);
    image::scan(&scan, path);
    scan.ledger.into_report(Vec::new())
}

fn report(path: &Path) -> ScanReport {
    report_with(path, Limits { threads: 2, ..Limits::default() })
}

/// A folder with an image of a file system that holds `home/.aws/credentials`, a compressed file, and a deleted file.
struct Fixture {
    folder: tempfile::TempDir,
    kept: Key,
    packed: Key,
    deleted: Key,
}

const KEPT: &str = "home/.aws/credentials";

impl Fixture {
    fn new(number: u64, options: &[&str]) -> Self {
        Self::sized(number, options, "24M")
    }

    fn sized(number: u64, options: &[&str], size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (kept, packed, deleted) = (key(number), key(number + 100), key(number + 200));
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("home/.aws")).unwrap();
        fs::create_dir_all(tree.join("etc/long name")).unwrap();
        fs::write(tree.join(KEPT), format!("{}\n{}", "#".repeat(9000), kept.text())).unwrap();
        fs::write(tree.join("etc/long name/plain"), packed.text()).unwrap();
        run(&tree.join("etc/long name"), "gzip", &["plain"]);
        fs::write(tree.join("gone"), format!("{}\n{}", "#".repeat(5000), deleted.text())).unwrap();
        for n in 0..200 {
            fs::write(tree.join(format!("etc/file{n}")), "x".repeat(n * 50)).unwrap();
        }
        let mut arguments = options.to_vec();
        arguments.extend(["-q", "-F", "-d", "tree", "disk.raw", size]);
        run(folder.path(), "mkfs.ext4", &arguments);
        run(folder.path(), "debugfs", &["-w", "-R", "rm gone", "disk.raw"]);
        Self { folder, kept, packed, deleted }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn qemu(&self, arguments: &[&str]) {
        run(self.folder.path(), "qemu-img", arguments);
    }

    /// Everything is found and named in this image.
    #[track_caller]
    fn assert_in(&self, name: &str, base: &str) {
        let report = report(&self.path(name));
        assert_eq!(paths(&report, &self.kept), [format!("{base}{KEPT}")], "{name}");
        assert_eq!(paths(&report, &self.packed), [format!("{base}etc/long name/plain.gz")], "{name}");
        assert_eq!(paths(&report, &self.deleted), [format!("{base}(free space)")], "{name}");
        complete(&report);
    }
}

#[test]
fn a_file_system_of_every_kind_names_its_files() {
    let kinds: [(u64, &[&str]); 5] = [
        (80, &[]),
        (81, &["-b", "1024"]),
        (82, &["-O", "^64bit,^metadata_csum"]),
        // ext2 maps its files by pointers, and has no journal.
        (83, &["-t", "ext2", "-O", "^extents,^has_journal,^64bit"]),
        (84, &["-I", "512", "-O", "inline_data"]),
    ];
    for (number, options) in kinds {
        Fixture::new(number, options).assert_in("disk.raw", "");
    }
}

#[test]
fn every_format_reads_as_the_same_disk() {
    let fixture = Fixture::new(300, &[]);
    let formats: [&[&str]; 10] = [
        &["-O", "qcow2"],
        &["-O", "qcow2", "-o", "compat=0.10"],
        &["-O", "qcow2", "-o", "cluster_size=512"],
        &["-O", "qcow2", "-o", "cluster_size=2M"],
        &["-O", "qcow2", "-o", "cluster_size=128k,extended_l2=on"],
        &["-O", "qcow2", "-c"],
        &["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
        &["-O", "vmdk"],
        &["-O", "vmdk", "-o", "subformat=streamOptimized"],
        &["-O", "raw"],
    ];
    for format in formats {
        let mut arguments = vec!["convert", "-f", "raw"];
        arguments.extend(format);
        arguments.extend(["disk.raw", "disk.out"]);
        fixture.qemu(&arguments);
        fixture.assert_in("disk.out", "");
    }
    for subformat in ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let option = format!("subformat={subformat}");
        fixture.qemu(&["convert", "-f", "raw", "-O", "vmdk", "-o", &option, "disk.raw", "disk.vmdk"]);
        fixture.assert_in("disk.vmdk", "");
    }
}

#[test]
fn a_compressed_image_is_unpacked() {
    let fixture = Fixture::new(301, &[]);
    run(fixture.folder.path(), "gzip", &["-k", "disk.raw"]);
    let report = report(&fixture.path("disk.raw.gz"));
    paths(&report, &fixture.kept);
    paths(&report, &fixture.deleted);
    complete(&report);
}

#[test]
fn partitions_of_both_kinds() {
    // Partition tables are written by hand, as UEFI 5.3 and the MBR say: `sfdisk` is not on every machine.
    let fixture = Fixture::new(302, &[]);
    let system = fs::read(fixture.path("disk.raw")).unwrap();
    let (start, sectors) = (2048u32, (system.len() / 512) as u32);
    let mut mbr = vec![0; 512];
    mbr[446 + 16 + 4] = 0x83;
    mbr[446 + 16 + 8..][..4].copy_from_slice(&start.to_le_bytes());
    mbr[446 + 16 + 12..][..4].copy_from_slice(&sectors.to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut disk = mbr.clone();
    disk.resize(start as usize * 512, 0);
    disk.extend(&system);
    fs::write(fixture.path("mbr"), &disk).unwrap();
    fixture.assert_in("mbr", "partition 2!");

    disk[446 + 16 + 4] = 0xee;
    disk[512..520].copy_from_slice(b"EFI PART");
    disk[512 + 72..][..8].copy_from_slice(&2u64.to_le_bytes());
    disk[512 + 80..][..4].copy_from_slice(&128u32.to_le_bytes());
    disk[512 + 84..][..4].copy_from_slice(&128u32.to_le_bytes());
    let entry = 1024 + 4 * 128;
    disk[entry..entry + 16].fill(7);
    disk[entry + 32..][..8].copy_from_slice(&u64::from(start).to_le_bytes());
    disk[entry + 40..][..8].copy_from_slice(&u64::from(start + sectors - 1).to_le_bytes());
    fs::write(fixture.path("gpt"), &disk).unwrap();
    fixture.assert_in("gpt", "partition 5!");
}

#[test]
fn names_and_links_in_a_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let (name, link) = (key(303), key(304));
    fs::create_dir_all(folder.path().join("tree")).unwrap();
    fs::write(folder.path().join("tree").join(&name.id), "x").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(format!("/a/{}", link.id), folder.path().join("tree/link")).unwrap();
    run(folder.path(), "mkfs.ext4", &["-q", "-F", "-d", "tree", "disk", "8M"]);
    let report = report(&folder.path().join("disk"));
    assert!(id_places(&report, &name).contains(&(name.id.clone(), Part::Name)));
    assert!(id_places(&report, &link).contains(&("link".to_owned(), Part::Name)));
}

#[test]
fn snapshots_and_backing_files() {
    let fixture = Fixture::new(305, &[]);
    // A disk that was overwritten after a snapshot: the keys are only in there.
    fixture.qemu(&["convert", "-f", "raw", "-O", "qcow2", "disk.raw", "disk.qcow2"]);
    fixture.qemu(&["snapshot", "-c", "before", "disk.qcow2"]);
    fixture.qemu(&["create", "-q", "-f", "raw", "empty.raw", "24M"]);
    fixture.qemu(&["create", "-q", "-f", "qcow2", "-b", "disk.raw", "-F", "raw", "top.qcow2"]);
    let of = |name: &str| report(&fixture.path(name));
    let report = of("disk.qcow2");
    assert_eq!(paths(&report, &fixture.kept), [KEPT], "what a snapshot shares is told once");
    complete(&report);

    // The image below is read where the one above holds nothing.
    fixture.assert_in("top.qcow2", "");
    fs::create_dir(fixture.path("alone")).unwrap();
    fs::rename(fixture.path("top.qcow2"), fixture.path("alone/top.qcow2")).unwrap();
    assert!(told(&of("alone/top.qcow2"), Why::Missing, "top.qcow2").contains("disk.raw"));
}

#[test]
fn what_only_a_snapshot_holds() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(306);
    let path = folder.path().join("disk.qcow2");
    fs::write(folder.path().join("raw"), [key.text().as_bytes(), &[0; 1 << 20]].concat()).unwrap();
    run(folder.path(), "qemu-img", &["convert", "-f", "raw", "-O", "qcow2", "raw", "disk.qcow2"]);
    run(folder.path(), "qemu-img", &["snapshot", "-c", "before", "disk.qcow2"]);
    // The table of the disk of now is emptied by hand: its entries are at the place that byte 40 tells.
    let mut bytes = fs::read(&path).unwrap();
    let table = u64::from_be_bytes(bytes[40..48].try_into().unwrap()) as usize;
    bytes[table..table + 8].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(paths(&report(&path), &key), ["snapshot before"]);
}

#[test]
fn keys_at_every_place_of_a_disk_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let mut file = fs::File::create(&path).unwrap();
    file.set_len(100 << 20).unwrap();
    let mut expected = Vec::new();
    // Around the ends of windows and of what a thread takes at once, and behind a hole.
    for (number, at) in [0u64, (1 << 20) - 30, (16 << 20) - 50, (48 << 20) - 1, (32 << 20) - 100, (99 << 20) + 7]
        .into_iter()
        .enumerate()
    {
        let key = key(310 + number as u64);
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(key.text().as_bytes()).unwrap();
        expected.push((key, at));
    }
    drop(file);
    for threads in [1, 3] {
        let report = report_with(&path, Limits { threads, ..Limits::default() });
        complete(&report);
        assert_eq!(report.leaks.len(), expected.len());
        for (key, at) in &expected {
            assert_eq!(paths(&report, key), [""]);
            let leak =
                report.leaks.iter().find(|leak| leak.access_key_id.as_ref().unwrap().as_str() == key.id).unwrap();
            assert_eq!(leak.places[0].place.offset, Some(at + "[default]\naws_access_key_id = ".len() as u64));
        }
        assert!(report.coverage.bytes < 2 << 20, "holes are passed over: {}", report.coverage.bytes);
    }
}

#[test]
fn what_stands_before_the_part_of_a_thread_counts() {
    // An id where a part of 16 MiB begins, which is the end of a longer word and no key; and one that a part begins with.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let (word, real) = (key(330), key(331));
    let mut bytes = vec![b'-'; 40 << 20];
    bytes[(16 << 20) - 1] = b'x';
    bytes[16 << 20..][..20].copy_from_slice(word.id.as_bytes());
    bytes[32 << 20..][..20].copy_from_slice(real.id.as_bytes());
    fs::write(&path, bytes).unwrap();
    let report = report(&path);
    assert_eq!(id_places(&report, &real), [(String::new(), Part::Block)]);
    assert_eq!(report.leaks.len(), 1);
    assert_eq!(report.coverage.bytes, 40 << 20, "no byte is counted twice");
}

#[test]
fn forms_that_are_not_read_are_told_and_scanned_as_they_are() {
    let fixture = Fixture::new(320, &[]);
    for (format, name) in [("vdi", "VDI"), ("vpc", "VHD"), ("vhdx", "VHDX")] {
        fixture.qemu(&["convert", "-f", "raw", "-O", format, "disk.raw", "disk.out"]);
        let report = report(&fixture.path("disk.out"));
        assert!(told(&report, Why::Unsupported, "disk.out").contains(name));
        paths(&report, &fixture.kept);
    }
}

#[test]
fn the_deadline_and_a_missing_image_are_told() {
    let fixture = Fixture::new(321, &[]);
    let limits = Limits { deadline: Some(std::time::Instant::now()), ..Limits::default() };
    assert!(told(&report_with(&fixture.path("disk.raw"), limits), Why::TimedOut, "disk.raw").contains("--timeout"));
    told(&report(&fixture.path("none")), Why::Missing, "none");
}

#[test]
fn a_small_image_that_claims_to_be_huge_ends() {
    let fixture = Fixture::new(322, &[]);
    fixture.qemu(&["convert", "-f", "raw", "-O", "qcow2", "disk.raw", "disk.out"]);
    let mut bytes = fs::read(fixture.path("disk.out")).unwrap();
    let table = u64::from_be_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let entry: [u8; 8] = bytes[table..table + 8].try_into().unwrap();
    // 4096 entries in place of one, and each leads to the same clusters.
    bytes[36..40].copy_from_slice(&4096u32.to_be_bytes());
    let at = bytes.len().next_multiple_of(65536);
    bytes.resize(at, 0);
    bytes.extend(entry.repeat(4096));
    bytes[40..48].copy_from_slice(&(at as u64).to_be_bytes());
    fs::write(fixture.path("disk.out"), bytes).unwrap();
    let report = report(&fixture.path("disk.out"));
    told(&report, Why::Corrupt, "disk.out");
    paths(&report, &fixture.kept);
}

#[test]
fn of_a_damaged_image_what_stands_in_the_file_is_found() {
    let fixture = Fixture::new(324, &[]);
    fixture.qemu(&["convert", "-f", "raw", "-O", "qcow2", "disk.raw", "disk.out"]);
    let mut bytes = fs::read(fixture.path("disk.out")).unwrap();
    let table = u64::from_be_bytes(bytes[40..48].try_into().unwrap()) as usize;
    bytes[table..table + 8].copy_from_slice(&(0x7fff_ff00_0000u64).to_be_bytes());
    fs::write(fixture.path("disk.out"), bytes).unwrap();
    let report = report(&fixture.path("disk.out"));
    told(&report, Why::Corrupt, "disk.out");
    assert_eq!(paths(&report, &fixture.kept), ["(in the order of the file)"]);
    paths(&report, &fixture.deleted);
}

#[test]
fn images_that_stand_on_each_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let qemu = |arguments: &[&str]| run(folder.path(), "qemu-img", arguments);
    qemu(&["create", "-q", "-f", "qcow2", "a", "1M"]);
    qemu(&["create", "-q", "-f", "qcow2", "-b", "a", "-F", "qcow2", "b"]);
    qemu(&["create", "-q", "-f", "qcow2", "-b", "b", "-F", "qcow2", "c"]);
    fs::rename(folder.path().join("c"), folder.path().join("a")).unwrap();
    let report = report(&folder.path().join("b"));
    assert!(told(&report, Why::TooDeep, "b").contains("--max-depth"));
}

#[test]
fn flipped_bytes_panic_nowhere() {
    let fixture = Fixture::sized(323, &["-b", "1024", "-O", "^has_journal"], "4M");
    let path = fixture.path("flipped");
    let mut random = fastrand::Rng::with_seed(323);
    let formats: [&[&str]; 4] = [
        &["-O", "raw"],
        &["-O", "qcow2", "-c", "-o", "cluster_size=4k"],
        &["-O", "vmdk"],
        &["-O", "vmdk", "-o", "subformat=streamOptimized"],
    ];
    for format in formats {
        let mut arguments = vec!["convert", "-f", "raw"];
        arguments.extend(format);
        arguments.extend(["disk.raw", "disk.out"]);
        fixture.qemu(&arguments);
        let mut whole = fs::read(fixture.path("disk.out")).unwrap();
        // Tables and folders are what is not zero at the beginning.
        let places: Vec<usize> = (0..whole.len().min(1 << 20)).filter(|at| whole[*at] != 0).collect();
        let limits = Limits { unpacked_total_bytes: 256 << 20, ..Limits::default() };
        for _ in 0..25 {
            let mut undo = Vec::new();
            for _ in 0..random.usize(1..8) {
                let at = places[random.usize(..places.len())];
                undo.push((at, whole[at]));
                whole[at] = random.u8(..);
            }
            fs::write(&path, &whole).unwrap();
            let begun = std::time::Instant::now();
            report_with(&path, limits.clone());
            assert!(begun.elapsed().as_secs() < 20, "{format:?}: {:?}", begun.elapsed());
            for (at, byte) in undo.into_iter().rev() {
                whole[at] = byte;
            }
        }
    }
}
