//! Every act of akia on a file passes here, so that the simulation can make each of them fail, or be the last one of a
//! process that dies.
//!
//! Without the feature `file-faults`, which only `akia-prove` asks for and the released binary is never built with,
//! [`act`] is the act itself and nothing else.

use std::io;
use std::path::Path;

/// What is done to a file, or to the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// Finding the file behind its symbolic links.
    Resolve,
    /// Opening it.
    Open,
    /// Reading all of it.
    Read,
    /// Creating a file of ours beside it.
    Create,
    /// Giving that file its mode.
    SetMode,
    /// Writing into that file.
    Write,
    /// Making what was written durable.
    Sync,
    /// Giving that file its name.
    Rename,
    /// Removing a file of ours.
    Remove,
    /// Making the names in the folder durable.
    SyncFolder,
    /// Opening a lock file.
    Lock,
}

/// Does it.
#[cfg(not(feature = "file-faults"))]
#[inline]
pub(crate) fn act<T>(_act: Act, _path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    work()
}

/// Does it, unless whoever watches this thread stops it; and may be told that it failed although it was done.
#[cfg(feature = "file-faults")]
pub(crate) fn act<T>(act: Act, path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(meddler) = faults::of_this_thread() else { return work() };
    meddler.before(act, path)?;
    let done = work()?;
    meddler.after(act, path)?;
    Ok(done)
}

/// Waits for another program to go on with a file. In the simulation nobody does anything meanwhile, so it takes no time.
pub(crate) fn pause(wait: std::time::Duration) {
    #[cfg(feature = "file-faults")]
    if faults::of_this_thread().is_some() {
        return;
    }
    std::thread::sleep(wait);
}

/// Faults of files, for the simulation.
#[cfg(feature = "file-faults")]
pub mod faults {
    use std::cell::RefCell;
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use super::Act;

    /// Who decides what becomes of an act.
    pub trait Meddler: Send + Sync {
        /// An error keeps the act from being done.
        fn before(&self, act: Act, path: &Path) -> io::Result<()>;

        /// An error hides that it was done.
        fn after(&self, act: Act, path: &Path) -> io::Result<()>;
    }

    thread_local! {
        static MEDDLER: RefCell<Option<Arc<dyn Meddler>>> = const { RefCell::new(None) };
    }

    /// Has the acts of this thread decided by somebody, or by nobody.
    pub fn meddle(meddler: Option<Arc<dyn Meddler>>) {
        MEDDLER.with(|current| *current.borrow_mut() = meddler);
    }

    pub(super) fn of_this_thread() -> Option<Arc<dyn Meddler>> {
        MEDDLER.with(|current| current.borrow().clone())
    }
}
