//! The least policy of calls, judged by iam-rs, an evaluator of policies that is not ours: whatever was called passes, and what was not
//! is refused.
//!
//! Each situation says what CloudTrail writes of a call and, by AWS's documentation, what IAM is asked for it. No two ask for the same.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use akia_core::usage::{Call, Fact, Least, LeastOptions, PARAMETERS, actions, resources};
use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use proptest::prelude::*;

const USER: &str = "arn:aws:iam::123456789012:user/service/ci";
const REGION: &str = "eu-west-1";

struct Situation {
    service: &'static str,
    event: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    arns: &'static [&'static str],
    asks: &'static [(&'static str, &'static str)],
}

const fn named(
    service: &'static str,
    event: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    asks: &'static [(&'static str, &'static str)],
) -> Situation {
    Situation { service, event, parameters, arns: &[], asks }
}

const fn told(
    service: &'static str,
    event: &'static str,
    arns: &'static [&'static str],
    asks: &'static [(&'static str, &'static str)],
) -> Situation {
    Situation { service, event, parameters: &[], arns, asks }
}

const SITUATIONS: &[Situation] = &[
    told(
        "s3",
        "GetObject",
        &["arn:aws:s3:::reads", "arn:aws:s3:::reads/2026/x 1.gz"],
        &[("s3:GetObject", "arn:aws:s3:::reads/2026/x 1.gz")],
    ),
    named("s3", "ListObjectsV2", &[("bucketName", "lists")], &[("s3:ListBucket", "arn:aws:s3:::lists")]),
    named("s3", "HeadBucket", &[("bucketName", "heads")], &[("s3:ListBucket", "arn:aws:s3:::heads")]),
    named("s3", "ListBuckets", &[], &[("s3:ListAllMyBuckets", "*")]),
    named(
        "s3",
        "DeleteBucketEncryption",
        &[("bucketName", "bare")],
        &[("s3:PutEncryptionConfiguration", "arn:aws:s3:::bare")],
    ),
    named(
        "s3",
        "UploadPart",
        &[("bucketName", "parts"), ("key", "big")],
        &[("s3:PutObject", "arn:aws:s3:::parts/big")],
    ),
    named(
        "s3",
        "CopyObject",
        &[("bucketName", "to"), ("key", "k"), ("x-amz-copy-source", "/from/k")],
        &[("s3:GetObject", "arn:aws:s3:::from/k"), ("s3:PutObject", "arn:aws:s3:::to/k")],
    ),
    named(
        "dynamodb",
        "Query",
        &[("tableName", "orders"), ("indexName", "by-day")],
        &[("dynamodb:Query", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/by-day")],
    ),
    told(
        "dynamodb",
        "TransactWriteItems",
        &["arn:aws:dynamodb:eu-west-1:123456789012:table/money"],
        &[("dynamodb:UpdateItem", "arn:aws:dynamodb:eu-west-1:123456789012:table/money")],
    ),
    named(
        "lambda",
        "CreateFunction20150331",
        &[("functionName", "f"), ("role", "arn:aws:iam::123456789012:role/app/f")],
        &[
            ("lambda:CreateFunction", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
            ("iam:PassRole", "arn:aws:iam::123456789012:role/app/f"),
        ],
    ),
    named(
        "lambda",
        "Invoke",
        &[("functionName", "g"), ("qualifier", "prod")],
        &[("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:g:prod")],
    ),
    named(
        "sqs",
        "SendMessageBatch",
        &[("queueUrl", "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs")],
        &[("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:jobs")],
    ),
    named(
        "secretsmanager",
        "GetSecretValue",
        &[("secretId", "app/db")],
        &[("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-x1Y2z3")],
    ),
    told(
        "kms",
        "Decrypt",
        &["arn:aws:kms:eu-west-1:123456789012:key/1234abcd"],
        &[("kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd")],
    ),
    named(
        "logs",
        "FilterLogEvents",
        &[("logGroupName", "/aws/lambda/f")],
        &[("logs:FilterLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f:*")],
    ),
    named(
        "logs",
        "GetLogEvents",
        &[("logGroupName", "/app"), ("logStreamName", "a")],
        &[("logs:GetLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:/app:log-stream:b")],
    ),
    named("iam", "CreateAccessKey", &[], &[("iam:CreateAccessKey", USER)]),
    named("iam", "GetUser", &[("userName", "ci")], &[("iam:GetUser", USER)]),
    named("iam", "GetRole", &[("roleName", "app")], &[("iam:GetRole", "arn:aws:iam::123456789012:role/team/a/app")]),
    named("iam", "ListUsers", &[], &[("iam:ListUsers", "*")]),
    named(
        "sts",
        "AssumeRole",
        &[("roleArn", "arn:aws:iam::210987654321:role/deploy")],
        &[("sts:AssumeRole", "arn:aws:iam::210987654321:role/deploy")],
    ),
    named(
        "monitoring",
        "DescribeAlarmHistory",
        &[("alarmName", "cpu")],
        &[("cloudwatch:DescribeAlarmHistory", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu")],
    ),
    named(
        "apigateway",
        "GetStages",
        &[("restApiId", "a1")],
        &[("apigateway:GET", "arn:aws:apigateway:eu-west-1::/restapis/a1/stages")],
    ),
    named(
        "ssm",
        "GetParameter",
        &[("name", "/app/db")],
        &[("ssm:GetParameter", "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db")],
    ),
    named("ec2", "RunInstances", &[], &[("ec2:RunInstances", "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-1")]),
    named(
        "ec2",
        "CreateSnapshot",
        &[("volumeId", "vol-1")],
        &[
            ("ec2:CreateSnapshot", "arn:aws:ec2:eu-west-1:123456789012:volume/vol-1"),
            ("ec2:CreateSnapshot", "arn:aws:ec2:eu-west-1::snapshot/snap-9"),
        ],
    ),
    named(
        "states",
        "StopExecution",
        &[("executionArn", "arn:aws:states:eu-west-1:123456789012:execution:m:e1")],
        &[("states:StopExecution", "arn:aws:states:eu-west-1:123456789012:execution:m:e2")],
    ),
    named(
        "ecs",
        "UpdateService",
        &[("cluster", "c"), ("service", "web")],
        &[("ecs:UpdateService", "arn:aws:ecs:eu-west-1:123456789012:service/c/web")],
    ),
    named("sns", "CreateTopic", &[("name", "t")], &[("sns:CreateTopic", "arn:aws:sns:eu-west-1:123456789012:t")]),
];

/// What is never asked for in any situation: other names beside those that are, other actions on the same ones.
const NEVER: &[(&str, &str)] = &[
    ("s3:GetObject", "arn:aws:s3:::other/x"),
    ("s3:DeleteObject", "arn:aws:s3:::reads/2026/x 1.gz"),
    ("s3:ListBucket", "arn:aws:s3:::reads"),
    ("dynamodb:Query", "arn:aws:dynamodb:eu-west-1:123456789012:table/other"),
    ("dynamodb:DeleteTable", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"),
    ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:other"),
    ("iam:PassRole", "arn:aws:iam::123456789012:role/admin"),
    ("iam:CreateAccessKey", "arn:aws:iam::123456789012:user/admin"),
    ("iam:GetRole", "arn:aws:iam::123456789012:role/other"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-prod-x1Y2z3"),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:123456789012:key/other"),
    ("sts:AssumeRole", "arn:aws:iam::210987654321:role/admin"),
    ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:123456789012:parameter/app/other"),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:other"),
    ("ec2:TerminateInstances", "arn:aws:ec2:eu-west-1:123456789012:instance/i-1"),
    ("logs:FilterLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/g:*"),
];

fn fact(situation: &Situation) -> Fact {
    assert!(situation.parameters.iter().all(|(name, _)| PARAMETERS.contains(name)), "the scan would not read them");
    let resources = resources(&Call {
        service: situation.service,
        name: situation.event,
        partition: "aws",
        region: REGION,
        account: "123456789012",
        arns: situation.arns,
        parameters: situation.parameters,
    });
    Fact {
        key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        account: "123456789012".to_owned(),
        user: USER.to_owned(),
        hour: "2026-11-03T10:00:00Z".parse().unwrap(),
        service: situation.service.to_owned(),
        name: situation.event.to_owned(),
        region: REGION.to_owned(),
        ip: "203.0.113.7".to_owned(),
        agent: String::new(),
        error: String::new(),
        resources,
        calls: 1,
        first: "2026-11-03T10:04:00Z".parse().unwrap(),
        last: "2026-11-03T10:04:00Z".parse().unwrap(),
    }
}

/// The policies as AWS would store them, and a region that is called.
struct Judge(PolicyEvaluator, &'static str);

impl Judge {
    fn of(least: &Least, region: &'static str) -> Self {
        let read = |text: String| -> IAMPolicy { serde_json::from_str(&text).unwrap() };
        let policies = least.documents.iter().map(|document| read(document.to_compact_json()));
        Self(PolicyEvaluator::with_policies(policies.collect()), region)
    }

    fn allows(&self, action: &str, resource: &str) -> bool {
        // What has no resource is asked about as one that `*` alone stands for.
        let arn = Arn::parse(resource).unwrap_or_else(|_| Arn {
            partition: "none".to_owned(),
            service: "none".to_owned(),
            region: String::new(),
            account_id: String::new(),
            resource: "none".to_owned(),
        });
        let mut context = Context::new();
        context.insert("aws:RequestedRegion".to_owned(), ContextValue::String(self.1.to_owned()));
        let principal = Principal::Aws(PrincipalId::String(USER.to_owned()));
        let request = IAMRequest::new_with_context(principal, action, arn, context);
        self.0.evaluate(&request).unwrap().decision == Decision::Allow
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_called_passes_and_nothing_else(
        chosen in prop::collection::vec(any::<bool>(), SITUATIONS.len()),
        regions in any::<bool>(),
    ) {
        let is_chosen = || SITUATIONS.iter().zip(&chosen);
        let facts: Vec<Fact> = is_chosen().filter(|(_, chosen)| **chosen).map(|(one, _)| fact(one)).collect();
        let least = Least::of(&facts, LeastOptions { include_refused: false, regions });
        prop_assert!(least.unknown.is_empty(), "{:?}", least.unknown);
        let judge = Judge::of(&least, REGION);
        for (situation, chosen) in is_chosen() {
            for (action, resource) in situation.asks {
                prop_assert_eq!(judge.allows(action, resource), *chosen, "{} on {}: {:?}", action, resource, least.documents);
            }
        }
        for (action, resource) in NEVER {
            prop_assert!(!judge.allows(action, resource), "{} on {}: {:?}", action, resource, least.documents);
        }
        for statement in least.documents.iter().flat_map(|document| &document.statement) {
            for action in statement.action.as_slice() {
                let (prefix, name) = action.split_once(':').unwrap();
                let known = actions::action(prefix, name);
                prop_assert!(known.is_some_and(|known| known.to_string() == *action), "{} does not exist", action);
                let takes_any = known.is_some_and(|known| known.types().count() > 0);
                prop_assert!(takes_any || statement.resource.as_slice() == ["*"], "{} takes no resource", action);
            }
        }
    }
}

#[test]
fn another_region_is_refused_where_regions_are_wanted() {
    let facts = [fact(&SITUATIONS[0])];
    let (action, resource) = SITUATIONS[0].asks[0];
    let least = Least::of(&facts, LeastOptions { include_refused: false, regions: true });
    assert!(Judge::of(&least, REGION).allows(action, resource));
    assert!(!Judge::of(&least, "us-east-1").allows(action, resource));
}

#[test]
fn a_hostile_parameter_widens_nothing() {
    for value in ["*", "a*", "app*", "${aws:username}", "app arn:aws:iam::123456789012:role/admin"] {
        let parameters = [("roleName", value)];
        let resources = resources(&Call {
            service: "iam",
            name: "GetRole",
            partition: "aws",
            region: REGION,
            account: "123456789012",
            arns: &[],
            parameters: &parameters,
        });
        assert_eq!(resources.arns().count(), 0, "{value}");
    }
}
