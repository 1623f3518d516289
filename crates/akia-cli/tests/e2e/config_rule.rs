//! `akia config-rule` with the real binary: what it makes is read back from moto with another client. moto has no verdicts of
//! Config and no rules of organisations; for verdicts a server here answers as the API Reference has it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

const NAME: &str = "akia-access-keys-rotated";

fn home(cloud: &Cloud) -> Home {
    Home::new(cloud).profile("default", &cloud.admin).with("AWS_REGION", "us-east-1").without("AWS_PROFILE")
}

fn config_rule(home: &Home, arguments: &[&str]) -> Ran {
    home.akia(&[&["config-rule"], arguments, &["--output", "json"]].concat())
}

/// An account whose Config records IAM users.
fn recording() -> Cloud {
    let cloud = Backend::Moto.open();
    let group = json!({ "allSupported": true, "includeGlobalResourceTypes": true });
    let recorder = json!({ "name": "default", "roleARN": role(&cloud), "recordingGroup": group });
    cloud.call("config", "put_configuration_recorder", json!({ "ConfigurationRecorder": recorder }));
    cloud.call("s3", "create_bucket", json!({ "Bucket": format!("config-{}", cloud.account) }));
    let channel = json!({ "name": "default", "s3BucketName": format!("config-{}", cloud.account) });
    cloud.call("config", "put_delivery_channel", json!({ "DeliveryChannel": channel }));
    cloud.call("config", "start_configuration_recorder", json!({ "ConfigurationRecorderName": "default" }));
    cloud
}

fn role(cloud: &Cloud) -> String {
    format!("arn:aws:iam::{}:role/config", cloud.account)
}

fn topic(cloud: &Cloud) -> String {
    cloud.call("sns", "create_topic", json!({ "Name": "alerts" }))["TopicArn"].as_str().unwrap().to_owned()
}

fn policy(cloud: &Cloud, topic: &str) -> Value {
    let answer = cloud.call("sns", "get_topic_attributes", json!({ "TopicArn": topic }));
    serde_json::from_str(answer["Attributes"]["Policy"].as_str().unwrap()).unwrap()
}

fn rules(cloud: &Cloud) -> Vec<Value> {
    cloud.call("config", "describe_config_rules", json!({}))["ConfigRules"].as_array().unwrap().clone()
}

fn event_rules(cloud: &Cloud) -> Vec<Value> {
    cloud.call("events", "list_rules", json!({}))["Rules"].as_array().unwrap().clone()
}

#[test]
fn enable_makes_the_rule_and_the_way_to_the_topic_once() {
    let cloud = recording();
    let (home, topic) = (home(&cloud), topic(&cloud));
    let before = policy(&cloud, &topic);
    let enable = |more: &[&str]| config_rule(&home, &[&["enable", "--sns", &topic, "--max-age", "60"], more].concat());
    let ran = enable(&["--grant", "--dry-run"]).done();
    assert!(ran.stderr.contains("make    rule akia-access-keys-rotated of AWS Config"), "{}", ran.stderr);
    assert_eq!((rules(&cloud), event_rules(&cloud), policy(&cloud, &topic)), (vec![], vec![], before.clone()));
    let ran = enable(&["--grant"]).exited(6);
    assert!(ran.stderr.contains("no terminal to ask on"), "{}", ran.stderr);

    let ran = enable(&["--grant", "--yes"]).done();
    let states: Vec<Value> = ran.json()["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(states, ["done"; 4], "{}", ran.stdout);
    let [rule] = &rules(&cloud)[..] else { panic!("one rule") };
    assert_eq!(
        (&rule["ConfigRuleName"], &rule["Source"]["SourceIdentifier"]),
        (&json!(NAME), &json!("ACCESS_KEYS_ROTATED"))
    );
    let parameters: Value = serde_json::from_str(rule["InputParameters"].as_str().unwrap()).unwrap();
    assert_eq!(parameters, json!({ "maxAccessKeyAge": "60" }));
    let tags = cloud.call("config", "list_tags_for_resource", json!({ "ResourceArn": rule["ConfigRuleArn"] }));
    assert_eq!(tags["Tags"], json!([{ "Key": "akia:managed", "Value": "config-rule" }]));
    let [event_rule] = &event_rules(&cloud)[..] else { panic!("one rule of EventBridge") };
    let pattern: Value = serde_json::from_str(event_rule["EventPattern"].as_str().unwrap()).unwrap();
    assert_eq!(pattern["detail"]["configRuleName"], json!([NAME]));
    let targets = cloud.call("events", "list_targets_by_rule", json!({ "Rule": NAME }));
    assert_eq!((&targets["Targets"][0]["Arn"], targets["Targets"].as_array().unwrap().len()), (&json!(topic), 1));
    let statements = policy(&cloud, &topic)["Statement"].as_array().unwrap().clone();
    assert_eq!(statements[0], before["Statement"][0], "what was there stays");
    assert_eq!((statements.len(), &statements[1]["Principal"]["Service"]), (2, &json!("events.amazonaws.com")));
    assert_eq!(statements[1]["Condition"]["ArnEquals"]["aws:SourceArn"], event_rule["Arn"]);

    let ran = enable(&["--yes"]).done();
    assert!(ran.stderr.contains("nothing to do"), "{}", ran.stderr);
    assert_eq!(ran.json()["steps"], json!([]));
    let ran = config_rule(&home, &["enable", "--max-age", "90d", "--yes"]).done();
    assert!(ran.stderr.contains("change  rule") && ran.stderr.contains("(now: 60 days)"), "{}", ran.stderr);

    config_rule(&home, &["disable", "--dry-run"]).done();
    assert_eq!(rules(&cloud).len(), 1);
    config_rule(&home, &["disable", "--yes"]).done();
    assert_eq!((rules(&cloud), event_rules(&cloud), policy(&cloud, &topic)), (vec![], vec![], before));
    let ran = config_rule(&home, &["disable", "--yes"]).done();
    assert!(ran.stderr.contains("nothing to remove"), "{}", ran.stderr);
}

#[test]
fn what_somebody_else_has_made_is_neither_changed_nor_removed() {
    let cloud = recording();
    let (home, topic) = (home(&cloud), topic(&cloud));
    let rule = json!({ "ConfigRuleName": NAME, "Source": { "Owner": "AWS", "SourceIdentifier": "ACCESS_KEYS_ROTATED" },
        "InputParameters": "{\"maxAccessKeyAge\":\"90\"}" });
    cloud.call("config", "put_config_rule", json!({ "ConfigRule": rule }));
    cloud.call("events", "put_rule", json!({ "Name": NAME, "EventPattern": "{\"source\":[\"aws.config\"]}" }));
    let (rules_before, events_before) = (rules(&cloud), event_rules(&cloud));
    let ran = config_rule(&home, &["enable", "--sns", &topic, "--grant", "--yes"]).exited(6);
    for words in ["AWS Config has a rule", "EventBridge has a rule", "--name NAME"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let ran = config_rule(&home, &["disable", "--yes"]).done();
    assert_eq!(ran.stderr.matches("left    rule akia-access-keys-rotated").count(), 2, "{}", ran.stderr);
    assert_eq!((rules(&cloud), event_rules(&cloud)), (rules_before, events_before));
    config_rule(&home, &["enable", "--name", "ours", "--yes"]).done();
    assert_eq!(rules(&cloud).len(), 2, "under another name there is room");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_made() {
    let bare = Backend::Moto.open();
    let ran = config_rule(&home(&bare), &["enable", "--yes"]).exited(6);
    assert!(ran.stderr.contains("AWS Config has no recorder in us-east-1"), "{}", ran.stderr);
    assert_eq!(rules(&bare), Vec::<Value>::new());

    let cloud = recording();
    let (home, topic) = (home(&cloud), topic(&cloud));
    let ran = config_rule(&home, &["enable", "--sns", &topic, "--yes"]).exited(6);
    assert!(ran.stderr.contains("add --grant") && ran.stderr.contains("\"aws:SourceArn\""), "{}", ran.stderr);
    assert_eq!(rules(&cloud), Vec::<Value>::new());
    let elsewhere = topic.replace("us-east-1", "eu-west-1");
    let ran = config_rule(&home, &["enable", "--sns", &elsewhere, "--yes"]).exited(2);
    assert!(ran.stderr.contains("topics of its own region only"), "{}", ran.stderr);
    cloud.call("config", "stop_configuration_recorder", json!({ "ConfigurationRecorderName": "default" }));
    let ran = config_rule(&home, &["enable", "--dry-run"]).done();
    assert!(ran.stderr.contains("warning: the recorder of AWS Config is stopped"), "{}", ran.stderr);
}

/// A Config that has looked: it answers each operation with the same text.
fn config_that_has_looked(answers: Vec<(&'static str, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            while let Some(operation) = operation(&mut stream) {
                let answer = answers.iter().find(|(name, _)| *name == operation).map(|(_, answer)| answer.to_string());
                let (status, body) = answer.map_or(("400 Bad Request", "{}".to_owned()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        }
    });
    url
}

/// What the next request asks for.
fn operation(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                break String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    };
    let target = end.lines().find_map(|line| line.strip_prefix("x-amz-target: StarlingDoveService."))?;
    Some(target.trim().to_owned())
}

#[test]
fn status_sets_the_verdicts_beside_akias_and_explains() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let id = |user: &str| {
        let answer = cloud.call("iam", "get_user", json!({ "UserName": user }));
        answer["User"]["UserId"].as_str().unwrap().to_owned()
    };
    let verdict = |user: &str, says: &str| {
        let qualifier = json!({ "ConfigRuleName": NAME, "ResourceType": "AWS::IAM::User", "ResourceId": user, "EvaluationMode": "DETECTIVE" });
        json!({
            "EvaluationResultIdentifier": { "EvaluationResultQualifier": qualifier, "OrderingTimestamp": 1_795_000_000.0 },
            "ComplianceType": says, "ConfigRuleInvokedTime": 1_795_000_000.5, "ResultRecordedTime": 1_795_000_001.25,
        })
    };
    let rule = json!({
        "ConfigRuleName": NAME, "ConfigRuleArn": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-abcdef",
        "Source": { "Owner": "AWS", "SourceIdentifier": "ACCESS_KEYS_ROTATED" },
        "InputParameters": "{\"maxAccessKeyAge\":\"90\"}", "ConfigRuleState": "ACTIVE",
    });
    let recorder =
        json!({ "name": "default", "recordingGroup": { "allSupported": true, "includeGlobalResourceTypes": true } });
    let results = json!([
        verdict(&id("ann"), "NON_COMPLIANT"),
        verdict(&id("bob"), "COMPLIANT"),
        verdict("AIDAIOSFODNN7EXAMPLE", "NON_COMPLIANT"),
    ]);
    let url = config_that_has_looked(vec![
        ("DescribeConfigurationRecorders", json!({ "ConfigurationRecorders": [recorder] })),
        (
            "DescribeConfigurationRecorderStatus",
            json!({ "ConfigurationRecordersStatus": [{ "name": "default", "recording": true }] }),
        ),
        ("DescribeConfigRules", json!({ "ConfigRules": [rule] })),
        ("ListTagsForResource", json!({ "Tags": [{ "Key": "akia:managed", "Value": "config-rule" }] })),
        ("GetComplianceDetailsByConfigRule", json!({ "EvaluationResults": results })),
        (
            "DescribeConfigRuleEvaluationStatus",
            json!({ "ConfigRulesEvaluationStatus": [{ "ConfigRuleName": NAME, "LastSuccessfulEvaluationTime": 1_795_000_000.0 }] }),
        ),
    ]);
    let home = home(&cloud).with("AWS_ENDPOINT_URL_CONFIG_SERVICE", &url);
    let ran = config_rule(&home, &["status", "--all"]).done();
    let told = ran.json();
    assert_eq!((&told["schema"], &told["max_age_days"]), (&json!("akia.config-rule-status/1"), &json!(90)));
    let row = |name: &str| {
        let rows = told["verdicts"].as_array().unwrap();
        rows.iter().find(|row| row["user"] == name).unwrap_or_else(|| panic!("{name}: {told}")).clone()
    };
    assert_eq!((&row("ann")["config"], &row("ann")["akia"]), (&json!("NON_COMPLIANT"), &json!("fine")));
    assert!(row("ann")["difference"].as_str().unwrap().starts_with("the old key was replaced"), "{told}");
    assert_eq!((&row("bob")["akia"], &row("bob")["difference"]), (&json!("fine"), &Value::Null));
    assert_eq!(row("AIDAIOSFODNN7EXAMPLE")["akia"], "gone");
    assert!(row("lab-admin")["difference"].as_str().unwrap().starts_with("Config has not looked"), "{told}");
    assert!(ran.stderr.contains("Config last looked at 2026-11-18"), "{}", ran.stderr);
    let few = config_rule(&home, &["status"]).done();
    assert!(few.stderr.contains("1 user on whom both agree"), "{}", few.stderr);
    drop((ann, bob));
}
