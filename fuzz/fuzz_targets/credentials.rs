//! The credentials file: any bytes.
#![no_main]

use akia_core::profile::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| akia_fuzz::any_file(FileKind::Credentials, bytes));
