//! The outbox: what is to be told, what was told, and the proof of it. A database of its own in the state folder.
//!
//! Invariant: a message is written down before it is sent, and what would be sent before it goes out; so a crash loses none. One
//! process at a time sends a message: it claims the row in one transaction, for as long as a lease lasts. A message that is
//! found half sent after that *may* have arrived, and is sent again only where its channel bears two. Nothing here is a secret.
//!
//! ```text
//! pending ─ claimed ─ sending ─┬─ sent       with the receipt
//!    ▲                         ├─ pending    not delivered: again later, at longer and longer intervals
//!    │                         └─ dead       refused, given up, or nobody knows and the channel bears no second one
//!    └────── a person ─────────── dead ─ a person ─ dropped
//! ```

use std::sync::Arc;
use std::time::Duration;

use akia_core::digest;
use akia_core::ids::IdError;
use akia_core::notice::{Destination, Notice, NoticeId, NoticeKind};
use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;
use tokio::sync::Mutex;

use super::{Channels, DeliveryError, Receipt};
use crate::clock::Clock;
use crate::store::connection::{Beside, Opened, begin_writing, database_error};
use crate::store::{DatabaseAt, Home, StoreError};

/// The database in the state folder.
pub(crate) const DATABASE: Beside = Beside { file: "outbox.db", steps: &MIGRATIONS, page_size: None };
/// How long a sender may take before its message counts as half sent. The slowest channel makes some calls for each key.
const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// The first pause after a try that failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3_600);
/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Each step takes the file from one version to the next. Steps are only ever added. `postgres.sql` has the same columns.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT,
    content TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead', 'dropped')),
    attempts INTEGER NOT NULL DEFAULT 0,
    enqueued_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    lease_until INTEGER,
    claim TEXT,
    may_have_arrived INTEGER NOT NULL DEFAULT 0,
    body TEXT,
    body_digest TEXT,
    receipt TEXT,
    reason TEXT,
    UNIQUE (notice, channel)
) STRICT;
CREATE INDEX messages_by_state ON messages (state, due_at, id);
"];

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It is to be sent.
    Pending,
    /// Some process is sending it, or was when it ended.
    Sending,
    /// The service took it.
    Sent,
    /// It was given up: a person decides.
    Dead,
    /// A person has dropped it.
    Dropped,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Dead, Self::Dropped];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// A message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub id: i64,
    /// The notice.
    pub notice: NoticeId,
    /// What it is about.
    pub kind: NoticeKind,
    /// The channel.
    pub channel: String,
    /// The owner's own address, where it goes there.
    pub address: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Tries so far.
    pub attempts: u32,
    /// When it was put here.
    pub enqueued_at: Timestamp,
    /// When the next try is due.
    pub due_at: Timestamp,
    /// Until when a process has it for itself, while one sends it.
    pub claimed_until: Option<Timestamp>,
    /// Whether a try may have arrived that brought no receipt.
    pub may_have_arrived: bool,
    /// Proof of the delivery.
    pub receipt: Option<Receipt>,
    /// What was sent last: SHA-256 of it.
    pub body_digest: Option<String>,
    /// Why it is not sent, or was dropped.
    pub reason: Option<String>,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The message's number.
    pub id: i64,
    /// The notice.
    pub notice: NoticeId,
    /// The channel.
    pub channel: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service took it.
    Sent(Receipt),
    /// It will be tried again.
    Later {
        /// When.
        due_at: Timestamp,
        /// Why.
        reason: String,
    },
    /// It was given up.
    Dead {
        /// Why.
        reason: String,
    },
    /// Another process took it over while this one was sending, which counts as half sent.
    TakenOver,
}

/// How many messages there are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// To be sent, or being sent.
    pub waiting: u64,
    /// Sent.
    pub sent: u64,
    /// Given up.
    pub dead: u64,
}

/// Why the outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file cannot be used, or the database failed.
    #[error("the outbox: {0}")]
    Store(#[from] StoreError),
    /// The database is of a newer akia.
    #[error("the outbox {at} has version {found}; this akia knows versions up to {known}")]
    Newer {
        /// The database.
        at: DatabaseAt,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row cannot be read.
    #[error("message {id} of the outbox cannot be read: {reason}")]
    Unreadable {
        /// Its number.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A notice cannot be written down.
    #[error("notice {notice} cannot be written down: {reason}")]
    Unwritable {
        /// The notice.
        notice: NoticeId,
        /// Why not.
        reason: String,
    },
    /// There is no such message.
    #[error("the outbox has no message {id}")]
    NoSuch {
        /// Its number.
        id: i64,
    },
    /// It is not in a state in which that can be done.
    #[error("message {id} is {state}, and cannot be {wanted}", state = .state.as_str())]
    WrongState {
        /// Its number.
        id: i64,
        /// Where it stands.
        state: State,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The system has no randomness.
    #[error("the system has no randomness to give: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// Messages of this machine. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    at: DatabaseAt,
    connection: Arc<Mutex<AnyConnection>>,
}

impl Entry {
    /// Whether it is to be sent now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            State::Pending => self.due_at <= now,
            State::Sending => self.claimed_until.is_none_or(|until| until <= now),
            State::Sent | State::Dead | State::Dropped => false,
        }
    }
}

/// A message that this process may send.
struct Claimed {
    id: i64,
    token: String,
    notice: Notice,
    channel: String,
    address: Option<String>,
    attempts: u32,
    may_have_arrived: bool,
}

impl Outbox {
    /// Opens the outbox, making it where there is none: in a state folder with mode 0600.
    pub async fn open(home: impl Into<Home>) -> Result<Self, OutboxError> {
        Self::of(DATABASE.open(&home.into()).await?)
    }

    /// Opens the outbox if there is one, and makes none.
    pub async fn open_existing(home: impl Into<Home>) -> Result<Option<Self>, OutboxError> {
        DATABASE.open_existing(&home.into()).await?.map(Self::of).transpose()
    }

    fn of(opened: Opened) -> Result<Self, OutboxError> {
        match opened {
            Opened::Ready(at, connection) => Ok(Self { at, connection: Arc::new(Mutex::new(connection)) }),
            Opened::Newer { at, found, known } => Err(OutboxError::Newer { at, found, known }),
        }
    }

    /// Puts a message into the outbox, due at once. One that is there already, whatever its state, stays as it is: the same
    /// notice goes through a channel once. Gives its number.
    pub async fn enqueue(&self, notice: &Notice, to: &Destination, now: Timestamp) -> Result<i64, OutboxError> {
        let content = serde_json::to_string(notice)
            .map_err(|error| OutboxError::Unwritable { notice: notice.id.clone(), reason: error.to_string() })?;
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        let mut transaction = begin_writing(&mut connection, &self.at, "messages").await.map_err(&fails)?;
        sqlx::query(
            "INSERT INTO messages (notice, channel, kind, address, content, state, enqueued_at, due_at)
             VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7) ON CONFLICT (notice, channel) DO NOTHING",
        )
        .bind(notice.id.as_str())
        .bind(&to.channel)
        .bind(notice.kind.as_str())
        .bind(&to.address)
        .bind(content)
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await
        .map_err(&fails)?;
        let id = sqlx::query_scalar("SELECT id FROM messages WHERE notice = $1 AND channel = $2")
            .bind(notice.id.as_str())
            .bind(&to.channel)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&fails)?;
        transaction.commit().await.map_err(&fails)?;
        Ok(id)
    }

    /// Sends what is due, one message after another, `most` at most. `seed` draws the jitter of the pauses.
    pub async fn deliver_due(
        &self,
        channels: &Channels,
        clock: &dyn Clock,
        seed: u64,
        most: usize,
    ) -> Result<Vec<Delivered>, OutboxError> {
        let mut delivered = Vec::new();
        while delivered.len() < most {
            let Some(claimed) = self.claim(channels, clock.now(), None).await? else { break };
            delivered.push(self.send(claimed, channels, clock, seed).await?);
        }
        Ok(delivered)
    }

    /// Sends one message now, if it is pending; `None` where it is not.
    pub async fn deliver_one(
        &self,
        id: i64,
        channels: &Channels,
        clock: &dyn Clock,
        seed: u64,
    ) -> Result<Option<Delivered>, OutboxError> {
        match self.claim(channels, clock.now(), Some(id)).await? {
            Some(claimed) => self.send(claimed, channels, clock, seed).await.map(Some),
            None => Ok(None),
        }
    }

    /// The proof that a notice was delivered through a channel, if it was.
    pub async fn receipt(&self, notice: &NoticeId, channel: &str) -> Result<Option<Receipt>, OutboxError> {
        Ok(self.find(notice, channel).await?.and_then(|entry| entry.receipt))
    }

    /// The message of a notice through a channel.
    pub async fn find(&self, notice: &NoticeId, channel: &str) -> Result<Option<Entry>, OutboxError> {
        let mut connection = self.connection.lock().await;
        let row = sqlx::query("SELECT * FROM messages WHERE notice = $1 AND channel = $2")
            .bind(notice.as_str())
            .bind(channel)
            .fetch_optional(&mut *connection)
            .await
            .map_err(self.fails("read"))?;
        row.map(|row| self.entry(&row)).transpose()
    }

    /// All messages, the oldest first; of one state, where it is given.
    pub async fn list(&self, state: Option<State>) -> Result<Vec<Entry>, OutboxError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query("SELECT * FROM messages WHERE $1 IS NULL OR state = $1 ORDER BY id")
            .bind(state.map(State::as_str))
            .fetch_all(&mut *connection)
            .await
            .map_err(self.fails("read"))?;
        rows.iter().map(|row| self.entry(row)).collect()
    }

    /// What was sent last of a message, as it was sent but for secrets.
    pub async fn body(&self, id: i64) -> Result<Option<String>, OutboxError> {
        let mut connection = self.connection.lock().await;
        let body: Option<Option<String>> = sqlx::query_scalar("SELECT body FROM messages WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(self.fails("read"))?;
        body.ok_or(OutboxError::NoSuch { id })
    }

    /// How many messages wait, were sent, and were given up.
    pub async fn totals(&self) -> Result<Totals, OutboxError> {
        let mut totals = Totals::default();
        for entry in self.list(None).await? {
            match entry.state {
                State::Pending | State::Sending => totals.waiting += 1,
                State::Sent => totals.sent += 1,
                State::Dead => totals.dead += 1,
                State::Dropped => {}
            }
        }
        Ok(totals)
    }

    /// Has a message that was given up tried again from the start, at once. A person has decided: also one that may have
    /// arrived.
    pub async fn retry(&self, id: i64, now: Timestamp) -> Result<Entry, OutboxError> {
        self.change(id, "tried again", &[State::Dead, State::Pending], |query| {
            query.bind("pending").bind(None::<String>).bind(now.as_millisecond())
        })
        .await
    }

    /// Gives a message up for good. What was written down stays, with the reason.
    pub async fn drop(&self, id: i64, reason: &str, now: Timestamp) -> Result<Entry, OutboxError> {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        self.change(id, "dropped", &[State::Dead, State::Pending], |query| {
            query.bind("dropped").bind(Some(reason)).bind(now.as_millisecond())
        })
        .await
    }

    async fn change(
        &self,
        id: i64,
        wanted: &'static str,
        from: &[State],
        bind: impl FnOnce(Query<'_>) -> Query<'_>,
    ) -> Result<Entry, OutboxError> {
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        let mut transaction = begin_writing(&mut connection, &self.at, "messages").await.map_err(&fails)?;
        let row = sqlx::query("SELECT * FROM messages WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(&fails)?
            .ok_or(OutboxError::NoSuch { id })?;
        let entry = self.entry(&row)?;
        if !from.contains(&entry.state) {
            return Err(OutboxError::WrongState { id, state: entry.state, wanted });
        }
        bind(sqlx::query("UPDATE messages SET state = $1, reason = $2, due_at = $3, attempts = 0 WHERE id = $4"))
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(&fails)?;
        let row = sqlx::query("SELECT * FROM messages WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&fails)?;
        transaction.commit().await.map_err(&fails)?;
        self.entry(&row)
    }

    /// Takes the next message that is due, or the one that is named, for this process alone.
    async fn claim(
        &self,
        channels: &Channels,
        now: Timestamp,
        only: Option<i64>,
    ) -> Result<Option<Claimed>, OutboxError> {
        let token = format!("{:016x}", getrandom::u64()?);
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        let mut transaction = begin_writing(&mut connection, &self.at, "messages").await.map_err(&fails)?;
        // Whoever was sending these is gone, or hangs for longer than any channel may take.
        let lost = sqlx::query("SELECT id, channel FROM messages WHERE state = 'sending' AND lease_until <= $1")
            .bind(now.as_millisecond())
            .fetch_all(&mut *transaction)
            .await
            .map_err(&fails)?;
        for row in lost {
            let (id, channel): (i64, String) =
                (row.try_get("id").map_err(&fails)?, row.try_get("channel").map_err(&fails)?);
            let (state, reason) = match channels.may_send_again(&channel) {
                Some(true) => ("pending", "akia ended while it was sent; it may have arrived"),
                Some(false) => ("dead", "akia ended while it was sent: not known whether it arrived"),
                // Whoever has settings with that channel decides.
                None => continue,
            };
            sqlx::query(
                "UPDATE messages SET state = $1, reason = $2, due_at = $3, may_have_arrived = 1, claim = NULL WHERE id = $4",
            )
            .bind(state)
            .bind(reason)
            .bind(now.as_millisecond())
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(&fails)?;
        }
        let row = sqlx::query(
            "SELECT * FROM messages WHERE state = 'pending' AND ($1 IS NOT NULL AND id = $1 OR $1 IS NULL AND due_at <= $2)
             ORDER BY due_at, id LIMIT 1",
        )
        .bind(only)
        .bind(now.as_millisecond())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(&fails)?;
        let Some(row) = row else {
            transaction.commit().await.map_err(&fails)?;
            return Ok(None);
        };
        let entry = self.entry(&row)?;
        let content: String = row.try_get("content").map_err(&fails)?;
        let notice: Notice = serde_json::from_str(&content)
            .map_err(|error| OutboxError::Unreadable { id: entry.id, reason: error.to_string() })?;
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        sqlx::query(
            "UPDATE messages SET state = 'sending', claim = $1, lease_until = $2, attempts = attempts + 1 WHERE id = $3",
        )
        .bind(&token)
        .bind(until.as_millisecond())
        .bind(entry.id)
        .execute(&mut *transaction)
        .await
        .map_err(&fails)?;
        transaction.commit().await.map_err(&fails)?;
        Ok(Some(Claimed {
            id: entry.id,
            token,
            notice,
            channel: entry.channel,
            address: entry.address,
            attempts: entry.attempts + 1,
            may_have_arrived: entry.may_have_arrived,
        }))
    }

    async fn send(
        &self,
        claimed: Claimed,
        channels: &Channels,
        clock: &dyn Clock,
        seed: u64,
    ) -> Result<Delivered, OutboxError> {
        let result = self.attempt(&claimed, channels, clock).await?;
        let now = clock.now();
        let Claimed { id, token, notice, channel, attempts, may_have_arrived, .. } = claimed;
        let may_again = channels.may_send_again(&channel).unwrap_or(false);
        let pause = |asked: Option<Duration>| {
            let pause = pause(attempts, seed, id).max(asked.unwrap_or_default());
            now.saturating_add(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
        };
        let is_last = attempts >= channels.attempts();
        let given_up = |reason: String| Outcome::Dead { reason: format!("given up after {attempts} tries: {reason}") };
        let (outcome, may_have_arrived) = match result {
            Ok(receipt) => (Outcome::Sent(Receipt { may_be_second: may_have_arrived, ..receipt }), may_have_arrived),
            Err(error @ DeliveryError::Refused { .. }) => {
                (Outcome::Dead { reason: shortened(&error) }, may_have_arrived)
            }
            Err(error @ DeliveryError::NotDelivered { .. }) if is_last => {
                (given_up(shortened(&error)), may_have_arrived)
            }
            Err(error @ DeliveryError::NotDelivered { retry_after, .. }) => {
                (Outcome::Later { due_at: pause(retry_after), reason: shortened(&error) }, may_have_arrived)
            }
            Err(error @ DeliveryError::Unknown { .. }) if !may_again => {
                (Outcome::Dead { reason: shortened(&error) }, true)
            }
            Err(error @ DeliveryError::Unknown { .. }) if is_last => (given_up(shortened(&error)), true),
            Err(error @ DeliveryError::Unknown { .. }) => {
                (Outcome::Later { due_at: pause(None), reason: shortened(&error) }, true)
            }
        };
        let is_ours = self.record(id, &token, &outcome, may_have_arrived).await?;
        let outcome = if is_ours { outcome } else { Outcome::TakenOver };
        Ok(Delivered { id, notice: notice.id, channel, outcome })
    }

    /// Writes down what will be sent, and sends it. The outer error is of the outbox: then nothing was sent.
    async fn attempt(
        &self,
        claimed: &Claimed,
        channels: &Channels,
        clock: &dyn Clock,
    ) -> Result<Result<Receipt, DeliveryError>, OutboxError> {
        let channel = match channels.find(&claimed.channel) {
            Ok(channel) => channel,
            // Somebody may set the variable, or name the channel again.
            Err(error) => return Ok(Err(DeliveryError::not_delivered(error.to_string()))),
        };
        let now = clock.now();
        let message = match channels.render(&claimed.notice, claimed.address.as_deref(), now) {
            Ok(message) => message,
            Err(error) => return Ok(Err(DeliveryError::not_delivered(error.to_string()))),
        };
        let body = channel.body(&message);
        let digest = digest::full(body.as_bytes());
        {
            let mut connection = self.connection.lock().await;
            sqlx::query("UPDATE messages SET body = $1, body_digest = $2 WHERE id = $3 AND claim = $4")
                .bind(body)
                .bind(digest)
                .bind(claimed.id)
                .bind(&claimed.token)
                .execute(&mut *connection)
                .await
                .map_err(self.fails("write to"))?;
        }
        Ok(channel.deliver(&message, now).await)
    }

    /// Writes down how a try ended, if the message is still this process's. Says whether it was.
    async fn record(
        &self,
        id: i64,
        token: &str,
        outcome: &Outcome,
        may_have_arrived: bool,
    ) -> Result<bool, OutboxError> {
        let (state, due_at, receipt, reason) = match outcome {
            Outcome::Sent(receipt) => (State::Sent, None, serde_json::to_string(receipt).ok(), None),
            Outcome::Later { due_at, reason } => (State::Pending, Some(due_at.as_millisecond()), None, Some(reason)),
            Outcome::Dead { reason } => (State::Dead, None, None, Some(reason)),
            Outcome::TakenOver => return Ok(false),
        };
        let mut connection = self.connection.lock().await;
        let done = sqlx::query(
            "UPDATE messages SET state = $1, due_at = coalesce($2, due_at), receipt = $3, reason = $4, may_have_arrived = $5,
                claim = NULL, lease_until = NULL
             WHERE id = $6 AND claim = $7 AND state = 'sending'",
        )
        .bind(state.as_str())
        .bind(due_at)
        .bind(receipt)
        .bind(reason)
        .bind(i64::from(may_have_arrived))
        .bind(id)
        .bind(token)
        .execute(&mut *connection)
        .await
        .map_err(self.fails("write to"))?;
        Ok(done.rows_affected() == 1)
    }

    fn entry(&self, row: &AnyRow) -> Result<Entry, OutboxError> {
        let fails = self.fails("read");
        let id: i64 = row.try_get("id").map_err(&fails)?;
        let text = |name: &str| row.try_get::<String, _>(name).map_err(&fails);
        let maybe = |name: &str| row.try_get::<Option<String>, _>(name).map_err(&fails);
        let time = |name: &str| {
            row.try_get::<i64, _>(name).map(|at| Timestamp::from_millisecond(at).unwrap_or_default()).map_err(&fails)
        };
        let unreadable = |reason: String| OutboxError::Unreadable { id, reason };
        let state = text("state")?;
        let attempts: i64 = row.try_get("attempts").map_err(&fails)?;
        let receipt = maybe("receipt")?.map(|json| serde_json::from_str(&json)).transpose();
        Ok(Entry {
            id,
            notice: text("notice")?.parse().map_err(|error: IdError| unreadable(error.to_string()))?,
            kind: text("kind")?.parse().map_err(|_| unreadable("its kind is not known".to_owned()))?,
            channel: text("channel")?,
            address: maybe("address")?,
            state: State::ALL
                .into_iter()
                .find(|known| known.as_str() == state)
                .ok_or_else(|| unreadable("its state is not known".to_owned()))?,
            attempts: u32::try_from(attempts).unwrap_or_default(),
            enqueued_at: time("enqueued_at")?,
            due_at: time("due_at")?,
            claimed_until: row
                .try_get::<Option<i64>, _>("lease_until")
                .map_err(&fails)?
                .map(|until| Timestamp::from_millisecond(until).unwrap_or_default()),
            may_have_arrived: row.try_get::<i64, _>("may_have_arrived").map_err(&fails)? != 0,
            receipt: receipt.map_err(|error| unreadable(error.to_string()))?,
            body_digest: maybe("body_digest")?,
            reason: maybe("reason")?,
        })
    }

    fn fails(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> OutboxError + use<> {
        let at = self.at.clone();
        move |error| OutboxError::Store(database_error(doing, &at, &error))
    }
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Any, sqlx::any::AnyArguments>;

/// The pause after a try: a minute, then twice as long each time, a quarter more or less.
fn pause(attempt: u32, seed: u64, id: i64) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let whole = whole.min(LONGEST_PAUSE);
    let drawn = u32::from_str_radix(&digest::short(&format!("{seed}/{id}/{attempt}"))[..8], 16).unwrap_or_default();
    // From three to five quarters.
    whole.mul_f64(0.75 + 0.5 * f64::from(drawn) / f64::from(u32::MAX))
}

fn shortened(error: &DeliveryError) -> String {
    error.to_string().chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_up_to_their_limit() {
        for attempt in 1..=20 {
            let whole = (60_u64 << (attempt - 1)).min(LONGEST_PAUSE.as_secs());
            let pauses: Vec<u64> = (0..50).map(|id| pause(attempt, 7, id).as_secs()).collect();
            assert!(
                pauses.iter().all(|pause| (whole * 3 / 4..=whole * 5 / 4).contains(pause)),
                "{attempt}: {pauses:?}"
            );
            assert!(pauses.iter().collect::<std::collections::BTreeSet<_>>().len() > 10, "{attempt}: {pauses:?}");
        }
        assert_eq!(pause(3, 7, 1), pause(3, 7, 1), "the same seed draws the same");
        assert!(pause(u32::MAX, 7, 1) <= LONGEST_PAUSE.mul_f64(1.25));
    }
}
