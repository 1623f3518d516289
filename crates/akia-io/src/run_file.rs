//! What an audit of many accounts has read so far, so that one that was killed goes on where it was.
//!
//! Invariant: a line is a whole account, and it is on the disk before it counts. A torn last line is cut off. The file is
//! removed when the run ends, and one that is older than a credential report would be is not taken up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use akia_core::digest;
use akia_core::estate::Estate;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::files::platform;
use crate::state::{Lock, LockError, StateFolder};

/// AWS serves a credential report for so long: what is older would be read anew anyway.
const KEPT: SignedDuration = SignedDuration::from_hours(4);
/// Longest line that is read: an account with 5,000 users is some 10 MB.
const LINE_LIMIT: u64 = 256 << 20;

/// Why the progress of a run cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The same run is under way elsewhere on this machine.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    schema: String,
    selection: String,
    started_at: Timestamp,
}

const SCHEMA: &str = "akia.audit-run/1";

/// The file of one run.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
    lines: Sender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
    _lock: Lock,
}

impl RunFile {
    /// Opens the file of the run that `selection` describes; each account that a killed run has finished is handed to
    /// `finished`, with the time at which that run began.
    ///
    /// # Errors
    /// When the same run is under way, or the file cannot be written.
    pub fn open(
        state: &StateFolder,
        selection: &str,
        now: Timestamp,
        fresh: bool,
        mut finished: impl FnMut(Timestamp, Estate),
    ) -> Result<Self, RunFileError> {
        let name = digest::short(selection);
        let lock = state.lock(&format!("audit-{name}"))?;
        let folder = state.path().join("audit-runs");
        let path = folder.join(format!("{name}.jsonl"));
        let failed = |source| RunFileError::Io { path: path.clone(), source };
        platform::create_private_folder(&folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        platform::private(&mut options);
        let mut file = options.open(&path).map_err(failed)?;
        let end = if fresh { 0 } else { take_up(&file, selection, now, &mut finished).map_err(failed)? };
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(failed)?;
        if end == 0 {
            let header = Header { schema: SCHEMA.to_owned(), selection: selection.to_owned(), started_at: now };
            file.write_all(&line(&header).map_err(failed)?).and_then(|()| file.sync_all()).map_err(failed)?;
            File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        let (lines, receiver) = channel();
        let writer = std::thread::spawn(move || write(&mut file, &receiver));
        Ok(Self { path, lines, writer, _lock: lock })
    }

    /// Writes an account down, soon: several share one sync.
    pub fn finished(&self, estate: &Estate) {
        // An account that is not written down is read again; a writer that has failed says so at the end.
        if let Ok(line) = line(&Finished { estate }) {
            let _ = self.lines.send(line);
        }
    }

    /// Ends the run: there is nothing to go on with.
    ///
    /// # Errors
    /// When something was not written, or the file cannot be removed.
    pub fn end(self) -> Result<(), RunFileError> {
        let Self { path, lines, writer, _lock } = self;
        drop(lines);
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("the writer has ended early")));
        let removed = fs::remove_file(&path);
        written.and(removed).map_err(|source| RunFileError::Io { path, source })
    }
}

#[derive(Serialize)]
struct Finished<'a> {
    estate: &'a Estate,
}

#[derive(Deserialize)]
struct Read {
    estate: Estate,
}

/// Hands over what is there, and says where the whole lines end; 0 where there is nothing to take up.
fn take_up(
    file: &File,
    selection: &str,
    now: Timestamp,
    finished: &mut impl FnMut(Timestamp, Estate),
) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    let mut end = read_line(&mut reader, &mut text)?;
    let Ok(header) = serde_json::from_slice::<Header>(&text) else { return Ok(0) };
    let is_ours = header.schema == SCHEMA && header.selection == selection;
    let age = now.duration_since(header.started_at);
    if !is_ours || age > KEPT || age.is_negative() {
        return Ok(0);
    }
    loop {
        let length = read_line(&mut reader, &mut text)?;
        if length == 0 {
            return Ok(end);
        }
        // Whatever cannot be read ends what is taken up.
        let Ok(Read { estate }) = serde_json::from_slice(&text) else { return Ok(end) };
        finished(header.started_at, estate);
        end += length;
    }
}

/// A whole line; 0 at the end, and where the last line is torn.
fn read_line(reader: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<u64> {
    text.clear();
    let length = io::Read::take(&mut *reader, LINE_LIMIT).read_until(b'\n', text)?;
    Ok(if text.ends_with(b"\n") { length as u64 } else { 0 })
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn write(file: &mut File, lines: &Receiver<Vec<u8>>) -> io::Result<()> {
    while let Ok(first) = lines.recv() {
        let batch: Vec<u8> = std::iter::once(first).chain(lines.try_iter()).flatten().collect();
        file.write_all(&batch)?;
        file.sync_data()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use akia_core::estate::{Account, Known};

    use super::*;

    fn estate(id: &str) -> Estate {
        Estate {
            account: Account::bare(id.parse().unwrap()),
            as_of: Timestamp::UNIX_EPOCH,
            root: Known::Unknown { reason: "a test".to_owned() },
            users: Vec::new(),
            gaps: std::collections::BTreeSet::new(),
        }
    }

    /// The accounts that a new run takes up.
    fn taken_up(state: &StateFolder, selection: &str, now: Timestamp, fresh: bool) -> (RunFile, Vec<String>) {
        let mut accounts = Vec::new();
        let run = RunFile::open(state, selection, now, fresh, |_, estate| accounts.push(estate.account.id.to_string()));
        (run.unwrap(), accounts)
    }

    /// Leaves the file as a kill does, with everything written that was sent.
    fn killed(run: RunFile) {
        drop(run.lines);
        run.writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_killed_run_goes_on_where_it_was_and_a_torn_line_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let now: Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
        let (run, accounts) = taken_up(&state, "x", now, false);
        assert!(accounts.is_empty());
        run.finished(&estate("111122223333"));
        run.finished(&estate("444455556666"));
        let path = run.path.clone();
        killed(run);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 3);
        fs::write(&path, bytes).unwrap();

        let (run, accounts) = taken_up(&state, "x", now + SignedDuration::from_hours(1), false);
        assert_eq!(accounts, ["111122223333"]);
        assert!(matches!(RunFile::open(&state, "x", now, false, |_, _| ()), Err(RunFileError::Lock(_))));
        run.finished(&estate("777788889999"));
        killed(run);
        let (run, accounts) = taken_up(&state, "x", now, false);
        assert_eq!(accounts, ["111122223333", "777788889999"], "the torn line is overwritten");
        killed(run);
        let (run, accounts) = taken_up(&state, "another selection", now, false);
        assert!(accounts.is_empty());
        run.end().unwrap();
        let (run, accounts) = taken_up(&state, "x", now + KEPT + SignedDuration::from_secs(1), false);
        assert!(accounts.is_empty(), "too old");
        run.finished(&estate("111122223333"));
        killed(run);
        let (run, accounts) = taken_up(&state, "x", now + KEPT, true);
        assert!(accounts.is_empty(), "not wanted");
        run.end().unwrap();
        assert!(!path.exists());
    }
}
