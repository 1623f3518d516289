//! A rotation for the tests of this folder, told by its events.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Identity, Pace, Place, Plan, Rest, Retirement, Rotation, Signer};
use crate::ids::{AccessKeyId, RotationId};
use crate::journal::{Event, Intent, Record};
use crate::key::LastUsed;
use crate::profile::FileKind;

/// When every story begins.
pub(crate) const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

pub(crate) fn old_key() -> AccessKeyId {
    "AKIAIOSFODNN7EXAMPLE".parse().unwrap()
}

pub(crate) fn new_key() -> AccessKeyId {
    "AKIAI44QH8DHBEXAMPLE".parse().unwrap()
}

pub(crate) fn other_key() -> AccessKeyId {
    "AKIAOTHER0000EXAMPLE".parse().unwrap()
}

/// One place, a grace of seven days, and two proofs in a row.
pub(crate) fn plan() -> Plan {
    Plan {
        id: RotationId::from_bits(7),
        run: RotationId::from_bits(7),
        planned_at: START,
        identity: Identity {
            arn: "arn:aws:iam::123456789012:user/alice".parse().unwrap(),
            user_id: "AIDAEXAMPLEEXAMPLE00".parse().unwrap(),
        },
        displaced: old_key(),
        displaced_created_at: START - SignedDuration::from_hours(24 * 400),
        before: BTreeSet::from([old_key()]),
        make_room: None,
        places: vec![Place::Profile {
            path: "/home/alice/.aws/credentials".to_owned(),
            file: FileKind::Credentials,
            profile: "work".parse().unwrap(),
        }],
        signer: Signer::Own { profile: "work".parse().unwrap(), mfa_serial: None },
        endpoint_url: None,
        region: "us-east-1".parse().unwrap(),
        retirement: Retirement::Deactivate,
        grace: SignedDuration::from_hours(24 * 7),
        without_evidence: false,
        service: None,
        vacant: BTreeSet::new(),
        displaced_secret_unknown: false,
        probe: None,
        watch: SignedDuration::ZERO,
        nonce: "n0".to_owned(),
        pace: Pace { proofs: 2, ..Pace::default() },
    }
}

/// A rotation and the time in its world.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) rotation: Rotation,
    pub(crate) now: Timestamp,
}

impl Story {
    pub(crate) fn of(plan: Plan) -> Self {
        let first = Record { at: START, event: Event::Planned { plan: Box::new(plan) } };
        Self { rotation: Rotation::begin(&first).unwrap(), now: START }
    }

    pub(crate) fn planned() -> Self {
        Self::of(plan())
    }

    /// What happens then, which has to be legal.
    pub(crate) fn then(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        for event in events {
            self.rotation.apply(&Record { at: self.now, event }).unwrap();
        }
        self
    }

    pub(crate) fn intend(self, intent: Intent) -> Self {
        self.then([Event::Intended { intent }])
    }

    pub(crate) fn wait(mut self, seconds: i64) -> Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// Whether the journal may say this now.
    pub(crate) fn allows(&self, event: Event) -> bool {
        self.rotation.clone().apply(&Record { at: self.now, event }).is_ok()
    }

    pub(crate) fn rest(&self) -> Rest {
        self.rotation.rest(self.now)
    }

    pub(crate) fn created(self) -> Self {
        self.intend(Intent::Create).then([Event::KeyCreated { key: new_key() }])
    }

    pub(crate) fn proving(self) -> Self {
        self.created().then([Event::SecretReadBack])
    }

    pub(crate) fn delivering(self) -> Self {
        self.proving().then([Event::ProofPassed, Event::ProofPassed, Event::RivalsAbsent])
    }

    pub(crate) fn promoted(self) -> Self {
        self.delivering().intend(Intent::Deliver(0)).then([Event::Delivered { place: 0, mark: None }, Event::Promoted])
    }

    pub(crate) fn quiet(self) -> Self {
        self.promoted().then([Event::Observed { last_used: LastUsed::Never }])
    }

    pub(crate) fn deactivated(self) -> Self {
        self.quiet().intend(Intent::DeactivateDisplaced).then([Event::DisplacedDeactivated])
    }

    /// The old key is deleted; the secrets are still staged.
    pub(crate) fn retired(self) -> Self {
        let out_of_grace = self.deactivated().wait(7 * 86_400);
        out_of_grace.intend(Intent::DeleteDisplaced).then([Event::DisplacedDeleted])
    }

    /// The new key is inactive, the old one is back.
    pub(crate) fn undone(self) -> Self {
        let restoring = self.deactivated().then([Event::UndoRequested]).intend(Intent::ActivateDisplaced).then([
            Event::DisplacedActivated,
            Event::ProofPassed,
            Event::ProofPassed,
        ]);
        restoring
            .intend(Intent::Restore(0))
            .then([Event::Restored { place: 0, mark: None }])
            .intend(Intent::DeactivateNew)
            .then([Event::NewDeactivated])
    }

    /// A key that a lost answer may have made was found, and nobody knows whose it is.
    pub(crate) fn suspected(self) -> Self {
        self.intend(Intent::Create).then([
            Event::CreateUnanswered { error: "time-out".to_owned() },
            Event::OrphanSuspected { keys: BTreeSet::from([other_key()]) },
        ])
    }

    /// One effect has failed until its run gave up.
    pub(crate) fn interrupted(self) -> Self {
        let failures = self.rotation.plan().pace.retry_limit;
        self.then((0..failures).map(|_| Event::Failed { error: "access denied".to_owned() }))
    }
}
