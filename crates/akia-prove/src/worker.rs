//! A thread that runs seeds one after another, with a runtime of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use akia_io::files::faults::{self, Meddler};

use crate::run::{self, Outcome};
use crate::sabotage::Sabotage;

/// Where temporary folders go: memory, where the system has it.
pub(crate) fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// One worker.
pub(crate) struct Worker {
    runtime: tokio::runtime::Runtime,
    root: tempfile::TempDir,
    sabotage: Option<Sabotage>,
}

impl Worker {
    pub(crate) fn new(sabotage: Option<Sabotage>) -> std::io::Result<Self> {
        // One blocking thread: whoever meddles with its files is told to it alone.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build()?;
        Ok(Self { runtime, root: tempfile::Builder::new().prefix("akia-prove-").tempdir_in(base())?, sabotage })
    }

    /// Runs a seed.
    pub(crate) fn run(&self, seed: u64, telling: bool) -> Outcome {
        let folder = self.root.path().join("w");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        self.runtime.block_on(run::run(seed, &folder, telling, self.sabotage))
    }
}

/// Keeps this thread, and those that it starts, on one processor. At any moment one of them works and the others wait for
/// it; to be woken on another processor costs a sixth of all time.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on_one_processor(worker: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(all) = sched_getaffinity(None) else { return };
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor)).collect();
    let Some(mine) = allowed.get(worker % allowed.len().max(1)) else { return };
    let mut one = CpuSet::new();
    one.set(*mine);
    // Where it is not allowed, the work takes longer and comes to the same.
    let _ = sched_setaffinity(None, &one);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on_one_processor(_worker: usize) {}

/// Tells the blocking thread who decides on its acts.
pub(crate) async fn meddle_on_blocking_threads(meddler: Option<Arc<dyn Meddler>>) {
    tokio::task::spawn_blocking(move || faults::meddle(meddler)).await.unwrap();
}
