//! One-time links and the sessions that follow.

use axum::http::{HeaderMap, header};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

use super::Visitor;
use crate::database::{Database, DatabaseError, Sql, Value, maybe_text, run, text};
use crate::sight::Person;

/// How long a session lasts.
const SESSION_SECONDS: i64 = 12 * 3600;
/// How long a one-time link waits to be followed.
const LINK_SECONDS: i64 = 15 * 60;
/// The cookie's name; the prefix makes browsers insist on TLS, path and host.
const SECURE_COOKIE: &str = "__Host-akia";
/// Where there is no TLS, on this machine only.
const LOCAL_COOKIE: &str = "akia";

/// Who may come in, and who has.
#[derive(Debug, Clone)]
pub struct Access {
    database: Database,
    has_tls: bool,
}

/// A link that lets one person in, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The path and query of it.
    pub path: String,
}

impl Access {
    /// Of these tables; whether people come through TLS.
    #[must_use]
    pub fn new(database: Database, has_tls: bool) -> Self {
        Self { database, has_tls }
    }

    /// Makes a link for a person.
    ///
    /// # Errors
    /// When the database or the system's randomness fails.
    pub async fn link(&self, person: &Person, now: i64) -> Result<Link, DatabaseError> {
        let token = self.keep("link", person, now + LINK_SECONDS).await?;
        Ok(Link { path: format!("/login?link={token}") })
    }

    /// The cookie of a session for whoever follows a link; `None` where it is spent, too old, or was never made.
    ///
    /// # Errors
    /// When the database or the system's randomness fails.
    pub async fn follow(&self, link: &str, now: i64) -> Result<Option<String>, DatabaseError> {
        let mut change = self.database.change().await?;
        let sql = Sql::new("SELECT person FROM access_pass WHERE kind = 'link' AND hash = ").value(hash(link));
        let sql = sql.text(" AND ends_at > ").value(now);
        let found = crate::database::rows(&mut change, "look for a link", sql).await?;
        let spent = Sql::new("DELETE FROM access_pass WHERE kind = 'link' AND hash = ").value(hash(link));
        // Two who follow it at once: the row goes once.
        let gone = run(&mut change, "spend a link", spent).await?;
        change.commit().await.map_err(crate::database::refused("spend a link"))?;
        let Some(row) = found.first().filter(|_| gone == 1) else { return Ok(None) };
        let person = read(&text(row, "person")?)?;
        self.begin(&person, now).await.map(Some)
    }

    /// Begins a session, and gives its cookie.
    ///
    /// # Errors
    /// When the database or the system's randomness fails.
    pub async fn begin(&self, person: &Person, now: i64) -> Result<String, DatabaseError> {
        let token = self.keep("session", person, now + SESSION_SECONDS).await?;
        let (name, secure) = if self.has_tls { (SECURE_COOKIE, "; Secure") } else { (LOCAL_COOKIE, "") };
        Ok(format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}{secure}"))
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn visitor(&self, headers: &HeaderMap, now: i64) -> Result<Option<Visitor>, DatabaseError> {
        let Some(token) = self.cookie(headers) else { return Ok(None) };
        let sql = Sql::new("SELECT person FROM access_pass WHERE kind = 'session' AND hash = ").value(hash(&token));
        let rows = self.database.rows("look for a session", sql.text(" AND ends_at > ").value(now)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let person = maybe_text(row, "person")?.unwrap_or_default();
        Ok(Some(Visitor { person: read(&person)?, form_key: Some(hash(&format!("form {token}"))) }))
    }

    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        let name = if self.has_tls { SECURE_COOKIE } else { LOCAL_COOKIE };
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(one, _)| *one == name).map(|(_, value)| value.to_owned())
    }

    /// Keeps a pass by its hash, and gives the pass.
    async fn keep(&self, kind: &'static str, person: &Person, ends_at: i64) -> Result<String, DatabaseError> {
        let token = draw()?;
        let person = serde_json::to_string(person)
            .map_err(|error| DatabaseError::Strange { what: format!("a person who cannot be written: {error}") })?;
        let sql = Sql::new("INSERT INTO access_pass (hash, kind, person, ends_at) VALUES ").row([
            Value::from(hash(&token)),
            kind.into(),
            person.into(),
            ends_at.into(),
        ]);
        self.database.run("keep a pass", sql).await?;
        Ok(token)
    }
}

fn read(person: &str) -> Result<Person, DatabaseError> {
    serde_json::from_str(person).map_err(|error| DatabaseError::Strange { what: format!("a person: {error}") })
}

/// 32 bytes that nobody can guess.
fn draw() -> Result<String, DatabaseError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| DatabaseError::Strange { what: format!("no randomness from the system: {error}") })?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What is kept of a pass. It has 256 bits that nobody chose, so that a plain hash is enough, and looking it up by its hash tells no
/// time of comparing.
fn hash(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}
