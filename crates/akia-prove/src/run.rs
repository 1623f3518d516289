//! One run: a world out of its seed, commands with faults about, then a drain without, and the judgement.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use akia_core::journal::{Attribution, Event};
use akia_core::rotation::{AbortReason, Decision, Pace, Rest, Rotation};
use akia_core::{AccessKeyId, ProfileName, RotationId};
use akia_io::place::Held;
use akia_io::rotate::{Draw, DriveError, Options, Selection, Stop, Watch, lock_user};
use akia_sandbox::FaultKind;
use jiff::Timestamp;

use crate::director::{MACHINES, Maker, Tally, USER};
use crate::judge;
use crate::plot::{Act, Command, Plot};
use crate::sabotage::Sabotage;
use crate::world::{Process, SETTLED, World};

/// Rotations of one user in a row, at most. Each begins with a longer journal than the one before.
const ACTS: usize = 4;

/// Commands after which a world without faults must have come to rest.
const DRAIN_LIMIT: usize = 14;

/// What came of one run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rotations: u64,
    pub(crate) crashes: u64,
    pub(crate) faults: Tally,
    pub(crate) rests: Tally,
    pub(crate) refusals: Tally,
    pub(crate) violations: Vec<String>,
    pub(crate) trace: String,
    pub(crate) story: Vec<String>,
}

/// What the person at the machines knows and was told.
#[derive(Default)]
pub(crate) struct Told {
    /// Words of errors, in which keys may be named that have to be deleted by hand.
    pub(crate) errors: Vec<String>,
    /// Draws of ids so far.
    draws: u64,
}

/// Runs a seed in an empty folder.
pub(crate) async fn run(seed: u64, root: &Path, telling: bool, sabotage: Option<Sabotage>) -> Outcome {
    // The SDK's jitter and ids come from here.
    fastrand::seed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let plot = Plot::draw(&mut random);
    let world = World::new(root, seed, &plot, telling);
    let director = world.director.clone();
    director.inner().sabotage = sabotage;
    director.tell(&format!("seed {seed}: {plot:?}"));
    akia_io::files::faults::meddle(Some(director.clone()));
    crate::worker::meddle_on_blocking_threads(Some(director.clone())).await;
    let mut told = Told::default();
    let mut act = plot.first.clone();
    let mut rests = Vec::new();
    for number in 1..=ACTS {
        perform(&world, &plot, &act, seed, &mut told, &mut random).await;
        let looked = drain(&world, &act, &mut told, &mut random).await;
        rests = judge::judge(&world, &told, looked).await;
        if number == ACTS || !may_go_on(&world, &plot, &rests) {
            break;
        }
        // Mostly the next rotation comes when the last one's grace is over, and deletes that one's key first.
        if random.u8(..8) != 0 {
            director.sandbox.advance(act.grace.unsigned_abs() + SETTLED.unsigned_abs());
        }
        act = Act::draw(&mut random);
        let keys = director.keys();
        act.names_other_key &= world.other.as_ref().is_some_and(|key| keys.contains_key(key));
        director.tell(&format!("==== act {}: {act:?}", number + 1));
    }
    crate::worker::meddle_on_blocking_threads(None).await;
    akia_io::files::faults::meddle(None);

    let mut outcome = Outcome { trace: director.trace(), story: director.story(), ..Outcome::default() };
    for (action, kind) in director.sandbox.struck() {
        let _ = action;
        *outcome.faults.entry(name_of(&kind).to_owned()).or_default() += 1;
    }
    let inner = director.inner();
    for (kind, count) in &inner.faults {
        *outcome.faults.entry(kind.clone()).or_default() += count;
    }
    outcome.crashes = inner.crashes;
    outcome.violations.clone_from(&inner.violations);
    for rest in rests {
        outcome.rotations += 1;
        *outcome.rests.entry(word_of(&rest)).or_default() += 1;
    }
    for error in &told.errors {
        let word: String = error.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        *outcome.refusals.entry(word).or_default() += 1;
    }
    outcome
}

/// Carries the commands of an act out, with faults about, and leaves the world without any.
async fn perform(world: &World, plot: &Plot, act: &Act, seed: u64, told: &mut Told, random: &mut fastrand::Rng) {
    let director = &world.director;
    for command in &act.commands {
        let (strikes, faults) = plot.trouble(random);
        for strike in &strikes {
            director.tell(&format!("planned {strike:?}"));
        }
        director.arm(strikes);
        for fault in faults {
            director.tell(&format!("planned {fault:?}"));
            director.sandbox.inject(fault);
        }
        let is_last_of_faults = random.bool();
        carry_out(world, plot, act, seed, *command, told, random).await;
        if is_last_of_faults {
            director.calm();
        }
    }
    director.calm();
    director.sandbox.advance(SETTLED.unsigned_abs());
}

/// Whether another rotation of the user proves as much as the first one: there is one machine, nobody else has touched
/// anything that the judge would have to excuse, and no key that stays takes the room of a new one.
fn may_go_on(world: &World, plot: &Plot, rests: &[Rest]) -> bool {
    let director = &world.director;
    !plot.has_second_machine
        && !director.is_meddled(0)
        && !rests.contains(&Rest::Kept)
        && director.inner().violations.is_empty()
        && director.inner().makers.values().all(|maker| *maker != Maker::Outsider)
}

async fn carry_out(
    world: &World,
    plot: &Plot,
    act: &Act,
    seed: u64,
    command: Command,
    told: &mut Told,
    random: &mut fastrand::Rng,
) {
    let director = &world.director;
    director.tell(&format!("== {command:?}"));
    match command {
        Command::Rotate => {
            told.draws += 1;
            let draw = Draw::seeded(seed.wrapping_mul(101).wrapping_add(told.draws));
            let work = async { Ok(rotate(world, plot, act, &start(world, 0).await?, &draw).await) };
            told.errors.extend(said(director.process(0, work).await));
        }
        Command::RotateOnBoth => {
            told.draws += 2;
            let draws = [0, 1].map(|one| Draw::seeded(seed.wrapping_mul(101).wrapping_add(told.draws + one * 50)));
            let work = async |machine: usize| {
                let process = start(world, machine).await?;
                Ok(rotate(world, plot, act, &process, &draws[machine]).await)
            };
            let (first, second) =
                futures_util::future::join(director.process(0, work(0)), director.process(1, work(1))).await;
            told.errors.extend(said(first).into_iter().chain(said(second)));
        }
        Command::Resume => {
            let decide = random.bool();
            let picks = random.u64(..);
            let work = async {
                let process = start(world, 0).await?;
                let rotations = read(world, &process).await?;
                Ok(resume(world, &process, rotations, 0, decide, picks).await)
            };
            told.errors.extend(said(director.process(0, work).await));
        }
        Command::Undo => {
            let work = async {
                let process = start(world, 0).await?;
                let rotations = read(world, &process).await?;
                Ok(undo(world, &process, rotations).await)
            };
            told.errors.extend(said(director.process(0, work).await));
        }
        Command::Retire => {
            let waive = random.bool();
            let work = async {
                let process = start(world, 0).await?;
                let rotations = read(world, &process).await?;
                Ok(retire(world, &process, rotations, waive).await)
            };
            told.errors.extend(said(director.process(0, work).await));
        }
        Command::Wait { seconds } => director.sandbox.advance(std::time::Duration::from_secs(seconds)),
    }
    // What a process has left open on another thread must not reach into the next one.
    tokio::task::yield_now().await;
}

/// What the person does until everything is at rest. For each machine, what the process saw that found nothing left to do.
async fn drain(world: &World, act: &Act, told: &mut Told, random: &mut fastrand::Rng) -> Vec<Option<Looked>> {
    let director = &world.director;
    let mut looked = Vec::new();
    for machine in 0..director.machines() {
        let mut waited = false;
        let mut last = None;
        for round in 0..=DRAIN_LIMIT {
            let leaves_graces = waited || !act.waits_out_grace;
            let turn = take_up(world, machine, leaves_graces, round == DRAIN_LIMIT, random);
            let Some(turn) = director.process(machine, turn).await else { continue };
            match turn {
                Ok(Turn::Rests(found)) => {
                    last = Some(*found);
                    break;
                }
                Ok(Turn::Went { said, waited: now }) => {
                    waited |= now;
                    told.errors.extend(said);
                }
                Ok(Turn::Stuck { words }) => {
                    if !director.is_meddled(machine) {
                        director.violate(format!("machine {machine} never comes to rest: {words}"));
                    }
                    break;
                }
                Err(error) => {
                    director.violate(format!("machine {machine}: the journal cannot be read: {error}"));
                    break;
                }
            }
        }
        looked.push(last);
    }
    director.sandbox.advance(SETTLED.unsigned_abs());
    looked
}

/// What a new process of a machine has found on the disk.
pub(crate) struct Looked {
    pub(crate) process: Process,
    pub(crate) rotations: Vec<Rotation>,
}

/// Starts a process and has it read everything.
pub(crate) async fn look(world: &World, machine: usize) -> Result<Looked, String> {
    let process = world.process(machine).await?;
    let rotations = all(&process).await?;
    Ok(Looked { process, rotations })
}

/// What came of one look at a machine.
enum Turn {
    /// There is nothing left to do.
    Rests(Box<Looked>),
    /// `akia resume` or `akia retire` was run.
    Went { said: Option<String>, waited: bool },
    /// There is, and it was tried often enough.
    Stuck { words: String },
}

/// Looks for what `akia resume` and `akia retire` would find to do, and runs it in the same process.
async fn take_up(
    world: &World,
    machine: usize,
    leaves_graces: bool,
    is_last: bool,
    random: &mut fastrand::Rng,
) -> Result<Turn, String> {
    let looked = look(world, machine).await?;
    let open = open_rotations(&looked.rotations, world.now());
    if open == Open::Nothing || (open == Open::InGrace && leaves_graces) {
        return Ok(Turn::Rests(Box::new(looked)));
    }
    let Looked { process, rotations } = looked;
    if is_last {
        return Ok(Turn::Stuck { words: format!("{open:?}") });
    }
    world.director.tell(&format!("== drain: {open:?}"));
    let waited = open == Open::InGrace;
    let said = if waited {
        world.director.sandbox.advance(std::time::Duration::from_secs(8 * 86_400));
        retire(world, &process, rotations, false).await
    } else {
        resume(world, &process, rotations, machine, true, random.u64(..)).await
    };
    Ok(Turn::Went { said, waited })
}

#[derive(Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    InGrace,
    Unfinished { words: String },
}

fn open_rotations(rotations: &[Rotation], now: Timestamp) -> Open {
    let mut open = Open::Nothing;
    for rotation in rotations {
        match rotation.rest(now) {
            _ if rotation.is_out_of_grace(now) => open = Open::InGrace,
            Rest::InGrace { .. } | Rest::Undone { .. } => open = Open::InGrace,
            rest if rotation.is_to_be_resumed(now) => return Open::Unfinished { words: format!("{rest:?}") },
            _ => {}
        }
    }
    open
}

/// A new process, or `NotStarted` and why.
async fn start(world: &World, machine: usize) -> Result<Process, String> {
    world.process(machine).await.map_err(|error| spoken(world, format!("NotStarted {error}")))
}

/// Every rotation of the journal, or `Unreadable` and why.
async fn read(world: &World, process: &Process) -> Result<Vec<Rotation>, String> {
    all(process).await.map_err(|error| spoken(world, format!("Unreadable {error}")))
}

/// What a process said in the end, if it lived to say anything.
fn said(ended: Option<Result<Option<String>, String>>) -> Option<String> {
    match ended? {
        Ok(said) => said,
        Err(not_started) => Some(not_started),
    }
}

async fn all(process: &Process) -> Result<Vec<Rotation>, String> {
    let store = &process.driver.store;
    let mut rotations = Vec::new();
    for summary in store.rotations().await.map_err(|error| error.to_string())? {
        rotations.push(process.driver.load(&summary.rotation).await.map_err(|error| error.to_string())?);
    }
    Ok(rotations)
}

/// `akia rotate`. Words where it could not.
async fn rotate(world: &World, plot: &Plot, act: &Act, process: &Process, draw: &Draw) -> Option<String> {
    let options = Options {
        retirement: act.retirement,
        grace: act.grace,
        older_than: None,
        make_room: if act.names_other_key {
            world.other.iter().map(|key| key.parse().unwrap()).collect()
        } else {
            Vec::new()
        },
        region: None,
        without_evidence: act.without_evidence,
        pace: Pace::default(),
    };
    let selection = if plot.is_admin {
        Selection::User { user: USER.parse().unwrap(), signer: "boss".parse().unwrap() }
    } else {
        Selection::Profiles(vec!["a".parse::<ProfileName>().unwrap()])
    };
    let driver = &process.driver;
    let prepared = driver.prepare(&process.files, &selection, &options, draw).await;
    if let Some(refused) = prepared.refused.into_iter().next() {
        return tell(world, format!("{:?}", refused.refusal));
    }
    let one = prepared.rotations.into_iter().next()?;
    let _lock = one.lock;
    if let Some(earlier) = &one.retire_first {
        let mut rotation = match driver.load(earlier).await {
            Ok(rotation) => rotation,
            Err(error) => return told_of(world, &error),
        };
        if let Err(error) = driver.record(&mut rotation, Event::Resumed, None, &Silent).await {
            return told_of(world, &error);
        }
        match driver.run(&mut rotation, &never(), &Silent).await {
            Ok(Rest::Retired | Rest::UndoneAndClean) => {}
            // As the CLI does: two open rotations of one user would take each other's keys away.
            Ok(rest) => return tell(world, format!("InTheWay {earlier}: {rest:?}")),
            Err(error) => return told_of(world, &error),
        }
    }
    let mut rotation = match driver.begin(one.plan, one.displaced_secret.as_ref(), &Silent).await {
        Ok(rotation) => rotation,
        Err(error) => return told_of(world, &error),
    };
    finish(world, process, &mut rotation).await
}

/// Drives a rotation until it rests.
async fn finish(world: &World, process: &Process, rotation: &mut Rotation) -> Option<String> {
    let watch = Created(Mutex::new(rotation.new_key().cloned()));
    match process.driver.run(rotation, &never(), &watch).await {
        Ok(rest) => {
            world.director.tell(&format!("  rests: {rest:?}"));
            let new = watch.0.into_inner().ok()??;
            let strays = process.driver.strays(rotation, &new).await;
            if strays.is_empty() { None } else { tell(world, format!("Strayed {new}: {strays:?}")) }
        }
        Err(error) => told_of(world, &error),
    }
}

/// `akia resume`, with the person's decisions where somebody is there to decide.
async fn resume(
    world: &World,
    process: &Process,
    rotations: Vec<Rotation>,
    machine: usize,
    decide: bool,
    picks: u64,
) -> Option<String> {
    let now = world.now();
    let mut said = None;
    for rotation in rotations {
        if !rotation.is_to_be_resumed(now) {
            continue;
        }
        let id = rotation.plan().id.clone();
        said = resume_one(world, process, machine, &id, decide, picks).await.or(said);
    }
    said
}

async fn resume_one(
    world: &World,
    process: &Process,
    machine: usize,
    id: &RotationId,
    decide: bool,
    picks: u64,
) -> Option<String> {
    let driver = &process.driver;
    let mut rotation = match driver.load(id).await {
        Ok(rotation) => rotation,
        Err(error) => return told_of(world, &error),
    };
    let _lock = match lock_user(&*driver.store, &rotation.plan().identity).await {
        Ok(lock) => lock,
        Err(error) => return tell(world, format!("Locked {error}")),
    };
    let now = world.now();
    let before = rotation.rest(now);
    if let Err(error) = driver.record(&mut rotation, Event::Resumed, None, &Silent).await {
        return told_of(world, &error);
    }
    if decide {
        for event in decisions(world, process, machine, &rotation, &before, picks).await {
            world.director.tell(&format!("  the person says: {event:?}"));
            match driver.record(&mut rotation, event, None, &Silent).await {
                Ok(()) => {}
                // The CLI tries it out before it asks for it.
                Err(DriveError::Illegal { .. }) => world.director.tell("  which cannot be"),
                Err(error) => return told_of(world, &error),
            }
        }
    }
    finish(world, process, &mut rotation).await
}

/// What a person who knows the truth says.
async fn decisions(
    world: &World,
    process: &Process,
    machine: usize,
    rotation: &Rotation,
    rest: &Rest,
    picks: u64,
) -> Vec<Event> {
    let director = &world.director;
    director.note_keys(Maker::Machine(0));
    match rest {
        Rest::Undecided { decision: Decision::Orphans { keys } } => {
            let inner = director.inner();
            let ours = keys.iter().find(|key| inner.makers.get(key.as_str()) == Some(&Maker::Machine(machine)));
            match ours {
                Some(key) => vec![Event::OrphanAttributed { key: key.clone(), evidence: Attribution::Person }],
                None => vec![Event::OrphanDisowned],
            }
        }
        Rest::Undecided { decision: Decision::StillUsed { .. } | Decision::Reactivated } => {
            if picks.is_multiple_of(3) {
                vec![Event::UndoRequested]
            } else {
                vec![Event::EvidenceWaived]
            }
        }
        Rest::Interrupted { .. } => {
            let mut events = Vec::new();
            for place in rotation.open_places() {
                // `akia resume --leave`: only what holds no key of the rotation.
                let held = process.driver.places.read(&rotation.plan().places[place]).await;
                let is_foreign = match held {
                    Ok(Held::Nothing | Held::Sealed { .. }) => true,
                    Ok(Held::Pair(pair)) => {
                        pair.id != rotation.plan().displaced && rotation.new_key() != Some(&pair.id)
                    }
                    Err(_) => false,
                };
                if is_foreign {
                    events.push(Event::PlaceLeft { place });
                }
            }
            if events.is_empty() && picks.is_multiple_of(4) {
                events.push(Event::UndoRequested);
            } else if !events.is_empty() && events.len() == rotation.plan().places.len() {
                events.insert(0, Event::UndoRequested);
            }
            events
        }
        _ => Vec::new(),
    }
}

/// `akia undo` of the latest rotation.
async fn undo(world: &World, process: &Process, mut rotations: Vec<Rotation>) -> Option<String> {
    let driver = &process.driver;
    let mut rotation = rotations.pop()?;
    let _lock = match lock_user(&*driver.store, &rotation.plan().identity).await {
        Ok(lock) => lock,
        Err(error) => return tell(world, format!("Locked {error}")),
    };
    let event = if rotation.is_being_undone() { Event::Resumed } else { Event::UndoRequested };
    match driver.record(&mut rotation, event, None, &Silent).await {
        Ok(()) => finish(world, process, &mut rotation).await,
        Err(DriveError::Illegal { .. }) => tell(world, "CannotBeUndone".to_owned()),
        Err(error) => told_of(world, &error),
    }
}

/// `akia retire`, or `akia retire ID --now`.
async fn retire(world: &World, process: &Process, rotations: Vec<Rotation>, waive: bool) -> Option<String> {
    let driver = &process.driver;
    let now = world.now();
    let mut said = None;
    for mut rotation in rotations {
        let is_in_grace = matches!(rotation.rest(now), Rest::InGrace { .. } | Rest::Undone { .. });
        if !(rotation.is_out_of_grace(now) || waive && is_in_grace) {
            continue;
        }
        let Ok(_lock) = lock_user(&*driver.store, &rotation.plan().identity).await else { continue };
        if let Err(error) = driver.record(&mut rotation, Event::Resumed, None, &Silent).await {
            return told_of(world, &error);
        }
        if !rotation.is_out_of_grace(now)
            && let Err(error) = driver.record(&mut rotation, Event::GraceWaived, None, &Silent).await
        {
            return told_of(world, &error);
        }
        said = finish(world, process, &mut rotation).await.or(said);
    }
    said
}

fn tell(world: &World, words: String) -> Option<String> {
    Some(spoken(world, words))
}

fn spoken(world: &World, words: String) -> String {
    world.director.tell(&format!("  said: {words}"));
    words
}

/// An error of the driver. Two of them no run may ever see.
fn told_of(world: &World, error: &DriveError) -> Option<String> {
    if let DriveError::Illegal { .. } | DriveError::Endless { .. } = error {
        world.director.violate(error.to_string());
    }
    let name = match error {
        DriveError::Journal { .. } => "Journal",
        DriveError::Seal { .. } => "Seal",
        DriveError::Illegal { .. } => "Illegal",
        DriveError::NotStaged { .. } => "NotStaged",
        DriveError::Endless { .. } => "Endless",
    };
    tell(world, format!("{name} {error}"))
}

fn never() -> Stop {
    Stop::new().1
}

/// How a rotation rests, in a word.
fn word_of(rest: &Rest) -> String {
    let word = match rest {
        Rest::Busy => "busy",
        Rest::Retired => "retired",
        Rest::Kept => "kept",
        Rest::Watching { .. } => "watching",
        Rest::InGrace { .. } => "in grace",
        Rest::Undone { .. } => "undone",
        Rest::UndoneAndClean => "undone and clean",
        Rest::Aborted { why } => match why {
            AbortReason::CreateRefused { .. } => "given up: create refused",
            AbortReason::CreateUnanswered => "given up: create unanswered",
            AbortReason::NoRoom => "given up: no room",
            AbortReason::SecretLost { .. } => "given up: secret lost",
            AbortReason::NeverProven { .. } => "given up: never proven",
            AbortReason::ProbeFailed { .. } => "given up: probe failed",
            AbortReason::Rival { .. } => "given up: rival",
            AbortReason::Undone => "given up: undone",
        },
        Rest::Undecided { .. } => "undecided",
        Rest::Interrupted { .. } => "interrupted",
    };
    word.to_owned()
}

fn name_of(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::LostAnswerBeforeCommit => "aws: answer lost before commit",
        FaultKind::LostAnswerAfterCommit => "aws: answer lost after commit",
        FaultKind::DelayedCommit(_) => "aws: commit delayed",
        FaultKind::TruncatedAnswer => "aws: answer truncated",
        FaultKind::Throttle => "aws: throttled",
        FaultKind::ServerError { committed: true, .. } => "aws: 5xx after commit",
        FaultKind::ServerError { committed: false, .. } => "aws: 5xx before commit",
        FaultKind::Slow(_) => "aws: slow",
        FaultKind::InvalidClientTokenId => "aws: InvalidClientTokenId",
        FaultKind::AccessDenied => "aws: access denied",
        FaultKind::Refuse { .. } => "aws: refused",
        FaultKind::Garbage(_) => "aws: garbage",
    }
}

/// Keeps in mind which key was made, as the CLI does.
struct Created(Mutex<Option<AccessKeyId>>);

impl Watch for Created {
    fn recorded(&self, _: &Rotation, record: &akia_core::journal::Record) {
        if let Event::KeyCreated { key } = &record.event {
            *self.0.lock().unwrap() = Some(key.clone());
        }
    }
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Watches and does nothing.
struct Silent;

impl Watch for Silent {
    fn recorded(&self, _: &Rotation, _: &akia_core::journal::Record) {}
    fn waiting(&self, _: &Rotation, _: Timestamp) {}
}

/// Keys that some text names.
pub(crate) fn keys_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 20 && word.starts_with("AKIA")).map(str::to_owned).collect()
}

const _: () = assert!(MACHINES == 2, "the director gives the turn to the other of two");
