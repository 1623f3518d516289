//! A made-up team for `akia serve --demo`, tests and benchmarks: accounts, users and keys from a seed, never by chance of the day.
//!
//! It is handed to the server as a kept audit, in the way a real one is.

mod journal;

use std::collections::{BTreeMap, BTreeSet};

use akia_core::audit::Audit;
use akia_core::estate::{Account, Console, Details, Estate, Grants, Key, Known, Root, User};
use akia_core::ids::{AccessKeyId, AccountId, UserName};
use akia_core::key::{KeyStatus, LastUsed};
use akia_core::rule::AuditSettings;
use akia_core::settings::SnapshotSettings;
use akia_io::store::snapshots::{About, SnapshotError, Snapshots};
use jiff::{SignedDuration, Timestamp};

pub use journal::{expose, policy, tell};

/// The first of its account numbers; all of them begin with it.
const FIRST: u64 = 900_000_000_000;
const TEAMS: [&str; 8] = ["shop", "payments", "search", "data", "mobile", "platform", "billing", "support"];
const UNITS: [&str; 4] = ["Production", "Staging", "Sandbox", "Legacy"];
const SERVICES: [&str; 6] = ["s3", "sts", "dynamodb", "ec2", "sqs", "iam"];
const REGIONS: [&str; 4] = ["eu-west-1", "us-east-1", "eu-central-1", "ap-southeast-2"];

/// How large the team is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Accounts.
    pub accounts: u32,
    /// Users with keys in each.
    pub users: u32,
}

/// Keeps an audit of the made-up team, made at that moment. How many keys it has.
///
/// # Errors
/// When it cannot be kept.
pub async fn keep(audits: &Snapshots, size: Size, at: Timestamp) -> Result<usize, SnapshotError> {
    let estates = (0..size.accounts).map(|number| account(number, size.users, at)).collect();
    let audit = Audit::of(estates, Vec::new(), &AuditSettings::default(), at);
    let about = About { source: "demo".to_owned(), scope: "demo".to_owned(), settings: "demo".to_owned() };
    let listed: BTreeMap<AccountId, BTreeMap<UserName, Timestamp>> = BTreeMap::new();
    audits.add(&audit, &about, &listed, SnapshotSettings::default()).await?;
    Ok(audit.estates.iter().flat_map(|estate| &estate.users).map(|user| user.keys.len()).sum())
}

/// One account of it.
#[must_use]
pub fn account(number: u32, users: u32, at: Timestamp) -> Estate {
    let team = pick(&TEAMS, u64::from(number));
    let unit = pick(&UNITS, u64::from(number / 3));
    let id = format!("{:012}", FIRST + u64::from(number));
    let mut account = Account::bare(known(&id));
    account.name = Some(format!("{team}-{}-{number}", unit.to_lowercase()));
    account.units = vec!["Root".to_owned(), unit.to_owned(), team.to_owned()];
    account.contact = (number % 4 != 1).then(|| format!("{team}@example.com"));
    let mut users: Vec<User> =
        (0..users).map(|user| self::user(&id, team, u64::from(number) * 10_000 + u64::from(user), at)).collect();
    for (slot, key) in (0..).zip(users.iter_mut().map(|user| user.keys.first_mut())) {
        if let Some(key) = key.filter(|key| journal::is_shut(number, slot, key, at)) {
            key.status = KeyStatus::Inactive;
        }
    }
    let root = Root { keys: Vec::new(), password_used_at: None, mfa_active: !number.is_multiple_of(9) };
    Estate { account, as_of: at, root: Known::Told(root), users, gaps: BTreeSet::new() }
}

fn user(account: &str, team: &str, number: u64, at: Timestamp) -> User {
    let mix = mix(number);
    let is_service = mix.is_multiple_of(3);
    let name = if is_service { format!("service-{team}-{number}") } else { format!("{team}.person{number}") };
    let owner = match mix % 11 {
        0 => None,
        1..=5 => Some(format!("{team}@example.com")),
        _ => Some(format!("person{}@example.com", mix % 400)),
    };
    let mut keys = vec![key(number, 0, mix, at)];
    if mix.is_multiple_of(13) {
        let second = Key { status: KeyStatus::Inactive, ..key(number, 1, mix.rotate_left(23), at) };
        keys.push(second);
    }
    User {
        arn: known(&format!("arn:aws:iam::{account}:user/{name}")),
        created_at: Some(ago(at, 2_000)),
        console: Console::Without,
        mfa_active: !is_service && !mix.is_multiple_of(5),
        keys,
        details: Known::Told(Details {
            id: Some(known(&format!("AIDAEXAMPLE{}", letters(number, 10)))),
            tags: owner.map(|owner| ("owner".to_owned(), owner)).into_iter().collect(),
            groups: [team.to_owned()].into(),
            grants: Grants { everything: mix.is_multiple_of(37), ..Grants::default() },
            ..Details::default()
        }),
        service_credentials: Known::Told(Vec::new()),
    }
}

fn key(user: u64, slot: u64, mix: u64, at: Timestamp) -> Key {
    // Most keys are young; some are as old as the company.
    let age = match mix % 20 {
        0..=9 => mix / 20 % 90,
        10..=14 => mix / 20 % 180,
        15..=17 => mix / 20 % 400,
        _ => mix / 20 % 1_900,
    };
    let age = i64::try_from(age).unwrap_or(0) + 1;
    let idle = match mix / 7 % 10 {
        0..=5 => 0,
        6 | 7 => age / 8,
        8 => age / 2,
        _ => age,
    };
    let last_used = match mix / 3 % 16 {
        0 => LastUsed::Never,
        1 if mix.is_multiple_of(5) => LastUsed::Unknown { reason: "GetAccessKeyLastUsed: AccessDenied".to_owned() },
        _ => LastUsed::At {
            at: ago(at, idle),
            service: pick(&SERVICES, mix / 11).to_owned(),
            region: pick(&REGIONS, mix / 13).to_owned(),
        },
    };
    Key {
        id: Some(key_id(user * 2 + slot)),
        status: KeyStatus::Active,
        created_at: Known::Told(ago(at, age)),
        reactivated_at: None,
        last_used,
    }
}

/// `AKIAEXAMPLE` and a number: nothing that AWS would give out.
fn key_id(number: u64) -> AccessKeyId {
    known(&format!("AKIAEXAMPLE{}", letters(number, 9)))
}

/// A number in the letters of AWS's ids, so many of them.
fn letters(number: u64, count: u64) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |place: u64| LETTERS.get(usize::try_from(number >> (place * 5) & 31).unwrap_or(0)).copied();
    (0..count).rev().filter_map(letter).map(char::from).collect()
}

fn ago(at: Timestamp, days: i64) -> Timestamp {
    at - SignedDuration::from_hours(24 * days)
}

fn pick<'a>(of: &[&'a str], number: u64) -> &'a str {
    usize::try_from(number).ok().and_then(|number| of.get(number % of.len()).copied()).unwrap_or("none")
}

/// Spreads numbers as chance would.
fn mix(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 3
}

#[expect(clippy::expect_used, reason = "the texts are made here, from letters and digits; a test reads many")]
fn known<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a made-up name is well-formed")
}
