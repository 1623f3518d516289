//! Ctrl-C, `kill` and lost answers: what a stopped run leaves, and how `akia resume` and `akia undo` end it.

use std::time::Duration;

use akia_sandbox::{Fault, FaultKind};

use crate::hand::{assert_as_before, assert_rotated, interrupt, keys_of};
use crate::support::{Backend, Home};

/// Stops a rotation when it says this, and finishes it.
fn interrupted_and_resumed(at: &str, signal: &str) {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    // The signal has to arrive before the end: the second of these calls, after the delivery, takes its time.
    cloud.sandbox().inject(Fault::on("GetAccessKeyLastUsed", FaultKind::Slow(Duration::from_secs(5))).nth(2));
    let ran = interrupt(&home, &["rotate", "--yes", "--output", "json"], at, &[signal]).exited(5);
    cloud.sandbox().clear_faults();
    assert!(ran.stderr.contains("stopping at the next safe point"), "{}", ran.stderr);
    let id = ran.json()["rotations"][0]["rotation"].as_str().unwrap().to_owned();
    assert_eq!(ran.json()["rotations"][0]["rest"], "interrupted");
    assert!(ran.stderr.contains(&format!("next: akia resume {id}")), "{}", ran.stderr);
    // Whatever the file holds works.
    assert_eq!(cloud.caller(&keys_of(&home, "default")), Ok(cloud.user_arn("ann")));
    // A second rotation does not begin over it.
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains(&format!("rotation {id} of user ann is not finished")), "{}", ran.stderr);
    home.akia(&["resume", "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
    assert!(home.akia(&["resume"]).done().stderr.contains("no rotation is unfinished"));
}

#[test]
fn ctrl_c_after_the_create_is_resumed() {
    interrupted_and_resumed("created AKIA", "-INT");
}

#[test]
fn ctrl_c_in_the_wait_is_resumed() {
    interrupted_and_resumed("waiting until AWS knows", "-INT");
}

#[test]
fn a_request_to_end_after_the_proof_is_resumed() {
    interrupted_and_resumed("the new key is proven", "-TERM");
}

#[test]
fn a_terminal_that_goes_away_after_the_delivery_is_resumed() {
    interrupted_and_resumed("delivered to profile", "-HUP");
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_undo_takes_all_back() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let before = home.read(".aws/credentials");
    // The list of rivals does not come when the person loses patience.
    cloud.sandbox().inject(Fault::on("ListAccessKeys", FaultKind::Slow(Duration::from_secs(20))).nth(2));
    interrupt(&home, &["rotate", "--yes"], "waiting until AWS knows", &["-INT", "-INT"]).exited(5);
    cloud.sandbox().clear_faults();
    let ran = home.akia(&["undo", "--yes"]).done();
    assert!(ran.stdout.contains("it was taken back") || ran.stdout.contains("given up"), "{}", ran.stdout);
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    assert_eq!(cloud.keys("ann").len(), 1, "the new key is deleted");
    assert_eq!(home.read(".aws/credentials"), before);
}

#[test]
fn killed_outright_with_a_create_in_doubt_it_is_found_out_and_a_person_decides() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::LostAnswerAfterCommit));
    interrupt(&home, &["rotate", "--yes"], "no answer to the create request", &["-KILL"]).exited(-1);
    assert_eq!(keys_of(&home, "default").id, ann.key.id);
    // Whose key it is only CloudTrail could say, and Ann may not read it.
    let ran = home.akia(&["resume"]).exited(6);
    assert!(ran.stderr.contains("is it ours?"), "{ran:?}");
    let orphan = cloud.keys("ann").into_iter().find(|key| key.id != ann.key.id).unwrap();
    assert!(ran.stderr.contains(&format!("--delete-orphan {}", orphan.id)), "{}", ran.stderr);
    let id = ran.stderr.split("next: akia resume ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    // An answer to another question is a mistake; and a key is deleted on a clear word only.
    home.akia(&["resume", &id, "--delete-orphan", &ann.key.id, "--yes"]).exited(2);
    home.akia(&["resume", &id, "--delete-orphan", &orphan.id]).exited(6);
    assert_eq!(cloud.keys("ann").len(), 2);
    home.akia(&["resume", &id, "--delete-orphan", &orphan.id, "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
    assert!(cloud.keys("ann").iter().all(|key| key.id != orphan.id));
}

#[test]
fn what_stays_broken_is_left_for_resume_with_the_old_key_in_place() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    // From the second change on (the first are harmless probes of the rights) nothing is changed, until it is mended.
    cloud
        .sandbox()
        .inject(Fault::on("UpdateAccessKey", FaultKind::ServerError { status: 503, committed: false }).nth(2).always());
    let ran = home.akia(&["rotate", "--yes"]).exited(5);
    assert!(ran.stderr.contains("next: akia resume r-") && ran.stderr.contains("or: akia undo r-"), "{}", ran.stderr);
    assert_eq!(cloud.caller(&keys_of(&home, "default")), Ok(cloud.user_arn("ann")));
    assert_eq!(cloud.caller(&ann.key), Ok(cloud.user_arn("ann")), "both work");
    cloud.sandbox().clear_faults();
    home.akia(&["resume", "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
}

#[test]
fn a_key_that_was_to_be_deleted_at_once_is_deleted_by_resume() {
    // Killed between deactivation and deletion; and stopped, because AWS would not delete it.
    for killed in [true, false] {
        let cloud = Backend::Sandbox.open();
        let ann = cloud.user("ann");
        let home = Home::new(&cloud).profile("default", &ann.key);
        let rotate = ["rotate", "--retire", "delete", "--yes"];
        if killed {
            // The first of these calls only finds out whether it is allowed.
            cloud.sandbox().inject(Fault::on("DeleteAccessKey", FaultKind::Slow(Duration::from_secs(30))).nth(2));
            interrupt(&home, &rotate, "deactivated AKIA", &["-KILL"]).exited(-1);
        } else {
            cloud.sandbox().inject(Fault::on("DeleteAccessKey", FaultKind::AccessDenied).nth(2).times(100));
            let ran = home.akia(&rotate).exited(5);
            assert!(ran.stderr.contains("next: akia resume r-"), "{}", ran.stderr);
        }
        cloud.sandbox().clear_faults();
        assert_eq!(cloud.keys("ann").len(), 2);
        let ran = home.akia(&["resume", "--yes"]).done();
        assert!(!ran.stderr.contains("no rotation is unfinished"), "{}", ran.stderr);
        let ids: Vec<String> = cloud.keys("ann").into_iter().map(|key| key.id).collect();
        assert_eq!(ids, [keys_of(&home, "default").id]);
    }
}
