//! Editing a file while other programs may write it too.
//!
//! Invariant: an edit is made on the bytes that it replaces, and on nothing older: what another program has written
//! meanwhile is read again and edited anew, and where it cannot be edited it is put back and stays.

use std::path::Path;
use std::time::Duration;

use akia_core::profile::{File, FileKind};
use zeroize::Zeroizing;

use crate::files::{self, FileError, FileLock};
use crate::state::StateFolder;

/// How often a file that changes under us is read and edited anew.
const ATTEMPTS: u32 = 40;

/// How long a file that cannot be edited as it stands, or is empty, is given to become whole, look by look.
pub(crate) const LOOKS: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(37), Duration::from_millis(61)];

/// Replaces an AWS file by what `change` makes of it, as `edit_bytes` does.
pub fn edit<E: From<FileError>>(
    state: &StateFolder,
    path: &Path,
    kind: FileKind,
    change: impl Fn(&File) -> Result<File, E>,
) -> Result<File, E> {
    let change = |bytes: &[u8]| {
        let after = change(&File::parse(kind, bytes.to_vec()))?;
        Ok::<_, E>(Zeroizing::new(after.bytes().to_vec()))
    };
    let mut bytes = edit_bytes(state, path, change)?;
    Ok(File::parse(kind, std::mem::take(&mut *bytes)))
}

/// Replaces the bytes of a file by what `change` makes of them; `change` may be called several times. A file that does not
/// exist is an empty one, and is made with mode 0600. An edit that changes nothing writes nothing, but
/// makes durable what stands there. Gives the bytes as they were read back.
pub(crate) fn edit_bytes<E: From<FileError>>(
    state: &StateFolder,
    path: &Path,
    change: impl Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>, E>,
) -> Result<Zeroizing<Vec<u8>>, E> {
    edit_through(state, path, change, |lock, old, new| lock.replace(old, new).map(|_| ()))
}

/// What another program wrote into the file that we had just replaced: it stands nowhere else.
struct Overtaken {
    theirs: Zeroizing<Vec<u8>>,
    /// What we had written, and what stands in the file since.
    ours: Zeroizing<Vec<u8>>,
    /// Held until theirs is in the file again: another akia would write on the bytes that they never saw.
    lock: FileLock,
}

/// [`edit_bytes`] with the way to replace a file, which in tests another program overtakes.
fn edit_through<E: From<FileError>>(
    state: &StateFolder,
    path: &Path,
    change: impl Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>, E>,
    replace: impl Fn(&FileLock, Option<&[u8]>, &[u8]) -> Result<(), FileError>,
) -> Result<Zeroizing<Vec<u8>>, E> {
    let mut overtaken: Option<Overtaken> = None;
    let (mut doubted, mut looks): (Option<Zeroizing<Vec<u8>>>, usize) = (None, 0);
    let mut last = FileError::Changed { path: path.to_owned() };
    for attempt in 0..ATTEMPTS {
        let (theirs, ours, lock) = match overtaken.take() {
            Some(Overtaken { theirs, ours, lock }) => (Some(theirs), Some(ours), lock),
            None => (None, None, files::lock(state, path)?),
        };
        let before = match lock.read() {
            Ok(before) => before,
            Err(error) => {
                put_back(pending(theirs, ours, lock), &replace)?;
                return Err(error.into());
            }
        };
        // Where somebody has written once more, after they did, the later writer has the last word.
        let is_newer = |now: &Zeroizing<Vec<u8>>| !now.is_empty() && ours.as_ref() != Some(now);
        let theirs = theirs.filter(|_| !before.as_ref().is_some_and(is_newer));
        let base = theirs.clone().or_else(|| before.clone()).unwrap_or_default();
        let changed = change(&base);
        // A file that another program is just writing is empty or half for a moment: look again before judging. What
        // does not move is judged.
        let is_doubtful = changed.is_err() || before.as_ref().is_some_and(|before| before.is_empty());
        if is_doubtful {
            looks = if doubted.as_ref().is_some_and(|earlier| *earlier == base) { looks + 1 } else { 1 };
            if let Some(pause) = LOOKS.get(looks - 1) {
                doubted = Some(base);
                overtaken = pending(theirs, ours, lock);
                files::pause(*pause);
                continue;
            }
        }
        let after = match changed {
            Ok(after) => after,
            Err(error) => {
                put_back(pending(theirs, ours, lock), &replace)?;
                return Err(error);
            }
        };
        let old = before.as_ref().map(|bytes| bytes.as_slice());
        let done = match old {
            // Whoever has written it may have died before it was on the disk for good.
            Some(old) if old == after.as_slice() => lock.settle(),
            None if after.is_empty() => Ok(()),
            old => replace(&lock, old, &after),
        };
        match done {
            Ok(()) => return Ok(lock.read()?.unwrap_or_default()),
            Err(FileError::Overtaken { path, theirs }) => {
                overtaken = Some(Overtaken { theirs: theirs.0, ours: after, lock });
                last = FileError::Changed { path };
            }
            Err(error @ (FileError::Changed { .. } | FileError::ReadBack { .. })) => {
                overtaken = pending(theirs, ours, lock);
                last = error;
            }
            Err(error) => {
                put_back(pending(theirs, ours, lock), &replace)?;
                return Err(error.into());
            }
        }
        // Uneven pauses, so that we do not keep step with a program that writes in a loop.
        files::pause(Duration::from_millis(u64::from(attempt % 7) * 3 + 1));
    }
    put_back(overtaken, &replace)?;
    Err(last.into())
}

/// What has still to be put into the file. Where there is nothing, the lock ends here.
fn pending(theirs: Option<Zeroizing<Vec<u8>>>, ours: Option<Zeroizing<Vec<u8>>>, lock: FileLock) -> Option<Overtaken> {
    Some(Overtaken { theirs: theirs?, ours: ours?, lock })
}

/// Writes what the other program wrote over our edit of what it had read. Bytes that are newer than both stay.
fn put_back(
    mut overtaken: Option<Overtaken>,
    replace: &impl Fn(&FileLock, Option<&[u8]>, &[u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    for _ in 0..ATTEMPTS {
        let Some(Overtaken { theirs, ours, lock }) = overtaken else { return Ok(()) };
        match replace(&lock, Some(&ours), &theirs) {
            Ok(()) | Err(FileError::Changed { .. }) => return Ok(()),
            Err(FileError::Overtaken { theirs: newer, .. }) => {
                overtaken = Some(Overtaken { theirs: newer.0, ours: theirs, lock });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use akia_core::ProfileName;

    use super::*;
    use crate::files::LateBytes;

    const THEIRS: &str = "[work]\naws_access_key_id = theirs\n";

    #[derive(Debug)]
    enum Refused {
        Foreign,
        File(#[expect(dead_code, reason = "shown where a test fails")] FileError),
    }

    impl From<FileError> for Refused {
        fn from(error: FileError) -> Self {
            Self::File(error)
        }
    }

    struct Fixture {
        _temporary: tempfile::TempDir,
        state: StateFolder,
        path: PathBuf,
    }

    fn fixture(text: &str) -> Fixture {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&temporary.path().join("state")).unwrap();
        let path = temporary.path().join("credentials");
        fs::write(&path, text).unwrap();
        Fixture { _temporary: temporary, state, path }
    }

    fn set(file: &File, profile: &str, value: &str) -> File {
        file.set(&profile.parse::<ProfileName>().unwrap(), &[("aws_access_key_id", value)]).unwrap()
    }

    fn parsed(bytes: &[u8]) -> File {
        File::parse(FileKind::Credentials, bytes.to_vec())
    }

    fn bytes(file: &File) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(file.bytes().to_vec())
    }

    /// Replaces the file, and the first time another program writes into what was replaced.
    fn overtaken_once<'a>(
        first: &'a Cell<bool>,
        theirs: &'a str,
    ) -> impl Fn(&FileLock, Option<&[u8]>, &[u8]) -> Result<(), FileError> + 'a {
        move |lock, old, new| {
            lock.replace(old, new)?;
            if !first.replace(false) {
                return Ok(());
            }
            let theirs = LateBytes(Zeroizing::new(theirs.as_bytes().to_vec()));
            Err(FileError::Overtaken { path: "credentials".into(), theirs })
        }
    }

    #[test]
    fn what_another_program_wrote_at_the_same_moment_is_put_back_where_it_cannot_be_edited() {
        let fixture = fixture("[work]\naws_access_key_id = old\n");
        let work: ProfileName = "work".parse().unwrap();
        let change = |found: &[u8]| match parsed(found).value(&work, "aws_access_key_id").unwrap() {
            Some("theirs") => Err(Refused::Foreign),
            _ => Ok(bytes(&set(&parsed(found), "work", "new"))),
        };
        let first = Cell::new(true);
        let ended = edit_through(&fixture.state, &fixture.path, change, overtaken_once(&first, THEIRS));
        assert!(matches!(ended, Err(Refused::Foreign)), "{:?}", ended.err());
        assert_eq!(fs::read_to_string(&fixture.path).unwrap(), THEIRS);
    }

    #[test]
    fn what_another_program_wrote_at_the_same_moment_is_edited_anew() {
        let fixture = fixture("[work]\naws_access_key_id = old\n");
        let first = Cell::new(true);
        let theirs = "[work]\naws_access_key_id = old\n[other]\nregion = eu-west-1\n";
        let replace = overtaken_once(&first, theirs);
        let change = |found: &[u8]| Ok::<_, Refused>(bytes(&set(&parsed(found), "work", "new")));
        let after = edit_through(&fixture.state, &fixture.path, change, replace).unwrap();
        let both = "[work]\naws_access_key_id = new\n[other]\nregion = eu-west-1\n";
        assert_eq!(after.as_slice(), both.as_bytes());
        assert_eq!(fs::read_to_string(&fixture.path).unwrap(), both);
    }

    /// The AWS CLI opens the file with truncation, and may be held up before it writes.
    #[test]
    fn a_file_that_was_just_emptied_is_given_time_to_become_whole() {
        let fixture = fixture(THEIRS);
        let mut writer = fs::File::create(&fixture.path).unwrap();
        let change = |file: &File| Ok::<_, Refused>(set(file, "fresh", "new"));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(LOOKS[0] + LOOKS[1] / 2);
                writer.write_all(THEIRS.as_bytes()).unwrap();
            });
            edit(&fixture.state, &fixture.path, FileKind::Credentials, change).unwrap();
        });
        let text = fs::read_to_string(&fixture.path).unwrap();
        assert!(text.starts_with(THEIRS) && text.contains("[fresh]"), "{text}");
        // One that stays empty is an empty file.
        fs::write(&fixture.path, "").unwrap();
        edit(&fixture.state, &fixture.path, FileKind::Credentials, change).unwrap();
        assert_eq!(fs::read_to_string(&fixture.path).unwrap(), "[fresh]\naws_access_key_id = new\n");
    }
}
