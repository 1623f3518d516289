//! Tries out with a new key what its owner said must work, before the key is delivered.

use std::process::Stdio;
use std::time::Duration;

use akia_core::journal::Event;
use akia_core::rotation::{Probe, Rotation};
use akia_core::text::visible;
use akia_core::{AccessKeyId, SecretAccessKey};
use tokio::io::AsyncReadExt as _;

use super::driver::Driver;
use super::signing::target_of;
use crate::place::{KeyPair, written};

/// Longest time that a program may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is read of a program's words, in bytes; the last line of them is repeated.
const LONGEST_WORDS: u64 = 16 * 1024;
/// Longest line that an error repeats, in characters.
const LONGEST_LINE: usize = 200;
/// Variables that would have the program take another key than the one on trial.
const OTHER_KEYS: [&str; 5] =
    ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];

impl Driver {
    pub(super) async fn probe(&self, rotation: &Rotation, key: &AccessKeyId) -> Event {
        let plan = rotation.plan();
        let Some(probe) = &plan.probe else { return Event::ProbePassed };
        let secret = match self.staged_secret(&plan.id, key).await {
            Ok(secret) => secret,
            Err(error) => return Event::Failed { error: error.to_string() },
        };
        let outcome = match probe {
            Probe::Command(command) => {
                let region = plan.region.as_str();
                run(command, region, plan.endpoint_url.as_deref(), key, secret).await
            }
            Probe::Get(get) => {
                let key = crate::aws::Credentials::for_key(key.clone(), secret);
                self.aws.caller(key, target_of(plan)).probe_get(get).await.map_err(|error| error.to_string())
            }
        };
        match outcome {
            Ok(()) => Event::ProbePassed,
            Err(error) => Event::ProbeFailed { error },
        }
    }
}

/// Runs a program with the key. Its output is not shown; of a failure, its last line.
async fn run(
    command: &[String],
    region: &str,
    endpoint_url: Option<&str>,
    key: &AccessKeyId,
    secret: SecretAccessKey,
) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Err("the probe names no program".to_owned()) };
    let pair = KeyPair { id: key.clone(), secret };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in OTHER_KEYS {
        command.env_remove(name);
    }
    for (name, value) in written::variables(&pair) {
        command.env(name, value.as_str());
    }
    command.env("AWS_REGION", region).env("AWS_DEFAULT_REGION", region);
    if let Some(url) = endpoint_url {
        command.env("AWS_ENDPOINT_URL", url);
    }
    let mut child = command.spawn().map_err(|error| format!("{program} cannot be run: {error}"))?;
    let mut words = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, async {
        if let Some(stderr) = child.stderr.take() {
            // What the program says beyond that is read away, so that it does not wait for us.
            let mut stderr = stderr;
            drop((&mut stderr).take(LONGEST_WORDS).read_to_end(&mut words).await);
            drop(tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await);
        }
        child.wait().await
    });
    let status = match ended.await {
        Err(_) => return Err(format!("{program} has not ended within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => return Err(format!("{program} cannot be waited for: {error}")),
        Ok(Ok(status)) => status,
    };
    if status.success() {
        return Ok(());
    }
    let words = written::redact(&pair, &String::from_utf8_lossy(&words));
    Err(format!("{program} failed ({status}){}", last_line(&words)))
}

/// The last line of a program's words behind a colon, or nothing where there is none.
pub(crate) fn last_line(words: &str) -> String {
    let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().take(LONGEST_LINE).collect();
    if line.is_empty() { line } else { format!(": {}", visible(&line)) }
}
