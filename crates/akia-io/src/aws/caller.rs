//! An identity that can make calls, and the calls.
//!
//! Invariant: each method is one operation of AWS and says in its type what AWS said. `CreateAccessKey` is sent at most
//! once, on its own connection, because a repeated one makes a second key. `UpdateAccessKey` and `DeleteAccessKey` are sent
//! again only when AWS has said that it did nothing: after a lost answer the first copy may take effect long after the
//! second, when its sender wants the opposite. Every other call here is safe to repeat, and the SDK does so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use akia_core::ids::{AccessKeyId, AccountId, UserArn, UserId, UserName};
use akia_core::key::{AccessKey, KeyStatus, LastUsed};
use akia_core::secret::SecretAccessKey;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::BehaviorVersion;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType, StatusType};
use aws_smithy_async::rt::sleep::AsyncSleep;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::request_id::RequestId;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::client::{Aws, authority};
use super::credentials::Credentials;
use super::error::{AwsError, Call, Context, classify};
use super::http::Connection;
use super::identity::CallerIdentity;
use super::options::{Service, Target};

/// Pages of one listing that are read at most.
pub(super) const PAGE_LIMIT: usize = 100;
/// How often a key that was just made is deleted while AWS says that there is none.
const DELETE_NEW_TRIES: u32 = 5;
/// The pause between two such attempts.
const DELETE_NEW_GAP: Duration = Duration::from_secs(2);
/// Keys in one listing that are read at most. AWS allows two a user; up to eight have been seen.
const KEY_LIMIT: usize = 1_000;
/// Longest marker of a page that is sent back, in bytes. Those of AWS are below 1,000.
const MARKER_LIMIT: usize = 16 * 1024;

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name; may change.
    pub name: UserName,
    /// Its immutable id.
    pub id: UserId,
    /// Its ARN.
    pub arn: UserArn,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags, in AWS's order.
    pub tags: Vec<(String, String)>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// When its password was last used.
    pub password_used_at: Option<Timestamp>,
}

/// A key that was just made. The secret is shown this once.
pub struct NewKey {
    /// Its id.
    pub id: AccessKeyId,
    /// Its secret.
    pub secret: SecretAccessKey,
    /// `CreateDate`, where the answer had one.
    pub created_at: Option<Timestamp>,
}

/// How an idempotent change to a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// AWS did it (or it was so already).
    Done,
    /// The key, or its user, does not exist.
    Gone,
}

/// How a change ended, with AWS's name for the request, under which CloudTrail has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// How it ended.
    pub change: KeyChange,
    /// AWS's name for the request, where the answer had one.
    pub request_id: Option<String>,
}

/// A one-time code of an MFA device.
#[derive(Clone, Copy)]
pub struct MfaToken<'a> {
    /// The device's serial number or ARN.
    pub serial: &'a str,
    /// The six digits.
    pub code: &'a str,
}

/// What `sts:AssumeRole` is asked for.
#[derive(Clone, Copy)]
pub struct AssumeRole<'a> {
    /// The role.
    pub role_arn: &'a str,
    /// The session's name; CloudTrail shows it.
    pub session_name: &'a str,
    /// The external id that the role's trust policy wants.
    pub external_id: Option<&'a str>,
    /// The MFA device and code that the role's trust policy wants.
    pub mfa: Option<MfaToken<'a>>,
    /// How long the session lasts; AWS's default is an hour.
    pub duration: Option<Duration>,
    /// The source identity; stays through chained roles.
    pub source_identity: Option<&'a str>,
    /// A policy that narrows the session to what both it and the role allow.
    pub policy: Option<&'a str>,
}

/// What `iam:SimulatePrincipalPolicy` is asked.
#[derive(Debug, Clone, Copy)]
pub struct Simulation<'a> {
    /// ARN of the user or role whose policies decide; never that of a session.
    pub principal: &'a str,
    /// `service:Name` each.
    pub actions: &'a [&'a str],
    /// An ARN, or `*`.
    pub resource: &'a str,
    /// What holds of the request that is imagined: the simulation knows nothing of the session that asks.
    pub facts: &'a [(&'a str, Fact)],
}

/// Something that holds of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A truth.
    Truth(bool),
    /// A text, such as an ARN.
    Text(String),
}

/// How IAM decides on one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// Whether it is allowed.
    pub is_allowed: bool,
    /// Whether a statement denies it, rather than none allowing it.
    pub is_explicit: bool,
    /// Whether a policy of the organization forbids it.
    pub by_organization: bool,
    /// Facts that the policies look at, and the simulation was not told.
    pub missing_facts: BTreeSet<String>,
}

/// An identity that can make calls. Cheap to build; clients are made on first use.
pub struct Caller {
    aws: Aws,
    credentials: Credentials,
    target: Target,
    iam: OnceLock<aws_sdk_iam::Client>,
    iam_unrepeated: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    organizations: OnceLock<aws_sdk_organizations::Client>,
}

impl Caller {
    pub(crate) fn new(aws: Aws, credentials: Credentials, target: Target) -> Self {
        Self {
            aws,
            credentials,
            target,
            iam: OnceLock::new(),
            iam_unrepeated: OnceLock::new(),
            sts: OnceLock::new(),
            organizations: OnceLock::new(),
        }
    }

    /// What signs the calls.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn key(&self) -> &AccessKeyId {
        self.credentials.key()
    }

    /// Where the calls go.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The way that the calls take.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The endpoint that replaces AWS's own for S3, if any.
    #[must_use]
    pub fn s3_endpoint(&self) -> Option<url::Url> {
        self.aws().options().endpoint(super::options::Service::S3, self.target()).cloned()
    }

    /// `sts:GetCallerIdentity`: whose credentials these are. Needs no right.
    pub async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        self.identity_through(self.sts()).await
    }

    /// One proof that the key works: `sts:GetCallerIdentity` on a connection of its own, since an open connection may
    /// lead to a server that knows the key while others do not.
    ///
    /// An endpoint that nobody has allowed changes at proves nothing.
    pub async fn prove(&self) -> Result<CallerIdentity, AwsError> {
        self.check_changes(&self.call(Service::Sts, "GetCallerIdentity"))?;
        self.identity_through(&self.sts_client(Connection::Fresh)).await
    }

    async fn identity_through(&self, sts: &aws_sdk_sts::Client) -> Result<CallerIdentity, AwsError> {
        let call = self.call(Service::Sts, "GetCallerIdentity");
        let answer = self.send(&call, sts.get_caller_identity().send()).await?;
        let account = present(&call, "Account", answer.account())?;
        Ok(CallerIdentity {
            arn: present(&call, "Arn", answer.arn())?.to_owned(),
            account: parse(&call, "Account", account)?,
            user_id: present(&call, "UserId", answer.user_id())?.to_owned(),
        })
    }

    /// `iam:GetUser`: `name`, or the caller.
    pub async fn user(&self, name: Option<&UserName>) -> Result<User, AwsError> {
        let call = self.call(Service::Iam, "GetUser");
        let request = self.iam().get_user().set_user_name(name.map(ToString::to_string));
        let answer = self.send(&call, request.send()).await?;
        let user = present(&call, "User", answer.user())?;
        about(&call, name, Some(user.user_name()))?;
        Ok(User {
            name: parse(&call, "UserName", user.user_name())?,
            id: parse(&call, "UserId", user.user_id())?,
            arn: parse(&call, "Arn", user.arn())?,
            created_at: timestamp(&call, user.create_date())?,
            tags: user.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
            boundary: user
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            password_used_at: user.password_last_used().map(|date| timestamp(&call, date)).transpose()?,
        })
    }

    /// `iam:ListAccessKeys` of `user`, or of the caller; all pages.
    pub async fn access_keys(&self, user: Option<&UserName>) -> Result<Vec<AccessKey>, AwsError> {
        let call = self.call(Service::Iam, "ListAccessKeys");
        let mut keys = Vec::new();
        let mut pages = Pages::new(&call);
        loop {
            let request = self.iam().list_access_keys().set_user_name(user.map(ToString::to_string));
            let answer = self.send(&call, request.set_marker(pages.marker()).send()).await?;
            if keys.len() + answer.access_key_metadata().len() > KEY_LIMIT {
                return Err(AwsError::malformed(&call, format!("it lists more than {KEY_LIMIT} keys")));
            }
            for key in answer.access_key_metadata() {
                about(&call, user, key.user_name())?;
                let created = present(&call, "CreateDate", key.create_date())?;
                keys.push(AccessKey {
                    id: parse(&call, "AccessKeyId", present(&call, "AccessKeyId", key.access_key_id())?)?,
                    status: key_status(&call, key.status())?,
                    created_at: timestamp(&call, created)?,
                });
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                return Ok(keys);
            }
        }
    }

    /// `iam:CreateAccessKey` for `user`: sent at most once, on its own connection, with `nonce` in the user agent, where
    /// CloudTrail records it as `akia-<nonce>`. Any error whose outcome is not known may have made a key.
    pub async fn create_access_key(&self, user: &UserName, nonce: &str) -> Result<NewKey, AwsError> {
        let call = self.call(Service::Iam, "CreateAccessKey");
        self.check_changes(&call)?;
        let label = user_agent_label(nonce);
        let config = self
            .iam_config(Connection::Fresh, Some(label.clone()))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .app_name(app_name(&label));
        let client = aws_sdk_iam::Client::from_conf(config.build());
        let request = client.create_access_key().user_name(user.as_str());
        let answer = self.send(&call, request.send()).await?;
        let key = present(&call, "AccessKey", answer.access_key())?;
        let secret = SecretAccessKey::parse(key.secret_access_key().to_owned())
            .map_err(|error| AwsError::malformed(&call, format!("SecretAccessKey: {error}")))?;
        about(&call, Some(user), Some(key.user_name()))?;
        Ok(NewKey {
            id: parse(&call, "AccessKeyId", key.access_key_id())?,
            secret,
            created_at: key.create_date().map(|date| timestamp(&call, date)).transpose()?,
        })
    }

    /// `iam:UpdateAccessKey`: activates or deactivates a key of `user`.
    pub async fn update_access_key(
        &self,
        user: &UserName,
        key: &AccessKeyId,
        status: KeyStatus,
    ) -> Result<KeyChange, AwsError> {
        self.update_access_key_answered(user, key, status).await.map(|answered| answered.change)
    }

    /// The same, with AWS's name for the request.
    pub async fn update_access_key_answered(
        &self,
        user: &UserName,
        key: &AccessKeyId,
        status: KeyStatus,
    ) -> Result<Answered, AwsError> {
        self.check_changes(&self.call(Service::Iam, "UpdateAccessKey"))?;
        self.send_update(user, key, status).await
    }

    /// The same wherever it goes: for probes with a key that is nobody's.
    pub(super) async fn send_update(
        &self,
        user: &UserName,
        key: &AccessKeyId,
        status: KeyStatus,
    ) -> Result<Answered, AwsError> {
        let call = self.call(Service::Iam, "UpdateAccessKey");
        let status = match status {
            KeyStatus::Active => StatusType::Active,
            KeyStatus::Inactive => StatusType::Inactive,
        };
        let request = self.iam_unrepeated().update_access_key();
        let request = request.user_name(user.as_str()).access_key_id(key.as_str()).status(status);
        gone_is_an_answer(self.send_change(&call, || request.clone().send()).await)
    }

    /// `iam:DeleteAccessKey` of `user`.
    pub async fn delete_access_key(&self, user: &UserName, key: &AccessKeyId) -> Result<KeyChange, AwsError> {
        self.delete_access_key_answered(user, key).await.map(|answered| answered.change)
    }

    /// The same, with AWS's name for the request.
    pub async fn delete_access_key_answered(&self, user: &UserName, key: &AccessKeyId) -> Result<Answered, AwsError> {
        self.check_changes(&self.call(Service::Iam, "DeleteAccessKey"))?;
        self.send_delete(user, key).await
    }

    /// The same wherever it goes: for probes with a key that is nobody's.
    pub(super) async fn send_delete(&self, user: &UserName, key: &AccessKeyId) -> Result<Answered, AwsError> {
        let call = self.call(Service::Iam, "DeleteAccessKey");
        let request = self.iam_unrepeated().delete_access_key();
        let request = request.user_name(user.as_str()).access_key_id(key.as_str());
        gone_is_an_answer(self.send_change(&call, || request.clone().send()).await)
    }

    /// Deletes a key that was made moments ago, and that nobody will ever want back: a lost answer is asked for again. A
    /// part of AWS that lags says of the key that it does not exist: that is no answer until the list agrees, and not at
    /// once.
    pub async fn delete_new_access_key(&self, user: &UserName, key: &AccessKeyId) -> Result<(), AwsError> {
        let mut lost = None;
        for _ in 0..DELETE_NEW_TRIES {
            lost = match self.delete_access_key(user, key).await {
                Ok(KeyChange::Done) => return Ok(()),
                Ok(KeyChange::Gone) => None,
                Err(error) if error.is_transient() => Some(error),
                Err(error) => return Err(error),
            };
            AsyncSleep::sleep(&self.aws.sleep(), DELETE_NEW_GAP).await;
        }
        if let Some(error) = lost {
            return Err(error);
        }
        if self.access_keys(Some(user)).await?.iter().any(|listed| listed.id == *key) {
            let call = self.call(Service::Iam, "DeleteAccessKey");
            return Err(AwsError::malformed(&call, "AWS lists the key, and says of it that it does not exist"));
        }
        Ok(())
    }

    /// `iam:GetAccessKeyLastUsed`: when, where and for what the key was last used, and whose it is.
    pub async fn access_key_last_used(&self, key: &AccessKeyId) -> Result<(LastUsed, Option<UserName>), AwsError> {
        let call = self.call(Service::Iam, "GetAccessKeyLastUsed");
        let request = self.iam().get_access_key_last_used().access_key_id(key.as_str());
        let answer = self.send(&call, request.send()).await?;
        let owner = answer.user_name().map(|name| parse(&call, "UserName", name)).transpose()?;
        let last = present(&call, "AccessKeyLastUsed", answer.access_key_last_used())?;
        let used = match last.last_used_date() {
            None => LastUsed::Never,
            Some(date) => LastUsed::At {
                at: timestamp(&call, date)?,
                service: last.service_name().to_owned(),
                region: last.region().to_owned(),
            },
        };
        Ok((used, owner))
    }

    /// `sts:GetAccessKeyInfo`: the account that a key belongs to, whether or not it is active.
    pub async fn access_key_account(&self, key: &AccessKeyId) -> Result<AccountId, AwsError> {
        let call = self.call(Service::Sts, "GetAccessKeyInfo");
        let request = self.sts().get_access_key_info().access_key_id(key.as_str());
        let answer = self.send(&call, request.send()).await?;
        parse(&call, "Account", present(&call, "Account", answer.account())?)
    }

    /// `sts:GetSessionToken` with an MFA code: without one, the session could not call IAM at all. Sent once, since a
    /// code is good for one use.
    pub async fn session(&self, mfa: MfaToken<'_>, duration: Option<Duration>) -> Result<Credentials, AwsError> {
        let call = self.call(Service::Sts, "GetSessionToken");
        let request = self.sts_once().get_session_token().serial_number(mfa.serial).token_code(mfa.code);
        let request = request.set_duration_seconds(duration.map(whole_seconds));
        let answer = self.send(&call, request.send()).await?;
        session_credentials(&call, answer.credentials())
    }

    /// `sts:AssumeRole`. Sent once when it carries an MFA code.
    pub async fn assume_role(&self, ask: AssumeRole<'_>) -> Result<Credentials, AwsError> {
        let call = self.call(Service::Sts, "AssumeRole");
        let sts = if ask.mfa.is_some() { self.sts_once() } else { self.sts().clone() };
        let request = sts
            .assume_role()
            .role_arn(ask.role_arn)
            .role_session_name(ask.session_name)
            .set_external_id(ask.external_id.map(str::to_owned))
            .set_serial_number(ask.mfa.as_ref().map(|mfa| mfa.serial.to_owned()))
            .set_token_code(ask.mfa.as_ref().map(|mfa| mfa.code.to_owned()))
            .set_duration_seconds(ask.duration.map(whole_seconds))
            .set_source_identity(ask.source_identity.map(str::to_owned))
            .set_policy(ask.policy.map(str::to_owned));
        let answer = self.send(&call, request.send()).await?;
        session_credentials(&call, answer.credentials())
    }

    /// `iam:GetRole`: the whole ARN of a role, whose path no session tells.
    pub async fn role_arn(&self, name: &str) -> Result<String, AwsError> {
        let call = self.call(Service::Iam, "GetRole");
        let answer = self.send(&call, self.iam().get_role().role_name(name).send()).await?;
        Ok(present(&call, "Role", answer.role())?.arn().to_owned())
    }

    /// `iam:SimulatePrincipalPolicy`: how IAM decides on each action. The answers come in the order asked.
    pub async fn simulate(&self, ask: Simulation<'_>) -> Result<Vec<Simulated>, AwsError> {
        let call = self.call(Service::Iam, "SimulatePrincipalPolicy");
        let fact = |(name, fact): &(&str, Fact)| {
            let (kind, value) = match fact {
                Fact::Truth(truth) => (ContextKeyTypeEnum::Boolean, truth.to_string()),
                Fact::Text(text) => (ContextKeyTypeEnum::String, text.clone()),
            };
            ContextEntry::builder().context_key_name(*name).context_key_type(kind).context_key_values(value).build()
        };
        let mut decided: BTreeMap<String, Simulated> = BTreeMap::new();
        let mut pages = Pages::new(&call);
        loop {
            let request = self
                .iam()
                .simulate_principal_policy()
                .policy_source_arn(ask.principal)
                .set_action_names(Some(ask.actions.iter().map(|action| (*action).to_owned()).collect()))
                .resource_arns(ask.resource)
                .set_context_entries(Some(ask.facts.iter().map(fact).collect()))
                .set_marker(pages.marker());
            let answer = self.send(&call, request.send()).await?;
            for result in answer.evaluation_results() {
                let name = result.eval_action_name();
                if !ask.actions.iter().any(|action| action.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let one = decided.entry(name.to_ascii_lowercase()).or_insert_with(|| Simulated {
                    action: name.to_owned(),
                    is_allowed: true,
                    is_explicit: false,
                    by_organization: false,
                    missing_facts: BTreeSet::new(),
                });
                // Several rows for one action (one a resource) must all allow it.
                one.is_allowed &= *result.eval_decision() == PolicyEvaluationDecisionType::Allowed;
                one.is_explicit |= *result.eval_decision() == PolicyEvaluationDecisionType::ExplicitDeny;
                let organization = result.organizations_decision_detail();
                one.by_organization |= organization.is_some_and(|detail| !detail.allowed_by_organizations());
                one.missing_facts.extend(result.missing_context_values().iter().cloned());
                for resource in result.resource_specific_results() {
                    one.missing_facts.extend(resource.missing_context_values().iter().cloned());
                }
            }
            if !pages.advance(answer.is_truncated(), answer.marker())? {
                break;
            }
        }
        let find = |action: &&str| {
            let one = decided.get(&action.to_ascii_lowercase());
            let missing = || AwsError::malformed(&call, format!("it says nothing of {action}"));
            one.map(|one| Simulated { action: (*action).to_owned(), ..one.clone() }).ok_or_else(missing)
        };
        ask.actions.iter().map(find).collect()
    }

    /// The last gate before a change is sent; verbs ask before they begin.
    pub(super) fn check_changes(&self, call: &Call) -> Result<(), AwsError> {
        self.aws
            .check_changes(&self.target)
            .map_err(|foreign| AwsError::ForeignEndpoint { call: Box::new(call.clone()), foreign: Box::new(foreign) })
    }

    /// The same before a key is handed to a service that keeps it: its own endpoint counts as well.
    pub(super) fn check_keeping(&self, service: Service, call: &Call) -> Result<(), AwsError> {
        self.check_changes(call)?;
        self.aws
            .options()
            .check_place(service, &self.target)
            .map_err(|foreign| AwsError::ForeignEndpoint { call: Box::new(call.clone()), foreign: Box::new(foreign) })
    }

    pub(crate) fn call(&self, service: Service, operation: &str) -> Call {
        Call {
            operation: format!("{}:{operation}", service.name()),
            endpoint: authority(&self.aws.endpoint_url(service, &self.target)),
            key: Some(self.credentials.key().clone()),
        }
    }

    pub(crate) fn context(&self, call: &Call) -> Context<'_> {
        Context {
            call: call.clone(),
            credentials: Some(&self.credentials),
            skew_seconds: self.aws.skew_seconds(&call.endpoint),
        }
    }

    /// Sends a request when it is its turn. The clocks of the SDK's time limits start after that, so waiting for it makes
    /// no outcome unknown. On the heap, for the SDK's requests are tens of kilobytes.
    pub(super) fn send<'a, T: 'a, E: ProvideErrorMetadata + 'a>(
        &'a self,
        call: &'a Call,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, AwsError>> {
        let request = request.boxed();
        async move {
            let _turn = self.aws.turn(call).await;
            request.await.map_err(|error| self.error(call, &error))
        }
        .boxed()
    }

    /// Sends a change of a key; again only when nothing was done for sure.
    pub(super) async fn send_change<T, E, F>(
        &self,
        call: &Call,
        request: impl Fn() -> F,
    ) -> Result<Option<String>, AwsError>
    where
        T: RequestId,
        E: ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let mut pause = self.aws.options().initial_backoff;
        for _ in 1..self.aws.options().attempts {
            match self.send(call, request()).await {
                Err(error) if error.is_transient() && error.outcome_is_known() => {
                    tracing::debug!(%error, "nothing was done; sending it again");
                    AsyncSleep::sleep(&self.aws.sleep(), pause).await;
                    pause *= 2;
                }
                answer => return answer.map(|answer| answer.request_id().map(str::to_owned)),
            }
        }
        self.send(call, request()).await.map(|answer| answer.request_id().map(str::to_owned))
    }

    fn error<E: ProvideErrorMetadata>(&self, call: &Call, error: &SdkError<E, HttpResponse>) -> AwsError {
        classify(error, &self.context(call))
    }

    pub(super) fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| {
            let config = self.iam_config(Connection::Pooled, None);
            aws_sdk_iam::Client::from_conf(config.build())
        })
    }

    /// A client that sends each request once.
    pub(super) fn iam_unrepeated(&self) -> &aws_sdk_iam::Client {
        self.iam_unrepeated.get_or_init(|| {
            let config = self.iam_config(Connection::Pooled, None).retry_config(RetryConfig::disabled());
            aws_sdk_iam::Client::from_conf(config.build())
        })
    }

    pub(super) fn organizations(&self) -> &aws_sdk_organizations::Client {
        self.organizations.get_or_init(|| {
            let config = self.sdk_config(Service::Organizations, Connection::Pooled, None);
            let builder = aws_sdk_organizations::config::Builder::from(&config).retry_partition(self.retry_partition());
            aws_sdk_organizations::Client::from_conf(builder.build())
        })
    }

    fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| self.sts_client(Connection::Pooled))
    }

    fn sts_client(&self, connection: Connection) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::from_conf(self.sts_config(connection).build())
    }

    fn sts_once(&self) -> aws_sdk_sts::Client {
        let config = self.sts_config(Connection::Fresh).retry_config(RetryConfig::disabled());
        aws_sdk_sts::Client::from_conf(config.build())
    }

    fn iam_config(&self, connection: Connection, user_agent: Option<String>) -> aws_sdk_iam::config::Builder {
        let config = self.sdk_config(Service::Iam, connection, user_agent);
        aws_sdk_iam::config::Builder::from(&config).retry_partition(self.retry_partition())
    }

    fn sts_config(&self, connection: Connection) -> aws_sdk_sts::config::Builder {
        let config = self.sdk_config(Service::Sts, connection, None);
        aws_sdk_sts::config::Builder::from(&config).retry_partition(self.retry_partition())
    }

    /// What the clients of all services share.
    fn sdk_config(&self, service: Service, connection: Connection, user_agent: Option<String>) -> SdkConfig {
        let region = match service {
            Service::Iam => self.aws.iam_region(&self.target),
            Service::Sts
            | Service::CloudTrail
            | Service::Organizations
            | Service::SecurityHub
            | Service::Sns
            | Service::Ses
            | Service::EventBridge
            | Service::Config
            | Service::Sqs
            | Service::S3
            | Service::Ec2
            | Service::Ebs
            | Service::Lambda
            | Service::Ecs
            | Service::CodeBuild
            | Service::Ssm
            | Service::SecretsManager
            | Service::AutoScaling
            | Service::CloudFormation
            | Service::ElasticBeanstalk => self.aws.options().region(&self.target),
        };
        let builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.aws.http_client(connection, user_agent))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.to_sdk()))
            .region(aws_types::region::Region::new(region.to_string()))
            .app_name(app_name("akia"))
            .sleep_impl(self.aws.sleep())
            .time_source(self.aws.time())
            .timeout_config(self.aws.timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(self.retries());
        match self.aws.options().endpoint(service, &self.target) {
            Some(url) => builder.endpoint_url(url.as_str()).build(),
            None => builder.use_fips(self.aws.options().use_fips).build(),
        }
    }

    fn retry_partition(&self) -> RetryPartition {
        self.aws.retry_partition(self.credentials.key())
    }

    fn retries(&self) -> RetryConfig {
        let options = self.aws.options();
        // The SDK's limiter waits for time to pass on the clock that signs; one that stands still would hold it for ever.
        let is_adaptive = options.adaptive && options.time.is_none();
        let config = if is_adaptive { RetryConfig::adaptive() } else { RetryConfig::standard() };
        config
            .with_max_attempts(options.attempts)
            .with_initial_backoff(options.initial_backoff)
            .with_max_backoff(options.longest_backoff)
    }
}

/// `NoSuchEntity` of an idempotent change is not a failure.
fn gone_is_an_answer(answer: Result<Option<String>, AwsError>) -> Result<Answered, AwsError> {
    match answer {
        Ok(request_id) => Ok(Answered { change: KeyChange::Done, request_id }),
        Err(AwsError::NoSuchEntity { .. }) => Ok(Answered { change: KeyChange::Gone, request_id: None }),
        Err(error) => Err(error),
    }
}

/// The markers of a listing: no end without a limit, and no going round in circles.
pub(super) struct Pages<'a> {
    call: &'a Call,
    most: usize,
    seen: Vec<String>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(call: &'a Call) -> Self {
        Self::up_to(call, PAGE_LIMIT)
    }

    /// For listings that have more pages than most.
    pub(super) fn up_to(call: &'a Call, most: usize) -> Self {
        Self { call, most, seen: Vec::new() }
    }

    pub(super) fn marker(&self) -> Option<String> {
        self.seen.last().cloned()
    }

    /// Whether another page is to be read.
    pub(super) fn advance(&mut self, truncated: bool, marker: Option<&str>) -> Result<bool, AwsError> {
        if !truncated {
            return Ok(false);
        }
        let marker = present(self.call, "Marker", marker)?;
        if marker.len() > MARKER_LIMIT {
            return Err(AwsError::malformed(self.call, format!("its Marker is longer than {MARKER_LIMIT} bytes")));
        }
        if self.seen.iter().any(|seen| seen == marker) {
            return Err(AwsError::malformed(self.call, "its pages go round in circles"));
        }
        if self.seen.len() + 1 >= self.most {
            return Err(AwsError::malformed(self.call, format!("it has more than {} pages", self.most)));
        }
        self.seen.push(marker.to_owned());
        Ok(true)
    }
}

fn session_credentials(
    call: &Call,
    credentials: Option<&aws_sdk_sts::types::Credentials>,
) -> Result<Credentials, AwsError> {
    let credentials = present(call, "Credentials", credentials)?;
    let secret = SecretAccessKey::parse(credentials.secret_access_key().to_owned())
        .map_err(|error| AwsError::malformed(call, format!("SecretAccessKey: {error}")))?;
    let token = credentials.session_token();
    if token.is_empty() || token.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(AwsError::malformed(call, "SessionToken is empty or holds white space"));
    }
    let key = parse(call, "AccessKeyId", credentials.access_key_id())?;
    let expires_at = timestamp(call, credentials.expiration())?;
    Ok(Credentials::for_session(key, secret, token.to_owned(), Some(expires_at)))
}

pub(super) fn key_status(call: &Call, status: Option<&StatusType>) -> Result<KeyStatus, AwsError> {
    match present(call, "Status", status)? {
        StatusType::Active => Ok(KeyStatus::Active),
        // Expired is a state of service-specific credentials; should a key ever have it, it does not sign either.
        StatusType::Inactive | StatusType::Expired => Ok(KeyStatus::Inactive),
        _ => Err(AwsError::malformed(call, "Status is none that akia knows")),
    }
}

pub(crate) fn present<T>(call: &Call, field: &str, value: Option<T>) -> Result<T, AwsError> {
    value.ok_or_else(|| AwsError::malformed(call, format!("{field} is missing")))
}

/// Refuses an answer about another user than the one that was asked about. IAM's names ignore case; an emulator may
/// leave the name out.
fn about(call: &Call, asked: Option<&UserName>, answered: Option<&str>) -> Result<(), AwsError> {
    match (asked, answered) {
        (Some(asked), Some(answered)) if !answered.is_empty() && !answered.eq_ignore_ascii_case(asked.as_str()) => {
            Err(AwsError::malformed(call, "it tells of another user"))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

pub(crate) fn parse<T: std::str::FromStr>(call: &Call, field: &str, text: &str) -> Result<T, AwsError> {
    text.parse().map_err(|_| AwsError::malformed(call, format!("{field} is not well formed")))
}

pub(super) fn timestamp(call: &Call, date: &DateTime) -> Result<Timestamp, AwsError> {
    let nanos = i32::try_from(date.subsec_nanos()).unwrap_or(0);
    Timestamp::new(date.secs(), nanos).map_err(|_| AwsError::malformed(call, "a date in it is out of range"))
}

/// Lifetimes beyond any that AWS grants are cut, and AWS refuses them.
fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// `akia-<nonce>`, with nothing in it that a user agent may not hold.
fn user_agent_label(nonce: &str) -> String {
    let nonce: String = nonce.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    format!("akia-{nonce}")
}

fn app_name(label: &str) -> AppName {
    #[expect(clippy::expect_used, reason = "labels hold letters, digits and hyphens only")]
    AppName::new(label.to_owned()).expect("a valid app name")
}
