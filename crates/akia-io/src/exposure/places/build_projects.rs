//! Variables and commands of CodeBuild projects.

use akia_core::leak::{Part, Why};

use super::super::gap::Gap;
use super::super::pieces::Piece;
use super::super::user_data::Scene;
use crate::aws::Variable;

/// Projects that one call tells of. AWS takes a hundred; each may have a build specification of its own.
const TOGETHER: usize = 25;

pub(super) async fn read(scene: Scene<'_>) {
    let read = scene.caller.build_project_names(scene.region, async |names| {
        for names in names.chunks(TOGETHER) {
            read_some(scene, names).await;
        }
    });
    if let Err(error) = read.await {
        scene.lost(&error);
    }
}

async fn read_some(scene: Scene<'_>, names: &[String]) {
    let found = match scene.caller.build_projects(scene.region, names).await {
        Ok(found) => found,
        Err(error) => return scene.lost_one(&names.join(","), &error),
    };
    for name in found.projects_not_found {
        scene.tell(Gap {
            region: scene.region.clone(),
            action: "codebuild:BatchGetProjects".to_owned(),
            resource: Some(name),
            why: Why::Missing,
            detail: "CodeBuild lists the project and does not find it".to_owned(),
        });
    }
    for project in found.projects {
        let resource = project.arn.as_deref().unwrap_or(&project.name);
        let variables = project.environment.environment_variables.iter().filter(|variable| is_plain(variable));
        let lines = variables.map(|variable| (variable.name.as_str(), variable.value.as_str()));
        scene.give(Piece::lines(scene.region, "codebuild", resource, Part::Variable, lines)).await;
        let sources = project.source.iter().chain(&project.secondary_sources);
        for text in sources.filter_map(|source| source.buildspec.as_deref()) {
            let text = text.as_bytes().to_vec();
            scene.give(Piece::text(scene.region, "codebuild", resource, Part::Settings, text)).await;
        }
    }
}

/// Whether the value itself stands in it. Of the others it is the name of a parameter or secret.
fn is_plain(variable: &Variable) -> bool {
    variable.kind.as_deref().is_none_or(|kind| kind == "PLAINTEXT")
}
