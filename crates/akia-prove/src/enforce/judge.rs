//! What must hold after each effect, by one who knows the truth of the world and of each look.

use akia_core::enforce::{Act, Waits};

use super::world::{Change, DAY, Moment, World};

/// What a look has truly shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Moment,
    /// It was the key of the case.
    pub(crate) is_right: bool,
    pub(crate) is_known: bool,
    pub(crate) is_active: bool,
    pub(crate) is_spared: bool,
    pub(crate) is_frozen: bool,
    pub(crate) is_stopped: bool,
    pub(crate) is_broken: bool,
    pub(crate) is_in_use: bool,
    pub(crate) waits: Waits,
}

/// What is true of a case, whether its journal knows or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) seen: Option<Seen>,
    pub(crate) announced: Option<Moment>,
    pub(crate) reminded: Option<Moment>,
    pub(crate) told_off: Option<Moment>,
    pub(crate) promised_off: Option<Moment>,
    pub(crate) promised_gone: Option<Moment>,
    /// Since when the key is inactive, as far as AWS has told.
    pub(crate) shut: Option<Moment>,
    /// When it was first seen that the soak is over.
    pub(crate) soaked: Option<Moment>,
    pub(crate) is_back: bool,
    pub(crate) wanted_back: Option<Moment>,
}

/// Keys that were changed, for the caps: when, and in which account.
pub(crate) type Changes = Vec<(Moment, usize)>;

fn is(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// Judges a request that is about to reach AWS.
pub(crate) fn change(world: &World, truth: &Truth, act: Act) -> Result<(), String> {
    let Some(seen) = truth.seen else { return Err("a key was changed that nobody looked at".to_owned()) };
    // Nobody can see what has happened since the last look.
    is(seen.is_right, "WRONG KEY: another key than the case's was changed")?;
    is(world.now - seen.at <= 61, "a key was changed on an old look")?;
    if act == Act::Reactivate {
        return Ok(());
    }
    is(seen.is_known, "a key was changed, and something about it was not known")?;
    is(!seen.is_spared, "a key was changed that was exempt or protected")?;
    is(!seen.is_frozen && !seen.is_stopped, "a key was changed in a freeze, or with the switch thrown")?;
    if act == Act::Deactivate {
        is(seen.is_broken, "a key was deactivated that broke no rule")?;
        is(!seen.is_in_use, "a key was deactivated that was in use")?;
        return told_first(world, truth, seen.waits);
    }
    is(!seen.is_active && !truth.is_back, "EARLY: a key was deleted that was on again")?;
    is(is_soaked(world, truth, seen.waits), "EARLY: a key was deleted before its soak was over")?;
    let soak = seen.waits.delete_after.map_or(0, |soak| soak.as_secs());
    is(
        truth.wanted_back.is_none_or(|at| world.now - at >= soak),
        "EARLY: a key was deleted that a person had wanted back",
    )?;
    is(truth.soaked.is_some_and(|first| seen.at - first >= 15), "EARLY: a key was deleted on one look")
}

pub(crate) fn told_first(world: &World, truth: &Truth, waits: Waits) -> Result<(), String> {
    let now = world.now;
    let (Some(announced), Some(reminded)) = (truth.announced, truth.reminded) else {
        return Err("EARLY: its owner was not told and reminded".to_owned());
    };
    is(truth.promised_off.is_none_or(|promised| now >= promised), "EARLY: sooner than its owner was told")?;
    is(now - announced >= waits.deactivate_after.as_secs(), "EARLY: sooner after the notice than the policy wants")?;
    is(now - reminded >= waits.after_reminder().as_secs(), "EARLY: sooner after the reminder than the policy wants")
}

pub(crate) fn is_soaked(world: &World, truth: &Truth, waits: Waits) -> bool {
    let Some(soak) = waits.delete_after.map(|soak| soak.as_secs()) else { return false };
    let is_long = |since: Option<Moment>| since.is_some_and(|since| world.now - since >= soak);
    is_long(truth.shut) && is_long(truth.told_off) && truth.promised_gone.is_none_or(|promised| world.now >= promised)
}

/// Judges a notice that reaches an owner.
pub(crate) fn notice(world: &World, truth: &Truth, act: Act) -> Result<(), String> {
    let Some(seen) = truth.seen else { return Err("an owner was told of a key that nobody looked at".to_owned()) };
    is(!seen.is_spared && !seen.is_stopped, "an owner was told of a key that is spared, or with the switch thrown")?;
    match act {
        Act::Announce => is(seen.is_broken, "an owner was told of a key that breaks no rule"),
        Act::Remind => {
            let wait = seen.waits.remind_after.as_secs();
            is(truth.announced.is_some_and(|at| world.now - at >= wait), "EARLY: an owner was reminded too early")
        }
        Act::TellDeactivated => is(truth.shut.is_some(), "an owner was told that an active key is inactive"),
        Act::Deactivate | Act::Delete | Act::Reactivate => Ok(()),
    }
}

/// What AWS has told, whether it was understood or not. `since` is when the case says that the key became inactive.
pub(crate) fn learn(
    world: &World,
    truth: &mut Truth,
    seen: Seen,
    since: Option<Moment>,
    used: Option<Moment>,
    activated: Option<Moment>,
    is_open: bool,
) {
    /// Clocks and records may be as far apart.
    const CLOCKS: Moment = 360;
    truth.seen = Some(seen);
    if !seen.is_right || !seen.is_known {
        return;
    }
    if let (Some(shut), Some(since)) = (truth.shut, since) {
        let since = since.max(shut) + CLOCKS;
        truth.is_back |= used.is_some_and(|used| used > since) || seen.is_active && world.now >= since;
        if activated.is_some_and(|activated| activated > since) {
            (truth.shut, truth.told_off, truth.soaked) = (Some(world.now), None, None);
        }
    } else if is_open && !seen.is_active {
        truth.shut = Some(world.now);
    }
    let is_over = !seen.is_active && is_soaked(world, truth, seen.waits);
    if is_over {
        truth.soaked.get_or_insert(world.now);
    } else if seen.is_active {
        truth.soaked = None;
    }
}

/// Judges how many keys were changed.
pub(crate) fn caps(world: &World, changes: &Changes, account: usize) -> Result<(), String> {
    let recent = |(at, _): &&(Moment, usize)| world.now - at < DAY;
    let (all, here) =
        (changes.iter().filter(recent).count(), changes.iter().filter(recent).filter(|(_, of)| *of == account).count());
    let caps = world.rulebook.caps;
    is(all < caps.keys as usize, "more keys were changed than caps.keys")?;
    is(here < caps.keys_of_account as usize, "more keys were changed than caps.keys-of-account")
}

/// What a change does to what is true of its case.
pub(crate) fn changed(truth: &mut Truth, change: Change, now: Moment) {
    if change == Change::Deactivate {
        truth.shut = Some(now);
    }
}
