//! `--staged`: what the next commit would add. The index against the tree of HEAD, and no walk through the history.

use std::collections::HashMap;
use std::path::Path;

use akia_core::leak::{Part, Reach, Why};

use super::commit::Commit;
use super::error::GitError;
use super::find::Finder;
use super::index_file::{Index, Staged};
use super::layout::{Layout, SMALL};
use super::oid::{Kind, ObjectId};
use super::tree::{self, Sort};
use super::trouble::Trouble;
use super::{Form, Repository, broken, files, git_place, inside};
use crate::Scan;

/// Folders in folders; the files of deeper ones are all looked at.
const DEEPEST: u32 = 256;

impl Repository {
    /// Looks at the files that are staged and not in HEAD as they stand, and at their names.
    ///
    /// `index` is the one that git has named (`GIT_INDEX_FILE`): `git commit -a` and `git commit PATH` stage into one of their own
    /// before they run the hook.
    pub fn scan_staged(&self, scan: &Scan, index: Option<&Path>) -> Result<(), GitError> {
        let Form::Folder(layout) = &self.form else { return Ok(()) };
        let path = index.map_or_else(|| layout.git.join("index"), Path::to_owned);
        let index = Index::read(&path, layout.format).map_err(|trouble| broken(&path, trouble))?;
        if let Some(trouble) = index.trouble {
            return Err(broken(&path, trouble));
        }
        let mut finder = Finder::open(&layout.common.join("objects"), layout.format, scan.limits.unpacked_bytes);
        let mut looking = Looking {
            finder: &mut finder,
            width: layout.format.width(),
            trees: index.trees.iter().map(|(path, tree)| (path.as_slice(), *tree)).collect(),
            staged: Vec::new(),
            troubles: Vec::new(),
        };
        match head(layout).and_then(|head| head.map(|head| looking.tree_of(&head)).transpose()) {
            Ok(tree) => looking.folder(&index.files, 0, tree.as_ref(), 0),
            Err(trouble) => {
                // Without HEAD everything counts as new: that is more work, and misses nothing.
                scan.ledger.skip(
                    format!("{}: HEAD", self.source),
                    trouble.why,
                    format!("{}; every staged file was looked at", trouble.detail),
                );
                looking.staged.extend(&index.files);
            }
        }
        let (staged, troubles) = (looking.staged, looking.troubles);
        for (what, trouble) in troubles {
            scan.ledger.skip(what, trouble.why, trouble.detail);
        }
        for file in staged {
            self.staged(scan, &mut finder, file);
        }
        Ok(())
    }

    fn staged(&self, scan: &Scan, finder: &mut Finder, file: &Staged) {
        let path = String::from_utf8_lossy(&file.path).into_owned();
        let place = || git_place(Some(file.object.to_string()), Reach::Index);
        for found in scan.detector.detect(&file.path) {
            self.tell(scan, found, path.clone(), Part::Name, None, place());
        }
        if file.is_submodule() {
            return;
        }
        if file.is_folder() {
            let detail = "it is outside of what is checked out, and differs from HEAD; git sparse-checkout disable checks it out";
            scan.ledger.skip(path, Why::Unsupported, detail);
            return;
        }
        match finder.read(&file.object) {
            Ok((_, bytes)) => {
                scan.ledger.looked_at(1, bytes.len() as u64);
                if scan.detector.candidate_in(&bytes, 0..bytes.len()) || crate::is_container(&bytes) {
                    for inside in inside::look(scan, || path.clone(), &bytes) {
                        let path =
                            if inside.member.is_empty() { path.clone() } else { format!("{path}!{}", inside.member) };
                        let line = Some(inside.found.line);
                        self.tell(scan, inside.found, path, Part::Content, line, place());
                    }
                }
            }
            // With `git add -N` a file is noted and its content is not stored; git knows the empty one by heart.
            Err(trouble) if trouble.why == Why::Missing && is_empty_blob(&file.object) => {}
            Err(trouble) => scan.ledger.skip(path, trouble.why, trouble.detail),
        }
    }
}

fn is_empty_blob(object: &ObjectId) -> bool {
    [super::oid::Format::Sha1, super::oid::Format::Sha256].iter().any(|format| format.hash(&[b"blob 0\0"]) == *object)
}

/// The commit that is checked out; none before the first.
fn head(layout: &Layout) -> Result<Option<ObjectId>, Trouble> {
    let text = files::read(&layout.git.join("HEAD"), SMALL)?;
    let text = String::from_utf8_lossy(&text);
    let Some(name) = text.trim().strip_prefix("ref:") else {
        return ObjectId::from_hex(text.trim().as_bytes()).map(Some).ok_or_else(|| Trouble::corrupt("it is no ref"));
    };
    let name = name.trim();
    if layout.reftable {
        return Err(Trouble { why: Why::Unsupported, detail: "refs in the form reftable are not read".to_owned() });
    }
    // A name that leads out of the folder of refs is none.
    if name.split('/').any(|part| part == "..") || !name.starts_with("refs/") {
        return Err(Trouble::corrupt("it is no ref"));
    }
    for folder in [&layout.git, &layout.common] {
        match files::read(&folder.join(name), SMALL) {
            Ok(text) => {
                return ObjectId::from_hex(text.trim_ascii())
                    .map(Some)
                    .ok_or_else(|| Trouble::corrupt("its branch is no ref"));
            }
            Err(trouble) if trouble.why == Why::Missing => {}
            // A branch `a` that is packed, beside a folder `a/`.
            Err(trouble) if trouble.why == Why::Unsupported => {}
            Err(trouble) => return Err(trouble),
        }
    }
    match files::read(&layout.common.join("packed-refs"), 1 << 30) {
        Ok(text) => Ok(text.split(|byte| *byte == b'\n').find_map(|line| {
            let (object, known) = line.split_at_checked(layout.format.width() * 2)?;
            (known.strip_prefix(b" ")? == name.as_bytes()).then(|| ObjectId::from_hex(object))?
        })),
        Err(trouble) if trouble.why == Why::Missing => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

struct Looking<'i, 'f> {
    finder: &'f mut Finder,
    width: usize,
    /// Folders whose tree the index knows.
    trees: HashMap<&'i [u8], ObjectId>,
    staged: Vec<&'i Staged>,
    troubles: Vec<(String, Trouble)>,
}

impl<'i> Looking<'i, '_> {
    fn tree_of(&mut self, commit: &ObjectId) -> Result<ObjectId, Trouble> {
        match self.finder.read(commit)? {
            (Kind::Commit, bytes) => {
                Commit::parse(&bytes).tree.ok_or_else(|| Trouble::corrupt("its commit has no tree"))
            }
            _ => Err(Trouble::corrupt("it is on no commit")),
        }
    }

    /// Compares the files of a folder, whose path is `prefix` bytes long with its slash, with a tree of HEAD.
    fn folder(&mut self, files: &'i [Staged], prefix: usize, tree: Option<&ObjectId>, depth: u32) {
        let Some(tree) = tree.filter(|_| depth < DEEPEST) else {
            self.staged.extend(files);
            return;
        };
        let path = files.first().and_then(|file| file.path.get(..prefix.saturating_sub(1))).unwrap_or_default();
        if self.trees.get(path) == Some(tree) {
            return;
        }
        let bytes = match self.finder.read(tree) {
            Ok((Kind::Tree, bytes)) => bytes,
            Ok(_) => Vec::new(),
            Err(trouble) => {
                let what = format!("tree {tree} of HEAD");
                self.troubles.push((
                    what,
                    Trouble {
                        detail: format!("{}; all files of its folder were looked at", trouble.detail),
                        ..trouble
                    },
                ));
                Vec::new()
            }
        };
        let entries: HashMap<&[u8], (Sort, ObjectId)> = tree::entries(&bytes, self.width)
            .map(|entry| (entry.name, (entry.sort, ObjectId::new(entry.object))))
            .collect();
        let mut rest = files;
        while let Some(file) = rest.first() {
            let name = file.path.get(prefix..).unwrap_or_default();
            let Some(slash) = name.iter().position(|byte| *byte == b'/').filter(|_| !file.is_folder()) else {
                let name = name.strip_suffix(b"/").unwrap_or(name);
                if entries.get(name).is_none_or(|(_, object)| *object != file.object) {
                    self.staged.push(file);
                }
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            let folder = file.path.get(..=prefix + slash).unwrap_or_default();
            let count = rest.iter().take_while(|file| file.path.starts_with(folder)).count().max(1);
            let below = entries.get(name.get(..slash).unwrap_or_default()).filter(|(sort, _)| *sort == Sort::Tree);
            let (inside, behind) = rest.split_at(count);
            self.folder(inside, prefix + slash + 1, below.map(|(_, tree)| tree), depth + 1);
            rest = behind;
        }
    }
}
