//! A story: a home, a command that is struck at one of its calls, what a person does then, and what must hold.

use super::tracer::{self, Point, Strike, Traced, When};
use crate::hand::{side_by_side, user_with_old_key};
use crate::support::{Backend, Cloud, Home, Key};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

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
    strikes: Vec<Strike>,
    /// Every how-manyth point is struck, and from which on.
    step: usize,
    first: usize,
}

/// `akia resume`, and what it advises, until nothing is left to resume.
pub(super) fn resume(home: &Home) -> Result<(), String> {
    let mut next: Vec<String> = vec!["resume".to_owned(), "--yes".to_owned()];
    for _ in 0..TRIES {
        let ran = home.akia(&next.iter().map(String::as_str).collect::<Vec<_>>());
        match ran.code {
            0 => return Ok(()),
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

impl Story {
    /// Killed at each point.
    pub(crate) fn killed(verb: Verb) -> Self {
        Self { verb, strikes: vec![Strike::Kill], step: 1, first: 0 }
    }

    /// Each point fails, with these errors in turn.
    pub(crate) fn failing(verb: Verb, errors: &[Errno]) -> Self {
        Self { verb, strikes: errors.iter().map(|error| Strike::Fail(*error)).collect(), step: 1, first: 0 }
    }

    /// Only every so manyth point.
    pub(crate) fn every(self, step: usize, first: usize) -> Self {
        Self { step, first, ..self }
    }

    /// Runs the story once for each of its points, and fails with all that went wrong.
    #[expect(clippy::print_stdout, reason = "the number of points is a result of the run")]
    pub(crate) fn at_each_point(&self) {
        let watched = self.tell(0, Strike::Watch).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
        let count = watched.len();
        assert!(count > 20, "{:?}: only {count} points: the tracer is broken", self.verb);
        let began = std::time::Instant::now();
        let struck = Mutex::new(Vec::new());
        let chosen: Vec<usize> = (self.first..count).step_by(self.step).collect();
        side_by_side(SIDE_BY_SIDE, chosen.len(), |turn| {
            let (at, strike) = (chosen[turn], self.strikes[turn % self.strikes.len()]);
            let points = self.tell(at, strike).map_err(|reason| format!("point {at}, {strike:?}: {reason}"))?;
            struck.lock().unwrap().extend(points);
            Ok(())
        });
        let (struck, chosen) = (struck.into_inner().unwrap(), chosen.len());
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        for point in &struck {
            *calls.entry(point.call).or_default() += 1;
        }
        let calls: Vec<String> = calls.iter().map(|(call, count)| format!("{call} {count}")).collect();
        println!(
            "{:?} {:?}: struck at {} of {count} points in {:.0} s ({})",
            self.verb,
            self.strikes,
            struck.len(),
            began.elapsed().as_secs_f64(),
            calls.join(", ")
        );
        // A run may make a few calls less than the one that was counted: answers arrive in other pieces.
        assert!(struck.len() * 10 >= chosen * 8, "only {} of {chosen} points were reached", struck.len());
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
        if let Strike::Fail(_) = strike {
            scene.told_rightly(&traced).map_err(|what| told(format!("told: {what}")))?;
        }
        scene.holds_at_once().map_err(|what| told(format!("right after: {what}")))?;
        scene.take_up().map_err(|what| told(format!("taking it up: {what}")))?;
        scene.holds_at_the_end().map_err(|what| told(format!("at the end: {what}")))?;
        Ok(if strike == Strike::Watch { traced.points } else { traced.struck.into_iter().collect() })
    }
}

/// A user with one key in a profile of each file.
pub(crate) struct Scene {
    verb: Verb,
    cloud: Cloud,
    pub(crate) home: Home,
    pub(crate) old: Key,
    /// Both files before, with key and secret blanked.
    frame: Vec<String>,
    /// Both files, and AWS's keys, right before the command that is struck.
    before: (Vec<String>, BTreeMap<String, bool>),
    /// What the AWS CLI has got in with: the key ids of profiles, with their secrets.
    judged: Mutex<BTreeSet<(String, String)>>,
}

pub(crate) const FILES: [&str; 2] = [".aws/credentials", ".aws/config"];
pub(crate) const PROFILES: [&str; 2] = ["default", "both"];

impl Scene {
    pub(crate) fn new(verb: Verb) -> Self {
        let cloud = Backend::Sandbox.open();
        let old = user_with_old_key(&cloud, "ann", 100);
        let pair = format!("aws_access_key_id     = {}\naws_secret_access_key = {}\n", old.id, old.secret);
        let credentials = format!("# mine\n[default]\n{pair}\n[other]\nregion = eu-west-1 ; stays\n");
        let config = format!("[profile both]\n{pair}output = json\n# the end");
        let home = Home::new(&cloud).file(FILES[0], credentials).file(FILES[1], config);
        let (before, judged) = ((Vec::new(), BTreeMap::new()), Mutex::default());
        let mut scene = Self { verb, cloud, home, old, frame: Vec::new(), before, judged };
        scene.frame = scene.blanked();
        scene.prepare();
        scene.before = scene.now();
        scene
    }

    /// Both files, and the sandbox's own word on the user's keys.
    fn now(&self) -> (Vec<String>, BTreeMap<String, bool>) {
        let keys = self.cloud.sandbox().keys().into_iter().filter(|key| key.user.as_deref() == Some("ann"));
        (FILES.map(|file| self.home.read(file)).to_vec(), keys.map(|key| (key.id, key.active)).collect())
    }

    /// Whether the exit code of a run that was not killed says what is true, and where it leads on.
    fn told_rightly(&self, traced: &Traced) -> Result<(), String> {
        let unchanged = self.now() == self.before;
        match traced.code {
            // 3: setup tells of each part.
            Some(0 | 3) => Ok(()),
            Some(1) if !unchanged => Err("it says that nothing was changed, and something was".to_owned()),
            Some(1) if traced.stderr.trim().is_empty() => Err("it failed without a word".to_owned()),
            Some(1) => Ok(()),
            Some(5 | 6) if traced.stderr.contains("next: akia ") => Ok(()),
            Some(5 | 6) => Err("it leaves work, and does not say how to go on".to_owned()),
            other => Err(format!("it exited with {other:?}")),
        }
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

    /// What a person does who finds the program dead; then the command again.
    fn take_up(&self) -> Result<(), String> {
        resume(&self.home)?;
        self.again()
    }

    /// The command again, where a resume alone does not do all of it.
    fn again(&self) -> Result<(), String> {
        match self.verb {
            // Killed before the plan was written down, or given up: nothing is left to resume.
            Verb::Rotate if PROFILES.iter().all(|profile| self.held(profile) == self.old.id) => {
                let ran = self.home.akia(&["rotate", "--yes"]);
                if ran.code == 0 { Ok(()) } else { Err(format!("{ran:?}")) }
            }
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
        self.frame_is_whole()?;
        let held: Vec<String> = PROFILES.iter().map(|profile| self.held(profile)).collect();
        let keys: BTreeMap<String, bool> = self.cloud.keys("ann").into_iter().map(|key| (key.id, key.active)).collect();
        let told = || format!("profiles hold {held:?}; AWS has {keys:?}; it was {}", self.old.id);
        let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {}", told())) };
        for profile in PROFILES {
            ensure(keys.get(&self.held(profile)) == Some(&true), "a profile holds a key that is not active")?;
            // The pair that the CLI has got in with before, and that AWS says is active, gets in again.
            self.works(profile)?;
        }
        let is_old = |key: &String| *key == self.old.id;
        match self.verb {
            Verb::Rotate | Verb::Resume => {
                ensure(!is_old(&held[0]), "the old key is still in place")?;
                ensure(held[0] == held[1], "the profiles hold different keys")?;
                ensure(keys.len() == 2, "a key too many or too few")?;
                ensure(keys.get(&self.old.id) == Some(&false), "the old key is not inactive")?;
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

    /// The AWS CLI gets in with this profile. A pair that it got in with is not asked about twice.
    fn works(&self, profile: &str) -> Result<(), String> {
        let pair = self.pair(profile);
        if self.judged.lock().unwrap().contains(&pair) {
            return Ok(());
        }
        let ran = self.home.aws(&["sts", "get-caller-identity", "--profile", profile]);
        if ran.code != 0 {
            return Err(format!("profile {profile} is locked out: {}", ran.stderr));
        }
        self.judged.lock().unwrap().insert(pair);
        Ok(())
    }

    /// The key id that a profile holds.
    fn held(&self, profile: &str) -> String {
        self.pair(profile).0
    }

    /// The key that a profile holds, read without any code of ours.
    fn pair(&self, profile: &str) -> (String, String) {
        pair_in(&FILES.map(|file| self.home.read(file)).join("\n"), profile)
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

/// The key of a profile in the text of AWS files, read without any code of ours; empty where there is none.
pub(crate) fn pair_in(text: &str, profile: &str) -> (String, String) {
    let headers = [format!("[{profile}]"), format!("[profile {profile}]")];
    let section = text.lines().skip_while(|line| !headers.iter().any(|header| line == header)).skip(1);
    let lines: Vec<&str> = section.take_while(|line| !line.starts_with('[')).collect();
    let value = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        found.trim_start_matches([' ', '=']).to_owned()
    };
    (value("aws_access_key_id"), value("aws_secret_access_key"))
}
