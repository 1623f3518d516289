//! What the fuzz targets share: what must hold of any AWS file, and of any text that may reach a person.

pub mod scan;

use akia_core::ProfileName;
use akia_core::profile::{File, FileKind, Profiles, Reader, secret_of};

/// The key of AWS's documentation.
pub const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Profiles of one file that are edited; the same edits on the hundredth teach nothing new.
const EDITED: usize = 6;

/// What must hold of a file whatever its bytes: it is printed as it was read, reading it panics nowhere, and an edit that
/// is not refused changes one profile and no other.
pub fn any_file(kind: FileKind, bytes: &[u8]) {
    let file = File::parse(kind, bytes);
    assert_eq!(file.bytes(), bytes, "a file is printed as it was read");
    for problem in file.problems() {
        let _ = problem.to_string();
    }
    assert!(file.sections().count() <= bytes.len());
    let (credentials, config) = match kind {
        FileKind::Credentials => (Some(&file), None),
        FileKind::Config => (None, Some(&file)),
    };
    for profile in Profiles::merge(credentials, config).iter() {
        let _ = (&profile.kind, profile.endpoint_of("iam"), profile.trouble.as_ref().map(ToString::to_string));
    }
    let names = file.profiles();
    for name in names.iter().take(EDITED) {
        let _ = (file.seen_by(name), file.line_of(name), file.disagreement(name).map(|found| found.to_string()));
        let _ = secret_of(&file, name).map_err(|error| error.to_string());
        edit(&file, name, &names);
    }
    if let Ok(new) = "a new one".parse() {
        edit(&file, &new, &names);
    }
}

/// Sets and removes the two halves of a key in one profile.
fn edit(file: &File, name: &ProfileName, all: &[ProfileName]) {
    let key = [("aws_access_key_id", KEY), ("aws_secret_access_key", SECRET)];
    let halves = key.map(|(setting, _)| setting);
    match file.set(name, &key) {
        Err(error) => {
            let _ = error.to_string();
        }
        Ok(edited) => {
            for (setting, value) in key {
                assert_eq!(edited.value(name, setting).ok().flatten(), Some(value), "{setting} of {name:?} reads back");
            }
            others_stay(file, &edited, name, all, &halves);
            let again = edited.set(name, &key);
            assert!(again.is_ok_and(|again| again.bytes() == edited.bytes()), "the same again changes nothing");
        }
    }
    if let Ok(edited) = file.remove(name, &halves) {
        others_stay(file, &edited, name, all, &halves);
    }
}

/// Neither reader sees anything else changed than the halves of the key in the one profile.
fn others_stay(before: &File, after: &File, name: &ProfileName, all: &[ProfileName], halves: &[&str]) {
    assert_eq!(File::parse(after.kind(), after.bytes()).bytes(), after.bytes());
    for reader in [Reader::Sdk, Reader::Cli] {
        for other in all {
            let seen = |file: &File| {
                let mut settings = file.settings_seen_by(reader, other.as_str());
                if other == name
                    && let Some(settings) = &mut settings
                {
                    settings.retain(|setting, _| !halves.contains(&setting.as_str()));
                }
                settings.map(|settings| {
                    settings.into_iter().map(|(setting, value)| (setting, value.to_owned())).collect::<Vec<_>>()
                })
            };
            assert_eq!(seen(before), seen(after), "what {reader:?} sees of {other:?} when {name:?} is edited");
        }
    }
}

/// A text that may stand in an error: bounded, on one line, without a secret.
pub fn fit_for_an_error(text: &str) {
    assert!(text.len() < 4_000, "it is {} bytes long", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(!text.contains(SECRET), "it holds the secret");
}
