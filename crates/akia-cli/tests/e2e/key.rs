//! `akia key`: single acts, and what stands between a slip of the finger and somebody locked out.

use std::time::Duration;

use akia_sandbox::{AccountSpec, Fault, FaultKind, LastUsed};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{Backend, Cloud, Fact, Home, Key};

on_every_backend!(
    an_administrator_lists_shuts_opens_and_deletes,
    a_key_in_use_takes_more_than_yes,
    a_new_key_goes_straight_into_a_profile,
);

fn an_administrator_lists_shuts_opens_and_deletes(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let home = Home::new(cloud).profile("admin", &administrator(cloud)).profile("work", &ann.key);
    let admin = |words: &[&str]| home.akia(&[words, &["--profile", "admin", "--user", "ann"]].concat());

    let listed = admin(&["key", "list", "--output", "json"]).done().json();
    assert_eq!((&listed["schema"], &listed["user"]), (&json!("akia.key-list/1"), &json!("ann")));
    assert_eq!(listed["account"], json!(cloud.account));
    let row = |id: &str| listed["keys"].as_array().unwrap().iter().find(|row| row["access_key"] == id).unwrap().clone();
    assert_eq!((&row(&ann.key.id)["profiles"], &row(&second.id)["profiles"]), (&json!(["work"]), &json!([])));
    assert_eq!((&row(&second.id)["status"], &row(&second.id)["age_days"]), (&json!("Active"), &json!(0)));
    assert_eq!(row(&second.id)["last_used"]["state"], "never");

    // Without a terminal and without --yes nothing happens, nor with --dry-run.
    let refused = admin(&["key", "deactivate", &second.id]).exited(6);
    assert!(refused.stderr.contains("there is no terminal to ask on"), "{}", refused.stderr);
    let plan = admin(&["key", "deactivate", &second.id, "--dry-run", "--output", "json", "--show-aws-cli"]).done();
    assert_eq!(plan.json()["keys"][0]["state"], "would be deactivated");
    for shown in ["update-access-key", "--user-name ann", "--status Inactive", "--profile admin"] {
        assert!(plan.stderr.contains(shown), "{shown} in {}", plan.stderr);
    }
    assert!(cloud.keys("ann").iter().all(|key| key.active));

    let done = admin(&["key", "deactivate", &second.id, "--yes", "--output", "json"]).done().json();
    assert_eq!(done["schema"], "akia.key-deactivate/1");
    assert_eq!((&done["keys"][0]["status"], &done["keys"][0]["state"]), (&json!("Inactive"), &json!("deactivated")));
    assert_eq!(active(cloud, "ann"), [&*ann.key.id]);
    let again = admin(&["key", "deactivate", &second.id, "--yes"]).done();
    assert!(again.stderr.contains("is inactive already; nothing to do"), "{}", again.stderr);

    admin(&["key", "activate", &second.id, "--yes"]).done();
    assert_eq!(active(cloud, "ann").len(), 2);
    let refused = admin(&["key", "delete", &second.id, "--yes"]).exited(6);
    assert!(refused.stderr.contains("is active; a deleted key cannot be brought back"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("akia key deactivate {} --user ann", second.id)), "{}", refused.stderr);
    admin(&["key", "deactivate", &second.id, "--yes"]).done();
    let gone = admin(&["key", "delete", &second.id, "--yes", "--output", "csv"]).done();
    assert_eq!(
        gone.stdout,
        format!("access_key,user,account,status,state\n{},ann,{},,deleted\n", second.id, cloud.account)
    );
    assert_eq!(cloud.keys("ann").len(), 1);
    let twice = admin(&["key", "delete", &second.id, "--yes"]).exited(1);
    assert!(twice.stderr.contains(&format!("user ann has no key {}", second.id)), "{}", twice.stderr);
}

fn a_key_in_use_takes_more_than_yes(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let home = Home::new(cloud).profile("default", &ann.key).file(
        ".aws/config",
        "[profile build]\nrole_arn = arn:aws:iam::123456789012:role/build\nsource_profile = default\n",
    );
    let refused = home.akia(&["key", "deactivate", &ann.key.id, "--yes"]).exited(6);
    for told in [
        "it signs this very call, and cannot take it back",
        "profile \"default\" holds it, profile \"build\" assumes a role with it",
        "it is the only active key of user ann",
        "  now: nothing was changed",
    ] {
        assert!(refused.stderr.contains(told), "{told} in {}", refused.stderr);
    }
    let uses = cloud.backend.keeps(Fact::UseIsRecorded);
    assert_eq!(refused.stderr.contains("it was used just now by "), uses, "{}", refused.stderr);
    let despite = format!("{}signing-key,profile,only-key", if uses { "recent-use," } else { "" });
    let flags = format!("add --yes --despite {despite}\n");
    assert!(refused.stderr.contains(&flags), "{flags} in {}", refused.stderr);
    let some = home.akia(&["key", "deactivate", &ann.key.id, "--yes", "--despite", "profile,only-key"]).exited(6);
    assert!(some.stderr.contains("is not deactivated: ") && !some.stderr.contains("deactivated: profile"));
    assert_eq!(active(cloud, "ann"), [&*ann.key.id]);

    home.akia(&["key", "deactivate", &ann.key.id, "--yes", "--despite", &despite]).done();
    assert_eq!(active(cloud, "ann"), [""; 0]);
}

fn a_new_key_goes_straight_into_a_profile(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let home = Home::new(cloud).profile("default", &ann.key);
    let taken = home.akia(&["key", "create", "--into", "default", "--yes"]).exited(6);
    assert!(taken.stderr.contains("name another profile: --into NAME"), "{}", taken.stderr);
    assert!(!taken.stderr.contains("add --replace"), "{}", taken.stderr);
    let plan = home.akia(&["key", "create", "--into", "new one", "--dry-run"]).done();
    assert!(plan.stdout.contains("would be created"), "{}", plan.stdout);
    assert_eq!(cloud.keys("ann").len(), 1);

    let made = home.akia(&["key", "create", "--into", "new one", "--yes", "--output", "json"]).done();
    assert_eq!(made.json()["schema"], "akia.key-create/1");
    let row = made.json()["profiles"][0].clone();
    let keys = cloud.keys("ann");
    assert!(keys.iter().any(|key| key.active && key.id == row["access_key"]), "{row}");
    let who = home.aws(&["sts", "get-caller-identity", "--profile", "new one"]).done().json();
    assert_eq!(who["Arn"], json!(cloud.user_arn("ann")));
    let file = home.read(".aws/credentials");
    let secret = file.split("[new one]").nth(1).unwrap().split("aws_secret_access_key = ").nth(1).unwrap();
    let secret = secret.lines().next().unwrap();
    assert!(secret.len() >= 40 && !made.stdout.contains(secret) && !made.stderr.contains(secret));

    let full = home.akia(&["key", "create", "--into", "third", "--yes"]).exited(6);
    assert!(full.stderr.contains("user ann has 2 keys already, and AWS allows two"), "{}", full.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
    assert!(!home.read(".aws/credentials").contains("third"));
}

#[test]
fn a_new_key_that_cannot_be_written_is_deleted_again() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    // While AWS is slow to answer, somebody else fills the profile. A slow call is logged when it is done, so the one
    // before it is waited for.
    cloud.sandbox().clear_log();
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Slow(Duration::from_secs(2))));
    let run = home.command(&["key", "create", "--into", "new", "--yes"]).spawn().unwrap();
    wait_for(&cloud, "ListAccessKeys", 2);
    let before = home.read(".aws/credentials");
    let other = format!("{before}[new]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = other\n");
    let home = home.file(".aws/credentials", &other);
    // The key is not known everywhere at once: its deletion is told that it does not exist, and must not believe it.
    cloud.sandbox().inject(Fault::on("DeleteAccessKey", no_such_entity()));
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("was changed by another program meanwhile"), "{stderr}");
    assert!(stderr.contains("was deleted again"), "{stderr}");
    assert_eq!(cloud.keys("ann").len(), 1);
    assert_eq!(home.read(".aws/credentials"), other);
}

#[test]
fn a_key_that_is_not_the_users_is_told_for_what_it_is() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let other = cloud.sandbox().add_account(AccountSpec::new("210999999999")).unwrap();
    let stranger = other.add_user("eve", "/").unwrap().add_access_key(Timestamp::now()).unwrap().id;
    let home = Home::new(&cloud).profile("default", &ann.key).profile("admin", &administrator(&cloud));
    let mut typo = ann.key.id.clone();
    typo.replace_range(18..20, if typo.ends_with("AA") { "BB" } else { "AA" });
    let (short, lower) = (&ann.key.id[..19], ann.key.id.to_lowercase());
    let cut = &bob.key.id[..19];
    let temporary = "ASIAIOSFODNN7EXAMPLE";
    let table: [(&[&str], i64, &str, &str); 8] = [
        (&["key", "delete", &typo], 1, "it looks mistyped: ", &format!("akia key delete {}", ann.key.id)),
        (&["key", "deactivate", short], 1, "it looks mistyped: ", &format!("akia key deactivate {}", ann.key.id)),
        (&["key", "activate", &lower], 1, "it looks mistyped: ", "akia key list"),
        (&["key", "delete", cut], 1, "it has 19 characters, and AWS's key ids have 20", "akia key list"),
        (
            &["key", "deactivate", &bob.key.id, "-p", "admin", "--user", "ann"],
            1,
            &format!("{} is a key of user bob, not of user ann", bob.key.id),
            &format!("akia key deactivate {} --user bob", bob.key.id),
        ),
        (
            &["key", "deactivate", &stranger],
            1,
            &format!("{stranger} is a key of account 210999999999, and this is account {}", cloud.account),
            "name a profile of that account",
        ),
        (&["key", "delete", temporary], 2, "is the id of temporary credentials", "Revoke sessions"),
        (&["key", "list", "-p", "admin", "--user", "nobody"], 1, "has no user nobody", "check the name"),
    ];
    for (words, code, told, next) in table {
        let ran = home.akia(&[words, if words[1] == "list" { &[][..] } else { &["--yes"] }].concat()).exited(code);
        assert!(ran.stderr.contains(told), "{words:?}: {told} in {}", ran.stderr);
        assert!(ran.stderr.contains(next), "{words:?}: {next} in {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{words:?}");
    }
    assert_eq!((active(&cloud, "ann").len(), active(&cloud, "bob").len()), (1, 1));
}

#[test]
fn the_last_use_of_keys_is_told_one_by_one() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let used = LastUsed {
        at: Timestamp::now() - SignedDuration::from_hours(49),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    cloud.sandbox().set_last_used(&bob.key.id, Some(used)).unwrap();
    let home = Home::new(&cloud).profile("admin", &administrator(&cloud)).profile("ann", &ann.key);
    let table = home.akia(&["key", "last-used", &bob.key.id, &bob.key.id, "-p", "admin"]).done();
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", table.stdout);
    assert!(lines[1].ends_with("2d s3 eu-west-1"), "{}", table.stdout);
    let csv = home.akia(&["key", "last-used", "--user", "bob", "-p", "admin", "--output", "csv"]).done().stdout;
    assert!(csv.starts_with("access_key,user,last_used_at,last_used_service,last_used_region\n"), "{csv}");
    assert!(csv.ends_with(",s3,eu-west-1\n"), "{csv}");
    // Ann may ask about her own key only.
    let some = home.akia(&["key", "last-used", &ann.key.id, &bob.key.id, "-p", "ann", "--output", "json"]).exited(3);
    assert_eq!(some.json()["keys"][1]["last_used"]["state"], "unknown");
    assert!(some.stderr.contains("no such key in this account, or the right iam:GetAccessKeyLastUsed is missing"));
    let whose = home.akia(&["key", "last-used", &bob.key.id, "--user", "ann", "-p", "admin"]).exited(1);
    assert!(whose.stderr.contains("it is a key of user bob, not of user ann"), "{}", whose.stderr);
}

#[test]
fn a_rotation_of_this_machine_keeps_its_keys_to_itself() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let old = &ann.key.id;
    // Deactivation never gets through, so the rotation stops with both keys active.
    let broken = FaultKind::ServerError { status: 500, committed: false };
    cloud.sandbox().inject(Fault::on("UpdateAccessKey", broken).always());
    home.akia(&["rotate", "--yes"]).exited(5);
    cloud.sandbox().clear_faults();
    let all = ["recent-use", "profile", "only-key", "signing-key", "unknown-use"].join(",");
    let new = cloud.keys("ann").into_iter().map(|key| key.id).find(|id| id != old).unwrap();
    for key in [old, &new] {
        let ran = home.akia(&["key", "deactivate", key, "--yes", "--despite", &all]).exited(6);
        assert!(ran.stderr.contains(&format!("works on {key} and is not finished: it is ")), "{}", ran.stderr);
        assert!(ran.stderr.contains("next: akia resume r-") && ran.stderr.contains("akia undo r-"), "{}", ran.stderr);
    }
    let create = home.akia(&["key", "create", "--into", "other", "--yes"]).exited(6);
    assert!(create.stderr.contains("of user ann is not finished"), "{}", create.stderr);
    assert_eq!(active(&cloud, "ann").len(), 2);

    home.akia(&["resume"]).done();
    let listed = home.akia(&["key", "list", "--output", "json"]).done().json();
    let kept = listed["keys"].as_array().unwrap().iter().find(|row| row["access_key"] == **old).unwrap().clone();
    assert_eq!((&kept["rotation"]["hold"], &kept["status"]), (&json!("grace"), &json!("Inactive")));
    let id = kept["rotation"]["id"].as_str().unwrap();
    let delete = home.akia(&["key", "delete", old, "--yes", "--despite", &all]).exited(6);
    assert!(delete.stderr.contains(&format!("rotation {id} of this machine keeps {old} for an undo until 20")));
    assert!(delete.stderr.contains(&format!("akia retire {id} --now")), "{}", delete.stderr);
    let activate = home.akia(&["key", "activate", old, "--yes"]).exited(6);
    assert!(activate.stderr.contains(&format!("akia undo {id}")), "{}", activate.stderr);
    let full = home.akia(&["key", "create", "--into", "other", "--yes"]).exited(6);
    assert!(full.stderr.contains(&format!("akia retire {id} --now (it keeps {old} for an undo)")), "{}", full.stderr);
    home.akia(&["key", "deactivate", old, "--yes"]).done();
    assert_eq!(active(&cloud, "ann"), [new]);
}

#[test]
fn a_lost_answer_is_looked_up_and_a_lag_is_not_believed() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let lost = |committed| FaultKind::ServerError { status: 500, committed };
    cloud.sandbox().inject(Fault::on("UpdateAccessKey", lost(true)).always());
    home.akia(&["key", "deactivate", &second.id, "--yes"]).done();
    cloud.sandbox().clear_faults();
    assert_eq!(active(&cloud, "ann"), [&*ann.key.id]);
    cloud.sandbox().inject(Fault::on("DeleteAccessKey", lost(false)).always());
    let unknown = home.akia(&["key", "delete", &second.id, "--yes"]).exited(6);
    assert!(unknown.stderr.contains("it is not known whether"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("now: AWS lists it as inactive at this moment"), "{}", unknown.stderr);
    cloud.sandbox().clear_faults();
    cloud.sandbox().inject(Fault::on("DeleteAccessKey", no_such_entity()));
    let lag = home.akia(&["key", "delete", &second.id, "--yes"]).exited(1);
    assert!(lag.stderr.contains("does not exist, and lists it all the same"), "{}", lag.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
}

#[test]
fn a_key_that_changed_while_the_plan_was_read_is_not_deleted() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let user = cloud.sandbox().account().user("ann").unwrap();
    user.set_key_active(&second.id, false).unwrap();
    let home = Home::new(&cloud).profile("default", &ann.key);
    // The first look sees it inactive; the second is slow, and meanwhile somebody needs the key.
    cloud.sandbox().clear_log();
    let slow = FaultKind::Slow(Duration::from_secs(2));
    cloud.sandbox().inject(Fault::on("GetAccessKeyLastUsed", slow));
    let run = home.command(&["key", "delete", &second.id, "--yes"]).spawn().unwrap();
    wait_for(&cloud, "ListAccessKeys", 1);
    user.set_key_active(&second.id, true).unwrap();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("is active; a deleted key cannot be brought back"), "{stderr}");
    assert_eq!(active(&cloud, "ann").len(), 2);
}

#[test]
fn the_question_names_what_is_at_stake() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key).with("NO_COLOR", "1");
    let question = format!("Deactivate {}, although ", ann.key.id);
    let ran = home.akia_on_terminal(&["key", "deactivate", &ann.key.id], &[(&question, "n\n")]).exited(1);
    assert!(ran.stdout.contains("it is the only active key of user ann"), "{}", ran.stdout);
    assert_eq!(active(&cloud, "ann").len(), 1);
    home.akia_on_terminal(&["key", "deactivate", &ann.key.id], &[(&question, "y\n")]).done();
    assert_eq!(active(&cloud, "ann").len(), 0);
}

#[test]
fn what_needs_mfa_says_so_and_works_with_a_code() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let serial = cloud.mfa_device("ann");
    let deny = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Action": ["iam:UpdateAccessKey", "iam:DeleteAccessKey"], "Resource": "*",
        "Condition": { "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } },
    }] });
    cloud.policy("ann", "mfa", &deny);
    let home = Home::new(&cloud)
        .profile("default", &ann.key)
        .file(".aws/config", format!("[default]\nmfa_serial = {serial}\n"));
    let refused = home.akia(&["key", "deactivate", &second.id, "--yes"]).exited(1);
    assert!(refused.stderr.contains("add --mfa-code CODE"), "{}", refused.stderr);
    let code = cloud.mfa_code(&serial);
    home.akia(&["key", "deactivate", &second.id, "--yes", "--mfa-code", &code]).done();
    assert_eq!(active(&cloud, "ann"), [ann.key.id]);
}

#[test]
fn who_is_no_user_has_to_name_one() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let admin = administrator(&cloud);
    let all = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let role = cloud.role("keeper", &format!("arn:aws:iam::{}:root", cloud.account), &all);
    let home = Home::new(&cloud)
        .profile("base", &admin)
        .file(".aws/config", format!("[profile keeper]\nrole_arn = {role}\nsource_profile = base\n"));
    let unnamed = home.akia(&["key", "list", "-p", "keeper"]).exited(1);
    assert!(unnamed.stderr.contains("name the user whose keys are meant: --user NAME"), "{}", unnamed.stderr);
    let listed = home.akia(&["key", "list", "-p", "keeper", "--user", "ann", "--output", "json"]).done().json();
    assert_eq!(listed["keys"][0]["access_key"], json!(ann.key.id));
    // The key at the end of the role's chain signs, although it is not the one that the calls carry.
    let own = home.akia(&["key", "deactivate", &admin.id, "-p", "keeper", "--user", "boss", "--yes"]).exited(6);
    assert!(own.stderr.contains("it signs this very call"), "{}", own.stderr);
}

/// A user who may do everything.
fn administrator(cloud: &Cloud) -> Key {
    cloud.user_without_rights("boss", "/");
    let all = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    cloud.policy("boss", "all", &all);
    cloud.key("boss")
}

/// The ids of the active keys, read with the AWS CLI.
fn active(cloud: &Cloud, user: &str) -> Vec<String> {
    cloud.keys(user).into_iter().filter(|key| key.active).map(|key| key.id).collect()
}

fn no_such_entity() -> FaultKind {
    FaultKind::Refuse {
        status: 404,
        code: "NoSuchEntity".to_owned(),
        message: "The Access Key cannot be found.".to_owned(),
    }
}

/// Waits until the sandbox has seen a call so many times.
#[track_caller]
fn wait_for(cloud: &Cloud, action: &str, times: usize) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while cloud.sandbox().log().iter().filter(|call| call.action == action).count() < times {
        assert!(std::time::Instant::now() < end, "{action} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}
