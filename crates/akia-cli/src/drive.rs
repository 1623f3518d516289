//! Carries rotations to rest, side by side: progress, Ctrl-C, and one report for all verbs that drive.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use akia_core::AccessKeyId;
use akia_core::contain::Footprint;
use akia_core::estate::Known;
use akia_core::journal::{Event, Record};
pub(crate) use akia_core::rotation::words::{day, rest_words, step_words};
use akia_core::rotation::{AbortReason, Decision, Place, Plan, Rest, Rotation, Signer};
use akia_core::text::visible;
use akia_core::usage::SeenUse;
use akia_io::rotate::{DriveError, Driver, Stop, Stray, Watch};
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::progress::{Line, Progress};

/// Rotations that are driven at the same time.
const CONCURRENT: usize = 256;

/// How one rotation of a run ended.
pub struct Ended {
    /// The rotation as it stands now.
    pub rotation: Rotation,
    /// The key that it made, also where that, or the rotation, is gone by now.
    pub new_key: Option<AccessKeyId>,
    /// How it rests, or what kept it from resting.
    pub outcome: Result<Rest, DriveError>,
    /// Places that somebody gave another key since.
    pub strays: Vec<Stray>,
    /// Who still uses the old key, where a person has to decide because of that, or why nobody tells.
    pub users: Option<Result<Footprint, String>>,
    /// The same as the loaded logs have it, or why they could not be asked.
    pub seen: Option<Result<SeenUse, String>>,
}

/// Drives all rotations until each rests. Ctrl-C stops at the next safe point; a second one ends the process, which is
/// safe, too: the journal knows what was about to be done.
pub async fn drive(context: &Context, driver: &Driver, rotations: Vec<Rotation>) -> Vec<Ended> {
    let progress = Progress::new(context);
    let (stop, signals) = stop_on_signals(&progress);
    let runs = rotations.into_iter().enumerate().map(|(index, mut rotation)| {
        let new_key = Mutex::new(rotation.new_key().cloned());
        let teller = Teller { line: progress.line(&label(rotation.plan())), new_key };
        let stop = stop.clone();
        async move {
            let outcome = driver.run(&mut rotation, &stop, &teller).await;
            teller.line.finish(&match &outcome {
                Ok(rest) => rest_words(&rotation, rest),
                Err(error) => format!("stopped: {error}"),
            });
            let new_key = teller.new_key.into_inner().unwrap_or_else(PoisonError::into_inner);
            let strays = match &new_key {
                Some(new) => driver.strays(&rotation, new).await,
                None => Vec::new(),
            };
            let users = driver.still_used_by(&rotation).await;
            let users = users.map(|told| told.map_err(|error| error.to_string()));
            let seen = driver.seen_in_use(&rotation).await;
            let is_held = matches!(outcome, Ok(Rest::Undecided { decision: Decision::StillUsed { .. } }));
            let seen = seen.filter(|seen| is_held || seen.is_err());
            (index, Ended { rotation, new_key, outcome, strays, users, seen })
        }
    });
    let mut ended: Vec<(usize, Ended)> = futures_util::stream::iter(runs).buffer_unordered(CONCURRENT).collect().await;
    signals.abort();
    // In the order of the plan that the person has read.
    ended.sort_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, one)| one).collect()
}

/// A switch that Ctrl-C pulls; a second one ends the process. The task ends with the run.
#[must_use]
pub fn stop_on_signals(progress: &Progress) -> (Stop, tokio::task::JoinHandle<()>) {
    let (pull, stop) = Stop::new();
    let above = progress.clone();
    let signals = tokio::spawn(async move {
        if interrupted().await {
            // A signal without a run to stop is no harm.
            let _ = pull.send(true);
            above.say("stopping at the next safe point; interrupt again to stop at once");
            if interrupted().await {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
        }
        // The switch has to live as long as the run.
        std::future::pending::<()>().await;
    });
    (stop, signals)
}

/// Narrower terminals get a table without the old keys.
const NARROW: u16 = 100;

/// Prints what became of the rotations, and says with which code the process ends. `refused` is how many could not
/// even begin, and with which codes.
///
/// # Errors
/// When stdout cannot be written.
pub fn report(
    context: &Context,
    command: &'static str,
    ended: &[Ended],
    refused: &[Exit],
) -> Result<Exit, CommandError> {
    report_with(context, command, ended, refused, Vec::new())
}

/// The same, with more facts for the JSON form: what did not even begin.
///
/// # Errors
/// When stdout cannot be written.
pub fn report_with(
    context: &Context,
    command: &'static str,
    ended: &[Ended],
    refused: &[Exit],
    facts: Vec<(&'static str, Value)>,
) -> Result<Exit, CommandError> {
    let now = Timestamp::now();
    let columns = vec![
        Column::new("user", "USER"),
        Column::new("profiles", "PROFILES"),
        Column::whole("displaced_key", "OLD KEY"),
        Column::whole("new_key", "NEW KEY"),
        Column::new("state", "STATE"),
    ];
    let mut table = Report::new(command, "rotations", columns);
    for (name, fact) in facts {
        table.fact(name, fact);
    }
    for one in ended {
        table.push(row(one, now));
    }
    if context.format() == Format::Table && context.terminal.width.is_some_and(|width| width < NARROW) {
        // The plan above has told the old keys.
        table.drop_column("displaced_key");
    }
    let printed = if ended.is_empty() { context.print(&table) } else { context.print_done(&table) };
    let stopped: Vec<&Ended> = ended.iter().filter(|one| exit_of(one) == Exit::Interrupted).collect();
    if stopped.len() > 1 {
        let mfa = stopped.iter().map(|one| mfa_flag(one.rotation.plan())).find(|flag| !flag.is_empty()).unwrap_or("");
        context.say(&format!("next: akia resume{mfa} (finishes all of them)"));
        context.say(&format!("  or: akia undo ROTATION-ID{mfa} (takes one back; akia history lists them)"));
    }
    for one in ended {
        if stopped.len() > 1 && exit_of(one) == Exit::Interrupted {
            continue;
        }
        for line in user_words(one).into_iter().chain(seen_words(one)).chain(advice(one)).chain(stray_words(one)) {
            context.say(&line);
        }
    }
    let codes: Vec<Exit> = ended.iter().map(exit_of).chain(refused.iter().copied()).collect();
    match (printed, overall(&codes)) {
        (Ok(()), exit) => Ok(exit),
        (Err(error), Exit::Done) => Err(error),
        // What a person has to do about the rotations matters more than the table.
        (Err(error), exit) => {
            context.say(&format!("error: {}", error.what));
            Ok(exit)
        }
    }
}

/// The code of a run whose parts ended with these codes.
#[must_use]
pub fn overall(codes: &[Exit]) -> Exit {
    let done = codes.contains(&Exit::Done);
    let worst = [Exit::Interrupted, Exit::Decision, Exit::Failed, Exit::Partly, Exit::Usage, Exit::Findings]
        .into_iter()
        .find(|code| codes.contains(code));
    match worst {
        None => Exit::Done,
        // Somebody has to run `akia resume`, whatever else was done.
        Some(Exit::Interrupted) => Exit::Interrupted,
        Some(_) if done || codes.contains(&Exit::Partly) => Exit::Partly,
        Some(code) => code,
    }
}

/// Profiles of a plan, each once, and what other places are called.
#[must_use]
pub fn profiles_of(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = plan.places.iter().map(Place::label).collect();
    names.dedup();
    names
}

/// A watcher that says nothing.
pub struct Quiet;

impl Watch for Quiet {
    fn recorded(&self, _rotation: &Rotation, _record: &Record) {}
    fn waiting(&self, _rotation: &Rotation, _until: Timestamp) {}
}

/// Says on a progress line what is being done, and keeps in mind what the end no longer shows.
struct Teller {
    line: Line,
    new_key: Mutex<Option<AccessKeyId>>,
}

impl Watch for Teller {
    fn recorded(&self, rotation: &Rotation, record: &Record) {
        if let Event::KeyCreated { key } = &record.event {
            *self.new_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        }
        if let Some(words) = step_words(rotation, &record.event) {
            self.line.step(&words);
        }
    }

    fn waiting(&self, _rotation: &Rotation, _until: Timestamp) {}
}

/// Waits for Ctrl-C or a request to end. `false` where signals cannot be had.
pub(crate) async fn interrupted() -> bool {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return tokio::signal::ctrl_c().await.is_ok();
        };
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
            told = terminate.recv() => told.is_some(),
            gone = hangup.recv() => gone.is_some(),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.is_ok()
    }
}

/// [`interrupted`], listening from now on: no signal is missed, and none ends the process by itself, before somebody
/// waits for it. Where signals cannot be had it never ends.
pub(crate) async fn ending() -> Pin<Box<dyn Future<Output = bool> + Send>> {
    let mut ending = Box::pin(interrupted().fuse());
    let _ = futures_util::poll!(ending.as_mut());
    ending
}

fn label(plan: &Plan) -> String {
    format!("{} ({})", plan.identity.user_name(), profiles_of(plan).join(", "))
}

/// What to do next, for a rotation that is not simply done.
fn advice(one: &Ended) -> Vec<String> {
    let plan = one.rotation.plan();
    let (id, mfa) = (&plan.id, mfa_flag(plan));
    match &one.outcome {
        Err(_) | Ok(Rest::Busy | Rest::Interrupted { .. }) if one.rotation.is_being_undone() => {
            vec![format!("next: akia resume {id}{mfa}")]
        }
        Err(_) | Ok(Rest::Busy | Rest::Interrupted { .. }) => {
            let mut lines = vec![format!("next: akia resume {id}{mfa}"), format!("  or: akia undo {id}{mfa}")];
            if matches!(one.outcome, Ok(Rest::Interrupted { .. })) {
                lines.extend(one.rotation.open_places().into_iter().filter_map(|place| {
                    let label = plan.places.get(place)?.label();
                    let label = akia_core::cheatsheet::quote(&label);
                    Some(format!("  or: akia resume {id} --leave {label}{mfa} (if it has a key of its own now)"))
                }));
            }
            lines
        }
        Ok(Rest::Undecided { decision }) => match decision {
            Decision::Orphans { keys } => keys
                .iter()
                .flat_map(|key| {
                    [
                        format!("next: akia resume {id} --delete-orphan {key}{mfa} (if nobody else made it)"),
                        format!("  or: akia resume {id} --keep-orphan {key}{mfa} (if somebody else did)"),
                    ]
                })
                .collect(),
            Decision::StillUsed { .. } => vec![
                format!("next: find who uses {}, then: akia resume {id}{mfa}", plan.displaced),
                format!("  or: akia resume {id} --without-evidence{mfa} (deactivate it all the same)"),
                format!("  or: akia undo {id}{mfa}"),
            ],
            Decision::Reactivated => vec![
                format!("next: find who uses {}, then: akia resume {id} --without-evidence{mfa}", plan.displaced),
                format!("  or: akia undo {id}{mfa}"),
            ],
        },
        Ok(Rest::Aborted { why: AbortReason::CreateRefused { .. } }) => vec![
            format!("next: akia policy check{mfa} (which rights you have)"),
            "  or: wait a while, if AWS was asked too often, and run the same command again".to_owned(),
        ],
        Ok(
            Rest::Retired
            | Rest::Kept
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean
            | Rest::Aborted { .. },
        ) => Vec::new(),
        Ok(Rest::Watching { .. }) => vec![match &plan.service {
            Some(service) => format!("next: after that: akia rotate --service {service} (or akia resume {id})"),
            None => format!("next: after that: akia resume {id}{mfa}"),
        }],
    }
}

/// Lines of who still uses the old key.
const MOST_USERS: usize = 5;

/// Who still uses the old key, as CloudTrail names them.
fn user_words(one: &Ended) -> Vec<String> {
    let displaced = &one.rotation.plan().displaced;
    let found = match &one.users {
        None => return Vec::new(),
        Some(Err(error)) => return vec![format!("note: CloudTrail could not be asked who uses {displaced}: {error}")],
        Some(Ok(found)) => found,
    };
    let unread = found.regions.iter().find_map(|region| match &region.events {
        Known::Told(_) => None,
        Known::Unknown { reason } => {
            Some(format!("note: CloudTrail in {} could not be asked: {reason}", region.region))
        }
    });
    let mut lines: Vec<String> = unread.into_iter().collect();
    if found.events == 0 {
        lines.push(format!("note: CloudTrail does not name who used {displaced} (it is up to 15 minutes late)"));
        return lines;
    }
    let uses = told_by_cloudtrail(found);
    lines.extend(uses.iter().enumerate().map(|(index, line)| match index {
        0 => format!("uses {displaced}: {line}"),
        _ => format!("  {line}"),
    }));
    lines
}

/// Who still uses the old key, as the loaded logs name them.
fn seen_words(one: &Ended) -> Vec<String> {
    let displaced = &one.rotation.plan().displaced;
    match &one.seen {
        None => Vec::new(),
        Some(Err(error)) => {
            vec![format!("note: the facts of akia usage could not be asked who uses {displaced}: {error}")]
        }
        Some(Ok(seen)) => {
            let [first, rest @ ..] = &told_by_logs(seen)[..] else { return Vec::new() };
            let mut lines = vec![format!("uses {displaced}, as the loaded logs tell: {first}")];
            lines.extend(rest.iter().map(|line| format!("  {line}")));
            if let Some(since) = one.rotation.promoted_at() {
                lines.push(format!("  all of it: akia usage quiet {displaced} --since {since:.0}"));
            }
            lines
        }
    }
}

fn told_by_logs(seen: &SeenUse) -> Vec<String> {
    seen.words().iter().map(|line| visible(line).into_owned()).collect()
}

/// Who still uses the old key, in words: from where, with what, for which services. CloudTrail names them, else the loaded logs.
pub(crate) fn used_by(one: &Ended) -> Vec<String> {
    match (&one.users, &one.seen) {
        (Some(Ok(found)), _) if found.events > 0 => told_by_cloudtrail(found),
        (_, Some(Ok(seen))) => told_by_logs(seen),
        (Some(_) | None, Some(Err(_)) | None) => Vec::new(),
    }
}

fn told_by_cloudtrail(found: &Footprint) -> Vec<String> {
    let most = |counts: &std::collections::BTreeMap<String, usize>| {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let words = counts.into_iter().take(MOST_USERS).map(|(name, count)| format!("{} ({count})", visible(name)));
        words.collect::<Vec<_>>().join(", ")
    };
    let services: Vec<String> = found.services.keys().take(MOST_USERS).map(|name| visible(name).into_owned()).collect();
    vec![
        format!("from {}", most(&found.addresses)),
        format!("with {}", most(&found.agents)),
        format!("for {}", services.join(", ")),
    ]
}

/// What became of places after the rotation was done with them.
fn stray_words(one: &Ended) -> Vec<String> {
    let Some(new) = &one.new_key else { return Vec::new() };
    let mut lines: Vec<String> = one
        .strays
        .iter()
        .map(|Stray { place, held }| match held {
            Some(held) => format!("note: somebody has put {held} into {place} since; {new} is not there any more"),
            None => format!("note: somebody has taken {new} out of {place} since"),
        })
        .collect();
    if one.strays.len() == one.rotation.plan().places.len() {
        lines.push(format!("note: {new} is active and stands nowhere now"));
        lines.push(format!("next: akia key deactivate {new} (when nobody uses it)"));
    }
    lines
}

fn mfa_flag(plan: &Plan) -> &'static str {
    match &plan.signer {
        Signer::Own { mfa_serial: Some(_), .. } => " --mfa-code CODE",
        Signer::Own { mfa_serial: None, .. } | Signer::Admin { .. } => "",
    }
}

fn exit_of(one: &Ended) -> Exit {
    match &one.outcome {
        Err(_) | Ok(Rest::Busy | Rest::Interrupted { .. }) => Exit::Interrupted,
        Ok(Rest::Undecided { .. }) => Exit::Decision,
        Ok(Rest::Aborted { why: AbortReason::Undone }) => Exit::Done,
        // A key is deleted, and there is no new one for it.
        Ok(Rest::Aborted { .. }) if one.rotation.plan().make_room.is_some() => Exit::Partly,
        Ok(Rest::Aborted { .. }) => Exit::Failed,
        Ok(
            Rest::Retired
            | Rest::Kept
            | Rest::Watching { .. }
            | Rest::InGrace { .. }
            | Rest::Undone { .. }
            | Rest::UndoneAndClean,
        ) => Exit::Done,
    }
}

fn row(one: &Ended, now: Timestamp) -> Row {
    let (rotation, plan) = (&one.rotation, one.rotation.plan());
    let (state, tone) = match &one.outcome {
        Ok(rest) => (rest_words(rotation, rest), tone_of(exit_of(one))),
        Err(error) => (format!("stopped: {error}"), Tone::Bad),
    };
    let mut row = Row::from(vec![
        Cell::text(plan.identity.user_name()),
        Cell::list(profiles_of(plan)),
        Cell::text(&plan.displaced),
        Cell::maybe(one.new_key.as_ref()),
        Cell::text(state).tone(tone),
    ]);
    row.details.insert("rotation".into(), json!(plan.id));
    row.details.insert("account".into(), json!(plan.identity.account()));
    row.details.insert("rest".into(), json!(rest_code(&one.outcome)));
    row.details.insert("reported_at".into(), json!(now.to_string()));
    if let Some(service) = &plan.service {
        row.details.insert("service".into(), json!(service));
    }
    if let Some(Ok(users)) = &one.users {
        row.details.insert("still_used_by".into(), json!(users));
    }
    if let Some(Ok(seen)) = &one.seen {
        row.details.insert("seen_in_logs".into(), json!(seen));
    }
    if !one.strays.is_empty() {
        let strays = one.strays.iter().map(|stray| json!({"place": stray.place.to_string(), "holds": stray.held}));
        row.details.insert("strays".into(), strays.collect());
    }
    row
}

/// The machine's word for how a rotation ended.
#[must_use]
pub fn rest_code(outcome: &Result<Rest, DriveError>) -> &'static str {
    outcome.as_ref().map_or("stopped", Rest::code)
}

fn tone_of(exit: Exit) -> Tone {
    match exit {
        Exit::Done => Tone::Good,
        Exit::Interrupted | Exit::Decision => Tone::Warning,
        Exit::Failed | Exit::Usage | Exit::Partly | Exit::Findings | Exit::Incomplete => Tone::Bad,
    }
}
