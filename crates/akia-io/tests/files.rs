//! Replacing files: whole, durable, refused where it would lose something, and never a mix after a kill.
//!
//! What root would be allowed to do, and what needs a full or read-only disk, runs in a child process: as nobody
//! through `setpriv`, or in a mount namespace of its own through `unshare`. A test fails when it cannot run.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use akia_io::files::{FileError, MAX_FILE_BYTES, Prepared, lock, read_limited, rehearse};
use akia_io::state::{LockError, StateError, StateFolder};

struct Fixture {
    temporary: tempfile::TempDir,
    state: StateFolder,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&temporary.path().join("state")).unwrap();
        Self { temporary, state }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn replace(&self, path: &Path, expected: &str, new: &str) -> Result<(), FileError> {
        replace(&self.state, path, Some(expected.as_bytes()), new.as_bytes()).map(|_| ())
    }
}

fn replace(state: &StateFolder, path: &Path, expected: Option<&[u8]>, new: &[u8]) -> Result<Prepared, FileError> {
    lock(state, path)?.replace(expected, new)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_0600_in_a_0700_folder_whatever_the_umask() {
    if std::env::var_os(FOLDER).is_none() {
        let command = ["sh", "-c", "umask 000; exec \"$0\" \"$@\""];
        return child_with("a_new_file_is_0600_in_a_0700_folder_whatever_the_umask", &command, Path::new("/"));
    }
    let fixture = Fixture::new();
    let path = fixture.path("home/.aws/credentials");
    rehearse(&path).unwrap();
    assert!(!fixture.path("home").exists(), "a rehearsal leaves nothing behind");
    replace(&fixture.state, &path, None, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(fixture.state.path()), 0o700);
    // A second time there is a file, which is not what was expected.
    assert!(matches!(replace(&fixture.state, &path, None, b"other"), Err(FileError::Changed { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn mode_is_kept_and_a_loose_one_is_told() {
    let fixture = Fixture::new();
    for (bits, loose) in [(0o600, None), (0o640, Some(0o640)), (0o644, Some(0o644)), (0o700, None)] {
        let path = fixture.write("aws/file", "old", bits);
        let rehearsed = rehearse(&path).unwrap();
        let done = replace(&fixture.state, &path, Some(b"old"), b"new").unwrap();
        assert_eq!((rehearsed.loose_mode, done.loose_mode), (loose, loose));
        assert_eq!(mode(&path), bits);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(&fixture.path("aws")), ["file"]);
    }
}

#[test]
fn owner_and_group_are_kept() {
    if !as_root() {
        return child("owner_and_group_are_kept", &["unshare", "--user", "--map-auto", "--map-root-user"]);
    }
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o640);
    std::os::unix::fs::chown(&path, Some(1), Some(2)).unwrap();
    fixture.replace(&path, "old", "new").unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (1, 2, 0o640));
}

#[test]
fn changed_bytes_are_never_overwritten() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "theirs", 0o600);
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::Changed { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    fs::remove_file(&path).unwrap();
    assert!(matches!(fixture.replace(&path, "theirs", "new"), Err(FileError::Changed { .. })));
    assert_eq!(names(&fixture.path("aws")), [""; 0]);
}

#[test]
fn symlinks_are_followed_and_stay() {
    let fixture = Fixture::new();
    let real = fixture.write("dotfiles/aws/credentials", "old", 0o600);
    fs::create_dir(fixture.path("aws")).unwrap();
    symlink("../dotfiles/aws/credentials", fixture.path("aws/one")).unwrap();
    symlink("one", fixture.path("aws/two")).unwrap();
    symlink(fixture.path("aws"), fixture.path("folder")).unwrap();
    let named = fixture.path("folder/two");
    assert_eq!(rehearse(&named).unwrap().path, real.canonicalize().unwrap());
    fixture.replace(&named, "old", "new").unwrap();
    assert_eq!(fs::read(&real).unwrap(), b"new");
    assert!(fs::symlink_metadata(fixture.path("aws/one")).unwrap().is_symlink());
    assert_eq!(names(&fixture.path("dotfiles/aws")), ["credentials"]);
    assert_eq!(names(&fixture.path("aws")), ["one", "two"]);
}

#[test]
fn links_that_lead_nowhere_are_refused_and_read_as_absent() {
    let fixture = Fixture::new();
    let (dangling, round) = (fixture.path("dangling"), fixture.path("round"));
    symlink("/nonexistent/credentials", &dangling).unwrap();
    symlink("round", &round).unwrap();
    match replace(&fixture.state, &dangling, None, b"new") {
        Err(error @ FileError::DanglingLink { .. }) => {
            assert!(
                error
                    .to_string()
                    .ends_with("dangling is a symbolic link to /nonexistent/credentials, which does not exist")
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(rehearse(&dangling), Err(FileError::DanglingLink { .. })));
    assert!(matches!(rehearse(&dangling.join("credentials")), Err(FileError::DanglingLink { .. })));
    assert_eq!(read_limited(&dangling, 10).unwrap(), None);
    assert!(matches!(rehearse(&round), Err(FileError::LinkLoop { .. })));
    assert!(matches!(replace(&fixture.state, &round, None, b"new"), Err(FileError::LinkLoop { .. })));
    assert!(matches!(read_limited(&round, 10), Err(FileError::LinkLoop { .. })));
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(fixture.path("pipe")).status().unwrap().success());
    for path in [fixture.path("folder"), fixture.path("pipe"), PathBuf::from("/dev/zero"), PathBuf::from("/dev/null")] {
        assert!(matches!(rehearse(&path), Err(FileError::NotAFile { .. })), "{}", path.display());
    }
    // Reading a pipe must not wait for a writer.
    assert!(matches!(read_limited(&fixture.path("pipe"), 10), Err(FileError::NotAFile { .. })));
    assert!(matches!(read_limited(&fixture.path("folder"), 10), Err(FileError::NotAFile { .. })));
    assert_eq!(read_limited(Path::new("/dev/null"), 10).unwrap(), None);
    let file = fixture.write("file", "x", 0o600);
    assert!(rehearse(&file.join("below")).is_err());
}

#[test]
fn hard_links_are_refused() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o600);
    fs::hard_link(&path, fixture.path("aws/other")).unwrap();
    assert!(matches!(rehearse(&path), Err(FileError::HardLinked { links: 2, .. })));
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::HardLinked { links: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&fixture.path("aws")), ["file", "other"]);
}

#[test]
fn a_write_protected_file_is_refused_even_to_root() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o444);
    assert!(matches!(rehearse(&path), Err(FileError::WriteProtected { mode: 0o444, .. })));
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::WriteProtected { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn sizes_have_a_limit() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "12345", 0o600);
    assert_eq!(*read_limited(&path, 5).unwrap().unwrap(), b"12345");
    assert!(matches!(read_limited(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
    // Ten megabytes are fine.
    let large = vec![b'x'; 10 * 1024 * 1024];
    replace(&fixture.state, &path, Some(b"12345"), &large).unwrap();
    rehearse(&path).unwrap();
    assert_eq!(lock(&fixture.state, &path).unwrap().read().unwrap().as_deref(), Some(&large));
    fs::File::options().write(true).open(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(matches!(rehearse(&path), Err(FileError::TooLarge { .. })));
}

#[test]
fn what_a_dead_process_left_is_swept_and_what_a_live_one_uses_is_not() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o600);
    let stale = fixture.write("aws/.akia-0123456789abcdef0123456789abcdef.tmp", "secret", 0o600);
    let live = fixture.write("aws/.akia-00000000000000000000000000000000.tmp", "secret", 0o600);
    let held = fs::File::open(&live).unwrap();
    held.lock().unwrap();
    let foreign = fixture.write("aws/.akia-notes.tmp", "not ours", 0o600);
    rehearse(&path).unwrap();
    assert!(!stale.exists());
    assert!(live.exists() && foreign.exists());
    drop(held);
    fixture.replace(&path, "old", "new").unwrap();
    assert_eq!(names(&fixture.path("aws")), [".akia-notes.tmp", "file"]);
}

#[test]
fn a_file_lock_held_elsewhere_names_its_holder() {
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o600);
    let held = lock(&fixture.state, &path).unwrap();
    // Through another name it is the same file.
    symlink("file", fixture.path("aws/link")).unwrap();
    let name = format!("file {}", path.canonicalize().unwrap().display());
    match fixture.state.lock_within(&name, Duration::from_millis(30)) {
        Err(LockError::Held { holder, .. }) => assert_eq!(holder.pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(held);
    lock(&fixture.state, &fixture.path("aws/link")).unwrap();
}

#[test]
fn a_state_folder_that_others_can_write_to_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.path("loose");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(StateFolder::open(&path), Err(StateError::Writable { mode: 0o770, .. })));
    // A link to it is no way around.
    symlink(&path, fixture.path("link")).unwrap();
    assert!(matches!(StateFolder::existing(&fixture.path("link")), Err(StateError::Writable { .. })));
    assert!(matches!(StateFolder::open(&fixture.write("file", "", 0o600)), Err(StateError::NotAFolder { .. })));
    symlink("/nonexistent/folder", fixture.path("dangling")).unwrap();
    assert!(StateFolder::existing(&fixture.path("dangling")).is_err());
    if as_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(StateFolder::open(&path), Err(StateError::Foreign { owner: 65534, .. })));
    }
}

#[test]
fn no_permission_is_found_by_the_rehearsal() {
    if as_root() {
        return child(
            "no_permission_is_found_by_the_rehearsal",
            &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        );
    }
    let fixture = Fixture::new();
    let path = fixture.write("aws/file", "old", 0o600);
    fs::set_permissions(fixture.path("aws"), fs::Permissions::from_mode(0o500)).unwrap();
    assert!(matches!(rehearse(&path), Err(FileError::Denied { .. })));
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::Denied { .. })));
    assert!(matches!(rehearse(&fixture.path("aws/new")), Err(FileError::Denied { .. })));
    assert!(matches!(rehearse(&fixture.path("aws/below/new")), Err(FileError::Denied { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&fixture.path("aws")), ["file"]);
    fs::set_permissions(fixture.path("aws"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o200)).unwrap();
    assert!(matches!(read_limited(&path, 10), Err(FileError::Denied { .. })));
    assert!(matches!(StateFolder::open(Path::new("/proc/akia")), Err(StateError::Io { .. })));
}

#[test]
fn the_file_of_another_is_refused_where_its_owner_cannot_be_kept() {
    let name = "the_file_of_another_is_refused_where_its_owner_cannot_be_kept";
    if as_root() {
        // A file of root in a folder that nobody owns: renaming onto it would be allowed.
        let temporary = tempfile::tempdir().unwrap();
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = temporary.path().join("aws");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "old").unwrap();
        fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
        let command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        return child_with(name, &command, &folder);
    }
    // Without root the file is root's by nature: /etc/hostname, whose folder denies already.
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        assert!(matches!(rehearse(Path::new("/etc/passwd")), Err(FileError::Denied { .. })));
        return;
    };
    let fixture = Fixture::new();
    let path = folder.join("file");
    assert!(matches!(rehearse(&path), Err(FileError::Owner { owner: 0, .. })));
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::Owner { owner: 0, .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["file"]);
}

#[test]
fn full_read_only_and_mounted_are_found_by_the_rehearsal() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        let temporary = tempfile::tempdir().unwrap();
        let command: &[&str] =
            if as_root() { &["unshare", "--mount"] } else { &["unshare", "--user", "--map-root-user", "--mount"] };
        return child_with("full_read_only_and_mounted_are_found_by_the_rehearsal", command, temporary.path());
    };
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", &text(&folder)]);
    let fixture = Fixture::new();
    let path = folder.join("file");
    fs::write(&path, "old").unwrap();

    // A disk with a page left: the file itself would fit, a new one with some slack does not.
    let filler = folder.join("filler");
    let free = rustix::fs::statvfs(&folder).unwrap();
    fs::write(&filler, vec![b'x'; usize::try_from((free.f_bavail - 1) * free.f_frsize).unwrap()]).unwrap();
    assert!(matches!(rehearse(&path), Err(FileError::NoSpace { .. })));
    let large = "n".repeat(8192);
    assert!(matches!(fixture.replace(&path, "old", &large), Err(FileError::NoSpace { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["file", "filler"]);
    fs::remove_file(&filler).unwrap();
    rehearse(&path).unwrap();

    // A file mounted by itself, even from the same file system.
    let (source, target) = (folder.join("source"), folder.join("target"));
    fs::write(&source, "old").unwrap();
    fs::write(&target, "").unwrap();
    run("mount", &["--bind", &text(&source), &text(&target)]);
    assert!(matches!(rehearse(&target), Err(FileError::MountPoint { .. })));
    assert!(matches!(fixture.replace(&target, "old", "new"), Err(FileError::MountPoint { .. })));
    assert_eq!(fs::read(&target).unwrap(), b"old");
    run("umount", &[&text(&target)]);

    run("mount", &["-o", "remount,ro", &text(&folder)]);
    assert!(matches!(rehearse(&path), Err(FileError::ReadOnly { .. })));
    assert!(matches!(fixture.replace(&path, "old", "new"), Err(FileError::ReadOnly { .. })));
    assert!(matches!(rehearse(&folder.join("new")), Err(FileError::ReadOnly { .. })));
    assert_eq!(names(&folder), ["file", "source", "target"]);
}

#[test]
fn an_immutable_file_is_found_by_the_rehearsal() {
    if !as_root() {
        // Only root may set the attribute, in no namespace; nothing else can show the refusal truly.
        assert!(!Command::new("chattr").arg("+i").arg("/etc/passwd").stderr(Stdio::null()).status().unwrap().success());
        return;
    }
    // tmpfs has no attributes on older kernels: the build folder is on a disk.
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = temporary.path().join("file");
    fs::write(&path, "old").unwrap();
    let chattr = |change: &str| assert!(Command::new("chattr").arg(change).arg(&path).status().unwrap().success());
    chattr("+i");
    let refused = rehearse(&path);
    chattr("-i");
    assert!(matches!(refused, Err(FileError::Immutable { .. })), "{refused:?}");
    rehearse(&path).unwrap();
}

/// Two sizes, so that a mix would differ from both.
const OLD: (u8, usize) = (b'o', 300_000);
const NEW: (u8, usize) = (b'n', 200_000);

#[test]
fn a_kill_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let bytes = |(byte, length): (u8, usize)| vec![byte; length];
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let state = StateFolder::open(&folder.join("state")).unwrap();
        let path = folder.join("aws/file");
        loop {
            let held = lock(&state, &path).unwrap();
            let now = held.read().unwrap().unwrap();
            let next = if *now == bytes(OLD) { bytes(NEW) } else { bytes(OLD) };
            held.replace(Some(&now), &next).unwrap();
        }
    }
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (folder, path) = (temporary.path(), temporary.path().join("aws/file"));
    fs::create_dir(folder.join("aws")).unwrap();
    fs::write(&path, bytes(OLD)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let whole = |moment: &str| {
        let now = fs::read(&path).unwrap();
        assert!(now == bytes(OLD) || now == bytes(NEW), "{moment}: {} bytes of neither", now.len());
        now
    };
    let (mut left_behind, mut seen_new) = (0, 0);
    // A busy machine is given more rounds, and longer ones, to get to the middle of a replacement.
    for round in 0..1_200_u64 {
        if round >= 120 && left_behind > 0 && seen_new > 0 {
            break;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_kill_at_any_moment_leaves_the_old_file_or_the_new_one"])
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(8_000 + round % 240 * 97 * (1 + round / 240)));
        whole("while it runs");
        child.kill().unwrap();
        child.wait().unwrap();
        seen_new += u32::from(whole("after the kill") == bytes(NEW));
        for name in names(&folder.join("aws")).iter().filter(|name| *name != "file") {
            assert!(name.starts_with(".akia-"), "{name}");
            assert_eq!(mode(&folder.join("aws").join(name)), 0o600);
            left_behind += 1;
        }
    }
    // The kills truly came in the middle, and the next run cleans up.
    assert!(left_behind > 0 && seen_new > 0, "left behind {left_behind}, new {seen_new}");
    rehearse(&path).unwrap();
    assert_eq!(names(&folder.join("aws")), ["file"]);
}

#[test]
fn readers_never_see_a_mix_while_it_is_replaced() {
    let fixture = Fixture::new();
    let (one, two) = ("1".repeat(100_000), "2".repeat(50_000));
    let path = fixture.write("aws/file", &one, 0o600);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !stop.load(Ordering::Relaxed) {
                let now = fs::read_to_string(&path).unwrap();
                assert!(now == one || now == two, "{} bytes of neither", now.len());
                reads += 1;
            }
            reads
        });
        for _ in 0..50 {
            fixture.replace(&path, &one, &two).unwrap();
            fixture.replace(&path, &two, &one).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 10);
    });
}

/// Tells a child process that it is one, and where to work.
const FOLDER: &str = "AKIA_TEST_FOLDER";

fn as_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs one test of this file again under another command, and fails when it fails or does not run.
fn child(test: &str, command: &[&str]) {
    run_child(test, command, None);
}

fn child_with(test: &str, command: &[&str], folder: &Path) {
    run_child(test, command, Some(folder));
}

fn run_child(test: &str, command: &[&str], folder: Option<&Path>) {
    // A copy, because nobody may not be allowed to look into the build folder.
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = temporary.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(command[0]);
    child.args(&command[1..]).arg(&program).args(["--exact", test, "--nocapture"]).env("TMPDIR", "/tmp");
    if let Some(folder) = folder {
        child.env(FOLDER, folder);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{command:?} {test}:\n{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
