//! The journal: records as JSON, one a line, decoded and applied.
#![no_main]

use akia_core::journal::{Event, Record};
use akia_core::rotation::Rotation;

/// Records of one rotation that are read.
const RECORDS: usize = 256;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut rotation: Option<Rotation> = None;
    for line in text.lines().take(RECORDS) {
        let Ok(record) = serde_json::from_str::<Record>(line) else { continue };
        let written = serde_json::to_string(&record).expect("a record can be written");
        assert_eq!(serde_json::from_str::<Record>(&written).ok().as_ref(), Some(&record), "a record reads back");
        match &mut rotation {
            None => rotation = Rotation::begin(&record).ok(),
            Some(rotation) => apply(rotation, &record),
        }
        if let Some(rotation) = &rotation {
            look(rotation, &record);
        }
    }
});

fn apply(rotation: &mut Rotation, record: &Record) {
    let before = rotation.clone();
    if let Err(illegal) = rotation.apply(record) {
        let _ = illegal.to_string();
        assert_eq!(*rotation, before, "what is refused changes nothing");
    }
}

/// Whatever is asked of a rotation is answered, and what it wants done can be written down.
fn look(rotation: &Rotation, record: &Record) {
    let now = record.at;
    for effect in rotation.next(now) {
        let Some(intent) = effect.intent() else { continue };
        let intended = Record { at: now, event: Event::Intended { intent } };
        assert!(rotation.clone().apply(&intended).is_ok(), "{intent:?} is wanted and cannot be written down");
    }
    let _ = (rotation.rest(now), rotation.stage_name(), rotation.is_over(), rotation.signing_key());
    let _ = (rotation.open_places(), rotation.key_in_grace(), rotation.is_out_of_grace(now), rotation.is_unfinished(now));
    let _ = rotation.hold_on(&rotation.plan().displaced, now);
}
