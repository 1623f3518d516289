//! Parameters of Systems Manager: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>.
//!
//! There is no check-and-set: a look stands right before each write, and the version that the write gives tells whether somebody
//! came in between. Of two parameters the secret is written first: an id that is the new one says that the pair is whole.

use std::collections::BTreeMap;

use akia_core::ids::Region;
use akia_core::place::SsmParameter;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use super::aws::refusal;
use super::written::{named, named_pair, redact};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};
use crate::aws::{AwsError, Caller, ClearParameter, ParameterTraits, ParameterWrite, Target};
use crate::rotate::SignerError;

/// How often a place that is busy is read and written anew.
const ATTEMPTS: u32 = 4;
/// What a parameter becomes that is not there yet.
const ENCRYPTED: &str = "SecureString";

pub(super) struct SsmPlace<'p> {
    pub(super) place: &'p SsmParameter,
}

/// What stands there: by name.
type Found = BTreeMap<String, ClearParameter>;

impl PlaceKind for SsmPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let (caller, region) = self.open(places).await?;
            let found = self.look(&caller, &region).await?;
            self.pair_in(&found, None)?;
            for parameter in found.values() {
                let traits = self.traits(&caller, &region, Some(parameter)).await?;
                // A write that must not overwrite: whoever may write is told that the parameter is there, and nothing changes. Were it
                // deleted this moment, it would be as it was.
                let write = ParameterWrite {
                    name: &parameter.name,
                    kind: &parameter.kind,
                    value: &parameter.value,
                    overwrite: false,
                    traits: &traits,
                };
                match caller.put_parameter(&region, &write).await {
                    Err(AwsError::Rejected { code, .. }) if code == "ParameterAlreadyExists" => {}
                    Err(error) => return Err(self.failed(&error, None)),
                    Ok(_) => {
                        let reason = format!("{} was deleted a moment ago", parameter.name);
                        return Err(PlaceError::Refused { place: self.place.to_string(), reason });
                    }
                }
            }
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let (caller, region) = self.open(places).await?;
            let found = self.look(&caller, &region).await?;
            Ok(self.pair_in(&found, None)?.map_or(Held::Nothing, Held::Pair))
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
            let (caller, region) = self.open(places).await?;
            let mut last = None;
            for _ in 0..ATTEMPTS {
                let found = self.look(&caller, &region).await?;
                let held = self.pair_in(&found, Some(pair))?;
                refuse_unexpected(self.place, held.as_ref().map(|held| &held.id), &pair.id, expected.keys)?;
                match self.write(&caller, &region, &found, pair).await? {
                    Ok(()) => {
                        let found = self.look(&caller, &region).await?;
                        return match self.pair_in(&found, None)? {
                            Some(found) if found.matches(pair) => Ok(None),
                            _ => Err(PlaceError::ReadBack { place: self.place.to_string() }),
                        };
                    }
                    // It may have been written all the same: the next look tells.
                    Err(error) => last = Some(error),
                }
                places.outside(self.place)?.clock.sleep(std::time::Duration::from_millis(200)).await;
            }
            let unavailable =
                || PlaceError::Unavailable { place: self.place.to_string(), reason: "it is busy".to_owned() };
            Err(last.map_or_else(unavailable, |error| self.failed(&error, Some(pair))))
        }
        .boxed()
    }
}

impl SsmPlace<'_> {
    async fn open(&self, places: &Places) -> Result<(Caller, Region), PlaceError> {
        let outside = places.outside(self.place)?;
        let lacks = |reason: &str| PlaceError::NoAccess { place: self.place.to_string(), reason: reason.to_owned() };
        let profile = self.place.profile.as_ref().ok_or_else(|| lacks("it names no profile that signs"))?;
        let region = self.place.region.clone().ok_or_else(|| lacks("it names no region"))?;
        let target =
            Target { region: Some(region.clone()), endpoint_url: None, endpoint_profile: Some(profile.clone()) };
        let caller = outside.signers.of_profile(&outside.aws, profile, &target).await;
        let caller = caller.map_err(|error| match error {
            SignerError::Aws(error) => self.failed(&error, None),
            other => lacks(&other.to_string()),
        })?;
        Ok((caller, region))
    }

    async fn look(&self, caller: &Caller, region: &Region) -> Result<Found, PlaceError> {
        let names = self.place.names.names().list();
        let found = caller.clear_parameters(region, &names).await.map_err(|error| self.failed(&error, None))?;
        Ok(found.into_iter().map(|parameter| (parameter.name.clone(), parameter)).collect())
    }

    /// The key that stands there. A pair of which one half is the key in hand, and the other is not there yet, is that key.
    fn pair_in(&self, found: &Found, ours: Option<&KeyPair>) -> Result<Option<KeyPair>, PlaceError> {
        let names = self.place.names.names();
        let unreadable = |reason: String| PlaceError::Unreadable { place: self.place.to_string(), reason };
        if let Some(list) = found.values().find(|parameter| parameter.kind == "StringList") {
            return Err(unreadable(format!("{} is a list of strings", list.name)));
        }
        let ours: BTreeMap<String, Zeroizing<String>> =
            ours.map(|pair| named(names, pair).into_iter().collect()).unwrap_or_default();
        let is_begun = found.values().any(|parameter| ours.get(&parameter.name) == Some(&parameter.value));
        let begun = |name: &str| ours.get(name).filter(|_| is_begun).cloned();
        named_pair(names, |name| found.get(name).map(|parameter| parameter.value.clone()).or_else(|| begun(name)))
            .map_err(unreadable)
    }

    /// Writes what does not stand there yet. The inner error is one after which it may stand there, or may the next time.
    async fn write(
        &self,
        caller: &Caller,
        region: &Region,
        found: &Found,
        pair: &KeyPair,
    ) -> Result<Result<(), AwsError>, PlaceError> {
        // The secret before the id.
        for (name, value) in named(self.place.names.names(), pair).iter().rev() {
            let before = found.get(name);
            if before.is_some_and(|before| before.value == *value) {
                continue;
            }
            let traits = self.traits(caller, region, before).await?;
            let write = ParameterWrite {
                name,
                kind: before.map_or(ENCRYPTED, |before| before.kind.as_str()),
                value,
                overwrite: before.is_some(),
                traits: &traits,
            };
            let version = match caller.put_parameter(region, &write).await {
                Ok(version) => version,
                // Somebody made it since we looked, or we did and did not hear of it.
                Err(error @ AwsError::Rejected { .. }) if is_made_meanwhile(&error) => return Ok(Err(error)),
                Err(error) if error.is_transient() || !error.outcome_is_known() => return Ok(Err(error)),
                Err(error) => return Err(self.failed(&error, Some(pair))),
            };
            let looked = before.map_or(0, |before| before.version);
            if version != looked + 1 {
                let reason = format!(
                    "somebody wrote {name} while akia did: version {} of it is not in use any more (aws ssm get-parameter-history --name {name})",
                    version.saturating_sub(1)
                );
                return Err(PlaceError::Refused { place: self.place.to_string(), reason });
            }
        }
        Ok(Ok(()))
    }

    /// What a parameter must have again: without its KMS key and tier, a write would take the account's defaults.
    async fn traits(
        &self,
        caller: &Caller,
        region: &Region,
        parameter: Option<&ClearParameter>,
    ) -> Result<ParameterTraits, PlaceError> {
        let Some(parameter) = parameter else {
            return Ok(ParameterTraits { key_id: self.place.kms_key.clone(), ..ParameterTraits::default() });
        };
        let traits = caller.parameter_traits(region, &parameter.name).await;
        traits.map_err(|error| self.failed(&error, None))?.ok_or_else(|| PlaceError::Unavailable {
            place: self.place.to_string(),
            reason: format!("AWS does not describe {} although it gives its value", parameter.name),
        })
    }

    fn failed(&self, error: &AwsError, pair: Option<&KeyPair>) -> PlaceError {
        let reason = error.to_string();
        let reason = pair.map_or(reason.clone(), |pair| redact(pair, &reason));
        match error {
            AwsError::ForeignEndpoint { .. } => PlaceError::Denied { place: self.place.to_string(), reason },
            // It may have been written.
            AwsError::Malformed { .. } => PlaceError::Unavailable { place: self.place.to_string(), reason },
            error => refusal(self.place, error, reason),
        }
    }
}

fn is_made_meanwhile(error: &AwsError) -> bool {
    matches!(error, AwsError::Rejected { code, .. } if code == "ParameterAlreadyExists" || code == "TooManyUpdates")
}
