//! An organisation on akia's sandbox, and what a command against it has used.

use crate::command::command;
use crate::folders;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// An audit of all of it.
pub(super) const AUDIT: [&str; 8] =
    ["audit", "--org", "--external-id", "example-id", "--profile", "admin", "--output", "json"];

/// An empty folder for a bench.
pub(super) fn folder(bench: &str) -> Result<PathBuf, String> {
    let folder = folders::target().join("bench").join(bench);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder)
}

/// The facts that an audit begins with.
pub(super) fn head(audit: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", audit.display());
    let mut bytes = Vec::new();
    File::open(audit).and_then(|file| file.take(4_096).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first number of a name.
pub(super) fn number(json: &str, name: &str) -> Option<u64> {
    let (_, rest) = json.split_once(&format!("\"{name}\": "))?;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// What a process has used, as the system counts it; Linux only.
#[derive(Default)]
pub(super) struct Spent {
    pub(super) took: Duration,
    pub(super) peak_mb: u64,
    pub(super) processor: Duration,
}

impl Spent {
    /// Runs a program to its end, its output in a file.
    pub(super) fn by(command: &mut Command, output: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", output.display());
        let printed = File::create(output).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(printed).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        // Read while it runs: a full pipe would stop it.
        let stderr = child.stderr.take();
        let words = thread::spawn(move || {
            let mut words = String::new();
            stderr.map(|mut stderr| stderr.read_to_string(&mut words)).transpose().map(|_| words)
        });
        let mut spent = Self::default();
        let status = loop {
            spent.look(child.id());
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        spent.took = started.elapsed();
        let words = words.join().ok().and_then(Result::ok).unwrap_or_default();
        if status.success() { Ok(spent) } else { Err(format!("{command:?} ended with {status}: {}", words.trim())) }
    }

    pub(super) fn look(&mut self, process: u32) {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        if let Some(kilobytes) = peak.and_then(|text| text.trim().parse::<u64>().ok()) {
            self.peak_mb = self.peak_mb.max(kilobytes.div_ceil(1_000));
        }
        // After the name in parentheses: state is the first field, time in user and system mode are the 12th and 13th.
        let stat = read("stat");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect());
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        // USER_HZ is 100 on every Linux.
        let spent = Duration::from_millis(10 * (ticks(11) + ticks(12)));
        self.processor = self.processor.max(spent);
    }
}

/// `akia sandbox` with an organisation.
pub(super) struct Sandbox {
    child: Child,
    told: String,
    words: Option<ChildStderr>,
}

impl Sandbox {
    pub(super) fn start(akia: &Path, folder: &Path, accounts: u32, users: u32, more: &[&str]) -> Result<Self, String> {
        let mut start = command(akia);
        start
            .args(["sandbox", "--output", "json"])
            .args(more)
            .args(["--accounts", &accounts.to_string(), "--users", &users.to_string()])
            .arg("--folder")
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = start.spawn().map_err(|error| format!("cannot start akia sandbox: {error}"))?;
        let output = child.stdout.take().ok_or("akia sandbox has no output")?;
        let words = child.stderr.take();
        let mut told = String::new();
        BufReader::new(output).read_line(&mut told).map_err(|error| format!("akia sandbox says nothing: {error}"))?;
        Ok(Self { child, told, words })
    }

    /// The variables that it prints: `"environment":{"NAME":"value",…}`.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let object = self.told.split_once("\"environment\":{").and_then(|(_, rest)| rest.split_once('}'));
        let members = object.map_or("", |(object, _)| object).split("\",\"");
        let pair = |member: &str| {
            let (name, value) = member.split_once("\":\"")?;
            Some((name.trim_matches('"').to_owned(), value.trim_matches('"').to_owned()))
        };
        members.filter_map(pair).collect()
    }

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, and says how many calls it has seen.
    pub(super) fn stop(mut self) -> Result<u64, String> {
        let asked = command("kill").arg(self.child.id().to_string()).status();
        asked.map_err(|error| format!("akia sandbox cannot be ended: {error}"))?;
        let mut words = String::new();
        if let Some(mut stderr) = self.words.take() {
            stderr.read_to_string(&mut words).map_err(|error| format!("akia sandbox says nothing: {error}"))?;
        }
        let calls = words.split_once("has ended after ").and_then(|(_, rest)| rest.split_once(" calls"));
        calls
            .and_then(|(number, _)| number.parse().ok())
            .ok_or_else(|| format!("akia sandbox does not tell its calls:\n{words}"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
