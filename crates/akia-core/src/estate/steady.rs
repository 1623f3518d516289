//! Which users need not be asked for their keys again, because the report shows them as they were.
//!
//! `ListAccessKeys` is a call for each user who holds a key: nearly all calls of an audit. What it tells beyond the credential
//! report are ids and creation dates, which never change for a key that is still there. So a listing of an earlier audit
//! still holds where the report proves that the same keys are there in the same state.
//!
//! Invariant: a change is never hidden. What the report could not show rules the reuse out:
//! - A report of up to four hours ago shows nothing that came after it. Only one that was made during this audit counts
//!   ([`Freshness::MadeNow`]); the caller sees to that.
//! - A key that was replaced has another creation date in its slot, and one that was activated again another date of
//!   rotation: a slot counts as the same key only with the very date, and the status, that the key had.
//! - Dates are of whole seconds, and a listing may be late by some. A key whose date is close to its listing is listed again
//!   ([`SETTLED`]): another key of the same second may have been missing in it.
//! - A user that was made anew, or that took another's name, has another user id; the report does not tell it, the
//!   authorization details do, and where they could not be read nothing is reused.
//! - More keys than the two that the report has columns for are listed.
//! - What AWS should not do and nobody foresaw is hidden for a week at most ([`LONGEST`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::report::{Row, Slot};
use super::{Estate, Key};
use crate::ids::{UserArn, UserId, UserName};
use crate::key::{AccessKey, KeyStatus};

/// How long before its listing a key must have got its date.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);
/// How long a listing holds without being made anew.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether a credential report shows an account as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// AWS began to make it when this audit asked.
    MadeNow,
    /// It may be up to four hours old.
    Kept,
}

/// What an earlier audit has read of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The account as it was.
    pub estate: Estate,
    /// When the keys of each user were listed.
    pub listed: BTreeMap<UserName, Timestamp>,
}

impl Earlier {
    /// The listing of a user's keys that still holds, and when it was made. `None` where the user must be asked about.
    #[must_use]
    pub fn still_holds(
        &self,
        arn: &UserArn,
        row: &Row,
        id: Option<&UserId>,
        now: Timestamp,
    ) -> Option<(Vec<AccessKey>, Timestamp)> {
        let listed_at = *self.listed.get(&arn.name)?;
        let age = now.duration_since(listed_at);
        if age > LONGEST || age.is_negative() || row.additional_keys > 0 {
            return None;
        }
        // Users are ordered by ARN.
        let index = self.estate.users.binary_search_by(|user| user.arn.cmp(arn)).ok()?;
        let user = self.estate.users.get(index)?;
        let same_id = user.details.told().and_then(|details| details.id.as_ref()) == Some(id?);
        if !same_id || user.created_at != row.created_at || user.keys.len() != row.slots.len() {
            return None;
        }
        let keys: Vec<AccessKey> = user.keys.iter().map(listed).collect::<Option<_>>()?;
        let settled = listed_at - SETTLED;
        let is_settled = user.keys.iter().all(|key| dated(key).is_some_and(|date| date <= settled));
        (is_settled && each_has_its_slot(&user.keys, &row.slots)).then_some((keys, listed_at))
    }
}

fn listed(key: &Key) -> Option<AccessKey> {
    Some(AccessKey { id: key.id.clone()?, status: key.status, created_at: *key.created_at.told()? })
}

/// The date that the report has of a key: when it was made, or last activated.
fn dated(key: &Key) -> Option<Timestamp> {
    key.reactivated_at.or_else(|| key.created_at.told().copied())
}

/// Whether the slots, in some order, are these keys with their dates and states. There are two at most.
fn each_has_its_slot(keys: &[Key], slots: &[Slot]) -> bool {
    let mut free: Vec<&Slot> = slots.iter().collect();
    keys.iter().all(|key| {
        let is_its = |slot: &&Slot| {
            let second = |at: Timestamp| at.as_second();
            slot.rotated_at.map(second) == dated(key).map(second) && slot.active == (key.status == KeyStatus::Active)
        };
        // Slots that are equal in both are interchangeable: it does not matter which is taken.
        free.iter().position(is_its).map(|index| free.swap_remove(index)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::report::{CredentialReport, Moment, Password};
    use super::super::{Account, Details, Known, Sources, assemble};
    use super::*;

    const DAY: i64 = 86_400;
    const ARN: &str = "arn:aws:iam::123456789012:user/ann";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// A user as IAM has it.
    #[derive(Debug, Clone)]
    struct Iam {
        id: u32,
        made: i64,
        /// Number, created, rotated, active.
        keys: Vec<(u32, i64, i64, bool)>,
        minted: u32,
    }

    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Create,
        Delete(usize),
        Deactivate(usize),
        Activate(usize),
        /// The user is deleted and made again, with a key, in one second.
        Anew,
    }

    impl Iam {
        fn new() -> Self {
            Self { id: 0, made: 0, keys: vec![(0, 0, 0, true)], minted: 1 }
        }

        fn act(&mut self, deed: Deed, now: i64) {
            match deed {
                Deed::Create if self.keys.len() < 2 => {
                    self.keys.push((self.minted, now, now, true));
                    self.minted += 1;
                }
                Deed::Create => {}
                Deed::Delete(index) if index < self.keys.len() => drop(self.keys.remove(index)),
                Deed::Deactivate(index) if index < self.keys.len() => self.keys[index].3 = false,
                Deed::Activate(index) if index < self.keys.len() && !self.keys[index].3 => {
                    self.keys[index].2 = now;
                    self.keys[index].3 = true;
                }
                Deed::Delete(_) | Deed::Deactivate(_) | Deed::Activate(_) => {}
                Deed::Anew => {
                    *self = Self { id: self.id + 1, made: now, keys: Vec::new(), minted: self.minted };
                    self.act(Deed::Create, now);
                }
            }
        }

        fn list(&self) -> Vec<AccessKey> {
            let status = |active| if active { KeyStatus::Active } else { KeyStatus::Inactive };
            let key = |&(number, created, _, active): &(u32, i64, i64, bool)| AccessKey {
                id: format!("AKIAEXAMPLE{number:09}").parse().unwrap(),
                status: status(active),
                created_at: at(created),
            };
            self.keys.iter().map(key).collect()
        }

        fn row(&self, turned: bool) -> Row {
            let mut keys = self.keys.clone();
            if turned {
                keys.reverse();
            }
            let slots = keys.iter().zip(1..).map(|(&(_, _, rotated, active), number)| Slot {
                number,
                active,
                rotated_at: Some(at(rotated)),
                last_used: Moment::NotApplicable,
                region: None,
                service: None,
            });
            Row {
                created_at: Some(at(self.made)),
                password: Password::None,
                mfa_active: false,
                slots: slots.collect(),
                additional_keys: 0,
            }
        }

        fn user_id(&self) -> UserId {
            format!("AIDAEXAMPLE{:010}", self.id).parse().unwrap()
        }
    }

    /// What an audit keeps that listed `listed` at a moment and had `report`.
    fn kept(listed: &Iam, report: &Iam, moment: i64) -> Earlier {
        let arn: UserArn = ARN.parse().unwrap();
        let report = CredentialReport {
            account: arn.account.clone(),
            root: None,
            users: vec![(arn.clone(), report.row(false))],
        };
        let details = Details { id: Some(listed.user_id()), ..Details::default() };
        let (estate, _) = assemble(&Sources {
            account: Account::bare(arn.account.clone()),
            report: &report,
            report_at: at(moment),
            keys: &[(arn.name.clone(), Known::Told(listed.list()))].into(),
            last_used: &BTreeMap::new(),
            details: &Known::Told([(arn.name.clone(), details)].into()),
            service_credentials: &Known::Told(BTreeMap::new()),
        });
        Earlier { estate, listed: [(arn.name, at(moment))].into() }
    }

    fn reused(earlier: &Earlier, now: &Iam, moment: i64, turned: bool) -> Option<BTreeSet<AccessKey>> {
        let held = earlier.still_holds(&ARN.parse().unwrap(), &now.row(turned), Some(&now.user_id()), at(moment));
        held.map(|(keys, _)| keys.into_iter().collect())
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            3 => Just(Deed::Create),
            3 => (0..2_usize).prop_map(Deed::Delete),
            2 => (0..2_usize).prop_map(Deed::Deactivate),
            2 => (0..2_usize).prop_map(Deed::Activate),
            1 => Just(Deed::Anew),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Whatever is done to a user before and after the earlier audit, at whatever second; the earlier listing is up to
        /// half an hour late, its report up to four hours old: what is reused is what a listing would tell now.
        #[test]
        fn a_listing_that_is_reused_is_the_one_that_aws_would_give(
            deeds in prop::collection::vec((deed(), prop_oneof![Just(0), 0..3_i64, 0..2 * DAY]), 0..8),
            after in 0..8_usize,
            late in 0..1_800_i64,
            stale in prop_oneof![Just(0), 0..14_400_i64],
            gap in prop_oneof![Just(0), 0..2 * DAY],
            turned in any::<bool>(),
        ) {
            let mut iam = Iam::new();
            let mut history = vec![(0, iam.clone())];
            let mut now = 0;
            let mut earlier = None;
            for (index, (deed, pause)) in deeds.iter().copied().enumerate() {
                if index == after.min(deeds.len()) {
                    let before = |then: i64| {
                        history.iter().rev().find(|(at, _)| *at <= then).map_or_else(Iam::new, |(_, iam)| iam.clone())
                    };
                    earlier = Some(kept(&before(now - late), &before(now - stale), now));
                }
                now += pause;
                iam.act(deed, now);
                history.push((now, iam.clone()));
            }
            let earlier = earlier.unwrap_or_else(|| kept(&iam, &iam, now));
            if let Some(keys) = reused(&earlier, &iam, now + gap, turned) {
                prop_assert_eq!(keys, iam.list().into_iter().collect::<BTreeSet<_>>());
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_asked_for_again_and_within_a_week() {
        let mut iam = Iam::new();
        iam.act(Deed::Create, DAY);
        iam.act(Deed::Deactivate(0), DAY);
        iam.act(Deed::Activate(0), 2 * DAY);
        let earlier = kept(&iam, &iam, 3 * DAY);
        for turned in [false, true] {
            assert!(reused(&earlier, &iam, 4 * DAY, turned).is_some(), "also where the slots have changed places");
        }
        assert!(reused(&earlier, &iam, 10 * DAY, false).is_some());
        assert!(reused(&earlier, &iam, 10 * DAY + 1, false).is_none(), "a week is over");
        assert!(reused(&earlier, &iam, 3 * DAY - 1, false).is_none(), "a clock that was set back");
    }

    #[test]
    fn every_change_that_a_listing_would_show_leads_to_one() {
        let mut before = Iam::new();
        before.act(Deed::Create, DAY);
        before.act(Deed::Deactivate(1), DAY);
        let earlier = kept(&before, &before, 3 * DAY);
        let changes: [&[Deed]; 6] = [
            &[Deed::Deactivate(0)],
            &[Deed::Activate(1)],
            &[Deed::Delete(0)],
            &[Deed::Delete(1), Deed::Create, Deed::Deactivate(1)],
            &[Deed::Deactivate(0), Deed::Activate(0)],
            &[Deed::Anew],
        ];
        for deeds in changes {
            let mut iam = before.clone();
            deeds.iter().for_each(|deed| iam.act(*deed, 4 * DAY));
            assert_eq!(reused(&earlier, &iam, 5 * DAY, false), None, "{deeds:?}");
        }
        let told =
            |id: Option<&UserId>| earlier.still_holds(&ARN.parse().unwrap(), &before.row(false), id, at(4 * DAY));
        assert!(told(Some(&before.user_id())).is_some());
        assert!(told(None).is_none(), "the authorization details could not be read");
        let another = Iam { id: 9, ..before.clone() };
        assert!(told(Some(&another.user_id())).is_none(), "a user that took the name");
        let mut more = before.row(false);
        more.additional_keys = 1;
        assert!(earlier.still_holds(&ARN.parse().unwrap(), &more, Some(&before.user_id()), at(4 * DAY)).is_none());
    }

    #[test]
    fn a_key_that_was_made_right_before_its_listing_is_listed_again() {
        let mut iam = Iam::new();
        iam.act(Deed::Create, DAY);
        let earlier = kept(&iam, &iam, DAY + 3_599);
        assert_eq!(reused(&earlier, &iam, 2 * DAY, false), None, "another key of that second may have been missing");
        assert!(reused(&kept(&iam, &iam, DAY + 3_600), &iam, 2 * DAY, false).is_some());
    }
}
