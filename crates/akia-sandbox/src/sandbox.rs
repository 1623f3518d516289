//! The sandbox as its users hold it: built, furnished, put out of order, and asked what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;

use crate::clock::{Clock, SdkClock, Ticker};
use crate::connector::Connector;
use crate::failure::Failure;
use crate::fault::{Fault, FaultKind, Faults};
use crate::log::Call;
use crate::mint::Mint;
use crate::policy::{Document, Use};
use crate::propagation::Propagation;
use crate::server::Server;
use crate::service::Service;
use crate::state::{Device, Group, KeyUse, Login, ManagedPolicy, Role, State, check_name, check_path};

/// A part of AWS with its own accounts, endpoints and ARNs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Partition {
    /// `aws`: the commercial regions.
    #[default]
    Aws,
    /// `aws-cn`: China.
    AwsCn,
    /// `aws-us-gov`: GovCloud.
    AwsUsGov,
}

impl Partition {
    /// As it stands in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The one region that signs for IAM.
    #[must_use]
    pub fn iam_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }

    pub(crate) fn owns_host(self, host: &str) -> bool {
        let (is_cn, is_gov) = (host.ends_with(".cn"), host.contains("us-gov"));
        match self {
            Self::Aws => !is_cn && !is_gov,
            Self::AwsCn => is_cn,
            Self::AwsUsGov => is_gov,
        }
    }
}

/// An account to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSpec {
    /// Twelve digits.
    pub id: String,
    /// Where it lives.
    pub partition: Partition,
    /// Its alias.
    pub alias: Option<String>,
}

impl AccountSpec {
    /// An account of the commercial partition without an alias.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), partition: Partition::Aws, alias: None }
    }

    /// The same in another partition.
    #[must_use]
    pub fn partition(mut self, partition: Partition) -> Self {
        self.partition = partition;
        self
    }

    /// The same with an alias.
    #[must_use]
    pub fn alias(mut self, alias: &str) -> Self {
        self.alias = Some(alias.to_owned());
        self
    }
}

/// How the sandbox behaves.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) propagation: Propagation,
    pub(crate) page_size: usize,
    pub(crate) racy_quota: Option<Duration>,
    pub(crate) report_takes: Duration,
    pub(crate) shuffled_report_slots: bool,
    pub(crate) latency: Duration,
    pub(crate) throttled_share: f64,
}

/// Why the sandbox cannot be furnished like that: the same refusals as a call would get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox refuses: {code}: {message}")]
pub struct SetupError {
    /// AWS's error code.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

impl From<Failure> for SetupError {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

/// Sets a sandbox up.
#[derive(Debug, Clone)]
pub struct Builder {
    clock: Clock,
    seed: Option<u64>,
    account: AccountSpec,
    options: Options,
}

impl Builder {
    /// Where time comes from. Default: [`Clock::Real`].
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes ids, secrets and chances repeatable. Default: others each time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How changes spread. Default: [`Propagation::instant`].
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        self.options.propagation = propagation;
        self
    }

    /// The default account. Default: 111122223333 in `aws`.
    #[must_use]
    pub fn account(mut self, account: AccountSpec) -> Self {
        self.account = account;
        self
    }

    /// The most items on a page of any list, whatever the caller asks for. Default: 1000.
    #[must_use]
    pub fn page_size(mut self, items: usize) -> Self {
        self.options.page_size = items.max(1);
        self
    }

    /// Keys younger than this are not counted towards the quota of two, as when two creations race. Default: none.
    #[must_use]
    pub fn racy_quota(mut self, window: Duration) -> Self {
        self.options.racy_quota = Some(window);
        self
    }

    /// How long a credential report takes to make. Default: ready at the second look.
    #[must_use]
    pub fn report_takes(mut self, duration: Duration) -> Self {
        self.options.report_takes = duration;
        self
    }

    /// Whether the credential report swaps a user's two keys now and then, as AWS's does. Default: no.
    #[must_use]
    pub fn shuffled_report_slots(mut self, shuffled: bool) -> Self {
        self.options.shuffled_report_slots = shuffled;
        self
    }

    /// How long each call takes. Default: no time.
    #[must_use]
    pub fn latency(mut self, duration: Duration) -> Self {
        self.options.latency = duration;
        self
    }

    /// The share of calls, between 0 and 1, that are answered with "slow down". Default: none.
    #[must_use]
    pub fn throttled_share(mut self, share: f64) -> Self {
        self.options.throttled_share = share;
        self
    }

    /// The sandbox, with one account that is still empty.
    #[must_use]
    pub fn build(self) -> Sandbox {
        let clock = Arc::new(Ticker::new(self.clock));
        let mut state = State {
            options: self.options,
            mint: Mint::new(self.seed),
            accounts: BTreeMap::new(),
            organization: None,
            long_term: std::collections::HashMap::new(),
            ghosts: std::collections::HashMap::new(),
            sessions: std::collections::HashMap::new(),
            faults: Faults::default(),
            delayed: Vec::new(),
            log: Vec::new(),
        };
        state.add_account(&self.account.id, self.account.partition, self.account.alias, clock.now());
        let service = Arc::new(Service::new(clock, state));
        let default = Account { service: Arc::clone(&service), id: self.account.id.into() };
        Sandbox { service, default }
    }
}

/// A small AWS. Clones share everything.
#[derive(Debug, Clone)]
pub struct Sandbox {
    service: Arc<Service>,
    default: Account,
}

impl Sandbox {
    /// Begins a sandbox.
    #[must_use]
    pub fn builder() -> Builder {
        let options = Options {
            propagation: Propagation::instant(),
            page_size: 1000,
            racy_quota: None,
            report_takes: Duration::ZERO,
            shuffled_report_slots: false,
            latency: Duration::ZERO,
            throttled_share: 0.0,
        };
        Builder { clock: Clock::Real, seed: None, account: AccountSpec::new("111122223333"), options }
    }

    /// The account that the sandbox was built with.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.default
    }

    /// Another account.
    ///
    /// # Errors
    /// The id is not twelve digits or is taken.
    pub fn add_account(&self, spec: AccountSpec) -> Result<Account, SetupError> {
        if spec.id.len() != 12 || !spec.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::validation(format!("{:?} is not an account id of twelve digits", spec.id)).into());
        }
        let now = self.service.clock.now();
        let mut state = self.service.state();
        if state.accounts.contains_key(&spec.id) {
            return Err(Failure::already("Account", &spec.id).into());
        }
        state.add_account(&spec.id, spec.partition, spec.alias, now);
        Ok(Account { service: Arc::clone(&self.service), id: spec.id.into() })
    }

    /// A user of the default account.
    ///
    /// # Errors
    /// The name or the path is not valid, or the name is taken.
    pub fn add_user(&self, name: &str, path: &str) -> Result<User, SetupError> {
        self.default.add_user(name, path)
    }

    /// The time in the sandbox.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.service.clock.now()
    }

    /// Moves the clock on; what was delayed until then happens.
    pub fn advance(&self, by: Duration) {
        self.service.clock.advance(by);
    }

    /// The sandbox's clock for an SDK client, so that its signatures are dated as the sandbox expects.
    #[must_use]
    pub fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::new(SdkClock(Arc::clone(&self.service.clock)))
    }

    /// Puts a fault in the way of calls to come.
    pub fn inject(&self, fault: Fault) {
        self.service.state().faults.add(fault);
    }

    /// Takes all faults away that have not struck yet, and says how many there were.
    pub fn clear_faults(&self) -> usize {
        let mut state = self.service.state();
        let pending = state.faults.pending();
        state.faults.clear();
        pending
    }

    /// Every fault that has struck so far, with the action that it struck, oldest first.
    #[must_use]
    pub fn struck(&self) -> Vec<(String, FaultKind)> {
        self.service.state().faults.struck().to_vec()
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.service.state().log.clone()
    }

    /// Puts the calls so far this much earlier, for CloudTrail too: whoever signs with the machine's clock cannot wait for the past.
    pub fn age_log(&self, by: Duration) {
        self.service.state().log.iter_mut().for_each(|call| call.at -= by);
    }

    /// Forgets the calls so far, for CloudTrail too.
    pub fn clear_log(&self) {
        self.service.state().log.clear();
    }

    /// Lets all credential reports expire, as four hours do: the next one that is asked for is made anew.
    pub fn expire_reports(&self) {
        self.service.state().accounts.values_mut().for_each(|account| account.report = None);
    }

    /// Changes how changes spread from now on.
    pub fn set_propagation(&self, propagation: Propagation) {
        self.service.state().options.propagation = propagation;
    }

    /// The code that an MFA device shows now. `None`: no such device.
    #[must_use]
    pub fn mfa_code(&self, serial: &str) -> Option<String> {
        self.service.mfa_code(|device| device.serial == serial)
    }

    /// Sets when and where a key was last used, whatever its calls said.
    ///
    /// # Errors
    /// There is no such key.
    pub fn set_last_used(&self, key_id: &str, last: Option<LastUsed>) -> Result<(), SetupError> {
        let mut state = self.service.state();
        let missing = || Failure::no_such_key(key_id);
        let (account, user) = state.long_term.get(key_id).cloned().ok_or_else(missing)?;
        let key = state.account_mut(&account)?.principal_mut(user.as_deref())?.key_mut(key_id)?;
        key.set_last_used(last.map(|last| KeyUse { at: last.at, service: last.service, region: last.region }));
        Ok(())
    }

    /// All long-term keys that exist, in no order that means something.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        let state = self.service.state();
        let info = |(id, (account, user)): (&String, &(String, Option<String>))| {
            let key = state.accounts.get(account)?.principal(user.as_deref()).ok()?.key(id).ok()?;
            Some(KeyInfo {
                id: id.clone(),
                account: account.clone(),
                user: user.clone(),
                active: key.active,
                created_at: key.created_at,
            })
        };
        state.long_term.iter().filter_map(info).collect()
    }

    /// Answers over HTTP. Port 0 takes any free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn serve(&self, address: SocketAddr) -> std::io::Result<Server> {
        Server::start(Arc::clone(&self.service), address).await
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// Answers the SDK in this process, without a port.
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector::new(Arc::clone(&self.service))
    }
}

/// A key that was made, with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// `AKIA…`
    pub id: String,
    /// Forty characters.
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// `AKIA…`
    pub id: String,
    /// The account.
    pub account: String,
    /// The user. `None`: the root user.
    pub user: Option<String>,
    /// Whether it is active.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsed {
    /// When.
    pub at: Timestamp,
    /// As in `s3`.
    pub service: String,
    /// As in `us-east-1`.
    pub region: String,
}

/// An account in the sandbox.
#[derive(Debug, Clone)]
pub struct Account {
    service: Arc<Service>,
    id: Arc<str>,
}

impl Account {
    /// Twelve digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A user, made now.
    ///
    /// # Errors
    /// The name or the path is not valid, or the name is taken.
    pub fn add_user(&self, name: &str, path: &str) -> Result<User, SetupError> {
        self.service.state().add_user(&self.id, name, path, self.service.clock.now())?;
        Ok(User { account: self.clone(), name: name.into() })
    }

    /// A user that is there.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn user(&self, name: &str) -> Result<User, SetupError> {
        self.service.state().account(&self.id)?.user(name)?;
        Ok(User { account: self.clone(), name: name.into() })
    }

    /// A key of the root user.
    ///
    /// # Errors
    /// It has two already.
    pub fn add_root_key(&self, created_at: Timestamp) -> Result<KeyPair, SetupError> {
        add_key(self, None, created_at)
    }

    /// A group.
    ///
    /// # Errors
    /// The name or the path is not valid.
    pub fn add_group(&self, name: &str, path: &str) -> Result<(), SetupError> {
        check_name("groupName", name)?;
        check_path(path)?;
        let mut state = self.service.state();
        let group = Group {
            name: name.to_owned(),
            path: path.to_owned(),
            id: state.mint.unique_id("AGPA"),
            created_at: self.service.clock.now(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
        };
        state.account_mut(&self.id)?.groups.insert(name.to_owned(), group);
        Ok(())
    }

    /// An inline policy of a group.
    ///
    /// # Errors
    /// There is no such group, or the policy is malformed.
    pub fn put_group_policy(&self, group: &str, name: &str, policy: &str) -> Result<(), SetupError> {
        let document = Document::parse(policy, Use::Identity)?;
        self.service.state().account_mut(&self.id)?.group_mut(group)?.inline.insert(name.to_owned(), document);
        Ok(())
    }

    /// A managed policy of the account's own. Returns its ARN, for [`User::attach_policy`].
    ///
    /// # Errors
    /// The name is not valid or the policy is malformed.
    pub fn add_policy(&self, name: &str, policy: &str) -> Result<String, SetupError> {
        check_name("policyName", name)?;
        let document = Document::parse(policy, Use::Identity)?;
        let created_at = self.service.clock.now();
        let mut state = self.service.state();
        let id = state.mint.unique_id("ANPA");
        let account = state.account_mut(&self.id)?;
        let arn = account.arn(&format!("policy/{name}"));
        let (name, path) = (name.to_owned(), "/".to_owned());
        let made = ManagedPolicy { arn: arn.clone(), name, path, id, created_at, document };
        account.policies.insert(arn.clone(), made);
        Ok(arn)
    }

    /// A role with its trust policy, an inline policy, and the longest session that it allows. Returns its ARN.
    ///
    /// # Errors
    /// The name or the path is not valid, or a policy is malformed.
    pub fn add_role(&self, role: RoleSpec<'_>) -> Result<String, SetupError> {
        check_name("roleName", role.name)?;
        check_path(role.path)?;
        let trust = Document::parse(role.trust_policy, Use::Trust)?;
        let mut inline = BTreeMap::new();
        if let Some(policy) = role.policy {
            inline.insert("inline".to_owned(), Document::parse(policy, Use::Identity)?);
        }
        let mut state = self.service.state();
        let made = Role {
            name: role.name.to_owned(),
            path: role.path.to_owned(),
            id: state.mint.unique_id("AROA"),
            created_at: self.service.clock.now(),
            trust,
            inline,
            attached: BTreeSet::new(),
            max_session_seconds: role.max_session.as_secs().try_into().unwrap_or(43_200),
        };
        let account = state.account_mut(&self.id)?;
        account.roles.insert(role.name.to_owned(), made);
        Ok(account.arn(&format!("role{}{}", role.path, role.name)))
    }

    /// A virtual MFA device of the root user. Returns its serial number.
    ///
    /// # Errors
    /// Never in practice: the account exists.
    pub fn add_root_mfa_device(&self) -> Result<String, SetupError> {
        add_device(self, None, "root-account-mfa-device", None)
    }
}

/// A role to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its path, `/` as a rule.
    pub path: &'a str,
    /// Who may assume it, as JSON.
    pub trust_policy: &'a str,
    /// What it may do, as JSON.
    pub policy: Option<&'a str>,
    /// `MaxSessionDuration`, an hour as a rule.
    pub max_session: Duration,
}

/// A user in the sandbox.
#[derive(Debug, Clone)]
pub struct User {
    account: Account,
    name: Arc<str>,
}

impl User {
    /// The user's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's ARN.
    ///
    /// # Errors
    /// The user is gone.
    pub fn arn(&self) -> Result<String, SetupError> {
        let state = self.account.service.state();
        let account = state.account(&self.account.id)?;
        Ok(account.user(&self.name)?.arn(account))
    }

    /// A key, made at this time, which may be long ago.
    ///
    /// # Errors
    /// The user has two already or is gone.
    pub fn add_access_key(&self, created_at: Timestamp) -> Result<KeyPair, SetupError> {
        add_key(&self.account, Some(&self.name), created_at)
    }

    /// Activates or deactivates a key.
    ///
    /// # Errors
    /// The user has no such key.
    pub fn set_key_active(&self, key_id: &str, active: bool) -> Result<(), SetupError> {
        let now = self.account.service.clock.now();
        let mut state = self.account.service.state();
        Ok(state.set_key_active(&self.account.id, Some(&self.name), key_id, active, now)?)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// The user has no such key.
    pub fn delete_access_key(&self, key_id: &str) -> Result<(), SetupError> {
        let now = self.account.service.clock.now();
        let mut state = self.account.service.state();
        Ok(state.delete_key(&self.account.id, Some(&self.name), key_id, now)?)
    }

    /// Sets an inline policy.
    ///
    /// # Errors
    /// The policy is malformed or the user is gone.
    pub fn put_policy(&self, name: &str, policy: &str) -> Result<(), SetupError> {
        let document = Document::parse(policy, Use::Identity)?;
        let mut state = self.account.service.state();
        state.account_mut(&self.account.id)?.user_mut(&self.name)?.inline.insert(name.to_owned(), document);
        Ok(())
    }

    /// Attaches a managed policy by its ARN, or by name one of AWS's own, such as `AdministratorAccess`.
    ///
    /// # Errors
    /// There is no such policy or the user is gone.
    pub fn attach_policy(&self, policy: &str) -> Result<(), SetupError> {
        let mut state = self.account.service.state();
        let account = state.account_mut(&self.account.id)?;
        let arn = if policy.starts_with("arn:") {
            policy.to_owned()
        } else {
            format!("arn:{}:iam::aws:policy/{policy}", account.partition.as_str())
        };
        account.policy(&arn)?;
        account.user_mut(&self.name)?.attached.insert(arn);
        Ok(())
    }

    /// Puts the user into a group.
    ///
    /// # Errors
    /// There is no such group or the user is gone.
    pub fn join(&self, group: &str) -> Result<(), SetupError> {
        let mut state = self.account.service.state();
        let account = state.account_mut(&self.account.id)?;
        account.group_mut(group)?;
        account.user_mut(&self.name)?.groups.insert(group.to_owned());
        Ok(())
    }

    /// Sets a tag.
    ///
    /// # Errors
    /// The user is gone.
    pub fn tag(&self, key: &str, value: &str) -> Result<(), SetupError> {
        let mut state = self.account.service.state();
        state.account_mut(&self.account.id)?.user_mut(&self.name)?.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Gives the user a password for the console.
    ///
    /// # Errors
    /// The user is gone.
    pub fn add_login_profile(&self, created_at: Timestamp, last_used: Option<Timestamp>) -> Result<(), SetupError> {
        let mut state = self.account.service.state();
        let user = state.account_mut(&self.account.id)?.user_mut(&self.name)?;
        user.principal.login = Some(Login { created_at, last_used });
        Ok(())
    }

    /// A virtual MFA device of the user's name. Returns its serial number; [`Sandbox::mfa_code`] reads it.
    ///
    /// # Errors
    /// The user is gone.
    pub fn add_mfa_device(&self) -> Result<String, SetupError> {
        self.account.user(&self.name)?;
        add_device(&self.account, Some(&self.name), &self.name, None)
    }

    /// The same with a seed of one's own, as an authenticator would have it.
    ///
    /// # Errors
    /// The user is gone.
    pub fn add_mfa_device_with_seed(&self, seed: &[u8]) -> Result<String, SetupError> {
        self.account.user(&self.name)?;
        add_device(&self.account, Some(&self.name), &self.name, Some(seed))
    }
}

fn add_key(account: &Account, user: Option<&str>, created_at: Timestamp) -> Result<KeyPair, SetupError> {
    let key = account.service.state().add_key(&account.id, user, created_at)?;
    Ok(KeyPair { id: key.id, secret: key.secret, created_at })
}

fn add_device(account: &Account, user: Option<&str>, name: &str, seed: Option<&[u8]>) -> Result<String, SetupError> {
    let enabled_at = account.service.clock.now();
    let mut state = account.service.state();
    let seed = seed.map_or_else(|| state.mint.totp_seed(), <[u8]>::to_vec);
    let owner = state.account_mut(&account.id)?;
    let serial = owner.arn(&format!("mfa/{name}"));
    let user = user.map(str::to_owned);
    let device = Device { serial: serial.clone(), user, seed, enabled_at, last_step: None };
    owner.devices.insert(serial.clone(), device);
    Ok(serial)
}
