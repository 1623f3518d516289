//! The state folder: where the journal, the sealing key and the locks live.
//!
//! Invariant: a [`StateFolder`] is a folder that belongs to us and that nobody else can write to. Whoever could
//! write there could make akia delete keys or read staged secrets, so a folder that fails the check is refused,
//! never repaired behind the owner's back.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::files::{Act, act, platform};

/// A checked state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder {
    path: PathBuf,
}

/// Why a folder cannot hold akia's state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither `AKIA_STATE_DIR` nor `XDG_STATE_HOME` nor `HOME` is set.
    #[error("no state folder: neither AKIA_STATE_DIR nor XDG_STATE_HOME nor HOME is set")]
    Nowhere,
    /// The path leads to something that is not a folder.
    #[error("the state folder {path} is not a folder")]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("the state folder {path} belongs to user id {owner}, and akia runs as user id {us}")]
    Foreign {
        /// The folder or the file in it.
        path: PathBuf,
        /// User id of its owner.
        owner: u32,
        /// Our effective user id.
        us: u32,
    },
    /// Group or others may write to it.
    #[error("others can write to {path} (mode {mode:04o})")]
    Writable {
        /// The folder or the file in it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refused something.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl StateError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Nowhere => "set AKIA_STATE_DIR to a folder of yours".into(),
            Self::NotAFolder { .. } => "move it away, or set AKIA_STATE_DIR to a folder of yours".into(),
            Self::Foreign { .. } => {
                "run akia as the user who owns the folder (under sudo, without -E), or set AKIA_STATE_DIR".into()
            }
            Self::Writable { path, .. } => format!("look at who wrote there, then chmod go-w '{}'", path.display()),
            Self::Io { .. } => "make the folder writable for you, or set AKIA_STATE_DIR to another".into(),
        }
    }
}

impl StateFolder {
    /// Where the state folder is, whether or not it exists: `AKIA_STATE_DIR`, else `$XDG_STATE_HOME/akia`, else
    /// `~/.local/state/akia` (on macOS `~/Library/Application Support/akia`).
    pub fn locate(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StateError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = set("AKIA_STATE_DIR") {
            return Ok(folder);
        }
        // The XDG specification has relative values ignored.
        if let Some(base) = set("XDG_STATE_HOME").filter(|base| base.is_absolute()) {
            return Ok(base.join("akia"));
        }
        if cfg!(windows)
            && let Some(base) = set("LOCALAPPDATA")
        {
            return Ok(base.join("akia"));
        }
        let home = set("HOME").or_else(|| set("USERPROFILE")).ok_or(StateError::Nowhere)?;
        let below = if cfg!(target_os = "macos") { "Library/Application Support/akia" } else { ".local/state/akia" };
        Ok(home.join(below))
    }

    /// Opens the folder, creating it with mode 0700 whatever the umask.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = Self::existing(path)? {
            return Ok(folder);
        }
        let io = |doing, source| StateError::Io { doing, path: path.to_owned(), source };
        platform::create_private_folder(path).map_err(|source| io("create the state folder", source))?;
        Self::existing(path)?.ok_or_else(|| io("find the state folder", io::ErrorKind::NotFound.into()))
    }

    /// Opens the folder if there is one, and creates nothing.
    pub fn existing(path: &Path) -> Result<Option<Self>, StateError> {
        // Following a symlink is fine as long as its target passes the check; the checked path is what is used.
        let canonical = match fs::canonicalize(path) {
            Ok(canonical) => canonical,
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(None);
            }
            Err(source) => {
                return Err(StateError::Io { doing: "open the state folder", path: path.to_owned(), source });
            }
        };
        let metadata = fs::metadata(&canonical).map_err(|source| StateError::Io {
            doing: "look at the state folder",
            path: canonical.clone(),
            source,
        })?;
        if !metadata.is_dir() {
            return Err(StateError::NotAFolder { path: path.to_owned() });
        }
        refuse_unsafe(&canonical, &metadata)?;
        Ok(Some(Self { path: canonical }))
    }

    /// The folder, with symlinks resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock of that name, or says who holds it.
    pub fn lock(&self, name: &str) -> Result<Lock, LockError> {
        let folder = self.path.join("locks");
        let path = folder.join(format!("{}.lock", file_name_of(name)));
        let io = |doing, source| LockError::Io { doing, path: path.clone(), source };
        platform::create_private_folder(&folder).map_err(|source| io("create the folder of", source))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        platform::private(&mut options);
        let mut file = act(Act::Lock, &path, || options.open(&path)).map_err(|source| io("open", source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The note is only for the message: without it the holder stays unnamed.
                let _ = (&mut file).take(200).read_to_string(&mut text);
                return Err(LockError::Held { name: name.to_owned(), holder: Holder::parse(&text) });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", source)),
        }
        let note = format!("{}\n{}\n", std::process::id(), jiff::Timestamp::now());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .map_err(|source| io("write our name into", source))?;
        Ok(Lock::held_by(file))
    }

    /// Takes the lock of that name, waiting at most `patience` for its holder. Blocks the thread.
    pub fn lock_within(&self, name: &str, patience: Duration) -> Result<Lock, LockError> {
        let started = Instant::now();
        loop {
            match self.lock(name) {
                Err(LockError::Held { .. }) if started.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => return other,
            }
        }
    }
}

/// A lock held by this process. The system gives it back when the process dies, however it dies, so a stale lock
/// file never blocks anybody; a server gives it back when the connection ends.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn std::fmt::Debug + Send + Sync>,
}

impl Lock {
    /// A lock that is held as long as this is not dropped.
    pub(crate) fn held_by(held: impl std::fmt::Debug + Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// Who holds a lock, as far as its note tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// The machine, where it may be another one.
    pub host: Option<String>,
    /// Process id.
    pub pid: Option<u32>,
    /// When the lock was taken.
    pub since: Option<jiff::Timestamp>,
}

impl Holder {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        Self {
            host: None,
            pid: lines.next().and_then(|line| line.parse().ok()),
            since: lines.next().and_then(|line| line.parse().ok()),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(formatter, "process {pid}")?,
            None => formatter.write_str("another process")?,
        }
        if let Some(host) = &self.host {
            write!(formatter, " on {host}")?;
        }
        match (self.pid, self.since) {
            (Some(_), Some(since)) => write!(formatter, ", since {since}"),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{name} is locked by {holder}")]
    Held {
        /// What is locked.
        name: String,
        /// By whom.
        holder: Holder,
    },
    /// The database that keeps the locks failed.
    #[error("the lock {name} cannot be taken: {error}")]
    Store {
        /// What was to be locked.
        name: String,
        /// What the database said.
        error: std::sync::Arc<crate::store::StoreError>,
    },
    /// The system refused something.
    #[error("cannot {doing} the lock file {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Refuses what belongs to somebody else or can be written to by others.
pub(crate) fn refuse_unsafe(path: &Path, metadata: &fs::Metadata) -> Result<(), StateError> {
    if let (Some(owner), Some(us)) = (platform::owner(metadata), platform::effective_user())
        && owner != us
    {
        return Err(StateError::Foreign { path: path.to_owned(), owner, us });
    }
    match platform::mode(metadata) {
        Some(mode) if mode & 0o022 != 0 => Err(StateError::Writable { path: path.to_owned(), mode }),
        _ => Ok(()),
    }
}

/// A file name for any lock name: readable where it can be, and distinct for distinct names.
fn file_name_of(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 100 && name.chars().all(safe) && !name.starts_with('.') {
        return name.to_owned();
    }
    let readable: String = name.chars().take(60).map(|c| if safe(c) && c != '.' { c } else { '-' }).collect();
    format!("{readable}-{}", akia_core::digest::short(name))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn locate(variables: &[(&str, &str)]) -> Result<PathBuf, StateError> {
        let map: HashMap<String, OsString> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        StateFolder::locate(|name| map.get(name).cloned())
    }

    #[test]
    fn the_folder_is_found_in_the_documented_order() {
        let all = [("AKIA_STATE_DIR", "/a"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(locate(&all).unwrap(), Path::new("/a"));
        assert_eq!(locate(&all[1..]).unwrap(), Path::new("/x/akia"));
        assert_eq!(locate(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]).unwrap(), locate(&all[2..]).unwrap());
        assert_eq!(locate(&[("AKIA_STATE_DIR", ""), ("HOME", "/h")]).unwrap(), locate(&all[2..]).unwrap());
        assert!(matches!(locate(&[]), Err(StateError::Nowhere)));
    }

    #[test]
    fn distinct_lock_names_have_distinct_files() {
        assert_eq!(file_name_of("seal"), "seal");
        let names = ["a/b", "a:b", "a-b", "../x", "", ".", "é", &"x".repeat(300)];
        let files: std::collections::BTreeSet<String> = names.iter().map(|name| file_name_of(name)).collect();
        assert_eq!(files.len(), names.len());
        assert!(files.iter().all(|file| !file.contains('/') && !file.starts_with('.') && file.len() < 120));
    }

    #[test]
    fn a_lock_held_names_its_holder_and_is_free_when_dropped() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(&temporary.path().join("state")).unwrap();
        let lock = folder.lock("user/alice").unwrap();
        match folder.lock("user/alice") {
            Err(LockError::Held { holder, name, .. }) => {
                assert_eq!(holder.pid, Some(std::process::id()));
                assert!(holder.since.is_some());
                assert_eq!(name, "user/alice");
            }
            other => panic!("{other:?}"),
        }
        folder.lock("user/bob").unwrap();
        drop(lock);
        folder.lock("user/alice").unwrap();
    }
}
