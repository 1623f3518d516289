//! An audit of a whole organisation on the sandbox: time, memory, calls as they arrive there, and no account lost.

use super::figures;
use super::organization::{self, Sandbox, Spent};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TIME_LIMIT: Duration = Duration::from_secs(60);
const MEMORY_LIMIT_MB: u64 = 200;
const CALLS_LIMIT: u64 = 33_000;
/// What the limits were set for.
const FULL: (u32, u32) = (2_000, 20);

/// Audits an organisation of this size, once.
pub(crate) fn run(akia: &Path, accounts: u32, users: u32) -> Result<super::Outcome, String> {
    let folder = organization::folder("org")?;
    let sandbox =
        Sandbox::start(akia, &folder.join("aws"), accounts, users, &["--latency", "80ms", "--throttle", "5%"])?;
    let audit = folder.join("audit.json");
    let mut audits = Command::new(akia);
    audits.args(organization::AUDIT).env_clear().envs(sandbox.environment()).current_dir(&folder);
    let spent = Spent::by(&mut audits, &audit)?;
    let took = spent.took;
    let mut of_sandbox = Spent::default();
    of_sandbox.look(sandbox.process());
    let calls = sandbox.stop()?;
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

/// "1994 of 2000", from the head of the audit.
fn accounts_read(audit: &Path) -> Result<String, String> {
    let head = organization::head(audit)?;
    let (_, accounts) = head.split_once("\"accounts\": {").ok_or("the audit does not tell accounts")?;
    match (organization::number(accounts, "read"), organization::number(accounts, "of")) {
        (Some(read), Some(of)) => Ok(format!("{read} of {of}")),
        (_, _) => Err("the audit does not tell how many accounts were read".to_owned()),
    }
}
