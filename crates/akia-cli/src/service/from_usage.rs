//! `akia service create --from-usage`: the policy out of what somebody has called.

use akia_core::policy::PolicyDocument;

#[cfg(feature = "usage")]
use akia_core::usage::LeastOptions;
#[cfg(feature = "usage")]
use jiff::{SignedDuration, Timestamp};

use crate::commands::service::CreateArgs;
#[cfg(not(feature = "usage"))]
use crate::commands::usage::not_built;
use crate::context::Context;
use crate::error::CommandError;
#[cfg(feature = "usage")]
use crate::usage::policy::{draw, words};

/// Days of calls, where nobody says how many.
#[cfg(feature = "usage")]
const DAYS: u16 = 90;
/// Logs are loaded by night, and come late: the last two days may be missing.
#[cfg(feature = "usage")]
const SLACK: SignedDuration = SignedDuration::from_hours(48);

/// A policy, and what has to be said of it.
pub(super) struct FromUsage {
    pub(super) policy: PolicyDocument,
    pub(super) notes: Vec<String>,
}

/// Draws the policy of whom the arguments name.
///
/// # Errors
/// When nobody of that name has called anything, or logs do not cover the days: a policy out of half of the calls would stop the program.
#[cfg(feature = "usage")]
pub(super) async fn policy(context: &Context, args: &CreateArgs, whose: &str) -> Result<FromUsage, CommandError> {
    let days = args.days.unwrap_or(DAYS);
    let unchanged = |error: CommandError| error.now("nothing was changed");
    let drawn = draw(context, &args.facts, whose, days, LeastOptions::default()).await.map_err(unchanged)?;
    let now = Timestamp::now();
    if let Some(doubt) = drawn.covered.doubts(drawn.since, now - SLACK, true).first() {
        return Err(CommandError::decision(format_args!(
            "the logs that were loaded do not cover the calls of {whose} of the last {days} days: {doubt}"
        ))
        .now("nothing was changed")
        .next("akia usage status, for what is loaded; akia usage load for the rest")
        .next("or --days with the days that are covered")
        .next(format!("or akia usage policy {whose} > policy.json, and --policy policy.json once you have read it")));
    }
    let user = drawn.facts.first().map(|fact| fact.user.as_str()).unwrap_or_default();
    let mut notes = vec![format!("the policy is drawn from what {user} has called, as far as it was logged")];
    notes.extend(words(&drawn.least));
    notes.extend(drawn.covered.doubts(drawn.since, now, true).iter().map(ToString::to_string));
    // A group takes less than one of the documents may have: that is looked at later, as of any policy.
    let statements = drawn.least.documents.into_iter().flat_map(|document| document.statement).collect();
    Ok(FromUsage { policy: PolicyDocument::new(statements), notes })
}

/// What an akia says that was built without DataFusion.
#[cfg(not(feature = "usage"))]
pub(super) async fn policy(_: &Context, _: &CreateArgs, _: &str) -> Result<FromUsage, CommandError> {
    Err(not_built())
}
