//! `akia usage` on CloudTrail's logs against ClickHouse (chdb), DuckDB, and inflating alone: one question about every key.

use super::figures::{self, median};
use super::home::Home;
use super::scan::{Measured, run_measured};
use crate::command::{capture, cargo, command, run as run_command};
use crate::folders;
use crate::venv::{self, Peer};
use std::path::Path;
use std::time::Duration;

/// What is to be reached: the most of the others' time, and memory.
const OF_CHDB: f64 = 0.7;
const OF_DUCKDB: f64 = 0.25;
const OF_INFLATING: f64 = 2.5;
const MOST_MEMORY_KB: u64 = 300 << 10;
const SECOND_QUESTION: Duration = Duration::from_millis(50);
/// Events of a gigabyte of JSON, about.
const EVENTS_OF_A_GIGABYTE: u64 = 800_000;

/// The question that the others are asked, as anybody would write it.
const QUESTION: &str = "SELECT coalesce(key, '') AS key, sum(calls), min(first), max(last), count(DISTINCT ip), count(DISTINCT agent), \
     count(DISTINCT service || ' ' || name) FROM calls GROUP BY 1 ORDER BY 1";

/// One contender.
struct Job {
    name: &'static str,
    words: Vec<String>,
}

pub(crate) fn run(akia: &Path, gigabytes: u64, rounds: usize) -> Result<super::Outcome, String> {
    let peers = venv::peer(Peer::Logs)?;
    let home = Home::new("usage")?;
    let folder = home.path();
    let logs = folder.join("logs");
    let events = gigabytes * EVENTS_OF_A_GIGABYTE;
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "akia-corpus",
        "--bin",
        "corpus",
    ]))?;
    let mut corpus = command(folders::target().join("release/corpus"));
    corpus.args(["trail", "--out"]).arg(&logs);
    for (flag, value) in
        [("--events", events), ("--files", gigabytes * 400), ("--keys", 500), ("--days", 30), ("--seed", 9)]
    {
        corpus.args([flag, &value.to_string()]);
    }
    let (ok, wrote) = capture(&mut corpus)?;
    if !ok {
        return Err(format!("no logs could be written: {wrote}"));
    }
    println!("    {}", wrote.trim());
    let logs = logs.join("AWSLogs").display().to_string();
    let facts = folder.join("facts").display().to_string();
    let akia_words = |words: &[&str]| -> Vec<String> {
        [akia.display().to_string(), "usage".to_owned()]
            .into_iter()
            .chain(words.iter().map(|&word| word.to_owned()))
            .collect()
    };
    let python = peers.join("bin/python").display().to_string();
    let script = folders::root().join("xtask/bench/usage.py").display().to_string();
    let out = folder.join("answer.csv").display().to_string();
    let peer = |engine: &str| [&python, &script, engine, &logs, &out].map(|word| word.to_string()).to_vec();
    let jobs = [
        Job { name: "inflating alone (libdeflate)", words: peer("inflate") },
        Job {
            name: "akia usage sql",
            words: akia_words(&["sql", "--facts", &facts, "--logs", &logs, QUESTION, "--output", "csv"]),
        },
        Job { name: "akia usage load", words: akia_words(&["load", &logs, "--facts", &facts]) },
        Job { name: "chdb (ClickHouse)", words: peer("chdb") },
        Job { name: "DuckDB", words: peer("duckdb") },
    ];
    let mut results: Vec<Vec<Measured>> = jobs.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (job, measured) in jobs.iter().zip(&mut results) {
            if job.name == "akia usage load" {
                let _ = std::fs::remove_dir_all(&facts);
            }
            let words: Vec<&str> = job.words.iter().map(String::as_str).collect();
            let (one, _) = run_measured(&words, folder)?;
            println!("    round {round} of {rounds}, {}: {:.2} s of a processor", job.name, one.cpu.as_secs_f64());
            measured.push(one);
            if round == 1 && ["chdb (ClickHouse)", "DuckDB"].contains(&job.name) {
                same_answer(&jobs[1].words, job.name, Path::new(&out))?;
            }
        }
    }
    let second = second_question(akia, &facts, folder)?;
    Ok(super::Outcome {
        text: told(&jobs, &results, &wrote, second, rounds, akia, &peers)?,
        missed: missed(&results, second),
    })
}

/// An engine that answers otherwise is not one to be measured against.
fn same_answer(own: &[String], name: &str, theirs: &Path) -> Result<(), String> {
    let (ok, own) = capture(command(&own[0]).args(&own[1..]))?;
    let theirs = std::fs::read_to_string(theirs).map_err(|error| format!("{name} gave no answer: {error}"))?;
    let mut own: Vec<&str> = own.lines().filter(|line| line.contains(',') && !line.starts_with("key,")).collect();
    let mut theirs: Vec<&str> = theirs.lines().collect();
    own.sort_unstable();
    theirs.sort_unstable();
    if !ok || own != theirs {
        let unequal = own.iter().zip(&theirs).find(|(one, other)| one != other);
        return Err(format!(
            "{name} answers otherwise: {} rows of akia, {} of it; first {unequal:?}",
            own.len(),
            theirs.len()
        ));
    }
    Ok(())
}

/// A question to the facts, the process's start and end included: the median of several.
fn second_question(akia: &Path, facts: &str, folder: &Path) -> Result<Duration, String> {
    let (_, keys) = capture(
        command(akia)
            .args(["usage", "sql", "--facts", facts, "--output", "csv"])
            .arg("SELECT key FROM keys WHERE key LIKE 'AKIA%' LIMIT 1"),
    )?;
    let key =
        keys.lines().find(|line| line.starts_with("AKIA")).ok_or_else(|| format!("no key in the facts: {keys}"))?;
    let akia = akia.display().to_string();
    let mut times = Vec::new();
    for _ in 0..15 {
        let (one, _) =
            run_measured(&[&akia, "usage", "quiet", key, "--since", "2026-10-01", "--facts", facts], folder)?;
        times.push(one.wall);
    }
    Ok(median(&times))
}

fn of(measured: &[Measured], what: fn(&Measured) -> Duration) -> Duration {
    median(&measured.iter().map(what).collect::<Vec<_>>())
}

fn memory(measured: &[Measured]) -> u64 {
    measured.iter().map(|one| one.memory_kb).max().unwrap_or(0)
}

fn told(
    jobs: &[Job],
    results: &[Vec<Measured>],
    logs: &str,
    second: Duration,
    rounds: usize,
    akia: &Path,
    peers: &Path,
) -> Result<String, String> {
    let own = of(&results[1], |one| one.cpu);
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .zip(results)
        .map(|(job, measured)| {
            let cpu = of(measured, |one| one.cpu);
            vec![
                job.name.to_owned(),
                format!("{:.2} s", cpu.as_secs_f64()),
                format!("{:.2}×", figures::ratio(cpu, own)),
                format!("{:.2} s", of(measured, |one| one.wall).as_secs_f64()),
                format!("{} MB", memory(measured) >> 10),
            ]
        })
        .collect();
    let mut text = figures::table(&["", "processor", "of akia's", "wall", "memory"], &rows);
    let programs = [
        super::akia_version(akia)?,
        format!("chdb {}", venv::version(peers, "chdb")?),
        format!("duckdb {}", venv::version(peers, "duckdb")?),
    ];
    text.push_str(&format!(
        "\nMedians of {rounds} rounds, the process's start and end included. Logs: {}. The question, per key: calls, first, last, distinct addresses, \
         agents and actions; chdb and DuckDB gave akia's answer, row for row. `load` writes facts and reads columns that the question does not. \
         A question to the facts (`akia usage quiet`), with the start and end of the process: {}.\n\n{}",
        logs.trim(),
        figures::milliseconds(second),
        figures::circumstances(&programs)
    ));
    Ok(text)
}

/// The first goal that was missed.
fn missed(results: &[Vec<Measured>], second: Duration) -> Option<String> {
    let [inflating, own, load, chdb, duckdb] = results else { return None };
    let share = |what: fn(&Measured) -> Duration, other: &[Measured]| figures::ratio(of(own, what), of(other, what));
    for (name, other, most) in
        [("chdb", chdb, OF_CHDB), ("DuckDB", duckdb, OF_DUCKDB), ("inflating", inflating, OF_INFLATING)]
    {
        for (what, share) in
            [("processor time", share(|one| one.cpu, other)), ("wall time", share(|one| one.wall, other))]
        {
            if share > most {
                return Some(format!("{share:.2} of the {what} of {name}, not {most}"));
            }
        }
    }
    if memory(own).max(memory(load)) > MOST_MEMORY_KB {
        return Some(format!("{} MB of memory, not {}", memory(own).max(memory(load)) >> 10, MOST_MEMORY_KB >> 10));
    }
    (second > SECOND_QUESTION).then(|| format!("{} for a question to the facts", figures::milliseconds(second)))
}
