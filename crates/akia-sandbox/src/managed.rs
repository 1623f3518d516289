//! The managed policies of AWS that matter to access keys. Texts as of AWS's managed policy reference, those of the
//! wide read-only ones cut down to IAM, STS and CloudTrail.

/// Name and text.
pub(crate) const AWS_MANAGED: &[(&str, &str)] = &[
    ("AdministratorAccess", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#),
    (
        "IAMFullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount",
"organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy",
"organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget",
"organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}"#,
    ),
    (
        "IAMReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport",
"iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy",
"iam:SimulatePrincipalPolicy"],"Resource":"*"}]}"#,
    ),
    (
        "IAMUserChangePassword",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:ChangePassword"],
"Resource":["arn:aws:iam::*:user/${aws:username}"]},
{"Effect":"Allow","Action":["iam:GetAccountPasswordPolicy"],"Resource":"*"}]}"#,
    ),
    (
        "SecurityAudit",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport",
"iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy",
"iam:SimulatePrincipalPolicy","cloudtrail:LookupEvents"],"Resource":"*"}]}"#,
    ),
    (
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Generate*","iam:Get*","iam:List*",
"iam:Simulate*","sts:GetAccessKeyInfo","sts:GetCallerIdentity","sts:GetSessionToken","cloudtrail:LookupEvents"],
"Resource":"*"}]}"#,
    ),
    // What AWS attaches to a user whose key it has found in public: the part about IAM and compute.
    (
        "AWSCompromisedKeyQuarantineV3",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["cloudtrail:LookupEvents",
"ec2:RequestSpotInstances","ec2:RunInstances","ec2:StartInstances","iam:AddUserToGroup","iam:AttachGroupPolicy",
"iam:AttachRolePolicy","iam:AttachUserPolicy","iam:ChangePassword","iam:CreateAccessKey","iam:CreateInstanceProfile",
"iam:CreateLoginProfile","iam:CreatePolicyVersion","iam:CreateRole","iam:CreateUser","iam:DetachUserPolicy",
"iam:PassRole","iam:PutGroupPolicy","iam:PutRolePolicy","iam:PutUserPermissionsBoundary","iam:PutUserPolicy",
"iam:SetDefaultPolicyVersion","iam:UpdateAccessKey","iam:UpdateAccountPasswordPolicy","iam:UpdateAssumeRolePolicy",
"iam:UpdateLoginProfile","iam:UpdateUser","lambda:AddLayerVersionPermission","lambda:AddPermission",
"lambda:CreateFunction","organizations:CreateAccount","organizations:CreateOrganization",
"organizations:InviteAccountToOrganization"],"Resource":["*"]}]}"#,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Document, Facts, Use, Verdict, judge};

    #[test]
    fn every_one_parses_and_the_quarantine_outweighs_the_administrator() {
        let documents: Vec<Document> =
            AWS_MANAGED.iter().map(|(_, text)| Document::parse(text, Use::Identity).unwrap()).collect();
        let user = "arn:aws:iam::111122223333:user/alice";
        let judged = |documents: &[Document], action| judge(documents, user, action, user, &Facts::default());
        assert_eq!(judged(&documents[..1], "iam:CreateAccessKey"), Verdict::Allowed);
        assert_eq!(judged(&documents, "iam:CreateAccessKey"), Verdict::ExplicitlyDenied);
        assert_eq!(judged(&documents, "iam:DeleteAccessKey"), Verdict::Allowed);
    }
}
