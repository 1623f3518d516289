//! Earlier audits: what each found, for the history, for comparing, and for asking AWS less the next time.
//!
//! They lie in a database of their own beside the journal. The journal must be readable whatever an audit has written, also
//! by an older akia that has a rotation to finish; and its chain is read as a whole, which megabytes of audits would slow.
//!
//! Counts of an audit are kept for long, the accounts as they were for weeks: see `SnapshotSettings`. A body is deflated
//! JSON, one for each account. It holds what an audit shows and nothing more: no secret access key ever comes near it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use akia_core::audit::Audit;
use akia_core::estate::{Account, Earlier, Estate};
use akia_core::finding::{Finding, Severity};
use akia_core::ids::{AccountId, Region, UserName};
use akia_core::settings::SnapshotSettings;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::Row;
use sqlx::any::AnyRow;
use tokio::sync::Mutex;

use super::StoreError;
use super::connection::{Beside, Opened, begin_writing, database_error};
use super::home::{DatabaseAt, Home};

/// The database in the state folder. The body of an account is of some kilobytes: pages of 4 would stand half empty.
pub(super) const DATABASE: Beside =
    Beside { file: "audits.db", steps: &MIGRATIONS, page_size: Some("PRAGMA page_size = 16384") };
/// Longest body of an account, in bytes: 5,000 users with everything need some ten megabytes.
const MAX_BODY_BYTES: usize = 256 << 20;
/// Accounts that are read at once where not all are.
const PART: i64 = 50;
/// Of deflate, from 1 to 10: a better one costs three times as long for a twentieth of the size.
const COMPRESSION: u8 = 6;

/// Each step takes the file from one version to the next. Steps are only ever added. `postgres.sql` has the same columns.
const MIGRATIONS: [&str; 3] = [
    "
CREATE TABLE audits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    settings TEXT NOT NULL,
    akia TEXT NOT NULL,
    is_whole INTEGER NOT NULL,
    accounts_read INTEGER NOT NULL,
    accounts INTEGER NOT NULL,
    users INTEGER NOT NULL,
    active_keys INTEGER NOT NULL,
    critical INTEGER NOT NULL,
    high INTEGER NOT NULL,
    medium INTEGER NOT NULL,
    low INTEGER NOT NULL,
    info INTEGER NOT NULL,
    unknown TEXT NOT NULL,
    new INTEGER,
    gone INTEGER
) STRICT;
CREATE INDEX audits_by_scope ON audits (source, scope, id);
CREATE TABLE bodies (
    audit INTEGER NOT NULL REFERENCES audits (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    is_read INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX bodies_by_account ON bodies (account, audit);
CREATE INDEX bodies_by_audit ON bodies (audit);
",
    "
CREATE TABLE imports (
    audit INTEGER NOT NULL REFERENCES audits (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    is_whole INTEGER NOT NULL,
    PRIMARY KEY (account, region, audit)
) STRICT;
",
    super::events::TABLE,
];

/// Where an audit looked, and by what it judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// `aws`, or the address that stood in its place: keys of an emulator are not compared with those of AWS.
    pub source: String,
    /// Which accounts were asked for. Audits of one scope are compared and make one trend.
    pub scope: String,
    /// What it was judged by, hashed: other limits find other things.
    pub settings: String,
}

/// One audit of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub id: i64,
    /// The moment that its ages were counted to.
    pub at: Timestamp,
    /// Where it looked.
    pub about: About,
    /// Whether everything was read and every rule could tell.
    pub is_whole: bool,
    /// How many accounts were read.
    pub accounts_read: usize,
    /// Of how many.
    pub accounts: usize,
    /// Users in them.
    pub users: usize,
    /// Their active keys.
    pub active_keys: usize,
    /// Findings of each severity, the gravest first.
    pub counts: [usize; Severity::ALL.len()],
    /// Findings that the audit before did not have, and that it had and are no more; `None` for the first.
    pub changes: Option<(usize, usize)>,
    /// Whether its accounts are still there to be compared.
    pub has_details: bool,
}

/// An audit that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Its number.
    pub id: i64,
    /// What is new and what is gone against the latest audit of each account; `None` where there was none.
    pub changes: Option<(usize, usize)>,
}

/// An earlier audit as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// Accounts that were read.
    pub read: BTreeSet<AccountId>,
    /// Rules that could not tell everything.
    pub unknown: BTreeSet<String>,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// The findings of an account in the Security Hub of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubImport {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Whether Security Hub has taken all of them.
    pub is_whole: bool,
}

/// Why earlier audits could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be used, or the database failed.
    #[error("earlier audits: {0}")]
    Store(#[from] StoreError),
    /// The database is of a newer akia.
    #[error("the earlier audits in {at} have version {found}; this akia knows versions up to {known}")]
    Newer {
        /// The database.
        at: DatabaseAt,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// An account as it was cannot be read.
    #[error("account {account} of audit {id} cannot be read back: {reason}")]
    Unreadable {
        /// The audit.
        id: i64,
        /// The account.
        account: String,
        /// What was found.
        reason: String,
    },
    /// An account cannot be written down.
    #[error("account {account} cannot be kept: {reason}")]
    Unwritable {
        /// The account.
        account: AccountId,
        /// Why not.
        reason: String,
    },
}

/// Earlier audits of this machine. Cheap to clone.
#[derive(Clone)]
pub struct Snapshots {
    at: DatabaseAt,
    pub(super) connection: Arc<Mutex<AnyConnection>>,
}

/// What is kept of an account.
#[derive(Deserialize)]
struct Body {
    account: Account,
    estate: Option<Estate>,
    listed: BTreeMap<UserName, Timestamp>,
    findings: Vec<Finding>,
}

/// The same as it is written down; nothing of a large audit is copied for it.
#[derive(Serialize)]
struct BodyToKeep<'a> {
    account: &'a Account,
    estate: Option<&'a Estate>,
    listed: &'a BTreeMap<UserName, Timestamp>,
    findings: &'a [&'a Finding],
    reason: Option<&'a str>,
}

impl Snapshots {
    /// Opens the database, making it where there is none: in a state folder with mode 0600.
    pub async fn open(home: impl Into<Home>) -> Result<Self, SnapshotError> {
        Self::of(DATABASE.open(&home.into()).await?)
    }

    /// Opens the database if there is one, and makes none.
    pub async fn open_existing(home: impl Into<Home>) -> Result<Option<Self>, SnapshotError> {
        DATABASE.open_existing(&home.into()).await?.map(Self::of).transpose()
    }

    fn of(opened: Opened) -> Result<Self, SnapshotError> {
        match opened {
            Opened::Ready(at, connection) => Ok(Self { at, connection: Arc::new(Mutex::new(connection)) }),
            Opened::Newer { at, found, known } => Err(SnapshotError::Newer { at, found, known }),
        }
    }

    /// Keeps an audit, drops what has outlived `keep`.
    pub async fn add(
        &self,
        audit: &Audit,
        about: &About,
        listed: &BTreeMap<AccountId, BTreeMap<UserName, Timestamp>>,
        keep: SnapshotSettings,
    ) -> Result<Added, SnapshotError> {
        let bodies = bodies(audit, listed)?;
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        let mut transaction = begin_writing(&mut connection, &self.at, "audits").await.map_err(&fails)?;
        let changes = self.changes(&mut transaction, audit, about).await?;
        let (users, keys) = audit.size();
        let (read, all) = audit.coverage();
        let unknown: BTreeSet<&String> = audit.unknown.iter().map(|unknown| &unknown.rule).collect();
        let mut query = sqlx::query(
            "INSERT INTO audits (at, source, scope, settings, akia, is_whole, accounts_read, accounts, users, active_keys,
                unknown, new, gone, critical, high, medium, low, info)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id",
        )
        .bind(audit.at.as_second())
        .bind(&about.source)
        .bind(&about.scope)
        .bind(&about.settings)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(i64::from(audit.is_whole()))
        .bind(signed(read))
        .bind(signed(all))
        .bind(signed(users))
        .bind(signed(keys))
        .bind(serde_json::to_string(&unknown).unwrap_or_default())
        .bind(changes.map(|(new, _)| signed(new)))
        .bind(changes.map(|(_, gone)| signed(gone)));
        for (_, count) in audit.counts() {
            query = query.bind(signed(count));
        }
        let row = query.fetch_one(&mut *transaction).await.map_err(&fails)?;
        let id: i64 = row.try_get("id").map_err(&fails)?;
        for (account, is_read, body) in bodies {
            sqlx::query("INSERT INTO bodies (audit, account, is_read, body) VALUES ($1, $2, $3, $4)")
                .bind(id)
                .bind(account.as_str())
                .bind(i64::from(is_read))
                .bind(body)
                .execute(&mut *transaction)
                .await
                .map_err(&fails)?;
        }
        prune(&mut transaction, audit.at, keep).await.map_err(&fails)?;
        transaction.commit().await.map_err(&fails)?;
        Ok(Added { id, changes })
    }

    /// The history, the oldest first.
    pub async fn list(&self) -> Result<Vec<Entry>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT *, (SELECT count(*) FROM bodies WHERE audit = audits.id) AS bodies FROM audits ORDER BY id",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(self.fails("read"))?;
        rows.iter().map(|row| entry(row).map_err(self.fails("read"))).collect()
    }

    /// What an audit found, and where it looked. Empty where that is no longer kept.
    pub async fn details(&self, id: i64) -> Result<Details, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let fails = self.fails("read");
        let unknown: Option<String> = sqlx::query_scalar("SELECT unknown FROM audits WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(&fails)?;
        let unknown = unknown.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut details = Details { unknown, ..Details::default() };
        for row in &self.rows(&mut connection, id).await? {
            let body: Body = self.body(row)?;
            if body.estate.is_some() {
                details.read.insert(body.account.id.clone());
            }
            details.findings.extend(body.findings);
        }
        details.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(details)
    }

    /// Hands over the accounts that an audit has read, by number, one at a time: an organisation is large. None where that is
    /// no longer kept.
    pub async fn estates(&self, id: i64, mut take: impl FnMut(Estate)) -> Result<(), SnapshotError> {
        let mut connection = self.connection.lock().await;
        for row in &self.rows(&mut connection, id).await? {
            self.estate(row)?.map(&mut take);
        }
        Ok(())
    }

    /// Some of them: those behind an account, by number. The last number that was looked at; `None` behind the last.
    pub(super) async fn estates_behind(
        &self,
        id: i64,
        account: &str,
        mut take: impl FnMut(Estate),
    ) -> Result<Option<String>, SnapshotError> {
        let sql = "SELECT audit, account, is_read, body FROM bodies WHERE audit = $1 AND account > $2 ORDER BY account LIMIT $3";
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(sql).bind(id).bind(account).bind(PART).fetch_all(&mut *connection).await;
        let mut last = None;
        for row in &rows.map_err(self.fails("read"))? {
            self.estate(row)?.map(&mut take);
            last = Some(row.try_get("account").map_err(self.fails("read"))?);
        }
        Ok(last)
    }

    fn estate(&self, row: &AnyRow) -> Result<Option<Estate>, SnapshotError> {
        /// What is not asked for is passed over.
        #[derive(Deserialize)]
        struct Read {
            estate: Option<Estate>,
        }
        self.body(row).map(|Read { estate }| estate)
    }

    async fn rows(&self, connection: &mut AnyConnection, id: i64) -> Result<Vec<AnyRow>, SnapshotError> {
        sqlx::query("SELECT audit, account, is_read, body FROM bodies WHERE audit = $1 ORDER BY account")
            .bind(id)
            .fetch_all(connection)
            .await
            .map_err(self.fails("read"))
    }

    /// What the latest audit of a source has read of an account.
    pub async fn earlier(&self, source: &str, account: &AccountId) -> Result<Option<Earlier>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let body = self.latest(&mut connection, source, account).await?;
        Ok(body.and_then(|body| Some(Earlier { estate: body.estate?, listed: body.listed })))
    }

    /// Notes that findings of an audit are handed, or were handed, to Security Hubs.
    pub async fn note_imports(&self, id: i64, imports: &[HubImport]) -> Result<(), SnapshotError> {
        let mut connection = self.connection.lock().await;
        let fails = self.fails("write to");
        let mut transaction = begin_writing(&mut connection, &self.at, "imports").await.map_err(&fails)?;
        for import in imports {
            sqlx::query(
                "INSERT INTO imports (audit, account, region, is_whole) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (account, region, audit) DO UPDATE SET is_whole = excluded.is_whole",
            )
            .bind(id)
            .bind(import.account.as_str())
            .bind(import.region.as_str())
            .bind(i64::from(import.is_whole))
            .execute(&mut *transaction)
            .await
            .map_err(&fails)?;
        }
        transaction.commit().await.map_err(&fails)
    }

    /// What the Security Hub of a region may hold of an account: the findings of the last audit that it took whole and of
    /// those since, of which it may have taken some, but not of `current`. Each with the moment of its audit.
    pub async fn imported(
        &self,
        source: &str,
        account: &AccountId,
        region: &Region,
        current: i64,
    ) -> Result<Vec<(Timestamp, Finding)>, SnapshotError> {
        let mut connection = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT bodies.audit, bodies.account, body, at FROM imports
             JOIN audits ON audits.id = imports.audit
             JOIN bodies ON bodies.audit = imports.audit AND bodies.account = imports.account
             WHERE imports.account = $1 AND imports.region = $2 AND audits.source = $3 AND imports.audit < $4
                AND imports.audit >= coalesce((SELECT max(whole.audit) FROM imports AS whole
                    JOIN audits AS theirs ON theirs.id = whole.audit
                    WHERE whole.account = $1 AND whole.region = $2 AND theirs.source = $3 AND whole.audit < $4
                        AND whole.is_whole <> 0), 0)
             ORDER BY imports.audit",
        )
        .bind(account.as_str())
        .bind(region.as_str())
        .bind(source)
        .bind(current)
        .fetch_all(&mut *connection)
        .await
        .map_err(self.fails("read"))?;
        let mut findings = BTreeMap::new();
        for row in &rows {
            let at: i64 = row.try_get("at").map_err(self.fails("read"))?;
            let at = Timestamp::from_second(at).unwrap_or_default();
            for finding in self.body::<Body>(row)?.findings {
                findings.entry(finding.fingerprint()).or_insert((at, finding));
            }
        }
        Ok(findings.into_values().collect())
    }

    async fn latest(
        &self,
        connection: &mut AnyConnection,
        source: &str,
        account: &AccountId,
    ) -> Result<Option<Body>, SnapshotError> {
        let row = sqlx::query(
            "SELECT audit, account, body FROM bodies JOIN audits ON audits.id = bodies.audit
             WHERE account = $1 AND source = $2 AND is_read <> 0 ORDER BY audit DESC LIMIT 1",
        )
        .bind(account.as_str())
        .bind(source)
        .fetch_optional(connection)
        .await
        .map_err(self.fails("read"))?;
        row.map(|row| self.body(&row)).transpose()
    }

    /// What is new and what is gone against the latest audit of each account. Accounts that were never read, or not now, tell
    /// nothing, and neither does a rule that could not tell now.
    async fn changes(
        &self,
        connection: &mut AnyConnection,
        audit: &Audit,
        about: &About,
    ) -> Result<Option<(usize, usize)>, SnapshotError> {
        let unknown: BTreeSet<&str> = audit.unknown.iter().map(|unknown| unknown.rule.as_str()).collect();
        let mut now: BTreeMap<&AccountId, BTreeSet<String>> = BTreeMap::new();
        for finding in &audit.findings {
            now.entry(&finding.account).or_default().insert(finding.fingerprint());
        }
        let mut changes = None;
        for estate in &audit.estates {
            let account = &estate.account.id;
            let Some(before) = self.latest(connection, &about.source, account).await? else { continue };
            let now = now.remove(account).unwrap_or_default();
            let (new, gone) = changes.get_or_insert((0, 0));
            let mut known = 0;
            for finding in &before.findings {
                if now.contains(&finding.fingerprint()) {
                    known += 1;
                } else if !unknown.contains(finding.rule.as_str()) {
                    *gone += 1;
                }
            }
            *new += now.len() - known;
        }
        Ok(changes)
    }

    fn body<T: DeserializeOwned>(&self, row: &AnyRow) -> Result<T, SnapshotError> {
        let fails = self.fails("read");
        let id: i64 = row.try_get("audit").map_err(&fails)?;
        let account: String = row.try_get("account").map_err(&fails)?;
        let bytes: Vec<u8> = row.try_get("body").map_err(&fails)?;
        let unreadable = |reason: String| SnapshotError::Unreadable { id, account: account.clone(), reason };
        let json = miniz_oxide::inflate::decompress_to_vec_with_limit(&bytes, MAX_BODY_BYTES)
            .map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))
    }

    pub(super) fn fails(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> SnapshotError + use<> {
        let at = self.at.clone();
        move |error| SnapshotError::Store(database_error(doing, &at, &error))
    }
}

/// Each account of an audit with its body.
fn bodies(
    audit: &Audit,
    listed: &BTreeMap<AccountId, BTreeMap<UserName, Timestamp>>,
) -> Result<Vec<(AccountId, bool, Vec<u8>)>, SnapshotError> {
    let mut findings: BTreeMap<&AccountId, Vec<&Finding>> = BTreeMap::new();
    for finding in &audit.findings {
        findings.entry(&finding.account).or_default().push(finding);
    }
    let none = BTreeMap::new();
    let read = audit.estates.iter().map(|estate| {
        let id = &estate.account.id;
        packed(&BodyToKeep {
            account: &estate.account,
            estate: Some(estate),
            listed: listed.get(id).unwrap_or(&none),
            findings: findings.get(id).map_or(&[], Vec::as_slice),
            reason: None,
        })
    });
    let unread = audit.unread.iter().map(|one| {
        packed(&BodyToKeep {
            account: &one.account,
            estate: None,
            listed: &none,
            findings: &[],
            reason: Some(&one.reason),
        })
    });
    read.chain(unread).collect()
}

/// The account, whether it was read, and the bytes.
fn packed(body: &BodyToKeep<'_>) -> Result<(AccountId, bool, Vec<u8>), SnapshotError> {
    let account = body.account.id.clone();
    let json = serde_json::to_vec(body)
        .map_err(|error| SnapshotError::Unwritable { account: account.clone(), reason: error.to_string() })?;
    Ok((account, body.estate.is_some(), miniz_oxide::deflate::compress_to_vec(&json, COMPRESSION)))
}

/// Drops bodies, and later counts, that have outlived their time. The latest body of each account stays: what comes next
/// is compared with it.
async fn prune(connection: &mut AnyConnection, now: Timestamp, keep: SnapshotSettings) -> Result<(), sqlx::Error> {
    let before = |span| now.checked_sub(span).map_or(i64::MIN, Timestamp::as_second);
    sqlx::query(
        "DELETE FROM bodies WHERE audit IN (SELECT id FROM audits WHERE at < $1) AND (is_read = 0 OR audit < (
            SELECT max(later.audit) FROM bodies AS later
            JOIN audits AS theirs ON theirs.id = later.audit JOIN audits AS ours ON ours.id = bodies.audit
            WHERE later.account = bodies.account AND theirs.source = ours.source AND later.is_read <> 0))",
    )
    .bind(before(keep.details))
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM audits WHERE at < $1 AND NOT EXISTS (SELECT 1 FROM bodies WHERE audit = audits.id)")
        .bind(before(keep.counts))
        .execute(&mut *connection)
        .await?;
    Ok(())
}

fn entry(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    let number = |name: &str| row.try_get::<i64, _>(name).map(|number| usize::try_from(number).unwrap_or_default());
    let maybe = |name: &str| {
        row.try_get::<Option<i64>, _>(name)
            .map(|number| number.map(|number| usize::try_from(number).unwrap_or_default()))
    };
    let mut counts = [0; Severity::ALL.len()];
    for (count, severity) in counts.iter_mut().zip(Severity::ALL) {
        *count = number(severity.as_str())?;
    }
    Ok(Entry {
        id: row.try_get("id")?,
        at: Timestamp::from_second(row.try_get("at")?).unwrap_or_default(),
        about: About {
            source: row.try_get("source")?,
            scope: row.try_get("scope")?,
            settings: row.try_get("settings")?,
        },
        is_whole: row.try_get::<i64, _>("is_whole")? != 0,
        accounts_read: number("accounts_read")?,
        accounts: number("accounts")?,
        users: number("users")?,
        active_keys: number("active_keys")?,
        counts,
        changes: maybe("new")?.zip(maybe("gone")?),
        has_details: row.try_get::<i64, _>("bodies")? > 0,
    })
}

/// Both databases count in signed numbers; no count comes near their end.
fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use akia_core::audit::Unread;
    use akia_core::estate::{Console, Details as UserDetails, Key, Known, Root, User};
    use akia_core::key::{KeyStatus, LastUsed};
    use akia_core::rule::AuditSettings;
    use jiff::SignedDuration;

    use super::*;
    use crate::ground::{Ground, on_both};

    fn day(number: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * number)
    }

    /// Accounts with 20 users each, ten of whom hold a key, with tags and groups as a team has them.
    fn audit(accounts: u64, at: Timestamp) -> Audit {
        let estates = (0..accounts).map(|account| {
            let id: AccountId = format!("{:012}", 100_000_000_000 + account).parse().unwrap();
            let user = |number: u64| {
                // Spread as by chance, so that it compresses no better than the real thing.
                let mix = (account * 20 + number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let key = Key {
                    id: Some(
                        format!(
                            "AKIA{}",
                            &data_encoding::BASE32
                                .encode(&[mix.to_be_bytes(), mix.rotate_left(17).to_le_bytes()].concat())[..16]
                        )
                        .parse()
                        .unwrap(),
                    ),
                    status: KeyStatus::Active,
                    created_at: Known::Told(at - SignedDuration::from_secs(i64::try_from(mix % 50_000_000).unwrap())),
                    reactivated_at: None,
                    last_used: LastUsed::At {
                        at: at - SignedDuration::from_secs(i64::try_from(mix % 9_000_000).unwrap()),
                        service: "s3".to_owned(),
                        region: "eu-west-1".to_owned(),
                    },
                };
                User {
                    arn: format!("arn:aws:iam::{id}:user/people/user-{number}@example.com").parse().unwrap(),
                    created_at: Some(day(-900) + SignedDuration::from_secs(i64::try_from(mix % 40_000_000).unwrap())),
                    console: Console::Without,
                    mfa_active: false,
                    keys: if number < 10 { vec![key] } else { Vec::new() },
                    details: Known::Told(UserDetails {
                        id: format!(
                            "AIDA{}",
                            &data_encoding::BASE32
                                .encode(&[mix.to_le_bytes(), mix.rotate_left(9).to_be_bytes()].concat())[..17]
                        )
                        .parse()
                        .ok(),
                        tags: [("owner", "team"), ("service", "shop"), ("ticket", "ABC-123")]
                            .map(|(name, value)| (name.to_owned(), format!("{value}-{}", mix % 50)))
                            .into(),
                        groups: ["developers".to_owned()].into(),
                        ..UserDetails::default()
                    }),
                    service_credentials: Known::Told(Vec::new()),
                }
            };
            Estate {
                account: Account::bare(id.clone()),
                as_of: at,
                root: Known::Told(Root { keys: Vec::new(), password_used_at: None, mfa_active: true }),
                users: (0..20).map(user).collect(),
                gaps: BTreeSet::new(),
            }
        });
        Audit::of(estates.collect(), Vec::new(), &AuditSettings::default(), at)
    }

    fn about(source: &str) -> About {
        About { source: source.to_owned(), scope: "scope".to_owned(), settings: "settings".to_owned() }
    }

    fn listed(audit: &Audit) -> BTreeMap<AccountId, BTreeMap<UserName, Timestamp>> {
        let of = |estate: &Estate| estate.users.iter().map(|user| (user.name().clone(), audit.at)).collect();
        audit.estates.iter().map(|estate| (estate.account.id.clone(), of(estate))).collect()
    }

    async fn add(snapshots: &Snapshots, audit: &Audit, source: &str) -> Added {
        snapshots.add(audit, &about(source), &listed(audit), SnapshotSettings::default()).await.unwrap()
    }

    async fn empty(ground: &Ground) -> Snapshots {
        Snapshots::open(&ground.home).await.unwrap()
    }

    on_both! {
    async fn what_was_kept_is_read_back_as_it_was(ground: Ground) {
        let snapshots = empty(&ground).await;
        let audit = audit(2, day(0));
        assert_eq!(add(&snapshots, &audit, "aws").await, Added { id: 1, changes: None });
        let details = snapshots.details(1).await.unwrap();
        let sorted = |findings: &[Finding]| {
            let mut all: Vec<String> = findings.iter().map(|finding| format!("{finding:?}")).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&details.findings), sorted(&audit.findings));
        assert!(!audit.findings.is_empty());
        let account = &audit.estates[1].account.id;
        let earlier = snapshots.earlier("aws", account).await.unwrap().unwrap();
        assert_eq!(earlier.estate, audit.estates[1]);
        assert_eq!(earlier.listed.len(), 20);
        assert_eq!(snapshots.earlier("http://127.0.0.1:1", account).await.unwrap(), None);
    }
    }

    on_both! {
    async fn details_and_counts_end_when_their_time_is_over_and_the_latest_of_an_account_stays(ground: Ground) {
        let snapshots = empty(&ground).await;
        add(&snapshots, &audit(2, day(0)), "aws").await;
        add(&snapshots, &audit(1, day(30)), "aws").await;
        // The second account was not read any more: its only look stays.
        let mut last = audit(1, day(66));
        let gone = Account::bare("100000000001".parse().unwrap());
        last.unread.push(Unread { account: gone.clone(), reason: "denied".to_owned() });
        add(&snapshots, &last, "aws").await;
        let has =
            |entries: Vec<Entry>| entries.into_iter().map(|entry| (entry.id, entry.has_details)).collect::<Vec<_>>();
        assert_eq!(has(snapshots.list().await.unwrap()), [(1, true), (2, false), (3, true)]);
        assert_eq!(snapshots.details(1).await.unwrap().read, [gone.id.clone()].into());
        assert!(snapshots.earlier("aws", &gone.id).await.unwrap().is_some());
        add(&snapshots, &audit(2, day(466)), "aws").await;
        let entries = snapshots.list().await.unwrap();
        assert_eq!(has(entries), [(3, false), (4, true)], "400 days after 3");
    }
    }

    on_both! {
    async fn a_hub_holds_what_it_took_last_and_what_it_may_have_taken_since(ground: Ground) {
        let snapshots = empty(&ground).await;
        let region: Region = "eu-west-1".parse().unwrap();
        let one = audit(1, day(0));
        let account = one.estates[0].account.id.clone();
        let import = |is_whole| [HubImport { account: account.clone(), region: region.clone(), is_whole }];
        let held = async |current| {
            let held = snapshots.imported("aws", &account, &region, current).await.unwrap();
            held.into_iter().map(|(at, finding)| (at, finding.detail)).collect::<BTreeSet<_>>()
        };
        // Of each audit other findings, so that they can be told apart.
        let mut ids = Vec::new();
        for number in 0..4 {
            let mut audit = audit(1, day(number));
            audit.findings.truncate(1);
            audit.findings[0].rule = format!("rule-{number}");
            audit.findings[0].detail = format!("detail {number}");
            ids.push(add(&snapshots, &audit, "aws").await.id);
        }
        assert!(held(ids[1]).await.is_empty(), "kept is not imported");
        snapshots.note_imports(ids[0], &import(true)).await.unwrap();
        snapshots.note_imports(ids[1], &import(false)).await.unwrap();
        let detail = |number: i64| (day(number), format!("detail {number}"));
        assert_eq!(held(ids[3]).await, [detail(0), detail(1)].into(), "the hub may have both");
        assert_eq!(held(ids[1]).await, [detail(0)].into(), "not what is being imported");
        snapshots.note_imports(ids[2], &import(false)).await.unwrap();
        snapshots.note_imports(ids[2], &import(true)).await.unwrap();
        assert_eq!(
            held(ids[3]).await,
            [detail(2)].into(),
            "it took the third whole, and with it the end of the others"
        );
        let elsewhere = snapshots.imported("aws", &account, &"us-east-1".parse().unwrap(), ids[3]).await.unwrap();
        assert!(elsewhere.is_empty());
        let emulator = snapshots.imported("http://127.0.0.1:1", &account, &region, ids[3]).await.unwrap();
        assert!(emulator.is_empty());
    }
    }

    /// `cargo test -p akia-io --lib snapshots -- --nocapture size` prints the figures of docs/settings.md.
    #[tokio::test]
    async fn the_size_of_an_estate_is_what_the_documentation_says() {
        const ACCOUNTS: u64 = 100;
        let ground = Ground::sqlite();
        let Home::Folder(folder) = &ground.home else { panic!() };
        let snapshots = empty(&ground).await;
        let audit = audit(ACCOUNTS, day(0));
        let (users, keys) = audit.size();
        // Without the tables that are empty: they do not grow with the estate.
        let empty = std::fs::metadata(folder.path().join("audits.db")).unwrap().len();
        add(&snapshots, &audit, "aws").await;
        let bytes = std::fs::metadata(folder.path().join("audits.db")).unwrap().len() - empty;
        let sizes = bodies(&audit, &listed(&audit)).unwrap();
        let packed: usize = sizes.iter().map(|(.., body)| body.len()).sum();
        println!(
            "{packed} bytes packed, {bytes} bytes for {users} users, {keys} keys, {} findings",
            audit.findings.len()
        );
        let of_user = usize::try_from(bytes).unwrap() / users;
        assert!(of_user < 160, "{of_user} bytes a user");
    }
}
