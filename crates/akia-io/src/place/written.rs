//! A key as its places hold it: the two values of a profile, and the JSON of `credential_process`.
//!
//! One of the three modules that expose a secret; the others sign with it and seal it. A test counts them.

use akia_core::SecretAccessKey;
use akia_core::place::{CombinedForm, KeyNames};
use data_encoding::BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyPair;

/// The setting of a profile that holds the key id.
pub const ID: &str = "aws_access_key_id";
/// The setting of a profile that holds the secret.
pub const SECRET: &str = "aws_secret_access_key";

/// The variables that the AWS tools read.
const VARIABLE_ID: &str = "AWS_ACCESS_KEY_ID";
const VARIABLE_SECRET: &str = "AWS_SECRET_ACCESS_KEY";

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
    values(&rehearsal_pair())
}

/// A key of the right form that is nobody's.
#[expect(clippy::expect_used, reason = "both texts are written here, and a test parses them")]
pub(super) fn rehearsal_pair() -> KeyPair {
    let id = "AKIAIOSFODNN7EXAMPLE".parse().expect("a key id of the documentation");
    let secret = SecretAccessKey::parse("rehearsal".to_owned()).expect("a word");
    KeyPair { id, secret }
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

/// The values of a key under the names of a place.
#[must_use]
pub(super) fn named(names: &KeyNames, pair: &KeyPair) -> Vec<(String, Zeroizing<String>)> {
    match names {
        KeyNames::Apart { id, secret } => {
            let id = (id.clone(), Zeroizing::new(pair.id.as_str().to_owned()));
            vec![id, (secret.clone(), Zeroizing::new(pair.secret.expose().to_owned()))]
        }
        KeyNames::Combined { name, form } => vec![(name.clone(), combined(*form, pair))],
    }
}

fn combined(form: CombinedForm, pair: &KeyPair) -> Zeroizing<String> {
    let (id, secret) = (pair.id.as_str(), pair.secret.expose());
    match form {
        CombinedForm::Process => {
            let text = std::mem::take(&mut *process_output(pair));
            // It was JSON a moment ago, and JSON is UTF-8.
            Zeroizing::new(String::from_utf8(text).unwrap_or_default())
        }
        CombinedForm::Profile => Zeroizing::new(format!("[default]\n{ID} = {id}\n{SECRET} = {secret}\n")),
        CombinedForm::Env => Zeroizing::new(format!("{VARIABLE_ID}={id}\n{VARIABLE_SECRET}={secret}\n")),
    }
}

/// The key that stands under the names of a place; `value` looks one up. The error is a clause that repeats nothing of the values.
pub(super) fn named_pair(
    names: &KeyNames,
    value: impl Fn(&str) -> Option<Zeroizing<String>>,
) -> Result<Option<KeyPair>, String> {
    let (id, secret) = match names {
        KeyNames::Apart { id, secret } => (value(id), value(secret)),
        KeyNames::Combined { name, form } => match value(name).filter(|text| !text.trim().is_empty()) {
            Some(text) => taken_apart(*form, &text)?,
            None => (None, None),
        },
    };
    let filled = |text: Option<Zeroizing<String>>| text.filter(|text| !text.is_empty());
    match (filled(id), filled(secret)) {
        (None, None) => Ok(None),
        (Some(id), Some(mut secret)) => {
            let id = id.parse().map_err(|_| "its access key id is malformed".to_owned())?;
            let secret = SecretAccessKey::parse(std::mem::take(&mut *secret)).map_err(|error| error.to_string())?;
            Ok(Some(KeyPair { id, secret }))
        }
        (Some(_), None) => Err("the secret access key is missing".to_owned()),
        (None, Some(_)) => Err("the access key id is missing".to_owned()),
    }
}

type Halves = (Option<Zeroizing<String>>, Option<Zeroizing<String>>);

fn taken_apart(form: CombinedForm, text: &str) -> Result<Halves, String> {
    let lines = |id: &str, secret: &str| {
        let value = |wanted: &str| {
            let found = text.lines().find_map(|line| line.split_once('=').filter(|(name, _)| name.trim() == wanted));
            found.map(|(_, value)| Zeroizing::new(value.trim().to_owned()))
        };
        (value(id), value(secret))
    };
    match form {
        CombinedForm::Process => {
            let mut text: ProcessText =
                serde_json::from_str(text).map_err(|_| "it is not the JSON that akia writes there".to_owned())?;
            let id = Zeroizing::new(std::mem::take(&mut text.access_key_id));
            Ok((Some(id), Some(Zeroizing::new(std::mem::take(&mut text.secret_access_key)))))
        }
        CombinedForm::Profile => Ok(lines(ID, SECRET)),
        CombinedForm::Env => Ok(lines(VARIABLE_ID, VARIABLE_SECRET)),
    }
}

/// A request to a program, with the key where it is a delivery.
pub(super) fn request_text(request: &impl Serialize, pair: Option<&KeyPair>) -> Option<Zeroizing<String>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Text<'a, R> {
        #[serde(flatten)]
        request: &'a R,
        #[serde(skip_serializing_if = "Option::is_none")]
        access_key_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        secret_access_key: Option<&'a str>,
    }
    let access_key_id = pair.map(|pair| pair.id.as_str());
    let secret_access_key = pair.map(|pair| pair.secret.expose());
    serde_json::to_string(&Text { request, access_key_id, secret_access_key }).ok().map(Zeroizing::new)
}

/// What tells a key without giving its secret: HMAC-SHA256 of id, line feed and secret, in hexadecimal.
pub(super) fn digest(salt: &str, pair: &KeyPair) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
    let text = Zeroizing::new(format!("{}\n{}", pair.id, pair.secret.expose()));
    data_encoding::HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

/// The variables that the AWS tools read a key from.
#[must_use]
pub(crate) fn variables(pair: &KeyPair) -> Vec<(String, Zeroizing<String>)> {
    named(&KeyNames::default(), pair)
}

/// A foreign text without the secret of a key, as it is and in the base64 that Kubernetes wants.
pub(crate) fn redact(pair: &KeyPair, text: &str) -> String {
    let secret = pair.secret.expose();
    let forms = [CombinedForm::Process, CombinedForm::Profile, CombinedForm::Env].map(|form| combined(form, pair));
    let hidden = forms.iter().map(|form| form.as_bytes()).chain([secret.as_bytes()]);
    hidden.fold(text.replace(secret, "(secret)"), |text, hidden| {
        text.replace(&*Zeroizing::new(BASE64.encode(hidden)), "(secret)")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_written_under_names_reads_back() {
        let secret = format!("{}/{}", "a".repeat(20), "B".repeat(19));
        let pair = KeyPair {
            id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret: SecretAccessKey::parse(secret.clone()).unwrap(),
        };
        let combined = |form| KeyNames::Combined { name: "KEY".to_owned(), form };
        for names in [
            KeyNames::default(),
            combined(CombinedForm::Process),
            combined(CombinedForm::Profile),
            combined(CombinedForm::Env),
        ] {
            let written = named(&names, &pair);
            let value =
                |name: &str| written.iter().find(|(written, _)| written == name).map(|(_, value)| value.clone());
            assert!(named_pair(&names, value).unwrap().unwrap().matches(&pair), "{names:?}");
            assert!(named_pair(&names, |_| None).unwrap().is_none());
            assert!(!rehearsal_pair().matches(&pair));
            let half = |name: &str| {
                value(name).filter(|_| !name.contains("SECRET")).map(|mut text| {
                    let end = text.find(&secret).unwrap_or(text.len());
                    text.truncate(end);
                    text
                })
            };
            let error = named_pair(&names, half).err().unwrap_or_else(|| panic!("{names:?}"));
            assert!(!error.contains(&secret[..8]), "{error}");
        }
    }

    /// `expose` is called where a key is signed with, sealed, or written down, and where a leaked one is recognised.
    #[test]
    fn few_modules_expose_secrets() {
        let leak = ["detect", "fingerprint", "pair", "report"].map(|part| format!("akia-core/src/leak/{part}.rs"));
        let own = ["akia-io/src/aws/credentials.rs", "akia-io/src/place/written.rs", "akia-io/src/seal.rs"];
        let expected: Vec<String> = leak.into_iter().chain(own.map(str::to_owned)).collect();
        assert_eq!(callers(concat!(".expo", "se()")), expected);
    }

    /// `reveal` is called where a secret of a channel of notices, what opens a place, or what a login provider wants goes into a request.
    #[test]
    fn only_channels_places_and_the_login_reveal_their_secrets() {
        let channels = ["jira", "pagerduty", "servicenow", "smtp", "web", "webhook"];
        let channels = channels.map(|channel| format!("akia-io/src/notify/{channel}.rs"));
        let places = ["place/web", "provider"].map(|place| format!("akia-io/src/{place}.rs"));
        let expected: Vec<String> = channels.into_iter().chain(places).collect();
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
