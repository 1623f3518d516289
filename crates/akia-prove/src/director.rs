//! Who decides what goes wrong, and keeps the order of things.
//!
//! Everything that a machine does in the world passes a point: a call to AWS, a write to the journal, an act on a file.
//! At a point the director may let it fail, kill the machine, let an outsider act, or give the turn to the other
//! machine. Only the machine whose turn it is moves, so that a seed replays to the same trace however threads run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use akia_io::files::Act;
use akia_io::files::faults::Meddler;
use akia_sandbox::Sandbox;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::folder::Desk;
use crate::outsider::{self, Mischief};
use crate::sabotage::Sabotage;

/// The user whose key is rotated.
pub(crate) const USER: &str = "ann";

/// Machines that may work at the same time.
pub(crate) const MACHINES: usize = 2;

/// For how long AWS may still show what was before a change.
const LAG: SignedDuration = SignedDuration::from_secs(5);

/// What passes a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Call,
    Journal,
    File,
}

/// Whether something strikes before the act is done or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The process dies.
    Crash(When),
    /// The act fails, or is said to have failed.
    Fail(When),
    /// Somebody else does something.
    Outsider(Mischief),
}

/// A blow at the nth point of a class from now.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) class: Class,
    pub(crate) left: u32,
    pub(crate) blow: Blow,
}

/// Who made a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Before,
    Machine(usize),
    Outsider,
}

/// Counts for the summary.
pub(crate) type Tally = BTreeMap<String, u64>;

pub(crate) struct Director {
    pub(crate) sandbox: Sandbox,
    inner: Mutex<Inner>,
    turns: [Notify; MACHINES],
    deaths: [Notify; MACHINES],
}

pub(crate) struct Inner {
    pub(crate) random: fastrand::Rng,
    pub(crate) desks: Vec<Desk>,
    strikes: Vec<Strike>,
    /// The blow that waits for the end of the present act on a file.
    after: Option<Blow>,
    dead: [bool; MACHINES],
    running: [bool; MACHINES],
    turn: usize,
    hash: Sha256,
    root: String,
    story: Option<Vec<String>>,
    pub(crate) faults: Tally,
    pub(crate) crashes: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) makers: BTreeMap<String, Maker>,
    /// Which keys each machine's plans displace, or were told to delete to make room.
    pub(crate) displaced: [BTreeSet<String>; MACHINES],
    pub(crate) named: [BTreeSet<String>; MACHINES],
    /// Keys whose status somebody changed who is not that machine.
    pub(crate) meddled: [BTreeSet<String>; MACHINES],
    activated: BTreeMap<String, (u64, Timestamp)>,
    listed: [u64; MACHINES],
    steps: u64,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Director {
    pub(crate) fn new(sandbox: Sandbox, seed: u64, root: &Path, telling: bool) -> Arc<Self> {
        Arc::new(Self {
            sandbox,
            inner: Mutex::new(Inner {
                random: fastrand::Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15),
                desks: Vec::new(),
                strikes: Vec::new(),
                after: None,
                dead: [false; MACHINES],
                running: [false; MACHINES],
                turn: 0,
                hash: Sha256::new(),
                root: root.to_str().unwrap().to_owned(),
                story: telling.then(Vec::new),
                faults: Tally::new(),
                crashes: 0,
                violations: Vec::new(),
                makers: BTreeMap::new(),
                displaced: Default::default(),
                named: Default::default(),
                meddled: Default::default(),
                activated: BTreeMap::new(),
                listed: [0; MACHINES],
                steps: 0,
                sabotage: None,
            }),
            turns: Default::default(),
            deaths: Default::default(),
        })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the story, and to the trace that has to be the same for the same seed.
    pub(crate) fn tell(&self, line: &str) {
        let at = self.sandbox.now();
        self.inner().tell(at, line);
    }

    pub(crate) fn violate(&self, what: String) {
        self.tell(&format!("VIOLATION: {what}"));
        self.inner().violations.push(what);
    }

    pub(crate) fn arm(&self, strikes: Vec<Strike>) {
        self.inner().strikes = strikes;
    }

    /// No faults any more.
    pub(crate) fn calm(&self) {
        self.inner().strikes.clear();
        self.sandbox.clear_faults();
    }

    pub(crate) fn trace(&self) -> String {
        let digest = self.inner().hash.clone().finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn story(&self) -> Vec<String> {
        self.inner().story.clone().unwrap_or_default()
    }

    /// Runs what one process does, until it ends or dies. `None`: it died.
    pub(crate) async fn process<T>(&self, me: usize, work: impl Future<Output = T>) -> Option<T> {
        {
            let mut inner = self.inner();
            inner.dead[me] = false;
            inner.running[me] = true;
            if !inner.running[1 - me] {
                inner.turn = me;
            }
        }
        self.await_turn(me).await;
        let done = tokio::select! {
            biased;
            () = self.deaths[me].notified() => None,
            done = work => Some(done),
        };
        let mut inner = self.inner();
        inner.running[me] = false;
        inner.after = None;
        if inner.running[1 - me] {
            inner.turn = 1 - me;
            self.turns[1 - me].notify_one();
        }
        if inner.dead[me] { None } else { done }
    }

    /// A point that is passed in async code.
    pub(crate) async fn reach(&self, me: usize, class: Class, what: &str) -> Option<Blow> {
        if self.inner().dead[me] {
            self.die(me).await;
        }
        let blow = self.strike(me, class, what);
        let other = {
            let mut inner = self.inner();
            let both = inner.running.iter().all(|running| *running);
            (both && inner.random.bool()).then(|| {
                inner.turn = 1 - me;
                1 - me
            })
        };
        if let Some(other) = other {
            self.turns[other].notify_one();
            self.await_turn(me).await;
        }
        if blow == Some(Blow::Crash(When::Before)) {
            self.die(me).await;
        }
        blow
    }

    /// The process ends here; whoever waits for it goes on.
    pub(crate) async fn die(&self, me: usize) {
        {
            let mut inner = self.inner();
            if !inner.dead[me] {
                inner.dead[me] = true;
                inner.crashes += 1;
            }
        }
        self.deaths[me].notify_one();
        std::future::pending::<()>().await;
    }

    async fn await_turn(&self, me: usize) {
        while self.inner().turn != me {
            self.turns[me].notified().await;
        }
    }

    /// What strikes at this point, if anything. An outsider acts at once.
    fn strike(&self, me: usize, class: Class, what: &str) -> Option<Blow> {
        let at = self.sandbox.now();
        let blow = {
            let mut inner = self.inner();
            inner.steps += 1;
            let mut due = None;
            for (index, strike) in inner.strikes.iter_mut().enumerate() {
                if strike.class == class {
                    strike.left = strike.left.saturating_sub(1);
                    if strike.left == 0 && due.is_none() {
                        due = Some(index);
                    }
                }
            }
            let blow = inner.strikes.remove(due?).blow;
            let kind = match &blow {
                Blow::Crash(when) => format!("crash {when:?} a {class:?}"),
                Blow::Fail(when) => format!("{class:?} fails {when:?}"),
                Blow::Outsider(mischief) => format!("outsider {mischief:?}"),
            };
            inner.tell(at, &format!("  ** {kind}: {what} (machine {me})"));
            *inner.faults.entry(kind.to_lowercase()).or_default() += 1;
            blow
        };
        if let Blow::Outsider(mischief) = &blow {
            outsider::act(self, *mischief);
            return None;
        }
        Some(blow)
    }

    /// Keys that nobody has accounted for yet are this maker's.
    pub(crate) fn note_keys(&self, maker: Maker) {
        let keys = self.sandbox.keys();
        let mut inner = self.inner();
        for key in keys.into_iter().filter(|key| key.user.as_deref() == Some(USER)) {
            inner.makers.entry(key.id).or_insert(maker);
        }
    }

    /// The user's keys, and whether each is active.
    pub(crate) fn keys(&self) -> BTreeMap<String, bool> {
        let keys = self.sandbox.keys().into_iter().filter(|key| key.user.as_deref() == Some(USER));
        keys.map(|key| (key.id, key.active)).collect()
    }

    /// Somebody other than `but` has changed the status of a key, or deleted it.
    pub(crate) fn meddle(&self, key: &str, but: Option<usize>) {
        let mut inner = self.inner();
        for machine in 0..MACHINES {
            if but != Some(machine) {
                inner.meddled[machine].insert(key.to_owned());
            }
        }
    }

    pub(crate) fn machines(&self) -> usize {
        self.inner().desks.len()
    }

    /// Whether somebody else has had a hand in what this machine works on.
    pub(crate) fn is_meddled(&self, machine: usize) -> bool {
        let inner = self.inner();
        !inner.meddled[machine].is_empty() || inner.desks[machine].spots.iter().any(|spot| spot.is_touched)
    }

    pub(crate) fn note_activated(&self, key: &str) {
        let at = self.sandbox.now();
        let mut inner = self.inner();
        let steps = inner.steps;
        inner.activated.insert(key.to_owned(), (steps, at));
    }

    /// A call is about to be sent: is it one that this machine may make?
    pub(crate) fn judge_call(&self, me: usize, action: &str, key: Option<&str>, status: Option<&str>) {
        if action == "ListAccessKeys" {
            let mut inner = self.inner();
            inner.listed[me] = inner.steps;
        }
        let Some(key) = key else { return };
        self.note_keys(Maker::Machine(0));
        let keys = self.keys();
        let now = self.sandbox.now();
        let wrong = {
            let inner = self.inner();
            let Some(maker) = inner.makers.get(key) else { return };
            let is_mine = *maker == Maker::Machine(me);
            let is_displaced = inner.displaced[me].contains(key);
            match (action, status) {
                ("DeleteAccessKey", _) if inner.named[me].contains(key) => None,
                // Also one that this machine made, and a later rotation of it displaces.
                ("DeleteAccessKey", _) if is_displaced => {
                    // Somebody may activate it after it was read and before it is deleted.
                    let late = inner
                        .activated
                        .get(key)
                        .is_some_and(|(step, at)| *step >= inner.listed[me] || now.duration_since(*at) < LAG);
                    (keys.get(key) == Some(&true) && !late).then(|| format!("deletes {key}, which is active"))
                }
                ("DeleteAccessKey", _) if is_mine => None,
                ("DeleteAccessKey", _) => Some(format!("deletes {key}, which is not its own")),
                ("UpdateAccessKey", Some("Inactive")) if !is_mine && !is_displaced => {
                    Some(format!("deactivates {key}, which is not its own"))
                }
                _ => None,
            }
        };
        if let Some(wrong) = wrong {
            self.violate(format!("wrong deletion: machine {me} {wrong}"));
        }
    }

    /// The line that must hold at every moment: each place holds a whole pair, of a key that is active.
    pub(crate) fn judge_places(&self, moment: &str) {
        let keys = self.keys();
        let mut found = Vec::new();
        {
            let mut inner = self.inner();
            let inner = &mut *inner;
            for (machine, desk) in inner.desks.iter_mut().enumerate() {
                let meddled = &inner.meddled[machine];
                desk.judge(&keys, meddled, &mut |what| found.push(format!("machine {machine}: {what} {moment}")));
            }
        }
        for what in found {
            self.violate(what);
        }
    }
}

impl Inner {
    pub(crate) fn tell(&mut self, at: Timestamp, line: &str) {
        let line = mask(line, &self.root);
        self.hash.update(line.as_bytes());
        self.hash.update(at.as_nanosecond().to_le_bytes());
        if let Some(story) = &mut self.story {
            story.push(format!("{at} {line}"));
        }
    }

    fn machine_of(&self, path: &Path) -> usize {
        self.desks.iter().position(|desk| path.starts_with(&desk.folder)).unwrap_or_default()
    }
}

/// Without what differs from run to run: the temporary folder, the random names of temporary files, and the names of locks,
/// which are made of the path of what they lock.
fn mask(line: &str, root: &str) -> String {
    let mut line = if line.contains(root) { line.replace(root, "~") } else { line.to_owned() };
    for (before, after) in [(".akia-", ".tmp"), ("/locks/file-", ".lock")] {
        let mut from = 0;
        while let Some(at) = line[from..].find(before).map(|at| at + from + before.len()) {
            let end = line[at..].find(after).map_or(line.len(), |end| at + end);
            line.replace_range(at..end, "…");
            from = at;
        }
    }
    line
}

impl Meddler for Director {
    fn before(&self, act: Act, path: &Path) -> io::Result<()> {
        let me = {
            let inner = self.inner();
            let me = inner.machine_of(path);
            if inner.dead[me] {
                return Err(io::Error::other("the process is dead"));
            }
            me
        };
        match self.strike(me, Class::File, &format!("{act:?} {}", path.display())) {
            None | Some(Blow::Outsider(_)) => Ok(()),
            Some(Blow::Crash(When::Before)) => {
                self.kill(me);
                Err(io::Error::other("the process is dead"))
            }
            Some(Blow::Fail(When::Before)) => Err(self.error()),
            Some(blow @ (Blow::Crash(When::After) | Blow::Fail(When::After))) => {
                self.inner().after = Some(blow);
                Ok(())
            }
        }
    }

    fn after(&self, act: Act, path: &Path) -> io::Result<()> {
        if act == Act::Rename {
            self.halve_pairs();
            self.judge_places("after a rename");
        }
        let blow = self.inner().after.take();
        match blow {
            Some(Blow::Crash(_)) => {
                let me = self.inner().machine_of(path);
                self.kill(me);
                Err(io::Error::other("the process is dead"))
            }
            Some(Blow::Fail(_)) => Err(self.error()),
            Some(Blow::Outsider(_)) | None => Ok(()),
        }
    }
}

impl Director {
    /// Sabotage: a new id, and the secret of the old key.
    fn halve_pairs(&self) {
        let inner = self.inner();
        if inner.sabotage != Some(Sabotage::HalfPair) {
            return;
        }
        for desk in &inner.desks {
            let Some((_, first)) = desk.secrets().iter().next() else { continue };
            let pairs: Vec<_> = desk.pairs().into_iter().map(|pair| pair.map(|(id, _)| (id, first.clone()))).collect();
            for (index, sheet) in desk.sheets.iter().enumerate() {
                let _ = std::fs::write(&sheet.path, desk.render(index, &pairs));
            }
        }
    }

    /// Whether this is broken on purpose.
    pub(crate) fn is_broken(&self, sabotage: Sabotage) -> bool {
        self.inner().sabotage == Some(sabotage)
    }

    /// Sabotage: every old key is shut.
    pub(crate) fn shut_displaced(&self, machine: usize) {
        let displaced = self.inner().displaced[machine].clone();
        if let Ok(user) = self.sandbox.account().user(USER) {
            for key in displaced {
                let _ = user.set_key_active(&key, false);
            }
        }
    }

    fn kill(&self, me: usize) {
        let mut inner = self.inner();
        inner.dead[me] = true;
        inner.crashes += 1;
    }

    /// EIO, ENOSPC, EROFS, EACCES, EDQUOT or EMFILE.
    fn error(&self) -> io::Error {
        let codes = [5, 28, 30, 13, 122, 24];
        let index = self.inner().random.usize(..codes.len());
        io::Error::from_raw_os_error(codes[index])
    }
}
