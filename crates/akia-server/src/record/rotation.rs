//! What the records of a rotation come to.

use akia_core::AccessKeyId;
use akia_core::journal::{Event, Intent, Record};
use akia_core::rotation::words::{rest_words, step_words};
use akia_core::rotation::{Decision, PlaceState, Rest, Retirement, Rotation};
use akia_io::store::Entry;
use jiff::Timestamp;

use super::event::{Moment, Told, Weight};
use super::thread::{Kind, Next, Progress, Step, Thread, parsed, stand_at};

pub(super) fn judge(entries: &[Entry], now: Timestamp) -> Result<(Thread, Vec<Told>), String> {
    let records: Vec<(u64, Record)> = parsed(entries)?;
    let rotation = Rotation::replay(records.iter().map(|(_, record)| record)).map_err(|illegal| illegal.to_string())?;
    let plan = rotation.plan();
    let made = records.iter().rev().find_map(|(_, record)| match &record.event {
        Event::KeyCreated { key } => Some(key.clone()),
        _ => None,
    });
    let rest = rotation.rest(now);
    let is_out_of_grace = rotation.is_out_of_grace(now);
    let steps = steps(&rotation, &records, &rest);
    let thread = Thread {
        id: plan.id.to_string(),
        key_id: plan.displaced.to_string(),
        new_key_id: made.as_ref().map(ToString::to_string),
        account: plan.identity.account().to_string(),
        user: plan.identity.user_name().to_string(),
        state: if is_out_of_grace {
            "done: the grace is over, akia retire deletes the inactive key".to_owned()
        } else {
            rest_words(&rotation, &rest)
        },
        stage: rotation.stage_name().to_owned(),
        rest: if is_out_of_grace { "out-of-grace" } else { rest.code() }.to_owned(),
        next: next(&rotation, &rest),
        is_over: rotation.is_over(),
        needs_person: matches!(rest, Rest::Undecided { .. } | Rest::Interrupted { .. }),
        began_at: records.first().map_or(0, |(_, record)| record.at.as_second()),
        updated_at: records.last().map_or(0, |(_, record)| record.at.as_second()),
        steps,
        commands: commands(&rotation, &rest, is_out_of_grace),
        places: plan
            .places
            .iter()
            .zip(rotation.places())
            .map(|(place, state)| (place.to_string(), *state == PlaceState::Delivered))
            .collect(),
        ..Thread::bare(Kind::Rotation)
    };
    let told = records.iter().map(|(seq, record)| told(*seq, record, &rotation, made.as_ref())).collect();
    Ok((thread, told))
}

fn next(rotation: &Rotation, rest: &Rest) -> Option<Next> {
    let displaced = &rotation.plan().displaced;
    let (what, at) = match rest {
        Rest::Watching { until } => (format!("{displaced} is judged by its last use"), until),
        Rest::InGrace { until } => (format!("{displaced} may be deleted"), until),
        Rest::Undone { until } => ("the new key may be deleted".to_owned(), until),
        Rest::Busy
        | Rest::Retired
        | Rest::Kept
        | Rest::UndoneAndClean
        | Rest::Aborted { .. }
        | Rest::Undecided { .. }
        | Rest::Interrupted { .. } => return None,
    };
    Some(Next { what, at: at.as_second() })
}

fn commands(rotation: &Rotation, rest: &Rest, is_out_of_grace: bool) -> Vec<String> {
    let id = &rotation.plan().id;
    let (resume, undo) = (format!("akia resume {id}"), format!("akia undo {id}"));
    match rest {
        _ if is_out_of_grace => vec!["akia retire".to_owned()],
        Rest::Busy | Rest::Interrupted { .. } if rotation.is_being_undone() => vec![resume],
        Rest::Busy | Rest::Interrupted { .. } | Rest::Watching { .. } => vec![resume, undo],
        Rest::InGrace { .. } | Rest::Kept => vec![undo],
        Rest::Undecided { decision: Decision::Orphans { keys } } => keys
            .iter()
            .flat_map(|key| [format!("{resume} --delete-orphan {key}"), format!("{resume} --keep-orphan {key}")])
            .collect(),
        Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } => {
            vec![format!("{resume} --without-evidence"), undo]
        }
        Rest::Retired | Rest::Undone { .. } | Rest::UndoneAndClean | Rest::Aborted { .. } => Vec::new(),
    }
}

/// What a rotation goes through, forward, and where it was taken back, the way back.
fn steps(rotation: &Rotation, records: &[(u64, Record)], rest: &Rest) -> Vec<Step> {
    let plan = rotation.plan();
    let last = |fits: &dyn Fn(&Event) -> bool| {
        records.iter().rev().find(|(_, record)| fits(&record.event)).map(|(_, record)| record.at)
    };
    let step = |words: &str, at: Option<Timestamp>| {
        at.map_or_else(|| Step::later(words, None), |at| Step::done(words.to_owned(), at))
    };
    let undo_at = last(&|event| matches!(event, Event::UndoRequested));
    let mut steps = vec![step("planned", Some(plan.planned_at))];
    if plan.make_room.is_some() {
        steps.push(step("room made", last(&|event| matches!(event, Event::RoomMade))));
    }
    steps.push(step("created", last(&|event| matches!(event, Event::KeyCreated { .. }))));
    steps.push(step("proven", last(&|event| matches!(event, Event::RivalsAbsent))));
    if plan.probe.is_some() {
        steps.push(step("probe passed", last(&|event| matches!(event, Event::ProbePassed))));
    }
    for (index, (place, state)) in plan.places.iter().zip(rotation.places()).enumerate() {
        let delivered = last(&|event| matches!(event, Event::Delivered { place, .. } if *place == index));
        // What was written and overwritten since has to be written again.
        let delivered = delivered.filter(|_| undo_at.is_some() || *state == PlaceState::Delivered);
        match state {
            PlaceState::Left => steps.push(Step {
                words: format!("{place} left as it is"),
                progress: Progress::Done,
                at: last(&|event| matches!(event, Event::PlaceLeft { place } if *place == index))
                    .map(Timestamp::as_second),
            }),
            PlaceState::Displaced | PlaceState::Writing | PlaceState::Delivered => {
                steps.push(step(&format!("delivered to {place}"), delivered));
            }
        }
    }
    steps.push(step("promoted", last(&|event| matches!(event, Event::Promoted))));
    if plan.retirement != Retirement::Keep {
        let shut = last(&|event| matches!(event, Event::DisplacedDeactivated));
        let gone = last(&|event| matches!(event, Event::DisplacedDeleted | Event::DisplacedGone));
        let is_judged = shut.or(gone).is_some() || rotation.stage_name() == "about to deactivate the displaced key";
        let quiet = last(&|event| matches!(event, Event::Observed { .. } | Event::EvidenceWaived));
        let watched_until = match rest {
            Rest::Watching { until } => Some(*until),
            _ => None,
        };
        let observed = quiet.filter(|_| is_judged);
        steps.push(
            observed
                .map_or_else(|| Step::later("observed quiet", watched_until), |at| Step::done("observed quiet", at)),
        );
        steps.push(step("old key deactivated", shut.or(gone)));
        let deletable = match rest {
            Rest::InGrace { until } => Some(*until),
            _ => None,
        };
        steps.push(
            gone.map_or_else(|| Step::later("old key deleted", deletable), |at| Step::done("old key deleted", at)),
        );
    }
    let standing = match rest {
        Rest::Undecided { .. } => Progress::Person,
        Rest::Interrupted { .. } => Progress::Failed,
        Rest::Busy
        | Rest::Retired
        | Rest::Kept
        | Rest::Watching { .. }
        | Rest::InGrace { .. }
        | Rest::Undone { .. }
        | Rest::UndoneAndClean
        | Rest::Aborted { .. } => Progress::Now,
    };
    if let (Some(asked), true) = (undo_at, is_taken_back(rotation, rest)) {
        steps.retain(|step| step.progress == Progress::Done);
        steps.push(Step::done("asked to be taken back", asked));
        let since = |fits: &dyn Fn(&Event) -> bool| last(fits).filter(|at| *at >= asked);
        for (index, place) in plan.places.iter().enumerate() {
            let restored = since(&|event| matches!(event, Event::Restored { place, .. } if *place == index));
            if restored.is_some() || !matches!(rest, Rest::Aborted { .. }) {
                steps.push(step(&format!("restored in {place}"), restored));
            }
        }
        if !matches!(rest, Rest::Aborted { .. }) {
            steps.push(step("new key deactivated", since(&|event| matches!(event, Event::NewDeactivated))));
        }
        let deletable = match rest {
            Rest::Undone { until } => Some(*until),
            _ => None,
        };
        let deleted = since(&|event| matches!(event, Event::NewDeleted));
        if deleted.is_some() || !matches!(rest, Rest::Aborted { .. }) {
            steps.push(
                deleted
                    .map_or_else(|| Step::later("new key deleted", deletable), |at| Step::done("new key deleted", at)),
            );
        }
    } else if let Rest::Aborted { .. } = rest {
        steps.retain(|step| step.progress == Progress::Done);
        steps.push(Step { words: "given up".to_owned(), progress: Progress::Failed, at: None });
    }
    stand_at(&mut steps, standing);
    steps
}

/// Whether an undo that was asked for still holds: where the old key is gone, the rotation goes forward again.
fn is_taken_back(rotation: &Rotation, rest: &Rest) -> bool {
    rotation.is_being_undone()
        || matches!(rest, Rest::Undone { .. } | Rest::UndoneAndClean | Rest::Aborted { .. })
        || matches!(rotation.stage_name(), "undone, new key in grace")
}

fn told(seq: u64, record: &Record, rotation: &Rotation, made: Option<&AccessKeyId>) -> Told {
    let displaced = &rotation.plan().displaced;
    let (moment, key) = moment(&record.event, displaced, made);
    Told {
        seq,
        at: record.at.as_second(),
        thread: rotation.plan().id.to_string(),
        key_id: key.to_string(),
        moment,
        weight: weight(&record.event),
        words: step_words(rotation, &record.event).unwrap_or_else(|| other_words(&record.event, displaced)),
    }
}

/// What an event is in the life of which key.
fn moment<'a>(
    event: &'a Event,
    displaced: &'a AccessKeyId,
    made: Option<&'a AccessKeyId>,
) -> (Option<Moment>, &'a AccessKeyId) {
    let new = made.unwrap_or(displaced);
    match event {
        Event::KeyCreated { key } => (Some(Moment::Created), key),
        Event::RivalsAbsent => (Some(Moment::Proven), new),
        Event::Delivered { .. } => (Some(Moment::Delivered), new),
        Event::Promoted => (Some(Moment::Replaced), displaced),
        Event::DisplacedDeactivated => (Some(Moment::Deactivated), displaced),
        Event::DisplacedActivated => (Some(Moment::Activated), displaced),
        Event::Restored { .. } => (Some(Moment::Delivered), displaced),
        Event::DisplacedDeleted | Event::DisplacedGone => (Some(Moment::Deleted), displaced),
        Event::NewDeactivated => (Some(Moment::Deactivated), new),
        Event::NewDeleted => (Some(Moment::Deleted), new),
        _ => (None, displaced),
    }
}

fn weight(event: &Event) -> Weight {
    match event {
        Event::Intended { .. } | Event::CreateUnanswered { .. } => Weight::Waiting,
        Event::CreateRefused { .. }
        | Event::SecretLost { .. }
        | Event::ProofFailed { .. }
        | Event::ProbeFailed { .. }
        | Event::RivalFound { .. }
        | Event::DeliveryFailed { .. }
        | Event::RestoreFailed { .. }
        | Event::PlaceOverwritten { .. }
        | Event::Failed { .. } => Weight::Refused,
        Event::OrphanSuspected { .. } | Event::DisplacedFoundActive => Weight::Person,
        _ => Weight::Done,
    }
}

/// The words for what a terminal does not tell.
fn other_words(event: &Event, displaced: &AccessKeyId) -> String {
    match event {
        Event::Planned { plan } => {
            format!("planned: a new key in place of {displaced}, in {} place(s)", plan.places.len())
        }
        Event::Intended { intent } => format!("about to {}", intent_words(*intent)),
        Event::ProofPassed => "the key authenticated".to_owned(),
        Event::ProofFailed { error } => format!("AWS does not know the key yet: {error}"),
        Event::Observed { last_used } => format!("AWS says of {displaced}: {}", used_words(last_used)),
        Event::UndoRequested => "a person asked to take it back".to_owned(),
        Event::EvidenceWaived => format!("a person said to shut {displaced} without evidence"),
        Event::GraceWaived => "a person said not to wait out the grace".to_owned(),
        Event::DisplacedFoundActive => format!("{displaced} was found active: somebody has activated it"),
        Event::DisplacedGone => format!("{displaced} does not exist any more"),
        Event::NewDeactivated => "deactivated the new key".to_owned(),
        Event::NewDeleted => "deleted the new key".to_owned(),
        Event::Resumed => "taken up again".to_owned(),
        Event::SecretsWiped => "staged secrets wiped".to_owned(),
        other => {
            let value = serde_json::to_value(other).unwrap_or_default();
            value.get("event").and_then(|event| event.as_str()).unwrap_or("unknown").replace('-', " ")
        }
    }
}

fn intent_words(intent: Intent) -> &'static str {
    match intent {
        Intent::MakeRoom => "make room for a new key",
        Intent::Create => "create a key",
        Intent::Deliver(_) => "deliver the new key",
        Intent::DeactivateDisplaced => "deactivate the old key",
        Intent::DeleteDisplaced => "delete the old key",
        Intent::ActivateDisplaced => "activate the old key",
        Intent::Restore(_) => "put the old key back",
        Intent::DeactivateNew => "deactivate the new key",
        Intent::DeleteNew => "delete the new key",
        Intent::DeleteOrphan => "delete a key that a lost answer left behind",
    }
}

fn used_words(last_used: &akia_core::LastUsed) -> String {
    use akia_core::LastUsed;
    match last_used {
        LastUsed::Never => "never used".to_owned(),
        LastUsed::At { at, service, region } => format!("last used {at} ({service}, {region})"),
        LastUsed::Unknown { reason } => format!("its last use cannot be read: {reason}"),
    }
}
