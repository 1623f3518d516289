//! Fields of a JSON, YAML or TOML file: `akia_core::fields` finds and replaces them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use akia_core::fields::{self, Pointer};
use akia_core::place::FilePlace;
use zeroize::Zeroizing;

use super::in_file::Layout;
use super::written::{named, named_pair};
use super::{KeyPair, PlaceError};

#[derive(Clone)]
pub(super) struct FieldFile(FilePlace);

impl FieldFile {
    pub(super) fn of(place: &FilePlace) -> Self {
        Self(place.clone())
    }

    fn unreadable(&self, reason: impl fmt::Display) -> PlaceError {
        PlaceError::Unreadable { place: self.to_string(), reason: reason.to_string() }
    }

    fn pointer(&self, name: &str) -> Result<Pointer, PlaceError> {
        name.parse().map_err(|error| self.unreadable(error))
    }
}

impl Layout for FieldFile {
    fn path(&self) -> &Path {
        self.0.path.as_path()
    }

    fn pair_in(&self, file: &[u8]) -> Result<Option<KeyPair>, PlaceError> {
        if file.is_empty() {
            let reason = "it is not there, or empty: write it first, with empty strings where the key belongs";
            return Err(self.unreadable(reason));
        }
        let mut values = BTreeMap::new();
        for name in self.0.names.list() {
            let value = fields::value(file, self.0.format, &self.pointer(name)?);
            values.insert(name, value.map_err(|error| self.unreadable(error))?);
        }
        named_pair(&self.0.names, |name| values.get(name).cloned()).map_err(|reason| self.unreadable(reason))
    }

    fn with_pair(&self, file: &[u8], pair: &KeyPair) -> Result<Zeroizing<Vec<u8>>, PlaceError> {
        let values = named(&self.0.names, pair);
        let values = values.iter().map(|(name, value)| Ok((self.pointer(name)?, value.as_str())));
        let values = values.collect::<Result<Vec<_>, PlaceError>>()?;
        fields::set(file, self.0.format, &values).map_err(|error| self.unreadable(error))
    }
}

impl fmt::Display for FieldFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
