//! The places, a file each.

mod build_projects;
mod environments;
mod functions;
mod instances;
mod launch_configurations;
mod launch_templates;
mod parameters;
mod stacks;
mod task_definitions;

use futures_util::future::LocalBoxFuture;

use super::user_data::Scene;

/// Resources of a place that are asked about at the same time.
const AT_ONCE: usize = 8;

/// A kind of place where people write keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// User data of instances.
    Instances,
    /// User data of every version of launch templates.
    LaunchTemplates,
    /// User data of launch configurations.
    LaunchConfigurations,
    /// Variables of every version of Lambda functions.
    Functions,
    /// Containers of every revision of task definitions.
    TaskDefinitions,
    /// Variables and commands of CodeBuild.
    BuildProjects,
    /// Parameters that are not encrypted.
    Parameters,
    /// Parameters and outputs of stacks.
    Stacks,
    /// Options of Elastic Beanstalk.
    Environments,
}

impl Place {
    pub(super) const ALL: [Self; 9] = [
        Self::Instances,
        Self::LaunchTemplates,
        Self::LaunchConfigurations,
        Self::Functions,
        Self::TaskDefinitions,
        Self::BuildProjects,
        Self::Parameters,
        Self::Stacks,
        Self::Environments,
    ];

    pub(super) fn read(self, scene: Scene<'_>) -> LocalBoxFuture<'_, ()> {
        match self {
            Self::Instances => Box::pin(instances::read(scene)),
            Self::LaunchTemplates => Box::pin(launch_templates::read(scene)),
            Self::LaunchConfigurations => Box::pin(launch_configurations::read(scene)),
            Self::Functions => Box::pin(functions::read(scene)),
            Self::TaskDefinitions => Box::pin(task_definitions::read(scene)),
            Self::BuildProjects => Box::pin(build_projects::read(scene)),
            Self::Parameters => Box::pin(parameters::read(scene)),
            Self::Stacks => Box::pin(stacks::read(scene)),
            Self::Environments => Box::pin(environments::read(scene)),
        }
    }
}
