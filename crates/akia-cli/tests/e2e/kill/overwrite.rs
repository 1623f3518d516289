//! Other programs write the AWS files while akia does: the AWS CLI's `configure set`, at each call of a delivery, and in
//! a loop; and a program that had read a file before the delivery and writes all of it after.
//!
//! No update of either is lost: what akia cannot mend by itself it tells, and a verb mends it.

use super::story::{FILES, PROFILES, Scene, Verb, pair_in};
use super::tracer::{self, Strike, When};
use crate::hand::side_by_side;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Rotations that go side by side. They sleep most of the time.
const SIDE_BY_SIDE: usize = 16;

/// `aws configure set`, whole, while akia waits at each of its calls on the files of the AWS CLI.
#[test]
fn the_aws_cli_writes_at_each_call_of_a_delivery() {
    let watched = Scene::new(Verb::Rotate);
    let traced = tracer::run(&watched.home.command(&["rotate", "--yes"]), When::Point(usize::MAX), Strike::Watch);
    let points = traced.points.iter().filter(|point| point.target.contains("/.aws")).count();
    assert!(points > 20, "only {points} calls on ~/.aws");
    let reached = AtomicUsize::new(0);
    side_by_side(SIDE_BY_SIDE, points, |turn| {
        let scene = Scene::new(Verb::Rotate);
        let region = format!("eu-test-{turn}");
        let set = || {
            // Keys go to the credentials file, all else to the config file.
            for (name, value) in [("region", region.as_str()), ("aws_session_note", "theirs")] {
                let ran = scene.home.aws(&["configure", "set", name, value, "--profile", "both"]);
                assert_eq!(ran.code, 0, "{ran:?}");
            }
            let ran = scene.home.aws(&["configure", "set", "aws_access_key_id", &region, "--profile", "other"]);
            assert_eq!(ran.code, 0, "{ran:?}");
        };
        let traced = tracer::pause(&scene.home.command(&["rotate", "--yes"]), When::NthOn("/.aws", turn + 1), &set);
        if traced.struck.is_none() {
            return Ok(());
        }
        reached.fetch_add(1, Ordering::Relaxed);
        let told = |what: &str| format!("{what} after {:?}\n{}", traced.struck, traced.stderr);
        if traced.code != Some(0) && (traced.code != Some(5) || scene.home.akia(&["resume", "--yes"]).code != 0) {
            return Err(told("not rotated"));
        }
        let texts = FILES.map(|file| scene.home.read(file));
        if !texts[1].contains(&format!("region = {region}")) || !texts[1].contains("aws_session_note = theirs") {
            return Err(told("the CLI's values are lost from the config file"));
        }
        if pair_in(&texts[0], "other").0 != region {
            return Err(told("the CLI's value is lost from the credentials file"));
        }
        new_key_everywhere(&scene).map_err(|what| told(&what))
    });
    let reached = reached.into_inner();
    println!("the AWS CLI wrote at {reached} of {points} calls of akia on ~/.aws");
    assert!(reached * 10 >= points * 9);
}

/// The same without a pause: as fast as it can, from before the delivery until after the end. Each turn of the loop adds
/// something of its own to each file, so that none can hide that another was lost.
#[test]
fn the_aws_cli_writes_in_a_loop() {
    let (written, undone) = (AtomicUsize::new(0), AtomicUsize::new(0));
    side_by_side(SIDE_BY_SIDE, 6, |_| {
        let scene = Scene::new(Verb::Rotate);
        let over = AtomicBool::new(false);
        let (ran, last) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut last = 0;
                loop {
                    let is_last = over.load(Ordering::Relaxed);
                    last += 1;
                    // Keys go to the credentials file, all else to the config file.
                    for [name, profile] in
                        [[&format!("loop_{last}"), "both"], ["aws_access_key_id", &format!("loop-{last}")]]
                    {
                        let ran = scene.home.aws(&["configure", "set", name, "theirs", "--profile", profile]);
                        assert_eq!(ran.code, 0, "{ran:?}");
                    }
                    if is_last {
                        return last;
                    }
                }
            });
            let ran = scene.home.akia(&["rotate", "--yes"]);
            over.store(true, Ordering::Relaxed);
            (ran, writer.join().unwrap())
        });
        written.fetch_add(2 * last, Ordering::Relaxed);
        if ran.code != 0 && (ran.code != 5 || scene.home.akia(&["resume", "--yes"]).code != 0) {
            return Err(format!("not rotated: {ran:?}"));
        }
        let texts = FILES.map(|file| scene.home.read(file));
        for turn in 1..=last {
            if !texts[1].contains(&format!("loop_{turn} = theirs\n")) {
                return Err(format!("what the CLI wrote in turn {turn} of {last} is lost:\n{}", texts[1]));
            }
            if pair_in(&texts[0], &format!("loop-{turn}")).0 != "theirs" {
                return Err(format!("turn {turn} of {last} of the CLI is lost from the credentials file"));
            }
        }
        if new_key_everywhere(&scene).is_err() {
            undone.fetch_add(1, Ordering::Relaxed);
            mended_by_undo(&scene)?;
        }
        Ok(())
    });
    println!(
        "{written:?} runs of aws configure set beside 6 rotations; {undone:?} put an old key back at the very end"
    );
}

/// A program reads a file before the delivery and writes all of it after, old key and all: the AWS CLI does so when it is
/// slow. Up to akia's last look, right before the old key is shut, akia mends that; after it, nobody could prevent it,
/// `akia status` tells it and `akia undo` mends it.
#[test]
fn a_stale_copy_is_written_back_at_each_call_after_a_delivery() {
    let watched = Scene::new(Verb::Rotate);
    let traced = tracer::run(&watched.home.command(&["rotate", "--yes"]), When::Point(usize::MAX), Strike::Watch);
    let delivered = traced.points.iter().rposition(|point| point.call == "rename").expect("a delivery") - 40;
    let points: Vec<usize> = (delivered..traced.points.len()).step_by(3).collect();
    let undone = AtomicUsize::new(0);
    side_by_side(SIDE_BY_SIDE, points.len(), |turn| {
        let scene = Scene::new(Verb::Rotate);
        let stale = FILES.map(|file| scene.home.read(file));
        let write = || {
            for (file, text) in FILES.iter().zip(&stale) {
                std::fs::write(scene.home.path(file), format!("{text}\n# theirs\n")).unwrap();
            }
        };
        let traced = tracer::pause(&scene.home.command(&["rotate", "--yes"]), When::Point(points[turn]), &write);
        if traced.struck.is_none() {
            return Ok(());
        }
        let told = |what: &str| format!("{what} after {:?}\n{}", traced.struck, traced.stderr);
        if traced.code != Some(0) && (traced.code != Some(5) || scene.home.akia(&["resume", "--yes"]).code != 0) {
            return Err(told("not rotated"));
        }
        if FILES.iter().any(|file| !scene.home.read(file).contains("# theirs")) {
            return Err(told("their bytes are lost"));
        }
        if new_key_everywhere(&scene).is_err() {
            undone.fetch_add(1, Ordering::Relaxed);
            mended_by_undo(&scene).map_err(|what| told(&what))?;
        }
        Ok(())
    });
    let undone = undone.into_inner();
    println!("a stale copy was written at {} calls; at {undone} of them after the last look", points.len());
    assert!(undone < points.len(), "it was never mended");
}

fn new_key_everywhere(scene: &Scene) -> Result<(), String> {
    let text = FILES.map(|file| scene.home.read(file)).join("\n");
    let held = PROFILES.map(|profile| pair_in(&text, profile));
    if held[0] != held[1] || held[0].0 == scene.old.id || held[0].0.is_empty() {
        return Err(format!("the new key is not everywhere: {} and {}", held[0].0, held[1].0));
    }
    let ran = scene.home.aws(&["sts", "get-caller-identity", "--profile", PROFILES[0]]);
    if ran.code == 0 { Ok(()) } else { Err(format!("the new key does not work: {}", ran.stderr)) }
}

/// The old key is back in a place and shut: akia says so, and undo makes every place work.
fn mended_by_undo(scene: &Scene) -> Result<(), String> {
    let status = scene.home.akia(&["status", "--output", "json"]);
    if !status.stdout.contains("InvalidClientTokenId") && !status.stdout.contains("inactive") {
        return Err(format!("akia status does not tell of the shut key: {status:?}"));
    }
    let ran = scene.home.akia(&["undo", "--yes"]);
    if ran.code != 0 {
        return Err(format!("undo did not mend it: {ran:?}"));
    }
    for profile in PROFILES {
        let ran = scene.home.aws(&["sts", "get-caller-identity", "--profile", profile]);
        if ran.code != 0 {
            return Err(format!("profile {profile} is locked out after the undo: {}", ran.stderr));
        }
    }
    Ok(())
}
