//! YAML, by the events of saphyr-parser.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use zeroize::Zeroizing;

use super::{FieldError, FieldFormat, Node, Style, Text};

/// Deepest nesting.
const DEPTH: usize = 100;

/// Words that are no strings for a reader of YAML 1.1 or 1.2.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// Whether a reader of YAML takes a text without quotes for just that string.
pub(super) fn is_plain_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_.-".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

pub(super) fn parse(text: &str) -> Result<Node, FieldError> {
    let syntax = |error: ScanError| FieldError::Syntax { format: FieldFormat::Yaml, line: error.marker().line() };
    let events = Parser::new_from_str(text).collect::<Result<Vec<_>, _>>().map_err(syntax)?;
    let aliased =
        events.iter().filter_map(|(event, _)| if let Event::Alias(anchor) = event { Some(*anchor) } else { None });
    let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
    offsets.push(text.len());
    let aliased = aliased.collect();
    let mut reader = Reader { text, offsets, aliased, events: events.into_iter() };
    let mut documents = 0;
    let mut root = None;
    while let Some((event, span)) = reader.events.next() {
        match event {
            Event::DocumentStart(_) => documents += 1,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            event => root = Some(reader.node(event, span, 0)?),
        }
    }
    match root {
        Some(root) if documents == 1 => Ok(root),
        Some(_) => Err(FieldError::Unusual),
        None => Ok(Node::Other(Zeroizing::default())),
    }
}

struct Reader<'t, I> {
    text: &'t str,
    /// Where each character begins: the parser counts characters.
    offsets: Vec<usize>,
    /// The anchors that aliases repeat.
    aliased: HashSet<usize>,
    events: I,
}

impl<'t, I: Iterator<Item = (Event<'t>, Span)>> Reader<'t, I> {
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, FieldError> {
        if depth > DEPTH {
            return Err(FieldError::Unusual);
        }
        let (anchor, node) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let is_tagged = tag.is_some();
                (anchor, self.scalar(&value, style, is_tagged, span))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.events.next() {
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (anchor, Node::Items(items))
            }
            Event::MappingStart(anchor, _) => (anchor, Node::Fields(self.fields(depth)?)),
            Event::Alias(anchor) => (0, Node::Other(Zeroizing::new(format!("*{anchor}")))),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(FieldError::Unusual),
        };
        // Zero is no anchor.
        let is_shared = anchor != 0 && self.aliased.contains(&anchor);
        Ok(if is_shared { Node::Shared(Box::new(node)) } else { node })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Node)>, FieldError> {
        let mut fields = Vec::new();
        while let Some((event, span)) = self.events.next() {
            if event == Event::MappingEnd {
                break;
            }
            let name = match &event {
                Event::Scalar(name, ..) => Some(name.clone().into_owned()),
                _ => None,
            };
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.events.next().ok_or(FieldError::Unusual)?;
            let value = self.node(event, span, depth + 1)?;
            fields.push(match name {
                Some(name) => (name, value),
                // A key that is no string: nothing points there.
                None => ("\0".to_owned(), Node::Items(vec![key, value])),
            });
        }
        Ok(fields)
    }

    fn scalar(&self, value: &str, style: ScalarStyle, is_tagged: bool, span: Span) -> Node {
        let other = || Node::Other(Zeroizing::new(value.to_owned()));
        let end = |index: usize| self.offsets.get(index).copied().unwrap_or_default();
        let start = end(span.start.index());
        let written = self.text.get(start..end(span.end.index())).unwrap_or_default();
        // The parser may count blanks and a comment behind a string to it.
        let written = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted(written),
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => written.trim_end(),
        };
        // What is replaced must be the string and nothing else, as far as one can see.
        let range = start..start + written.len();
        let is_in = |quote: char| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote);
        let style = match style {
            _ if is_tagged => return other(),
            ScalarStyle::Plain if written == value && is_plain_word(value) => Style::YamlPlain,
            // Whatever a reader takes it for, what is written there next stands in quotes if it has to.
            ScalarStyle::Plain if written == value && value.len() > 8 && value.parse::<f64>().is_err() => {
                Style::YamlPlain
            }
            ScalarStyle::SingleQuoted if is_in('\'') => Style::YamlSingle,
            ScalarStyle::DoubleQuoted if is_in('"') => Style::Json,
            ScalarStyle::Plain
            | ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => return other(),
        };
        Node::Text(Text { value: Zeroizing::new(value.to_owned()), range, style })
    }
}

/// A string in quotes, of a text that begins with one.
fn quoted(text: &str) -> &str {
    let mut bytes = text.bytes().enumerate().peekable();
    let Some((_, quote)) = bytes.next() else { return text };
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == b'"' => drop(bytes.next()),
            b'\'' if quote == b'\'' && bytes.peek().is_some_and(|(_, next)| *next == b'\'') => drop(bytes.next()),
            byte if byte == quote => return &text[..=at],
            _ => {}
        }
    }
    text
}
