//! A message of a queue: any bytes.
#![no_main]

use akia_core::event::{What, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse(text) {
        Err(error) => {
            let words = error.to_string();
            assert!(!words.is_empty() && words.len() < 200, "short, and never the message itself");
            assert!(words.is_ascii() && !words.contains(|c: char| c.is_control()), "{words}");
        }
        Ok(event) => {
            assert!(!event.id.is_empty() && event.id.is_ascii());
            if let What::Exposed { keys, user, .. } = &event.what {
                assert!(!keys.is_empty() || user.is_some(), "it is about something");
            }
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<akia_core::event::Event>(&json).unwrap(), event, "it is kept as it was read");
        }
    }
});
