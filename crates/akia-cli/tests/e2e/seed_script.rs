//! The failures of `aws_rotate_access_key.sh`, which akia takes the place of: each a test by its name.
//!
//! The script made the key first and looked afterwards; it deleted the oldest key to make room; it wrote whatever came
//! back into the file. Here each of these ends with file and keys as they were, an exit code that says so, and a line
//! that says what to do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use akia_sandbox::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::hand::{assert_as_before, assert_rotated, keys_of};
use crate::support::{Backend, Cloud, Fact, Home, Ran};

on_every_backend!(
    create_refused_for_want_of_a_right_leaves_file_and_key,
    two_keys_present_deletes_nothing_unasked,
    listing_refused_stops_before_anything,
);

/// A policy of these actions on everything.
fn allow(actions: &[&str]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
}

fn create_refused_for_want_of_a_right_leaves_file_and_key(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    let rights =
        ["iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAccessKeys", "iam:UpdateAccessKey"];
    cloud.policy("ann", "no-create", &allow(&rights));
    let ann = cloud.key("ann");
    let home = Home::new(cloud).profile("default", &ann);
    let before = home.read(".aws/credentials");
    let ran = home.akia(&["rotate", "--yes"]).exited(1);
    assert!(ran.stderr.contains("AWS refused to create a key: "), "{}", ran.stderr);
    // moto answers in the form of EC2's errors, whose code the SDK does not find.
    let words = if cloud.backend == Backend::Moto { "http 403" } else { "access denied" };
    assert!(ran.stderr.contains(words) && ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: akia policy check"), "{}", ran.stderr);
    assert_eq!(home.read(".aws/credentials"), before);
    assert_as_before(cloud, &home, "ann", "default", &ann);
    // It is over: nothing is left to resume, and the next run is free to begin.
    assert!(home.akia(&["resume", "--yes"]).done().stderr.contains("no rotation is unfinished"));
}

#[test]
fn create_refused_for_the_quota_or_for_throttling_leaves_file_and_key() {
    let limit = FaultKind::Refuse {
        status: 409,
        code: "LimitExceeded".to_owned(),
        message: "Cannot exceed quota for AccessKeysPerUser: 2".to_owned(),
    };
    for (fault, words) in [(limit, "Cannot exceed quota"), (FaultKind::Throttle, "throttled")] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann");
        let home = Home::new(&cloud).profile("default", &ann.key);
        let before = home.read(".aws/credentials");
        cloud.sandbox().inject(Fault::on("CreateAccessKey", fault).always());
        let ran = home.akia(&["rotate", "--yes", "--output", "json"]).exited(1);
        assert_eq!(ran.json()["rotations"][0]["rest"], "aborted");
        assert!(ran.stderr.contains(words) && ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert_eq!(home.read(".aws/credentials"), before);
        assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    }
}

#[test]
fn a_throttled_create_is_tried_again_and_makes_one_key() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Throttle));
    home.akia(&["rotate", "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
}

fn two_keys_present_deletes_nothing_unasked(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let spare = cloud.key("ann");
    // Used and active: somebody needs it.
    assert!(cloud.caller(&spare).is_ok());
    cloud.aws_as(&spare, &["iam", "get-user", "--user-name", "ann"]).done();
    let home = Home::new(cloud).profile("default", &ann.key);
    let before = home.read(".aws/credentials");
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains("user ann has two keys already, and AWS allows no third"), "{}", ran.stderr);
    if cloud.backend.keeps(Fact::UseIsRecorded) {
        assert!(ran.stderr.contains(&format!("next: akia key last-used {}", spare.id)), "{}", ran.stderr);
        let ran = home.akia(&["rotate", "--yes", "--delete-key", &spare.id]).exited(1);
        assert!(ran.stderr.contains("is active and has been used"), "{}", ran.stderr);
    }
    // Neither the key of the profile nor one of somebody else goes by way of this flag.
    home.akia(&["rotate", "--yes", "--delete-key", &ann.key.id]).exited(6);
    home.akia(&["rotate", "--yes", "--delete-key", &cloud.admin.id]).exited(if cloud.admin.id.starts_with("AKIA") {
        6
    } else {
        2
    });
    assert_eq!(home.read(".aws/credentials"), before);
    assert!(cloud.keys("ann").iter().all(|key| key.active), "both are there and active");

    // Inactive, and named by the person: now there is room.
    let off = json!({ "UserName": "ann", "AccessKeyId": spare.id, "Status": "Inactive" });
    cloud.call("iam", "update_access_key", off);
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains(&format!("next: add --delete-key {} to the command", spare.id)), "{}", ran.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
    let ran = home.akia(&["rotate", "--yes", "--delete-key", &spare.id]).done();
    assert!(ran.stderr.contains(&format!("delete {} to make room, as you said", spare.id)), "{}", ran.stderr);
    assert_rotated(cloud, &home, "ann", "default", &ann.key);
}

#[test]
fn a_second_key_that_was_never_used_goes_when_it_is_named() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let spare = cloud.key("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    home.akia(&["rotate", "--yes", "--delete-key", &spare.id]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
}

fn listing_refused_stops_before_anything(cloud: &Cloud) {
    cloud.user_without_rights("ann", "/");
    cloud.policy("ann", "no-list", &allow(&["iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"]));
    let ann = cloud.key("ann");
    let home = Home::new(cloud).profile("default", &ann);
    let ran = home.akia(&["rotate", "--yes"]).exited(1);
    assert!(ran.stderr.contains("the user's keys cannot be listed"), "{}", ran.stderr);
    // Without the code of the refusal, as from moto, it may be another than AWS that answers.
    let next = if cloud.backend == Backend::Moto { "next: look at HTTPS_PROXY" } else { "next: akia policy check" };
    assert!(ran.stderr.contains(next), "{}", ran.stderr);
    assert_as_before(cloud, &home, "ann", "default", &ann);
    if cloud.backend == Backend::Sandbox {
        assert!(
            cloud
                .sandbox()
                .log()
                .iter()
                .all(|call| call.action != "CreateAccessKey" || call.user_name.as_deref() != Some("ann"))
        );
    }
}

#[test]
fn rights_to_retire_that_are_missing_are_named_before_a_key_is_made() {
    let cloud = Backend::Sandbox.open();
    cloud.user_without_rights("ann", "/");
    cloud.policy("ann", "half", &allow(&["iam:CreateAccessKey", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"]));
    let ann = cloud.key("ann");
    let home = Home::new(&cloud).profile("default", &ann);
    let ran = home.akia(&["rotate", "--yes"]).exited(1);
    assert!(ran.stderr.contains("may not iam:UpdateAccessKey, iam:DeleteAccessKey"), "{}", ran.stderr);
    assert_as_before(&cloud, &home, "ann", "default", &ann);
}

/// What holds no long-term key of its own is refused with the reason, and nobody at AWS is asked to change anything.
#[test]
fn role_temporary_and_sso_profiles_are_refused_with_the_reason() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let session = cloud.aws_as(&ann.key, &["sts", "get-session-token"]).done().json();
    let session = crate::support::Key::from_answer(&session);
    let home = Home::new(&cloud).profile("base", &ann.key).profile("temporary", &session).file(
        ".aws/config",
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n\
         [profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n\
         [sso-session s]\nsso_start_url = https://example.com/start\nsso_region = us-east-1\n\
         [profile empty]\nregion = eu-west-1\n",
    );
    let before = home.read(".aws/credentials");
    cloud.sandbox().clear_log();
    for (profile, reason, next) in [
        ("role", "assumes a role through profile \"base\"", "next: akia rotate --profile base"),
        ("temporary", "temporary", "next: akia status --profile temporary"),
        ("sso", "signs in through IAM Identity Center (SSO)", "next: akia status --profile sso"),
        ("empty", "no long-term access key", "next: akia status --profile empty"),
        ("base2", "there is no profile \"base2\" in ", "next: akia rotate --profile base"),
    ] {
        let ran = home.akia(&["rotate", "-p", profile, "--yes"]).exited(1);
        assert!(ran.stderr.contains(reason), "{profile}: {}", ran.stderr);
        assert!(ran.stderr.contains(next), "{profile}: {}", ran.stderr);
        assert!(ran.stderr.ends_with("nothing was changed\n"), "{profile}: {}", ran.stderr);
    }
    assert_eq!(cloud.sandbox().log().len(), 0, "AWS was not even asked");
    assert_eq!(home.read(".aws/credentials"), before);
}

#[test]
fn what_aws_refuses_to_know_is_refused_with_the_next_step() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let gone = cloud.key("ann");
    cloud.call("iam", "delete_access_key", json!({ "UserName": "ann", "AccessKeyId": gone.id }));
    let root = cloud.sandbox().account().add_root_key(cloud.sandbox().now()).unwrap();
    let root = crate::support::Key { id: root.id, secret: root.secret, token: None };
    let home = Home::new(&cloud).profile("typo", &ann.key.mistyped()).profile("gone", &gone).profile("root", &root);
    for (profile, words, next) in [
        ("typo", "AWS does not accept key", "akia setup typo (with a key that works)"),
        ("gone", "AWS does not accept key", "akia setup gone (with a key that works)"),
        ("root", "belongs to the root user", "delete the root key in the console"),
    ] {
        let ran = home.akia(&["rotate", "-p", profile, "--yes"]).exited(1);
        assert!(ran.stderr.contains(words) && ran.stderr.contains(next), "{profile}: {}", ran.stderr);
    }
    assert_eq!(cloud.keys("ann").len(), 1);
}

#[test]
fn a_key_in_the_environment_is_not_silently_passed_over() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud)
        .profile("default", &ann.key)
        .with("AWS_ACCESS_KEY_ID", &bob.key.id)
        .with("AWS_SECRET_ACCESS_KEY", &bob.key.secret);
    let ran = home.akia(&["rotate", "--yes"]).exited(2);
    assert!(ran.stderr.contains("which key is meant?"), "{}", ran.stderr);
    assert!(ran.stderr.contains("next: akia rotate -p default"), "{}", ran.stderr);
    // As in the AWS CLI, a profile that is named beats the environment.
    home.akia(&["rotate", "-p", "default", "--yes"]).done();
    assert_eq!(cloud.keys("bob").len(), 1);
    assert_eq!(cloud.keys("ann").len(), 2);
}

/// Root may write anywhere, so a file that cannot be written has to be made with a mount of the test's own.
#[test]
fn a_read_only_file_and_a_full_disk_are_found_before_a_key_is_made() {
    for (setting, words) in [
        ("mount -o remount,ro,size=64k tmpfs \"$1\"", "read-only"),
        ("! dd if=/dev/zero of=\"$1\"/filler bs=4k 2>/dev/null", "no space left"),
        ("mkdir \"$1\"/c && mount --bind \"$1\"/credentials \"$1\"/credentials", "is a mount point of its own"),
    ] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann");
        let home = Home::new(&cloud).profile("default", &ann.key);
        cloud.sandbox().clear_log();
        let ran = in_small_file_system(&home, setting, &["rotate", "--yes"]).exited(1);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(ran.stderr.ends_with("nothing was changed\n"), "{words}: {}", ran.stderr);
        assert!(cloud.sandbox().log().iter().all(|call| call.action != "CreateAccessKey"), "{words}");
        assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    }
}

/// Runs akia where `~/.aws` is a small file system of its own, spoilt by a shell command (`$1` is the folder). Outside
/// of the new mount namespace `~/.aws` stays as it is.
fn in_small_file_system(home: &Home, setting: &str, arguments: &[&str]) -> Ran {
    let script = format!(
        "set -e; cp -p \"$1\"/credentials \"$2\"; mount -t tmpfs -o size=64k tmpfs \"$1\"; \
         cp -p \"$2\" \"$1\"/credentials; rm \"$2\"; {setting}; akia=$3; shift 3; exec \"$akia\" \"$@\""
    );
    let inner = home.command(arguments);
    // /proc/self belongs to whoever this process acts as.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let flags: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let mut command = Command::new("unshare");
    command.args(flags).args(["sh", "-c", &script, "sh"]);
    command.arg(home.path(".aws")).arg(home.path("tmp/copy")).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(inner.get_current_dir().unwrap_or(Path::new("/")));
    let output = command.output().unwrap();
    Ran {
        what: format!("akia {} after {setting}", arguments.join(" ")),
        code: output.status.code().unwrap_or(-1).into(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_profile_name_with_a_space_and_a_second_user_go_their_own_ways() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud).profile("my work", &ann.key).profile("bob", &bob.key);
    home.akia(&["rotate", "-p", "my work", "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "my work", &ann.key);
    assert_eq!(keys_of(&home, "bob").id, bob.key.id);
    // One refused, one done: said of each, and the code says that it is partly done.
    let ran = home.akia(&["rotate", "-p", "my work", "-p", "bob", "--yes"]).exited(3);
    assert!(ran.stderr.contains("user ann has two keys already"), "{}", ran.stderr);
    assert_rotated(&cloud, &home, "bob", "bob", &bob.key);
}
