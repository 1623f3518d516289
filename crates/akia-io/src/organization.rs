//! Reads the accounts of an organisation for an audit, each through a role.
//!
//! Invariant: every account that was chosen ends as an estate or as [`Unread`] with the reason; none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use akia_core::audit::Unread;
use akia_core::estate::{Account, Earlier};
use akia_core::ids::{AccountId, Partition};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OnceCell;

use crate::audit::{Reading, Requested, Unwatched, read_requested, request_report, without_key};
use crate::aws::{AccountState, AssumeRole, Aws, AwsError, AwsOptions, Caller, Credentials, Member, Target, Unit};

/// Sessions that are opened at the same time, at most: the pace of STS decides.
const SESSIONS_AT_ONCE: usize = 128;
/// Accounts that are read at the same time: each has a handful of calls under way.
const ACCOUNTS_AT_ONCE: usize = 64;
/// Accounts without the role that are asked one after another whether they take a source identity, before all are.
const PILOTS: usize = 8;
/// Units of an organisation that are looked at, at most. AWS allows 2,000.
const UNIT_LIMIT: usize = 10_000;
/// A session that ends sooner than this is opened again before an account is read.
const SESSION_REST: SignedDuration = SignedDuration::from_mins(10);

/// How AWS is reached for an organisation: accounts do not share the rates of IAM, so many calls are under way, and each
/// operation of each key at the pace that AWS bears.
#[must_use]
pub fn many_accounts(options: AwsOptions) -> AwsOptions {
    AwsOptions {
        adaptive: false,
        at_once: 256,
        at_once_per_operation: Some(64),
        // One call in twenty throttled, eight times in a row: once in 25 thousand million calls.
        attempts: 8,
        initial_backoff: Duration::from_millis(500),
        // A service that fails by itself should not hold the whole up for a minute.
        longest_backoff: Duration::from_secs(5),
        operation_timeout: Duration::from_secs(180),
        ..options
    }
}

/// Which accounts of the organisation are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Units by id, name, or path of names (`workloads/production`), with all below them; empty for all.
    pub units: Vec<String>,
    /// Accounts; empty for all.
    pub accounts: BTreeSet<AccountId>,
    /// Accounts that are left out.
    pub excluded: BTreeSet<AccountId>,
    /// Whether the units above each account are wanted, though no unit was named.
    pub with_units: bool,
    /// Whether the tags of each account are wanted: a call for each.
    pub with_tags: bool,
}

/// The accounts that are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// Those in use, by number.
    pub accounts: Vec<Account>,
    /// Those that are not in use, and AWS's word for that: nobody can read them.
    pub skipped: BTreeMap<AccountId, String>,
}

/// Why the accounts cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// AWS refused.
    #[error("{0}")]
    Aws(#[from] AwsError),
    /// There is no such unit.
    #[error("there is no unit {asked:?} in the organisation; there are: {}", known.join(", "))]
    NoSuchUnit {
        /// What was asked for.
        asked: String,
        /// The paths of those that there are, at most 40.
        known: Vec<String>,
    },
    /// The name is that of several units.
    #[error("several units are named {asked:?}: {}", paths.join(", "))]
    SeveralUnits {
        /// What was asked for.
        asked: String,
        /// Their paths.
        paths: Vec<String>,
    },
    /// Accounts that were named are not there.
    #[error("not in the organisation, or not below the units: {}", accounts.join(", "))]
    NoSuchAccount {
        /// Their numbers.
        accounts: Vec<String>,
    },
    /// No sane organisation.
    #[error("the organisation has more than {UNIT_LIMIT} units")]
    TooManyUnits,
}

/// Asks the organisation for the accounts that are meant, in as few calls as that takes.
///
/// # Errors
/// When AWS does not tell, or something was named that there is not.
pub async fn choose(hub: &Caller, scope: &Scope) -> Result<Chosen, ChooseError> {
    let mut found: Vec<(Member, Vec<String>)> = Vec::new();
    if scope.units.is_empty() && !scope.with_units {
        found.extend(hub.organization_accounts().await?.into_iter().map(|member| (member, Vec::new())));
    } else {
        for branch in branches(hub, &scope.units).await? {
            let members = hub.accounts_of_unit(&branch.unit.id).await?;
            found.extend(members.into_iter().map(|member| (member, branch.names.clone())));
        }
    }
    let unknown: Vec<String> = scope
        .accounts
        .iter()
        .filter(|wanted| found.iter().all(|(member, _)| member.id != **wanted))
        .map(ToString::to_string)
        .collect();
    if !unknown.is_empty() {
        return Err(ChooseError::NoSuchAccount { accounts: unknown });
    }
    let mut chosen = Chosen { accounts: Vec::new(), skipped: BTreeMap::new() };
    for (member, units) in found {
        let is_meant = scope.accounts.is_empty() || scope.accounts.contains(&member.id);
        if !is_meant || scope.excluded.contains(&member.id) {
            continue;
        }
        match member.state {
            AccountState::Active => chosen.accounts.push(Account {
                id: member.id,
                name: member.name,
                units,
                tags: BTreeMap::new(),
                contact: member.email,
            }),
            AccountState::Other(word) => {
                chosen.skipped.insert(member.id, word);
            }
        }
    }
    chosen.accounts.sort_by(|a, b| a.id.cmp(&b.id));
    if scope.with_tags {
        // The rates of Organizations are low: one after another is as fast as it goes.
        for account in &mut chosen.accounts {
            account.tags = hub.account_tags(&account.id).await?;
        }
    }
    Ok(chosen)
}

/// A unit, and the names from the root down to it; the root's own is left out.
struct Branch {
    unit: Unit,
    names: Vec<String>,
}

impl Branch {
    fn path(&self) -> String {
        self.names.join("/")
    }

    fn is_below(&self, other: &Self) -> bool {
        self.names.starts_with(&other.names)
    }
}

/// The units that are meant with all below them, each once; all units where none is named.
async fn branches(hub: &Caller, wanted: &[String]) -> Result<Vec<Branch>, ChooseError> {
    let mut all: Vec<Branch> = Vec::new();
    let roots = hub.organization_roots().await?;
    all.extend(roots.into_iter().map(|unit| Branch { unit, names: Vec::new() }));
    let mut next = 0;
    while let Some(parent) = all.get(next) {
        let names = parent.names.clone();
        let below = hub.units_below(&parent.unit.id).await?;
        all.extend(below.into_iter().map(|unit| {
            let names = names.iter().cloned().chain([unit.name.clone()]).collect();
            Branch { unit, names }
        }));
        if all.len() > UNIT_LIMIT {
            return Err(ChooseError::TooManyUnits);
        }
        next += 1;
    }
    if wanted.is_empty() {
        return Ok(all);
    }
    let mut tops: BTreeSet<usize> = BTreeSet::new();
    for asked in wanted {
        let asked = asked.trim_matches('/');
        let by_id_or_path = |branch: &Branch| branch.unit.id == asked || branch.path() == asked;
        let mut matching: Vec<usize> = (0..all.len()).filter(|index| by_id_or_path(&all[*index])).collect();
        if matching.is_empty() {
            matching = (0..all.len()).filter(|index| all[*index].unit.name == asked).collect();
        }
        match matching[..] {
            [one] => {
                tops.insert(one);
            }
            [] => {
                let known = all.iter().map(Branch::path).filter(|path| !path.is_empty()).take(40).collect();
                return Err(ChooseError::NoSuchUnit { asked: asked.to_owned(), known });
            }
            [_, _, ..] => {
                let paths = matching.iter().map(|index| all[*index].path()).collect();
                return Err(ChooseError::SeveralUnits { asked: asked.to_owned(), paths });
            }
        }
    }
    let is_meant = |branch: &Branch| tops.iter().any(|top| branch.is_below(&all[*top]));
    let meant: Vec<bool> = all.iter().map(is_meant).collect();
    Ok(all.into_iter().zip(meant).filter_map(|(branch, meant)| meant.then_some(branch)).collect())
}

/// How the accounts are entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account that the caller belongs to; it is read without a role.
    pub own: AccountId,
    /// Who calls, for errors: the ARN.
    pub caller_arn: String,
    /// The partition of the role ARNs.
    pub partition: Partition,
    /// The role's name, with its path where it has one (`security/AkiaAudit`).
    pub role_name: String,
    /// The external id that the trust policies want.
    pub external_id: Option<String>,
    /// Tells this run from others: the session's name and, where roles allow it, the source identity; CloudTrail records
    /// both.
    pub session: String,
}

impl Entry {
    /// The role's ARN in an account.
    #[must_use]
    pub fn role_arn(&self, account: &AccountId) -> String {
        format!("arn:{}:iam::{account}:role/{}", self.partition, self.role_name.trim_matches('/'))
    }
}

/// A name for the sessions of one run: what the run does, and 8 hexadecimal digits.
#[must_use]
pub fn session_name(what: &str) -> String {
    let mut bytes = [0_u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        // It tells runs apart and keeps no secret.
        bytes = std::process::id().to_be_bytes();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{what}-{digits}")
}

/// What happens while an organisation is read.
pub trait Watch {
    /// Another account has had its report asked for, or cannot be entered.
    fn asked(&mut self);
    /// Another account was read, or not.
    fn done(&mut self, result: Result<Reading, Unread>);
}

/// What earlier audits have read.
pub trait Memory: Sync {
    /// What the latest one has read of an account, where it may be used.
    fn earlier<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Option<Earlier>>;
}

/// Enters the accounts of an organisation.
pub struct Doors<'a> {
    aws: &'a Aws,
    hub: &'a Caller,
    entry: &'a Entry,
    target: Target,
    /// Whether roles take the source identity, as the first one does. Asked of thousands that refuse it, it would be
    /// thousands of refusals in CloudTrail, and an alarm.
    takes_identity: OnceCell<bool>,
    /// Accounts that were asked for that, one after another.
    pilots: AtomicUsize,
}

/// A way into one account.
pub enum Door {
    /// The caller's own account.
    Own,
    /// A session of the role.
    Session(Credentials),
}

impl<'a> Doors<'a> {
    /// Doors for the calls of `hub`.
    #[must_use]
    pub fn new(hub: &'a Caller, entry: &'a Entry) -> Self {
        let target = hub.target().clone();
        Self { aws: hub.aws(), hub, entry, target, takes_identity: OnceCell::new(), pilots: AtomicUsize::new(0) }
    }

    /// Whether sessions go without a source identity, since the first role has refused it.
    #[must_use]
    pub fn is_identity_refused(&self) -> bool {
        self.takes_identity.get() == Some(&false)
    }

    /// Opens the way into an account.
    ///
    /// # Errors
    /// When the role cannot be assumed.
    pub async fn open(&self, account: &AccountId) -> Result<Door, AwsError> {
        if *account == self.entry.own {
            return Ok(Door::Own);
        }
        let role_arn = self.entry.role_arn(account);
        let ask = AssumeRole {
            role_arn: &role_arn,
            session_name: &self.entry.session,
            external_id: self.entry.external_id.as_deref(),
            mfa: None,
            duration: None,
            source_identity: None,
            policy: None,
        };
        let with_identity = AssumeRole { source_identity: Some(&self.entry.session), ..ask };
        let mut opened = None;
        let found_out = &mut opened;
        let takes_identity = self.takes_identity.get_or_try_init(|| async move {
            if self.pilots.fetch_add(1, Ordering::Relaxed) >= PILOTS {
                return Ok(true);
            }
            match self.hub.assume_role(with_identity).await {
                Ok(credentials) => {
                    *found_out = Some(credentials);
                    Ok(true)
                }
                // Whoever has a source identity already keeps it, and cannot set another.
                Err(error) if may_be_about_the_identity(&error) => {
                    *found_out = Some(self.hub.assume_role(ask).await?);
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        });
        let takes_identity = *takes_identity.await?;
        if let Some(credentials) = opened {
            return Ok(Door::Session(credentials));
        }
        let answer = match takes_identity {
            false => self.hub.assume_role(ask).await,
            true => match self.hub.assume_role(with_identity).await {
                Err(error) if may_be_about_the_identity(&error) => self.hub.assume_role(ask).await,
                answer => answer,
            },
        };
        answer.map(Door::Session)
    }

    /// Makes calls through a door.
    #[must_use]
    pub fn through<'c>(&'c self, door: &Door) -> Through<'c> {
        match door {
            Door::Own => Through::Own(self.hub),
            Door::Session(credentials) => {
                Through::Session(Box::new(self.aws.caller(credentials.duplicate(), self.target.clone())))
            }
        }
    }

    /// Why an account was not read, in words that are the same for all accounts with the same cause.
    #[must_use]
    pub fn refusal(&self, account: &AccountId, error: &AwsError) -> String {
        let role = &self.entry.role_name;
        match error {
            AwsError::AccessDenied { call, .. } if call.operation == "sts:AssumeRole" => {
                let who = &self.entry.caller_arn;
                let external =
                    if self.entry.external_id.is_some() { " with this external id" } else { " without external id" };
                format!("there is no role {role}, or it does not trust {who}{external}, or {who} may not assume it")
            }
            error => without_names(&error.to_string(), account),
        }
    }
}

/// A caller of an account.
pub enum Through<'c> {
    /// The hub itself.
    Own(&'c Caller),
    /// A session of the role.
    Session(Box<Caller>),
}

impl Through<'_> {
    /// The caller.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Own(caller) => caller,
            Self::Session(caller) => caller,
        }
    }
}

/// Reads accounts: reports are asked for everywhere first, since AWS makes them meanwhile, and collected second.
pub async fn read(doors: &Doors<'_>, accounts: Vec<Account>, memory: &dyn Memory, watch: &mut dyn Watch) {
    let asked = accounts.into_iter().map(|account| async move {
        match doors.open(&account.id).await {
            Ok(door) => {
                let through = doors.through(&door);
                let requested = request_report(through.caller()).await;
                Ok((account, door, requested))
            }
            Err(error) => {
                let reason = doors.refusal(&account.id, &error);
                Err(Unread { account, reason })
            }
        }
    });
    let mut open = Vec::new();
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(SESSIONS_AT_ONCE);
    while let Some(answer) = answers.next().await {
        watch.asked();
        match answer {
            Ok(entered) => open.push(entered),
            Err(unread) => watch.done(Err(unread)),
        }
    }
    let read = open.into_iter().map(|(account, door, requested)| read_one(doors, account, door, requested, memory));
    let mut answers = futures_util::stream::iter(read).buffer_unordered(ACCOUNTS_AT_ONCE);
    while let Some(answer) = answers.next().await {
        watch.done(answer);
    }
}

async fn read_one(
    doors: &Doors<'_>,
    account: Account,
    door: Door,
    requested: Requested,
    memory: &dyn Memory,
) -> Result<Reading, Unread> {
    let door = match door {
        Door::Session(credentials) if ends_soon(&credentials) => match doors.open(&account.id).await {
            Ok(door) => door,
            Err(error) => {
                let reason = doors.refusal(&account.id, &error);
                return Err(Unread { account, reason });
            }
        },
        Door::Own | Door::Session(_) => door,
    };
    let through = doors.through(&door);
    let earlier = memory.earlier(&account.id).await;
    let read = read_requested(through.caller(), account.clone(), &requested, earlier.as_ref(), &Unwatched).await;
    if let Door::Session(credentials) = &door {
        doors.aws.forget(credentials.key());
    }
    read.map_err(|error| {
        let reason = without_names(&error.to_string(), &account.id);
        Unread { account, reason }
    })
}

/// Whether a session should be opened again before it is used.
pub(crate) fn ends_soon(credentials: &Credentials) -> bool {
    credentials.expires_at().is_some_and(|at| at < Timestamp::now() + SESSION_REST)
}

/// Whether a refusal may be one of `sts:SetSourceIdentity`: AWS does not always say of which action it was.
fn may_be_about_the_identity(error: &AwsError) -> bool {
    match error {
        AwsError::AccessDenied { action, .. } => action.as_deref() != Some("sts:AssumeRole"),
        _ => false,
    }
}

/// An error without the session's key and the account, so that the same cause has the same words everywhere.
fn without_names(text: &str, account: &AccountId) -> String {
    without_key(text).replace(account.as_str(), "ACCOUNT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cause_has_the_same_words() {
        let account: AccountId = "111122223333".parse().unwrap();
        let key = ["ASIA", "IOSFODNN7EXAMPLE"].concat();
        let text = format!("x at iam with key {key}: access denied: arn:aws:iam::111122223333:role/x");
        assert_eq!(without_names(&text, &account), "x at iam: access denied: arn:aws:iam::ACCOUNT:role/x");
        assert_eq!(without_names("a key of nobody", &account), "a key of nobody");
    }
}
