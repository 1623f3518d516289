//! Which profiles of this machine work with which key.

use std::collections::BTreeMap;

use akia_core::profile::{Profile, ProfileKind, RoleSource};
use akia_core::{AccessKeyId, ProfileName};
use akia_io::profiles::{AwsFiles, KeyHolder, holder_of_key};

use crate::context::Context;
use crate::error::CommandError;
use crate::setup::source;

/// Longest chain of roles that is followed.
const CHAIN_LIMIT: usize = 10;

/// The keys that this machine works with.
#[derive(Debug, Default)]
pub struct Holders {
    held: BTreeMap<AccessKeyId, Vec<ProfileName>>,
    through: BTreeMap<AccessKeyId, Vec<ProfileName>>,
    environment: Option<AccessKeyId>,
    /// Profiles whose key is in a keychain that does not tell.
    pub unknown: Vec<ProfileName>,
}

impl Holders {
    /// Looks into both files, the environment, and the keychain where a profile points there.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub fn find(context: &Context, files: &AwsFiles) -> Result<Self, CommandError> {
        let mut holders =
            Self { environment: context.environment_key()?.and_then(|id| id.parse().ok()), ..Self::default() };
        for profile in files.profiles().iter() {
            for key in &profile.keys {
                let held = holders.held.entry(key.id.clone()).or_default();
                if !held.contains(&profile.name) {
                    held.push(profile.name.clone());
                }
            }
            if let KeyHolder::Keychain { profile: name } = holder_of_key(files.profiles(), profile) {
                match source::keychain_pair(context, name) {
                    Ok(Some(pair)) => holders.held.entry(pair.id).or_default().push(name.clone()),
                    Ok(None) => {}
                    Err(_) => holders.unknown.push(name.clone()),
                }
            }
        }
        for profile in files.profiles().iter() {
            for key in chain(files, profile).iter().skip(1).filter_map(|source| source.keys.first()) {
                holders.through.entry(key.id.clone()).or_default().push(profile.name.clone());
            }
        }
        Ok(holders)
    }

    /// Profiles that hold the key.
    #[must_use]
    pub fn of(&self, key: &AccessKeyId) -> &[ProfileName] {
        self.held.get(key).map_or(&[], Vec::as_slice)
    }

    /// Profiles that assume a role with the key of another profile.
    #[must_use]
    pub fn through(&self, key: &AccessKeyId) -> &[ProfileName] {
        self.through.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether it is the key of `AWS_ACCESS_KEY_ID`.
    #[must_use]
    pub fn is_in_environment(&self, key: &AccessKeyId) -> bool {
        self.environment.as_ref() == Some(key)
    }

    /// Everybody in a few words, an entry each.
    #[must_use]
    pub fn words(&self, key: &AccessKeyId) -> Vec<String> {
        let environment = self.is_in_environment(key).then(|| "(environment)".to_owned());
        self.of(key).iter().map(ToString::to_string).chain(environment).collect()
    }
}

/// Long-term keys that the signature of this profile rests on: its own, or that at the end of its chain of roles.
#[must_use]
pub fn keys_behind(files: &AwsFiles, profile: &ProfileName) -> Vec<AccessKeyId> {
    let Some(profile) = files.profiles().find(profile) else { return Vec::new() };
    let keys = chain(files, profile).into_iter().filter_map(|profile| profile.keys.first());
    keys.map(|key| key.id.clone()).collect()
}

/// The profile, and those whose credentials it assumes its role with.
fn chain<'a>(files: &'a AwsFiles, profile: &'a Profile) -> Vec<&'a Profile> {
    let mut chain = vec![profile];
    while let Some(ProfileKind::Role { source: RoleSource::Profile(source), .. }) =
        chain.last().map(|profile| &profile.kind)
    {
        match files.profiles().find(source) {
            Some(next) if chain.len() < CHAIN_LIMIT && chain.iter().all(|seen| seen.name != next.name) => {
                chain.push(next);
            }
            Some(_) | None => break,
        }
    }
    chain
}
