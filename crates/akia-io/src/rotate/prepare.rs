//! Preflight: from what was asked for to plans that can be carried out, or to refusals that say why not.
//!
//! Nothing is changed here, in AWS or in a file, but for the rehearsal of each target file with its own bytes.
//! Groups of profiles are prepared side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use akia_core::rotation::{Identity, Pace, Place, Plan, Probe, Rest, Retirement, Rotation, Signer};
use akia_core::{
    AccessKey, AccessKeyId, KeyStatus, LastUsed, ProfileName, Region, RotationId, SecretAccessKey, ServiceName,
    UserArn, UserId, UserName,
};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::driver::Driver;
use super::history::Broken;
use super::refusal::{Left, LeftBy, OtherKey, Refusal, minute};
use crate::aws::{AwsError, Caller, Credentials, IdentityKind, Right, Target};
use crate::place::Held;
use crate::profiles::{AwsFiles, KeyHolder, holder_of_key, kind_clause};
use crate::state::{Lock, LockError};
use crate::store::{Store, StoreError};

/// Groups that are prepared at the same time.
pub(super) const CONCURRENT: usize = 32;

/// A clock that is off by less is of no interest. AWS refuses requests from five minutes on.
const SKEW_SECONDS: i64 = 30;

/// Which keys to rotate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The keys of these profiles.
    Profiles(Vec<ProfileName>),
    /// The keys of all profiles that hold one; the others are skipped.
    All,
    /// The key of another user that profiles here hold, signed by a profile that may act on the user.
    User {
        /// The user.
        user: UserName,
        /// Who signs.
        signer: ProfileName,
    },
}

/// How to rotate.
#[derive(Debug, Clone)]
pub struct Options {
    /// What becomes of the displaced keys.
    pub retirement: Retirement,
    /// How long they stay inactive.
    pub grace: SignedDuration,
    /// Keys younger than this are left alone.
    pub older_than: Option<SignedDuration>,
    /// Keys that may be deleted to make room.
    pub make_room: Vec<AccessKeyId>,
    /// The region given on the command line.
    pub region: Option<Region>,
    /// Whether the displaced keys are deactivated although AWS does not tell of their use.
    pub without_evidence: bool,
    /// Waits and counts.
    pub pace: Pace,
}

/// What came of the preflight.
#[derive(Default)]
pub struct Prepared {
    /// Rotations that can begin.
    pub rotations: Vec<PreparedRotation>,
    /// Profiles that need none or hold no key, when all were asked for.
    pub skipped: Vec<Skipped>,
    /// Profiles that cannot be rotated.
    pub refused: Vec<Refused>,
    /// Seconds that AWS is ahead of this machine (negative: behind), where that matters: the old key counts as used
    /// after the rotation by comparing AWS's time with this machine's.
    pub clock_skew_seconds: Option<i64>,
    /// Keys whose secret could not be read, until it is known whether they are asked for.
    unreadable: Vec<(ProfileName, AccessKeyId, String)>,
}

/// Whose key it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The profiles that share it.
    Profiles(Vec<ProfileName>),
    /// The service whose it is.
    Service(ServiceName),
}

impl Subject {
    fn profile(profile: &ProfileName) -> Self {
        Self::Profiles(vec![profile.clone()])
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Profiles(names) if names.len() == 1 => write!(formatter, "profile {}", quoted_list(names)),
            Self::Profiles(names) => write!(formatter, "profiles {}", quoted_list(names)),
            Self::Service(name) => write!(formatter, "service \"{name}\""),
        }
    }
}

/// What is refused, for one reason.
#[derive(Debug)]
pub struct Refused {
    /// Whose key.
    pub subject: Subject,
    /// Why.
    pub refusal: Refusal,
}

/// A rotation that can begin. It holds the lock on its user.
pub struct PreparedRotation {
    /// The plan.
    pub plan: Plan,
    /// The secret that the plan displaces, to be staged for undo; none where no place gives it back.
    pub displaced_secret: Option<SecretAccessKey>,
    /// What AWS knows of the displaced key's use.
    pub last_used: LastUsed,
    /// Profiles that share the key and were not asked for by name.
    pub along: Vec<ProfileName>,
    /// An earlier rotation of the user whose grace is over: the key that it displaced has to be deleted first.
    pub retire_first: Option<RotationId>,
    /// What the person should hear of, as sentences without a full stop.
    pub warnings: Vec<String>,
    /// Held until the rotation rests.
    pub lock: Arc<Lock>,
}

/// What is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Whose key.
    pub subject: Subject,
    /// Why, as a clause.
    pub reason: String,
}

/// One key where it is kept.
pub(super) struct KeptKey {
    pub(super) profile: ProfileName,
    pub(super) id: AccessKeyId,
    secret: SecretAccessKey,
    place: Place,
    mfa_serial: Option<String>,
}

/// The places that hold one key.
pub(super) struct Group {
    pub(super) key: AccessKeyId,
    pub(super) places: Vec<Place>,
    pub(super) profiles: Vec<ProfileName>,
    pub(super) along: Vec<ProfileName>,
    pub(super) mfa_serial: Option<String>,
    pub(super) target: Target,
}

/// What a service wants of its rotation beyond what a profile does.
#[derive(Default)]
pub(super) struct Terms {
    pub(super) service: Option<ServiceName>,
    pub(super) vacant: BTreeSet<usize>,
    pub(super) probe: Option<Probe>,
    pub(super) watch: SignedDuration,
    /// What the person should hear of.
    pub(super) warnings: Vec<String>,
}

/// What was asked for, and what the files hold.
#[derive(Clone, Copy)]
struct Request<'a> {
    files: &'a AwsFiles,
    selection: &'a Selection,
    options: &'a Options,
}

/// A group whose owner is known.
pub(super) struct Opened {
    pub(super) group: Group,
    pub(super) secret: Option<SecretAccessKey>,
    pub(super) identity: Identity,
    pub(super) caller: Caller,
    pub(super) signer: Signer,
    pub(super) options: Options,
    pub(super) terms: Terms,
}

/// Where the ids and nonces of new rotations, and the ids of cases, come from: a seed, and a counter hashed with it. Unpredictable where the
/// seed is; the same again for the same seed, so that a simulation can be replayed.
#[derive(Debug)]
pub struct Draw {
    seed: u64,
    drawn: AtomicU64,
}

impl Draw {
    /// Seeded by the system's randomness.
    pub fn seeded_by_system() -> Result<Self, getrandom::Error> {
        Ok(Self::seeded(getrandom::u64()?))
    }

    /// Seeded by the caller.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// The name of a new case.
    pub fn case(&self) -> akia_core::CaseId {
        akia_core::CaseId::from_bits(self.next().0)
    }

    /// An unused id for a quarantine.
    pub fn quarantine(&self) -> akia_core::QuarantineId {
        akia_core::QuarantineId::from_bits(self.next().0)
    }

    /// An unused id for a containment.
    pub fn containment(&self) -> akia_core::ContainmentId {
        akia_core::ContainmentId::from_bits(self.next().0)
    }

    /// 128 bits: a rotation's id and its nonce.
    fn next(&self) -> (u64, u64) {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let hash = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(count.to_le_bytes()).finalize();
        let word = |at: usize| hash[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        (word(0), word(8))
    }
}

impl Driver {
    /// Prepares what was asked for. Refusals never stop the others.
    pub async fn prepare(&self, files: &AwsFiles, selection: &Selection, options: &Options, draw: &Draw) -> Prepared {
        let mut prepared = Prepared::default();
        let mut kept = self.kept_keys(files, &mut prepared).await;
        let holders = holders(&kept);
        let named = self.named(files, selection, options, &holders, &kept, &mut prepared).await;
        let groups = groups(files, options, &mut kept, named.as_ref(), &mut prepared);
        let request = Request { files, selection, options };
        let opened: Vec<_> = futures_util::stream::iter(groups.into_iter().map(|(group, secret)| async move {
            let subject = Subject::Profiles(group.profiles.clone());
            (subject, self.open_group(request, group, secret).await)
        }))
        .buffered(CONCURRENT)
        .collect()
        .await;
        self.judge(draw, &holders, opened, &mut prepared).await;
        prepared
    }

    /// Locks the users of what was opened, and makes plans or says why not.
    pub(super) async fn judge(
        &self,
        draw: &Draw,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
        opened: BySubject<Opened>,
        prepared: &mut Prepared,
    ) {
        prepared.clock_skew_seconds = self.clock_skew(&opened).await;
        let locked = lock_all(&*self.store, opened).await;
        // Not before the locks are held, so that no other akia changes keys or journal under the plans; and once for all.
        let history = &self.unfinished_rotations().await;
        let outcomes: Vec<_> = futures_util::stream::iter(locked.into_iter().map(|(subject, locked)| async move {
            let outcome = match (locked, history) {
                (Err(refusal), _) => Err(refusal),
                (Ok(_), Err(error)) => Err(Refusal::Store(error.clone())),
                (Ok((opened, lock)), Ok((history, broken))) => match refuse_broken(&opened.identity, broken) {
                    Ok(()) => self.judge_group(holders, draw, history, opened, lock).await,
                    Err(refusal) => Err(refusal),
                },
            };
            (subject, outcome)
        }))
        .buffered(CONCURRENT)
        .collect()
        .await;
        for (subject, outcome) in outcomes {
            match outcome {
                Ok(Verdict::Rotate(rotation)) => prepared.rotations.push(*rotation),
                Ok(Verdict::Skip(reason)) => {
                    let one = |subject: Subject| Skipped { subject, reason: reason.clone() };
                    match subject {
                        Subject::Profiles(profiles) => {
                            prepared.skipped.extend(profiles.iter().map(Subject::profile).map(one));
                        }
                        service @ Subject::Service(_) => prepared.skipped.push(one(service)),
                    }
                }
                Err(refusal) => prepared.refused.push(Refused { subject, refusal }),
            }
        }
        if let Some(run) = prepared.rotations.first().map(|first| first.plan.id.clone()) {
            for rotation in &mut prepared.rotations {
                rotation.plan.run = run.clone();
            }
        }
    }

    /// How far this machine's clock is off, by the answers that the preflight has had anyway.
    async fn clock_skew(&self, opened: &BySubject<Opened>) -> Option<i64> {
        let answered = opened.iter().find_map(|(_, opened)| opened.as_ref().ok())?;
        let seconds = self.aws.clock_skew(answered.group.target.clone()).await.ok()?;
        (seconds.abs() >= SKEW_SECONDS).then_some(seconds)
    }

    /// Every long-term key of every profile, with its secret. Profiles whose key cannot be read are refused by the way.
    pub(super) async fn kept_keys(&self, files: &AwsFiles, prepared: &mut Prepared) -> Vec<KeptKey> {
        let mut kept = Vec::new();
        for profile in files.profiles().iter() {
            for key in &profile.keys {
                let secret = files.secret(&profile.name, key.file);
                match (secret, files.place(&profile.name, key.file)) {
                    (Ok(secret), Some(place)) => kept.push(KeptKey {
                        profile: profile.name.clone(),
                        id: key.id.clone(),
                        secret,
                        place,
                        mfa_serial: profile.mfa_serial.clone(),
                    }),
                    (Err(reason), _) => prepared.unreadable.push((profile.name.clone(), key.id.clone(), reason)),
                    (Ok(_), None) => {
                        let reason = "the path of its file is not Unicode".to_owned();
                        prepared.unreadable.push((profile.name.clone(), key.id.clone(), reason));
                    }
                }
            }
            if let KeyHolder::Keychain { profile: name } = holder_of_key(files.profiles(), profile) {
                let place = Place::Keychain { profile: name.clone() };
                if let Ok(Held::Pair(pair)) = self.places.read(&place).await {
                    let (id, secret, mfa_serial) = (pair.id, pair.secret, profile.mfa_serial.clone());
                    kept.push(KeptKey { profile: name.clone(), id, secret, place, mfa_serial });
                }
            }
        }
        kept
    }

    /// The keys that were asked for by name. `None` stands for all.
    async fn named(
        &self,
        files: &AwsFiles,
        selection: &Selection,
        options: &Options,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
        kept: &[KeptKey],
        prepared: &mut Prepared,
    ) -> Option<BTreeMap<AccessKeyId, BTreeSet<ProfileName>>> {
        let mut named: BTreeMap<AccessKeyId, BTreeSet<ProfileName>> = BTreeMap::new();
        match selection {
            Selection::All => {
                for profile in files.profiles().iter() {
                    if let Err(Refusal::NotAKey { kind, .. }) = self.key_of(files, &profile.name, kept) {
                        prepared.skipped.push(Skipped { subject: Subject::profile(&profile.name), reason: kind });
                    }
                }
                return None;
            }
            Selection::Profiles(names) => {
                for name in names {
                    match self.key_of(files, name, kept) {
                        Ok(key) => {
                            named.entry(key).or_default().insert(name.clone());
                        }
                        Err(refusal) => prepared.refused.push(Refused { subject: Subject::profile(name), refusal }),
                    }
                }
            }
            Selection::User { user, signer } => match self.keys_of_user(files, user, signer, options, holders).await {
                Ok(keys) => named.extend(keys),
                Err(refusal) => prepared.refused.push(Refused { subject: Subject::profile(signer), refusal }),
            },
        }
        Some(named)
    }

    /// The key that a profile stands on.
    #[expect(clippy::result_large_err, reason = "a refusal is made once for a profile and printed")]
    fn key_of(&self, files: &AwsFiles, name: &ProfileName, kept: &[KeptKey]) -> Result<AccessKeyId, Refusal> {
        let Some(profile) = files.profiles().find(name) else {
            let distance = |other: &ProfileName| {
                strsim::osa_distance(&other.as_str().to_lowercase(), &name.as_str().to_lowercase())
            };
            let similar = files
                .profiles()
                .iter()
                .filter(|other| distance(&other.name) <= 2)
                .min_by_key(|other| distance(&other.name));
            return Err(Refusal::NoSuchProfile {
                profile: name.clone(),
                searched: files.searched(),
                similar: similar.map(|profile| profile.name.clone()),
            });
        };
        match holder_of_key(files.profiles(), profile) {
            KeyHolder::File { id, .. } => Ok(id.clone()),
            KeyHolder::Keychain { profile } => {
                let entry =
                    kept.iter().find(|key| matches!(&key.place, Place::Keychain { profile: p } if p == profile));
                entry.map(|key| key.id.clone()).ok_or_else(|| Refusal::NoSecret {
                    profile: name.clone(),
                    reason: "the keychain does not answer, or has no entry for it".to_owned(),
                })
            }
            KeyHolder::None { instead } => Err(Refusal::NotAKey {
                profile: name.clone(),
                kind: kind_clause(&profile.kind),
                instead: instead.cloned(),
            }),
        }
    }

    /// The keys of a user that profiles here hold.
    async fn keys_of_user(
        &self,
        files: &AwsFiles,
        user: &UserName,
        signer: &ProfileName,
        options: &Options,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
    ) -> Result<BTreeMap<AccessKeyId, BTreeSet<ProfileName>>, Refusal> {
        let target = files.target(signer, options.region.as_ref()).map_err(Refusal::Endpoint)?;
        self.aws.check_changes(&target).map_err(Refusal::ForeignEndpoint)?;
        let caller = self.signers.of_profile(&self.aws, signer, &target).await.map_err(Refusal::Signer)?;
        let keys = caller
            .access_keys(Some(user))
            .await
            .map_err(|error| Refusal::Aws { what: "the user's keys cannot be listed", error })?;
        let found: BTreeMap<_, _> = keys
            .iter()
            .filter_map(|key| Some((key.id.clone(), holders.get(&key.id)?.iter().cloned().collect())))
            .collect();
        if found.is_empty() { Err(Refusal::NoPlace { user: user.to_string() }) } else { Ok(found) }
    }

    /// Whose key it is, and who signs for it.
    async fn open_group(&self, request: Request<'_>, group: Group, secret: SecretAccessKey) -> Result<Opened, Refusal> {
        // Before anything is sent: what is answered there would decide on the plan.
        self.aws.check_changes(&group.target).map_err(Refusal::ForeignEndpoint)?;
        let identity = self.identify(&group, &secret).await?;
        let profile = group.profiles[0].clone();
        let (caller, signer) = match request.selection {
            Selection::User { signer, .. } if !signs_with(request.files, signer, &group.key)? => {
                let region = request.options.region.as_ref();
                let target = request.files.target(signer, region).map_err(Refusal::Endpoint)?;
                let caller = self.signers.of_profile(&self.aws, signer, &target).await.map_err(Refusal::Signer)?;
                (caller, Signer::Admin { profile: signer.clone() })
            }
            // A user who names itself signs as its own rotation does: with the new key once that is everywhere.
            Selection::User { .. } | Selection::Profiles(_) | Selection::All => {
                let key = Credentials::for_key(group.key.clone(), secret.duplicate());
                let (owner, serial) = (&identity.user_id, group.mfa_serial.as_deref());
                let caller = self.signers.of_key(&self.aws, key, owner, serial, &group.target).await;
                let caller = caller.map_err(Refusal::Signer)?;
                (caller, Signer::Own { profile, mfa_serial: group.mfa_serial.clone() })
            }
        };
        let options = request.options.clone();
        Ok(Opened { group, secret: Some(secret), identity, caller, signer, options, terms: Terms::default() })
    }

    /// The rotations of the journal that are not over, and those that cannot be read.
    async fn unfinished_rotations(&self) -> Result<(Vec<Rotation>, Vec<Broken>), StoreError> {
        let (mut unfinished, mut broken) = (Vec::new(), Vec::new());
        for loaded in self.load_all().await? {
            match loaded {
                Ok(rotation) if !rotation.is_over() => unfinished.push(rotation),
                Ok(_) => {}
                Err(one) => broken.push(one),
            }
        }
        Ok((unfinished, broken))
    }

    /// Whether the key of a group can be rotated now, and the plan for it.
    async fn judge_group(
        &self,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
        draw: &Draw,
        history: &[Rotation],
        opened: Opened,
        lock: Arc<Lock>,
    ) -> Result<Verdict, Refusal> {
        let Opened { group, secret, identity, caller, signer, ref options, terms } = opened;
        let user = identity.user_name().clone();
        // Before the keys are looked at: an unfinished rotation is named as what it is, not as two keys.
        if let Some(until) = self.watched_until(&identity, history) {
            return Ok(Verdict::Skip(format!(
                "its new key is delivered, and the old one is watched until {}",
                minute(until)
            )));
        }
        self.check_unfinished(&identity, history)?;
        let keys = caller
            .access_keys(Some(&user))
            .await
            .map_err(|error| Refusal::Aws { what: "the user's keys cannot be listed", error })?;
        let displaced = keys
            .iter()
            .find(|key| key.id == group.key)
            .ok_or_else(|| Refusal::NotListed { key: group.key.clone(), user: user.to_string() })?;
        if displaced.status == KeyStatus::Inactive {
            return Err(Refusal::Inactive { key: group.key.clone(), user: user.to_string() });
        }
        let now = self.clock.now();
        if let Some(limit) = options.older_than {
            let age = now.duration_since(displaced.created_at);
            if age < limit {
                return Ok(Verdict::Skip(format!("its key is {} days old", age.as_hours() / 24)));
            }
        }
        let room = self.room(holders, &group, &identity, &keys, &caller, options, history).await?;
        self.check_rights(&caller, &identity, options).await?;
        let mut warnings = terms.warnings;
        for place in &group.places {
            let ready = self.places.preflight(place).await.map_err(Refusal::Place)?;
            if let (Some(path), Some(mode)) = (ready.path, ready.loose_mode) {
                warnings.push(format!("others may read {} (mode {mode:o}): chmod 600 it", path.display()));
            }
        }
        warnings.dedup();
        let last_used = match caller.access_key_last_used(&group.key).await {
            Ok((last_used, _)) => last_used,
            Err(error) => LastUsed::Unknown { reason: error.to_string() },
        };
        if let LastUsed::Unknown { reason } = &last_used
            && options.retirement != Retirement::Keep
            && !options.without_evidence
        {
            warnings.push(format!(
                "whether {} is still used cannot be read ({reason}): it will stay active until you decide, unless you \
                 add --without-evidence",
                group.key
            ));
        }
        let (id, nonce) = draw.next();
        let plan = Plan {
            run: RotationId::from_bits(id),
            id: RotationId::from_bits(id),
            planned_at: now,
            displaced: group.key.clone(),
            displaced_created_at: displaced.created_at,
            before: keys.iter().map(|key| key.id.clone()).collect(),
            make_room: room.delete,
            places: group.places,
            signer,
            endpoint_url: group.target.endpoint_url.as_ref().map(ToString::to_string),
            region: group.target.region.clone().unwrap_or_else(|| identity.partition().iam_region()),
            identity,
            retirement: options.retirement,
            grace: options.grace,
            without_evidence: options.without_evidence,
            service: terms.service,
            vacant: terms.vacant,
            displaced_secret_unknown: secret.is_none(),
            probe: terms.probe,
            watch: terms.watch,
            nonce: format!("{nonce:016x}"),
            pace: options.pace.clone(),
        };
        Ok(Verdict::Rotate(Box::new(PreparedRotation {
            plan,
            displaced_secret: secret,
            last_used,
            along: group.along,
            retire_first: room.retire_first,
            warnings,
            lock,
        })))
    }

    /// Whose key it is, from the key itself.
    async fn identify(&self, group: &Group, secret: &SecretAccessKey) -> Result<Identity, Refusal> {
        let key = Credentials::for_key(group.key.clone(), secret.duplicate());
        let caller = self.aws.caller(key, group.target.clone());
        let answer = caller.caller_identity().await.map_err(|error| match error {
            AwsError::InvalidClientTokenId { .. } | AwsError::SignatureDoesNotMatch { .. } => {
                Refusal::KeyRefused { profile: group.profiles[0].clone(), key: group.key.clone(), error }
            }
            error => Refusal::Aws { what: "the key's owner cannot be found out", error },
        })?;
        let arn: UserArn = match answer.kind() {
            IdentityKind::User(arn) => arn,
            IdentityKind::Root { account } => {
                return Err(Refusal::Root { key: group.key.clone(), account: account.to_string() });
            }
            IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other => {
                return Err(Refusal::NotAUser { key: group.key.clone(), arn: answer.arn });
            }
        };
        let user_id: UserId = answer
            .user_id
            .parse()
            .map_err(|_| Refusal::NotAUser { key: group.key.clone(), arn: answer.arn.clone() })?;
        Ok(Identity { arn, user_id })
    }

    /// Whether there is room for a new key, or a key that a person named to make it.
    #[expect(clippy::too_many_arguments, reason = "what was asked for is kept apart from what was found")]
    async fn room(
        &self,
        holders: &BTreeMap<AccessKeyId, Vec<ProfileName>>,
        group: &Group,
        identity: &Identity,
        keys: &[AccessKey],
        caller: &Caller,
        options: &Options,
        history: &[Rotation],
    ) -> Result<Room, Refusal> {
        let user = identity.user_name().to_string();
        // AWS has been seen to make more than two, so any of them may be one that a profile here holds.
        for other in keys.iter().filter(|key| key.id != group.key) {
            let Some(holders) = holders.get(&other.id) else { continue };
            let (Some(other_profile), Some(profile)) = (holders.first(), group.profiles.first()) else { continue };
            let (other_profile, profile) = (other_profile.clone(), profile.clone());
            return Err(Refusal::TwoProfilesTwoKeys {
                profiles: quoted_list(&group.profiles),
                others: quoted_list(holders),
                user,
                key: group.key.clone(),
                other: other.id.clone(),
                profile,
                other_profile,
            });
        }
        let Some(other) = keys.iter().find(|key| key.id != group.key) else { return Ok(Room::default()) };
        let last_used = match caller.access_key_last_used(&other.id).await {
            Ok((last_used, _)) => last_used,
            Err(error) => LastUsed::Unknown { reason: error.to_string() },
        };
        let now = self.clock.now();
        let left_by = left_by(history, &other.id);
        if let Some(rotation) = left_by
            && rotation.is_out_of_grace(now)
        {
            self.check_changes(rotation.plan()).map_err(Refusal::ForeignEndpoint)?;
            return Ok(Room { delete: None, retire_first: Some(rotation.plan().id.clone()) });
        }
        let left_by = left_by.map(|rotation| LeftBy {
            rotation: rotation.plan().id.clone(),
            how: match rotation.rest(now) {
                Rest::Kept => Left::Kept,
                _ if rotation.plan().displaced == other.id => Left::InGrace,
                _ => Left::Undone,
            },
        });
        let described = OtherKey { id: other.id.clone(), status: other.status, last_used, left_by };
        if !options.make_room.contains(&other.id) {
            return Err(Refusal::TwoKeys { user, key: group.key.clone(), other: Box::new(described) });
        }
        let refuse = |reason: &str| Refusal::CannotMakeRoom { key: other.id.clone(), reason: reason.to_owned() };
        if let Some(LeftBy { rotation, how: Left::InGrace | Left::Undone }) = &described.left_by {
            return Err(refuse(&format!("rotation {rotation} of this machine keeps it for an undo; retire it there")));
        }
        if !described.is_idle() {
            return Err(refuse("it is active and has been used; deactivate it first, and see who complains"));
        }
        Ok(Room { delete: Some(other.id.clone()), retire_first: None })
    }

    /// Until when an earlier rotation watches the user's old key.
    fn watched_until(&self, identity: &Identity, history: &[Rotation]) -> Option<Timestamp> {
        let now = self.clock.now();
        let of_user = history.iter().filter(|rotation| rotation.plan().identity.user_id == identity.user_id);
        of_user.map(|rotation| rotation.rest(now)).find_map(|rest| match rest {
            Rest::Watching { until } => Some(until),
            _ => None,
        })
    }

    /// An earlier rotation of the user has to be at rest before another begins.
    #[expect(clippy::result_large_err, reason = "a refusal is made once for a profile and printed")]
    fn check_unfinished(&self, identity: &Identity, history: &[Rotation]) -> Result<(), Refusal> {
        let now = self.clock.now();
        for rotation in history.iter().filter(|rotation| rotation.plan().identity.user_id == identity.user_id) {
            if rotation.is_unfinished(now) {
                return Err(Refusal::Unfinished {
                    user: identity.user_name().to_string(),
                    rotation: rotation.plan().id.clone(),
                    stage: rotation.stage_name().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Rights that can be found out without changing anything. The right to create shows itself: a refusal is harmless.
    async fn check_rights(&self, caller: &Caller, identity: &Identity, options: &Options) -> Result<(), Refusal> {
        let needed: &[&str] = match options.retirement {
            Retirement::Keep => &[],
            Retirement::Deactivate | Retirement::Delete => &["iam:UpdateAccessKey", "iam:DeleteAccessKey"],
        };
        let mut missing = Vec::new();
        for action in needed {
            if let Right::Denied { .. } = caller.probe(action, Some(identity.user_name())).await {
                missing.push((*action).to_owned());
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Refusal::RightsMissing { user: identity.user_name().to_string(), actions: missing })
        }
    }
}

/// A rotation of the user that cannot be read may be at work on the same keys.
#[expect(clippy::result_large_err, reason = "a refusal is made once for a profile and printed")]
fn refuse_broken(identity: &Identity, broken: &[Broken]) -> Result<(), Refusal> {
    let is_of_user = |one: &&Broken| one.plan.as_ref().is_some_and(|plan| plan.identity.user_id == identity.user_id);
    match broken.iter().find(is_of_user) {
        Some(one) => Err(Refusal::Unreadable {
            user: identity.user_name().to_string(),
            reason: one.error.to_string(),
            hint: one.hint(),
        }),
        None => Ok(()),
    }
}

/// Keeps whoever else has this journal from rotating the same user.
pub async fn lock_user(store: &dyn Store, identity: &Identity) -> Result<Lock, LockError> {
    store.lock(&lock_of_user(identity)).await
}

/// The name of the lock of a user.
#[must_use]
pub fn lock_of_user(identity: &Identity) -> String {
    format!("user-{}-{}", identity.account(), identity.user_id)
}

/// Groups as they were opened, each with whose it is.
pub(super) type BySubject<T> = Vec<(Subject, Result<T, Refusal>)>;

/// Locks the user of each group. Two keys of one user share its lock: neither may be told that another akia is at work.
async fn lock_all(store: &dyn Store, opened: BySubject<Opened>) -> BySubject<(Opened, Arc<Lock>)> {
    let mut locks: BTreeMap<Identity, Arc<Lock>> = BTreeMap::new();
    let mut locked = Vec::new();
    for (subject, opened) in opened {
        let outcome = match opened {
            Ok(opened) => {
                let held = match locks.get(&opened.identity) {
                    Some(lock) => Ok(Arc::clone(lock)),
                    None => lock_user(store, &opened.identity).await.map(Arc::new),
                };
                match held {
                    Ok(lock) => {
                        locks.insert(opened.identity.clone(), Arc::clone(&lock));
                        Ok((opened, lock))
                    }
                    Err(error) => Err(Refusal::Busy { user: opened.identity.user_name().to_string(), error }),
                }
            }
            Err(refusal) => Err(refusal),
        };
        locked.push((subject, outcome));
    }
    locked
}

/// The rotation that a key is left over from: the latest that keeps it for its grace, else the latest that displaced it,
/// else the one that made it.
fn left_by<'a>(history: &'a [Rotation], key: &AccessKeyId) -> Option<&'a Rotation> {
    let latest = |holds: &dyn Fn(&Rotation) -> bool| history.iter().rev().find(|rotation| holds(rotation));
    latest(&|rotation| rotation.key_in_grace() == Some(key))
        .or_else(|| latest(&|rotation| rotation.plan().displaced == *key))
        .or_else(|| latest(&|rotation| rotation.new_key() == Some(key)))
}

/// Whether the profile signs with this very key. A role that is assumed with it is refused: once the key is retired, the
/// role could not be assumed to finish the rotation.
#[expect(clippy::result_large_err, reason = "a refusal is made once for a profile and printed")]
pub(super) fn signs_with(files: &AwsFiles, signer: &ProfileName, key: &AccessKeyId) -> Result<bool, Refusal> {
    /// Longer chains of roles are refused where the credentials are looked up.
    const HOPS: usize = 16;
    let mut name = signer;
    for hop in 0..HOPS {
        let Some(profile) = files.profiles().find(name) else { return Ok(false) };
        match holder_of_key(files.profiles(), profile) {
            KeyHolder::File { id, profile: holder } if id == key && hop > 0 => {
                return Err(Refusal::SignsThroughKey {
                    signer: signer.clone(),
                    key: key.clone(),
                    holder: holder.clone(),
                });
            }
            KeyHolder::File { id, .. } => return Ok(id == key),
            KeyHolder::Keychain { .. } | KeyHolder::None { instead: None } => return Ok(false),
            KeyHolder::None { instead: Some(source) } => name = source,
        }
    }
    Ok(false)
}

/// The profiles that hold each key.
pub(super) fn holders(kept: &[KeptKey]) -> BTreeMap<AccessKeyId, Vec<ProfileName>> {
    kept.iter().fold(BTreeMap::new(), |mut map, key| {
        map.entry(key.id.clone()).or_insert_with(Vec::new).push(key.profile.clone());
        map
    })
}

/// How there is room for a new key.
#[derive(Default)]
struct Room {
    delete: Option<AccessKeyId>,
    retire_first: Option<RotationId>,
}

/// What the preflight says of one group.
enum Verdict {
    Rotate(Box<PreparedRotation>),
    Skip(String),
}

/// Groups what is kept by key. Profiles that share a key with one that was asked for come along: they would break.
fn groups(
    files: &AwsFiles,
    options: &Options,
    kept: &mut Vec<KeptKey>,
    named: Option<&BTreeMap<AccessKeyId, BTreeSet<ProfileName>>>,
    prepared: &mut Prepared,
) -> Vec<(Group, SecretAccessKey)> {
    let is_wanted = |key: &AccessKeyId| named.is_none_or(|named| named.contains_key(key));
    for (profile, key, reason) in std::mem::take(&mut prepared.unreadable) {
        if is_wanted(&key) {
            let refusal = Refusal::NoSecret { profile: profile.clone(), reason };
            prepared.refused.push(Refused { subject: Subject::Profiles(vec![profile]), refusal });
            kept.retain(|other| other.id != key);
        }
    }
    let mut by_key: Vec<(AccessKeyId, Vec<KeptKey>)> = Vec::new();
    for key in kept.drain(..).filter(|key| is_wanted(&key.id)) {
        match by_key.iter_mut().find(|(id, _)| *id == key.id) {
            Some((_, keys)) => keys.push(key),
            None => by_key.push((key.id.clone(), vec![key])),
        }
    }
    let mut groups = Vec::new();
    for (id, keys) in by_key {
        let mut profiles: Vec<ProfileName> = keys.iter().map(|key| key.profile.clone()).collect();
        profiles.dedup();
        match group_of(files, options, &id, keys, &profiles) {
            Ok((mut group, secret)) => {
                if let Some(asked) = named.and_then(|named| named.get(&id)) {
                    group.along = profiles.into_iter().filter(|name| !asked.contains(name)).collect();
                }
                groups.push((group, secret));
            }
            Err(refusal) => prepared.refused.push(Refused { subject: Subject::Profiles(profiles), refusal }),
        }
    }
    groups
}

#[expect(clippy::result_large_err, reason = "a refusal is made once for a profile and printed")]
fn group_of(
    files: &AwsFiles,
    options: &Options,
    id: &AccessKeyId,
    keys: Vec<KeptKey>,
    profiles: &[ProfileName],
) -> Result<(Group, SecretAccessKey), Refusal> {
    let first = profiles[0].clone();
    let mut secret: Option<SecretAccessKey> = None;
    let mut places = Vec::new();
    let mut mfa_serial = None;
    for key in keys {
        if let Some(trouble) = files.profiles().find(&key.profile).and_then(|profile| profile.trouble.as_ref()) {
            return Err(Refusal::UnsafeFile { profile: key.profile, reason: trouble.to_string() });
        }
        match &secret {
            Some(secret) if !secret.matches(&key.secret) => {
                return Err(Refusal::TwoSecrets { key: id.clone(), first, second: key.profile });
            }
            Some(_) => {}
            None => secret = Some(key.secret),
        }
        places.push(key.place);
        mfa_serial = mfa_serial.or(key.mfa_serial);
    }
    #[expect(clippy::expect_used, reason = "a group is made of the keys that were just put into it")]
    let secret = secret.expect("a group holds at least one key");
    let target = files.target(&first, options.region.as_ref()).map_err(Refusal::Endpoint)?;
    let (key, profiles) = (id.clone(), profiles.to_vec());
    Ok((Group { key, places, profiles, along: Vec::new(), mfa_serial, target }, secret))
}

fn quoted_list(names: &[ProfileName]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
