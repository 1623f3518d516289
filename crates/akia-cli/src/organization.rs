//! The accounts of an organisation: which are meant, how they are entered, and how far the reading is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use akia_core::audit::Unread;
use akia_core::estate::{Earlier, Estate};
use akia_core::{AccountId, Partition};
use akia_io::audit::Reading;
use akia_io::aws::Aws;
use akia_io::organization::{ChooseError, Chosen, Doors, Entry, Memory, Scope, Watch, choose, many_accounts, read};
use akia_io::run_file::RunFile;
use clap::Args;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::audit::asked::{Access, Asked};
use crate::audit::past::{self, Past};
use crate::audit::words::{counted, thousands};
use crate::context::Context;
use crate::error::CommandError;
use crate::progress::{Line, Progress, is_told};
use crate::signing::{self, Mfa, Signed};
use crate::workbench;

/// The role's name where none is given.
pub const ROLE_NAME: &str = "AkiaAudit";
/// How often the progress moves on a terminal.
const MOVE: Duration = Duration::from_millis(150);
/// How often it is told where there is no terminal.
const TOLD: usize = 10;

/// The accounts of an organisation.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Organisation")]
pub struct OrganizationArgs {
    /// All accounts of the organisation, each through a role
    ///
    /// The profile must be of the management account, or of one that may list the accounts by delegation. Its own account is
    /// read without a role. A run that was killed goes on where it was when it is started again within four hours.
    #[arg(long)]
    pub org: bool,

    /// Only accounts in this unit and those below it: its id, name, or path such as workloads/production (repeatable)
    #[arg(long = "ou", value_name = "UNIT", requires = "org")]
    pub units: Vec<String>,

    /// Only these accounts (repeatable, or separated by commas)
    #[arg(long, value_name = "ID", value_delimiter = ',', requires = "org")]
    pub accounts: Vec<AccountId>,

    /// All accounts but these (repeatable, or separated by commas)
    #[arg(long, value_name = "ID", value_delimiter = ',', requires = "org")]
    pub exclude: Vec<AccountId>,

    /// Name of the role in each account, with its path where it has one [default: AkiaAudit]
    #[arg(long, value_name = "NAME", requires = "org", value_parser = role_name)]
    pub role_name: Option<String>,

    /// External id that the trust policies of the roles ask for
    #[arg(long, value_name = "ID", requires = "org")]
    pub external_id: Option<String>,

    /// Read the tags of the accounts, which may say whose keys are: a call for each account
    #[arg(long, requires = "org")]
    pub account_tags: bool,

    /// Begin anew, although an earlier run was killed
    #[arg(long, requires = "org")]
    pub fresh: bool,
}

/// The caller that looks at the organisation, its accounts, and how they are entered.
pub struct Hub {
    /// Signs.
    pub signed: Signed,
    /// Which accounts.
    pub chosen: Chosen,
    /// How they are entered.
    pub entry: Entry,
}

impl Hub {
    /// Finds out who calls, and which accounts there are.
    ///
    /// # Errors
    /// When there are no credentials, or the organisation cannot be looked at.
    pub async fn open(context: &Context, args: &OrganizationArgs, with_units: bool) -> Result<Self, CommandError> {
        let files = context.aws_files()?;
        let aws = Aws::new(many_accounts(context.aws_options()?));
        let signed = signing::sign_as(context, &files, Mfa::IfGiven, aws, context.profile()?).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
        let scope = Scope {
            units: args.units.clone(),
            accounts: args.accounts.iter().cloned().collect(),
            excluded: args.exclude.iter().cloned().collect(),
            with_units,
            with_tags: args.account_tags,
        };
        let chosen = choose(&signed.caller, &scope).await.map_err(|error| refused(&error))?;
        let entry = Entry {
            partition: identity.partition().unwrap_or(Partition::Aws),
            own: identity.account,
            caller_arn: identity.arn,
            role_name: args.role_name.clone().unwrap_or_else(|| ROLE_NAME.to_owned()),
            external_id: args.external_id.clone(),
            session: akia_io::organization::session_name("akia-audit"),
        };
        Ok(Self { signed, chosen, entry })
    }
}

/// Reads the accounts that are meant.
///
/// # Errors
/// When the organisation cannot be looked at, or no account is left.
pub(crate) async fn ask(
    context: &Context,
    args: &OrganizationArgs,
    with_units: bool,
    past: &Past,
) -> Result<Asked, CommandError> {
    let mut hub = Hub::open(context, args, with_units).await?;
    let Chosen { mut accounts, skipped } = std::mem::take(&mut hub.chosen);
    if accounts.is_empty() {
        return Err(CommandError::failed("no account is left to look at")
            .now("nothing was read")
            .next("look at --ou, --accounts and --exclude"));
    }
    let selection = selection(args, &hub.entry, &hub.signed.caller.sources());
    let scope = past::Scope { source: hub.signed.caller.source(), organization: Some(selection.clone()) };
    let mut collected = Collected {
        accounts: Asked { skipped, ..Asked::of(scope) },
        run: None,
        aws: hub.signed.caller.aws().clone(),
        line: Progress::new(context).line("accounts"),
        is_terminal: context.terminal.stderr,
        of: accounts.len(),
        asked: 0,
        done: 0,
        begun: Instant::now(),
        collecting_since: None,
        moved: None,
    };
    collected.run = take_up(context, &selection, args.fresh, &mut collected.accounts.estates);
    let meant: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
    collected.accounts.estates.retain(|estate| meant.contains(&estate.account.id));
    let done: BTreeSet<AccountId> = collected.accounts.estates.iter().map(|estate| estate.account.id.clone()).collect();
    accounts.retain(|account| !done.contains(&account.id));
    collected.of = accounts.len();
    let session = hub.entry.session.clone();
    let doors = Doors::new(&hub.signed.caller, &hub.entry);
    let memory = Remembered { past, source: collected.accounts.scope.source.clone() };
    read(&doors, accounts, &memory, &mut collected).await;
    collected.line.finish(&collected.summary());
    context.say(&format!("the sessions are named {session} in CloudTrail"));
    if doors.is_identity_refused() {
        context.say("without a source identity: a role's trust policy does not allow sts:SetSourceIdentity");
    }
    if let Some(run) = collected.run.take()
        && let Err(error) = run.end()
    {
        context.say(&format!("the progress of the run could not be kept: {error}"));
    }
    collected.accounts.unread.sort_by(|a, b| a.account.id.cmp(&b.account.id));
    collected.accounts.access = Access::Organization(Box::new(hub));
    Ok(collected.accounts)
}

/// What must be the same for a run to be gone on with. The settings of the rules need not: accounts are judged anew.
fn selection(args: &OrganizationArgs, entry: &Entry, sources: &[String]) -> String {
    format!(
        "{:?}",
        (
            &entry.own,
            entry.partition,
            &entry.role_name,
            &entry.external_id,
            (&args.units, &args.accounts, &args.exclude, args.account_tags),
            sources,
        )
    )
}

/// The file of this run, and what an earlier one has left. Without a file the run goes on, and cannot be taken up.
fn take_up(context: &Context, selection: &str, fresh: bool, estates: &mut Vec<Estate>) -> Option<RunFile> {
    let mut begun: Option<Timestamp> = None;
    let opened = workbench::state_folder(context).map_err(|error| error.what).and_then(|state| {
        let now = context.started_at;
        let take = |at, estate| {
            begun = Some(at);
            estates.push(estate);
        };
        RunFile::open(&state, selection, now, fresh, take).map_err(|error| error.to_string())
    });
    if let Some(begun) = begun {
        let count = counted(estates.len(), "account");
        let at = begun.strftime("%Y-%m-%d %H:%M UTC");
        context.say(&format!("going on with the run of {at}: {count} read already (--fresh begins anew)"));
    }
    opened.map_err(|reason| context.say(&format!("this run cannot be gone on with when it is killed: {reason}"))).ok()
}

/// Earlier audits of the same organisation's accounts.
struct Remembered<'a> {
    past: &'a Past,
    source: String,
}

impl Memory for Remembered<'_> {
    fn earlier<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Option<Earlier>> {
        Box::pin(self.past.earlier(&self.source, account))
    }
}

/// What comes in, and how far it is.
struct Collected {
    accounts: Asked,
    run: Option<RunFile>,
    aws: Aws,
    line: Line,
    is_terminal: bool,
    of: usize,
    asked: usize,
    done: usize,
    begun: Instant,
    /// When the first report was collected.
    collecting_since: Option<Instant>,
    moved: Option<Instant>,
}

impl Collected {
    fn step(&mut self, count: usize) {
        let is_due = if self.is_terminal {
            self.moved.is_none_or(|at| at.elapsed() > MOVE)
        } else {
            is_told(count, self.of, TOLD)
        };
        if !is_due {
            return;
        }
        self.moved = Some(Instant::now());
        let calls = self.calls();
        let of = thousands(self.of);
        if self.asked < self.of {
            let asked = thousands(self.asked);
            self.line.step(&format!("reports asked for in {asked} of {of}; {calls}"));
        } else {
            let done = thousands(self.done);
            self.line.step(&format!("{done} of {of} read; {calls}{}", self.rest()));
        }
    }

    fn calls(&self) -> String {
        let calls = self.aws.calls();
        let number = |count: u64| thousands(usize::try_from(count).unwrap_or(usize::MAX));
        format!("{} calls, {} throttled", number(calls.total), number(calls.throttled))
    }

    /// How long it will take, once that can be told.
    fn rest(&self) -> String {
        let left = u32::try_from(self.of - self.done).unwrap_or(u32::MAX);
        let (Some(since), true) = (self.collecting_since, left > 0) else { return String::new() };
        let done = u32::try_from(self.done).unwrap_or(u32::MAX);
        let rest = since.elapsed().saturating_mul(left) / done.max(1);
        format!("; {} s to go", rest.as_secs() + 1)
    }

    fn summary(&self) -> String {
        let read = self.done - self.accounts.unread.len();
        let seconds = self.begun.elapsed().as_secs_f64();
        format!("{} of {} read in {seconds:.1} s; {}", thousands(read), thousands(self.of), self.calls())
    }
}

impl Watch for Collected {
    fn asked(&mut self) {
        self.asked += 1;
        self.step(self.asked);
    }

    fn done(&mut self, result: Result<Reading, Unread>) {
        self.done += 1;
        if let Ok(reading) = &result {
            self.collecting_since.get_or_insert_with(Instant::now);
            if let Some(run) = &self.run {
                run.finished(&reading.estate);
            }
        }
        self.accounts.add(result);
        if self.asked == self.of {
            self.step(self.done);
        }
    }
}

fn refused(error: &ChooseError) -> CommandError {
    match error {
        ChooseError::Aws(error) => signing::refused("the accounts of the organisation cannot be listed", error)
            .now("nothing was read")
            .next("use a profile of the management account, or of one that may list the accounts by delegation"),
        ChooseError::NoSuchUnit { .. }
        | ChooseError::SeveralUnits { .. }
        | ChooseError::NoSuchAccount { .. }
        | ChooseError::TooManyUnits => CommandError::failed(error).now("nothing was read"),
    }
}

/// A role's name, with its path where it has one.
pub(crate) fn role_name(text: &str) -> Result<String, String> {
    let name = text.trim_matches('/');
    let fits = |part: &str| {
        !part.is_empty() && part.len() <= 64 && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
    };
    if name.split('/').all(fits) { Ok(name.to_owned()) } else { Err("it is not the name of a role".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_not_gone_on_with_where_any_service_is_asked_elsewhere() {
        let entry = Entry {
            own: "111122223333".parse().unwrap(),
            caller_arn: "arn:aws:iam::111122223333:user/ann".to_owned(),
            partition: Partition::Aws,
            role_name: ROLE_NAME.to_owned(),
            external_id: None,
            session: "one".to_owned(),
        };
        let of = |sources: [&str; 3], entry: &Entry| {
            selection(&OrganizationArgs::default(), entry, &sources.map(str::to_owned))
        };
        let aws = of(["aws", "aws", "aws"], &entry);
        for elsewhere in [["x", "aws", "aws"], ["aws", "x", "aws"], ["aws", "aws", "x"]] {
            assert_ne!(of(elsewhere, &entry), aws, "{elsewhere:?}");
        }
        let later = Entry { session: "another".to_owned(), ..entry };
        assert_eq!(of(["aws", "aws", "aws"], &later), aws, "each run has a session of its own");
    }
}
