//! Channels over HTTP against a server that checks what their documentation asks for.

use std::sync::Mutex;

use akia_core::notice::NoticeKind;
use akia_io::notify::{Channels, DeliveryError, Receipt};
use serde_json::{Value, json};

use crate::server::{Act, Seen, Server};
use crate::{CANARY, at, channels, notice};

const SLACK: &str = "[notify.channels.one]\nkind = \"slack\"\nurl = { env = \"URL\" }";
const TEAMS: &str = "[notify.channels.one]\nkind = \"teams\"\nurl = { env = \"URL\" }";
const WEBHOOK: &str =
    "[notify.channels.one]\nkind = \"webhook\"\nurl = { env = \"URL\" }\nsecret = { env = \"SECRET\" }";

fn pagerduty(server: &Server) -> String {
    format!(
        "[notify.channels.one]\nkind = \"pagerduty\"\nrouting-key = {{ env = \"SECRET\" }}\nsite = \"{}\"",
        server.address
    )
}

fn jira(server: &Server, user: &str) -> String {
    format!(
        "[notify.channels.one]\nkind = \"jira\"\ntoken = {{ env = \"SECRET\" }}\nproject = \"SEC\"\nsite = \"{}\"\n{user}",
        server.address
    )
}

fn servicenow(server: &Server) -> String {
    format!(
        "[notify.channels.one]\nkind = \"servicenow\"\nuser = \"akia\"\npassword = {{ env = \"SECRET\" }}\nsite = \"{}\"",
        server.address
    )
}

/// The one channel of a text, with an address whose path is a canary, and a canary for a secret.
fn one(text: &str, server: &Server) -> Channels {
    let url = format!("{}/services/{CANARY}?sig={CANARY}", server.address);
    channels(text, &[("URL", url), ("SECRET", CANARY.to_owned())])
}

async fn deliver(channels: &Channels, kind: NoticeKind, cases: &[&str]) -> Result<Receipt, DeliveryError> {
    let message = channels.render(&notice(kind, cases), None, at()).unwrap();
    channels.find("one").unwrap().deliver(&message, at()).await
}

#[tokio::test]
async fn slack_gets_text_and_sections_of_mrkdwn() {
    let server = Server::playing(Act::ok("ok")).await;
    let receipt = deliver(&one(SLACK, &server), NoticeKind::Announced, &["c-1"]).await.unwrap();
    assert_eq!(receipt.status, Some(200));
    let [seen] = &server.seen()[..] else { panic!() };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", &*format!("/services/{CANARY}?sig={CANARY}")));
    assert_eq!(seen.headers["content-type"], "application/json");
    let body = seen.json();
    assert!(body["text"].as_str().unwrap().starts_with("Access key AKIAIOSFODNN7EXAMPLE of ann will be"), "{body}");
    let block = &body["blocks"][0];
    assert_eq!((&block["type"], &block["text"]["type"]), (&json!("section"), &json!("mrkdwn")));
    let text = block["text"]["text"].as_str().unwrap();
    assert!(text.contains("`akia rotate --user ann`") && text.contains("&lt;!channel&gt;"), "{text}");
    assert!(!text.contains("<!channel>"), "{text}");
}

#[tokio::test]
async fn teams_gets_an_adaptive_card_in_which_nothing_is_markdown() {
    let server = Server::playing(Act::Answer(202, "x-ms-workflow-run-id: run-1\r\n", String::new())).await;
    let receipt = deliver(&one(TEAMS, &server), NoticeKind::Exposed, &["c-1"]).await.unwrap();
    assert_eq!((receipt.status, receipt.message_id.as_deref()), (Some(202), Some("run-1")));
    let body = server.seen()[0].json();
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    let blocks = card["body"].as_array().unwrap();
    assert!(blocks.len() > 5, "{card}");
    // TextBlock would take names for Markdown; a RichTextBlock of TextRuns does not.
    assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "{card}");
    assert!(blocks.iter().all(|block| block["inlines"][0]["type"] == "TextRun"), "{card}");
    assert!(blocks[0]["inlines"][0]["text"].as_str().unwrap().starts_with("Act now: access key"), "{card}");
    let many: Vec<String> = (0..400).map(|index| format!("c-{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    deliver(&one(TEAMS, &server), NoticeKind::Announced, &many).await.unwrap();
    assert!(server.seen()[1].body.len() < 28 * 1024, "{}", server.seen()[1].body.len());
}

/// What `docs/notices.md` tells receivers to do, run as it stands there.
#[tokio::test]
async fn a_webhook_is_verified_by_the_program_of_the_documentation() {
    let server = Server::playing(Act::ok("")).await;
    deliver(&one(WEBHOOK, &server), NoticeKind::Announced, &["c-1", "c-2"]).await.unwrap();
    let [seen] = &server.seen()[..] else { panic!() };
    let body = seen.json();
    assert_eq!((&body["schema"], &body["items"].as_array().unwrap().len()), (&json!("akia.notice/1"), &2));
    assert_eq!(body["id"], seen.headers["webhook-id"].as_str());
    let page = include_str!("../../../../docs/notices.md");
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let verify = |secret: &str, seen: &Seen, now: i64| {
        let call = format!(
            "{program}\nimport json, sys\ngiven = json.load(sys.stdin)\nprint(verify(given['secret'], given['headers'], \
             given['body'].encode(), given['now']))"
        );
        let given = json!({ "secret": secret, "headers": seen.headers, "body": seen.body, "now": now });
        let mut child = std::process::Command::new("python3")
            .args(["-c", &call])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), given.to_string().as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    };
    let now = at().as_second();
    assert_eq!(verify(CANARY, seen, now), "True");
    assert_eq!(verify("another secret of enough bytes", seen, now), "False");
    assert_eq!(verify(CANARY, seen, now + 301), "False", "a replay");
    let forged = Seen { body: seen.body.replace("deactivate", "nothing"), ..seen.clone() };
    assert_eq!(verify(CANARY, &forged, now), "False");
}

#[tokio::test]
async fn pagerduty_opens_one_alert_for_a_case_and_resolves_it() {
    let server = Server::playing(Act::Answer(202, "", json!({ "status": "success" }).to_string())).await;
    let channels = one(&pagerduty(&server), &server);
    deliver(&channels, NoticeKind::Exposed, &["c-1", "c-2"]).await.unwrap();
    deliver(&channels, NoticeKind::Resolved, &["c-1"]).await.unwrap();
    deliver(&channels, NoticeKind::Test, &["c-3"]).await.unwrap();
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.path == "/v2/enqueue" && seen.method == "POST"));
    let events: Vec<Value> = seen.iter().map(Seen::json).collect();
    assert!(events.iter().all(|event| event["routing_key"] == CANARY), "{events:?}");
    let actions: Vec<&str> = events.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve", "trigger", "resolve"]);
    assert_eq!(events[0]["dedup_key"], events[2]["dedup_key"], "the same case");
    assert_ne!(events[0]["dedup_key"], events[1]["dedup_key"]);
    assert_eq!(events[3]["dedup_key"], events[4]["dedup_key"], "a test leaves nothing open");
    let payload = &events[0]["payload"];
    assert_eq!(payload["severity"], "critical");
    for required in ["summary", "source"] {
        assert!(!payload[required].as_str().unwrap().is_empty(), "{payload}");
    }
    let message = channels.render(&notice(NoticeKind::Exposed, &["c-1"]), None, at()).unwrap();
    assert!(!channels.find("one").unwrap().body(&message).contains(CANARY), "the key is no part of what is kept");
}

/// As much of Jira as the channel needs: issues that can be searched by label, commented and closed.
fn jira_play() -> impl Fn(&Seen) -> Act + Send + Sync + 'static {
    let issues: Mutex<Vec<(String, String, bool)>> = Mutex::default();
    move |seen: &Seen| {
        let mut issues = issues.lock().unwrap();
        let path = seen.path.replace("/rest/api/3", "").replace("/rest/api/2", "");
        let answer = |status: u16, body: Value| Act::Answer(status, "", body.to_string());
        match (seen.method.as_str(), path.as_str()) {
            ("POST", "/search/jql" | "/search") => {
                let jql = seen.json()["jql"].as_str().unwrap().to_owned();
                assert!(jql.starts_with("project = \"SEC\" AND labels = \"akia-"), "{jql}");
                let found: Vec<Value> = issues
                    .iter()
                    .filter(|(_, label, _)| jql.contains(label.as_str()))
                    .map(|(key, _, done)| {
                        let category = if *done { "done" } else { "new" };
                        json!({ "key": key, "fields": { "status": { "statusCategory": { "key": category } } } })
                    })
                    .collect();
                answer(200, json!({ "issues": found, "isLast": true }))
            }
            ("POST", "/issue") => {
                let fields = seen.json()["fields"].clone();
                assert_eq!((&fields["project"]["key"], &fields["issuetype"]["name"]), (&json!("SEC"), &json!("Task")));
                assert!(fields["summary"].as_str().unwrap().len() <= 255);
                let key = format!("SEC-{}", issues.len() + 1);
                issues.push((key.clone(), fields["labels"][1].as_str().unwrap().to_owned(), false));
                answer(201, json!({ "id": "1", "key": key }))
            }
            ("GET", path) if path.ends_with("/transitions") => {
                let there = json!([{ "id": "21", "name": "Start" }, { "id": "31", "name": "Finish", "to": { "name": "Done" } }]);
                answer(200, json!({ "transitions": there }))
            }
            ("POST", path) if path.ends_with("/transitions") => {
                assert_eq!(seen.json()["transition"]["id"], "31");
                let key = path.split('/').nth(2).unwrap();
                issues.iter_mut().find(|(found, _, _)| found == key).unwrap().2 = true;
                Act::Answer(204, "", String::new())
            }
            ("POST", path) if path.ends_with("/comment") => answer(201, json!({ "id": "1" })),
            _ => answer(404, json!({ "errorMessages": ["no such path"] })),
        }
    }
}

#[tokio::test]
async fn jira_has_one_open_issue_for_a_case() {
    let server = Server::start(jira_play()).await;
    let channels = one(&jira(&server, "user = \"akia@example.com\""), &server);
    let receipt = deliver(&channels, NoticeKind::Announced, &["c-1"]).await.unwrap();
    assert_eq!((receipt.message_id.as_deref(), receipt.detail.as_str()), (Some("SEC-1"), "SEC-1 opened"));
    let told = |receipt: Receipt| receipt.detail;
    assert_eq!(told(deliver(&channels, NoticeKind::Reminded, &["c-1"]).await.unwrap()), "SEC-1 commented");
    let both = deliver(&channels, NoticeKind::Deactivated, &["c-1", "c-2"]).await.unwrap();
    assert_eq!(both.detail, "SEC-1 commented, SEC-2 opened");
    assert_eq!(told(deliver(&channels, NoticeKind::Resolved, &["c-1"]).await.unwrap()), "SEC-1 closed");
    assert_eq!(told(deliver(&channels, NoticeKind::Resolved, &["c-1"]).await.unwrap()), "no open issue to close");
    assert_eq!(told(deliver(&channels, NoticeKind::Announced, &["c-1"]).await.unwrap()), "SEC-3 opened");
    assert_eq!(told(deliver(&channels, NoticeKind::Test, &["c-9"]).await.unwrap()), "SEC-4 opened and closed");
    let basic = data_encoding::BASE64.encode(format!("akia@example.com:{CANARY}").as_bytes());
    assert!(server.seen().iter().all(|seen| seen.headers["authorization"] == format!("Basic {basic}")));
    let made = server.seen().into_iter().find(|seen| seen.path == "/rest/api/3/issue").unwrap().json();
    let block = &made["fields"]["description"]["content"][0];
    assert_eq!((&block["type"], &block["content"][0]["type"]), (&json!("codeBlock"), &json!("text")));
}

#[tokio::test]
async fn jira_data_center_gets_its_own_token_and_form() {
    let server = Server::start(jira_play()).await;
    deliver(&one(&jira(&server, ""), &server), NoticeKind::Announced, &["c-1"]).await.unwrap();
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == format!("Bearer {CANARY}")));
    assert_eq!((seen[0].path.as_str(), seen[1].path.as_str()), ("/rest/api/2/search", "/rest/api/2/issue"));
    assert!(seen[1].json()["fields"]["description"].as_str().unwrap().starts_with("{noformat}"));
}

#[tokio::test]
async fn an_issue_without_a_way_to_done_says_which_ways_there_are() {
    let server = Server::start(jira_play()).await;
    let channels = one(&jira(&server, "done = \"Closed\""), &server);
    let error = deliver(&channels, NoticeKind::Test, &["c-1"]).await.unwrap_err().to_string();
    assert!(error.contains("SEC-1 has no way to Closed; there are: Start, Finish"), "{error}");
}

#[tokio::test]
async fn servicenow_has_one_open_incident_for_a_case() {
    let incidents: Mutex<Vec<(String, String, String)>> = Mutex::default();
    let server = Server::start(move |seen| {
        let mut incidents = incidents.lock().unwrap();
        let answer = |status: u16, result: Value| Act::Answer(status, "", json!({ "result": result }).to_string());
        let shown =
            |(id, _, _): &(String, String, String)| json!({ "sys_id": id, "number": format!("INC{}", &id[30..]) });
        if seen.method == "GET" {
            let query = seen.path.split_once("sysparm_query=").unwrap().1;
            let open =
                incidents.iter().filter(|(_, correlation, state)| query.contains(&**correlation) && state != "6");
            return answer(200, open.map(shown).collect());
        }
        let body = seen.json();
        if seen.method == "POST" {
            assert_eq!(seen.path, "/api/now/table/incident");
            assert!(body["short_description"].as_str().unwrap().len() <= 160);
            let id = format!("{:032}", incidents.len() + 1);
            incidents.push((id, body["correlation_id"].as_str().unwrap().to_owned(), "1".to_owned()));
            return answer(201, shown(incidents.last().unwrap()));
        }
        assert_eq!(seen.method, "PATCH");
        let incident = incidents.iter_mut().find(|(id, _, _)| seen.path.ends_with(id.as_str())).unwrap();
        if body["state"] == "6" {
            assert!(body["close_code"].is_string() && body["close_notes"].is_string(), "{body}");
            incident.2 = "6".to_owned();
        }
        answer(200, shown(incident))
    })
    .await;
    let channels = one(&servicenow(&server), &server);
    let mut told = Vec::new();
    for kind in
        [NoticeKind::Announced, NoticeKind::Reminded, NoticeKind::Resolved, NoticeKind::Deleted, NoticeKind::Test]
    {
        told.push(deliver(&channels, kind, &["c-1"]).await.unwrap().detail);
    }
    let expected =
        ["INC01 opened", "INC01 noted", "INC01 resolved", "no open incident to resolve", "INC02 opened and resolved"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_answer_means_what_it_says() {
    let shown = |result: Result<Receipt, DeliveryError>| match result {
        Ok(_) => "delivered".to_owned(),
        Err(DeliveryError::NotDelivered { retry_after, .. }) => {
            format!("not delivered, {}", retry_after.map_or(0, |wait| wait.as_secs()))
        }
        Err(DeliveryError::Refused { .. }) => "refused".to_owned(),
        Err(DeliveryError::Unknown { .. }) => "unknown".to_owned(),
    };
    let answer = |status: u16, headers: &'static str, body: &str| Act::Answer(status, headers, body.to_owned());
    for (act, expected) in [
        (Act::ok("ok"), "delivered"),
        (Act::ok("<html>welcome to the hotel</html>"), "unknown"),
        (answer(400, "", "invalid_payload"), "refused"),
        (answer(403, "", "action_prohibited"), "refused"),
        (answer(404, "", "no_service"), "refused"),
        (answer(410, "", "channel_is_archived"), "refused"),
        (answer(302, "location: http://127.0.0.1:1/\r\n", ""), "refused"),
        (answer(429, "retry-after: 120\r\n", "rate_limited"), "not delivered, 120"),
        (answer(429, "retry-after: 99999999\r\n", "rate_limited"), "not delivered, 86400"),
        (answer(503, "", ""), "not delivered, 0"),
        (answer(500, "", ""), "unknown"),
        (answer(502, "", "<html>"), "unknown"),
        (Act::Cut, "unknown"),
        (Act::Half, "unknown"),
        (Act::Silence, "unknown"),
    ] {
        let server = Server::playing(act).await;
        let result = deliver(&one(SLACK, &server), NoticeKind::Announced, &["c-1"]).await;
        let text = format!("{result:?}");
        assert_eq!(shown(result), expected, "{text}");
        assert_eq!(server.seen().len(), 1, "{text}");
    }
    let server = Server::playing(Act::ok("ok")).await;
    let nobody = channels(SLACK, &[("URL", format!("http://127.0.0.1:1/{CANARY}"))]);
    assert_eq!(shown(deliver(&nobody, NoticeKind::Announced, &["c-1"]).await), "not delivered, 0");
    drop(server);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let trap = Server::playing(Act::ok("ok")).await;
    let location: &'static str = Box::leak(format!("location: {}/\r\n", trap.address).into_boxed_str());
    for status in [301, 302, 303, 307, 308] {
        let server = Server::playing(Act::Answer(status, location, String::new())).await;
        let error = deliver(&one(SLACK, &server), NoticeKind::Announced, &["c-1"]).await.unwrap_err();
        assert!(error.to_string().contains("a redirect is not followed"), "{error}");
    }
    assert!(trap.seen().is_empty());
}

/// A server that repeats all it was sent, with any status: nothing of it gets into an error.
#[tokio::test]
async fn no_secret_gets_into_an_error_or_into_what_is_kept() {
    for status in [200, 302, 400, 401, 429, 500, 503] {
        let server = Server::start(move |seen| {
            // What may be repeated comes first, for an error repeats the beginning alone.
            let authorization = seen.headers.get("authorization").cloned().unwrap_or_default();
            let all = format!("{authorization} {} {} {:?}", seen.path, seen.body, seen.headers);
            let told = match seen.path.as_str() {
                path if path.starts_with("/rest/") => json!({ "errorMessages": [all], "errors": { "field": all } }),
                path if path.starts_with("/api/now/") => json!({ "error": { "message": all, "detail": all } }),
                // PagerDuty's key stands in the body.
                "/v2/enqueue" => json!({ "message": seen.json()["routing_key"], "errors": [all] }),
                _ => json!({ "message": all }),
            };
            Act::Answer(status, "x-request-id: canary\r\n", told.to_string())
        })
        .await;
        for text in [
            SLACK.to_owned(),
            TEAMS.to_owned(),
            WEBHOOK.to_owned(),
            pagerduty(&server),
            jira(&server, "user = \"akia@example.com\""),
            jira(&server, ""),
            servicenow(&server),
        ] {
            let channels = one(&text, &server);
            let channel = channels.find("one").unwrap();
            let message = channels.render(&notice(NoticeKind::Announced, &["c-1"]), None, at()).unwrap();
            let result = channel.deliver(&message, at()).await;
            let shown = format!("{result:?} {} {}", channel.body(&message), channel.place());
            let logins = ["akia@example.com", "akia"];
            let logins = logins.map(|user| data_encoding::BASE64.encode(format!("{user}:{CANARY}").as_bytes()));
            for hidden in logins.iter().map(String::as_str).chain([CANARY]) {
                assert!(!shown.contains(hidden), "{status} {text}\n{shown}");
            }
            let repeats = ["jira", "servicenow", "pagerduty"].iter().any(|kind| text.contains(&format!("\"{kind}\"")));
            assert!(!repeats || status != 400 || shown.contains("(secret)"), "the echo was read: {shown}");
        }
    }
    for address in [format!("http://127.0.0.1:1/{CANARY}"), format!("https://127.0.0.1:1/{CANARY}?{CANARY}")] {
        let channels = channels(SLACK, &[("URL", address)]);
        let error = deliver(&channels, NoticeKind::Announced, &["c-1"]).await.unwrap_err();
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
}

#[tokio::test]
async fn a_channel_without_its_secret_says_what_is_missing() {
    let channels = channels(WEBHOOK, &[("URL", "https://hooks.example/x".to_owned())]);
    let error = channels.find("one").err().unwrap().to_string();
    assert_eq!(error, "channel one is not ready: the variable SECRET is not set");
    let channels =
        crate::channels(WEBHOOK, &[("URL", "http://hooks.example/x".to_owned()), ("SECRET", CANARY.to_owned())]);
    let error = channels.find("one").err().unwrap().to_string();
    assert!(error.contains("must begin with https://"), "{error}");
    let channels =
        crate::channels(WEBHOOK, &[("URL", "https://hooks.example/x".to_owned()), ("SECRET", "short".to_owned())]);
    assert!(channels.find("one").err().unwrap().to_string().contains("shorter than 24 bytes"));
}
