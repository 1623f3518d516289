//! Two servers on one PostgreSQL, one of them killed in the middle of a run: the other takes the run over, and nothing is lost, done
//! twice or left half done.
//!
//! The run rotates two services that are due once in 90 days. A run that is done twice finds their keys young and does nothing; had
//! the second one an effect, it would show as one more key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hand::side_by_side;
use crate::postgres::server;
use crate::serve::Server;
use crate::support::{Backend, Cloud, Home, Key};

/// Turns that go side by side: each has two servers, and each of those up to a dozen connections to the one PostgreSQL.
const SIDE_BY_SIDE: usize = 6;
/// Longest wait for a run to be over. A key whose creation was asked for and not answered is waited for for a minute.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a run takes where nothing else is done: 4.2 s of it proves the new keys.
const RUN: Duration = Duration::from_secs(6);
/// By then the other server must have begun. A lease lasts 15 s.
const TAKEN_BY: Duration = Duration::from_secs(30);
/// Every so manyth turn is judged by the AWS CLI, which takes its time; the others by the sandbox's own list.
const JUDGED: usize = 10;
const SERVICES: [&str; 2] = ["billing", "mailer"];
const SEALING_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

#[test]
fn a_server_that_is_killed_in_mid_run_has_the_other_take_it_over() {
    kill_often(10);
}

#[test]
#[ignore = "minutes: cargo xtask prove --deep"]
fn a_server_is_killed_100_times() {
    kill_often(100);
}

#[expect(clippy::print_stdout, reason = "how long it took is a result of the run")]
fn kill_often(turns: usize) {
    let lines = {
        let scene = Scene::new();
        scene.begin();
        let run = scene.wait_for(0, 1).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
        assert_eq!(run["state"], "done", "{run}");
        scene.holds(true).unwrap_or_else(|wrong| panic!("undisturbed: {wrong}"));
        scene.lines(0)
    };
    let told: Mutex<Vec<Told>> = Mutex::default();
    side_by_side(SIDE_BY_SIDE, turns, |turn| {
        // All over the run, from before it is claimed to after its end. What a machine does in a time differs with its load, and in
        // the longest part of a run nothing is said: so in turn by time and by what was said.
        let moment = match turn % 2 {
            0 => Moment::After(RUN * u32::try_from(turn).unwrap() / u32::try_from(turns).unwrap()),
            _ => Moment::Said((turn * lines).div_ceil(turns)),
        };
        let one = tell(&moment, turn % JUDGED == 0).map_err(|wrong| format!("killed at {moment:?}: {wrong}"))?;
        told.lock().unwrap().push(one);
        Ok(())
    });
    let told = told.into_inner().unwrap();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    told.iter().for_each(|one| *kinds.entry(one.at).or_default() += 1);
    let mut taken: Vec<Duration> = told.iter().filter_map(|one| one.taken_after).collect();
    taken.sort();
    assert!(taken.len() * 2 >= turns, "only {} of {turns} kills fell into the run: {told:?}", taken.len());
    println!(
        "{turns} servers killed ({kinds:?}), {} runs taken over, after {:.1} s at the median and {:.1} s at the latest",
        taken.len(),
        taken[taken.len() / 2].as_secs_f64(),
        taken[taken.len() - 1].as_secs_f64()
    );
}

/// When a server is killed.
#[derive(Debug)]
enum Moment {
    /// So long after the run was asked for.
    After(Duration),
    /// When it has said so many lines.
    Said(usize),
}

/// How a turn went.
#[derive(Debug)]
struct Told {
    /// What the run was at when its server was killed.
    at: &'static str,
    /// From the kill to the claim of the other.
    taken_after: Option<Duration>,
}

/// One turn: a run, a kill, and all that must hold afterwards.
fn tell(moment: &Moment, judged: bool) -> Result<Told, String> {
    let mut scene = Scene::new();
    scene.begin();
    match moment {
        Moment::After(time) => std::thread::sleep(*time),
        Moment::Said(lines) => {
            while scene.lines(0) < *lines && !is_over(&scene.run(0)) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    let before = scene.run(0);
    let holder = holder(&before);
    // Before it is claimed there is none: then it is the one that was asked.
    let victim = scene.servers.iter().position(|server| Some(server.id()) == holder).unwrap_or(0);
    scene.servers[victim].kill();
    let killed = Instant::now();
    let survivor = 1 - victim;
    let at = match before["state"].as_str().unwrap_or_default() {
        "waiting" => "before it was claimed",
        "running" => "at work",
        "done" => "after its end",
        other => return Err(format!("the run is {other}: {before}")),
    };
    let mut taken_after = None;
    if at == "at work" {
        while holder_of(&scene, survivor) != Some(scene.servers[survivor].id()) && !is_over(&scene.run(survivor)) {
            if killed.elapsed() > TAKEN_BY {
                return Err(format!("nobody took it over within {TAKEN_BY:?}: {}", scene.run(survivor)));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        taken_after = (holder_of(&scene, survivor) == Some(scene.servers[survivor].id())).then(|| killed.elapsed());
    }
    let run = scene.wait_for(survivor, 1)?;
    let said = scene.servers[survivor].call("/api/v1/runs/1/lines");
    let wrong = |what: String| format!("{what}\n  run: {run}\n  lines: {said}");
    if run["state"] != "done" {
        return Err(wrong("it did not end well".to_owned()));
    }
    if taken_after.is_some() && !said.to_string().contains("# taken over from ") {
        return Err(wrong("nothing says that it was taken over".to_owned()));
    }
    scene.holds(judged).map_err(wrong)?;
    // Once more: nothing is due, and the schedule still works.
    scene.servers[survivor].send("/jobs/keys/run");
    let again = scene.wait_for(survivor, 2)?;
    if again["state"] != "done" {
        return Err(format!("one more run did not end well: {again}"));
    }
    scene.holds(false).map_err(|what| format!("after one more run: {what}"))?;
    Ok(Told { at, taken_after })
}

/// Two services with two places each, and two servers that share a database and the files, and no state folder.
struct Scene {
    cloud: Cloud,
    home: Home,
    address: String,
    old: Vec<Key>,
    servers: [Server; 2],
}

impl Scene {
    fn new() -> Self {
        let cloud = Backend::Sandbox.open();
        let address = server().database();
        let mut home = Home::new(&cloud).profile("admin", &cloud.admin).file("sealing.key", SEALING_KEY);
        let mut settings =
            "[job.keys]\nrun = [\"rotate\", \"--all-services\", \"--yes\"]\nat = \"0 0 1 1 *\"\n".to_owned();
        let mut old = Vec::new();
        for service in SERVICES {
            let user = cloud.sandbox().add_user(&format!("service-{service}"), "/service/").unwrap();
            let key = user.add_access_key(cloud.sandbox().now() - jiff::SignedDuration::from_hours(24 * 200)).unwrap();
            let key = Key { id: key.id, secret: key.secret, token: None };
            let file = home.path(&format!("{service}.env")).display().to_string();
            let lines = format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", key.id, key.secret);
            home = home.profile(service, &key).file(&format!("{service}.env"), lines);
            write!(
                settings,
                "[service.{service}]\nprofile = \"admin\"\nmax-age = \"90d\"\nquiet-for = \"0s\"\n\
                 [[service.{service}.place]]\nkind = \"profile\"\nprofile = \"{service}\"\n\
                 [[service.{service}.place]]\nkind = \"env-file\"\npath = {file:?}\n"
            )
            .unwrap();
            old.push(key);
        }
        let home = home.file("akia.toml", settings);
        let path = |name: &str| home.path(name).to_str().unwrap().to_owned();
        let (config, sealing) = (path("akia.toml"), path("sealing.key"));
        let home = home
            .with("AKIA_CONFIG", &config)
            .with("AKIA_DATABASE", &address)
            .with("AKIA_SEALING_KEY_FILE", &sealing)
            .with("AWS_PROFILE", "admin");
        let servers = ["one", "two"].map(|name| {
            let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--allow-access-key"]);
            command.env("AKIA_STATE_DIR", home.path(name));
            Server::spawn(command)
        });
        Self { cloud, home, address, old, servers }
    }

    /// Asks for the run.
    fn begin(&self) {
        let made = self.servers[0].send("/jobs/keys/run");
        assert!(made.starts_with("HTTP/1.1 303") && made.contains("location: /runs/1"), "{made:.400}");
    }

    /// The run, as one of the servers tells it.
    fn run(&self, asked: usize) -> Value {
        self.servers[asked].call("/api/v1/runs/1")["run"].clone()
    }

    /// How many lines it has said.
    fn lines(&self, asked: usize) -> usize {
        self.servers[asked].call("/api/v1/runs/1/lines")["lines"].as_array().unwrap().len()
    }

    /// A run once it is over.
    fn wait_for(&self, asked: usize, id: usize) -> Result<Value, String> {
        let began = Instant::now();
        loop {
            let run = self.servers[asked].call(&format!("/api/v1/runs/{id}"))["run"].clone();
            if is_over(&run) {
                return Ok(run);
            }
            if began.elapsed() > PATIENCE {
                let lines = self.servers[asked].call(&format!("/api/v1/runs/{id}/lines"));
                return Err(format!("run {id} does not end: {run}\n{lines}"));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Each service has one new key and no more, it is whole in both of its places, the old one is shut, and the journal is at rest.
    fn holds(&self, judged: bool) -> Result<(), String> {
        for (service, old) in SERVICES.iter().zip(&self.old) {
            let user = format!("service-{service}");
            let keys = self.cloud.sandbox().keys().into_iter().filter(|key| key.user.as_deref() == Some(&user));
            let keys: BTreeMap<String, bool> = keys.map(|key| (key.id, key.active)).collect();
            let [profile, file] = [".aws/credentials", &format!("{service}.env")].map(|name| self.pair(name, service));
            let is_rotated =
                keys.len() == 2 && keys.get(&old.id) == Some(&false) && keys.get(&profile.id) == Some(&true);
            if !is_rotated || profile != file {
                let places = [&profile.id, &file.id];
                return Err(format!("{user} has {keys:?}, its places {places:?}, its old key was {}", old.id));
            }
            if judged
                && self.cloud.caller(&profile) != Ok(format!("arn:aws:iam::{}:user/service/{user}", self.cloud.account))
            {
                return Err(format!("the pair of {user} is refused"));
            }
        }
        let whole = self.home.akia(&["history", "verify"]);
        let left = self.home.akia(&["resume", "--yes", "--output", "json"]);
        if whole.code != 0 || left.code != 0 || left.json()["rotations"] != json!([]) {
            return Err(format!("the journal is not whole and at rest: {whole:?} {left:?}"));
        }
        let open = server().psql(&self.address, "SELECT count(*) FROM akia.run WHERE state IN ('waiting', 'running')");
        if open != "0" {
            return Err(format!("{open} runs are not over"));
        }
        Ok(())
    }

    /// The pair in a place.
    fn pair(&self, name: &str, service: &str) -> Key {
        let text = self.home.read(name);
        let section = text.split(&format!("[{service}]\n")).last().unwrap().split('[').next().unwrap();
        let value = |name: &str| {
            let lower = section.to_lowercase();
            let at = lower.find(name).map(|at| at + name.len());
            let rest = at.and_then(|at| section[at..].lines().next()).unwrap_or_default();
            rest.trim_start_matches([' ', '=']).to_owned()
        };
        Key { id: value("aws_access_key_id"), secret: value("aws_secret_access_key"), token: None }
    }
}

/// The process that a run is with.
fn holder(run: &Value) -> Option<u32> {
    run["holder"].as_str()?.rsplit_once(':')?.1.parse().ok()
}

fn holder_of(scene: &Scene, asked: usize) -> Option<u32> {
    holder(&scene.run(asked))
}

fn is_over(run: &Value) -> bool {
    !matches!(run["state"].as_str(), Some("waiting" | "running"))
}
