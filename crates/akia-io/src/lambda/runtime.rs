//! The Runtime API of Lambda: takes one event after another, and gives back what became of it.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use url::Url;

use super::{RotationEvent, Rotator, StepError};
use crate::aws::{Aws, AwsOptions, WebAnswer, WebFault, WebRequest};

const VERSION: &str = "2018-06-01";
/// The function is frozen while there is no event, for as long as Lambda likes.
const PATIENCE: Duration = Duration::from_secs(365 * 24 * 3_600);
/// Where Lambda does not say when it ends a call.
const UNTOLD: SignedDuration = SignedDuration::from_mins(5);

/// The API of one process.
pub struct RuntimeApi {
    web: Aws,
    base: Url,
}

/// Why no event could be taken or answered. Lambda starts the function anew.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The address is none.
    #[error("AWS_LAMBDA_RUNTIME_API is no address of a host and port")]
    Address,
    /// It does not answer, or answers something else.
    #[error("the Runtime API of Lambda fails: {reason}")]
    Fails {
        /// What was seen of it.
        reason: String,
    },
}

impl RuntimeApi {
    /// The API at `HOST:PORT`, as AWS_LAMBDA_RUNTIME_API has it. No proxy is between it and the function.
    ///
    /// # Errors
    /// When that is no address.
    pub fn new(address: &str) -> Result<Self, RuntimeError> {
        let base = Url::parse(&format!("http://{address}/{VERSION}/runtime/")).map_err(|_| RuntimeError::Address)?;
        let is_plain = base.username().is_empty() && base.password().is_none() && base.query().is_none();
        if !is_plain || base.path() != format!("/{VERSION}/runtime/") {
            return Err(RuntimeError::Address);
        }
        let web = Aws::new(AwsOptions { attempt_timeout: PATIENCE, ..AwsOptions::default() });
        Ok(Self { web, base })
    }

    /// Serves events until Lambda ends the process. `say` gets a line for the log of each, without secrets.
    ///
    /// # Errors
    /// When the API fails.
    pub async fn serve(&self, rotator: &Rotator, say: impl Fn(&str)) -> Result<(), RuntimeError> {
        loop {
            let event = self.ask("GET", "invocation/next", Vec::new(), String::new()).await?;
            let id = event.headers.get("lambda-runtime-aws-request-id").cloned();
            let is_plain = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let id = id.filter(is_plain).ok_or_else(|| fails("an event has no id"))?;
            let deadline = event.headers.get("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
            let deadline = deadline.and_then(|millis| Timestamp::from_millisecond(millis).ok());
            let untold = || rotator.clock.now().saturating_add(UNTOLD).unwrap_or(Timestamp::MAX);
            let outcome = match RotationEvent::parse(&event.body) {
                Err(error) => Err(error),
                Ok(event) => {
                    let done = rotator.step(&event, deadline.unwrap_or_else(untold)).await;
                    let words = match &done {
                        Ok(words) => words.clone(),
                        Err(error) => format!("failed: {error}"),
                    };
                    say(&format!("{} of {}: {words}", event.step.as_str(), event.secret_id));
                    done.map(|words| json!({ "schema": "akia.lambda/1", "step": event.step.as_str(), "done": words }))
                }
            };
            match outcome {
                Ok(answer) => {
                    self.ask("POST", &format!("invocation/{id}/response"), Vec::new(), answer.to_string()).await?;
                }
                Err(error) => self.report(&format!("invocation/{id}/error"), &error).await?,
            }
        }
    }

    async fn report(&self, path: &str, error: &StepError) -> Result<(), RuntimeError> {
        let body = json!({ "errorMessage": error.to_string(), "errorType": error.kind(), "stackTrace": [] });
        let headers = vec![("lambda-runtime-function-error-type", error.kind().to_owned())];
        self.ask("POST", path, headers, body.to_string()).await.map(drop)
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<WebAnswer, RuntimeError> {
        let url = self.base.join(path).map_err(|_| RuntimeError::Address)?;
        match self.web.web(WebRequest { method, url: &url, headers, body }).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(fails(&format!("it answered {} to {method} {path}", answer.status))),
            Err(WebFault::NeverSent { reason } | WebFault::NoAnswer { reason }) => Err(fails(&reason)),
        }
    }
}

fn fails(reason: &str) -> RuntimeError {
    RuntimeError::Fails { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_a_host_and_a_port() {
        assert!(RuntimeApi::new("127.0.0.1:9001").is_ok());
        for text in ["", "user@host:1", "host/path", "host?x"] {
            assert!(RuntimeApi::new(text).is_err(), "{text}");
        }
    }
}
