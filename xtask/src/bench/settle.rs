//! One profile against many on the sandbox with AWS's lag: waiting for AWS is paid once for a run, not for each profile.

use super::figures::{self, median, seconds};
use super::home::Home;
use super::lab::{Lab, UserKey};
use super::practice::Practice;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The longest time for which a new key may be unknown in the sandbox, and then fail again, with a margin: the keys to
/// be displaced have to be known for good.
const KNOWN_FOR_GOOD: Duration = Duration::from_secs(16);

/// Runs one profile and `many`, round by round.
pub(crate) fn run(akia: &Path, many: usize, rounds: usize) -> Result<super::Outcome, String> {
    let mut lab = Lab::start()?;
    let sandbox = Practice::start(akia, &["--lag"])?;
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
