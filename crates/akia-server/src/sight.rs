//! Who somebody is to the server, what they may do, and which keys they may see.
//!
//! Invariant: no question about keys can be asked without a [`Sight`]; what is outside of it does not exist for whoever asks.

use serde::{Deserialize, Serialize};

use crate::database::Sql;

pub use akia_core::settings::Role;

/// Somebody who has shown who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What the record of their acts calls them: an e-mail address, or the name of a token.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The organisational units that they may see, each as its path from the root (`Root/Prod`); all where there is none.
    pub units: Vec<String>,
}

impl Person {
    /// What they may see.
    #[must_use]
    pub fn sight(&self) -> Sight {
        let owner = (self.role == Role::Owner).then(|| self.name.clone());
        let units =
            (!self.units.is_empty()).then(|| self.units.iter().map(|path| units_text(path.split('/'))).collect());
        Sight { owner, units }
    }
}

/// Which keys somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Only those that this one answers for.
    owner: Option<String>,
    /// Only those of accounts in these units or below; each as [`units_text`] writes it.
    units: Option<Vec<String>>,
}

impl Sight {
    /// Everything.
    pub const ALL: Self = Self { owner: None, units: None };

    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// Whether whole accounts are seen, and not some of their keys only.
    #[must_use]
    pub fn is_of_accounts(&self) -> bool {
        self.owner.is_none()
    }

    /// ` WHERE` for a table with `units` and, where keys are asked for, `owner`; more conditions may follow with ` AND`.
    pub(crate) fn seen(&self, mut sql: Sql) -> Sql {
        sql = sql.text(" WHERE 1 = 1");
        if let Some(owner) = &self.owner {
            sql = sql.text(" AND owner = ").value(owner.as_str());
        }
        if let Some(units) = &self.units {
            sql = sql.text(" AND (1 = 0");
            for unit in units {
                // Not LIKE: SQLite's takes upper for lower case.
                let length = i64::try_from(unit.chars().count()).unwrap_or(i64::MAX);
                sql =
                    sql.text(" OR substr(units, 1, CAST(").value(length).text(" AS INTEGER)) = ").value(unit.as_str());
            }
            sql = sql.text(")");
        }
        sql
    }
}

/// A path of organisational units as the tables hold it: each unit ends with a slash, so that no unit is the beginning of another's name.
pub(crate) fn units_text<'a>(units: impl IntoIterator<Item = &'a str>) -> String {
    units.into_iter().filter(|unit| !unit.is_empty()).map(|unit| format!("{}/", unit.replace('/', "∕"))).collect()
}
