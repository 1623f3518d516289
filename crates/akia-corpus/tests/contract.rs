//! What sources rely on: a range without a candidate has no key. Over files of the corpus, put together and damaged at random.

use akia_core::leak::{Detector, Encoding, Found, Kind, Options};
use akia_corpus::{decoys, shapes};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A change of a text.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (any::<usize>(), 0..200_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        (
            any::<usize>(),
            proptest::sample::select(vec![
                "\n", "\r\n", "=\r\n", "=", "\"", " ", "\\", "%2F", "A", "x", "&quot;", "\0"
            ])
        )
            .prop_map(|(at, text)| Damage::Insert(at, text.as_bytes().to_vec())),
    ]
}

fn damaged(mut text: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = text.len().max(1);
        match damage {
            Damage::Flip(at, byte) => {
                if let Some(there) = text.get_mut(at % length) {
                    *there = *byte;
                }
            }
            Damage::Cut(at, cut) => {
                let start = (at % length).min(text.len());
                text.drain(start..text.len().min(start + cut));
            }
            Damage::Insert(at, bytes) => {
                let at = (at % length).min(text.len());
                text.splice(at..at, bytes.iter().copied());
            }
        }
    }
    text
}

/// What is packed, or an API key with escapes in it: behind its head, nothing tells it from any base64.
fn is_known_by_its_head(found: &Found) -> bool {
    found.encodings.contains(&Encoding::Gzip) || found.kind == Kind::BedrockApiKey && !found.encodings.is_empty()
}

/// Encoded twice, and torn apart by a line break: it may be seen from a key beside it, and the needles do not know it. (There are 128 of
/// them, and they know this for plain base64.)
fn is_torn(text: &[u8], found: &Found) -> bool {
    let breaks = text[found.span.clone()].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    found.encodings.len() > 1 && (breaks || found.encodings.contains(&Encoding::QuotedPrintable))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_range_without_a_candidate_has_no_key(
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), 0..1000_u64), 1..4),
        damages in proptest::collection::vec(damage(), 0..12),
        ranges in proptest::collection::vec((any::<prop::sample::Index>(), 0..300_usize), 16),
    ) {
        let (shapes, decoys) = (shapes(), decoys());
        let mut text = Vec::new();
        for (which, seed) in &pieces {
            let index = which.index(shapes.len() + decoys.len());
            match shapes.get(index) {
                Some(shape) => text.extend(shape.plant(*seed).bytes),
                None => text.extend(decoys[index - shapes.len()].make(*seed).bytes.iter().take(20_000)),
            }
            text.push(b'\n');
        }
        let text = damaged(text, &damages);
        let detector = Detector::new(Options::default());
        let found = detector.detect(&text);
        for found in found.iter().filter(|found| !is_torn(&text, found)) {
            let span = &found.span;
            prop_assert!(detector.candidate_in(&text, span.clone()), "{:?} at {span:?} as {:?}", found.kind, found.encodings);
            if !is_known_by_its_head(found) {
                for at in span.clone().step_by(7) {
                    prop_assert!(detector.candidate_in(&text, at..at + 1), "{:?} at {span:?} as {:?}: byte {at}", found.kind, found.encodings);
                }
            }
        }
        for (start, length) in ranges {
            let start = start.index(text.len().max(1));
            let range = start..text.len().min(start + length);
            if !detector.candidate_in(&text, range.clone()) {
                let within = found.iter().find(|found| {
                    !is_known_by_its_head(found) && !is_torn(&text, found) && found.span.start < range.end && range.start < found.span.end
                });
                prop_assert!(within.is_none(), "{range:?} holds {:?}", within.map(|found| &found.span));
            }
        }
        for found in &found {
            prop_assert!(found.span.end <= text.len() && found.span.start < found.span.end);
            prop_assert!(found.line >= 1);
        }
    }
}
