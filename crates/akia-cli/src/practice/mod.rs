//! The made-up world of `akia demo` and `akia sandbox`: a small AWS with users and keys, and the AWS files of the
//! person who holds them.
//!
//! Invariant: nothing of the real world goes in. What runs in it gets its whole environment from [`World::variables`].

mod changes;
mod files;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use akia_core::Partition;
use akia_core::policy::{Duty, JobPolicy, PolicyOptions};
use akia_sandbox::{
    Account, AccountSpec, EstateSpec, KeyInfo, KeyPair, LastUsed, Propagation, RoleSpec, Sandbox, Server, SetupError,
};

use crate::error::CommandError;

pub use changes::Changes;
use files::{CONFIG, CREDENTIALS};
pub use files::{read_both, temporary_folder};

const DAY: Duration = Duration::from_secs(86_400);

/// The person's company, and her private account.
const COMPANY: &str = "111122223333";
const PRIVATE: &str = "444455556666";

/// Anybody of the company's account may take the role, if her own policies allow it.
const TRUST_COMPANY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}]}"#;
const TAKE_ROLE: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Resource": "arn:aws:iam::111122223333:role/deployer"}]}"#;
const READ_USERS: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": ["iam:ListUsers", "iam:GetUser"], "Resource": "*"}]}"#;

/// What there is to practise on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// Profiles that rotate without a question.
    Demo,
    /// The same, an administrator, and a user who needs her MFA device for it.
    Practice,
    /// The same, with an organisation of many accounts.
    Organization {
        /// How many, the management account among them.
        accounts: u32,
        /// Users in each.
        users: u32,
        /// What makes it this one and no other.
        seed: u64,
    },
}

/// How the AWS of a world behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Weather {
    /// How changes spread.
    pub propagation: Propagation,
    /// How long each call takes.
    pub latency: Duration,
    /// The share of calls that are throttled.
    pub throttled: f64,
}

impl From<Propagation> for Weather {
    fn from(propagation: Propagation) -> Self {
        Self { propagation, latency: Duration::ZERO, throttled: 0.0 }
    }
}

/// A world that runs.
#[derive(Debug)]
pub struct World {
    sandbox: Sandbox,
    server: Server,
    folder: PathBuf,
}

/// The user with an MFA device of [`Scene::Practice`].
pub const MFA_USER: &str = "mia";

/// What the roles of [`Scene::Organization`] ask for.
pub const EXTERNAL_ID: &str = "example-id";

impl World {
    /// Furnishes the sandbox, listens on this port of the loopback address (0: a free one), and writes the AWS files
    /// into the folder, which must exist.
    ///
    /// # Errors
    /// The port is taken, or the folder cannot be written.
    pub async fn start(
        scene: Scene,
        weather: impl Into<Weather>,
        port: u16,
        folder: &Path,
    ) -> Result<Self, CommandError> {
        let Weather { propagation, latency, throttled } = weather.into();
        let company = AccountSpec::new(COMPANY).alias("example-company");
        let sandbox = Sandbox::builder().account(company).latency(latency).throttled_share(throttled).build();
        let keys = furnish(&sandbox, scene).map_err(CommandError::failed)?;
        // What is there already has long been known everywhere; only what comes now takes its time.
        sandbox.set_propagation(propagation);
        files::write(folder, &keys)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = sandbox.serve(address).await.map_err(|error| {
            CommandError::failed(format_args!("{address} cannot be listened on: {error}"))
                .next("leave --port out: a free port is taken")
        })?;
        Ok(Self { sandbox, server, folder: folder.to_owned() })
    }

    /// Where the sandbox answers: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The folder of the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What akia and the AWS CLI need to work in this world and in no other.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let path = |name: &str| self.folder.join(name).into_os_string();
        vec![
            ("AWS_ENDPOINT_URL", self.url().into()),
            ("AWS_SHARED_CREDENTIALS_FILE", path(CREDENTIALS)),
            ("AWS_CONFIG_FILE", path(CONFIG)),
            ("AWS_DEFAULT_REGION", "eu-central-1".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            // A proxy cannot reach this machine's own loopback. Every program reads the name in small letters first.
            ("no_proxy", "127.0.0.1".into()),
            ("AKIA_STATE_DIR", path("state")),
            // What is practised does not go to the database of a team.
            ("AKIA_DATABASE", OsString::new()),
            ("AKIA_SEALING_KEY_FILE", OsString::new()),
            ("AKIA_KEYCHAIN", "off".into()),
        ]
    }

    /// All keys that the sandbox knows, by user and then by age, oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        let mut keys = self.sandbox.keys();
        keys.sort_by(|a, b| (&a.account, &a.user, a.created_at).cmp(&(&b.account, &b.user, b.created_at)));
        keys
    }

    /// How many calls have reached the sandbox.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.sandbox.log().len()
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.server.shutdown().await;
    }
}

/// The keys that the AWS files hold.
struct Keys {
    ann: KeyPair,
    backup: KeyPair,
    private: KeyPair,
    practice: Option<PracticeKeys>,
}

struct PracticeKeys {
    admin: KeyPair,
    mia: KeyPair,
    mia_serial: String,
}

fn furnish(sandbox: &Sandbox, scene: Scene) -> Result<Keys, SetupError> {
    let company = sandbox.account().clone();
    let private = sandbox.add_account(AccountSpec::new(PRIVATE))?;
    let keys = Keys {
        ann: user_with_key(sandbox, &company, "ann", 400, ("s3", "eu-central-1", 2))?,
        backup: user_with_key(sandbox, &company, "backup-agent", 120, ("s3", "eu-west-1", 9))?,
        private: user_with_key(sandbox, &private, "ann", 12, ("ec2", "eu-west-1", 50))?,
        practice: match scene {
            Scene::Demo => None,
            Scene::Practice | Scene::Organization { .. } => Some(furnish_practice(sandbox, &company)?),
        },
    };
    if let Scene::Organization { accounts, users, seed } = scene {
        furnish_organization(sandbox, accounts, users, seed)?;
    }
    company.user("ann")?.put_policy("take-the-role", TAKE_ROLE)?;
    company.add_role(RoleSpec {
        name: "deployer",
        path: "/",
        trust_policy: TRUST_COMPANY,
        policy: Some(READ_USERS),
        max_session: Duration::from_secs(3600),
    })?;
    Ok(keys)
}

fn furnish_practice(sandbox: &Sandbox, company: &Account) -> Result<PracticeKeys, SetupError> {
    let admin = user_with_key(sandbox, company, "admin", 30, ("iam", "us-east-1", 30))?;
    company.user("admin")?.attach_policy("AdministratorAccess")?;
    let mia_key = user_with_key(sandbox, company, MFA_USER, 200, ("sts", "us-east-1", 26))?;
    let mia = company.user(MFA_USER)?;
    mia.put_policy("own-keys", &own_keys(true))?;
    Ok(PracticeKeys { admin, mia: mia_key, mia_serial: mia.add_mfa_device()? })
}

/// The roles in each account are what `akia policy audit` and `akia policy enforce` ask for, and trust the management account.
/// Those of enforcement are in the management account, too.
fn furnish_organization(sandbox: &Sandbox, accounts: u32, users: u32, seed: u64) -> Result<(), SetupError> {
    sandbox.found_organization("example-company", "aws@example.com")?;
    let trust = format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::{COMPANY}:root"}}, "Action": "sts:AssumeRole",
              "Condition": {{"StringEquals": {{"sts:ExternalId": "{EXTERNAL_ID}"}}}}}},
            {{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::{COMPANY}:root"}},
              "Action": "sts:SetSourceIdentity"}}]}}"#
    );
    let duties: Vec<(Duty, String)> = std::iter::once(Duty::Audit { security_hub: false })
        .chain(Duty::ENFORCEMENT)
        .map(|duty| (duty, duty.policy(Partition::Aws).to_compact_json()))
        .collect();
    let roles: Vec<RoleSpec<'_>> = duties
        .iter()
        .map(|(duty, policy)| RoleSpec {
            name: duty.role_name(),
            path: "/",
            trust_policy: &trust,
            policy: Some(policy),
            max_session: Duration::from_secs(3600),
        })
        .collect();
    for role in roles.iter().skip(1) {
        sandbox.account().add_role(*role)?;
    }
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    sandbox.populate(EstateSpec { accounts: count(accounts), users: count(users), seed, roles: &roles })
}

/// A user who may manage her own keys, with one that is `days` old and was used some hours ago.
fn user_with_key(
    sandbox: &Sandbox,
    account: &Account,
    name: &str,
    days: u32,
    (service, region, hours): (&str, &str, u32),
) -> Result<KeyPair, SetupError> {
    let user = account.add_user(name, "/")?;
    user.put_policy("own-keys", &own_keys(false))?;
    // Not on the hour of the demo: half a day more reads as the same number of days.
    let key = user.add_access_key(sandbox.now() - DAY * days - DAY / 2)?;
    let at = sandbox.now() - Duration::from_secs(3600) * hours;
    let used = LastUsed { at, service: service.to_owned(), region: region.to_owned() };
    sandbox.set_last_used(&key.id, Some(used))?;
    Ok(key)
}

/// What `akia policy manage-own-keys` prints: the users of the made-up world live by the policy that akia recommends.
fn own_keys(require_mfa: bool) -> String {
    JobPolicy::ManageOwnKeys.document(&PolicyOptions { require_mfa, ..PolicyOptions::default() }).to_compact_json()
}
