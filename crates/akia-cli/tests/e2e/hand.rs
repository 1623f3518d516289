//! What tests of several verbs do by hand: read files, mask values, make users, ask who is who.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Cloud, Home, Key, Ran};

/// The key of a profile, as the real AWS CLI reads it.
#[track_caller]
pub(crate) fn keys_of(home: &Home, profile: &str) -> Key {
    let value =
        |name: &str| home.aws(&["configure", "get", name, "--profile", profile]).done().stdout.trim().to_owned();
    Key { id: value("aws_access_key_id"), secret: value("aws_secret_access_key"), token: None }
}

/// The text with these keys replaced by `{ID}` and `{SECRET}`, with a prefix for each.
pub(crate) fn masked(text: &str, keys: &[(&Key, &str)]) -> String {
    keys.iter().fold(text.to_owned(), |text, (key, prefix)| {
        text.replace(&key.secret, &format!("{{{prefix}SECRET}}")).replace(&key.id, &format!("{{{prefix}ID}}"))
    })
}

/// A user of a sandbox with a key of this age who may look after her own keys.
pub(crate) fn user_with_old_key(cloud: &Cloud, name: &str, age_days: i64) -> Key {
    let user = cloud.sandbox().add_user(name, "/").unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed", "iam:GetUser",
            "iam:ListAccessKeys", "iam:UpdateAccessKey"],
        "Resource": "*",
    }] });
    user.put_policy("own-keys", &policy.to_string()).unwrap();
    let key = user.add_access_key(cloud.sandbox().now() - SignedDuration::from_hours(24 * age_days)).unwrap();
    Key { id: key.id, secret: key.secret, token: None }
}

/// How many keys of this id a sandbox knows.
pub(crate) fn old_keys(cloud: &Cloud, key: &Key) -> usize {
    cloud.sandbox().keys().iter().filter(|known| known.id == key.id).count()
}

/// The state of a user's keys, judged by the real AWS CLI: which of the two ends a rotation has come to.
#[track_caller]
pub(crate) fn assert_rotated(cloud: &Cloud, home: &Home, user: &str, profile: &str, old: &Key) {
    let new = keys_of(home, profile);
    assert_ne!(new.id, old.id, "the file has the new key");
    let listed: Vec<(String, bool)> = cloud.keys(user).into_iter().map(|key| (key.id, key.active)).collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.contains(&(old.id.clone(), false)) && listed.contains(&(new.id.clone(), true)), "{listed:?}");
    assert_eq!(cloud.caller(&new), Ok(cloud.user_arn(user)));
}

/// The same for what was given up or taken back: the old key is in its place and works, and no other works.
#[track_caller]
pub(crate) fn assert_as_before(cloud: &Cloud, home: &Home, user: &str, profile: &str, old: &Key) {
    let held = keys_of(home, profile);
    assert!(held == *old, "the file has the old key, not {}", held.id);
    let active: Vec<String> = cloud.keys(user).into_iter().filter(|key| key.active).map(|key| key.id).collect();
    assert_eq!(active, [old.id.as_str()]);
    assert_eq!(cloud.caller(old), Ok(cloud.user_arn(user)));
}

/// Starts akia, sends signals when a line of its standard error has the text, and waits for its end.
#[track_caller]
pub(crate) fn interrupt(home: &Home, arguments: &[&str], at: &str, signals: &[&str]) -> Ran {
    let mut child = home.command(arguments).stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id().to_string();
    let (mut stderr, mut sent) = (String::new(), 0);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        stderr.push_str(&line);
        // A second signal goes out when the first was heard.
        let due = if sent == 0 { line.contains(at) } else { line.contains("interrupt again") };
        if due && sent < signals.len() {
            assert!(Command::new("kill").args([signals[sent], &pid]).status().unwrap().success());
            sent += 1;
        }
    }
    let output = child.wait_with_output().unwrap();
    assert!(sent > 0, "akia never said {at:?}:\n{stderr}");
    let code = output.status.code().map_or(-1, i64::from);
    let stdout = String::from_utf8(output.stdout).unwrap();
    Ran { what: format!("akia {}", arguments.join(" ")), code, stdout, stderr }
}

/// Turns that go at once in this process, whichever tests take them. A run of 8 s works for about half a second, judges
/// included, so that some 32 keep two processors busy; with many more, they wait for each other until they seem hung.
const AT_ONCE: usize = 40;

/// Runs all turns, so many at once, and fails with all that went wrong. For runs that wait more than they work: several
/// tests that do this fill each other's waits, up to a common limit.
pub(crate) fn side_by_side(at_once: usize, turns: usize, run: impl Fn(usize) -> Result<(), String> + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(turns) {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= turns {
                        break;
                    }
                    let room = take_room();
                    let ended = run(turn);
                    drop(room);
                    if let Err(what) = ended {
                        wrong.lock().unwrap().push(format!("turn {turn}: {what}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {turns} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// How many turns go on, and who waits for room.
static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

struct Room;

fn take_room() -> Room {
    let taken = TAKEN.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken = TAKEN.1.wait_while(taken, |taken| *taken >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
    *taken += 1;
    Room
}

impl Drop for Room {
    /// Also where the turn has panicked: the others need the room.
    fn drop(&mut self) {
        *TAKEN.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        TAKEN.1.notify_one();
    }
}
