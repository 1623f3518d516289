//! The form of the file: what TOML tables hold what, and how a fault in it is told.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::enforce::EnforceTable;
use super::job::{JobTable, jobs};
use super::notify::{NotifyTable, notify};
use super::serve::{ServeTable, serve};
use super::service::{NamingTable, ServiceTable, naming, services};
use super::usage::{UsageTable, usage};
use super::{JournalSettings, Settings, SettingsError, SnapshotSettings};
use crate::checkpoint::BadPlace;
use crate::finding::Severity;
use crate::ids::AccountId;
use crate::rule::{AuditSettings, Limits, Override, RuleLevel, Scope};
use crate::service::{IamPath, NamePrefix};
use crate::{rule, span};

/// The words for a level that are no severity.
const ON: &str = "on";
const OFF: &str = "off";
/// Longest key that a message repeats: what is longer may be anything, and even a secret.
const LONGEST_KEY: usize = 32;

/// Settings of akia, the program for the life of AWS access keys.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileTable {
    /// What `akia audit` expects.
    audit: AuditTable,
    /// What `akia enforce` does about keys that break a rule; without it, nothing.
    enforce: Option<EnforceTable>,
    /// Where notices go, and through what.
    notify: NotifyTable,
    /// Where checkpoints of the journal go.
    journal: JournalTable,
    /// What service users are called.
    services: NamingTable,
    /// The keys that machines use, and every place that holds them.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, ServiceTable>"))]
    service: BTreeMap<Spanned<String>, ServiceTable>,
    /// What `akia serve` runs, and when.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, JobTable>"))]
    job: BTreeMap<Spanned<String>, JobTable>,
    /// Where `akia serve` listens, and who comes in.
    serve: ServeTable,
    /// What akia cannot tell by itself of who uses which key.
    usage: UsageTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct JournalTable {
    /// A bucket with Object Lock, and what the keys of objects begin with: s3://BUCKET/PREFIX.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    seal: Option<Spanned<String>>,
    /// How long each checkpoint is locked; as the bucket does by itself where nothing is said.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    retain: Option<Spanned<Span>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AuditTable {
    /// Age from which an active key is too old; 90d.
    max_age: Option<Span>,
    /// Time without use from which an active key counts as unused; 45d.
    unused: Option<Span>,
    /// Time for which an inactive key may be kept; 30d.
    inactive_kept: Option<Span>,
    /// Time for which the root user should have been left alone; 90d.
    root_quiet: Option<Span>,
    /// Patterns, one of which each user's name should fit.
    names: Option<Vec<Word>>,
    /// Tags that a service user must have; owner and service.
    required_tags: Option<Vec<Word>>,
    /// Tags that name the owner, the first that is there counts; owner, contact, email and team.
    owner_tags: Option<Vec<Word>>,
    /// Patterns of the regions where keys may be used; all where none is given.
    regions: Option<Vec<Word>>,
    /// Patterns of the services that keys may be used for; all where none is given.
    services: Option<Vec<Word>>,
    /// Which users are a service's, and not a person's.
    service_users: ServiceUsersTable,
    /// Levels of rules.
    rules: Rules,
    /// How long earlier audits are kept.
    snapshots: SnapshotsTable,
    /// Where something else is expected; a later one wins over an earlier one.
    #[cfg_attr(test, schemars(with = "Vec<OverrideTable>"))]
    r#override: Vec<Spanned<OverrideTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServiceUsersTable {
    /// Patterns of their names; service-* and svc-*.
    names: Option<Vec<Word>>,
    /// Patterns of their paths; /service/*.
    paths: Option<Vec<Word>>,
    /// Tags, each of which marks one.
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SnapshotsTable {
    /// Keys and findings, for comparing; 35d.
    #[cfg_attr(test, schemars(with = "Option<Span>"))]
    details: Option<Spanned<Span>>,
    /// Counts, for the history and the trend; 400d.
    counts: Option<Span>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OverrideTable {
    /// Numbers of the accounts that it holds for.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    accounts: Vec<AccountId>,
    /// Organisational units that it holds for, with all below them.
    units: Vec<Word>,
    /// Tags of the user or of its account, all of which must be there.
    tags: BTreeMap<String, String>,
    /// Patterns of the user's path.
    paths: Vec<Word>,
    /// Another limit of age.
    max_age: Option<Span>,
    /// Another limit of idleness.
    unused: Option<Span>,
    /// Another limit for inactive keys.
    inactive_kept: Option<Span>,
    /// Other levels of rules.
    rules: Rules,
}

/// Reads the text of the file.
pub(super) fn read(text: &str) -> Result<Settings, SettingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: FileTable = toml::from_str(text).map_err(|error| fault(text, error.span(), error.message()))?;
    let FileTable {
        audit,
        enforce,
        notify: notices,
        journal,
        services: names,
        service,
        job,
        serve: server,
        usage: known,
    } = file;
    let enforce = enforce.map(|table| table.policy(text)).transpose()?;
    let notify = notify(text, notices)?;
    let journal = self::journal(text, journal)?;
    let names = naming(text, names)?;
    let jobs = jobs(text, job)?;
    let serve = serve(text, server)?;
    let usage = usage(text, known)?;
    let snapshots = snapshots(text, audit.snapshots)?;
    let mut overrides = Vec::with_capacity(audit.r#override.len());
    for one in audit.r#override {
        let at = one.span();
        let one = one.into_inner();
        let scope =
            Scope { accounts: one.accounts, units: strings(one.units), tags: one.tags, paths: strings(one.paths) };
        if scope.is_everybody() {
            let what = "it names no accounts, units, tags or paths, and so holds for everybody; write what holds for \
                        everybody under [audit]";
            return Err(fault(text, Some(at), what));
        }
        if one.max_age.is_none() && one.unused.is_none() && one.inactive_kept.is_none() && one.rules.0.is_empty() {
            let what = "it changes nothing; give it max-age, unused, inactive-kept or rules";
            return Err(fault(text, Some(at), what));
        }
        overrides.push(Override {
            scope,
            max_age: one.max_age.map(|span| span.0),
            unused: one.unused.map(|span| span.0),
            inactive_kept: one.inactive_kept.map(|span| span.0),
            rules: one.rules.known(text)?,
        });
    }
    let defaults = Limits::default();
    let service_users = audit.service_users;
    let base = Limits {
        max_age: audit.max_age.map_or(defaults.max_age, |span| span.0),
        unused: audit.unused.map_or(defaults.unused, |span| span.0),
        inactive_kept: audit.inactive_kept.map_or(defaults.inactive_kept, |span| span.0),
        root_quiet: audit.root_quiet.map_or(defaults.root_quiet, |span| span.0),
        names: audit.names.map_or(defaults.names, strings),
        service_prefix: names.prefix.clone(),
        service_names: with_ours(
            service_users.names.map_or(defaults.service_names, strings),
            names.prefix.as_ref().map(NamePrefix::as_str),
        ),
        service_paths: with_ours(
            service_users.paths.map_or(defaults.service_paths, strings),
            names.path.as_ref().map(IamPath::as_str),
        ),
        service_tags: service_users.tags.unwrap_or(defaults.service_tags),
        required_tags: audit.required_tags.map_or(defaults.required_tags, strings),
        owner_tags: audit.owner_tags.map_or(defaults.owner_tags, strings),
        regions: audit.regions.map_or(defaults.regions, strings),
        services: audit.services.map_or(defaults.services, strings),
        rules: audit.rules.known(text)?,
    };
    let naming = names.whole();
    let services = services(text, &naming, service)?;
    Ok(Settings {
        audit: AuditSettings { base, overrides },
        snapshots,
        enforce,
        notify,
        journal,
        naming,
        services,
        jobs,
        serve,
        usage,
    })
}

/// The patterns, and one for what akia itself makes: those users are a service's, whatever else is one.
fn with_ours(mut patterns: Vec<String>, begins: Option<&str>) -> Vec<String> {
    if let Some(begins) = begins
        && !patterns.iter().any(|pattern| rule::matches(pattern, &format!("{begins}x")))
    {
        // A path of `/` alone is everybody's.
        patterns.extend((begins != "/").then(|| format!("{begins}*")));
    }
    patterns
}

fn journal(text: &str, table: JournalTable) -> Result<JournalSettings, SettingsError> {
    let JournalTable { seal, retain } = table;
    let place = |seal: &Spanned<String>| {
        seal.get_ref().parse().map_err(|error: BadPlace| fault(text, Some(seal.span()), &error.to_string()))
    };
    let seal = seal.as_ref().map(place).transpose()?;
    if let (None, Some(retain)) = (&seal, &retain) {
        let what = "it says nothing without seal; write seal = \"s3://BUCKET/PREFIX\" beside it";
        return Err(fault(text, Some(retain.span()), what));
    }
    Ok(JournalSettings { seal, retain: retain.map(|span| span.into_inner().0) })
}

fn snapshots(text: &str, table: SnapshotsTable) -> Result<SnapshotSettings, SettingsError> {
    let defaults = SnapshotSettings::default();
    let at = table.details.as_ref().map(Spanned::span);
    let details = table.details.map(|span| span.into_inner().0);
    let counts = table.counts.map(|span| span.0);
    // Whoever shortens one means the other to fit.
    let snapshots = SnapshotSettings {
        details: details.unwrap_or_else(|| defaults.details.min(counts.unwrap_or(defaults.details))),
        counts: counts.unwrap_or_else(|| defaults.counts.max(details.unwrap_or(defaults.counts))),
    };
    if snapshots.details > snapshots.counts {
        let what = "details cannot be kept for longer than the counts of the same audit; write a longer counts";
        return Err(fault(text, at, what));
    }
    Ok(snapshots)
}

pub(super) fn strings(words: Vec<Word>) -> Vec<String> {
    words.into_iter().map(|word| word.0).collect()
}

/// An address of `https://host[:port]`, or plain http to this machine; without the slash at its end.
pub(super) fn site(text: &str) -> Option<&str> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|_| is_local(text)))?;
    is_host(host).then_some(text)
}

/// Whether an address is plain http to this machine.
pub(super) fn is_local(text: &str) -> bool {
    let host = text.strip_prefix("http://").unwrap_or_default().split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A host, with or without its port.
pub(super) fn is_host(text: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    !text.is_empty() && text.len() <= 255 && text.chars().all(is_fit)
}

/// Says what is wrong where.
pub(super) fn fault(text: &str, span: Option<std::ops::Range<usize>>, what: &str) -> SettingsError {
    let what = in_our_words(what);
    let Some(before) = span.and_then(|span| text.get(..span.start)) else {
        return SettingsError { line: None, key: None, what };
    };
    let line = before.matches('\n').count();
    let table = text.lines().take(line + 1).filter(|line| line.trim_start().starts_with('[')).last().and_then(header);
    let key = text.lines().nth(line).and_then(|line| key(line.split_once('=')?.0));
    let key = match (key, table) {
        (Some(key), Some(table)) => Some(format!("{key} in {table}")),
        (Some(key), None) => Some(key.to_owned()),
        (None, table) => table.map(str::to_owned),
    };
    SettingsError { line: Some(line + 1), key, what }
}

/// What the TOML reader says, without the value that it says it of, and without the words of Rust.
fn in_our_words(what: &str) -> String {
    if let Some((_, expected)) = what.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        let expected = match expected {
            "a sequence" => "a list, as in [\"one\", \"two\"]",
            "a string" => "a text in quotes",
            "a map" => "a table",
            "u16" | "u32" => "a whole number",
            "a boolean" => "true or false",
            other => other,
        };
        return format!("it is not {expected}");
    }
    let what = what.trim().replace('\n', "; ");
    let shortened = |(index, part): (usize, &str)| {
        // Every second part stands between backquotes, and is somebody's word or one of ours.
        let is_long = index % 2 == 1 && part.len() > LONGEST_KEY;
        if is_long { "…".to_owned() } else { part.to_owned() }
    };
    what.split('`').enumerate().map(shortened).collect::<Vec<_>>().join("`")
}

fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or(line).trim();
    let name = line.trim_matches(['[', ']']);
    key(name).map(|_| line)
}

/// A key that can be repeated in a message.
fn key(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_empty() && text.len() <= LONGEST_KEY && text.chars().all(is_bare)).then_some(text)
}

/// A span of time.
pub(super) struct Span(pub(super) SignedDuration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer, "a span of time in quotes, for example \"90d\"")?;
        span::parse(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A word or pattern that is not empty.
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text_of(deserializer, "a word in quotes")?;
        if text.is_empty() {
            return Err(de::Error::custom("an empty word fits nothing; leave it out, or write \"*\" for all"));
        }
        Ok(Self(text))
    }
}

/// Levels of rules, by id, each with its place in the file.
#[derive(Deserialize, Default)]
#[serde(transparent)]
struct Rules(BTreeMap<Spanned<String>, Level>);

impl Rules {
    fn known(self, text: &str) -> Result<BTreeMap<String, RuleLevel>, SettingsError> {
        let known = self.0.into_iter().map(|(id, level)| match rule::find(id.as_ref()) {
            Some(rule) => Ok((rule.id.to_owned(), level.0)),
            None => Err(fault(text, Some(id.span()), "there is no such rule; `akia audit rules` lists them")),
        });
        known.collect()
    }
}

struct Level(RuleLevel);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = || {
            format!("\"{ON}\", \"{OFF}\", or a severity: \"{}\"", Severity::ALL.map(Severity::as_str).join("\", \""))
        };
        let text = text_of(deserializer, &words())?;
        match text.as_str() {
            ON => Ok(Self(RuleLevel::Default)),
            OFF => Ok(Self(RuleLevel::Off)),
            severity => severity
                .parse()
                .map(|severity| Self(RuleLevel::At(severity)))
                .map_err(|_| de::Error::custom(format_args!("it is not a level; write {}", words()))),
        }
    }
}

/// A text; what else stands there is not repeated.
pub(super) fn text_of<'de, D: Deserializer<'de>>(deserializer: D, what: &str) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(text),
        other => Err(de::Error::custom(format_args!("it is {}; write {what}", kind(&other)))),
    }
}

pub(super) fn kind(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) | toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

/// The names of all keys in a JSON schema.
#[cfg(test)]
pub(super) fn keys_of(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| keys_of(value, keys));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys_of(value, keys)),
        _ => {}
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    use super::*;
    use crate::rule::RULES;

    impl JsonSchema for Span {
        fn schema_name() -> Cow<'static, str> {
            "Span".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A span of time: 90d, 12h, 30m, 2w, 1d12h.", "type": "string",
                "pattern": "^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2,
            })
        }
    }

    impl JsonSchema for Word {
        fn schema_name() -> Cow<'static, str> {
            "Word".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A word, or a pattern in which * is any run of characters.", "type": "string", "minLength": 1 })
        }
    }

    impl JsonSchema for Rules {
        fn schema_name() -> Cow<'static, str> {
            "Rules".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let levels: Vec<&str> = [ON, OFF].into_iter().chain(Severity::ALL.map(Severity::as_str)).collect();
            let rule = |rule: &crate::rule::Rule| {
                (rule.id.to_owned(), serde_json::json!({ "description": rule.title, "enum": levels }))
            };
            let properties: serde_json::Map<String, serde_json::Value> = RULES.iter().map(rule).collect();
            json_schema!({ "type": "object", "additionalProperties": false, "properties": properties })
        }
    }

    /// The schema for editors is made from the types that read the file. `UPDATE_SCHEMA=1` writes it.
    #[test]
    fn the_schema_for_editors_is_the_one_of_these_types() {
        let schema = schemars::generate::SchemaSettings::draft07().into_generator().into_root_schema_for::<FileTable>();
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/akia.schema.json");
        #[expect(clippy::disallowed_methods, reason = "a test that writes a page of the documentation when asked to")]
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        // Two schemas side by side help nobody to find the difference.
        assert!(include_str!("../../../../docs/akia.schema.json") == text, "run with UPDATE_SCHEMA=1, then again");
    }
}
