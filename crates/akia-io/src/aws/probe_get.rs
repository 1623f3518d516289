//! A read of any AWS service, as the owner of a key declares it for the key's probe.

use akia_core::rotation::ProbeGet;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use url::Url;

use super::caller::Caller;
use super::client::authority;
use super::endpoint::is_this_machine;
use super::web::{WebFault, WebRequest};

impl Caller {
    /// Sends the request once. The error is in words and holds nothing of an answer but its status: whatever the service gives is
    /// not for the journal.
    pub(crate) async fn probe_get(&self, get: &ProbeGet) -> Result<(), String> {
        let url = Url::parse(&get.get).map_err(|_| format!("{} is not an address", get.get))?;
        if url.scheme() != "https" && !is_this_machine(&url) {
            return Err(format!("{} must begin with https://", get.get));
        }
        let broken = |_| "the request could not be signed".to_owned();
        let region = match (&get.region, &self.target().region) {
            (Some(region), _) => region.clone(),
            (None, Some(region)) => region.to_string(),
            (None, None) => "us-east-1".to_owned(),
        };
        let identity = self.credentials().to_sdk().into();
        let mut settings = SigningSettings::default();
        // S3 wants the digest of the body by itself; the others take no harm.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(&get.service)
            .time(self.aws().time().now())
            .settings(settings)
            .build()
            .map_err(|_| "the request could not be signed".to_owned())?
            .into();
        let host = authority(&url);
        let signable =
            SignableRequest::new("GET", url.as_str(), [("host", host.as_str())].into_iter(), SignableBody::Bytes(&[]))
                .map_err(broken)?;
        let (instructions, _) = sign(signable, &parameters).map_err(broken)?.into_parts();
        let mut headers = vec![("host", host.clone())];
        for (name, value) in instructions.headers() {
            let name = HEADERS.into_iter().find(|known| *known == name).ok_or("the request could not be signed")?;
            headers.push((name, value.to_owned()));
        }
        let request = WebRequest { method: "GET", url: &url, headers, body: String::new() };
        match self.aws().web(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("{host} answered {} to the probe", answer.status)),
            Err(WebFault::NeverSent { reason } | WebFault::NoAnswer { reason }) => Err(reason),
        }
    }
}

/// The headers that signing adds.
const HEADERS: [&str; 4] = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
