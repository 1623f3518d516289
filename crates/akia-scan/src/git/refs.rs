//! Refs and reflogs: what leads to commits.

use std::path::{Path, PathBuf};

use akia_core::leak::Why;

use super::files;
use super::layout::{Layout, SMALL};
use super::oid::ObjectId;
use super::trouble::Trouble;

/// The deepest folder that is looked into.
const DEEPEST: u32 = 64;

/// The longest reflog.
const LOG: u64 = 256 << 20;

/// All refs and reflogs of a repository.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    /// What is checked out in the working tree that was named.
    pub(crate) head: Option<ObjectId>,
    /// All refs by their full names, HEAD of other working trees among them. A symbolic one has no object.
    pub(crate) all: Vec<(String, Option<ObjectId>)>,
    pub(crate) log: Vec<LogLine>,
    /// Whether there may be refs that are not known.
    pub(crate) unknown: bool,
    pub(crate) troubles: Vec<(PathBuf, Trouble)>,
}

/// A line of a reflog.
#[derive(Debug)]
pub(crate) struct LogLine {
    /// The reflog, as a path in the git folder.
    pub(crate) path: String,
    /// Which of its lines, counted from 1.
    pub(crate) line: u64,
    pub(crate) old: Option<ObjectId>,
    pub(crate) new: Option<ObjectId>,
    /// Who, when and what.
    pub(crate) text: Vec<u8>,
}

impl Refs {
    /// Reads everything that leads to commits.
    pub(crate) fn read(layout: &Layout) -> Self {
        let mut refs = Self::default();
        if layout.reftable {
            refs.unknown = true;
            let why = Trouble {
                why: Why::Unsupported,
                detail: "refs and reflogs in this form are not read: their names are not searched".to_owned(),
            };
            refs.troubles.push((layout.common.join("reftable"), why));
        }
        refs.packed(&layout.common.join("packed-refs"));
        for worktree in layout.worktrees() {
            let main = worktree == layout.common;
            let name = |name: &str| match worktree.file_name().filter(|_| !main) {
                Some(worktree) => format!("worktrees/{}/{name}", worktree.to_string_lossy()),
                None => name.to_owned(),
            };
            refs.loose(&worktree.join("refs"), &name("refs"), 0);
            refs.one(&worktree.join("HEAD"), name("HEAD"));
            refs.logs(&worktree.join("logs"), &name("logs"), 0);
        }
        refs.head = refs.resolve_head(&layout.git);
        refs
    }

    /// The object of a ref by its full name.
    pub(crate) fn find(&self, name: &str) -> Option<ObjectId> {
        self.all.iter().rev().find(|(known, _)| known == name).and_then(|(_, object)| *object)
    }

    fn resolve_head(&self, git: &Path) -> Option<ObjectId> {
        let text = files::read(&git.join("HEAD"), SMALL).ok()?;
        let text = String::from_utf8_lossy(&text);
        match text.strip_prefix("ref:") {
            Some(name) => self.find(name.trim()),
            None => ObjectId::from_hex(text.trim().as_bytes()),
        }
    }

    fn packed(&mut self, path: &Path) {
        let text = match files::read(path, LOG) {
            Ok(text) => text,
            Err(trouble) if trouble.why == Why::Missing => return,
            Err(trouble) => {
                self.troubles.push((path.to_owned(), trouble));
                return;
            }
        };
        let mut broken = 0;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b"^"))
        {
            let space = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
            match (line.get(..space).and_then(ObjectId::from_hex), line.get(space + 1..)) {
                (Some(object), Some(name)) => self.all.push((String::from_utf8_lossy(name).into_owned(), Some(object))),
                _ => broken += 1,
            }
        }
        if broken > 0 {
            self.troubles.push((path.to_owned(), Trouble::corrupt(format!("{broken} of its lines name no ref"))));
        }
    }

    fn loose(&mut self, folder: &Path, name: &str, depth: u32) {
        for (path, own) in self.list(folder) {
            let name = format!("{name}/{own}");
            if !path.is_dir() {
                self.one(&path, name);
            } else if depth < DEEPEST {
                self.loose(&path, &name, depth + 1);
            } else {
                self.troubles
                    .push((path, Trouble { why: Why::TooDeep, detail: "refs are nested too deep".to_owned() }));
            }
        }
    }

    fn one(&mut self, path: &Path, name: String) {
        match files::read(path, SMALL) {
            Ok(text) => {
                let object = ObjectId::from_hex(text.trim_ascii());
                if object.is_none() && !text.starts_with(b"ref:") && !text.is_empty() {
                    self.troubles.push((path.to_owned(), Trouble::corrupt("it is no ref")));
                }
                self.all.push((name, object));
            }
            Err(trouble) if trouble.why == Why::Missing => {}
            Err(trouble) => self.troubles.push((path.to_owned(), trouble)),
        }
    }

    fn logs(&mut self, folder: &Path, name: &str, depth: u32) {
        for (path, own) in self.list(folder) {
            let name = format!("{name}/{own}");
            if path.is_dir() {
                if depth < DEEPEST {
                    self.logs(&path, &name, depth + 1);
                } else {
                    self.troubles
                        .push((path, Trouble { why: Why::TooDeep, detail: "reflogs are nested too deep".to_owned() }));
                }
                continue;
            }
            match files::read(&path, LOG) {
                Ok(text) => self.log.extend((1..).zip(text.split(|byte| *byte == b'\n')).filter_map(|(line, text)| {
                    if text.is_empty() {
                        return None;
                    }
                    let mut words = text.splitn(3, |byte| *byte == b' ');
                    let mut object = || words.next().and_then(ObjectId::from_hex).filter(|object| !object.is_null());
                    let (old, new) = (object(), object());
                    Some(LogLine { path: name.clone(), line, old, new, text: text.to_vec() })
                })),
                Err(trouble) => self.troubles.push((path, trouble)),
            }
        }
    }

    /// What is in a folder, sorted.
    fn list(&mut self, folder: &Path) -> Vec<(PathBuf, String)> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.troubles.push((folder.to_owned(), Trouble::io(&error)));
                return Vec::new();
            }
        };
        let mut found: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))
            .collect();
        found.sort();
        found
    }
}
