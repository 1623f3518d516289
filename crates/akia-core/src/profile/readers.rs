//! What each reader sees in a file: the AWS SDK for Rust (crate `aws-runtime`, module `env_config`) and the AWS CLI
//! (botocore's `configloader` over Python's `RawConfigParser`).
//!
//! Two readers of our own follow those two line by line, with the place of everything they see, and the tests hold them
//! to the originals. A reader stops at its first fault; ours note it and go on, so that a report can name every fault
//! and a broken file can still be listed. Nothing that stands behind a fault is ever edited.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::FileKind;
use super::line::{Breaks, COMMENT, Line, SDK_SPACE, is_python_space, lines, shell_words};

/// Faults kept for each reader: enough to repair a file by, little enough for a hostile one.
const FAULT_LIMIT: usize = 100;

/// Why a reader refuses a whole file. No variant repeats the line: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// The file is longer than [`super::File::MAX_LENGTH`].
    #[error("the file is too large to be read")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    /// A byte order mark at the start of the file.
    #[error("the file starts with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// Something stands before the first section.
    #[error("the line stands before the first [section]")]
    OutsideSection,
    /// `[` without its `]`, or text behind it.
    #[error("the section header does not end with ']'")]
    HeaderNotClosed,
    /// A line that is neither a header, nor a comment, nor `key = value`.
    #[error("the line has no '='")]
    NoEquals,
    /// `= value`.
    #[error("the line has no key before '='")]
    NoKey,
    /// An indented line that continues nothing.
    #[error("the line is indented, but there is no key that it could belong to")]
    StrayContinuation,
    /// A line in a nested block that is not `key = value`.
    #[error("the line in the nested block is not 'key = value'")]
    NotNested,
    /// A section that was there before.
    #[error("the section is a second one of the same name (first on line {first})")]
    DuplicateSection {
        /// Line of the first one.
        first: usize,
    },
    /// A key that was there before in its section.
    #[error("the key is a second one of the same name in its section (first on line {first})")]
    DuplicateKey {
        /// Line of the first one.
        first: usize,
    },
}

/// What a reader takes a section for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SeenAs {
    /// A profile of this name.
    Profile(String),
    /// An `sso-session` of this name.
    SsoSession(String),
    /// A `services` section of this name.
    Services(String),
    /// `[DEFAULT]` in capitals: to the AWS CLI, keys that every section inherits.
    Defaults,
    /// Nothing that holds credentials; the reader passes over it.
    Other,
}

/// A stretch of the text, in bytes. 32 bits keep hostile files of millions of lines small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The place of `part`, which must be a slice of `text`.
    fn of(part: &str, text: &str) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Self::new(start, start + part.len())
    }

    /// Offsets fit: longer files are refused before they are read.
    fn new(start: usize, end: usize) -> Self {
        let fit = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: fit(start), end: fit(end) }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn text(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }
}

/// One `key = value` in a section.
pub(super) struct Entry {
    /// The key as it is spelled.
    pub(super) key: Span,
    /// The value on the key's own line.
    pub(super) value: Span,
    /// The whole line with its terminator.
    pub(super) whole: Span,
    /// Line number of the key.
    pub(super) line: u32,
    /// The lines below that continue the value.
    pub(super) more: Option<Box<More>>,
}

/// The continuation of a value.
pub(super) struct More {
    /// The whole value, joined as the reader joins it. Starts with a line feed if it is a nested block.
    joined: Zeroizing<String>,
    /// The lines it stands on, each with its terminator, without the first.
    pub(super) lines: Vec<Span>,
}

impl Entry {
    /// The value as the reader gives it out.
    pub(super) fn value<'a>(&'a self, text: &'a str) -> &'a str {
        match &self.more {
            Some(more) => &more.joined,
            None => self.value.text(text),
        }
    }

    /// Whether it opens a nested block, like `s3 =` with indented lines below.
    pub(super) fn is_block(&self) -> bool {
        self.more.is_some() && self.value.range().is_empty()
    }

    /// The key as the reader compares it.
    pub(super) fn name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        lower_case(self.key.text(text))
    }
}

/// A section as one reader sees it.
pub(super) struct SectionRead {
    /// What stands between the brackets.
    pub(super) header: Span,
    /// The header's line with its terminator.
    pub(super) whole: Span,
    /// Line number of the header.
    pub(super) line: usize,
    /// What the reader takes it for.
    pub(super) seen_as: SeenAs,
    /// Its keys, in file order, those that the reader passes over left out.
    pub(super) entries: Vec<Entry>,
    /// Byte offset behind the last line of the last key, passed over or not; behind the header if there is none.
    pub(super) end: usize,
}

impl SectionRead {
    fn push(&mut self, key: &str, value: &str, text: &str, line: &Line<'_>) {
        self.end = line.end;
        self.entries.push(Entry {
            key: Span::of(key, text),
            value: Span::of(value, text),
            whole: Span::new(line.start, line.end),
            line: u32::try_from(line.number).unwrap_or(u32::MAX),
            more: None,
        });
    }

    /// Adds a continuation line to the last value, `breaks` line feeds before it.
    fn extend(&mut self, part: &str, breaks: usize, text: &str, line: &Line<'_>) {
        self.end = line.end;
        let Some(entry) = self.entries.last_mut() else { return };
        let value = entry.value;
        let more = entry.more.get_or_insert_with(|| {
            Box::new(More { joined: Zeroizing::new(value.text(text).to_owned()), lines: Vec::new() })
        });
        more.joined.extend(std::iter::repeat_n('\n', breaks));
        more.joined.push_str(part);
        more.lines.push(Span::new(line.start, line.end));
    }
}

/// All that a reader sees in one file.
#[derive(Default)]
pub(super) struct Reading {
    /// Every header, in file order.
    pub(super) sections: Vec<SectionRead>,
    /// For each profile, the sections that make it up, later ones winning.
    profiles: HashMap<String, Vec<usize>>,
    /// The sections of other kinds that profiles name, by what they are.
    named: HashMap<SeenAs, usize>,
    /// Keys that every section inherits, in lower case, as indexes of section and entry.
    defaults: BTreeMap<String, (usize, usize)>,
    /// Those of them that are identifiers.
    default_identifiers: Vec<String>,
    /// What makes the reader refuse the file, by line.
    pub(super) faults: Vec<(usize, Fault)>,
}

impl Reading {
    /// The sections that make up a profile. Empty if the reader does not see it.
    pub(super) fn sections_of(&self, profile: &str) -> impl DoubleEndedIterator<Item = &SectionRead> {
        self.profiles.get(profile).into_iter().flatten().filter_map(|&index| self.sections.get(index))
    }

    /// Whether the reader sees the profile.
    pub(super) fn sees(&self, profile: &str) -> bool {
        self.profiles.contains_key(profile)
    }

    /// The keys that every profile inherits, as far as the other reader could see them in a profile too.
    pub(super) fn inherited(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.default_identifiers.iter().filter_map(|key| Some((key.as_str(), self.inherited_entry(key)?)))
    }

    /// Every key that profiles inherit, in lower case.
    pub(super) fn inherited_keys(&self) -> impl Iterator<Item = &str> {
        self.defaults.keys().map(String::as_str)
    }

    /// The names of all profiles.
    pub(super) fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The `sso-session` or `services` section of a name. Only the CLI's reading knows it.
    pub(super) fn named(&self, wanted: &SeenAs) -> Option<&SectionRead> {
        self.sections.get(*self.named.get(wanted)?)
    }

    /// What every profile inherits for a key. `key` is in lower case.
    pub(super) fn inherited_entry(&self, key: &str) -> Option<&Entry> {
        let &(section, entry) = self.defaults.get(key)?;
        self.sections.get(section)?.entries.get(entry)
    }

    /// The entries of a profile's own sections by key, the deciding one where there are several.
    pub(super) fn own_entries<'a>(&'a self, text: &'a str, profile: &str) -> HashMap<Cow<'a, str>, &'a Entry> {
        let entries = self.sections_of(profile).flat_map(|section| &section.entries);
        entries.map(|entry| (entry.name(text), entry)).collect()
    }

    /// The entry that decides about a key of a profile. `key` is in lower case.
    pub(super) fn entry<'a>(&'a self, text: &str, profile: &str, key: &str) -> Option<&'a Entry> {
        if !self.sees(profile) {
            return None;
        }
        let mut own = self.sections_of(profile).rev().flat_map(|section| section.entries.iter().rev());
        own.find(|entry| entry.name(text) == key).or_else(|| self.inherited_entry(key))
    }

    fn fault(&mut self, line: usize, fault: Fault) {
        if self.faults.len() < FAULT_LIMIT {
            self.faults.push((line, fault));
        }
    }

    fn open(&mut self, header: Span, line: &Line<'_>, seen_as: SeenAs) {
        let whole = Span::new(line.start, line.end);
        let entries = Vec::new();
        self.sections.push(SectionRead { header, whole, line: line.number, seen_as, entries, end: line.end });
    }
}

/// Whether the SDK for Rust accepts a name of a profile or key; it passes over all others.
pub(super) fn is_identifier(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte))
}

/// Reads as `aws_runtime::env_config` does.
pub(super) fn read_as_sdk(text: &str, kind: FileKind) -> Reading {
    let mut reading = Reading::default();
    let mut place = SdkPlace::Start;
    for line in lines(text, Breaks::LineFeed) {
        if line.text.trim_matches(SDK_SPACE).is_empty() || line.text.starts_with(COMMENT) {
            continue;
        }
        if line.text.starts_with('[') {
            let prepared = sdk_prepared(line.text, false);
            place = match prepared.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => {
                    reading.open(Span::of(name, text), &line, sdk_seen_as(name, kind));
                    SdkPlace::Section
                }
                None => {
                    reading.fault(line.number, Fault::HeaderNotClosed);
                    SdkPlace::FaultySection
                }
            };
        } else if line.text.starts_with(SDK_SPACE) {
            match place {
                SdkPlace::Start => reading.fault(line.number, Fault::OutsideSection),
                SdkPlace::Section => reading.fault(line.number, Fault::StrayContinuation),
                SdkPlace::FaultyKey | SdkPlace::FaultySection => {}
                SdkPlace::Key { empty } => {
                    if let Some(section) = reading.sections.last_mut() {
                        section.extend(line.text.trim_matches(SDK_SPACE), 1, text, &line);
                    }
                    if empty && sdk_property(line.text).is_err() {
                        reading.fault(line.number, Fault::NotNested);
                    }
                }
            }
        } else if matches!(place, SdkPlace::Start) {
            reading.fault(line.number, Fault::OutsideSection);
        } else {
            let in_section = !matches!(place, SdkPlace::FaultySection);
            match sdk_property(line.text) {
                Ok((key, value)) => {
                    if let Some(section) = reading.sections.last_mut().filter(|_| in_section) {
                        section.push(key, value, text, &line);
                        place = SdkPlace::Key { empty: value.is_empty() };
                    }
                }
                Err(fault) => {
                    reading.fault(line.number, fault);
                    if in_section {
                        place = SdkPlace::FaultyKey;
                    }
                }
            }
        }
    }
    for section in &mut reading.sections {
        section.entries.retain(|entry| is_identifier(entry.key.text(text)));
    }
    sdk_resolve(&mut reading, text);
    reading
}

/// Where the SDK's parser stands.
#[derive(Clone, Copy)]
enum SdkPlace {
    /// Before the first section.
    Start,
    /// Behind a header.
    Section,
    /// Behind a key, which indented lines continue: as a nested block if it has no value.
    Key { empty: bool },
    /// Behind a faulty key: the lines that continue it are no faults of their own.
    FaultyKey,
    /// Behind a faulty header: its keys belong nowhere.
    FaultySection,
}

/// White space and comment off.
fn sdk_prepared(line: &str, comment_needs_space: bool) -> &str {
    let line = line.trim_matches(SDK_SPACE);
    let mut after_space = false;
    for (index, character) in line.char_indices() {
        if COMMENT.contains(&character) && (after_space || !comment_needs_space) {
            return line[..index].trim_matches(SDK_SPACE);
        }
        after_space = character.is_whitespace();
    }
    line
}

fn sdk_property(line: &str) -> Result<(&str, &str), Fault> {
    let (key, value) = sdk_prepared(line, true).split_once('=').ok_or(Fault::NoEquals)?;
    // The trimmed slices keep their place in the line: an empty value stands right behind the '='.
    let value = value.trim_start_matches(SDK_SPACE).trim_end_matches(SDK_SPACE);
    match key.trim_matches(SDK_SPACE) {
        "" => Err(Fault::NoKey),
        key => Ok((key, value)),
    }
}

fn sdk_seen_as(name: &str, kind: FileKind) -> SeenAs {
    let name = name.trim_matches(SDK_SPACE);
    match (name.split_once(SDK_SPACE), kind) {
        (Some((prefix, suffix)), FileKind::Config) if is_identifier(suffix.trim()) => match prefix.trim() {
            "profile" => SeenAs::Profile(suffix.trim().to_owned()),
            "sso-session" => SeenAs::SsoSession(suffix.trim().to_owned()),
            "services" => SeenAs::Services(suffix.trim().to_owned()),
            _ => SeenAs::Other,
        },
        (None, FileKind::Config) if name.trim() == "default" => SeenAs::Profile("default".to_owned()),
        (None, FileKind::Credentials) if is_identifier(name.trim()) => SeenAs::Profile(name.trim().to_owned()),
        (Some(_), _) | (None, _) => SeenAs::Other,
    }
}

/// `[profile default]` replaces `[default]`; other sections of one profile are merged.
fn sdk_resolve(reading: &mut Reading, text: &str) {
    let prefixed = |section: &SectionRead| section.header.text(text).trim_matches(SDK_SPACE).contains(SDK_SPACE);
    let is_default = |section: &SectionRead| section.seen_as == SeenAs::Profile("default".to_owned());
    let prefixed_default = reading.sections.iter().any(|section| is_default(section) && prefixed(section));
    for (index, section) in reading.sections.iter().enumerate() {
        if let SeenAs::Profile(name) = &section.seen_as
            && !(prefixed_default && is_default(section) && !prefixed(section))
        {
            reading.profiles.entry(name.clone()).or_default().push(index);
        }
    }
}

/// Reads as botocore's `configloader` does: `raw_config_parse` for the credentials file, `load_config` for the other.
pub(super) fn read_as_cli(text: &str, kind: FileKind) -> Reading {
    let mut reading = Reading::default();
    let mut indent = 0;
    let mut blank_lines = 0;
    // Set while there is an option that deeper lines continue.
    let mut in_option = false;
    let mut section_lines: HashMap<&str, usize> = HashMap::new();
    let mut key_lines: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut default_key_lines: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for line in lines(text, Breaks::Universal) {
        let content = line.text.trim_matches(is_python_space);
        if content.starts_with(COMMENT) {
            continue;
        }
        if content.is_empty() {
            blank_lines += 1;
            continue;
        }
        let own_indent = line.text.chars().take_while(|&character| is_python_space(character)).count();
        if in_option && own_indent > indent {
            if let Some(section) = reading.sections.last_mut() {
                section.extend(content, blank_lines + 1, text, &line);
            }
            blank_lines = 0;
            continue;
        }
        indent = own_indent;
        blank_lines = 0;
        if let Some(name) = cli_header(content) {
            let seen_as = cli_seen_as(name, kind);
            if seen_as != SeenAs::Defaults
                && let Some(first) = section_lines.insert(name, line.number)
            {
                reading.fault(line.number, Fault::DuplicateSection { first });
            }
            reading.open(Span::of(name, text), &line, seen_as);
            key_lines.clear();
            in_option = false;
            continue;
        }
        let Some(section) = reading.sections.last_mut() else {
            reading.fault(line.number, Fault::OutsideSection);
            continue;
        };
        let Some(delimiter) = content.find(['=', ':']) else {
            reading.fault(line.number, Fault::NoEquals);
            continue;
        };
        let key = content[..delimiter].trim_end_matches(is_python_space);
        let value = content[delimiter + 1..].trim_start_matches(is_python_space);
        let seen = if section.seen_as == SeenAs::Defaults { &mut default_key_lines } else { &mut key_lines };
        let first = seen.insert(lower_case(key), line.number);
        section.push(key, value, text, &line);
        in_option = !key.is_empty();
        if key.is_empty() {
            reading.fault(line.number, Fault::NoKey);
        } else if let Some(first) = first {
            reading.fault(line.number, Fault::DuplicateKey { first });
        }
    }
    cli_check_blocks(&mut reading);
    for (index, section) in reading.sections.iter().enumerate() {
        match &section.seen_as {
            // The last section of a name replaces the others.
            SeenAs::Profile(name) => drop(reading.profiles.insert(name.clone(), vec![index])),
            SeenAs::Defaults => {
                let keys = section.entries.iter().enumerate();
                reading.defaults.extend(keys.map(|(entry, found)| (found.name(text).into_owned(), (index, entry))));
            }
            SeenAs::SsoSession(_) | SeenAs::Services(_) => drop(reading.named.insert(section.seen_as.clone(), index)),
            SeenAs::Other => {}
        }
    }
    reading.default_identifiers = reading.defaults.keys().filter(|key| is_identifier(key)).cloned().collect();
    reading
}

/// `\[(.+)\]`: up to the last bracket of the line; what follows is passed over.
fn cli_header(content: &str) -> Option<&str> {
    let inside = content.strip_prefix('[')?;
    let name = &inside[..inside.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

fn cli_seen_as(name: &str, kind: FileKind) -> SeenAs {
    let second_word = || match shell_words(name)?.as_slice() {
        [_, second] => Some(second.clone()),
        _ => None,
    };
    let or_other = |found: Option<SeenAs>| found.unwrap_or(SeenAs::Other);
    match (name, kind) {
        ("DEFAULT", _) => SeenAs::Defaults,
        (_, FileKind::Credentials) => SeenAs::Profile(name.to_owned()),
        ("default", FileKind::Config) => SeenAs::Profile(name.to_owned()),
        (_, FileKind::Config) if name.starts_with("profile") => or_other(second_word().map(SeenAs::Profile)),
        (_, FileKind::Config) if name.starts_with("sso-session") => or_other(second_word().map(SeenAs::SsoSession)),
        (_, FileKind::Config) if name.starts_with("services") => or_other(second_word().map(SeenAs::Services)),
        (_, FileKind::Config) => SeenAs::Other,
    }
}

/// botocore splits every line of a nested block at its `=` and gives up on the file where there is none.
fn cli_check_blocks(reading: &mut Reading) {
    let blocks = reading.sections.iter().flat_map(|section| &section.entries).filter(|entry| entry.is_block());
    let faults: Vec<usize> = blocks
        .filter(|entry| {
            entry.more.as_ref().is_some_and(|more| block_lines(&more.joined).any(|line| !line.contains('=')))
        })
        .map(|entry| entry.line as usize)
        .take(FAULT_LIMIT)
        .collect();
    for line in faults {
        reading.fault(line, Fault::NotNested);
    }
    reading.faults.sort_by_key(|&(line, _)| line);
}

/// The lines of a nested block as botocore splits them, blank ones left out.
pub(super) fn block_lines(block: &str) -> impl Iterator<Item = &str> {
    // Python's str.splitlines, which knows more line breaks than files do.
    let is_break =
        |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    block.split(is_break).map(|line| line.trim_matches(is_python_space)).filter(|line| !line.is_empty())
}

/// Lower case, without a copy where there is nothing to do.
fn lower_case(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(key.to_lowercase())
    }
}

/// The names of all profiles that one of two readers sees, in file order, each once.
pub(super) fn names_in_order(sdk: &Reading, cli: &Reading) -> Vec<String> {
    let mut headers: Vec<(usize, &str)> = [sdk, cli]
        .into_iter()
        .flat_map(|reading| &reading.sections)
        .filter_map(|section| match &section.seen_as {
            SeenAs::Profile(name) => Some((section.whole.range().start, name.as_str())),
            SeenAs::SsoSession(_) | SeenAs::Services(_) | SeenAs::Defaults | SeenAs::Other => None,
        })
        .collect();
    headers.sort_by_key(|&(start, _)| start);
    let mut known = HashSet::new();
    headers.into_iter().filter(|&(_, name)| known.insert(name)).map(|(_, name)| name.to_owned()).collect()
}
