//! Events about keys, and what AWS said of their users: beside the kept audits, which they amend.
//!
//! Invariant: a message is taken off its queue only after its row is here. A row has the id of its event, so that a second
//! delivery finds it. What could not be read is kept as it came.

use akia_core::digest;
use akia_core::estate::{Amended, Estate, KeyExposure, UserLook, amend};
use akia_core::event::Event;
use akia_core::ids::AccountId;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::snapshots::{Entry, SnapshotError, Snapshots};

/// How long what concerned no key is remembered: SQS hands nothing out after 14 days.
const IGNORED_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The table, as a step of the database's migrations. Each index would cost a page of 16 KiB in every database; there are few
/// events.
pub(super) const TABLE: &str = "
CREATE TABLE events (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    event TEXT,
    looks TEXT NOT NULL,
    exposures TEXT NOT NULL,
    body TEXT
) STRICT, WITHOUT ROWID;
";

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// AWS was asked, and what it said amends the inventory.
    Applied,
    /// AWS could not be asked: the event is a hint, and no more.
    Unconfirmed,
    /// It concerns no key.
    Ignored,
    /// It is no event that akia can read.
    Unreadable,
}

impl EventState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Applied, Self::Unconfirmed, Self::Ignored, Self::Unreadable];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unconfirmed => "unconfirmed",
            Self::Ignored => "ignored",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An event that was taken from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The id of the event; of what cannot be read, a hash of its text.
    pub id: String,
    /// When it happened; of what cannot be read, when it came.
    pub at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Whom AWS was asked at: `aws`, or the address that stood in its place.
    pub source: String,
    /// What became of it.
    pub state: EventState,
    /// That in words.
    pub detail: String,
    /// What it says.
    pub event: Option<Event>,
    /// What AWS said of the users that it is about.
    pub looks: Vec<UserLook>,
    /// Keys that others may know, and that AWS still has.
    pub exposures: Vec<KeyExposure>,
    /// The text of what cannot be read.
    pub body: Option<String>,
}

/// The id of a message that is no event.
#[must_use]
pub fn unreadable_id(body: &str) -> String {
    format!("unreadable-{}", digest::long(body))
}

impl Snapshots {
    /// Writes an event down, over what stands there of it.
    pub async fn put_event(&self, row: &EventRow) -> Result<(), SnapshotError> {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        sqlx::query(
            "INSERT INTO events (id, at, received_at, source, state, detail, event, looks, exposures, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (id) DO UPDATE SET at = excluded.at, received_at = excluded.received_at, source = excluded.source,
                state = excluded.state, detail = excluded.detail, event = excluded.event, looks = excluded.looks,
                exposures = excluded.exposures, body = excluded.body",
        )
        .bind(&row.id)
        .bind(row.at.as_millisecond())
        .bind(row.received_at.as_millisecond())
        .bind(&row.source)
        .bind(row.state.as_str())
        .bind(&row.detail)
        .bind(row.event.as_ref().map(|event| json(serde_json::to_string(event))))
        .bind(json(serde_json::to_string(&row.looks)))
        .bind(json(serde_json::to_string(&row.exposures)))
        .bind(&row.body)
        .execute(&mut *connection)
        .await
        .map_err(&fails)?;
        let old = row.received_at.checked_sub(IGNORED_KEPT).map_or(i64::MIN, Timestamp::as_millisecond);
        sqlx::query("DELETE FROM events WHERE state = 'ignored' AND received_at < $1")
            .bind(old)
            .execute(&mut *connection)
            .await
            .map_err(&fails)?;
        Ok(())
    }

    /// An event by its id.
    pub async fn event(&self, id: &str) -> Result<Option<EventRow>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let row = sqlx::query("SELECT * FROM events WHERE id = $1").bind(id).fetch_optional(&mut *connection).await;
        row.map_err(self.fails("read"))?.map(|row| self.event_of(&row)).transpose()
    }

    /// The latest events, the latest first; those of one state, where one is given.
    pub async fn events(&self, state: Option<EventState>, most: u32) -> Result<Vec<EventRow>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT * FROM events WHERE $1 IS NULL OR state = $1 ORDER BY received_at DESC, at DESC, id LIMIT $2",
        )
        .bind(state.map(EventState::as_str))
        .bind(i64::from(most))
        .fetch_all(&mut *connection)
        .await
        .map_err(self.fails("read"))?;
        rows.iter().map(|row| self.event_of(row)).collect()
    }

    /// How many events there are of each state.
    pub async fn event_counts(&self) -> Result<Vec<(EventState, u64)>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let mut counts = Vec::new();
        for state in EventState::ALL {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE state = $1")
                .bind(state.as_str())
                .fetch_one(&mut *connection)
                .await
                .map_err(self.fails("read"))?;
            counts.push((state, u64::try_from(count).unwrap_or_default()));
        }
        Ok(counts)
    }

    /// What AWS said of users after events, of one source, since a moment.
    pub async fn looks_since(&self, source: &str, since: Timestamp) -> Result<Vec<UserLook>, SnapshotError> {
        let rows = self.applied(source, since).await?;
        Ok(rows.into_iter().flat_map(|row| row.looks).collect())
    }

    /// Whether a kept audit of a source has read the account.
    pub async fn has_read(&self, source: &str, account: &AccountId) -> Result<bool, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM bodies JOIN audits ON audits.id = bodies.audit
             WHERE account = $1 AND source = $2 AND is_read <> 0",
        )
        .bind(account.as_str())
        .bind(source)
        .fetch_one(&mut *connection)
        .await
        .map_err(self.fails("read"))?;
        Ok(found != 0)
    }

    /// Keys that AWS has said others may know, of one source.
    pub async fn exposures(&self, source: &str) -> Result<Vec<KeyExposure>, SnapshotError> {
        let rows = self.applied(source, Timestamp::MIN).await?;
        Ok(rows.into_iter().flat_map(|row| row.exposures).collect())
    }

    /// Hands over the accounts of a kept audit, one at a time, as they are by what events have led to since; and what is other
    /// than the audit has read.
    pub async fn estates_now(
        &self,
        entry: &Entry,
        mut take: impl FnMut(Estate),
    ) -> Result<Vec<Amended>, SnapshotError> {
        let looks = self.looks_since(&entry.about.source, entry.at).await?;
        let exposures = self.exposures(&entry.about.source).await?;
        let mut amended = Vec::new();
        let amending = |mut estate| {
            amended.extend(amend(&mut estate, &looks, &exposures, entry.at));
            take(estate);
        };
        self.estates(entry.id, amending).await?;
        Ok(amended)
    }

    /// Some of those accounts at once, by number: those behind one. What to ask with for the next ones, as long as there are any.
    pub async fn estates_now_behind(
        &self,
        entry: &Entry,
        account: &str,
    ) -> Result<Option<(Vec<Estate>, String)>, SnapshotError> {
        let looks = self.looks_since(&entry.about.source, entry.at).await?;
        let exposures = self.exposures(&entry.about.source).await?;
        let mut estates = Vec::new();
        let amending = |mut estate| {
            amend(&mut estate, &looks, &exposures, entry.at);
            estates.push(estate);
        };
        let last = self.estates_behind(entry.id, account, amending).await?;
        Ok(last.map(|last| (estates, last)))
    }

    async fn applied(&self, source: &str, since: Timestamp) -> Result<Vec<EventRow>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT * FROM events WHERE state = 'applied' AND source = $1 AND received_at >= $2 ORDER BY received_at, id",
        )
        .bind(source)
        .bind(since.as_millisecond())
        .fetch_all(&mut *connection)
        .await
        .map_err(self.fails("read"))?;
        rows.iter().map(|row| self.event_of(row)).collect()
    }

    fn event_of(&self, row: &AnyRow) -> Result<EventRow, SnapshotError> {
        let read = || -> Result<EventRow, sqlx::Error> {
            fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
                serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
            }
            let moment =
                |name: &str| row.try_get::<i64, _>(name).map(|at| Timestamp::from_millisecond(at).unwrap_or_default());
            let state: String = row.try_get("state")?;
            let state = EventState::ALL.into_iter().find(|one| one.as_str() == state);
            let event: Option<String> = row.try_get("event")?;
            Ok(EventRow {
                id: row.try_get("id")?,
                at: moment("at")?,
                received_at: moment("received_at")?,
                source: row.try_get("source")?,
                state: state.ok_or_else(|| sqlx::Error::Decode("a state that akia does not know".into()))?,
                detail: row.try_get("detail")?,
                event: event.map(|text| json(&text)).transpose()?,
                looks: json(row.try_get("looks")?)?,
                exposures: json(row.try_get("exposures")?)?,
                body: row.try_get("body")?,
            })
        };
        read().map_err(self.fails("read"))
    }
}
