//! One file of this machine.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

use akia_core::leak::{Place, Why};

use crate::read_at::FileAt;
use crate::walk::Walk;

/// What is read into memory at once; anything larger goes through windows.
const SMALL: u64 = 1 << 20;

/// How much a file may give beyond its size: files of `/proc` say that they are empty, and some of them never end.
const BEYOND: u64 = 64 << 20;

/// Whether a link is followed: only one that a person named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Leave,
}

/// Looks at a file. Devices, pipes and sockets are not opened; what cannot be read is told.
pub(crate) fn scan(walk: &Walk<'_>, place: &Place, path: &Path, links: Links) {
    let opened = open(path, links).and_then(|file| Ok((file.metadata()?, file)));
    let (before, mut file) = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound && links == Links::Follow => {
            return walk.skip(place, Why::Missing, error.to_string());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return walk.skip(place, Why::Changed, "it was gone before it was read");
        }
        Err(error) => return walk.skip(place, Why::Unreadable, error.to_string()),
    };
    if !before.is_file() {
        if links == Links::Follow {
            walk.skip(
                place,
                Why::Unsupported,
                "it is a device, pipe or socket: scan it as an image or through standard input",
            );
        }
        return;
    }
    // The kernel invents what it shows; a size there means little (`/proc/kcore` claims all of its address space).
    let is_large = before.len() >= SMALL && !is_invented(&file);
    let mut buffer = walk.buffer();
    buffer.clear();
    let read = if is_large { Ok(0) } else { (&mut file).take(SMALL).read_to_end(&mut buffer) };
    match read {
        Err(error) => walk.skip(place, Why::Unreadable, error.to_string()),
        Ok(_) if is_large => walk.at(place, &FileAt { file: &file, length: before.len() }, 0),
        Ok(read) if (read as u64) < SMALL => walk.bytes(place, &buffer, 0),
        Ok(_) => {
            let limit = BEYOND;
            walk.stream(place, &mut buffer.as_slice().chain((&mut file).take(limit)), 0);
            if file.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                walk.skip(place, Why::Changed, format!("it has no end: its first {limit} bytes were looked at"));
            }
        }
    }
    walk.give_back(buffer);
    match file.metadata() {
        Ok(after) if is_same(&before, &after) => {}
        Ok(_) => walk.skip(place, Why::Changed, "it changed while it was read: scan it again"),
        Err(error) => walk.skip(place, Why::Unreadable, error.to_string()),
    }
}

/// Whether a file is none on any disk.
#[cfg(target_os = "linux")]
fn is_invented(file: &File) -> bool {
    // proc, sysfs, debugfs, tracefs: linux/magic.h.
    const INVENTED: [u64; 4] = [0x9fa0, 0x6265_6572, 0x6462_6720, 0x7472_6163];
    #[expect(
        clippy::cast_sign_loss,
        reason = "a magic number is bits; the type differs from architecture to architecture"
    )]
    rustix::fs::fstatfs(file).is_ok_and(|about| INVENTED.contains(&(about.f_type as u64)))
}

#[cfg(not(target_os = "linux"))]
fn is_invented(_: &File) -> bool {
    false
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

/// Opens a file so that nothing waits: what was a file when it was listed may be a pipe now.
#[cfg(unix)]
pub(crate) fn open(path: &Path, links: Links) -> std::io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Leave {
        flags |= OFlags::NOFOLLOW;
    }
    #[expect(clippy::cast_possible_wrap, reason = "flags are bits; the standard library takes them as the C type")]
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Opens a file.
#[cfg(not(unix))]
pub(crate) fn open(path: &Path, _: Links) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}
