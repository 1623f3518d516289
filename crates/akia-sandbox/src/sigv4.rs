//! Signature Version 4: who signed a request, and whether they did.
//!
//! The request is signed again by the AWS SDK's signer with the secret that the sandbox knows, over exactly the headers that
//! the caller says were signed, and the two signatures are compared
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::clock::system_time;
use crate::failure::Failure;
use crate::service::Request;

/// How far a caller's clock may be off, in seconds.
pub(crate) const SKEW_SECONDS: i64 = 300;

/// What the caller claims in the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) key_id: String,
    date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
    /// The text of `X-Amz-Date` and the moment that it means.
    stamp: (String, Timestamp),
    pub(crate) session_token: Option<String>,
}

impl Claim {
    pub(crate) fn read(request: &Request) -> Result<Self, Failure> {
        let header = request.header("authorization").ok_or_else(|| {
            Failure::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        })?;
        let incomplete = |what: &str| {
            Failure::new(
                400,
                "IncompleteSignature",
                format!("{what} Authorization={}", header.split(' ').next().unwrap_or("")),
            )
        };
        let parts = header
            .strip_prefix("AWS4-HMAC-SHA256")
            .ok_or_else(|| incomplete("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is known here."))?;
        let part = |name: &str| {
            let found = parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let credential: Vec<&str> = part("Credential")?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = credential[..] else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements."));
        };
        let signed_headers: Vec<String> = part("SignedHeaders")?.split(';').map(str::to_owned).collect();
        let text = request.header("x-amz-date").ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        let moment = DateTime::strptime("%Y%m%dT%H%M%SZ", text)
            .and_then(|stamp| TimeZone::UTC.to_timestamp(stamp))
            .map_err(|_| incomplete("Date must be in ISO-8601 'basic format'."))?;
        Ok(Self {
            key_id: key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signature: part("Signature")?.to_owned(),
            signed_headers,
            stamp: (text.to_owned(), moment),
            session_token: request.header("x-amz-security-token").map(str::to_owned),
        })
    }

    /// Whether the claim is true: signed with this secret, not long ago.
    pub(crate) fn verify(&self, request: &Request, secret: &str, now: Timestamp) -> Result<(), Failure> {
        let mismatch = || {
            Failure::signature(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            )
        };
        let (text, moment) = (&self.stamp.0, self.stamp.1);
        let basic = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let skew = jiff::SignedDuration::from_secs(SKEW_SECONDS);
        if moment < now - skew {
            let limit = basic(now - skew);
            let message = format!("Signature expired: {text} is now earlier than {limit} ({} - 5 min.)", basic(now));
            return Err(Failure::signature(message));
        }
        if moment > now + skew {
            let limit = basic(now + skew);
            let message =
                format!("Signature not yet current: {text} is still later than {limit} ({} + 5 min.)", basic(now));
            return Err(Failure::signature(message));
        }
        if !text.starts_with(&self.date) {
            let message = format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{text}'.",
                self.date,
                text.get(..8).unwrap_or(text)
            );
            return Err(Failure::signature(message));
        }
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(Failure::signature("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let signature = self.sign_again(request, secret).ok_or_else(mismatch)?;
        if signature == self.signature { Ok(()) } else { Err(mismatch()) }
    }

    fn sign_again(&self, request: &Request, secret: &str) -> Option<String> {
        let signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        // The signer adds the date and the token itself.
        let token = signed("x-amz-security-token").then(|| self.session_token.clone()).flatten();
        let identity = Credentials::new(&self.key_id, secret, token, None, "akia-sandbox").into();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(system_time(self.stamp.1))
            .settings(settings)
            .build()
            .ok()?
            .into();
        let own = ["x-amz-date", "x-amz-security-token"];
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = headers.filter(|(name, _)| signed(name) && !own.contains(name));
        let uri = format!("http://{}{}", request.header("host")?, request.path_and_query);
        let body = SignableBody::Bytes(&request.body);
        let signable = SignableRequest::new(&request.method, uri, headers, body).ok()?;
        Some(sign(signable, &params).ok()?.into_parts().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `get-vanilla-query-order-key-case` and `post-x-www-form-urlencoded` of AWS's published SigV4 test suite: their
    /// signatures come from AWS, not from the library that is used here.
    fn vector(
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static [u8],
        signed: &str,
        signature: &str,
    ) -> Request {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={signed}, Signature={signature}"
        );
        let mut all = vec![
            ("host".to_owned(), "example.amazonaws.com".to_owned()),
            ("x-amz-date".to_owned(), "20150830T123600Z".to_owned()),
            ("authorization".to_owned(), authorization),
        ];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Request {
            method: method.to_owned(),
            path_and_query: path.to_owned(),
            headers: all,
            body: body.into(),
            source_ip: "127.0.0.1".to_owned(),
        }
    }

    fn now() -> Timestamp {
        "2015-08-30T12:36:00Z".parse().unwrap()
    }

    const SECRET: &str = concat!("wJalrXUtnFEMI/K7MDENG", "+bPxRfiCYEXAMPLEKEY");

    #[test]
    fn the_published_vectors_verify_and_a_changed_byte_does_not() {
        let get = vector(
            "GET",
            "/?Param1=value1&Param2=value2",
            &[],
            b"",
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        let post = vector(
            "POST",
            "/",
            &[("content-type", "application/x-www-form-urlencoded")],
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
        for request in [&get, &post] {
            let claim = Claim::read(request).unwrap();
            assert_eq!(claim.verify(request, SECRET, now()), Ok(()));
            assert_eq!(claim.verify(request, "another", now()).unwrap_err().code, "SignatureDoesNotMatch");
        }
        let mut tampered = post;
        tampered.body = b"Param1=value2"[..].into();
        assert!(Claim::read(&tampered).unwrap().verify(&tampered, SECRET, now()).is_err());
    }

    #[test]
    fn five_minutes_of_skew_and_not_more() {
        let request = vector(
            "GET",
            "/?Param1=value1&Param2=value2",
            &[],
            b"",
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        let claim = Claim::read(&request).unwrap();
        let off = |seconds| claim.verify(&request, SECRET, now() + jiff::SignedDuration::from_secs(seconds));
        assert_eq!((off(300), off(-300)), (Ok(()), Ok(())));
        assert!(off(301).unwrap_err().message.starts_with("Signature expired: 20150830T123600Z is now earlier than"));
        assert!(off(-301).unwrap_err().message.starts_with("Signature not yet current"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut request = vector("GET", "/", &[], b"", "host", "00");
        request.headers.retain(|(name, _)| name != "x-amz-date");
        assert_eq!(Claim::read(&request).unwrap_err().code, "IncompleteSignature");
        request.headers.clear();
        assert_eq!(Claim::read(&request).unwrap_err().code, "MissingAuthenticationToken");
    }
}
