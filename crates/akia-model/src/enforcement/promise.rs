//! What enforcement promises, each by name, and the judge: it knows the truth of the world, and of the last look.

use akia_core::enforce::{Act, Closed, Stage};

use super::settings::Rule;
use super::state::State;
use super::world::{Cause, Identity, Level, Moment, Seen, Sight, Standing, Status};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Promise {
    ToldFirst,
    SoakWhole,
    TwoLooks,
    RightKey,
    FreshLook,
    Spared,
    NoStageSkipped,
    TrueEnd,
    WantedBack,
    NoneLost,
    Replays,
    Writable,
}

impl Promise {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::ToldFirst,
        Self::SoakWhole,
        Self::TwoLooks,
        Self::RightKey,
        Self::FreshLook,
        Self::Spared,
        Self::NoStageSkipped,
        Self::TrueEnd,
        Self::WantedBack,
        Self::NoneLost,
        Self::Replays,
        Self::Writable,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ToldFirst => {
                "no deactivation before its owner was told and reminded, and every promised time is over"
            }
            Self::SoakWhole => "no deletion before the key was inactive for the whole soak and its owner knew",
            Self::TwoLooks => "no deletion on one look",
            Self::RightKey => "a key that is changed is the case's: user id, key id and date",
            Self::FreshLook => "nothing older than a minute changes a key",
            Self::Spared => "nothing is done that the last look forbids, or does not know",
            Self::NoStageSkipped => "no stage is skipped, and no owner is told what is not so",
            Self::TrueEnd => "a case ends for a reason that is true",
            Self::WantedBack => "a key that a person wanted back is not deleted without a soak of its own",
            Self::NoneLost => "none is lost: once faults stop, a case is over, due later, or held for a reason",
            Self::Replays => "the journal replays to the same case",
            Self::Writable => "what was done can be written down",
        }
    }
}

/// How old a look may be when a key is changed.
const FRESH: Moment = 60;
/// Between the two looks before a deletion.
const SECOND_LOOK: Moment = 15;

fn secs(span: jiff::SignedDuration) -> Moment {
    span.as_secs()
}

/// Judges a request that is about to change the key.
pub(crate) fn judge_change(state: &mut State, rule: Rule, client: usize, act: Act) {
    if let Err((promise, how)) = change(state, rule, client, act) {
        state.broke(promise, how);
    }
}

type Verdict = Result<(), (Promise, &'static str)>;

fn is(holds: bool, promise: Promise, how: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err((promise, how)) }
}

fn change(state: &State, rule: Rule, client: usize, act: Act) -> Verdict {
    let truth = &state.clients[client].truth;
    let Some(seen) = truth.seen else { return Err((Promise::FreshLook, "a key was changed that nobody looked at")) };
    is(state.now - seen.at <= FRESH, Promise::FreshLook, "a key was changed on an old look")?;
    is(seen.identity == Identity::Same, Promise::RightKey, "another key was changed")?;
    let knows_enough =
        seen.is_known() || act == Act::Reactivate && matches!(seen.sight, Sight::NoUse | Sight::NoPolicy);
    is(knows_enough, Promise::Spared, "a key was changed, and something about it was not known")?;
    match act {
        Act::Deactivate => {
            is(seen.standing == Standing::Plain, Promise::Spared, "a key was deactivated that was spared")?;
            is(seen.is_broken(rule), Promise::Spared, "a key was deactivated that broke no rule")?;
            let is_again = truth.is_seen_off && seen.status == Status::Active;
            is(!is_again, Promise::Spared, "a key was deactivated again although somebody had activated it")?;
            is(!seen.is_in_use(), Promise::Spared, "a key was deactivated that was in use")?;
            told_first(state, client, seen)
        }
        Act::Delete => {
            is(seen.standing == Standing::Plain, Promise::Spared, "a key was deleted that was spared")?;
            soak_whole(state, client, seen)
        }
        Act::Reactivate => Ok(()),
        Act::Announce | Act::Remind | Act::TellDeactivated => Ok(()),
    }
}

fn told_first(state: &State, client: usize, seen: Seen) -> Verdict {
    let truth = &state.clients[client].truth;
    let waits = seen.level.waits();
    let (Some(announced), Some(reminded)) = (truth.announced, truth.reminded) else {
        return Err((Promise::ToldFirst, "its owner was not told and reminded"));
    };
    let is_over = truth.promised_off.is_none_or(|promised| state.now >= promised);
    is(is_over, Promise::ToldFirst, "it was deactivated before the time that its owner was told")?;
    let is_long = state.now - announced >= secs(waits.deactivate_after);
    is(is_long, Promise::ToldFirst, "it was deactivated sooner after the notice than the policy wants")?;
    let is_long = state.now - reminded >= secs(waits.after_reminder());
    is(is_long, Promise::ToldFirst, "it was deactivated sooner after the reminder than the policy wants")
}

/// Whether the soak is over, by all that AWS has told.
pub(crate) fn is_soaked(state: &State, client: usize, level: Level) -> bool {
    let truth = &state.clients[client].truth;
    let Some(soak) = level.waits().delete_after.map(secs) else { return false };
    let is_long = |since: Option<Moment>| since.is_some_and(|since| state.now - since >= soak);
    is_long(truth.shut) && is_long(truth.told_off) && truth.promised_gone.is_none_or(|promised| state.now >= promised)
}

fn soak_whole(state: &State, client: usize, seen: Seen) -> Verdict {
    let truth = &state.clients[client].truth;
    is(seen.status == Status::Inactive, Promise::SoakWhole, "an active key was deleted")?;
    is(!truth.is_back, Promise::SoakWhole, "a key was deleted that had been on again")?;
    is(is_soaked(state, client, seen.level), Promise::SoakWhole, "it was deleted before the soak was over")?;
    let soak = seen.level.waits().delete_after.map_or(0, secs);
    let is_wanted = truth.wanted_back.is_some_and(|wanted| state.now - wanted < soak);
    is(!is_wanted, Promise::WantedBack, "a key was deleted that a person had just wanted back")?;
    let is_seen_twice = truth.soaked.is_some_and(|first| seen.at - first >= SECOND_LOOK);
    is(is_seen_twice, Promise::TwoLooks, "it was deleted on one look")
}

/// Judges a notice that reaches an owner.
pub(crate) fn judge_notice(state: &mut State, rule: Rule, client: usize, act: Act) {
    if let Err((promise, how)) = notice(state, rule, client, act) {
        state.broke(promise, how);
    }
}

fn notice(state: &State, rule: Rule, client: usize, act: Act) -> Verdict {
    let truth = &state.clients[client].truth;
    let Some(seen) = truth.seen else {
        return Err((Promise::Spared, "an owner was told of a key that nobody looked at"));
    };
    let may_be = match seen.standing {
        Standing::Plain | Standing::Frozen => true,
        Standing::Exempt | Standing::Protected | Standing::Stopped | Standing::Unruled => false,
    };
    is(may_be, Promise::Spared, "an owner was told of a key that is spared, or with the switch thrown")?;
    match act {
        Act::Announce => {
            is(seen.is_broken(rule), Promise::NoStageSkipped, "an owner was told of a key that breaks no rule")
        }
        Act::Remind => {
            let wait = secs(seen.level.waits().remind_after);
            let is_due = truth.announced.is_some_and(|announced| state.now - announced >= wait);
            is(is_due, Promise::NoStageSkipped, "an owner was reminded too early, or of what they were never told")
        }
        Act::TellDeactivated => {
            is(truth.shut.is_some(), Promise::NoStageSkipped, "an owner was told that an active key is inactive")
        }
        Act::Deactivate | Act::Delete | Act::Reactivate => Ok(()),
    }
}

/// Judges a case of a key that was inactive when it was found, and is deactivated in the books: on the same terms.
pub(crate) fn judge_books(state: &mut State, client: usize) {
    let Some(seen) = state.clients[client].truth.seen else { return };
    if let Err((promise, how)) = told_first(state, client, seen) {
        state.broke(promise, how);
    }
}

/// Judges a case that has just come to its end.
pub(crate) fn judge_end(state: &mut State, rule: Rule, client: usize) {
    let Some(Stage::Closed { why, .. }) = state.clients[client].case.as_ref().map(|case| case.stage()) else { return };
    let truth = &state.clients[client].truth;
    let key = state.aws.key;
    let stands = |standing| truth.seen.is_some_and(|seen| seen.standing == standing);
    // What AWS shows from before a change of somebody's ends a case, too. The rules open another.
    let is_stale = truth.seen.is_some_and(|seen| seen.sight == Sight::Stale);
    let is_true = match why {
        Closed::Resolved => {
            let is_resolved = |seen: Seen| {
                // An inactive key breaks few rules: one that akia has shut is not resolved by that.
                let is_ours = key.cause == Cause::Client(client) && seen.status == Status::Inactive;
                seen.is_resolved(rule) && (truth.shut.is_none() || !is_ours)
            };
            stands(Standing::Unruled) || is_stale || truth.seen.is_some_and(is_resolved)
        }
        Closed::Deleted => key.status == Status::Deleted || key.identity != Identity::Same,
        Closed::Gone => !state.aws.has(),
        Closed::Replaced => matches!(key.identity, Identity::OtherUser | Identity::OtherDate),
        Closed::Exempt { .. } => stands(Standing::Exempt),
        Closed::Protected => stands(Standing::Protected),
        // Somebody may have been quicker than the one who wanted it.
        Closed::Reactivated { .. } => {
            truth.is_reactivated || truth.wanted_back.is_some() && key.status == Status::Active
        }
        Closed::ReactivatedByOther => {
            let other = |cause: Cause| cause != Cause::Client(client);
            is_stale || key.activators.iter().any(|cause| cause.is_some_and(other))
        }
    };
    if !is_true {
        state.broke(Promise::TrueEnd, "the case ended for a reason that is not so");
    }
}

/// What must hold once everything rests.
pub(crate) fn is_lost(state: &State) -> bool {
    let key = state.aws.key;
    state.clients.iter().enumerate().any(|(client, of)| {
        let Some(case) = &of.case else { return false };
        // A key that akia has shut, and whose case ended as if it had not.
        let is_ours = key.cause == Cause::Client(client) && key.status == Status::Inactive && state.aws.has();
        let is_same = key.identity == Identity::Same;
        is_ours && is_same && case.is_closed() && case.deactivated_at().is_none()
    })
}
