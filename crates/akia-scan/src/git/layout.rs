//! Where the parts of a repository are.

use std::path::{Path, PathBuf};

use akia_core::leak::Why;

use super::error::GitError;
use super::files;
use super::oid::Format;
use super::trouble::Trouble;

/// The longest small file that is read: settings, pointers, refs.
pub(crate) const SMALL: u64 = 16 << 20;

/// The folders of a repository, and what its settings say of their form.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Of this working tree: HEAD, index, its own reflog.
    pub(crate) git: PathBuf,
    /// Of all working trees: objects, refs, settings.
    pub(crate) common: PathBuf,
    pub(crate) format: Format,
    /// Whether objects may be missing because they were never fetched.
    pub(crate) promisor: bool,
    /// Whether refs are kept in the binary form.
    pub(crate) reftable: bool,
}

impl Layout {
    /// Finds the repository of a folder: a working tree, a `.git` file or folder, or a bare repository.
    pub(crate) fn find(path: &Path) -> Result<Self, GitError> {
        let dot_git = path.join(".git");
        if path.is_file() {
            return Self::of(follow(path)?);
        }
        if dot_git.is_file() {
            return Self::of(follow(&dot_git)?);
        }
        if dot_git.is_dir() {
            return Self::of(dot_git);
        }
        if !is_repository(path) {
            return Err(GitError::NotARepository { path: path.to_owned() });
        }
        Self::of(path.to_owned())
    }

    fn of(git: PathBuf) -> Result<Self, GitError> {
        let common = match files::read(&git.join("commondir"), SMALL) {
            Ok(text) => git.join(String::from_utf8_lossy(&text).trim_end()),
            Err(_) => git.clone(),
        };
        if !common.join("objects").is_dir() {
            return Err(GitError::NotARepository { path: git });
        }
        let settings = match files::read(&common.join("config"), SMALL) {
            Ok(settings) => settings,
            Err(trouble) if trouble.why == Why::Missing => Vec::new(),
            Err(trouble) => return Err(GitError::Broken { path: common.join("config"), reason: trouble.detail }),
        };
        let mut layout = Self { git, common, format: Format::Sha1, promisor: false, reftable: false };
        for (name, value) in settings_of(&settings) {
            match (name.as_str(), value.as_str()) {
                ("extensions.objectformat", "sha1") => layout.format = Format::Sha1,
                ("extensions.objectformat", "sha256") => layout.format = Format::Sha256,
                ("extensions.objectformat", format) => {
                    return Err(GitError::UnknownFormat { path: layout.common, format: format.to_owned() });
                }
                ("extensions.refstorage", storage) => layout.reftable = storage.starts_with("reftable"),
                ("extensions.partialclone" | "remote.promisor", _) => layout.promisor = true,
                _ => {}
            }
        }
        layout.reftable |= layout.common.join("reftable").is_dir();
        Ok(layout)
    }

    /// The folders of all working trees' own files: the main one's, then the linked ones'.
    pub(crate) fn worktrees(&self) -> Vec<PathBuf> {
        let mut linked: Vec<PathBuf> = folders(&self.common.join("worktrees"));
        linked.insert(0, self.common.clone());
        linked
    }

    /// The repositories of submodules, with their names.
    pub(crate) fn modules(&self) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        for worktree in self.worktrees() {
            modules_below(&worktree.join("modules"), String::new(), 0, &mut found);
        }
        found
    }
}

/// Whether a folder looks like a git folder.
fn is_repository(folder: &Path) -> bool {
    folder.join("HEAD").is_file() && (folder.join("objects").is_dir() || folder.join("commondir").is_file())
}

/// The folder that a `.git` file names.
fn follow(file: &Path) -> Result<PathBuf, GitError> {
    let not = || GitError::NotARepository { path: file.to_owned() };
    let text = files::read(file, SMALL)
        .map_err(|Trouble { detail, .. }| GitError::Broken { path: file.to_owned(), reason: detail })?;
    let text = String::from_utf8_lossy(&text);
    let folder = text.strip_prefix("gitdir:").ok_or_else(not)?.trim();
    let folder = file.parent().unwrap_or(Path::new(".")).join(folder);
    if is_repository(&folder) { Ok(folder) } else { Err(GitError::NotARepository { path: folder }) }
}

/// Names of submodules may hold slashes.
fn modules_below(folder: &Path, name: String, depth: u32, found: &mut Vec<(String, PathBuf)>) {
    const DEEPEST: u32 = 16;
    const MOST: usize = 10_000;
    for path in folders(folder) {
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if name.is_empty() { own.into_owned() } else { format!("{name}/{own}") };
        if is_repository(&path) {
            found.push((name, path));
        } else if depth < DEEPEST && found.len() < MOST {
            modules_below(&path, name, depth + 1, found);
        }
    }
}

/// The folders in a folder, sorted; links are not followed.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}

/// Settings as `section.name` and value, without the names of subsections; good enough for the few that matter here.
fn settings_of(text: &[u8]) -> Vec<(String, String)> {
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in String::from_utf8_lossy(text).lines() {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let (head, behind) = rest.split_once(']').unwrap_or((rest, ""));
            section = head.split([' ', '\t', '.']).next().unwrap_or_default().to_ascii_lowercase();
            line = behind.trim();
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, "true"));
        let value = value.split(['#', ';']).next().unwrap_or_default().trim().trim_matches('"').to_ascii_lowercase();
        settings.push((format!("{section}.{}", name.trim().to_ascii_lowercase()), value));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let text = b"[core]\n\tbare = false\n[Extensions] objectFormat = \"sha256\" # new\n[remote \"origin\"]\n promisor\n;x\n[broken\n";
        let settings = settings_of(text);
        let has = |name: &str, value: &str| settings.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("extensions.objectformat", "sha256"));
        assert!(has("remote.promisor", "true"));
        assert!(has("core.bare", "false"));
        assert_eq!(settings.len(), 3);
    }
}
