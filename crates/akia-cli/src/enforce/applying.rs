//! `akia enforce apply` and `akia enforce reactivate`: what was planned is done, and nothing else.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use akia_core::enforce::{Act, Case, CaseEvent, CaseRecord, Plan, Stage, Step};
use akia_core::estate::Account;
use akia_core::ids::{AccessKeyId, AccountId};
use akia_core::span;
use akia_io::enforce::{Ended, EnforceError, Enforcer, GrantedFile, PolicyNow, PolicySource, StopFile, Watch};
use akia_io::files::read_limited;
use akia_io::settings;
use akia_io::state::StateFolder;
use serde_json::json;

use super::desk::Desk;
use super::notices::Post;
use super::planning::{self, PlanFile, SCHEMA};
use super::{Agreed, agreed, agreed_or_default, all_cases, switch};
use crate::commands::enforce::{ApplyArgs, ReachArgs, ReactivateArgs};
use crate::context::{Context, Environment};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::progress::{Line, Progress};
use crate::{drive, prompt, workbench};

/// Largest plan that is read, in bytes.
const MOST_BYTES: u64 = 512 << 20;
/// The word that approves everything.
const ALL: &str = "all";

/// Runs `apply`.
pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<Exit, CommandError> {
    let agreed = agreed(context, &args.reach.config)?;
    let file = read(&args.plan)?;
    let mut plan = file.plan;
    holds(context, &plan, &agreed, &args.plan)?;
    let only: BTreeSet<&AccountId> = args.only_accounts.iter().collect();
    plan.steps.retain(|step| only.is_empty() || only.contains(&step.subject.account));
    let approved = Approved::new(&args.approve, &plan, agreed.policy.needs_approval)?;
    if args.consent.dry_run {
        context.print(&planning::steps(&plan, usize::MAX))?;
    } else {
        planning::say_steps(context, &plan);
    }
    planning::tell(context, &plan);
    approved.tell(context, &plan);
    if plan.steps.is_empty() {
        return if args.consent.dry_run { Ok(Exit::Done) } else { report(context, &[]) };
    }
    let folder = workbench::state_folder(context)?;
    switch::refuse_when_off(&folder)?;
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Carry this out?")?;
    let desk = Desk::open(context, &agreed, &args.reach).await?;
    let post = Post::open(context, &agreed.settings.notify).await?;
    let source = Source::of(context, &args.reach, &folder);
    let basis = planning::latest(context, Some(plan.evidence.audit), &|_| false).await?;
    let accounts =
        basis.map(|basis| basis.estates.into_iter().map(|estate| (estate.account.id.clone(), estate.account)));
    let accounts: HashMap<AccountId, Account> = accounts.into_iter().flatten().collect();
    let enforcer = enforcer(&desk, &source, &post, accounts);
    let (stop, signals) = drive::stop_on_signals(&Progress::new(context));
    let watcher = Watcher::new(context);
    let is_approved = |step: &Step| approved.is(step);
    let ended = enforcer.carry_out(&plan, &is_approved, &stop, &watcher).await;
    signals.abort();
    watcher.finish();
    let ended = ended.map_err(|error| stopped(&error))?;
    let exit = report(context, &ended)?;
    desk.seal(context, &agreed.settings.journal).await?;
    Ok(exit)
}

/// Runs `reactivate`.
pub(crate) async fn reactivate(context: &Context, args: &ReactivateArgs) -> Result<Exit, CommandError> {
    let folder = workbench::state_folder(context)?;
    let journal = workbench::journal(context).await?;
    let cases = all_cases(context, journal.as_ref()).await?;
    let case = find(&cases, &args.key)?;
    let opening = case.opening();
    let (user, account) = (&opening.subject.user, &opening.subject.account);
    context.say(&format!("activate  {} of {} in account {account}: {}", args.key, user.name, args.reason));
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    prompt::confirm(context, args.consent.yes, "Activate the key again?")?;
    // Bringing back needs no policy: whatever the file says, or whether there is one.
    let agreed = agreed_or_default(context, &args.reach.config)?;
    let desk = Desk::open(context, &agreed, &args.reach).await?;
    let post = Post::open(context, &agreed.settings.notify).await?;
    let source = Source::of(context, &args.reach, &folder);
    let enforcer = enforcer(&desk, &source, &post, HashMap::new());
    let watcher = Watcher::new(context);
    let ended = enforcer.reactivate(case.clone(), &args.reason, &watcher).await;
    watcher.finish();
    let ended = ended.map_err(|error| stopped(&error))?;
    let exit = report(context, std::slice::from_ref(&ended))?;
    desk.seal(context, &agreed.settings.journal).await?;
    if ended.done.contains(&Act::Reactivate) {
        context
            .say("the rules may open another case of it, with new notices; an exemption keeps it (docs/settings.md)");
        return Ok(exit);
    }
    Ok(if exit == Exit::Done { Exit::Failed } else { exit })
}

fn find<'a>(cases: &'a [Case], key: &AccessKeyId) -> Result<&'a Case, CommandError> {
    let of_key: Vec<&Case> = cases.iter().filter(|case| case.opening().subject.key == *key).collect();
    let none = |what: String| {
        CommandError::failed(what).next(format!("akia key activate {key} (any key that you may act on)"))
    };
    if let Some(case) = of_key.iter().find(|case| case.inactive_since().is_some() || case.open_act().is_some()) {
        return Ok(case);
    }
    Err(match of_key.last() {
        None => none(format!("enforcement on this machine knows no key {key}")),
        Some(case) => match case.stage() {
            Stage::Closed { why, at } => none(format!("the case of {key} is over since {at}: {}", why.as_str())),
            stage => none(format!("enforcement has not deactivated {key}: its case is {}", stage.as_str())),
        },
    })
}

fn read(path: &Path) -> Result<PlanFile, CommandError> {
    let unreadable = |why: String| {
        CommandError::failed(format_args!("the plan {} cannot be read: {why}", path.display()))
            .next("akia enforce plan -o plan.json")
    };
    let bytes = read_limited(path, MOST_BYTES).map_err(|error| unreadable(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| unreadable("there is no such file".to_owned()))?;
    let file: PlanFile = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if file.schema != SCHEMA {
        return Err(unreadable(format!("its schema is {:?}, and not {SCHEMA}", file.schema)));
    }
    Ok(file)
}

/// Whether the plan may be carried out now.
fn holds(context: &Context, plan: &Plan, agreed: &Agreed, path: &Path) -> Result<(), CommandError> {
    let again = |what: String| {
        CommandError::failed(what).next(format!("akia enforce plan -o {} (and review it)", path.display()))
    };
    let now = context.started_at;
    if now >= plan.expires_at {
        return Err(again(format!("the plan holds no more since {} (plan-age)", plan.expires_at)));
    }
    if plan.made_at > now + jiff::SignedDuration::from_mins(5) {
        return Err(again(format!("the plan is of {}, which has not come yet", plan.made_at)));
    }
    let longest = agreed.policy.plan_age;
    if plan.expires_at.duration_since(plan.made_at) > longest {
        let age = span::exact(longest);
        return Err(again(format!("the plan says that it holds for longer than plan-age ({age})")));
    }
    if plan.policy != agreed.policy.digest() {
        return Err(again(format!(
            "the policy is another one since: the plan was made under {}, now {} holds",
            plan.policy,
            agreed.policy.digest()
        )));
    }
    if !agreed.policy.is_enabled {
        return Err(CommandError::decision("enforcement is switched off: enabled is false in akia.toml")
            .now("nothing was changed"));
    }
    Ok(())
}

/// Which changes a person has said yes to by name.
enum Approved {
    /// Every one that is in the plan.
    Plan,
    /// These.
    Keys(BTreeSet<AccessKeyId>),
    /// None: the policy wants names.
    None,
}

impl Approved {
    fn new(words: &[String], plan: &Plan, is_needed: bool) -> Result<Self, CommandError> {
        if words.iter().any(|word| word == ALL) {
            return Ok(Self::Plan);
        }
        if words.is_empty() {
            return Ok(if is_needed { Self::None } else { Self::Plan });
        }
        let mut keys = BTreeSet::new();
        for word in words {
            let key: AccessKeyId =
                word.parse().map_err(|error| CommandError::usage(format_args!("--approve: {error}, nor {ALL}")))?;
            let is_planned = |step: &Step| step.kind.is_change() && step.subject.key == key;
            if !plan.steps.iter().any(is_planned) {
                return Err(CommandError::usage(format_args!("--approve {key}: the plan changes no such key")));
            }
            keys.insert(key);
        }
        Ok(Self::Keys(keys))
    }

    fn is(&self, step: &Step) -> bool {
        match self {
            Self::Plan => true,
            Self::Keys(keys) => keys.contains(&step.subject.key),
            Self::None => false,
        }
    }

    fn tell(&self, context: &Context, plan: &Plan) {
        let left = plan.steps.iter().filter(|step| step.kind.is_change() && !self.is(step)).count();
        if left > 0 {
            let keys = crate::audit::words::counted(left, "change");
            context.say(&format!("{keys} not approved, and left out: --approve KEY-ID, or --approve all"));
        }
    }
}

fn enforcer<'a>(
    desk: &'a Desk,
    policy: &'a Source,
    notifier: &'a Post,
    accounts: HashMap<AccountId, Account>,
) -> Enforcer<'a> {
    let (store, clock, seen) = (Arc::clone(&desk.store), workbench::clock(), desk.seen.as_deref());
    Enforcer { store, clock, gate: &desk.gate, accounts, policy, notifier, seen }
}

/// The settings and the switch, read anew before each act.
pub(crate) struct Source {
    config: Option<PathBuf>,
    environment: Environment,
    stop: StopFile,
    granted: GrantedFile,
}

impl Source {
    pub(crate) fn of(context: &Context, reach: &ReachArgs, folder: &StateFolder) -> Self {
        let (config, environment) = (reach.config.config.clone(), context.environment.clone());
        Self { config, environment, stop: StopFile::of(folder), granted: GrantedFile::of(folder) }
    }
}

impl PolicySource for Source {
    fn read(&self) -> Result<PolicyNow, String> {
        let variable = |name: &str| self.environment.raw(name).map(std::ffi::OsStr::to_owned);
        let loaded = settings::load(self.config.as_deref(), variable).map_err(|error| error.to_string())?;
        let mut policy = loaded.settings.enforce.ok_or("akia.toml has no [enforce] table any more")?;
        policy.exemptions.extend(self.granted.read().map_err(|error| error.to_string())?);
        let stopped = self.stop.thrown().map(|stopped| stopped.reason);
        Ok(PolicyNow { audit: loaded.settings.audit, policy, stopped })
    }
}

/// Says what is done while it is done.
struct Watcher {
    line: Line,
    said: std::sync::Mutex<Said>,
}

#[derive(Default)]
struct Said {
    looks: usize,
    notices: usize,
    changes: usize,
}

impl Watcher {
    fn new(context: &Context) -> Self {
        Self { line: Progress::new(context).line("enforce"), said: std::sync::Mutex::default() }
    }

    fn finish(&self) {
        self.line.finish(&self.words());
    }

    fn words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        format!("{} looks, {} notices of keys delivered, {} keys changed", said.looks, said.notices, said.changes)
    }
}

impl Watch for Watcher {
    fn recorded(&self, _: &Case, record: &CaseRecord) {
        {
            let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &record.event {
                CaseEvent::Looked { .. } => said.looks += 1,
                CaseEvent::NoticeDelivered { .. } => said.notices += 1,
                CaseEvent::KeyDeactivated { .. } | CaseEvent::KeyDeleted { .. } | CaseEvent::KeyActivated { .. } => {
                    said.changes += 1;
                }
                CaseEvent::Opened { .. }
                | CaseEvent::Intended { .. }
                | CaseEvent::NoticeFailed { .. }
                | CaseEvent::Refused { .. }
                | CaseEvent::Unanswered { .. } => return,
            }
        }
        self.line.step(&self.words());
    }
}

fn report(context: &Context, ended: &[Ended]) -> Result<Exit, CommandError> {
    let mut table = Report::new(
        "enforce-apply",
        "steps",
        vec![
            Column::whole("step", "STEP"),
            Column::whole("account", "ACCOUNT"),
            Column::new("user", "USER"),
            Column::whole("key", "KEY"),
            Column::new("done", "DONE"),
            Column::whole("stage", "STAGE"),
            Column::new("stopped", "NOT DONE BECAUSE"),
        ],
    );
    for one in ended {
        table.push(row(one));
    }
    context.print_done(&table)?;
    let is_partly = ended.iter().any(|one| one.stopped.is_some());
    let is_open = |one: &Ended| one.case.as_ref().and_then(Case::open_act).is_some_and(|act| act.told().is_none());
    if ended.iter().any(is_open) {
        context
            .say("next: akia enforce plan (whether a change was carried out is not known yet; the next run finds out)");
    }
    Ok(if is_partly { Exit::Partly } else { Exit::Done })
}

fn row(one: &Ended) -> Row {
    let subject = &one.step.subject;
    let done = one.done.iter().map(|act| planning::act_words(*act));
    let stage = one.case.as_ref().map(|case| {
        let tone = match case.stage() {
            Stage::Deactivated { .. } | Stage::Soaked { .. } => Tone::Warning,
            Stage::Seen | Stage::Notified { .. } | Stage::Reminded { .. } | Stage::Closed { .. } => Tone::Plain,
        };
        Cell::text(case.stage().as_str()).tone(tone)
    });
    let mut row = Row::from(vec![
        Cell::text(one.step.kind.as_str()),
        Cell::text(&subject.account),
        Cell::text(&subject.user.name),
        Cell::text(&subject.key),
        Cell::list(done),
        stage.unwrap_or_else(Cell::empty),
        Cell::maybe(one.stopped.as_ref()),
    ]);
    row.details.insert("case".into(), json!(one.step.case));
    row
}

fn stopped(error: &EnforceError) -> CommandError {
    let refusal = CommandError::new(Exit::Interrupted, error)
        .now("the run has stopped; the journal says of each key what was intended and done");
    match error {
        EnforceError::Journal(error) => refusal.next(error.hint()),
        EnforceError::Illegal { .. } => refusal.next("akia enforce status, akia history verify"),
    }
}
