//! The two AWS files of this machine, read once, with the view of them that the AWS tools share.

use std::path::{Path, PathBuf};

use akia_core::profile::{Command, File, FileKind, Profile, ProfileKind, Profiles, RoleSource, secret_of};
use akia_core::rotation::Place;
use akia_core::{AccessKeyId, ProfileName, Region, SecretAccessKey};

use crate::aws::{EndpointError, Target, parse_endpoint};
use crate::files::{AwsPaths, FileError, MAX_FILE_BYTES, read_limited};

/// Both files and their merged view.
#[derive(Debug, Clone)]
pub struct AwsFiles {
    paths: AwsPaths,
    credentials: Option<File>,
    config: Option<File>,
    profiles: Profiles,
}

impl AwsFiles {
    /// Reads both files. A file that does not exist is `None`; one that cannot be read is an error.
    pub fn load(paths: AwsPaths) -> Result<Self, FileError> {
        let read = |path: &Path, kind: FileKind| {
            read_limited(path, MAX_FILE_BYTES)
                .map(|bytes| bytes.map(|mut bytes| File::parse(kind, std::mem::take(&mut *bytes))))
        };
        let credentials = read(&paths.credentials, FileKind::Credentials)?;
        let config = read(&paths.config, FileKind::Config)?;
        let profiles = Profiles::merge(credentials.as_ref(), config.as_ref());
        Ok(Self { paths, credentials, config, profiles })
    }

    /// Where the files are.
    #[must_use]
    pub fn paths(&self) -> &AwsPaths {
        &self.paths
    }

    /// The merged view.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Both files, credentials first.
    #[must_use]
    pub fn both(&self) -> (Option<File>, Option<File>) {
        (self.credentials.clone(), self.config.clone())
    }

    /// One of the files, if it exists.
    #[must_use]
    pub fn file(&self, kind: FileKind) -> Option<&File> {
        match kind {
            FileKind::Credentials => self.credentials.as_ref(),
            FileKind::Config => self.config.as_ref(),
        }
    }

    /// Path of one of the files.
    #[must_use]
    pub fn path(&self, kind: FileKind) -> &PathBuf {
        match kind {
            FileKind::Credentials => &self.paths.credentials,
            FileKind::Config => &self.paths.config,
        }
    }

    /// The secret of a long-term key that stands in a profile, or why it cannot be read.
    pub fn secret(&self, name: &ProfileName, kind: FileKind) -> Result<SecretAccessKey, String> {
        let file = self.file(kind).ok_or_else(|| format!("{} does not exist", self.path(kind).display()))?;
        secret_of(file, name).map_err(|error| error.to_string())
    }

    /// The place that a long-term key of a profile is kept in. `None` where the path is not Unicode.
    #[must_use]
    pub fn place(&self, name: &ProfileName, kind: FileKind) -> Option<Place> {
        let path = self.path(kind).to_str()?.to_owned();
        Some(Place::Profile { path, file: kind, profile: name.clone() })
    }

    /// Where the calls of a profile go: a region given by the user beats the profile's. A profile's endpoint that akia
    /// would not talk to is an error, never passed over: the calls would go somewhere else.
    pub fn target(&self, name: &ProfileName, region: Option<&Region>) -> Result<Target, BadEndpoint> {
        let Some(profile) = self.profiles.find(name) else {
            return Ok(Target { region: region.cloned(), ..Target::default() });
        };
        let endpoint_url = profile.endpoint_of("iam").map(parse_endpoint).transpose();
        let endpoint_url = endpoint_url.map_err(|error| BadEndpoint { profile: name.clone(), error })?;
        Ok(Target {
            region: region.cloned().or_else(|| profile.region.clone()),
            endpoint_url,
            endpoint_profile: Some(name.clone()),
        })
    }

    /// The names of profiles that somebody may have meant by `name`, the likeliest first, at most three.
    #[must_use]
    pub fn similar(&self, name: &ProfileName) -> Vec<&ProfileName> {
        let wanted = name.as_str().to_lowercase();
        let mut near: Vec<(usize, &ProfileName)> = self
            .profiles
            .iter()
            .map(|other| {
                let other_name = other.name.as_str().to_lowercase();
                let contains = wanted.len() > 2 && (other_name.contains(&wanted) || wanted.contains(&other_name));
                (if contains { 1 } else { strsim::osa_distance(&other_name, &wanted) }, &other.name)
            })
            .filter(|(distance, _)| *distance <= 2)
            .collect();
        near.sort_by_key(|(distance, _)| *distance);
        near.into_iter().map(|(_, name)| name).take(3).collect()
    }

    /// Both files in words, for an error.
    #[must_use]
    pub fn searched(&self) -> String {
        format!("{} or {}", self.paths.credentials.display(), self.paths.config.display())
    }
}

/// The `endpoint_url` of a profile is none that akia would talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint_url of profile \"{profile}\": {error}")]
pub struct BadEndpoint {
    /// The profile.
    pub profile: ProfileName,
    /// What is wrong with it.
    pub error: EndpointError,
}

/// Where the long-term key that a profile stands on is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyHolder<'a> {
    /// In this profile of a file.
    File {
        /// The profile: the one asked for, or its `NAME-long-term`.
        profile: &'a ProfileName,
        /// The key.
        id: &'a AccessKeyId,
    },
    /// In the OS keychain, under this profile.
    Keychain {
        /// The profile.
        profile: &'a ProfileName,
    },
    /// Nowhere in this profile.
    None {
        /// A profile whose key it stands on.
        instead: Option<&'a ProfileName>,
    },
}

/// The key that a profile stands on. A role profile that is its own source holds a key, too.
#[must_use]
pub fn holder_of_key<'a>(profiles: &'a Profiles, profile: &'a Profile) -> KeyHolder<'a> {
    let held = |profile: &'a Profile| match profile.keys.first() {
        Some(key) => KeyHolder::File { profile: &profile.name, id: &key.id },
        None => KeyHolder::None { instead: None },
    };
    match &profile.kind {
        ProfileKind::StaticKey { id, .. } => KeyHolder::File { profile: &profile.name, id },
        ProfileKind::Temporary { long_term: Some(long_term), .. } => {
            profiles.find(long_term).map_or(KeyHolder::None { instead: None }, held)
        }
        ProfileKind::Role { source: RoleSource::Profile(source), .. } if *source == profile.name => held(profile),
        ProfileKind::Role { source: RoleSource::Profile(source), .. } => KeyHolder::None { instead: Some(source) },
        ProfileKind::CredentialProcess { command } if is_keychain_command(command, &profile.name) => {
            KeyHolder::Keychain { profile: &profile.name }
        }
        ProfileKind::Temporary { long_term: None, .. }
        | ProfileKind::Role { .. }
        | ProfileKind::Sso { .. }
        | ProfileKind::WebIdentity { .. }
        | ProfileKind::CredentialProcess { .. }
        | ProfileKind::Login { .. }
        | ProfileKind::IncompleteKey { .. }
        | ProfileKind::BadKey { .. }
        | ProfileKind::Empty => KeyHolder::None { instead: None },
    }
}

/// What a profile is, as a clause behind its name: "assumes a role through profile \"base\"".
#[must_use]
pub fn kind_clause(kind: &ProfileKind) -> String {
    match kind {
        ProfileKind::StaticKey { id, .. } => format!("holds the access key {id}"),
        ProfileKind::Temporary { .. } => "holds temporary credentials, which expire by themselves".to_owned(),
        ProfileKind::Sso { .. } => "signs in through IAM Identity Center (SSO)".to_owned(),
        ProfileKind::Role { source: RoleSource::Profile(source), .. } => {
            format!("assumes a role through profile \"{source}\"")
        }
        ProfileKind::Role { .. } => "assumes a role".to_owned(),
        ProfileKind::WebIdentity { .. } => "assumes a role with a web identity token".to_owned(),
        ProfileKind::CredentialProcess { .. } => "gets its credentials from another program".to_owned(),
        ProfileKind::Login { .. } => "signs in through `aws login`".to_owned(),
        ProfileKind::IncompleteKey { missing, .. } => format!("has no {missing}"),
        ProfileKind::BadKey { reason, .. } => format!("holds no usable key ({reason})"),
        ProfileKind::Empty => "holds settings only".to_owned(),
    }
}

/// The `credential_process` of a profile whose key is in the keychain. `akia` is the path of this program.
#[must_use]
pub fn keychain_command(akia: &str, profile: &ProfileName) -> String {
    format!("{} credentials --profile {}", shell_word(akia), shell_word(profile.as_str()))
}

/// Whether a `credential_process` reads this profile's key from the keychain through akia, wherever akia is.
#[must_use]
pub fn is_keychain_command(command: &Command, profile: &ProfileName) -> bool {
    let expected = format!(" credentials --profile {}", shell_word(profile.as_str()));
    let Some(program) = command.as_str().trim().strip_suffix(expected.as_str()) else { return false };
    let program = program.trim_matches('"').trim_matches('\'');
    matches!(program.rsplit(['/', '\\']).next(), Some("akia" | "akia.exe"))
}

/// A word as the AWS tools split `credential_process`: in double quotes where it has anything special.
fn shell_word(word: &str) -> String {
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/+@:".contains(&byte));
    if plain { word.to_owned() } else { format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")) }
}
