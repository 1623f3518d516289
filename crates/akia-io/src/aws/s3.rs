//! Objects of S3 that nobody can replace: `s3:PutObject` under an Object Lock, and what reads them back; signed by hand.
//!
//! The SDK of S3 would cost minutes of build time for five calls
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>). The bucket stands in the path, which S3 takes for
//! buckets of every name. An object is written only where there is none of its key, so that a call may be repeated.

use akia_core::ids::Region;
use data_encoding::BASE64;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;
use super::client::{HttpAnswer, authority};
use super::endpoint::ForeignEndpoint;
use super::error::{AwsError, Call, classify};
use super::options::Service;
use super::signed::{Request, element, unescaped};

/// The most pages of a list that are asked for: a million keys.
const PAGES: usize = 1_000;

/// What a bucket says of Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectLock {
    /// It has none: objects can be replaced.
    Off,
    /// It has, and new objects are not locked unless each asks for it.
    WithoutDefault,
    /// New objects are locked.
    ByDefault,
}

/// How an object is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `COMPLIANCE` (nobody can shorten it) or `GOVERNANCE` (whoever has the right to can).
    pub mode: String,
    /// Until when.
    pub until: Timestamp,
}

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The object's key.
    pub key: String,
    /// The version's id.
    pub id: String,
    /// Whether it says that the object is deleted, and is nothing else.
    pub is_deletion: bool,
}

/// What became of an object that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It stands there.
    Written,
    /// There was one of that key already.
    WasThere,
}

impl Caller {
    /// Whether objects may be handed to the endpoint of S3.
    pub(crate) fn check_objects(&self) -> Result<(), ForeignEndpoint> {
        self.check_messages(Service::S3)
    }

    /// `s3:GetBucketObjectLockConfiguration`.
    ///
    /// # Errors
    /// When S3 does not answer, or not this caller.
    pub async fn object_lock(&self, region: &Region, bucket: &str) -> Result<ObjectLock, AwsError> {
        let path = format!("/{bucket}?object-lock=");
        let call = self.call_of_s3(region, "GetObjectLockConfiguration");
        let answer = self.ask_s3(&call, region, "GET", &path, Vec::new(), Vec::new()).await?;
        if answer.status == 404 && code(&answer).as_deref() == Some("ObjectLockConfigurationNotFoundError") {
            return Ok(ObjectLock::Off);
        }
        let text = self.told(&call, &answer)?;
        Ok(match (element(&text, "ObjectLockEnabled").as_deref(), element(&text, "Mode")) {
            (Some("Enabled"), Some(_)) => ObjectLock::ByDefault,
            (Some("Enabled"), None) => ObjectLock::WithoutDefault,
            (_, _) => ObjectLock::Off,
        })
    }

    /// `s3:PutObject`, where there is no object of that key. With `until` it asks for a lock of its own, in compliance mode.
    ///
    /// # Errors
    /// When S3 does not take it.
    pub async fn put_new_object(
        &self,
        region: &Region,
        bucket: &str,
        key: &str,
        body: &[u8],
        until: Option<Timestamp>,
    ) -> Result<Put, AwsError> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("if-none-match", "*".to_owned()),
            // Object Lock wants a checksum of the body.
            ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
            ("x-amz-checksum-sha256", BASE64.encode(&Sha256::digest(body))),
        ];
        if let Some(until) = until {
            headers.push(("x-amz-object-lock-mode", "COMPLIANCE".to_owned()));
            headers.push(("x-amz-object-lock-retain-until-date", until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        }
        let call = self.call_of_s3(region, "PutObject");
        let path = object_path(bucket, key);
        let answer = self.ask_s3(&call, region, "PUT", &path, headers, body.to_vec()).await?;
        if answer.status == 412 {
            return Ok(Put::WasThere);
        }
        self.told(&call, &answer).map(|_| Put::Written)
    }

    /// `s3:GetObjectVersion`.
    ///
    /// # Errors
    /// When there is none such, or S3 does not answer, or not this caller.
    pub async fn object(&self, region: &Region, bucket: &str, version: &ObjectVersion) -> Result<Vec<u8>, AwsError> {
        let call = self.call_of_s3(region, "GetObject");
        let path = format!("{}?versionId={}", object_path(bucket, &version.key), escaped(&version.id, false));
        let answer = self.ask_s3(&call, region, "GET", &path, Vec::new(), Vec::new()).await?;
        self.told(&call, &answer)?;
        Ok(answer.body)
    }

    /// How an object is locked, by the headers of `s3:HeadObject`; S3 leaves them out for who lacks `s3:GetObjectRetention`.
    ///
    /// # Errors
    /// When S3 does not answer, or not this caller.
    pub async fn retention(&self, region: &Region, bucket: &str, key: &str) -> Result<Option<Retention>, AwsError> {
        let call = self.call_of_s3(region, "HeadObject");
        let answer = self.ask_s3(&call, region, "HEAD", &object_path(bucket, key), Vec::new(), Vec::new()).await?;
        self.told(&call, &answer)?;
        let mode = answer.headers.get("x-amz-object-lock-mode").map(str::to_owned);
        let until = answer.headers.get("x-amz-object-lock-retain-until-date").and_then(|text| text.parse().ok());
        Ok(mode.zip(until).map(|(mode, until)| Retention { mode, until }))
    }

    /// `s3:ListObjectVersions`: every version of the objects whose keys begin with `prefix`, also of those that were deleted.
    ///
    /// # Errors
    /// When S3 does not answer, or not this caller.
    pub async fn object_versions(
        &self,
        region: &Region,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<ObjectVersion>, AwsError> {
        let call = self.call_of_s3(region, "ListObjectVersions");
        let mut versions = Vec::new();
        let mut markers = String::new();
        for _ in 0..PAGES {
            let path = format!("/{bucket}?{markers}prefix={}&versions=", escaped(prefix, false));
            let answer = self.ask_s3(&call, region, "GET", &path, Vec::new(), Vec::new()).await?;
            let text = self.told(&call, &answer)?;
            for (tag, is_deletion) in [("<Version>", false), ("<DeleteMarker>", true)] {
                versions.extend(text.split(tag).skip(1).filter_map(|one| version(one, is_deletion)));
            }
            let next = |name: &str| element(&text, name).map(|marker| escaped(&unescaped(&marker), false));
            markers = match (next("NextKeyMarker"), next("NextVersionIdMarker")) {
                (Some(key), Some(version)) => format!("key-marker={key}&version-id-marker={version}&"),
                (_, _) => return Ok(versions),
            };
        }
        Err(AwsError::malformed(&call, format!("the list has more than {PAGES} pages")))
    }

    fn call_of_s3(&self, region: &Region, operation: &str) -> Call {
        let mut call = self.call(Service::S3, operation);
        call.endpoint = authority(&self.regional_url(Service::S3, region));
        call
    }

    async fn ask_s3(
        &self,
        call: &Call,
        region: &Region,
        method: &str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<HttpAnswer, AwsError> {
        let url = self.regional_url(Service::S3, region);
        let region = region.as_str();
        let request = Request { service: Service::S3, url: &url, method, path, region, headers, body };
        let signed = self.sign(call, request)?;
        let sent = self.aws().send(Service::S3, &url, signed, true).await;
        sent.map_err(|error| classify(&error, &self.context(call)))
    }

    /// The text of an answer that is a success.
    fn told(&self, call: &Call, answer: &HttpAnswer) -> Result<String, AwsError> {
        if answer.status == 200 {
            Ok(String::from_utf8_lossy(&answer.body).into_owned())
        } else {
            Err(self.rejected(call, answer))
        }
    }
}

fn code(answer: &HttpAnswer) -> Option<String> {
    element(&String::from_utf8_lossy(&answer.body), "Code")
}

fn version(xml: &str, is_deletion: bool) -> Option<ObjectVersion> {
    let id = element(xml, "VersionId")?;
    Some(ObjectVersion { key: unescaped(&element(xml, "Key")?), id: unescaped(&id), is_deletion })
}

fn object_path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", escaped(key, true))
}

/// As S3 escapes: everything but unreserved characters, and the slashes of a path.
pub(super) fn escaped(text: &str, is_path: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            b'/' if is_path => escaped.push('/'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_as_s3_signs_them() {
        assert_eq!(object_path("b", "a b/ü+c=d.json"), "/b/a%20b/%C3%BC%2Bc%3Dd.json");
        assert_eq!(escaped("a/b", false), "a%2Fb");
    }
}
