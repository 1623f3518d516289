//! What CloudTrail does not write down, or only where somebody has it written down for money.
//!
//! Sources: CloudTrail User Guide, "Logging data events"; the Service Authorization Reference for actions that are no calls of AWS's API.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Fact;

/// Something that may have been used and does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unlogged {
    /// What, in words.
    pub what: &'static str,
    /// Actions that it takes.
    pub actions: &'static [&'static str],
    /// Whether a trail could log it (data events), or nothing ever does.
    pub can_be_logged: bool,
}

/// A kind of data event: its service, and events one of which shows that they are logged.
struct Kind {
    service: &'static str,
    events: &'static [&'static str],
    unlogged: Unlogged,
}

const fn data(
    service: &'static str,
    events: &'static [&'static str],
    what: &'static str,
    actions: &'static [&'static str],
) -> Kind {
    Kind { service, events, unlogged: Unlogged { what, actions, can_be_logged: true } }
}

const fn never(what: &'static str, actions: &'static [&'static str]) -> Unlogged {
    Unlogged { what, actions, can_be_logged: false }
}

const DATA: &[Kind] = &[
    data(
        "s3",
        &[
            "CopyObject",
            "DeleteObject",
            "DeleteObjects",
            "GetObject",
            "HeadObject",
            "ListObjects",
            "PutObject",
            "UploadPart",
        ],
        "objects of S3",
        &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
    ),
    data("lambda", &["Invoke"], "invocations of Lambda functions", &["lambda:InvokeFunction"]),
    data(
        "dynamodb",
        &["BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"],
        "items of DynamoDB",
        &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"],
    ),
    data(
        "sqs",
        &["DeleteMessage", "ReceiveMessage", "SendMessage", "SendMessageBatch"],
        "messages of SQS",
        &["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
    ),
    data("sns", &["Publish", "PublishBatch"], "messages of SNS", &["sns:Publish"]),
    data(
        "kinesis",
        &["GetRecords", "PutRecord", "PutRecords"],
        "records of Kinesis",
        &["kinesis:GetRecords", "kinesis:PutRecord", "kinesis:PutRecords"],
    ),
    data(
        "monitoring",
        &["GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData"],
        "metrics of CloudWatch",
        &["cloudwatch:PutMetricData", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"],
    ),
    data("logs", &["PutLogEvents"], "lines written to CloudWatch Logs", &["logs:PutLogEvents"]),
    data("ses", &["SendEmail", "SendRawEmail"], "mail sent through SES", &["ses:SendEmail", "ses:SendRawEmail"]),
    data("sagemaker", &["InvokeEndpoint"], "calls of SageMaker endpoints", &["sagemaker:InvokeEndpoint"]),
    data("xray", &["PutTraceSegments"], "traces of X-Ray", &["xray:PutTraceSegments"]),
];

const NEVER: &[Unlogged] = &[
    never("calls of APIs behind API Gateway", &["execute-api:Invoke"]),
    never("logins to databases", &["rds-db:connect", "elasticache:Connect", "memorydb:Connect"]),
    never("requests to OpenSearch", &["es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut", "aoss:APIAccessAll"]),
    never("clients of Kafka", &["kafka-cluster:Connect", "kafka-cluster:ReadData", "kafka-cluster:WriteData"]),
    never("file systems of EFS that are mounted", &["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]),
];

/// What may have been used and does not show: data events where there are none of the kind among the facts, and what nothing ever logs.
#[must_use]
pub fn unlogged(facts: &[Fact]) -> Vec<Unlogged> {
    let seen: BTreeSet<(&str, &str)> = facts.iter().map(|fact| (&*fact.service, &*fact.name)).collect();
    let is_seen = |kind: &Kind| kind.events.iter().any(|event| seen.contains(&(kind.service, *event)));
    let data = DATA.iter().filter(|kind| !is_seen(kind)).map(|kind| kind.unlogged);
    data.chain(NEVER.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::meaning::named;
    use super::super::{Meaning, meaning};
    use super::*;

    #[test]
    fn actions_and_events_of_the_tables_exist() {
        for one in DATA.iter().map(|kind| &kind.unlogged).chain(NEVER) {
            assert!(!one.actions.is_empty());
            for action in one.actions {
                assert!(named(action).is_some_and(|known| known.to_string() == *action), "{action}");
            }
        }
        for kind in DATA {
            for event in kind.events {
                assert!(matches!(meaning(kind.service, event), Meaning::Needs(_)), "{event}");
            }
        }
    }
}
