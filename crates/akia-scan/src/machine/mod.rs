//! This machine: what its processes were started with, what its shells remember, and the files in which programs keep keys.

mod places;
mod processes;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use akia_core::leak::{Part, Place, Why};

use crate::Scan;
use crate::file::{self, Links};
use crate::folder;
use crate::walk::Walk;
use places::{HOME, SYSTEM};

/// A machine, as it is seen from a folder.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Where everything is: `/`, or where a machine's disk is mounted.
    pub root: PathBuf,
    /// Home folders beside those that `etc/passwd` names, below the root: that of who asks, as the environment says.
    pub homes: Vec<PathBuf>,
}

/// Looks at a machine. A place's path is that from the root.
pub fn scan(scan: &Scan, machine: &Machine) {
    let walk = Walk::new(scan);
    let look = Look { walk: &walk, machine, source: machine.root.to_string_lossy().into_owned() };
    processes::scan(&walk, &look.place(Path::new("proc")), &machine.root.join("proc"));
    look.each(Path::new(""), SYSTEM);
    for home in look.homes() {
        // A home that is not there belongs to a user who has none; one that is closed is told.
        match fs::read_dir(machine.root.join(&home)) {
            Ok(_) => look.each(&home, HOME),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => walk.skip(&look.place(&home), Why::Unreadable, error.to_string()),
        }
    }
    walk.finish();
}

/// Whether a place is where the AWS CLI and the SDKs keep profiles. On the machine of their owner, keys belong there.
#[must_use]
pub fn is_aws_file(place: &Place) -> bool {
    let mut parts = place.path.rsplit('/');
    matches!(parts.next(), Some("credentials" | "config")) && parts.next() == Some(".aws")
}

struct Look<'a, 's> {
    walk: &'a Walk<'s>,
    machine: &'a Machine,
    source: String,
}

impl Look<'_, '_> {
    fn place(&self, path: &Path) -> Place {
        Place {
            source: self.source.clone(),
            path: folder::joined(path),
            part: Part::Content,
            line: None,
            offset: None,
            git: None,
        }
    }

    /// Looks at each of these files and folders, if it is there.
    fn each(&self, base: &Path, paths: &[&str]) {
        for path in paths {
            let below = base.join(path);
            let whole = self.machine.root.join(&below);
            let place = self.place(&below);
            let limits = &self.walk.scan().limits;
            if limits.is_over() {
                return self.walk.skip(
                    &place,
                    Why::TimedOut,
                    "this and what follows was left when the time was over: --timeout",
                );
            }
            match fs::metadata(&whole) {
                Ok(about) if about.is_dir() => {
                    let within = folder::below(self.walk.scan(), self.source.clone(), &self.machine.root, below);
                    for repository in within.repositories {
                        let detail = "a repository of git; akia scan PATH looks at its history";
                        self.walk.skip(&self.place(&relative(&repository)), Why::Unsupported, detail);
                    }
                }
                Ok(about) if about.is_file() => file::scan(self.walk, &place, &whole, Links::Follow),
                Err(error) if !is_absent(&error) => self.walk.skip(&place, Why::Unreadable, error.to_string()),
                Ok(_) | Err(_) => {}
            }
            self.walk.flush();
        }
    }

    /// The homes of all users, below the root.
    fn homes(&self) -> BTreeSet<PathBuf> {
        let root = &self.machine.root;
        let mut homes: BTreeSet<PathBuf> = self.machine.homes.iter().map(|home| relative(home)).collect();
        if let Ok(users) = fs::read_to_string(root.join("etc/passwd")) {
            homes.extend(users.lines().filter_map(|user| user.split(':').nth(5)).map(|home| relative(Path::new(home))));
        }
        homes.insert(PathBuf::from("root"));
        for folder in ["home", "Users"] {
            let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
            homes.extend(entries.map(|entry| Path::new(folder).join(entry.file_name())));
        }
        // Users of services have `/` for a home.
        homes.remove(Path::new(""));
        homes
    }
}

/// A path below the root.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
