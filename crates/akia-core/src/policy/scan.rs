//! The rights of `akia scan --snapshot` and `--user-data`, and the policy that gives them.

use super::action::{Action, Need, Probe, ResourceForm, every_snapshot};
use super::document::{PolicyDocument, Statement};
use crate::ids::Partition;

/// What a scan reads of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanSource {
    /// The blocks of snapshots, and the snapshots of images.
    Snapshots,
    /// Every place where people write keys in plain text.
    UserData,
}

impl ScanSource {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Snapshots, Self::UserData];

    fn statements(self, partition: Partition) -> Vec<Statement> {
        match self {
            Self::Snapshots => vec![
                Statement::allow(
                    "ReadSnapshotBlocks",
                    names(SCAN_SNAPSHOT, ResourceForm::Snapshot),
                    every_snapshot(partition),
                ),
                Statement::allow("FindSnapshots", names(SCAN_SNAPSHOT, ResourceForm::Any), "*"),
            ],
            // Listings have no resource, and what is read behind them is all of it: every resource of the account.
            Self::UserData => {
                vec![Statement::allow("ReadUserData", names(SCAN_USER_DATA, ResourceForm::Any), "*")]
            }
        }
    }
}

fn names(actions: &[Action], form: ResourceForm) -> Vec<&'static str> {
    let mut names: Vec<&str> = actions.iter().filter(|one| one.resource == form).map(|one| one.name).collect();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names
}

const BLOCKS: Action = Action {
    name: "ebs:GetSnapshotBlock",
    resource: ResourceForm::Snapshot,
    need: Need::Required,
    why: "reads each block of the disk",
    probe: Probe::Nothing,
};

const REGIONS: Action = Action {
    name: "ec2:DescribeRegions",
    resource: ResourceForm::Any,
    need: Need::Optional,
    why: "tells the regions of `--all-regions`; without it name each with `--region`",
    probe: Probe::Nothing,
};

pub(super) const SCAN_SNAPSHOT: &[Action] = &[
    BLOCKS,
    Action { name: "ebs:ListSnapshotBlocks", why: "tells which blocks of the disk were ever written", ..BLOCKS },
    Action {
        name: "ebs:ListChangedBlocks",
        need: Need::Optional,
        why: "tells what differs from an earlier snapshot; without it each is read as a whole",
        ..BLOCKS
    },
    Action {
        name: "ec2:DescribeImages",
        why: "tells the snapshots of an image; without it name each snapshot",
        ..REGIONS
    },
    Action {
        name: "ec2:DescribeSnapshots",
        why: "tells the disk's size and volume; the snapshot is read without it",
        ..REGIONS
    },
    REGIONS,
];

/// A listing, or what is read behind one: without it a part of the account is not looked at, and the scan is partial.
const fn text(name: &'static str, why: &'static str) -> Action {
    Action { name, need: Need::Required, why, ..REGIONS }
}

pub(super) const SCAN_USER_DATA: &[Action] = &[
    text("ec2:DescribeInstances", "lists instances"),
    text("ec2:DescribeInstanceAttribute", "reads the user data of an instance"),
    text("ec2:DescribeLaunchTemplates", "lists launch templates"),
    text("ec2:DescribeLaunchTemplateVersions", "reads the user data of each version of a launch template"),
    text("autoscaling:DescribeLaunchConfigurations", "reads the user data of launch configurations"),
    text("lambda:ListFunctions", "reads the variables of functions and their versions"),
    text("ecs:ListTaskDefinitions", "lists task definitions"),
    text("ecs:DescribeTaskDefinition", "reads the containers of a task definition"),
    text("codebuild:ListProjects", "lists projects"),
    text("codebuild:BatchGetProjects", "reads variables and build specifications of projects"),
    text("ssm:DescribeParameters", "lists parameters with their descriptions"),
    text("ssm:GetParameters", "reads parameters in plain text"),
    text("cloudformation:DescribeStacks", "reads parameters and outputs of stacks"),
    text("elasticbeanstalk:DescribeEnvironments", "lists environments"),
    text("elasticbeanstalk:DescribeConfigurationSettings", "reads the options of an environment"),
    REGIONS,
];

/// The policy of a scan of these. It reads, and changes nothing.
#[must_use]
pub fn scan_policy(partition: Partition, sources: &[ScanSource]) -> PolicyDocument {
    PolicyDocument::new(sources.iter().flat_map(|source| source.statements(partition)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_a_scan() {
        insta::assert_snapshot!("scan", scan_policy(Partition::Aws, &ScanSource::ALL).to_pretty_json());
        let one = scan_policy(Partition::AwsCn, &[ScanSource::Snapshots]);
        assert_eq!(one.statement.len(), 2);
        assert!(one.to_compact_json().contains("arn:aws-cn:ec2:*::snapshot/*"));
    }
}
