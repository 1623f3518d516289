//! `akia events`: the fast path from an event in AWS to the inventory and to the owner of an exposed key.

use akia_core::ids::AccountId;
use akia_io::aws::QueueUrl;
use akia_io::store::events::EventState;
use clap::{Args, Subcommand};

use super::enforce::ReachArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::events::{listing, template, watching};
use crate::exit::Exit;

/// The name of the queue unless another is given.
const QUEUE: &str = "akia-events";

/// Learn of created, changed, deleted and exposed keys within a minute, from a queue of SQS
///
/// EventBridge puts calls of IAM that change keys, and findings of AWS Health about exposed keys, on a queue. `akia events watch` takes
/// them off, asks AWS about each user that they name, and amends the kept audit by what AWS says, for `akia enforce plan`. An
/// event alone is a hint: nothing is believed, and no key is touched, before AWS was asked. docs/events.md tells of all of it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia events template cloudformation > events.json", "the queue and the rules that fill it"),
    ("akia events watch --queue https://sqs.us-east-1.amazonaws.com/123456789012/akia-events", "until Ctrl-C"),
    ("akia events list", "what came, and what AWS said then"),
    ("akia events status", "how much of each, and what could not be confirmed"),
]))]
pub struct EventsArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: EventsVerb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum EventsVerb {
    /// Take events off the queue, until Ctrl-C
    ///
    /// A message is taken off only after its effect is written down; one that comes twice has its effect once. What cannot be
    /// read is kept apart (akia events list --state unreadable). Exposed keys become findings of the rule key-exposed and, unless
    /// the enforce table says on-exposure = "record", notices of the kind exposed through the channels of the notify table.
    ///
    /// Prints a line for each event; with --output json, an object a line.
    #[command(after_long_help = super::examples(&[
        ("akia events watch --queue https://sqs.us-east-1.amazonaws.com/123456789012/akia-events --once", "what is there now, from a timer"),
    ]))]
    Watch(Box<WatchArgs>),
    /// List events that came, the latest first
    #[command(after_long_help = super::examples(&[
        ("akia events list --state unconfirmed", "hints that AWS could not be asked about"),
        ("akia events list --output json", "with all that AWS said"),
    ]))]
    List(ListArgs),
    /// Count the events of each state, and what the queue holds
    #[command(after_long_help = super::examples(&[
        ("akia events status --queue https://sqs.us-east-1.amazonaws.com/123456789012/akia-events", "with the queue"),
    ]))]
    Status(StatusArgs),
    /// Print a template of the queue and the rules that fill it
    ///
    /// To be deployed in the home region of IAM (us-east-1), where its calls become events. CloudTrail must have a trail that
    /// logs management events.
    #[command(after_long_help = super::examples(&[
        ("akia events template terraform > akia-events.tf.json", "one account"),
        ("akia events template cloudformation --from-org o-exampleorgid", "the account that collects those of its organisation"),
        ("akia events template cloudformation --to 123456789012", "every other account of it, as a StackSet"),
    ]))]
    Template(TemplateArgs),
}

/// Which queue, and how accounts are entered.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// URL of the queue
    #[arg(long, value_name = "URL")]
    pub queue: QueueUrl,

    /// End when the queue is empty
    #[arg(long)]
    pub once: bool,

    /// How accounts are entered, under which settings.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// Which events.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this state
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Option<EventState>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value = "100")]
    pub most: u32,
}

/// Which queue.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// URL of the queue, to be looked at, too
    #[arg(long, value_name = "URL")]
    pub queue: Option<QueueUrl>,
}

/// Which template.
#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// Its form
    #[arg(value_name = "FORM")]
    pub form: super::config_rule::Template,

    /// Name of the queue and the rules
    #[arg(long, value_name = "NAME", default_value = QUEUE, value_parser = name)]
    pub name: String,

    /// Take the events of all accounts of this organisation
    #[arg(long, value_name = "ORG-ID", value_parser = organization)]
    pub from_org: Option<String>,

    /// Send the events of this account to that one, which has the queue
    #[arg(long, value_name = "ACCOUNT-ID", conflicts_with = "from_org")]
    pub to: Option<AccountId>,
}

/// Runs the command.
///
/// # Errors
/// When the queue or the store cannot be used.
pub(crate) async fn run(context: &Context, args: EventsArgs) -> Result<Exit, CommandError> {
    match args.act {
        EventsVerb::Watch(args) => watching::run(context, &args).await,
        EventsVerb::List(args) => listing::list(context, &args).await,
        EventsVerb::Status(args) => listing::status(context, &args).await,
        EventsVerb::Template(args) => template::run(context, &args),
    }
}

fn state(text: &str) -> Result<EventState, &'static str> {
    let found = EventState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or("it is no state: applied, unconfirmed, ignored or unreadable")
}

fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=50).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("write 1 to 50 letters, digits, - and _")
    }
}

fn organization(text: &str) -> Result<String, &'static str> {
    let is_id = text.strip_prefix("o-").is_some_and(|rest| {
        (10..=32).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if is_id { Ok(text.to_owned()) } else { Err("it is not the id of an organisation, as in o-exampleorgid") }
}
