//! Puts an account together from what AWS answered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::report::{CredentialReport, Moment, Password, Row, Slot};
use super::{Account, Console, Details, Estate, Key, Known, Root, ServiceCredential, User};
use crate::ids::{AccessKeyId, UserName};
use crate::key::{AccessKey, KeyStatus, LastUsed};

/// AWS's answers about one account.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    /// The account.
    pub account: Account,
    /// The credential report.
    pub report: &'a CredentialReport,
    /// When AWS made it.
    pub report_at: Timestamp,
    /// `ListAccessKeys` of each user who was asked about. A user without an entry was not: its keys have no ids.
    pub keys: &'a BTreeMap<UserName, Known<Vec<AccessKey>>>,
    /// `GetAccessKeyLastUsed` of keys that the report does not tell apart, or does not have yet.
    pub last_used: &'a BTreeMap<AccessKeyId, LastUsed>,
    /// Tags, groups and policies of all users.
    pub details: &'a Known<BTreeMap<UserName, Details>>,
    /// Service-specific credentials of all users.
    pub service_credentials: &'a Known<BTreeMap<UserName, Vec<ServiceCredential>>>,
}

/// The account, and the keys whose last use has to be asked for one by one: those that the report is too old for, and pairs
/// that it does not tell apart. Asked for and put into [`Sources::last_used`], a second run knows them.
#[must_use]
pub fn assemble(sources: &Sources<'_>) -> (Estate, BTreeSet<AccessKeyId>) {
    let mut to_ask = BTreeSet::new();
    let mut gaps = BTreeSet::new();
    for known in [sources.details.reason(), sources.service_credentials.reason()] {
        gaps.extend(known.map(str::to_owned));
    }
    let mut users: Vec<User> = sources
        .report
        .users
        .iter()
        .map(|(arn, row)| {
            let name = &arn.name;
            let keys = match sources.keys.get(name) {
                Some(Known::Told(listed)) => keys_of(listed, row, sources.last_used, &mut to_ask),
                Some(Known::Unknown { reason }) => {
                    gaps.insert(reason.clone());
                    row.slots.iter().map(key_of_slot).collect()
                }
                None => row.slots.iter().map(key_of_slot).collect(),
            };
            User {
                arn: arn.clone(),
                created_at: row.created_at,
                console: console(&row.password),
                mfa_active: row.mfa_active,
                keys: sorted(keys),
                details: of_user(sources.details, name),
                service_credentials: of_user(sources.service_credentials, name),
            }
        })
        .collect();
    users.sort_by(|a, b| a.arn.cmp(&b.arn));
    let root = match &sources.report.root {
        Some(row) => Known::Told(Root {
            keys: sorted(row.slots.iter().map(key_of_slot).collect()),
            password_used_at: match row.password {
                Password::Root { last_used } | Password::Set { last_used, .. } => last_used.at(),
                Password::None => None,
            },
            mfa_active: row.mfa_active,
        }),
        None => {
            let reason = "the credential report has no row of the root user".to_owned();
            gaps.insert(reason.clone());
            Known::Unknown { reason }
        }
    };
    (Estate { account: sources.account.clone(), as_of: sources.report_at, root, users, gaps }, to_ask)
}

fn of_user<T: Clone + Default>(all: &Known<BTreeMap<UserName, T>>, name: &UserName) -> Known<T> {
    match all {
        Known::Told(all) => Known::Told(all.get(name).cloned().unwrap_or_default()),
        Known::Unknown { reason } => Known::Unknown { reason: reason.clone() },
    }
}

fn console(password: &Password) -> Console {
    match password {
        Password::None => Console::Without,
        Password::Set { last_used, .. } | Password::Root { last_used } => Console::With { used_at: last_used.at() },
    }
}

fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_by_key(|key| {
        let is_inactive = key.status == KeyStatus::Inactive;
        (is_inactive, key.created_at.told().copied(), key.id.clone())
    });
    keys
}

/// A key by the report alone.
fn key_of_slot(slot: &Slot) -> Key {
    let unknown = || Known::Unknown { reason: "the credential report tells when a key was last activated".to_owned() };
    Key {
        id: None,
        status: status_of(slot),
        created_at: slot.rotated_at.map_or_else(unknown, Known::Told),
        reactivated_at: None,
        last_used: last_used_of(slot),
    }
}

fn status_of(slot: &Slot) -> KeyStatus {
    if slot.active { KeyStatus::Active } else { KeyStatus::Inactive }
}

fn last_used_of(slot: &Slot) -> LastUsed {
    match slot.last_used {
        Moment::At(at) => LastUsed::At {
            at,
            service: slot.service.clone().unwrap_or_else(|| "N/A".to_owned()),
            region: slot.region.clone().unwrap_or_else(|| "N/A".to_owned()),
        },
        Moment::NotApplicable | Moment::NoInformation => LastUsed::Never,
        Moment::NotSupported => LastUsed::Unknown { reason: "the credential report does not tell it".to_owned() },
    }
}

/// The keys of `ListAccessKeys`, each with the slot of the report that is its own.
fn keys_of(
    listed: &[AccessKey],
    row: &Row,
    asked: &BTreeMap<AccessKeyId, LastUsed>,
    to_ask: &mut BTreeSet<AccessKeyId>,
) -> Vec<Key> {
    let slots = slots_of(listed, row);
    listed
        .iter()
        .zip(slots)
        .map(|(key, slot)| {
            let last_used = match (asked.get(&key.id), slot) {
                (Some(answer), _) => answer.clone(),
                (None, Some(slot)) => last_used_of(slot),
                (None, None) => {
                    to_ask.insert(key.id.clone());
                    LastUsed::Unknown { reason: "the credential report does not tell which key was used".to_owned() }
                }
            };
            let rotated = slot.and_then(|slot| slot.rotated_at);
            Key {
                id: Some(key.id.clone()),
                status: key.status,
                created_at: Known::Told(key.created_at),
                reactivated_at: rotated.filter(|rotated| to_second(*rotated) > to_second(key.created_at)),
                last_used,
            }
        })
        .collect()
}

/// For each listed key its slot, or `None` where the report has none for it or does not tell which it is.
///
/// A slot can be a key's own if it was made, or last activated, no earlier than the key. The assignment with the most
/// slots whose date is the very one of their key counts. Where several are as good (two keys of one second), they tell
/// nothing, unless the slots say the same.
fn slots_of<'a>(listed: &[AccessKey], row: &'a Row) -> Vec<Option<&'a Slot>> {
    let slots: Vec<&Slot> = row.slots.iter().collect();
    let mut best: Vec<Vec<Option<&Slot>>> = Vec::new();
    let mut best_score = (0, 0);
    // Two slots, and rarely more than two keys: a handful of assignments.
    for assignment in assignments(listed.len().min(MOST_KEYS), slots.len()) {
        let chosen: Vec<Option<&Slot>> =
            (0..listed.len()).map(|key| assignment.get(key).copied().flatten().map(|slot| slots[slot])).collect();
        let Some(score) = score(listed, &chosen) else { continue };
        if score > best_score || best.is_empty() {
            (best, best_score) = (vec![chosen], score);
        } else if score == best_score {
            best.push(chosen);
        }
    }
    let Some(first) = best.first() else { return vec![None; listed.len()] };
    (0..listed.len())
        .map(|key| {
            first[key].filter(|slot| best.iter().all(|other| other[key].is_some_and(|other| says_same(slot, other))))
        })
        .collect()
}

/// Whether it makes no difference which of two slots is a key's own.
fn says_same(a: &Slot, b: &Slot) -> bool {
    let facts = |slot: &Slot| (slot.rotated_at, slot.last_used, slot.region.clone(), slot.service.clone());
    facts(a) == facts(b)
}

/// Keys of one user that are told apart by the report. AWS has been seen to make up to eight.
const MOST_KEYS: usize = 8;

/// Every way to give each of `keys` one of `slots` or none, no slot twice.
fn assignments(keys: usize, slots: usize) -> Vec<Vec<Option<usize>>> {
    let mut all = vec![Vec::new()];
    for _ in 0..keys {
        all = all
            .into_iter()
            .flat_map(|taken: Vec<Option<usize>>| {
                let free = (0..slots).filter(|slot| !taken.contains(&Some(*slot))).map(Some).collect::<Vec<_>>();
                free.into_iter().chain([None]).map(move |next| taken.iter().copied().chain([next]).collect::<Vec<_>>())
            })
            .collect();
    }
    all
}

/// How many slots are given away, and how many of them to a key of the very same second. `None` where one cannot be its
/// key's.
fn score(listed: &[AccessKey], chosen: &[Option<&Slot>]) -> Option<(usize, usize)> {
    let (mut given, mut exact) = (0, 0);
    for (key, slot) in listed.iter().zip(chosen) {
        let Some(slot) = slot else { continue };
        given += 1;
        match slot.rotated_at {
            Some(rotated) if to_second(rotated) < to_second(key.created_at) => return None,
            Some(rotated) if to_second(rotated) == to_second(key.created_at) => exact += 1,
            Some(_) | None => {}
        }
        // The report may be older than a change of the status: that counts against it, and does not rule it out.
        exact += usize::from(status_of(slot) == key.status);
    }
    Some((given, exact))
}

fn to_second(at: Timestamp) -> i64 {
    at.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECOND: &str = "AKIAI44QH8DHBEXAMPLE";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn key(id: &str, status: KeyStatus, created: &str) -> AccessKey {
        AccessKey { id: id.parse().unwrap(), status, created_at: at(created) }
    }

    fn slot(number: u8, active: bool, rotated: &str, used: Option<&str>) -> Slot {
        let last_used = used.map_or(Moment::NotApplicable, |used| Moment::At(at(used)));
        let region = used.map(|_| "eu-west-1".to_owned());
        Slot { number, active, rotated_at: Some(at(rotated)), last_used, service: region.clone(), region }
    }

    fn keys(listed: &[AccessKey], slots: Vec<Slot>) -> (Vec<Key>, BTreeSet<AccessKeyId>) {
        let row = Row { created_at: None, password: Password::None, mfa_active: false, slots, additional_keys: 0 };
        let mut to_ask = BTreeSet::new();
        let keys = keys_of(listed, &row, &BTreeMap::new(), &mut to_ask);
        (keys, to_ask)
    }

    #[test]
    fn slots_find_their_keys_whatever_their_order() {
        let listed = [
            key(FIRST, KeyStatus::Active, "2020-01-01T00:00:00Z"),
            key(SECOND, KeyStatus::Inactive, "2021-01-01T00:00:00Z"),
        ];
        let slots = [
            slot(1, false, "2021-01-01T00:00:00Z", None),
            slot(2, true, "2020-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
        ];
        for slots in [slots.to_vec(), slots.iter().rev().cloned().collect()] {
            let (keys, to_ask) = keys(&listed, slots);
            assert_eq!(to_ask, BTreeSet::new());
            assert!(matches!(keys[0].last_used, LastUsed::At { .. }), "{keys:?}");
            assert_eq!(keys[1].last_used, LastUsed::Never);
        }
    }

    #[test]
    fn a_reactivated_key_keeps_its_age_and_says_when() {
        let listed = [key(FIRST, KeyStatus::Active, "2020-01-01T00:00:00Z")];
        let (keys, _) = keys(&listed, vec![slot(1, true, "2026-06-01T00:00:00Z", None)]);
        assert_eq!(keys[0].created_at, Known::Told(at("2020-01-01T00:00:00Z")));
        assert_eq!(keys[0].reactivated_at, Some(at("2026-06-01T00:00:00Z")));
    }

    #[test]
    fn two_keys_of_one_second_are_not_guessed_at() {
        let same = "2020-01-01T00:00:00Z";
        let listed = [key(FIRST, KeyStatus::Active, same), key(SECOND, KeyStatus::Active, same)];
        let slots = vec![slot(1, true, same, Some("2026-01-01T00:00:00Z")), slot(2, true, same, None)];
        let (two, to_ask) = keys(&listed, slots);
        assert_eq!(to_ask.len(), 2, "{two:?}");
        // Where both slots say the same, it does not matter which is whose.
        let (_, to_ask) = keys(&listed, vec![slot(1, true, same, None), slot(2, true, same, None)]);
        assert_eq!(to_ask.len(), 0);
    }

    #[test]
    fn a_key_that_is_younger_than_the_report_is_asked_about() {
        let listed = [
            key(FIRST, KeyStatus::Active, "2020-01-01T00:00:00Z"),
            key(SECOND, KeyStatus::Active, "2026-11-24T00:00:00Z"),
        ];
        let (keys, to_ask) = keys(&listed, vec![slot(1, true, "2020-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"))]);
        assert_eq!(to_ask.into_iter().map(|id| id.to_string()).collect::<Vec<_>>(), [SECOND]);
        assert!(matches!(keys[0].last_used, LastUsed::At { .. }));
        assert!(matches!(keys[1].last_used, LastUsed::Unknown { .. }));
    }

    #[test]
    fn a_key_that_was_deleted_since_the_report_is_not_there() {
        let listed = [key(SECOND, KeyStatus::Active, "2026-11-24T00:00:00Z")];
        let (keys, to_ask) = keys(&listed, vec![slot(1, true, "2020-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"))]);
        assert_eq!((keys.len(), to_ask.len()), (1, 1), "the slot of another key is not its own");
    }
}
