//! The way to AWS that all callers of one run share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

use akia_core::ids::{AccessKeyId, Partition, Region};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::{ClientRateLimiter, RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::caller::Caller;
use super::credentials::Credentials;
use super::endpoint::ForeignEndpoint;
use super::error::{AwsError, Call, Context, classify};
use super::http::{Calls, Connection, Wire, WireClient};
use super::options::{AwsOptions, Service, Target};
use super::pace::{Paces, Turn};
use super::unlogged::unlogged;

/// The way to AWS: one HTTP client, clock, set of endpoints and call counter. Cheap to clone, and to build: nothing is
/// opened or loaded before the first call.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    options: AwsOptions,
    wire: Arc<Wire>,
    retry_partitions: Mutex<BTreeMap<AccessKeyId, RetryPartition>>,
    /// Of each host.
    turns: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Aws {
    /// The way that `options` describe.
    #[must_use]
    pub fn new(options: AwsOptions) -> Self {
        let wire = Wire {
            replacement: options.http.clone(),
            time: options.time.clone().unwrap_or_default(),
            sleep: options.sleep.clone().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new())),
            connect_timeout: options.connect_timeout,
            ca_bundle: options.ca_bundle.clone(),
            proxies: options.proxies.clone(),
            calls: Mutex::new(Calls::default()),
            skew_seconds: Mutex::new(BTreeMap::new()),
            trusting: Mutex::default(),
            connectors: [const { OnceLock::new() }; 4],
            paces: options.at_once_per_operation.map(Paces::new),
        };
        Self(Arc::new(Inner {
            options,
            wire: Arc::new(wire),
            retry_partitions: Mutex::default(),
            turns: Mutex::default(),
        }))
    }

    /// An identity that can make calls to `target` (a region, a partition, or a profile's settings).
    pub fn caller(&self, credentials: Credentials, target: impl Into<Target>) -> Caller {
        Caller::new(self.clone(), credentials, target.into())
    }

    /// The options that it was built with.
    #[must_use]
    pub fn options(&self) -> &AwsOptions {
        &self.0.options
    }

    /// How many requests went out so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.0.wire.calls()
    }

    /// Seconds that AWS is ahead of this machine (negative: behind), to the second, from the `Date` header of the
    /// latest answer of STS; one small unsigned request is sent when there was none yet.
    pub async fn clock_skew(&self, target: impl Into<Target>) -> Result<i64, AwsError> {
        let target = target.into();
        let url = self.endpoint_url(Service::Sts, &target);
        let host = authority(&url);
        if let Some(seconds) = self.0.wire.skew_seconds(&host) {
            return Ok(seconds);
        }
        let call = Call { operation: "clock check".to_owned(), endpoint: host.clone(), key: None };
        let request =
            HttpRequest::get("/").map_err(|_| AwsError::malformed(&call, "the request could not be built"))?;
        // Any answer will do, whatever its status.
        let answered = self.send(Service::Sts, &url, request, true).await;
        match self.0.wire.skew_seconds(&host) {
            Some(seconds) => Ok(seconds),
            None => Err(match answered {
                Ok(_) => AwsError::malformed(&call, "it has no date header"),
                Err(error) => classify(&error, &Context { call, credentials: None, skew_seconds: None }),
            }),
        }
    }

    /// Whether keys may be changed at `target`: at AWS, on this machine, and where a person says so.
    pub fn check_changes(&self, target: &Target) -> Result<(), ForeignEndpoint> {
        self.options().check_changes(target)
    }

    /// Host of the STS endpoint of `target`.
    pub(crate) fn sts_host(&self, target: &Target) -> String {
        authority(&self.endpoint_url(Service::Sts, target))
    }

    /// Whether the STS endpoint of `target` has answered anything in this run.
    pub(crate) fn has_answered(&self, target: &Target) -> bool {
        self.0.wire.skew_seconds(&self.sts_host(target)).is_some()
    }

    /// Sends one request that we have signed ourselves, or not at all, and returns whatever answer comes. Nothing of it is logged:
    /// parameters and secrets are written this way, and what a scan reads may hold keys.
    pub(crate) async fn send(
        &self,
        service: Service,
        endpoint: &Url,
        request: HttpRequest,
        may_retry: bool,
    ) -> Result<HttpAnswer, SdkError<NeverError, HttpResponse>> {
        let attempts = if may_retry { 3 } else { 1 };
        let operation = Operation::builder()
            .service_name(service.name())
            .operation_name("signed by hand")
            .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest())
            .http_client(self.http_client(Connection::Pooled, None))
            .endpoint_url(endpoint.as_str().trim_end_matches('/'))
            .no_auth()
            .standard_retry(
                &RetryConfig::standard()
                    .with_max_attempts(attempts)
                    .with_initial_backoff(self.options().initial_backoff),
            )
            .timeout_config(self.timeouts())
            .sleep_impl(self.sleep())
            .time_source(self.time())
            .serializer(move |()| request.try_clone().ok_or_else(|| "the body cannot be sent".into()))
            .deserializer(|response: &HttpResponse| {
                Ok::<_, OrchestratorError<NeverError>>(HttpAnswer {
                    status: response.status().as_u16(),
                    code: response.headers().get("x-amzn-errortype").map(str::to_owned),
                    headers: response.headers().clone(),
                    body: response.body().bytes().unwrap_or_default().to_vec(),
                })
            })
            .build();
        unlogged(operation.invoke(())).await
    }

    pub(crate) fn http_client(&self, connection: Connection, user_agent: Option<String>) -> SharedHttpClient {
        SharedHttpClient::new(WireClient { wire: Arc::clone(&self.0.wire), connection, user_agent })
    }

    pub(super) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.0.wire)
    }

    pub(crate) fn sleep(&self) -> SharedAsyncSleep {
        self.0.wire.sleep.clone()
    }

    pub(crate) fn time(&self) -> SharedTimeSource {
        self.0.wire.time.clone()
    }

    /// Retry budget and rate are one key's own: a throttled account must not slow the others down. They are kept here,
    /// since the SDK's named partitions are the whole process's.
    pub(crate) fn retry_partition(&self, key: &AccessKeyId) -> RetryPartition {
        let mut partitions = self.0.retry_partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let now = self.time().now().duration_since(UNIX_EPOCH).unwrap_or_default();
            RetryPartition::custom(format!("akia-{key}"))
                .token_bucket(TokenBucket::default())
                .client_rate_limiter(ClientRateLimiter::new(now.as_secs_f64()))
                .build()
        };
        partitions.entry(key.clone()).or_insert_with(make).clone()
    }

    /// Waits for a turn of the key and operation and then for one at the host, and holds both until dropped.
    pub(crate) async fn turn(&self, call: &Call) -> (Option<Turn>, Option<OwnedSemaphorePermit>) {
        let own = match (&self.0.wire.paces, &call.key) {
            (Some(paces), Some(key)) => Some(paces.turn(key.as_str(), operation_name(&call.operation)).await),
            (None | Some(_), _) => None,
        };
        let turns = {
            let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let make = || Arc::new(Semaphore::new(self.options().at_once.max(1)));
            Arc::clone(turns.entry(call.endpoint.clone()).or_insert_with(make))
        };
        // It is never closed; were it, going ahead would be right.
        (own, turns.acquire_owned().await.ok())
    }

    /// Forgets what is kept of a key that signs nothing any more: an organisation has thousands of sessions.
    pub fn forget(&self, key: &AccessKeyId) {
        self.0.retry_partitions.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(paces) = &self.0.wire.paces {
            paces.forget(key.as_str());
        }
    }

    pub(crate) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.options().connect_timeout)
            .operation_attempt_timeout(self.options().attempt_timeout)
            .operation_timeout(self.options().operation_timeout)
            .build()
    }

    pub(crate) fn skew_seconds(&self, host: &str) -> Option<i64> {
        self.0.wire.skew_seconds(host)
    }

    /// The region to sign IAM for. IAM lives in one region of its partition, whatever region the user works in; the SDK
    /// knows that for AWS's endpoints, but signs for the given region when the endpoint is overridden.
    pub(crate) fn iam_region(&self, target: &Target) -> Region {
        let region = self.options().region(target);
        let foreign = ["us-iso", "eu-isoe", "eusc-"].iter().any(|prefix| region.as_str().starts_with(prefix));
        if self.options().endpoint(Service::Iam, target).is_some() && !foreign {
            Partition::of_region(&region).iam_region()
        } else {
            region
        }
    }

    /// Where calls to `service` go.
    pub(crate) fn endpoint_url(&self, service: Service, target: &Target) -> Url {
        if let Some(url) = self.options().endpoint(service, target) {
            return url.clone();
        }
        self.home_endpoint(service, &self.options().region(target))
    }

    /// AWS's own endpoint of `service` in `region`.
    pub(crate) fn home_endpoint(&self, service: Service, region: &Region) -> Url {
        let partition = Partition::of_region(region);
        let fips = if self.options().use_fips { "-fips" } else { "" };
        let suffix = if partition == Partition::AwsCn { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = match (service, partition) {
            (Service::Iam, Partition::Aws) => format!("iam{fips}.amazonaws.com"),
            (Service::Iam, Partition::AwsCn) => format!("iam.cn-north-1.{suffix}"),
            (Service::Iam, Partition::AwsUsGov) => "iam.us-gov.amazonaws.com".to_owned(),
            // The plain regional names of GovCloud are FIPS endpoints themselves.
            (Service::Sts, Partition::AwsUsGov) => format!("sts.{region}.{suffix}"),
            (Service::Sts, _) => format!("sts{fips}.{region}.{suffix}"),
            (Service::CloudTrail, Partition::AwsUsGov) => format!("cloudtrail.{region}.{suffix}"),
            (Service::CloudTrail, _) => format!("cloudtrail{fips}.{region}.{suffix}"),
            (Service::Organizations, Partition::Aws) => format!("organizations{fips}.us-east-1.{suffix}"),
            (Service::Organizations, Partition::AwsCn) => format!("organizations.cn-northwest-1.{suffix}"),
            (Service::Organizations, Partition::AwsUsGov) => format!("organizations.us-gov-west-1.{suffix}"),
            (Service::SecurityHub, _) => format!("securityhub{fips}.{region}.{suffix}"),
            (Service::Sns, Partition::AwsUsGov) => format!("sns.{region}.{suffix}"),
            (Service::Sns, _) => format!("sns{fips}.{region}.{suffix}"),
            (Service::Ses, _) => format!("email{fips}.{region}.{suffix}"),
            (Service::EventBridge, Partition::AwsUsGov) => format!("events.{region}.{suffix}"),
            (Service::EventBridge, _) => format!("events{fips}.{region}.{suffix}"),
            (
                Service::Config
                | Service::Sqs
                | Service::Ec2
                | Service::Ssm
                | Service::AutoScaling
                | Service::CloudFormation
                | Service::ElasticBeanstalk,
                Partition::AwsUsGov,
            ) => format!("{}.{region}.{suffix}", service.name()),
            (
                Service::Config
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
                | Service::ElasticBeanstalk,
                _,
            ) => format!("{}{fips}.{region}.{suffix}", service.name()),
        };
        #[expect(
            clippy::expect_used,
            reason = "a region holds letters, digits and hyphens only, so this is a host name"
        )]
        Url::parse(&format!("https://{host}")).expect("a valid url")
    }
}

/// An answer to a request of our own.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// The error of an operation that takes every answer.
#[derive(Debug, thiserror::Error)]
#[error("never")]
pub(crate) enum NeverError {}

impl aws_smithy_types::error::metadata::ProvideErrorMetadata for NeverError {
    fn meta(&self) -> &aws_smithy_types::error::ErrorMetadata {
        match *self {}
    }
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::CloudTrail => "cloudtrail",
            Self::Organizations => "organizations",
            Self::SecurityHub => "securityhub",
            Self::Sns => "sns",
            Self::Ses => "ses",
            Self::EventBridge => "events",
            Self::Config => "config",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::Ec2 => "ec2",
            Self::Ebs => "ebs",
            Self::Lambda => "lambda",
            Self::Ecs => "ecs",
            Self::CodeBuild => "codebuild",
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
            Self::AutoScaling => "autoscaling",
            Self::CloudFormation => "cloudformation",
            Self::ElasticBeanstalk => "elasticbeanstalk",
        }
    }
}

/// `ListUsers` of `iam:ListUsers`.
fn operation_name(operation: &str) -> &str {
    operation.split_once(':').map_or(operation, |(_, name)| name)
}

/// Host and port of a URL, as the `Host` header has them.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn building_it_costs_next_to_nothing() {
        let start = std::time::Instant::now();
        for _ in 0..100 {
            let _aws = Aws::new(AwsOptions::default());
        }
        assert!(start.elapsed().as_millis() < 100, "one takes less than a millisecond");
    }

    #[test]
    fn our_idea_of_the_endpoints_is_the_sdks() {
        use aws_sdk_iam::config::endpoint::ResolveEndpoint as _;
        use aws_sdk_organizations::config::endpoint::ResolveEndpoint as _;
        use aws_sdk_sts::config::endpoint::ResolveEndpoint as _;
        use futures_util::FutureExt;
        for region in ["us-east-1", "eu-west-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1", "us-gov-east-1"] {
            for use_fips in [false, true] {
                if use_fips && region.starts_with("cn-") {
                    continue; // China has no FIPS endpoints.
                }
                let aws = Aws::new(AwsOptions { use_fips, ..AwsOptions::default() });
                let target = Target::from(region.parse::<Region>().unwrap());
                let iam = aws_sdk_iam::config::endpoint::Params::builder().region(region).use_fips(use_fips);
                let iam = aws_sdk_iam::config::endpoint::DefaultResolver::new()
                    .resolve_endpoint(&iam.build().unwrap())
                    .now_or_never()
                    .unwrap()
                    .unwrap();
                assert_eq!(iam.url(), format!("https://{}", authority(&aws.endpoint_url(Service::Iam, &target))));
                let sts = aws_sdk_sts::config::endpoint::Params::builder().region(region).use_fips(use_fips);
                let sts = aws_sdk_sts::config::endpoint::DefaultResolver::new()
                    .resolve_endpoint(&sts.build().unwrap())
                    .now_or_never()
                    .unwrap()
                    .unwrap();
                assert_eq!(sts.url(), format!("https://{}", authority(&aws.endpoint_url(Service::Sts, &target))));
                let organizations =
                    aws_sdk_organizations::config::endpoint::Params::builder().region(region).use_fips(use_fips);
                let organizations = aws_sdk_organizations::config::endpoint::DefaultResolver::new()
                    .resolve_endpoint(&organizations.build().unwrap())
                    .now_or_never()
                    .unwrap()
                    .unwrap();
                let ours = authority(&aws.endpoint_url(Service::Organizations, &target));
                assert_eq!(organizations.url(), format!("https://{ours}"));
            }
        }
    }

    /// As botocore 1.43 resolves them from AWS's endpoint rules.
    #[test]
    fn the_services_that_we_sign_for_are_where_botocore_finds_them() {
        let plain_in_gov =
            [Service::Ec2, Service::Ssm, Service::AutoScaling, Service::CloudFormation, Service::ElasticBeanstalk];
        let fips_in_gov = [Service::Ebs, Service::Lambda, Service::Ecs, Service::CodeBuild, Service::SecretsManager];
        for service in plain_in_gov.into_iter().chain(fips_in_gov) {
            let name = service.name();
            let host = |region: &str, use_fips: bool| {
                let aws = Aws::new(AwsOptions { use_fips, ..AwsOptions::default() });
                authority(&aws.home_endpoint(service, &region.parse().unwrap()))
            };
            assert_eq!(host("eu-west-1", false), format!("{name}.eu-west-1.amazonaws.com"));
            assert_eq!(host("eu-west-1", true), format!("{name}-fips.eu-west-1.amazonaws.com"));
            assert_eq!(host("cn-north-1", false), format!("{name}.cn-north-1.amazonaws.com.cn"));
            assert_eq!(host("us-gov-west-1", false), format!("{name}.us-gov-west-1.amazonaws.com"));
            let fips = if fips_in_gov.contains(&service) { "-fips" } else { "" };
            assert_eq!(host("us-gov-west-1", true), format!("{name}{fips}.us-gov-west-1.amazonaws.com"));
        }
    }

    #[test]
    fn an_overridden_iam_is_signed_for_the_home_region_of_its_partition() {
        let options = AwsOptions { endpoint_url: Url::parse("http://localhost:1").ok(), ..AwsOptions::default() };
        let aws = Aws::new(options);
        let region = |name: &str| aws.iam_region(&Target::from(name.parse::<Region>().unwrap()));
        assert_eq!(region("eu-west-1").as_str(), "us-east-1");
        assert_eq!(region("cn-northwest-1").as_str(), "cn-north-1");
        assert_eq!(region("us-iso-east-1").as_str(), "us-iso-east-1");
    }
}
