//! Fields of JSON, YAML and TOML files, edited byte for byte.
//!
//! A parser that tells where each string stands reads the file; the bytes of that string are replaced, and the result is parsed
//! again. Invariant: it means what the old file meant but for the edited values, or there is no edit.

mod json;
mod pointer;
mod toml;
mod yaml;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use pointer::{Pointer, PointerError};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum FieldFormat {
    /// JSON, with comments and trailing commas where there are some.
    Json,
    /// TOML.
    Toml,
    /// YAML, one document.
    Yaml,
}

impl FieldFormat {
    /// The form that the ending of a file's name tells.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "json" | "jsonc" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

impl fmt::Display for FieldFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Json => "JSON",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        })
    }
}

/// Why a field is not read or written. No error repeats what stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not UTF-8, or with a byte order mark.
    #[error("it is not plain UTF-8 text (without a byte order mark)")]
    NotText,
    /// The parser does not take it.
    #[error("it is not well-formed {format}: look at line {line}")]
    Syntax {
        /// What it should be.
        format: FieldFormat,
        /// Counted from 1.
        line: usize,
    },
    /// More than one YAML document, or deeper than anybody writes.
    #[error("it holds more than one document, or is nested too deep")]
    Unusual,
    /// No such field.
    #[error("nothing stands at {at}: write an empty string there first (\"\")")]
    Missing {
        /// Where.
        at: Pointer,
    },
    /// Something else than a string on one line.
    #[error("what stands at {at} is no string, or one over several lines: write an empty string there first (\"\")")]
    NotString {
        /// Where.
        at: Pointer,
    },
    /// The same key twice: readers take the first, or the last, or fail.
    #[error("a key of {at} stands there twice: leave one of them")]
    Twice {
        /// Where.
        at: Pointer,
    },
    /// A change there would change other fields, too.
    #[error("an alias repeats what stands at {at} elsewhere: a change of it would change both")]
    Shared {
        /// Where.
        at: Pointer,
    },
    /// The edited file does not mean what it should.
    #[error("it cannot be edited without changing more than the values")]
    Differs,
}

/// What a file means, with the places of its strings.
#[derive(PartialEq)]
enum Node {
    Text(Text),
    Fields(Vec<(String, Node)>),
    Items(Vec<Node>),
    /// Anything else, as it is written.
    Other(Zeroizing<String>),
    /// What an alias repeats elsewhere.
    Shared(Box<Node>),
}

/// A string. Equal to another of the same value, wherever and however it is written.
struct Text {
    value: Zeroizing<String>,
    /// Its bytes in the file, with the quotes.
    range: Range<usize>,
    style: Style,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// How a string is written.
#[derive(Clone, Copy)]
enum Style {
    /// As in JSON; the double quotes of TOML and YAML understand that, too.
    Json,
    /// The single quotes of TOML, between which nothing is escaped.
    TomlLiteral,
    /// The single quotes of YAML.
    YamlSingle,
    /// A word without quotes.
    YamlPlain,
}

/// The string that stands at a pointer.
pub fn value(file: &[u8], format: FieldFormat, at: &Pointer) -> Result<Zeroizing<String>, FieldError> {
    let mut root = parse(format, text_of(file)?)?;
    Ok(std::mem::take(&mut root.text_at(at)?.value))
}

/// The file with other strings at some pointers. Nothing else changes.
pub fn set(file: &[u8], format: FieldFormat, values: &[(Pointer, &str)]) -> Result<Zeroizing<Vec<u8>>, FieldError> {
    let text = text_of(file)?;
    let mut root = parse(format, text)?;
    let mut edits = Vec::new();
    for (at, value) in values {
        let found = root.text_at(at)?;
        if found.value.as_str() != *value {
            edits.push((found.range.clone(), Zeroizing::new(found.style.written(value))));
            found.value = Zeroizing::new((*value).to_owned());
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let length: usize = edits.iter().map(|(_, value)| value.len()).sum();
    // All at once, so that no half of the new bytes is left behind where memory moves.
    let mut new = Zeroizing::new(Vec::with_capacity(file.len() + length));
    let mut from = 0;
    for (range, value) in edits {
        new.extend_from_slice(file.get(from..range.start).ok_or(FieldError::Differs)?);
        new.extend_from_slice(value.as_bytes());
        from = range.end;
    }
    new.extend_from_slice(&file[from..]);
    let is_right = parse(format, text_of(&new)?).is_ok_and(|after| after == root);
    if is_right { Ok(new) } else { Err(FieldError::Differs) }
}

fn text_of(file: &[u8]) -> Result<&str, FieldError> {
    std::str::from_utf8(file).ok().filter(|text| !text.starts_with('\u{feff}')).ok_or(FieldError::NotText)
}

fn parse(format: FieldFormat, text: &str) -> Result<Node, FieldError> {
    match format {
        FieldFormat::Json => json::parse(text),
        FieldFormat::Toml => toml::parse(text),
        FieldFormat::Yaml => yaml::parse(text),
    }
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

impl Node {
    fn text_at(&mut self, at: &Pointer) -> Result<&mut Text, FieldError> {
        let missing = || FieldError::Missing { at: at.clone() };
        let mut node = self;
        for step in at.steps() {
            node = match node {
                Self::Fields(fields) => {
                    let mut found = fields.iter_mut().filter(|(key, _)| key == step);
                    let (_, field) = found.next().ok_or_else(missing)?;
                    if found.next().is_some() {
                        return Err(FieldError::Twice { at: at.clone() });
                    }
                    field
                }
                Self::Items(items) => {
                    step.parse().ok().and_then(|index: usize| items.get_mut(index)).ok_or_else(missing)?
                }
                Self::Shared(_) => return Err(FieldError::Shared { at: at.clone() }),
                Self::Text(_) | Self::Other(_) => return Err(missing()),
            };
        }
        match node {
            Self::Text(text) => Ok(text),
            Self::Shared(_) => Err(FieldError::Shared { at: at.clone() }),
            Self::Fields(_) | Self::Items(_) | Self::Other(_) => Err(FieldError::NotString { at: at.clone() }),
        }
    }
}

impl Style {
    /// A value in that style; between double quotes where the style cannot hold it.
    fn written(self, value: &str) -> String {
        let is_one_line = !value.contains(char::is_control);
        match self {
            Self::TomlLiteral if is_one_line && !value.contains('\'') => format!("'{value}'"),
            Self::YamlSingle if is_one_line => format!("'{}'", value.replace('\'', "''")),
            Self::YamlPlain if yaml::is_plain_word(value) => value.to_owned(),
            // Strings always print.
            Self::Json | Self::TomlLiteral | Self::YamlSingle | Self::YamlPlain => {
                serde_json::to_string(value).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests;
