//! What brings the events to a queue, as a template: the queue, its policy, a queue for what cannot be read, and the rules.
//!
//! IAM is global, and its calls are events in its home region only; so are the findings of AWS Health about keys. Sources:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html>.

use serde_json::{Value, json};

use crate::ids::{AccountId, Partition};

/// The form of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateForm {
    /// CloudFormation, in JSON.
    Cloudformation,
    /// Terraform, in JSON (`.tf.json`).
    Terraform,
}

/// Which events come together where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarding {
    /// Those of this account alone.
    None,
    /// The accounts of this organisation may send theirs here.
    FromOrganization(String),
    /// This account sends its events to the default bus of that one, which holds the queue.
    To(AccountId),
}

/// The calls that change the inventory.
const CALLS: [&str; 5] = ["CreateAccessKey", "DeleteAccessKey", "DeleteUser", "UpdateAccessKey", "UpdateUser"];
/// How often a message is handed out before it goes to the queue for what cannot be read.
const MOST_RECEIVES: u32 = 10;
/// Fourteen days, the longest that SQS keeps a message.
const KEPT_SECONDS: u32 = 1_209_600;

fn calls() -> Value {
    json!({
        "source": ["aws.iam"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": { "eventSource": ["iam.amazonaws.com"], "eventName": CALLS, "errorCode": [{ "exists": false }] },
    })
}

fn exposures() -> Value {
    json!({
        "source": ["aws.health"],
        "detail-type": ["AWS Health Event", "AWS Health Abuse Event"],
        "detail": {
            "eventTypeCode": [
                { "prefix": "AWS_RISK_CREDENTIALS_" },
                "AWS_RISK_IAM_QUARANTINE",
            ],
        },
    })
}

/// The template. `name` is that of the queue, and of the rules with an ending.
#[must_use]
pub fn template(name: &str, forwarding: &Forwarding, partition: Partition, form: TemplateForm) -> String {
    let value = match form {
        TemplateForm::Cloudformation => cloudformation(name, forwarding, partition),
        TemplateForm::Terraform => terraform(name, forwarding, partition),
    };
    format!("{value:#}\n")
}

fn bus(account: &AccountId, partition: Partition) -> String {
    format!("arn:{partition}:events:{}:{account}:event-bus/default", partition.iam_region())
}

fn cloudformation(name: &str, forwarding: &Forwarding, partition: Partition) -> Value {
    let rule = |ending: &str, pattern: Value, target: Value| {
        json!({ "Type": "AWS::Events::Rule", "Properties": {
            "Name": format!("{name}-{ending}"), "EventPattern": pattern, "State": "ENABLED", "Targets": [target],
        }})
    };
    let arn = |resource: &str| json!({ "Fn::GetAtt": [resource, "Arn"] });
    let mut resources = json!({});
    let target = match forwarding {
        Forwarding::To(hub) => {
            resources["SendEvents"] = json!({ "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust(),
                "Policies": [{ "PolicyName": "send-events", "PolicyDocument": put_events(&bus(hub, partition)) }],
            }});
            json!({ "Id": "hub", "Arn": bus(hub, partition), "RoleArn": arn("SendEvents") })
        }
        Forwarding::None | Forwarding::FromOrganization(_) => {
            let queue = |name: &str| json!({ "QueueName": name, "MessageRetentionPeriod": KEPT_SECONDS, "SqsManagedSseEnabled": true });
            let mut properties = queue(name);
            properties["RedrivePolicy"] =
                json!({ "deadLetterTargetArn": arn("Unread"), "maxReceiveCount": MOST_RECEIVES });
            properties["VisibilityTimeout"] = json!(60);
            resources["Unread"] = json!({ "Type": "AWS::SQS::Queue", "Properties": queue(&format!("{name}-unread")) });
            resources["Events"] = json!({ "Type": "AWS::SQS::Queue", "Properties": properties });
            resources["EventsPolicy"] = json!({ "Type": "AWS::SQS::QueuePolicy", "Properties": {
                "Queues": [{ "Ref": "Events" }],
                "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
                    "Sid": "RulesSend", "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" },
                    "Action": "sqs:SendMessage", "Resource": arn("Events"),
                    "Condition": { "ArnEquals": { "aws:SourceArn": [arn("Calls"), arn("Exposures")] } },
                }]},
            }});
            json!({ "Id": "queue", "Arn": arn("Events") })
        }
    };
    if let Forwarding::FromOrganization(organization) = forwarding {
        resources["AccountsSend"] = json!({ "Type": "AWS::Events::EventBusPolicy", "Properties": {
            "EventBusName": "default", "StatementId": format!("{name}-accounts-send"),
            "Statement": {
                "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
                "Resource": { "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default" },
                "Condition": { "StringEquals": { "aws:PrincipalOrgID": organization } },
            },
        }});
    }
    resources["Calls"] = rule("calls", calls(), target.clone());
    resources["Exposures"] = rule("exposures", exposures(), target);
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Events about access keys for akia events. Deploy in the home region of IAM.",
        "Resources": resources,
    });
    if !matches!(forwarding, Forwarding::To(_)) {
        template["Outputs"] = json!({ "QueueUrl": { "Value": { "Ref": "Events" } } });
    }
    template
}

fn terraform(name: &str, forwarding: &Forwarding, partition: Partition) -> Value {
    let mut resources = json!({ "aws_cloudwatch_event_rule": {
        "akia_calls": { "name": format!("{name}-calls"), "event_pattern": calls().to_string() },
        "akia_exposures": { "name": format!("{name}-exposures"), "event_pattern": exposures().to_string() },
    }});
    let target = |rule: &str, more: Value| {
        let mut target = json!({ "rule": format!("${{aws_cloudwatch_event_rule.{rule}.name}}") });
        if let (Some(target), Some(more)) = (target.as_object_mut(), more.as_object()) {
            target.extend(more.clone());
        }
        target
    };
    let aim = match forwarding {
        Forwarding::To(hub) => {
            resources["aws_iam_role"] = json!({ "akia_send_events": { "name_prefix": "akia-send-events-", "assume_role_policy": trust().to_string() } });
            resources["aws_iam_role_policy"] = json!({ "akia_send_events": {
                "role": "${aws_iam_role.akia_send_events.id}", "policy": put_events(&bus(hub, partition)).to_string(),
            }});
            json!({ "arn": bus(hub, partition), "role_arn": "${aws_iam_role.akia_send_events.arn}" })
        }
        Forwarding::None | Forwarding::FromOrganization(_) => {
            let queue = |name: &str| json!({ "name": name, "message_retention_seconds": KEPT_SECONDS, "sqs_managed_sse_enabled": true });
            let mut events = queue(name);
            events["visibility_timeout_seconds"] = json!(60);
            events["redrive_policy"] = json!(format!(
                "{{\"deadLetterTargetArn\":\"${{aws_sqs_queue.akia_unread.arn}}\",\"maxReceiveCount\":{MOST_RECEIVES}}}"
            ));
            resources["aws_sqs_queue"] =
                json!({ "akia_events": events, "akia_unread": queue(&format!("{name}-unread")) });
            let rules =
                ["akia_calls", "akia_exposures"].map(|rule| format!("${{aws_cloudwatch_event_rule.{rule}.arn}}"));
            let policy = json!({ "Version": "2012-10-17", "Statement": [{
                "Sid": "RulesSend", "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage", "Resource": "${aws_sqs_queue.akia_events.arn}",
                "Condition": { "ArnEquals": { "aws:SourceArn": rules } },
            }]});
            resources["aws_sqs_queue_policy"] = json!({ "akia_events": {
                "queue_url": "${aws_sqs_queue.akia_events.id}", "policy": policy.to_string(),
            }});
            json!({ "arn": "${aws_sqs_queue.akia_events.arn}" })
        }
    };
    resources["aws_cloudwatch_event_target"] = json!({
        "akia_calls": target("akia_calls", aim.clone()),
        "akia_exposures": target("akia_exposures", aim),
    });
    if let Forwarding::FromOrganization(organization) = forwarding {
        resources["aws_cloudwatch_event_permission"] = json!({ "akia_accounts_send": {
            "statement_id": format!("{name}-accounts-send"), "principal": "*", "action": "events:PutEvents",
            "condition": [{ "key": "aws:PrincipalOrgID", "type": "StringEquals", "value": organization }],
        }});
    }
    json!({ "resource": resources })
}

fn trust() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sts:AssumeRole",
    }]})
}

fn put_events(bus: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "events:PutEvents", "Resource": bus,
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates() {
        let hub = Forwarding::FromOrganization("o-exampleorgid".to_owned());
        let member = Forwarding::To("123456789012".parse().unwrap());
        for (title, forwarding) in [("one", &Forwarding::None), ("hub", &hub), ("member", &member)] {
            for form in [TemplateForm::Cloudformation, TemplateForm::Terraform] {
                let text = template("akia-events", forwarding, Partition::Aws, form);
                insta::assert_snapshot!(format!("{title}_{form:?}").to_lowercase(), text);
            }
        }
    }
}
