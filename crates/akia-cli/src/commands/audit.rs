//! `akia audit`: what is wrong with the access keys of accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use akia_core::audit::{Audit, Unread};
use akia_core::estate::{Account, Estate};
use akia_core::finding::{Finding, Severity};
use akia_core::rule::{AuditSettings, BEYOND_REPORT, RULES, Rule, RuleLevel, find};
use akia_core::{AccountId, ProfileName};
use akia_io::audit::{Progress as Watch, read_account, read_report};
use akia_io::aws::{Aws, AwsOptions};
use akia_io::files;
use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::args::span;
use crate::audit::words::{counted, thousands};
use crate::audit::{self, AuditFormat};
use crate::context::{Context, Selection};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::organization::{self, OrganizationArgs, Reading};
use crate::output::{self, Cell, Column, Format, LongFormat, Report, Row, Tone};
use crate::progress::{Line, Progress};
use crate::signing::{self, Mfa};

/// Accounts that are read at the same time.
const CONCURRENT: usize = 8;
/// Longest file of an earlier audit that is read, in bytes.
const MAX_AUDIT_BYTES: u64 = 512 << 20;

/// Find what is wrong with the access keys of one account or several
///
/// Reads the account of the profile (of each, with several --profile): the credential report, the keys of the users who hold
/// some, and the tags, groups and policies of all users in one pass. Nothing is changed. Then it says which keys are too old,
/// unused, too powerful or exposed, whose they are, and which command mends it.
///
/// What AWS did not tell is counted and said, and never taken for fine. The exit code is 4 where there are findings at or
/// above --fail-on, else 3 where the audit is not whole, else 0.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, override_usage = "akia audit [OPTIONS] [COMMAND]", after_long_help = super::examples(&[
    ("akia audit", "the account of the default profile"),
    ("akia audit -p dev -p prod --fail-on high", "two accounts, for CI"),
    ("akia audit --org --external-id example-id --fail-on high", "every account of the organisation"),
    ("akia audit --write audit.html --write audit.sarif", "a page for the meeting, and a file for code scanning"),
    ("akia audit --from-report report.csv --as-of 2026-11-01", "a saved credential report, without AWS"),
    ("akia audit --output json > today.json", "to compare with"),
    ("akia audit diff yesterday.json today.json", "what has changed"),
    ("akia audit explain key-age", "what a rule wants, and why"),
]))]
pub struct AuditArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub act: Option<AuditVerb>,

    /// The accounts of an organisation.
    #[command(flatten)]
    pub organization: OrganizationArgs,

    /// Judge this saved credential report instead of asking AWS (repeatable)
    ///
    /// The CSV of `aws iam get-credential-report`, decoded. It tells neither key ids nor tags and policies: the rules that
    /// need them are left out.
    #[arg(long = "from-report", value_name = "FILE", conflicts_with = "org")]
    pub reports: Vec<PathBuf>,

    /// Count ages to this moment, for example 2026-11-01 or 2026-11-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub as_of: Option<Timestamp>,

    /// Age from which an active key is too old, for example 90d
    #[arg(long, value_name = "AGE", value_parser = span::parse)]
    pub max_age: Option<SignedDuration>,

    /// Time without use from which a key counts as unused, for example 45d
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub unused: Option<SignedDuration>,

    /// Look by these rules only (repeatable)
    #[arg(long = "rule", value_name = "RULE", value_parser = rule)]
    pub rules: Vec<&'static Rule>,

    /// Look by all rules but these (repeatable)
    #[arg(long = "without-rule", value_name = "RULE", value_parser = rule, conflicts_with = "rules")]
    pub without: Vec<&'static Rule>,

    /// End with exit code 4 where there are findings of this severity or a graver one
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,

    /// An earlier audit (--output json): its findings are known, and do not count for --fail-on
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// Write the audit to this file, too; its name says in which form (repeatable)
    ///
    /// .html (a page by itself), .md, .sarif, .jsonl, .xml (JUnit), .ocsf.json, .asff.json.
    #[arg(long, value_name = "FILE")]
    pub write: Vec<PathBuf>,
}

/// What else an audit is good for.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// List the rules
    #[command(after_long_help = super::examples(&[("akia audit rules --output json", "with their control ids")]))]
    Rules,
    /// Tell what a rule wants, why, and what to do
    #[command(after_long_help = super::examples(&[("akia audit explain key-unused", "one rule")]))]
    Explain(ExplainArgs),
    /// Compare two audits: what is new, and what is gone
    #[command(after_long_help = super::examples(&[("akia audit diff yesterday.json today.json", "two files of --output json")]))]
    Diff(DiffArgs),
}

/// Which rule.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Its id; `akia audit rules` lists them
    #[arg(value_name = "RULE", value_parser = rule)]
    pub rule: &'static Rule,
}

/// Which audits.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The earlier one
    #[arg(value_name = "EARLIER")]
    pub earlier: PathBuf,
    /// The later one
    #[arg(value_name = "LATER")]
    pub later: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When nothing could be read, or a file cannot be written.
pub(crate) async fn run(context: &Context, args: AuditArgs) -> Result<Exit, CommandError> {
    match &args.act {
        None => look(context, &args).await,
        Some(AuditVerb::Rules) => list_rules(context),
        Some(AuditVerb::Explain(ExplainArgs { rule })) => explain(context, rule),
        Some(AuditVerb::Diff(DiffArgs { earlier, later })) => diff(context, earlier, later),
    }
}

async fn look(context: &Context, args: &AuditArgs) -> Result<Exit, CommandError> {
    // A name that says no form is a mistake before AWS is asked for minutes.
    let writes: Vec<(&Path, AuditFormat)> =
        args.write.iter().map(|path| Ok((path.as_path(), form_of(path)?))).collect::<Result<_, CommandError>>()?;
    let known = args.baseline.as_deref().map(fingerprints).transpose()?.unwrap_or_default();
    let at = args.as_of.unwrap_or(context.started_at);
    let settings = settings(args);
    let Reading { estates, unread, skipped } = read(context, args, &settings, at).await?;
    let audit = Audit::of(estates, unread, &settings, at);
    print(context, &audit, &known, &skipped)?;
    for (path, form) in writes {
        write(path, &audit::render(&audit, form))?;
        context.say(&format!("written: {}", path.display()));
    }
    tell_skipped(context, &skipped);
    tell(context, &audit, &known, !args.reports.is_empty());
    let is_grave = |finding: &&Finding| args.fail_on.is_some_and(|least| finding.severity >= least);
    let is_new = |finding: &&Finding| !known.contains(&finding.fingerprint());
    Ok(if audit.findings.iter().filter(is_grave).any(|finding| is_new(&finding)) {
        Exit::Findings
    } else if !audit.is_whole() && args.reports.is_empty() {
        Exit::Partly
    } else {
        Exit::Done
    })
}

/// The accounts that were asked for: of saved reports, of an organisation, or of profiles.
async fn read(
    context: &Context,
    args: &AuditArgs,
    settings: &AuditSettings,
    at: Timestamp,
) -> Result<Reading, CommandError> {
    if !args.reports.is_empty() {
        return Ok(Reading { estates: saved(&args.reports, at)?, ..Reading::default() });
    }
    let reading = if args.organization.org {
        let with_units = settings.overrides.iter().any(|one| !one.units.is_empty());
        organization::ask(context, &args.organization, with_units).await?
    } else {
        let (estates, unread) = ask(context).await?;
        Reading { estates, unread, ..Reading::default() }
    };
    if reading.estates.is_empty()
        && let Some(one) = reading.unread.first()
    {
        let error = CommandError::failed(format_args!("account {}: {}", one.account.id, one.reason))
            .now("nothing was changed; nothing can be said about the keys of the account");
        return Err(if args.organization.org {
            error.next("akia policy hub, akia policy audit --template stackset (what the caller and the roles need)")
        } else {
            error
                .next("akia policy check audit (which rights you have)")
                .next("akia policy audit (the policy that an audit needs)")
        });
    }
    Ok(reading)
}

/// The accounts of the profiles that were asked for, each once.
async fn ask(context: &Context) -> Result<(Vec<Estate>, Vec<Unread>), CommandError> {
    let files = context.aws_files()?;
    let choices = match context.selection(false)? {
        Selection::One(choice) => vec![choice],
        Selection::Named(names) => names.into_iter().map(crate::context::ProfileChoice::Flag).collect(),
        Selection::All => vec![context.profile()?],
    };
    let aws = Aws::new(AwsOptions { adaptive: false, ..context.aws_options()? });
    let mut callers: BTreeMap<AccountId, (ProfileName, akia_io::aws::Caller)> = BTreeMap::new();
    for choice in choices {
        let name = choice.name().clone();
        let signed = signing::sign_as(context, &files, Mfa::IfGiven, aws.clone(), choice).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?;
        callers.entry(identity.account).or_insert((name, signed.caller));
    }
    let progress = Progress::new(context);
    let read = callers.into_iter().map(|(account, (_, caller))| {
        let line = Watcher(progress.line(&format!("account {account}")));
        async move {
            let read = read_account(&caller, Account::bare(account.clone()), &line).await;
            line.0.finish(&match &read {
                Ok(estate) => format!("{} users read", estate.users.len()),
                Err(error) => format!("not read: {error}"),
            });
            read.map_err(|error| Unread { account: Account::bare(account), reason: error.to_string() })
        }
    });
    let (mut estates, mut unread) = (Vec::new(), Vec::new());
    let mut answers = futures_util::stream::iter(read).buffer_unordered(CONCURRENT);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(estate) => estates.push(estate),
            Err(one) => unread.push(one),
        }
    }
    Ok((estates, unread))
}

struct Watcher(Line);

/// How often one account's progress is told.
const STEPS: usize = 20;

impl Watch for Watcher {
    fn listed(&self, users: usize, of: usize) {
        // A line for each user would be a line for each of 20,000 where there is no terminal.
        if users == of || users.is_multiple_of((of / STEPS).max(1)) {
            self.0.step(&format!("keys of {users} of {of} users"));
        }
    }
}

fn saved(paths: &[PathBuf], at: Timestamp) -> Result<Vec<Estate>, CommandError> {
    let mut estates: Vec<Estate> = Vec::new();
    for path in paths {
        let csv = contents(path, akia_core::estate::report::MAX_BYTES as u64)?;
        let estate = read_report(&csv, at).map_err(|error| {
            CommandError::failed(format_args!("{}: {error}", path.display())).now("nothing was judged").next(
                "aws iam get-credential-report --query Content --output text | base64 -d > report.csv (to save one)",
            )
        })?;
        if let Some(other) = estates.iter().find(|other| other.account.id == estate.account.id) {
            let what = format!("{} is a second report of account {}", path.display(), other.account.id);
            return Err(CommandError::usage(what).next("give one report of each account"));
        }
        estates.push(estate);
    }
    Ok(estates)
}

fn settings(args: &AuditArgs) -> AuditSettings {
    let mut settings = AuditSettings::default();
    let base = &mut settings.base;
    base.max_age = args.max_age.unwrap_or(base.max_age);
    base.unused = args.unused.unwrap_or(base.unused);
    let is_off = |rule: &&Rule| {
        let is_chosen = args.rules.is_empty() || args.rules.iter().any(|chosen| chosen.id == rule.id);
        let is_left_out = args.without.iter().any(|out| out.id == rule.id);
        let cannot_tell = !args.reports.is_empty() && BEYOND_REPORT.contains(&rule.id);
        !is_chosen || is_left_out || cannot_tell
    };
    base.rules.extend(RULES.iter().filter(is_off).map(|rule| (rule.id.to_owned(), RuleLevel::Off)));
    // What was asked for by name is looked at, also where it is off unless asked for.
    let asked = args.rules.iter().filter(|rule| !is_off(rule) && !rule.is_on);
    base.rules.extend(asked.map(|rule| (rule.id.to_owned(), RuleLevel::At(rule.severity))));
    settings
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium => Tone::Warning,
        Severity::Low => Tone::Plain,
        Severity::Info => Tone::Quiet,
    }
}

fn print(
    context: &Context,
    audit: &Audit,
    known: &BTreeSet<String>,
    skipped: &BTreeMap<AccountId, String>,
) -> Result<(), CommandError> {
    let columns = vec![
        Column::whole("severity", "SEVERITY"),
        Column::whole("rule", "RULE"),
        Column::whole("account", "ACCOUNT"),
        Column::new("user", "USER"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("detail", "DETAIL"),
        Column::new("owner", "OWNER"),
        Column::new("command", "FIX"),
    ];
    let mut report = Report::new("audit", "findings", columns);
    if context.format() == Format::Table {
        // One account needs no column; several do.
        if audit.coverage().1 == 1 {
            report.drop_column("account");
        }
        report.drop_column("owner");
    }
    let (read, of) = audit.coverage();
    let (users, keys) = audit.size();
    report.fact("at", audit.at.to_string());
    report.fact("is_whole", audit.is_whole());
    report.fact("accounts", json!({ "read": read, "of": of }));
    report.fact("skipped", json!(skipped));
    report.fact("users", users);
    report.fact("active_keys", keys);
    let counts = audit.counts();
    report
        .fact("counts", counts.iter().map(|(severity, count)| (severity.to_string(), json!(count))).collect::<Value>());
    report.fact("unknown", json!(audit.unknown));
    report.fact("unread", json!(audit.unread));
    let gaps: BTreeSet<&String> = audit.estates.iter().flat_map(|estate| &estate.gaps).collect();
    report.fact("gaps", json!(gaps));
    let rows = audit.findings.iter().map(|finding| row(context, audit, finding, known));
    // An organisation has a hundred thousand findings.
    let long = match context.format() {
        Format::Table => None,
        Format::Json => Some(LongFormat::Json),
        Format::Csv => Some(LongFormat::Csv),
    };
    match long {
        Some(format) => output::parts(&report, format, rows).try_for_each(|part| context.print_text(&part)),
        None => {
            rows.for_each(|row| report.push(row));
            context.print(&report)
        }
    }
}

fn row(context: &Context, audit: &Audit, finding: &Finding, known: &BTreeSet<String>) -> Row {
    let fingerprint = finding.fingerprint();
    let is_known = known.contains(&fingerprint);
    let severity = Cell::text(finding.severity).tone(if is_known { Tone::Quiet } else { tone(finding.severity) });
    let mut cells = vec![severity, Cell::text(&finding.rule)];
    let is_table = context.format() == Format::Table;
    if !is_table || audit.coverage().1 > 1 {
        cells.push(Cell::text(&finding.account));
    }
    cells.extend([
        Cell::text(finding.subject.name()),
        Cell::maybe(finding.key.as_ref()),
        Cell::text(if is_known { format!("{} (known)", finding.detail) } else { finding.detail.clone() }),
    ]);
    if !is_table {
        cells.push(Cell::maybe(finding.owner.as_ref().map(|owner| &owner.name)));
    }
    cells.push(Cell::maybe(audit::words::command(finding)));
    let mut row = Row::from(cells);
    row.details.insert("fingerprint".into(), json!(fingerprint));
    row.details.insert("known".into(), json!(is_known));
    row.details.insert("account_name".into(), json!(finding.account_name));
    row.details.insert("key_created_at".into(), json!(finding.key_created_at));
    row.details.insert("owner_source".into(), json!(finding.owner.as_ref().map(|owner| owner.source)));
    row
}

/// The whole in words, on stderr.
fn tell(context: &Context, audit: &Audit, known: &BTreeSet<String>, offline: bool) {
    let (read, of) = audit.coverage();
    let (users, keys) = audit.size();
    let counts: Vec<String> = audit
        .counts()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{} {severity}", thousands(count)))
        .collect();
    let counts = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
    let (users, keys) = (counted(users, "user"), counted(keys, "active key"));
    context.say(&format!("{} of {} read, {users} with {keys}: {counts}", thousands(read), counted(of, "account")));
    let old: usize = audit.findings.iter().filter(|finding| known.contains(&finding.fingerprint())).count();
    if old > 0 {
        context.say(&format!("{old} of them known from the baseline"));
    }
    let mut unread: BTreeMap<&str, Vec<&AccountId>> = BTreeMap::new();
    for one in &audit.unread {
        unread.entry(&one.reason).or_default().push(&one.account.id);
    }
    for (reason, accounts) in unread {
        context.say(&format!("not read: {}: {reason}", these(&accounts)));
    }
    let mut reasons: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for one in &audit.unknown {
        let entry = reasons.entry(&one.reason).or_default();
        entry.0.insert(&one.rule);
        entry.1 += one.count;
    }
    for (reason, (rules, count)) in reasons {
        let rules: Vec<&str> = rules.into_iter().collect();
        context.say(&format!("could not tell in {count} cases ({}): {reason}", rules.join(", ")));
    }
    if offline {
        context.say(&format!("left out, for a report does not tell what they need: {}", BEYOND_REPORT.join(", ")));
    }
    if context.format() == Format::Table && !audit.findings.is_empty() {
        context.say("what a rule wants: akia audit explain RULE    whose key it is: add --output json");
    }
}

/// Accounts that are not in use: nobody can read them, and the audit is whole without them.
fn tell_skipped(context: &Context, skipped: &BTreeMap<AccountId, String>) {
    let mut by_state: BTreeMap<&str, Vec<&AccountId>> = BTreeMap::new();
    for (account, state) in skipped {
        by_state.entry(state).or_default().push(account);
    }
    for (state, accounts) in by_state {
        context.say(&format!("skipped, for it is not in use ({state}): {}", these(&accounts)));
    }
}

/// "account 111122223333", "8 accounts (…, … and 3 more)".
fn these(accounts: &[&AccountId]) -> String {
    const SHOWN: usize = 5;
    if let [one] = accounts {
        return format!("account {one}");
    }
    let shown: Vec<&str> = accounts.iter().take(SHOWN).map(|account| account.as_str()).collect();
    let more = accounts.len() - shown.len();
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    format!("{} ({}{more})", counted(accounts.len(), "account"), shown.join(", "))
}

fn list_rules(context: &Context) -> Result<Exit, CommandError> {
    let columns = vec![
        Column::whole("rule", "RULE"),
        Column::whole("severity", "SEVERITY"),
        Column::new("title", "BROKEN WHEN"),
        Column::new("on", "ON"),
    ];
    let mut report = Report::new("audit-rules", "rules", columns);
    for rule in RULES {
        let mut row = Row::from(vec![
            Cell::text(rule.id),
            Cell::text(rule.severity).tone(tone(rule.severity)),
            Cell::text(rule.title),
            Cell::yes_no(rule.is_on),
        ]);
        tell_more(&mut row, rule);
        report.push(row);
    }
    context.print(&report)?;
    Ok(Exit::Done)
}

/// What a table has no room for.
fn tell_more(row: &mut Row, rule: &Rule) {
    row.details.insert("why".into(), json!(rule.why));
    row.details.insert("fix".into(), json!(rule.fix));
    row.details.insert("controls".into(), controls(rule).collect());
}

fn controls(rule: &Rule) -> impl Iterator<Item = Value> {
    rule.controls()
        .iter()
        .map(|control| json!({ "framework": control.framework.name(), "version": control.version, "id": control.id }))
}

fn explain(context: &Context, rule: &Rule) -> Result<Exit, CommandError> {
    if context.format() != Format::Table {
        let mut report =
            Report::new("audit-rule", "rules", vec![Column::new("rule", "RULE"), Column::new("title", "TITLE")]);
        let mut row = Row::from(vec![Cell::text(rule.id), Cell::text(rule.title)]);
        row.details.insert("severity".into(), json!(rule.severity));
        tell_more(&mut row, rule);
        report.push(row);
        context.print(&report)?;
        return Ok(Exit::Done);
    }
    let mut by_framework: BTreeMap<(akia_core::rule::Framework, &str), Vec<&str>> = BTreeMap::new();
    for control in rule.controls() {
        by_framework.entry((control.framework, control.version)).or_default().push(control.id);
    }
    let mut text = format!(
        "{} ({}{})\n  {}.\n\nWhy\n  {}\n\nWhat to do\n  {}\n",
        rule.id,
        rule.severity,
        if rule.is_on { "" } else { ", off unless asked for" },
        capital(rule.title),
        rule.why,
        rule.fix
    );
    if !by_framework.is_empty() {
        text.push_str("\nAsked for by\n");
    }
    for ((framework, version), ids) in by_framework {
        let name = [framework.name(), version].join(" ");
        text.push_str(&format!("  {}: {}\n", name.trim_end(), ids.join(", ")));
    }
    context.print_text(&text)?;
    Ok(Exit::Done)
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn diff(context: &Context, earlier: &Path, later: &Path) -> Result<Exit, CommandError> {
    let (before, after) = (findings_of(earlier)?, findings_of(later)?);
    let columns = vec![
        Column::whole("change", "CHANGE"),
        Column::whole("severity", "SEVERITY"),
        Column::whole("rule", "RULE"),
        Column::whole("account", "ACCOUNT"),
        Column::new("user", "USER"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("detail", "DETAIL"),
    ];
    let mut report = Report::new("audit-diff", "changes", columns);
    let mut add = |change: &str, tone: Tone, finding: &Value| {
        let cell = |name: &str| Cell::maybe(finding[name].as_str());
        let mut cells = vec![Cell::text(change).tone(tone)];
        cells.extend(["severity", "rule", "account", "user", "access_key", "detail"].map(cell));
        report.push(cells);
    };
    for (_, finding) in after.iter().filter(|(fingerprint, _)| !before.contains_key(*fingerprint)) {
        add("new", Tone::Bad, finding);
    }
    for (_, finding) in before.iter().filter(|(fingerprint, _)| !after.contains_key(*fingerprint)) {
        add("gone", Tone::Good, finding);
    }
    let new = after.keys().filter(|fingerprint| !before.contains_key(*fingerprint)).count();
    let gone = before.keys().filter(|fingerprint| !after.contains_key(*fingerprint)).count();
    report.fact("new", new);
    report.fact("gone", gone);
    report.fact("same", after.len() - new);
    context.print(&report)?;
    context.say(&format!("{new} new, {gone} gone, {} as before", after.len() - new));
    Ok(Exit::Done)
}

/// The findings of a saved audit, by fingerprint.
fn findings_of(path: &Path) -> Result<BTreeMap<String, Value>, CommandError> {
    let bad = |reason: String| {
        CommandError::failed(format_args!("{} is not an audit: {reason}", path.display()))
            .next("akia audit --output json > audit.json (to save one)")
    };
    let bytes = contents(path, MAX_AUDIT_BYTES)?;
    let audit: Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if audit["schema"] != "akia.audit/1" {
        return Err(bad("its \"schema\" is not \"akia.audit/1\"".to_owned()));
    }
    let findings = audit["findings"].as_array().ok_or_else(|| bad("it has no \"findings\"".to_owned()))?;
    findings
        .iter()
        .map(|finding| {
            let fingerprint =
                finding["fingerprint"].as_str().ok_or_else(|| bad("a finding has no fingerprint".to_owned()))?;
            Ok((fingerprint.to_owned(), finding.clone()))
        })
        .collect()
}

fn fingerprints(path: &Path) -> Result<BTreeSet<String>, CommandError> {
    Ok(findings_of(path)?.into_keys().collect())
}

fn contents(path: &Path, limit: u64) -> Result<Vec<u8>, CommandError> {
    let failed = |reason: String| CommandError::failed(format_args!("{} cannot be read: {reason}", path.display()));
    match files::read_limited(path, limit) {
        Ok(Some(bytes)) => Ok(bytes.to_vec()),
        Ok(None) => Err(failed("there is no such file".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| {
        CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
            .now("the audit itself is printed; nothing was changed")
    })
}

/// The form that a file's name says.
fn form_of(path: &Path) -> Result<AuditFormat, CommandError> {
    const ENDINGS: [(&str, AuditFormat); 8] = [
        (".html", AuditFormat::Html),
        (".md", AuditFormat::Markdown),
        (".sarif", AuditFormat::Sarif),
        (".sarif.json", AuditFormat::Sarif),
        (".jsonl", AuditFormat::Jsonl),
        (".xml", AuditFormat::Junit),
        (".ocsf.json", AuditFormat::Ocsf),
        (".asff.json", AuditFormat::Asff),
    ];
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, form)| *form).ok_or_else(|| {
        let endings: Vec<&str> = ENDINGS.iter().map(|(ending, _)| *ending).collect();
        CommandError::usage(format_args!("the name {} says no form", path.display()))
            .next(format!("end it with one of {}", endings.join(", ")))
            .next("akia audit --output json|csv > FILE (for these two)")
    })
}

fn rule(text: &str) -> Result<&'static Rule, String> {
    find(text).ok_or_else(|| {
        let similar = RULES.iter().min_by_key(|rule| strsim::osa_distance(rule.id, text));
        let hint = similar.filter(|rule| strsim::osa_distance(rule.id, text) <= 3).map(|rule| rule.id);
        match hint {
            Some(hint) => format!("there is no such rule; did you mean {hint}?"),
            None => "there is no such rule; `akia audit rules` lists them".to_owned(),
        }
    })
}

/// A date, taken for its first moment in UTC, or a moment.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_err(|error| error.to_string());
    }
    text.parse().map_err(|_| "it is neither a date (2026-11-01) nor a moment (2026-11-01T12:00:00Z)".to_owned())
}
