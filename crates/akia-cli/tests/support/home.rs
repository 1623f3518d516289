//! A person's home folder, made up: `~/.aws`, akia's state, and nothing of the machine's own.

use super::cloud::{Cloud, Key, aws_cli};
use super::lab::ask;
use super::ran::Ran;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Longer than any command takes on a loaded machine. A lost create is waited out for 60 s, then looked for with calls of
/// up to 45 s each: 120 s were too little at a load of 75 on two processors.
const LIMIT: Duration = Duration::from_secs(300);

/// The home folder and the environment of everything that runs in it.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Home {
    /// An empty `~/.aws`; programs talk to this cloud. They have `AKIA_STATE_DIR` and `TMPDIR` below the home folder,
    /// so that a test can look at all that a run has left, and no keychain.
    pub(crate) fn new(cloud: &Cloud) -> Home {
        let folder = tempfile::Builder::new().prefix("akia-home-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in [".aws", "tmp"] {
            fs::create_dir(path(name)).unwrap();
        }
        let mut environment = cloud.environment();
        environment.insert("HOME".to_owned(), path(""));
        environment.insert("TMPDIR".to_owned(), path("tmp"));
        environment.insert("AKIA_STATE_DIR".to_owned(), path("state"));
        environment.insert("AKIA_KEYCHAIN".to_owned(), "off".to_owned());
        Home { folder, environment }
    }

    /// Adds a profile with a key to the credentials file, as `aws configure` writes it.
    pub(crate) fn profile(self, name: &str, key: &Key) -> Home {
        let mut text = fs::read_to_string(self.path(".aws/credentials")).unwrap_or_default();
        text += &format!("[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
        if let Some(token) = &key.token {
            text += &format!("aws_session_token = {token}\n");
        }
        self.file(".aws/credentials", text)
    }

    /// Writes a file (0600), its name relative to the home folder.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Home {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    /// Sets a variable for whatever runs from now on.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Home {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Unsets a variable for whatever runs from now on.
    pub(crate) fn without(mut self, name: &str) -> Home {
        self.environment.remove(name);
        self
    }

    /// A variable of whatever runs here.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// A path below the home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of a file below the home folder.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every file below the home folder with its bytes: what a run has left.
    pub(crate) fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    walk(&entry.path(), found);
                } else if kind.is_file() {
                    found.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found
    }

    /// The real `akia`, with nothing on its standard input and no terminal.
    pub(crate) fn akia(&self, arguments: &[&str]) -> Ran {
        self.akia_with_input(arguments, "")
    }

    /// The real `akia`, with text on its standard input and no terminal.
    pub(crate) fn akia_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A program that does not read its input closes the pipe; that is its right.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let what = format!("akia {}", arguments.join(" "));
        let output = wait(child, &what);
        let code = output.status.code().unwrap_or_else(|| -output.status.signal().unwrap());
        Ran {
            what,
            code: code.into(),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// The real `akia` as a command that a test starts itself (to interrupt it, say); its output is captured.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_akia"));
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The real `akia` on a terminal, typed at: each step is a text to wait for and a text to send (`"y\n"`). All that
    /// the terminal showed is in `stdout`. Panics when a text never came, showing what did.
    #[track_caller]
    pub(crate) fn akia_on_terminal(&self, arguments: &[&str], steps: &[(&str, &str)]) -> Ran {
        let mut argv = vec![env!("CARGO_BIN_EXE_akia")];
        argv.extend(arguments);
        let ran = self.on_terminal(&argv, steps);
        Ran { what: format!("akia {}", arguments.join(" ")), ..ran }
    }

    /// Any program on a terminal, typed at in the same way.
    #[track_caller]
    pub(crate) fn on_terminal(&self, argv: &[&str], steps: &[(&str, &str)]) -> Ran {
        let mut environment = self.environment.clone();
        environment.insert("TERM".to_owned(), "xterm".to_owned());
        let answer = ask(json!({
            "do": "pty", "argv": argv, "env": environment, "cwd": self.folder.path(), "steps": steps, "limit": 120,
        }));
        let screen = answer["screen"].as_str().unwrap().to_owned();
        assert_eq!(answer["missed"], Value::Null, "the terminal never showed the awaited text; it showed:\n{screen}");
        Ran { what: argv.join(" "), code: answer["code"].as_i64().unwrap(), stdout: screen, stderr: String::new() }
    }

    /// The real AWS CLI with the files of this home.
    pub(crate) fn aws(&self, arguments: &[&str]) -> Ran {
        aws_cli(arguments, &self.environment, self.folder.path().to_str().unwrap())
    }
}

/// The output of a program; one that does not end is ended, and the test fails.
fn wait(child: Child, what: &str) -> Output {
    let pid = child.id().to_string();
    let (sender, output) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    output
        .recv_timeout(LIMIT)
        .unwrap_or_else(|_| {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
            panic!("`{what}` did not end within {} s", LIMIT.as_secs());
        })
        .unwrap()
}
