//! The detector: bytes in, keys out.

use std::ops::Range;

use aho_corasick::packed;

use super::{Class, Confidence, Found, FoundSecret, Kind};
use crate::ids::AccessKeyId;
use crate::secret::SecretAccessKey;

/// What counts as a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Also ids with characters that AWS's ids do not have, as emulators and tests make them.
    pub loose: bool,
}

/// Finds keys in bytes. Made once; used by all threads.
#[derive(Debug, Clone)]
pub struct Detector {
    needles: packed::Searcher,
    options: Options,
}

/// Length of a key id.
const ID: usize = 20;

impl Detector {
    /// How far around a changed range [`Detector::candidate_in`] looks: no form of a key is longer before it is recognised.
    pub const REACH: usize = 32;

    /// A detector with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        #[expect(clippy::expect_used, reason = "the needles are constants, and a test builds it")]
        let needles = packed::Searcher::new(super::PREFIXES).expect("the needles can be searched for");
        Self { needles, options }
    }

    /// Whether something that may be a key touches `range` of a text: what is quick enough to be asked of every byte.
    /// Where it says no, [`Detector::detect`] finds no key that touches the range.
    #[must_use]
    pub fn candidate_in(&self, text: &[u8], range: Range<usize>) -> bool {
        let window = range.start.saturating_sub(Self::REACH)..range.end.saturating_add(Self::REACH).min(text.len());
        self.starts(text, window).next().is_some()
    }

    /// Every key in a text, in the order of their places.
    #[must_use]
    pub fn detect(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let (mut line, mut counted) = (1, 0);
        for at in self.starts(text, 0..text.len()) {
            let span = at..at + ID;
            let Some(id) = text
                .get(span.clone())
                .and_then(|id| std::str::from_utf8(id).ok())
                .and_then(|id| id.parse::<AccessKeyId>().ok())
            else {
                continue;
            };
            line += lines(text, counted..at);
            counted = at;
            let secret = secret_after(text, span.end, line);
            found.push(Found {
                kind: kind(id.as_str()),
                class: if id.as_str().ends_with("EXAMPLE") { Class::Documentation } else { Class::Real },
                confidence: if secret.is_some() { Confidence::High } else { Confidence::Medium },
                id: Some(id),
                secret,
                session_token: false,
                encodings: Vec::new(),
                span,
                line,
                hidden: None,
            });
        }
        found
    }

    fn starts<'t>(&'t self, text: &'t [u8], window: Range<usize>) -> impl Iterator<Item = usize> + 't {
        let base = window.start;
        self.needles
            .find_iter(text.get(window).unwrap_or_default())
            .map(move |hit| base + hit.start())
            .filter(move |at| self.is_id(text, *at))
    }

    fn is_id(&self, text: &[u8], at: usize) -> bool {
        let Some(id) = text.get(at..at + ID) else { return false };
        let fits = |byte: &u8| {
            byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7') || self.options.loose && byte.is_ascii_digit()
        };
        let bounded = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        id.iter().all(fits)
            && bounded(at.checked_sub(1).and_then(|before| text.get(before)))
            && bounded(text.get(at + ID))
    }
}

fn kind(id: &str) -> Kind {
    match id.get(..4) {
        Some("ASIA") => Kind::Temporary,
        Some("ABIA") => Kind::Bearer,
        Some("ACCA") => Kind::ContextSpecific,
        _ => Kind::LongTerm,
    }
}

fn lines(text: &[u8], range: Range<usize>) -> u64 {
    text.get(range).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The first run of forty characters within reach that looks like a secret.
fn secret_after(text: &[u8], from: usize, line: u64) -> Option<FoundSecret> {
    let window = text.get(from..text.len().min(from + 1024))?;
    let is_secret = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let mut start = 0;
    for run in window.split(|byte| !is_secret(byte)) {
        let span = from + start..from + start + run.len();
        start += run.len() + 1;
        let mixed = run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase);
        if run.len() == 40 && mixed {
            let secret = SecretAccessKey::parse(String::from_utf8(run.to_vec()).ok()?).ok()?;
            return Some(FoundSecret { secret, line: line + lines(text, from..span.start), span });
        }
    }
    None
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
    fn a_longer_run_is_no_id() {
        let detector = Detector::new(Options::default());
        assert!(detector.detect(b"AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN8EXAMPLE").is_empty());
    }
}
