//! A made-up organisation of any size, the same for the same seed: users and keys of all ages, and what goes wrong with
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;
use crate::organization::MemberSpec;
use crate::policy::{Document, Use};
use crate::sandbox::{RoleSpec, Sandbox, SetupError};
use crate::state::{Device, KeyUse, Login, Role, State};

const DAY_SECONDS: i64 = 86_400;

/// A made-up organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstateSpec<'a> {
    /// How many accounts there are, the management account among them.
    pub accounts: usize,
    /// How many users are in each; every second one holds keys.
    pub users: usize,
    /// What makes it this one and no other.
    pub seed: u64,
    /// The roles in each account but the management account.
    pub roles: &'a [RoleSpec<'a>],
}

/// The units that accounts are spread over, with the unit above each.
const UNITS: [(&str, Option<&str>); 5] = [
    ("workloads", None),
    ("production", Some("workloads")),
    ("development", Some("workloads")),
    ("security", None),
    ("sandboxes", None),
];

impl Sandbox {
    /// Fills the organisation, which must have been founded, with accounts and users.
    ///
    /// # Errors
    /// There is no organisation, or a policy of the role is malformed.
    pub fn populate(&self, spec: EstateSpec<'_>) -> Result<(), SetupError> {
        let now = self.now();
        let mut rng = Rng::with_seed(spec.seed);
        let roles: Vec<Template> = spec.roles.iter().map(|role| Template::of(*role)).collect::<Result<_, _>>()?;
        let mut units: BTreeMap<&str, String> = BTreeMap::new();
        for (name, parent) in UNITS {
            let parent = parent.and_then(|parent| units.get(parent)).cloned();
            units.insert(name, self.add_unit(name, parent.as_deref())?);
        }
        let mut state = self.service().state();
        fill_users(&mut state, self.account().id(), spec.users, &mut rng, now)?;
        for number in 1..spec.accounts {
            let id = format!("{:012}", 200_000_000_000_u64 + u64::try_from(number).unwrap_or_default() * 1_009);
            let partition = state.account(self.account().id())?.partition;
            state.add_account(&id, partition, None, now);
            let (_, unit) = units.iter().nth(number % units.len()).ok_or_else(|| Failure::validation("no unit"))?;
            let organization = state.organization.as_mut().ok_or_else(|| Failure::validation("no organization"))?;
            let (name, email) = (format!("team-{number:04}"), format!("aws+{number:04}@example.com"));
            let member = MemberSpec { name: &name, email: &email, state: "ACTIVE", unit: Some(unit) };
            let member = organization.member(member, now)?;
            organization.members.insert(id.clone(), member);
            for role in &roles {
                role.put(&mut state, &id, now)?;
            }
            fill_users(&mut state, &id, spec.users, &mut rng, now)?;
        }
        Ok(())
    }
}

/// A role that is the same in all accounts, with its policies read once.
struct Template {
    name: String,
    path: String,
    trust: Document,
    inline: BTreeMap<String, Document>,
    max_session: Duration,
}

impl Template {
    fn of(spec: RoleSpec<'_>) -> Result<Self, Failure> {
        let policy = spec.policy.map(|policy| Document::parse(policy, Use::Identity)).transpose()?;
        Ok(Self {
            name: spec.name.to_owned(),
            path: spec.path.to_owned(),
            trust: Document::parse(spec.trust_policy, Use::Trust)?,
            inline: policy.into_iter().map(|policy| ("inline".to_owned(), policy)).collect(),
            max_session: spec.max_session,
        })
    }

    fn put(&self, state: &mut State, account: &str, now: Timestamp) -> Result<(), Failure> {
        let role = Role {
            name: self.name.clone(),
            path: self.path.clone(),
            id: state.mint.unique_id("AROA"),
            created_at: now,
            trust: self.trust.clone(),
            inline: self.inline.clone(),
            attached: BTreeSet::new(),
            max_session_seconds: self.max_session.as_secs().try_into().unwrap_or(3_600),
        };
        state.account_mut(account)?.roles.insert(self.name.clone(), role);
        Ok(())
    }
}

fn fill_users(state: &mut State, account: &str, users: usize, rng: &mut Rng, now: Timestamp) -> Result<(), Failure> {
    if rng.u8(..) < 3 {
        // Some accounts of a hundred still have keys of the root user.
        let key = state.add_key(account, None, days_ago(now, rng, 600..2_000))?;
        use_key(state, account, None, &key.id, rng, now)?;
    }
    for number in 0..users {
        let name = name_of(number, rng);
        let created_at = days_ago(now, rng, 30..1_500);
        state.add_user(account, &name, if rng.u8(..) < 20 { "/service/" } else { "/" }, created_at)?;
        if rng.u8(..) < 90 {
            let owner = format!("team-{}@example.com", rng.u8(1..30));
            state.account_mut(account)?.user_mut(&name)?.tags.insert("owner".to_owned(), owner);
        }
        if number.is_multiple_of(2) {
            fill_keys(state, account, &name, created_at, rng, now)?;
        }
        if rng.u8(..) < 100 {
            let last_used = (rng.u8(..) < 200).then(|| between(created_at, now, rng));
            state.account_mut(account)?.user_mut(&name)?.principal.login = Some(Login { created_at, last_used });
        }
        if rng.u8(..) < 120 {
            let serial = state.account(account)?.arn(&format!("mfa/{name}"));
            let device = Device {
                serial: serial.clone(),
                user: Some(name.clone()),
                seed: state.mint.totp_seed(),
                enabled_at: created_at,
                last_step: None,
            };
            state.account_mut(account)?.devices.insert(serial, device);
        }
        // One user in a hundred may do everything, and the key of one in a thousand has been found in public.
        let attached = match rng.u16(0..1_000) {
            0 => Some("AWSCompromisedKeyQuarantineV3"),
            1..=10 => Some("AdministratorAccess"),
            11..=300 => Some("ReadOnlyAccess"),
            _ => None,
        };
        if let Some(policy) = attached {
            let partition = state.account(account)?.partition.as_str();
            let arn = format!("arn:{partition}:iam::aws:policy/{policy}");
            state.account_mut(account)?.user_mut(&name)?.attached.insert(arn);
        }
    }
    Ok(())
}

/// One key, or two, of which the first may be inactive; most are used.
fn fill_keys(
    state: &mut State,
    account: &str,
    user: &str,
    user_created_at: Timestamp,
    rng: &mut Rng,
    now: Timestamp,
) -> Result<(), Failure> {
    let made_at = if rng.u8(..) < 60 { user_created_at } else { between(user_created_at, now, rng) };
    let first = state.add_key(account, Some(user), made_at)?;
    if rng.u8(..) < 220 {
        use_key(state, account, Some(user), &first.id, rng, now)?;
    }
    if rng.u8(..) < 40 {
        let second = state.add_key(account, Some(user), between(made_at, now, rng))?;
        use_key(state, account, Some(user), &second.id, rng, now)?;
        if rng.bool() {
            state.set_key_active(account, Some(user), &first.id, false, now)?;
        }
    }
    Ok(())
}

fn use_key(
    state: &mut State,
    account: &str,
    user: Option<&str>,
    key: &str,
    rng: &mut Rng,
    now: Timestamp,
) -> Result<(), Failure> {
    let key = state.account_mut(account)?.principal_mut(user)?.key_mut(key)?;
    let service = ["s3", "ec2", "sts", "dynamodb"][rng.usize(0..4)];
    let region = ["us-east-1", "eu-central-1", "eu-west-1"][rng.usize(0..3)];
    // Half of them within the last days.
    let since = if rng.bool() { (now - SignedDuration::from_hours(72)).max(key.created_at) } else { key.created_at };
    let at = between(since, now, rng);
    key.set_last_used(Some(KeyUse { at, service: service.to_owned(), region: region.to_owned() }));
    Ok(())
}

/// Names of people and of services, some with commas; each number its own.
fn name_of(number: usize, rng: &mut Rng) -> String {
    const PEOPLE: [&str; 8] = ["ann", "ben", "chris", "dora", "emil", "fatima", "george", "hanna"];
    const SERVICES: [&str; 6] = ["backup", "deploy", "etl", "mail", "metrics", "search"];
    let person = PEOPLE[rng.usize(0..PEOPLE.len())];
    match rng.u8(0..10) {
        0..=3 => format!("service-{}-{number:02}", SERVICES[rng.usize(0..SERVICES.len())]),
        4 => format!("{person},{number:02}"),
        5 => format!("{person}.{number:02}@example.com"),
        _ => format!("{person}-{number:02}"),
    }
}

fn days_ago(now: Timestamp, rng: &mut Rng, days: std::ops::Range<i64>) -> Timestamp {
    now - SignedDuration::from_secs(rng.i64(days.start * DAY_SECONDS..days.end * DAY_SECONDS))
}

fn between(from: Timestamp, until: Timestamp, rng: &mut Rng) -> Timestamp {
    let seconds = until.duration_since(from).as_secs().max(1);
    from + SignedDuration::from_secs(rng.i64(0..seconds))
}
