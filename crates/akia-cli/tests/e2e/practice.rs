//! `akia demo` and `akia sandbox`: what they promise on any machine.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Backend, Home, python};

/// Settings that would break anything that heeded them.
const NONSENSE: [(&str, &str); 12] = [
    ("AWS_PROFILE", "no such profile"),
    ("AWS_DEFAULT_PROFILE", ""),
    ("AWS_REGION", "eu west"),
    ("AWS_ACCESS_KEY_ID", "nonsense"),
    ("AWS_SESSION_TOKEN", "nonsense"),
    ("AWS_CA_BUNDLE", "/nonexistent"),
    ("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:9"),
    ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9"),
    ("AWS_USE_FIPS_ENDPOINT", "true"),
    ("HTTP_PROXY", "http://127.0.0.1:9"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("ALL_PROXY", "http://127.0.0.1:9"),
];

#[test]
fn the_demo_shows_what_it_promises_and_leaves_nothing() {
    let home = nonsense(own_home()).with("AWS_ENDPOINT_URL", "nonsense").with("AKIA_STATE_DIR", "/nonexistent/state");
    let before = home.everything();
    let began = Instant::now();
    let ran = home.akia(&["demo"]).done();
    assert!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    assert_eq!(home.everything(), before, "nothing is left behind, and nothing of one's own is touched");
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0, "not even a folder");
    assert!(!ran.stdout.contains("my-own-profile"), "one's own files are not read");

    // In this order: before, the rotation, after, the difference, AWS's word, where to go.
    let mut rest = ran.stdout.as_str();
    for part in [
        "$ akia status",
        "  400d  ",
        "shared by 2",
        "from default",
        "SSO",
        "$ akia rotate --all-profiles --yes",
        "done: old key inactive",
        "$ akia status",
        "  now ",
        "# Company. The build server has its own key",
        "  - aws_access_key_id     = AKIA",
        "  + aws_access_key_id     = AKIA",
        "  - aws_secret_access_key = ******** (old)",
        "  + aws_secret_access_key = ******** (new)",
        "Inactive",
        "akia resume",
        "akia undo",
        "Next\n",
        "akia sandbox",
        "akia rotate --dry-run",
    ] {
        rest = match rest.split_once(part) {
            Some((_, rest)) => rest,
            None => panic!("{part:?} does not follow in\n{}", ran.stdout),
        };
    }
}

#[test]
fn the_demo_needs_no_home_and_its_folder_can_be_kept() {
    let home = own_home().without("HOME").without("PATH").without("AKIA_STATE_DIR").without("LANG");
    let ran = home.akia(&["demo", "--keep", "--output", "json"]).done();
    let report = ran.json();
    assert_eq!((&report["schema"], &report["files"][0]["other_changes"]), (&"akia.demo/1".into(), &0.into()));
    let keys = report["keys"].as_array().unwrap();
    assert_eq!((keys.len(), keys.iter().filter(|key| key["status"] == "Active").count()), (6, 3));
    let path = ran.stderr.lines().find_map(|line| line.strip_prefix("the folder stays: ")).expect("it says where");
    let folder = PathBuf::from(path);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.clone()), mode(folder.join(".aws/credentials"))), (0o700, 0o600));
    let text = std::fs::read_to_string(folder.join(".aws/credentials")).unwrap();
    let secrets = text.lines().filter_map(|line| line.split_once("secret_access_key")?.1.split_once('='));
    for (_, secret) in secrets {
        assert!(!ran.stdout.contains(secret.trim()) && !ran.stderr.contains(secret.trim()));
    }
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let home = own_home();
    let before = home.everything();
    let mut demo = home.command(&["demo"]).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().starts_with("$ akia rotate")).unwrap().unwrap();
    signal(&demo, "INT");
    let ended = demo.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(said.contains("the demo was interrupted"), "{said}");
    assert_eq!(home.everything(), before);
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0);
}

#[test]
fn the_lines_that_the_sandbox_prints_work_as_they_are() {
    let home = own_home();
    let (mut sandbox, text) = practise(&home, &[]);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert!(lines.iter().all(|line| line.len() < 80 || line.contains("/")), "{text}");
    let aws = python().parent().unwrap().display().to_string();
    let akia = PathBuf::from(env!("CARGO_BIN_EXE_akia")).parent().unwrap().display().to_string();
    // As in a shell of somebody who works with AWS, and has not unset a thing.
    let mut script = format!("set -e\nexport PATH={akia}:{aws}:/usr/bin:/bin\n");
    for line in &lines {
        script.push_str(&format!("{line}\n"));
    }
    script.push_str("echo all of them went well\n");
    let shell = nonsense(own_home());
    let ran = shell
        .on_terminal(&["/bin/bash", "-c", &script], &[("[y/N] ", "y\n"), ("[y/N] ", "y\n"), ("went well", "")])
        .done();
    let shown = ran.stdout;
    for part in
        ["AKIA", "arn:aws:iam::111122223333:user/ann", "\"UserName\": \"mia\"", "done: old key inactive", "undone"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    signal(&sandbox.0, "INT");
    assert_eq!(sandbox.0.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0, "the folder goes with it");
}

#[test]
fn a_program_can_start_a_sandbox_and_end_it() {
    let home = own_home();
    let (mut first, ready) = practise(&home, &["--output", "json"]);
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["schema"], "akia.sandbox/1");
    let folder = home.path("kept/deep");
    let (mut second, other) = practise(&home, &["--output", "json", "--folder", "kept/deep"]);
    let other: Value = serde_json::from_str(&other).unwrap();
    assert_ne!(ready["endpoint_url"], other["endpoint_url"]);
    let person = |ready: &Value| {
        let variables = ready["environment"].as_object().unwrap().iter();
        variables.fold(own_home().without("AWS_REGION"), |home, (name, value)| home.with(name, value.as_str().unwrap()))
    };
    for ready in [&ready, &other] {
        let person = person(ready);
        let status = person.akia(&["status", "--output", "json"]).done().json();
        assert_eq!(status["profiles"][0]["user"], "ann");
        let judged = person.aws(&["sts", "get-caller-identity", "--profile", "private"]).done().json();
        assert_eq!(judged["Account"], "444455556666");
    }
    let port = ready["endpoint_url"].as_str().unwrap().rsplit(':').next().unwrap();
    let taken = home.akia(&["sandbox", "--port", port]).exited(1);
    assert!(taken.stderr.contains(&format!("127.0.0.1:{port} cannot be listened on")), "{}", taken.stderr);
    assert!(taken.stderr.contains("next: leave --port out"), "{}", taken.stderr);
    assert_eq!(home.akia(&["sandbox", "--output", "csv"]).exited(2).stdout, "");
    for (child, name) in [(&mut first, "TERM"), (&mut second, "INT")] {
        signal(&child.0, name);
        assert_eq!(child.0.wait().unwrap().code(), Some(0));
    }
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0);
    assert!(folder.join(".aws/credentials").exists(), "a folder that was named stays");
}

/// A home with a profile of its own, which nothing here may touch.
fn own_home() -> Home {
    let cloud = Backend::Sandbox.open();
    let key = cloud.user("ann").key;
    Home::new(&cloud).profile("my-own-profile", &key)
}

fn nonsense(home: Home) -> Home {
    NONSENSE.into_iter().fold(home, |home, (name, value)| home.with(name, value))
}

/// A program that does not outlive a test that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sandbox that is ready, and what it printed: a line of JSON, or all its words.
fn practise(home: &Home, more: &[&str]) -> (Running, String) {
    let words = [&["sandbox"], more].concat();
    let mut child = Running(home.command(&words).stderr(Stdio::null()).spawn().unwrap());
    let mut text = String::new();
    let mut reader = BufReader::new(child.0.stdout.as_mut().unwrap());
    while !(text.starts_with('{') || text.ends_with("Ctrl-C ends it.\n")) {
        assert!(reader.read_line(&mut text).unwrap() > 0, "the sandbox ended early: {text}");
    }
    (child, text)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
