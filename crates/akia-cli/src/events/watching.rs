//! `akia events watch`: takes messages off the queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use akia_core::ids::Region;
use akia_io::aws::{AwsError, Caller, QueueMessage, QueueUrl};
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::Gate;
use akia_io::events::{Intake, Taken};
use akia_io::rotate::Stop;
use akia_io::store::events::EventState;
use akia_io::store::snapshots::{SnapshotError, Snapshots};
use serde_json::json;

use super::answering::Answering;
use super::{subject, unusable};
use crate::commands::events::WatchArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::progress::Progress;
use crate::signing::{self, Mfa};
use crate::{drive, enforce, workbench};

/// How long the queue is waited at: an attempt has 15 seconds in all.
const WAIT: Duration = Duration::from_secs(10);
/// The same where the queue is to be emptied.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// Pauses after the queue could not be reached, the longest at the end.
const PAUSES: [u64; 5] = [1, 2, 5, 15, 60];
/// Events that are asked about again at the start of a run.
const MOST_AGAIN: u32 = 1_000;

pub(crate) async fn run(context: &Context, args: &WatchArgs) -> Result<Exit, CommandError> {
    if context.format() == Format::Csv {
        return Err(
            CommandError::usage("events come one by one: --output table or json").next("akia events list --output csv")
        );
    }
    let settings = args.reach.config.load(context)?.settings;
    let home = workbench::home(context)?;
    let _lock = home
        .lock("events")
        .await
        .map_err(|error| CommandError::failed(format_args!("another akia watches events: {error}")))?;
    let store = Snapshots::open(&home).await.map_err(|error| unusable(&error))?;
    let files = context.aws_files()?;
    let signed = signing::sign(context, &files, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
    let roles = settings.enforce.clone().unwrap_or_default().roles;
    let own = identity.account.clone();
    let entry = enforce::entry(identity, &args.reach, &roles, "akia-events");
    let caller = Arc::new(signed.caller);
    let source = caller.source();
    let region = args.queue.region().unwrap_or_else(|| caller.region());
    let gate = Gate::new(Arc::clone(&caller), entry, roles);
    let (stop, signals) = drive::stop_on_signals(&Progress::new(context));
    let kept = (store.clone(), source.clone());
    let answering = Answering::open(context, settings, kept, &args.reach, &gate, stop.clone()).await?;
    let intake = Intake { store: &store, source, own, looker: &gate, responder: &answering, clock: &SystemClock };
    let mut watch = Watch {
        context,
        caller: &caller,
        region,
        queue: &args.queue,
        intake,
        stop,
        open: 0,
        left: BTreeSet::new(),
        taken: 0,
    };
    let ended = watch.run(args.once, &store).await;
    signals.abort();
    ended?;
    context.say(&format!("{} taken off the queue", crate::audit::words::counted(watch.taken, "message")));
    if watch.open > 0 {
        context.say(&format!(
            "{} left on the queue or unconfirmed: akia events list --state unconfirmed",
            crate::audit::words::counted(watch.open, "event")
        ));
        return Ok(Exit::Partly);
    }
    Ok(Exit::Done)
}

struct Watch<'a> {
    context: &'a Context,
    caller: &'a Caller,
    region: Region,
    queue: &'a QueueUrl,
    intake: Intake<'a>,
    stop: Stop,
    /// Events whose effect is not whole.
    open: usize,
    /// Messages that were left on the queue.
    left: BTreeSet<String>,
    /// Messages that were taken off.
    taken: usize,
}

impl Watch<'_> {
    async fn run(&mut self, once: bool, store: &Snapshots) -> Result<(), CommandError> {
        let again = store.events(Some(EventState::Unconfirmed), MOST_AGAIN).await.map_err(|error| unusable(&error))?;
        for row in again {
            let taken = self.intake.again(row).await.map_err(|error| self.lost(&error))?;
            self.tell(&taken)?;
        }
        if !once {
            self.context.say(&format!("waiting for events on {}; Ctrl-C ends", self.queue));
        }
        let mut failures = 0;
        while !self.stop.is_pulled() {
            let wait = if once { SHORT_WAIT } else { WAIT };
            let messages = tokio::select! {
                received = self.caller.receive(&self.region, self.queue, wait) => received,
                () = self.stop.pulled() => break,
            };
            let messages = match messages {
                Ok(messages) => messages,
                Err(error) if error.is_transient() && !once => {
                    self.rest(&error, failures).await;
                    failures += 1;
                    continue;
                }
                Err(error) => return Err(no_queue(&error, self.taken)),
            };
            failures = 0;
            // What was left on the queue comes again, and would do so without end.
            let is_new = |message: &&QueueMessage| !once || !self.left.contains(&message.id);
            let messages: Vec<QueueMessage> = messages.iter().filter(is_new).cloned().collect();
            if once && messages.is_empty() {
                break;
            }
            for message in messages {
                self.take(&message).await?;
                if self.stop.is_pulled() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, message: &QueueMessage) -> Result<(), CommandError> {
        let taken = self.intake.take(&message.body).await.map_err(|error| self.lost(&error))?;
        self.tell(&taken)?;
        if let Err(why) = &taken.settled {
            self.left.insert(message.id.clone());
            self.context.say(&format!(
                "left on the queue, and taken again later (handed out {} times so far): {why}",
                message.receives
            ));
            return Ok(());
        }
        self.left.remove(&message.id);
        match self.caller.delete_message(&self.region, self.queue, &message.receipt).await {
            Ok(()) => self.taken += 1,
            // Its effect is kept: it comes again, and has none.
            Err(error) => self.context.say(&format!("a message could not be taken off, and comes again: {error}")),
        }
        Ok(())
    }

    async fn rest(&self, error: &AwsError, failures: usize) {
        let seconds = PAUSES[failures.min(PAUSES.len() - 1)];
        self.context.say(&format!("the queue cannot be reached, next try in {seconds} s: {error}"));
        tokio::select! {
            () = SystemClock.sleep(Duration::from_secs(seconds)) => {}
            () = self.stop.pulled() => {}
        }
    }

    /// A line, or an object, for one event.
    fn tell(&mut self, taken: &Taken) -> Result<(), CommandError> {
        let row = &taken.row;
        self.open += usize::from(row.state == EventState::Unconfirmed || taken.settled.is_err());
        let (user, keys) = subject(row);
        let what = row.event.as_ref().map_or("unreadable", |event| event.what.as_str());
        let account = row.event.as_ref().map(|event| &event.account);
        if self.context.format() == Format::Json {
            let line = json!({
                "schema": "akia.event/1", "id": row.id, "at": row.at, "received_at": row.received_at, "account": account,
                "what": what, "user": user, "keys": keys, "state": row.state.as_str(), "detail": row.detail,
                "is_duplicate": taken.is_duplicate, "exposures": row.exposures,
            });
            return self.context.print_text(&format!("{}\n", output::escape::json_text(&line.to_string())));
        }
        let account = account.map_or_else(|| "-".to_owned(), ToString::to_string);
        let again = if taken.is_duplicate { " (again)" } else { "" };
        let what = if row.event.is_some() { what } else { "-" };
        let about: Vec<String> = user.into_iter().chain(keys).collect();
        let about = if about.is_empty() { String::new() } else { format!("{}: ", about.join(" ")) };
        let line = format!(
            "{}  {account:<12}  {what:<15}  {:<11}  {about}{}{again}",
            row.at.strftime("%Y-%m-%d %H:%M:%SZ"),
            row.state.as_str(),
            row.detail
        );
        self.context.print_text(&format!("{}\n", output::escape::visible(&line)))
    }

    fn lost(&self, error: &SnapshotError) -> CommandError {
        let exit = if self.taken == 0 { Exit::Failed } else { Exit::Partly };
        CommandError::new(exit, unusable(error).what)
            .now("the message stays on the queue, and comes again")
            .next("see what is wrong with audits.db in the state folder, then run the same command again")
    }
}

fn no_queue(error: &AwsError, taken: usize) -> CommandError {
    let told = signing::refused("the queue cannot be read", error);
    let told = if taken == 0 { told } else { CommandError { exit: Exit::Partly, ..told } };
    match error {
        AwsError::AccessDenied { .. } => told.next("akia policy events (the rights that it needs)"),
        _ => told,
    }
}
