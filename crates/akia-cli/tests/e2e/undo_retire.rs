//! `akia undo`, `akia retire` and `akia history`, after the rotations that they are about.

use std::process::Command;

use serde_json::json;

use crate::hand::{assert_as_before, assert_rotated, keys_of};
use crate::support::{Backend, Cloud, Fact, Home};

on_every_backend!(undo_brings_the_old_key_back_and_retire_ends_it);

fn undo_brings_the_old_key_back_and_retire_ends_it(cloud: &Cloud) {
    let ann = cloud.user("ann");
    let home = Home::new(cloud).profile("default", &ann.key).profile("two words", &ann.key);
    let before = home.read(".aws/credentials");
    home.akia(&["rotate", "--yes"]).done();
    let new = keys_of(&home, "default");

    let plan = home.akia(&["undo", "--dry-run", "--show-aws-cli"]).done();
    assert!(plan.stderr.contains(&format!("activate {}", ann.key.id)), "{}", plan.stderr);
    assert_rotated(cloud, &home, "ann", "default", &ann.key);
    // Without a terminal and without --yes nothing is taken back.
    let refused = home.akia(&["undo"]).exited(6);
    assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);

    let ran = home.akia(&["undo", "--yes", "--output", "json"]).done();
    assert_eq!(ran.json()["rotations"][0]["rest"], "undone");
    assert_eq!(home.read(".aws/credentials"), before, "not a byte differs");
    assert_as_before(cloud, &home, "ann", "two words", &ann.key);
    if cloud.backend.keeps(Fact::InactiveKeyIsRefused) {
        assert_eq!(cloud.caller(&new), Err("InvalidClientTokenId".to_owned()));
    }
    // Twice is once.
    let again = home.akia(&["undo", "--yes"]).exited(1);
    assert!(again.stderr.contains("cannot be taken back: undone, new key in grace"), "{}", again.stderr);

    let id = ran.json()["rotations"][0]["rotation"].as_str().unwrap().to_owned();
    assert!(home.akia(&["retire", "--yes"]).done().stderr.contains("no old key has outlived its grace period"));
    let waits = home.akia(&["retire", &id, "--yes"]).exited(6);
    assert!(waits.stderr.contains(&format!("next: akia retire {id} --now")), "{}", waits.stderr);
    home.akia(&["retire", &id, "--now", "--yes"]).done();
    let keys = cloud.keys("ann");
    assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [ann.key.id.as_str()]);
    assert_as_before(cloud, &home, "ann", "default", &ann.key);
}

#[test]
fn undo_takes_the_latest_run_or_the_profile_that_is_named() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob, cat) = (cloud.user("ann"), cloud.user("bob"), cloud.user("cat"));
    let home = Home::new(&cloud).profile("ann", &ann.key).profile("bob", &bob.key).profile("cat", &cat.key);
    home.akia(&["rotate", "-p", "cat", "--yes"]).done();
    home.akia(&["rotate", "-p", "ann", "-p", "bob", "--yes"]).done();
    let missing = home.akia(&["undo", "-p", "dora", "--yes"]).exited(1);
    assert!(missing.stderr.contains("the journal has no rotation of profile \"dora\""), "{}", missing.stderr);
    let ran = home.akia(&["undo", "--yes"]).done();
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert_as_before(&cloud, &home, "ann", "ann", &ann.key);
    assert_as_before(&cloud, &home, "bob", "bob", &bob.key);
    assert_rotated(&cloud, &home, "cat", "cat", &cat.key);
    home.akia(&["undo", "-p", "cat", "--yes"]).done();
    assert_as_before(&cloud, &home, "cat", "cat", &cat.key);
}

#[test]
fn after_the_grace_the_old_key_is_deleted_and_undo_says_what_is_left_to_do() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud).profile("default", &ann.key).profile("bob", &bob.key);
    let run = home.akia(&["rotate", "-a", "--grace", "1s", "--yes", "--output", "json"]).done().json();
    let ids: Vec<&str> =
        run["rotations"].as_array().unwrap().iter().map(|row| row["rotation"].as_str().unwrap()).collect();
    // Reading the keys takes longer than the grace.
    assert!(cloud.keys("ann").iter().any(|key| key.id == ann.key.id && !key.active));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let plan = home.akia(&["retire", "--dry-run"]).done();
    assert!(plan.stderr.contains(&format!("delete {}", ann.key.id)), "{}", plan.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
    home.akia(&["retire"]).exited(6);
    let ran = home.akia(&["retire", "--yes"]).done();
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert_eq!(cloud.keys("ann").len(), 1);
    assert_eq!(cloud.keys("bob").len(), 1);
    assert!(ran.stdout.contains(&keys_of(&home, "default").id), "the key that stays is named: {}", ran.stdout);
    // Twice is once.
    assert!(home.akia(&["retire", "--yes"]).done().stderr.contains("no old key has outlived"));
    let twice = home.akia(&["retire", ids[0], "--now", "--yes"]).exited(1);
    assert!(twice.stderr.contains("has no key to retire: it is done"), "{}", twice.stderr);
    let undo = home.akia(&["undo", ids[0], "--yes"]).exited(1);
    assert!(undo.stderr.contains(&format!("rotation {} cannot be taken back: done", ids[0])), "{}", undo.stderr);
    assert!(undo.stderr.contains("(a fresh key)"), "{}", undo.stderr);
    // Nothing is sealed any more.
    let staged = sqlite(&home, "SELECT count(*) FROM staged", &[]);
    assert_eq!(staged.trim(), "0");
}

#[test]
fn the_next_run_deletes_what_is_out_of_its_grace() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    home.akia(&["rotate", "--grace", "1s", "--yes"]).done();
    let second = keys_of(&home, "default");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ran = home.akia(&["rotate", "--yes"]).done();
    assert!(ran.stderr.contains("first delete the key that rotation r-"), "{}", ran.stderr);
    assert_rotated(&cloud, &home, "ann", "default", &second);
}

#[test]
fn two_rotations_of_one_user_are_retired_in_one_run() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    home.akia(&["rotate", "--grace", "1s", "--yes"]).done();
    // The first old key is deleted in the console, so that the second rotation has room without retiring it.
    cloud.call("iam", "delete_access_key", json!({ "UserName": "ann", "AccessKeyId": ann.key.id }));
    home.akia(&["rotate", "--grace", "1s", "--yes"]).done();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ran = home.akia(&["retire", "--yes"]).done();
    assert_eq!(ran.stdout.lines().count(), 3, "both are retired: {}", ran.stdout);
    let ids: Vec<String> = cloud.keys("ann").into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [keys_of(&home, "default").id]);
}

#[test]
fn secrets_that_a_killed_run_has_not_wiped_are_wiped_by_the_next() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    home.akia(&["rotate", "--retire", "delete", "--yes"]).done();
    for verb in ["resume", "retire"] {
        // The state of a run that was killed between its last record and the wiping.
        let rotation = sqlite(&home, "SELECT DISTINCT rotation FROM records", &[]);
        let staged =
            format!("INSERT INTO staged (rotation, key, sealed) VALUES ('{}', 'AKIA', x'00')", rotation.trim());
        let forced = [
            "DELETE FROM records WHERE body LIKE '%secrets-wiped%'",
            "UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM records) WHERE name = 'records'",
            &staged,
        ];
        sqlite(&home, "FORCE", &forced);
        let ran = home.akia(&[verb, "--yes"]).done();
        assert!(ran.stderr.contains(&format!("wiped   the stored secrets of {}", rotation.trim())), "{}", ran.stderr);
        assert_eq!(sqlite(&home, "SELECT count(*) FROM staged", &[]).trim(), "0");
        home.akia(&["history", "verify"]).done();
        assert!(!home.akia(&[verb, "--yes"]).done().stderr.contains("wiped"), "once is enough");
    }
}

#[test]
fn an_old_key_that_somebody_activated_is_not_deleted() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let run = home.akia(&["rotate", "--yes", "--output", "json"]).done().json();
    let id = run["rotations"][0]["rotation"].as_str().unwrap();
    let on = json!({ "UserName": "ann", "AccessKeyId": ann.key.id, "Status": "Active" });
    cloud.call("iam", "update_access_key", on);
    let ran = home.akia(&["retire", id, "--now", "--yes"]).exited(6);
    assert!(ran.stderr.contains("somebody activated the old key"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("next: find who uses {}", ann.key.id)), "{}", ran.stderr);
    assert_eq!(cloud.keys("ann").len(), 2);
    assert_eq!(cloud.caller(&ann.key), Ok(cloud.user_arn("ann")));
    let again = home.akia(&["retire", id, "--now", "--yes"]).exited(6);
    let next = format!("next: akia resume {id} --without-evidence");
    assert!(again.stderr.contains("has no key to retire yet") && again.stderr.contains(&next), "{}", again.stderr);
}

#[test]
fn an_old_key_that_somebody_activated_stops_the_next_rotation_before_a_key_is_made() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    home.akia(&["rotate", "--grace", "1s", "--yes"]).done();
    let second = keys_of(&home, "default");
    let on = json!({ "UserName": "ann", "AccessKeyId": ann.key.id, "Status": "Active" });
    cloud.call("iam", "update_access_key", on);
    std::thread::sleep(std::time::Duration::from_secs(1));
    cloud.sandbox().clear_log();
    let ran = home.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains("still stands in the way: somebody activated the old key"), "{}", ran.stderr);
    assert!(cloud.sandbox().log().iter().all(|call| call.action != "CreateAccessKey"));
    assert_eq!(cloud.keys("ann").iter().filter(|key| key.active).count(), 2);
    assert_eq!(keys_of(&home, "default").id, second.id);
}

#[test]
fn history_tells_what_was_done_and_a_rewritten_journal_is_found() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let none = home.akia(&["history"]).done();
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "nothing was rotated on this machine yet\n"));
    home.akia(&["rotate", "--yes"]).done();
    let list = home.akia(&["history", "--output", "json"]).done().json();
    let row = &list["rotations"][0];
    assert_eq!((&row["displaced_key"], &row["rest"]), (&json!(ann.key.id), &json!("in-grace")));
    let id = row["rotation"].as_str().unwrap();
    let shown = home.akia(&["history", "show", id, "--output", "json"]).done().json();
    let events: Vec<&str> =
        shown["records"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], *events.last().unwrap()), ("planned", "displaced-deactivated"));
    assert_eq!(shown["plan"]["displaced"], ann.key.id);
    home.akia(&["history", "show", "r-0000000000000000"]).exited(1);
    assert_eq!(home.akia(&["history", "-p", "other", "--output", "json"]).done().json()["rotations"], json!([]));

    let head = home.akia(&["history", "verify", "--output", "json"]).done().json();
    let hash = head["heads"][0]["hash"].as_str().unwrap().to_owned();
    home.akia(&["history", "verify", "--expect", &hash]).done();
    // Somebody who can write the file makes it tell of another key, and puts the guards back.
    sqlite(&home, "REWRITE", &[&ann.key.id, "AKIAIOSFODNN7EXAMPLE"]);
    let found = home.akia(&["history", "verify"]).exited(1);
    assert!(found.stderr.contains("record 1"), "{}", found.stderr);
    assert!(found.stderr.contains("next: keep a copy of the state folder"), "{}", found.stderr);
    home.akia(&["history", "verify", "--expect", &hash]).exited(1);
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
}

/// SQLite, not through our own code: a statement about akia's journal; `REWRITE` with a text and another for it; or
/// `FORCE` with statements that the guards forbid.
#[track_caller]
pub(crate) fn sqlite(home: &Home, statement: &str, arguments: &[&str]) -> String {
    let script = "import sqlite3, sys\n\
        database = sqlite3.connect(sys.argv[1])\n\
        if sys.argv[2] in ('REWRITE', 'FORCE'):\n\
        \x20   guards = list(database.execute(\"SELECT name, sql FROM sqlite_master WHERE type = 'trigger'\"))\n\
        \x20   for name, _ in guards: database.execute('DROP TRIGGER ' + name)\n\
        \x20   if sys.argv[2] == 'FORCE':\n\
        \x20       for statement in sys.argv[3:]: database.execute(statement)\n\
        \x20   else: database.execute('UPDATE records SET body = replace(body, ?, ?)', sys.argv[3:])\n\
        \x20   for _, sql in guards: database.execute(sql)\n\
        else:\n\
        \x20   for row in database.execute(sys.argv[2]): print(*row)\n\
        database.commit()\n";
    let output = Command::new(crate::support::python())
        .args(["-c", script])
        .arg(home.path("state/journal.db"))
        .arg(statement)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
