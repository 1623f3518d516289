//! Calls that read much: many in a row, of services that slow down whoever asks often.
//!
//! Invariant: all that is sent here may be sent again, since it reads, or (at Secrets Manager) writes the same once more; and nothing
//! is taken for an empty answer that is none.

use std::time::Duration;

use akia_core::ids::Region;
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::caller::{Caller, Pages};
use super::client::{HttpAnswer, authority};
use super::error::{AwsError, Call, classify};
use super::options::{AwsOptions, Service};
use super::signed::{JsonApi, Request};
use super::xml::Element;

/// Most pages of a listing that is read page by page.
const MOST_PAGES: usize = 10_000;

/// A call that reads.
pub(super) struct Reading<'a> {
    pub(super) service: Service,
    pub(super) region: &'a Region,
    pub(super) operation: &'a str,
    pub(super) method: &'a str,
    /// With its query, and escaped as it is sent.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// A list that AWS's JSON protocol hands out in pages.
pub(super) struct Listing<'a> {
    pub(super) api: JsonApi,
    pub(super) operation: &'a str,
    /// What is asked for, without a token.
    pub(super) body: Value,
    /// The names of the list and of the token of the next page.
    pub(super) list: &'a str,
    pub(super) token: &'a str,
}

/// Services that speak the query protocol, or EC2's own form of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum QueryApi {
    Ec2,
    AutoScaling,
    CloudFormation,
    ElasticBeanstalk,
}

impl Caller {
    /// What a call in a region is called in errors.
    pub(super) fn call_in(&self, service: Service, region: &Region, operation: &str) -> Call {
        let mut call = self.call(service, operation);
        call.endpoint = authority(&self.regional_url(service, region));
        call
    }

    /// Sends a call when it is its turn, and again while AWS is busy.
    pub(super) async fn read_patiently(&self, reading: &Reading<'_>) -> Result<HttpAnswer, AwsError> {
        let call = self.call_in(reading.service, reading.region, reading.operation);
        let mut tried = 0;
        loop {
            let answer = {
                let _turn = self.aws().turn(&call).await;
                self.read_once(&call, reading).await
            };
            tried += 1;
            match answer {
                Err(error) if may_pass(self.aws().options(), &error, tried) => {
                    tracing::debug!(%error, tried, "asking again");
                    self.aws().sleep().sleep(pause(self.aws().options(), tried)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Sends a call once. Everything but a success is an error.
    pub(super) async fn read_once(&self, call: &Call, reading: &Reading<'_>) -> Result<HttpAnswer, AwsError> {
        let url = self.regional_url(reading.service, reading.region);
        let request = Request {
            service: reading.service,
            url: &url,
            method: reading.method,
            path: &reading.path,
            region: reading.region.as_str(),
            headers: reading.headers.clone(),
            body: reading.body.clone().into_bytes(),
        };
        let signed = self.sign(call, request)?;
        let sent = self.aws().send(reading.service, &url, signed, false).await;
        let answer = sent.map_err(|error| classify(&error, &self.context(call)))?;
        if answer.status == 200 { Ok(answer) } else { Err(self.rejected(call, &answer)) }
    }

    /// A call of AWS's JSON protocol.
    pub(super) async fn read_json<T: DeserializeOwned>(
        &self,
        api: JsonApi,
        region: &Region,
        operation: &str,
        body: &Value,
    ) -> Result<T, AwsError> {
        let (service, prefix, content_type) = api.parts();
        let reading = Reading {
            service,
            region,
            operation,
            method: "POST",
            path: "/".to_owned(),
            headers: vec![("content-type", content_type.to_owned()), ("x-amz-target", format!("{prefix}.{operation}"))],
            body: body.to_string(),
        };
        self.read_from_json(&reading).await
    }

    /// All of a list of AWS's JSON protocol, page by page.
    pub(super) async fn each_json_page<T: DeserializeOwned>(
        &self,
        region: &Region,
        listing: &Listing<'_>,
        take: impl AsyncFnMut(Vec<T>),
    ) -> Result<(), AwsError> {
        let Listing { api, operation, body, list, token: name } = listing;
        let call = self.call_in(api.parts().0, region, operation);
        let ask = async |token: Option<String>| {
            let mut body = body.clone();
            if let Some(token) = token {
                body[*name] = Value::String(token);
            }
            let mut page: Map<String, Value> = self.read_json(*api, region, operation, &body).await?;
            let malformed = || AwsError::malformed(&call, format!("it is not what {operation} answers"));
            let items =
                page.remove(*list).and_then(|items| serde_json::from_value(items).ok()).ok_or_else(malformed)?;
            let next = match page.remove(*name) {
                Some(Value::String(token)) => Some(token),
                Some(Value::Null) | None => None,
                Some(_) => return Err(malformed()),
            };
            Ok((items, next))
        };
        self.each_page(&call, ask, take).await
    }

    /// A GET that answers with JSON.
    pub(super) async fn read_rest<T: DeserializeOwned>(
        &self,
        service: Service,
        region: &Region,
        operation: &str,
        path: String,
    ) -> Result<T, AwsError> {
        let (method, headers, body) = ("GET", Vec::new(), String::new());
        self.read_from_json(&Reading { service, region, operation, method, path, headers, body }).await
    }

    async fn read_from_json<T: DeserializeOwned>(&self, reading: &Reading<'_>) -> Result<T, AwsError> {
        let answer = self.read_patiently(reading).await?;
        serde_json::from_slice(&answer.body).map_err(|_| {
            let call = self.call_in(reading.service, reading.region, reading.operation);
            AwsError::malformed(&call, format!("it is not what {} answers", reading.operation))
        })
    }

    /// A call of the query protocol: what stands in the element of its result, which has an element of the name `has`. An empty
    /// list is there, and empty.
    pub(super) async fn read_query(
        &self,
        api: QueryApi,
        region: &Region,
        operation: &str,
        parameters: &[(&str, &str)],
        has: &str,
    ) -> Result<Element, AwsError> {
        let (service, version) = match api {
            QueryApi::Ec2 => (Service::Ec2, "2016-11-15"),
            QueryApi::AutoScaling => (Service::AutoScaling, "2011-01-01"),
            QueryApi::CloudFormation => (Service::CloudFormation, "2010-05-15"),
            QueryApi::ElasticBeanstalk => (Service::ElasticBeanstalk, "2010-12-01"),
        };
        let mut body = format!("Action={operation}&Version={version}");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={}", super::s3::escaped(value, false)));
        }
        let reading = Reading {
            service,
            region,
            operation,
            method: "POST",
            path: "/".to_owned(),
            headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body,
        };
        let answer = self.read_patiently(&reading).await?;
        let root = Element::parse(&answer.body);
        let result = match api {
            QueryApi::Ec2 => root,
            QueryApi::AutoScaling | QueryApi::CloudFormation | QueryApi::ElasticBeanstalk => {
                root.and_then(|root| root.into_child(&format!("{operation}Result")))
            }
        };
        result.filter(|result| result.child(has).is_some()).ok_or_else(|| {
            AwsError::malformed(
                &self.call_in(service, region, operation),
                format!("it is not what {operation} answers"),
            )
        })
    }

    /// Asks for page after page, and hands each on. `ask` gives what a page holds and the token of the next one.
    pub(super) async fn each_page<T>(
        &self,
        call: &Call,
        ask: impl AsyncFn(Option<String>) -> Result<(T, Option<String>), AwsError>,
        mut take: impl AsyncFnMut(T),
    ) -> Result<(), AwsError> {
        let mut pages = Pages::up_to(call, MOST_PAGES);
        loop {
            let (page, next) = ask(pages.marker()).await?;
            take(page).await;
            let next = next.filter(|token| !token.is_empty());
            if !pages.advance(next.is_some(), next.as_deref())? {
                return Ok(());
            }
        }
    }
}

/// Whether a call that failed `tried` times is sent once more. What never left this machine is given up sooner: nobody is busy.
pub(crate) fn may_pass(options: &AwsOptions, error: &AwsError, tried: u32) -> bool {
    let most = match error {
        AwsError::Unreachable { .. } => options.attempts,
        _ => options.attempts.saturating_mul(2),
    };
    error.is_transient() && tried < most
}

/// The pause after a call has failed `tried` times.
pub(crate) fn pause(options: &AwsOptions, tried: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
    options.initial_backoff.saturating_mul(doubled).min(options.longest_backoff)
}
