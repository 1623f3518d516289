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
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longer than any run takes on a loaded machine, the quarantine of a lost create and its retries included.
const LIMIT: Duration = Duration::from_secs(300);

/// How the call that limits cores is named here.
pub(crate) const LIMIT_CORES: &str = "prlimit64";

/// The longest write that is recorded, in bytes: far above a page of the journal and any AWS file of a test.
const MAX_BYTES: u64 = 1 << 20;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strike {
    /// Nothing: the run is only looked at.
    Watch,
    /// Nothing, and every write is recorded with its bytes.
    Record,
    /// The program waits at the call while the tester does something, and then goes on.
    Pause,
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
    /// The nth of those whose target contains this, from 1.
    NthOn(&'static str, usize),
}

/// What a run does to files and tells to others, in order. A call that failed is left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Opened to be made or emptied.
    Open {
        path: PathBuf,
        truncate: bool,
    },
    Write {
        path: PathBuf,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
    Sync {
        path: PathBuf,
    },
    Send {
        bytes: Vec<u8>,
    },
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
    /// What it did, where that was recorded.
    pub(crate) steps: Vec<Step>,
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Whether the system made an image of its memory at its end.
    pub(crate) left_a_core: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Looks at a thread of the program, or of a child of it, while it waits: at a call that counts, or when it has just
/// begun or become another program.
type Look<'a> = &'a (dyn Fn(Pid, Option<&Point>) + Sync);

/// Runs the program and strikes once.
pub(crate) fn run(command: &Command, when: When, strike: Strike) -> Traced {
    assert!(strike != Strike::Pause, "a pause needs something to do");
    run_with(command, when, strike, &|| {}, &|_, _| {})
}

/// Runs the program, and does something while it waits at the call.
pub(crate) fn pause(command: &Command, when: When, meanwhile: &(dyn Fn() + Sync)) -> Traced {
    run_with(command, when, Strike::Pause, meanwhile, &|_, _| {})
}

/// Runs the program undisturbed, and looks at it and its children again and again.
pub(crate) fn look(command: &Command, look: Look<'_>) -> Traced {
    run_with(command, When::Point(usize::MAX), Strike::Watch, &|| {}, look)
}

/// Runs the program with one call failing, and looks at it again and again.
pub(crate) fn fail_and_look(command: &Command, when: When, error: Errno, look: Look<'_>) -> Traced {
    run_with(command, when, Strike::Fail(error), &|| {}, look)
}

fn run_with(command: &Command, when: When, strike: Strike, meanwhile: &(dyn Fn() + Sync), look: Look<'_>) -> Traced {
    // On a thread that has no other children, since it waits for all of its own.
    std::thread::scope(|scope| scope.spawn(|| follow(command, when, strike, meanwhile, look)).join().unwrap())
}

#[expect(clippy::zombie_processes, reason = "waitpid takes the end of all that this thread started")]
fn follow(command: &Command, when: When, strike: Strike, meanwhile: &(dyn Fn() + Sync), look: Look<'_>) -> Traced {
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
    // A program that never ends is ended, and its story fails on the signal.
    let (ended, end) = channel::<()>();
    let guard = std::thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let mut watched = Watched {
        pid,
        when,
        strike,
        meanwhile,
        look,
        inside: HashSet::new(),
        failing: HashSet::new(),
        recorded: HashMap::new(),
        points: Vec::new(),
        steps: Vec::new(),
        struck: None,
        left_a_core: false,
    };
    let code = watched.follow();
    drop(ended);
    guard.join().unwrap();
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let steps = watched.steps.into_iter().flatten().collect();
    let Watched { points, struck, left_a_core, .. } = watched;
    Traced { points, struck, steps, code, left_a_core, stdout, stderr }
}

struct Watched<'a> {
    pid: Pid,
    when: When,
    strike: Strike,
    meanwhile: &'a (dyn Fn() + Sync),
    look: Look<'a>,
    /// Threads between entry and exit of a call.
    inside: HashSet<Pid>,
    /// Threads whose call was turned into nothing and has to answer the error.
    failing: HashSet<Pid>,
    /// Which step each thread is at, until it is known whether it came off.
    recorded: HashMap<Pid, usize>,
    points: Vec<Point>,
    /// `None` for a call that failed.
    steps: Vec<Option<Step>>,
    struck: Option<Point>,
    left_a_core: bool,
}

impl Watched<'_> {
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
                Ok(WaitStatus::Signaled(pid, _, core)) if pid == self.pid => self.left_a_core = core,
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..) | WaitStatus::Continued(_)) => {}
                Ok(WaitStatus::StillAlive) => {}
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    self.call(pid);
                    go_on(pid, None);
                }
                Ok(WaitStatus::PtraceEvent(pid, _, _)) => {
                    (self.look)(pid, None);
                    go_on(pid, None);
                }
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
            if let Some(index) = self.recorded.remove(&pid)
                && registers.rax.cast_signed() < 0
            {
                self.steps[index] = None;
            }
            return;
        }
        // The kernel puts this where the answer will be before a call begins.
        if registers.rax.cast_signed() != -i64::from(libc::ENOSYS) {
            return;
        }
        self.inside.insert(pid);
        let Some(call) = name_of(registers.orig_rax.cast_signed(), registers.rsi, registers.rdx) else { return };
        let Some(target) = target_of(pid, call, [registers.rdi, registers.rsi]) else { return };
        if self.strike == Strike::Record
            && let Some(step) = step_of(pid, call, &target, &registers)
        {
            self.recorded.insert(pid, self.steps.len());
            self.steps.push(Some(step));
        }
        let point = Point { call, target };
        self.points.push(point.clone());
        (self.look)(pid, Some(&point));
        let is_struck = match self.when {
            When::Point(at) => self.points.len() - 1 == at,
            When::NthOf(name, nth) => {
                call.starts_with(name) && self.points.iter().filter(|point| point.call.starts_with(name)).count() == nth
            }
            When::NthOn(part, nth) => {
                let is_on = |point: &&Point| point.target.contains(part);
                is_on(&&point) && self.points.iter().filter(is_on).count() == nth
            }
        };
        if !is_struck || matches!(self.strike, Strike::Watch | Strike::Record) {
            return;
        }
        self.struck = Some(point);
        match self.strike {
            Strike::Watch | Strike::Record => {}
            Strike::Pause => (self.meanwhile)(),
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

/// The calls that count. Opening counts where it makes or empties a file; beside what goes out of the program, the call
/// that forbids cores counts, so that it can be made to fail.
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
        libc::SYS_prlimit64 if second == u64::from(libc::RLIMIT_CORE) && third != 0 => LIMIT_CORES,
        libc::SYS_connect => "connect",
        libc::SYS_sendto => "sendto",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_recvfrom => "recvfrom",
        libc::SYS_recvmsg => "recvmsg",
        _ => return None,
    })
}

/// What the call is done to. `None` for what stays inside the program: the wake-ups of its threads.
fn target_of(pid: Pid, call: &str, arguments: [u64; 2]) -> Option<String> {
    let [first, second] = arguments;
    match call {
        "open" | "rename" | "link" | "unlink" | "mkdir" => return Some(text_at(pid, first)),
        "openat" | "renameat" | "renameat2" | "linkat" | "unlinkat" | "mkdirat" => return Some(text_at(pid, second)),
        LIMIT_CORES => return Some("cores".to_owned()),
        _ => {}
    }
    let link = match fs::read_link(format!("/proc/{pid}/fd/{}", first.cast_signed())) {
        Ok(link) => link,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            panic!("akia lets nobody look into it; to trace it takes root, or CAP_SYS_PTRACE")
        }
        Err(_) => return None,
    };
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

/// What the call that is about to begin will have done, where that matters to somebody outside the program.
fn step_of(pid: Pid, call: &str, target: &str, registers: &libc::user_regs_struct) -> Option<Step> {
    let path = PathBuf::from(target);
    let (second, third) = (registers.rsi, registers.rdx);
    let truncates = |flags: u64| flags & (libc::O_TRUNC as u64) != 0;
    let gathered = || {
        let parts = bytes_at(pid, second, third.min(64) * 16);
        let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        parts.chunks_exact(16).flat_map(|part| bytes_at(pid, number(&part[..8]), number(&part[8..]))).collect()
    };
    Some(match (call, target) {
        ("write" | "sendto", "socket") => Step::Send { bytes: bytes_at(pid, second, third) },
        ("writev", "socket") => Step::Send { bytes: gathered() },
        (_, "socket" | "output") => return None,
        ("open", _) => Step::Open { path, truncate: truncates(second) },
        ("openat", _) => Step::Open { path, truncate: truncates(third) },
        ("write", _) => {
            let about = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", registers.rdi)).ok()?;
            let at = about.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok()?;
            Step::Write { path, at, bytes: bytes_at(pid, second, third) }
        }
        ("pwrite64", _) => Step::Write { path, at: registers.r10, bytes: bytes_at(pid, second, third) },
        ("ftruncate", _) => Step::Truncate { path, length: second },
        ("rename", _) => Step::Rename { from: path, to: text_at(pid, second).into() },
        ("unlink", _) => Step::Unlink { path },
        ("mkdir", _) => Step::MakeFolder { path },
        ("fsync" | "fdatasync", _) => Step::Sync { path },
        ("fchmod" | "fchown" | "recvfrom" | "recvmsg" | "connect" | LIMIT_CORES, _) => return None,
        // What is not used today would be missing from the replay if it were used tomorrow.
        (other, _) => panic!("the record of writes does not know {other} {target}"),
    })
}

/// Bytes of the program's memory, as many as there are.
fn bytes_at(pid: Pid, address: u64, count: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(count.min(MAX_BYTES)).expect("bounded")];
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the memory of a traced program can be read");
    let mut read = 0;
    while read < bytes.len() {
        match memory.read_at(&mut bytes[read..], address + read as u64) {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    bytes.truncate(read);
    bytes
}

/// The text that ends with a zero byte.
fn text_at(pid: Pid, address: u64) -> String {
    let mut bytes = bytes_at(pid, address, 4096);
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
