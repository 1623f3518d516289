//! Enforcement and quarantine, killed at their calls: what was promised to owners is kept, no other key is touched, and the same
//! commands again bring the case to where it was going.
//!
//! Stages take seconds to live through, so each is lived through once: a sandbox of the same seed has the same users and keys, and
//! what akia knew of them is copied.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use akia_sandbox::{LastUsed, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::tracer::{self, Point, Strike, When};
use crate::hand::side_by_side;
use crate::support::{Cloud, Home};

const SIDE_BY_SIDE: usize = 40;
/// Runs after the kill, at most. One settles what is not known, another goes on.
const TRIES: usize = 6;

const SETTINGS: &str = r#"
[audit]
unused = "30d"
[enforce]
rules = ["key-unused"]
remind-after = "1s"
deactivate-after = "2s"
delete-after = "1s"
[enforce.caps]
percent = 100
[notify]
default = ["log"]
[notify.channels.log]
kind = "file"
path = "notices.jsonl"
"#;

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Announce,
    Deactivate,
    Delete,
    Quarantine,
    Release,
}

impl Deed {
    /// The stage of the case before and after it.
    fn stages(self) -> (Option<&'static str>, &'static str) {
        match self {
            Self::Announce => (None, "notified"),
            Self::Deactivate => (Some("reminded"), "deactivated"),
            Self::Delete => (Some("deactivated"), "deleted"),
            Self::Quarantine | Self::Release => (None, ""),
        }
    }

    fn command(self, key: &str) -> Vec<&str> {
        let tail = ["--config", "akia.toml", "--yes", "--output", "json"];
        let head = match self {
            Self::Announce | Self::Deactivate | Self::Delete => vec!["enforce", "apply", "plan.json"],
            Self::Quarantine => vec!["enforce", "quarantine", key, "--reason", "leak"],
            Self::Release => vec!["enforce", "release", key, "--reason", "rotated"],
        };
        [head, tail.to_vec()].concat()
    }
}

/// One user with a key that nobody uses and one that somebody uses.
struct Scene {
    cloud: Cloud,
    home: Home,
    idle: String,
    used: String,
}

impl Scene {
    fn new(began: Timestamp) -> Self {
        let sandbox = Sandbox::builder().seed(11).build();
        let ago = |days: i64| began - SignedDuration::from_hours(24 * days);
        let ann = sandbox.add_user("ann", "/").unwrap();
        let [idle, used] = [300, 20].map(|days| ann.add_access_key(ago(days)).unwrap().id);
        for (key, days) in [(&idle, 200), (&used, 1)] {
            let last = LastUsed { at: ago(days), service: "s3".to_owned(), region: "eu-west-1".to_owned() };
            sandbox.set_last_used(key, Some(last)).unwrap();
        }
        let cloud = Cloud::of(sandbox);
        let home = Home::new(&cloud).profile("default", &cloud.admin);
        let log = home.path("notices.jsonl");
        let home = home.file("akia.toml", SETTINGS.replace("notices.jsonl", log.to_str().unwrap()));
        Self { cloud, home, idle, used }
    }

    /// Lives through all that comes before a deed.
    fn live_until(&self, deed: Deed) {
        self.home.akia(&["audit", "--config", "akia.toml"]);
        match deed {
            Deed::Quarantine => {}
            Deed::Release => drop(self.home.akia(&Deed::Quarantine.command(&self.idle)).done()),
            Deed::Announce | Deed::Deactivate | Deed::Delete => {
                for _ in 0..40 {
                    self.plan();
                    let is_told = deed != Deed::Delete || self.notices().contains(&"deactivated".to_owned());
                    if self.stage().as_deref() == deed.stages().0 && is_told && self.has_step() {
                        return;
                    }
                    self.home.akia(&Deed::Announce.command(&self.idle));
                    std::thread::sleep(Duration::from_millis(500));
                }
                panic!("{deed:?} is never due: {:?}", self.stage());
            }
        }
    }

    /// The same at another time: files of akia's own, and AWS as it was then.
    fn again(began: Timestamp, deed: Deed, files: &[(PathBuf, Vec<u8>)]) -> Self {
        let scene = Self::new(began);
        for (name, bytes) in files {
            let path = scene.home.path("").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            private(&path);
        }
        let iam = |operation: &str, params: Value| drop(scene.cloud.call("iam", operation, params));
        match deed {
            Deed::Delete => {
                iam("update_access_key", json!({ "UserName": "ann", "AccessKeyId": scene.idle, "Status": "Inactive" }));
            }
            Deed::Release => {
                let policy = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
                iam("attach_user_policy", json!({ "UserName": "ann", "PolicyArn": DENIAL }));
                iam("put_user_policy", json!({ "UserName": "ann", "PolicyName": SESSIONS, "PolicyDocument": policy }));
            }
            Deed::Announce | Deed::Deactivate | Deed::Quarantine => {}
        }
        scene
    }

    fn plan(&self) {
        self.home.akia(&["enforce", "plan", "--config", "akia.toml", "-o", "plan.json"]).done();
    }

    fn has_step(&self) -> bool {
        let plan: Value = serde_json::from_str(&self.home.read("plan.json")).unwrap();
        !plan["plan"]["steps"].as_array().unwrap().is_empty()
    }

    fn stage(&self) -> Option<String> {
        let status = self.home.akia(&["enforce", "status", "--all", "--output", "json"]).done().json();
        status["cases"][0]["stage"].as_str().map(str::to_owned)
    }

    fn notices(&self) -> Vec<String> {
        let text = fs::read_to_string(self.home.path("notices.jsonl")).unwrap_or_default();
        // A line may be torn by a kill; the next run writes it anew.
        let kind = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["kind"].as_str()?.to_owned());
        text.lines().filter_map(kind).collect()
    }

    fn is_active(&self, key: &str) -> Option<bool> {
        self.cloud.keys("ann").into_iter().find(|one| one.id == key).map(|one| one.active)
    }

    /// Whether AWS's policy, and the one against sessions, are there.
    fn tied(&self) -> (bool, bool) {
        let list = |operation: &str| self.cloud.call("iam", operation, json!({ "UserName": "ann" })).to_string();
        (list("list_attached_user_policies").contains(DENIAL), list("list_user_policies").contains(SESSIONS))
    }

    /// What no kill may break.
    fn holds(&self, deed: Deed) -> Result<(), String> {
        let idle = self.is_active(&self.idle);
        if self.is_active(&self.used) != Some(true) {
            return Err("the key in use was touched".to_owned());
        }
        let may_be: &[Option<bool>] = match deed {
            Deed::Announce | Deed::Quarantine | Deed::Release => &[Some(true)],
            Deed::Deactivate => &[Some(true), Some(false)],
            Deed::Delete => &[Some(false), None],
        };
        if may_be.contains(&idle) { Ok(()) } else { Err(format!("the idle key is {idle:?}")) }
    }

    /// What a person does after a kill: the same again.
    fn take_up(&self, deed: Deed) -> Result<(), String> {
        let mut said = String::new();
        for _ in 0..TRIES {
            let is_there = match deed {
                Deed::Quarantine | Deed::Release => {
                    let ran = self.home.akia(&deed.command(&self.idle));
                    said = format!("{}{}", ran.stdout, ran.stderr);
                    // Whoever releases twice is told that it is over.
                    ran.code == 0 || deed == Deed::Release && ran.stderr.contains("akia holds no quarantine")
                }
                Deed::Announce | Deed::Deactivate | Deed::Delete if self.has_come_to(deed.stages().1) => true,
                Deed::Announce | Deed::Deactivate | Deed::Delete => {
                    self.plan();
                    if !self.has_step() {
                        // Between the two looks before a deletion time has to pass.
                        std::thread::sleep(Duration::from_secs(5));
                    }
                    let ran = self.home.akia(&deed.command(&self.idle));
                    said = format!("{}{}", ran.stdout, ran.stderr);
                    self.has_come_to(deed.stages().1)
                }
            };
            if is_there {
                return Ok(());
            }
        }
        Err(format!("after {TRIES} runs the stage is {:?}: {said}", self.stage()))
    }

    /// The stages are seconds long: it may be further.
    fn has_come_to(&self, stage: &str) -> bool {
        const ORDER: [&str; 6] = ["seen", "notified", "reminded", "deactivated", "soaked", "deleted"];
        let place = |name: &str| ORDER.iter().position(|one| *one == name);
        self.stage().as_deref().and_then(place) >= place(stage)
    }

    fn holds_at_the_end(&self, deed: Deed) -> Result<(), String> {
        let verified = self.home.akia(&["history", "verify"]);
        if verified.code != 0 {
            return Err(verified.stderr);
        }
        let (idle, notices) = (self.is_active(&self.idle), self.notices());
        let is_right = self.is_active(&self.used) == Some(true)
            && match deed {
                Deed::Announce => notices.contains(&"announced".to_owned()),
                Deed::Deactivate => idle != Some(true),
                Deed::Delete => idle.is_none(),
                Deed::Quarantine => self.tied() == (true, true),
                Deed::Release => self.tied() == (false, false),
            };
        if is_right { Ok(()) } else { Err(format!("idle {idle:?}, notices {notices:?}, tied {:?}", self.tied())) }
    }
}

const DENIAL: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
const SESSIONS: &str = "AkiaDenyEarlierSessions";

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    for folder in path.ancestors().skip(1).take_while(|folder| folder.file_name().is_some_and(|name| name != "tmp")) {
        if folder.ends_with("state") || folder.parent().is_some_and(|parent| parent.ends_with("state")) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
}

#[expect(clippy::print_stdout, reason = "the number of points is a result of the run")]
fn killed(deed: Deed, step: usize) {
    let began = Timestamp::now();
    let lived = Scene::new(began);
    lived.live_until(deed);
    let root = lived.home.path("");
    let files: Vec<(PathBuf, Vec<u8>)> = lived
        .home
        .everything()
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(&root).unwrap().to_owned(), bytes))
        .filter(|(name, _)| name.starts_with("state") || name.ends_with("plan.json"))
        .collect();
    let run = |at: usize, strike: Strike| -> Result<(Vec<Point>, Option<Point>), String> {
        let scene = Scene::again(began, deed, &files);
        let command = scene.home.command(&deed.command(&scene.idle));
        let traced = tracer::run(&command, When::Point(at), strike);
        let struck = traced.struck.clone();
        let told = |what: String| {
            format!(
                "{what}\n  struck: {struck:?}, exit: {:?}\n  stderr: {}{}",
                traced.code, traced.stdout, traced.stderr
            )
        };
        if traced.stderr.contains("panicked") || struck.is_none() && traced.code != Some(0) {
            return Err(told("it failed by itself".to_owned()));
        }
        scene.holds(deed).map_err(|what| told(format!("right after: {what}")))?;
        scene.take_up(deed).map_err(|what| told(format!("taking it up: {what}")))?;
        scene.holds_at_the_end(deed).map_err(|what| told(format!("at the end: {what}")))?;
        Ok((traced.points, struck))
    };
    let (points, _) = run(usize::MAX, Strike::Watch).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
    assert!(points.len() > 20, "{deed:?}: only {} points: the tracer is broken", points.len());
    let struck = Mutex::new(0);
    let chosen: Vec<usize> = (deed as usize % step..points.len()).step_by(step).collect();
    side_by_side(SIDE_BY_SIDE, chosen.len(), |turn| {
        let at = chosen[turn];
        let (_, point) = run(at, Strike::Kill).map_err(|reason| format!("point {at}: {reason}"))?;
        *struck.lock().unwrap() += usize::from(point.is_some());
        Ok(())
    });
    let struck = struck.into_inner().unwrap();
    println!(
        "Enforce {deed:?}: killed at {struck} of {} points in {:.0} s",
        points.len(),
        (Timestamp::now() - began).as_secs_f64()
    );
    assert!(struck * 10 >= chosen.len() * 8, "only {struck} of {} points were reached", chosen.len());
}

/// Each point takes ten runs of the program: these are a sample, [`each_call_of_enforcement`] is all of them.
const SAMPLE: usize = 5;

#[test]
fn an_announcement() {
    killed(Deed::Announce, SAMPLE);
}

#[test]
fn a_deactivation() {
    killed(Deed::Deactivate, SAMPLE);
}

#[test]
fn a_deletion() {
    killed(Deed::Delete, SAMPLE);
}

#[test]
fn a_quarantine() {
    killed(Deed::Quarantine, SAMPLE);
}

#[test]
fn a_release() {
    killed(Deed::Release, SAMPLE);
}

#[test]
#[ignore = "a quarter of an hour on two processors: cargo xtask prove --deep"]
fn each_call_of_enforcement() {
    for deed in [Deed::Announce, Deed::Deactivate, Deed::Delete, Deed::Quarantine, Deed::Release] {
        killed(deed, 1);
    }
}
