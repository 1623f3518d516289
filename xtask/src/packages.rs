//! Debian's packages that some tests need: a real Secret Service to keep secrets in, a browser for the pages, what makes file
//! systems, the store of an API server of Kubernetes, and PostgreSQL.

use crate::command::{capture, command, run};
use std::path::Path;

/// The variable that tells the keychain test that everything is there.
pub(crate) const VARIABLE: &str = "AKIA_TEST_SECRET_SERVICE";

/// A program that must be on the machine, and the package that brings it. `*` stands for one folder, whatever its name.
const NEEDED: [(&str, &str); 8] = [
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/chromedriver", "chromium-driver"),
    ("/usr/bin/dbus-daemon", "dbus-daemon"),
    ("/usr/bin/dbus-run-session", "dbus-daemon"),
    ("/usr/bin/gnome-keyring-daemon", "gnome-keyring"),
    ("/usr/sbin/mkfs.xfs", "xfsprogs"),
    ("/usr/bin/etcd", "etcd-server"),
    ("/usr/lib/postgresql/*/bin/initdb", "postgresql"),
];

/// Installs what is missing. An error names what to install by hand where this cannot.
pub(crate) fn ensure() -> Result<(), String> {
    install(&missing(is_there))?;
    let missing = missing(is_there);
    if missing.is_empty() { Ok(()) } else { Err(format!("apt-get did not bring {}: install them", missing.join(" "))) }
}

/// Installs packages of Debian's; nothing is asked where there are none.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
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
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_there(program: &str) -> bool {
    match program.split_once("*/") {
        None => Path::new(program).exists(),
        Some((folder, rest)) => {
            std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| entry.path().join(rest).exists())
        }
    }
}

/// The packages of the programs that are not there, each once.
fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_once_and_what_is_there_is_not() {
        let all =
            ["chromium", "chromium-driver", "dbus-daemon", "gnome-keyring", "xfsprogs", "etcd-server", "postgresql"];
        assert_eq!(missing(|_| false), all);
        assert_eq!(missing(|program| program != "/usr/bin/chromium"), ["chromium"]);
        assert!(missing(|_| true).is_empty());
        assert!(is_there("/usr/*/env") && !is_there("/usr/*/env-of-nobody") && !is_there("/nowhere/*/env"));
    }
}
