//! How fast the leak detector is: gigabytes a second of [`Detector::candidate_in`] over whole texts, nanoseconds a small window,
//! and megabytes a second of [`Detector::detect`] where keys stand densely.
//!
//! ```text
//! cargo run --release -p akia-core --example detect_speed -- [FOLDER]
//! ```
//!
//! FOLDER has source text: by default the sources of the crates that cargo has unpacked.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]
#![expect(clippy::disallowed_methods, reason = "an example is no part of the core: it reads files and the clock")]

use std::path::PathBuf;
use std::time::Instant;

use akia_core::leak::{Detector, Options};

/// Bytes of each text.
const SIZE: usize = 16 << 20;
/// Small windows asked about.
const WINDOWS: usize = 200_000;
/// Pairs planted: as densely as 10,000 in 100 MB.
const KEYS: usize = 1_600;
/// Each is measured so often; the best counts.
const TURNS: usize = 15;

fn main() {
    let folder = std::env::args()
        .nth(1)
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cargo/registry/src"));
    let detector = Detector::new(Options::default());
    let random = random(SIZE);
    let texts = [("random bytes", random.clone()), ("base64", base64(&random)), ("source text", source(folder))];
    for (name, text) in &texts {
        let (mut hits, seconds) = (0, best(|| usize::from(detector.candidate_in(text, 0..text.len()))));
        let mut candidates = 0;
        let swept = best(|| {
            candidates = text
                .chunks(4096)
                .enumerate()
                .filter(|(n, chunk)| detector.candidate_in(text, n * 4096..n * 4096 + chunk.len()))
                .count();
            candidates
        });
        let window = best(|| {
            hits = (0..WINDOWS)
                .filter(|n| {
                    let at = n * 61 % text.len().saturating_sub(50).max(1);
                    detector.candidate_in(text, at..at + 50)
                })
                .count();
            hits
        });
        println!(
            "{name:>13}: {:6.2} GB/s until the first candidate, {:5.2} GB/s in pieces of 4 KiB ({candidates} with a candidate), {:5.1} ns a window of 50 bytes ({hits} with a candidate)",
            text.len() as f64 / seconds / 1e9,
            text.len() as f64 / swept / 1e9,
            window / WINDOWS as f64 * 1e9,
        );
    }
    let pair = [
        &b"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = "[..],
        b"wJalrXUtnFEMI/K7MDENG",
        b"/bPxRfiCYEXAMPLEKEY\n",
    ]
    .concat();
    let mut dense = texts[2].1.clone();
    let step = dense.len() / KEYS;
    for n in 0..KEYS {
        dense[n * step..n * step + pair.len()].copy_from_slice(&pair);
    }
    let mut found = 0;
    let seconds = best(|| {
        found = detector.detect(&dense).len();
        found
    });
    println!(
        "detect, {KEYS} pairs in {} MB of source text: {found} found, {:.0} MB/s",
        dense.len() >> 20,
        dense.len() as f64 / seconds / 1e6
    );
}

fn best(mut turn: impl FnMut() -> usize) -> f64 {
    (0..TURNS)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(turn());
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min)
}

fn random(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    })
    .take(bytes)
    .collect()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .iter()
        .enumerate()
        .map(|(n, byte)| if n % 77 == 76 { b'\n' } else { ALPHABET[usize::from(byte & 63)] })
        .collect()
}

fn source(folder: PathBuf) -> Vec<u8> {
    let mut text = Vec::new();
    let mut left = vec![folder];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path
                .extension()
                .is_some_and(|end| ["rs", "md", "toml", "c", "h", "py"].iter().any(|known| end == *known))
                && text.len() < SIZE
            {
                text.extend(std::fs::read(path).unwrap_or_default());
            }
        }
    }
    text
}
