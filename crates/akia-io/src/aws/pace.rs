//! How many requests of one key and operation may be under way at the same time, following what AWS answers.
//!
//! The rates of AWS are counted by account and operation, and are not published. The number grows with every answer and
//! shrinks with every "slow down", so that it settles where about one answer in ten is one: each costs one repetition after
//! a pause, which is less than a rate that is never reached. The SDK's adaptive mode begins at one call in two seconds after
//! the first throttled one, which no account with 15 calls recovers from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one key and operation at the beginning.
const FIRST: f64 = 8.0;
/// What an answer multiplies the number by.
const GROWTH: f64 = 1.02;
/// What a "slow down" multiplies it by: nine answers make good for one.
const SHRINKAGE: f64 = 0.84;

/// The paces of all keys and operations.
pub(crate) struct Paces {
    most: usize,
    by_key: Mutex<HashMap<String, HashMap<String, Arc<Pace>>>>,
}

impl Paces {
    /// None of them ever goes beyond `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), by_key: Mutex::default() }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self, key: &str, operation: &str) -> Turn {
        let pace = {
            let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
            let paces = by_key.entry(key.to_owned()).or_default();
            Arc::clone(paces.entry(operation.to_owned()).or_insert_with(|| Arc::new(Pace::new(self.most))))
        };
        // It is never closed; were it, going ahead would be right.
        let permit = Arc::clone(&pace.turns).acquire_owned().await.ok();
        Turn { pace, permit }
    }

    /// Takes an answer into account. One of a call without a turn changes nothing.
    pub(crate) fn note(&self, key: &str, operation: &str, throttled: bool) {
        let pace = {
            let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
            by_key.get(key).and_then(|paces| paces.get(operation)).map(Arc::clone)
        };
        if let Some(pace) = pace {
            pace.note(throttled, self.most);
        }
    }

    /// Forgets a key that signs nothing any more.
    pub(crate) fn forget(&self, key: &str) {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[derive(Debug)]
struct Pace {
    turns: Arc<Semaphore>,
    limit: Mutex<Limit>,
}

#[derive(Debug)]
struct Limit {
    /// How many may be under way; the whole part counts.
    wanted: f64,
    /// Turns that exist, whether taken or free.
    turns: usize,
}

impl Pace {
    fn new(most: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "some hundreds at most")]
        let wanted = FIRST.min(most as f64);
        let turns = whole(wanted);
        Self { turns: Arc::new(Semaphore::new(turns)), limit: Mutex::new(Limit { wanted, turns }) }
    }

    fn note(&self, throttled: bool, most: usize) {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "some hundreds at most")]
        let most = most as f64;
        limit.wanted = (limit.wanted * if throttled { SHRINKAGE } else { GROWTH }).clamp(1.0, most);
        let wanted = whole(limit.wanted);
        if wanted > limit.turns {
            self.turns.add_permits(wanted - limit.turns);
            limit.turns = wanted;
        } else {
            // What is taken now is taken away when it comes back.
            limit.turns -= self.turns.forget_permits(limit.turns - wanted);
        }
    }

    /// Gives a turn back, or takes it away where there are too many.
    fn give_back(&self, permit: OwnedSemaphorePermit) {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        if limit.turns > whole(limit.wanted) {
            limit.turns -= 1;
            permit.forget();
        }
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pace: Arc<Pace>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.pace.give_back(permit);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and some hundreds")]
fn whole(number: f64) -> usize {
    number.floor().max(1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many answers, `every` nth of them "slow down"; how many turns there are in the end.
    async fn settled(every: usize) -> usize {
        let paces = Paces::new(64);
        let turn = paces.turn("AKIA", "AssumeRole").await;
        for number in 1..=1_000 {
            paces.note("AKIA", "AssumeRole", number % every == 0);
        }
        let pace = Arc::clone(&turn.pace);
        drop(turn);
        pace.turns.available_permits()
    }

    #[tokio::test]
    async fn some_slow_downs_are_borne_and_many_are_obeyed() {
        assert_eq!(settled(usize::MAX).await, 64, "none: as many as allowed");
        assert!(settled(20).await > 50, "one in twenty is chance");
        assert_eq!(settled(4).await, 1, "one in four is a rate that was exceeded");
    }

    #[tokio::test]
    async fn turns_that_are_taken_are_taken_away_when_they_come_back() {
        let paces = Paces::new(8);
        let mut turns = Vec::new();
        for _ in 0..8 {
            turns.push(paces.turn("AKIA", "ListAccessKeys").await);
        }
        for _ in 0..8 {
            paces.note("AKIA", "ListAccessKeys", true);
        }
        let pace = Arc::clone(&turns[0].pace);
        assert_eq!(pace.turns.available_permits(), 0);
        drop(turns);
        assert_eq!(pace.turns.available_permits(), 1, "not eight");
        paces.note("AKIA", "Another", true);
        assert_eq!(pace.turns.available_permits(), 1, "operations do not share their rates");
    }
}
