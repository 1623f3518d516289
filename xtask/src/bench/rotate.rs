//! akia against the way of the script that it replaces, on moto: the AWS CLI, one call after another, one profile after
//! another. The script's sleep is left out; akia's own waits for AWS are in.

use super::figures::{self, median, ratio, seconds};
use super::home::Home;
use super::lab::{Arrived, Lab};
use crate::command::capture;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many times faster akia has to be for the largest number of profiles.
const FLOOR: f64 = 20.0;
/// The number of profiles that the floor is for.
const FLOOR_PROFILES: usize = 50;

/// What one contender took for one number of profiles.
#[derive(Default)]
struct Runs {
    times: Vec<Duration>,
    server_cpu: Vec<Duration>,
    calls: Vec<u64>,
    by_action: String,
}

impl Runs {
    fn push(&mut self, took: Duration, arrived: &Arrived) {
        self.times.push(took);
        self.server_cpu.push(Duration::from_secs_f64(arrived.cpu_seconds));
        self.calls.push(arrived.total());
        let actions: Vec<String> =
            arrived.by_action.iter().map(|(action, count)| format!("{action} {count}")).collect();
        self.by_action = actions.join(", ");
    }

    /// The number of calls, which must be the same in each round unless something was tried again.
    fn calls(&self) -> String {
        match (self.calls.iter().min(), self.calls.iter().max()) {
            (Some(least), Some(most)) if least == most => least.to_string(),
            (Some(least), Some(most)) => format!("{least}–{most}"),
            _ => String::new(),
        }
    }
}

/// Runs both, round by round, and returns the figures.
pub(crate) fn run(akia: &Path, profiles: &[usize], rounds: usize, check: bool) -> Result<super::Outcome, String> {
    let mut lab = Lab::start()?;
    let aws = lab.programs.join("aws");
    let mut results: Vec<(usize, Runs, Runs)> =
        profiles.iter().map(|count| (*count, Runs::default(), Runs::default())).collect();
    let mut account = 100_000_000_000_u64;
    for round in 1..=rounds {
        for (count, script, own) in &mut results {
            // Side by side within a round, so that both see the machine in the same mood.
            account += 1;
            let (took, arrived) = contend(&mut lab, account, *count, |home, url| script_way(&aws, home, url))?;
            script.push(took, &arrived);
            account += 1;
            let (took, arrived) = contend(&mut lab, account, *count, |home, url| akia_way(akia, home, url))?;
            own.push(took, &arrived);
            let (script, own) = (script.times[round - 1], own.times[round - 1]);
            println!(
                "    round {round} of {rounds}, {count} profiles: AWS CLI {}, akia {}, {:.1} times",
                seconds(script),
                seconds(own),
                ratio(script, own)
            );
        }
    }
    let rows: Vec<Vec<String>> = results
        .iter()
        .map(|(count, script, own)| {
            let (slow, fast) = (median(&script.times), median(&own.times));
            vec![
                count.to_string(),
                format!("{} ({})", seconds(slow), figures::range(&script.times)),
                format!("{} ({})", seconds(fast), figures::range(&own.times)),
                format!("{:.1}×", ratio(slow, fast)),
                script.calls(),
                own.calls(),
                seconds(median(&script.server_cpu)),
                seconds(median(&own.server_cpu)),
            ]
        })
        .collect();
    let header = [
        "profiles",
        "AWS CLI in sequence",
        "akia rotate",
        "faster",
        "calls, AWS CLI",
        "calls, akia",
        "moto's CPU, AWS CLI",
        "moto's CPU, akia",
    ];
    let mut text = figures::table(&header, &rows);
    if let Some((count, script, own)) = results.first() {
        text.push_str(&format!(
            "\nMedians of {rounds} rounds (least–most). Calls for {count} profile(s), as they reached moto:\n\n\
             - AWS CLI: {}\n- akia: {}\n",
            script.by_action, own.by_action
        ));
    }
    let programs =
        [version(&mut Home::new("versions")?.program(&aws, ""))?, super::akia_version(akia)?, super::moto(&lab)?];
    text.push_str(&format!("\n{}", figures::circumstances(&programs)));
    let missed = results.iter().find(|(count, _, _)| *count == FLOOR_PROFILES).and_then(|(_, script, own)| {
        let reached = ratio(median(&script.times), median(&own.times));
        (reached < FLOOR).then(|| format!("{FLOOR_PROFILES} profiles: {reached:.1} times faster, not {FLOOR}"))
    });
    if check && results.iter().all(|(count, _, _)| *count != FLOOR_PROFILES) {
        return Err(format!("--check is about {FLOOR_PROFILES} profiles, and they were not measured"));
    }
    Ok(super::Outcome { text, missed })
}

/// One run on an account of its own, and the proof that it did what it was to do.
fn contend(
    lab: &mut Lab,
    account: u64,
    count: usize,
    rotate: impl Fn(&Home, &str) -> Result<(), String>,
) -> Result<(Duration, Arrived), String> {
    let account = account.to_string();
    let home = Home::new(&account)?;
    let before = lab.account(&account, count)?;
    home.write_profiles(&before)?;
    lab.calls()?;
    let started = Instant::now();
    rotate(&home, &lab.url)?;
    let took = started.elapsed();
    let arrived = lab.calls()?;
    let held = home.key_ids()?;
    let known = lab.keys(&account)?;
    for key in &before {
        let now = held.iter().find(|(user, _)| *user == key.user).map(|(_, id)| id);
        let active: Vec<&String> =
            known.get(&key.user).into_iter().flatten().filter(|(_, active)| *active).map(|(id, _)| id).collect();
        if now == Some(&key.id) || now.is_none_or(|now| active != [now]) {
            return Err(format!("{} of account {account} was not rotated, or its old key is still active", key.user));
        }
    }
    Ok((took, arrived))
}

/// The calls of the script, for each profile in turn and in its order: the old key is gone before the new one is in the
/// file. The secret goes over the command line, as it does there.
fn script_way(aws: &Path, home: &Home, url: &str) -> Result<(), String> {
    for (profile, _) in home.key_ids()? {
        let call = |arguments: &[&str]| {
            let mut command = home.program(aws, url);
            let (ok, text) = capture(command.args(arguments).args(["--profile", &profile]))?;
            let text = text.trim().to_owned();
            if ok { Ok(text) } else { Err(format!("aws {} {}: {text}", arguments[0], arguments[1])) }
        };
        let arn = call(&["sts", "get-caller-identity", "--query", "Arn", "--output", "text"])?;
        let user = arn.rsplit('/').next().ok_or("get-caller-identity answers in another form")?;
        let ids = "AccessKeyMetadata[].AccessKeyId";
        let old = call(&["iam", "list-access-keys", "--query", ids, "--output", "text"])?;
        let pair = "AccessKey.[AccessKeyId,SecretAccessKey]";
        let new = call(&["iam", "create-access-key", "--user-name", user, "--query", pair, "--output", "text"])?;
        let (new, secret) = new.split_once('\t').ok_or("create-access-key answers in another form")?;
        call(&["iam", "delete-access-key", "--access-key-id", &old, "--user-name", user])?;
        call(&["configure", "set", "aws_access_key_id", new])?;
        call(&["configure", "set", "aws_secret_access_key", secret])?;
    }
    Ok(())
}

fn akia_way(akia: &Path, home: &Home, url: &str) -> Result<(), String> {
    figures::time(home.program(akia, url).args(["rotate", "--all-profiles", "--yes"])).map(|_| ())
}

fn version(command: &mut std::process::Command) -> Result<String, String> {
    let (_, text) = capture(command.arg("--version"))?;
    Ok(text.split(' ').next().unwrap_or("unknown").to_owned())
}
