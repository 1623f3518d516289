//! Keys of people that machines use.
//!
//! Each sign has a confidence: how sure it makes that a machine, and nobody by hand, holds the key. Signs of different sorts are taken for
//! independent. `docs/usage-shared.md` says what each counts for and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::agent::{Environment, Ground, Kind, System};
use super::network::Origin;
use super::rhythm::{Clock, DAY, HOUR};
use super::timeline::{Sighting, Timeline, View, timelines};
use super::{Agent, Fact};

/// The confidence, in percent, from which a key is said to be on a machine.
pub const MACHINE_FROM: u8 = 50;

/// A person's key, and the signs of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineUse {
    /// The key.
    pub key: String,
    /// The ARN of its user.
    pub user: String,
    /// In percent.
    pub confidence: u8,
    /// The surest first.
    pub signs: Vec<Sign>,
}

impl MachineUse {
    /// Whether the confidence is high enough to say so.
    #[must_use]
    pub fn is_on_machine(&self) -> bool {
        self.confidence >= MACHINE_FROM
    }
}

/// A sign of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// What sort.
    pub kind: MachineBy,
    /// What machine it tells of.
    pub machine: String,
    /// In percent.
    pub confidence: u8,
    /// How many calls there are of it.
    pub calls: u64,
    /// On how many days.
    pub days: usize,
    /// Some of the facts behind it.
    pub seen: Vec<Sighting>,
}

/// The sorts of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineBy {
    /// The program says where it runs.
    Environment,
    /// The program is one that runs by itself.
    Program,
    /// The kernel is one that is made for a cloud.
    Kernel,
    /// The address is one of AWS's machines.
    Address,
    /// Calls come by the clock.
    Clock,
}

impl MachineBy {
    /// Its name, as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Program => "program",
            Self::Kernel => "kernel",
            Self::Address => "address",
            Self::Clock => "clock",
        }
    }
}

impl fmt::Display for MachineBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Facts that are shown of one sign.
const SHOWN: usize = 4;

/// The keys of people for which there is a sign of a machine; the surest first.
#[must_use]
pub fn machines(facts: &[Fact], view: &View<'_>) -> Vec<MachineUse> {
    let mut found: Vec<MachineUse> = timelines(facts, view)
        .iter()
        .filter(|timeline| !timeline.is_service)
        .filter_map(|timeline| {
            let signs = signs(timeline);
            // Of several signs of one sort the surest counts.
            let mut surest: BTreeMap<MachineBy, u8> = BTreeMap::new();
            for sign in &signs {
                let confidence = surest.entry(sign.kind).or_default();
                *confidence = sign.confidence.max(*confidence);
            }
            let doubt = surest.values().map(|confidence| 1.0 - f64::from(*confidence) / 100.0).product::<f64>();
            let confidence = ((1.0 - doubt) * 100.0).floor() as u8;
            let (key, user) = (timeline.key.to_owned(), timeline.user.to_owned());
            (!signs.is_empty()).then_some(MachineUse { key, user, confidence, signs })
        })
        .collect();
    found.sort_by(|one, other| other.confidence.cmp(&one.confidence).then_with(|| one.key.cmp(&other.key)));
    found
}

fn signs(timeline: &Timeline<'_>) -> Vec<Sign> {
    let mut found: BTreeMap<(MachineBy, String), (u8, Vec<usize>)> = BTreeMap::new();
    for (number, fact) in timeline.facts.iter().enumerate() {
        let agent = &timeline.agents[fact.agent.as_str()];
        let origin = &timeline.sources[fact.ip.as_str()].origin;
        let has_kernel = timeline.machine(number).is_some_and(|machine| machine.has_kernel);
        for (kind, machine, confidence) in signs_of(agent, has_kernel, origin) {
            let (surest, facts) = found.entry((kind, machine)).or_insert((0, Vec::new()));
            *surest = confidence.max(*surest);
            facts.push(number);
        }
    }
    let mut signs: Vec<Sign> = found
        .into_iter()
        .map(|((kind, machine), (confidence, facts))| sign(timeline, kind, machine, confidence, &facts))
        .collect();
    signs.extend(clocks(timeline));
    signs.sort_by(|one, other| {
        other.confidence.cmp(&one.confidence).then_with(|| (one.kind, &one.machine).cmp(&(other.kind, &other.machine)))
    });
    signs
}

/// What one user agent at one sort of address tells. Whether its machine has a kernel of a name is told by the machine's other programs, too.
fn signs_of(agent: &Agent, has_kernel: bool, origin: &Origin) -> Vec<(MachineBy, String, u8)> {
    let mut signs = Vec::new();
    if matches!(agent.kind, Kind::AwsService) || agent.program == "AWS console" {
        return signs;
    }
    match &agent.environment {
        // The shell of the console is a person's, and runs on AWS's machines.
        Some(Environment::CloudShell) => return signs,
        // A container may as well be one on a laptop.
        Some(Environment::Container) | None => {}
        Some(Environment::Other(name)) => signs.push((MachineBy::Environment, name.clone(), 50)),
        Some(
            environment @ (Environment::Lambda(_)
            | Environment::Fargate
            | Environment::EcsOnEc2
            | Environment::Ec2
            | Environment::Pipeline(_)
            | Environment::Kubernetes),
        ) => signs.push((MachineBy::Environment, environment.to_string(), 95)),
    }
    if agent.kind == Kind::Controller {
        signs.push((MachineBy::Program, agent.program.clone(), 90));
    }
    match agent.ground {
        Some(Ground::Aws) => signs.push((MachineBy::Kernel, "a machine on AWS".to_owned(), 85)),
        Some(Ground::Azure) => {
            signs.push((MachineBy::Kernel, "a machine on Azure, as GitHub's hosted runners are".to_owned(), 70));
        }
        Some(Ground::GoogleCloud) => signs.push((MachineBy::Kernel, "a machine on Google Cloud".to_owned(), 70)),
        Some(Ground::Wsl | Ground::DesktopContainer) | None => {}
    }
    let is_desk =
        agent.system == Some(System::Macos) || matches!(agent.ground, Some(Ground::Wsl | Ground::DesktopContainer));
    if let (Origin::Aws(range), false) = (origin, is_desk) {
        // A gateway on AWS lets people out by the same addresses: the address alone does not decide, nor with a kernel that says otherwise.
        let confidence = match (agent.ground, agent.system, has_kernel) {
            (Some(Ground::Aws), ..) => 60,
            (_, Some(System::Linux), false) => 50,
            (_, Some(System::Linux), true) | (_, None, _) => 30,
            _ => 20,
        };
        signs.push((MachineBy::Address, format!("{} in {}", range.service, range.region), confidence));
    }
    signs
}

fn clocks(timeline: &Timeline<'_>) -> Vec<Sign> {
    let mut signs = Vec::new();
    for (number, machine) in timeline.machines.iter().enumerate() {
        let (words, confidence) = match machine.clock {
            Some(Clock::DayAndNight(restless, days)) => {
                (format!("{}: calls day and night, without a rest on {restless} of {days} days", machine.words), 65)
            }
            Some(Clock::SameTime(second, days)) => {
                let (hour, minute) = (second / HOUR, second % HOUR / 60);
                (format!("{}: calls at {hour:02}:{minute:02} UTC on {days} days", machine.words), 60)
            }
            None => continue,
        };
        let mut facts: Vec<usize> =
            timeline.points.iter().filter(|point| point.machine == Some(number)).map(|point| point.fact).collect();
        facts.sort_unstable();
        facts.dedup();
        signs.push(sign(timeline, MachineBy::Clock, words, confidence, &facts));
    }
    signs
}

fn sign(timeline: &Timeline<'_>, kind: MachineBy, machine: String, confidence: u8, facts: &[usize]) -> Sign {
    let of = |number: &usize| timeline.facts[*number];
    let days: BTreeSet<i64> = facts.iter().map(|number| of(number).hour.as_second().div_euclid(DAY)).collect();
    let mut first: Vec<usize> = facts.to_vec();
    first.sort_by_key(|number| (of(number).first, *number));
    Sign {
        kind,
        machine,
        confidence,
        calls: facts.iter().map(|number| of(number).calls).sum(),
        days: days.len(),
        seen: first.iter().take(SHOWN).map(|number| timeline.seen(*number)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{EC2, MAC, fact, fact_of};
    use super::super::{AwsRanges, Networks, NoAtlas};
    use super::*;

    const OFFICE: &str = "203.0.113.7";
    const AWS: &str = "3.120.0.9";

    fn told(facts: &[Fact]) -> String {
        let ranges = r#"{"prefixes":[{"ip_prefix":"3.120.0.0/14","service":"EC2","region":"eu-central-1"}]}"#;
        let networks = Networks { own: Vec::new(), aws: AwsRanges::parse(ranges).unwrap() };
        let is_service = |user: &str| user.contains(":user/svc-");
        let found = machines(facts, &View { networks: &networks, atlas: &NoAtlas, is_service: &is_service });
        let lines = found.iter().flat_map(|one| {
            let signs = one.signs.iter().map(|sign| {
                format!(
                    "{}: {} {} ({} calls, {} days)",
                    sign.kind, sign.machine, sign.confidence, sign.calls, sign.days
                )
            });
            std::iter::once(format!("{}", one.confidence)).chain(signs)
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_sign_has_its_confidence_and_its_calls() {
        let at = "2026-11-02T09:00";
        let go = "aws-sdk-go-v2/1.30.1 os/linux lang/go#1.22.4 md/GOOS#linux md/GOARCH#amd64";
        let runner = "aws-cli/2.22.1 ua/2.1 os/linux#6.11.0-1018-azure md/arch#x86_64";
        let table = [
            (
                EC2,
                AWS,
                "94; kernel: a machine on AWS 85 (2 calls, 1 days); address: EC2 in eu-central-1 60 (2 calls, 1 days)",
            ),
            (EC2, OFFICE, "85; kernel: a machine on AWS 85 (2 calls, 1 days)"),
            (go, AWS, "50; address: EC2 in eu-central-1 50 (2 calls, 1 days)"),
            (go, OFFICE, ""),
            (MAC, AWS, ""),
            (runner, OFFICE, "70; kernel: a machine on Azure, as GitHub's hosted runners are 70 (2 calls, 1 days)"),
            (
                "aws-sdk-nodejs/2.320.0 linux/v8.10.0 exec-env/AWS_Lambda_nodejs8.10",
                OFFICE,
                "95; environment: Lambda (nodejs8.10) 95 (2 calls, 1 days)",
            ),
            (
                "aws-cli/2.13.5 Python/3.11.4 Linux/4.14.255-314-253.539.amzn2.x86_64 exec-env/CloudShell exe/x86_64.amzn.2",
                AWS,
                "",
            ),
            ("aws-cli/2.4.23 Python/3.8.8 Linux/5.10.16.3-microsoft-standard-WSL2 exe/x86_64.ubuntu.20", AWS, ""),
            ("config.amazonaws.com", "config.amazonaws.com", ""),
        ];
        for (agent, ip, expected) in table {
            assert_eq!(told(&[fact(at, ip, agent)]), expected, "{agent}");
        }
    }

    #[test]
    fn a_clock_shows_without_any_name() {
        let server = "aws-cli/1.32.0 md/Botocore#1.34.0 ua/2.0 os/linux#5.15.0-101-generic md/arch#x86_64";
        let nightly: Vec<Fact> = (1..=6).map(|day| fact(&format!("2026-11-0{day}T03:15"), OFFICE, server)).collect();
        assert_eq!(
            told(&nightly),
            "60; clock: Linux 5.15.0-101-generic x86_64: calls at 03:15 UTC on 6 days 60 (12 calls, 6 days)"
        );
        let hourly: Vec<Fact> = (0..6 * 24)
            .map(|hour| fact(&format!("2026-11-0{}T{:02}:05", 1 + hour / 24, hour % 24), OFFICE, server))
            .collect();
        assert!(told(&hourly).starts_with("65; clock: Linux 5.15.0-101-generic x86_64: calls day and night"));
    }

    #[test]
    fn a_machine_with_the_key_of_a_service_is_as_it_should_be() {
        assert_eq!(told(&[fact_of("svc-mail", "2026-11-02T09:00", AWS, EC2)]), "");
    }

    #[test]
    fn the_page_names_every_sign() {
        let page = include_str!("../../../../docs/usage-shared.md");
        for kind in
            [MachineBy::Environment, MachineBy::Program, MachineBy::Kernel, MachineBy::Address, MachineBy::Clock]
        {
            assert!(page.contains(&format!("| `{kind}`: ")), "{kind} is not in docs/usage-shared.md");
        }
    }
}
