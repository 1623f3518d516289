//! `akia status`: what every profile holds and what is due.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::ProfileName;
use akia_core::cheatsheet::{Connection, Operation, quote};
use akia_core::inventory::{Answer, Due, FailureKind, Holding, Inventory, Weight};
use akia_core::profile::{Profile, Trouble};
use akia_io::aws::Aws;
use akia_io::inventory::{Inquiry, endpoint_of, impatient};
use akia_io::profiles::AwsFiles;
use clap::Args;
use jiff::SignedDuration;
use serde_json::json;

use crate::args::span;
use crate::context::{Context, Selection};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::holdings;
use crate::output::{Format, age};
use crate::rotations::Known;
use crate::{aws_cli, workbench};

/// Show every profile: kind, account, user, key, age, last use, and what is due
///
/// Reads both AWS files and asks AWS about each key, all at once. No role is assumed, no program is run and no
/// question is asked; --mfa-code opens a session where a profile names its device. Asking is a use of the key: its
/// next "last used" is this one, by sts or iam. Without network, or with --offline, account ids are decoded from the
/// key ids and ages are unknown. With --profile, only the named profiles are shown.
///
/// The exit code is 0 when every key could be asked about, or AWS could not be reached at all, and 3 when some could
/// not. What is due does not change it.
#[derive(Debug, Args)]
#[command(after_long_help = super::examples(&[
    ("akia status", "all profiles"),
    ("akia status -p work -p private", "two of them"),
    ("akia status --max-age 30d --output json", "for a script, with a stricter limit"),
    ("akia status --offline", "without asking AWS"),
]))]
pub struct StatusArgs {
    /// Age from which a key is due, for example 90d, 12w
    #[arg(long, value_name = "AGE", value_parser = span::parse, default_value = "90d")]
    pub max_age: SignedDuration,

    /// Do not ask AWS; tell what the files tell
    #[arg(long)]
    pub offline: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, or there is no such profile.
pub(crate) async fn run(context: &Context, args: StatusArgs) -> Result<Exit, CommandError> {
    let files = context.aws_files()?;
    let selected = selected(context, &files)?;
    let (rotations, journal_error) = match Known::of_journal(context).await {
        Ok(known) => known.shown(),
        Err(error) => (Vec::new(), Some(error)),
    };
    let answers = if args.offline { BTreeMap::new() } else { ask(context, &files, &selected).await? };
    let inventory = Inventory {
        profiles: files.profiles(),
        answers: &answers,
        rotations: &rotations,
        max_age: args.max_age,
        now: context.started_at,
    };
    let holdings: Vec<Holding<'_>> = selected.iter().map(|profile| inventory.holding(profile)).collect();
    let elsewhere = if context.globals.profiles.is_empty() { inventory.elsewhere() } else { Vec::new() };
    let unreached = unreached(context, &files, &holdings);
    let is_offline = args.offline || (!answers.is_empty() && answers.values().all(is_unreachable));

    let mut report = holdings::report(&holdings, context.format(), context.terminal.width, context.started_at);
    report.fact("at", context.started_at.to_string());
    report.fact("max_age", age::exact(args.max_age));
    report.fact("offline", is_offline);
    report.fact("unreached", json!(unreached));
    let other: Vec<_> = elsewhere.iter().map(|due| json!({ "code": due.code(), "words": due.to_string() })).collect();
    report.fact("other_rotations", json!(other));
    context.print(&report)?;

    if context.globals.show_aws_cli {
        tell_aws_cli(context, &holdings);
    }
    tell_problems(context, &files, &holdings);
    tell_failures(context, &holdings);
    if args.offline && !holdings.is_empty() {
        context.say("offline: AWS was not asked; account ids are decoded from the key ids, ages are unknown");
    } else if !unreached.is_empty() {
        context.say(&format!(
            "AWS could not be reached ({}): account ids are decoded from the key ids, ages are unknown",
            unreached.join(", ")
        ));
    }
    for due in &elsewhere {
        context.say(&format!("note: {due}; no profile here holds its keys"));
    }
    if context.format() == Format::Table {
        tell_next(context, &files, &holdings, &elsewhere);
    }
    if let Some(error) = &journal_error {
        context.say(&format!("note: unfinished rotations are not shown: {}", error.what));
    }
    let some_unasked = !is_offline && holdings.iter().any(|holding| holding.failure.is_some());
    Ok(if some_unasked || journal_error.is_some() { Exit::Partly } else { Exit::Done })
}

/// The profiles to show: those named, else all.
fn selected<'a>(context: &Context, files: &'a AwsFiles) -> Result<Vec<&'a Profile>, CommandError> {
    if context.globals.profiles.is_empty() {
        return Ok(files.profiles().iter().collect());
    }
    let Selection::Named(names) = context.selection(false)? else { return Ok(Vec::new()) };
    names.iter().map(|name| files.profiles().find(name).ok_or_else(|| no_such_profile(files, name))).collect()
}

fn no_such_profile(files: &AwsFiles, name: &ProfileName) -> CommandError {
    let error = CommandError::failed(format_args!("there is no profile \"{name}\" in {}", files.searched()));
    let similar = files.similar(name);
    if similar.is_empty() {
        let next =
            if files.profiles().is_empty() { vec!["akia", "setup", name.as_str()] } else { vec!["akia", "status"] };
        return error.next(command_line(next));
    }
    similar.into_iter().fold(error, |error, name| error.next(command_line(["akia", "status", "-p", name.as_str()])))
}

async fn ask(
    context: &Context,
    files: &AwsFiles,
    profiles: &[&Profile],
) -> Result<BTreeMap<ProfileName, Answer>, CommandError> {
    let aws = Aws::new(impatient(context.aws_options()?));
    let wallet = workbench::wallet(context, files)?;
    let with_mfa = context.globals.mfa_code.is_some();
    Ok(Inquiry { aws: &aws, files, wallet: &wallet, with_mfa }.ask(profiles).await)
}

fn is_unreachable(answer: &Answer) -> bool {
    answer.as_ref().is_err_and(|failure| failure.kind == FailureKind::Unreachable)
}

/// The hosts that nothing came back from.
fn unreached(context: &Context, files: &AwsFiles, holdings: &[Holding<'_>]) -> Vec<String> {
    let Ok(options) = context.aws_options() else { return Vec::new() };
    let aws = Aws::new(options);
    let lost = |holding: &&Holding<'_>| {
        holding.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Unreachable)
    };
    let hosts = holdings.iter().filter(lost).map(|h| endpoint_of(&aws, files, &h.profile.name));
    hosts.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The commands that ask the same, each key once.
fn tell_aws_cli(context: &Context, holdings: &[Holding<'_>]) {
    let mut keys = BTreeSet::new();
    let mut steps = Vec::new();
    for holding in holdings {
        let Some(key) = holding.key.filter(|key| keys.insert(*key)) else { continue };
        let by = Connection {
            profile: Some(holding.profile.name.clone()),
            region: context.globals.region.clone(),
            endpoint_url: context.globals.endpoint_url.as_ref().map(|url| url.url().to_string()),
        };
        steps.push(aws_cli::step(&Operation::CallerIdentity, &by));
        if !key.is_temporary() {
            steps.push(aws_cli::step(&Operation::ListAccessKeys { user: None }, &by));
            steps.push(aws_cli::step(&Operation::AccessKeyLastUsed { key: key.clone() }, &by));
        }
    }
    aws_cli::print(context, &steps);
}

/// Lines that a reader refuses, and what the readers do not agree on, each once.
fn tell_problems(context: &Context, files: &AwsFiles, holdings: &[Holding<'_>]) {
    for problem in files.profiles().problems() {
        context.say(&format!("problem: {}: {problem}", files.path(problem.file).display()));
    }
    for holding in holdings {
        if let Some(Trouble::Disagreement(disagreement)) = &holding.profile.trouble {
            context.say(&format!("problem: {}: {disagreement}", files.path(disagreement.file).display()));
        }
    }
}

/// Why AWS did not tell all, each reason once.
fn tell_failures(context: &Context, holdings: &[Holding<'_>]) {
    let mut told = BTreeSet::new();
    for holding in holdings {
        let Some(failure) = &holding.failure else { continue };
        if failure.kind != FailureKind::Unreachable && told.insert(&failure.reason) {
            let hint =
                if failure.kind == FailureKind::MfaNeeded { "; it needs an MFA code: add --mfa-code" } else { "" };
            context.say(&format!("profile \"{}\": {failure}{hint}", holding.profile.name));
        }
    }
}

/// What to run about what is due, each command once.
fn tell_next(context: &Context, files: &AwsFiles, holdings: &[Holding<'_>], elsewhere: &[Due]) {
    if holdings.is_empty() {
        context.say(&format!("no profile yet, neither in {}", files.searched().replacen(" or ", " nor in ", 1)));
        context.say("next: akia setup    or, on a made-up AWS: akia demo");
        return;
    }
    let mut rotate: Vec<String> = vec!["akia".to_owned(), "rotate".to_owned()];
    let mut keys = BTreeSet::new();
    let mut commands: Vec<Vec<String>> = Vec::new();
    for holding in holdings {
        for due in &holding.due {
            match due {
                // One profile of several that share a key is enough.
                Due::Rotate { .. } if keys.insert(holding.key) => {
                    rotate.extend(["-p".to_owned(), holding.profile.name.to_string()]);
                }
                Due::Rotate { .. } => {}
                // What is merely good to know needs no command.
                due if due.weight() == Weight::Note => {}
                due => commands.extend(due.command(&holding.profile.name)),
            }
        }
    }
    for due in elsewhere.iter().filter(|due| due.weight() > Weight::Note) {
        commands.extend(due.command(&ProfileName::default_name()));
    }
    if !keys.is_empty() {
        commands.push(rotate);
    }
    let mut told = BTreeSet::new();
    for command in commands {
        let line = command_line(command.iter().map(String::as_str));
        if told.insert(line.clone()) {
            context.say(&format!("next: {line}"));
        }
    }
}

/// A command that can be pasted.
fn command_line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}
