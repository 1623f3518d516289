//! Options of Elastic Beanstalk environments.

use akia_core::leak::Part;
use futures_util::stream::{self, StreamExt as _};

use super::super::pieces::Piece;
use super::super::user_data::Scene;
use super::AT_ONCE;

pub(super) async fn read(scene: Scene<'_>) {
    let environments = match scene.caller.application_environments(scene.region).await {
        Ok(environments) => environments,
        Err(error) => return scene.lost(&error),
    };
    stream::iter(environments)
        .for_each_concurrent(AT_ONCE, async |environment| {
            match scene.caller.environment_options(scene.region, &environment).await {
                Ok(options) => {
                    let lines = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                    let piece = Piece::lines(scene.region, "elasticbeanstalk", &environment.arn, Part::Settings, lines);
                    scene.give(piece).await;
                }
                Err(error) => scene.lost_one(&environment.arn, &error),
            }
        })
        .await;
}
