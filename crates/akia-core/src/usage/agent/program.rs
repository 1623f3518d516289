//! The programs that call AWS, by the names that they give themselves.

use serde::{Deserialize, Serialize};

/// What sort of program calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What people work with: a command line, a browser, a program with windows. Scripts may use some of them, too.
    Tool,
    /// What describes infrastructure and sets it up, by hand or in a pipeline.
    Infrastructure,
    /// A library: somebody's own program.
    Library,
    /// What looks for weaknesses or takes things away: an attacker's, or one's own security team's.
    Offence,
    /// What runs by itself in a cluster or a pipeline.
    Controller,
    /// A service of AWS that calls for the user.
    AwsService,
    /// akia.
    Akia,
    /// Nothing that is known.
    Other,
}

/// A program that is known, by how its token begins.
pub(super) struct Known {
    /// How the token begins, in lower case, up to the version.
    pub(super) begins: &'static str,
    /// What people call it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether it is a layer above another one, which then is what it is built with.
    pub(super) wraps: bool,
}

const fn above(begins: &'static str, name: &'static str, kind: Kind) -> Known {
    Known { begins, name, kind, wraps: true }
}

const fn beneath(begins: &'static str, name: &'static str, kind: Kind) -> Known {
    Known { begins, name, kind, wraps: false }
}

/// In the order of what tells most: of several tokens of one user agent, the first in this list names the program.
pub(super) const KNOWN: &[Known] = &[
    above("akia/", "akia", Kind::Akia),
    above("akia-", "akia", Kind::Akia),
    // Attackers and those who look for weaknesses.
    above("pacu", "Pacu", Kind::Offence),
    above("stratus-red-team", "Stratus Red Team", Kind::Offence),
    above("scoutsuite", "ScoutSuite", Kind::Offence),
    above("scout suite", "ScoutSuite", Kind::Offence),
    above("trufflehog", "TruffleHog", Kind::Offence),
    above("cloudfox", "CloudFox", Kind::Offence),
    above("enumerate-iam", "enumerate-iam", Kind::Offence),
    above("aws-nuke", "aws-nuke", Kind::Offence),
    above("cloud-nuke", "cloud-nuke", Kind::Offence),
    above("apn_1826889", "Prowler", Kind::Offence),
    above("prowler", "Prowler", Kind::Offence),
    // The console: what AWS's own servers call while somebody clicks.
    beneath("s3console", "AWS console", Kind::Tool),
    beneath("console.amazonaws.com", "AWS console", Kind::Tool),
    beneath("signin.amazonaws.com", "AWS console", Kind::Tool),
    beneath("aws internal", "AWS console", Kind::Tool),
    beneath("aws-internal", "AWS console", Kind::Tool),
    beneath("mozilla/", "browser", Kind::Tool),
    // Infrastructure.
    above("pulumi", "Pulumi", Kind::Infrastructure),
    above("opentofu", "OpenTofu", Kind::Infrastructure),
    above("terraform/", "Terraform", Kind::Infrastructure),
    above("terraform-provider-aws", "Terraform", Kind::Infrastructure),
    above("packer", "Packer", Kind::Infrastructure),
    above("ansible", "Ansible", Kind::Infrastructure),
    above("aws-sam-cli", "AWS SAM CLI", Kind::Infrastructure),
    above("aws-cdk", "AWS CDK", Kind::Infrastructure),
    above("cdk/", "AWS CDK", Kind::Infrastructure),
    above("serverless", "Serverless Framework", Kind::Infrastructure),
    above("eksctl", "eksctl", Kind::Infrastructure),
    above("crossplane", "Crossplane", Kind::Controller),
    // Clusters and pipelines.
    above("configure-aws-credentials", "GitHub Actions", Kind::Controller),
    above("cluster-autoscaler", "Cluster Autoscaler", Kind::Controller),
    above("karpenter", "Karpenter", Kind::Controller),
    above("elbv2.k8s.aws", "AWS Load Balancer Controller", Kind::Controller),
    above("amazon-vpc-cni-k8s", "Amazon VPC CNI", Kind::Controller),
    above("external-dns", "ExternalDNS", Kind::Controller),
    above("kubernetes", "Kubernetes", Kind::Controller),
    above("jenkins", "Jenkins", Kind::Controller),
    // Programs for files in S3.
    above("rclone", "rclone", Kind::Tool),
    above("s3cmd", "s3cmd", Kind::Tool),
    above("s5cmd", "s5cmd", Kind::Tool),
    above("s3 browser", "S3 Browser", Kind::Tool),
    above("cyberduck", "Cyberduck", Kind::Tool),
    above("mountain duck", "Mountain Duck", Kind::Tool),
    above("winscp", "WinSCP", Kind::Tool),
    above("aws-toolkit", "AWS Toolkit", Kind::Tool),
    above("steampipe", "Steampipe", Kind::Tool),
    above("awspowershell", "AWS Tools for PowerShell", Kind::Tool),
    beneath("aws-cli/2", "AWS CLI v2", Kind::Tool),
    beneath("aws-cli/1", "AWS CLI v1", Kind::Tool),
    beneath("aws-cli", "AWS CLI", Kind::Tool),
    // Libraries.
    beneath("boto3", "boto3", Kind::Library),
    beneath("botocore", "botocore", Kind::Library),
    beneath("boto/", "boto", Kind::Library),
    beneath("aws-sdk-go-v2", "SDK for Go v2", Kind::Library),
    beneath("aws-sdk-go", "SDK for Go v1", Kind::Library),
    beneath("aws-sdk-java/2", "SDK for Java v2", Kind::Library),
    beneath("aws-sdk-java", "SDK for Java v1", Kind::Library),
    beneath("aws-sdk-js/3", "SDK for JavaScript v3", Kind::Library),
    beneath("aws-sdk-js", "SDK for JavaScript v2", Kind::Library),
    beneath("aws-sdk-nodejs", "SDK for JavaScript v2", Kind::Library),
    beneath("aws-sdk-dotnet", "SDK for .NET", Kind::Library),
    beneath("aws-sdk-rust", "SDK for Rust", Kind::Library),
    beneath("aws-sdk-php", "SDK for PHP", Kind::Library),
    beneath("aws-sdk-ruby", "SDK for Ruby", Kind::Library),
    beneath("aws-sdk-cpp", "SDK for C++", Kind::Library),
    beneath("aws-sdk-kotlin", "SDK for Kotlin", Kind::Library),
    beneath("aws-sdk-swift", "SDK for Swift", Kind::Library),
    beneath("aws-sdk-", "AWS SDK", Kind::Library),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_first_hides_nothing_that_stands_below() {
        for (at, known) in KNOWN.iter().enumerate() {
            assert_eq!(known.begins, known.begins.to_lowercase());
            let hidden_by = KNOWN[..at].iter().find(|above| known.begins.starts_with(above.begins));
            assert!(hidden_by.is_none(), "{} is hidden by {}", known.begins, hidden_by.unwrap().begins);
        }
    }
}
