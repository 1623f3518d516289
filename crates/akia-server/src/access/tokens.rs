//! The file of tokens: who comes in by one, and as what.
//!
//! Invariant: the file holds hashes, so that whoever reads it cannot come in with what it says; and it is read anew when it changes,
//! so that a line that is taken out shuts the door at once. A file that cannot be read lets nobody in.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use akia_core::settings::is_units_path;
use akia_io::files::{FileError, private_to_us, read_limited};
use subtle::ConstantTimeEq as _;

use super::session::{draw, hash};
use crate::DatabaseError;
use crate::sight::{Person, Role};

/// Longest file.
const LONGEST: u64 = 1 << 20;
/// Longest name.
const LONGEST_NAME: usize = 64;
/// What every token begins with, so that scanners know one.
const PREFIX: &str = "akia_";
/// What a hash begins with.
const ALGORITHM: &str = "sha256:";

/// The tokens of a file.
#[derive(Debug, Clone)]
pub struct Tokens {
    path: PathBuf,
    kept: Arc<RwLock<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    stamp: Option<Stamp>,
    entries: Vec<Entry>,
}

/// What shows that a file is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    node: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    person: Person,
    hash: String,
}

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It is not there.
    #[error("the file of tokens {path} is not there")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the file of tokens cannot be read: {0}")]
    File(#[from] FileError),
    /// The system does not tell about it.
    #[error("the file of tokens {path} cannot be looked at: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error("the file of tokens {path} can be used by others (mode {mode:04o}); it must be 0600")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is not what it should be.
    #[error("the file of tokens {path}, line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong; nothing of the line.
        what: &'static str,
    },
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not there, can be used by others, or holds what is no line of a token.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let stamp = Stamp::of(path).map_err(|source| io_error(path, source))?;
        let entries = read(path)?;
        Ok(Self { path: path.to_owned(), kept: Arc::new(RwLock::new(Kept { stamp: Some(stamp), entries })) })
    }

    /// Who a token stands for.
    pub(super) fn find(&self, token: &str) -> Option<Person> {
        self.read_again();
        let wanted = hash(token);
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        // All are compared, each in constant time, so that the time tells neither which one nor how much of it.
        for entry in &kept.entries {
            if bool::from(entry.hash.as_bytes().ct_eq(wanted.as_bytes())) {
                found = Some(entry.person.clone());
            }
        }
        found
    }

    /// Who has a token of that name now.
    pub(super) fn named(&self, name: &str) -> Option<Person> {
        self.read_again();
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.entries.iter().find(|entry| entry.person.name == name).map(|entry| entry.person.clone())
    }

    fn read_again(&self) {
        let stamp = Stamp::of(&self.path).ok();
        if stamp == self.kept.read().unwrap_or_else(PoisonError::into_inner).stamp {
            return;
        }
        let entries = read(&self.path).unwrap_or_else(|error| {
            tracing::error!(%error, "nobody comes in by a token until it is mended");
            Vec::new()
        });
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept { stamp, entries };
    }
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        let node = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let node = 0;
        Ok(Self { modified: metadata.modified().ok(), length: metadata.len(), node })
    }
}

/// A token that is new, and the line of the file that lets it in.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The token; shown once, and kept nowhere.
    pub token: String,
    /// The line.
    pub line: String,
}

/// Makes a token for somebody.
///
/// # Errors
/// When the name or a unit cannot stand in the file, or the system has no randomness.
pub fn new_token(person: &Person) -> Result<NewToken, NewTokenError> {
    if !is_name(&person.name) {
        return Err(NewTokenError::Name);
    }
    if person.units.iter().any(|unit| !is_units_path(unit) || unit.contains([';', '#', '\n', '\r'])) {
        return Err(NewTokenError::Unit);
    }
    let token = format!("{PREFIX}{}", draw()?);
    let mut line = format!("{} {} {ALGORITHM}{}", person.name, person.role, hash(&token));
    if !person.units.is_empty() {
        let _ = write!(line, " {}", person.units.join(";"));
    }
    Ok(NewToken { token, line })
}

/// Why there is no new token.
#[derive(Debug, thiserror::Error)]
pub enum NewTokenError {
    /// The name.
    #[error("the name of a token is made of letters, digits and -._@, {LONGEST_NAME} at most")]
    Name,
    /// A unit.
    #[error("a unit is its path from the root, for example Root/Prod")]
    Unit,
    /// Randomness.
    #[error(transparent)]
    Draw(#[from] DatabaseError),
}

fn is_name(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '@');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_fit)
}

fn io_error(path: &Path, source: io::Error) -> TokensError {
    if source.kind() == io::ErrorKind::NotFound {
        return TokensError::Missing { path: path.to_owned() };
    }
    TokensError::Io { path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<Entry>, TokensError> {
    let metadata = std::fs::metadata(path).map_err(|source| io_error(path, source))?;
    private_to_us(&metadata).map_err(|mode| TokensError::Open { path: path.to_owned(), mode })?;
    let bytes = read_limited(path, LONGEST)?.ok_or_else(|| TokensError::Missing { path: path.to_owned() })?;
    let wrong = |line: usize, what| TokensError::Line { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(1, "the file is not UTF-8 text"))?;
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = entry(line).map_err(|what| wrong(index + 1, what))?;
        if entries.iter().any(|other| other.person.name == entry.person.name || other.hash == entry.hash) {
            return Err(wrong(index + 1, "another line has the same name or the same token"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(line: &str) -> Result<Entry, &'static str> {
    let mut words = line.splitn(4, char::is_whitespace);
    let (Some(name), Some(role), Some(digest)) = (words.next(), words.next(), words.next()) else {
        return Err("write NAME ROLE sha256:HASH, and units behind it; akia serve token makes such a line");
    };
    if !is_name(name) {
        return Err("the name is not made of letters, digits and -._@, or is too long");
    }
    let role: Role = role.parse().map_err(|_| "the role is not owner, viewer, operator or admin")?;
    let digest = digest.strip_prefix(ALGORITHM).unwrap_or_default().to_ascii_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the third word is not sha256: and 64 hexadecimal digits; a token itself must not stand here");
    }
    let units: Vec<String> = match words.next().map(str::trim).filter(|units| !units.is_empty()) {
        None => Vec::new(),
        Some(units) => units.split(';').map(|unit| unit.trim().to_owned()).collect(),
    };
    if !units.iter().all(|unit| is_units_path(unit)) {
        return Err("a unit is its path from the root, for example Root/Prod; several are parted by ;");
    }
    Ok(Entry { person: Person { name: name.to_owned(), role, units }, hash: digest })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn person(name: &str, role: Role, units: &[&str]) -> Person {
        Person { name: name.to_owned(), role, units: units.iter().map(|unit| (*unit).to_owned()).collect() }
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_line_lets_its_token_in_and_a_line_that_is_gone_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let ci = person("ci", Role::Viewer, &["Root/Prod", "Root/Staging Area"]);
        let one = new_token(&ci).unwrap();
        let other = new_token(&person("ops@example.com", Role::Admin, &[])).unwrap();
        write(&path, &format!("# people\n{}\n\n{}\n", one.line, other.line), 0o600);
        let tokens = Tokens::open(&path).unwrap();
        assert_eq!(tokens.find(&one.token), Some(ci.clone()));
        assert_eq!(tokens.find(&other.token).unwrap().role, Role::Admin);
        let hash = one.line.split("sha256:").nth(1).unwrap().split(' ').next().unwrap();
        for wrong in ["", "akia_", hash, &one.token[..one.token.len() - 1], &format!("{} ", one.token)] {
            assert_eq!(tokens.find(wrong), None, "{wrong}");
        }
        assert!(!one.line.contains(&one.token));
        write(&path, &format!("{}\n", other.line), 0o600);
        assert_eq!((tokens.find(&one.token), tokens.named("ci")), (None, None));
        write(&path, "what is this", 0o600);
        assert_eq!(tokens.find(&other.token), None, "a file that makes no sense lets nobody in");
        fs::remove_file(&path).unwrap();
        assert_eq!(tokens.find(&other.token), None);
    }

    #[test]
    fn a_file_that_others_can_use_or_that_holds_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        assert!(matches!(Tokens::open(&path).unwrap_err(), TokensError::Missing { .. }));
        let line = new_token(&person("ci", Role::Viewer, &[])).unwrap().line;
        write(&path, &line, 0o640);
        assert!(Tokens::open(&path).unwrap_err().to_string().ends_with("(mode 0640); it must be 0600"));
        let token = new_token(&person("ci", Role::Viewer, &[])).unwrap().token;
        for (text, what) in [
            ("ci viewer".to_owned(), "line 1: write NAME"),
            (format!("\nci viewer {token}"), "line 2: the third word"),
            (line.replace("viewer", "root"), "the role is not"),
            (line.replace("ci ", "ci/x "), "the name is not"),
            (format!("{line}\n{line}"), "line 2: another line"),
            (format!("{line} Root//Prod"), "a unit is its path"),
        ] {
            write(&path, &text, 0o600);
            let error = Tokens::open(&path).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains(&token), "{error}");
        }
        assert!(matches!(new_token(&person("a b", Role::Viewer, &[])), Err(NewTokenError::Name)));
        assert!(matches!(new_token(&person("ab", Role::Viewer, &["Root;x"])), Err(NewTokenError::Unit)));
    }
}
