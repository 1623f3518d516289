//! Keys are changed at AWS, on this machine, or where a person says; a variable or a profile alone is not enough.

use crate::hand::assert_rotated;
use crate::support::{Backend, Home, Ran};

/// Reserved by RFC 2606: no resolver knows it, and nothing is ever sent there.
const PLANTED: &str = "https://keys.invalid/x";

#[track_caller]
fn refused(ran: Ran, set_by: &str) -> Ran {
    let ran = ran.exited(6);
    let what =
        format!("keys are not changed at keys.invalid, which {set_by} names: it is neither AWS nor this machine");
    assert!(ran.stderr.contains(&what), "{}", ran.stderr);
    // A plan that is only shown needs no words about what it has changed.
    assert!(ran.what.contains("--dry-run") || ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--allow-endpoint keys.invalid"), "{}", ran.stderr);
    ran
}

#[test]
fn a_planted_endpoint_gets_no_change_from_any_verb_and_reading_goes_on() {
    let cloud = Backend::Sandbox.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("work", &ann.key);
    let run = home.akia(&["rotate", "-p", "work", "--yes", "--output", "json"]).done().json();
    let rotation = run["rotations"][0]["rotation"].as_str().unwrap().to_owned();
    assert_rotated(&cloud, &home, "ann", "work", &ann.key);
    let before = home.read(".aws/credentials");
    cloud.sandbox().clear_log();

    let home = home.with("AWS_ENDPOINT_URL", PLANTED);
    let id = ann.key.id.as_str();
    let piped = format!("{id}\n{}\n", ann.key.secret);
    for arguments in [
        &["rotate", "-p", "work", "--yes"][..],
        &["rotate", "-a", "--dry-run"],
        &["rotate", "--user", "ann", "-p", "work", "--yes"],
        &["resume", &rotation, "--yes"],
        &["undo", &rotation, "--yes"],
        &["undo", "--dry-run"],
        &["retire", &rotation, "--now", "--yes"],
        &["key", "create", "-p", "work", "--into", "new", "--yes"],
        &["key", "activate", id, "-p", "work", "--yes"],
        &["key", "deactivate", id, "-p", "work", "--yes", "--despite", "recent-use"],
        &["key", "delete", id, "-p", "work", "--yes"],
        &["setup", "new", "--create", "-p", "work", "--yes"],
        &["setup", "new", "--yes"],
        &["setup", "new", "--from-profile", "work", "--yes"],
    ] {
        refused(home.akia_with_input(arguments, &piped), "AWS_ENDPOINT_URL");
    }
    // One service is enough: what STS says of a key decides on changes as well.
    let sts = home.without("AWS_ENDPOINT_URL").with("AWS_ENDPOINT_URL_STS", PLANTED);
    let sts = sts.with("AWS_ENDPOINT_URL_IAM", &cloud.endpoint);
    refused(sts.akia(&["rotate", "-p", "work", "--yes"]), "AWS_ENDPOINT_URL_STS");
    assert!(cloud.sandbox().log().is_empty(), "{:?}", cloud.sandbox().log());
    assert_eq!(sts.read(".aws/credentials"), before);

    // Reading is tried: the host is out of reach, and that is what is said.
    let home = sts.without("AWS_ENDPOINT_URL_STS").without("AWS_ENDPOINT_URL_IAM").with("AWS_ENDPOINT_URL", PLANTED);
    for arguments in [&["status"][..], &["key", "list", "-p", "work"]] {
        let ran = home.akia(arguments);
        assert!(!ran.stderr.contains("--allow-endpoint"), "{ran:?}");
        assert!(ran.stderr.contains("keys.invalid") || ran.stdout.contains("keys.invalid"), "{ran:?}");
    }
    // So is a change that a person has allowed there, and one whose endpoint a person has typed.
    for (arguments, opened) in [
        (&["key", "delete", id, "-p", "work", "--yes", "--allow-endpoint", "KEYS.invalid"][..], true),
        (&["key", "delete", id, "-p", "work", "--yes", "--endpoint-url", PLANTED], true),
        (&["key", "delete", id, "-p", "work", "--yes", "--allow-endpoint", "other.invalid"], false),
    ] {
        let ran = home.akia(arguments);
        assert_eq!(ran.stderr.contains("sts:GetCallerIdentity at keys.invalid"), opened, "{ran:?}");
        assert_eq!(ran.stderr.contains("keys are not changed at keys.invalid"), !opened, "{ran:?}");
    }
    let ran = home.akia(&["rotate", "--allow-endpoint", PLANTED]).exited(2);
    assert!(ran.stderr.contains("write the host alone, without https://"), "{}", ran.stderr);
    // And with the planted variable gone, or ignored, everything is as before.
    let home = home.with("AWS_ENDPOINT_URL", &cloud.endpoint);
    home.akia(&["undo", &rotation, "--yes"]).done();
}

#[test]
fn an_endpoint_in_a_profile_is_named_with_the_profile_and_stops_no_other() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob) = (cloud.user("ann"), cloud.user("bob"));
    let home = Home::new(&cloud).without("AWS_ENDPOINT_URL").profile("work", &ann.key).profile("home", &bob.key).file(
        ".aws/config",
        format!(
            "[profile work]\nservices = planted\n[services planted]\niam =\n  endpoint_url = {PLANTED}\n\
             [profile home]\nendpoint_url = {}\n",
            cloud.endpoint
        ),
    );
    refused(home.akia(&["rotate", "-p", "work", "--yes"]), "endpoint_url of profile \"work\"");
    let ran = home.akia(&["rotate", "-a", "--yes"]).exited(3);
    assert!(ran.stderr.contains("endpoint_url of profile \"work\""), "{}", ran.stderr);
    assert_rotated(&cloud, &home, "bob", "home", &bob.key);
    assert!(home.read(".aws/credentials").contains(&ann.key.secret));
}
