//! The policy of `akia usage`: it reads logs, and changes nothing.

use super::document::{OneOrMany, PolicyDocument, Statement};
use crate::ids::Partition;

/// What `akia usage` reads: CloudTrail's event history, what is attached to a user, and the logs of trails in these buckets, encrypted
/// with this KMS key where there is one.
#[must_use]
pub fn usage_policy(partition: Partition, buckets: &[String], kms_key: Option<&str>) -> PolicyDocument {
    let mut statements = vec![
        Statement::allow("LookUpEventHistory", ["cloudtrail:LookupEvents"], "*"),
        Statement::allow("CompareWithAttached", ["iam:GetAccountAuthorizationDetails"], "*"),
    ];
    let arns = |below: &str| buckets.iter().map(|bucket| format!("arn:{partition}:s3:::{bucket}{below}")).collect();
    if !buckets.is_empty() {
        let (buckets, logs): (Vec<String>, Vec<String>) = (arns(""), arns("/*"));
        statements.push(Statement::allow("ListLogs", ["s3:ListBucket"], OneOrMany::from_iter(buckets)));
        statements.push(Statement::allow("ReadLogs", ["s3:GetObject"], OneOrMany::from_iter(logs)));
    }
    statements.extend(kms_key.map(|key| Statement::allow("DecryptLogs", ["kms:Decrypt"], key)));
    PolicyDocument::new(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies() {
        insta::assert_snapshot!("live", usage_policy(Partition::Aws, &[], None).to_pretty_json());
        let buckets = ["example-trail".to_owned(), "other-trail".to_owned()];
        let key = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        insta::assert_snapshot!("trails", usage_policy(Partition::AwsCn, &buckets, Some(key)).to_pretty_json());
    }
}
