//! The counts of earlier audits, for whoever sees all of what they counted.

use akia_io::store::snapshots::Entry;
use sqlx::{Any, Transaction};

use super::Estate;
use crate::database::{DatabaseError, Sql, Value, number, run, text};
use crate::sight::Sight;

/// The latest of a scope that are drawn.
const DRAWN: i64 = 366;

/// The audits of a scope, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trend {
    /// Which accounts were asked for.
    pub scope: String,
    /// What was counted; never empty.
    pub points: Vec<Point>,
}

/// What one audit counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When; seconds since 1970.
    pub at: i64,
    /// Accounts that it could read.
    pub accounts_read: u64,
    /// Of how many.
    pub accounts: u64,
    /// Active keys.
    pub active_keys: u64,
    /// Critical and high findings.
    pub grave: u64,
}

impl Trend {
    /// The latest.
    #[must_use]
    pub fn latest(&self) -> Option<&Point> {
        self.points.last()
    }
}

impl Estate {
    /// The trend of each scope, the widest first; none for somebody who sees a part, since counts cannot be parted afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trends(&self, sight: &Sight) -> Result<Vec<Trend>, DatabaseError> {
        if !sight.is_all() {
            return Ok(Vec::new());
        }
        let scopes = "SELECT DISTINCT source, scope FROM estate_trend ORDER BY source, scope";
        let mut trends = Vec::new();
        for scope in self.database.rows("read the audits", Sql::new(scopes)).await? {
            let (source, scope) = (text(&scope, "source")?, text(&scope, "scope")?);
            let sql = Sql::new("SELECT * FROM estate_trend WHERE source = ").value(source);
            let sql = sql.text(" AND scope = ").value(scope.as_str());
            let sql = sql.text(" ORDER BY at DESC, audit DESC LIMIT ").value(DRAWN);
            let rows = self.database.rows("read the audits", sql).await?;
            let points = rows.iter().rev().map(|row| {
                let count = |column| number(row, column).map(|count| u64::try_from(count).unwrap_or(0));
                Ok(Point {
                    at: number(row, "at")?,
                    accounts_read: count("accounts_read")?,
                    accounts: count("accounts")?,
                    active_keys: count("active_keys")?,
                    grave: count("grave")?,
                })
            });
            trends.push(Trend { scope, points: points.collect::<Result<_, DatabaseError>>()? });
        }
        trends.sort_by_key(|trend| std::cmp::Reverse(trend.latest().map(|point| point.accounts)));
        Ok(trends)
    }
}

/// Notes every audit that is kept.
pub(super) async fn note(change: &mut Transaction<'static, Any>, entries: &[Entry]) -> Result<(), DatabaseError> {
    run(change, "clear the trend", Sql::new("DELETE FROM estate_trend")).await?;
    let count = |count: usize| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
    for entry in entries {
        let [critical, high, ..] = entry.counts;
        let sql = Sql::new(
            "INSERT INTO estate_trend (audit, at, source, scope, is_whole, accounts_read, accounts, active_keys, grave) VALUES ",
        );
        let sql = sql.row([
            Value::from(entry.id),
            entry.at.as_second().into(),
            entry.about.source.as_str().into(),
            entry.about.scope.as_str().into(),
            i64::from(entry.is_whole).into(),
            count(entry.accounts_read),
            count(entry.accounts),
            count(entry.active_keys),
            count(critical + high),
        ]);
        run(change, "note the trend", sql).await?;
    }
    Ok(())
}
