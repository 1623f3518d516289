//! User data of launch configurations.

use super::super::pieces::Piece;
use super::super::user_data::Scene;

pub(super) async fn read(scene: Scene<'_>) {
    let read = scene.caller.launch_configurations(scene.region, async |found| {
        scene.give(Piece::user_data(scene.region, "autoscaling", &found.arn, &found.user_data)).await;
    });
    if let Err(error) = read.await {
        scene.lost(&error);
    }
}
