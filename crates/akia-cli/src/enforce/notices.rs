//! What owners are told of their keys: from a case to an item of a notice, foreseen in a plan, and sent in a run.

use std::collections::HashMap;
use std::time::Duration;

use akia_core::enforce::{Evidence, Opening, Plan, Proof, StepKind, Told};
use akia_core::estate::{Account, Estate};
use akia_core::finding::Owner;
use akia_core::key::KeyStatus;
use akia_core::notice::{Addressed, Destination, Next, Notice, NoticeItem, NoticeKind, digests};
use akia_core::settings::{NotifySettings, Settings};
use akia_io::clock::{Clock as _, SystemClock};
use akia_io::enforce::{Delivered, Notifier, Telling};
use akia_io::notify::{Channels, Outbox, OutboxError, Outcome, Receipt, load_templates};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::CommandError;

/// Between the tries of one run.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::ZERO];

/// A notice that a plan foresees.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Foreseen {
    /// What it is about.
    kind: NoticeKind,
    /// Whom it is for.
    owner: Option<Owner>,
    /// Where it goes.
    to: Vec<Destination>,
    /// Its subject.
    subject: String,
    /// Its text.
    text: String,
}

/// The notices of a plan, as they would be sent now.
pub(super) fn foresee(
    context: &Context,
    plan: &Plan,
    estates: &[Estate],
    settings: &Settings,
) -> Result<Vec<Foreseen>, CommandError> {
    let renderer = load_templates(settings.notify.templates.as_deref());
    let renderer = renderer.map_err(|error| CommandError::usage(error).next("akia notify templates"))?;
    let accounts: HashMap<_, _> = estates.iter().map(|estate| (&estate.account.id, estate)).collect();
    let mut foreseen = Vec::new();
    for told in [Told::Announced, Told::Reminded, Told::Deactivated] {
        let steps = plan.steps.iter().filter(|step| told_by(step.kind) == Some(told));
        let items = steps.map(|step| {
            let estate = accounts.get(&step.subject.account);
            let user = estate.and_then(|estate| estate.users.iter().find(|user| user.arn == step.subject.user));
            let tags = user.and_then(|user| user.details.told()).map(|details| details.tags.clone());
            let opening = step.opening(plan, &plan.by);
            let deadline = step.then.map(|(_, at)| at);
            let account = estate.map(|estate| &estate.account);
            (step.owner.clone(), item(told, &opening, &step.evidence, tags.unwrap_or_default(), account, deadline))
        });
        for addressed in digests(kind_of(told), plan.made_at, items, &settings.notify) {
            let help = settings.notify.exemption_help.as_deref();
            let written = renderer.preview(&addressed.notice, help, plan.made_at);
            let (subject, text) =
                written.map_err(|error| CommandError::failed(format_args!("a notice cannot be written: {error}")))?;
            foreseen.push(Foreseen {
                kind: addressed.notice.kind,
                owner: addressed.notice.owner,
                to: addressed.to,
                subject,
                text,
            });
        }
    }
    let silent: usize = foreseen.iter().filter(|notice| notice.to.is_empty()).count();
    if silent > 0 {
        let notices = crate::audit::words::counted(silent, "notice");
        context.say(&format!(
            "{notices} would go nowhere: [notify] has no channel for them, and their keys stay as they are"
        ));
    }
    Ok(foreseen)
}

/// What a step tells its owner.
fn told_by(kind: StepKind) -> Option<Told> {
    match kind {
        StepKind::Announce => Some(Told::Announced),
        StepKind::Remind => Some(Told::Reminded),
        StepKind::Deactivate | StepKind::TellDeactivated => Some(Told::Deactivated),
        StepKind::Delete | StepKind::Check => None,
    }
}

fn kind_of(told: Told) -> NoticeKind {
    match told {
        Told::Announced => NoticeKind::Announced,
        Told::Reminded => NoticeKind::Reminded,
        Told::Deactivated => NoticeKind::Deactivated,
    }
}

/// A key as its owner is told of it.
fn item(
    told: Told,
    opening: &Opening,
    evidence: &Evidence,
    tags: std::collections::BTreeMap<String, String>,
    account: Option<&Account>,
    deadline: Option<Timestamp>,
) -> NoticeItem {
    let subject = &opening.subject;
    let (status, next) = match told {
        Told::Announced | Told::Reminded => (evidence.status, Next::Deactivate),
        Told::Deactivated => (KeyStatus::Inactive, if deadline.is_some() { Next::Delete } else { Next::Nothing }),
    };
    // What mends it, or brings the key back, with the owner's own rights.
    let user = subject.user.name.as_str();
    let key = subject.key.as_str();
    let is_too_old = evidence.broken.iter().any(|(rule, _)| rule == "key-age");
    let command: &[&str] = match told {
        Told::Announced | Told::Reminded if is_too_old => &["akia", "rotate", "--user", user],
        Told::Announced | Told::Reminded => &["akia", "key", "deactivate", key, "--user", user],
        Told::Deactivated => &["akia", "key", "activate", key, "--user", user],
    };
    let mut all_tags = account.map(|account| account.tags.clone()).unwrap_or_default();
    all_tags.extend(tags);
    NoticeItem {
        case: opening.case.to_string(),
        account: subject.account.clone(),
        account_name: opening.account_name.clone(),
        units: account.map(|account| account.units.clone()).unwrap_or_default(),
        tags: all_tags,
        user: subject.user.clone(),
        key: subject.key.clone(),
        status,
        created_at: subject.key_created_at,
        last_used: evidence.last_used.clone(),
        rules: evidence.broken.iter().map(|(rule, _)| rule.clone()).collect(),
        deadline,
        next,
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
    }
}

/// Sends notices through the outbox.
pub(super) struct Post {
    channels: Channels,
    outbox: Outbox,
    settings: NotifySettings,
    seed: u64,
}

impl Post {
    /// Makes the channels of the settings ready.
    ///
    /// # Errors
    /// When a template or the outbox cannot be used.
    pub(super) async fn open(context: &Context, settings: &NotifySettings) -> Result<Self, CommandError> {
        Ok(Self {
            channels: crate::notices::channels(context, settings).await?,
            outbox: crate::notices::outbox(context).await?,
            settings: settings.clone(),
            seed: crate::notices::seed()?,
        })
    }

    /// Delivers a notice on every channel that it is meant for.
    async fn deliver(&self, addressed: &Addressed) -> Result<Delivered, String> {
        if addressed.to.is_empty() {
            return Err("[notify] has no channel for it".to_owned());
        }
        let mut proofs = Vec::with_capacity(addressed.to.len());
        for to in &addressed.to {
            let receipt = self.send(&addressed.notice, to).await.map_err(|why| format!("{}: {why}", to.channel))?;
            let id = receipt.message_id.map_or_else(String::new, |id| format!(" {id}"));
            let receipt_words = format!("{}{id}", receipt.detail);
            proofs.push(Proof { channel: to.channel.clone(), receipt: receipt_words, at: receipt.at });
        }
        Ok(Delivered { notice: addressed.notice.id.to_string(), proofs })
    }

    /// Through one channel: some tries, and no more in this run. What did not go out is dropped, for the next run puts it
    /// together anew, with what is true then.
    async fn send(&self, notice: &Notice, to: &Destination) -> Result<Receipt, String> {
        let words = |error: OutboxError| error.to_string();
        let clock = SystemClock;
        let id = self.outbox.enqueue(notice, to, clock.now()).await.map_err(words)?;
        let mut why = String::new();
        for pause in PAUSES {
            let Some(delivered) =
                self.outbox.deliver_one(id, &self.channels, &clock, self.seed).await.map_err(words)?
            else {
                break;
            };
            match delivered.outcome {
                Outcome::Sent(receipt) => return Ok(receipt),
                Outcome::Later { reason, .. } => {
                    why = reason;
                    clock.sleep(pause).await;
                }
                Outcome::Dead { reason } => return Err(reason),
                Outcome::TakenOver => return Err("another process sends it".to_owned()),
            }
        }
        // Sent by an earlier run that could not write it down.
        if let Some(receipt) = self.outbox.receipt(&notice.id, &to.channel).await.map_err(words)? {
            return Ok(receipt);
        }
        let dropped = self.outbox.drop(id, "the next run puts it together anew", clock.now()).await;
        dropped.map_err(words)?;
        Err(why)
    }
}

impl Notifier for Post {
    fn tell<'a>(
        &'a self,
        told: Told,
        at: Timestamp,
        keys: &'a [Telling],
    ) -> BoxFuture<'a, Vec<Result<Delivered, String>>> {
        Box::pin(async move {
            let items = keys.iter().map(|key| {
                let tags = key.tags.clone();
                let item = item(told, &key.opening, &key.evidence, tags, key.account.as_ref(), key.deadline);
                (key.opening.owner.clone(), item)
            });
            let mut outcomes: HashMap<String, Result<Delivered, String>> = HashMap::new();
            for addressed in digests(kind_of(told), at, items, &self.settings) {
                let outcome = self.deliver(&addressed).await;
                let cases = addressed.notice.items.iter().map(|item| item.case.clone());
                outcomes.extend(cases.map(|case| (case, outcome.clone())));
            }
            let of_key = |key: &Telling| outcomes.remove(key.opening.case.as_str());
            keys.iter()
                .map(of_key)
                .map(|outcome| outcome.unwrap_or_else(|| Err("it was left out".to_owned())))
                .collect()
        })
    }
}
