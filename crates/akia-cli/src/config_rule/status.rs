//! `akia config-rule status`: Config's verdicts beside akia's.

use akia_core::config_rule::{Compared, ConfigSays, Opinion, RuleName, compare};
use akia_core::estate::Account;
use akia_io::audit::{Unwatched, read_account_since};
use serde_json::json;

use super::{Desk, refused};
use crate::audit::words::counted;
use crate::commands::config_rule::StatusArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};

pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<Exit, CommandError> {
    if args.org {
        return members(context, &args.name).await;
    }
    let settings = args.config.load(context)?.settings.audit;
    let desk = Desk::open(context).await?;
    let (caller, region, name) = (&desk.caller, &desk.region, args.name.as_str());
    let of_config = |error| refused("AWS Config", &error);
    let recording = caller.config_recording(region).await.map_err(of_config)?;
    let rule = caller.config_rule(region, name).await.map_err(of_config)?.ok_or_else(|| {
        CommandError::failed(format_args!("AWS Config has no rule {name} in {region}"))
            .next("akia config-rule enable")
            .next("or name the rule and the region where it is: --name NAME --region REGION")
    })?;
    if !rule.is_ours_in_kind() {
        let identifier = rule.identifier.as_deref().unwrap_or("a rule of somebody's own");
        return Err(CommandError::usage(format_args!("rule {name} is {identifier}, and not ACCESS_KEYS_ROTATED")));
    }
    if let Some(warning) = recording.warning() {
        context.say(&format!("warning: {warning}"));
    }
    let verdicts = caller.config_verdicts(region, name).await.map_err(of_config)?;
    match caller.config_evaluated(region, name).await {
        Ok(evaluated) => {
            if let Some(error) = evaluated.error {
                context.say(&format!("warning: the last evaluation failed: {error}"));
            }
            context.say(&match evaluated.succeeded_at {
                Some(at) => format!("Config last looked at {at}, and does so once a day"),
                None => "Config has not looked yet; it does so within a day".to_owned(),
            });
        }
        Err(error) => context.say(&format!("note: when Config last looked is not known: {error}")),
    }
    let reading = read_account_since(caller, Account::bare(desk.account.clone()), None, &Unwatched).await;
    let reading = reading.map_err(|error| {
        CommandError::failed(format_args!("the account cannot be read to compare: {error}"))
            .next("akia policy audit (the rights that it needs)")
    })?;
    for gap in &reading.estate.gaps {
        context.say(&format!("note: {gap}"));
    }
    let compared = compare(&verdicts, &reading.estate, &settings, rule.days(), context.started_at);
    let mut report = table(&compared, args.all, context);
    report.fact("rule", name);
    report.fact("region", region.as_str());
    report.fact("max_age_days", rule.days());
    report.fact("is_managed_by_akia", rule.is_marked());
    let differing = compared.iter().filter(|one| one.difference.is_some()).count();
    report.fact("users", compared.len());
    report.fact("differing", differing);
    context.print(&report)?;
    let hidden = compared.iter().filter(|one| !is_of_interest(one)).count();
    if hidden > 0 && !args.all {
        context.say(&format!("{} on whom both agree that all is well: --all shows them", counted(hidden, "user")));
    }
    context.say(&match differing {
        0 => "Config and akia agree".to_owned(),
        _ => format!("they differ on {}; each has its reason", counted(differing, "user")),
    });
    Ok(Exit::Done)
}

fn is_of_interest(one: &Compared) -> bool {
    one.difference.is_some() || one.akia != Opinion::Fine
}

fn table(compared: &[Compared], all: bool, context: &Context) -> Report {
    let mut report = Report::new(
        "config-rule-status",
        "verdicts",
        vec![
            Column::new("user", "USER"),
            Column::whole("config", "CONFIG"),
            Column::whole("config_looked_at", "LOOKED"),
            Column::whole("akia", "AKIA"),
            Column::whole("oldest_key", "OLDEST KEY"),
            Column::new("difference", "WHY THEY DIFFER"),
        ],
    );
    let now = context.started_at;
    for one in compared.iter().filter(|one| all || is_of_interest(one)) {
        let says = one.config.as_ref().map(|verdict| verdict.says);
        let tone = match says {
            Some(ConfigSays::NonCompliant) => Tone::Bad,
            Some(ConfigSays::Compliant) => Tone::Good,
            Some(ConfigSays::NotApplicable | ConfigSays::InsufficientData) | None => Tone::Quiet,
        };
        let (akia, akia_tone) = match &one.akia {
            Opinion::Fine => ("fine", Tone::Good),
            Opinion::TooOld => ("too old", Tone::Bad),
            Opinion::Unknown { .. } => ("unknown", Tone::Warning),
            Opinion::Gone => ("gone", Tone::Quiet),
        };
        let name = one.user.as_ref().map(|arn| arn.name.to_string()).or_else(|| one.user_id.clone());
        let at = one.config.as_ref().and_then(|verdict| verdict.at);
        let mut row = Row::from(vec![
            Cell::maybe(name),
            Cell::maybe(says.map(ConfigSays::as_str)).tone(tone),
            at.map_or_else(Cell::empty, |at| Cell::age(at, now)),
            Cell::text(akia).tone(akia_tone),
            one.oldest.map_or_else(Cell::empty, |at| Cell::age(at, now)),
            Cell::maybe(one.difference.as_ref()),
        ]);
        row.details.insert("user_arn".into(), json!(one.user));
        row.details.insert("user_id".into(), json!(one.user_id));
        report.push(row);
    }
    report
}

/// The organisation's rule in its accounts.
async fn members(context: &Context, name: &RuleName) -> Result<Exit, CommandError> {
    let desk = Desk::open(context).await?;
    let of_config = |error| refused("AWS Config", &error);
    let rule = desk.caller.organization_config_rule(&desk.region, name.as_str()).await.map_err(of_config)?;
    if rule.is_none() {
        return Err(CommandError::failed(format_args!("the organisation has no rule {name} in {}", desk.region))
            .next("akia config-rule enable --org"));
    }
    let members = desk.caller.member_config_rules(&desk.region, name.as_str()).await.map_err(of_config)?;
    let columns =
        vec![Column::whole("account", "ACCOUNT"), Column::whole("state", "STATE"), Column::new("reason", "REASON")];
    let mut report = Report::new("config-rule-members", "accounts", columns);
    let mut failed = 0;
    for member in &members {
        let tone = if member.status.ends_with("_FAILED") { Tone::Bad } else { Tone::Plain };
        failed += usize::from(tone == Tone::Bad);
        report.push(Row::from(vec![
            Cell::text(&member.account),
            Cell::text(&member.status).tone(tone),
            Cell::maybe(member.error.as_ref()),
        ]));
    }
    context.print(&report)?;
    if failed > 0 {
        context.say(&format!("it failed in {}: most often there is no recorder", counted(failed, "account")));
    }
    context.say(&format!(
        "in an account its name begins with OrgConfigRule-{name}-; its verdicts there: akia config-rule status --name NAME"
    ));
    Ok(if failed > 0 { Exit::Findings } else { Exit::Done })
}
