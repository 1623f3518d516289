//! What AWS Organizations tells: the accounts, the units above them, and the tags of an account.

use std::collections::BTreeMap;

use akia_core::ids::AccountId;
use aws_sdk_organizations::types::Account;

use super::caller::{Caller, Pages, parse, present};
use super::error::{AwsError, Call};
use super::options::Service;

/// Pages of one listing that are read at most: AWS gives 20 items in each.
const PAGE_LIMIT: usize = 5_000;

/// An account of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: Option<String>,
    /// The address of its root user.
    pub email: Option<String>,
    /// Whether it is in use.
    pub state: AccountState,
}

/// Whether an account is in use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountState {
    /// It is.
    Active,
    /// It is not, in AWS's word for it, in small letters: `suspended`, `pending closure`, `closed`.
    Other(String),
}

/// An organisational unit, or the root of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `ou-…`, or `r-…` for the root.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Caller {
    /// `organizations:ListAccounts`: all accounts of the organisation.
    pub async fn organization_accounts(&self) -> Result<Vec<Member>, AwsError> {
        let call = self.call(Service::Organizations, "ListAccounts");
        every_page(&call, PAGE_LIMIT, async |token| {
            let request = self.organizations().list_accounts().set_next_token(token);
            let answer = self.send(&call, request.send()).await?;
            Ok((members_of(&call, answer.accounts())?, answer.next_token))
        })
        .await
    }

    /// `organizations:ListAccountsForParent`: the accounts right below a unit.
    pub async fn accounts_of_unit(&self, unit: &str) -> Result<Vec<Member>, AwsError> {
        let call = self.call(Service::Organizations, "ListAccountsForParent");
        every_page(&call, PAGE_LIMIT, async |token| {
            let request = self.organizations().list_accounts_for_parent().parent_id(unit).set_next_token(token);
            let answer = self.send(&call, request.send()).await?;
            Ok((members_of(&call, answer.accounts())?, answer.next_token))
        })
        .await
    }

    /// `organizations:ListRoots`: the roots of the tree of units. AWS has one.
    pub async fn organization_roots(&self) -> Result<Vec<Unit>, AwsError> {
        let call = self.call(Service::Organizations, "ListRoots");
        every_page(&call, PAGE_LIMIT, async |token| {
            let answer = self.send(&call, self.organizations().list_roots().set_next_token(token).send()).await?;
            let roots = answer.roots().iter().map(|root| unit(&call, root.id(), root.name()));
            Ok((roots.collect::<Result<_, _>>()?, answer.next_token))
        })
        .await
    }

    /// `organizations:ListOrganizationalUnitsForParent`: the units right below a root or a unit.
    pub async fn units_below(&self, parent: &str) -> Result<Vec<Unit>, AwsError> {
        let call = self.call(Service::Organizations, "ListOrganizationalUnitsForParent");
        every_page(&call, PAGE_LIMIT, async |token| {
            let request = self.organizations().list_organizational_units_for_parent().parent_id(parent);
            let answer = self.send(&call, request.set_next_token(token).send()).await?;
            let units = answer.organizational_units().iter().map(|one| unit(&call, one.id(), one.name()));
            Ok((units.collect::<Result<_, _>>()?, answer.next_token))
        })
        .await
    }

    /// `organizations:ListTagsForResource` of an account.
    pub async fn account_tags(&self, account: &AccountId) -> Result<BTreeMap<String, String>, AwsError> {
        let call = self.call(Service::Organizations, "ListTagsForResource");
        let tags = every_page(&call, super::caller::PAGE_LIMIT, async |token| {
            let request = self.organizations().list_tags_for_resource().resource_id(account.as_str());
            let answer = self.send(&call, request.set_next_token(token).send()).await?;
            let tags = answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
            Ok((tags.collect(), answer.next_token))
        })
        .await?;
        Ok(tags.into_iter().collect())
    }
}

/// All items of a listing. `page` asks for the page behind a token, and gives its items and the token of the next one.
async fn every_page<T>(
    call: &Call,
    most: usize,
    page: impl AsyncFn(Option<String>) -> Result<(Vec<T>, Option<String>), AwsError>,
) -> Result<Vec<T>, AwsError> {
    let mut pages = Pages::up_to(call, most);
    let mut items = Vec::new();
    loop {
        let (more, next) = page(pages.marker()).await?;
        items.extend(more);
        if !pages.advance(next.is_some(), next.as_deref())? {
            return Ok(items);
        }
    }
}

fn members_of(call: &Call, accounts: &[Account]) -> Result<Vec<Member>, AwsError> {
    accounts
        .iter()
        .map(|account| {
            // Status goes away on 2026-09-09 in favour of State, which emulators do not know yet.
            let word = account.state().map(|state| state.as_str()).or(account.status().map(|status| status.as_str()));
            Ok(Member {
                id: parse(call, "Id", present(call, "Id", account.id())?)?,
                name: account.name().filter(|name| !name.is_empty()).map(str::to_owned),
                email: account.email().filter(|email| !email.is_empty()).map(str::to_owned),
                state: match present(call, "State", word)? {
                    "ACTIVE" => AccountState::Active,
                    other => AccountState::Other(other.to_lowercase().replace('_', " ")),
                },
            })
        })
        .collect()
}

fn unit(call: &Call, id: Option<&str>, name: Option<&str>) -> Result<Unit, AwsError> {
    Ok(Unit { id: present(call, "Id", id)?.to_owned(), name: name.unwrap_or_default().to_owned() })
}
