//! akia's detector against the corpus: it finds what is planted, crosses no pair, and is taken in by no decoy.

use std::collections::BTreeMap;

use akia_core::leak::{Class, Confidence, Detector, Found, Kind, Options};
use akia_corpus::decoys::Told;
use akia_corpus::{Group, Planted, decoys, shapes};

const SEEDS: u64 = 25;

fn detector() -> Detector {
    Detector::new(Options::default())
}

/// Found of what should be found.
#[derive(Default)]
struct Tally {
    ids: usize,
    found_ids: usize,
    pairs: usize,
    found_pairs: usize,
}

#[test]
fn everything_planted_is_found() {
    let detector = detector();
    let mut tallies: BTreeMap<Group, Tally> = BTreeMap::new();
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    for shape in shapes() {
        for seed in 0..SEEDS {
            let planted = shape.plant(seed);
            let found = detector.detect(&planted.bytes);
            let mut fault = |what: &str| *faults.entry(format!("{}: {what}", shape.name)).or_default() += 1;
            judge(&planted, &found, tallies.entry(shape.group).or_default(), &mut fault);
            if !detector.candidate_in(&planted.bytes, 0..planted.bytes.len()) {
                fault("no candidate");
            }
        }
    }
    let mut all = Tally::default();
    for (group, tally) in &tallies {
        println!("{group:?}: ids {} of {}, pairs {} of {}", tally.found_ids, tally.ids, tally.found_pairs, tally.pairs);
        all.ids += tally.ids;
        all.found_ids += tally.found_ids;
        all.pairs += tally.pairs;
        all.found_pairs += tally.found_pairs;
    }
    println!("all: ids {} of {}, pairs {} of {}", all.found_ids, all.ids, all.found_pairs, all.pairs);
    assert!(faults.is_empty(), "of {SEEDS} seeds each: {faults:#?}");
}

fn judge(planted: &Planted, found: &[Found], tally: &mut Tally, fault: &mut dyn FnMut(&str)) {
    let truth = &planted.truth;
    let of = |id: &str| -> Vec<&Found> {
        found.iter().filter(|found| found.id.as_ref().is_some_and(|found| found.as_str() == id)).collect()
    };
    let secret = |found: &Found| found.secret.as_ref().map(|secret| secret.secret.expose().to_owned());
    for key in &truth.pairs {
        let found = of(&key.id);
        tally.ids += 1;
        tally.pairs += 1;
        tally.found_ids += usize::from(!found.is_empty());
        match found.first() {
            None => fault("id missed"),
            Some(first) => match secret(first) {
                None => fault("secret missed"),
                Some(secret) if secret != key.secret => fault("CROSSED"),
                Some(_) => tally.found_pairs += 1,
            },
        }
    }
    for id in &truth.lone_ids {
        let found = of(id);
        tally.ids += 1;
        tally.found_ids += usize::from(!found.is_empty());
        if found.is_empty() {
            fault("lone id missed");
        }
        if found.iter().any(|found| found.secret.is_some()) {
            fault("lone id has a secret");
        }
        if found.iter().any(|found| found.confidence < Confidence::Medium) {
            fault("lone id doubted");
        }
    }
    for lone in &truth.lone_secrets {
        if !found.iter().any(|found| found.kind == Kind::SecretOnly && secret(found).as_ref() == Some(lone)) {
            fault("lone secret missed");
        }
    }
    for key in &truth.api_keys {
        if !found.iter().any(|found| found.kind == Kind::BedrockApiKey && secret(found).as_ref() == Some(key)) {
            fault("API key missed");
        }
    }
    for one in found {
        let id = one.id.as_ref().map_or("", |id| id.as_str());
        if one.session_token != truth.with_token.iter().any(|with| with == id) {
            fault(if one.session_token { "session token of another" } else { "session token missed" });
        }
        let known = truth.pairs.iter().any(|key| key.id == id)
            || truth.lone_ids.iter().any(|lone| lone == id)
            || secret(one)
                .is_some_and(|secret| truth.lone_secrets.contains(&secret) || truth.api_keys.contains(&secret));
        if !known {
            fault("found what is not planted");
        }
        if one.class != Class::Real {
            fault("not real");
        }
    }
}

#[test]
fn no_decoy_is_reported() {
    let detector = detector();
    for decoy in decoys() {
        for seed in 0..SEEDS {
            let file = decoy.make(seed);
            let found = detector.detect(&file.bytes);
            for (id, told) in &file.told {
                let class = found
                    .iter()
                    .find(|found| found.id.as_ref().is_some_and(|found| found.as_str() == id))
                    .map(|found| found.class);
                let expected = match told {
                    Told::Documentation => Class::Documentation,
                    Told::Canary => Class::Canary,
                };
                assert_eq!(class, Some(expected), "{}: {id}", decoy.name);
            }
            let reported = |found: &&Found| found.confidence >= Confidence::Medium && found.class == Class::Real;
            let wrong = found.iter().find(reported).map(|one| String::from_utf8_lossy(&file.bytes[one.span.clone()]));
            assert_eq!(wrong, None, "{}, seed {seed}", decoy.name);
        }
    }
}

#[test]
fn a_candidate_is_seen_from_any_part_of_a_key() {
    let detector = detector();
    for shape in shapes() {
        for seed in 0..4 {
            let planted = shape.plant(seed);
            for found in detector.detect(&planted.bytes) {
                let span = &found.span;
                // What is packed is known by its head, and by its tail as long as its run is one word.
                for at in [span.start, span.start + span.len() / 2, span.end.saturating_sub(1)] {
                    assert!(
                        detector.candidate_in(&planted.bytes, at..at + 1),
                        "{}, seed {seed}: byte {at} of {span:?}",
                        shape.name
                    );
                }
                assert!(detector.candidate_in(&planted.bytes, span.clone()), "{}", shape.name);
            }
        }
    }
}

/// An id was cut out of a longer word where the surroundings of a hit ended.
#[test]
fn a_word_that_a_window_cuts_is_no_id() {
    let detector = detector();
    let real = "\nkey %3D AKIAY34FZKBOKMUTVV7A\n"; // akia:allow
    for offset in 4000..4200 {
        let text =
            format!("xAKIAY34FZKBOKMUTVV7B{}{real}{}AKIAY34FZKBOKMUTVV7Bx", " ".repeat(offset), " ".repeat(offset));
        let ids: Vec<String> =
            detector.detect(text.as_bytes()).into_iter().filter_map(|found| found.id).map(String::from).collect();
        assert_eq!(ids, ["AKIAY34FZKBOKMUTVV7A"], "{offset}"); // akia:allow
    }
}

#[test]
fn there_are_enough_shapes_and_each_has_a_name() {
    let shapes = shapes();
    let names: std::collections::BTreeSet<_> = shapes.iter().map(|shape| shape.name).collect();
    assert!(shapes.len() >= 60 && names.len() == shapes.len(), "{} of {}", names.len(), shapes.len());
    println!("{} shapes, {} decoys", shapes.len(), decoys().len());
    let decoys = decoys();
    let names: std::collections::BTreeSet<_> = decoys.iter().map(|decoy| decoy.name).collect();
    assert_eq!(names.len(), decoys.len());
}

#[test]
fn a_seed_always_plants_the_same() {
    for shape in shapes() {
        assert_eq!(shape.plant(7), shape.plant(7), "{}", shape.name);
        assert_ne!(shape.plant(7).truth, shape.plant(8).truth, "{}", shape.name);
    }
}
