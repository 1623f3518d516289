//! The cases: who may stand behind a key, and what a day of theirs looks like.

use super::machine::{Host, Machine, Program};
use super::world::{BANGALORE, BERLIN, CITIES, City, LONDON, Lease, NEW_YORK, Network};
use crate::Dice;

/// Who uses a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truth {
    /// One person, by hand.
    Person,
    /// One service.
    Service,
    /// Several people, or people of another firm; how.
    Shared(&'static str),
    /// A person's key is used by a machine; which.
    OnMachine(&'static str),
}

/// A way of using a key.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Who stands behind it.
    pub truth: Truth,
    /// Whether it is made to be mistaken for another.
    pub is_hard: bool,
    /// Whether a machine uses the key of a person, whatever else is true of it.
    pub on_machine: bool,
    /// How many of a hundred keys are of it.
    pub(super) weight: usize,
    pub(super) hands: fn(City, &mut Dice) -> Hands,
    pub(super) day: fn(&Hands, &Day, &mut Dice, &mut Vec<Sitting>),
}

/// What somebody works with: networks and machines, which a day names by their place in the list.
#[derive(Debug, Clone)]
pub(super) struct Hands {
    pub(super) networks: Vec<Network>,
    pub(super) machines: Vec<Machine>,
    /// When work begins, by the clock of the city.
    begins: i64,
    /// Hours ahead of UTC.
    ahead: i64,
}

/// A day of the logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    /// From 0.
    pub(super) number: u64,
    /// Of how many.
    pub(super) of: u64,
    /// Its first second in UTC.
    pub(super) start: i64,
    /// Monday is 0.
    pub(super) weekday: u64,
}

/// A stretch of time in which calls come from one machine in one network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sitting {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) network: usize,
    pub(super) machine: usize,
    /// Calls in it, to scale.
    pub(super) calls: f64,
    /// Whether all calls come at its beginning, as a program makes them.
    pub(super) at_once: bool,
}

const HOUR: i64 = 3_600;

impl Day {
    fn is_workday(&self) -> bool {
        self.weekday < 5
    }

    fn is_first_half(&self) -> bool {
        self.number * 2 < self.of
    }

    /// The second of this day at which it is so many hours in a place.
    fn at(&self, hour: f64, ahead: i64) -> i64 {
        self.start + (hour * 3_600.0) as i64 - ahead * HOUR
    }
}

impl Hands {
    fn new(city: City, dice: &mut Dice) -> Self {
        let begins = 8 + dice.below(3) as i64;
        Self { networks: Vec::new(), machines: Vec::new(), begins, ahead: city.ahead }
    }

    fn with(
        mut self,
        networks: impl IntoIterator<Item = Network>,
        machines: impl IntoIterator<Item = Machine>,
    ) -> Self {
        self.networks.extend(networks);
        self.machines.extend(machines);
        self
    }

    /// A day of work: some sittings between morning and evening, where `place` tells network and machine of each.
    fn work(&self, day: &Day, dice: &mut Dice, into: &mut Vec<Sitting>, place: impl Fn(usize) -> (usize, usize)) {
        self.work_at(self.begins, self.ahead, day, dice, into, place);
    }

    fn work_at(
        &self,
        begins: i64,
        ahead: i64,
        day: &Day,
        dice: &mut Dice,
        into: &mut Vec<Sitting>,
        place: impl Fn(usize) -> (usize, usize),
    ) {
        let sittings = 3 + dice.below(5);
        let span = 9.0 / sittings as f64;
        for sitting in 0..sittings {
            let begin = begins as f64 + span * (sitting as f64 + 0.4 * part(dice));
            let (network, machine) = place(sitting);
            let long = (0.2 + 0.6 * part(dice)) * span;
            into.push(Sitting {
                from: day.at(begin, ahead),
                until: day.at(begin + long, ahead),
                network,
                machine,
                calls: 60.0 / sittings as f64 * (0.5 + part(dice)),
                at_once: false,
            });
        }
    }

    /// A program that runs so many times a day, all day round.
    fn clockwork(
        day: &Day,
        times: i64,
        offset: i64,
        network: usize,
        machine: usize,
        calls: f64,
        into: &mut Vec<Sitting>,
    ) {
        let every = 24 * HOUR / times;
        into.extend((0..times).map(|time| {
            let from = day.start + time * every + offset;
            Sitting { from, until: from + every.min(HOUR / 2), network, machine, calls, at_once: true }
        }));
    }
}

/// A number from 0 to 1.
fn part(dice: &mut Dice) -> f64 {
    dice.below(10_000) as f64 / 10_000.0
}

const LAPTOPS: [Host; 4] = [Host::Mac, Host::Mac, Host::Windows, Host::Desktop];

fn laptop(dice: &mut Dice) -> Machine {
    let host = LAPTOPS[dice.below(LAPTOPS.len())];
    laptop_of(host, dice)
}

fn laptop_of(host: Host, dice: &mut Dice) -> Machine {
    let programs: &[Program] = match dice.below(4) {
        0 => &[Program::Cli2],
        1 => &[Program::Cli2, Program::Terraform],
        2 => &[Program::Cli2, Program::Boto3],
        _ => &[Program::Cli2, Program::Boto3, Program::Terraform],
    };
    Machine::new(host, programs, dice)
}

fn machine(host: Host, dice: &mut Dice) -> Machine {
    let program = [Program::Boto3, Program::Boto3, Program::Java, Program::JavaScript, Program::Go][dice.below(5)];
    Machine::new(host, &[program], dice)
}

/// Sets two people of one case apart: they do not have the same laptop by chance.
fn two_laptops(dice: &mut Dice) -> [Machine; 2] {
    let first = laptop(dice);
    loop {
        let second = laptop(dice);
        if second.agents != first.agents {
            return [first, second];
        }
    }
}

const fn case(name: &'static str, truth: Truth, weight: usize) -> Case {
    let on_machine = matches!(truth, Truth::OnMachine(_));
    Case { name, truth, is_hard: false, on_machine, weight, hands: nobody, day: never }
}

const fn hard(name: &'static str, truth: Truth, weight: usize) -> Case {
    Case { is_hard: true, ..case(name, truth, weight) }
}

fn nobody(city: City, dice: &mut Dice) -> Hands {
    Hands::new(city, dice)
}

fn never(_: &Hands, _: &Day, _: &mut Dice, _: &mut Vec<Sitting>) {}

/// The days of somebody who works from Monday to Friday at one place with one machine.
fn works_here(hands: &Hands, day: &Day, dice: &mut Dice, into: &mut Vec<Sitting>) {
    if day.is_workday() {
        hands.work(day, dice, into, |_| (0, 0));
    }
}

/// All cases. People first, then services, shared keys, and people's keys on machines.
pub const CASES: [Case; 38] = [
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::office(city)], [laptop(dice)]),
        day: works_here,
        ..case("office", Truth::Person, 8)
    },
    Case {
        hands: |city, dice| {
            Hands::new(city, dice).with([Network::office(city), Network::home(city, dice)], [laptop(dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                let network = dice.below(2);
                hands.work(day, dice, into, |_| (network, 0));
            } else if dice.below(5) == 0 {
                hands.work(day, dice, into, |_| (1, 0));
            }
        },
        ..case("office-and-home", Truth::Person, 10)
    },
    Case {
        hands: |_, dice| {
            let city = [BERLIN, LONDON][dice.below(2)];
            Hands::new(city, dice).with([Network::home_v6(city, dice)], [laptop(dice)])
        },
        day: works_here,
        ..case("home-with-ipv6", Truth::Person, 4)
    },
    Case {
        // The same person, minutes later in another country, with the same machine.
        hands: |city, dice| {
            Hands::new(city, dice).with([Network::home(city, dice), Network::vpn(dice)], [laptop(dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |sitting| (sitting % 2, 0));
            }
        },
        ..hard("vpn-switched-on-and-off", Truth::Person, 5)
    },
    Case {
        // One of them always goes through a VPN abroad: as far away, and as much another machine, as somebody else would be.
        hands: |city, dice| {
            let networks = [Network::home(city, dice), Network::vpn(dice)];
            Hands::new(city, dice).with(networks, two_laptops(dice))
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |sitting| (sitting % 2, sitting % 2));
            }
        },
        ..hard("second-computer-behind-a-vpn", Truth::Person, 2)
    },
    Case {
        hands: |city, dice| {
            Hands::new(city, dice).with([Network::home(city, dice), Network::mobile(city, dice)], [laptop(dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                let train = dice.below(2);
                hands.work(day, dice, into, |sitting| (if sitting % 3 == 0 { train } else { 0 }, 0));
            }
        },
        ..hard("mobile-hotspot", Truth::Person, 4)
    },
    Case {
        hands: |city, dice| {
            let there = if city.ahead < 0 { LONDON } else { NEW_YORK };
            let networks = [Network::office(city), Network::home(there, dice), Network::mobile(there, dice)];
            Hands { begins: 8, ..Hands::new(city, dice) }.with(networks, [laptop(dice)])
        },
        day: |hands, day, dice, into| {
            let (out, back) = (day.of / 3, day.of * 2 / 3);
            let there = if hands.ahead < 0 { 0 } else { -5 };
            if day.number == out || day.number == back {
                // In the air all day; an hour's work at the airport before.
                let (network, ahead) = if day.number == out { (0, hands.ahead) } else { (1, there) };
                let from = day.at(7.0, ahead);
                into.push(Sitting { from, until: from + HOUR, network, machine: 0, calls: 12.0, at_once: false });
            } else if day.number > out && day.number < back {
                hands.work_at(9, there, day, dice, into, |sitting| (1 + usize::from(sitting % 4 == 3), 0));
            } else if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
        },
        ..hard("travels-by-plane", Truth::Person, 3)
    },
    Case {
        // One of them goes on with a long job while the other is used elsewhere.
        hands: |city, dice| {
            let networks = [Network::office(city), Network::home(city, dice)];
            Hands::new(city, dice).with(networks, [laptop_of(Host::Mac, dice), laptop_of(Host::Desktop, dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |sitting| (0, sitting % 2));
                if dice.below(4) == 0 {
                    let (from, long) = (day.at(hands.begins as f64 + 9.5, hands.ahead), 2 * HOUR);
                    let sitting =
                        Sitting { from, until: from + long, network: 0, machine: 1, calls: 20.0, at_once: false };
                    into.extend([sitting, Sitting { network: 1, machine: 0, ..sitting }]);
                }
            }
        },
        ..hard("two-laptops-of-one-person", Truth::Person, 4)
    },
    Case {
        hands: |city, dice| {
            let programs =
                [Program::Cli2, Program::Cli1, Program::Boto3, Program::Terraform, Program::JavaScript, Program::Go];
            Hands::new(city, dice).with([Network::office(city)], [Machine::new(Host::Mac, &programs, dice)])
        },
        day: works_here,
        ..hard("many-programs", Truth::Person, 4)
    },
    Case {
        hands: |city, dice| {
            let old = laptop(dice);
            let new = old.renewed(dice);
            Hands::new(city, dice).with([Network::office(city)], [old, new])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, usize::from(!day.is_first_half())));
            }
        },
        ..hard("programs-renewed", Truth::Person, 3)
    },
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::home(city, dice)], two_laptops(dice)),
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, usize::from(!day.is_first_half())));
            }
        },
        ..hard("new-laptop", Truth::Person, 3)
    },
    Case {
        hands: |city, dice| {
            let machines = [laptop_of(Host::Windows, dice), laptop_of(Host::Wsl, dice)];
            Hands::new(city, dice).with([Network::office(city)], machines)
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (0, 1));
            }
        },
        ..hard("windows-and-wsl", Truth::Person, 4)
    },
    Case {
        hands: |city, dice| {
            let machines = [laptop_of(Host::Mac, dice), Machine::new(Host::DevContainer, &[Program::Boto3], dice)];
            Hands::new(city, dice).with([Network::home(city, dice)], machines)
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (0, 1));
            }
        },
        ..hard("container-on-a-laptop", Truth::Person, 3)
    },
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::home(city, dice)], [laptop(dice)]),
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
            if dice.below(3) == 0 {
                let from = day.at(21.0 + part(dice) * 4.0, hands.ahead);
                into.push(Sitting { from, until: from + HOUR, network: 0, machine: 0, calls: 15.0, at_once: false });
            }
        },
        ..hard("works-late-at-night", Truth::Person, 3)
    },
    Case {
        hands: |city, dice| {
            let networks = [Network::office(city), Network::home(city, dice)];
            Hands::new(city, dice).with(networks, two_laptops(dice))
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
            if dice.below(2) == 0 {
                let from = day.at(20.0 + part(dice) * 2.0, hands.ahead);
                into.push(Sitting { from, until: from + HOUR, network: 1, machine: 1, calls: 15.0, at_once: false });
            }
        },
        ..hard("another-computer-in-the-evening", Truth::Person, 3)
    },
    Case {
        // All of the firm's traffic leaves by a gateway on EC2: AWS's addresses, and no machine.
        hands: |city, dice| {
            let networks = [Network::aws(Lease::Pool(2), dice), Network::home(city, dice)];
            Hands::new(city, dice).with(networks, [laptop(dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                let network = usize::from(dice.below(4) == 0);
                hands.work(day, dice, into, |_| (network, 0));
            }
        },
        ..hard("gateway-on-ec2", Truth::Person, 3)
    },
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::office(city)], [laptop(dice)]),
        day: |hands, day, dice, into| {
            if day.number.is_multiple_of(9) {
                let from = day.at(hands.begins as f64 + 5.0 * part(dice), hands.ahead);
                into.push(Sitting { from, until: from + 600, network: 0, machine: 0, calls: 6.0, at_once: false });
            }
        },
        ..hard("hardly-ever-used", Truth::Person, 3)
    },
    // Services.
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::hosting(dice)], [machine(Host::Server, dice)]),
        day: |_, day, _, into| Hands::clockwork(day, 24, 60, 0, 0, 6.0, into),
        ..case("one-server", Truth::Service, 6)
    },
    Case {
        hands: |city, dice| {
            let size = 4 + dice.below(12) as u64;
            Hands::new(city, dice).with([Network::aws(Lease::Pool(size), dice)], [machine(Host::Ec2Amazon, dice)])
        },
        day: |_, day, _, into| Hands::clockwork(day, 24, 0, 0, 0, 12.0, into),
        ..hard("fleet", Truth::Service, 4)
    },
    Case {
        hands: |city, dice| {
            Hands::new(city, dice).with([Network::aws(Lease::Pool(40), dice)], [machine(Host::Lambda, dice)])
        },
        day: |_, day, _, into| Hands::clockwork(day, 48, 30, 0, 0, 3.0, into),
        ..case("lambda", Truth::Service, 3)
    },
    Case {
        hands: |city, dice| {
            let programs = [Program::Terraform, Program::Cli2];
            Hands::new(city, dice).with([Network::hosting(dice)], [Machine::new(Host::Server, &programs, dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (0, 0));
            }
        },
        ..case("ci-with-static-ip", Truth::Service, 4)
    },
    Case {
        // Some workers behind one address are renewed before others.
        hands: |city, dice| {
            let machines = [machine(Host::Ec2Ubuntu, dice), machine(Host::Ec2Amazon, dice)];
            Hands::new(city, dice).with([Network::aws(Lease::Fixed, dice)], machines)
        },
        day: |_, day, _, into| {
            Hands::clockwork(day, 24, 0, 0, 0, 5.0, into);
            if day.number * 3 > day.of {
                Hands::clockwork(day, 24, 900, 0, 1, 5.0, into);
            }
        },
        ..hard("workers-behind-nat", Truth::Service, 4)
    },
    Case {
        hands: |city, dice| {
            let networks = [Network::aws(Lease::Fixed, dice), Network::hosting(dice)];
            Hands::new(city, dice).with(networks, [machine(Host::Server, dice)])
        },
        day: |_, day, _, into| {
            Hands::clockwork(day, 24, 0, 0, 0, 5.0, into);
            Hands::clockwork(day, 24, 400, 1, 0, 5.0, into);
        },
        ..hard("deployed-twice", Truth::Service, 3)
    },
    // Shared.
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::office(city)], two_laptops(dice)),
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                if dice.below(5) > 0 {
                    hands.work(day, dice, into, |_| (0, 1));
                }
            }
        },
        ..hard("two-in-one-office", Truth::Shared("two people in one office"), 2)
    },
    Case {
        // The firm gives everybody the same laptop: nothing tells them apart.
        hands: |city, dice| Hands::new(city, dice).with([Network::office(city)], [laptop(dice)]),
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (0, 0));
            }
        },
        ..hard("two-in-one-office-alike", Truth::Shared("two people in one office with equal laptops"), 1)
    },
    Case {
        hands: |city, dice| {
            let networks = [Network::home(city, dice), Network::home(city, dice)];
            Hands::new(city, dice).with(networks, two_laptops(dice))
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (1, 1));
            }
        },
        ..case("two-at-home-in-one-city", Truth::Shared("two people at home in one city"), 1)
    },
    Case {
        hands: |_, dice| {
            let networks = [Network::office(BERLIN), Network::office(BANGALORE)];
            Hands::new(BERLIN, dice).with(networks, two_laptops(dice))
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work_at(9, 5, day, dice, into, |_| (1, 1));
            }
        },
        ..case("two-offices", Truth::Shared("two offices"), 2)
    },
    Case {
        hands: |city, dice| Hands::new(city, dice).with([Network::office(city)], two_laptops(dice)),
        day: |hands, day, dice, into| {
            hands.work_at(7, hands.ahead, day, dice, into, |_| (0, 0));
            hands.work_at(20, hands.ahead, day, dice, into, |_| (0, 1));
        },
        ..case("day-and-night-shift", Truth::Shared("day and night shift"), 1)
    },
    Case {
        hands: |city, dice| {
            let there = if city == NEW_YORK { LONDON } else { BANGALORE };
            let networks = [Network::office(city), Network::other_office(there, dice)];
            Hands::new(city, dice).with(networks, two_laptops(dice))
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                if dice.below(3) == 0 {
                    let ahead = if hands.ahead < 0 { 0 } else { 5 };
                    hands.work_at(9, ahead, day, dice, into, |_| (1, 1));
                }
            }
        },
        ..case("vendor-abroad", Truth::Shared("a vendor in another country"), 2)
    },
    Case {
        // Works through the night of the owner, with the same sort of laptop.
        hands: |_, dice| {
            let networks = [Network::home(BERLIN, dice), Network::other_office(NEW_YORK, dice)];
            let laptop = laptop_of(Host::Mac, dice);
            Hands::new(BERLIN, dice).with(networks, [laptop.clone(), laptop])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                if day.weekday.is_multiple_of(2) {
                    hands.work_at(12, -5, day, dice, into, |_| (1, 1));
                }
            }
        },
        ..hard("vendor-with-an-equal-laptop", Truth::Shared("a vendor in another country with an equal laptop"), 1)
    },
    Case {
        hands: |city, dice| {
            let networks = [Network::office(city), Network::runners(dice)];
            let runner = Machine::new(Host::Runner, &[Program::Terraform, Program::Cli2], dice);
            Hands::new(city, dice).with(networks, [laptop(dice), runner])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
                hands.work(day, dice, into, |_| (1, 1));
            }
        },
        on_machine: true,
        ..case("person-and-ci", Truth::Shared("a person and a CI"), 2)
    },
    // Keys of people on machines.
    Case {
        hands: |city, dice| {
            let networks = [Network::office(city), Network::aws(Lease::Fixed, dice)];
            let there = Machine::new(Host::Ec2Amazon, &[Program::Cli2, Program::Boto3], dice);
            Hands::new(city, dice).with(networks, [laptop(dice), there])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |sitting| if sitting % 2 == 0 { (0, 0) } else { (1, 1) });
            }
        },
        ..hard("desk-on-ec2", Truth::OnMachine("EC2, by hand"), 2)
    },
    Case {
        hands: |city, dice| {
            Hands::new(city, dice).with(
                [Network::aws(Lease::Fixed, dice)],
                [Machine::new(Host::Ec2Ubuntu, &[[Program::Cli1, Program::Boto3, Program::Cli2][dice.below(3)]], dice)],
            )
        },
        day: |_, day, _, into| Hands::clockwork(day, 24, 5, 0, 0, 4.0, into),
        ..case("cron-on-ec2", Truth::OnMachine("cron on EC2"), 2)
    },
    Case {
        // Leaves by an address that is not AWS's.
        hands: |city, dice| {
            Hands::new(city, dice)
                .with([Network::hosting(dice)], [Machine::new(Host::Fargate, &[Program::Boto3], dice)])
        },
        day: |_, day, _, into| Hands::clockwork(day, 48, 0, 0, 0, 3.0, into),
        ..case("container-on-ecs", Truth::OnMachine("ECS on Fargate"), 2)
    },
    Case {
        hands: |city, dice| {
            let there = Machine::new(Host::Lambda, &[[Program::Boto3, Program::JavaScript][dice.below(2)]], dice);
            Hands::new(city, dice).with([Network::aws(Lease::Pool(30), dice)], [there])
        },
        day: |_, day, _, into| Hands::clockwork(day, 12, 77, 0, 0, 8.0, into),
        ..case("lambda-with-a-persons-key", Truth::OnMachine("Lambda"), 2)
    },
    Case {
        hands: |city, dice| {
            let there = Machine::new(Host::Runner, &[[Program::Cli2, Program::Boto3][dice.below(2)]], dice);
            Hands::new(city, dice).with([Network::runners(dice)], [there])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
        },
        ..case("github-actions", Truth::OnMachine("GitHub Actions"), 2)
    },
    Case {
        // A server in the office: neither address nor kernel tells, only the clock.
        hands: |city, dice| {
            let networks = [Network::office(city)];
            Hands::new(city, dice).with(networks, [laptop(dice), Machine::new(Host::Server, &[Program::Cli1], dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
            Hands::clockwork(day, 24, 2, 0, 1, 3.0, into);
        },
        ..hard("cron-in-the-office", Truth::OnMachine("cron on a server of one's own"), 2)
    },
    Case {
        hands: |city, dice| {
            let networks = [Network::office(city)];
            Hands::new(city, dice).with(networks, [laptop(dice), Machine::new(Host::Server, &[Program::Cli1], dice)])
        },
        day: |hands, day, dice, into| {
            if day.is_workday() {
                hands.work(day, dice, into, |_| (0, 0));
            }
            let from = day.at(3.25, hands.ahead);
            into.push(Sitting { from, until: from + 600, network: 0, machine: 1, calls: 10.0, at_once: true });
        },
        ..hard("nightly-backup", Truth::OnMachine("a nightly job"), 1)
    },
];

/// A city of the corpus.
pub(super) fn home_town(dice: &mut Dice) -> City {
    CITIES[dice.below(CITIES.len())]
}
