//! `akia usage policy`.

use akia_core::UserName;
use akia_core::usage::{Compared, Fact, Least, LeastOptions, OfAccount};
use akia_usage::About;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::open;
use crate::audit::words::counted;
use crate::commands::usage::{FactsArgs, PolicyArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::signing::{self, Mfa};

/// The least policy of somebody, and what it was drawn from.
pub(crate) struct Drawn {
    pub(crate) facts: Vec<Fact>,
    pub(crate) least: Least,
    /// Since when calls were looked at.
    pub(crate) since: Timestamp,
    /// What is covered of the user's account.
    pub(crate) covered: OfAccount,
}

/// Draws the policy of a user, or of a key, out of the calls of so many days.
///
/// # Errors
/// When there are no facts, nobody of that name, or no call that needs a policy.
pub(crate) async fn draw(
    context: &Context,
    facts: &FactsArgs,
    whose: &str,
    days: u16,
    options: LeastOptions,
) -> Result<Drawn, CommandError> {
    let desk = open::open_loaded(context, facts).await?;
    let since = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
    let facts = of(&desk, whose, since).await?;
    let least = Least::of(&facts, options);
    if least.documents.is_empty() {
        return Err(CommandError::failed(format_args!("no call of {whose} needs a policy, of the last {days} days"))
            .next("akia usage status, for what is loaded"));
    }
    let covered = desk.covered().await.map_err(|error| open::failed(&error))?;
    let account = facts.first().map(|fact| fact.account.as_str()).unwrap_or_default();
    Ok(Drawn { since, covered: OfAccount::of(account, &covered), facts, least })
}

pub(crate) async fn run(context: &Context, args: PolicyArgs) -> Result<Exit, CommandError> {
    let options = LeastOptions { include_refused: args.include_refused, regions: args.regions };
    let Drawn { facts, least, .. } = draw(context, &args.facts, &args.whose, args.days, options).await?;
    let compared = if args.compare { Some(compare(context, &facts, &least).await?) } else { None };
    match context.format() {
        Format::Json => context.print_json(&json!({
            "schema": "akia.usage-policy/1",
            "whose": args.whose,
            "days": args.days,
            "least": least,
            "compared": compared,
        }))?,
        Format::Table | Format::Csv => {
            for document in &least.documents {
                context.print_text(&format!("{}\n", document.to_pretty_json()))?;
            }
        }
    }
    say(context, &least, compared.as_ref());
    Ok(Exit::Done)
}

/// The facts of a user, or of a key.
async fn of(desk: &akia_usage::Desk, whose: &str, since: Timestamp) -> Result<Vec<Fact>, CommandError> {
    let failed = |error: akia_usage::UsageError| open::failed(&error);
    let about = match whose.parse::<akia_core::AccessKeyId>() {
        Ok(key) => About { key: Some(key.to_string()), since: Some(since), ..About::default() },
        Err(_) => About { user: Some(whose.to_owned()), since: Some(since), ..About::default() },
    };
    let facts = desk.facts(&about).await.map_err(failed)?;
    let mut users: Vec<&str> = facts.iter().map(|fact| fact.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    match users.len() {
        0 => Err(open::nobody(desk, whose).await),
        1 => Ok(facts),
        many => Err(CommandError::usage(format_args!("{whose} is the name of {many} users: {}", users.join(", ")))
            .next(format!("akia usage policy {}", users[0]))),
    }
}

/// What is attached, as AWS has it now.
async fn compare(context: &Context, facts: &[Fact], least: &Least) -> Result<Compared, CommandError> {
    let arn = facts.first().map(|fact| fact.user.as_str()).unwrap_or_default();
    let name: UserName = arn.rsplit('/').next().unwrap_or_default().parse().map_err(CommandError::failed)?;
    let signed = signing::sign(context, &context.aws_files()?, Mfa::IfGiven).await?;
    let authorization = signed.caller.authorization(&name).await.map_err(|error| {
        CommandError::failed(format_args!("the policies of {name} cannot be read: {error}"))
            .next("leave --compare out, or sign with a profile that may call iam:GetAccountAuthorizationDetails")
    })?;
    let policies = authorization.user.ok_or_else(|| {
        CommandError::failed(format_args!("{name} is no user of the account of {}", signed.describe()))
            .now(format!("the calls are those of {arn}"))
            .next("name a profile of that account with --profile")
    })?;
    Ok(Compared::of(&policies, &least.used))
}

/// What it is drawn from, and then all that has to be said of it.
pub(crate) fn words(least: &Least) -> Vec<String> {
    let mut words = Vec::new();
    let calls: u64 = least.used.iter().map(|used| used.calls.calls).sum();
    if let (Some(first), Some(last)) = (least.first, least.last) {
        words.push(format!("{} of {calls} calls between {first} and {last}", counted(least.used.len(), "action")));
    }
    if least.documents.len() > 1 {
        words.push(format!("{} policies: one would be longer than AWS takes", least.documents.len()));
    }
    for used in &least.used {
        let whole = match used.whole {
            Some(akia_core::usage::Whole::NotTold { calls }) => {
                format!("{calls} calls do not say what they were about")
            }
            Some(akia_core::usage::Whole::TooMany { resources }) => format!("it was used on {resources} resources"),
            Some(akia_core::usage::Whole::TakesNone) | None => continue,
        };
        words.push(format!("{} on *: {whole}", used.action));
    }
    for used in &least.used {
        if let Some(unsure) = used.unsure {
            words.push(format!("{} may not be needed: {unsure}", used.action));
        }
    }
    for beside in &least.beside {
        words.push(format!("{} may also ask for {}", beside.action, beside.asks));
    }
    for refused in &least.refused {
        let event = format!("{}:{}", refused.seen.service, refused.seen.event);
        words.push(format!(
            "left out: {event}, {} refused ({})",
            counted(refused.seen.calls.calls, "call"),
            refused.error
        ));
    }
    for unknown in &least.unknown {
        words.push(format!("left out: {}:{}, of which no action is known", unknown.service, unknown.event));
    }
    for (can_be, how) in [(true, "a trail logs them only where it is told to"), (false, "CloudTrail never logs them")] {
        let what =
            least.unlogged.iter().filter(|unlogged| unlogged.can_be_logged == can_be).map(|unlogged| unlogged.what);
        let what: Vec<&str> = what.collect();
        if !what.is_empty() {
            words.push(format!("not in these logs, and so not in the policy ({how}): {}", what.join(", ")));
        }
    }
    words
}

fn say(context: &Context, least: &Least, compared: Option<&Compared>) {
    for (at, line) in words(least).iter().enumerate() {
        context.say(&format!("{}{line}", if at == 0 { "" } else { "- " }));
    }
    let Some(compared) = compared else { return };
    for service in &compared.unused {
        context.say(&format!(
            "- attached and never used: {} of {} actions of {}, {} of which change something: {}",
            service.unused,
            service.allowed,
            service.prefix,
            service.changing,
            service.actions.join(", ")
        ));
    }
    for given in compared.given.iter().filter(|given| given.by.is_empty()) {
        context.say(&format!("- used, and attached no longer: {}", given.action));
    }
    for unread in &compared.unread {
        context.say(&format!("- not known: what {unread} allows"));
    }
}
