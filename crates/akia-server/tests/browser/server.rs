//! A server with the made-up team, and requests to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_core::enforce::{EnforcePolicy, Evidenced, Exemption, PlanInput};
use akia_core::rule::AuditSettings;
use akia_io::clock::SystemClock;
use akia_io::state::StateFolder;
use akia_io::store::SqlStore;
use akia_io::store::snapshots::Snapshots;
use akia_server::Database;
use akia_server::access::Access;
use akia_server::demo::{self, Size};
use akia_server::estate::{Estate, Question, Sort};
use akia_server::schedule::{Engine, Program};
use akia_server::sight::{Person, Role, Sight};
use akia_server::web::{self, Parts, Shared};
use jiff::{SignedDuration, Timestamp};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of a plan that waits to be approved.
pub(crate) const PLAN: i64 = 1;
/// What runs instead of akia: it says a line now and then, and that it was asked to end.
const SCRIPT: &str = "#!/bin/sh\ntrap 'echo ended in order; exit 5' TERM\nfor step in 1 2 3 4 5 6; do echo \"step $step\"; sleep 0.5; done\n";

/// What enforcement would do in the made-up team.
fn plan(size: Size, at: Timestamp) -> String {
    let estates: Vec<_> = (0..size.accounts).map(|number| demo::account(number, size.users, at)).collect();
    let policy = EnforcePolicy { exemptions: Vec::new(), ..demo::policy(size, at) };
    let input = PlanInput {
        evidence: Evidenced { audit: 1, at, accounts: estates.len(), active_keys: 900 },
        estates: &estates,
        audit: &AuditSettings::default(),
        policy: &policy,
        stopped: None,
        cases: &[],
        seen: &BTreeMap::new(),
        only_accounts: &BTreeSet::new(),
        by: "the schedule",
        now: at,
    };
    let mut number = 0_u32;
    let plan = akia_core::enforce::plan(&input, || {
        number += 1;
        format!("c-{number:016x}").parse().unwrap()
    });
    serde_json::json!({ "schema": "akia.enforce-plan/1", "plan": plan.unwrap() }).to_string()
}

/// What an admin has granted already, for the last of the keys.
async fn exemption(shared: &Shared, now: Timestamp) -> Exemption {
    let last = Question { sort: Sort::Key, reverse: true, size: 1, ..Question::default() };
    let row = shared.estate.keys(&Sight::ALL, &last, now.as_second()).await.unwrap().rows.remove(0);
    Exemption {
        account: row.account_id.parse().unwrap(),
        user: None,
        key: Some(row.key_id.unwrap().parse().unwrap()),
        owner: "shop@example.com".to_owned(),
        reason: "the vendor's device cannot take another key before its next release".to_owned(),
        ticket: "SEC-42".to_owned(),
        approver: "root@example.com".to_owned(),
        granted: now,
        expires: now + SignedDuration::from_hours(24 * 30),
    }
}

fn engine(shared: &Shared, folder: &Path) -> Engine {
    let path = folder.join("akia");
    std::fs::write(&path, SCRIPT).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Engine {
        runs: shared.runs.clone(),
        plans: shared.plans.clone(),
        jobs: Arc::clone(&shared.jobs),
        switch: shared.switch.clone(),
        grants: shared.grants.clone(),
        program: Program { path, variables: Vec::new() },
        replica: "one".to_owned(),
        clock: Arc::new(SystemClock),
    }
}

/// A server on this machine, as long as the value lives.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    access: Access,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Server {
    /// A file of the server's state folder, where it is there.
    pub(crate) fn state(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join("state").join(file)).ok()
    }

    /// With the team's last audit made now, and some smaller ones before it.
    pub(crate) fn start(size: Size, audits: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let now = Timestamp::now();
        let (address, access) = runtime.block_on(async {
            let state = StateFolder::open(&folder.path().join("state")).unwrap();
            let kept = Snapshots::open(&state).await.unwrap();
            for back in (0..audits).rev() {
                let at = now - SignedDuration::from_hours(24 * i64::from(back));
                let accounts = size.accounts - back.min(size.accounts / 2);
                demo::keep(&kept, Size { accounts, ..size }, at).await.unwrap();
            }
            let database = Database::sqlite(&folder.path().join("serve.db")).await.unwrap();
            Estate::new(database.clone()).refresh(&kept, &AuditSettings::default()).await.unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let access = Access::new(database.clone(), false);
            let hosts = vec![address.to_string()];
            let parts = Parts::new(database, &state, access.clone(), hosts, Arc::new(SystemClock));
            let shared = Shared::new(Parts { enforce: Some(demo::policy(size, now)), ..parts });
            let journal = SqlStore::open(&state).await.unwrap();
            demo::tell(&journal, size, now).await.unwrap();
            demo::expose(&kept, size, now).await.unwrap();
            shared.records.follow(&journal, &kept, now).await.unwrap();
            shared.plans.keep(PLAN, &plan(size, now)).await.unwrap();
            shared.grants.grant(&exemption(&shared, now).await).await.unwrap();
            tokio::spawn(engine(&shared, folder.path()).work());
            tokio::spawn(web::serve(listener, shared, std::future::pending()));
            (address, access)
        });
        Self { address, access, runtime, folder }
    }

    /// A one-time link for somebody who sees everything.
    pub(crate) fn link(&self) -> String {
        self.link_as(Role::Viewer)
    }

    /// The same for somebody who may do more than look.
    pub(crate) fn link_as(&self, role: Role) -> String {
        let person = Person { name: "sam@example.com".to_owned(), role, units: Vec::new() };
        let link = self.runtime.block_on(self.access.link(&person, Timestamp::now().as_second())).unwrap();
        format!("http://{}{}", self.address, link.path)
    }

    /// The cookie of a session of somebody who sees everything.
    pub(crate) fn cookie(&self) -> String {
        self.cookie_of(Role::Viewer)
    }

    /// The same for somebody else, called by their role: of one person there is no session but of their last role.
    pub(crate) fn cookie_of(&self, role: Role) -> String {
        let person = Person { name: format!("{role}@example.com"), role, units: Vec::new() };
        let now = Timestamp::now().as_second();
        let cookie = self.runtime.block_on(async {
            let link = self.access.link(&person, now).await.unwrap();
            self.access.follow(link.path.split_once('=').unwrap().1, now).await.unwrap().unwrap()
        });
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One request on a connection of its own.
pub(crate) fn request(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    // chromedriver keeps the connection, whatever it is asked: the length says where the answer ends.
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 << 10]);
    while !is_whole(&bytes) {
        match stream.read(&mut part).unwrap() {
            0 => break,
            length => bytes.extend_from_slice(&part[..length]),
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let head = head.to_ascii_lowercase();
    let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
    Answer { status, head, body }
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_some_and(|length| bytes.len() >= end + 4 + length.trim().parse::<usize>().unwrap())
}

/// The body of an answer that came in parts; its last part must be there.
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").expect("an answer broke off");
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body += &after[..length];
        rest = &after[length + 2..];
    }
}
