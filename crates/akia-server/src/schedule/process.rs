//! akia's own commands as processes: begun, listened to, ended.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::runs::{End, RunState};

/// What is run, and with which variables beside those of the server.
#[derive(Debug, Clone)]
pub struct Program {
    /// akia itself.
    pub path: PathBuf,
    /// Variables.
    pub variables: Vec<(String, String)>,
}

/// Longest line that is kept, in bytes.
const LONGEST_LINE: usize = 4_000;
/// Time that a process has between being asked to end and being ended.
pub(super) const NOTICE: Duration = Duration::from_secs(30);

/// A process that runs.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it says, line by line; closed when it says nothing more.
    pub(super) lines: mpsc::Receiver<String>,
}

impl Program {
    /// Begins a command. It dies with the server: another goes on from the journal.
    pub(super) fn begin(&self, arguments: &[String]) -> std::io::Result<Process> {
        let mut command = Command::new(&self.path);
        command.args(arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (sender, lines) = mpsc::channel(1_000);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(listen(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(stderr, sender));
        }
        Ok(Process { child, lines })
    }
}

impl Process {
    /// Asks it to end at the next safe point.
    pub(super) fn ask_to_end(&self) {
        #[cfg(unix)]
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }

    /// Ends it. Whatever it was at stands in the journal.
    pub(super) async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }

    /// How it has ended, once it has.
    pub(super) async fn end(&mut self) -> End {
        match self.child.wait().await {
            Ok(status) => end(status.code().map(i64::from)),
            Err(error) => End {
                state: RunState::Failed,
                exit_code: None,
                words: Some(format!("what became of the process is not known: {error}")),
            },
        }
    }
}

/// What an exit code of akia means for a run (docs/exit-codes.md).
fn end(exit_code: Option<i64>) -> End {
    let (state, words) = match exit_code {
        Some(0) => (RunState::Done, None),
        Some(3) => (RunState::Partly, Some("a part of it has failed")),
        // The run has done its work: what it found is on the pages.
        Some(4) => (RunState::Done, Some("it has found something")),
        Some(5) => (RunState::Failed, Some("it was interrupted, and is safe; akia resume goes on")),
        Some(6) => (RunState::NeedsPerson, Some("a person has to decide")),
        Some(7) => (RunState::Partly, Some("a part was not looked at")),
        Some(_) => (RunState::Failed, None),
        None => (RunState::Failed, Some("a signal has ended it")),
    };
    End { state, exit_code, words: words.map(str::to_owned) }
}

async fn listen(from: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        line.truncate(LONGEST_LINE);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if to.send(text).await.is_err() {
            return;
        }
    }
}
