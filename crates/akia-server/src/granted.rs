//! Exemptions that admins grant on the pages, for all servers of a database: what is granted or withdrawn on one holds on each within
//! seconds.
//!
//! Enforcement reads the file in its own state folder before each act ([`GrantedFile`]), beside the exemptions of akia.toml. The table is
//! what servers agree on; each brings its own file in line with it. Nothing is deleted from the table: who has granted what, and who has
//! withdrawn it, stays.

use std::sync::Arc;

use akia_core::enforce::Exemption;
use akia_core::ids::{AccessKeyId, AccountId};
use akia_io::enforce::GrantedFile;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use tokio::sync::Mutex;

use crate::database::{Database, DatabaseError, Sql, maybe_number, maybe_text, number, text};

/// Tries of giving one a number that another server has taken.
const TRIES: u32 = 20;

/// An exemption as it was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its number.
    pub id: i64,
    /// What was granted; the approver is who did.
    pub exemption: Exemption,
    /// Who has withdrawn it, and when; seconds since 1970.
    pub withdrawn: Option<(String, i64)>,
}

/// The exemptions of these tables, and of this machine.
#[derive(Debug, Clone)]
pub struct Grants {
    database: Database,
    file: GrantedFile,
    /// Held from the look into the table to the end of writing, so that nobody writes what held before over what holds now.
    writing: Arc<Mutex<()>>,
}

/// Why this machine does not know them.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// The tables.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The file of this machine.
    #[error("the exemptions cannot be written for this machine: {0}")]
    File(#[from] std::io::Error),
}

impl Grants {
    /// Of these tables and this machine.
    #[must_use]
    pub fn new(database: Database, file: GrantedFile) -> Self {
        Self { database, file, writing: Arc::default() }
    }

    /// All that were ever granted, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self) -> Result<Vec<Grant>, DatabaseError> {
        let rows = self.database.rows("read exemptions", Sql::new("SELECT * FROM exemption ORDER BY id DESC")).await?;
        rows.iter().map(Grant::read).collect()
    }

    /// Grants one for a key. Its number.
    ///
    /// # Errors
    /// When it is for no key, or the tables or the file cannot be written; where only the file could not be, it is granted all the same.
    pub async fn grant(&self, exemption: &Exemption) -> Result<i64, GrantsError> {
        let strange = |what: &str| DatabaseError::Strange { what: what.to_owned() };
        let key = exemption.key.as_ref().ok_or_else(|| strange("an exemption of no key"))?;
        for _ in 0..TRIES {
            let sql = Sql::new("SELECT COALESCE(MAX(id), 0) + 1 AS next FROM exemption");
            let rows = self.database.rows("number an exemption", sql).await?;
            let id = rows.first().map_or(Ok(1), |row| number(row, "next"))?;
            let sql = Sql::new(
                "INSERT INTO exemption (id, account, key_id, owner, reason, ticket, approver, granted_at, expires_at) VALUES ",
            );
            let sql = sql.row([
                id.into(),
                exemption.account.as_str().into(),
                key.as_str().into(),
                exemption.owner.as_str().into(),
                exemption.reason.as_str().into(),
                exemption.ticket.as_str().into(),
                exemption.approver.as_str().into(),
                exemption.granted.as_second().into(),
                exemption.expires.as_second().into(),
            ]);
            if self.database.run("grant an exemption", sql.text(" ON CONFLICT DO NOTHING")).await? == 1 {
                self.agree(exemption.granted.as_second()).await?;
                return Ok(id);
            }
        }
        Err(strange("exemptions that take every number").into())
    }

    /// Withdraws one. Whether it was there, and held still.
    ///
    /// # Errors
    /// When the tables or the file cannot be written; where only the file could not be, it is withdrawn all the same.
    pub async fn withdraw(&self, id: i64, person: &str, now: i64) -> Result<bool, GrantsError> {
        let sql = Sql::new("UPDATE exemption SET withdrawn_by = ").value(person).text(", withdrawn_at = ").value(now);
        let sql = sql.text(" WHERE withdrawn_by IS NULL AND id = ").value(id).text(" AND expires_at > ").value(now);
        let is_withdrawn = self.database.run("withdraw an exemption", sql).await? == 1;
        self.agree(now).await?;
        Ok(is_withdrawn)
    }

    /// Brings the file of this machine in line with the table.
    ///
    /// # Errors
    /// When the tables cannot be read or the file not be written.
    pub async fn agree(&self, now: i64) -> Result<(), GrantsError> {
        let _writing = self.writing.lock().await;
        let sql = Sql::new("SELECT * FROM exemption WHERE withdrawn_by IS NULL AND expires_at > ").value(now);
        let rows = self.database.rows("read exemptions", sql.text(" ORDER BY id")).await?;
        let holding: Vec<Exemption> =
            rows.iter().map(|row| Grant::read(row).map(|grant| grant.exemption)).collect::<Result<_, _>>()?;
        // What cannot be read is written anew.
        if self.file.read().is_ok_and(|here| here == holding) {
            return Ok(());
        }
        Ok(self.file.write(&holding)?)
    }
}

impl Grant {
    fn read(row: &AnyRow) -> Result<Self, DatabaseError> {
        let strange = |what: String| DatabaseError::Strange { what };
        let moment = |column| number(row, column).map(|at| Timestamp::from_second(at).unwrap_or_default());
        let (account, key) = (text(row, "account")?, text(row, "key_id")?);
        Ok(Self {
            id: number(row, "id")?,
            exemption: Exemption {
                account: account.parse::<AccountId>().map_err(|_| strange(format!("an account {account:?}")))?,
                user: None,
                key: Some(key.parse::<AccessKeyId>().map_err(|_| strange(format!("a key {key:?}")))?),
                owner: text(row, "owner")?,
                reason: text(row, "reason")?,
                ticket: text(row, "ticket")?,
                approver: text(row, "approver")?,
                granted: moment("granted_at")?,
                expires: moment("expires_at")?,
            },
            withdrawn: maybe_text(row, "withdrawn_by")?.zip(maybe_number(row, "withdrawn_at")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use akia_io::state::StateFolder;

    use super::*;

    /// 2026-11-24T12:00:00Z.
    const NOON: i64 = 1_795_521_600;

    fn exemption(key: &str, days: i64) -> Exemption {
        Exemption {
            account: "123456789012".parse().unwrap(),
            user: None,
            key: Some(key.parse().unwrap()),
            owner: "ann@example.com".to_owned(),
            reason: "the migration".to_owned(),
            ticket: "T-1".to_owned(),
            approver: "root@example.com".to_owned(),
            granted: Timestamp::from_second(NOON).unwrap(),
            expires: Timestamp::from_second(NOON + days * 86_400).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_is_granted_on_one_server_holds_on_every_machine_until_it_ends_or_is_withdrawn() {
        for (folder, database) in crate::database::tests::both().await {
            granting(&folder, &database).await;
        }
    }

    async fn granting(folder: &tempfile::TempDir, database: &Database) {
        let machine = |name: &str| {
            let file = GrantedFile::of(&StateFolder::open(&folder.path().join(name)).unwrap());
            (Grants::new(database.clone(), file.clone()), file)
        };
        let ((one, here), (two, there)) = (machine("one"), machine("two"));
        let (short, long) = (exemption("AKIAIOSFODNN7EXAMPLE", 1), exemption("AKIAI44QH8DHBEXAMPLE", 30));
        let all = [&short, &long].map(|granted| one.grant(granted));
        let ids: Vec<i64> = futures_util::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
        assert_ne!(ids[0], ids[1], "two at once");
        assert_eq!(there.read().unwrap(), []);
        two.agree(NOON).await.unwrap();
        let mut holding = there.read().unwrap();
        holding.sort_by_key(|granted| granted.expires);
        assert_eq!(holding, [short.clone(), long.clone()]);
        // The short one ends by itself, the other by a person, once.
        two.agree(NOON + 86_400).await.unwrap();
        assert_eq!(there.read().unwrap(), [long]);
        assert!(!two.withdraw(ids[0], "eve", NOON + 86_400).await.unwrap(), "it has ended");
        assert!(two.withdraw(ids[1], "bob", NOON + 90_000).await.unwrap());
        assert!(!two.withdraw(ids[1], "eve", NOON + 90_001).await.unwrap());
        one.agree(NOON + 90_002).await.unwrap();
        assert_eq!((here.read().unwrap(), there.read().unwrap()), (Vec::new(), Vec::new()));
        let kept = one.all().await.unwrap();
        let withdrawn = kept.iter().find(|grant| grant.id == ids[1]).unwrap();
        assert_eq!(withdrawn.withdrawn, Some(("bob".to_owned(), NOON + 90_000)), "who did what stays");
        assert!(kept.iter().any(|grant| grant.exemption == short && grant.withdrawn.is_none()));
    }
}
