//! `--since`: only what a revision does not lead to.

use akia_scan::Limits;
use akia_scan::git::{GitError, Options, Repository};
use akia_scan::{Ledger, Scan};

use super::repo::{Repo, file_with, id, only, places, scan_with};

fn since(repo: &Repo, revision: &str) -> akia_core::leak::ScanReport {
    let options = Options { since: Some(revision.to_owned()) };
    let report = scan_with(&repo.path, &options, Limits::default());
    assert!(report.coverage.is_complete(), "{:?}", report.coverage);
    report
}

#[test]
fn only_new_objects_are_searched() {
    let repo = Repo::new();
    let text: String = (0..300).map(|line| format!("line {line}\n")).collect();
    repo.write("old", &format!("{text}{}", file_with(&id(201))));
    repo.write("dir/kept", &file_with(&id(202)));
    let old = repo.commit("old");
    repo.git(&["tag", "-a", "-m", "x", "v1"]);
    // Shorter, so that git makes it a delta against the old version, which is rebuilt then and still not searched.
    repo.write("old", &format!("{}{}", &text[text.len() / 2..], file_with(&id(201))));
    repo.write("dir/new", &file_with(&id(203)));
    let new = repo.commit("new");
    repo.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    repo.commit_key("side", &id(204));
    for packed in [false, true] {
        if packed {
            repo.git(&["repack", "-q", "-adf"]);
        }
        for revision in ["main~1", "main^", "v1", "refs/tags/v1", "tags/v1", &old, &old[..12], "side~", "@^1"] {
            let report = since(&repo, revision);
            // The old file has a new version, which is a new object with the same key.
            assert_eq!(only(&report, &id(201)).git.unwrap().commit.as_ref(), Some(&new), "{revision}");
            assert!(places(&report, &id(202)).is_empty(), "{revision}");
            assert_eq!(only(&report, &id(203)).path, "dir/new", "{revision}");
            only(&report, &id(204));
        }
        let report = since(&repo, "main");
        assert!(places(&report, &id(201)).is_empty() && places(&report, &id(203)).is_empty());
        only(&report, &id(204));
        let all = scan_with(&repo.path, &Options::default(), Limits::default());
        // What else was looked at are the files in `.git`.
        let count = |arguments: &[&str]| repo.git(arguments).lines().count() as u64;
        let files = all.coverage.objects - count(&["cat-file", "--batch-all-objects", "--batch-check"]);
        for revision in ["main", "main~1"] {
            let new = count(&["rev-list", "--objects", "--all", "--not", revision]);
            assert_eq!(since(&repo, revision).coverage.objects, files + new, "{revision}");
        }
    }
}

#[test]
fn a_revision_that_is_none_is_an_error() {
    let repo = Repo::new();
    repo.commit("first");
    for revision in ["nowhere", "main~7", "main^2", "", "0000000000000000000000000000000000000000", "main^{tree}", "~"]
    {
        let scan = Scan {
            detector: akia_core::leak::Detector::new(akia_core::leak::Options::default()),
            limits: Limits::default(),
            ledger: Ledger::default(),
        };
        let options = Options { since: Some(revision.to_owned()) };
        let error = Repository::open(&repo.path).unwrap().scan(&scan, &options).unwrap_err();
        assert!(matches!(error, GitError::UnknownRevision { .. }), "{revision}: {error}");
    }
}
