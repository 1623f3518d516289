//! Checkpoints of the journal: written into a bucket with Object Lock, and read back when the journal is verified.
//!
//! Invariant: a checkpoint counts as written when S3 says that it is there and locked. One that is read counts when the key
//! of this state folder has signed it; every version is looked at, so that deleting or overwriting one hides nothing.

use akia_core::checkpoint::{BucketPlace, Checkpoint, Envelope, PAYLOAD_TYPE, Signature, signed_bytes};
use akia_core::ids::Region;
use data_encoding::{BASE64, HEXLOWER};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use crate::aws::{AwsError, Caller, ForeignEndpoint, ObjectLock, ObjectVersion, Put, Retention};
use crate::seal::Sealer;
use crate::store::{Hash, Head};

/// Objects that are read at the same time.
const CONCURRENT: usize = 8;
/// Digits of a key's name that stand in the path.
const SHORT: usize = 16;

/// Signs checkpoints, with a key that follows from the sealing key of the state folder.
pub struct CheckpointSigner(Ed25519KeyPair);

impl CheckpointSigner {
    /// The signer of a state folder.
    ///
    /// # Errors
    /// Never for a seed of 32 bytes; the library does not say so in its types.
    pub fn of(sealer: &Sealer) -> Result<Self, CheckpointError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(sealer.signing_seed().as_ref());
        pair.map(Self).map_err(|_| CheckpointError::Signing)
    }

    /// The name of its key: the SHA-256 of the public key, 64 hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(self.0.public_key().as_ref())
    }

    fn envelope(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, CheckpointError> {
        let payload = serde_json::to_vec(checkpoint).map_err(|_| CheckpointError::Signing)?;
        let signature = self.0.sign(&signed_bytes(PAYLOAD_TYPE, &payload));
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: BASE64.encode(&payload),
            signatures: vec![Signature { keyid: self.key_id(), sig: BASE64.encode(signature.as_ref()) }],
        };
        serde_json::to_vec(&envelope).map_err(|_| CheckpointError::Signing)
    }
}

/// The name of a public key.
fn key_id(public_key: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(public_key))
}

/// The checkpoint in the bytes of an envelope, where the key of that name has signed it.
///
/// # Errors
/// In words, why it does not count.
fn opened(bytes: &[u8], signer: &str) -> Result<Checkpoint, &'static str> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| "it is no signed envelope")?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err("it holds something else than a checkpoint");
    }
    let payload = BASE64.decode(envelope.payload.as_bytes()).map_err(|_| "its payload is not base64")?;
    let checkpoint: Checkpoint = serde_json::from_slice(&payload).map_err(|_| "its payload is no checkpoint")?;
    if checkpoint.schema != Checkpoint::SCHEMA {
        return Err("it is of a newer akia");
    }
    let public_key = BASE64.decode(checkpoint.public_key.as_bytes()).map_err(|_| "its public key is not base64")?;
    if key_id(&public_key) != signer {
        return Err("another key has signed it");
    }
    let signed = signed_bytes(PAYLOAD_TYPE, &payload);
    let key = UnparsedPublicKey::new(&ED25519, public_key);
    let holds = |one: &Signature| BASE64.decode(one.sig.as_bytes()).is_ok_and(|sig| key.verify(&signed, &sig).is_ok());
    if envelope.signatures.iter().any(holds) { Ok(checkpoint) } else { Err("its signature does not hold") }
}

/// Who speaks to the bucket, and where it is.
pub struct Vault<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The bucket's region.
    pub region: Region,
    /// The place.
    pub place: BucketPlace,
}

/// A checkpoint that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The object's key.
    pub object: String,
    /// How it is locked.
    pub retention: Retention,
    /// The name of the key that has signed it.
    pub signer: String,
    /// Whether it was there already: nothing was appended since.
    pub was_there: bool,
}

/// What a bucket says of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Its checkpoints, by the number of records.
    pub checkpoints: Vec<Checkpoint>,
    /// What does not count, and why.
    pub foreign: Vec<(String, &'static str)>,
    /// Checkpoints that somebody has deleted, as far as one can: their locked versions were read.
    pub hidden: usize,
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// AWS refused, or did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Objects are not handed to just any host.
    #[error("checkpoints are not handed to {}, which {} names: it is neither AWS nor this machine", .0.host, .0.set_by)]
    Endpoint(ForeignEndpoint),
    /// Objects there can be replaced.
    #[error("the bucket {bucket} has no Object Lock: a checkpoint there could be replaced")]
    NoLock {
        /// The bucket.
        bucket: String,
    },
    /// Objects there are not locked by themselves.
    #[error("the bucket {bucket} does not lock new objects by itself, and no time was given")]
    NoRetention {
        /// The bucket.
        bucket: String,
    },
    /// It was written, and is not locked.
    #[error("the checkpoint {object} is written, and AWS does not say that it is locked")]
    NotLocked {
        /// The object's key.
        object: String,
    },
    /// Something else stands where the checkpoint belongs.
    #[error("{object} is there already, and no checkpoint of this journal: somebody has put it there")]
    Occupied {
        /// The object's key.
        object: String,
    },
    /// The signing library failed.
    #[error("the checkpoint could not be signed")]
    Signing,
}

impl Vault<'_> {
    /// Writes the head of the journal down, for `retain` or for as long as the bucket keeps objects.
    ///
    /// # Errors
    /// When it is not there and locked afterwards.
    pub async fn seal(
        &self,
        signer: &CheckpointSigner,
        head: Head,
        by: &str,
        now: Timestamp,
        retain: Option<SignedDuration>,
    ) -> Result<Sealed, CheckpointError> {
        let Self { caller, region, place: BucketPlace { bucket, prefix } } = self;
        self.check()?;
        match (caller.object_lock(region, bucket).await?, retain) {
            (ObjectLock::Off, _) => return Err(CheckpointError::NoLock { bucket: bucket.clone() }),
            (ObjectLock::WithoutDefault, None) => {
                return Err(CheckpointError::NoRetention { bucket: bucket.clone() });
            }
            (ObjectLock::WithoutDefault | ObjectLock::ByDefault, _) => {}
        }
        let checkpoint = Checkpoint {
            schema: Checkpoint::SCHEMA.to_owned(),
            records: head.seq,
            hash: head.hash.to_string(),
            at: now,
            by: by.to_owned(),
            public_key: BASE64.encode(signer.0.public_key().as_ref()),
        };
        let until = retain.map(|retain| now.checked_add(retain).unwrap_or(Timestamp::MAX));
        let object = format!("{}{:012}-{}.json", folder(prefix, &signer.key_id()), head.seq, short(&checkpoint.hash));
        let put = caller.put_new_object(region, bucket, &object, &signer.envelope(&checkpoint)?, until).await?;
        if put == Put::WasThere {
            let there = self.read_under(&object, &signer.key_id()).await?;
            if there.checkpoints.iter().all(|one| one.hash != checkpoint.hash) {
                return Err(CheckpointError::Occupied { object });
            }
        }
        let retention = caller.retention(region, bucket, &object).await?;
        let retention = retention.ok_or_else(|| CheckpointError::NotLocked { object: object.clone() })?;
        Ok(Sealed { object, retention, signer: signer.key_id(), was_there: put == Put::WasThere })
    }

    /// Reads every checkpoint of the journal whose signing key has this name.
    ///
    /// # Errors
    /// When not all could be read.
    pub async fn read(&self, key_id: &str) -> Result<Found, CheckpointError> {
        self.check()?;
        self.read_under(&folder(&self.place.prefix, key_id), key_id).await
    }

    async fn read_under(&self, prefix: &str, key_id: &str) -> Result<Found, CheckpointError> {
        let Self { caller, region, place: BucketPlace { bucket, .. } } = self;
        let versions = caller.object_versions(region, bucket, prefix).await?;
        let (deletions, versions): (Vec<ObjectVersion>, Vec<_>) = versions.into_iter().partition(|one| one.is_deletion);
        let reads = versions.iter().map(|version| async move {
            let bytes = caller.object(region, bucket, version).await?;
            Ok::<_, AwsError>((version, opened(&bytes, key_id)))
        });
        let read: Vec<_> = futures_util::stream::iter(reads).buffered(CONCURRENT).collect().await;
        let mut found = Found { hidden: deletions.len(), ..Found::default() };
        for one in read {
            match one? {
                (_, Ok(checkpoint)) => found.checkpoints.push(checkpoint),
                (version, Err(why)) => found.foreign.push((version.key.clone(), why)),
            }
        }
        found.checkpoints.sort_by_key(|checkpoint| checkpoint.records);
        Ok(found)
    }

    /// Whether the bucket may be spoken to where it is said to be.
    fn check(&self) -> Result<(), CheckpointError> {
        self.caller.check_objects().map_err(CheckpointError::Endpoint)
    }
}

impl Found {
    /// The hashes that the journal must have had.
    ///
    /// # Errors
    /// The one that is no hash: nobody but the holder of the key can have made it so.
    pub fn hashes(&self) -> Result<Vec<Hash>, String> {
        let parse = |checkpoint: &Checkpoint| checkpoint.hash.parse().map_err(|_| checkpoint.hash.clone());
        self.checkpoints.iter().map(parse).collect()
    }
}

fn folder(prefix: &str, key_id: &str) -> String {
    format!("{prefix}akia-journal/{}/", short(key_id))
}

fn short(digits: &str) -> &str {
    digits.get(..SHORT).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(seed: u8) -> CheckpointSigner {
        CheckpointSigner(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn checkpoint(signer: &CheckpointSigner) -> Checkpoint {
        Checkpoint {
            schema: Checkpoint::SCHEMA.to_owned(),
            records: 7,
            hash: "ab".repeat(32),
            at: "2026-11-29T12:00:00Z".parse().unwrap(),
            by: "arn:aws:iam::111122223333:user/ann".to_owned(),
            public_key: BASE64.encode(signer.0.public_key().as_ref()),
        }
    }

    #[test]
    fn what_was_signed_opens_for_the_key_that_has_signed_it() {
        let (ours, other) = (signer(1), signer(2));
        let bytes = ours.envelope(&checkpoint(&ours)).unwrap();
        assert_eq!(opened(&bytes, &ours.key_id()), Ok(checkpoint(&ours)));
        assert_eq!(opened(&bytes, &other.key_id()), Err("another key has signed it"));
        // Signed by one, and in the name of another.
        let forged = other.envelope(&checkpoint(&ours)).unwrap();
        assert_eq!(opened(&forged, &ours.key_id()), Err("its signature does not hold"));
    }

    #[test]
    fn what_was_changed_or_is_something_else_does_not_open() {
        let ours = signer(1);
        let mut envelope: Envelope = serde_json::from_slice(&ours.envelope(&checkpoint(&ours)).unwrap()).unwrap();
        let changed = Checkpoint { records: 8, ..checkpoint(&ours) };
        envelope.payload = BASE64.encode(&serde_json::to_vec(&changed).unwrap());
        let open = |envelope: &Envelope| opened(&serde_json::to_vec(envelope).unwrap(), &ours.key_id());
        assert_eq!(open(&envelope), Err("its signature does not hold"));
        envelope.payload_type = "application/vnd.in-toto+json".to_owned();
        assert_eq!(open(&envelope), Err("it holds something else than a checkpoint"));
        assert_eq!(opened(b"{}", &ours.key_id()), Err("it is no signed envelope"));
    }
}
