//! Who calls: keys of users with a case behind each, and the roles and services that fill the rest of a trail.

use super::case::{CASES, Case, Day, Hands, Sitting, home_town};
use super::operation::Repertoire;
use super::world::{Lease, Network};
use super::{Call, Scale};
use crate::{Dice, Key};

/// A user with an access key.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The key.
    pub key: String,
    /// Its user.
    pub user: String,
    /// The user's account.
    pub account: String,
    /// Who uses it, and how.
    pub case: &'static Case,
    pub(super) principal: String,
    pub(super) home: usize,
    hands: Hands,
    seed: u64,
}

impl Actor {
    /// The ARN of the user.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:user/{}", self.account, self.user)
    }

    pub(super) fn new(number: usize, case: &'static Case, accounts: &[u64], regions: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed, &format!("actor {number}"));
        let account = accounts[number % accounts.len()];
        let user = match case.truth {
            super::Truth::Service => {
                format!("svc-{}-{number}", dice.one(&["billing", "search", "mail", "etl", "backup"]))
            }
            _ => {
                let given =
                    dice.one(&["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"]);
                format!("{given}.{number}")
            }
        };
        let city = home_town(&mut dice);
        Self {
            key: Key::of_account(&mut dice, account).id,
            user,
            account: account.to_string(),
            principal: format!("AIDA{}", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17)),
            home: dice.below(regions),
            hands: (case.hands)(city, &mut dice),
            case,
            seed: dice.number(),
        }
    }

    pub(super) fn agent(&self, machine: u16, program: u16) -> &str {
        let machine = &self.hands.machines[usize::from(machine)];
        &machine.agents[usize::from(program)]
    }

    fn dice(&self, day: &Day, salt: &str) -> Dice {
        Dice::new(self.seed.wrapping_add(day.number.wrapping_mul(0x9e37_79b9)), salt)
    }

    pub(super) fn sittings(&self, day: &Day) -> Vec<Sitting> {
        let mut sittings = Vec::new();
        (self.case.day)(&self.hands, day, &mut self.dice(day, "day"), &mut sittings);
        sittings
    }

    /// The calls of a day; `volume` scales their number.
    pub(super) fn calls(&self, me: u32, day: &Day, volume: f64, into: &mut Vec<Call>) {
        let mut dice = self.dice(day, "calls");
        let is_by_hand = |sitting: &Sitting| !sitting.at_once && self.case.truth != super::Truth::Service;
        for (nth, sitting) in self.sittings(day).iter().enumerate() {
            let mut left = ((sitting.calls * volume) as usize + usize::from(dice.below(2) == 0)).max(1);
            let repertoire = if is_by_hand(sitting) { Repertoire::Hand } else { Repertoire::Program };
            let operations = repertoire.operations().len();
            let span = (sitting.until - sitting.from).max(1) as usize;
            let programs = self.hands.machines[sitting.machine].agents.len();
            let mut burst = 0;
            while left > 0 {
                let size = if sitting.at_once { left } else { (1 + dice.below(8)).min(left) };
                left -= size;
                let begin = sitting.from + if sitting.at_once { 0 } else { dice.below(span) as i64 };
                let address = self.hands.networks[sitting.network].address(day.number, nth as u64, dice.number());
                let (program, first) = (dice.below(programs), dice.below(operations));
                for step in 0..size {
                    // A program goes through its calls; a person repeats one or two.
                    let operation = if repertoire == Repertoire::Hand { first + step / 3 } else { first + step };
                    into.push(Call {
                        at: begin + (step / 2) as i64,
                        who: me,
                        machine: sitting.machine as u16,
                        program: program as u16,
                        repertoire,
                        operation: (operation % operations) as u8,
                        is_refused: dice.below(50) == 0,
                        address,
                        seed: dice.number(),
                    });
                }
                burst += 1;
                debug_assert!(burst < 10_000_000, "a sitting ends");
            }
        }
    }
}

/// Gives each key its case. Of many keys, as many are of a case as its weight says.
pub(super) fn cast(scale: &Scale, accounts: &[u64], regions: usize) -> Vec<Actor> {
    let mut lots: Vec<&'static Case> = CASES.iter().flat_map(|case| std::iter::repeat_n(case, case.weight)).collect();
    let mut dice = Dice::new(scale.seed, "cast");
    (0..scale.keys)
        .map(|number| {
            let at = number % lots.len();
            if at == 0 {
                for last in (1..lots.len()).rev() {
                    lots.swap(last, dice.below(last + 1));
                }
            }
            Actor::new(number, lots[at], accounts, regions, scale.seed)
        })
        .collect()
}

/// A role, or a service of AWS.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) name: &'static str,
    pub(super) principal: String,
    pub(super) agent: &'static str,
    pub(super) network: Network,
}

/// The roles of an account: name, user agent.
const ROLES: [(&str, &str); 5] = [
    (
        "app-backend",
        "Boto3/1.35.21 md/Botocore#1.35.21 ua/2.0 os/linux#5.10.225-213.878.amzn2.x86_64 md/arch#x86_64 lang/python#3.12.5 md/pyimpl#CPython exec-env/AWS_ECS_FARGATE cfg/retry-mode#legacy Botocore/1.35.21",
    ),
    (
        "deploy",
        "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.66.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.5 os/linux lang/go#1.22.7 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.177.3",
    ),
    (
        "order-events",
        "aws-sdk-js/3.651.1 ua/2.0 os/linux#5.10.226-235.879.amzn2.x86_64 lang/js md/nodejs#20.17.0 api/dynamodb#3.651.1 exec-env/AWS_Lambda_nodejs20.x",
    ),
    ("eks-node", "aws-sdk-go/1.55.5 (go1.22.5; linux; amd64) amazon-vpc-cni-k8s"),
    ("AWSServiceRoleForConfig", "config.amazonaws.com"),
];

pub(super) const AWS_SERVICES: [&str; 6] = [
    "ec2.amazonaws.com",
    "lambda.amazonaws.com",
    "config.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "autoscaling.amazonaws.com",
];

pub(super) fn roles(dice: &mut Dice) -> Vec<Other> {
    ROLES
        .iter()
        .map(|(name, agent)| Other {
            name,
            principal: format!("AROA{}", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17)),
            agent,
            network: Network::aws(Lease::Pool(12), dice),
        })
        .collect()
}
