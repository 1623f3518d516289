//! What a process that holds secrets forbids the system to do with its memory, and its files to begin with.
//!
//! Invariant: nothing here can fail a command. A system that refuses leaves akia as open as any other program.

/// No core dump, no look into the memory by other processes of the same user, and no file that anybody else may read
/// unless it is given another mode.
pub fn harden_process() {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Lowering one's own limit is always allowed; where it is not, nothing is worse than before.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Ends this process when the one that has begun it ends, in whatever way. Linux alone can say so.
pub fn end_with_parent(parent: &str) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        // What is refused here leaves a process that goes on by itself, as safe as any.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        // It may have ended before that was said.
        if getppid().is_none_or(|pid| pid.to_string() != parent) {
            std::process::exit(5);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_keeps_no_image_of_this_process() {
        harden_process();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert!(matches!(dumpable, rustix::process::DumpableBehavior::NotDumpable));
    }
}
