//! Places that somebody gave another key after the rotation was done with them: nothing more is done about it, and it is
//! told, for the new key may stand nowhere now.

use akia_core::AccessKeyId;
use akia_core::rotation::{Place, PlaceState, Rest, Rotation};

use super::driver::Driver;
use crate::place::Held;

/// A place that does not hold the key that was delivered to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The place.
    pub place: Place,
    /// What it holds.
    pub held: Option<AccessKeyId>,
}

impl Driver {
    /// The places of a rotation that has gone its way to the end that do not hold `new`, the key that it made, any more.
    /// None where a later rotation has replaced that key, or a place cannot be read.
    pub async fn strays(&self, rotation: &Rotation, new: &AccessKeyId) -> Vec<Stray> {
        match rotation.rest(self.clock.now()) {
            Rest::Retired | Rest::Kept | Rest::Watching { .. } | Rest::InGrace { .. } => {}
            Rest::Busy
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. }
            | Rest::Undecided { .. }
            | Rest::Interrupted { .. } => return Vec::new(),
        }
        let mut strays = Vec::new();
        for (index, (place, state)) in rotation.plan().places.iter().zip(rotation.places()).enumerate() {
            // A person has said of it that it goes its own way.
            if *state == PlaceState::Left {
                continue;
            }
            let Ok(held) = self.places.read(place).await else { continue };
            let held = key_in(rotation, index, &rotation.plan().displaced, held);
            if held.as_ref() != Some(new) {
                strays.push(Stray { place: place.clone(), held });
            }
        }
        if strays.is_empty() || self.is_displaced_later(new).await { Vec::new() } else { strays }
    }

    async fn is_displaced_later(&self, new: &AccessKeyId) -> bool {
        let all = self.load_all().await.unwrap_or_default();
        all.into_iter().flatten().any(|later| later.plan().displaced == *new)
    }
}

/// The key in a place, as far as it can be told: of one that gives no secrets back, by its mark.
pub(super) fn key_in(rotation: &Rotation, place: usize, doomed: &AccessKeyId, held: Held) -> Option<AccessKeyId> {
    match held {
        Held::Nothing => None,
        Held::Pair(pair) => Some(pair.id),
        Held::Sealed { id, mark } => rotation.sealed_key(place, doomed, id, mark.as_deref()),
    }
}
