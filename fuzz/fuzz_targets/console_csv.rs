//! The console's CSV file: any bytes.
#![no_main]

use akia_core::console_csv::{CsvError, choose, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let told = |error: CsvError| {
        let _ = error.to_string();
    };
    match parse(bytes) {
        Err(error) => told(error),
        Ok(keys) => {
            assert!(!keys.is_empty() && keys.len() < bytes.len(), "no keys is an error");
            let user = keys[0].user.clone();
            if let Err(error) = choose(keys, user.as_ref()) {
                told(error);
            }
        }
    }
});
