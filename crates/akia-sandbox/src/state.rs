//! What the sandbox knows: accounts with their users, keys, groups, roles, policies and devices, and open sessions.
//!
//! Invariant: every key id in `long_term` belongs to exactly one living key; a key that was deleted is a ghost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::clock::iso8601;
use crate::failure::Failure;
use crate::fault::Faults;
use crate::log::Call;
use crate::managed::AWS_MANAGED;
use crate::mint::Mint;
use crate::organization::Organization;
use crate::policy::{Document, Use};
use crate::propagation::Propagation;
use crate::report::Report;
use crate::sandbox::{Options, Partition};
use crate::service::Delayed;
use crate::totp;

/// AWS's default quota of access keys for a user; it cannot be raised.
const KEYS_PER_USER: usize = 2;
/// The most that anybody has seen when the quota was raced.
const KEYS_PER_USER_RACED: usize = 8;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) mint: Mint,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) organization: Option<Organization>,
    /// Key id to the account and the user; no user: the root user.
    pub(crate) long_term: HashMap<String, (String, Option<String>)>,
    /// Deleted keys, which may work a little longer.
    pub(crate) ghosts: HashMap<String, (String, Option<String>, Key)>,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) faults: Faults,
    pub(crate) delayed: Vec<Delayed>,
    pub(crate) log: Vec<Call>,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) partition: Partition,
    pub(crate) alias: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// By ARN, AWS's own among them.
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    pub(crate) root: Principal,
    /// By serial number.
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) report: Option<Report>,
}

/// What users and the root user have in common.
#[derive(Debug, Default)]
pub(crate) struct Principal {
    pub(crate) keys: Vec<Key>,
    pub(crate) login: Option<Login>,
    /// What `ListAccessKeys` may still show: listings of before, each with the time until which it may.
    stale: Vec<(Timestamp, Vec<Listed>)>,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) inline: BTreeMap<String, Document>,
    pub(crate) attached: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) service_credentials: Vec<ServiceCredential>,
    /// The ARN of the policy that bounds what the others grant.
    pub(crate) boundary: Option<String>,
    pub(crate) principal: Principal,
}

/// A credential for one service, beside access keys.
#[derive(Debug, Clone)]
pub(crate) struct ServiceCredential {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) inline: BTreeMap<String, Document>,
    pub(crate) attached: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) trust: Document,
    pub(crate) inline: BTreeMap<String, Document>,
    pub(crate) attached: BTreeSet<String>,
    pub(crate) max_session_seconds: i64,
}

#[derive(Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) document: Document,
}

#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) created_at: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) serial: String,
    /// `None`: the root user's.
    pub(crate) user: Option<String>,
    pub(crate) seed: Vec<u8>,
    pub(crate) enabled_at: Timestamp,
    /// The step of the last code that was accepted: a code works once.
    pub(crate) last_step: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) active: bool,
    pub(crate) created_at: Timestamp,
    /// When it was created or last reactivated: the credential report's `last_rotated`.
    pub(crate) rotated_at: Timestamp,
    pub(crate) usable_from: Timestamp,
    pub(crate) steady_from: Timestamp,
    /// It goes on working until then although it has ended.
    pub(crate) works_until: Option<Timestamp>,
    uses: Vec<KeyUse>,
}

/// One use of a key, as IAM remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) at: Timestamp,
    pub(crate) service: String,
    pub(crate) region: String,
}

/// A key as `ListAccessKeys` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) created_at: Timestamp,
}

/// Temporary credentials.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) account: String,
    pub(crate) identity: Identity,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// When the MFA code was given.
    pub(crate) mfa_at: Option<Timestamp>,
    /// What the session was narrowed to when it was opened.
    pub(crate) policy: Option<Document>,
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Root,
    User(String),
    Role { role: String, session: String },
}

impl Key {
    /// Remembers a use, cut to the minute as AWS does.
    pub(crate) fn record(&mut self, at: Timestamp, service: &str, region: &str) {
        let second = at.as_second();
        let minute = Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at);
        let this = KeyUse { at: minute, service: service.to_owned(), region: region.to_owned() };
        if self.uses.last() != Some(&this) {
            self.uses.push(this);
        }
    }

    pub(crate) fn set_last_used(&mut self, last: Option<KeyUse>) {
        self.uses = last.into_iter().collect();
    }

    /// The last use that has come through by now.
    pub(crate) fn last_used(&self, now: Timestamp, spread: &Propagation) -> Option<&KeyUse> {
        self.uses.iter().rev().find(|used| used.at + spread.last_used <= now)
    }
}

impl Principal {
    pub(crate) fn key(&self, id: &str) -> Result<&Key, Failure> {
        self.keys.iter().find(|key| key.id == id).ok_or_else(|| Failure::no_such_key(id))
    }

    pub(crate) fn key_mut(&mut self, id: &str) -> Result<&mut Key, Failure> {
        self.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| Failure::no_such_key(id))
    }

    fn listing(&self) -> Vec<Listed> {
        let listed = |key: &Key| Listed { id: key.id.clone(), active: key.active, created_at: key.created_at };
        self.keys.iter().map(listed).collect()
    }

    /// Call before every change of the keys.
    fn keep_stale(&mut self, now: Timestamp, spread: &Propagation) {
        self.stale.retain(|(until, _)| now < *until);
        if !spread.lists.is_zero() {
            self.stale.push((now + spread.lists, self.listing()));
        }
    }

    /// What a list shows: the truth, or while it spreads now and then what was before.
    pub(crate) fn listed(&self, now: Timestamp, mint: &mut Mint) -> Vec<Listed> {
        match self.stale.iter().find(|(until, _)| now < *until) {
            Some((_, before)) if mint.chance(0.5) => before.clone(),
            _ => self.listing(),
        }
    }
}

impl User {
    pub(crate) fn arn(&self, account: &Account) -> String {
        account.arn(&format!("user{}{}", self.path, self.name))
    }
}

impl Account {
    /// An ARN of IAM in this account.
    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.partition.as_str(), self.id)
    }

    pub(crate) fn user(&self, name: &str) -> Result<&User, Failure> {
        self.users.get(name).ok_or_else(|| Failure::no_such("user", name))
    }

    pub(crate) fn user_mut(&mut self, name: &str) -> Result<&mut User, Failure> {
        self.users.get_mut(name).ok_or_else(|| Failure::no_such("user", name))
    }

    /// The keeper of keys: a user, or without a name the root user.
    pub(crate) fn principal(&self, user: Option<&str>) -> Result<&Principal, Failure> {
        user.map_or(Ok(&self.root), |name| self.user(name).map(|user| &user.principal))
    }

    pub(crate) fn principal_mut(&mut self, user: Option<&str>) -> Result<&mut Principal, Failure> {
        match user {
            None => Ok(&mut self.root),
            Some(name) => self.user_mut(name).map(|user| &mut user.principal),
        }
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> Result<&mut Group, Failure> {
        self.groups.get_mut(name).ok_or_else(|| Failure::no_such("group", name))
    }

    pub(crate) fn policy(&self, arn: &str) -> Result<&ManagedPolicy, Failure> {
        let missing =
            || Failure::new(404, "NoSuchEntity", format!("Policy {arn} does not exist or is not attachable."));
        self.policies.get(arn).ok_or_else(missing)
    }

    /// All policies that apply to an identity. The root user has none and needs none.
    pub(crate) fn policies_of(&self, identity: &Identity) -> Vec<&Document> {
        let attached = |arns: &BTreeSet<String>| -> Vec<&Document> {
            arns.iter().filter_map(|arn| self.policies.get(arn)).map(|policy| &policy.document).collect()
        };
        match identity {
            Identity::Root => Vec::new(),
            Identity::User(name) => self.users.get(name).map_or_else(Vec::new, |user| {
                let groups: Vec<&Group> = user.groups.iter().filter_map(|group| self.groups.get(group)).collect();
                let inline = groups.iter().flat_map(|group| group.inline.values());
                let managed = groups.iter().flat_map(|group| attached(&group.attached));
                user.inline.values().chain(attached(&user.attached)).chain(inline).chain(managed).collect()
            }),
            Identity::Role { role, .. } => self
                .roles
                .get(role)
                .map_or_else(Vec::new, |role| role.inline.values().chain(attached(&role.attached)).collect()),
        }
    }

    /// The policy that bounds an identity, where there is one.
    pub(crate) fn boundary_of(&self, identity: &Identity) -> Option<&Document> {
        let user = match identity {
            Identity::User(name) => self.users.get(name)?,
            Identity::Root | Identity::Role { .. } => return None,
        };
        self.policies.get(user.boundary.as_ref()?).map(|policy| &policy.document)
    }

    pub(crate) fn group(&self, name: &str) -> Result<&Group, Failure> {
        self.groups.get(name).ok_or_else(|| Failure::no_such("group", name))
    }

    /// Takes a one-time code of a device; each works once, one step early or late.
    pub(crate) fn take_code(
        &mut self,
        serial: &str,
        user: Option<&str>,
        code: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let unknown = || {
            Failure::denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number \
                 is valid and associated with this user.",
            )
        };
        let device =
            self.devices.get_mut(serial).filter(|device| device.user.as_deref() == user).ok_or_else(unknown)?;
        let step = now.as_second() / totp::STEP_SECONDS;
        let accepted = (step - 1..=step + 1)
            .find(|step| device.last_step.is_none_or(|last| *step > last) && totp::code(&device.seed, *step) == code);
        let wrong = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
        device.last_step = Some(accepted.ok_or_else(|| Failure::denied(wrong))?);
        Ok(())
    }

    pub(crate) fn devices_of<'a>(&'a self, user: Option<&'a str>) -> impl Iterator<Item = &'a Device> {
        self.devices.values().filter(move |device| device.user.as_deref() == user)
    }
}

impl State {
    pub(crate) fn account(&self, id: &str) -> Result<&Account, Failure> {
        self.accounts.get(id).ok_or_else(Failure::invalid_client_token_id)
    }

    pub(crate) fn account_mut(&mut self, id: &str) -> Result<&mut Account, Failure> {
        self.accounts.get_mut(id).ok_or_else(Failure::invalid_client_token_id)
    }

    pub(crate) fn add_account(&mut self, id: &str, partition: Partition, alias: Option<String>, now: Timestamp) {
        let mut policies = BTreeMap::new();
        for (name, document) in aws_managed() {
            let arn = format!("arn:{}:iam::aws:policy/{name}", partition.as_str());
            let document = document.clone();
            let id = self.mint.unique_id("ANPA");
            let (name, path) = ((*name).to_owned(), "/".to_owned());
            policies.insert(arn.clone(), ManagedPolicy { arn, name, path, id, created_at: now, document });
        }
        let account = Account {
            id: id.to_owned(),
            partition,
            alias,
            created_at: now,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            policies,
            root: Principal::default(),
            devices: BTreeMap::new(),
            report: None,
        };
        self.accounts.insert(id.to_owned(), account);
    }

    pub(crate) fn add_user(&mut self, account: &str, name: &str, path: &str, now: Timestamp) -> Result<(), Failure> {
        check_name("userName", name)?;
        check_path(path)?;
        let id = self.mint.unique_id("AIDA");
        let account = self.account_mut(account)?;
        // Names differ in more than case.
        if account.users.keys().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(Failure::already("User", name));
        }
        let user = User {
            name: name.to_owned(),
            path: path.to_owned(),
            id,
            created_at: now,
            tags: BTreeMap::new(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            groups: BTreeSet::new(),
            service_credentials: Vec::new(),
            boundary: None,
            principal: Principal::default(),
        };
        account.users.insert(name.to_owned(), user);
        Ok(())
    }

    /// Makes a key, within the quota.
    pub(crate) fn add_key(&mut self, account: &str, user: Option<&str>, now: Timestamp) -> Result<Key, Failure> {
        let raced = self.options.racy_quota;
        let id = self.mint.key_id("AKIA", account);
        let secret = self.mint.secret();
        let (usable_from, steady_from) = self.options.propagation.beginning(now, &mut self.mint);
        let spread = self.options.propagation.clone();
        let owner = self.account_mut(account)?.principal_mut(user)?;
        let counted = owner.keys.iter().filter(|key| raced.is_none_or(|window| key.created_at + window <= now)).count();
        if counted >= KEYS_PER_USER || owner.keys.len() >= KEYS_PER_USER_RACED {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}");
            return Err(Failure::new(409, "LimitExceeded", message));
        }
        owner.keep_stale(now, &spread);
        let key = Key {
            id: id.clone(),
            secret,
            active: true,
            created_at: now,
            rotated_at: now,
            usable_from,
            steady_from,
            works_until: None,
            uses: Vec::new(),
        };
        owner.keys.push(key.clone());
        self.long_term.insert(id, (account.to_owned(), user.map(str::to_owned)));
        Ok(key)
    }

    pub(crate) fn set_key_active(
        &mut self,
        account: &str,
        user: Option<&str>,
        id: &str,
        active: bool,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let spread = self.options.propagation.clone();
        let begins = spread.beginning(now, &mut self.mint);
        let ends = spread.ending(now, &mut self.mint);
        let owner = self.account_mut(account)?.principal_mut(user)?;
        if owner.key(id)?.active == active {
            return Ok(());
        }
        owner.keep_stale(now, &spread);
        let key = owner.key_mut(id)?;
        key.active = active;
        if active {
            (key.usable_from, key.steady_from) = begins;
            (key.rotated_at, key.works_until) = (now, None);
        } else {
            key.works_until = Some(ends);
        }
        Ok(())
    }

    pub(crate) fn delete_key(
        &mut self,
        account: &str,
        user: Option<&str>,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let spread = self.options.propagation.clone();
        let ends = spread.ending(now, &mut self.mint);
        let owner = self.account_mut(account)?.principal_mut(user)?;
        owner.key(id)?;
        owner.keep_stale(now, &spread);
        if let Some(index) = owner.keys.iter().position(|key| key.id == id) {
            let mut key = owner.keys.remove(index);
            if key.active {
                key.works_until = Some(ends);
            }
            key.active = false;
            self.long_term.remove(id);
            self.ghosts.insert(id.to_owned(), (account.to_owned(), user.map(str::to_owned), key));
        }
        Ok(())
    }
}

/// AWS's own policies, read once for all accounts.
fn aws_managed() -> &'static [(&'static str, Document)] {
    static READ: OnceLock<Vec<(&str, Document)>> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |(name, text): &(&'static str, &str)| Some((*name, Document::parse(text, Use::Identity).ok()?));
        AWS_MANAGED.iter().filter_map(read).collect()
    })
}

/// Names of users, groups, roles and policies.
pub(crate) fn check_name(parameter: &str, name: &str) -> Result<(), Failure> {
    let fits =
        (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    if fits && (parameter != "userName" || name.len() <= 64) {
        return Ok(());
    }
    Err(Failure::validation(format!(
        "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_-"
    )))
}

pub(crate) fn check_path(path: &str) -> Result<(), Failure> {
    let fits =
        path.len() <= 512 && path.starts_with('/') && path.ends_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    Err(Failure::validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
         characters and/or / characters.",
    ))
}

/// A date of the credential report.
pub(crate) fn report_date(at: Timestamp) -> String {
    iso8601(at).replace('Z', "+00:00")
}
