//! A policy shows itself first in the canary: what that says of keys elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::case::{Case, Stage, later};
use super::policy::EnforcePolicy;
use super::record::Closed;
use crate::estate::{Account, Estate, User};
use crate::rule::Scope;

/// What the canary is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Canaries<'a> {
    /// The policy.
    pub policy: &'a EnforcePolicy,
    /// All cases, also those that are over.
    pub cases: &'a [Case],
    /// The accounts of the cases, as far as an audit has read them.
    pub estates: &'a [Estate],
    /// Now.
    pub now: Timestamp,
}

impl Canaries<'_> {
    /// Why keys of this user are not changed yet. None where they may be: the user is in the canary, the canary has shown that nobody misses
    /// anything, or there is none.
    #[must_use]
    pub fn hold(&self, account: &Account, user: &User) -> Option<String> {
        let Self { policy, cases, now, .. } = *self;
        let canary = policy.canary.as_ref()?;
        if canary.scope.holds(account, Some(user)) {
            return None;
        }
        let digest = policy.digest();
        let under = || cases.iter().filter(|case| case.reviewed().is_some_and(|(asked, _)| asked == digest));
        let in_canary = |case: &&Case| self.is_in(&canary.scope, case);
        let in_it = under().filter(|case| in_canary(case) == Some(true));
        let Some(since) = in_it.filter_map(Case::reviewed).map(|(_, since)| since).min() else {
            let words = "the policy was applied to no key of the canary yet: it shows nothing";
            return Some(words.to_owned());
        };
        let open = later(since, canary.wait);
        if now < open {
            return Some(format!("the canary comes first, until {open}"));
        }
        let was_undone = |case: &&Case| match case.stage() {
            Stage::Closed { why: Closed::Reactivated { .. } | Closed::ReactivatedByOther, .. } => true,
            Stage::Closed { .. }
            | Stage::Seen
            | Stage::Notified { .. }
            | Stage::Reminded { .. }
            | Stage::Deactivated { .. }
            | Stage::Soaked { .. } => false,
        };
        // Where it cannot be told whether it was in the canary, it counts.
        let undone = under().filter(|case| in_canary(case) != Some(false)).find(was_undone)?;
        let key = &undone.opening().subject.key;
        Some(format!("in the canary, key {key} was activated again: look into it, and change the policy"))
    }

    /// Whether the key of a case is in the canary, where an audit tells it.
    fn is_in(&self, scope: &Scope, case: &Case) -> Option<bool> {
        let subject = &case.opening().subject;
        let Some(estate) = self.estates.iter().find(|estate| estate.account.id == subject.account) else {
            let is_elsewhere = !scope.accounts.is_empty() && !scope.accounts.contains(&subject.account);
            return is_elsewhere.then_some(false);
        };
        match estate.users.iter().find(|user| user.arn == subject.user) {
            Some(user) => Some(scope.holds(&estate.account, Some(user))),
            // The user is gone: what does not ask for it can still be told.
            None => {
                let of_account = Scope { tags: BTreeMap::new(), paths: Vec::new(), ..scope.clone() };
                let is_known = scope.tags.is_empty() && scope.paths.is_empty();
                let holds = of_account.holds(&estate.account, None);
                (is_known || !holds).then_some(holds)
            }
        }
    }
}
