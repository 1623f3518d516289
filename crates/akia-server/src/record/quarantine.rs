//! What the records of a quarantine come to.

use akia_core::quarantine::{Measure, Quarantine, QuarantineEvent, QuarantineRecord, QuarantineStage};
use akia_io::store::Entry;
use jiff::Timestamp;

use super::event::{Moment, Told, Weight};
use super::thread::{Kind, Step, Thread, parsed};

pub(super) fn judge(entries: &[Entry]) -> Result<(Thread, Vec<Told>), String> {
    let records: Vec<(u64, QuarantineRecord)> = parsed(entries)?;
    let one = Quarantine::replay(records.iter().map(|(_, record)| record)).map_err(|illegal| illegal.to_string())?;
    let opening = one.opening();
    let stage = match one.stage() {
        QuarantineStage::Holding if one.is_in_place() => "in place",
        QuarantineStage::Eased if one.is_in_place() => "earlier sessions denied",
        QuarantineStage::Holding | QuarantineStage::Eased => "not whole",
        QuarantineStage::Releasing => "not taken back whole",
        QuarantineStage::Over { why, .. } => why.as_str(),
    };
    let done = records.iter().filter_map(|(_, record)| match &record.event {
        QuarantineEvent::Done { measure, .. } => Some(Step::done(measure_words(*measure), record.at)),
        _ => None,
    });
    let steps = std::iter::once(Step::done("begun", one.opened_at())).chain(done).collect();
    let thread = Thread {
        id: opening.id.to_string(),
        key_id: opening.key.to_string(),
        account: opening.account.to_string(),
        user: opening.user.name.to_string(),
        state: one.held().map_or_else(|| stage.to_owned(), |held| format!("{stage}: {held}")),
        stage: stage.to_owned(),
        rest: if one.held().is_some() { "held" } else { "rest" }.to_owned(),
        is_over: one.is_over(),
        needs_person: one.held().is_some() && !one.is_over(),
        began_at: one.opened_at().as_second(),
        updated_at: records.last().map_or(0, |(_, record): &(u64, QuarantineRecord)| record.at.as_second()),
        steps,
        ..Thread::bare(Kind::Quarantine)
    };
    let told = records.iter().map(|(seq, record)| told(*seq, record.at, &record.event, &one)).collect();
    Ok((thread, told))
}

fn measure_words(measure: Measure) -> &'static str {
    match measure {
        Measure::Attach => "AWS's deny policy attached",
        Measure::DenySessions => "earlier sessions denied",
        Measure::AllowSessions => "earlier sessions allowed again",
        Measure::Detach => "AWS's deny policy taken off",
    }
}

fn told(seq: u64, at: Timestamp, event: &QuarantineEvent, one: &Quarantine) -> Told {
    let (moment, weight, name) = match event {
        QuarantineEvent::Opened { .. } => (Some(Moment::Quarantined), Weight::Done, "quarantine begun"),
        QuarantineEvent::Renewed { .. } => (None, Weight::Done, "renewed"),
        QuarantineEvent::Eased { .. } => (None, Weight::Done, "eased"),
        QuarantineEvent::Tightened { .. } => (None, Weight::Done, "tightened"),
        QuarantineEvent::ReleaseAsked { .. } => (None, Weight::Done, "to be released"),
        QuarantineEvent::Looked { .. } => (None, Weight::Done, "looked at"),
        QuarantineEvent::Intended { .. } => (None, Weight::Waiting, "about to"),
        QuarantineEvent::Done { .. } => (None, Weight::Done, "done"),
        QuarantineEvent::Refused { .. } => (None, Weight::Refused, "AWS refused"),
        QuarantineEvent::Unanswered { .. } => (None, Weight::Waiting, "no answer"),
    };
    Told {
        seq,
        at: at.as_second(),
        thread: one.opening().id.to_string(),
        key_id: one.opening().key.to_string(),
        moment,
        weight,
        words: format!("{name}: {}", event.words()),
    }
}
