//! `akia config-rule disable`.

use akia_core::config_rule::{Found, Removed, TARGET, TopicArn, Wanted, removal, statement};
use akia_io::aws::AwsError;

use super::{Desk, one_space, refused};
use crate::commands::config_rule::DisableArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::prompt;

pub(crate) async fn run(context: &Context, args: &DisableArgs) -> Result<Exit, CommandError> {
    let wanted = Wanted {
        name: args.name.clone(),
        max_age_days: 90,
        topic: None,
        for_organization: args.org,
        excluded: Vec::new(),
    };
    let desk = Desk::open(context).await?;
    let mut found = desk.found(&wanted, None).await?;
    let topic = topic_of(&found);
    let statement = topic.as_ref().map(|topic| statement(&wanted.name, topic, &desk.account, &desk.region));
    if let Some(topic) = &topic {
        match desk.caller.topic_policy(topic).await {
            Ok(policy) => found.topic = Some(policy),
            Err(error) => context.say(&format!("note: the policy of the topic is not looked at: {error}")),
        }
    }
    let plan = removal(&wanted, &found, topic.as_ref().zip(statement.as_ref()));
    for one in &plan.remove {
        context.say(&one.words(&wanted));
    }
    for words in &plan.left {
        context.say(&format!("left    {words}"));
    }
    if plan.remove.is_empty() {
        context.say(&format!("nothing to remove: akia has made nothing named {} in {}", wanted.name, desk.region));
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    if !plan.remove.is_empty() {
        prompt::confirm(context, args.consent.yes, "Remove this?")?;
    }
    let columns = vec![Column::new("step", "STEP"), Column::whole("state", "STATE"), Column::new("reason", "REASON")];
    let mut table = Report::new("config-rule-disable", "steps", columns);
    table.fact("rule", wanted.name.as_str());
    let mut failed = None;
    for (index, one) in plan.remove.iter().enumerate() {
        let (state, tone, reason) = match failed {
            Some(_) => ("not tried", Tone::Warning, None),
            None => match take(&desk, &wanted, one).await {
                Ok(()) => ("done", Tone::Good, None),
                Err(error) if index == 0 && error.outcome_is_known() => {
                    return Err(refused("AWS refused the first step", &error));
                }
                Err(error) => ("failed", Tone::Bad, Some(failed.insert(error).to_string())),
            },
        };
        table.push(Row::from(vec![
            Cell::text(one_space(&one.words(&wanted))),
            Cell::text(state).tone(tone),
            Cell::maybe(reason),
        ]));
    }
    context.print_done(&table)?;
    if failed.is_some() {
        context.say("next: run the same command again");
        return Ok(Exit::Partly);
    }
    Ok(Exit::Done)
}

/// Where akia's target points.
fn topic_of(found: &Found) -> Option<TopicArn> {
    let rule = found.event_rule.as_ref().filter(|rule| rule.is_marked())?;
    rule.target()?["Arn"].as_str()?.parse().ok()
}

async fn take(desk: &Desk, wanted: &Wanted, one: &Removed) -> Result<(), AwsError> {
    let (caller, region, name) = (&desk.caller, &desk.region, wanted.name.as_str());
    match one {
        Removed::Target => caller.remove_event_target(region, name, TARGET).await,
        Removed::EventRule => caller.delete_event_rule(region, name).await,
        Removed::Statement { topic, rest } => caller.set_topic_policy(topic, rest).await,
        Removed::Rule => caller.delete_config_rule(region, name).await,
        Removed::OrganizationRule => caller.delete_organization_config_rule(region, name).await,
    }
}
