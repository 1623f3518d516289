//! `akia rotate`, as people and scripts call it: what becomes of the files and of AWS.

use std::fs;
use std::os::unix::fs::symlink;

use akia_sandbox::{AccountSpec, Fault, FaultKind, Partition, Sandbox};
use serde_json::json;

use crate::hand::{assert_rotated, keys_of, masked, old_keys, user_with_old_key};
use crate::support::{Backend, Cloud, Fact, Home, Key};

on_every_backend!(
    profiles_that_share_a_key_get_the_new_one_together,
    retirement_can_be_at_once_and_be_signed_by_an_admin,
    two_keys_of_one_user_in_two_profiles_are_a_persons_decision,
);

/// Written as people write it: what stands around the values must not change.
const CREDENTIALS: &str = "# mine \u{2014} do not copy\r\n\
    [default]\r\n\
    aws_access_key_id     =\t{ID}\r\n\
    aws_secret_access_key = {SECRET}  \r\n\
    \r\n\
    [two words]\n\
    ; the same key\n\
    aws_secret_access_key={SECRET}\n\
    aws_access_key_id={ID}\n\
    region = eu-west-1\n\
    [prüfung]\n\
    aws_access_key_id= {ID}\n\
    aws_secret_access_key= {SECRET}\n\
    [other]\n\
    aws_access_key_id = {OTHER_ID}\n\
    aws_secret_access_key = {OTHER_SECRET}";

/// A config file with the same key in it once more, under a name in quotes.
const CONFIG: &str = "[profile \"it's mine\"]\n\
    region = eu-central-1\n\
    aws_access_key_id = {ID}   \n\
    aws_secret_access_key = {SECRET}\n\
    s3 =\n\
    \x20 addressing_style = path\n\
    [default]\n\
    output = json\n";

fn profiles_that_share_a_key_get_the_new_one_together(cloud: &Cloud) {
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let filled = |text: &str| {
        text.replace("{ID}", &ann.key.id)
            .replace("{SECRET}", &ann.key.secret)
            .replace("{OTHER_ID}", &bob.key.id)
            .replace("{OTHER_SECRET}", &bob.key.secret)
    };
    // The files are elsewhere, behind links, as with a synchronised folder.
    let home = Home::new(cloud)
        .file("synced/keys", filled(CREDENTIALS))
        .file("synced/settings", filled(CONFIG))
        .file("aws files/.keep", "");
    symlink("../synced/keys", home.path("aws files/credentials")).unwrap();
    symlink(home.path("synced/settings"), home.path("aws files/config")).unwrap();
    let (credentials, config) = (home.path("aws files/credentials"), home.path("aws files/config"));
    let home = home
        .with("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())
        .with("AWS_CONFIG_FILE", config.to_str().unwrap());

    let ran = home.akia(&["rotate", "--yes"]).done();
    assert!(ran.stderr.contains("profile \"two words\" in ") && ran.stderr.contains("(shares the key)"), "{ran:?}");

    assert_rotated(cloud, &home, "ann", "default", &ann.key);
    let new = keys_of(&home, "default");
    for profile in ["default", "two words", "prüfung", "it's mine"] {
        let said = home.aws(&["sts", "get-caller-identity", "--profile", profile]).done().json();
        assert_eq!(said["Arn"], cloud.user_arn("ann"), "{profile}");
        let id = home.aws(&["configure", "get", "aws_access_key_id", "--profile", profile]).done().stdout;
        assert_eq!(id.trim(), new.id, "{profile}");
    }
    if cloud.backend.keeps(Fact::InactiveKeyIsRefused) {
        assert_eq!(cloud.caller(&ann.key), Err("InvalidClientTokenId".to_owned()));
    }
    for (path, before) in [(&credentials, CREDENTIALS), (&config, CONFIG)] {
        assert!(fs::symlink_metadata(path).unwrap().is_symlink(), "{} stays a link", path.display());
        let now = fs::read_to_string(path).unwrap();
        assert_eq!(masked(&now, &[(&new, ""), (&bob.key, "OTHER_")]), before, "only values may change");
    }
    assert_eq!(cloud.keys("bob").len(), 1);
    assert_eq!(fs::read_dir(home.path("synced")).unwrap().count(), 2, "nothing is left beside the files");
}

fn retirement_can_be_at_once_and_be_signed_by_an_admin(cloud: &Cloud) {
    // Bob may do nothing at all: his key only says who he is.
    cloud.user_without_rights("bob", "/staff/");
    let bob = cloud.key("bob");
    cloud.user_without_rights("boss", "/");
    cloud.policy("boss", "everything", &everything());
    let boss = cloud.key("boss");
    let home = Home::new(cloud).profile("default", &bob).profile("boss", &boss);
    let ran =
        home.akia(&["rotate", "--user", "bob", "-p", "boss", "--yes", "--retire", "delete", "--output", "json"]).done();
    let report = ran.json();
    assert_eq!((&report["schema"], &report["rotations"][0]["rest"]), (&json!("akia.rotate/1"), &json!("retired")));
    let keys = cloud.keys("bob");
    assert!(keys.len() == 1 && keys[0].active && keys[0].id != bob.id, "{keys:?}");
    // The key is gone, but the report says which one came in its place.
    assert_eq!(report["rotations"][0]["new_key"], keys[0].id);
    assert_eq!(report["rotations"][0]["displaced_key"], bob.id);
    let said = home.aws(&["sts", "get-caller-identity"]).done().json();
    assert_eq!(said["Arn"], format!("arn:aws:iam::{}:user/staff/bob", cloud.account));
    assert!(keys_of(&home, "boss") == boss, "who signs keeps his key");
}

fn two_keys_of_one_user_in_two_profiles_are_a_persons_decision(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let second = cloud.key("ann");
    let home = Home::new(cloud).profile("home", &ann.key).profile("work", &second);
    let before = home.read(".aws/credentials");
    for arguments in [&["rotate", "-p", "home", "--yes"][..], &["rotate", "--all-profiles", "--yes"]] {
        let ran = home.akia(arguments).exited(6);
        assert!(ran.stderr.contains("use two different keys of user ann"), "{}", ran.stderr);
        assert!(ran.stderr.contains("next: akia setup work --from-profile home --replace"), "{}", ran.stderr);
        assert!(ran.stderr.ends_with("nothing was changed\n"), "{}", ran.stderr);
    }
    assert_eq!(home.read(".aws/credentials"), before);
    assert!(cloud.keys("ann").iter().all(|key| key.active));
    assert_eq!(cloud.keys("ann").len(), 2);
}

#[test]
fn a_dry_run_changes_nothing_anywhere() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud)
        .profile("ann", &ann.key)
        .profile("bob", &bob.key)
        .file(".aws/config", "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = ann\n");
    let files = || (home.read(".aws/credentials"), home.read(".aws/config"));
    let before = files();
    cloud.sandbox().clear_log();
    let ran = home.akia(&["rotate", "-a", "--dry-run", "--output", "json", "--show-aws-cli"]).done();
    let changes: Vec<String> = cloud
        .sandbox()
        .log()
        .into_iter()
        .filter(|call| !call.read_only && call.is_committed())
        .map(|call| call.action)
        .collect();
    assert_eq!(changes, Vec::<String>::new());
    assert_eq!(files(), before);
    let plan = ran.json();
    assert_eq!(plan["schema"], "akia.rotate-plan/1");
    let actions: Vec<(&str, &str)> = plan["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["profiles"][0].as_str().unwrap(), row["action"].as_str().unwrap()))
        .collect();
    assert_eq!(actions, [("ann", "rotate"), ("bob", "rotate"), ("role", "skip")]);
    // What it prints can be pasted: the user's own names are filled in.
    for command in [
        "aws iam create-access-key --user-name ann --profile ann",
        "aws iam update-access-key --user-name bob",
        "aws configure --profile bob",
    ] {
        assert!(ran.stderr.contains(command), "{command} in {}", ran.stderr);
    }
    assert!(ran.stderr.contains("# After the grace period: delete the key. This cannot be undone."), "{}", ran.stderr);
    assert_eq!(home.akia(&["history", "--output", "json"]).done().json()["rotations"], json!([]));
    let csv = home.akia(&["rotate", "-p", "ann", "--dry-run", "--output", "csv"]).done().stdout;
    assert!(csv.starts_with("profiles,user,displaced_key,created_at,action,reason\nann,ann,"), "{csv}");
}

#[test]
fn the_command_lines_of_the_shell_script_work_and_users_are_rotated_side_by_side() {
    let cloud = Backend::Sandbox.open();
    let names: Vec<String> = (0..12).map(|index| format!("u{index:02}")).collect();
    let people: Vec<_> = names.iter().map(|name| cloud.user(name)).collect();
    let home = people.iter().fold(Home::new(&cloud), |home, user| home.profile(&user.name, &user.key));
    cloud.sandbox().clear_log();
    let ran = home.akia(&["rotate", "-p", "u00", "-p", "u01", "-r", "eu-west-1", "--yes"]).done();
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    let log = cloud.sandbox().log();
    assert!(log.iter().any(|call| call.service == "sts"));
    assert!(log.iter().all(|call| call.service != "sts" || call.region == "eu-west-1"), "-r says where to ask");
    assert!(log.iter().all(|call| call.service != "iam" || call.region == "us-east-1"), "IAM is in one region");
    assert_eq!(creates(&cloud), 2);

    cloud.sandbox().clear_log();
    // The first two have had their turn and a key in grace: they are told, and do not hold up the others.
    let ran = home.akia(&["rotate", "-a", "--yes", "--output", "json"]).exited(3);
    let report = ran.json();
    let users: Vec<&str> =
        report["rotations"].as_array().unwrap().iter().map(|row| row["user"].as_str().unwrap()).collect();
    assert_eq!(users, names[2..], "in the order of the plan");
    assert_eq!(report["refused"][1]["profiles"], json!(["u01"]));
    assert_eq!(report["refused"][1]["needs_decision"], true);
    assert!(report["refused"][1]["next"][0].as_str().unwrap().starts_with("akia retire r-"), "{report}");
    assert_eq!(ran.stderr.matches("has two keys already").count(), 2, "{}", ran.stderr);
    let log = cloud.sandbox().log();
    let last_create = log.iter().rposition(|call| call.action == "CreateAccessKey" && call.is_committed()).unwrap();
    let first_end = log.iter().position(|call| {
        call.action == "UpdateAccessKey" && call.is_committed() && call.parameters["Status"] == "Inactive"
    });
    assert!(last_create < first_end.unwrap(), "every key is made before the first rotation ends");
    assert_eq!(creates(&cloud), 10);
    for (name, user) in names.iter().zip(&people) {
        assert_ne!(keys_of(&home, name).id, user.key.id);
    }
}

#[test]
fn only_what_is_old_enough_is_rotated() {
    let sandbox = Sandbox::builder().build();
    let cloud = Cloud::of(sandbox);
    let (old, young) = (user_with_old_key(&cloud, "ann", 100), user_with_old_key(&cloud, "bob", 80));
    let home = Home::new(&cloud).profile("old", &old).profile("young", &young);
    let ran = home.akia(&["rotate", "-a", "--older-than", "90d", "--yes"]).done();
    assert!(ran.stderr.contains("skip    profile \"young\": its key is 80 days old"), "{}", ran.stderr);
    assert_eq!(keys_of(&home, "young").id, young.id);
    assert_ne!(keys_of(&home, "old").id, old.id);
    let ran = home.akia(&["rotate", "-p", "young", "--older-than", "12w", "--yes"]).done();
    assert!(ran.stderr.ends_with("nothing to rotate\n"), "{}", ran.stderr);
    home.akia(&["rotate", "-p", "young", "--older-than", "soon"]).exited(2);
}

#[test]
fn the_layout_of_aws_mfa_is_understood() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let serial = cloud.mfa_device("ann");
    let session = cloud
        .aws_as(
            &ann.key,
            &["sts", "get-session-token", "--serial-number", &serial, "--token-code", &cloud.mfa_code(&serial)],
        )
        .done()
        .json();
    let session = Key::from_answer(&session);
    let home = Home::new(&cloud).profile("work-long-term", &ann.key).profile("work", &session);
    // The short-lived half is what people name; its key stands in the other section.
    home.akia(&["rotate", "-p", "work", "--yes"]).done();
    let new = keys_of(&home, "work-long-term");
    assert_ne!(new.id, ann.key.id);
    let text = home.read(".aws/credentials");
    let session_lines = format!(
        "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        session.id,
        session.secret,
        session.token.as_ref().unwrap()
    );
    assert!(text.ends_with(&session_lines), "the session is left alone");
    assert_eq!(
        home.aws(&["sts", "get-caller-identity", "--profile", "work-long-term"]).done().json()["Account"],
        cloud.account
    );
}

#[test]
fn one_mfa_code_serves_the_whole_run() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    let with_mfa = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    cloud.policy("ann", "own-keys", &cloud.backend.own_keys_policy(&with_mfa));
    let ann = cloud.key("ann");
    let serial = cloud.mfa_device("ann");
    let home = Home::new(&cloud)
        .profile("one", &ann)
        .profile("two", &ann)
        .file(".aws/config", format!("[profile one]\nmfa_serial = {serial}\n[profile two]\nmfa_serial = {serial}\n"));
    let ran = home.akia(&["rotate", "-a", "--yes"]).exited(1);
    assert!(ran.stderr.contains("next: add --mfa-code CODE to the command"), "{}", ran.stderr);
    let ran = home.akia(&["rotate", "-a", "--yes", "--mfa-code", "000000"]).exited(1);
    assert!(ran.stderr.contains("no session for the MFA device"), "{}", ran.stderr);
    assert_eq!(cloud.keys("ann").len(), 1);
    cloud.sandbox().clear_log();
    home.akia(&["rotate", "-a", "--yes", "--mfa-code", &cloud.mfa_code(&serial)]).done();
    let sessions = cloud.sandbox().log().iter().filter(|call| call.action == "GetSessionToken").count();
    assert_eq!(sessions, 1, "a code can be used once");
    assert_eq!(keys_of(&home, "one").id, keys_of(&home, "two").id);
    assert_rotated(&cloud, &home, "ann", "one", &ann);
}

#[test]
fn a_session_of_one_user_never_signs_for_another() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    cloud.policy("ann", "everything", &everything());
    let serial = cloud.mfa_device("ann");
    // Bob's profile names Ann's device: a line copied from her file.
    let home = Home::new(&cloud)
        .profile("ann", &ann.key)
        .profile("bob", &bob.key)
        .file(".aws/config", format!("[profile ann]\nmfa_serial = {serial}\n[profile bob]\nmfa_serial = {serial}\n"));
    let code = cloud.mfa_code(&serial);
    cloud.sandbox().clear_log();
    home.akia(&["rotate", "-p", "ann", "-p", "bob", "--yes", "--mfa-code", &code]);
    for call in cloud.sandbox().log() {
        let about = call.parameters.get("UserName").cloned();
        assert!(about.is_none() || about == call.user_name, "{} for {about:?} by {:?}", call.action, call.user_name);
    }
    assert_eq!(cloud.keys("bob").len(), 1);
    assert_eq!(keys_of(&home, "bob").id, bob.key.id);
}

#[test]
fn an_admin_with_an_mfa_device_signs_in_a_session() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("boss", "/");
    let all = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "iam:*", "Resource": "*",
        "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } },
    }] });
    cloud.policy("boss", "with-mfa", &all);
    let (boss, serial) = (cloud.key("boss"), cloud.mfa_device("boss"));
    cloud.user_without_rights("bob", "/");
    let bob = cloud.key("bob");
    let home = Home::new(&cloud)
        .profile("default", &bob)
        .profile("boss", &boss)
        .file(".aws/config", format!("[profile boss]\nmfa_serial = {serial}\n"));
    let code = cloud.mfa_code(&serial);
    home.akia(&["rotate", "--user", "bob", "-p", "boss", "--yes", "--mfa-code", &code]).done();
    assert_rotated(&cloud, &home, "bob", "default", &bob);
}

#[test]
fn gov_and_china_are_asked_in_their_own_regions() {
    for (partition, arn, iam_region) in [
        (Partition::AwsUsGov, "arn:aws-us-gov:iam:", "us-gov-west-1"),
        (Partition::AwsCn, "arn:aws-cn:iam:", "cn-north-1"),
    ] {
        let account = AccountSpec::new("123456789012").partition(partition);
        let cloud = Cloud::of(Sandbox::builder().account(account).build());
        let ann = user_with_old_key(&cloud, "ann", 10);
        let home = Home::new(&cloud)
            .profile("default", &ann)
            .with("AWS_REGION", iam_region)
            .with("AWS_DEFAULT_REGION", iam_region);
        cloud.sandbox().clear_log();
        home.akia(&["rotate", "--yes", "--retire", "delete"]).done();
        assert!(cloud.sandbox().log().iter().all(|call| call.region == iam_region), "{iam_region}");
        let said = home.aws(&["sts", "get-caller-identity"]).done().json();
        assert!(said["Arn"].as_str().unwrap().starts_with(arn), "{said}");
        assert_eq!(old_keys(&cloud, &ann), 0);
    }
}

#[test]
fn a_key_that_is_kept_is_retired_on_a_persons_word() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let kept = home.akia(&["rotate", "--yes", "--retire", "keep", "--output", "json"]).done().json();
    let rotation = kept["rotations"][0]["rotation"].as_str().unwrap().to_owned();
    let second = keys_of(&home, "default");
    assert!(cloud.keys("ann").iter().all(|key| key.active));

    // The next run says how to go on; what it says works.
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains(&format!("which rotation {rotation} displaced and kept")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("next: akia key last-used {}", ann.key.id)), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("or: akia key deactivate {}", ann.key.id)), "{}", ran.stderr);
    assert!(!ran.stderr.contains("akia retire"), "there is nothing to retire: {}", ran.stderr);
    let ran = home.akia(&["retire", &rotation, "--now", "--yes"]).exited(1);
    assert!(ran.stderr.contains("was kept active, as asked"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("next: akia key last-used {}", ann.key.id)), "{}", ran.stderr);
    // An active key that was used is not deleted, even by name.
    let ran = home.akia(&["rotate", "--yes", "--delete-key", &ann.key.id]).exited(1);
    assert!(ran.stderr.contains("is active and has been used"), "{}", ran.stderr);
    cloud.call(
        "iam",
        "update_access_key",
        json!({
            "UserName": "ann", "AccessKeyId": ann.key.id, "Status": "Inactive",
        }),
    );
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains(&format!("next: add --delete-key {} to the command", ann.key.id)), "{}", ran.stderr);
    home.akia(&["rotate", "--yes", "--delete-key", &ann.key.id]).done();
    let third = keys_of(&home, "default");
    assert_ne!(third.id, second.id);
    assert_rotated(&cloud, &home, "ann", "default", &second);
    // The rotation that kept it is over, and holds its secret no longer.
    let history = home.akia(&["history", "--output", "json"]).done().json();
    let first = history["rotations"].as_array().unwrap().iter().find(|row| row["rotation"] == rotation.as_str());
    assert_eq!(first.unwrap()["rest"], "retired");
    let shown = home.akia(&["history", "show", &rotation]).done().stdout;
    assert!(shown.contains("displaced-gone") && shown.contains("secrets-wiped"), "{shown}");
}

fn everything() -> serde_json::Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] })
}

fn creates(cloud: &Cloud) -> usize {
    cloud.sandbox().log().iter().filter(|call| call.action == "CreateAccessKey" && call.is_committed()).count()
}

#[test]
fn a_rotation_that_is_given_up_names_the_key_that_made_room() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let spare = cloud.key("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::AccessDenied));
    let ran = home.akia(&["rotate", "--yes", "--delete-key", &spare.id, "--output", "json"]).exited(3);
    let told = ran.json();
    let state = told["rotations"][0]["state"].as_str().unwrap();
    let said = format!("{} was deleted to make room, as asked; nothing else was changed", spare.id);
    assert!(state.contains(&said), "{state}");
    assert_eq!(cloud.keys("ann").len(), 1);
    let listed = home.akia(&["history"]).done();
    assert!(listed.stdout.contains(&spare.id), "{}", listed.stdout);
}
