//! One profile against many on the sandbox with AWS's lag: waiting for AWS is paid once for a run, not for each profile.

use super::figures::{self, median, seconds};
use super::home::Home;
use super::lab::{Lab, UserKey};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

/// The longest time for which a new key may be unknown in the sandbox, and then fail again, with a margin: the keys to
/// be displaced have to be known for good.
const KNOWN_FOR_GOOD: Duration = Duration::from_secs(16);

/// Runs one profile and `many`, round by round.
pub(crate) fn run(akia: &Path, many: usize, rounds: usize) -> Result<super::Outcome, String> {
    let mut lab = Lab::start()?;
    let sandbox = Practice::start(akia)?;
    let mut users = lab.furnish(rounds * (1 + many), &sandbox.told)?;
    thread::sleep(KNOWN_FOR_GOOD);
    let mut one_by_one: [(usize, Vec<Duration>); 2] = [(1, Vec::new()), (many, Vec::new())];
    for round in 1..=rounds {
        for (count, times) in &mut one_by_one {
            let home = Home::new(&format!("settle-{round}-{count}"))?;
            let own: Vec<UserKey> = users.drain(..*count).collect();
            home.write_profiles(&own)?;
            let took = figures::time(home.program(akia, &sandbox.url).args(["rotate", "--all-profiles", "--yes"]))?;
            if home.key_ids()?.iter().any(|(_, id)| own.iter().any(|key| key.id == *id)) {
                return Err(format!("round {round}: a profile of {count} still holds its old key"));
            }
            println!("    round {round} of {rounds}, {count} profiles: {}", seconds(took));
            times.push(took);
        }
    }
    let rows: Vec<Vec<String>> = one_by_one
        .iter()
        .map(|(count, times)| vec![count.to_string(), seconds(median(times)), figures::range(times)])
        .collect();
    let mut text = figures::table(&["profiles", "akia rotate", "least–most, s"], &rows);
    text.push_str(&format!("\nMedians of {rounds} rounds. {}", figures::circumstances(&[super::akia_version(akia)?])));
    Ok(super::Outcome { text, missed: None })
}

/// `akia sandbox --lag`; ends when dropped.
struct Practice {
    child: Child,
    told: String,
    url: String,
}

impl Practice {
    fn start(akia: &Path) -> Result<Self, String> {
        let mut command = crate::command::command(akia);
        command.args(["sandbox", "--lag", "--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("cannot start akia sandbox: {error}"))?;
        let output = child.stdout.take().ok_or("akia sandbox has no output")?;
        let mut practice = Self { child, told: String::new(), url: String::new() };
        BufReader::new(output)
            .read_line(&mut practice.told)
            .map_err(|error| format!("akia sandbox says nothing: {error}"))?;
        let url = practice.told.split_once("\"endpoint_url\":\"").and_then(|(_, rest)| rest.split_once('"'));
        practice.url = url.map(|(url, _)| url.to_owned()).ok_or("akia sandbox does not tell its endpoint")?;
        Ok(practice)
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        // Asked to end, it removes its temporary folder; killed, it could not.
        let asked = crate::command::command("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
