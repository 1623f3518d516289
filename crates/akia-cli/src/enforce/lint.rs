//! `akia enforce lint`: whether a policy says what was meant.

use std::collections::BTreeSet;

use akia_core::enforce::{Case, EnforcePolicy, Warning};
use akia_core::estate::Estate;
use akia_core::span;

use super::{agreed, all_cases, planning};
use crate::commands::enforce::LintArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report};
use crate::workbench;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &LintArgs) -> Result<Exit, CommandError> {
    let agreed = agreed(context, &args.config)?;
    let policy = &agreed.policy;
    let mut warnings = policy.warnings(context.started_at);
    if agreed.settings.notify.default.is_empty() && agreed.settings.notify.routes.is_empty() {
        let what = "[notify] names no channel: no notice can be delivered, and so no key is ever deactivated";
        warnings.push(Warning(what.to_owned()));
    }
    let journal = workbench::journal(context).await?;
    let cases = all_cases(context, journal.as_ref()).await?;
    // Against what is known of the accounts, where an audit was kept.
    if let Ok(Some(basis)) = planning::latest(context, None, &|_| true).await {
        warnings.extend(without_subject(policy, &basis.estates, &cases));
    }
    let mut report = Report::new("enforce-lint", "warnings", vec![Column::new("warning", "WARNING")]);
    report.fact("policy", policy.digest());
    report.fact("is_enabled", policy.is_enabled);
    for Warning(warning) in &warnings {
        report.push(vec![Cell::text(warning)]);
    }
    context.say(&summary(policy));
    if warnings.is_empty() {
        context.say("nothing to say against it");
    }
    context.print(&report)?;
    Ok(if args.strict && !warnings.is_empty() { Exit::Findings } else { Exit::Done })
}

/// The policy in a few words.
fn summary(policy: &EnforcePolicy) -> String {
    let waits = policy.base.waits;
    let delete = waits.delete_after.map_or_else(|| "never".to_owned(), |wait| format!("{} later", span::exact(wait)));
    let rules: Vec<&str> = policy.base.rules.iter().map(String::as_str).collect();
    format!(
        "policy {}: {}: notice, reminder after {}, deactivation after {}, deletion {delete}; {} overrides, {} exemptions",
        policy.digest(),
        if rules.is_empty() { "no rule".to_owned() } else { rules.join(", ") },
        span::exact(waits.remind_after),
        span::exact(waits.deactivate_after),
        policy.overrides.len(),
        policy.exemptions.len(),
    )
}

/// Exemptions of users and keys that there are not: a slip of the pen would not exempt anybody.
fn without_subject(policy: &EnforcePolicy, estates: &[Estate], cases: &[Case]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for one in &policy.exemptions {
        let Some(estate) = estates.iter().find(|estate| estate.account.id == one.account) else {
            warnings.push(Warning(format!(
                "an exemption is for account {}, which the latest audit has not read",
                one.account
            )));
            continue;
        };
        let users: BTreeSet<String> = estate.users.iter().map(|user| user.name().as_str().to_lowercase()).collect();
        let keys = || estate.users.iter().flat_map(|user| &user.keys).filter_map(|key| key.id.as_ref());
        if let Some(user) = &one.user
            && !users.contains(&user.as_str().to_lowercase())
        {
            warnings
                .push(Warning(format!("an exemption is for user {user}, whom account {} does not have", one.account)));
        }
        if let Some(key) = &one.key
            && keys().all(|id| id != key)
            && cases.iter().all(|case| case.opening().subject.key != *key)
        {
            warnings
                .push(Warning(format!("an exemption is for key {key}, which account {} does not have", one.account)));
        }
    }
    warnings
}
