//! What an audit of an organisation needs: the policy of whoever calls (the hub), the role in each account, and that role as a
//! CloudFormation template for a StackSet and as a Terraform file.

use serde_json::{Value, json};

use super::document::{Effect, OneOrMany, PolicyDocument, Statement};
use super::job::{JobPolicy, PolicyOptions};
use crate::ids::Partition;

/// What the caller asks of the organisation.
const LISTS: [&str; 5] = [
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "organizations:ListTagsForResource",
];

/// The role in each account, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRole {
    /// The partition of the ARNs.
    pub partition: Partition,
    /// Its name, with its path where it has one (`security/AkiaAudit`).
    pub name: String,
    /// Who may assume it: an ARN, or the number of an account that says itself who of it may.
    pub hub: String,
    /// The external id that whoever assumes it must know.
    pub external_id: Option<String>,
    /// Whether it also hands findings to Security Hub.
    pub security_hub: bool,
}

/// The policy of the caller: list the accounts, and assume the role in each.
#[must_use]
pub fn hub_policy(partition: Partition, role_name: &str) -> PolicyDocument {
    let allow = |sid: &str, actions: &[&str], resource: String| Statement {
        sid: sid.to_owned(),
        effect: Effect::Allow,
        action: actions.iter().copied().collect(),
        resource: OneOrMany::One(resource),
        condition: None,
    };
    let role = format!("arn:{partition}:iam::*:role/{}", role_name.trim_matches('/'));
    PolicyDocument::new(vec![
        allow("ListAccounts", &LISTS, "*".to_owned()),
        allow("EnterAccounts", &["sts:AssumeRole", "sts:SetSourceIdentity"], role),
    ])
}

impl AuditRole {
    /// Who may assume the role, and set the source identity that CloudTrail then shows.
    #[must_use]
    pub fn trust_policy(&self) -> Value {
        let is_account = self.hub.len() == 12 && self.hub.bytes().all(|byte| byte.is_ascii_digit());
        let principal =
            if is_account { format!("arn:{}:iam::{}:root", self.partition, self.hub) } else { self.hub.clone() };
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

    /// What the role may do: what `akia policy audit` prints.
    #[must_use]
    pub fn policy(&self) -> PolicyDocument {
        let (partition, security_hub) = (self.partition, self.security_hub);
        JobPolicy::Audit.document(&PolicyOptions { partition, security_hub, ..PolicyOptions::default() })
    }

    fn description(&self) -> &'static str {
        if self.security_hub {
            "The role that akia audit enters an account with. It reads, and hands findings to Security Hub."
        } else {
            "The role that akia audit enters an account with. It reads, and changes nothing."
        }
    }

    /// A CloudFormation template for a StackSet.
    #[must_use]
    pub fn cloudformation(&self) -> String {
        let (path, name) = self.path_and_name();
        format!(
            "AWSTemplateFormatVersion: \"2010-09-09\"\n\
             Description: {}\n\
             Resources:\n\
             \x20 AkiaAudit:\n\
             \x20   Type: AWS::IAM::Role\n\
             \x20   Properties:\n\
             \x20     RoleName: {}\n\
             \x20     Path: {}\n\
             \x20     MaxSessionDuration: 3600\n\
             \x20     AssumeRolePolicyDocument: {}\n\
             \x20     Policies:\n\
             \x20       - PolicyName: akia-audit\n\
             \x20         PolicyDocument: {}\n",
            self.description(),
            json!(name),
            json!(path),
            indented(&pretty(&self.trust_policy()), 8),
            indented(&self.policy().to_pretty_json(), 12),
        )
    }

    /// The same as a Terraform file.
    #[must_use]
    pub fn terraform(&self) -> String {
        let (path, name) = self.path_and_name();
        // In a heredoc of Terraform, `${` and `%{` begin a template.
        let literal = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
        format!(
            "# {}\n\
             resource \"aws_iam_role\" \"akia_audit\" {{\n\
             \x20 name                 = {}\n\
             \x20 path                 = {}\n\
             \x20 max_session_duration = 3600\n\
             \x20 assume_role_policy   = <<-JSON\n\
             \x20   {}\n\
             \x20 JSON\n\
             }}\n\
             \n\
             resource \"aws_iam_role_policy\" \"akia_audit\" {{\n\
             \x20 name   = \"akia-audit\"\n\
             \x20 role   = aws_iam_role.akia_audit.id\n\
             \x20 policy = <<-JSON\n\
             \x20   {}\n\
             \x20 JSON\n\
             }}\n",
            self.description(),
            literal(&json!(name).to_string()),
            literal(&json!(path).to_string()),
            literal(&indented(&pretty(&self.trust_policy()), 4)),
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

    fn role(name: &str, hub: &str, external_id: Option<&str>) -> AuditRole {
        AuditRole {
            partition: Partition::Aws,
            name: name.to_owned(),
            hub: hub.to_owned(),
            external_id: external_id.map(str::to_owned),
            security_hub: false,
        }
    }

    #[test]
    fn the_right_to_import_findings_is_only_there_where_it_is_asked_for() {
        let plain = role("AkiaAudit", "111122223333", None);
        let with = AuditRole { security_hub: true, ..plain.clone() };
        for (of_plain, of_with) in
            [(plain.cloudformation(), with.cloudformation()), (plain.terraform(), with.terraform())]
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
        insta::assert_snapshot!("cloudformation", role.cloudformation());
        insta::assert_snapshot!("terraform", role.terraform());
    }

    #[test]
    fn terraform_holds_the_policies_of_the_core() {
        let role = role("AkiaAudit", "arn:aws:iam::111122223333:role/${odd}", None);
        let text = role.terraform();
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
    fn an_account_is_trusted_as_a_whole_and_an_arn_as_it_is() {
        let principal =
            |hub: &str| role("AkiaAudit", hub, None).trust_policy()["Statement"][0]["Principal"]["AWS"].clone();
        assert_eq!(principal("111122223333"), "arn:aws:iam::111122223333:root");
        assert_eq!(principal("arn:aws:iam::111122223333:role/Auditors"), "arn:aws:iam::111122223333:role/Auditors");
    }
}
