//! The detector: bytes in, keys out.
//!
//! Two questions, asked at very different rates. [`Detector::candidate_in`] is asked of everything, and answers from the needles
//! alone. [`Detector::detect`] is asked of the few texts where the first said yes; it reads some lines around each candidate, undoes
//! escapes, enters encoded segments, and pairs ids with secrets.

use std::ops::Range;

use super::collect::Collector;
use super::decode::base64;
use super::found::{ApiKey, Bag, IdItem, SecretItem};
use super::label::Label;
use super::needles::{Form, Needles, may_be_of_a_secret};
use super::secret::{self, Sure};
use super::{Class, Confidence, Found, FoundSecret, Hidden, Kind, comment, key_id};

/// What counts as a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Also ids with characters that AWS's ids do not have, as emulators and tests make them.
    pub loose: bool,
}

/// Finds keys in bytes. Made once; used by all threads.
#[derive(Debug, Clone)]
pub struct Detector {
    needles: Needles,
    options: Options,
}

/// What [`Detector::examine`] says of a text.
pub struct Examination {
    /// Every key, in the order of their places.
    pub found: Vec<Found>,
    /// Whether a limit on nested encodings cut something off: a packed text that is too large, or encoded too deeply. What was
    /// cut off was not looked at.
    pub cut: bool,
    /// How many bytes were read, those of encoded texts and of second looks among them.
    pub work: usize,
}

/// Bytes that may be read for each byte of a text.
const WORK_PER_BYTE: usize = 64;
/// Bytes that may be read of any text: of a short one that unpacks to a long one.
const WORK: usize = 256 << 20;
/// How far left a run of base64 is followed to its head.
const FURTHEST_HEAD: usize = 128 << 10;
/// Where in a run its head ends: other quotes and brackets may stand before it.
const BESIDE_HEAD: usize = 24;

impl Detector {
    /// How far around a changed range [`Detector::candidate_in`] looks: no form of a key is longer before it is recognised. A
    /// run of base64 is followed further, because what it packs is known by its head alone.
    pub const REACH: usize = Needles::LONGEST + Needles::LONGEST_NEEDLE;

    /// A detector with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { needles: Needles::new(), options }
    }

    /// Whether something that may be a key touches `range` of a text: what is quick enough to be asked of every byte.
    /// Where it says no, [`Detector::detect`] finds no key whose id touches the range (for a key without one: whose secret).
    ///
    /// A key that is encoded twice and torn apart by a line break is not seen, though detect() finds it beside another.
    /// What is packed, and API keys of Bedrock, are long and known by their heads alone: a range further on in one is a candidate
    /// as long as the way back to the head is one word of base64 of at most 128 KiB.
    #[must_use]
    pub fn candidate_in(&self, text: &[u8], range: Range<usize>) -> bool {
        // No form of a key is shorter than a plain id. Most names of files are.
        if text.len() < key_id::LENGTH {
            return false;
        }
        let first = range.start.min(text.len());
        let end = range.end.saturating_add(Needles::LONGEST_NEEDLE).min(text.len());
        let run = run_before(text, first);
        // A label may stand further left than anything else: before a blank. It matters only where a secret may touch the range, and
        // not for one that begins further right than such a label reaches.
        let near = first..range.end.min(first + Needles::LONGEST);
        let left = if first > 0 && long_run_near(text, &near) { Needles::LONGEST } else { run };
        self.needles.hits(text, first.saturating_sub(left)..end, self.options.loose).next().is_some()
            || run == LONGEST_RUN && follows_a_head(text, first)
    }

    /// Every key in a text, in the order of their places.
    #[must_use]
    pub fn detect(&self, text: &[u8]) -> Vec<Found> {
        self.examine(text).found
    }

    /// Every key in a text, and whether the limits on encoded texts kept something from being looked at.
    #[must_use]
    pub fn examine(&self, text: &[u8]) -> Examination {
        let budget = text.len().saturating_mul(WORK_PER_BYTE).saturating_add(WORK);
        let mut collector = Collector::new(&self.needles, self.options, budget);
        let bag = collector.collect(text);
        let (cut, work) = (collector.cut, collector.work);
        Examination { found: self.told(text, bag), cut, work }
    }

    /// Whether a label of the needles stands before a secret, near enough to be seen from any part of it.
    fn is_named_by_a_needle(&self, text: &[u8], secret: &Range<usize>) -> bool {
        let from = secret.end.saturating_sub(Needles::LONGEST).min(secret.start);
        self.needles.hits(text, from..secret.start, self.options.loose).any(|hit| hit.form == Form::Label)
    }

    /// What is told of what was collected.
    fn told(&self, text: &[u8], bag: Bag) -> Vec<Found> {
        // A secret without an id is told where a label of the needles names it, so that scans agree however they cut a text.
        let lone = bag.secrets.into_iter().flatten().filter(|secret| {
            secret.label == Label::SecretAccessKey
                && secret::looks_random(secret.secret.expose().as_bytes(), Sure::Very)
                && self.is_named_by_a_needle(text, &secret.span)
                && !is_part_of_a_name(text, secret)
        });
        let mut found: Vec<Found> = bag
            .ids
            .into_iter()
            .filter_map(told)
            .chain(lone.map(told_alone))
            .chain(bag.api_keys.into_iter().map(told_of_bedrock))
            .collect();
        found.sort_by_key(|found| (found.span.start, found.span.end));
        count_lines(text, &mut found);
        for one in &mut found {
            one.hidden = comment::allows(text, &one.span).then_some(Hidden::Comment);
        }
        found
    }
}

/// Whether a secret hangs on letters by a character of names: `…secret_access_key9closure…` in a program is one name and no secret.
fn is_part_of_a_name(text: &[u8], secret: &SecretItem) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@'));
    let before = secret.span.start.checked_sub(1).and_then(|before| text.get(before));
    secret.encodings.is_empty() && (joins(before) || joins(text.get(secret.span.end)))
}

/// How much of a key, in any form but those with a head, may stand left of a place: base64 of UTF-16 is the longest,
/// and a line break with blanks may stand in it.
const LONGEST_RUN: usize = 80;

/// The characters that any form of a key is written in, among any escapes.
static OF_A_KEY: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let one = byte as u8;
        table[byte] = may_be_of_a_secret(one) || matches!(one, 0 | b'\n' | b'\r');
        byte += 1;
    }
    table
};

/// How long the run is that ends here, of characters that any form of a key is written in; at most [`LONGEST_RUN`]. The blanks
/// that begin a line are no end of it: base64 in YAML has them.
fn run_before(text: &[u8], end: usize) -> usize {
    let before = text.get(end.saturating_sub(LONGEST_RUN)..end).unwrap_or_default();
    let run = |end: usize| before[..end].iter().rev().take_while(|byte| OF_A_KEY[usize::from(**byte)]).count();
    let last = run(before.len());
    let rest = &before[..before.len() - last];
    let blanks = rest.iter().rev().take_while(|byte| **byte == b' ').count();
    let rest = &rest[..rest.len() - blanks];
    if blanks > 0 && rest.last() == Some(&b'\n') { last + blanks + run(rest.len()) } else { last }
}

/// Whether a run that may be a secret, in any form, may touch the range.
fn long_run_near(text: &[u8], range: &Range<usize>) -> bool {
    let mut start = range.start.saturating_sub(secret::LENGTH);
    let end = range.end.saturating_add(secret::LENGTH).min(text.len());
    while start + secret::LENGTH <= end {
        let part = text.get(start..start + secret::LENGTH).unwrap_or_default();
        match part.iter().rposition(|byte| !may_be_of_a_secret(*byte)) {
            Some(foreign) => start += foreign + 1,
            None => return true,
        }
    }
    false
}

/// What begins a long word that is known by its head alone: gzip members in base64, API keys of Bedrock.
const HEADS: [&str; 4] = ["H4sI", "SDRzS", "ABSK", "bedrock-api-key-"];

/// Whether a place is within a long run of base64 that begins with a known head. A run ends at a quote, a blank, a line break or a
/// sign of assignment.
fn follows_a_head(text: &[u8], at: usize) -> bool {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    // Its padding belongs to it.
    let padding = before.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let before = &before[..before.len() - padding];
    if before.len() < Needles::LONGEST
        || !before.iter().rev().take(Needles::LONGEST).all(|byte| base64::value(*byte).is_some())
    {
        return false;
    }
    let near = before.get(before.len().saturating_sub(FURTHEST_HEAD)..).unwrap_or_default();
    let word = memchr::memrchr3(b'"', b' ', b'\n', near).map_or(0, |end| end + 1);
    let word = near.get(word..).unwrap_or_default();
    let run = memchr::memrchr3(b'=', b':', b'\'', word).map_or(0, |end| end + 1);
    let start = word.get(run..).unwrap_or_default();
    let start = start.get(..BESIDE_HEAD).unwrap_or(start);
    HEADS.iter().any(|head| memchr::memmem::find(start, head.as_bytes()).is_some())
}

fn told(item: IdItem) -> Option<Found> {
    let id = item.text.parse().ok()?;
    Some(Found {
        kind: key_id::kind(&item.text),
        class: key_id::class(&id),
        confidence: if item.secret.is_some() { Confidence::High } else { item.confidence },
        id: Some(id),
        secret: item.secret.map(|secret| FoundSecret { secret: secret.secret, span: secret.span, line: 0 }),
        session_token: item.session_token,
        encodings: item.encodings,
        span: item.span,
        line: 0,
        hidden: None,
    })
}

fn told_alone(item: SecretItem) -> Found {
    Found {
        kind: Kind::SecretOnly,
        class: secret::class(item.secret.expose()),
        id: None,
        session_token: false,
        confidence: Confidence::Medium,
        encodings: item.encodings,
        span: item.span.clone(),
        line: 0,
        hidden: None,
        secret: Some(FoundSecret { secret: item.secret, span: item.span, line: 0 }),
    }
}

fn told_of_bedrock(item: ApiKey) -> Found {
    Found {
        kind: Kind::BedrockApiKey,
        class: Class::Real,
        id: None,
        session_token: false,
        confidence: item.confidence,
        encodings: item.encodings,
        span: item.span.clone(),
        line: 0,
        hidden: None,
        secret: Some(FoundSecret { secret: item.key, span: item.span, line: 0 }),
    }
}

/// Says on which line everything stands, in one pass over the text.
fn count_lines(text: &[u8], found: &mut [Found]) {
    let mut places: Vec<usize> = found
        .iter()
        .flat_map(|found| [Some(found.span.start), found.secret.as_ref().map(|secret| secret.span.start)])
        .flatten()
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut lines = Vec::with_capacity(places.len());
    let (mut line, mut counted) = (1_u64, 0);
    for place in &places {
        line += memchr::memchr_iter(b'\n', text.get(counted..*place).unwrap_or_default()).count() as u64;
        counted = *place;
        lines.push(line);
    }
    let line_of =
        |place: usize| places.binary_search(&place).ok().and_then(|index| lines.get(index).copied()).unwrap_or(1);
    for found in found {
        found.line = line_of(found.span.start);
        if let Some(secret) = &mut found.secret {
            secret.line = line_of(secret.span.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_where_it_stands() {
        let text = b"[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
        let detector = Detector::new(Options::default());
        let found = detector.detect(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        assert_eq!(found[0].secret.as_ref().map(|secret| secret.line), Some(3));
        assert!(detector.candidate_in(text, 0..text.len()));
    }

    #[test]
    fn the_name_of_a_function_is_no_secret() {
        let detector = Detector::new(Options::default());
        let random = "q7RtZx9bNm4Kc2Vw8LpYs6Gd3Hf5Jj1TaUe0oXi";
        for (text, count) in [
            (format!("secret_access_key = {random}A"), 1),
            (format!("_ZN3aws17secret_access_key{random}17hE"), 0),
            (format!("aws_secret_access_key_{random}A"), 0),
            (format!("aws_secret_access_key {random}A$closure"), 0),
        ] {
            assert_eq!(detector.detect(text.as_bytes()).len(), count, "{text}");
        }
    }

    #[test]
    fn a_longer_run_is_no_id() {
        let detector = Detector::new(Options::default());
        assert!(detector.detect(b"AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN8EXAMPL2").is_empty());
    }
}
