//! Variables of every version of Lambda functions.

use akia_core::leak::{Part, Why};

use super::super::gap::Gap;
use super::super::pieces::Piece;
use super::super::user_data::Scene;

pub(super) async fn read(scene: Scene<'_>) {
    let read = scene.caller.functions(scene.region, async |functions| {
        for function in functions {
            let Some(environment) = function.environment else { continue };
            if let Some(error) = environment.error {
                scene.tell(Gap {
                    region: scene.region.clone(),
                    action: "kms:Decrypt".to_owned(),
                    resource: Some(crate::aws::clean(&function.arn, None)),
                    why: Why::Encrypted,
                    detail: crate::aws::clean(&format!("{}: {}", error.error_code, error.message), None),
                });
            }
            let variables = environment.variables.unwrap_or_default();
            let lines = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            scene.give(Piece::lines(scene.region, "lambda", &function.arn, Part::Variable, lines)).await;
        }
    });
    if let Err(error) = read.await {
        scene.lost(&error);
    }
}
