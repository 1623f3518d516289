//! The way to places that are not on this machine: who calls, and what opens them.

use std::sync::Arc;

use akia_core::settings::SecretRef;

use super::{Named, PlaceError, Places};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::rotate::Signers;
use crate::secrets::Secret;

type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What places need that are not on this machine.
#[derive(Clone)]
pub struct Outside {
    /// The wire; to services that are not AWS's, too.
    pub aws: Aws,
    /// Who signs calls to AWS.
    pub signers: Arc<Signers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The variables of the environment, for what opens a place.
    pub variables: Arc<Variables>,
}

impl Places {
    pub(super) fn outside(&self, place: &Named) -> Result<&Outside, PlaceError> {
        self.outside.as_ref().ok_or_else(|| PlaceError::NoAccess {
            place: place.to_string(),
            reason: "this command does not reach beyond this machine".to_owned(),
        })
    }
}

impl Outside {
    /// What opens a place, from where its table says that it is kept.
    pub(super) fn secret(&self, place: &Named, kept: &SecretRef) -> Result<Secret, PlaceError> {
        Secret::read(kept, &*self.variables).map_err(|reason| PlaceError::NoAccess { place: place.to_string(), reason })
    }
}
