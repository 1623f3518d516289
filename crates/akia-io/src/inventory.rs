//! Asks AWS what it knows of the keys of profiles: all at once, each key once.
//!
//! Nothing is assumed, opened or asked for on the way: no role, no sign-in, no other program, no MFA code but the one
//! that was given. A failure is the answer for its key and stops no other. Whoever has no network knows it within
//! [`REACH_LIMIT`].

use std::collections::BTreeMap;
use std::time::Duration;

use akia_core::inventory::{Answer, Failure, FailureKind, Owner, Told, key_of};
use akia_core::profile::Profile;
use akia_core::{AccessKeyId, LastUsed, ProfileName, SecretAccessKey};
use futures_util::StreamExt as _;
use futures_util::future::join;

use crate::aws::{
    Aws, AwsError, AwsOptions, CallerIdentity, Credentials, CredentialsError, IdentityKind, Target, Wallet,
};
use crate::profiles::AwsFiles;

/// How long to wait for the first sign of life of an endpoint.
pub const REACH_LIMIT: Duration = Duration::from_secs(4);
/// Keys that are asked about at the same time.
const CONCURRENT: usize = 64;

/// Options for asking: patience is for changes, whoever only looks wants an answer.
#[must_use]
pub fn impatient(options: AwsOptions) -> AwsOptions {
    AwsOptions {
        connect_timeout: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(8),
        operation_timeout: Duration::from_secs(15),
        initial_backoff: Duration::from_millis(250),
        ..options
    }
}

/// Who asks, and with what.
pub struct Inquiry<'a> {
    /// The way to AWS.
    pub aws: &'a Aws,
    /// The AWS files.
    pub files: &'a AwsFiles,
    /// The same, for sessions.
    pub wallet: &'a Wallet,
    /// Whether a code was given, so that a session may be opened with the MFA device of a profile.
    pub with_mfa: bool,
}

/// One key with one secret, and the profile that signs the questions about it.
struct Question<'a> {
    key: &'a AccessKeyId,
    profile: &'a Profile,
    /// A long-term key; temporary credentials come from the wallet.
    secret: Option<Result<SecretAccessKey, String>>,
    /// Everybody who holds the same.
    askers: Vec<&'a ProfileName>,
}

impl Inquiry<'_> {
    /// What AWS says about the keys of these profiles.
    pub async fn ask(&self, profiles: &[&Profile]) -> BTreeMap<ProfileName, Answer> {
        let asked = self.questions(profiles).into_iter().map(|question| async move {
            let answer = self.about(&question).await;
            (question.askers, answer)
        });
        let answers: Vec<_> = futures_util::stream::iter(asked).buffer_unordered(CONCURRENT).collect().await;
        let to_each = |(askers, answer): (Vec<&ProfileName>, Answer)| {
            askers.into_iter().map(|asker| (asker.clone(), answer.clone())).collect::<Vec<_>>()
        };
        answers.into_iter().flat_map(to_each).collect()
    }

    /// Each pair of key id and secret once. Of several profiles that hold it, the first one with an MFA device signs,
    /// else the first.
    fn questions<'a>(&self, profiles: &[&'a Profile]) -> Vec<Question<'a>> {
        let mut questions: BTreeMap<&AccessKeyId, Vec<Question<'a>>> = BTreeMap::new();
        for &profile in profiles {
            let Some(key) = key_of(profile) else { continue };
            let held = profile.keys.iter().find(|held| held.id == *key);
            let secret = held.map(|held| self.files.secret(&profile.name, held.file));
            let same = questions.entry(key).or_default();
            match same.iter_mut().find(|question| is_same(&question.secret, &secret)) {
                Some(question) => {
                    question.askers.push(&profile.name);
                    if question.profile.mfa_serial.is_none() && profile.mfa_serial.is_some() {
                        question.profile = profile;
                    }
                }
                None => same.push(Question { key, profile, secret, askers: vec![&profile.name] }),
            }
        }
        questions.into_values().flatten().collect()
    }

    async fn about(&self, question: &Question<'_>) -> Answer {
        let target = self
            .files
            .target(&question.profile.name, None)
            .map_err(|error| Failure { kind: FailureKind::Other, reason: error.to_string() })?;
        let (credentials, mfa) = self.credentials(question, &target).await?;
        let is_session = question.secret.is_none();
        let caller = self.aws.caller(credentials, &target);
        let identity = async { caller.caller_identity().await.map_err(|error| failure_of(&error, mfa)) };
        let identity = self.within_reach(&target, identity).await?;
        let owner = owner_of(&identity);
        if is_session {
            let last_used = LastUsed::Unknown { reason: "AWS keeps none for temporary credentials".to_owned() };
            return Ok(Told { account: identity.account, owner, keys: Ok(Vec::new()), last_used });
        }
        let user = match &owner {
            Owner::User(arn) => Some(&arn.name),
            Owner::Root | Owner::Other(_) => None,
        };
        let (keys, last_used) = join(caller.access_keys(user), caller.access_key_last_used(question.key)).await;
        Ok(Told {
            account: identity.account.clone(),
            keys: keys.map_err(|error| failure_of(&error, mfa)),
            last_used: last_used
                .map_or_else(|error| LastUsed::Unknown { reason: error.to_string() }, |(last_used, _)| last_used),
            owner,
        })
    }

    /// What signs, and how it stands with MFA.
    async fn credentials(&self, question: &Question<'_>, target: &Target) -> Result<(Credentials, Mfa), Failure> {
        let profile = question.profile;
        let secret = match &question.secret {
            Some(Ok(secret)) => secret.duplicate(),
            Some(Err(reason)) => {
                return Err(Failure { kind: FailureKind::Unreadable, reason: reason.clone() });
            }
            None => {
                let session =
                    self.wallet.credentials(self.aws, &profile.name).await.map_err(|error| without(&error))?;
                return Ok((session, Mfa::NoDevice));
            }
        };
        let key = Credentials::for_key(question.key.clone(), secret);
        match &profile.mfa_serial {
            Some(serial) if self.with_mfa => {
                let session =
                    async { self.wallet.session(self.aws, key, serial, target).await.map_err(|error| without(&error)) };
                Ok((self.within_reach(target, session).await?, Mfa::Session))
            }
            Some(_) => Ok((key, Mfa::Unused)),
            None => Ok((key, Mfa::NoDevice)),
        }
    }

    /// The first call to an endpoint, which finds out whether there is a network.
    async fn within_reach<T>(
        &self,
        target: &Target,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::pin!(call);
        if let Ok(answer) = tokio::time::timeout(REACH_LIMIT, &mut call).await {
            return answer;
        }
        // An endpoint that answered somebody is slow or throttles; one that answered nobody is out of reach.
        if self.aws.has_answered(target) {
            return call.await;
        }
        let host = self.aws.sts_host(target);
        let reason = format!("{host}: no sign of life within {} s", REACH_LIMIT.as_secs());
        Err(Failure { kind: FailureKind::Unreachable, reason })
    }
}

/// Where `profile` sends its questions, for the message that nothing came back.
#[must_use]
pub fn endpoint_of(aws: &Aws, files: &AwsFiles, profile: &ProfileName) -> String {
    aws.sts_host(&files.target(profile, None).unwrap_or_default())
}

/// Whether two profiles that hold the same key id hold the same key. Of temporary credentials each has its own.
fn is_same(one: &Option<Result<SecretAccessKey, String>>, other: &Option<Result<SecretAccessKey, String>>) -> bool {
    match (one, other) {
        (Some(Ok(one)), Some(Ok(other))) => one.matches(other),
        (Some(_) | None, Some(_) | None) => false,
    }
}

fn owner_of(identity: &CallerIdentity) -> Owner {
    match identity.kind() {
        IdentityKind::User(arn) => Owner::User(arn),
        IdentityKind::Root { .. } => Owner::Root,
        IdentityKind::AssumedRole { .. } | IdentityKind::FederatedUser { .. } | IdentityKind::Other => {
            Owner::Other(identity.arn.clone())
        }
    }
}

/// How a question stands with the MFA device of its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mfa {
    NoDevice,
    /// There is one, and no code was given.
    Unused,
    /// The question is signed by a session with MFA.
    Session,
}

fn failure_of(error: &AwsError, mfa: Mfa) -> Failure {
    let kind = match error {
        AwsError::Unreachable { .. } | AwsError::Unanswered { .. } => FailureKind::Unreachable,
        AwsError::InvalidClientTokenId { .. } => FailureKind::KeyRefused,
        AwsError::SignatureDoesNotMatch { .. } => FailureKind::WrongSecret,
        // AWS does not say that MFA is what is missing; with a device in the profile it nearly always is.
        AwsError::AccessDenied { .. } if mfa == Mfa::Unused => FailureKind::MfaNeeded,
        AwsError::AccessDenied { .. } => FailureKind::Denied,
        AwsError::MfaRefused { .. } => FailureKind::MfaFailed,
        AwsError::ExpiredToken { .. } => FailureKind::Expired,
        AwsError::ClockSkew { .. } => FailureKind::ClockOff,
        AwsError::LimitExceeded { .. }
        | AwsError::NoSuchEntity { .. }
        | AwsError::Throttled { .. }
        | AwsError::Rejected { .. }
        | AwsError::ServerFault { .. }
        | AwsError::ForeignEndpoint { .. }
        | AwsError::Malformed { .. } => FailureKind::Other,
    };
    Failure { kind, reason: error.to_string() }
}

fn without(error: &CredentialsError) -> Failure {
    let kind = match error {
        CredentialsError::Mfa { .. } => FailureKind::MfaFailed,
        CredentialsError::Secret(_) | CredentialsError::Disagreement(_) | CredentialsError::Unusable { .. } => {
            FailureKind::Unreadable
        }
        CredentialsError::NoSuchProfile { .. }
        | CredentialsError::RoleLoop { .. }
        | CredentialsError::Aws { .. }
        | CredentialsError::Source { .. } => FailureKind::Other,
    };
    Failure { kind, reason: error.to_string() }
}
