//! A counterexample as a story: what happened, step by step, and what was true after it.

use std::fmt::Write as _;

use stateright::Path;

use super::model::{Action, Cases};
use super::state::{Errand, Run, State};

/// Tells the path to a broken promise.
pub(crate) fn tell(model: &Cases, property: &str, path: Path<State, Action>) -> String {
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
    let Some((last, _)) = steps.last() else { return text };
    if let Some(how) = last.breach.map(|(_, how)| how).or_else(|| model.loss(last)) {
        let _ = writeln!(text, "  so: {how}");
    }
    for (index, client) in last.clients.iter().enumerate() {
        let _ = writeln!(text, "  journal of {}:", name(index));
        for record in client.journal.records() {
            let line = format!("{:?}", record.event);
            let line = if line.starts_with("Opened") { "Opened".to_owned() } else { line };
            let _ = writeln!(text, "        {} {line}", record.at.strftime("%H:%M:%S"));
        }
    }
    text
}

fn words(action: &Action) -> String {
    match action {
        Action::Open { client } => format!("{}: a plan opens the case", name(*client)),
        Action::Start { client, errand: Errand::Back, .. } => format!("{}: a person wants the key back", name(*client)),
        Action::Start { client, errand: Errand::Step(kind), has_report } => {
            let report = if *has_report { ", with what the credential report tells" } else { "" };
            format!("{}: a run to {}{report}", name(*client), kind.as_str())
        }
        Action::Look { client, sight } => format!("{}: looks: {sight:?}", name(*client)),
        Action::Wait { client, seconds } => format!("{}: waits {seconds} s", name(*client)),
        Action::Intend { client, act } => format!("{}: writes the intent to {} down", name(*client), act.as_str()),
        Action::Perform { client, act, outcome } => format!("{}: {}: {outcome:?}", name(*client), act.as_str()),
        Action::Stop { client } => format!("{}: the process dies", name(*client)),
        Action::Nap => "the machine sleeps in the middle of it".to_owned(),
        Action::Commit { late } => format!("aws carries out late request {late}"),
        Action::Later { seconds } => format!("{seconds} s pass"),
        Action::Outside { deed } => format!("somebody: {deed:?}"),
    }
}

/// The key, the policy and the cases in one line.
fn picture(state: &State) -> String {
    let key = state.aws.key;
    let mut parts = vec![
        format!("at {} s", state.now),
        format!("key {:?} {:?}", key.status, key.identity),
        format!("policy {:?} {:?}", state.aws.level, state.aws.standing),
    ];
    for (index, client) in state.clients.iter().enumerate() {
        let Some(case) = &client.case else { continue };
        let run = if client.run == Run::Stopped { "stopped" } else { "runs" };
        let held = case.held().map(|held| format!(" ({held})")).unwrap_or_default();
        parts.push(format!("{} {run}, {}{held}", name(index), case.stage().as_str()));
    }
    parts.join(" | ")
}

fn name(client: usize) -> String {
    format!("machine {}", ["A", "B"].get(client).unwrap_or(&"C"))
}
