//! The config file, any bytes; and both files together, divided by a line of `%%`.
#![no_main]

use akia_core::profile::{File, FileKind, Profiles};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.windows(4).position(|window| window == b"\n%%\n") else {
        return akia_fuzz::any_file(FileKind::Config, bytes);
    };
    let credentials = File::parse(FileKind::Credentials, &bytes[..at]);
    let config = File::parse(FileKind::Config, &bytes[at + 4..]);
    let profiles = Profiles::merge(Some(&credentials), Some(&config));
    for profile in profiles.iter() {
        assert_eq!(profiles.find(&profile.name).map(|found| &found.name), Some(&profile.name));
        let _ = (profile.endpoint_of("iam"), profile.endpoint_of("sts"));
    }
    let _ = (profiles.sharing_key(), profiles.problems());
});
