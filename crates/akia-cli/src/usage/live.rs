//! `akia usage load --live`: CloudTrail's event history, for who has no trail.
//!
//! What was looked up is kept in the state folder as logs, whose names say of which account, region and time nothing is missing. So a
//! run that was killed or throttled goes on where it was, and the ordinary load reads them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use akia_core::usage::{HistoryWindow, Span};
use akia_core::{AccountId, Region};
use akia_io::aws::{AwsError, CredentialsError};
use akia_io::state::Lock;
use akia_usage::facts::{Problem, Taken};
use akia_usage::{Desk, LogFile, Narrowing, history};
use futures_util::future::join_all;
use jiff::Timestamp;

use super::open::{self, Fresh};
use crate::audit::words::counted;
use crate::commands::usage::WhichLogs;
use crate::context::Context;
use crate::error::CommandError;
use crate::progress::{Line, Progress};
use crate::signing::{self, Mfa};
use crate::workbench;

/// Pages of fifty events that are asked for before they are kept: a minute and a half of work that a kill can cost.
const PAGES: usize = 150;

/// What is to be loaded of it.
pub(super) struct Looked {
    /// The logs of days that are complete.
    pub(super) files: Vec<LogFile>,
    /// Events that were kept now.
    pub(super) events: usize,
    /// Regions that were not looked at to the end.
    pub(super) problems: Vec<Problem>,
    /// No other run looks while this one is loaded.
    _lock: Lock,
}

/// Looks up what neither the facts nor earlier runs have.
///
/// # Errors
/// When nothing can be asked, or kept.
pub(super) async fn look_up(
    context: &Context,
    desk: &Desk,
    which: &WhichLogs,
    now: Timestamp,
) -> Result<Looked, CommandError> {
    let state = workbench::state_folder(context)?;
    let lock = state.lock("usage-live").map_err(|error| {
        CommandError::failed(format_args!("another akia looks up the event history: {error}"))
            .next("let it finish, then run again")
    })?;
    let folder = state.path().join("usage/event-history");
    std::fs::create_dir_all(&folder)
        .map_err(|error| CommandError::failed(format_args!("{} cannot be made: {error}", folder.display())))?;
    let signed = signing::sign(context, &context.aws_files()?, Mfa::IfGiven).await?;
    let identity = signed.caller.caller_identity().await;
    let identity = identity.map_err(|error| signing::refused("who calls cannot be found out", &error))?;
    let account = identity.account.clone();
    if !which.accounts.is_empty() && !which.accounts.contains(&account) {
        return Err(CommandError::usage(format_args!(
            "the event history is of the caller's account, and {} is of account {account}",
            signed.describe()
        ))
        .next("name a profile of that account with --profile"));
    }
    let moment = |when: Option<crate::args::when::When>| when.map(|when| when.moment(now));
    let since = moment(which.since).unwrap_or(Timestamp::UNIX_EPOCH);
    let wanted = Span::of_history(since, moment(which.until).unwrap_or(now), now).ok_or_else(|| {
        CommandError::usage("the event history has nothing of then: it has 90 days, but for the last 15 minutes")
    })?;
    let regions = match which.regions.is_empty() {
        true => signing::trail_regions(&signed.caller, &identity, &[]),
        false => which.regions.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect(),
    };
    context.say(&format!(
        "event history of account {account} in {}, {} to {}: management events alone",
        regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", "),
        wanted.from,
        wanted.until
    ));
    let failed = |error: akia_usage::UsageError| open::failed(&error);
    let taken = desk.taken().await.map_err(failed)?;
    let kept = logs(desk, &folder, &taken).await?;
    let fresh = Fresh::of(context, signed)?;
    let progress = Progress::new(context);
    let looks = regions.iter().map(|region| {
        let job = Job {
            fresh: &fresh,
            account: &account,
            region,
            wanted,
            folder: &folder,
            line: progress.line(region.as_str()),
        };
        job.run(&taken, &kept)
    });
    let ends = join_all(looks).await;
    if let Some(End { problem: Some(problem), .. }) = ends.first()
        && ends.iter().all(|end| end.problem.is_some() && end.events == 0)
    {
        return Err(problem.told(&format!("the event history of {} cannot be looked up", regions[0])));
    }
    let complete = |window: &HistoryWindow| {
        let end = regions.iter().position(|region| *region == window.region).and_then(|at| ends.get(at));
        let is_asked = window.account == account && wanted.meets(&window.span);
        is_asked && end.is_some_and(|end| window.is_of_complete_day(&end.left))
    };
    let files =
        logs(desk, &folder, &taken).await?.into_iter().filter(|(window, _)| complete(window)).map(|(_, file)| file);
    let problem = |(region, end): (&Region, &End)| {
        let file = format!("event history of {region}");
        end.problem.as_ref().map(|problem| Problem { file, why: problem.to_string() })
    };
    Ok(Looked {
        files: files.collect(),
        events: ends.iter().map(|end| end.events).sum(),
        problems: regions.iter().zip(&ends).filter_map(problem).collect(),
        _lock: lock,
    })
}

/// The logs that earlier runs and this one have kept, but for those whose calls are in the facts from elsewhere, or in another of them:
/// the facts may have been loaded on another machine, too.
async fn logs(desk: &Desk, folder: &Path, taken: &Taken) -> Result<Vec<(HistoryWindow, LogFile)>, CommandError> {
    let place =
        folder.to_str().ok_or_else(|| CommandError::failed(format_args!("{} is not UTF-8", folder.display())))?;
    let listing = desk.list(place, &Narrowing::default()).await.map_err(|error| open::failed(&error))?;
    let (mut seen, mut logs) = (Taken::default(), Vec::new());
    for file in listing.files {
        if let Some(window) = HistoryWindow::parse(file.url.as_str())
            && !taken.has(&window)
            && !seen.has(&window)
        {
            seen.windows.push(window.clone());
            logs.push((window, file));
        }
    }
    Ok(logs)
}

/// The look at one region.
struct Job<'a> {
    fresh: &'a Fresh,
    account: &'a AccountId,
    region: &'a Region,
    wanted: Span,
    folder: &'a Path,
    line: Line,
}

/// How it ended.
struct End {
    events: usize,
    /// What was not looked up.
    left: Vec<Span>,
    problem: Option<Trouble>,
}

impl Job<'_> {
    /// Looks up all that nobody has, the latest first.
    async fn run(self, taken: &Taken, kept: &[(HistoryWindow, LogFile)]) -> End {
        let of_trail = taken.by_trail(self.account, self.region);
        let mut known = taken.of(self.account, self.region);
        for (window, _) in kept {
            if window.account == *self.account && window.region == *self.region {
                known.push(window.span);
            }
        }
        let mut end = End { events: 0, left: self.wanted.without(&known), problem: None };
        for gap in end.left.clone().into_iter().rev() {
            if let Err(problem) = self.fill(gap, &mut known, &mut end.events).await {
                end.problem = Some(problem);
                break;
            }
        }
        end.left = self.wanted.without(&known);
        let events = counted(end.events, "event");
        let by_trail = of_trail.iter().any(|span| span.meets(&self.wanted));
        let by_trail = if by_trail { "; what a trail has told was left out" } else { "" };
        self.line.finish(&match &end.problem {
            None => format!("{events} looked up{by_trail}"),
            Some(problem) => format!("{events} looked up, and not all: {problem}{by_trail}"),
        });
        end
    }

    /// Looks up one stretch of time; what is kept is noted as known.
    async fn fill(&self, gap: Span, known: &mut Vec<Span>, events: &mut usize) -> Result<(), Trouble> {
        let mut until = gap.until;
        while until > gap.from {
            let caller = self.fresh.caller().await?;
            let part = caller.event_history(self.region, gap.from, until, PAGES).await?;
            for span in (Span { from: part.from, until }).by_day().into_iter().rev() {
                let window = HistoryWindow { account: self.account.clone(), region: self.region.clone(), span };
                let is_in = |second: i64| (span.from.as_second()..span.until.as_second()).contains(&second);
                let records: Vec<&str> =
                    part.events.iter().filter(|event| is_in(event.second)).map(|event| event.record.as_str()).collect();
                *events += records.len();
                history::keep(self.folder, &window, records)
                    .map_err(|error| Trouble::Kept { folder: self.folder.to_owned(), error })?;
                known.push(span);
            }
            until = part.from;
            self.line.step(&format!("{}, back to {until}", counted(*events, "event")));
        }
        Ok(())
    }
}

/// Why a region was not looked at to the end.
enum Trouble {
    Aws(AwsError),
    Credentials(CredentialsError),
    Kept { folder: PathBuf, error: std::io::Error },
}

impl Trouble {
    fn told(&self, what: &str) -> CommandError {
        match self {
            Self::Aws(error) => signing::refused(what, error).next("akia policy usage (the rights that it takes)"),
            Self::Credentials(_) | Self::Kept { .. } => CommandError::failed(format_args!("{what}: {self}")),
        }
        .now("nothing was loaded; what was looked up before is kept")
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(to),
            Self::Credentials(error) => error.fmt(to),
            Self::Kept { folder, error } => write!(to, "{} cannot be written to: {error}", folder.display()),
        }
    }
}

impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<CredentialsError> for Trouble {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}
