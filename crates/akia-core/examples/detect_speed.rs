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

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use akia_core::leak::{Detector, Options};

/// Bytes of each text.
const SIZE: usize = 16 << 20;
/// What is asked about at once.
const PIECE: usize = 256 << 10;
/// A small window, and how far the next is from it.
const WINDOW: usize = 50;
const STEP: usize = 61;
/// Pairs planted: as densely as 10,000 in 100 MB.
const KEYS: usize = 1_600;
/// How often everything is done.
const ROUNDS: usize = 4;

fn main() {
    let folder = std::env::args()
        .nth(1)
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cargo/registry/src"));
    let detector = Detector::new(Options::default());
    let random = random(SIZE);
    let texts = [("random bytes", random.clone()), ("base64", base64(&random)), ("source text", source(folder))];
    for (name, text) in &texts {
        let ask = |at: usize, length: usize| usize::from(detector.candidate_in(text, at..at + length));
        let sweep =
            best(text.len(), PIECE, |part| part.step_by(PIECE).map(|at| ask(at, PIECE.min(text.len() - at))).sum());
        let windows =
            best(text.len() / STEP, 1000, |part| part.map(|n| ask(n * STEP, WINDOW.min(text.len() - n * STEP))).sum());
        println!(
            "{name:>13}: {:5.2} GB/s ({} of {} pieces have a candidate), {:5.1} ns a window of {WINDOW} bytes ({} of {} have one)",
            1.0 / sweep.0,
            sweep.1,
            text.len() / PIECE,
            windows.0,
            windows.1,
            text.len() / STEP,
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
    let begun = Instant::now();
    let found = detector.detect(&dense).len();
    println!(
        "detect, {KEYS} pairs in {} MB of source text: {found} found, {:.0} MB/s",
        dense.len() >> 20,
        dense.len() as f64 / begun.elapsed().as_secs_f64() / 1e6
    );
}

/// Does all of `0..all` in short turns, several times; nanoseconds a unit in the quickest tenth of the turns, which another program
/// on the same processor disturbed least, and the sum of what the turns say.
fn best(all: usize, turn: usize, mut work: impl FnMut(Range<usize>) -> usize) -> (f64, usize) {
    let mut pace = Vec::new();
    let mut sum = 0;
    for round in 0..ROUNDS {
        for start in (0..all).step_by(turn) {
            let end = all.min(start + turn);
            let begun = Instant::now();
            let said = std::hint::black_box(work(start..end));
            pace.push(begun.elapsed().as_nanos() as f64 / (end - start) as f64);
            sum += if round == 0 { said } else { 0 };
        }
    }
    pace.sort_by(f64::total_cmp);
    let quickest = &pace[..(pace.len() / 10).max(1)];
    (quickest.iter().sum::<f64>() / quickest.len() as f64, sum)
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
