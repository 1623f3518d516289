//! Each rule on a case that breaks it and on one right beside that does not.

use std::collections::BTreeMap;

use super::*;
use crate::estate::{Account, Console, Details, Grants, Known, ServiceCredential};
use crate::ids::AccessKeyId;
use crate::key::{KeyStatus, LastUsed};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const OTHER: &str = "AKIAI44QH8DHBEXAMPLE";

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn ago(days: i64) -> Timestamp {
    now() - SignedDuration::from_hours(days * 24)
}

fn used(days: i64) -> LastUsed {
    LastUsed::At { at: ago(days), service: "s3".to_owned(), region: "eu-west-1".to_owned() }
}

fn used_for(service: &str, days: i64) -> LastUsed {
    LastUsed::At { at: ago(days), service: service.to_owned(), region: "eu-west-1".to_owned() }
}

/// An active key of this age, used yesterday.
fn key(id: &str, age: i64) -> Key {
    Key {
        id: Some(id.parse::<AccessKeyId>().unwrap()),
        status: KeyStatus::Active,
        created_at: Known::Told(ago(age)),
        reactivated_at: None,
        last_used: used(1),
    }
}

/// A user whom no rule has anything against.
fn user(name: &str) -> User {
    User {
        arn: format!("arn:aws:iam::123456789012:user/{name}").parse().unwrap(),
        created_at: Some(ago(1_000)),
        console: Console::Without,
        mfa_active: false,
        keys: vec![key(KEY, 10)],
        details: Known::Told(Details {
            tags: [("owner", "ann@example.com"), ("service", "backup")]
                .map(|(tag, value)| (tag.to_owned(), value.to_owned()))
                .into(),
            groups: ["group".to_owned()].into(),
            grants: Grants { denies_create_key: true, ..Grants::default() },
            ..Details::default()
        }),
        service_credentials: Known::Told(Vec::new()),
    }
}

fn root() -> Root {
    Root { keys: Vec::new(), password_used_at: Some(ago(400)), mfa_active: true }
}

fn estate(root: Root, user: User) -> Estate {
    Estate {
        account: Account::bare("123456789012".parse().unwrap()),
        as_of: now(),
        root: Known::Told(root),
        users: vec![user],
        gaps: std::collections::BTreeSet::new(),
    }
}

/// The rules that are broken, with every rule turned on.
fn broken(estate: &Estate, change: impl Fn(&mut Limits)) -> Vec<String> {
    let mut settings = AuditSettings::default();
    for rule in RULES.iter().filter(|rule| !rule.is_on) {
        settings.base.rules.insert(rule.id.to_owned(), RuleLevel::At(Severity::Low));
    }
    change(&mut settings.base);
    let judgement = judge(estate, &settings, now());
    assert_eq!(judgement.unknown, BTreeMap::new());
    let mut rules: Vec<String> = judgement.findings.into_iter().map(|finding| finding.rule).collect();
    rules.sort();
    rules
}

fn with(change: impl FnOnce(&mut User)) -> Estate {
    let mut one = user("ann");
    change(&mut one);
    estate(root(), one)
}

fn service(change: impl FnOnce(&mut User)) -> Estate {
    let mut one = user("service-backup");
    change(&mut one);
    estate(root(), one)
}

fn with_root(change: impl FnOnce(&mut Root)) -> Estate {
    let mut one = root();
    change(&mut one);
    estate(one, user("ann"))
}

fn details(user: &mut User) -> &mut Details {
    match &mut user.details {
        Known::Told(details) => details,
        Known::Unknown { .. } => panic!("the fixture has details"),
    }
}

/// The rule, a case that breaks it (with the other rules that the case breaks, too), and one that breaks none.
fn cases() -> Vec<(&'static str, Estate, &'static [&'static str], Estate)> {
    let old_password = |root: &mut Root| root.password_used_at = Some(ago(400));
    let signs_in = |user: &mut User| {
        user.console = Console::With { used_at: Some(ago(1)) };
        user.mfa_active = true;
    };
    let with_service_credential = |age: i64, expires: Option<i64>| {
        with(|user| {
            user.service_credentials = Known::Told(vec![ServiceCredential {
                id: "ACCAEXAMPLE123EXAMPLE".to_owned(),
                service: "bedrock.amazonaws.com".to_owned(),
                status: KeyStatus::Active,
                created_at: ago(age),
                expires_at: expires.map(ago),
            }]);
        })
    };
    vec![
        (
            "root-key",
            with_root(|root| root.keys = vec![Key { last_used: LastUsed::Never, id: None, ..key(KEY, 10) }]),
            &[],
            with_root(|root| root.keys = Vec::new()),
        ),
        // The key was used an hour ago, the password more than a year: the later one counts.
        (
            "root-used",
            with_root(|root| {
                old_password(root);
                root.keys = vec![Key { last_used: used(0), id: None, ..key(KEY, 10) }];
            }),
            &["root-key"],
            with_root(old_password),
        ),
        (
            "key-exposed",
            with(|user| details(user).grants.quarantined = true),
            &[],
            with(|user| details(user).grants.quarantined = false),
        ),
        (
            "key-exposed",
            with(|user| {
                let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
                details(user).exposed.insert(key, "AWS_RISK_CREDENTIALS_EXPOSED".to_owned());
            }),
            &[],
            with(|_| {}),
        ),
        (
            "person-key-used-by-machine",
            with(|user| user.keys[0].last_used = used_for("sqs", 44)),
            &[],
            with(|user| user.keys[0].last_used = used_for("sqs", 46)),
        ),
        (
            "person-key-used-by-machine",
            with(|user| user.keys[0].last_used = used_for("logs", 1)),
            &[],
            service(|user| user.keys[0].last_used = used_for("logs", 1)),
        ),
        (
            "service-user-name",
            with(|user| user.arn.path = "/service/".to_owned()),
            &[],
            service(|user| user.arn.path = "/service/".to_owned()),
        ),
        // 90 days and 23 hours are more than 90 days; 90 days are not.
        (
            "key-age",
            with(|user| user.keys[0].created_at = Known::Told(ago(90) - SignedDuration::from_hours(23))),
            &[],
            with(|user| user.keys[0].created_at = Known::Told(ago(90))),
        ),
        (
            "key-unused",
            with(|user| user.keys[0].last_used = used(46)),
            &[],
            with(|user| user.keys[0].last_used = used(45)),
        ),
        (
            "key-never-used",
            with(|user| user.keys = vec![Key { last_used: LastUsed::Never, ..key(KEY, 46) }]),
            &[],
            with(|user| user.keys = vec![Key { last_used: LastUsed::Never, ..key(KEY, 45) }]),
        ),
        (
            "key-made-with-user",
            with(|user| {
                signs_in(user);
                user.created_at = Some(ago(10));
                user.keys[0].last_used = LastUsed::Never;
            }),
            &["console-and-key"],
            with(|user| {
                user.created_at = Some(ago(10));
                user.keys[0].last_used = LastUsed::Never;
            }),
        ),
        // An inactive key in the first place does not hide the second.
        (
            "two-active-keys",
            with(|user| user.keys = vec![key(KEY, 10), key(OTHER, 5)]),
            &[],
            with(|user| user.keys = vec![Key { status: KeyStatus::Inactive, ..key(KEY, 10) }, key(OTHER, 5)]),
        ),
        (
            "inactive-key-kept",
            with(|user| user.keys.push(Key { status: KeyStatus::Inactive, last_used: used(31), ..key(OTHER, 300) })),
            &[],
            with(|user| user.keys.push(Key { status: KeyStatus::Inactive, last_used: used(30), ..key(OTHER, 300) })),
        ),
        (
            "key-reactivated",
            with(|user| user.keys = vec![Key { reactivated_at: Some(ago(3)), ..key(KEY, 91) }]),
            &["key-age"],
            with(|user| user.keys = vec![Key { reactivated_at: Some(ago(3)), ..key(KEY, 80) }]),
        ),
        (
            "admin-key",
            with(|user| details(user).grants.everything = true),
            &[],
            with(|user| {
                details(user).grants.everything = true;
                user.keys = Vec::new();
            }),
        ),
        (
            "console-without-mfa",
            with(|user| user.console = Console::With { used_at: None }),
            &["console-and-key"],
            with(|user| {
                user.console = Console::With { used_at: None };
                user.keys = Vec::new();
            }),
        ),
        (
            "console-and-key",
            with(signs_in),
            &[],
            with(|user| {
                signs_in(user);
                user.keys[0].status = KeyStatus::Inactive;
            }),
        ),
        ("service-credential-age", with_service_credential(91, None), &[], with_service_credential(91, Some(1))),
        (
            "service-user-console",
            service(|user| user.console = Console::With { used_at: None }),
            &["console-and-key", "console-without-mfa"],
            service(|_| {}),
        ),
        (
            "service-user-without-group",
            service(|user| details(user).groups.clear()),
            &[],
            with(|user| details(user).groups.clear()),
        ),
        (
            "service-user-direct-policies",
            service(|user| {
                details(user).inline.insert("own".to_owned());
            }),
            &[],
            with(|user| {
                details(user).inline.insert("own".to_owned());
            }),
        ),
        (
            "service-user-untagged",
            service(|user| {
                details(user).tags.insert("owner".to_owned(), " ".to_owned());
            }),
            &[],
            service(|user| {
                let owner = details(user).tags.remove("owner").unwrap();
                details(user).tags.insert("Owner".to_owned(), owner);
            }),
        ),
        (
            "person-and-service-mixed",
            with(|user| {
                details(user).tags.insert(KEY.to_owned(), "service-backup".to_owned());
            }),
            &[],
            with(|user| {
                details(user).tags.insert(KEY.to_owned(), "my laptop".to_owned());
            }),
        ),
        (
            "create-key-not-denied",
            with(|user| details(user).grants.denies_create_key = false),
            &[],
            with(|user| details(user).grants.denies_create_key = true),
        ),
    ]
}

#[test]
fn each_rule_fires_on_its_case_and_is_silent_on_the_one_beside() {
    for (rule, firing, besides, silent) in cases() {
        let mut expected: Vec<&str> = besides.iter().copied().chain([rule]).collect();
        expected.sort_unstable();
        assert_eq!(broken(&firing, |_| {}), expected, "{rule}");
        assert!(!broken(&silent, |_| {}).iter().any(|found| found == rule), "{rule} is not silent");
    }
}

#[test]
fn names_regions_and_services_are_asked_for_by_settings_only() {
    let ann = with(|_| {});
    assert_eq!(broken(&ann, |_| {}), [""; 0]);
    assert_eq!(broken(&ann, |limits| limits.names = vec!["*@example.com".to_owned()]), ["user-name"]);
    assert_eq!(broken(&ann, |limits| limits.names = vec!["a*".to_owned()]), [""; 0]);
    assert_eq!(broken(&ann, |limits| limits.regions = vec!["us-east-1".to_owned()]), ["key-odd-use"]);
    assert_eq!(broken(&ann, |limits| limits.services = vec!["ec2".to_owned()]), ["key-odd-use"]);
    assert_eq!(broken(&ann, |limits| limits.services = vec!["s3".to_owned()]), [""; 0]);
}

#[test]
fn every_rule_has_a_fixture_and_is_told_in_full() {
    let by_settings = ["user-name", "key-odd-use"];
    for rule in RULES {
        assert!(cases().iter().any(|(id, ..)| *id == rule.id) || by_settings.contains(&rule.id), "{}", rule.id);
        assert!(rule.why.ends_with('.') && rule.fix.ends_with('.') && !rule.title.ends_with('.'), "{}", rule.id);
        assert!(rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.id);
        assert_eq!(RULES.iter().filter(|other| other.id == rule.id).count(), 1, "{}", rule.id);
    }
}

#[test]
fn every_rule_file_is_in_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rule");
    let others = ["mod.rs", "controls.rs", "settings.rs", "fixtures.rs"];
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| !others.iter().any(|other| name == other)).count(), RULES.len());
}

#[test]
fn what_is_not_known_is_never_fine() {
    let unknown = || "denied".to_owned();
    let one = with(|user| {
        user.details = Known::Unknown { reason: unknown() };
        user.service_credentials = Known::Unknown { reason: unknown() };
        user.keys[0].last_used = LastUsed::Unknown { reason: unknown() };
        user.keys[0].created_at = Known::Unknown { reason: unknown() };
    });
    let one = Estate { root: Known::Unknown { reason: unknown() }, ..one };
    let judgement = judge(&one, &AuditSettings::default(), now());
    assert_eq!(judgement.findings, []);
    let rules: Vec<&str> = judgement.unknown.keys().map(|(rule, _)| *rule).collect();
    for rule in [
        "root-key",
        "root-used",
        "key-age",
        "key-unused",
        "key-never-used",
        "key-exposed",
        "admin-key",
        "service-credential-age",
    ] {
        assert!(rules.contains(&rule), "{rule} passes over what it does not know: {rules:?}");
    }
}

#[test]
fn overrides_hold_where_they_say_and_the_last_one_wins() {
    let old = with(|user| user.keys = vec![key(KEY, 60)]);
    let stricter = Override { max_age: Some(SignedDuration::from_hours(30 * 24)), ..Override::default() };
    let off = |rules: BTreeMap<String, RuleLevel>, paths: &[&str]| Override {
        rules,
        scope: Scope { paths: paths.iter().map(|&path| path.to_owned()).collect(), ..Scope::default() },
        ..Override::default()
    };
    let no_age = || [("key-age".to_owned(), RuleLevel::Off)].into();
    let settings = |overrides| AuditSettings { overrides, ..AuditSettings::default() };
    let found = |overrides| judge(&old, &settings(overrides), now()).findings.len();
    assert_eq!(found(vec![]), 0);
    assert_eq!(found(vec![stricter.clone()]), 1);
    assert_eq!(
        found(vec![Override {
            scope: Scope { accounts: vec!["210987654321".parse().unwrap()], ..Scope::default() },
            ..stricter.clone()
        }]),
        0
    );
    assert_eq!(
        found(vec![Override {
            scope: Scope { units: vec!["Production".to_owned()], ..Scope::default() },
            ..stricter.clone()
        }]),
        0
    );
    let tags = BTreeMap::from([("service".to_owned(), "backup".to_owned())]);
    assert_eq!(found(vec![Override { scope: Scope { tags, ..Scope::default() }, ..stricter.clone() }]), 1);
    assert_eq!(found(vec![stricter.clone(), off(no_age(), &["/"])]), 0);
    assert_eq!(found(vec![stricter, off(no_age(), &["/service/*"])]), 1);
}

#[test]
fn a_severity_from_the_settings_wins_over_that_of_the_case() {
    let forgotten = with(|user| user.keys = vec![key(KEY, 1_000)]);
    let severity = |level: Option<RuleLevel>| {
        let mut settings = AuditSettings::default();
        settings.base.rules.extend(level.map(|level| ("key-age".to_owned(), level)));
        judge(&forgotten, &settings, now()).findings[0].severity
    };
    assert_eq!(severity(None), Severity::High, "more than four times the limit");
    assert_eq!(severity(Some(RuleLevel::At(Severity::Low))), Severity::Low);
}

#[test]
fn the_owner_is_the_nearest_that_somebody_has_written_down() {
    let owner = |estate: &Estate| judge(estate, &AuditSettings::default(), now()).findings[0].owner.clone().unwrap();
    let mut one = with(|user| {
        user.keys = vec![key(KEY, 100)];
        details(user).tags.insert(KEY.to_owned(), "ann's laptop".to_owned());
    });
    assert_eq!(owner(&one).source, OwnerSource::KeyTag);
    details(&mut one.users[0]).tags.remove(KEY);
    assert_eq!(owner(&one), Owner { name: "ann@example.com".to_owned(), source: OwnerSource::UserTag });
    details(&mut one.users[0]).tags.clear();
    one.account.tags.insert("Owner".to_owned(), "team-a".to_owned());
    assert_eq!(owner(&one).source, OwnerSource::AccountTag);
    one.account.tags.clear();
    one.account.contact = Some("aws@example.com".to_owned());
    assert_eq!(owner(&one).source, OwnerSource::AccountContact);
}

#[test]
fn a_finding_is_the_same_one_tomorrow_and_another_for_another_key() {
    let finding = |estate: &Estate, now| judge(estate, &AuditSettings::default(), now).findings[0].clone();
    let one = with(|user| user.keys = vec![key(KEY, 100)]);
    let other = with(|user| user.keys = vec![key(OTHER, 100)]);
    let today = finding(&one, now()).fingerprint();
    assert_eq!(finding(&one, now() + SignedDuration::from_hours(24)).fingerprint(), today);
    assert_ne!(finding(&other, now()).fingerprint(), today);
}

#[test]
fn the_page_lists_every_rule() {
    let page = include_str!("../../../../docs/audit.md");
    for rule in RULES {
        assert!(page.contains(&format!("| `{}` | {} | {}", rule.id, rule.severity, rule.title)), "{}", rule.id);
    }
}

#[test]
fn a_service_of_another_prefix_is_told_once_somebody_has_written_one_down() {
    let prefixed = |limits: &mut Limits| {
        limits.service_prefix = Some("svc-".parse().unwrap());
        limits.service_tags = [("kind".to_owned(), "service".to_owned())].into();
    };
    let named = |name: &str| service(|user| user.arn.name = name.parse().unwrap());
    assert_eq!(broken(&named("service-backup"), prefixed), ["service-user-name"]);
    assert_eq!(broken(&named("svc-backup"), prefixed), [""; 0]);
    assert_eq!(broken(&named("SVC-backup"), prefixed), [""; 0]);
    // Without a prefix that somebody has written down, either name says that it is a service's.
    assert_eq!(broken(&named("service-backup"), |_| {}), [""; 0]);
    // A person is none.
    assert!(!broken(&with(|_| {}), prefixed).contains(&"service-user-name".to_owned()));
    let mut settings = AuditSettings::default();
    prefixed(&mut settings.base);
    settings.base.rules.insert("service-user-name".to_owned(), RuleLevel::Default);
    let told: Vec<String> =
        judge(&named("service-backup"), &settings, now()).findings.into_iter().map(|one| one.detail).collect();
    assert_eq!(told, ["its name is that of a service; the names of services begin with svc- here"]);
}
