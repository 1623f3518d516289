//! A folder with AWS files of a made-up person, on the disk that cargo builds on: a bench on a memory disk would not
//! pay for what akia syncs.

use super::lab::UserKey;
use crate::command::command;
use crate::folders;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder; removed when dropped.
pub(crate) struct Home {
    folder: PathBuf,
}

impl Home {
    /// A new, empty one. `name` must be free among those of this process.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let folder = folders::target().join("bench").join(format!("{}-{name}", std::process::id()));
        let failed = |error| format!("cannot make {}: {error}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(".aws")).map_err(failed)?;
        Ok(Self { folder })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes both AWS files: a profile for each key, named as its user.
    pub(crate) fn write_profiles(&self, keys: &[UserKey]) -> Result<(), String> {
        let (mut credentials, mut config) = (String::new(), String::new());
        for key in keys {
            let _ = writeln!(
                credentials,
                "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                key.user, key.id, key.secret
            );
            let _ = writeln!(config, "[profile {}]\nregion = us-east-1\noutput = json\n", key.user);
        }
        for (path, text) in [(self.credentials(), credentials), (self.config(), config)] {
            let failed = |error| format!("cannot write {}: {error}", path.display());
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }

    /// The key id that each profile of the credentials file holds now.
    pub(crate) fn key_ids(&self) -> Result<Vec<(String, String)>, String> {
        let path = self.credentials();
        let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut found = Vec::new();
        let mut profile = String::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut profile);
            } else if let Some(("aws_access_key_id", id)) = line.split_once('=').map(|(k, v)| (k.trim(), v.trim())) {
                found.push((profile.clone(), id.to_owned()));
            }
        }
        Ok(found)
    }

    /// A program that sees these files, this endpoint, and nothing of the person who runs the bench.
    pub(crate) fn program(&self, program: &Path, endpoint: &str) -> Command {
        let mut command = command(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.folder).env("LC_ALL", "C.UTF-8");
        command.env("AWS_SHARED_CREDENTIALS_FILE", self.credentials()).env("AWS_CONFIG_FILE", self.config());
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AKIA_STATE_DIR", self.folder.join("state")).env("AKIA_KEYCHAIN", "off");
        command
    }

    fn credentials(&self) -> PathBuf {
        self.folder.join(".aws/credentials")
    }

    fn config(&self) -> PathBuf {
        self.folder.join(".aws/config")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays is made-up keys of an AWS that is gone, in the target folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
