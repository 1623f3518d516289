//! How long akia takes before it does anything, and how large it is.

use super::figures::{self, median, milliseconds};
use super::home::Home;
use super::lab::UserKey;
use std::path::Path;
use std::time::Duration;

const PROFILES: usize = 50;
const VERSION_LIMIT: Duration = Duration::from_millis(10);
const STATUS_LIMIT: Duration = Duration::from_millis(30);

/// Starts each program in turn, `runs` times.
pub(crate) fn run(akia: &Path, runs: usize) -> Result<super::Outcome, String> {
    let home = Home::new("startup")?;
    home.write_profiles(&made_up_keys())?;
    // Nothing listens there; an offline command that asked all the same would fail.
    let endpoint = "http://127.0.0.1:9";
    let true_program = Path::new("/bin/true");
    let what: [(&str, &Path, &[&str], Option<Duration>); 4] = [
        ("`/bin/true`: what starting any program costs here", true_program, &[], None),
        ("`akia --version`", akia, &["--version"], Some(VERSION_LIMIT)),
        ("`akia status --offline`, 50 profiles", akia, &["status", "--offline"], Some(STATUS_LIMIT)),
        ("`akia --help`", akia, &["--help"], None),
    ];
    let mut times: Vec<Vec<Duration>> = what.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for ((_, program, arguments, _), times) in what.iter().zip(&mut times) {
            times.push(figures::time(home.program(program, endpoint).args(*arguments))?);
        }
    }
    let mut missed = None;
    let mut rows = Vec::new();
    for ((name, _, _, limit), times) in what.iter().zip(&times) {
        let middle = median(times);
        let least = times.iter().min().copied().unwrap_or_default();
        let limit_text = limit.map_or_else(String::new, |limit| format!("{} ms", limit.as_millis()));
        rows.push(vec![(*name).to_owned(), milliseconds(middle), milliseconds(least), limit_text]);
        if limit.is_some_and(|limit| middle >= limit) {
            missed = Some(format!("{name} takes {}", milliseconds(middle)));
        }
    }
    let mut text = figures::table(&["command", "median", "least", "must be under"], &rows);
    text.push_str(&format!(
        "\nMedians of {runs} runs, one after another, the process's start and end included. Size of the stripped binary: \
         {}.\n\n{}",
        figures::megabytes(akia)?,
        figures::circumstances(&[super::akia_version(akia)?])
    ));
    Ok(super::Outcome { text, missed })
}

/// Keys of nobody, put together here: well formed, so that account ids are decoded from them, and all different.
fn made_up_keys() -> Vec<UserKey> {
    let alphabet: Vec<char> = ('A'..='Z').chain('2'..='7').collect();
    (0..PROFILES)
        .map(|number| {
            let digits = [number / 32, number % 32].map(|digit| alphabet[digit]);
            UserKey {
                user: format!("user-{number:02}"),
                id: format!("AKIA{}{}", "QEXAMPLE".repeat(2).get(..14).unwrap_or_default(), String::from_iter(digits)),
                secret: "0123456789abcdefghijklmnopqrstuvwxyz/+AB".to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_keys_are_well_formed_and_all_different() {
        let keys = made_up_keys();
        let ids: std::collections::BTreeSet<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids.len(), PROFILES);
        let base32 = |c: char| c.is_ascii_uppercase() || ('2'..='7').contains(&c);
        assert!(keys.iter().all(|key| key.id.len() == 20 && key.id.chars().all(base32) && key.secret.len() == 40));
    }
}
