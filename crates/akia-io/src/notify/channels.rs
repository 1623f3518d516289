//! The channels of the settings, ready to use; or why one is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use akia_core::ids::ProfileName;
use akia_core::notice::{Message, Notice, Renderer, TemplateError};
use akia_core::settings::{AwsPlace, ChannelKind, ChannelSettings, NotifySettings, SecretRef};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::aws::Desk;
use super::web::{Address, at_site};
use super::{
    Channel, KINDS, eventbridge, file, jira, pagerduty, security_hub, servicenow, ses, slack, smtp, sns, stdout, teams,
    webhook,
};
use crate::aws::{Aws, Caller, Service};
use crate::secrets::Secret;

/// Gives the value of a variable of the environment.
pub type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What channels reach the world with.
pub struct Reach {
    /// The way out: proxies, roots of trust, time limits.
    pub aws: Aws,
    /// Who calls AWS for a profile of the settings (`None`: the one that signs the command), or why nobody can.
    pub callers: BTreeMap<Option<ProfileName>, Result<Arc<Caller>, String>>,
    /// The variables of the environment, for secrets that are kept there.
    pub variable: Lookup,
}

/// Why a channel cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The settings have none of that name.
    #[error("there is no channel {name} in the settings")]
    NoSuch {
        /// The name.
        name: String,
    },
    /// Something that it needs is missing.
    #[error("channel {name} is not ready: {reason}")]
    Lacks {
        /// The name.
        name: String,
        /// What is missing.
        reason: String,
    },
}

struct Line {
    channel: Result<Arc<dyn Channel>, String>,
    /// Whether a message may be sent that may have arrived already.
    may_send_again: bool,
}

/// Every channel of the settings, and how messages are made for them.
pub struct Channels {
    lines: BTreeMap<String, Line>,
    renderer: Renderer,
    exemption_help: Option<String>,
    attempts: u32,
}

impl Channels {
    /// Makes the channels ready. Nothing is sent, and what is missing is told when the channel is asked for.
    #[must_use]
    pub fn open(settings: &NotifySettings, renderer: Renderer, reach: &Reach) -> Self {
        let line = |(name, settings): (&String, &ChannelSettings)| {
            let kind = KINDS.iter().find(|kind| kind.word == settings.kind.word());
            let may_send_again = settings.may_repeat || kind.is_some_and(|kind| kind.is_idempotent);
            (name.clone(), Line { channel: open(&settings.kind, reach), may_send_again })
        };
        Self {
            lines: settings.channels.iter().map(line).collect(),
            renderer,
            exemption_help: settings.exemption_help.clone(),
            attempts: settings.attempts,
        }
    }

    /// Channels of one's own making, each with whether it may repeat a message: for tests and simulations.
    pub fn of(channels: impl IntoIterator<Item = (String, Arc<dyn Channel>, bool)>, attempts: u32) -> Self {
        let line = |(name, channel, may_repeat): (String, Arc<dyn Channel>, bool)| {
            let may_send_again = may_repeat || channel.kind().is_idempotent;
            (name, Line { channel: Ok(channel), may_send_again })
        };
        let lines = channels.into_iter().map(line).collect();
        Self { lines, renderer: Renderer::default(), exemption_help: None, attempts }
    }

    /// The profiles that have to sign for these settings.
    #[must_use]
    pub fn profiles(settings: &NotifySettings) -> std::collections::BTreeSet<Option<ProfileName>> {
        settings.channels.values().filter_map(|channel| channel.kind.aws()).map(|aws| aws.profile.clone()).collect()
    }

    /// The channel of a name.
    ///
    /// # Errors
    /// Where there is none, or it lacks something.
    pub fn find(&self, name: &str) -> Result<&Arc<dyn Channel>, NotReady> {
        let line = self.lines.get(name).ok_or_else(|| NotReady::NoSuch { name: name.to_owned() })?;
        line.channel.as_ref().map_err(|reason| NotReady::Lacks { name: name.to_owned(), reason: reason.clone() })
    }

    /// Whether a message of which nobody knows whether it arrived may be sent again; `None` where the settings have no such
    /// channel.
    #[must_use]
    pub fn may_send_again(&self, name: &str) -> Option<bool> {
        self.lines.get(name).map(|line| line.may_send_again)
    }

    /// Tries of a message before it is given up.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// A notice as a message.
    ///
    /// # Errors
    /// Where a template cannot be filled.
    pub fn render(&self, notice: &Notice, address: Option<&str>, now: Timestamp) -> Result<Message, TemplateError> {
        self.renderer.render(notice, address, self.exemption_help.as_deref(), now)
    }
}

fn open(kind: &ChannelKind, reach: &Reach) -> Result<Arc<dyn Channel>, String> {
    let secret = |place: &SecretRef| Secret::read(place, &reach.variable);
    let address = |place: &SecretRef| Address::parse(secret(place)?);
    let desk = |place: &AwsPlace, service| {
        let caller = reach.callers.get(&place.profile).ok_or("nobody signs for it")?.clone()?;
        Ok::<Desk, String>(Desk::new(caller, place, service))
    };
    let aws = reach.aws.clone();
    Ok(match kind {
        ChannelKind::Stdout => Arc::new(stdout::Stdout),
        ChannelKind::File { path } => Arc::new(file::File { path: path.clone() }),
        ChannelKind::Slack { url } => Arc::new(slack::Slack { aws, address: address(url)? }),
        ChannelKind::Teams { url } => Arc::new(teams::Teams { aws, address: address(url)? }),
        ChannelKind::Webhook { url, secret: key } => Arc::new(webhook::Webhook::new(aws, address(url)?, secret(key)?)?),
        ChannelKind::Smtp { host, port, tls, user, password, from, to } => Arc::new(smtp::Smtp {
            host: host.clone(),
            port: *port,
            tls: *tls,
            login: match (user, password) {
                (Some(user), Some(password)) => Some((user.clone(), secret(password)?)),
                (None | Some(_), _) => None,
            },
            from: from.clone(),
            to: to.clone(),
            ca_bundle: reach.aws.options().ca_bundle.clone(),
        }),
        ChannelKind::Ses { from, to, aws } => {
            Arc::new(ses::Ses { desk: desk(aws, Service::Ses)?, from: from.clone(), to: to.clone() })
        }
        ChannelKind::Sns { topic, aws } => Arc::new(sns::Sns { desk: desk(aws, Service::Sns)?, topic: topic.clone() }),
        ChannelKind::EventBridge { bus, aws } => {
            Arc::new(eventbridge::EventBridge { desk: desk(aws, Service::EventBridge)?, bus: bus.clone() })
        }
        ChannelKind::SecurityHub { aws } => {
            Arc::new(security_hub::SecurityHub { desk: desk(aws, Service::SecurityHub)?, account: OnceCell::new() })
        }
        ChannelKind::PagerDuty { routing_key, site } => Arc::new(pagerduty::PagerDuty {
            aws,
            url: at_site(site.as_deref().unwrap_or(pagerduty::SITE), "/v2/enqueue")?,
            routing_key: secret(routing_key)?,
        }),
        ChannelKind::Jira { site, user, token, project, issue_type, done } => Arc::new(jira::Jira {
            aws,
            site: site.clone(),
            user: user.clone(),
            token: secret(token)?,
            project: project.clone(),
            issue_type: issue_type.clone(),
            done: done.clone(),
        }),
        ChannelKind::ServiceNow { site, user, password, close_code } => Arc::new(servicenow::ServiceNow {
            aws,
            site: site.clone(),
            user: user.clone(),
            password: secret(password)?,
            close_code: close_code.clone(),
        }),
    })
}
