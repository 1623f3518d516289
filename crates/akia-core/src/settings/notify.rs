//! `[notify]`: where notices go, and through what.
//!
//! Invariant: no secret stands in the file. Addresses of webhooks, tokens and passwords are named by the variable or the file
//! that holds them; a literal one is refused. A channel that a route names is there, and has all that its kind needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::SettingsError;
use super::secret_ref::SecretRef;
use super::table::{Word, fault, site, strings};
use crate::ids::{AccountId, ProfileName, Region};
use crate::notice::{NoticeKind, is_address};

/// Tries of a message before it is given up: with the pauses between them some thirty hours.
pub const DEFAULT_ATTEMPTS: u32 = 12;
/// More would take weeks.
const MOST_ATTEMPTS: u32 = 50;
/// Longest name of a channel.
const LONGEST_NAME: usize = 40;
/// The word of a route that sends to the owner's own address.
const OWNER: &str = "owner";

/// Where notices go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// A folder of templates that replace akia's own.
    pub templates: Option<PathBuf>,
    /// How an owner asks for an exemption: a sentence for every message.
    pub exemption_help: Option<String>,
    /// Tries of a message before it is given up.
    pub attempts: u32,
    /// Channels for what no route fits.
    pub default: Vec<String>,
    /// Every channel, by its name.
    pub channels: BTreeMap<String, ChannelSettings>,
    /// The first that fits decides.
    pub routes: Vec<Route>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            templates: None,
            exemption_help: None,
            attempts: DEFAULT_ATTEMPTS,
            default: Vec::new(),
            channels: BTreeMap::new(),
            routes: Vec::new(),
        }
    }
}

/// Where a notice goes, if all of it fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Patterns of the owner's name; empty for all.
    pub owners: Vec<String>,
    /// Accounts; empty for all.
    pub accounts: Vec<AccountId>,
    /// Organisational units, with all below them; empty for all.
    pub units: Vec<String>,
    /// Tags of the user or of its account, all of which must be there.
    pub tags: BTreeMap<String, String>,
    /// Kinds of notices; empty for all.
    pub kinds: Vec<NoticeKind>,
    /// The channels.
    pub channels: Vec<String>,
    /// Whether the message goes to the owner's own address; then it fits only where the owner is one.
    pub to_owner: bool,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Whether a message of which nobody knows whether it arrived is sent again, though it may arrive twice.
    pub may_repeat: bool,
    /// What it is.
    pub kind: ChannelKind,
}

/// What a channel is, with all that its kind needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields have the names of the keys, which docs/settings.md tells")]
pub enum ChannelKind {
    /// One line of JSON for each message on standard output.
    Stdout,
    /// The same at the end of a file.
    File { path: PathBuf },
    /// An incoming webhook of Slack.
    Slack { url: SecretRef },
    /// A Workflows webhook of Teams.
    Teams { url: SecretRef },
    /// Any program that takes signed requests.
    Webhook { url: SecretRef, secret: SecretRef },
    /// Mail through a mail server.
    Smtp {
        host: String,
        port: Option<u16>,
        tls: SmtpTls,
        user: Option<String>,
        password: Option<SecretRef>,
        from: String,
        to: Vec<String>,
    },
    /// Mail through Amazon SES.
    Ses { from: String, to: Vec<String>, aws: AwsPlace },
    /// A topic of Amazon SNS.
    Sns { topic: String, aws: AwsPlace },
    /// A bus of Amazon EventBridge.
    EventBridge { bus: String, aws: AwsPlace },
    /// Findings of AWS Security Hub.
    SecurityHub { aws: AwsPlace },
    /// Incidents of PagerDuty.
    PagerDuty { routing_key: SecretRef, site: Option<String> },
    /// Issues of Jira.
    Jira { site: String, user: Option<String>, token: SecretRef, project: String, issue_type: String, done: String },
    /// Incidents of ServiceNow.
    ServiceNow { site: String, user: String, password: SecretRef, close_code: String },
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// In the clear at first, then under TLS or not at all (port 587).
    StartTls,
    /// Under TLS from the first byte (port 465).
    Implicit,
    /// In the clear: only to this machine.
    None,
}

/// Who calls AWS for a channel, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwsPlace {
    /// The profile that signs; else the one that signs the command.
    pub profile: Option<ProfileName>,
    /// The region; else that of the topic or bus, else of the command.
    pub region: Option<Region>,
}

impl ChannelKind {
    /// The word for it in the settings.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File { .. } => "file",
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::Webhook { .. } => "webhook",
            Self::Smtp { .. } => "smtp",
            Self::Ses { .. } => "ses",
            Self::Sns { .. } => "sns",
            Self::EventBridge { .. } => "eventbridge",
            Self::SecurityHub { .. } => "security-hub",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Jira { .. } => "jira",
            Self::ServiceNow { .. } => "servicenow",
        }
    }

    /// Who calls AWS for it, where it is one of AWS's services.
    #[must_use]
    pub fn aws(&self) -> Option<&AwsPlace> {
        match self {
            Self::Ses { aws, .. }
            | Self::Sns { aws, .. }
            | Self::EventBridge { aws, .. }
            | Self::SecurityHub { aws } => Some(aws),
            Self::Stdout
            | Self::File { .. }
            | Self::Slack { .. }
            | Self::Teams { .. }
            | Self::Webhook { .. }
            | Self::Smtp { .. }
            | Self::PagerDuty { .. }
            | Self::Jira { .. }
            | Self::ServiceNow { .. } => None,
        }
    }

    /// Whom its mail goes to; `None` where it is no mail.
    fn recipients(&self) -> Option<&[String]> {
        match self {
            Self::Smtp { to, .. } | Self::Ses { to, .. } => Some(to),
            Self::Stdout
            | Self::File { .. }
            | Self::Slack { .. }
            | Self::Teams { .. }
            | Self::Webhook { .. }
            | Self::Sns { .. }
            | Self::EventBridge { .. }
            | Self::SecurityHub { .. }
            | Self::PagerDuty { .. }
            | Self::Jira { .. }
            | Self::ServiceNow { .. } => None,
        }
    }
}

/// Where notices go, and through what.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NotifyTable {
    /// A folder of templates that replace akia's own of the same name.
    templates: Option<Word>,
    /// A sentence for every message: how an owner asks for an exemption.
    exemption_help: Option<Word>,
    /// Tries of a message before it is given up; 12.
    #[cfg_attr(test, schemars(with = "Option<u32>"))]
    attempts: Option<Spanned<u32>>,
    /// Channels for what no route fits.
    #[cfg_attr(test, schemars(with = "Vec<Word>"))]
    default: Vec<Spanned<Word>>,
    /// The channels, each under a name of its own.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, ChannelTable>"))]
    channels: BTreeMap<String, Spanned<ChannelTable>>,
    /// Who is told where; the first that fits decides.
    #[cfg_attr(test, schemars(with = "Vec<RouteTable>"))]
    route: Vec<Spanned<RouteTable>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RouteTable {
    /// Patterns of the owner's name.
    owners: Vec<Word>,
    /// Numbers of accounts.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    accounts: Vec<AccountId>,
    /// Organisational units, with all below them.
    units: Vec<Word>,
    /// Tags of the user or of its account, all of which must be there.
    tags: BTreeMap<String, String>,
    /// Kinds of notices.
    #[cfg_attr(test, schemars(with = "Vec<KindWord>"))]
    kinds: Vec<Spanned<Word>>,
    /// The channels.
    #[cfg_attr(test, schemars(with = "Vec<Word>"))]
    channels: Vec<Spanned<Word>>,
    /// "owner": to the owner's own address; the route fits only where the owner is one.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    to: Option<Spanned<Word>>,
}

/// One channel. Which keys it takes follows from its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChannelTable {
    /// What it is.
    #[cfg_attr(test, schemars(with = "ChannelWord"))]
    kind: Spanned<Word>,
    /// Whether a message of which nobody knows whether it arrived is sent again; false.
    #[serde(default)]
    may_repeat: bool,
    /// Where the address of a webhook is kept.
    #[cfg_attr(test, schemars(with = "Option<SecretRef>"))]
    url: Option<Spanned<SecretRef>>,
    /// Where the secret that signs requests is kept.
    #[cfg_attr(test, schemars(with = "Option<SecretRef>"))]
    secret: Option<Spanned<SecretRef>>,
    /// Where a token is kept.
    #[cfg_attr(test, schemars(with = "Option<SecretRef>"))]
    token: Option<Spanned<SecretRef>>,
    /// Where a password is kept.
    #[cfg_attr(test, schemars(with = "Option<SecretRef>"))]
    password: Option<Spanned<SecretRef>>,
    /// Where the integration key of PagerDuty is kept.
    #[cfg_attr(test, schemars(with = "Option<SecretRef>"))]
    routing_key: Option<Spanned<SecretRef>>,
    /// Address of the service, without a path.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    site: Option<Spanned<Word>>,
    /// Who signs in.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    user: Option<Spanned<Word>>,
    /// The file.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    path: Option<Spanned<Word>>,
    /// The mail server.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    host: Option<Spanned<Word>>,
    /// Its port; 587, or 465 with implicit TLS, or 25 without TLS.
    #[cfg_attr(test, schemars(with = "Option<u16>"))]
    port: Option<Spanned<u16>>,
    /// "starttls", "implicit", or "none" (only to this machine); starttls.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    tls: Option<Spanned<Word>>,
    /// Address that mail comes from.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    from: Option<Spanned<Word>>,
    /// Addresses that mail goes to, unless it goes to the owner.
    #[cfg_attr(test, schemars(with = "Option<Vec<Word>>"))]
    to: Option<Spanned<Vec<Word>>>,
    /// ARN of the topic.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    topic: Option<Spanned<Word>>,
    /// Name or ARN of the bus.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    bus: Option<Spanned<Word>>,
    /// Profile that signs.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    profile: Option<Spanned<Word>>,
    /// Region.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    region: Option<Spanned<Word>>,
    /// Key of the project in Jira.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    project: Option<Spanned<Word>>,
    /// Type of the issues in Jira; Task.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    issue_type: Option<Spanned<Word>>,
    /// Name of the state that closes an issue in Jira; Done.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    done: Option<Spanned<Word>>,
    /// Resolution code of closed incidents in ServiceNow; Resolved by request.
    #[cfg_attr(test, schemars(with = "Option<Word>"))]
    close_code: Option<Spanned<Word>>,
}

/// The kinds of channels, with the keys that each takes: those that it needs, and those that it may have.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("stdout", &[], &[]),
    ("file", &["path"], &[]),
    ("slack", &["url"], &[]),
    ("teams", &["url"], &[]),
    ("webhook", &["url", "secret"], &[]),
    ("smtp", &["host", "from"], &["to", "port", "tls", "user", "password"]),
    ("ses", &["from"], &["to", "profile", "region"]),
    ("sns", &["topic"], &["profile", "region"]),
    ("eventbridge", &["bus"], &["profile", "region"]),
    ("security-hub", &[], &["profile", "region"]),
    ("pagerduty", &["routing-key"], &["site"]),
    ("jira", &["site", "token", "project"], &["user", "issue-type", "done"]),
    ("servicenow", &["site", "user", "password"], &["close-code"]),
];

/// Every word for a kind of channel.
pub fn channel_words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(word, _, _)| *word)
}

/// Judges the table.
pub(super) fn notify(text: &str, table: NotifyTable) -> Result<NotifySettings, SettingsError> {
    let NotifyTable { templates, exemption_help, attempts, default, channels: tables, route } = table;
    let attempts = match attempts {
        Some(attempts) if !(1..=MOST_ATTEMPTS).contains(attempts.get_ref()) => {
            let what = format!("it is not a number from 1 to {MOST_ATTEMPTS}");
            return Err(fault(text, Some(attempts.span()), &what));
        }
        Some(attempts) => attempts.into_inner(),
        None => DEFAULT_ATTEMPTS,
    };
    let mut channels = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (name, table) in tables {
        let at = table.span();
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_name) {
            let what = "the name of a channel is made of small letters, digits and hyphens, 40 at most";
            return Err(fault(text, Some(at), what));
        }
        places.insert(name.clone(), at);
        channels.insert(name, channel(text, table)?);
    }
    let default = known(text, default, &channels)?;
    let mut routes = Vec::with_capacity(route.len());
    for table in route {
        routes.push(self::route(text, table, &channels)?);
    }
    // Mail that goes to nobody is found out here, and not when a key is about to be shut.
    let named: BTreeSet<&String> =
        default.iter().chain(routes.iter().filter(|route| !route.to_owner).flat_map(|route| &route.channels)).collect();
    for name in named {
        if channels[name].kind.recipients().is_some_and(<[String]>::is_empty) {
            let what = format!("channel {name} has no `to`, and not every route to it says to = \"{OWNER}\"");
            return Err(fault(text, places.get(name).cloned(), &what));
        }
    }
    Ok(NotifySettings {
        templates: templates.map(|word| word.0.into()),
        exemption_help: exemption_help.map(|word| word.0),
        attempts,
        default,
        channels,
        routes,
    })
}

fn known(
    text: &str,
    names: Vec<Spanned<Word>>,
    channels: &BTreeMap<String, ChannelSettings>,
) -> Result<Vec<String>, SettingsError> {
    let known = |name: Spanned<Word>| {
        let at = name.span();
        let Word(name) = name.into_inner();
        if channels.contains_key(&name) {
            return Ok(name);
        }
        let there: Vec<&str> = channels.keys().map(String::as_str).collect();
        let what = match &there[..] {
            [] => "there is no such channel; write it down as [notify.channels.NAME]".to_owned(),
            there => format!("there is no such channel; there are {}", there.join(", ")),
        };
        Err(fault(text, Some(at), &what))
    };
    names.into_iter().map(known).collect()
}

fn route(
    text: &str,
    table: Spanned<RouteTable>,
    channels: &BTreeMap<String, ChannelSettings>,
) -> Result<Route, SettingsError> {
    let at = table.span();
    let RouteTable { owners, accounts, units, tags, kinds, channels: names, to } = table.into_inner();
    let to_owner = match to {
        Some(word) if word.get_ref().0 == OWNER => true,
        Some(word) => {
            let what =
                "the only word for it is \"owner\": to the owner's own address; other addresses stand in the channel";
            return Err(fault(text, Some(word.span()), what));
        }
        None => false,
    };
    let mut read = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let parsed = kind.get_ref().0.parse::<NoticeKind>();
        read.push(parsed.map_err(|error| fault(text, Some(kind.span()), &error.to_string()))?);
    }
    let spans: Vec<Range<usize>> = names.iter().map(Spanned::span).collect();
    let names = known(text, names, channels)?;
    if names.is_empty() {
        return Err(fault(text, Some(at), "it names no channels, and so its notices would go nowhere"));
    }
    let is_for_all =
        owners.is_empty() && accounts.is_empty() && units.is_empty() && tags.is_empty() && read.is_empty() && !to_owner;
    if is_for_all {
        let what = "it names no owners, accounts, units, tags or kinds, and so holds for everybody; write what holds for \
                    everybody as default under [notify]";
        return Err(fault(text, Some(at), what));
    }
    if let (true, Some(index)) = (to_owner, names.iter().position(|name| channels[name].kind.recipients().is_none())) {
        let what = "only channels of the kinds smtp and ses can send to the owner's own address";
        return Err(fault(text, spans.get(index).cloned(), what));
    }
    Ok(Route { owners: strings(owners), accounts, units: strings(units), tags, kinds: read, channels: names, to_owner })
}

fn channel(text: &str, table: Spanned<ChannelTable>) -> Result<ChannelSettings, SettingsError> {
    let at = table.span();
    let table = table.into_inner();
    let word = &table.kind.get_ref().0;
    let Some((word, needed, possible)) = KINDS.iter().copied().find(|(kind, _, _)| kind == word) else {
        let what = format!(
            "there is no such kind of channel; write \"{}\"",
            channel_words().collect::<Vec<_>>().join("\", \"")
        );
        return Err(fault(text, Some(table.kind.span()), &what));
    };
    let present = table.present();
    if let Some((key, place)) = present.iter().find(|(key, _)| !needed.contains(key) && !possible.contains(key)) {
        let takes: Vec<&str> = needed.iter().chain(possible).copied().collect();
        let takes = if takes.is_empty() { "no more keys".to_owned() } else { takes.join(", ") };
        return Err(fault(text, Some(place.clone()), &format!("a {word} channel has no {key}; it takes {takes}")));
    }
    if let Some(missing) = needed.iter().find(|key| present.iter().all(|(present, _)| present != *key)) {
        return Err(fault(text, Some(at), &format!("a {word} channel needs {missing}")));
    }
    let may_repeat = table.may_repeat;
    let lacks = || fault(text, Some(at.clone()), "a key that it needs is missing");
    let kind = Keys { text, table }.kind(word, lacks)?;
    Ok(ChannelSettings { may_repeat, kind })
}

impl ChannelTable {
    /// Which keys stand there, and where.
    fn present(&self) -> Vec<(&'static str, Range<usize>)> {
        fn at<T>(key: &'static str, value: Option<&Spanned<T>>) -> Option<(&'static str, Range<usize>)> {
            Some((key, value?.span()))
        }
        // Named in full, so that a key that is added must be told here, too.
        let Self {
            kind: _,
            may_repeat: _,
            url,
            secret,
            token,
            password,
            routing_key,
            site,
            user,
            path,
            host,
            port,
            tls,
            from,
            to,
            topic,
            bus,
            profile,
            region,
            project,
            issue_type,
            done,
            close_code,
        } = self;
        [
            at("url", url.as_ref()),
            at("secret", secret.as_ref()),
            at("token", token.as_ref()),
            at("password", password.as_ref()),
            at("routing-key", routing_key.as_ref()),
            at("site", site.as_ref()),
            at("user", user.as_ref()),
            at("path", path.as_ref()),
            at("host", host.as_ref()),
            at("port", port.as_ref()),
            at("tls", tls.as_ref()),
            at("from", from.as_ref()),
            at("to", to.as_ref()),
            at("topic", topic.as_ref()),
            at("bus", bus.as_ref()),
            at("profile", profile.as_ref()),
            at("region", region.as_ref()),
            at("project", project.as_ref()),
            at("issue-type", issue_type.as_ref()),
            at("done", done.as_ref()),
            at("close-code", close_code.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The keys of a channel, taken one by one.
struct Keys<'a> {
    text: &'a str,
    table: ChannelTable,
}

impl Keys<'_> {
    fn kind(mut self, word: &str, lacks: impl Fn() -> SettingsError) -> Result<ChannelKind, SettingsError> {
        let secret = |held: Option<Spanned<SecretRef>>| held.map(Spanned::into_inner);
        let plain = |held: Option<Spanned<Word>>| held.map(|held| held.into_inner().0);
        Ok(match word {
            "stdout" => ChannelKind::Stdout,
            "file" => ChannelKind::File { path: self.path()?.ok_or_else(&lacks)? },
            "slack" => ChannelKind::Slack { url: secret(self.table.url).ok_or_else(lacks)? },
            "teams" => ChannelKind::Teams { url: secret(self.table.url).ok_or_else(lacks)? },
            "webhook" => ChannelKind::Webhook {
                url: secret(self.table.url).ok_or_else(&lacks)?,
                secret: secret(self.table.secret).ok_or_else(lacks)?,
            },
            "smtp" => self.smtp(lacks)?,
            "ses" => ChannelKind::Ses { from: self.from()?.ok_or_else(lacks)?, to: self.to()?, aws: self.aws(None)? },
            "sns" => {
                let (topic, region) = self.topic()?.ok_or_else(lacks)?;
                ChannelKind::Sns { topic, aws: self.aws(Some(region))? }
            }
            "eventbridge" => {
                let (bus, region) = self.bus()?.ok_or_else(lacks)?;
                ChannelKind::EventBridge { bus, aws: self.aws(region)? }
            }
            "security-hub" => ChannelKind::SecurityHub { aws: self.aws(None)? },
            "pagerduty" => ChannelKind::PagerDuty {
                site: self.site()?,
                routing_key: secret(self.table.routing_key).ok_or_else(lacks)?,
            },
            "jira" => ChannelKind::Jira {
                site: self.site()?.ok_or_else(&lacks)?,
                user: plain(self.table.user),
                token: secret(self.table.token).ok_or_else(&lacks)?,
                project: plain(self.table.project).ok_or_else(lacks)?,
                issue_type: plain(self.table.issue_type).unwrap_or_else(|| "Task".to_owned()),
                done: plain(self.table.done).unwrap_or_else(|| "Done".to_owned()),
            },
            _ => ChannelKind::ServiceNow {
                site: self.site()?.ok_or_else(&lacks)?,
                user: plain(self.table.user).ok_or_else(&lacks)?,
                password: secret(self.table.password).ok_or_else(lacks)?,
                close_code: plain(self.table.close_code).unwrap_or_else(|| "Resolved by request".to_owned()),
            },
        })
    }

    fn smtp(&mut self, lacks: impl Fn() -> SettingsError) -> Result<ChannelKind, SettingsError> {
        let host = self.host()?.ok_or_else(&lacks)?;
        let tls = match &self.table.tls {
            None => SmtpTls::StartTls,
            Some(word) => match word.get_ref().0.as_str() {
                "starttls" => SmtpTls::StartTls,
                "implicit" => SmtpTls::Implicit,
                "none" if matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") => SmtpTls::None,
                "none" => return self.wrong(word.span(), "without TLS mail goes to this machine only (localhost)"),
                _ => return self.wrong(word.span(), "write \"starttls\", \"implicit\" or \"none\""),
            },
        };
        if let (Some(word), false) = (&self.table.user, self.table.password.is_some()) {
            return self.wrong(word.span(), "whoever signs in needs a password, too");
        }
        if let (Some(word), false) = (&self.table.password, self.table.user.is_some()) {
            return self.wrong(word.span(), "a password is of no use without user");
        }
        Ok(ChannelKind::Smtp {
            host,
            tls,
            port: self.table.port.take().map(Spanned::into_inner),
            from: self.from()?.ok_or_else(lacks)?,
            to: self.to()?,
            user: self.table.user.take().map(|word| word.into_inner().0),
            password: self.table.password.take().map(Spanned::into_inner),
        })
    }

    fn wrong<T>(&self, at: Range<usize>, what: &str) -> Result<T, SettingsError> {
        Err(fault(self.text, Some(at), what))
    }

    fn path(&mut self) -> Result<Option<PathBuf>, SettingsError> {
        let Some(word) = self.table.path.take() else { return Ok(None) };
        if word.get_ref().0.starts_with('/') {
            Ok(Some(word.into_inner().0.into()))
        } else {
            self.wrong(word.span(), "the path of the file must begin with /")
        }
    }

    fn host(&mut self) -> Result<Option<String>, SettingsError> {
        let Some(word) = self.table.host.take() else { return Ok(None) };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
        if word.get_ref().0.chars().all(is_host) {
            Ok(Some(word.into_inner().0))
        } else {
            self.wrong(word.span(), "write the host alone, for example mail.example.com")
        }
    }

    /// `https://host`, or plain http to this machine: nothing else takes a token.
    fn site(&mut self) -> Result<Option<String>, SettingsError> {
        let Some(word) = self.table.site.take() else { return Ok(None) };
        match site(&word.get_ref().0) {
            Some(site) => Ok(Some(site.to_owned())),
            None => self.wrong(
                word.span(),
                "write https:// and the host, without a path, for example https://team.example.com",
            ),
        }
    }

    fn from(&mut self) -> Result<Option<String>, SettingsError> {
        let Some(word) = self.table.from.take() else { return Ok(None) };
        if is_address(&word.get_ref().0) {
            Ok(Some(word.into_inner().0))
        } else {
            self.wrong(word.span(), "it is not an e-mail address, as in akia@example.com")
        }
    }

    fn to(&mut self) -> Result<Vec<String>, SettingsError> {
        let Some(words) = self.table.to.take() else { return Ok(Vec::new()) };
        if words.get_ref().iter().all(|word| is_address(&word.0)) {
            Ok(strings(words.into_inner()))
        } else {
            self.wrong(words.span(), "one of them is not an e-mail address, as in security@example.com")
        }
    }

    /// The topic, and the region that it lies in.
    fn topic(&mut self) -> Result<Option<(String, Region)>, SettingsError> {
        let Some(word) = self.table.topic.take() else { return Ok(None) };
        match arn_of(&word.get_ref().0, "sns") {
            Some(region) => Ok(Some((word.into_inner().0, region))),
            None => self.wrong(word.span(), "it is not the ARN of a topic (arn:aws:sns:REGION:ACCOUNT:NAME)"),
        }
    }

    /// The bus, and the region that it lies in, where it is an ARN.
    fn bus(&mut self) -> Result<Option<(String, Option<Region>)>, SettingsError> {
        let Some(word) = self.table.bus.take() else { return Ok(None) };
        let region = arn_of(&word.get_ref().0, "events");
        // AWS API Reference, PutEventsRequestEntry: letters, digits and ./_-
        let is_name = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
        if region.is_some() || word.get_ref().0.chars().all(is_name) {
            Ok(Some((word.into_inner().0, region)))
        } else {
            self.wrong(word.span(), "it is neither the name nor the ARN of a bus")
        }
    }

    fn aws(&mut self, region: Option<Region>) -> Result<AwsPlace, SettingsError> {
        let profile = match self.table.profile.take() {
            Some(word) => match word.get_ref().0.parse() {
                Ok(profile) => Some(profile),
                Err(_) => return self.wrong(word.span(), "it is not the name of a profile"),
            },
            None => None,
        };
        let region = match self.table.region.take() {
            Some(word) => match word.get_ref().0.parse::<Region>() {
                Ok(named) if region.as_ref().is_none_or(|region| *region == named) => Some(named),
                Ok(_) => return self.wrong(word.span(), "the ARN names another region; leave this out"),
                Err(_) => return self.wrong(word.span(), "it is not a region, as in eu-west-1"),
            },
            None => region,
        };
        Ok(AwsPlace { profile, region })
    }
}

/// The region of an ARN of this service.
fn arn_of(text: &str, service: &str) -> Option<Region> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, found, region, account, name] = parts[..] else { return None };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    let is_arn = arn == "arn"
        && partition.parse::<crate::ids::Partition>().is_ok()
        && found == service
        && account.parse::<AccountId>().is_ok()
        && !name.is_empty()
        && name.chars().all(is_name);
    if is_arn { region.parse().ok() } else { None }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    use super::*;

    pub(super) struct KindWord;

    impl JsonSchema for KindWord {
        fn schema_name() -> Cow<'static, str> {
            "NoticeKind".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "What has happened to keys, or will.",
                "enum": NoticeKind::ALL.map(NoticeKind::as_str) })
        }
    }

    pub(super) struct ChannelWord;

    impl JsonSchema for ChannelWord {
        fn schema_name() -> Cow<'static, str> {
            "ChannelKind".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A kind of channel.", "enum": channel_words().collect::<Vec<_>>() })
        }
    }
}
#[cfg(test)]
use schema::{ChannelWord, KindWord};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const ALL: &str = r#"
[notify]
templates = "/etc/akia/templates"
exemption-help = "Ask in #security."
attempts = 5
default = ["security"]
[notify.channels.security]
kind = "slack"
url = { env = "AKIA_SLACK_URL" }
may-repeat = true
[notify.channels.teams]
kind = "teams"
url = { file = "/run/secrets/teams" }
[notify.channels.hook]
kind = "webhook"
url = { env = "HOOK" }
secret = { env = "HOOK_SECRET" }
[notify.channels.mail]
kind = "smtp"
host = "mail.example.com"
port = 465
tls = "implicit"
user = "akia"
password = { env = "SMTP_PASSWORD" }
from = "akia@example.com"
to = ["security@example.com"]
[notify.channels.owners]
kind = "ses"
from = "akia@example.com"
region = "eu-west-1"
profile = "mail"
[notify.channels.topic]
kind = "sns"
topic = "arn:aws:sns:eu-west-1:123456789012:keys"
[notify.channels.bus]
kind = "eventbridge"
bus = "arn:aws:events:eu-central-1:123456789012:event-bus/security"
[notify.channels.hub]
kind = "security-hub"
[notify.channels.oncall]
kind = "pagerduty"
routing-key = { env = "PAGERDUTY_KEY" }
site = "https://events.eu.pagerduty.com"
[notify.channels.tickets]
kind = "jira"
site = "https://team.atlassian.net/"
user = "akia@example.com"
token = { env = "JIRA_TOKEN" }
project = "SEC"
[notify.channels.incidents]
kind = "servicenow"
site = "https://team.service-now.com"
user = "akia"
password = { env = "SERVICENOW_PASSWORD" }
[notify.channels.practice]
kind = "file"
path = "/var/log/akia/notices.jsonl"
[notify.channels.screen]
kind = "stdout"
[[notify.route]]
owners = ["*@example.com"]
to = "owner"
channels = ["owners"]
[[notify.route]]
kinds = ["exposed", "test"]
accounts = ["123456789012"]
units = ["Shops"]
tags = { stage = "live" }
channels = ["oncall", "mail"]
"#;

    #[test]
    fn every_kind_of_channel_is_read() {
        let notify = Settings::parse(ALL).unwrap().notify;
        let words: BTreeSet<&str> = notify.channels.values().map(|channel| channel.kind.word()).collect();
        assert_eq!(words, channel_words().collect());
        assert_eq!((notify.attempts, notify.default.len(), notify.routes.len()), (5, 1, 2));
        assert!(notify.channels["security"].may_repeat && !notify.channels["mail"].may_repeat);
        assert_eq!(
            notify.channels["security"].kind,
            ChannelKind::Slack { url: SecretRef::Env("AKIA_SLACK_URL".to_owned()) }
        );
        let region = |name: &str| notify.channels[name].kind.aws().unwrap().region.as_ref().map(Region::as_str);
        assert_eq!(
            [region("topic"), region("bus"), region("owners"), region("hub")],
            [Some("eu-west-1"), Some("eu-central-1"), Some("eu-west-1"), None]
        );
        let ChannelKind::Jira { site, done, .. } = &notify.channels["tickets"].kind else { panic!() };
        assert_eq!((site.as_str(), done.as_str()), ("https://team.atlassian.net", "Done"));
        assert_eq!(notify.routes[1].kinds, [NoticeKind::Exposed, NoticeKind::Test]);
        assert!(notify.routes[0].to_owner);
        assert_eq!(Settings::parse("").unwrap().notify, NotifySettings::default());
    }

    #[test]
    fn a_slip_of_the_pen_is_named_with_its_line_and_what_to_write() {
        let slack = "[notify.channels.a]\nkind = \"slack\"\nurl = { env = \"U\" }\n";
        let jira = "[notify.channels.a]\nkind = \"jira\"\ntoken = { env = \"T\" }\nproject = \"P\"\n";
        let smtp = "[notify.channels.a]\nkind = \"smtp\"\nhost = \"h\"\nfrom = \"a@b.c\"\n";
        let errors: Vec<String> = [
            "[notify.channels.a]\nkind = \"slak\"".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = { env = \"U\" }\ntopic = \"t\"".to_owned(),
            "[notify.channels.a]\nkind = \"stdout\"\ntopic = \"t\"".to_owned(),
            "[notify.channels.a]\nurl = { env = \"U\" }".to_owned(),
            "[notify.channels.A]\nkind = \"stdout\"".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = \"https://hooks.slack.example/T0/B0/x\"".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = { env = \"A-B\" }".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = { file = \"x\" }".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = { env = \"A\", file = \"/x\" }".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = { value = \"x\" }".to_owned(),
            "[notify.channels.a]\nkind = \"slack\"\nurl = 5".to_owned(),
            "[notify]\ndefault = [\"b\"]".to_owned(),
            format!("[notify]\ndefault = [\"b\"]\n{slack}"),
            format!("{slack}[[notify.route]]\nchannels = [\"a\"]"),
            format!("{slack}[[notify.route]]\nkinds = [\"exposed\"]"),
            format!("{slack}[[notify.route]]\nkinds = [\"leaked\"]\nchannels = [\"a\"]"),
            format!("{slack}[[notify.route]]\nto = \"owner\"\nchannels = [\"a\"]"),
            format!("{slack}[[notify.route]]\nto = \"ann@example.com\"\nchannels = [\"a\"]"),
            format!("[notify]\ndefault = [\"a\"]\n{smtp}"),
            format!("{smtp}tls = \"none\""),
            format!("{smtp}tls = \"ssl\""),
            format!("{smtp}user = \"u\""),
            format!("{smtp}to = [\"ann\"]"),
            format!("{jira}site = \"http://team.example.com\""),
            format!("{jira}site = \"https://team.example.com/browse\""),
            format!("{jira}site = \"team.example.com\""),
            "[notify.channels.a]\nkind = \"sns\"\ntopic = \"keys\"".to_owned(),
            "[notify.channels.a]\nkind = \"sns\"\ntopic = \"arn:aws:sns:eu-west-1:123456789012:k\"\nregion = \"eu-west-2\""
                .to_owned(),
            "[notify]\nattempts = 0".to_owned(),
            "[notify]\nattempts = \"5\"".to_owned(),
            "[notify]\nchannel = 1".to_owned(),
        ]
        .into_iter()
        .map(|text| format!("{}\n  {}", text.replace('\n', " ⏎ "), Settings::parse(&text).unwrap_err()))
        .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        let secret = "https://hooks.slack.example/services/canary";
        for key in ["url", "secret", "token", "password", "routing-key"] {
            let text = format!("[notify.channels.a]\nkind = \"slack\"\n{key} = \"{secret}\"");
            let error = Settings::parse(&text).unwrap_err().to_string();
            assert!(error.contains("line 3") && error.contains("a secret must not stand in this file"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
