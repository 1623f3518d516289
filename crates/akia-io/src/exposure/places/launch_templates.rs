//! User data of every version of launch templates.

use futures_util::stream::{self, StreamExt as _};

use super::super::pieces::Piece;
use super::super::user_data::Scene;
use super::AT_ONCE;

pub(super) async fn read(scene: Scene<'_>) {
    let templates = match scene.caller.launch_templates(scene.region).await {
        Ok(templates) => templates,
        Err(error) => return scene.lost(&error),
    };
    stream::iter(templates).for_each_concurrent(AT_ONCE, |template| read_one(scene, template)).await;
}

async fn read_one(scene: Scene<'_>, template: String) {
    let read = scene.caller.launch_template_versions(scene.region, &template, async |version| {
        let resource = format!("{template}:{}", version.number);
        scene.give(Piece::user_data(scene.region, "ec2", &resource, &version.user_data)).await;
    });
    if let Err(error) = read.await {
        scene.lost_one(&template, &error);
    }
}
