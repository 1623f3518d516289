//! The estate as pages show it: every key of the latest audits as a row, and figures of each account.
//!
//! It is a view: [`Estate::refresh`] makes it from the kept audits whenever there is a newer one, and nothing else writes it.

mod figures;
mod question;
mod refresh;
mod row;
mod trend;
mod views;

use serde::Serialize;
use utoipa::ToSchema;

use crate::database::{Database, DatabaseError, Sql, maybe_text, number, text};
use crate::sight::Sight;

pub use figures::{AGES, Figures, IDLE};
pub(crate) use question::percent;
pub use question::{LastUse, Page, Question, Rows, Sort};
pub use refresh::RefreshError;
pub(crate) use row::SeverityName;
pub use row::{Finding, Row};
pub use trend::{Point, Trend};
pub use views::{LONGEST_NAME, MOST_VIEWS, View, ViewError};

/// The estate.
#[derive(Debug, Clone)]
pub struct Estate {
    database: Database,
}

/// An account as the estate's page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountRow {
    /// Its number.
    pub account: String,
    /// Its name.
    pub name: Option<String>,
    /// The units above it, each with a slash behind.
    pub units: String,
    /// When AWS made what the figures stand on; seconds since 1970.
    pub as_of: i64,
    /// What is counted of its keys.
    pub figures: Figures,
}

impl Estate {
    /// The estate of these tables.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The accounts that are seen, with their figures; those of an owner are counted from the keys that are theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, sight: &Sight, now: i64) -> Result<Vec<AccountRow>, DatabaseError> {
        if !sight.is_of_accounts() {
            return self.accounts_of_own_keys(sight, now).await;
        }
        let sql = sight.seen(Sql::new("SELECT account, name, units, as_of, figures FROM estate_account"));
        let rows = self.database.rows("read the accounts", sql.text(" ORDER BY account")).await?;
        rows.iter()
            .map(|row| {
                let figures = text(row, "figures")?;
                Ok(AccountRow {
                    account: text(row, "account")?,
                    name: maybe_text(row, "name")?,
                    units: text(row, "units")?,
                    as_of: number(row, "as_of")?,
                    figures: serde_json::from_str(&figures)
                        .map_err(|error| DatabaseError::Strange { what: format!("figures of an account: {error}") })?,
                })
            })
            .collect()
    }

    async fn accounts_of_own_keys(&self, sight: &Sight, now: i64) -> Result<Vec<AccountRow>, DatabaseError> {
        let keys = self.keys(sight, &Question { size: u32::MAX, ..Question::default() }, now).await?;
        let mut accounts: Vec<AccountRow> = Vec::new();
        for key in keys.rows {
            let position = accounts.iter().position(|account| account.account == key.account_id);
            let position = position.unwrap_or_else(|| {
                accounts.push(AccountRow {
                    account: key.account_id.clone(),
                    name: key.account_name.clone(),
                    units: key.units.clone(),
                    as_of: key.as_of,
                    figures: Figures::default(),
                });
                accounts.len() - 1
            });
            if let Some(account) = accounts.get_mut(position) {
                account.figures.count(&key, now);
            }
        }
        Ok(accounts)
    }
}

#[cfg(test)]
mod tests {
    use akia_core::finding::Severity;
    use akia_core::rule::AuditSettings;
    use akia_io::state::StateFolder;
    use akia_io::store::snapshots::Snapshots;
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::demo::{self, Size};
    use crate::sight::{Person, Role};

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    const NOW: i64 = 1_795_521_600;

    struct Desk {
        _folder: tempfile::TempDir,
        audits: Snapshots,
        estate: Estate,
    }

    async fn desk(size: Size) -> Desk {
        desk_of(crate::database::tests::scratch().await, size).await
    }

    async fn desk_of((folder, database): (tempfile::TempDir, Database), size: Size) -> Desk {
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let audits = Snapshots::open(&state).await.unwrap();
        demo::keep(&audits, size, now()).await.unwrap();
        let desk = Desk { _folder: folder, audits, estate: Estate::new(database) };
        assert!(desk.refresh().await);
        desk
    }

    impl Desk {
        async fn refresh(&self) -> bool {
            self.estate.refresh(&self.audits, &AuditSettings::default()).await.unwrap()
        }

        async fn ask(&self, sight: &Sight, question: Question) -> Page<Row> {
            self.estate.keys(sight, &question, NOW).await.unwrap()
        }
    }

    fn person(role: Role, name: &str, units: &[&str]) -> Sight {
        Person { name: name.to_owned(), role, units: units.iter().map(|&unit| unit.to_owned()).collect() }.sight()
    }

    #[tokio::test]
    async fn every_key_of_an_audit_is_found_and_the_figures_count_the_same_keys() {
        assert_eq!(now().as_second(), NOW);
        let desk = desk(Size { accounts: 12, users: 40 }).await;
        let all = desk.ask(&Sight::ALL, Question { size: 10_000, ..Question::default() }).await;
        assert_eq!(all.total, u64::try_from(all.rows.len()).unwrap());
        assert!(all.total >= 480, "{}", all.total);
        let mut counted = Figures::default();
        all.rows.iter().for_each(|row| counted.count(row, NOW));
        let mut summed = Figures::default();
        let accounts = desk.estate.accounts(&Sight::ALL, NOW).await.unwrap();
        accounts.iter().for_each(|account| summed.add(&account.figures));
        assert_eq!(counted, summed);
        assert_eq!(accounts.len(), 12);
        assert!(summed.unused() > 0 && summed.old() > 0 && summed.ownerless > 0, "{summed:?}");
        assert_eq!(summed.ages.iter().sum::<u64>(), summed.active);
        // Severity from the gravest down, the oldest of each first.
        let order: Vec<_> =
            all.rows.iter().map(|row| (std::cmp::Reverse(row.worst()), row.created_at, row.identity.clone())).collect();
        assert!(order.is_sorted());
        for sort in Sort::ALL {
            let one = desk.ask(&Sight::ALL, Question { sort, size: 10_000, ..Question::default() }).await;
            let mut back =
                desk.ask(&Sight::ALL, Question { sort, reverse: true, size: 10_000, ..Question::default() }).await;
            back.rows.reverse();
            assert!(one == back, "{sort:?} backwards is another order");
        }
    }

    /// They are read some at a time.
    #[tokio::test]
    async fn every_account_of_a_large_organisation_is_there() {
        for ground in crate::database::tests::both().await {
            let desk = desk_of(ground, Size { accounts: 131, users: 1 }).await;
            let accounts = desk.estate.accounts(&Sight::ALL, NOW).await.unwrap();
            let numbers: std::collections::BTreeSet<_> = accounts.iter().map(|account| &account.account).collect();
            assert_eq!(numbers.len(), 131);
            assert!(accounts.iter().all(|account| account.figures.active + account.figures.inactive >= 1));
        }
    }

    #[tokio::test]
    async fn questions_narrow_and_pages_add_up() {
        for ground in crate::database::tests::both().await {
            // Some of the questions have few keys for an answer, and some more than are read in one look.
            questions(desk_of(ground, Size { accounts: 8, users: 250 }).await).await;
        }
    }

    async fn questions(desk: Desk) {
        let all = desk.ask(&Sight::ALL, Question { size: 10_000, ..Question::default() }).await;
        type Holds = fn(&Row) -> bool;
        let cases: [(Question, Holds); 12] = [
            (Question { active: Some(false), ..Question::default() }, |row| !row.is_active),
            (Question { older_than: Some(90), ..Question::default() }, |row| row.age_days(NOW).unwrap() > 90),
            (Question { not_older_than: Some(30), ..Question::default() }, |row| row.age_days(NOW).unwrap() <= 30),
            (Question { used_within: Some(7), ..Question::default() }, |row| {
                row.last_used == "used" && row.idle_days(NOW).unwrap() <= 7
            }),
            (Question { last_use: Some(LastUse::Used), ..Question::default() }, |row| row.last_used == "used"),
            (Question { last_use: Some(LastUse::Never), ..Question::default() }, |row| row.last_used == "never"),
            (Question { last_use: Some(LastUse::Unknown), ..Question::default() }, |row| row.last_used == "unknown"),
            (Question { unused_for: Some(90), ..Question::default() }, |row| {
                row.idle_days(NOW).is_some_and(|d| d > 90)
            }),
            (Question { severity: Some(Severity::High), ..Question::default() }, |row| {
                row.worst() >= Some(Severity::High)
            }),
            (Question { worst: Some(Severity::High), ..Question::default() }, |row| {
                row.worst() == Some(Severity::High)
            }),
            (Question { ownerless: true, ..Question::default() }, |row| row.owner.is_none()),
            (Question { search: "SHOP person".to_owned(), ..Question::default() }, |row| {
                row.searched().contains("shop") && row.searched().contains("person")
            }),
        ];
        for (question, holds) in cases {
            let wanted = all.rows.iter().filter(|row| holds(row)).count();
            let found = desk.ask(&Sight::ALL, Question { size: 10_000, ..question.clone() }).await;
            assert!(wanted > 0 && wanted < all.rows.len(), "{question:?}: {wanted}");
            assert_eq!(found.rows.len(), wanted, "{question:?}");
            assert!(found.rows.iter().all(holds), "{question:?}");
            // A page that comes soon is read in another way than one that does not.
            let first = desk.ask(&Sight::ALL, Question { size: 1, ..question.clone() }).await;
            assert_eq!((first.total, &first.rows[..]), (found.total, &found.rows[..1]), "{question:?}");
        }
        let nothing = desk.ask(&Sight::ALL, Question { search: "100%_".to_owned(), ..Question::default() }).await;
        assert_eq!(nothing.total, 0, "signs of a pattern stand for themselves");
        let mut paged = Vec::new();
        for page in 0.. {
            let mut part = desk.ask(&Sight::ALL, Question { page, size: 50, ..Question::default() }).await;
            if part.rows.is_empty() {
                break;
            }
            paged.append(&mut part.rows);
        }
        assert_eq!(paged, all.rows);
    }

    #[tokio::test]
    async fn nobody_sees_what_is_a_neighbours() {
        for ground in crate::database::tests::both().await {
            neighbours(desk_of(ground, Size { accounts: 24, users: 10 }).await).await;
        }
    }

    async fn neighbours(desk: Desk) {
        let all = desk.ask(&Sight::ALL, Question { size: 10_000, ..Question::default() }).await;
        let shop = person(Role::Owner, "shop@example.com", &[]);
        let legacy = person(Role::Viewer, "v", &["Root/Legacy"]);
        let none = person(Role::Viewer, "v", &["Root/Leg"]);
        let other_case = person(Role::Viewer, "v", &["root/legacy"]);
        let both = person(Role::Owner, "shop@example.com", &["Root/Legacy"]);
        type Holds = fn(&Row) -> bool;
        let cases: [(&Sight, Holds); 5] = [
            (&shop, |row| row.owner.as_deref() == Some("shop@example.com")),
            (&legacy, |row| row.units.starts_with("Root/Legacy/")),
            (&none, |_| false),
            (&other_case, |_| false),
            (&both, |row| row.units.starts_with("Root/Legacy/") && row.owner.as_deref() == Some("shop@example.com")),
        ];
        for (sight, holds) in cases {
            let seen = desk.ask(sight, Question { size: 10_000, ..Question::default() }).await;
            assert_eq!(seen.rows.len(), all.rows.iter().filter(|row| holds(row)).count(), "{sight:?}");
            assert!(seen.rows.iter().all(holds), "{sight:?}");
            for row in &all.rows {
                let key = desk.estate.key(sight, &row.identity).await.unwrap();
                assert_eq!(key.is_some(), holds(row), "{sight:?} {}", row.identity);
            }
            let counted: u64 = desk
                .estate
                .accounts(sight, NOW)
                .await
                .unwrap()
                .iter()
                .map(|a| a.figures.active + a.figures.inactive)
                .sum();
            assert_eq!(counted, seen.total, "{sight:?}");
        }
    }

    #[tokio::test]
    async fn a_newer_audit_replaces_the_view_and_the_same_one_does_nothing() {
        let desk = desk(Size { accounts: 3, users: 5 }).await;
        assert!(!desk.refresh().await);
        let later = now() + SignedDuration::from_hours(24);
        demo::keep(&desk.audits, Size { accounts: 2, users: 7 }, later).await.unwrap();
        assert!(desk.refresh().await);
        let accounts = desk.estate.accounts(&Sight::ALL, NOW).await.unwrap();
        assert_eq!(accounts.len(), 2, "an account that the newer audit of the same scope does not have is gone");
        assert!(accounts.iter().all(|account| account.as_of == later.as_second()));
    }

    #[tokio::test]
    async fn the_whole_answer_is_every_page_of_it() {
        let desk = desk(Size { accounts: 6, users: 60 }).await;
        let question = Question { older_than: Some(30), page: 3, sort: Sort::User, ..Question::default() };
        let pages = desk.ask(&Sight::ALL, Question { page: 0, size: 10_000, ..question.clone() }).await.rows;
        let mut rows = desk.estate.whole(&Sight::ALL, &question, NOW);
        let mut whole = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            whole.push(row);
        }
        assert!(whole.len() > 50 && whole == pages, "{} and {}", whole.len(), pages.len());
    }

    #[tokio::test]
    async fn the_trend_has_every_audit_and_is_shown_to_who_sees_everything() {
        let desk = desk(Size { accounts: 3, users: 5 }).await;
        let later = now() + SignedDuration::from_hours(24);
        demo::keep(&desk.audits, Size { accounts: 4, users: 5 }, later).await.unwrap();
        assert!(desk.refresh().await);
        let trends = desk.estate.trends(&Sight::ALL).await.unwrap();
        let [trend] = &trends[..] else { panic!("{trends:?}") };
        assert_eq!(
            trend.points.iter().map(|point| (point.at, point.accounts)).collect::<Vec<_>>(),
            [(NOW, 3), (later.as_second(), 4)]
        );
        let counted: u64 =
            desk.estate.accounts(&Sight::ALL, NOW).await.unwrap().iter().map(|account| account.figures.active).sum();
        assert_eq!(trend.latest().unwrap().active_keys, counted);
        assert_eq!(desk.estate.trends(&person(Role::Viewer, "v", &["Root/Legacy"])).await.unwrap(), []);
        assert_eq!(desk.estate.trends(&person(Role::Owner, "shop@example.com", &[])).await.unwrap(), []);
    }

    #[test]
    fn an_address_holds_what_is_asked_and_no_more() {
        assert_eq!(Question::default().address(), "");
        let asked = Question { search: "a&b 100%".to_owned(), page: 3, ownerless: true, ..Question::default() };
        assert_eq!(asked.address(), "?ownerless=true&page=3&search=a%26b%20100%25");
    }
}
