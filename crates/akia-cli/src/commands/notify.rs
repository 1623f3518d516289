//! `akia notify`: channels, templates and the outbox.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use akia_core::notice::{Destination, Notice, TEMPLATES, is_address};
use akia_core::settings::NotifySettings;
use akia_io::clock::{Clock, SystemClock};
use akia_io::notify::{Channel, Channels, Delivered, Entry, Outbox, Outcome, State};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Consent;
use crate::args::ConfigArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::{notices, prompt};

/// Messages that one `akia notify deliver` sends at most.
const MOST_AT_ONCE: usize = 10_000;

/// Try the channels of notices, and look after what was sent
///
/// Channels and routes stand in akia.toml; docs/notices.md tells of channels, templates and the outbox. A message is written
/// down before it is sent, and tried again until it is taken or given up.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia notify channels", "every channel, and whether it is ready"),
    ("akia notify test security --dry-run", "what a message looks like"),
    ("akia notify test --all --yes", "a test message through every channel"),
    ("akia notify outbox --dead", "what was given up, and why"),
]))]
pub struct NotifyArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: NotifyVerb,
}

/// What to do with notices.
#[derive(Debug, Subcommand)]
pub enum NotifyVerb {
    /// List the channels, and whether they are ready
    #[command(after_long_help = super::examples(&[("akia notify channels --output json", "for a script")]))]
    Channels(ConfigArgs),
    /// Send a test message, or print it
    #[command(after_long_help = super::examples(&[
        ("akia notify test security --dry-run", "print it"),
        ("akia notify test mail --to ann@example.com --yes", "to an address, where the channel has none"),
    ]))]
    Test(TestArgs),
    /// Send what is due
    #[command(after_long_help = super::examples(&[("akia notify deliver --yes", "from a timer")]))]
    Deliver(DeliverArgs),
    /// List messages: sent, waiting and given up
    #[command(after_long_help = super::examples(&[("akia notify outbox --dead", "what was given up, and why")]))]
    Outbox(OutboxArgs),
    /// Show what was sent, and the proof of it
    #[command(after_long_help = super::examples(&[("akia notify show 17", "one message")]))]
    Show(ShowArgs),
    /// Send messages again that were given up
    #[command(after_long_help = super::examples(&[
        ("akia notify retry 17 --yes", "one"),
        ("akia notify retry --all-dead --dry-run", "which there are"),
    ]))]
    Retry(RetryArgs),
    /// Give messages up for good
    #[command(after_long_help = super::examples(&[("akia notify drop 17 --reason told-by-phone --yes", "one")]))]
    Drop(DropArgs),
    /// List the templates, or write akia's own into a folder
    #[command(after_long_help = super::examples(&[
        ("akia notify templates", "which there are, and which are replaced"),
        ("akia notify templates --write /etc/akia/templates", "as a beginning for your own"),
    ]))]
    Templates(TemplatesArgs),
}

/// Which channels to try.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Channels to try
    #[arg(value_name = "CHANNEL", required_unless_present = "all")]
    pub channels: Vec<String>,

    /// Try every channel
    #[arg(long, conflicts_with = "channels")]
    pub all: bool,

    /// Address for mail, instead of the channel's own
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub to: Option<String>,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,

    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How to send what is due.
#[derive(Debug, Args)]
pub struct DeliverArgs {
    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,

    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which messages to list.
#[derive(Debug, Args)]
pub struct OutboxArgs {
    /// Only those that were given up
    #[arg(long)]
    pub dead: bool,
}

/// Which message to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Message, by the number that `akia notify outbox` shows
    #[arg(value_name = "ID")]
    pub id: i64,
}

/// Which messages to send again.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Messages, by the number that `akia notify outbox` shows
    #[arg(value_name = "ID", required_unless_present = "all_dead")]
    pub ids: Vec<i64>,

    /// Every message that was given up
    #[arg(long, conflicts_with = "ids")]
    pub all_dead: bool,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,

    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which messages to give up.
#[derive(Debug, Args)]
pub struct DropArgs {
    /// Messages, by the number that `akia notify outbox` shows
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<i64>,

    /// Why; it is kept
    #[arg(long, value_name = "TEXT", required = true)]
    pub reason: String,

    /// Question and plan.
    #[command(flatten)]
    pub consent: Consent,
}

/// What to do with templates.
#[derive(Debug, Args)]
pub struct TemplatesArgs {
    /// Write akia's own templates into this folder; a file that is there stays
    #[arg(long, value_name = "FOLDER")]
    pub write: Option<PathBuf>,

    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn address(text: &str) -> Result<String, &'static str> {
    if is_address(text) { Ok(text.to_owned()) } else { Err("it is not an e-mail address, as in ann@example.com") }
}

/// Runs the command.
///
/// # Errors
/// When settings, a channel or the outbox cannot be used.
pub(crate) async fn run(context: &Context, args: NotifyArgs) -> Result<Exit, CommandError> {
    match args.act {
        NotifyVerb::Channels(config) => channels(context, &config).await,
        NotifyVerb::Test(args) => test(context, &args).await,
        NotifyVerb::Deliver(args) => deliver(context, &args).await,
        NotifyVerb::Outbox(args) => outbox(context, &args).await,
        NotifyVerb::Show(args) => show(context, args.id).await,
        NotifyVerb::Retry(args) => retry(context, &args).await,
        NotifyVerb::Drop(args) => drop_messages(context, &args).await,
        NotifyVerb::Templates(args) => templates(context, &args),
    }
}

async fn channels(context: &Context, config: &ConfigArgs) -> Result<Exit, CommandError> {
    let settings = config.load(context)?.settings.notify;
    let channels = notices::channels(context, &settings).await?;
    let mut report = Report::new(
        "notify-channels",
        "channels",
        vec![
            Column::whole("channel", "CHANNEL"),
            Column::whole("kind", "KIND"),
            Column::new("place", "WHERE"),
            Column::new("state", "STATE"),
        ],
    );
    let mut lacking = 0;
    for (name, of_settings) in &settings.channels {
        let (place, state) = match channels.find(name) {
            Ok(channel) => (Some(channel.place()), Cell::text("ready").tone(Tone::Good)),
            Err(error) => {
                lacking += 1;
                (None, Cell::text(error).tone(Tone::Bad))
            }
        };
        let mut row = Row::from(vec![Cell::text(name), Cell::text(of_settings.kind.word()), Cell::maybe(place), state]);
        row.details.insert("is_ready".into(), json!(channels.find(name).is_ok()));
        row.details.insert("may_send_again".into(), json!(channels.may_send_again(name).unwrap_or(false)));
        report.push(row);
    }
    if settings.channels.is_empty() {
        context
            .say("no channel stands in the settings; docs/settings.md shows how to write one: [notify.channels.NAME]");
    }
    context.print(&report)?;
    Ok(if lacking == 0 { Exit::Done } else { Exit::Findings })
}

async fn test(context: &Context, args: &TestArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings.notify;
    let chosen = chosen(&settings, args)?;
    let only = NotifySettings { channels: chosen, ..settings };
    let channels = notices::channels(context, &only).await?;
    let mut ready: Vec<(&String, &Arc<dyn Channel>)> = Vec::new();
    for name in only.channels.keys() {
        let channel = channels
            .find(name)
            .map_err(|error| CommandError::failed(error).next("akia notify channels (what each channel lacks)"))?;
        ready.push((name, channel));
    }
    for (name, channel) in &ready {
        let place = args.to.clone().unwrap_or_else(|| channel.place());
        context.say(&format!("send    a test message through {name} ({} at {place})", channel.kind().word));
    }
    if args.consent.dry_run {
        return preview(context, &channels, &ready, args);
    }
    prompt::confirm(context, args.consent.yes, "Send?")?;
    let (outbox, seed) = (notices::outbox(context).await?, notices::seed()?);
    let mut ended = Vec::new();
    for (name, _) in &ready {
        let now = SystemClock.now();
        let to = Destination { channel: (*name).clone(), address: args.to.clone() };
        let id = outbox.enqueue(&Notice::test(name, now), &to, now).await.map_err(notices::unusable)?;
        let delivered = outbox.deliver_one(id, &channels, &SystemClock, seed).await.map_err(notices::unusable)?;
        if let Some(delivered) = delivered {
            // A test that arrives hours later would only puzzle people.
            if matches!(delivered.outcome, Outcome::Later { .. } | Outcome::Dead { .. }) {
                let dropped = outbox.drop(id, "a test is not repeated", now).await;
                dropped.map_err(notices::unusable)?;
            }
            ended.push(delivered);
        }
    }
    report(context, "notify-test", &ended)
}

/// The channels that were named.
fn chosen(
    settings: &NotifySettings,
    args: &TestArgs,
) -> Result<std::collections::BTreeMap<String, akia_core::settings::ChannelSettings>, CommandError> {
    if args.all {
        if settings.channels.is_empty() {
            return Err(CommandError::usage("no channel stands in the settings")
                .next("write one into akia.toml: [notify.channels.NAME]; docs/settings.md has every key"));
        }
        return Ok(settings.channels.clone());
    }
    let mut chosen = std::collections::BTreeMap::new();
    for name in &args.channels {
        let Some(channel) = settings.channels.get(name) else {
            return Err(CommandError::usage(format_args!("there is no channel {name:?} in the settings"))
                .next("akia notify channels (those that there are)"));
        };
        chosen.insert(name.clone(), channel.clone());
    }
    Ok(chosen)
}

/// What would be sent.
fn preview(
    context: &Context,
    channels: &Channels,
    ready: &[(&String, &Arc<dyn Channel>)],
    args: &TestArgs,
) -> Result<Exit, CommandError> {
    let now = context.started_at;
    let mut report = Report::new(
        "notify-test",
        "messages",
        vec![Column::whole("channel", "CHANNEL"), Column::new("subject", "SUBJECT"), Column::new("body", "BODY")],
    );
    for (name, channel) in ready {
        let message = channels
            .render(&Notice::test(name, now), args.to.as_deref(), now)
            .map_err(|error| CommandError::usage(error).next("akia notify templates"))?;
        let body = channel.body(&message);
        if context.format() == Format::Table {
            context.print_text(&format!("{name}: {}\n\n{}\n{}\n\n", message.subject, message.text, body))?;
        }
        report.push(vec![Cell::text(name), Cell::text(&message.subject), Cell::text(body)]);
    }
    if context.format() != Format::Table {
        context.print(&report)?;
    }
    Ok(Exit::Done)
}

async fn deliver(context: &Context, args: &DeliverArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings.notify;
    let Some(outbox) = notices::existing_outbox(context).await? else {
        context.say("nothing was ever put into the outbox");
        return report(context, "notify-deliver", &[]);
    };
    let now = context.started_at;
    let waiting = outbox.list(None).await.map_err(notices::unusable)?;
    let waiting: Vec<&Entry> = waiting.iter().filter(|entry| entry.is_due(now)).collect();
    for entry in &waiting {
        context.say(&plan_line("send", entry));
    }
    if waiting.is_empty() {
        context.say("nothing is due");
        return report(context, "notify-deliver", &[]);
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Send?")?;
    let channels = notices::channels(context, &settings).await?;
    let delivered = outbox.deliver_due(&channels, &SystemClock, notices::seed()?, MOST_AT_ONCE).await;
    report(context, "notify-deliver", &delivered.map_err(notices::unusable)?)
}

async fn outbox(context: &Context, args: &OutboxArgs) -> Result<Exit, CommandError> {
    let entries = match notices::existing_outbox(context).await? {
        Some(outbox) => outbox.list(args.dead.then_some(State::Dead)).await.map_err(notices::unusable)?,
        None => Vec::new(),
    };
    let now = context.started_at;
    let mut report = Report::new(
        "notify-outbox",
        "messages",
        vec![
            Column::whole("id", "ID"),
            Column::whole("enqueued_at", "AGE"),
            Column::whole("kind", "KIND"),
            Column::new("channel", "CHANNEL"),
            Column::whole("state", "STATE"),
            Column::whole("attempts", "TRIES"),
            Column::new("detail", "DETAIL"),
        ],
    );
    for entry in &entries {
        let tone = match entry.state {
            State::Sent => Tone::Good,
            State::Dead => Tone::Bad,
            State::Pending | State::Sending => Tone::Warning,
            State::Dropped => Tone::Quiet,
        };
        let detail = match (&entry.receipt, &entry.reason) {
            (Some(receipt), _) => Some(receipt.detail.clone()),
            (None, reason) => reason.clone(),
        };
        let mut row = Row::from(vec![
            Cell::number(entry.id),
            Cell::age(entry.enqueued_at, now),
            Cell::text(entry.kind),
            Cell::text(&entry.channel),
            Cell::text(entry.state.as_str()).tone(tone),
            Cell::number(entry.attempts.into()),
            Cell::maybe(detail),
        ]);
        row.details.insert("notice".into(), json!(entry.notice));
        row.details.insert("address".into(), json!(entry.address));
        row.details.insert("due_at".into(), json!(entry.due_at));
        row.details.insert("claimed_until".into(), json!(entry.claimed_until));
        row.details.insert("may_have_arrived".into(), json!(entry.may_have_arrived));
        row.details.insert("receipt".into(), json!(entry.receipt));
        row.details.insert("body_sha256".into(), json!(entry.body_digest));
        row.details.insert("reason".into(), json!(entry.reason));
        report.push(row);
    }
    if entries.is_empty() {
        context.say(if args.dead { "nothing was given up" } else { "nothing was ever put into the outbox" });
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

async fn show(context: &Context, id: i64) -> Result<Exit, CommandError> {
    let outbox = needed(context).await?;
    let body = outbox.body(id).await.map_err(notices::unusable)?;
    let entries = named(&outbox, &[id]).await?;
    let mut report =
        Report::new("notify-show", "facts", vec![Column::whole("fact", "FACT"), Column::new("value", "VALUE")]);
    for entry in &entries {
        report.fact("id", entry.id);
        report.fact("notice", json!(entry.notice));
        report.fact("receipt", json!(entry.receipt));
        report.fact("body", json!(body));
        let receipt = entry.receipt.as_ref();
        let facts = [
            ("notice", Some(entry.notice.to_string())),
            ("kind", Some(entry.kind.to_string())),
            ("channel", Some(entry.channel.clone())),
            ("address", entry.address.clone()),
            ("state", Some(entry.state.as_str().to_owned())),
            ("reason", entry.reason.clone()),
            ("taken_at", receipt.map(|receipt| receipt.at.to_string())),
            ("message_id", receipt.and_then(|receipt| receipt.message_id.clone())),
            ("detail", receipt.map(|receipt| receipt.detail.clone())),
            ("body_sha256", entry.body_digest.clone()),
            ("body", body.clone()),
        ];
        for (fact, value) in facts {
            report.push(vec![Cell::text(fact), Cell::maybe(value)]);
        }
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

async fn retry(context: &Context, args: &RetryArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings.notify;
    let outbox = needed(context).await?;
    let entries = if args.all_dead {
        outbox.list(Some(State::Dead)).await.map_err(notices::unusable)?
    } else {
        named(&outbox, &args.ids).await?
    };
    if entries.is_empty() {
        context.say("nothing was given up");
        return report(context, "notify-retry", &[]);
    }
    for entry in &entries {
        refuse_final(entry, "tried again")?;
        let twice = if entry.may_have_arrived { "; it may have arrived already" } else { "" };
        context.say(&format!("{}{twice}", plan_line("send", entry)));
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Send again?")?;
    let (channels, seed) = (notices::channels(context, &settings).await?, notices::seed()?);
    let mut ended = Vec::new();
    for entry in &entries {
        outbox.retry(entry.id, SystemClock.now()).await.map_err(notices::unusable)?;
        let delivered = outbox.deliver_one(entry.id, &channels, &SystemClock, seed).await;
        ended.extend(delivered.map_err(notices::unusable)?);
    }
    report(context, "notify-retry", &ended)
}

async fn drop_messages(context: &Context, args: &DropArgs) -> Result<Exit, CommandError> {
    let outbox = needed(context).await?;
    let entries = named(&outbox, &args.ids).await?;
    for entry in &entries {
        refuse_final(entry, "dropped")?;
        context.say(&plan_line("drop", entry));
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Give up for good?")?;
    for entry in &entries {
        outbox.drop(entry.id, &args.reason, SystemClock.now()).await.map_err(notices::unusable)?;
    }
    context.say(&format!("dropped {}", if entries.len() == 1 { "it" } else { "them" }));
    Ok(Exit::Done)
}

fn templates(context: &Context, args: &TemplatesArgs) -> Result<Exit, CommandError> {
    if let Some(folder) = &args.write {
        return write(context, folder);
    }
    let settings = args.config.load(context)?.settings.notify;
    akia_io::notify::load_templates(settings.templates.as_deref())
        .map_err(|error| CommandError::usage(error).next("mend the template, then look again"))?;
    let mut report = Report::new(
        "notify-templates",
        "templates",
        vec![Column::whole("template", "TEMPLATE"), Column::new("purpose", "FOR"), Column::new("from", "FROM")],
    );
    for template in TEMPLATES {
        let file = settings.templates.as_ref().map(|folder| folder.join(template.name)).filter(|path| path.is_file());
        let from = file.map_or_else(|| "akia".to_owned(), |path| path.display().to_string());
        report.push(vec![Cell::text(template.name), Cell::text(template.purpose), Cell::text(from)]);
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

fn write(context: &Context, folder: &std::path::Path) -> Result<Exit, CommandError> {
    let failed = |path: &std::path::Path, error: std::io::Error| {
        CommandError::new(Exit::Failed, format_args!("{} cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for template in TEMPLATES {
        let path = folder.join(template.name);
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(template.text.as_bytes()).map_err(|error| failed(&path, error))?;
                context.say(&format!("written {}", path.display()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                context.say(&format!("kept    {}, which is there already", path.display()));
            }
            Err(error) => return Err(failed(&path, error)),
        }
    }
    context.say(&format!("akia uses them with templates = \"{}\" under [notify] in akia.toml", folder.display()));
    Ok(Exit::Done)
}

async fn needed(context: &Context) -> Result<Outbox, CommandError> {
    notices::existing_outbox(context)
        .await?
        .ok_or_else(|| CommandError::failed("nothing was ever put into the outbox").next("akia notify test --all"))
}

async fn named(outbox: &Outbox, ids: &[i64]) -> Result<Vec<Entry>, CommandError> {
    let all = outbox.list(None).await.map_err(notices::unusable)?;
    let find = |id: &i64| {
        let found = all.iter().find(|entry| entry.id == *id).cloned();
        found.ok_or_else(|| notices::unusable(akia_io::notify::OutboxError::NoSuch { id: *id }))
    };
    ids.iter().collect::<std::collections::BTreeSet<_>>().into_iter().map(find).collect()
}

/// Before anything is changed, so that either all or nothing is.
fn refuse_final(entry: &Entry, wanted: &'static str) -> Result<(), CommandError> {
    match entry.state {
        State::Pending | State::Dead => Ok(()),
        State::Sending | State::Sent | State::Dropped => {
            Err(notices::unusable(akia_io::notify::OutboxError::WrongState {
                id: entry.id,
                state: entry.state,
                wanted,
            }))
        }
    }
}

fn plan_line(what: &str, entry: &Entry) -> String {
    let to = entry.address.as_ref().map(|address| format!(" to {address}")).unwrap_or_default();
    format!("{what}    message {}: {} through {}{to}", entry.id, entry.kind, entry.channel)
}

fn report(context: &Context, command: &'static str, ended: &[Delivered]) -> Result<Exit, CommandError> {
    let mut report = Report::new(
        command,
        "messages",
        vec![
            Column::whole("id", "ID"),
            Column::new("channel", "CHANNEL"),
            Column::whole("state", "STATE"),
            Column::new("message_id", "MESSAGE ID"),
            Column::new("detail", "DETAIL"),
        ],
    );
    for one in ended {
        let (state, tone, id, detail) = match &one.outcome {
            Outcome::Sent(receipt) => ("sent", Tone::Good, receipt.message_id.clone(), receipt.detail.clone()),
            Outcome::Later { due_at, reason } => {
                let again = if command == "notify-test" { String::new() } else { format!("; again at {due_at}") };
                ("pending", Tone::Warning, None, format!("{reason}{again}"))
            }
            Outcome::Dead { reason } => ("dead", Tone::Bad, None, reason.clone()),
            Outcome::TakenOver => ("sending", Tone::Warning, None, "another akia took it over".to_owned()),
        };
        let mut row = Row::from(vec![
            Cell::number(one.id),
            Cell::text(&one.channel),
            Cell::text(state).tone(tone),
            Cell::maybe(id),
            Cell::text(detail),
        ]);
        let receipt = match &one.outcome {
            Outcome::Sent(receipt) => Some(receipt),
            Outcome::Later { .. } | Outcome::Dead { .. } | Outcome::TakenOver => None,
        };
        row.details.insert("notice".into(), json!(one.notice));
        row.details.insert("receipt".into(), json!(receipt));
        report.push(row);
    }
    context.print_done(&report)?;
    Ok(notices::exit(ended))
}
