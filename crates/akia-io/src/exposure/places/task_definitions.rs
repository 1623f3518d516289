//! Containers of every revision of task definitions: their variables, and whatever else stands in them.

use akia_core::leak::Part;
use futures_util::stream::{self, StreamExt as _};

use super::super::pieces::Piece;
use super::super::user_data::Scene;
use super::AT_ONCE;

pub(super) async fn read(scene: Scene<'_>) {
    // A revision that was deregistered keeps its text for ever, and whoever may describe it can read it.
    for is_active in [true, false] {
        let read = scene.caller.task_definitions(scene.region, is_active, async |arns| {
            stream::iter(arns).for_each_concurrent(AT_ONCE, |arn| read_one(scene, arn)).await;
        });
        if let Err(error) = read.await {
            scene.lost(&error);
        }
    }
}

async fn read_one(scene: Scene<'_>, arn: String) {
    let containers = match scene.caller.task_containers(scene.region, &arn).await {
        Ok(containers) => containers,
        Err(error) => return scene.lost_one(&arn, &error),
    };
    for container in containers {
        let resource = format!("{arn}#{}", container.name);
        let lines = container.environment.iter().map(|one| (one.name.as_str(), one.value.as_str()));
        scene.give(Piece::lines(scene.region, "ecs", &resource, Part::Variable, lines)).await;
        if container.rest.is_empty() {
            continue;
        }
        let rest = serde_json::to_vec_pretty(&container.rest).unwrap_or_default();
        scene.give(Piece::text(scene.region, "ecs", &resource, Part::Settings, rest)).await;
    }
}
