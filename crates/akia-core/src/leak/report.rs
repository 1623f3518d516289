//! All sightings of a scan, put together by key: what is shown, kept as a baseline and handed to `akia contain`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::asked::{Holder, Verified};
use super::ignore::Hidden;
use super::{Class, Confidence, Coverage, Encoding, Fingerprint, Kind, Place, Reach, Sighting};
use crate::ids::{AccessKeyId, AccountId};
use crate::secret::SecretAccessKey;

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
    /// Whether the baseline has it.
    #[serde(default)]
    pub known: bool,
    /// Whether it works; none where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// Whose it is; none where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Where it stands, sorted and each once.
    pub places: Vec<LeakPlace>,
}

impl Leak {
    /// Whether somebody has to do something: a real key that is not known, at a place that is not hidden.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.counts_as(Class::Real)
    }

    /// The same for keys of this class.
    #[must_use]
    pub fn counts_as(&self, class: Class) -> bool {
        self.class == class && !self.known && self.is_shown()
    }

    /// Whether it stands at a place that is not hidden.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.shown_places().next().is_some()
    }

    /// The places that are not hidden.
    pub fn shown_places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| place.hidden.is_none()).map(|place| &place.place)
    }

    /// Whether it still stands where it is used: in HEAD, in the index, or in something that is no history.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.shown_places()
            .any(|place| place.git.as_ref().is_none_or(|git| matches!(git.reach, Reach::Head | Reach::Index)))
    }
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
    /// Whether the secret stands there, too.
    #[serde(default)]
    pub with_secret: bool,
    /// Why the place does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Hidden>,
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

/// The pairs of a scan, for whoever asked to try them.
pub type Pairs = BTreeMap<Fingerprint, (AccessKeyId, SecretAccessKey)>;

impl ScanReport {
    /// Puts sightings together by key.
    #[must_use]
    pub fn new(sources: Vec<String>, sightings: Vec<Sighting>, coverage: Coverage) -> Self {
        Self::with_pairs(sources, sightings, coverage).0
    }

    /// The same, and the secrets, which the report does not hold.
    #[must_use]
    pub fn with_pairs(sources: Vec<String>, sightings: Vec<Sighting>, mut coverage: Coverage) -> (Self, Pairs) {
        let mut leaks: BTreeMap<Fingerprint, Leak> = BTreeMap::new();
        let mut pairs = Pairs::new();
        let mut secrets: Vec<SecretAccessKey> = Vec::new();
        for Sighting { found, place } in sightings {
            let fingerprint = found.fingerprint();
            let with_secret = found.secret.is_some();
            let place = LeakPlace { place, encodings: found.encodings, with_secret, hidden: found.hidden };
            match leaks.entry(fingerprint.clone()) {
                Entry::Occupied(mut known) => {
                    let leak = known.get_mut();
                    leak.confidence = leak.confidence.max(found.confidence);
                    leak.session_token |= found.session_token;
                    leak.places.push(place);
                }
                Entry::Vacant(new) => {
                    new.insert(Leak {
                        fingerprint: fingerprint.clone(),
                        kind: found.kind,
                        class: found.class,
                        confidence: found.confidence,
                        account: found.id.as_ref().and_then(AccessKeyId::account),
                        access_key_id: found.id.clone(),
                        secret: found.secret.as_ref().map(|found| shown(found.secret.expose())),
                        session_token: found.session_token,
                        known: false,
                        verified: None,
                        holder: None,
                        places: vec![place],
                    });
                    secrets.extend(found.secret.as_ref().map(|found| found.secret.duplicate()));
                    if let (Some(id), Some(secret)) = (found.id, found.secret) {
                        pairs.insert(fingerprint, (id, secret.secret));
                    }
                }
            }
        }
        let censor = Censor::new(&secrets);
        let mut leaks = joined(leaks.into_values().collect());
        for leak in &mut leaks {
            leak.places.iter_mut().for_each(|one| censor.clear_place(&mut one.place));
            leak.places.sort();
            // An index of a database holds the id of a row again: the place is one, and what is more counts.
            leak.places.dedup_by(|later, known| {
                let same =
                    (&later.place, &later.encodings, later.hidden) == (&known.place, &known.encodings, known.hidden);
                known.with_secret |= same && later.with_secret;
                same
            });
        }
        leaks.sort_by(|a, b| {
            let rank = |leak: &Leak| (std::cmp::Reverse(leak.confidence), leak.access_key_id.is_none());
            rank(a)
                .cmp(&rank(b))
                .then_with(|| (&a.access_key_id, &a.fingerprint).cmp(&(&b.access_key_id, &b.fingerprint)))
        });
        for one in &mut coverage.skipped {
            censor.clear(&mut one.what);
            censor.clear(&mut one.detail);
        }
        coverage.skipped.sort();
        (Self { schema: SCHEMA.to_owned(), sources, leaks, coverage }, pairs)
    }

    /// Counts places, too, that a comment takes out.
    pub fn show_hidden(&mut self) {
        self.leaks.iter_mut().flat_map(|leak| &mut leak.places).for_each(|place| place.hidden = None);
    }

    /// Takes out places where keys belong.
    pub fn hide(&mut self, why: Hidden, belongs: impl Fn(&Place) -> bool) {
        let places = self.leaks.iter_mut().flat_map(|leak| &mut leak.places);
        places.filter(|one| one.hidden.is_none() && belongs(&one.place)).for_each(|one| one.hidden = Some(why));
    }

    /// Leaves out what is less sure than that.
    pub fn keep(&mut self, least: Confidence) {
        self.leaks.retain(|leak| leak.confidence >= least);
    }
}

/// An id that stands alone somewhere, and elsewhere with the one secret that was found of it, is one key.
fn joined(leaks: Vec<Leak>) -> Vec<Leak> {
    let (mut pairs, alone): (Vec<Leak>, Vec<Leak>) = leaks.into_iter().partition(|leak| leak.secret.is_some());
    // Where the pair of an id stands; none where it has more than one.
    let mut of_id: BTreeMap<AccessKeyId, Option<usize>> = BTreeMap::new();
    for (index, pair) in pairs.iter().enumerate() {
        if let Some(id) = &pair.access_key_id {
            of_id.entry(id.clone()).and_modify(|only| *only = None).or_insert(Some(index));
        }
    }
    for leak in alone {
        let only = leak.access_key_id.as_ref().and_then(|id| *of_id.get(id)?);
        match only.and_then(|index| pairs.get_mut(index)) {
            Some(pair) => {
                pair.session_token |= leak.session_token;
                pair.places.extend(leak.places);
            }
            None => pairs.push(leak),
        }
    }
    pairs
}

/// Takes secrets out of names of files and people, which may hold one: there may be thousands of either.
struct Censor<'s> {
    by_length: BTreeMap<usize, BTreeSet<&'s str>>,
}

impl<'s> Censor<'s> {
    fn new(secrets: &'s [SecretAccessKey]) -> Self {
        let mut by_length: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for secret in secrets {
            by_length.entry(secret.expose().len()).or_default().insert(secret.expose());
        }
        Self { by_length }
    }

    fn clear_place(&self, place: &mut Place) {
        self.clear(&mut place.source);
        self.clear(&mut place.path);
        if let Some(author) = place.git.as_mut().and_then(|git| git.author.as_mut()) {
            self.clear(author);
        }
    }

    fn clear(&self, text: &mut String) {
        let mut at = 0;
        while at < text.len() {
            let here = |(length, secrets): (&usize, &BTreeSet<&str>)| {
                text.get(at..at + length).is_some_and(|piece| secrets.contains(piece)).then_some(*length)
            };
            match self.by_length.iter().find_map(here) {
                Some(length) => {
                    text.replace_range(at..at + length, CLEARED);
                    at += CLEARED.len();
                }
                None => at += 1,
            }
        }
    }
}

/// What stands in place of a secret.
const CLEARED: &str = "<secret>";

/// A secret as it may be shown.
fn shown(secret: &str) -> String {
    let head: String = secret.chars().take(4).collect();
    format!("{head}… ({} characters)", secret.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leak::{Detector, GitPlace, Options, Part, Why};

    #[test]
    fn a_secret_in_a_name_is_in_no_report() {
        let secret = ["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYEXAMPLEKEY"].concat();
        let name = format!("AKIAIOSFODNN7EXAMPLE {secret}");
        let found = Detector::new(Options::default()).detect(name.as_bytes()).remove(0);
        assert!(found.secret.is_some());
        let git = GitPlace {
            object: None,
            commit: None,
            author: Some(name.clone()),
            first_seen: None,
            last_commit: None,
            last_seen: None,
            reach: Reach::Refs,
        };
        let place = Place { part: Part::Name, git: Some(git), ..Place::in_file(".", name.clone(), 1) };
        let mut coverage = Coverage::default();
        coverage.skip(name, Why::Unreadable, "");
        let report = ScanReport::new(Vec::new(), vec![Sighting { found, place }], coverage);
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains(&secret[..12]) && text.contains("AKIAIOSFODNN7EXAMPLE <secret>"), "{text}");
    }
}
