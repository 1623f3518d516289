//! `[service.NAME]`: the keys that machines use, and every place that holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::SettingsError;
use super::table::{Span, fault};
use crate::ids::{ProfileName, UserName};
use crate::place::DeclaredPlace;
use crate::rotation::{Probe, Retirement};
use crate::service::{IamPath, NamePrefix, ServiceName, ServiceNaming};

/// How long an old key is watched before it is judged, where nothing else is said.
const QUIET_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How long it stays inactive before it is deleted, where nothing else is said.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A service and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its name.
    pub name: ServiceName,
    /// The IAM user.
    pub user: UserName,
    /// The profile that signs changes of the key; else that of the command.
    pub profile: Option<ProfileName>,
    /// Who answers for it: an address or a name.
    pub owner: Option<String>,
    /// Age at which its key is to be out of use; a rotation begins earlier by `quiet_for`.
    pub max_age: Option<SignedDuration>,
    /// How long the old key is watched, and has to be quiet, before it is deactivated.
    pub quiet_for: SignedDuration,
    /// How long it stays inactive before it is deleted.
    pub grace: SignedDuration,
    /// What becomes of the old key.
    pub retirement: Retirement,
    /// What must work with a new key before it is delivered.
    pub probe: Option<Probe>,
    /// Every place that holds the key.
    pub places: Vec<ServicePlace>,
}

impl ServiceSettings {
    /// The age at which a rotation is due: early enough that the old key, which works on while it is watched, is out of use at
    /// `max_age`. So the real age of a key is the configured one.
    #[must_use]
    pub fn due_at_age(&self) -> Option<SignedDuration> {
        Some(self.max_age?.saturating_sub(self.quiet_for).max(SignedDuration::ZERO))
    }
}

/// A place as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServicePlace {
    /// A profile of this machine, in whichever file its key stands.
    Profile(ProfileName),
    /// An entry of the OS keychain.
    Keychain(ProfileName),
    /// Anything else.
    Declared(DeclaredPlace),
}

/// What service users are called.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NamingTable {
    /// What the names of service users and their groups begin with; service-.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    name_prefix: Option<Spanned<String>>,
    /// The IAM path of both; /service/.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    path: Option<Spanned<String>>,
}

/// What was said of names; each part alone, for what nobody has said is not held against a user.
pub(super) struct Naming {
    pub(super) prefix: Option<NamePrefix>,
    pub(super) path: Option<IamPath>,
}

impl Naming {
    /// With the defaults where nothing was said.
    pub(super) fn whole(self) -> ServiceNaming {
        let default = ServiceNaming::default();
        ServiceNaming { prefix: self.prefix.unwrap_or(default.prefix), path: self.path.unwrap_or(default.path) }
    }
}

pub(super) fn naming(text: &str, table: NamingTable) -> Result<Naming, SettingsError> {
    fn read<T: FromStr<Err: Display>>(text: &str, value: Option<Spanned<String>>) -> Result<Option<T>, SettingsError> {
        let read = |value: Spanned<String>| {
            value.get_ref().parse().map_err(|error: T::Err| fault(text, Some(value.span()), &error.to_string()))
        };
        value.map(read).transpose()
    }
    Ok(Naming { prefix: read(text, table.name_prefix)?, path: read(text, table.path)? })
}

/// A service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServiceTable {
    /// Name of the IAM user; NAME behind the prefix of [services].
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    user: Option<UserName>,
    /// The profile that signs changes of the key; that of the command.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    profile: Option<ProfileName>,
    /// Who answers for it: an address or a name.
    owner: Option<String>,
    /// Age at which its key is to be out of use.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    max_age: Option<Spanned<Span>>,
    /// How long the old key is watched, and has to be quiet, before it is deactivated; 24h.
    quiet_for: Option<Span>,
    /// How long it stays inactive before it is deleted; 7d.
    grace: Option<Span>,
    /// What becomes of the old key; deactivate.
    retire: Option<RetireWord>,
    /// A program with its arguments, or a request to AWS, that must work with a new key before it is delivered.
    #[cfg_attr(test, schemars(with = "Option<Probe>"))]
    probe: Option<Spanned<Probe>>,
    /// Every place that holds the key.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<PlaceTable>"))]
    place: Vec<Spanned<toml::Table>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum RetireWord {
    /// Deactivated, and deleted after the grace.
    Deactivate,
    /// Deactivated and deleted at once.
    Delete,
    /// Left active.
    Keep,
}

/// The forms of a place's table, for the schema.
#[cfg(test)]
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is asked for")]
enum PlaceTable {
    /// A profile of this machine, in whichever file its key stands.
    Profile {
        /// Its name.
        #[schemars(with = "String")]
        profile: ProfileName,
    },
    /// An entry of the OS keychain, which `akia credentials` gives to the profile.
    Keychain {
        /// Name of the profile.
        #[schemars(with = "String")]
        profile: ProfileName,
    },
    /// Any other.
    #[serde(untagged)]
    Declared(DeclaredPlace),
}

pub(super) fn services(
    text: &str,
    naming: &ServiceNaming,
    tables: BTreeMap<Spanned<String>, ServiceTable>,
) -> Result<Vec<ServiceSettings>, SettingsError> {
    let mut services = Vec::with_capacity(tables.len());
    let mut users = BTreeSet::new();
    for (name, table) in tables {
        let at = name.span();
        let wrong = |what: &str| fault(text, Some(at.clone()), what);
        let named = name.get_ref().parse().and_then(|named| naming.service(&named));
        let (service, user) = named.map_err(|error| wrong(&error.to_string()))?;
        let user = table.user.unwrap_or(user);
        if !users.insert(user.clone()) {
            return Err(wrong("another service has the same user; a user has room for the keys of one service only"));
        }
        if table.place.is_empty() {
            return Err(wrong(
                "it names no place that holds its key; write [[service.NAME.place]] with a kind below it",
            ));
        }
        let quiet_for = table.quiet_for.map_or(QUIET_FOR, |span| span.0);
        if let Some(max_age) = &table.max_age
            && max_age.get_ref().0 <= quiet_for
        {
            let what = "a key is watched for quiet-for before it is shut, and would be older than that; write a longer max-age";
            return Err(fault(text, Some(max_age.span()), what));
        }
        let probe = table.probe.map(|probe| checked(text, probe)).transpose()?;
        let mut places = Vec::with_capacity(table.place.len());
        for place in table.place {
            let at = place.span();
            let place = self::place(place.into_inner()).map_err(|what| fault(text, Some(at.clone()), &what))?;
            if places.contains(&place) {
                return Err(fault(text, Some(at), "it is named twice"));
            }
            places.push(place);
        }
        services.push(ServiceSettings {
            name: service,
            user,
            profile: table.profile,
            owner: table.owner,
            max_age: table.max_age.map(|span| span.into_inner().0),
            quiet_for,
            grace: table.grace.map_or(GRACE, |span| span.0),
            retirement: match table.retire.unwrap_or(RetireWord::Deactivate) {
                RetireWord::Deactivate => Retirement::Deactivate,
                RetireWord::Delete => Retirement::Delete,
                RetireWord::Keep => Retirement::Keep,
            },
            probe,
            places,
        });
    }
    Ok(services)
}

fn checked(text: &str, probe: Spanned<Probe>) -> Result<Probe, SettingsError> {
    let at = probe.span();
    match probe.into_inner() {
        Probe::Command(command) if command.iter().all(String::is_empty) => {
            Err(fault(text, Some(at), "it names no program; write probe = [\"PROGRAM\", \"ARGUMENT\"]"))
        }
        probe @ (Probe::Command(_) | Probe::Get(_)) => Ok(probe),
    }
}

/// Reads a place. The kind is looked at first, so that an error is one of that kind's own.
fn place(mut table: toml::Table) -> Result<ServicePlace, String> {
    let kinds = || format!("\"profile\", \"keychain\", \"{}\"", DeclaredPlace::KINDS.join("\", \""));
    let kind = match table.get("kind") {
        Some(toml::Value::String(kind)) => kind.clone(),
        Some(_) => return Err(format!("its kind is not a text; write one of {}", kinds())),
        None => return Err(format!("it has no kind; write one of {}", kinds())),
    };
    match kind.as_str() {
        "profile" | "keychain" => {
            table.remove("kind");
            let profile = match table.remove("profile") {
                Some(toml::Value::String(name)) => name.parse().map_err(|_| "profile is not the name of a profile")?,
                Some(_) | None => return Err("it needs profile = \"NAME\"".to_owned()),
            };
            if let Some((key, _)) = table.iter().next() {
                return Err(format!("unknown field `{key}`, expected `profile`"));
            }
            Ok(if kind == "profile" { ServicePlace::Profile(profile) } else { ServicePlace::Keychain(profile) })
        }
        known if DeclaredPlace::KINDS.contains(&known) => DeclaredPlace::deserialize(toml::Value::Table(table))
            .map(ServicePlace::Declared)
            .map_err(|error| error.message().to_owned()),
        _ => Err(format!("there is no such kind of place; write one of {}", kinds())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const BILLING: &str = r#"
[service.billing]
profile = "admin"
owner = "payments@example.com"
max-age = "60d"
quiet-for = "48h"
grace = "3d"
retire = "delete"
probe = ["aws", "s3", "ls", "s3://example-invoices"]

[[service.billing.place]]
kind = "profile"
profile = "billing"

[[service.billing.place]]
kind = "vault"
address = "https://vault.example.com:8200"
path = "billing"
names = { combined = "AWS" }
"#;

    #[test]
    fn a_service_is_read_with_all_its_places() {
        let settings = Settings::parse(BILLING).unwrap();
        let [service] = &settings.services[..] else { panic!("{:?}", settings.services) };
        assert_eq!((service.user.as_str(), service.retirement), ("service-billing", Retirement::Delete));
        assert_eq!(
            service.probe,
            Some(Probe::Command(["aws", "s3", "ls", "s3://example-invoices"].map(str::to_owned).to_vec()))
        );
        let hours = SignedDuration::from_hours;
        assert_eq!((service.quiet_for, service.grace), (hours(48), hours(72)));
        assert_eq!(service.due_at_age(), Some(hours(58 * 24)), "out of use at 60 days, and not at 62");
        let places: Vec<String> = service.places.iter().map(|place| format!("{place:?}")).collect();
        assert!(
            places[0].contains("Profile(ProfileName(\"billing\"))") && places[1].contains("Combined"),
            "{places:?}"
        );
        let own = BILLING.replace("[service.billing]", "[services]\nname-prefix = \"svc-\"\n[service.billing]");
        assert_eq!(Settings::parse(&own).unwrap().services[0].user.as_str(), "svc-billing");
        let get = "[service.a]\nprobe = { get = \"https://s3.amazonaws.com/b\", service = \"s3\" }\n[[service.a.place]]\nkind = \"profile\"\nprofile = \"a\"";
        assert!(matches!(Settings::parse(get).unwrap().services[0].probe, Some(Probe::Get(_))));
    }

    #[test]
    fn users_of_the_written_prefix_and_path_are_a_services_whatever_else_is_one() {
        let base = |text: &str| Settings::parse(text).unwrap().audit.base;
        let own = base("[services]\nname-prefix = \"bot.\"\npath = \"/bots/\"");
        assert_eq!(own.service_names, ["service-*", "svc-*", "bot.*"]);
        assert_eq!(own.service_paths, ["/service/*", "/bots/*"]);
        let covered = base("[services]\nname-prefix = \"svc-\"\npath = \"/\"\n[audit.service-users]\nnames = [\"s*\"]");
        assert_eq!(covered.service_names, ["s*"]);
        assert_eq!(covered.service_paths, ["/service/*"], "a path of / is everybody's");
        assert_eq!(base("").service_prefix, None, "what nobody has said is held against no name");
        let mut naming = Settings::parse("[services]\npath = \"/bots/\"").unwrap().naming;
        assert_eq!((naming.prefix.as_str(), naming.path.as_str()), ("service-", "/bots/"));
        naming.path = "/service/".parse().unwrap();
        assert_eq!(naming, ServiceNaming::default());
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_what_to_write() {
        let place = "\n[[service.a.place]]\nkind = \"profile\"\nprofile = \"a\"";
        let errors: Vec<String> = [
            "[service.a]".to_owned(),
            "[services]\nname-prefix = \"\"".to_owned(),
            "[services]\nname-prefix = \"svc/\"".to_owned(),
            "[services]\npath = \"machines\"".to_owned(),
            "[services]\nprefix = \"svc-\"".to_owned(),
            "[service.\"a b\"]\n[[service.\"a b\".place]]\nkind = \"profile\"\nprofile = \"a\"".to_owned(),
            format!("[service.a]\nmax-age = \"12h\"{place}"),
            format!("[service.a]\nretire = \"shred\"{place}"),
            format!("[service.a]\nprobe = []{place}"),
            format!("[service.a]\nuser = \"u\"{place}\n[service.b]\nuser = \"u\"{}", place.replace("service.a", "service.b")),
            format!("[service.a]{place}{place}"),
            "[service.a]\n[[service.a.place]]\nprofile = \"a\"".to_owned(),
            "[service.a]\n[[service.a.place]]\nkind = \"vaullt\"".to_owned().replace("vaullt", "floppy"),
            "[service.a]\n[[service.a.place]]\nkind = \"profile\"\nname = \"a\"".to_owned(),
            "[service.a]\n[[service.a.place]]\nkind = \"vault\"\naddress = \"https://v\"".to_owned(),
            "[service.a]\n[[service.a.place]]\nkind = \"vault\"\naddress = \"https://v\"\npath = \"p\"\ntoken = \"hvs.x\"".to_owned(),
        ]
        .into_iter()
        .map(|text| format!("{}\n  {}", text.replace('\n', " ⏎ "), Settings::parse(&text).unwrap_err()))
        .collect();
        let kinds = format!("\"profile\", \"keychain\", \"{}\"", DeclaredPlace::KINDS.join("\", \""));
        insta::assert_snapshot!(errors.join("\n").replace(&kinds, "KINDS"));
    }
}
