//! What the records of a containment come to.

use akia_core::contain::{Act, Containment, ContainmentEvent, ContainmentRecord, ContainmentStage, Strategy};
use akia_io::store::Entry;
use jiff::Timestamp;

use super::event::{Moment, Told, Weight};
use super::thread::{Kind, Next, Progress, Step, Thread, parsed, stand_at};

pub(super) fn judge(entries: &[Entry], now: Timestamp) -> Result<(Thread, Vec<Told>), String> {
    let records: Vec<(u64, ContainmentRecord)> = parsed(entries)?;
    let one = Containment::replay(records.iter().map(|(_, record)| record)).map_err(|illegal| illegal.to_string())?;
    let opening = one.opening();
    let is_held = one.held().is_some() && !one.is_over();
    let thread = Thread {
        id: opening.id.to_string(),
        key_id: opening.key.to_string(),
        account: opening.account.to_string(),
        user: opening.user.name.to_string(),
        state: one.words(),
        stage: stage_word(one.stage()).to_owned(),
        rest: if is_held { "held" } else { stage_word(one.stage()) }.to_owned(),
        next: match one.stage() {
            ContainmentStage::Contained { until } => {
                Some(Next { what: "no session of before lives any more".to_owned(), at: until.as_second() })
            }
            ContainmentStage::Containing
            | ContainmentStage::Tied
            | ContainmentStage::Undoing
            | ContainmentStage::Over { .. } => None,
        },
        is_over: one.is_over(),
        needs_person: is_held,
        began_at: one.opened_at().as_second(),
        updated_at: records.last().map_or(0, |(_, record): &(u64, ContainmentRecord)| record.at.as_second()),
        steps: steps(&one, is_held),
        commands: commands(&one, now),
        rotation: one.rotation().map(ToString::to_string),
        ..Thread::bare(Kind::Containment)
    };
    let told = records.iter().map(|(seq, record)| told(*seq, record, &one)).collect();
    Ok((thread, told))
}

fn stage_word(stage: ContainmentStage) -> &'static str {
    match stage {
        ContainmentStage::Containing => "not contained",
        ContainmentStage::Tied => "in quarantine",
        ContainmentStage::Contained { .. } => "contained",
        ContainmentStage::Undoing => "being taken back",
        ContainmentStage::Over { .. } => "over",
    }
}

/// What is left to do.
fn commands(one: &Containment, now: Timestamp) -> Vec<String> {
    let opening = one.opening();
    let (id, key) = (&opening.id, &opening.key);
    let (resume, undo) = (format!("akia resume {id}"), format!("akia undo {id}"));
    match one.stage() {
        ContainmentStage::Containing if one.has_begun(Act::Delete) => vec![resume],
        ContainmentStage::Containing => vec![resume, undo],
        ContainmentStage::Tied => vec![format!("akia contain {key} --strategy deactivate"), undo],
        ContainmentStage::Contained { until } => {
            let mut commands = Vec::new();
            if now >= until {
                commands.push(resume);
            }
            if one.rotation().is_some() {
                commands.push("akia retire".to_owned());
            } else if !one.is_gone() && !key.is_temporary() {
                let user = akia_core::cheatsheet::quote(opening.user.name.as_str());
                commands.push(format!("akia key delete {key} --user {user}"));
            }
            if !one.has_begun(Act::Delete) {
                commands.push(undo);
            }
            commands
        }
        ContainmentStage::Undoing => vec![resume],
        ContainmentStage::Over { .. } => Vec::new(),
    }
}

fn steps(one: &Containment, is_held: bool) -> Vec<Step> {
    let acts: &[Act] = match one.strategy() {
        Strategy::Rotate => &[Act::Tie, Act::Rotate, Act::DenySessions, Act::Ease, Act::Release],
        Strategy::Deactivate => &[Act::Deactivate, Act::DenySessions, Act::Release],
        Strategy::Delete => &[Act::Deactivate, Act::DenySessions, Act::Delete, Act::Release],
        Strategy::Quarantine => &[Act::Tie],
    };
    let step =
        |act: Act| one.done_at(act).map_or_else(|| Step::later(act.past(), None), |at| Step::done(act.past(), at));
    let mut steps = vec![Step::done("begun", one.opened_at())];
    steps.extend(acts.iter().copied().filter(|act| *act != Act::Release).map(step));
    if let (Strategy::Rotate | Strategy::Deactivate | Strategy::Delete, false) =
        (one.strategy(), one.opening().key.is_temporary())
    {
        steps.push(one.verified_at().map_or_else(|| Step::later("seen shut", None), |at| Step::done("seen shut", at)));
    }
    if acts.contains(&Act::Release) {
        let mut release = step(Act::Release);
        if let ContainmentStage::Contained { until } = one.stage() {
            release.at = Some(until.as_second());
        }
        steps.push(release);
    }
    match one.stage() {
        ContainmentStage::Over { at, how } => {
            steps.retain(|step| step.progress == Progress::Done);
            steps.push(Step::done(how.as_str(), at));
        }
        ContainmentStage::Undoing => {
            steps.retain(|step| step.progress == Progress::Done);
            steps.push(Step::later("taken back", None));
        }
        ContainmentStage::Containing | ContainmentStage::Tied | ContainmentStage::Contained { .. } => {}
    }
    stand_at(&mut steps, if is_held { Progress::Person } else { Progress::Now });
    steps
}

fn told(seq: u64, record: &ContainmentRecord, one: &Containment) -> Told {
    let (moment, weight, name) = match &record.event {
        ContainmentEvent::Opened { .. } => (Some(Moment::Leaked), Weight::Done, "containment begun"),
        ContainmentEvent::Redirected { .. } => (None, Weight::Done, "to be contained"),
        ContainmentEvent::Resumed { .. } => (None, Weight::Done, "taken up again"),
        ContainmentEvent::Looked { .. } => (None, Weight::Done, "looked at"),
        ContainmentEvent::Linked { .. } => (None, Weight::Done, "a rotation is begun"),
        ContainmentEvent::Intended { .. } => (None, Weight::Waiting, "about to"),
        ContainmentEvent::Done { act, .. } => (moment(*act), Weight::Done, act.past()),
        ContainmentEvent::HandedOver { .. } => (None, Weight::Done, "left to another"),
        ContainmentEvent::Refused { .. } => (None, Weight::Refused, "refused"),
        ContainmentEvent::Unanswered { .. } => (None, Weight::Waiting, "no answer"),
        ContainmentEvent::Tried { .. } => (None, Weight::Done, "tried"),
        ContainmentEvent::UndoAsked { .. } => (None, Weight::Done, "to be taken back"),
    };
    Told {
        seq,
        at: record.at.as_second(),
        thread: one.opening().id.to_string(),
        key_id: one.opening().key.to_string(),
        moment,
        weight,
        words: format!("{name}: {}", record.event.words()),
    }
}

fn moment(act: Act) -> Option<Moment> {
    match act {
        Act::Tie => Some(Moment::Quarantined),
        Act::Rotate => Some(Moment::Replaced),
        Act::Deactivate => Some(Moment::Deactivated),
        Act::Delete => Some(Moment::Deleted),
        Act::Activate => Some(Moment::Activated),
        Act::DenySessions | Act::Ease | Act::Release | Act::Restore => None,
    }
}
