//! Reads the templates that replace akia's own.
//!
//! Invariant: a folder in which everybody can write is refused, for a template decides what owners are told to run.

use std::fs;
use std::path::{Path, PathBuf};

use akia_core::notice::{Renderer, TEMPLATES, TemplateError};

use crate::files::{FileError, platform, read_limited};

/// Longest template, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Why the templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// The folder cannot be read.
    #[error("the folder of templates {path} cannot be read: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Everybody can write there.
    #[error("everybody can write to {path} (mode {mode:04o}), and could change what owners are told")]
    Open {
        /// The folder or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file in it is no template of akia's.
    #[error("{path} replaces no template of akia's; there are {}", TEMPLATES.iter().map(|one| one.name).collect::<Vec<_>>().join(", "))]
    NoTemplate {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("a template cannot be read: {0}")]
    File(#[from] FileError),
    /// A file is not text.
    #[error("the template {path} is not UTF-8 text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A template makes no sense.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// akia's own templates, and those of the folder.
///
/// # Errors
/// Where the folder or a file in it cannot be used.
pub fn load(folder: Option<&Path>) -> Result<Renderer, TemplatesError> {
    let Some(folder) = folder else { return Ok(Renderer::new(Vec::new())?) };
    let failed = |source| TemplatesError::Folder { path: folder.to_owned(), source };
    check(folder)?;
    let mut replaced = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        // What an editor leaves behind, and what tells people about the folder, is no template.
        if name.starts_with('.') || name.ends_with('~') || name.eq_ignore_ascii_case("README.md") {
            continue;
        }
        if TEMPLATES.iter().all(|template| template.name != name) {
            return Err(TemplatesError::NoTemplate { path });
        }
        check(&path)?;
        let Some(bytes) = read_limited(&path, LONGEST)? else { continue };
        let text = std::str::from_utf8(&bytes).map_err(|_| TemplatesError::NotText { path: path.clone() })?;
        replaced.push((name.to_owned(), text.to_owned()));
    }
    Ok(Renderer::new(replaced)?)
}

fn check(path: &Path) -> Result<(), TemplatesError> {
    let metadata = fs::metadata(path).map_err(|source| TemplatesError::Folder { path: path.to_owned(), source })?;
    match platform::mode(&metadata) {
        Some(mode) if mode & 0o002 != 0 => Err(TemplatesError::Open { path: path.to_owned(), mode }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_replaces_templates_and_its_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert!(load(Some(folder.path())).is_ok());
        write("subject.txt", "Ours: {{ title }}");
        write(".subject.txt.swp", "{% broken");
        assert!(load(Some(folder.path())).is_ok());
        write("message.txt", "{{ nothing }}");
        let error = load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.starts_with("template message.txt, line 1: undefined value"), "{error}");
        fs::remove_file(folder.path().join("message.txt")).unwrap();
        write("mesage.txt", "x");
        let error = load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("replaces no template"), "{error}");
        fs::remove_file(folder.path().join("mesage.txt")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(load(Some(folder.path())), Err(TemplatesError::Open { .. })));
        assert!(matches!(load(Some(Path::new("/no/such/folder"))), Err(TemplatesError::Folder { .. })));
    }
}
