//! Locks on a PostgreSQL server, which exclude other machines.
//!
//! Invariant: a lock belongs to the session that appends to the journal. When that connection is lost, locks and the power to append
//! are lost together; so nobody appends under a lock that somebody else holds meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use sqlx::AnyConnection;
use sqlx::Row as _;

use crate::state::Holder;

/// What is known of the locks of a session. A session could take a lock of its own a second time; a process must not.
#[derive(Debug, Default)]
pub(super) struct SessionLocks {
    held: BTreeSet<String>,
    /// Let go of, but not yet said to the server.
    dropped: Vec<String>,
}

/// How an attempt at a lock ended.
pub(super) enum Taken {
    /// It is this session's.
    Ours,
    /// Somebody else holds it, or this process does.
    Held(Holder),
}

/// A lock of a session; `T` is what keeps the session. It is let go of when this is dropped, at the latest when the session ends.
pub(super) struct SessionLock<T: Release> {
    name: String,
    keeper: Arc<T>,
}

/// Who keeps a session with locks.
pub(super) trait Release: Send + Sync + 'static {
    /// What is known of them.
    fn locks(&self) -> &Mutex<SessionLocks>;

    /// Tells the server which were let go of.
    fn release(self: Arc<Self>) -> impl Future<Output = ()> + Send;
}

impl<T: Release> std::fmt::Debug for SessionLock<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SessionLock({:?})", self.name)
    }
}

impl<T: Release> SessionLock<T> {
    pub(super) fn new(name: String, keeper: Arc<T>) -> Self {
        Self { name, keeper }
    }
}

impl<T: Release> Drop for SessionLock<T> {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        self.keeper.locks().lock().unwrap_or_else(PoisonError::into_inner).dropped.push(name);
        // Without a runtime the process is ending, and the session with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(Arc::clone(&self.keeper).release());
        }
    }
}

/// Takes a lock, or says who holds it.
pub(super) async fn take(
    connection: &mut AnyConnection,
    locks: &Mutex<SessionLocks>,
    name: &str,
) -> Result<Taken, sqlx::Error> {
    release(connection, locks).await?;
    let key = key_of(name);
    let is_ours = locks.lock().unwrap_or_else(PoisonError::into_inner).held.contains(name);
    if !is_ours {
        let taken: bool =
            sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(key).fetch_one(&mut *connection).await?;
        if taken {
            // Before the note: when that fails, the lock is let go of all the same.
            locks.lock().unwrap_or_else(PoisonError::into_inner).held.insert(name.to_owned());
            let noted = note(connection, name).await;
            if noted.is_err() {
                locks.lock().unwrap_or_else(PoisonError::into_inner).dropped.push(name.to_owned());
            }
            return noted.map(|()| Taken::Ours);
        }
    }
    holder(connection, name, key).await.map(Taken::Held)
}

/// Lets go of what was dropped.
pub(super) async fn release(connection: &mut AnyConnection, locks: &Mutex<SessionLocks>) -> Result<(), sqlx::Error> {
    let dropped = std::mem::take(&mut locks.lock().unwrap_or_else(PoisonError::into_inner).dropped);
    for name in dropped {
        sqlx::query("DELETE FROM locks WHERE name = $1 AND session = pg_backend_pid()")
            .bind(&name)
            .execute(&mut *connection)
            .await?;
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(key_of(&name)).execute(&mut *connection).await?;
        locks.lock().unwrap_or_else(PoisonError::into_inner).held.remove(&name);
    }
    Ok(())
}

async fn note(connection: &mut AnyConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO locks (name, session, host, pid, since) VALUES ($1, pg_backend_pid(), $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET session = excluded.session, host = excluded.host, pid = excluded.pid,
            since = excluded.since",
    )
    .bind(name)
    .bind(host())
    .bind(i64::from(std::process::id()))
    .bind(jiff::Timestamp::now().to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Who holds a lock, by the note of the session that has it. The note of an earlier holder is none.
async fn holder(connection: &mut AnyConnection, name: &str, key: i64) -> Result<Holder, sqlx::Error> {
    let row = sqlx::query(
        "SELECT host, pid, since FROM locks WHERE name = $1 AND session IN (SELECT pid FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND (classid::BIGINT << 32 | objid::BIGINT) = $2)",
    )
    .bind(name)
    .bind(key)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Holder::default()) };
    let since: String = row.try_get("since")?;
    Ok(Holder {
        host: Some(row.try_get("host")?),
        pid: u32::try_from(row.try_get::<i64, _>("pid")?).ok(),
        since: since.parse().ok(),
    })
}

/// The number of a lock. Advisory locks have 64 bits and no names; no two names that akia uses ever share them.
fn key_of(name: &str) -> i64 {
    let digest = Sha256::new().chain_update("akia lock\0").chain_update(name).finalize();
    digest.iter().take(8).fold(0, |key, byte| key << 8 | i64::from(*byte))
}

/// The name of this machine.
pub(super) fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_str().map(ToOwned::to_owned).unwrap_or_default();
    #[cfg(not(unix))]
    let name = String::new();
    if name.is_empty() { "a machine without a name".to_owned() } else { name }
}
