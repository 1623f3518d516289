use super::super::fixtures::called as fact;
use super::*;
use crate::policy::OneOrMany;

fn least(facts: &[Fact]) -> Least {
    Least::of(facts, LeastOptions::default())
}

/// Each action with its resources.
fn told(facts: &[Fact]) -> Vec<(String, String)> {
    least(facts).used.iter().map(|one| (one.action.to_string(), one.resources.join(" "))).collect()
}

fn whole(facts: &[Fact], action: &str) -> Option<Whole> {
    least(facts).used.iter().find(|one| one.action.to_string() == action).unwrap().whole
}

#[test]
fn a_statement_names_what_calls_were_about_and_says_why_where_it_cannot() {
    let facts = [
        fact("s3", "GetObject", "arn:aws:s3:::b arn:aws:s3:::b/*"),
        fact("s3", "ListObjects", "arn:aws:s3:::b"),
        fact("s3", "ListBuckets", ""),
        fact("sns", "Publish", "arn:aws:sns:eu-west-1:123456789012:t"),
        fact("sqs", "SendMessage", "arn:aws:sqs:eu-west-1:123456789012:q"),
        fact("sqs", "SendMessage", ""),
    ];
    let pairs = [
        ("s3:GetObject", "arn:aws:s3:::b/*"),
        ("s3:ListAllMyBuckets", "*"),
        ("s3:ListBucket", "arn:aws:s3:::b"),
        ("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:t"),
        ("sqs:SendMessage", "*"),
    ];
    assert_eq!(told(&facts), pairs.map(|(action, resources)| (action.to_owned(), resources.to_owned())));
    assert_eq!(whole(&facts, "s3:ListAllMyBuckets"), Some(Whole::TakesNone));
    assert_eq!(whole(&facts, "sqs:SendMessage"), Some(Whole::NotTold { calls: 3 }));
    assert_eq!(whole(&facts, "sns:Publish"), None);
    // An ARN of a type that the action does not take tells nothing of its resource.
    assert_eq!(
        whole(&[fact("sns", "Publish", "arn:aws:iam::123456789012:role/r")], "sns:Publish"),
        Some(Whole::NotTold { calls: 3 })
    );
}

#[test]
fn a_copy_reads_its_source_and_writes_its_target() {
    let copy = |event: &str, resources: &str| told(&[fact("s3", event, resources)]);
    let sides = |read: &str, written: &str| {
        vec![("s3:GetObject".to_owned(), read.to_owned()), ("s3:PutObject".to_owned(), written.to_owned())]
    };
    for event in ["CopyObject", "UploadPartCopy"] {
        let between = copy(event, "arn:aws:s3:::from/* arn:aws:s3:::to arn:aws:s3:::to/*");
        assert_eq!(between, sides("arn:aws:s3:::from/*", "arn:aws:s3:::to/*"));
        assert_eq!(copy(event, "arn:aws:s3:::b arn:aws:s3:::b/*"), sides("arn:aws:s3:::b/*", "arn:aws:s3:::b/*"));
        // Nothing tells which of them is which.
        let both = "arn:aws:s3:::one/* arn:aws:s3:::two/*";
        assert_eq!(copy(event, both), sides(both, both));
    }
    // No other call has sides.
    let delete = told(&[fact("s3", "DeleteObject", "arn:aws:s3:::from/* arn:aws:s3:::to arn:aws:s3:::to/*")]);
    assert_eq!(delete[0].1, "arn:aws:s3:::from/* arn:aws:s3:::to/*");
}

#[test]
fn refused_calls_are_apart_unless_they_are_wanted() {
    let mut denied = fact("iam", "ListUsers", "");
    denied.error = "AccessDenied".to_owned();
    let mut missing = fact("sqs", "PurgeQueue", "arn:aws:sqs:eu-west-1:123456789012:q");
    missing.error = "AWS.SimpleQueueService.NonExistentQueue".to_owned();
    let facts = [denied, missing];
    let without = least(&facts);
    assert_eq!(without.used.len(), 1, "an error that comes after the question of rights is a use");
    assert_eq!((without.refused.len(), without.refused[0].error.as_str()), (1, "AccessDenied"));
    assert_eq!(without.refused[0].actions[0].to_string(), "iam:ListUsers");
    let with = Least::of(&facts, LeastOptions { include_refused: true, regions: false });
    assert_eq!(with.used.len(), 2);
    assert_eq!(with.refused, without.refused);
}

#[test]
fn what_is_not_known_and_what_needs_nothing_is_told_and_in_no_statement() {
    let result = least(&[fact("sts", "GetCallerIdentity", ""), fact("kms", "RotateKey", ""), fact("new", "Thing", "")]);
    assert!(result.documents.is_empty() && result.used.is_empty());
    let unknown: Vec<&str> = result.unknown.iter().map(|seen| seen.event.as_str()).collect();
    assert_eq!(unknown, ["RotateKey", "Thing"]);
    assert_eq!(result.free.len(), 1);
    assert!(result.free[0].why.is_some());
    assert_eq!(least(&[]).first, None);
}

#[test]
fn iam_means_the_caller_and_takes_paths() {
    let own = "arn:aws:iam::123456789012:user/service/ci";
    assert_eq!(told(&[fact("iam", "ListAccessKeys", "")])[0].1, own);
    assert_eq!(told(&[fact("iam", "ListAccessKeys", "arn:aws:iam::123456789012:user/ci")])[0].1, own);
    assert_eq!(
        told(&[fact("iam", "GetRole", "arn:aws:iam::123456789012:role/app")])[0].1,
        "arn:aws:iam::123456789012:role/*/app arn:aws:iam::123456789012:role/app"
    );
    assert_eq!(
        told(&[fact("iam", "GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess")])[0].1,
        "arn:aws:iam::aws:policy/ReadOnlyAccess"
    );
    assert_eq!(whole(&[fact("iam", "ListUsers", "")], "iam:ListUsers"), Some(Whole::TakesNone));
    let mut root = fact("iam", "ListAccessKeys", "");
    root.user = "arn:aws:iam::123456789012:root".to_owned();
    assert_eq!(whole(&[root], "iam:ListAccessKeys"), Some(Whole::NotTold { calls: 3 }));
}

#[test]
fn log_groups_and_apis_are_named_as_their_services_want_it() {
    let group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f";
    let of = |event| told(&[fact("logs", event, group)])[0].1.clone();
    assert_eq!(of("FilterLogEvents"), format!("{group}:*"));
    assert_eq!(of("TagResource"), group);
    let api = "arn:aws:apigateway:eu-west-1::/restapis/a";
    assert_eq!(told(&[fact("apigateway", "GetStages", api)])[0].1, format!("{api} {api}/*"));
}

#[test]
fn a_role_is_passed_where_the_facts_name_it_and_asked_about_where_not() {
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let role = "arn:aws:iam::123456789012:role/app/f";
    let named = least(&[fact("lambda", "CreateFunction20150331", &format!("{role} {function}"))]);
    let pass = named.used.iter().find(|one| one.action.name == "PassRole").unwrap();
    assert_eq!(
        (pass.resources.as_slice(), pass.implied_by[0].to_string()),
        (&[role.to_owned()][..], "lambda:CreateFunction".to_owned())
    );
    assert!(!named.beside.iter().any(|one| one.asks == "iam:PassRole"));
    let profile = "arn:aws:iam::123456789012:instance-profile/web";
    let by_name =
        told(&[fact("iam", "AddRoleToInstanceProfile", &format!("{profile} arn:aws:iam::123456789012:role/web"))]);
    assert_eq!(by_name[1].1, "arn:aws:iam::123456789012:role/*/web arn:aws:iam::123456789012:role/web");
    let unnamed = least(&[fact("ec2", "RunInstances", "")]);
    assert!(!unnamed.used.iter().any(|one| one.action.name == "PassRole"));
    let asks: Vec<&str> = unnamed.beside.iter().map(|one| one.asks).collect();
    assert_eq!(asks, ["ec2:CreateTags", "iam:PassRole"]);
}

#[test]
fn what_aws_also_asks_about_is_any_of_its_type() {
    let account = "arn:aws:ec2:eu-west-1:123456789012";
    let of = |event, arn: &str| told(&[fact("ec2", event, arn)])[0].1.clone();
    let volume = format!("{account}:volume/vol-1");
    assert_eq!(of("CreateSnapshot", &volume), format!("arn:aws:ec2:*::snapshot/* {volume}"));
    let subnet = format!("{account}:subnet/subnet-1");
    assert_eq!(
        of("CreateNetworkInterface", &subnet),
        format!("arn:aws:ec2:*:*:network-interface/* arn:aws:ec2:*:*:security-group/* {subnet}")
    );
    assert_eq!(least(&[fact("ec2", "CreateSnapshot", &volume)]).used[0].any, ["arn:aws:ec2:*::snapshot/*"]);
    let both = least(&[fact("ec2", "CreateSnapshot", &volume), fact("ec2", "CreateSnapshot", "")]);
    assert_eq!((both.used[0].resources[0].as_str(), both.used[0].any.len()), ("*", 0));
    // A part of what is told, and a choice, are not asked about beyond what is told.
    let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/t";
    assert_eq!(told(&[fact("dynamodb", "Query", table)])[0].1, table);
    assert_eq!(told(&[fact("s3", "GetObject", "arn:aws:s3:::b/*")])[0].1, "arn:aws:s3:::b/*");
}

#[test]
fn a_secret_is_named_with_the_end_of_its_arn() {
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db";
    let of = |arn: &str| told(&[fact("secretsmanager", "GetSecretValue", arn)])[0].1.clone();
    assert_eq!(of(secret), format!("{secret} {secret}-??????"));
    assert_eq!(of(&format!("{secret}-aB3dE6")), format!("{secret}-aB3dE6"));
    assert_eq!(of(&format!("{secret}-??????")), format!("{secret}-??????"));
}

#[test]
fn what_may_be_one_of_several_stands_apart() {
    let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/t";
    let result = least(&[fact("dynamodb", "TransactWriteItems", table), fact("dynamodb", "PutItem", table)]);
    let sids: Vec<(&str, usize)> =
        result.documents[0].statement.iter().map(|one| (one.sid.as_str(), one.action.as_slice().len())).collect();
    assert_eq!(sids, [("DynamodbTable", 1), ("DynamodbTablePerhaps", 3)], "what is certain is not doubted");
}

#[test]
fn statements_hold_in_the_regions_that_were_called_if_wanted() {
    let mut other = fact("sqs", "ListQueues", "");
    other.region = "us-east-1".to_owned();
    let facts = [fact("sqs", "SendMessage", "arn:aws:sqs:eu-west-1:123456789012:q"), other];
    let result = Least::of(&facts, LeastOptions { include_refused: false, regions: true });
    for statement in &result.documents[0].statement {
        let condition = statement.condition.as_ref().unwrap();
        assert_eq!(condition["StringEquals"]["aws:RequestedRegion"].as_slice(), ["eu-west-1", "us-east-1"]);
    }
    assert!(least(&facts).documents[0].statement.iter().all(|statement| statement.condition.is_none()));
}

#[test]
fn statements_of_one_type_have_names_of_their_own() {
    let queue = |name: &str| format!("arn:aws:sqs:eu-west-1:123456789012:{name}");
    let facts = [fact("sqs", "SendMessage", &queue("a")), fact("sqs", "ReceiveMessage", &queue("b"))];
    let result = least(&facts);
    let sids: Vec<&str> = result.documents[0].statement.iter().map(|one| one.sid.as_str()).collect();
    assert_eq!(sids, ["SqsQueue", "SqsQueue2"]);
}

#[test]
fn a_long_policy_is_several_and_says_the_same() {
    let queues: Vec<String> = (0..MOST_RESOURCES)
        .map(|n| format!("arn:aws:sqs:eu-west-1:123456789012:a-queue-with-quite-a-long-name-{n:03}"))
        .collect();
    let mut facts: Vec<Fact> = queues.iter().map(|arn| fact("sqs", "SendMessage", arn)).collect();
    facts.push(fact("sns", "ListTopics", ""));
    let result = least(&facts);
    assert!(result.documents.len() > 1);
    let mut found = BTreeSet::new();
    for document in &result.documents {
        assert!(document.to_compact_json().len() <= statement::LARGEST_MANAGED_POLICY);
        let sids: BTreeSet<&str> = document.statement.iter().map(|one| one.sid.as_str()).collect();
        assert_eq!(sids.len(), document.statement.len(), "each name stands once");
        let of_queues = document.statement.iter().filter(|one| one.action == OneOrMany::from("sqs:SendMessage"));
        found.extend(of_queues.flat_map(|one| one.resource.as_slice().iter().cloned()));
    }
    assert_eq!(found, queues.iter().cloned().collect());
    facts.push(fact("sqs", "SendMessage", "arn:aws:sqs:eu-west-1:123456789012:one-more"));
    assert_eq!(whole(&facts, "sqs:SendMessage"), Some(Whole::TooMany { resources: MOST_RESOURCES + 1 }));
}

#[test]
fn what_the_logs_do_not_hold_is_told() {
    let has = |facts: &[Fact], what: &str| least(facts).unlogged.iter().any(|one| one.what == what);
    let reads = [fact("s3", "GetObject", "arn:aws:s3:::b/*")];
    assert!(has(&[], "objects of S3") && !has(&reads, "objects of S3"));
    assert!(has(&reads, "items of DynamoDB") && has(&reads, "calls of APIs behind API Gateway"));
}

#[test]
fn times_and_calls_are_summed_up() {
    let mut later = fact("sqs", "ListQueues", "");
    later.last = "2026-11-09T08:00:00Z".parse().unwrap();
    later.ip = "cloudformation.amazonaws.com".to_owned();
    let result = least(&[fact("sqs", "ListQueues", ""), later.clone()]);
    let used = &result.used[0];
    assert_eq!((used.calls.calls, used.calls.last, result.last), (6, later.last, Some(later.last)));
    assert_eq!(used.via, ["cloudformation.amazonaws.com"]);
}

#[test]
fn an_example() {
    let account = "eu-west-1:123456789012";
    let mut denied = fact("iam", "CreateUser", "arn:aws:iam::123456789012:user/eve");
    denied.error = "AccessDenied".to_owned();
    let facts = [
        fact("sts", "GetCallerIdentity", ""),
        fact("s3", "ListObjects", "arn:aws:s3:::app-data"),
        fact("s3", "GetObject", "arn:aws:s3:::app-data arn:aws:s3:::app-data/*"),
        fact("s3", "UploadPart", "arn:aws:s3:::app-data arn:aws:s3:::app-data/*"),
        fact("s3", "GetBucketLifecycle", "arn:aws:s3:::app-data"),
        fact("lambda", "UpdateFunctionCode20150331v2", &format!("arn:aws:lambda:{account}:function:resize")),
        fact("secretsmanager", "GetSecretValue", &format!("arn:aws:secretsmanager:{account}:secret:app/db-??????")),
        fact("ec2", "DescribeInstances", ""),
        fact("ec2", "RunInstances", ""),
        fact("monitoring", "PutMetricAlarm", &format!("arn:aws:cloudwatch:{account}:alarm:cpu")),
        fact("logs", "FilterLogEvents", &format!("arn:aws:logs:{account}:log-group:/aws/lambda/resize")),
        fact("ecr", "PolicyExecutionEvent", ""),
        denied,
    ];
    let result = least(&facts);
    let text = format!(
        "{}\n{}\n",
        result.documents[0].to_pretty_json(),
        serde_json::to_string_pretty(&serde_json::json!({
            "used": result.used[..2], "unknown": result.unknown, "free": result.free, "beside": result.beside, "refused": result.refused,
        }))
        .unwrap()
    );
    insta::assert_snapshot!(text);
}
