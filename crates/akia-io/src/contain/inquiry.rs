//! What a key could do, and what it did. Everything here only reads, and what cannot be read is said to be unknown.

use akia_core::contain::{Footprint, Reach, RegionRead, TrailEvent};
use akia_core::estate::Known;
use akia_core::ids::{AccessKeyId, Region, UserArn};
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::audit::without_key;
use crate::aws::{Caller, Simulation};

/// Pages of fifty events that a case reads of one region, at most: half a minute.
pub const CASE_PAGES: usize = 60;
/// Actions that one simulation is asked about; AWS takes 100 and answers slowly.
const MOST_ACTIONS: usize = 50;

/// How far the user of a key reaches.
pub async fn reach(caller: &Caller, user: &UserArn) -> Known<Reach> {
    let found = match caller.authorization(&user.name).await {
        Ok(found) => found,
        Err(error) => return Known::Unknown { reason: without_key(&error.to_string()) },
    };
    let Some(policies) = found.user else {
        return Known::Unknown { reason: format!("the account lists no user {}", user.name) };
    };
    let questions = policies.questions();
    let denied = if questions.is_empty() { Known::Told(Vec::new()) } else { simulated(caller, user, &questions).await };
    Known::Told(Reach::of(user, &policies, &found.roles, denied))
}

/// The actions that AWS's simulation says are denied by a statement or by the organisation. One that no statement allows on every
/// resource may be allowed on some, and does not count.
async fn simulated(caller: &Caller, user: &UserArn, actions: &[&str]) -> Known<Vec<String>> {
    let principal = user.to_string();
    let mut denied = Vec::new();
    for actions in actions.chunks(MOST_ACTIONS) {
        let ask = Simulation { principal: &principal, actions, resource: "*", facts: &[] };
        match caller.simulate(ask).await {
            Ok(answers) => {
                let is_denied =
                    answers.into_iter().filter(|one| !one.is_allowed && (one.is_explicit || one.by_organization));
                denied.extend(is_denied.map(|one| one.action));
            }
            Err(error) => return Known::Unknown { reason: without_key(&error.to_string()) },
        }
    }
    Known::Told(denied)
}

/// What CloudTrail has of a key since a moment, in these regions, side by side; at most so many pages of fifty events each.
pub async fn footprint(
    caller: &Caller,
    regions: &[Region],
    key: &AccessKeyId,
    since: Timestamp,
    most_pages: usize,
) -> (Footprint, Vec<TrailEvent>) {
    let asked = regions
        .iter()
        .map(|region| async move { (region, caller.events_of_key(region, key, since, most_pages).await) });
    let (mut reads, mut events) = (Vec::new(), Vec::new());
    for (region, answer) in join_all(asked).await {
        let (count, is_cut) = match answer {
            Ok(found) => {
                let parsed: Vec<TrailEvent> = found.records.iter().filter_map(|one| TrailEvent::parse(one)).collect();
                let count = parsed.len();
                events.extend(parsed);
                (Known::Told(count), found.is_cut)
            }
            Err(error) => (Known::Unknown { reason: without_key(&error.to_string()) }, false),
        };
        reads.push(RegionRead { region: region.to_string(), events: count, is_cut });
    }
    (Footprint::of(since, reads, events.clone()), events)
}
