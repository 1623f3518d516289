//! `akia scan` against kingfisher on git histories into which keys were planted: processor time, wall, memory, and what each found.

use super::figures::{self, median};
use super::home::Home;
use crate::command::{capture, cargo, command, run as run_command};
use crate::folders;
use crate::venv::{self, Peer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How many times less processor time than the best peer akia has to take.
const PEER_FLOOR: f64 = 5.0;
/// How many times what inflating alone costs it may take.
const INFLATING_CEILING: f64 = 2.5;
/// Of its processor time, the wall that it may take.
const WALL_CEILING: f64 = 0.6;
/// Memory that it may take, without the packs that it maps.
const MOST_MEMORY_KB: u64 = 200 << 10;

/// Who looks at a history, in the order of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scanner {
    /// Every object inflated and rebuilt, and nothing looked for.
    Inflating,
    Akia,
    /// Without commits, with the rules for AWS alone: its best.
    KingfisherTurbo,
    /// With commits, as akia tells them.
    Kingfisher,
}

const SCANNERS: [Scanner; 4] = [Scanner::Inflating, Scanner::Akia, Scanner::KingfisherTurbo, Scanner::Kingfisher];

impl Scanner {
    fn name(self) -> &'static str {
        match self {
            Self::Inflating => "inflating alone",
            Self::Akia => "akia scan",
            Self::KingfisherTurbo => "kingfisher --turbo",
            Self::Kingfisher => "kingfisher",
        }
    }

    /// The name under which the judge knows its output.
    fn tool(self) -> Option<&'static str> {
        match self {
            Self::Inflating => None,
            Self::Akia => Some("akia"),
            Self::KingfisherTurbo | Self::Kingfisher => Some("kingfisher"),
        }
    }

    fn command(self, programs: &Programs, history: &Path, output: &Path) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let words: Vec<String> = match self {
            Self::Inflating => vec![text(&programs.inflating), text(history), "--inflate-only".to_owned()],
            Self::Akia => {
                let words =
                    [&text(&programs.akia), "scan", "--only", "history", "--exit-zero", "--write", &text(output)];
                words.into_iter().map(str::to_owned).chain([text(history)]).collect()
            }
            Self::KingfisherTurbo | Self::Kingfisher => {
                let program = text(&programs.kingfisher.join("bin/kingfisher"));
                let words = [
                    &program,
                    "scan",
                    &text(history),
                    "--rule",
                    "betterleaks.aws",
                    "--no-update-check",
                    "--no-validate",
                ];
                let form = ["--format", "json", "-o", &text(output)];
                words.into_iter().chain(form).map(str::to_owned).collect()
            }
        };
        match self {
            Self::KingfisherTurbo => words.into_iter().chain(["--turbo".to_owned()]).collect(),
            Self::Inflating | Self::Akia | Self::Kingfisher => words,
        }
    }
}

struct Programs {
    akia: PathBuf,
    inflating: PathBuf,
    kingfisher: PathBuf,
}

/// What one scanner needed for one history.
struct Runs {
    scanner: Scanner,
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
    memory_kb: u64,
    /// Keys, and how many ids, pairs and first commits it found, and ids that nobody planted.
    found: Option<[u64; 5]>,
}

struct History {
    name: String,
    pack_bytes: u64,
    results: Vec<Runs>,
}

pub(crate) fn run(akia: &Path, histories: &[PathBuf], rounds: usize) -> Result<super::Outcome, String> {
    if histories.is_empty() {
        return Err(
            "name histories to scan: --history PATH (repeatable; bare clones of large public repositories)".to_owned()
        );
    }
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--package",
        "akia-scan",
        "--release",
        "--example",
        "git_scan",
    ]))?;
    let programs = Programs {
        akia: akia.to_owned(),
        inflating: folders::target().join("release/examples/git_scan"),
        kingfisher: venv::peer(Peer::Kingfisher)?,
    };
    let folder = Home::new("scan")?;
    let mut measured = Vec::new();
    for history in histories {
        measured.push(measure(&programs, &folder, history, rounds)?);
    }
    Ok(super::Outcome { text: told(&measured, rounds, &programs)?, missed: missed(&measured) })
}

fn measure(programs: &Programs, folder: &Home, history: &Path, rounds: usize) -> Result<History, String> {
    let name = name(history);
    let (copy, truth) = (folder.path().join(format!("{name}.git")), folder.path().join(format!("{name}.json")));
    println!("    copying {} and planting keys", history.display());
    run_command(command("cp").arg("-a").arg(history).arg(&copy))?;
    run_command(script()?.arg("plant").arg(&copy).arg(&truth))?;
    let mut results: Vec<Runs> = SCANNERS
        .iter()
        .map(|scanner| Runs { scanner: *scanner, cpu: Vec::new(), wall: Vec::new(), memory_kb: 0, found: None })
        .collect();
    for round in 1..=rounds {
        for one in &mut results {
            let output = folder.path().join("found.json");
            let words = one.scanner.command(programs, &copy, &output);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (measured, said) = run_measured(&words, folder.path())?;
            let cpu = measured.cpu.as_secs_f64();
            one.cpu.push(measured.cpu);
            one.wall.push(measured.wall);
            one.memory_kb = one.memory_kb.max(measured.memory_kb);
            println!("    {name}, round {round} of {rounds}, {}: {cpu:.2} s of a processor", one.scanner.name());
            if let Some(tool) = one.scanner.tool() {
                one.found = Some(
                    judge(&truth, tool, &output).map_err(|error| format!("{}: {error}\n{said}", one.scanner.name()))?,
                );
            }
        }
    }
    let pack_bytes = size_of_packs(&copy);
    fs::remove_dir_all(&copy).map_err(|error| format!("cannot remove {}: {error}", copy.display()))?;
    Ok(History { name, pack_bytes, results })
}

/// Keys, and how many ids, pairs and first commits were found of them, and how many other ids. What was judged is removed, so that nothing
/// is taken for what the next one found.
pub(super) fn judge(truth: &Path, tool: &str, output: &Path) -> Result<[u64; 5], String> {
    let (ok, text) = capture(script()?.args(["judge".as_ref(), truth.as_os_str(), tool.as_ref(), output.as_os_str()]))?;
    let counts: Vec<u64> = text.trim().split('\t').filter_map(|word| word.parse().ok()).collect();
    let counts = <[u64; 5]>::try_from(counts).ok().filter(|_| ok);
    let counts = counts.ok_or_else(|| format!("what it found cannot be judged:\n{text}"))?;
    fs::remove_file(output).map_err(|error| format!("cannot remove {}: {error}", output.display()))?;
    Ok(counts)
}

/// What plants, runs and judges.
pub(super) fn script() -> Result<Command, String> {
    let mut script = command(venv::ensure()?.join("bin/python"));
    script.arg(folders::root().join("xtask/bench/scan.py"));
    Ok(script)
}

/// What one run needed.
pub(super) struct Measured {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) memory_kb: u64,
}

/// Runs a command in a folder to its end; also what it said on standard error. Its exit code says what it found, and is not looked at.
pub(super) fn run_measured(words: &[&str], folder: &Path) -> Result<(Measured, String), String> {
    let mut run = script()?;
    run.arg("run").args(words).current_dir(folder);
    let done = run.stdout(Stdio::null()).output().map_err(|error| format!("cannot start python: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let last = said.trim_end().rsplit('\n').next().unwrap_or_default();
    let numbers: Vec<f64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [cpu, wall, memory] = numbers[..] else {
        return Err(format!("{} ended with {}:\n{said}", words.first().unwrap_or(&""), done.status));
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kilobytes of memory")]
    let memory_kb = memory as u64;
    Ok((Measured { cpu: Duration::from_secs_f64(cpu), wall: Duration::from_secs_f64(wall), memory_kb }, said))
}

/// `/srv/rust-lang+cargo/repo` and `/srv/cargo.git` are both cargo.
fn name(history: &Path) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = last(history);
    let own = if own == "repo" || own == ".git" { history.parent().map(last).unwrap_or_default() } else { own };
    own.rsplit('+').next().unwrap_or_default().trim_end_matches(".git").to_owned()
}

fn size_of_packs(history: &Path) -> u64 {
    let entries = fs::read_dir(history.join("objects/pack")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

impl History {
    fn of(&self, scanner: Scanner) -> Option<&Runs> {
        self.results.iter().find(|one| one.scanner == scanner)
    }

    /// How many times akia's processor time the other's is.
    fn against(&self, scanner: Scanner) -> f64 {
        match (self.of(scanner), self.of(Scanner::Akia)) {
            (Some(other), Some(own)) => figures::ratio(median(&other.cpu), median(&own.cpu)),
            _ => 0.0,
        }
    }
}

fn told(measured: &[History], rounds: usize, programs: &Programs) -> Result<String, String> {
    let mut rows = Vec::new();
    for history in measured {
        for one in &history.results {
            let found = one.found.map_or_else(String::new, |[keys, ids, pairs, commits, others]| {
                format!("{ids}, {pairs}, {commits} of {keys}; {others} others")
            });
            rows.push(vec![
                history.name.clone(),
                one.scanner.name().to_owned(),
                format!("{:.2} s", median(&one.cpu).as_secs_f64()),
                format!("{:.2}×", history.against(one.scanner)),
                format!("{:.2} s", median(&one.wall).as_secs_f64()),
                format!("{} MB", one.memory_kb >> 10),
                found,
            ]);
        }
    }
    let mut text = figures::table(
        &["history", "", "processor", "of akia's", "wall", "memory", "ids, pairs, first commits found"],
        &rows,
    );
    let packs: Vec<String> = measured.iter().map(|one| format!("{} {} MB", one.name, one.pack_bytes >> 20)).collect();
    text.push_str(&format!(
        "\nWhole histories, each with 24 pairs planted, that one commit brings and the next takes out. Medians of {rounds} rounds. \
         Packs: {}; memory counts the parts of them that are mapped. kingfisher runs with its rules for AWS alone; --turbo leaves \
         commits out.\n",
        packs.join(", ")
    ));
    let programs = [
        super::akia_version(&programs.akia)?,
        format!("kingfisher-bin {}", venv::version(&programs.kingfisher, "kingfisher-bin")?),
    ];
    text.push_str(&format!("\n{}", figures::circumstances(&programs)));
    Ok(text)
}

/// The first goal that was missed.
fn missed(measured: &[History]) -> Option<String> {
    measured.iter().find_map(|history| {
        let own = history.of(Scanner::Akia)?;
        let (name, [keys, ids, pairs, commits, _]) = (&history.name, own.found?);
        let against = history.against(Scanner::KingfisherTurbo).min(history.against(Scanner::Kingfisher));
        let inflating = 1.0 / history.against(Scanner::Inflating);
        let wall = figures::ratio(median(&own.wall), median(&own.cpu));
        if keys != ids || keys != pairs || keys != commits {
            Some(format!("{name}: of {keys} keys {ids} ids, {pairs} pairs and {commits} first commits were found"))
        } else if against < PEER_FLOOR {
            Some(format!("{name}: {against:.1} times less than the best peer, not {PEER_FLOOR}"))
        } else if inflating > INFLATING_CEILING {
            Some(format!("{name}: {inflating:.1} times inflating alone, not {INFLATING_CEILING}"))
        } else if wall > WALL_CEILING {
            Some(format!("{name}: the wall is {wall:.2} of the processor time, not {WALL_CEILING}"))
        } else if own.memory_kb > MOST_MEMORY_KB + (history.pack_bytes >> 10) {
            Some(format!(
                "{name}: {} MB beside the packs",
                (own.memory_kb >> 10).saturating_sub(history.pack_bytes >> 20)
            ))
        } else {
            None
        }
    })
}
