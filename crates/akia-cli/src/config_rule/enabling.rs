//! `akia config-rule enable`.

use akia_core::config_rule::{Blocked, Recording, Step, TemplateForm, Wanted, statement, steps, template};
use akia_io::aws::AwsError;
use serde_json::Value;

use super::{Desk, refused};
use crate::commands::config_rule::{EnableArgs, Template};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::{Cell, Column, Report, Row, Tone};
use crate::prompt;

pub(crate) async fn run(context: &Context, args: &EnableArgs) -> Result<Exit, CommandError> {
    let wanted = Wanted {
        name: args.name.clone(),
        max_age_days: args.max_age,
        topic: args.sns.clone(),
        for_organization: args.org,
        excluded: args.excluded.clone(),
    };
    if let Some(form) = args.template {
        return print(context, &wanted, form);
    }
    let desk = Desk::open(context).await?;
    same_region(&wanted, &desk)?;
    let found = desk.found(&wanted, wanted.topic.as_ref()).await?;
    let statement = wanted.topic.as_ref().map(|topic| statement(&wanted.name, topic, &desk.account, &desk.region));
    if let Some(warning) = found.recording.warning().filter(|_| found.recording != Recording::NoRecorder) {
        context.say(&format!("warning: {warning}"));
    }
    if let Some(key) = found.topic.as_ref().and_then(|topic| topic.kms_key.as_ref()) {
        context.say(&format!(
            "note: the topic is encrypted with {key}: its key policy must let events.amazonaws.com use kms:Decrypt and \
             kms:GenerateDataKey*, or EventBridge drops the messages (the key alias/aws/sns never does)"
        ));
    }
    let steps = steps(&wanted, &found, statement.as_ref(), args.grant)
        .map_err(|blocked| in_the_way(&blocked, &wanted, &desk))?;
    for step in &steps {
        context.say(&step.words(&wanted));
    }
    if steps.is_empty() {
        context.say(&format!("nothing to do: rule {} in {} is as wanted", wanted.name, desk.region));
    }
    if wanted.for_organization && wanted.topic.is_some() {
        context.say(
            "note: Config tells of findings in the account where they are. This topic hears of those of other accounts only if they \
             forward their events to the default bus here, or have an EventBridge rule of their own (--template, as a StackSet)",
        );
    }
    if args.consent.dry_run {
        return Ok(Exit::Done);
    }
    if steps.is_empty() {
        return report(context, &wanted, &steps, None);
    }
    prompt::confirm(context, args.consent.yes, "Set this up?")?;
    for (index, step) in steps.iter().enumerate() {
        if let Err(error) = take(&desk, &wanted, step, found.topic.as_ref(), statement.as_ref()).await {
            if index == 0 && error.outcome_is_known() {
                return Err(refused("AWS refused the first step", &error));
            }
            return report(context, &wanted, &steps, Some((index, &error)));
        }
    }
    read_back(context, &desk, &wanted, statement.as_ref()).await;
    report(context, &wanted, &steps, None)
}

fn print(context: &Context, wanted: &Wanted, form: Template) -> Result<Exit, CommandError> {
    let form = match form {
        Template::Cloudformation => TemplateForm::Cloudformation,
        Template::Terraform => TemplateForm::Terraform,
    };
    context.print_text(&template(wanted, form))?;
    if wanted.topic.is_some() {
        context.say(
            "note: the policy of the topic must let events.amazonaws.com publish; it is not in the template, which would replace \
             all of it. akia config-rule enable --sns ARN --dry-run prints the statement",
        );
    }
    Ok(Exit::Done)
}

/// EventBridge sends to topics of its own region.
fn same_region(wanted: &Wanted, desk: &Desk) -> Result<(), CommandError> {
    match &wanted.topic {
        Some(topic) if topic.region != desk.region => Err(CommandError::usage(format_args!(
            "the topic is in {}, the rule would be in {}: EventBridge sends to topics of its own region only",
            topic.region, desk.region
        ))
        .now("nothing was changed")
        .next(format!("add --region {}, or name a topic in {}", topic.region, desk.region))),
        Some(_) | None => Ok(()),
    }
}

async fn take(
    desk: &Desk,
    wanted: &Wanted,
    step: &Step,
    topic_policy: Option<&akia_core::config_rule::TopicPolicy>,
    statement: Option<&Value>,
) -> Result<(), AwsError> {
    let (caller, region) = (&desk.caller, &desk.region);
    match step {
        Step::PutRule { .. } => caller.put_config_rule(region, wanted).await,
        Step::PutOrganizationRule { .. } => caller.put_organization_config_rule(region, wanted).await,
        Step::PutEventRule { .. } => caller.put_event_rule(region, wanted).await,
        Step::PutTarget { .. } => match &wanted.topic {
            Some(topic) => caller.put_event_target(region, wanted.name.as_str(), &wanted.target(topic)).await,
            None => Ok(()),
        },
        Step::Grant => match (&wanted.topic, topic_policy, statement) {
            (Some(topic), Some(policy), Some(statement)) => {
                caller.set_topic_policy(topic, &policy.with(statement)).await
            }
            _ => Ok(()),
        },
    }
}

/// Looks whether AWS shows what it has accepted.
async fn read_back(context: &Context, desk: &Desk, wanted: &Wanted, statement: Option<&Value>) {
    let left = match desk.found(wanted, wanted.topic.as_ref()).await {
        Ok(found) => steps(wanted, &found, statement, true),
        Err(error) => return context.say(&format!("note: it could not be read back: {}", error.what)),
    };
    match left {
        Ok(left) if left.is_empty() => {}
        Ok(_) | Err(_) => context.say("note: AWS took it and does not show all of it yet; run the same command again"),
    }
}

fn in_the_way(blocked: &[Blocked], wanted: &Wanted, desk: &Desk) -> CommandError {
    let (name, region) = (&wanted.name, &desk.region);
    let what: Vec<String> = blocked
        .iter()
        .map(|one| match one {
            Blocked::NoRecorder => format!("AWS Config has no recorder in {region}, and takes no rule without one"),
            Blocked::ForeignRule => format!("AWS Config has a rule {name} that akia did not make"),
            Blocked::ForeignOrganizationRule => format!("the organisation has a rule {name} that akia did not make"),
            Blocked::ForeignEventRule => format!("EventBridge has a rule {name} that akia did not make"),
            Blocked::TopicPolicy(_) => "the policy of the topic does not let EventBridge publish".to_owned(),
            Blocked::TopicDenies => "the policy of the topic denies EventBridge to publish".to_owned(),
        })
        .collect();
    let mut error = CommandError::decision(what.join("; ")).now("nothing was changed");
    for one in blocked {
        error = match one {
            Blocked::NoRecorder => error
                .next(format!("set Config up in {region} (console: AWS Config, Set up), with AWS::IAM::User recorded"))
                .next("or name the region where Config records: --region REGION"),
            Blocked::ForeignRule | Blocked::ForeignOrganizationRule | Blocked::ForeignEventRule => {
                error.next("give another name: --name NAME")
            }
            Blocked::TopicPolicy(statement) => error
                .next("add --grant to have this statement added to the policy, or add it yourself:")
                .next(statement.to_string()),
            Blocked::TopicDenies => error.next("change the Deny in the topic's policy, or name another topic"),
        };
    }
    error
}

fn report(
    context: &Context,
    wanted: &Wanted,
    steps: &[Step],
    failed: Option<(usize, &AwsError)>,
) -> Result<Exit, CommandError> {
    let columns = vec![Column::new("step", "STEP"), Column::whole("state", "STATE"), Column::new("reason", "REASON")];
    let mut table = Report::new("config-rule-enable", "steps", columns);
    table.fact("rule", wanted.name.as_str());
    for (index, step) in steps.iter().enumerate() {
        let (state, tone, reason) = match failed {
            Some((at, error)) if index == at => ("failed", Tone::Bad, Some(error.to_string())),
            Some((at, _)) if index > at => ("not tried", Tone::Warning, None),
            Some(_) | None => ("done", Tone::Good, None),
        };
        table.push(Row::from(vec![
            Cell::text(super::one_space(&step.words(wanted))),
            Cell::text(state).tone(tone),
            Cell::maybe(reason),
        ]));
    }
    context.print_done(&table)?;
    if failed.is_some() {
        context.say("next: run the same command again: what is there as wanted stays");
        return Ok(Exit::Partly);
    }
    if !steps.is_empty() {
        context.say("Config looks within a day; then: akia config-rule status");
    }
    Ok(Exit::Done)
}
