//! One AWS file: its bytes, and what both readers see in them.
//!
//! Invariant: [`File::bytes`] are the bytes that were parsed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::FileKind;
use super::disagreement::{Difference, Disagreement, Problem, Reader, Seen, SeenBy};
use super::line::BYTE_ORDER_MARK;
use super::readers::{
    Entry, Fault, Reading, SectionRead, SeenAs, is_identifier, names_in_order, read_as_cli, read_as_sdk,
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
        let key = key.to_lowercase();
        self.check_value(profile, &key)?;
        Ok(self.shown_value(profile, &key))
    }

    /// The names of all profiles that one reader sees, in no order, even those that no [`ProfileName`] can be.
    pub fn names_seen_by(&self, reader: Reader) -> impl Iterator<Item = &str> {
        self.reading(reader).profile_names()
    }

    /// What one reader sees in a profile, by key: secrets too. `None` if it does not see the profile.
    #[must_use]
    pub fn settings_seen_by(&self, reader: Reader, profile: &str) -> Option<BTreeMap<String, &str>> {
        let reading = self.reading(reader);
        let own = reading.own_entries(self.text(), profile);
        let inherited = reading.inherited_keys().filter(|key| !own.contains_key(*key));
        let inherited = inherited.filter_map(|key| Some((key.to_owned(), reading.inherited_entry(key)?)));
        let all = own.iter().map(|(key, entry)| (key.clone().into_owned(), *entry)).chain(inherited);
        reading.sees(profile).then(|| all.map(|(key, entry)| (key, entry.value(self.text()))).collect())
    }

    /// The first difference between the two readers on this profile, or the fault that keeps one from reading it.
    #[must_use]
    pub fn disagreement(&self, profile: &ProfileName) -> Option<Disagreement> {
        self.check(profile).err()
    }

    /// The text that the readers see.
    pub(super) fn text(&self) -> &str {
        self.0.content.text()
    }

    /// The reading that a profile is taken from: the CLI's where it sees the profile, else the SDK's.
    pub(super) fn leading(&self, profile: &ProfileName) -> Option<&Reading> {
        [&self.0.cli, &self.0.sdk].into_iter().find(|reading| reading.sees(profile.as_str()))
    }

    fn reading(&self, reader: Reader) -> &Reading {
        match reader {
            Reader::Sdk => &self.0.sdk,
            Reader::Cli => &self.0.cli,
        }
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
                let lines = |block| str::split(block, '\n').filter(|line: &&str| !line.is_empty());
                lines(sdk.value(text)).eq(lines(cli.value(text)))
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
