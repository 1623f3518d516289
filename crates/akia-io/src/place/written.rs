//! A key as its places hold it: the two values of a profile, and the JSON of `credential_process`.
//!
//! One of the three modules that expose a secret; the others sign with it and seal it. A test counts them.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyPair;

/// The setting of a profile that holds the key id.
pub const ID: &str = "aws_access_key_id";
/// The setting of a profile that holds the secret.
pub const SECRET: &str = "aws_secret_access_key";

/// Settings of a profile and their values.
pub type Values = [(&'static str, Zeroizing<String>); 2];

/// The two values of a profile that hold a key.
#[must_use]
pub fn values(pair: &KeyPair) -> Values {
    [(ID, Zeroizing::new(pair.id.as_str().to_owned())), (SECRET, Zeroizing::new(pair.secret.expose().to_owned()))]
}

/// Two values of the right form, to find out whether they could be written.
#[must_use]
pub fn rehearsal_values() -> Values {
    [(ID, Zeroizing::new("AKIAIOSFODNN7EXAMPLE".to_owned())), (SECRET, Zeroizing::new("rehearsal".to_owned()))]
}

/// The JSON that a `credential_process` prints, long-term form:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProcessText {
    pub(super) version: u32,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
}

/// A key in that JSON, for the keychain and for a program that asked for it.
#[must_use]
pub fn process_output(pair: &KeyPair) -> Zeroizing<Vec<u8>> {
    let text = ProcessText {
        version: 1,
        access_key_id: pair.id.as_str().to_owned(),
        secret_access_key: pair.secret.expose().to_owned(),
    };
    // Two strings and a number always print; nothing would be as good as anything else here.
    Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `expose` is called where a key is signed with, sealed, or written down, and where a leaked one is recognised.
    #[test]
    fn few_modules_expose_secrets() {
        let leak = ["detect", "fingerprint", "pair", "report"].map(|part| format!("akia-core/src/leak/{part}.rs"));
        let own = ["akia-io/src/aws/credentials.rs", "akia-io/src/place/written.rs", "akia-io/src/seal.rs"];
        let expected: Vec<String> = leak.into_iter().chain(own.map(str::to_owned)).collect();
        assert_eq!(callers(concat!(".expo", "se()")), expected);
    }

    /// `reveal` is called where a secret of a channel of notices goes into a request.
    #[test]
    fn only_channels_reveal_their_secrets() {
        let expected = ["jira", "pagerduty", "servicenow", "smtp", "web", "webhook"];
        let expected = expected.map(|channel| format!("akia-io/src/notify/{channel}.rs"));
        assert_eq!(callers(concat!(".reve", "al()")), expected);
    }

    /// Reads the sources of all crates.
    fn callers(call: &str) -> Vec<String> {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = Vec::new();
        let folders = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
        // The judge of the simulation compares secrets, and ships nowhere.
        let mut folders: Vec<_> = folders.filter(|folder| !folder.ends_with("akia-prove")).collect();
        folders.iter_mut().for_each(|folder| folder.push("src"));
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&entry).unwrap();
                    // Tests stand last in a file.
                    let code = text.split("#[cfg(test)]").next().unwrap();
                    if code.contains(call) {
                        found.push(entry.strip_prefix(crates).unwrap().to_str().unwrap().to_owned());
                    }
                }
            }
        }
        found.sort();
        found
    }
}
