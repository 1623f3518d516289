//! Programs that print a token for kubectl, such as `aws eks get-token`:
//! <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>.

use std::process::Stdio;
use std::time::Duration;

use akia_core::text::visible;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use super::kubeconfig::Program;
use crate::secrets::{Secret, Wiped};

/// Longest time that a program may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest output that is read, in bytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;
/// Longest line that an error repeats, in characters.
const LONGEST_LINE: usize = 200;

/// Runs a program and takes the token that it prints.
pub(super) async fn token(program: &Program, server: &str) -> Result<Secret, String> {
    let Program { api_version, command, args, env, interactive_mode, provide_cluster_info } = program;
    if interactive_mode.as_deref() == Some("Always") {
        return Err(format!("its user's program {command} asks questions (interactiveMode: Always)"));
    }
    let mut spec = json!({ "interactive": false });
    if *provide_cluster_info {
        spec["cluster"] = json!({ "server": server });
    }
    let request = json!({ "apiVersion": api_version, "kind": "ExecCredential", "spec": spec });
    let mut running = tokio::process::Command::new(command);
    running.args(args.iter().flatten()).env("KUBERNETES_EXEC_INFO", request.to_string());
    running.envs(env.iter().flatten().map(|variable| (&variable.name, &variable.value)));
    running.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = running.spawn().map_err(|error| format!("its user's program {command} cannot be run: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(PATIENCE, async {
        let (output, words) = tokio::join!(beginning(stdout), beginning(stderr));
        (output, words, child.wait().await)
    });
    let Ok((output, words, status)) = ended.await else {
        return Err(format!("its user's program {command} has not ended within {} s", PATIENCE.as_secs()));
    };
    let status = status.map_err(|error| format!("its user's program {command} cannot be waited for: {error}"))?;
    if !status.success() {
        let words = String::from_utf8_lossy(&words);
        let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        let line: String = line.chars().take(LONGEST_LINE).collect();
        let line = if line.is_empty() { line } else { format!(": {}", visible(&line)) };
        return Err(format!("its user's program {command} failed ({status}){line}"));
    }
    taken(command, &output)
}

fn taken(command: &str, output: &[u8]) -> Result<Secret, String> {
    #[derive(Deserialize)]
    struct Credential {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        token: Option<Wiped>,
    }
    let place = format!("what its user's program {command} printed");
    let credential: Credential = serde_json::from_slice(output).map_err(|_| format!("{place} is no ExecCredential"))?;
    match credential.status.token {
        Some(token) => Secret::taken(&place, &token.0),
        None => Err(format!("{place} holds no token (client certificates are not taken)")),
    }
}

/// The first part of what a program says; the rest is read away, so that it does not wait for us.
async fn beginning(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if let Some(mut stream) = stream {
        drop((&mut stream).take(LONGEST_OUTPUT).read_to_end(&mut bytes).await);
        drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
    }
    bytes
}
