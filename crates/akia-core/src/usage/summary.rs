//! What one key, or one user, was used for: counted, and put in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use super::network::{Atlas, Networks, Origin};
use super::{Agent, Fact};

/// The use of a key in the time that the facts cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The first call.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// All calls.
    pub calls: u64,
    /// Those of them that AWS refused or could not carry out.
    pub errors: u64,
    /// The keys that signed; more than one where facts of several are given, nothing for a console session.
    pub keys: Vec<Part>,
    /// What was called, the most called service first.
    pub services: Vec<ServiceUse>,
    /// Where.
    pub regions: Vec<Part>,
    /// Where from.
    pub networks: Vec<NetworkUse>,
    /// With what.
    pub agents: Vec<AgentUse>,
    /// Why calls failed: by AWS's error code.
    pub failures: Vec<Part>,
    /// Calls by the hour of the day in UTC, from midnight.
    pub by_hour: [u64; 24],
    /// Calls by day, from the first to the last; days without any are there, too.
    pub by_day: Vec<Part>,
}

/// Something with its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What: a name, a code, a day.
    pub name: String,
    /// How many calls.
    pub calls: u64,
}

/// A service and what was called of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceUse {
    /// As in `iam`.
    pub service: String,
    /// How many calls.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// The last one.
    pub last: Timestamp,
    /// Its calls by name, the most called first.
    pub actions: Vec<Part>,
}

/// A network and the addresses in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkUse {
    /// Its name.
    pub network: String,
    /// What it is.
    pub origin: Origin,
    /// Where it is, where that is known of all its addresses alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How many calls.
    pub calls: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// The addresses, the most calling first.
    pub addresses: Vec<Part>,
}

/// A program on a machine, whatever its versions and commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUse {
    /// The program.
    pub program: String,
    /// The machine, as far as it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Where it says that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Whether it is a tool of attackers, or runs on a system made for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offensive: bool,
    /// The versions that were seen.
    pub versions: Vec<String>,
    /// How many calls.
    pub calls: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// One of its user agents, as CloudTrail has it.
    pub example: String,
}

/// Sums up facts; none where there are none.
pub fn summary<'f>(
    facts: impl IntoIterator<Item = &'f Fact>,
    networks: &Networks,
    atlas: &dyn Atlas,
) -> Option<Summary> {
    let mut sums: Option<Sums> = None;
    for fact in facts {
        sums.get_or_insert_with(|| Sums::new(fact)).take(fact, networks, atlas);
    }
    sums.map(Sums::summary)
}

struct Sums {
    first: Timestamp,
    last: Timestamp,
    calls: u64,
    errors: u64,
    keys: BTreeMap<String, u64>,
    services: BTreeMap<String, (ServiceUse, BTreeMap<String, u64>)>,
    regions: BTreeMap<String, u64>,
    /// The network of each address, which is looked up once.
    networks_of: BTreeMap<String, String>,
    networks: BTreeMap<String, (NetworkUse, BTreeMap<String, u64>)>,
    agents_of: BTreeMap<String, Agent>,
    agents: BTreeMap<(String, Option<String>, Option<String>), AgentUse>,
    failures: BTreeMap<String, u64>,
    by_hour: [u64; 24],
    by_day: BTreeMap<jiff::civil::Date, u64>,
}

impl Sums {
    fn new(fact: &Fact) -> Self {
        Self {
            first: fact.first,
            last: fact.last,
            calls: 0,
            errors: 0,
            keys: BTreeMap::new(),
            services: BTreeMap::new(),
            regions: BTreeMap::new(),
            networks_of: BTreeMap::new(),
            networks: BTreeMap::new(),
            agents_of: BTreeMap::new(),
            agents: BTreeMap::new(),
            failures: BTreeMap::new(),
            by_hour: [0; 24],
            by_day: BTreeMap::new(),
        }
    }

    fn take(&mut self, fact: &Fact, networks: &Networks, atlas: &dyn Atlas) {
        let calls = fact.calls;
        let errors = if fact.error.is_empty() { 0 } else { calls };
        self.first = self.first.min(fact.first);
        self.last = self.last.max(fact.last);
        self.calls += calls;
        self.errors += errors;
        *self.keys.entry(fact.key.clone()).or_default() += calls;
        *self.regions.entry(fact.region.clone()).or_default() += calls;
        if errors > 0 {
            *self.failures.entry(fact.error.clone()).or_default() += calls;
        }
        let hour = Offset::UTC.to_datetime(fact.hour);
        if let Some(of_hour) = self.by_hour.get_mut(usize::try_from(hour.hour()).unwrap_or_default()) {
            *of_hour += calls;
        }
        *self.by_day.entry(hour.date()).or_default() += calls;
        self.take_service(fact, errors);
        self.take_network(fact, networks, atlas);
        self.take_agent(fact);
    }

    fn take_service(&mut self, fact: &Fact, errors: u64) {
        let (service, actions) = self.services.entry(fact.service.clone()).or_insert_with(|| {
            let service =
                ServiceUse { service: fact.service.clone(), calls: 0, errors: 0, last: fact.last, actions: Vec::new() };
            (service, BTreeMap::new())
        });
        service.calls += fact.calls;
        service.errors += errors;
        service.last = service.last.max(fact.last);
        *actions.entry(fact.name.clone()).or_default() += fact.calls;
    }

    fn take_network(&mut self, fact: &Fact, networks: &Networks, atlas: &dyn Atlas) {
        let is_new = !self.networks_of.contains_key(&fact.ip);
        let name = self.networks_of.entry(fact.ip.clone()).or_insert_with(|| networks.name(&fact.ip, atlas)).clone();
        let place = || {
            let place = atlas.place(fact.ip.parse().ok()?)?;
            (place.city.is_some() || place.country.is_some()).then(|| place.to_string())
        };
        let (network, addresses) = self.networks.entry(name.clone()).or_insert_with(|| {
            let network = NetworkUse {
                network: name,
                origin: networks.origin(&fact.ip),
                place: place(),
                calls: 0,
                first: fact.first,
                last: fact.last,
                addresses: Vec::new(),
            };
            (network, BTreeMap::new())
        });
        if is_new && network.place.is_some() && network.place != place() {
            network.place = None;
        }
        network.calls += fact.calls;
        network.first = network.first.min(fact.first);
        network.last = network.last.max(fact.last);
        *addresses.entry(fact.ip.clone()).or_default() += fact.calls;
    }

    fn take_agent(&mut self, fact: &Fact) {
        let agent = self.agents_of.entry(fact.agent.clone()).or_insert_with(|| Agent::parse(&fact.agent));
        let environment = agent.environment.as_ref().map(ToString::to_string);
        let same = (agent.program.clone(), agent.machine(), environment.clone());
        let of = self.agents.entry(same).or_insert_with(|| AgentUse {
            program: agent.program.clone(),
            machine: agent.machine(),
            environment,
            offensive: agent.is_offensive(),
            versions: Vec::new(),
            calls: 0,
            first: fact.first,
            last: fact.last,
            example: fact.agent.clone(),
        });
        if let Some(version) = &agent.version
            && !of.versions.contains(version)
        {
            of.versions.push(version.clone());
        }
        of.calls += fact.calls;
        of.first = of.first.min(fact.first);
        of.last = of.last.max(fact.last);
    }

    fn summary(self) -> Summary {
        let mut services: Vec<ServiceUse> = self
            .services
            .into_values()
            .map(|(service, actions)| ServiceUse { actions: parts(actions), ..service })
            .collect();
        services.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.service.cmp(&b.service)));
        let mut networks: Vec<NetworkUse> = self
            .networks
            .into_values()
            .map(|(network, addresses)| NetworkUse { addresses: parts(addresses), ..network })
            .collect();
        networks.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.network.cmp(&b.network)));
        let mut agents: Vec<AgentUse> = self.agents.into_values().collect();
        for agent in &mut agents {
            agent.versions.sort();
        }
        agents.sort_by(|a, b| {
            b.calls.cmp(&a.calls).then_with(|| (&a.program, &a.machine).cmp(&(&b.program, &b.machine)))
        });
        Summary {
            first: self.first,
            last: self.last,
            calls: self.calls,
            errors: self.errors,
            keys: parts(self.keys),
            services,
            regions: parts(self.regions),
            networks,
            agents,
            failures: parts(self.failures),
            by_hour: self.by_hour,
            by_day: days(&self.by_day),
        }
    }
}

/// The most first; equal ones by name.
fn parts(counts: BTreeMap<String, u64>) -> Vec<Part> {
    let mut parts: Vec<Part> = counts.into_iter().map(|(name, calls)| Part { name, calls }).collect();
    parts.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name)));
    parts
}

/// Days that are drawn, at most: CloudTrail's logs of ten years.
const DAYS: usize = 3_653;

fn days(counts: &BTreeMap<jiff::civil::Date, u64>) -> Vec<Part> {
    let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value()) else {
        return Vec::new();
    };
    let all = std::iter::successors(Some(*first), |day| day.tomorrow().ok()).take_while(|day| day <= last).take(DAYS);
    all.map(|day| Part { name: day.to_string(), calls: counts.get(&day).copied().unwrap_or(0) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{NoAtlas, Resources};

    fn fact(first: &str, call: &str, ip: &str, agent: &str, error: &str, calls: u64) -> Fact {
        let first: Timestamp = first.parse().unwrap();
        let (service, name) = call.split_once(':').unwrap();
        Fact {
            key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            account: "123456789012".to_owned(),
            user: "arn:aws:iam::123456789012:user/alice".to_owned(),
            hour: Timestamp::from_second(first.as_second().div_euclid(3_600) * 3_600).unwrap(),
            service: service.to_owned(),
            name: name.to_owned(),
            region: if service == "iam" { "us-east-1" } else { "eu-central-1" }.to_owned(),
            ip: ip.to_owned(),
            agent: agent.to_owned(),
            error: error.to_owned(),
            resources: Resources::default(),
            calls,
            first,
            last: Timestamp::from_second(first.as_second() + 60).unwrap(),
        }
    }

    #[test]
    fn everything_is_counted_once_and_put_in_order() {
        let cli = |version: &str, command: &str| {
            format!(
                "[aws-cli/{version} md/awscrt#0.23.8 ua/2.1 os/macos#24.2.0 md/arch#arm64 lang/python#3.12 md/command#{command}]"
            )
        };
        let facts = [
            fact("2026-11-02T08:15:00Z", "s3:ListBuckets", "203.0.113.7", &cli("2.22.1", "s3.ls"), "", 3),
            fact("2026-11-02T08:20:00Z", "s3:GetObject", "203.0.113.8", &cli("2.22.1", "s3.cp"), "AccessDenied", 2),
            fact("2026-11-04T21:00:00Z", "iam:ListUsers", "198.51.100.9", &cli("2.31.0", "iam.list-users"), "", 9),
            fact(
                "2026-11-04T21:01:00Z",
                "kms:Decrypt",
                "secretsmanager.amazonaws.com",
                "secretsmanager.amazonaws.com",
                "",
                1,
            ),
            fact("2026-11-04T21:02:00Z", "sts:GetCallerIdentity", "198.51.100.9", "TruffleHog", "", 1),
        ];
        let networks = Networks { own: vec!["203.0.113.0/24".parse().unwrap()], ..Networks::default() };
        let summary = summary(&facts, &networks, &NoAtlas).unwrap();
        assert_eq!(summary.by_hour.iter().sum::<u64>(), summary.calls);
        assert_eq!(summary.by_day.iter().map(|day| day.calls).sum::<u64>(), summary.calls);
        insta::assert_json_snapshot!(summary);
    }

    #[test]
    fn nothing_sums_up_to_nothing() {
        assert_eq!(summary(&[], &Networks::default(), &NoAtlas), None);
    }
}
