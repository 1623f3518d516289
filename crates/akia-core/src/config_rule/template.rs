//! The same as templates, for whoever deploys with CloudFormation or Terraform.

use serde_json::{Value, json};

use super::wanted::{IDENTIFIER, MARK, TARGET, Wanted};

/// The form of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateForm {
    /// A CloudFormation template, in JSON.
    Cloudformation,
    /// A Terraform file, in JSON (`.tf.json`).
    Terraform,
}

/// What `enable` would make, without the policy of the topic, which a template would replace as a whole.
#[must_use]
pub fn template(wanted: &Wanted, form: TemplateForm) -> String {
    let value = match form {
        TemplateForm::Cloudformation => cloudformation(wanted),
        TemplateForm::Terraform => terraform(wanted),
    };
    format!("{value:#}\n")
}

fn cloudformation(wanted: &Wanted) -> Value {
    let name = wanted.name.as_str();
    let tags = json!([{ "Key": MARK.0, "Value": MARK.1 }]);
    let days = wanted.max_age_days.to_string();
    let rule = if wanted.for_organization {
        let excluded: Vec<&str> = wanted.excluded.iter().map(crate::ids::AccountId::as_str).collect();
        json!({
            "Type": "AWS::Config::OrganizationConfigRule",
            "Properties": {
                "OrganizationConfigRuleName": name,
                "OrganizationManagedRuleMetadata": {
                    "RuleIdentifier": IDENTIFIER,
                    "Description": wanted.description(),
                    "InputParameters": wanted.parameters(),
                    "MaximumExecutionFrequency": "TwentyFour_Hours",
                },
                "ExcludedAccounts": excluded,
            },
        })
    } else {
        json!({
            "Type": "AWS::Config::ConfigRule",
            "Properties": {
                "ConfigRuleName": name,
                "Description": wanted.description(),
                "Source": { "Owner": "AWS", "SourceIdentifier": IDENTIFIER },
                "InputParameters": { "maxAccessKeyAge": days },
                "MaximumExecutionFrequency": "TwentyFour_Hours",
            },
        })
    };
    let mut resources = json!({ "AccessKeysRotated": rule });
    if let Some(topic) = &wanted.topic {
        resources["AccessKeysRotatedEvents"] = json!({
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": name,
                "Description": wanted.description(),
                "EventPattern": wanted.event_pattern(),
                "State": "ENABLED",
                "Tags": tags,
                "Targets": [wanted.target(topic)],
            },
        });
    }
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "AWS Config looks at the age of access keys once a day (akia config-rule).",
        "Resources": resources,
    })
}

fn terraform(wanted: &Wanted) -> Value {
    let name = wanted.name.as_str();
    let tags = json!({ MARK.0: MARK.1 });
    let mut resources = if wanted.for_organization {
        let excluded: Vec<&str> = wanted.excluded.iter().map(crate::ids::AccountId::as_str).collect();
        json!({ "aws_config_organization_managed_rule": { "access_keys_rotated": {
            "name": name,
            "description": wanted.description(),
            "rule_identifier": IDENTIFIER,
            "input_parameters": wanted.parameters(),
            "maximum_execution_frequency": "TwentyFour_Hours",
            "excluded_accounts": excluded,
        }}})
    } else {
        json!({ "aws_config_config_rule": { "access_keys_rotated": {
            "name": name,
            "description": wanted.description(),
            "source": [{ "owner": "AWS", "source_identifier": IDENTIFIER }],
            "input_parameters": wanted.parameters(),
            "maximum_execution_frequency": "TwentyFour_Hours",
            "tags": tags,
        }}})
    };
    if let Some(topic) = &wanted.topic {
        let target = wanted.target(topic);
        let transformer = &target["InputTransformer"];
        resources["aws_cloudwatch_event_rule"] = json!({ "access_keys_rotated": {
            "name": name,
            "description": wanted.description(),
            "event_pattern": wanted.event_pattern().to_string(),
            "tags": tags,
        }});
        resources["aws_cloudwatch_event_target"] = json!({ "access_keys_rotated": {
            "rule": "${aws_cloudwatch_event_rule.access_keys_rotated.name}",
            "target_id": TARGET,
            "arn": topic.as_str(),
            "input_transformer": [{
                "input_paths": transformer["InputPathsMap"],
                "input_template": transformer["InputTemplate"],
            }],
        }});
    }
    json!({ "resource": resources })
}

#[cfg(test)]
mod tests {
    use super::super::wanted::tests::wanted;
    use super::*;

    #[test]
    fn the_templates() {
        let organization =
            Wanted { for_organization: true, excluded: vec!["210987654321".parse().unwrap()], topic: None, ..wanted() };
        insta::assert_snapshot!("cloudformation", template(&wanted(), TemplateForm::Cloudformation));
        insta::assert_snapshot!("terraform", template(&wanted(), TemplateForm::Terraform));
        insta::assert_snapshot!("organization_cloudformation", template(&organization, TemplateForm::Cloudformation));
        insta::assert_snapshot!("organization_terraform", template(&organization, TemplateForm::Terraform));
    }
}
