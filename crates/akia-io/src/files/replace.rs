//! Replacing a file as a whole, and rehearsing it.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::target::Target;
use super::{Act, FileError, LateBytes, MAX_FILE_BYTES, act, open, platform, read_limited, read_open};
use crate::state::{Lock, StateFolder};

/// How long a write waits for another akia that writes to the same file. Each write takes milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How often, and at which distance, a writer that was seen at work is looked at until it has finished.
const LATE_WRITE_ROUNDS: u32 = 20;
const LATE_WRITE_PAUSE: Duration = Duration::from_millis(10);
/// How much more than the file holds now must fit onto the disk, in bytes.
const SLACK_BYTES: u64 = 16 * 1024;
/// Names of our temporary files: this, 32 hexadecimal digits, [`SUFFIX`].
const PREFIX: &str = ".akia-";
const SUFFIX: &str = ".tmp";

/// What is worth knowing about a file that can be, or was, replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The file itself, behind all symlinks.
    pub path: PathBuf,
    /// Its permission bits where group or others may read or write it: they are kept, and the user should hear of it.
    pub loose_mode: Option<u32>,
}

impl Prepared {
    fn of(target: &Target) -> Self {
        let mode = target.metadata.as_ref().and_then(platform::mode);
        Self { path: target.path.clone(), loose_mode: mode.filter(|mode| mode & 0o077 != 0) }
    }
}

/// Goes through everything that [`FileLock::replace`] would do, but for the file itself: finds read-only files and folders,
/// full disks, mount points and files of others before a key exists. Leaves nothing behind.
pub fn rehearse(path: &Path) -> Result<Prepared, FileError> {
    let target = Target::find(path)?;
    let folder = target.existing_folder();
    sweep(folder);
    let size = target.metadata.as_ref().map_or(0, Metadata::len) + SLACK_BYTES;
    let mut scratch = Scratch::create(folder, target.metadata.as_ref())?;
    scratch.fill(&vec![b'#'; usize::try_from(size).unwrap_or(usize::MAX)])?;
    // A rename in this folder is part of the rehearsal: some file systems write, but do not rename.
    let second = scratch_path(folder)?;
    act(Act::Rename, &second, || fs::rename(&scratch.path, &second))
        .map_err(|source| FileError::from_io("rename a file beside", path, source))?;
    scratch.path = second;
    scratch.remove()?;
    act(Act::SyncFolder, folder, || platform::sync_folder(folder))
        .map_err(|source| FileError::from_io("sync the folder of", path, source))?;
    Ok(Prepared::of(&target))
}

/// Locks a file against every other akia that uses the same state folder, for reading, editing and replacing it.
/// Blocks while another holds it, for 20 seconds at most.
pub fn lock(state: &StateFolder, path: &Path) -> Result<FileLock, FileError> {
    let target = Target::find(path)?;
    let lock = state.lock_within(&format!("file {}", target.path.display()), LOCK_PATIENCE)?;
    Ok(FileLock { named: path.to_owned(), path: target.path, _lock: lock })
}

/// A file that no other akia writes to while this lives.
#[derive(Debug)]
pub struct FileLock {
    /// As the caller named it.
    named: PathBuf,
    /// Behind all symlinks.
    path: PathBuf,
    _lock: Lock,
}

impl FileLock {
    /// The bytes now, or `None` where there is no file.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        read_limited(&self.path, MAX_FILE_BYTES)
    }

    /// Replaces the bytes of the file, or creates it with mode 0600 (and its folder with 0700).
    ///
    /// `expected` is what the caller has read: `None` where there was no file. Other bytes give [`FileError::Changed`].
    /// Mode and owner are kept, symlinks are followed, the bytes are durable and read back when this returns.
    pub fn replace(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<Prepared, FileError> {
        if new.len() as u64 > MAX_FILE_BYTES {
            return Err(FileError::TooLarge { path: self.path.clone(), limit: MAX_FILE_BYTES });
        }
        let target = Target::find(&self.named)?;
        let changed = || FileError::Changed { path: self.path.clone() };
        // A symlink that was turned since the lock was taken leads to a file that is not locked.
        if target.path != self.path {
            return Err(changed());
        }
        let io = |doing| move |source| FileError::from_io(doing, &self.path, source);
        platform::create_private_folder(&target.folder).map_err(io("create the folder of"))?;
        sweep(&target.folder);
        let scratch = Scratch::create(&target.folder, target.metadata.as_ref())?;
        scratch.fill(new)?;
        let old = open(&self.path)?;
        if bytes_of(old.as_ref(), &self.path)?.as_deref().map(Vec::as_slice) != expected {
            return Err(changed());
        }
        scratch.rename_onto(&target.path)?;
        act(Act::SyncFolder, &target.folder, || platform::sync_folder(&target.folder))
            .map_err(|source| self.not_durable(source))?;
        if let (Some(old), Some(expected)) = (&old, expected)
            && let Some(theirs) = late_write(old, &self.path, expected)?
        {
            return Err(FileError::Overtaken { path: self.path.clone(), theirs });
        }
        if self.read()?.as_deref().map(Vec::as_slice) != Some(new) {
            return Err(FileError::ReadBack { path: self.path.clone() });
        }
        Ok(Prepared::of(&target))
    }

    /// Makes durable what stands there now: who has written it may have died, or seen the disk fail, before that.
    pub fn settle(&self) -> Result<(), FileError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let settled =
            File::open(&self.path).and_then(|file| file.sync_all()).and_then(|()| platform::sync_folder(folder));
        settled.map_err(|source| self.not_durable(source))
    }

    fn not_durable(&self, source: io::Error) -> FileError {
        FileError::NotDurable { path: self.path.clone(), source }
    }
}

fn bytes_of(file: Option<&File>, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    file.map_or(Ok(None), |file| read_open(file, path, MAX_FILE_BYTES))
}

/// What somebody has written into the old file since it was compared. The AWS CLI opens a file with truncation and
/// then writes it whole, so an empty file means that more is to come.
fn late_write(old: &File, path: &Path, expected: &[u8]) -> Result<Option<LateBytes>, FileError> {
    let read = || Ok::<_, FileError>(bytes_of(Some(old), path)?.unwrap_or_default());
    let mut seen = read()?;
    if seen.as_slice() == expected {
        return Ok(None);
    }
    for _ in 0..LATE_WRITE_ROUNDS {
        super::pause(LATE_WRITE_PAUSE);
        let now = read()?;
        if !now.is_empty() && now == seen {
            return Ok(Some(LateBytes(now)));
        }
        seen = now;
    }
    // Nothing came of it: whoever emptied the file has died, and what it meant to write is not known.
    Ok(None)
}

/// A temporary file beside the target. It holds a lock on itself while its process lives, so that [`sweep`] can tell
/// what a dead process has left behind.
struct Scratch {
    path: PathBuf,
    file: File,
    /// Whether the file is still there under `path`, to be removed when something fails.
    present: bool,
}

impl Scratch {
    /// Creates it empty, with the owner and the mode of the model, else 0600.
    fn create(folder: &Path, model: Option<&Metadata>) -> Result<Self, FileError> {
        // A sweeper may remove the file between its creation and its locking: then another name is tried.
        for _ in 0..16 {
            let path = scratch_path(folder)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            platform::private(&mut options);
            let file = match act(Act::Create, &path, || options.open(&path)) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(FileError::from_io("create a file in", folder, error)),
            };
            let scratch = Self { path, file, present: true };
            match scratch.file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                // Some network file systems have no locks; nobody sweeps there either.
                Err(TryLockError::Error(_)) => {}
            }
            let created = scratch.file.metadata().map_err(|error| scratch.error("look at", error))?;
            if platform::links(&created) == 0 {
                continue;
            }
            scratch.take_after(model)?;
            return Ok(scratch);
        }
        Err(FileError::from_io("create a file in", folder, ErrorKind::AlreadyExists.into()))
    }

    fn take_after(&self, model: Option<&Metadata>) -> Result<(), FileError> {
        let mode = match model {
            None => 0o600,
            Some(model) => {
                platform::keep_owner(&self.file, model).map_err(|source| FileError::Owner {
                    path: self.path.clone(),
                    owner: platform::owner(model).unwrap_or_default(),
                    source,
                })?;
                platform::mode(model).unwrap_or(0o600) & 0o777
            }
        };
        act(Act::SetMode, &self.path, || platform::set_mode(&self.file, mode))
            .map_err(|error| self.error("set the mode of", error))
    }

    fn fill(&self, bytes: &[u8]) -> Result<(), FileError> {
        act(Act::Write, &self.path, || (&self.file).write_all(bytes)).map_err(|error| self.error("write", error))?;
        act(Act::Sync, &self.path, || self.file.sync_all()).map_err(|error| self.error("sync", error))
    }

    fn rename_onto(mut self, path: &Path) -> Result<(), FileError> {
        act(Act::Rename, path, || fs::rename(&self.path, path)).map_err(|source| match source.kind() {
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => FileError::MountPoint { path: path.to_owned() },
            _ => FileError::from_io("replace", path, source),
        })?;
        self.present = false;
        Ok(())
    }

    fn remove(mut self) -> Result<(), FileError> {
        self.present = false;
        act(Act::Remove, &self.path, || fs::remove_file(&self.path)).map_err(|error| self.error("remove", error))
    }

    fn error(&self, doing: &'static str, source: io::Error) -> FileError {
        FileError::from_io(doing, &self.path, source)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A courtesy to the user: what stays behind in spite of it is swept by the next run.
        if self.present {
            let _ = act(Act::Remove, &self.path, || fs::remove_file(&self.path));
        }
    }
}

fn scratch_path(folder: &Path) -> Result<PathBuf, FileError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| FileError::Io {
        doing: "draw a name for a temporary file in",
        path: folder.to_owned(),
        source: io::Error::other(error.to_string()),
    })?;
    Ok(folder.join(format!("{PREFIX}{}{SUFFIX}", data_encoding::HEXLOWER.encode(&random))))
}

/// Removes the temporary files that dead processes of ours have left in a folder. A failure is no reason to stop:
/// the next run tries again.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        if !ours.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            continue;
        }
        if let Err(error) = sweep_one(&entry.path()) {
            tracing::debug!(path = %entry.path().display(), %error, "a stale temporary file stays");
        }
    }
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.read(true);
    platform::nonblocking(&mut options);
    let file = options.open(path)?;
    if !platform::same_file(&metadata, &file.metadata()?) || file.try_lock().is_err() {
        return Ok(());
    }
    act(Act::Remove, path, || fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The AWS CLI's way: open with truncation, then one write, through a handle from before the rename.
    #[test]
    fn a_write_into_the_replaced_file_is_waited_for_and_handed_over() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        fs::write(&path, "old").unwrap();
        let old = File::open(&path).unwrap();
        let mut theirs = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(late_write(&old, &path, b"old").unwrap().is_none());
        theirs.set_len(0).unwrap();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            theirs.write_all(b"theirs").unwrap();
        });
        assert_eq!(late_write(&old, &path, b"old").unwrap().unwrap().0.as_slice(), b"theirs");
        writer.join().unwrap();
        // A program that emptied the file and died has written nothing that could be kept.
        fs::write(&path, "").unwrap();
        assert!(late_write(&old, &path, b"old").unwrap().is_none());
    }
}
