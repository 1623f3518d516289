//! User data of instances.

use futures_util::stream::{self, StreamExt as _};

use super::super::pieces::Piece;
use super::super::user_data::Scene;
use super::AT_ONCE;
use crate::aws::{AwsError, Instance};

pub(super) async fn read(scene: Scene<'_>) {
    let instances = match scene.caller.instances(scene.region).await {
        Ok(instances) => instances,
        Err(error) => return scene.lost(&error),
    };
    stream::iter(instances).for_each_concurrent(AT_ONCE, |instance| read_one(scene, instance)).await;
}

async fn read_one(scene: Scene<'_>, instance: Instance) {
    match scene.caller.instance_user_data(scene.region, &instance.id).await {
        Ok(Some(text)) => scene.give(Piece::user_data(scene.region, "ec2", &instance.id, &text)).await,
        Ok(None) => {}
        // EC2 lists a terminated instance for an hour and knows less and less of it.
        Err(AwsError::Rejected { .. }) if instance.is_terminated => {}
        Err(error) => scene.lost_one(&instance.id, &error),
    }
}
