//! A secret of AWS Secrets Manager.
//!
//! A key is written as AWS's own rotation writes one: a new version under AWSPENDING, read back, then made AWSCURRENT. The version is
//! named by what stands in it, so that a write whose answer was lost is found again and not made twice; AWSCURRENT is taken from the
//! version that was looked at, so that what somebody else has made current meanwhile is read again and not lost.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>.

use akia_core::digest;
use akia_core::ids::Region;
use akia_core::place::{KeyNames, SecretValue, SecretsManagerSecret};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::aws::refusal;
use super::written::{named, named_pair, redact};
use super::{Expected, Held, KeyPair, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};
use crate::aws::{AwsError, CURRENT, Caller, DescribedSecret, PENDING, PREVIOUS, SecretVersion, Target};

/// How often a secret that others write at the same time is read and written anew.
const ATTEMPTS: u32 = 8;
/// The name under which the codec of combined values has the whole of a secret.
const WHOLE: &str = "SecretString";

pub(super) struct SecretsManagerPlace<'p> {
    pub(super) secret: &'p SecretsManagerSecret,
}

/// A secret as it stands.
struct Look {
    described: DescribedSecret,
    /// The version that readers get.
    current: Option<SecretVersion>,
    pair: Option<KeyPair>,
}

impl PlaceKind for SecretsManagerPlace<'_> {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            let (caller, region) = self.caller(places).await?;
            caller.check_secrets(&region).map_err(|error| self.failed(&error, None))?;
            if let Some(look) = self.look(&caller, &region, None).await? {
                self.refuse_foreign_hands(&look.described, &region)?;
                if let Some((version, holder)) = self.pending(&caller, &region, &look, None).await? {
                    let of_current = holder.zip(look.pair.as_ref()).is_some_and(|(one, other)| one.matches(other));
                    if !of_current {
                        return Err(self.in_flight(&version));
                    }
                }
                let secret = self.secret.secret.as_str();
                caller.rehearse_secret(&region, secret).await.map_err(|error| self.failed(&error, None))?;
            } else if self.secret.secret.is_arn() {
                return Err(self.refused(
                    "there is no such secret; an ARN is made by AWS, so name the secret that is to be created",
                ));
            }
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        async move {
            let (caller, region) = self.caller(places).await?;
            let look = self.look(&caller, &region, None).await?;
            Ok(look.and_then(|look| look.pair).map_or(Held::Nothing, Held::Pair))
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
            let (caller, region) = self.caller(places).await?;
            for _ in 0..ATTEMPTS {
                if self.attempt(&caller, &region, pair, expected).await? {
                    return Ok(None);
                }
            }
            let reason = "others write to it all the time".to_owned();
            Err(PlaceError::Unavailable { place: self.secret.to_string(), reason })
        }
        .boxed()
    }
}

impl SecretsManagerPlace<'_> {
    /// One way from what stands there to the key; false where somebody else has made another version current meanwhile.
    async fn attempt(
        &self,
        caller: &Caller,
        region: &Region,
        pair: &KeyPair,
        expected: Expected<'_>,
    ) -> Result<bool, PlaceError> {
        let secret = self.secret.secret.as_str();
        let failed = |error: AwsError| self.failed(&error, Some(pair));
        let Some(look) = self.look(caller, region, Some(pair)).await? else {
            refuse_unexpected(self.secret, None, &pair.id, expected.keys)?;
            return self.create(caller, region, pair).await;
        };
        self.refuse_foreign_hands(&look.described, region)?;
        let is_there = look.pair.as_ref().is_some_and(|found| found.matches(pair));
        if !is_there {
            refuse_unexpected(self.secret, look.pair.as_ref().map(|found| &found.id), &pair.id, expected.keys)?;
        }
        // What an earlier run of this rotation, or of one that was given up, has left under AWSPENDING is ours to take off.
        let pending = match self.pending(caller, region, &look, Some(pair)).await? {
            None => None,
            Some((version, Some(holder))) if holder.id == pair.id || expected.keys.contains(&holder.id) => {
                Some(version)
            }
            Some((version, _)) => return Err(self.in_flight(&version)),
        };
        if !is_there {
            let text = self.text_with(look.current.as_ref(), pair)?;
            let to = match self.earlier(caller, region, &look, &text, pair).await? {
                Some(version) => version,
                None => {
                    let token = token(&look.described.arn, &text);
                    caller.put_secret_version(region, secret, &token, &text, PENDING, None).await.map_err(failed)?;
                    token
                }
            };
            let written = caller.secret_version(region, secret, &to).await.map_err(failed)?;
            if written.and_then(|version| version.text).is_none_or(|written| !says_the_same(&written, &text)) {
                return Err(PlaceError::ReadBack { place: self.secret.to_string() });
            }
            let from = look.current.as_ref().map(|version| version.id.as_str());
            match caller.move_label(region, secret, CURRENT, from, Some(&to)).await {
                Ok(()) => {}
                // It has moved on: by another, or by our own call whose answer was lost.
                Err(AwsError::Rejected { code, .. }) if code.starts_with("InvalidParameter") => return Ok(false),
                Err(error) => return Err(failed(error)),
            }
            let now = self.look(caller, region, Some(pair)).await?.and_then(|look| look.pair);
            if now.is_none_or(|now| !now.matches(pair)) {
                return Err(PlaceError::ReadBack { place: self.secret.to_string() });
            }
        }
        self.take_pending_off(caller, region, pair, pending.as_deref()).await?;
        Ok(true)
    }

    /// AWSPENDING on another version than the current one would look like a rotation that goes on.
    async fn take_pending_off(
        &self,
        caller: &Caller,
        region: &Region,
        pair: &KeyPair,
        ours: Option<&str>,
    ) -> Result<(), PlaceError> {
        let secret = self.secret.secret.as_str();
        let failed = |error: AwsError| self.failed(&error, Some(pair));
        let Some(described) = caller.describe_secret(region, secret).await.map_err(failed)? else { return Ok(()) };
        let version = described.version_with(PENDING);
        let is_ours = version.is_some() && (version == described.version_with(CURRENT) || version == ours);
        match caller.move_label(region, secret, PENDING, version.filter(|_| is_ours), None).await {
            _ if !is_ours => Ok(()),
            // Taken off already.
            Ok(()) | Err(AwsError::Rejected { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn create(&self, caller: &Caller, region: &Region, pair: &KeyPair) -> Result<bool, PlaceError> {
        let name = self.secret.secret.as_str();
        let text = self.text_with(None, pair)?;
        match caller.create_secret(region, name, &token(name, &text), &text).await {
            // The next look reads it back, or finds whose it is.
            Ok(()) => Ok(false),
            Err(AwsError::Rejected { code, .. }) if code == "ResourceExistsException" => Ok(false),
            Err(error) => Err(self.failed(&error, Some(pair))),
        }
    }

    /// The version that held the key before, where it has all else as it is now, too: then nothing has to be written.
    async fn earlier(
        &self,
        caller: &Caller,
        region: &Region,
        look: &Look,
        text: &str,
        pair: &KeyPair,
    ) -> Result<Option<String>, PlaceError> {
        let secret = self.secret.secret.as_str();
        if look.described.version_with(PREVIOUS).is_none() {
            return Ok(None);
        }
        let previous = caller.secret_labelled(region, secret, PREVIOUS).await;
        let previous = previous.map_err(|error| self.failed(&error, Some(pair)))?;
        let is_same = |version: &SecretVersion| version.text.as_ref().is_some_and(|found| says_the_same(found, text));
        Ok(previous.filter(is_same).map(|version| version.id))
    }

    /// The version under AWSPENDING, where it is not the current one, and the key in it, where one can be read.
    async fn pending(
        &self,
        caller: &Caller,
        region: &Region,
        look: &Look,
        hidden: Option<&KeyPair>,
    ) -> Result<Option<(String, Option<KeyPair>)>, PlaceError> {
        let current = look.current.as_ref().map(|version| version.id.as_str());
        let Some(version) = look.described.version_with(PENDING).filter(|version| Some(*version) != current) else {
            return Ok(None);
        };
        let read = caller.secret_version(region, self.secret.secret.as_str(), version).await;
        let text = read.map_err(|error| self.failed(&error, hidden))?.and_then(|version| version.text);
        let pair = text.and_then(|text| pair_in(&self.secret.value, &text).ok().flatten());
        Ok(Some((version.to_owned(), pair)))
    }

    async fn look(&self, caller: &Caller, region: &Region, pair: Option<&KeyPair>) -> Result<Option<Look>, PlaceError> {
        let secret = self.secret.secret.as_str();
        let failed = |error: AwsError| self.failed(&error, pair);
        let Some(described) = caller.describe_secret(region, secret).await.map_err(failed)? else { return Ok(None) };
        if described.deleted_date.is_some() {
            return Err(self.refused(&format!(
                "it is scheduled for deletion; to keep it: aws secretsmanager restore-secret --secret-id {secret}"
            )));
        }
        let current = match described.version_with(CURRENT) {
            Some(_) => caller.secret_labelled(region, secret, CURRENT).await.map_err(failed)?,
            None => None,
        };
        let pair = match &current {
            None => None,
            Some(SecretVersion { text: None, .. }) => {
                return Err(self.refused("its value is binary (SecretBinary), in which akia finds no key"));
            }
            Some(SecretVersion { text: Some(text), .. }) => {
                pair_in(&self.secret.value, text).map_err(|reason| self.unreadable(reason))?
            }
        };
        Ok(Some(Look { described, current, pair }))
    }

    fn refuse_foreign_hands(&self, described: &DescribedSecret, region: &Region) -> Result<(), PlaceError> {
        if let Some(service) = &described.owning_service {
            return Err(self.refused(&format!("the service {service} manages it, and rotates it itself")));
        }
        match &described.primary_region {
            Some(primary) if primary != region.as_str() => Err(self.refused(&format!(
                "it is a replica, which AWS does not let anybody write; write region = \"{primary}\""
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn in_flight(&self, version: &str) -> PlaceError {
        let secret = &self.secret.secret;
        self.refused(&format!(
            "a rotation of Secrets Manager is under way: AWSPENDING is on version {version}. Wait for its end; if it has failed: \
             aws secretsmanager update-secret-version-stage --secret-id {secret} --version-stage AWSPENDING \
             --remove-from-version-id {version}"
        ))
    }

    fn text_with(&self, current: Option<&SecretVersion>, pair: &KeyPair) -> Result<Zeroizing<String>, PlaceError> {
        let text = current.and_then(|version| version.text.as_ref()).map_or("", |text| text.as_str());
        text_with(&self.secret.value, text, pair).map_err(|reason| self.unreadable(reason))
    }

    async fn caller(&self, places: &Places) -> Result<(Caller, Region), PlaceError> {
        let outside = places.outside(self.secret)?;
        let no_access = |reason: String| PlaceError::NoAccess { place: self.secret.to_string(), reason };
        let profile = self.secret.profile.as_ref().ok_or_else(|| no_access("no profile signs for it".to_owned()))?;
        let settings = outside.signers.wallet().profiles().find(profile);
        let endpoint_url = settings.and_then(|profile| profile.endpoint_of("secrets_manager"));
        let endpoint_url = endpoint_url.map(crate::aws::parse_endpoint).transpose();
        let endpoint_url =
            endpoint_url.map_err(|error| no_access(format!("endpoint_url of profile \"{profile}\": {error}")))?;
        let of_profile = settings.and_then(|profile| profile.region.clone());
        let target = Target {
            region: self.secret.region.clone().or(of_profile),
            endpoint_profile: endpoint_url.as_ref().map(|_| profile.clone()),
            endpoint_url,
        };
        let region = match &target.region {
            Some(region) => region.clone(),
            None => outside.aws.options().region(&target),
        };
        let caller = outside.signers.of_profile(&outside.aws, profile, &target).await;
        Ok((caller.map_err(|error| no_access(error.to_string()))?, region))
    }

    fn failed(&self, error: &AwsError, pair: Option<&KeyPair>) -> PlaceError {
        let mut reason = error.to_string();
        if let Some(pair) = pair {
            reason = redact(pair, &reason);
        }
        let is_of_kms = reason.contains("KMS") || reason.contains("kms:") || reason.contains("cryptionFailure");
        if is_of_kms {
            reason = format!("{reason} (its KMS key must let the signer decrypt and generate data keys)");
        }
        refusal(self.secret, error, reason)
    }

    fn refused(&self, reason: &str) -> PlaceError {
        PlaceError::Refused { place: self.secret.to_string(), reason: reason.to_owned() }
    }

    fn unreadable(&self, reason: String) -> PlaceError {
        PlaceError::Unreadable { place: self.secret.to_string(), reason }
    }
}

/// The name of the version that has a text: the same for the same text, and nobody else's.
fn token(secret: &str, text: &str) -> String {
    let digits = Zeroizing::new(format!("akia version of {secret}\n{text}"));
    let digits = digest::long(&digits);
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// The key in the text of a secret. The error is a clause that repeats nothing of it.
pub(crate) fn pair_in(value: &SecretValue, text: &str) -> Result<Option<KeyPair>, String> {
    match value {
        SecretValue::Json(names) => {
            let object = object_of(text)?;
            named_pair(names, |name| object.get(name)?.as_str().map(|text| Zeroizing::new(text.to_owned())))
        }
        SecretValue::Whole(form) => {
            let names = KeyNames::Combined { name: WHOLE.to_owned(), form: *form };
            let pair = named_pair(&names, |_| Some(Zeroizing::new(text.to_owned())))?;
            if pair.is_none() && !text.trim().is_empty() {
                return Err("it holds something else than a key".to_owned());
            }
            Ok(pair)
        }
    }
}

/// The text of a secret with another key in it, and all else as it was.
pub(crate) fn text_with(value: &SecretValue, text: &str, pair: &KeyPair) -> Result<Zeroizing<String>, String> {
    match value {
        SecretValue::Json(names) => {
            let mut object = object_of(text)?;
            for (name, value) in named(names, pair) {
                object.insert(name, Value::String(value.to_string()));
            }
            Ok(Zeroizing::new(Value::Object(object).to_string()))
        }
        SecretValue::Whole(form) => {
            let names = KeyNames::Combined { name: WHOLE.to_owned(), form: *form };
            let text = named(&names, pair).pop().map(|(_, text)| text);
            text.ok_or_else(|| "the key has no text".to_owned())
        }
    }
}

/// Whether two texts differ in white space and order at most.
fn says_the_same(one: &str, other: &str) -> bool {
    one == other || object_of(one).is_ok_and(|object| object_of(other).is_ok_and(|other| object == other))
}

fn object_of(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    // The parser's words may repeat a secret: they are not passed on.
    serde_json::from_str(text)
        .map_err(|_| "its value is no JSON object; write whole = … if it is the key alone".to_owned())
}
