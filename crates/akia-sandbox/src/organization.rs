//! An organisation: accounts, the tree of units above them, and who may look at it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::failure::Failure;
use crate::sandbox::{Account, Sandbox, SetupError};

/// An organisation of the sandbox; there is one at most.
#[derive(Debug)]
pub(crate) struct Organization {
    /// `o-…`
    pub(crate) id: String,
    /// `r-…`
    pub(crate) root: String,
    /// The management account.
    pub(crate) management: String,
    /// Accounts that may look at the whole, too.
    pub(crate) delegated: BTreeSet<String>,
    /// By id (`ou-…`).
    pub(crate) units: BTreeMap<String, Unit>,
    /// By account.
    pub(crate) members: BTreeMap<String, Member>,
}

#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// A unit or the root.
    pub(crate) parent: String,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) email: String,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, `CLOSED`.
    pub(crate) state: String,
    pub(crate) joined_at: Timestamp,
    pub(crate) parent: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// How an account stands in the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// The address of its root user.
    pub email: &'a str,
    /// `ACTIVE`, or another state.
    pub state: &'a str,
    /// The unit that it is in. `None`: right below the root.
    pub unit: Option<&'a str>,
}

impl Sandbox {
    /// Makes the default account the management account of an organisation.
    ///
    /// # Errors
    /// There is an organisation already.
    pub fn found_organization(&self, name: &str, email: &str) -> Result<(), SetupError> {
        let now = self.now();
        let management = self.account().id().to_owned();
        let mut state = self.service().state();
        if state.organization.is_some() {
            let message = "The AWS account is already a member of an organization.";
            return Err(Failure::new(400, "AlreadyInOrganizationException", message).into());
        }
        let (id, root) = (state.mint.lower_case_id("o-", 10), state.mint.lower_case_id("r-", 4));
        let (delegated, units, members) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let mut founded = Organization { id, root, management: management.clone(), delegated, units, members };
        let member = founded.member(MemberSpec { name, email, state: "ACTIVE", unit: None }, now)?;
        founded.members.insert(management, member);
        state.organization = Some(founded);
        Ok(())
    }

    /// A unit below another, or right below the root. Returns its id.
    ///
    /// # Errors
    /// There is no organisation, or no such unit above.
    pub fn add_unit(&self, name: &str, parent: Option<&str>) -> Result<String, SetupError> {
        let mut state = self.service().state();
        let suffix = state.mint.lower_case_id("", 8);
        let organization = state.organization.as_mut().ok_or_else(nowhere)?;
        let id = format!("ou-{}-{suffix}", organization.root.trim_start_matches("r-"));
        let parent = organization.place(parent)?;
        organization.units.insert(id.clone(), Unit { name: name.to_owned(), parent });
        Ok(id)
    }

    /// Takes an account into the organisation, or moves it within.
    ///
    /// # Errors
    /// There is no organisation, or no such unit.
    pub fn add_member(&self, account: &Account, spec: MemberSpec<'_>) -> Result<(), SetupError> {
        let now = self.now();
        let mut state = self.service().state();
        let organization = state.organization.as_mut().ok_or_else(nowhere)?;
        let member = organization.member(spec, now)?;
        organization.members.insert(account.id().to_owned(), member);
        Ok(())
    }

    /// Tags an account of the organisation.
    ///
    /// # Errors
    /// It is in none.
    pub fn tag_member(&self, account: &Account, key: &str, value: &str) -> Result<(), SetupError> {
        let mut state = self.service().state();
        let organization = state.organization.as_mut().ok_or_else(nowhere)?;
        let member = organization.members.get_mut(account.id()).ok_or_else(nowhere)?;
        member.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Lets an account look at the whole organisation.
    ///
    /// # Errors
    /// There is none.
    pub fn delegate(&self, account: &Account) -> Result<(), SetupError> {
        let mut state = self.service().state();
        state.organization.as_mut().ok_or_else(nowhere)?.delegated.insert(account.id().to_owned());
        Ok(())
    }
}

impl Organization {
    pub(crate) fn member(&self, spec: MemberSpec<'_>, joined_at: Timestamp) -> Result<Member, Failure> {
        Ok(Member {
            name: spec.name.to_owned(),
            email: spec.email.to_owned(),
            state: spec.state.to_owned(),
            joined_at,
            parent: self.place(spec.unit)?,
            tags: BTreeMap::new(),
        })
    }

    fn place(&self, unit: Option<&str>) -> Result<String, Failure> {
        let Some(unit) = unit else { return Ok(self.root.clone()) };
        if self.units.contains_key(unit) {
            return Ok(unit.to_owned());
        }
        Err(Failure::new(400, "ParentNotFoundException", "You specified parent that doesn't exist."))
    }
}

fn nowhere() -> Failure {
    Failure::new(400, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}
