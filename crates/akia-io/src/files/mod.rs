//! Reading and replacing the files of others: `~/.aws/credentials`, `~/.aws/config`.
//!
//! Invariant: at every moment, and after a crash at any moment, a file holds either its old bytes or its new bytes,
//! never a mix; whatever else lies beside it is a `.akia-….tmp` file with at most the mode of its target, and the
//! next run removes it. Nothing is written over bytes that the caller has not seen.
//!
//! What cannot be replaced that way is refused before a key exists ([`rehearse`]): files mounted by themselves,
//! hard links, dangling symlinks, read-only and immutable files, files of others.

mod act;
mod error;
pub(crate) mod platform;
mod replace;
mod target;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use act::Act;
#[cfg(feature = "file-faults")]
pub use act::faults;
pub(crate) use act::{act, pause};
pub use error::{FileError, LateBytes};
pub use platform::private_to_us;
pub use replace::{FileLock, Prepared, lock, rehearse};

/// Largest AWS file that akia reads or writes, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The two files of the AWS tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsPaths {
    /// `~/.aws/credentials`, or what `AWS_SHARED_CREDENTIALS_FILE` says.
    pub credentials: PathBuf,
    /// `~/.aws/config`, or what `AWS_CONFIG_FILE` says.
    pub config: PathBuf,
}

impl AwsPaths {
    /// Finds them as the AWS tools do: the variable where it is set and not empty (with `~` expanded), else `~/.aws`.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, FileError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").or_else(|| set("USERPROFILE"));
        let find = |name: &'static str, file: &'static str| match set(name) {
            Some(path) => match path.strip_prefix("~") {
                Ok(rest) => home().map(|home| home.join(rest)).ok_or(FileError::NoHome { file }),
                Err(_) => Ok(path),
            },
            None => home().map(|home| home.join(".aws").join(file)).ok_or(FileError::NoHome { file }),
        };
        Ok(Self {
            credentials: find("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
            config: find("AWS_CONFIG_FILE", "config")?,
        })
    }
}

/// The bytes of a file, or `None` where there is none (also behind a dangling symlink, and for the null device,
/// which people name to say "no file"). Refuses what is not a file and what is larger than `max` bytes. The bytes may hold
/// secrets, and are wiped when dropped.
pub fn read_limited(path: &Path, max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    match open(path)? {
        Some(file) => read_open(&file, path, max),
        None => Ok(None),
    }
}

/// Opens a file for reading, without waiting where it is a pipe. `None` where there is none.
fn open(path: &Path) -> Result<Option<File>, FileError> {
    let mut options = OpenOptions::new();
    options.read(true);
    platform::nonblocking(&mut options);
    match act(Act::Open, path, || options.open(path)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::from_io("open", path, error)),
    }
}

/// All bytes of an open file, from its beginning.
fn read_open(mut file: &File, path: &Path, max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let io = |source| FileError::from_io("read", path, source);
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        if path == Path::new("/dev/null") {
            return Ok(None);
        }
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() > max {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: max });
    }
    // One more than the length, so that reading does not move the bytes and leave a copy of them behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len() + 1).unwrap_or(0)));
    file.rewind().map_err(io)?;
    // One byte more than allowed tells a file that has grown meanwhile.
    act(Act::Read, path, || file.take(max + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: max });
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_paths_are_those_of_the_aws_tools() {
        let find = |variables: &[(&str, &str)]| {
            let map: HashMap<String, OsString> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
            AwsPaths::from_env(|name| map.get(name).cloned())
        };
        let paths = find(&[("HOME", "/h")]).unwrap();
        assert_eq!(paths.credentials, Path::new("/h/.aws/credentials"));
        assert_eq!(paths.config, Path::new("/h/.aws/config"));
        let paths =
            find(&[("HOME", "/h"), ("AWS_SHARED_CREDENTIALS_FILE", "~/c"), ("AWS_CONFIG_FILE", "/x/y")]).unwrap();
        assert_eq!(paths.credentials, Path::new("/h/c"));
        assert_eq!(paths.config, Path::new("/x/y"));
        let paths = find(&[("HOME", "/h"), ("AWS_SHARED_CREDENTIALS_FILE", "")]).unwrap();
        assert_eq!(paths.credentials, Path::new("/h/.aws/credentials"));
        assert!(matches!(find(&[]), Err(FileError::NoHome { file: "credentials" })));
        find(&[("AWS_SHARED_CREDENTIALS_FILE", "/c"), ("AWS_CONFIG_FILE", "/d")]).unwrap();
    }
}
