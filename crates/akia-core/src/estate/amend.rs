//! What AWS has said of users since an account was read for an audit, laid over what was read.
//!
//! An event says that something has happened to a user; AWS was asked about that user then. Only its answer counts here, so that
//! events that come twice, late or forged change nothing: the latest answer about a user wins, and one that is older than the
//! audit is left out.
//!
//! Invariant: every change is told with the event that led to it and the moment of the look ([`Amended`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Console, Estate, Key, Known, User};
use crate::ids::{AccessKeyId, AccountId, UserArn, UserId, UserName};
use crate::key::{AccessKey, KeyStatus, LastUsed};

/// What AWS said of a user after an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLook {
    /// The account.
    pub account: AccountId,
    /// The name that was asked about.
    pub user: UserName,
    /// When AWS was asked.
    pub at: Timestamp,
    /// The user; nothing where there is none of the name.
    pub found: Option<UserFound>,
    /// The event that led to it.
    pub event: EventRef,
}

/// The event that led to a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// Its id.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What it said, in a word.
    pub said: String,
}

/// A user as AWS told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFound {
    /// Its ARN.
    pub arn: UserArn,
    /// Its unique id.
    pub id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its keys.
    pub keys: Vec<AccessKey>,
}

/// A key that AWS says others may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyExposure {
    /// The account.
    pub account: AccountId,
    /// The key.
    pub key: AccessKeyId,
    /// The kind of finding, in AWS's words.
    pub code: String,
    /// The event that told of it.
    pub event: EventRef,
}

/// One thing that is other than the audit has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amended {
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserArn,
    /// The key; nothing where it is about the user.
    pub key: Option<AccessKeyId>,
    /// What is other: `created`, `deleted`, `activated`, `deactivated`, `renamed`, `user deleted`, `exposed`.
    pub change: String,
    /// The event that led to it.
    pub event: EventRef,
    /// When AWS was asked; for an exposure, when it was told.
    pub looked_at: Timestamp,
}

/// Lays looks that were made after `read_at` over an account, and what is known of exposed keys. What has changed thereby, in
/// the order of the looks.
pub fn amend(estate: &mut Estate, looks: &[UserLook], exposures: &[KeyExposure], read_at: Timestamp) -> Vec<Amended> {
    let mut latest: BTreeMap<String, &UserLook> = BTreeMap::new();
    for look in looks.iter().filter(|look| look.account == estate.account.id && look.at > read_at) {
        let held = latest.entry(look.user.as_str().to_ascii_lowercase()).or_insert(look);
        if look.at > held.at {
            *held = look;
        }
    }
    // Who was found first: a user who was renamed is known again by its id, before the old name is gone.
    let mut of_account: Vec<&UserLook> = latest.into_values().collect();
    of_account.sort_by_key(|look| (look.found.is_none(), look.at));
    let mut amended = Vec::new();
    for look in of_account {
        match &look.found {
            Some(found) => find(estate, look, found, &mut amended),
            None => lose(estate, look, &mut amended),
        }
    }
    let account = estate.account.id.clone();
    for exposure in exposures.iter().filter(|exposure| exposure.account == account) {
        expose(estate, exposure, &mut amended);
    }
    amended
}

fn same_name(a: &UserName, b: &UserName) -> bool {
    // IAM's names ignore case.
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

fn id_of(user: &User) -> Option<&UserId> {
    user.details.told().and_then(|details| details.id.as_ref())
}

fn find(estate: &mut Estate, look: &UserLook, found: &UserFound, amended: &mut Vec<Amended>) {
    let mut tell = |key: Option<&AccessKeyId>, change: &str| {
        amended.push(Amended {
            account: look.account.clone(),
            user: found.arn.clone(),
            key: key.cloned(),
            change: change.to_owned(),
            event: look.event.clone(),
            looked_at: look.at,
        });
    };
    let by_id = estate.users.iter().position(|user| id_of(user) == Some(&found.id));
    // A user of the name whose id is not known may be the same one; one of another id is not.
    let by_name = || {
        let is_same = |user: &User| same_name(user.name(), &found.arn.name) && id_of(user).is_none();
        estate.users.iter().position(is_same)
    };
    let at = by_id.or_else(by_name);
    // Whoever else has the name was deleted before this one got it.
    let mut position = 0;
    estate.users.retain(|user| {
        let is_other = Some(position) != at && same_name(user.name(), &found.arn.name);
        position += 1;
        !is_other
    });
    let at = estate.users.iter().position(|user| {
        id_of(user) == Some(&found.id) || id_of(user).is_none() && same_name(user.name(), &found.arn.name)
    });
    let reason = || format!("known from an event ({}) alone", look.event.at);
    let user = match at {
        Some(at) => &mut estate.users[at],
        None => {
            estate.users.push(User {
                arn: found.arn.clone(),
                created_at: Some(found.created_at),
                console: Console::Without,
                mfa_active: false,
                keys: Vec::new(),
                details: Known::Unknown { reason: reason() },
                service_credentials: Known::Unknown { reason: reason() },
            });
            let last = estate.users.len() - 1;
            &mut estate.users[last]
        }
    };
    if user.arn != found.arn {
        user.arn = found.arn.clone();
        tell(None, "renamed");
    }
    let before = std::mem::take(&mut user.keys);
    for key in &before {
        // A key whose id is not known cannot be told from those that were found.
        if let Some(id) = &key.id
            && !found.keys.iter().any(|now| now.id == *id)
        {
            tell(Some(id), "deleted");
        }
    }
    for now in &found.keys {
        let was = before.iter().find(|key| key.id.as_ref() == Some(&now.id));
        match was.map(|key| key.status) {
            None => tell(Some(&now.id), "created"),
            Some(status) if status == now.status => {}
            Some(_) if now.status == KeyStatus::Active => tell(Some(&now.id), "activated"),
            Some(_) => tell(Some(&now.id), "deactivated"),
        }
        user.keys.push(match was {
            Some(key) => {
                let is_active_again = key.status == KeyStatus::Inactive && now.status == KeyStatus::Active;
                let reactivated_at = if is_active_again { Some(look.event.at) } else { key.reactivated_at };
                let created_at = Known::Told(now.created_at);
                Key { id: Some(now.id.clone()), status: now.status, created_at, reactivated_at, ..key.clone() }
            }
            None => Key {
                id: Some(now.id.clone()),
                status: now.status,
                created_at: Known::Told(now.created_at),
                reactivated_at: None,
                last_used: LastUsed::Unknown { reason: reason() },
            },
        });
    }
    // As an audit has them.
    user.keys.sort_by(|a, b| {
        let order = |key: &Key| (key.status == KeyStatus::Inactive, key.created_at.told().copied());
        order(a).cmp(&order(b))
    });
    estate.users.sort_by(|a, b| a.arn.name.cmp(&b.arn.name));
}

fn lose(estate: &mut Estate, look: &UserLook, amended: &mut Vec<Amended>) {
    estate.users.retain(|user| {
        if !same_name(user.name(), &look.user) {
            return true;
        }
        amended.push(Amended {
            account: look.account.clone(),
            user: user.arn.clone(),
            key: None,
            change: "user deleted".to_owned(),
            event: look.event.clone(),
            looked_at: look.at,
        });
        false
    });
}

/// A key that is still there is marked; where tags and policies of its user are not known, there is nowhere to mark it.
fn expose(estate: &mut Estate, exposure: &KeyExposure, amended: &mut Vec<Amended>) {
    let holds = |user: &&mut User| user.keys.iter().any(|key| key.id.as_ref() == Some(&exposure.key));
    let Some(user) = estate.users.iter_mut().find(holds) else { return };
    let Known::Told(details) = &mut user.details else { return };
    let words = format!("{} at {}", exposure.code, exposure.event.at);
    if details.exposed.insert(exposure.key.clone(), words.clone()) == Some(words) {
        return;
    }
    amended.push(Amended {
        account: exposure.account.clone(),
        user: user.arn.clone(),
        key: Some(exposure.key.clone()),
        change: "exposed".to_owned(),
        event: exposure.event.clone(),
        looked_at: exposure.event.at,
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;

    use super::*;
    use crate::estate::{Account, Details};

    const ANN: &str = "AIDACKCEVSQ6C2EXAMPLE";
    const BOB: &str = "AIDAIOSFODNN7EXAMPLE1";

    fn at(minute: i64) -> Timestamp {
        "2026-11-29T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    fn id(number: u8) -> AccessKeyId {
        format!("AKIA{}{number:02}", "IOSFODNN7EXAMP").parse().unwrap()
    }

    fn listed(number: u8, status: KeyStatus) -> AccessKey {
        AccessKey { id: id(number), status, created_at: at(-1_000) }
    }

    fn user(name: &str, user_id: &str, keys: &[AccessKey]) -> User {
        let key = |key: &AccessKey| Key {
            id: Some(key.id.clone()),
            status: key.status,
            created_at: Known::Told(key.created_at),
            reactivated_at: None,
            last_used: LastUsed::Never,
        };
        User {
            arn: format!("arn:aws:iam::123456789012:user/{name}").parse().unwrap(),
            created_at: None,
            console: Console::Without,
            mfa_active: false,
            keys: keys.iter().map(key).collect(),
            details: Known::Told(Details { id: user_id.parse().ok(), ..Details::default() }),
            service_credentials: Known::Told(Vec::new()),
        }
    }

    fn estate() -> Estate {
        let keys = [listed(1, KeyStatus::Active), listed(2, KeyStatus::Inactive)];
        Estate {
            account: Account::bare("123456789012".parse().unwrap()),
            as_of: at(0),
            root: Known::Unknown { reason: "a test".to_owned() },
            users: vec![user("ann", ANN, &keys)],
            gaps: BTreeSet::new(),
        }
    }

    fn look(minute: i64, name: &str, found: Option<(&str, &str, Vec<AccessKey>)>) -> UserLook {
        let found = found.map(|(name, user_id, keys)| UserFound {
            arn: format!("arn:aws:iam::123456789012:user/{name}").parse().unwrap(),
            id: user_id.parse().unwrap(),
            created_at: at(-5_000),
            keys,
        });
        UserLook {
            account: "123456789012".parse().unwrap(),
            user: name.parse().unwrap(),
            at: at(minute),
            found,
            event: EventRef { id: format!("e-{minute}"), at: at(minute), said: "key-updated".to_owned() },
        }
    }

    fn changes(estate: &mut Estate, looks: &[UserLook]) -> Vec<String> {
        let amended = amend(estate, looks, &[], at(0));
        amended
            .into_iter()
            .map(|one| {
                format!("{} {}", one.change, one.key.map_or_else(|| one.user.name.to_string(), |key| key.to_string()))
            })
            .collect()
    }

    #[test]
    fn keys_are_as_aws_said_last() {
        let now = vec![listed(2, KeyStatus::Active), listed(3, KeyStatus::Active)];
        let look = look(1, "ann", Some(("ann", ANN, now)));
        let mut amended = estate();
        let said = changes(&mut amended, std::slice::from_ref(&look));
        assert_eq!(said, [format!("deleted {}", id(1)), format!("activated {}", id(2)), format!("created {}", id(3))]);
        let keys = &amended.users[0].keys;
        assert_eq!((keys.len(), keys[0].reactivated_at), (2, Some(at(1))));
        assert!(
            matches!(&keys[1].last_used, LastUsed::Unknown { reason } if reason.contains("event")),
            "never is not claimed"
        );
        let twice = changes(&mut amended, std::slice::from_ref(&look));
        assert_eq!(twice, Vec::<String>::new(), "a duplicate changes nothing");
    }

    #[test]
    fn the_order_of_events_does_not_matter_and_what_is_older_than_the_audit_counts_for_nothing() {
        let first = look(1, "ann", Some(("ann", ANN, vec![listed(1, KeyStatus::Inactive)])));
        let second = look(2, "ann", Some(("ann", ANN, vec![listed(1, KeyStatus::Active)])));
        let old = look(-1, "ann", None);
        assert_eq!(changes(&mut estate(), std::slice::from_ref(&old)), Vec::<String>::new());
        let (mut forth, mut back) = (estate(), estate());
        changes(&mut forth, &[first.clone(), second.clone()]);
        changes(&mut back, &[second, old, first]);
        assert_eq!(forth, back);
        assert_eq!(forth.users[0].keys[0].status, KeyStatus::Active);
    }

    #[test]
    fn a_user_who_is_renamed_stays_the_same_one() {
        let keys = vec![listed(1, KeyStatus::Active), listed(2, KeyStatus::Inactive)];
        let looks = [look(1, "Anna", Some(("anna", ANN, keys))), look(1, "ann", None)];
        let mut renamed = estate();
        assert_eq!(changes(&mut renamed, &looks), ["renamed anna"]);
        assert_eq!((renamed.users.len(), renamed.users[0].name().as_str()), (1, "anna"));
        assert!(renamed.users[0].details.told().is_some(), "its tags are still known");
        let mut backwards = estate();
        let [to, from] = looks;
        changes(&mut backwards, &[from, to]);
        assert_eq!(backwards.users[0].name().as_str(), "anna");
    }

    #[test]
    fn a_user_who_is_deleted_goes_and_another_of_the_name_is_another() {
        let mut gone = estate();
        assert_eq!(changes(&mut gone, &[look(1, "ANN", None)]), ["user deleted ann"]);
        assert!(gone.users.is_empty());
        let mut other = estate();
        changes(&mut other, &[look(1, "ann", Some(("ann", BOB, vec![listed(4, KeyStatus::Active)])))]);
        assert_eq!(other.users.len(), 1);
        assert_eq!(other.users[0].keys.iter().filter_map(|key| key.id.clone()).collect::<Vec<_>>(), [id(4)]);
        assert!(other.users[0].details.told().is_none(), "the tags of the one before are not its own");
    }

    #[test]
    fn looks_of_another_account_are_not_of_this_one() {
        let mut other = look(1, "ann", None);
        other.account = "210987654321".parse().unwrap();
        let mut same = estate();
        assert_eq!(changes(&mut same, &[other]), Vec::<String>::new());
        assert_eq!(same, estate());
    }

    #[test]
    fn an_exposed_key_is_marked_while_it_is_there() {
        let exposure = |number: u8| KeyExposure {
            account: "123456789012".parse().unwrap(),
            key: id(number),
            code: "AWS_RISK_CREDENTIALS_EXPOSED".to_owned(),
            event: EventRef { id: "e-1".to_owned(), at: at(-60), said: "key-exposed".to_owned() },
        };
        let mut marked = estate();
        let amended = amend(&mut marked, &[], &[exposure(1), exposure(9)], at(0));
        assert_eq!((amended.len(), amended[0].change.as_str()), (1, "exposed"));
        let details = marked.users[0].details.told().unwrap();
        assert_eq!(details.exposed.keys().collect::<Vec<_>>(), [&id(1)]);
        assert_eq!(amend(&mut marked, &[], &[exposure(1)], at(0)), [], "it is told once");
    }
}
