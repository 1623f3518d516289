//! Who signs the calls of a rotation.
//!
//! Before promotion a user's own rotation is signed with the displaced key, after it with the key that its places
//! hold now, which outlives this rotation. Sessions for MFA are opened once for a user's device and a run.

use std::collections::HashMap;

use akia_core::rotation::{Plan, Rotation, Signer, SigningKey};
use akia_core::{AccessKeyId, ProfileName, RotationId, SecretAccessKey, UserId};
use tokio::sync::Mutex;

use super::driver::Driver;
use crate::aws::{Aws, AwsError, Caller, Credentials, CredentialsError, ForeignEndpoint, Target, Wallet};
use crate::place::PlaceError;
use crate::store::StoreError;

/// Why nobody could sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The signing profile has no usable credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// AWS refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The place that holds the signing key cannot be read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The state folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A staged secret cannot be read.
    #[error("the staged secret of key {key} cannot be read: {reason}")]
    Secret {
        /// The key.
        key: AccessKeyId,
        /// What failed.
        reason: String,
    },
    /// AWS says that there is no such key, and lists it.
    #[error("AWS says that user {user} has no key {key}, and lists it all the same")]
    StillListed {
        /// The key.
        key: AccessKeyId,
        /// The user.
        user: String,
    },
    /// A key that was to be deleted to make room has come into use.
    #[error("key {key} is active and has been used since the plan was made; it is not deleted")]
    InUse {
        /// The key.
        key: AccessKeyId,
    },
    /// The key that an undo left inactive is active again.
    #[error(
        "key {key} was activated by somebody since the undo, and is not deleted; when nobody needs it: akia key deactivate {key}"
    )]
    Reactivated {
        /// The key.
        key: AccessKeyId,
    },
    /// The key that is to stay was shut by somebody.
    #[error(
        "key {key} is not active: somebody has deactivated or deleted it; {doomed} stays as it is until {key} works"
    )]
    Shut {
        /// The key that is in every place.
        key: AccessKeyId,
        /// The key that was about to be deactivated.
        doomed: AccessKeyId,
    },
    /// The signer answers as somebody else than the plan says.
    #[error(
        "user {name} has the unique id {found} now, but the plan was made for {planned}: it was deleted and made anew"
    )]
    OtherUser {
        /// The user's name.
        name: String,
        /// The unique id now.
        found: String,
        /// The unique id of the plan.
        planned: String,
    },
}

/// The signers of one run.
pub struct Signers {
    wallet: Wallet,
    /// By user and device. The key is not part of it: a rotation changes it, and a code can be used once.
    sessions: Mutex<HashMap<(UserId, String), Credentials>>,
}

impl Signers {
    /// Signers out of the profiles of this machine, with MFA codes from `mfa`.
    #[must_use]
    pub fn new(wallet: Wallet) -> Self {
        Self { wallet, sessions: Mutex::new(HashMap::new()) }
    }

    /// The profiles that this run knows.
    #[must_use]
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// A caller for a profile: the credentials that the AWS CLI would find, in an MFA session where the profile holds a
    /// key and names a device, which the AWS CLI would not do.
    pub async fn of_profile(&self, aws: &Aws, profile: &ProfileName, target: &Target) -> Result<Caller, SignerError> {
        let base = self.wallet.credentials(aws, profile).await?;
        let serial = self.wallet.profiles().find(profile).and_then(|profile| profile.mfa_serial.as_deref());
        let credentials = match serial {
            Some(serial) if !base.is_temporary() => self.wallet.session(aws, base, serial, target.clone()).await?,
            Some(_) | None => base,
        };
        Ok(aws.caller(credentials, target.clone()))
    }

    /// A caller for the own key of a user, `owner`; through an MFA session where the profile names a device.
    ///
    /// A session is never lent to another user, even if a line copied between profiles names the same device in both.
    pub async fn of_key(
        &self,
        aws: &Aws,
        key: Credentials,
        owner: &UserId,
        mfa_serial: Option<&str>,
        target: &Target,
    ) -> Result<Caller, SignerError> {
        let Some(serial) = mfa_serial else { return Ok(aws.caller(key, target.clone())) };
        // Held across the prompt on purpose: rotations that share a device wait for one code.
        let mut sessions = self.sessions.lock().await;
        let slot = (owner.clone(), serial.to_owned());
        if let Some(session) = sessions.get(&slot) {
            return Ok(aws.caller(session.duplicate(), target.clone()));
        }
        let session = self.wallet.session(aws, key, serial, target).await?;
        let caller = aws.caller(session.duplicate(), target.clone());
        sessions.insert(slot, session);
        Ok(caller)
    }
}

impl Driver {
    /// Whether keys may be changed where the plan sends its calls. To be asked before a rotation is taken up: the calls
    /// themselves refuse as well, but then an intent stands in the journal already.
    pub fn check_changes(&self, plan: &Plan) -> Result<(), ForeignEndpoint> {
        self.aws.check_changes(&target_of(plan))
    }

    /// Whoever signs the next change of the rotation.
    pub(super) async fn signer(&self, rotation: &Rotation) -> Result<Caller, SignerError> {
        let plan = rotation.plan();
        match &plan.signer {
            Signer::Admin { profile } => {
                let caller = self.signers.of_profile(&self.aws, profile, &target_of(plan)).await?;
                let name = plan.identity.user_name();
                let found = caller.user(Some(name)).await?;
                if found.id == plan.identity.user_id {
                    Ok(caller)
                } else {
                    let planned = plan.identity.user_id.to_string();
                    Err(SignerError::OtherUser { name: name.to_string(), found: found.id.to_string(), planned })
                }
            }
            Signer::Own { mfa_serial, .. } => {
                let key = match rotation.signing_key() {
                    SigningKey::Displaced => self.staged_key(&plan.id, &plan.displaced).await?,
                    SigningKey::New => self.current_key(plan, Some(&plan.displaced), rotation.new_key()).await?,
                    SigningKey::Restored => self.current_key(plan, rotation.new_key(), Some(&plan.displaced)).await?,
                };
                let owner = &plan.identity.user_id;
                self.signers.of_key(&self.aws, key, owner, mfa_serial.as_deref(), &target_of(plan)).await
            }
        }
    }

    /// A key out of the state folder.
    pub(super) async fn staged_key(&self, id: &RotationId, key: &AccessKeyId) -> Result<Credentials, SignerError> {
        let secret = self.staged_secret(id, key).await?;
        Ok(Credentials::for_key(key.clone(), secret))
    }

    /// The secret of a key out of the state folder.
    pub(super) async fn staged_secret(
        &self,
        id: &RotationId,
        key: &AccessKeyId,
    ) -> Result<SecretAccessKey, SignerError> {
        let failed = |reason: String| SignerError::Secret { key: key.clone(), reason };
        let sealed = self.store.staged(id, key).await?.ok_or_else(|| failed("it is not in the state folder".into()))?;
        self.sealer.open_sealed(&sealed, id, key).map_err(|error| failed(error.to_string()))
    }

    /// The key that the places hold now, or that a later rotation has put there; never the one that this rotation has
    /// taken out of them, nor one of somebody else, which a person put there. Where no place tells, the staged one.
    async fn current_key(
        &self,
        plan: &Plan,
        taken_out: Option<&AccessKeyId>,
        staged: Option<&AccessKeyId>,
    ) -> Result<Credentials, SignerError> {
        for place in &plan.places {
            let Some(pair) = self.places.read(place).await?.pair().filter(|pair| Some(&pair.id) != taken_out) else {
                continue;
            };
            let is_staged = staged == Some(&pair.id);
            let key = Credentials::for_key(pair.id, pair.secret);
            if is_staged {
                return Ok(key);
            }
            let caller = self.aws.caller(key.duplicate(), target_of(plan));
            match caller.caller_identity().await {
                Ok(answer) if answer.user_id == plan.identity.user_id.as_str() => return Ok(key),
                Ok(_) | Err(AwsError::InvalidClientTokenId { .. } | AwsError::SignatureDoesNotMatch { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match staged {
            Some(key) => self.staged_key(&plan.id, key).await,
            None => {
                Err(SignerError::Secret { key: plan.displaced.clone(), reason: "no place holds a later key".into() })
            }
        }
    }
}

/// Where the calls of a rotation go.
pub(super) fn target_of(plan: &Plan) -> Target {
    let endpoint_url = plan.endpoint_url.as_deref().and_then(|url| crate::aws::parse_endpoint(url).ok());
    let own = plan.places.iter().find_map(|place| place.profile());
    let endpoint_profile = match (&plan.service, &plan.signer) {
        (Some(_), Signer::Admin { profile }) => Some(profile),
        _ => own,
    };
    let endpoint_profile = endpoint_profile.cloned();
    Target { region: Some(plan.region.clone()), endpoint_url, endpoint_profile }
}
