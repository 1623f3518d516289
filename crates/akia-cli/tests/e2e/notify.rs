//! `akia notify` with the real binary: AWS's services on moto, read back with other clients; a real mail server; files.

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran, ask};

const CANARY: &str = "canary-4711-canary-4711-canary";

/// A home whose settings are these, on moto.
fn home(cloud: &Cloud, settings: &str) -> Home {
    Home::new(cloud)
        .profile("default", &cloud.admin)
        .file("akia.toml", settings)
        .with("AWS_REGION", "us-east-1")
        .without("AWS_PROFILE")
}

fn notify(home: &Home, arguments: &[&str]) -> Ran {
    let config = home.path("akia.toml");
    let needs_settings = !matches!(arguments.first(), Some(&"outbox" | &"drop"));
    let mut all = vec!["notify"];
    all.extend(arguments);
    if needs_settings {
        all.extend(["--config", config.to_str().unwrap()]);
    }
    all.extend(["--output", "json"]);
    home.akia(&all)
}

fn receipt(ran: &Ran) -> Value {
    ran.json()["messages"][0]["receipt"].clone()
}

/// A queue, and the ARN that others send to.
fn queue(cloud: &Cloud, name: &str) -> (String, String) {
    let url = cloud.call("sqs", "create_queue", json!({ "QueueName": name }))["QueueUrl"].as_str().unwrap().to_owned();
    let params = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    let arn = cloud.call("sqs", "get_queue_attributes", params)["Attributes"]["QueueArn"].as_str().unwrap().to_owned();
    (url, arn)
}

fn received(cloud: &Cloud, url: &str) -> Vec<Value> {
    let answer = cloud.call("sqs", "receive_message", json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 }));
    let bodies = answer["Messages"].as_array().cloned().unwrap_or_default();
    bodies.iter().map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()).collect()
}

#[test]
fn a_subscriber_of_the_topic_reads_the_event() {
    let cloud = Backend::Moto.open();
    let topic = cloud.call("sns", "create_topic", json!({ "Name": "keys" }))["TopicArn"].as_str().unwrap().to_owned();
    let (url, arn) = queue(&cloud, "keys");
    cloud.call("sns", "subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": arn }));
    let home = home(&cloud, &format!("[notify.channels.topic]\nkind = \"sns\"\ntopic = \"{topic}\""));
    let ran = notify(&home, &["test", "topic", "--yes"]).done();
    let [read] = &received(&cloud, &url)[..] else { panic!("one message in the queue") };
    assert_eq!(read["MessageId"], receipt(&ran)["message_id"], "{read}");
    assert_eq!(read["Subject"], "Test message of akia: nothing is to be done");
    assert_eq!(read["MessageAttributes"]["akia_kind"]["Value"], "test", "{read}");
    let event: Value = serde_json::from_str(read["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&event["schema"], &event["kind"]), (&json!("akia.notice/1"), &json!("test")));
    assert_eq!(event["id"], ran.json()["messages"][0]["notice"]);
}

#[test]
fn a_rule_of_the_bus_finds_the_event() {
    let cloud = Backend::Moto.open();
    let (url, arn) = queue(&cloud, "events");
    cloud.call("events", "create_event_bus", json!({ "Name": "security" }));
    let pattern = json!({ "source": ["akia"], "detail-type": ["Access Key Notice Test"] }).to_string();
    cloud.call("events", "put_rule", json!({ "Name": "akia", "EventBusName": "security", "EventPattern": pattern }));
    let targets = json!({ "Rule": "akia", "EventBusName": "security", "Targets": [{ "Id": "1", "Arn": arn }] });
    cloud.call("events", "put_targets", targets);
    let home = home(&cloud, "[notify.channels.bus]\nkind = \"eventbridge\"\nbus = \"security\"");
    let ran = notify(&home, &["test", "bus", "--yes"]).done();
    let [event] = &received(&cloud, &url)[..] else { panic!("one event in the queue") };
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("akia"), &json!("Access Key Notice Test")));
    let detail = &event["detail"];
    assert_eq!((&detail["schema"], &detail["id"]), (&json!("akia.notice/1"), &ran.json()["messages"][0]["notice"]));
    assert_eq!(detail["item"]["access_key"], "AKIAIOSFODNN7EXAMPLE");
    assert!(receipt(&ran)["message_id"].is_string());
}

#[test]
fn ses_sends_from_a_verified_address_and_refuses_another() {
    let cloud = Backend::Moto.open();
    cloud.call("sesv2", "create_email_identity", json!({ "EmailIdentity": "akia@example.com" }));
    let channel = |from: &str| {
        format!("[notify.channels.mail]\nkind = \"ses\"\nfrom = \"{from}\"\nto = [\"security@example.com\"]")
    };
    let sent = || cloud.call("ses", "get_send_quota", json!({}))["SentLast24Hours"].as_f64().unwrap();
    let before = sent();
    let ran = notify(&home(&cloud, &channel("akia@example.com")), &["test", "mail", "--yes"]).done();
    assert!(receipt(&ran)["message_id"].is_string(), "{}", ran.stdout);
    assert!(sent() > before);
    let ran = notify(&home(&cloud, &channel("other@example.com")), &["test", "mail", "--yes"]).exited(1);
    assert_eq!(ran.json()["messages"][0]["state"], "dead", "{}", ran.stdout);
}

#[test]
fn security_hub_has_a_finding_that_a_test_leaves_archived() {
    let cloud = Backend::Moto.open();
    let home = home(&cloud, "[notify.channels.hub]\nkind = \"security-hub\"\nregion = \"eu-west-1\"");
    let ran = notify(&home, &["test", "hub", "--yes"]).done();
    let found = cloud.aws(&["securityhub", "get-findings", "--region", "eu-west-1"]).done().json();
    let finding = found["Findings"].as_array().unwrap().iter().find(|one| one["Id"] == receipt(&ran)["message_id"]);
    let finding = finding.unwrap_or_else(|| panic!("{found}"));
    assert_eq!((&finding["RecordState"], &finding["AwsAccountId"]), (&json!("ARCHIVED"), &json!(cloud.account)));
    assert_eq!(finding["Resources"][0]["Type"], "AwsIamAccessKey");
}

#[test]
fn whoever_lacks_the_right_is_told_and_nothing_is_repeated() {
    let cloud = Backend::Moto.open();
    let nobody = cloud.user("nobody");
    let topic = format!("arn:aws:sns:us-east-1:{}:keys", cloud.account);
    let home = Home::new(&cloud)
        .profile("default", &nobody.key)
        .file("akia.toml", format!("[notify.channels.topic]\nkind = \"sns\"\ntopic = \"{topic}\""));
    let ran = notify(&home, &["test", "topic", "--yes"]).exited(1);
    let message = &ran.json()["messages"][0];
    assert!(message["detail"].as_str().unwrap().contains("access denied"), "{message}");
    assert_eq!(message["state"], "dead");
}

fn mail_server(request: Value) -> (u64, String) {
    let port = ask(request)["port"].as_u64().unwrap();
    (port, ask(json!({ "do": "mails", "port": port }))["ca"].as_str().unwrap().to_owned())
}

fn mails(port: u64) -> Vec<Value> {
    ask(json!({ "do": "mails", "port": port }))["mails"].as_array().unwrap().clone()
}

fn mail_home(cloud: &Cloud, port: u64, ca: &str, more: &str) -> Home {
    let channel = format!(
        "[notify.channels.mail]\nkind = \"smtp\"\nhost = \"localhost\"\nport = {port}\nfrom = \"akia@example.com\"\n{more}"
    );
    home(cloud, &channel).with("AWS_CA_BUNDLE", ca).with("SMTP_PASSWORD", CANARY)
}

#[test]
fn a_mail_server_takes_mail_under_tls_after_a_login() {
    let cloud = Backend::Sandbox.open();
    let login = "user = \"akia\"\npassword = { env = \"SMTP_PASSWORD\" }\nto = [\"security@example.com\"]";
    for tls in ["starttls", "implicit"] {
        let (port, ca) = mail_server(json!({ "do": "smtp", "tls": tls, "login": ["akia", CANARY] }));
        let home = mail_home(&cloud, port, &ca, &format!("tls = \"{tls}\"\n{login}"));
        let ran = notify(&home, &["test", "mail", "--yes"]).done();
        let receipt = receipt(&ran);
        assert_eq!((&receipt["status"], &receipt["message_id"]), (&json!(250), &json!("2.0.0 Ok: queued as LAB1")));
        let [mail] = &mails(port)[..] else { panic!("one mail") };
        assert_eq!((&mail["from"], &mail["to"]), (&json!("akia@example.com"), &json!(["security@example.com"])));
        let text = mail["text"].as_str().unwrap();
        for part in [
            "Subject: Test message of akia: nothing is to be done",
            "multipart/alternative",
            "text/html",
            "Auto-Submitted: auto-generated",
            "X-Akia-Notice: n-",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let to = notify(&home, &["test", "mail", "--to", "ann@example.com", "--yes"]).done();
        assert!(to.stderr.contains("ann@example.com"), "{}", to.stderr);
        assert_eq!(mails(port)[1]["to"], json!(["ann@example.com"]));
        for (path, bytes) in home.everything() {
            let leaks = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!leaks, "the password is in {}", path.display());
        }
    }
}

#[test]
fn a_mail_server_that_is_not_trusted_or_refuses_gets_no_mail() {
    let cloud = Backend::Sandbox.open();
    let (port, ca) = mail_server(json!({ "do": "smtp", "tls": "starttls", "login": ["akia", CANARY] }));
    let login = "user = \"akia\"\npassword = { env = \"SMTP_PASSWORD\" }\nto = [\"security@example.com\"]";
    let wrong = mail_home(&cloud, port, &ca, login).with("SMTP_PASSWORD", "another");
    let detail = |ran: &Ran| ran.json()["messages"][0]["detail"].as_str().unwrap().to_owned();
    let ran = notify(&wrong, &["test", "mail", "--yes"]).exited(1);
    assert!(detail(&ran).contains("the login is refused"), "{}", ran.stdout);
    let untrusting = mail_home(&cloud, port, &ca, login).without("AWS_CA_BUNDLE");
    let ran = notify(&untrusting, &["test", "mail", "--yes"]).exited(1);
    assert!(detail(&ran).starts_with("not delivered: "), "{}", ran.stdout);
    assert!(mails(port).is_empty());
    // A server without STARTTLS never gets the password in the clear.
    let (plain, ca) = mail_server(json!({ "do": "smtp", "tls": "none" }));
    let ran = notify(&mail_home(&cloud, plain, &ca, login), &["test", "mail", "--yes"]).exited(1);
    assert!(detail(&ran).contains("STARTTLS is not supported"), "{}", ran.stdout);
    assert!(mails(plain).is_empty());
}

#[test]
fn the_last_answer_of_a_mail_server_decides_what_is_true() {
    let cloud = Backend::Sandbox.open();
    let rows = [
        (json!({ "answer": "451 4.3.0 come back later" }), "not delivered: "),
        (json!({ "answer": "554 5.7.1 no" }), "refused: "),
        (json!({ "cut": true }), "not known whether it arrived: "),
    ];
    for (row, expected) in rows {
        let mut request = json!({ "do": "smtp", "tls": "none" });
        request.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
        let (port, ca) = mail_server(request);
        let home = mail_home(&cloud, port, &ca, "tls = \"none\"\nto = [\"security@example.com\"]");
        let ran = notify(&home, &["test", "mail", "--yes"]).exited(1);
        let detail = ran.json()["messages"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(expected), "{row}: {detail}");
        assert_eq!(mails(port).len(), 1, "it had the text each time");
    }
}

const FILE: &str = "[notify]\ndefault = [\"practice\"]\n[notify.channels.practice]\nkind = \"file\"\npath = \"PATH\"\n";

fn practice() -> Home {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud, "");
    let path = home.path("notices.jsonl");
    let text = FILE.replace("PATH", path.to_str().unwrap());
    home.file("akia.toml", text)
}

#[test]
fn a_test_is_planned_asked_for_and_told() {
    let home = practice();
    let ran = notify(&home, &["test", "practice"]).exited(6);
    assert!(ran.stderr.contains("no terminal to ask on"), "{}", ran.stderr);
    assert!(ran.stderr.contains("send    a test message through practice (file at "), "{}", ran.stderr);
    let ran = notify(&home, &["test", "--all", "--dry-run"]).done();
    let body = ran.json()["messages"][0]["body"].as_str().unwrap().to_owned();
    assert!(
        serde_json::from_str::<Value>(&body).unwrap()["text"].as_str().unwrap().contains("akia never asks"),
        "{body}"
    );
    assert!(!home.path("notices.jsonl").exists(), "nothing was sent");
    assert!(!home.path("state/outbox.db").exists(), "nor written down");
    notify(&home, &["test", "practice", "--yes"]).done();
    let line: Value = serde_json::from_str(home.read("notices.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(line["kind"], "test");
    let outbox = notify(&home, &["outbox"]).done().json();
    assert_eq!(outbox["schema"], "akia.notify-outbox/1");
    assert_eq!((&outbox["messages"][0]["state"], &outbox["messages"][0]["notice"]), (&json!("sent"), &line["id"]));
}

#[test]
fn unknown_channels_and_bad_settings_are_told_before_anything_is_sent() {
    let home = practice();
    let ran = notify(&home, &["test", "slack", "--yes"]).exited(2);
    assert!(ran.stderr.contains("there is no channel \"slack\" in the settings"), "{}", ran.stderr);
    let secret = format!("https://hooks.example/services/{CANARY}");
    let home = home.file("akia.toml", format!("[notify.channels.slack]\nkind = \"slack\"\nurl = \"{secret}\""));
    let ran = notify(&home, &["channels"]).exited(2);
    assert!(ran.stderr.contains("a secret must not stand in this file"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(CANARY), "{}", ran.stderr);
    let home = home.file("akia.toml", "[notify.channels.slack]\nkind = \"slack\"\nurl = { env = \"AKIA_SLACK_URL\" }");
    let ran = notify(&home, &["channels"]).exited(4);
    assert_eq!(ran.json()["channels"][0]["is_ready"], false);
    assert!(ran.stdout.contains("the variable AKIA_SLACK_URL is not set"), "{}", ran.stdout);
    let home = home.with("AKIA_SLACK_URL", &secret);
    let ran = notify(&home, &["channels"]).done();
    assert_eq!(ran.json()["channels"][0]["place"], "hooks.example");
    assert!(!ran.stdout.contains(CANARY), "{}", ran.stdout);
}

#[test]
fn a_test_that_failed_is_not_repeated_behind_anybodys_back() {
    let home = practice();
    let nowhere = FILE.replace("PATH", "/no/such/folder/notices.jsonl");
    let home = home.file("akia.toml", nowhere);
    let ran = notify(&home, &["test", "practice", "--yes"]).exited(1);
    assert!(ran.stdout.contains("cannot be written"), "{}", ran.stdout);
    assert_eq!(notify(&home, &["outbox"]).done().json()["messages"][0]["state"], "dropped");
    let ran = notify(&home, &["deliver", "--yes"]).done();
    assert!(ran.stderr.contains("nothing is due"), "{}", ran.stderr);
    for arguments in [&["retry", "1", "--yes"][..], &["drop", "1", "--reason", "x", "--yes"]] {
        let ran = notify(&home, arguments).exited(1);
        assert!(ran.stderr.contains("message 1 is dropped"), "{}", ran.stderr);
    }
    let ran = notify(&home, &["retry", "7", "--yes"]).exited(1);
    assert!(ran.stderr.contains("the outbox has no message 7"), "{}", ran.stderr);
}

#[test]
fn templates_are_written_replaced_and_checked() {
    let home = practice();
    let folder = home.path("templates");
    let folder = folder.to_str().unwrap();
    let ran = notify(&home, &["templates", "--write", folder]).done();
    assert_eq!(ran.stderr.matches("written ").count(), 4, "{}", ran.stderr);
    let ran = notify(&home, &["templates", "--write", folder]).done();
    assert_eq!(ran.stderr.matches("kept ").count(), 4, "{}", ran.stderr);
    let settings = home.read("akia.toml").replace("[notify]\n", &format!("[notify]\ntemplates = \"{folder}\"\n"));
    let home = home.file("akia.toml", &settings).file("templates/subject.txt", "Ours: {{ title }}");
    let ran = notify(&home, &["templates"]).done();
    assert!(ran.json()["templates"][0]["from"].as_str().unwrap().ends_with("templates/subject.txt"), "{}", ran.stdout);
    let ran = notify(&home, &["test", "practice", "--dry-run"]).done();
    assert!(ran.json()["messages"][0]["subject"].as_str().unwrap().starts_with("Ours: Test message"), "{}", ran.stdout);
    let home = home.file("templates/message.txt", "\n{{ no_such_value }}");
    let ran = notify(&home, &["test", "practice", "--yes"]).exited(2);
    assert!(ran.stderr.contains("template message.txt, line 2: undefined value"), "{}", ran.stderr);
}

/// Killed while the service thinks: the message is found half sent, with what was sent, and nobody sends it a second time
/// while its sender could be alive.
#[test]
fn a_kill_in_the_middle_of_a_delivery_loses_nothing() {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cloud = Backend::Sandbox.open();
    let home = home(
        &cloud,
        "[notify.channels.hook]\nkind = \"webhook\"\nurl = { env = \"HOOK\" }\nsecret = { env = \"KEY\" }",
    )
    .with("HOOK", &format!("http://{}/{CANARY}", listener.local_addr().unwrap()))
    .with("KEY", CANARY);
    let config = home.path("akia.toml");
    let mut child =
        home.command(&["notify", "test", "hook", "--yes", "--config", config.to_str().unwrap()]).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut first = [0; 4];
    stream.read_exact(&mut first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let outbox = notify(&home, &["outbox"]).done().json();
    let message = &outbox["messages"][0];
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sending"), &json!(1)), "{outbox}");
    assert!(message["body_sha256"].is_string() && message["claimed_until"].is_string(), "{outbox}");
    let ran = notify(&home, &["deliver", "--yes"]).done();
    assert!(ran.stderr.contains("nothing is due"), "{}", ran.stderr);
    for (path, bytes) in home.everything() {
        let leaks = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!leaks, "a secret is in {}", path.display());
    }
}
