//! The calls of one key in the order of time: from which machine and which source each came.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::agent::{Environment, Ground, Kind, System};
use super::network::{Atlas, Networks, Origin, Place};
use super::{Agent, Fact, rhythm};
use jiff::Timestamp;

/// What is known besides facts when it is asked who uses a key.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// One's own networks and AWS's.
    pub networks: &'a Networks,
    /// Where addresses are.
    pub atlas: &'a dyn Atlas,
    /// Whether the user with this ARN is a service's, and not a person's.
    pub is_service: &'a dyn Fn(&str) -> bool,
}

/// Something that was seen: the facts behind a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sighting {
    /// The first call.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// How many.
    pub calls: u64,
    /// As in `iam:GetUser`.
    pub call: String,
    /// Where from: the address, or the service that called.
    pub ip: String,
    /// Its network.
    pub network: String,
    /// Where that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The program.
    pub program: String,
    /// The machine, as far as it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

/// The calls of one key.
pub(super) struct Timeline<'f> {
    pub(super) key: &'f str,
    pub(super) user: &'f str,
    pub(super) is_service: bool,
    pub(super) facts: Vec<&'f Fact>,
    pub(super) agents: BTreeMap<&'f str, Agent>,
    pub(super) sources: BTreeMap<&'f str, Source>,
    pub(super) machines: Vec<Machine>,
    /// By the number of the fact.
    machine_of: Vec<Option<usize>>,
    /// The first and the last call of each fact, in the order of time.
    pub(super) points: Vec<Point>,
}

/// Where calls came from.
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) network: String,
    pub(super) place: Option<Place>,
}

/// A machine, as far as user agents tell machines apart.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) words: String,
    pub(super) system: Option<System>,
    /// Whether its kernel is told, by one of its programs at least.
    pub(super) has_kernel: bool,
    pub(super) ground: Option<Ground>,
    pub(super) environment: Option<Environment>,
    /// Whether it calls by the clock.
    pub(super) clock: Option<rhythm::Clock>,
    pub(super) days: BTreeSet<i64>,
}

impl Machine {
    /// Whether nobody sits at it: a server, a function, a container, a program that runs by the clock. Runners of pipelines are not
    /// meant: they work for people.
    pub(super) fn runs_by_itself(&self) -> bool {
        let by_environment = match &self.environment {
            Some(
                Environment::Lambda(_)
                | Environment::Fargate
                | Environment::EcsOnEc2
                | Environment::Ec2
                | Environment::CloudShell
                | Environment::Kubernetes,
            ) => true,
            Some(Environment::Pipeline(_) | Environment::Container | Environment::Other(_)) | None => false,
        };
        by_environment || self.ground == Some(Ground::Aws) || self.clock.is_some()
    }

    /// Whether it is a runner of a pipeline, as far as that is told.
    pub(super) fn is_runner(&self) -> bool {
        matches!(self.environment, Some(Environment::Pipeline(_))) || self.ground == Some(Ground::Azure)
    }

    /// Whether both are one desk: Linux in Windows, a container on a laptop.
    pub(super) fn is_companion_of(&self, other: &Self) -> bool {
        let within = |inner: &Self, outer: &Self| match inner.ground {
            Some(Ground::Wsl) => outer.system == Some(System::Windows),
            Some(Ground::DesktopContainer) => outer.ground.is_none(),
            Some(Ground::Aws | Ground::Azure | Ground::GoogleCloud) | None => false,
        };
        within(self, other) || within(other, self)
    }
}

/// A moment at which a call is known to have been made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) fact: usize,
    pub(super) machine: Option<usize>,
}

/// The timelines of all long-term keys. Sessions and the console are left out: no key of the user's can be told from them.
pub(super) fn timelines<'f>(facts: &'f [Fact], view: &View<'_>) -> Vec<Timeline<'f>> {
    let mut keys: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.key.starts_with("AKIA")) {
        keys.entry(&fact.key).or_default().push(fact);
    }
    keys.into_iter().map(|(key, facts)| Timeline::new(key, facts, view)).collect()
}

impl<'f> Timeline<'f> {
    fn new(key: &'f str, facts: Vec<&'f Fact>, view: &View<'_>) -> Self {
        let user = facts.first().map_or("", |fact| fact.user.as_str());
        let mut agents = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for fact in &facts {
            agents.entry(fact.agent.as_str()).or_insert_with(|| Agent::parse(&fact.agent));
            sources.entry(fact.ip.as_str()).or_insert_with(|| Source::new(&fact.ip, view));
        }
        let mut timeline = Self {
            key,
            user,
            is_service: (view.is_service)(user),
            facts,
            agents,
            sources,
            machines: Vec::new(),
            machine_of: Vec::new(),
            points: Vec::new(),
        };
        timeline.tell_machines_apart();
        timeline.points = timeline.order();
        for machine in 0..timeline.machines.len() {
            let moments: Vec<i64> = timeline.moments(|point| point.machine == Some(machine)).collect();
            timeline.machines[machine].clock = rhythm::clock(&moments);
            timeline.machines[machine].days = moments.iter().map(|at| at.div_euclid(rhythm::DAY)).collect();
        }
        timeline
    }

    /// What was seen at a point.
    pub(super) fn sighting(&self, point: &Point) -> Sighting {
        self.seen(point.fact)
    }

    /// A fact, by its number.
    pub(super) fn seen(&self, fact: usize) -> Sighting {
        let fact = self.facts[fact];
        let source = &self.sources[fact.ip.as_str()];
        let agent = &self.agents[fact.agent.as_str()];
        let version = agent.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        Sighting {
            first: fact.first,
            last: fact.last,
            calls: fact.calls,
            call: format!("{}:{}", fact.service, fact.name),
            ip: fact.ip.clone(),
            network: source.network.clone(),
            place: source.place.as_ref().map(ToString::to_string),
            program: format!("{}{version}", agent.program),
            machine: agent.machine(),
        }
    }

    /// The machine of a fact, by its number.
    pub(super) fn machine(&self, fact: usize) -> Option<&Machine> {
        self.machine_of[fact].map(|machine| &self.machines[machine])
    }

    pub(super) fn source(&self, point: &Point) -> &Source {
        &self.sources[self.facts[point.fact].ip.as_str()]
    }

    /// Whether somebody may sit at the machine of a point; where none is told, somebody may.
    pub(super) fn is_by_hand(&self, point: &Point) -> bool {
        point.machine.is_none_or(|machine| !self.machines[machine].runs_by_itself())
    }

    fn moments<'s>(&'s self, wanted: impl Fn(&Point) -> bool + 's) -> impl Iterator<Item = i64> + 's {
        self.points.iter().filter(move |point| wanted(point)).map(|point| point.at)
    }

    fn order(&self) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::with_capacity(self.facts.len() * 2);
        for (number, fact) in self.facts.iter().enumerate() {
            if matches!(self.sources[fact.ip.as_str()].origin, Origin::Service { .. } | Origin::Unreadable) {
                continue; // AWS called for the user, from its own machines
            }
            let point = Point { at: fact.first.as_second(), fact: number, machine: self.machine_of[number] };
            points.push(point);
            if fact.last != fact.first {
                points.push(Point { at: fact.last.as_second(), ..point });
            }
        }
        points.sort_by_key(|point| (point.at, point.fact));
        points
    }

    /// Two user agents are of two machines where system, kernel or processor differ, or the version of the AWS CLI v2, which a machine
    /// has once. Whatever tells less is taken for the one machine that fits, and for none where several do.
    fn tell_machines_apart(&mut self) {
        let mut versions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for agent in self.agents.values().filter(|agent| is_definite(agent)) {
            let versions = versions.entry(base(agent)).or_default();
            if let (true, Some(version)) = (agent.program == "AWS CLI v2", agent.version.as_deref()) {
                versions.insert(version);
            }
        }
        let fits = |agent: &Agent| {
            let of_base = self.agents.values().filter(|other| is_definite(other));
            let like = of_base.filter(|other| {
                other.system == agent.system
                    && (agent.processor.is_none() || other.processor.is_none() || agent.processor == other.processor)
            });
            like.map(base).collect::<BTreeSet<_>>()
        };
        let mut names: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for (text, agent) in &self.agents {
            let within = |base: String| match versions.get(&base).map(BTreeSet::len) {
                Some(2..) if agent.program == "AWS CLI v2" => {
                    Some(format!("{base} with AWS CLI {}", agent.version.as_deref().unwrap_or_default()))
                }
                Some(2..) => None,
                _ => Some(base),
            };
            let name = if is_definite(agent) {
                within(base(agent))
            } else if matches!(agent.kind, Kind::AwsService) || agent.program == "AWS console" {
                None
            } else if agent.system.is_some() {
                let bases = fits(agent);
                match bases.len() {
                    0 => Some(base(agent)),
                    1 => bases.into_iter().next().and_then(within),
                    _ => None,
                }
            } else {
                agent.environment.as_ref().map(ToString::to_string)
            };
            names.insert(text, name);
        }
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for fact in &self.facts {
            let name = names.get(fact.agent.as_str()).cloned().flatten();
            let machine = name.map(|name| {
                let agent = &self.agents[fact.agent.as_str()];
                let next = self.machines.len();
                let number = *numbers.entry(name.clone()).or_insert(next);
                if number == next {
                    self.machines.push(Machine {
                        words: name,
                        system: agent.system,
                        has_kernel: false,
                        ground: None,
                        environment: None,
                        clock: None,
                        days: BTreeSet::new(),
                    });
                }
                let machine = &mut self.machines[number];
                machine.ground = machine.ground.or(agent.ground);
                machine.has_kernel |= is_definite(agent);
                machine.environment = machine.environment.take().or_else(|| agent.environment.clone());
                number
            });
            self.machine_of.push(machine);
        }
    }
}

impl Source {
    fn new(source: &str, view: &View<'_>) -> Self {
        let origin = view.networks.origin(source);
        // Where AWS's data centres are says nothing of who calls; an address of one's own network is no place, either: its exit may be
        // anywhere.
        let place = match (&origin, source.parse()) {
            (Origin::Public, Ok(address)) => view.atlas.place(address),
            _ => None,
        };
        Self { network: view.networks.name(source, view.atlas), origin, place }
    }
}

fn is_definite(agent: &Agent) -> bool {
    agent.kernel.is_some() && agent.system.is_some()
}

fn base(agent: &Agent) -> String {
    agent.machine().unwrap_or_default()
}
