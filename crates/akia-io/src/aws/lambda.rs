//! The variables of Lambda functions.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>.

use std::collections::BTreeMap;

use akia_core::ids::Region;
use serde::Deserialize;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::s3::escaped;

/// A version of a function, as far as it has variables.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Function {
    /// With its version.
    #[serde(rename = "FunctionArn")]
    pub(crate) arn: String,
    pub(crate) environment: Option<Environment>,
}

/// The variables, or why AWS does not tell them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Environment {
    #[serde(default)]
    pub(crate) variables: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) error: Option<EnvironmentError>,
}

/// Why AWS does not tell variables: mostly that the caller may not use the key that they are encrypted with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(crate) struct EnvironmentError {
    pub(crate) error_code: String,
    pub(crate) message: String,
}

impl Caller {
    /// `lambda:ListFunctions`: every version of every function, page by page.
    pub(crate) async fn functions(
        &self,
        region: &Region,
        take: impl AsyncFnMut(Vec<Function>),
    ) -> Result<(), AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            functions: Vec<Function>,
            next_marker: Option<String>,
        }
        let call = self.call_in(Service::Lambda, region, "ListFunctions");
        let ask = async |marker: Option<String>| {
            let more = marker.map(|marker| format!("&Marker={}", escaped(&marker, false))).unwrap_or_default();
            // AWS gives 50 to a page when it lists versions.
            let path = format!("/2015-03-31/functions/?FunctionVersion=ALL&MaxItems=50{more}");
            let page: Page = self.read_rest(Service::Lambda, region, "ListFunctions", path).await?;
            Ok((page.functions, page.next_marker))
        };
        self.each_page(&call, ask, take).await
    }
}
