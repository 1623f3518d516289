//! What a seed draws: the world, and what goes wrong in it.

use std::time::Duration;

use akia_core::rotation::Retirement;
use akia_sandbox::{Fault, FaultKind};
use jiff::SignedDuration;

use crate::director::{Blow, Class, Strike, When};
use crate::outsider;

/// Actions whose calls may be struck, the weightier ones more often.
const ACTIONS: [&str; 12] = [
    "CreateAccessKey",
    "CreateAccessKey",
    "CreateAccessKey",
    "UpdateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "DeleteAccessKey",
    "ListAccessKeys",
    "GetCallerIdentity",
    "GetAccessKeyLastUsed",
    "LookupEvents",
    "GetSessionToken",
];

/// The other key that the user may have from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherKey {
    None,
    NeverUsed,
    Inactive,
}

/// The world of a run, and what is done in it first.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) has_mfa: bool,
    pub(crate) is_admin: bool,
    pub(crate) reads_cloudtrail: bool,
    pub(crate) other_key: OtherKey,
    pub(crate) is_lagging: bool,
    pub(crate) has_racy_quota: bool,
    pub(crate) has_second_machine: bool,
    pub(crate) first: Act,
}

/// A rotation, and what is done to it with faults about, up to its rest.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) retirement: Retirement,
    pub(crate) grace: SignedDuration,
    pub(crate) without_evidence: bool,
    pub(crate) names_other_key: bool,
    pub(crate) commands: Vec<Command>,
    pub(crate) waits_out_grace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Rotate,
    RotateOnBoth,
    Resume,
    Undo,
    Retire,
    Wait { seconds: u64 },
}

impl Plot {
    /// What was drawn for a seed that has found something stays as it is: nothing is drawn in another order.
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        let is_admin = random.u8(..6) == 0;
        let has_second_machine = random.u8(..12) == 0;
        let mut commands = Act::afterthoughts(random);
        let mut first = if has_second_machine { Command::RotateOnBoth } else { Command::Rotate };
        if has_second_machine && random.u8(..4) == 0 {
            first = Command::Rotate;
            commands.push(Command::RotateOnBoth);
        }
        commands.insert(0, first);
        let (retirement, grace) = (Act::retirement(random), Act::grace(random));
        let without_evidence = random.bool();
        let has_mfa = !is_admin && random.u8(..6) == 0;
        let reads_cloudtrail = random.bool();
        let other_key = match random.u8(..12) {
            0 => OtherKey::NeverUsed,
            1 => OtherKey::Inactive,
            _ => OtherKey::None,
        };
        let names_other_key = random.u8(..5) != 0;
        let is_lagging = random.u8(..3) == 0;
        let has_racy_quota = has_second_machine && random.bool();
        let waits_out_grace = random.bool();
        let first = Act { retirement, grace, without_evidence, names_other_key, commands, waits_out_grace };
        Self { has_mfa, is_admin, reads_cloudtrail, other_key, is_lagging, has_racy_quota, has_second_machine, first }
    }

    /// Blows for one command, and faults for its calls.
    pub(crate) fn trouble(&self, random: &mut fastrand::Rng) -> (Vec<Strike>, Vec<Fault>) {
        let (mut strikes, mut faults) = (Vec::new(), Vec::new());
        let count = [0, 1, 1, 1, 2, 2, 3, 5][random.usize(..8)];
        for _ in 0..count {
            let when = if random.bool() { When::Before } else { When::After };
            let class = [Class::Call, Class::Journal, Class::File][random.usize(..3)];
            let reach = match class {
                Class::Call => 28,
                Class::Journal => 70,
                Class::File => 90,
            };
            let left = random.u32(1..=reach);
            match random.u8(..20) {
                0..7 => faults.push(self.fault(random)),
                7..13 => strikes.push(Strike { class, left, blow: Blow::Crash(when) }),
                13..17 => {
                    let class = if random.bool() { Class::Journal } else { Class::File };
                    let left = random.u32(1..=if class == Class::File { 90 } else { 70 });
                    strikes.push(Strike { class, left, blow: Blow::Fail(when) });
                    if random.u8(..4) == 0 {
                        // A disk that stays full for a while.
                        for more in 1..random.u32(2..12) {
                            strikes.push(Strike { class, left: left + more, blow: Blow::Fail(When::Before) });
                        }
                    }
                }
                _ => {
                    let mischief = outsider::ALL[random.usize(..outsider::ALL.len())];
                    let class = if mischief.is_of_files() && class == Class::File { Class::Journal } else { class };
                    strikes.push(Strike { class, left, blow: Blow::Outsider(mischief) });
                }
            }
        }
        (strikes, faults)
    }

    fn fault(&self, random: &mut fastrand::Rng) -> Fault {
        let kinds = [
            FaultKind::LostAnswerBeforeCommit,
            FaultKind::LostAnswerAfterCommit,
            FaultKind::LostAnswerAfterCommit,
            FaultKind::DelayedCommit(Duration::from_secs(random.u64(1..55))),
            FaultKind::TruncatedAnswer,
            FaultKind::Throttle,
            FaultKind::ServerError { status: 500, committed: false },
            FaultKind::ServerError { status: 503, committed: true },
            FaultKind::Slow(Duration::from_secs(random.u64(1..30))),
            FaultKind::InvalidClientTokenId,
            FaultKind::AccessDenied,
            FaultKind::Refuse { status: 409, code: "LimitExceeded".into(), message: "Cannot exceed quota".into() },
            FaultKind::Refuse { status: 404, code: "NoSuchEntity".into(), message: "The user cannot be found".into() },
            FaultKind::Garbage(b"<html><body>Welcome to this hotel</body></html>".to_vec()),
            FaultKind::Garbage(Vec::new()),
        ];
        let mut kind = kinds[random.usize(..kinds.len())].clone();
        if self.has_second_machine && matches!(kind, FaultKind::DelayedCommit(_)) {
            // Whose a key is that appears later could not be told.
            kind = FaultKind::LostAnswerAfterCommit;
        }
        let fault = if random.u8(..8) == 0 {
            Fault::on_any(kind).nth(random.u32(1..25))
        } else {
            Fault::on(ACTIONS[random.usize(..ACTIONS.len())], kind).nth(random.u32(1..4))
        };
        match random.u8(..8) {
            0..4 => fault,
            4..6 => fault.times(random.u32(2..8)),
            6 => fault.times(30),
            _ => fault.always(),
        }
    }
}

impl Act {
    /// A later rotation of the same user, on the machine that made the one before.
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        let mut commands = vec![Command::Rotate];
        commands.extend(Self::afterthoughts(random));
        Self {
            retirement: Self::retirement(random),
            grace: Self::grace(random),
            without_evidence: random.bool(),
            names_other_key: random.bool(),
            commands,
            waits_out_grace: random.bool(),
        }
    }

    fn afterthoughts(random: &mut fastrand::Rng) -> Vec<Command> {
        let count = [0, 0, 1, 1, 2, 3][random.usize(..6)];
        let one = |random: &mut fastrand::Rng| match random.u8(..10) {
            0..3 => Command::Resume,
            3..6 => Command::Undo,
            6..7 => Command::Retire,
            7..8 => Command::Rotate,
            8..9 => Command::Wait { seconds: random.u64(1..200) },
            _ => Command::Wait { seconds: random.u64(1..20) * 86_400 },
        };
        (0..count).map(|_| one(random)).collect()
    }

    fn retirement(random: &mut fastrand::Rng) -> Retirement {
        match random.u8(..10) {
            0..6 => Retirement::Deactivate,
            6..9 => Retirement::Delete,
            _ => Retirement::Keep,
        }
    }

    fn grace(random: &mut fastrand::Rng) -> SignedDuration {
        SignedDuration::from_hours([0, 1, 24, 7 * 24][random.usize(..4)])
    }
}
