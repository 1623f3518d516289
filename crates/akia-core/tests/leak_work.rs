//! Hostile texts cost the detector no more than their length: it counts the bytes that it reads, and twice the text is at most
//! twice the work.

use akia_core::leak::{Detector, Options};

const ID: &str = "AKIAY34FZKBOKMUTVV7A"; // akia:allow: published, and of nobody

/// Texts of about so many bytes, each made to cost much.
fn hostile(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |piece: &str| piece.repeat(bytes / piece.len() + 1).into_bytes();
    let secret = ["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYQXAMPLXKEY"].concat();
    let id_in_base64 = "QUtJQVkzNEZaS0JPS01VVFZWN0E=";
    let nested = |piece: &str, escape: fn(&str) -> String| {
        let mut text = piece.to_owned();
        while text.len() < 64 {
            text = escape(&text);
        }
        text
    };
    vec![
        ("ids", repeat(&format!("{ID} "))),
        ("ids without a border", repeat("AKIAY34FZKBOKMUTVV7")),
        ("heads", repeat("AKIA")),
        ("runs of forty", repeat(&format!("{secret}\n"))),
        ("runs of forty, and an id", [repeat(&format!("{secret},")), ID.into()].concat()),
        ("labelled secrets", repeat(&format!("aws_secret_access_key = {secret}\n"))),
        ("labels", repeat("aws_secret_access_key=")),
        ("the word secret, and an id", [repeat("secret "), ID.into()].concat()),
        ("ids in base64, one run", repeat("QUtJQVkzNEZaS0JPS01VVFZWN0Eg")),
        ("ids in base64, many runs", repeat(&format!("{id_in_base64} "))),
        ("heads in base64 of each place", repeat("QUtJQFLSUBS0lB")),
        ("base64 of base64 of base64", repeat("UVV0SlFWVVZWMFNs")),
        ("heads of gzip", repeat("H4sIAAAAAAAA/8vMyczIzAEAAAAAAAAAAAAA")),
        ("ids in hexadecimal digits", repeat("414b4941593334465a4b424f4b4d555456563741 ")),
        ("hexadecimal heads", repeat("414b4941")),
        ("UTF-16", repeat("A\0K\0I\0A\0Y\x003\x004\0F\0Z\0K\0B\0O\0K\0M\0U\0T\0V\0V\x007\0A\0 \0")),
        ("escaped escapes", repeat(&format!("{ID} {}", nested("\\", |text| text.replace('\\', "\\\\"))))),
        ("percent of percent", repeat(&format!("{ID} {}", nested("%", |text| text.replace('%', "%2525"))))),
        ("all escapes at once", repeat(&format!("%3D{ID}&amp;quot;\\\\n%255C\\u0026#37;41 "))),
        ("soft breaks", repeat(&format!("=3D{ID}=\r\n"))),
        ("soft breaks in heads", repeat("AKI=\r\nAKI=\nAK=\nI")),
        ("session tokens", repeat(&format!("IQoJb3JpZ2luX2Vj{} {ID}\n", "a1B2".repeat(30)))),
        ("API keys of Bedrock", repeat(&format!("ABSKQmVkcm9ja0FQSUtleS1{} ", "x".repeat(109)))),
        ("one blank between all", repeat("a ")),
    ]
}

#[test]
fn twice_the_text_is_twice_the_work() {
    let detector = Detector::new(Options::default());
    let (small, large) = (80 << 10, 320 << 10);
    for ((name, one), (_, four)) in hostile(small).into_iter().zip(hostile(large)) {
        let (first, second) = (detector.examine(&one), detector.examine(&four));
        let pace = |work: usize, bytes: usize| work as f64 / bytes as f64;
        let (before, after) = (pace(first.work, one.len()), pace(second.work, four.len()));
        println!(
            "{name}: {before:.1} bytes read a byte, {after:.1} of four times as many; {} found",
            second.found.len()
        );
        assert!(after <= before * 1.5 + 0.5, "{name}: {before:.1} bytes read a byte, {after:.1} of four times as many");
        assert!(after <= 64.0, "{name}: {after:.1} bytes read a byte");
    }
}

#[test]
fn what_is_encoded_too_deeply_is_told_and_not_passed_over_in_silence() {
    let detector = Detector::new(Options::default());
    let mut text = format!("\n{ID}\n");
    for level in 0..9 {
        text = format!("{text:?}").trim_matches('"').to_owned();
        let examined = detector.examine(text.as_bytes());
        assert_eq!(examined.found.is_empty(), examined.cut, "level {level}");
    }
}
