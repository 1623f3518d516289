//! A story: a home, a command that is struck at one of its calls, what a person does then, and what must hold.

use super::tracer::{self, Point, Strike, Traced, When};
use crate::support::{Backend, Cloud, Home, Key};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that go side by side. Most of them sleep.
const SIDE_BY_SIDE: usize = 40;
/// What a person tries at most before giving up on us.
const TRIES: usize = 5;

/// The rename of a rotation's second delivery: before it come the sealing key, two rehearsals and the first delivery.
const RENAMES: usize = 5;

/// The command that is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verb {
    Rotate,
    Resume,
    Undo,
    Retire,
    Setup,
}

/// A command and what happens to it.
pub(crate) struct Story {
    verb: Verb,
    strike: Strike,
}

impl Story {
    pub(crate) fn new(verb: Verb, strike: Strike) -> Self {
        Self { verb, strike }
    }

    /// Runs the story once for each of its points, and fails with all that went wrong.
    #[expect(clippy::print_stdout, reason = "the number of points is a result of the run")]
    pub(crate) fn at_each_point(&self) {
        let watched = self.tell(0, Strike::Watch).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
        let count = watched.len();
        assert!(count > 20, "{:?}: only {count} points: the tracer is broken", self.verb);
        let (next, struck, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            break;
                        }
                        match self.tell(at, self.strike) {
                            Ok(points) => struck.lock().unwrap().extend(points),
                            Err(reason) => wrong.lock().unwrap().push(format!("point {at}: {reason}")),
                        }
                    }
                });
            }
        });
        let (struck, wrong) = (struck.into_inner().unwrap(), wrong.into_inner().unwrap());
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        for point in &struck {
            *calls.entry(point.call).or_default() += 1;
        }
        let calls: Vec<String> = calls.iter().map(|(call, count)| format!("{call} {count}")).collect();
        println!(
            "{:?} {:?}: struck at {} of {count} points ({})",
            self.verb,
            self.strike,
            struck.len(),
            calls.join(", ")
        );
        assert!(wrong.is_empty(), "{} of {count} went wrong:\n{}", wrong.len(), wrong.join("\n"));
        // A run may make a few calls less than the one that was counted: answers arrive in other pieces.
        assert!(struck.len() * 10 > count * 8, "only {} of {count} points were reached", struck.len());
    }

    /// One run. Gives the points that were seen, or the one that was struck; says what went wrong.
    fn tell(&self, at: usize, strike: Strike) -> Result<Vec<Point>, String> {
        let scene = Scene::new(self.verb);
        let arguments = scene.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let traced = tracer::run(&scene.home.command(&arguments), When::Point(at), strike);
        let point = traced.struck.clone();
        let told = |what: String| {
            let Traced { code, stdout, stderr, .. } = &traced;
            format!("{what}\n  struck: {point:?}, exit: {code:?}\n  stdout: {stdout}\n  stderr: {stderr}")
        };
        if traced.stderr.contains("panicked") || traced.code == Some(101) {
            return Err(told("it panicked".to_owned()));
        }
        if traced.struck.is_none() && traced.code != Some(0) {
            return Err(told("it failed without being struck".to_owned()));
        }
        scene.holds_at_once().map_err(|what| told(format!("right after: {what}")))?;
        scene.take_up().map_err(|what| told(format!("taking it up: {what}")))?;
        scene.holds_at_the_end().map_err(|what| told(format!("at the end: {what}")))?;
        Ok(if strike == Strike::Watch { traced.points } else { traced.struck.into_iter().collect() })
    }
}

/// A user with one key in a profile of each file.
struct Scene {
    verb: Verb,
    cloud: Cloud,
    home: Home,
    old: Key,
    /// Both files before, with key and secret blanked.
    frame: Vec<String>,
}

const FILES: [&str; 2] = [".aws/credentials", ".aws/config"];
const PROFILES: [&str; 2] = ["default", "both"];

impl Scene {
    fn new(verb: Verb) -> Self {
        let cloud = Backend::Sandbox.open();
        let old = cloud.user("ann").key;
        let pair = format!("aws_access_key_id     = {}\naws_secret_access_key = {}\n", old.id, old.secret);
        let credentials = format!("# mine\n[default]\n{pair}\n[other]\nregion = eu-west-1 ; stays\n");
        let config = format!("[profile both]\n{pair}output = json\n# the end");
        let home = Home::new(&cloud).file(FILES[0], credentials).file(FILES[1], config);
        let mut scene = Self { verb, cloud, home, old, frame: Vec::new() };
        scene.frame = scene.blanked();
        scene.prepare();
        scene
    }

    /// What has to have happened before the command that is struck.
    fn prepare(&self) {
        match self.verb {
            Verb::Rotate => {}
            Verb::Resume => {
                // Between the two deliveries: one file has the new key, the other has not.
                let command = self.home.command(&["rotate", "--yes"]);
                let traced = tracer::run(&command, When::NthOf("rename", RENAMES), Strike::Kill);
                assert!(traced.struck.is_some(), "a rotation renames its sealing key, two rehearsals, two deliveries");
            }
            Verb::Undo => drop(self.home.akia(&["rotate", "--yes"]).done()),
            Verb::Retire => drop(self.home.akia(&["rotate", "--yes"]).done()),
            Verb::Setup => {
                let csv = format!("Access key ID,Secret access key\n{},{}\n", self.old.id, self.old.secret);
                std::fs::write(self.home.path("key.csv"), csv).unwrap();
            }
        }
    }

    fn arguments(&self) -> Vec<String> {
        let words: &[&str] = match self.verb {
            Verb::Rotate => &["rotate", "--yes"],
            Verb::Resume => &["resume", "--yes"],
            Verb::Undo => &["undo", "--yes"],
            Verb::Retire => &["retire", "--now", "--yes"],
            Verb::Setup => &["setup", "work", "--from-csv", "key.csv", "--yes"],
        };
        let id = if self.verb == Verb::Retire { Some(self.rotation()) } else { None };
        words.iter().map(|word| (*word).to_owned()).chain(id).collect()
    }

    /// The one rotation of the journal.
    fn rotation(&self) -> String {
        let history = self.home.akia(&["history", "--output", "json"]).done().json();
        history["rotations"][0]["rotation"].as_str().unwrap().to_owned()
    }

    /// What has to hold whenever the program is dead: each profile has a key that AWS takes, and no half of another.
    fn holds_at_once(&self) -> Result<(), String> {
        let held: BTreeMap<String, &str> = PROFILES.iter().map(|profile| (self.held(profile), *profile)).collect();
        for profile in held.values() {
            self.works(profile)?;
        }
        self.frame_is_whole()
    }

    /// What a person does who finds the program dead: `akia resume`, and what it advises; then the command again.
    fn take_up(&self) -> Result<(), String> {
        let mut next: Vec<String> = vec!["resume".to_owned(), "--yes".to_owned()];
        for _ in 0..TRIES {
            let ran = self.home.akia(&next.iter().map(String::as_str).collect::<Vec<_>>());
            match ran.code {
                0 => return self.again(),
                5 => {}
                6 => {
                    let advice = ran.stderr.lines().find_map(|line| line.trim().strip_prefix("next: akia resume "));
                    let Some(advice) = advice else { return Err(format!("a question without advice: {ran:?}")) };
                    next = vec!["resume".to_owned(), "--yes".to_owned()];
                    next.extend(advice.split(" (").next().unwrap().split(' ').map(str::to_owned));
                }
                _ => return Err(format!("{ran:?}")),
            }
        }
        Err(format!("not at rest after {TRIES} tries; the last was akia {}", next.join(" ")))
    }

    /// The command again, where a resume alone does not do all of it.
    fn again(&self) -> Result<(), String> {
        match self.verb {
            Verb::Rotate | Verb::Resume => Ok(()),
            Verb::Undo | Verb::Retire => {
                let arguments = self.arguments();
                let ran = self.home.akia(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                // 1: there is nothing left to take back or to retire.
                if ran.code == 0 || ran.code == 1 { Ok(()) } else { Err(format!("{ran:?}")) }
            }
            Verb::Setup => {
                let mut arguments = self.arguments();
                arguments.push("--replace".to_owned());
                let ran = self.home.akia(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                if ran.code == 0 { Ok(()) } else { Err(format!("{ran:?}")) }
            }
        }
    }

    /// What has to hold once somebody has taken it up.
    fn holds_at_the_end(&self) -> Result<(), String> {
        self.holds_at_once()?;
        let held: Vec<String> = PROFILES.iter().map(|profile| self.held(profile)).collect();
        let keys: BTreeMap<String, bool> = self.cloud.keys("ann").into_iter().map(|key| (key.id, key.active)).collect();
        let told = || format!("profiles hold {held:?}; AWS has {keys:?}; it was {}", self.old.id);
        let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {}", told())) };
        let is_old = |key: &String| *key == self.old.id;
        match self.verb {
            Verb::Rotate | Verb::Resume => {
                let begun = !is_old(&held[0]);
                ensure(held[0] == held[1], "the profiles hold different keys")?;
                if begun {
                    ensure(keys.len() == 2, "a key too many or too few")?;
                    ensure(keys.get(&self.old.id) == Some(&false), "the old key is not inactive")?;
                } else {
                    ensure(self.verb == Verb::Rotate, "a rotation under way was not finished")?;
                    ensure(keys.len() == 1, "an orphan")?;
                }
            }
            Verb::Undo => {
                ensure(held.iter().all(is_old), "the old key is not back everywhere")?;
                let active: Vec<&String> = keys.iter().filter(|(_, active)| **active).map(|(key, _)| key).collect();
                ensure(active == [&self.old.id] && keys.len() == 2, "the new key is not the only inactive one")?;
            }
            Verb::Retire => ensure(keys.len() == 1 && keys.contains_key(&held[0]), "the old key is not deleted")?,
            Verb::Setup => {
                ensure(self.held("work") == self.old.id, "the profile is not set up")?;
                self.works("work")?;
            }
        }
        let strays: Vec<_> = std::fs::read_dir(self.home.path(".aws"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "credentials" && name != "config")
            .collect();
        ensure(strays.is_empty(), &format!("left in ~/.aws: {strays:?}"))
    }

    /// The AWS CLI gets in with this profile.
    fn works(&self, profile: &str) -> Result<(), String> {
        let ran = self.home.aws(&["sts", "get-caller-identity", "--profile", profile]);
        if ran.code == 0 { Ok(()) } else { Err(format!("profile {profile} is locked out: {}", ran.stderr)) }
    }

    /// The key id that a profile holds, read without any code of ours.
    fn held(&self, profile: &str) -> String {
        let text = FILES.map(|file| self.home.read(file)).join("\n");
        let headers = [format!("[{profile}]"), format!("[profile {profile}]")];
        let section = text.lines().skip_while(|line| !headers.iter().any(|header| line == header)).skip(1);
        let mut lines = section.take_while(|line| !line.starts_with('['));
        let id = lines.find_map(|line| line.strip_prefix("aws_access_key_id")).unwrap_or_default();
        id.trim_start_matches([' ', '=']).to_owned()
    }

    /// Whether everything in both files but ids and secrets is as it was; new sections may follow.
    fn frame_is_whole(&self) -> Result<(), String> {
        let now = self.blanked();
        for (before, now) in self.frame.iter().zip(&now) {
            let whole = if self.verb == Verb::Setup { now.starts_with(before.as_str()) } else { now == before };
            if !whole {
                return Err(format!("bytes beside the key changed; before:\n{before}\nnow:\n{now}"));
            }
        }
        Ok(())
    }

    fn blanked(&self) -> Vec<String> {
        let blank = |line: &str| match line.split_once("= ") {
            Some((name, _)) if name.trim().starts_with("aws_") => format!("{name}= …"),
            _ => line.to_owned(),
        };
        FILES.iter().map(|file| self.home.read(file).split('\n').map(blank).collect::<Vec<_>>().join("\n")).collect()
    }
}
