//! `akia scan`: find leaked keys.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use akia_core::SnapshotId;
use akia_core::leak::{Confidence, Ignores, Leak, ScanReport};
use akia_scan::Limits;
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::args::{bytes, span};
use crate::audit;
use crate::audit::words::counted;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::scan::account::{OfAccount, Volume};
use crate::scan::hook::{self, HookArgs};
use crate::scan::sources::{self, Wanted};
use crate::scan::{self, ScanFormat, listing, words};

/// Things not looked at that are told one by one; the JSON has all.
const TOLD: usize = 10;
/// The longest baseline that is read, in bytes.
const LONGEST_BASELINE: u64 = 256 << 20;

/// Find leaked keys: in git histories, folders, archives, databases and images, on this machine, and in an AWS account
///
/// A repository means its whole history (every object, whatever leads to it) and its working tree; a folder means its files, hidden
/// and ignored ones, too; archives are looked into. Found are key ids (AKIA, ASIA, ABIA, ACCA), secrets, and Bedrock API keys, in plain
/// text and encoded. Nothing is changed, nothing is sent anywhere without
/// --verify, and no secret is shown.
///
/// Keys of AWS's documentation and canary tokens are told apart and do not count. Whatever was not looked at is told. The exit code is
/// 4 where a key was found, else 7 where something was not looked at, else 0.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, override_usage = "akia scan [OPTIONS] [PATH|URL]... [COMMAND]", after_long_help = super::examples(&[
    ("akia scan", "this folder, and its history where it is a repository"),
    ("akia scan https://example.com/team/app.git", "a repository elsewhere"),
    ("akia scan backup.tar.gz db.sqlite ~/notes", "archives, databases, folders"),
    ("akia scan --staged", "what is about to be committed (akia scan hook install)"),
    ("akia scan --since origin/main --github", "what a pull request brings, as annotations"),
    ("akia scan --write leaks.html --write leaks.sarif", "a page, and a file for code scanning"),
    ("akia scan --output json > known.json", "a baseline"),
    ("akia scan --baseline known.json", "only what is not in it"),
    ("akia scan --image disk.qcow2 --container image.tar", "disks and containers"),
    ("akia scan --on-this-machine", "processes, shell histories, and the files in which programs keep keys"),
    ("akia scan --snapshot ami-0123456789abcdef0", "the disks of an image, before it is shared"),
    ("akia scan --user-data --all-regions", "what an account holds in plain text"),
]))]
pub struct ScanArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub act: Option<ScanVerb>,

    /// Folders, files, repositories, URLs of repositories, or - for stdin (default: this folder)
    #[arg(value_name = "PATH|URL")]
    pub paths: Vec<OsString>,

    /// Look at what is staged in the repository of this folder, and nothing else
    #[arg(long, conflicts_with_all = ["paths", "since", "only"])]
    pub staged: bool,

    /// Look at what came into the history after this revision, and not at files
    #[arg(long, value_name = "REV")]
    pub since: Option<String>,

    /// Look at the files or at the history of repositories alone
    #[arg(long, value_name = "PART", value_enum)]
    pub only: Option<Only>,

    /// Look at each byte of a disk image: raw, qcow2 or vmdk (repeatable)
    #[arg(long = "image", value_name = "FILE")]
    pub images: Vec<PathBuf>,

    /// Look at a container image: `docker save`, or an OCI layout (repeatable)
    #[arg(long = "container", value_name = "FILE")]
    pub containers: Vec<PathBuf>,

    /// Look at this machine: the environment of processes, shell histories, the files in which programs keep keys
    ///
    /// Keys in ~/.aws of a home are where they belong, and do not count, unless the machine is an EC2 instance.
    #[arg(long)]
    pub on_this_machine: bool,

    /// Read the blocks of an EBS snapshot, or of all disks of an image, without mounting or starting anything (repeatable)
    ///
    /// Through the EBS direct APIs, signed as other commands are; AWS bills each block that is read (akia policy scan).
    #[arg(long = "snapshot", value_name = "SNAPSHOT|IMAGE")]
    pub snapshots: Vec<Volume>,

    /// Read only the blocks that differ from this earlier snapshot of the same volume
    #[arg(long, value_name = "SNAPSHOT", requires = "snapshots")]
    pub since_snapshot: Option<SnapshotId>,

    /// Read every place of the account where people write keys in plain text
    ///
    /// User data of instances, launch templates and launch configurations; variables of Lambda functions, ECS task definitions and
    /// CodeBuild projects; parameters that are not encrypted, of Systems Manager and of CloudFormation stacks; Elastic Beanstalk.
    #[arg(long)]
    pub user_data: bool,

    /// In all regions that the account may use, instead of the one that counts (--region)
    #[arg(long, requires = "user_data")]
    pub all_regions: bool,

    /// Ask your own account whose the keys are, whether they are active, and when they were last used
    ///
    /// Signed as other commands are; the leaked secrets are not used.
    #[arg(long)]
    pub resolve: bool,

    /// Try with AWS whether keys work whose secrets were found; canary tokens are not tried
    ///
    /// Calls sts:GetCallerIdentity with the leaked key, which changes nothing and stands in the CloudTrail of whoever owns it.
    #[arg(long)]
    pub verify: bool,

    /// Take ids, too, that AWS would not issue, as emulators and tests make them
    #[arg(long)]
    pub loose: bool,

    /// Leave out what is less sure
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Medium)]
    pub min_confidence: Level,

    /// List also keys of documentation, canary tokens, and known and hidden keys
    #[arg(long)]
    pub all: bool,

    /// Keys that are known: JSON of an earlier akia scan, or a report of gitleaks (repeatable)
    ///
    /// Of an earlier scan the key counts, wherever it stands now; another key at the same place is new. A report of gitleaks hides
    /// its places.
    #[arg(long = "baseline", value_name = "FILE")]
    pub baselines: Vec<PathBuf>,

    /// Do not heed .gitleaksignore and the comments akia:allow and gitleaks:allow
    #[arg(long)]
    pub no_ignore: bool,

    /// Write the scan to this file, too; its name says in which form (repeatable)
    ///
    /// .json, .jsonl, .csv, .sarif, .xml (JUnit), .html, .gitlab.json (gl-secret-detection-report.json), .gitleaks.json.
    #[arg(long, value_name = "FILE")]
    pub write: Vec<PathBuf>,

    /// Print annotations for GitHub Actions instead of the table
    #[arg(long, conflicts_with = "output")]
    pub github: bool,

    /// End with exit code 0 where keys were found, too
    #[arg(long)]
    pub exit_zero: bool,

    /// How far to go.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// How far to go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits; what they cut off is told")]
pub struct LimitArgs {
    /// Archives within archives: how deep
    #[arg(long, value_name = "COUNT", default_value_t = Limits::DEPTH)]
    pub max_depth: u32,

    /// The largest thing that is unpacked in memory, for example 1GB
    #[arg(long, value_name = "SIZE", value_parser = bytes::parse, default_value_t = bytes::Bytes(Limits::UNPACKED_BYTES))]
    pub max_unpacked: bytes::Bytes,

    /// All that one file may unpack to
    #[arg(long, value_name = "SIZE", value_parser = bytes::parse, default_value_t = bytes::Bytes(Limits::UNPACKED_TOTAL_BYTES))]
    pub max_unpacked_total: bytes::Bytes,

    /// Stop after this time, for example 10m (default: never)
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub timeout: Option<SignedDuration>,

    /// How many threads (default: one a processor)
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<std::num::NonZero<usize>>,
}

/// A part of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Only {
    /// The files of the working tree.
    Files,
    /// The history.
    History,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Anything of the shape of a key.
    Low,
    /// With something that speaks for it.
    Medium,
    /// An id that encodes an account, or an id and its secret.
    High,
}

impl From<Level> for Confidence {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
        }
    }
}

/// What else belongs to scanning.
#[derive(Debug, Subcommand)]
pub enum ScanVerb {
    /// Put akia into a repository as its pre-commit hook, or take it out
    #[command(after_long_help = super::examples(&[
        ("akia scan hook install", "each commit here is scanned before it is made"),
        ("akia scan hook uninstall", "no longer"),
    ]))]
    Hook(HookArgs),
}

/// Runs the command.
///
/// # Errors
/// When nothing could be looked at, or a file cannot be written.
pub(crate) fn run(context: &Context, args: ScanArgs) -> Result<Exit, CommandError> {
    match &args.act {
        Some(ScanVerb::Hook(hook)) => hook::run(context, hook),
        None => look(context, &args),
    }
}

fn look(context: &Context, args: &ScanArgs) -> Result<Exit, CommandError> {
    // A name that says no form is a mistake before a history is read for minutes.
    let writes: Vec<(&Path, ScanFormat)> =
        args.write.iter().map(|path| Ok((path.as_path(), form_of(path)?))).collect::<Result<_, CommandError>>()?;
    let mut ignores = Ignores::default();
    for path in &args.baselines {
        let text = String::from_utf8_lossy(&audit::contents(path, LONGEST_BASELINE)?).into_owned();
        ignores.add_baseline(&text).map_err(|error| {
            CommandError::usage(format_args!("{} is no baseline: {error}", path.display()))
                .next(format!("akia scan --output json > {}", path.display()))
        })?;
    }
    let began = Instant::now();
    let (mut report, pairs) = sources::scan(context, &wanted(args), &mut ignores)?;
    report.keep(args.min_confidence.into());
    if args.no_ignore {
        report.show_hidden();
    }
    ignores.apply(&mut report);
    if args.resolve {
        super::on_runtime(scan::resolve(context, &mut report))?;
    }
    if args.verify {
        super::on_runtime(scan::verify(context, &mut report, &pairs))?;
    }
    drop(pairs);
    print(context, args, &report)?;
    for (path, form) in writes {
        std::fs::write(path, scan::render(&report, context.started_at, form)).map_err(|error| {
            CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
                .now("the scan itself is printed; nothing was changed")
        })?;
        context.say(&format!("written: {}", path.display()));
    }
    tell(context, &report, began.elapsed());
    let found = words::counting(&report.leaks).next().is_some();
    Ok(if found && !args.exit_zero {
        Exit::Findings
    } else if report.coverage.is_complete() {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

fn wanted(args: &ScanArgs) -> Wanted<'_> {
    let LimitArgs { max_depth, max_unpacked, max_unpacked_total, timeout, threads } = &args.limits;
    let defaults = Limits::default();
    let limits = Limits {
        depth: *max_depth,
        unpacked_bytes: max_unpacked.0,
        unpacked_total_bytes: max_unpacked_total.0,
        deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout.unsigned_abs())),
        threads: threads.map_or(defaults.threads, std::num::NonZero::get),
    };
    let of_account = OfAccount {
        volumes: &args.snapshots,
        earlier: args.since_snapshot.as_ref(),
        user_data: args.user_data,
        all_regions: args.all_regions,
    };
    let is_named = args.staged
        || args.on_this_machine
        || of_account.is_wanted()
        || !args.images.is_empty()
        || !args.containers.is_empty();
    let here = if args.paths.is_empty() && !is_named { vec![OsString::from(".")] } else { Vec::new() };
    Wanted {
        paths: if args.paths.is_empty() { here } else { args.paths.clone() },
        staged: args.staged,
        since: args.since.as_deref(),
        files: args.since.is_none() && args.only != Some(Only::History),
        history: args.only != Some(Only::Files),
        images: &args.images,
        containers: &args.containers,
        on_this_machine: args.on_this_machine,
        of_account,
        loose: args.loose,
        heed_ignores: !args.no_ignore,
        limits,
    }
}

fn print(context: &Context, args: &ScanArgs, report: &ScanReport) -> Result<(), CommandError> {
    if args.github {
        return context.print_text(&scan::annotations(report));
    }
    match context.format() {
        Format::Json => context.print_text(&scan::render(report, context.started_at, ScanFormat::Json)),
        Format::Csv => context.print_text(&scan::render(report, context.started_at, ScanFormat::Csv)),
        Format::Table => {
            let table = listing(report, args.all, context.started_at);
            if table.rows().is_empty() { Ok(()) } else { context.print(&table) }
        }
    }
}

/// The receipt, and what to do next.
fn tell(context: &Context, report: &ScanReport, took: std::time::Duration) {
    context.say(&format!("{}, in {:.1} s", words::coverage(&report.coverage), took.as_secs_f64()));
    for one in report.coverage.skipped.iter().take(TOLD) {
        context.say(&format!("  {}", words::skipped(one)));
    }
    if let Some(more) = report.coverage.skipped.len().checked_sub(TOLD).filter(|more| *more > 0) {
        context.say(&format!("  and {more} more; --output json has all"));
    }
    let leaks: Vec<&Leak> = words::counting(&report.leaks).collect();
    let with_secret = leaks.iter().filter(|leak| leak.secret.is_some()).count();
    context.say(&match leaks.len() {
        0 => "no key was found".to_owned(),
        count => format!("{} found, {with_secret} with the secret", counted(count, "leaked key")),
    });
    let aside = words::aside(&report.leaks);
    if !aside.is_empty() {
        context.say(&format!("not counted: {aside} (--all lists them)"));
    }
    if let Some(first) = leaks.iter().find(|leak| leak.access_key_id.is_some()) {
        context.say(&format!("next: {}", words::remedy(first)));
    }
}

/// The form that a file's name says.
fn form_of(path: &Path) -> Result<ScanFormat, CommandError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ScanFormat::of_name(&name).ok_or_else(|| {
        let endings: Vec<&str> = ScanFormat::ENDINGS.iter().map(|(ending, _)| *ending).collect();
        CommandError::usage(format_args!("the name {} says no form", path.display()))
            .next(format!("end it with one of {}", endings.join(", ")))
    })
}
