//! Cargo's helpers that a fresh machine may lack.

use crate::command::{capture, cargo, command, run};
use crate::folders;
use std::fs::{self, File};
use std::path::PathBuf;

const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";

/// Whether `cargo nextest` can be run here.
pub(crate) fn has_nextest() -> bool {
    capture(&mut cargo(&["nextest", "--version"])).is_ok_and(|(ok, _)| ok)
}

/// The pinned cargo-deny, built once from crates.io into the cache (about three minutes of two cores).
pub(crate) fn cargo_deny() -> Result<PathBuf, String> {
    installed("cargo-deny", CARGO_DENY)
}

/// The pinned cargo-fuzz, in the same way (half a minute).
pub(crate) fn cargo_fuzz() -> Result<PathBuf, String> {
    installed("cargo-fuzz", CARGO_FUZZ)
}

fn installed(name: &str, version: &str) -> Result<PathBuf, String> {
    let tools = folders::cache()?.join("tools");
    let home = tools.join(format!("{name}-{version}"));
    let program = home.join("bin").join(name);
    let works = || capture(command(&program).arg("--version")).is_ok_and(|(ok, text)| ok && text.contains(version));
    if works() {
        return Ok(program);
    }
    fs::create_dir_all(&tools).map_err(|error| format!("cannot make {}: {error}", tools.display()))?;
    let lock_path = tools.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(|error| format!("cannot open {}: {error}", lock_path.display()))?;
    lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
    if works() {
        return Ok(program);
    }
    println!("    {name} {version} is not in {}: building it (once; some minutes)", home.display());
    let build = tools.join(format!("build-{name}"));
    let mut install = cargo(&["install", name, "--locked", "--version", version, "--force", "--root"]);
    install.arg(&home).env("CARGO_TARGET_DIR", &build);
    // A tool that runs for a second need not be optimised for longer than it will ever run.
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16")] {
        install.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    run(&mut install)?;
    fs::remove_dir_all(&build).map_err(|error| format!("cannot remove {}: {error}", build.display()))?;
    if works() { Ok(program) } else { Err(format!("{} does not answer --version", program.display())) }
}
