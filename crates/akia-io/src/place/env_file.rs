//! Two variables of an env file (dotenv): `akia_core::env_file` says what they may look like.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use akia_core::env_file;
use akia_core::place::EnvFilePlace;
use zeroize::Zeroizing;

use super::in_file::Layout;
use super::written::{named, named_pair};
use super::{KeyPair, PlaceError};

#[derive(Clone)]
pub(super) struct EnvFile(EnvFilePlace);

impl EnvFile {
    pub(super) fn of(place: &EnvFilePlace) -> Self {
        Self(place.clone())
    }

    fn unreadable(&self, reason: String) -> PlaceError {
        PlaceError::Unreadable { place: self.to_string(), reason }
    }
}

impl Layout for EnvFile {
    fn path(&self) -> &Path {
        self.0.path.as_path()
    }

    fn pair_in(&self, file: &[u8]) -> Result<Option<KeyPair>, PlaceError> {
        let mut values = BTreeMap::new();
        for name in self.0.names.list() {
            let value = env_file::value(file, name).map_err(|error| self.unreadable(error.to_string()))?;
            values.insert(name, value);
        }
        let value = |name: &str| values.get(name).copied().flatten().map(|value| Zeroizing::new(value.to_owned()));
        named_pair(&self.0.names, value).map_err(|reason| self.unreadable(reason))
    }

    fn with_pair(&self, file: &[u8], pair: &KeyPair) -> Result<Zeroizing<Vec<u8>>, PlaceError> {
        let values = named(&self.0.names, pair);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env_file::set(file, &values).map_err(|error| self.unreadable(error.to_string()))
    }
}

impl fmt::Display for EnvFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
