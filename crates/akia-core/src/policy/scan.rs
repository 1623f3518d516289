//! The policy of `akia scan --snapshot` and `--user-data`.

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
                    ["ebs:GetSnapshotBlock", "ebs:ListChangedBlocks", "ebs:ListSnapshotBlocks"],
                    format!("arn:{partition}:ec2:*::snapshot/*"),
                ),
                Statement::allow(
                    "FindSnapshots",
                    ["ec2:DescribeImages", "ec2:DescribeRegions", "ec2:DescribeSnapshots"],
                    "*",
                ),
            ],
            // Listings have no resource, and what is read behind them is all of it: every resource of the account.
            Self::UserData => vec![Statement::allow(
                "ReadUserData",
                [
                    "autoscaling:DescribeLaunchConfigurations",
                    "cloudformation:DescribeStacks",
                    "codebuild:BatchGetProjects",
                    "codebuild:ListProjects",
                    "ec2:DescribeInstanceAttribute",
                    "ec2:DescribeInstances",
                    "ec2:DescribeLaunchTemplates",
                    "ec2:DescribeLaunchTemplateVersions",
                    "ec2:DescribeRegions",
                    "ecs:DescribeTaskDefinition",
                    "ecs:ListTaskDefinitions",
                    "elasticbeanstalk:DescribeConfigurationSettings",
                    "elasticbeanstalk:DescribeEnvironments",
                    "lambda:ListFunctions",
                    "ssm:DescribeParameters",
                    "ssm:GetParameters",
                ],
                "*",
            )],
        }
    }
}

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
