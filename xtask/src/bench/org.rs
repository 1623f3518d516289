//! An audit of a whole organisation on the sandbox: time, memory, calls as they arrive there, and no account lost.

use super::figures;
use crate::command::command;
use crate::folders;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TIME_LIMIT: Duration = Duration::from_secs(60);
const MEMORY_LIMIT_MB: u64 = 200;
const CALLS_LIMIT: u64 = 33_000;
/// What the limits were set for.
const FULL: (u32, u32) = (2_000, 20);

/// Audits an organisation of this size, once.
pub(crate) fn run(akia: &Path, accounts: u32, users: u32) -> Result<super::Outcome, String> {
    let folder = folders::target().join("bench/org");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let sandbox = Sandbox::start(akia, &folder.join("aws"), accounts, users)?;
    let audit = folder.join("audit.json");
    let printed = File::create(&audit).map_err(|error| format!("{}: {error}", audit.display()))?;
    let mut akia_command = Command::new(akia);
    akia_command
        .args(["audit", "--org", "--external-id", "example-id", "--profile", "admin", "--output", "json"])
        .env_clear()
        .envs(sandbox.environment())
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(printed)
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = akia_command.spawn().map_err(|error| format!("cannot start akia audit: {error}"))?;
    let mut spent = Spent::default();
    let status = loop {
        spent.look(child.id());
        match child.try_wait().map_err(|error| format!("akia audit: {error}"))? {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let took = started.elapsed();
    let mut of_sandbox = Spent::default();
    of_sandbox.look(sandbox.child.id());
    let calls = sandbox.stop()?;
    if !status.success() {
        return Err(format!("akia audit ended with {status}; what it printed is in {}", audit.display()));
    }
    let read = accounts_read(&audit)?;
    let row = vec![
        format!("{accounts} × {users}"),
        figures::seconds(took),
        format!("{} MB", spent.peak_mb),
        calls.to_string(),
        read.clone(),
        figures::seconds(spent.processor),
        figures::seconds(of_sandbox.processor),
    ];
    let header = ["accounts × users", "time", "akia's memory", "calls", "accounts read", "akia's CPU", "sandbox's CPU"];
    let mut text = figures::table(&header, &[row]);
    text.push_str(&format!(
        "\n80 ms a call, 5 % of calls throttled; one run. To reach with 2,000 × 20: {} s, {MEMORY_LIMIT_MB} MB, {CALLS_LIMIT} calls, \
         no account lost. {}",
        TIME_LIMIT.as_secs(),
        figures::circumstances(&[super::akia_version(akia)?])
    ));
    let mut missed = Vec::new();
    if read != format!("{accounts} of {accounts}") {
        missed.push(format!("{read} accounts were read"));
    }
    if (accounts, users) == FULL {
        if took > TIME_LIMIT {
            missed.push(format!("it took {}", figures::seconds(took)));
        }
        if spent.peak_mb > MEMORY_LIMIT_MB {
            missed.push(format!("it held {} MB", spent.peak_mb));
        }
        if calls > CALLS_LIMIT {
            missed.push(format!("it made {calls} calls"));
        }
    }
    Ok(super::Outcome { text, missed: (!missed.is_empty()).then(|| missed.join(", ")) })
}

/// What a process has used, as the system counts it; Linux only.
#[derive(Default)]
struct Spent {
    peak_mb: u64,
    processor: Duration,
}

impl Spent {
    fn look(&mut self, process: u32) {
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

/// "1994 of 2000", from the head of the audit.
fn accounts_read(audit: &Path) -> Result<String, String> {
    let mut head = String::new();
    let file = File::open(audit).map_err(|error| format!("{}: {error}", audit.display()))?;
    let mut bytes = Vec::new();
    file.take(4_096).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", audit.display()))?;
    head.push_str(&String::from_utf8_lossy(&bytes));
    let accounts =
        head.split_once("\"accounts\": {").map(|(_, rest)| rest).ok_or("the audit does not tell accounts")?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = accounts.split_once(&format!("\"{name}\": "))?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    match (number("read"), number("of")) {
        (Some(read), Some(of)) => Ok(format!("{read} of {of}")),
        (_, _) => Err("the audit does not tell how many accounts were read".to_owned()),
    }
}

/// `akia sandbox` with an organisation.
struct Sandbox {
    child: Child,
    told: String,
    words: Option<ChildStderr>,
}

impl Sandbox {
    fn start(akia: &Path, folder: &Path, accounts: u32, users: u32) -> Result<Self, String> {
        let mut start = command(akia);
        start
            .args(["sandbox", "--latency", "80ms", "--throttle", "5%", "--output", "json"])
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
    fn environment(&self) -> Vec<(String, String)> {
        let object = self.told.split_once("\"environment\":{").and_then(|(_, rest)| rest.split_once('}'));
        let members = object.map_or("", |(object, _)| object).split("\",\"");
        let pair = |member: &str| {
            let (name, value) = member.split_once("\":\"")?;
            Some((name.trim_matches('"').to_owned(), value.trim_matches('"').to_owned()))
        };
        members.filter_map(pair).collect()
    }

    /// Ends it, and says how many calls it has seen.
    fn stop(mut self) -> Result<u64, String> {
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
