//! Editing an AWS file while other programs may write it too.
//!
//! Invariant: an edit is made on the bytes that it replaces, and on nothing older: what another program has written
//! meanwhile is read again and edited anew.

use std::path::Path;
use std::time::Duration;

use akia_core::profile::{File, FileKind};
use zeroize::Zeroizing;

use crate::files::{self, FileError};
use crate::state::StateFolder;

/// How often a file that changes under us is read and edited anew.
const ATTEMPTS: u32 = 40;

/// Replaces the file by what `change` makes of it; `change` may be called several times. A file that does not exist is
/// an empty one, and is made with mode 0600. An edit that changes nothing writes nothing, but
/// makes durable what stands there.
pub fn edit<E: From<FileError>>(
    state: &StateFolder,
    path: &Path,
    kind: FileKind,
    change: impl Fn(&File) -> Result<File, E>,
) -> Result<(), E> {
    // What another program wrote into the file that we had just replaced: the next edit starts from there.
    let mut overtaken: Option<Zeroizing<Vec<u8>>> = None;
    let mut last = FileError::Changed { path: path.to_owned() };
    for attempt in 0..ATTEMPTS {
        let lock = files::lock(state, path)?;
        let before = lock.read()?.map(Zeroizing::new);
        let base = overtaken.take().or_else(|| before.clone()).unwrap_or_default();
        let after = change(&File::parse(kind, base.to_vec()))?;
        let old = before.as_ref().map(|bytes| bytes.as_slice());
        if old.unwrap_or_default() == after.bytes() {
            return if old.is_some() { lock.settle().map_err(E::from) } else { Ok(()) };
        }
        match lock.replace(old, after.bytes()) {
            Ok(_) => return Ok(()),
            Err(FileError::Overtaken { path, theirs }) => {
                overtaken = Some(theirs.0);
                last = FileError::Changed { path };
            }
            Err(error @ (FileError::Changed { .. } | FileError::ReadBack { .. })) => last = error,
            Err(error) => return Err(error.into()),
        }
        drop(lock);
        // Uneven pauses, so that we do not keep step with a program that writes in a loop.
        std::thread::sleep(Duration::from_millis(u64::from(attempt % 7) * 3 + 1));
    }
    Err(last.into())
}
