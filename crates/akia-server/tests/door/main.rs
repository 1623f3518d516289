//! The door of `akia serve`, knocked at from outside: a real listener, and requests written byte by byte.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod login;
mod matrix;
mod provider;
mod secrets;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use akia_io::clock::{Clock as _, SystemClock};
use akia_io::state::StateFolder;
use akia_io::store::snapshots::Snapshots;
use akia_server::Database;
use akia_server::access::{Access, Tokens, new_token};
use akia_server::demo::{self, Size};
use akia_server::sight::{Person, Role};
use akia_server::tls::Tls;
use akia_server::web::{self, Parts, Patience, Shared};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The owner of some keys of the demonstration.
const OWNER: &str = "shop@example.com";
/// The server's patience in these tests.
const HEAD: Duration = Duration::from_secs(3);
/// Longer than the server waits for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server with a small team, and a token of each role.
struct House {
    address: SocketAddr,
    shared: Shared,
    folder: TempDir,
    tokens: BTreeMap<Role, String>,
}

impl House {
    async fn build(with: impl FnOnce(Access, SocketAddr) -> Access, tls: Option<Tls>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let audits = Snapshots::open(&state).await.unwrap();
        demo::keep(&audits, Size { accounts: 9, users: 10 }, SystemClock.now()).await.unwrap();
        let database = Database::sqlite(&folder.path().join("serve.db")).await.unwrap();
        let mut tokens = BTreeMap::new();
        let mut lines = String::new();
        for role in Role::ALL {
            let name = if role == Role::Owner { OWNER.to_owned() } else { format!("the-{role}") };
            let made = new_token(&Person { name, role, units: Vec::new() }).unwrap();
            tokens.insert(role, made.token);
            lines.push_str(&format!("{}\n", made.line));
        }
        let path = folder.path().join("tokens");
        write_private(&path, &lines);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let access = Access::new(database.clone(), tls.is_some()).with_tokens(Tokens::open(&path).unwrap());
        let hosts = vec![address.to_string()];
        let parts = Parts::new(database, &state, with(access, address), hosts, Arc::new(SystemClock));
        let shared = Shared::new(parts);
        shared.estate.refresh(&audits, &shared.settings).await.unwrap();
        let patience = Patience { head: HEAD, ..Patience::default() };
        tokio::spawn(web::serve_with(listener, shared.clone(), tls, patience, std::future::pending()));
        Self { address, shared, folder, tokens }
    }

    async fn plain() -> Self {
        Self::build(|access, _| access, None).await
    }

    /// Sends bytes and reads until the server has ended the connection.
    async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has answered already may take no more.
        let _ = stream.write_all(bytes.as_ref()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the server hangs: {}", String::from_utf8_lossy(&answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request with these headers, on a connection of its own.
    async fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let form = if body.is_empty() { "" } else { "content-type: application/x-www-form-urlencoded\r\n" };
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}{form}{length}\r\n{body}",
            self.address
        ))
        .await
    }

    async fn get(&self, target: &str, headers: &str) -> String {
        self.ask("GET", target, headers, "").await
    }

    fn bearer(&self, role: Role) -> String {
        format!("authorization: Bearer {}\r\n", self.tokens[&role])
    }

    /// The header of a session of that role.
    async fn session(&self, role: Role) -> String {
        let answer = self.ask("POST", "/login", "", &format!("token={}", self.tokens[&role])).await;
        format!("cookie: {}\r\n", cookie(&answer).unwrap())
    }
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn status(answer: &str) -> u16 {
    let words = answer.split(' ').nth(1);
    words.and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:.200}"))
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let mut pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    pairs.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The cookie that an answer sets, as a browser sends it.
fn cookie(answer: &str) -> Option<&str> {
    header(answer, "set-cookie")?.split(';').next()
}

fn form_key(page: &str) -> &str {
    page.split("name=\"form_key\" value=\"").nth(1).unwrap().split('"').next().unwrap()
}
