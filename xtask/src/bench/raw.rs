//! `akia scan` on a gigabyte of raw disk against kingfisher, on one small file, and on what is staged in a large repository.

use super::figures::{self, median};
use super::home::Home;
use super::scan::{Measured, judge, run_measured, script};
use crate::command::{command, run as run_command};
use crate::venv::{self, Peer};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// How many times less processor time than kingfisher akia has to take for a gigabyte with keys in it. Without a key to report kingfisher
/// reads and matches and no more, at nearly the speed at which memory is read; no tenth of that can be had.
const PEER_FLOOR: f64 = 10.0;
/// Bytes a second that one core has to look at.
const SPEED_FLOOR: f64 = 4e9;
/// Memory that a gigabyte may take.
const MOST_MEMORY_KB: u64 = 64 << 10;
/// Files of the large repository, and what looking at a staged one may take.
const FILES: usize = 20_000;
const STAGED_CEILING: Duration = Duration::from_millis(50);
/// What one small file may take, the process's start and end included.
const FILE_CEILING: Duration = Duration::from_millis(20);
/// Size of the image.
const IMAGE_BYTES: usize = 1 << 30;

/// kingfisher looks into binary files by itself; into those of more than 256 MB it has to be told to.
const PEER_WORDS: [&str; 10] = [
    "--turbo",
    "--rule",
    "betterleaks.aws",
    "--no-update-check",
    "--no-validate",
    "--max-file-size",
    "0",
    "--format",
    "json",
    "-o",
];

/// One program looking at one thing.
struct Job<'a> {
    name: &'a str,
    words: Vec<&'a str>,
    folder: &'a Path,
    /// The name under which the judge knows its output, and what is true.
    judged: Option<(&'a str, &'a Path)>,
}

pub(crate) fn run(akia: &Path, rounds: usize) -> Result<super::Outcome, String> {
    let kingfisher = venv::peer(Peer::Kingfisher)?;
    let home = Home::new("raw")?;
    let folder = home.path();
    let (with_keys, keys) = (folder.join("keys.raw"), folder.join("keys.json"));
    write_image(&with_keys).map_err(|error| format!("cannot write {}: {error}", with_keys.display()))?;
    run_command(script()?.arg("plant-image").arg(&with_keys).arg(&keys))?;
    let (without, none) = (folder.join("clean.raw"), folder.join("none.json"));
    write_image(&without).map_err(|error| format!("cannot write {}: {error}", without.display()))?;
    let small = folder.join("app.ini");
    for (path, text) in [(&none, "[]"), (&small, "[default]\nregion = eu-west-1\n")] {
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let large = folder.join("large");
    make_large(&large)?;
    let found = folder.join("found.json");
    let text = |path: &Path| path.display().to_string();
    let (own, peer) = (text(akia), text(&kingfisher.join("bin/kingfisher")));
    let (with_keys, without, small, output) = (text(&with_keys), text(&without), text(&small), text(&found));
    let own_words = |image| vec![&own, "scan", "--image", image, "--exit-zero", "--write", &output];
    let peer_words = |image| [&[peer.as_str(), "scan", image], &PEER_WORDS[..], &[&output]].concat();
    let (keys, none) = (keys.as_path(), none.as_path());
    let (akia_finds, peer_finds) = (|truth| Some(("akia", truth)), |truth| Some(("kingfisher", truth)));
    let job = |name, words, folder, judged| Job { name, words, folder, judged };
    let jobs = [
        job("1 GB raw image with keys: akia", own_words(&with_keys), folder, akia_finds(keys)),
        job("1 GB raw image with keys: kingfisher --turbo", peer_words(&with_keys), folder, peer_finds(keys)),
        job("1 GB raw image without: akia", own_words(&without), folder, akia_finds(none)),
        job("1 GB raw image without: kingfisher --turbo", peer_words(&without), folder, peer_finds(none)),
        job("one small file: akia", vec![&own, "scan", &small], folder, None),
        job("what is staged: akia", vec![&own, "scan", "--staged"], &large, None),
    ];
    let mut results: Vec<Vec<Measured>> = jobs.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (job, measured) in jobs.iter().zip(&mut results) {
            let (one, said) = run_measured(&job.words, job.folder)?;
            println!("    round {round} of {rounds}, {}: {:.3} s of a processor", job.name, one.cpu.as_secs_f64());
            if let Some((tool, truth)) = job.judged {
                found_all(judge(truth, tool, &found)).map_err(|error| format!("{}: {error}\n{said}", job.name))?;
            }
            measured.push(one);
        }
    }
    Ok(super::Outcome {
        text: told(&jobs.map(|job| job.name), &results, rounds, akia, &kingfisher)?,
        missed: missed(&results),
    })
}

/// A program that did not look is not one to be measured against.
fn found_all(judged: Result<[u64; 5], String>) -> Result<(), String> {
    let [keys, ids, pairs, _, others] = judged?;
    if (ids, pairs, others) != (keys, keys, 0) {
        return Err(format!("of {keys} planted keys {ids} ids and {pairs} pairs were found, and {others} others"));
    }
    Ok(())
}

/// Random bytes, as encrypted and compressed files are.
fn write_image(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = vec![0; 1 << 20];
    for _ in 0..IMAGE_BYTES / block.len() {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    file.sync_all()
}

/// A repository of many files, of which one is staged.
fn make_large(folder: &Path) -> Result<(), String> {
    let script = format!(
        "git init -q -b main && for d in $(seq 1 {}); do mkdir -p d$d; for f in $(seq 1 100); do echo $d $f > d$d/f$f; done; done \
         && git add . && git -c user.name=Bench -c user.email=bench@example.com commit -q -m first && git repack -q -ad \
         && echo changed > d1/f1 && git add d1/f1",
        FILES / 100
    );
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    run_command(command("sh").args(["-c", &script]).current_dir(folder))
}

fn told(
    names: &[&str],
    results: &[Vec<Measured>],
    rounds: usize,
    akia: &Path,
    kingfisher: &Path,
) -> Result<String, String> {
    let rows: Vec<Vec<String>> = names
        .iter()
        .zip(results)
        .map(|(name, measured)| {
            vec![
                (*name).to_owned(),
                format!("{:.3} s", median_of(measured, |one| one.cpu).as_secs_f64()),
                format!("{:.3} s", median_of(measured, |one| one.wall).as_secs_f64()),
                format!("{} MB", measured.iter().map(|one| one.memory_kb).max().unwrap_or(0) >> 10),
            ]
        })
        .collect();
    let mut text = figures::table(&["", "processor", "wall", "memory"], &rows);
    let programs =
        [super::akia_version(akia)?, format!("kingfisher-bin {}", venv::version(kingfisher, "kingfisher-bin")?)];
    text.push_str(&format!(
        "\nMedians of {rounds} rounds, the process's start and end included. The images are random bytes; four keys stand in one of \
         them, and every run on it found their ids and secrets, and every run on the other found nothing. What is staged is one of {FILES} files. \
         kingfisher runs with its rules for AWS alone.\n\n{}",
        figures::circumstances(&programs)
    ));
    Ok(text)
}

fn median_of(measured: &[Measured], of: fn(&Measured) -> Duration) -> Duration {
    median(&measured.iter().map(of).collect::<Vec<_>>())
}

/// The first goal that was missed.
fn missed(results: &[Vec<Measured>]) -> Option<String> {
    let [image, peer, _, _, small, staged] = results else { return None };
    let own = median_of(image, |one| one.cpu);
    let against = figures::ratio(median_of(peer, |one| one.cpu), own);
    #[expect(clippy::cast_precision_loss, reason = "a gigabyte")]
    let speed = IMAGE_BYTES as f64 / own.as_secs_f64();
    let (file, staged) = (median_of(small, |one| one.wall), median_of(staged, |one| one.wall));
    if against < PEER_FLOOR {
        Some(format!("{against:.1} times less than kingfisher on the image with keys, not {PEER_FLOOR}"))
    } else if speed < SPEED_FLOOR {
        Some(format!("{:.1} GB/s a core, not {:.0}", speed / 1e9, SPEED_FLOOR / 1e9))
    } else if image.iter().any(|one| one.memory_kb > MOST_MEMORY_KB) {
        Some(format!("more than {} MB for the image", MOST_MEMORY_KB >> 10))
    } else if file > FILE_CEILING {
        Some(format!("{} for one file", figures::milliseconds(file)))
    } else if staged > STAGED_CEILING {
        Some(format!("{} for what is staged", figures::milliseconds(staged)))
    } else {
        None
    }
}
