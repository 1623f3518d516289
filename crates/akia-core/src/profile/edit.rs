//! Edits of a file.
//!
//! Invariants: an edit changes the bytes of the edited values and, for a new key or section, adds its lines; it is
//! refused unless both readers then see exactly what was asked for, and nothing else differently.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::FileKind;
use super::disagreement::{Disagreement, Problem, SeenBy};
use super::file::File;
use super::line::{SDK_SPACE, shell_quoted};
use super::readers::{Entry, SectionRead, is_identifier};
use crate::ids::ProfileName;

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

impl File {
    /// Sets values in one profile: an existing value is replaced, a missing key is added behind the last one of the
    /// section in the section's style, a missing section is appended. All or nothing.
    ///
    /// # Errors
    /// Where the readers disagree on the profile, the file is malformed, or the result would not read back.
    pub fn set(&self, profile: &ProfileName, values: &[(&str, &str)]) -> Result<Self, EditError> {
        let mut known = HashSet::new();
        for &(key, value) in values {
            check_input(key, value)?;
            if !known.insert(key) {
                return Err(EditError::Value { key: key.to_owned(), reason: "is given twice" });
            }
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
                Some(section) => added_keys(section, self.end_of(section), text, &missing),
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

    fn check_editable(&self, profile: &ProfileName) -> Result<(), EditError> {
        if let Some(problem) = self.problems().first() {
            return Err(EditError::Malformed(problem.clone()));
        }
        self.disagreement(profile).map_or(Ok(()), |disagreement| Err(EditError::Disagreement(disagreement)))
    }

    /// The byte behind the last key of a section, for whichever reader it goes on longer.
    fn end_of(&self, section: &SectionRead) -> usize {
        let same = |other: &&SectionRead| other.whole == section.whole;
        let ends = [self.sdk(), self.cli()].into_iter().filter_map(|reading| reading.sections.iter().find(same));
        ends.map(|section| section.end).max().unwrap_or(section.end)
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
        let style = self.cli().sections.iter().rev().find(|section| !section.entries.is_empty());
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
        for (before, after) in [(self.sdk(), edited.sdk()), (self.cli(), edited.cli())] {
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

/// Bytes to put in the place of others.
struct Edit {
    at: std::ops::Range<usize>,
    new: Zeroizing<String>,
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

/// Lines for keys that a section lacks, at the byte behind its last key.
fn added_keys(section: &SectionRead, at: usize, text: &str, values: &[(&str, &str)]) -> Edit {
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
            .filter(|(_, gap)| gap.len() < 100 && gap.trim_matches(SDK_SPACE) == "=")
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

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "[a]\nregion = x\noutput = json\n\n[b]\nregion = y\n";

    /// Whether the file may become this one, where `keys` of profile `a` were to be changed and `asked` to be read back.
    fn confirms(before: &str, after: &str, keys: &[&str], asked: &[(&str, Option<&str>)]) -> bool {
        confirms_in(FileKind::Credentials, before, after, keys, asked)
    }

    fn confirms_in(kind: FileKind, before: &str, after: &str, keys: &[&str], asked: &[(&str, Option<&str>)]) -> bool {
        let file = |text: &str| File::parse(kind, text);
        file(before).confirm(&file(after), &"a".parse().unwrap(), keys, asked).is_ok()
    }

    #[test]
    fn an_edit_that_does_more_than_it_was_asked_is_refused() {
        let set = |after: &str| confirms(BEFORE, after, &["region"], &[("region", Some("z"))]);
        assert!(set(&BEFORE.replace("region = x", "region = z")));
        assert!(!set(BEFORE), "it does nothing");
        for wrong in [
            "[a]\nregion = z\noutput = text\n\n[b]\nregion = y\n",
            "[a]\nregion = z\n\n[b]\nregion = y\n",
            "[a]\nregion = z\noutput = json\nmore = 1\n\n[b]\nregion = y\n",
            "[a]\nregion = z\noutput = json\n\n[b]\nregion = z\n",
            "[a]\nregion = z\noutput = json\n\n[b]\nregio = y\n",
            "[a]\nregion = z\noutput = json\n\n[b]\nregion = y\nmore = 1\n",
            "[a]\nregion = z\noutput = json\n\n[c]\nregion = y\n",
            "[a]\nregion = z\noutput = json\n\n[ b]\nregion = y\n",
            "[a]\nregion = z\noutput = json\n\n[b]\nregion = y\n[c]\n",
            "[a]\nregion = z\noutput = json\n",
            "[a]\nregion = z\noutput = json\n\n[b]\nregion = y\nno key\n",
            "[a]\nregion = z\noutput = json\n[a]\nregion = y\n",
        ] {
            assert!(!set(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_header_that_reads_the_same_is_not_written_anew() {
        let before = "[profile a]\nregion = x\n[profile b]\nregion = y\n";
        let set = |after: &str| confirms_in(FileKind::Config, before, after, &["region"], &[("region", Some("z"))]);
        let after = before.replace("region = x", "region = z");
        assert!(set(&after));
        assert!(!set(&after.replace("[profile b]", "[profile  b]")));
    }

    #[test]
    fn a_new_section_is_expected_where_there_was_none_and_nowhere_else() {
        let (before, asked) = ("[b]\nregion = y\n", [("region", Some("z"))]);
        assert!(confirms(before, "[b]\nregion = y\n[a]\nregion = z\n", &["region"], &asked));
        assert!(!confirms(before, before, &["region"], &asked));
        assert!(!confirms(before, "[b]\nregion = y\n[a]\nregion = z\n", &[], &[]), "nothing was asked for");
        assert!(!confirms(before, "[b]\nregion = y\n[c]\nregion = z\n", &["region"], &asked));
    }

    #[test]
    fn a_style_is_taken_over_with_its_tab_and_not_with_its_padding() {
        let set = |before: &str| {
            let edited = File::parse(FileKind::Credentials, before).set(&"a".parse().unwrap(), &[("region", "x")]);
            edited.unwrap().text().to_owned()
        };
        let added = |before: &str, line: &str| assert_eq!(set(before), format!("{before}{line}"));
        added("[a]\nmfa_serial\t=\ty\n", "region\t=\tx\n");
        added("[a]\nmfa_serial  = y\noutput  = json\n", "region = x\n");
        added("[a]\r\nmfa_serial = y\r\n", "region = x\r\n");
        added("\n[a]\r\nmfa_serial = y\n", "region = x\n");
    }
}
