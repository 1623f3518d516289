//! Hands findings to Security Hub: `securityhub:BatchImportFindings`, signed by hand.
//!
//! The Security Hub SDK would cost 69 s of a processor for this one call
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>). A finding that is imported
//! again under its id replaces itself, so a call may be repeated.

use akia_core::ids::Region;
use aws_smithy_async::rt::sleep::AsyncSleep as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::client::authority;
use super::error::{AwsError, classify};
use super::options::{Service, Target};
use super::signed::Post;

/// The most findings that AWS takes at once.
const BATCH: usize = 100;
/// Tries of a batch that is throttled or meets a fault of AWS; the pause before each doubles.
const TRIES: u32 = 5;

/// What became of findings that were handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// How many Security Hub took.
    pub taken: usize,
    /// Those that it refused.
    pub refused: Vec<RefusedFinding>,
}

/// A finding that Security Hub refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFinding {
    /// Its id.
    pub id: String,
    /// Why: a code, and words.
    pub reason: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SuccessCount")]
    taken: usize,
    #[serde(default, rename = "FailedFindings")]
    failed: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl Caller {
    /// The region that regional services are called in.
    #[must_use]
    pub fn region(&self) -> Region {
        self.aws().options().region(self.target())
    }

    /// `securityhub:BatchImportFindings`, in batches. The findings must be of the caller's own account. What was taken before
    /// an error is told with it.
    pub async fn import_findings(&self, findings: &[Value]) -> (Imported, Option<AwsError>) {
        self.import_findings_into(&self.region(), findings).await
    }

    /// The same in another region.
    pub(crate) async fn import_findings_into(
        &self,
        region: &Region,
        findings: &[Value],
    ) -> (Imported, Option<AwsError>) {
        let mut imported = Imported::default();
        for batch in findings.chunks(BATCH) {
            match self.import_batch(region, batch).await {
                Ok(answer) => {
                    imported.taken += answer.taken;
                    let clean = |text: Option<String>| super::error::clean(&text.unwrap_or_default(), None);
                    imported.refused.extend(answer.failed.into_iter().map(|failed| RefusedFinding {
                        id: clean(failed.id),
                        reason: format!("{}: {}", clean(failed.error_code), clean(failed.error_message)),
                    }));
                }
                Err(error) => return (imported, Some(error)),
            }
        }
        (imported, None)
    }

    async fn import_batch(&self, region: &Region, findings: &[Value]) -> Result<Answer, AwsError> {
        let target = Target { region: Some(region.clone()), ..self.target().clone() };
        let url = match self.aws().options().endpoint(Service::SecurityHub, &target) {
            Some(url) => url.clone(),
            None => self.aws().home_endpoint(Service::SecurityHub, region),
        };
        let mut call = self.call(Service::SecurityHub, "BatchImportFindings");
        call.endpoint = authority(&url);
        let body = json!({ "Findings": findings }).to_string();
        let mut pause = self.aws().options().initial_backoff;
        for attempt in 1.. {
            let post = Post {
                service: Service::SecurityHub,
                url: &url,
                path: "/findings/import",
                region: region.as_str(),
                content_type: "application/json",
                action: None,
                body: body.clone(),
            };
            let request = self.signed(&call, post)?;
            let sent = self.aws().send(Service::SecurityHub, &url, request, true).await;
            let answer = sent.map_err(|error| classify(&error, &self.context(&call)))?;
            if answer.status == 200 {
                return serde_json::from_slice(&answer.body)
                    .map_err(|_| AwsError::malformed(&call, "it is not the json of BatchImportFindings"));
            }
            let is_passing = answer.status == 429 || answer.status >= 500;
            if !is_passing || attempt >= TRIES {
                return Err(self.rejected(&call, &answer));
            }
            self.aws().sleep().sleep(pause).await;
            pause *= 2;
        }
        Err(AwsError::malformed(&call, "it was never sent"))
    }
}
