//! What loaded logs have of a key: they go back further than CloudTrail's event history, and may have data events.

use akia_core::AccessKeyId;
use akia_core::estate::Known;
use akia_core::usage::{Blast, Did};
use akia_io::state::StateFolder;

use super::case::{Case, day};
use crate::context::Context;

/// Calls of one kind that the plan names.
const MOST_CALLS: usize = 4;

/// What the facts of `akia usage` in the state folder have of a key; none where they have nothing.
#[cfg(feature = "usage")]
pub(super) async fn blast(state: &StateFolder, key: &AccessKeyId) -> Option<Known<Blast>> {
    match crate::usage::seen::LoadedFacts::of(state.path())?.facts(key, None).await {
        Ok(facts) if facts.is_empty() => None,
        Ok(facts) => Some(Known::Told(Blast::of(&facts))),
        Err(reason) => Some(Known::Unknown { reason }),
    }
}

/// Without `akia usage` there are none.
#[cfg(not(feature = "usage"))]
#[expect(clippy::unused_async, reason = "the same as with the feature")]
pub(super) async fn blast(_: &StateFolder, _: &AccessKeyId) -> Option<Known<Blast>> {
    None
}

/// The command that shows all of it, where there is something.
pub(super) fn next(case: &Case) -> Option<String> {
    case.logs.as_ref()?.told()?;
    Some(format!("akia usage blast {} (what the loaded logs have of it)", case.key))
}

/// Tells it, in a line for each kind of calls.
pub(super) fn tell(context: &Context, case: &Case) {
    let say = |words: String| context.say(&format!("logs    {words}"));
    let blast = match &case.logs {
        None => return,
        Some(Known::Unknown { reason }) => return say(format!("not known: {reason}")),
        Some(Known::Told(blast)) => blast,
    };
    if let (Some(first), Some(last)) = (blast.first, blast.last) {
        say(format!("what was loaded has calls of it from {} to {}", day(first), day(last)));
    }
    for (what, list) in blast.lists() {
        if !list.is_empty() {
            say(format!("{what}: {}", calls(list)));
        }
    }
    say(format!("all of it: akia usage blast {}", case.key));
}

/// The calls of a list, by name, the most frequent first.
fn calls(list: &[Did]) -> String {
    let mut by_name: Vec<(&str, u64)> = Vec::new();
    for did in list {
        match by_name.iter_mut().find(|(name, _)| *name == did.call) {
            Some((_, calls)) => *calls += did.calls,
            None => by_name.push((&did.call, did.calls)),
        }
    }
    by_name.sort_by_key(|(name, calls)| (std::cmp::Reverse(*calls), *name));
    let mut words: Vec<String> =
        by_name.iter().take(MOST_CALLS).map(|(name, calls)| format!("{name} ({calls})")).collect();
    if by_name.len() > MOST_CALLS {
        words.push(format!("{} more", by_name.len() - MOST_CALLS));
    }
    words.join(", ")
}
