//! Parameters that are not encrypted.

use akia_core::leak::{Part, Why};

use super::super::gap::Gap;
use super::super::pieces::Piece;
use super::super::user_data::Scene;

/// Parameters that one call tells of: the most that AWS takes.
const TOGETHER: usize = 10;
/// Bytes of values that come as one text.
const TEXT: usize = 1024 * 1024;

pub(super) async fn read(scene: Scene<'_>) {
    let mut names = Vec::new();
    let mut encrypted = 0;
    let listed = scene.caller.parameters(scene.region, async |parameters| {
        let described = parameters.iter().filter_map(|one| Some((one.name.as_str(), one.description.as_deref()?)));
        // Descriptions come with the list, of encrypted ones too.
        scene.give(Piece::lines(scene.region, "ssm", "descriptions", Part::Settings, described)).await;
        for parameter in parameters {
            // What is not known to be encrypted is asked for; AWS decrypts nothing unless it is told to.
            match parameter.kind.as_str() {
                "SecureString" => encrypted += 1,
                _ => names.push(parameter.name),
            }
        }
    });
    if let Err(error) = listed.await {
        scene.lost(&error);
    }
    scene.passed_over(encrypted);
    // Sorted by what stands before the last slash: an id and its secret are neighbours, and come as one text.
    names.sort_by(|one, other| (folder(one), one).cmp(&(folder(other), other)));
    let mut found: Vec<(String, String)> = Vec::new();
    for names in names.chunks(TOGETHER) {
        for (name, value) in values(scene, names).await {
            let is_other = found.last().is_some_and(|(last, _)| folder(last) != folder(&name));
            if is_other || found.iter().map(|(_, value)| value.len()).sum::<usize>() > TEXT {
                give(scene, &mut found).await;
            }
            found.push((name, value));
        }
    }
    give(scene, &mut found).await;
}

/// The values of some parameters, in their order.
async fn values(scene: Scene<'_>, names: &[String]) -> Vec<(String, String)> {
    let answer = match scene.caller.parameter_values(scene.region, names).await {
        Ok(answer) => answer,
        Err(error) => {
            scene.lost_one(&names.join(","), &error);
            return Vec::new();
        }
    };
    for name in answer.invalid_parameters {
        scene.tell(Gap {
            region: scene.region.clone(),
            action: "ssm:GetParameters".to_owned(),
            resource: Some(name),
            why: Why::Missing,
            detail: "Systems Manager lists the parameter and does not find it".to_owned(),
        });
    }
    let plain = answer.parameters.into_iter().filter(|parameter| parameter.kind != "SecureString");
    let mut values: Vec<_> = plain.map(|parameter| (parameter.name, parameter.value)).collect();
    values.sort_by_key(|(name, _)| names.iter().position(|asked| asked == name));
    values
}

async fn give(scene: Scene<'_>, found: &mut Vec<(String, String)>) {
    let lines = found.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let resource = found.first().map_or("/", |(name, _)| folder(name));
    scene.give(Piece::lines(scene.region, "ssm", resource, Part::Parameter, lines)).await;
    found.clear();
}

/// `/prod/` of `/prod/key`.
fn folder(name: &str) -> &str {
    name.rfind('/').map_or("/", |slash| &name[..=slash])
}
