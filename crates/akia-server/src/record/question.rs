//! Which threads are asked for.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::{Kind, Moment, Records, Thread, Told, Weight};
use crate::database::{DatabaseError, Sql, maybe_text, number, text};
use crate::estate::Page;
use crate::sight::Sight;

/// Threads on a page.
const PAGE: u32 = 50;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those about this key, or of a rotation that has made it.
    pub key: Option<String>,
    /// Only those that are over, or only those that are not.
    pub is_over: Option<bool>,
    /// Only those that wait for a person.
    pub needs_person: bool,
    /// Only those for which something comes up to then; the earliest first.
    pub due_before: Option<i64>,
    /// Only those that stand there.
    pub stage: Option<String>,
    /// Which page, from 0.
    pub page: u32,
    /// Threads on a page.
    pub size: u32,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            kind: None,
            key: None,
            is_over: None,
            needs_person: false,
            due_before: None,
            stage: None,
            page: 0,
            size: PAGE,
        }
    }
}

impl Ask {
    /// Those of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }

    fn asked(&self, mut sql: Sql) -> Sql {
        if let Some(kind) = self.kind {
            sql = sql.text(" AND record_thread.kind = ").value(kind.as_str());
        }
        if let Some(key) = &self.key {
            sql = sql.text(" AND (record_thread.key_id = ").value(key.as_str());
            sql = sql.text(" OR record_thread.new_key_id = ").value(key.as_str()).text(")");
        }
        if let Some(is_over) = self.is_over {
            sql = sql.text(" AND record_thread.is_over = ").value(i64::from(is_over));
        }
        if self.needs_person {
            sql = sql.text(" AND record_thread.needs_person = 1");
        }
        if let Some(before) = self.due_before {
            sql = sql.text(" AND record_thread.due_at < ").value(before);
        }
        if let Some(stage) = &self.stage {
            sql = sql.text(" AND record_thread.stage = ").value(stage.as_str());
        }
        sql
    }

    fn order(&self) -> &'static str {
        match self.due_before {
            Some(_) => " ORDER BY record_thread.due_at, record_thread.thread",
            None => " ORDER BY record_thread.is_over, record_thread.began_at DESC, record_thread.thread",
        }
    }
}

/// How many cases stand somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StageCount {
    /// Where.
    pub stage: String,
    /// Whether they are over.
    pub is_over: bool,
    /// How many.
    pub count: u64,
    /// How many of them wait for a person.
    pub held: u64,
}

impl Records {
    /// Threads that are seen, as asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn threads(&self, sight: &Sight, ask: &Ask) -> Result<Page<Thread>, DatabaseError> {
        let count = ask.asked(seen(sight, Sql::new("SELECT COUNT(*) AS total FROM record_thread")));
        let count = self.database.rows("count threads", count).await?;
        let total = count.first().map(|row| number(row, "total")).transpose()?.unwrap_or(0);
        let sql = ask.asked(seen(sight, Sql::new("SELECT facts, owner FROM record_thread")));
        let sql = sql.text(ask.order()).text(" LIMIT ").value(i64::from(ask.size));
        let sql = sql.text(" OFFSET ").value(i64::from(ask.page) * i64::from(ask.size));
        let rows = self.database.rows("read threads", sql).await?;
        let rows = rows.iter().map(thread_of).collect::<Result<_, _>>()?;
        Ok(Page { rows, total: u64::try_from(total).unwrap_or(0) })
    }

    /// One thread, where it is there and seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thread(&self, sight: &Sight, id: &str) -> Result<Option<Thread>, DatabaseError> {
        let sql = seen(sight, Sql::new("SELECT facts, owner FROM record_thread"));
        let sql = sql.text(" AND record_thread.thread = ").value(id);
        let rows = self.database.rows("read a thread", sql).await?;
        rows.first().map(thread_of).transpose()
    }

    /// What happened in a thread that is seen, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(&self, sight: &Sight, thread: &str) -> Result<Vec<Told>, DatabaseError> {
        let sql = seen(sight, Sql::new(EVENTS)).text(" AND record_event.thread = ").value(thread);
        let rows = self.database.rows("read events", sql.text(" ORDER BY record_event.seq")).await?;
        rows.iter().map(event_of).collect()
    }

    /// What happened to a key, in threads that are seen, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn life(&self, sight: &Sight, key: &str) -> Result<Vec<Told>, DatabaseError> {
        let sql = seen(sight, Sql::new(EVENTS)).text(" AND record_event.key_id = ").value(key);
        let sql = sql.text(" AND record_event.moment IS NOT NULL ORDER BY record_event.at, record_event.seq");
        let rows = self.database.rows("read the life of a key", sql).await?;
        rows.iter().map(event_of).collect()
    }

    /// How many threads of a kind stand where, of those that are seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stages(&self, sight: &Sight, kind: Kind) -> Result<Vec<StageCount>, DatabaseError> {
        let sql =
            "SELECT stage, is_over, COUNT(*) AS total, CAST(SUM(needs_person) AS BIGINT) AS held FROM record_thread";
        let sql =
            Ask::of(kind).asked(seen(sight, Sql::new(sql))).text(" GROUP BY stage, is_over ORDER BY stage, is_over");
        let rows = self.database.rows("count stages", sql).await?;
        rows.iter()
            .map(|row| {
                Ok(StageCount {
                    stage: text(row, "stage")?,
                    is_over: number(row, "is_over")? != 0,
                    count: u64::try_from(number(row, "total")?).unwrap_or(0),
                    held: u64::try_from(number(row, "held")?).unwrap_or(0),
                })
            })
            .collect()
    }
}

impl Records {
    /// How long it took from the first record of each case and containment until its key was shut, in seconds and the shortest first, of
    /// those that were shut since a moment.
    pub(crate) async fn shut_after(&self, since: i64) -> Result<BTreeMap<&'static str, Vec<i64>>, DatabaseError> {
        let mut all = BTreeMap::new();
        for kind in [Kind::Case, Kind::Containment] {
            let sql = Sql::new(
                "SELECT MIN(record_event.at) - record_thread.began_at AS took FROM record_thread \
                 JOIN record_event ON record_event.thread = record_thread.thread AND record_event.key_id = record_thread.key_id \
                 WHERE record_event.moment IN (",
            );
            let sql = sql.value(Moment::Deactivated.as_str()).text(", ").value(Moment::Deleted.as_str());
            let sql = sql.text(") AND record_thread.kind = ").value(kind.as_str());
            let sql =
                sql.text(" GROUP BY record_thread.thread, record_thread.began_at HAVING MIN(record_event.at) >= ");
            let rows = self.database.rows("time what was shut", sql.value(since).text(" ORDER BY took")).await?;
            let times = rows.iter().map(|row| number(row, "took")).collect::<Result<Vec<_>, _>>()?;
            all.insert(kind.as_str(), times);
        }
        Ok(all)
    }
}

const EVENTS: &str = "SELECT record_event.seq, record_event.at, record_event.thread, record_event.key_id, record_event.moment, \
                      record_event.weight, record_event.words \
                      FROM record_event JOIN record_thread ON record_thread.thread = record_event.thread";

/// ` WHERE` for a question about threads; more conditions may follow with ` AND`.
fn seen(sight: &Sight, sql: Sql) -> Sql {
    if sight.is_all() {
        return sight.seen(sql);
    }
    let sql = sight.seen(sql.text(" WHERE (EXISTS (SELECT 1 FROM estate_key"));
    let sql = sql.text(
        " AND estate_key.account = record_thread.account \
         AND estate_key.identity IN (record_thread.key_id, record_thread.new_key_id)) \
         OR (NOT EXISTS (SELECT 1 FROM estate_key WHERE estate_key.account = record_thread.account \
         AND estate_key.identity IN (record_thread.key_id, record_thread.new_key_id)) \
         AND EXISTS (SELECT 1 FROM estate_account",
    );
    // An account has no owner of its own: `owner` is the thread's here, the one that was last known.
    sight.seen(sql).text(" AND estate_account.account = record_thread.account)))")
}

fn thread_of(row: &AnyRow) -> Result<Thread, DatabaseError> {
    let thread: Thread = serde_json::from_str(&text(row, "facts")?)
        .map_err(|error| DatabaseError::Strange { what: format!("facts of a thread: {error}") })?;
    Ok(Thread { owner: maybe_text(row, "owner")?, ..thread })
}

fn event_of(row: &AnyRow) -> Result<Told, DatabaseError> {
    let moment = maybe_text(row, "moment")?;
    let weight = text(row, "weight")?;
    let weight = Weight::ALL.into_iter().find(|one| one.as_str() == weight);
    Ok(Told {
        seq: u64::try_from(number(row, "seq")?).unwrap_or(0),
        at: number(row, "at")?,
        thread: text(row, "thread")?,
        key_id: text(row, "key_id")?,
        moment: moment.and_then(|moment| Moment::ALL.into_iter().find(|one| one.as_str() == moment)),
        weight: weight.ok_or_else(|| DatabaseError::Strange { what: "a weight of an event".to_owned() })?,
        words: text(row, "words")?,
    })
}
