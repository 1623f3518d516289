//! What owners are told of their keys: from a case to an item of a notice, foreseen in a plan, and sent in a run.

use std::collections::HashMap;

use akia_core::enforce::{Evidence, Opening, Plan, StepKind, Told};
use akia_core::estate::{Account, Estate};
use akia_core::finding::Owner;
use akia_core::key::KeyStatus;
use akia_core::notice::{Destination, Next, NoticeItem, NoticeKind, digests};
use akia_core::settings::Settings;
use akia_io::enforce::{Delivered, Notifier, Telling};
use akia_io::notify::load_templates;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::CommandError;
pub(super) use crate::notices::Post;

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
        used_by: Vec::new(),
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
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
            for addressed in digests(kind_of(told), at, items, self.settings()) {
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
