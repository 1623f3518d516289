//! Folders of objects: a repository's own, and those it borrows from (`objects/info/alternates`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files;
use super::trouble::Trouble;

/// The longest file that names alternates.
const LONGEST: u64 = 1 << 20;

/// More folders than any repository borrows from; git itself stops at a depth of five.
const MOST: usize = 64;

/// A folder of objects and all that it borrows from, each once, and those that could not be looked at.
pub(crate) fn folders(objects: &Path) -> (Vec<PathBuf>, Vec<(PathBuf, Trouble)>) {
    let (mut folders, mut troubles, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut waiting = vec![objects.to_owned()];
    while let Some(folder) = waiting.pop() {
        let canonical = match folder.canonicalize() {
            Ok(canonical) if canonical.is_dir() => canonical,
            _ => {
                troubles.push((folder, Trouble::missing("objects are borrowed from it, and it is not there")));
                continue;
            }
        };
        if !seen.insert(canonical.clone()) {
            continue;
        }
        if folders.len() == MOST {
            troubles.push((
                folder,
                Trouble {
                    why: akia_core::leak::Why::TooDeep,
                    detail: format!("more than {MOST} folders of objects are borrowed from"),
                },
            ));
            break;
        }
        let list = canonical.join("info").join("alternates");
        match files::read(&list, LONGEST) {
            Ok(text) => waiting.extend(lines(&text).map(|line| canonical.join(line))),
            Err(trouble) if trouble.why == akia_core::leak::Why::Missing => {}
            Err(trouble) => troubles.push((list, trouble)),
        }
        folders.push(canonical);
    }
    (folders, troubles)
}

fn lines(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(|line| {
        let line = String::from_utf8_lossy(line);
        match line.strip_prefix('"').and_then(|line| line.strip_suffix('"')) {
            Some(quoted) => PathBuf::from(quoted.replace("\\\"", "\"").replace("\\\\", "\\")),
            None => PathBuf::from(line.as_ref()),
        }
    })
}
