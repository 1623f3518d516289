//! What akia keeps of the calls of users.

use std::collections::HashMap;

use akia_core::usage::{Fact, Resources};
use jiff::Timestamp;

use super::event::{region_of, resource};
use super::{Call, REGIONS, Trail};

/// What makes calls of one hour equal.
#[derive(PartialEq, Eq, Hash)]
struct Same {
    who: u32,
    hour: i64,
    service: &'static str,
    name: &'static str,
    region: usize,
    ip: std::net::IpAddr,
    agent: String,
    error: &'static str,
    resource: String,
}

impl Trail {
    /// The facts of the calls of users, sorted.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts: HashMap<Same, [i64; 3]> = HashMap::new();
        for call in self.days().flat_map(|day| self.calls_of(&day)) {
            let [count, first, last] = facts.entry(self.same(&call)).or_insert([0, call.at, call.at]);
            *count += 1;
            *first = call.at.min(*first);
            *last = call.at.max(*last);
        }
        let time = |second: i64| Timestamp::from_second(second).unwrap_or_default();
        let mut facts: Vec<Fact> = facts
            .into_iter()
            .map(|(same, [calls, first, last])| {
                let actor = &self.actors[same.who as usize];
                Fact {
                    key: actor.key.clone(),
                    account: actor.account.clone(),
                    user: actor.arn(),
                    hour: time(same.hour),
                    service: same.service.to_owned(),
                    name: same.name.to_owned(),
                    region: REGIONS[same.region].to_owned(),
                    ip: same.ip.to_string(),
                    agent: same.agent,
                    error: same.error.to_owned(),
                    resources: Resources(same.resource),
                    calls: calls.unsigned_abs(),
                    first: time(first),
                    last: time(last),
                }
            })
            .collect();
        facts.sort();
        facts
    }

    fn same(&self, call: &Call) -> Same {
        let operation = self.operation(call);
        let actor = &self.actors[call.who as usize];
        let region = region_of(operation, actor.home);
        let mut agent = String::new();
        self.agent(call, &mut agent);
        let resource = resource(operation, &actor.account, REGIONS[region], call.seed);
        Same {
            who: call.who,
            hour: call.at - call.at.rem_euclid(3_600),
            service: operation.service,
            name: operation.name,
            region,
            ip: call.address,
            agent,
            error: if call.is_refused { super::event::refusal_code(operation) } else { "" },
            resource: resource.map_or_else(String::new, |(_, arn)| arn),
        }
    }
}
