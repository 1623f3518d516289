//! The ways that there are.

use std::str::FromStr;

/// What replaces a long-term key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// The role of an EC2 instance.
    Ec2,
    /// The role of an ECS task.
    Ecs,
    /// The role of a Lambda function.
    Lambda,
    /// EKS Pod Identity.
    PodIdentity,
    /// IAM roles for service accounts.
    Irsa,
    /// The tokens of GitHub Actions.
    GitHub,
    /// The tokens of GitLab CI.
    GitLab,
    /// The tokens of CircleCI.
    CircleCi,
    /// The tokens of HCP Terraform.
    TerraformCloud,
    /// Certificates of one's own machines.
    RolesAnywhere,
    /// People who sign in at IAM Identity Center.
    IdentityCenter,
    /// People who sign in to the console of the account.
    AwsLogin,
}

impl Way {
    /// Every way, the one that leaves least to look after first.
    pub const ALL: [Self; 12] = [
        Self::Ec2,
        Self::Ecs,
        Self::Lambda,
        Self::PodIdentity,
        Self::Irsa,
        Self::GitHub,
        Self::GitLab,
        Self::CircleCi,
        Self::TerraformCloud,
        Self::RolesAnywhere,
        Self::IdentityCenter,
        Self::AwsLogin,
    ];

    /// As it is typed, and as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2-role",
            Self::Ecs => "ecs-task-role",
            Self::Lambda => "lambda-role",
            Self::PodIdentity => "eks-pod-identity",
            Self::Irsa => "irsa",
            Self::GitHub => "github-oidc",
            Self::GitLab => "gitlab-oidc",
            Self::CircleCi => "circleci-oidc",
            Self::TerraformCloud => "terraform-cloud-oidc",
            Self::RolesAnywhere => "roles-anywhere",
            Self::IdentityCenter => "identity-center",
            Self::AwsLogin => "aws-login",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Ec2 => "an IAM role of the EC2 instance",
            Self::Ecs => "an IAM role of the ECS task",
            Self::Lambda => "the execution role of the Lambda function",
            Self::PodIdentity => "EKS Pod Identity: an IAM role for a service account",
            Self::Irsa => "IAM roles for service accounts (IRSA), on any Kubernetes cluster with an OIDC issuer",
            Self::GitHub => "OpenID Connect from GitHub Actions",
            Self::GitLab => "OpenID Connect from GitLab CI",
            Self::CircleCi => "OpenID Connect from CircleCI",
            Self::TerraformCloud => "OpenID Connect from HCP Terraform (dynamic provider credentials)",
            Self::RolesAnywhere => "IAM Roles Anywhere: a role for machines that have a certificate",
            Self::IdentityCenter => "IAM Identity Center: people sign in, and get a session of hours",
            Self::AwsLogin => "aws login: people sign in to the console of the account, and get a session of hours",
        }
    }
}

/// A word that is none of the ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of {}", Way::ALL.map(Way::as_str).join(", "))]
pub struct UnknownWay {
    word: String,
}

impl FromStr for Way {
    type Err = UnknownWay;
    fn from_str(word: &str) -> Result<Self, UnknownWay> {
        let found = Self::ALL.into_iter().find(|way| way.as_str() == word);
        found.ok_or_else(|| UnknownWay { word: word.chars().take(40).collect() })
    }
}
