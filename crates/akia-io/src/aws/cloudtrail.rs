//! Who made a key: `cloudtrail:LookupEvents`, signed by hand.
//!
//! The CloudTrail SDK would cost a minute of build time for this one call. Event history is regional; IAM writes its
//! events into the home region of its partition.

use std::time::Duration;

use akia_core::ids::{AccessKeyId, Region};
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use jiff::Timestamp;
use serde::Deserialize;

use super::caller::Caller;
use super::client::{HttpAnswer, authority};
use super::error::{AwsError, Call, classify};
use super::options::{Service, Target};
use super::signed::{Asked, Post};

/// Pages of events that are read at most; fifty events each.
const PAGE_LIMIT: usize = 10;
const ACTION: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";

/// Two calls a second, a region and account.
///
/// Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>.
const PAGE_GAP: Duration = Duration::from_millis(550);

/// Events of a page, which is the most.
const PAGE: usize = 50;
/// Being throttled is waited out in pauses that double, up to this one: half a minute in all.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A part of what happened in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// The moment from which on nothing is missing.
    pub from: Timestamp,
    /// What happened since.
    pub events: Vec<HistoryEvent>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When, in seconds since 1970.
    pub second: i64,
    /// What CloudTrail has written down, as JSON. What is no JSON of CloudTrail is a JSON string.
    pub record: String,
}

/// What CloudTrail has of a key in one region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyEvents {
    /// The events, each as JSON.
    pub records: Vec<String>,
    /// Whether there are older ones that were not read.
    pub is_cut: bool,
}

/// What CloudTrail recorded about the making of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateEvidence {
    /// The user agent; holds `akia-<nonce>` when akia made the key.
    pub user_agent: String,
    /// When AWS did it.
    pub at: Timestamp,
    /// Where the request came from: an address, or the name of an AWS service.
    pub source_ip: String,
    /// The ARN that signed, where the event tells.
    pub principal: Option<String>,
}

impl Caller {
    /// `cloudtrail:LookupEvents`: the `CreateAccessKey` event that made `key`, if CloudTrail has it already (it may take
    /// 15 minutes) and `since` is not too late.
    pub async fn who_created(&self, key: &AccessKeyId, since: Timestamp) -> Result<Option<CreateEvidence>, AwsError> {
        // Events of IAM are looked up in the home region of the partition.
        let region = akia_core::ids::Partition::of_region(&self.aws().options().region(self.target())).iam_region();
        let target = Target { region: Some(region.clone()), ..self.target().clone() };
        let home = match self.aws().options().endpoint(Service::CloudTrail, &target) {
            Some(url) => url.clone(),
            None => self.aws().home_endpoint(Service::CloudTrail, &region),
        };
        let mut call = self.call(Service::CloudTrail, "LookupEvents");
        call.endpoint = authority(&home);
        let mut next: Option<String> = None;
        for _ in 0..PAGE_LIMIT {
            let mut body = serde_json::json!({
                "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateAccessKey"}],
                "StartTime": since.as_second(),
                "MaxResults": PAGE,
            });
            if let Some(token) = &next {
                body["NextToken"] = token.clone().into();
            }
            let post = Post {
                service: Service::CloudTrail,
                url: &home,
                path: "/",
                region: region.as_str(),
                content_type: "application/x-amz-json-1.1",
                action: Some(ACTION),
                body: body.to_string(),
            };
            let request = self.signed(&call, post)?;
            let sent = self.aws().send(Service::CloudTrail, &home, request, true).await;
            let page = sent.map_err(|error| classify(&error, &self.context(&call)))?;
            let page = self.read_page(&call, &page)?;
            if let Some(evidence) = page.events.iter().find_map(|event| evidence(event, key)) {
                return Ok(Some(evidence));
            }
            match page.next_token {
                Some(token) if next.as_ref() != Some(&token) => next = Some(token),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// `cloudtrail:LookupEvents`: what a key has signed since a moment, in one region, the latest first; at most so many pages of
    /// fifty, at the pace that AWS allows.
    pub async fn events_of_key(
        &self,
        region: &Region,
        key: &AccessKeyId,
        since: Timestamp,
        most_pages: usize,
    ) -> Result<KeyEvents, AwsError> {
        let mut found = KeyEvents::default();
        let mut next: Option<String> = None;
        for page in 0..most_pages {
            if page > 0 {
                self.aws().sleep().sleep(PAGE_GAP).await;
            }
            let mut body = serde_json::json!({
                "LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": key}],
                "StartTime": since.as_second(),
                "MaxResults": PAGE,
            });
            if let Some(token) = &next {
                body["NextToken"] = token.clone().into();
            }
            let page = self.lookup(region, &body).await?;
            found.records.extend(page.events.into_iter().filter_map(|event| event.record));
            match page.next_token {
                Some(token) if next.as_ref() != Some(&token) => next = Some(token),
                _ => return Ok(found),
            }
        }
        found.is_cut = true;
        Ok(found)
    }

    /// `cloudtrail:LookupEvents`: what happened in one region from a moment up to and without another, as far back as so many pages
    /// reach, at the pace that AWS allows. What is older is left to the next call. Being throttled is waited out for a while.
    ///
    /// # Errors
    /// When AWS refuses or cannot be reached; nothing is told then.
    pub async fn event_history(
        &self,
        region: &Region,
        from: Timestamp,
        until: Timestamp,
        most_pages: usize,
    ) -> Result<HistoryPart, AwsError> {
        let mut events: Vec<HistoryEvent> = Vec::new();
        let mut body = serde_json::json!({
            "StartTime": from.as_second(),
            // AWS counts the end in, and times are whole seconds.
            "EndTime": until.as_second().saturating_sub(1),
            "MaxResults": PAGE,
        });
        let mut reached = until.as_second();
        for _ in 0..most_pages {
            let page = self.lookup_patiently(region, &body).await?;
            // The latest come first, so nothing that is missing is younger than the youngest of the last page.
            reached = page.events.iter().map(|event| event.second().saturating_add(1)).max().unwrap_or(reached);
            let second = |event: Event| HistoryEvent { second: event.second(), record: event.into_json() };
            events.extend(page.events.into_iter().map(second));
            match page.next_token {
                None => {
                    reached = from.as_second();
                    break;
                }
                Some(token) if body["NextToken"] == token => {
                    return Err(self.no_history(region, "its second page is the first one again"));
                }
                Some(token) => body["NextToken"] = token.into(),
            }
        }
        if reached >= until.as_second() {
            return Err(self.no_history(region, "more happened in one second than can be read at once"));
        }
        events.retain(|event| (reached..until.as_second()).contains(&event.second));
        Ok(HistoryPart { from: Timestamp::from_second(reached).unwrap_or(from), events })
    }

    async fn lookup_patiently(&self, region: &Region, body: &serde_json::Value) -> Result<Page, AwsError> {
        let mut pause = PAGE_GAP;
        loop {
            self.aws().sleep().sleep(pause).await;
            match self.lookup(region, body).await {
                Err(AwsError::Throttled { .. }) if pause < LONGEST_PAUSE => pause *= 2,
                answer => return answer,
            }
        }
    }

    async fn lookup(&self, region: &Region, body: &serde_json::Value) -> Result<Page, AwsError> {
        let asked = asked(body.to_string());
        let answer = self.ask(region, &asked).await?;
        serde_json::from_slice(&answer.body).map_err(|_| self.lacks(&asked, region, "what LookupEvents answers"))
    }

    fn no_history(&self, region: &Region, why: &str) -> AwsError {
        let mut call = self.call(Service::CloudTrail, "LookupEvents");
        call.endpoint = authority(&self.regional_url(Service::CloudTrail, region));
        AwsError::malformed(&call, why)
    }

    fn read_page(&self, call: &Call, page: &HttpAnswer) -> Result<Page, AwsError> {
        if page.status == 200 {
            return serde_json::from_slice(&page.body)
                .map_err(|_| AwsError::malformed(call, "it is not the json of LookupEvents"));
        }
        Err(self.rejected(call, page))
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, rename = "Events")]
    events: Vec<Event>,
    #[serde(default, rename = "NextToken")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    /// In seconds since 1970.
    #[serde(rename = "EventTime")]
    time: f64,
    #[serde(default, rename = "CloudTrailEvent")]
    record: Option<String>,
}

fn asked(body: String) -> Asked<'static> {
    Asked {
        service: Service::CloudTrail,
        operation: "LookupEvents",
        path: "/",
        content_type: "application/x-amz-json-1.1",
        action: Some(ACTION),
        body,
        may_repeat: true,
    }
}

impl Event {
    fn second(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds; the cast saturates")]
        let second = self.time.floor() as i64;
        second
    }

    fn into_json(self) -> String {
        let text = self.record.unwrap_or_default();
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if is_json { text } else { serde_json::Value::String(text).to_string() }
    }
}

/// The evidence in one event, if it is a successful creation of this very key. What cannot be read is no evidence.
fn evidence(event: &Event, key: &AccessKeyId) -> Option<CreateEvidence> {
    let record: serde_json::Value = serde_json::from_str(event.record.as_deref()?).ok()?;
    let text = |pointer: &str| record.pointer(pointer).and_then(serde_json::Value::as_str);
    let is_it = text("/eventName") == Some("CreateAccessKey")
        && record.get("errorCode").is_none_or(serde_json::Value::is_null)
        && text("/responseElements/accessKey/accessKeyId") == Some(key.as_str());
    is_it.then_some(())?;
    let clean = |text: &str| super::error::clean(text, None);
    Some(CreateEvidence {
        user_agent: clean(text("/userAgent")?),
        at: text("/eventTime")?.parse().ok()?,
        source_ip: clean(text("/sourceIPAddress")?),
        principal: text("/userIdentity/arn").map(clean),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_creation_of_this_very_key_is_evidence() {
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let record = |name: &str, id: &str, error: Option<&str>| Event {
            time: 0.0,
            record: Some(
                serde_json::json!({
                    "eventName": name, "eventTime": "2026-03-01T10:00:00Z", "userAgent": "aws-sdk-rust akia-r-1",
                    "sourceIPAddress": "192.0.2.1", "errorCode": error,
                    "userIdentity": {"arn": "arn:aws:iam::123456789012:user/ann"},
                    "responseElements": {"accessKey": {"accessKeyId": id}},
                })
                .to_string(),
            ),
        };
        let found = evidence(&record("CreateAccessKey", "AKIAIOSFODNN7EXAMPLE", None), &key).unwrap();
        assert_eq!(found.user_agent, "aws-sdk-rust akia-r-1");
        assert_eq!(found.at, "2026-03-01T10:00:00Z".parse().unwrap());
        assert_eq!(evidence(&record("CreateAccessKey", "AKIAI44QH8DHBEXAMPLE", None), &key), None);
        assert_eq!(evidence(&record("CreateAccessKey", "AKIAIOSFODNN7EXAMPLE", Some("AccessDenied")), &key), None);
        assert_eq!(evidence(&record("DeleteAccessKey", "AKIAIOSFODNN7EXAMPLE", None), &key), None);
        assert_eq!(evidence(&Event { time: 0.0, record: Some("not json".to_owned()) }, &key), None);
        assert_eq!(evidence(&Event { time: 0.0, record: None }, &key), None);
    }
}
