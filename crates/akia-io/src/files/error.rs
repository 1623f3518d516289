//! Why a file could not be read or replaced.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::state::LockError;

/// Why a file could not be read or replaced. Unless the variant says otherwise, the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No home folder is known, so neither is the file.
    #[error("the AWS {file} file cannot be found: HOME is not set")]
    NoHome {
        /// `credentials` or `config`.
        file: &'static str,
    },
    /// A symlink leads nowhere.
    #[error("{path} is a symbolic link to {target}, which does not exist")]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// What it names.
        target: PathBuf,
    },
    /// Symlinks lead in a circle.
    #[error("{path} is a symbolic link that leads back to itself")]
    LinkLoop {
        /// Where the circle was entered.
        path: PathBuf,
    },
    /// A folder, a pipe, a device.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Larger than the limit.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file has more than one name; replacing it would leave the old key behind the others.
    #[error("{path} is one of {links} hard links to the same file")]
    HardLinked {
        /// The path.
        path: PathBuf,
        /// Number of names.
        links: u64,
    },
    /// The file is mounted by itself and cannot be replaced as a whole.
    #[error("{path} is a mount point of its own")]
    MountPoint {
        /// The path.
        path: PathBuf,
    },
    /// An attribute of the file system forbids changes.
    #[error("{path} is marked immutable or append-only")]
    Immutable {
        /// The path.
        path: PathBuf,
    },
    /// Nobody has write permission.
    #[error("{path} is write-protected (mode {mode:04o})")]
    WriteProtected {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its owner could not be kept.
    #[error("the owner of {path} (user id {owner}) cannot be kept: {source}")]
    Owner {
        /// The path.
        path: PathBuf,
        /// User id of the owner.
        owner: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// No permission.
    #[error("no permission to {doing} {path}")]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The file system is read-only.
    #[error("cannot {doing} {path}: the file system is read-only")]
    ReadOnly {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("cannot {doing} {path}: no space left")]
    NoSpace {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The file has other bytes than the caller has seen: read again, and try again.
    #[error("{path} was changed by another program meanwhile")]
    Changed {
        /// The path.
        path: PathBuf,
    },
    /// The new bytes were written, but another program that had the old file open wrote to that at the same moment.
    /// Its bytes stand nowhere else any more: edit them anew, and replace the bytes just written with the result.
    #[error("{path} was written by another program at the same moment")]
    Overtaken {
        /// The path.
        path: PathBuf,
        /// What the other program wrote.
        theirs: LateBytes,
    },
    /// The new bytes were written, and other bytes were read back.
    #[error("{path} was written, but reads back differently")]
    ReadBack {
        /// The path.
        path: PathBuf,
    },
    /// The new bytes stand there and can be read, but the system does not say that they are on the disk for good.
    #[error("{path} is written, but a power loss may bring the old file back: {source}")]
    NotDurable {
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another akia holds the file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Anything else the system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl FileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoHome { .. } => "set HOME, or AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE".into(),
            Self::DanglingLink { target, .. } => {
                format!("create {} (is its disk mounted?), or remove the link", target.display())
            }
            Self::LinkLoop { path } => format!("look at it with: ls -l '{}'", path.display()),
            Self::NotAFile { .. } => "name a regular file".into(),
            Self::TooLarge { .. } => "is this the right file? AWS files are small".into(),
            Self::HardLinked { path, .. } => format!(
                "give the file one name again, for example: cp -p '{0}' '{0}.new' && mv '{0}.new' '{0}' \
                 (a symbolic link is fine)",
                path.display()
            ),
            Self::MountPoint { .. } => {
                "mount the folder instead of the single file (docker: -v ~/.aws:/root/.aws), or run akia outside".into()
            }
            Self::Immutable { path } => format!("chattr -i -a '{0}' (macOS: chflags nouchg '{0}')", path.display()),
            Self::WriteProtected { path, .. } => format!("chmod u+w '{}'", path.display()),
            Self::Owner { .. } => "run akia as the owner of the file".into(),
            Self::Denied { .. } => "run akia as the owner of the file and of its folder".into(),
            Self::ReadOnly { .. } => "mount it writable, or move the file".into(),
            Self::NoSpace { .. } => "make room, then run akia again".into(),
            Self::Changed { .. } | Self::Overtaken { .. } => "let the other program finish, then run akia again".into(),
            Self::ReadBack { .. } => "find out which program writes to it at the same time, then run akia again".into(),
            Self::Lock(_) => "let the other akia finish, then run again".into(),
            Self::NotDurable { .. } => "look after the disk, then run akia again".into(),
            Self::Io { .. } => "mend that, then run akia again".into(),
        }
    }

    pub(super) fn from_io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_loop(&source) {
            return Self::LinkLoop { path };
        }
        match source.kind() {
            ErrorKind::PermissionDenied => Self::Denied { doing, path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { doing, path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace { doing, path },
            _ => Self::Io { doing, path, source },
        }
    }
}

/// Bytes of a file, which may hold secrets: wiped when dropped, and never printed.
pub struct LateBytes(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for LateBytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LateBytes({} bytes)", self.0.len())
    }
}

/// `ErrorKind::FilesystemLoop` is not stable yet.
fn is_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    #[cfg(not(unix))]
    return Some(error).and(None).unwrap_or(false);
}
