//! What Athena and CloudTrail Lake export answers as the trail itself does.

use std::fs;
use std::path::Path;

use akia_core::usage::Fact;
use akia_usage::About;
use serde_json::{Map, Value, json};

use crate::support::{LARGEST, desk, event, gzip, listing, load, number, records};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const AT: &str = "2026-11-01T10:00:00Z";

fn events() -> Vec<Value> {
    let mut federated = event("ASIAIOSFODNN7EXAMPLE", "GetObject", AT);
    federated["userIdentity"]["type"] = "FederatedUser".into();
    federated["userIdentity"]["sessionContext"] =
        json!({ "sessionIssuer": { "arn": "arn:aws:iam::111122223333:user/bob" } });
    let mut named = event(KEY, "GetSecretValue", "2026-11-01T11:00:00Z");
    named["eventSource"] = "secretsmanager.amazonaws.com".into();
    named["resources"] = json!([{ "ARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf", "accountId": "111122223333" }]);
    let mut refused = event(KEY, "DeleteObject", AT);
    refused["errorCode"] = "AccessDenied".into();
    refused["errorMessage"] = "no \"rights\"".into();
    refused["requestParameters"] = json!({ "bucketName": "with \"quotes\"", "key": "ü" });
    vec![event(KEY, "PutObject", AT), federated, named, refused]
}

/// As `UNLOAD … WITH (format = 'JSON')` writes a row of the table that Athena's manual makes: names in lower case, nothing that is null, and
/// what was asked and answered as text. <https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table.html>
fn unloaded(event: &Value) -> Value {
    let mut row = lower(event);
    for name in ["requestparameters", "responseelements"] {
        if let Some(value) = row.as_object_mut().unwrap().get_mut(name) {
            *value = event[if name == "requestparameters" { "requestParameters" } else { "responseElements" }]
                .to_string()
                .into();
        }
    }
    row
}

fn lower(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.to_lowercase(), lower(value))).collect::<Map<_, _>>())
        }
        Value::Array(all) => all.iter().map(lower).collect(),
        other => other.clone(),
    }
}

fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| format!("{row}\n")).collect()
}

async fn facts(file: &Path) -> Vec<Fact> {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(folder.path()).await;
    let loaded = load(&mut desk, file, 1).await;
    assert_eq!((loaded.problems, loaded.others), (vec![], 0));
    desk.facts(&About::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_athena_unloads_are_the_events_that_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let own = write("own.json", &records(&events()));
    let truth = facts(&own).await;
    assert_eq!(truth.len(), 4);
    assert!(truth.iter().any(|fact| fact.user.ends_with("user/bob")));
    // Athena's files are gzip and have a name that says so, and nothing more.
    let athena = lines(events().iter().map(unloaded));
    assert!(!athena.contains("eventName") && athena.contains(r#""requestparameters":"{\""#), "{athena}");
    let athena = write("20261130_143752_00030_abcde_0a1b2c3d.gz", &gzip(athena.as_bytes()));
    assert_eq!(facts(&athena).await, truth);
    // Tables of CloudTrail Lake have maps, whose keys stay as they are, and times without a zone.
    let lake = events().into_iter().map(|event| {
        let mut row = lower(&event);
        row["requestparameters"] = event["requestParameters"].clone();
        row["eventtime"] = event["eventTime"].as_str().unwrap().replace('T', " ").replace('Z', ".000").into();
        row
    });
    assert_eq!(facts(&write("lake.gz", &gzip(lines(lake).as_bytes()))).await, truth);
    let wrapped = events().into_iter().map(|event| json!({ "eventData": event }));
    assert_eq!(facts(&write("wrapped.jsonl", lines(wrapped).as_bytes())).await, truth);
    // What stands before the event is none of it.
    let before = r#""eventTime":"2020-01-01T00:00:00Z","eventName":"Wrapped","userIdentity":{"type":"AWSService"}"#;
    let wrapped: String = events().iter().map(|event| format!("{{{before},\"eventData\":{event}}}\n")).collect();
    assert_eq!(facts(&write("before.jsonl", wrapped.as_bytes())).await, truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_json_again_in_what_athena_unloads() {
    let folder = tempfile::tempdir().unwrap();
    let athena = folder.path().join("a.gz");
    let mut strange = event(KEY, "Other", AT);
    strange["requestParameters"] = "no object".into();
    let rows = events().iter().map(unloaded).chain([lower(&strange)]).collect::<Vec<_>>();
    fs::write(&athena, gzip(lines(rows.into_iter()).as_bytes())).unwrap();
    let desk = desk(&folder.path().join("facts")).await;
    desk.attach(listing(&desk, &athena).await, LARGEST).unwrap();
    let answer = desk.sql("SELECT request, resources FROM events WHERE name = 'PutObject'").await.unwrap();
    let rows = akia_usage::answer::json(&answer).unwrap();
    let request: Value = serde_json::from_str(rows[0]["request"].as_str().unwrap()).unwrap();
    assert_eq!(request, json!({ "bucketName": "example", "key": "a/b" }));
    assert_eq!(rows[0]["resources"], "arn:aws:s3:::example arn:aws:s3:::example/*");
    assert_eq!(number(&desk, "SELECT count(request) FROM events").await, 5);
}
