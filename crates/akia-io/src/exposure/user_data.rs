//! Every place of an account where people write keys in plain text.
//!
//! Places are read side by side, and what they hold comes to the sink in whatever order it arrives.

use std::sync::{Mutex, PoisonError};

use akia_core::ids::Region;
use akia_core::leak::Coverage;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;

use super::gap::Gap;
use super::pieces::Piece;
use super::places::Place;
use crate::aws::{AwsError, Caller};

/// Places that are read at the same time. The requests of each host have their own limit.
const PLACES_AT_ONCE: usize = 16;
/// Texts that wait for the sink.
const WAITING: usize = 32;

/// What was read of an account, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserDataRead {
    /// Texts that were handed to the sink.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Parameters that are encrypted, and so were not asked for. They are no gap: nothing stands there in plain text.
    pub encrypted_parameters: u64,
    /// What was not read, in the order of regions and actions.
    pub gaps: Vec<Gap>,
}

impl UserDataRead {
    /// Its part of the receipt of a scan.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let skipped = self.gaps.iter().map(Gap::skipped).collect();
        Coverage { objects: self.pieces, bytes: self.bytes, skipped }
    }
}

/// Reads all places of these regions.
pub async fn read(caller: &Caller, regions: &[Region], sink: &mut dyn FnMut(Piece)) -> UserDataRead {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let out = Out { sender, told: Mutex::default() };
    let reading = async move {
        let scenes = regions.iter().map(|region| Scene { caller, region, out: &out });
        let jobs: Vec<_> = scenes.flat_map(|scene| Place::ALL.map(|place| place.read(scene))).collect();
        stream::iter(jobs).buffer_unordered(PLACES_AT_ONCE).for_each(async |()| ()).await;
        out.told.into_inner().unwrap_or_else(PoisonError::into_inner)
    };
    let mut counted = (0, 0);
    let handing = async {
        while let Some(piece) = receiver.recv().await {
            let piece: Piece = piece;
            counted.0 += 1;
            counted.1 += piece.bytes.len() as u64;
            sink(piece);
        }
    };
    let (mut told, ()) = join(reading, handing).await;
    told.gaps.sort_by_key(|gap| gap.to_string());
    (told.pieces, told.bytes) = counted;
    told
}

/// What a place is read with.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) caller: &'a Caller,
    pub(super) region: &'a Region,
    out: &'a Out,
}

struct Out {
    sender: mpsc::Sender<Piece>,
    told: Mutex<UserDataRead>,
}

impl Scene<'_> {
    /// Hands a text on. Empty ones hold nothing.
    pub(super) async fn give(&self, piece: Piece) {
        if !piece.bytes.is_empty() {
            // The other end is open until all senders are gone.
            let _ = self.out.sender.send(piece).await;
        }
    }

    /// Tells that the rest of a listing was not read.
    pub(super) fn lost(&self, error: &AwsError) {
        self.tell(Gap::of(self.region, None, error));
    }

    /// Tells that a resource was not read.
    pub(super) fn lost_one(&self, resource: &str, error: &AwsError) {
        self.tell(Gap::of(self.region, Some(resource), error));
    }

    /// Tells of something that was not read.
    pub(super) fn tell(&self, gap: Gap) {
        self.told().gaps.push(gap);
    }

    /// Counts parameters that are encrypted.
    pub(super) fn passed_over(&self, encrypted_parameters: u64) {
        self.told().encrypted_parameters += encrypted_parameters;
    }

    fn told(&self) -> std::sync::MutexGuard<'_, UserDataRead> {
        self.out.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
