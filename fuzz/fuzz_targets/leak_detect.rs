//! The detector of leaked keys: any bytes.
#![no_main]

use akia_core::leak::{Detector, Encoding, Options};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for loose in [false, true] {
        let detector = Detector::new(Options { loose });
        let examined = detector.examine(bytes);
        assert!(examined.work <= bytes.len() * 64 + (256 << 20), "a bounded amount of work");
        let mut before = 0;
        for found in &examined.found {
            assert!(found.span.start < found.span.end && found.span.end <= bytes.len(), "it stands in the text");
            assert!(found.span.start >= before, "in the order of their places");
            before = found.span.start;
            let lines = 1 + bytes[..found.span.start].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(found.line, lines);
            if let Some(secret) = &found.secret {
                assert!(secret.span.end <= bytes.len());
            }
            let plain = found.encodings.is_empty() && found.id.is_some();
            if let Some(id) = found.id.as_ref().filter(|_| plain) {
                assert_eq!(&bytes[found.span.clone()], id.as_str().as_bytes());
                assert!(detector.candidate_in(bytes, found.span.clone()), "what is found is a candidate");
            }
            assert!(found.encodings.len() <= 12 && found.encodings.iter().all(|one| *one <= Encoding::Gzip));
        }
        if !detector.candidate_in(bytes, 0..bytes.len()) {
            assert!(examined.found.is_empty(), "a text without a candidate has no key");
        }
    }
});
