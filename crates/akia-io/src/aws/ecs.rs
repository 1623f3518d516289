//! Task definitions of ECS.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>.

use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::error::AwsError;
use super::reading::Listing;
use super::signed::JsonApi;

/// A variable, as ECS and CodeBuild write it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Variable {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: String,
    /// Of CodeBuild: where the value is kept.
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
}

/// A container of a task.
#[derive(Debug, Deserialize)]
pub(crate) struct Container {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) environment: Vec<Variable>,
    /// Everything else: commands, labels, options of logging.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl Caller {
    /// `ecs:ListTaskDefinitions`: the ARNs of all revisions, page by page; of those that run nothing any more, too.
    pub(crate) async fn task_definitions(
        &self,
        region: &Region,
        is_active: bool,
        take: impl AsyncFnMut(Vec<String>),
    ) -> Result<(), AwsError> {
        let status = if is_active { "ACTIVE" } else { "INACTIVE" };
        let listing = Listing {
            api: JsonApi::Containers,
            operation: "ListTaskDefinitions",
            body: json!({ "status": status, "maxResults": 100 }),
            list: "taskDefinitionArns",
            token: "nextToken",
        };
        self.each_json_page(region, &listing, take).await
    }

    /// `ecs:DescribeTaskDefinition`: the containers of a revision.
    pub(crate) async fn task_containers(&self, region: &Region, arn: &str) -> Result<Vec<Container>, AwsError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            task_definition: Definition,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Definition {
            container_definitions: Vec<Container>,
        }
        let body = json!({ "taskDefinition": arn });
        let answer: Answer = self.read_json(JsonApi::Containers, region, "DescribeTaskDefinition", &body).await?;
        Ok(answer.task_definition.container_definitions)
    }
}
