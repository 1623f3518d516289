//! `akia scan` on a gigabyte of raw disk against kingfisher, on one small file, and on what is staged in a large repository.

use super::figures::{self, median};
use super::home::Home;
use super::scan::{Measured, run_measured};
use crate::command::{command, run as run_command};
use crate::venv::{self, Peer};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// How many times less processor time than kingfisher akia has to take for a gigabyte.
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

pub(crate) fn run(akia: &Path, rounds: usize) -> Result<super::Outcome, String> {
    let kingfisher = venv::peer(Peer::Kingfisher)?;
    let home = Home::new("raw")?;
    let image = home.path().join("disk.raw");
    write_image(&image).map_err(|error| format!("cannot write {}: {error}", image.display()))?;
    let small = home.path().join("app.ini");
    std::fs::write(&small, "[default]\nregion = eu-west-1\n")
        .map_err(|error| format!("{}: {error}", small.display()))?;
    let large = home.path().join("large");
    make_large(&large)?;
    let akia_program = akia.display().to_string();
    let (image, small) = (image.display().to_string(), small.display().to_string());
    let kingfisher_program = kingfisher.join("bin/kingfisher").display().to_string();
    let aws = ["--rule", "betterleaks.aws", "--no-update-check", "--no-validate", "--max-file-size", "0"];
    let jobs: [(&str, Vec<&str>, &Path); 4] = [
        ("1 GB raw image: akia", vec![&akia_program, "scan", "--image", &image, "--exit-zero"], home.path()),
        (
            "1 GB raw image: kingfisher --turbo",
            [&[kingfisher_program.as_str(), "scan", &image, "--turbo"], &aws[..]].concat(),
            home.path(),
        ),
        ("one small file: akia", vec![&akia_program, "scan", &small], home.path()),
        ("what is staged: akia", vec![&akia_program, "scan", "--staged"], &large),
    ];
    let mut results: Vec<Vec<Measured>> = jobs.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for ((name, words, folder), measured) in jobs.iter().zip(&mut results) {
            let (one, _) = run_measured(words, folder)?;
            println!("    round {round} of {rounds}, {name}: {:.3} s of a processor", one.cpu.as_secs_f64());
            measured.push(one);
        }
    }
    Ok(super::Outcome {
        text: told(&jobs.map(|(name, ..)| name), &results, rounds, akia, &kingfisher)?,
        missed: missed(&results),
    })
}

/// Random bytes, as encrypted and compressed files are, with a key of AWS's documentation far behind.
fn write_image(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = vec![0; 1 << 20];
    for number in 0..IMAGE_BYTES / block.len() {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        if number == 700 {
            block[4096..4118].copy_from_slice(b"\nAKIAIOSFODNN7EXAMPLE\n");
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
        "\nMedians of {rounds} rounds, the process's start and end included. The image is random bytes; what is staged is one of {FILES} files. \
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
    let [image, peer, small, staged] = results else { return None };
    let own = median_of(image, |one| one.cpu);
    let against = figures::ratio(median_of(peer, |one| one.cpu), own);
    #[expect(clippy::cast_precision_loss, reason = "a gigabyte")]
    let speed = IMAGE_BYTES as f64 / own.as_secs_f64();
    let (file, staged) = (median_of(small, |one| one.wall), median_of(staged, |one| one.wall));
    if against < PEER_FLOOR {
        Some(format!("{against:.1} times less than kingfisher, not {PEER_FLOOR}"))
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
