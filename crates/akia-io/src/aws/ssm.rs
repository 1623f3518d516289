//! Parameters of Systems Manager.
//!
//! A scan reads those that are not encrypted, and never asks for the others: reading one would decrypt it. Only a place that somebody
//! declared to hold a key is decrypted and written; neither is logged.
//!
//! Sources: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>,
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>.

use akia_core::ids::Region;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::reading::Listing;
use super::signed::{Asked, JsonApi};

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

/// A parameter with its value in clear.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClearParameter {
    pub(crate) name: String,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "wiped")]
    pub(crate) value: Zeroizing<String>,
    /// One more with each write.
    pub(crate) version: u64,
}

fn wiped<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(value).map(Zeroizing::new)
}

/// What a parameter has beside its value, and must have again after a write.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ParameterTraits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_type: Option<String>,
}

/// A write of a parameter. Its policies stay when none are named.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ParameterWrite<'a> {
    pub(crate) name: &'a str,
    #[serde(rename = "Type")]
    pub(crate) kind: &'a str,
    pub(crate) value: &'a str,
    /// Without it, a parameter that is there is refused with `ParameterAlreadyExists`.
    pub(crate) overwrite: bool,
    #[serde(flatten)]
    pub(crate) traits: &'a ParameterTraits,
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

    /// `ssm:GetParameters`, decrypted; those that are there.
    pub(crate) async fn clear_parameters(
        &self,
        region: &Region,
        names: &[&str],
    ) -> Result<Vec<ClearParameter>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            parameters: Vec<ClearParameter>,
        }
        let body = json!({ "Names": names, "WithDecryption": true });
        let answer: Answer = self.read_json(JsonApi::Parameters, region, "GetParameters", &body).await?;
        Ok(answer.parameters)
    }

    /// `ssm:DescribeParameters` of one parameter.
    pub(crate) async fn parameter_traits(
        &self,
        region: &Region,
        name: &str,
    ) -> Result<Option<ParameterTraits>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            parameters: Vec<ParameterTraits>,
        }
        let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": [name] }]);
        let body = json!({ "ParameterFilters": filter, "MaxResults": 10 });
        let page: Page = self.read_json(JsonApi::Parameters, region, "DescribeParameters", &body).await?;
        Ok(page.parameters.into_iter().next())
    }

    /// `ssm:PutParameter`, sent once; gives the version of what was written. Refused where nobody has allowed changes.
    pub(crate) async fn put_parameter(&self, region: &Region, write: &ParameterWrite<'_>) -> Result<u64, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Written {
            version: u64,
        }
        let call = self.call_in(Service::Ssm, region, "PutParameter");
        self.check_keeping(Service::Ssm, &call)?;
        let (service, prefix, content_type) = JsonApi::Parameters.parts();
        let action = format!("{prefix}.PutParameter");
        let body = serde_json::to_string(write)
            .map_err(|_| AwsError::malformed(&call, "the request cannot be written".to_owned()))?;
        let operation = "PutParameter";
        let may_repeat = false;
        let action = Some(action.as_str());
        let asked = Asked { service, operation, path: "/", content_type, action, body, may_repeat };
        let answer = self.ask(region, &asked).await?;
        let written: Written = serde_json::from_slice(&answer.body)
            .map_err(|_| self.lacks(&asked, region, "the version of what was written"))?;
        Ok(written.version)
    }
}
