//! A counterexample as a story: what happened, step by step, and what was true after it.

use std::fmt::Write as _;

use stateright::Path;

use crate::model::{Action, Rotations};
use crate::state::{Run, State};
use crate::world::{KeyNumber, Status};

/// Tells the path to a broken promise.
pub(crate) fn tell(model: &Rotations, property: &str, path: Path<State, Action>) -> String {
    let steps = path.into_vec();
    let mut text =
        format!("\nBROKEN in the world \"{}\", after {} steps: {property}\n", model.setting.name, steps.len() - 1);
    let mut told = String::new();
    let mut number = 0;
    for (state, action) in &steps {
        let now = picture(state);
        if now != told {
            let _ = writeln!(text, "        {now}");
            told = now;
        }
        if let Some(action) = action {
            number += 1;
            let _ = writeln!(text, "  {number:>3}.  {}", words(action));
        }
    }
    let drained = steps.last().map(|(last, _)| model.drained(last)).unwrap_or_default();
    if steps.last().is_some_and(|(last, _)| last.breach.is_none()) {
        let _ = writeln!(text, "  and from here, without further faults:");
        for state in &drained {
            let now = picture(state);
            if now != told {
                let _ = writeln!(text, "        {now}");
                told = now;
            }
        }
    }
    if let Some(last) = drained.last().or(steps.last().map(|(last, _)| last)) {
        if let Some((_, how)) = last.breach {
            let _ = writeln!(text, "  so: {how}");
        }
        for (index, client) in last.clients.iter().enumerate() {
            if client.rotation.is_some() {
                let _ = writeln!(text, "  journal of {}:", name(index));
                for record in client.journal.events() {
                    let line = format!("{:?}", record.event);
                    let line = if line.starts_with("Planned") { "Planned".to_owned() } else { line };
                    let _ = writeln!(text, "        {line}");
                }
            }
        }
    }
    text
}

fn words(action: &Action) -> String {
    match action {
        Action::Plan { client } => format!("{}: plans a rotation", name(*client)),
        Action::Intend { client } => format!("{}: writes the intent down", name(*client)),
        Action::Perform { client, effect, outcome } => {
            let effect = format!("{effect:?}");
            let effect = effect.split([' ', '{']).next().unwrap_or_default().to_owned();
            format!("{}: {effect}: {outcome:?}", name(*client))
        }
        Action::Wait { client, seconds } => format!("{}: waits {seconds} s", name(*client)),
        Action::Stop { client } => format!("{}: the process dies", name(*client)),
        Action::Stall => "the machine sleeps in the middle of it".to_owned(),
        Action::Ask { client, request } => format!("{}: a person asks: {request:?}", name(*client)),
        Action::Commit { late } => format!("aws carries out late request {late}"),
        Action::Later { seconds } => format!("{seconds} s pass"),
        Action::Outside { deed } => format!("somebody outside: {deed:?}"),
    }
}

/// Keys, places and rotations in one line.
fn picture(state: &State) -> String {
    let mut parts = Vec::new();
    for (index, key) in state.aws.keys.iter().enumerate() {
        let status = match key.status {
            Status::Active => "active",
            Status::Inactive => "inactive",
            Status::Deleted => "deleted",
        };
        parts.push(format!("{} {status}", key_name(KeyNumber(u8::try_from(index).unwrap_or(0)))));
    }
    for (machine, kept) in state.machines.iter().enumerate() {
        let held: Vec<String> = kept.places.iter().map(|held| key_name(held.key)).collect();
        parts.push(format!("places of machine {machine}: {}", held.join(" ")));
    }
    for (index, client) in state.clients.iter().enumerate() {
        if let Some(rotation) = &client.rotation {
            let run = if client.run == Run::Stopped { "stopped" } else { "runs" };
            parts.push(format!("{} {run}, {}", name(index), rotation.stage_name()));
        }
    }
    parts.join(" | ")
}

fn name(client: usize) -> String {
    format!("rotation {}", ["A", "B", "C"].get(client).unwrap_or(&"D"))
}

fn key_name(key: KeyNumber) -> String {
    format!("K{}", key.0)
}
