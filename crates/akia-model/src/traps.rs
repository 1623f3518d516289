//! For each sabotage the world in which it shows soonest, and the search for it.

use crate::explore;
use crate::model::Rotations;
use crate::promise::Promise;
use crate::sabotage::Sabotage;
use crate::settings::Setting;

/// The promises that a world breaks, each with its story.
pub(crate) fn broken(setting: Setting) -> Vec<(Promise, String)> {
    let broken = explore::broken(Rotations::new(setting), None);
    let named = |name: &str| Promise::ALL.into_iter().find(|promise| promise.name() == name);
    broken.into_iter().filter_map(|(name, story)| Some((named(name)?, story))).collect()
}

/// The world in which a sabotage shows soonest, and a promise that it breaks there.
pub(crate) fn trap(sabotage: Sabotage) -> (Setting, Promise) {
    let alone = |faults, outside| Setting::new("trap", &[0], faults, outside);
    let (setting, promise) = match sabotage {
        Sabotage::RetryOnCreate => (alone(1, 0), Promise::NoOrphanUnreported),
        Sabotage::NoSettle | Sabotage::NoRivalsCheck => (Setting::new("trap", &[0, 1], 0, 0), Promise::NoRivals),
        Sabotage::OneShotProof => (alone(0, 0), Promise::RetiredOnlyWhenReplaced),
        Sabotage::NoQuarantine => (alone(1, 0), Promise::OneCreateAtATime),
        Sabotage::DeleteOldest => (alone(0, 1), Promise::DeletedOnlyWhatMay),
        Sabotage::DeactivateBeforeDeliver => (alone(0, 0).places(2), Promise::PlacesWork),
        Sabotage::SetDifferenceOrphan => (alone(1, 1), Promise::DeletedOnlyWhatMay),
        Sabotage::BeforeSetForDisplaced => (alone(0, 0).crowded_by_two(), Promise::DeletedOnlyWhatMay),
        Sabotage::NoSecretReadBack => (alone(1, 0), Promise::ComesToRest),
        Sabotage::NoPlaceReadBack => (alone(0, 1), Promise::RetiredOnlyWhenReplaced),
        Sabotage::BlindSecondCreate => (alone(1, 0), Promise::OneCreateAtATime),
        Sabotage::SignWithOld => (alone(0, 0), Promise::OldKeyUnused),
        Sabotage::NonDurableIntent => (alone(1, 0), Promise::OneCreateAtATime),
        Sabotage::StageAfterDeliver => (alone(1, 0), Promise::SecretsKept),
        Sabotage::DeleteUnread => (alone(0, 1), Promise::DeletedOnlyWhatMay),
        Sabotage::WipeEarly => (alone(0, 0), Promise::SecretsKept),
        Sabotage::UndoUnproven => (alone(0, 0), Promise::RetiredOnlyWhenReplaced),
        Sabotage::DeactivateNewFirst => (alone(0, 0), Promise::PlacesWork),
        Sabotage::NoIdentityCheck => (alone(0, 1).admin(), Promise::SameIdentity),
        Sabotage::FailedIsDelivered => (alone(0, 0).places(3).shut(2), Promise::RetiredOnlyWhenReplaced),
        Sabotage::NoSuccessorCheck => (alone(0, 1).admin(), Promise::RetiredOnlyWhenReplaced),
    };
    (setting.sabotaged(sabotage), promise)
}
