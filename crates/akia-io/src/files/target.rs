//! Where a file really is, and whether it can be replaced there.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::platform::{self, Obstacle};
use super::{Act, FileError, act};

/// A file to replace: its path without symlinks, its folder, and what stands there now.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) metadata: Option<Metadata>,
}

impl Target {
    /// Follows symlinks and refuses what cannot be replaced without loss.
    pub(super) fn find(path: &Path) -> Result<Self, FileError> {
        let target = Self::resolve(path)?;
        if let Some(metadata) = &target.metadata {
            refuse(&target.path, metadata)?;
        }
        Ok(target)
    }

    fn resolve(path: &Path) -> Result<Self, FileError> {
        let look = |source| FileError::from_io("look at", path, source);
        match act(Act::Resolve, path, || fs::canonicalize(path)) {
            Ok(canonical) => {
                let metadata = fs::symlink_metadata(&canonical).map_err(look)?;
                let Some(folder) = canonical.parent().map(Path::to_owned) else {
                    return Err(FileError::NotAFile { path: canonical });
                };
                Ok(Self { path: canonical, folder, metadata: Some(metadata) })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Writing through a dangling link could put a secret onto a disk that is only not mounted now.
                if let Ok(target) = fs::read_link(path) {
                    return Err(FileError::DanglingLink { path: path.to_owned(), target });
                }
                let absolute = std::path::absolute(path).map_err(look)?;
                let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
                    return Err(FileError::NotAFile { path: absolute });
                };
                let folder = resolve_folder(folder)?;
                Ok(Self { path: folder.join(name), folder, metadata: None })
            }
            Err(error) => Err(look(error)),
        }
    }

    /// The folder, or the nearest one above it that exists.
    pub(super) fn existing_folder(&self) -> &Path {
        self.folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(&self.folder)
    }
}

/// The folder without symlinks, as far as it exists.
fn resolve_folder(folder: &Path) -> Result<PathBuf, FileError> {
    match fs::canonicalize(folder) {
        Ok(canonical) if canonical.is_dir() => Ok(canonical),
        Ok(canonical) => {
            Err(FileError::Io { doing: "use the folder", path: canonical, source: ErrorKind::NotADirectory.into() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Ok(target) = fs::read_link(folder) {
                return Err(FileError::DanglingLink { path: folder.to_owned(), target });
            }
            match (folder.parent(), folder.file_name()) {
                (Some(above), Some(name)) => Ok(resolve_folder(above)?.join(name)),
                _ => Err(FileError::from_io("look at", folder, error)),
            }
        }
        Err(error) => Err(FileError::from_io("look at", folder, error)),
    }
}

fn refuse(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    let path = || path.to_owned();
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path: path() });
    }
    if metadata.len() > super::MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: path(), limit: super::MAX_FILE_BYTES });
    }
    match platform::obstacle(&path(), metadata) {
        Some(Obstacle::MountPoint) => return Err(FileError::MountPoint { path: path() }),
        Some(Obstacle::Immutable) => return Err(FileError::Immutable { path: path() }),
        None => {}
    }
    let links = platform::links(metadata);
    if links > 1 {
        return Err(FileError::HardLinked { path: path(), links });
    }
    // Renaming does not ask for write permission on the file: somebody who took it away meant it.
    match platform::mode(metadata) {
        Some(mode) if mode & 0o222 == 0 => Err(FileError::WriteProtected { path: path(), mode }),
        _ => Ok(()),
    }
}
