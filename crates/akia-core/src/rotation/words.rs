//! What a rotation does and how it rests, in words: the same on a terminal and on a page.

use jiff::Timestamp;

use super::{AbortReason, Decision, Plan, Rest, Rotation};
use crate::journal::Event;
use crate::key::LastUsed;

/// What a record means to a person; `None` for those that only the journal needs.
#[must_use]
pub fn step_words(rotation: &Rotation, event: &Event) -> Option<String> {
    let plan = rotation.plan();
    let place = |index: usize| plan.places.get(index).map_or_else(String::new, ToString::to_string);
    Some(match event {
        Event::RoomMade => "made room for a new key".to_owned(),
        Event::KeyCreated { key } => format!("created {key}; its secret is stored"),
        Event::CreateRefused { error, .. } => format!("AWS refused to create a key: {error}"),
        Event::CreateUnanswered { error } => {
            format!("no answer to the create request ({error}); finding out what happened")
        }
        Event::SecretReadBack => "waiting until AWS knows the new key for good".to_owned(),
        Event::SecretLost { error } => {
            format!("the new secret could not be read back ({error}); giving the new key up")
        }
        Event::RivalsAbsent => "the new key is proven".to_owned(),
        Event::ProbePassed => "the new key passed its probe".to_owned(),
        Event::ProbeFailed { error } => format!("the new key failed its probe: {error}"),
        Event::RivalFound { .. } => "another machine rotates this user; giving our new key up".to_owned(),
        Event::Delivered { place: index, .. } => format!("delivered to {}", place(*index)),
        Event::DeliveryFailed { place: index, error } => format!("{} could not be written: {error}", place(*index)),
        Event::Promoted => "every place has the new key".to_owned(),
        Event::DisplacedDeactivated => format!("deactivated {}", plan.displaced),
        Event::DisplacedDeleted => format!("deleted {}", plan.displaced),
        Event::DisplacedActivated => format!("activated {}", plan.displaced),
        Event::Restored { place: index, .. } => format!("restored {}", place(*index)),
        Event::RestoreFailed { place: index, error } => format!("{} could not be written: {error}", place(*index)),
        Event::Failed { error } => format!("failed, trying again: {error}"),
        _ => return None,
    })
}

/// How a rotation rests, in words.
#[must_use]
pub fn rest_words(rotation: &Rotation, rest: &Rest) -> String {
    let displaced = &rotation.plan().displaced;
    match rest {
        Rest::Busy if rotation.promoted_at().is_some() && !rotation.plan().watch.is_zero() => {
            "delivered: the old key was watched for long enough".to_owned()
        }
        Rest::Busy => format!("interrupted: {}", rotation.stage_name()),
        Rest::Retired => "done: the old key is deleted".to_owned(),
        Rest::Kept => "done: the old key stays active".to_owned(),
        Rest::Watching { until } => format!("delivered: the old key stays active and is watched until {}", day(*until)),
        Rest::InGrace { until } => format!("done: old key inactive, deletable from {}", day(*until)),
        Rest::Undone { until } => format!("undone: new key inactive, deletable from {}", day(*until)),
        Rest::UndoneAndClean => "undone: the new key is deleted".to_owned(),
        Rest::Aborted { why } => format!("given up: {}; {}", abort_words(why), changed_words(rotation.plan(), why)),
        Rest::Undecided { decision } => match decision {
            Decision::Orphans { keys } => {
                let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
                format!("a lost request may have created {}; is it ours?", keys.join(", "))
            }
            Decision::StillUsed { last_used: LastUsed::At { at, service, region } } => {
                format!(
                    "the old key {displaced} was used {at} ({service}, {region}), after it was replaced; it stays active"
                )
            }
            Decision::StillUsed { last_used: LastUsed::Unknown { reason } } => {
                format!("whether the old key {displaced} is still used cannot be read ({reason}); it stays active")
            }
            Decision::StillUsed { last_used: LastUsed::Never } => format!("the old key {displaced} stays active"),
            Decision::Reactivated => format!("somebody activated the old key {displaced} again; it is not deleted"),
        },
        Rest::Interrupted { error } => format!("interrupted: {error}"),
    }
}

/// What a rotation that was given up has changed. Room is made before a create request is sent; only one that a person
/// took back may have stood before that.
fn changed_words(plan: &Plan, why: &AbortReason) -> String {
    match (&plan.make_room, why) {
        (None, _) => "nothing was changed".to_owned(),
        (Some(key), AbortReason::Undone) => {
            format!("nothing was changed, but that {key} may have been deleted to make room")
        }
        (
            Some(key),
            AbortReason::CreateRefused { .. }
            | AbortReason::CreateUnanswered
            | AbortReason::NoRoom
            | AbortReason::SecretLost { .. }
            | AbortReason::NeverProven { .. }
            | AbortReason::ProbeFailed { .. }
            | AbortReason::Rival { .. },
        ) => format!("{key} was deleted to make room, as asked; nothing else was changed"),
    }
}

fn abort_words(why: &AbortReason) -> String {
    match why {
        AbortReason::CreateRefused { error } => format!("AWS refused to create a key: {error}"),
        AbortReason::CreateUnanswered => {
            "create requests stayed without an answer, and none of them made a key".to_owned()
        }
        AbortReason::NoRoom => "keys that are not ours fill the quota".to_owned(),
        AbortReason::SecretLost { error } => format!("the new secret could not be kept ({error})"),
        AbortReason::NeverProven { error } => format!("AWS never accepted the new key ({error})"),
        AbortReason::Rival { keys } => {
            let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
            format!("another machine has created {} for the same user", keys.join(", "))
        }
        AbortReason::ProbeFailed { error } => format!("the new key failed its probe ({error})"),
        AbortReason::Undone => "it was taken back".to_owned(),
    }
}

/// A moment as people read it, to the minute.
#[must_use]
pub fn day(at: Timestamp) -> String {
    at.to_string().chars().take(16).collect::<String>().replace('T', " ") + " UTC"
}

impl Rest {
    /// The machine's word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy | Self::Interrupted { .. } => "interrupted",
            Self::Retired => "retired",
            Self::Kept => "kept",
            Self::Watching { .. } => "watching",
            Self::InGrace { .. } => "in-grace",
            Self::Undone { .. } => "undone",
            Self::UndoneAndClean => "undone-and-clean",
            Self::Aborted { .. } => "aborted",
            Self::Undecided { .. } => "undecided",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{START, Story, other_key, plan};
    use super::*;

    #[test]
    fn each_rest_has_its_code_and_words_that_say_what_is_true_of_the_keys() {
        let told = |story: Story| {
            let rest = story.rest();
            (rest.code(), rest_words(&story.rotation, &rest))
        };
        let of = |code, words: &str| (code, words.to_owned());
        assert_eq!(told(Story::planned()), of("interrupted", "interrupted: planned"));
        let grace = "done: old key inactive, deletable from 2026-01-08 00:00 UTC";
        assert_eq!(told(Story::planned().deactivated()), of("in-grace", grace));
        assert_eq!(told(Story::planned().retired()), of("retired", "done: the old key is deleted"));
        let back = "undone: new key inactive, deletable from 2026-01-08 00:00 UTC";
        assert_eq!(told(Story::planned().undone()), of("undone", back));
        let asked = format!("a lost request may have created {}; is it ours?", other_key());
        assert_eq!(told(Story::planned().suspected()), of("undecided", &asked));
        assert_eq!(told(Story::planned().interrupted()), of("interrupted", "interrupted: access denied"));
        let watched = Plan { watch: jiff::SignedDuration::from_hours(24), ..plan() };
        let until = "delivered: the old key stays active and is watched until 2026-01-02 00:00 UTC";
        assert_eq!(told(Story::of(watched).promoted()), of("watching", until));
        assert_eq!(day(START), "2026-01-01 00:00 UTC");
    }
}
