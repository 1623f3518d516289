//! Preflight of services: whose key it is, and what every place of it holds.
//!
//! The key of a service is the one that its places hold. Where none of them gives it back, it is the only one of the user that works,
//! or the one that a person names; it cannot be put back then, and the plan says so.

use std::collections::{BTreeMap, BTreeSet};

use akia_core::place::{Place, PlaceDefaults};
use akia_core::profile::FileKind;
use akia_core::rotation::{Identity, Probe, Signer};
use akia_core::settings::ServicePlace;
use akia_core::{AccessKey, AccessKeyId, KeyStatus, ProfileName, SecretAccessKey, ServiceName, UserName};
use futures_util::StreamExt as _;
use jiff::SignedDuration;

use super::driver::Driver;
use super::prepare::{CONCURRENT, Draw, Group, Opened, Options, Prepared, Subject, Terms, holders, signs_with};
use super::refusal::Refusal;
use crate::place::Held;
use crate::profiles::AwsFiles;

/// Places of one service that are read at the same time.
const PLACES_AT_ONCE: usize = 8;

/// A service whose key is to be rotated.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// Its name.
    pub name: ServiceName,
    /// The IAM user.
    pub user: UserName,
    /// The profile that signs.
    pub signer: ProfileName,
    /// Every place of the key.
    pub places: Vec<ServicePlace>,
    /// The key, where a person has said which.
    pub key: Option<AccessKeyId>,
    /// What must work with the new key.
    pub probe: Option<Probe>,
    /// How long the old key is watched.
    pub watch: SignedDuration,
    /// How to rotate.
    pub options: Options,
}

/// What the places hold, put together.
struct Standing {
    key: AccessKeyId,
    secret: Option<SecretAccessKey>,
    vacant: BTreeSet<usize>,
}

impl Driver {
    /// Prepares the rotation of services. Refusals never stop the others.
    pub async fn prepare_services(&self, files: &AwsFiles, requests: Vec<ServiceRequest>, draw: &Draw) -> Prepared {
        let mut prepared = Prepared::default();
        let kept = self.kept_keys(files, &mut Prepared::default()).await;
        let holders = &holders(&kept);
        let opened = futures_util::stream::iter(requests.into_iter().map(|request| async move {
            let subject = Subject::Service(request.name.clone());
            (subject, self.open_service(files, holders, request).await)
        }));
        let opened = opened.buffered(CONCURRENT).collect().await;
        self.judge(draw, holders, opened, &mut prepared).await;
        prepared
    }

    async fn open_service(
        &self,
        files: &AwsFiles,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
        request: ServiceRequest,
    ) -> Result<Opened, Refusal> {
        let ServiceRequest { name, user, signer, places, key, probe, watch, options } = request;
        let target = files.target(&signer, options.region.as_ref()).map_err(Refusal::Endpoint)?;
        self.aws.check_changes(&target).map_err(Refusal::ForeignEndpoint)?;
        let caller = self.signers.of_profile(&self.aws, &signer, &target).await.map_err(Refusal::Signer)?;
        let lost = |what: &'static str| move |error| Refusal::Aws { what, error };
        let found = caller.user(Some(&user)).await.map_err(lost("the service's user cannot be looked up"))?;
        let identity = Identity { arn: found.arn, user_id: found.id };
        let keys = caller.access_keys(Some(&user)).await.map_err(lost("the user's keys cannot be listed"))?;
        let region = target.region.clone().unwrap_or_else(|| identity.partition().iam_region());
        let defaults = PlaceDefaults { profile: signer.clone(), region: Some(region) };
        let mut resolved = Vec::with_capacity(places.len());
        for place in places {
            resolved.push(self::resolved(files, place, &defaults)?);
        }
        let places = resolved;
        let held: Vec<_> = futures_util::stream::iter(places.iter().map(|place| self.places.read(place)))
            .buffered(PLACES_AT_ONCE)
            .collect()
            .await;
        let held = held.into_iter().collect::<Result<Vec<Held>, _>>().map_err(Refusal::Place)?;
        let Standing { key, secret, vacant } = standing(&places, held, &keys, &user, key)?;
        if signs_with(files, &signer, &key)? {
            return Err(Refusal::SignsThroughKey { holder: signer.clone(), signer, key });
        }
        let mut warnings = Vec::new();
        for profile in holders.get(&key).into_iter().flatten() {
            if !places.iter().any(|place| place.profile() == Some(profile)) {
                warnings.push(format!(
                    "profile \"{profile}\" holds this key, too, and is none of the places: it keeps the old one"
                ));
            }
        }
        let group = Group { key, places, profiles: Vec::new(), along: Vec::new(), mfa_serial: None, target };
        let terms = Terms { service: Some(name), vacant, probe, watch, warnings };
        Ok(Opened { group, secret, identity, caller, signer: Signer::Admin { profile: signer }, options, terms })
    }
}

/// The place with everything that another process needs to write it.
#[expect(clippy::result_large_err, reason = "a refusal is made once for a service and printed")]
pub fn resolved(files: &AwsFiles, place: ServicePlace, defaults: &PlaceDefaults) -> Result<Place, Refusal> {
    match place {
        ServicePlace::Declared(place) => Ok(Place::Declared(place.completed(defaults))),
        ServicePlace::Keychain(profile) => Ok(Place::Keychain { profile }),
        ServicePlace::Profile(profile) => {
            let held = files.profiles().find(&profile).and_then(|profile| profile.keys.first());
            let file = held.map_or(FileKind::Credentials, |key| key.file);
            let place = files.place(&profile, file);
            place.ok_or_else(|| Refusal::NoSecret { profile, reason: "the path of its file is not Unicode".to_owned() })
        }
    }
}

/// Which key it is that the places hold.
#[expect(clippy::result_large_err, reason = "a refusal is made once for a service and printed")]
fn standing(
    places: &[Place],
    held: Vec<Held>,
    listed: &[AccessKey],
    user: &UserName,
    named: Option<AccessKeyId>,
) -> Result<Standing, Refusal> {
    let mut vacant = BTreeSet::new();
    let mut secret = None;
    let mut told: Option<(usize, AccessKeyId)> = None;
    for (index, held) in held.into_iter().enumerate() {
        let (id, its_secret) = match held {
            Held::Nothing => {
                vacant.insert(index);
                continue;
            }
            Held::Pair(pair) => (pair.id, Some(pair.secret)),
            Held::Sealed { id: Some(id), .. } => (id, None),
            Held::Sealed { id: None, .. } => continue,
        };
        match &told {
            Some((first, first_key)) if *first_key != id => {
                return Err(Refusal::PlacesDisagree {
                    first: places[*first].to_string(),
                    first_key: first_key.clone(),
                    second: places[index].to_string(),
                    second_key: id,
                });
            }
            Some(_) | None => {}
        }
        if listed.iter().all(|key| key.id != id) {
            let place = places[index].to_string();
            return Err(Refusal::KeyOfAnother { place, key: id, user: user.to_string() });
        }
        told.get_or_insert((index, id));
        secret = secret.or(its_secret);
    }
    let key = match (told, named) {
        (Some((_, key)), _) => key,
        (None, Some(named)) => named,
        (None, None) => {
            let mut active = listed.iter().filter(|key| key.status == KeyStatus::Active).map(|key| key.id.clone());
            match (active.next(), active.next()) {
                (Some(key), None) => key,
                (None, _) => return Err(Refusal::NoKey { user: user.to_string() }),
                (Some(first), Some(second)) => {
                    return Err(Refusal::WhichKey { user: user.to_string(), keys: vec![first, second] });
                }
            }
        }
    };
    Ok(Standing { key, secret, vacant })
}
