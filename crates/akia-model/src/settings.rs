//! The worlds that are explored, and the pace of the rotations in them.

use std::collections::BTreeSet;

use akia_core::RotationId;
use akia_core::journal::{Event, Record};
use akia_core::profile::FileKind;
use akia_core::rotation::{Identity, Pace, Place, Plan, Probe, Retirement, Rotation, Signer};
use jiff::SignedDuration;

use crate::sabotage::Sabotage;
use crate::state::{Client, Held, Journal, Machine, Run, Staged, State, Truth};
use crate::world::{Aws, CLIENTS, Cause, HORIZON, Key, KeyNumber, LISTED, Maker, NOW, SETTLED, Status, Tick};

/// How long a displaced key stays inactive, in the model.
pub(crate) const GRACE: Tick = 40;
/// Wait between two proofs, in the model.
pub(crate) const GAP: Tick = 1;
/// Wait after a lost create answer, in the model.
pub(crate) const QUARANTINE: Tick = 20;
/// How long the old key of a service is watched, in the model.
pub(crate) const WATCH: Tick = 25;
/// How long after a look another look at the last use is worth it (`LOOK_GAP` of the core).
pub(crate) const LOOK: Tick = 30;

/// How much of a world is explored, breadth first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// All of it.
    Nowhere,
    /// What can be reached in so many steps.
    Depth(usize),
    /// What has been reached once so many steps have been taken, also those to states that were known.
    Steps(usize),
}

/// One world to explore.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// The machine of each rotation.
    pub(crate) clients: Vec<usize>,
    /// How many of them are planned from the start; the others when their machine is free.
    pub(crate) planned: usize,
    pub(crate) places: usize,
    pub(crate) faults: u8,
    pub(crate) outside: u8,
    pub(crate) admin: bool,
    pub(crate) retirement: Retirement,
    /// Another key of the user, idle, that a person named to make room.
    pub(crate) crowded: bool,
    /// Another key of the user, active, that nobody named (the quota is racy: it happens).
    pub(crate) bystander: bool,
    /// The key is of a service: it has a probe, and the old one is watched.
    pub(crate) service: bool,
    /// A place that fails for ever.
    pub(crate) shut: Option<usize>,
    pub(crate) cut: Cut,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Setting {
    pub(crate) fn new(name: &'static str, clients: &[usize], faults: u8, outside: u8) -> Self {
        Self {
            name,
            clients: clients.to_vec(),
            planned: clients.len(),
            places: 1,
            faults,
            outside,
            admin: false,
            retirement: Retirement::Deactivate,
            crowded: false,
            bystander: false,
            service: false,
            shut: None,
            cut: Cut::Nowhere,
            sabotage: None,
        }
    }

    pub(crate) fn places(mut self, places: usize) -> Self {
        self.places = places;
        self
    }

    pub(crate) fn cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    pub(crate) fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    pub(crate) fn retirement(mut self, retirement: Retirement) -> Self {
        self.retirement = retirement;
        self
    }

    pub(crate) fn crowded(mut self) -> Self {
        self.crowded = true;
        self
    }

    /// As [`Setting::crowded`], with a third key that somebody uses.
    pub(crate) fn crowded_by_two(self) -> Self {
        self.crowded().bystander()
    }

    pub(crate) fn bystander(mut self) -> Self {
        self.bystander = true;
        self
    }

    pub(crate) fn service(mut self) -> Self {
        self.service = true;
        self.admin()
    }

    /// This place fails for ever.
    pub(crate) fn shut(mut self, place: usize) -> Self {
        self.shut = Some(place);
        self
    }

    /// Only the first rotation is planned; the others follow on the same machine.
    pub(crate) fn one_after_another(mut self) -> Self {
        self.planned = 1;
        self
    }

    pub(crate) fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(crate) fn start(&self) -> State {
        let old = |maker| Key {
            maker,
            user: 0,
            status: Status::Active,
            cause: Cause::Made,
            touched: false,
            born: -LISTED,
            changed: -SETTLED,
            slow: true,
            luck: [0; CLIENTS],
            used: Some(-HORIZON),
        };
        let mut keys = vec![old(Maker::Before)];
        if self.crowded {
            keys.push(Key { used: None, status: Status::Inactive, ..old(Maker::Before) });
        }
        if self.bystander {
            keys.push(old(Maker::Before));
        }
        let machines = self.clients.iter().max().map_or(0, |last| last + 1);
        let held = Held { key: KeyNumber(0), outsider: false };
        let mut state = State {
            aws: Aws { user: 0, quota: if self.bystander { 3 } else { 2 }, keys, late: Vec::new() },
            machines: vec![Machine { places: vec![held; self.places] }; machines],
            clients: self
                .clients
                .iter()
                .map(|machine| Client {
                    machine: *machine,
                    rotation: None,
                    run: Run::Stopped,
                    displaced_staged: false,
                    new_staged: Staged::None,
                    journal: Journal::default(),
                    truth: Truth::default(),
                    durable: None,
                })
                .collect(),
            faults: self.faults,
            outside: self.outside,
            breach: None,
        };
        for client in 0..self.planned {
            self.plan(&mut state, client, KeyNumber(0));
        }
        state
    }

    /// Plans a rotation and starts its process.
    pub(crate) fn plan(&self, state: &mut State, index: usize, displaced: KeyNumber) {
        let plan = self.plan_of(state, index, displaced);
        let event = Event::Planned { plan: Box::new(plan) };
        let record = Record { at: *NOW, event: event.clone() };
        let user = state.aws.user;
        let room = self.crowded.then_some(KeyNumber(1));
        let client = &mut state.clients[index];
        client.rotation = Rotation::begin(&record).ok();
        client.journal.append(event);
        client.displaced_staged = true;
        client.truth.user = user;
        client.truth.named.extend(room);
        client.truth.grace_waived = self.retirement == Retirement::Delete;
        client.run = Run::started();
    }

    fn plan_of(&self, state: &State, index: usize, displaced: KeyNumber) -> Plan {
        #[expect(clippy::expect_used, reason = "constants that parse")]
        let (arn, user_id, profile) = (
            "arn:aws:iam::123456789012:user/alice".parse().expect("an arn"),
            "AIDAEXAMPLEEXAMPLE00".parse().expect("a user id"),
            "p".parse::<akia_core::ProfileName>().expect("a profile"),
        );
        #[expect(clippy::expect_used, reason = "constants that parse")]
        let region = "us-east-1".parse().expect("a region");
        let id = RotationId::from_bits(u64::try_from(index).unwrap_or(0) + 1);
        let pace = self.sabotage.map_or_else(pace, |sabotage| sabotage.pace(pace()));
        Plan {
            run: id.clone(),
            id,
            // The state of the world at planning counts, not the moment; nothing compares this one.
            planned_at: *NOW,
            identity: Identity { arn, user_id },
            displaced: displaced.id(),
            displaced_created_at: *NOW,
            before: state.aws.list(false).into_iter().map(|key| key.id).collect::<BTreeSet<_>>(),
            make_room: self.crowded.then(|| KeyNumber(1).id()),
            places: (0..self.places)
                .map(|_| Place::Profile {
                    path: "/c".to_owned(),
                    file: FileKind::Credentials,
                    profile: profile.clone(),
                })
                .collect(),
            signer: if self.admin {
                Signer::Admin { profile: profile.clone() }
            } else {
                Signer::Own { profile: profile.clone(), mfa_serial: None }
            },
            endpoint_url: None,
            region,
            retirement: self.retirement,
            grace: SignedDuration::from_secs(i64::from(GRACE)),
            without_evidence: false,
            service: None,
            vacant: BTreeSet::new(),
            displaced_secret_unknown: false,
            probe: self.service.then(|| Probe::Command(vec!["probe".to_owned()])),
            watch: SignedDuration::from_secs(if self.service { i64::from(WATCH) } else { 0 }),
            nonce: "n".to_owned(),
            pace,
        }
    }
}

/// The pace of the model: the proportions of the real one, in few seconds.
fn pace() -> Pace {
    Pace {
        settle: SignedDuration::from_secs(2),
        proof_gap: SignedDuration::from_secs(i64::from(GAP)),
        proofs: 2,
        proof_limit: 6,
        quarantine: SignedDuration::from_secs(i64::from(QUARANTINE)),
        retry_gap: SignedDuration::from_secs(1),
        retry_limit: 2,
        quiet: SignedDuration::from_secs(35),
    }
}
