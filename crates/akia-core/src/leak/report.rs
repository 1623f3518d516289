//! All sightings of a scan, put together by key: what is shown, kept as a baseline and handed to `akia contain`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use super::{Class, Confidence, Coverage, Encoding, Fingerprint, Kind, Place, Sighting};
use crate::ids::{AccessKeyId, AccountId};

/// The name of the JSON form.
pub const SCHEMA: &str = "akia.scan/1";

/// One leaked key, and every place where it stands. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// What makes it the same key in another scan.
    pub fingerprint: Fingerprint,
    /// Which sort.
    pub kind: Kind,
    /// What is known of it offline.
    pub class: Class,
    /// How sure it is.
    pub confidence: Confidence,
    /// Its id; none where only a secret or a Bedrock API key was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<AccessKeyId>,
    /// The account that the id encodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The secret as it may be shown: its first four characters and its length. None where no secret was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether a session token stands with it.
    pub session_token: bool,
    /// Where it stands, sorted and each once.
    pub places: Vec<LeakPlace>,
}

/// One place of a leaked key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeakPlace {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// How it is written there, the outermost encoding first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<Encoding>,
}

/// What a scan says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was scanned.
    pub sources: Vec<String>,
    /// The keys, the surest first.
    pub leaks: Vec<Leak>,
    /// What was looked at, and what was not.
    pub coverage: Coverage,
}

impl ScanReport {
    /// Puts sightings together by key.
    #[must_use]
    pub fn new(sources: Vec<String>, sightings: Vec<Sighting>, mut coverage: Coverage) -> Self {
        let mut leaks: BTreeMap<Fingerprint, Leak> = BTreeMap::new();
        for sighting in sightings {
            let fingerprint = sighting.found.fingerprint();
            let place = LeakPlace { place: sighting.place, encodings: sighting.found.encodings };
            match leaks.entry(fingerprint) {
                Entry::Occupied(mut known) => {
                    let leak = known.get_mut();
                    leak.confidence = leak.confidence.max(sighting.found.confidence);
                    leak.session_token |= sighting.found.session_token;
                    leak.places.push(place);
                }
                Entry::Vacant(new) => {
                    let fingerprint = new.key().clone();
                    new.insert(Leak {
                        fingerprint,
                        kind: sighting.found.kind,
                        class: sighting.found.class,
                        confidence: sighting.found.confidence,
                        account: sighting.found.id.as_ref().and_then(AccessKeyId::account),
                        access_key_id: sighting.found.id,
                        secret: sighting.found.secret.map(|found| shown(found.secret.expose())),
                        session_token: sighting.found.session_token,
                        places: vec![place],
                    });
                }
            }
        }
        let mut leaks: Vec<Leak> = leaks.into_values().collect();
        for leak in &mut leaks {
            leak.places.sort();
            leak.places.dedup();
        }
        leaks.sort_by(|a, b| {
            (b.confidence, &a.access_key_id, &a.fingerprint).cmp(&(a.confidence, &b.access_key_id, &b.fingerprint))
        });
        coverage.skipped.sort();
        Self { schema: SCHEMA.to_owned(), sources, leaks, coverage }
    }
}

/// A secret as it may be shown.
fn shown(secret: &str) -> String {
    let head: String = secret.chars().take(4).collect();
    format!("{head}… ({} characters)", secret.chars().count())
}
