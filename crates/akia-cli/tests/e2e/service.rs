//! `akia service`: users for machines are made whole or not at all, listed, checked, and shown the way off their keys.

use std::time::Duration;

use akia_sandbox::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::support::{Backend, Cloud, Home, Key, Ran};

const USER: &str = "service-nightly";

fn home(cloud: &Cloud) -> Home {
    Home::new(cloud).profile("admin", &cloud.admin)
}

fn create(home: &Home, more: &[&str]) -> Ran {
    let base = ["service", "create", "nightly", "--owner", "team-a", "--profile", "admin", "--output", "json"];
    let consent: &[&str] = if more.contains(&"--dry-run") { &[] } else { &["--yes"] };
    home.akia(&[&base[..], consent, more].concat())
}

/// With a policy on a bucket, and the key into the profile of that name.
const TO_PROFILE: [&str; 4] = ["--template", "s3-read-write=my-backups/db", "--deliver-to", "profile:nightly"];

fn made(ran: &Ran) -> Value {
    ran.json()["services"][0].clone()
}

/// The error code of an IAM call of the AWS CLI; none where it succeeds.
fn refusal(cloud: &Cloud, arguments: &[&str]) -> Option<String> {
    let ran = cloud.aws(&[&["iam"], arguments].concat());
    (ran.code != 0).then(|| ran.refusal().to_owned())
}

/// Nothing that `service create` makes is there.
#[track_caller]
fn assert_nothing(cloud: &Cloud, home: &Home, before: &str, what: &str) {
    let gone = Some("NoSuchEntity".to_owned());
    assert_eq!(refusal(cloud, &["get-user", "--user-name", USER]), gone, "{what}");
    assert_eq!(refusal(cloud, &["get-group", "--group-name", USER]), gone, "{what}");
    assert_eq!(home.read(".aws/credentials"), before, "{what}");
}

fn key_of(home: &Home, profile: &str) -> Key {
    let text = home.read(".aws/credentials");
    let section = text.split('[').find(|section| section.starts_with(&format!("{profile}]"))).unwrap();
    let value = |name: &str| {
        let line = section.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    Key { id: value("aws_access_key_id"), secret: value("aws_secret_access_key"), token: None }
}

fn a_service_user_is_made_whole_and_found_again(cloud: &Cloud) {
    let home = home(cloud);
    let before = home.read(".aws/credentials");
    let ran = create(&home, &[&TO_PROFILE[..], &["--dry-run"]].concat()).done();
    assert_eq!(made(&ran)["state"], "would be made");
    assert_nothing(cloud, &home, &before, "a dry run");

    // Without a blank, in which moto finds the signature wrong.
    let ran = create(&home, &[&TO_PROFILE[..], &["--purpose", "nightly-backups"]].concat()).done();
    let told = made(&ran);
    let key = key_of(&home, "nightly");
    assert_eq!(told["access_key"], key.id, "{told}");
    assert!(!ran.stdout.contains(&key.secret) && !ran.stderr.contains(&key.secret), "a secret is shown to nobody");
    // Read with the real AWS CLI.
    let user = cloud.aws(&["iam", "get-user", "--user-name", USER]).done().json()["User"].clone();
    assert_eq!(user["Path"], "/service/");
    let mut tags: Vec<String> =
        user["Tags"].as_array().unwrap().iter().map(|tag| format!("{}={}", tag["Key"], tag["Value"])).collect();
    tags.sort();
    let by = format!("\"created-by\"=\"{}\"", cloud.user_arn("lab-admin"));
    let admin = cloud.caller(&cloud.admin).unwrap();
    assert!(tags[0] == by || tags[0].contains(&admin), "{tags:?}");
    assert_eq!(tags[1..], ["\"owner\"=\"team-a\"", "\"purpose\"=\"nightly-backups\"", "\"service\"=\"nightly\""]);
    let group = cloud.aws(&["iam", "get-group", "--group-name", USER]).done().json();
    assert_eq!((&group["Group"]["Path"], &group["Users"][0]["UserName"]), (&json!("/service/"), &json!(USER)));
    let policy = cloud.aws(&["iam", "get-group-policy", "--group-name", USER, "--policy-name", "service-policy"]);
    assert_eq!(policy.done().json()["PolicyDocument"], told["policy"]);
    assert_eq!(refusal(cloud, &["get-login-profile", "--user-name", USER]).as_deref(), Some("NoSuchEntity"));
    assert!(cloud.caller(&key).unwrap().ends_with(":user/service/service-nightly"));

    // A second run finds everything.
    let before = home.read(".aws/credentials");
    let again = create(&home, &TO_PROFILE).done();
    assert_eq!(
        (&made(&again)["state"], &made(&again)["changes"]),
        (&json!("as asked for"), &json!([])),
        "{}",
        again.stderr
    );
    assert_eq!((home.read(".aws/credentials"), cloud.keys(USER).len()), (before, 1));

    // A second place gets the same key, and no second one is made.
    let more = create(&home, &[&TO_PROFILE[..], &["--deliver-to", "profile:two"]].concat()).done();
    assert_eq!(made(&more)["access_key"], key.id);
    assert_eq!((key_of(&home, "two").secret, cloud.keys(USER).len()), (key.secret, 1));
}

#[test]
fn a_service_user_is_made_whole_and_found_again_on_the_sandbox() {
    a_service_user_is_made_whole_and_found_again(&Backend::Sandbox.open());
}

#[test]
fn a_service_user_is_made_whole_and_found_again_on_moto() {
    a_service_user_is_made_whole_and_found_again(&Backend::Moto.open());
}

fn what_differs_is_shown_and_kept_until_somebody_says_so(cloud: &Cloud) {
    let home = home(cloud);
    create(&home, &TO_PROFILE).done();
    let other = ["--template", "s3-read=my-backups/db", "--deliver-to", "profile:nightly"];
    let policy = || {
        let ran = cloud.aws(&["iam", "get-group-policy", "--group-name", USER, "--policy-name", "service-policy"]);
        ran.done().json()["PolicyDocument"].clone()
    };
    let before = policy();
    let ran = create(&home, &other).exited(6);
    assert!(
        ran.stderr.contains("-             \"Sid\": \"ReadWriteObjects\"") && ran.stderr.contains("--replace"),
        "{}",
        ran.stderr
    );
    assert_eq!(policy(), before);
    let ran = create(&home, &[&other[..], &["--replace"]].concat()).done();
    assert_eq!(made(&ran)["changes"], json!(["put-group-policy"]));
    assert_eq!(policy(), made(&ran)["policy"]);
    assert_ne!(policy(), before);

    // A path is never changed.
    create(&home, &[&other[..], &["--path", "/"]].concat()).exited(6);
    // What lacks is completed.
    cloud.call("iam", "remove_user_from_group", json!({ "UserName": USER, "GroupName": USER }));
    cloud.call("iam", "untag_user", json!({ "UserName": USER, "TagKeys": ["owner"] }));
    let ran = create(&home, &other).done();
    assert_eq!(made(&ran)["changes"], json!(["tag-user", "add-user-to-group"]));
    // A key that no place holds is not joined by a second.
    let gone = home.read(".aws/credentials").replace("[nightly]", "[elsewhere]");
    let home = home.file(".aws/credentials", gone);
    let ran = create(&home, &other).exited(6);
    assert!(ran.stderr.contains("that none of the places holds"), "{}", ran.stderr);
    // Nor is one written over that is somebody else's.
    create(&home, &["--template", "s3-read=my-backups/db", "--deliver-to", "profile:admin"]).exited(6);
    assert_eq!(cloud.keys(USER).len(), 1);
}

#[test]
fn what_differs_is_shown_and_kept_until_somebody_says_so_on_the_sandbox() {
    what_differs_is_shown_and_kept_until_somebody_says_so(&Backend::Sandbox.open());
}

#[test]
fn what_differs_is_shown_and_kept_until_somebody_says_so_on_moto() {
    what_differs_is_shown_and_kept_until_somebody_says_so(&Backend::Moto.open());
}

const CALLS: [&str; 5] = ["CreateGroup", "PutGroupPolicy", "CreateUser", "AddUserToGroup", "CreateAccessKey"];

#[test]
fn a_run_whose_calls_are_refused_leaves_nothing_behind() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    let before = home.read(".aws/credentials");
    for (index, call) in CALLS.into_iter().enumerate() {
        cloud.sandbox().inject(Fault::on(call, FaultKind::AccessDenied).always());
        let ran = create(&home, &TO_PROFILE);
        cloud.sandbox().clear_faults();
        let ran = ran.exited(1);
        assert_nothing(&cloud, &home, &before, call);
        assert_eq!(ran.stderr.matches("taken back: ").count(), index.min(4), "{call}: {}", ran.stderr);
        assert!(index == 0 || ran.stderr.contains("nothing is left of it"), "{call}: {}", ran.stderr);
    }
    // The last first.
    let at = |words: &str| {
        cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::AccessDenied));
        let told = create(&home, &TO_PROFILE).stderr;
        told.find(words).unwrap_or_else(|| panic!("{words}: {told}"))
    };
    let order = [
        "is out of group",
        "user service-nightly is gone",
        "the policy of group service-nightly is gone",
        "group service-nightly is gone",
    ];
    assert!(order.map(at).is_sorted());
    create(&home, &TO_PROFILE).done();
}

#[test]
fn lost_answers_make_nothing_twice_and_leave_nothing_out() {
    let cloud = Backend::Sandbox.open();
    let before_key = &CALLS[..4];
    for kind in [FaultKind::LostAnswerAfterCommit, FaultKind::LostAnswerBeforeCommit] {
        let home = home(&cloud);
        for call in before_key {
            cloud.sandbox().inject(Fault::on(call, kind.clone()));
        }
        let ran = create(&home, &TO_PROFILE).done();
        assert_eq!(made(&ran)["state"], "made", "{kind:?}: {}", ran.stderr);
        assert_eq!((cloud.keys(USER).len(), cloud.sandbox().clear_faults()), (1, 0));
        let again = create(&home, &TO_PROFILE).done();
        assert_eq!(made(&again)["changes"], json!([]), "{kind:?}");
        clear(&cloud);
    }
}

/// Takes the service user away, as a person would.
fn clear(cloud: &Cloud) {
    for key in cloud.keys(USER) {
        cloud.call("iam", "delete_access_key", json!({ "UserName": USER, "AccessKeyId": key.id }));
    }
    cloud.call("iam", "remove_user_from_group", json!({ "UserName": USER, "GroupName": USER }));
    cloud.call("iam", "delete_user", json!({ "UserName": USER }));
    cloud.call("iam", "delete_group_policy", json!({ "GroupName": USER, "PolicyName": "service-policy" }));
    cloud.call("iam", "delete_group", json!({ "GroupName": USER }));
}

#[test]
fn a_call_that_never_succeeds_is_given_up_and_the_rest_taken_back() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    let before = home.read(".aws/credentials");
    let fault = FaultKind::ServerError { status: 500, committed: false };
    cloud.sandbox().inject(Fault::on("AddUserToGroup", fault).always());
    let ran = create(&home, &TO_PROFILE).exited(1);
    assert!(ran.stderr.contains("whether AWS did it is not known"), "{}", ran.stderr);
    assert_nothing(&cloud, &home, &before, "a server that fails for ever");
}

#[test]
fn what_cannot_be_taken_back_is_named() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    cloud.sandbox().inject(Fault::on("AddUserToGroup", FaultKind::AccessDenied).always());
    cloud.sandbox().inject(Fault::on("DeleteGroupPolicy", FaultKind::AccessDenied).always());
    let ran = create(&home, &TO_PROFILE).exited(3);
    assert!(ran.stderr.contains("not taken back (group service-nightly has its policy)"), "{}", ran.stderr);
    cloud.sandbox().clear_faults();
    // It completes what is there.
    create(&home, &TO_PROFILE).done();
}

#[test]
fn a_key_whose_creation_is_not_known_is_never_made_again_blindly() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerAfterCommit));
    let ran = create(&home, &TO_PROFILE).exited(6);
    let keys = cloud.keys(USER);
    assert_eq!(keys.len(), 1);
    assert!(ran.stderr.contains(&keys[0].id) && ran.stderr.contains("stay as they are"), "{}", ran.stderr);
    let ran = create(&home, &TO_PROFILE).exited(6);
    assert_eq!(cloud.keys(USER).len(), 1, "{}", ran.stderr);
    home.akia(&["key", "deactivate", &keys[0].id, "--user", USER, "-p", "admin", "-y", "--despite", "last-active-key"]);
    cloud.call("iam", "delete_access_key", json!({ "UserName": USER, "AccessKeyId": keys[0].id }));
    let ran = create(&home, &TO_PROFILE).done();
    assert_eq!((&made(&ran)["changes"], cloud.keys(USER).len()), (&json!([]), 1));
}

/// While the key is made, somebody else puts a key into a place.
fn with_a_stranger_in(places: &[&str], taken: &str) -> (Cloud, Home, Ran) {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Slow(Duration::from_secs(3))));
    let base =
        ["service", "create", "nightly", "--owner", "team a", "-p", "admin", "-y", "--template", "s3-read=my-backups"];
    let child = home.command(&[&base[..], places].concat()).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !cloud.sandbox().log().iter().any(|call| call.action == "AddUserToGroup") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run never came to the key");
        std::thread::sleep(Duration::from_millis(20));
    }
    let home = home.profile(taken, &cloud.admin);
    let output = child.wait_with_output().unwrap();
    let ran = Ran {
        what: "akia service create".to_owned(),
        code: output.status.code().unwrap().into(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    (cloud, home, ran)
}

#[test]
fn a_key_that_no_place_takes_goes_with_everything_else() {
    let (cloud, home, ran) = with_a_stranger_in(&["--deliver-to", "profile:one"], "one");
    let ran = ran.exited(1);
    let left = home.read(".aws/credentials");
    assert_eq!(key_of(&home, "one").id, cloud.admin.id, "a stranger's key stays");
    assert_nothing(&cloud, &home, &left, "no place took it");
    assert!(ran.stderr.contains("is deleted"), "{}", ran.stderr);
}

#[test]
fn a_key_that_some_place_took_stays_and_is_brought_to_the_rest() {
    let places = ["--deliver-to", "profile:one", "--deliver-to", "profile:two"];
    let (cloud, home, ran) = with_a_stranger_in(&places, "two");
    let ran = ran.exited(3);
    let key = key_of(&home, "one");
    let keys = cloud.keys(USER);
    assert!(keys.len() == 1 && keys[0].id == key.id, "{keys:?}: {}", ran.stderr);
    let text = home.read(".aws/credentials");
    let home = home.file(".aws/credentials", text.replace("[two]", "[stranger]"));
    let base =
        ["service", "create", "nightly", "--owner", "team a", "-p", "admin", "-y", "--template", "s3-read=my-backups"];
    home.akia(&[&base[..], &places].concat()).done();
    assert_eq!((key_of(&home, "two").id, cloud.keys(USER).len()), (key.id, 1));
}

/// A new service user has nothing against it, by akia's own audit, and what is wrong with others is told.
fn service_users_are_listed_and_checked(cloud: &Cloud) {
    let home = home(cloud);
    create(&home, &TO_PROFILE).done();
    let listed = home.akia(&["service", "list", "-p", "admin", "--output", "json"]).done().json();
    let one = &listed["services"][0];
    assert_eq!(
        (&one["user"], &one["owner"], &one["console"]),
        (&json!(USER), &json!("team-a"), &json!(false)),
        "{listed}"
    );
    assert_eq!((&one["groups"], one["keys"].as_array().unwrap().len()), (&json!([USER]), 1));
    let checked =
        home.akia(&["service", "check", "nightly", "-p", "admin", "--output", "json", "--fail-on", "info"]).done();
    assert_eq!(checked.json()["findings"], json!([]));
    let audit = home.akia(&["audit", "-p", "admin", "--output", "json"]).json();
    let against: Vec<&Value> = audit["findings"].as_array().unwrap().iter().filter(|one| one["user"] == USER).collect();
    assert!(against.is_empty(), "{against:?}");

    // One that was made by hand, and badly.
    cloud.call("iam", "create_user", json!({ "UserName": "svc-old" }));
    cloud.policy(
        "svc-old",
        "own",
        &json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }] }),
    );
    cloud.key("svc-old");
    cloud.key("svc-old");
    cloud.call("iam", "create_user", json!({ "UserName": "odd", "Path": "/service/" }));
    if cloud.backend == Backend::Sandbox {
        cloud.sandbox().account().user("svc-old").unwrap().add_login_profile(cloud.sandbox().now(), None).unwrap();
    } else {
        cloud.call("iam", "create_login_profile", json!({ "UserName": "svc-old", "Password": "correct-Horse-7" }));
    }
    let checked = home.akia(&["service", "check", "-p", "admin", "--output", "json", "--fail-on", "medium"]).exited(4);
    let findings = checked.json();
    let rules = |user: &str| {
        let all = findings["findings"].as_array().unwrap();
        let mut rules: Vec<String> =
            all.iter().filter(|one| one["user"] == user).map(|one| one["rule"].as_str().unwrap().to_owned()).collect();
        rules.sort();
        rules
    };
    assert_eq!(
        rules("svc-old"),
        [
            "service-user-console",
            "service-user-direct-policies",
            "service-user-untagged",
            "service-user-without-group",
            "two-active-keys"
        ],
        "{findings}"
    );
    assert_eq!(
        rules("odd"),
        ["service-user-name", "service-user-untagged", "service-user-without-group"],
        "{findings}"
    );
    assert_eq!(rules(USER), [""; 0], "{findings}");
    home.akia(&["service", "check", "nobody", "-p", "admin"]).exited(1);
}

#[test]
fn service_users_are_listed_and_checked_on_the_sandbox() {
    service_users_are_listed_and_checked(&Backend::Sandbox.open());
}

#[test]
fn service_users_are_listed_and_checked_on_moto() {
    service_users_are_listed_and_checked(&Backend::Moto.open());
}

/// Names and path as `[services]` says, in every command that makes them, asks for them or tells them apart.
#[test]
fn service_users_are_called_as_the_settings_say() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud).file("akia.toml", "[services]\nname-prefix = \"bot.\"\npath = \"/bots/\"\n");
    let config = home.path("akia.toml").to_str().unwrap().to_owned();
    let akia = |arguments: &[&str]| home.akia(&[arguments, &["--config", &config]].concat());
    let making = ["service", "create", "--owner", "ops", "-p", "admin", "--yes", "--output", "json"];
    let whole = [&making[..], &TO_PROFILE, &["nightly"]].concat();
    let told = made(&akia(&whole).done());
    assert_eq!((&told["user"], &told["path"]), (&json!("bot.nightly"), &json!("/bots/")), "{told}");
    let user = cloud.aws(&["iam", "get-user", "--user-name", "bot.nightly"]).done().json()["User"].clone();
    assert_eq!(user["Path"], "/bots/");
    let service = json!({ "Key": "service", "Value": "nightly" });
    assert!(user["Tags"].as_array().unwrap().contains(&service), "{user}");
    assert_eq!(cloud.keys("bot.nightly").len(), 1);
    // By the user's name it is the same service.
    let again = made(&akia(&[&whole[..whole.len() - 1], &["bot.nightly"]].concat()).done());
    assert_eq!((&again["user"], &again["state"]), (&json!("bot.nightly"), &json!("as asked for")));
    let long = "x".repeat(61);
    let refused = akia(&[&making[..], &["--template", "s3-read=my-backups", "--no-key", &long]].concat()).exited(2);
    assert!(refused.stderr.contains("at most 60 characters"), "{}", refused.stderr);

    // Users that look like services of another prefix are told; those of people are not.
    cloud.call("iam", "create_user", json!({ "UserName": "service-old" }));
    cloud.user_without_rights("ann", "/");
    let users = |ran: &Ran, list: &str| -> Vec<String> {
        let json = ran.json();
        json[list].as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap().to_owned()).collect()
    };
    let listed = akia(&["service", "list", "-p", "admin", "--output", "json"]).done();
    assert_eq!(users(&listed, "services"), ["bot.nightly", "service-old"]);
    let checked = akia(&["service", "check", "-p", "admin", "--output", "json"]).done();
    let json = checked.json();
    let named: Vec<&Value> =
        json["findings"].as_array().unwrap().iter().filter(|one| one["rule"] == "service-user-name").collect();
    assert_eq!(named.len(), 1, "{json}");
    assert_eq!(
        (&named[0]["user"], &named[0]["detail"]),
        (&json!("service-old"), &json!("its name is that of a service; the names of services begin with bot. here"))
    );
    let one = akia(&["service", "check", "nightly", "-p", "admin", "--output", "json", "--fail-on", "info"]).done();
    assert_eq!(one.json()["findings"], json!([]));
    let exit = akia(&["service", "exit", "nightly", "-p", "admin", "--output", "json"]).stdout;
    assert!(exit.contains("bot.nightly"), "{exit}");

    let policy = akia(&["policy", "service"]).done().stdout;
    assert!(policy.contains(":user/bots/*") && !policy.contains("/service/"), "{policy}");
    let policy = akia(&["policy", "lambda"]).done().stdout;
    assert!(policy.contains(":user/bot.*"), "{policy}");
}

#[test]
fn a_person_s_key_in_a_machine_is_told() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let last =
        akia_sandbox::LastUsed { at: cloud.sandbox().now(), service: "sqs".to_owned(), region: "eu-west-1".to_owned() };
    cloud.sandbox().set_last_used(&key.id, Some(last)).unwrap();
    let checked = home(&cloud).akia(&["service", "check", "-p", "admin", "--output", "json"]).done().json();
    let told = &checked["findings"][0];
    assert_eq!(
        (&told["rule"], &told["user"], &told["access_key"]),
        (&json!("person-key-used-by-machine"), &json!("ann"), &json!(key.id))
    );
}

/// With policies enforced, the key can do what the policy says, and is refused the rest.
#[test]
fn the_key_can_do_what_the_policy_says_and_nothing_else_on_moto() {
    let cloud = Backend::Moto.open();
    cloud.call("s3", "create_bucket", json!({ "Bucket": "my-backups" }));
    let home = home(&cloud).file("object", "data");
    create(&home, &TO_PROFILE).done();
    let aws = |arguments: &[&str]| {
        let ran = home.aws(&[arguments, &["--profile", "nightly"]].concat());
        if ran.code == 0 { "done".to_owned() } else { ran.refusal().to_owned() }
    };
    assert_eq!(aws(&["s3api", "put-object", "--bucket", "my-backups", "--key", "db/one", "--body", "object"]), "done");
    assert_eq!(aws(&["s3api", "get-object", "--bucket", "my-backups", "--key", "db/one", "copy"]), "done");
    assert_eq!(
        aws(&["s3api", "put-object", "--bucket", "my-backups", "--key", "other", "--body", "object"]),
        "AccessDenied"
    );
    assert_eq!(aws(&["s3api", "delete-bucket", "--bucket", "my-backups"]), "AccessDenied");
    assert_eq!(aws(&["sns", "list-topics"]), "AccessDenied");
    assert_eq!(aws(&["iam", "list-users"]), "AccessDenied");
    assert_eq!(aws(&["iam", "create-access-key", "--user-name", USER]), "AccessDenied");
}

/// On the sandbox, whose evaluator knows conditions and resources of IAM.
#[test]
fn source_and_boundary_hold_on_the_sandbox() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Action": ["iam:GetUser", "iam:ListAccessKeys"], "Resource": "arn:aws:iam::*:user/service/service-nightly" }] });
    let home = home.file("policy.json", policy.to_string());
    let path = home.path("policy.json");
    let path = path.to_str().unwrap();
    let boundary = cloud.call("iam", "create_policy", json!({ "PolicyName": "bound", "PolicyDocument": json!({
        "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "iam:GetUser", "Resource": "*" }] }).to_string() }));
    let arn = boundary["Policy"]["Arn"].as_str().unwrap();
    let aws = |home: &Home, arguments: &[&str]| {
        let ran = home.aws(&[arguments, &["--profile", "nightly"]].concat());
        if ran.code == 0 { "done".to_owned() } else { ran.refusal().to_owned() }
    };
    let base = ["--policy", path, "--deliver-to", "profile:nightly", "--permissions-boundary", arn];
    create(&home, &base).done();
    assert_eq!(aws(&home, &["iam", "get-user", "--user-name", USER]), "done");
    assert_eq!(aws(&home, &["iam", "list-access-keys", "--user-name", USER]), "AccessDenied", "the boundary holds");
    assert_eq!(aws(&home, &["iam", "get-user", "--user-name", "lab-admin"]), "AccessDenied", "the resource holds");
    let ran = create(&home, &[&base[..], &["--source-ip", "203.0.113.0/24", "--replace"]].concat()).done();
    assert_eq!(made(&ran)["changes"], json!(["put-group-policy"]));
    assert_eq!(aws(&home, &["iam", "get-user", "--user-name", USER]), "AccessDenied", "requests come from 127.0.0.1");
}

#[test]
fn a_policy_that_gives_too_much_is_refused_before_anything_is_asked() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    let before = home.read(".aws/credentials");
    let policy = |statement: Value| json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let all = policy(json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
    let iam = policy(json!({ "Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "*" }));
    let not = policy(json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }));
    let home = home.file("all.json", all).file("iam.json", iam).file("not.json", not);
    let run = |file: &str, more: &[&str]| {
        let path = home.path(file);
        create(&home, &[&["--policy", path.to_str().unwrap(), "--no-key"], more].concat())
    };
    run("all.json", &[]).exited(6);
    run("all.json", &["--despite", "iam-writes"]).exited(6);
    run("iam.json", &[]).exited(6);
    run("not.json", &["--despite", "everything,iam-writes"]).exited(2);
    assert_nothing(&cloud, &home, &before, "a policy that gives too much");
    let ran = run("iam.json", &["--despite", "iam-writes"]).done();
    assert!(made(&ran)["warnings"][0].as_str().unwrap().contains("iam:PutUserPolicy"), "{}", ran.stdout);
    assert_eq!(cloud.keys(USER).len(), 0);
}

#[test]
fn the_way_off_a_key_is_told_by_what_it_does_and_where_it_is() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    create(&home, &TO_PROFILE).done();
    let ran = home.akia(&["service", "exit", "nightly", "-p", "admin", "--output", "json"]).done();
    let told = ran.json();
    assert_eq!(told["schema"], "akia.service-exit/1");
    assert_eq!(told["evidence"]["places"], json!(["profile"]), "{told}");
    assert!(told["evidence"]["agents"].as_object().unwrap().keys().any(|agent| agent.contains("akia")), "{told}");
    assert_eq!(told["ways"][0]["way"], "identity-center");

    let by_place = ["service", "exit", "nightly", "-p", "admin", "--delivered-to", "github-actions", "--write"];
    let page = home.path("exit.md");
    let ran = home.akia(&[&by_place[..], &[page.to_str().unwrap(), "--output", "json"]].concat()).done();
    let best = &ran.json()["ways"][0];
    assert_eq!((&best["way"], &best["fit"]), (&json!("github-oidc"), &json!("clear")));
    let principal = &best["trust_policy"]["Statement"][0]["Principal"]["Federated"];
    assert_eq!(
        *principal,
        json!(format!("arn:aws:iam::{}:oidc-provider/token.actions.githubusercontent.com", cloud.account))
    );
    // The role gets what the group has.
    let right = best["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|step| step["command"].as_str().filter(|line| line.starts_with("aws iam put-role-policy")));
    assert!(right.unwrap().contains("arn:aws:s3:::my-backups/db/*"), "{best}");
    let text = home.read("exit.md");
    assert!(text.contains("```json") && text.contains("github-oidc") && text.contains("akia key deactivate"), "{text}");
    let ran = home.akia(&["service", "exit", "nightly", "-p", "admin", "--way", "irsa"]).done();
    assert!(ran.stdout.contains("kubectl annotate serviceaccount"), "{}", ran.stdout);
    home.akia(&["service", "exit", "nobody", "-p", "admin"]).exited(1);
}

/// Whoever has the policy of `akia policy service`, and nothing else, can make a service user, and have it taken back; and no user
/// without the boundary, where it asks for one.
#[test]
fn the_printed_policy_is_enough_and_keeps_below_its_boundary() {
    let cloud = Backend::Sandbox.open();
    let bounded = cloud.call("iam", "create_policy", json!({ "PolicyName": "bound", "PolicyDocument": json!({
        "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] }).to_string() }));
    let arn = bounded["Policy"]["Arn"].as_str().unwrap().to_owned();
    cloud.user_without_rights("maker", "/");
    let maker = cloud.key("maker");
    let home = Home::new(&cloud).profile("admin", &maker);
    let before = home.read(".aws/credentials");
    let policy = home.akia(&["policy", "service", "--permissions-boundary", &arn]).done().json();
    cloud.policy("maker", "service", &policy);
    // Without the boundary, at the user; what was made before is taken back.
    let ran = create(&home, &TO_PROFILE).exited(1);
    assert!(ran.stderr.contains("iam:CreateUser"), "{}", ran.stderr);
    assert_nothing(&cloud, &home, &before, "no boundary");
    create(&home, &[&TO_PROFILE[..], &["--permissions-boundary", &arn]].concat()).done();
    home.akia(&["service", "list", "-p", "admin"]).done();
    home.akia(&["service", "check", "-p", "admin"]).done();
    home.akia(&["service", "exit", "nightly", "-p", "admin"]).done();
    create(&home, &["--template", "s3-read=abc", "--no-key", "--path", "/", "--permissions-boundary", &arn]).exited(6);
    let elsewhere = ["service", "create", "other", "--owner", "a", "-p", "admin", "-y", "--no-key", "--path", "/x/"];
    let template = ["--template", "s3-read=abc", "--permissions-boundary", &arn];
    home.akia(&[&elsewhere[..], &template].concat()).exited(1);
}
