//! Every file below a folder: hidden ones and ignored ones, too.
//!
//! Links are not followed, but where they lead is a text like any other. Repositories of git are left to who asked: their
//! objects are compressed, and only [`Folder::repositories`] tells that they are there.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use akia_core::leak::{Part, Place, Why};

use crate::Scan;
use crate::file::{self, Links};
use crate::walk::Walk;

/// How many files are taken from the queue at once.
const BATCH: usize = 64;

/// So many waiting batches are enough; a folder of millions of files does not fill the memory.
const QUEUE: usize = 256;

/// What a folder holds beside files.
#[derive(Debug, Default)]
pub struct Folder {
    /// Folders named `.git`, and bare repositories, sorted. They were not looked into.
    pub repositories: Vec<PathBuf>,
}

/// Looks at every file below `path`, or at the one file that it is.
pub fn scan(scan: &Scan, path: &Path) -> Folder {
    let source = path.to_string_lossy().into_owned();
    if !path.is_dir() {
        let walk = Walk::new(scan);
        file::scan(&walk, &place(&source, String::new()), path, Links::Follow);
        walk.finish();
        return Folder::default();
    }
    below(scan, source, path, PathBuf::new())
}

/// Looks at a folder that stands at `part` below `root`, and tells paths from there.
pub(crate) fn below(scan: &Scan, source: String, root: &Path, part: PathBuf) -> Folder {
    let crew = Crew {
        scan,
        source,
        root: root.to_owned(),
        queue: Mutex::new(Queue { tasks: vec![Task::Folder(part)], ..Queue::default() }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..scan.limits.threads.max(1) {
            scope.spawn(|| crew.work());
        }
    });
    let mut queue = crew.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    queue.repositories.sort();
    Folder { repositories: queue.repositories }
}

/// What is to be done; paths are below the root.
enum Task {
    Folder(PathBuf),
    Files(PathBuf, Vec<(OsString, FileType)>),
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    /// How many threads are at a task, which may lead to more.
    busy: usize,
    repositories: Vec<PathBuf>,
    /// Folders that were listed, by device and number: a mount may show one twice.
    seen: HashSet<(u64, u64)>,
    told_time: bool,
}

struct Crew<'s> {
    scan: &'s Scan,
    source: String,
    root: PathBuf,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Crew<'_> {
    fn work(&self) {
        let walk = Walk::new(self.scan);
        while let Some(task) = self.next() {
            let (Task::Folder(folder) | Task::Files(folder, _)) = &task;
            let here = place(&self.source, joined(folder));
            let done = catch_unwind(AssertUnwindSafe(|| match task {
                Task::Folder(folder) => self.list(&walk, &folder),
                Task::Files(folder, files) => self.files(&walk, &folder, files),
            }));
            if done.is_err() {
                walk.skip(&here, Why::Corrupt, "akia failed in this folder, and left files out; please report it");
            }
            // Whatever happened: the others wait for it.
            self.lock().busy -= 1;
            self.changed.notify_all();
        }
        walk.finish();
    }

    fn next(&self) -> Option<Task> {
        let mut queue = self.lock();
        loop {
            if self.scan.limits.is_over() && !queue.tasks.is_empty() {
                queue.tasks.clear();
                if !std::mem::replace(&mut queue.told_time, true) {
                    self.scan.ledger.skip(
                        &self.source,
                        Why::TimedOut,
                        "files were left when the time was over: --timeout",
                    );
                }
            }
            if let Some(task) = queue.tasks.pop() {
                queue.busy += 1;
                return Some(task);
            }
            if queue.busy == 0 {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a folder. Its files and folders are handed to whoever is free.
    fn list(&self, walk: &Walk<'_>, folder: &Path) {
        let path = self.root.join(folder);
        let here = place(&self.source, joined(folder));
        if !self.is_first(&path) {
            return;
        }
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => return walk.skip(&here, Why::Unreadable, error.to_string()),
        };
        if is_bare(&path) {
            self.lock().repositories.push(path);
            return;
        }
        let mut batch = Vec::new();
        for entry in entries {
            let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
                Ok(entry) => entry,
                Err(error) => {
                    walk.skip(&here, Why::Unreadable, error.to_string());
                    continue;
                }
            };
            if kind.is_dir() {
                let below = folder.join(&name);
                if name == ".git" {
                    self.lock().repositories.push(self.root.join(below));
                    continue;
                }
                walk.name(&place(&self.source, joined(&below)), name.as_encoded_bytes());
                self.lock().tasks.push(Task::Folder(below));
                self.changed.notify_one();
                continue;
            }
            batch.push((name, kind));
            if batch.len() == BATCH {
                self.hand(walk, folder, std::mem::take(&mut batch));
            }
        }
        self.hand(walk, folder, batch);
        walk.flush();
    }

    fn hand(&self, walk: &Walk<'_>, folder: &Path, batch: Vec<(OsString, FileType)>) {
        if batch.is_empty() {
            return;
        }
        let mut queue = self.lock();
        if queue.tasks.len() >= QUEUE {
            drop(queue);
            return self.files(walk, folder, batch);
        }
        queue.tasks.push(Task::Files(folder.to_owned(), batch));
        self.changed.notify_one();
    }

    fn files(&self, walk: &Walk<'_>, folder: &Path, files: Vec<(OsString, FileType)>) {
        for (name, kind) in files {
            let below = folder.join(&name);
            let here = place(&self.source, joined(&below));
            if self.scan.limits.is_over() {
                walk.skip(&here, Why::TimedOut, "the time was over: --timeout");
                continue;
            }
            walk.name(&here, name.as_encoded_bytes());
            let path = self.root.join(&below);
            if kind.is_symlink() {
                match fs::read_link(&path) {
                    Ok(target) => walk.name(&here, target.as_os_str().as_encoded_bytes()),
                    Err(error) => walk.skip(&here, Why::Unreadable, error.to_string()),
                }
            } else if kind.is_file() {
                file::scan(walk, &here, &path, Links::Leave);
            }
            walk.flush();
        }
    }

    /// Whether a folder was not listed before.
    #[cfg(unix)]
    fn is_first(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        // What cannot be asked is listed, and the listing says why it fails.
        fs::metadata(path).map_or(true, |about| self.lock().seen.insert((about.dev(), about.ino())))
    }

    #[cfg(not(unix))]
    fn is_first(&self, path: &Path) -> bool {
        let _ = (path, &self.lock().seen);
        true
    }
}

/// Whether a folder is a repository of git without a working tree.
fn is_bare(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

fn place(source: &str, path: String) -> Place {
    Place { source: source.to_owned(), path, part: Part::Content, line: None, offset: None, git: None }
}

/// A path with `/` between its parts.
pub(crate) fn joined(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
