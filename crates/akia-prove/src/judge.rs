//! What must hold when everything is at rest. Zero lock-outs, lost secrets, wrong deletions, unreported orphans.

use std::collections::BTreeSet;

use akia_core::journal::{Event, Intent, Record};
use akia_core::rotation::{Decision, Rest, Rotation};
use akia_io::aws::{Credentials, Target};
use akia_sandbox::Call;

use crate::director::{Director, Maker};
use crate::run::{self, Looked, Told};
use crate::world::{Process, World};

/// Judges the world, and tells how each rotation rests. `looked` is what a process of each machine has read from the disk
/// when it found nothing left to do, if one did.
pub(crate) async fn judge(world: &World, told: &Told, looked: Vec<Option<Looked>>) -> Vec<Rest> {
    let director = &world.director;
    director.note_keys(Maker::Machine(0));
    director.judge_places("at the end");
    let mut rests = Vec::new();
    for (machine, looked) in looked.into_iter().enumerate() {
        match director.process(machine, judge_machine(world, machine, told, looked)).await {
            Some(Ok(found)) => rests.extend(found),
            Some(Err(error)) => director.violate(format!("machine {machine} cannot be judged: {error}")),
            None => director.violate(format!("machine {machine} died without a fault")),
        }
    }
    rests
}

async fn judge_machine(
    world: &World,
    machine: usize,
    told: &Told,
    looked: Option<Looked>,
) -> Result<Vec<Rest>, String> {
    let director = &world.director;
    let Looked { process, rotations } = match looked {
        Some(looked) => looked,
        None => run::look(world, machine).await?,
    };
    let now = world.now();
    process.driver.store.verify(Vec::new()).await.map_err(|error| format!("the chain is broken: {error}"))?;
    let summaries = process.driver.store.rotations().await.map_err(|error| error.to_string())?;
    for summary in &summaries {
        let Some(rotation) = rotations.iter().find(|one| one.plan().id == summary.rotation) else { continue };
        let is_over = matches!(rotation.rest(now), Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean);
        if is_over && summary.staged > 0 {
            director.violate(format!("{} is over and {} secrets stay staged", summary.rotation, summary.staged));
        }
    }
    judge_logins(world, machine).await;
    judge_orphans(director, machine, &rotations, told, now);
    judge_staged(world, machine, &process, &rotations).await;
    let log = director.sandbox.log();
    for rotation in &rotations {
        let records = process.driver.store.records(&rotation.plan().id).await.map_err(|error| error.to_string())?;
        let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
        judge_creates(director, rotation, &records, &log);
    }
    let mut found = Vec::new();
    director.inner().desks[machine].judge_bytes(&mut |what| found.push(what));
    judge_hygiene(world, machine, &process, &mut found);
    for what in found {
        director.violate(format!("machine {machine}: {what}"));
    }
    for rotation in &rotations {
        director.tell(&format!("{} rests: {:?}", rotation.plan().id, rotation.rest(now)));
    }
    Ok(rotations.iter().map(|rotation| rotation.rest(now)).collect())
}

/// Each place's pair authenticates, unless somebody else had a hand in it.
async fn judge_logins(world: &World, machine: usize) {
    let director = &world.director;
    let (spots, pairs, meddled) = {
        let inner = director.inner();
        let desk = &inner.desks[machine];
        (desk.spots.clone(), desk.pairs(), inner.meddled[machine].clone())
    };
    let mut seen = BTreeSet::new();
    for (spot, pair) in spots.iter().zip(pairs) {
        let Some((id, secret)) = pair else { continue };
        if spot.is_touched || meddled.contains(&id) || !seen.insert((id.clone(), secret.clone())) {
            continue;
        }
        let (Ok(key), Ok(secret)) = (id.parse(), akia_core::SecretAccessKey::parse(secret)) else {
            director.violate(format!("lock-out: [{}] holds what is no key", spot.section));
            continue;
        };
        let caller = world.aws(None).caller(Credentials::for_key(key, secret), Target::default());
        if let Err(error) = caller.caller_identity().await {
            director.violate(format!("lock-out: [{}] holds {id}, and AWS says: {error}", spot.section));
        }
    }
}

/// No key that this machine has made is there without its journal, or an error, telling of it.
fn judge_orphans(director: &Director, machine: usize, rotations: &[Rotation], told: &Told, now: jiff::Timestamp) {
    let keys = director.keys();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for rotation in rotations {
        known.insert(rotation.plan().displaced.to_string());
        known.extend(rotation.new_key().map(ToString::to_string));
        match rotation.rest(now) {
            Rest::Undecided { decision: Decision::Orphans { keys } }
            | Rest::Aborted { why: akia_core::rotation::AbortReason::Rival { keys } } => {
                known.extend(keys.iter().map(ToString::to_string));
            }
            _ => {}
        }
    }
    let names_keys = |error: &&String| error.starts_with("NotStaged") || error.starts_with("Strayed");
    for error in told.errors.iter().filter(names_keys) {
        known.extend(run::keys_in(error));
    }
    // Where an outsider has shut the key that signs, nobody can look: that a key may have been made is told all the same.
    let is_unsure =
        |rotation: &Rotation| matches!(rotation.rest(now), Rest::Interrupted { .. }) && rotation.new_key().is_none();
    if director.is_meddled(machine) && rotations.iter().any(is_unsure) {
        return;
    }
    let mut orphans = Vec::new();
    {
        let inner = director.inner();
        known.extend(inner.desks[machine].pairs().into_iter().flatten().map(|(id, _)| id));
        // A key that stood in a place was told of, wherever it stands now.
        known.extend(inner.desks[machine].secrets().keys().cloned());
        for key in keys.keys() {
            if inner.makers.get(key) == Some(&Maker::Machine(machine)) && !known.contains(key) {
                orphans.push(key.clone());
            }
        }
    }
    for key in orphans {
        director.violate(format!("unreported orphan: machine {machine} has made {key}, and nothing tells of it"));
    }
}

/// What an undo needs is there and opens: the secret of the displaced key, and of the new one.
async fn judge_staged(world: &World, machine: usize, process: &Process, rotations: &[Rotation]) {
    let director = &world.director;
    let secrets = director.inner().desks[machine].secrets().clone();
    for rotation in rotations {
        let is_over = matches!(rotation.rest(world.now()), Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean);
        if is_over {
            continue;
        }
        let id = &rotation.plan().id;
        for key in std::iter::once(&rotation.plan().displaced).chain(rotation.new_key()) {
            let opened = match process.driver.store.staged(id, key).await {
                Ok(Some(sealed)) => process.driver.sealer.open_sealed(&sealed, id, key).ok(),
                _ => None,
            };
            let is_right = opened
                .as_ref()
                .is_some_and(|secret| secrets.get(key.as_str()).is_none_or(|known| known == secret.expose()));
            if !is_right {
                director.violate(format!("lost secret: {id} keeps no secret of {key} that opens"));
            }
        }
    }
}

/// No create request before its intent is durable, and none while another is unresolved.
fn judge_creates(director: &Director, rotation: &Rotation, records: &[Record], log: &[Call]) {
    let id = &rotation.plan().id;
    let (mut open, mut intents, mut since) = (false, 0_usize, None);
    for record in records {
        match &record.event {
            Event::Intended { intent: Intent::Create } => {
                if open {
                    director.violate(format!("{id} asks for a second key before the first request is resolved"));
                }
                (open, since) = (true, Some(record.at));
                intents += 1;
            }
            Event::OrphanAbsent => {
                open = false;
                if since.is_none_or(|since| record.at.duration_since(since) < rotation.plan().pace.quarantine) {
                    director.violate(format!("{id} calls a request lost before its quarantine is over"));
                }
            }
            Event::KeyCreated { .. } | Event::CreateRefused { .. } | Event::OrphanDeleted | Event::OrphanDisowned => {
                open = false
            }
            _ => {}
        }
    }
    let nonce = &rotation.plan().nonce;
    let is_ours = |call: &&Call| call.action == "CreateAccessKey" && call.user_agent.contains(nonce);
    let sent = log.iter().filter(is_ours).count();
    if sent > intents {
        director.violate(format!("{id} has sent {sent} create requests, and meant to send {intents}"));
    }
}

/// No secret stands in the state folder in clear, and no file of the user is open to others.
fn judge_hygiene(world: &World, machine: usize, process: &Process, found: &mut Vec<String>) {
    let secrets = world.director.inner().desks[machine].secrets().clone();
    let journal = std::fs::read(process.state.path().join("journal.db")).unwrap_or_default();
    // As text, since that is searched many times quicker than bytes. A secret is ASCII, and stays what it is.
    let journal = String::from_utf8_lossy(&journal);
    for secret in secrets.values() {
        if journal.contains(secret.as_str()) {
            found.push("a secret stands in the journal in clear".to_owned());
        }
    }
}
