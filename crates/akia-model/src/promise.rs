//! What akia promises: every safety line of the design, each by name.

use akia_core::rotation::Rest;

use crate::settings::GRACE;
use crate::state::{Client, Staged, State};
use crate::world::{Cause, Key, KeyNumber, Maker, NOW, Status};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Promise {
    ActiveKeyHeld,
    PlacesWork,
    RetiredOnlyWhenReplaced,
    DeletedOnlyWhatMay,
    OneCreateAtATime,
    SameIdentity,
    NoRivals,
    NoOrphanUnreported,
    ComesToRest,
    SecretsKept,
    OldKeyUnused,
    Writable,
}

impl Promise {
    pub(crate) const ALL: [Self; 12] = [
        Self::ActiveKeyHeld,
        Self::PlacesWork,
        Self::RetiredOnlyWhenReplaced,
        Self::DeletedOnlyWhatMay,
        Self::OneCreateAtATime,
        Self::SameIdentity,
        Self::NoRivals,
        Self::NoOrphanUnreported,
        Self::ComesToRest,
        Self::SecretsKept,
        Self::OldKeyUnused,
        Self::Writable,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ActiveKeyHeld => "some active key is held durably",
            Self::PlacesWork => "every place refers to an active key",
            Self::RetiredOnlyWhenReplaced => "a key is retired only when a proven one is in every place",
            Self::DeletedOnlyWhatMay => "only a key past its grace, of ours, or named by a person is deleted",
            Self::OneCreateAtATime => "no create before a durable intent, nor before the last one is resolved",
            Self::SameIdentity => "no change on another identity than the intent's",
            Self::NoRivals => "of two rotations of one key at most one delivers",
            Self::NoOrphanUnreported => "no orphan is unreported at rest",
            Self::ComesToRest => "once faults stop it comes to rest in a bounded number of effects",
            Self::SecretsKept => "no secret is wiped that a way on or back needs",
            Self::OldKeyUnused => "nothing is signed with the displaced key after promotion, but an undo",
            Self::Writable => "every outcome can be written down, and recovery reads the same",
        }
    }
}

/// The promises that a look at a state can judge; those about acts are noted as breaches when they happen.
pub(crate) fn holds(state: &State, promise: Promise) -> bool {
    if let Some((broken, _)) = state.breach {
        return broken != promise;
    }
    match promise {
        Promise::PlacesWork => places_work(state),
        Promise::ActiveKeyHeld => state.clients.iter().all(|client| holds_active_key(state, client)),
        Promise::SecretsKept => state.clients.iter().all(keeps_secrets),
        Promise::NoRivals => !two_deliver(state),
        Promise::RetiredOnlyWhenReplaced
        | Promise::DeletedOnlyWhatMay
        | Promise::OneCreateAtATime
        | Promise::SameIdentity
        | Promise::NoOrphanUnreported
        | Promise::ComesToRest
        | Promise::OldKeyUnused
        | Promise::Writable => true,
    }
}

fn places_work(state: &State) -> bool {
    state.machines.iter().enumerate().all(|(machine, kept)| {
        kept.places
            .iter()
            .all(|held| state.aws.is_active(held.key) || held.outsider || is_excused(state, machine, held.key))
    })
}

/// Whether a key of this machine was shut by somebody whom no protocol on it can stop: a person outside, or a rotation
/// on another machine that had retired it by the rules (nobody was seen to use it, or a person waived that).
fn is_excused(state: &State, machine: usize, key: KeyNumber) -> bool {
    match state.aws.key(key).map(|key| key.cause) {
        Some(Cause::Outsider) => true,
        Some(Cause::Retired { client }) => state.clients[usize::from(client)].machine != machine,
        None | Some(Cause::Made | Cause::Changed { .. }) => false,
    }
}

fn holds_active_key(state: &State, client: &Client) -> bool {
    let Some(rotation) = &client.rotation else { return true };
    let places = &state.machines[client.machine].places;
    let displaced = KeyNumber::of(&rotation.plan().displaced);
    let staged_new = match client.new_staged {
        Staged::Whole => rotation.new_key().map(KeyNumber::of),
        Staged::None | Staged::Rotten | Staged::Memory => None,
    };
    let staged_displaced = client.displaced_staged.then_some(displaced);
    let held: Vec<KeyNumber> = places.iter().map(|held| held.key).chain(staged_new).chain(staged_displaced).collect();
    held.iter().any(|key| state.aws.is_active(*key))
        // Somebody else has shut, or taken out, what was held. One place that nobody has touched ends the excuse.
        || places.iter().all(|held| held.outsider || is_excused(state, client.machine, held.key))
}

fn keeps_secrets(client: &Client) -> bool {
    let Some(rotation) = &client.rotation else { return true };
    let is_at_its_end = matches!(rotation.rest(*NOW), Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean);
    let has_new = rotation.new_key().is_none() || !matches!(client.new_staged, Staged::None);
    is_at_its_end || (client.displaced_staged && has_new)
}

fn two_deliver(state: &State) -> bool {
    let delivering = |client: &&Client| {
        client.rotation.as_ref().is_some_and(|rotation| {
            // A key that a person deleted leaves the field to the other machine. One that is only shut does not.
            let is_free = |key| state.aws.has(KeyNumber::of(key));
            !rotation.is_being_undone()
                && rotation.new_key().is_some_and(is_free)
                && (matches!(
                    rotation.stage_name(),
                    "delivering"
                        | "promoted"
                        | "waiting for the displaced key to go quiet"
                        | "about to deactivate the displaced key"
                ))
        })
    };
    let mut displaced: Vec<_> = state
        .clients
        .iter()
        .filter(delivering)
        .filter_map(|client| client.rotation.as_ref())
        .map(|rotation| &rotation.plan().displaced)
        .collect();
    displaced.sort();
    displaced.windows(2).any(|pair| pair[0] == pair[1])
}

/// Whether a rotation may delete a key.
pub(crate) fn may_delete(client: usize, of: &Client, number: KeyNumber, key: &Key) -> bool {
    let Some(rotation) = &of.rotation else { return false };
    let is_displaced = KeyNumber::of(&rotation.plan().displaced) == number;
    // AWS does not tell since when a key is inactive. One that somebody activated and deactivated again without using
    // it looks as if it had been inactive all the time, and nobody misses it.
    let is_unused = |key: &Key| key.used.is_none_or(|used| used <= -GRACE + GRACE / 8);
    let was_inactive = key.changed <= -GRACE || (key.touched && is_unused(key));
    let is_past_grace = key.status == Status::Inactive && (was_inactive || of.truth.grace_waived) && is_displaced;
    is_past_grace
        || matches!(key.maker, Maker::Client(maker) if usize::from(maker) == client)
        || of.truth.named.contains(&number)
}

/// The first key of ours that nobody would hear of, with everything at rest.
pub(crate) fn unreported_orphan(state: &State) -> Option<KeyNumber> {
    state.aws.numbers().find(|number| {
        let Some(Maker::Client(maker)) = state.aws.key(*number).map(|key| key.maker) else { return false };
        let client = &state.clients[usize::from(maker)];
        let Some(rotation) = &client.rotation else { return true };
        let is_known = rotation.new_key().map(KeyNumber::of) == Some(*number)
            || state.machines.iter().any(|machine| machine.places.iter().any(|held| held.key == *number))
            || client.truth.told.contains(number)
            || state.clients.iter().filter_map(|client| client.rotation.as_ref()).any(|rotation| {
                // A later rotation displaces it.
                rotation.plan().displaced == number.id()
            });
        let is_reported = match rotation.rest(*NOW) {
            Rest::Undecided { decision } => match decision {
                akia_core::rotation::Decision::Orphans { keys } => keys.contains(&number.id()),
                akia_core::rotation::Decision::StillUsed { .. } | akia_core::rotation::Decision::Reactivated => false,
            },
            // Only a rotation that somebody outside hinders rests here; it says that a create has no outcome.
            Rest::Interrupted { .. } => client.truth.open_creates > 0,
            Rest::Busy
            | Rest::Retired
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. } => false,
        };
        // A key that stood in every place and was taken out of them by somebody outside is told of at the end of the run
        // (`Driver::strays`), which is no part of the protocol.
        let was_delivered =
            client.truth.promoted && state.machines[client.machine].places.iter().any(|held| held.outsider);
        !is_known && !is_reported && !was_delivered
    })
}
