//! Carries a containment out, and says what is done as it is done.

use std::time::Duration;

use akia_core::contain::{Act, Containment, ContainmentEvent, ContainmentRecord, ContainmentStage};
use akia_core::estate::Known;
use akia_core::journal::Record;
use akia_core::rotation::Rotation;
use akia_io::aws::{AwsError, Credentials};
use akia_io::contain::{Container, Teller, is_of_containments, load_containments};
use akia_io::rotate::{Stop, Watch};
use jiff::Timestamp;

use super::bench::Bench;
use super::case::{Case, Standing, day};
use super::planning::Job;
use super::refused;
use crate::commands::contain::ContainArgs;
use crate::context::Context;
use crate::drive;
use crate::error::CommandError;
use crate::workbench;

/// How often a key that was shut is tried, while AWS still lets it in.
const TRIES: usize = 4;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Does what was planned, and completes the case: also where it fails, as far as the journal tells.
///
/// # Errors
/// When the journal, or what is driven by it, fails.
pub(super) async fn apply(
    context: &Context,
    bench: &Bench,
    args: &ContainArgs,
    case: &mut Case,
    job: Job,
    stop: Stop,
) -> Result<(), CommandError> {
    case.standing = Standing::Stopped;
    let id = match &job {
        Job::New { opening, .. } => opening.id.clone(),
        Job::GoOn { one, .. } => one.opening().id.clone(),
    };
    let told = Told { context };
    let make_room = args.delete_key.iter().cloned().collect();
    let container = bench.container(context, make_room, stop, &told, &told)?;
    let done = async {
        let mut one = match job {
            Job::New { opening, prepared } => {
                if let Some(rotating) = &container.rotating {
                    *rotating.prepared.lock().await = prepared.map(|one| *one);
                }
                container.open(*opening).await?
            }
            Job::GoOn { mut one, strategy } => {
                match strategy {
                    Some(strategy) => container.redirect(&mut one, strategy, &args.reason).await?,
                    None => container.take_up(&mut one).await?,
                }
                *one
            }
        };
        container.carry_out(&mut one).await?;
        attempt(bench, &container, &mut one).await?;
        Ok(one)
    }
    .await;
    match done {
        Ok(one) => complete(context, bench, case, one).await,
        Err(error) => {
            let all = load_containments(&*container.store).await.unwrap_or_default();
            if let Some((one, _)) = all.into_iter().find(|(one, _)| one.opening().id == id) {
                // The first fault is the one that counts.
                let _ = complete(context, bench, case, one).await;
            }
            Err(refused(&error))
        }
    }
}

/// Tries the key, where a profile here holds it: the proof that needs no list. A leaked secret itself is never used.
async fn attempt(
    bench: &Bench,
    container: &Container<'_>,
    one: &mut Containment,
) -> Result<(), akia_io::contain::ContainError> {
    if !matches!(one.stage(), ContainmentStage::Contained { .. }) || one.opening().key.is_temporary() {
        return Ok(());
    }
    let (files, key) = (&bench.work.files, one.opening().key.clone());
    let held = files.profiles().iter().find_map(|profile| {
        let file = profile.keys.iter().find(|held| held.id == key)?.file;
        Some((profile.name.clone(), file))
    });
    // After a rotation the profile holds its successor.
    let Some((name, file)) = held else { return Ok(()) };
    if one.done_at(Act::Rotate).is_some() {
        return Ok(());
    }
    let (Ok(secret), Ok(target)) = (files.secret(&name, file), files.target(&name, None)) else { return Ok(()) };
    let caller = bench.work.driver.aws.caller(Credentials::for_key(key, secret), target);
    let clock = workbench::clock();
    let mut refused = Known::Told(false);
    for turn in 0..TRIES {
        if turn > 0 {
            clock.sleep(PAUSE).await;
        }
        refused = match caller.prove().await {
            Err(AwsError::InvalidClientTokenId { .. }) => Known::Told(true),
            Ok(_) => Known::Told(false),
            Err(error) => Known::Unknown { reason: akia_io::audit::without_key(&error.to_string()) },
        };
        if refused != Known::Told(false) {
            break;
        }
    }
    container.note_tried(one, refused).await
}

/// What the journal says now, and what comes next.
pub(super) async fn complete(
    context: &Context,
    bench: &Bench,
    case: &mut Case,
    one: Containment,
) -> Result<(), CommandError> {
    let store = &*bench.work.driver.store;
    let all = load_containments(store).await.map_err(|error| refused(&error))?;
    let id = one.opening().id.clone();
    let is_of_others = !is_of_containments(&all, &one.opening().quarantine);
    case.records =
        all.into_iter().find(|(other, _)| other.opening().id == id).map(|(_, records)| records).unwrap_or_default();
    if let Some(rotation) = one.rotation()
        && let Ok(rotation) = bench.work.driver.load(rotation).await
    {
        case.new_key = rotation.new_key().cloned();
    }
    let say = |words: &str| context.say(&format!("        {words}"));
    let (key, user) = (&one.opening().key, &one.opening().user.name);
    let (mut next, flag) = (Vec::new(), bench.flag());
    match one.stage() {
        ContainmentStage::Contained { until } => {
            if one.is_gone() && one.has_begun(Act::Delete) {
                say("the key is deleted: that cannot be taken back");
            } else {
                next.push(format!("akia undo {id}{flag} (takes it back)"));
            }
            next.push(format!("akia resume {id}{flag} after {} (no session of before lives then)", day(until)));
            if one.rotation().is_some() {
                next.push("akia retire (deletes the old key when its grace is over)".to_owned());
            } else if !one.is_gone() && !key.is_temporary() {
                next.push(format!("akia key delete {key} --user {user}{flag} (when nobody misses it)"));
            }
        }
        ContainmentStage::Tied => {
            next.push(format!("akia contain {key} --strategy deactivate{flag} (or rotate: shuts it)"));
            next.push(format!("akia undo {id}{flag} (unties the user)"));
        }
        ContainmentStage::Containing => {
            next.push(format!("akia resume {id}{flag} (goes on where it stopped)"));
            if !one.has_begun(Act::Delete) {
                next.push(format!("akia undo {id}{flag} (takes back what was done)"));
            }
        }
        ContainmentStage::Undoing => next.push(format!("akia resume {id}{flag} (goes on where it stopped)")),
        ContainmentStage::Over { .. } => {}
    }
    if !case.footprint.remnants.is_empty() {
        case.notes.push("what outlives the key was not removed: look at each, it may be the owner's".to_owned());
    }
    if one.rotation().is_none() && one.has_begun(Act::Deactivate) && !case.holders.is_empty() {
        case.notes.push(format!("still named, and of no use any more, in: {}", case.holders.join(", ")));
    }
    if one.has_begun(Act::Tie) || one.done_at(Act::DenySessions).is_some() {
        case.notes.push(
            "sessions of roles that the user has assumed live on: revoke them in each role (console: Revoke sessions)"
                .to_owned(),
        );
    }
    if is_of_others {
        case.notes.push(format!(
            "the quarantine {} of the user is older than this containment, and stays: akia enforce release",
            one.opening().quarantine
        ));
    }
    case.next = next;
    case.standing = Standing::InJournal;
    case.containment = Some(one);
    Ok(())
}

/// Says what is done.
pub(crate) struct Told<'a> {
    pub(crate) context: &'a Context,
}

impl Told<'_> {
    fn say(&self, at: Timestamp, words: &str) {
        self.context.say(&format!("{}  {words}", at.strftime("%H:%M:%S")));
    }
}

impl Teller for Told<'_> {
    fn recorded(&self, one: &Containment, record: &ContainmentRecord) {
        let key = &one.opening().key;
        let words = match &record.event {
            ContainmentEvent::Opened { opening } => format!("{}: {key}, {}", opening.id, opening.strategy),
            ContainmentEvent::Done { act, .. } => format!("{key}: {}", act.past()),
            ContainmentEvent::HandedOver { act, to } => {
                format!(
                    "{key}: {act} was left to containment {to}, of another key of the user: sessions stay denied until that is over"
                )
            }
            ContainmentEvent::Refused { act, error } => format!("{key}: {act} was not done: {error}"),
            ContainmentEvent::Unanswered { act, error } => {
                format!("{key}: {act}: no answer; looking at what came of it ({error})")
            }
            ContainmentEvent::Looked { .. } if one.verified_at() == Some(record.at) => {
                format!(
                    "{key}: verified: {}",
                    if one.is_gone() { "it is on no list any more" } else { "AWS lists it as inactive" }
                )
            }
            ContainmentEvent::Tried { refused: Known::Told(true) } => format!("{key}: AWS refuses it"),
            ContainmentEvent::Tried { refused: Known::Told(false) } => {
                format!("{key}: AWS lists it as inactive, and lets it in all the same: try it again in a minute")
            }
            ContainmentEvent::Tried { refused: Known::Unknown { reason } } => {
                format!("{key}: it could not be tried: {reason}")
            }
            ContainmentEvent::Looked { .. }
            | ContainmentEvent::Redirected { .. }
            | ContainmentEvent::Resumed { .. }
            | ContainmentEvent::Linked { .. }
            | ContainmentEvent::Intended { .. }
            | ContainmentEvent::UndoAsked { .. } => return,
        };
        self.say(record.at, &words);
    }
}

impl Watch for Told<'_> {
    fn recorded(&self, rotation: &Rotation, record: &Record) {
        if let Some(words) = drive::step_words(rotation, &record.event) {
            self.say(record.at, &format!("{}: {words}", rotation.plan().displaced));
        }
    }

    fn waiting(&self, _rotation: &Rotation, _until: Timestamp) {}
}
