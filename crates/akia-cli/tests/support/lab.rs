//! The Python process beside each test process; see `lab.py`.
//!
//! It ends when this process does, however that ends, and takes its servers with it: they read from a pipe that only
//! this process holds open. Nothing here relies on `Drop`.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Longer than any request takes on a loaded machine; a lab that is silent for so long is broken.
const LIMIT: Duration = Duration::from_secs(150);

struct Lab {
    requests: Mutex<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    next: AtomicU64,
}

/// Sends a request and waits for its answer. An answer that is an error is a panic with its text.
pub(crate) fn ask(mut request: Value) -> Value {
    static LAB: OnceLock<Lab> = OnceLock::new();
    let lab = LAB.get_or_init(start);
    let id = lab.next.fetch_add(1, Ordering::Relaxed);
    let (sender, answer) = channel();
    lab.waiting.lock().unwrap().insert(id, sender);
    request["id"] = json!(id);
    let line = format!("{request}\n");
    lab.requests.lock().unwrap().write_all(line.as_bytes()).expect("the lab has ended");
    let answer = answer.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("the lab did not answer: {}", request["do"]));
    if let Some(error) = answer.get("error") {
        panic!("the lab cannot {}: {}", request["do"], error.as_str().unwrap_or_default());
    }
    answer
}

/// The venv with the emulators and the AWS CLI, made by `cargo xtask venv`.
fn venv() -> PathBuf {
    let folder = match std::env::var_os("AKIA_TEST_VENV") {
        Some(folder) => PathBuf::from(folder),
        // target/<profile>/akia: the venv is beside the profile's folder.
        None => PathBuf::from(env!("CARGO_BIN_EXE_akia")).ancestors().nth(2).unwrap().join("venv"),
    };
    assert!(folder.join("bin/python").exists(), "no test venv in {}: run `cargo xtask venv` first", folder.display());
    folder
}

/// The Python of that venv.
pub(crate) fn python() -> PathBuf {
    venv().join("bin/python")
}

fn start() -> Lab {
    let script = super::workspace().join("crates/akia-cli/tests/support/lab.py");
    let mut child = Command::new(python())
        .arg(script)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "TMPDIR" | "LANG")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cannot start the lab");
    let waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
    let answers = BufReader::new(child.stdout.take().unwrap());
    let requests = Mutex::new(child.stdin.take().unwrap());
    let route = Arc::clone(&waiting);
    std::thread::spawn(move || {
        for line in answers.lines().map_while(Result::ok) {
            let answer: Value = serde_json::from_str(&line).expect("the lab answers in JSON");
            if let Some(sender) = answer["id"].as_u64().and_then(|id| route.lock().unwrap().remove(&id)) {
                // A test that gave up is no longer listening.
                let _ = sender.send(answer);
            }
        }
        let _ = child.wait();
    });
    Lab { requests, waiting, next: AtomicU64::new(1) }
}
