//! axe-core, which looks for what keeps people out of a page: of npm's registry, pinned, in the cache; never in the repository.

use crate::command::{capture, command, run};
use crate::{folders, venv};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const VERSION: &str = "4.14.1";
/// SHA-256 of `axe.min.js` in that version.
const CHECKSUM: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// Fetches it unless it is there; gives the path of the link in the target folder.
pub(crate) fn ensure() -> Result<PathBuf, String> {
    let folder = folders::cache()?.join(format!("axe-core-{VERSION}"));
    let script = folder.join("package/axe.min.js");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let lock_path = folder.join("lock");
    let lock = File::create(&lock_path).map_err(|error| format!("cannot open {}: {error}", lock_path.display()))?;
    lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
    if !script.exists() {
        fetch(&folder)?;
    }
    let is_it = checksum(&script)? == CHECKSUM;
    if !is_it {
        return Err(format!(
            "{} is not axe-core {VERSION}: delete {} and run this again",
            script.display(),
            folder.display()
        ));
    }
    venv::link(&script, &folders::target().join("axe.min.js"))
}

fn fetch(folder: &Path) -> Result<(), String> {
    let package = format!("axe-core@{VERSION}");
    run(command("npm").args(["pack", "--silent", &package, "--pack-destination"]).arg(folder))
        .map_err(|error| format!("{error}; npm fetches what looks at pages: install Node.js"))?;
    let archive = folder.join(format!("axe-core-{VERSION}.tgz"));
    run(command("tar").arg("-xzf").arg(archive).arg("-C").arg(folder).arg("package/axe.min.js"))
}

fn checksum(file: &Path) -> Result<String, String> {
    let (_, told) = capture(command("sha256sum").arg(file))?;
    Ok(told.split_whitespace().next().unwrap_or_default().to_owned())
}
