//! The credentials of a profile, the way the AWS CLI would find them.
//!
//! A named profile beats the environment here: nothing looks at `AWS_ACCESS_KEY_ID` unless the profile itself says
//! `credential_source = Environment`. The SDK has it the other way round, and would rotate the wrong key.
//!
//! Static keys, temporary credentials and role chains are resolved here, because the SDK sends no `SerialNumber` for
//! `mfa_serial` and ignores `duration_seconds`. SSO, web identity, `credential_process` and machine roles are left to
//! aws-config, which gets one synthesized profile: a malformed line elsewhere in the user's files, or a profile name
//! with a space, would stop it. No output of a `credential_process` gets into an error.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use akia_core::ids::{AccessKeyId, ProfileName};
use akia_core::profile::{
    Command, Disagreement, File, FileKind, Profile, ProfileKind, Profiles, RoleSource, SecretOfError, secret_of,
};
use akia_core::secret::SecretAccessKey;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_credential_types::provider::ProvideCredentials;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_types::retry::RetryConfig;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::caller::{AssumeRole, Caller, MfaToken};
use super::client::Aws;
use super::credentials::Credentials;
use super::error::{AwsError, clean};
use super::http::Connection;
use super::options::{Target, parse_endpoint};
use super::unlogged::unlogged;

/// Profiles in one chain of roles at most.
const CHAIN_LIMIT: usize = 10;
/// MFA codes that are asked for when AWS refuses one.
const CODE_LIMIT: usize = 3;
/// A `credential_process` may ask its user something; after this long it has hung.
const PROCESS_LIMIT: Duration = Duration::from_secs(300);
/// A session that ends within this many seconds is not used again.
const SESSION_RESERVE_SECONDS: i64 = 60;

/// Whoever knows the codes of MFA devices: a person at a terminal, or `--mfa-code`.
pub trait MfaPrompt: Send + Sync {
    /// The present code of the device `serial`. Asked again when AWS refuses a code; whoever has
    /// only one must fail then.
    fn code<'a>(&'a self, serial: &'a str) -> BoxFuture<'a, Result<String, NoCode>>;
}

/// There is no code to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoCode {
    /// Why, for example that there is no terminal to ask at.
    pub reason: String,
}

/// Why a profile gave no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Neither file has it.
    #[error("there is no profile {profile:?}", profile = .profile.as_str())]
    NoSuchProfile {
        /// The profile.
        profile: ProfileName,
    },
    /// Its settings give no credentials.
    #[error("profile {profile:?}: {reason}", profile = .profile.as_str())]
    Unusable {
        /// The profile.
        profile: ProfileName,
        /// Why.
        reason: String,
    },
    /// Its secret cannot be read from its file.
    #[error(transparent)]
    Secret(#[from] SecretOfError),
    /// The readers of the file do not agree on its session token.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// Its role chain comes back to where it was, or is too long.
    #[error("the role chain of profile {profile:?} does not end: {}", .chain.join(" -> "), profile = .profile.as_str())]
    RoleLoop {
        /// The profile that was asked for.
        profile: ProfileName,
        /// The profiles in the order of the chain.
        chain: Vec<String>,
    },
    /// AWS refused a step.
    #[error("profile {profile:?}: {error}", profile = .profile.as_str())]
    Aws {
        /// The profile whose step it was.
        profile: ProfileName,
        /// What AWS said.
        error: Box<AwsError>,
    },
    /// A session with MFA could not be had.
    #[error("no session for the MFA device {serial}: {reason}")]
    Mfa {
        /// The device.
        serial: String,
        /// Why.
        reason: String,
    },
    /// Another source of credentials failed.
    #[error("profile {profile:?}: {source_name}: {reason}", profile = .profile.as_str())]
    Source {
        /// The profile.
        profile: ProfileName,
        /// The source, for example `credential_process`.
        source_name: &'static str,
        /// Why; never output of the source.
        reason: String,
    },
}

/// The profiles of this machine, and the sessions that this run has opened with them.
pub struct Wallet {
    credentials: Option<File>,
    config: Option<File>,
    profiles: Profiles,
    environment: Option<Credentials>,
    mfa: Box<dyn MfaPrompt>,
    /// One session for a key and device. Held while a code is asked for: only one question at a time, and whoever
    /// waits finds the session that the answer opened.
    sessions: tokio::sync::Mutex<HashMap<(AccessKeyId, String), Arc<Credentials>>>,
}

impl Wallet {
    /// The profiles of both files.
    #[must_use]
    pub fn new(credentials: Option<File>, config: Option<File>, mfa: Box<dyn MfaPrompt>) -> Self {
        let profiles = Profiles::merge(credentials.as_ref(), config.as_ref());
        Self { credentials, config, profiles, environment: None, mfa, sessions: tokio::sync::Mutex::default() }
    }

    /// With the keys of the environment, for profiles with `credential_source = Environment`.
    #[must_use]
    pub fn with_environment(mut self, environment: Option<Credentials>) -> Self {
        self.environment = environment;
        self
    }

    /// The merged view of both files.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The credentials of a profile. For a static key it is the key itself, MFA device or not, as in the AWS CLI; see
    /// [`Wallet::session`].
    pub async fn credentials(&self, aws: &Aws, profile: &ProfileName) -> Result<Credentials, CredentialsError> {
        self.follow(aws, profile, &mut Vec::new()).await
    }

    /// A session of `key` with the MFA device `serial`, opened once for a run and asked for at most three times.
    pub async fn session(
        &self,
        aws: &Aws,
        key: impl Borrow<Credentials>,
        serial: &str,
        target: impl Into<Target>,
    ) -> Result<Credentials, CredentialsError> {
        let key = key.borrow();
        let mut sessions = self.sessions.lock().await;
        let slot = (key.key().clone(), serial.to_owned());
        if let Some(session) = sessions.get(&slot)
            && is_fresh(aws, session)
        {
            return Ok(session.duplicate());
        }
        let caller = aws.caller(key.duplicate(), target);
        let session = self
            .with_code(serial, &caller, None)
            .await
            .map_err(|reason| CredentialsError::Mfa { serial: clean(serial, None), reason })?;
        sessions.insert(slot, Arc::new(session.duplicate()));
        Ok(session)
    }

    fn follow<'a>(
        &'a self,
        aws: &'a Aws,
        name: &'a ProfileName,
        chain: &'a mut Vec<ProfileName>,
    ) -> BoxFuture<'a, Result<Credentials, CredentialsError>> {
        Box::pin(async move {
            let profile = self.find(name)?;
            // The source of a role may hold a key of its own next to a role: then the key is meant, as in botocore. So a
            // profile may name itself as its source.
            if !chain.is_empty()
                && let Some(held) = profile.keys.first()
            {
                return self.key(profile, &held.id, held.file);
            }
            if chain.contains(name) || chain.len() >= CHAIN_LIMIT {
                let start = chain.first().unwrap_or(name).clone();
                let names = chain.iter().chain([name]).map(ToString::to_string).collect();
                return Err(CredentialsError::RoleLoop { profile: start, chain: names });
            }
            chain.push(name.clone());
            match &profile.kind {
                ProfileKind::StaticKey { id, file } => self.key(profile, id, *file),
                ProfileKind::Temporary { id, file, .. } => self.temporary(profile, id, *file),
                ProfileKind::Role { .. } => self.role(aws, profile, chain).await,
                ProfileKind::Sso { .. } => self.sso(aws, profile).await,
                ProfileKind::WebIdentity { role_arn, token_file } => {
                    self.web_identity(aws, profile, role_arn.as_deref(), token_file).await
                }
                ProfileKind::CredentialProcess { command } => process(profile, command).await,
                ProfileKind::Login { .. } => Err(unusable(
                    profile,
                    "it signs in through `aws login`, which akia cannot use; `aws configure export-credentials` can",
                )),
                ProfileKind::IncompleteKey { missing, file } => {
                    Err(unusable(profile, &format!("{missing} is missing in the {file}")))
                }
                ProfileKind::BadKey { reason, .. } => Err(unusable(profile, reason)),
                ProfileKind::Empty => Err(unusable(profile, "it has settings only, no credentials")),
            }
        })
    }

    fn find(&self, name: &ProfileName) -> Result<&Profile, CredentialsError> {
        self.profiles.find(name).ok_or_else(|| CredentialsError::NoSuchProfile { profile: name.clone() })
    }

    fn file(&self, profile: &Profile, kind: FileKind) -> Result<&File, CredentialsError> {
        let file = match kind {
            FileKind::Credentials => self.credentials.as_ref(),
            FileKind::Config => self.config.as_ref(),
        };
        file.ok_or_else(|| unusable(profile, &format!("there is no {kind}")))
    }

    fn key(&self, profile: &Profile, id: &AccessKeyId, kind: FileKind) -> Result<Credentials, CredentialsError> {
        let secret = secret_of(self.file(profile, kind)?, &profile.name)?;
        Ok(Credentials::for_key(id.clone(), secret))
    }

    fn temporary(&self, profile: &Profile, id: &AccessKeyId, kind: FileKind) -> Result<Credentials, CredentialsError> {
        let file = self.file(profile, kind)?;
        let secret = secret_of(file, &profile.name)?;
        // botocore reads the old name too, and first.
        let token = match file.value(&profile.name, "aws_security_token")? {
            Some(token) => Some(token),
            None => file.value(&profile.name, "aws_session_token")?,
        };
        let token = token.ok_or_else(|| unusable(profile, "it has no session token"))?;
        Ok(Credentials::for_session(id.clone(), secret, token.to_owned(), None))
    }

    async fn role(
        &self,
        aws: &Aws,
        profile: &Profile,
        chain: &mut Vec<ProfileName>,
    ) -> Result<Credentials, CredentialsError> {
        let ProfileKind::Role { role_arn, source, mfa_serial, external_id, duration_seconds, role_session_name } =
            &profile.kind
        else {
            return Err(unusable(profile, "it has no role"));
        };
        let target = target_of(profile)?;
        let mut base = match source {
            RoleSource::Profile(source) => self.follow(aws, source, chain).await?,
            RoleSource::Credential(source) => self.credential_source(aws, profile, source).await?,
            RoleSource::Invalid { reason } => return Err(unusable(profile, reason)),
        };
        let failed = |error: AwsError| CredentialsError::Aws { profile: profile.name.clone(), error: Box::new(error) };
        let mut direct = None;
        if let Some(serial) = mfa_serial {
            if base.is_temporary() {
                direct = Some(serial.as_str());
            } else {
                // A session carries its MFA into the role, and one code serves every role of the run.
                base = self.session(aws, base, serial, target.clone()).await?;
            }
        }
        let ask = AssumeRole {
            role_arn,
            session_name: role_session_name.as_deref().unwrap_or("akia"),
            external_id: external_id.as_deref(),
            mfa: None,
            duration: duration_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            source_identity: None,
            policy: None,
        };
        let caller = aws.caller(base, target);
        match direct {
            None => caller.assume_role(ask).await.map_err(failed),
            Some(serial) => {
                let assumed = self.with_code(serial, &caller, Some(ask)).await;
                assumed.map_err(|reason| CredentialsError::Mfa { serial: clean(serial, None), reason })
            }
        }
    }

    /// Asks for codes until AWS takes one, for a session or a role.
    async fn with_code(
        &self,
        serial: &str,
        caller: &Caller,
        role: Option<AssumeRole<'_>>,
    ) -> Result<Credentials, String> {
        let mut refused = String::new();
        for _ in 0..CODE_LIMIT {
            let code = self.mfa.code(serial).await.map_err(|error| match refused.as_str() {
                "" => error.reason.clone(),
                refused => format!("{refused}, and {}", error.reason),
            })?;
            let code = code.trim();
            if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
                refused = "a code has six digits".to_owned();
                continue;
            }
            let mfa = MfaToken { serial, code };
            let answer = match role {
                None => caller.session(mfa, None).await,
                Some(role) => caller.assume_role(AssumeRole { mfa: Some(mfa), ..role }).await,
            };
            match answer {
                Ok(credentials) => return Ok(credentials),
                Err(AwsError::MfaRefused { .. }) => refused = "aws refused the code".to_owned(),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("{refused}, {CODE_LIMIT} times"))
    }

    async fn credential_source(
        &self,
        aws: &Aws,
        profile: &Profile,
        source: &str,
    ) -> Result<Credentials, CredentialsError> {
        match source {
            "Environment" => match &self.environment {
                Some(credentials) => Ok(credentials.duplicate()),
                None => Err(unusable(profile, "it takes its key from the environment, and there is none")),
            },
            "Ec2InstanceMetadata" => {
                let provider = ImdsCredentialsProvider::builder().configure(&provider_config(aws, profile)?).build();
                foreign(profile, "instance metadata", &provider).await
            }
            "EcsContainer" => {
                let provider = EcsCredentialsProvider::builder().configure(&provider_config(aws, profile)?).build();
                foreign(profile, "container credentials", &provider).await
            }
            _ => Err(unusable(
                profile,
                "its credential_source is none of Environment, Ec2InstanceMetadata, EcsContainer",
            )),
        }
    }

    async fn web_identity(
        &self,
        aws: &Aws,
        profile: &Profile,
        role_arn: Option<&str>,
        token_file: &str,
    ) -> Result<Credentials, CredentialsError> {
        let role_arn = role_arn.ok_or_else(|| unusable(profile, "role_arn is missing"))?;
        let provider = WebIdentityTokenCredentialsProvider::builder()
            .configure(&provider_config(aws, profile)?)
            .static_configuration(StaticConfiguration {
                web_identity_token_file: token_file.into(),
                role_arn: role_arn.to_owned(),
                session_name: profile.values.value("role_session_name").unwrap_or("akia").to_owned(),
            })
            .build();
        foreign(profile, "web identity", &provider).await
    }

    async fn sso(&self, aws: &Aws, profile: &Profile) -> Result<Credentials, CredentialsError> {
        let ProfileKind::Sso { session, start_url, region, account, role } = &profile.kind else {
            return Err(unusable(profile, "it has no settings of IAM Identity Center"));
        };
        let needed = |value: &Option<String>, key: &str| {
            value.clone().ok_or_else(|| unusable(profile, &format!("{key} is missing")))
        };
        let mut content = format!(
            "[profile akia]\nsso_account_id = {}\nsso_role_name = {}\n",
            needed(account, "sso_account_id")?,
            needed(role, "sso_role_name")?
        );
        let place = format!(
            "sso_start_url = {}\nsso_region = {}\n",
            needed(start_url, "sso_start_url")?,
            needed(region, "sso_region")?
        );
        match session {
            // The name of the session is the name of its cached token.
            Some(session) => content += &format!("sso_session = {session}\n[sso-session {session}]\n{place}"),
            None => content += &place,
        }
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&provider_config(aws, profile)?)
            .profile_name("akia")
            .profile_files(EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, content).build())
            .build();
        foreign(profile, "sso", &provider).await.map_err(|error| match error {
            CredentialsError::Source { profile, source_name, reason } => {
                let reason = format!("{reason}; `aws sso login` signs in again");
                CredentialsError::Source { profile, source_name, reason }
            }
            other => other,
        })
    }
}

/// The keys that the environment sets: `AWS_ACCESS_KEY_ID` and its fellows. They count where no profile is named.
pub fn environment_credentials(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<Credentials>, String> {
    let text = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let (id, secret) = match (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not".to_owned()),
        (None, Some(_)) => return Err("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not".to_owned()),
        (Some(id), Some(secret)) => (id, secret),
    };
    // A value that is no key id may be a secret in the wrong place.
    let id = id.parse().map_err(|_| "AWS_ACCESS_KEY_ID is not an access key id".to_owned())?;
    let secret = SecretAccessKey::parse(secret).map_err(|error| format!("AWS_SECRET_ACCESS_KEY: {error}"))?;
    Ok(Some(match text("AWS_SESSION_TOKEN") {
        Some(token) => Credentials::for_session(id, secret, token, None),
        None => Credentials::for_key(id, secret),
    }))
}

/// Where the calls of a profile go.
fn target_of(profile: &Profile) -> Result<Target, CredentialsError> {
    let endpoint = profile.endpoint_of("sts").map(parse_endpoint).transpose();
    let endpoint_url = endpoint.map_err(|error| unusable(profile, &format!("endpoint_url: {error}")))?;
    Ok(Target { region: profile.region.clone(), endpoint_url, endpoint_profile: Some(profile.name.clone()) })
}

fn unusable(profile: &Profile, reason: &str) -> CredentialsError {
    CredentialsError::Unusable { profile: profile.name.clone(), reason: reason.to_owned() }
}

fn is_fresh(aws: &Aws, session: &Credentials) -> bool {
    let Ok(now) = Timestamp::try_from(aws.time().now()) else { return false };
    session.expires_at().is_none_or(|end| end.as_second() - now.as_second() > SESSION_RESERVE_SECONDS)
}

/// aws-config with our way out, and nothing of the user's files.
fn provider_config(aws: &Aws, profile: &Profile) -> Result<ProviderConfig, CredentialsError> {
    let region = aws.options().region(&target_of(profile)?);
    Ok(ProviderConfig::empty()
        .with_region(Some(aws_types::region::Region::new(region.to_string())))
        .with_use_fips(Some(aws.options().use_fips))
        .with_use_dual_stack(Some(false))
        .with_http_client(aws.http_client(Connection::Pooled, None))
        .with_time_source(aws.time())
        .with_sleep_impl(aws.sleep())
        .with_timeout_config(aws.timeouts())
        .with_retry_config(RetryConfig::standard().with_initial_backoff(aws.options().initial_backoff)))
}

async fn foreign(
    profile: &Profile,
    source_name: &'static str,
    provider: &dyn ProvideCredentials,
) -> Result<Credentials, CredentialsError> {
    let failed = |reason: String| CredentialsError::Source { profile: profile.name.clone(), source_name, reason };
    let credentials = unlogged(provider.provide_credentials()).await.map_err(|error| failed(reasons(&error)))?;
    from_sdk(&credentials).map_err(failed)
}

async fn process(profile: &Profile, command: &Command) -> Result<Credentials, CredentialsError> {
    let source_name = "credential_process";
    let failed = |reason: &str| CredentialsError::Source {
        profile: profile.name.clone(),
        source_name,
        reason: reason.to_owned(),
    };
    let provider = aws_config::credential_process::CredentialProcessProvider::new(command.as_str().to_owned());
    // The SDK writes the command line, which may hold a secret, to its trace log.
    let credentials = unlogged(provider.provide_credentials());
    match tokio::time::timeout(PROCESS_LIMIT, credentials).await {
        Ok(Ok(credentials)) => from_sdk(&credentials).map_err(|reason| failed(&reason)),
        // The error repeats what the command printed, so only what kind of failure it is may pass.
        Ok(Err(error)) => {
            let text = reasons(&error);
            Err(failed(match text.split_once("external process exited with code ") {
                Some((_, rest)) => {
                    let status = rest.split(". Stderr").next().unwrap_or_default();
                    return Err(failed(&format!("the command failed ({status})")));
                }
                None if text.contains("could not parse") || text.contains("could not decode") => {
                    "the command's output is not the json that the aws cli expects"
                }
                None => "the command could not be run",
            }))
        }
        Err(_) => Err(failed(&format!("the command did not end within {} s", PROCESS_LIMIT.as_secs()))),
    }
}

/// The chain of an error, each link as its `Display`: `Debug` prints answers whole.
fn reasons(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for link in std::iter::successors(Some(error), |&link| link.source()).take(8) {
        let text = clean(&link.to_string(), None);
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    // The outermost link of the SDK says only that something failed.
    if parts.len() > 1 && parts[0] == "an error occurred while loading credentials" {
        parts.remove(0);
    }
    clean(&parts.join(": "), None)
}

fn from_sdk(credentials: &aws_credential_types::Credentials) -> Result<Credentials, String> {
    let key = credentials.access_key_id().parse().map_err(|_| "it gave no well-formed access key id".to_owned())?;
    let secret =
        SecretAccessKey::parse(credentials.secret_access_key().to_owned()).map_err(|error| error.to_string())?;
    let expires_at = credentials.expiry().and_then(|end| Timestamp::try_from(end).ok());
    Ok(match credentials.session_token() {
        Some(token) => Credentials::for_session(key, secret, token.to_owned(), expires_at),
        None => Credentials::for_key(key, secret),
    })
}
