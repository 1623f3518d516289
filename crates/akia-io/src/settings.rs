//! Finds and reads `akia.toml`.
//!
//! Invariant: a file counts only where the person, or the person's own configuration folder, holds it. The working directory
//! is never searched: whoever can change a repository could weaken an audit that is run there.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use akia_core::settings::{Settings, SettingsError};

use crate::files::{FileError, platform, read_limited};

/// The name of the file.
pub const FILE_NAME: &str = "akia.toml";
/// The variable that names it.
pub const VARIABLE: &str = "AKIA_CONFIG";
/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Settings, and the file that they stand in; without one, the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// What holds.
    pub settings: Settings,
    /// The file that was read.
    pub path: Option<PathBuf>,
}

/// Why the settings cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that was named is not there.
    #[error("the settings {path} are not there; {by} names them")]
    Missing {
        /// The file.
        path: PathBuf,
        /// `--config` or `AKIA_CONFIG`.
        by: &'static str,
    },
    /// It cannot be read.
    #[error("the settings cannot be read: {0}")]
    File(#[from] FileError),
    /// It cannot be looked at.
    #[error("the settings {path} cannot be looked at: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It was found, not named, and somebody else could have written it.
    #[error("the settings {path} {why}, and could weaken an audit")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Who could have written it.
        why: String,
    },
    /// It is not UTF-8.
    #[error("the settings {path} are not UTF-8 text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It says something that makes no sense.
    #[error("the settings {path}, {source}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// What, and where.
        source: SettingsError,
    },
}

impl LoadError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { by, .. } => format!("name a file that is there, or leave {by} out"),
            Self::File(error) => error.hint(),
            Self::Io { .. } => "name another file with --config".to_owned(),
            Self::NotOurs { path, .. } => format!(
                "look at what it says, then make it yours alone (chown, chmod o-w), or name it: --config '{}'",
                path.display()
            ),
            Self::NotText { .. } | Self::Bad { .. } => {
                "mend that line; docs/settings.md has every key, --config /dev/null reads no file".to_owned()
            }
        }
    }
}

/// Reads the file that is named, else the one that the variable names, else that of the configuration folder.
///
/// # Errors
/// When a named file is not there, and when a file cannot be read, makes no sense, or could be another person's word.
pub fn load(named: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Loaded, LoadError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = named.map(|path| (path.to_owned(), "--config")).or_else(|| Some((set(VARIABLE)?, VARIABLE)));
    match named {
        Some((path, by)) => match read_limited(&path, MAX_BYTES)? {
            Some(bytes) => parse(path, &bytes),
            // The null device is how people say "no file".
            None if path.exists() => Ok(Loaded::default()),
            None => Err(LoadError::Missing { path, by }),
        },
        None => {
            let Some(path) = default_path(set) else { return Ok(Loaded::default()) };
            match read_limited(&path, MAX_BYTES)? {
                Some(bytes) => {
                    refuse_foreign(&path)?;
                    parse(path, &bytes)
                }
                None => Ok(Loaded::default()),
            }
        }
    }
}

/// `$XDG_CONFIG_HOME/akia/akia.toml`, else that of the home folder.
fn default_path(set: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification has relative values ignored.
    let folder = match set("XDG_CONFIG_HOME").filter(|base| base.is_absolute()) {
        Some(base) => base,
        None if cfg!(windows) => set("APPDATA")?,
        None if cfg!(target_os = "macos") => set("HOME")?.join("Library/Application Support"),
        None => set("HOME")?.join(".config"),
    };
    Some(folder.join("akia").join(FILE_NAME))
}

/// The system's administrator may write for everybody; a group of one's own is common (umask 002).
fn refuse_foreign(path: &Path) -> Result<(), LoadError> {
    let metadata = fs::metadata(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    let refused = |why: String| Err(LoadError::NotOurs { path: path.to_owned(), why });
    if let (Some(owner), Some(us)) = (platform::owner(&metadata), platform::effective_user())
        && owner != us
        && owner != 0
    {
        return refused(format!("belong to user id {owner}, and akia runs as user id {us}"));
    }
    match platform::mode(&metadata) {
        Some(mode) if mode & 0o002 != 0 => refused(format!("can be written by everybody (mode {mode:04o})")),
        Some(_) | None => Ok(()),
    }
}

fn parse(path: PathBuf, bytes: &[u8]) -> Result<Loaded, LoadError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(LoadError::NotText { path }) };
    match Settings::parse(text) {
        Ok(settings) => Ok(Loaded { settings, path: Some(path) }),
        Err(source) => Err(LoadError::Bad { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, days: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[audit]\nmax-age = \"{days}d\"\n")).unwrap();
    }

    fn days(loaded: &Loaded) -> i64 {
        loaded.settings.audit.base.max_age.as_hours() / 24
    }

    #[test]
    fn the_file_is_found_in_the_documented_order_and_never_beside_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let variables = |pairs: &[(&'static str, PathBuf)]| {
            let pairs = pairs.to_vec();
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone().into_os_string())
            }
        };
        let home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
        write(&path("flag.toml"), 1);
        write(&path("variable.toml"), 2);
        write(&path("xdg/akia/akia.toml"), 3);
        write(&path(&format!("{home}/akia/akia.toml")), 4);
        write(&path("akia.toml"), 5);
        let all = [
            ("AKIA_CONFIG", path("variable.toml")),
            ("XDG_CONFIG_HOME", path("xdg")),
            ("HOME", folder.path().to_owned()),
        ];
        let found = |named: Option<&Path>, from: usize| days(&load(named, variables(&all[from..])).unwrap());
        assert_eq!(found(Some(&path("flag.toml")), 0), 1);
        assert_eq!([0, 1, 2].map(|from| found(None, from)), [2, 3, 4]);
        assert_eq!(load(None, |_| None).unwrap(), Loaded::default(), "not even the one in the folder that we stand in");
        assert_eq!(load(Some(Path::new("/dev/null")), variables(&all)).unwrap(), Loaded::default());
        let missing = load(Some(&path("none.toml")), variables(&all)).unwrap_err();
        assert!(matches!(missing, LoadError::Missing { by: "--config", .. }), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everybody_can_write_counts_only_where_it_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("akia/akia.toml");
        write(&path, 400);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let xdg = |name: &str| (name == "XDG_CONFIG_HOME").then(|| folder.path().as_os_str().to_owned());
        let refused = load(None, xdg).unwrap_err();
        assert!(refused.to_string().contains("can be written by everybody"), "{refused}");
        assert_eq!(days(&load(Some(&path), xdg).unwrap()), 400);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(days(&load(None, xdg).unwrap()), 400);
    }
}
