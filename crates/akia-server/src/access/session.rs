//! One-time links, and the sessions that follow whatever let somebody in.
//!
//! Invariant: a session is worth what let its owner in is worth now. Where that line of the file of tokens, or that role of a group,
//! is gone or says something else, the session is over with the next request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::limit::Limit;
use super::oidc::Oidc;
use super::tokens::Tokens;
use super::{Refusal, Visitor};
use crate::database::{Database, DatabaseError, Sql, Value, number, refused, rows, run, text};
use crate::sight::Person;

/// How long a session lasts at most.
const SESSION_SECONDS: i64 = 12 * 3600;
/// How long it lasts without a request.
const IDLE_SECONDS: i64 = 2 * 3600;
/// How old the note of its last request may be, so that not every request writes.
const NOTE_SECONDS: i64 = 60;
/// How long a one-time link waits to be followed.
const LINK_SECONDS: i64 = 15 * 60;
/// The cookie's name; the prefix makes browsers insist on TLS, path and host.
const SECURE_COOKIE: &str = "__Host-akia";
/// Where there is no TLS, on this machine only.
const LOCAL_COOKIE: &str = "akia";

/// What a pass is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A link that lets one person in, once.
    Link,
    /// A session.
    Session,
    /// A login elsewhere that has begun.
    Login,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Session => "session",
            Self::Login => "login",
        }
    }
}

/// Who may come in, and who has.
#[derive(Debug, Clone)]
pub struct Access {
    database: Database,
    has_tls: bool,
    pub(super) is_behind_proxy: bool,
    pub(super) tokens: Option<Tokens>,
    pub(super) oidc: Option<Arc<Oidc>>,
    pub(super) limit: Arc<Limit>,
}

/// A link that lets one person in, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The path and query of it.
    pub path: String,
}

/// What let somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// A one-time link of whoever runs the server.
    Link,
    /// A token of that name.
    Token,
    /// The team's own login, with these groups.
    Oidc { groups: Vec<String> },
}

/// What is kept of a session.
#[derive(Debug, Serialize, Deserialize)]
struct Held {
    person: Person,
    source: Source,
}

impl Access {
    /// Of these tables; whether people come through TLS.
    #[must_use]
    pub fn new(database: Database, has_tls: bool) -> Self {
        Self { database, has_tls, is_behind_proxy: false, tokens: None, oidc: None, limit: Arc::default() }
    }

    /// And by these tokens.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// And by the team's own login.
    #[must_use]
    pub fn with_oidc(mut self, oidc: Oidc) -> Self {
        self.oidc = Some(Arc::new(oidc));
        self
    }

    /// Through a load balancer, whose word for where a request comes from is taken.
    #[must_use]
    pub fn behind_proxy(mut self) -> Self {
        self.is_behind_proxy = true;
        self
    }

    /// Whether people come through TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.has_tls
    }

    /// Makes a link for a person.
    ///
    /// # Errors
    /// When the database or the system's randomness fails.
    pub async fn link(&self, person: &Person, now: i64) -> Result<Link, DatabaseError> {
        let token = draw()?;
        self.keep(Kind::Link, &token, &person.name, &write(person)?, now, now + LINK_SECONDS).await?;
        Ok(Link { path: format!("/login?link={token}") })
    }

    /// The cookie of a session for whoever follows a link; `None` where it is spent, too old, or was never made.
    ///
    /// # Errors
    /// When the database or the system's randomness fails.
    pub async fn follow(&self, link: &str, now: i64) -> Result<Option<String>, DatabaseError> {
        let Some(person) = self.spend(Kind::Link, link, now).await? else { return Ok(None) };
        self.begin(&read(&person)?, Source::Link, now).await.map(Some)
    }

    /// Begins a session, and gives its cookie. Sessions of the same person with another role or other units end.
    pub(super) async fn begin(&self, person: &Person, source: Source, now: i64) -> Result<String, DatabaseError> {
        self.sweep(now).await?;
        let named = Sql::new("SELECT hash, held FROM access_pass WHERE kind = 'session' AND name = ");
        for row in self.database.rows("look for sessions", named.value(person.name.as_str())).await? {
            let held: Held = read(&text(&row, "held")?)?;
            if held.person != *person {
                self.end(&text(&row, "hash")?).await?;
            }
        }
        let token = draw()?;
        let held = write(&Held { person: person.clone(), source })?;
        self.keep(Kind::Session, &token, &person.name, &held, now, now + SESSION_SECONDS).await?;
        Ok(self.cookie_of(&token, SESSION_SECONDS, "Strict"))
    }

    /// Who sent these headers: by a token, else by a session.
    pub(super) async fn visitor(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        now: i64,
    ) -> Result<Option<Visitor>, Refusal> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
            });
            let person = self.token(token.unwrap_or_default(), address, now)?;
            return Ok(Some(Visitor { person, form_key: None }));
        }
        let Some(token) = self.cookie(headers) else { return Ok(None) };
        let hash = hash(&token);
        let sql = Sql::new("SELECT held, seen_at, ends_at FROM access_pass WHERE kind = 'session' AND hash = ");
        let rows = self.database.rows("look for a session", sql.value(hash.as_str())).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let seen_at = number(row, "seen_at")?;
        let held: Held = read(&text(row, "held")?)?;
        let is_over = number(row, "ends_at")? <= now || seen_at.saturating_add(IDLE_SECONDS) <= now;
        if is_over || !self.still_holds(&held) {
            self.end(&hash).await?;
            return Ok(None);
        }
        if now - seen_at >= NOTE_SECONDS {
            let sql = Sql::new("UPDATE access_pass SET seen_at = ").value(now).text(" WHERE hash = ").value(hash);
            self.database.run("note a session's request", sql).await?;
        }
        Ok(Some(Visitor { person: held.person, form_key: Some(form_key(&token)) }))
    }

    /// Whom a token stands for.
    pub(super) fn token(&self, token: &str, address: IpAddr, now: i64) -> Result<Person, Refusal> {
        if let Some(seconds) = self.limit.wait_of(address, now) {
            return Err(Refusal::TooOften { seconds });
        }
        match self.tokens.as_ref().and_then(|tokens| tokens.find(token)) {
            Some(person) => Ok(person),
            None => Err(self.failed(address, now)),
        }
    }

    /// Notes that somebody was wrong at the door.
    pub(super) fn failed(&self, address: IpAddr, now: i64) -> Refusal {
        tracing::warn!(%address, "somebody was not let in");
        self.limit.note(address, now).map_or(Refusal::Unknown, |seconds| Refusal::TooOften { seconds })
    }

    /// Ends the session of these headers, or all of the same person.
    pub(super) async fn leave(
        &self,
        headers: &HeaderMap,
        person: &Person,
        everywhere: bool,
    ) -> Result<String, DatabaseError> {
        if everywhere {
            let sql = Sql::new("DELETE FROM access_pass WHERE kind = 'session' AND name = ");
            self.database.run("end sessions", sql.value(person.name.as_str())).await?;
        } else if let Some(token) = self.cookie(headers) {
            self.end(&hash(&token)).await?;
        }
        Ok(self.cookie_of("", 0, "Strict"))
    }

    fn still_holds(&self, held: &Held) -> bool {
        let now = match &held.source {
            Source::Link => return true,
            Source::Token => self.tokens.as_ref().and_then(|tokens| tokens.named(&held.person.name)),
            Source::Oidc { groups } => self.oidc.as_ref().and_then(|oidc| oidc.person(&held.person.name, groups)),
        };
        now.as_ref() == Some(&held.person)
    }

    async fn end(&self, hash: &str) -> Result<(), DatabaseError> {
        self.database.run("end a session", Sql::new("DELETE FROM access_pass WHERE hash = ").value(hash)).await?;
        Ok(())
    }

    /// Takes away what is over.
    async fn sweep(&self, now: i64) -> Result<(), DatabaseError> {
        let sql = Sql::new("DELETE FROM access_pass WHERE ends_at <= ").value(now);
        let sql = sql.text(" OR (kind = 'session' AND seen_at <= ").value(now - IDLE_SECONDS).text(")");
        self.database.run("take old passes away", sql).await?;
        Ok(())
    }

    /// How many logins elsewhere have begun and not ended.
    pub(super) async fn pending(&self, now: i64) -> Result<i64, DatabaseError> {
        self.sweep(now).await?;
        let sql = Sql::new("SELECT COUNT(*) AS number FROM access_pass WHERE kind = 'login'");
        let rows = self.database.rows("count logins", sql).await?;
        rows.first().map_or(Ok(0), |row| number(row, "number"))
    }

    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        cookie(headers, if self.has_tls { SECURE_COOKIE } else { LOCAL_COOKIE })
    }

    fn cookie_of(&self, token: &str, seconds: i64, same_site: &str) -> String {
        let (name, secure) = if self.has_tls { (SECURE_COOKIE, "; Secure") } else { (LOCAL_COOKIE, "") };
        format!("{name}={token}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}")
    }

    /// Keeps a pass by its hash.
    pub(super) async fn keep(
        &self,
        kind: Kind,
        token: &str,
        name: &str,
        held: &str,
        now: i64,
        ends_at: i64,
    ) -> Result<(), DatabaseError> {
        let sql = Sql::new("INSERT INTO access_pass (hash, kind, name, held, seen_at, ends_at) VALUES ").row([
            Value::from(hash(token)),
            kind.as_str().into(),
            name.into(),
            held.into(),
            now.into(),
            ends_at.into(),
        ]);
        self.database.run("keep a pass", sql).await?;
        Ok(())
    }

    /// What is held of a pass that is good for one time; `None` where it is spent, too old, or was never made.
    pub(super) async fn spend(&self, kind: Kind, token: &str, now: i64) -> Result<Option<String>, DatabaseError> {
        let mut change = self.database.change().await?;
        let fits = |sql: Sql| sql.value(kind.as_str()).text(" AND hash = ").value(hash(token));
        let sql = fits(Sql::new("SELECT held FROM access_pass WHERE kind = ")).text(" AND ends_at > ").value(now);
        let found = rows(&mut change, "look for a pass", sql).await?;
        // Two who follow it at once: the row goes once.
        let spent = fits(Sql::new("DELETE FROM access_pass WHERE kind = "));
        let gone = run(&mut change, "spend a pass", spent).await?;
        change.commit().await.map_err(refused("spend a pass"))?;
        found.first().filter(|_| gone == 1).map(|row| text(row, "held")).transpose()
    }
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(one, _)| *one == name).map(|(_, value)| value.to_owned())
}

/// What a form of a session must bring along.
fn form_key(token: &str) -> String {
    hash(&format!("form {token}"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(held: &'a str) -> Result<T, DatabaseError> {
    serde_json::from_str(held).map_err(|error| DatabaseError::Strange { what: format!("a pass: {error}") })
}

pub(super) fn write(held: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(held)
        .map_err(|error| DatabaseError::Strange { what: format!("a pass that cannot be written: {error}") })
}

/// 32 bytes that nobody can guess.
pub(super) fn draw() -> Result<String, DatabaseError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| DatabaseError::Strange { what: format!("no randomness from the system: {error}") })?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What is kept of a pass. It has 256 bits that nobody chose, so that a plain hash is enough, and looking it up by its hash tells no
/// time of comparing.
pub(super) fn hash(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::scratch;
    use crate::sight::Role;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn person(role: Role) -> Person {
        Person { name: "ana@example.com".to_owned(), role, units: Vec::new() }
    }

    async fn who(access: &Access, cookie: &str, now: i64) -> Option<Visitor> {
        let pair = cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("other=1; {pair}").parse().unwrap());
        access.visitor(&headers, HOME, now).await.unwrap()
    }

    #[tokio::test]
    async fn a_session_ends_when_it_rests_and_when_it_is_old() {
        let (_folder, database) = scratch().await;
        let access = Access::new(database.clone(), false);
        let viewer = person(Role::Viewer);
        let cookie = access.begin(&viewer, Source::Link, 0).await.unwrap();
        assert_eq!(who(&access, &cookie, IDLE_SECONDS - 1).await.unwrap().person, viewer);
        let mut now = IDLE_SECONDS - 1;
        while now < SESSION_SECONDS - IDLE_SECONDS {
            now += IDLE_SECONDS - 1;
            assert!(who(&access, &cookie, now).await.is_some(), "used at {now}");
        }
        assert!(who(&access, &cookie, SESSION_SECONDS).await.is_none(), "used all the time, and over");
        let cookie = access.begin(&viewer, Source::Link, 0).await.unwrap();
        assert!(who(&access, &cookie, IDLE_SECONDS).await.is_none());
        assert!(who(&access, &cookie, 1).await.is_none(), "what is over stays over");
        access.begin(&viewer, Source::Link, 0).await.unwrap();
        access.begin(&viewer, Source::Link, SESSION_SECONDS).await.unwrap();
        let left = database.rows("test", Sql::new("SELECT hash FROM access_pass")).await.unwrap();
        assert_eq!(left.len(), 1, "old ones are taken away");
    }

    #[tokio::test]
    async fn another_role_ends_the_sessions_of_the_old_one_and_so_does_leaving_everywhere() {
        let (_folder, database) = scratch().await;
        let access = Access::new(database, false);
        let admin = access.begin(&person(Role::Admin), Source::Link, 0).await.unwrap();
        let viewer = access.begin(&person(Role::Viewer), Source::Link, 1).await.unwrap();
        assert!(who(&access, &admin, 2).await.is_none() && who(&access, &viewer, 2).await.is_some());
        let same = access.begin(&person(Role::Viewer), Source::Link, 2).await.unwrap();
        assert!(who(&access, &viewer, 2).await.is_some());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, same.split(';').next().unwrap().parse().unwrap());
        access.leave(&headers, &person(Role::Viewer), false).await.unwrap();
        assert!(who(&access, &viewer, 2).await.is_some() && who(&access, &same, 2).await.is_none());
        access.leave(&headers, &person(Role::Viewer), true).await.unwrap();
        assert!(who(&access, &viewer, 2).await.is_none());
    }

    #[tokio::test]
    async fn a_link_lets_one_in_once_and_in_time() {
        let (_folder, database) = scratch().await;
        let access = Access::new(database, true);
        let link = |path: &Link| path.path.split_once('=').unwrap().1.to_owned();
        let one = link(&access.link(&person(Role::Admin), 0).await.unwrap());
        let cookie = access.follow(&one, 1).await.unwrap().unwrap();
        assert!(cookie.starts_with("__Host-akia=") && cookie.ends_with("; Secure"), "{cookie}");
        assert!(access.follow(&one, 1).await.unwrap().is_none());
        let late = link(&access.link(&person(Role::Admin), 0).await.unwrap());
        assert!(access.follow(&late, LINK_SECONDS).await.unwrap().is_none());
        let session = cookie.split(['=', ';']).nth(1).unwrap();
        assert!(access.follow(session, 1).await.unwrap().is_none(), "a session is no link");
    }
}
