//! Parameters of Systems Manager that are not encrypted. Those that are, are never asked for: reading one would decrypt it.
//!
//! Source: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>.

use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::json;

use super::caller::Caller;
use super::error::AwsError;
use super::reading::Listing;
use super::signed::JsonApi;

/// A parameter, as it is listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedParameter {
    pub(crate) name: String,
    /// `String`, `StringList` or `SecureString`.
    #[serde(rename = "Type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// A parameter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(rename = "Type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// What Systems Manager says of some parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parameters {
    pub(crate) parameters: Vec<Parameter>,
    /// Gone since they were listed.
    #[serde(default)]
    pub(crate) invalid_parameters: Vec<String>,
}

impl Caller {
    /// `ssm:DescribeParameters`: all parameters without their values, page by page.
    pub(crate) async fn parameters(
        &self,
        region: &Region,
        take: impl AsyncFnMut(Vec<ListedParameter>),
    ) -> Result<(), AwsError> {
        let listing = Listing {
            api: JsonApi::Parameters,
            operation: "DescribeParameters",
            body: json!({ "MaxResults": 50 }),
            list: "Parameters",
            token: "NextToken",
        };
        self.each_json_page(region, &listing, take).await
    }

    /// `ssm:GetParameters`, of up to ten; nothing is decrypted.
    pub(crate) async fn parameter_values(&self, region: &Region, names: &[String]) -> Result<Parameters, AwsError> {
        let body = json!({ "Names": names, "WithDecryption": false });
        self.read_json(JsonApi::Parameters, region, "GetParameters", &body).await
    }
}
