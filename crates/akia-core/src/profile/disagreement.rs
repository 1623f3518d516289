//! Where the two readers part: what is said about it, and never a value, which may be a secret.

use std::fmt;

use super::FileKind;
use super::readers::{Entry, Fault};
use crate::ids::ProfileName;

/// A program that reads AWS files, as far as reading them differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// The AWS SDK for Rust, whose rules are those of the SDKs' common specification.
    Sdk,
    /// The AWS CLI and boto3, which share botocore.
    Cli,
}

impl fmt::Display for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sdk => "the AWS SDK for Rust",
            Self::Cli => "the AWS CLI",
        })
    }
}

/// A fault in a file that makes at least one reader refuse all of it, every profile included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: FileKind,
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong, without the line's content.
    pub fault: Fault,
    /// The readers that refuse the file for it; never empty.
    pub readers: Vec<Reader>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, fault, readers } = self;
        let who = readers.iter().map(Reader::to_string).collect::<Vec<_>>().join(" and ");
        write!(formatter, "{file}, line {line}: {fault}; {who} cannot read any profile because of it")
    }
}

/// The two readers do not agree on a profile, or cannot both read it, so that akia does not edit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("profile {:?} in the {file}, line {line}: {difference}", profile.as_str())]
pub struct Disagreement {
    /// The file.
    pub file: FileKind,
    /// The profile at stake.
    pub profile: ProfileName,
    /// Line number, from 1: of the key, the header or the faulty line.
    pub line: usize,
    /// What each reader sees.
    pub difference: Difference,
}

/// How two readers differ on a profile. No variant holds a value: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A line, anywhere in the file, that makes a reader refuse all of it.
    #[error("{fault}; {} cannot read any profile because of it", readers.iter().map(Reader::to_string).collect::<Vec<_>>().join(" and "))]
    Malformed {
        /// What is wrong.
        fault: Fault,
        /// The readers that refuse the file.
        readers: Vec<Reader>,
    },
    /// They take the profile from different sections.
    #[error(
        "the AWS SDK for Rust reads it from the section on line {}, the AWS CLI from the one on line {cli}",
        numbers(sdk)
    )]
    Sections {
        /// Header lines of the sections that the SDK merges.
        sdk: Vec<usize>,
        /// Header line of the section that the CLI takes.
        cli: usize,
    },
    /// Sections of one profile that the SDK merges in no fixed order.
    #[error("the AWS SDK for Rust merges the sections on lines {} in no fixed order", numbers(sdk))]
    Merged {
        /// Their header lines.
        sdk: Vec<usize>,
    },
    /// `[DEFAULT]` in capitals: a profile to the SDK, to the CLI the keys that every section inherits.
    #[error("the AWS SDK for Rust takes [DEFAULT] for a profile; to the AWS CLI, every section inherits its keys")]
    Defaults,
    /// They put the key of the profile together from different files.
    #[error("the AWS SDK for Rust takes {key} from {}, the AWS CLI from {}", place(*sdk), place(*cli))]
    KeyFiles {
        /// Which part of it.
        key: &'static str,
        /// Where the SDK takes it from.
        sdk: Option<FileKind>,
        /// Where the CLI takes it from.
        cli: Option<FileKind>,
    },
    /// They take the credentials from different settings of the profile.
    #[error("the AWS SDK for Rust takes the credentials from {sdk}, the AWS CLI from {cli}")]
    Provider {
        /// The setting that the SDK goes by.
        sdk: &'static str,
        /// The setting that the CLI goes by.
        cli: &'static str,
    },
    /// They read a key differently.
    #[error("the AWS SDK for Rust sees {sdk} in {key}, the AWS CLI {cli}{}", if *comment { " (the CLI takes the comment behind a value for a part of it)" } else { "" })]
    Value {
        /// The key.
        key: String,
        /// What the SDK sees.
        sdk: Seen,
        /// What the CLI sees.
        cli: Seen,
        /// Whether a comment behind the value is the reason, the most common one.
        comment: bool,
    },
}

fn place(file: Option<FileKind>) -> String {
    file.map_or_else(|| "nowhere".to_owned(), |file| format!("the {file}"))
}

fn numbers(lines: &[usize]) -> String {
    lines.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// What a reader sees in a key, without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The key is not there.
    Nothing,
    /// A value of so many characters on so many lines.
    Text {
        /// Its length in characters.
        characters: usize,
        /// The lines that it stands on.
        lines: usize,
    },
    /// A nested block.
    Block,
}

impl Seen {
    pub(super) fn of(entry: Option<&Entry>, text: &str) -> Self {
        match entry {
            None => Self::Nothing,
            Some(entry) if entry.is_block() => Self::Block,
            Some(entry) => {
                let value = entry.value(text);
                Self::Text { characters: value.chars().count(), lines: value.split('\n').count() }
            }
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("nothing"),
            Self::Text { characters: 1, .. } => formatter.write_str("1 character"),
            Self::Text { characters, lines: 1 } => write!(formatter, "{characters} characters"),
            Self::Text { characters, lines } => write!(formatter, "{characters} characters on {lines} lines"),
            Self::Block => formatter.write_str("a nested block"),
        }
    }
}

/// Which readers see a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeenBy {
    /// Both.
    Both,
    /// The SDK for Rust alone.
    SdkOnly,
    /// The AWS CLI alone: for example a name with a space or beyond ASCII.
    CliOnly,
}

#[cfg(test)]
mod tests {
    use super::super::{File, FileKind};
    use super::*;

    #[test]
    fn what_a_reader_sees_is_told_without_repeating_it() {
        let text = "[a]\ns3 =\n  max = 1\nregion = xyz\n";
        let file = File::parse(FileKind::Credentials, text);
        let seen = |key: &str| Seen::of(file.cli().entry(text, "a", key), text).to_string();
        assert_eq!(seen("s3"), "a nested block");
        assert_eq!(seen("region"), "3 characters");
        assert_eq!(seen("output"), "nothing");
    }
}
