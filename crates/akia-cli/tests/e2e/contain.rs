//! `akia contain`: a leaked key is identified, shut and reported, taken back and gone on with, on the sandbox and on moto.

use akia_sandbox::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::hand::interrupt;
use crate::support::{Backend, Cloud, Home, Key, Ran};
use crate::undo_retire::sqlite;

const DENIAL: &str = "AWSCompromisedKeyQuarantineV3";
const SESSIONS: &str = "AkiaDenyEarlierSessions";

fn home(cloud: &Cloud) -> Home {
    Home::new(cloud).profile("admin", &cloud.admin)
}

fn contain(home: &Home, key: &str, more: &[&str]) -> Ran {
    let consent = if more.contains(&"--dry-run") { "--verbose" } else { "--yes" };
    home.akia(&[&["contain", key, "--profile", "admin", "--output", "json", consent][..], more].concat())
}

fn case(ran: &Ran) -> Value {
    ran.json()["cases"][0].clone()
}

/// Which of a user's keys are active: the inactive ones first, for keys of one second stand in any order.
fn states(cloud: &Cloud, user: &str) -> Vec<bool> {
    let mut states: Vec<bool> = cloud.keys(user).into_iter().map(|key| key.active).collect();
    states.sort_unstable();
    states
}

fn is_active(cloud: &Cloud, user: &str, id: &str) -> bool {
    cloud.keys(user).into_iter().any(|key| key.id == id && key.active)
}

fn id(case: &Value) -> String {
    case["containment"].as_str().unwrap().to_owned()
}

/// Shut at once, looked at, told again as contained, and taken back.
fn a_key_is_shut_and_taken_back(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/people/");
    let key = cloud.key("ann");
    let home = home(cloud);
    let ran = contain(&home, &key.id, &["--dry-run"]).done();
    assert_eq!((&case(&ran)["state"], &case(&ran)["strategy"]), (&json!("planned"), &json!("deactivate")));
    assert!(ran.stderr.contains("no profile here holds it (whoever works with it is cut off)"), "{}", ran.stderr);
    assert_eq!((states(cloud, "ann"), cloud.inline("ann").len()), (vec![true], 0), "a dry run");

    let ran = contain(&home, &key.id, &[]).done();
    let told = case(&ran);
    assert_eq!((&told["state"], &told["user"]), (&json!("contained"), &json!("ann")), "{told}");
    assert!(told["verified_at"].is_string() && ran.stderr.contains("verified: AWS lists it as inactive"), "{told}");
    assert_eq!(states(cloud, "ann"), [false]);
    assert_eq!((cloud.attached("ann").len(), cloud.inline("ann")), (0, vec![SESSIONS.to_owned()]));

    let again = contain(&home, &key.id, &[]).done();
    assert!(again.stderr.contains("contained already"), "{}", again.stderr);
    assert_eq!(id(&case(&again)), id(&told));
    home.akia(&["resume", "--profile", "admin"]).done();

    let undone = home.akia(&["undo", &id(&told), "--profile", "admin", "--yes", "--output", "json"]).done();
    assert_eq!(case(&undone)["state"], "undone", "{}", undone.stdout);
    assert_eq!((states(cloud, "ann"), cloud.inline("ann").len()), (vec![true], 0));
    home.akia(&["undo", &id(&told), "--profile", "admin", "--yes"]).exited(1);
    home.akia(&["history", "verify"]).done();
}

#[test]
fn a_key_is_shut_and_taken_back_on_the_sandbox() {
    a_key_is_shut_and_taken_back(&Backend::Sandbox.open());
}

#[test]
fn a_key_is_shut_and_taken_back_on_moto() {
    a_key_is_shut_and_taken_back(&Backend::Moto.open());
}

/// Replaced where a profile holds it, and put back by an undo.
fn a_key_in_use_is_replaced(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let home = home(cloud).profile("work", &ann.key).profile("again", &ann.key);
    let ran = contain(&home, &ann.key.id, &[]).done();
    let told = case(&ran);
    assert_eq!((&told["strategy"], &told["state"]), (&json!("rotate"), &json!("contained")), "{told}");
    let new = told["new_key"].as_str().unwrap();
    let files = home.read(".aws/credentials");
    assert_eq!((files.matches(new).count(), files.matches(&ann.key.id).count()), (2, 0), "{files}");
    assert_eq!((states(cloud, "ann"), is_active(cloud, "ann", new)), (vec![false, true], true));
    // The user works on: AWS's deny policy is gone, what denies sessions is there.
    assert_eq!((cloud.attached("ann").len(), cloud.inline("ann").contains(&SESSIONS.to_owned())), (0, true));
    let words: Vec<&str> =
        told["timeline"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    let at = |what: &str| words.iter().position(|one| *one == what).unwrap_or_else(|| panic!("{what}: {words:?}"));
    let order = ["user in quarantine", "replaced and shut", "earlier sessions denied", "AWS's deny policy taken off"];
    assert!(order.map(at).is_sorted(), "{words:?}");

    let undone = home.akia(&["undo", &id(&told), "--profile", "admin", "--yes", "--output", "json"]).done();
    assert_eq!(case(&undone)["state"], "undone", "{}", undone.stdout);
    assert_eq!(home.read(".aws/credentials").matches(&ann.key.id).count(), 2);
    assert_eq!((states(cloud, "ann"), is_active(cloud, "ann", &ann.key.id)), (vec![false, true], true));
    assert!(!cloud.inline("ann").contains(&SESSIONS.to_owned()));
}

#[test]
fn a_key_in_use_is_replaced_on_the_sandbox() {
    a_key_in_use_is_replaced(&Backend::Sandbox.open());
}

#[test]
fn a_key_in_use_is_replaced_on_moto() {
    a_key_in_use_is_replaced(&Backend::Moto.open());
}

/// Deleted only where that is said, and then for good.
fn a_key_is_deleted_on_demand(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(cloud);
    let first = case(&contain(&home, &key.id, &[]).done());
    let ran = contain(&home, &key.id, &["--strategy", "delete"]).done();
    assert_eq!((id(&case(&ran)), &case(&ran)["state"]), (id(&first), &json!("contained")), "the same containment");
    assert!(ran.stderr.contains("is deleted; this cannot be undone"), "{}", ran.stderr);
    assert!(cloud.keys("ann").is_empty());
    let undo = home.akia(&["undo", &id(&first), "--profile", "admin", "--yes"]).exited(1);
    assert!(undo.stderr.contains("cannot be taken back"), "{}", undo.stderr);
    let again = contain(&home, &key.id, &[]).done();
    assert_eq!(case(&again)["state"], "gone", "{}", again.stdout);
}

#[test]
fn a_key_is_deleted_on_demand_on_the_sandbox() {
    a_key_is_deleted_on_demand(&Backend::Sandbox.open());
}

#[test]
fn a_key_is_deleted_on_demand_on_moto() {
    a_key_is_deleted_on_demand(&Backend::Moto.open());
}

#[test]
fn a_user_who_cannot_be_cut_off_is_tied_and_the_key_shut_later() {
    for cloud in [Backend::Sandbox.open(), Backend::Moto.open()] {
        cloud.user_without_rights("ann", "/");
        let key = cloud.key("ann");
        let home = home(&cloud);
        let tied = case(&contain(&home, &key.id, &["--strategy", "quarantine"]).done());
        assert_eq!((&tied["state"], states(&cloud, "ann")), (&json!("quarantined"), vec![true]), "{tied}");
        assert_eq!(cloud.attached("ann"), [DENIAL]);
        let again = contain(&home, &key.id, &[]).done();
        assert!(again.stderr.contains("the same with --strategy deactivate"), "{}", again.stderr);
        let shut = case(&contain(&home, &key.id, &["--strategy", "deactivate"]).done());
        assert_eq!((id(&shut), &shut["state"]), (id(&tied), &json!("contained")), "{shut}");
        assert_eq!((states(&cloud, "ann"), cloud.attached("ann").len()), (vec![false], 0));
        let back = contain(&home, &key.id, &["--strategy", "quarantine"]).exited(1);
        assert!(back.stderr.contains("is shut already"), "{}", back.stderr);
    }
}

#[test]
fn the_sessions_of_before_are_denied_and_the_intruder_is_locked_out() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let serial = cloud.mfa_device("ann");
    let code = cloud.mfa_code(&serial);
    let asked = ["sts", "get-session-token", "--serial-number", &serial, "--token-code", &code];
    let session = Key::from_answer(&cloud.aws_as(&ann.key, &asked).done().json()["Credentials"]);
    let lists = |key: &Key| cloud.aws_as(key, &["iam", "list-access-keys"]);
    lists(&session).done();
    let told = case(&contain(&home(&cloud), &ann.key.id, &[]).done());
    assert_eq!(lists(&session).refusal(), "AccessDenied");
    assert_eq!(lists(&ann.key).refusal(), "InvalidClientTokenId");
    let outlives: Vec<&str> =
        told["footprint"]["remnants"].as_array().unwrap().iter().map(|one| one["call"].as_str().unwrap()).collect();
    assert_eq!(outlives, ["sts:GetSessionToken"], "{told}");
}

/// What an intruder did and left stands in the report, with the commands that show it and take it back.
#[test]
fn what_the_key_could_do_did_and_left_is_told() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let allow = |actions: &[&str]| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] });
    cloud.policy("ann", "wide", &allow(&["iam:Create*", "iam:AttachUserPolicy", "sts:AssumeRole", "s3:GetObject"]));
    let admin =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let role = cloud.role("deployer", &format!("arn:aws:iam::{}:root", cloud.account), &admin);
    let key = cloud.key("ann");
    cloud.aws_as(&key, &["iam", "create-user", "--user-name", "backdoor"]).done();
    cloud.aws_as(&key, &["iam", "create-access-key", "--user-name", "backdoor"]).done();
    assert_eq!(cloud.aws_as(&key, &["iam", "list-users"]).refusal(), "AccessDenied");
    let home = home(&cloud).file("akia.toml", "");
    let report = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let (html, md, as_json) = (report("r.html"), report("r.md"), report("r.json"));
    let ran = contain(&home, &key.id, &["--report", &html, "--report", &md, "--report", &as_json]).done();
    let told = case(&ran);
    let reach = &told["reach"]["told"];
    assert_eq!((&reach["is_admin"], &reach["services"]), (&json!(false), &json!(["iam", "s3", "sts"])), "{reach}");
    let ways: Vec<&str> =
        reach["escalations"].as_array().unwrap().iter().map(|one| one["actions"][0].as_str().unwrap()).collect();
    let expected = ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:AttachUserPolicy", "iam:CreatePolicyVersion"];
    assert_eq!(ways, expected, "{reach}");
    assert_eq!(reach["denied_by_simulation"], json!({ "told": [] }), "{reach}");
    assert_eq!((&reach["roles"][0]["arn"], &reach["roles"][0]["is_admin"]), (&json!(role), &json!(true)), "{reach}");
    let trail = &told["footprint"];
    assert_eq!(
        (&trail["services"]["iam"]["calls"], &trail["services"]["iam"]["refused"]),
        (&json!(3), &json!(1)),
        "{trail}"
    );
    let left: Vec<&str> =
        trail["remnants"].as_array().unwrap().iter().map(|one| one["call"].as_str().unwrap()).collect();
    assert_eq!(left, ["iam:CreateUser", "iam:CreateAccessKey"], "{trail}");
    let page = home.read("r.html");
    assert!(page.contains("aws iam delete-user --user-name backdoor") && page.contains("<h3 id=\"case-0-1\">Timeline"));
    assert!(home.read("r.md").contains("`aws iam delete-user --user-name backdoor`"));
    let written: Value = serde_json::from_str(&home.read("r.json")).unwrap();
    assert_eq!(written["schema"], "akia.contain/1");
    assert_eq!(written["cases"][0]["timeline"], told["timeline"]);
    let secrets = [&key.secret, &cloud.admin.secret];
    for (path, bytes) in home.everything().into_iter().filter(|(path, _)| !path.ends_with(".aws/credentials")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(secrets.iter().all(|secret| !text.contains(*secret)), "{} holds a secret", path.display());
    }
}

/// moto answers neither: that is told, and stops nothing.
#[test]
fn what_cannot_be_read_is_told_as_unknown() {
    let cloud = Backend::Moto.open();
    cloud.user_without_rights("ann", "/");
    let wide =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }] });
    cloud.policy("ann", "wide", &wide);
    let key = cloud.key("ann");
    let ran = contain(&home(&cloud), &key.id, &[]).done();
    let told = case(&ran);
    assert!(told["footprint"]["regions"][0]["events"]["unknown"]["reason"].is_string(), "{told}");
    assert!(told["reach"]["told"]["denied_by_simulation"]["unknown"]["reason"].is_string(), "{told}");
    assert!(ran.stderr.contains("trail   us-east-1: not known:"), "{}", ran.stderr);
}

#[test]
fn keys_that_are_not_to_be_contained_are_refused_with_what_to_do() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = home(&cloud).profile("ann", &ann.key);
    let own = contain(&home, &cloud.admin.id, &[]).exited(1);
    assert!(own.stderr.contains("signs this very call"), "{}", own.stderr);
    let same = home.akia(&["contain", &ann.key.id, "--profile", "ann", "--yes"]).exited(1);
    assert!(same.stderr.contains("signs this very call"), "{}", same.stderr);
    let root = cloud.sandbox().account().add_root_key(cloud.sandbox().now()).unwrap();
    let root = contain(&home, &root.id, &[]).exited(6);
    assert!(
        root.stderr.contains("it is the root user's") && root.stderr.contains("sign in to the console"),
        "{}",
        root.stderr
    );
    let other = Backend::Sandbox.open();
    let foreign = other.key(&{
        other.user_without_rights("bob", "/");
        "bob".to_owned()
    });
    let foreign = contain(&home, &foreign.id, &[]).exited(1);
    assert!(foreign.stderr.contains(&format!("is a key of account {}", other.account)), "{}", foreign.stderr);
    assert!(foreign.stderr.contains("a profile of account"), "{}", foreign.stderr);
    assert_eq!(states(&cloud, "ann"), [true], "nothing was changed");
}

#[test]
fn a_key_that_is_gone_is_closed_already() {
    for cloud in [Backend::Sandbox.open(), Backend::Moto.open()] {
        cloud.user_without_rights("ann", "/");
        let key = cloud.key("ann");
        cloud.call("iam", "delete_access_key", json!({ "UserName": "ann", "AccessKeyId": key.id }));
        let ran = contain(&home(&cloud), &key.id, &[]).done();
        assert_eq!(case(&ran)["state"], "gone", "{}", ran.stdout);
        assert!(ran.stderr.contains("the case is closed already"), "{}", ran.stderr);
    }
}

#[test]
fn two_keys_leave_the_choice_to_a_person() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let home = home(&cloud).profile("work", &ann.key);
    let ran = contain(&home, &ann.key.id, &[]).exited(6);
    assert!(ran.stderr.contains(&format!("--delete-key {}", second.id)), "{}", ran.stderr);
    assert!(ran.stderr.contains("--strategy deactivate"), "{}", ran.stderr);
    assert_eq!(states(&cloud, "ann"), [true, true]);
    let ran = contain(&home, &ann.key.id, &["--strategy", "rotate", "--delete-key", &second.id]).done();
    assert_eq!(case(&ran)["state"], "contained", "{}", ran.stdout);
    assert!(home.read(".aws/credentials").contains(case(&ran)["new_key"].as_str().unwrap()));
}

/// Each change may fail in each way: it is told, and gone on with.
#[test]
fn whatever_goes_wrong_is_told_and_gone_on_with() {
    let lost = [FaultKind::LostAnswerBeforeCommit, FaultKind::LostAnswerAfterCommit, FaultKind::Throttle];
    for kind in lost {
        for action in ["UpdateAccessKey", "PutUserPolicy"] {
            let cloud = Backend::Sandbox.open();
            cloud.user_without_rights("ann", "/");
            let key = cloud.key("ann");
            cloud.sandbox().inject(Fault::on(action, kind.clone()));
            let ran = contain(&home(&cloud), &key.id, &[]).done();
            assert_eq!(
                (&case(&ran)["state"], states(&cloud, "ann")),
                (&json!("contained"), vec![false]),
                "{action} {kind:?}"
            );
            assert!(!cloud.sandbox().struck().is_empty(), "{action} {kind:?}");
        }
    }
    for action in ["UpdateAccessKey", "PutUserPolicy", "AttachUserPolicy", "DetachUserPolicy"] {
        let cloud = Backend::Sandbox.open();
        cloud.user_without_rights("ann", "/");
        let key = cloud.key("ann");
        let home = home(&cloud);
        let tie: &[&str] = if action.contains("tachUser") { &["--strategy", "quarantine"] } else { &[] };
        cloud.sandbox().inject(Fault::on(action, FaultKind::AccessDenied).always());
        if action == "DetachUserPolicy" {
            contain(&home, &key.id, tie).done();
        }
        let more: &[&str] = if action == "DetachUserPolicy" { &["--strategy", "deactivate"] } else { tie };
        let held = contain(&home, &key.id, more).exited(3);
        let told = case(&held);
        assert_eq!(told["state"], "open", "{action}: {told}");
        assert!(told["held"].as_str().unwrap().contains("access denied"), "{action}: {told}");
        assert!(held.stderr.contains(&format!("akia resume {}", id(&told))), "{action}: {}", held.stderr);
        cloud.sandbox().clear_faults();
        home.akia(&["resume", &id(&told), "--profile", "admin"]).done();
        let expected = if tie.is_empty() || action == "DetachUserPolicy" { "contained" } else { "quarantined" };
        assert_eq!(case(&contain(&home, &key.id, &[]).done())["state"], expected, "{action}");
    }
}

#[test]
fn a_key_that_somebody_activates_again_is_shut_again() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(&cloud);
    contain(&home, &key.id, &[]).done();
    let active = json!({ "UserName": "ann", "AccessKeyId": key.id, "Status": "Active" });
    cloud.call("iam", "update_access_key", active);
    let ran = contain(&home, &key.id, &[]).done();
    assert!(ran.stderr.contains("somebody has activated it"), "{}", ran.stderr);
    assert_eq!(states(&cloud, "ann"), [false]);
}

/// After a false alarm: `akia resume` on a schedule is no reason for a lock-out.
#[test]
fn a_key_that_a_person_has_activated_is_not_shut_by_a_bare_resume() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(&cloud);
    let told = case(&contain(&home, &key.id, &[]).done());
    home.akia(&["key", "activate", &key.id, "--user", "ann", "--profile", "admin", "--yes"]).done();
    let id = id(&told);
    for arguments in [vec!["resume", &id, "--profile", "admin"], vec!["resume", "--profile", "admin"]] {
        let held = home.akia(&arguments).exited(3);
        assert!(held.stdout.contains("activated it since"), "{}\n{}", held.stdout, held.stderr);
        assert_eq!(states(&cloud, "ann"), [true]);
    }
    let shut = contain(&home, &key.id, &[]).done();
    assert_eq!((&case(&shut)["state"], states(&cloud, "ann")), (&json!("contained"), vec![false]));
    home.akia(&["key", "activate", &key.id, "--user", "ann", "--profile", "admin", "--yes"]).done();
    home.akia(&["undo", &id, "--profile", "admin", "--yes"]).done();
    assert_eq!((states(&cloud, "ann"), cloud.inline("ann").len()), (vec![true], 0));
}

#[test]
fn the_rotation_of_a_containment_is_taken_back_with_it_and_not_alone() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = home(&cloud).profile("work", &ann.key);
    let told = case(&contain(&home, &ann.key.id, &[]).done());
    let rotation = told["rotation"].as_str().unwrap();
    for alone in [vec!["undo", rotation, "--yes"], vec!["undo", "-p", "work", "--yes"]] {
        let refused = home.akia(&alone).exited(1);
        assert!(refused.stderr.contains(&format!("akia undo {}", id(&told))), "{}", refused.stderr);
        assert_eq!((states(&cloud, "ann"), is_active(&cloud, "ann", &ann.key.id)), (vec![false, true], false));
    }
    home.akia(&["undo", &id(&told), "--profile", "admin", "--yes"]).done();
    assert_eq!((states(&cloud, "ann"), is_active(&cloud, "ann", &ann.key.id)), (vec![false, true], true));
}

#[test]
fn without_a_terminal_and_yes_nothing_happens() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let ran = home(&cloud).akia(&["contain", &key.id, "--profile", "admin"]).exited(6);
    assert!(ran.stderr.contains("no terminal to ask on"), "{}", ran.stderr);
    assert_eq!((states(&cloud, "ann"), cloud.inline("ann").len()), (vec![true], 0));
}

/// From a scan to closed: each real key once, and neither examples nor traps.
#[test]
fn every_real_key_of_a_scan_is_contained() {
    let cloud = Backend::Sandbox.open();
    for name in ["ann", "bob"] {
        cloud.user_without_rights(name, "/");
    }
    let (ann, bob, spare) = (cloud.key("ann"), cloud.key("bob"), cloud.key("bob"));
    let leak = |id: &str, class: &str| {
        json!({ "fingerprint": "0".repeat(32), "kind": "long-term", "class": class, "confidence": "high",
            "access_key_id": id, "session_token": false, "places": [{
                "source": "/srv/repo", "path": ".env", "part": "content", "line": 3,
                "git": { "commit": "abc", "author": "Ann <ann@example.com>", "first_seen": "2026-11-01T10:00:00Z", "reach": "head" } }] })
    };
    let report = json!({ "schema": "akia.scan/1", "sources": ["/srv/repo"], "coverage": { "objects": 1, "bytes": 1, "skipped": [] },
        "leaks": [leak(&ann.id, "real"), leak(&bob.id, "real"), leak(&ann.id, "real"), leak(&spare.id, "documentation")] });
    let home = home(&cloud).file("findings.json", report.to_string());
    let from = home.path("findings.json");
    let run = |more: &[&str]| {
        let fixed = ["contain", "--from-scan", from.to_str().unwrap(), "--profile", "admin", "--output", "json"];
        home.akia(&[&fixed[..], more].concat())
    };
    let planned = run(&["--dry-run"]).done();
    assert_eq!(planned.json()["cases"].as_array().unwrap().len(), 2, "{}", planned.stdout);
    let ran = run(&["--yes"]).done();
    let cases = ran.json();
    assert!(cases["cases"].as_array().unwrap().iter().all(|one| one["state"] == "contained"), "{cases}");
    let active = |id: &str| cloud.keys("bob").into_iter().find(|key| key.id == id).map(|key| key.active);
    assert_eq!((states(&cloud, "ann"), active(&bob.id), active(&spare.id)), (vec![false], Some(false), Some(true)));
    assert_eq!(cases["cases"][0]["leaked_at"], "2026-11-01T10:00:00Z");
    assert!(ran.stderr.contains("filter-repo --replace-text") && ran.stderr.contains("refs/pull"), "{}", ran.stderr);
    let broken = home.path("broken.json");
    std::fs::write(&broken, "{\"schema\": \"other/1\"}").unwrap();
    home.akia(&["contain", "--from-scan", broken.to_str().unwrap(), "--profile", "admin"]).exited(2);
}

/// What `akia scan` says of keys that have leaked.
fn findings(keys: &[&Key]) -> String {
    let leak = |key: &&Key| {
        json!({ "fingerprint": "0".repeat(32), "kind": "long-term", "class": "real", "confidence": "high",
            "access_key_id": key.id, "session_token": false, "places": [{
                "source": "/srv/files", "path": ".env", "part": "content", "line": 3 }] })
    };
    let leaks: Vec<Value> = keys.iter().map(leak).collect();
    json!({ "schema": "akia.scan/1", "sources": ["/srv/files"],
        "coverage": { "objects": 1, "bytes": 1, "skipped": [] }, "leaks": leaks })
    .to_string()
}

#[test]
fn the_fault_of_one_key_leaves_no_other_active_and_none_without_a_report() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    cloud.user_without_rights("bob", "/");
    let bob = cloud.key("bob");
    let home = home(&cloud).profile("work", &ann.key).file("findings.json", findings(&[&ann.key, &bob]));
    let (from, page) = (home.path("findings.json"), home.path("r.md"));
    let fixed = ["contain", "--from-scan", from.to_str().unwrap(), "--profile", "admin", "--output", "json"];
    home.akia(&[&fixed[..], &["--dry-run"]].concat()).done();
    // No rotation can be written down from now on; containments and quarantines can.
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON records WHEN NEW.rotation LIKE 'r-%' \
        BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END";
    sqlite(&home, broken, &[]);
    let ran = home.akia(&[&fixed[..], &["--yes", "--report", page.to_str().unwrap()]].concat()).exited(5);
    let cases = ran.json()["cases"].clone();
    assert_eq!((&cases[0]["state"], &cases[1]["state"]), (&json!("open"), &json!("contained")), "{cases}");
    assert_eq!((states(&cloud, "ann"), states(&cloud, "bob")), (vec![true], vec![false]));
    let page = home.read("r.md");
    assert!(page.contains(&ann.key.id) && page.contains(&bob.id), "{page}");
    sqlite(&home, "DROP TRIGGER broken", &[]);
    home.akia(&["resume", &id(&cases[0]), "--profile", "admin"]).done();
    assert!(!cloud.keys("ann").into_iter().any(|key| key.active && key.id == ann.key.id));
}

#[test]
fn an_interrupt_stops_the_keys_that_come_after_too() {
    let cloud = Backend::Sandbox.open();
    for name in ["ann", "bob"] {
        cloud.user_without_rights(name, "/");
    }
    let (ann, bob) = (cloud.key("ann"), cloud.key("bob"));
    let home = home(&cloud).file("findings.json", findings(&[&ann, &bob]));
    let (from, page) = (home.path("findings.json"), home.path("r.md"));
    let arguments =
        ["contain", "--from-scan", from.to_str().unwrap(), "--profile", "admin", "--yes", "--output", "json"];
    cloud.sandbox().inject(Fault::on("UpdateAccessKey", FaultKind::Slow(std::time::Duration::from_secs(4))));
    let more = ["--report", page.to_str().unwrap()];
    let ran = interrupt(&home, &[&arguments[..], &more].concat(), ", deactivate", &["-INT"]).exited(5);
    let cases = ran.json()["cases"].clone();
    assert_eq!((&cases[0]["state"], &cases[1]["state"]), (&json!("open"), &json!("planned")), "{cases}");
    assert_eq!(states(&cloud, "bob"), [true]);
    assert!(home.read("r.md").contains("the run stopped before it"), "{}", home.read("r.md"));
    home.akia(&arguments).done();
    assert_eq!((states(&cloud, "ann"), states(&cloud, "bob")), (vec![false], vec![false]));
}

/// A killed run is finished by `akia resume`, whatever was under way.
#[test]
fn a_run_that_was_killed_is_finished() {
    for action in ["AttachUserPolicy", "PutUserPolicy", "UpdateAccessKey", "DetachUserPolicy"] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann");
        let home = home(&cloud).profile("work", &ann.key);
        let hour = std::time::Duration::from_secs(3600);
        cloud.sandbox().inject(Fault::on(action, FaultKind::Slow(hour)));
        let arguments = ["contain", &ann.key.id, "--profile", "admin", "--yes"];
        let mut child = home.command(&arguments).spawn().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while cloud.sandbox().struck().is_empty() {
            assert!(std::time::Instant::now() < until, "{action} was never called");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        home.akia(&["resume", "--profile", "admin", "--output", "json"]);
        let ran = contain(&home, &ann.key.id, &[]).done();
        assert_eq!(case(&ran)["state"], "contained", "{action}: {}\n{}", ran.stdout, ran.stderr);
        let (active, old): (Vec<_>, Vec<_>) = cloud.keys("ann").into_iter().partition(|key| key.active);
        assert_eq!((active.len(), old.iter().any(|key| key.id == ann.key.id)), (1, true), "{action}");
        assert!(home.read(".aws/credentials").contains(&active[0].id), "{action}: the profile works");
        assert!(cloud.attached("ann").is_empty(), "{action}");
        home.akia(&["history", "verify"]).done();
    }
}

#[test]
fn the_session_of_a_user_is_revoked_and_that_of_a_role_told() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let allow = |actions: &[&str]| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] });
    cloud.policy("ann", "assume", &allow(&["sts:AssumeRole"]));
    let arn = cloud.role("deployer", &format!("arn:aws:iam::{}:root", cloud.account), &allow(&["iam:ListUsers"]));
    let serial = cloud.mfa_device("ann");
    let code = cloud.mfa_code(&serial);
    let asked = ["sts", "get-session-token", "--serial-number", &serial, "--token-code", &code];
    let session = Key::from_answer(&cloud.aws_as(&ann.key, &asked).done().json()["Credentials"]);
    cloud.aws_as(&session, &["iam", "list-access-keys"]).done();
    let assumed = ["sts", "assume-role", "--role-arn", &arn, "--role-session-name", "thief"];
    let of_role = Key::from_answer(&cloud.aws_as(&ann.key, &assumed).done().json()["Credentials"]);
    cloud.aws_as(&of_role, &["iam", "list-users"]).done();
    let home = home(&cloud);
    let told = case(&contain(&home, &session.id, &[]).done());
    assert_eq!((&told["user"], &told["state"]), (&json!("ann"), &json!("contained")), "{told}");
    assert_eq!(cloud.aws_as(&session, &["iam", "list-access-keys"]).refusal(), "AccessDenied");
    assert_eq!(states(&cloud, "ann"), [true], "the key itself is another matter");
    let role = contain(&home, &of_role.id, &[]).exited(6);
    assert!(role.stderr.contains(&format!("a session of role {arn}")), "{}", role.stderr);
    assert!(
        role.stderr.contains("aws:TokenIssueTime") && role.stderr.contains("put-role-policy --role-name deployer"),
        "{}",
        role.stderr
    );
}

/// The printed policy is enough for each strategy, and the least: without it nothing goes.
#[test]
fn the_printed_policy_is_enough() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("guard", "/");
    let guard = cloud.key("guard");
    let ann = cloud.user("ann");
    cloud.user_without_rights("bob", "/");
    let bob = cloud.key("bob");
    let home = Home::new(&cloud).profile("admin", &guard).profile("work", &ann.key);
    let refused = contain(&home, &bob.id, &[]).exited(1);
    assert!(refused.stderr.contains("akia policy contain"), "{}", refused.stderr);
    let printed = home.akia(&["policy", "contain"]).done();
    cloud.policy("guard", "contain", &serde_json::from_str(&printed.stdout).unwrap());
    let ran = contain(&home, &bob.id, &["--strategy", "quarantine"]).done();
    assert_eq!(case(&ran)["reach"]["told"]["is_admin"], false, "{}", ran.stdout);
    contain(&home, &bob.id, &["--strategy", "delete"]).done();
    let replaced = case(&contain(&home, &ann.key.id, &[]).done());
    assert_eq!((&replaced["strategy"], &replaced["state"]), (&json!("rotate"), &json!("contained")), "{replaced}");
    home.akia(&["undo", &id(&replaced), "--profile", "admin", "--yes"]).done();
    let gone = contain(&home, &bob.id, &[]).done();
    assert_eq!(case(&gone)["state"], "gone", "{}", gone.stdout);
}

#[test]
fn a_rotation_is_taken_back_by_its_id_or_its_profile_and_a_containment_by_its_id() {
    let cloud = Backend::Sandbox.open();
    let home = home(&cloud);
    let both = home.akia(&["undo", "r-0123456789abcdef", "--profile", "admin"]).exited(2);
    assert!(both.stderr.contains("by its id or by --profile"), "{}", both.stderr);
    let none = home.akia(&["undo", "k-0123456789abcdef", "--profile", "admin"]).exited(1);
    assert!(none.stderr.contains("the journal has no containment k-0123456789abcdef"), "{}", none.stderr);
    let flags = ["resume", "k-0123456789abcdef", "--without-evidence", "--profile", "admin"];
    assert!(home.akia(&flags).exited(2).stderr.contains("those flags are for rotations"));
}

/// AWS's policy was attached, the rest refused: whatever is done instead takes it off again.
#[test]
fn half_a_quarantine_leaves_nothing_behind() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(&cloud);
    cloud.sandbox().inject(Fault::on("PutUserPolicy", FaultKind::AccessDenied));
    contain(&home, &key.id, &["--strategy", "quarantine"]).exited(3);
    assert_eq!(cloud.attached("ann"), [DENIAL]);
    contain(&home, &key.id, &["--strategy", "deactivate"]).done();
    assert_eq!((states(&cloud, "ann"), cloud.attached("ann").len()), (vec![false], 0));
}

#[test]
fn a_person_sees_the_plan_and_is_asked() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let key = cloud.key("ann");
    let home = home(&cloud);
    let arguments = ["contain", &key.id, "--profile", "admin"];
    let no = home.akia_on_terminal(&arguments, &[("Contain this key? [y/N]", "n\n")]);
    assert_eq!((no.code, states(&cloud, "ann")), (1, vec![true]), "{}", no.stdout);
    let yes = home.akia_on_terminal(&arguments, &[("Contain this key? [y/N]", "y\n")]);
    assert_eq!((yes.code, states(&cloud, "ann")), (0, vec![false]), "{}", yes.stdout);
    for words in ["1. ", "is deactivated", "verified: AWS lists it as inactive", "akia undo k-"] {
        assert!(yes.stdout.contains(words), "{words}: {}", yes.stdout);
    }
}

/// Calls of long ago, and upon data: CloudTrail's event history has neither.
#[cfg(feature = "usage")]
#[test]
fn what_loaded_logs_have_of_the_key_is_in_the_plan_the_page_and_json() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/people/");
    let key = cloud.key("ann");
    let home = home(&cloud);
    let without = contain(&home, &key.id, &["--dry-run"]).done();
    assert!(case(&without)["logs"].is_null() && !without.stderr.contains("usage blast"), "{}", without.stderr);
    let event = |service: &str, name: &str, days: i64| {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
        json!({
            "eventTime": format!("{at:.0}"), "eventSource": format!("{service}.amazonaws.com"), "eventName": name,
            "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.9", "userAgent": "curl/8",
            "userIdentity": { "type": "IAMUser", "arn": cloud.user_arn("ann"), "accountId": cloud.account, "accessKeyId": key.id },
        })
    };
    let events = [event("iam", "CreateUser", 200), event("s3", "PutObject", 150), event("s3", "GetObject", 3)];
    let log = home.path("events.json");
    std::fs::write(&log, json!({ "Records": events }).to_string()).unwrap();
    home.akia(&["usage", "load", log.to_str().unwrap()]).done();

    let page = home.path("case.html");
    let ran = contain(&home, &key.id, &["--dry-run", "--report", page.to_str().unwrap()]).done();
    let told = case(&ran);
    assert_eq!(told["logs"]["told"]["changes"].as_array().unwrap().len(), 1, "{}", told["logs"]);
    assert!(told["next"].to_string().contains(&format!("akia usage blast {}", key.id)), "{}", told["next"]);
    assert!(told["timeline"].to_string().contains("first call that the loaded logs have"), "{}", told["timeline"]);
    for part in
        ["logs    what was loaded has calls of it", "permissions: iam:CreateUser (1)", "change: s3:PutObject (1)"]
    {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("What loaded logs have") && html.contains("iam:CreateUser"), "{html}");
}
