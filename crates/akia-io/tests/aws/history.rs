//! CloudTrail's event history, page by page, where no emulator has more than a page of it: answers as AWS's API Reference shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use akia_core::ids::Region;
use akia_io::aws::{Aws, AwsError, AwsOptions, Caller, HistoryPart, Target};
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::credentials;
use crate::scripted::{Said, Scripted};

const PAGE: usize = 3;

/// A hundred times as fast: the pauses between pages are none of what is tested.
#[derive(Debug)]
struct Hurried;

impl AsyncSleep for Hurried {
    fn sleep(&self, duration: Duration) -> Sleep {
        TokioSleep::new().sleep(duration / 100)
    }
}

fn caller(url: &url::Url) -> Caller {
    let options = AwsOptions {
        endpoint_url: Some(url.clone()),
        sleep: Some(SharedAsyncSleep::new(Hurried)),
        ..AwsOptions::default()
    };
    Aws::new(options).caller(credentials(), Target::default())
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What AWS says of these seconds: the latest first, some at a time; the token says how many were told.
fn answer(body: &str, seconds: &[i64]) -> Said {
    let asked: Value = serde_json::from_str(body).unwrap();
    let number = |name: &str| asked[name].as_i64().unwrap();
    assert_eq!(number("MaxResults"), 50);
    let told: usize = asked["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let mut found: Vec<(usize, i64)> = seconds.iter().copied().enumerate().collect();
    found.retain(|(_, second)| (number("StartTime")..=number("EndTime")).contains(second));
    found.sort_by_key(|(_, second)| std::cmp::Reverse(*second));
    let event = |(id, second): &(usize, i64)| json!({ "EventTime": *second as f64, "CloudTrailEvent": format!("{{\"eventID\":\"{id}\"}}") });
    let events: Vec<Value> = found.iter().skip(told).take(PAGE).map(event).collect();
    let mut answer = json!({ "Events": events });
    if told + PAGE < found.len() {
        answer["NextToken"] = json!((told + PAGE).to_string());
    }
    Said::new(200, answer.to_string())
}

/// Asks for parts of two pages until all was read; the ids of all that came.
async fn all(caller: &Caller, from: i64, until: i64) -> Vec<String> {
    let (mut ids, mut until) = (Vec::new(), at(until));
    while until > at(from) {
        let HistoryPart { from: reached, events } = caller.event_history(&region(), at(from), until, 2).await.unwrap();
        assert!(reached < until);
        assert!(events.iter().all(|event| (reached.as_second()..until.as_second()).contains(&event.second)));
        ids.extend(events.into_iter().map(|event| event.record));
        until = reached;
    }
    ids
}

#[tokio::test]
async fn parts_have_every_event_once_wherever_pages_end() {
    // Several of one second, also over the edge of a page and of a part.
    let several = vec![100, 101, 101, 101, 102, 102, 103, 104, 104, 104, 105, 110, 119, 119];
    // One more of one second than is left on the two pages.
    let crowd = vec![104, 104, 104, 104, 104, 104, 105];
    for (seconds, starts) in [(several, &[0, 100, 101, 104][..]), (crowd, &[104])] {
        for (from, until) in starts.iter().flat_map(|from| [105, 106, 119, 120].map(|until| (*from, until))) {
            let truth = seconds.iter().filter(|second| (from..until).contains(*second)).count();
            let told = seconds.clone();
            let server = Scripted::start(move |asked| answer(&asked.body, &told)).await;
            let mut ids = all(&caller(&server.url), from, until).await;
            assert_eq!(ids.len(), truth, "{from} {until}");
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), truth, "{from} {until}");
        }
    }
}

#[tokio::test]
async fn being_throttled_is_waited_out_and_not_for_ever() {
    let slow = || {
        let body = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
        Said::new(400, body).with("x-amzn-errortype", "ThrottlingException")
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Scripted::start(move |asked| match counted.fetch_add(1, Ordering::SeqCst) % 3 {
        2 => answer(&asked.body, &[1, 2, 3, 4, 5]),
        _ => slow(),
    })
    .await;
    assert_eq!(all(&caller(&server.url), 0, 10).await.len(), 5);
    assert_eq!(calls.load(Ordering::SeqCst), 6, "two pages");

    let server = Scripted::start(move |_| slow()).await;
    let refused = caller(&server.url).event_history(&region(), at(0), at(10), 2).await.unwrap_err();
    assert!(matches!(refused, AwsError::Throttled { .. }), "{refused}");
    assert!((5..10).contains(&server.asked().len()), "{}", server.asked().len());
}

#[tokio::test]
async fn what_cannot_be_read_whole_is_an_error_and_no_part() {
    // Ten events of one second do not fit into two pages of three.
    let server = Scripted::start(|asked| answer(&asked.body, &[7; 10])).await;
    let crowded = caller(&server.url).event_history(&region(), at(0), at(8), 2).await.unwrap_err();
    assert!(crowded.to_string().contains("in one second"), "{crowded}");

    let again = json!({ "Events": [{ "EventTime": 5, "CloudTrailEvent": "{}" }], "NextToken": "same" });
    let server = Scripted::start(move |_| Said::new(200, again.to_string())).await;
    let circle = caller(&server.url).event_history(&region(), at(0), at(8), 10).await.unwrap_err();
    assert!(circle.to_string().contains("the first one again"), "{circle}");
}

#[tokio::test]
async fn what_is_no_event_comes_through_as_text() {
    let odd = json!({ "Events": [{ "EventTime": 5.9, "CloudTrailEvent": "{broken" }, { "EventTime": 5 }] });
    let server = Scripted::start(move |_| Said::new(200, odd.to_string())).await;
    let part = caller(&server.url).event_history(&region(), at(0), at(8), 2).await.unwrap();
    let records: Vec<&str> = part.events.iter().map(|event| event.record.as_str()).collect();
    assert_eq!((part.from, records), (at(0), vec!["\"{broken\"", "\"\""]));
    assert_eq!(part.events[0].second, 5);
}
