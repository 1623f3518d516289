//! Runs a program under ptrace and strikes at the nth of its system calls that write, rename, sync, send or receive.
//!
//! The calls of all threads are counted together, so that one number means one moment of the whole program, whatever
//! thread it is on. No `unsafe`, no library inside the program: what is killed is the very binary that ships.

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strike {
    /// Nothing: the run is only looked at.
    Watch,
    /// The whole program is killed, and the call does not happen.
    Kill,
    /// The call does not happen, and answers this error.
    Fail(Errno),
}

/// Which call is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    /// The nth of all that count, from 0.
    Point(usize),
    /// The nth of those whose names begin so, from 1.
    NthOf(&'static str, usize),
}

/// One call that counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Its name.
    pub(crate) call: &'static str,
    /// What it is done to: a path, or `socket`.
    pub(crate) target: String,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Every call that counts, in order, up to the end.
    pub(crate) points: Vec<Point>,
    /// The one that was struck.
    pub(crate) struck: Option<Point>,
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program and strikes once.
pub(crate) fn run(command: &Command, when: When, strike: Strike) -> Traced {
    // On a thread that has no other children, since it waits for all of its own.
    std::thread::scope(|scope| scope.spawn(|| follow(command, when, strike)).join().unwrap())
}

#[expect(clippy::zombie_processes, reason = "waitpid takes the end of all that this thread started")]
fn follow(command: &Command, when: When, strike: Strike) -> Traced {
    // The shell waits for a line, so that the program is traced from its first call; then it becomes the program.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"read -r go; exec "$0" "$@""#]).arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.current_dir(command.get_current_dir().unwrap());
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).expect("this program may not trace its children");
    let collect = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What a killed program has said up to then is enough.
            let _ = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = collect(Box::new(child.stdout.take().unwrap()));
    let stderr = collect(Box::new(child.stderr.take().unwrap()));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"go\n").unwrap();
    drop(stdin);
    let (inside, failing) = (HashSet::new(), HashSet::new());
    let mut watched = Watched { pid, when, strike, inside, failing, points: Vec::new(), struck: None };
    let code = watched.follow();
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    Traced { points: watched.points, struck: watched.struck, code, stdout, stderr }
}

struct Watched {
    pid: Pid,
    when: When,
    strike: Strike,
    /// Threads between entry and exit of a call.
    inside: HashSet<Pid>,
    /// Threads whose call was turned into nothing and has to answer the error.
    failing: HashSet<Pid>,
    points: Vec<Point>,
    struck: Option<Point>,
}

impl Watched {
    /// Until the program and all that it started have ended; gives its exit code.
    fn follow(&mut self) -> Option<i32> {
        let mut code = None;
        loop {
            // Only what this thread traces: other threads of the harness follow programs of their own.
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => return code,
                Err(error) => panic!("waitpid: {error}"),
                Ok(WaitStatus::Exited(pid, status)) if pid == self.pid => code = Some(status),
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..) | WaitStatus::Continued(_)) => {}
                Ok(WaitStatus::StillAlive) => {}
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    self.call(pid);
                    go_on(pid, None);
                }
                Ok(WaitStatus::PtraceEvent(pid, _, _)) => go_on(pid, None),
                Ok(WaitStatus::Stopped(pid, signal)) => go_on(pid, Some(signal)),
            }
        }
    }

    fn call(&mut self, pid: Pid) {
        let Ok(mut registers) = ptrace::getregs(pid) else { return }; // It was killed meanwhile.
        if self.inside.remove(&pid) {
            if self.failing.remove(&pid)
                && let Strike::Fail(error) = self.strike
            {
                registers.rax = i64::from(-(error as i32)).cast_unsigned();
                let _ = ptrace::setregs(pid, registers);
            }
            return;
        }
        // The kernel puts this where the answer will be before a call begins.
        if registers.rax.cast_signed() != -i64::from(libc::ENOSYS) {
            return;
        }
        self.inside.insert(pid);
        let Some(call) = name_of(registers.orig_rax.cast_signed(), registers.rsi, registers.rdx) else { return };
        let Some(target) = target_of(pid, call, registers.rdi) else { return };
        let point = Point { call, target };
        self.points.push(point.clone());
        let is_struck = match self.when {
            When::Point(at) => self.points.len() == at + 1,
            When::NthOf(name, nth) => {
                call.starts_with(name) && self.points.iter().filter(|point| point.call.starts_with(name)).count() == nth
            }
        };
        if !is_struck || self.strike == Strike::Watch {
            return;
        }
        self.struck = Some(point);
        match self.strike {
            Strike::Watch => {}
            Strike::Kill => {
                let _ = kill(self.pid, Signal::SIGKILL);
            }
            Strike::Fail(_) => {
                registers.orig_rax = u64::MAX;
                let _ = ptrace::setregs(pid, registers);
                self.failing.insert(pid);
            }
        }
    }
}

fn go_on(pid: Pid, signal: Option<Signal>) {
    match ptrace::syscall(pid, signal) {
        // Killed meanwhile; its end is reported, too.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("ptrace: {error}"),
    }
}

/// The calls that count. Opening counts where it makes or empties a file.
fn name_of(number: i64, second: u64, third: u64) -> Option<&'static str> {
    const OPEN_WRITES: u64 = (libc::O_CREAT | libc::O_TRUNC) as u64;
    Some(match number {
        libc::SYS_write => "write",
        libc::SYS_pwrite64 => "pwrite64",
        libc::SYS_writev => "writev",
        libc::SYS_pwritev => "pwritev",
        libc::SYS_copy_file_range => "copy_file_range",
        libc::SYS_ftruncate => "ftruncate",
        libc::SYS_rename => "rename",
        libc::SYS_renameat => "renameat",
        libc::SYS_renameat2 => "renameat2",
        libc::SYS_link => "link",
        libc::SYS_linkat => "linkat",
        libc::SYS_unlink => "unlink",
        libc::SYS_unlinkat => "unlinkat",
        libc::SYS_mkdir => "mkdir",
        libc::SYS_mkdirat => "mkdirat",
        libc::SYS_fchmod => "fchmod",
        libc::SYS_fchown => "fchown",
        libc::SYS_fsync => "fsync",
        libc::SYS_fdatasync => "fdatasync",
        libc::SYS_open if second & OPEN_WRITES != 0 => "open",
        libc::SYS_openat if third & OPEN_WRITES != 0 => "openat",
        libc::SYS_connect => "connect",
        libc::SYS_sendto => "sendto",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_recvfrom => "recvfrom",
        libc::SYS_recvmsg => "recvmsg",
        _ => return None,
    })
}

/// What the call is done to. `None` for what stays inside the program: the wake-ups of its threads.
fn target_of(pid: Pid, call: &str, first: u64) -> Option<String> {
    if ["open", "openat", "rename", "link", "unlink", "mkdir"].iter().any(|named| call.starts_with(named)) {
        return Some("a path".to_owned());
    }
    let link = fs::read_link(format!("/proc/{pid}/fd/{}", first.cast_signed())).ok()?;
    let link = link.to_string_lossy();
    if link.starts_with("anon_inode:") || (link.starts_with("pipe:") && first > 2) {
        None
    } else if link.starts_with("socket:") {
        Some("socket".to_owned())
    } else if link.starts_with("pipe:") {
        Some("output".to_owned())
    } else {
        Some(link.into_owned())
    }
}
