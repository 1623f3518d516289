//! What may be a secret access key: forty characters of base64 that look random.

use std::ops::Range;

use super::decode::{base64, hex_digit, hex_pair};
use super::{Class, Encoding};

/// Length of a secret access key.
pub(super) const LENGTH: usize = 40;

/// A text that may be a secret, and where it stands.
pub(super) struct Candidate {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) encodings: Vec<Encoding>,
}

/// Whether a character may stand in a secret.
pub(super) fn fits(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+')
}

/// Everything in a part of a text that may be a secret, ascending.
pub(super) fn candidates(text: &[u8], part: Range<usize>) -> Vec<Candidate> {
    let mut found = Vec::new();
    // A character of either alphabet of base64: the longest kind of run. Secrets are looked for within it.
    let is_part = |byte| fits(byte) || matches!(byte, b'_' | b'-');
    for run in (Runs { text, at: part.start, end: part.end, is_part, least: LENGTH }) {
        for secret in (Runs { text, at: run.start, end: run.end, is_part: fits, least: LENGTH }) {
            if secret.len() == LENGTH
                && !goes_on_in_an_escape(text, &secret)
                && let Some(word) = text.get(secret.clone()).and_then(|word| std::str::from_utf8(word).ok())
                && looks_random(word.as_bytes(), Sure::Little)
            {
                found.push(Candidate { text: word.to_owned(), span: secret, encodings: Vec::new() });
            }
        }
        if let Some(candidate) = encoded(text, run) {
            found.push(candidate);
        }
    }
    found
}

/// Whether a run is only what stands between two escapes of a longer one, as `%2F` and `\/` part it.
fn goes_on_in_an_escape(text: &[u8], run: &Range<usize>) -> bool {
    let before = run.start.checked_sub(1).and_then(|before| text.get(before));
    let after = text.get(run.end..).unwrap_or_default();
    let longer = [&b"%2F"[..], b"%2f", b"%2B", b"%2b", b"\\/", b"\\u002", b"&#", b"=\n", b"=\r\n"];
    matches!(before, Some(b'%' | b'\\')) || longer.iter().any(|escape| after.starts_with(escape))
}

/// A run that is a secret in base64, once or twice, or in hexadecimal digits, and nothing else.
fn encoded(text: &[u8], run: Range<usize>) -> Option<Candidate> {
    let word = text.get(run.clone())?;
    let (bytes, encodings) = match run.len() {
        // 40 to 42 characters: a line break may have been encoded with them.
        54..=56 => (base64::exact(word)?, vec![Encoding::Base64]),
        72..=76 => (base64::exact(&base64::exact(word)?)?, vec![Encoding::Base64, Encoding::Base64]),
        80 | 82 => (word.chunks(2).map(hex_pair).collect::<Option<Vec<u8>>>()?, vec![Encoding::Hex]),
        _ => return None,
    };
    let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    let is_secret =
        secret.len() == LENGTH && secret.iter().all(|byte| fits(*byte)) && looks_random(secret, Sure::Little);
    is_secret.then(|| Candidate { text: String::from_utf8_lossy(secret).into_owned(), span: run, encodings })
}

/// How much random looks are asked of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    /// Something else speaks for it: a label, or an id beside it.
    Little,
    /// Nothing else does.
    Very,
}

/// Whether forty characters look drawn at random from 64. A million real secrets lose about one to [`Sure::Very`].
pub(super) fn looks_random(word: &[u8], sure: Sure) -> bool {
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut seen = [false; 256];
    let mut classes = [0_usize; 4];
    for byte in word {
        seen[usize::from(*byte)] = true;
        classes[class(*byte)] += 1;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    // 25 of 39 neighbours differ in class on average; words written in humps have 10 to 16.
    let changes = word.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let (least_distinct, least_changes) = match sure {
        Sure::Little => (14, 9),
        Sure::Very => (18, 12),
    };
    classes[0] > 0
        && classes[1] > 0
        && distinct >= least_distinct
        && changes >= least_changes
        && !word.iter().all(|byte| hex_digit(*byte).is_some())
        && !is_a_path(word)
        && !is_a_name(word)
        && base64::exact(word).is_none_or(|bytes| !bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')))
}

/// `usr/share/doc/Package1/README`: parts that are words, each of them.
fn is_a_path(word: &[u8]) -> bool {
    let parts = || word.split(|byte| *byte == b'/').filter(|part| part.len() >= 2);
    let is_word = |part: &[u8]| {
        let tail = part.get(1..).unwrap_or_default();
        let small = tail.iter().filter(|byte| byte.is_ascii_lowercase()).count();
        small * 4 >= tail.len() * 3 || part.iter().all(u8::is_ascii_uppercase)
    };
    let small = word.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    !word.contains(&b'+') && parts().count() >= 3 && small * 2 >= word.len() && parts().all(is_word)
}

/// `aNameOfManyWordsInHumps`: one in a million random ones is all letters and has so few large ones.
fn is_a_name(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_alphabetic)
        && word.iter().filter(|byte| byte.is_ascii_uppercase()).count() <= word.len() * 3 / 10
}

/// Whether a secret is one of AWS's documentation, or is made like those.
pub(super) fn class(secret: &str) -> Class {
    if secret.contains("EXAMPLE") { Class::Documentation } else { Class::Real }
}

/// Runs of characters that are at least so long, skipping through what is between them.
struct Runs<'t, F> {
    text: &'t [u8],
    at: usize,
    end: usize,
    is_part: F,
    least: usize,
}

impl<F: Fn(u8) -> bool> Iterator for Runs<'_, F> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let is_part = |at: usize| self.text.get(at).is_some_and(|byte| (self.is_part)(*byte));
        while self.at + self.least <= self.end {
            // From the last character that a run beginning here must have, back to its first.
            let last = self.at + self.least - 1;
            if let Some(foreign) = (self.at..=last).rev().find(|at| !is_part(*at)) {
                self.at = foreign + 1;
                continue;
            }
            let start = self.at;
            let mut end = last + 1;
            while end < self.end && is_part(end) {
                end += 1;
            }
            self.at = end + 1;
            // One that the part cuts off at an end is no run.
            let cut = start > 0 && is_part(start - 1) || is_part(end);
            if !cut {
                return Some(start..end);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<Range<usize>> {
        candidates(text.as_bytes(), 0..text.len()).into_iter().map(|candidate| candidate.span).collect()
    }

    #[test]
    fn forty_random_characters_between_borders() {
        let secret = ["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYEXAMPLEKEY"].concat();
        assert_eq!(spans(&format!("a = \"{secret}\"")).first(), Some(&(5..45)));
        assert_eq!(spans(&format!("_{secret}-")).first(), Some(&(1..41)));
        assert!(spans(&format!("x{secret}")).is_empty());
        assert_eq!(spans(&format!("{secret},{secret}")), [0..40, 41..81]);
    }

    #[test]
    fn what_is_no_secret() {
        for text in [
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            "usr/share/doc/Package1/README/Copyright1",
            "aaaaaaaaaaaaaaaaaaaaAAAAAAAAAAAAAAAAAAAA",
            "theQuickBrownFoxJumpsOverTheLazyDogAgain",
            "SGVsbG8sIHRoaXMgaXMgYSBsaW5lIG9mIHRleHQu",
            "1234567890123456789012345678901234567890",
        ] {
            assert_eq!(text.len(), 40, "{text}");
            assert!(spans(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_million_random_ones_lose_next_to_none() {
        // xorshift: the core draws nothing at random.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut lost = [0, 0];
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for _ in 0..100_000 {
            let word: Vec<u8> = (0..40)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    ALPHABET[(state >> 33) as usize % 64]
                })
                .collect();
            for (index, sure) in [Sure::Little, Sure::Very].into_iter().enumerate() {
                lost[index] += usize::from(!looks_random(&word, sure));
            }
        }
        assert!(lost[0] <= 1 && lost[1] <= 2, "{lost:?}");
    }

    #[test]
    fn an_encoded_secret_alone_is_one() {
        let secret = ["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYEXAMPLEKEY"].concat();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("a: d0phbHJYVXRuRkVNSS9LN01ERU5HL2JQeFJmaUNZRVhBTVBMRUtFWQ==\nb: {hex}\n");
        let found = candidates(text.as_bytes(), 0..text.len());
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|candidate| candidate.text == secret));
        assert_eq!(found[0].encodings, [Encoding::Base64]);
        assert_eq!(found[1].encodings, [Encoding::Hex]);
    }
}
