//! Config, EventBridge and SQS, where no emulator has what is asked: requests and answers as AWS's API References show them.

use std::time::Duration;

use akia_core::config_rule::{ConfigSays, Wanted};
use akia_core::ids::Region;
use akia_io::aws::{Aws, AwsError, AwsOptions, Caller, Target};
use serde_json::{Value, json};

use crate::credentials;
use crate::fake::{Act, Fake};

fn caller(fake: &Fake) -> Caller {
    let options = AwsOptions {
        endpoint_url: Some(fake.url.clone()),
        initial_backoff: Duration::from_millis(1),
        ..AwsOptions::default()
    };
    Aws::new(options).caller(credentials(), Target::default())
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn answers(all: &[Value]) -> Vec<Act> {
    all.iter().map(|answer| Act::Answer(200, answer.to_string())).collect()
}

/// What was sent: the operation, and the body.
fn sent(fake: &Fake) -> Vec<(String, Value)> {
    let read = |request: &String| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST / ") && head.contains("/eu-west-1/"), "{head}");
        let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: ")).unwrap();
        (target.trim().to_owned(), serde_json::from_str(body).unwrap())
    };
    fake.seen().iter().map(read).collect()
}

fn organization() -> Wanted {
    Wanted {
        name: "akia-access-keys-rotated".parse().unwrap(),
        max_age_days: 90,
        topic: None,
        for_organization: true,
        excluded: vec!["210987654321".parse().unwrap()],
    }
}

#[tokio::test]
async fn the_rule_of_an_organisation_is_put_found_and_deleted() {
    let wanted = organization();
    let metadata = json!({
        "RuleIdentifier": "ACCESS_KEYS_ROTATED", "InputParameters": "{\"maxAccessKeyAge\":\"90\"}",
        "Description": wanted.description(), "MaximumExecutionFrequency": "TwentyFour_Hours",
    });
    let rule = json!({
        "OrganizationConfigRuleName": "akia-access-keys-rotated",
        "OrganizationConfigRuleArn": "arn:aws:config:eu-west-1:123456789012:organization-config-rule/x",
        "OrganizationManagedRuleMetadata": metadata, "ExcludedAccounts": ["210987654321"], "LastUpdateTime": 1_795_000_000.0,
    });
    let mut acts = answers(&[
        json!({ "OrganizationConfigRuleArn": "arn:aws:config:eu-west-1:123456789012:organization-config-rule/x" }),
        json!({ "OrganizationConfigRules": [rule] }),
    ]);
    // A call that tells nothing is answered with nothing.
    acts.push(Act::Answer(200, String::new()));
    let fake = Fake::start(acts).await;
    let caller = caller(&fake);
    caller.put_organization_config_rule(&region(), &wanted).await.unwrap();
    let found = caller.organization_config_rule(&region(), "akia-access-keys-rotated").await.unwrap().unwrap();
    assert!(found.is_marked());
    assert_eq!(found.excluded, ["210987654321"]);
    caller.delete_organization_config_rule(&region(), "akia-access-keys-rotated").await.unwrap();
    let [(put, body), (describe, asked), (delete, deleted)] = &sent(&fake)[..] else { panic!("three calls") };
    assert_eq!(put, "StarlingDoveService.PutOrganizationConfigRule");
    assert_eq!(*body, wanted.organization_rule());
    assert_eq!(describe, "StarlingDoveService.DescribeOrganizationConfigRules");
    assert_eq!(*asked, json!({ "OrganizationConfigRuleNames": ["akia-access-keys-rotated"] }));
    assert_eq!(delete, "StarlingDoveService.DeleteOrganizationConfigRule");
    assert_eq!(*deleted, json!({ "OrganizationConfigRuleName": "akia-access-keys-rotated" }));
}

#[tokio::test]
async fn what_is_not_there_is_no_fault_and_what_is_denied_is_one() {
    let refusal = |code: &str| Act::Answer(400, json!({ "__type": code, "message": "no" }).to_string());
    let fake = Fake::start(vec![
        refusal("NoSuchOrganizationConfigRuleException"),
        refusal("NoSuchConfigRuleException"),
        refusal("OrganizationAccessDeniedException"),
        refusal("ResourceNotFoundException"),
    ])
    .await;
    let caller = caller(&fake);
    assert_eq!(caller.organization_config_rule(&region(), "x").await, Ok(None));
    assert_eq!(caller.delete_config_rule(&region(), "x").await, Ok(()));
    let denied = caller.organization_config_rule(&region(), "x").await.unwrap_err();
    assert!(
        matches!(&denied, AwsError::Rejected { code, .. } if code == "OrganizationAccessDeniedException"),
        "{denied}"
    );
    assert_eq!(caller.event_rule(&region(), "x").await, Ok(None));
}

fn verdict(user: &str, says: &str, kind: &str) -> Value {
    json!({
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": { "ConfigRuleName": "x", "ResourceType": kind, "ResourceId": user },
            "OrderingTimestamp": 1_795_000_000.0,
        },
        "ComplianceType": says, "ConfigRuleInvokedTime": 1_795_000_000.25,
    })
}

#[tokio::test]
async fn verdicts_are_read_page_by_page_and_never_guessed() {
    let user = "AWS::IAM::User";
    let fake = Fake::start(answers(&[
        json!({ "EvaluationResults": [verdict("AIDA1", "NON_COMPLIANT", user)], "NextToken": "two" }),
        json!({ "EvaluationResults": [
            verdict("AIDA2", "COMPLIANT", user),
            verdict("123456789012", "COMPLIANT", "AWS::::Account"),
        ]}),
    ]))
    .await;
    let verdicts = caller(&fake).config_verdicts(&region(), "x").await.unwrap();
    let read: Vec<_> = verdicts.iter().map(|one| (one.user_id.as_str(), one.says)).collect();
    assert_eq!(read, [("AIDA1", ConfigSays::NonCompliant), ("AIDA2", ConfigSays::Compliant)]);
    assert_eq!(verdicts[0].at.unwrap().to_string(), "2026-11-18T11:06:40.25Z");
    assert_eq!(sent(&fake)[1].1, json!({ "ConfigRuleName": "x", "Limit": 100, "NextToken": "two" }));

    let circle = json!({ "EvaluationResults": [], "NextToken": "same" });
    for (answer, fault) in [
        (json!({ "EvaluationResults": [verdict("AIDA1", "SORT_OF", user)] }), "ComplianceType"),
        (circle, "round in circles"),
        (json!({ "EvaluationResults": [{}] }), "is missing"),
    ] {
        let fake = Fake::start(answers(&[answer])).await;
        let error = caller(&fake).config_verdicts(&region(), "x").await.unwrap_err();
        assert!(error.to_string().contains(fault), "{fault}: {error}");
    }
}

#[tokio::test]
async fn a_target_that_eventbridge_did_not_take_is_told() {
    let failed = json!({ "FailedEntryCount": 1, "FailedEntries": [
        { "TargetId": "akia-sns", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "again\u{1b}[2J" },
    ]});
    let fake = Fake::start(answers(&[failed, json!({ "FailedEntryCount": 0, "FailedEntries": [] })])).await;
    let caller = caller(&fake);
    let target = json!({ "Id": "akia-sns", "Arn": "arn:aws:sns:eu-west-1:123456789012:alerts" });
    let error = caller.put_event_target(&region(), "x", &target).await.unwrap_err();
    assert!(error.to_string().contains("ConcurrentModificationException"), "{error}");
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
    caller.put_event_target(&region(), "x", &target).await.unwrap();
    assert_eq!(sent(&fake)[1], ("AWSEvents.PutTargets".to_owned(), json!({ "Rule": "x", "Targets": [target] })));
}

#[tokio::test]
async fn messages_are_taken_and_taken_off_as_sqs_wants_it() {
    let message = json!({ "MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "{}", "Attributes": { "ApproximateReceiveCount": "4" } });
    let fake = Fake::start(answers(&[json!({ "Messages": [message] }), json!({}), json!({})])).await;
    let caller = caller(&fake);
    let queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/akia-events".parse().unwrap();
    let taken = caller.receive(&region(), &queue, Duration::from_secs(10)).await.unwrap();
    assert_eq!((taken.len(), taken[0].receives, taken[0].body.as_str()), (1, 4, "{}"));
    caller.delete_message(&region(), &queue, &taken[0].receipt).await.unwrap();
    assert!(caller.receive(&region(), &queue, Duration::from_secs(1)).await.unwrap().is_empty());
    let sent = sent(&fake);
    assert_eq!(sent[0].0, "AmazonSQS.ReceiveMessage");
    assert_eq!((&sent[0].1["QueueUrl"], &sent[0].1["WaitTimeSeconds"]), (&json!(queue.to_string()), &json!(10)));
    assert_eq!(sent[1].1, json!({ "QueueUrl": queue.to_string(), "ReceiptHandle": "r-1" }));
    assert!(fake.seen().iter().all(|request| request.contains("content-type: application/x-amz-json-1.0")));
}
