//! How AWS is reached: endpoints, region, timeouts, proxies, trust.
//!
//! Nothing here reads the process environment: [`AwsOptions::from_env`] gets a lookup, so that the precedence can be
//! tested and a library user decides. The order for endpoints is the AWS CLI's: `--endpoint-url`, then
//! `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the profile's `endpoint_url`, AWS's own.

use std::path::PathBuf;
use std::time::Duration;

use akia_core::ids::{Partition, ProfileName, Region};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use url::Url;

use super::endpoint::{EndpointHost, SetBy, is_this_machine};

/// The services that akia calls itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Users and keys; one endpoint a partition.
    Iam,
    /// Identity and sessions; regional endpoints.
    Sts,
    /// Who did what; regional endpoints.
    CloudTrail,
    /// The accounts of an organisation; one endpoint a partition.
    Organizations,
    /// Findings of an audit; regional endpoints.
    SecurityHub,
    /// Messages to topics; regional endpoints.
    Sns,
    /// Mail; regional endpoints.
    Ses,
    /// Events; regional endpoints.
    EventBridge,
    /// AWS Config; regional endpoints.
    Config,
    /// Queues; regional endpoints.
    Sqs,
    /// Objects; regional endpoints, with the bucket in the path.
    S3,
    /// Instances, launch templates, images, snapshots; regional endpoints.
    Ec2,
    /// The blocks of snapshots; regional endpoints.
    Ebs,
    /// Functions; regional endpoints.
    Lambda,
    /// Task definitions; regional endpoints.
    Ecs,
    /// Projects of builds; regional endpoints.
    CodeBuild,
    /// Parameters; regional endpoints.
    Ssm,
    /// Secrets; regional endpoints.
    SecretsManager,
    /// Launch configurations; regional endpoints.
    AutoScaling,
    /// Stacks; regional endpoints.
    CloudFormation,
    /// Environments of Elastic Beanstalk; regional endpoints.
    ElasticBeanstalk,
}

impl Service {
    /// Those whose word decides on changes of keys.
    pub(crate) const ALL: [Self; 3] = [Self::Iam, Self::Sts, Self::CloudTrail];
    /// Those that take messages, on whose receipts a change of a key may stand.
    pub(crate) const MESSENGERS: [Self; 4] = [Self::Sns, Self::Ses, Self::EventBridge, Self::SecurityHub];
    /// Those that keep keys, and are handed new ones.
    pub(crate) const KEEPERS: [Self; 2] = [Self::SecretsManager, Self::Ssm];
}

/// Endpoints that the environment sets, per service and for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentEndpoints {
    /// `AWS_ENDPOINT_URL`.
    pub all: Option<Url>,
    /// `AWS_ENDPOINT_URL_IAM`.
    pub iam: Option<Url>,
    /// `AWS_ENDPOINT_URL_STS`.
    pub sts: Option<Url>,
    /// `AWS_ENDPOINT_URL_CLOUDTRAIL`.
    pub cloudtrail: Option<Url>,
    /// `AWS_ENDPOINT_URL_ORGANIZATIONS`.
    pub organizations: Option<Url>,
    /// `AWS_ENDPOINT_URL_SECURITYHUB`.
    pub security_hub: Option<Url>,
    /// `AWS_ENDPOINT_URL_SNS`.
    pub sns: Option<Url>,
    /// `AWS_ENDPOINT_URL_SESV2`.
    pub ses: Option<Url>,
    /// `AWS_ENDPOINT_URL_EVENTBRIDGE`.
    pub event_bridge: Option<Url>,
    /// `AWS_ENDPOINT_URL_CONFIG_SERVICE`.
    pub config: Option<Url>,
    /// `AWS_ENDPOINT_URL_SQS`.
    pub sqs: Option<Url>,
    /// `AWS_ENDPOINT_URL_S3`.
    pub s3: Option<Url>,
    /// `AWS_ENDPOINT_URL_EC2`.
    pub ec2: Option<Url>,
    /// `AWS_ENDPOINT_URL_EBS`.
    pub ebs: Option<Url>,
    /// `AWS_ENDPOINT_URL_LAMBDA`.
    pub lambda: Option<Url>,
    /// `AWS_ENDPOINT_URL_ECS`.
    pub ecs: Option<Url>,
    /// `AWS_ENDPOINT_URL_CODEBUILD`.
    pub code_build: Option<Url>,
    /// `AWS_ENDPOINT_URL_SSM`.
    pub ssm: Option<Url>,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub secrets_manager: Option<Url>,
    /// `AWS_ENDPOINT_URL_AUTO_SCALING`.
    pub auto_scaling: Option<Url>,
    /// `AWS_ENDPOINT_URL_CLOUDFORMATION`.
    pub cloud_formation: Option<Url>,
    /// `AWS_ENDPOINT_URL_ELASTIC_BEANSTALK`.
    pub elastic_beanstalk: Option<Url>,
}

/// Proxies, as the usual variables name them. Values may hold a password, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Proxies {
    /// `HTTPS_PROXY`: for `https` endpoints.
    pub https: Option<String>,
    /// `HTTP_PROXY`: for `http` endpoints.
    pub http: Option<String>,
    /// `NO_PROXY`: hosts reached directly.
    pub no_proxy: Option<String>,
}

/// How to reach AWS. `AwsOptions::default()` is AWS itself, directly, without any setting of the environment.
#[derive(Clone)]
pub struct AwsOptions {
    /// `--endpoint-url`: beats every other endpoint setting.
    pub endpoint_url: Option<Url>,
    /// Endpoints of the environment.
    pub environment_endpoints: EnvironmentEndpoints,
    /// Whether endpoints of environment and profile are ignored (`AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`).
    pub ignore_configured_endpoints: bool,
    /// `--allow-endpoint`: hosts that keys may be changed at, although they are neither AWS nor this machine.
    pub allowed_endpoints: Vec<EndpointHost>,
    /// `--region`, else `AWS_REGION`, else `AWS_DEFAULT_REGION`: beats the profile's region.
    pub region: Option<Region>,
    /// Whether FIPS endpoints are used (`AWS_USE_FIPS_ENDPOINT`).
    pub use_fips: bool,
    /// `AWS_CA_BUNDLE`: these roots of trust instead of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Proxies.
    pub proxies: Proxies,
    /// Replaces the HTTP client: the sandbox's connector in tests.
    pub http: Option<SharedHttpClient>,
    /// The clock that signs; the system's by default.
    pub time: Option<SharedTimeSource>,
    /// The sleep between retries and for timeouts; tokio's by default.
    pub sleep: Option<SharedAsyncSleep>,
    /// Time to resolve, connect and greet (3.1 s by default: one SYN retransmission).
    pub connect_timeout: Duration,
    /// Time for one attempt, from sending to the last byte of the answer (15 s by default).
    pub attempt_timeout: Duration,
    /// Time for one call with all its attempts (45 s by default).
    pub operation_timeout: Duration,
    /// The first pause before a call is tried again; doubles each time, with chance (1 s by default, as in the SDK).
    pub initial_backoff: Duration,
    /// The longest of these pauses (20 s by default, as in the SDK).
    pub longest_backoff: Duration,
    /// Whether one throttled call slows all later ones of its key down (the SDK's adaptive mode; the default). It begins at
    /// one call in two seconds, which is right for a change and ruins a reading of thousands of users.
    pub adaptive: bool,
    /// Requests that are under way to one host at the same time (8 by default). The rates of IAM are a whole account's and
    /// unpublished: a burst of one for each of 50 profiles is throttled, and throttled requests take longer than a queue.
    /// The accounts of an organisation do not share them.
    pub at_once: usize,
    /// Requests of one key and operation that are under way at the same time at most, where that number follows the
    /// throttling that is seen ([`Self::at_once`] alone holds where there is none; the default).
    pub at_once_per_operation: Option<usize>,
    /// Attempts for calls that are safe to repeat (4 by default).
    pub attempts: u32,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            environment_endpoints: EnvironmentEndpoints::default(),
            ignore_configured_endpoints: false,
            allowed_endpoints: Vec::new(),
            region: None,
            use_fips: false,
            ca_bundle: None,
            proxies: Proxies::default(),
            http: None,
            time: None,
            sleep: None,
            connect_timeout: Duration::from_millis(3_100),
            attempt_timeout: Duration::from_secs(15),
            operation_timeout: Duration::from_secs(45),
            initial_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(20),
            adaptive: true,
            at_once: 8,
            at_once_per_operation: None,
            attempts: 4,
        }
    }
}

/// A setting of the environment that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not a URL that a request can go to. The value is not repeated: it may hold a password.
    #[error("{variable}: {error}")]
    Endpoint {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        error: EndpointError,
    },
    /// Not a region.
    #[error("{variable}: {reason}")]
    Region {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl AwsOptions {
    /// Reads what the environment sets: `AWS_ENDPOINT_URL…`, `AWS_REGION`, `AWS_CA_BUNDLE`, `HTTPS_PROXY` and theirs.
    /// An empty variable counts as absent, as in the AWS CLI.
    pub fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        let text = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let flag = |name: &str| text(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let ignored = flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let endpoint = |variable: &'static str| {
            // What is not used is not judged.
            if ignored {
                return Ok(None);
            }
            let parse = |value: String| {
                parse_endpoint(value.trim()).map_err(|error| OptionsError::Endpoint { variable, error })
            };
            text(variable).map(parse).transpose()
        };
        let region = |variable: &'static str| {
            let parse = |value: String| {
                value.trim().parse().map_err(|error: akia_core::ids::IdError| OptionsError::Region {
                    variable,
                    reason: error.to_string(),
                })
            };
            text(variable).map(parse).transpose()
        };
        // The lower-case form wins in curl and in Python, and so in the AWS CLI.
        let either = |lower: &str, upper: &str| text(lower).or_else(|| text(upper));
        let all = either("all_proxy", "ALL_PROXY");
        Ok(Self {
            environment_endpoints: EnvironmentEndpoints {
                all: endpoint("AWS_ENDPOINT_URL")?,
                iam: endpoint("AWS_ENDPOINT_URL_IAM")?,
                sts: endpoint("AWS_ENDPOINT_URL_STS")?,
                cloudtrail: endpoint("AWS_ENDPOINT_URL_CLOUDTRAIL")?,
                organizations: endpoint("AWS_ENDPOINT_URL_ORGANIZATIONS")?,
                security_hub: endpoint("AWS_ENDPOINT_URL_SECURITYHUB")?,
                sns: endpoint("AWS_ENDPOINT_URL_SNS")?,
                ses: endpoint("AWS_ENDPOINT_URL_SESV2")?,
                event_bridge: endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE")?,
                config: endpoint("AWS_ENDPOINT_URL_CONFIG_SERVICE")?,
                sqs: endpoint("AWS_ENDPOINT_URL_SQS")?,
                s3: endpoint("AWS_ENDPOINT_URL_S3")?,
                ec2: endpoint("AWS_ENDPOINT_URL_EC2")?,
                ebs: endpoint("AWS_ENDPOINT_URL_EBS")?,
                lambda: endpoint("AWS_ENDPOINT_URL_LAMBDA")?,
                ecs: endpoint("AWS_ENDPOINT_URL_ECS")?,
                code_build: endpoint("AWS_ENDPOINT_URL_CODEBUILD")?,
                ssm: endpoint("AWS_ENDPOINT_URL_SSM")?,
                secrets_manager: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
                auto_scaling: endpoint("AWS_ENDPOINT_URL_AUTO_SCALING")?,
                cloud_formation: endpoint("AWS_ENDPOINT_URL_CLOUDFORMATION")?,
                elastic_beanstalk: endpoint("AWS_ENDPOINT_URL_ELASTIC_BEANSTALK")?,
            },
            ignore_configured_endpoints: ignored,
            region: match region("AWS_REGION")? {
                Some(region) => Some(region),
                None => region("AWS_DEFAULT_REGION")?,
            },
            use_fips: flag("AWS_USE_FIPS_ENDPOINT"),
            ca_bundle: text("AWS_CA_BUNDLE").map(PathBuf::from),
            proxies: Proxies {
                https: either("https_proxy", "HTTPS_PROXY").or_else(|| all.clone()),
                http: either("http_proxy", "HTTP_PROXY").or(all),
                no_proxy: either("no_proxy", "NO_PROXY"),
            },
            ..Self::default()
        })
    }

    /// The endpoint that replaces AWS's own for `service`, if any.
    pub(crate) fn endpoint<'a>(&'a self, service: Service, target: &'a Target) -> Option<&'a Url> {
        self.endpoint_url.as_ref().or_else(|| self.configured_endpoint(service, target).map(|(url, _)| url))
    }

    /// The same without `--endpoint-url`, and who has set it.
    pub(crate) fn configured_endpoint<'a>(&'a self, service: Service, target: &'a Target) -> Option<(&'a Url, SetBy)> {
        if self.ignore_configured_endpoints {
            return None;
        }
        let environment = &self.environment_endpoints;
        let (own, variable) = match service {
            Service::Iam => (&environment.iam, "AWS_ENDPOINT_URL_IAM"),
            Service::Sts => (&environment.sts, "AWS_ENDPOINT_URL_STS"),
            Service::CloudTrail => (&environment.cloudtrail, "AWS_ENDPOINT_URL_CLOUDTRAIL"),
            Service::Organizations => (&environment.organizations, "AWS_ENDPOINT_URL_ORGANIZATIONS"),
            Service::SecurityHub => (&environment.security_hub, "AWS_ENDPOINT_URL_SECURITYHUB"),
            Service::Sns => (&environment.sns, "AWS_ENDPOINT_URL_SNS"),
            Service::Ses => (&environment.ses, "AWS_ENDPOINT_URL_SESV2"),
            Service::EventBridge => (&environment.event_bridge, "AWS_ENDPOINT_URL_EVENTBRIDGE"),
            Service::Config => (&environment.config, "AWS_ENDPOINT_URL_CONFIG_SERVICE"),
            Service::Sqs => (&environment.sqs, "AWS_ENDPOINT_URL_SQS"),
            Service::S3 => (&environment.s3, "AWS_ENDPOINT_URL_S3"),
            Service::Ec2 => (&environment.ec2, "AWS_ENDPOINT_URL_EC2"),
            Service::Ebs => (&environment.ebs, "AWS_ENDPOINT_URL_EBS"),
            Service::Lambda => (&environment.lambda, "AWS_ENDPOINT_URL_LAMBDA"),
            Service::Ecs => (&environment.ecs, "AWS_ENDPOINT_URL_ECS"),
            Service::CodeBuild => (&environment.code_build, "AWS_ENDPOINT_URL_CODEBUILD"),
            Service::Ssm => (&environment.ssm, "AWS_ENDPOINT_URL_SSM"),
            Service::SecretsManager => (&environment.secrets_manager, "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            Service::AutoScaling => (&environment.auto_scaling, "AWS_ENDPOINT_URL_AUTO_SCALING"),
            Service::CloudFormation => (&environment.cloud_formation, "AWS_ENDPOINT_URL_CLOUDFORMATION"),
            Service::ElasticBeanstalk => (&environment.elastic_beanstalk, "AWS_ENDPOINT_URL_ELASTIC_BEANSTALK"),
        };
        let own = own.as_ref().map(|url| (url, SetBy::Variable(variable)));
        own.or_else(|| environment.all.as_ref().map(|url| (url, SetBy::Variable("AWS_ENDPOINT_URL"))))
            .or_else(|| Some((target.endpoint_url.as_ref()?, SetBy::Profile(target.endpoint_profile.clone()))))
    }

    /// The region that a call goes to: the option's, the target's, or the default partition's.
    pub(crate) fn region(&self, target: &Target) -> Region {
        self.region.clone().or_else(|| target.region.clone()).unwrap_or_else(|| Partition::Aws.iam_region())
    }
}

/// Where one profile's calls go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The profile's region; the partition follows from it.
    pub region: Option<Region>,
    /// The profile's `endpoint_url`.
    pub endpoint_url: Option<Url>,
    /// The profile that `endpoint_url` stands in.
    pub endpoint_profile: Option<ProfileName>,
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}

impl From<Region> for Target {
    fn from(region: Region) -> Self {
        Self { region: Some(region), ..Self::default() }
    }
}

impl From<Partition> for Target {
    fn from(partition: Partition) -> Self {
        partition.iam_region().into()
    }
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It does not parse.
    #[error("it is not a URL; write for example http://127.0.0.1:4566")]
    NotUrl,
    /// Neither http nor https.
    #[error("it must start with http:// or https://")]
    Scheme,
    /// Credentials in the URL.
    #[error("a user name or password must not stand in it")]
    UserInfo,
    /// A query or fragment.
    #[error("it must end with the host, port or path, without ? and #")]
    Query,
    /// Plain http over a network.
    #[error("plain http is taken for this machine only (localhost, 127.0.0.1, [::1]); use https://")]
    PlainHttp,
}

/// An endpoint out of a flag, a variable or a profile: https anywhere, plain http to this machine only. The error never
/// repeats the text.
pub fn parse_endpoint(text: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(text).map_err(|_| EndpointError::NotUrl)?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(EndpointError::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::UserInfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Query);
    }
    if url.host().is_none() {
        return Err(EndpointError::NotUrl);
    }
    if secure || is_this_machine(&url) { Ok(url) } else { Err(EndpointError::PlainHttp) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<AwsOptions, OptionsError> {
        AwsOptions::from_env(&|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn endpoints_have_the_precedence_of_the_aws_cli() {
        let profile = Target { endpoint_url: Url::parse("https://profile").ok(), ..Target::default() };
        let all = [("AWS_ENDPOINT_URL_IAM", "https://iam"), ("AWS_ENDPOINT_URL", "https://all")];
        let host = |options: &AwsOptions, service| {
            options.endpoint(service, &profile).and_then(|url| url.host_str().map(str::to_owned))
        };
        let mut options = from(&all).unwrap();
        assert_eq!(host(&options, Service::Iam).as_deref(), Some("iam"));
        assert_eq!(host(&options, Service::Sts).as_deref(), Some("all"));
        assert_eq!(host(&from(&[]).unwrap(), Service::Sts).as_deref(), Some("profile"));
        options.endpoint_url = Url::parse("https://flag").ok();
        assert_eq!(host(&options, Service::Iam).as_deref(), Some("flag"));
        let ignored = from(&[all[0], all[1], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]).unwrap();
        assert_eq!(host(&ignored, Service::Iam), None);
    }

    #[test]
    fn the_region_falls_back_to_the_home_of_iam() {
        let none = Target::default();
        assert_eq!(from(&[]).unwrap().region(&none).as_str(), "us-east-1");
        assert_eq!(from(&[]).unwrap().region(&Partition::AwsUsGov.into()).as_str(), "us-gov-west-1");
        let set = from(&[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_REGION", "")]).unwrap();
        assert_eq!(set.region(&Partition::AwsCn.into()).as_str(), "eu-west-1");
    }

    #[test]
    fn bad_settings_are_named_without_being_repeated() {
        let error = |variables: &[(&str, &str)]| from(variables).err().map(|error| error.to_string());
        let url = "AWS_ENDPOINT_URL";
        assert_eq!(
            error(&[(url, "localhost:5000")]).as_deref(),
            Some("AWS_ENDPOINT_URL: it must start with http:// or https://")
        );
        assert_eq!(
            error(&[(url, "https://ann:hunter2@example.com")]).as_deref(),
            Some("AWS_ENDPOINT_URL: a user name or password must not stand in it")
        );
        assert!(error(&[("AWS_REGION", "eu west 1")]).is_some_and(|text| text.starts_with("AWS_REGION: ")));
    }

    #[test]
    fn endpoints_are_https_or_this_machine() {
        for text in ["http://127.0.0.1:4566", "http://localhost:5000/", "http://[::1]:1", "https://iam.example.com/x"] {
            assert!(parse_endpoint(text).is_ok(), "{text}");
        }
        for (text, error) in [
            ("localhost:4566", EndpointError::Scheme),
            ("ftp://localhost", EndpointError::Scheme),
            ("", EndpointError::NotUrl),
            ("https://", EndpointError::NotUrl),
            ("https://user:pass@host", EndpointError::UserInfo),
            ("https://host/?x=1", EndpointError::Query),
            ("http://iam.example.com", EndpointError::PlainHttp),
            ("http://127.0.0.1.example.com", EndpointError::PlainHttp),
        ] {
            assert_eq!(parse_endpoint(text), Err(error), "{text}");
        }
    }
}
