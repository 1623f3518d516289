//! Audits for the tests of the formats.

use std::collections::BTreeSet;

use akia_core::audit::{Audit, Unread};
use akia_core::estate::{Account, Console, Details, Estate, Grants, Key, Known, Root, User};
use akia_core::key::{KeyStatus, LastUsed};
use akia_core::rule::AuditSettings;
use jiff::{SignedDuration, Timestamp};

/// What a hostile owner may have written into a tag: markup, a table's bar, a formula, an escape, a direction override.
pub(super) const HOSTILE: &str = "=cmd|'`</td><script>alert(1)</script>&amp;\u{1b}[2J\u{202e}]]>\u{ffff}\n# x";

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn ago(days: i64) -> Timestamp {
    now() - SignedDuration::from_hours(days * 24)
}

fn used(days: i64) -> LastUsed {
    LastUsed::At { at: ago(days), service: "s3".to_owned(), region: "eu-west-1".to_owned() }
}

fn key(id: &str, age: i64, last_used: LastUsed) -> Key {
    Key {
        id: Some(id.parse().unwrap()),
        status: KeyStatus::Active,
        created_at: Known::Told(ago(age)),
        reactivated_at: None,
        last_used,
    }
}

fn user(account: &str, path_and_name: &str, owner: Option<&str>, keys: Vec<Key>) -> User {
    User {
        arn: format!("arn:aws:iam::{account}:user{path_and_name}").parse().unwrap(),
        created_at: Some(ago(1_500)),
        console: Console::Without,
        mfa_active: false,
        keys,
        details: Known::Told(Details {
            tags: owner.map(|owner| ("owner".to_owned(), owner.to_owned())).into_iter().collect(),
            groups: ["group".to_owned()].into(),
            grants: Grants { denies_create_key: true, ..Grants::default() },
            ..Details::default()
        }),
        service_credentials: Known::Told(Vec::new()),
    }
}

fn estate(account: Account, root_keys: Vec<Key>, users: Vec<User>) -> Estate {
    let root = Root { keys: root_keys, password_used_at: Some(ago(400)), mfa_active: true };
    Estate { account, as_of: now(), root: Known::Told(root), users, gaps: BTreeSet::new() }
}

/// Five keys in two accounts that were read, and one account that was not.
pub(super) fn small() -> Audit {
    let mut pay = Account::bare("123456789012".parse().unwrap());
    pay.name = Some("Pay <b>&|=\u{1b}[31m\u{202e}".to_owned());
    pay.contact = Some("aws@example.com".to_owned());
    let root_key = Key { id: None, ..key("AKIAIOSFODNN7EXAMPLE", 500, LastUsed::Never) };
    let unknown = LastUsed::Unknown { reason: "GetAccessKeyLastUsed: AccessDenied <&>\u{1b}[2J".to_owned() };
    let users = vec![
        user("123456789012", "/=2+5@example.com", Some(HOSTILE), vec![key("AKIAI44QH8DHBEXAMPLE", 400, used(1))]),
        user("123456789012", "/te<i>&m/ann", None, vec![key("AKIAIOSFODNN7EXAMPLE", 80, used(60))]),
        user("123456789012", "/bob", Some("bob@example.com"), vec![key("AKIAIDAN3EXAMPLE0BOB", 20, unknown)]),
    ];
    let pay = estate(pay, vec![root_key], users);
    let quiet = vec![user("210987654321", "/cleo", None, vec![key("AKIAIDAN3EXAMPLECLEO", 5, used(0))])];
    let mut quiet = estate(Account::bare("210987654321".parse().unwrap()), Vec::new(), quiet);
    quiet.gaps.insert("GetAccountAuthorizationDetails: Throttling <x>".to_owned());
    let mut shop = Account::bare("111122223333".parse().unwrap());
    shop.name = Some("Shop".to_owned());
    let reason = "AssumeRole: AccessDenied <script>|\u{1b}[2J\u{202e}".to_owned();
    Audit::of(vec![pay, quiet], vec![Unread { account: shop, reason }], &AuditSettings::default(), now())
}

/// An account in which nothing is wrong and nothing unknown.
pub(super) fn clean() -> Audit {
    let users = vec![user("210987654321", "/cleo", None, vec![key("AKIAIDAN3EXAMPLECLEO", 5, used(0))])];
    let one = estate(Account::bare("210987654321".parse().unwrap()), Vec::new(), users);
    Audit::of(vec![one], Vec::new(), &AuditSettings::default(), now())
}

/// Accounts with twenty keys each, one finding or more a key. The ages are spread by a fixed step, not by chance.
pub(super) fn large(keys: i64) -> Audit {
    let estates = (0..keys.div_euclid(20)).map(|account| {
        let id = format!("{:012}", 200_000_000_000 + account);
        let users = (0..20).map(|index| {
            let number = account * 20 + index;
            let age = 91 + number * 7_919 % 1_900;
            let last_used = match number % 10 {
                0 => LastUsed::Never,
                step => used(age * (step - 1) * (step - 1) / 81),
            };
            let owner = format!("team-{}@example.com", number % 300);
            let owner = (number % 7 != 0).then_some(owner.as_str());
            let key = key(&format!("AKIAEXAMPLE{number:09}"), age, last_used);
            user(&id, &format!("/user-{number}"), owner, vec![key])
        });
        let mut of = Account::bare(id.parse().unwrap());
        of.name = Some(format!("Account {account}"));
        estate(of, Vec::new(), users.collect())
    });
    Audit::of(estates.collect(), Vec::new(), &AuditSettings::default(), now())
}
