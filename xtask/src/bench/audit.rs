//! `akia audit` against Prowler and Cloud Custodian, on the same account in moto: how long, how many calls, how much
//! memory, and what each found of what is true.

use super::figures::{self, median, ratio, seconds};
use super::home::Home;
use super::lab::Lab;
use crate::command::{capture, command};
use crate::folders;
use crate::venv::{self, Peer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Calls that akia may need for a thousand users.
const MOST_CALLS: u64 = 1_010;
/// How many times faster akia has to be than each.
const CUSTODIAN_FLOOR: f64 = 20.0;
const PROWLER_FLOOR: f64 = 40.0;
/// The account that moto makes.
const ACCOUNT: &str = "123456789012";

/// Who looks at the account, in the order of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auditor {
    Akia,
    Custodian,
    Prowler,
}

const AUDITORS: [Auditor; 3] = [Auditor::Akia, Auditor::Custodian, Auditor::Prowler];

impl Auditor {
    fn name(self) -> &'static str {
        match self {
            Self::Akia => "akia audit",
            Self::Custodian => "Cloud Custodian",
            Self::Prowler => "Prowler",
        }
    }

    /// The name under which the judge knows its output.
    fn tool(self) -> &'static str {
        match self {
            Self::Akia => "akia",
            Self::Custodian => "custodian",
            Self::Prowler => "prowler",
        }
    }

    /// What it runs; its findings go to `output`.
    fn command(self, akia: &Path, peers: &Peers, output: &Path) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        match self {
            Self::Akia => {
                let form = ["audit", "--output", "json", "--max-age", "90d", "--unused", "45d"].map(str::to_owned);
                [text(akia)].into_iter().chain(form).collect()
            }
            Self::Custodian => {
                let policies = folders::root().join("xtask/bench/custodian.yml");
                let custodian = text(&peers.custodian.join("bin/custodian"));
                [&custodian, "run", "--cache-period", "0", "-s", &text(output), &text(&policies)]
                    .map(str::to_owned)
                    .into()
            }
            Self::Prowler => {
                let prowler = text(&peers.prowler.join("bin/prowler"));
                let fixed = [&prowler, "aws", "--region", "us-east-1", "--no-banner", "--output-formats", "csv"];
                let checks = ["--checks", "iam_rotate_access_key_90_days", "iam_user_accesskey_unused"];
                let place = ["--output-directory", &text(output)];
                fixed.into_iter().chain(place).chain(checks).map(str::to_owned).collect()
            }
        }
    }
}

struct Peers {
    custodian: PathBuf,
    prowler: PathBuf,
}

/// What one auditor needed, and how its findings stand against the truth.
struct Runs {
    auditor: Auditor,
    times: Vec<Duration>,
    calls: Vec<u64>,
    memory_kb: Vec<u64>,
    by_action: String,
    answers: Vec<Answer>,
}

/// What became of one question.
struct Answer {
    question: String,
    right: u64,
    missed: u64,
    wrong: u64,
    examples: String,
}

pub(crate) fn run(akia: &Path, users: usize, rounds: usize) -> Result<super::Outcome, String> {
    let peers = Peers { custodian: venv::peer(Peer::Custodian)?, prowler: venv::peer(Peer::Prowler)? };
    let mut lab = Lab::start()?;
    let folder = Home::new("audit-out")?;
    let truth = folder.path().join("truth.json");
    let auditor_key = lab.estate(ACCOUNT, users, &truth)?;
    let mut results: Vec<Runs> = AUDITORS
        .iter()
        .map(|auditor| Runs {
            auditor: *auditor,
            times: Vec::new(),
            calls: Vec::new(),
            memory_kb: Vec::new(),
            by_action: String::new(),
            answers: Vec::new(),
        })
        .collect();
    for round in 1..=rounds {
        // One home a round: no run finds what another has kept.
        let home = Home::new(&format!("audit-{round}"))?;
        home.write_profiles(std::slice::from_ref(&auditor_key))?;
        for one in &mut results {
            contend(&mut lab, &home, akia, &peers, &folder, &truth, one)?;
            println!(
                "    round {round} of {rounds}, {}: {}, {} calls",
                one.auditor.name(),
                seconds(one.times[round - 1]),
                one.calls[round - 1]
            );
        }
    }
    Ok(super::Outcome { text: told(&results, users, rounds, akia, &peers, &lab)?, missed: missed(&results) })
}

fn contend(
    lab: &mut Lab,
    home: &Home,
    akia: &Path,
    peers: &Peers,
    folder: &Home,
    truth: &Path,
    one: &mut Runs,
) -> Result<(), String> {
    let output = folder.path().join(one.auditor.tool());
    if output.is_dir() {
        fs::remove_dir_all(&output).map_err(|error| format!("cannot clear {}: {error}", output.display()))?;
    }
    let script = folders::root().join("xtask/bench/audit.py");
    let mut run = home.program(&lab.programs.join("python"), &lab.url);
    run.arg(&script).arg("run").args(one.auditor.command(akia, peers, &output));
    run.env("AWS_PROFILE", "auditor").env("AWS_DEFAULT_REGION", "us-east-1").stdin(Stdio::null());
    lab.calls()?;
    let started = Instant::now();
    let done = run.output().map_err(|error| format!("cannot start {}: {error}", one.auditor.name()))?;
    let took = started.elapsed();
    let arrived = lab.calls()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // Findings, and what moto cannot tell, are codes of their own for each of them.
    let memory = said.trim_end().rsplit('\n').next().and_then(|line| line.parse().ok());
    let memory = memory.ok_or_else(|| format!("{} ended with {}:\n{said}", one.auditor.name(), done.status))?;
    if one.auditor.tool() == "akia" {
        fs::write(&output, &done.stdout).map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    }
    one.times.push(took);
    one.calls.push(arrived.total());
    one.memory_kb.push(memory);
    one.by_action = arrived.by_action.iter().map(|(action, n)| format!("{action} {n}")).collect::<Vec<_>>().join(", ");
    let mut judge = command(lab.programs.join("python"));
    judge.arg(&script).args(["judge".as_ref(), truth.as_os_str(), one.auditor.tool().as_ref(), output.as_os_str()]);
    let (ok, text) = capture(&mut judge)?;
    if !ok {
        return Err(format!("what {} said cannot be judged:\n{text}\n{said}", one.auditor.name()));
    }
    one.answers = text.lines().map(answer).collect::<Result<_, _>>()?;
    Ok(())
}

fn answer(line: &str) -> Result<Answer, String> {
    let malformed = || format!("the judge answers {line}");
    let fields: Vec<&str> = line.split('\t').collect();
    let [question, right, missed, wrong, examples] = fields[..] else { return Err(malformed()) };
    let number = |text: &str| text.parse().map_err(|_| malformed());
    Ok(Answer {
        question: question.to_owned(),
        right: number(right)?,
        missed: number(missed)?,
        wrong: number(wrong)?,
        examples: examples.to_owned(),
    })
}

fn told(
    results: &[Runs],
    users: usize,
    rounds: usize,
    akia: &Path,
    peers: &Peers,
    lab: &Lab,
) -> Result<String, String> {
    let own = median(&results[0].times);
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|one| {
            let time = median(&one.times);
            vec![
                one.auditor.name().to_owned(),
                format!("{} ({})", seconds(time), figures::range(&one.times)),
                format!("{:.1}×", ratio(time, own)),
                one.calls.iter().max().map_or_else(String::new, ToString::to_string),
                format!("{} MB", one.memory_kb.iter().max().unwrap_or(&0) / 1_024),
            ]
        })
        .collect();
    let mut text = figures::table(&["", "time", "of akia's", "calls", "memory"], &rows);
    let rows: Vec<Vec<String>> = results
        .iter()
        .flat_map(|one| {
            one.answers.iter().map(|answer| {
                vec![
                    one.auditor.name().to_owned(),
                    answer.question.clone(),
                    answer.right.to_string(),
                    answer.missed.to_string(),
                    answer.wrong.to_string(),
                    answer.examples.clone(),
                ]
            })
        })
        .collect();
    text.push('\n');
    text.push_str(&figures::table(&["", "question", "right", "missed", "wrong", "where"], &rows));
    text.push_str(&format!(
        "\n{users} users with keys; medians of {rounds} rounds (least–most). Calls as they reached moto:\n\n"
    ));
    for one in results {
        text.push_str(&format!("- {}: {}\n", one.auditor.name(), one.by_action));
    }
    let programs = [
        super::akia_version(akia)?,
        format!("Cloud Custodian {}", venv::version(&peers.custodian, "c7n")?),
        format!("Prowler {}", venv::version(&peers.prowler, "prowler")?),
        super::moto(lab)?,
    ];
    text.push_str(&format!("\n{}", figures::circumstances(&programs)));
    Ok(text)
}

/// The first goal that was missed.
fn missed(results: &[Runs]) -> Option<String> {
    let time = |auditor| results.iter().find(|one| one.auditor == auditor).map(|one| median(&one.times));
    let own = time(Auditor::Akia)?;
    let calls = results[0].calls.iter().max().copied().unwrap_or_default();
    if calls > MOST_CALLS {
        return Some(format!("{calls} calls, not {MOST_CALLS} at most"));
    }
    if let Some(answer) = results[0].answers.iter().find(|answer| answer.missed + answer.wrong > 0) {
        return Some(format!("akia is wrong about {}", answer.examples));
    }
    for (auditor, floor) in [(Auditor::Custodian, CUSTODIAN_FLOOR), (Auditor::Prowler, PROWLER_FLOOR)] {
        let reached = ratio(time(auditor)?, own);
        if reached < floor {
            return Some(format!("{reached:.1} times faster than {}, not {floor}", auditor.name()));
        }
    }
    None
}
