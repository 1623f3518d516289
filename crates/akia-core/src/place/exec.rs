//! A program that keeps a key wherever its owner wants: `docs/place-protocol.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;

/// A program that speaks the protocol `akia-place/1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExecPlace {
    /// The program and its arguments; no shell reads them.
    pub command: ExecCommand,
    /// How long one run may take; 60.
    #[serde(default)]
    pub timeout_seconds: ExecTimeout,
}

/// A program by its absolute path, or by its name on the PATH, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "Vec<String>"))]
pub struct ExecCommand(Vec<String>);

/// A time in seconds, at most ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "u64"))]
pub struct ExecTimeout(u64);

/// Why a program cannot be a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecPlaceError {
    /// Nothing to run.
    #[error("command names no program: command = [\"/usr/local/bin/PROGRAM\", \"ARGUMENT\"]")]
    Empty,
    /// A path that depends on where akia runs.
    #[error("{0:?} depends on the folder that akia runs in: write the absolute path of the program")]
    Relative(String),
    /// No time at all, or too much.
    #[error("timeout-seconds is {0}; it goes from 1 to 600")]
    Timeout(u64),
}

impl ExecCommand {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What it is called with.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl TryFrom<Vec<String>> for ExecCommand {
    type Error = ExecPlaceError;

    fn try_from(command: Vec<String>) -> Result<Self, ExecPlaceError> {
        match command.first() {
            Some(program) if program.contains('/') && !program.starts_with('/') => {
                Err(ExecPlaceError::Relative(program.clone()))
            }
            Some(program) if !program.is_empty() => Ok(Self(command)),
            Some(_) | None => Err(ExecPlaceError::Empty),
        }
    }
}

impl From<ExecCommand> for Vec<String> {
    fn from(command: ExecCommand) -> Self {
        command.0
    }
}

impl Default for ExecTimeout {
    fn default() -> Self {
        Self(60)
    }
}

impl ExecTimeout {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for ExecTimeout {
    type Error = ExecPlaceError;

    fn try_from(seconds: u64) -> Result<Self, ExecPlaceError> {
        if (1..=600).contains(&seconds) { Ok(Self(seconds)) } else { Err(ExecPlaceError::Timeout(seconds)) }
    }
}

impl From<ExecTimeout> for u64 {
    fn from(timeout: ExecTimeout) -> Self {
        timeout.0
    }
}

impl Described for ExecPlace {
    fn spot(&self) -> String {
        Vec::from(self.command.clone()).join(" ")
    }
}

impl fmt::Display for ExecPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "place of program {}", self.command.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_so_that_it_is_the_same_everywhere() {
        let read = |text: &str| toml::from_str::<ExecPlace>(text).map_err(|error| error.message().to_owned());
        let place = read("command = [\"/opt/keep\", \"billing\"]").unwrap();
        assert_eq!(
            (place.to_string().as_str(), place.timeout_seconds.seconds()),
            ("place of program /opt/keep billing", 60)
        );
        for (text, words) in [
            ("command = []", "command names no program"),
            ("command = [\"\"]", "command names no program"),
            ("command = [\"./keep\"]", "\"./keep\" depends on the folder"),
            ("command = [\"keep\"]\ntimeout-seconds = 0", "timeout-seconds is 0; it goes from 1 to 600"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
