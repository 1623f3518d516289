//! `akia serve`, the real binary: it lets its person in, runs what is due as a process of its own, shows what that found, and ends in
//! order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Home};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
const SETTINGS: &str = "[job.audit]\nrun = [\"audit\"]\nat = \"0 0 1 1 *\"\n";

/// A server, and the session of whoever has begun it.
pub(crate) struct Server {
    child: Child,
    address: String,
    cookie: String,
}

impl Server {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        Self::spawn(home.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat()))
    }

    /// From a command that begins one, which prints its link.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some((address, link)) = line.trim().strip_prefix("http://").and_then(|line| line.split_once('/')) else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("no link in {line:?}: {said}");
        };
        let mut server = Self { child, address: address.to_owned(), cookie: String::new() };
        let answer = server.ask("GET", &format!("/{link}"), "");
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        server.cookie = cookie.split(';').next().unwrap().to_owned();
        server
    }

    /// The whole answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n",
            self.address,
            self.cookie,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What a call of the API answers.
    pub(crate) fn call(&self, path: &str) -> Value {
        let answer = self.page(path);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer:.300}"))
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn page(&self, path: &str) -> String {
        let answer = self.ask("GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:.300}");
        answer
    }

    /// Sends the form of a page of this session.
    pub(crate) fn send(&self, path: &str) -> String {
        let page = self.page("/runs");
        let key = page.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        self.ask("POST", path, &format!("form_key={key}"))
    }

    fn wait(&self, path: &str, until: &str) -> String {
        let started = Instant::now();
        loop {
            let page = self.page(path);
            if page.contains(until) {
                return page;
            }
            assert!(started.elapsed() < PATIENCE, "{path} never says {until:?}: {page}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(mut self) -> String {
        let ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_runs_a_job_and_shows_what_it_found() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let all = json!({ "Effect": "Allow", "Action": "iam:*", "Resource": "*" });
    cloud.policy("ann", "auditor", &json!({ "Version": "2012-10-17", "Statement": [all] }));
    let home = Home::new(&cloud).profile("default", &ann.key).file("akia.toml", SETTINGS);
    let config = home.path("akia.toml").to_str().unwrap().to_owned();
    let config = home.with("AKIA_CONFIG", &config);
    let server = Server::start(&config, &["--allow-access-key"]);
    assert!(server.page("/").contains("Estate"));
    assert!(!server.page("/keys").contains(&ann.key.id), "nothing was audited yet");
    let made = server.send("/jobs/audit/run");
    assert!(made.starts_with("HTTP/1.1 303") && made.contains("location: /runs/1"), "{made:.400}");
    let run = server.wait("/runs/1", "class=\"state done\"");
    assert!(run.contains("kept as audit 1") && run.contains("$ akia audit"), "{run}");
    let keys = server.wait("/keys", &ann.key.id);
    assert!(!keys.contains(&ann.key.secret));
    let life = server.page(&format!("/keys/{}", ann.key.id));
    assert!(life.contains("aws iam") && !life.contains(&ann.key.secret), "{life}");
    // A rotation by hand beside the server shows, too.
    config.akia(&["rotate", "--yes"]).done();
    server.wait("/rotations", &ann.key.id);
    server.end();
}

#[test]
fn a_server_does_not_begin_where_it_is_not_safe() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let ran = home.akia(&["serve"]).exited(2);
    assert!(ran.stderr.contains("are the long-term access key") && !ran.stderr.contains(&ann.key.secret), "{ran:?}");
    let ran = home.akia(&["serve", "--listen", "0.0.0.0:0", "--allow-access-key"]).exited(2);
    assert!(ran.stderr.contains("0.0.0.0"), "{ran:?}");
}
