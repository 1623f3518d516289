//! The policy of `akia lambda`.

use super::document::{PolicyDocument, Statement};
use crate::ids::Partition;

/// The secrets and users that the rotation function is for.
#[derive(Debug, Clone)]
pub struct LambdaRights {
    /// Partition of the ARNs.
    pub partition: Partition,
    /// ARN of the secrets, with wildcards.
    pub secret: String,
    /// ARN of the users, with wildcards.
    pub user: String,
    /// ARN of the KMS key of the secrets, where it is not AWS's own.
    pub kms_key: Option<String>,
}

/// Writes versions of the secrets, replaces the keys of the users, asks CloudTrail whose a key is, and writes its log.
#[must_use]
pub fn lambda_policy(rights: &LambdaRights) -> PolicyDocument {
    let LambdaRights { partition, secret, user, kms_key } = rights;
    let mut statements = vec![
        Statement::allow(
            "WriteSecrets",
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            secret.as_str(),
        ),
        Statement::allow(
            "ReplaceKeys",
            [
                "iam:CreateAccessKey",
                "iam:DeleteAccessKey",
                "iam:GetAccessKeyLastUsed",
                "iam:ListAccessKeys",
                "iam:UpdateAccessKey",
            ],
            user.as_str(),
        ),
        Statement::allow("AskWhoMadeKeys", ["cloudtrail:LookupEvents"], "*"),
        Statement::allow(
            "WriteLog",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            format!("arn:{partition}:logs:*:*:log-group:/aws/lambda/*"),
        ),
    ];
    if let Some(key) = kms_key {
        statements.push(Statement::allow("UseKmsKey", ["kms:Decrypt", "kms:GenerateDataKey"], key.as_str()));
    }
    PolicyDocument::new(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy() {
        let rights = LambdaRights {
            partition: Partition::Aws,
            secret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:service/*".to_owned(),
            user: "arn:aws:iam::123456789012:user/service-*".to_owned(),
            kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab".to_owned()),
        };
        insta::assert_snapshot!(lambda_policy(&rights).to_pretty_json());
    }
}
