//! One AWS file, read without loss and edited without collateral.
//!
//! Invariants: [`File::bytes`] are the bytes that were parsed; an edit changes the bytes of the edited values and, for a
//! new key or section, adds its lines; an edit is refused unless both readers then see exactly what was asked for, and
//! nothing else differently.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::FileKind;
use super::line::{BYTE_ORDER_MARK, SDK_SPACE, shell_quoted};
use super::readers::{
    Entry, Fault, Reading, SectionRead, SeenAs, block_lines, is_identifier, names_in_order, read_as_cli, read_as_sdk,
};
use crate::ids::ProfileName;
use crate::secret::{SecretAccessKey, SecretError};

/// Bytes of one AWS file, with what both readers see in them. Cheap to clone.
#[derive(Clone)]
pub struct File(Arc<Parsed>);

struct Parsed {
    kind: FileKind,
    content: Content,
    sdk: Reading,
    cli: Reading,
    problems: Vec<Problem>,
}

/// The bytes, and the text that the readers see in them.
enum Content {
    Text(Zeroizing<String>),
    /// Not UTF-8, or too large: `seen` is a lossy text, or empty, and is never written.
    Bytes {
        raw: Zeroizing<Vec<u8>>,
        seen: Zeroizing<String>,
    },
}

impl Content {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bytes { seen, .. } => seen,
        }
    }
}

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
    fn of(entry: Option<&Entry>, text: &str) -> Self {
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

/// Why a file was not edited. It is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A line makes a reader refuse the whole file.
    #[error("{0}; repair the line first")]
    Malformed(Problem),
    /// The readers do not agree on the profile.
    #[error("{0}; make it plain first")]
    Disagreement(Disagreement),
    /// The value in the file goes on below its line.
    #[error("profile {:?} in the {file}, line {line}: the value of {key} goes on on the next line; put it on one line first", profile.as_str())]
    MultiLine {
        /// The file.
        file: FileKind,
        /// The profile.
        profile: ProfileName,
        /// The key.
        key: String,
        /// Its line number, from 1.
        line: usize,
    },
    /// Not a key that both readers accept.
    #[error("{key:?} is not a key for an AWS file (letters, digits and _ - / . % @ : +)")]
    Key {
        /// What was given.
        key: String,
    },
    /// A value that the file cannot hold.
    #[error("the new value of {key} {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// The readers would not see in the edited file what was asked for, or see something else change.
    #[error("profile {:?} cannot be written to the {file} so that the AWS SDK for Rust and the AWS CLI both read it back", profile.as_str())]
    NotReadBack {
        /// The file.
        file: FileKind,
        /// The profile.
        profile: ProfileName,
    },
}

/// A section as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// What stands between the brackets.
    pub header: &'a str,
    /// Line number of the header, from 1.
    pub line: usize,
    /// What the SDK for Rust takes it for; `None` if it sees no header there.
    pub sdk: Option<&'a SeenAs>,
    /// What the AWS CLI takes it for; `None` if it sees no header there.
    pub cli: Option<&'a SeenAs>,
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

impl File {
    /// Longest file that is read, in bytes. Longer ones are kept as they are, and nothing is seen in them.
    pub const MAX_LENGTH: usize = 64 * 1024 * 1024;

    /// Takes any bytes. What is wrong with them is in [`File::problems`].
    #[must_use]
    pub fn parse(kind: FileKind, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Vec<u8> = bytes.into();
        let (content, unreadable) = if bytes.len() > Self::MAX_LENGTH {
            let content = Content::Bytes { raw: Zeroizing::new(bytes), seen: Zeroizing::default() };
            (content, Some((1, Fault::TooLarge)))
        } else {
            match String::from_utf8(bytes) {
                Ok(text) => {
                    let mark = text.starts_with(BYTE_ORDER_MARK).then_some((1, Fault::ByteOrderMark));
                    (Content::Text(Zeroizing::new(text)), mark)
                }
                Err(error) => {
                    let valid = error.utf8_error().valid_up_to();
                    let raw = Zeroizing::new(error.into_bytes());
                    let line = 1 + raw[..valid].iter().filter(|&&byte| byte == b'\n').count();
                    let seen = Zeroizing::new(String::from_utf8_lossy(&raw).into_owned());
                    (Content::Bytes { raw, seen }, Some((line, Fault::NotUtf8)))
                }
            }
        };
        let (sdk, cli) = (read_as_sdk(content.text(), kind), read_as_cli(content.text(), kind));
        let problems = problems(kind, unreadable, &sdk, &cli);
        Self(Arc::new(Parsed { kind, content, sdk, cli, problems }))
    }

    /// Which of the two files it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.0.kind
    }

    /// The bytes, as they were parsed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0.content {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes { raw, .. } => raw,
        }
    }

    /// What makes a reader refuse the whole file, by line; at most 100 for each reader.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// Every section header that a reader sees, in file order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        let mut all: Vec<Section<'_>> = Vec::new();
        let (mut sdk, mut cli) = (self.0.sdk.sections.iter().peekable(), self.0.cli.sections.iter().peekable());
        let start = |section: &SectionRead| section.whole.range().start;
        loop {
            let next = [sdk.peek().map(|s| start(s)), cli.peek().map(|s| start(s))].into_iter().flatten().min();
            let Some(next) = next else { break };
            let by_sdk = sdk.next_if(|section| start(section) == next);
            let by_cli = cli.next_if(|section| start(section) == next);
            if let Some(either) = by_cli.or(by_sdk) {
                all.push(Section {
                    header: either.header.text(self.text()),
                    line: either.line,
                    sdk: by_sdk.map(|section| &section.seen_as),
                    cli: by_cli.map(|section| &section.seen_as),
                });
            }
        }
        all.into_iter()
    }

    /// The profiles that at least one reader sees, in file order. Names that no [`ProfileName`] can be are left out:
    /// no tool takes them on its command line without harm (blank at an end, a line break, `]`).
    #[must_use]
    pub fn profiles(&self) -> Vec<ProfileName> {
        names_in_order(&self.0.sdk, &self.0.cli).into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Which readers see a profile; `None` if neither does.
    #[must_use]
    pub fn seen_by(&self, profile: &ProfileName) -> Option<SeenBy> {
        match (self.0.sdk.sees(profile.as_str()), self.0.cli.sees(profile.as_str())) {
            (true, true) => Some(SeenBy::Both),
            (true, false) => Some(SeenBy::SdkOnly),
            (false, true) => Some(SeenBy::CliOnly),
            (false, false) => None,
        }
    }

    /// Line number of the section that holds a profile, from 1.
    #[must_use]
    pub fn line_of(&self, profile: &ProfileName) -> Option<usize> {
        self.leading(profile).and_then(|reading| reading.sections_of(profile.as_str()).next_back()).map(|s| s.line)
    }

    /// The value of a key as both readers see it, or as the only one that sees the profile does.
    ///
    /// A value of several lines is joined with line feeds; a nested block starts with one. Keys in a block are not keys.
    ///
    /// # Errors
    /// Where the readers see different values, or one of them cannot read the file.
    pub fn value(&self, profile: &ProfileName, key: &str) -> Result<Option<&str>, Disagreement> {
        self.check_readable(profile)?;
        self.check_sections(profile)?;
        let key = key.to_ascii_lowercase();
        self.check_value(profile, &key)?;
        Ok(self.shown_value(profile, &key))
    }

    /// The first difference between the two readers on this profile, or the fault that keeps one from reading it.
    #[must_use]
    pub fn disagreement(&self, profile: &ProfileName) -> Option<Disagreement> {
        self.check(profile).err()
    }

    /// Sets values in one profile: an existing value is replaced, a missing key is added behind the last one of the
    /// section in the section's style, a missing section is appended. All or nothing.
    ///
    /// # Errors
    /// Where the readers disagree on the profile, the file is malformed, or the result would not read back.
    pub fn set(&self, profile: &ProfileName, values: &[(&str, &str)]) -> Result<Self, EditError> {
        for (key, value) in values {
            check_input(key, value)?;
        }
        let keys: Vec<&str> = values.iter().map(|&(key, _)| key).collect();
        self.check_editable(profile)?;
        let text = self.text();
        let mut edits: Vec<Edit> = Vec::new();
        let mut missing: Vec<(&str, &str)> = Vec::new();
        let section = self.leading(profile).and_then(|reading| reading.sections_of(profile.as_str()).next_back());
        for &(key, value) in values {
            let found = section.and_then(|section| section.entries.iter().find(|entry| entry.name(text) == key));
            match found {
                Some(entry) if entry.more.is_some() => {
                    let (profile, key, line) = (profile.clone(), key.to_owned(), entry.line as usize);
                    return Err(EditError::MultiLine { file: self.kind(), profile, key, line });
                }
                Some(entry) => edits.push(replacement(entry, text, value)),
                None => missing.push((key, value)),
            }
        }
        if !missing.is_empty() {
            edits.push(match section {
                Some(section) => added_keys(section, text, &missing),
                None => self.added_section(profile, &missing),
            });
        }
        let edited = self.with(edits);
        let asked: Vec<(&str, Option<&str>)> = values.iter().map(|&(key, value)| (key, Some(value))).collect();
        self.confirm(&edited, profile, &keys, &asked).map(|()| edited)
    }

    /// Removes keys of one profile with their lines. Keys that are not there are no error.
    ///
    /// # Errors
    /// As [`File::set`].
    pub fn remove(&self, profile: &ProfileName, keys: &[&str]) -> Result<Self, EditError> {
        for key in keys {
            check_input(key, "x")?;
        }
        self.check_editable(profile)?;
        let text = self.text();
        let Some(section) = self.leading(profile).and_then(|reading| reading.sections_of(profile.as_str()).next_back())
        else {
            return Ok(self.clone());
        };
        let removed = section.entries.iter().filter(|entry| keys.contains(&entry.name(text).as_ref()));
        let lines = removed.flat_map(|entry| {
            std::iter::once(entry.whole).chain(entry.more.iter().flat_map(|more| more.lines.iter().copied()))
        });
        let edits = lines.map(|line| Edit { at: line.range(), new: Zeroizing::default() }).collect();
        let edited = self.with(edits);
        let asked: Vec<(&str, Option<&str>)> = keys.iter().map(|&key| (key, None)).collect();
        self.confirm(&edited, profile, keys, &asked).map(|()| edited)
    }

    /// The text that the readers see.
    pub(super) fn text(&self) -> &str {
        self.0.content.text()
    }

    /// The reading that a profile is taken from: the CLI's where it sees the profile, else the SDK's.
    pub(super) fn leading(&self, profile: &ProfileName) -> Option<&Reading> {
        [&self.0.cli, &self.0.sdk].into_iter().find(|reading| reading.sees(profile.as_str()))
    }

    /// What the AWS CLI sees in a file.
    pub(super) fn cli(&self) -> &Reading {
        &self.0.cli
    }

    /// What the SDK for Rust sees in a file.
    pub(super) fn sdk(&self) -> &Reading {
        &self.0.sdk
    }

    /// The value as the leading reader sees it, whatever the other sees: to show, not to act on.
    pub(super) fn shown_value(&self, profile: &ProfileName, key: &str) -> Option<&str> {
        let entry = self.leading(profile)?.entry(self.text(), profile.as_str(), key)?;
        Some(entry.value(self.text()))
    }

    fn check(&self, profile: &ProfileName) -> Result<(), Disagreement> {
        self.check_readable(profile)?;
        self.check_sections(profile)?;
        if self.seen_by(profile) == Some(SeenBy::Both) {
            let text = self.text();
            let name = profile.as_str();
            let (sdk, cli) = (self.0.sdk.own_entries(text, name), self.0.cli.own_entries(text, name));
            // In file order, so that the first difference is named.
            let own = [&self.0.sdk, &self.0.cli].into_iter().flat_map(|r| r.sections_of(name)).flat_map(|s| &s.entries);
            for key in own.map(|entry| entry.name(text)) {
                let by_cli = cli.get(&key).copied().or_else(|| self.0.cli.inherited_entry(&key));
                self.check_entries(profile, &key, sdk.get(&key).copied(), by_cli)?;
            }
            for (key, entry) in self.0.cli.inherited() {
                if !cli.contains_key(key) {
                    self.check_entries(profile, key, sdk.get(key).copied(), Some(entry))?;
                }
            }
        }
        Ok(())
    }

    fn check_readable(&self, profile: &ProfileName) -> Result<(), Disagreement> {
        match self.0.problems.first() {
            None => Ok(()),
            Some(Problem { line, fault, readers, .. }) => {
                let difference = Difference::Malformed { fault: *fault, readers: readers.clone() };
                Err(self.disagree(profile, *line, difference))
            }
        }
    }

    /// Both must take the profile from one section, and from the same one.
    fn check_sections(&self, profile: &ProfileName) -> Result<(), Disagreement> {
        let place = |section: &SectionRead| (section.whole.range().start, section.line);
        let sdk: Vec<_> = self.0.sdk.sections_of(profile.as_str()).map(place).collect();
        let cli = self.0.cli.sections_of(profile.as_str()).map(place).next_back();
        let lines: Vec<usize> = sdk.iter().map(|&(_, line)| line).collect();
        match (sdk.as_slice(), cli) {
            ([], _) => Ok(()),
            ([(start, line)], None) => {
                let inherited = self
                    .0
                    .cli
                    .sections
                    .iter()
                    .any(|section| section.seen_as == SeenAs::Defaults && section.whole.range().start == *start);
                if inherited { Err(self.disagree(profile, *line, Difference::Defaults)) } else { Ok(()) }
            }
            ([.., (_, line)], None) => Err(self.disagree(profile, *line, Difference::Merged { sdk: lines })),
            ([only], Some(cli)) if *only == cli => Ok(()),
            (_, Some((_, cli))) => Err(self.disagree(profile, cli, Difference::Sections { sdk: lines, cli })),
        }
    }

    /// Both must see the same in a key, if both see the profile. `key` is in lower case.
    fn check_value(&self, profile: &ProfileName, key: &str) -> Result<(), Disagreement> {
        if self.seen_by(profile) != Some(SeenBy::Both) {
            return Ok(());
        }
        let sdk = self.0.sdk.entry(self.text(), profile.as_str(), key);
        let cli = self.0.cli.entry(self.text(), profile.as_str(), key);
        self.check_entries(profile, key, sdk, cli)
    }

    fn check_entries(
        &self,
        profile: &ProfileName,
        key: &str,
        sdk: Option<&Entry>,
        cli: Option<&Entry>,
    ) -> Result<(), Disagreement> {
        let text = self.text();
        let same = match (sdk, cli) {
            (None, None) => true,
            // The SDK passes over keys with other characters; it says nothing against them.
            (None, Some(_)) => !is_identifier(key),
            (Some(sdk), Some(cli)) if sdk.is_block() && cli.is_block() => {
                block_lines(sdk.value(text)).eq(block_lines(cli.value(text)))
            }
            (Some(sdk), Some(cli)) => sdk.value(text) == cli.value(text),
            (Some(_), None) => false,
        };
        if same {
            return Ok(());
        }
        let line = sdk.or(cli).map_or(1, |entry| entry.line as usize);
        let comment = match (sdk, cli) {
            (Some(sdk), Some(cli)) => cli
                .value(text)
                .strip_prefix(sdk.value(text))
                .is_some_and(|rest| rest.trim_start_matches(char::is_whitespace).starts_with(['#', ';'])),
            (None, _) | (_, None) => false,
        };
        let (sdk, cli) = (Seen::of(sdk, text), Seen::of(cli, text));
        Err(self.disagree(profile, line, Difference::Value { key: key.to_owned(), sdk, cli, comment }))
    }

    fn disagree(&self, profile: &ProfileName, line: usize, difference: Difference) -> Disagreement {
        Disagreement { file: self.kind(), profile: profile.clone(), line, difference }
    }

    fn check_editable(&self, profile: &ProfileName) -> Result<(), EditError> {
        if let Some(problem) = self.0.problems.first() {
            return Err(EditError::Malformed(problem.clone()));
        }
        self.check(profile).map_err(EditError::Disagreement)
    }

    /// The lines of a new section, for the end of the file.
    fn added_section(&self, profile: &ProfileName, values: &[(&str, &str)]) -> Edit {
        let text = self.text();
        let break_ = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut new = Zeroizing::new(String::new());
        if !text.is_empty() {
            if !text.ends_with('\n') {
                new.push_str(break_);
            }
            let blank_at_end = text.lines().next_back().is_some_and(|line| line.trim().is_empty());
            if !blank_at_end || !text.ends_with('\n') {
                new.push_str(break_);
            }
        }
        let header = match self.kind() {
            FileKind::Config if profile.as_str() != "default" => format!("profile {}", shell_quoted(profile.as_str())),
            FileKind::Config | FileKind::Credentials => profile.as_str().to_owned(),
        };
        new.push('[');
        new.push_str(&header);
        new.push(']');
        new.push_str(break_);
        let style = self.0.cli.sections.iter().rev().find(|section| !section.entries.is_empty());
        let style = Style::of(style, text);
        for (key, value) in values {
            style.write(&mut new, key, value);
            new.push_str(break_);
        }
        Edit { at: text.len()..text.len(), new }
    }

    /// The file with edits made. They do not overlap.
    fn with(&self, mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
        let text = self.text();
        let added: usize = edits.iter().map(|edit| edit.new.len()).sum();
        // Room for all of it at once: a string that grows leaves copies of secrets behind.
        let mut new = Vec::with_capacity(text.len() + added);
        let mut copied = 0;
        for edit in &edits {
            new.extend_from_slice(&text.as_bytes()[copied..edit.at.start]);
            new.extend_from_slice(edit.new.as_bytes());
            copied = edit.at.end;
        }
        new.extend_from_slice(&text.as_bytes()[copied..]);
        Self::parse(self.kind(), new)
    }

    /// Refuses the edited file unless it differs from this one in what was asked for, to both readers.
    fn confirm(
        &self,
        edited: &Self,
        profile: &ProfileName,
        keys: &[&str],
        asked: &[(&str, Option<&str>)],
    ) -> Result<(), EditError> {
        let refused = || Err(EditError::NotReadBack { file: self.kind(), profile: profile.clone() });
        let seen_before = self.seen_by(profile);
        let header = self.leading(profile).and_then(|r| r.sections_of(profile.as_str()).next_back()).map(|s| s.whole);
        for (before, after) in [(&self.0.sdk, &edited.0.sdk), (&self.0.cli, &edited.0.cli)] {
            let added = after.sections.len().checked_sub(before.sections.len());
            let expected = usize::from(seen_before.is_none() && !keys.is_empty());
            if added != Some(expected) {
                return refused();
            }
            for (old, new) in before.sections.iter().zip(&after.sections) {
                let edited_here = header == Some(old.whole);
                if old.seen_as != new.seen_as
                    || old.header.text(self.text()) != new.header.text(edited.text())
                    || !same_entries(old, self.text(), new, edited.text(), if edited_here { keys } else { &[] })
                {
                    return refused();
                }
            }
        }
        if !edited.problems().is_empty() || edited.disagreement(profile).is_some() {
            return refused();
        }
        // A new section must be seen by the AWS CLI at least, and by whoever saw it before.
        let seen = edited.seen_by(profile);
        let asks_something = asked.iter().any(|(_, value)| value.is_some());
        let lost = match seen_before {
            None => asks_something && !matches!(seen, Some(SeenBy::Both | SeenBy::CliOnly)),
            before @ Some(_) => seen != before,
        };
        let read_back = asked.iter().all(|&(key, value)| edited.value(profile, key) == Ok(value));
        if lost || !read_back { refused() } else { Ok(()) }
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.bytes() == other.bytes()
    }
}

impl Eq for File {}

impl fmt::Debug for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("File")
            .field("kind", &self.kind())
            .field("bytes", &self.bytes().len())
            .field("sections", &self.sections().count())
            .field("problems", &self.problems().len())
            .finish()
    }
}

/// Why the secret of a profile cannot be had from a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretOfError {
    /// The readers do not agree on it.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// There is none.
    #[error("profile {:?} in the {file} has no aws_secret_access_key", profile.as_str())]
    Missing {
        /// The file.
        file: FileKind,
        /// The profile.
        profile: ProfileName,
    },
    /// What stands there is none.
    #[error("profile {:?} in the {file}: {error}", profile.as_str())]
    Malformed {
        /// The file.
        file: FileKind,
        /// The profile.
        profile: ProfileName,
        /// What is wrong with it.
        error: SecretError,
    },
}

/// The secret access key that stands in a profile of a file.
///
/// # Errors
/// Where there is none, it is malformed, or the readers disagree on it.
pub fn secret_of(file: &File, profile: &ProfileName) -> Result<SecretAccessKey, SecretOfError> {
    let (kind, name) = (file.kind(), || profile.clone());
    match file.value(profile, "aws_secret_access_key")? {
        None => Err(SecretOfError::Missing { file: kind, profile: name() }),
        Some(value) => SecretAccessKey::parse(value.to_owned()).map_err(|error| SecretOfError::Malformed {
            file: kind,
            profile: name(),
            error,
        }),
    }
}

/// Bytes to put in the place of others.
struct Edit {
    at: std::ops::Range<usize>,
    new: Zeroizing<String>,
}

fn problems(kind: FileKind, unreadable: Option<(usize, Fault)>, sdk: &Reading, cli: &Reading) -> Vec<Problem> {
    let by = |reader: Reader, reading: &Reading| {
        reading.faults.iter().map(|&(line, fault)| (line, fault, reader)).collect::<Vec<_>>()
    };
    let mut found: Vec<_> = unreadable
        .into_iter()
        .flat_map(|(line, fault)| [(line, fault, Reader::Sdk), (line, fault, Reader::Cli)])
        .chain(by(Reader::Sdk, sdk))
        .chain(by(Reader::Cli, cli))
        .collect();
    found.sort_by_key(|&(line, fault, reader)| (line, fault, reader));
    let mut problems: Vec<Problem> = Vec::new();
    for (line, fault, reader) in found {
        match problems.last_mut() {
            Some(last) if last.line == line && last.fault == fault => {
                if !last.readers.contains(&reader) {
                    last.readers.push(reader);
                }
            }
            Some(_) | None => problems.push(Problem { file: kind, line, fault, readers: vec![reader] }),
        }
    }
    problems
}

fn check_input(key: &str, value: &str) -> Result<(), EditError> {
    if key.is_empty() || !is_identifier(key) || key.contains(':') || key != key.to_ascii_lowercase() {
        return Err(EditError::Key { key: key.chars().take(40).collect() });
    }
    let reason = if value.is_empty() {
        "is empty"
    } else if value.chars().any(char::is_control) {
        "contains a line break or another control character"
    } else if value.trim() != value {
        "has white space at an end"
    } else {
        return Ok(());
    };
    Err(EditError::Value { key: key.to_owned(), reason })
}

/// Puts a value in the place of an old one on the same line.
fn replacement(entry: &Entry, text: &str, value: &str) -> Edit {
    let mut at = entry.value.range();
    let mut new = Zeroizing::new(String::with_capacity(value.len() + 1));
    if at.is_empty() {
        // `key =` with nothing behind it: keep the blanks that are there, and set off the value as the key is.
        let blanks = text[at.start..].len() - text[at.start..].trim_start_matches(SDK_SPACE).len();
        at = at.start + blanks..at.start + blanks;
        if blanks == 0 && text[..at.start].strip_suffix('=').is_some_and(|before| before.ends_with(SDK_SPACE)) {
            new.push(' ');
        }
    }
    new.push_str(value);
    Edit { at, new }
}

/// Lines for keys that a section lacks, behind its last one.
fn added_keys(section: &SectionRead, text: &str, values: &[(&str, &str)]) -> Edit {
    let last = section.entries.last();
    let at = last
        .map(|entry| entry.more.as_ref().and_then(|more| more.lines.last()).copied().unwrap_or(entry.whole))
        .unwrap_or(section.whole)
        .range()
        .end;
    let before = &text[..at];
    let break_ = match before.strip_suffix('\n') {
        Some(line) if line.ends_with('\r') => "\r\n",
        Some(_) => "\n",
        None if text.contains("\r\n") => "\r\n",
        None => "\n",
    };
    let style = Style::of(Some(section), text);
    let mut new = Zeroizing::new(String::new());
    for (key, value) in values {
        if !before.ends_with('\n') {
            new.push_str(break_);
        }
        style.write(&mut new, key, value);
        if before.ends_with('\n') {
            new.push_str(break_);
        }
    }
    Edit { at: at..at, new }
}

/// How a section writes `key = value`.
struct Style {
    /// Characters in front of the `=`, where all of them stand in one column.
    column: Option<usize>,
    before: String,
    after: String,
}

impl Style {
    fn of(section: Option<&SectionRead>, text: &str) -> Self {
        let plain = |column| Self { column, before: " ".to_owned(), after: " ".to_owned() };
        let Some(section) = section else { return plain(None) };
        // The text between the key and the value, of the lines that have both.
        let gap = |entry: &Entry| text.get(entry.key.range().end..entry.value.range().start);
        let gaps: Vec<(usize, &str)> = section
            .entries
            .iter()
            .filter(|entry| !entry.value.range().is_empty())
            .filter_map(|entry| Some((entry.key.text(text).chars().count(), gap(entry)?)))
            .filter(|(_, gap)| gap.contains('=') && gap.len() < 100)
            .collect();
        let Some(&(_, last)) = gaps.last() else { return plain(None) };
        let (before, after) = last.split_once('=').unwrap_or((" ", " "));
        let column = |&(key, gap): &(usize, &str)| key + gap.find('=').unwrap_or(0);
        let first_column = gaps.first().map_or(0, column);
        let aligned = gaps.iter().all(|entry| column(entry) == first_column)
            && gaps.iter().any(|&(key, _)| gaps.first().is_some_and(|first| first.0 != key));
        Self {
            column: aligned.then_some(first_column),
            before: if before.len() > 1 { " ".to_owned() } else { before.to_owned() },
            after: after.to_owned(),
        }
    }

    fn write(&self, into: &mut String, key: &str, value: &str) {
        into.reserve(key.len() + value.len() + self.column.unwrap_or(0) + self.after.len() + 4);
        into.push_str(key);
        match self.column.and_then(|column| column.checked_sub(key.len())) {
            Some(blanks) => into.extend(std::iter::repeat_n(' ', blanks)),
            None => into.push_str(&self.before),
        }
        into.push('=');
        into.push_str(&self.after);
        into.push_str(value);
    }
}

/// Whether two sections hold the same keys and values, some keys left aside.
fn same_entries(old: &SectionRead, old_text: &str, new: &SectionRead, new_text: &str, aside: &[&str]) -> bool {
    let kept = |section: &SectionRead, text: &str| -> Vec<(String, Zeroizing<String>)> {
        let entries = section.entries.iter().filter(|entry| !aside.contains(&entry.name(text).as_ref()));
        entries.map(|entry| (entry.name(text).into_owned(), Zeroizing::new(entry.value(text).to_owned()))).collect()
    };
    if aside.is_empty() {
        // The common case, without copies.
        return old.entries.len() == new.entries.len()
            && old.entries.iter().zip(&new.entries).all(|(old, new)| {
                old.key.text(old_text) == new.key.text(new_text) && old.value(old_text) == new.value(new_text)
            });
    }
    kept(old, old_text) == kept(new, new_text)
}
