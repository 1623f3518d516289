//! Key ids: their shape, their borders, and what they say of themselves.

use super::canary::makes_canaries;
use super::{Class, Confidence, Kind};
use crate::ids::{AccessKeyId, AccountId};

/// Length of a key id.
pub(super) const LENGTH: usize = 20;

/// Whether a character may stand in an id. AWS writes them in base32; emulators and people use all digits.
pub(super) fn fits(byte: u8, loose: bool) -> bool {
    byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7') || loose && byte.is_ascii_digit()
}

/// Whether an id may begin here: its letters are right, or torn apart by a soft break of quoted-printable. What stands before it
/// is not looked at: the letters of an escape may.
pub(super) fn begins(text: &[u8], loose: bool) -> bool {
    let letters = text.iter().take(LENGTH).take_while(|byte| fits(**byte, true)).count();
    match text.get(letters) {
        Some(b'=') if letters < LENGTH => true,
        next if letters == LENGTH => {
            next.is_none_or(|next| !next.is_ascii_alphanumeric())
                && has_shape(text.get(..LENGTH).unwrap_or_default(), loose)
        }
        _ => false,
    }
}

/// The id that stands at this place of a text, if one does.
pub(super) fn at(text: &[u8], start: usize, loose: bool) -> Option<&str> {
    let id = text.get(start..start + LENGTH)?;
    let bounded = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let whole = has_shape(id, loose)
        && bounded(start.checked_sub(1).and_then(|before| text.get(before)))
        && bounded(text.get(start + LENGTH));
    if whole { std::str::from_utf8(id).ok() } else { None }
}

/// Examples of AWS's documentation have digits that real ids do not: `AKIAI44QH8DHBEXAMPLE`.
fn has_shape(id: &[u8], loose: bool) -> bool {
    let loose = loose || id.ends_with(EXAMPLE);
    id.iter().all(|byte| fits(*byte, loose))
}

const EXAMPLE: &[u8] = b"EXAMPLE";

/// Which sort of key an id names.
pub(super) fn kind(id: &str) -> Kind {
    match id.get(..4) {
        Some("ASIA") => Kind::Temporary,
        Some("ABIA") => Kind::Bearer,
        Some("ACCA") => Kind::ContextSpecific,
        _ => Kind::LongTerm,
    }
}

/// What an id says of itself.
pub(super) fn class(id: &AccessKeyId) -> Class {
    let is_example = |account: &AccountId| EXAMPLE_ACCOUNTS.contains(&account.as_str());
    if is_placeholder(id.as_str()) || id.account().is_some_and(|account| is_example(&account)) {
        Class::Documentation
    } else if id.account().is_some_and(|account| makes_canaries(&account)) {
        Class::Canary
    } else {
        Class::Real
    }
}

/// The accounts of AWS's documentation, which belong to nobody; emulators make keys of them, too.
///
/// Source: "Example account ids" in the contributor guides of AWS's documentation; 000000000000 is LocalStack's and 123456789012 moto's.
const EXAMPLE_ACCOUNTS: [&str; 7] =
    ["000000000000", "111111111111", "111122223333", "123456789012", "444455556666", "777788889999", "999999999999"];

/// Words that people put into an id that is none. Five letters and more: a real id has one of them once in a million.
const WORDS: [&str; 15] = [
    "EXAMPLE",
    "DUMMY",
    "PLACEHOLDER",
    "SAMPLE",
    "REDACTED",
    "XXXXX",
    "YOURKEY",
    "YOURACCESS",
    "NOTREAL",
    "NOTAREAL",
    "FAKEFAKE",
    "FAKEKEY",
    "TESTKEY",
    "TESTTEST",
    "CHANGEME",
];

/// Whether an id is made up: it has such a word, runs along the alphabet, or has few letters.
fn is_placeholder(id: &str) -> bool {
    let Some(own) = id.get(4..) else { return false };
    let bytes = own.as_bytes();
    let distinct =
        bytes.iter().enumerate().filter(|(index, byte)| !bytes.iter().take(*index).any(|b| b == *byte)).count();
    let mut along = 1;
    let mut longest = 1;
    for pair in bytes.windows(2) {
        along = if pair[1] == pair[0].wrapping_add(1) || pair == b"90" { along + 1 } else { 1 };
        longest = longest.max(along);
    }
    WORDS.iter().any(|word| own.contains(word)) || distinct <= 5 || longest >= 6
}

/// How sure it is that a lone id is one, from itself and what stands around it.
pub(super) fn confidence(id: &AccessKeyId, text: &[u8], start: usize) -> Confidence {
    let own = id.as_str().get(4..).unwrap_or_default();
    if in_a_blob(text, start) {
        return Confidence::Low;
    }
    let reads_as_words = own.bytes().all(|byte| byte.is_ascii_uppercase()) && longest_cluster(own.as_bytes()) <= 4;
    // Ids that encode an account have the top bit of their first letter set; AccessKeyId tells it for the two common kinds.
    let tells_account = own.bytes().next().is_some_and(|first| matches!(first, b'Q'..=b'Z' | b'2'..=b'7'));
    match (tells_account, reads_as_words) {
        (true, false) => Confidence::High,
        (true, true) if among_words(text, start) => Confidence::Low,
        (true, true) => Confidence::High,
        (false, false) => Confidence::Medium,
        // ASIANDEVELOPMENTBANK has twenty letters, too. Ids of the first years begin with AKIAI and AKIAJ.
        (false, true) if own.starts_with(['I', 'J']) && !among_words(text, start) => Confidence::Medium,
        (false, true) => Confidence::Low,
    }
}

/// The most consonants in a row.
fn longest_cluster(letters: &[u8]) -> usize {
    letters.split(|letter| b"AEIOUY".contains(letter)).map(<[u8]>::len).max().unwrap_or(0)
}

/// Whether the words beside it are of large letters, too: a list of names.
fn among_words(text: &[u8], start: usize) -> bool {
    let is_word = |word: &[u8]| word.len() >= 3 && word.iter().all(u8::is_ascii_uppercase);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric();
    let before = text.get(start.saturating_sub(48)..start).unwrap_or_default();
    let after = text.get(start + LENGTH..).unwrap_or_default();
    let after = after.get(..48).unwrap_or(after);
    let before = before.rsplit(|byte| !is_part(byte)).find(|word| !word.is_empty());
    let after = after.split(|byte| !is_part(byte)).find(|word| !word.is_empty());
    (before.is_some() || after.is_some()) && before.is_none_or(is_word) && after.is_none_or(is_word)
}

/// How far to each side a blob is looked at.
const BLOB: usize = 64;

/// Whether it stands within random characters that only a slash or a plus sign keeps from it.
fn in_a_blob(text: &[u8], start: usize) -> bool {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let before: Vec<u8> =
        text.get(..start).unwrap_or_default().iter().rev().take(BLOB).take_while(is_part).copied().collect();
    let after: Vec<u8> =
        text.get(start + LENGTH..).unwrap_or_default().iter().take(BLOB).take_while(is_part).copied().collect();
    let around = before.len() + after.len();
    let share = |class: fn(&u8) -> bool| before.iter().chain(&after).filter(|byte| class(byte)).count();
    around >= BLOB / 2
        && share(u8::is_ascii_uppercase) * 5 > around
        && share(u8::is_ascii_lowercase) * 5 > around
        && share(u8::is_ascii_digit) * 20 > around
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(own: &str) -> AccessKeyId {
        ["AKIA", own].concat().parse().unwrap()
    }

    #[test]
    fn borders_are_kept_on_both_sides() {
        for (text, start) in [
            (&b"AKIAIOSFODNN7EXAMPLE"[..], 0),
            (b"=AKIAIOSFODNN7EXAMPLE\"", 1),
            (b"_AKIAIOSFODNN7EXAMPLE_", 1),
            (b"/AKIAI44QH8DHBEXAMPLE/", 1),
        ] {
            assert!(at(text, start, false).is_some(), "{}", String::from_utf8_lossy(text));
        }
        for text in [
            &b"xAKIAIOSFODNN7EXAMPLE"[..],
            b".AKIAIOSFODNN7EXAMPLES",
            b".AKIAIOSFODNN8AAAAAAA",
            b".AKIAIOSFODNN7EXAMPL",
        ] {
            assert!(at(text, 1, false).is_none(), "{}", String::from_utf8_lossy(text));
        }
        assert!(at(b".AKIAIOSFODNN8AAAAAAA", 1, true).is_some());
    }

    #[test]
    fn made_up_ids_are_told_apart() {
        for own in [
            "IOSFODNN7EXAMPLE",
            "XXXXXXXXXXXXXXXX",
            "1234567890ABCDEF",
            "ABCDEFGHIJKLMNOP",
            "AAAAAAAAAAAAAAAA",
            "DUMMYKEY22222222",
        ] {
            assert_eq!(class(&id(own)), Class::Documentation, "{own}");
        }
        assert_eq!(class(&["AKIAQYLP", "MN5HAAAAQZ7D"].concat().parse().unwrap()), Class::Canary);
        assert_eq!(class(&["ASIAY34F", "ZKBOKMUTVV7A"].concat().parse().unwrap()), Class::Real);
    }

    #[test]
    fn words_and_blobs_are_doubted() {
        let sure = |own: &str, before: &str, after: &str| {
            let text = [before, "AKIA", own, after].concat();
            confidence(&id(own), text.as_bytes(), before.len())
        };
        assert_eq!(sure("Y34FZKBOKMUTVV7A", "key=", "\n"), Confidence::High);
        assert_eq!(sure("J34FZKBOKMUTVV7A", "key=", "\n"), Confidence::Medium);
        assert_eq!(sure("NDEVELOPMENTBANK", "the ", " says"), Confidence::Low);
        assert_eq!(sure("TORATIMARELOSUNE", "NAMES\n", "\nOTHERS"), Confidence::Low);
        assert_eq!(sure("TORATIMARELOSUNE", "key = ", "\n"), Confidence::High);
        let random = "k3Jd9sLq2PzX8vBn4MtR7wYc5HgF6aE1".repeat(2);
        assert_eq!(sure("Y34FZKBOKMUTVV7A", &format!("{random}/"), &format!("+{random}")), Confidence::Low);
        assert_eq!(
            sure("Y34FZKBOKMUTVV7A", "https://bucket/some/long/path/to/nowhere/", "/20240101/x"),
            Confidence::High
        );
    }
}
