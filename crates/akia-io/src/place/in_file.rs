//! A key in a file of this machine, whatever the form of the file: all that reading and safe replacing have in common.

use std::fmt;
use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use super::written::rehearsal_pair;
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, blocking, refuse_unexpected};
use crate::edit::{LOOKS, edit_bytes};
use crate::files::{self, MAX_FILE_BYTES};

/// A form of file that can hold a key; displayed, the place.
pub(super) trait Layout: fmt::Display + Clone + Send + Sync + 'static {
    /// The file, as it was named.
    fn path(&self) -> &Path;

    /// The key in the bytes of the file.
    fn pair_in(&self, file: &[u8]) -> Result<Option<KeyPair>, PlaceError>;

    /// The bytes with another key in them; all else stays as it is.
    fn with_pair(&self, file: &[u8], pair: &KeyPair) -> Result<Zeroizing<Vec<u8>>, PlaceError>;
}

/// A place in a file of that form.
pub(super) struct InFile<L>(pub(super) L);

impl<L: Layout> PlaceKind for InFile<L> {
    fn preflight<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let layout = self.0.clone();
            blocking(&self.0, move || {
                let file = files::read_limited(layout.path(), MAX_FILE_BYTES)?.unwrap_or_default();
                // Editing with what already stands there shows whether the file can be edited at all.
                let held = layout.pair_in(&file)?;
                layout.with_pair(&file, &held.unwrap_or_else(rehearsal_pair))?;
                let prepared = files::rehearse(layout.path())?;
                Ok(Ready { path: Some(prepared.path), loose_mode: prepared.loose_mode })
            })
            .await
        }
        .boxed()
    }

    fn read<'a>(&'a self, _places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let layout = self.0.clone();
            blocking(&self.0, move || {
                let mut bytes = files::read_limited(layout.path(), MAX_FILE_BYTES)?;
                // The AWS CLI empties a file before it writes it: an empty one deserves another look.
                for pause in LOOKS {
                    if bytes.as_ref().is_none_or(|bytes| !bytes.is_empty()) {
                        break;
                    }
                    files::pause(pause);
                    bytes = files::read_limited(layout.path(), MAX_FILE_BYTES)?;
                }
                let Some(bytes) = bytes else { return Ok(Held::Nothing) };
                Ok(layout.pair_in(&bytes)?.map_or(Held::Nothing, Held::Pair))
            })
            .await
        }
        .boxed()
    }

    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        async move {
            let layout = self.0.clone();
            let turn = places.turn(layout.path().to_owned());
            let turn = turn.lock_owned().await;
            let (state, pair, expected) = (places.state.clone(), pair.duplicate(), expected.keys.to_vec());
            blocking(&self.0, move || {
                // Held in here: the work goes on when the caller is cancelled, and so must its turn.
                let _turn = turn;
                let file = edit_bytes(&state, layout.path(), |file| {
                    let found = layout.pair_in(file)?;
                    refuse_unexpected(&layout, found.as_ref().map(|found| &found.id), &pair.id, &expected)?;
                    layout.with_pair(file, &pair)
                })?;
                match layout.pair_in(&file)? {
                    Some(found) if found.matches(&pair) => Ok(None),
                    _ => Err(PlaceError::ReadBack { place: layout.to_string() }),
                }
            })
            .await
        }
        .boxed()
    }
}
