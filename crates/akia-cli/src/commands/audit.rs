//! `akia audit`: what is wrong with the access keys of accounts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use akia_core::AccountId;
use akia_core::audit::{Audit, Unread};
use akia_core::estate::{Account, Estate};
use akia_core::finding::{Finding, Severity};
use akia_core::key_table::key_table;
use akia_core::moment;
use akia_core::rule::{AuditSettings, BEYOND_REPORT, RULES, Rule, find};
use akia_core::settings::Settings;
use akia_io::audit::{Progress as Watch, read_account_since, read_report};
use akia_io::aws::{Aws, AwsOptions};
use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::args::{ConfigArgs, span};
use crate::audit::asked::{Access, Asked};
use crate::audit::compare::{self, Which};
use crate::audit::history;
use crate::audit::inventory;
use crate::audit::past::{Past, PastArgs, Scope};
use crate::audit::security_hub::{self, Findings, Import};
use crate::audit::settings::Held;
use crate::audit::words::{counted, these, thousands};
use crate::audit::{self, AuditFormat};
use crate::context::{Context, Selection};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::organization::{self, OrganizationArgs};
use crate::output::{self, Cell, Column, Format, LongFormat, Report, Row, Tone};
use crate::progress::{Line, Progress, is_told};
use crate::signing::{self, Mfa};

/// Findings of an organisation that a table shows one by one, where there are more than twice as many.
const SHOWN: usize = 20;
/// Accounts that are read at the same time.
const CONCURRENT: usize = 8;

/// Find what is wrong with the access keys of an account, of several, or of an organisation
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
    ("akia audit --write keys.parquet", "all keys as data, for DuckDB or Athena"),
    ("akia audit --from-report report.csv --as-of 2026-11-01", "a saved credential report, without AWS"),
    ("akia audit --output json > today.json", "to compare with"),
    ("akia audit diff yesterday.json today.json", "what has changed"),
    ("akia audit --security-hub --region eu-west-1", "findings into Security Hub, and what is mended out of it"),
    ("akia audit explain key-age", "what a rule wants, and why"),
]))]
pub struct AuditArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub act: Option<AuditVerb>,

    /// Judge this saved credential report instead of asking AWS (repeatable)
    ///
    /// The CSV of `aws iam get-credential-report`, decoded. It tells neither key ids nor tags and policies: the rules that
    /// need them are left out.
    #[arg(long = "from-report", value_name = "FILE", conflicts_with = "org")]
    pub reports: Vec<PathBuf>,

    /// Count ages to this moment, for example 2026-11-01 or 2026-11-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub as_of: Option<Timestamp>,

    /// Where the settings stand.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// What the audit has to do with earlier ones.
    #[command(flatten)]
    pub past: PastArgs,

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

    /// Import what was found into Security Hub, in the region of --region, AWS_REGION or the profile
    ///
    /// Each account's findings into its own Security Hub, with --org through the role that reads the account. This is the one
    /// thing that an audit changes; it needs securityhub:BatchImportFindings (akia policy audit --security-hub). A finding that is
    /// imported again replaces itself; one that the last import had and that is mended is archived. The exit code is 3 where
    /// not all of them were taken.
    #[arg(long, conflicts_with = "reports")]
    pub security_hub: bool,

    /// Write the audit to this file, too; its name says in which form (repeatable)
    ///
    /// .html (a page by itself), .md, .sarif, .jsonl, .xml (JUnit), .ocsf.json, .asff.json. All keys as data, also those that nothing
    /// is wrong with: .parquet, keys.json.
    #[arg(long, value_name = "FILE")]
    pub write: Vec<PathBuf>,

    // The last: its heading holds for all that follows.
    /// The accounts of an organisation.
    #[command(flatten)]
    pub organization: OrganizationArgs,
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
    #[command(after_long_help = super::examples(&[
        ("akia audit diff", "the last audit that was kept with the one before"),
        ("akia audit diff 12 last", "with the one of a number"),
        ("akia audit diff yesterday.json today.json", "two files of --output json"),
    ]))]
    Diff(DiffArgs),
    /// List the audits that were kept
    ///
    /// Each with what it found, and what was new and gone since the one before of the same accounts.
    #[command(after_long_help = super::examples(&[("akia audit history --output csv", "for a chart of your own")]))]
    History,
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
    /// The earlier one: a number of `akia audit history`, last-1 (the one before the last of the same accounts), or a file of
    /// --output json
    #[arg(value_name = "EARLIER", default_value = "last-1")]
    pub earlier: Which,
    /// The later one
    #[arg(value_name = "LATER", default_value = "last")]
    pub later: Which,
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
        Some(AuditVerb::Diff(DiffArgs { earlier, later })) => compare::run(context, earlier, later).await,
        Some(AuditVerb::History) => history::run(context).await,
    }
}

async fn look(context: &Context, args: &AuditArgs) -> Result<Exit, CommandError> {
    // A name that says no form is a mistake before AWS is asked for minutes.
    let writes: Vec<(&Path, Form)> =
        args.write.iter().map(|path| Ok((path.as_path(), form_of(path)?))).collect::<Result<_, CommandError>>()?;
    let known = args.baseline.as_deref().map(compare::fingerprints).transpose()?.unwrap_or_default();
    let at = args.as_of.unwrap_or(context.started_at);
    let loaded = args.config.load(context)?;
    let held = Held::new(loaded.path, &loaded.settings);
    held.tell(context);
    let settings = settings(args, loaded.settings);
    let is_offline = !args.reports.is_empty();
    let is_partial = is_offline || args.as_of.is_some() || !args.rules.is_empty() || !args.without.is_empty();
    let past = Past::open(context, &args.past, is_partial, &settings.audit, settings.snapshots).await;
    let asked = read(context, args, &settings.audit, at, &past).await?;
    let Asked { mut estates, unread, skipped, listed, scope, access, .. } = asked;
    // No answer of IAM says that a key is exposed; an event did (akia events).
    let exposures = past.exposures(&scope.source).await;
    for estate in &mut estates {
        akia_core::estate::amend(estate, &[], &exposures, at);
    }
    let audit = Audit::of(estates, unread, &settings.audit, at);
    held.tell_idle(context, &settings.audit, &audit);
    let kept = past.keep(context, &audit, &scope, &listed).await;
    let import = if args.security_hub {
        let (source, settings) = (scope.source.as_str(), &settings.audit);
        let findings = Findings { audit: &audit, settings, past: &past, source, kept };
        Some(security_hub::import(context, &findings, &access).await)
    } else {
        None
    };
    print(
        context,
        &audit,
        &known,
        args.organization.org,
        &[
            ("skipped", json!(skipped)),
            ("settings", held.json()),
            ("kept_as", json!(kept)),
            ("security_hub", json!(import.as_ref().map(Import::json))),
        ],
    )?;
    let trend = if writes.is_empty() || is_partial { Vec::new() } else { past.trend(&audit, &scope, kept).await };
    for (path, form) in writes {
        let keys = || key_table(&audit, &settings.audit);
        let bytes = match form {
            Form::Audit(format) => audit::render(&audit, &trend, format).into_bytes(),
            Form::KeysJson => inventory::json(&audit, &keys()).into_bytes(),
            Form::KeysParquet => inventory::parquet(&audit, &keys()).map_err(|error| unwritten(path, &error))?,
        };
        write(path, &bytes)?;
        context.say(&format!("written: {}", path.display()));
    }
    tell_skipped(context, &skipped);
    tell(context, &audit, &known, !args.reports.is_empty());
    let is_grave = |finding: &&Finding| args.fail_on.is_some_and(|least| finding.severity >= least);
    let is_new = |finding: &&Finding| !known.contains(&finding.fingerprint());
    Ok(if audit.findings.iter().filter(is_grave).any(|finding| is_new(&finding)) {
        Exit::Findings
    } else if !audit.is_whole() && !is_offline || import.is_some_and(|import| !import.is_whole()) {
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
    past: &Past,
) -> Result<Asked, CommandError> {
    if !args.reports.is_empty() {
        return Ok(Asked::of_reports(saved(&args.reports, at)?));
    }
    let asked = if args.organization.org {
        let with_units = settings.overrides.iter().any(|one| !one.scope.units.is_empty());
        organization::ask(context, &args.organization, with_units, past).await?
    } else {
        ask(context, past).await?
    };
    if asked.estates.is_empty()
        && let Some(one) = asked.unread.first()
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
    if asked.reused > 0 {
        let users = counted(asked.reused, "user");
        context.say(&format!("keys of {users} unchanged by the report, and not listed again (--full lists them)"));
    }
    Ok(asked)
}

/// The accounts of the profiles that were asked for, each once.
async fn ask(context: &Context, past: &Past) -> Result<Asked, CommandError> {
    let files = context.aws_files()?;
    let choices = match context.selection(false)? {
        Selection::One(choice) => vec![choice],
        Selection::Named(names) => names.into_iter().map(crate::context::ProfileChoice::Flag).collect(),
        Selection::All => vec![context.profile()?],
    };
    let aws = Aws::new(AwsOptions { adaptive: false, ..context.aws_options()? });
    let mut callers: BTreeMap<AccountId, akia_io::aws::Caller> = BTreeMap::new();
    for choice in choices {
        let signed = signing::sign_as(context, &files, Mfa::IfGiven, aws.clone(), choice).await?;
        let identity = signed.caller.caller_identity().await;
        let identity = identity.map_err(|error| signing::refused("whose account it is cannot be found out", &error))?;
        callers.entry(identity.account).or_insert(signed.caller);
    }
    let sources: BTreeSet<String> = callers.values().map(|caller| caller.source()).collect();
    let source = sources.into_iter().collect::<Vec<_>>().join(" ");
    let mut asked = Asked::of(Scope { source, organization: None });
    let progress = Progress::new(context);
    let read = callers.iter().map(|(account, caller)| {
        let line = Watcher(progress.line(&format!("account {account}")));
        let source = &asked.scope.source;
        async move {
            let earlier = past.earlier(source, account).await;
            let read = read_account_since(caller, Account::bare(account.clone()), earlier.as_ref(), &line).await;
            line.0.finish(&match &read {
                Ok(reading) => format!("{} users read", reading.estate.users.len()),
                Err(error) => format!("not read: {error}"),
            });
            read.map_err(|error| Unread { account: Account::bare(account.clone()), reason: error.to_string() })
        }
    });
    let answers: Vec<_> = futures_util::stream::iter(read).buffer_unordered(CONCURRENT).collect().await;
    answers.into_iter().for_each(|answer| asked.add(answer));
    asked.access = Access::Profiles(callers);
    Ok(asked)
}

struct Watcher(Line);

/// How often one account's progress is told.
const STEPS: usize = 20;

impl Watch for Watcher {
    fn listed(&self, users: usize, of: usize) {
        if is_told(users, of, STEPS) {
            self.0.step(&format!("keys of {users} of {of} users"));
        }
    }
}

fn saved(paths: &[PathBuf], at: Timestamp) -> Result<Vec<Estate>, CommandError> {
    let mut estates: Vec<Estate> = Vec::new();
    for path in paths {
        let csv = audit::contents(path, akia_core::estate::report::MAX_BYTES as u64)?;
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

/// What the file says, with the flags over it, also where an override says something else.
fn settings(args: &AuditArgs, mut settings: Settings) -> Settings {
    let audit = &mut settings.audit;
    if let Some(max_age) = args.max_age {
        audit.base.max_age = max_age;
        audit.overrides.iter_mut().for_each(|one| one.max_age = None);
    }
    if let Some(unused) = args.unused {
        audit.base.unused = unused;
        audit.overrides.iter_mut().for_each(|one| one.unused = None);
    }
    for rule in RULES {
        let is_asked = args.rules.iter().any(|asked| asked.id == rule.id);
        let is_left_out = args.without.iter().any(|out| out.id == rule.id) || !is_asked && !args.rules.is_empty();
        if is_left_out || !args.reports.is_empty() && BEYOND_REPORT.contains(&rule.id) {
            audit.turn_off(rule);
        } else if is_asked {
            audit.turn_on(rule);
        }
    }
    settings
}

pub(crate) fn tone(severity: Severity) -> Tone {
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
    is_organization: bool,
    more: &[(&'static str, Value)],
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
    let (read, of) = audit.coverage();
    if context.format() == Format::Table {
        // One account needs no column; several do.
        if of == 1 {
            report.drop_column("account");
        }
        report.drop_column("owner");
    }
    let (users, keys) = audit.size();
    report.fact("at", audit.at.to_string());
    report.fact("is_whole", audit.is_whole());
    report.fact("accounts", json!({ "read": read, "of": of }));
    report.fact("users", users);
    report.fact("active_keys", keys);
    let counts = audit.counts();
    report
        .fact("counts", counts.iter().map(|(severity, count)| (severity.to_string(), json!(count))).collect::<Value>());
    report.fact("unknown", json!(audit.unknown));
    report.fact("unread", json!(audit.unread));
    let gaps: BTreeSet<&String> = audit.estates.iter().flat_map(|estate| &estate.gaps).collect();
    report.fact("gaps", json!(gaps));
    report.fact("account_ids", audit.estates.iter().map(|estate| json!(estate.account.id)).collect::<Value>());
    for (name, value) in more {
        report.fact(name, value.clone());
    }
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
            let shown = if is_organization && audit.findings.len() > SHOWN + SHOWN { SHOWN } else { usize::MAX };
            if audit.findings.len() > shown {
                context.print(&by_rule(audit))?;
                context.print_text("\n")?;
            }
            rows.take(shown).for_each(|row| report.push(row));
            context.print(&report)?;
            if audit.findings.len() > shown {
                let more = thousands(audit.findings.len() - shown);
                context.say(&format!(
                    "… and {more} more: --output json or csv has all, --write audit.html is a page with all to filter"
                ));
            }
            Ok(())
        }
    }
}

/// How often each rule is broken, the gravest first: a terminal has no room for a hundred thousand findings.
fn by_rule(audit: &Audit) -> Report {
    let columns = vec![
        Column::whole("severity", "SEVERITY"),
        Column::whole("rule", "RULE"),
        Column::whole("findings", "FINDINGS"),
        Column::whole("accounts", "ACCOUNTS"),
        Column::new("title", "BROKEN WHEN"),
    ];
    // Of each severity and rule: how many findings, in which accounts.
    type Tally<'a> = (usize, BTreeSet<&'a AccountId>);
    let mut counts: BTreeMap<(Reverse<Severity>, &str), Tally<'_>> = BTreeMap::new();
    for finding in &audit.findings {
        let (count, accounts) = counts.entry((Reverse(finding.severity), &finding.rule)).or_default();
        *count += 1;
        accounts.insert(&finding.account);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|((severity, rule), (count, _))| (*severity, Reverse(*count), *rule));
    let mut report = Report::new("audit", "rules", columns);
    for ((Reverse(severity), rule), (count, accounts)) in counts {
        report.push(vec![
            Cell::text(severity).tone(tone(severity)),
            Cell::text(rule),
            Cell::text(thousands(count)),
            Cell::text(thousands(accounts.len())),
            Cell::text(audit::words::title(rule)),
        ]);
    }
    report
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
        output::capital(rule.title),
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

fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    std::fs::write(path, bytes).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
        .now("the audit itself is printed; nothing was changed")
}

/// What is written to a file.
#[derive(Clone, Copy)]
enum Form {
    /// What was found.
    Audit(AuditFormat),
    /// All keys, as JSON.
    KeysJson,
    /// All keys, as Parquet.
    KeysParquet,
}

/// The form that a file's name says.
fn form_of(path: &Path) -> Result<Form, CommandError> {
    const ENDINGS: [(&str, Form); 10] = [
        (".html", Form::Audit(AuditFormat::Html)),
        (".md", Form::Audit(AuditFormat::Markdown)),
        (".sarif", Form::Audit(AuditFormat::Sarif)),
        (".sarif.json", Form::Audit(AuditFormat::Sarif)),
        (".jsonl", Form::Audit(AuditFormat::Jsonl)),
        (".xml", Form::Audit(AuditFormat::Junit)),
        (".ocsf.json", Form::Audit(AuditFormat::Ocsf)),
        (".asff.json", Form::Audit(AuditFormat::Asff)),
        (".parquet", Form::KeysParquet),
        ("keys.json", Form::KeysJson),
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
