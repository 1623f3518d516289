//! What every form of a key begins with, and the search for all of them at once.
//!
//! A scan asks of every byte whether a key may stand there. [`packed`] (Teddy) looks for up to 128 needles of four bytes and more
//! in one pass, at the speed of memory, as long as few places look like one: it sorts needles into sixteen buckets, and a place is
//! looked at more closely where the nibbles of its first four bytes occur in one bucket. Needles in one bucket must therefore be
//! alike; [`grouped`] sees to that, and is what makes a hundred needles as fast as four.
//!
//! To stay within 128, forms that are both rare and nested (twice base64, base64 of UTF-16, a head torn apart by a line break) are known for `AKIA`
//! and `ASIA` alone. What no needle begins, [`super::Detector`] does not look for.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::packed;

use super::decode::{base64, hex_pair};
use super::{PREFIXES, key_id};

/// In which form a key stands at a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// As it is, or among escapes.
    Plain,
    /// In quoted-printable, with a soft break in its first letters.
    Torn,
    /// Two bytes a character.
    Utf16,
    /// Two digits a byte.
    Hex,
    /// In base64, perhaps of another form; the hit begins with this character of a group of four.
    Base64(usize),
    /// In base64, a gzip member from the hit on, perhaps encoded once more.
    Gzip,
    /// An API key of Amazon Bedrock.
    Bedrock,
    /// No key: the label of a secret access key.
    Label,
}

/// A place where a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where its first byte is.
    pub(super) at: usize,
    pub(super) form: Form,
}

#[derive(Debug)]
struct Needle {
    bytes: Vec<u8>,
    form: Form,
}

/// All needles, ready to be searched for.
#[derive(Debug, Clone)]
pub(super) struct Needles {
    all: &'static All,
}

#[derive(Debug)]
struct All {
    searcher: packed::Searcher,
    needles: Vec<Needle>,
}

/// Nothing in them depends on anything, so that they are made once.
static ALL: LazyLock<All> = LazyLock::new(|| {
    let needles = grouped(needles());
    let mut config = packed::Config::new();
    config.heuristic_pattern_limits(false);
    let searcher = config.builder().extend(needles.iter().map(|needle| &needle.bytes)).build();
    #[expect(clippy::expect_used, reason = "there are at most 128 needles, none of them empty, and a test builds them")]
    let searcher = searcher.expect("the needles can be searched for");
    All { searcher, needles }
});

impl Needles {
    /// The longest reach of a key to the right of where its needle begins, in bytes, in any form but gzip: a label, the space
    /// behind it, and the secret.
    pub(super) const LONGEST: usize = 112;
    /// The longest needle.
    pub(super) const LONGEST_NEEDLE: usize = 16;

    pub(super) fn new() -> Self {
        Self { all: &ALL }
    }

    /// Every place of a part of the text where a key may stand, ascending.
    pub(super) fn hits<'t>(
        &self,
        text: &'t [u8],
        part: Range<usize>,
        loose: bool,
    ) -> impl Iterator<Item = Hit> + use<'t> {
        let (base, all) = (part.start, self.all);
        all.searcher.find_iter(text.get(part).unwrap_or_default()).filter_map(move |found| {
            let needle = all.needles.get(found.pattern().as_usize())?;
            let hit = Hit { at: base + found.start(), form: needle.form };
            may_be_key(text, hit, loose).then_some(hit)
        })
    }
}

/// Whether what follows a hit can be a key. Cheap, and never no where [`super::Detector::detect`] would find one.
fn may_be_key(text: &[u8], hit: Hit, loose: bool) -> bool {
    let Some(rest) = text.get(hit.at..) else { return false };
    match hit.form {
        Form::Plain => key_id::begins(rest, loose),
        Form::Utf16 => (0..key_id::LENGTH).all(|index| {
            rest.get(index * 2).is_some_and(|byte| key_id::fits(*byte, true))
                && (index == 0 || rest.get(index * 2 - 1) == Some(&0))
        }),
        Form::Hex => rest.get(..key_id::LENGTH * 2).is_some_and(|digits| {
            digits.chunks_exact(2).all(|pair| hex_pair(pair).is_some_and(|byte| key_id::fits(byte, true)))
        }),
        Form::Gzip => {
            rest.iter().take(24).all(|byte| base64::value(*byte).is_some() || matches!(byte, b'\r' | b'\n' | b'\\'))
        }
        Form::Bedrock => rest.iter().take(24).all(|byte| byte.is_ascii_graphic()),
        Form::Label => a_long_run_follows(rest),
        Form::Torn | Form::Base64(_) => true,
    }
}

/// Whether something long without a blank stands behind a label: a secret, in whatever form.
fn a_long_run_follows(rest: &[u8]) -> bool {
    let mut run = 0;
    for byte in rest.iter().take(Needles::LONGEST) {
        run = if may_be_of_a_secret(*byte) { run + 1 } else { 0 };
        if run == 40 {
            return true;
        }
    }
    false
}

/// Whether a character may stand in a secret, in any form and among any escapes.
pub(super) const fn may_be_of_a_secret(byte: u8) -> bool {
    OF_A_SECRET[byte as usize]
}

static OF_A_SECRET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let one = byte as u8;
        table[byte] = one.is_ascii_alphanumeric()
            || matches!(one, b'/' | b'+' | b'-' | b'_' | b'=' | b'%' | b'\\' | b'&' | b';' | b'#');
        byte += 1;
    }
    table
};

/// How many of the [`PREFIXES`] are common.
const COMMON: usize = 2;

fn needles() -> Vec<Needle> {
    let mut all = Vec::new();
    let mut add = |bytes: Vec<u8>, form: Form| {
        // Two forms may begin alike: one look at either is enough where the form is the same.
        if !all.iter().any(|known: &Needle| known.bytes == bytes) {
            all.push(Needle { bytes, form });
        }
    };
    let heads = PREFIXES.map(str::as_bytes);
    for head in heads {
        add(head.to_vec(), Form::Plain);
        add(utf16(head), Form::Utf16);
        for digits in [data(head, "0123456789abcdef"), data(head, "0123456789ABCDEF")] {
            add(digits, Form::Hex);
        }
        for (skip, mut inner) in in_base64(head) {
            // A line break may stand behind the fourth.
            inner.truncate(4);
            add(inner, Form::Base64(skip));
        }
    }
    for head in heads.into_iter().take(COMMON) {
        for (skip, inner) in in_base64(&utf16(head)) {
            add(inner, Form::Base64(skip));
        }
        for (skip, once) in in_base64(head) {
            for (outer, twice) in in_base64(&once) {
                add(twice, Form::Base64(outer));
            }
            if let [a, b, c, d, ..] = once[..] {
                // Behind a break come blanks, too. What the first character behind the four may be, the letters of an id tell.
                let behind = once.get(4).map_or(vec![b'E', b'F'], |e| vec![*e]);
                for e in behind {
                    add(vec![b, c, d, e], Form::Base64((skip + 1) % 4));
                }
                add(vec![a, b, b'\n', b' '], Form::Base64(skip));
                add(vec![a, b, b'\n', c], Form::Base64(skip));
                add(vec![a, b, b'\r', b'\n'], Form::Base64(skip));
                add(vec![a, b, c, b'\n'], Form::Base64(skip));
                add(vec![a, b, c, b'\r'], Form::Base64(skip));
                // In a string of JSON, the break is an escape.
                add(vec![a, b, c, b'\\'], Form::Base64(skip));
                add(vec![a, b, b'\\', b'n'], Form::Base64(skip));
            }
        }
        if let [a, b, c, _] = *head {
            add(vec![a, b, c, b'='], Form::Torn);
            add(vec![a, b, b'=', b'\r'], Form::Torn);
            add(vec![a, b, b'=', b'\n'], Form::Torn);
            add(vec![a, b'=', b'\n', b], Form::Torn);
            add(vec![a, b'=', b'\r', b'\n'], Form::Torn);
        }
    }
    for magic in ["H4sI", "SDRzS"] {
        add(magic.into(), Form::Gzip);
    }
    for head in ["ABSK", "bedrock-api-key-"] {
        add(head.into(), Form::Bedrock);
        for (skip, mut inner) in in_base64(head.as_bytes()) {
            inner.truncate(Needles::LONGEST_NEEDLE);
            add(inner, Form::Base64(skip));
        }
    }
    // Rare letters of labels: "secret" alone stands in every second file.
    for label in [
        "t_access_k",
        "T_ACCESS_K",
        "tAccessK",
        "t-access-k",
        "t access k",
        "s_secret_k",
        "S_SECRET_K",
        "sSecretK",
        "SSecretK",
        "s.secretK",
    ] {
        add(label.into(), Form::Label);
    }
    all
}

fn utf16(head: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = head.iter().flat_map(|byte| [*byte, 0]).collect();
    bytes.pop();
    bytes
}

fn data(head: &[u8], digits: &str) -> Vec<u8> {
    let digit = |value: u8| digits.as_bytes().get(usize::from(value)).copied().unwrap_or(b'0');
    head.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The characters of base64 that a text wholly determines, for each place in a group of three bytes; first, with which character
/// of a group they begin.
fn in_base64(text: &[u8]) -> [(usize, Vec<u8>); 3] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    [0, 1, 2].map(|before| {
        let bits: Vec<u8> = std::iter::repeat_n(&0, before)
            .chain(text)
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
            .collect();
        let skip = (before * 8).div_ceil(6);
        let characters = bits.chunks_exact(6).skip(skip);
        (
            skip % 4,
            characters.map(|six| ALPHABET[usize::from(six.iter().fold(0, |value, bit| value << 1 | bit))]).collect(),
        )
    })
}

/// Buckets of the searcher: a needle goes to bucket 15 less its number, modulo 16.
const BUCKETS: usize = 16;

/// The needles in an order that puts alike ones into one bucket.
fn grouped(mut needles: Vec<Needle>) -> Vec<Needle> {
    needles.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    let length = needles.len();
    let rows = length.div_ceil(BUCKETS);
    let full = length - (rows - 1) * BUCKETS;
    let mut parts = Vec::new();
    let mut start = 0;
    for bucket in 0..BUCKETS {
        let end = start + if bucket < full { rows } else { rows - 1 };
        parts.push(start..end);
        start = end;
    }
    let mut nibbles: Vec<u128> = needles.iter().map(|needle| nibbles(&needle.bytes)).collect();
    // Swaps that make two buckets narrower, until there is none; a few rounds find all.
    for _ in 0..8 {
        let mut better = false;
        for (index, a) in parts.iter().enumerate() {
            for b in parts.iter().skip(index + 1) {
                for i in a.clone() {
                    for j in b.clone() {
                        let width = |nibbles: &[u128]| breadth(&nibbles[a.clone()]) + breadth(&nibbles[b.clone()]);
                        let before = width(&nibbles);
                        nibbles.swap(i, j);
                        if width(&nibbles) < before {
                            needles.swap(i, j);
                            better = true;
                        } else {
                            nibbles.swap(i, j);
                        }
                    }
                }
            }
        }
        if !better {
            break;
        }
    }
    let mut order: Vec<usize> =
        (0..rows).flat_map(|row| parts.iter().filter_map(move |part| part.clone().nth(row))).collect();
    let mut slots: Vec<Option<Needle>> = needles.into_iter().map(Some).collect();
    order.drain(..).filter_map(|index| slots.get_mut(index).and_then(Option::take)).collect()
}

/// The nibbles of the first four bytes: eight sets of sixteen.
fn nibbles(bytes: &[u8]) -> u128 {
    bytes.iter().take(4).enumerate().fold(0, |sets, (index, byte)| {
        sets | 1 << (index * 32 + usize::from(byte & 15)) | 1 << (index * 32 + 16 + usize::from(byte >> 4))
    })
}

/// How many of all four-byte strings a bucket lets through.
fn breadth(nibbles: &[u128]) -> u64 {
    let all = nibbles.iter().fold(0, |all, one| all | one);
    (0..8).map(|set| u64::from((all >> (set * 16) & 0xffff).count_ones())).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needles_fit_into_one_searcher_and_none_is_short() {
        let all = needles();
        assert!(all.len() <= 128, "{}", all.len());
        println!("{} needles", all.len());
        assert!(all.iter().all(|needle| (4..=Needles::LONGEST_NEEDLE).contains(&needle.bytes.len())));
        assert_eq!(ALL.needles.len(), all.len());
    }

    #[test]
    fn the_buckets_are_narrow() {
        let in_buckets = |needles: &[Needle]| -> u64 {
            (0..BUCKETS)
                .map(|bucket| {
                    breadth(
                        &needles.iter().skip(bucket).step_by(BUCKETS).map(|n| nibbles(&n.bytes)).collect::<Vec<_>>(),
                    )
                })
                .sum()
        };
        // As they come, 1 of 10,000 random places would be looked at, and many more of text.
        let (before, after) = (in_buckets(&needles()), in_buckets(&ALL.needles));
        assert!(after < before / 8 && after < 60_000, "{before} {after}");
    }

    #[test]
    fn base64_is_known_at_each_place_of_a_group() {
        let known = in_base64(b"AKIA").map(|(skip, text)| (skip, String::from_utf8(text).unwrap()));
        assert_eq!(known, [(0, "QUtJQ".to_owned()), (2, "FLSU".to_owned()), (3, "BS0lB".to_owned())]);
    }
}
