//! What runs, and when: jobs of the settings, the runs that come of them, and the processes that carry them out.
//!
//! Invariant: a run is held by a lease. Of several servers on one database one claims it, says every few seconds that it still
//! works on it, and loses it when it does not. Nothing is decided by that about keys: whatever a process does is in the journal, and
//! one that begins again finds there what the one before has done.

mod engine;
mod job;
mod plans;
mod process;
mod runs;

pub use engine::{Engine, Program, replica};
pub use job::{Job, JobError};
pub use plans::{KeptPlan, Plans};
pub use runs::{JobAct, Run, RunState, Runs};
