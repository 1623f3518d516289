//! Where things live: the repository, cargo's target folder, and a cache that outlives a clone.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Cargo's target folder, as cargo itself finds it.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// What is slow to make and the same for every clone: the venv, tools built from crates.io.
pub(crate) fn cache() -> Result<PathBuf, String> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("AKIA_XTASK_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("akia")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/akia")))
        .ok_or_else(|| "no cache folder: set HOME or AKIA_XTASK_CACHE".to_owned())
}
