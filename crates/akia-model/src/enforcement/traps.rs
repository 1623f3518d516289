//! For each sabotage the world in which it shows soonest, and the promise that it breaks there.

use super::model::Cases;
use super::promise::Promise;
use super::sabotage::Sabotage;
use super::settings::{Rule, Setting};
use crate::explore;

/// The promises that a world breaks, each with its story.
#[cfg(test)]
pub(crate) fn broken(setting: Setting) -> Vec<(Promise, String)> {
    let broken = explore::broken(Cases::new(setting), None);
    let named = |name: &str| Promise::ALL.into_iter().find(|promise| promise.name() == name);
    broken.into_iter().filter_map(|(name, story)| Some((named(name)?, story))).collect()
}

/// How a sabotage breaks the promise that it should, where it does.
pub(crate) fn caught(sabotage: Sabotage) -> Option<String> {
    let (setting, expected) = trap(sabotage);
    let found = explore::broken(Cases::new(setting), Some(expected.name()));
    found.into_iter().find(|(name, _)| *name == expected.name()).map(|(_, story)| story)
}

/// The world in which a sabotage shows soonest, and a promise that it breaks there.
pub(crate) fn trap(sabotage: Sabotage) -> (Setting, Promise) {
    let world = |rule, faults, outside| Setting::new("trap", rule, faults, outside);
    let (setting, promise) = match sabotage {
        Sabotage::OldLook => (world(Rule::Age, 0, 0), Promise::FreshLook),
        Sabotage::SentLate => (world(Rule::Age, 1, 0), Promise::FreshLook),
        Sabotage::OneLook => (world(Rule::Age, 0, 0), Promise::TwoLooks),
        Sabotage::LateReminderUncounted => (world(Rule::Age, 0, 0), Promise::ToldFirst),
        Sabotage::LateRunSkips => (world(Rule::Age, 0, 0), Promise::ToldFirst),
        Sabotage::StricterShortens => (world(Rule::Age, 0, 1), Promise::ToldFirst),
        Sabotage::UnknownUseIsNever => (world(Rule::Age, 1, 0), Promise::Spared),
        Sabotage::IntentIsDelivery => (world(Rule::Age, 1, 0), Promise::NoStageSkipped),
        Sabotage::ByName => (world(Rule::Age, 0, 1), Promise::RightKey),
        Sabotage::UnansweredIsDone | Sabotage::RefusedIsDone => (world(Rule::Age, 1, 0), Promise::TrueEnd),
        Sabotage::UnansweredIsRefused | Sabotage::NonDurableIntent => (world(Rule::Age, 1, 1), Promise::NoneLost),
        Sabotage::ReportIgnored => (world(Rule::Age, 0, 2), Promise::SoakWhole),
        Sabotage::PolicyAtPlanTime | Sabotage::SwitchIgnored | Sabotage::InactiveNotSpared => {
            (world(Rule::Age, 0, 1), Promise::Spared)
        }
        Sabotage::WishForgotten => (world(Rule::Age, 1, 1), Promise::WantedBack),
    };
    (setting.sabotaged(sabotage), promise)
}
