//! Makes the view from the journal, record by record.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use akia_core::ThreadId;
use akia_core::estate::KeyExposure;
use akia_io::store::snapshots::{SnapshotError, Snapshots};
use akia_io::store::{Entry, Store, StoreError, Threads};
use jiff::Timestamp;
use sqlx::{Any, Transaction};

use super::thread::judge;
use super::{Kind, Moment, Records, Thread, Told};
use crate::database::{DatabaseError, Sql, Value, maybe_text, number, refused, rows, run, text};

/// The note of the last record that the view has: its number and its hash.
const NOTE: &str = "record";
/// The note of the exposures that it has.
const EXPOSURES: &str = "record exposures";
/// Rows of one statement: both databases take that many values.
const ROWS: usize = 50;

/// Why the view could not be brought up to date; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// The kept events cannot be read.
    #[error(transparent)]
    Audits(#[from] SnapshotError),
    /// The tables cannot be written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What the view stands on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Stand {
    seq: u64,
    hash: String,
}

impl Records {
    /// Brings the view up to date with the journal, and with what has become due since. Whether it has changed.
    ///
    /// A journal that does not hold the last record that the view has is another one: the view is made again. Two servers that follow at
    /// once write the same rows.
    ///
    /// # Errors
    /// When the journal cannot be read or the tables not be written.
    pub async fn follow(&self, journal: &dyn Store, audits: &Snapshots, now: Timestamp) -> Result<bool, FollowError> {
        let exposures = exposures(audits).await?;
        let stand = self.stand().await?;
        // One record more than is new: the last one that is known must still be there.
        let mut entries = journal.entries(Threads::Since(stand.seq.saturating_sub(1))).await?;
        let is_same = stand.seq == 0
            || entries.first().is_some_and(|first| first.seq == stand.seq && first.hash.to_string() == stand.hash);
        if !is_same {
            entries = journal.entries(Threads::All).await?;
        } else if stand.seq > 0 {
            entries.remove(0);
        }
        let since = if is_same { stand.seq } else { 0 };
        let mut threads: BTreeMap<ThreadId, Vec<Entry>> = BTreeMap::new();
        let last = entries.last().map(|last| Stand { seq: last.seq, hash: last.hash.to_string() });
        for entry in entries {
            threads.entry(entry.thread.clone()).or_default().push(entry);
        }
        if since > 0 {
            for due in self.due(now).await? {
                threads.entry(due).or_default();
            }
        }
        let end = last.as_ref().map_or(since, |last| last.seq);
        let mut judged = Vec::new();
        for (id, new) in threads {
            let all = if since == 0 { new } else { journal.entries(Threads::One(id.clone())).await? };
            // What was written since the first question belongs to the next time.
            let all: Vec<Entry> = all.into_iter().filter(|entry| entry.seq <= end).collect();
            judged.push(judge(&id, &all, now));
        }
        // One change: a page never shows a thread without what happened in it.
        let mut change = self.database.change_alone().await?;
        if !is_same {
            run(&mut change, "clear the records", Sql::new("DELETE FROM record_event")).await?;
            run(&mut change, "clear the records", Sql::new("DELETE FROM record_thread")).await?;
            note(&mut change, EXPOSURES, &Stand::default()).await?;
        }
        let has_exposures = put_exposures(&mut change, &exposures, now).await?;
        if is_same && judged.is_empty() && !has_exposures {
            return Ok(false);
        }
        for (thread, told) in &judged {
            put_thread(&mut change, thread, now).await?;
            let new: Vec<&Told> = told.iter().filter(|told| told.seq > since).collect();
            for told in new.chunks(ROWS) {
                put_events(&mut change, told).await?;
            }
        }
        keep_owners(&mut change).await?;
        note(&mut change, NOTE, &last.unwrap_or(if is_same { stand } else { Stand::default() })).await?;
        change.commit().await.map_err(refused("keep the records"))?;
        Ok(true)
    }

    async fn stand(&self) -> Result<Stand, DatabaseError> {
        let noted = Sql::new("SELECT text, number FROM serve_note WHERE name = ").value(NOTE);
        let noted = self.database.rows("read what the records stand on", noted).await?;
        let Some(row) = noted.first() else { return Ok(Stand::default()) };
        let hash = maybe_text(row, "text")?.unwrap_or_default();
        Ok(Stand { seq: u64::try_from(number(row, "number")?).unwrap_or(0), hash })
    }

    /// Threads whose words have changed with time alone: what they waited for has come.
    async fn due(&self, now: Timestamp) -> Result<Vec<ThreadId>, DatabaseError> {
        let sql = Sql::new("SELECT thread FROM record_thread WHERE kind <> ").value(Kind::Exposure.as_str());
        let sql = sql.text(" AND due_at > judged_at AND due_at <= ").value(now.as_second());
        let rows = self.database.rows("read what is due", sql).await?;
        rows.iter()
            .map(|row| {
                let id = text(row, "thread")?;
                ThreadId::from_str(&id).map_err(|_| DatabaseError::Strange { what: format!("a thread {id}") })
            })
            .collect()
    }
}

async fn exposures(audits: &Snapshots) -> Result<Vec<KeyExposure>, SnapshotError> {
    let mut sources: Vec<String> = audits.list().await?.into_iter().map(|entry| entry.about.source).collect();
    sources.sort();
    sources.dedup();
    let mut exposures = Vec::new();
    for source in sources {
        exposures.extend(audits.exposures(&source).await?);
    }
    Ok(exposures)
}

/// Writes the exposures down where they are others than those that are there.
async fn put_exposures(
    change: &mut Transaction<'static, Any>,
    exposures: &[KeyExposure],
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let ids: Vec<String> = exposures.iter().map(|one| format!("e-{}-{}", one.event.id, one.key)).collect();
    let digest = akia_core::digest::long(&ids.join("\n"));
    let noted = Sql::new("SELECT text FROM serve_note WHERE name = ").value(EXPOSURES);
    let noted = rows(change, "read the exposures", noted).await?;
    let noted = noted.first().map(|row| maybe_text(row, "text")).transpose()?.flatten();
    if noted.as_deref() == Some(&digest) || noted.is_none() && exposures.is_empty() {
        return Ok(false);
    }
    let gone = Sql::new("DELETE FROM record_thread WHERE kind = ").value(Kind::Exposure.as_str());
    run(change, "replace the exposures", gone).await?;
    for (one, id) in exposures.iter().zip(ids) {
        let at = one.event.at.as_second();
        let thread = Thread {
            id,
            key_id: one.key.to_string(),
            account: one.account.to_string(),
            state: format!("others may know it: AWS says {}", one.code),
            stage: "exposed".to_owned(),
            rest: "exposed".to_owned(),
            needs_person: true,
            began_at: at,
            updated_at: at,
            commands: vec![format!("akia contain {}", one.key)],
            ..Thread::bare(Kind::Exposure)
        };
        put_thread(change, &thread, now).await?;
    }
    note(change, EXPOSURES, &Stand { seq: 0, hash: digest }).await?;
    Ok(true)
}

async fn put_thread(
    change: &mut Transaction<'static, Any>,
    thread: &Thread,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let facts = serde_json::to_string(thread)
        .map_err(|error| DatabaseError::Strange { what: format!("a thread that cannot be written: {error}") })?;
    let sql = Sql::new(
        "INSERT INTO record_thread (thread, kind, key_id, new_key_id, account, user_name, owner, stage, rest, due_at, is_over, \
         needs_person, began_at, updated_at, judged_at, facts) VALUES ",
    );
    let sql = sql.row([
        Value::from(thread.id.as_str()),
        thread.kind.as_str().into(),
        thread.key_id.as_str().into(),
        thread.new_key_id.clone().unwrap_or_default().into(),
        thread.account.as_str().into(),
        thread.user.as_str().into(),
        thread.owner.clone().into(),
        thread.stage.as_str().into(),
        thread.rest.as_str().into(),
        thread.next.as_ref().map(|next| next.at).into(),
        i64::from(thread.is_over).into(),
        i64::from(thread.needs_person).into(),
        thread.began_at.into(),
        thread.updated_at.into(),
        now.as_second().into(),
        facts.into(),
    ]);
    // The owner that was last known stays: the key may be gone from the estate.
    let sql = sql.text(
        " ON CONFLICT (thread) DO UPDATE SET key_id = excluded.key_id, new_key_id = excluded.new_key_id, \
         account = excluded.account, user_name = excluded.user_name, \
         owner = COALESCE(excluded.owner, record_thread.owner), stage = excluded.stage, rest = excluded.rest, \
         due_at = excluded.due_at, is_over = excluded.is_over, needs_person = excluded.needs_person, \
         began_at = excluded.began_at, updated_at = excluded.updated_at, judged_at = excluded.judged_at, \
         facts = excluded.facts",
    );
    run(change, "write a thread", sql).await.map(|_| ())
}

async fn put_events(change: &mut Transaction<'static, Any>, told: &[&Told]) -> Result<(), DatabaseError> {
    let mut sql = Sql::new("INSERT INTO record_event (seq, at, thread, key_id, moment, weight, words) VALUES ");
    for (position, told) in told.iter().enumerate() {
        sql = if position == 0 { sql } else { sql.text(", ") }.row([
            Value::from(i64::try_from(told.seq).unwrap_or(i64::MAX)),
            told.at.into(),
            told.thread.as_str().into(),
            told.key_id.as_str().into(),
            told.moment.map(|moment| Moment::as_str(moment).to_owned()).into(),
            told.weight.as_str().into(),
            told.words.as_str().into(),
        ]);
    }
    run(change, "write events", sql.text(" ON CONFLICT (seq) DO NOTHING")).await.map(|_| ())
}

/// Notes the owner that the estate has for a thread's key now.
async fn keep_owners(change: &mut Transaction<'static, Any>) -> Result<(), DatabaseError> {
    let sql = Sql::new(
        "UPDATE record_thread SET owner = (SELECT estate_key.owner FROM estate_key \
         WHERE estate_key.identity = record_thread.key_id AND estate_key.account = record_thread.account) \
         WHERE EXISTS (SELECT 1 FROM estate_key WHERE estate_key.identity = record_thread.key_id \
         AND estate_key.account = record_thread.account AND estate_key.owner IS NOT NULL)",
    );
    run(change, "note the owners", sql).await.map(|_| ())
}

async fn note(change: &mut Transaction<'static, Any>, name: &'static str, stand: &Stand) -> Result<(), DatabaseError> {
    let sql = Sql::new("INSERT INTO serve_note (name, text, number) VALUES ").row([
        Value::from(name),
        stand.hash.as_str().into(),
        i64::try_from(stand.seq).unwrap_or(i64::MAX).into(),
    ]);
    let sql = sql.text(" ON CONFLICT (name) DO UPDATE SET text = excluded.text, number = excluded.number");
    run(change, "note the records", sql).await.map(|_| ())
}
