//! What the records of a case come to.

use akia_core::enforce::{Act, Case, CaseEvent, CaseRecord, Closed, Hindrance, Stage, Told as Notice};
use akia_io::store::Entry;
use jiff::Timestamp;

use super::event::{Moment, Told, Weight};
use super::thread::{Kind, Next, Progress, Step, Thread, parsed, stand_at};

pub(super) fn judge(entries: &[Entry], now: Timestamp) -> Result<(Thread, Vec<Told>), String> {
    let records: Vec<(u64, CaseRecord)> = parsed(entries)?;
    let case = Case::replay(records.iter().map(|(_, record)| record)).map_err(|illegal| illegal.to_string())?;
    let opening = case.opening();
    let subject = &opening.subject;
    let needs_person = needs_person(&case);
    let thread = Thread {
        id: opening.case.to_string(),
        key_id: subject.key.to_string(),
        account: subject.account.to_string(),
        user: subject.user.name.to_string(),
        owner: opening.owner.as_ref().map(|owner| owner.name.clone()),
        state: state(&case),
        stage: case.stage().as_str().to_owned(),
        rest: if needs_person { "held" } else { case.stage().as_str() }.to_owned(),
        next: case.due().map(|(act, at)| Next { what: act_words(act).to_owned(), at: at.as_second() }),
        is_over: case.is_closed(),
        needs_person,
        began_at: records.first().map_or(0, |(_, record)| record.at.as_second()),
        updated_at: case.updated_at().as_second(),
        steps: steps(&case, &records, needs_person),
        commands: commands(&case, now),
        ..Thread::bare(Kind::Case)
    };
    let told = records.iter().map(|(seq, record)| told(*seq, record, &case)).collect();
    Ok((thread, told))
}

/// Whether a case stays where it is until somebody does something: what mends itself with time does not count.
fn needs_person(case: &Case) -> bool {
    match case.held() {
        Some(
            Hindrance::NotKnown { .. }
            | Hindrance::InUse { .. }
            | Hindrance::NoticeFailed { .. }
            | Hindrance::Refused { .. },
        ) => !case.is_closed(),
        Some(
            Hindrance::Frozen { .. }
            | Hindrance::Stopped { .. }
            | Hindrance::Exempt { .. }
            | Hindrance::Protected
            | Hindrance::TooSoon,
        )
        | None => false,
    }
}

fn state(case: &Case) -> String {
    let day = |at: &Timestamp| at.strftime("%Y-%m-%d").to_string();
    let state = match case.stage() {
        Stage::Seen => "found; nobody was told yet".to_owned(),
        Stage::Notified { deadline, .. } => format!("owner told; deactivated from {}", day(deadline)),
        Stage::Reminded { deadline, .. } => format!("owner reminded; deactivated from {}", day(deadline)),
        Stage::Deactivated { until: Some(until), .. } => format!("inactive; deleted from {}", day(until)),
        Stage::Deactivated { until: None, .. } => "inactive; never deleted".to_owned(),
        Stage::Soaked { .. } => "inactive for the whole soak; about to be deleted".to_owned(),
        Stage::Closed { why, .. } => format!("over: {}", closed_words(why)),
    };
    match case.held().filter(|_| !case.is_closed()) {
        Some(held) => format!("{state}; held: {held}"),
        None => state,
    }
}

fn closed_words(why: &Closed) -> String {
    match why {
        Closed::Resolved => "the key breaks no rule any more".to_owned(),
        Closed::Deleted => "akia deleted the key".to_owned(),
        Closed::Gone => "the key is gone, and it was not akia that deleted it".to_owned(),
        Closed::Replaced => "there is another user or key under the same name".to_owned(),
        Closed::Exempt { reason } => format!("exempt: {reason}"),
        Closed::Protected => "the user is protected".to_owned(),
        Closed::Reactivated { by, reason } => format!("activated again by {by}: {reason}"),
        Closed::ReactivatedByOther => "somebody else has activated the key again".to_owned(),
    }
}

fn act_words(act: Act) -> &'static str {
    match act {
        Act::Announce => "the owner is told",
        Act::Remind => "the owner is reminded",
        Act::Deactivate => "the key is deactivated",
        Act::TellDeactivated => "the owner is told that the key is inactive",
        Act::Delete => "the key is deleted",
        Act::Reactivate => "the key is activated again",
    }
}

fn commands(case: &Case, now: Timestamp) -> Vec<String> {
    let subject = &case.opening().subject;
    let (key, user) = (&subject.key, akia_core::cheatsheet::quote(subject.user.name.as_str()));
    match case.stage() {
        Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } => {
            let mut commands = vec![format!("akia rotate --user {user}")];
            if case.due().is_some_and(|(_, due)| due <= now) {
                commands.push("akia enforce apply".to_owned());
            }
            commands
        }
        Stage::Deactivated { .. } | Stage::Soaked { .. } => {
            vec![format!("akia enforce reactivate {key} --reason TEXT")]
        }
        Stage::Closed { .. } => Vec::new(),
    }
}

fn steps(case: &Case, records: &[(u64, CaseRecord)], needs_person: bool) -> Vec<Step> {
    let last = |fits: &dyn Fn(&CaseEvent) -> bool| {
        records.iter().rev().find(|(_, record)| fits(&record.event)).map(|(_, record)| record.at)
    };
    let delivered =
        |wanted: Notice| last(&|event| matches!(event, CaseEvent::NoticeDelivered { told, .. } if *told == wanted));
    let due = |act: Act| case.due().filter(|(next, _)| *next == act).map(|(_, at)| at);
    let step = |words: &str, at: Option<Timestamp>, due: Option<Timestamp>| {
        at.map_or_else(|| Step::later(words, due), |at| Step::done(words, at))
    };
    let deadline = match case.stage() {
        Stage::Notified { deadline, .. } | Stage::Reminded { deadline, .. } => Some(*deadline),
        Stage::Seen | Stage::Deactivated { .. } | Stage::Soaked { .. } | Stage::Closed { .. } => None,
    };
    let until = match case.stage() {
        Stage::Deactivated { until, .. } => *until,
        Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } | Stage::Soaked { .. } | Stage::Closed { .. } => {
            None
        }
    };
    let deleted = match case.stage() {
        Stage::Closed { at, why: Closed::Deleted } => Some(*at),
        _ => None,
    };
    let shut = case.deactivated_at().or(case.inactive_since());
    let mut steps = vec![
        step("found", records.first().map(|(_, record)| record.at), None),
        step("owner told", delivered(Notice::Announced), due(Act::Announce)),
        step("owner reminded", delivered(Notice::Reminded), due(Act::Remind)),
        step("deactivated", shut, deadline),
        step("owner told of that", delivered(Notice::Deactivated), due(Act::TellDeactivated)),
    ];
    if case.waits().delete_after.is_some() {
        steps.push(step("deleted", deleted, until));
    }
    if let Stage::Closed { at, why } = case.stage()
        && *why != Closed::Deleted
    {
        steps.retain(|step| step.progress == Progress::Done);
        steps.push(Step::done(closed_words(why), *at));
    }
    stand_at(&mut steps, if needs_person { Progress::Person } else { Progress::Now });
    steps
}

fn told(seq: u64, record: &CaseRecord, case: &Case) -> Told {
    let (moment, weight, name) = match &record.event {
        CaseEvent::Opened { .. } => (None, Weight::Done, "found"),
        CaseEvent::Looked { .. } => (None, Weight::Done, "looked at"),
        CaseEvent::Intended { .. } => (None, Weight::Waiting, "about to"),
        CaseEvent::NoticeDelivered { told: Notice::Announced, .. } => {
            (Some(Moment::Notified), Weight::Done, "owner told")
        }
        CaseEvent::NoticeDelivered { told: Notice::Reminded, .. } => {
            (Some(Moment::Notified), Weight::Done, "owner reminded")
        }
        CaseEvent::NoticeDelivered { told: Notice::Deactivated, .. } => {
            (Some(Moment::Notified), Weight::Done, "owner told that the key is inactive")
        }
        CaseEvent::NoticeFailed { .. } => (None, Weight::Person, "a notice was not delivered"),
        CaseEvent::KeyDeactivated { .. } => (Some(Moment::Deactivated), Weight::Done, "deactivated"),
        CaseEvent::KeyDeleted { .. } => (Some(Moment::Deleted), Weight::Done, "deleted"),
        CaseEvent::KeyActivated { .. } => (Some(Moment::Activated), Weight::Done, "activated again"),
        CaseEvent::Refused { .. } => (None, Weight::Refused, "AWS refused"),
        CaseEvent::Unanswered { .. } => (None, Weight::Waiting, "no answer"),
    };
    let detail = record.event.words();
    Told {
        seq,
        at: record.at.as_second(),
        thread: case.opening().case.to_string(),
        key_id: case.opening().subject.key.to_string(),
        moment,
        weight,
        words: if detail.is_empty() { name.to_owned() } else { format!("{name}: {detail}") },
    }
}
