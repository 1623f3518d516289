//! `akia enforce plan`: what is due, from the latest kept audit.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use akia_core::enforce::{
    Act, Case, CaseSubject, EnforcePolicy, Evidenced, Plan, PlanError, PlanInput, Step, StepKind, plan,
};
use akia_core::estate::{Amended, Estate, User};
use akia_core::ids::UserArn;
use akia_core::usage::SeenUse;
use akia_core::{AccessKeyId, LastUsed};
use akia_io::enforce::StopFile;
use akia_io::store::snapshots::Snapshots;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::notices::{self, Foreseen};
use super::{agreed, all_cases, switch};
use crate::audit::words::{counted, thousands};
use crate::commands::enforce::PlanArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{self, Cell, Column, Format, Report, Row};
use crate::workbench;

/// Rows of a table, at most: nobody reads more.
const MOST_ROWS: usize = 100;
/// The form of the file.
pub(super) const SCHEMA: &str = "akia.enforce-plan/1";

/// A plan as it is written to a file.
#[derive(Serialize, Deserialize)]
pub(super) struct PlanFile {
    /// [`SCHEMA`].
    pub(super) schema: String,
    /// The plan.
    pub(super) plan: Plan,
    /// What would be told, and whom; for whoever reviews. Notices are put together anew when they are sent.
    #[serde(default)]
    pub(super) notices: Vec<Foreseen>,
    /// What is other than the audit has read, and by which event that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) amended: Vec<Amended>,
}

/// What a plan stands on.
pub(super) struct Basis {
    pub(super) evidence: Evidenced,
    pub(super) estates: Vec<Estate>,
    /// What is other than the audit has read, by events since.
    pub(super) amended: Vec<Amended>,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    let agreed = agreed(context, &args.config)?;
    let journal = workbench::journal(context).await?;
    let cases = all_cases(context, journal.as_ref()).await?;
    let with_cases: HashSet<&UserArn> = cases.iter().map(|case| &case.opening().subject.user).collect();
    // Most users of an organisation have neither.
    let matters = |user: &User| !user.keys.is_empty() || with_cases.contains(&user.arn);
    let basis = latest(context, args.audit, &matters).await?.ok_or_else(|| {
        CommandError::failed("no audit was kept on this machine that a plan could stand on")
            .next("akia audit (one account), akia audit --org (an organisation)")
    })?;
    let stopped = workbench::existing_state_folder(context)?.and_then(|folder| StopFile::of(&folder).thrown());
    let only = args.only_accounts.iter().cloned().collect();
    let by = switch::person(context);
    let seen = seen(context, &cases, &agreed.policy).await?;
    let input = PlanInput {
        evidence: basis.evidence,
        estates: &basis.estates,
        audit: &agreed.settings.audit,
        policy: &agreed.policy,
        stopped: stopped.as_ref().map(|stopped| stopped.reason.as_str()),
        cases: &cases,
        seen: &seen,
        only_accounts: &only,
        by: &by,
        now: context.started_at,
    };
    let draw = workbench::draw()?;
    let plan = plan(&input, || draw.case()).map_err(|error| refused(&error))?;
    if let Some(stopped) = &stopped {
        context.say(&format!("enforcement is off on this machine ({}): nothing can be applied", stopped.reason));
    }
    let notices = notices::foresee(context, &plan, &basis.estates, &agreed.settings)?;
    crate::events::tell_amended(context, &basis.amended);
    let file = PlanFile { schema: SCHEMA.to_owned(), plan, notices, amended: basis.amended };
    if let Some(path) = &args.out {
        write(path, &file)?;
    }
    print(context, &file, args.out.as_deref())
}

/// Keys that would be deactivated and that loaded logs have shown in use. Where these cannot be read, AWS's word is what there is.
async fn seen(
    context: &Context,
    cases: &[Case],
    policy: &EnforcePolicy,
) -> Result<BTreeMap<AccessKeyId, SeenUse>, CommandError> {
    let mut seen = BTreeMap::new();
    let folder = workbench::existing_state_folder(context)?;
    let Some(logs) = folder.as_ref().and_then(workbench::seen_uses) else { return Ok(seen) };
    let now = context.started_at;
    let since = now.checked_sub(policy.longest_quiet()).unwrap_or(Timestamp::UNIX_EPOCH);
    let is_due = |case: &&Case| case.due().is_some_and(|(act, due)| act == Act::Deactivate && due <= now);
    for case in cases.iter().filter(is_due) {
        let key = &case.opening().subject.key;
        match logs.since(key, since).await {
            Ok(found) => seen.extend(found.map(|found| (key.clone(), found))),
            Err(error) => {
                context.say(&format!("note: the facts of akia usage could not be asked who uses {key}: {error}"));
                break;
            }
        }
    }
    Ok(seen)
}

/// The latest kept audit that has its accounts, or the one of a number; with the users that matter.
pub(super) async fn latest(
    context: &Context,
    number: Option<i64>,
    matters: &dyn Fn(&User) -> bool,
) -> Result<Option<Basis>, CommandError> {
    let Some(home) = workbench::existing_home(context)? else { return Ok(None) };
    let unreadable = |error: akia_io::store::snapshots::SnapshotError| {
        CommandError::failed(format_args!("the kept audits cannot be read: {error}"))
    };
    let Some(snapshots) = Snapshots::open_existing(home).await.map_err(unreadable)? else { return Ok(None) };
    let entries = snapshots.list().await.map_err(unreadable)?;
    let wanted = |id: i64| number.is_none_or(|number| number == id);
    let Some(entry) = entries.iter().rev().find(|entry| entry.has_details && wanted(entry.id)) else {
        return match number {
            Some(number) => {
                Err(CommandError::failed(format_args!("there is no kept audit {number} with its accounts"))
                    .next("akia audit history"))
            }
            None => Ok(None),
        };
    };
    let mut estates = Vec::with_capacity(entry.accounts_read);
    let take = |mut estate: Estate| {
        estate.users.retain(matters);
        estate.users.shrink_to_fit();
        estates.push(estate);
    };
    let amended = snapshots.estates_now(entry, take).await.map_err(unreadable)?;
    let evidence =
        Evidenced { audit: entry.id, at: entry.at, accounts: entry.accounts_read, active_keys: entry.active_keys };
    Ok(Some(Basis { evidence, estates, amended }))
}

fn refused(error: &PlanError) -> CommandError {
    let refusal = CommandError::failed(error);
    match error {
        PlanError::Stale { .. } => refusal.next("akia audit, or akia audit --org (then plan again)"),
        PlanError::FromFuture { .. } => refusal.next("set the clock of this machine right"),
    }
}

fn write(path: &Path, file: &PlanFile) -> Result<(), CommandError> {
    let unwritten = |error: &dyn std::fmt::Display| {
        CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
    };
    let mut out = BufWriter::new(File::create(path).map_err(|error| unwritten(&error))?);
    serde_json::to_writer_pretty(&mut out, file).map_err(|error| unwritten(&error))?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(|error| unwritten(&error))
}

fn print(context: &Context, file: &PlanFile, out: Option<&Path>) -> Result<Exit, CommandError> {
    let plan = &file.plan;
    if context.format() == Format::Json {
        context.print_json(file)?;
    } else {
        let rows = if context.format() == Format::Table { MOST_ROWS } else { usize::MAX };
        context.print(&steps(plan, rows))?;
        let more = plan.steps.len().saturating_sub(rows);
        if more > 0 {
            context.say(&format!("… and {} more: -o FILE, --output csv or --output json has all", thousands(more)));
        }
    }
    tell(context, plan);
    if let Some(path) = out {
        context.say(&format!("written: {}; it holds until {}", path.display(), plan.expires_at));
        context.say(&format!("next: akia enforce apply {}", path.display()));
    } else if !plan.steps.is_empty() {
        context.say("next: akia enforce plan -o plan.json, review it, akia enforce apply plan.json");
    }
    Ok(Exit::Done)
}

/// The steps as a table.
pub(super) fn steps(plan: &Plan, most: usize) -> Report {
    let mut report = Report::new(
        "enforce-plan",
        "steps",
        vec![
            Column::whole("step", "STEP"),
            Column::whole("account", "ACCOUNT"),
            Column::new("user", "USER"),
            Column::whole("key", "KEY"),
            Column::new("why", "WHY"),
            Column::new("last_used", "LAST USED"),
            Column::new("owner", "OWNER"),
            Column::new("then", "THEN"),
        ],
    );
    for step in plan.steps.iter().take(most) {
        report.push(row(step, plan));
    }
    report
}

/// The steps as lines on stderr: what is done stands on stdout.
pub(super) fn say_steps(context: &Context, plan: &Plan) {
    for step in plan.steps.iter().take(MOST_ROWS) {
        let CaseSubject { account, user, key, .. } = &step.subject;
        let why: Vec<&str> = step.evidence.broken.iter().map(|(_, detail)| detail.as_str()).collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
        context.say(&format!("{:<10}  {key} of {} in {account}{why}", step.kind.as_str(), user.name));
    }
    let more = plan.steps.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        context.say(&format!("… and {} more: --dry-run shows all", thousands(more)));
    }
}

fn row(step: &Step, plan: &Plan) -> Row {
    let why = step.evidence.broken.iter().map(|(rule, detail)| format!("{rule}: {detail}"));
    let account = step.account_name.as_ref().map(|name| format!("{} ({name})", step.subject.account));
    let mut row = Row::from(vec![
        Cell::text(step.kind.as_str()),
        Cell::text(&step.subject.account).shown_as(account.unwrap_or_else(|| step.subject.account.to_string())),
        Cell::text(&step.subject.user.name),
        Cell::text(&step.subject.key),
        Cell::list(why),
        Cell::text(last_used(&step.evidence.last_used, plan)),
        Cell::maybe(step.owner.as_ref().map(|owner| &owner.name)),
        Cell::maybe(step.then.map(|(act, at)| format!("{} from {}", act.as_str(), at.strftime("%Y-%m-%d")))),
    ]);
    row.details.insert("case".into(), serde_json::json!(step.case));
    row
}

fn last_used(last_used: &LastUsed, plan: &Plan) -> String {
    match last_used {
        LastUsed::Never => "never".to_owned(),
        LastUsed::At { at, service, region } => {
            format!("{} ago, {service} in {region}", output::age::between(*at, plan.made_at))
        }
        LastUsed::Unknown { .. } => "not known".to_owned(),
    }
}

/// What is planned, in a few words.
pub(super) fn tell(context: &Context, plan: &Plan) {
    let evidence = &plan.evidence;
    let at = evidence.at.strftime("%Y-%m-%d %H:%M UTC");
    context.say(&format!(
        "stands on audit {} of {at}: {}, {} active keys; policy {}",
        evidence.audit,
        counted(evidence.accounts, "account"),
        thousands(evidence.active_keys),
        plan.policy
    ));
    let mut counts: BTreeMap<StepKind, usize> = BTreeMap::new();
    for step in &plan.steps {
        *counts.entry(step.kind).or_default() += 1;
    }
    let words = |kind: &StepKind, count: usize| match kind {
        StepKind::Check => format!("{} only looked at", counted(count, "key")),
        StepKind::Announce => format!("{} announced", counted(count, "key")),
        StepKind::Remind => format!("{} reminded of", counted(count, "key")),
        StepKind::TellDeactivated => format!("{} told of", counted(count, "deactivated key")),
        StepKind::Deactivate => format!("{} DEACTIVATED", counted(count, "key")),
        StepKind::Delete => format!("{} DELETED", counted(count, "key")),
    };
    let said: Vec<String> = counts.iter().map(|(kind, count)| words(kind, *count)).collect();
    let waiting = counted(plan.waiting, "key");
    context.say(&match said.is_empty() {
        true => format!("nothing is due; {waiting} not due yet"),
        false => format!("{}; {waiting} not due yet", said.join(", ")),
    });
    tell_held(context, plan);
}

fn tell_held(context: &Context, plan: &Plan) {
    const SHOWN: usize = 10;
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for held in &plan.held {
        let name = held.key.as_ref().map(ToString::to_string).or_else(|| held.user.as_ref().map(ToString::to_string));
        reasons.entry(&held.why).or_default().push(name.unwrap_or_else(|| held.account.to_string()));
    }
    let all = reasons.len();
    for (why, keys) in reasons.into_iter().take(SHOWN) {
        let first = keys.first().cloned().unwrap_or_default();
        let more = if keys.len() > 1 { format!(" and {} more", thousands(keys.len() - 1)) } else { String::new() };
        context.say(&format!("held    {first}{more}: {why}"));
    }
    if all > SHOWN {
        context.say(&format!("… and {} more reasons: -o FILE has all", all - SHOWN));
    }
}

/// What comes after an act, in words.
pub(super) fn act_words(act: Act) -> &'static str {
    match act {
        Act::Announce => "announced",
        Act::Remind => "reminded",
        Act::Deactivate => "deactivated",
        Act::TellDeactivated => "owner told",
        Act::Delete => "deleted",
        Act::Reactivate => "activated again",
    }
}
