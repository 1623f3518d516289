//! What `akia status` shows of a profile: every cell in one place, for the table, JSON and CSV.

use akia_core::inventory::{Due, FailureKind, Holding, Weight, kind_code};
use akia_core::profile::{ProfileKind, RoleSource};
use akia_core::{LastUsed, ProfileName};
use akia_io::profiles::is_keychain_command;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::output::{Cell, Column, Format, Report, Row, Tone, age};

/// Narrower terminals leave out kind and last use, and show the kind where there is no key.
const WIDE: u16 = 96;
/// Still narrower ones get a paragraph for each profile, and so everything.
const NARROW: u16 = 76;

/// A column of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Profile,
    Kind,
    Account,
    User,
    Key,
    KeyOrOrigin,
    KeyOrKind,
    Created,
    LastUsed,
    LastUsedAt,
    LastUsedService,
    OtherKeys,
    Due,
    DueCodes,
    Source,
    Error,
}

const TABLE: [Field; 8] = [
    Field::Profile,
    Field::Kind,
    Field::Account,
    Field::User,
    Field::KeyOrOrigin,
    Field::Created,
    Field::LastUsed,
    Field::Due,
];

const NARROW_TABLE: [Field; 6] =
    [Field::Profile, Field::Account, Field::User, Field::KeyOrKind, Field::Created, Field::Due];

const DATA: [Field; 12] = [
    Field::Profile,
    Field::Kind,
    Field::Account,
    Field::User,
    Field::Key,
    Field::Created,
    Field::LastUsedAt,
    Field::LastUsedService,
    Field::OtherKeys,
    Field::DueCodes,
    Field::Source,
    Field::Error,
];

/// The report on these profiles.
#[must_use]
pub fn report(holdings: &[Holding<'_>], format: Format, width: Option<u16>, now: Timestamp) -> Report {
    let fields: &[Field] = match (format, width) {
        (Format::Table, Some(width)) if (NARROW..WIDE).contains(&width) => &NARROW_TABLE,
        (Format::Table, _) => &TABLE,
        (Format::Json | Format::Csv, _) => &DATA,
    };
    let mut report = Report::new("status", "profiles", fields.iter().map(|field| field.column()).collect());
    for holding in holdings {
        let cells = fields.iter().map(|field| field.cell(holding, now)).collect();
        report.push(Row { cells, details: details(holding, now) });
    }
    report
}

impl Field {
    fn column(self) -> Column {
        match self {
            Self::Profile => Column::new("profile", "PROFILE"),
            Self::Kind => Column::whole("kind", "KIND"),
            Self::Account => Column::whole("account", "ACCOUNT"),
            Self::User => Column::new("user", "USER"),
            Self::Key | Self::KeyOrOrigin | Self::KeyOrKind => Column::whole("access_key", "ACCESS KEY"),
            Self::Created => Column::whole("created_at", "AGE"),
            Self::LastUsed => Column::new("last_used", "LAST USED"),
            Self::LastUsedAt => Column::whole("last_used_at", "LAST USED"),
            Self::LastUsedService => Column::new("last_used_service", "SERVICE"),
            Self::OtherKeys => Column::new("other_keys", "OTHER KEYS"),
            Self::Due | Self::DueCodes => Column::new("due", "DUE"),
            Self::Source => Column::whole("source", "SOURCE"),
            Self::Error => Column::new("error", "ERROR"),
        }
    }

    fn cell(self, holding: &Holding<'_>, now: Timestamp) -> Cell {
        match self {
            Self::Profile => Cell::text(&holding.profile.name),
            Self::Kind => Cell::text(kind(holding)).shown_as(kind_words(holding)),
            Self::Account => Cell::maybe(holding.account.as_ref()),
            Self::User => Cell::maybe(user(holding)),
            Self::Key => Cell::maybe(holding.key),
            Self::KeyOrOrigin => holding.key.map_or_else(|| Cell::maybe(origin(holding)).tone(Tone::Quiet), Cell::text),
            Self::KeyOrKind => holding.key.map_or_else(
                || {
                    let origin = origin(holding).map(|origin| format!(" {origin}")).unwrap_or_default();
                    Cell::text(format!("{}{origin}", kind_words(holding))).tone(Tone::Quiet)
                },
                Cell::text,
            ),
            Self::Created => holding.listed.as_ref().map_or_else(Cell::empty, |key| Cell::age(key.created_at, now)),
            Self::LastUsed => Cell::maybe(last_used_words(holding, now)),
            Self::LastUsedAt => match &holding.last_used {
                Some(LastUsed::At { at, .. }) => Cell::time(*at),
                Some(LastUsed::Never | LastUsed::Unknown { .. }) | None => Cell::empty(),
            },
            Self::LastUsedService => match &holding.last_used {
                Some(LastUsed::At { service, .. }) => Cell::text(service),
                Some(LastUsed::Never | LastUsed::Unknown { .. }) | None => Cell::empty(),
            },
            Self::OtherKeys => {
                Cell::list(holding.other_keys.iter().map(|key| format!("{} ({})", key.id, key.status.as_str())))
            }
            Self::Due => due_cell(holding),
            Self::DueCodes => due_codes(holding),
            Self::Source => Cell::maybe(holding.source.map(|source| source.code())),
            Self::Error => Cell::maybe(holding.failure.as_ref()),
        }
    }
}

/// What only JSON has room for.
fn details(holding: &Holding<'_>, now: Timestamp) -> Map<String, Value> {
    let profile = holding.profile;
    let mut details = Map::new();
    let mut tell = |name: &str, value: Value| details.insert(name.to_owned(), value);
    tell("status", json!(holding.listed.as_ref().map(|key| key.status.as_str())));
    let age = holding.listed.as_ref().map(|key| now.duration_since(key.created_at).as_hours() / 24);
    tell("age_days", json!(age));
    tell("last_used", json!(holding.last_used));
    tell("owner_arn", json!(owner_arn(holding)));
    tell("other_keys", json!(holding.other_keys));
    tell("due", holding.due.iter().map(|due| due_value(due, &profile.name)).collect());
    let error = holding.failure.as_ref();
    tell("error", json!(error.map(|error| json!({ "code": error.kind.code(), "reason": error.reason }))));
    tell("region", json!(profile.region));
    tell("mfa_serial", json!(profile.mfa_serial));
    tell("credentials_line", json!(profile.credentials_line));
    tell("config_line", json!(profile.config_line));
    match &profile.kind {
        ProfileKind::Role { role_arn, source, .. } => {
            tell("role_arn", json!(role_arn));
            match source {
                RoleSource::Profile(source) => tell("source_profile", json!(source)),
                RoleSource::Credential(source) => tell("credential_source", json!(source)),
                RoleSource::Invalid { .. } => None,
            };
        }
        ProfileKind::WebIdentity { role_arn, .. } => {
            tell("role_arn", json!(role_arn));
        }
        ProfileKind::Sso { session, start_url, role, .. } => {
            tell("sso", json!({ "session": session, "start_url": start_url, "role": role }));
        }
        ProfileKind::Temporary { long_term, .. } => {
            tell("long_term_profile", json!(long_term));
        }
        ProfileKind::StaticKey { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => {}
    }
    details
}

fn due_value(due: &Due, profile: &ProfileName) -> Value {
    json!({ "code": due.code(), "words": due.to_string(), "command": due.command(profile) })
}

/// The kind of a profile as a code; a key that akia keeps in the keychain is a kind of its own.
fn kind(holding: &Holding<'_>) -> &'static str {
    match &holding.profile.kind {
        ProfileKind::CredentialProcess { command } if is_keychain_command(command, &holding.profile.name) => "keychain",
        kind => kind_code(kind),
    }
}

/// The kind in a word, for the table.
fn kind_words(holding: &Holding<'_>) -> &'static str {
    match kind(holding) {
        "static-key" => "key",
        "sso" => "SSO",
        "web-identity" => "web token",
        "credential-process" => "process",
        "login" => "aws login",
        "bad-key" => "bad key",
        kind => kind,
    }
}

/// Who acts with the profile: a user, or the role that it takes on.
fn user(holding: &Holding<'_>) -> Option<String> {
    if let Some(owner) = &holding.owner {
        return Some(owner.name().to_owned());
    }
    let of_arn = |arn: &str| arn.rsplit('/').next().map(str::to_owned);
    match &holding.profile.kind {
        ProfileKind::Role { role_arn, .. } => of_arn(role_arn),
        ProfileKind::WebIdentity { role_arn, .. } => role_arn.as_deref().and_then(of_arn),
        ProfileKind::Sso { role, .. } => role.clone(),
        ProfileKind::StaticKey { .. }
        | ProfileKind::Temporary { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => None,
    }
}

fn owner_arn(holding: &Holding<'_>) -> Option<String> {
    use akia_core::inventory::Owner;
    match holding.owner.as_ref()? {
        Owner::User(arn) => Some(arn.to_string()),
        Owner::Root => None,
        Owner::Other(arn) => Some(arn.clone()),
    }
}

/// Where a profile without a key of its own takes one from.
fn origin(holding: &Holding<'_>) -> Option<String> {
    match &holding.profile.kind {
        ProfileKind::Role { source: RoleSource::Profile(source), .. } => Some(format!("from {source}")),
        ProfileKind::Role { source: RoleSource::Credential(source), .. } => Some(format!("from {source}")),
        ProfileKind::Sso { session: Some(session), .. } => Some(format!("from {session}")),
        ProfileKind::StaticKey { .. }
        | ProfileKind::Temporary { .. }
        | ProfileKind::Role { .. }
        | ProfileKind::WebIdentity { .. }
        | ProfileKind::Sso { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => None,
    }
}

fn last_used_words(holding: &Holding<'_>, now: Timestamp) -> Option<String> {
    match holding.last_used.as_ref()? {
        LastUsed::Never => Some("never".to_owned()),
        LastUsed::At { at, service, .. } => Some(format!("{} {service}", age::between(*at, now))),
        LastUsed::Unknown { .. } => None,
    }
}

fn due_codes(holding: &Holding<'_>) -> Cell {
    Cell::list(holding.due.iter().map(Due::code))
}

/// What is due, and what AWS could not be asked: nobody may take a key for fine that nobody has looked at.
fn due_cell(holding: &Holding<'_>) -> Cell {
    let codes = due_codes(holding);
    // One line says for all that AWS was not reached.
    let failure = holding.failure.as_ref().filter(|failure| failure.kind != FailureKind::Unreachable);
    let words: Vec<String> =
        holding.due.iter().map(Due::short).chain(failure.map(|failure| failure.kind.short().to_owned())).collect();
    if words.is_empty() {
        return codes;
    }
    let gravest = holding.due.iter().map(Due::weight).chain(failure.map(|_| Weight::Due)).max();
    codes.shown_as(words.join(", ")).tone(match gravest {
        Some(Weight::Wrong) => Tone::Bad,
        Some(Weight::Due) => Tone::Warning,
        Some(Weight::Note) | None => Tone::Plain,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use akia_core::inventory::{Answer, Failure, Inventory, Owner, Told};
    use akia_core::profile::{File, FileKind, Profiles};
    use akia_core::{AccessKey, KeyStatus};
    use jiff::SignedDuration;

    use super::*;
    use crate::output::{Canvas, render};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const FIRST: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECOND: &str = "AKIAI44QH8DHBEXAMPLE";
    /// Two ids that encode an account, put together here so that no scanner takes them for a leak.
    fn coded(prefix: &str) -> String {
        [prefix, "QNZGKIQY56JQ7WML"].concat()
    }

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    /// Every kind of profile.
    fn profiles() -> Profiles {
        let key =
            |name: &str, id: &str| format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {SECRET}\n");
        let credentials = key("default", FIRST)
            + &key("ci", FIRST)
            + &key("work", &coded("AKIA"))
            + "mfa_serial = arn:aws:iam::029608264753:mfa/bob\n"
            + &key("a b", SECOND)
            + &key("build", &coded("ASIA"))
            + "aws_session_token = t\n[half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n";
        let config = "[default]\nregion = eu-west-1\n[profile admin]\nrole_arn = arn:aws:iam::210987654321:role/ops/admin\n\
            source_profile = work\n[profile read]\nsso_session = corp\nsso_account_id = 111122223333\n\
            sso_role_name = ReadOnly\n[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\n\
            sso_region = eu-west-1\n[profile vault]\ncredential_process = /usr/bin/vault\n[profile kept]\n\
            credential_process = akia credentials --profile kept\n[profile pod]\n\
            role_arn = arn:aws:iam::210987654321:role/pod\nweb_identity_token_file = /t\n[profile me]\n\
            login_session = x\n[profile empty]\nregion = us-east-1\n";
        let file = |kind, text: &str| File::parse(kind, text.as_bytes().to_vec());
        Profiles::merge(Some(&file(FileKind::Credentials, &credentials)), Some(&file(FileKind::Config, config)))
    }

    fn listed(id: &str, days: i64, status: KeyStatus) -> AccessKey {
        let created_at = now() - SignedDuration::from_hours(24 * days);
        AccessKey { id: id.parse().unwrap(), status, created_at }
    }

    fn answers() -> BTreeMap<ProfileName, Answer> {
        let told = |user: &str, keys, last_used| {
            let owner = Owner::User(format!("arn:aws:iam::123456789012:user/{user}").parse().unwrap());
            Ok(Told { account: "123456789012".parse().unwrap(), owner, keys, last_used })
        };
        let at = now() - SignedDuration::from_hours(75);
        let used = LastUsed::At { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() };
        let denied = Failure { kind: FailureKind::MfaNeeded, reason: "access denied to iam:ListAccessKeys".to_owned() };
        let unknown = LastUsed::Unknown { reason: "access denied".to_owned() };
        let ann = vec![listed(FIRST, 400, KeyStatus::Active), listed("AKIAIDPF5MEXAMPLE001", 12, KeyStatus::Inactive)];
        let refused = Failure { kind: FailureKind::KeyRefused, reason: "aws does not accept this key".to_owned() };
        [
            ("default", told("ann", Ok(ann.clone()), used.clone())),
            ("ci", told("ann", Ok(ann), used)),
            ("work", told("bob", Err(denied), unknown)),
            ("a b", Err(refused)),
        ]
        .into_iter()
        .map(|(name, answer)| (name.parse().unwrap(), answer))
        .collect()
    }

    fn shown(answers: &BTreeMap<ProfileName, Answer>, format: Format, width: Option<u16>) -> String {
        let profiles = profiles();
        let max_age = SignedDuration::from_hours(90 * 24);
        let inventory = Inventory { profiles: &profiles, answers, rotations: &[], max_age, now: now() };
        let holdings: Vec<Holding<'_>> = profiles.iter().map(|profile| inventory.holding(profile)).collect();
        let text = render(&report(&holdings, format, width, now()), format, Canvas { width, colors: false });
        assert!(!text.contains(SECRET), "no secret may be shown");
        text
    }

    #[test]
    fn a_rich_aws_folder_as_a_table() {
        insta::assert_snapshot!("status_offline", shown(&BTreeMap::new(), Format::Table, Some(100)));
        insta::assert_snapshot!("status_100", shown(&answers(), Format::Table, Some(100)));
        insta::assert_snapshot!("status_80", shown(&answers(), Format::Table, Some(80)));
        insta::assert_snapshot!("status_60", shown(&answers(), Format::Table, Some(60)));
    }

    #[test]
    fn tables_fit_their_terminals() {
        for width in [60, 76, 80, 95, 96, 100, 120, 200] {
            let text = shown(&answers(), Format::Table, Some(width));
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= usize::from(width), "{width} columns:\n{text}");
        }
    }

    #[test]
    fn a_rich_aws_folder_for_programs() {
        insta::assert_snapshot!("status_csv", shown(&answers(), Format::Csv, None));
        insta::assert_snapshot!("status_json", shown(&answers(), Format::Json, None));
        let offline: Value = serde_json::from_str(&shown(&BTreeMap::new(), Format::Json, None)).unwrap();
        let sources: Vec<&str> =
            offline["profiles"].as_array().unwrap().iter().map(|row| row["source"].as_str().unwrap_or("-")).collect();
        let expected = ["-", "-", "key-id", "-", "key-id", "-", "profile", "profile", "-", "-", "profile", "-", "-"];
        assert_eq!(sources, expected);
    }

    #[test]
    fn the_documentation_lists_every_code_in_order() {
        let page = include_str!("../../../docs/status.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let found: Vec<&str> = rows.map(|(code, _)| code).collect();
        let failures = FailureKind::ALL.map(FailureKind::code);
        assert_eq!(found, [&akia_core::inventory::DUE_CODES[..], &failures].concat());
    }
}
