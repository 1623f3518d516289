//! git repositories: every key in the whole history, whatever still leads to it.
//!
//! Every object is looked at once, in the order in which packs are made of deltas; what leads to an object is asked only for those
//! that hold a key. No git is started, nothing is fetched, nothing is written.

mod alternates;
mod attribute;
mod bits;
mod bundle;
mod commit;
mod edges;
mod error;
mod files;
mod find;
mod index_file;
mod inflate;
mod inside;
mod keys;
mod large;
mod layout;
mod loose;
mod oid;
#[cfg(test)]
mod oracle;
mod pack;
mod paths;
mod reach;
mod refs;
mod search;
mod since;
mod staged;
mod store;
mod table;
mod texts;
mod tree;
mod trouble;

use std::path::{Path, PathBuf};

use akia_core::leak::{Found, GitPlace, Part, Place, Reach, Sighting, Why};

use self::bundle::Bundle;
pub use self::bundle::is_bundle;
pub use self::error::GitError;
use self::index_file::Index;
use self::layout::Layout;
use self::oid::Kind;
use self::reach::Reached;
use self::refs::Refs;
use self::search::Findings;
use self::store::Store;
use self::trouble::Trouble;
use crate::Scan;

/// So many objects that could not be looked at are told one by one; the others are counted.
const TOLD: usize = 200;

/// A git repository: a working tree, a bare repository, or a bundle.
#[derive(Debug)]
pub struct Repository {
    source: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Folder(Layout),
    Bundle(PathBuf, Box<Bundle>),
}

/// Which part of a repository is scanned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Only objects that this revision does not lead to: a branch, a tag, digits of a commit.
    pub since: Option<String>,
}

impl Repository {
    /// Finds the repository at a path: a working tree, the `.git` of one (a file in submodules and linked working trees), a bare
    /// repository, or a bundle.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let source = path.display().to_string();
        if path.is_file() && bundle::is_bundle(path) {
            let bundle = bundle::read(path).map_err(|trouble| broken(path, trouble))?;
            return Ok(Self { source, form: Form::Bundle(path.to_owned(), Box::new(bundle)) });
        }
        Ok(Self { source, form: Form::Folder(Layout::find(path)?) })
    }

    /// The same under another name in what is told: what a person has typed.
    #[must_use]
    pub fn named(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// Looks at everything: all objects, the names of refs, reflogs, settings, and the repositories of submodules. Not at the
    /// files of the working tree.
    pub fn scan(&self, scan: &Scan, options: &Options) -> Result<(), GitError> {
        match &self.form {
            Form::Folder(layout) => self.folder(scan, layout, options.since.as_deref(), ""),
            Form::Bundle(path, bundle) => {
                let store = Store::bundle(path, bundle.start, bundle.format, &scan.limits)
                    .map_err(|trouble| broken(path, trouble))?;
                self.objects(scan, &store, &bundle.refs, &[], options.since.as_deref(), "", false)?;
                self.names(scan, &bundle.refs, "");
                Ok(())
            }
        }
    }

    fn folder(&self, scan: &Scan, layout: &Layout, since: Option<&str>, prefix: &str) -> Result<(), GitError> {
        let objects = layout.common.join("objects");
        let refs = Refs::read(layout);
        for (path, trouble) in &refs.troubles {
            scan.ledger.skip(path.display().to_string(), trouble.why, trouble.detail.clone());
        }
        let store = Store::open(&objects, layout.format, &scan.limits).map_err(|trouble| broken(&objects, trouble))?;
        let mut indexes = Vec::new();
        for worktree in layout.worktrees() {
            let path = worktree.join("index");
            match Index::read(&path, layout.format) {
                Ok(index) => {
                    if let Some(trouble) = &index.trouble {
                        scan.ledger.skip(path.display().to_string(), trouble.why, trouble.detail.clone());
                    }
                    indexes.push(index);
                }
                Err(trouble) => scan.ledger.skip(path.display().to_string(), trouble.why, trouble.detail),
            }
        }
        self.objects(scan, &store, &refs, &indexes, since, prefix, layout.promisor || is_promisor(&objects))?;
        drop(store);
        self.names(scan, &refs, prefix);
        self.staged_names(scan, &indexes, prefix);
        self.log(scan, &refs, prefix);
        self.texts(scan, layout, prefix);
        for (name, folder) in layout.modules() {
            let prefix = format!("{prefix}{name}/");
            match Layout::find(&folder) {
                Ok(layout) => self.folder(scan, &layout, None, &prefix)?,
                Err(error) => scan.ledger.skip(folder.display().to_string(), Why::Corrupt, error.to_string()),
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all parts of one repository")]
    fn objects(
        &self,
        scan: &Scan,
        store: &Store,
        refs: &Refs,
        indexes: &[Index],
        since: Option<&str>,
        prefix: &str,
        promisor: bool,
    ) -> Result<(), GitError> {
        for (path, trouble) in &store.troubles {
            scan.ledger.skip(path.display().to_string(), trouble.why, trouble.detail.clone());
        }
        let wanted = since.map(|revision| since::wanted(scan, store, refs, revision)).transpose()?;
        let findings = search::search(scan, store, wanted.as_ref());
        scan.ledger.looked_at(findings.objects, findings.bytes);
        tell_gaps(scan, store, &findings, promisor, &self.source);
        if findings.hits.is_empty() {
            return Ok(());
        }
        let reached = Reached::new(store, &findings, refs);
        let attributed = attribute::attribute(
            store,
            &findings,
            &reached,
            indexes,
            (&self.source, prefix),
            scan.limits.unpacked_bytes,
        );
        if attributed.cut {
            let detail =
                "there are too many paths to the files that hold keys; every key is told, but not with each path";
            scan.ledger.skip(self.source.clone(), Why::TooLarge, detail);
        }
        attributed.sightings.into_iter().for_each(|sighting| scan.ledger.found(sighting));
        Ok(())
    }

    /// The names of refs.
    fn names(&self, scan: &Scan, refs: &Refs, prefix: &str) {
        for (name, object) in &refs.all {
            for found in scan.detector.detect(name.as_bytes()) {
                let reach = if name.ends_with("refs/stash") { Reach::Stash } else { Reach::Refs };
                let git = git_place(object.map(|object| object.to_string()), reach);
                self.tell(scan, found, format!("{prefix}{name}"), Part::RefName, None, git);
            }
        }
    }

    /// The paths in the index: those of commits are told with their trees, too.
    fn staged_names(&self, scan: &Scan, indexes: &[Index], prefix: &str) {
        for staged in indexes.iter().flat_map(|index| &index.files) {
            if scan.detector.candidate_in(&staged.path, 0..staged.path.len()) {
                let path = String::from_utf8_lossy(&staged.path).into_owned();
                for found in scan.detector.detect(&staged.path) {
                    let git = git_place(Some(staged.object.to_string()), Reach::Index);
                    self.tell(scan, found, format!("{prefix}{path}"), Part::Name, None, git);
                }
            }
        }
    }

    fn log(&self, scan: &Scan, refs: &Refs, prefix: &str) {
        for line in &refs.log {
            if !scan.detector.candidate_in(&line.text, 0..line.text.len()) {
                continue;
            }
            for found in scan.detector.detect(&line.text) {
                let mut git = git_place(None, Reach::Reflog);
                git.commit = line.new.map(|commit| commit.to_string());
                self.tell(scan, found, format!("{prefix}{}", line.path), Part::Reflog, Some(line.line), git);
            }
        }
    }

    fn texts(&self, scan: &Scan, layout: &Layout, prefix: &str) {
        const ELSEWHERE: [&str; 7] = ["objects", "refs", "logs", "packed-refs", "modules", "worktrees", "index"];
        texts::look(scan, &layout.common, &ELSEWHERE, (&self.source, prefix));
        for worktree in layout.worktrees().iter().skip(1) {
            let name = worktree.file_name().unwrap_or_default().to_string_lossy();
            let prefix = format!("{prefix}.git/worktrees/{name}/");
            texts::look(scan, worktree, &ELSEWHERE, (&self.source, &prefix));
        }
    }

    fn tell(&self, scan: &Scan, found: Found, path: String, part: Part, line: Option<u64>, git: GitPlace) {
        let place = Place { source: self.source.clone(), path, part, line, offset: None, git: Some(git) };
        scan.ledger.found(Sighting { found, place });
    }
}

fn git_place(object: Option<String>, reach: Reach) -> GitPlace {
    GitPlace { object, commit: None, author: None, first_seen: None, last_commit: None, last_seen: None, reach }
}

fn broken(path: &Path, trouble: Trouble) -> GitError {
    GitError::Broken { path: path.to_owned(), reason: trouble.detail }
}

/// Whether packs came from a server that keeps some objects back.
fn is_promisor(objects: &Path) -> bool {
    std::fs::read_dir(objects.join("pack"))
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|file| file.path().extension().is_some_and(|extension| extension == "promisor"))
}

/// Tells what was not looked at.
fn tell_gaps(scan: &Scan, store: &Store, findings: &Findings, promisor: bool, source: &str) {
    for (number, others, trouble) in findings.troubles.iter().take(TOLD) {
        let more = if *others > 1 { format!("; {} objects are deltas against it", others - 1) } else { String::new() };
        scan.ledger.skip(format!("object {}", store.id(*number)), trouble.why, format!("{}{more}", trouble.detail));
    }
    if findings.troubles.len() > TOLD {
        let detail = format!("{} more objects could not be looked at, or not whole", findings.troubles.len() - TOLD);
        scan.ledger.skip(source, Why::Corrupt, detail);
    }
    let mut missing: Vec<_> = findings.missing.iter().collect();
    missing.sort_by_key(|(object, _)| **object);
    let hint = if promisor {
        "it was never fetched: git fetch --refetch --no-filter brings it"
    } else {
        "the clone may be shallow: git fetch --unshallow brings what is older; git fsck tells of damage"
    };
    for (object, (kind, by)) in missing.iter().take(TOLD) {
        let what = match kind {
            Kind::Blob => "blob",
            Kind::Tree => "tree",
            Kind::Commit => "commit",
            Kind::Tag => "tag",
        };
        scan.ledger.skip(format!("{what} {object}"), Why::Missing, format!("{by}: {hint}"));
    }
    if missing.len() > TOLD {
        let more = if findings.more_missing > 0 { "at least " } else { "" };
        scan.ledger.skip(source, Why::Missing, format!("{more}{} more objects: {hint}", missing.len() - TOLD));
    }
    match (findings.late, findings.endless) {
        (0, _) => {}
        (late, true) => {
            let detail = format!("it unpacks to terabytes; {late} objects were left; --max-unpacked raises the limit");
            scan.ledger.skip(source, Why::TooLarge, detail);
        }
        (late, false) => {
            scan.ledger.skip(source, Why::TimedOut, format!("{late} objects were left when the time was over"));
        }
    }
    if findings.died {
        scan.ledger.skip(
            source,
            Why::Corrupt,
            "akia failed on one of its objects, and left others out; please report it",
        );
    }
}

/// Inflates every packed object and does nothing with it, for `cargo xtask bench scan`.
#[doc(hidden)]
pub fn inflate_only(scan: &Scan, repository: &Repository) -> Result<u64, GitError> {
    match &repository.form {
        Form::Folder(layout) => {
            let objects = layout.common.join("objects");
            let store =
                Store::open(&objects, layout.format, &scan.limits).map_err(|trouble| broken(&objects, trouble))?;
            Ok(search::inflate_only(scan, &store))
        }
        Form::Bundle(path, bundle) => {
            let store = Store::bundle(path, bundle.start, bundle.format, &scan.limits)
                .map_err(|trouble| broken(path, trouble))?;
            Ok(search::inflate_only(scan, &store))
        }
    }
}
