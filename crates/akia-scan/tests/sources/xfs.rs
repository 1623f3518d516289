//! Disk images with xfs, that `mkfs.xfs` filled from a list of files.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use akia_core::leak::{Part, ScanReport, Why};
use akia_scan::{Limits, image};

use crate::support::{Key, complete, id_places, key, paths, run, scan_with, told};

/// Small ones are refused without the word that nobody is to use them.
const SIZE: &str = "64M";
const KEPT: &str = "home/.aws/credentials";
/// A file of which the tree of extents is made by hand.
const TREE: &str = "home/tree";

fn report(path: &Path) -> ScanReport {
    let scan = scan_with(Limits { threads: 2, unpacked_total_bytes: 256 << 20, ..Limits::default() });
    image::scan(&scan, path);
    scan.ledger.into_report(Vec::new())
}

/// A folder with an image of a file system: a short folder, one of a block, one of many, one with an index of several levels.
struct Fixture {
    folder: tempfile::TempDir,
    kept: Key,
    packed: Key,
    tree: Key,
    name: Key,
    link: Key,
}

impl Fixture {
    fn new(number: u64, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [kept, packed, tree, name, link] = [0, 1, 2, 3, 4].map(|n| key(number + n));
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("credentials", format!("{}\n{}", "#".repeat(9000), kept.text()));
        write("plain", packed.text());
        run(folder.path(), "gzip", &["plain"]);
        write("tree", format!("{}\n{}", "#".repeat(70_000), tree.text()));
        write("small", "x".to_owned());
        // The form of a list is that of proto(4) of old: an end of each folder is a dollar.
        let mut list = "/\n0 0\nd--755 0 0\nhome d--755 0 0\n.aws d--755 0 0\n".to_owned();
        list.push_str("credentials ---644 0 0 credentials\n$\ntree ---644 0 0 tree\n$\n");
        let _ = write!(list, "{} ---644 0 0 small\nlink l--777 0 0 /a/{}\n", name.id, link.id);
        for (folder, entries) in [("block", 30), ("leaf", 300), ("node", 3000)] {
            let _ = writeln!(list, "{folder} d--755 0 0");
            for entry in 0..entries {
                let _ = writeln!(list, "a-file-with-a-long-name-{entry} ---644 0 0 small");
            }
            // The last one, behind all blocks before.
            list.push_str("zz.gz ---644 0 0 plain.gz\n$\n");
        }
        list.push_str("$\n");
        write("list", list);
        fs::File::create(folder.path().join("disk.raw")).unwrap();
        let size = format!("size={SIZE},file");
        let arguments = ["--unsupported", "-q", "-p", "list", "-d", &size];
        run(folder.path(), "mkfs.xfs", &[&arguments, options, &["disk.raw"]].concat());
        Self { folder, kept, packed, tree, name, link }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk.raw")
    }

    #[track_caller]
    fn assert_named(&self) {
        let report = report(&self.path());
        assert_eq!(paths(&report, &self.kept), [KEPT]);
        assert_eq!(paths(&report, &self.tree), [TREE]);
        assert_eq!(paths(&report, &self.packed), ["block/zz.gz", "leaf/zz.gz", "node/zz.gz"]);
        assert!(id_places(&report, &self.name).contains(&(self.name.id.clone(), Part::Name)));
        assert!(id_places(&report, &self.link).contains(&("link".to_owned(), Part::Name)));
        complete(&report);
    }

    fn disk(&self) -> fs::File {
        fs::File::options().read(true).write(true).open(self.path()).unwrap()
    }

    fn bytes<const N: usize>(&self, at: u64) -> [u8; N] {
        let (mut disk, mut bytes) = (self.disk(), [0; N]);
        disk.seek(SeekFrom::Start(at)).unwrap();
        disk.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let mut disk = self.disk();
        disk.seek(SeekFrom::Start(at)).unwrap();
        disk.write_all(bytes).unwrap();
    }

    fn number(&self, at: u64) -> u64 {
        u64::from(u32::from_be_bytes(self.bytes(at)))
    }

    /// Where the inode of a file of that size is.
    fn inode_of(&self, size: u64) -> u64 {
        let inode = u64::from(u16::from_be_bytes(self.bytes(104)));
        let all = fs::read(self.path()).unwrap();
        let is_it = |at: &u64| {
            let bytes = &all[usize::try_from(*at).unwrap()..];
            bytes.starts_with(b"IN\x81") && bytes[56..64] == size.to_be_bytes()
        };
        (0..all.len() as u64).step_by(usize::try_from(inode).unwrap()).find(is_it).unwrap()
    }
}

const KINDS: [(u64, &[&str]); 6] = [
    (400, &[]),
    (410, &["-b", "size=1024"]),
    (420, &["-m", "crc=0"]),
    (430, &["-m", "crc=0", "-n", "ftype=0", "-b", "size=1024"]),
    (440, &["-n", "size=16384", "-d", "agcount=4", "-i", "size=1024"]),
    (450, &["-i", "nrext64=1"]),
];

#[test]
fn a_file_system_of_every_kind_names_its_files() {
    for (number, options) in KINDS {
        Fixture::new(number, options).assert_named();
    }
}

#[test]
fn what_no_file_holds_is_free_space_journal_or_the_file_system() {
    let fixture = Fixture::new(460, &["-d", "agcount=2"]);
    let (block, blocks_a_group) = (fixture.number(4), fixture.number(84));
    let [free, journal, own] = [465, 466, 467].map(key);
    // The last block of the second group is far behind everything; the second sector of a group's head has room at its end.
    fixture.put((blocks_a_group * 2 - 2) * block, free.text().as_bytes());
    let log = u64::from_be_bytes(fixture.bytes(48));
    let group_log = fixture.bytes::<1>(124)[0];
    let log = (log >> group_log) * blocks_a_group + (log & ((1 << group_log) - 1));
    fixture.put((log + 10) * block, journal.text().as_bytes());
    fixture.put(300, own.text().as_bytes());
    let report = report(&fixture.path());
    assert_eq!(paths(&report, &free), ["(free space)"]);
    assert_eq!(paths(&report, &journal), ["(journal)"]);
    assert_eq!(paths(&report, &own), ["(file system)"]);
}

/// Only a file in very many pieces has such a tree, and such a file is made by hand here: its extents are moved into a leaf.
#[test]
fn a_tree_of_extents_is_followed_and_a_broken_one_is_told() {
    for (number, options, magic, header, core) in
        [(470, &[][..], b"BMA3", 72, 176), (480, &["-m", "crc=0"], b"BMAP", 24, 100)]
    {
        let fixture = Fixture::new(number, options);
        let size = fs::metadata(fixture.folder.path().join("tree")).unwrap().len();
        let (inode, block) = (fixture.inode_of(size), fixture.number(4));
        let extent: [u8; 16] = fixture.bytes(inode + core);
        let first = u64::from_be_bytes(extent[..8].try_into().unwrap());
        let second = u64::from_be_bytes(extent[8..].try_into().unwrap());
        // Two extents in the place of one: the first block, and the rest.
        let mut leaf = [magic, &[0, 0, 0, 2][..]].concat();
        leaf.resize(header, 0xff);
        leaf.extend(first.to_be_bytes());
        leaf.extend((second & !0x1f_ffff | 1).to_be_bytes());
        leaf.extend((first + (1 << 9)).to_be_bytes());
        leaf.extend((second + (1 << 21) - 1).to_be_bytes());
        let place = fixture.number(84) - 2;
        fixture.put(place * block, &leaf);
        let fork = match fixture.bytes::<1>(inode + 82)[0] {
            0 => usize::from(u16::from_be_bytes(fixture.bytes(104))) - core as usize,
            eights => usize::from(eights) * 8,
        };
        let mut root = vec![0, 1, 0, 1];
        root.resize(4 + (fork - 4) / 16 * 8, 0);
        root.extend(place.to_be_bytes());
        fixture.put(inode + 5, &[3]);
        fixture.put(inode + core, &root);
        fixture.assert_named();

        fixture.put(place * block, b"none");
        let report = report(&fixture.path());
        assert!(told(&report, Why::Corrupt, "").contains("1 files or folders of its xfs file system"));
        assert_eq!(paths(&report, &fixture.tree), ["(file system)"]);
        assert_eq!(paths(&report, &fixture.kept), [KEPT], "the others have names all the same");
    }
}

/// Each node leads to the one below with all its pointers, and there is nothing in the leaf: 251^6 blocks.
#[test]
fn a_tree_that_grows_without_end_is_left() {
    let fixture = Fixture::new(485, &[]);
    let size = fs::metadata(fixture.folder.path().join("tree")).unwrap().len();
    let (inode, block) = (fixture.inode_of(size), fixture.number(4));
    let room = (usize::try_from(block).unwrap() - 72) / 16;
    let first = fixture.number(84) - 10;
    for level in 0..6u16 {
        let count = if level == 0 { 0 } else { room as u16 };
        let mut node = [&b"BMA3"[..], &level.to_be_bytes(), &count.to_be_bytes()].concat();
        node.resize(72 + room * 8, 0xff);
        // The pointers stand behind the keys.
        node.extend((first + u64::from(level.saturating_sub(1))).to_be_bytes().repeat(if level == 0 {
            0
        } else {
            room
        }));
        fixture.put((first + u64::from(level)) * block, &node);
    }
    let fork = 512 - 176;
    let mut root = vec![0, 6, 0, 1];
    root.resize(4 + (fork - 4) / 16 * 8, 0);
    root.extend((first + 5).to_be_bytes());
    fixture.put(inode + 5, &[3]);
    fixture.put(inode + 82, &[0]);
    fixture.put(inode + 176, &root);
    let report = report(&fixture.path());
    assert!(told(&report, Why::Corrupt, "").contains("1 files or folders"));
    assert_eq!(paths(&report, &fixture.kept), [KEPT]);
}

#[test]
fn a_feature_that_is_not_known_is_told() {
    let fixture = Fixture::new(490, &[]);
    fixture.put(216, &(1u32 << 20 | 3).to_be_bytes());
    let report = report(&fixture.path());
    assert!(told(&report, Why::Unsupported, "").contains("features that akia does not know"));
    assert_eq!(paths(&report, &fixture.kept), [""]);
}

#[test]
fn flipped_bytes_panic_nowhere() {
    for (number, options) in [(500, &[][..]), (510, &["-m", "crc=0", "-b", "size=1024"])] {
        let fixture = Fixture::new(number, options);
        let mut random = fastrand::Rng::with_seed(number);
        let whole = fs::read(fixture.path()).unwrap();
        // The head of the file system, inodes and folders: what is not zero and not the text of a file.
        let is_meta = |at: &usize| whole[*at] != 0 && whole[*at] != b'#';
        let places: Vec<usize> = (0..whole.len()).filter(is_meta).collect();
        for turn in 0..40 {
            let mut undo = Vec::new();
            for _ in 0..random.usize(1..20) {
                // The head is small, and half of all is there.
                let at = if turn % 2 == 0 { random.usize(..272) } else { places[random.usize(..places.len())] };
                undo.push((at as u64, whole[at]));
                fixture.put(at as u64, &[random.u8(..)]);
            }
            let begun = std::time::Instant::now();
            report(&fixture.path());
            assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
            for (at, byte) in undo {
                fixture.put(at, &[byte]);
            }
        }
    }
}
