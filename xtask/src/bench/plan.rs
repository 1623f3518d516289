//! `akia enforce plan` from a kept audit of a whole organisation: time and memory, and every key looked at.

use super::figures;
use super::organization::{self, Sandbox, Spent};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TIME_LIMIT: Duration = Duration::from_secs(5);
const MEMORY_LIMIT_MB: u64 = 200;
/// What the limits were set for.
const FULL_KEYS: u64 = 40_000;
/// Acts on what lies idle; of all that is found, so that nothing is spared.
const POLICY: &str = r#"[enforce]
enabled = true
rules = ["key-age", "key-unused", "key-never-used", "inactive-key-kept"]
in-use = "deactivate"
"#;

/// Plans for an organisation of this size, and says the medians.
pub(crate) fn run(akia: &Path, accounts: u32, users: u32, rounds: usize) -> Result<super::Outcome, String> {
    let folder = organization::folder("plan")?;
    let sandbox = Sandbox::start(akia, &folder.join("aws"), accounts, users, &[])?;
    let settings = folder.join("akia.toml");
    fs::write(&settings, POLICY).map_err(|error| format!("{}: {error}", settings.display()))?;
    let environment = sandbox.environment();
    let akia_with = |arguments: &[&str]| {
        let mut command = Command::new(akia);
        command.args(arguments).env_clear().envs(environment.clone()).current_dir(&folder);
        command
    };
    println!("auditing {accounts} accounts with {users} users each");
    Spent::by(&mut akia_with(&organization::AUDIT), &folder.join("audit.json"))?;
    let keys = organization::number(&organization::head(&folder.join("audit.json"))?, "active_keys")
        .ok_or("the audit does not tell its active keys")?;
    let mut planned = Vec::new();
    for _ in 0..rounds {
        let plans = ["enforce", "plan", "--config", "akia.toml", "-o", "plan.json", "--output", "json"];
        planned.push(Spent::by(&mut akia_with(&plans), &folder.join("plan.out"))?);
    }
    let plan = folder.join("plan.json");
    let plan = fs::read_to_string(&plan).map_err(|error| format!("{}: {error}", plan.display()))?;
    let steps = plan.matches("\"subject\": {").count();
    let times: Vec<Duration> = planned.iter().map(|spent| spent.took).collect();
    let (time, memory) = (figures::median(&times), planned.iter().map(|spent| spent.peak_mb).max().unwrap_or(0));
    let header = ["accounts × users", "active keys", "steps planned", "time", "least–most, s", "memory"];
    let row = vec![
        format!("{accounts} × {users}"),
        keys.to_string(),
        steps.to_string(),
        figures::seconds(time),
        figures::range(&times),
        format!("{memory} MB"),
    ];
    let mut text = figures::table(&header, &[row]);
    text.push_str(&format!(
        "\nMedian of {rounds} rounds. To reach with {FULL_KEYS} keys: {} s, {MEMORY_LIMIT_MB} MB. {}",
        TIME_LIMIT.as_secs(),
        figures::circumstances(&[super::akia_version(akia)?])
    ));
    let mut missed = Vec::new();
    if keys >= FULL_KEYS {
        if time > TIME_LIMIT {
            missed.push(format!("it took {}", figures::seconds(time)));
        }
        if memory > MEMORY_LIMIT_MB {
            missed.push(format!("it held {memory} MB"));
        }
    }
    Ok(super::Outcome { text, missed: (!missed.is_empty()).then(|| missed.join(", ")) })
}
