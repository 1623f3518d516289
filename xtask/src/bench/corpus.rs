//! `cargo xtask corpus`: keys planted in files of many shapes and in places of git, and what akia and kingfisher find of them.

use super::figures;
use super::home::Home;
use crate::command::{capture, cargo, command, run as run_command};
use crate::folders;
use crate::venv::{self, Peer};
use std::fs;
use std::path::{Path, PathBuf};

/// Seeds of each shape.
const SEEDS: &str = "3";
/// Of a hundred pairs, how many akia has to find; of ids it has to find all, and to report nothing else.
const PAIRS_FLOOR: u64 = 97;

const TOOLS: [&str; 2] = ["akia", "kingfisher"];

/// What a tool found of one group: ids, those found, pairs, those found.
struct Line {
    group: String,
    counts: [u64; 4],
}

pub(crate) fn run(akia: &Path) -> Result<super::Outcome, String> {
    run_command(&mut cargo(&["build", "--quiet", "--locked", "--package", "akia-corpus", "--release"]))?;
    let corpus = folders::target().join("release/corpus");
    let kingfisher = venv::peer(Peer::Kingfisher)?;
    let home = Home::new("corpus")?;
    let folder = home.path().join("corpus");
    run_command(command(&corpus).arg("write").arg(&folder).arg(SEEDS))?;
    let mut places: Vec<PathBuf> = fs::read_dir(folder.join("places"))
        .map_err(|error| format!("cannot read the corpus: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    places.sort();
    let mut results = Vec::new();
    for tool in TOOLS {
        println!("    {tool}: {} repositories, and the files", places.len());
        let scan = |what: &Path, output: &Path, history: bool| -> Result<(), String> {
            let mut run = if tool == "akia" {
                let mut run = command(akia);
                run.args(["scan", "--exit-zero", "--write"]).arg(output).arg(what);
                if history {
                    run.args(["--only", "history"]);
                }
                run
            } else {
                let mut run = command(kingfisher.join("bin/kingfisher"));
                run.arg("scan").arg(what).args(["--rule", "betterleaks.aws", "--no-update-check", "--no-validate"]);
                run.args(["--format", "json", "-o"]).arg(output);
                run
            };
            let (_, said) = capture(&mut run)?;
            if output.exists() { Ok(()) } else { Err(format!("{tool} wrote nothing of {}:\n{said}", what.display())) }
        };
        scan(&folder.join("files"), &folder.join(format!("files.{tool}.json")), false)?;
        for place in &places {
            scan(place, &place.with_added_extension(format!("{tool}.json")), true)?;
        }
        let (ok, text) = capture(command(&corpus).arg("judge").arg(&folder).arg(tool))?;
        let lines: Option<Vec<Line>> = text.lines().map(line).collect();
        results.push(lines.filter(|_| ok).ok_or_else(|| format!("what {tool} found cannot be judged:\n{text}"))?);
    }
    let text = told(&results, akia, &kingfisher)?;
    Ok(super::Outcome { text, missed: results.first().and_then(|akia| missed(akia)) })
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split('\t');
    let group = words.next()?.to_owned();
    let counts: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    Some(Line { group, counts: counts.try_into().ok()? })
}

fn told(results: &[Vec<Line>], akia: &Path, kingfisher: &Path) -> Result<String, String> {
    let mut rows = Vec::new();
    for (index, line) in results.first().into_iter().flatten().enumerate() {
        let mut row = vec![line.group.clone()];
        for tool in results {
            let [ids, found_ids, pairs, found_pairs] = tool.get(index).map_or([0; 4], |line| line.counts);
            row.push(if line.group == NOT_PLANTED {
                format!("{} ids, {} other", ids, found_ids)
            } else {
                format!("{found_ids} of {ids}; {found_pairs} of {pairs}")
            });
        }
        rows.push(row);
    }
    let header: Vec<&str> = std::iter::once("ids; pairs").chain(TOOLS).collect();
    let mut text = figures::table(&header, &rows);
    let programs =
        [super::akia_version(akia)?, format!("kingfisher-bin {}", venv::version(kingfisher, "kingfisher-bin")?)];
    text.push_str(&format!(
        "\n{SEEDS} seeds of each shape of file; a repository for each place of git. The last line counts what was reported and not planted. \
         kingfisher runs with its rules for AWS alone.\n\n{}",
        figures::circumstances(&programs)
    ));
    Ok(text)
}

/// How the judge calls what nobody has planted.
const NOT_PLANTED: &str = "not planted";

/// The first goal that akia misses.
fn missed(lines: &[Line]) -> Option<String> {
    let mut all = [0; 4];
    for line in lines {
        let [ids, found_ids, ..] = line.counts;
        if line.group == NOT_PLANTED {
            if ids + found_ids > 0 {
                return Some(format!("{} keys were reported that nobody has planted", ids + found_ids));
            }
        } else {
            all.iter_mut().zip(line.counts).for_each(|(sum, count)| *sum += count);
        }
    }
    let [ids, found_ids, pairs, found_pairs] = all;
    if found_ids < ids {
        Some(format!("{found_ids} of {ids} ids were found"))
    } else if found_pairs * 100 < pairs * PAIRS_FLOOR {
        Some(format!("{found_pairs} of {pairs} pairs were found, not {PAIRS_FLOOR} of a hundred"))
    } else {
        None
    }
}
