//! What an organisation needs: the policy of whoever calls (the hub), the roles in each account, and these as a CloudFormation
//! template for a StackSet and as a Terraform file.

use serde_json::{Value, json};

use super::document::{Condition, Effect, OneOrMany, PolicyDocument, Statement};
use super::job::{JobPolicy, PolicyOptions};
use crate::ids::{AccountId, Partition};
use crate::quarantine::quarantine_policy;

/// What the caller asks of the organisation.
const LISTS: [&str; 5] = [
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
];

/// What a role is for. Each is a role of its own, so that whoever holds one cannot do the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Duty {
    /// `akia audit` reads the account.
    Audit {
        /// And imports what it finds into the account's Security Hub.
        security_hub: bool,
    },
    /// `akia enforce` looks at a key right before it acts.
    Look,
    /// `akia enforce` deactivates keys, and activates them again.
    Deactivate,
    /// `akia enforce` deletes keys.
    Delete,
    /// `akia enforce quarantine` ties a user's hands, and `release` unties them.
    Quarantine,
}

impl Duty {
    /// Those of `akia enforce`.
    pub const ENFORCEMENT: [Self; 4] = [Self::Look, Self::Deactivate, Self::Delete, Self::Quarantine];

    /// The role's name unless another is given.
    #[must_use]
    pub fn role_name(self) -> &'static str {
        match self {
            Self::Audit { .. } => "AkiaAudit",
            Self::Look => "AkiaEnforceReader",
            Self::Deactivate => "AkiaDeactivator",
            Self::Delete => "AkiaDeleter",
            Self::Quarantine => "AkiaQuarantiner",
        }
    }

    /// What it does, in a sentence or two.
    fn purpose(self) -> &'static str {
        match self {
            Self::Audit { security_hub: false } => {
                "The role that akia audit enters an account with. It reads, and changes nothing."
            }
            Self::Audit { security_hub: true } => {
                "The role that akia audit enters an account with. It reads, and hands findings to Security Hub."
            }
            Self::Look => "The role that akia enforce looks at keys with. It reads, and changes nothing.",
            Self::Deactivate => {
                "The role that akia enforce deactivates keys with. Each session is narrowed to one user."
            }
            Self::Delete => "The role that akia enforce deletes keys with. Each session is narrowed to one user.",
            Self::Quarantine => {
                "The role that akia enforce quarantine sets policies of a user with. Whoever may assume it can give users any right: \
                 guard it like an administrator. Each session is narrowed to one user."
            }
        }
    }

    /// The name of its policy.
    fn policy_name(self) -> &'static str {
        match self {
            Self::Audit { .. } => "akia-audit",
            Self::Look => "akia-enforce-reader",
            Self::Deactivate => "akia-deactivator",
            Self::Delete => "akia-deleter",
            Self::Quarantine => "akia-quarantiner",
        }
    }

    /// What a role for it may do, on every user of its account.
    #[must_use]
    pub fn policy(self, partition: Partition) -> PolicyDocument {
        let (sid, actions): (&str, &[&str]) = match self {
            Self::Audit { security_hub } => {
                return JobPolicy::Audit.document(&PolicyOptions {
                    partition,
                    security_hub,
                    ..PolicyOptions::default()
                });
            }
            Self::Look => (
                "LookAtKeys",
                &[
                    "iam:GetAccessKeyLastUsed",
                    "iam:GetUser",
                    "iam:ListAccessKeys",
                    "iam:ListAttachedUserPolicies",
                    "iam:ListUserPolicies",
                ],
            ),
            Self::Deactivate => ("DeactivateKeys", &["iam:UpdateAccessKey"]),
            Self::Delete => ("DeleteKeys", &["iam:DeleteAccessKey"]),
            Self::Quarantine => ("DenySessions", &["iam:DeleteUserPolicy", "iam:PutUserPolicy"]),
        };
        let of_users = |sid: &str, actions: &[&str], condition| Statement {
            sid: sid.to_owned(),
            effect: Effect::Allow,
            action: actions.iter().copied().collect(),
            resource: OneOrMany::One(format!("arn:{partition}:iam::*:user/*")),
            condition,
        };
        let mut statements = vec![of_users(sid, actions, None)];
        if self == Self::Quarantine {
            // Nothing else can be attached with it.
            let arn = OneOrMany::One(quarantine_policy(partition));
            let only = Condition::from([("ArnEquals".to_owned(), [("iam:PolicyARN".to_owned(), arn)].into())]);
            statements.push(of_users("AttachDenial", &["iam:AttachUserPolicy", "iam:DetachUserPolicy"], Some(only)));
        }
        PolicyDocument::new(statements)
    }
}

/// A role in each account, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRole {
    /// What it is for.
    pub duty: Duty,
    /// The partition of the ARNs.
    pub partition: Partition,
    /// Its name, with its path where it has one (`security/AkiaAudit`).
    pub name: String,
    /// Who may assume it: an ARN, or the number of an account that says itself who of it may.
    pub hub: String,
    /// The external id that whoever assumes it must know.
    pub external_id: Option<String>,
}

/// The policy of the caller: list the accounts, and assume the role in each.
#[must_use]
pub fn hub_policy(partition: Partition, role_name: &str) -> PolicyDocument {
    let role = format!("arn:{partition}:iam::*:role/{}", role_name.trim_matches('/'));
    PolicyDocument::new(vec![
        Statement::allow("ListAccounts", LISTS, "*"),
        Statement::allow("EnterAccounts", ["sts:AssumeRole", "sts:SetSourceIdentity"], role),
    ])
}

impl AccountRole {
    /// Who may assume the role, and set the source identity that CloudTrail then shows.
    #[must_use]
    pub fn trust_policy(&self) -> Value {
        let principal = match self.hub.parse::<AccountId>() {
            Ok(account) => format!("arn:{}:iam::{account}:root", self.partition),
            Err(_) => self.hub.clone(),
        };
        let mut statement = json!({
            "Sid": "TrustTheHub",
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        });
        if let Some(id) = &self.external_id {
            statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": id } });
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }

    /// What the role may do.
    #[must_use]
    pub fn policy(&self) -> PolicyDocument {
        self.duty.policy(self.partition)
    }

    /// It as a resource of a CloudFormation template.
    fn cloudformation_resource(&self) -> String {
        let (path, name) = self.path_and_name();
        format!(
            "\x20 {}:\n\
             \x20   Type: AWS::IAM::Role\n\
             \x20   Properties:\n\
             \x20     RoleName: {}\n\
             \x20     Path: {}\n\
             \x20     MaxSessionDuration: 3600\n\
             \x20     AssumeRolePolicyDocument: {}\n\
             \x20     Policies:\n\
             \x20       - PolicyName: {}\n\
             \x20         PolicyDocument: {}\n",
            self.duty.role_name(),
            json!(name),
            json!(path),
            indented(&pretty(&self.trust_policy()), 8),
            self.duty.policy_name(),
            indented(&self.policy().to_pretty_json(), 12),
        )
    }

    /// It as resources of a Terraform file.
    fn terraform_resources(&self) -> String {
        let (path, name) = self.path_and_name();
        // In a heredoc of Terraform, `${` and `%{` begin a template.
        let literal = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
        let resource = self.duty.policy_name().replace('-', "_");
        format!(
            "# {}\n\
             resource \"aws_iam_role\" \"{resource}\" {{\n\
             \x20 name                 = {}\n\
             \x20 path                 = {}\n\
             \x20 max_session_duration = 3600\n\
             \x20 assume_role_policy   = <<-JSON\n\
             \x20   {}\n\
             \x20 JSON\n\
             }}\n\
             \n\
             resource \"aws_iam_role_policy\" \"{resource}\" {{\n\
             \x20 name   = \"{}\"\n\
             \x20 role   = aws_iam_role.{resource}.id\n\
             \x20 policy = <<-JSON\n\
             \x20   {}\n\
             \x20 JSON\n\
             }}\n",
            self.duty.purpose(),
            literal(&json!(name).to_string()),
            literal(&json!(path).to_string()),
            literal(&indented(&pretty(&self.trust_policy()), 4)),
            self.duty.policy_name(),
            literal(&indented(&self.policy().to_pretty_json(), 4)),
        )
    }

    fn path_and_name(&self) -> (String, &str) {
        match self.name.trim_matches('/').rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), self.name.trim_matches('/')),
        }
    }
}

/// A CloudFormation template of these roles, for a StackSet.
#[must_use]
pub fn cloudformation(roles: &[AccountRole]) -> String {
    let purposes: Vec<&str> = roles.iter().map(|role| role.duty.purpose()).collect();
    let resources: String = roles.iter().map(AccountRole::cloudformation_resource).collect();
    format!("AWSTemplateFormatVersion: \"2010-09-09\"\nDescription: {}\nResources:\n{resources}", purposes.join(" "))
}

/// The same as a Terraform file.
#[must_use]
pub fn terraform(roles: &[AccountRole]) -> String {
    roles.iter().map(AccountRole::terraform_resources).collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    // The alternate form of a value is indented, and cannot fail.
    format!("{value:#}")
}

/// Every line but the first further in by so many spaces.
fn indented(text: &str, spaces: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{}", " ".repeat(spaces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, hub: &str, external_id: Option<&str>) -> AccountRole {
        AccountRole {
            duty: Duty::Audit { security_hub: false },
            partition: Partition::Aws,
            name: name.to_owned(),
            hub: hub.to_owned(),
            external_id: external_id.map(str::to_owned),
        }
    }

    #[test]
    fn the_right_to_import_findings_is_only_there_where_it_is_asked_for() {
        let plain = role("AkiaAudit", "111122223333", None);
        let with = AccountRole { duty: Duty::Audit { security_hub: true }, ..plain.clone() };
        let (plain, with) = ([plain], [with]);
        for (of_plain, of_with) in
            [(cloudformation(&plain), cloudformation(&with)), (terraform(&plain), terraform(&with))]
        {
            assert!(!of_plain.contains("securityhub"), "{of_plain}");
            for words in [
                "\"securityhub:BatchImportFindings\"",
                "\"arn:aws:securityhub:*:*:product/*/default\"",
                "It reads, and hands findings to Security Hub.",
            ] {
                assert!(of_with.contains(words), "{words}: {of_with}");
            }
        }
    }

    #[test]
    fn the_hub_and_the_templates() {
        let role = role("security/AkiaAudit", "111122223333", Some("example-id"));
        insta::assert_snapshot!("hub", hub_policy(Partition::AwsCn, "security/AkiaAudit").to_pretty_json());
        insta::assert_snapshot!("cloudformation", cloudformation(std::slice::from_ref(&role)));
        insta::assert_snapshot!("terraform", terraform(std::slice::from_ref(&role)));
    }

    #[test]
    fn terraform_holds_the_policies_of_the_core() {
        let role = role("AkiaAudit", "arn:aws:iam::111122223333:role/${odd}", None);
        let text = terraform(std::slice::from_ref(&role));
        let heredocs: Vec<Value> = text
            .split("<<-JSON\n")
            .skip(1)
            .map(|rest| rest.split_once("\n  JSON\n").unwrap().0.replace("$${", "${"))
            .map(|json| serde_json::from_str(&json).unwrap())
            .collect();
        assert_eq!(heredocs, [role.trust_policy(), serde_json::to_value(role.policy()).unwrap()]);
        assert!(!text.contains(" ${odd}") && text.contains("$${odd}"));
    }

    #[test]
    fn each_role_of_enforcement_may_do_its_own_and_nothing_else() {
        let actions = |duty: Duty| {
            let statements = duty.policy(Partition::Aws).statement;
            statements.iter().map(|one| one.action.as_slice().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(
            actions(Duty::Look),
            [
                "iam:GetAccessKeyLastUsed iam:GetUser iam:ListAccessKeys iam:ListAttachedUserPolicies iam:ListUserPolicies"
            ]
        );
        assert_eq!(actions(Duty::Deactivate), ["iam:UpdateAccessKey"]);
        assert_eq!(actions(Duty::Delete), ["iam:DeleteAccessKey"]);
        assert_eq!(
            actions(Duty::Quarantine),
            ["iam:DeleteUserPolicy iam:PutUserPolicy", "iam:AttachUserPolicy iam:DetachUserPolicy"]
        );
        let roles = Duty::ENFORCEMENT
            .map(|duty| AccountRole { duty, ..role(duty.role_name(), "111122223333", Some("example-id")) });
        insta::assert_snapshot!("enforcement_cloudformation", cloudformation(&roles));
        insta::assert_snapshot!("enforcement_terraform", terraform(&roles));
    }

    #[test]
    fn the_role_of_another_partition_reads_the_users_of_that_partition() {
        let china = AccountRole { partition: Partition::AwsCn, ..role("AkiaAudit", "111122223333", None) };
        let policy = china.policy().to_compact_json();
        assert!(policy.contains("arn:aws-cn:iam::*:user/*") && !policy.contains("arn:aws:"), "{policy}");
    }

    #[test]
    fn an_account_is_trusted_as_a_whole_and_an_arn_as_it_is() {
        let principal =
            |hub: &str| role("AkiaAudit", hub, None).trust_policy()["Statement"][0]["Principal"]["AWS"].clone();
        assert_eq!(principal("111122223333"), "arn:aws:iam::111122223333:root");
        assert_eq!(principal("arn:aws:iam::111122223333:role/Auditors"), "arn:aws:iam::111122223333:role/Auditors");
    }
}
