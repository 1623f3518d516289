//! The generated part of `docs/`: the binary writes it (`akia generate-docs`), this puts it in place or compares.

use crate::command::{cargo, run as run_command};
use crate::folders;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes the pages into `docs/`, or with `check` only compares them.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let docs = folders::root().join("docs");
    if !check {
        return generate(&docs);
    }
    let fresh = folders::target().join("xtask-docs");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| format!("cannot remove {}: {error}", fresh.display()))?;
    }
    generate(&fresh)?;
    let expected = pages(&fresh)?;
    if expected.is_empty() {
        return Err("akia generate-docs wrote no page".to_owned());
    }
    let mut wrong: Vec<String> = Vec::new();
    for (name, text) in &expected {
        if fs::read_to_string(docs.join(name)).ok().as_ref() != Some(text) {
            wrong.push(format!("docs/{name} is not what the binary writes"));
        }
    }
    // A page in a generated folder that nothing generates is about something that is no more.
    for name in pages(&docs)?.keys().filter(|name| !expected.contains_key(*name)) {
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        if !folder.as_os_str().is_empty() && expected.keys().any(|page| Path::new(page).parent() == Some(folder)) {
            wrong.push(format!("docs/{name} is written by nothing"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}; run `cargo xtask docs`", wrong.join("; "))) }
}

fn generate(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    run_command(
        cargo(&["run", "--quiet", "--locked", "--package", "akia-cli", "--bin", "akia", "--", "generate-docs"])
            .arg(folder),
    )
}

/// Every file below a folder with its text, by its path from there.
fn pages(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let failed = |error| format!("cannot read {}: {error}", next.display());
        for entry in fs::read_dir(&next).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let (Ok(name), Ok(text)) = (path.strip_prefix(folder), fs::read_to_string(&path)) {
                found.insert(name.to_string_lossy().into_owned(), text);
            }
        }
    }
    Ok(found)
}
