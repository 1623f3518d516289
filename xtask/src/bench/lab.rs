//! The Python process beside a bench (`xtask/bench/lab.py`): moto's server, and the count of what reached it.

use crate::command::command;
use crate::{folders, venv};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// One user's key as the server made it.
pub(crate) struct UserKey {
    pub(crate) user: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// What reached moto since it was last asked.
pub(crate) struct Arrived {
    pub(crate) by_action: BTreeMap<String, u64>,
    /// CPU time of moto's process.
    pub(crate) cpu_seconds: f64,
}

impl Arrived {
    pub(crate) fn total(&self) -> u64 {
        self.by_action.values().sum()
    }
}

/// The process. It ends with its standard input, so also when we are killed.
pub(crate) struct Lab {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where moto answers.
    pub(crate) url: String,
    /// The environment's folder of programs, with `aws` in it.
    pub(crate) programs: PathBuf,
}

impl Lab {
    pub(crate) fn start() -> Result<Self, String> {
        let programs = venv::ensure()?.join("bin");
        let script = folders::root().join("xtask/bench/lab.py");
        let mut python = command(programs.join("python"));
        python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // An administrator's own profiles and proxies have no part in this.
        python.env_clear().env("PATH", "/usr/bin:/bin").env("AWS_EC2_METADATA_DISABLED", "true");
        let mut child = python.spawn().map_err(|error| format!("cannot start the lab: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the lab has no pipes".to_owned());
        };
        let mut lab = Self { child, input, output: BufReader::new(output), url: String::new(), programs };
        let port = lab.answer()?.pop().ok_or("the lab does not tell its port")?;
        lab.url = format!("http://127.0.0.1:{port}");
        Ok(lab)
    }

    /// Makes an account in moto with users who hold one key each.
    pub(crate) fn account(&mut self, account: &str, count: usize) -> Result<Vec<UserKey>, String> {
        user_keys(&self.ask(&format!("account {account} {count}"))?)
    }

    /// Makes an account in moto with keys of every sort and age; the key of its auditor. What is true goes to a file.
    pub(crate) fn estate(&mut self, account: &str, users: usize, truth: &Path) -> Result<UserKey, String> {
        let mut keys = user_keys(&self.ask(&format!("estate {account} {users} {}", truth.display()))?)?;
        keys.pop().ok_or_else(|| "the lab made no auditor".to_owned())
    }

    /// Makes users with a key in the sandbox that printed this line of JSON.
    pub(crate) fn furnish(&mut self, count: usize, sandbox: &str) -> Result<Vec<UserKey>, String> {
        user_keys(&self.ask(&format!("furnish {count} {}", sandbox.trim()))?)
    }

    /// Ids of the active and of all keys of each user, by moto's own store.
    pub(crate) fn keys(&mut self, account: &str) -> Result<BTreeMap<String, Vec<(String, bool)>>, String> {
        let mut keys: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
        for field in self.ask(&format!("keys {account}"))? {
            let [user, key, status] = three(&field)?;
            keys.entry(user).or_default().push((key, status == "Active"));
        }
        Ok(keys)
    }

    /// What has arrived since the last time.
    pub(crate) fn calls(&mut self) -> Result<Arrived, String> {
        let mut arrived = Arrived { by_action: BTreeMap::new(), cpu_seconds: 0.0 };
        for field in self.ask("calls")? {
            let malformed = || format!("the lab answers {field}");
            let (name, value) = field.split_once('=').ok_or_else(malformed)?;
            if name == "cpu" {
                arrived.cpu_seconds = value.parse().map_err(|_| malformed())?;
            } else {
                arrived.by_action.insert(name.to_owned(), value.parse().map_err(|_| malformed())?);
            }
        }
        Ok(arrived)
    }

    fn ask(&mut self, question: &str) -> Result<Vec<String>, String> {
        writeln!(self.input, "{question}").map_err(|error| format!("the lab does not listen: {error}"))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Vec<String>, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| format!("the lab does not answer: {error}"))?;
        let mut fields = line.trim_end_matches('\n').split('\t').map(str::to_owned);
        match fields.next().as_deref() {
            Some("ok") => Ok(fields.collect()),
            Some("error") => Err(format!("the lab: {}", fields.collect::<Vec<_>>().join(" "))),
            _ => Err("the lab has ended; what it said is above".to_owned()),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The end of its input would do as well; this leaves no process behind for the time that takes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn user_keys(fields: &[String]) -> Result<Vec<UserKey>, String> {
    fields.iter().map(|field| three(field).map(|[user, id, secret]| UserKey { user, id, secret })).collect()
}

fn three(field: &str) -> Result<[String; 3], String> {
    let parts: Vec<String> = field.splitn(3, ',').map(str::to_owned).collect();
    parts.try_into().map_err(|_| "the lab answers in another form".to_owned())
}
