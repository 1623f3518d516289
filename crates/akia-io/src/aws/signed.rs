//! Requests that we sign ourselves, to services whose SDK would cost minutes of build time for one call.

use akia_core::ids::Region;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::caller::Caller;
use super::client::{HttpAnswer, authority};
use super::error::{AwsError, Call, answer, classify};
use super::options::{Service, Target};

/// A POST with a JSON body.
pub(super) struct Post<'a> {
    pub(super) service: Service,
    /// The endpoint; the path comes on top.
    pub(super) url: &'a url::Url,
    pub(super) path: &'a str,
    pub(super) region: &'a str,
    pub(super) content_type: &'a str,
    /// `x-amz-target`, where the protocol has it.
    pub(super) action: Option<&'a str>,
    pub(super) body: String,
}

/// Any request.
pub(super) struct Request<'a> {
    pub(super) service: Service,
    /// The endpoint; the path comes on top.
    pub(super) url: &'a url::Url,
    pub(super) method: &'a str,
    /// With its query, and escaped as it is sent.
    pub(super) path: &'a str,
    pub(super) region: &'a str,
    /// Further headers, all of which are signed.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Services that speak AWS's JSON protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum JsonApi {
    /// AWS Config.
    Config,
    /// Rules of EventBridge.
    Events,
    /// SQS.
    Queues,
    /// Task definitions of ECS.
    Containers,
    /// Projects of CodeBuild.
    Builds,
    /// Parameters of Systems Manager.
    Parameters,
    /// Secrets of Secrets Manager.
    Secrets,
}

impl JsonApi {
    /// The service, how `x-amz-target` begins, and the version of the protocol.
    pub(super) fn parts(self) -> (Service, &'static str, &'static str) {
        match self {
            Self::Config => (Service::Config, "StarlingDoveService", "application/x-amz-json-1.1"),
            Self::Events => (Service::EventBridge, "AWSEvents", "application/x-amz-json-1.1"),
            Self::Queues => (Service::Sqs, "AmazonSQS", "application/x-amz-json-1.0"),
            Self::Containers => (Service::Ecs, "AmazonEC2ContainerServiceV20141113", "application/x-amz-json-1.1"),
            Self::Builds => (Service::CodeBuild, "CodeBuild_20161006", "application/x-amz-json-1.1"),
            Self::Parameters => (Service::Ssm, "AmazonSSM", "application/x-amz-json-1.1"),
            Self::Secrets => (Service::SecretsManager, "secretsmanager", "application/x-amz-json-1.1"),
        }
    }
}

/// A call of a regional service.
pub(super) struct Asked<'a> {
    pub(super) service: Service,
    pub(super) operation: &'a str,
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    /// `x-amz-target`, where the protocol has it.
    pub(super) action: Option<&'a str>,
    pub(super) body: String,
    /// Whether a second one does no harm.
    pub(super) may_repeat: bool,
}

impl Caller {
    /// A call of AWS's JSON protocol, and what its answer says.
    pub(super) async fn ask_json<T: DeserializeOwned>(
        &self,
        api: JsonApi,
        region: &Region,
        operation: &str,
        body: &Value,
        may_repeat: bool,
    ) -> Result<T, AwsError> {
        let (service, prefix, content_type) = api.parts();
        let action = format!("{prefix}.{operation}");
        let asked = Asked {
            service,
            operation,
            path: "/",
            content_type,
            action: Some(&action),
            body: body.to_string(),
            may_repeat,
        };
        let answer = self.ask(region, &asked).await?;
        // Calls that answer nothing do so in two ways.
        let text: &[u8] = if answer.body.trim_ascii().is_empty() { b"{}" } else { &answer.body };
        serde_json::from_slice(text).map_err(|_| self.lacks(&asked, region, &format!("what {operation} answers")))
    }

    /// Sends a call in a region, which is not always that of the command.
    pub(super) async fn ask(&self, region: &Region, asked: &Asked<'_>) -> Result<HttpAnswer, AwsError> {
        let url = self.regional_url(asked.service, region);
        let mut call = self.call(asked.service, asked.operation);
        call.endpoint = authority(&url);
        let post = Post {
            service: asked.service,
            url: &url,
            path: asked.path,
            region: region.as_str(),
            content_type: asked.content_type,
            action: asked.action,
            body: asked.body.clone(),
        };
        let signed = self.signed(&call, post)?;
        let sent = self.aws().send(asked.service, &url, signed, asked.may_repeat).await;
        let answer = sent.map_err(|error| classify(&error, &self.context(&call)))?;
        if answer.status == 200 { Ok(answer) } else { Err(self.rejected(&call, &answer)) }
    }

    pub(super) fn regional_url(&self, service: Service, region: &Region) -> url::Url {
        let target = Target { region: Some(region.clone()), ..self.target().clone() };
        match self.aws().options().endpoint(service, &target) {
            Some(url) => url.clone(),
            None => self.aws().home_endpoint(service, region),
        }
    }

    /// The answer lacks something.
    pub(super) fn lacks(&self, asked: &Asked<'_>, region: &Region, what: &str) -> AwsError {
        let mut call = self.call(asked.service, asked.operation);
        call.endpoint = authority(&self.regional_url(asked.service, region));
        AwsError::malformed(&call, format!("{what} is missing"))
    }

    pub(super) fn signed(&self, call: &Call, post: Post<'_>) -> Result<HttpRequest, AwsError> {
        let Post { service, url, path, region, content_type, action, body } = post;
        let mut headers = vec![("content-type", content_type.to_owned())];
        headers.extend(action.map(|action| ("x-amz-target", action.to_owned())));
        let body = body.into_bytes();
        self.sign(call, Request { service, url, method: "POST", path, region, headers, body })
    }

    /// Signs a request of any kind.
    pub(super) fn sign(&self, call: &Call, request: Request<'_>) -> Result<HttpRequest, AwsError> {
        let broken = || AwsError::Unreachable {
            call: Box::new(call.clone()),
            reason: "the request could not be signed".to_owned(),
        };
        let Request { service, url, method, path, region, mut headers, body } = request;
        headers.push(("host", authority(url)));
        let identity = self.credentials().to_sdk().into();
        let mut settings = SigningSettings::default();
        if service == Service::S3 {
            // The keys of objects are paths as they stand, and S3 wants the digest of the body by itself.
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service.name())
            .time(self.aws().time().now())
            .settings(settings)
            .build()
            .map_err(|_| broken())?
            .into();
        let target = url.join(path).map_err(|_| broken())?;
        let signable = SignableRequest::new(
            method,
            target.as_str(),
            headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(&body),
        )
        .map_err(|_| broken())?;
        let (instructions, _) = sign(signable, &parameters).map_err(|_| broken())?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(|_| broken())?;
        request.set_uri(path).map_err(|_| broken())?;
        for (name, value) in headers {
            request.headers_mut().try_insert(name, value).map_err(|_| broken())?;
        }
        for (name, value) in instructions.headers() {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned()).map_err(|_| broken())?;
        }
        Ok(request)
    }

    /// The error in an answer that is not a success.
    pub(super) fn rejected(&self, call: &Call, page: &HttpAnswer) -> AwsError {
        let fault: Fault = serde_json::from_slice(&page.body).unwrap_or_else(|_| Fault::of_query(&page.body));
        let code = page.code.as_deref().or(fault.code.as_deref());
        // `com.amazonaws.cloudtrail#AccessDeniedException:http://…`
        let code = code.map(|code| code.split(':').next().unwrap_or(code)).map(|code| match code.rsplit_once('#') {
            Some((_, name)) => name,
            None => code,
        });
        let mut message = fault.message.unwrap_or_default();
        if let Some(reason) = fault.reason {
            message = format!("{message} ({reason})");
        }
        answer(Box::new(call.clone()), page.status, code, &message, &self.context(call))
    }
}

#[derive(Deserialize, Default)]
struct Fault {
    #[serde(rename = "__type", alias = "Code")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
    /// What the EBS direct APIs add to their codes, which are few.
    #[serde(alias = "Reason")]
    reason: Option<String>,
}

impl Fault {
    /// The error of the query protocol: `<ErrorResponse><Error><Code>…</Code><Message>…</Message>`.
    fn of_query(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        Self { code: element(&text, "Code"), message: element(&text, "Message"), reason: None }
    }
}

/// The text of the first element of that name. It is shown or kept as an id, so entities may stay as they are.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().to_owned())
}

/// A text of XML with its entities resolved.
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        match entity {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_become_characters_and_nothing_is_resolved_twice() {
        let text = "{&quot;a&quot;:&#34;&lt;&#x27;&amp;quot;&gt;&apos;} & &bogus; &";
        assert_eq!(unescaped(text), "{\"a\":\"<'&quot;>'} & &bogus; &");
    }
}
