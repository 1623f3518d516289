//! What `--help` says. The pages in `docs/commands/` are the snapshots of each verb's `--help`: they are compared byte by byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn manifest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn help_of_akia_itself() {
    let mut command = akia_cli::command().term_width(100);
    insta::assert_snapshot!(command.render_help().to_string());
}

#[test]
fn every_verb_has_a_file_a_page_and_examples() {
    let verbs: BTreeSet<String> = akia_cli::command()
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| verb.get_name().to_owned())
        .collect();
    let mut files = stems(&manifest().join("src/commands"), "rs");
    assert!(files.remove("mod") && files.remove("generate-docs"));
    assert_eq!(files, verbs, "a file for each verb");
    let mut pages = stems(&manifest().join("../../docs/commands"), "md");
    assert!(pages.remove("README"));
    assert_eq!(pages, verbs, "a page for each verb: run `cargo run -- generate-docs docs`");
    for verb in akia_cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        assert!(verb.get_after_long_help().is_some_and(|help| help.to_string().contains("EXAMPLES")), "{verb}");
        assert!(verb.get_about().is_some(), "{verb}");
    }
}

#[test]
fn the_documentation_is_up_to_date() {
    let docs = manifest().join("../../docs");
    for page in akia_cli::pages() {
        let written = std::fs::read_to_string(docs.join(&page.name)).unwrap_or_default();
        assert_eq!(written, page.text, "{}: run `cargo run -- generate-docs docs`", page.name);
    }
}

/// Every line of an EXAMPLES section that calls akia must be a line that akia takes.
#[test]
fn examples_can_be_run() {
    let mut count = 0;
    for page in akia_cli::pages() {
        for line in page.text.lines().map(str::trim).filter(|line| line.starts_with("akia ")) {
            let words = words(line);
            let outcome = akia_cli::args::parse(&words);
            assert!(matches!(outcome, akia_cli::args::ParseOutcome::Run(_)), "{line}: {outcome:?}");
            count += 1;
        }
    }
    assert!(count > 40, "{count} examples");
}

/// The words of a line up to a pipe or a redirection, as a shell takes them: what stands in double quotes is one.
fn words(line: &str) -> Vec<std::ffi::OsString> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.into());
            continue;
        }
        let end = part.find(['|', '>']);
        words.extend(part[..end.unwrap_or(part.len())].split_whitespace().map(Into::into));
        if end.is_some() {
            break;
        }
    }
    words
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let manual = akia_cli::docs::manual().unwrap();
    let names: BTreeSet<&str> = manual.iter().map(|page| page.name.as_str()).collect();
    for name in ["akia.1", "akia-rotate.1", "akia-key-last-used.1", "akia-policy-check.1"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    assert!(manual.iter().all(|page| page.text.contains(".SH NAME") && page.text.contains(".SH SYNOPSIS")));
}

/// Names of the files with this extension, without it; empty for a folder that is not there.
fn stems(folder: &Path, extension: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.filter_map(|path| Some(path.file_stem()?.to_str()?.replace('_', "-"))).collect()
}
