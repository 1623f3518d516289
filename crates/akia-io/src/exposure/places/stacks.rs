//! Parameters and outputs of CloudFormation stacks.

use akia_core::leak::Part;

use super::super::pieces::Piece;
use super::super::user_data::Scene;

pub(super) async fn read(scene: Scene<'_>) {
    let read = scene.caller.stacks(scene.region, async |stack| {
        for (part, values) in [(Part::Parameter, &stack.parameters), (Part::Settings, &stack.outputs)] {
            let lines = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            scene.give(Piece::lines(scene.region, "cloudformation", &stack.id, part, lines)).await;
        }
    });
    if let Err(error) = read.await {
        scene.lost(&error);
    }
}
