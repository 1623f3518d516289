//! `akia.toml`: what a team has written down for akia, read from its text.
//!
//! Invariant: what would have no effect is refused. A key, a rule or a form that akia does not know is an error that names
//! the line and says what to write, for a slip of the pen must not weaken an audit in silence. `docs/settings.md` is the
//! page for people, `docs/akia.schema.json` the schema for editors; tests hold both to the types here.

mod enforce;
#[cfg(test)]
mod enforce_tests;
mod job;
mod notify;
mod secret_ref;
mod serve;
mod service;
mod table;
mod usage;

use std::fmt;

use jiff::SignedDuration;

pub use job::{JobSettings, SCHEDULABLE};
pub use notify::{
    AwsPlace, ChannelKind, ChannelSettings, DEFAULT_ATTEMPTS, NotifySettings, Route, SmtpTls, channel_words,
};
pub use secret_ref::SecretRef;
pub use serve::{GroupRole, OidcSettings, Role, ServeSettings, TlsFiles, UnknownRole, is_units_path};
pub use service::{ServicePlace, ServiceSettings};
pub use usage::UsageSettings;

use crate::checkpoint::BucketPlace;
use crate::enforce::EnforcePolicy;
use crate::rule::{AuditSettings, Limits, Override, RuleLevel, Scope};
use crate::service::ServiceNaming;

/// Everything that the file may say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `[audit]`: what an audit expects, and where.
    pub audit: AuditSettings,
    /// `[audit.snapshots]`: how long earlier audits are kept.
    pub snapshots: SnapshotSettings,
    /// `[enforce]`: what is done about keys that break a rule; nothing where there is none.
    pub enforce: Option<EnforcePolicy>,
    /// `[notify]`: where notices go, and through what.
    pub notify: NotifySettings,
    /// `[journal]`: where checkpoints of the journal go.
    pub journal: JournalSettings,
    /// `[services]`: what service users are called.
    pub naming: ServiceNaming,
    /// `[service.NAME]`: the keys that machines use, by name.
    pub services: Vec<ServiceSettings>,
    /// `[job.NAME]`: what `akia serve` runs, and when.
    pub jobs: Vec<JobSettings>,
    /// `[serve]`: where `akia serve` listens, and who comes in.
    pub serve: ServeSettings,
    /// `[usage]`: what is known of one's own that CloudTrail cannot tell.
    pub usage: UsageSettings,
}

/// Where checkpoints of the journal go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalSettings {
    /// The place; where there is none, nothing is sealed unless a command says where.
    pub seal: Option<BucketPlace>,
    /// How long each is locked; as the bucket does by itself where nothing is said.
    pub retain: Option<SignedDuration>,
}

/// How long earlier audits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// Keys and findings, for comparing.
    pub details: SignedDuration,
    /// Counts, for the history and the trend.
    pub counts: SignedDuration,
}

impl Default for SnapshotSettings {
    /// Five weeks of details: a month can be compared with the one before. A year and a month of counts.
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        Self { details: days(35), counts: days(400) }
    }
}

/// Why a text is not an `akia.toml`. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// The line, where one is known.
    pub line: Option<usize>,
    /// The key on that line, with its table.
    pub key: Option<String>,
    /// What is wrong, and what to write.
    pub what: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}, ")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the text of an `akia.toml`.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        table::read(text)
    }

    /// What holds that is not akia's default, as it would be written down: key and value.
    #[must_use]
    pub fn differences(&self) -> Vec<(String, String)> {
        let mut said = differences(&self.audit.base, &Limits::default());
        said.extend(
            self.audit.overrides.iter().map(|one| (format!("override for {}", scope(&one.scope)), changes(one))),
        );
        // Written down, also akia's own prefix is held against users that are called otherwise.
        if let Some(prefix) = &self.audit.base.service_prefix {
            said.push(("services.name-prefix".to_owned(), prefix.to_string()));
        }
        if self.naming.path != ServiceNaming::default().path {
            said.push(("services.path".to_owned(), self.naming.path.to_string()));
        }
        let (ours, defaults) = (self.snapshots, SnapshotSettings::default());
        for (key, ours, default) in
            [("snapshots.details", ours.details, defaults.details), ("snapshots.counts", ours.counts, defaults.counts)]
        {
            if ours != default {
                said.push((key.to_owned(), span(ours)));
            }
        }
        said
    }
}

fn differences(ours: &Limits, defaults: &Limits) -> Vec<(String, String)> {
    // Named in full, so that a limit that is added must be told here, too.
    let Limits {
        max_age,
        unused,
        inactive_kept,
        root_quiet,
        names,
        service_prefix: _, // of [services], and told there
        service_names,
        service_paths,
        service_tags,
        required_tags,
        owner_tags,
        regions,
        services,
        rules,
    } = ours;
    let mut said = Vec::new();
    let mut tell = |key: &str, ours: String, default: String| {
        if ours != default {
            said.push((key.to_owned(), ours));
        }
    };
    tell("max-age", span(*max_age), span(defaults.max_age));
    tell("unused", span(*unused), span(defaults.unused));
    tell("inactive-kept", span(*inactive_kept), span(defaults.inactive_kept));
    tell("root-quiet", span(*root_quiet), span(defaults.root_quiet));
    tell("names", words(names), words(&defaults.names));
    tell("service-users.names", words(service_names), words(&defaults.service_names));
    tell("service-users.paths", words(service_paths), words(&defaults.service_paths));
    tell("service-users.tags", pairs(service_tags), pairs(&defaults.service_tags));
    tell("required-tags", words(required_tags), words(&defaults.required_tags));
    tell("owner-tags", words(owner_tags), words(&defaults.owner_tags));
    tell("regions", words(regions), words(&defaults.regions));
    tell("services", words(services), words(&defaults.services));
    said.extend(rules.iter().map(|(rule, level)| (format!("rules.{rule}"), self::level(*level).to_owned())));
    said
}

fn scope(one: &Scope) -> String {
    let Scope { accounts, units, tags, paths } = one;
    let mut parts = Vec::new();
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    for (what, text) in
        [("accounts", words(&accounts)), ("units", words(units)), ("tags", pairs(tags)), ("paths", words(paths))]
    {
        if text != "none" {
            parts.push(format!("{what} {text}"));
        }
    }
    parts.join(" with ")
}

fn changes(one: &Override) -> String {
    let Override { max_age, unused, inactive_kept, rules, .. } = one;
    let spans = [("max-age", max_age), ("unused", unused), ("inactive-kept", inactive_kept)];
    let spans = spans.into_iter().filter_map(|(key, value)| value.map(|value| format!("{key} {}", span(value))));
    let rules = rules.iter().map(|(rule, level)| format!("{rule} {}", self::level(*level)));
    spans.chain(rules).collect::<Vec<_>>().join(", ")
}

fn words(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn pairs(pairs: &std::collections::BTreeMap<String, String>) -> String {
    words(&pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
}

/// Whole days where it is that, else to the second: as it could be written into the file.
fn span(span: SignedDuration) -> String {
    crate::span::exact(span)
}

fn level(level: RuleLevel) -> &'static str {
    match level {
        RuleLevel::Default => "on",
        RuleLevel::Off => "off",
        RuleLevel::At(severity) => severity.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::rule::RULES;

    const ALL: &str = r#"
[audit]
max-age = "60d"
unused = "30d"
inactive-kept = "2w"
root-quiet = "365d"
names = ["*@example.com", "svc-*"]
required-tags = ["owner", "ticket"]
owner-tags = ["mail"]
regions = ["eu-*"]
services = ["s3", "ec2"]

[audit.service-users]
names = ["svc-*"]
paths = ["/machines/*"]
tags = { kind = "service" }

[audit.rules]
create-key-not-denied = "on"
key-age = "critical"
console-and-key = "off"

[audit.snapshots]
details = "7d"
counts = "100d"

[services]
name-prefix = "bot."
path = "/bots/"

[[audit.override]]
accounts = ["123456789012"]
units = ["Sandbox"]
tags = { stage = "test" }
paths = ["/people/*"]
max-age = "180d"
unused = "90d"
inactive-kept = "90d"
rules = { key-unused = "low" }
"#;

    fn days(days: i64) -> SignedDuration {
        SignedDuration::from_hours(days * 24)
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let settings = Settings::parse(ALL).unwrap();
        let base = &settings.audit.base;
        assert_eq!(
            (base.max_age, base.unused, base.inactive_kept, base.root_quiet),
            (days(60), days(30), days(14), days(365))
        );
        assert_eq!(
            (base.names.len(), &base.required_tags[1], &base.owner_tags[0]),
            (2, &"ticket".to_owned(), &"mail".to_owned())
        );
        assert_eq!((&base.regions[0], &base.services[1]), (&"eu-*".to_owned(), &"ec2".to_owned()));
        assert_eq!((&base.service_names[0], &base.service_paths[0]), (&"svc-*".to_owned(), &"/machines/*".to_owned()));
        assert_eq!(base.service_tags["kind"], "service");
        assert_eq!(base.rules["create-key-not-denied"], RuleLevel::Default);
        assert_eq!(base.rules["key-age"], RuleLevel::At(Severity::Critical));
        assert_eq!(base.rules["console-and-key"], RuleLevel::Off);
        assert_eq!(settings.snapshots, SnapshotSettings { details: days(7), counts: days(100) });
        let [one] = &settings.audit.overrides[..] else { panic!("{:?}", settings.audit.overrides) };
        assert_eq!(
            (one.scope.accounts[0].as_str(), one.scope.units[0].as_str(), one.scope.paths[0].as_str()),
            ("123456789012", "Sandbox", "/people/*")
        );
        assert_eq!((one.max_age, one.unused, one.inactive_kept), (Some(days(180)), Some(days(90)), Some(days(90))));
        assert_eq!(one.rules["key-unused"], RuleLevel::At(Severity::Low));
    }

    #[test]
    fn the_journal_is_sealed_where_it_says() {
        let settings = |text: &str| Settings::parse(&format!("[journal]\n{text}"));
        let journal = settings("seal = \"s3://example-log/a\"\nretain = \"400d\"").unwrap().journal;
        assert_eq!(
            (journal.seal.unwrap().to_string().as_str(), journal.retain),
            ("s3://example-log/a/", Some(days(400)))
        );
        let wrong = settings("seal = \"example-log\"").unwrap_err().to_string();
        assert!(wrong.contains("seal in [journal]") && wrong.contains("write s3://BUCKET"), "{wrong}");
        let idle = settings("retain = \"400d\"").unwrap_err().to_string();
        assert!(idle.contains("retain") && idle.contains("says nothing without seal"), "{idle}");
    }

    #[test]
    fn nothing_said_is_akias_default() {
        for text in ["", "[audit]\n", "\u{feff}# nothing\n"] {
            assert_eq!(Settings::parse(text), Ok(Settings::default()), "{text:?}");
        }
        assert_eq!(Settings::default().differences(), []);
    }

    #[test]
    fn what_is_not_the_default_is_told_as_it_is_written() {
        let said: Vec<String> = Settings::parse(ALL)
            .unwrap()
            .differences()
            .into_iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        max-age = 60d
        unused = 30d
        inactive-kept = 14d
        root-quiet = 365d
        names = *@example.com, svc-*
        service-users.names = svc-*, bot.*
        service-users.paths = /machines/*, /bots/*
        service-users.tags = kind=service
        required-tags = owner, ticket
        owner-tags = mail
        regions = eu-*
        services = s3, ec2
        rules.console-and-key = off
        rules.create-key-not-denied = on
        rules.key-age = critical
        override for accounts 123456789012 with units Sandbox with tags stage=test with paths /people/* = max-age 180d, unused 90d, inactive-kept 90d, key-unused low
        services.name-prefix = bot.
        services.path = /bots/
        snapshots.details = 7d
        snapshots.counts = 100d
        "#);
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_its_line_and_what_to_write() {
        let errors: Vec<String> = [
            "[audit]\nmax_age = \"90d\"",
            "[audit]\nmax-age = 90",
            "[audit]\n\nmax-age = \"90\"",
            "[audit]\nmax-age = \"-1d\"",
            "[audit.rules]\nkey-agee = \"off\"",
            "[audit.rules]\nkey-age = \"none\"",
            "[audit.rules]\nkey-age = false",
            "[audit]\nrules = { key-age = \"high\", no-such = \"off\" }",
            "[audits]\nmax-age = \"90d\"",
            "max-age = \"90d\"",
            "[[audit.override]]\naccounts = [\"1234\"]\nmax-age = \"1d\"",
            "[[audit.override]]\naccounts = [123456789012]\nmax-age = \"1d\"",
            "[audit]\nunused = \"1d\"\n[[audit.override]]\nmax-age = \"1d\"",
            "[[audit.override]]\npaths = [\"/x/*\"]",
            "[[audit.override]]\npaths = [\"/x/*\"]\nregions = [\"eu-west-1\"]",
            "[audit]\nnames = \"svc-*\"",
            "[audit]\nmax-age = \"1d\"\nmax-age = \"2d\"",
            "[audit\nmax-age = \"1d\"",
            "[audit.snapshots]\ndetails = \"90d\"\ncounts = \"30d\"",
            "[audit]\nregions = [\"\"]",
        ]
        .into_iter()
        .map(|text| format!("{}\n  {}", text.replace('\n', " ⏎ "), Settings::parse(text).unwrap_err()))
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        [audit] ⏎ max_age = "90d"
          line 2, max_age in [audit]: unknown field `max_age`, expected one of `max-age`, `unused`, `inactive-kept`, `root-quiet`, `names`, `required-tags`, `owner-tags`, `regions`, `services`, `service-users`, `rules`, `snapshots`, `override`
        [audit] ⏎ max-age = 90
          line 2, max-age in [audit]: it is a number; write a span of time in quotes, for example "90d"
        [audit] ⏎  ⏎ max-age = "90"
          line 3, max-age in [audit]: 90 of what? Write 90d for days, 90h for hours, 90m for minutes or 90w for weeks
        [audit] ⏎ max-age = "-1d"
          line 2, max-age in [audit]: a span of time has no sign; write for example 90d
        [audit.rules] ⏎ key-agee = "off"
          line 2, key-agee in [audit.rules]: there is no such rule; `akia audit rules` lists them
        [audit.rules] ⏎ key-age = "none"
          line 2, key-age in [audit.rules]: it is not a level; write "on", "off", or a severity: "critical", "high", "medium", "low", "info"
        [audit.rules] ⏎ key-age = false
          line 2, key-age in [audit.rules]: it is true or false; write "on", "off", or a severity: "critical", "high", "medium", "low", "info"
        [audit] ⏎ rules = { key-age = "high", no-such = "off" }
          line 2, rules in [audit]: there is no such rule; `akia audit rules` lists them
        [audits] ⏎ max-age = "90d"
          line 1, [audits]: unknown field `audits`, expected one of `audit`, `enforce`, `notify`, `journal`, `services`, `service`, `job`, `serve`, `usage`
        max-age = "90d"
          line 1, max-age: unknown field `max-age`, expected one of `audit`, `enforce`, `notify`, `journal`, `services`, `service`, `job`, `serve`, `usage`
        [[audit.override]] ⏎ accounts = ["1234"] ⏎ max-age = "1d"
          line 2, accounts in [[audit.override]]: "1234" is not an account id (12 digits)
        [[audit.override]] ⏎ accounts = [123456789012] ⏎ max-age = "1d"
          line 2, accounts in [[audit.override]]: it is not a text in quotes
        [audit] ⏎ unused = "1d" ⏎ [[audit.override]] ⏎ max-age = "1d"
          line 3, [[audit.override]]: it names no accounts, units, tags or paths, and so holds for everybody; write what holds for everybody under [audit]
        [[audit.override]] ⏎ paths = ["/x/*"]
          line 1, [[audit.override]]: it changes nothing; give it max-age, unused, inactive-kept or rules
        [[audit.override]] ⏎ paths = ["/x/*"] ⏎ regions = ["eu-west-1"]
          line 3, regions in [[audit.override]]: unknown field `regions`, expected one of `accounts`, `units`, `tags`, `paths`, `max-age`, `unused`, `inactive-kept`, `rules`
        [audit] ⏎ names = "svc-*"
          line 2, names in [audit]: it is not a list, as in ["one", "two"]
        [audit] ⏎ max-age = "1d" ⏎ max-age = "2d"
          line 3, max-age in [audit]: duplicate key
        [audit ⏎ max-age = "1d"
          line 1, [audit: unclosed table, expected `]`
        [audit.snapshots] ⏎ details = "90d" ⏎ counts = "30d"
          line 2, details in [audit.snapshots]: details cannot be kept for longer than the counts of the same audit; write a longer counts
        [audit] ⏎ regions = [""]
          line 2, regions in [audit]: an empty word fits nothing; leave it out, or write "*" for all
        "#);
    }

    #[test]
    fn every_rule_can_be_set_and_every_level_written() {
        for rule in RULES {
            for level in ["on", "off", "critical", "high", "medium", "low", "info"] {
                let settings = Settings::parse(&format!("[audit.rules]\n{} = \"{level}\"", rule.id)).unwrap();
                assert_eq!(self::level(settings.audit.base.rules[rule.id]), level);
            }
        }
    }

    #[test]
    fn a_file_of_something_else_gives_nothing_of_its_content_away() {
        let secret = ["wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYEXAMPLEKEY"].concat();
        for text in [
            format!("[default]\naws_secret_access_key = {secret}"),
            format!("[audit]\nmax-age = {secret}"),
            secret.clone(),
            format!("{secret} = 1"),
            format!("{} = 1", secret.replace('/', "x")),
        ] {
            let error = Settings::parse(&text).unwrap_err().to_string();
            assert!(!error.contains("bPxRfiCY"), "{error}");
        }
    }

    /// `docs/settings.md` shows everything at once; what it shows is read.
    #[test]
    fn the_examples_of_the_documentation_are_read_and_name_every_key() {
        let pages = [include_str!("../../../../docs/settings.md"), include_str!("../../../../docs/places.md")];
        let page = [&pages[..], &[include_str!("../../../../docs/place-protocol.md")]].concat().join("\n");
        // The page of places shows the table of a place alone.
        for (page, above) in pages.into_iter().zip(["", "[service.example]\n[[service.example.place]]\n"]) {
            let examples: Vec<&str> =
                page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
            assert!(!examples.is_empty());
            for example in &examples {
                let example = format!("{above}{example}");
                Settings::parse(&example).unwrap_or_else(|error| panic!("{error}\n{example}"));
            }
        }
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/akia.schema.json")).unwrap();
        let mut keys = Vec::new();
        table::keys_of(&schema, &mut keys);
        assert!(keys.len() > 20, "{keys:?}");
        for key in keys.iter().filter(|key| RULES.iter().all(|rule| rule.id != *key)) {
            assert!(page.contains(key.as_str()), "{key} is not in docs/settings.md");
        }
    }
}
