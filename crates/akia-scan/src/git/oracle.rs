//! The search against a naive one: every object as `git cat-file --batch-all-objects` prints it, searched from end to end.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use akia_core::leak::{Detector, Options};

use super::layout::Layout;
use super::search;
use super::store::Store;
use crate::{Ledger, Limits, Scan};

type Pairs = BTreeSet<(String, String)>;

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "gc.auto=0", "-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

/// Objects and the ids in them, as the search finds them.
fn found(folder: &Path, threads: usize) -> (Pairs, u64) {
    let limits = Limits { threads, ..Limits::default() };
    let scan = Scan { detector: Detector::new(Options::default()), limits, ledger: Ledger::default() };
    let layout = Layout::find(folder).unwrap();
    let store = Store::open(&layout.common.join("objects"), layout.format, &scan.limits).unwrap();
    let findings = search::search(&scan, &store, None);
    assert!(
        findings.troubles.is_empty() && findings.missing.is_empty(),
        "{:?} {:?}",
        findings.troubles,
        findings.missing
    );
    let pairs = findings
        .hits
        .iter()
        .filter_map(|hit| Some((store.id(hit.object).to_string(), findings.keys.id(hit.key)?)))
        .collect();
    (pairs, findings.objects)
}

/// The same by reading everything: what the detector finds in each object, and what a plain search does, for the marks and sixteen
/// characters behind them, with nothing alphanumeric around.
fn expected(folder: &Path) -> (Pairs, Pairs, u64) {
    let detector = Detector::new(Options::default());
    let all = git(folder, &["cat-file", "--batch-all-objects", "--batch", "--unordered"]);
    let (mut detected, mut pairs, mut at, mut count) = (Pairs::new(), Pairs::new(), 0, 0);
    while at < all.len() {
        let end = at + all[at..].iter().position(|byte| *byte == b'\n').unwrap();
        let head = String::from_utf8(all[at..end].to_vec()).unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let size: usize = words[2].parse().unwrap();
        let object = &all[end + 1..end + 1 + size];
        detected.extend(
            detector.detect(object).into_iter().filter_map(|found| Some((words[0].to_owned(), found.id?.to_string()))),
        );
        for start in 0..size.saturating_sub(19) {
            let id = &object[start..start + 20];
            let bounded = |place: Option<usize>| {
                place.and_then(|place| object.get(place)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
            };
            if [b"AKIA", b"ASIA", b"ABIA", b"ACCA"].iter().any(|mark| id.starts_with(*mark))
                && id.iter().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(byte))
                && bounded(start.checked_sub(1))
                && bounded(Some(start + 20))
            {
                pairs.insert((words[0].to_owned(), String::from_utf8(id.to_vec()).unwrap()));
            }
        }
        count += 1;
        at = end + 2 + size;
    }
    (detected, pairs, count)
}

/// An id that is nobody's, put together here so that no scanner finds it in this file.
fn id(random: &mut fastrand::Rng) -> String {
    let mark = ["AKIA", "ASIA", "ABIA", "ACCA"][random.usize(0..4)];
    let tail: String = (0..16).map(|_| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random.usize(0..32)])).collect();
    format!("{mark}{tail}")
}

/// A text whose lines look alike, so that git finds much to copy.
fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    (0..random.usize(5..120))
        .flat_map(|_| format!("setting_{} = value of a setting {}\n", random.u8(..), random.u8(0..4)).into_bytes())
        .collect()
}

/// Changes a text as people do, and as no one does: keys come, go, are cut in two, grow together and lose their bounds.
fn edit(text: &mut Vec<u8>, ids: &[String], random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=text.len());
        let id = &ids[random.usize(0..ids.len())];
        let known =
            text.windows(4).position(|window| [b"AKIA", b"ASIA", b"ABIA", b"ACCA"].iter().any(|mark| window == *mark));
        // A wedge in an id: without it two copied pieces meet, and nothing is inserted there.
        let wedge = text.windows(2).position(|window| window == b"<<").map(|from| {
            from..text.iter().skip(from).position(|byte| *byte == b'>').map_or(text.len(), |end| from + end + 1)
        });
        if let Some(wedge) = wedge
            && random.bool()
        {
            text.drain(wedge);
            continue;
        }
        match (random.u8(0..13), known) {
            (0 | 1, _) => drop(text.splice(at..at, format!("\nkey={id}\n").into_bytes())),
            (2, _) => drop(text.splice(at..at, id.bytes())),
            // One half now; another edit may bring the other.
            (3, _) => drop(text.splice(at..at, id.bytes().take(random.usize(1..20)))),
            (4, Some(known)) => {
                let end = text.len().min(known + random.usize(1..24));
                text.drain(known..end);
            }
            (5, Some(known)) => {
                let cut = text.len().min(known + random.usize(0..24));
                text.splice(cut..cut, [[b'\n', b'x', b'A', b' '][random.usize(0..4)]]);
            }
            (6, Some(known)) => {
                let from = known.saturating_sub(random.usize(0..3));
                let moved: Vec<u8> = text.drain(from..text.len().min(known + 21)).collect();
                let to = random.usize(0..=text.len());
                text.splice(to..to, moved);
            }
            (9..12, _) => {
                let (head, tail) = id.split_at(random.usize(0..=20));
                let wedge = "of no use, ".repeat(random.usize(0..5));
                let around = ["\n", "x", " "][random.usize(0..3)];
                text.splice(at..at, format!("\nkey{around}{head}<<{wedge}>{tail}{around}\n").into_bytes());
            }
            (7, _) if !text.is_empty() => {
                let end = text.len().min(at + random.usize(0..400));
                text.drain(at..end);
            }
            (8, _) => {
                let end = text.len().min(at + random.usize(0..900));
                let copy = text[at..end].to_vec();
                let to = random.usize(0..=text.len());
                text.splice(to..to, copy);
            }
            _ => drop(text.splice(at..at, [b'\n'])),
        }
    }
}

/// A history of random edits, packed in a random way.
fn history(folder: &Path, random: &mut fastrand::Rng) {
    let format = ["sha1", "sha256"][usize::from(random.u8(0..6) == 0)];
    git(folder, &["init", "-q", "-b", "main", "--object-format", format]);
    let ids: Vec<String> = (0..4).map(|_| id(random)).collect();
    let mut files: Vec<Vec<u8>> = (0..random.usize(1..5)).map(|_| text(random)).collect();
    let mut names: Vec<String> = (0..files.len()).map(|file| format!("f{file}")).collect();
    for round in 0..random.usize(4..14) {
        for (name, file) in names.iter_mut().zip(&mut files) {
            if random.u8(0..3) > 0 {
                edit(file, &ids, random);
            }
            if random.u8(0..12) == 0 {
                let _ = std::fs::remove_file(folder.join(&name));
                *name = format!("d{}/{}.txt", random.u8(0..3), ids[random.usize(0..4)]);
                std::fs::create_dir_all(folder.join(&name).parent().unwrap()).unwrap();
            }
            std::fs::write(folder.join(&name), &file).unwrap();
        }
        git(folder, &["add", "-A"]);
        let message = if random.u8(0..4) == 0 { format!("mentions {}", ids[0]) } else { format!("round {round}") };
        let amend: &[&str] = if round > 0 && random.u8(0..5) == 0 { &["--amend"] } else { &[] };
        git(folder, &[&["commit", "-q", "--allow-empty", "-m", &message], amend].concat());
        if random.u8(0..8) == 0 {
            git(folder, &["tag", "-f", "-a", "-m", &message, &format!("t{round}")]);
        }
        if random.u8(0..6) == 0 {
            repack(folder, random);
        }
    }
    if random.u8(0..4) > 0 {
        repack(folder, random);
    }
}

fn repack(folder: &Path, random: &mut fastrand::Rng) {
    let (depth, window) = (
        format!("--depth={}", [1, 2, 5, 50, 500][random.usize(0..5)]),
        format!("--window={}", [0, 2, 10, 100][random.usize(0..4)]),
    );
    let offsets = format!("repack.usedeltabaseoffset={}", random.bool());
    let version = format!("pack.indexVersion={}", random.u8(1..=2));
    let keep = ["-adf", "-d", "-Adf"][random.usize(0..3)];
    git(folder, &["-c", &offsets, "-c", &version, "repack", "-q", keep, &depth, &window]);
}

/// Takes the indexes of packs away, or brings them back: without one a pack is read from its beginning.
fn rename_indexes(folder: &Path, from: &str, to: &str) {
    for file in std::fs::read_dir(folder.join(".git/objects/pack")).into_iter().flatten() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == from) {
            std::fs::rename(&path, path.with_extension(to)).unwrap();
        }
    }
}

#[test]
fn the_search_agrees_with_reading_everything() {
    let rounds = std::env::var("AKIA_ORACLE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25);
    let seed = std::env::var("AKIA_ORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut pairs = 0;
    for round in seed..seed + rounds {
        let mut random = fastrand::Rng::with_seed(round);
        let folder = tempfile::tempdir().unwrap();
        history(folder.path(), &mut random);
        let lost = random.u8(0..4) == 0;
        if lost {
            rename_indexes(folder.path(), "idx", "lost");
        }
        let (found, looked_at) = found(folder.path(), random.usize(1..4));
        rename_indexes(folder.path(), "lost", "idx");
        let (detected, plain, count) = expected(folder.path());
        assert_eq!(found, detected, "seed {round}");
        assert!(plain.is_subset(&found), "seed {round}: {:?}", plain.difference(&found));
        assert!(looked_at >= count, "seed {round}: {looked_at} of {count} objects");
        pairs += found.len();
    }
    assert!(pairs as u64 > 10 * rounds, "{pairs} keys in {rounds} histories");
}
