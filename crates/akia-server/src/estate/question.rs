//! Which keys are asked for, in which order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use akia_core::finding::Severity;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Estate, Row, SeverityName};
use crate::database::{DatabaseError, Kind, Sql, number, text};
use crate::sight::Sight;

/// Keys on a page.
const PAGE: u32 = 50;
/// Values of one statement: both databases take as many.
const VALUES: usize = 500;
/// So many keys are few.
const FEW: i64 = 1_000;
/// A page comes soon where a key in so many is wanted before it.
const SOON: i64 = 20;
const DAY: i64 = 86_400;

/// What is asked for; as it stands in an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Question {
    /// Words that must all stand in the key's id, its user, its owner or its account.
    pub search: String,
    /// Only active keys, or only inactive ones.
    pub active: Option<bool>,
    /// Only those older than so many days, or of which AWS does not say.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    pub older_than: Option<u32>,
    /// Only the others: those that are not older than so many days.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    pub not_older_than: Option<u32>,
    /// Only those not used for more than so many days, or never and older than that.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    pub unused_for: Option<u32>,
    /// Only those that were used, and no more than so many days ago.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    pub used_within: Option<u32>,
    /// Only those of which AWS says this.
    #[param(inline)]
    pub last_use: Option<LastUse>,
    /// Only those with a finding as grave as this.
    #[param(value_type = Option<SeverityName>, inline)]
    pub severity: Option<Severity>,
    /// Only those whose gravest finding is this.
    #[param(value_type = Option<SeverityName>, inline)]
    pub worst: Option<Severity>,
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those of this user.
    pub user: Option<String>,
    /// Only those that this one answers for.
    pub owner: Option<String>,
    /// Only those that nobody answers for.
    pub ownerless: bool,
    /// By what they are sorted.
    #[param(inline)]
    pub sort: Sort,
    /// In the other direction.
    pub reverse: bool,
    /// Which page, from 0.
    #[param(value_type = i64, minimum = 0, maximum = 4294967295i64)]
    pub page: u32,
    /// Keys on a page.
    #[param(value_type = i64, minimum = 0, maximum = 4294967295i64)]
    pub size: u32,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            search: String::new(),
            active: None,
            older_than: None,
            not_older_than: None,
            unused_for: None,
            used_within: None,
            last_use: None,
            severity: None,
            worst: None,
            account: None,
            user: None,
            owner: None,
            ownerless: false,
            sort: Sort::Severity,
            reverse: false,
            page: 0,
            size: PAGE,
        }
    }
}

/// What AWS says of a key's last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LastUse {
    /// When it was.
    Used,
    /// That there was none.
    Never,
    /// Nothing.
    Unknown,
}

/// By what keys are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// The gravest first, the oldest of them first.
    #[default]
    Severity,
    /// The oldest first.
    Age,
    /// The longest unused first; never used ones before all.
    LastUsed,
    /// By account and user.
    User,
    /// By owner; those without one first.
    Owner,
    /// By id.
    Key,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Severity, Self::Age, Self::LastUsed, Self::User, Self::Owner, Self::Key];

    fn order(self, reverse: bool) -> &'static str {
        // Whole texts, so that no part of a statement comes from elsewhere; absent values come first in both databases.
        match (self, reverse) {
            (Self::Severity, false) => " ORDER BY worst DESC, COALESCE(created_at, -1), identity",
            (Self::Severity, true) => " ORDER BY worst, COALESCE(created_at, -1) DESC, identity DESC",
            (Self::Age, false) => " ORDER BY COALESCE(created_at, -1), identity",
            (Self::Age, true) => " ORDER BY COALESCE(created_at, -1) DESC, identity DESC",
            (Self::LastUsed, false) => " ORDER BY COALESCE(last_used_at, -1), identity",
            (Self::LastUsed, true) => " ORDER BY COALESCE(last_used_at, -1) DESC, identity DESC",
            (Self::User, false) => " ORDER BY account, COALESCE(user_name, ''), identity",
            (Self::User, true) => " ORDER BY account DESC, COALESCE(user_name, '') DESC, identity DESC",
            (Self::Owner, false) => " ORDER BY COALESCE(owner, ''), identity",
            (Self::Owner, true) => " ORDER BY COALESCE(owner, '') DESC, identity DESC",
            (Self::Key, false) => " ORDER BY identity",
            (Self::Key, true) => " ORDER BY identity DESC",
        }
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Keys that come one after the other.
pub struct Rows(crate::database::Rows);

impl Rows {
    /// The next one; `None` behind the last.
    ///
    /// # Errors
    /// When the database fails, or who asked was too slow: what came before is not all.
    pub async fn next(&mut self) -> Result<Option<Row>, DatabaseError> {
        self.0.next().await?.map(|row| text(&row, "facts").and_then(|facts| read(&facts))).transpose()
    }
}

impl Question {
    fn asked(&self, mut sql: Sql, now: i64, kind: Kind) -> Sql {
        for word in self.search.split_whitespace() {
            // Not LIKE, which takes twice as long, and would take signs for patterns.
            let place = match kind {
                Kind::Sqlite => " AND instr(searched, ",
                Kind::Postgres => " AND strpos(searched, ",
            };
            sql = sql.text(place).value(word.to_lowercase()).text(") > 0");
        }
        if let Some(active) = self.active {
            sql = sql.text(" AND is_active = ").value(i64::from(active));
        }
        if let Some(days) = self.older_than {
            // -2, so that the index of ages is not walked: half of all keys, one by one, take longer than a look through all.
            sql = sql.text(" AND COALESCE(created_at, -2) <= ").value(before(days, now));
        }
        if let Some(days) = self.not_older_than {
            sql = sql.text(" AND COALESCE(created_at, -2) > ").value(before(days, now));
        }
        if let Some(days) = self.unused_for {
            sql = sql.text(" AND idle_since <= ").value(before(days, now));
        }
        if let Some(days) = self.used_within {
            sql = sql.text(" AND last_used_at > ").value(before(days, now));
        }
        sql = match self.last_use {
            None => sql,
            Some(LastUse::Used) => sql.text(" AND last_used_at IS NOT NULL"),
            Some(LastUse::Never) => sql.text(" AND last_used_at IS NULL AND idle_since IS NOT NULL"),
            Some(LastUse::Unknown) => sql.text(" AND idle_since IS NULL"),
        };
        if let Some(severity) = self.severity {
            sql = sql.text(" AND worst >= ").value(worst(Some(severity)));
        }
        if let Some(severity) = self.worst {
            sql = sql.text(" AND worst = ").value(worst(Some(severity)));
        }
        if let Some(account) = &self.account {
            sql = sql.text(" AND account = ").value(account.as_str());
        }
        if let Some(user) = &self.user {
            sql = sql.text(" AND user_name = ").value(user.as_str());
        }
        if let Some(owner) = &self.owner {
            sql = sql.text(" AND owner = ").value(owner.as_str());
        }
        if self.ownerless { sql.text(" AND owner IS NULL") } else { sql }
    }

    /// Whether it asks for some keys only.
    fn narrows(&self) -> bool {
        let Self { sort, reverse, page, size, .. } = *self;
        *self != Self { sort, reverse, page, size, ..Self::default() }
    }

    /// The same question as an address writes it, without what is as it would be anyway.
    #[must_use]
    pub fn address(&self) -> String {
        let (ours, plain) = (serde_json::to_value(self), serde_json::to_value(Self::default()));
        let (Ok(serde_json::Value::Object(ours)), Ok(plain)) = (ours, plain) else { return String::new() };
        let mut address = String::new();
        for (name, value) in &ours {
            if plain.get(name) == Some(value) {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let _ = write!(address, "{}{name}={}", if address.is_empty() { "?" } else { "&" }, percent(&text));
        }
        address
    }
}

impl Estate {
    /// Keys that are seen, as asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self, sight: &Sight, question: &Question, now: i64) -> Result<Page<Row>, DatabaseError> {
        let kind = self.database.kind();
        if let Some(page) = self.few(sight, question, now).await? {
            return Ok(page);
        }
        let count = question.asked(sight.seen(Sql::new("SELECT COUNT(*) AS total FROM estate_key")), now, kind);
        let count = self.database.rows("count keys", count).await?;
        let total = count.first().map(|row| number(row, "total")).transpose()?.unwrap_or(0);
        let (first, size) = (i64::from(question.page) * i64::from(question.size), i64::from(question.size));
        if first >= total {
            return Ok(Page { rows: Vec::new(), total: u64::try_from(total).unwrap_or(0) });
        }
        // From the nearer end: the last pages are as quick as the first ones.
        let size = size.min(total - first);
        let behind = total - first - size;
        let is_from_end = behind < first;
        let skipped = first.min(behind);
        // Walking an index in order is quick where the page comes soon; where few keys match, it looks at all of them one by one,
        // and finding those first and sorting them is quicker. The limit keeps the database from doing the one for the other.
        let is_soon = total / SOON > skipped + size || (sight.is_all() && !question.narrows());
        let sql = if is_soon {
            question.asked(sight.seen(Sql::new("SELECT identity FROM estate_key")), now, kind)
        } else {
            let found = Sql::new("SELECT identity FROM (SELECT * FROM estate_key");
            question.asked(sight.seen(found), now, kind).text(" LIMIT ").value(total).text(") AS found")
        };
        let sql = sql.text(question.sort.order(question.reverse != is_from_end)).text(" LIMIT ").value(size);
        let rows = self.database.rows("read keys", sql.text(" OFFSET ").value(skipped)).await?;
        let mut identities = rows.iter().map(|row| text(row, "identity")).collect::<Result<Vec<_>, _>>()?;
        if is_from_end {
            identities.reverse();
        }
        Ok(Page { rows: self.rows_of(&identities).await?, total: u64::try_from(total).unwrap_or(0) })
    }

    /// The page where few keys match: they are found and counted in one look through all. `None` where there are more.
    async fn few(&self, sight: &Sight, question: &Question, now: i64) -> Result<Option<Page<Row>>, DatabaseError> {
        if sight.is_all() && !question.narrows() {
            return Ok(None);
        }
        let sql = Sql::new("WITH found AS MATERIALIZED (SELECT * FROM estate_key");
        let sql = question.asked(sight.seen(sql), now, self.database.kind()).text(" LIMIT ").value(FEW + 1);
        let sql = sql.text(") SELECT identity, (SELECT COUNT(*) FROM found) AS total FROM found");
        let sql = sql.text(question.sort.order(question.reverse)).text(" LIMIT ").value(FEW + 1);
        let rows = self.database.rows("read keys", sql).await?;
        let Some(first) = rows.first() else { return Ok(Some(Page { rows: Vec::new(), total: 0 })) };
        let total = number(first, "total")?;
        if total > FEW {
            return Ok(None);
        }
        let (skipped, size) = (question.page as usize * question.size as usize, question.size as usize);
        let identities = rows.iter().skip(skipped).take(size).map(|row| text(row, "identity"));
        let identities = identities.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Page { rows: self.rows_of(&identities).await?, total: u64::try_from(total).unwrap_or(0) }))
    }

    /// Rows by their names, in that order.
    async fn rows_of(&self, identities: &[String]) -> Result<Vec<Row>, DatabaseError> {
        let mut all = Vec::with_capacity(identities.len());
        for part in identities.chunks(VALUES) {
            let sql = Sql::new("SELECT facts FROM estate_fact WHERE identity IN ");
            let sql = sql.row(part.iter().map(|identity| identity.as_str().into()));
            let mut rows = BTreeMap::new();
            for row in self.database.rows("read keys", sql).await? {
                let row = read(&text(&row, "facts")?)?;
                rows.insert(row.identity.clone(), row);
            }
            // A view made anew in between may have lost one: it is not there any more.
            all.extend(part.iter().filter_map(|identity| rows.remove(identity)));
        }
        Ok(all)
    }

    /// All keys that are seen, as asked for, whatever the page; one after the other, as the database reads them.
    #[must_use]
    pub fn whole(&self, sight: &Sight, question: &Question, now: i64) -> Rows {
        let sql = sight.seen(Sql::new(
            "SELECT facts FROM estate_key JOIN (SELECT identity, facts FROM estate_fact) AS fact USING (identity)",
        ));
        let sql = question.asked(sql, now, self.database.kind());
        Rows(self.database.stream("read keys", sql.text(question.sort.order(question.reverse))))
    }

    /// One key, where it is there and seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, sight: &Sight, identity: &str) -> Result<Option<Row>, DatabaseError> {
        let sql = sight.seen(Sql::new(
            "SELECT facts FROM estate_key JOIN (SELECT identity, facts FROM estate_fact) AS fact USING (identity)",
        ));
        let sql = sql.text(" AND identity = ").value(identity);
        let rows = self.database.rows("read a key", sql).await?;
        rows.first().map(|row| text(row, "facts").and_then(|facts| read(&facts))).transpose()
    }
}

fn read(facts: &str) -> Result<Row, DatabaseError> {
    serde_json::from_str(facts).map_err(|error| DatabaseError::Strange { what: format!("facts of a key: {error}") })
}

/// How a severity stands in the table: 0 is none.
pub(super) fn worst(severity: Option<Severity>) -> i64 {
    severity.map_or(0, |severity| severity as i64 + 1)
}

/// The last moment that lies more than so many whole days back.
fn before(days: u32, now: i64) -> i64 {
    now - (i64::from(days) + 1) * DAY
}

/// A text for an address.
pub(crate) fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut done, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => done.push(char::from(byte)),
            _ => {
                let _ = write!(done, "%{byte:02X}");
            }
        }
        done
    })
}
