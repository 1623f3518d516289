//! Rotations out of the journal, for the verbs that take one up: loaded, described, locked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use akia_core::rotation::{Rest, Rotation};
use akia_core::{AccountId, RotationId, UserId, UserName};
use akia_io::rotate::{Broken, DriveError, Stop, load_all};
use akia_io::state::Lock;
use akia_io::store::Store;
use jiff::Timestamp;

use crate::context::Context;
use crate::drive::{self, Quiet};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::workbench::{self, Workbench};

/// The rotations of the journal, oldest first. One that cannot be read stands in the way of its own user alone.
#[derive(Default)]
pub struct Known {
    entries: Vec<Result<Rotation, Broken>>,
}

impl Known {
    /// Of a workbench.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn of_bench(bench: &Workbench) -> Result<Self, CommandError> {
        Self::of_store(&*bench.driver.store).await
    }

    /// For a verb that only reads the journal. Nothing is made where there is none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn of_journal(context: &Context) -> Result<Self, CommandError> {
        match workbench::journal(context).await? {
            Some(journal) => Self::of_store(&*journal).await,
            None => Ok(Self::default()),
        }
    }

    /// Of a journal that is open.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn of_store(store: &dyn Store) -> Result<Self, CommandError> {
        let entries = load_all(store).await.map_err(|error| CommandError::failed(&error).next(error.hint()))?;
        Ok(Self { entries })
    }

    /// Those that can be read, and those that cannot, oldest first.
    pub fn entries(&self) -> &[Result<Rotation, Broken>] {
        &self.entries
    }

    /// Those that can be read.
    pub fn rotations(&self) -> impl DoubleEndedIterator<Item = &Rotation> {
        self.entries.iter().filter_map(|entry| entry.as_ref().ok())
    }

    /// Those that cannot be read.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.entries.iter().filter_map(|entry| entry.as_ref().err())
    }

    /// Those that can be read, for a verb that shows them, and why that is not all.
    #[must_use]
    pub fn shown(self) -> (Vec<Rotation>, Option<CommandError>) {
        let error = self.broken().next().map(unreadable);
        (self.entries.into_iter().flatten().collect(), error)
    }

    /// Says of each rotation that cannot be read what is wrong with it, and whom that stops.
    pub fn tell_broken(&self, context: &Context) {
        for broken in self.broken() {
            let whom = match &broken.plan {
                Some(plan) => format!("nothing is done to keys of user {}", plan.identity.user_name()),
                None => "whose it is cannot be read either; it is passed over".to_owned(),
            };
            context.say(&format!("note: {broken}; {whom}; {}", broken.hint()));
        }
    }

    /// Why nothing may be done to the keys of a user, if so: a rotation of theirs cannot be read.
    #[must_use]
    pub fn in_the_way(&self, account: &AccountId, user: &UserName) -> Option<CommandError> {
        let is_theirs = |broken: &&Broken| {
            broken.plan.as_ref().is_some_and(|plan| {
                *plan.identity.account() == *account
                    // IAM's names ignore case.
                    && plan.identity.user_name().as_str().eq_ignore_ascii_case(user.as_str())
            })
        };
        self.broken().find(is_theirs).map(|broken| {
            CommandError::decision(format_args!("a rotation of user {user} cannot be read: {broken}"))
                .now("nothing was changed")
                .next(broken.hint())
        })
    }

    /// The same for the user of a rotation.
    #[must_use]
    pub fn in_the_way_of(&self, rotation: &Rotation) -> Option<CommandError> {
        let identity = &rotation.plan().identity;
        self.in_the_way(identity.account(), identity.user_name())
    }

    /// One rotation by its id.
    ///
    /// # Errors
    /// When there is none of that id, or it, or another of its user, cannot be read.
    pub fn find(&self, id: &RotationId) -> Result<Rotation, CommandError> {
        if let Some(broken) = self.broken().find(|broken| broken.rotation == *id) {
            return Err(unreadable(broken));
        }
        match self.rotations().find(|rotation| rotation.plan().id == *id) {
            Some(rotation) => self.in_the_way_of(rotation).map_or_else(|| Ok(rotation.clone()), Err),
            None => Err(CommandError::failed(format_args!("the journal has no rotation {id}")).next("akia history")),
        }
    }

    /// The rotations that a verb without an id takes up. Those of a user with one that cannot be read are passed over,
    /// and said to be.
    pub fn choose(&self, context: &Context, is_wanted: impl Fn(&Rotation) -> bool) -> Vec<Rotation> {
        self.tell_broken(context);
        let (blocked, free): (Vec<&Rotation>, Vec<&Rotation>) =
            self.rotations().filter(|rotation| is_wanted(rotation)).partition(|one| self.in_the_way_of(one).is_some());
        for rotation in blocked {
            let plan = rotation.plan();
            context.say(&format!("skip    {}: a rotation of {} cannot be read", plan.id, plan.identity.user_name()));
        }
        free.into_iter().cloned().collect()
    }
}

/// What a verb says that was told to take up a rotation which cannot be read.
#[must_use]
pub fn unreadable(broken: &Broken) -> CommandError {
    CommandError::failed(broken).next(broken.hint())
}

/// The locks of a run, one for each user: two rotations of one user share it, as the system would take a second lock
/// of this process for that of another.
#[derive(Default)]
pub struct Locks {
    held: BTreeMap<(AccountId, UserId), Lock>,
}

impl Locks {
    /// Locks the user of the rotation against other processes until this is dropped, and reads the rotation again.
    ///
    /// # Errors
    /// When another process holds the lock.
    pub async fn lock(&mut self, bench: &Workbench, rotation: &Rotation) -> Result<Rotation, CommandError> {
        let identity = &rotation.plan().identity;
        if let Entry::Vacant(place) = self.held.entry((identity.account().clone(), identity.user_id.clone())) {
            place.insert(akia_io::rotate::lock_user(&*bench.driver.store, identity).await.map_err(|error| {
                CommandError::failed(format_args!("another akia works on user {}: {error}", identity.user_name()))
                    .next("let it finish, then run the same command again")
            })?);
        }
        bench.driver.load(&rotation.plan().id).await.map_err(stopped)
    }
}

/// Wipes the stored secrets of rotations that are over, where a run was killed right before it.
pub async fn wipe_leftovers(context: &Context, bench: &Workbench, known: &Known, locks: &mut Locks) {
    let now = context.started_at;
    let has_leftovers = |rotation: &&Rotation| {
        matches!(rotation.rest(now), Rest::Retired | Rest::Aborted { .. } | Rest::UndoneAndClean)
            && !rotation.is_over()
            && !rotation.next(now).is_empty()
    };
    for rotation in known.rotations().filter(has_leftovers) {
        let id = &rotation.plan().id;
        let wiped = match locks.lock(bench, rotation).await {
            Ok(mut rotation) => {
                // Whatever another akia has made of it meanwhile, only the wiping is left for this run.
                if !has_leftovers(&&rotation) {
                    continue;
                }
                let (_pull, stop) = Stop::new();
                bench.driver.run(&mut rotation, &stop, &Quiet).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.what),
        };
        context.say(&match wiped {
            Ok(_) => format!("wiped   the stored secrets of {id}, which was over"),
            Err(error) => format!("note: the stored secrets of {id}, which is over, are not wiped yet: {error}"),
        });
    }
}

/// A rotation in one line.
#[must_use]
pub fn describe(rotation: &Rotation, now: Timestamp) -> String {
    let plan = rotation.plan();
    format!(
        "{}: {} ({}), profiles {}, {}",
        plan.id,
        plan.identity.user_name(),
        plan.identity.account(),
        drive::profiles_of(plan).join(", "),
        drive::rest_words(rotation, &rotation.rest(now)),
    )
}

/// A run that could not even write its journal.
#[must_use]
pub fn stopped(error: DriveError) -> CommandError {
    CommandError::new(Exit::Interrupted, error)
        .now("no key is lost; the journal says where the rotation stands")
        .next("akia history")
}
