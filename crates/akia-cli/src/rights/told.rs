//! The answers of `akia policy check`, for people and for programs.

use std::collections::BTreeSet;

use akia_core::Partition;
use akia_core::cheatsheet::Operation;
use akia_core::policy::{Command, JobPolicy, Need, Reach, Standing, Verdict};
use akia_io::aws::IdentityKind;
use serde_json::{Value, json};

use super::inquiry::{NEEDS_USER, Rights};
use super::{Checked, Scope};
use crate::aws_cli;
use crate::context::Context;
use crate::error::CommandError;
use crate::keys::subject::connection;
use crate::output::{Cell, Column, Format, Report, Row, Tone};
use crate::signing::{Device, Signed};

/// Prints everything.
///
/// # Errors
/// When stdout cannot be written.
pub fn tell(
    context: &Context,
    signed: &Signed,
    scope: &Scope,
    rights: &Rights,
    checked: &[Checked<'_>],
    are_named: bool,
) -> Result<(), CommandError> {
    let format = context.format();
    if format == Format::Table {
        context.say(&format!("rights of {}{}", scope.caller.arn, way(rights)));
    }
    let mut report = match (format, are_named) {
        (Format::Table, false) | (Format::Json, _) => by_command(checked),
        (Format::Table, true) | (Format::Csv, _) => by_right(checked, format),
    };
    report.fact("arn", scope.caller.arn.as_str());
    report.fact("account", scope.caller.account.as_str());
    report.fact("user", json!(scope.named.as_ref().or_else(|| scope.own()).map(|user| &user.name)));
    report.fact("simulated", json!(rights.ways().contains("simulation")));
    context.print(&report)?;
    if context.globals.show_aws_cli {
        show_aws_cli(context, signed, rights, checked);
    }
    for note in notes(signed, scope, rights, checked, are_named) {
        context.say(&format!("note: {note}"));
    }
    for line in next(scope, checked) {
        context.say(&format!("next: {line}"));
    }
    Ok(())
}

/// A row for each command; in JSON each of its rights is in it.
fn by_command(checked: &[Checked<'_>]) -> Report {
    let columns = vec![
        Column::whole("command", "COMMAND"),
        Column::whole("verdict", "MAY YOU?"),
        Column::new("lacks", "LACKS"),
        Column::new("unknown", "UNKNOWN"),
    ];
    let mut report = Report::new("policy-check", "commands", columns);
    for one in checked {
        let names = |wanted: fn(&Standing) -> bool| {
            let found = one.rights.iter().filter(|(_, _, standing, _)| wanted(standing));
            let (required, all): (Vec<Option<&str>>, Vec<&str>) = found
                .map(|(action, ..)| match action.need {
                    Need::Required => (Some(action.name), action.name),
                    Need::Optional => (None, action.name),
                })
                .unzip();
            // People see what stands in the way; optional rights come in a note.
            let required: Vec<&str> = required.into_iter().flatten().collect();
            Cell::list(all).shown_as(if required.is_empty() { "-".to_owned() } else { required.join(", ") })
        };
        let lacks = match one.inapplicable {
            Some(why) => Cell::list([""; 0]).shown_as(why).tone(Tone::Quiet),
            None => names(|standing| matches!(standing, Standing::Denied { .. })),
        };
        let unknown = names(|standing| matches!(standing, Standing::Unknown { .. }));
        let unknown = if needs_user(one) { unknown.shown_as("name one with --user NAME") } else { unknown };
        let mut row = Row::from(vec![Cell::text(one.command.as_str()), verdict_cell(one), lacks, unknown]);
        row.details.insert("inapplicable".into(), json!(one.inapplicable));
        row.details.insert("rights".into(), one.rights.iter().map(right_value).collect());
        report.push(row);
    }
    report
}

/// A row for each right of each command.
fn by_right(checked: &[Checked<'_>], format: Format) -> Report {
    let mut columns = vec![
        Column::whole("command", "COMMAND"),
        Column::whole("right", "RIGHT"),
        Column::whole("need", "NEED"),
        Column::whole("answer", "HAVE IT?"),
        Column::whole("found_by", "FOUND BY"),
    ];
    let is_table = format == Format::Table;
    if !is_table {
        columns.extend([Column::new("resource", "RESOURCE"), Column::new("reason", "REASON")]);
    }
    let mut report = Report::new("policy-check", "rights", columns);
    for one in checked {
        if let Some(why) = one.inapplicable {
            let mut cells =
                vec![Cell::text(one.command.as_str()), Cell::empty(), Cell::empty(), verdict_cell(one), Cell::empty()];
            if !is_table {
                cells.extend([Cell::empty(), Cell::text(why)]);
            }
            report.push(cells);
        }
        for (action, resource, standing, found_by) in &one.rights {
            let mut cells = vec![
                Cell::text(one.command.as_str()),
                Cell::text(action.name),
                Cell::text(need_word(action.need)),
                standing_cell(standing),
                Cell::text(found_by),
            ];
            if !is_table {
                cells.extend([Cell::text(resource), Cell::maybe(reason(standing))]);
            }
            report.push(cells);
        }
    }
    report
}

/// Whether nothing but a name keeps the answers back.
fn needs_user(one: &Checked<'_>) -> bool {
    one.rights.iter().any(|(_, _, standing, _)| reason(standing) == Some(NEEDS_USER))
}

fn right_value(
    (action, resource, standing, found_by): &(&akia_core::policy::Action, String, &Standing, &str),
) -> Value {
    json!({
        "right": action.name,
        "resource": resource,
        "need": need_word(action.need),
        "answer": answer_word(standing),
        "found_by": found_by,
        "reason": reason(standing),
        "why": action.why,
    })
}

fn verdict_cell(one: &Checked<'_>) -> Cell {
    match (one.inapplicable, one.verdict()) {
        (Some(_), _) => Cell::text("not-applicable").shown_as("no").tone(Tone::Quiet),
        (None, Verdict::Allowed) => Cell::text("yes").tone(Tone::Good),
        (None, Verdict::Lacking) => Cell::text("no").tone(Tone::Bad),
        (None, Verdict::Unknown) => Cell::text("unknown").tone(Tone::Warning),
    }
}

fn standing_cell(standing: &Standing) -> Cell {
    let tone = match standing {
        Standing::Allowed => Tone::Good,
        Standing::Denied { .. } => Tone::Bad,
        Standing::Unknown { .. } => Tone::Warning,
    };
    Cell::text(answer_word(standing)).tone(tone)
}

fn answer_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Allowed => "yes",
        Standing::Denied { .. } => "no",
        Standing::Unknown { .. } => "unknown",
    }
}

fn need_word(need: Need) -> &'static str {
    match need {
        Need::Required => "required",
        Need::Optional => "optional",
    }
}

fn reason(standing: &Standing) -> Option<&str> {
    match standing {
        Standing::Allowed => None,
        Standing::Denied { reason } => reason.as_deref(),
        Standing::Unknown { why } => Some(why),
    }
}

/// How the answers were found, as the end of a sentence.
fn way(rights: &Rights) -> String {
    match (&rights.principal, &rights.no_simulation) {
        (Some(_), Some(error)) => {
            let why = match error {
                akia_io::aws::AwsError::AccessDenied { .. } => "iam:SimulatePrincipalPolicy is not allowed".to_owned(),
                error => error.to_string(),
            };
            format!(", found out by calls that change nothing ({why})")
        }
        (Some(_), None) if rights.ways().contains("simulation") => ", by IAM's simulation".to_owned(),
        (Some(_) | None, _) => String::new(),
    }
}

fn notes(signed: &Signed, scope: &Scope, rights: &Rights, checked: &[Checked<'_>], are_named: bool) -> Vec<String> {
    let mut notes = scope.notes.clone();
    match &scope.kind {
        IdentityKind::Root { .. } => notes.push(
            "the root user may do everything that no policy of the organization forbids; nothing was asked".to_owned(),
        ),
        IdentityKind::AssumedRole { .. } => {
            notes.push("setup, status and rotate work on one's own keys, and a role has none".to_owned());
            if rights.ways().contains("simulation") {
                notes.push("a session policy, where the role was assumed with one, may still refuse".to_owned());
            }
        }
        IdentityKind::FederatedUser { .. } => notes.push(
            "a session of GetFederationToken cannot call IAM, whatever its policies say: use the user's own key"
                .to_owned(),
        ),
        IdentityKind::User(_) | IdentityKind::Other => {}
    }
    let every = "for every user of the account; for one of them: --user NAME";
    let of_all = checked
        .iter()
        .filter(|one| one.inapplicable.is_none() && one.command.reach() != Reach::Caller)
        .find(|one| scope.subject(one.command).is_none());
    if let Some(one) = of_all {
        match scope.own() {
            Some(_) => notes.push(format!("{} is checked {every}", one.command.as_str())),
            None => notes.push(format!("checked {every}")),
        }
    }
    let any = |wanted: fn(&Standing) -> bool| {
        checked.iter().flat_map(|one| &one.rights).any(|(_, _, standing, _)| wanted(standing))
    };
    if signed.device == Device::Unused && any(|standing| matches!(standing, Standing::Denied { .. })) {
        notes.push("the profile names an MFA device, and no code was given: add --mfa-code CODE".to_owned());
    }
    let lesser: BTreeSet<&str> = checked
        .iter()
        .flat_map(|one| &one.rights)
        .filter(|(action, _, standing, _)| action.need == Need::Optional && matches!(standing, Standing::Denied { .. }))
        .map(|(action, ..)| action.name)
        .collect();
    if !are_named && !lesser.is_empty() {
        let names: Vec<&str> = lesser.into_iter().collect();
        notes.push(format!(
            "missing, and some commands do less without: {}; akia policy check COMMAND says which",
            names.join(", ")
        ));
    }
    // Each reason once; the reasons of optional rights only where a command was named.
    let mut told = BTreeSet::new();
    for (action, _, standing, _) in checked.iter().flat_map(|one| &one.rights) {
        if let Some(reason) = reason(standing)
            && reason != NEEDS_USER
            && (are_named || action.need == Need::Required)
        {
            told.insert(format!("{}: {} ({reason})", action.name, answer_word(standing)));
        }
    }
    notes.extend(told);
    notes
}

/// The policies that give what is missing, or what could not be found out where nothing is known to be missing.
fn next(scope: &Scope, checked: &[Checked<'_>]) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for one in checked.iter().filter(|one| one.inapplicable.is_none() && one.verdict() == Verdict::Lacking) {
        let subject = scope.subject(one.command);
        let own = subject.is_some() && subject == scope.own();
        lines.insert(policy_line(scope, one.command, one.command.policy(own)));
    }
    lines.into_iter().collect()
}

fn policy_line(scope: &Scope, command: Command, job: Option<JobPolicy>) -> String {
    let mut line = format!("akia policy {}", job.map_or(command.as_str(), JobPolicy::as_str));
    let is_for_one = job.is_some_and(|job| job != JobPolicy::RotateOthersKeys);
    if is_for_one && scope.subject(command).is_some_and(|user| user.path != "/") {
        line.push_str(" --path-aware");
    }
    match scope.caller.partition() {
        Some(partition @ (Partition::AwsCn | Partition::AwsUsGov)) => {
            line.push_str(&format!(" --partition {partition}"))
        }
        Some(Partition::Aws) | None => {}
    }
    line + " (the policy to ask your administrator for)"
}

fn show_aws_cli(context: &Context, signed: &Signed, rights: &Rights, checked: &[Checked<'_>]) {
    let Some(principal) = &rights.principal else { return };
    let mut by_resource: std::collections::BTreeMap<&str, BTreeSet<&str>> = std::collections::BTreeMap::new();
    for (action, resource, _, _) in checked.iter().flat_map(|one| &one.rights) {
        by_resource.entry(resource).or_default().insert(action.name);
    }
    let by = connection(context, signed);
    let step = |(resource, actions): (&str, BTreeSet<&str>)| {
        let actions = actions.into_iter().map(str::to_owned).collect();
        let ask =
            Operation::SimulatePrincipalPolicy { principal: principal.clone(), actions, resource: resource.to_owned() };
        aws_cli::step(&ask, &by)
    };
    aws_cli::print(context, &by_resource.into_iter().map(step).collect::<Vec<_>>());
}
