//! Debian's packages that some tests need: a real Secret Service to keep secrets in.

use crate::command::{capture, command, run};
use std::path::Path;

/// The variable that tells the keychain test that everything is there.
pub(crate) const VARIABLE: &str = "AKIA_TEST_SECRET_SERVICE";

/// A program that must be on the machine, and the package that brings it.
const NEEDED: [(&str, &str); 3] = [
    ("/usr/bin/dbus-daemon", "dbus-daemon"),
    ("/usr/bin/dbus-run-session", "dbus-daemon"),
    ("/usr/bin/gnome-keyring-daemon", "gnome-keyring"),
];

/// Installs what is missing. An error names what to install by hand where this cannot.
pub(crate) fn ensure() -> Result<(), String> {
    let missing = || NEEDED.iter().filter(|(program, _)| !Path::new(program).exists()).map(|(_, package)| *package);
    let mut packages: Vec<&str> = missing().collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install {} and run this again", packages.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("no apt-get on this machine: {by_hand}"));
    }
    let (_, user) = capture(command("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err(format!("only root can install packages: {by_hand}"));
    }
    run(command("apt-get").args(["update", "-qq"]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut install = command("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    if missing().next().is_none() { Ok(()) } else { Err(format!("apt-get did not bring {}", packages.join(" "))) }
}
