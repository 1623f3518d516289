//! Projects of CodeBuild.
//!
//! Source: <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetProjects.html>.

use akia_core::ids::Region;
use serde::Deserialize;
use serde_json::json;

use super::caller::Caller;
use super::ecs::Variable;
use super::error::AwsError;
use super::reading::Listing;
use super::signed::JsonApi;

/// A project of CodeBuild.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildProject {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) arn: Option<String>,
    #[serde(default)]
    pub(crate) environment: BuildEnvironment,
    pub(crate) source: Option<BuildSource>,
    #[serde(default)]
    pub(crate) secondary_sources: Vec<BuildSource>,
}

/// What its builds run in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildEnvironment {
    #[serde(default)]
    pub(crate) environment_variables: Vec<Variable>,
}

/// What it builds.
#[derive(Debug, Deserialize)]
pub(crate) struct BuildSource {
    /// The commands, or the name of the file that has them.
    pub(crate) buildspec: Option<String>,
}

/// What CodeBuild says of some projects.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildProjects {
    pub(crate) projects: Vec<BuildProject>,
    /// Gone since they were listed.
    #[serde(default)]
    pub(crate) projects_not_found: Vec<String>,
}

impl Caller {
    /// `codebuild:ListProjects`: the names of all projects, page by page.
    pub(crate) async fn build_project_names(
        &self,
        region: &Region,
        take: impl AsyncFnMut(Vec<String>),
    ) -> Result<(), AwsError> {
        let listing = Listing {
            api: JsonApi::Builds,
            operation: "ListProjects",
            body: json!({}),
            list: "projects",
            token: "nextToken",
        };
        self.each_json_page(region, &listing, take).await
    }

    /// `codebuild:BatchGetProjects`, of up to a hundred.
    pub(crate) async fn build_projects(&self, region: &Region, names: &[String]) -> Result<BuildProjects, AwsError> {
        self.read_json(JsonApi::Builds, region, "BatchGetProjects", &json!({ "names": names })).await
    }
}
