//! What was read of the accounts that were asked for.

use std::collections::BTreeMap;

use akia_core::AccountId;
use akia_core::audit::Unread;
use akia_core::estate::Estate;
use akia_io::audit::Reading;
use akia_io::aws::Caller;

use super::past::{Listed, Scope};
use crate::organization::Hub;

/// The accounts, and how they were read.
#[derive(Default)]
pub(crate) struct Asked {
    /// Accounts that were read.
    pub(crate) estates: Vec<Estate>,
    /// Accounts that were not, and why.
    pub(crate) unread: Vec<Unread>,
    /// Accounts that are not in use, and AWS's word for that.
    pub(crate) skipped: BTreeMap<AccountId, String>,
    /// When the keys of each user were listed.
    pub(crate) listed: Listed,
    /// What was looked at.
    pub(crate) scope: Scope,
    /// Users who were not asked about, for the report shows their keys unchanged.
    pub(crate) reused: usize,
    /// Who may speak for each account.
    pub(crate) access: Access,
}

/// Who may speak for accounts.
#[derive(Default)]
pub(crate) enum Access {
    /// Nobody: they were not asked.
    #[default]
    Nobody,
    /// The caller of a profile for each.
    Profiles(BTreeMap<AccountId, Caller>),
    /// A role in each.
    Organization(Box<Hub>),
}

impl Asked {
    /// Nothing yet.
    pub(crate) fn of(scope: Scope) -> Self {
        Self { scope, ..Self::default() }
    }

    /// Accounts out of saved reports.
    pub(crate) fn of_reports(estates: Vec<Estate>) -> Self {
        Self { estates, ..Self::default() }
    }

    /// Takes another account in.
    pub(crate) fn add(&mut self, result: Result<Reading, Unread>) {
        match result {
            Ok(Reading { estate, listed, reused }) => {
                self.reused += reused;
                self.listed.insert(estate.account.id.clone(), listed);
                self.estates.push(estate);
            }
            Err(unread) => self.unread.push(unread),
        }
    }
}
