//! Writes the corpus into a folder, and judges what a scanner found in it: for `cargo xtask corpus`.
//!
//! `corpus write FOLDER SEEDS` makes `files/` (shapes and decoys) and `places/NN/` (repositories), and `truth.json`.
//! `corpus judge FOLDER akia|kingfisher` reads `files.TOOL.json` and `places/NN.TOOL.json` and prints a line for each group: its name,
//! ids, ids found, pairs, pairs found (tabs between); the last line counts what was reported and not planted.
//!
//! `corpus trail --out FOLDER --events N --files N --keys N --days N --seed N` writes CloudTrail logs, and `truth.json` beside them: who uses
//! which key.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use akia_corpus::trail::{Scale, Trail, Truth, Written};
use akia_corpus::{Group, PLACES, decoys, shapes};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["write", folder, seeds] => write(Path::new(folder), seeds.parse()?),
        ["judge", folder, tool] => judge(Path::new(folder), tool),
        ["trail", ref options @ ..] => trail(options),
        _ => Err("corpus write FOLDER SEEDS, corpus judge FOLDER TOOL, or corpus trail --out FOLDER".into()),
    }
}

fn write(folder: &Path, seeds: u64) -> Outcome<()> {
    let mut planted = Vec::new();
    let put = |path: PathBuf, bytes: &[u8]| -> Outcome<()> {
        std::fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
        Ok(std::fs::write(path, bytes)?)
    };
    for seed in 0..seeds {
        for (number, shape) in shapes().iter().enumerate() {
            let file = shape.plant(seed);
            put(folder.join(format!("files/shapes/{number}/{seed}/{}", file.file)), &file.bytes)?;
            let ids: Vec<&String> = file.truth.pairs.iter().map(|key| &key.id).chain(&file.truth.lone_ids).collect();
            let pairs: Vec<_> = file.truth.pairs.iter().map(|key| json!([key.id, key.secret])).collect();
            let alone = file.truth.lone_secrets.iter().chain(&file.truth.api_keys).collect::<Vec<_>>();
            planted.push(
                json!({ "group": group(shape.group), "name": shape.name, "ids": ids, "pairs": pairs, "alone": alone }),
            );
        }
        for (number, decoy) in decoys().iter().enumerate() {
            let file = decoy.make(seed);
            put(folder.join(format!("files/decoys/{number}/{seed}/{}", file.file)), &file.bytes)?;
        }
    }
    for (number, place) in PLACES.iter().enumerate() {
        let repository = folder.join(format!("places/{number}"));
        std::fs::create_dir_all(&repository)?;
        let key = place.make(0, &repository)?;
        let pairs = if place.pair { vec![json!([key.id, key.secret])] } else { Vec::new() };
        planted.push(
            json!({ "group": "places of git", "name": place.name, "ids": [key.id], "pairs": pairs, "alone": [] }),
        );
    }
    put(folder.join("truth.json"), serde_json::to_string(&planted)?.as_bytes())
}

fn trail(options: &[&str]) -> Outcome<()> {
    let mut folder = None;
    let mut scale = Scale { events: 100_000, files: 60, keys: 100, days: 30, seed: 0 };
    for option in options.chunks(2) {
        let [name, value] = *option else { return Err(format!("{} needs a value", option[0]).into()) };
        match name {
            "--out" => folder = Some(Path::new(value)),
            "--events" => scale.events = value.parse()?,
            "--files" => scale.files = value.parse()?,
            "--keys" => scale.keys = value.parse()?,
            "--days" => scale.days = value.parse()?,
            "--seed" => scale.seed = value.parse()?,
            _ => return Err(format!("{name} is no option of corpus trail").into()),
        }
    }
    let folder = folder.ok_or("corpus trail --out FOLDER")?;
    let trail = Trail::new(scale);
    let truth: Vec<_> = trail
        .actors()
        .iter()
        .map(|actor| {
            let case = actor.case;
            let (truth, how) = match case.truth {
                Truth::Person => ("person", None),
                Truth::Service => ("service", None),
                Truth::Shared(how) => ("shared", Some(how)),
                Truth::OnMachine(what) => ("on-machine", Some(what)),
            };
            json!({ "key": actor.key, "user": actor.arn(), "case": case.name, "truth": truth, "how": how, "hard": case.is_hard })
        })
        .collect();
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("truth.json"), serde_json::to_string(&truth)?)?;
    let Written { files, events, bytes, inflated } = trail.write(folder)?;
    println!("{files} files, {events} events, {bytes} bytes, {inflated} inflated");
    Ok(())
}

fn group(group: Group) -> &'static str {
    match group {
        Group::Config => "settings of programs",
        Group::Tables => "tables and documents",
        Group::Code => "source code",
        Group::Infrastructure => "infrastructure",
        Group::Pipelines => "builds, logs, histories",
        Group::Encoded => "encoded",
        Group::Texts => "prose and lone ids",
    }
}

/// What a scanner says: the secrets (or how they begin) that it found with each id, and what it reports without an id.
#[derive(Default)]
struct Said {
    ids: BTreeMap<String, BTreeSet<String>>,
    alone: BTreeSet<String>,
}

impl Said {
    fn hear(&mut self, tool: &str, report: &Value) {
        for leak in report[if tool == "akia" { "leaks" } else { "findings" }].as_array().into_iter().flatten() {
            let (id, secret) = if tool == "akia" {
                if leak["class"] != "real" {
                    continue;
                }
                (leak["access_key_id"].as_str(), leak["secret"].as_str().and_then(|shown| shown.split('…').next()))
            } else {
                let found = &leak["finding"];
                let id = found["snippet"].as_str().filter(|text| text.len() == 20);
                (id, found["dependent_captures"]["AWS_SECRET_ACCESS_KEY"].as_str().or(found["snippet"].as_str()))
            };
            match id {
                Some(id) => self.ids.entry(id.to_owned()).or_default().extend(secret.map(str::to_owned)),
                None => self.alone.extend(secret.map(str::to_owned)),
            }
        }
    }
}

fn judge(folder: &Path, tool: &str) -> Outcome<()> {
    let read = |path: PathBuf| -> Outcome<Value> {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    };
    let mut said = Said::default();
    said.hear(tool, &read(folder.join(format!("files.{tool}.json")))?);
    for number in 0..PLACES.len() {
        said.hear(tool, &read(folder.join(format!("places/{number}.{tool}.json")))?);
    }
    let truth = read(folder.join("truth.json"))?;
    let mut groups: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let (mut known, mut alone) = (BTreeSet::new(), Vec::new());
    for one in truth.as_array().ok_or("the truth is a list")? {
        let [ids, found_ids, pairs, found_pairs] = groups.entry(one["group"].as_str().unwrap_or_default()).or_default();
        for id in one["ids"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            known.insert(id);
            *ids += 1;
            *found_ids += usize::from(said.ids.contains_key(id));
        }
        for pair in one["pairs"].as_array().into_iter().flatten() {
            let (id, secret) = (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
            let found = said
                .ids
                .get(id)
                .is_some_and(|heads| heads.iter().any(|head| head.len() > 3 && secret.starts_with(head)));
            *pairs += 1;
            *found_pairs += usize::from(found);
            if !found && std::env::var_os("AKIA_CORPUS_MISSED").is_some() {
                println!("missed: {}: {id}", one["name"]);
            }
        }
        alone.extend(one["alone"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    for (group, [ids, found_ids, pairs, found_pairs]) in groups {
        println!("{group}\t{ids}\t{found_ids}\t{pairs}\t{found_pairs}");
    }
    let wrong_ids = said.ids.keys().filter(|id| !known.contains(id.as_str())).count();
    let wrong_alone =
        said.alone.iter().filter(|head| !alone.iter().any(|secret| secret.starts_with(head.as_str()))).count();
    println!("not planted\t{wrong_ids}\t{wrong_alone}\t0\t0");
    Ok(())
}
