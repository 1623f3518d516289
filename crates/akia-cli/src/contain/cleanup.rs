//! The commands that take a leaked key out of a repository's history. They are printed and not run: they rewrite what others have
//! cloned. A secret stands on no command line: a person puts it into a file.

use std::collections::BTreeSet;

use akia_core::AccessKeyId;
use akia_core::cheatsheet::Step;
use akia_core::leak::Leak;
use serde::Serialize;

use crate::scan::clone::shown;

/// The file that a person writes.
const FILE: &str = "leaked-keys.txt";

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CleanStep {
    /// What it does, and what to mind.
    pub(super) what: String,
    /// The command line; none where there is nothing to run.
    pub(super) command: Option<String>,
}

impl CleanStep {
    fn new(what: impl Into<String>, command: &[&str]) -> Self {
        let line = Step::new("", command.iter().copied()).shell();
        Self { what: what.into(), command: (!line.is_empty()).then_some(line) }
    }
}

/// The steps for the repositories that were named, and for those that the scan found it in.
pub(super) fn steps(key: &AccessKeyId, named: &[String], leaks: &[Leak]) -> Vec<CleanStep> {
    let places = || leaks.iter().flat_map(|leak| &leak.places);
    let of_scan = places().filter(|place| place.place.git.is_some()).map(|place| place.place.source.clone());
    let repositories: BTreeSet<String> = named.iter().cloned().chain(of_scan).map(|one| shown(&one)).collect();
    let elsewhere: BTreeSet<&str> =
        places().filter(|place| place.place.git.is_none()).map(|place| place.place.source.as_str()).collect();
    let mut steps = Vec::new();
    for source in elsewhere {
        steps.push(CleanStep::new(format!("{source} is no repository: take the key out of it by hand"), &[]));
    }
    if repositories.is_empty() {
        return steps;
    }
    steps.push(CleanStep::new(
        format!(
            "With an editor, write {FILE} (mode 600): a line with the secret access key, a line with {key}==>REMOVED. What \
             stands before ==> is replaced; a line without it becomes ***REMOVED***. Delete the file in the end."
        ),
        &[],
    ));
    for (index, repository) in repositories.iter().enumerate() {
        let source = not_an_option(repository);
        let mirror = if repositories.len() == 1 { "clean.git".to_owned() } else { format!("clean-{}.git", index + 1) };
        steps.push(CleanStep::new(
            format!("A fresh mirror of {repository}: git filter-repo works on no other."),
            &["git", "clone", "--mirror", "--no-local", &source, &mirror],
        ));
        steps.push(CleanStep::new(
            "Rewrite every commit, message and tag that holds it (https://github.com/newren/git-filter-repo).",
            &[
                "git",
                "-C",
                &mirror,
                "filter-repo",
                "--replace-text",
                &format!("../{FILE}"),
                "--replace-message",
                &format!("../{FILE}"),
            ],
        ));
        steps.push(CleanStep::new("Look: nothing is found any more.", &["akia", "scan", &mirror]));
        steps.push(CleanStep::new(
            format!("Put it back, where branches may be overwritten: {repository} has another history from then on."),
            &["git", "-C", &mirror, "push", "--force", "--mirror", &source],
        ));
    }
    steps.push(CleanStep::new(
        "Everybody clones anew, and nobody merges an old clone: that brings the key back. In a clone that has to stay, this \
         drops stashes, reflogs and what is dangling.",
        &["git", "reflog", "expire", "--expire=now", "--all"],
    ));
    steps.push(CleanStep::new("And this deletes what they led to.", &["git", "gc", "--prune=now"]));
    steps.push(CleanStep::new(
        "GitHub keeps pull requests (refs/pull/…), forks and cached views: its support removes them on request, with the commits. \
         GitLab: Settings, Repository, Repository cleanup takes the commit-map of filter-repo. Logs and artefacts of CI, \
         package registries, container images, wikis and mails are looked through by hand.",
        &[],
    ));
    steps
}

/// A name that git would take for an option.
fn not_an_option(name: &str) -> String {
    if name.starts_with('-') { format!("./{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_the_repository_and_no_secret() {
        let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        let steps = steps(&key, &["https://example.com/a b.git".to_owned(), "-x".to_owned()], &[]);
        let lines: Vec<&str> = steps.iter().filter_map(|step| step.command.as_deref()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        git clone --mirror --no-local ./-x clean-1.git
        git -C clean-1.git filter-repo --replace-text ../leaked-keys.txt --replace-message ../leaked-keys.txt
        akia scan clean-1.git
        git -C clean-1.git push --force --mirror ./-x
        git clone --mirror --no-local 'https://example.com/a b.git' clean-2.git
        git -C clean-2.git filter-repo --replace-text ../leaked-keys.txt --replace-message ../leaked-keys.txt
        akia scan clean-2.git
        git -C clean-2.git push --force --mirror 'https://example.com/a b.git'
        git reflog expire --expire=now --all
        git gc --prune=now
        ");
        assert!(super::steps(&key, &[], &[]).is_empty());
        let with_token = super::steps(&key, &["https://ann:s3cret@example.com/a.git".to_owned()], &[]);
        let all = with_token.iter().map(|step| format!("{} {:?}", step.what, step.command)).collect::<String>();
        assert!(all.contains("https://example.com/a.git") && !all.contains("s3cret") && !all.contains("ann"), "{all}");
    }
}
