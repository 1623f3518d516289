//! What differs between systems: owners, modes, mount points, syncing a folder.
//!
//! On Unix everything is checked. Elsewhere the answers are `None` or `Ok(())`: the access control lists of Windows
//! protect a user's profile folder, and akia does not second-guess them.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Permission bits, without the kind of file.
pub(crate) fn mode(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777);
    #[cfg(not(unix))]
    return Some(metadata).filter(|metadata| metadata.permissions().readonly()).map(|_| 0o444);
}

/// Whether nobody but us can read a file, whoever may administer the machine aside; else its mode. What Kubernetes mounts for the group
/// of a container (root's, mode 0440) counts as ours.
pub fn private_to_us(metadata: &Metadata) -> Result<(), u32> {
    // Elsewhere the folder's own list of who may says it.
    let Some(mode) = mode(metadata).filter(|_| cfg!(unix)) else { return Ok(()) };
    if is_private(mode, owner(metadata), effective_user()) { Ok(()) } else { Err(mode) }
}

fn is_private(mode: u32, owner: Option<u32>, us: Option<u32>) -> bool {
    let is_mounted = owner == Some(0) && us != Some(0);
    let forbidden = if is_mounted { 0o037 } else { 0o077 };
    mode & forbidden == 0 && (is_mounted || owner == us)
}

/// User id of the owner.
pub(crate) fn owner(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::uid(metadata));
    #[cfg(not(unix))]
    return Some(metadata).and(None);
}

/// Our effective user id.
pub(crate) fn effective_user() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    return None;
}

/// Number of names that the file has.
pub(crate) fn links(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(metadata);
    #[cfg(not(unix))]
    return Some(metadata).map_or(1, |_| 1);
}

/// Whether both are the same file.
pub(crate) fn same_file(a: &Metadata, b: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }
    #[cfg(not(unix))]
    return a.len() == b.len() && a.modified().ok() == b.modified().ok();
}

/// A new file is created with mode 0600, whatever the umask leaves of it.
pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Opening must not block on a FIFO.
pub(crate) fn nonblocking(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    #[cfg(not(unix))]
    let _ = options;
}

/// Sets permission bits on an open file.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    return file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    return Some((file, mode)).map_or(Ok(()), |_| Ok(()));
}

/// Creates a folder and the missing ones above it with mode 0700. An existing one is left as it is.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = folders_above_new(path);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    // The entries in the folders above must survive a power cut as well.
    for folder in above {
        sync_folder(folder)?;
    }
    // A umask can only have taken bits away.
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// The folders that get a new entry when this one is created: that above it, and that above each missing one.
fn folders_above_new(path: &Path) -> Vec<&Path> {
    path.ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .filter_map(Path::parent)
        .map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above })
        .collect()
}

/// Makes the entries of a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return File::open(path)?.sync_all();
    // Windows has no such call: NTFS journals its metadata.
    #[cfg(not(unix))]
    return Some(path).map_or(Ok(()), |_| Ok(()));
}

/// Gives an open file the owner and group of another. Keeping the group may fail silently where nothing hangs on it.
pub(crate) fn keep_owner(file: &File, model: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let now = file.metadata()?;
        if now.uid() != model.uid() {
            fchown(file, Some(model.uid()), None)?;
        }
        if now.gid() != model.gid()
            && let Err(error) = fchown(file, None, Some(model.gid()))
            && model.mode() & 0o070 != 0
        {
            return Err(error);
        }
    }
    #[cfg(not(unix))]
    let _ = (file, model);
    Ok(())
}

/// What forbids replacing the file by renaming another onto it, though permissions would allow it.
pub(crate) enum Obstacle {
    /// It is mounted by itself, as containers do with single files.
    MountPoint,
    /// It is immutable or append-only by attribute.
    Immutable,
}

/// Looks for an [`Obstacle`].
pub(crate) fn obstacle(path: &Path, metadata: &Metadata) -> Option<Obstacle> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
        let _ = metadata;
        // Kernels before 5.8 do not know the attribute; there the rename itself fails later, and changes nothing.
        let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?;
        let has = |attribute| found.stx_attributes_mask.contains(attribute) && found.stx_attributes.contains(attribute);
        if has(StatxAttributes::MOUNT_ROOT) {
            Some(Obstacle::MountPoint)
        } else if has(StatxAttributes::IMMUTABLE) || has(StatxAttributes::APPEND) {
            Some(Obstacle::Immutable)
        } else {
            None
        }
    }
    #[cfg(target_os = "macos")]
    {
        use std::os::macos::fs::MetadataExt;
        let _ = path;
        // UF_IMMUTABLE, UF_APPEND, SF_IMMUTABLE, SF_APPEND of sys/stat.h.
        (metadata.st_flags() & 0x0006_0006 != 0).then_some(Obstacle::Immutable)
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    return Some((path, metadata)).and(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_gets_a_new_entry_is_synced() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path();
        let path = base.join("a/b/c");
        assert_eq!(folders_above_new(&path), [base.join("a/b"), base.join("a"), base.to_owned()]);
        create_private_folder(&base.join("a")).unwrap();
        assert_eq!(folders_above_new(&path), [base.join("a/b"), base.join("a")]);
        assert_eq!(folders_above_new(Path::new("no-such/folder")), [Path::new("no-such"), Path::new(".")]);
    }
}
