//! The trust policy of the role that takes a key's place.
//!
//! Each is narrowed to the one workload: a policy that trusts all of GitHub, or every certificate of an authority, would be worse
//! than the key. What akia cannot know stands in capitals.

use serde_json::{Value, json};

use super::way::Way;
use crate::ids::{AccountId, Partition};

/// Whose role it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSubject {
    /// The partition.
    pub partition: Partition,
    /// The account.
    pub account: AccountId,
    /// The region of the workload.
    pub region: String,
}

/// The trust policy; none where AWS or the console makes the role.
#[must_use]
pub fn trust_policy(way: Way, subject: &TrustSubject) -> Option<Value> {
    let TrustSubject { partition, account, region } = subject;
    let of_service = |service: &str, condition: Option<Value>| {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole",
        });
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    };
    let of_issuer = |issuer: &str, condition: Value| {
        json!({
            "Effect": "Allow",
            "Principal": { "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        })
    };
    let exactly = |issuer: &str, audience: &str, subject: &str| {
        of_issuer(
            issuer,
            json!({ "StringEquals": { format!("{issuer}:aud"): audience, format!("{issuer}:sub"): subject } }),
        )
    };
    let like = |issuer: &str, audience: &str, subject: &str| {
        of_issuer(
            issuer,
            json!({
                "StringEquals": { format!("{issuer}:aud"): audience },
                "StringLike": { format!("{issuer}:sub"): subject },
            }),
        )
    };
    let statement = match way {
        Way::Ec2 => of_service("ec2.amazonaws.com", None),
        Way::Ecs => of_service(
            "ecs-tasks.amazonaws.com",
            Some(json!({
                "StringEquals": { "aws:SourceAccount": account },
                "ArnLike": { "aws:SourceArn": format!("arn:{partition}:ecs:{region}:{account}:*") },
            })),
        ),
        Way::Lambda => of_service("lambda.amazonaws.com", None),
        Way::PodIdentity => json!({
            "Effect": "Allow",
            "Principal": { "Service": "pods.eks.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": account,
                    "aws:RequestTag/kubernetes-namespace": "NAMESPACE",
                    "aws:RequestTag/kubernetes-service-account": "SERVICE-ACCOUNT",
                },
            },
        }),
        Way::Irsa => exactly(
            &format!("oidc.eks.{region}.amazonaws.com/id/CLUSTER-ID"),
            "sts.amazonaws.com",
            "system:serviceaccount:NAMESPACE:SERVICE-ACCOUNT",
        ),
        Way::GitHub => exactly(
            "token.actions.githubusercontent.com",
            "sts.amazonaws.com",
            "repo:ORGANIZATION/REPOSITORY:ref:refs/heads/main",
        ),
        Way::GitLab => {
            exactly("gitlab.com", "sts.amazonaws.com", "project_path:GROUP/PROJECT:ref_type:branch:ref:main")
        }
        Way::CircleCi => like(
            "oidc.circleci.com/org/ORGANIZATION-ID",
            "ORGANIZATION-ID",
            "org/ORGANIZATION-ID/project/PROJECT-ID/user/*",
        ),
        Way::TerraformCloud => like(
            "app.terraform.io",
            "aws.workload.identity",
            "organization:ORGANIZATION:project:PROJECT:workspace:WORKSPACE:run_phase:*",
        ),
        Way::RolesAnywhere => json!({
            "Effect": "Allow",
            "Principal": { "Service": "rolesanywhere.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Condition": {
                "ArnEquals": {
                    "aws:SourceArn": format!("arn:{partition}:rolesanywhere:{region}:{account}:trust-anchor/TRUST-ANCHOR-ID"),
                },
                "StringEquals": { "aws:PrincipalTag/x509Subject/CN": "COMMON-NAME" },
            },
        }),
        Way::IdentityCenter | Way::AwsLogin => return None,
    };
    Some(json!({ "Version": "2012-10-17", "Statement": [statement] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trust_policies() {
        let subject = TrustSubject {
            partition: Partition::Aws,
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".to_owned(),
        };
        let mut all = String::new();
        for way in Way::ALL {
            let policy = trust_policy(way, &subject);
            all.push_str(&format!("{}\n{:#}\n", way.as_str(), policy.clone().unwrap_or_default()));
            let Some(policy) = policy else { continue };
            // Nobody outside the account gets in by naming the service or the issuer alone.
            let statement = &policy["Statement"][0];
            let is_of_instance = matches!(way, Way::Ec2 | Way::Lambda);
            assert_eq!(statement.get("Condition").is_none(), is_of_instance, "{}", way.as_str());
        }
        insta::assert_snapshot!("trust", all);
    }
}
