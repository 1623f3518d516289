//! Logs that are damaged, strange or meant to do harm: each is counted, named, left out or refused, and never passed over in silence.

use std::fs;

use serde_json::json;

use crate::support::{LARGEST, desk, event, gzip, listing, load, number, records};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const AT: &str = "2026-11-01T10:00:00Z";

/// Loads one file, and tells how many calls were kept, and the problem if there was one.
async fn one(name: &str, bytes: &[u8]) -> (u64, u64, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join(name), bytes).unwrap();
    let mut desk = desk(&folder.path().join("facts")).await;
    let loaded = load(&mut desk, &logs, 1).await;
    assert_eq!(number(&desk, "SELECT count(*) FROM logs").await, 1, "each log has a row");
    assert_eq!(number(&desk, "SELECT coalesce(sum(calls), 0) FROM facts").await.unsigned_abs(), loaded.kept);
    (loaded.kept, loaded.others, loaded.problems.first().map(|problem| problem.why.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trail_writes_is_read_in_each_of_its_forms() {
    let whole = records(&[event(KEY, "GetObject", AT), event(KEY, "PutObject", AT)]);
    let lines = [event(KEY, "GetObject", AT), json!({ "eventData": event(KEY, "PutObject", AT) })];
    let lines: String = lines.iter().map(|event| format!("{event}\n")).collect();
    let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(&whole).unwrap()).unwrap();
    assert_eq!(one("a.json.gz", &gzip(&whole)).await, (2, 0, None));
    assert_eq!(one("a.json", &whole).await, (2, 0, None));
    assert_eq!(one("a.json", &pretty).await, (2, 0, None));
    assert_eq!(one("a.jsonl", lines.as_bytes()).await, (2, 0, None));
    assert_eq!(one("a.jsonl.gz", &gzip(lines.as_bytes())).await, (2, 0, None));
    assert_eq!(one("a.json.gz", &gzip(&records(&[]))).await, (0, 0, None), "a trail may write an empty log");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_gzip_file_are_all_read_even_where_they_are_alike() {
    let one_line = format!("{}\n", event(KEY, "GetObject", AT));
    let member = gzip(one_line.as_bytes());
    assert_eq!(one("a.jsonl.gz", &[member.clone(), member].concat()).await, (2, 0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_counts_for_nothing_and_is_named() {
    let many: Vec<_> = (0..200).map(|at| event(KEY, &format!("Get{at}"), AT)).collect();
    let whole = records(&many);
    let gz = gzip(&whole);
    let problem = async |bytes: &[u8]| {
        let (kept, _, problem) = one("a.json.gz", bytes).await;
        assert_eq!(kept, 0);
        problem.unwrap()
    };
    assert_eq!(problem(&gz[..gz.len() / 2]).await, "the gzip stream ends too early");
    assert_eq!(problem(&gz[..gz.len() - 3]).await, "the gzip stream ends too early");
    let mut bent = gz.clone();
    bent[gz.len() / 2] ^= 0x55;
    assert!(problem(&bent).await.starts_with("the gzip stream "));
    let mut wrong_sum = gz.clone();
    wrong_sum[gz.len() - 6] ^= 1;
    assert_eq!(problem(&wrong_sum).await, "the gzip stream is damaged");
    assert!(problem(&[gz.clone(), b"rest".to_vec()].concat()).await.starts_with("the gzip stream "));
    assert!(problem(&gzip(&whole[..whole.len() - 2])).await.starts_with("no JSON of CloudTrail"));
    assert!(problem(&gzip(&whole[..whole.len() / 2])).await.starts_with("no JSON of CloudTrail"));
    assert!(problem(b"").await.starts_with("it has no list"));
    assert!(problem(&gzip(b"[]")).await.starts_with("no JSON of CloudTrail"));
    assert!(problem(&gzip(br#"{"Records": {"a": 1}}"#)).await.starts_with("no JSON of CloudTrail"));
    assert!(problem(&gzip(br#"{"Records": null}"#)).await.starts_with("no JSON of CloudTrail"));
    let digest = br#"{"awsAccountId":"111122223333","digestStartTime":"2026-11-01T10:00:00Z","logFiles":[]}"#;
    assert!(problem(&gzip(digest)).await.starts_with("it has no list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_whatever_it_says_of_its_size() {
    let bomb = gzip(&vec![b' '; LARGEST + 1]);
    let refused = "it inflates to more than 8 MiB";
    assert_eq!(one("a.json.gz", &bomb).await.2.unwrap(), refused);
    // The length at the end is a lie, in both directions.
    for told in [0_u32, 1, u32::MAX] {
        let mut lie = bomb.clone();
        let at = lie.len() - 4;
        lie[at..].copy_from_slice(&told.to_le_bytes());
        assert_eq!(one("a.json.gz", &lie).await.2.unwrap(), refused, "{told}");
    }
    assert_eq!(one("a.json", &vec![b' '; LARGEST + 1]).await.2.unwrap(), refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_nested_without_end_breaks_nothing() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [50, 100, 1_000, 200_000] {
        let mut strange = event(KEY, "GetObject", AT).to_string();
        strange.insert_str(1, &format!("\"additionalEventData\": {},", deep(depth)));
        let (kept, _, problem) = one("a.json.gz", &gzip(format!("{{\"Records\":[{strange}]}}").as_bytes())).await;
        assert_eq!((kept, problem.is_some()), if depth <= 100 { (1, false) } else { (0, true) }, "{depth}");
    }
    let identity = format!("{{\"Records\":[{{\"eventName\":\"a\",\"userIdentity\":{}}}]}}", deep(200_000));
    assert!(one("a.json", identity.as_bytes()).await.2.is_some());
    // A question that reads a value as it stands.
    let folder = tempfile::tempdir().unwrap();
    let request = format!(
        "{{\"Records\":[{{\"eventName\":\"a\",\"eventTime\":\"{AT}\",\"requestParameters\":{}}}]}}",
        deep(200_000)
    );
    fs::write(folder.path().join("a.json"), request).unwrap();
    let desk = desk(&folder.path().join("facts")).await;
    let receipts = desk.attach(listing(&desk, folder.path()).await, LARGEST).unwrap();
    assert_eq!(number(&desk, "SELECT count(request) FROM events").await, 0);
    assert_eq!(akia_usage::problems(&receipts).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_ec2_are_read_in_any_shape_and_as_deep_as_they_are() {
    let with = |request: serde_json::Value| {
        let mut event = event(KEY, "StopInstances", AT);
        event["eventSource"] = "ec2.amazonaws.com".into();
        event["requestParameters"] = request;
        event
    };
    let one = |id: &str| json!({ "items": [{ "instanceId": id }] });
    let strange = [
        with(json!({ "instancesSet": { "items": [{ "instanceId": "i-2" }, { "instanceId": "i-1" }] } })),
        with(json!({ "networkInterfaceSet": { "items": [{ "groupSet": { "items": [{ "groupId": "sg-1" }] } }] } })),
        // Deeper than any is, and what is no set.
        with(json!({ "aSet": { "items": [{ "bSet": { "items": [{ "cSet": one("i-3") }] } }] } })),
        with(json!({ "instancesSet": [one("i-4")], "bSet": "i-5", "cSet": { "items": { "instanceId": "i-6" } } })),
        with(json!({ "instancesSet": { "items": [1, null, ["i-7"], "i-8"] }, "instances": one("i-9") })),
    ];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), records(&strange)).unwrap();
    let desk = desk(&folder.path().join("facts")).await;
    desk.attach(listing(&desk, folder.path()).await, LARGEST).unwrap();
    let answer = desk.sql("SELECT DISTINCT resources FROM events ORDER BY resources NULLS LAST").await.unwrap();
    let arn = |what: &str| format!("arn:aws:ec2:eu-central-1:111122223333:{what}");
    let instances = format!("{} {}", arn("instance/i-1"), arn("instance/i-2"));
    let told = akia_usage::answer::csv(&answer).unwrap();
    assert_eq!(told, format!("resources\n{instances}\n{}\n\"\"\n", arn("security-group/sg-1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_strange_fields_are_none() {
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = event(KEY, "GetObject", AT);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let strange = [
        with("/userAgent", json!(null)),
        with("/userAgent", json!(7)),
        with("/userAgent", json!({ "a": [1] })),
        with("/requestParameters", json!("text")),
        with("/requestParameters", json!([1, 2])),
        with("/userIdentity/arn", json!(null)),
        with("/awsRegion", json!(false)),
    ];
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), records(&strange)).unwrap();
    let mut desk = desk(&folder.path().join("facts")).await;
    assert_eq!(load(&mut desk, &folder.path().join("a.json"), 1).await.kept, 7);
    let none = |column: &str| format!("SELECT coalesce(sum(calls), 0) FROM facts WHERE {column} IS NULL");
    assert_eq!(number(&desk, &none("agent")).await, 3);
    assert_eq!(number(&desk, &none("\"user\"")).await, 1);
    assert_eq!(number(&desk, &none("region")).await, 1);
    assert_eq!(number(&desk, &none("key")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_no_calls_are_counted_apart() {
    let insight =
        json!({ "eventVersion": "1.07", "eventTime": AT, "eventType": "AwsCloudTrailInsight", "insightDetails": {} });
    let no_time = json!({ "eventName": "GetObject", "userIdentity": { "type": "IAMUser" } });
    let bad_time = json!({ "eventName": "GetObject", "eventTime": "yesterday", "userIdentity": { "type": "IAMUser" } });
    let records =
        records(&[insight, no_time, bad_time, json!(null), json!(3), json!("a"), json!([1]), event(KEY, "A", AT)]);
    assert_eq!(one("a.json", &records).await, (1, 7, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_and_bytes_that_are_no_text_are_read() {
    let mut large = event(KEY, "GetObject", AT);
    large["requestParameters"]["policyDocument"] = json!("x".repeat(256 << 10));
    assert_eq!(one("a.json.gz", &gzip(&records(&[large]))).await, (1, 0, None));
    let mut bent = records(&[event(KEY, "GetObject", AT)]);
    let at = bent.windows(7).position(|window| window == b"aws-cli").unwrap();
    bent[at] = 0xff;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), bent).unwrap();
    let mut desk = desk(&folder.path().join("facts")).await;
    let loaded = load(&mut desk, &folder.path().join("a.json"), 1).await;
    assert_eq!((loaded.kept, loaded.with_bad_text), (1, 1));
    assert_eq!(number(&desk, "SELECT count(*) FROM facts WHERE agent = '[\u{fffd}ws-cli/2.15.0]'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_logs_as_they_lie_tells_what_it_could_not_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), records(&[event(KEY, "GetObject", AT)])).unwrap();
    fs::write(folder.path().join("b.json.gz"), b"\x1f\x8b\x08 no").unwrap();
    fs::write(folder.path().join("notes.txt"), b"no log").unwrap();
    let desk = desk(&folder.path().join("facts")).await;
    let logs = listing(&desk, folder.path()).await;
    assert_eq!(logs.others, 1);
    let receipts = desk.attach(logs, LARGEST).unwrap();
    assert_eq!(number(&desk, "SELECT count(*) FROM events").await, 1);
    let problems = akia_usage::problems(&receipts);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].file.ends_with("/b.json.gz"), "{problems:?}");
}
