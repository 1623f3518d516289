//! Makes the view from the kept audits.

use akia_core::audit::Audit;
use akia_core::estate::Estate as CoreEstate;
use akia_core::finding::key_identity;
use akia_core::key_table::key_table;
use akia_core::rule::AuditSettings;
use akia_io::store::snapshots::{Entry, SnapshotError, Snapshots};
use sqlx::{Any, Transaction};

use super::question::worst;
use super::row::Findings;
use super::{Estate, Figures, Row};
use crate::database::{DatabaseError, Sql, Value, maybe_text, run};
use crate::sight::units_text;

/// The note that says which audits the view stands on.
const NOTE: &str = "estate";
/// Rows of one statement: both databases take that many values.
const ROWS: usize = 50;

/// Why the view could not be brought up to date; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The kept audits cannot be read.
    #[error(transparent)]
    Audits(#[from] SnapshotError),
    /// The tables cannot be written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Estate {
    /// Brings the view up to date, where there is an audit or an event that it does not stand on. Whether it has changed.
    ///
    /// # Errors
    /// When the audits cannot be read or the tables not be written.
    pub async fn refresh(&self, audits: &Snapshots, settings: &AuditSettings) -> Result<bool, RefreshError> {
        let entries = audits.list().await?;
        // Of audits without keys only the counts are left: the trend has them, too.
        let mut stand = format!("{} of {} ", entries.iter().map(|entry| entry.id).max().unwrap_or(0), entries.len());
        let latest = latest(entries.clone());
        for entry in &latest {
            let events = audits.looks_since(&entry.about.source, entry.at).await?.len();
            let exposures = audits.exposures(&entry.about.source).await?.len();
            stand.push_str(&format!("{}+{events}+{exposures} ", entry.id));
        }
        let noted = Sql::new("SELECT text FROM serve_note WHERE name = ").value(NOTE);
        let noted = self.database.rows("read what the view stands on", noted).await?;
        if noted.first().map(|row| maybe_text(row, "text")).transpose()?.flatten().as_deref() == Some(&stand) {
            return Ok(false);
        }
        // One change: a page never shows half of an audit.
        let mut change = self.database.change_alone().await?;
        run(&mut change, "clear the view", Sql::new("DELETE FROM estate_key")).await?;
        run(&mut change, "clear the view", Sql::new("DELETE FROM estate_fact")).await?;
        run(&mut change, "clear the view", Sql::new("DELETE FROM estate_account")).await?;
        super::trend::note(&mut change, &entries).await?;
        for entry in &latest {
            // A few accounts at a time: all of a large organisation take hundreds of megabytes.
            let mut behind = String::new();
            while let Some((estates, last)) = audits.estates_now_behind(entry, &behind).await? {
                for estate in estates {
                    put(&mut change, entry, estate, settings).await?;
                }
                behind = last;
            }
        }
        run(&mut change, "note the view", Sql::new("DELETE FROM serve_note WHERE name = ").value(NOTE)).await?;
        let note = Sql::new("INSERT INTO serve_note (name, text) VALUES ").row([NOTE.into(), stand.into()]);
        run(&mut change, "note the view", note).await?;
        change.commit().await.map_err(crate::database::refused("keep the view"))?;
        Ok(true)
    }
}

/// The newest audit of each scope that has its keys still, the oldest first: of an account that several have read, the last wins.
fn latest(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.retain(|entry| entry.has_details);
    entries.sort_by_key(|entry| (entry.at, entry.id));
    let mut latest: Vec<Entry> = Vec::new();
    for entry in entries {
        latest.retain(|other| (&other.about.source, &other.about.scope) != (&entry.about.source, &entry.about.scope));
        latest.push(entry);
    }
    latest
}

/// Since when a key is not used. Of a key that never was, and of which AWS does not say when it was made: since ever.
fn idle_since(row: &Row) -> Option<i64> {
    (row.last_used != "unknown").then(|| row.last_used_at.or(row.created_at).unwrap_or(0))
}

async fn put(
    change: &mut Transaction<'static, Any>,
    entry: &Entry,
    estate: CoreEstate,
    settings: &AuditSettings,
) -> Result<(), DatabaseError> {
    let audit = Audit::of(vec![estate], Vec::new(), settings, entry.at);
    let Some(estate) = audit.estates.first() else { return Ok(()) };
    let account = estate.account.id.to_string();
    for statement in [
        "DELETE FROM estate_key WHERE account = ",
        "DELETE FROM estate_fact WHERE account = ",
        "DELETE FROM estate_account WHERE account = ",
    ] {
        run(change, "replace an account", Sql::new(statement).value(account.as_str())).await?;
    }
    let mut findings = Findings::new();
    for finding in &audit.findings {
        findings.entry(finding.key_identity()).or_default().push(finding);
    }
    let now = entry.at.as_second();
    let mut figures = Figures::default();
    let mut rows = Vec::new();
    for (number, key) in key_table(&audit, settings).iter().enumerate() {
        let user = key.user_name.as_deref();
        let identity = key_identity(&key.account_id, user, key.access_key_id.as_ref(), key.created_at);
        let row = Row::new(key, findings.get(&identity).map_or(&[][..], Vec::as_slice), number);
        figures.count(&row, now);
        rows.push(row);
    }
    for rows in rows.chunks(ROWS) {
        let mut sql = Sql::new(
            "INSERT INTO estate_key (identity, account, units, user_name, key_id, is_active, created_at, last_used_at, \
             idle_since, owner, worst, searched) VALUES ",
        );
        let mut facts_sql = Sql::new("INSERT INTO estate_fact (identity, account, facts) VALUES ");
        for (position, row) in rows.iter().enumerate() {
            let facts = serde_json::to_string(row)
                .map_err(|error| DatabaseError::Strange { what: format!("a key that cannot be written: {error}") })?;
            sql = if position == 0 { sql } else { sql.text(", ") }.row([
                Value::from(row.identity.as_str()),
                row.account_id.as_str().into(),
                row.units.as_str().into(),
                row.user_name.clone().into(),
                row.key_id.clone().into(),
                i64::from(row.is_active).into(),
                row.created_at.into(),
                row.last_used_at.into(),
                idle_since(row).into(),
                row.owner.clone().into(),
                worst(row.worst()).into(),
                row.searched().into(),
            ]);
            let values = [Value::from(row.identity.as_str()), row.account_id.as_str().into(), facts.into()];
            facts_sql = if position == 0 { facts_sql } else { facts_sql.text(", ") }.row(values);
        }
        run(change, "write keys", sql).await?;
        run(change, "write keys", facts_sql).await?;
    }
    let figures = serde_json::to_string(&figures)
        .map_err(|error| DatabaseError::Strange { what: format!("figures that cannot be written: {error}") })?;
    let sql = Sql::new("INSERT INTO estate_account (account, name, units, audit, as_of, figures) VALUES ").row([
        Value::from(account),
        estate.account.name.clone().into(),
        units_text(estate.account.units.iter().map(String::as_str)).into(),
        entry.id.into(),
        estate.as_of.as_second().into(),
        figures.into(),
    ]);
    run(change, "write an account", sql).await.map(|_| ())
}
