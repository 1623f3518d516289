//! Where addresses are, by files of MaxMind's form: GeoLite2 and GeoIP2, DB-IP's, and others' (`.mmdb`).
//!
//! <https://maxmind.github.io/MaxMind-DB/>

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use akia_core::usage::{Atlas, Place};
use maxminddb::Reader;
use serde::Deserialize;

/// One or more files that complete each other: cities in the one, networks in the other.
pub struct FileAtlas {
    files: Vec<Reader<Vec<u8>>>,
}

/// Why there is no atlas.
#[derive(Debug, thiserror::Error)]
pub enum AtlasError {
    /// The file cannot be read.
    #[error("{}: cannot read the atlas", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("{}: it is no MaxMind DB file (.mmdb); unpack what you have downloaded, and name the file in it", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        source: maxminddb::MaxMindDbError,
    },
    /// It is larger than any atlas.
    #[error("{}: it has more than {} MB, and is no atlas of addresses", path.display(), LARGEST >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// The largest ones that are sold have some 600 MB.
const LARGEST: u64 = 2 << 30;

impl FileAtlas {
    /// Reads the files. What the first one tells of an address holds; others add what it does not.
    ///
    /// # Errors
    /// When a file cannot be read, or is no such file.
    pub fn open(paths: &[PathBuf]) -> Result<Self, AtlasError> {
        Ok(Self { files: paths.iter().map(|path| open(path)).collect::<Result<_, _>>()? })
    }
}

/// Read whole and not mapped: a mapped file that is cut short kills the process.
fn open(path: &Path) -> Result<Reader<Vec<u8>>, AtlasError> {
    let unread = |source| AtlasError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > LARGEST {
        return Err(AtlasError::TooLarge { path: path.to_owned() });
    }
    Reader::from_source(bytes).map_err(|source| AtlasError::Form { path: path.to_owned(), source })
}

/// The fields of cities and of networks, whichever of them a file has.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    city: Named,
    country: Country,
    location: Location,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    names: Names,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Names {
    en: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Country {
    iso_code: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_radius: Option<u16>,
}

impl From<Row> for Place {
    fn from(row: Row) -> Self {
        Self {
            country: row.country.iso_code,
            city: row.city.names.en,
            point: row.location.latitude.zip(row.location.longitude),
            radius_km: row.location.accuracy_radius,
            asn: row.autonomous_system_number,
            owner: row.autonomous_system_organization,
        }
    }
}

impl Atlas for FileAtlas {
    fn place(&self, address: IpAddr) -> Option<Place> {
        // A file of IPv4 says an error to an address of IPv6, and a damaged one to others: both know nothing of it.
        let told = self.files.iter().filter_map(|file| file.lookup(address).ok()?.decode::<Row>().ok()?);
        told.map(Place::from).reduce(|first, other| Place {
            country: first.country.or(other.country),
            city: first.city.or(other.city),
            // A radius belongs to its point.
            radius_km: if first.point.is_some() { first.radius_km } else { other.radius_km },
            point: first.point.or(other.point),
            asn: first.asn.or(other.asn),
            owner: first.owner.or(other.owner),
        })
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer;
