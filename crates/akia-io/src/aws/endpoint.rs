//! Where changes may go.
//!
//! Whoever runs an endpoint can answer as AWS would, and hand out a key of theirs as the new one. So a change goes to
//! AWS, to this machine, or to a host that a person has typed: `--endpoint-url` is typed, a variable or a profile may be
//! planted. Reading goes anywhere: a signature reveals no secret and cannot be used again at another host.

use std::fmt;
use std::str::FromStr;

use akia_core::ids::ProfileName;
use url::{Host, Url};

use super::options::{AwsOptions, Service, Target};

/// A host that a person has allowed changes to, in the form that URLs have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHost(Host);

/// Why a text is not a host. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write the host alone, without https://, port and path, for example iam.example.com")]
pub struct EndpointHostError;

impl FromStr for EndpointHost {
    type Err = EndpointHostError;
    fn from_str(text: &str) -> Result<Self, EndpointHostError> {
        // No pattern: one that means every host would be typed once and kept for ever.
        if text.contains('*') {
            return Err(EndpointHostError);
        }
        Host::parse(text).map(Self).map_err(|_| EndpointHostError)
    }
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who named an endpoint, if it was not typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// A variable of the environment.
    Variable(&'static str),
    /// The `endpoint_url` of a profile, where the profile is known.
    Profile(Option<ProfileName>),
}

impl fmt::Display for SetBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => formatter.write_str(name),
            Self::Profile(Some(profile)) => write!(formatter, "endpoint_url of profile \"{profile}\""),
            Self::Profile(None) => formatter.write_str("endpoint_url of the profile"),
        }
    }
}

/// A change would go to a host that is neither AWS nor this machine, and that nobody has typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keys are not changed at {host}, which {set_by} names: it is neither AWS nor this machine")]
pub struct ForeignEndpoint {
    /// The host.
    pub host: EndpointHost,
    /// Who named it.
    pub set_by: SetBy,
}

impl ForeignEndpoint {
    /// What to do next: sentences or commands, most useful first.
    #[must_use]
    pub fn next_steps(&self) -> Vec<String> {
        let home = match &self.set_by {
            SetBy::Variable(name) => format!("unset {name}, if you did not set it (AWS is meant)"),
            SetBy::Profile(_) => {
                "remove the line, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true (AWS is meant)".to_owned()
            }
        };
        vec![home, format!("add --allow-endpoint {}, if you trust whoever runs it with your keys", self.host)]
    }
}

impl AwsOptions {
    /// Whether keys may be changed at `target`. All services are looked at: whom STS says a key is of, and what
    /// CloudTrail says of a key that was made, decides on changes as well.
    pub(crate) fn check_changes(&self, target: &Target) -> Result<(), ForeignEndpoint> {
        self.check_services(&Service::ALL, target)
    }

    /// Whether messages may be handed to `service`: who answers there could say that an owner was told.
    pub(crate) fn check_messages(&self, service: Service, target: &Target) -> Result<(), ForeignEndpoint> {
        self.check_services(&[service], target)
    }

    /// Whether keys may be handed to `service`, which keeps them.
    pub(crate) fn check_place(&self, service: Service, target: &Target) -> Result<(), ForeignEndpoint> {
        self.check_services(&[service], target)
    }

    fn check_services(&self, services: &[Service], target: &Target) -> Result<(), ForeignEndpoint> {
        if self.endpoint_url.is_some() {
            return Ok(());
        }
        for &service in services {
            let Some((url, set_by)) = self.configured_endpoint(service, target) else { continue };
            let Some(host) = url.host().map(|host| EndpointHost(host.to_owned())) else { continue };
            if !is_this_machine(url) && !is_aws(url) && !self.allowed_endpoints.contains(&host) {
                return Err(ForeignEndpoint { host, set_by });
            }
        }
        Ok(())
    }
}

/// Whether the host is this machine by its name or number.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether the host is an endpoint of a service that changes of keys, places or notices stand on. Not everything below `amazonaws.com` is: the names of an
/// API Gateway, a bucket or a load balancer belong to whoever has made them.
///
/// Source: AWS General Reference, "IAM endpoints and quotas", and its siblings; AWS PrivateLink, "VPC endpoint DNS names".
fn is_aws(url: &Url) -> bool {
    const SUFFIXES: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"];
    let Some(host) = url.host_str() else { return false };
    if url.scheme() != "https" {
        return false;
    }
    let Some(name) = SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix)) else { return false };
    let is_service = |label: &str| {
        let label = label.strip_suffix("-fips").unwrap_or(label);
        let named = Service::ALL.into_iter().chain(Service::MESSENGERS).chain(Service::KEEPERS);
        // SES is reached under another name than it signs with.
        named.into_iter().any(|service| service.name() == label && service != Service::Ses) || label == "email"
    };
    match *name.split('.').collect::<Vec<_>>() {
        [service] => is_service(service),
        [service, region] => is_service(service) && is_region(region),
        [endpoint, service, region, "vpce"] => {
            endpoint.starts_with("vpce-") && is_service(service) && is_region(region)
        }
        _ => false,
    }
}

/// `eu-west-1`, and what stands in its place for services without regions. Not `s3-us-west-2`: before that stands
/// the name of somebody's bucket.
fn is_region(label: &str) -> bool {
    if matches!(label, "global" | "us-gov") {
        return true;
    }
    let parts: Vec<&str> = label.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) => {
            words.len() >= 2
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn hosts_of_aws_are_told_from_those_of_its_customers() {
        for host in [
            "iam.amazonaws.com",
            "IAM.AmazonAWS.com",
            "iam-fips.amazonaws.com",
            "sts.amazonaws.com",
            "sts.eu-west-1.amazonaws.com",
            "sts-fips.us-east-1.amazonaws.com",
            "iam.us-gov.amazonaws.com",
            "iam.cn-north-1.amazonaws.com.cn",
            "cloudtrail.us-gov-east-1.amazonaws.com",
            "iam.global.api.aws",
            "sts.eu-west-1.api.aws",
            "vpce-0123-abcd.sts.eu-west-1.vpce.amazonaws.com",
            "secretsmanager.eu-west-1.amazonaws.com",
            "vpce-0123-abcd-eu-west-1a.iam.us-east-1.vpce.amazonaws.com",
        ] {
            assert!(is_aws(&url(&format!("https://{host}/"))), "{host}");
        }
        for host in [
            "amazonaws.com",
            "evil.amazonaws.com",
            "iam.amazonaws.com.evil.example",
            "iam-amazonaws.com",
            "xiam.amazonaws.com",
            "a1b2c3.execute-api.us-east-1.amazonaws.com",
            "iam.s3.amazonaws.com",
            "iam.s3-us-west-2.amazonaws.com",
            "sts.s3.us-west-2.amazonaws.com",
            "iam.us-east-1.elb.amazonaws.com",
            "ec2-203-0-113-9.compute-1.amazonaws.com",
            "vpce-0123-abcd.vpce-svc-0456.us-east-1.vpce.amazonaws.com",
            "vpce-0123.execute-api.us-east-1.vpce.amazonaws.com",
            "iam.api.aws.evil.example",
            "ïam.amazonaws.com",
            "127.0.0.1",
            "localhost",
        ] {
            assert!(!is_aws(&url(&format!("https://{host}/"))), "{host}");
        }
        assert!(!is_aws(&url("http://iam.amazonaws.com")), "whoever sits on the wire could answer");
    }

    #[test]
    fn this_machine_is_told_from_its_look_alikes() {
        for text in ["http://127.0.0.1:4566", "http://localhost:5000/", "http://[::1]:1", "http://a.localhost"] {
            assert!(is_this_machine(&url(text)), "{text}");
        }
        for text in
            ["https://127.0.0.1.example.com", "https://localhost.example.com", "https://0.0.0.0", "https://10.0.0.1"]
        {
            assert!(!is_this_machine(&url(text)), "{text}");
        }
    }

    #[test]
    fn changes_go_to_aws_to_this_machine_or_where_a_person_says() {
        let foreign = Target { endpoint_url: Url::parse("https://Keys.Example").ok(), ..Target::default() };
        let refused = |options: &AwsOptions, target: &Target| options.check_changes(target).err();
        let plain = AwsOptions::default();
        assert_eq!(refused(&plain, &Target::default()), None);
        let error = refused(&plain, &foreign).unwrap();
        assert_eq!(error.host.to_string(), "keys.example");
        assert_eq!(
            error.to_string(),
            "keys are not changed at keys.example, which endpoint_url of the profile names: it is neither AWS nor this \
             machine"
        );
        let profile = Some("work".parse().unwrap());
        let error = refused(&plain, &Target { endpoint_profile: profile, ..foreign.clone() }).unwrap();
        assert!(error.to_string().contains("which endpoint_url of profile \"work\" names"), "{error}");

        let typed = AwsOptions { endpoint_url: Url::parse("https://keys.example").ok(), ..AwsOptions::default() };
        assert_eq!(refused(&typed, &foreign), None);
        let ignored = AwsOptions { ignore_configured_endpoints: true, ..AwsOptions::default() };
        assert_eq!(refused(&ignored, &foreign), None);
        let allowing =
            |host: &str| AwsOptions { allowed_endpoints: vec![host.parse().unwrap()], ..AwsOptions::default() };
        assert_eq!(refused(&allowing("KEYS.example"), &foreign), None);
        for other in ["example", "keys.example.com", "more.keys.example", "127.0.0.1"] {
            assert!(refused(&allowing(other), &foreign).is_some(), "{other}");
        }
    }

    #[test]
    fn every_service_that_decides_on_a_change_is_looked_at() {
        for variable in
            ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_CLOUDTRAIL"]
        {
            let with = |value: &str| {
                AwsOptions::from_env(&|name| (name == variable).then(|| value.to_owned()))
                    .unwrap()
                    .check_changes(&Target::default())
            };
            let error = with("https://keys.example:8443/x").unwrap_err();
            assert_eq!(error.set_by, SetBy::Variable(variable));
            assert!(error.next_steps()[0].starts_with(&format!("unset {variable}")));
            assert_eq!(with("http://127.0.0.1:4566"), Ok(()));
            assert_eq!(with("https://sts.eu-west-1.amazonaws.com"), Ok(()));
        }
    }

    #[test]
    fn an_allowed_host_is_a_host_alone() {
        for text in ["https://keys.example", "keys.example:443", "keys.example/", "a b", "", "user@keys.example", "*"] {
            assert!(text.parse::<EndpointHost>().is_err(), "{text}");
        }
        assert_eq!("[::1]".parse::<EndpointHost>().unwrap().to_string(), "[::1]");
    }
}
