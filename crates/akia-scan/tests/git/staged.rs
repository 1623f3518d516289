//! `--staged`: what the next commit would add.

use akia_core::leak::{Detector, Options as Detection, Part, Reach, ScanReport};
use akia_scan::git::Repository;
use akia_scan::{Ledger, Limits, Scan};

use super::repo::{Repo, file_with, id, only, places};

fn staged(repo: &Repo) -> ScanReport {
    let scan =
        Scan { detector: Detector::new(Detection::default()), limits: Limits::default(), ledger: Ledger::default() };
    Repository::open(&repo.path).unwrap().scan_staged(&scan, None).unwrap();
    scan.ledger.into_report(Vec::new())
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let repo = Repo::new();
    repo.write("a/b/f", &file_with(&id(301)));
    repo.git(&["add", "-A"]);
    let place = only(&staged(&repo), &id(301));
    assert_eq!((place.path.as_str(), place.line, place.git.unwrap().reach), ("a/b/f", Some(3), Reach::Index));
}

#[test]
fn only_what_head_does_not_have_at_that_path() {
    let repo = Repo::new();
    repo.write("a/b/old", &file_with(&id(302)));
    repo.write("a/c", "x");
    repo.write("z", &file_with(&id(303)));
    repo.commit("first");
    for version in 2..=4 {
        for packed in [false, true] {
            repo.git(&["read-tree", "HEAD"]);
            repo.git(&["update-index", &format!("--index-version={version}")]);
            if packed {
                repo.git(&["repack", "-q", "-adf"]);
                repo.git(&["pack-refs", "--all"]);
            }
            assert_eq!(staged(&repo).coverage.objects, 0);
            repo.write("a/b/new", &file_with(&id(304)));
            repo.write("a/b/old", &format!("{}# more\n", file_with(&id(302))));
            repo.write(&format!("q/{}", id(305)), "y");
            repo.git(&["add", "-A"]);
            let report = staged(&repo);
            assert_eq!(report.coverage.objects, 3);
            assert!(report.coverage.is_complete());
            assert_eq!(only(&report, &id(302)).path, "a/b/old");
            assert_eq!(only(&report, &id(304)).path, "a/b/new");
            assert_eq!(only(&report, &id(305)).part, Part::Name);
            assert!(places(&report, &id(303)).is_empty());
            // Now the index knows the trees of all folders, and they are not those of HEAD.
            repo.git(&["write-tree"]);
            assert_eq!(staged(&repo).coverage.objects, 3);
        }
    }
    // What is changed and not staged is no part of the next commit.
    repo.git(&["reset", "-q"]);
    assert_eq!(staged(&repo).coverage.objects, 0);
}

#[test]
fn in_a_linked_working_tree_its_own_index_counts() {
    let repo = Repo::new();
    repo.commit("first");
    let linked = Repo::at(repo.beside("linked"));
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.path.to_str().unwrap()]);
    linked.write("f", &file_with(&id(306)));
    linked.git(&["add", "f"]);
    only(&staged(&linked), &id(306));
    assert!(places(&staged(&repo), &id(306)).is_empty());
}

#[test]
fn a_file_that_became_a_folder_and_a_folder_that_became_a_file() {
    let repo = Repo::new();
    repo.write("a", "x");
    repo.write("b/c", "x");
    repo.commit("first");
    repo.git(&["rm", "-q", "-r", "a", "b"]);
    repo.write("a/deep", &file_with(&id(307)));
    repo.write("b", &file_with(&id(308)));
    repo.git(&["add", "-A"]);
    let report = staged(&repo);
    assert_eq!(only(&report, &id(307)).path, "a/deep");
    assert_eq!(only(&report, &id(308)).path, "b");
}

#[test]
fn what_cannot_be_read_is_told() {
    let repo = Repo::new();
    repo.commit("first");
    repo.write("f", &file_with(&id(309)));
    repo.git(&["add", "f"]);
    let blob = repo.git(&["rev-parse", ":f"]);
    std::fs::remove_file(repo.git_file(&format!("objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    let report = staged(&repo);
    assert_eq!(report.coverage.skipped.len(), 1);
    assert_eq!(report.coverage.skipped[0].what, "f");
    // Noted with `git add -N`, a file has no content yet.
    repo.git(&["reset", "-q"]);
    repo.write("g", "later");
    repo.git(&["add", "-N", "g"]);
    assert!(staged(&repo).coverage.is_complete());
}
