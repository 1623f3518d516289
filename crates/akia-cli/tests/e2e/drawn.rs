//! `akia usage policy`, proven: the policy that is drawn from a run lets the same run pass where policies are enforced, and refuses what was
//! not done.
//!
//! On the sandbox the events are those of its own CloudTrail, looked up with `--live`. moto has no CloudTrail that tells events, so there they
//! are built as CloudTrail's documentation shows them; it holds resources of S3, SQS, roles and sessions against the policy, and knows `*`
//! alone for the rest. It takes the name that a service signs with for that of its actions, which differ for CloudWatch.
#![cfg(feature = "usage")]

use std::time::Duration;

use akia_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, Ran};

/// A user who may do everything, and a home with an administrator's key.
fn stage(cloud: &Cloud) -> (Home, Key) {
    cloud.user_without_rights("ci", "/");
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    cloud.policy("ci", "everything", &json!({ "Version": "2012-10-17", "Statement": [all] }));
    (Home::new(cloud).profile("default", &cloud.admin), cloud.key("ci"))
}

/// The AWS CLI 1.x takes SQS's first endpoint, whatever the environment says.
fn aws(cloud: &Cloud, key: &Key, call: &[&str]) -> Ran {
    cloud.aws_as(key, &[call, &["--endpoint-url", &cloud.endpoint]].concat())
}

fn run(cloud: &Cloud, key: &Key, calls: &[Vec<&str>]) {
    for call in calls {
        aws(cloud, key, call).done();
    }
}

/// Draws the policy, and puts it in the place of all that the user has.
fn narrow(cloud: &Cloud, home: &Home) {
    let drawn = home.akia(&["usage", "policy", "ci"]).done();
    let document: Value = serde_json::from_str(&drawn.stdout).expect("one policy");
    cloud.policy("ci", "drawn", &document);
    cloud.call("iam", "delete_user_policy", json!({ "UserName": "ci", "PolicyName": "everything" }));
}

fn refused(cloud: &Cloud, key: &Key, calls: &[Vec<&str>]) {
    for call in calls {
        let ran = aws(cloud, key, call);
        assert_ne!(ran.code, 0, "{call:?} passed: {}", ran.stdout);
        // moto answers JSON protocols with XML, in which the AWS CLI finds no code.
        assert!(ran.stderr.contains("AccessDenied"), "{call:?}: {}", ran.stderr);
    }
}

#[test]
fn the_policy_of_a_run_that_was_looked_up_lets_it_pass_and_no_more() {
    let cloud = Cloud::of(Sandbox::builder().build());
    let (home, key) = stage(&cloud);
    cloud.user("bob");
    let calls = [
        vec!["sts", "get-caller-identity"],
        vec!["iam", "get-user", "--user-name", "ci"],
        vec!["iam", "list-access-keys", "--user-name", "ci"],
        vec!["iam", "list-users"],
        vec!["iam", "tag-user", "--user-name", "bob", "--tags", "Key=team,Value=a"],
    ];
    run(&cloud, &key, &calls);
    cloud.sandbox().age_log(Duration::from_secs(3_600));
    home.akia(&["usage", "load", "--live", "--since", "2d"]).done();
    narrow(&cloud, &home);
    run(&cloud, &key, &calls);
    refused(
        &cloud,
        &key,
        &[
            vec!["iam", "list-access-keys", "--user-name", "bob"],
            vec!["iam", "get-user", "--user-name", "bob"],
            vec!["iam", "tag-user", "--user-name", "ci", "--tags", "Key=team,Value=a"],
            vec!["iam", "create-access-key", "--user-name", "ci"],
            vec!["iam", "delete-user", "--user-name", "bob"],
            vec!["iam", "list-user-policies", "--user-name", "ci"],
        ],
    );
}

const BUCKET: &str = "example-artifacts";
const OTHER_BUCKET: &str = "example-secrets";

/// An event as CloudTrail writes it: the call, its parameters, and what it was about.
fn event(cloud: &Cloud, key: &Key, call: &str, parameters: Value, resources: &[(&str, String)]) -> Value {
    let (service, name) = call.split_once(':').unwrap();
    let resources: Vec<Value> =
        resources.iter().map(|(kind, arn)| json!({ "accountId": cloud.account, "type": kind, "ARN": arn })).collect();
    let mut event = json!({
        "eventVersion": "1.11", "eventTime": format!("{:.0}", jiff::Timestamp::now()), "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31.0",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": cloud.user_arn("ci"), "accountId": cloud.account,
            "accessKeyId": key.id, "userName": "ci",
        },
        "requestParameters": parameters, "responseElements": null, "eventType": "AwsApiCall", "recipientAccountId": cloud.account,
    });
    if !resources.is_empty() {
        event["resources"] = json!(resources);
    }
    event
}

#[test]
fn the_policy_of_a_run_over_several_services_lets_it_pass_and_no_more() {
    let cloud = Backend::Moto.open();
    let (home, key) = stage(&cloud);
    for bucket in [BUCKET, OTHER_BUCKET] {
        cloud.aws(&["s3api", "create-bucket", "--bucket", bucket]).done();
    }
    let queue = |name: &str| {
        let made = aws(&cloud, &cloud.admin, &["sqs", "create-queue", "--queue-name", name]).done().json();
        made["QueueUrl"].as_str().unwrap().to_owned()
    };
    let (jobs, others) = (queue("jobs"), queue("others"));
    let nothing =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*" }] });
    let role = |name: &str| cloud.role(name, &cloud.user_arn("ci"), &nothing);
    let (deploy, admin) = (role("deploy"), role("admin"));
    let body = tempfile::NamedTempFile::new().unwrap();
    let body = body.path().to_str().unwrap();
    let session = |arn| vec!["sts", "assume-role", "--role-session-name", "ci", "--role-arn", arn];
    let object = |call, bucket| vec!["s3api", call, "--bucket", bucket, "--key", "builds/1.tar"];
    let calls = [
        vec!["s3api", "list-buckets"],
        vec!["s3api", "list-objects-v2", "--bucket", BUCKET],
        [object("put-object", BUCKET), vec!["--body", body]].concat(),
        object("head-object", BUCKET),
        [object("get-object", BUCKET), vec!["/dev/null"]].concat(),
        object("delete-object", BUCKET),
        vec!["sqs", "send-message", "--queue-url", &jobs, "--message-body", "build 1"],
        vec!["sqs", "receive-message", "--queue-url", &jobs],
        vec!["iam", "get-role", "--role-name", "deploy"],
        session(&deploy),
        vec!["ec2", "describe-instances"],
        vec!["ssm", "describe-parameters"],
        vec!["sts", "get-caller-identity"],
    ];
    run(&cloud, &key, &calls);

    let event =
        |call: &str, parameters: Value, resources: &[(&str, String)]| event(&cloud, &key, call, parameters, resources);
    let in_bucket = || ("AWS::S3::Bucket", format!("arn:aws:s3:::{BUCKET}"));
    let of_object = |call: &str| {
        let parameters = json!({ "bucketName": BUCKET, "key": "builds/1.tar", "Host": format!("{BUCKET}.s3.us-east-1.amazonaws.com") });
        event(call, parameters, &[("AWS::S3::Object", format!("arn:aws:s3:::{BUCKET}/builds/1.tar")), in_bucket()])
    };
    let of_queue = |call: &str| {
        let url = format!("https://sqs.us-east-1.amazonaws.com/{}/jobs", cloud.account);
        let arn = format!("arn:aws:sqs:us-east-1:{}:jobs", cloud.account);
        event(call, json!({ "queueUrl": url }), &[("AWS::SQS::Queue", arn)])
    };
    let records = [
        event("s3:ListBuckets", json!({ "Host": "s3.us-east-1.amazonaws.com" }), &[]),
        event(
            "s3:ListObjects",
            json!({ "list-type": "2", "bucketName": BUCKET, "encoding-type": "url", "Host": "s3.us-east-1.amazonaws.com" }),
            &[("AWS::S3::Object", format!("arn:aws:s3:::{BUCKET}/")), in_bucket()],
        ),
        of_object("s3:PutObject"),
        of_object("s3:HeadObject"),
        of_object("s3:GetObject"),
        of_object("s3:DeleteObject"),
        of_queue("sqs:SendMessage"),
        of_queue("sqs:ReceiveMessage"),
        event("iam:GetRole", json!({ "roleName": "deploy" }), &[]),
        event(
            "sts:AssumeRole",
            json!({ "roleArn": deploy, "roleSessionName": "ci" }),
            &[("AWS::IAM::Role", deploy.clone())],
        ),
        event("ec2:DescribeInstances", json!({ "instancesSet": {}, "filterSet": {} }), &[]),
        event("ssm:DescribeParameters", Value::Null, &[]),
        event("sts:GetCallerIdentity", Value::Null, &[]),
    ];
    assert_eq!(records.len(), calls.len(), "an event for each call");
    let log = home.path("events.json");
    std::fs::write(&log, json!({ "Records": records }).to_string()).unwrap();
    home.akia(&["usage", "load", log.to_str().unwrap()]).done();
    narrow(&cloud, &home);

    run(&cloud, &key, &calls);
    refused(
        &cloud,
        &key,
        &[
            vec!["s3api", "list-objects-v2", "--bucket", OTHER_BUCKET],
            [object("put-object", OTHER_BUCKET), vec!["--body", body]].concat(),
            [object("get-object", OTHER_BUCKET), vec!["/dev/null"]].concat(),
            vec!["s3api", "delete-bucket", "--bucket", BUCKET],
            vec!["s3api", "get-bucket-policy", "--bucket", BUCKET],
            vec!["sqs", "send-message", "--queue-url", &others, "--message-body", "build 1"],
            vec!["sqs", "purge-queue", "--queue-url", &jobs],
            vec!["iam", "get-role", "--role-name", "admin"],
            vec!["iam", "list-users"],
            vec!["iam", "create-user", "--user-name", "eve"],
            session(&admin),
            vec!["ssm", "put-parameter", "--name", "x", "--value", "y", "--type", "String"],
        ],
    );
}
