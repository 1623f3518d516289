//! `AKIA_DATABASE`: the stores on a PostgreSQL server, which machines with nothing else in common share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use akia_sandbox::{Fault, FaultKind};

use crate::hand::{assert_as_before, assert_rotated, interrupt, keys_of};
use crate::postgres::server;
use crate::support::{Backend, Home};

/// 32 bytes that are no secret.
const SEALING_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn with_database(home: Home, address: &str) -> Home {
    let home = home.file("sealing.key", SEALING_KEY).with("AKIA_DATABASE", address);
    let key = home.path("sealing.key").to_str().unwrap().to_owned();
    home.with("AKIA_SEALING_KEY_FILE", &key)
}

/// The same files, and a state folder that knows nothing.
fn on_another_machine(home: Home, name: &str) -> Home {
    let state = home.path(name).to_str().unwrap().to_owned();
    home.with("AKIA_STATE_DIR", &state)
}

#[test]
fn what_one_machine_began_and_lost_another_finishes_and_takes_back() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let address = server().database();
    let home = with_database(Home::new(&cloud).profile("default", &ann.key), &address);
    let before = home.read(".aws/credentials");
    cloud.sandbox().inject(Fault::on("GetAccessKeyLastUsed", FaultKind::Slow(Duration::from_secs(5))).nth(2));
    interrupt(&home, &["rotate", "--yes"], "delivered to profile", &["-KILL"]).exited(-1);
    cloud.sandbox().clear_faults();
    for file in ["journal.db", "audits.db", "outbox.db", "seal.key"] {
        assert!(!home.path("state").join(file).exists(), "{file}");
    }
    let home = on_another_machine(home, "other");
    home.akia(&["resume", "--yes"]).done();
    assert_rotated(&cloud, &home, "ann", "default", &ann.key);
    assert!(home.akia(&["history", "verify"]).done().stderr.contains("the journal is whole"));
    let home = on_another_machine(home, "third");
    home.akia(&["undo", "--yes"]).done();
    assert_as_before(&cloud, &home, "ann", "default", &ann.key);
    assert_eq!(home.read(".aws/credentials"), before);
    // What is staged is sealed.
    let staged = server().psql(&address, "SELECT string_agg(encode(sealed, 'escape'), ' ') FROM akia.staged");
    assert!(!staged.is_empty() && !staged.contains(&ann.key.secret), "{staged}");
}

#[test]
fn a_machine_at_work_on_a_user_keeps_the_others_off_and_a_dead_one_does_not() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let address = server().database();
    let home = with_database(Home::new(&cloud).profile("default", &ann.key), &address);
    let rival = with_database(Home::new(&cloud).profile("default", &ann.key), &address);
    cloud.sandbox().inject(Fault::on("CreateAccessKey", FaultKind::Slow(Duration::from_secs(20))));
    let mut running = home.command(&["rotate", "--yes"]).spawn().unwrap();
    let locks = "SELECT count(*) FROM akia.locks";
    let started = std::time::Instant::now();
    while server().try_psql(&address, locks).ok().as_deref() != Some("1") {
        assert!(started.elapsed() < Duration::from_secs(60), "it takes no lock");
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = rival.akia(&["rotate", "--yes"]).exited(1);
    let holder = format!("is locked by process {} on ", running.id());
    assert!(ran.stderr.contains(&holder), "{ran:?}");
    running.kill().unwrap();
    running.wait().unwrap();
    // The lock is free; what stands in the way now is the rotation itself.
    let ran = rival.akia(&["rotate", "--yes"]).exited(6);
    assert!(ran.stderr.contains("of user ann is not finished"), "{ran:?}");
}

#[test]
fn a_key_goes_through_enforcement_with_the_stores_on_a_server() {
    let cloud = Backend::Sandbox.open();
    let address = server().database();
    crate::enforce::a_key_goes_through_every_stage(&cloud, |home| with_database(home, &address));
    let count = |table: &str| server().psql(&address, &format!("SELECT count(*) > 0 FROM akia.{table}"));
    for table in ["records", "audits", "bodies", "messages"] {
        assert_eq!(count(table), "t", "{table}");
    }
}

#[test]
fn what_a_state_folder_knows_is_moved_to_a_server_and_gone_on_with_there() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    assert!(home.akia(&["store", "check"]).exited(1).stderr.contains("there are no stores on this machine"));
    home.akia(&["rotate", "--yes"]).done();
    home.akia(&["audit"]);
    let before = home.akia(&["store", "check", "--output", "json"]).done().json();
    let exported = home.akia(&["store", "export", "out.jsonl", "--output", "json"]).done().json();
    assert_eq!((&exported["tables"], &exported["hash"]), (&before["tables"], &before["hash"]));
    assert_eq!(fs::metadata(home.path("out.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    let text = home.read("out.jsonl");
    assert!(!text.contains(&ann.key.secret) && !text.contains(&keys_of(&home, "default").secret));
    // Nothing that is there already is written over.
    assert!(home.akia(&["store", "export", "out.jsonl"]).exited(1).stderr.contains("cannot be written"));

    let seal = home.path("state/seal.key").to_str().unwrap().to_owned();
    let home = home.with("AKIA_DATABASE", &server().database()).with("AKIA_SEALING_KEY_FILE", &seal);
    let imported = home.akia(&["store", "import", "out.jsonl", "--output", "json"]).done().json();
    assert_eq!((&imported["tables"], &imported["hash"]), (&before["tables"], &before["hash"]));
    let refused = home.akia(&["store", "import", "out.jsonl"]).exited(1);
    assert!(refused.stderr.contains("is not empty: table records has"), "{}", refused.stderr);
    home.akia(&["store", "export", "again.jsonl"]).done();
    assert_eq!(home.read("again.jsonl"), text);
    home.akia(&["undo", "--yes"]).done();
    assert_eq!(keys_of(&home, "default").id, ann.key.id);
}

#[test]
fn without_a_sealing_key_that_all_have_nothing_is_begun() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let address = server().database();
    let home = with_database(Home::new(&cloud).profile("default", &ann.key), &address);
    home.akia(&["rotate", "--yes"]).done();

    // Another key, as long as something is staged.
    let home = home.file("other.key", [7_u8; 32]);
    let other = home.path("other.key").to_str().unwrap().to_owned();
    let mine = home.variable("AKIA_SEALING_KEY_FILE").unwrap().to_owned();
    let home = home.with("AKIA_SEALING_KEY_FILE", &other);
    let ran = home.akia(&["undo", "--yes"]).exited(1);
    assert!(ran.stderr.contains("are sealed with key"), "{}", ran.stderr);
    fs::set_permissions(&other, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = home.akia(&["undo", "--yes"]).exited(1);
    assert!(ran.stderr.contains("others can read"), "{}", ran.stderr);
    let home = home.file("other.key", "too short");
    let ran = home.akia(&["undo", "--yes"]).exited(1);
    assert!(ran.stderr.contains("does not hold a sealing key"), "{}", ran.stderr);
    let home = home.without("AKIA_SEALING_KEY_FILE");
    let ran = home.akia(&["undo", "--yes"]).exited(2);
    assert!(ran.stderr.contains("AKIA_DATABASE is set and AKIA_SEALING_KEY_FILE is not"), "{}", ran.stderr);
    // Reading takes none.
    home.akia(&["history"]).done();

    // The base64 of the same bytes is the same key.
    let home = home.file("text.key", format!("{}\n", data_encoding::BASE64.encode(SEALING_KEY)));
    let text = home.path("text.key").to_str().unwrap().to_owned();
    let home = home.with("AKIA_SEALING_KEY_FILE", &text);
    home.akia(&["undo", "--yes"]).done();
    assert_eq!(keys_of(&home, "default").id, ann.key.id);

    let home = home.without("AKIA_DATABASE").with("AKIA_SEALING_KEY_FILE", &mine);
    let ran = home.akia(&["rotate", "--yes"]).exited(2);
    assert!(ran.stderr.contains("AKIA_SEALING_KEY_FILE is for AKIA_DATABASE"), "{}", ran.stderr);
}

#[test]
fn an_address_is_refused_without_showing_its_password() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    for (address, code, words) in [
        ("postgres://akia:pa55word@db.example/akia?sslmode=prefer", 2, "may speak to db.example without TLS"),
        ("mysql://akia:pa55word@db.example/akia", 2, "not with postgres://"),
        ("postgres://akia:pa55word@127.0.0.1:9/akia", 1, "postgres://akia:***@127.0.0.1:9/akia cannot be reached"),
    ] {
        let home = Home::new(&cloud).profile("default", &ann.key).with("AKIA_DATABASE", address);
        for command in [&["history"][..], &["rotate", "--yes"], &["enforce", "status"]] {
            let ran = home.akia(command);
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("pa55word"), "{ran:?}");
            if command == ["history"] {
                let ran = ran.exited(code);
                assert!(ran.stderr.contains(words), "{}", ran.stderr);
            } else {
                assert_ne!(ran.code, 0, "{ran:?}");
            }
        }
    }
    home.akia(&["history"]).done();
}
