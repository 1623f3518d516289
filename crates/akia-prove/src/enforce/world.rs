//! The truth of one simulated estate: accounts, users, keys, what the policy says, and what AWS tells of it all.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::enforce::{
    Caps, CaseSubject, EnforcePolicy, Exemption, Facts, Freeze, FreezeTime, InUse, KeyFacts, Protected, Terms, Waits,
};
use akia_core::estate::{Account, Console, Details, Estate, Key, Known, Root, User};
use akia_core::{AccessKeyId, AccountId, KeyStatus, LastUsed, UserArn, UserId};
use jiff::{SignedDuration, Timestamp};

pub(crate) const START: Timestamp = Timestamp::constant(1_772_366_430, 0);
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;
/// IAM may show what was before a change for less than this, and may carry out a lost request for less than [`LATE`].
const STALE: i64 = 15;
pub(crate) const LATE: i64 = 44;
/// A key that was used within this is in use.
pub(crate) const QUIET: i64 = 2 * DAY;
const RULES: [&str; 4] = ["key-age", "key-unused", "key-never-used", "inactive-key-kept"];
const NAMES: [&str; 5] = ["ann", "batch,prod", "ops=x,y@z", "break-glass", "svc-a,b"];

/// Seconds from the start.
pub(crate) type Moment = i64;

pub(crate) fn moment(seconds: Moment) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

pub(crate) fn seconds(at: Timestamp) -> Moment {
    at.duration_since(START).as_secs()
}

#[derive(Clone, Debug)]
pub(crate) struct TrueUser {
    pub(crate) account: usize,
    pub(crate) arn: UserArn,
    pub(crate) id: UserId,
    pub(crate) created: Moment,
    pub(crate) is_gone: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TrueKey {
    pub(crate) user: usize,
    pub(crate) id: AccessKeyId,
    pub(crate) created: Moment,
    pub(crate) is_active: bool,
    pub(crate) is_gone: bool,
    pub(crate) was_active: bool,
    pub(crate) changed: Moment,
    pub(crate) used: Option<Moment>,
    pub(crate) activated: Option<Moment>,
    /// Whom the last change was made by: a case, or somebody.
    pub(crate) shut_by: Option<usize>,
}

/// What holds, as the judge knows it; the policy is written from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rulebook {
    pub(crate) rules: BTreeSet<String>,
    pub(crate) waits: Waits,
    pub(crate) exempt: BTreeSet<AccessKeyId>,
    pub(crate) protected: BTreeSet<String>,
    pub(crate) is_frozen: bool,
    pub(crate) is_enabled: bool,
    pub(crate) is_stopped: bool,
    pub(crate) caps: Caps,
}

pub(crate) struct World {
    pub(crate) random: fastrand::Rng,
    pub(crate) now: Moment,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) users: Vec<TrueUser>,
    pub(crate) keys: Vec<TrueKey>,
    pub(crate) rulebook: Rulebook,
    pub(crate) policy: EnforcePolicy,
    /// Requests that AWS carries out later than their sender thinks: when, which key, to what, for which case.
    pub(crate) late: Vec<(Moment, usize, Change, usize)>,
    made: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Deactivate,
    Activate,
    Delete,
}

pub(crate) fn waits(random: &mut fastrand::Rng) -> Waits {
    let days = |days: i64| SignedDuration::from_secs(days * DAY);
    let deactivate = random.i64(4..14);
    Waits {
        remind_after: days(random.i64(1..deactivate)),
        deactivate_after: days(deactivate),
        delete_after: (random.u8(..8) > 0).then(|| days(random.i64(2..15))),
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let accounts: Vec<AccountId> = (0..random.usize(1..=2))
            .map(|n| format!("{:012}", 111_122_223_333_u64 + n as u64).parse().unwrap())
            .collect();
        let mut rules: BTreeSet<String> =
            RULES.iter().filter(|_| random.u8(..4) > 0).map(|&rule| rule.to_owned()).collect();
        rules.insert(RULES[random.usize(1..3)].to_owned());
        let caps = Caps {
            keys: random.u32(1..8),
            keys_of_account: random.u32(1..5),
            percent: if random.u8(..8) == 0 { 30 } else { 100 },
            per: SignedDuration::from_hours(24),
        };
        let rulebook = Rulebook {
            rules,
            waits: waits(&mut random),
            exempt: BTreeSet::new(),
            protected: ["break-glass".to_owned()].into(),
            is_frozen: false,
            is_enabled: true,
            is_stopped: false,
            caps,
        };
        let mut world = Self {
            random,
            now: 0,
            accounts,
            users: Vec::new(),
            keys: Vec::new(),
            policy: EnforcePolicy::default(),
            rulebook,
            late: Vec::new(),
            made: 0,
        };
        for account in 0..world.accounts.len() {
            let first = world.random.usize(..NAMES.len());
            for n in 0..world.random.usize(1..=2) {
                let user = world.make_user(account, NAMES[(first + n) % NAMES.len()]);
                let created = -world.random.i64(1..400) * DAY;
                // Two keys of one second are two keys.
                let is_twin = world.random.u8(..4) == 0;
                world.make_key(user, created);
                if world.random.u8(..3) == 0 {
                    let other = -world.random.i64(1..400) * DAY;
                    world.make_key(user, if is_twin { created } else { other });
                }
            }
        }
        world.write_policy();
        world
    }

    pub(crate) fn make_user(&mut self, account: usize, name: &str) -> usize {
        self.made += 1;
        let path = if self.random.bool() { "/" } else { "/ops/" };
        let arn = format!("arn:aws:iam::{}:user{path}{name}", self.accounts[account]).parse().unwrap();
        let id = format!("AIDAEXAMPLE{:010}", self.made).parse().unwrap();
        self.users.push(TrueUser { account, arn, id, created: -500 * DAY, is_gone: false });
        self.users.len() - 1
    }

    pub(crate) fn make_key(&mut self, user: usize, created: Moment) -> usize {
        self.made += 1;
        let is_active = self.random.u8(..5) > 0;
        let used = (self.random.u8(..3) > 0).then(|| {
            let idle = self.random.i64(0..120) * DAY;
            (self.now - idle).max(created)
        });
        let id = format!("AKIAEXAMPLE{:09}", self.made).parse().unwrap();
        self.keys.push(TrueKey {
            user,
            id,
            created,
            is_active,
            is_gone: false,
            was_active: is_active,
            changed: created,
            used,
            activated: None,
            shut_by: None,
        });
        self.keys.len() - 1
    }

    /// The policy as the file says it.
    pub(crate) fn write_policy(&mut self) {
        let Rulebook { rules, waits, exempt, protected, is_frozen, is_enabled, caps, .. } = self.rulebook.clone();
        let exemptions = self.keys.iter().filter(|key| exempt.contains(&key.id)).map(|key| Exemption {
            account: self.accounts[self.users[key.user].account].clone(),
            user: None,
            key: Some(key.id.clone()),
            owner: "ann".to_owned(),
            reason: "needed".to_owned(),
            ticket: "T-1".to_owned(),
            approver: "bob".to_owned(),
            granted: moment(-DAY),
            expires: moment(5_000 * DAY),
        });
        let frozen = Freeze {
            time: FreezeTime::Between { from: moment(-DAY), to: moment(5_000 * DAY) },
            reason: "year end".to_owned(),
        };
        self.policy = EnforcePolicy {
            is_enabled,
            base: Terms { rules, waits, in_use: InUse::Hold, quiet: SignedDuration::from_secs(QUIET) },
            protected: Protected { users: protected.into_iter().collect(), ..Protected::default() },
            exemptions: exemptions.collect(),
            freezes: is_frozen.then_some(frozen).into_iter().collect(),
            caps,
            ..EnforcePolicy::default()
        };
    }

    pub(crate) fn stopped(&self) -> Option<&'static str> {
        self.rulebook.is_stopped.then_some("somebody has said so")
    }

    /// The next late request that takes effect until then.
    pub(crate) fn next_late(&mut self, then: Moment) -> Option<(Moment, usize, Change, usize)> {
        let (index, _) =
            self.late.iter().enumerate().filter(|(_, late)| late.0 <= then).min_by_key(|(_, late)| late.0)?;
        Some(self.late.remove(index))
    }

    pub(crate) fn set(&mut self, key: usize, change: Change, by: Option<usize>) {
        let now = self.now;
        let key = &mut self.keys[key];
        if key.is_gone {
            return;
        }
        let to = match change {
            Change::Delete => {
                key.is_gone = true;
                return;
            }
            Change::Deactivate => false,
            Change::Activate => true,
        };
        if key.is_active != to {
            (key.was_active, key.is_active, key.changed) = (key.is_active, to, now);
            key.activated = if to { Some(now) } else { key.activated };
            key.shut_by = if to { None } else { by };
        }
    }

    /// The key that a request by account, name and id finds now.
    pub(crate) fn find(&self, subject: &CaseSubject) -> Option<usize> {
        self.keys.iter().position(|key| {
            let user = &self.users[key.user];
            !key.is_gone
                && !user.is_gone
                && key.id == subject.key
                && user.arn.account == subject.account
                && user.arn.name == subject.user.name
        })
    }

    /// Whether a key is the one of a case: in truth.
    pub(crate) fn is_of(&self, key: usize, subject: &CaseSubject) -> bool {
        let key = &self.keys[key];
        self.users[key.user].id == subject.user_id
            && key.id == subject.key
            && moment(key.created) == subject.key_created_at
    }

    /// The rules that a key breaks, as the documentation of each has it.
    /// `activated` is when it was last activated again, as far as the audit has told.
    pub(crate) fn broken(&self, key: usize, is_active: bool, activated: Option<Moment>) -> bool {
        let key = &self.keys[key];
        let since = |at: Moment| self.now - at;
        let is = |rule: &str, holds: bool| holds && self.rulebook.rules.contains(rule);
        if is_active {
            return is("key-age", since(key.created) > 90 * DAY)
                || is("key-unused", key.used.is_some_and(|used| since(used) > 45 * DAY))
                || is("key-never-used", key.used.is_none() && since(key.created) > 45 * DAY);
        }
        let last = key.used.into_iter().chain(activated).fold(key.created, Moment::max);
        is("inactive-key-kept", since(last) > 30 * DAY)
    }

    pub(crate) fn is_spared(&self, key: usize) -> bool {
        let key = &self.keys[key];
        self.rulebook.exempt.contains(&key.id)
            || self.rulebook.protected.contains(self.users[key.user].arn.name.as_str())
    }

    /// What an audit reads: not all of it, where `share` of 256 say so.
    pub(crate) fn audit(&mut self, share: u8) -> Vec<Estate> {
        let as_of = self.now - self.random.i64(0..4) * HOUR;
        let mut estates = Vec::new();
        for account in 0..self.accounts.len() {
            if self.chance(share / 2) {
                continue;
            }
            let mut users = Vec::new();
            for index in 0..self.users.len() {
                let user = self.users[index].clone();
                if user.account != account || user.is_gone {
                    continue;
                }
                let mut keys = Vec::new();
                for index in 0..self.keys.len() {
                    let key = self.keys[index].clone();
                    if self.users[key.user].id != user.id || key.is_gone {
                        continue;
                    }
                    let is_unknown = self.chance(share);
                    let created_at = if self.chance(share) { unknown() } else { Known::Told(moment(key.created)) };
                    keys.push(Key {
                        // The credential report alone tells no ids.
                        id: (!self.chance(share / 2)).then(|| key.id.clone()),
                        status: status(key.is_active),
                        created_at,
                        reactivated_at: key.activated.filter(|at| *at <= as_of).map(moment),
                        last_used: if is_unknown { use_unknown() } else { last_used(key.used) },
                    });
                }
                let is_unknown = self.chance(share);
                users.push(true_user(&user, keys, is_unknown));
            }
            let id = self.accounts[account].clone();
            let root = Known::Told(Root { keys: Vec::new(), password_used_at: None, mfa_active: true });
            let as_of = moment(as_of);
            estates.push(Estate { account: Account::bare(id), as_of, root, users, gaps: BTreeSet::new() });
        }
        estates
    }

    pub(crate) fn chance(&mut self, share: u8) -> bool {
        self.random.u8(..) < share
    }

    /// What three calls tell of a key. `share` is how often one of them fails.
    pub(crate) fn look(&mut self, subject: &CaseSubject, reactivated_at: Option<Timestamp>, share: u8) -> Look {
        let user = self.users.iter().position(|user| {
            !user.is_gone && user.arn.account == subject.account && user.arn.name == subject.user.name
        });
        let found = self.find(subject);
        let is_stale = found.is_some_and(|key| self.now - self.keys[key].changed < STALE) && self.random.u8(..3) == 0;
        let shown = |key: &TrueKey| if is_stale { key.was_active } else { key.is_active };
        let active = found.map(|key| shown(&self.keys[key]));
        let (no_user, no_keys, no_use) = (self.chance(share), self.chance(share), self.chance(share));
        let user_id = if no_user { unknown() } else { Known::Told(user.map(|user| self.users[user].id.clone())) };
        let facts_of = |index: usize| KeyFacts {
            status: status(active.unwrap_or_default()),
            created_at: moment(self.keys[index].created),
        };
        let key = if no_keys { unknown() } else { Known::Told(found.map(facts_of)) };
        let used = found.and_then(|key| self.keys[key].used);
        let last_used = if no_use { use_unknown() } else { last_used(used) };
        let facts = Facts { user_id, key, last_used, reactivated_at };
        let shown = (!no_user).then_some(user).flatten().zip(facts.key.told().copied().flatten()).map(|(user, key)| {
            let key = Key {
                id: Some(subject.key.clone()),
                status: key.status,
                created_at: Known::Told(key.created_at),
                reactivated_at,
                last_used: facts.last_used.clone(),
            };
            true_user(&self.users[user], vec![key], false)
        });
        Look { facts, user: shown, found, is_active: active, is_known: !(no_user || no_keys || no_use) }
    }
}

pub(crate) struct Look {
    pub(crate) facts: Facts,
    pub(crate) user: Option<User>,
    /// The key, in truth.
    pub(crate) found: Option<usize>,
    /// As AWS has shown it.
    pub(crate) is_active: Option<bool>,
    pub(crate) is_known: bool,
}

fn true_user(user: &TrueUser, keys: Vec<Key>, is_unknown: bool) -> User {
    let tags: BTreeMap<String, String> = [("owner".to_owned(), "ann@example.com".to_owned())].into();
    let details = Details { id: Some(user.id.clone()), tags, ..Details::default() };
    User {
        arn: user.arn.clone(),
        created_at: Some(moment(user.created)),
        console: Console::Without,
        mfa_active: false,
        keys,
        details: if is_unknown { unknown() } else { Known::Told(details) },
        service_credentials: Known::Told(Vec::new()),
    }
}

fn status(is_active: bool) -> KeyStatus {
    if is_active { KeyStatus::Active } else { KeyStatus::Inactive }
}

fn last_used(used: Option<Moment>) -> LastUsed {
    used.map_or(LastUsed::Never, |at| LastUsed::At {
        at: moment(at),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
    })
}

fn use_unknown() -> LastUsed {
    LastUsed::Unknown { reason: "the report has expired".to_owned() }
}

fn unknown<T>() -> Known<T> {
    Known::Unknown { reason: "AccessDenied".to_owned() }
}
