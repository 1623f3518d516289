//! `akia enforce`: from a finding to a retired key, on the sandbox and on moto; and what stops it.

use std::fs;
use std::time::Duration;

use akia_sandbox::{LastUsed, RoleSpec, Sandbox};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Cloud, Home, Key};

/// Stages of a second or two, so that a test lives through all of them.
const QUICK: &str = r#"
[audit]
unused = "1s"
[enforce]
rules = ["key-never-used"]
remind-after = "1s"
deactivate-after = "2s"
delete-after = "2s"
[enforce.protected]
users = ["lab-*", "break-glass"]
[enforce.caps]
percent = 100
[notify]
default = ["log"]
[notify.channels.log]
kind = "file"
path = "notices.jsonl"
"#;

fn ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(days * 24)
}

/// A home with settings. The file of notices lies in it.
fn home(cloud: &Cloud, settings: &str) -> Home {
    let home = Home::new(cloud).profile("default", &cloud.admin);
    let log = home.path("notices.jsonl");
    let settings = settings.replace("notices.jsonl", log.to_str().unwrap());
    home.file("akia.toml", settings)
}

fn plan(home: &Home) -> Value {
    home.akia(&["audit", "--config", "akia.toml"]);
    plan_again(home)
}

/// From the audit that is there already.
fn plan_again(home: &Home) -> Value {
    home.akia(&["enforce", "plan", "--config", "akia.toml", "-o", "plan.json"]).exited(0);
    serde_json::from_str(&home.read("plan.json")).unwrap()
}

fn steps(plan: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = plan["plan"]["steps"].as_array().unwrap().iter();
    steps.map(|step| (text(&step["kind"]), text(&step["subject"]["key"]))).collect()
}

const APPLY: [&str; 7] = ["enforce", "apply", "plan.json", "--config", "akia.toml", "--output", "json"];

fn apply(home: &Home, more: &[&str], code: i64) -> Value {
    home.akia(&[&APPLY[..], &["--yes"], more].concat()).exited(code).json()
}

/// Plans and applies until the case of a key is in this stage. The deadlines are real, and pass while a run runs.
fn until(home: &Home, key: &str, stage: &str) {
    for _ in 0..60 {
        if self::stage(home, key).as_deref() == Some(stage) {
            return;
        }
        if steps(&plan_again(home)).is_empty() {
            // A deadline of the policy, or the second look before a deletion: time has to pass.
            std::thread::sleep(Duration::from_millis(500));
            continue;
        }
        home.akia(&[&APPLY[..], &["--yes"]].concat());
    }
    panic!("{key} never came to {stage}: {:?}", self::stage(home, key));
}

fn stage(home: &Home, key: &str) -> Option<String> {
    let status = home.akia(&["enforce", "status", "--all", "--output", "json"]).exited(0).json();
    let case = status["cases"].as_array().unwrap().iter().find(|case| case["key"] == key)?.clone();
    case["stage"].as_str().map(str::to_owned)
}

fn is_active(cloud: &Cloud, user: &str, key: &Key) -> Option<bool> {
    cloud.keys(user).into_iter().find(|listed| listed.id == key.id).map(|listed| listed.active)
}

fn notices(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path("notices.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn a_key_goes_through_every_stage_and_its_owner_is_told_of_each(cloud: &Cloud) {
    a_key_goes_through_every_stage(cloud, |home| home);
}

/// The same with a home that was prepared otherwise.
pub(crate) fn a_key_goes_through_every_stage(cloud: &Cloud, prepared: impl FnOnce(Home) -> Home) {
    cloud.user_without_rights("ann", "/");
    cloud.user_without_rights("break-glass", "/");
    let (key, spared) = (cloud.key("ann"), cloud.key("break-glass"));
    let home = prepared(home(cloud, QUICK));
    // A key of this second is no older than the second that the rule allows.
    std::thread::sleep(Duration::from_millis(2_100));
    let first = plan(&home);
    assert_eq!(steps(&first), [("announce".to_owned(), key.id.clone())], "{first}");
    let held = &first["plan"]["held"].as_array().unwrap().iter().find(|held| held["key"] == spared.id).unwrap();
    assert_eq!(held["why"], "the user is protected");
    let foreseen = first["notices"][0]["text"].as_str().unwrap();
    assert!(foreseen.contains(&key.id) && first["notices"][0]["to"][0]["channel"] == "log", "{foreseen}");

    // A dry run shows the plan and does nothing; without --yes and a terminal nothing is done, either.
    home.akia(&[&APPLY[..], &["--dry-run"]].concat()).exited(0);
    home.akia(&APPLY).exited(6);
    assert_eq!(stage(&home, &key.id), None);
    let ended = apply(&home, &[], 0);
    assert_eq!((&ended["steps"][0]["done"], &ended["steps"][0]["stage"]), (&json!(["announced"]), &json!("notified")));
    // The same plan again does nothing twice.
    let again = apply(&home, &[], 3);
    assert_eq!(again["steps"][0]["done"], json!([]), "{again}");
    assert_eq!(notices(&home).len(), 1);

    until(&home, &key.id, "deactivated");
    assert_eq!(is_active(cloud, "ann", &key), Some(false));
    assert_eq!(is_active(cloud, "break-glass", &spared), Some(true));
    let kinds: Vec<String> = notices(&home).iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["announced", "reminded", "deactivated"]);
    until(&home, &key.id, "deleted");
    assert_eq!(is_active(cloud, "ann", &key), None);

    let history = home.akia(&["enforce", "history", &key.id, "--output", "json"]).exited(0).json();
    let records: Vec<&Value> = history["records"].as_array().unwrap().iter().collect();
    let events: Vec<&str> = records.iter().map(|one| one["event"].as_str().unwrap()).collect();
    let place = |name: &str| events.iter().position(|event| *event == name).unwrap();
    assert!(place("notice-delivered") < place("key-deactivated") && place("key-deactivated") < place("key-deleted"));
    let at = |index: usize| records[index]["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let told = records[place("notice-delivered")]["record"]["deadline"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(at(place("key-deactivated")) >= told - SignedDuration::from_secs(1), "not before what was promised");
    assert!(records[place("notice-delivered")]["record"]["proofs"][0]["receipt"].as_str().is_some());
    let first_look_after = records.iter().rposition(|one| one["event"] == "looked").unwrap();
    assert_eq!(events[first_look_after + 1], "intended", "{events:?}");
    home.akia(&["history", "verify"]).exited(0);
    // What rotations know is not disturbed by cases.
    home.akia(&["history"]).exited(0);
}

fn a_deactivated_key_is_taken_back_with_the_reason_noted(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(cloud, &QUICK.replace("delete-after = \"2s\"", "delete-after = \"never\""));
    std::thread::sleep(Duration::from_millis(2_100));
    plan(&home);
    until(&home, &key.id, "deactivated");
    let reactivate = ["enforce", "reactivate", &key.id, "--config", "akia.toml", "--reason", "billing needs it"];
    assert!(home.akia(&reactivate).exited(6).stderr.contains("--yes"));
    assert_eq!(is_active(cloud, "ann", &key), Some(false));
    home.akia(&[&reactivate[..], &["--yes"]].concat()).exited(0);
    assert_eq!(is_active(cloud, "ann", &key), Some(true));
    assert_eq!(stage(&home, &key.id).as_deref(), Some("reactivated"));
    let history = home.akia(&["enforce", "history", &key.id]).exited(0).stdout;
    assert!(history.contains("billing needs it"), "{history}");
    let again = home.akia(&[&reactivate[..], &["--yes"]].concat()).exited(1);
    assert!(again.stderr.contains("is over since") && again.stderr.contains("akia key activate"), "{}", again.stderr);
}

// MiniStack has no credential report, and so nothing that a plan could stand on.
on_every_backend!(@one sandbox Sandbox
    a_key_goes_through_every_stage_and_its_owner_is_told_of_each
    a_deactivated_key_is_taken_back_with_the_reason_noted
);
on_every_backend!(@one moto Moto
    a_key_goes_through_every_stage_and_its_owner_is_told_of_each
    a_deactivated_key_is_taken_back_with_the_reason_noted
);

/// A sandbox with one key that nobody has used for 200 days.
fn idle(name: &str) -> (Cloud, String) {
    let sandbox = Sandbox::builder().seed(11).build();
    let key = sandbox.add_user(name, "/").unwrap().add_access_key(ago(300)).unwrap().id;
    use_it(&sandbox, &key, 200 * 24);
    (Cloud::of(sandbox), key)
}

fn use_it(sandbox: &Sandbox, key: &str, hours: i64) {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    let last = LastUsed { at, service: "s3".to_owned(), region: "eu-west-1".to_owned() };
    sandbox.set_last_used(key, Some(last)).unwrap();
}

fn unused() -> String {
    QUICK.replace("unused = \"1s\"", "unused = \"30d\"").replace("key-never-used", "key-unused")
}

#[test]
fn a_key_that_was_used_after_the_plan_stays_and_its_case_ends() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused());
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(steps(&plan_again(&home)), [("deactivate".to_owned(), key.clone())]);
    use_it(cloud.sandbox(), &key, 0);
    let ended = apply(&home, &[], 0);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("resolved"), &json!([])), "{ended}");
    assert!(cloud.sandbox().keys().iter().any(|one| one.id == key && one.active));
}

#[test]
fn a_key_in_use_is_told_of_and_not_deactivated() {
    let (cloud, key) = idle("ann");
    use_it(cloud.sandbox(), &key, 5);
    let home = home(&cloud, &QUICK.replace("key-never-used", "key-age"));
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    let held = plan_again(&home);
    assert_eq!(steps(&held), []);
    assert!(held["plan"]["held"].to_string().contains("the key is in use"), "{held}");
    // Somebody who knows what it means says so.
    let settings = home.read("akia.toml").replace("[enforce]\n", "[enforce]\nin-use = \"deactivate\"\n");
    let home = home.file("akia.toml", settings);
    until(&home, &key, "deactivated");
}

/// AWS's last use is long ago, and a log tells of one of yesterday.
#[cfg(feature = "usage")]
#[test]
fn a_key_that_loaded_logs_show_in_use_is_not_deactivated() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &QUICK.replace("key-never-used", "key-age"));
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(steps(&plan_again(&home)), [("deactivate".to_owned(), key.clone())]);
    let event = json!({
        "eventTime": format!("{:.0}", Timestamp::now() - SignedDuration::from_hours(20)), "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject", "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7", "userAgent": "batch-job/1.4",
        "userIdentity": { "type": "IAMUser", "arn": cloud.user_arn("ann"), "accountId": cloud.account, "accessKeyId": key },
    });
    let log = home.path("events.json");
    std::fs::write(&log, json!({ "Records": [event] }).to_string()).unwrap();
    home.akia(&["usage", "load", log.to_str().unwrap()]).done();
    // A plan of before is looked at anew right before the act.
    let ended = apply(&home, &[], 3);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("reminded"), &json!([])), "{ended}");
    let day = (Timestamp::now() - SignedDuration::from_hours(20)).strftime("%Y-%m-%d").to_string();
    let stopped = ended["steps"][0]["stopped"].as_str().unwrap();
    assert!(stopped.contains(&format!("the key is in use: s3 in eu-west-1 at {day}")), "{stopped}");
    assert!(cloud.sandbox().keys().iter().any(|one| one.id == key && one.active));
    let held = plan_again(&home);
    assert_eq!(steps(&held), []);
    let why = held["plan"]["held"].to_string();
    assert!(why.contains("the key is in use") && why.contains("from 203.0.113.7, with batch-job/1.4, for s3"), "{why}");
    // Without the facts AWS's word is what there is.
    std::fs::remove_dir_all(home.path("state/usage")).unwrap();
    until(&home, &key, "deactivated");
}

#[test]
fn what_somebody_else_does_ends_the_case() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused().replace("delete-after = \"2s\"", "delete-after = \"1h\""));
    plan(&home);
    until(&home, &key, "deactivated");
    cloud.call("iam", "update_access_key", json!({ "UserName": "ann", "AccessKeyId": key, "Status": "Active" }));
    // The audit that is there says nothing of it: the watch does, and not within a minute of our own change, since IAM lags.
    let status = home.akia(&["enforce", "status", "--output", "json"]).exited(0).json();
    assert_eq!(status["cases"][0]["stage"], "deactivated");

    let (cloud, key) = idle("ben");
    let home = self::home(&cloud, &unused());
    plan(&home);
    until(&home, &key, "notified");
    plan_again(&home);
    let user = cloud.sandbox().account().user("ben").unwrap();
    user.delete_access_key(&key).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    plan_again(&home);
    let ended = apply(&home, &[], 0);
    assert_eq!(ended["steps"][0]["stage"], "gone", "{ended}");
}

#[test]
fn an_exemption_that_comes_after_the_plan_holds_and_one_that_has_ended_does_not() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused());
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(steps(&plan_again(&home)), [("deactivate".to_owned(), key.clone())]);
    let before = home.read("akia.toml");
    let exemption = |granted: &str, expires: &str| {
        format!(
            "{before}\n[[enforce.exemption]]\naccount = \"{}\"\nuser = \"ann\"\nowner = \"a\"\nreason = \"r\"\n\
             ticket = \"T-1\"\napprover = \"b\"\ngranted = {granted}\nexpires = {expires}\n",
            cloud.account
        )
    };
    let date = |days: i64| ago(-days).strftime("%Y-%m-%d").to_string();
    let home = home.file("akia.toml", exemption(&date(-30), &date(-1)));
    assert!(home.akia(&["enforce", "lint", "--config", "akia.toml"]).exited(0).stdout.contains("has ended"));
    let home = home.file("akia.toml", exemption(&date(-1), &date(30)));
    let ended = apply(&home, &[], 0);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("exempt"), &json!([])), "{ended}");
}

/// `akia serve` keeps the file in line with what admins grant on its pages.
#[test]
fn an_exemption_granted_on_a_page_holds_and_one_that_cannot_be_read_keeps_every_key_as_it_is() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused());
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(steps(&plan_again(&home)), [("deactivate".to_owned(), key.clone())]);
    let home = home.file("state/enforce.exemptions", "[{");
    for command in [
        &["enforce", "plan", "--config", "akia.toml"][..],
        &["enforce", "apply", "plan.json", "--yes", "--config", "akia.toml"],
    ] {
        let refused = home.akia(command).exited(1);
        assert!(
            refused.stderr.contains("enforce.exemptions cannot be read, and says which keys are exempted"),
            "{refused:?}"
        );
    }
    let granted = json!([{
        "account": cloud.account, "user": null, "key": key, "owner": "a", "reason": "r", "ticket": "T-1", "approver": "b",
        "granted": ago(1), "expires": ago(-30),
    }]);
    let home = home.file("state/enforce.exemptions", granted.to_string());
    let ended = apply(&home, &[], 0);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("exempt"), &json!([])), "{ended}");
}

#[test]
fn a_notice_that_is_not_delivered_moves_nothing() {
    let (cloud, key) = idle("ann");
    let nowhere = "kind = \"webhook\"\nurl = { env = \"HOOK\" }\nsecret = { env = \"HOOK_SECRET\" }";
    let log = "kind = \"file\"\npath = \"notices.jsonl\"";
    let settings = unused().replace(log, nowhere);
    let home =
        home(&cloud, &settings).with("HOOK", "http://127.0.0.1:9/hook").with("HOOK_SECRET", "example-secret-0001");
    plan(&home);
    let ended = apply(&home, &[], 3);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("seen"), &json!([])), "{ended}");
    assert!(ended["steps"][0]["stopped"].as_str().unwrap().contains("not delivered"), "{ended}");
    assert!(!ended.to_string().contains("example-secret"));
    // Nor where there is no channel at all; `lint` says so beforehand.
    let without = unused().split("[notify]").next().unwrap().to_owned();
    let home = home.file("akia.toml", without);
    assert!(
        home.akia(&["enforce", "lint", "--config", "akia.toml"])
            .exited(0)
            .stdout
            .contains("no key is ever deactivated")
    );
    plan_again(&home);
    assert_eq!(apply(&home, &[], 3)["steps"][0]["stage"], "seen");
    assert_eq!(stage(&home, &key).as_deref(), Some("seen"));
}

#[test]
fn a_change_is_made_by_the_role_for_it_which_can_touch_one_user_only() {
    let (cloud, key) = idle("ann");
    let role = |name: &str, action: &str| {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{}:root"}},"Action":"sts:AssumeRole"}}]}}"#,
            cloud.account
        );
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
        );
        let hour = Duration::from_secs(3600);
        let role = RoleSpec { name, path: "/", trust_policy: &trust, policy: Some(&policy), max_session: hour };
        cloud.sandbox().account().add_role(role).unwrap();
    };
    role("AkiaDeactivator", "iam:UpdateAccessKey");
    role("AkiaDeleter", "iam:DeleteAccessKey");
    let roles = "[enforce.roles]\ndeactivator = \"AkiaDeactivator\"\ndeleter = \"AkiaDeleter\"\n[enforce.caps]";
    let home = home(&cloud, &unused().replace("[enforce.caps]", roles));
    plan(&home);
    cloud.sandbox().clear_log();
    until(&home, &key, "deleted");
    let log = cloud.sandbox().log();
    let by = |action: &str| {
        log.iter()
            .filter(|call| call.action == action)
            .map(|call| call.principal_arn.clone().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let is_role = |callers: &[String], role: &str| {
        callers.len() == 1 && callers[0].contains(&format!("assumed-role/{role}/akia-enforce-"))
    };
    assert!(is_role(&by("UpdateAccessKey"), "AkiaDeactivator"), "{:?}", by("UpdateAccessKey"));
    assert!(is_role(&by("DeleteAccessKey"), "AkiaDeleter"), "{:?}", by("DeleteAccessKey"));
}

#[test]
fn the_switch_stops_what_is_planned_already() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused());
    plan(&home);
    home.akia(&["enforce", "stop", "--reason", "incident 42"]).exited(0);
    let refused = home.akia(&[&APPLY[..], &["--yes"]].concat()).exited(6);
    assert!(
        refused.stderr.contains("incident 42") && refused.stderr.contains("akia enforce start"),
        "{}",
        refused.stderr
    );
    assert_eq!(stage(&home, &key), None);
    assert!(home.akia(&["enforce", "plan", "--config", "akia.toml"]).exited(0).stderr.contains("incident 42"));
    home.akia(&["enforce", "start"]).exited(0);
    apply(&home, &[], 0);
    let off = home.read("akia.toml").replace("[enforce]\n", "[enforce]\nenabled = false\n");
    let home = home.file("akia.toml", off);
    let refused = home.akia(&[&APPLY[..], &["--yes"]].concat());
    assert!(
        refused.stderr.contains("enabled is false") || refused.stderr.contains("policy is another"),
        "{}",
        refused.stderr
    );
}

#[test]
fn changes_wait_for_approval_by_name_where_the_policy_wants_it() {
    let (cloud, key) = idle("ann");
    let home = home(&cloud, &unused().replace("[enforce]\n", "[enforce]\napproval = \"required\"\n"));
    plan(&home);
    until(&home, &key, "reminded");
    std::thread::sleep(Duration::from_secs(1));
    plan_again(&home);
    let ended = apply(&home, &[], 3);
    assert_eq!(ended["steps"][0]["stopped"], "it was not approved");
    home.akia(&[&APPLY[..], &["--yes", "--approve", "AKIAIOSFODNN7EXAMPLE"]].concat()).exited(2);
    let ended = apply(&home, &["--approve", &key], 0);
    assert_eq!(ended["steps"][0]["stage"], "deactivated", "{ended}");
}

#[test]
fn a_plan_that_holds_no_more_is_refused_with_what_to_do() {
    let (cloud, _) = idle("ann");
    let home = home(&cloud, &unused());
    let refused = home.akia(&["enforce", "plan", "--config", "akia.toml"]).exited(1);
    assert!(
        refused.stderr.contains("no audit was kept") && refused.stderr.contains("akia audit"),
        "{}",
        refused.stderr
    );
    let refused = home.akia(&["enforce", "plan", "--config", "/dev/null"]).exited(2);
    assert!(refused.stderr.contains("there is no policy to enforce"), "{}", refused.stderr);
    plan(&home);
    let good = home.read("plan.json");
    let refuse = |change: &dyn Fn(&mut Value), words: &str| {
        let mut plan: Value = serde_json::from_str(&good).unwrap();
        change(&mut plan);
        fs::write(home.path("plan.json"), plan.to_string()).unwrap();
        let refused = home.akia(&[&APPLY[..], &["--yes"]].concat()).exited(1);
        assert!(refused.stderr.contains(words) && refused.stderr.contains("next: "), "{}", refused.stderr);
    };
    refuse(&|plan| plan["plan"]["expires_at"] = json!("2026-01-01T00:00:00Z"), "holds no more");
    refuse(&|plan| plan["plan"]["expires_at"] = json!("2099-01-01T00:00:00Z"), "longer than plan-age");
    refuse(&|plan| plan["plan"]["made_at"] = json!("2099-01-01T00:00:00Z"), "has not come yet");
    refuse(&|plan| plan["plan"]["policy"] = json!("0000000000000000"), "the policy is another one");
    refuse(&|plan| plan["schema"] = json!("akia.audit/1"), "its schema is");
    refuse(&|plan| plan["plan"]["steps"] = json!(3), "cannot be read");
    // A step that was written in by hand is only a leave: the key is looked at, and is none of the user's.
    let mut plan: Value = serde_json::from_str(&good).unwrap();
    plan["plan"]["steps"][0]["subject"]["key"] = json!(cloud.admin.id);
    plan["plan"]["steps"][0]["kind"] = json!("delete");
    fs::write(home.path("plan.json"), plan.to_string()).unwrap();
    let ended = apply(&home, &[], 0);
    assert_eq!((&ended["steps"][0]["stage"], &ended["steps"][0]["done"]), (&json!("gone"), &json!([])), "{ended}");
    assert!(cloud.sandbox().keys().iter().any(|one| one.id == cloud.admin.id && one.active));
}
