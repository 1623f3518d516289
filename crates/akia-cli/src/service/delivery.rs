//! The key of a service in its places: what they hold, what that means, and bringing a key to those that lack it.
//!
//! Knows nothing of kinds of places. Invariant: a place that holds a key that is not the service's is never written over.

use akia_core::rotation::Place;
use akia_core::service::UserFound;
use akia_core::{AccessKeyId, KeyStatus, UserName};
use akia_io::place::{Expected, Held, KeyPair, PlaceError, Places};

use crate::error::CommandError;

/// What is to be done about the key.
pub(super) enum KeyPlan {
    /// None is asked for.
    Unasked,
    /// It is made, and goes to every place.
    Create,
    /// Some places hold it: the others get it from there.
    Copy {
        /// The key.
        pair: KeyPair,
        /// The places that lack it.
        to: Vec<Place>,
    },
    /// Every place holds it.
    Complete(AccessKeyId),
}

impl KeyPlan {
    /// Whether it changes something.
    pub(super) fn changes(&self) -> bool {
        match self {
            Self::Unasked | Self::Complete(_) => false,
            Self::Create | Self::Copy { .. } => true,
        }
    }
}

/// Goes through a delivery without changing anything, and looks at what the places hold.
///
/// # Errors
/// When a place cannot be written, or holds something that is not the service's; or when the user has keys that no place holds.
pub(super) async fn plan(
    places: &Places,
    list: &[Place],
    name: &UserName,
    user: Option<&UserFound>,
    no_key: bool,
) -> Result<(KeyPlan, Vec<String>), CommandError> {
    if no_key {
        return Ok((KeyPlan::Unasked, Vec::new()));
    }
    let failed = |error: PlaceError| CommandError::failed(&error).next(error.hint());
    let keys = user.map(|user| user.keys.as_slice()).unwrap_or_default();
    let (mut held, mut lacking, mut notes) = (None::<KeyPair>, Vec::new(), Vec::new());
    // A place that gives nothing back is taken for holding the key that the user has.
    let mut is_sealed = false;
    for place in list {
        let ready = places.preflight(place).await.map_err(failed)?;
        if let (Some(mode), Some(path)) = (ready.loose_mode, &ready.path) {
            let path = path.display();
            notes.push(format!("others may read or write {path} (mode {mode:o}): chmod 600 {path}"));
        }
        let found = match places.read(place).await.map_err(failed)? {
            Held::Nothing => None,
            Held::Pair(pair) => Some(pair),
            Held::Sealed { id, .. } => {
                is_sealed = true;
                let is_of_another = id.as_ref().is_some_and(|id| !keys.iter().any(|key| key.id == *id));
                if keys.is_empty() || is_of_another {
                    return Err(decision(format!("{place} holds something already that cannot be read"))
                        .next("name another place, or empty this one first"));
                }
                continue;
            }
        };
        match (found, &held) {
            (None, _) => lacking.push(place.clone()),
            (Some(found), _) if !keys.iter().any(|key| key.id == found.id) => {
                return Err(decision(format!("{place} holds the key {}, which is not of user {name}", found.id))
                    .next("name another place"));
            }
            (Some(found), Some(first)) if !first.matches(&found) => {
                return Err(decision(format!(
                    "the places hold different keys of user {name}: {} and {}",
                    first.id, found.id
                ))
                .next(format!("akia key list --user {name}"))
                .next(format!("akia rotate --user {name}")));
            }
            (Some(_), Some(_)) => {}
            (Some(found), None) => held = Some(found),
        }
    }
    let Some(pair) = held else {
        if let ([key], true, true) = (keys, is_sealed, lacking.is_empty()) {
            return Ok((KeyPlan::Complete(key.id.clone()), notes));
        }
        return if keys.is_empty() { Ok((KeyPlan::Create, notes)) } else { Err(nobody_has(name, user)) };
    };
    let is_active = keys.iter().any(|key| key.id == pair.id && key.status == KeyStatus::Active);
    match (is_active, lacking.is_empty()) {
        (true, true) => Ok((KeyPlan::Complete(pair.id), notes)),
        (true, false) => Ok((KeyPlan::Copy { pair, to: lacking }, notes)),
        (false, _) => Err(decision(format!("the key {} that the places hold is inactive", pair.id))
            .next(format!("akia key activate {} --user {name}", pair.id))),
    }
}

/// AWS tells a secret once: a second key beside one that somebody may use is a person's decision.
fn nobody_has(name: &UserName, user: Option<&UserFound>) -> CommandError {
    let keys: Vec<String> = user
        .iter()
        .flat_map(|user| &user.keys)
        .map(|key| format!("{} ({})", key.id, key.status.as_str().to_lowercase()))
        .collect();
    decision(format!("user {name} has a key already that none of the places holds: {}", keys.join(", ")))
        .next(format!("akia key last-used --user {name} (whether somebody uses it)"))
        .next(format!(
            "akia key deactivate KEY-ID --user {name}, then akia key delete KEY-ID --user {name}, then this again"
        ))
        .next("--no-key (to leave keys alone)")
}

fn decision(what: String) -> CommandError {
    CommandError::decision(what).now("nothing was changed")
}

/// What became of a delivery.
pub(super) struct Delivered {
    /// The places that hold the key now, read back.
    pub(super) written: Vec<Place>,
    /// The others, and why.
    pub(super) failed: Vec<(Place, PlaceError)>,
}

/// Brings a key to all of these places. One that fails does not keep the others.
pub(super) async fn deliver(places: &Places, list: &[Place], pair: &KeyPair) -> Delivered {
    let mut delivered = Delivered { written: Vec::new(), failed: Vec::new() };
    for place in list {
        match places.deliver(place, pair, Expected::keys(&[])).await {
            Ok(_) => delivered.written.push(place.clone()),
            Err(error) => delivered.failed.push((place.clone(), error)),
        }
    }
    delivered
}
