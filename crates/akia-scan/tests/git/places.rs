//! Places that commits, refs and settings make.

use akia_core::leak::{Part, Reach};

use super::repo::{Repo, file_with, id, only, places, scan};

#[test]
fn a_file_of_head() {
    let repo = Repo::new();
    let first = repo.commit_key("conf/app.ini", &id(1));
    repo.write("other", "more");
    let last = repo.commit("more");
    let place = repo.only(&id(1));
    assert_eq!((place.path.as_str(), place.part, place.line), ("conf/app.ini", Part::Content, Some(3)));
    let git = place.git.unwrap();
    assert_eq!(git.reach, Reach::Head);
    assert_eq!(git.object.unwrap(), repo.git(&["rev-parse", "HEAD:conf/app.ini"]));
    assert_eq!((git.commit.unwrap(), git.last_commit.unwrap()), (first.clone(), last.clone()));
    assert_eq!(git.author.unwrap(), "Ann <ann@example.com>");
    let date = |commit: &str| repo.git(&["show", "-s", "--format=%at", commit]).parse::<i64>().unwrap();
    assert_eq!(git.first_seen.unwrap().as_second(), date(&first));
    assert_eq!(git.last_seen.unwrap().as_second(), date(&last));
}

#[test]
fn a_file_that_was_deleted() {
    let repo = Repo::new();
    repo.commit("empty");
    let added = repo.commit_key("secret.txt", &id(2));
    repo.write("other", "more");
    let last = repo.commit("more");
    repo.git(&["rm", "-q", "secret.txt"]);
    repo.commit("gone");
    let git = repo.only(&id(2)).git.unwrap();
    assert_eq!(git.reach, Reach::Refs);
    assert_eq!((git.commit, git.last_commit), (Some(added), Some(last)));
}

#[test]
fn a_file_that_moved_and_grew_is_a_place_for_each_path() {
    let repo = Repo::new();
    repo.commit_key("old", &id(3));
    repo.git(&["mv", "old", "new"]);
    repo.write("new", &format!("# one line more\n{}", file_with(&id(3))));
    let moved = repo.commit("moved");
    repo.write("new", &format!("# one line more\n{}# and one\n", file_with(&id(3))));
    let last = repo.commit("grew");
    let places = places(&repo.scan(), &id(3));
    let new = places.iter().find(|place| place.path == "new").unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(new.line, Some(4));
    let git = new.git.clone().unwrap();
    assert_eq!((git.commit, git.last_commit, git.reach), (Some(moved), Some(last), Reach::Head));
}

#[test]
fn a_commit_that_was_amended() {
    let repo = Repo::new();
    repo.commit("empty");
    let amended = repo.commit_key("f", &id(4));
    std::fs::remove_file(repo.path.join("f")).unwrap();
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "clean"]);
    let git = repo.only(&id(4)).git.unwrap();
    assert_eq!((git.commit, git.reach), (Some(amended), Reach::Reflog));
}

#[test]
fn a_branch_that_was_deleted() {
    let repo = Repo::new();
    repo.commit("empty");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_key("f", &id(5));
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-q", "-D", "side"]);
    assert_eq!(repo.only(&id(5)).git.unwrap().reach, Reach::Reflog);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    let place = repo.only(&id(5));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("f", Reach::Dangling));
}

#[test]
fn a_stash_and_its_untracked_part() {
    let repo = Repo::new();
    repo.write("tracked", "nothing");
    repo.commit("first");
    repo.write("tracked", &file_with(&id(6)));
    repo.write("untracked", &file_with(&id(7)));
    repo.git(&["stash", "push", "-q", "-u"]);
    let report = repo.scan();
    for (id, path) in [(id(6), "tracked"), (id(7), "untracked")] {
        let place = only(&report, &id);
        assert_eq!((place.path.as_str(), place.git.unwrap().reach), (path, Reach::Stash));
    }
    // Without its reflog the newest is still a ref.
    std::fs::rename(repo.git_file("logs/refs/stash"), repo.beside("log")).unwrap();
    assert_eq!(repo.only(&id(6)).git.unwrap().reach, Reach::Stash);
    std::fs::rename(repo.beside("log"), repo.git_file("logs/refs/stash")).unwrap();
    // An older stash is only in the reflog of the stash.
    repo.write("tracked", "other");
    repo.git(&["stash", "push", "-q"]);
    assert_eq!(repo.only(&id(6)).git.unwrap().reach, Reach::Stash);
}

#[test]
fn a_merge_that_brings_what_neither_side_had() {
    let repo = Repo::new();
    repo.write("f", "base\n");
    repo.commit("base");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("g", "side");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("h", "main");
    repo.commit("main");
    repo.git(&["merge", "-q", "--no-commit", "--no-ff", "side"]);
    repo.write("f", &file_with(&id(8)));
    let merge = repo.commit("merge");
    repo.write("f", "clean");
    repo.commit("clean");
    let git = repo.only(&id(8)).git.unwrap();
    assert_eq!((git.commit.as_ref(), git.last_commit.as_ref()), (Some(&merge), Some(&merge)));
}

#[test]
fn the_message_of_a_commit() {
    let repo = Repo::new();
    let commit = repo.commit(&format!("Add things\n\nwith {}\n", id(9)));
    // git's own copy of the message is told as well.
    let all = places(&repo.scan(), &id(9));
    assert!(all.iter().any(|place| place.path == ".git/COMMIT_EDITMSG"));
    let place = all.iter().find(|place| place.git.is_some()).unwrap().clone();
    assert_eq!((place.part, place.line), (Part::CommitMessage, Some(3)));
    let git = place.git.unwrap();
    assert_eq!((git.commit, git.object, git.reach), (Some(commit.clone()), Some(commit), Reach::Head));
}

#[test]
fn the_message_of_a_tag() {
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["tag", "-a", "-m", &format!("release\n{}", id(10)), "v1"]);
    let place = repo.only(&id(10));
    assert_eq!((place.part, place.line), (Part::TagMessage, Some(2)));
    assert_eq!(place.git.unwrap().reach, Reach::Refs);
    repo.git(&["tag", "-d", "v1"]);
    assert_eq!(repo.only(&id(10)).git.unwrap().reach, Reach::Dangling);
}

#[test]
fn the_name_and_the_mail_of_people() {
    let repo = Repo::new();
    let mail = format!("{}@example.com", id(12));
    repo.git_with(
        &["commit", "-q", "--allow-empty", "-m", "x"],
        &[("GIT_AUTHOR_NAME", &id(11)), ("GIT_COMMITTER_EMAIL", &mail)],
        b"",
    );
    repo.git_with(&["tag", "-a", "-m", "x", "v1"], &[("GIT_COMMITTER_NAME", &id(13))], b"");
    // The reflog repeats the committer.
    let report = repo.scan();
    for id in [id(11), id(12), id(13)] {
        let parts: Vec<Part> = places(&report, &id).iter().map(|place| place.part).collect();
        assert!(parts.contains(&Part::Author), "{id}: {parts:?}");
    }
}

#[test]
fn the_name_of_a_file_and_of_a_folder() {
    let repo = Repo::new();
    repo.write(&format!("a/{}.csv", id(14)), "x");
    let first = repo.commit("first");
    repo.git(&["rm", "-q", "-r", "a"]);
    repo.write(&format!("deep/{}/x", id(15)), "x");
    repo.commit("second");
    repo.git(&["rm", "-q", "-r", "deep"]);
    repo.commit("third");
    let report = repo.scan();
    let place = only(&report, &id(14));
    assert_eq!((place.path.as_str(), place.part, place.line), (&*format!("a/{}.csv", id(14)), Part::Name, None));
    assert_eq!(place.git.unwrap().commit, Some(first));
    assert_eq!(only(&report, &id(15)).path, format!("deep/{}", id(15)));
}

#[test]
fn names_of_files_beside_files_with_keys() {
    let repo = Repo::new();
    repo.write(&format!("a/{}.csv", id(16)), &file_with(&id(17)));
    repo.commit("first");
    repo.git(&["rm", "-q", "-r", "a"]);
    repo.commit("second");
    let report = repo.scan();
    assert_eq!(only(&report, &id(16)).path, format!("a/{}.csv", id(16)));
    assert_eq!(only(&report, &id(17)).path, format!("a/{}.csv", id(16)));
}

#[test]
fn the_name_of_a_branch_loose_and_packed() {
    let repo = Repo::new();
    let commit = repo.commit("first");
    repo.git(&["update-ref", &format!("refs/heads/fix/{}", id(18)), &commit]);
    for packed in [false, true] {
        if packed {
            repo.git(&["pack-refs", "--all"]);
        }
        let all = places(&repo.scan(), &id(18));
        let place = all.iter().find(|place| place.part == Part::RefName).unwrap();
        assert_eq!(place.path, format!("refs/heads/fix/{}", id(18)));
        assert_eq!(place.git.clone().unwrap().object.as_ref(), Some(&commit));
    }
}

#[test]
fn an_annotated_tag_of_a_blob_and_a_ref_on_one() {
    let repo = Repo::new();
    repo.commit("first");
    let blob = repo.object("blob", file_with(&id(19)).as_bytes());
    repo.git(&["tag", "-a", "-m", "x", "on-a-blob", &blob]);
    let bare = repo.object("blob", file_with(&id(20)).as_bytes());
    repo.git(&["update-ref", "refs/things/blob", &bare]);
    let report = repo.scan();
    for (id, blob) in [(id(19), blob), (id(20), bare)] {
        let git = only(&report, &id).git.unwrap();
        assert_eq!((git.object, git.reach, git.commit), (Some(blob), Reach::Refs, None));
    }
}

#[test]
fn a_tag_on_a_tree() {
    let repo = Repo::new();
    repo.commit("first");
    repo.write("in/a/tree", &file_with(&id(21)));
    repo.git(&["add", "-A"]);
    let tree = repo.git(&["write-tree"]);
    repo.git(&["reset", "-q", "--hard"]);
    repo.git(&["tag", "on-a-tree", &tree]);
    let place = repo.only(&id(21));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("in/a/tree", Reach::Refs));
}

#[test]
fn a_note() {
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["notes", "add", "-m", &format!("see {}", id(22))]);
    let place = repo.only(&id(22));
    assert_eq!((place.part, place.git.unwrap().reach), (Part::Content, Reach::Refs));
}

#[test]
fn an_orphan_branch() {
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["checkout", "-q", "--orphan", "pages"]);
    repo.commit_key("page", &id(23));
    repo.git(&["checkout", "-q", "main"]);
    assert_eq!(repo.only(&id(23)).git.unwrap().reach, Reach::Refs);
}

#[test]
fn an_object_that_was_replaced_and_its_replacement() {
    let repo = Repo::new();
    repo.commit_key("f", &id(24));
    let replaced = repo.git(&["rev-parse", "HEAD:f"]);
    let other = repo.object("blob", file_with(&id(25)).as_bytes());
    repo.git(&["replace", &replaced, &other]);
    let report = repo.scan();
    assert_eq!(only(&report, &id(24)).git.unwrap().reach, Reach::Head);
    assert_eq!(only(&report, &id(25)).git.unwrap().reach, Reach::Refs);
}

#[test]
fn headers_of_commits_signatures_among_them() {
    let repo = Repo::new();
    repo.commit("first");
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let person = "Ann <ann@example.com> 1700000000 +0000";
    let commit = format!(
        "tree {tree}\nauthor {person}\ncommitter {person}\nencoding {}\ngpgsig -----BEGIN\n {}\n -----END\nmergetag object {tree}\n type commit\n tag {}\n\nmessage\n",
        id(26),
        id(27),
        id(28),
    );
    repo.object("commit", commit.as_bytes());
    let report = repo.scan();
    for id in [id(26), id(27), id(28)] {
        let place = only(&report, &id);
        assert_eq!((place.part, place.git.unwrap().reach), (Part::Header, Reach::Dangling));
    }
}

#[test]
fn the_message_of_a_reflog() {
    let repo = Repo::new();
    let commit = repo.commit("first");
    repo.git(&["update-ref", "-m", &format!("import {}", id(29)), "refs/heads/other", &commit, ""]);
    let place = repo.only(&id(29));
    assert_eq!((place.part, place.path.as_str(), place.line), (Part::Reflog, "logs/refs/heads/other", Some(1)));
    assert_eq!(place.git.unwrap().commit, Some(commit));
}

#[test]
fn what_is_only_staged() {
    let repo = Repo::new();
    repo.commit("first");
    repo.write("d/f", &file_with(&id(30)));
    repo.git(&["add", "-A"]);
    let place = repo.only(&id(30));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("d/f", Reach::Index));
    repo.git(&["reset", "-q"]);
    assert_eq!(repo.only(&id(30)).git.unwrap().reach, Reach::Dangling);
}

#[test]
fn the_settings_hooks_and_messages_of_a_repository() {
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["remote", "add", "origin", &format!("https://{}:x@example.com/r.git", id(31))]);
    std::fs::create_dir_all(repo.git_file("hooks")).unwrap();
    std::fs::write(repo.git_file("hooks/pre-push"), format!("#!/bin/sh\nexport AWS_ACCESS_KEY_ID={}\n", id(32)))
        .unwrap();
    std::fs::write(repo.git_file("FETCH_HEAD"), format!("\t\tbranch 'x' of https://{}@example.com/r\n", id(33)))
        .unwrap();
    std::fs::write(repo.git_file("COMMIT_EDITMSG"), format!("wip {}\n", id(34))).unwrap();
    std::fs::write(repo.git_file("info/exclude"), format!("{}.csv\n", id(35))).unwrap();
    std::fs::write(repo.git_file("description"), id(36)).unwrap();
    let report = repo.scan();
    for (id, path, part, line) in [
        (id(31), ".git/config", Part::Settings, None),
        (id(32), ".git/hooks/pre-push", Part::Settings, Some(2)),
        (id(33), ".git/FETCH_HEAD", Part::Settings, Some(1)),
        (id(34), ".git/COMMIT_EDITMSG", Part::CommitMessage, Some(1)),
        (id(35), ".git/info/exclude", Part::Settings, Some(1)),
        (id(36), ".git/description", Part::Settings, Some(1)),
    ] {
        let place = only(&report, &id);
        assert_eq!((place.path.as_str(), place.part), (path, part));
        assert!(line.is_none() || place.line == line, "{place:?}");
    }
}

#[test]
fn a_submodule_its_history_and_its_settings() {
    let inner = Repo::new();
    inner.commit_key("f", &id(37));
    inner.git(&["rm", "-q", "f"]);
    inner.commit("gone");
    let repo = Repo::new();
    repo.commit("first");
    repo.git(&["submodule", "--quiet", "add", inner.path.to_str().unwrap(), "parts/inner"]);
    repo.commit("a submodule");
    let module = Repo::at(repo.git_file("modules/parts/inner"));
    module.git(&["config", "remote.origin.pushurl", &format!("https://{}@example.com", id(38))]);
    let report = repo.scan();
    let place = only(&report, &id(37));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("parts/inner/f", Reach::Refs));
    assert_eq!(only(&report, &id(38)).path, "parts/inner/config");
    // The working tree of the submodule leads to the same repository.
    assert_eq!(only(&scan(&repo.path.join("parts/inner")), &id(37)).path, "f");
}

#[test]
fn a_linked_working_tree() {
    let repo = Repo::new();
    repo.commit_key("f", &id(39));
    let linked = Repo::at(repo.beside("linked"));
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.path.to_str().unwrap()]);
    linked.commit_key("g", &id(40));
    linked.write("h", &file_with(&id(41)));
    linked.git(&["add", "h"]);
    std::fs::write(repo.git_file("worktrees/linked/MERGE_MSG"), id(42)).unwrap();
    for path in [&repo.path, &linked.path] {
        let report = scan(path);
        assert!(report.coverage.is_complete(), "{:?}", report.coverage);
        for (id, path) in [(id(39), "f"), (id(40), "g"), (id(41), "h"), (id(42), ".git/worktrees/linked/MERGE_MSG")] {
            assert_eq!(only(&report, &id).path, path);
        }
    }
    assert_eq!(only(&scan(&linked.path), &id(40)).git.unwrap().reach, Reach::Head);
    assert_eq!(only(&scan(&repo.path), &id(40)).git.unwrap().reach, Reach::Refs);
    assert_eq!(only(&scan(&repo.path), &id(41)).git.unwrap().reach, Reach::Index);
}

#[test]
fn a_detached_head() {
    let repo = Repo::new();
    repo.commit_key("f", &id(43));
    repo.git(&["checkout", "-q", "--detach"]);
    repo.commit_key("f", &id(44));
    repo.git(&["branch", "-q", "-f", "main", "HEAD~1"]);
    let report = repo.scan();
    assert_eq!(only(&report, &id(43)).git.unwrap().reach, Reach::Refs);
    assert_eq!(only(&report, &id(44)).git.unwrap().reach, Reach::Head);
}

#[test]
fn one_key_in_many_versions_of_a_file_is_one_place() {
    let repo = Repo::new();
    for version in 0..30 {
        repo.write("f", &format!("# version {version}\n{}", file_with(&id(45))));
        repo.commit("next");
    }
    repo.git(&["gc", "-q"]);
    let git = repo.only(&id(45)).git.unwrap();
    assert_eq!(git.commit.unwrap(), repo.git(&["rev-list", "--max-parents=0", "HEAD"]));
    assert_eq!(git.last_commit.unwrap(), repo.git(&["rev-parse", "HEAD"]));
}

#[test]
fn a_key_twice_in_a_file_is_two_places() {
    let repo = Repo::new();
    repo.write("f", &format!("{}\nx\n{}\n", id(46), id(46)));
    repo.commit("twice");
    let lines: Vec<_> = places(&repo.scan(), &id(46)).iter().map(|place| place.line).collect();
    assert_eq!(lines, [Some(1), Some(3)]);
}
