//! A thread of the journal as the tables hold it: what its records come to.

use akia_core::ThreadId;
use akia_io::store::Entry;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::Told;

/// What a thread is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A rotation.
    Rotation,
    /// The case of a key.
    Case,
    /// The quarantine of a user.
    Quarantine,
    /// The containment of a leaked key.
    Containment,
    /// A key of which an event has told that others may know it. It is no thread of the journal, and is seen as one is.
    Exposure,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rotation, Self::Case, Self::Quarantine, Self::Containment, Self::Exposure];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Case => "case",
            Self::Quarantine => "quarantine",
            Self::Containment => "containment",
            Self::Exposure => "exposure",
        }
    }

    fn of(thread: &ThreadId) -> Self {
        match thread {
            ThreadId::Rotation(_) => Self::Rotation,
            ThreadId::Case(_) => Self::Case,
            ThreadId::Quarantine(_) => Self::Quarantine,
            ThreadId::Containment(_) => Self::Containment,
        }
    }
}

/// One thread. Moments are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Thread {
    /// Its id.
    pub id: String,
    /// What it is of.
    pub kind: Kind,
    /// The key that it is about; in a rotation the one that is replaced. Empty where the records cannot be read.
    pub key_id: String,
    /// The key that a rotation has made, also where that is gone.
    pub new_key_id: Option<String>,
    /// The account.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// Who answers for the key, where that is known.
    pub owner: Option<String>,
    /// Where it stands, in words.
    pub state: String,
    /// Where it stands, in a word.
    pub stage: String,
    /// How it rests, in a word for programs.
    pub rest: String,
    /// What comes next by itself.
    pub next: Option<Next>,
    /// Whether nothing will ever happen to it again.
    pub is_over: bool,
    /// Whether it waits for a person.
    pub needs_person: bool,
    /// When its first record was written.
    pub began_at: i64,
    /// When its last record was written.
    pub updated_at: i64,
    /// What it goes through.
    pub steps: Vec<Step>,
    /// Commands that a person may give now.
    pub commands: Vec<String>,
    /// Where its new key has to arrive: the place, and whether it has.
    pub places: Vec<(String, bool)>,
    /// The rotation that a containment has begun.
    pub rotation: Option<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Next {
    /// In words.
    pub what: String,
    /// At the earliest.
    pub at: i64,
}

/// A step of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// In words.
    pub words: String,
    /// How far it is.
    pub progress: Progress,
    /// When it was done, or is due.
    pub at: Option<i64>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It is done.
    Done,
    /// It is what happens now.
    Now,
    /// It comes later.
    Later,
    /// It waits for a person.
    Person,
    /// It did not come about.
    Failed,
}

impl Progress {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Later => "later",
            Self::Person => "waits for a person",
            Self::Failed => "failed",
        }
    }
}

impl Step {
    pub(super) fn done(words: impl Into<String>, at: Timestamp) -> Self {
        Self { words: words.into(), progress: Progress::Done, at: Some(at.as_second()) }
    }

    pub(super) fn later(words: impl Into<String>, at: Option<Timestamp>) -> Self {
        Self { words: words.into(), progress: Progress::Later, at: at.map(Timestamp::as_second) }
    }
}

/// The first step that is not done is where the thread stands.
pub(super) fn stand_at(steps: &mut [Step], progress: Progress) {
    if let Some(step) = steps.iter_mut().find(|step| step.progress == Progress::Later) {
        step.progress = progress;
    }
}

/// What the records of a thread come to at a moment, and what each says.
pub(super) fn judge(id: &ThreadId, entries: &[Entry], now: Timestamp) -> (Thread, Vec<Told>) {
    let judged = match id {
        ThreadId::Rotation(_) => super::rotation::judge(entries, now),
        ThreadId::Case(_) => super::case::judge(entries, now),
        ThreadId::Quarantine(_) => super::quarantine::judge(entries),
        ThreadId::Containment(_) => super::contain::judge(entries, now),
    };
    judged.unwrap_or_else(|reason| (broken(id, &reason), Vec::new()))
}

/// A thread whose records cannot be read: those of a newer akia, or such as akia does not write. Whose it is cannot be told, so that only
/// who sees everything sees it.
fn broken(id: &ThreadId, reason: &str) -> Thread {
    Thread {
        id: id.as_str().to_owned(),
        state: format!("its records cannot be read: {reason}"),
        stage: "unreadable".to_owned(),
        rest: "unreadable".to_owned(),
        needs_person: true,
        commands: vec!["akia history verify".to_owned()],
        ..Thread::bare(Kind::of(id))
    }
}

impl Thread {
    /// One that nothing is known of but its kind.
    pub(super) fn bare(kind: Kind) -> Self {
        Self {
            id: String::new(),
            kind,
            key_id: String::new(),
            new_key_id: None,
            account: String::new(),
            user: String::new(),
            owner: None,
            state: String::new(),
            stage: String::new(),
            rest: String::new(),
            next: None,
            is_over: false,
            needs_person: false,
            began_at: 0,
            updated_at: 0,
            steps: Vec::new(),
            commands: Vec::new(),
            places: Vec::new(),
            rotation: None,
        }
    }
}

/// The records of a thread, each with its number.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(entries: &[Entry]) -> Result<Vec<(u64, T)>, String> {
    if entries.is_empty() {
        return Err("there are none".to_owned());
    }
    entries.iter().map(|entry| Ok((entry.seq, entry.parse().map_err(|error| error.to_string())?))).collect()
}
