//! `akia service check`: the rules of an audit that are about service users, and about people's users that serve machines.

use std::collections::BTreeSet;

use akia_core::audit::Audit;
use akia_core::estate::User;
use akia_core::finding::Finding;
use akia_core::service::{ABOUT_PEOPLE, ABOUT_SERVICES, only_of_services};
use serde_json::json;

use super::reading::{Account, keep_named};
use crate::audit::words::{command, counted};
use crate::commands::audit::tone;
use crate::commands::service::CheckArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row};

/// Runs the command.
///
/// # Errors
/// When the account cannot be read, or somebody is named who is not there.
pub(crate) async fn run(context: &Context, args: &CheckArgs) -> Result<Exit, CommandError> {
    let settings = args.config.load(context)?.settings;
    let account = Account::open(context).await?;
    let mut estate = account.everybody(&settings.audit, context.started_at).await?;
    keep_named(&mut estate, &args.names, &settings.naming)?;
    let is_service = |user: &&User| settings.audit.limits_of(&estate, Some(user)).is_service(user);
    let services: BTreeSet<String> =
        estate.users.iter().filter(is_service).map(|user| user.name().to_string()).collect();
    let looked_at = (services.len(), estate.users.len() - services.len());
    let mut audit = Audit::of(vec![estate], Vec::new(), &only_of_services(settings.audit), context.started_at);
    audit.findings.retain(|finding| is_asked(finding, &services, !args.names.is_empty()));
    print(context, &audit)?;
    tell(context, &audit, looked_at);
    let is_grave = |finding: &Finding| args.fail_on.is_some_and(|least| finding.severity >= least);
    Ok(if audit.findings.iter().any(is_grave) {
        Exit::Findings
    } else if audit.unknown.is_empty() {
        Exit::Done
    } else {
        Exit::Partly
    })
}

/// Of a service every rule of the list counts; of a person only those that tell of a machine behind it, and MFA. Who is named is
/// meant with all of them.
fn is_asked(finding: &Finding, services: &BTreeSet<String>, is_named: bool) -> bool {
    let rule = finding.rule.as_str();
    let of_service = services.contains(finding.subject.name());
    match (of_service, is_named) {
        (true, _) => ABOUT_SERVICES.contains(&rule),
        (false, true) => true,
        (false, false) => ABOUT_PEOPLE.contains(&rule),
    }
}

fn print(context: &Context, audit: &Audit) -> Result<(), CommandError> {
    let columns = vec![
        Column::whole("severity", "SEVERITY"),
        Column::whole("rule", "RULE"),
        Column::new("user", "USER"),
        Column::whole("access_key", "ACCESS KEY"),
        Column::new("detail", "DETAIL"),
        Column::new("command", "FIX"),
    ];
    let mut report = Report::new("service-check", "findings", columns);
    report.fact("at", audit.at.to_string());
    // What these rules do not need may be unread.
    report.fact("is_whole", audit.unknown.is_empty());
    report.fact("unknown", json!(audit.unknown));
    for finding in &audit.findings {
        let rule = akia_core::rule::find(&finding.rule);
        let mut row = Row::from(vec![
            Cell::text(finding.severity).tone(tone(finding.severity)),
            Cell::text(&finding.rule),
            Cell::text(finding.subject.name()),
            Cell::maybe(finding.key.as_ref()),
            Cell::text(&finding.detail),
            Cell::maybe(command(finding)),
        ]);
        row.details.insert("title".into(), json!(rule.map(|rule| rule.title)));
        row.details.insert("why".into(), json!(rule.map(|rule| rule.why)));
        row.details.insert("fix".into(), json!(rule.map(|rule| rule.fix)));
        row.details.insert("owner".into(), json!(finding.owner.as_ref().map(|owner| &owner.name)));
        row.details.insert("fingerprint".into(), json!(finding.fingerprint()));
        report.push(row);
    }
    context.print(&report)
}

fn tell(context: &Context, audit: &Audit, (services, people): (usize, usize)) {
    let found = match audit.findings.len() {
        0 => "nothing is wrong".to_owned(),
        count => counted(count, "finding"),
    };
    let services = counted(services, "service user");
    let people = if people == 0 { String::new() } else { format!(", {}", counted(people, "other user")) };
    context.say(&format!("{services}{people}: {found}"));
    let reasons: BTreeSet<&str> = audit.unknown.iter().map(|one| one.reason.as_str()).collect();
    for reason in reasons {
        context.say(&format!("some rules could not tell: {reason}"));
    }
    if !audit.findings.is_empty() {
        context.say("what a rule wants, and what to do: akia audit explain RULE");
    }
}
