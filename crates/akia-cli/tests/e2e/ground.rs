//! The ground that the other tests stand on: the real binary runs in a made-up home, and nothing of ours leaks in.

use crate::support::{Backend, Home};

#[test]
fn the_binary_runs_in_a_home_of_its_own_and_leaves_nothing() {
    let cloud = Backend::MiniStack.open();
    let ann = cloud.user("ann");
    let home = Home::new(&cloud).profile("default", &ann.key);
    let version = home.akia(&["--version"]).done();
    assert_eq!(version.stdout, format!("akia {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.stderr, "");
    home.akia_with_input(&["no-such-verb"], "y\n").exited(2);
    let left: Vec<_> = home.everything().into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [home.path(".aws/credentials")]);
    assert!(home.read(".aws/credentials").contains(&ann.key.secret));
    assert_eq!(ann.name, "ann");
}

#[test]
fn the_binary_can_be_typed_at() {
    let cloud = Backend::MiniStack.open();
    let home = Home::new(&cloud).with("NO_COLOR", "1");
    let ran = home.akia_on_terminal(&["--version"], &[("akia ", "")]).done();
    assert_eq!(ran.stdout, format!("akia {}\r\n", env!("CARGO_PKG_VERSION")));
}
