//! Where a leaked key stands.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which part of a thing holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What a file holds.
    Content,
    /// The name of a file, folder or archive member.
    Name,
    /// The message of a commit.
    CommitMessage,
    /// The author or committer of a commit, or the tagger of a tag.
    Author,
    /// Any other header of a commit or tag.
    Header,
    /// The message of an annotated tag.
    TagMessage,
    /// The name of a branch, tag or other ref.
    RefName,
    /// A line of a reflog.
    Reflog,
    /// A setting of git: `.git/config`, `.gitmodules`, hooks.
    Settings,
    /// A variable of the environment: of a process, a function, a container, a build.
    Variable,
    /// The user data of an instance or a launch template.
    UserData,
    /// A parameter that is not encrypted.
    Parameter,
    /// A block of a disk.
    Block,
}

/// How a commit can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It stands in the commit that is checked out.
    Head,
    /// A branch, tag or other ref leads to it; HEAD no longer holds it.
    Refs,
    /// A stash leads to it.
    Stash,
    /// Only a reflog leads to it.
    Reflog,
    /// It is staged and was never committed.
    Index,
    /// Nothing leads to it; git deletes it some day.
    Dangling,
}

/// Where in the history of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GitPlace {
    /// The object that holds the key: a blob, commit or tag, in hexadecimal digits. None for what is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The earliest commit that holds it, by the committer's date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who wrote that commit: `Name <mail>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When that commit was written, as its author says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// The latest commit that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<String>,
    /// When that one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// How it can be reached.
    pub reach: Reach,
}

/// Where a leaked key stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// What was scanned, as it was named: a folder, repository or image, `-`, `snap-…`.
    pub source: String,
    /// The file within it, `/`-separated; a member of an archive behind `!`, as in `backup.tar.gz!home/.aws/credentials`.
    /// Empty where the source is one file; `!member` where it is one archive.
    pub path: String,
    /// Which part of it.
    pub part: Part,
    /// The line, counted from 1, where the part has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The byte, counted from 0, where the part has no lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Where in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitPlace>,
}

impl Place {
    /// The file as people and tools know it: seen from where the scan was started, where that can be told.
    #[must_use]
    pub fn file(&self) -> Cow<'_, str> {
        let (source, path) = (self.source.as_str(), self.path.as_str());
        let is_elsewhere = source == "." || source.starts_with('/') || source.contains("://");
        match path {
            "" => source.into(),
            // A member of an archive that was named itself.
            member if member.starts_with('!') => format!("{source}{member}").into(),
            path if is_elsewhere => path.into(),
            path => format!("{}/{path}", source.trim_end_matches('/')).into(),
        }
    }

    /// A place in a file.
    #[must_use]
    pub fn in_file(source: impl Into<String>, path: impl Into<String>, line: u64) -> Self {
        Self {
            source: source.into(),
            path: path.into(),
            part: Part::Content,
            line: Some(line),
            offset: None,
            git: None,
        }
    }
}
