//! An API server of Kubernetes for the tests of places: built once per machine from Debian's source package, into the cache, since no
//! registry has it as a program. Its store, etcd, is a package of Debian's.

use crate::command::{command, run};
use crate::{folders, packages, venv};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's source package, and the version of Kubernetes in it.
const SOURCE: &str = "kubernetes=1.20.5+really1.20.2-1.1+deb12u1";
const VERSION: &str = "1.20.2";

/// What it is built with. The library that it brings to walk through maps crashes with Go 1.18 and later: Debian's own is taken.
const BUILT_WITH: [&str; 5] = ["golang-go", "golang-github-modern-go-reflect2-dev", "jq", "make", "rsync"];
const REFLECTION: &str = "github.com/modern-go/reflect2";

/// Builds it unless it is there; gives the path of the link in the target folder.
pub(crate) fn ensure() -> Result<PathBuf, String> {
    let cache = folders::cache()?;
    let program = cache.join("kubernetes").join(VERSION).join("kube-apiserver");
    if !program.exists() {
        let folder = cache.join("kubernetes");
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        // Several worktrees may ask at once: the first builds, the others wait here and then find it.
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(|error| format!("cannot open {}: {error}", lock_path.display()))?;
        lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
        if !program.exists() {
            println!("    building kube-apiserver {VERSION} into {} (once; four to six minutes)", program.display());
            build(&folder.join("build"), &program)?;
        }
    }
    venv::link(&program, &folders::target().join("kube-apiserver"))
}

fn build(folder: &Path, program: &Path) -> Result<(), String> {
    let at = |error: std::io::Error| format!("{}: {error}", folder.display());
    packages::install(&BUILT_WITH)?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at)?;
    }
    let (sources, lists) = (folder.join("sources"), folder.join("lists"));
    fs::create_dir_all(lists.join("partial")).map_err(at)?;
    fs::create_dir_all(&sources).map_err(at)?;
    name_sources(Path::new("/etc/apt/sources.list.d"), &sources)?;
    let apt_get = |arguments: &[&str]| {
        let mut apt_get = command("apt-get");
        apt_get.arg("-qq").args(["-o", "Dir::Etc::sourcelist=/dev/null"]);
        for (name, value) in [("Dir::Etc::sourceparts", &sources), ("Dir::State::lists", &lists)] {
            apt_get.arg("-o").arg(format!("{name}={}", value.display()));
        }
        apt_get.args(arguments).current_dir(folder);
        apt_get
    };
    run(&mut apt_get(&["update"]))?;
    run(&mut apt_get(&["source", "--download-only", SOURCE]))?;
    let archive = beginning_with(folder, "kubernetes_")?.into_iter().find(|path| path.ends_with(".orig.tar.gz"));
    let archive = archive.ok_or_else(|| format!("no source of Kubernetes in {}", folder.display()))?;
    run(command("tar").args(["-xzf", &archive, "-C"]).arg(folder))?;
    let tree = folder.join(format!("kubernetes-{VERSION}"));
    let vendored = tree.join("vendor").join(REFLECTION);
    fs::remove_dir_all(&vendored).map_err(at)?;
    run(command("cp").arg("-rL").arg(Path::new("/usr/share/gocode/src").join(REFLECTION)).arg(&vendored))?;
    let mut make = command("make");
    make.arg("WHAT=cmd/kube-apiserver").current_dir(&tree);
    run(go(&mut make, folder))?;
    let built = tree.join("_output/local/bin/linux/amd64/kube-apiserver");
    let failed = |error| format!("cannot keep {}: {error}", built.display());
    if let Some(home) = program.parent() {
        fs::create_dir_all(home).map_err(failed)?;
    }
    // The name appears when all of it is there.
    let copy = program.with_extension("part");
    fs::copy(&built, &copy).map_err(failed)?;
    fs::rename(&copy, program).map_err(failed)?;
    fs::remove_dir_all(folder).map_err(at)
}

/// Nothing is fetched for the build, and nothing of it stays in the home folder.
fn go<'c>(make: &'c mut Command, folder: &Path) -> &'c mut Command {
    make.env("HOME", folder.join("home")).env("GOPROXY", "off").env("GO111MODULE", "off").env("CGO_ENABLED", "0");
    make.env_remove("GOFLAGS").env_remove("GOPATH").env_remove("MAKEFLAGS").env_remove("CARGO_MAKEFLAGS")
}

/// The machine's own sources of packages, as sources of source packages.
fn name_sources(from: &Path, to: &Path) -> Result<(), String> {
    let mut found = false;
    for path in beginning_with(from, "")?.into_iter().filter(|path| path.ends_with(".sources")) {
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        if text.contains("debian-archive-keyring") {
            let name = Path::new(&path).file_name().unwrap_or_default();
            let text = text.replace("Types: deb\n", "Types: deb-src\n");
            fs::write(to.join(name), text).map_err(|error| format!("{}: {error}", to.display()))?;
            found = true;
        }
    }
    if found { Ok(()) } else { Err(format!("no sources of Debian's packages in {}", from.display())) }
}

/// The files of a folder whose names begin so.
fn beginning_with(folder: &Path, begin: &str) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(Result::ok).filter(|entry| entry.file_name().to_string_lossy().starts_with(begin));
    Ok(paths.map(|entry| entry.path().to_string_lossy().into_owned()).collect())
}
