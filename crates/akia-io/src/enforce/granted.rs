//! Exemptions that an admin has granted on a page of `akia serve`: a file in the state folder beside the kill switch, which the server
//! keeps in line with its tables. They hold like those of akia.toml.
//!
//! Invariant: what cannot be read keeps enforcement from acting. A key that somebody has exempted must not be shut because of a bad disk.

use std::io;
use std::path::PathBuf;

use akia_core::enforce::Exemption;

use crate::state::StateFolder;

const FILE_NAME: &str = "enforce.exemptions";

/// The file.
#[derive(Debug, Clone)]
pub struct GrantedFile(PathBuf);

/// Why its exemptions are not known.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read, and says which keys are exempted: {reason}")]
pub struct GrantedError {
    path: String,
    reason: String,
}

impl GrantedFile {
    /// That of a state folder.
    #[must_use]
    pub fn of(folder: &StateFolder) -> Self {
        Self(folder.path().join(FILE_NAME))
    }

    /// The exemptions; none where there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or says something else.
    pub fn read(&self) -> Result<Vec<Exemption>, GrantedError> {
        let failed = |reason: String| GrantedError { path: self.0.display().to_string(), reason };
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Writes them in place of what was there; no file where there are none.
    ///
    /// # Errors
    /// When the file cannot be written; the one before stays.
    pub fn write(&self, exemptions: &[Exemption]) -> io::Result<()> {
        if exemptions.is_empty() {
            return match std::fs::remove_file(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        // Never half a file: it would stop enforcement on this machine.
        let new = self.0.with_extension("exemptions.new");
        std::fs::write(&new, serde_json::to_vec(exemptions)?)?;
        std::fs::rename(new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemption() -> Exemption {
        Exemption {
            account: "123456789012".parse().unwrap(),
            user: None,
            key: Some("AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
            owner: "ann".to_owned(),
            reason: "migration".to_owned(),
            ticket: "T-1".to_owned(),
            approver: "bob".to_owned(),
            granted: "2026-11-24T12:00:00Z".parse().unwrap(),
            expires: "2026-12-24T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_cannot_be_read_is_no_exemption_of_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = GrantedFile::of(&StateFolder::open(&folder.path().join("state")).unwrap());
        assert_eq!(file.read().unwrap(), []);
        file.write(&[exemption()]).unwrap();
        assert_eq!(file.read().unwrap(), [exemption()]);
        file.write(&[]).unwrap();
        file.write(&[]).unwrap();
        assert_eq!(file.read().unwrap(), []);
        std::fs::write(&file.0, "[{").unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains("enforce.exemptions cannot be read, and says which keys are exempted"), "{error}");
    }
}
