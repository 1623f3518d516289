//! Whether this machine is an EC2 instance, by its metadata service (IMDSv2).
//!
//! Source: "Use the Instance Metadata Service to access instance metadata" in the EC2 User Guide; the variables are those of the
//! SDKs ("IMDS client" in the AWS SDKs and Tools Reference Guide).

use std::time::Duration;

use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use url::Url;

use super::client::Aws;
use super::options::AwsOptions;
use super::web::WebRequest;

/// For all of it: whoever is no instance must not wait.
const LIMIT: Duration = Duration::from_secs(1);
/// Longest token that is sent back. Those of AWS have 56 characters.
const TOKEN_LIMIT: usize = 1024;

/// The id of the instance that this machine is; `None` where it is none, does not answer within a second, or where
/// `AWS_EC2_METADATA_DISABLED` forbids to ask. Two small requests, never through a proxy.
///
/// Other clouds and captive portals answer at the same address: only a token, and with it an id as EC2 has them, count.
pub async fn instance_id(lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if text("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let is_six = text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let own = if is_six { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" };
    let endpoint = Url::parse(text("AWS_EC2_METADATA_SERVICE_ENDPOINT").as_deref().unwrap_or(own)).ok()?;
    let options = AwsOptions { connect_timeout: LIMIT, attempt_timeout: LIMIT, ..AwsOptions::default() };
    let aws = Aws::new(options);
    Timeout::new(Box::pin(ask(&aws, &endpoint)), aws.sleep().sleep(LIMIT)).await.ok()?
}

async fn ask(aws: &Aws, endpoint: &Url) -> Option<String> {
    let url = endpoint.join("/latest/api/token").ok()?;
    let headers = vec![("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned()), ("content-length", "0".to_owned())];
    let token = answer(aws, WebRequest { method: "PUT", url: &url, headers, body: String::new() }).await?;
    let is_token = token.len() <= TOKEN_LIMIT && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token || token.contains('<') {
        return None;
    }
    let url = endpoint.join("/latest/meta-data/instance-id").ok()?;
    let headers = vec![("x-aws-ec2-metadata-token", token)];
    let id = answer(aws, WebRequest { method: "GET", url: &url, headers, body: String::new() }).await?;
    let digits = id.strip_prefix("i-")?;
    let is_id = (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

async fn answer(aws: &Aws, request: WebRequest<'_>) -> Option<String> {
    let answer = aws.web(request).await.ok().filter(|answer| answer.status == 200)?;
    String::from_utf8(answer.body).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
