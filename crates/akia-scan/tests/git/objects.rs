//! Ways in which objects are kept.

use std::fs;

use akia_core::leak::{Reach, Why};
use akia_scan::Limits;
use akia_scan::git::Options;

use super::repo::{Repo, file_with, id, only, places, scan, scan_with};

/// Thirty versions of a file, of which the tenth has a key that the eleventh no longer has.
fn history(repo: &Repo, key: &str) {
    let text: String = (0..200).map(|line| format!("line {line} of a long file\n")).collect();
    for version in 0..30 {
        let key = if version == 10 { file_with(key) } else { String::new() };
        repo.write("long", &format!("{text}{key}version {version}\n{text}"));
        repo.commit("next");
    }
}

fn packs(repo: &Repo, extension: &str) -> Vec<std::path::PathBuf> {
    let mut packs: Vec<_> = fs::read_dir(repo.git_file("objects/pack"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|known| known == extension))
        .collect();
    packs.sort();
    packs
}

#[test]
fn loose() {
    let repo = Repo::new();
    history(&repo, &id(101));
    assert!(packs(&repo, "pack").is_empty());
    assert_eq!(repo.only(&id(101)).line, Some(203));
}

#[test]
fn in_chains_of_deltas() {
    let repo = Repo::new();
    history(&repo, &id(102));
    for depth in ["--depth=1", "--depth=50", "--depth=4000"] {
        repo.git(&["repack", "-q", "-adf", depth, "--window=100"]);
        assert_eq!(repo.only(&id(102)).line, Some(203));
    }
    assert!(repo.git(&["count-objects", "-v"]).contains("count: 0"));
}

#[test]
fn with_an_index_of_the_first_version() {
    let repo = Repo::new();
    history(&repo, &id(103));
    repo.git(&["-c", "pack.indexVersion=1", "repack", "-q", "-adf"]);
    repo.only(&id(103));
}

#[test]
fn in_two_packs_and_with_a_multi_pack_index() {
    let repo = Repo::new();
    history(&repo, &id(104));
    repo.git(&["repack", "-q", "-d"]);
    repo.commit_key("f", &id(105));
    repo.git(&["repack", "-q", "-d"]);
    repo.commit_key("g", &id(106));
    assert_eq!(packs(&repo, "pack").len(), 2);
    for _ in 0..2 {
        let report = repo.scan();
        for id in [id(104), id(105), id(106)] {
            only(&report, &id);
        }
        repo.git(&["multi-pack-index", "write"]);
    }
}

#[test]
fn twice_in_different_packs() {
    let repo = Repo::new();
    history(&repo, &id(107));
    repo.git(&["repack", "-q", "-adf"]);
    let pack = &packs(&repo, "pack")[0];
    let copy = repo.git_file("objects/pack/pack-0000000000000000000000000000000000000000.pack");
    fs::copy(pack, &copy).unwrap();
    fs::copy(pack.with_extension("idx"), copy.with_extension("idx")).unwrap();
    let place = repo.only(&id(107));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("long", Reach::Refs));
    // A later version in one pack only: the key must not seem to stand in the earlier one twice.
    let later = fs::read_to_string(repo.path.join("long")).unwrap() + &file_with(&id(107));
    repo.write("long", &later);
    let last = repo.commit("again");
    assert_eq!(repo.only(&id(107)).git.unwrap().last_commit, Some(last));
}

#[test]
fn in_a_pack_without_an_index_or_with_a_broken_one() {
    let repo = Repo::new();
    history(&repo, &id(108));
    // With deltas by distance, and by name.
    for setting in ["repack.useDeltaBaseOffset=true", "repack.useDeltaBaseOffset=false"] {
        repo.git(&["-c", setting, "repack", "-q", "-adf"]);
        let index = packs(&repo, "idx").remove(0);
        let whole = fs::read(&index).unwrap();
        for broken in [
            None,
            Some(whole[..whole.len() / 2].to_vec()),
            Some([&whole[..1500], &[7; 4][..], &whole[1504..]].concat()),
        ] {
            match broken {
                None => fs::remove_file(&index).unwrap(),
                Some(bytes) => {
                    let _ = fs::remove_file(&index);
                    fs::write(&index, bytes).unwrap();
                }
            }
            let place = repo.only(&id(108));
            assert_eq!((place.path.as_str(), place.line), ("long", Some(203)));
        }
        fs::remove_file(&index).unwrap();
        fs::write(&index, whole).unwrap();
    }
}

#[test]
fn in_a_thin_pack_whose_bases_are_elsewhere() {
    let repo = Repo::new();
    history(&repo, &id(109));
    repo.git(&["repack", "-q", "-adf"]);
    repo.write("long", &format!("{}{}", fs::read_to_string(repo.path.join("long")).unwrap(), file_with(&id(110))));
    let last = repo.commit("on top");
    let thin = repo.beside("thin.pack");
    let command = format!(
        "printf '%s\\n^%s~1\\n' {last} {last} | git pack-objects --thin --revs --stdout -q > '{}'",
        thin.display()
    );
    assert!(
        std::process::Command::new("sh").arg("-c").arg(command).current_dir(&repo.path).status().unwrap().success()
    );
    // Only the thin pack has the last commit now.
    repo.git(&["prune-packed"]);
    for folder in fs::read_dir(repo.git_file("objects")).unwrap().map(|folder| folder.unwrap().path()) {
        if folder.file_name().unwrap().len() == 2 {
            fs::remove_dir_all(folder).unwrap();
        }
    }
    fs::copy(&thin, repo.git_file("objects/pack/pack-1111111111111111111111111111111111111111.pack")).unwrap();
    let report = repo.scan();
    assert_eq!(only(&report, &id(110)).git.unwrap().commit, Some(last));
    only(&report, &id(109));
}

#[test]
fn in_what_an_interrupted_fetch_left() {
    let repo = Repo::new();
    history(&repo, &id(111));
    repo.git(&["repack", "-q", "-adf"]);
    let pack = packs(&repo, "pack").remove(0);
    fs::rename(&pack, pack.with_file_name("tmp_pack_x1y2z3")).unwrap();
    fs::remove_file(pack.with_extension("idx")).unwrap();
    only(&scan(&repo.path), &id(111));
}

#[test]
fn in_objects_of_another_repository() {
    let lender = Repo::new();
    history(&lender, &id(112));
    let repo = Repo::at(lender.beside("borrower"));
    lender.git(&["clone", "-q", "--shared", lender.path.to_str().unwrap(), repo.path.to_str().unwrap()]);
    repo.commit_key("own", &id(113));
    // Each borrows from the other: git stops, and so must we.
    fs::write(lender.git_file("objects/info/alternates"), format!("{}\n", repo.git_file("objects").display())).unwrap();
    let report = scan(&repo.path);
    assert!(report.coverage.is_complete(), "{:?}", report.coverage);
    only(&report, &id(112));
    only(&report, &id(113));
    // Relative to the folder of objects.
    fs::write(lender.git_file("objects/info/alternates"), "../../../borrower/.git/objects\n").unwrap();
    only(&scan(&lender.path), &id(113));
    fs::write(lender.git_file("objects/info/alternates"), "/nowhere/objects\n").unwrap();
    let skipped = scan(&lender.path).coverage.skipped;
    assert!(
        skipped.iter().any(|skipped| skipped.why == Why::Missing && skipped.what.contains("nowhere")),
        "{skipped:?}"
    );
}

#[test]
fn named_by_sha256() {
    let repo = Repo::with(&["--object-format=sha256"]);
    history(&repo, &id(114));
    for packed in [false, true] {
        if packed {
            repo.git(&["repack", "-q", "-adf"]);
        }
        let git = repo.only(&id(114)).git.unwrap();
        assert_eq!(git.object.unwrap().len(), 64);
    }
    fs::remove_file(packs(&repo, "idx").remove(0)).unwrap();
    repo.only(&id(114));
}

#[test]
fn in_a_bare_repository_and_a_bundle() {
    let repo = Repo::new();
    history(&repo, &id(115));
    let (bare, bundle) = (repo.beside("bare.git"), repo.beside("all.bundle"));
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    repo.git(&["bundle", "create", "-q", bundle.to_str().unwrap(), "--all"]);
    for path in [&bare, &bundle] {
        let report = scan(path);
        assert!(report.coverage.is_complete(), "{:?}", report.coverage);
        let git = only(&report, &id(115)).git.unwrap();
        assert_eq!((git.reach, git.author.as_deref()), (Reach::Refs, Some("Ann <ann@example.com>")));
    }
}

#[test]
fn in_a_cruft_pack() {
    let repo = Repo::new();
    repo.commit("first");
    repo.commit_key("f", &id(116));
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "-q", "--cruft", "--prune=never"]);
    assert_eq!(packs(&repo, "mtimes").len(), 1);
    let place = repo.only(&id(116));
    assert_eq!((place.path.as_str(), place.git.unwrap().reach), ("f", Reach::Dangling));
}

#[test]
fn a_dangling_blob_has_no_path_and_a_dangling_tree_gives_one() {
    let repo = Repo::new();
    repo.commit("first");
    let blob = repo.object("blob", file_with(&id(117)).as_bytes());
    let place = repo.only(&id(117));
    let git = place.git.unwrap();
    assert_eq!(
        (place.path.as_str(), git.reach, git.object.as_ref(), git.commit),
        ("", Reach::Dangling, Some(&blob), None)
    );
    repo.git_with(&["mktree"], &[], format!("100644 blob {blob}\tlost.txt\n").as_bytes());
    assert_eq!(repo.only(&id(117)).path, "lost.txt");
}

#[test]
fn a_shallow_clone_tells_what_it_does_not_have() {
    let repo = Repo::new();
    repo.commit_key("f", &id(118));
    repo.write("f", "clean");
    repo.commit("clean");
    repo.commit_key("g", &id(119));
    let clone = repo.beside("shallow");
    repo.git(&["clone", "-q", "--depth=2", &format!("file://{}", repo.path.display()), clone.to_str().unwrap()]);
    let report = scan(&clone);
    only(&report, &id(119));
    assert!(places(&report, &id(118)).is_empty());
    let missing: Vec<_> = report.coverage.skipped.iter().filter(|skipped| skipped.why == Why::Missing).collect();
    let parent = repo.git(&["rev-parse", "HEAD~2"]);
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].what, format!("commit {parent}"));
    assert!(missing[0].detail.contains("--unshallow"), "{missing:?}");
}

#[test]
fn a_partial_clone_tells_what_it_does_not_have() {
    let repo = Repo::new();
    repo.commit_key("gone", &id(120));
    let blob = repo.git(&["rev-parse", "HEAD:gone"]);
    repo.git(&["rm", "-q", "gone"]);
    repo.commit_key("here", &id(121));
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = repo.beside("partial");
    repo.git(&[
        "clone",
        "-q",
        "--filter=blob:none",
        &format!("file://{}", repo.path.display()),
        clone.to_str().unwrap(),
    ]);
    let report = scan(&clone);
    only(&report, &id(121));
    let skipped = &report.coverage.skipped;
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!((skipped[0].what.as_str(), skipped[0].why), (&*format!("blob {blob}"), Why::Missing));
    assert!(skipped[0].detail.contains("gone in a tree") && skipped[0].detail.contains("--refetch"), "{skipped:?}");
}

#[test]
fn blobs_larger_than_the_limit_are_looked_at_in_windows() {
    let repo = Repo::new();
    // The key stands across the border of two windows of 4 MiB.
    let mut large = "x".repeat(63) + "\n";
    large = large.repeat((4 << 20) / 64);
    large.replace_range((4 << 20) - 30..(4 << 20) - 10, " ".repeat(20).as_str());
    large.replace_range((4 << 20) - 10..(4 << 20), &format!("\n{}", &id(122)[..9]));
    large.push_str(&format!("{}\n", &id(122)[9..]));
    large.push_str(&"more\n".repeat(200_000));
    large.push_str(&file_with(&id(123)));
    repo.write("large", &large);
    repo.commit("large");
    for packed in [false, true] {
        if packed {
            repo.git(&["repack", "-q", "-adf"]);
        }
        let limits = Limits { unpacked_bytes: 1 << 20, ..Limits::default() };
        let report = scan_with(&repo.path, &Options::default(), limits);
        assert!(report.coverage.is_complete(), "{:?}", report.coverage);
        for id in [id(122), id(123)] {
            let line = large[..large.find(&id).unwrap()].matches('\n').count() as u64 + 1;
            let place = only(&report, &id);
            assert_eq!((place.path.as_str(), place.line), ("large", Some(line)));
        }
    }
}

#[test]
fn deltas_against_what_is_too_large_are_told() {
    let repo = Repo::new();
    let mut random = fastrand::Rng::with_seed(5);
    let large: String = (0..40_000).map(|_| format!("{:016x}\n", random.u64(..))).collect();
    repo.write("large", &large);
    repo.commit("large");
    repo.write("large", &format!("{large}{}", file_with(&id(124))));
    repo.commit("larger");
    repo.git(&["repack", "-q", "-adf"]);
    let limits = Limits { unpacked_bytes: 100_000, ..Limits::default() };
    let report = scan_with(&repo.path, &Options::default(), limits);
    only(&report, &id(124));
    let told: Vec<_> = report.coverage.skipped.iter().filter(|skipped| skipped.why == Why::TooLarge).collect();
    assert_eq!(told.len(), 1, "{:?}", report.coverage);
    assert!(told[0].detail.contains("--max-unpacked"));
}

#[test]
fn reftable_is_told() {
    let repo = Repo::with(&["--ref-format=reftable"]);
    repo.commit_key("f", &id(125));
    let report = scan(&repo.path);
    assert_eq!(only(&report, &id(125)).git.unwrap().reach, Reach::Refs);
    assert!(
        report
            .coverage
            .skipped
            .iter()
            .any(|skipped| skipped.why == Why::Unsupported && skipped.what.ends_with("reftable"))
    );
}

#[test]
fn when_the_time_is_over_it_is_told() {
    let repo = Repo::new();
    history(&repo, &id(126));
    for packed in [false, true] {
        if packed {
            repo.git(&["repack", "-q", "-adf"]);
        }
        let limits = Limits { deadline: Some(std::time::Instant::now()), ..Limits::default() };
        let report = scan_with(&repo.path, &Options::default(), limits);
        assert!(report.coverage.skipped.iter().any(|skipped| skipped.why == Why::TimedOut), "{:?}", report.coverage);
    }
}
