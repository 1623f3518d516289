//! What is in a git folder beside objects and refs: settings, hooks, unfinished messages, and whatever else somebody put there.

use std::path::{Path, PathBuf};

use akia_core::leak::{Part, Place, Why};

use super::{files, inside};
use crate::Scan;

/// The deepest folder that is looked into.
const DEEPEST: u32 = 64;

/// How much of a file is looked at at once.
const WINDOW: u64 = 64 << 20;

/// Tells of the keys in the files of a git folder. `skip` are paths within it that others look at.
pub(crate) fn look(scan: &Scan, folder: &Path, skip: &[&str], (source, prefix): (&str, &str)) {
    let mut looking = Looking { scan, root: folder.to_owned(), skip, source, prefix };
    looking.folder(folder, "", 0);
}

struct Looking<'l> {
    scan: &'l Scan,
    root: PathBuf,
    skip: &'l [&'l str],
    source: &'l str,
    prefix: &'l str,
}

impl Looking<'_> {
    fn folder(&mut self, folder: &Path, name: &str, depth: u32) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.scan.ledger.skip(folder.display().to_string(), Why::Unreadable, error.to_string());
                return;
            }
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = if name.is_empty() { own } else { format!("{name}/{own}") };
            if self.skip.contains(&name.as_str()) {
                continue;
            }
            let path = entry.path();
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            for found in self.scan.detector.detect(name.as_bytes()) {
                self.tell(found, &name, Part::Name, None);
            }
            match std::fs::metadata(&path) {
                Ok(data) if data.is_file() => self.file(&path, &name),
                Ok(data) if data.is_dir() && is_link => {
                    self.scan.ledger.skip(
                        path.display().to_string(),
                        Why::Unsupported,
                        "it is a link to a folder; name that folder to have it scanned",
                    );
                }
                Ok(data) if data.is_dir() && depth < DEEPEST => self.folder(&path, &name, depth + 1),
                Ok(data) if data.is_dir() => {
                    self.scan.ledger.skip(path.display().to_string(), Why::TooDeep, "folders are nested too deep")
                }
                Ok(_) => self.scan.ledger.skip(path.display().to_string(), Why::Unsupported, "it is no regular file"),
                Err(_) if is_link => {
                    self.scan.ledger.skip(path.display().to_string(), Why::Missing, "it is a link to nothing")
                }
                // It went away between the two looks, as lock files do.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.scan.ledger.skip(path.display().to_string(), Why::Unreadable, error.to_string()),
            }
        }
    }

    fn file(&mut self, path: &Path, name: &str) {
        let most = self.scan.limits.unpacked_bytes.max(WINDOW);
        let bytes = match files::read(path, most) {
            Ok(bytes) => bytes,
            Err(trouble) => {
                self.scan.ledger.skip(path.display().to_string(), trouble.why, trouble.detail);
                return;
            }
        };
        self.scan.ledger.looked_at(1, bytes.len() as u64);
        if !self.scan.detector.candidate_in(&bytes, 0..bytes.len()) && !crate::is_container(&bytes) {
            return;
        }
        // What LFS keeps may be an archive.
        for inside in inside::look(self.scan, || path.display().to_string(), &bytes) {
            let line = inside.found.line;
            let shown = if inside.member.is_empty() { name.to_owned() } else { format!("{name}!{}", inside.member) };
            self.tell(inside.found, &shown, part(name), Some(line));
        }
    }

    fn tell(&self, found: akia_core::leak::Found, name: &str, part: Part, line: Option<u64>) {
        let folder = self.root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let shown = if folder == ".git" { format!(".git/{name}") } else { name.to_owned() };
        let place = Place {
            source: self.source.to_owned(),
            path: format!("{}{shown}", self.prefix),
            part,
            line,
            offset: None,
            git: None,
        };
        self.scan.ledger.found(akia_core::leak::Sighting { found, place });
    }
}

fn part(name: &str) -> Part {
    match name.split('/').next().unwrap_or_default() {
        "lfs" | "annex" => Part::Content,
        "COMMIT_EDITMSG" | "MERGE_MSG" | "SQUASH_MSG" | "TAG_EDITMSG" => Part::CommitMessage,
        _ => Part::Settings,
    }
}
