//! `akia serve` under a team that looks at it: many viewers at once on a large estate, each on a connection of their own, who open a
//! page, look at it for a while and open the next.

use super::figures;
use super::organization::{self, Spent};
use crate::command::{capture, cargo, command};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const SLOWEST_LIMIT: Duration = Duration::from_millis(250);
const MEMORY_LIMIT_MB: u64 = 400;
/// What the limits were set for.
const FULL_KEYS: u64 = 200_000;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What begins before the figures count: connections, and the first look of everybody at once.
const WARM_UP: Duration = Duration::from_secs(5);

/// How the server is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) accounts: u32,
    pub(crate) users: u32,
    pub(crate) viewers: u32,
    /// How long it is measured.
    pub(crate) seconds: u32,
    /// How long a viewer looks at a page, in the mean.
    pub(crate) pause: Duration,
}

/// Measures, and says the figures of each kind of page.
pub(crate) fn run(akia: &Path, load: Load) -> Result<super::Outcome, String> {
    let folder = organization::folder("serve")?;
    let state = folder.join("state");
    println!("making {} accounts with {} users each", load.accounts, load.users);
    let mut team = cargo(&["run", "--quiet", "--locked", "--package", "akia-server", "--example", "team", "--"]);
    team.arg(&state).args([load.accounts.to_string(), load.users.to_string()]);
    let (is_made, keys) = capture(&mut team)?;
    let keys: u64 = keys.trim().parse().ok().filter(|_| is_made).ok_or(format!("no team: {keys}"))?;
    let mut server = Server::start(akia, &folder)?;
    println!("ready after {}", figures::seconds(server.ready_after));
    let cookies = server.log_in(load.viewers)?;
    let begun = Instant::now();
    let (from, until) = (begun + WARM_UP, begun + WARM_UP + Duration::from_secs(u64::from(load.seconds)));
    let address = &server.address;
    let seen = thread::scope(|scope| {
        let viewers = cookies.iter().zip(1..).map(|(cookie, number)| {
            let viewer = Viewer { address, cookie, random: Random(number), keys: Vec::new(), stream: None };
            scope.spawn(move || viewer.look(load, from, until))
        });
        // All begin before the first is waited for.
        let viewers: Vec<_> = viewers.collect();
        let seen = viewers.into_iter().map(|viewer| viewer.join().map_err(|_| "a viewer panicked".to_owned())?);
        seen.collect::<Result<Vec<_>, String>>()
    })?;
    server.spent.look(server.child.id());
    let mut kinds: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (kind, took) in seen.into_iter().flatten() {
        kinds.entry(kind).or_default().push(took);
    }
    told(akia, load, keys, &server, kinds)
}

fn told(
    akia: &Path,
    load: Load,
    keys: u64,
    server: &Server,
    mut kinds: BTreeMap<&str, Vec<Duration>>,
) -> Result<super::Outcome, String> {
    let mut all: Vec<Duration> = kinds.values().flatten().copied().collect();
    let mut rows = Vec::new();
    for (kind, times) in &mut kinds {
        rows.push(row(kind, times));
    }
    rows.push(row("all", &mut all));
    let slowest = part(&all, 99);
    let a_second = u32::try_from(all.len()).map_or(f64::NAN, f64::from) / f64::from(load.seconds);
    let mut text = figures::table(&["pages", "opened", "p50", "p99", "slowest"], &rows);
    text.push_str(&format!(
        "\n{keys} keys in {} accounts, {} viewers, each looking at a page for {:.1} s in the mean: {a_second:.0} pages a second for {} s. \
         The server held {} MB at most, was ready after {} and used {} of processor time; its viewers ran on the same machine. \
         To reach: p99 {} ms, {MEMORY_LIMIT_MB} MB. {}",
        load.accounts,
        load.viewers,
        load.pause.as_secs_f64(),
        load.seconds,
        server.spent.peak_mb,
        figures::seconds(server.ready_after),
        figures::seconds(server.spent.processor),
        SLOWEST_LIMIT.as_millis(),
        figures::circumstances(&[super::akia_version(akia)?])
    ));
    let mut missed = Vec::new();
    if keys >= FULL_KEYS {
        if slowest > SLOWEST_LIMIT {
            missed.push(format!("p99 is {}", figures::milliseconds(slowest)));
        }
        if server.spent.peak_mb > MEMORY_LIMIT_MB {
            missed.push(format!("it held {} MB", server.spent.peak_mb));
        }
    }
    Ok(super::Outcome { text, missed: (!missed.is_empty()).then(|| missed.join(", ")) })
}

fn row(kind: &str, times: &mut [Duration]) -> Vec<String> {
    times.sort();
    let figure = |hundredth| figures::milliseconds(part(times, hundredth));
    vec![kind.to_owned(), times.len().to_string(), figure(50), figure(99), figure(100)]
}

/// The time that so many hundredths do not exceed; the times are sorted.
fn part(times: &[Duration], hundredths: usize) -> Duration {
    let last = (times.len() * hundredths).div_ceil(100).saturating_sub(1);
    times.get(last).copied().unwrap_or_default()
}

/// The server, and what it has used.
struct Server {
    child: Child,
    address: String,
    token: String,
    ready_after: Duration,
    spent: Spent,
}

impl Server {
    fn start(akia: &Path, folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let program = || {
            let mut program = command(akia);
            program.env_clear().env("HOME", folder).env("AKIA_STATE_DIR", folder.join("state"));
            program
        };
        let (_, made) = capture(program().args(["serve", "token", "bench", "--role", "viewer"]))?;
        let line = |begin: &str| made.lines().find(|line| line.starts_with(begin));
        let (token, line) = line("akia_").zip(line("bench ")).ok_or_else(|| format!("no token: {made}"))?;
        let (tokens, settings) = (folder.join("tokens"), folder.join("akia.toml"));
        fs::write(&tokens, format!("{line}\n")).map_err(failed)?;
        fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        fs::write(&settings, format!("[serve]\ntokens = {tokens:?}\n")).map_err(failed)?;
        let mut serve = program();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&settings).stdout(Stdio::piped());
        let begun = Instant::now();
        let mut child = serve.spawn().map_err(|error| format!("akia serve cannot be started: {error}"))?;
        let output = child.stdout.take().ok_or("akia serve has no output")?;
        let mut told = String::new();
        BufReader::new(output).read_line(&mut told).map_err(|error| format!("akia serve says nothing: {error}"))?;
        let address = told.trim().strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let address = address.ok_or_else(|| format!("akia serve does not say where it is: {told}"))?.to_owned();
        let (token, ready_after) = (token.to_owned(), begun.elapsed());
        Ok(Self { child, address, token, ready_after, spent: Spent::default() })
    }

    /// A session for each viewer, as a browser gets one.
    fn log_in(&self, viewers: u32) -> Result<Vec<String>, String> {
        (0..viewers)
            .map(|_| {
                let mut stream = connect(&self.address)?;
                let body = format!("token={}", self.token);
                let head =
                    format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n", body.len());
                let answer = ask(&mut stream, &self.address, "POST", "/login", &head, &body)?;
                let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
                let cookie = cookie.and_then(|cookie| cookie.split(';').next());
                cookie.map(str::to_owned).ok_or_else(|| format!("nobody is let in: {}", answer.head))
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who looks.
struct Viewer<'a> {
    address: &'a str,
    cookie: &'a str,
    random: Random,
    /// Pages of keys that the last list led to.
    keys: Vec<String>,
    stream: Option<BufReader<TcpStream>>,
}

impl Viewer<'_> {
    /// Opens pages until then; those that were opened after `from` count.
    fn look(mut self, load: Load, from: Instant, until: Instant) -> Result<Vec<(&'static str, Duration)>, String> {
        let cookie = format!("cookie: {}\r\n", self.cookie);
        let mut seen = Vec::new();
        // They do not all come at once.
        thread::sleep(self.pause(load.pause));
        while Instant::now() < until {
            let (kind, path) = self.next(load.accounts);
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => connect(self.address)?,
            };
            let began = Instant::now();
            let answer = ask(&mut stream, self.address, "GET", &path, &cookie, "")?;
            let took = began.elapsed();
            if !answer.head.starts_with("HTTP/1.1 200") {
                return Err(format!("{path}: {}", answer.head));
            }
            self.stream = Some(stream);
            if kind.starts_with("keys") {
                let links = answer.body.split("href=\"/keys/").skip(1).filter_map(|rest| rest.split('"').next());
                self.keys = links.map(|name| format!("/keys/{name}")).collect();
            }
            if began >= from {
                seen.push((kind, took));
            }
            thread::sleep(self.pause(load.pause));
        }
        Ok(seen)
    }

    /// Between half and one and a half of the mean.
    fn pause(&mut self, mean: Duration) -> Duration {
        mean / 2 + mean * self.random.below(1_000) / 1_000
    }

    /// What is opened next: much is asked for by few people in the same way, and words and accounts by each in their own.
    fn next(&mut self, accounts: u32) -> (&'static str, String) {
        let random = &mut self.random;
        let days = [30, 90, 180, 365];
        let filters = [
            "active=true&older-than=90",
            "active=true&unused-for=90",
            "active=true&ownerless=true",
            "severity=high&sort=owner",
            "worst=medium",
            "active=true&older-than=90&not-older-than=180&unused-for=30&used-within=90&last-use=used",
            "active=true&older-than=90&sort=user",
        ];
        let sorts = ["severity", "age", "last-used", "user", "owner", "key"];
        match random.below(100) {
            0..15 => ("estate", "/".to_owned()),
            15..35 => {
                let (sort, page) = (random.pick(&sorts), random.below(20) * random.below(20));
                ("keys, sorted", format!("/keys?sort={sort}&page={page}"))
            }
            35..50 => ("keys, narrowed", format!("/keys?{}", random.pick(&filters))),
            50..55 => {
                let (days, account) = (random.pick(&days), 900_000_000_000 + u64::from(random.below(accounts)));
                ("keys, narrowed", format!("/keys?account={account}&older-than={days}"))
            }
            55..60 => {
                ("keys, narrowed", format!("/keys?unused-for={}&older-than={}", random.below(400), random.below(400)))
            }
            60..70 => ("keys, searched", format!("/keys?search=person{}", random.below(accounts * 100))),
            70..75 => ("keys, searched", format!("/keys?search=payments+{}", random.below(100))),
            75..90 if !self.keys.is_empty() => {
                let number = self.random.below(u32::try_from(self.keys.len()).unwrap_or(1));
                let key = self.keys.get(number as usize).cloned().unwrap_or_default();
                ("a key", key)
            }
            _ => ("campaign", "/campaign".to_owned()),
        }
    }
}

fn connect(address: &str) -> Result<BufReader<TcpStream>, String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true).map_err(|error| format!("{address}: {error}"))?;
    Ok(BufReader::new(stream))
}

struct Answer {
    /// Names in small letters, as the server sends them.
    head: String,
    body: String,
}

/// One request, and its whole answer; the connection stays.
fn ask(
    stream: &mut BufReader<TcpStream>,
    host: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Result<Answer, String> {
    let failed = |error: std::io::Error| format!("{path}: {error}");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n{body}");
    stream.get_mut().write_all(request.as_bytes()).map_err(failed)?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).map_err(failed)? == 0 {
            return Err(format!("{path}: the connection ended after {head:?}"));
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut bytes = vec![0; length.ok_or_else(|| format!("{path}: no length in {head}"))?];
    stream.read_exact(&mut bytes).map_err(failed)?;
    Ok(Answer { head, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Numbers that look like chance, and are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x6a09_e667_f3bc_c909);
        self.0 ^= self.0 >> 31;
        u32::try_from((self.0 >> 16) % u64::from(limit.max(1))).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).unwrap_or(1)) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99_is_what_a_hundredth_exceeds() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(part(&times, 99), Duration::from_millis(198));
        assert_eq!(part(&times, 50), Duration::from_millis(100));
        assert_eq!(part(&times, 100), Duration::from_millis(200));
        assert_eq!(part(&[], 99), Duration::ZERO);
    }

    #[test]
    fn chance_reaches_every_kind_of_page() {
        let mut viewer =
            Viewer { address: "", cookie: "", random: Random(7), keys: vec!["/keys/a".to_owned()], stream: None };
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for _ in 0..1_000 {
            *kinds.entry(viewer.next(2_000).0).or_default() += 1;
        }
        assert!(kinds.len() == 6 && kinds.values().all(|count| (60..500).contains(count)), "{kinds:?}");
    }
}
