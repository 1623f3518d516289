//! `akia events` with the real binary: a queue on moto, whose IAM is asked about what its messages say.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Ran};

const SETTINGS: &str = "[enforce]\nrules = [\"key-never-used\"]\n[notify]\ndefault = [\"file\"]\n[notify.channels.file]\nkind = \"file\"\npath = \"PATH\"\n";

struct Stage {
    cloud: Cloud,
    home: Home,
    queue: String,
    user: String,
    key: String,
}

/// An account with a user and a key, which an audit was kept of, and a queue.
fn stage() -> Stage {
    let cloud = Backend::Moto.open();
    let home =
        Home::new(&cloud).profile("default", &cloud.admin).with("AWS_REGION", "us-east-1").without("AWS_PROFILE");
    let path = home.path("notices.jsonl").to_str().unwrap().to_owned();
    let home = home.file("akia.toml", SETTINGS.replace("PATH", &path));
    let queue = cloud.call("sqs", "create_queue", json!({ "QueueName": "akia-events" }));
    let queue = queue["QueueUrl"].as_str().unwrap().to_owned();
    let (user, key) = ("bob".to_owned(), cloud.user("bob").key.id);
    cloud.call(
        "iam",
        "tag_user",
        json!({ "UserName": "bob", "Tags": [{ "Key": "owner", "Value": "team@example.com" }] }),
    );
    let config = home.path("akia.toml");
    let ran = home.akia(&["audit", "--config", config.to_str().unwrap()]);
    assert!(ran.stderr.contains("kept as audit 1"), "{}", ran.stderr);
    // Moments are kept to the second, and what is as old as the audit is not newer.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    Stage { cloud, home, queue, user, key }
}

impl Stage {
    fn send(&self, body: &Value) {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        self.cloud.call("sqs", "send_message", json!({ "QueueUrl": self.queue, "MessageBody": body }));
    }

    fn left(&self) -> u64 {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let asked = json!({ "QueueUrl": self.queue, "AttributeNames": names });
        let answer = self.cloud.call("sqs", "get_queue_attributes", asked);
        names.iter().map(|name| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }

    fn akia(&self, arguments: &[&str]) -> Ran {
        let config = self.home.path("akia.toml");
        self.home.akia(&[arguments, &["--config", config.to_str().unwrap()]].concat())
    }

    fn watch(&self) -> Ran {
        self.akia(&["events", "watch", "--queue", &self.queue, "--once", "--output", "json"])
    }

    fn listed(&self) -> Vec<Value> {
        self.home.akia(&["events", "list", "--output", "json"]).done().json()["events"].as_array().unwrap().clone()
    }

    fn event(&self, id: &str, name: &str, parameters: &Value) -> Value {
        json!({
            "version": "0", "id": id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
            "account": self.cloud.account, "time": "2026-11-01T00:00:00Z", "region": "us-east-1", "resources": [],
            "detail": {
                "eventSource": "iam.amazonaws.com", "eventName": name, "eventTime": "2026-11-01T00:00:00Z",
                "requestParameters": parameters, "recipientAccountId": self.cloud.account,
            },
        })
    }

    fn exposure(&self, id: &str, code: &str) -> Value {
        let mut event = self.event(id, "", &Value::Null);
        event["source"] = json!("aws.health");
        event["detail-type"] = json!("AWS Health Event");
        event["detail"] = json!({
            "eventArn": format!("arn:aws:health:us-east-1::event/RISK/{code}/EXAMPLE"), "service": "RISK",
            "eventTypeCode": code, "eventTypeCategory": "issue", "statusCode": "open",
            "eventMetadata": { "publicKey": self.key, "userName": self.user },
            "affectedEntities": [{ "entityValue": self.key }],
        });
        event
    }
}

#[test]
fn the_inventory_follows_what_aws_says_and_not_what_an_event_claims() {
    let stage = stage();
    let made = stage.cloud.key("bob").id;
    stage.cloud.call(
        "iam",
        "update_access_key",
        json!({ "UserName": "bob", "AccessKeyId": stage.key, "Status": "Inactive" }),
    );
    // One true event brings the whole user; the second is forged: the key is there.
    stage.send(&stage.event(
        "e-1",
        "UpdateAccessKey",
        &json!({ "userName": "bob", "accessKeyId": stage.key, "status": "Inactive" }),
    ));
    stage.send(&stage.event("e-2", "DeleteAccessKey", &json!({ "userName": "bob", "accessKeyId": made })));
    stage.send(&stage.event(
        "e-1",
        "UpdateAccessKey",
        &json!({ "userName": "bob", "accessKeyId": stage.key, "status": "Inactive" }),
    ));
    let ran = stage.watch().done();
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["id"].as_str().unwrap(), line["is_duplicate"].as_bool().unwrap())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told.iter().filter(|(id, again)| *id == "e-1" && *again).count(), 1, "{told:?}");
    assert_eq!(stage.left(), 0);
    let plan = stage.home.path("plan.json");
    let ran = stage.akia(&["enforce", "plan", "-o", plan.to_str().unwrap()]).done();
    assert!(ran.stderr.contains("since the audit: ") && ran.stderr.contains("AWS asked at"), "{}", ran.stderr);
    let file: Value = serde_json::from_str(&stage.home.read("plan.json")).unwrap();
    let amended = file["amended"].as_array().unwrap();
    let change = |key: &str| amended.iter().find(|one| one["key"] == key).map(|one| one["change"].clone());
    assert_eq!(change(&stage.key), Some(json!("deactivated")), "{file}");
    assert_eq!(change(&made), Some(json!("created")), "the forged deletion has no effect: {file}");
    let history = stage.home.akia(&["audit", "history", "--output", "json"]).done().json();
    assert_eq!(history["audits"][0]["changed_by_events"], 2, "{history}");
}

#[test]
fn an_exposed_key_is_told_of_once_and_becomes_a_finding() {
    let stage = stage();
    stage.send(&stage.exposure("e-1", "AWS_RISK_CREDENTIALS_EXPOSED"));
    // AWS tells of one finding again, with an event of its own.
    stage.send(&stage.exposure("e-2", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    let notices: Vec<Value> =
        stage.home.read("notices.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [notice] = &notices[..] else { panic!("one notice: {notices:?}") };
    assert_eq!((&notice["kind"], &notice["owner"]["name"]), (&json!("exposed"), &json!("team@example.com")));
    assert_eq!(
        (&notice["items"][0]["access_key"], &notice["items"][0]["user_name"]),
        (&json!(stage.key), &json!("bob"))
    );
    let audit = stage.akia(&["audit", "--rule", "key-exposed", "--output", "json"]).json();
    let finding = &audit["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&json!("key-exposed"), &json!("critical")), "{audit}");
    assert!(finding["detail"].as_str().unwrap().contains("AWS_RISK_CREDENTIALS_EXPOSED"), "{finding}");
    assert!(stage.cloud.keys("bob")[0].active, "nothing was done to the key");
    // Once the key is gone the finding is, too.
    stage.cloud.call("iam", "delete_access_key", json!({ "UserName": "bob", "AccessKeyId": stage.key }));
    let audit = stage.akia(&["audit", "--rule", "key-exposed", "--output", "json"]).json();
    assert_eq!(audit["findings"], json!([]), "{audit}");
}

/// The template as moto deploys it: of what is put on the bus, its rules pick what concerns keys.
#[test]
fn the_template_brings_the_events_that_concern_keys_to_the_queue() {
    let stage = stage();
    let template = stage.home.akia(&["events", "template", "cloudformation", "--name", "picked"]).done().stdout;
    stage.cloud.call("cloudformation", "create_stack", json!({ "StackName": "picked", "TemplateBody": template }));
    let put = |event: &Value| {
        let entry = json!({ "Source": event["source"], "DetailType": event["detail-type"], "Detail": event["detail"].to_string() });
        stage.cloud.call("events", "put_events", json!({ "Entries": [entry] }));
    };
    put(&stage.event("", "DeleteUser", &json!({ "userName": "nobody" })));
    put(&stage.event("", "CreateUser", &json!({ "userName": "nobody" })));
    let mut refused = stage.event("", "DeleteUser", &json!({ "userName": "nobody" }));
    refused["detail"]["errorCode"] = json!("AccessDenied");
    put(&refused);
    let mut exposure = stage.exposure("", "AWS_RISK_CREDENTIALS_COMPROMISE_SUSPECTED");
    exposure["detail"]["affectedAccount"] = json!(stage.cloud.account);
    put(&exposure);
    put(&stage.exposure("", "AWS_EC2_MAINTENANCE"));
    let queue = stage.cloud.call("sqs", "get_queue_url", json!({ "QueueName": "picked" }));
    let stage = Stage { queue: queue["QueueUrl"].as_str().unwrap().to_owned(), ..stage };
    let ran = stage.watch().done();
    let mut came: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["what"].clone()).collect();
    came.sort_by_key(ToString::to_string);
    assert_eq!(came, ["key-exposed", "user-deleted"], "{}", ran.stdout);
    let status = stage.home.akia(&["events", "status", "--queue", &stage.queue, "--output", "json"]).done().json();
    assert_eq!(status["has_dead_letters"], true);
}

#[test]
fn the_policy_may_keep_it_quiet() {
    let stage = stage();
    let settings = stage.home.read("akia.toml").replace("[enforce]", "[enforce]\non-exposure = \"record\"");
    std::fs::write(stage.home.path("akia.toml"), settings).unwrap();
    stage.send(&stage.exposure("e-1", "AWS_RISK_CREDENTIALS_EXPOSURE_SUSPECTED"));
    stage.watch().done();
    assert!(!stage.home.path("notices.jsonl").exists());
    assert!(stage.listed()[0]["detail"].as_str().unwrap().contains("on-exposure = \"record\""));
}

#[test]
fn the_policy_may_have_the_user_put_into_quarantine() {
    let stage = stage();
    let change = |from: &str, to: &str| {
        let settings = stage.home.read("akia.toml").replace(from, to);
        std::fs::write(stage.home.path("akia.toml"), settings).unwrap();
    };
    let attached = || stage.cloud.attached("bob").len();
    let detail = |number: usize| stage.listed()[number]["detail"].as_str().unwrap().to_owned();
    change("[enforce]", "[enforce]\non-exposure = \"quarantine\"\nprotected = { users = [\"bob\"] }");
    stage.send(&stage.exposure("e-1", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    assert!(detail(0).contains("bob is protected by the policy") && attached() == 0, "{}", detail(0));

    change("users = [\"bob\"]", "users = [\"nobody\"]");
    stage.home.akia(&["enforce", "stop", "--reason", "drill"]).done();
    stage.send(&stage.exposure("e-2", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    assert_eq!(attached(), 0, "enforcement is off");
    stage.home.akia(&["enforce", "start"]).done();

    stage.send(&stage.exposure("e-3", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    assert_eq!(attached(), 1);
    let said = stage.listed().iter().map(|one| one["detail"].to_string()).collect::<String>();
    assert!(said.contains("bob is in quarantine: akia enforce release") && said.contains("notices:"), "{said}");
    // It comes twice, and is there once.
    stage.send(&stage.exposure("e-4", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    let status = stage.home.akia(&["enforce", "status", "--output", "json"]);
    assert_eq!(status.done().json()["quarantines"].as_array().unwrap().len(), 1);
    assert!(stage.cloud.keys("bob")[0].active, "the key itself is left to people");
    // A person takes it back, and AWS tells of the finding once more.
    let release = ["enforce", "release", &stage.key, "--reason", "a drill", "--yes", "--config", "akia.toml"];
    stage.home.akia(&release).done();
    stage.send(&stage.exposure("e-5", "AWS_RISK_CREDENTIALS_EXPOSED"));
    stage.watch().done();
    assert_eq!(attached(), 0, "what a person has decided stays");
}

#[test]
fn the_policy_may_have_the_key_contained() {
    let stage = stage();
    let change = |from: &str, to: &str| {
        let settings = stage.home.read("akia.toml");
        assert!(settings.contains(from), "{from} in {settings}");
        std::fs::write(stage.home.path("akia.toml"), settings.replace(from, to)).unwrap();
    };
    let mut number = 0;
    // Words about the event, and whether the key is active and sessions are denied afterwards.
    let mut told = |finding: &str| {
        number += 1;
        let id = format!("e-{number}");
        let mut event = stage.exposure(&id, "AWS_RISK_CREDENTIALS_EXPOSED");
        event["detail"]["eventArn"] =
            json!(format!("arn:aws:health:us-east-1::event/RISK/AWS_RISK_CREDENTIALS_EXPOSED/{finding}"));
        stage.send(&event);
        stage.watch().done();
        let listed = stage.listed();
        let detail = listed.iter().find(|one| one["id"] == json!(id)).unwrap()["detail"].as_str().unwrap().to_owned();
        let denies = stage.cloud.inline("bob").contains(&"AkiaDenyEarlierSessions".to_owned());
        (detail, stage.cloud.keys("bob")[0].active, denies)
    };
    let canary = "\n[enforce.canary]\naccounts = [\"999999999999\"]\nwait = \"3d\"\n";
    change("[enforce]", "[enforce]\non-exposure = \"contain\"\nprotected = { users = [\"bob\"] }");
    for (from, to, expected) in [
        ("", "", "bob is protected by the policy"),
        ("\"bob\"", "\"nobody\"", ""),
        ("[notify]", "[enforce.caps]\nkeys-of-account = 0\n[notify]", "(caps.keys-of-account)"),
        ("keys-of-account = 0", &format!("keys-of-account = 5\n{canary}"), "applied to no key of the canary yet"),
    ] {
        change(from, to);
        if expected.is_empty() {
            stage.home.akia(&["enforce", "stop", "--reason", "drill"]).done();
        }
        let (detail, active, denies) = told(expected);
        let expected = if expected.is_empty() { "enforcement is off (drill)" } else { expected };
        assert!(detail.contains("is not contained") && detail.contains(expected), "{expected}: {detail}");
        assert_eq!((active, denies), (true, false), "{expected}");
        if stage.home.akia(&["enforce", "status"]).stderr.contains("drill") {
            stage.home.akia(&["enforce", "start"]).done();
        }
    }
    change(canary, "");
    let before = stage.home.read("notices.jsonl").lines().count();
    let (detail, active, denies) = told("real");
    assert!(detail.contains("is contained (deactivate): akia undo k-"), "{detail}");
    assert_eq!((active, denies), (false, true), "{detail}");
    let notices = stage.home.read("notices.jsonl");
    let notice: Value = serde_json::from_str(notices.lines().nth(before).unwrap()).unwrap();
    assert_eq!(notice["items"][0]["status"], "Inactive", "the notice tells how it is now: {notice}");
    let id = detail.split("akia undo ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    // AWS tells of it again, with the same finding and another.
    for finding in ["real", "another"] {
        let (detail, active, _) = told(finding);
        assert!(detail.contains(&format!("in the hands of containment {id} already")) && !active, "{detail}");
    }
    // It is the containment that a person would have begun, and who takes it back has the last word.
    let planned = stage.home.akia(&["contain", &stage.key, "--dry-run"]).done();
    assert!(planned.stderr.contains(&format!("by containment {id}: nothing to do")), "{}", planned.stderr);
    stage.home.akia(&["undo", &id, "--yes"]).done();
    assert!(stage.cloud.keys("bob")[0].active);
    let (detail, active, denies) = told("real");
    assert!(detail.contains(&format!("a person has taken containment {id} back")), "{detail}");
    assert_eq!((active, denies), (true, false), "what a person has decided stays");

    // A new finding is a new case; here the user is only tied.
    change("on-exposure = \"contain\"", "on-exposure = \"contain\"\nexposure-strategy = \"quarantine\"");
    let (detail, active, denies) = told("new");
    assert!(detail.contains("is contained (quarantine)"), "{detail}");
    assert_eq!((active, denies), (true, true), "{detail}");
}

/// Begun and not whole, it is an event that is not settled, and the next message about the key goes on with it.
#[test]
fn a_containment_that_is_not_whole_leaves_the_message_on_the_queue_and_is_gone_on_with() {
    let stage = stage();
    let settings = stage.home.read("akia.toml").replace("[enforce]", "[enforce]\non-exposure = \"contain\"");
    // moto lets anybody assume a role that is not there, and fails at what is done with that.
    let broken = settings.replace("[notify]", "[enforce.roles]\nquarantiner = \"NoSuchRole\"\n[notify]");
    std::fs::write(stage.home.path("akia.toml"), broken).unwrap();
    stage.send(&stage.exposure("e-1", "AWS_RISK_CREDENTIALS_EXPOSED"));
    let ran = stage.watch().exited(3);
    assert!(
        ran.stderr.contains("left on the queue") && ran.stderr.contains("is not whole: deny-sessions"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.left(), 1);
    assert!(!stage.cloud.keys("bob")[0].active, "what could be done is done");

    std::fs::write(stage.home.path("akia.toml"), settings).unwrap();
    stage.send(&stage.exposure("e-2", "AWS_RISK_CREDENTIALS_EXPOSED"));
    let ran = stage.watch().done();
    assert!(ran.stdout.contains("is contained (deactivate)"), "{}", ran.stdout);
    assert!(stage.cloud.inline("bob").contains(&"AkiaDenyEarlierSessions".to_owned()));
}

#[test]
fn what_cannot_be_read_is_kept_and_told_and_what_concerns_no_key_is_passed_over() {
    let stage = stage();
    stage.send(&json!("not an event"));
    stage.send(&stage.event("e-1", "CreateUser", &json!({ "userName": "carol" })));
    stage.send(&stage.event("e-2", "UpdateAccessKey", &json!({ "userName": "bob" })));
    stage.watch().done();
    assert_eq!(stage.left(), 0, "nothing comes again and again");
    let status = stage.home.akia(&["events", "status", "--queue", &stage.queue, "--output", "json"]).done();
    let states = status.json()["states"].as_array().unwrap().clone();
    let count = |state: &str| states.iter().find(|one| one["state"] == state).unwrap()["events"].as_u64().unwrap();
    assert_eq!((count("unreadable"), count("ignored"), count("applied")), (2, 1, 0));
    assert_eq!((&status.json()["waiting"], &status.json()["has_dead_letters"]), (&json!(0), &json!(false)));
    assert!(status.stderr.contains("no dead-letter queue"), "{}", status.stderr);
}

#[test]
fn an_account_that_no_audit_has_read_is_not_entered_for_an_event() {
    let stage = stage();
    let mut foreign = stage.event("e-1", "DeleteUser", &json!({ "userName": "bob" }));
    foreign["account"] = json!("999999999999");
    stage.send(&foreign);
    let ran = stage.watch().exited(3);
    let line: Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&line["state"], stage.left()), (&json!("unconfirmed"), 0));
    assert!(line["detail"].as_str().unwrap().contains("no kept audit has read this account"), "{line}");
    let plan = stage.akia(&["enforce", "plan", "--output", "json"]).done().json();
    assert_eq!(plan.get("amended"), None, "{plan}");
}

/// IAM cannot be reached: the event is kept as a hint, the message stays, and the next run makes good for both.
#[test]
fn what_could_not_be_asked_about_is_asked_about_again() {
    let stage = stage();
    stage.cloud.call(
        "sqs",
        "set_queue_attributes",
        json!({ "QueueUrl": stage.queue, "Attributes": { "VisibilityTimeout": "3" } }),
    );
    stage.cloud.call("iam", "delete_access_key", json!({ "UserName": "bob", "AccessKeyId": stage.key }));
    stage.send(&stage.event("e-1", "DeleteAccessKey", &json!({ "userName": "bob", "accessKeyId": stage.key })));
    let stage = Stage { home: stage.home.with("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:9"), ..stage };
    let ran = stage.watch().exited(3);
    assert!(ran.stderr.contains("left on the queue") && ran.stderr.contains("not reachable"), "{}", ran.stderr);
    assert_eq!((stage.left(), stage.listed()[0]["state"].clone()), (1, json!("unconfirmed")));
    let stage = Stage { home: stage.home.without("AWS_ENDPOINT_URL_IAM"), ..stage };
    std::thread::sleep(std::time::Duration::from_secs(4));
    let ran = stage.watch().done();
    assert!(ran.stderr.contains("1 message taken off"), "{}", ran.stderr);
    assert_eq!((stage.left(), stage.listed()[0]["state"].clone()), (0, json!("applied")));
}

#[test]
fn a_queue_that_is_not_there_and_a_second_watch_are_told() {
    let stage = stage();
    let nowhere = stage.queue.replace("akia-events", "no-such-queue");
    let ran = stage.akia(&["events", "watch", "--queue", &nowhere, "--once"]).exited(1);
    assert!(
        ran.stderr.contains("the queue cannot be read") && ran.stderr.contains("nothing was changed"),
        "{}",
        ran.stderr
    );
    let ran = stage.akia(&["events", "watch", "--queue", "akia-events"]).exited(2);
    assert!(ran.stderr.contains("it is not the URL of a queue"), "{}", ran.stderr);
}

/// Until Ctrl-C: what comes while it waits is taken at once, and the end is a good one.
#[test]
fn a_watch_takes_what_comes_and_ends_on_ctrl_c() {
    let stage = stage();
    let config = stage.home.path("akia.toml");
    let arguments = ["events", "watch", "--queue", &stage.queue, "--config", config.to_str().unwrap()];
    let mut child = stage.home.command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut words = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    words.read_line(&mut first).unwrap();
    assert!(first.contains("waiting for events on"), "{first}");
    let second = stage.akia(&["events", "watch", "--queue", &stage.queue, "--once"]).exited(1);
    assert!(second.stderr.contains("another akia watches events"), "{}", second.stderr);
    stage.send(&stage.event("e-1", "DeleteUser", &json!({ "userName": "nobody" })));
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("user-deleted") && line.contains("there is no user nobody"), "{line}");
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    words.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("1 message taken off the queue"), "{rest}");
    assert_eq!(stage.left(), 0);
}

/// Killed while the owner is being told: the finding is kept, the message comes again, and nobody is told twice by it.
#[test]
fn a_kill_between_the_finding_and_the_end_of_its_message_loses_neither() {
    let stage = stage();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings =
        "[notify]\ndefault = [\"hook\"]\n[notify.channels.hook]\nkind = \"webhook\"\nurl = { env = \"HOOK\" }\n";
    let home = stage
        .home
        .file("akia.toml", format!("{settings}secret = {{ env = \"KEY\" }}\n"))
        .with("HOOK", &format!("http://{}/x", listener.local_addr().unwrap()))
        .with("KEY", "canary-4711-canary-4711-canary");
    let stage = Stage { home, ..stage };
    // What was taken and not taken off comes again at once.
    let visible = json!({ "QueueUrl": stage.queue, "Attributes": { "VisibilityTimeout": "1" } });
    stage.cloud.call("sqs", "set_queue_attributes", visible);
    stage.send(&stage.exposure("e-1", "AWS_RISK_CREDENTIALS_EXPOSED"));
    let config = stage.home.path("akia.toml");
    let arguments = ["events", "watch", "--queue", &stage.queue, "--once", "--config", config.to_str().unwrap()];
    let mut child = stage.home.command(&arguments).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut first = [0; 4];
    stream.read_exact(&mut first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.listed()[0]["exposures"][0]["key"], json!(stage.key), "the finding was kept before");
    assert_eq!(stage.left(), 1, "the message was not taken off");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let ran = stage.watch().done();
    let line: Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&line["id"], &line["is_duplicate"]), (&json!("e-1"), &json!(true)));
    assert_eq!(stage.left(), 0);
    let outbox = stage.home.akia(&["notify", "outbox", "--output", "json"]).done().json();
    let messages = outbox["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["state"]), (1, &json!("sending")), "{outbox}");
}
