//! A rotation in the journal that this akia cannot read, as of a newer one: it stops its own user, and nobody else.

use crate::hand::{assert_as_before, assert_rotated, keys_of};
use crate::support::{Backend, Home};
use crate::undo_retire::sqlite;

#[test]
fn a_rotation_that_cannot_be_read_stops_its_own_user_alone() {
    let cloud = Backend::Sandbox.open();
    let (ann, bob, cat) = (cloud.user("ann"), cloud.user("bob"), cloud.user("cat"));
    let spares = [cloud.key("cat")];
    let home = Home::new(&cloud).profile("ann", &ann.key).profile("bob", &bob.key).profile("cat", &cat.key);
    home.akia(&["rotate", "-p", "ann", "--yes"]).done();
    let new = keys_of(&home, "ann").id;
    sqlite(&home, "REWRITE", &["\"displaced-deactivated\"", "\"told-by-a-newer-akia\""]);

    let stops = "install the akia that wrote it";
    let refused = home.akia(&["rotate", "-p", "ann", "--yes"]).exited(1);
    assert!(refused.stderr.contains("an earlier rotation of user ann cannot be read"), "{}", refused.stderr);
    assert!(refused.stderr.contains(stops), "{}", refused.stderr);
    let refused = home.akia(&["key", "deactivate", &new, "-p", "ann", "--yes"]).exited(6);
    assert!(refused.stderr.contains("a rotation of user ann cannot be read"), "{}", refused.stderr);
    let emergency = format!("aws iam update-access-key --user-name ann --access-key-id {new} --status Inactive");
    assert!(refused.stderr.contains(&emergency), "{}", refused.stderr);
    home.akia(&["setup", "more", "--create", "-p", "ann", "--yes"]).exited(6);
    // It is the latest run, and not passed over for an older one.
    assert!(home.akia(&["undo", "--yes"]).exited(1).stderr.contains("akia undo ROTATION-ID"));

    home.akia(&["rotate", "-p", "bob", "--yes"]).done();
    assert_rotated(&cloud, &home, "bob", "bob", &bob.key);
    let shut = home.akia(&["key", "deactivate", &spares[0].id, "-p", "cat", "--yes"]).done();
    assert!(
        shut.stderr.contains("nothing is done to keys of user ann") && shut.stderr.contains(stops),
        "{}",
        shut.stderr
    );
    home.akia(&["undo", "--yes"]).done();
    assert_as_before(&cloud, &home, "bob", "bob", &bob.key);
    let resumed = home.akia(&["resume", "--yes"]).exited(1);
    assert!(resumed.stderr.contains("cannot be read") && resumed.stderr.contains("no rotation"), "{}", resumed.stderr);
    assert!(home.akia(&["retire", "--yes"]).done().stderr.contains("nothing is done to keys of user ann"));
    let listed = home.akia(&["history"]).exited(3);
    assert!(listed.stdout.contains("bob") && listed.stderr.contains(stops), "{listed:?}");
    home.akia(&["status", "--offline"]).exited(3);

    // Where not even the plan can be read, nobody knows whom it is about: everybody else goes on.
    sqlite(&home, "REWRITE", &["\"planned\"", "\"planned-by-a-newer-akia\""]);
    home.akia(&["key", "activate", &spares[0].id, "-p", "cat", "--yes"]).done();
    let resumed = home.akia(&["resume", "--yes"]).done();
    assert!(resumed.stderr.contains("it is passed over"), "{}", resumed.stderr);
    assert!(home.akia(&["undo", "--yes"]).exited(1).stderr.contains("cannot be read"));
}
